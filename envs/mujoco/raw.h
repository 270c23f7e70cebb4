/* Physics alone, for benchmarks: what `rein bench` holds the environments against. */
#ifndef REIN_ENVS_MUJOCO_RAW_H
#define REIN_ENVS_MUJOCO_RAW_H

#include <stdint.h>

#include "base/status.h"

/* What one env did, to be repeated with mj_step and nothing else. */
typedef struct rein_mujoco_tape {
    const char *built_in; /* a file of models/ */
    int frame_skip;       /* mj_steps per row */
    int n_steps;          /* rows */
    const float *action;  /* [n_steps, nu] */
    const uint8_t *begin; /* [n_steps] 1: an episode begins with this row, at state [row] */
    const double *qpos;   /* [n_steps, nq] read where begin is 1 */
    const double *qvel;   /* [n_steps, nv] likewise */
} rein_mujoco_tape;

/* Repeat the tape; *seconds is the time in mj_step and in setting ctrl alone (putting a new
 * episode's state in place is not counted).
 * Errors: those of rein_model_acquire; REIN_ENAN when the simulation diverges.
 * Allocates: an mjData. Thread-safety: any number of threads at once, each with its own call. */
rein_status rein_mujoco_replay(const rein_mujoco_tape *tape, double *seconds);

#endif
