/* An experiment: the five sections of a config, checked, with every default filled in.
 *
 *     env:  what to learn          algo: how           net: the networks
 *     run:  how long, which seed   log:  what is kept
 *
 * Thread-safety: read-only after creation. */
#ifndef REIN_EXPERIMENTS_EXPERIMENT_H
#define REIN_EXPERIMENTS_EXPERIMENT_H

#include <stdio.h>

#include "algos/task.h"
#include "base/settings.h"
#include "envs/registry.h"

/* Of the section `env:`, what every environment has; the class's own fields come after. */
#define REIN_ENV_FIELDS(X)                                                                         \
    X(text, id, "", "", "environment to learn; `rein envs` lists them")                            \
    X(integer, n_envs, "1", "[1, 65536]", "copies of it, stepped side by side")                    \
    X(integer, max_episode_steps, "-1", "[-1, 1000000000]",                                        \
      "time limit in steps; -1: the environment's own, 0: none")
REIN_CONFIG_STRUCT(rein_env_section, REIN_ENV_FIELDS)

/* Of the section `algo:`, what every algorithm has. */
#define REIN_ALGO_FIELDS(X) X(text, id, "", "", "learning algorithm; `rein algos` lists them")
REIN_CONFIG_STRUCT(rein_algo_section, REIN_ALGO_FIELDS)

#define REIN_RUN_FIELDS(X)                                                                         \
    X(integer, total_timesteps, "100000", "[1, 1000000000000]",                                    \
      "environment steps over all copies")                                                         \
    X(integer, seed, "0", "[0, 1000000000000]", "of all random numbers")                           \
    X(integer, threads, "1", "[1, 1024]",                                                          \
      "worker threads; not given: all cores. The result does not depend on it")                    \
    X(text, out, "runs", "", "folder for run folders")                                             \
    X(text, name, "", "", "name of the run folder; empty: algo-env-s0 (the seed), numbered")
REIN_CONFIG_STRUCT(rein_run_section, REIN_RUN_FIELDS)

enum { REIN_ROLLOUTS_ALL, REIN_ROLLOUTS_EPISODES, REIN_ROLLOUTS_NONE };
#define REIN_LOG_FIELDS(X)                                                                         \
    X(choice, rollouts, "all", "all|episodes|none",                                                \
      "record every transition, only the table of episodes, or nothing")                           \
    X(real, checkpoint_every_s, "60", "[0, 1e9]",                                                  \
      "seconds between checkpoints; 0: only at a stop and at the end")                             \
    X(integer, eval_episodes, "10", "[0, 100000]", "episodes per evaluation; 0: none")             \
    X(integer, eval_every, "0", "[0, 1000000000000]",                                              \
      "steps between evaluations; 0: a twentieth of the run, or ten times the steps that an "      \
      "evaluation may take when that is more")
REIN_CONFIG_STRUCT(rein_log_section, REIN_LOG_FIELDS)

typedef struct rein_experiment {
    const rein_env_class *env_class;
    const rein_algo *algo_class;
    void *env_config, *algo_config; /* of these classes */
    rein_env_spec spec;             /* of the environment, so configured */
    rein_env_section env;
    rein_algo_section algo;
    rein_net_config net;
    rein_net_script *script; /* of net.script; NULL: none */
    rein_run_section run;
    rein_log_section log;
} rein_experiment;

/* Read all sections from settings, fill in what was left open (threads, eval_every), refuse
 * unknown keys, ask the algorithm whether it can do the task.
 * Errors: REIN_ECONFIG, REIN_ENOTFOUND, REIN_EUNSUPPORTED with the place of the setting;
 * REIN_ENOMEM. */
rein_status rein_experiment_create(rein_settings *settings, rein_experiment **out);
void rein_experiment_free(rein_experiment *experiment); /* NULL: does nothing */

/* What the algorithm trains on; borrows from the experiment. */
rein_task rein_experiment_task(const rein_experiment *experiment, rein_team *team);

/* The whole experiment as YAML that rein_experiment_create reads back to the same.
 *   *text  out  malloc'd; the caller frees
 * Errors: REIN_ENOMEM. */
rein_status rein_experiment_dump(const rein_experiment *experiment, char **text);

/* Hash of all settings that decide the numbers of a run: all but run.total_timesteps,
 * run.threads, run.out, run.name and log (but log.rollouts); of net.script what the file holds, not
 * where it is. Errors: REIN_ENOMEM. */
rein_status rein_experiment_hash(const rein_experiment *experiment, uint64_t *hash);

/* Fields of "env", "algo", "net", "run" or "log", without a class's own; NULL: no such section. */
const rein_field *rein_section_fields(const char *section, int *n);

#endif
