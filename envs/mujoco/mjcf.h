/* The MJCF files of models/, compiled into the program by embed.cmake so that it is one file. */
#ifndef REIN_ENVS_MUJOCO_MJCF_H
#define REIN_ENVS_MUJOCO_MJCF_H

#include <stddef.h>

typedef struct rein_mjcf {
    const char *name;          /* "half_cheetah.xml" */
    const unsigned char *text; /* [size], not terminated */
    size_t size;
} rein_mjcf;

/* In alphabetical order; ends with name = NULL. */
extern const rein_mjcf rein_mjcf_files[];

#endif
