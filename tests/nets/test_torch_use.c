/* The C API in use: gradients into borrowed vectors, optimizers, files, threads,
 * resident memory over many rounds, and one clear error for each kind of bad input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "nets/torch/loader.h"
#include "nets/torch/rein_torch.h"
#include "tests/nets/torch_check.h"

#define SCRIPT REIN_SOURCE_DIR "/tests/golden/script_conv.pt"

static char folder[] = "/tmp/rein-test-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static rein_tensor *zeros(rein_torch_dtype type, int n_dims, const int64_t *shape)
{
    rein_tensor *out = NULL;
    ok(rein_tensor_zeros(type, REIN_TORCH_CPU, shape, n_dims, &out));
    return out;
}
#define ZEROS(type, ...)                                                                           \
    zeros(type, (int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#define F32(...) ZEROS(REIN_TORCH_F32, __VA_ARGS__)

/* --- gradients -------------------------------------------------------------------------------- */

/* y = tanh(x W^T + b), loss = sum(dy * y): parameters and gradients are slices of flat vectors. */
enum { N = 4, I = 3, H = 2, P = H * I + H };

static void flat_round(float *params, float *grad, float *x, float *dy, float *y, bool from_zero)
{
    rein_tensor *w = NULL, *b = NULL, *dw = NULL, *db = NULL, *in = NULL, *out_grad = NULL,
                *z = NULL, *out = NULL;
    const int64_t w_shape[] = {H, I}, b_shape[] = {H}, x_shape[] = {N, I}, y_shape[] = {N, H};
    ok(rein_tensor_borrow(REIN_TORCH_F32, w_shape, 2, params, &w));
    ok(rein_tensor_borrow(REIN_TORCH_F32, b_shape, 1, params + H * I, &b));
    ok(rein_tensor_borrow(REIN_TORCH_F32, w_shape, 2, grad, &dw));
    ok(rein_tensor_borrow(REIN_TORCH_F32, b_shape, 1, grad + H * I, &db));
    ok(rein_tensor_borrow(REIN_TORCH_F32, x_shape, 2, x, &in));
    ok(rein_tensor_borrow(REIN_TORCH_F32, y_shape, 2, dy, &out_grad));
    ok(rein_tensor_require_grad(w, true));
    ok(rein_tensor_require_grad(b, true));
    ok(rein_tensor_set_grad(w, dw));
    ok(rein_tensor_set_grad(b, db));
    if (from_zero) {
        ok(rein_tensor_zero_grad(w)); /* in the vector itself */
        ok(rein_tensor_zero_grad(b));
    }
    ok(rein_tensor_linear(in, w, b, &z));
    ok(rein_tensor_tanh(z, &out));
    ok(rein_tensor_backward(out, out_grad, false));
    ok(rein_tensor_read(out, y, sizeof(float) * N * H));
    rein_tensor *const all[] = {w, b, dw, db, in, out_grad, z, out};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) rein_tensor_free(all[i]);
}

static void fill(float *values, int n, float start)
{
    for (int i = 0; i < n; i++) values[i] = sinf(start + 1.7F * (float)i);
}

static void test_gradient_lands_in_the_flat_vector(void **context)
{
    (void)context;
    float params[P], grad[P] = {0}, x[N * I], dy[N * H], y[N * H];
    fill(params, P, 1), fill(x, N * I, 2), fill(dy, N * H, 3);
    flat_round(params, grad, x, dy, y, false);
    for (int j = 0; j < H; j++) {
        double db = 0, dw[I] = {0};
        for (int n = 0; n < N; n++) {
            double z = params[H * I + j];
            for (int i = 0; i < I; i++) z += (double)params[j * I + i] * x[n * I + i];
            double dz = dy[n * H + j] * (1 - tanh(z) * tanh(z));
            assert_true(fabs(y[n * H + j] - tanh(z)) < 1e-6);
            db += dz;
            for (int i = 0; i < I; i++) dw[i] += dz * x[n * I + i];
        }
        assert_true(fabs(grad[H * I + j] - db) < 1e-5);
        for (int i = 0; i < I; i++) assert_true(fabs(grad[j * I + i] - dw[i]) < 1e-5);
    }
    float twice[P];
    memcpy(twice, grad, sizeof grad);
    flat_round(params, twice, x, dy, y, false); /* adds */
    for (int i = 0; i < P; i++) assert_true(fabsf(twice[i] - 2 * grad[i]) < 1e-5F);
    flat_round(params, twice, x, dy, y, true);
    assert_memory_equal(twice, grad, sizeof grad);
}

