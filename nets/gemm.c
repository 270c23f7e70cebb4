#include "nets/gemm.h"

#include <cblas.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

#ifdef REIN_HAVE_LIBXSMM
#include <libxsmm.h>
#endif

/* OpenBLAS would start a team of its own for larger products: our threads are enough. */
static pthread_once_t openblas_once = PTHREAD_ONCE_INIT;

static void openblas_single_threaded(void)
{
    openblas_set_num_threads(1);
}

void rein_gemm_nn(int m, int n, int k, const float *a, const float *b, float *c, int accumulate)
{
    pthread_once(&openblas_once, openblas_single_threaded);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0f, a, k, b, n,
                accumulate ? 1.0f : 0.0f, c, n);
}

void rein_gemm_tn(int m, int n, int k, const float *a, const float *b, float *c, int accumulate)
{
    pthread_once(&openblas_once, openblas_single_threaded);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, k, 1.0f, a, m, b, n,
                accumulate ? 1.0f : 0.0f, c, n);
}

void rein_gemm_nt(int m, int n, int k, const float *a, const float *b, float *c, int accumulate)
{
    pthread_once(&openblas_once, openblas_single_threaded);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0f, a, k, b, k,
                accumulate ? 1.0f : 0.0f, c, n);
}

/* LIBXSMM is column-major: its C^T [n, m] = B^T A^T takes our B first. A transposed first factor
 * of ours is its transposed second, the one form of transpose that it makes code for. */
static rein_gemm_kernel kernel_make(rein_gemm_form form, int rows, int k, int n, int accumulate)
{
#ifdef REIN_HAVE_LIBXSMM
    const float alpha = 1.0f, beta = accumulate ? 1.0f : 0.0f;
    const int prefetch = LIBXSMM_PREFETCH_NONE;
    if (form == REIN_GEMM_ROWS_NN) {
        const int flags = LIBXSMM_GEMM_FLAG_NONE;
        return libxsmm_smmdispatch(n, rows, k, &n, &k, &n, &alpha, &beta, &flags, &prefetch);
    }
    const int flags = LIBXSMM_GEMM_FLAG_TRANS_B;
    return libxsmm_smmdispatch(n, k, rows, &n, &k, &n, &alpha, &beta, &flags, &prefetch);
#else
    (void)form, (void)rows, (void)k, (void)n, (void)accumulate;
    return NULL;
#endif
}

void rein_gemm_prepare(rein_gemm_plan *plan, rein_gemm_form form, int max_rows, int k, int n)
{
    *plan = (rein_gemm_plan){.form = form, .k = k, .n = n};
    for (int i = 0; i < REIN_GEMM_CHUNKS && 1 << i <= max_rows; i++) {
        plan->kernels[0][i] = kernel_make(form, 1 << i, k, n, 0);
        if (form == REIN_GEMM_ROWS_TN) plan->kernels[1][i] = kernel_make(form, 1 << i, k, n, 1);
    }
}

static void run_nn(const rein_gemm_plan *plan, int rows, const float *a, const float *b, float *c)
{
    const int k = plan->k, n = plan->n;
    for (int i = REIN_GEMM_CHUNKS - 1; rows > 0; i--) {
        const int chunk = 1 << i;
        for (; rows >= chunk; rows -= chunk) {
            if (plan->kernels[0][i]) {
                plan->kernels[0][i](b, a, c);
            } else {
                rein_gemm_nn(chunk, n, k, a, b, c, 0);
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

static char library_name[64];
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_find(void)
{
#ifdef REIN_HAVE_LIBXSMM
    if (kernel_make(REIN_GEMM_ROWS_NN, 8, 16, 16, 0)) {
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
