/* What all MiniGrid tasks share: one level description becomes the functions of a rein_env_class.
 *
 * A level's config begins with REIN_LEVEL_FIELDS. Its file gives a `rein_level`, two one-line
 * functions and the class; see empty.c. Thread-safety: that of a class (envs/env.h). */
#ifndef REIN_ENVS_GRID_LEVEL_H
#define REIN_ENVS_GRID_LEVEL_H

#include "envs/env.h"
#include "envs/grid/world.h"

#define REIN_LEVEL_FIELDS(X)                                                                       \
    X(integer, max_steps, "0", "[0, 1000000]",                                                     \
      "time limit, and the T of the reward "                                                       \
      "1 - 0.9 t/T; 0: the task's own")

REIN_CONFIG_STRUCT(rein_level_config, REIN_LEVEL_FIELDS)

/* A level's config has the fields of REIN_LEVEL_FIELDS first. */
#define REIN_LEVEL_CHECK_CONFIG(name)                                                              \
    _Static_assert(offsetof(name, max_steps) == offsetof(rein_level_config, max_steps),            \
                   #name " does not begin with REIN_LEVEL_FIELDS")

typedef struct rein_level_shape {
    int width, height; /* in [3, REIN_GRID_MAX_SIDE] */
    int max_steps;     /* the task's own limit, T */
    bool see_through_walls;
} rein_level_shape;

typedef struct rein_level_result {
    double reward;
    bool terminated;
} rein_level_result;

typedef struct rein_level {
    size_t config_size;
    /* required */
    rein_level_shape (*shape)(const void *config);
    /* required: build the map and place the agent; grid is an empty room with walls around. */
    void (*generate)(rein_grid *grid, const void *config, rein_rng *rng);
    /* optional: one step with rules beyond the world's (moving balls, success by pickup). NULL:
     * rein_level_act. */
    rein_level_result (*act)(rein_grid *grid, const void *config, int action, rein_rng *rng);
} rein_level;

/* The common rules: the goal pays 1 - 0.9 t/T and ends the episode, lava ends it. */
rein_level_result rein_level_act(rein_grid *grid, int action);

/* A class's spec and init. Errors: REIN_ECONFIG when the map does not fit. */
rein_status rein_level_spec(const rein_level *level, const void *config, rein_env_spec *out);
rein_status rein_level_init(const rein_level *level, void *state, const void *config);

/* The class's other slots. Quantities: grid [W,H,3] = type, colour, state (the contents of boxes
 * are not in it: poked boxes are empty), agent (x, y, heading), carrying (type, colour; -1:
 * nothing), image [7,7,3], reward. */
void rein_level_reset(void *state, rein_rng *rng, rein_env_io *io);
void rein_level_step(void *state, rein_rng *rng, rein_env_io *io);
void rein_level_save(const void *state, void *snapshot);
rein_status rein_level_load(void *state, const void *snapshot);
const rein_env_quantity *rein_level_quantities(const void *state);
void rein_level_peek(const void *state, const char *name, double *out);
rein_status rein_level_poke(void *state, const char *name, const double *values);
void rein_level_observe(void *state, rein_env_io *io);

#define REIN_LEVEL_SLOTS                                                                           \
    .reset = rein_level_reset, .step = rein_level_step, .save = rein_level_save,                   \
    .load = rein_level_load, .quantities = rein_level_quantities, .peek = rein_level_peek,         \
    .poke = rein_level_poke, .observe = rein_level_observe

#endif
