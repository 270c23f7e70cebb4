/* What an environment is.
 *
 * A family of environments is one const rein_env_class, listed in envs/registry.c. The vector env
 * (envs/vec.h) owns the batch arrays and calls the class through row pointers; an environment
 * never sees time limits, autoreset, other environments or threads.
 *
 * Rules for `reset` and `step`: they cannot fail, allocate nothing, touch only *state and *io, and
 * draw random numbers only from the stream they are given. */
#ifndef REIN_ENVS_ENV_H
#define REIN_ENVS_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/field.h"
#include "base/rng.h"
#include "base/status.h"

enum { REIN_MAX_ACTION = 64, REIN_MAX_DIMS = 3 };

typedef struct rein_observation_space {
    rein_dtype dtype;         /* REIN_F32 or REIN_U8 */
    int n_dims;               /* 1 for a vector, 3 for an image */
    int shape[REIN_MAX_DIMS]; /* [n_dims] */
    int size;                 /* product of shape */
    float low, high;          /* bounds of every element; -INFINITY, INFINITY where unbounded.
                                 U8 observations are divided by `high` before a network */
} rein_observation_space;

typedef enum rein_action_kind { REIN_DISCRETE, REIN_CONTINUOUS } rein_action_kind;

typedef struct rein_action_space {
    rein_action_kind kind;
    int n;    /* DISCRETE: number of actions; the action array is i32 [1] */
    int size; /* CONTINUOUS: number of dimensions; the action array is f32 [size]. DISCRETE: 1 */
    float low[REIN_MAX_ACTION], high[REIN_MAX_ACTION]; /* CONTINUOUS: [size] bounds */
} rein_action_space;

typedef struct rein_env_spec {
    rein_observation_space observation; /* of one agent */
    rein_action_space action;           /* of one agent */
    int n_agents;                       /* >= 1; each has its own row of the batch arrays */
    int max_episode_steps;              /* time limit, kept by the vector env; 0: none */
    size_t state_size;                  /* bytes of *state */
    size_t snapshot_size;               /* bytes that save writes; 0: state_size, plain copy */
    double reward_threshold;            /* return that counts as solved; NAN: none published */
    bool slow_step;                     /* a step costs microseconds (physics), not nanoseconds:
                                           blocks are then small so that threads share the work */
} rein_env_spec;

/* One env's rows of the batch arrays; owned by the vector env. */
typedef struct rein_env_io {
    void *observation;   /* [n_agents, observation.size] of observation.dtype; written by reset and
                            step */
    const void *action;  /* [n_agents, action.size] i32 or f32; f32 actions come unclipped */
    float *reward;       /* [n_agents]; written by step */
    uint8_t *terminated; /* [1] set to 0 or 1 by step: the task itself ended (never a time limit) */
    uint8_t *broken;     /* [1] 0 before each step; set to 1 when the simulation diverged: the
                            vector env then truncates the episode and counts it */
} rein_env_io;

/* A quantity that can be read (and perhaps set) in double precision, for recorded traces and
 * checks: names are those of the datasets in the reference files ("state", "qpos", "obs"). */
typedef struct rein_env_quantity {
    const char *name;
    int size;         /* number of doubles */
    bool settable;    /* poke accepts it: part of what defines the state at a trace's row 0 */
    double tolerance; /* largest difference per step allowed by `rein check --trace`, relative to
                         max(1, |recorded|); 0: exact */
    int steps;        /* the tolerance holds for this many steps of a trace; 0: all of it */
} rein_env_quantity;

typedef struct rein_env_class {
    const char *id;      /* "CartPole-v1" */
    const char *summary; /* one line for `rein envs` */
    const char *cite;    /* source and version reproduced */
    const char *preset;  /* "key=value key=value": fields of this id that differ from the fields'
                            defaults; NULL: none */
    const rein_field *fields; /* what configs may set under `env:` */
    int n_fields;
    size_t config_size;

    /* required: spaces, limits and sizes for this config. Errors: REIN_ECONFIG, REIN_EIO. */
    rein_status (*spec)(const void *config, rein_env_spec *out);
    /* required: *state is spec.state_size zero bytes, 64-byte aligned; may allocate. */
    rein_status (*init)(void *state, const void *config);
    /* required: begin an episode, write the observation. */
    void (*reset)(void *state, rein_rng *rng, rein_env_io *io);
    /* required: one step: read action; write observation, reward, terminated (and broken). */
    void (*step)(void *state, rein_rng *rng, rein_env_io *io);
    /* optional: copy what defines the rest of the episode to / from snapshot_size bytes.
     * NULL: the state is plain bytes without pointers and is copied whole. */
    void (*save)(const void *state, void *snapshot);
    rein_status (*load)(void *state, const void *snapshot);
    /* optional: undo init. NULL: nothing to undo. */
    void (*fini)(void *state);

    /* optional, all three or none: quantities for traces. The list ends with name = NULL and may
     * depend on the state's config (map size). "obs" and "reward", when listed, are what step
     * computed before rounding to float. peek writes, poke sets, `size` doubles; after the last
     * poke of a trace's first row, `observe` (if given) rewrites the observation. */
    const rein_env_quantity *(*quantities)(const void *state);
    void (*peek)(const void *state, const char *name, double *out);
    rein_status (*poke)(void *state, const char *name, const double *values);
    void (*observe)(void *state, rein_env_io *io);
} rein_env_class;

#endif
