/* A multi-layer perceptron in double, the plain way: what test_net.c and test_activation.c compare
 * the engine with. */
#ifndef REIN_TESTS_NETS_MLP_REFERENCE_H
#define REIN_TESTS_NETS_MLP_REFERENCE_H

#include <math.h>
#include <stddef.h>

#include "nets/net.h"

static inline double reference_activation(rein_activation f, double z)
{
    switch (f) {
    case REIN_TANH:
        return tanh(z);
    case REIN_RELU:
        return z > 0 ? z : 0;
    case REIN_ELU:
        return z > 0 ? z : expm1(z);
    case REIN_SILU:
        return z / (1 + exp(-z));
    case REIN_GELU:
        return 0.5 * z * (1 + erf(z * sqrt(0.5)));
    case REIN_SIGMOID:
        return 1 / (1 + exp(-z));
    case REIN_LINEAR:
        return z;
    }
    return NAN;
}

/* y [n_out] of one row x [n_in]; params [P] double. At most 512 units in a layer. */
static inline void reference_forward(const rein_net_spec *spec, const double *params,
                                     const double *x, double *y)
{
    double h[2][512];
    int n_in = spec->n_in;
    const double *in = x;
    for (int l = 0; l < spec->n_layers; l++) {
        const int n_out = spec->units[l], last = l == spec->n_layers - 1;
        double *out = last ? y : h[l & 1];
        for (int j = 0; j < n_out; j++) {
            double z = params[(size_t)n_in * (size_t)n_out + (size_t)j];
            for (int i = 0; i < n_in; i++) z += params[j * n_in + i] * in[i];
            out[j] = last ? z : reference_activation(spec->activation, z);
        }
        params += (size_t)(n_in + 1) * (size_t)n_out;
        n_in = n_out;
        in = out;
    }
}

#endif
