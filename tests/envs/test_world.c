/* The MiniGrid world: rules one by one, the view against a sweep written cell by cell, and every
 * recorded level whatever its task. */
#include "tests/envs/grid_levels.h"

enum { SIDE = 7 };

static rein_grid *world_new(int width, int height)
{
    rein_grid *grid = calloc(1, rein_grid_size(width, height));
    assert_non_null(grid);
    grid->width = width;
    grid->height = height;
    grid->max_steps = 100;
    rein_grid_clear(grid);
    return grid;
}

/* An agent in the middle of a room heading right, with `front` before it. */
static rein_grid *world_facing(rein_grid_cell front)
{
    rein_grid *grid = world_new(SIDE, SIDE);
    grid->x = grid->y = 3;
    rein_grid_put(grid, 4, 3, front);
    return grid;
}

static rein_grid_cell front_of(const rein_grid *grid)
{
    return rein_grid_get(grid, 4, 3);
}

static const rein_grid_cell yellow_key = REIN_CELL(REIN_CELL_KEY, REIN_YELLOW, 0);
static const rein_grid_cell red_key = REIN_CELL(REIN_CELL_KEY, REIN_RED, 0);
static const rein_grid_cell blue_ball = REIN_CELL(REIN_CELL_BALL, REIN_BLUE, 0);

/* ---- rules --------------------------------------------------------------------------------- */

static void test_turning(void **state)
{
    (void)state;
    rein_grid *grid = world_new(SIDE, SIDE);
    for (int i = 1; i <= 4; i++) {
        rein_grid_act(grid, REIN_GRID_RIGHT);
        assert_int_equal(grid->heading, i % 4);
    }
    rein_grid_act(grid, REIN_GRID_LEFT);
    assert_int_equal(grid->heading, REIN_HEADING_UP);
    assert_int_equal(grid->steps, 5);
    assert_true(grid->x == 1 && grid->y == 1);
    free(grid);
}

static void test_walking(void **state)
{
    (void)state;
    const struct {
        rein_grid_cell front;
        bool enters;
        rein_grid_outcome outcome;
    } cases[] = {
        {REIN_CELL_NOTHING, true, REIN_GRID_GOES_ON},
        {REIN_CELL_PLAIN_WALL, false, REIN_GRID_GOES_ON},
        {REIN_CELL(REIN_CELL_FLOOR, REIN_BLUE, 0), true, REIN_GRID_GOES_ON},
        {REIN_CELL(REIN_CELL_DOOR, REIN_RED, REIN_DOOR_OPEN), true, REIN_GRID_GOES_ON},
        {REIN_CELL(REIN_CELL_DOOR, REIN_RED, REIN_DOOR_CLOSED), false, REIN_GRID_GOES_ON},
        {REIN_CELL(REIN_CELL_DOOR, REIN_RED, REIN_DOOR_LOCKED), false, REIN_GRID_GOES_ON},
        {yellow_key, false, REIN_GRID_GOES_ON},
        {blue_ball, false, REIN_GRID_GOES_ON},
        {rein_grid_cell_box(REIN_GREY, 0), false, REIN_GRID_GOES_ON},
        {REIN_CELL_PLAIN_GOAL, true, REIN_GRID_REACHED_GOAL},
        {REIN_CELL_PLAIN_LAVA, true, REIN_GRID_IN_LAVA},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rein_grid *grid = world_facing(cases[i].front);
        assert_int_equal(rein_grid_act(grid, REIN_GRID_FORWARD), cases[i].outcome);
        assert_int_equal(grid->x, cases[i].enters ? 4 : 3);
        assert_int_equal(front_of(grid), cases[i].front); /* walking changes no cell */
        free(grid);
    }
}

