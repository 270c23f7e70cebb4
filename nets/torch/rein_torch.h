/* libtorch for C programs: tensors, layers, autograd, optimizers and TorchScript.
 *
 *     rein_tensor *a = NULL, *b = NULL, *c = NULL;
 *     REIN_TRY(rein_tensor_from_data(REIN_TORCH_F32, REIN_TORCH_CPU, shape, 2, data, &a));
 *     ...
 *     REIN_TRY(rein_tensor_matmul(a, b, &c));
 *     rein_tensor_free(c);
 *
 * Holds for every function, unless its own comment says otherwise:
 * - Loading. The first call loads the module librein_torch.so and libtorch with it (about half a
 *   second, once; see nets/torch/loader.h). A program that calls nothing here pays nothing.
 * - Errors. A negative status, and rein_error_message() says which function and why, with
 *   libtorch's own first line where libtorch refused. No C++ exception leaves the module.
 *   REIN_EINVAL: a NULL where none is allowed; a shape, dtype, device or number that does not fit.
 *   REIN_ENOMEM: no memory, of the host or the GPU. REIN_ENOTFOUND: no module, no file.
 *   REIN_EUNSUPPORTED: libtorch cannot do it, or there is no usable module (too old).
 *   After an error the out-arguments are unchanged, and so is a tensor to be written in place; only
 *   a backward that ran out of memory may have added some of its gradients.
 * - Ownership. `out` receives a new handle that the caller frees with the type's free function,
 *   which takes NULL. A handle owns a share of its storage, so views and results live on when the
 *   tensor they came from is freed. A borrowed tensor (rein_tensor_borrow) owns nothing: its array
 *   must outlive every tensor that shares it, gradient graphs included.
 * - NULL is refused unless a comment says "or NULL".
 * - Allocation. Each `out` costs a handle; all results but views allocate their storage.
 * - Threads. Any thread may call; no two at once on one handle that either of them writes to. The
 *   gradient switch belongs to the calling thread. backward runs in the caller.
 * - Gradients are recorded where an input requires them and the thread's switch is on.
 * - Dims are counted from 0, or from the end as -1, -2, ...; a tensor has at most
 *   REIN_TORCH_MAX_DIMS. Images are [N, C, H, W] here; an array [N, H, W, C] is borrowed as it
 *   stands and permuted (0, 3, 1, 2), without a copy.
 * - Results of arithmetic follow PyTorch: shapes broadcast, dtypes are promoted.
 * - No function draws random numbers: make them yourself and borrow them. Only a TorchScript file
 *   may hold operations that do (dropout in train mode). */
#ifndef REIN_NETS_TORCH_REIN_TORCH_H
#define REIN_NETS_TORCH_REIN_TORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rein_tensor rein_tensor;
typedef struct rein_torch_module rein_torch_module;       /* a TorchScript module */
typedef struct rein_torch_optimizer rein_torch_optimizer; /* over a list of tensors */

enum { REIN_TORCH_MAX_DIMS = 16 };

typedef enum rein_torch_dtype {
    REIN_TORCH_F32,
    REIN_TORCH_F64,
    REIN_TORCH_I64,
    REIN_TORCH_I32,
    REIN_TORCH_U8,
    REIN_TORCH_BOOL, /* one byte, 0 or 1 */
} rein_torch_dtype;

typedef enum rein_torch_device {
    REIN_TORCH_CPU,
    REIN_TORCH_CUDA, /* the first GPU; CUDA_VISIBLE_DEVICES chooses which that is */
} rein_torch_device;

typedef enum rein_torch_reduction {
    REIN_TORCH_NONE, /* a loss per element */
    REIN_TORCH_MEAN,
    REIN_TORCH_SUM,
} rein_torch_reduction;

/* --- library ---------------------------------------------------------------------------------- */

/* "2.15.0": libtorch's version; static text. (Debian's 1.13.1 calls itself "1.13.0".) */
rein_status rein_torch_version(const char **out);

/* Number of CUDA devices; 0 also where libtorch was built without CUDA. */
rein_status rein_torch_n_cuda(int *out);

