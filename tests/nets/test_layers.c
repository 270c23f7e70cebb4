/* Layers as text, their shapes and parameter counts, and the messages for what does not fit. */
#include "tests/nets/net_set_up.h"

/* ---- text ------------------------------------------------------------------------------------ */

static void test_round_trip(void **state)
{
    (void)state;
    const char *const texts[] = {
        "linear 128",
        "conv 16 3x3",
        "conv 8 2x4 stride 2",
        "conv 8 3x3 pad 1",
        "conv 8 3x3 stride 2 pad 1",
        "tanh",
        "relu",
        "elu",
        "silu",
        "gelu",
        "sigmoid",
        "flatten",
        "layernorm",
        "embedding 11 8",
        "lstm 128",
        "gru 64",
        "attention heads=4 dim=64 layers=2",
        "linear 1048576",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rein_layer layer;
        char text[REIN_LAYER_TEXT];
        assert_int_equal(rein_layer_parse(texts[i], &layer), REIN_OK);
        rein_layer_print(&layer, text);
        assert_string_equal(text, texts[i]);
    }
    rein_layer layer;
    assert_int_equal(rein_layer_parse("  conv  8   3x2 pad 1 stride 2 ", &layer), REIN_OK);
    assert_int_equal(layer.kind, REIN_LAYER_CONV);
    assert_int_equal(layer.units, 8);
    assert_int_equal(layer.kernel_h, 3);
    assert_int_equal(layer.kernel_w, 2);
    assert_int_equal(layer.pad, 1);
    assert_int_equal(layer.stride, 2);
    assert_int_equal(rein_layer_parse("attention layers=2 heads=4 dim=64", &layer), REIN_OK);
    assert_int_equal(layer.blocks, 2);
}

static void test_lists(void **state)
{
    (void)state;
    const char list[] = "conv 16 3x3, relu, flatten, linear 6";
    char text[REIN_LAYERS_TEXT];
    rein_net_spec spec = {.n_dims = 3, .shape = {7, 7, 3}};
    assert_int_equal(rein_layers_parse(list, &spec), REIN_OK);
    assert_int_equal(spec.n_layers, 4);
    rein_layers_print(&spec, text);
    assert_string_equal(text, list);
    assert_int_equal(rein_layers_parse("relu, lienar 128", &spec), REIN_EINVAL);
    assert_string_equal(rein_error_message(), "layers[1] 'lienar 128': did you mean linear?");
    char many[REIN_LAYERS_TEXT] = "relu";
    for (int i = 0; i < REIN_MAX_LAYERS; i++) strcat(many, ",relu");
    assert_int_equal(rein_layers_parse(many, &spec), REIN_EINVAL);
    assert_non_null(strstr(rein_error_message(), "more than 32 layers"));
}

