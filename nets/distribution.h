/* Action distributions with closed-form log-probability, entropy, KL and gradients.
 *
 * A batch is n rows. Gradients are with respect to what the network put out: `dlog_prob` and
 * `dentropy` [n] are the loss's derivatives by each row's log-probability and entropy, and the
 * functions write the loss's derivative by the logits or means (chain rule done here).
 * Thread-safety: pure functions. Allocates: no. */
#ifndef REIN_NETS_DISTRIBUTION_H
#define REIN_NETS_DISTRIBUTION_H

#include <stdint.h>

#include "base/rng.h"

/* --- categorical: p = softmax(logits) --------------------------------------------------------- */

/* log p(action) and entropy of each row.
 *   logits    in   [n, k] f32
 *   mask      in   [n, k] u8, 1 = allowed (forbidden logits count as -1e8); NULL: all allowed
 *   action    in   [n] i32 in [0, k)
 *   log_prob  out  [n] f32
 *   entropy   out  [n] f32, or NULL */
void rein_categorical_log_prob(const float *logits, const uint8_t *mask, int n, int k,
                               const int32_t *action, float *log_prob, float *entropy);

/* dlogits[i,j] = dlog_prob[i] (1[j=a_i] - p_ij) - dentropy[i] p_ij (log p_ij + H_i).
 * Same inputs as above; dlogits out [n, k] f32. */
void rein_categorical_backward(const float *logits, const uint8_t *mask, int n, int k,
                               const int32_t *action, const float *dlog_prob, const float *dentropy,
                               float *dlogits);

/* One action per row by inverse transform of one uniform number.
 *   u  in  [n] f32 in [0, 1) */
void rein_categorical_sample(const float *logits, const uint8_t *mask, int n, int k, const float *u,
                             int32_t *action);

/* Index of the largest (allowed) logit of each row; the first one of equals. */
void rein_categorical_mode(const float *logits, const uint8_t *mask, int n, int k, int32_t *action);

/* KL(p || q) of each row; out [n]. */
void rein_categorical_kl(const float *logits, const float *other_logits, int n, int k, float *out);

/* --- diagonal Gaussian: N(mean, exp(log_std)^2), log_std [d] shared by all rows ----------------
 */

/*   mean    in  [n, d] f32; log_std in [d] f32; action in [n, d] f32
 *   log_prob out [n]; entropy out [1] (the same for every row), or NULL */
void rein_gaussian_log_prob(const float *mean, const float *log_std, int n, int d,
                            const float *action, float *log_prob, float *entropy);

/*   dmean     out  [n, d] f32
 *   dlog_std  out  [d] f32, overwritten: sum over rows, entropy term sum_i dentropy[i] included */
void rein_gaussian_backward(const float *mean, const float *log_std, int n, int d,
                            const float *action, const float *dlog_prob, const float *dentropy,
                            float *dmean, float *dlog_std);

/* action = mean + exp(log_std) noise; noise in [n, d] standard normals. */
void rein_gaussian_sample(const float *mean, const float *log_std, int n, int d, const float *noise,
                          float *action);

/* KL of each row between two diagonal Gaussians with their own log_std [d]; out [n]. */
void rein_gaussian_kl(const float *mean, const float *log_std, const float *other_mean,
                      const float *other_log_std, int n, int d, float *out);

#endif
