#include "envs/grid/level.h"

#include <math.h>
#include <string.h>

enum { N_QUANTITIES = 5 };

/* The env's state. Behind it in the same memory: the config, then the world. */
typedef struct level_state {
    const rein_level *level;
    rein_grid *grid;
    void *config;  /* [level->config_size] copy */
    double reward; /* of the last step, before rounding to float */
    rein_env_quantity quantities[N_QUANTITIES + 1];
} level_state;

static size_t level_align(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

static int level_max_steps(const rein_level_shape *shape, const void *config)
{
    int64_t wanted = ((const rein_level_config *)config)->max_steps;
    return wanted > 0 ? (int)wanted : shape->max_steps;
}

/* ---- creation ------------------------------------------------------------------------------ */

rein_status rein_level_spec(const rein_level *level, const void *config, rein_env_spec *out)
{
    rein_level_shape shape = level->shape(config);
    if (shape.width < 3 || shape.width > REIN_GRID_MAX_SIDE || shape.height < 3 ||
        shape.height > REIN_GRID_MAX_SIDE) {
        return rein_fail(REIN_ECONFIG, "a map of %d x %d cells: each side must be 3 to %d",
                         shape.width, shape.height, REIN_GRID_MAX_SIDE);
    }
    size_t world = rein_grid_size(shape.width, shape.height);
    *out = (rein_env_spec){
        /* high is the largest number in an image (REIN_CELL_AGENT): networks get image / 10. */
        .observation = {.dtype = REIN_U8,
                        .n_dims = 3,
                        .shape = {REIN_GRID_VIEW, REIN_GRID_VIEW, 3},
                        .size = REIN_GRID_IMAGE,
                        .low = 0,
                        .high = REIN_CELL_AGENT},
        .action = {.kind = REIN_DISCRETE, .n = REIN_GRID_N_ACTIONS, .size = 1},
        .n_agents = 1,
        .max_episode_steps = level_max_steps(&shape, config),
        .state_size = level_align(sizeof(level_state)) + level_align(level->config_size) + world,
        .snapshot_size = sizeof(double) + world,
        .reward_threshold = NAN,
    };
    return REIN_OK;
}

rein_status rein_level_init(const rein_level *level, void *state, const void *config)
{
    level_state *s = state;
    rein_level_shape shape = level->shape(config);
    s->level = level;
    s->config = (char *)state + level_align(sizeof(level_state));
    memcpy(s->config, config, level->config_size);
    s->grid = (rein_grid *)(void *)((char *)s->config + level_align(level->config_size));
    s->grid->width = shape.width;
    s->grid->height = shape.height;
    s->grid->max_steps = level_max_steps(&shape, config);
    s->grid->see_through_walls = shape.see_through_walls;
    rein_grid_clear(s->grid);
    const rein_env_quantity list[N_QUANTITIES] = {
        {.name = "grid", .size = shape.width * shape.height * 3, .settable = true},
        {.name = "agent", .size = 3, .settable = true},
        {.name = "carrying", .size = 2, .settable = true},
        {.name = "image", .size = REIN_GRID_IMAGE},
        {.name = "reward", .size = 1, .tolerance = 1e-15},
    };
    memcpy(s->quantities, list, sizeof list); /* the end is zero already */
    return REIN_OK;
}

/* ---- reset and step ------------------------------------------------------------------------ */

void rein_level_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    level_state *s = state;
    rein_grid_clear(s->grid);
    s->level->generate(s->grid, s->config, rng);
    s->reward = 0;
    rein_grid_view(s->grid, io->observation);
}

rein_level_result rein_level_act(rein_grid *grid, int action)
{
    rein_grid_outcome outcome = rein_grid_act(grid, action);
    return (rein_level_result){
        .reward = outcome == REIN_GRID_REACHED_GOAL ? rein_grid_success(grid) : 0,
        .terminated = outcome != REIN_GRID_GOES_ON,
    };
}

void rein_level_step(void *state, rein_rng *rng, rein_env_io *io)
{
    level_state *s = state;
    int action = *(const int32_t *)io->action;
    rein_level_result result = s->level->act != NULL
                                   ? s->level->act(s->grid, s->config, action, rng)
                                   : rein_level_act(s->grid, action);
    s->reward = result.reward;
    *io->reward = (float)result.reward;
    *io->terminated = result.terminated;
    rein_grid_view(s->grid, io->observation);
}

/* ---- snapshots: the reward, then the world ------------------------------------------------- */

void rein_level_save(const void *state, void *snapshot)
{
    const level_state *s = state;
    memcpy(snapshot, &s->reward, sizeof s->reward);
    memcpy((char *)snapshot + sizeof s->reward, s->grid,
           rein_grid_size(s->grid->width, s->grid->height));
}

