/* One binary for every x86-64: a function marked REIN_CLONES is compiled for AVX-512, AVX2 and the
 * base set, and the loader picks. Elsewhere, and under sanitizers (whose run-time is not up yet
 * when the loader picks), it is compiled once. Results may differ in the last bits between the
 * three: the reproducibility contract is per CPU family. */
#ifndef REIN_NETS_SIMD_H
#define REIN_NETS_SIMD_H

#include <math.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define REIN_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define REIN_CLONES
#endif

/* Loops marked `omp simd` may call glibc's vector versions of these (libmvec, within 4 units in
 * the last place). math.h itself only says so under -ffast-math, which we do not want. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#if __GLIBC_PREREQ(2, 35)
#define REIN_HAVE_LIBMVEC 1
#pragma omp declare simd notinbranch
float expf(float x);
#pragma omp declare simd notinbranch
float expm1f(float x);
#pragma omp declare simd notinbranch
float logf(float x);
#pragma omp declare simd notinbranch
float erfcf(float x);
#endif
#endif

#endif
