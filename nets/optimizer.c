#include "nets/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nets/simd.h"

struct rein_optimizer {
    rein_optimizer_options options;
    size_t n;
    int64_t step;    /* steps taken */
    float *first;    /* [n] ADAM: mean of gradients; RMSPROP, SGD: momentum buffer */
    float *second;   /* [n] ADAM, RMSPROP: mean of squared gradients */
    float *gradient; /* [n] RMSPROP centred: mean of gradients */
};

static int uses_first(const rein_optimizer_options *o)
{
    return o->kind == REIN_ADAM || o->momentum > 0;
}

static int uses_second(const rein_optimizer_options *o)
{
    return o->kind != REIN_SGD;
}

static int uses_gradient(const rein_optimizer_options *o)
{
    return o->centered && (o->kind == REIN_RMSPROP || o->kind == REIN_RMSPROP_TF);
}

static rein_status options_check(const rein_optimizer_options *o, size_t n)
{
    if ((int)o->kind < REIN_ADAM || o->kind > REIN_SGD) {
        return rein_fail(REIN_EINVAL, "optimizer %d is not one of " REIN_OPTIMIZER_WORDS,
                         (int)o->kind);
    }
    if (n < 1) return rein_fail(REIN_EINVAL, "an optimizer for 0 parameters");
    if (!(o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1)) {
        return rein_fail(REIN_EINVAL, "betas %g, %g are not both in [0, 1)", o->beta1, o->beta2);
    }
    if (!(o->alpha >= 0 && o->alpha < 1)) {
        return rein_fail(REIN_EINVAL, "alpha %g is not in [0, 1)", o->alpha);
    }
    if (!(o->momentum >= 0 && o->momentum < 1)) {
        return rein_fail(REIN_EINVAL, "momentum %g is not in [0, 1)", o->momentum);
    }
    if (!(o->eps >= 0 && o->eps < INFINITY)) {
        return rein_fail(REIN_EINVAL, "eps %g is not a number >= 0", o->eps);
    }
    return REIN_OK;
}

static float *vector(size_t n, float value)
{
    float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64);
    for (size_t i = 0; x && i < n; i++) x[i] = value;
    return x;
}

rein_status rein_optimizer_create(const rein_optimizer_options *options, size_t n,
                                  rein_optimizer **out)
{
    *out = NULL;
    REIN_TRY(options_check(options, n));
    rein_optimizer *opt = calloc(1, sizeof *opt);
    if (!opt) return rein_fail(REIN_ENOMEM, "no memory for an optimizer");
    opt->options = *options;
    opt->n = n;
    if (opt->options.beta1 <= 0) opt->options.beta1 = 0.9;
    if (opt->options.beta2 <= 0) opt->options.beta2 = 0.999;
    if (opt->options.alpha <= 0) opt->options.alpha = 0.99;
    const rein_optimizer_options *o = &opt->options;
    if (uses_first(o)) opt->first = vector(n, 0);
    if (uses_second(o)) opt->second = vector(n, o->kind == REIN_RMSPROP_TF ? 1 : 0);
    if (uses_gradient(o)) opt->gradient = vector(n, 0);
    if ((uses_first(o) && !opt->first) || (uses_second(o) && !opt->second) ||
        (uses_gradient(o) && !opt->gradient)) {
        rein_optimizer_free(opt);
        return rein_fail(REIN_ENOMEM, "no memory for an optimizer of %zu parameters", n);
    }
    *out = opt;
    return REIN_OK;
}

void rein_optimizer_free(rein_optimizer *optimizer)
{
    if (!optimizer) return;
    free(optimizer->first);
    free(optimizer->second);
    free(optimizer->gradient);
    free(optimizer);
}

/* Kingma & Ba 2015, algorithm 1, in the order of torch.optim.Adam: bias corrections in double,
 *   m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2
 *   p -= lr / (1 - beta1^t)  m / (sqrt(v) / sqrt(1 - beta2^t) + eps) */
static REIN_CLONES void adam(size_t n, const float *restrict grad, float scale, float weight1,
                             float beta2, float weight2, float step_size, float inv_root2,
                             float eps, float *restrict m, float *restrict v, float *restrict p)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const float g = scale * grad[i];
        m[i] += weight1 * (g - m[i]);
        v[i] = beta2 * v[i] + weight2 * (g * g);
        p[i] -= step_size * (m[i] / (sqrtf(v[i]) * inv_root2 + eps));
    }
}

static void adam_step(rein_optimizer *o, double lr, const float *grad, double scale, float *params)
{
    const double beta1 = o->options.beta1, beta2 = o->options.beta2;
    const double correction1 = 1.0 - pow(beta1, (double)o->step);
    const double correction2 = 1.0 - pow(beta2, (double)o->step);
    adam(o->n, grad, (float)scale, (float)(1.0 - beta1), (float)beta2, (float)(1.0 - beta2),
         (float)(lr / correction1), (float)(1.0 / sqrt(correction2)), (float)o->options.eps,
         o->first, o->second, params);
}

