/* Convolutions without padding whose channels fill vectors of AVX-512, from the image itself:
 * nothing is laid out for a matrix product.
 *
 * A vector holds 16 channels of a pixel of z. What is under a kernel row at a pixel is a run of
 * numbers of the image [H, W, C], so that
 *
 *     forward    z[pixel] += W[k] x[k-th number under it]     for all k, a tile of pixels at once
 *     weights    dW[k] += x[k-th number under it] dz[pixel]   for all pixels, a tile of k at once
 *
 * where a vector is loaded once for a tile in registers, and numbers of x are broadcast. */
#include "nets/native/native.h"

typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef int v16i __attribute__((vector_size(64), aligned(4), may_alias));
#define LOAD(p)     (*(const v16 *)(p))
#define STORE(p, v) (*(v16 *)(p) = (v))
#define UNROLL      _Pragma("GCC unroll 16")
enum { LANES = 16, TALL = 2, WIDE = 8, COUNT = 16 };

#if defined(__x86_64__) && defined(__GNUC__)
#define TARGET    __attribute__((target("avx512f")))
#define HAVE_IT() __builtin_cpu_supports("avx512f")
#else
#define TARGET
#define HAVE_IT() 0
#endif
#define INLINE static inline __attribute__((always_inline)) TARGET

bool native_conv_is_direct(const native_stage *s)
{
    return s->layer.kind == REIN_LAYER_CONV && s->layer.pad == 0 && s->cols % LANES == 0 &&
           HAVE_IT();
}

/* In floats. */
typedef struct geometry {
    size_t step_x, step_y; /* from what is under the kernel to the same for the next output */
    size_t row;            /* of the image */
    size_t run, kernel_h;  /* a kernel row's length; how many */
    size_t n_out, z_row;   /* from an output to the next in x, in y */
    size_t height, width;  /* in outputs */
} geometry;

static geometry geometry_of(const native_stage *s)
{
    const size_t c = (size_t)s->in.dims[2], row = (size_t)s->in.dims[1] * c;
    const size_t stride = (size_t)s->layer.stride, n_out = (size_t)s->cols;
    return (geometry){.step_x = stride * c,
                      .step_y = stride * row,
                      .row = row,
                      .run = (size_t)s->layer.kernel_w * c,
                      .kernel_h = (size_t)s->layer.kernel_h,
                      .n_out = n_out,
                      .z_row = (size_t)s->out.dims[1] * n_out,
                      .height = (size_t)s->out.dims[0],
                      .width = (size_t)s->out.dims[1]};
}

/* ---- forward --------------------------------------------------------------------------------- */

/* The number b < 8 steps, in bytes, from p. Of one row's eight addresses only four need a register
 * of their own; a register for each is more than there are. */
INLINE float number_at(const float *p, size_t b, size_t step, size_t step3, size_t step5,
                       size_t step7)
{
    const size_t at[] = {0, step, 2 * step, step3, 4 * step, step5, 2 * step3, step7};
    return *(const float *)((const char *)p + at[b]);
}

/* 16 channels of tall x wide outputs; x at the first one's, w [k, n_out] and bias (or NULL) at the
 * first channel. */
INLINE void forward_tile(size_t tall, size_t wide, const geometry *g, bool relu, const float *x,
                         const float *w, const float *bias, float *z)
{
    const size_t step = g->step_x * sizeof *x, step3 = 3 * step, step5 = 5 * step, step7 = 7 * step;
    v16 sum[TALL][WIDE];
    const v16 start = bias ? LOAD(bias) : (v16){0};
    UNROLL for (size_t a = 0; a < tall; a++)
    {
        UNROLL for (size_t b = 0; b < wide; b++) sum[a][b] = start;
    }
    for (size_t i = 0; i < g->kernel_h; i++, x += g->row) {
        const float *p[TALL] = {x, x + g->step_y};
        for (const float *end = x + g->run; p[0] < end; p[0]++, p[1]++, w += g->n_out) {
            const v16 weight = LOAD(w);
            UNROLL for (size_t a = 0; a < tall; a++)
            {
                UNROLL for (size_t b = 0; b < wide; b++)
                {
                    sum[a][b] += weight * number_at(p[a], b, step, step3, step5, step7);
                }
            }
        }
    }
    UNROLL for (size_t a = 0; a < tall; a++)
    {
        UNROLL for (size_t b = 0; b < wide; b++)
        {
            v16 out = sum[a][b];
            if (relu) out = (v16)((v16i)out & ~(out < 0.0f)); /* NaN stays NaN */
            STORE(z + a * g->z_row + b * g->n_out, out);
        }
    }
}

