/* LSTM and GRU over sequences in double, the plain way: what test_cell.c and test_recurrent.c
 * compare the engine with. At most REFERENCE_UNITS units. */
#ifndef REIN_TESTS_NETS_CELL_REFERENCE_H
#define REIN_TESTS_NETS_CELL_REFERENCE_H

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "nets/cell.h"

enum { REFERENCE_UNITS = 64 };

static inline double reference_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* out [n] = W [n, k] x + b. */
static inline void reference_affine(const double *w, const double *b, const double *x, int n, int k,
                                    double *out)
{
    for (int i = 0; i < n; i++) {
        out[i] = b[i];
        for (int j = 0; j < k; j++) out[i] += w[i * k + j] * x[j];
    }
}

/* One step of one row: state [S] becomes the next one. */
static inline void reference_cell_step(const rein_cell_spec *spec, const double *params,
                                       const double *x, double *state)
{
    const int h = spec->n_hidden, n = spec->n_in, g = (spec->kind == REIN_LSTM ? 4 : 3) * h;
    const double *w_hh = params + g * n, *b_ih = w_hh + g * h, *b_hh = b_ih + g;
    double a[4 * REFERENCE_UNITS], b[4 * REFERENCE_UNITS], *c = state + h;
    reference_affine(params, b_ih, x, g, n, a);
    reference_affine(w_hh, b_hh, state, g, h, b);
    for (int j = 0; j < h; j++) {
        if (spec->kind == REIN_LSTM) {
            const double i = reference_sigmoid(a[j] + b[j]);
            const double f = reference_sigmoid(a[h + j] + b[h + j]);
            const double o = reference_sigmoid(a[3 * h + j] + b[3 * h + j]);
            c[j] = f * c[j] + i * tanh(a[2 * h + j] + b[2 * h + j]);
            state[j] = o * tanh(c[j]);
        } else {
            const double r = reference_sigmoid(a[j] + b[j]);
            const double z = reference_sigmoid(a[h + j] + b[h + j]);
            state[j] = (1 - z) * tanh(a[2 * h + j] + r * b[2 * h + j]) + z * state[j];
        }
    }
}

/* Sum of dy * h over all steps; state [rows, S] becomes the last one. */
static inline double reference_cell_loss(const rein_cell_spec *spec, const double *params,
                                         const double *x, const unsigned char *start, int n_steps,
                                         int rows, double *state, const double *dy)
{
    const int h = spec->n_hidden, s = (spec->kind == REIN_LSTM ? 2 : 1) * h;
    double loss = 0;
    for (int t = 0; t < n_steps; t++) {
        for (int r = 0; r < rows; r++) {
            double *own = state + r * s;
            if (start[t * rows + r]) memset(own, 0, (size_t)s * sizeof *own);
            reference_cell_step(spec, params, x + (t * rows + r) * spec->n_in, own);
            for (int j = 0; j < h; j++) loss += dy[(t * rows + r) * h + j] * own[j];
        }
    }
    return loss;
}

#endif
