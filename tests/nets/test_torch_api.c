/* Every function of rein_torch.h is called: with good arguments, with each pointer that may not be
 * NULL as NULL, and with each kind of exception thrown inside. The lists of nets/torch/functions.h
 * make the table of tests, so a function without a call here does not link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "nets/torch/functions.h"
#include "nets/torch/loader.h"
#include "tests/nets/torch_check.h"

enum { MAX_OUT = 4 };
static int null_at, n_pointers;    /* which of a call's pointers is NULL; how many it has */
static int odd_at, n_tensors;      /* which of a call's tensors, or lists of them, is odd */
static rein_tensor *odd[4];        /* four times the odd one */
static rein_tensor *outs[MAX_OUT]; /* what the last call gave */

/* A pointer that may not be NULL. */
static void *pointer(const void *p)
{
    return ++n_pointers == null_at ? NULL : (void *)(uintptr_t)p;
}

/* The same of a tensor, or of a list of tensors, which an odd one may replace. */
static void *tensor(const void *p)
{
    return ++n_tensors == odd_at ? odd[0] : pointer(p);
}
static void *list(const void *p)
{
    return ++n_tensors == odd_at ? odd : pointer(p);
}
#define P(p)                                                                                       \
    _Generic((p), rein_tensor * : tensor(p), rein_tensor * * : list(p), default : pointer(p))
#define O(k) pointer(&outs[k])

/* A tensor that may be NULL. */
static rein_tensor *M(rein_tensor *p)
{
    return ++n_tensors == odd_at ? odd[0] : p;
}

/* --- what the calls work on ------------------------------------------------------------------- */

static const int64_t s23[] = {2, 3}, s6[] = {6}, two[] = {2, 2}, swapped[] = {1, 0}, dim1[] = {1};
static float data[6] = {1, 2, 3, 4, 5, 6};
static float borrowed[6];
static rein_tensor *a, *b, *mask, *index_1, *index_23, *classes, *image, *kernel, *bias1, *leaf,
    *loss, *scratch, *x35, *h37, *w_ih, *w_hh, *bias_28, *g_ih, *g_hh, *bias_21, *seq, *state, *e,
    *in_w, *in_b, *out_w, *out_b, *square33, *bias3, *grad23, *own_grad, *one, *script_x;
static rein_tensor *lists[4], *lstm_weights[4], *gru_weights[4];
static rein_torch_module *module;
static rein_torch_optimizer *optimizer;
static char folder[] = "/tmp/rein-test-XXXXXX", state_file[64], module_file[64], optimizer_file[64],
            written[64];
static const char *const names[] = {"a", "b"};
static void *module_bytes;
static size_t module_size;