static void test_pickup_and_drop(void **state)
{
    (void)state;
    const rein_grid_cell portable[] = {yellow_key, blue_ball,
                                       rein_grid_cell_box(REIN_RED, yellow_key)};
    for (int i = 0; i < 3; i++) {
        rein_grid *grid = world_facing(portable[i]);
        rein_grid_act(grid, REIN_GRID_PICKUP);
        assert_int_equal(grid->carrying, portable[i]);
        assert_int_equal(front_of(grid), REIN_CELL_NOTHING);
        rein_grid_put(grid, 4, 3, red_key); /* hands are full */
        rein_grid_act(grid, REIN_GRID_PICKUP);
        assert_int_equal(grid->carrying, portable[i]);
        assert_int_equal(front_of(grid), red_key);
        rein_grid_act(grid, REIN_GRID_DROP); /* not onto something */
        assert_int_equal(grid->carrying, portable[i]);
        rein_grid_put(grid, 4, 3, REIN_CELL(REIN_CELL_FLOOR, REIN_BLUE, 0));
        rein_grid_act(grid, REIN_GRID_DROP); /* floor is an object, too */
        assert_int_equal(grid->carrying, portable[i]);
        rein_grid_put(grid, 4, 3, REIN_CELL_NOTHING);
        rein_grid_act(grid, REIN_GRID_DROP);
        assert_int_equal(grid->carrying, 0);
        assert_int_equal(front_of(grid), portable[i]);
        free(grid);
    }
    const rein_grid_cell fixed[] = {REIN_CELL_NOTHING, REIN_CELL_PLAIN_WALL, REIN_CELL_PLAIN_GOAL,
                                    REIN_CELL_PLAIN_LAVA,
                                    REIN_CELL(REIN_CELL_DOOR, REIN_RED, REIN_DOOR_OPEN)};
    for (int i = 0; i < 5; i++) {
        rein_grid *grid = world_facing(fixed[i]);
        rein_grid_act(grid, REIN_GRID_PICKUP);
        assert_int_equal(grid->carrying, 0);
        rein_grid_act(grid, REIN_GRID_DROP); /* nothing in hands */
        assert_int_equal(front_of(grid), fixed[i]);
        free(grid);
    }
}

static void test_doors(void **state)
{
    (void)state;
    const rein_grid_cell open = REIN_CELL(REIN_CELL_DOOR, REIN_YELLOW, REIN_DOOR_OPEN),
                         closed = REIN_CELL(REIN_CELL_DOOR, REIN_YELLOW, REIN_DOOR_CLOSED),
                         locked = REIN_CELL(REIN_CELL_DOOR, REIN_YELLOW, REIN_DOOR_LOCKED);
    const rein_grid_cell wrong[] = {0, red_key, REIN_CELL(REIN_CELL_BALL, REIN_YELLOW, 0),
                                    rein_grid_cell_box(REIN_YELLOW, yellow_key)};
    rein_grid *grid = world_facing(locked);
    for (int i = 0; i < 4; i++) {
        grid->carrying = wrong[i];
        rein_grid_act(grid, REIN_GRID_TOGGLE);
        assert_int_equal(front_of(grid), locked);
    }
    grid->carrying = yellow_key;
    rein_grid_act(grid, REIN_GRID_TOGGLE);
    assert_int_equal(front_of(grid), open);
    assert_int_equal(grid->carrying, yellow_key);
    grid->carrying = 0; /* an unlocked door needs no key */
    rein_grid_act(grid, REIN_GRID_TOGGLE);
    assert_int_equal(front_of(grid), closed);
    rein_grid_act(grid, REIN_GRID_TOGGLE);
    assert_int_equal(front_of(grid), open);
    free(grid);
}

