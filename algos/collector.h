/* What an on-policy learner collects: T steps of a vector env in a rollout, as the networks see
 * them, and beside it what the environments gave and received, for the recorder.
 *
 *     rein_collector_open(c);
 *     for each block, on any thread:
 *         rein_collector_begin(c, block);
 *         for (t = 0; t < T; t++) {
 *             ... rollout->observation[t], start[t] to rollout->action[t], the block's rows ...
 *             REIN_TRY(rein_collector_step(c, block, t));
 *         }
 *     rein_collector_close(c);
 *
 * Thread-safety: begin and step for different blocks at once; everything else for one caller.
 * Allocates: at creation only. */
#ifndef REIN_ALGOS_COLLECTOR_H
#define REIN_ALGOS_COLLECTOR_H

#include "algos/normalizer.h"
#include "algos/task.h"
#include "envs/vec.h"
#include "replay/rollout.h"

typedef struct rein_collector_options {
    int n_steps;                /* T */
    int block_size;             /* envs per block; 0: the vector env's own choice */
    bool record;                /* keep raw transitions for a recorder */
    bool final_observations;    /* keep the last observations of episodes, as networks see them */
    bool normalize_observation; /* by running mean and variance (algos/normalizer.h) */
    bool normalize_reward;      /* by the running std of the discounted return */
    double observation_clip, reward_clip, gamma;
} rein_collector_options;

/* N = rows of the vector env (envs x agents), E = envs. */
typedef struct rein_collector {
    rein_collector_options options;
    rein_vec *vec;
    bool continuous;
    int obs, act; /* elements of an observation and of an action */
    int64_t step; /* environment steps done */
    rein_episodes episodes;

    rein_rollout *rollout;    /* observation, action, reward, terminated, truncated are kept here */
    uint8_t *start;           /* [T, N] 1: this observation is the first of an episode */
    float *final_observation; /* [T, N, obs] where an episode ended; NULL unless wanted */
    float *next_observation;  /* [N, obs] behind the last step */
    uint8_t *next_start;      /* [N] likewise */

    /* Statistics between rollouts, and each vec block's copy within one. NULL when off. */
    rein_normalizer *observation_stats, **block_observation_stats;
    rein_normalizer *return_stats, **block_return_stats;
    double *running_return; /* [N] discounted return so far */

    /* Raw numbers. Some are the rollout's own arrays when those hold the same. */
    void *raw_observation;   /* [T, N, obs] observation dtype; record */
    void *raw_action;        /* [T, N, act] within bounds; record */
    float *raw_reward;       /* [T, N] */
    uint8_t *env_terminated; /* [T, E] */
    uint8_t *env_truncated;  /* [T, E] */
    void *raw_final;         /* [T, N, obs] observation dtype, where ended; record */
    double *episode_return;  /* [T, E] where ended */
    int32_t *episode_length; /* [T, E] where ended */
    void *memory;            /* one block for the arrays above */
} rein_collector;

/* Envs and rows of a block. */
typedef struct rein_collector_span {
    int env, n_envs, row, n_rows;
} rein_collector_span;

/* Make the environments and begin all episodes. Errors: REIN_ECONFIG, REIN_ENOMEM, those of the
 * environment. */
rein_status rein_collector_create(const rein_collector_options *options, const rein_task *task,
                                  rein_collector **out);
void rein_collector_free(rein_collector *collector); /* NULL: does nothing */

rein_collector_span rein_collector_block(const rein_collector *collector, int block);

/* Before a rollout. */
void rein_collector_open(rein_collector *collector);
/* observation and start of the block's rows at step 0. */
void rein_collector_begin(rein_collector *collector, int block);
/* One environment step of the block with rollout->action of step t: reward and ends of step t,
 * observation and start of step t + 1 (behind the last: next_observation, next_start).
 * Errors: REIN_ENAN. */
rein_status rein_collector_step(rein_collector *collector, int block, int t);
/* After all blocks: statistics merged in block order, episodes counted in order of (step, env),
 * step += T E. */
void rein_collector_close(rein_collector *collector);

/* Give the rollout to a recorder; NULL: nobody wants it. Errors: those of the recorder. */
rein_status rein_collector_record(const rein_collector *collector, rein_recorder *recorder);

/* Everything that the next rollout depends on. Errors: those of the archive. */
rein_status rein_collector_archive(rein_collector *collector, rein_archive *archive);

/* Entry i of an array of elements of so many bytes. */
static inline void *rein_row_at(const void *array, size_t i, size_t bytes)
{
    return (char *)(uintptr_t)array + i * bytes;
}

#endif