/* 0.1, 0.2, ... of a shape */
static rein_tensor *make(int n_dims, const int64_t *shape)
{
    rein_tensor *line = NULL, *out = NULL;
    int64_t n = 1;
    for (int i = 0; i < n_dims; i++) n *= shape[i];
    ok(rein_tensor_arange(REIN_TORCH_F32, REIN_TORCH_CPU, 0.1, 0.1, n, &line));
    ok(rein_tensor_reshape(line, shape, n_dims, &out));
    rein_tensor_free(line);
    return out;
}
#define MAKE(...)                                                                                  \
    make((int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

static rein_tensor *of_i64(const int64_t *values, int n_dims, const int64_t *shape)
{
    rein_tensor *out = NULL;
    ok(rein_tensor_from_data(REIN_TORCH_I64, REIN_TORCH_CPU, shape, n_dims, values, &out));
    return out;
}

static void make_tensors(void)
{
    static const int64_t cycle[] = {0, 1, 2, 2, 1, 0}, first[] = {1, 0};
    static const int64_t s2[] = {2};
    ok(rein_tensor_from_data(REIN_TORCH_F32, REIN_TORCH_CPU, s23, 2, data, &a));
    b = MAKE(2, 3), grad23 = MAKE(2, 3), scratch = MAKE(2, 3), own_grad = MAKE(2, 3);
    ok(rein_tensor_lt(b, a, &mask));
    index_1 = of_i64(first, 1, s2), classes = of_i64(first, 1, s2);
    int64_t flipped[6];
    for (int i = 0; i < 6; i++) flipped[i] = cycle[i] > 1 ? 1 : cycle[i];
    index_23 = of_i64(flipped, 2, s23);
    image = MAKE(2, 1, 4, 4), kernel = MAKE(1, 1, 3, 3), bias1 = MAKE(1);
    x35 = MAKE(3, 5), h37 = MAKE(3, 7), seq = MAKE(6, 3, 5), state = MAKE(1, 3, 7);
    lstm_weights[0] = w_ih = MAKE(28, 5), lstm_weights[1] = w_hh = MAKE(28, 7);
    lstm_weights[2] = lstm_weights[3] = bias_28 = MAKE(28);
    gru_weights[0] = g_ih = MAKE(21, 5), gru_weights[1] = g_hh = MAKE(21, 7);
    gru_weights[2] = gru_weights[3] = bias_21 = MAKE(21);
    e = MAKE(2, 5, 4), in_w = MAKE(12, 4), in_b = MAKE(12), out_w = MAKE(4, 4), out_b = MAKE(4);
    square33 = MAKE(3, 3), bias3 = MAKE(3), one = MAKE(1), script_x = MAKE(2, 3, 7, 7);
    lists[0] = a, lists[1] = b;
}

static int group_setup(void **context)
{
    (void)context;
    char path[1024];
    make_tensors();
    leaf = MAKE(2, 3);
    ok(rein_tensor_require_grad(leaf, true));
    rein_tensor *y = NULL;
    ok(rein_tensor_mul(leaf, a, &y));
    ok(rein_tensor_sum(y, NULL, 0, false, &loss));
    rein_tensor_free(y);
    ok(rein_tensor_backward(loss, NULL, true));
    snprintf(path, sizeof path, "%s/tests/golden/script_conv.pt", REIN_SOURCE_DIR);
    ok(rein_torch_module_load(path, REIN_TORCH_CPU, &module));
    ok(rein_torch_optimizer_create(
        &(rein_torch_optimizer_options){.kind = REIN_TORCH_ADAM, .lr = 0.1}, &leaf, 1, &optimizer));
    ok(rein_torch_optimizer_step(optimizer));
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(state_file, sizeof state_file, "%s/state.pt", folder);
    snprintf(module_file, sizeof module_file, "%s/module.pt", folder);
    snprintf(optimizer_file, sizeof optimizer_file, "%s/optimizer.pt", folder);
    snprintf(written, sizeof written, "%s/written.pt", folder);
    ok(rein_torch_state_save(state_file, names, lists, 2));
    ok(rein_torch_module_save(module, module_file));
    ok(rein_torch_optimizer_save(optimizer, optimizer_file));
    ok(rein_file_read(module_file, false, &module_bytes, &module_size));
    return 0;
}

static int group_teardown(void **context)
{
    (void)context;
    rein_tensor *const all[] = {a,      b,      mask,    index_1,  index_23, classes, image,
                                kernel, bias1,  leaf,    loss,     scratch,  x35,     h37,
                                w_ih,   w_hh,   bias_28, g_ih,     g_hh,     bias_21, seq,
                                state,  e,      in_w,    in_b,     out_w,    out_b,   square33,
                                bias3,  grad23, one,     own_grad, script_x};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) rein_tensor_free(all[i]);
    rein_torch_module_free(module);
    rein_torch_optimizer_free(optimizer);
    free(module_bytes);
    const char *const files[] = {state_file, module_file, optimizer_file, written};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) remove(files[i]);
    rmdir(folder);
    int64_t live = -1;
    ok(rein_torch_n_live(&live));
    assert_int_equal(live, 0); /* nothing in this file leaked a handle */
    return 0;
}

/* --- one call of each ------------------------------------------------------------------------- */

#define CALL(name, arguments)                                                                      \
    static rein_status call_##name(void)                                                           \
    {                                                                                              \
        return name arguments;                                                                     \
    }
static const char *text;
static int number;
static bool flag;
static int64_t big;
static double real;
static void *address;
static rein_torch_dtype dtype;
static rein_torch_device device;

CALL(rein_torch_version, (P(&text)))
CALL(rein_torch_n_cuda, (P(&number)))
CALL(rein_torch_set_threads, (1))
CALL(rein_torch_n_threads, (P(&number)))
CALL(rein_torch_enable_grad, (true, NULL))
CALL(rein_torch_n_live, (P(&big)))
CALL(rein_torch_throw_next, (REIN_TORCH_THROW_NOTHING))

