/* What an algorithm trains on, and what an algorithm is. */
#ifndef REIN_ALGOS_TASK_H
#define REIN_ALGOS_TASK_H

#include "algos/run.h"
#include "base/field.h"
#include "base/team.h"
#include "envs/env.h"
#include "nets/net.h"

/* The section `net:` of a config. */
#define REIN_NET_FIELDS(X)                                                                         \
    X(integers, hidden, "[64, 64]", "[1, 65536]", "units of each hidden layer")                    \
    X(choice, activation, "tanh", REIN_ACTIVATION_WORDS, "after every hidden layer")               \
    X(words, layers, "[]", "",                                                                     \
      "layers instead of hidden and activation, such as [conv 16 3x3, relu, flatten, linear 128, " \
      "relu]; the output layer is added")                                                          \
    X(text, script, "", "",                                                                        \
      "TorchScript file, the network up to its output layer (or to net.layers, where given); "     \
      "trained like any other")                                                                    \
    X(choice, init, "orthogonal", REIN_INIT_WORDS, "initial weights")                              \
    X(choice, engine, "auto", REIN_ENGINE_WORDS,                                                   \
      "what computes the networks; auto: native where it can, else torch")                         \
    X(choice, device, "cpu", REIN_NET_DEVICE_WORDS, "where the torch engine computes")
REIN_CONFIG_STRUCT(rein_net_config, REIN_NET_FIELDS)

/* Borrowed pointers; everything outlives the training. */
typedef struct rein_task {
    const rein_env_class *env;
    const void *env_config; /* [env->config_size] */
    int n_envs;
    int max_episode_steps; /* -1: the environment's own; 0: none */
    rein_net_config net;
    const rein_net_script *script; /* of net.script; NULL: none */
    int64_t total_timesteps;       /* environment steps over all envs */
    uint64_t seed;
    rein_team *team;
} rein_task;

/* The task's network, from observations to n_out linear outputs.
 * Errors: REIN_ECONFIG or REIN_EUNSUPPORTED, naming the setting, the layer and what would help:
 * "net.layers[1] 'lienar 128': did you mean linear?". */
rein_status rein_task_net(const rein_task *task, const rein_observation_space *space, int n_out,
                          rein_net_spec *out);

/* The same for an algorithm with memory: net.layers may end with lstm or gru; where it does not,
 * `cell` comes before the outputs. */
rein_status rein_task_recurrent_net(const rein_task *task, const rein_observation_space *space,
                                    rein_layer cell, int n_out, rein_net_spec *out);

typedef struct rein_algo {
    const char *id;           /* "ppo" */
    const char *summary;      /* one line for `rein algos` */
    const char *cite;         /* paper and the implementation whose details it follows */
    const rein_field *fields; /* the section `algo:` but for its id */
    int n_fields;
    size_t config_size;

    /* Can this algorithm, so configured, train on this task? Called before a run folder is made.
     * Errors: REIN_EUNSUPPORTED ("dqn needs discrete actions, Pendulum-v1 has continuous ones: use
     * ppo"), REIN_ECONFIG (settings that do not fit together). */
    rein_status (*check)(const void *config, const rein_task *task, const rein_env_spec *spec);

    /* Train to the end, or until the run says stop. The loop belongs to the algorithm; it calls
     * `run` (algos/run.h) for resuming, logging, recording, evaluation and checkpoints.
     * Errors: REIN_EINTERRUPTED after a stop with a checkpoint; any other. */
    rein_status (*train)(const void *config, const rein_task *task, rein_run *run);
} rein_algo;

/* The class called `id`. Errors: REIN_ENOTFOUND with the nearest known id. */
rein_status rein_algo_find(const char *id, const rein_algo **out);
/* Entry i of the list in algos/registry.c; NULL behind the last. */
const rein_algo *rein_algo_at(int i);

#endif