static void test_no_grad_scope_and_second_derivative(void **context)
{
    (void)context;
    bool before = false, needs = true;
    rein_tensor *x = NULL, *y = NULL, *dy = NULL, *ddy = NULL, *none = NULL;
    ok(rein_tensor_full(REIN_TORCH_F64, REIN_TORCH_CPU, NULL, 0, 2, &x));
    ok(rein_tensor_require_grad(x, true));
    ok(rein_torch_enable_grad(false, &before));
    ok(rein_tensor_square(x, &y));
    ok(rein_torch_enable_grad(before, NULL));
    ok(rein_tensor_requires_grad(y, &needs));
    assert_true(before && !needs);
    refused(rein_tensor_backward(y, NULL, false), REIN_EINVAL, "requires a gradient");
    rein_tensor_free(y);
    refused(rein_tensor_grad(x, &y), REIN_EEMPTY, "no gradient");

    double first = 0, second = 0;
    ok(rein_tensor_pow_scalar(x, 3, &y));
    ok(rein_torch_gradients(&y, NULL, 1, &x, 1, true, true, &dy));
    ok(rein_torch_gradients(&dy, NULL, 1, &x, 1, false, false, &ddy));
    ok(rein_tensor_item(dy, &first));
    ok(rein_tensor_item(ddy, &second));
    assert_true(fabs(first - 12) < 1e-12 && fabs(second - 12) < 1e-12); /* 3 x^2, 6 x */
    rein_tensor *other = ZEROS(REIN_TORCH_F64, 1);
    ok(rein_tensor_require_grad(other, true));
    rein_tensor *inputs[] = {x, other}, *results[2] = {NULL, NULL};
    ok(rein_torch_gradients(&y, NULL, 1, inputs, 2, false, false, results));
    assert_true(results[0] != NULL && results[1] == NULL); /* other does not matter */
    refused(rein_torch_gradients(&y, NULL, 1, &x, 1, false, false, &none), REIN_EINVAL,
            "second time");
    rein_tensor *const all[] = {x, y, dy, ddy, other, results[0]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) rein_tensor_free(all[i]);
}

enum { BLOCKS = 64, THREADS = 3 };
static float together[BLOCKS][N * H + P]; /* y, then the gradient */

static void round_block(int block, float out[N * H + P])
{
    float params[P], x[N * I], dy[N * H];
    memset(out, 0, sizeof(float) * (N * H + P));
    fill(params, P, 1), fill(x, N * I, (float)block), fill(dy, N * H, 3);
    flat_round(params, out + N * H, x, dy, out, false);
}

static void *every_third(void *first)
{
    for (int i = (int)(intptr_t)first; i < BLOCKS; i += THREADS) round_block(i, together[i]);
    return NULL;
}

/* Threads that end: LeakSanitizer stumbles over OpenMP's, which live on beside a loaded module. */
static void test_any_thread_may_call(void **context)
{
    (void)context;
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, every_third, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < BLOCKS; i++) {
        float alone[N * H + P];
        round_block(i, alone);
        assert_memory_equal(alone, together[i], sizeof alone);
    }
}

/* --- optimizers and files --------------------------------------------------------------------- */

