/* The native engine: a network as stages, each a matrix product or a pass over rows. An activation
 * behind a linear layer or a convolution belongs to its stage. Internal to nets/native/. */
#ifndef REIN_NETS_NATIVE_NATIVE_H
#define REIN_NETS_NATIVE_NATIVE_H

#include <stdbool.h>

#include "nets/engine.h"
#include "nets/gemm.h"

typedef struct native_stage {
    rein_layer layer;           /* as in the spec; never an LSTM, GRU or attention */
    rein_activation activation; /* LINEAR, CONV: behind it; ACTIVATION: itself; or REIN_LINEAR */
    rein_shape in, out;
    int rows, cols; /* a row of the batch is [rows, cols] to the activation: pixels x channels */
    int k;          /* CONV: numbers under the kernel, kh kw C */
    bool trained;   /* has parameters */
    bool direct;    /* CONV: from the image itself, see conv_direct.c; LINEAR: from W itself, see
                       linear_direct.c */
    bool turned;    /* dW^T = h^T dz and a transpose, cheaper than dW = dz^T h */
    bool flat; /* CONV: the flatten behind it is done for each image at once; h is flat. Direct,
                  with ReLU or nothing */
    size_t weight_at, bias_at;     /* in params */
    size_t packed_at, packed_back; /* in packed: LINEAR W^T [in, out], unless direct; CONV W^T [k,
                                      out], and W [out, k], both with k in the order kh, kw, C */
} native_stage;

typedef struct native_net {
    rein_net base;
    int n_stages, first_trained; /* n_stages when none is */
    bool any_conv;
    native_stage stages[REIN_MAX_LAYERS];
} native_net;

/* What one stage keeps of the last forward, and its kernels. */
typedef struct native_buffers {
    float *z;    /* [max_rows, out] pre-activations where the derivative needs them, otherwise the
                    same array as h; LAYERNORM: the normalised input */
    float *h;    /* [max_rows, out]; NULL: the last linear one's output goes where it is wanted */
    float *side; /* CONV: [max_rows pixels, k] what is under the kernel (direct: [pixels, k] for
                    the products alone; flat: one image [pixels, out]); LAYERNORM: [max_rows] 1 /
                    standard deviation */
    rein_gemm_plan forward, weights, inputs;
} native_buffers;

typedef struct native_workspace {
    rein_net_workspace base;
    int max_rows;
    const float *x; /* [n, n_in] of the last forward */
    int n;          /* its rows */
    native_buffers stages[REIN_MAX_LAYERS];
    float *dh[2];  /* [max_rows, widest stage] gradients, alternating */
    float *turned; /* the largest dW or W that is made transposed, or in another order */
    float *dcols;  /* CONV: [max_rows pixels, k] of the largest */
    float *zeros;  /* [widest activation without a bias] */
    float *unused; /* [likewise] its bias gradient */
    float *packed; /* [n_packed] for callers without one */
    float *memory; /* all of the above */
} native_workspace;

/* From so many rows on even a direct linear layer's W^T is made, for each forward: the product
 * gains more. */
enum { NATIVE_MANY_ROWS = 128 };

/* A stage's `turned`. */
bool native_weights_turned(int n_in, int n_out);

/* What the kinds of stages do. forward: in [n, in] to z [n, out] before bias and activation (all of
 * it where there is neither). weights: gradients of the weights from in and dz [n, out] into grad
 * [P]; inputs: dx [n, in] of dz. */
void native_linear_prepare(const native_stage *s, int max_rows, native_buffers *b);
void native_linear_pack(const native_stage *s, const float *params, float *packed);
void native_linear_forward(const native_stage *s, const native_buffers *b, const float *params,
                           const float *packed, const float *in, int n, float *turned, float *z);
void native_linear_weights(const native_stage *s, const native_buffers *b, const float *in,
                           const float *dz, int n, float *turned, float *grad);
void native_linear_inputs(const native_stage *s, const native_buffers *b, const float *params,
                          const float *dz, int n, float *dx);

/* The matrix product alone. */
void native_linear_forward_product(const native_stage *s, const native_buffers *b,
                                   const float *params, const float *packed, const float *in, int n,
                                   float *z);

/* Is the layer large enough to be run from W itself, on this processor? */
bool native_linear_is_direct(const native_stage *s);
/* z [n, out] = h [n, in] w [out, in]^T */
void native_linear_direct_forward(const native_stage *s, const float *w, const float *h, int n,
                                  float *z);

void native_conv_prepare(const native_stage *s, int max_rows, native_buffers *b);
void native_conv_pack(const native_stage *s, const float *params, float *packed);
/* All of it where direct and the activation is none or ReLU: *done. */
void native_conv_forward(const native_stage *s, const native_buffers *b, const float *params,
                         const float *packed, const float *in, int n, float *z, bool *done);
/* Gradients of weights and bias from d [n, out] by the output, which becomes dz [n, pixels, out] if
 * somebody wants it. */
void native_conv_backward(const native_stage *s, const native_buffers *b, const float *in, float *d,
                          int n, bool dz_wanted, float *turned, float *grad);
void native_conv_inputs(const native_stage *s, const native_buffers *b, const float *packed,
                        const float *dz, int n, float *dcols);
void native_conv_fold(const native_stage *s, const float *dcols, int n, float *dx);
/* The matrix products alone, of numbers that stand in b->side. */
void native_conv_forward_product(const native_stage *s, const native_buffers *b,
                                 const float *packed, int n, float *z);
void native_conv_weights_product(const native_stage *s, const native_buffers *b, const float *dz,
                                 int n, float *turned);

/* Can the convolution run from the image itself, on this processor? */
bool native_conv_is_direct(const native_stage *s);
/* z [n, pixels, out] = f(what is under the kernel W^T + bias), f none or ReLU, bias or NULL. */
void native_conv_direct_forward(const native_stage *s, const float *packed, const float *bias,
                                bool relu, const float *in, int n, float *z);
/* dw [k, out] += the part of dz [n, pixels, out]. */
void native_conv_direct_weights(const native_stage *s, const float *in, const float *dz, int n,
                                float *dw);

void native_norm_forward(const native_stage *s, const native_buffers *b, const float *params,
                         const float *in, int n, float *out);
void native_norm_backward(const native_stage *s, const native_buffers *b, const float *params,
                          const float *dy, int n, float *grad, float *dx);

void native_embedding_forward(const native_stage *s, const float *params, float scale,
                              const float *in, int n, float *out);
void native_embedding_backward(const native_stage *s, float scale, const float *in, const float *dy,
                               int n, float *grad);

#endif
