#include "nets/transpose.h"

#include <stddef.h>

/* Tiles in registers. Whole cache lines are read and written at once: rows of 4 KB all fall into
 * one set of the first cache, where lines that are half done would be driven out. */

/* Vectors at any address. */
typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));
#define LOAD(type, p)      (*(const type *)(p))
#define STORE(type, p, v)  (*(type *)(p) = (v))
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#define JOIN(low, high)    SHUFFLE(LOAD(v4, low), LOAD(v4, high), 0, 1, 2, 3, 4, 5, 6, 7)

/* Compiled for each by hand: target_clones comes too late for vector types, which are taken apart
 * before. */
#if defined(__x86_64__) && defined(__GNUC__)
#define TARGET_AVX2   __attribute__((target("avx2")))
#define TARGET_AVX512 __attribute__((target("avx512f")))
#define HAVE_AVX2()   __builtin_cpu_supports("avx2")
#define HAVE_AVX512() __builtin_cpu_supports("avx512f")
#else
#define TARGET_AVX2
#define TARGET_AVX512
#define HAVE_AVX2()   0
#define HAVE_AVX512() 0
#endif

/* `in` [rows, cols] is part of a matrix with n columns, `out` of one with m. */
static void transpose_plain(size_t rows, size_t cols, const float *in, size_t n, float *out,
                            size_t m)
{
    for (size_t j = 0; j < cols; j++) {
        for (size_t i = 0; i < rows; i++) out[j * m + i] = in[i * n + j];
    }
}

/* Half a tile: in [8 rows, 4 columns] to out [4, 8]. Rows i and i + 4 share a vector from the
 * start, so that both rounds of shuffles stay within halves. */
static inline TARGET_AVX2 void tile_8x4(const float *in, size_t n, float *out, size_t m)
{
    const v8 r0 = JOIN(in, in + 4 * n), r1 = JOIN(in + n, in + 5 * n);
    const v8 r2 = JOIN(in + 2 * n, in + 6 * n), r3 = JOIN(in + 3 * n, in + 7 * n);
    const v8 low01 = SHUFFLE(r0, r1, 0, 8, 1, 9, 4, 12, 5, 13); /* columns 0, 1 of rows 0, 1 */
    const v8 low23 = SHUFFLE(r2, r3, 0, 8, 1, 9, 4, 12, 5, 13);
    const v8 high01 = SHUFFLE(r0, r1, 2, 10, 3, 11, 6, 14, 7, 15); /* columns 2, 3 */
    const v8 high23 = SHUFFLE(r2, r3, 2, 10, 3, 11, 6, 14, 7, 15);
    STORE(v8, out, SHUFFLE(low01, low23, 0, 1, 8, 9, 4, 5, 12, 13));
    STORE(v8, out + m, SHUFFLE(low01, low23, 2, 3, 10, 11, 6, 7, 14, 15));
    STORE(v8, out + 2 * m, SHUFFLE(high01, high23, 0, 1, 8, 9, 4, 5, 12, 13));
    STORE(v8, out + 3 * m, SHUFFLE(high01, high23, 2, 3, 10, 11, 6, 7, 14, 15));
}

static TARGET_AVX2 void transpose_avx2(size_t rows, size_t cols, const float *in, size_t n,
                                       float *out, size_t m)
{
    const size_t whole_rows = rows - rows % 8, whole_cols = cols - cols % 4;
    for (size_t first = 0; first < whole_cols; first += 16) { /* a line of each row */
        const size_t end = first + 16 < whole_cols ? first + 16 : whole_cols;
        for (size_t i = 0; i < whole_rows; i += 8) {
            for (size_t j = first; j < end; j += 4) {
                tile_8x4(in + i * n + j, n, out + j * m + i, m);
            }
        }
    }
    transpose_plain(whole_rows, cols - whole_cols, in + whole_cols, n, out + whole_cols * m, m);
    transpose_plain(rows - whole_rows, cols, in + whole_rows * n, n, out + whole_rows, m);
}

/* A line each of 16 rows to a line each of 16 columns. Four rounds of shuffles of two vectors each:
 * pairs of numbers, of pairs, of fours and of eights. */
static inline TARGET_AVX512 void tile_16x16(const float *in, size_t n, float *out, size_t m)
{
    v16 r[16], s[16];
    for (size_t i = 0; i < 16; i++) r[i] = LOAD(v16, in + i * n);
    for (size_t i = 0; i < 16; i += 2) {
        s[i] = SHUFFLE(r[i], r[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
        s[i + 1] =
            SHUFFLE(r[i], r[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
    }
    for (size_t i = 0; i < 16; i += 4) { /* r[i + c]: rows i to i + 3 of columns c, 4 + c, ... */
        for (size_t c = 0; c < 4; c += 2) {
            const v16 a = s[i + c / 2], b = s[i + c / 2 + 2];
            r[i + c] = SHUFFLE(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
            r[i + c + 1] =
                SHUFFLE(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
        }
    }
#define EVEN(a, b) SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
#define ODD(a, b)  SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31)
    for (size_t c = 0; c < 4; c++) {
        const v16 low = EVEN(r[c], r[4 + c]), high = EVEN(r[8 + c], r[12 + c]);
        STORE(v16, out + c * m, EVEN(low, high));
        STORE(v16, out + (8 + c) * m, ODD(low, high));
        const v16 low4 = ODD(r[c], r[4 + c]), high4 = ODD(r[8 + c], r[12 + c]);
        STORE(v16, out + (4 + c) * m, EVEN(low4, high4));
        STORE(v16, out + (12 + c) * m, ODD(low4, high4));
    }
#undef EVEN
#undef ODD
}

static TARGET_AVX512 void transpose_avx512(size_t rows, size_t cols, const float *in, size_t n,
                                           float *out, size_t m)
{
    const size_t whole_rows = rows - rows % 16, whole_cols = cols - cols % 16;
    for (size_t j = 0; j < whole_cols; j += 16) {
        for (size_t i = 0; i < whole_rows; i += 16) {
            tile_16x16(in + i * n + j, n, out + j * m + i, m);
        }
    }
    transpose_avx2(whole_rows, cols - whole_cols, in + whole_cols, n, out + whole_cols * m, m);
    transpose_avx2(rows - whole_rows, cols, in + whole_rows * n, n, out + whole_rows, m);
}

void rein_transpose(int rows, int cols, const float *in, float *out)
{
    const size_t m = (size_t)rows, n = (size_t)cols;
    if (HAVE_AVX512()) {
        transpose_avx512(m, n, in, n, out, m);
    } else if (HAVE_AVX2()) {
        transpose_avx2(m, n, in, n, out, m);
    } else {
        transpose_plain(m, n, in, n, out, m);
    }
}
