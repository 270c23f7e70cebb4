#include "tests/envs/classic_trace.h"

static void test_traces(void **state)
{
    (void)state;
    classic_replay(&rein_mountain_car_continuous_v0);
}

static void test_spec(void **state)
{
    (void)state;
    classic c;
    classic_open(&c, &rein_mountain_car_continuous_v0, "");
    assert_int_equal(c.spec.observation.size, 2);
    assert_int_equal(c.spec.action.kind, REIN_CONTINUOUS);
    assert_int_equal(c.spec.action.size, 1);
    assert_true(c.spec.action.low[0] == -1 && c.spec.action.high[0] == 1);
    assert_int_equal(c.spec.max_episode_steps, 999);
    assert_true(c.spec.reward_threshold == 90);
}

static double rounded(double x)
{
    volatile float y = (float)x; /* GCC 12 may lose the rounding of a plain cast */
    return (double)y;
}

static void test_reset(void **state)
{
    (void)state;
    classic_check_reset(&rein_mountain_car_continuous_v0, 0, -0.6, -0.4);
    classic_check_forgets(&rein_mountain_car_continuous_v0);
    classic_check_poke(&rein_mountain_car_continuous_v0);
}

/* From the second step on the state holds floats; a plain copy of the state goes on the same,
 * a poke begins with a double again. */
static void test_float_state(void **state)
{
    (void)state;
    classic c, copy, poked;
    double x[2], y[2];
    bool differs = false;
    classic_open(&c, &rein_mountain_car_continuous_v0, "");
    classic_open(&copy, &rein_mountain_car_continuous_v0, "");
    classic_open(&poked, &rein_mountain_car_continuous_v0, "");
    classic_reset(&c, 0);
    c.env->peek(c.state, "state", x);
    assert_true(x[0] != rounded(x[0]));
    for (int t = 0; t < 200; t++) {
        classic_act(&c, cos(t));
        c.env->peek(c.state, "state", x);
        assert_true(x[0] == rounded(x[0]) && x[1] == rounded(x[1]));
        memcpy(copy.state, c.state, sizeof c.state);
        classic_poke(&poked, x);
        classic_act(&copy, 2);
        classic_act(&poked, 2);
        copy.env->peek(copy.state, "state", x);
        poked.env->peek(poked.state, "state", y);
        differs |= x[1] != y[1];
        assert_true(fabs(x[1] - y[1]) < 1e-7);
        classic_act(&c, 2);
        c.env->peek(c.state, "state", y);
        assert_memory_equal(x, y, sizeof x);
    }
    assert_true(differs);
}

static void test_flag(void **state)
{
    (void)state;
    classic c;
    const double near[2] = {0.44, 0.03};
    classic_open(&c, &rein_mountain_car_continuous_v0, "");
    classic_poke(&c, near);
    classic_act(&c, 0.5);
    assert_int_equal(c.terminated, 1);
    classic_near((double)c.reward, 100 - 0.1 * 0.25, 1e-5);
    classic_open(&c, &rein_mountain_car_continuous_v0, "goal_velocity=0.05");
    classic_poke(&c, near);
    classic_act(&c, 3);
    assert_int_equal(c.terminated, 0);
    classic_near((double)c.reward, -0.1 * 9, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces), cmocka_unit_test(test_spec),
        cmocka_unit_test(test_reset),  cmocka_unit_test(test_float_state),
        cmocka_unit_test(test_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
