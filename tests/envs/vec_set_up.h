/* Vector envs for test_vec.c and test_vec_errors.c. */
#ifndef REIN_TESTS_ENVS_VEC_SET_UP_H
#define REIN_TESTS_ENVS_VEC_SET_UP_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "envs/registry.h"
#include "envs/vec.h"
#include "tests/probe_envs.h"

typedef struct set_up {
    const char *id;            /* of the registry */
    const rein_env_class *env; /* where id is NULL */
    int n_envs, block_size;
    int limit;     /* as max_episode_steps of the options */
    int64_t after; /* of the probes; 0: default */
    bool broken_nan;
} set_up;

static inline rein_status vec_try(const set_up *u, rein_vec **out)
{
    const rein_env_class *env = u->env;
    if (u->id != NULL) assert_int_equal(rein_env_find(u->id, &env), REIN_OK);
    void *config = calloc(1, env->config_size + sizeof(probe_config));
    assert_non_null(config);
    assert_int_equal(rein_env_defaults(env, config), REIN_OK);
    if (env == &probe_nan || env == &probe_broken) {
        probe_config *probe = config;
        if (u->after > 0) probe->after = u->after;
        probe->broken_nan = u->broken_nan;
    }
    rein_vec_options options = {.env = env,
                                .config = config,
                                .n_envs = u->n_envs,
                                .seed = 11,
                                .block_size = u->block_size,
                                .max_episode_steps = u->limit};
    rein_status status = rein_vec_create(&options, out);
    free(config);
    return status;
}

static inline rein_vec *vec_new(const set_up *u)
{
    rein_vec *vec = NULL;
    if (vec_try(u, &vec) != REIN_OK) fail_msg("%s", rein_error_message());
    return vec;
}

/* Random actions for all rows, from the step alone. */
static inline void vec_act(rein_vec *vec, uint64_t step)
{
    const rein_action_space *space = &vec->spec.action;
    for (int row = 0; row < vec->n_rows; row++) {
        rein_rng rng = rein_rng_stream(5, REIN_RNG_TEST, (uint32_t)row, step);
        for (int k = 0; k < space->size; k++) {
            int i = row * space->size + k;
            if (space->kind == REIN_DISCRETE) {
                ((int32_t *)vec->action)[i] = (int32_t)rein_rng_below(&rng, (uint32_t)space->n);
            } else {
                ((float *)vec->action)[i] = (float)rein_rng_uniform_in(&rng, -1, 1);
            }
        }
    }
}

static inline void vec_step_all(rein_vec *vec)
{
    for (int block = 0; block < vec->n_blocks; block++) {
        if (rein_vec_step_block(vec, block) != REIN_OK) fail_msg("%s", rein_error_message());
    }
}

#endif
