/* First-order optimizers over a flat vector, and what goes with them.
 * Thread-safety: one caller per optimizer. Allocates: at creation only. */
#ifndef REIN_NETS_OPTIMIZER_H
#define REIN_NETS_OPTIMIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/archive.h"
#include "base/status.h"

/* Words of the config choice `algo.optimizer`, in this order. */
#define REIN_OPTIMIZER_WORDS "adam|rmsprop|rmsprop_tf|sgd"
typedef enum rein_optimizer_kind {
    REIN_ADAM,       /* Kingma & Ba 2015; eps outside the root, as torch.optim.Adam */
    REIN_RMSPROP,    /* torch.optim.RMSprop: eps outside the root; optional centred, momentum */
    REIN_RMSPROP_TF, /* TensorFlow 1: eps inside the root, squares start at one */
    REIN_SGD,        /* plain or with momentum, as torch.optim.SGD */
} rein_optimizer_kind;

typedef struct rein_optimizer_options {
    rein_optimizer_kind kind;
    double beta1, beta2; /* ADAM: moments' decay; 0 means 0.9 and 0.999 */
    double alpha;        /* RMSPROP: decay of squares; 0 means 0.99 */
    double momentum;     /* RMSPROP and SGD */
    double eps;
    int centered; /* RMSPROP: subtract the squared mean gradient */
} rein_optimizer_options;

typedef struct rein_optimizer rein_optimizer;

/* Errors: REIN_EINVAL, REIN_ENOMEM. */
rein_status rein_optimizer_create(const rein_optimizer_options *options, size_t n,
                                  rein_optimizer **out);
void rein_optimizer_free(rein_optimizer *optimizer); /* NULL: does nothing */

/* One step.
 *   params  io  [n] f32
 *   grad    in  [n] f32, scaled by `grad_scale` while it is read (1, or what clipping gave)
 *   lr      step size of this step */
void rein_optimizer_step(rein_optimizer *optimizer, double lr, const float *grad, double grad_scale,
                         float *params);

/* Moments and step count. Errors: those of the archive. */
rein_status rein_optimizer_archive(rein_optimizer *optimizer, rein_archive *archive);

/* sqrt(sum g^2), fixed summation order. */
double rein_grad_norm(const float *grad, size_t n);

/* min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_; 1 if max_norm <= 0. */
double rein_grad_clip_scale(double norm, double max_norm);

/* target = (1 - tau) target + tau online; tau = 1 copies. [n] f32 each. */
void rein_polyak(float *target, const float *online, size_t n, double tau);

#endif
