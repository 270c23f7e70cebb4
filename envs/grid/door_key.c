/* MiniGrid-DoorKey: a wall with a locked door parts the room; fetch the key, open the door and go
 * to the green square.
 *
 * Minigrid 3.2.0 (Chevalier-Boisvert et al. 2023, "Minigrid & Miniworld"), DoorKeyEnv.
 * T = 10 size^2. */
#include "envs/grid/classes.h"
#include "envs/grid/level.h"

#define DOOR_KEY_FIELDS(X)                                                                         \
    REIN_LEVEL_FIELDS(X)                                                                           \
    X(integer, size, "8", "[5, 52]", "cells per side, the walls included")

REIN_CONFIG(door_key_config, DOOR_KEY_FIELDS)
REIN_LEVEL_CHECK_CONFIG(door_key_config);

static rein_level_shape door_key_shape(const void *config)
{
    int size = (int)((const door_key_config *)config)->size;
    return (rein_level_shape){.width = size, .height = size, .max_steps = 10 * size * size};
}

/* Draws: wall, agent, heading, door, key. */
static void door_key_generate(rein_grid *grid, const void *config, rein_rng *rng)
{
    (void)config;
    int w = grid->width, h = grid->height;
    rein_grid_put(grid, w - 2, h - 2, REIN_CELL_PLAIN_GOAL);
    int wall = 2 + (int)rein_rng_below(rng, (uint32_t)(w - 4)); /* column 2 .. w-3 */
    rein_grid_fill(grid, wall, 1, 1, h - 2, REIN_CELL_PLAIN_WALL);
    rein_grid_place_agent(grid, rng, 0, 0, wall, h);
    int door = 1 + (int)rein_rng_below(rng, (uint32_t)(h - 3)); /* row 1 .. h-3 */
    rein_grid_put(grid, wall, door, REIN_CELL(REIN_CELL_DOOR, REIN_YELLOW, REIN_DOOR_LOCKED));
    rein_grid_place(grid, rng, 0, 0, wall, h, REIN_CELL(REIN_CELL_KEY, REIN_YELLOW, 0));
}

/* MiniGrid's own words */
#define DOOR_KEY_MISSION "use the key to open the door and then get to the goal"

static const rein_level door_key = {
    .config_size = sizeof(door_key_config),
    .shape = door_key_shape,
    .generate = door_key_generate,
};

static rein_status door_key_spec(const void *config, rein_env_spec *out)
{
    return rein_level_spec(&door_key, config, out);
}

static rein_status door_key_init(void *state, const void *config)
{
    return rein_level_init(&door_key, state, config);
}

#define DOOR_KEY_CLASS(name, id_, preset_)                                                         \
    const rein_env_class name = {                                                                  \
        .id = id_,                                                                                 \
        .summary = DOOR_KEY_MISSION " (MiniGrid)",                                                 \
        .cite = "Chevalier-Boisvert et al. 2023; Minigrid 3.2.0 DoorKeyEnv",                       \
        .preset = preset_,                                                                         \
        .fields = door_key_config_fields,                                                          \
        .n_fields = REIN_FIELD_COUNT(door_key_config_fields),                                      \
        .config_size = sizeof(door_key_config),                                                    \
        .spec = door_key_spec,                                                                     \
        .init = door_key_init,                                                                     \
        REIN_LEVEL_SLOTS,                                                                          \
    }

DOOR_KEY_CLASS(rein_grid_door_key_5x5, "MiniGrid-DoorKey-5x5-v0", "size=5");
DOOR_KEY_CLASS(rein_grid_door_key_6x6, "MiniGrid-DoorKey-6x6-v0", "size=6");
DOOR_KEY_CLASS(rein_grid_door_key_8x8, "MiniGrid-DoorKey-8x8-v0", "size=8");
DOOR_KEY_CLASS(rein_grid_door_key_16x16, "MiniGrid-DoorKey-16x16-v0", "size=16");
