#include "tests/envs/classic_trace.h"

static void test_traces(void **state)
{
    (void)state;
    classic_replay(&rein_cartpole_v1);
}

static void test_spec(void **state)
{
    (void)state;
    classic c;
    classic_open(&c, &rein_cartpole_v1, "");
    assert_int_equal(c.spec.observation.size, 4);
    assert_int_equal(c.spec.action.kind, REIN_DISCRETE);
    assert_int_equal(c.spec.action.n, 2);
    assert_int_equal(c.spec.max_episode_steps, 500);
    assert_true(c.spec.reward_threshold == 475);
}

static void test_reset(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) classic_check_reset(&rein_cartpole_v1, i, -0.05, 0.05);
    classic_check_forgets(&rein_cartpole_v1);
    classic_check_poke(&rein_cartpole_v1);
}

/* The episode ends where the limits say, on both sides. */
static void test_ends(void **state)
{
    (void)state;
    static const struct {
        double at[4];
        int ends;
    } cases[] = {
        {{2.39, 0, 0, 0}, 0},  {{2.39, 1, 0, 0}, 1},  {{-2.39, -1, 0, 0}, 1},
        {{0, 0, 0.209, 0}, 0}, {{0, 0, 0.209, 1}, 1}, {{0, 0, -0.209, -1}, 1},
    };
    classic c;
    classic_open(&c, &rein_cartpole_v1, "");
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        classic_poke(&c, cases[k].at);
        classic_act(&c, 1);
        assert_int_equal(c.terminated, cases[k].ends);
        assert_true(c.reward == 1);
    }
}

static void test_sutton_barto_reward(void **state)
{
    (void)state;
    classic c;
    classic_open(&c, &rein_cartpole_v1, "sutton_barto_reward=True");
    classic_reset(&c, 0);
    while (classic_act(&c, 0), !c.terminated) assert_true(c.reward == 0);
    assert_true(c.reward == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_spec),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_sutton_barto_reward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
