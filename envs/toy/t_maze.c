/* TMaze-v0: a sign seen at the start says which way to turn at the end of a corridor.
 *
 * Bakker (2002), "Reinforcement learning with long short-term memory", NIPS 14: corridor, the three
 * bits that are seen, four actions. Cell 0 is the start, cell `length` the junction:
 *     observation = 0 1 1 or 1 1 0 at the start (the sign: turn right or left)
 *                   1 0 1 in the corridor
 *                   0 1 0 at the junction
 *     actions     = 0 left, 1 forward, 2 right, 3 back
 *     reward      = `reward_right` for the turn that the sign asked for, `reward_wrong` for the
 *                   other; both end the episode. A move into a wall leaves the agent where it is
 *                   and gives `reward_wall`.
 * What is seen at the junction does not depend on the sign, so a policy without memory is right in
 * half of the episodes at best. With the default rewards the mean return is the share of episodes
 * with the right turn. (Bakker: 4, -0.1, -0.1.) */
#include <math.h>

#include "envs/toy/classes.h"

#define T_MAZE_FIELDS(X)                                                                           \
    X(integer, length, "20", "[1, 1000000]", "cells from the start to the junction")               \
    X(real, reward_right, "1", "", "for the turn that the sign asked for")                         \
    X(real, reward_wrong, "0", "", "for the other turn")                                           \
    X(real, reward_wall, "0", "", "for a move into a wall")

REIN_CONFIG(t_maze_config, T_MAZE_FIELDS)

enum { LEFT, FORWARD, RIGHT, BACK, N_ACTIONS };
enum { N = 3, STEPS_PER_CELL = 10 };

typedef struct t_maze_state {
    int64_t length, position;
    int32_t sign; /* LEFT or RIGHT: the turn to take */
    float reward_right, reward_wrong, reward_wall;
} t_maze_state;

static rein_status t_maze_spec(const void *config, rein_env_spec *out)
{
    const t_maze_config *c = config;
    *out = (rein_env_spec){
        .observation =
            {.dtype = REIN_F32, .n_dims = 1, .shape = {N}, .size = N, .low = 0, .high = 1},
        .action = {.kind = REIN_DISCRETE, .n = N_ACTIONS, .size = 1},
        .n_agents = 1,
        .max_episode_steps = (int)c->length * STEPS_PER_CELL + 20,
        .state_size = sizeof(t_maze_state),
        .reward_threshold = 0.95,
    };
    return REIN_OK;
}

static rein_status t_maze_init(void *state, const void *config)
{
    const t_maze_config *c = config;
    t_maze_state *s = state;
    s->length = c->length;
    s->reward_right = (float)c->reward_right;
    s->reward_wrong = (float)c->reward_wrong;
    s->reward_wall = (float)c->reward_wall;
    return REIN_OK;
}

static void t_maze_observe(void *state, rein_env_io *io)
{
    const t_maze_state *s = state;
    const bool start = s->position == 0, junction = s->position == s->length;
    float *out = io->observation;
    out[0] = start ? s->sign == LEFT : !junction;
    out[1] = start || junction;
    out[2] = start ? s->sign == RIGHT : !junction;
}

static void t_maze_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    t_maze_state *s = state;
    s->position = 0;
    s->sign = rein_rng_below(rng, 2) == 0 ? LEFT : RIGHT;
    t_maze_observe(s, io);
}

static void t_maze_step(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)rng;
    t_maze_state *s = state;
    const int32_t action = *(const int32_t *)io->action;
    const bool junction = s->position == s->length;
    *io->reward = 0;
    *io->terminated = 0;
    if (junction && (action == LEFT || action == RIGHT)) {
        *io->reward = action == s->sign ? s->reward_right : s->reward_wrong;
        *io->terminated = 1;
    } else if (action == FORWARD && !junction) {
        s->position++;
    } else if (action == BACK && s->position > 0) {
        s->position--;
    } else {
        *io->reward = s->reward_wall;
    }
    t_maze_observe(s, io);
}

const rein_env_class rein_t_maze_v0 = {
    .id = "TMaze-v0",
    .summary = "a sign at the start, a turn at the end: only with memory",
    .cite = "Bakker 2002, Reinforcement learning with long short-term memory",
    .fields = t_maze_config_fields,
    .n_fields = REIN_FIELD_COUNT(t_maze_config_fields),
    .config_size = sizeof(t_maze_config),
    .spec = t_maze_spec,
    .init = t_maze_init,
    .reset = t_maze_reset,
    .step = t_maze_step,
};
