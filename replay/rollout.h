/* Rollout storage for on-policy learning: T steps of N rows, time-major [T, N].
 *
 * Values are estimated after the rollout: value [T,N] of observation[t], last_value [N] of the
 * observation after the last step, final_value [T,N] of the last observation of an episode that
 * was truncated at t (only read there). Thread-safety: blocks of rows may be written at once. */
#ifndef REIN_REPLAY_ROLLOUT_H
#define REIN_REPLAY_ROLLOUT_H

#include "base/archive.h"
#include "base/dtype.h"
#include "base/status.h"

typedef struct rein_rollout {
    int n_steps, n_rows;       /* T, N */
    int obs_size, action_size; /* elements per row */
    rein_dtype action_type;    /* I32 or F32 */
    float *observation;        /* [T, N, obs] f32: what the network saw (normalised) */
    void *action;              /* [T, N, act] i32 or f32, unclipped */
    float *log_prob;           /* [T, N] */
    float *reward;             /* [T, N] what the learner uses (normalised, clipped) */
    uint8_t *terminated;       /* [T, N] */
    uint8_t *truncated;        /* [T, N] */
    float *value;              /* [T, N] */
    float *last_value;         /* [N] */
    float *final_value;        /* [T, N] */
    float *advantage;          /* [T, N] */
    float *return_;            /* [T, N] advantage + value */
} rein_rollout;

/* Errors: REIN_EINVAL, REIN_ENOMEM. */
rein_status rein_rollout_create(int n_steps, int n_rows, int obs_size, rein_dtype action_type,
                                int action_size, rein_rollout **out);
void rein_rollout_free(rein_rollout *rollout); /* NULL: does nothing */

/* Generalised advantage estimation (Schulman et al. 2016, eq. 16) for rows [first, first+count):
 *     next  = 0 if terminated[t]; final_value[t] if truncated[t]; value[t+1], or last_value at T-1
 *     delta = reward + gamma next - value
 *     A[t]  = delta + gamma lambda A[t+1], the sum cut at either kind of end
 * bootstrap_truncated = false treats truncation as termination (next = 0), as CleanRL does.
 * Writes advantage and return_. Allocates: no. Threads: different rows at once. */
void rein_rollout_gae(rein_rollout *rollout, int first, int count, double gamma, double gae_lambda,
                      bool bootstrap_truncated);

#endif
