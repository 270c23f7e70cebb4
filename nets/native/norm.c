/* Layer normalisation (Ba, Kiros & Hinton 2016) of each row x [d]:
 *
 *     u = (x - mean) / sqrt(var + eps),  y = w u + b          eps = 1e-5, var with 1 / d, as torch
 *     g = w dy,  dx = (g - mean(g) - u mean(g u)) / sqrt(var + eps);  dw = sum dy u,  db = sum dy
 */
#include <math.h>
#include <string.h>

#include "nets/native/native.h"
#include "nets/simd.h"

#define EPS 1e-5f

REIN_CLONES void native_norm_forward(const native_stage *s, const native_buffers *b,
                                     const float *params, const float *in, int n, float *out)
{
    const int d = s->in.size;
    const float *w = params + s->weight_at, *bias = params + s->bias_at;
    float *u = b->z;
    for (int i = 0; i < n; i++, in += d, u += d, out += d) {
        float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
        for (int j = 0; j < d; j++) sum += in[j];
        const float mean = sum / (float)d;
#pragma omp simd reduction(+ : squares)
        for (int j = 0; j < d; j++) squares += (in[j] - mean) * (in[j] - mean);
        const float scale = 1.0f / sqrtf(squares / (float)d + EPS);
        b->side[i] = scale;
#pragma omp simd
        for (int j = 0; j < d; j++) {
            u[j] = (in[j] - mean) * scale;
            out[j] = u[j] * w[j] + bias[j];
        }
    }
}

REIN_CLONES void native_norm_backward(const native_stage *s, const native_buffers *b,
                                      const float *params, const float *dy, int n, float *grad,
                                      float *dx)
{
    const int d = s->in.size;
    const float *w = params + s->weight_at, *u = b->z;
    float *dw = grad + s->weight_at, *db = grad + s->bias_at;
    memset(dw, 0, sizeof(float) * (size_t)d);
    memset(db, 0, sizeof(float) * (size_t)d);
    for (int i = 0; i < n; i++, u += d, dy += d) {
        float sum = 0, along = 0;
#pragma omp simd reduction(+ : sum, along)
        for (int j = 0; j < d; j++) {
            dw[j] += dy[j] * u[j];
            db[j] += dy[j];
            sum += w[j] * dy[j];
            along += w[j] * dy[j] * u[j];
        }
        if (!dx) continue;
        const float scale = b->side[i], mean = sum / (float)d, slope = along / (float)d;
#pragma omp simd
        for (int j = 0; j < d; j++) dx[j] = (w[j] * dy[j] - mean - u[j] * slope) * scale;
        dx += d;
    }
}
