/* MiniGrid-Empty: an empty room; go to the green square in the corner.
 *
 * Minigrid 3.2.0 (Chevalier-Boisvert et al. 2023, "Minigrid & Miniworld"), EmptyEnv. The agent
 * begins in the opposite corner heading right, or anywhere (Random), and sees through walls.
 * T = 4 size^2. */
#include "envs/grid/classes.h"
#include "envs/grid/level.h"

#define EMPTY_FIELDS(X)                                                                            \
    REIN_LEVEL_FIELDS(X)                                                                           \
    X(integer, size, "8", "[4, 52]", "cells per side, the walls included")                         \
    X(flag, random_start, "false", "", "begin anywhere instead of in the corner")

REIN_CONFIG(empty_config, EMPTY_FIELDS)
REIN_LEVEL_CHECK_CONFIG(empty_config);

static rein_level_shape empty_shape(const void *config)
{
    int size = (int)((const empty_config *)config)->size;
    return (rein_level_shape){
        .width = size, .height = size, .max_steps = 4 * size * size, .see_through_walls = true};
}

static void empty_generate(rein_grid *grid, const void *config, rein_rng *rng)
{
    rein_grid_put(grid, grid->width - 2, grid->height - 2, REIN_CELL_PLAIN_GOAL);
    if (((const empty_config *)config)->random_start) {
        rein_grid_place_agent(grid, rng, 0, 0, grid->width, grid->height);
    }
}

/* MiniGrid's own words */
#define EMPTY_MISSION "get to the green goal square"

static const rein_level empty = {
    .config_size = sizeof(empty_config),
    .shape = empty_shape,
    .generate = empty_generate,
};

static rein_status empty_spec(const void *config, rein_env_spec *out)
{
    return rein_level_spec(&empty, config, out);
}

static rein_status empty_init(void *state, const void *config)
{
    return rein_level_init(&empty, state, config);
}

#define EMPTY_CLASS(name, id_, preset_)                                                            \
    const rein_env_class name = {                                                                  \
        .id = id_,                                                                                 \
        .summary = EMPTY_MISSION " (MiniGrid, an empty room)",                                     \
        .cite = "Chevalier-Boisvert et al. 2023; Minigrid 3.2.0 EmptyEnv",                         \
        .preset = preset_,                                                                         \
        .fields = empty_config_fields,                                                             \
        .n_fields = REIN_FIELD_COUNT(empty_config_fields),                                         \
        .config_size = sizeof(empty_config),                                                       \
        .spec = empty_spec,                                                                        \
        .init = empty_init,                                                                        \
        REIN_LEVEL_SLOTS,                                                                          \
    }

EMPTY_CLASS(rein_grid_empty_5x5, "MiniGrid-Empty-5x5-v0", "size=5");
EMPTY_CLASS(rein_grid_empty_6x6, "MiniGrid-Empty-6x6-v0", "size=6");
EMPTY_CLASS(rein_grid_empty_8x8, "MiniGrid-Empty-8x8-v0", "size=8");
EMPTY_CLASS(rein_grid_empty_16x16, "MiniGrid-Empty-16x16-v0", "size=16");
EMPTY_CLASS(rein_grid_empty_random_5x5, "MiniGrid-Empty-Random-5x5-v0", "size=5 random_start=true");
EMPTY_CLASS(rein_grid_empty_random_6x6, "MiniGrid-Empty-Random-6x6-v0", "size=6 random_start=true");
