/* The classic-control environments, for envs/registry.c. */
#ifndef REIN_ENVS_CLASSIC_CLASSES_H
#define REIN_ENVS_CLASSIC_CLASSES_H

#include "envs/env.h"

extern const rein_env_class rein_cartpole_v1;
extern const rein_env_class rein_pendulum_v1;
extern const rein_env_class rein_acrobot_v1;
extern const rein_env_class rein_mountain_car_v0;
extern const rein_env_class rein_mountain_car_continuous_v0;

#endif