CALL(rein_tensor_zeros, (REIN_TORCH_F64, REIN_TORCH_CPU, P(s23), 2, O(0)))
CALL(rein_tensor_full, (REIN_TORCH_U8, REIN_TORCH_CPU, P(s23), 2, 7, O(0)))
CALL(rein_tensor_arange, (REIN_TORCH_I32, REIN_TORCH_CPU, 1, 2, 5, O(0)))
CALL(rein_tensor_from_data, (REIN_TORCH_F32, REIN_TORCH_CPU, P(s23), 2, P(data), O(0)))
CALL(rein_tensor_borrow, (REIN_TORCH_F32, P(s23), 2, P(borrowed), O(0)))
CALL(rein_tensor_clone, (P(a), O(0)))
CALL(rein_tensor_detach, (P(a), O(0)))
CALL(rein_tensor_alias, (P(a), O(0)))
CALL(rein_tensor_contiguous, (P(a), O(0)))
CALL(rein_tensor_to, (P(a), REIN_TORCH_F64, REIN_TORCH_CPU, O(0)))

static int64_t shape_out[2];
static float data_out[6];
CALL(rein_tensor_n_dims, (P(a), P(&number)))
CALL(rein_tensor_shape, (P(a), P(shape_out), 2, NULL))
CALL(rein_tensor_numel, (P(a), P(&big)))
CALL(rein_tensor_dtype, (P(a), P(&dtype)))
CALL(rein_tensor_device, (P(a), P(&device)))
CALL(rein_tensor_data, (P(a), P(&address)))
CALL(rein_tensor_read, (P(a), P(data_out), sizeof data_out))
CALL(rein_tensor_write, (P(scratch), P(data), sizeof data))
CALL(rein_tensor_item, (P(one), P(&real)))
CALL(rein_tensor_copy, (P(scratch), P(b)))
CALL(rein_tensor_fill, (P(scratch), 1))

CALL(rein_tensor_view, (P(a), P(s6), 1, O(0)))
CALL(rein_tensor_reshape, (P(a), P(s6), 1, O(0)))
CALL(rein_tensor_flatten, (P(a), 0, -1, O(0)))
CALL(rein_tensor_permute, (P(a), P(swapped), 2, O(0)))
CALL(rein_tensor_transpose, (P(a), 0, 1, O(0)))
CALL(rein_tensor_squeeze, (P(one), 0, O(0)))
CALL(rein_tensor_unsqueeze, (P(a), 0, O(0)))
CALL(rein_tensor_expand, (P(one), P(s23), 2, O(0)))
CALL(rein_tensor_narrow, (P(a), 1, 1, 2, O(0)))
CALL(rein_tensor_select, (P(a), 0, 1, O(0)))
CALL(rein_tensor_cat, (P(lists), 2, 0, O(0)))
CALL(rein_tensor_stack, (P(lists), 2, 0, O(0)))

#define BINARY(name) CALL(name, (P(a), P(b), O(0)))
BINARY(rein_tensor_add)
BINARY(rein_tensor_sub)
BINARY(rein_tensor_mul)
BINARY(rein_tensor_div)
BINARY(rein_tensor_pow)
BINARY(rein_tensor_maximum)
BINARY(rein_tensor_minimum)
BINARY(rein_tensor_eq)
BINARY(rein_tensor_ne)
BINARY(rein_tensor_lt)
BINARY(rein_tensor_le)
BINARY(rein_tensor_gt)
BINARY(rein_tensor_ge)
BINARY(rein_tensor_logical_and)
BINARY(rein_tensor_logical_or)
CALL(rein_tensor_matmul, (P(a), P(square33), O(0)))
CALL(rein_tensor_add_scalar, (P(a), 2, O(0)))
CALL(rein_tensor_mul_scalar, (P(a), 2, O(0)))
CALL(rein_tensor_pow_scalar, (P(a), 2, O(0)))
CALL(rein_tensor_clamp, (P(a), 2, 3, O(0)))
CALL(rein_tensor_add_scaled, (P(scratch), P(b), 0.5))
CALL(rein_tensor_scale, (P(scratch), 0.5))
CALL(rein_tensor_where, (P(mask), P(a), P(b), O(0)))

