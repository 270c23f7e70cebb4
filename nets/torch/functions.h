/* Every function of rein_torch.h once: the table that the module hands over, and the loader's
 * functions that call through it, are made from these lists. The compiler compares them with the
 * header's declarations; tests/nets/test_torch_api.c checks that none is missing.
 * Internal to nets/torch. */
#ifndef REIN_NETS_TORCH_FUNCTIONS_H
#define REIN_NETS_TORCH_FUNCTIONS_H

#include "nets/torch/rein_torch.h"

/* Raised by hand when the meaning of a function changes; changed signatures are seen anyway. */
enum { REIN_TORCH_ABI = 1 };

/* X(name, (parameters), (arguments)): functions that return a status */
#define REIN_TORCH_FUNCTIONS(X)                                                                    \
    X(rein_torch_version, (const char **out), (out))                                               \
    X(rein_torch_n_cuda, (int *out), (out))                                                        \
    X(rein_torch_set_threads, (int n), (n))                                                        \
    X(rein_torch_n_threads, (int *out), (out))                                                     \
    X(rein_torch_enable_grad, (bool enabled, bool *previous), (enabled, previous))                 \
    X(rein_torch_n_live, (int64_t * out), (out))                                                   \
    X(rein_torch_throw_next, (rein_torch_exception exception), (exception))                        \
    X(rein_tensor_zeros,                                                                           \
      (rein_torch_dtype dtype, rein_torch_device device, const int64_t *shape, int n_dims,         \
       rein_tensor **out),                                                                         \
      (dtype, device, shape, n_dims, out))                                                         \
    X(rein_tensor_full,                                                                            \
      (rein_torch_dtype dtype, rein_torch_device device, const int64_t *shape, int n_dims,         \
       double value, rein_tensor **out),                                                           \
      (dtype, device, shape, n_dims, value, out))                                                  \
    X(rein_tensor_arange,                                                                          \
      (rein_torch_dtype dtype, rein_torch_device device, double start, double step, int64_t n,     \
       rein_tensor **out),                                                                         \
      (dtype, device, start, step, n, out))                                                        \
    X(rein_tensor_from_data,                                                                       \
      (rein_torch_dtype dtype, rein_torch_device device, const int64_t *shape, int n_dims,         \
       const void *data, rein_tensor **out),                                                       \
      (dtype, device, shape, n_dims, data, out))                                                   \
    X(rein_tensor_borrow,                                                                          \
      (rein_torch_dtype dtype, const int64_t *shape, int n_dims, void *data, rein_tensor **out),   \
      (dtype, shape, n_dims, data, out))                                                           \
    X(rein_tensor_clone, (const rein_tensor *a, rein_tensor **out), (a, out))                      \
    X(rein_tensor_detach, (const rein_tensor *a, rein_tensor **out), (a, out))                     \
    X(rein_tensor_alias, (const rein_tensor *a, rein_tensor **out), (a, out))                      \
    X(rein_tensor_contiguous, (const rein_tensor *a, rein_tensor **out), (a, out))                 \
    X(rein_tensor_to,                                                                              \
      (const rein_tensor *a, rein_torch_dtype dtype, rein_torch_device device, rein_tensor **out), \
      (a, dtype, device, out))                                                                     \
    X(rein_tensor_n_dims, (const rein_tensor *a, int *out), (a, out))                              \
    X(rein_tensor_shape, (const rein_tensor *a, int64_t *shape, int max, int *n_dims),             \
      (a, shape, max, n_dims))                                                                     \
    X(rein_tensor_numel, (const rein_tensor *a, int64_t *out), (a, out))                           \
    X(rein_tensor_dtype, (const rein_tensor *a, rein_torch_dtype *out), (a, out))                  \
    X(rein_tensor_device, (const rein_tensor *a, rein_torch_device *out), (a, out))                \
    X(rein_tensor_data, (const rein_tensor *a, void **out), (a, out))                              \
    X(rein_tensor_read, (const rein_tensor *a, void *data, size_t bytes), (a, data, bytes))        \
    X(rein_tensor_write, (rein_tensor * a, const void *data, size_t bytes), (a, data, bytes))      \
    X(rein_tensor_item, (const rein_tensor *a, double *out), (a, out))                             \
    X(rein_tensor_copy, (rein_tensor * dst, const rein_tensor *src), (dst, src))                   \
    X(rein_tensor_fill, (rein_tensor * dst, double value), (dst, value))                           \
    X(rein_tensor_view,                                                                            \
      (const rein_tensor *a, const int64_t *shape, int n_dims, rein_tensor **out),                 \
      (a, shape, n_dims, out))                                                                     \
    X(rein_tensor_reshape,                                                                         \
      (const rein_tensor *a, const int64_t *shape, int n_dims, rein_tensor **out),                 \
      (a, shape, n_dims, out))                                                                     \
    X(rein_tensor_flatten, (const rein_tensor *a, int start, int end, rein_tensor **out),          \
      (a, start, end, out))                                                                        \
    X(rein_tensor_permute,                                                                         \
      (const rein_tensor *a, const int64_t *dims, int n_dims, rein_tensor **out),                  \
      (a, dims, n_dims, out))                                                                      \
    X(rein_tensor_transpose, (const rein_tensor *a, int dim0, int dim1, rein_tensor **out),        \
      (a, dim0, dim1, out))                                                                        \
    X(rein_tensor_squeeze, (const rein_tensor *a, int dim, rein_tensor **out), (a, dim, out))      \
    X(rein_tensor_unsqueeze, (const rein_tensor *a, int dim, rein_tensor **out), (a, dim, out))    \
    X(rein_tensor_expand,                                                                          \
      (const rein_tensor *a, const int64_t *shape, int n_dims, rein_tensor **out),                 \
      (a, shape, n_dims, out))                                                                     \
    X(rein_tensor_narrow,                                                                          \
      (const rein_tensor *a, int dim, int64_t start, int64_t length, rein_tensor **out),           \
      (a, dim, start, length, out))                                                                \
    X(rein_tensor_select, (const rein_tensor *a, int dim, int64_t index, rein_tensor **out),       \
      (a, dim, index, out))                                                                        \
    X(rein_tensor_cat, (rein_tensor *const *tensors, int n, int dim, rein_tensor **out),           \
      (tensors, n, dim, out))                                                                      \
    X(rein_tensor_stack, (rein_tensor *const *tensors, int n, int dim, rein_tensor **out),         \
      (tensors, n, dim, out))                                                                      \
    X(rein_tensor_add, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),            \
      (a, b, out))                                                                                 \
    X(rein_tensor_sub, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),            \
      (a, b, out))                                                                                 \
    X(rein_tensor_mul, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),            \
      (a, b, out))                                                                                 \
    X(rein_tensor_div, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),            \
      (a, b, out))                                                                                 \
    X(rein_tensor_pow, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),            \
      (a, b, out))                                                                                 \
    X(rein_tensor_maximum, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),        \
      (a, b, out))                                                                                 \
    X(rein_tensor_minimum, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),        \
      (a, b, out))                                                                                 \
    X(rein_tensor_add_scalar, (const rein_tensor *a, double value, rein_tensor **out),             \
      (a, value, out))                                                                             \
    X(rein_tensor_mul_scalar, (const rein_tensor *a, double value, rein_tensor **out),             \
      (a, value, out))                                                                             \
    X(rein_tensor_pow_scalar, (const rein_tensor *a, double value, rein_tensor **out),             \
      (a, value, out))                                                                             \
    X(rein_tensor_clamp, (const rein_tensor *a, double low, double high, rein_tensor **out),       \
      (a, low, high, out))                                                                         \
    X(rein_tensor_add_scaled, (rein_tensor * dst, const rein_tensor *src, double scale),           \
      (dst, src, scale))                                                                           \
    X(rein_tensor_scale, (rein_tensor * dst, double value), (dst, value))                          \
    X(rein_tensor_neg, (const rein_tensor *a, rein_tensor **out), (a, out))                        \
    X(rein_tensor_abs, (const rein_tensor *a, rein_tensor **out), (a, out))                        \
    X(rein_tensor_sign, (const rein_tensor *a, rein_tensor **out), (a, out))                       \
    X(rein_tensor_floor, (const rein_tensor *a, rein_tensor **out), (a, out))                      \
    X(rein_tensor_square, (const rein_tensor *a, rein_tensor **out), (a, out))                     \
    X(rein_tensor_sqrt, (const rein_tensor *a, rein_tensor **out), (a, out))                       \
    X(rein_tensor_exp, (const rein_tensor *a, rein_tensor **out), (a, out))                        \
    X(rein_tensor_log, (const rein_tensor *a, rein_tensor **out), (a, out))                        \
    X(rein_tensor_sin, (const rein_tensor *a, rein_tensor **out), (a, out))                        \
    X(rein_tensor_cos, (const rein_tensor *a, rein_tensor **out), (a, out))                        \
    X(rein_tensor_eq, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),             \
      (a, b, out))                                                                                 \
    X(rein_tensor_ne, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),             \
      (a, b, out))                                                                                 \
    X(rein_tensor_lt, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),             \
      (a, b, out))                                                                                 \
    X(rein_tensor_le, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),             \
      (a, b, out))                                                                                 \
    X(rein_tensor_gt, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),             \
      (a, b, out))                                                                                 \
    X(rein_tensor_ge, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),             \
      (a, b, out))                                                                                 \
    X(rein_tensor_logical_and, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),    \
      (a, b, out))                                                                                 \
    X(rein_tensor_logical_or, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),     \
      (a, b, out))                                                                                 \
    X(rein_tensor_logical_not, (const rein_tensor *a, rein_tensor **out), (a, out))                \
    X(rein_tensor_where,                                                                           \
      (const rein_tensor *condition, const rein_tensor *a, const rein_tensor *b,                   \
       rein_tensor **out),                                                                         \
      (condition, a, b, out))                                                                      \
    X(rein_tensor_matmul, (const rein_tensor *a, const rein_tensor *b, rein_tensor **out),         \
      (a, b, out))                                                                                 \
    X(rein_tensor_sum,                                                                             \
      (const rein_tensor *a, const int64_t *dims, int n_dims, bool keep, rein_tensor **out),       \
      (a, dims, n_dims, keep, out))                                                                \
    X(rein_tensor_mean,                                                                            \
      (const rein_tensor *a, const int64_t *dims, int n_dims, bool keep, rein_tensor **out),       \
      (a, dims, n_dims, keep, out))                                                                \
    X(rein_tensor_var,                                                                             \
      (const rein_tensor *a, const int64_t *dims, int n_dims, bool unbiased, bool keep,            \
       rein_tensor **out),                                                                         \
      (a, dims, n_dims, unbiased, keep, out))                                                      \
    X(rein_tensor_max,                                                                             \
      (const rein_tensor *a, int dim, bool keep, rein_tensor **values, rein_tensor **indices),     \
      (a, dim, keep, values, indices))                                                             \
    X(rein_tensor_min,                                                                             \
      (const rein_tensor *a, int dim, bool keep, rein_tensor **values, rein_tensor **indices),     \
      (a, dim, keep, values, indices))                                                             \
    X(rein_tensor_logsumexp, (const rein_tensor *a, int dim, bool keep, rein_tensor **out),        \
      (a, dim, keep, out))                                                                         \
    X(rein_tensor_cumsum, (const rein_tensor *a, int dim, rein_tensor **out), (a, dim, out))       \
    X(rein_tensor_norm, (const rein_tensor *a, rein_tensor **out), (a, out))                       \
    X(rein_tensor_index_select,                                                                    \
      (const rein_tensor *a, int dim, const rein_tensor *index, rein_tensor **out),                \
      (a, dim, index, out))                                                                        \
    X(rein_tensor_gather,                                                                          \
      (const rein_tensor *a, int dim, const rein_tensor *index, rein_tensor **out),                \
      (a, dim, index, out))                                                                        \
    X(rein_tensor_scatter,                                                                         \
      (const rein_tensor *a, int dim, const rein_tensor *index, const rein_tensor *src,            \
       rein_tensor **out),                                                                         \
      (a, dim, index, src, out))                                                                   \
    X(rein_tensor_scatter_add,                                                                     \
      (const rein_tensor *a, int dim, const rein_tensor *index, const rein_tensor *src,            \
       rein_tensor **out),                                                                         \
      (a, dim, index, src, out))                                                                   \
    X(rein_tensor_masked_fill,                                                                     \
      (const rein_tensor *a, const rein_tensor *mask, double value, rein_tensor **out),            \
      (a, mask, value, out))                                                                       \
    X(rein_tensor_masked_select,                                                                   \
      (const rein_tensor *a, const rein_tensor *mask, rein_tensor **out), (a, mask, out))          \
    X(rein_tensor_one_hot, (const rein_tensor *a, int64_t n_classes, rein_tensor **out),           \
      (a, n_classes, out))                                                                         \
    X(rein_tensor_tanh, (const rein_tensor *a, rein_tensor **out), (a, out))                       \
    X(rein_tensor_sigmoid, (const rein_tensor *a, rein_tensor **out), (a, out))                    \
    X(rein_tensor_relu, (const rein_tensor *a, rein_tensor **out), (a, out))                       \
    X(rein_tensor_silu, (const rein_tensor *a, rein_tensor **out), (a, out))                       \
    X(rein_tensor_gelu, (const rein_tensor *a, rein_tensor **out), (a, out))                       \
    X(rein_tensor_softplus, (const rein_tensor *a, rein_tensor **out), (a, out))                   \
    X(rein_tensor_elu, (const rein_tensor *a, double alpha, rein_tensor **out), (a, alpha, out))   \
    X(rein_tensor_leaky_relu, (const rein_tensor *a, double slope, rein_tensor **out),             \
      (a, slope, out))                                                                             \
    X(rein_tensor_softmax, (const rein_tensor *a, int dim, rein_tensor **out), (a, dim, out))      \
    X(rein_tensor_log_softmax, (const rein_tensor *a, int dim, rein_tensor **out), (a, dim, out))  \
    X(rein_tensor_linear,                                                                          \
      (const rein_tensor *x, const rein_tensor *weight, const rein_tensor *bias,                   \
       rein_tensor **out),                                                                         \
      (x, weight, bias, out))                                                                      \
    X(rein_tensor_conv2d,                                                                          \
      (const rein_tensor *x, const rein_tensor *weight, const rein_tensor *bias,                   \
       const int64_t *stride, const int64_t *padding, const int64_t *dilation, int64_t groups,     \
       rein_tensor **out),                                                                         \
      (x, weight, bias, stride, padding, dilation, groups, out))                                   \
    X(rein_tensor_max_pool2d,                                                                      \
      (const rein_tensor *x, const int64_t *kernel, const int64_t *stride, const int64_t *padding, \
       rein_tensor **out),                                                                         \
      (x, kernel, stride, padding, out))                                                           \
    X(rein_tensor_avg_pool2d,                                                                      \
      (const rein_tensor *x, const int64_t *kernel, const int64_t *stride, const int64_t *padding, \
       rein_tensor **out),                                                                         \
      (x, kernel, stride, padding, out))                                                           \
    X(rein_tensor_layer_norm,                                                                      \
      (const rein_tensor *x, int n_dims, const rein_tensor *weight, const rein_tensor *bias,       \
       double eps, rein_tensor **out),                                                             \
      (x, n_dims, weight, bias, eps, out))                                                         \
    X(rein_tensor_embedding,                                                                       \
      (const rein_tensor *weight, const rein_tensor *index, rein_tensor **out),                    \
      (weight, index, out))                                                                        \
    X(rein_tensor_lstm_cell,                                                                       \
      (const rein_tensor *x, const rein_tensor *h, const rein_tensor *c, const rein_tensor *w_ih,  \
       const rein_tensor *w_hh, const rein_tensor *b_ih, const rein_tensor *b_hh,                  \
       rein_tensor **h_out, rein_tensor **c_out),                                                  \
      (x, h, c, w_ih, w_hh, b_ih, b_hh, h_out, c_out))                                             \
    X(rein_tensor_gru_cell,                                                                        \
      (const rein_tensor *x, const rein_tensor *h, const rein_tensor *w_ih,                        \
       const rein_tensor *w_hh, const rein_tensor *b_ih, const rein_tensor *b_hh,                  \
       rein_tensor **h_out),                                                                       \
      (x, h, w_ih, w_hh, b_ih, b_hh, h_out))                                                       \
    X(rein_tensor_lstm,                                                                            \
      (const rein_tensor *x, const rein_tensor *h, const rein_tensor *c,                           \
       rein_tensor *const *weights, int n_layers, rein_tensor **y, rein_tensor **h_out,            \
       rein_tensor **c_out),                                                                       \
      (x, h, c, weights, n_layers, y, h_out, c_out))                                               \
    X(rein_tensor_gru,                                                                             \
      (const rein_tensor *x, const rein_tensor *h, rein_tensor *const *weights, int n_layers,      \
       rein_tensor **y, rein_tensor **h_out),                                                      \
      (x, h, weights, n_layers, y, h_out))                                                         \
    X(rein_tensor_attention,                                                                       \
      (const rein_tensor *query, const rein_tensor *key, const rein_tensor *in_w,                  \
       const rein_tensor *in_b, const rein_tensor *out_w, const rein_tensor *out_b, int heads,     \
       const rein_tensor *mask, bool causal, rein_tensor **out, rein_tensor **attention),          \
      (query, key, in_w, in_b, out_w, out_b, heads, mask, causal, out, attention))                 \
    X(rein_tensor_mse_loss,                                                                        \
      (const rein_tensor *a, const rein_tensor *b, rein_torch_reduction reduction,                 \
       rein_tensor **out),                                                                         \
      (a, b, reduction, out))                                                                      \
    X(rein_tensor_l1_loss,                                                                         \
      (const rein_tensor *a, const rein_tensor *b, rein_torch_reduction reduction,                 \
       rein_tensor **out),                                                                         \
      (a, b, reduction, out))                                                                      \
    X(rein_tensor_huber_loss,                                                                      \
      (const rein_tensor *a, const rein_tensor *b, double delta, rein_torch_reduction reduction,   \
       rein_tensor **out),                                                                         \
      (a, b, delta, reduction, out))                                                               \
    X(rein_tensor_cross_entropy,                                                                   \
      (const rein_tensor *logits, const rein_tensor *target, rein_torch_reduction reduction,       \
       rein_tensor **out),                                                                         \
      (logits, target, reduction, out))                                                            \
    X(rein_tensor_nll_loss,                                                                        \
      (const rein_tensor *log_prob, const rein_tensor *target, rein_torch_reduction reduction,     \
       rein_tensor **out),                                                                         \
      (log_prob, target, reduction, out))                                                          \
    X(rein_tensor_bce_with_logits,                                                                 \
      (const rein_tensor *logits, const rein_tensor *target, rein_torch_reduction reduction,       \
       rein_tensor **out),                                                                         \
      (logits, target, reduction, out))                                                            \
    X(rein_tensor_kl_div,                                                                          \
      (const rein_tensor *log_prob, const rein_tensor *target, rein_torch_reduction reduction,     \
       rein_tensor **out),                                                                         \
      (log_prob, target, reduction, out))                                                          \
    X(rein_tensor_require_grad, (rein_tensor * a, bool required), (a, required))                   \
    X(rein_tensor_requires_grad, (const rein_tensor *a, bool *out), (a, out))                      \
    X(rein_tensor_backward, (const rein_tensor *a, const rein_tensor *grad, bool keep),            \
      (a, grad, keep))                                                                             \
    X(rein_tensor_grad, (const rein_tensor *a, rein_tensor **out), (a, out))                       \
    X(rein_tensor_set_grad, (rein_tensor * a, const rein_tensor *grad), (a, grad))                 \
    X(rein_tensor_zero_grad, (rein_tensor * a), (a))                                               \
    X(rein_tensor_set_data, (rein_tensor * a, const rein_tensor *other), (a, other))               \
    X(rein_torch_gradients,                                                                        \
      (rein_tensor *const *outputs, rein_tensor *const *grads, int n_outputs,                      \
       rein_tensor *const *inputs, int n_inputs, bool keep, bool differentiable,                   \
       rein_tensor **result),                                                                      \
      (outputs, grads, n_outputs, inputs, n_inputs, keep, differentiable, result))                 \
    X(rein_torch_state_save,                                                                       \
      (const char *path, const char *const *names, rein_tensor *const *tensors, int n),            \
      (path, names, tensors, n))                                                                   \
    X(rein_torch_state_load,                                                                       \
      (const char *path, const char *const *names, int n, rein_tensor **tensors),                  \
      (path, names, n, tensors))                                                                   \
    X(rein_torch_module_load,                                                                      \
      (const char *path, rein_torch_device device, rein_torch_module **out), (path, device, out))  \
    X(rein_torch_module_load_memory,                                                               \
      (const void *data, size_t size, rein_torch_device device, rein_torch_module **out),          \
      (data, size, device, out))                                                                   \
    X(rein_torch_module_save, (const rein_torch_module *module, const char *path), (module, path)) \
    X(rein_torch_module_clone, (const rein_torch_module *module, rein_torch_module **out),         \
      (module, out))                                                                               \
    X(rein_torch_module_forward,                                                                   \
      (rein_torch_module * module, rein_tensor *const *inputs, int n_inputs,                       \
       rein_tensor **outputs, int max_outputs, int *n_outputs),                                    \
      (module, inputs, n_inputs, outputs, max_outputs, n_outputs))                                 \
    X(rein_torch_module_n_parameters, (const rein_torch_module *module, int *out), (module, out))  \
    X(rein_torch_module_parameter,                                                                 \
      (const rein_torch_module *module, int i, char *name, size_t size, rein_tensor **out),        \
      (module, i, name, size, out))                                                                \
    X(rein_torch_module_train, (rein_torch_module * module, bool train), (module, train))          \
    X(rein_torch_module_to,                                                                        \
      (rein_torch_module * module, rein_torch_dtype dtype, rein_torch_device device),              \
      (module, dtype, device))                                                                     \
    X(rein_torch_optimizer_create,                                                                 \
      (const rein_torch_optimizer_options *options, rein_tensor *const *parameters, int n,         \
       rein_torch_optimizer **out),                                                                \
      (options, parameters, n, out))                                                               \
    X(rein_torch_optimizer_step, (rein_torch_optimizer * optimizer), (optimizer))                  \
    X(rein_torch_optimizer_zero_grad, (rein_torch_optimizer * optimizer), (optimizer))             \
    X(rein_torch_optimizer_set_lr, (rein_torch_optimizer * optimizer, double lr), (optimizer, lr)) \
    X(rein_torch_optimizer_save, (const rein_torch_optimizer *optimizer, const char *path),        \
      (optimizer, path))                                                                           \
    X(rein_torch_optimizer_load, (rein_torch_optimizer * optimizer, const char *path),             \
      (optimizer, path))