/* A function for each size of tile, so that the sums are registers. */
#define TALL_OF(X, tall)                                                                           \
    X(tall, 1) X(tall, 2) X(tall, 3) X(tall, 4) X(tall, 5) X(tall, 6) X(tall, 7) X(tall, 8)
#define SIZES(X) TALL_OF(X, 1) TALL_OF(X, 2)
#define FUNCTION(tall, wide)                                                                       \
    static TARGET void forward_##tall##x##wide(const geometry *g, bool relu, const float *x,       \
                                               const float *w, const float *bias, float *z)        \
    {                                                                                              \
        forward_tile(tall, wide, g, relu, x, w, bias, z);                                          \
    }
SIZES(FUNCTION)
#undef FUNCTION
#define ENTRY(tall, wide) [tall - 1][wide - 1] = forward_##tall##x##wide,
static void (*const forward[TALL][WIDE])(const geometry *, bool, const float *, const float *,
                                         const float *, float *) = {SIZES(ENTRY)};
#undef ENTRY

void native_conv_direct_forward(const native_stage *s, const float *packed, const float *bias,
                                bool relu, const float *in, int n, float *z)
{
    const geometry g = geometry_of(s);
    const float *w = packed + s->packed_at; /* [k, out] */
    for (int image = 0; image < n; image++, in += s->in.size, z += s->out.size) {
        for (size_t y = 0; y < g.height; y += TALL) {
            const size_t tall = g.height - y < TALL ? g.height - y : TALL;
            for (size_t x = 0; x < g.width; x += WIDE) {
                const size_t wide = g.width - x < WIDE ? g.width - x : WIDE;
                const float *from = in + y * g.step_y + x * g.step_x;
                float *to = z + y * g.z_row + x * g.n_out;
                for (size_t c = 0; c < g.n_out; c += LANES) {
                    forward[tall - 1][wide - 1](&g, relu, from, w + c, bias ? bias + c : NULL,
                                                to + c);
                }
            }
        }
    }
}

/* ---- weights --------------------------------------------------------------------------------- */

/* dw [count, n_out] += one image's part, for `count` numbers of a kernel row and 16 channels; x, dz
 * and dw at the first of them. */
INLINE void weights_tile(size_t count, const geometry *g, const float *x, const float *dz,
                         float *dw)
{
    v16 sum[COUNT];
    UNROLL for (size_t j = 0; j < count; j++) sum[j] = LOAD(dw + j * g->n_out);
    for (size_t a = 0; a < g->height; a++, x += g->step_y) {
        const float *at = x;
        for (size_t b = 0; b < g->width; b++, at += g->step_x, dz += g->n_out) {
            const v16 d = LOAD(dz);
            UNROLL for (size_t j = 0; j < count; j++) sum[j] += d * at[j];
        }
    }
    UNROLL for (size_t j = 0; j < count; j++) STORE(dw + j * g->n_out, sum[j]);
}

#define COUNTS(X)                                                                                  \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16)
#define FUNCTION(count)                                                                            \
    static TARGET void weights_##count(const geometry *g, const float *x, const float *dz,         \
                                       float *dw)                                                  \
    {                                                                                              \
        weights_tile(count, g, x, dz, dw);                                                         \
    }
COUNTS(FUNCTION)
#undef FUNCTION
#define ENTRY(count) [count - 1] = weights_##count,
static void (*const weights[COUNT])(const geometry *, const float *, const float *,
                                    float *) = {COUNTS(ENTRY)};
#undef ENTRY

void native_conv_direct_weights(const native_stage *s, const float *in, const float *dz, int n,
                                float *dw)
{
    const geometry g = geometry_of(s);
    for (int image = 0; image < n; image++, in += s->in.size, dz += s->out.size) {
        for (size_t i = 0; i < g.kernel_h; i++) {
            for (size_t j = 0; j < g.run; j += COUNT) {
                const size_t count = g.run - j < COUNT ? g.run - j : COUNT;
                for (size_t c = 0; c < g.n_out; c += LANES) {
                    weights[count - 1](&g, in + i * g.row + j, dz + c,
                                       dw + (i * g.run + j) * g.n_out + c);
                }
            }
        }
    }
}
