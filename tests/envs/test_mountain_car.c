#include "tests/envs/classic_trace.h"

static void test_traces(void **state)
{
    (void)state;
    classic_replay(&rein_mountain_car_v0);
}

static void test_spec(void **state)
{
    (void)state;
    classic c;
    classic_open(&c, &rein_mountain_car_v0, "");
    assert_int_equal(c.spec.observation.size, 2);
    assert_int_equal(c.spec.action.kind, REIN_DISCRETE);
    assert_int_equal(c.spec.action.n, 3);
    assert_int_equal(c.spec.max_episode_steps, 200);
    assert_true(c.spec.reward_threshold == -110);
}

static void test_reset(void **state)
{
    (void)state;
    double x[2];
    classic c;
    classic_check_reset(&rein_mountain_car_v0, 0, -0.6, -0.4);
    classic_check_forgets(&rein_mountain_car_v0);
    classic_check_poke(&rein_mountain_car_v0);
    classic_open(&c, &rein_mountain_car_v0, "");
    classic_reset(&c, 0);
    c.env->peek(c.state, "state", x);
    assert_true(x[1] == 0);
}

static void test_wall(void **state)
{
    (void)state;
    double x[2];
    classic c;
    classic_open(&c, &rein_mountain_car_v0, "");
    classic_poke(&c, (double[]){-1.19, -0.06});
    classic_act(&c, 0);
    c.env->peek(c.state, "state", x);
    assert_true(x[0] == -1.2 && x[1] == 0);
    assert_int_equal(c.terminated, 0);
}

static void test_flag(void **state)
{
    (void)state;
    classic c;
    const double near[2] = {0.49, 0.03};
    classic_open(&c, &rein_mountain_car_v0, "");
    classic_poke(&c, near);
    classic_act(&c, 2);
    assert_int_equal(c.terminated, 1);
    assert_true(c.reward == -1);
    classic_open(&c, &rein_mountain_car_v0, "goal_velocity=0.05");
    classic_poke(&c, near);
    classic_act(&c, 2);
    assert_int_equal(c.terminated, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces), cmocka_unit_test(test_spec), cmocka_unit_test(test_reset),
        cmocka_unit_test(test_wall),   cmocka_unit_test(test_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
