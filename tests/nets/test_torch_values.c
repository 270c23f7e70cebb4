/* The C API's numbers: layers and their gradients against learning_math.h5 in f32 and f64, a
 * TorchScript file against what Python computed, small operations against plain C. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nets/torch/loader.h"
#include "nets/torch/rein_torch.h"
#include "tests/golden_h5.h"
#include "tests/nets/torch_check.h"

static golden book;
static rein_torch_dtype type; /* of the case that runs */
enum { MAX_KEPT = 512 };
static rein_tensor *kept[MAX_KEPT]; /* freed after each test */
static int n_kept;

static rein_tensor *keep(rein_tensor *t)
{
    assert_true(n_kept < MAX_KEPT);
    return kept[n_kept++] = t;
}

static int teardown(void **context)
{
    (void)context;
    while (n_kept > 0) rein_tensor_free(kept[--n_kept]);
    return 0;
}

/* R(f, a, b): f(a, b, &out), out kept. One may stand among the arguments of another. */
#pragma GCC diagnostic ignored "-Wshadow"
#define R(function, ...)                                                                           \
    ({                                                                                             \
        rein_tensor *r_out_ = NULL;                                                                \
        ok(function(__VA_ARGS__, &r_out_));                                                        \
        keep(r_out_);                                                                              \
    })

static rein_tensor *of_doubles(const double *values, const int64_t *shape, int n_dims)
{
    rein_tensor *wide =
        R(rein_tensor_from_data, REIN_TORCH_F64, REIN_TORCH_CPU, shape, n_dims, values);
    return R(rein_tensor_to, wide, type, REIN_TORCH_CPU);
}

/* A recorded array as a leaf that requires a gradient. */
static rein_tensor *recorded(const char *group, const char *name)
{
    char path[128];
    size_t dims[4];
    int n_dims;
    snprintf(path, sizeof path, "%s/%s", group, name);
    double *values = golden_read(&book, path, dims, &n_dims);
    if (values == NULL) fail_msg("no %s", path);
    int64_t shape[4];
    for (int i = 0; i < 4; i++) shape[i] = (int64_t)dims[i];
    rein_tensor *t = of_doubles(values, shape, n_dims);
    free(values);
    ok(rein_tensor_require_grad(t, true));
    return t;
}

static void compare_doubles(const rein_tensor *t, const double *wanted, size_t n, const char *what)
{
    int64_t numel = 0;
    rein_tensor *wide = R(rein_tensor_to, t, REIN_TORCH_F64, REIN_TORCH_CPU);
    ok(rein_tensor_numel(t, &numel));
    assert_int_equal(numel, n);
    double *got = malloc(n * sizeof *got), largest = 0, worst = 0;
    assert_non_null(got);
    ok(rein_tensor_read(wide, got, n * sizeof *got));
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(wanted[i]));
        double d = fabs(got[i] - wanted[i]);
        worst = d > worst || isnan(d) ? d : worst;
    }
    free(got);
    double limit = type == REIN_TORCH_F64 ? 1e-10 : 1e-5;
    if (!(worst <= limit * largest)) {
        fail_msg("%s (%s): off by %g of %g", what, type == REIN_TORCH_F64 ? "f64" : "f32", worst,
                 largest);
    }
}

static void compare(const rein_tensor *t, const char *group, const char *name)
{
    char path[128];
    size_t dims[4];
    snprintf(path, sizeof path, "%s/%s", group, name);
    double *wanted = golden_read(&book, path, dims, NULL);
    if (wanted == NULL) fail_msg("no %s", path);
    compare_doubles(t, wanted, dims[0] * dims[1] * dims[2] * dims[3], path);
    free(wanted);
}

static void compare_grad(const rein_tensor *leaf, const char *group, const char *name)
{
    compare(R(rein_tensor_grad, leaf), group, name);
}

/* --- recorded layers -------------------------------------------------------------------------- */

static void layer_norm(void)
{
    const char *g = "layer_norm";
    rein_tensor *x = recorded(g, "x"), *w = recorded(g, "weight"), *b = recorded(g, "bias");
    rein_tensor *y = R(rein_tensor_layer_norm, x, 1, w, b, 1e-5);
    compare(y, g, "y");
    ok(rein_tensor_backward(y, recorded(g, "dy"), false));
    compare_grad(x, g, "dx");
    compare_grad(w, g, "dweight");
    compare_grad(b, g, "dbias");
}