static void one_step(rein_torch_optimizer *optimizer, rein_tensor *p)
{
    rein_tensor *y = NULL, *loss = NULL;
    ok(rein_torch_optimizer_zero_grad(optimizer));
    ok(rein_tensor_square(p, &y));
    ok(rein_tensor_sum(y, NULL, 0, false, &loss));
    ok(rein_tensor_backward(loss, NULL, false));
    ok(rein_torch_optimizer_step(optimizer));
    rein_tensor_free(y);
    rein_tensor_free(loss);
}

static void start(rein_torch_optimizer_options options, float *values, rein_tensor **p,
                  rein_torch_optimizer **optimizer)
{
    ok(rein_tensor_borrow(REIN_TORCH_F32, (int64_t[]){2}, 1, values, p));
    ok(rein_tensor_require_grad(*p, true));
    ok(rein_torch_optimizer_create(&options, p, 1, optimizer));
}

static void test_optimizers(void **context)
{
    (void)context;
    for (int kind = REIN_TORCH_SGD; kind <= REIN_TORCH_RMSPROP; kind++) {
        rein_torch_optimizer_options options = {.kind = (rein_torch_optimizer_kind)kind,
                                                .lr = 0.1,
                                                .momentum = kind == REIN_TORCH_SGD ? 0.9 : 0};
        float values[2] = {1, -2}, copy[2];
        rein_tensor *p = NULL, *q = NULL;
        rein_torch_optimizer *one = NULL, *other = NULL;
        start(options, values, &p, &one);
        one_step(one, p); /* gradient 2 p: by hand for the first step */
        double first = kind == REIN_TORCH_SGD     ? 1 - 0.1 * 2
                       : kind == REIN_TORCH_ADAM  ? 1 - 0.1
                       : kind == REIN_TORCH_ADAMW ? 1 - 0.1
                                                  : 1 - 0.1 * 2 / (sqrt(0.01) * 2);
        if (fabs(values[0] - first) > 1e-3) fail_msg("optimizer %d: %g", kind, values[0]);
        one_step(one, p);
        ok(rein_torch_optimizer_save(one, in_folder("optimizer.pt")));
        memcpy(copy, values, sizeof copy);
        start(options, copy, &q, &other);
        ok(rein_torch_optimizer_load(other, in_folder("optimizer.pt")));
        for (int i = 0; i < 3; i++) one_step(one, p), one_step(other, q);
        assert_memory_equal(values, copy, sizeof copy); /* resumed exactly */
        ok(rein_torch_optimizer_set_lr(one, 1e-9));
        one_step(one, p);
        assert_true(fabsf(values[0] - copy[0]) < 1e-6F);
        refused(rein_torch_optimizer_set_lr(one, 0), REIN_EINVAL, "lr is 0");
        refused(rein_torch_optimizer_load(one, SCRIPT), REIN_EFORMAT, "script_conv.pt");
        refused(rein_torch_optimizer_load(one, in_folder("none")), REIN_ENOTFOUND, "none");
        rein_torch_optimizer_free(one);
        rein_torch_optimizer_free(other);
        rein_tensor_free(p);
        rein_tensor_free(q);
        remove(in_folder("optimizer.pt"));
    }
}

