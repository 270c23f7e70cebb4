/* Networks in double, the plain way: what the tests of nets/ compare the engines with. */
#ifndef REIN_TESTS_NETS_NET_REFERENCE_H
#define REIN_TESTS_NETS_NET_REFERENCE_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "nets/layers.h"

/* A perceptron of units {...}, the last of them the output: MLP(17, REIN_TANH, 64, 64, 6). */
#define MLP(n_in, activation, ...)                                                                 \
    reference_mlp(n_in, activation, (const int[]){__VA_ARGS__},                                    \
                  (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)))
static inline rein_net_spec reference_mlp(int n_in, rein_activation activation, const int *units,
                                          int n)
{
    return rein_net_spec_mlp(n_in, units, n - 1, activation, units[n - 1]);
}

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

/* One output of a convolution: cross-correlation, zeros around the image [H, W, C]. */
static inline double reference_pixel(const rein_layer *l, const rein_shape *in, const double *w,
                                     const double *x, int row, int col)
{
    double sum = 0;
    for (int c = 0; c < in->dims[2]; c++) {
        for (int i = 0; i < l->kernel_h; i++) {
            for (int j = 0; j < l->kernel_w; j++, w++) {
                const int y = row * l->stride + i - l->pad, z = col * l->stride + j - l->pad;
                if (y < 0 || z < 0 || y >= in->dims[0] || z >= in->dims[1]) continue;
                sum += *w * x[(y * in->dims[1] + z) * in->dims[2] + c];
            }
        }
    }
    return sum;
}

static inline void reference_layer(const rein_layer *l, const rein_layer_place *p, double scale,
                                   const double *params, const double *x, double *y)
{
    const double *w = params + p->weight_at, *b = params + p->bias_at;
    const int n_in = p->in.size, n_out = p->out.size;
    double mean = 0, var = 0;
    for (int i = 0; i < n_in; i++) mean += x[i] / n_in;
    for (int i = 0; i < n_in; i++) var += (x[i] - mean) * (x[i] - mean) / n_in;
    for (int o = 0; o < n_out; o++) {
        const int channels = p->out.dims[2], height = p->in.dims[0], width = p->in.dims[1];
        switch (l->kind) {
        case REIN_LAYER_LINEAR:
            y[o] = b[o];
            for (int i = 0; i < n_in; i++) y[o] += w[o * n_in + i] * x[i];
            break;
        case REIN_LAYER_CONV:
            y[o] = b[o % channels] +
                   reference_pixel(l, &p->in,
                                   w + o % channels * p->in.dims[2] * l->kernel_h * l->kernel_w, x,
                                   o / channels / p->out.dims[1], o / channels % p->out.dims[1]);
            break;
        case REIN_LAYER_ACTIVATION:
            y[o] = reference_activation(l->activation, x[o]);
            break;
        case REIN_LAYER_FLATTEN: /* out: c, row, column */
            y[o] = p->in.n_dims < 3
                       ? x[o]
                       : x[o % (height * width) * p->in.dims[2] + o / (height * width)];
            break;
        case REIN_LAYER_LAYERNORM:
            y[o] = (x[o] - mean) / sqrt(var + 1e-5) * w[o] + b[o];
            break;
        case REIN_LAYER_EMBEDDING:
            y[o] = w[(int)(x[o / l->units] * scale + 0.5) * l->units + o % l->units];
            break;
        default:
            y[o] = NAN;
        }
    }
}

/* y [n_out] of one row x [n_in]; params [P] double. At most 8192 numbers behind a layer. */
static inline void reference_forward(const rein_net_spec *spec, const double *params,
                                     const double *x, double *y)
{
    static _Thread_local double h[2][8192];
    rein_layout layout;
    if (rein_net_layout(spec, &layout) != REIN_OK) return;
    const double scale = spec->input_scale > 0 ? (double)spec->input_scale : 1;
    for (int i = 0; i < spec->n_layers; i++) {
        double *out = i == spec->n_layers - 1 ? y : h[i & 1];
        reference_layer(&spec->layers[i], &layout.layers[i], scale, params, x, out);
        x = out;
    }
}

#endif