static void attention(const char *g, bool causal)
{
    rein_tensor *x = recorded(g, "x"), *in_w = recorded(g, "in_w"), *in_b = recorded(g, "in_b"),
                *out_w = recorded(g, "out_w"), *out_b = recorded(g, "out_b"), *y = NULL,
                *seen = NULL;
    ok(rein_tensor_attention(x, x, in_w, in_b, out_w, out_b, 2, NULL, causal, &y, &seen));
    compare(keep(y), g, "y");
    compare(keep(seen), g, "attention");
    ok(rein_tensor_backward(y, recorded(g, "dy"), false));
    compare_grad(x, g, "dx");
    compare_grad(in_w, g, "din_w");
    compare_grad(in_b, g, "din_b");
    compare_grad(out_w, g, "dout_w");
    compare_grad(out_b, g, "dout_b");
    /* the same mask given by hand */
    if (!causal) return;
    bool past[5][5];
    for (int i = 0; i < 25; i++) past[i / 5][i % 5] = i % 5 <= i / 5;
    rein_tensor *mask =
        R(rein_tensor_from_data, REIN_TORCH_BOOL, REIN_TORCH_CPU, ((int64_t[]){5, 5}), 2, past);
    rein_tensor *again = NULL;
    ok(rein_tensor_attention(x, x, in_w, in_b, out_w, out_b, 2, mask, false, &again, NULL));
    compare(keep(again), g, "y");
}

/* T steps of a cell; the state is zeroed before step t where start[t]. */
static void cell(const char *g, bool lstm)
{
    rein_tensor *x = recorded(g, "x"), *h0 = recorded(g, "h0"), *w_ih = recorded(g, "w_ih"),
                *w_hh = recorded(g, "w_hh"), *b_ih = recorded(g, "b_ih"),
                *b_hh = recorded(g, "b_hh"), *start = recorded(g, "start"),
                *c0 = lstm ? recorded(g, "c0") : NULL, *hs[6], *cs[6], *h = h0, *c = c0;
    for (int t = 0; t < 6; t++) {
        rein_tensor *begins = R(rein_tensor_select, start, 0, t);
        rein_tensor *stays = R(rein_tensor_add_scalar, R(rein_tensor_neg, begins), 1);
        rein_tensor *mask = R(rein_tensor_unsqueeze, stays, 1); /* [N,1] */
        rein_tensor *xt = R(rein_tensor_select, x, 0, t);
        h = R(rein_tensor_mul, h, mask);
        if (lstm) {
            rein_tensor *h1 = NULL, *c1 = NULL;
            c = R(rein_tensor_mul, c, mask);
            ok(rein_tensor_lstm_cell(xt, h, c, w_ih, w_hh, b_ih, b_hh, &h1, &c1));
            h = keep(h1), c = keep(c1);
            cs[t] = c;
        } else {
            h = R(rein_tensor_gru_cell, xt, h, w_ih, w_hh, b_ih, b_hh);
        }
        hs[t] = h;
    }
    rein_tensor *all = R(rein_tensor_stack, hs, 6, 0);
    compare(all, g, "h");
    if (lstm) compare(R(rein_tensor_stack, cs, 6, 0), g, "c");
    ok(rein_tensor_backward(all, recorded(g, "dh"), false));
    compare_grad(x, g, "dx");
    compare_grad(h0, g, "dh0");
    if (lstm) compare_grad(c0, g, "dc0");
    compare_grad(w_ih, g, "dw_ih");
    compare_grad(w_hh, g, "dw_hh");
    compare_grad(b_ih, g, "db_ih");
    compare_grad(b_hh, g, "db_hh");
}

/* The file's own weights: an integer hash, see its attribute `weights`. */
static rein_tensor *hashed(uint32_t *running, double scale, const int64_t *shape, int n_dims)
{
    int64_t n = 1;
    for (int i = 0; i < n_dims; i++) n *= shape[i];
    double *values = malloc((size_t)n * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < n; i++) {
        uint32_t u = (*running)++;
        u *= 2654435761U;
        u ^= u >> 15;
        u *= 2246822519U;
        u ^= u >> 13;
        values[i] = (float)((u / 4294967296.0 * 2 - 1) * scale);
    }
    rein_tensor *t = of_doubles(values, shape, n_dims);
    free(values);
    ok(rein_tensor_require_grad(t, true));
    return t;
}

