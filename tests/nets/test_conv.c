/* Native convolutions: every shape that small images take, against a plain convolution in double
 * and finite differences; torch's numbers for MinAtar's network. */
#include "tests/engines.h"
#include "tests/golden_h5.h"
#include "tests/nets/net_set_up.h"

static void test_shapes(void **state)
{
    (void)state;
    const int rows[] = {1, 3, 5};
    const int channels[] = {1, 3, 4, 16, 17, 64};
    for (int size = 7; size <= 10; size++) {
        for (int kernel = 2; kernel <= 4; kernel++) {
            const int in = channels[(size + kernel) % 6], out = channels[(3 * size + kernel) % 6];
            char layers[96];
            snprintf(layers, sizeof layers, "conv %d %dx%d, relu, flatten", out, kernel, kernel);
            const rein_net_spec spec = spec_of(size, size, in, layers);
            check_net(&spec, 5, rows, 3);
        }
    }
}

static void test_options(void **state)
{
    (void)state;
    const int rows[] = {1, 4};
    const char *const layers[] = {
        "conv 3 3x3 stride 2",
        "conv 3 2x3 stride 3 pad 1",
        "conv 3 3x2 pad 2",
        "conv 5 1x1",
        "conv 2 7x9",
        "conv 3 3x3 pad 3 stride 2",
        "conv 4 2x2 stride 2, relu",
        "conv 3 1x1, conv 3 3x3 pad 1",
        "conv 1 2x2",
    };
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        const rein_net_spec spec = spec_of(7, 9, 3, layers[i]);
        check_net(&spec, 4, rows, 2);
    }
}

/* Channels in whole vectors, which run from the image itself: every size of tile, of remainder. */
static void test_whole_vectors(void **state)
{
    (void)state;
    const int rows[] = {1, 3};
    const char *const layers[] = {
        "conv 16 1x1, relu",
        "conv 32 2x1",
        "conv 16 3x3 stride 2, relu, conv 48 1x2, silu",
        "conv 16 2x3 stride 3, tanh",
        "conv 16 3x3, gelu, flatten, linear 3",
    };
    for (int width = 3; width <= 19; width++) {
        const rein_net_spec spec = spec_of(3 + width % 3, width, 1 + width % 7,
                                           layers[width % (int)(sizeof layers / sizeof *layers)]);
        check_net(&spec, 3, rows, 2);
    }
}

/* A NaN in the image is not lost in a ReLU. */
static void test_nan(void **state)
{
    (void)state;
    const rein_net_spec spec = spec_of(4, 4, 1, "conv 16 2x2, relu, flatten");
    setup s = setup_new(&spec, 1, 1);
    s.x[5] = NAN;
    run(&s, 1);
    for (int i = 0; i < 16 * 9; i++) {
        const int y = i % 9 / 3, x = i % 3;
        assert_true(isnan(s.y[i]) == (y <= 1 && x <= 1));
    }
    setup_free(&s);
}

/* ---- recorded -------------------------------------------------------------------------------- */

enum { ROWS = 3, PIXELS = 100, CHANNELS = 4, N_OUT = 6, FLAT = 1024, HIDDEN = 128, FILTERS = 16 };
enum {
    CONV_W = FILTERS * CHANNELS * 9,
    FC_W = HIDDEN * FLAT,
    OUT_W = N_OUT * HIDDEN,
    N_PARAMS = CONV_W + FILTERS + FC_W + HIDDEN + OUT_W + N_OUT
};

/* Weights from the hash that the file's attributes describe. */
static void recorded_weights(golden *g, float *params)
{
    const struct {
        const char *scale;
        int n;
    } parts[] = {{"scale_conv_w", CONV_W}, {"scale_conv_b", FILTERS}, {"scale_fc_w", FC_W},
                 {"scale_fc_b", HIDDEN},   {"scale_out_w", OUT_W},    {"scale_out_b", N_OUT}};
    size_t dims[4];
    double *first = golden_read(g, "conv_minatar/weight_first8", dims, NULL);
    assert_non_null(first);
    uint32_t index = 0;
    for (int p = 0; p < 6; p++) {
        double scale;
        int n;
        assert_true(golden_attr_double(g, "conv_minatar", parts[p].scale, &scale, 1, &n));
        for (int i = 0; i < parts[p].n; i++, index++) {
            uint32_t u = index * 2654435761u;
            u ^= u >> 15;
            u *= 2246822519u;
            u ^= u >> 13;
            params[index] = (float)((u / 4294967296.0 * 2 - 1) * scale);
            if (i < 6) assert_true(fabs((double)params[index] - first[6 * p + i]) < 1e-7);
        }
    }
    assert_int_equal(index, N_PARAMS);
    free(first);
}

