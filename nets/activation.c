#include "nets/activation.h"

#include <math.h>
#include <string.h>

#include "nets/simd.h"
#include "nets/tanh.h"

#define INV_SQRT2    0.70710678118654752f
#define INV_SQRT_2PI 0.39894228040143268f

bool rein_activation_keeps_z(rein_activation activation)
{
    return activation == REIN_SILU || activation == REIN_GELU;
}

/* One function per activation, so that the loop over a row holds one expression and vectorises:
 * expf, erfcf, ... become calls into libmvec. `s` is the pre-activation. Either in place, or with
 * the pre-activation kept. */
#define FORWARD(name, expression)                                                                  \
    static REIN_CLONES void name(int rows, int cols, const float *bias, float *x)                  \
    {                                                                                              \
        for (int i = 0; i < rows; i++, x += cols) {                                                \
            _Pragma("omp simd") for (int j = 0; j < cols; j++)                                     \
            {                                                                                      \
                const float s = x[j] + bias[j];                                                    \
                x[j] = expression;                                                                 \
            }                                                                                      \
        }                                                                                          \
    }
#define FORWARD_KEEPING(name, expression)                                                          \
    static REIN_CLONES void name(int rows, int cols, const float *bias, float *restrict z,         \
                                 float *restrict h)                                                \
    {                                                                                              \
        for (int i = 0; i < rows; i++, z += cols, h += cols) {                                     \
            _Pragma("omp simd") for (int j = 0; j < cols; j++)                                     \
            {                                                                                      \
                const float s = z[j] + bias[j];                                                    \
                z[j] = s;                                                                          \
                h[j] = expression;                                                                 \
            }                                                                                      \
        }                                                                                          \
    }
FORWARD(tanh_forward, rein_tanh(s))
FORWARD(relu_forward, s < 0.0f ? 0.0f : s) /* NaN stays NaN */
FORWARD(elu_forward, s > 0.0f ? s : expm1f(s))
FORWARD(sigmoid_forward, 1.0f / (1.0f + expf(-s)))
FORWARD(linear_forward, s)
FORWARD_KEEPING(silu_forward, s / (1.0f + expf(-s)))
FORWARD_KEEPING(gelu_forward, 0.5f * s * erfcf(-s * INV_SQRT2))

/* Rows shorter than a vector are taken sixteen at a time as one long row, its bias repeated. */
enum { NARROW = 16, TILE = 16 };

static REIN_CLONES void narrow_bias(int rows, int cols, const float *bias, float *x)
{
    float tile[NARROW * TILE];
    const int width = cols * TILE;
    for (int i = 0; i < TILE; i++) memcpy(tile + i * cols, bias, sizeof(float) * (size_t)cols);
    for (; rows >= TILE; rows -= TILE, x += width) {
#pragma omp simd
        for (int j = 0; j < width; j++) x[j] += tile[j];
    }
    for (int j = 0; j < rows * cols; j++) x[j] += tile[j];
}

static REIN_CLONES void narrow_sums(int rows, int cols, const float *x, float *out)
{
    float tile[NARROW * TILE] = {0};
    const int width = cols * TILE;
    for (; rows >= TILE; rows -= TILE, x += width) {
#pragma omp simd
        for (int j = 0; j < width; j++) tile[j] += x[j];
    }
    for (int j = 0; j < rows * cols; j++) tile[j] += x[j];
    for (int j = 0; j < cols; j++) out[j] = 0;
    for (int i = 0; i < TILE; i++) {
        for (int j = 0; j < cols; j++) out[j] += tile[i * cols + j];
    }
}

void rein_activation_forward(rein_activation activation, int rows, int cols, const float *bias,
                             float *z, float *h)
{
    switch (activation) {
    case REIN_TANH:
        tanh_forward(rows, cols, bias, h);
        break;
    case REIN_RELU:
        relu_forward(rows, cols, bias, h);
        break;
    case REIN_ELU:
        elu_forward(rows, cols, bias, h);
        break;
    case REIN_SIGMOID:
        sigmoid_forward(rows, cols, bias, h);
        break;
    case REIN_SILU:
        silu_forward(rows, cols, bias, z, h);
        break;
    case REIN_GELU:
        gelu_forward(rows, cols, bias, z, h);
        break;
    case REIN_LINEAR:
        if (cols < NARROW) {
            narrow_bias(rows, cols, bias, h);
        } else {
            linear_forward(rows, cols, bias, h);
        }
        break;
    }
}