static void test_state_files(void **context)
{
    (void)context;
    const char *names[] = {"w", "count"}, *missing[] = {"w", "nothing"}, *same[] = {"w", "w"};
    float w[] = {1, 2, 3}, back[3] = {0};
    int64_t count = 7, count_back = 0;
    rein_tensor *out[2] = {NULL, NULL}, *in[2] = {NULL, NULL};
    ok(rein_tensor_borrow(REIN_TORCH_F32, (int64_t[]){3}, 1, w, &out[0]));
    ok(rein_tensor_borrow(REIN_TORCH_I64, NULL, 0, &count, &out[1]));
    ok(rein_torch_state_save(in_folder("state.pt"), names, out, 2));
    refused(rein_torch_state_save(in_folder("state.pt"), same, out, 2), REIN_EINVAL, "'w'");
    refused(rein_torch_state_load(in_folder("state.pt"), missing, 2, in), REIN_EFORMAT,
            "'nothing'");
    assert_null(in[0]); /* all or none */
    ok(rein_torch_state_load(in_folder("state.pt"), names, 2, in));
    ok(rein_tensor_read(in[0], back, sizeof back));
    ok(rein_tensor_read(in[1], &count_back, sizeof count_back));
    assert_memory_equal(w, back, sizeof w);
    assert_int_equal(count_back, 7);
    refused(rein_torch_state_save("/nowhere/state.pt", names, out, 2), REIN_EIO, "/nowhere");

    char *bytes = NULL;
    size_t size = 0;
    ok(rein_file_read(in_folder("state.pt"), false, (void **)&bytes, &size));
    ok(rein_file_write(in_folder("half.pt"), bytes, size / 2, false));
    refused(rein_torch_state_load(in_folder("half.pt"), names, 2, in), REIN_EFORMAT, "half.pt");
    refused(
        rein_torch_module_load(in_folder("half.pt"), REIN_TORCH_CPU, &(rein_torch_module *){NULL}),
        REIN_EFORMAT, "half.pt");
    free(bytes);
    refused(rein_torch_state_load(in_folder("none.pt"), names, 2, in), REIN_ENOTFOUND, "none.pt");
    for (int i = 0; i < 2; i++) rein_tensor_free(out[i]), rein_tensor_free(in[i]);
    remove(in_folder("state.pt"));
    remove(in_folder("half.pt"));
}

/* --- bad shapes, dtypes, numbers -------------------------------------------------------------- */

