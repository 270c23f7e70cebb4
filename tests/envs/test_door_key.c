/* MiniGrid-DoorKey: recorded episodes, statistics of levels, how levels are built. */
#include "tests/envs/grid_levels.h"

static const rein_env_class *const classes[] = {
    &rein_grid_door_key_5x5,
    &rein_grid_door_key_6x6,
    &rein_grid_door_key_8x8,
    &rein_grid_door_key_16x16,
};
static const int sides[] = {5, 6, 8, 16};
enum { N_CLASSES = sizeof classes / sizeof classes[0], MAX_SIDE = 16 };

static void test_recorded(void **state)
{
    (void)state;
    int n = 0;
    for (int i = 0; i < N_CLASSES; i++) n += grid_check_recorded(classes[i]) > 0;
    assert_true(n >= 2);
}

static void test_statistics(void **state)
{
    (void)state;
    int n = 0;
    for (int i = 0; i < N_CLASSES; i++) n += grid_check_statistics(classes[i]);
    assert_true(n >= 2);
}

/* Where in a level is the one object of this type? Returns how many there are. */
static int find(const double *grid, int side, int type, int place[2])
{
    int n = 0;
    for (int i = 0; i < side * side; i++) {
        if ((int)grid[i * 3] != type) continue;
        place[0] = i / side;
        place[1] = i % side;
        n++;
    }
    return n;
}

/* One wall with one locked door; key and agent left of it, not on one cell; every column and row
 * that is possible occurs. */
static void test_levels(void **state)
{
    (void)state;
    double grid[MAX_SIDE * MAX_SIDE * 3], agent[3];
    int door[2] = {0}, key[2] = {0}, goal[2] = {0};
    for (int i = 0; i < N_CLASSES; i++) {
        int side = sides[i], columns = 0, rows = 0;
        rein_probe p = grid_open(classes[i], NULL);
        assert_int_equal(p.spec.max_episode_steps, 10 * side * side);
        for (uint64_t k = 0; k < 1000; k++) {
            rein_probe_reset(&p, 5, k);
            p.env->peek(p.state, "grid", grid);
            p.env->peek(p.state, "agent", agent);
            assert_int_equal(find(grid, side, REIN_CELL_DOOR, door), 1);
            assert_int_equal(find(grid, side, REIN_CELL_KEY, key), 1);
            assert_int_equal(find(grid, side, REIN_CELL_GOAL, goal), 1);
            assert_true(goal[0] == side - 2 && goal[1] == side - 2);
            assert_true(door[0] >= 2 && door[0] <= side - 3);
            assert_true(door[1] >= 1 && door[1] <= side - 3);
            assert_true(key[0] < door[0] && agent[0] < door[0]);
            assert_true(key[0] != (int)agent[0] || key[1] != (int)agent[1]);
            columns |= 1 << door[0];
            rows |= 1 << door[1];
        }
        assert_int_equal(columns, (1 << (side - 2)) - (1 << 2));
        assert_int_equal(rows, (1 << (side - 2)) - (1 << 1));
        rein_probe_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
