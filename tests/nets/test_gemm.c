/* Matrix kernels against sums in double, for odd shapes, chunks of rows, accumulation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "base/team.h"
#include "nets/gemm.h"
#include "tests/alloc_count.h"

static float *random_matrix(int rows, int cols, uint64_t seed)
{
    const size_t n = (size_t)rows * (size_t)cols;
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    rein_rng rng = rein_rng_stream(seed, REIN_RNG_TEST, (uint32_t)rows, (uint64_t)cols);
    for (size_t i = 0; i < n; i++) x[i] = (float)rein_rng_normal(&rng);
    return x;
}

/* c = a b (+ old) with a(i, p) = a[i * ai + p * ap], b(p, j) = b[p * bp + j * bj]. */
static void check_product(int m, int n, int k, const float *a, int ai, int ap, const float *b,
                          int bp, int bj, const float *old, const float *c)
{
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
            double sum = old ? (double)old[i * n + j] : 0, size = fabs(sum);
            for (int p = 0; p < k; p++) {
                const double term = (double)a[i * ai + p * ap] * (double)b[p * bp + j * bj];
                sum += term;
                size += fabs(term);
            }
            if (!(fabs((double)c[i * n + j] - sum) <= 2e-6 * size + 1e-30)) {
                fail_msg("%d x %d x %d, entry %d, %d: %.9g, should be %.9g", m, n, k, i, j,
                         (double)c[i * n + j], sum);
            }
        }
    }
}

static const int sizes[] = {1, 2, 3, 7, 16, 17, 33, 64, 100};
enum { N_SIZES = sizeof sizes / sizeof sizes[0] };

static void check_any_shape(int m, int n, int k)
{
    float *a = random_matrix(m, k, 1), *b = random_matrix(k, n, 2), *old = random_matrix(m, n, 3);
    float *c = malloc(sizeof(float) * (size_t)m * (size_t)n);
    for (int accumulate = 0; accumulate < 2; accumulate++) {
        const float *from = accumulate ? old : NULL;
        memcpy(c, old, sizeof(float) * (size_t)m * (size_t)n);
        rein_gemm_nn(m, n, k, a, b, c, accumulate); /* a [m,k], b [k,n] */
        check_product(m, n, k, a, k, 1, b, n, 1, from, c);
        memcpy(c, old, sizeof(float) * (size_t)m * (size_t)n);
        rein_gemm_tn(m, n, k, a, b, c, accumulate); /* the same numbers as a [k,m] */
        check_product(m, n, k, a, 1, m, b, n, 1, from, c);
        memcpy(c, old, sizeof(float) * (size_t)m * (size_t)n);
        rein_gemm_nt(m, n, k, a, b, c, accumulate); /* and as b [n,k] */
        check_product(m, n, k, a, k, 1, b, 1, k, from, c);
    }
    free(a);
    free(b);
    free(old);
    free(c);
}

static void test_any_shape(void **state)
{
    (void)state;
    for (int i = 0; i < N_SIZES; i++) {
        for (int j = 0; j < N_SIZES; j++) {
            for (int p = 0; p < N_SIZES; p++) check_any_shape(sizes[i], sizes[j], sizes[p]);
        }
    }
}

static void check_plan(rein_gemm_form form, int rows, int max_rows, int k, int n)
{
    const int is_nn = form == REIN_GEMM_ROWS_NN, out_rows = is_nn ? rows : k;
    float *a = random_matrix(rows, k, 4);
    float *b = is_nn ? random_matrix(k, n, 5) : random_matrix(rows, n, 5);
    float *c = random_matrix(out_rows, n, 6);
    rein_gemm_plan plan;
    rein_gemm_prepare(&plan, form, max_rows, k, n);
    rein_gemm_run(&plan, rows, a, b, c);
    if (is_nn) {
        check_product(rows, n, k, a, k, 1, b, n, 1, NULL, c);
    } else {
        check_product(k, n, rows, a, 1, k, b, n, 1, NULL, c);
    }
    free(a);
    free(b);
    free(c);
}

