/* Statistics of finished training episodes: the last 100, and totals. */
#ifndef REIN_ALGOS_EPISODES_H
#define REIN_ALGOS_EPISODES_H

#include <stdint.h>

#include "base/archive.h"

enum { REIN_EPISODES_WINDOW = 100 };

/* A value; zero it to begin. Thread-safety: one caller. */
typedef struct rein_episodes {
    int64_t count;                        /* episodes finished so far */
    int64_t broken;                       /* of them cut because the simulation diverged */
    double return_sum;                    /* of all of them, added in the order they were pushed */
    double returns[REIN_EPISODES_WINDOW]; /* ring: entry count % 100 comes next */
    int64_t lengths[REIN_EPISODES_WINDOW];
} rein_episodes;

/* Push in order of (step, env), so that the sum is the same for any number of threads. */
void rein_episodes_push(rein_episodes *episodes, double episode_return, int64_t length);

/* Means over the last (at most) 100 episodes; NAN before the first one. */
double rein_episodes_return_mean(const rein_episodes *episodes);
double rein_episodes_length_mean(const rein_episodes *episodes);

rein_status rein_episodes_archive(rein_episodes *episodes, rein_archive *archive);

#endif