/* Threads inside one operation, n >= 1, for calls from this thread and, unless they set their own,
 * new ones. Inside an OpenMP parallel region (a rein_team) an operation uses one thread anyway.
 * Same bytes for any number is libtorch's to keep, and it does not promise it: use 1. Sets the
 * thread's own OpenMP default, too (omp_set_num_threads), where libtorch was built on OpenMP. */
rein_status rein_torch_set_threads(int n);
rein_status rein_torch_n_threads(int *out);

/* Record gradients from now on in this thread? A no-grad scope is
 *     REIN_TRY(rein_torch_enable_grad(false, &before));
 *     ...
 *     REIN_TRY(rein_torch_enable_grad(before, NULL));
 *   previous  out  what held before, or NULL. On at a thread's start. */
rein_status rein_torch_enable_grad(bool enabled, bool *previous);

/* Handles made and not yet freed, of all three types and all threads: 0 at the end of a program
 * without leaks. */
rein_status rein_torch_n_live(int64_t *out);

typedef enum rein_torch_exception {
    REIN_TORCH_THROW_NOTHING,
    REIN_TORCH_THROW_TORCH,    /* c10::Error:      REIN_EINVAL */
    REIN_TORCH_THROW_MEMORY,   /* std::bad_alloc:  REIN_ENOMEM */
    REIN_TORCH_THROW_STANDARD, /* std::exception:  REIN_EINVAL */
    REIN_TORCH_THROW_OTHER,    /* an int:          REIN_EUNSUPPORTED */
} rein_torch_exception;

/* For tests: the next function called by this thread throws this inside, where libtorch's own
 * exceptions come from, instead of doing its work. */
rein_status rein_torch_throw_next(rein_torch_exception exception);

/* --- making tensors ---------------------------------------------------------------------------
 *   shape  in  [n_dims] lengths >= 0; n_dims 0 (shape may be NULL) is a scalar */

rein_status rein_tensor_zeros(rein_torch_dtype dtype, rein_torch_device device,
                              const int64_t *shape, int n_dims, rein_tensor **out);

/* Every element is `value`. */
rein_status rein_tensor_full(rein_torch_dtype dtype, rein_torch_device device, const int64_t *shape,
                             int n_dims, double value, rein_tensor **out);

/* out [n]: start + i step. Not for BOOL. */
rein_status rein_tensor_arange(rein_torch_dtype dtype, rein_torch_device device, double start,
                               double step, int64_t n, rein_tensor **out);

/* A copy of the caller's row-major array.  data in [shape] of dtype; NULL where a length is 0. */
rein_status rein_tensor_from_data(rein_torch_dtype dtype, rein_torch_device device,
                                  const int64_t *shape, int n_dims, const void *data,
                                  rein_tensor **out);

/* A tensor on the CPU over the caller's own array, without a copy: writing to one writes to the
 * other.  data io [shape] row-major, aligned to its dtype; outlives all tensors that share it. */
rein_status rein_tensor_borrow(rein_torch_dtype dtype, const int64_t *shape, int n_dims, void *data,
                               rein_tensor **out);

/* A deep copy, recorded for gradients. */
rein_status rein_tensor_clone(const rein_tensor *a, rein_tensor **out);

/* The same storage outside every gradient graph. */
rein_status rein_tensor_detach(const rein_tensor *a, rein_tensor **out);

/* Another handle of the very same tensor: gradients, data, everything is shared. */
rein_status rein_tensor_alias(const rein_tensor *a, rein_tensor **out);

/* Row-major without gaps; the same storage where that holds already. */
rein_status rein_tensor_contiguous(const rein_tensor *a, rein_tensor **out);

/* Another dtype or device; the same storage where both hold already. */
rein_status rein_tensor_to(const rein_tensor *a, rein_torch_dtype dtype, rein_torch_device device,
                           rein_tensor **out);

/* Never fails, loads nothing. NULL: does nothing. */
void rein_tensor_free(rein_tensor *a);

/* --- looking at tensors, moving numbers ------------------------------------------------------- */

rein_status rein_tensor_n_dims(const rein_tensor *a, int *out);

/* shape out [max] at least n_dims long, else REIN_EINVAL;  n_dims out, or NULL. */
rein_status rein_tensor_shape(const rein_tensor *a, int64_t *shape, int max, int *n_dims);

