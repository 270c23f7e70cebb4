/* A network is a pair of pure functions over a flat parameter vector.
 *
 *     forward (net, params, packed, workspace, x, n, y)
 *     backward(net, params, packed, workspace, dy, grad, dx)
 *
 * Parameters, gradients and optimizer moments are plain float arrays [P]. Layout, for each layer in
 * order: W [out, in] row-major, then b [out]; y = W x + b (as torch.nn.Linear's parameters()).
 * A workspace belongs to one thread; the net itself is immutable, so any number of threads may
 * call at once. Nothing but create functions allocates.
 *
 * `packed` is a kernel-friendly copy of the weights, made by rein_net_pack after each change of
 * params; NULL means that forward and backward work from `params` alone (slower). */
#ifndef REIN_NETS_NET_H
#define REIN_NETS_NET_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "base/status.h"

enum { REIN_MAX_LAYERS = 16 };

/* Words of the config choice `net.activation`, in this order. */
#define REIN_ACTIVATION_WORDS "tanh|relu|elu|silu|gelu|sigmoid|linear"
typedef enum rein_activation {
    REIN_TANH,
    REIN_RELU,
    REIN_ELU, /* alpha 1 */
    REIN_SILU,
    REIN_GELU, /* exact, with erf */
    REIN_SIGMOID,
    REIN_LINEAR,
} rein_activation;

/* Words of the config choice `net.init`, in this order. */
#define REIN_INIT_WORDS "orthogonal|xavier|kaiming|torch"
typedef enum rein_init {
    REIN_INIT_ORTHOGONAL, /* Saxe et al. 2014; gain on every layer, biases 0 */
    REIN_INIT_XAVIER,     /* Glorot & Bengio 2010, uniform, times gain, biases 0 */
    REIN_INIT_KAIMING,    /* He et al. 2015, uniform, fan in, relu gain; biases 0 */
    REIN_INIT_TORCH,      /* torch.nn.Linear: weights and biases uniform +-1/sqrt(fan in) */
} rein_init;

typedef struct rein_net_spec {
    int n_in;                   /* inputs */
    int n_layers;               /* linear layers: hidden ones and the last */
    int units[REIN_MAX_LAYERS]; /* [n_layers] outputs of each layer; the last is the output */
    rein_activation activation; /* after every layer but the last, which is linear */
} rein_net_spec;

typedef struct rein_net rein_net;
typedef struct rein_net_workspace rein_net_workspace;

/* Errors: REIN_EINVAL (a layer of 0 units), REIN_ENOMEM. */
rein_status rein_net_create(const rein_net_spec *spec, rein_net **out);
void rein_net_free(rein_net *net); /* NULL: does nothing */

const rein_net_spec *rein_net_get_spec(const rein_net *net);
size_t rein_net_n_params(const rein_net *net); /* P */
size_t rein_net_n_packed(const rein_net *net); /* floats that rein_net_pack writes */

/* Draw initial parameters.
 *   gain_hidden, gain_out  factor for hidden layers and for the last (orthogonal, xavier)
 *   rng     io   INIT stream
 *   params  out  [P] f32
 * Allocates: scratch, freed before it returns. Errors: REIN_ENOMEM. */
rein_status rein_net_init(const rein_net *net, rein_init init, double gain_hidden, double gain_out,
                          rein_rng *rng, float *params);

/* Write the kernel-friendly copy of params. packed out [n_packed] f32, 64-byte aligned. */
void rein_net_pack(const rein_net *net, const float *params, float *packed);

/* Scratch for up to max_rows rows, forward and backward. Errors: REIN_EINVAL, REIN_ENOMEM. */
rein_status rein_net_workspace_create(const rein_net *net, int max_rows, rein_net_workspace **out);
void rein_net_workspace_free(rein_net_workspace *workspace); /* NULL: does nothing */

/* y = net(x).
 *   x  in   [n, n_in] f32, row-major, n <= max_rows; must stay unchanged until backward is done
 *   y  out  [n, n_out] f32
 * The workspace keeps the activations for backward. */
void rein_net_forward(const rein_net *net, const float *params, const float *packed,
                      rein_net_workspace *workspace, const float *x, int n, float *y);

/* Gradient of sum(dy * y) for the batch of the last forward with this workspace.
 *   dy    in   [n, n_out] f32
 *   grad  out  [P] f32, overwritten
 *   dx    out  [n, n_in] f32, or NULL when not wanted */
void rein_net_backward(const rein_net *net, const float *params, const float *packed,
                       rein_net_workspace *workspace, const float *dy, float *grad, float *dx);

/* The matrix products of one forward and one backward (without dx) and nothing else, with the same
 * kernels on the same arrays: the limit that a benchmark compares an update with. What it computes
 * is the linear network without biases; the workspace's last forward is lost.
 *   y     out  [n, n_out] f32;  grad out [P] f32 (biases untouched)
 * Allocates: no. */
void rein_net_products(const rein_net *net, const float *params, const float *packed,
                       rein_net_workspace *workspace, const float *x, int n, float *y, float *grad);

/* "libxsmm 1.17, libmvec" or "openblas 0.3.21": what computes here; for logs and benchmarks. */
const char *rein_net_kernels(void);

#endif
