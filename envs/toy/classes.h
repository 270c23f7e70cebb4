/* Small environments that ask for one ability, for envs/registry.c. */
#ifndef REIN_ENVS_TOY_CLASSES_H
#define REIN_ENVS_TOY_CLASSES_H

#include "envs/env.h"

extern const rein_env_class rein_t_maze_v0;

#endif
