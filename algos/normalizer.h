/* Running mean and variance of observations, and running scale of rewards, as Gymnasium's
 * NormalizeObservation and NormalizeReward do it (and so CleanRL and stable-baselines3).
 *
 * A vector of n numbers has count, mean [n] and var [n] in double; batches are merged with
 * Chan, Golub & LeVeque (1983). Each block of envs carries its own copy through a rollout
 * (rein_normalizer_copy), exact step by step, and the copies are merged in block order at the end
 * (rein_normalizer_merge), so results do not depend on threads.
 *
 * Thread-safety: one caller per object. Allocates: at creation only. */
#ifndef REIN_ALGOS_NORMALIZER_H
#define REIN_ALGOS_NORMALIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/archive.h"
#include "base/status.h"

typedef struct rein_normalizer {
    int n;
    double count;         /* starts at 1e-4 with mean 0, var 1 */
    double *mean;         /* [n] */
    double *var;          /* [n] population variance */
    float *shift, *scale; /* [n] mean and 1 / sqrt(var + 1e-8) in float: what apply uses */
    double *batch_mean, *batch_var; /* [n] scratch of update */
} rein_normalizer;

/* Errors: REIN_EINVAL (n < 1), REIN_ENOMEM. */
rein_status rein_normalizer_create(int n, rein_normalizer **out);
void rein_normalizer_free(rein_normalizer *normalizer); /* NULL: does nothing */
void rein_normalizer_copy(rein_normalizer *to, const rein_normalizer *from); /* same n */

/* Merge a batch of rows [rows, n] into the statistics (one merge of the batch's mean and
 * variance). 0 rows change nothing. */
void rein_normalizer_update(rein_normalizer *normalizer, const float *x, int rows);

/* y = clip((x - mean) / sqrt(var + 1e-8), +-clip), rows [rows, n]; y may be x. */
void rein_normalizer_apply(const rein_normalizer *normalizer, const float *x, int rows, double clip,
                           float *y);

/* One step of reward normalisation for some rows; `of_return` (n = 1) are the statistics of the
 * discounted return R:
 *     R = gamma R + r; merge the batch of R; y = clip(r / sqrt(var + 1e-8), +-clip); R = 0 if done
 *   reward     in   [rows]
 *   done       in   [rows] 1 where R starts again. Gymnasium 0.29 and so CleanRL forget at
 *                   `terminated` only, OpenAI baselines and SB3 at either end. (Gymnasium 0.29
 *                   forgets before the last reward is added, which then leaks into the next
 *                   episode; here, as in baselines and SB3, after it.)
 *   running    io   [rows] R
 *   y          out  [rows]; may be reward
 * No mean is subtracted. Allocates: no. */
void rein_normalizer_rewards(rein_normalizer *of_return, double gamma, double clip,
                             const float *reward, const uint8_t *done, int rows, double *running,
                             float *y);

/* into = the statistics of everything that n_parts copies of `start` have seen since: start, then
 * each part's own share, in order. One part: exactly that part. `into` may be `start`, but not one
 * of several parts. */
void rein_normalizer_merge(rein_normalizer *into, const rein_normalizer *start,
                           rein_normalizer *const *parts, int n_parts);

/* count, mean, var. Errors: those of the archive. */
rein_status rein_normalizer_archive(rein_normalizer *normalizer, rein_archive *archive);

#endif