static void test_boxes(void **state)
{
    (void)state;
    const rein_grid_cell content[] = {REIN_CELL_NOTHING, yellow_key, blue_ball,
                                      REIN_CELL(REIN_CELL_KEY, REIN_GREY, 0)};
    for (int i = 0; i < 4; i++) {
        rein_grid *grid = world_facing(rein_grid_cell_box(REIN_PURPLE, i == 0 ? 0 : content[i]));
        uint8_t image[REIN_GRID_IMAGE + 1];
        image[REIN_GRID_IMAGE] = 99;
        rein_grid_view(grid, image); /* what is inside does not show */
        const uint8_t *cell = image + (3 * 7 + 5) * 3;
        assert_true(cell[0] == REIN_CELL_BOX && cell[1] == REIN_PURPLE && cell[2] == 0);
        assert_int_equal(image[REIN_GRID_IMAGE], 99);
        rein_grid_act(grid, REIN_GRID_PICKUP); /* carried elsewhere it keeps its content */
        rein_grid_act(grid, REIN_GRID_LEFT);
        rein_grid_act(grid, REIN_GRID_DROP);
        rein_grid_act(grid, REIN_GRID_TOGGLE);
        assert_int_equal(rein_grid_get(grid, 3, 2), content[i]);
        free(grid);
    }
}

static void test_idle(void **state)
{
    (void)state;
    const int idle[] = {REIN_GRID_DONE, 7, -1, INT32_MAX, INT32_MIN};
    const rein_grid_cell fixed[] = {REIN_CELL_PLAIN_WALL, REIN_CELL_PLAIN_GOAL, yellow_key};
    for (int i = 0; i < 5; i++) {
        rein_grid *grid = world_facing(yellow_key), *before = world_facing(yellow_key);
        assert_int_equal(rein_grid_act(grid, idle[i]), REIN_GRID_GOES_ON);
        assert_int_equal(grid->steps, 1);
        before->steps = 1;
        assert_memory_equal(grid, before, rein_grid_size(SIDE, SIDE));
        free(grid);
        free(before);
    }
    for (int i = 0; i < 3; i++) { /* nothing to toggle */
        rein_grid *grid = world_facing(fixed[i]);
        rein_grid_act(grid, REIN_GRID_TOGGLE);
        assert_int_equal(front_of(grid), fixed[i]);
        free(grid);
    }
}

static void test_reward(void **state)
{
    (void)state;
    rein_grid *grid = world_facing(REIN_CELL_PLAIN_GOAL);
    grid->steps = 49;
    assert_int_equal(rein_grid_act(grid, REIN_GRID_FORWARD), REIN_GRID_REACHED_GOAL);
    assert_true(rein_grid_success(grid) == 1 - 0.9 * 0.5);
    free(grid);
}

/* ---- placing ------------------------------------------------------------------------------- */

static void test_placing(void **state)
{
    (void)state;
    rein_grid *grid = world_new(5, 4); /* 6 free cells, the agent on (1, 1) */
    rein_rng rng = rein_rng_stream(1, REIN_RNG_TEST, 0, 0);
    assert_false(rein_grid_place(grid, &rng, -3, -3, 5, 5, yellow_key)); /* (1, 1) is taken */
    assert_true(rein_grid_place(grid, &rng, -3, -3, 6, 5, yellow_key));
    assert_int_equal(rein_grid_get(grid, 2, 1), yellow_key);
    for (int i = 0; i < 4; i++) {
        assert_true(rein_grid_place(grid, &rng, 0, 0, 99, 99, yellow_key));
    }
    assert_false(rein_grid_place(grid, &rng, 0, 0, 99, 99, yellow_key));
    assert_true(rein_grid_place_agent(grid, &rng, 0, 0, 99, 99)); /* where it is */
    assert_true(grid->x == 1 && grid->y == 1);
    rein_grid_put(grid, 1, 1, blue_ball);
    assert_false(rein_grid_place_agent(grid, &rng, 0, 0, 99, 99));
    assert_true(grid->x == 1 && grid->y == 1);
    free(grid);
}

/* ---- the view ------------------------------------------------------------------------------ */