/* the same, functions that return nothing */
#define REIN_TORCH_FREES(X)                                                                        \
    X(rein_tensor_free, (rein_tensor * a), (a))                                                    \
    X(rein_torch_module_free, (rein_torch_module * module), (module))                              \
    X(rein_torch_optimizer_free, (rein_torch_optimizer * optimizer), (optimizer))

/* What the program lends the module. */
typedef struct rein_torch_host {
    rein_status (*fail)(rein_status status, const char *format, ...); /* rein_fail */
    rein_status (*write_file)(const char *path, const void *data, size_t size);
} rein_torch_host;

/* What the module gives in return. The first three members keep their places for ever, so that any
 * program can tell any module's age. */
typedef struct rein_torch_table {
    int abi;             /* REIN_TORCH_ABI */
    const char *version; /* of rein */
    const char *list;    /* rein_torch_list */
#define X(name, parameters, arguments) rein_status(*name) parameters;
    REIN_TORCH_FUNCTIONS(X)
#undef X
#define X(name, parameters, arguments) void(*name) parameters;
    REIN_TORCH_FREES(X)
#undef X
} rein_torch_table;

/* All names and signatures as text: equal in program and module, or they do not fit together. */
#define X(name, parameters, arguments) #name #parameters "\n"
static const char rein_torch_list[] = REIN_TORCH_FUNCTIONS(X) REIN_TORCH_FREES(X);
#undef X

/* The module's only exported symbol. */
#define REIN_TORCH_ENTRY "rein_torch_entry"
typedef const rein_torch_table *rein_torch_entry_function(const rein_torch_host *host);

#endif
