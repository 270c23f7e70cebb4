/* A convolution of small images [H, W, C] as matrix products. The numbers under the kernel at each
 * pixel are laid out as a row of `cols` [pixels, k], k in the order kh, kw, C: for each kernel row
 * they are one run of the image. Then
 *
 *     z = cols W^T        dW = dz^T cols        dcols = dz W,  dx = dcols added up where it came
 * from
 *
 * with pixels of all images of the batch as rows; W [out, C, kh, kw] is brought to that order in
 * `packed`, and dW back from it. */
#include <string.h>

#include "nets/activation.h"
#include "nets/native/native.h"
#include "nets/simd.h"
#include "nets/transpose.h"

void native_conv_prepare(const native_stage *s, int max_rows, native_buffers *b)
{
    const int images = max_rows < REIN_GEMM_ROWS ? max_rows : REIN_GEMM_ROWS; /* no more counts */
    const int rows = images * s->rows, n_out = s->cols;
    const bool turned = s->turned;
    rein_gemm_prepare(&b->forward, REIN_GEMM_ROWS_NN, rows, s->k, n_out);
    rein_gemm_prepare(&b->weights, REIN_GEMM_ROWS_TN, rows, turned ? s->k : n_out,
                      turned ? n_out : s->k);
    rein_gemm_prepare(&b->inputs, REIN_GEMM_ROWS_NN, rows, n_out, s->k);
}

void native_conv_pack(const native_stage *s, const float *params, float *packed)
{
    const int c = s->in.dims[2], area = s->layer.kernel_h * s->layer.kernel_w;
    const float *w = params + s->weight_at; /* [out, C, area] */
    float *back = packed + s->packed_back;  /* [out, area, C] */
    for (int o = 0; o < s->cols; o++) {
        const size_t at = (size_t)o * (size_t)s->k;
        for (int i = 0; i < area; i++) {
            for (int j = 0; j < c; j++)
                back[at + (size_t)(i * c + j)] = w[at + (size_t)(j * area + i)];
        }
    }
    rein_transpose(s->cols, s->k, back, packed + s->packed_at);
}

/* ---- from image to rows and back ------------------------------------------------------------- */

/* Copy a run of n floats. Where `room` floats may be read and written from here on, in whole
 * vectors: what is written too much is written again by the next run. */
