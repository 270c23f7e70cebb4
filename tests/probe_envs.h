/* Probe environments: so small that what an algorithm must learn is known, each one asking for one
 * thing more than the one before, so that the first that fails says which part is wrong.
 * After Andy Jones (2021), "Debugging RL, without the agonizing pain".
 *
 *     const rein_env_class *env = &probe_envs[PROBE_ACTION][PROBE_CONTINUOUS];
 *     probe_config config;
 *     rein_env_defaults(env, &config);
 *
 * | probe             | observation     | steps | reward                      | value          |
 * |-------------------|-----------------|-------|-----------------------------|----------------|
 * | PROBE_CONSTANT    | 0               | 1     | 1                           | 1              |
 * | PROBE_OBSERVATION | +1 or -1        | 1     | the observation             | observation    |
 * | PROBE_DISCOUNT    | 0, then 1       | 2     | 0, then 1                   | gamma, then 1  |
 * | PROBE_ACTION      | 0               | 1     | 1 for the right action, -1  | best policy: 1 |
 * | PROBE_BOTH        | +1 or -1        | 1     | 1 for the right action, -1  | best policy: 1 |
 *
 * The right action is 1 (continuous: above 0) in PROBE_ACTION, and the one that matches the sign of
 * the observation (1 or above 0 for +1, 0 or below 0 for -1) in PROBE_BOTH; elsewhere actions do
 * not matter. Discrete: 2 actions; continuous: 1 dimension in [-1, 1]. None has a time limit or is
 * in the registry.
 *
 * Two more, for tests of errors: probe_nan observes NaN and probe_broken says broken at step
 * `after` of an episode (and observes NaN, too, when `broken_nan` is set); else their observation
 * is the step number and their reward 1. They never terminate. */
#ifndef REIN_TESTS_PROBE_ENVS_H
#define REIN_TESTS_PROBE_ENVS_H

#include "envs/env.h"

enum { PROBE_CONSTANT, PROBE_OBSERVATION, PROBE_DISCOUNT, PROBE_ACTION, PROBE_BOTH, N_PROBES };
enum { PROBE_DISCRETE, PROBE_CONTINUOUS };

#define PROBE_FIELDS(X)                                                                            \
    X(choice, kind, "constant", "constant|observation|discount|action|both|nan|broken",            \
      "which probe")                                                                               \
    X(flag, continuous, "false", "", "a continuous action instead of a discrete one")              \
    X(integer, after, "5", "[1, 1000000]", "nan, broken: step of the episode at which it happens") \
    X(flag, broken_nan, "false", "", "broken: the observation is NaN, too")
REIN_CONFIG_STRUCT(probe_config, PROBE_FIELDS)

extern const rein_env_class probe_envs[N_PROBES][2]; /* [probe][discrete, continuous] */
extern const rein_env_class probe_nan, probe_broken;

#endif