#define UNARY(name) CALL(name, (P(a), O(0)))
UNARY(rein_tensor_neg)
UNARY(rein_tensor_abs)
UNARY(rein_tensor_sign)
UNARY(rein_tensor_floor)
UNARY(rein_tensor_square)
UNARY(rein_tensor_sqrt)
UNARY(rein_tensor_exp)
UNARY(rein_tensor_log)
UNARY(rein_tensor_sin)
UNARY(rein_tensor_cos)
UNARY(rein_tensor_logical_not)
UNARY(rein_tensor_norm)
UNARY(rein_tensor_tanh)
UNARY(rein_tensor_sigmoid)
UNARY(rein_tensor_relu)
UNARY(rein_tensor_silu)
UNARY(rein_tensor_gelu)
UNARY(rein_tensor_softplus)
CALL(rein_tensor_elu, (P(a), 1, O(0)))
CALL(rein_tensor_leaky_relu, (P(a), 0.1, O(0)))
CALL(rein_tensor_softmax, (P(a), 1, O(0)))
CALL(rein_tensor_log_softmax, (P(a), 1, O(0)))

CALL(rein_tensor_sum, (P(a), P(dim1), 1, true, O(0)))
CALL(rein_tensor_mean, (P(a), P(dim1), 1, true, O(0)))
CALL(rein_tensor_var, (P(a), P(dim1), 1, true, true, O(0)))
CALL(rein_tensor_max, (P(a), 1, false, &outs[0], &outs[1]))
CALL(rein_tensor_min, (P(a), 1, false, &outs[0], &outs[1]))
CALL(rein_tensor_logsumexp, (P(a), 1, false, O(0)))
CALL(rein_tensor_cumsum, (P(a), 1, O(0)))

CALL(rein_tensor_index_select, (P(a), 0, P(index_1), O(0)))
CALL(rein_tensor_gather, (P(a), 1, P(index_23), O(0)))
CALL(rein_tensor_scatter, (P(a), 1, P(index_23), P(b), O(0)))
CALL(rein_tensor_scatter_add, (P(a), 1, P(index_23), P(b), O(0)))
CALL(rein_tensor_masked_fill, (P(a), P(mask), 7, O(0)))
CALL(rein_tensor_masked_select, (P(a), P(mask), O(0)))
CALL(rein_tensor_one_hot, (P(classes), 3, O(0)))

CALL(rein_tensor_linear, (P(a), P(square33), M(bias3), O(0)))
CALL(rein_tensor_conv2d, (P(image), P(kernel), M(bias1), NULL, NULL, NULL, 1, O(0)))
CALL(rein_tensor_max_pool2d, (P(image), P(two), NULL, NULL, O(0)))
CALL(rein_tensor_avg_pool2d, (P(image), P(two), NULL, NULL, O(0)))
CALL(rein_tensor_layer_norm, (P(a), 1, M(bias3), M(bias3), 1e-5, O(0)))
CALL(rein_tensor_embedding, (P(square33), P(index_23), O(0)))
CALL(rein_tensor_lstm_cell,
     (P(x35), P(h37), P(h37), P(w_ih), P(w_hh), M(bias_28), M(bias_28), O(0), O(1)))
CALL(rein_tensor_gru_cell, (P(x35), P(h37), P(g_ih), P(g_hh), M(NULL), M(NULL), O(0)))
CALL(rein_tensor_lstm, (P(seq), P(state), P(state), P(lstm_weights), 1, O(0), O(1), O(2)))
CALL(rein_tensor_gru, (P(seq), P(state), P(gru_weights), 1, O(0), O(1)))
CALL(rein_tensor_attention,
     (P(e), P(e), P(in_w), P(in_b), P(out_w), P(out_b), 2, M(NULL), true, O(0), &outs[1]))

CALL(rein_tensor_mse_loss, (P(a), P(b), REIN_TORCH_MEAN, O(0)))
CALL(rein_tensor_l1_loss, (P(a), P(b), REIN_TORCH_SUM, O(0)))
CALL(rein_tensor_huber_loss, (P(a), P(b), 1, REIN_TORCH_NONE, O(0)))
CALL(rein_tensor_cross_entropy, (P(a), P(classes), REIN_TORCH_MEAN, O(0)))
CALL(rein_tensor_nll_loss, (P(a), P(classes), REIN_TORCH_MEAN, O(0)))
CALL(rein_tensor_bce_with_logits, (P(a), P(b), REIN_TORCH_MEAN, O(0)))
CALL(rein_tensor_kl_div, (P(a), P(b), REIN_TORCH_MEAN, O(0)))

CALL(rein_tensor_require_grad, (P(scratch), false))
CALL(rein_tensor_requires_grad, (P(leaf), P(&flag)))
CALL(rein_tensor_backward, (P(loss), M(NULL), true))
CALL(rein_tensor_grad, (P(leaf), O(0)))
CALL(rein_tensor_set_grad, (P(leaf), M(grad23)))
CALL(rein_tensor_zero_grad, (P(leaf)))
CALL(rein_tensor_set_data, (P(scratch), P(own_grad)))
CALL(rein_torch_gradients, (P(&loss), NULL, 1, P(&leaf), 1, true, false, pointer(outs)))

