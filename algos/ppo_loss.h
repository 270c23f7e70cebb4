/* PPO's two losses in closed form: value and gradient with respect to what the networks put out.
 *
 * Thread-safety: pure functions. Allocates: no. Sums are in double; a
 * caller can add those of blocks of rows in a fixed order. */
#ifndef REIN_ALGOS_PPO_LOSS_H
#define REIN_ALGOS_PPO_LOSS_H

#include <stdbool.h>

/* Sums over rows; zero them to begin. Divide by the rows of the minibatch for means. */
typedef struct rein_ppo_sums {
    double policy_loss; /* of max(-A ratio, -A clip(ratio, 1 - c, 1 + c)) */
    double value_loss;  /* of (V - R)^2 / 2, or the larger of that and the clipped one */
    double entropy;
    double approx_kl; /* of (ratio - 1) - log ratio, an unbiased estimate of KL(old || new)
                         (Schulman 2020, "Approximating KL divergence", k3) */
    double n_clipped; /* rows with |ratio - 1| > c */
} rein_ppo_sums;

void rein_ppo_sums_add(rein_ppo_sums *to, const rein_ppo_sums *from);

/* Clipped surrogate (Schulman et al. 2017, eq. 7), as a loss to be made small:
 *     ratio = exp(log_prob - old_log_prob)
 *     L     = max(-A ratio, -A clip(ratio, 1 - c, 1 + c))
 *     dL/dlog_prob = -A ratio where the unclipped term is the larger, else 0
 * The clipped term is the larger (and flat) where A > 0 and ratio > 1 + c, or A < 0 and
 * ratio < 1 - c: the policy has moved far enough in the advantage's direction.
 *   log_prob, old_log_prob, advantage  in   [n]
 *   scale                              in   1 / rows of the minibatch
 *   dlog_prob                          out  [n] scale dL/dlog_prob
 *   sums                               io   policy_loss, approx_kl, n_clipped (not scaled) */
void rein_ppo_policy_loss(const float *log_prob, const float *old_log_prob, const float *advantage,
                          int n, double clip, double scale, float *dlog_prob, rein_ppo_sums *sums);

/* Value loss. Without clipping L = (V - R)^2 / 2. With clipping, by the policy's c,
 *     V_c = V_old + clip(V - V_old, -c, c)
 *     L   = max((V - R)^2, (V_c - R)^2) / 2
 *     dL/dV = V - R where the unclipped term is the larger or V = V_c, else 0
 *   value, old_value, return_  in   [n]
 *   scale                      in   value_coef / rows of the minibatch
 *   dvalue                     out  [n] scale dL/dV
 *   sums                       io   value_loss (not scaled) */
void rein_ppo_value_loss(const float *value, const float *old_value, const float *return_, int n,
                         bool clip_value, double clip, double scale, float *dvalue,
                         rein_ppo_sums *sums);

/* advantage = (advantage - mean) / (std + 1e-8) in place, std with n - 1; n >= 2. */
void rein_ppo_normalize_advantage(float *advantage, int n);

/* 1 - Var(R - V) / Var(R): 1 for a perfect value function, 0 for a constant one or where all
 * returns are equal. return_, value [n]. */
double rein_ppo_explained_variance(const float *return_, const float *value, int n);

#endif
