/* MiniGrid-Empty: recorded episodes, statistics of levels, limits and rewards. */
#include "tests/envs/grid_levels.h"

static const rein_env_class *const classes[] = {
    &rein_grid_empty_5x5,   &rein_grid_empty_6x6,        &rein_grid_empty_8x8,
    &rein_grid_empty_16x16, &rein_grid_empty_random_5x5, &rein_grid_empty_random_6x6,
};
static const int sides[] = {5, 6, 8, 16, 5, 6};
enum { N_CLASSES = sizeof classes / sizeof classes[0] };

static void test_recorded(void **state)
{
    (void)state;
    int n = 0;
    for (int i = 0; i < N_CLASSES; i++) n += grid_check_recorded(classes[i]) > 0;
    assert_true(n >= 3);
}

static void test_statistics(void **state)
{
    (void)state;
    int n = 0;
    for (int i = 0; i < N_CLASSES; i++) n += grid_check_statistics(classes[i]);
    assert_true(n >= 3);
}

static void test_spec(void **state)
{
    (void)state;
    for (int i = 0; i < N_CLASSES; i++) {
        rein_probe p = grid_open(classes[i], NULL);
        assert_int_equal(p.spec.max_episode_steps, 4 * sides[i] * sides[i]);
        assert_int_equal(p.spec.action.kind, REIN_DISCRETE);
        assert_int_equal(p.spec.action.n, 7);
        assert_int_equal(p.spec.observation.size, 147);
        assert_int_equal(p.spec.observation.dtype, REIN_U8);
        assert_float_equal(p.spec.observation.high, 10, 0);
        rein_probe_close(&p);
    }
}

static void act(rein_probe *p, int action)
{
    *(int32_t *)p->action = action;
    rein_probe_step(p, 1, 0);
}

/* Straight to the corner and down: 2 (n - 3) steps forward and one turn. */
static void test_shortest_way(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        rein_probe p = grid_open(classes[i], NULL);
        int way = sides[i] - 3;
        rein_probe_reset(&p, 1, 0);
        for (int k = 0; k < way; k++) act(&p, REIN_GRID_FORWARD);
        act(&p, REIN_GRID_RIGHT);
        for (int k = 0; k < way; k++) {
            assert_int_equal(*p.io.terminated, 0);
            assert_float_equal(*p.io.reward, 0, 0);
            act(&p, REIN_GRID_FORWARD);
        }
        double t = 2 * way + 1, limit = 4 * sides[i] * sides[i];
        assert_int_equal(*p.io.terminated, 1);
        assert_true(*p.io.reward == (float)(1 - 0.9 * (t / limit)));
        rein_probe_close(&p);
    }
}

/* The T of the reward follows the config. */
static void test_max_steps(void **state)
{
    (void)state;
    rein_probe p = grid_open(&rein_grid_empty_5x5, "max_steps=10");
    assert_int_equal(p.spec.max_episode_steps, 10);
    rein_probe_reset(&p, 1, 0);
    static const int way[] = {REIN_GRID_FORWARD, REIN_GRID_FORWARD, REIN_GRID_RIGHT,
                              REIN_GRID_FORWARD, REIN_GRID_FORWARD};
    for (int i = 0; i < 5; i++) act(&p, way[i]);
    assert_int_equal(*p.io.terminated, 1);
    assert_float_equal(*p.io.reward, 0.55, 1e-7);
    rein_probe_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),  cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_spec),      cmocka_unit_test(test_shortest_way),
        cmocka_unit_test(test_max_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
