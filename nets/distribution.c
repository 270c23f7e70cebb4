#include "nets/distribution.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "nets/simd.h"

/* Rows are taken in groups of up to ROWS and, for k up to SMALL_K, turned to [k, ROWS] first: loops
 * over rows run in full vectors whatever k is. The last vector of a group is filled up, so that
 * the result of a row does not depend on its neighbours. */
enum { ROWS = 64, SMALL_K = 32, LANES = 16 };

#define HALF_LOG_2PI 0.91893853320467274f
#define FORBIDDEN    (-1e8f)

/* The softmax of up to ROWS rows. With s = logit - max and Z = sum e^s:
 *   log p = s - log Z,  p = e^s / Z,  H = log Z - sum s e^s / Z */
typedef struct group {
    int n;                                     /* rows, rounded up to LANES */
    float top[ROWS], log_z[ROWS], inv_z[ROWS]; /* max, log Z, 1 / Z */
    float entropy[ROWS];
    float s[SMALL_K][ROWS], e[SMALL_K][ROWS]; /* k <= SMALL_K only: s and e^s */
} group;

static inline float logit_at(const float *logits, const uint8_t *mask, int at)
{
    return mask && !mask[at] ? FORBIDDEN : logits[at];
}

static REIN_CLONES void group_small(const float *logits, const uint8_t *mask, int rows, int k,
                                    group *g)
{
    const int n = g->n = (rows + LANES - 1) / LANES * LANES;
    float sum[ROWS], weighted[ROWS], *top = g->top;
    for (int j = 0; j < k; j++) {
        for (int i = 0; i < rows; i++) g->s[j][i] = logit_at(logits, mask, i * k + j);
        for (int i = rows; i < n; i++) g->s[j][i] = 0;
    }
    for (int i = 0; i < n; i++) top[i] = g->s[0][i], sum[i] = 0, weighted[i] = 0;
    for (int j = 1; j < k; j++) {
#pragma omp simd
        for (int i = 0; i < n; i++) top[i] = g->s[j][i] > top[i] ? g->s[j][i] : top[i];
    }
    for (int j = 0; j < k; j++) {
#pragma omp simd
        for (int i = 0; i < n; i++) {
            const float s = g->s[j][i] - top[i], e = expf(s);
            g->s[j][i] = s;
            g->e[j][i] = e;
            sum[i] += e;
            weighted[i] += s * e;
        }
    }
#pragma omp simd
    for (int i = 0; i < n; i++) {
        g->log_z[i] = logf(sum[i]);
        g->inv_z[i] = 1.0f / sum[i];
        g->entropy[i] = g->log_z[i] - weighted[i] * g->inv_z[i];
    }
}

static REIN_CLONES void group_large(const float *logits, const uint8_t *mask, int rows, int k,
                                    group *g)
{
    g->n = rows;
    for (int i = 0; i < rows; i++) {
        float top = -FLT_MAX, sum = 0, weighted = 0;
        for (int j = 0; j < k; j++) {
            const float logit = logit_at(logits, mask, i * k + j);
            top = logit > top ? logit : top;
        }
#pragma omp simd reduction(+ : sum, weighted)
        for (int j = 0; j < k; j++) {
            const float s = logit_at(logits, mask, i * k + j) - top, e = expf(s);
            sum += e;
            weighted += s * e;
        }
        g->top[i] = top;
        g->log_z[i] = logf(sum);
        g->inv_z[i] = 1.0f / sum;
        g->entropy[i] = g->log_z[i] - weighted * g->inv_z[i];
    }
}

static void group_softmax(const float *logits, const uint8_t *mask, int rows, int k, group *g)
{
    if (k <= SMALL_K) {
        group_small(logits, mask, rows, k, g);
    } else {
        group_large(logits, mask, rows, k, g);
    }
}

static int group_rows(int n, int first)
{
    return n - first < ROWS ? n - first : ROWS;
}

static const uint8_t *mask_row(const uint8_t *mask, int row, int k)
{
    return mask ? mask + (size_t)row * (size_t)k : NULL;
}