rein_status rein_level_load(void *state, const void *snapshot)
{
    level_state *s = state;
    rein_grid head;
    const char *world = (const char *)snapshot + sizeof s->reward;
    memcpy(&head, world, sizeof head);
    if (head.width != s->grid->width || head.height != s->grid->height) {
        return rein_fail(REIN_EFORMAT, "snapshot of a %d x %d map, the level's is %d x %d",
                         head.width, head.height, s->grid->width, s->grid->height);
    }
    if (head.x < 0 || head.x >= head.width || head.y < 0 || head.y >= head.height ||
        head.heading < 0 || head.heading > 3 || head.max_steps != s->grid->max_steps) {
        return rein_fail(REIN_EFORMAT, "snapshot with the agent at (%d, %d), heading %d, T %d",
                         head.x, head.y, head.heading, head.max_steps);
    }
    memcpy(&s->reward, snapshot, sizeof s->reward);
    memcpy(s->grid, world, rein_grid_size(head.width, head.height));
    return REIN_OK;
}

/* ---- quantities for traces ----------------------------------------------------------------- */

const rein_env_quantity *rein_level_quantities(const void *state)
{
    return ((const level_state *)state)->quantities;
}

static void level_peek_grid(const rein_grid *grid, double *out)
{
    for (int x = 0; x < grid->width; x++) {
        for (int y = 0; y < grid->height; y++) {
            rein_grid_cell cell = rein_grid_get(grid, x, y);
            *out++ = rein_grid_cell_type(cell);
            *out++ = rein_grid_cell_colour(cell);
            *out++ = rein_grid_cell_state(cell);
        }
    }
}

void rein_level_peek(const void *state, const char *name, double *out)
{
    const level_state *s = state;
    const rein_grid *grid = s->grid;
    if (strcmp(name, "grid") == 0) level_peek_grid(grid, out);
    if (strcmp(name, "agent") == 0) {
        out[0] = grid->x;
        out[1] = grid->y;
        out[2] = grid->heading;
    }
    if (strcmp(name, "carrying") == 0) {
        out[0] = grid->carrying != 0 ? rein_grid_cell_type(grid->carrying) : -1;
        out[1] = grid->carrying != 0 ? rein_grid_cell_colour(grid->carrying) : -1;
    }
    if (strcmp(name, "image") == 0) {
        uint8_t image[REIN_GRID_IMAGE];
        rein_grid_view(grid, image);
        for (int i = 0; i < REIN_GRID_IMAGE; i++) out[i] = image[i];
    }
    if (strcmp(name, "reward") == 0) *out = s->reward;
}

/* Is x a whole number in [low, high]? */
static bool level_is_in(double x, int low, int high)
{
    return x >= low && x <= high && x == floor(x);
}

static rein_status level_poke_grid(rein_grid *grid, const double *values)
{
    int n = grid->width * grid->height;
    for (int i = 0; i < n; i++) {
        const double *v = values + (ptrdiff_t)i * 3;
        if (!level_is_in(v[0], REIN_CELL_EMPTY, REIN_CELL_LAVA) ||
            !level_is_in(v[1], 0, REIN_N_COLOURS - 1) || !level_is_in(v[2], 0, REIN_DOOR_LOCKED)) {
            return rein_fail(REIN_EINVAL, "grid: cell (%d, %d) holds (%g, %g, %g), no object",
                             i / grid->height, i % grid->height, v[0], v[1], v[2]);
        }
    }
    for (int i = 0; i < n; i++) {
        const double *v = values + (ptrdiff_t)i * 3;
        rein_grid_put(grid, i / grid->height, i % grid->height,
                      REIN_CELL((int)v[0], (int)v[1], (int)v[2]));
    }
    return REIN_OK;
}

static rein_status level_poke_agent(rein_grid *grid, const double *v)
{
    if (!level_is_in(v[0], 0, grid->width - 1) || !level_is_in(v[1], 0, grid->height - 1) ||
        !level_is_in(v[2], 0, 3)) {
        return rein_fail(REIN_EINVAL,
                         "agent: (%g, %g, %g) is no place and heading in a %d x %d map", v[0], v[1],
                         v[2], grid->width, grid->height);
    }
    grid->x = (int32_t)v[0];
    grid->y = (int32_t)v[1];
    grid->heading = (int32_t)v[2];
    return REIN_OK;
}

static rein_status level_poke_carrying(rein_grid *grid, const double *v)
{
    bool nothing = v[0] == -1 && v[1] == -1;
    if (!nothing && (!level_is_in(v[0], REIN_CELL_KEY, REIN_CELL_BOX) ||
                     !level_is_in(v[1], 0, REIN_N_COLOURS - 1))) {
        return rein_fail(REIN_EINVAL, "carrying: (%g, %g) is no key, ball or box", v[0], v[1]);
    }
    grid->carrying = nothing ? 0 : REIN_CELL((int)v[0], (int)v[1], 0);
    return REIN_OK;
}

/* Begin an episode at this state. */
rein_status rein_level_poke(void *state, const char *name, const double *values)
{
    level_state *s = state;
    s->grid->steps = 0;
    s->reward = 0;
    if (strcmp(name, "grid") == 0) return level_poke_grid(s->grid, values);
    if (strcmp(name, "agent") == 0) return level_poke_agent(s->grid, values);
    if (strcmp(name, "carrying") == 0) return level_poke_carrying(s->grid, values);
    return rein_fail(REIN_EINVAL, "quantity '%s' cannot be set", name);
}

void rein_level_observe(void *state, rein_env_io *io)
{
    rein_grid_view(((level_state *)state)->grid, io->observation);
}
