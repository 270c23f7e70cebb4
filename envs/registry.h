/* All environments that the program knows. Thread-safety: read-only tables. */
#ifndef REIN_ENVS_REGISTRY_H
#define REIN_ENVS_REGISTRY_H

#include "envs/env.h"

/* The class called `id`. Errors: REIN_ENOTFOUND with the nearest known id. */
rein_status rein_env_find(const char *id, const rein_env_class **out);

/* Entry i of the list, in the order of envs/registry.c; NULL behind the last. */
const rein_env_class *rein_env_at(int i);

/* A config of class `env` with its fields' defaults, then its preset.
 *   config  out  [env->config_size] bytes
 * Errors: REIN_ECONFIG if the class's own defaults are malformed. */
rein_status rein_env_defaults(const rein_env_class *env, void *config);

#endif
