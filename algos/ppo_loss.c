#include "algos/ppo_loss.h"

#include <math.h>

void rein_ppo_sums_add(rein_ppo_sums *to, const rein_ppo_sums *from)
{
    to->policy_loss += from->policy_loss;
    to->value_loss += from->value_loss;
    to->entropy += from->entropy;
    to->approx_kl += from->approx_kl;
    to->n_clipped += from->n_clipped;
}

void rein_ppo_policy_loss(const float *log_prob, const float *old_log_prob, const float *advantage,
                          int n, double clip, double scale, float *dlog_prob, rein_ppo_sums *sums)
{
    float low = (float)(1 - clip), high = (float)(1 + clip), factor = (float)scale;
    double loss = 0, kl = 0, n_clipped = 0;
    for (int i = 0; i < n; i++) {
        float log_ratio = log_prob[i] - old_log_prob[i], ratio = expf(log_ratio), a = advantage[i];
        float bounded = ratio < low ? low : (ratio > high ? high : ratio);
        float plain_loss = -a * ratio, clipped_loss = -a * bounded;
        bool flat = clipped_loss > plain_loss;
        loss += flat ? clipped_loss : plain_loss;
        dlog_prob[i] = flat ? 0 : plain_loss * factor;
        kl += (double)(ratio - 1) - log_ratio;
        n_clipped += bounded != ratio;
    }
    sums->policy_loss += loss;
    sums->approx_kl += kl;
    sums->n_clipped += n_clipped;
}

void rein_ppo_value_loss(const float *value, const float *old_value, const float *return_, int n,
                         bool clip_value, double clip, double scale, float *dvalue,
                         rein_ppo_sums *sums)
{
    float c = clip_value ? (float)clip : INFINITY, factor = (float)scale;
    double loss = 0;
    for (int i = 0; i < n; i++) {
        float moved = value[i] - old_value[i];
        float bounded = moved < -c ? -c : (moved > c ? c : moved);
        float error = value[i] - return_[i];
        float clipped_error = bounded == moved ? error : old_value[i] + bounded - return_[i];
        bool flat = clipped_error * clipped_error > error * error;
        double e = flat ? clipped_error : error;
        loss += 0.5 * e * e;
        dvalue[i] = flat ? 0 : error * factor;
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
