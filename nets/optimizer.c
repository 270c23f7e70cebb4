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
typedef struct adam_factors {
    float scale, weight1, beta2, weight2, step_size, inv_root2, eps;
} adam_factors;

/* Update one entry's moments; returns the denominator. */
static inline float adam_moments(adam_factors f, float grad, float *m, float *v)
{
    const float g = f.scale * grad;
    /* Entries whose gradient stays 0 (dead units) decay: denormals cost a hundred cycles each. */
    const float first = *m + f.weight1 * (g - *m), second = f.beta2 * *v + f.weight2 * (g * g);
    *m = fabsf(first) < 1e-30f ? 0.0f : first;
    *v = second < 1e-30f ? 0.0f : second;
    return sqrtf(*v) * f.inv_root2 + f.eps;
}

/* Two halves of the vector side by side, so that one division, the slowest instruction here, serves
 * two entries: 1 / a = b (1 / (a b)). A fifth faster. */
static REIN_CLONES void adam(size_t n, adam_factors f, const float *restrict grad,
                             float *restrict m, float *restrict v, float *restrict p)
{
    const size_t half = n / 2;
#pragma omp simd
    for (size_t i = 0; i < half; i++) {
        const size_t j = i + half;
        const float a = adam_moments(f, grad[i], &m[i], &v[i]);
        const float b = adam_moments(f, grad[j], &m[j], &v[j]);
        const float inverse = f.step_size / (a * b);
        p[i] -= m[i] * (b * inverse);
        p[j] -= m[j] * (a * inverse);
    }
    if (n % 2) {
        const size_t i = n - 1;
        const float a = adam_moments(f, grad[i], &m[i], &v[i]);
        p[i] -= m[i] * (f.step_size / a);
    }
}

static void adam_step(rein_optimizer *o, double lr, const float *grad, double scale, float *params)
{
    const double beta1 = o->options.beta1, beta2 = o->options.beta2;
    const double correction1 = 1.0 - pow(beta1, (double)o->step);
    const double correction2 = 1.0 - pow(beta2, (double)o->step);
    const adam_factors factors = {
        .scale = (float)scale,
        .weight1 = (float)(1.0 - beta1),
        .beta2 = (float)beta2,
        .weight2 = (float)(1.0 - beta2),
        .step_size = (float)(lr / correction1),
        .inv_root2 = (float)(1.0 / sqrt(correction2)),
        .eps = fmaxf((float)o->options.eps, 1e-15f), /* a b of two dead entries is no 0 */
    };
    adam(o->n, factors, grad, o->first, o->second, params);
}

/* s = alpha s + (1 - alpha) g^2, centred: less the square of the mean gradient, and then
 *   torch:       buffer = momentum buffer + g / (sqrt(s) + eps);       p -= lr buffer
 *   TensorFlow:  buffer = momentum buffer + lr g / sqrt(s + eps);      p -= buffer
 * One expression for both: what the other one has not is 0 or 1. */
typedef struct rmsprop_factors {
    float scale, alpha, weight, momentum, eps_inside, eps_outside, lr_before, lr_after;
} rmsprop_factors;

/* Update one entry's moments; returns the denominator. */
static inline __attribute__((always_inline)) float rmsprop_moments(rmsprop_factors f, float g,
                                                                   float *s, float *mean)
{
    /* Where there is no gradient any more (dead units) both would decay into denormals: s stops at
     * 1e-30, and what is far below 1e-23 is lost in that. */
    const float square = f.alpha * *s + f.weight * (g * g);
    float variance = *s = square < 1e-30f ? 1e-30f : square;
    if (mean) {
        *mean += f.weight * (g - *mean);
        *mean = (*mean + 1e-23f) - 1e-23f;
        variance -= *mean * *mean;
        variance = variance < 0.0f ? 0.0f : variance; /* rounding, for constant gradients */
    }
    const float root = sqrtf(variance + f.eps_inside) + f.eps_outside;
    return root < 1e-18f ? 1e-18f : root; /* the product of two stays a number for any eps */
}

static inline __attribute__((always_inline)) void rmsprop_apply(rmsprop_factors f, float step,
                                                                float *buffer, float *p)
{
    if (buffer) step = *buffer = f.momentum * *buffer + step;
    *p -= f.lr_after * step;
}

