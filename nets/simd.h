/* One binary for every x86-64: a function marked REIN_CLONES is compiled for AVX-512, AVX2 and the
 * base set, and the loader picks. Elsewhere, and under sanitizers (whose run-time is not up yet
 * when the loader picks), it is compiled once. Results may differ in the last bits between the
 * three: the reproducibility contract is per CPU family. */
#ifndef REIN_NETS_SIMD_H
#define REIN_NETS_SIMD_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                            \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define REIN_CLONES                                                                               \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define REIN_CLONES
#endif

#endif