/* MiniGrid's sweep over one view, cell by cell: the order of its loops is the definition. */
static void sweep_slowly(bool opaque[7][7], bool lit[7][7])
{
    memset(lit, 0, sizeof(bool[7][7]));
    lit[3][6] = true;
    for (int j = 6; j >= 0; j--) {
        for (int i = 0; i < 6; i++) {
            if (!lit[i][j] || opaque[i][j]) continue;
            lit[i + 1][j] = true;
            if (j > 0) lit[i + 1][j - 1] = lit[i][j - 1] = true;
        }
        for (int i = 6; i > 0; i--) {
            if (!lit[i][j] || opaque[i][j]) continue;
            lit[i - 1][j] = true;
            if (j > 0) lit[i - 1][j - 1] = lit[i][j - 1] = true;
        }
    }
}

/* The cell of the map that is at (i, j) of the view. */
static rein_grid_cell cell_in_view(const rein_grid *grid, int i, int j)
{
    static const int ax[] = {1, 0, -1, 0}, ay[] = {0, 1, 0, -1};
    int h = grid->heading, ahead = 6 - j, right = i - 3;
    int x = grid->x + ahead * ax[h] - right * ay[h], y = grid->y + ahead * ay[h] + right * ax[h];
    bool inside = x >= 0 && x < grid->width && y >= 0 && y < grid->height;
    return inside ? rein_grid_get(grid, x, y) : REIN_CELL_PLAIN_WALL;
}

static bool is_opaque(rein_grid_cell cell)
{
    return rein_grid_cell_type(cell) == REIN_CELL_WALL ||
           (rein_grid_cell_type(cell) == REIN_CELL_DOOR &&
            rein_grid_cell_state(cell) != REIN_DOOR_OPEN);
}

static void check_view(const rein_grid *grid)
{
    uint8_t image[REIN_GRID_IMAGE];
    bool opaque[7][7], lit[7][7];
    rein_grid_view(grid, image);
    for (int i = 0; i < 7; i++) {
        for (int j = 0; j < 7; j++) opaque[i][j] = is_opaque(cell_in_view(grid, i, j));
    }
    sweep_slowly(opaque, lit);
    for (int i = 0; i < 7; i++) {
        for (int j = 0; j < 7; j++) {
            rein_grid_cell cell = cell_in_view(grid, i, j);
            if (!lit[i][j] && !grid->see_through_walls) cell = 0;
            if (i == 3 && j == 6) cell = grid->carrying != 0 ? grid->carrying : REIN_CELL_NOTHING;
            const uint8_t *got = image + (i * 7 + j) * 3;
            if (got[0] == rein_grid_cell_type(cell) && got[1] == rein_grid_cell_colour(cell) &&
                got[2] == rein_grid_cell_state(cell)) {
                continue;
            }
            fail_msg("agent (%d, %d) heading %d: view (%d, %d) shows (%d, %d, %d), not (%d, %d, "
                     "%d)",
                     grid->x, grid->y, grid->heading, i, j, got[0], got[1], got[2],
                     rein_grid_cell_type(cell), rein_grid_cell_colour(cell),
                     rein_grid_cell_state(cell));
        }
    }
}

/* Maps of every density, every place and heading. */
static void test_view(void **state)
{
    (void)state;
    static const rein_grid_cell things[] = {
        REIN_CELL_PLAIN_WALL,
        REIN_CELL(REIN_CELL_DOOR, REIN_RED, REIN_DOOR_OPEN),
        REIN_CELL(REIN_CELL_DOOR, REIN_BLUE, REIN_DOOR_CLOSED),
        REIN_CELL(REIN_CELL_DOOR, REIN_GREEN, REIN_DOOR_LOCKED),
        REIN_CELL(REIN_CELL_BALL, REIN_PURPLE, 0),
        REIN_CELL_PLAIN_GOAL,
        REIN_CELL_PLAIN_LAVA,
        REIN_CELL(REIN_CELL_BOX, REIN_GREY, 0) | 0x45u << 24,
    };
    const int shapes[][2] = {
        {3, 3}, {5, 9}, {12, 8}, {REIN_GRID_MAX_SIDE, 4}, {4, REIN_GRID_MAX_SIDE}};
    rein_rng rng = rein_rng_stream(2, REIN_RNG_TEST, 0, 0);
    for (int k = 0; k < 100; k++) {
        int w = shapes[k % 5][0], h = shapes[k % 5][1];
        rein_grid *grid = world_new(w, h);
        for (int i = 0; i < w * h * (k % 9) / 10; i++) {
            rein_grid_put(grid, (int)rein_rng_below(&rng, (uint32_t)w),
                          (int)rein_rng_below(&rng, (uint32_t)h), things[rein_rng_below(&rng, 8)]);
        }
        grid->see_through_walls = k % 10 == 9;
        for (int i = 0; i < w * h * 4; i++) {
            grid->heading = i % 4;
            grid->x = i / 4 / h;
            grid->y = i / 4 % h;
            grid->carrying = i % 3 == 0 ? yellow_key : 0;
            check_view(grid);
        }
        free(grid);
    }
}

