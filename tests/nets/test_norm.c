/* Layer normalisation: torch's numbers, a plain one in double, finite differences. */
#include "tests/engines.h"
#include "tests/golden_h5.h"
#include "tests/nets/net_set_up.h"

enum { ROWS = 4, D = 8 };

static double *recorded(golden *g, const char *name, size_t n)
{
    char path[64];
    size_t dims[4];
    snprintf(path, sizeof path, "layer_norm/%s", name);
    double *out = golden_read(g, path, dims, NULL);
    assert_non_null(out);
    assert_int_equal(dims[0] * dims[1], n);
    return out;
}

static void copy_recorded(golden *g, const char *name, float *out, size_t n)
{
    double *from = recorded(g, name, n);
    for (size_t i = 0; i < n; i++) out[i] = (float)from[i];
    free(from);
}

static void check_recorded(golden *g, const char *name, const float *got, size_t n)
{
    double *want = recorded(g, name, n);
    check_close(got, want, n, 1e-5);
    free(want);
}

static void check_recorded_norm(rein_engine_choice engine)
{
    golden g;
    assert_true(golden_open("learning_math.h5", &g));
    rein_net_spec spec = spec_of(0, 0, D, "layernorm");
    spec.engine = engine;
    setup s = setup_new(&spec, ROWS, 1);
    copy_recorded(&g, "weight", s.params, D);
    copy_recorded(&g, "bias", s.params + D, D);
    copy_recorded(&g, "x", s.x, ROWS * D);
    copy_recorded(&g, "dy", s.dy, ROWS * D);
    run(&s, ROWS);
    check_recorded(&g, "y", s.y, ROWS * D);
    check_recorded(&g, "dx", s.dx, ROWS * D);
    check_recorded(&g, "dweight", s.grad, D);
    check_recorded(&g, "dbias", s.grad + D, D);
    setup_free(&s);
    golden_close(&g);
}

static void test_recorded(void **state)
{
    (void)state;
    FOR_EACH_ENGINE(engine) check_recorded_norm(engine);
}

static void test_sizes(void **state)
{
    (void)state;
    const int rows[] = {1, 5};
    const int sizes[] = {3, 5, 16, 17, 64, 100};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const rein_net_spec spec = spec_of(0, 0, sizes[i], "layernorm, linear 3");
        check_net(&spec, 5, rows, 2);
    }
}

/* A row of equal numbers has no spread: it becomes the bias, and nothing is infinite. */
static void test_constant_row(void **state)
{
    (void)state;
    const rein_net_spec spec = spec_of(0, 0, D, "layernorm");
    setup s = setup_new(&spec, 1, 1);
    for (int i = 0; i < D; i++) s.x[i] = 3;
    run(&s, 1);
    for (int i = 0; i < D; i++) {
        assert_true(fabs((double)(s.y[i] - s.params[D + i])) < 1e-6);
        assert_true(isfinite(s.dx[i]));
    }
    setup_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_constant_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