static inline void copy_run(const float *in, size_t n, size_t room, float *out)
{
    enum { VECTOR = 16 };
    if ((n + VECTOR - 1) / VECTOR * VECTOR > room) {
        memcpy(out, in, n * sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i += VECTOR) memcpy(out + i, in + i, VECTOR * sizeof *out);
}

/* Without padding. out has 16 floats behind its end. */
static REIN_CLONES void unfold_inside(const native_stage *s, const float *in, int n, float *out)
{
    const size_t c = (size_t)s->in.dims[2], row = (size_t)s->in.dims[1] * c;
    const size_t size = (size_t)s->in.size, kh = (size_t)s->layer.kernel_h;
    const size_t run = (size_t)s->layer.kernel_w * c, stride = (size_t)s->layer.stride;
    const size_t height = (size_t)s->out.dims[0], width = (size_t)s->out.dims[1];
    const float *end = in + (size_t)n * size;
    for (int b = 0; b < n; b++, in += size) {
        for (size_t y = 0; y < height; y++) {
            for (size_t x = 0; x < width; x++) {
                const float *from = in + y * stride * row + x * stride * c;
                for (size_t i = 0; i < kh; i++, from += row, out += run) {
                    copy_run(from, run, (size_t)(end - from), out);
                }
            }
        }
    }
}

/* The columns of the image under kernel columns [0, kw) at x: the first inside it and how many. */
static int inside(int x, int kw, int width, int *first)
{
    const int low = x < 0 ? -x : 0, high = x + kw > width ? width - x : kw;
    *first = low;
    return high > low ? high - low : 0;
}

static void unfold_padded(const native_stage *s, const float *in, int n, float *out)
{
    const rein_layer *l = &s->layer;
    const int height = s->in.dims[0], width = s->in.dims[1], c = s->in.dims[2];
    for (int b = 0; b < n; b++, in += s->in.size) {
        for (int p = 0; p < s->rows; p++) {
            const int y = p / s->out.dims[1] * l->stride - l->pad;
            const int x = p % s->out.dims[1] * l->stride - l->pad;
            int first;
            const int count = inside(x, l->kernel_w, width, &first);
            for (int i = 0; i < l->kernel_h; i++, out += l->kernel_w * c) {
                memset(out, 0, sizeof(float) * (size_t)(l->kernel_w * c));
                if (y + i < 0 || y + i >= height || count == 0) continue;
                memcpy(out + first * c, in + ((y + i) * width + x + first) * c,
                       sizeof(float) * (size_t)(count * c));
            }
        }
    }
}

/* b->side = what is under the kernel at each pixel. */
static void unfold(const native_stage *s, const native_buffers *b, const float *in, int n)
{
    if (s->layer.pad == 0) {
        unfold_inside(s, in, n, b->side);
    } else {
        unfold_padded(s, in, n, b->side);
    }
}

REIN_CLONES void native_conv_fold(const native_stage *s, const float *dcols, int n, float *dx)
{
    const rein_layer *l = &s->layer;
    const int height = s->in.dims[0], width = s->in.dims[1], c = s->in.dims[2];
    memset(dx, 0, sizeof(float) * (size_t)n * (size_t)s->in.size);
    for (int b = 0; b < n; b++, dx += s->in.size) {
        for (int p = 0; p < s->rows; p++) {
            const int y = p / s->out.dims[1] * l->stride - l->pad;
            const int x = p % s->out.dims[1] * l->stride - l->pad;
            int first;
            const int count = inside(x, l->kernel_w, width, &first) * c;
            for (int i = 0; i < l->kernel_h; i++, dcols += l->kernel_w * c) {
                if (y + i < 0 || y + i >= height || count == 0) continue;
                float *to = dx + ((y + i) * width + x + first) * c;
                const float *from = dcols + first * c;
#pragma omp simd
                for (int j = 0; j < count; j++) to[j] += from[j];
            }
        }
    }
}

/* ---- products -------------------------------------------------------------------------------- */

void native_conv_forward_product(const native_stage *s, const native_buffers *b,
                                 const float *packed, int n, float *z)
{
    const int at_once = s->direct ? 1 : n; /* side holds so many images */
    for (int i = 0; i < n; i += at_once, z += s->out.size) {
        rein_gemm_run(&b->forward, at_once * s->rows, b->side, packed + s->packed_at, z);
    }
}

void native_conv_weights_product(const native_stage *s, const native_buffers *b, const float *dz,
                                 int n, float *turned)
{
    const bool is_turned = s->turned;
    const int at_once = s->direct ? 1 : n;
    for (int i = 0; i < n; i += at_once, dz += s->out.size) {
        rein_gemm_run(&b->weights, at_once * s->rows, is_turned ? b->side : dz,
                      is_turned ? dz : b->side, turned);
    }
}

void native_conv_forward(const native_stage *s, const native_buffers *b, const float *params,
                         const float *packed, const float *in, int n, float *z, bool *done)
{
    const bool relu = s->activation == REIN_RELU;
    *done = s->direct && (s->activation == REIN_LINEAR || relu);
    const float *bias = *done ? params + s->bias_at : NULL;
    if (!s->direct) {
        unfold(s, b, in, n);
        native_conv_forward_product(s, b, packed, n, z);
    } else if (!s->flat) {
        native_conv_direct_forward(s, packed, bias, relu, in, n, z);
    } else {
        for (int i = 0; i < n; i++, in += s->in.size, z += s->out.size) {
            native_conv_direct_forward(s, packed, bias, relu, in, 1, b->side);
            rein_transpose(s->rows, s->cols, b->side, z);
        }
    }
}

/* grad's dW [out, C, area] from dw, [k, out] if turned, otherwise [out, k]. */
static void weights_in_order(const native_stage *s, bool is_turned, const float *dw, float *grad)
{
    const int c = s->in.dims[2], area = s->layer.kernel_h * s->layer.kernel_w;
    const size_t along_k = is_turned ? (size_t)s->cols : 1,
                 along_out = is_turned ? 1 : (size_t)s->k;
    float *to = grad + s->weight_at;
    for (int o = 0; o < s->cols; o++) {
        const float *from = dw + (size_t)o * along_out;
        for (int j = 0; j < c; j++) {
            for (int i = 0; i < area; i++) *to++ = from[(size_t)(i * c + j) * along_k];
        }
    }
}

static REIN_CLONES void relu_backward(int n, const float *h, float *d)
{
#pragma omp simd
    for (int i = 0; i < n; i++) d[i] *= h[i] > 0.0f ? 1.0f : 0.0f;
}

/* out [cols] += the sums of x's columns, a vector of them at a time. */
static REIN_CLONES void add_columns(int rows, int cols, const float *x, float *out)
{
    enum { VECTOR = 16 };
    for (int c = 0; c < cols; c += VECTOR) { /* direct: whole vectors */
        float sum[VECTOR];
        memcpy(sum, out + c, sizeof sum);
        for (int i = 0; i < rows; i++) {
#pragma omp simd
            for (int j = 0; j < VECTOR; j++) sum[j] += x[i * cols + c + j];
        }
        memcpy(out + c, sum, sizeof sum);
    }
}

/* One image after the other, while it is in the cache. */
static void flat_backward(const native_stage *s, const native_buffers *b, const float *in, float *d,
                          int n, bool dz_wanted, float *turned, float *grad)
{
    const int size = s->out.size;
    const float *h = b->h;
    memset(grad + s->bias_at, 0, sizeof *grad * (size_t)s->cols);
    memset(turned, 0, sizeof *turned * (size_t)s->k * (size_t)s->cols);
    for (int i = 0; i < n; i++, in += s->in.size, d += size, h += size) {
        if (s->activation == REIN_RELU) relu_backward(size, h, d);
        rein_transpose(s->cols, s->rows, d, b->side);
        add_columns(s->rows, s->cols, b->side, grad + s->bias_at);
        native_conv_direct_weights(s, in, b->side, 1, turned);
        if (dz_wanted) memcpy(d, b->side, sizeof *d * (size_t)size);
    }
    weights_in_order(s, true, turned, grad);
}

void native_conv_backward(const native_stage *s, const native_buffers *b, const float *in, float *d,
                          int n, bool dz_wanted, float *turned, float *grad)
{
    if (s->flat) {
        flat_backward(s, b, in, d, n, dz_wanted, turned, grad);
        return;
    }
    rein_activation_backward(s->activation, n * s->rows, s->cols, b->z, b->h, d, grad + s->bias_at);
    if (s->direct) {
        memset(turned, 0, sizeof *turned * (size_t)s->k * (size_t)s->cols);
        native_conv_direct_weights(s, in, d, n, turned);
    } else {
        native_conv_weights_product(s, b, d, n, turned);
    }
    weights_in_order(s, s->direct || s->turned, turned, grad);
}

void native_conv_inputs(const native_stage *s, const native_buffers *b, const float *packed,
                        const float *dz, int n, float *dcols)
{
    rein_gemm_run(&b->inputs, n * s->rows, dz, packed + s->packed_back, dcols);
}