/* ---- recorded levels ----------------------------------------------------------------------- */

typedef struct recorded_level {
    double *grid, *agent, *carrying, *image, *action, *reward, *terminated;
    int width, height;
    bool is_memory;
} recorded_level;

static rein_grid_cell recorded_cell(const recorded_level *r, size_t row, int x, int y)
{
    const double *v =
        r->grid + ((row * (size_t)r->width + (size_t)x) * (size_t)r->height + (size_t)y) * 3;
    return REIN_CELL((int)v[0], (int)v[1], (int)v[2]);
}

static void level_begin(rein_grid *grid, const recorded_level *r, size_t row)
{
    const double *agent = r->agent + row * 3, *carrying = r->carrying + row * 2;
    for (int x = 0; x < r->width; x++) {
        for (int y = 0; y < r->height; y++) {
            rein_grid_put(grid, x, y, recorded_cell(r, row, x, y));
        }
    }
    grid->x = (int32_t)agent[0];
    grid->y = (int32_t)agent[1];
    grid->heading = (int32_t)agent[2];
    grid->carrying = carrying[0] < 0 ? 0 : REIN_CELL((int)carrying[0], (int)carrying[1], 0);
    grid->steps = 0;
}

static void level_compare(const rein_grid *grid, const recorded_level *r, size_t row,
                          const char *name)
{
    const double *agent = r->agent + row * 3, *carrying = r->carrying + row * 2;
    uint8_t image[REIN_GRID_IMAGE];
    bool same = grid->x == agent[0] && grid->y == agent[1] && grid->heading == agent[2];
    if (!same) fail_msg("%s row %zu: agent", name, row);
    for (int x = 0; x < r->width; x++) {
        for (int y = 0; y < r->height; y++) {
            same = (rein_grid_get(grid, x, y) & 0xffffff) == recorded_cell(r, row, x, y);
            if (!same) fail_msg("%s row %zu: cell (%d, %d)", name, row, x, y);
        }
    }
    rein_grid_cell held = carrying[0] < 0 ? 0 : REIN_CELL((int)carrying[0], (int)carrying[1], 0);
    if ((grid->carrying & 0xffffff) != held) fail_msg("%s row %zu: carrying", name, row);
    rein_grid_view(grid, image);
    for (int i = 0; i < REIN_GRID_IMAGE; i++) {
        if (image[i] != r->image[row * REIN_GRID_IMAGE + (size_t)i]) {
            fail_msg("%s row %zu: image[%d] is %d", name, row, i, image[i]);
        }
    }
}