void rein_categorical_log_prob(const float *logits, const uint8_t *mask, int n, int k,
                               const int32_t *action, float *log_prob, float *entropy)
{
    group g;
    for (int first = 0; first < n; first += ROWS) {
        const int rows = group_rows(n, first);
        const float *l = logits + (size_t)first * (size_t)k;
        const uint8_t *m = mask_row(mask, first, k);
        group_softmax(l, m, rows, k, &g);
        for (int i = 0; i < rows; i++) {
            const float logit = logit_at(l, m, i * k + action[first + i]);
            log_prob[first + i] = logit - g.top[i] - g.log_z[i];
        }
        if (entropy) memcpy(entropy + first, g.entropy, sizeof(float) * (size_t)rows);
    }
}

/* dlogits of a group but for the taken action's dlog_prob; a, b [ROWS] are dlog_prob, dentropy:
 *   - p (a + b (log p + H)) */
static REIN_CLONES void backward_small(group *g, int rows, int k, const float *a, const float *b,
                                       float *dlogits)
{
    for (int j = 0; j < k; j++) {
#pragma omp simd
        for (int i = 0; i < g->n; i++) {
            const float log_p = g->s[j][i] - g->log_z[i];
            g->e[j][i] *= -g->inv_z[i] * (a[i] + b[i] * (log_p + g->entropy[i]));
        }
    }
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < k; j++) dlogits[i * k + j] = g->e[j][i];
    }
}

static REIN_CLONES void backward_large(const group *g, const float *logits, const uint8_t *mask,
                                       int rows, int k, const float *a, const float *b,
                                       float *dlogits)
{
    for (int i = 0; i < rows; i++) {
        const float inv_z = g->inv_z[i], log_z = g->log_z[i], top = g->top[i];
        const float ai = a[i], bi = b[i], entropy = g->entropy[i];
#pragma omp simd
        for (int j = 0; j < k; j++) {
            const float s = logit_at(logits, mask, i * k + j) - top;
            dlogits[i * k + j] = -expf(s) * inv_z * (ai + bi * (s - log_z + entropy));
        }
    }
}

void rein_categorical_backward(const float *logits, const uint8_t *mask, int n, int k,
                               const int32_t *action, const float *dlog_prob, const float *dentropy,
                               float *dlogits)
{
    group g;
    float a[ROWS] = {0}, b[ROWS] = {0};
    for (int first = 0; first < n; first += ROWS) {
        const int rows = group_rows(n, first);
        const float *l = logits + (size_t)first * (size_t)k;
        float *dl = dlogits + (size_t)first * (size_t)k;
        const uint8_t *m = mask_row(mask, first, k);
        group_softmax(l, m, rows, k, &g);
        memcpy(a, dlog_prob + first, sizeof(float) * (size_t)rows);
        memcpy(b, dentropy + first, sizeof(float) * (size_t)rows);
        if (k <= SMALL_K) {
            backward_small(&g, rows, k, a, b, dl);
        } else {
            backward_large(&g, l, m, rows, k, a, b, dl);
        }
        for (int i = 0; i < rows; i++) dl[i * k + action[first + i]] += a[i];
        for (int at = 0; m && at < rows * k; at++) dl[at] = m[at] ? dl[at] : 0.0f;
    }
}

/* The first j whose cumulative probability exceeds u; rounding must not lead past the last action
 * that has any. */
static int32_t inverse_transform(const group *g, const float *logits, const uint8_t *mask, int i,
                                 int k, float u)
{
    float cumulative = 0;
    int32_t chosen = 0;
    for (int j = 0; j < k; j++) {
        const float e =
            k <= SMALL_K ? g->e[j][i] : expf(logit_at(logits, mask, i * k + j) - g->top[i]);
        if (!(e > 0)) continue;
        chosen = j;
        cumulative += e * g->inv_z[i];
        if (u < cumulative) break;
    }
    return chosen;
}

void rein_categorical_sample(const float *logits, const uint8_t *mask, int n, int k, const float *u,
                             int32_t *action)
{
    group g;
    for (int first = 0; first < n; first += ROWS) {
        const int rows = group_rows(n, first);
        const float *l = logits + (size_t)first * (size_t)k;
        const uint8_t *m = mask_row(mask, first, k);
        group_softmax(l, m, rows, k, &g);
        for (int i = 0; i < rows; i++) {
            action[first + i] = inverse_transform(&g, l, m, i, k, u[first + i]);
        }
    }
}

