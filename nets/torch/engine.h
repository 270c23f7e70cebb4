/* What the torch engine's files share: parameters and batches as tensors. Internal to nets/torch/.
 *
 * On the CPU a tensor is a view of the caller's array. On a GPU it is a copy: of x and dy for each
 * call, of parameters when they have changed, which a mark in `packed` tells (rein_torch_mark). */
#ifndef REIN_NETS_TORCH_ENGINE_H
#define REIN_NETS_TORCH_ENGINE_H

#include "nets/engine.h"
#include "nets/script.h"
#include "nets/torch/rein_torch.h"

enum { REIN_TORCH_PACKED = 16 }; /* floats of a mark */

/* One parameter of a net: where it lies in the flat vector, and its shape. */
typedef struct rein_torch_slice {
    size_t at, numel;
    int n_dims;
    int64_t shape[REIN_TORCH_MAX_DIMS];
} rein_torch_slice;

/* The parameters as tensors that collect gradients, for up to two vectors at once: a learner's own
 * and its target's. */
typedef struct rein_torch_leaves {
    int n;
    int newest; /* of the two */
    struct {
        const float *params; /* NULL: none yet */
        uint64_t mark;
        rein_tensor **leaf; /* [n] */
    } of[2];
} rein_torch_leaves;

/* Load libtorch, one thread inside an operation, and look for the device.
 * Errors: those of rein_torch_load; REIN_EUNSUPPORTED: no GPU. */
rein_status rein_torch_engine_ready(rein_net_device device);

/* An array of f32 as a tensor. */
rein_status rein_torch_place(rein_net_device device, const int64_t *shape, int n_dims,
                             const float *data, rein_tensor **out);

/* Write a mark that no other has: params have changed. packed out [REIN_TORCH_PACKED] */
void rein_torch_mark(float *packed);

rein_status rein_torch_leaves_create(int n, rein_torch_leaves *out);
void rein_torch_leaves_free(rein_torch_leaves *leaves);
/* leaf out: [n] tensors, views of params or copies on the GPU, kept until two other vectors came.
 */
rein_status rein_torch_leaves_of(rein_torch_leaves *leaves, const rein_torch_slice *slices,
                                 rein_net_device device, const float *params, const float *packed,
                                 rein_tensor ***leaf);

/* Gradients of sum(dy * y) by `inputs` [n], NULL where y does not depend on one. */
rein_status rein_torch_back(rein_net_device device, rein_tensor *y, const int64_t *shape,
                            int n_dims, const float *dy, rein_tensor *const *inputs, int n,
                            rein_tensor **result);

/* Numbers of a tensor into an array of n; zeros for NULL. */
rein_status rein_torch_fetch(const rein_tensor *from, size_t n, float *to);

/* A script, loaded, in evaluation mode. Errors name its file. */
rein_status rein_torch_script_load(const rein_net_script *script, rein_net_device device,
                                   rein_torch_module **out);
/* *t becomes the one tensor that the script makes of it. */
rein_status rein_torch_script_run(rein_torch_module *module, rein_tensor **t);

#endif