static void test_wrong_shapes(void **context)
{
    (void)context;
    rein_tensor *a = F32(2, 3), *b = F32(4, 5), *image = F32(1, 2, 8, 8), *kernel = F32(4, 3, 3, 3),
                *v = F32(3), *x = F32(2, 5), *h = F32(2, 7), *w_ih = F32(28, 4), *w_hh = F32(28, 7),
                *e = F32(2, 5, 6), *in_w = F32(18, 6), *in_b = F32(18), *out_w = F32(6, 6),
                *out_b = F32(6), *out = NULL, *other = NULL;
    const int64_t seven[] = {7}, minus[] = {2, -2}, zero[] = {0, 1}, many[17] = {0},
                  huge[] = {INT64_C(1) << 40, INT64_C(1) << 40};
    refused(rein_tensor_matmul(a, b, &out), REIN_EINVAL, "2x3 and 4x5");
    refused(rein_tensor_add(a, b, &out), REIN_EINVAL, "size of tensor");
    refused(rein_tensor_view(a, seven, 1, &out), REIN_EINVAL, "invalid for input of size 6");
    refused(rein_tensor_zeros(REIN_TORCH_F32, REIN_TORCH_CPU, minus, 2, &out), REIN_EINVAL,
            "shape[1] is -2");
    refused(rein_tensor_zeros(REIN_TORCH_F32, REIN_TORCH_CPU, many, 17, &out), REIN_EINVAL,
            "n_dims is 17");
    refused(rein_tensor_zeros(REIN_TORCH_F32, REIN_TORCH_CPU, huge, 2, &out), REIN_ENOMEM,
            "memory");
    refused(rein_tensor_linear(a, b, NULL, &out), REIN_EINVAL, "x is [2, 3], but weight is [4, 5]");
    refused(rein_tensor_conv2d(image, kernel, NULL, NULL, NULL, NULL, 1, &out), REIN_EINVAL,
            "x is [1, 2, 8, 8], not [any, 3, any, any]");
    refused(rein_tensor_conv2d(image, a, NULL, NULL, NULL, NULL, 1, &out), REIN_EINVAL, "weight");
    refused(rein_tensor_conv2d(image, kernel, NULL, NULL, NULL, NULL, 0, &out), REIN_EINVAL,
            "0 groups");
    refused(rein_tensor_max_pool2d(image, zero, NULL, NULL, &out), REIN_EINVAL, "kernel of 0");
    refused(rein_tensor_avg_pool2d(a, zero, NULL, NULL, &out), REIN_EINVAL, "x is [2, 3]");
    refused(rein_tensor_layer_norm(a, 3, NULL, NULL, 1e-5, &out), REIN_EINVAL, "last 3 dims");
    refused(rein_tensor_layer_norm(a, 1, b, NULL, 1e-5, &out), REIN_EINVAL, "weight");
    refused(rein_tensor_lstm_cell(x, h, h, w_ih, w_hh, NULL, NULL, &out, &other), REIN_EINVAL,
            "w_ih is [28, 4], not [28, 5]");
    refused(rein_tensor_gru_cell(x, h, w_hh, w_hh, NULL, NULL, &out), REIN_EINVAL, "w_ih");
    refused(rein_tensor_attention(e, e, in_w, in_b, out_w, out_b, 4, NULL, false, &out, NULL),
            REIN_EINVAL, "4 heads for a width of 6");
    refused(rein_tensor_attention(a, a, in_w, in_b, out_w, out_b, 2, NULL, false, &out, NULL),
            REIN_EINVAL, "query is [2, 3]");
    refused(rein_tensor_attention(e, e, in_w, out_b, out_w, out_b, 2, NULL, false, &out, NULL),
            REIN_EINVAL, "in_b");
    refused(rein_tensor_mse_loss(a, b, REIN_TORCH_MEAN, &out), REIN_EINVAL,
            "b is [4, 5], but a is [2, 3]");
    refused(rein_tensor_item(a, &(double){0}), REIN_EINVAL, "not one number");
    refused(rein_tensor_read(a, (float[6]){0}, 5), REIN_EINVAL, "5 bytes for f32 of [2, 3]");
    refused(rein_tensor_write(a, (float[6]){0}, 25), REIN_EINVAL, "25 bytes");
    refused(rein_tensor_shape(a, (int64_t[1]){0}, 1, NULL), REIN_EINVAL, "room for 1");
    refused(rein_tensor_narrow(a, 1, 2, 2, &out), REIN_EINVAL, "exceeds dimension size");
    refused(rein_tensor_select(a, 5, 0, &out), REIN_EINVAL, "ange"); /* dimension out of range */
    refused(rein_tensor_cat((rein_tensor *[]){a, NULL}, 2, 0, &out), REIN_EINVAL, "tensors[1]");
    refused(rein_tensor_stack(NULL, 0, 0, &out), REIN_EINVAL, "rein_tensor_stack");
    assert_true(out == NULL && other == NULL);
    rein_tensor *const all[] = {a,    b,    image, kernel, v,    x,     h,
                                w_ih, w_hh, e,     in_w,   in_b, out_w, out_b};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) rein_tensor_free(all[i]);
}