/* Number of elements; 1 for a scalar. */
rein_status rein_tensor_numel(const rein_tensor *a, int64_t *out);

/* Errors: REIN_EUNSUPPORTED for a dtype that is not in the list (a TorchScript file's float16). */
rein_status rein_tensor_dtype(const rein_tensor *a, rein_torch_dtype *out);
rein_status rein_tensor_device(const rein_tensor *a, rein_torch_device *out);

/* The storage itself, for reading and writing, valid as long as the tensor.
 * Errors: REIN_EINVAL on a GPU, or when it is not contiguous. */
rein_status rein_tensor_data(const rein_tensor *a, void **out);

/* Copy everything, row-major, to or from the caller's array; from any device, any strides.
 *   bytes  must be numel times the size of a's dtype.
 * write is refused where it would break a recorded graph (a leaf that requires a gradient: switch
 * gradients off first). Allocates: only where a is not contiguous on the CPU. */
rein_status rein_tensor_read(const rein_tensor *a, void *data, size_t bytes);
rein_status rein_tensor_write(rein_tensor *a, const void *data, size_t bytes);

/* The number in a tensor of one element. */
rein_status rein_tensor_item(const rein_tensor *a, double *out);

/* dst = src, in place; src is broadcast and converted. */
rein_status rein_tensor_copy(rein_tensor *dst, const rein_tensor *src);

/* dst = value, in place. */
rein_status rein_tensor_fill(rein_tensor *dst, double value);

/* --- views and joins --------------------------------------------------------------------------
 * All but reshape, flatten, cat and stack share a's storage; those two do where they can. */

/* Another shape of as many elements; one length may be -1. view: REIN_EINVAL where it would need a
 * copy. */
rein_status rein_tensor_view(const rein_tensor *a, const int64_t *shape, int n_dims,
                             rein_tensor **out);
rein_status rein_tensor_reshape(const rein_tensor *a, const int64_t *shape, int n_dims,
                                rein_tensor **out);

/* Dims start to end (inclusive) become one. */
rein_status rein_tensor_flatten(const rein_tensor *a, int start, int end, rein_tensor **out);

/* Dim i of out is dim dims[i] of a; dims in [n_dims] names each once. */
rein_status rein_tensor_permute(const rein_tensor *a, const int64_t *dims, int n_dims,
                                rein_tensor **out);
rein_status rein_tensor_transpose(const rein_tensor *a, int dim0, int dim1, rein_tensor **out);

/* Drop a dim of length 1 (a longer one stays) or insert one at `dim`. */
rein_status rein_tensor_squeeze(const rein_tensor *a, int dim, rein_tensor **out);
rein_status rein_tensor_unsqueeze(const rein_tensor *a, int dim, rein_tensor **out);

/* Dims of length 1 repeated to `shape` (-1: as it is). */
rein_status rein_tensor_expand(const rein_tensor *a, const int64_t *shape, int n_dims,
                               rein_tensor **out);

/* a[start : start + length] along dim. */
rein_status rein_tensor_narrow(const rein_tensor *a, int dim, int64_t start, int64_t length,
                               rein_tensor **out);

/* a[index] along dim, which disappears. */
rein_status rein_tensor_select(const rein_tensor *a, int dim, int64_t index, rein_tensor **out);

/* n >= 1 tensors after one another along dim; along a new dim (all of one shape). */
rein_status rein_tensor_cat(rein_tensor *const *tensors, int n, int dim, rein_tensor **out);
rein_status rein_tensor_stack(rein_tensor *const *tensors, int n, int dim, rein_tensor **out);

/* --- arithmetic ------------------------------------------------------------------------------- */

/* Element by element, a and b broadcast together. */
rein_status rein_tensor_add(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);
rein_status rein_tensor_sub(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);
rein_status rein_tensor_mul(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);
rein_status rein_tensor_div(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);
rein_status rein_tensor_pow(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);
rein_status rein_tensor_maximum(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);
rein_status rein_tensor_minimum(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);

