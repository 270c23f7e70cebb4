/* The rollout recorder: every transition and an episode table to HDF5, from a writer thread.
 *
 * Steps are collected into parts of a fixed number of steps; a full part is written as one sealed,
 * immutable file `rollouts/000001.h5`, ... A part holds (n_rows = n_envs * n_agents)
 *     observation [T, n_rows, obs...], action [T, n_rows(, act)] (no act for discrete actions),
 *     reward [T, n_rows], terminated, truncated [T, n_envs],
 *     final_observation [K, obs...] with final_index [K, 2] = (step, row): last observations
 *     episode/{return, length, env, start, end, terminated}: episodes that ended in this part, in
 *       order of (step, env). start and end are global steps of that env (rows of the whole run),
 *       as is final_index' step, so that observation[start:end, env] over all parts is the episode
 * and attributes; docs/file-formats.md has them all. `rollouts.h5` beside the folder shows all
 * parts as one through virtual datasets (relative paths); it is written with the first part, then
 * at most every few seconds, and at close. Part boundaries depend on the config alone, so the
 * parts' bytes do not depend on threads, time or on how steps were split into pushes.
 *
 * A killed run loses at most the parts in the making; a checkpoint holds the rows of the one being
 * filled (rein_recorder_archive), and loading removes parts that are later than the checkpoint. A
 * recorder that begins without a checkpoint removes what an earlier life left in the folder, at
 * its first push.
 *
 * Memory: up to three times part_bytes (two as long as the disk keeps up), and about as much again
 * while a part is being written. A full disk shows as REIN_EIO only if the program ignores SIGXFSZ
 * where a file size limit is set.
 *
 * Thread-safety: one caller; the writer thread is inside (it allocates; push does not). */
#ifndef REIN_REPLAY_RECORDER_H
#define REIN_REPLAY_RECORDER_H

#include "base/archive.h"
#include "base/dtype.h"
#include "base/status.h"

typedef struct rein_recorder rein_recorder;

typedef struct rein_recorder_options {
    const char *folder; /* the run folder: rollouts/ and rollouts.h5 are made inside */
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

/* Append. Blocks only while three full parts wait for the writer. An error of the writer thread is
 * returned by the next call. With transitions = false only terminated, truncated, episode_return
 * and episode_length are read.
 * Errors: REIN_EIO (a full disk: names the file); from then on every call returns it, what was
 * on disk stays. Allocates: no. */
rein_status rein_recorder_push(rein_recorder *recorder, const rein_recorder_steps *steps);

/* Wait until all full parts are on disk. Errors: REIN_EIO. */
rein_status rein_recorder_sync(rein_recorder *recorder);

/* Save or load counters and the part in the making; loading removes later parts. Saving syncs. */
rein_status rein_recorder_archive(rein_recorder *recorder, rein_archive *archive);

/* Write what is left as a last part, write rollouts.h5, stop the thread, free.
 * Errors: REIN_EIO; everything is freed all the same. finish = false drops the part in the making
 * (used when a run stops at a checkpoint that holds it). NULL: does nothing. */
rein_status rein_recorder_close(rein_recorder *recorder, bool finish);

/* Check every part of a run folder: seals, shapes, episode table against transitions, rollouts.h5
 * against the parts.
 *   n_steps     out  steps of every env; NULL: not wanted, as the others
 *   n_episodes  out  episodes that ended
 *   return_sum  out  of their returns, added in the table's order
 * Errors: REIN_EFORMAT, REIN_ENOTFOUND with file and reason. Threads: any; allocates. */
rein_status rein_rollouts_check(const char *folder, int64_t *n_steps, int64_t *n_episodes,
                                double *return_sum);

#endif
