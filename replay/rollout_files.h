/* The files of recorded rollouts: one part, and rollouts.h5 that shows all parts as one. Used by
 * the recorder (its writer thread) and by rein_rollouts_check. */
#ifndef REIN_REPLAY_ROLLOUT_FILES_H
#define REIN_REPLAY_ROLLOUT_FILES_H

#include "replay/recorder.h"

/* The steps of one part in memory. Arrays have room for every step ending every episode. */
typedef struct rollout_part {
    int64_t number;     /* 1, 2, ...: rollouts/000001.h5 */
    int64_t first_step; /* global step of its first row */
    int64_t n_steps, n_episodes, n_finals;
    char *observation;       /* [T, n_rows, obs] */
    char *action;            /* [T, n_rows, act] */
    float *reward;           /* [T, n_rows] */
    uint8_t *terminated;     /* [T, n_envs] */
    uint8_t *truncated;      /* [T, n_envs] */
    char *final_observation; /* [T n_rows, obs], n_finals used */
    int64_t *final_index;    /* [T n_rows, 2] global step and row */
    double *episode_return;  /* [T n_envs], n_episodes used, as the six that follow */
    int32_t *episode_length;
    int32_t *episode_env;
    int64_t *episode_start, *episode_end;
    uint8_t *episode_terminated;
} rollout_part;

/* What rollouts.h5 needs to know of a part. */
typedef struct rollout_entry {
    int64_t n_steps, n_episodes, n_finals;
} rollout_entry;

/* folder/rollouts/000001.h5 into path [size]. */
void rollout_part_path(char *path, size_t size, const char *folder, int64_t number);

/* Number of a part from the name of its file, or of its temporary one; 0: another file. */
int64_t rollout_part_number(const char *name);

/* Write one part, or rollouts.h5 over parts 1 ... n_parts. Errors: REIN_EIO, REIN_ENOMEM. */
rein_status rollout_part_write(const rein_recorder_options *options, const rollout_part *part);
rein_status rollout_index_write(const rein_recorder_options *options, const rollout_entry *parts,
                                int64_t n_parts);

#endif