CALL(rein_torch_state_save, (P(written), P(names), P(lists), 2))
CALL(rein_torch_state_load, (P(state_file), P(names), 2, pointer(outs)))

static rein_torch_module *made_module;
static rein_torch_optimizer *made_optimizer;
CALL(rein_torch_module_load, (P(module_file), REIN_TORCH_CPU, P(&made_module)))
CALL(rein_torch_module_load_memory, (P(module_bytes), module_size, REIN_TORCH_CPU, P(&made_module)))
CALL(rein_torch_module_save, (P(module), P(written)))
CALL(rein_torch_module_clone, (P(module), P(&made_module)))
CALL(rein_torch_module_forward, (P(module), P(&script_x), 1, pointer(outs), 1, P(&number)))
CALL(rein_torch_module_n_parameters, (P(module), P(&number)))
CALL(rein_torch_module_parameter, (P(module), 0, NULL, 0, O(0)))
CALL(rein_torch_module_train, (P(module), true))
CALL(rein_torch_module_to, (P(module), REIN_TORCH_F32, REIN_TORCH_CPU))

static const rein_torch_optimizer_options sgd = {.kind = REIN_TORCH_SGD, .lr = 0.1};
CALL(rein_torch_optimizer_create, (P(&sgd), P(&leaf), 1, P(&made_optimizer)))
CALL(rein_torch_optimizer_step, (P(optimizer)))
CALL(rein_torch_optimizer_zero_grad, (P(optimizer)))
CALL(rein_torch_optimizer_set_lr, (P(optimizer), 0.01))
CALL(rein_torch_optimizer_save, (P(optimizer), P(written)))
CALL(rein_torch_optimizer_load, (P(optimizer), P(optimizer_file)))

/* --- all of them ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    rein_status (*call)(void);
} calls[] = {
#define X(name, parameters, arguments) {#name, call_##name},
    REIN_TORCH_FUNCTIONS(X)
#undef X
};
enum { N_CALLS = sizeof calls / sizeof *calls };

static rein_status run(int i, int null)
{
    null_at = null;
    n_pointers = n_tensors = 0;
    return calls[i].call();
}

/* true when the last call gave anything; frees it */
static bool free_outs(void)
{
    bool any = made_module != NULL || made_optimizer != NULL;
    for (int k = 0; k < MAX_OUT; k++) {
        any = any || outs[k] != NULL;
        rein_tensor_free(outs[k]);
        outs[k] = NULL;
    }
    rein_torch_module_free(made_module);
    rein_torch_optimizer_free(made_optimizer);
    made_module = NULL;
    made_optimizer = NULL;
    return any;
}

static void test_every_function_works(void **context)
{
    (void)context;
    for (int i = 0; i < N_CALLS; i++) {
        if (run(i, 0) != REIN_OK) fail_msg("%s", rein_error_message());
        free_outs();
    }
}

static void test_every_null_is_refused(void **context)
{
    (void)context;
    int refused = 0;
    for (int i = 0; i < N_CALLS; i++) {
        ok(run(i, 0));
        free_outs();
        int n = n_pointers;
        for (int k = 1; k <= n; k++, refused++) {
            if (run(i, k) != REIN_EINVAL) fail_msg("%s took a NULL at %d", calls[i].name, k);
            const char *message = rein_error_message();
            if (strncmp(message, calls[i].name, strlen(calls[i].name)) != 0 ||
                strstr(message, "is NULL") == NULL) {
                fail_msg("%s: poor message '%s'", calls[i].name, message);
            }
            if (free_outs()) fail_msg("%s gave a result with an error", calls[i].name);
        }
    }
    assert_true(refused > 300);
}

/* An error names its function, is one line, and gives nothing. */
static void check_refusal(int i, rein_status status)
{
    const char *message = rein_error_message();
    size_t n = strlen(calls[i].name);
    if (status != REIN_EINVAL && status != REIN_EUNSUPPORTED && status != REIN_EEMPTY) {
        fail_msg("%s: %s for '%s'", calls[i].name, rein_status_name(status), message);
    }
    if (strncmp(message, calls[i].name, n) != 0 || strlen(message) < n + 10 ||
        strchr(message, '\n') != NULL) {
        fail_msg("%s: poor message '%s'", calls[i].name, message);
    }
    if (free_outs()) fail_msg("%s gave a result with an error", calls[i].name);
}

