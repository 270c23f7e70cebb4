/* One simulated world: a shared const mjModel and an mjData of its own.
 *
 * - Models are compiled once and shared by all simulations of the same file (counted references).
 * - MuJoCo reports an internal error through a callback that must not return. Here it jumps back
 *   into the call that started it (thread-local), so an error ends an episode or a load, never
 *   the program.
 * - Works with MuJoCo 2.2.2 and later.
 *
 * Thread-safety: a simulation belongs to one thread at a time; different ones are independent. */
#ifndef REIN_ENVS_MUJOCO_SIM_H
#define REIN_ENVS_MUJOCO_SIM_H

#include <mujoco/mujoco.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct rein_sim {
    const mjModel *model; /* shared, read-only */
    mjData *data;         /* owned */
    int frame_skip;       /* mj_steps per step */
    double dt_s;          /* simulated seconds per step: timestep * frame_skip */
} rein_sim;

/* The compiled model of an MJCF file; the same object for the same file while anyone holds it.
 *   built_in  in   name of a file of models/, "half_cheetah.xml"
 *   path      in   a file to load instead; NULL or "": the built-in one
 *   out       out  give back with rein_model_release
 * Errors: REIN_ENOTFOUND no such file; REIN_ECONFIG not a valid model, with MuJoCo's own words;
 * REIN_ENOMEM. Allocates: yes. Thread-safety: any thread. */
rein_status rein_model_acquire(const char *built_in, const char *path, const mjModel **out);

/* Give a reference back; the last one frees the model. NULL: does nothing. */
void rein_model_release(const mjModel *model);

/* Acquire a model and make its mjData.
 *   frame_skip  in  mj_steps per step, >= 1
 * Errors: those of rein_model_acquire; REIN_ENOMEM. Allocates: yes. */
rein_status rein_sim_init(rein_sim *sim, const char *built_in, const char *path, int frame_skip);

/* Undo rein_sim_init; a zeroed sim is fine. */
void rein_sim_fini(rein_sim *sim);

/* Back to the model's initial state (mj_resetData): qpos = qpos0, all else 0. The caller then
 * writes data->qpos and data->qvel and calls rein_sim_forward. Allocates: no. */
void rein_sim_reset(rein_sim *sim);

/* mj_forward. It fills the acceleration from which the next step's solver starts, so it belongs
 * to the exact beginning of an episode. false: MuJoCo failed or a number is bad. Allocates: no. */
bool rein_sim_forward(rein_sim *sim);

/* Apply the controls and advance by frame_skip physics steps.
 *   action  in  [model->nu] f32; the model clamps what its actuators limit
 * false: the simulation diverged (a number in qpos, qvel, qacc or ctrl is NaN or beyond 1e10) or
 * MuJoCo failed; the state is then meaningless until rein_sim_reset. Allocates: no. */
bool rein_sim_step(rein_sim *sim, const float *action);

/* A snapshot is the state from which mj_step continues exactly, in doubles. */
int rein_sim_snapshot_size(const mjModel *model);     /* number of doubles */
void rein_sim_save(const rein_sim *sim, double *out); /* out [rein_sim_snapshot_size] */
void rein_sim_load(rein_sim *sim, const double *in);  /* in [rein_sim_snapshot_size] */

#endif
