/* What all MuJoCo tasks share. A task is one file: its fields, a rein_robot with four short
 * functions, and the rein_env_class made of both; see half_cheetah.c. */
#ifndef REIN_ENVS_MUJOCO_ROBOT_H
#define REIN_ENVS_MUJOCO_ROBOT_H

#include "envs/env.h"
#include "envs/mujoco/sim.h"

/* The first fields of every task's list; `frame_skip_text` is its default, "5". */
#define REIN_ROBOT_FIELDS(X, frame_skip_text)                                                      \
    X(integer, frame_skip, frame_skip_text, "[1, 1000]", "physics steps per environment step")     \
    X(text, model, "", "", "MJCF file to use instead of the built-in model")

#define REIN_ROBOT_COMMON_FIELDS(X) REIN_ROBOT_FIELDS(X, "1")
REIN_CONFIG_STRUCT(rein_robot_config, REIN_ROBOT_COMMON_FIELDS)

/* At file scope of a task: its config begins like rein_robot_config. */
#define REIN_ROBOT_CHECK_CONFIG(config)                                                            \
    _Static_assert(offsetof(config, frame_skip) == offsetof(rein_robot_config, frame_skip) &&      \
                       offsetof(config, model) == offsetof(rein_robot_config, model),              \
                   "REIN_ROBOT_FIELDS must come first")

typedef struct rein_robot_outcome {
    double reward;
    bool terminated;
} rein_robot_outcome;

typedef struct rein_robot {
    const char *model;       /* built-in MJCF, a file of models/ */
    size_t config_size;      /* its first bytes are a rein_robot_config */
    int min_positions;       /* entries of qpos that the functions below index; a user's model must
                                have as many */
    int max_episode_steps;   /* time limit of the vector env */
    double reward_threshold; /* return that counts as solved */

    /* number of entries that `observe` writes */
    int (*observation_size)(const mjModel *model, const void *config);
    /* data is at the model's initial state: write data->qpos and data->qvel of a new episode */
    void (*reset)(rein_sim *sim, const void *config, rein_rng *rng);
    /* call rein_sim_step once and fill *out; false as soon as that returned false */
    bool (*step)(rein_sim *sim, const void *config, const float *action, rein_robot_outcome *out);
    /* the observation of the present state, in double */
    void (*observe)(const rein_sim *sim, const void *config, double *out);
} rein_robot;

/* The slots of rein_env_class `spec` and `init` for one robot; a task wraps them.
 * Errors: those of rein_sim_init; REIN_EUNSUPPORTED when a user's model does not fit the task. */
rein_status rein_robot_spec(const rein_robot *robot, const void *config, rein_env_spec *out);
rein_status rein_robot_init(const rein_robot *robot, void *state, const void *config);

/* The other slots, the same for every robot. */
void rein_robot_reset(void *state, rein_rng *rng, rein_env_io *io);
void rein_robot_step(void *state, rein_rng *rng, rein_env_io *io);
void rein_robot_save(const void *state, void *snapshot);
rein_status rein_robot_load(void *state, const void *snapshot);
void rein_robot_fini(void *state);
const rein_env_quantity *rein_robot_quantities(const void *state);
void rein_robot_peek(const void *state, const char *name, double *out);
rein_status rein_robot_poke(void *state, const char *name, const double *values);
void rein_robot_observe(void *state, rein_env_io *io);

#define REIN_ROBOT_SLOTS                                                                           \
    .reset = rein_robot_reset, .step = rein_robot_step, .save = rein_robot_save,                   \
    .load = rein_robot_load, .fini = rein_robot_fini, .quantities = rein_robot_quantities,         \
    .peek = rein_robot_peek, .poke = rein_robot_poke, .observe = rein_robot_observe

/* x [n] += uniform on [-scale, scale). Draws: 2 n numbers. */
void rein_robot_add_uniform(double *x, int n, double scale, rein_rng *rng);

/* x [n] += scale * standard normal. Draws: 4 n numbers. */
void rein_robot_add_normal(double *x, int n, double scale, rein_rng *rng);

/* Sum of squares of the action [n], in double. */
double rein_robot_action_cost(const float *action, int n);

#endif
