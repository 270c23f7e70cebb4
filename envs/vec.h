/* The vector env: N copies of one environment behind contiguous batch arrays.
 *
 * Envs are cut into fixed blocks by the config alone; a block is stepped by one thread. A row is
 * one agent of one env: row = env * n_agents + agent.
 *
 * Autoreset is same-step: when an episode ends, its last observation is kept in
 * `final_observation` and `observation` already holds the first one of the next episode.
 * Time limits live only here: `truncated` is never set by an environment, except that a broken
 * simulation is truncated. `terminated` and `truncated` are never both 1.
 *
 * Random streams: an env's n-th episode begins from (seed, RESET, env, n), its t-th step ever draws
 * from (seed, DYNAMICS, env, t). So an env's course depends on its own index and actions only, not
 * on how many others there are, on blocks or on threads.
 *
 * Thread-safety: different blocks may be stepped at once; everything else is for one caller. */
#ifndef REIN_ENVS_VEC_H
#define REIN_ENVS_VEC_H

#include "base/archive.h"
#include "base/team.h"
#include "envs/env.h"

typedef struct rein_vec {
    const rein_env_class *env;
    rein_env_spec spec;
    int n_envs, n_rows; /* n_rows = n_envs * n_agents */
    int block_size;     /* envs per block; the last block may be smaller */
    int n_blocks;
    uint64_t seed;

    /* Batch arrays, 64-byte aligned. The caller writes `action`; the others are written here. */
    void *observation;       /* [n_rows, obs] observation.dtype: what to act on next */
    void *action;            /* [n_rows, act] i32 or f32 */
    float *reward;           /* [n_rows] of the last step */
    uint8_t *terminated;     /* [n_envs] of the last step */
    uint8_t *truncated;      /* [n_envs] of the last step */
    uint8_t *broken;         /* [n_envs] of the last step */
    void *final_observation; /* [n_rows, obs] last observation of the episode that the last step
                                ended; stale (of some earlier end, or 0) in all other rows */
    double *episode_return;  /* [n_envs] sum of rewards over steps and agents: of the episode that
                                the last step ended, or of the one in progress */
    int32_t *episode_length; /* [n_envs] likewise */

    uint32_t *episode; /* [n_envs] episodes begun: the RESET counter */
    uint64_t *steps;   /* [n_envs] steps taken: the DYNAMICS counter */
    int64_t *n_broken; /* [n_envs] episodes cut because the simulation diverged */

    unsigned char *states;                                /* [n_envs, state_stride] */
    size_t state_stride, observation_bytes, action_bytes; /* bytes per env, row, row */

    /* private */
    int max_episode_steps;          /* INT32_MAX: none */
    rein_rng_purpose reset_purpose; /* RESET or EVAL */
    int n_initialised;              /* envs that `fini` must undo */
} rein_vec;

typedef struct rein_vec_options {
    const rein_env_class *env;
    const void *config;    /* [env->config_size], read at creation only */
    int n_envs;            /* in [1, 2^24] */
    int block_size;        /* 0: rein_vec_block_size */
    int max_episode_steps; /* -1: the spec's; 0: none */
    uint64_t seed;
    rein_rng_purpose reset_purpose; /* 0: REIN_RNG_RESET; evaluation uses REIN_RNG_EVAL */
} rein_vec_options;

/* Envs per block when the options leave it open: 64 of those that step in nanoseconds, so that no
 * two blocks write to one cache line; of slow ones (spec.slow_step) as many as give 8 blocks, at
 * most 8. */
int rein_vec_block_size(int n_envs, bool slow_step);

/* Allocate everything and begin N episodes.
 * Errors: REIN_EINVAL, REIN_ENOMEM, REIN_ENAN, those of the class. */
rein_status rein_vec_create(const rein_vec_options *options, rein_vec **out);
void rein_vec_free(rein_vec *vec); /* NULL: does nothing */

/* Begin a new episode in every env (counts as one more episode). The arrays of the last step are
 * set to 0. Errors: REIN_ENAN when a first observation is not finite. Allocates: no. */
rein_status rein_vec_reset(rein_vec *vec);

/* Step the envs of one block with the actions of its rows. Of a broken env, what is not finite is
 * replaced by 0, since a value is estimated from its last observation.
 * Errors: REIN_ENAN when an observation or reward is not finite and the env did not say broken;
 * names env, step and entry. The block is then half done: do not step it again.
 * Allocates: no. Cost: the envs' own steps and about 10 ns per env. */
rein_status rein_vec_step_block(rein_vec *vec, int block);

/* Step all envs, blocks spread over the team. Errors: as rein_vec_step_block, of the first block
 * in block order. Allocates: no. */
rein_status rein_vec_step(rein_vec *vec, rein_team *team);

/* Envs [*first, *first + count) belong to `block`; returns count. */
int rein_vec_block(const rein_vec *vec, int block, int *first);

/* Save or load every env's state, all counters and all batch arrays, so that a loaded vec goes on
 * byte for byte. Loading needs a vec of the same options; after an error it must be loaded or reset
 * before it is stepped. Errors: REIN_EFORMAT, REIN_EIO, REIN_ENOMEM. Allocates: yes. */
rein_status rein_vec_archive(rein_vec *vec, rein_archive *archive);

#endif
