/* Matrix products behind one small header, so that the library is a build choice. All matrices are
 * row-major f32 without padding: a [m, k] matrix has row stride k.
 * Thread-safety: any thread at once; single-threaded inside. Allocates: only rein_gemm_prepare. */
#ifndef REIN_NETS_GEMM_H
#define REIN_NETS_GEMM_H

/* --- any shape, OpenBLAS ---------------------------------------------------------------------- */

/* C [m,n] = A [m,k] B [k,n] (+ C when accumulate). */
void rein_gemm_nn(int m, int n, int k, const float *a, const float *b, float *c, int accumulate);
/* C [m,n] = A^T B with A [k,m], B [k,n] (+ C when accumulate). */
void rein_gemm_tn(int m, int n, int k, const float *a, const float *b, float *c, int accumulate);
/* C [m,n] = A B^T with A [m,k], B [n,k] (+ C when accumulate). */
void rein_gemm_nt(int m, int n, int k, const float *a, const float *b, float *c, int accumulate);

/* --- the products of a layer, for any number of rows of a batch ---------------------------------
 * A plan holds a kernel for each power of two of rows up to REIN_GEMM_ROWS; a batch is cut into
 * such chunks, largest first. So a shape needs a handful of kernels, all made at creation, and the
 * result depends on the shape alone. */
enum { REIN_GEMM_ROWS = 64, REIN_GEMM_CHUNKS = 7 };

typedef enum rein_gemm_form {
    REIN_GEMM_ROWS_NN, /* C [rows,n] = A [rows,k] B [k,n]: outputs, and gradients by inputs */
    REIN_GEMM_ROWS_TN, /* C [k,n] = A^T B with A [rows,k], B [rows,n]: gradients by weights */
} rein_gemm_form;

typedef void (*rein_gemm_kernel)(const float *a, const float *b, float *c, ...);

typedef struct rein_gemm_plan {
    rein_gemm_form form;
    int k, n;
    int k_block; /* ROWS_NN: k is taken in blocks of so many, which stay in the cache */
    rein_gemm_kernel kernels[2][REIN_GEMM_CHUNKS]; /* [accumulate][log2 rows]; NULL: OpenBLAS */
} rein_gemm_plan;

/* Choose the kernels for up to max_rows rows, k, n >= 1. Cost: up to a millisecond for a shape seen
 * for the first time. Allocates: code pages of the process, kept for other plans. */
void rein_gemm_prepare(rein_gemm_plan *plan, rein_gemm_form form, int max_rows, int k, int n);

/* The product for `rows` >= 1 rows (at most max_rows for full speed). */
void rein_gemm_run(const rein_gemm_plan *plan, int rows, const float *a, const float *b, float *c);

/* C [m,n] = A [m,k] B^T with A [m,k], B [n,k] for a handful of columns n, one dot product after the
 * other: where a vector of columns would be mostly empty. */
void rein_gemm_narrow(int m, int n, int k, const float *a, const float *b, float *c);

/* "libxsmm 1.17" or "openblas 0.3.21". */
const char *rein_gemm_library(void);

#endif
