#include "algos/ppo_loss.h"

#include <math.h>

#include "nets/simd.h"

void rein_ppo_sums_add(rein_ppo_sums *to, const rein_ppo_sums *from)
{
    to->policy_loss += from->policy_loss;
    to->value_loss += from->value_loss;
    to->entropy += from->entropy;
    to->approx_kl += from->approx_kl;
    to->n_clipped += from->n_clipped;
}

REIN_CLONES void rein_ppo_policy_loss(const float *restrict log_prob,
                                      const float *restrict old_log_prob,
                                      const float *restrict advantage, int n, double clip,
                                      double scale, float *restrict dlog_prob, rein_ppo_sums *sums)
{
    const float low = (float)(1 - clip), high = (float)(1 + clip), factor = (float)scale;
    double loss = 0, kl = 0, n_clipped = 0;
#pragma omp simd reduction(+ : loss, kl, n_clipped)
    for (int i = 0; i < n; i++) {
        const float log_ratio = log_prob[i] - old_log_prob[i];
        const float ratio = expf(log_ratio), a = advantage[i];
        const float above = ratio < low ? low : ratio, bounded = above > high ? high : above;
        const float plain_loss = -a * ratio, clipped_loss = -a * bounded;
        const bool flat = clipped_loss > plain_loss;
        loss += (double)(flat ? clipped_loss : plain_loss);
        dlog_prob[i] = flat ? 0.0f : plain_loss * factor;
        kl += (double)(ratio - 1) - (double)log_ratio;
        n_clipped += bounded != ratio ? 1.0 : 0.0;
    }
    sums->policy_loss += loss;
    sums->approx_kl += kl;
    sums->n_clipped += n_clipped;
}

REIN_CLONES void rein_ppo_value_loss(const float *restrict value, const float *restrict old_value,
                                     const float *restrict return_, int n, bool clip_value,
                                     double clip, double scale, float *restrict dvalue,
                                     rein_ppo_sums *sums)
{
    const float c = clip_value ? (float)clip : INFINITY, factor = (float)scale;
    double loss = 0;
#pragma omp simd reduction(+ : loss)
    for (int i = 0; i < n; i++) {
        const float moved = value[i] - old_value[i];
        const float above = moved < -c ? -c : moved, bounded = above > c ? c : above;
        const float error = value[i] - return_[i];
        const float other = old_value[i] + bounded - return_[i];
        const float clipped_error = bounded == moved ? error : other;
        const bool flat = clipped_error * clipped_error > error * error;
        const double e = (double)(flat ? clipped_error : error);
        loss += 0.5 * e * e;
        dvalue[i] = flat ? 0.0f : error * factor;
    }
    sums->value_loss += loss;
}

void rein_ppo_normalize_advantage(float *advantage, int n)
{
    double mean = 0, m2 = 0;
    for (int i = 0; i < n; i++) mean += advantage[i];
    mean /= n;
    for (int i = 0; i < n; i++) m2 += (advantage[i] - mean) * (advantage[i] - mean);
    double scale = 1 / (sqrt(m2 / (n - 1)) + 1e-8);
    for (int i = 0; i < n; i++) advantage[i] = (float)((advantage[i] - mean) * scale);
}

double rein_ppo_explained_variance(const float *return_, const float *value, int n)
{
    double mean_return = 0, mean_error = 0, var_return = 0, var_error = 0;
    for (int i = 0; i < n; i++) {
        mean_return += return_[i];
        mean_error += return_[i] - value[i];
    }
    mean_return /= n;
    mean_error /= n;
    for (int i = 0; i < n; i++) {
        double d = return_[i] - mean_return;
        double e = (double)(return_[i] - value[i]) - mean_error;
        var_return += d * d;
        var_error += e * e;
    }
    return var_return > 0 ? 1 - var_error / var_return : 0;
}