static void test_wrong_types_and_numbers(void **context)
{
    (void)context;
    rein_tensor *a = F32(2, 3), *wide = ZEROS(REIN_TORCH_F64, 3, 3),
                *bytes = ZEROS(REIN_TORCH_U8, 2), *index = ZEROS(REIN_TORCH_I64, 2), *out = NULL;
    _Alignas(8) char raw[64] = {0};
    const int64_t two[] = {2};
    refused(rein_tensor_matmul(a, wide, &out), REIN_EINVAL, "rein_tensor_matmul: ");
    refused(rein_tensor_softmax(bytes, 0, &out), REIN_EINVAL, "a is u8, not f32 or f64");
    refused(rein_tensor_require_grad(index, true), REIN_EINVAL, "a is i64");
    refused(rein_tensor_embedding(a, bytes, &out), REIN_EINVAL, "index is u8, not i64");
    refused(rein_tensor_gather(a, 0, wide, &out), REIN_EINVAL, "index is f64, not i64");
    refused(rein_tensor_masked_fill(a, bytes, 0, &out), REIN_EINVAL, "mask is u8, not bool");
    refused(rein_tensor_cross_entropy(a, bytes, REIN_TORCH_MEAN, &out), REIN_EINVAL, "target");
    refused(rein_tensor_mse_loss(a, a, (rein_torch_reduction)9, &out), REIN_EINVAL, "reduction 9");
    refused(rein_tensor_zeros((rein_torch_dtype)77, REIN_TORCH_CPU, two, 1, &out), REIN_EINVAL,
            "no dtype 77");
    refused(rein_tensor_zeros(REIN_TORCH_F32, (rein_torch_device)5, two, 1, &out), REIN_EINVAL,
            "no device 5");
    refused(rein_tensor_borrow(REIN_TORCH_F64, two, 1, raw + 1, &out), REIN_EINVAL, "aligned");
    refused(rein_tensor_clamp(a, 2, 1, &out), REIN_EINVAL, "low 2 > high 1");
    refused(rein_tensor_huber_loss(a, a, -1, REIN_TORCH_MEAN, &out), REIN_EINVAL, "delta is -1");
    refused(rein_torch_set_threads(0), REIN_EINVAL, "n is 0");
    refused(rein_tensor_arange(REIN_TORCH_BOOL, REIN_TORCH_CPU, 0, 1, 2, &out), REIN_EINVAL,
            "bool");
    int64_t far_away[] = {0, 9};
    rein_tensor *far = NULL;
    ok(rein_tensor_borrow(REIN_TORCH_I64, two, 1, far_away, &far));
    refused(rein_tensor_embedding(a, far, &out), REIN_EINVAL, "out of range");
    refused(rein_tensor_index_select(a, 0, far, &out), REIN_EINVAL, "out of range");
    refused(rein_tensor_one_hot(far, 3, &out), REIN_EINVAL, "smaller than num_classes");
    refused(rein_tensor_cross_entropy(a, far, REIN_TORCH_MEAN, &out), REIN_EINVAL, "out of bounds");
    ok(rein_tensor_require_grad(a, true));
    refused(rein_tensor_fill(a, 1), REIN_EINVAL, "leaf");
    refused(rein_tensor_backward(a, NULL, false), REIN_EINVAL, "[2, 3]");
    refused(rein_tensor_set_grad(a, wide), REIN_EINVAL, "grad is [3, 3], but a is [2, 3]");
    refused(rein_torch_optimizer_create(&(rein_torch_optimizer_options){.lr = 0.1}, &wide, 1,
                                        &(rein_torch_optimizer *){NULL}),
            REIN_EINVAL, "parameters[0]");
    int n_cuda = -1;
    ok(rein_torch_n_cuda(&n_cuda));
    if (n_cuda == 0) {
        refused(rein_tensor_zeros(REIN_TORCH_F32, REIN_TORCH_CUDA, two, 1, &out), REIN_EUNSUPPORTED,
                "no CUDA device");
    }
#ifndef __SANITIZE_ADDRESS__ /* whose malloc ends the program instead of failing */
    const int64_t large[] = {INT64_C(1) << 50};
    refused(rein_tensor_zeros(REIN_TORCH_F64, REIN_TORCH_CPU, large, 1, &out), REIN_ENOMEM,
            "rein_tensor_zeros");
#endif
    assert_null(out);
    rein_tensor *const all[] = {a, wide, bytes, index, far};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) rein_tensor_free(all[i]);
}

