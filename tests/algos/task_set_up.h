/* A small task for tests of algorithms and of their parts. */
#ifndef REIN_TESTS_ALGOS_TASK_SET_UP_H
#define REIN_TESTS_ALGOS_TASK_SET_UP_H

#include "tests/replay/temporary.h"

#include <math.h>

#include "algos/task.h"
#include "envs/registry.h"

/* A task on `env` with its defaults, seed 1, two hidden layers of 64 tanh. Close with
 * rein_team_free(task->team). */
static inline void task_set_up(const rein_env_class *env, int n_envs, int n_threads,
                               char env_config[1024], rein_task *task)
{
    assert_true(env->config_size <= 1024);
    memset(env_config, 0, 1024);
    assert_ok(rein_env_defaults(env, env_config));
    *task = (rein_task){
        .env = env,
        .env_config = env_config,
        .n_envs = n_envs,
        .max_episode_steps = -1,
        .net = {.hidden = {2, {64, 64}}, .activation = REIN_TANH, .init = REIN_INIT_ORTHOGONAL},
        .total_timesteps = 1000000,
        .seed = 1,
    };
    assert_ok(rein_team_create(n_threads, &task->team));
}

static inline const rein_env_class *task_env(const char *id)
{
    const rein_env_class *env;
    assert_ok(rein_env_find(id, &env));
    return env;
}

#endif