static void test_refused_text(void **state)
{
    (void)state;
    const struct {
        const char *text, *words;
    } cases[] = {
        {"lienar 128", "'lienar 128': did you mean linear?"},
        {"cnov 16 3x3", "did you mean conv?"},
        {"Relu", "did you mean relu?"},
        {"tahn", "did you mean tanh?"},
        {"dropout 0.5", "layers are linear, conv"},
        {"", "without a name"},
        {"  ", "without a name"},
        {"linear", "write linear UNITS, as in linear 128"},
        {"linear 0", "write linear UNITS"},
        {"linear -3", "write linear UNITS"},
        {"linear 1e3", "write linear UNITS"},
        {"linear 64 64", "write linear UNITS"},
        {"linear 1048577", "1 to 1048576"},
        {"linear 99999999999999999999", "1 to 1048576"},
        {"relu 3", "relu takes nothing behind it"},
        {"flatten 3", "flatten takes nothing behind it"},
        {"conv 16", "as in conv 16 3x3"},
        {"conv 16 3", "as in conv 16 3x3"},
        {"conv 16 3x", "as in conv 16 3x3"},
        {"conv 16 x3", "as in conv 16 3x3"},
        {"conv 16 0x3", "as in conv 16 3x3"},
        {"conv 0 3x3", "as in conv 16 3x3"},
        {"conv 16 65x3", "as in conv 16 3x3"},
        {"conv 16 3x3 stride", "as in conv 16 3x3"},
        {"conv 16 3x3 stride 0", "as in conv 16 3x3"},
        {"conv 16 3x3 stride 2 stride 2", "as in conv 16 3x3"},
        {"conv 16 3x3 pad -1", "as in conv 16 3x3"},
        {"conv 16 3x3 dilation 2", "as in conv 16 3x3"},
        {"embedding 8", "as in embedding 11 8"},
        {"embedding 0 8", "as in embedding 11 8"},
        {"attention heads=4 dim=64", "write attention heads=4 dim=64 layers=2"},
        {"attention heads=4 dim=64 layers=2 layers=2", "write attention"},
        {"attention heads=4 dim=66 layers=2", "dim must be a multiple of heads"},
        {"attention 4 64 2", "write attention"},
        {"gru x", "write gru UNITS"},
        {"linear 1 2 3 4 5 6 7 8 9", "is too long for a layer"},
        {"linearlinearlinearlinearlinear", "is too long for a layer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rein_layer layer;
        if (rein_layer_parse(cases[i].text, &layer) != REIN_EINVAL ||
            !strstr(rein_error_message(), cases[i].words)) {
            fail_msg("'%s': %s", cases[i].text, rein_error_message());
        }
    }
}

/* ---- shapes and parameters ------------------------------------------------------------------- */

static void test_layout(void **state)
{
    (void)state;
    rein_layout at;
    rein_net_spec spec =
        spec_of(10, 10, 4, "conv 16 3x3, relu, flatten, linear 128, relu, linear 6");
    assert_int_equal(rein_net_layout(&spec, &at), REIN_OK);
    assert_int_equal(at.n_in, 400);
    assert_int_equal(at.n_out, 6);
    assert_int_equal(at.layers[0].out.dims[0], 8);
    assert_int_equal(at.layers[0].out.dims[1], 8);
    assert_int_equal(at.layers[0].out.dims[2], 16);
    assert_int_equal(at.layers[2].out.n_dims, 1);
    assert_int_equal(at.layers[2].out.size, 1024);
    assert_int_equal(at.layers[0].bias_at, 16 * 4 * 9);
    assert_int_equal(at.layers[3].weight_at, 16 * 4 * 9 + 16);
    assert_int_equal(at.n_params, 16 * 4 * 9 + 16 + 1024 * 128 + 128 + 128 * 6 + 6);
    spec = spec_of(7, 9, 3, "conv 5 3x2 stride 2 pad 1");
    assert_int_equal(rein_net_layout(&spec, &at), REIN_OK);
    assert_int_equal(at.layers[0].out.dims[0], 4); /* (7 + 2 - 3) / 2 + 1 */
    assert_int_equal(at.layers[0].out.dims[1], 5); /* (9 + 2 - 2) / 2 + 1 */
    spec = spec_of(0, 0, 5, "layernorm, lstm 8, gru 4");
    assert_int_equal(rein_net_layout(&spec, &at), REIN_OK);
    assert_int_equal(at.n_params, 10 + (32 * (5 + 8) + 64) + (12 * (8 + 4) + 24));
    spec = spec_of(7, 7, 3, "attention heads=2 dim=8 layers=2, flatten");
    assert_int_equal(rein_net_layout(&spec, &at), REIN_OK);
    assert_int_equal(at.n_out, 49 * 8);
    /* torch: nn.Linear(3, 8), 49 positions, two nn.TransformerEncoderLayer(8, 2, 32) of 872 */
    assert_int_equal(at.n_params, 32 + 49 * 8 + 2 * 872);
    spec = spec_of(4, 3, 2, "embedding 6 5, flatten");
    assert_int_equal(rein_net_layout(&spec, &at), REIN_OK);
    assert_int_equal(at.n_params, 30);
    assert_int_equal(at.layers[0].out.dims[2], 10);
    assert_int_equal(at.n_out, 120);
}

static void test_mlp(void **state)
{
    (void)state;
    char text[REIN_LAYERS_TEXT];
    rein_net_spec spec = rein_net_spec_mlp(17, (const int[]){64, 32}, 2, REIN_TANH, 6);
    rein_layers_print(&spec, text);
    assert_string_equal(text, "linear 64, tanh, linear 32, tanh, linear 6");
    assert_int_equal(spec.n_dims, 1);
    assert_int_equal(spec.shape[0], 17);
    spec = rein_net_spec_mlp(17, (const int[]){64}, 1, REIN_LINEAR, 6);
    rein_layers_print(&spec, text);
    assert_string_equal(text, "linear 64, linear 6");
    int hidden[16] = {[15] = 1};
    rein_layout layout;
    spec = rein_net_spec_mlp(17, hidden, 16, REIN_TANH, 6);
    assert_int_equal(rein_net_layout(&spec, &layout), REIN_EINVAL);
    assert_non_null(strstr(rein_error_message(), "33 layers"));
}

static void test_refused_shapes(void **state)
{
    (void)state;
    const struct {
        int h, w, c;
        const char *layers, *message;
    } cases[] = {
        {7, 7, 3, "linear 128",
         "layers[0] 'linear 128': linear needs a vector: put flatten "
         "before it"},
        {7, 7, 3, "relu, layernorm",
         "layers[1] 'layernorm': layernorm needs a vector: put flatten "
         "before it"},
        {7, 7, 3, "gru 8", "layers[0] 'gru 8': gru needs a vector: put flatten before it"},
        {7, 7, 3, "relu, conv 16 9x9", "layers[1] 'conv 16 9x9': does not fit into 7x7"},
        {7, 7, 3, "conv 16 10x3 pad 1", "layers[0] 'conv 16 10x3 pad 1': does not fit into 9x9"},
        {0, 0, 4, "conv 16 3x3",
         "layers[0] 'conv 16 3x3': conv needs an image [height, width, "
         "channels], the input is none"},
        {7, 7, 3, "flatten, conv 16 3x3",
         "layers[1] 'conv 16 3x3': conv needs an image [height, "
         "width, channels]: put it before flatten"},
        {7, 7, 3, "relu, embedding 3 3",
         "layers[1] 'embedding 3 3': embedding can only be the "
         "first layer"},
        {0, 0, 4, "attention heads=1 dim=4 layers=1",
         "layers[0] 'attention heads=1 dim=4 "
         "layers=1': attention needs an image or a "
         "window [steps, numbers]"},
        {7, 7, 3, "conv 1000000 3x3", "layers[0] 'conv 1000000 3x3': gives too large an image"},
        {64, 64, 64, "conv 64 3x3 pad 1, conv 64 3x3 pad 1",
         "layers[1] 'conv 64 3x3 pad 1': gives too many numbers"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rein_layout layout;
        const rein_net_spec spec = spec_of(cases[i].h, cases[i].w, cases[i].c, cases[i].layers);
        assert_int_equal(rein_net_layout(&spec, &layout), REIN_EINVAL);
        assert_string_equal(rein_error_message(), cases[i].message);
    }
}

/* Numbers that only a program can give. */
static void test_refused_numbers(void **state)
{
    (void)state;
    const rein_layer layers[] = {
        {.kind = (rein_layer_kind)99},
        {.kind = (rein_layer_kind)-1},
        {.kind = REIN_LAYER_LINEAR, .units = -1},
        {.kind = REIN_LAYER_CONV, .units = 3},
        {.kind = REIN_LAYER_CONV, .units = 3, .kernel_h = 2, .kernel_w = 2, .stride = 0},
        {.kind = REIN_LAYER_CONV, .units = 3, .kernel_h = 2, .kernel_w = 2, .stride = 1, .pad = -1},
        {.kind = REIN_LAYER_ACTIVATION, .activation = REIN_LINEAR},
        {.kind = REIN_LAYER_ACTIVATION, .activation = (rein_activation)-1},
        {.kind = REIN_LAYER_EMBEDDING, .units = 3},
        {.kind = REIN_LAYER_ATTENTION, .units = 3},
    };
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        rein_layout layout;
        const rein_net_spec spec = {
            .n_dims = 3, .shape = {5, 5, 2}, .n_layers = 1, .layers = {layers[i]}};
        assert_int_equal(rein_net_layout(&spec, &layout), REIN_EINVAL);
        assert_non_null(strstr(rein_error_message(), "layers[0]"));
    }
    rein_layout layout;
    rein_net_spec spec = spec_of(5, 5, 2, "relu");
    spec.n_dims = 4;
    assert_int_equal(rein_net_layout(&spec, &layout), REIN_EINVAL);
    spec.n_dims = 3;
    spec.shape[1] = 0;
    assert_int_equal(rein_net_layout(&spec, &layout), REIN_EINVAL);
    spec.shape[1] = 1 << 30;
    assert_int_equal(rein_net_layout(&spec, &layout), REIN_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_refused_text),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_mlp),
        cmocka_unit_test(test_refused_shapes),
        cmocka_unit_test(test_refused_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
