/* z = h W^T of large layers from W as it stands in the parameters: nothing is packed after each
 * update, which for a few rows would cost a third of the product.
 *
 * Dot products, vectors of AVX-512 along the inputs: a tile of rows and outputs keeps its sums in
 * registers, and at the end sixteen vectors at a time are added up to one. */
#include <string.h>

#include "nets/native/native.h"

typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));
#define LOAD(p)            (*(const v16 *)(p))
#define STORE(p, v)        (*(v16 *)(p) = (v))
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#define UNROLL             _Pragma("GCC unroll 32")
enum { LANES = 16, ROWS = 4, OUTPUTS = 6, SUMS = 32, FEWEST_INPUTS = 512 };

#if defined(__x86_64__) && defined(__GNUC__)
#define TARGET    __attribute__((target("avx512f")))
#define HAVE_IT() __builtin_cpu_supports("avx512f")
#else
#define TARGET
#define HAVE_IT() 0
#endif
#define INLINE static inline __attribute__((always_inline)) TARGET

bool native_linear_is_direct(const native_stage *s)
{
    return s->out.size > 2 && s->in.size >= FEWEST_INPUTS && s->in.size % LANES == 0 && HAVE_IT();
}

/* Half as many vectors, in fours of lanes: a's sums, then b's. */
INLINE v16 join1(v16 a, v16 b)
{
    return SHUFFLE(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29) +
           SHUFFLE(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
}
INLINE v16 join2(v16 a, v16 b)
{
    return SHUFFLE(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
           SHUFFLE(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
}
INLINE v16 join4(v16 a, v16 b)
{
    return SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
           SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

/* Number i is the sum of vector i. */
INLINE v16 sums_of(v16 *x)
{
    UNROLL for (int i = 0; i < 8; i++) x[i] = join1(x[2 * i], x[2 * i + 1]);
    UNROLL for (int i = 0; i < 4; i++) x[i] = join2(x[2 * i], x[2 * i + 1]);
    return join4(join4(x[0], x[1]), join4(x[2], x[3]));
}

/* z [rows, outputs of ldz] = h [rows, k] w [outputs, k]^T; ahead [k]: what is asked for meanwhile.
 */
INLINE void tile(size_t rows, size_t outputs, size_t k, const float *h, const float *w,
                 const float *ahead, float *z, size_t ldz)
{
    float out[SUMS];
    v16 sum[SUMS], x[ROWS];
    UNROLL for (size_t i = 0; i < SUMS; i++) sum[i] = (v16){0};
    for (size_t p = 0; p < k; p += LANES) {
        __builtin_prefetch(ahead + p);
        UNROLL for (size_t r = 0; r < rows; r++) x[r] = LOAD(h + r * k + p);
        UNROLL for (size_t o = 0; o < outputs; o++)
        {
            const v16 y = LOAD(w + o * k + p);
            UNROLL for (size_t r = 0; r < rows; r++) sum[r * outputs + o] += x[r] * y;
        }
    }
    STORE(out, sums_of(sum));
    if (rows * outputs > LANES) STORE(out + LANES, sums_of(sum + LANES));
    UNROLL for (size_t r = 0; r < rows; r++)
    {
        memcpy(z + r * ldz, out + r * outputs, outputs * sizeof *z);
    }
}

/* A function for each size of tile, so that the sums are registers. */
#define OF_ROWS(X, rows) X(rows, 1) X(rows, 2) X(rows, 3) X(rows, 4) X(rows, 5) X(rows, 6)
#define SIZES(X)         OF_ROWS(X, 1) OF_ROWS(X, 2) OF_ROWS(X, 3) OF_ROWS(X, 4)
#define FUNCTION(rows, outputs)                                                                    \
    static TARGET void tile_##rows##x##outputs(size_t k, const float *h, const float *w,           \
                                               const float *ahead, float *z, size_t ldz)           \
    {                                                                                              \
        tile(rows, outputs, k, h, w, ahead, z, ldz);                                               \
    }
SIZES(FUNCTION)
#undef FUNCTION
#define ENTRY(rows, outputs) [rows - 1][outputs - 1] = tile_##rows##x##outputs,
static void (*const tiles[ROWS][OUTPUTS])(size_t, const float *, const float *, const float *,
                                          float *, size_t) = {SIZES(ENTRY)};
#undef ENTRY

void native_linear_direct_forward(const native_stage *s, const float *w, const float *h, int n,
                                  float *z)
{
    const size_t rows = (size_t)n, k = (size_t)s->in.size, n_out = (size_t)s->out.size;
    for (size_t o = 0; o < n_out; o += OUTPUTS) { /* these rows of W stay in the first cache */
        const size_t outputs = n_out - o < OUTPUTS ? n_out - o : OUTPUTS;
        for (size_t r = 0; r < rows; r += ROWS) {
            const size_t high = rows - r < ROWS ? rows - r : ROWS;
            /* each tile fetches one of the next rows of W, which often come from far */
            const size_t next = o + OUTPUTS + r / ROWS % OUTPUTS;
            const float *ahead = w + (next < n_out ? next : o) * k;
            tiles[high - 1][outputs - 1](k, h + r * k, w + o * k, ahead, z + r * n_out + o, n_out);
        }
    }
}