static void test_element_types(void **context)
{
    (void)context;
    static const size_t sizes[] = {4, 8, 8, 4, 1, 1};
    for (int i = REIN_TORCH_F32; i <= REIN_TORCH_BOOL; i++) {
        rein_tensor *t = NULL, *wide = NULL;
        rein_torch_dtype type;
        rein_torch_device device;
        unsigned char raw[16];
        double values[2];
        ok(rein_tensor_full((rein_torch_dtype)i, REIN_TORCH_CPU, (int64_t[]){2}, 1, 1, &t));
        ok(rein_tensor_dtype(t, &type));
        ok(rein_tensor_device(t, &device));
        assert_true((int)type == i && device == REIN_TORCH_CPU);
        ok(rein_tensor_read(t, raw, 2 * sizes[i]));
        ok(rein_tensor_write(t, raw, 2 * sizes[i]));
        ok(rein_tensor_to(t, REIN_TORCH_F64, REIN_TORCH_CPU, &wide));
        ok(rein_tensor_read(wide, values, sizeof values));
        assert_true(values[0] == 1 && values[1] == 1);
        rein_tensor_free(t);
        rein_tensor_free(wide);
    }
}

/* --- memory ----------------------------------------------------------------------------------- */

static size_t resident_kb(void)
{
    long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &total, &resident), 2);
    fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

static rein_tensor *script_input(void)
{
    float x[2 * 3 * 7 * 7];
    rein_tensor *out = NULL;
    for (int i = 0; i < 2 * 3 * 7 * 7; i++) x[i] = (float)(i % 11) / 10;
    ok(rein_tensor_from_data(REIN_TORCH_F32, REIN_TORCH_CPU, (int64_t[]){2, 3, 7, 7}, 4, x, &out));
    return out;
}

/* Create, forward, backward, free: by hand and through a script; and an error. */
static void memory_round(rein_torch_module *module, rein_tensor *image)
{
    float params[P], grad[P] = {0}, x[N * I], dy[N * H], y[N * H];
    rein_tensor *out = NULL, *loss = NULL, *none = NULL;
    int n = 0;
    fill(params, P, 1), fill(x, N * I, 2), fill(dy, N * H, 3);
    flat_round(params, grad, x, dy, y, false);
    ok(rein_torch_module_forward(module, &image, 1, &out, 1, &n));
    ok(rein_tensor_sum(out, NULL, 0, false, &loss));
    ok(rein_tensor_backward(loss, NULL, false));
    refused(rein_tensor_matmul(image, out, &none), REIN_EINVAL, "matmul");
    rein_tensor_free(out);
    rein_tensor_free(loss);
}

static void test_memory_stays_flat(void **context)
{
    (void)context;
    const char *wish = getenv("REIN_TORCH_ROUNDS");
    long rounds = wish != NULL ? strtol(wish, NULL, 10) : 3000;
    rein_torch_module *module = NULL;
    rein_tensor *image = script_input();
    int64_t live = -1, live_after = -1;
    ok(rein_torch_module_load(SCRIPT, REIN_TORCH_CPU, &module));
    for (int i = 0; i < 500; i++) memory_round(module, image);
    ok(rein_torch_n_live(&live));
    size_t before = resident_kb();
    for (long i = 0; i < rounds; i++) memory_round(module, image);
    size_t after = resident_kb();
    ok(rein_torch_n_live(&live_after));
    assert_int_equal(live, live_after);
    printf("%ld rounds: resident memory %zu -> %zu kB\n", rounds, before, after);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed in quarantine */
    assert_true(after <= before + 1024);
#endif
    rein_tensor_free(image);
    rein_torch_module_free(module);
}

#ifndef __SANITIZE_ADDRESS__          /* which takes terabytes of addresses for itself */
static rein_tensor *big, *big_square; /* [4096, 4096] f32: 64 MB */