/* The same with a number. */
rein_status rein_tensor_add_scalar(const rein_tensor *a, double value, rein_tensor **out);
rein_status rein_tensor_mul_scalar(const rein_tensor *a, double value, rein_tensor **out);
rein_status rein_tensor_pow_scalar(const rein_tensor *a, double value, rein_tensor **out);

/* min(max(a, low), high); an infinite bound is none. */
rein_status rein_tensor_clamp(const rein_tensor *a, double low, double high, rein_tensor **out);

/* In place: dst += scale src (broadcast to dst's shape); dst *= value. */
rein_status rein_tensor_add_scaled(rein_tensor *dst, const rein_tensor *src, double scale);
rein_status rein_tensor_scale(rein_tensor *dst, double value);

/* Element by element; integers become f32 where the function is not one of integers. */
rein_status rein_tensor_neg(const rein_tensor *a, rein_tensor **out);
rein_status rein_tensor_abs(const rein_tensor *a, rein_tensor **out);
rein_status rein_tensor_sign(const rein_tensor *a, rein_tensor **out);
rein_status rein_tensor_floor(const rein_tensor *a, rein_tensor **out);
rein_status rein_tensor_square(const rein_tensor *a, rein_tensor **out);
rein_status rein_tensor_sqrt(const rein_tensor *a, rein_tensor **out);
rein_status rein_tensor_exp(const rein_tensor *a, rein_tensor **out);
rein_status rein_tensor_log(const rein_tensor *a, rein_tensor **out);
rein_status rein_tensor_sin(const rein_tensor *a, rein_tensor **out);
rein_status rein_tensor_cos(const rein_tensor *a, rein_tensor **out);

/* Comparisons, broadcast; out BOOL. */
rein_status rein_tensor_eq(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);
rein_status rein_tensor_ne(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);
rein_status rein_tensor_lt(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);
rein_status rein_tensor_le(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);
rein_status rein_tensor_gt(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);
rein_status rein_tensor_ge(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);

/* Of "is not zero"; out BOOL. */
rein_status rein_tensor_logical_and(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);
rein_status rein_tensor_logical_or(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);
rein_status rein_tensor_logical_not(const rein_tensor *a, rein_tensor **out);

/* condition (BOOL) ? a : b, all three broadcast. */
rein_status rein_tensor_where(const rein_tensor *condition, const rein_tensor *a,
                              const rein_tensor *b, rein_tensor **out);

/* [m,k] [k,n]; more dims are a batch, and broadcast; a [k] is a row or a column. */
rein_status rein_tensor_matmul(const rein_tensor *a, const rein_tensor *b, rein_tensor **out);

/* --- reductions -------------------------------------------------------------------------------
 *   dims  in  [n_dims] dims to reduce; n_dims 0 (dims may be NULL): all of them
 *   keep      reduced dims stay, with length 1 */

rein_status rein_tensor_sum(const rein_tensor *a, const int64_t *dims, int n_dims, bool keep,
                            rein_tensor **out);
rein_status rein_tensor_mean(const rein_tensor *a, const int64_t *dims, int n_dims, bool keep,
                             rein_tensor **out);

/* unbiased: divided by n - 1 instead of n. */
rein_status rein_tensor_var(const rein_tensor *a, const int64_t *dims, int n_dims, bool unbiased,
                            bool keep, rein_tensor **out);

/* Extreme along one dim.  values out, or NULL;  indices out I64, or NULL; not both NULL. */
rein_status rein_tensor_max(const rein_tensor *a, int dim, bool keep, rein_tensor **values,
                            rein_tensor **indices);
rein_status rein_tensor_min(const rein_tensor *a, int dim, bool keep, rein_tensor **values,
                            rein_tensor **indices);

/* log sum exp(a) along dim. */
rein_status rein_tensor_logsumexp(const rein_tensor *a, int dim, bool keep, rein_tensor **out);

/* out[i] = a[0] + ... + a[i] along dim. */
rein_status rein_tensor_cumsum(const rein_tensor *a, int dim, rein_tensor **out);

/* sqrt(sum a^2) over everything; a floating. */
rein_status rein_tensor_norm(const rein_tensor *a, rein_tensor **out);

