/* Initial parameters: orthogonality, recorded moments, bounds, and that a seed fixes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "nets/layers.h"
#include "tests/golden_h5.h"

/* Parameters of one layer n_in -> n_out; the caller frees. */
static float *draw(rein_init init, int n_in, int n_out, double gain, uint64_t seed)
{
    const rein_net_spec spec = rein_net_spec_mlp(n_in, NULL, 0, REIN_TANH, n_out);
    rein_net *net;
    assert_int_equal(rein_net_create(&spec, &net), REIN_OK);
    float *params = malloc(rein_net_n_params(net) * sizeof *params);
    assert_non_null(params);
    rein_rng rng = rein_rng_stream(seed, REIN_RNG_INIT, 0, 0);
    assert_int_equal(rein_net_init(net, init, 123.0, gain, &rng, params), REIN_OK);
    rein_net_free(net);
    return params;
}

/* W W^T = gain^2 I, or W^T W for a tall matrix. */
static void check_orthogonal(const float *w, int rows, int cols, double gain)
{
    const bool wide = rows <= cols;
    const int n = wide ? rows : cols, length = wide ? cols : rows;
    for (int a = 0; a < n; a++) {
        for (int b = 0; b < n; b++) {
            double sum = 0;
            for (int i = 0; i < length; i++) {
                sum += wide ? (double)w[a * cols + i] * (double)w[b * cols + i]
                            : (double)w[i * cols + a] * (double)w[i * cols + b];
            }
            assert_true(fabs(sum - (a == b ? gain * gain : 0)) <= 1e-6 * gain * gain);
        }
    }
}

static void check_recorded_shape(golden *g, const char *path)
{
    double rows, cols, gain, variance, fourth;
    int n;
    assert_true(golden_attr_double(g, path, "rows", &rows, 1, &n));
    assert_true(golden_attr_double(g, path, "cols", &cols, 1, &n));
    assert_true(golden_attr_double(g, path, "gain", &gain, 1, &n));
    assert_true(golden_attr_double(g, path, "element_variance", &variance, 1, &n));
    assert_true(golden_attr_double(g, path, "measured_fourth_moment", &fourth, 1, &n));
    const int n_out = (int)rows, n_in = (int)cols, draws = 200;
    double sum1 = 0, sum2 = 0, sum4 = 0;
    for (int seed = 0; seed < draws; seed++) {
        float *w = draw(REIN_INIT_ORTHOGONAL, n_in, n_out, gain, (uint64_t)seed);
        if (seed < 3) check_orthogonal(w, n_out, n_in, gain);
        for (int i = 0; i < n_out * n_in; i++) {
            const double x = w[i];
            sum1 += x;
            sum2 += x * x;
            sum4 += x * x * x * x;
        }
        for (int j = 0; j < n_out; j++) assert_true(w[n_out * n_in + j] == 0);
        free(w);
    }
    const double count = (double)draws * n_out * n_in;
    assert_true(fabs(sum1 / count) <= 5 * sqrt(variance / count));
    assert_true(fabs(sum2 / count - variance) <= 1e-5 * variance); /* exact but for rounding */
    assert_true(fabs(sum4 / count - fourth) <= 0.05 * fourth);
}

static void test_recorded_orthogonal(void **state)
{
    (void)state;
    golden g;
    assert_true(golden_open("learning_math.h5", &g));
    char name[128], path[160];
    int i = 0;
    for (; golden_child(&g, "orthogonal_init", i, name, sizeof name); i++) {
        const char *base = strrchr(name, '/');
        snprintf(path, sizeof path, "orthogonal_init/%s", base ? base + 1 : name);
        check_recorded_shape(&g, path);
    }
    assert_true(i >= 5);
    golden_close(&g);
}

/* All entries within the bound, uniform variance bound^2 / 3. */
static void check_uniform(const float *x, size_t n, double bound)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(fabs((double)x[i]) <= bound * (1 + 1e-6));
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
    }
    assert_true(fabs(sum / (double)n) <= 5 * bound / sqrt(3 * (double)n));
    assert_true(fabs(squares / (double)n * 3 / (bound * bound) - 1) <= 5 / sqrt((double)n));
}

static void test_uniform_kinds(void **state)
{
    (void)state;
    const int n_in = 50, n_out = 200;
    const size_t n = 50 * 200;
    float *w = draw(REIN_INIT_XAVIER, n_in, n_out, 2.0, 1);
    check_uniform(w, n, 2 * sqrt(6.0 / (n_in + n_out)));
    for (int j = 0; j < n_out; j++) assert_true(w[n + (size_t)j] == 0);
    free(w);
    w = draw(REIN_INIT_KAIMING, n_in, n_out, 2.0, 1);
    check_uniform(w, n, sqrt(6.0 / n_in));
    for (int j = 0; j < n_out; j++) assert_true(w[n + (size_t)j] == 0);
    free(w);
    w = draw(REIN_INIT_TORCH, n_in, n_out, 2.0, 1);
    check_uniform(w, n, 1 / sqrt(n_in));
    check_uniform(w + n, (size_t)n_out, 1 / sqrt(n_in));
    free(w);
}

/* Every layer has its gain: hidden ones gain_hidden, the last gain_out. */
static void test_layers(void **state)
{
    (void)state;
    const rein_net_spec spec = rein_net_spec_mlp(5, (const int[]){8, 6}, 2, REIN_TANH, 2);
    rein_net *net;
    float params[5 * 8 + 8 + 8 * 6 + 6 + 6 * 2 + 2];
    assert_int_equal(rein_net_create(&spec, &net), REIN_OK);
    assert_int_equal(rein_net_n_params(net), sizeof params / sizeof params[0]);
    rein_rng rng = rein_rng_stream(1, REIN_RNG_INIT, 0, 0);
    assert_int_equal(rein_net_init(net, REIN_INIT_ORTHOGONAL, 1.5, 0.01, &rng, params), REIN_OK);
    check_orthogonal(params, 8, 5, 1.5);
    check_orthogonal(params + 48, 6, 8, 1.5);
    check_orthogonal(params + 48 + 54, 2, 6, 0.01);
    rein_net_free(net);
}

static void test_seeds(void **state)
{
    (void)state;
    for (int init = REIN_INIT_ORTHOGONAL; init <= (int)REIN_INIT_TORCH; init++) {
        float *a = draw((rein_init)init, 17, 64, 1, 1), *b = draw((rein_init)init, 17, 64, 1, 1);
        float *c = draw((rein_init)init, 17, 64, 1, 2);
        assert_memory_equal(a, b, sizeof(float) * 18 * 64);
        assert_true(memcmp(a, c, sizeof(float) * 17 * 64) != 0);
        free(a);
        free(b);
        free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_orthogonal),
        cmocka_unit_test(test_uniform_kinds),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