void rein_categorical_mode(const float *logits, const uint8_t *mask, int n, int k, int32_t *action)
{
    for (int i = 0; i < n; i++) {
        const float *l = logits + (size_t)i * (size_t)k;
        const uint8_t *m = mask_row(mask, i, k);
        int32_t best = 0;
        for (int j = 1; j < k; j++) {
            if (logit_at(l, m, j) > logit_at(l, m, best)) best = j;
        }
        action[i] = best;
    }
}

/* KL(p || q) = sum p (log p - log q) */
void rein_categorical_kl(const float *logits, const float *other_logits, int n, int k, float *out)
{
    group p, q;
    for (int first = 0; first < n; first += ROWS) {
        const int rows = group_rows(n, first);
        const float *lp = logits + (size_t)first * (size_t)k;
        const float *lq = other_logits + (size_t)first * (size_t)k;
        group_softmax(lp, NULL, rows, k, &p);
        group_softmax(lq, NULL, rows, k, &q);
        for (int i = 0; i < rows; i++) {
            float sum = 0;
            for (int j = 0; j < k; j++) {
                const float s = lp[i * k + j] - p.top[i];
                const float ratio = (s - p.log_z[i]) - (lq[i * k + j] - q.top[i] - q.log_z[i]);
                sum += (k <= SMALL_K ? p.e[j][i] : expf(s)) * p.inv_z[i] * ratio;
            }
            out[first + i] = sum;
        }
    }
}

/* log N(a; mean, std) = - z^2 / 2 - log std - log(2 pi) / 2, z = (a - mean) / std */
REIN_CLONES void rein_gaussian_log_prob(const float *mean, const float *log_std, int n, int d,
                                        const float *action, float *log_prob, float *entropy)
{
    float constant = 0, h = 0;
    for (int j = 0; j < d; j++) {
        constant -= log_std[j] + HALF_LOG_2PI;
        h += log_std[j] + HALF_LOG_2PI + 0.5f;
    }
    if (entropy) *entropy = h;
    for (int i = 0; i < n; i++) log_prob[i] = constant;
    for (int j = 0; j < d; j++) {
        const float inv_std = expf(-log_std[j]);
#pragma omp simd
        for (int i = 0; i < n; i++) {
            const float z = (action[i * d + j] - mean[i * d + j]) * inv_std;
            log_prob[i] -= 0.5f * (z * z);
        }
    }
}

/* dmean = dlog_prob z / std;  dlog_std = sum_i dlog_prob (z^2 - 1) + dentropy */
REIN_CLONES void rein_gaussian_backward(const float *mean, const float *log_std, int n, int d,
                                        const float *action, const float *dlog_prob,
                                        const float *dentropy, float *dmean, float *dlog_std)
{
    float dh = 0;
#pragma omp simd reduction(+ : dh)
    for (int i = 0; i < n; i++) dh += dentropy[i];
    for (int j = 0; j < d; j++) {
        const float inv_std = expf(-log_std[j]);
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int i = 0; i < n; i++) {
            const float z = (action[i * d + j] - mean[i * d + j]) * inv_std;
            dmean[i * d + j] = dlog_prob[i] * z * inv_std;
            sum += dlog_prob[i] * (z * z - 1.0f);
        }
        dlog_std[j] = sum + dh;
    }
}

void rein_gaussian_sample(const float *mean, const float *log_std, int n, int d, const float *noise,
                          float *action)
{
    for (int j = 0; j < d; j++) {
        const float std = expf(log_std[j]);
        for (int i = 0; i < n; i++) action[i * d + j] = mean[i * d + j] + std * noise[i * d + j];
    }
}

/* sum_j log(std_q / std_p) + (std_p^2 + (mean_p - mean_q)^2) / (2 std_q^2) - 1/2 */
void rein_gaussian_kl(const float *mean, const float *log_std, const float *other_mean,
                      const float *other_log_std, int n, int d, float *out)
{
    for (int i = 0; i < n; i++) out[i] = 0;
    for (int j = 0; j < d; j++) {
        const float shift = log_std[j] - other_log_std[j], inv_std = expf(-other_log_std[j]);
        const float constant = 0.5f * expf(2.0f * shift) - shift - 0.5f;
        for (int i = 0; i < n; i++) {
            const float z = (mean[i * d + j] - other_mean[i * d + j]) * inv_std;
            out[i] += constant + 0.5f * (z * z);
        }
    }
}