static double scale_of(const char *name)
{
    double scale = 0;
    int n = 0;
    char attr[64];
    snprintf(attr, sizeof attr, "scale_%s", name);
    assert_true(golden_attr_double(&book, "conv_minatar", attr, &scale, 1, &n));
    return scale;
}

static void conv(void)
{
    const char *g = "conv_minatar";
    static const char *const names[] = {"conv_w", "conv_b", "fc_w", "fc_b", "out_w", "out_b"};
    static const int64_t shapes[6][4] = {{16, 4, 3, 3}, {16}, {128, 1024}, {128}, {6, 128}, {6}};
    static const int n_dims[] = {4, 1, 2, 1, 2, 1};
    rein_tensor *p[6];
    uint32_t running = 0;
    for (int i = 0; i < 6; i++) p[i] = hashed(&running, scale_of(names[i]), shapes[i], n_dims[i]);
    rein_tensor *x = recorded(g, "x"); /* [3,4,10,10] */
    rein_tensor *z = R(rein_tensor_conv2d, x, p[0], p[1], NULL, NULL, NULL, 1);
    rein_tensor *h = R(rein_tensor_flatten, R(rein_tensor_relu, z), 1, -1);      /* [3,1024] */
    compare(R(rein_tensor_select, R(rein_tensor_relu, z), 0, 0), g, "conv_out"); /* first image */
    rein_tensor *hidden = R(rein_tensor_relu, R(rein_tensor_linear, h, p[2], p[3]));
    rein_tensor *y = R(rein_tensor_linear, hidden, p[4], p[5]);
    compare(hidden, g, "hidden");
    compare(y, g, "y");
    ok(rein_tensor_backward(y, recorded(g, "dy"), false));
    compare_grad(x, g, "dx");
    compare_grad(p[0], g, "dconv_w");
    compare_grad(p[1], g, "dconv_b");
    compare_grad(p[3], g, "dfc_b");
    compare_grad(p[4], g, "dout_w");
    compare_grad(p[5], g, "dout_b");
    rein_tensor *dw = R(rein_tensor_grad, p[2]);
    compare(R(rein_tensor_narrow, dw, 0, 0, 4), g, "dfc_w_rows0_4");
    compare(R(rein_tensor_sum, dw, ((int64_t[]){1}), 1, false), g, "dfc_w_row_sum");
    compare(R(rein_tensor_sum, dw, ((int64_t[]){0}), 1, false), g, "dfc_w_col_sum");
}

static void recorded_layers(void)
{
    layer_norm();
    attention("attention", false);
    attention("attention_causal", true);
    cell("lstm_cell", true);
    cell("gru_cell", false);
    conv();
}

static void test_recorded_f32(void **context)
{
    (void)context;
    type = REIN_TORCH_F32;
    recorded_layers();
}

static void test_recorded_f64(void **context)
{
    (void)context;
    type = REIN_TORCH_F64;
    recorded_layers();
}

/* --- sequences: equal to their cells ---------------------------------------------------------- */

