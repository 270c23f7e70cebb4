/* A gradient against the slopes of its loss. */
#ifndef REIN_TESTS_ALGOS_PPO_SLOPES_H
#define REIN_TESTS_ALGOS_PPO_SLOPES_H

#include "tests/replay/temporary.h"

#include <math.h>

#include "base/rng.h"

/* A loss at params [n], which also writes its gradient to grad [n]. */
typedef struct ppo_loss {
    double (*at)(void *context);
    void *context;
    float *params;
    const float *grad;
    size_t n;
} ppo_loss;

/* Along ten random directions the loss changes as its gradient says. First the parameters go
 * `away` from those of the policy that collected; h: half a step. */
static inline void ppo_check_slopes(const ppo_loss *loss, float away, float h)
{
    const size_t n = loss->n, size = n * sizeof(float);
    float *gradient = malloc(size), *at = malloc(size), *direction = malloc(size);
    rein_rng rng = rein_rng_stream(3, REIN_RNG_TEST, 0, 0);
    double length = 0;
    for (size_t i = 0; i < n; i++) loss->params[i] += away * (float)rein_rng_normal(&rng);
    loss->at(loss->context);
    memcpy(gradient, loss->grad, size);
    memcpy(at, loss->params, size);
    for (size_t i = 0; i < n; i++) length += pow((double)gradient[i], 2);
    for (int trial = 0; trial < 10; trial++) {
        double slope = 0;
        for (size_t i = 0; i < n; i++) {
            direction[i] = (float)(rein_rng_normal(&rng) / 3 + gradient[i] / sqrt(length));
            slope += (double)direction[i] * gradient[i];
        }
        for (size_t i = 0; i < n; i++) loss->params[i] = at[i] + h * direction[i];
        const double up = loss->at(loss->context);
        for (size_t i = 0; i < n; i++) loss->params[i] = at[i] - h * direction[i];
        const double down = loss->at(loss->context);
        if (!(fabs((up - down) / (2 * h) - slope) <= 2e-2 * fabs(slope) + 1e-2 * sqrt(length))) {
            fail_msg("slope %g, gradient says %g", (up - down) / (2 * h), slope);
        }
    }
    free(gradient), free(at), free(direction);
}

#endif
