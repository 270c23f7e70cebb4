#include "nets/gemm.h"

#include <cblas.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "nets/simd.h"

#ifdef REIN_HAVE_LIBXSMM
#include <libxsmm.h>
#endif

/* OpenBLAS would share a larger product among threads, but inside a team: the same bytes for any
 * number of threads come from one. Its OpenMP build asks OpenMP how many, its other one itself. */
static pthread_once_t openblas_once = PTHREAD_ONCE_INIT;

static void openblas_single_threaded(void)
{
    openblas_set_num_threads(1);
}

static void gemm(CBLAS_TRANSPOSE turn_a, CBLAS_TRANSPOSE turn_b, int m, int n, int k,
                 const float *a, int lda, const float *b, int ldb, float *c, int accumulate)
{
#ifdef _OPENMP
    const int before = omp_get_max_threads();
    omp_set_num_threads(1);
#endif
    pthread_once(&openblas_once, openblas_single_threaded);
    cblas_sgemm(CblasRowMajor, turn_a, turn_b, m, n, k, 1.0f, a, lda, b, ldb,
                accumulate ? 1.0f : 0.0f, c, n);
#ifdef _OPENMP
    omp_set_num_threads(before);
#endif
}

void rein_gemm_nn(int m, int n, int k, const float *a, const float *b, float *c, int accumulate)
{
    gemm(CblasNoTrans, CblasNoTrans, m, n, k, a, k, b, n, c, accumulate);
}

void rein_gemm_tn(int m, int n, int k, const float *a, const float *b, float *c, int accumulate)
{
    gemm(CblasTrans, CblasNoTrans, m, n, k, a, m, b, n, c, accumulate);
}

void rein_gemm_nt(int m, int n, int k, const float *a, const float *b, float *c, int accumulate)
{
    gemm(CblasNoTrans, CblasTrans, m, n, k, a, k, b, k, c, accumulate);
}

/* LIBXSMM is column-major: its C^T [n, m] = B^T A^T takes our B first. A transposed first factor
 * of ours is its transposed second, the one form of transpose that it makes code for. */
static rein_gemm_kernel kernel_make(rein_gemm_form form, int rows, int k, int k_block, int n,
                                    int accumulate)
{
#ifdef REIN_HAVE_LIBXSMM
    const float alpha = 1.0f, beta = accumulate ? 1.0f : 0.0f;
    const int prefetch = LIBXSMM_PREFETCH_NONE;
    if (form == REIN_GEMM_ROWS_NN) {
        const int flags = LIBXSMM_GEMM_FLAG_NONE;
        return libxsmm_smmdispatch(n, rows, k_block, &n, &k, &n, &alpha, &beta, &flags, &prefetch);
    }
    const int flags = LIBXSMM_GEMM_FLAG_TRANS_B;
    return libxsmm_smmdispatch(n, k, rows, &n, &k, &n, &alpha, &beta, &flags, &prefetch);
#else
    (void)form, (void)rows, (void)k, (void)k_block, (void)n, (void)accumulate;
    return NULL;
#endif
}

/* For k above 512, B [k, n] in blocks of at most 256 rows: 64 x 1024 x 1024 runs at 150 GFLOP/s
 * instead of 87 (OpenBLAS: 119). The largest even cut, or none. */
static int k_block_choose(int k)
{
    if (k <= 512) return k;
    for (int block = 256; block >= 64; block--) {
        if (k % block == 0) return block;
    }
    return k;
}

void rein_gemm_prepare(rein_gemm_plan *plan, rein_gemm_form form, int max_rows, int k, int n)
{
    const int k_block = form == REIN_GEMM_ROWS_NN ? k_block_choose(k) : k;
    *plan = (rein_gemm_plan){.form = form, .k = k, .n = n, .k_block = k_block};
    const int accumulates = form == REIN_GEMM_ROWS_TN || k_block < k;
    for (int i = 0; i < REIN_GEMM_CHUNKS && 1 << i <= max_rows; i++) {
        for (int add = 0; add <= accumulates; add++) {
            plan->kernels[add][i] = kernel_make(form, 1 << i, k, k_block, n, add);
        }
    }
}

static void run_nn(const rein_gemm_plan *plan, int rows, const float *a, const float *b, float *c)
{
    const int k = plan->k, n = plan->n;
    for (int i = REIN_GEMM_CHUNKS - 1; rows > 0; i--) {
        const int chunk = 1 << i;
        for (; rows >= chunk; rows -= chunk) {
            if (!plan->kernels[0][i]) {
                rein_gemm_nn(chunk, n, k, a, b, c, 0);
            } else {
                for (int at = 0; at < k; at += plan->k_block) {
                    plan->kernels[at > 0][i](b + (size_t)at * (size_t)n, a + at, c);
                }
            }
            a += (size_t)chunk * (size_t)k;
            c += (size_t)chunk * (size_t)n;
        }
    }
}

static void run_tn(const rein_gemm_plan *plan, int rows, const float *a, const float *b, float *c)
{
    const int k = plan->k, n = plan->n;
    int accumulate = 0;
    for (int i = REIN_GEMM_CHUNKS - 1; rows > 0; i--) {
        const int chunk = 1 << i;
        for (; rows >= chunk; rows -= chunk) {
            if (plan->kernels[accumulate][i]) {
                plan->kernels[accumulate][i](b, a, c);
            } else {
                rein_gemm_tn(k, n, chunk, a, b, c, accumulate);
            }
            a += (size_t)chunk * (size_t)k;
            b += (size_t)chunk * (size_t)n;
            accumulate = 1;
        }
    }
}

void rein_gemm_run(const rein_gemm_plan *plan, int rows, const float *a, const float *b, float *c)
{
    if (plan->form == REIN_GEMM_ROWS_NN) {
        run_nn(plan, rows, a, b, c);
    } else {
        run_tn(plan, rows, a, b, c);
    }
}

REIN_CLONES void rein_gemm_narrow(int m, int n, int k, const float *a, const float *b, float *c)
{
    for (int i = 0; i < m; i++, a += k) {
        for (int j = 0; j < n; j++) {
            const float *row = b + (size_t)j * (size_t)k;
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int p = 0; p < k; p++) sum += a[p] * row[p];
            *c++ = sum;
        }
    }
}

static char library_name[64];
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_find(void)
{
#ifdef REIN_HAVE_LIBXSMM
    /* What LIBXSMM needs to make code; asking itself would start it up, some milliseconds. */
    if (__builtin_cpu_supports("avx")) {
        snprintf(library_name, sizeof library_name, "libxsmm %d.%d", LIBXSMM_VERSION_MAJOR,
                 LIBXSMM_VERSION_MINOR);
        return;
    }
#endif
    /* openblas_get_config: "OpenBLAS 0.3.21 DYNAMIC_ARCH ..." */
    char version[16] = "";
    if (sscanf(openblas_get_config(), "OpenBLAS %15s", version) != 1) version[0] = '\0';
    snprintf(library_name, sizeof library_name, "openblas %s", version);
}

const char *rein_gemm_library(void)
{
    pthread_once(&library_once, library_find);
    return library_name;
}
