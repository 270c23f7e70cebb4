/* The native engine against libtorch's autograd: each layer alone and random networks, outputs,
 * gradients of every part of the vector, gradients by the input. */
#include "tests/oracle.h"

#include "nets/net.h"

/* ---- one network, one batch ------------------------------------------------------------------ */

typedef struct batch {
    const rein_net_spec *spec;
    int rows;
    size_t n_x, n_y, n_params;
    float *params, *x, *dy, *y, *grad, *dx;
} batch;

static void run_native(rein_rng *rng, batch *b)
{
    rein_net *net = NULL;
    rein_net_workspace *workspace = NULL;
    o_ok(rein_net_create(b->spec, &net));
    o_ok(rein_net_workspace_create(net, b->rows + o_int(rng, 0, 9), &workspace));
    float *packed = o_floats(rein_net_n_packed(net));
    rein_net_pack(net, b->params, packed);
    if (o_chance(rng, 0.25)) packed = NULL; /* from params alone */
    o_ok(rein_net_forward(net, b->params, packed, workspace, b->x, b->rows, b->y));
    o_ok(rein_net_backward(net, b->params, packed, workspace, b->dy, b->grad, b->dx));
    rein_net_workspace_free(workspace);
    rein_net_free(net);
}

typedef struct answer {
    rein_tensor *y, *grad, *dx;
    double kink;
} answer;

static answer ask(const batch *b, rein_torch_dtype precision)
{
    o_precision(precision);
    rein_tensor *params = O_LEAF(b->params, (int64_t)b->n_params);
    rein_tensor *x = o_leaf_x(b->spec, b->x, b->rows);
    o_net net = {.spec = b->spec, .params = params, .kink = 1};
    answer a = {.y = O_VIEW(o_layers(&net, 0, b->spec->n_layers, x), b->rows, -1)};
    assert_int_equal(net.at, b->n_params);
    o_backward(a.y, O_CONST(b->dy, b->rows, (int64_t)b->n_y / b->rows));
    a.grad = o_grad(params);
    a.dx = o_grad(x);
    a.kink = net.kink;
    return a;
}

/* Every layer's weights and biases have their own largest entry. */
static void compare(const batch *b, const rein_layout *layout, const answer *wanted,
                    const answer *twin)
{
    o_close_like("y", b->y, wanted->y, twin->y);
    o_close_like("dx", b->dx, wanted->dx, twin->dx);
    for (int i = 0; i < b->spec->n_layers; i++) {
        const rein_layer_place *p = &layout->layers[i];
        char what[REIN_LAYER_TEXT], part[REIN_LAYER_TEXT + 16];
        rein_layer_print(&b->spec->layers[i], what);
        for (int k = 0; k < 2; k++) {
            const size_t at = k ? p->bias_at : p->weight_at, n = k ? p->n_biases : p->n_weights;
            if (n == 0) continue;
            snprintf(part, sizeof part, "d%s of %s", k ? "bias" : "weight", what);
            o_close_like(part, b->grad + at, o_narrow(wanted->grad, 0, (int64_t)at, (int64_t)n),
                         o_narrow(twin->grad, 0, (int64_t)at, (int64_t)n));
        }
    }
}

static void check_spec(rein_rng *rng, const rein_net_spec *spec, int max_rows)
{
    char text[REIN_LAYERS_TEXT];
    rein_layout layout;
    o_ok(rein_net_layout(spec, &layout));
    if (max_rows * layout.n_out > 20000) max_rows = 20000 / layout.n_out + 1;
    batch b = {.spec = spec, .rows = o_int(rng, 1, max_rows), .n_params = layout.n_params};
    rein_layers_print(spec, text);
    o_say("%s; [%d, %d, %d], %d dims; %d rows", text, spec->shape[0], spec->shape[1],
          spec->shape[2], spec->n_dims, b.rows);
    b.n_x = (size_t)b.rows * (size_t)layout.n_in;
    b.n_y = (size_t)b.rows * (size_t)layout.n_out;
    b.dy = o_normals(rng, b.n_y, 1);
    b.y = o_floats(b.n_y), b.grad = o_floats(b.n_params), b.dx = o_floats(b.n_x);
    answer wanted;
    int attempts = 0;
    do {
        assert_true(attempts++ < 100);
        b.params = o_random_params(rng, spec);
        b.x = o_random_x(rng, spec, b.rows);
        wanted = ask(&b, REIN_TORCH_F64);
    } while (wanted.kink < O_KINK);
    const answer twin = ask(&b, REIN_TORCH_F32);
    run_native(rng, &b);
    compare(&b, &layout, &wanted, &twin);
}

/* ---- layers ---------------------------------------------------------------------------------- */

static rein_net_spec vector_spec(int n)
{
    return (rein_net_spec){.n_dims = 1, .shape = {n}};
}

