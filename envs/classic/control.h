/* Small things that the classic-control environments share: spaces and trace quantities. Their
 * states are plain bytes, so save, load and fini are left to the vector env. */
#ifndef REIN_ENVS_CLASSIC_CONTROL_H
#define REIN_ENVS_CLASSIC_CONTROL_H

#include <math.h>
#include <string.h>

#include "envs/env.h"

static inline rein_observation_space rein_control_observation(int n)
{
    return (rein_observation_space){.dtype = REIN_F32,
                                    .n_dims = 1,
                                    .shape = {n},
                                    .size = n,
                                    .low = -INFINITY,
                                    .high = INFINITY};
}

static inline rein_action_space rein_control_discrete(int n)
{
    return (rein_action_space){.kind = REIN_DISCRETE, .n = n, .size = 1};
}

static inline rein_action_space rein_control_continuous(float bound)
{
    return (rein_action_space){
        .kind = REIN_CONTINUOUS, .size = 1, .low = {-bound}, .high = {bound}};
}

/* x rounded to float. Through memory: GCC 12 loses the rounding when it has turned neighbouring
 * conversions to float and back to double into vector ones. */
static inline double rein_control_round(double x)
{
    volatile float rounded = (float)x;
    return (double)rounded;
}

/* The list that `quantities` returns: a state of n numbers that traces begin from, a float
 * observation of m, the reward. */
#define REIN_CONTROL_QUANTITIES(n, m)                                                              \
    {                                                                                              \
        {.name = "state", .size = (n), .settable = true, .tolerance = 1e-12},                      \
            {.name = "obs", .size = (m), .tolerance = 1e-12},                                      \
            {.name = "reward", .size = 1, .tolerance = 1e-12}, {.name = NULL},                     \
    }

/* What a class knows when `peek` is called. */
typedef struct rein_control_view {
    const double *state; /* [n] */
    int n;
    const float *observation; /* [m] of that state: recorded ones are float, too */
    int m;
    double reward; /* of the last step, before rounding to float */
} rein_control_view;

static inline void rein_control_peek(const rein_control_view *view, const char *name, double *out)
{
    if (strcmp(name, "state") == 0) memcpy(out, view->state, sizeof(double) * (size_t)view->n);
    if (strcmp(name, "reward") == 0) *out = view->reward;
    if (strcmp(name, "obs") != 0) return;
    const volatile float *seen = view->observation; /* see rein_control_round */
    for (int i = 0; i < view->m; i++) out[i] = (double)seen[i];
}

/* state [n] = values; the caller clears what else a new episode clears. */
static inline rein_status rein_control_poke(double *state, int n, const char *name,
                                            const double *values)
{
    if (strcmp(name, "state") != 0) {
        return rein_fail(REIN_EINVAL, "quantity '%s' cannot be set", name);
    }
    memcpy(state, values, sizeof(double) * (size_t)n);
    return REIN_OK;
}

static inline double rein_control_clip(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

#endif
