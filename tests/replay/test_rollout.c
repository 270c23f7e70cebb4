/* Advantages against recorded numbers, the definition written out, and any cut into rows. */
#include "replay/rollout.h"

#include <math.h>

#include "base/rng.h"
#include "tests/golden_group.h"

static void golden_flags(golden *g, const char *group, const char *name, uint8_t *out, size_t n)
{
    size_t dims[4];
    double *x = golden_array(g, group, name, dims);
    assert_int_equal(dims[0] * dims[1], n);
    for (size_t i = 0; i < n; i++) out[i] = (uint8_t)x[i];
    free(x);
}

static void check_group(golden *g, const char *group)
{
    size_t dims[4];
    const double gamma = golden_number(g, group, "gamma");
    const double lambda = golden_number(g, group, "gae_lambda");
    rein_rollout *r;
    free(golden_array(g, group, "reward", dims));
    assert_ok(rein_rollout_create((int)dims[0], (int)dims[1], 1, REIN_I32, 1, &r));
    const size_t all = dims[0] * dims[1];
    golden_fill(g, group, "reward", r->reward, all);
    golden_fill(g, group, "value", r->value, all);
    golden_fill(g, group, "final_value", r->final_value, all);
    golden_fill(g, group, "last_value", r->last_value, dims[1]);
    golden_flags(g, group, "terminated", r->terminated, all);
    golden_flags(g, group, "truncated", r->truncated, all);
    rein_rollout_gae(r, 0, r->n_rows, gamma, lambda, true);
    golden_check(g, group, "advantage", r->advantage, all);
    golden_check(g, group, "return_", r->return_, all);
    rein_rollout_free(r);
}

static void test_recorded(void **state)
{
    (void)state;
    golden g;
    char names[32][GOLDEN_NAME_SIZE], group[128];
    assert_true(golden_open("learning_math.h5", &g));
    int n = golden_children(&g, "/gae", names, 32);
    assert_true(n > 0 && n <= 32);
    for (int i = 0; i < n; i++) {
        snprintf(group, sizeof group, "/gae/%s", names[i]);
        check_group(&g, group);
    }
    golden_close(&g);
}

/* A rollout of made-up numbers, with garbage where nothing may be read. */
static rein_rollout *made_up(int n_steps, int n_rows)
{
    rein_rollout *r;
    rein_rng rng = rein_rng_stream(5, REIN_RNG_TEST, 0, 0);
    assert_ok(rein_rollout_create(n_steps, n_rows, 3, REIN_F32, 2, &r));
    for (int i = 0; i < n_steps * n_rows; i++) {
        uint32_t dice = rein_rng_below(&rng, 12);
        r->reward[i] = (float)rein_rng_normal(&rng);
        r->value[i] = (float)rein_rng_normal(&rng);
        r->terminated[i] = dice == 0;
        r->truncated[i] = dice == 1;
        r->final_value[i] = dice == 1 ? (float)rein_rng_normal(&rng) : NAN;
    }
    for (int i = 0; i < n_rows; i++) r->last_value[i] = (float)rein_rng_normal(&rng);
    return r;
}

static void test_definition(void **state)
{
    (void)state;
    const double gamma = 0.97, lambda = 0.9;
    for (int bootstrap = 0; bootstrap < 2; bootstrap++) {
        rein_rollout *r = made_up(50, 13);
        rein_rollout_gae(r, 0, 13, gamma, lambda, bootstrap);
        for (int row = 0; row < 13; row++) {
            double a = 0;
            for (int t = 49; t >= 0; t--) {
                int i = t * 13 + row;
                double next = t == 49 ? r->last_value[row] : r->value[i + 13];
                if (r->truncated[i]) next = bootstrap ? r->final_value[i] : 0;
                if (r->terminated[i]) next = 0;
                if (r->truncated[i] || r->terminated[i]) a = 0;
                a = r->reward[i] + gamma * next - r->value[i] + gamma * lambda * a;
                assert_true(fabs(a - (double)r->advantage[i]) < 2e-5);
                assert_true(fabs(a + r->value[i] - (double)r->return_[i]) < 2e-5);
            }
        }
        rein_rollout_free(r);
    }
}

static void test_any_cut(void **state)
{
    (void)state;
    rein_rollout *whole = made_up(40, 37), *cut = made_up(40, 37);
    rein_rollout_gae(whole, 0, 37, 0.99, 0.95, true);
    for (int first = 0; first < 37; first += 5) {
        rein_rollout_gae(cut, first, first + 5 <= 37 ? 5 : 37 - first, 0.99, 0.95, true);
    }
    assert_memory_equal(whole->advantage, cut->advantage, 40 * 37 * sizeof(float));
    assert_memory_equal(whole->return_, cut->return_, 40 * 37 * sizeof(float));
    rein_rollout_free(whole);
    rein_rollout_free(cut);
}

static void test_wrong_use(void **state)
{
    (void)state;
    rein_rollout *r;
    assert_fails(rein_rollout_create(0, 1, 1, REIN_F32, 1, &r), REIN_EINVAL, "0 steps");
    assert_fails(rein_rollout_create(1, -1, 1, REIN_F32, 1, &r), REIN_EINVAL, "-1 rows");
    assert_fails(rein_rollout_create(1, 1, 1, REIN_F64, 1, &r), REIN_EINVAL, "i32 or f32");
    assert_fails(rein_rollout_create(INT32_MAX, INT32_MAX, 1 << 20, REIN_F32, 1, &r), REIN_ENOMEM,
                 "GB");
    rein_rollout_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_any_cut),
        cmocka_unit_test(test_wrong_use),
    };
    return cmocka_run_group_tests_name("rollout", tests, NULL, NULL);
}
