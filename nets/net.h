/* A network is a pair of pure functions over a flat parameter vector.
 *
 *     forward (net, params, packed, workspace, x, n, y)
 *     backward(net, params, packed, workspace, dy, grad, dx)
 *
 * Parameters, gradients and optimizer moments are plain float arrays [P], the layers' own one after
 * the other in the order of torch's parameters() (nets/layers.h): a linear layer's W [out, in],
 * then b [out]; a convolution's W [out, in, kh, kw], then b [out]. So a vector means the same in
 * every engine. A workspace belongs to one thread; the net itself is immutable, so any number of
 * threads may call at once. Nothing but create functions allocates (libtorch does).
 *
 * Images are [H, W, C] (as environments write them); `flatten` puts them in the order C, H, W.
 *
 * `packed` is a kernel-friendly copy of the weights, made by rein_net_pack after each change of
 * params; NULL means that forward and backward work from `params` alone (slower). */
#ifndef REIN_NETS_NET_H
#define REIN_NETS_NET_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "base/status.h"

enum { REIN_MAX_LAYERS = 32, REIN_NET_DIMS = 3 };

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

typedef enum rein_layer_kind {
    REIN_LAYER_LINEAR,     /* y = W x + b */
    REIN_LAYER_CONV,       /* cross-correlation of an image, as torch.nn.Conv2d */
    REIN_LAYER_ACTIVATION, /* element by element */
    REIN_LAYER_FLATTEN,    /* [H, W, C] to a vector in the order C, H, W */
    REIN_LAYER_LAYERNORM,  /* Ba et al. 2016, of a vector; eps 1e-5; weight and bias */
    REIN_LAYER_EMBEDDING,  /* whole numbers to rows of a table; the first layer only */
    REIN_LAYER_LSTM,
    REIN_LAYER_GRU,
    REIN_LAYER_ATTENTION,
    REIN_LAYER_SCRIPT, /* nets/script.h; the first layer only */
} rein_layer_kind;

typedef struct rein_layer {
    rein_layer_kind kind;
    int units;                  /* LINEAR, LSTM, GRU: outputs; CONV: channels out; EMBEDDING:
                                   numbers for each input; ATTENTION: dim; SCRIPT: features */
    int kernel_h, kernel_w;     /* CONV */
    int stride, pad;            /* CONV: both axes */
    rein_activation activation; /* ACTIVATION */
    int values;                 /* EMBEDDING: inputs are 0 .. values - 1; SCRIPT: parameters */
    int heads, blocks;          /* ATTENTION */
} rein_layer;

/* Words of the config choice `net.engine`, in this order. */
#define REIN_ENGINE_WORDS "auto|native|torch"
typedef enum rein_engine_choice {
    REIN_ENGINE_AUTO, /* the first that can run the network */
    REIN_ENGINE_NATIVE,
    REIN_ENGINE_TORCH,
} rein_engine_choice;

/* Words of the config choice `net.device`, in this order. */
#define REIN_NET_DEVICE_WORDS "cpu|cuda"
typedef enum rein_net_device {
    REIN_NET_CPU,
    REIN_NET_CUDA, /* the torch engine on the first GPU */
} rein_net_device;

typedef struct rein_net_script rein_net_script; /* nets/script.h */

typedef struct rein_net_spec {
    int n_dims, shape[REIN_NET_DIMS]; /* of one row of x: [n], or an image [H, W, C] */
    int n_layers;
    rein_layer layers[REIN_MAX_LAYERS]; /* [n_layers] */
    rein_engine_choice engine;
    rein_net_device device;
    float input_scale; /* EMBEDDING: x times this is a whole number (u8 observations come divided
                          by their bound); 0 means 1 */
    const rein_net_script *script; /* SCRIPT: borrowed, outlives what is made of the spec */
} rein_net_spec;

typedef struct rein_net rein_net;
typedef struct rein_net_workspace rein_net_workspace;

/* Can this spec be made into a network here? Errors: those of rein_net_create, without memory. */
rein_status rein_net_check(const rein_net_spec *spec);

/* Errors: REIN_EINVAL (layers that do not fit: names the layer and what would help),
 * REIN_EUNSUPPORTED (no engine, or not the one asked for, runs such a layer), REIN_ENOMEM. */
rein_status rein_net_create(const rein_net_spec *spec, rein_net **out);
void rein_net_free(rein_net *net); /* NULL: does nothing */

const rein_net_spec *rein_net_get_spec(const rein_net *net);
const char *rein_net_engine(const rein_net *net); /* "native" or "torch" */
int rein_net_n_in(const rein_net *net);           /* numbers in a row of x */
int rein_net_n_out(const rein_net *net);          /* numbers in a row of y */
size_t rein_net_n_params(const rein_net *net);    /* P */
size_t rein_net_n_packed(const rein_net *net);    /* floats that rein_net_pack writes */

/* Draw initial parameters.
 *   gain_hidden, gain_out  factor for hidden layers and for the last with weights (orthogonal,
 *                          xavier); a convolution's W counts as [out, in kh kw]; layernorm starts
 *                          as weight 1, bias 0, embedding as standard normals
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
 * The workspace keeps the activations for backward. After an error there is none to do.
 * Errors: none of the native engine; of torch REIN_ENOMEM, and what a script raises (REIN_EINVAL).
 */
rein_status rein_net_forward(const rein_net *net, const float *params, const float *packed,
                             rein_net_workspace *workspace, const float *x, int n, float *y);

/* Gradient of sum(dy * y) for the batch of the last forward with this workspace.
 *   dy    in   [n, n_out] f32
 *   grad  out  [P] f32, overwritten
 *   dx    out  [n, n_in] f32, or NULL when not wanted
 * Errors: as rein_net_forward. */
rein_status rein_net_backward(const rein_net *net, const float *params, const float *packed,
                              rein_net_workspace *workspace, const float *dy, float *grad,
                              float *dx);

/* The matrix products of one forward and one backward (without dx) and nothing else, with the same
 * kernels on the same arrays: the limit that a benchmark compares an update with. What it computes
 * of linear layers is the network without biases and activations; the workspace's last forward is
 * lost. Of the native engine; in the torch engine it does nothing.
 *   y     out  [n, n_out] f32
 *   grad  out  [P] f32 (biases untouched); NULL: of forward alone
 * Allocates: no. */
void rein_net_products(const rein_net *net, const float *params, const float *packed,
                       rein_net_workspace *workspace, const float *x, int n, float *y, float *grad);

/* "libxsmm 1.17, libmvec" or "openblas 0.3.21": what computes here; for logs and benchmarks. */
const char *rein_net_kernels(void);

#endif