static rein_net_spec image_spec(rein_rng *rng)
{
    rein_net_spec spec = {.n_dims = 3};
    for (int i = 0; i < 2; i++) spec.shape[i] = o_int(rng, 3, 12);
    spec.shape[2] = o_int(rng, 1, 20);
    return spec;
}

static void linear_case(rein_rng *rng)
{
    rein_net_spec spec = vector_spec(o_int(rng, 1, 80));
    o_ok(rein_net_spec_add(&spec,
                           (rein_layer){.kind = REIN_LAYER_LINEAR, .units = o_int(rng, 1, 80)}));
    check_spec(rng, &spec, 40);
}

static void conv_case(rein_rng *rng)
{
    rein_net_spec spec = image_spec(rng);
    rein_layer l = {.kind = REIN_LAYER_CONV, .units = o_int(rng, 1, 40)};
    l.pad = o_int(rng, 0, 2);
    l.stride = o_int(rng, 1, 3);
    l.kernel_h = o_int(rng, 1, spec.shape[0] + 2 * l.pad < 6 ? spec.shape[0] + 2 * l.pad : 6);
    l.kernel_w = o_int(rng, 1, spec.shape[1] + 2 * l.pad < 6 ? spec.shape[1] + 2 * l.pad : 6);
    o_ok(rein_net_spec_add(&spec, l));
    if (o_chance(rng, 0.5)) {
        const rein_activation f = (rein_activation)o_int(rng, REIN_TANH, REIN_SIGMOID);
        o_ok(
            rein_net_spec_add(&spec, (rein_layer){.kind = REIN_LAYER_ACTIVATION, .activation = f}));
    }
    check_spec(rng, &spec, 12);
}

/* Alone on the input (every third) or behind a linear layer, where engines join the two. */
static void activation_case(rein_rng *rng)
{
    const int n = o_int(rng, 1, 70);
    rein_net_spec spec = vector_spec(n);
    if (!o_chance(rng, 1.0 / 3)) {
        o_ok(rein_net_spec_add(&spec, (rein_layer){.kind = REIN_LAYER_LINEAR, .units = n}));
    }
    const rein_activation f = (rein_activation)o_int(rng, REIN_TANH, REIN_SIGMOID);
    o_ok(rein_net_spec_add(&spec, (rein_layer){.kind = REIN_LAYER_ACTIVATION, .activation = f}));
    check_spec(rng, &spec, 40);
}

static void layernorm_case(rein_rng *rng)
{
    rein_net_spec spec = vector_spec(o_int(rng, 3, 90));
    if (o_chance(rng, 0.5)) {
        o_ok(rein_net_spec_add(
            &spec, (rein_layer){.kind = REIN_LAYER_LINEAR, .units = o_int(rng, 3, 70)}));
    }
    o_ok(rein_net_spec_add(&spec, (rein_layer){.kind = REIN_LAYER_LAYERNORM}));
    check_spec(rng, &spec, 40);
}

static void embedding_case(rein_rng *rng)
{
    rein_net_spec spec = o_chance(rng, 0.5) ? vector_spec(o_int(rng, 1, 30)) : image_spec(rng);
    spec.input_scale = o_chance(rng, 0.5) ? (float)o_int(rng, 1, 255) : 0;
    o_ok(rein_net_spec_add(&spec, (rein_layer){.kind = REIN_LAYER_EMBEDDING,
                                               .values = o_int(rng, 1, 20),
                                               .units = o_int(rng, 1, 12)}));
    check_spec(rng, &spec, 12);
}

static void flatten_case(rein_rng *rng)
{
    rein_net_spec spec = image_spec(rng);
    o_ok(rein_net_spec_add(&spec, (rein_layer){.kind = REIN_LAYER_FLATTEN}));
    if (o_chance(rng, 0.5)) {
        o_ok(rein_net_spec_add(
            &spec, (rein_layer){.kind = REIN_LAYER_LINEAR, .units = o_int(rng, 1, 30)}));
    }
    check_spec(rng, &spec, 12);
}

static void network_case(rein_rng *rng)
{
    const rein_net_spec spec = o_random_spec(rng);
    check_spec(rng, &spec, 20);
}

#define TEST(name, n)                                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        o_cases(#name, n, name##_case);                                                            \
    }
TEST(linear, 60)
TEST(conv, 120)
TEST(activation, 90)
TEST(layernorm, 60)
TEST(embedding, 50)
TEST(flatten, 40)
TEST(network, 150)

int main(void)
{
    O_SKIP_WITHOUT_TORCH();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),     cmocka_unit_test(test_conv),
        cmocka_unit_test(test_activation), cmocka_unit_test(test_layernorm),
        cmocka_unit_test(test_embedding),  cmocka_unit_test(test_flatten),
        cmocka_unit_test(test_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
