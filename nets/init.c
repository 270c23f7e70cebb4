#include <math.h>
#include <stdlib.h>

#include "nets/engine.h"
#include "nets/script.h"

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

rein_status rein_draw_orthogonal(int n_out, int n_in, double gain, rein_rng *rng, float *weight)
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

/* A product's W [out, fan in] and biases. */
static rein_status draw_product(const rein_layer_place *p, const rein_layer *l, rein_init init,
                                double gain, rein_rng *rng, float *params)
{
    const int n_out = l->units, n_in = (int)(p->n_weights / (size_t)n_out);
    const int area = l->kind == REIN_LAYER_CONV ? l->kernel_h * l->kernel_w : 1;
    float *weight = params + p->weight_at, *bias = params + p->bias_at;
    for (int j = 0; j < n_out; j++) bias[j] = 0;
    switch (init) {
    case REIN_INIT_ORTHOGONAL:
        return rein_draw_orthogonal(n_out, n_in, gain, rng, weight);
    case REIN_INIT_XAVIER: /* variance 2 / (fan in + fan out); a uniform has bound^2 / 3 */
        uniform(weight, p->n_weights, gain * sqrt(6.0 / (n_in + n_out * area)), rng);
        break;
    case REIN_INIT_KAIMING: /* variance 2 / fan in */
        uniform(weight, p->n_weights, sqrt(6.0 / n_in), rng);
        break;
    case REIN_INIT_TORCH:
        uniform(weight, p->n_weights, 1 / sqrt(n_in), rng);
        uniform(bias, (size_t)n_out, 1 / sqrt(n_in), rng);
        break;
    }
    return REIN_OK;
}

/* Projection as the others; positions small; every block as torch.nn.TransformerEncoderLayer
 * begins: q, k, v Xavier, the other products kaiming of torch.nn.Linear, norms 1 and 0. */
static rein_status draw_attention(const rein_layer_place *p, const rein_layer *l, rein_init init,
                                  double gain, rein_rng *rng, float *params)
{
    const size_t d = (size_t)l->units, in = (size_t)p->in.dims[p->in.n_dims - 1];
    const size_t positions = (size_t)p->out.dims[0] * d;
    const rein_layer linear = {.kind = REIN_LAYER_LINEAR, .units = l->units};
    const rein_layer_place projection = {
        .weight_at = p->weight_at, .n_weights = d * in, .bias_at = p->weight_at + d * in};
    REIN_TRY(draw_product(&projection, &linear, init, gain, rng, params));
    float *at = params + projection.bias_at + d;
    for (size_t i = 0; i < positions; i++) *at++ = 0.02f * (float)rein_rng_normal(rng);
    for (int b = 0; b < l->blocks; b++) {
        uniform(at, 3 * d * d, sqrt(6.0 / (4.0 * (double)d)), rng);
        at += 3 * d * d;
        for (size_t i = 0; i < 3 * d; i++) *at++ = 0;
        uniform(at, d * d, 1 / sqrt((double)d), rng);
        at += d * d;
        for (size_t i = 0; i < d; i++) *at++ = 0;
        uniform(at, 4 * d * d + 4 * d, 1 / sqrt((double)d), rng);
        at += 4 * d * d + 4 * d;
        uniform(at, 4 * d * d + d, 1 / sqrt(4.0 * (double)d), rng);
        at += 4 * d * d + d;
        for (size_t i = 0; i < 4 * d; i++) *at++ = i / d % 2 == 0 ? 1 : 0;
    }
    return REIN_OK;
}

/* torch's own for recurrent layers: all uniform +-1/sqrt(units). */
static void draw_recurrent(const rein_layer_place *p, const rein_layer *l, rein_rng *rng,
                           float *params)
{
    uniform(params + p->weight_at, p->n_weights + p->n_biases, 1 / sqrt(l->units), rng);
}

rein_status rein_net_init(const rein_net *net, rein_init init, double gain_hidden, double gain_out,
                          rein_rng *rng, float *params)
{
    const rein_net_spec *spec = rein_net_get_spec(net);
    int last = spec->n_layers - 1;
    rein_layout layout;
    REIN_TRY(rein_net_layout(spec, &layout));
    while (last > 0 && layout.layers[last].n_weights == 0) last--;
    for (int i = 0; i < spec->n_layers; i++) {
        const rein_layer *l = &spec->layers[i];
        const rein_layer_place *p = &layout.layers[i];
        switch (l->kind) {
        case REIN_LAYER_LINEAR:
        case REIN_LAYER_CONV:
            REIN_TRY(draw_product(p, l, init, i < last ? gain_hidden : gain_out, rng, params));
            break;
        case REIN_LAYER_LAYERNORM:
            for (size_t j = 0; j < p->n_weights; j++) params[p->weight_at + j] = 1;
            for (size_t j = 0; j < p->n_biases; j++) params[p->bias_at + j] = 0;
            break;
        case REIN_LAYER_EMBEDDING:
            rein_rng_normals(rng, params + p->weight_at, (int)p->n_weights);
            break;
        case REIN_LAYER_LSTM:
        case REIN_LAYER_GRU:
            draw_recurrent(p, l, rng, params);
            break;
        case REIN_LAYER_ATTENTION:
            REIN_TRY(draw_attention(p, l, init, gain_hidden, rng, params));
            break;
        case REIN_LAYER_SCRIPT:
            REIN_TRY(rein_net_script_params(spec->script, p->n_weights, params + p->weight_at));
            break;
        case REIN_LAYER_ACTIVATION:
        case REIN_LAYER_FLATTEN:
            break;
        }
    }
    return REIN_OK;
}