static double *recorded(golden *g, const char *name, size_t n)
{
    char path[64];
    size_t dims[4];
    snprintf(path, sizeof path, "conv_minatar/%s", name);
    double *out = golden_read(g, path, dims, NULL);
    assert_non_null(out);
    assert_int_equal(dims[0] * dims[1] * dims[2] * dims[3], n);
    return out;
}

static void check_recorded(golden *g, const char *name, const float *got, size_t n)
{
    double *want = recorded(g, name, n);
    check_close(got, want, n, 1e-5);
    free(want);
}

static void check_gradients(golden *g, const float *grad)
{
    const float *fc = grad + CONV_W + FILTERS;
    float *rows = calloc(HIDDEN, sizeof *rows), *cols = calloc(FLAT, sizeof *cols);
    check_recorded(g, "dconv_w", grad, CONV_W);
    check_recorded(g, "dconv_b", grad + CONV_W, FILTERS);
    check_recorded(g, "dfc_w_rows0_4", fc, (size_t)4 * FLAT);
    for (int i = 0; i < HIDDEN; i++) {
        double sum = 0;
        for (int j = 0; j < FLAT; j++) {
            sum += (double)fc[i * FLAT + j];
            cols[j] += fc[i * FLAT + j];
        }
        rows[i] = (float)sum;
    }
    check_recorded(g, "dfc_w_row_sum", rows, HIDDEN);
    check_recorded(g, "dfc_w_col_sum", cols, FLAT);
    check_recorded(g, "dfc_b", fc + FC_W, HIDDEN);
    check_recorded(g, "dout_w", fc + FC_W + HIDDEN, OUT_W);
    check_recorded(g, "dout_b", fc + FC_W + HIDDEN + OUT_W, N_OUT);
    free(rows);
    free(cols);
}

static void check_recorded_net(rein_engine_choice engine)
{
    golden g;
    assert_true(golden_open("learning_math.h5", &g));
    rein_net_spec spec =
        spec_of(10, 10, CHANNELS, "conv 16 3x3, relu, flatten, linear 128, relu, linear 6");
    spec.engine = engine;
    setup s = setup_new(&spec, ROWS, 1);
    assert_int_equal(s.n_params, N_PARAMS);
    recorded_weights(&g, s.params);
    rein_net_pack(s.net, s.params, s.packed);
    double *x = recorded(&g, "x", (size_t)ROWS * CHANNELS * PIXELS);
    double *dy = recorded(&g, "dy", (size_t)ROWS * N_OUT);
    float dx[ROWS * CHANNELS * PIXELS];
    for (int i = 0; i < ROWS * CHANNELS * PIXELS; i++) { /* [B, C, H, W] to [B, H, W, C] */
        const int b = i / (CHANNELS * PIXELS), c = i / PIXELS % CHANNELS, p = i % PIXELS;
        s.x[(b * PIXELS + p) * CHANNELS + c] = (float)x[i];
    }
    for (int i = 0; i < ROWS * N_OUT; i++) s.dy[i] = (float)dy[i];
    run(&s, ROWS);
    check_recorded(&g, "y", s.y, (size_t)ROWS * N_OUT);
    check_gradients(&g, s.grad);
    for (int i = 0; i < ROWS * CHANNELS * PIXELS; i++) {
        const int b = i / (CHANNELS * PIXELS), c = i / PIXELS % CHANNELS, p = i % PIXELS;
        dx[i] = s.dx[(b * PIXELS + p) * CHANNELS + c];
    }
    check_recorded(&g, "dx", dx, (size_t)ROWS * CHANNELS * PIXELS);
    free(x);
    free(dy);
    setup_free(&s);
    golden_close(&g);
}

static void test_recorded(void **state)
{
    (void)state;
    FOR_EACH_ENGINE(engine) check_recorded_net(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),        cmocka_unit_test(test_options),
        cmocka_unit_test(test_whole_vectors), cmocka_unit_test(test_nan),
        cmocka_unit_test(test_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
