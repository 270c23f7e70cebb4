#include "envs/registry.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "envs/classic/classes.h"
#include "envs/grid/classes.h"
#include "envs/mujoco/classes.h"
#include "envs/toy/classes.h"

/* In the order of `rein envs`. */
static const rein_env_class *const env_classes[] = {
    &rein_cartpole_v1,
    &rein_acrobot_v1,
    &rein_mountain_car_v0,
    &rein_mountain_car_continuous_v0,
    &rein_pendulum_v1,
    &rein_grid_empty_5x5,
    &rein_grid_empty_6x6,
    &rein_grid_empty_8x8,
    &rein_grid_empty_16x16,
    &rein_grid_empty_random_5x5,
    &rein_grid_empty_random_6x6,
    &rein_grid_door_key_5x5,
    &rein_grid_door_key_6x6,
    &rein_grid_door_key_8x8,
    &rein_grid_door_key_16x16,
    &rein_half_cheetah_v4,
    &rein_hopper_v4,
    &rein_inverted_pendulum_v4,
    &rein_t_maze_v0,
};
enum { N_CLASSES = sizeof env_classes / sizeof env_classes[0], NAME_SIZE = 64 };

const rein_env_class *rein_env_at(int i)
{
    return i >= 0 && i < N_CLASSES ? env_classes[i] : NULL;
}

/* ---- by name ------------------------------------------------------------------------------- */

/* Lower case, cut to NAME_SIZE; without_version: up to "-v4". */
static void registry_fold(const char *id, bool without_version, char out[NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "%s", id);
    for (char *c = out; *c != '\0'; c++) *c = (char)tolower((unsigned char)*c);
    char *version = strstr(out, "-v");
    if (without_version && version != NULL) *version = '\0';
}

/* How far what was typed is from an id: letter case and a left-out version count for nothing. */
static int registry_distance(const char *typed, const char *id)
{
    char a[NAME_SIZE], b[NAME_SIZE];
    registry_fold(typed, false, a);
    registry_fold(id, false, b);
    int distance = rein_edit_distance(a, b);
    registry_fold(id, true, b);
    int bare = rein_edit_distance(a, b);
    return bare < distance ? bare : distance;
}

rein_status rein_env_find(const char *id, const rein_env_class **out)
{
    *out = NULL;
    const rein_env_class *nearest = env_classes[0];
    int smallest = registry_distance(id, nearest->id);
    for (int i = 0; i < N_CLASSES; i++) {
        if (strcmp(env_classes[i]->id, id) == 0) {
            *out = env_classes[i];
            return REIN_OK;
        }
        int distance = registry_distance(id, env_classes[i]->id);
        if (distance < smallest) {
            smallest = distance;
            nearest = env_classes[i];
        }
    }
    if (smallest > rein_hint_distance(id)) {
        return rein_fail(REIN_ENOTFOUND, "unknown environment '%s'; `rein envs` lists all", id);
    }
    return rein_fail(REIN_ENOTFOUND, "unknown environment '%s', did you mean %s?", id, nearest->id);
}

/* ---- defaults ------------------------------------------------------------------------------ */

/* One "key=value" of a preset. */
static rein_status registry_set(const rein_env_class *env, char *assignment, void *config)
{
    char *value = strchr(assignment, '=');
    if (value == NULL) {
        return rein_fail(REIN_ECONFIG, "preset of %s: '%s' is not key=value", env->id, assignment);
    }
    *value++ = '\0';
    const rein_field *field = rein_fields_find(env->fields, env->n_fields, assignment);
    if (field == NULL) {
        return rein_fail(REIN_ECONFIG, "preset of %s: no field '%s'", env->id, assignment);
    }
    rein_status status = rein_field_set(field, config, value);
    if (status != REIN_OK) return rein_fail_in(status, "preset of %s: %s", env->id, assignment);
    return REIN_OK;
}

rein_status rein_env_defaults(const rein_env_class *env, void *config)
{
    char preset[512], *rest = NULL;
    memset(config, 0, env->config_size); /* bytes between members, too */
    rein_status status = rein_fields_defaults(env->fields, env->n_fields, config);
    if (status != REIN_OK) return rein_fail_in(status, "%s", env->id);
    if (env->preset == NULL) return REIN_OK;
    int length = snprintf(preset, sizeof preset, "%s", env->preset);
    if (length < 0 || (size_t)length >= sizeof preset) {
        return rein_fail(REIN_ECONFIG, "preset of %s is too long", env->id);
    }
    for (char *word = strtok_r(preset, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        REIN_TRY(registry_set(env, word, config));
    }
    return REIN_OK;
}
