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
    void *final_observation; /* [n_rows, obs] valid where the last step ended the episode */
    double *episode_return;  /* [n_envs] sum of rewards over steps and agents: of the episode that
                                the last step ended, or of the one in progress */
    int32_t *episode_length; /* [n_envs] likewise */

    uint32_t *episode; /* [n_envs] episodes begun: the RESET counter */
    uint64_t *steps;   /* [n_envs] steps taken: the DYNAMICS counter */
    int64_t *n_broken; /* [n_envs] episodes cut because the simulation diverged */

    unsigned char *states; /* [n_envs, state_stride] */
    size_t state_stride, observation_bytes, action_bytes; /* bytes per env, row, row */
    int32_t *done_length; /* private: [n_envs] 1 where the next step begins a new sum */
} rein_vec;

typedef struct rein_vec_options {
    const rein_env_class *env;
    const void *config;          /* [env->config_size], read at creation only */
    int n_envs;                  /* >= 1 */
    int block_size;              /* 0: chosen from n_envs and spec.slow_step alone */
    int max_episode_steps;       /* -1: the spec's; 0: none */
    uint64_t seed;
    rein_rng_purpose reset_purpose; /* 0: REIN_RNG_RESET; evaluation uses REIN_RNG_EVAL */
} rein_vec_options;

/* Allocate everything and begin N episodes. Errors: REIN_EINVAL, REIN_ENOMEM, those of the class. */
rein_status rein_vec_create(const rein_vec_options *options, rein_vec **out);
void rein_vec_free(rein_vec *vec); /* NULL: does nothing */

/* Begin a new episode in every env (counts as one more episode). */
void rein_vec_reset(rein_vec *vec);

/* Step the envs of one block with the actions of its rows.
 * Errors: REIN_ENAN when an observation or reward is not finite and the env did not say broken;
 * names env, step and entry. Allocates: no. */
rein_status rein_vec_step_block(rein_vec *vec, int block);

/* Step all envs, blocks spread over the team. Errors: as rein_vec_step_block. Allocates: no. */
rein_status rein_vec_step(rein_vec *vec, rein_team *team);

/* Envs [*first, *first + count) belong to `block`; returns count. */
int rein_vec_block(const rein_vec *vec, int block, int *first);

/* Save or load every env's state and all batch arrays. Errors: REIN_EFORMAT, REIN_EIO. */
rein_status rein_vec_archive(rein_vec *vec, rein_archive *archive);

#endif