/* Each tensor of each call replaced by one of another shape or dtype: it works or is refused. */
static int run_with(rein_tensor *replacement)
{
    int refused = 0;
    for (int k = 0; k < 4; k++) odd[k] = replacement;
    for (int i = 0; i < N_CALLS; i++) {
        odd_at = 0;
        ok(run(i, 0));
        free_outs();
        int n = n_tensors;
        for (odd_at = 1; odd_at <= n; odd_at++) {
            rein_status status = run(i, 0);
            if (status == REIN_OK) {
                free_outs();
                continue;
            }
            check_refusal(i, status);
            refused++;
        }
    }
    odd_at = 0;
    return refused;
}

static void test_odd_shapes_and_dtypes(void **context)
{
    (void)context;
    static const struct {
        rein_torch_dtype dtype;
        double value;
        int n_dims;
        int64_t shape[6];
    } odds[] = {
        {REIN_TORCH_F32, 1, 0, {0}},          {REIN_TORCH_F32, 1, 1, {0}},
        {REIN_TORCH_F32, 1, 1, {7}},          {REIN_TORCH_F32, 1, 2, {3, 2}},
        {REIN_TORCH_F32, 1, 2, {0, 3}},       {REIN_TORCH_F32, 1, 3, {1, 3, 7}},
        {REIN_TORCH_F32, 1, 4, {2, 3, 4, 5}}, {REIN_TORCH_F32, 1, 6, {1, 1, 1, 1, 1, 1}},
        {REIN_TORCH_F64, 1, 2, {2, 3}},       {REIN_TORCH_F64, 1, 2, {28, 7}},
        {REIN_TORCH_I64, 1e12, 2, {2, 3}},    {REIN_TORCH_I64, -1e12, 1, {2}},
        {REIN_TORCH_I32, 1, 1, {3}},          {REIN_TORCH_U8, 1, 2, {2, 3}},
        {REIN_TORCH_BOOL, 1, 2, {2, 3}},      {REIN_TORCH_BOOL, 1, 0, {0}},
    };
    int refused = 0;
    for (size_t i = 0; i < sizeof odds / sizeof *odds; i++) {
        rein_tensor *t = NULL;
        ok(rein_tensor_full(odds[i].dtype, REIN_TORCH_CPU, odds[i].shape, odds[i].n_dims,
                            odds[i].value, &t));
        refused += run_with(t);
        rein_tensor_free(t);
    }
    print_message("%d calls refused\n", refused);
    assert_true(refused > 1000);
}

static void test_every_exception_stops_at_the_boundary(void **context)
{
    (void)context;
    static const struct {
        rein_torch_exception exception;
        rein_status status;
        const char *text;
    } kinds[] = {{REIN_TORCH_THROW_TORCH, REIN_EINVAL, "thrown on request"},
                 {REIN_TORCH_THROW_MEMORY, REIN_ENOMEM, "out of memory"},
                 {REIN_TORCH_THROW_STANDARD, REIN_EINVAL, "thrown on request"},
                 {REIN_TORCH_THROW_OTHER, REIN_EUNSUPPORTED, "an exception of unknown type"}};
    for (int i = 0; i < N_CALLS; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            char wanted[128];
            snprintf(wanted, sizeof wanted, "%s: %s", calls[i].name, kinds[k].text);
            ok(rein_torch_throw_next(kinds[k].exception));
            if (run(i, 0) != kinds[k].status) fail_msg("%s: wrong status", calls[i].name);
            assert_string_equal(rein_error_message(), wanted); /* one line of two */
            if (free_outs()) fail_msg("%s gave a result with an error", calls[i].name);
        }
    }
}

static void test_free_takes_null(void **context)
{
    (void)context;
    rein_tensor_free(NULL);
    rein_torch_module_free(NULL);
    rein_torch_optimizer_free(NULL);
}

int main(void)
{
    if (!rein_torch_is_built()) {
        puts("built without libtorch: skipped");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_function_works),
        cmocka_unit_test(test_every_null_is_refused),
        cmocka_unit_test(test_odd_shapes_and_dtypes),
        cmocka_unit_test(test_every_exception_stops_at_the_boundary),
        cmocka_unit_test(test_free_takes_null),
    };
    return cmocka_run_group_tests_name("torch_api", tests, group_setup, group_teardown);
}
