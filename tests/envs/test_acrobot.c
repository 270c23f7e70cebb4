#include "tests/envs/classic_trace.h"

static void test_traces(void **state)
{
    (void)state;
    classic_replay(&rein_acrobot_v1);
}

static void test_spec(void **state)
{
    (void)state;
    classic c;
    classic_open(&c, &rein_acrobot_v1, "");
    assert_int_equal(c.spec.observation.size, 6);
    assert_int_equal(c.spec.action.kind, REIN_DISCRETE);
    assert_int_equal(c.spec.action.n, 3);
    assert_int_equal(c.spec.max_episode_steps, 500);
    assert_true(c.spec.reward_threshold == -100);
}

static double rounded(double x)
{
    volatile float y = (float)x; /* GCC 12 may lose the rounding of a plain cast */
    return (double)y;
}

static void test_reset(void **state)
{
    (void)state;
    classic c;
    double x[4];
    for (int i = 0; i < 4; i++) classic_check_reset(&rein_acrobot_v1, i, -0.1, 0.1);
    classic_check_forgets(&rein_acrobot_v1);
    classic_check_poke(&rein_acrobot_v1);
    classic_open(&c, &rein_acrobot_v1, "");
    classic_reset(&c, 0);
    c.env->peek(c.state, "state", x);
    for (int i = 0; i < 4; i++) assert_true(x[i] == rounded(x[i]));
}

/* Energy is kept where no torque acts, as the book's equations say: kinetic and potential energy
 * of two rods, written down here on their own. */
static double energy(const double x[4])
{
    double joint[2] = {sin(x[0]), -cos(x[0])}, v1 = x[2], v2 = x[2] + x[3];
    double angle = x[0] + x[1];
    double centre_x = v1 * cos(x[0]) + 0.5 * v2 * cos(angle);
    double centre_y = v1 * sin(x[0]) + 0.5 * v2 * sin(angle);
    double kinetic = 0.5 * (0.25 + 1) * v1 * v1 + 0.5 * v2 * v2 +
                     0.5 * (centre_x * centre_x + centre_y * centre_y);
    return kinetic + 9.8 * 0.5 * joint[1] + 9.8 * (joint[1] - 0.5 * cos(angle));
}

static void test_energy(void **state)
{
    (void)state;
    classic c;
    double x[4] = {0.4, -0.7, 0.3, 0.2};
    classic_open(&c, &rein_acrobot_v1, "");
    classic_poke(&c, x);
    double before = energy(x);
    for (int t = 0; t < 5; t++) classic_act(&c, 1);
    c.env->peek(c.state, "state", x);
    classic_near(energy(x), before, 2e-2); /* a coarse step of 0.2 s */
    classic_open(&c, &rein_acrobot_v1, "book_or_nips=nips");
    classic_poke(&c, (double[]){0.4, -0.7, 3, 0.2});
    classic_act(&c, 1);
    double y[4];
    c.env->peek(c.state, "state", y);
    classic_open(&c, &rein_acrobot_v1, "");
    classic_poke(&c, (double[]){0.4, -0.7, 3, 0.2});
    classic_act(&c, 1);
    c.env->peek(c.state, "state", x);
    assert_true(fabs(x[3] - y[3]) > 0.1); /* the centripetal term is there or not */
}

static void test_reaches_the_line(void **state)
{
    (void)state;
    classic c;
    classic_open(&c, &rein_acrobot_v1, "");
    classic_poke(&c, (double[]){M_PI, 0, 0, 0});
    classic_act(&c, 1);
    assert_int_equal(c.terminated, 1);
    assert_true(c.reward == 0);
    classic_poke(&c, (double[]){0, 0, 0, 0});
    classic_act(&c, 1);
    assert_int_equal(c.terminated, 0);
    assert_true(c.reward == -1);
}

static void test_torque_noise(void **state)
{
    (void)state;
    classic still, noisy;
    double x[4], y[4];
    classic_open(&still, &rein_acrobot_v1, "");
    classic_open(&noisy, &rein_acrobot_v1, "torque_noise_max=1");
    classic_reset(&still, 0);
    classic_reset(&noisy, 0);
    classic_act(&still, 1);
    classic_act(&noisy, 1);
    still.env->peek(still.state, "state", x);
    noisy.env->peek(noisy.state, "state", y);
    assert_true(x[3] != y[3] && fabs(x[3] - y[3]) < 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_spec),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_energy),
        cmocka_unit_test(test_reaches_the_line),
        cmocka_unit_test(test_torque_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
