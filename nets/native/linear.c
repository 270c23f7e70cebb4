/* A linear layer's three products:
 *
 *     z = h W^T        dW = dz^T h        dh = dz W
 *
 * `packed` holds W^T, so that no product has a transposed second factor; large layers are spared
 * the packing. */
#include "nets/native/native.h"
#include "nets/transpose.h"

/* Layers with so few outputs take dot products forward. */
enum { NARROW = 2 };

/* It is when columns of dW (n_in) leave much of their last vector of 16 empty: 17 inputs and 64
 * units take 4 x 17 vectors, not 64 x 2. */
bool native_weights_turned(int n_in, int n_out)
{
    const double direct = (n_in + 15) / 16 * (double)n_out;
    const double turned = (n_out + 15) / 16 * (double)n_in;
    return direct > 1.25 * turned;
}

void native_linear_prepare(const native_stage *s, int max_rows, native_buffers *b)
{
    const int n_in = s->in.size, n_out = s->out.size;
    const bool turned = s->turned;
    if (n_out > NARROW) {
        rein_gemm_prepare(&b->forward, REIN_GEMM_ROWS_NN, max_rows, n_in, n_out);
    }
    rein_gemm_prepare(&b->weights, REIN_GEMM_ROWS_TN, max_rows, turned ? n_in : n_out,
                      turned ? n_out : n_in);
    rein_gemm_prepare(&b->inputs, REIN_GEMM_ROWS_NN, max_rows, n_out, n_in);
}

void native_linear_pack(const native_stage *s, const float *params, float *packed)
{
    if (s->out.size <= NARROW || s->direct) return; /* read from params as it is */
    rein_transpose(s->out.size, s->in.size, params + s->weight_at, packed + s->packed_at);
}

void native_linear_forward_product(const native_stage *s, const native_buffers *b,
                                   const float *params, const float *packed, const float *in, int n,
                                   float *z)
{
    if (s->out.size <= NARROW) {
        rein_gemm_narrow(n, s->out.size, s->in.size, in, params + s->weight_at, z);
    } else if (s->direct) { /* of the same cost: W's numbers as if they were W^T's */
        rein_gemm_run(&b->forward, n, in, params + s->weight_at, z);
    } else {
        rein_gemm_run(&b->forward, n, in, packed + s->packed_at, z);
    }
}

void native_linear_forward(const native_stage *s, const native_buffers *b, const float *params,
                           const float *packed, const float *in, int n, float *turned, float *z)
{
    if (s->direct && n >= NATIVE_MANY_ROWS) {
        rein_transpose(s->out.size, s->in.size, params + s->weight_at, turned);
        rein_gemm_run(&b->forward, n, in, turned, z);
    } else if (s->direct) {
        native_linear_direct_forward(s, params + s->weight_at, in, n, z);
    } else {
        native_linear_forward_product(s, b, params, packed, in, n, z);
    }
}

void native_linear_weights(const native_stage *s, const native_buffers *b, const float *in,
                           const float *dz, int n, float *turned, float *grad)
{
    float *dw = grad + s->weight_at; /* [out, in] */
    if (s->turned) {
        rein_gemm_run(&b->weights, n, in, dz, turned);
        rein_transpose(s->in.size, s->out.size, turned, dw);
    } else {
        rein_gemm_run(&b->weights, n, dz, in, dw);
    }
}

void native_linear_inputs(const native_stage *s, const native_buffers *b, const float *params,
                          const float *dz, int n, float *dx)
{
    rein_gemm_run(&b->inputs, n, dz, params + s->weight_at, dx);
}