/* --- indexing: index tensors are I64 -----------------------------------------------------------
 */

/* Rows index [n] of a along dim. */
rein_status rein_tensor_index_select(const rein_tensor *a, int dim, const rein_tensor *index,
                                     rein_tensor **out);

/* out[i][j] = a[i][index[i][j]] for dim 1; index has a's number of dims. */
rein_status rein_tensor_gather(const rein_tensor *a, int dim, const rein_tensor *index,
                               rein_tensor **out);

/* A copy of a with out[i][index[i][j]] = src[i][j], or += for scatter_add. */
rein_status rein_tensor_scatter(const rein_tensor *a, int dim, const rein_tensor *index,
                                const rein_tensor *src, rein_tensor **out);
rein_status rein_tensor_scatter_add(const rein_tensor *a, int dim, const rein_tensor *index,
                                    const rein_tensor *src, rein_tensor **out);

/* A copy of a, `value` where mask (BOOL, broadcast) holds. */
rein_status rein_tensor_masked_fill(const rein_tensor *a, const rein_tensor *mask, double value,
                                    rein_tensor **out);

/* [k]: the elements where mask holds, in row-major order. */
rein_status rein_tensor_masked_select(const rein_tensor *a, const rein_tensor *mask,
                                      rein_tensor **out);

/* a I64 [...] in [0, n_classes) -> [..., n_classes] I64 of 0 and 1. */
rein_status rein_tensor_one_hot(const rein_tensor *a, int64_t n_classes, rein_tensor **out);

/* --- activations ------------------------------------------------------------------------------ */

rein_status rein_tensor_tanh(const rein_tensor *a, rein_tensor **out);
rein_status rein_tensor_sigmoid(const rein_tensor *a, rein_tensor **out);
rein_status rein_tensor_relu(const rein_tensor *a, rein_tensor **out);
rein_status rein_tensor_silu(const rein_tensor *a, rein_tensor **out);
rein_status rein_tensor_gelu(const rein_tensor *a, rein_tensor **out);     /* exact, with erf */
rein_status rein_tensor_softplus(const rein_tensor *a, rein_tensor **out); /* log(1 + exp(a)) */

/* a > 0 ? a : alpha (exp(a) - 1); a > 0 ? a : slope a. */
rein_status rein_tensor_elu(const rein_tensor *a, double alpha, rein_tensor **out);
rein_status rein_tensor_leaky_relu(const rein_tensor *a, double slope, rein_tensor **out);

/* Along dim; a floating. */
rein_status rein_tensor_softmax(const rein_tensor *a, int dim, rein_tensor **out);
rein_status rein_tensor_log_softmax(const rein_tensor *a, int dim, rein_tensor **out);

/* --- layers: parameters are arguments, all of one floating dtype -------------------------------
 */

/* y [..., out] = x [..., in] weight^T + bias;  weight [out, in];  bias [out], or NULL. */
rein_status rein_tensor_linear(const rein_tensor *x, const rein_tensor *weight,
                               const rein_tensor *bias, rein_tensor **out);

/* Cross-correlation.
 *   x [N, C, H, W];  weight [out, C / groups, kh, kw];  bias [out], or NULL
 *   stride, padding, dilation  in  [2] rows, columns; NULL: 1, 0, 1
 *   out  [N, out, (H + 2 pad - dilation (kh - 1) - 1) / stride + 1, ...] */
rein_status rein_tensor_conv2d(const rein_tensor *x, const rein_tensor *weight,
                               const rein_tensor *bias, const int64_t *stride,
                               const int64_t *padding, const int64_t *dilation, int64_t groups,
                               rein_tensor **out);

/* x [N, C, H, W];  kernel in [2];  stride, padding in [2], NULL: kernel, 0. Averages count padding
 * as zeros. */
rein_status rein_tensor_max_pool2d(const rein_tensor *x, const int64_t *kernel,
                                   const int64_t *stride, const int64_t *padding,
                                   rein_tensor **out);
rein_status rein_tensor_avg_pool2d(const rein_tensor *x, const int64_t *kernel,
                                   const int64_t *stride, const int64_t *padding,
                                   rein_tensor **out);