static void test_sequences(void **context)
{
    (void)context;
    type = REIN_TORCH_F64;
    for (int lstm = 0; lstm < 2; lstm++) {
        const char *g = lstm ? "lstm_cell" : "gru_cell";
        rein_tensor *x = recorded(g, "x"), *h0 = recorded(g, "h0");
        rein_tensor *w[4] = {recorded(g, "w_ih"), recorded(g, "w_hh"), recorded(g, "b_ih"),
                             recorded(g, "b_hh")};
        rein_tensor *c0 = lstm ? recorded(g, "c0") : NULL, *h = h0, *c = c0, *hs[6];
        for (int t = 0; t < 6; t++) {
            rein_tensor *xt = R(rein_tensor_select, x, 0, t), *h1 = NULL, *c1 = NULL;
            if (lstm) {
                ok(rein_tensor_lstm_cell(xt, h, c, w[0], w[1], w[2], w[3], &h1, &c1));
                c = keep(c1);
            } else {
                ok(rein_tensor_gru_cell(xt, h, w[0], w[1], w[2], w[3], &h1));
            }
            hs[t] = h = keep(h1);
        }
        rein_tensor *h_in = R(rein_tensor_unsqueeze, h0, 0), *y = NULL, *hn = NULL, *cn = NULL;
        if (lstm) {
            rein_tensor *c_in = R(rein_tensor_unsqueeze, c0, 0);
            ok(rein_tensor_lstm(x, h_in, c_in, w, 1, &y, &hn, &cn));
            keep(cn);
        } else {
            ok(rein_tensor_gru(x, h_in, w, 1, &y, &hn));
        }
        rein_tensor *d = R(rein_tensor_sub, keep(y), R(rein_tensor_stack, hs, 6, 0));
        rein_tensor *last = R(rein_tensor_sub, R(rein_tensor_squeeze, keep(hn), 0), hs[5]);
        double off = 1, off_last = 1;
        ok(rein_tensor_item(R(rein_tensor_norm, d), &off));
        ok(rein_tensor_item(R(rein_tensor_norm, last), &off_last));
        assert_true(off < 1e-12 && off_last < 1e-12);
    }
}

/* --- small operations ------------------------------------------------------------------------- */

static const double six[] = {-1.5, 0.5, 2, -0.25, 3, 1};
static const double half[] = {0.5, 0.25, 1, 0.75, 2, 4};