static rein_status big_add(rein_tensor **out)
{
    return rein_tensor_add(big, big, out);
}
static rein_status big_zeros(rein_tensor **out)
{
    return rein_tensor_zeros(REIN_TORCH_F32, REIN_TORCH_CPU, (int64_t[]){1 << 24}, 1, out);
}
static rein_status big_clone(rein_tensor **out)
{
    return rein_tensor_clone(big, out);
}
static rein_status big_matmul(rein_tensor **out)
{
    return rein_tensor_matmul(big, big, out);
}
static rein_status big_cat(rein_tensor **out)
{
    return rein_tensor_cat((rein_tensor *[]){big, big}, 2, 0, out);
}
static rein_status big_one_hot(rein_tensor **out)
{
    rein_tensor *index = ZEROS(REIN_TORCH_I64, 1);
    rein_status status = rein_tensor_one_hot(index, 1 << 24, out);
    rein_tensor_free(index);
    return status;
}
static rein_status big_backward(rein_tensor **out)
{
    (void)out;
    return rein_tensor_backward(big_square, big, true);
}
static rein_status big_script(rein_tensor **out)
{
    rein_torch_module *module = NULL;
    rein_tensor *image = NULL;
    int n = 0;
    ok(rein_torch_module_load(SCRIPT, REIN_TORCH_CPU, &module));
    ok(rein_tensor_zeros(REIN_TORCH_F32, REIN_TORCH_CPU, (int64_t[]){1, 3, 7, 7}, 4, &image));
    rein_tensor *many = NULL;
    ok(rein_tensor_expand(image, (int64_t[]){1 << 18, 3, 7, 7}, 4, &many)); /* a view */
    rein_status status = rein_torch_module_forward(module, &many, 1, out, 1, &n);
    rein_tensor_free(image), rein_tensor_free(many);
    rein_torch_module_free(module);
    return status;
}

/* In a child whose address space may not grow by more than 48 MB: refused, and then all is well. */
static void out_of_memory_child(void)
{
    static rein_status (*const works[])(rein_tensor **) = {
        big_add, big_zeros, big_clone, big_matmul, big_cat, big_one_hot, big_backward, big_script};
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld", &pages), 1);
    fclose(file);
    rlim_t limit = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (48 << 20);
    assert_int_equal(setrlimit(RLIMIT_AS, &(struct rlimit){limit, limit}), 0);
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        rein_tensor *out = NULL;
        rein_status status = works[i](&out);
        if (status != REIN_ENOMEM || out != NULL || strchr(rein_error_message(), '\n') != NULL) {
            fprintf(stderr, "%zu: %s '%s'\n", i, rein_status_name(status), rein_error_message());
            _exit(1);
        }
    }
    rein_tensor *small = NULL;
    _exit(rein_tensor_zeros(REIN_TORCH_F32, REIN_TORCH_CPU, (int64_t[]){100}, 1, &small) !=
          REIN_OK);
}

static void test_out_of_memory(void **context)
{
    (void)context;
    int status = -1;
    big = F32(4096, 4096);
    ok(rein_tensor_require_grad(big, true));
    ok(rein_tensor_square(big, &big_square));
    rein_tensor *warm = NULL; /* whatever an operation sets up when first used */
    ok(big_script(&warm));
    rein_tensor_free(warm);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) out_of_memory_child();
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    rein_tensor_free(big);
    rein_tensor_free(big_square);
}
#endif

static int group_setup(void **context)
{
    (void)context;
    return mkdtemp(folder) != NULL && rein_torch_set_threads(1) == REIN_OK ? 0 : -1;
}

static int group_teardown(void **context)
{
    (void)context;
    return rmdir(folder);
}

int main(void)
{
    if (!rein_torch_is_built()) {
        puts("built without libtorch: skipped");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_lands_in_the_flat_vector),
        cmocka_unit_test(test_no_grad_scope_and_second_derivative),
        cmocka_unit_test(test_any_thread_may_call),
        cmocka_unit_test(test_optimizers),
        cmocka_unit_test(test_state_files),
        cmocka_unit_test(test_wrong_shapes),
        cmocka_unit_test(test_wrong_types_and_numbers),
        cmocka_unit_test(test_element_types),
        cmocka_unit_test(test_memory_stays_flat),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_out_of_memory),
#endif
    };
    return cmocka_run_group_tests_name("torch_use", tests, group_setup, group_teardown);
}
