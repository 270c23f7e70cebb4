/* Matrix kernels behind one small header, so that the library is a build choice. All matrices are
 * row-major f32 without padding: a [m, k] matrix has row stride k. Thread-safety: any thread at
 * once; single-threaded inside. Allocates: no (kernels for new shapes are made by
 * rein_gemm_prepare, which networks call at creation). */
#ifndef REIN_NETS_GEMM_H
#define REIN_NETS_GEMM_H

/* C [m,n] = A [m,k] B [k,n] (+ C when accumulate). */
void rein_gemm_nn(int m, int n, int k, const float *a, const float *b, float *c, int accumulate);
/* C [m,n] = A^T B with A [k,m], B [k,n] (+ C when accumulate). */
void rein_gemm_tn(int m, int n, int k, const float *a, const float *b, float *c, int accumulate);
/* C [m,n] = A B^T with A [m,k], B [n,k] (+ C when accumulate). */
void rein_gemm_nt(int m, int n, int k, const float *a, const float *b, float *c, int accumulate);

#endif