/* Over the last n_dims dims (those of weight and bias, each [those dims] or NULL):
 * (x - mean) / sqrt(var + eps) weight + bias.  n_dims in [1, dims of x]; eps > 0. */
rein_status rein_tensor_layer_norm(const rein_tensor *x, int n_dims, const rein_tensor *weight,
                                   const rein_tensor *bias, double eps, rein_tensor **out);

/* out [..., E] = weight[index];  weight [n, E];  index [...] I64 in [0, n). */
rein_status rein_tensor_embedding(const rein_tensor *weight, const rein_tensor *index,
                                  rein_tensor **out);

/* One step. Gates i, f, g, o.
 *   x [N, I];  h, c [N, H];  w_ih [4H, I];  w_hh [4H, H];  b_ih, b_hh [4H], both or none (NULL)
 *   h_out, c_out  out  [N, H] */
rein_status rein_tensor_lstm_cell(const rein_tensor *x, const rein_tensor *h, const rein_tensor *c,
                                  const rein_tensor *w_ih, const rein_tensor *w_hh,
                                  const rein_tensor *b_ih, const rein_tensor *b_hh,
                                  rein_tensor **h_out, rein_tensor **c_out);

/* One step. Gates r, z, n;  w_ih [3H, I];  w_hh [3H, H];  b_ih, b_hh [3H], both or none. */
rein_status rein_tensor_gru_cell(const rein_tensor *x, const rein_tensor *h,
                                 const rein_tensor *w_ih, const rein_tensor *w_hh,
                                 const rein_tensor *b_ih, const rein_tensor *b_hh,
                                 rein_tensor **h_out);

/* A whole sequence through n_layers layers.
 *   x [T, N, I];  h, c [n_layers, N, H]
 *   weights  in  [4 n_layers]: w_ih, w_hh, b_ih, b_hh of each layer
 *   y [T, N, H] of the last layer;  h_out, c_out [n_layers, N, H] after the last step */
rein_status rein_tensor_lstm(const rein_tensor *x, const rein_tensor *h, const rein_tensor *c,
                             rein_tensor *const *weights, int n_layers, rein_tensor **y,
                             rein_tensor **h_out, rein_tensor **c_out);
rein_status rein_tensor_gru(const rein_tensor *x, const rein_tensor *h, rein_tensor *const *weights,
                            int n_layers, rein_tensor **y, rein_tensor **h_out);

/* Multi-head attention: q, k, v by in_w, softmax(q k^T / sqrt(E / heads)) v, out_w.
 *   query [B, S, E];  key [B, S', E], also gives the values; the same tensor for self-attention
 *   in_w [3E, E] rows q, k, v;  in_b [3E];  out_w [E, E];  out_b [E]; heads divides E
 *   mask     BOOL, broadcast to [B, heads, S, S'], true: may look; or NULL. A row that may look
 *            nowhere gives NaN.
 *   causal   step s looks at steps <= s only; needs S = S'
 *   out      out  [B, S, E];  attention out [B, heads, S, S'], or NULL */
rein_status rein_tensor_attention(const rein_tensor *query, const rein_tensor *key,
                                  const rein_tensor *in_w, const rein_tensor *in_b,
                                  const rein_tensor *out_w, const rein_tensor *out_b, int heads,
                                  const rein_tensor *mask, bool causal, rein_tensor **out,
                                  rein_tensor **attention);

/* --- losses: out is a scalar, or one loss per element for REIN_TORCH_NONE --------------------- */

/* (a - b)^2; |a - b|; both of one shape. */
rein_status rein_tensor_mse_loss(const rein_tensor *a, const rein_tensor *b,
                                 rein_torch_reduction reduction, rein_tensor **out);
rein_status rein_tensor_l1_loss(const rein_tensor *a, const rein_tensor *b,
                                rein_torch_reduction reduction, rein_tensor **out);

/* d = |a - b|: d < delta ? d^2 / 2 : delta (d - delta / 2);  delta > 0. */
rein_status rein_tensor_huber_loss(const rein_tensor *a, const rein_tensor *b, double delta,
                                   rein_torch_reduction reduction, rein_tensor **out);

