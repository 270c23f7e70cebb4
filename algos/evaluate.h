/* Evaluation: episodes with a fixed policy on fresh environments of their own random streams. */
#ifndef REIN_ALGOS_EVALUATE_H
#define REIN_ALGOS_EVALUATE_H

#include "algos/policy.h"
#include "base/team.h"

typedef struct rein_evaluation_options {
    const rein_policy *policy;
    const rein_env_class *env;
    const void *env_config;
    int max_episode_steps; /* -1: the environment's own; 0: none */
    int n_episodes;
    uint64_t seed; /* episode e uses stream (seed, EVAL, row e): the same starts each time */
    bool deterministic;
    rein_team *team; /* episodes are spread over it */
} rein_evaluation_options;

typedef struct rein_evaluation {
    int n_episodes;
    double return_mean, return_std, return_min, return_max; /* std: sample, n - 1 */
    double length_mean;
    int64_t steps;
} rein_evaluation;

/* Every env plays its one episode, so short episodes are not favoured. An episode without an end
 * (no time limit) is cut at 1,000,000 steps.
 *   returns  out  [n_episodes] or NULL
 * Errors: those of the env, of rein_policy_fits. Allocates: yes. */
rein_status rein_evaluate(const rein_evaluation_options *options, rein_evaluation *out,
                          double *returns);

#endif
