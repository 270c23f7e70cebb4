/* The MiniGrid environments, for envs/registry.c. */
#ifndef REIN_ENVS_GRID_CLASSES_H
#define REIN_ENVS_GRID_CLASSES_H

#include "envs/env.h"

extern const rein_env_class rein_grid_empty_5x5;
extern const rein_env_class rein_grid_empty_6x6;
extern const rein_env_class rein_grid_empty_8x8;
extern const rein_env_class rein_grid_empty_16x16;
extern const rein_env_class rein_grid_empty_random_5x5;
extern const rein_env_class rein_grid_empty_random_6x6;
extern const rein_env_class rein_grid_door_key_5x5;
extern const rein_env_class rein_grid_door_key_6x6;
extern const rein_env_class rein_grid_door_key_8x8;
extern const rein_env_class rein_grid_door_key_16x16;

#endif