/* -log softmax(logits)[target];  logits [N, K];  target I64 [N] in [0, K). */
rein_status rein_tensor_cross_entropy(const rein_tensor *logits, const rein_tensor *target,
                                      rein_torch_reduction reduction, rein_tensor **out);

/* -log_prob[target];  log_prob [N, K];  target I64 [N]. */
rein_status rein_tensor_nll_loss(const rein_tensor *log_prob, const rein_tensor *target,
                                 rein_torch_reduction reduction, rein_tensor **out);

/* -target log s(logits) - (1 - target) log(1 - s(logits)), s the sigmoid; one shape, floating. */
rein_status rein_tensor_bce_with_logits(const rein_tensor *logits, const rein_tensor *target,
                                        rein_torch_reduction reduction, rein_tensor **out);

/* target (log target - log_prob); one shape; MEAN is over all elements. */
rein_status rein_tensor_kl_div(const rein_tensor *log_prob, const rein_tensor *target,
                               rein_torch_reduction reduction, rein_tensor **out);

/* --- gradients -------------------------------------------------------------------------------- */

/* Make a leaf one that collects a gradient, or not; floating dtypes only. */
rein_status rein_tensor_require_grad(rein_tensor *a, bool required);
rein_status rein_tensor_requires_grad(const rein_tensor *a, bool *out);

/* Add the gradient of sum(grad * a) to every leaf that a came from.
 *   grad  in  a's shape and dtype; NULL: 1, only for an a of one element
 *   keep      the graph stays for another backward */
rein_status rein_tensor_backward(const rein_tensor *a, const rein_tensor *grad, bool keep);

/* The gradient that a leaf has collected (its storage, not a copy). Errors: REIN_EEMPTY. */
rein_status rein_tensor_grad(const rein_tensor *a, rein_tensor **out);

/* Collect into grad from now on (a's shape, dtype and device): with a borrowed slice of the
 * caller's flat vector, backward adds there and nothing is copied. NULL: forget what was collected.
 */
rein_status rein_tensor_set_grad(rein_tensor *a, const rein_tensor *grad);

/* Set the collected gradient, if there is one, to zero in place. */
rein_status rein_tensor_zero_grad(rein_tensor *a);

/* a, a leaf, takes other's storage (same dtype and device) and keeps its place in the caller's
 * lists: the parameters of a TorchScript module become views of one flat vector. */
rein_status rein_tensor_set_data(rein_tensor *a, const rein_tensor *other);

/* Gradients by `inputs` of sum_i sum(grads[i] * outputs[i]); nothing is collected in leaves.
 *   grads   in   [n_outputs], entries or all may be NULL: 1, for outputs of one element
 *   keep         the graph stays;  differentiable: the results can be differentiated again
 *   result  out  [n_inputs] handles; NULL where an input does not matter */
rein_status rein_torch_gradients(rein_tensor *const *outputs, rein_tensor *const *grads,
                                 int n_outputs, rein_tensor *const *inputs, int n_inputs, bool keep,
                                 bool differentiable, rein_tensor **result);

/* --- files ------------------------------------------------------------------------------------
 * Written aside, synced and renamed: whole or absent. */

/* A dictionary of n tensors as torch.save writes it; torch.load reads it as dict[str, Tensor].
 *   names  in  [n] distinct, not empty.   Errors: REIN_EIO. */
rein_status rein_torch_state_save(const char *path, const char *const *names,
                                  rein_tensor *const *tensors, int n);

/* The named tensors of such a file, on the CPU; also one that Python wrote by
 * torch.save(dict(net.state_dict()), path).
 *   tensors  out  [n] new handles, all or none
 * Errors: REIN_ENOTFOUND (no file), REIN_EFORMAT (damaged, not a dictionary, a name is missing). */
rein_status rein_torch_state_load(const char *path, const char *const *names, int n,
                                  rein_tensor **tensors);

/* --- TorchScript ------------------------------------------------------------------------------ */

/* A file made by torch.jit.script(net).save(path) or torch.jit.trace(...).save(path). Its checksums
 * are compared. A file is a program that forward runs: load only what you trust.
 * Errors: REIN_ENOTFOUND, REIN_EIO, REIN_EFORMAT (damaged, foreign, or made of operators that only
 * a newer libtorch has). */