/* dh *= derivative, and the sums of the columns, a block of columns at a time. With as many columns
 * as a constant says, the sums stay in registers. */
enum { BLOCK = 64 };
#define BACKWARD_BLOCK(width, derivative)                                                          \
    for (int i = 0; i < rows; i++) {                                                               \
        const long at = (long)i * cols + first;                                                    \
        _Pragma("omp simd") for (int j = 0; j < (width); j++)                                      \
        {                                                                                          \
            const float d = dh[at + j] * (derivative);                                             \
            dh[at + j] = d;                                                                        \
            sum[j] += d;                                                                           \
        }                                                                                          \
    }
#define BACKWARD(name, derivative)                                                                 \
    static REIN_CLONES void name(int rows, int cols, const float *z, const float *h, float *dh,    \
                                 float *dbias)                                                     \
    {                                                                                              \
        (void)z, (void)h;                                                                          \
        for (int first = 0; first < cols; first += BLOCK) {                                        \
            const int width = cols - first < BLOCK ? cols - first : BLOCK;                         \
            float sum[BLOCK] = {0};                                                                \
            if (width == BLOCK) {                                                                  \
                BACKWARD_BLOCK(BLOCK, derivative)                                                  \
            } else if (width == 16) {                                                              \
                BACKWARD_BLOCK(16, derivative)                                                     \
            } else {                                                                               \
                BACKWARD_BLOCK(width, derivative)                                                  \
            }                                                                                      \
            memcpy(dbias + first, sum, sizeof(float) * (size_t)width);                             \
        }                                                                                          \
    }
#define H         h[at + j]
#define Z         z[at + j]
#define SIGMOID_Z (1.0f / (1.0f + expf(-Z)))
BACKWARD(tanh_backward, 1.0f - H * H)
BACKWARD(relu_backward, H > 0.0f ? 1.0f : 0.0f)
BACKWARD(elu_backward, H > 0.0f ? 1.0f : H + 1.0f) /* e^z = h + 1 below 0 */
BACKWARD(silu_backward, SIGMOID_Z *(1.0f + Z * (1.0f - SIGMOID_Z)))
BACKWARD(gelu_backward, 0.5f * erfcf(-Z * INV_SQRT2) + Z * INV_SQRT_2PI * expf(-0.5f * Z * Z))
BACKWARD(sigmoid_backward, H *(1.0f - H))

void rein_activation_backward(rein_activation activation, int rows, int cols, const float *z,
                              const float *h, float *dh, float *dbias)
{
    switch (activation) {
    case REIN_TANH:
        tanh_backward(rows, cols, z, h, dh, dbias);
        break;
    case REIN_RELU:
        relu_backward(rows, cols, z, h, dh, dbias);
        break;
    case REIN_ELU:
        elu_backward(rows, cols, z, h, dh, dbias);
        break;
    case REIN_SILU:
        silu_backward(rows, cols, z, h, dh, dbias);
        break;
    case REIN_GELU:
        gelu_backward(rows, cols, z, h, dh, dbias);
        break;
    case REIN_SIGMOID:
        sigmoid_backward(rows, cols, z, h, dh, dbias);
        break;
    case REIN_LINEAR:
        rein_column_sums(rows, cols, dh, dbias);
        break;
    }
}

static REIN_CLONES void wide_sums(int rows, int cols, const float *x, float *out)
{
    for (int first = 0; first < cols; first += BLOCK) {
        const int width = cols - first < BLOCK ? cols - first : BLOCK;
        float sum[BLOCK] = {0};
        for (int i = 0; i < rows; i++) {
            const float *row = x + (size_t)i * (size_t)cols + (size_t)first;
#pragma omp simd
            for (int j = 0; j < width; j++) sum[j] += row[j];
        }
        memcpy(out + first, sum, sizeof(float) * (size_t)width);
    }
}

void rein_column_sums(int rows, int cols, const float *x, float *out)
{
    if (cols < NARROW) {
        narrow_sums(rows, cols, x, out);
    } else {
        wide_sums(rows, cols, x, out);
    }
}
