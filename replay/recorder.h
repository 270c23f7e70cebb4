/* The rollout recorder: every transition and an episode table to HDF5, from a writer thread.
 *
 * Steps are collected into parts of a fixed number of steps; a full part is written as one sealed,
 * immutable file `rollouts/000001.h5`, ... A part holds
 *     observation [T, N, obs], action [T, N(, act)], reward [T, N], terminated, truncated [T, N],
 *     final_observation [K, obs] with final_index [K, 2] = (t, row): last observations of episodes
 *     episode/{return, length, env, start, end, terminated}: episodes that ended in this part;
 *       start and end are global steps of that env (rows of the whole run), so that
 *       observation[start:end, env] over all parts is the episode
 * and attributes first_step, env_id, action kind. `rollouts.h5` beside the folder shows all parts
 * as one through virtual datasets (relative paths), and is rewritten when a part is finished, at
 * most every few seconds, and at close. Part boundaries depend on the config alone, so the files'
 * bytes do not depend on threads or time.
 *
 * A killed run loses at most the part in the making; a checkpoint holds that part's rows
 * (rein_recorder_archive), and loading removes parts that are later than the checkpoint.
 *
 * Thread-safety: one caller; the writer thread is inside. */
#ifndef REIN_REPLAY_RECORDER_H
#define REIN_REPLAY_RECORDER_H

#include "base/archive.h"
#include "base/dtype.h"
#include "base/status.h"

typedef struct rein_recorder rein_recorder;

typedef struct rein_recorder_options {
    const char *folder;  /* the run folder: rollouts/ and rollouts.h5 are made inside */
    const char *env_id;
    int n_envs, n_agents;
    rein_dtype observation_type; /* F32 or U8 */
    int n_dims;                  /* of one observation: 1 to 3 */
    int shape[3];
    rein_dtype action_type;
    int action_size;    /* I32: 1 */
    bool transitions;   /* false: only the episode table */
    int64_t part_bytes; /* raw bytes per part; 0: 4 MiB */
} rein_recorder_options;

/* Errors: REIN_EIO, REIN_ENOMEM, REIN_EINVAL. */
rein_status rein_recorder_create(const rein_recorder_options *options, rein_recorder **out);

/* One or more steps of all envs; arrays are the caller's and are copied. */
typedef struct rein_recorder_steps {
    int n_steps;
    const void *observation;       /* [n_steps, n_rows, obs] before each step */
    const void *action;            /* [n_steps, n_rows, act] as the env received it */
    const float *reward;           /* [n_steps, n_rows] as the env gave it */
    const uint8_t *terminated;     /* [n_steps, n_envs] */
    const uint8_t *truncated;      /* [n_steps, n_envs] */
    const void *final_observation; /* [n_steps, n_rows, obs] read where an episode ended */
    const double *episode_return;  /* [n_steps, n_envs] read where an episode ended */
    const int32_t *episode_length; /* [n_steps, n_envs] read where an episode ended */
} rein_recorder_steps;

/* Append. Blocks only while two full parts wait for the writer. An error of the writer thread is
 * returned by the next call. With transitions = false only terminated, truncated, episode_return
 * and episode_length are read.
 * Errors: REIN_EIO (a full disk: names the file). Allocates: no. */
rein_status rein_recorder_push(rein_recorder *recorder, const rein_recorder_steps *steps);

/* Wait until all full parts are on disk. Errors: REIN_EIO. */
rein_status rein_recorder_sync(rein_recorder *recorder);

/* Save or load counters and the part in the making; loading removes later parts. Saving syncs. */
rein_status rein_recorder_archive(rein_recorder *recorder, rein_archive *archive);

/* Write what is left as a last part, write rollouts.h5, stop the thread, free.
 * Errors: REIN_EIO; everything is freed all the same. finish = false drops the part in the making
 * (used when a run stops at a checkpoint that holds it). NULL: does nothing. */
rein_status rein_recorder_close(rein_recorder *recorder, bool finish);

/* Check every part of a run folder: seals, shapes, episode table against transitions.
 * Errors: REIN_EFORMAT, REIN_ENOTFOUND with file and reason. */
rein_status rein_rollouts_check(const char *folder, int64_t *n_steps, int64_t *n_episodes,
                                double *return_sum);

#endif
