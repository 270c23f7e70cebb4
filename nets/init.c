#include <math.h>
#include <stdlib.h>

#include "nets/net.h"

static double dot(const double *a, const double *b, int n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void subtract(double *a, double factor, const double *b, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++) a[i] -= factor * b[i];
}

/* Make the rows of q [rows, n] orthonormal, rows <= n, by Gram-Schmidt done twice (Giraud et al.
 * 2005: twice is enough). It is the QR decomposition of q^T whose R has a positive diagonal, so of
 * normal numbers it gives what torch.nn.init.orthogonal_ gives: a uniformly random basis. */
static void orthonormalize(double *q, int rows, int n, rein_rng *rng)
{
    for (int i = 0; i < rows; i++) {
        double *row = q + (size_t)i * (size_t)n, length = 0;
        while (length < 1e-8) { /* all but never a second time */
            for (int j = 0; j < n; j++) row[j] = rein_rng_normal(rng);
            for (int pass = 0; pass < 2; pass++) {
                for (int k = 0; k < i; k++) {
                    const double *other = q + (size_t)k * (size_t)n;
                    subtract(row, dot(row, other, n), other, n);
                }
            }
            length = sqrt(dot(row, row, n));
        }
        for (int j = 0; j < n; j++) row[j] /= length;
    }
}

/* Saxe et al. 2014: W W^T = gain^2 I or W^T W = gain^2 I, whichever the shape allows. */
static rein_status orthogonal(int n_out, int n_in, double gain, rein_rng *rng, float *weight)
{
    const int rows = n_out < n_in ? n_out : n_in, n = n_out < n_in ? n_in : n_out;
    double *q = malloc((size_t)rows * (size_t)n * sizeof *q); /* [rows, n] */
    if (!q) return rein_fail(REIN_ENOMEM, "no memory to draw a %d x %d matrix", n_out, n_in);
    orthonormalize(q, rows, n, rng);
    for (int i = 0; i < n_out; i++) {
        for (int j = 0; j < n_in; j++) {
            const size_t at = n_out < n_in ? (size_t)i * (size_t)n + (size_t)j
                                           : (size_t)j * (size_t)n + (size_t)i;
            weight[(size_t)i * (size_t)n_in + (size_t)j] = (float)(gain * q[at]);
        }
    }
    free(q);
    return REIN_OK;
}

static void uniform(float *x, size_t n, double bound, rein_rng *rng)
{
    for (size_t i = 0; i < n; i++) x[i] = (float)rein_rng_uniform_in(rng, -bound, bound);
}

rein_status rein_net_init(const rein_net *net, rein_init init, double gain_hidden, double gain_out,
                          rein_rng *rng, float *params)
{
    const rein_net_spec *spec = rein_net_get_spec(net);
    int n_in = spec->n_in;
    for (int l = 0; l < spec->n_layers; l++) {
        const int n_out = spec->units[l];
        const size_t n_weights = (size_t)n_in * (size_t)n_out;
        const double gain = l < spec->n_layers - 1 ? gain_hidden : gain_out;
        float *weight = params, *bias = params + n_weights;
        for (int j = 0; j < n_out; j++) bias[j] = 0;
        switch (init) {
        case REIN_INIT_ORTHOGONAL:
            REIN_TRY(orthogonal(n_out, n_in, gain, rng, weight));
            break;
        case REIN_INIT_XAVIER: /* variance 2 / (fan in + fan out); a uniform has bound^2 / 3 */
            uniform(weight, n_weights, gain * sqrt(6.0 / (n_in + n_out)), rng);
            break;
        case REIN_INIT_KAIMING: /* variance 2 / fan in */
            uniform(weight, n_weights, sqrt(6.0 / n_in), rng);
            break;
        case REIN_INIT_TORCH:
            uniform(weight, n_weights, 1 / sqrt(n_in), rng);
            uniform(bias, (size_t)n_out, 1 / sqrt(n_in), rng);
            break;
        }
        params = bias + n_out;
        n_in = n_out;
    }
    return REIN_OK;
}