static void test_plans(void **state)
{
    (void)state;
    const int rows[] = {1, 2, 3, 8, 31, 64, 65, 127, 130};
    for (int r = 0; r < 9; r++) {
        for (int i = 0; i < N_SIZES; i++) {
            for (int j = 0; j < N_SIZES; j++) {
                check_plan(REIN_GEMM_ROWS_NN, rows[r], 130, sizes[i], sizes[j]);
                check_plan(REIN_GEMM_ROWS_TN, rows[r], 130, sizes[i], sizes[j]);
            }
        }
    }
    check_plan(REIN_GEMM_ROWS_NN, 65, 8, 17, 64); /* more rows than it was made for */
    check_plan(REIN_GEMM_ROWS_TN, 65, 8, 17, 64);
    check_plan(REIN_GEMM_ROWS_NN, 33, 33, 600, 700); /* beyond the small kernels */
    check_plan(REIN_GEMM_ROWS_TN, 33, 33, 600, 700);
    check_plan(REIN_GEMM_ROWS_NN, 70, 70, 1024, 64); /* k in blocks, and a prime one in one */
    check_plan(REIN_GEMM_ROWS_NN, 70, 70, 521, 64);
}

static void test_no_allocation(void **state)
{
    (void)state;
    if (!alloc_count_works()) skip();
    float *a = random_matrix(130, 64, 7), *b = random_matrix(130, 64, 8);
    float *c = random_matrix(130, 64, 9);
    rein_gemm_plan nn, tn;
    rein_gemm_prepare(&nn, REIN_GEMM_ROWS_NN, 130, 64, 64);
    rein_gemm_prepare(&tn, REIN_GEMM_ROWS_TN, 130, 64, 64);
    const long before = alloc_count();
    for (int rows = 1; rows <= 130; rows++) {
        rein_gemm_run(&nn, rows, a, b, c);
        rein_gemm_run(&tn, rows, a, b, c);
    }
    assert_int_equal(alloc_count(), before);
    free(a);
    free(b);
    free(c);
}

/* One product by several threads at once, again and again: OpenBLAS' serial build got about one in
 * ten thousand wrong. A product that is large enough for a thread team of OpenBLAS' own gives the
 * same bytes inside a team and outside. */
enum { SIDE = 64, LARGE = 300, REPEATS = 10000 };
typedef struct products {
    const float *a, *b, *expected;
    int side, repeats, n_wrong[4];
} products;

static rein_status multiply(void *context, int block, int thread)
{
    (void)thread;
    products *p = context;
    const size_t bytes = sizeof(float) * (size_t)p->side * (size_t)p->side;
    float *c = malloc(bytes);
    if (!c) return rein_fail(REIN_ENOMEM, "no memory for a product");
    for (int i = 0; i < p->repeats; i++) {
        rein_gemm_nn(p->side, p->side, p->side, p->a, p->b, c, 0);
        p->n_wrong[block] += memcmp(c, p->expected, bytes) != 0;
    }
    free(c);
    return REIN_OK;
}

static void test_threads(void **state)
{
    (void)state;
    rein_team *team;
    assert_int_equal(rein_team_create(4, &team), REIN_OK);
    for (int large = 0; large < 2; large++) {
        products p = {.side = large ? LARGE : SIDE, .repeats = large ? 3 : REPEATS};
        float *a = random_matrix(p.side, p.side, 1), *b = random_matrix(p.side, p.side, 2);
        float *c = random_matrix(p.side, p.side, 3);
        rein_gemm_nn(p.side, p.side, p.side, a, b, c, 0);
        p.a = a, p.b = b, p.expected = c;
        assert_int_equal(rein_team_run(team, 4, multiply, &p), REIN_OK);
        for (int i = 0; i < 4; i++) assert_int_equal(p.n_wrong[i], 0);
        free(a);
        free(b);
        free(c);
    }
    rein_team_free(team);
}

static void test_library(void **state)
{
    (void)state;
    const char *name = rein_gemm_library();
    assert_true(strncmp(name, "libxsmm ", 8) == 0 || strncmp(name, "openblas ", 9) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_shape),     cmocka_unit_test(test_plans),
        cmocka_unit_test(test_no_allocation), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