rein_status rein_torch_module_load(const char *path, rein_torch_device device,
                                   rein_torch_module **out);

/* The same from the bytes of such a file.
 *   data  in  [size] bytes, not needed afterwards
 * Errors: REIN_EFORMAT. */
rein_status rein_torch_module_load_memory(const void *data, size_t size, rein_torch_device device,
                                          rein_torch_module **out);

/* A file that rein_torch_module_load and Python's torch.jit.load read. Errors: REIN_EIO. */
rein_status rein_torch_module_save(const rein_torch_module *module, const char *path);

/* A deep copy with parameters of its own: one for each thread. */
rein_status rein_torch_module_clone(const rein_torch_module *module, rein_torch_module **out);
void rein_torch_module_free(rein_torch_module *module); /* NULL: does nothing */

/* outputs = forward(inputs), recorded for gradients.
 *   inputs     in   [n_inputs]
 *   outputs    out  [max_outputs] new handles; the file returns a tensor, or a tuple or list of
 * them n_outputs  out  how many; REIN_EINVAL when more than max_outputs */
rein_status rein_torch_module_forward(rein_torch_module *module, rein_tensor *const *inputs,
                                      int n_inputs, rein_tensor **outputs, int max_outputs,
                                      int *n_outputs);

/* Parameter i in [0, n_parameters), in the order of Python's net.parameters(): the tensor itself.
 *   name  out  as in Python's named_parameters(), cut to size - 1 bytes; or NULL */
rein_status rein_torch_module_n_parameters(const rein_torch_module *module, int *out);
rein_status rein_torch_module_parameter(const rein_torch_module *module, int i, char *name,
                                        size_t size, rein_tensor **out);

/* Train or evaluation mode (dropout, batch norm). */
rein_status rein_torch_module_train(rein_torch_module *module, bool train);

/* Move parameters and buffers: floating ones to `dtype` (F32 or F64), all to `device`. */
rein_status rein_torch_module_to(rein_torch_module *module, rein_torch_dtype dtype,
                                 rein_torch_device device);

/* --- optimizers ------------------------------------------------------------------------------- */

typedef enum rein_torch_optimizer_kind {
    REIN_TORCH_SGD,
    REIN_TORCH_ADAM,
    REIN_TORCH_ADAMW,
    REIN_TORCH_RMSPROP,
} rein_torch_optimizer_kind;

typedef struct rein_torch_optimizer_options {
    rein_torch_optimizer_kind kind;
    double lr;           /* > 0 */
    double momentum;     /* SGD, RMSPROP */
    double beta1, beta2; /* ADAM, ADAMW: 0 means 0.9 and 0.999 */
    double alpha;        /* RMSPROP: 0 means 0.99 */
    double eps;          /* 0 means 1e-8 */
    double weight_decay;
    bool centered; /* RMSPROP */
} rein_torch_optimizer_options;

/* parameters in [n] leaves that require gradients, n >= 1; the optimizer keeps its own handles. */
rein_status rein_torch_optimizer_create(const rein_torch_optimizer_options *options,
                                        rein_tensor *const *parameters, int n,
                                        rein_torch_optimizer **out);
void rein_torch_optimizer_free(rein_torch_optimizer *optimizer); /* NULL: does nothing */

/* One step with the gradients collected; parameters without one stay. */
rein_status rein_torch_optimizer_step(rein_torch_optimizer *optimizer);

/* Set every collected gradient to zero, in place. */
rein_status rein_torch_optimizer_zero_grad(rein_torch_optimizer *optimizer);
rein_status rein_torch_optimizer_set_lr(rein_torch_optimizer *optimizer, double lr);

/* Moments and step counts, not the options; load into one with the same kind and parameters'
 * shapes. Errors leave it as it was: REIN_EIO; REIN_ENOTFOUND, REIN_EFORMAT. */
rein_status rein_torch_optimizer_save(const rein_torch_optimizer *optimizer, const char *path);
rein_status rein_torch_optimizer_load(rein_torch_optimizer *optimizer, const char *path);

#ifdef __cplusplus
}
#endif

#endif
