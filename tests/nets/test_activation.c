/* Activations against recorded numbers, libm in double over the whole range, finite differences,
 * and the sums that are fused with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>

#include "nets/activation.h"
#include "tests/golden_h5.h"
#include "tests/nets/net_reference.h"

static const char *const words[] = {"tanh", "relu", "elu", "silu", "gelu", "sigmoid", "linear"};
enum { N_ACTIVATIONS = sizeof words / sizeof words[0], MAX = 4096 };

/* f and f' of x [n], without bias. */
static void evaluate(rein_activation f, const float *x, int n, float *y, float *dy_dx)
{
    static float z[MAX], zeros[MAX], sums[MAX];
    memcpy(z, x, sizeof(float) * (size_t)n);
    if (rein_activation_keeps_z(f)) {
        rein_activation_forward(f, 1, n, zeros, z, y);
    } else {
        rein_activation_forward(f, 1, n, zeros, z, z);
        memcpy(y, z, sizeof(float) * (size_t)n);
    }
    for (int i = 0; i < n; i++) dy_dx[i] = 1;
    rein_activation_backward(f, 1, n, z, y, dy_dx, sums);
    for (int i = 0; i < n; i++) { /* one row is its own sum */
        assert_true(sums[i] == dy_dx[i] || (isnan(sums[i]) && isnan(dy_dx[i])));
    }
}

static void test_recorded(void **state)
{
    (void)state;
    golden g;
    int checked = 0;
    assert_true(golden_open("learning_math.h5", &g));
    for (int f = 0; f < N_ACTIVATIONS; f++) {
        char path[64];
        size_t dims[4];
        float x32[MAX], y32[MAX], d32[MAX];
        snprintf(path, sizeof path, "activation/%s", words[f]);
        if (!golden_exists(&g, path)) continue;
        snprintf(path, sizeof path, "activation/%s/x", words[f]);
        double *x = golden_read(&g, path, dims, NULL);
        snprintf(path, sizeof path, "activation/%s/y", words[f]);
        double *y = golden_read(&g, path, dims, NULL);
        snprintf(path, sizeof path, "activation/%s/dy_dx", words[f]);
        double *d = golden_read(&g, path, dims, NULL);
        assert_true(x && y && d && dims[0] <= MAX);
        for (size_t i = 0; i < dims[0]; i++) x32[i] = (float)x[i];
        evaluate((rein_activation)f, x32, (int)dims[0], y32, d32);
        double most_y = 0, most_d = 0;
        for (size_t i = 0; i < dims[0]; i++) {
            most_y = fmax(most_y, fabs(y[i]));
            most_d = fmax(most_d, fabs(d[i]));
        }
        for (size_t i = 0; i < dims[0]; i++) {
            assert_true(fabs((double)y32[i] - y[i]) <= 1e-6 * most_y);
            assert_true(fabs((double)d32[i] - d[i]) <= 1e-6 * most_d);
        }
        free(x);
        free(y);
        free(d);
        checked++;
    }
    assert_true(checked >= 5);
    golden_close(&g);
}

/* Values over the whole range within 1e-7 and four units in the last place; derivatives by
 * central differences in double. */
static void test_range(void **state)
{
    (void)state;
    static float x[MAX], y[MAX], d[MAX];
    for (int i = 0; i < MAX; i++) {
        const int j = i - MAX / 2; /* half of them small, the others out to +-20 */
        x[i] = (float)((j % 2 ? 1e-3 : 20.0) * 2 * j / MAX);
    }
    for (int f = 0; f < N_ACTIVATIONS; f++) {
        evaluate((rein_activation)f, x, MAX, y, d);
        for (int i = 0; i < MAX; i++) {
            const double at = x[i], h = 1e-6;
            const double want = reference_activation((rein_activation)f, at);
            const double slope = (reference_activation((rein_activation)f, at + h) -
                                  reference_activation((rein_activation)f, at - h)) /
                                 (2 * h);
            const double error = fabs((double)y[i] - want);
            if (!(error <= 1e-7 + 4 * (double)FLT_EPSILON * fabs(want))) {
                fail_msg("%s(%.9g) = %.9g, should be %.9g", words[f], at, (double)y[i], want);
            }
            if (fabs(at) < 2 * h) continue; /* the corner of relu */
            if (!(fabs((double)d[i] - slope) <= 2e-6)) {
                fail_msg("%s'(%.9g) = %.9g, should be %.9g", words[f], at, (double)d[i], slope);
            }
        }
    }
}

