/* One MuJoCo env without the vector env, for test_mujoco.c and test_mujoco_errors.c. */
#ifndef REIN_TESTS_ENVS_MUJOCO_WORLD_H
#define REIN_TESTS_ENVS_MUJOCO_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "envs/mujoco/classes.h"

enum { MAX_ROW = 512 };

static const rein_env_class *const world_classes[] = {
    &rein_half_cheetah_v4,
    &rein_hopper_v4,
    &rein_inverted_pendulum_v4,
};
enum { N_CLASSES = sizeof world_classes / sizeof world_classes[0] };

typedef struct world {
    const rein_env_class *env;
    rein_env_spec spec;
    void *config, *state;
    float observation[MAX_ROW], action[REIN_MAX_ACTION], reward;
    uint8_t terminated, broken;
    rein_env_io io;
} world;

/* settings: "key=value,key=value" as in the names of recorded groups, or NULL.
 * Errors: REIN_ENOTFOUND for a key that the class lacks, and those of the class. */
static inline rein_status world_configure(const rein_env_class *env, const char *settings,
                                          void *config)
{
    char copy[512], *rest = NULL;
    REIN_TRY(rein_fields_defaults(env->fields, env->n_fields, config));
    snprintf(copy, sizeof copy, "%s", settings != NULL ? settings : "");
    for (char *key = strtok_r(copy, ",", &rest); key != NULL; key = strtok_r(NULL, ",", &rest)) {
        char *value = strchr(key, '=');
        if (value == NULL) return rein_fail(REIN_ENOTFOUND, "no value in '%s'", key);
        *value++ = '\0';
        const rein_field *field = rein_fields_find(env->fields, env->n_fields, key);
        if (field == NULL) return rein_fail(REIN_ENOTFOUND, "no field '%s'", key);
        if (strcmp(value, "True") == 0) value = "true";
        if (strcmp(value, "False") == 0) value = "false";
        REIN_TRY(rein_field_set(field, config, value));
    }
    return REIN_OK;
}

static inline void world_close(world *w)
{
    if (w->state != NULL) w->env->fini(w->state);
    free(w->state);
    free(w->config);
    free(w);
}

static inline rein_status world_open(const rein_env_class *env, const char *settings, world **out)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->env = env;
    w->config = calloc(1, env->config_size);
    assert_non_null(w->config);
    rein_status status = world_configure(env, settings, w->config);
    if (status == REIN_OK) status = env->spec(w->config, &w->spec);
    if (status == REIN_OK) {
        size_t size = (w->spec.state_size + 63) / 64 * 64;
        assert_true(w->spec.observation.size <= MAX_ROW);
        w->state = aligned_alloc(64, size);
        assert_non_null(w->state);
        memset(w->state, 0, size);
        status = env->init(w->state, w->config);
    }
    if (status != REIN_OK) {
        free(w->state);
        w->state = NULL;
        world_close(w);
        return status;
    }
    w->io = (rein_env_io){.observation = w->observation,
                          .action = w->action,
                          .reward = &w->reward,
                          .terminated = &w->terminated,
                          .broken = &w->broken};
    *out = w;
    return REIN_OK;
}

static inline world *world_new(const rein_env_class *env, const char *settings)
{
    world *w = NULL;
    rein_status status = world_open(env, settings, &w);
    if (status != REIN_OK) fail_msg("%s: %s", env->id, rein_error_message());
    return w;
}

static inline void world_reset(world *w, uint64_t episode)
{
    rein_rng rng = rein_rng_stream(7, REIN_RNG_TEST, 0, episode);
    w->env->reset(w->state, &rng, &w->io);
}

static inline void world_step(world *w)
{
    rein_rng rng = rein_rng_stream(7, REIN_RNG_TEST, 1, 0);
    w->broken = 0;
    w->env->step(w->state, &rng, &w->io);
}

static inline void world_random_action(world *w, uint64_t step)
{
    rein_rng rng = rein_rng_stream(8, REIN_RNG_TEST, 0, step);
    for (int i = 0; i < w->spec.action.size; i++) {
        w->action[i] =
            (float)rein_rng_uniform_in(&rng, w->spec.action.low[i], w->spec.action.high[i]);
    }
}

static inline double *world_snapshot(const world *w)
{
    double *out = malloc(w->spec.snapshot_size);
    assert_non_null(out);
    w->env->save(w->state, out);
    return out;
}

#endif
