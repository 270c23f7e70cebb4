/* A table of numbers for each value of an input: y = W[x]. Of an image [H, W, C] the numbers of a
 * channel lie beside one another: [H, W, C units]. */
#include <math.h>
#include <string.h>

#include "nets/native/native.h"

/* What is no value counts as the nearest one. */
static size_t row_of(const native_stage *s, float x, float scale)
{
    const float value = rintf(x * scale), last = (float)(s->layer.values - 1);
    return value > 0 ? (size_t)(value < last ? value : last) : 0;
}

void native_embedding_forward(const native_stage *s, const float *params, float scale,
                              const float *in, int n, float *out)
{
    const size_t d = (size_t)s->layer.units, count = (size_t)n * (size_t)s->in.size;
    const float *w = params + s->weight_at;
    for (size_t i = 0; i < count; i++, out += d) {
        memcpy(out, w + row_of(s, in[i], scale) * d, d * sizeof *out);
    }
}

void native_embedding_backward(const native_stage *s, float scale, const float *in, const float *dy,
                               int n, float *grad)
{
    const size_t d = (size_t)s->layer.units, count = (size_t)n * (size_t)s->in.size;
    float *dw = grad + s->weight_at;
    memset(dw, 0, sizeof(float) * (size_t)s->layer.values * d);
    for (size_t i = 0; i < count; i++, dy += d) {
        float *row = dw + row_of(s, in[i], scale) * d;
        for (size_t j = 0; j < d; j++) row[j] += dy[j];
    }
}
