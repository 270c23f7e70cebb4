/* A trained policy: network, observation normaliser, action rule and spaces in one object and in
 * one file, policy.rein, so that a loaded policy can never miss its statistics.
 *
 * Thread-safety: read-only use from any thread, each with its own rein_policy_workspace. */
#ifndef REIN_ALGOS_POLICY_H
#define REIN_ALGOS_POLICY_H

#include <stdbool.h>

#include "base/rng.h"
#include "base/status.h"
#include "envs/env.h"
#include "nets/net.h"
#include "nets/recurrent.h"

typedef enum rein_head {
    REIN_HEAD_CATEGORICAL, /* outputs are logits [n]; deterministic: the largest */
    REIN_HEAD_GAUSSIAN,    /* outputs are means [size], log_std is a parameter; then clipped to the
                              action's bounds; deterministic: the mean */
    REIN_HEAD_Q,           /* outputs are action values [n]; the largest, or with probability
                              epsilon any action when not deterministic */
} rein_head;

typedef struct rein_policy_spec {
    char env_id[64], algo_id[32];
    rein_observation_space observation;
    rein_action_space action;
    rein_head head;
    rein_net_spec net;          /* n_out may exceed what the head reads (a value behind it); with a
                                   cell before the last layer (nets/recurrent.h) it has memory */
    bool normalize_observation; /* (x - mean) / sqrt(var + 1e-8), clipped to +- clip */
    double observation_clip;
} rein_policy_spec;

typedef struct rein_policy {
    rein_policy_spec spec;
    rein_net_script *script;   /* a copy that spec.net.script points to; NULL: none */
    rein_net *net;             /* NULL where there is a cell */
    rein_recurrent *recurrent; /* NULL where there is none */
    int n_out;                 /* of the network */
    size_t n_params;
    float *params;                  /* [n_params] */
    float *packed;                  /* of params; call rein_policy_pack after changing them */
    float log_std[REIN_MAX_ACTION]; /* GAUSSIAN */
    double epsilon;                 /* Q */
    double *mean, *var;             /* [observation.size] when normalize_observation */
    int64_t timesteps;              /* trained for */
} rein_policy;

typedef struct rein_policy_workspace rein_policy_workspace;

/* Errors: REIN_EINVAL, REIN_ENOMEM. */
rein_status rein_policy_create(const rein_policy_spec *spec, rein_policy **out);
void rein_policy_free(rein_policy *policy); /* NULL: does nothing */
void rein_policy_pack(rein_policy *policy);

rein_status rein_policy_workspace_create(const rein_policy *policy, int max_rows,
                                         rein_policy_workspace **out);
void rein_policy_workspace_free(rein_policy_workspace *workspace);

/* A policy with a cell has a state for each row of a workspace, which goes on from call to call;
 * all of this does nothing for others. Rows [0, n) of a call are rows [first, first + n) of the
 * workspace, first being 0 until rein_policy_at says otherwise. Allocates: no. */
void rein_policy_at(rein_policy_workspace *workspace, int first);
/* An episode begins in rows [first, first + n): their states are zeroed, as they are at creation.
 */
void rein_policy_reset(rein_policy_workspace *workspace, int first, int n);

/* Actions for n rows of raw observations (as an env writes them).
 *   observation    in   [n, obs] of spec.observation.dtype
 *   rng            io   NULL: deterministic
 *   action         out  [n, act] i32 or f32, within the action's bounds
 * Errors: REIN_EINVAL (more rows than the workspace has), REIN_ENAN when the network's output is
 * not finite. Allocates: no. */
rein_status rein_policy_act(const rein_policy *policy, rein_policy_workspace *workspace,
                            const void *observation, int n, rein_rng *rng, void *action);

/* What the network puts out for n rows of raw observations, before the head reads it.
 *   out  out  [n, n_out] f32
 * Errors: REIN_EINVAL (more rows than the workspace has), REIN_ENAN. Allocates: no. */
rein_status rein_policy_outputs(const rein_policy *policy, rein_policy_workspace *workspace,
                                const void *observation, int n, float *out);

/* What a network sees of raw observations: u8 times 1 / high, floats as they are; [n, size]. */
void rein_observation_to_float(const rein_observation_space *space, const void *observation, int n,
                               float *out);

/* policy.rein: a sealed HDF5 file (docs/file-formats.md). It holds a few observations with the
 * outputs they gave when it was written, and loading computes them again: a build that would act
 * otherwise says so. One message names the file and what is wrong with it.
 * Errors of save: REIN_EIO, REIN_ENOMEM, REIN_ENAN (the policy is not finite; nothing is written).
 * Of load: REIN_ENOTFOUND, REIN_EIO, REIN_EFORMAT, REIN_ENOMEM. Allocates: yes. */
rein_status rein_policy_save(const rein_policy *policy, const char *path);
rein_status rein_policy_load(const char *path, rein_policy **out);

/* Does the policy fit these spaces? Errors: REIN_EUNSUPPORTED with both shapes. */
rein_status rein_policy_fits(const rein_policy *policy, const rein_env_spec *spec);

#endif