/* s = alpha s + (1 - alpha) g^2;  root = sqrt(s) + eps, or sqrt(s + eps) for TensorFlow
 * centred: s - (mean g)^2 under the root */
static inline float rmsprop_root(float square, float mean, float eps, int inside)
{
    const float variance = square - mean * mean;
    return inside ? sqrtf(variance + eps) : sqrtf(variance) + eps;
}

static REIN_CLONES void rmsprop(rein_optimizer *o, float lr, const float *grad, float scale,
                                float *p)
{
    const float alpha = (float)o->options.alpha, weight = (float)(1.0 - o->options.alpha);
    const float momentum = (float)o->options.momentum, eps = (float)o->options.eps;
    const int inside = o->options.kind == REIN_RMSPROP_TF;
    float *s = o->second, *buffer = o->first, *mean = o->gradient;
#pragma omp simd
    for (size_t i = 0; i < o->n; i++) {
        const float g = scale * grad[i];
        s[i] = alpha * s[i] + weight * (g * g);
        if (mean) mean[i] += weight * (g - mean[i]);
        const float step = g / rmsprop_root(s[i], mean ? mean[i] : 0.0f, eps, inside);
        if (!buffer) {
            p[i] -= lr * step;
        } else if (inside) { /* TensorFlow's ApplyRMSProp keeps lr in the buffer */
            buffer[i] = momentum * buffer[i] + lr * step;
            p[i] -= buffer[i];
        } else {
            buffer[i] = momentum * buffer[i] + step;
            p[i] -= lr * buffer[i];
        }
    }
}

static REIN_CLONES void sgd(rein_optimizer *o, float lr, const float *grad, float scale, float *p)
{
    const float momentum = (float)o->options.momentum;
    float *buffer = o->first;
    for (size_t i = 0; i < o->n; i++) {
        float g = scale * grad[i];
        if (buffer) g = buffer[i] = momentum * buffer[i] + g;
        p[i] -= lr * g;
    }
}

void rein_optimizer_step(rein_optimizer *optimizer, double lr, const float *grad, double grad_scale,
                         float *params)
{
    optimizer->step++;
    switch (optimizer->options.kind) {
    case REIN_ADAM: adam_step(optimizer, lr, grad, grad_scale, params); break;
    case REIN_RMSPROP:
    case REIN_RMSPROP_TF: rmsprop(optimizer, (float)lr, grad, (float)grad_scale, params); break;
    case REIN_SGD: sgd(optimizer, (float)lr, grad, (float)grad_scale, params); break;
    }
}

rein_status rein_optimizer_archive(rein_optimizer *o, rein_archive *archive)
{
    REIN_TRY(rein_archive_i64(archive, "step", &o->step));
    if (o->first) REIN_TRY(rein_archive_array(archive, "first", REIN_F32, o->first, o->n));
    if (o->second) REIN_TRY(rein_archive_array(archive, "second", REIN_F32, o->second, o->n));
    if (o->gradient) REIN_TRY(rein_archive_array(archive, "gradient", REIN_F32, o->gradient, o->n));
    return REIN_OK;
}

/* Four quarters side by side: the sum of one vector would wait for the one before it. In double. */
REIN_CLONES double rein_grad_norm(const float *grad, size_t n)
{
    const size_t quarter = n / 4;
    const float *g0 = grad, *g1 = g0 + quarter, *g2 = g1 + quarter, *g3 = g2 + quarter;
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
    for (size_t i = 0; i < quarter; i++) {
        s0 += (double)g0[i] * (double)g0[i];
        s1 += (double)g1[i] * (double)g1[i];
        s2 += (double)g2[i] * (double)g2[i];
        s3 += (double)g3[i] * (double)g3[i];
    }
    for (size_t i = 4 * quarter; i < n; i++) s0 += (double)grad[i] * (double)grad[i];
    return sqrt((s0 + s1) + (s2 + s3));
}

double rein_grad_clip_scale(double norm, double max_norm)
{
    if (max_norm <= 0) return 1;
    const double scale = max_norm / (norm + 1e-6);
    return scale < 1 ? scale : 1;
}

REIN_CLONES void rein_polyak(float *target, const float *online, size_t n, double tau)
{
    if (tau >= 1) {
        memcpy(target, online, n * sizeof *target);
        return;
    }
    const float keep = (float)(1.0 - tau), add = (float)tau;
#pragma omp simd
    for (size_t i = 0; i < n; i++) target[i] = keep * target[i] + add * online[i];
}