#define IS(tensor, ...)                                                                            \
    do {                                                                                           \
        const double is_[] = {__VA_ARGS__};                                                        \
        compare_doubles(tensor, is_, sizeof is_ / sizeof *is_, #tensor);                           \
    } while (0)

static void check_unary(rein_status (*function)(const rein_tensor *, rein_tensor **),
                        double (*truth)(double), const double *values)
{
    double wanted[6];
    for (int i = 0; i < 6; i++) wanted[i] = truth(values[i]);
    compare_doubles(R(function, of_doubles(values, (int64_t[]){2, 3}, 2)), wanted, 6, "unary");
}

static double square(double v)
{
    return v * v;
}
static double negative(double v)
{
    return -v;
}
static double sign(double v)
{
    return (v > 0) - (v < 0);
}
static double sigmoid(double v)
{
    return 1 / (1 + exp(-v));
}
static double relu(double v)
{
    return v > 0 ? v : 0;
}
static double silu(double v)
{
    return v * sigmoid(v);
}
static double gelu(double v)
{
    return v * 0.5 * erfc(-v / sqrt(2));
}
static double softplus(double v)
{
    return log1p(exp(v));
}
static double is_zero(double v)
{
    return v == 0;
}

static void test_unary(void **context)
{
    (void)context;
    type = REIN_TORCH_F64;
    check_unary(rein_tensor_neg, negative, six);
    check_unary(rein_tensor_abs, fabs, six);
    check_unary(rein_tensor_sign, sign, six);
    check_unary(rein_tensor_floor, floor, six);
    check_unary(rein_tensor_square, square, six);
    check_unary(rein_tensor_sqrt, sqrt, half);
    check_unary(rein_tensor_exp, exp, six);
    check_unary(rein_tensor_log, log, half);
    check_unary(rein_tensor_sin, sin, six);
    check_unary(rein_tensor_cos, cos, six);
    check_unary(rein_tensor_tanh, tanh, six);
    check_unary(rein_tensor_sigmoid, sigmoid, six);
    check_unary(rein_tensor_relu, relu, six);
    check_unary(rein_tensor_silu, silu, six);
    check_unary(rein_tensor_gelu, gelu, six);
    check_unary(rein_tensor_softplus, softplus, six);
    check_unary(rein_tensor_logical_not, is_zero, (double[]){0, 1, 0, 2, 0, 0});
}

static void test_arithmetic(void **context)
{
    (void)context;
    type = REIN_TORCH_F64;
    rein_tensor *a = of_doubles(six, (int64_t[]){2, 3}, 2),
                *b = of_doubles(half, (int64_t[]){2, 3}, 2);
    IS(R(rein_tensor_add, a, b), -1, 0.75, 3, 0.5, 5, 5);
    IS(R(rein_tensor_sub, a, b), -2, 0.25, 1, -1, 1, -3);
    IS(R(rein_tensor_mul, a, b), -0.75, 0.125, 2, -0.1875, 6, 4);
    IS(R(rein_tensor_div, a, b), -3, 2, 2, -1 / 3., 1.5, 0.25);
    IS(R(rein_tensor_pow, b, b), sqrt(0.5), pow(0.25, 0.25), 1, pow(0.75, 0.75), 4, 256);
    IS(R(rein_tensor_maximum, a, b), 0.5, 0.5, 2, 0.75, 3, 4);
    IS(R(rein_tensor_minimum, a, b), -1.5, 0.25, 1, -0.25, 2, 1);
    IS(R(rein_tensor_lt, a, b), 1, 0, 0, 1, 0, 1);
    IS(R(rein_tensor_le, a, a), 1, 1, 1, 1, 1, 1);
    IS(R(rein_tensor_gt, a, b), 0, 1, 1, 0, 1, 0);
    IS(R(rein_tensor_ge, a, b), 0, 1, 1, 0, 1, 0);
    IS(R(rein_tensor_eq, a, a), 1, 1, 1, 1, 1, 1);
    IS(R(rein_tensor_ne, a, b), 1, 1, 1, 1, 1, 1);
    IS(R(rein_tensor_add_scalar, a, 1), -0.5, 1.5, 3, 0.75, 4, 2);
    IS(R(rein_tensor_mul_scalar, a, 2), -3, 1, 4, -0.5, 6, 2);
    IS(R(rein_tensor_pow_scalar, a, 2), 2.25, 0.25, 4, 0.0625, 9, 1);
    IS(R(rein_tensor_clamp, a, -1, 2), -1, 0.5, 2, -0.25, 2, 1);
    IS(R(rein_tensor_clamp, a, -INFINITY, 2), -1.5, 0.5, 2, -0.25, 2, 1);
    IS(R(rein_tensor_clamp, a, -INFINITY, INFINITY), -1.5, 0.5, 2, -0.25, 3, 1);
    IS(R(rein_tensor_elu, a, 1), expm1(-1.5), 0.5, 2, expm1(-0.25), 3, 1);
    IS(R(rein_tensor_leaky_relu, a, 0.1), -0.15, 0.5, 2, -0.025, 3, 1);
    IS(R(rein_tensor_where, R(rein_tensor_lt, a, b), a, b), -1.5, 0.25, 1, -0.25, 2, 1);
    IS(R(rein_tensor_logical_and, a, R(rein_tensor_lt, a, b)), 1, 0, 0, 1, 0, 1);
    IS(R(rein_tensor_logical_or, R(rein_tensor_gt, a, b), R(rein_tensor_lt, a, b)), 1, 1, 1, 1, 1,
       1);
    rein_tensor *bt = R(rein_tensor_transpose, b, 0, 1);
    IS(R(rein_tensor_matmul, a, bt), 1.375, 7.875, 1.625, 9.8125);
    rein_tensor *d = R(rein_tensor_clone, a);
    ok(rein_tensor_add_scaled(d, b, -2));
    IS(d, -2.5, 0, 0, -1.75, -1, -7);
    ok(rein_tensor_scale(d, 2));
    IS(d, -5, 0, 0, -3.5, -2, -14);
    ok(rein_tensor_copy(d, R(rein_tensor_select, a, 0, 1)));
    IS(d, -0.25, 3, 1, -0.25, 3, 1);
    ok(rein_tensor_fill(d, 4));
    IS(d, 4, 4, 4, 4, 4, 4);
}

static void test_reductions_and_indexing(void **context)
{
    (void)context;
    type = REIN_TORCH_F64;
    static const int64_t s23[] = {2, 3}, last[] = {1}, s2[] = {2};
    rein_tensor *a = of_doubles(six, s23, 2), *b = of_doubles(half, s23, 2), *v = NULL, *i = NULL;
    IS(R(rein_tensor_sum, a, NULL, 0, false), 4.75);
    IS(R(rein_tensor_sum, a, last, 1, true), 1, 3.75);
    IS(R(rein_tensor_mean, a, last, 1, false), 1 / 3., 1.25);
    IS(R(rein_tensor_var, b, last, 1, false, false), 7 / 72., 5.375 / 3);
    IS(R(rein_tensor_norm, of_doubles((double[]){3, 4}, s2, 1)), 5);
    IS(R(rein_tensor_cumsum, a, 1), -1.5, -1, 1, -0.25, 2.75, 3.75);
    IS(R(rein_tensor_logsumexp, a, 1, false), log(exp(-1.5) + exp(0.5) + exp(2)),
       log(exp(-0.25) + exp(3) + exp(1)));
    ok(rein_tensor_max(a, 1, false, &v, &i));
    IS(keep(v), 2, 3);
    IS(keep(i), 2, 1);
    ok(rein_tensor_min(a, 0, true, NULL, &i));
    IS(keep(i), 0, 0, 1);
    double total = exp(-1.5) + exp(0.5) + exp(2);
    rein_tensor *row = R(rein_tensor_select, a, 0, 0);
    IS(R(rein_tensor_softmax, row, 0), exp(-1.5) / total, exp(0.5) / total, exp(2) / total);
    IS(R(rein_tensor_log_softmax, row, 0), -1.5 - log(total), 0.5 - log(total), 2 - log(total));

    rein_tensor *index = R(rein_tensor_from_data, REIN_TORCH_I64, REIN_TORCH_CPU, s23, 2,
                           ((int64_t[]){0, 0, 2, 1, 2, 0}));
    rein_tensor *rows =
        R(rein_tensor_from_data, REIN_TORCH_I64, REIN_TORCH_CPU, s2, 1, ((int64_t[]){1, 1}));
    IS(R(rein_tensor_index_select, a, 0, rows), -0.25, 3, 1, -0.25, 3, 1);
    IS(R(rein_tensor_embedding, a, rows), -0.25, 3, 1, -0.25, 3, 1);
    IS(R(rein_tensor_gather, a, 1, index), -1.5, -1.5, 2, 3, 1, -0.25);
    rein_tensor *zeros = R(rein_tensor_zeros, type, REIN_TORCH_CPU, s23, 2);
    IS(R(rein_tensor_scatter_add, zeros, 1, index, b), 0.75, 0, 1, 4, 0.75, 2);
    rein_tensor *column = R(rein_tensor_narrow, index, 1, 2, 1); /* 2, 0 */
    IS(R(rein_tensor_scatter, zeros, 1, column, R(rein_tensor_narrow, b, 1, 0, 1)), 0, 0, 0.5, 0.75,
       0, 0);
    rein_tensor *mask = R(rein_tensor_lt, a, b);
    IS(R(rein_tensor_masked_fill, a, mask, 9), 9, 0.5, 2, 9, 3, 9);
    IS(R(rein_tensor_masked_select, a, mask), -1.5, -0.25, 1);
    IS(R(rein_tensor_one_hot, rows, 3), 0, 1, 0, 0, 1, 0);
}

static void test_views(void **context)
{
    (void)context;
    type = REIN_TORCH_F32;
    static const int64_t image[] = {1, 2, 2, 3}, order[] = {0, 3, 1, 2}, flat[] = {12}, s2[] = {2};
    float pixels[12], expected[] = {0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11};
    double wanted[12];
    for (int i = 0; i < 12; i++) pixels[i] = (float)i, wanted[i] = expected[i];
    rein_tensor *nhwc = R(rein_tensor_borrow, REIN_TORCH_F32, image, 4, pixels);
    rein_tensor *nchw = R(rein_tensor_permute, nhwc, order, 4);
    compare_doubles(nchw, wanted, 12, "permute");
    int64_t shape[4];
    int n_dims = 0;
    ok(rein_tensor_shape(nchw, shape, 4, &n_dims));
    assert_true(n_dims == 4 && shape[1] == 3 && shape[3] == 2);
    pixels[3] = 100; /* borrowed: seen through the view at once */
    rein_tensor *dense = R(rein_tensor_reshape, R(rein_tensor_contiguous, nchw), flat, 1);
    float *p = NULL;
    ok(rein_tensor_data(dense, (void **)&p));
    assert_true(p[1] == 100.0F && p != pixels);
    void *address = NULL;
    ok(rein_tensor_data(nhwc, &address));
    assert_ptr_equal(address, pixels);
    ok(rein_tensor_fill(R(rein_tensor_select, nhwc, 3, 0), -1)); /* writes through */
    assert_true(pixels[0] == -1.0F && pixels[9] == -1.0F && pixels[1] == 1.0F);
    rein_tensor *pair = of_doubles((double[]){1, 2}, s2, 1);
    IS(R(rein_tensor_cat, ((rein_tensor *[]){pair, pair}), 2, 0), 1, 2, 1, 2);
    IS(R(rein_tensor_stack, ((rein_tensor *[]){pair, pair}), 2, 1), 1, 1, 2, 2);
    IS(R(rein_tensor_expand, R(rein_tensor_unsqueeze, pair, 1), ((int64_t[]){-1, 2}), 2), 1, 1, 2,
       2);
    IS(R(rein_tensor_view, nhwc, ((int64_t[]){6, -1}), 2), -1, 1, 2, -1, 4, 5, -1, 7, 8, -1, 10,
       11);
    rein_tensor *pool = R(rein_tensor_arange, REIN_TORCH_F32, REIN_TORCH_CPU, 0, 1, 16);
    pool = R(rein_tensor_view, pool, ((int64_t[]){1, 1, 4, 4}), 4);
    static const int64_t two[] = {2, 2}, one[] = {1, 1};
    IS(R(rein_tensor_max_pool2d, pool, two, NULL, NULL), 5, 7, 13, 15);
    IS(R(rein_tensor_avg_pool2d, pool, two, NULL, NULL), 2.5, 4.5, 10.5, 12.5);
    IS(R(rein_tensor_avg_pool2d, pool, two, two, one), 0, 0.75, 0.75, 3, 7.5, 4.5, 3, 6.75, 3.75);
}

static void test_losses(void **context)
{
    (void)context;
    type = REIN_TORCH_F64;
    static const int64_t s3[] = {3}, s13[] = {1, 3}, s1[] = {1};
    rein_tensor *a = of_doubles((double[]){1, -2, 0.5}, s3, 1),
                *b = of_doubles((double[]){0.5, 1, 0.25}, s3, 1);
    IS(R(rein_tensor_mse_loss, a, b, REIN_TORCH_NONE), 0.25, 9, 0.0625);
    IS(R(rein_tensor_mse_loss, a, b, REIN_TORCH_SUM), 9.3125);
    IS(R(rein_tensor_l1_loss, a, b, REIN_TORCH_MEAN), 1.25);
    IS(R(rein_tensor_huber_loss, a, b, 1, REIN_TORCH_NONE), 0.125, 2.5, 0.03125);
    double total = exp(1) + exp(-2) + exp(0.5);
    rein_tensor *logits = R(rein_tensor_view, a, s13, 2);
    rein_tensor *target =
        R(rein_tensor_from_data, REIN_TORCH_I64, REIN_TORCH_CPU, s1, 1, ((int64_t[]){1}));
    IS(R(rein_tensor_cross_entropy, logits, target, REIN_TORCH_MEAN), 2 + log(total));
    rein_tensor *log_prob = R(rein_tensor_log_softmax, logits, 1);
    IS(R(rein_tensor_nll_loss, log_prob, target, REIN_TORCH_SUM), 2 + log(total));
    IS(R(rein_tensor_bce_with_logits, a, b, REIN_TORCH_NONE), softplus(1) - 0.5, softplus(-2) + 2,
       softplus(0.5) - 0.125);
    IS(R(rein_tensor_kl_div, a, b, REIN_TORCH_NONE), 0.5 * (log(0.5) - 1), 2,
       0.25 * (log(0.25) - 0.5));
}

int main(void)
{
    if (!rein_torch_is_built()) {
        puts("built without libtorch: skipped");
        return 77;
    }
    if (!golden_open("learning_math.h5", &book)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_recorded_f32, teardown),
        cmocka_unit_test_teardown(test_recorded_f64, teardown),
        cmocka_unit_test_teardown(test_sequences, teardown),
        cmocka_unit_test_teardown(test_unary, teardown),
        cmocka_unit_test_teardown(test_arithmetic, teardown),
        cmocka_unit_test_teardown(test_reductions_and_indexing, teardown),
        cmocka_unit_test_teardown(test_views, teardown),
        cmocka_unit_test_teardown(test_losses, teardown),
    };
    int failed = cmocka_run_group_tests_name("torch_values", tests, NULL, NULL);
    golden_close(&book);
    return failed;
}