/* Entries in pairs, as for Adam. */
static inline __attribute__((always_inline)) void
rmsprop_loop(size_t n, rmsprop_factors f, const float *restrict grad, float *restrict s,
             float *restrict mean, float *restrict buffer, float *restrict p)
{
    const size_t half = n / 2;
#pragma omp simd
    for (size_t i = 0; i < half; i++) {
        const size_t j = i + half;
        const float g = f.scale * grad[i], h = f.scale * grad[j];
        const float a = rmsprop_moments(f, g, &s[i], mean ? &mean[i] : NULL);
        const float b = rmsprop_moments(f, h, &s[j], mean ? &mean[j] : NULL);
        const float inverse = f.lr_before / (a * b);
        rmsprop_apply(f, g * (b * inverse), buffer ? &buffer[i] : NULL, &p[i]);
        rmsprop_apply(f, h * (a * inverse), buffer ? &buffer[j] : NULL, &p[j]);
    }
    if (n % 2) {
        const size_t i = n - 1;
        const float g = f.scale * grad[i];
        const float a = rmsprop_moments(f, g, &s[i], mean ? &mean[i] : NULL);
        rmsprop_apply(f, g * (f.lr_before / a), buffer ? &buffer[i] : NULL, &p[i]);
    }
}

static REIN_CLONES void rmsprop(rein_optimizer *o, rmsprop_factors f, const float *grad, float *p)
{
    if (!o->gradient && !o->first) {
        rmsprop_loop(o->n, f, grad, o->second, NULL, NULL, p);
    } else if (!o->gradient) {
        rmsprop_loop(o->n, f, grad, o->second, NULL, o->first, p);
    } else if (!o->first) {
        rmsprop_loop(o->n, f, grad, o->second, o->gradient, NULL, p);
    } else {
        rmsprop_loop(o->n, f, grad, o->second, o->gradient, o->first, p);
    }
}

static void rmsprop_step(rein_optimizer *o, double lr, const float *grad, double scale,
                         float *params)
{
    const int tf = o->options.kind == REIN_RMSPROP_TF;
    const float eps = (float)o->options.eps;
    const rmsprop_factors factors = {
        .scale = (float)scale,
        .alpha = (float)o->options.alpha,
        .weight = (float)(1.0 - o->options.alpha),
        .momentum = (float)o->options.momentum,
        .eps_inside = tf ? eps : 0.0f,
        .eps_outside = tf ? 0.0f : eps,
        .lr_before = tf ? (float)lr : 1.0f,
        .lr_after = tf ? 1.0f : (float)lr,
    };
    rmsprop(o, factors, grad, params);
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
    case REIN_ADAM:
        adam_step(optimizer, lr, grad, grad_scale, params);
        break;
    case REIN_RMSPROP:
    case REIN_RMSPROP_TF:
        rmsprop_step(optimizer, lr, grad, grad_scale, params);
        break;
    case REIN_SGD:
        sgd(optimizer, (float)lr, grad, (float)grad_scale, params);
        break;
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

/* Sum of squares of up to CHUNK numbers in float. Four quarters side by side: the sum of one vector
 * would wait for the one before it. */
enum { CHUNK = 4096 };
static REIN_CLONES float chunk_squares(const float *x, size_t n)
{
    const size_t quarter = n / 4;
    const float *x0 = x, *x1 = x0 + quarter, *x2 = x1 + quarter, *x3 = x2 + quarter;
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
    for (size_t i = 0; i < quarter; i++) {
        s0 += x0[i] * x0[i];
        s1 += x1[i] * x1[i];
        s2 += x2[i] * x2[i];
        s3 += x3[i] * x3[i];
    }
    for (size_t i = 4 * quarter; i < n; i++) s0 += x[i] * x[i];
    return (s0 + s1) + (s2 + s3);
}

double rein_grad_norm(const float *grad, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i += CHUNK) {
        sum += (double)chunk_squares(grad + i, n - i < CHUNK ? n - i : CHUNK);
    }
    if (sum > 1e-30 && sum < 1e30) return sqrt(sum);
    sum = 0; /* squares that a float cannot hold, or NaN: once more in double */
    for (size_t i = 0; i < n; i++) sum += (double)grad[i] * (double)grad[i];
    return sqrt(sum);
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
