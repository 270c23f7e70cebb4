/* The MuJoCo environments, for envs/registry.c. Does not need <mujoco.h>. */
#ifndef REIN_ENVS_MUJOCO_CLASSES_H
#define REIN_ENVS_MUJOCO_CLASSES_H

#include "envs/env.h"

extern const rein_env_class rein_half_cheetah_v4;
extern const rein_env_class rein_hopper_v4;
extern const rein_env_class rein_inverted_pendulum_v4;

/* Version of the linked MuJoCo library, "2.2.2": recorded traces hold for one version, and a run
 * is reproducible with the same one only. Thread-safety: any thread. */
const char *rein_mujoco_version(void);

#endif
