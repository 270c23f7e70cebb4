/* Recorded episodes of an HDF5 file, replayed against an environment: `rein check ENV --trace
 * FILE`. Thread-safety: one call at a time per file. */
#ifndef REIN_EXPERIMENTS_TRACE_H
#define REIN_EXPERIMENTS_TRACE_H

#include "envs/env.h"

typedef struct rein_trace_report {
    int n_groups, n_episodes; /* replayed */
    int64_t n_steps;
    int64_t n_compared; /* numbers */
    int n_skipped;      /* variants with settings that the class lacks */
    char note[512];     /* which were skipped, and why; "" for none */
} rein_trace_report;

/* Replay every group of the file that belongs to class `env`, until the first difference.
 *
 * A group belongs to ENV when its attribute env_id (or, without one, its name up to a comma) is
 * the class's id. "ENV,key=value,..." is recorded with those fields set. Groups named
 * mujoco-<version> hold groups for one version of the library; the linked one's are used (a 2.x
 * library without its own: those of another 2.x). A group holds
 *   - sub-groups, one per episode, with arrays action [T,..], terminated, truncated, reward [T]
 *     and the class's quantities [T+1,..] (init_X [n] for X where a given state differs), or
 *   - episodes one behind the other in arrays of R rows: first_row and steps [episodes]; the row of
 *     an episode's last state has no action.
 *   config  in   [env->config_size]; a variant's fields are set in a copy
 *   report  out  what was done, also after a difference
 * Errors: REIN_EDIFFER with file, group, step, quantity, both numbers; REIN_ENOTFOUND (no such
 * file, nothing in it belongs to ENV); REIN_EFORMAT (damaged, foreign, does not fit the class);
 * REIN_EUNSUPPORTED (recorded with other versions of MuJoCo only); REIN_ENOMEM. */
rein_status rein_trace_check(const rein_env_class *env, const void *config, const char *path,
                             rein_trace_report *report);

#endif
