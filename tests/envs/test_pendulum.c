#include "tests/envs/classic_trace.h"

static void test_traces(void **state)
{
    (void)state;
    classic_replay(&rein_pendulum_v1);
}

static void test_spec(void **state)
{
    (void)state;
    classic c;
    classic_open(&c, &rein_pendulum_v1, "");
    assert_int_equal(c.spec.observation.size, 3);
    assert_int_equal(c.spec.action.kind, REIN_CONTINUOUS);
    assert_int_equal(c.spec.action.size, 1);
    assert_true(c.spec.action.low[0] == -2 && c.spec.action.high[0] == 2);
    assert_int_equal(c.spec.max_episode_steps, 200);
    assert_true(isnan(c.spec.reward_threshold));
}

static void test_reset(void **state)
{
    (void)state;
    classic_check_reset(&rein_pendulum_v1, 0, -M_PI, M_PI);
    classic_check_reset(&rein_pendulum_v1, 1, -1, 1);
    classic_check_forgets(&rein_pendulum_v1);
    classic_check_poke(&rein_pendulum_v1);
}

/* The cost is that of the angle within one turn, and of the clipped torque. */
static void test_reward(void **state)
{
    (void)state;
    static const double turns[] = {0, 2 * M_PI, -2 * M_PI, 6 * M_PI, -20 * M_PI};
    classic c;
    classic_open(&c, &rein_pendulum_v1, "");
    for (size_t k = 0; k < sizeof turns / sizeof turns[0]; k++) {
        for (double angle = -3; angle < 3.1; angle += 1) {
            classic_poke(&c, (double[]){angle + turns[k], 2});
            classic_act(&c, 5);
            double cost = angle * angle + 0.1 * 2 * 2 + 0.001 * 2 * 2;
            classic_near((double)c.reward, -cost, 1e-5);
            assert_int_equal(c.terminated, 0);
        }
    }
}

/* Hanging still without torque stays; gravity 0 leaves the speed alone. */
static void test_gravity(void **state)
{
    (void)state;
    double now[2];
    classic c;
    classic_open(&c, &rein_pendulum_v1, "g=0");
    classic_poke(&c, (double[]){1, 0.5});
    classic_act(&c, 0);
    c.env->peek(c.state, "state", now);
    classic_near(now[1], 0.5, 1e-15);
    classic_near(now[0], 1 + 0.5 * 0.05, 1e-15);
    classic_open(&c, &rein_pendulum_v1, "");
    classic_poke(&c, (double[]){M_PI / 2, 0});
    classic_act(&c, 0);
    c.env->peek(c.state, "state", now);
    classic_near(now[1], 15 * 0.05, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces), cmocka_unit_test(test_spec),    cmocka_unit_test(test_reset),
        cmocka_unit_test(test_reward), cmocka_unit_test(test_gravity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