/* One step from `row`. What a box holds is not in the rows: it is taken from what appears. */
static void level_step(rein_grid *grid, const recorded_level *r, size_t row, const char *name)
{
    static const int ax[] = {1, 0, -1, 0}, ay[] = {0, 1, 0, -1};
    int action = (int)r->action[row], x = grid->x + ax[grid->heading];
    int y = grid->y + ay[grid->heading];
    if (r->is_memory && action == REIN_GRID_PICKUP) action = REIN_GRID_TOGGLE;
    rein_grid_cell front = rein_grid_get(grid, x, y);
    if (action == REIN_GRID_TOGGLE && rein_grid_cell_type(front) == REIN_CELL_BOX) {
        rein_grid_cell shown = recorded_cell(r, row + 1, x, y);
        rein_grid_put(grid, x, y,
                      rein_grid_cell_box(rein_grid_cell_colour(front),
                                         shown == REIN_CELL_NOTHING ? 0 : shown));
    }
    rein_grid_outcome outcome = rein_grid_act(grid, action);
    double reward = outcome == REIN_GRID_REACHED_GOAL ? rein_grid_success(grid) : 0;
    if (outcome == REIN_GRID_GOES_ON) return; /* whether the task ends is the level's rule */
    if (fabs(r->reward[row] - reward) > 1e-15 || r->terminated[row] != 1) {
        fail_msg("%s row %zu: reward %g, recorded %g", name, row, reward, r->reward[row]);
    }
}

static double *level_read(golden *g, const char *name, const char *array, size_t *n_rows)
{
    char path[300];
    size_t dims[4];
    snprintf(path, sizeof path, "/%s/%s", name, array);
    double *values = golden_read(g, path, dims, NULL);
    assert_non_null(values);
    *n_rows = dims[0];
    return values;
}

/* All levels of one group; returns its steps. */
static size_t replay_group(golden *g, const char *name)
{
    char path[200];
    double number;
    int n;
    size_t rows, n_steps = 0;
    recorded_level r = {.is_memory = strncmp(name, "Memory", 6) == 0};
    snprintf(path, sizeof path, "/%s", name);
    assert_true(golden_attr_double(g, path, "width", &number, 1, &n));
    r.width = (int)number;
    assert_true(golden_attr_double(g, path, "height", &number, 1, &n));
    r.height = (int)number;
    rein_grid *grid = world_new(r.width, r.height);
    assert_true(golden_attr_double(g, path, "max_steps", &number, 1, &n));
    grid->max_steps = (int32_t)number;
    assert_true(golden_attr_double(g, path, "see_through_walls", &number, 1, &n));
    grid->see_through_walls = number != 0;
    double **const arrays[] = {&r.grid,   &r.agent,  &r.carrying,  &r.image,
                               &r.action, &r.reward, &r.terminated};
    static const char *const names[] = {"grid",   "agent",  "carrying",  "image",
                                        "action", "reward", "terminated"};
    for (int i = 0; i < 7; i++) *arrays[i] = level_read(g, name, names[i], &rows);
    bool begins = true;
    for (size_t row = 0; row < rows; row++) {
        if (begins) level_begin(grid, &r, row);
        level_compare(grid, &r, row, name);
        begins = r.action[row] == 255;
        if (begins) continue;
        level_step(grid, &r, row, name);
        n_steps++;
    }
    for (int i = 0; i < 7; i++) free(*arrays[i]);
    free(grid);
    return n_steps;
}

/* Whatever the task: objects, agent and view follow the world's rules. Only Dynamic-Obstacles adds
 * motion of its own. */
static void test_recorded(void **state)
{
    (void)state;
    golden g;
    char name[128];
    int n = 0;
    size_t n_steps = 0;
    assert_true(golden_open("minigrid.h5", &g));
    for (int i = 0; golden_child(&g, "/", i, name, sizeof name); i++) {
        if (strncmp(name, "Dynamic-Obstacles", 17) == 0) continue;
        n_steps += replay_group(&g, name);
        n++;
    }
    golden_close(&g);
    print_message("%d groups, %zu steps\n", n, n_steps);
    assert_true(n >= 5 && n_steps >= 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turning),
        cmocka_unit_test(test_walking),
        cmocka_unit_test(test_pickup_and_drop),
        cmocka_unit_test(test_doors),
        cmocka_unit_test(test_boxes),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_reward),
        cmocka_unit_test(test_placing),
        cmocka_unit_test(test_view),
        cmocka_unit_test(test_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