/* tanh keeps its relative precision near 0, is odd, and never leaves [-1, 1]. */
static void test_tanh(void **state)
{
    (void)state;
    static float x[MAX], y[MAX], d[MAX];
    for (int i = 0; i < MAX; i++) x[i] = (float)ldexp(1 + i % 7 / 7.0, i / 28 - 120);
    evaluate(REIN_TANH, x, MAX, y, d);
    for (int i = 0; i < MAX; i++) {
        const double want = tanh((double)x[i]);
        assert_true(fabs((double)y[i] - want) <= 4 * (double)FLT_EPSILON * want);
        assert_true(fabsf(y[i]) <= 1 && d[i] >= 0);
    }
    float positive[MAX];
    memcpy(positive, y, sizeof positive);
    for (int i = 0; i < MAX; i++) x[i] = -x[i];
    evaluate(REIN_TANH, x, MAX, y, d);
    for (int i = 0; i < MAX; i++) assert_true(y[i] == -positive[i]);
}

static void test_special_values(void **state)
{
    (void)state;
    const float x[] = {0.0f, INFINITY, -INFINITY, NAN, 88.0f, -88.0f, 1e30f, -1e30f};
    float y[8], d[8];
    for (int f = 0; f < N_ACTIVATIONS; f++) {
        evaluate((rein_activation)f, x, 8, y, d);
        assert_true(isnan(y[3])); /* a NaN must not vanish in a network */
        for (int i = 4; i < 8; i++) assert_true(isfinite(y[i]) && isfinite(d[i]));
    }
    evaluate(REIN_TANH, x, 3, y, d);
    assert_true(y[0] == 0 && y[1] == 1 && y[2] == -1);
}

/* Any number of rows and columns: bias added to its column, gradients summed over rows. */
static void check_fused(rein_activation f, int rows, int cols)
{
    static float z[MAX], h[MAX], dh[MAX], product[MAX], bias[MAX], dbias[MAX + 1];
    const int n = rows * cols;
    for (int i = 0; i < n; i++) product[i] = sinf((float)(3 * i + 1));
    for (int i = 0; i < n; i++) dh[i] = cosf((float)(5 * i + 2));
    for (int j = 0; j < cols; j++) bias[j] = 0.1f * (float)(j % 11) - 0.5f;
    memcpy(z, product, sizeof(float) * (size_t)n);
    const bool keeps = rein_activation_keeps_z(f);
    rein_activation_forward(f, rows, cols, bias, z, keeps ? h : z);
    if (!keeps) memcpy(h, z, sizeof(float) * (size_t)n);
    dbias[cols] = 42; /* nothing is written behind */
    rein_activation_backward(f, rows, cols, z, h, dh, dbias);
    assert_true(dbias[cols] == 42);
    for (int j = 0; j < cols; j++) {
        double sum = 0, size = 0;
        for (int i = j; i < n; i += cols) {
            const double at = (double)product[i] + (double)bias[j];
            assert_true(fabs((double)h[i] - reference_activation(f, at)) <= 3e-7);
            sum += (double)dh[i];
            size += fabs((double)dh[i]);
        }
        assert_true(fabs((double)dbias[j] - sum) <= 1e-6 * size);
    }
    rein_column_sums(rows, cols, dh, z);
    for (int j = 0; j < cols; j++) assert_true(fabsf(z[j] - dbias[j]) <= 1e-5f);
}

static void test_fused(void **state)
{
    (void)state;
    const int cols[] = {1, 2, 6, 15, 16, 17, 31, 48, 63, 64, 65, 100, 128, 200};
    const int rows[] = {1, 2, 3, 4, 5, 7, 16, 20};
    for (int f = 0; f < N_ACTIVATIONS; f++) {
        for (int i = 0; i < 8; i++) {
            for (int j = 0; j < 14; j++) check_fused((rein_activation)f, rows[i], cols[j]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded), cmocka_unit_test(test_range),
        cmocka_unit_test(test_tanh),     cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_fused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
