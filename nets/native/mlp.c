/* The native engine: multi-layer perceptrons as matrix products with fused passes between them.
 *
 * forward,  layer l:  z_l = h_(l-1) W_l^T;  h_l = f(z_l + b_l)          h_0 = x, no f on the last
 * backward, layer l:  dz_l = dh_l f'(z_l), db_l = sum over rows of dz_l
 *                     dW_l = dz_l^T h_(l-1);  dh_(l-1) = dz_l W_l
 *
 * `packed` holds W^T, so that no product has a transposed second factor. */
#include "nets/native/mlp.h"

#include <stdlib.h>
#include <string.h>

#include "nets/activation.h"
#include "nets/gemm.h"
#include "nets/simd.h"

struct rein_net_workspace {
    int max_rows;
    const float *x; /* [n, n_in] of the last forward */
    int n;          /* its rows */
    float *z[REIN_MAX_LAYERS]; /* [max_rows, units] pre-activations where the derivative needs them;
                                  otherwise the same array as h */
    float *h[REIN_MAX_LAYERS]; /* [max_rows, units] outputs of the hidden layers */
    float *dh[2];              /* [max_rows, widest layer] gradients, alternating */
    float *packed;             /* [n_packed] for callers without one */
    float *memory;             /* all of the above */
    rein_gemm_plan forward[REIN_MAX_LAYERS];
    rein_gemm_plan weights[REIN_MAX_LAYERS];
    rein_gemm_plan inputs[REIN_MAX_LAYERS];
};

/* out [cols, rows] = in [rows, cols] transposed, in tiles that stay in registers or L1. */
static REIN_CLONES void transpose(int rows, int cols, const float *in, float *out)
{
    enum { TILE = 16 };
    for (int first = 0; first < rows; first += TILE) {
        const int last = first + TILE < rows ? first + TILE : rows;
        for (int j = 0; j < cols; j++) {
            for (int i = first; i < last; i++) {
                out[(size_t)j * (size_t)rows + (size_t)i] =
                    in[(size_t)i * (size_t)cols + (size_t)j];
            }
        }
    }
}

void rein_net_pack(const rein_net *net, const float *params, float *packed)
{
    for (int l = 0; l < net->spec.n_layers; l++) {
        transpose(net->spec.units[l], net->n_in[l], params + net->weight_at[l],
                  packed + net->packed_at[l]);
    }
}

static size_t aligned(size_t n)
{
    return (n + 15) / 16 * 16;
}

static rein_status workspace_memory(const rein_net *net, rein_net_workspace *w)
{
    const rein_net_spec *spec = &net->spec;
    const int hidden = spec->n_layers - 1;
    const bool keeps_z = rein_activation_keeps_z(spec->activation);
    const size_t rows = (size_t)w->max_rows;
    size_t widest = 0, size = aligned(net->n_packed);
    for (int l = 0; l < hidden; l++) {
        const size_t n = aligned(rows * (size_t)spec->units[l]);
        size += keeps_z ? 2 * n : n;
        if (n > widest) widest = n;
    }
    size += 2 * widest;
    w->memory = aligned_alloc(64, sizeof(float) * size);
    if (!w->memory) {
        return rein_fail(REIN_ENOMEM, "no memory for a workspace of %d rows (%zu bytes)",
                         w->max_rows, sizeof(float) * size);
    }
    float *next = w->memory;
    w->packed = next;
    next += aligned(net->n_packed);
    for (int l = 0; l < hidden; l++) {
        const size_t n = aligned(rows * (size_t)spec->units[l]);
        w->h[l] = next;
        next += n;
        w->z[l] = keeps_z ? next : w->h[l];
        if (keeps_z) next += n;
    }
    w->dh[0] = next;
    w->dh[1] = next + widest;
    return REIN_OK;
}

rein_status rein_net_workspace_create(const rein_net *net, int max_rows, rein_net_workspace **out)
{
    *out = NULL;
    if (max_rows < 1) return rein_fail(REIN_EINVAL, "a workspace for %d rows", max_rows);
    rein_net_workspace *w = calloc(1, sizeof *w);
    if (!w) return rein_fail(REIN_ENOMEM, "no memory for a workspace");
    w->max_rows = max_rows;
    rein_status status = workspace_memory(net, w);
    if (status != REIN_OK) {
        free(w);
        return status;
    }
    for (int l = 0; l < net->spec.n_layers; l++) {
        const int n_in = net->n_in[l], n_out = net->spec.units[l];
        rein_gemm_prepare(&w->forward[l], REIN_GEMM_ROWS_NN, max_rows, n_in, n_out);
        rein_gemm_prepare(&w->weights[l], REIN_GEMM_ROWS_TN, max_rows, n_out, n_in);
        rein_gemm_prepare(&w->inputs[l], REIN_GEMM_ROWS_NN, max_rows, n_out, n_in);
    }
    *out = w;
    return REIN_OK;
}

void rein_net_workspace_free(rein_net_workspace *workspace)
{
    if (!workspace) return;
    free(workspace->memory);
    free(workspace);
}

void rein_net_forward(const rein_net *net, const float *params, const float *packed,
                      rein_net_workspace *w, const float *x, int n, float *y)
{
    if (!packed) {
        rein_net_pack(net, params, w->packed);
        packed = w->packed;
    }
    w->x = x;
    w->n = n;
    const int last = net->spec.n_layers - 1;
    const float *h = x;
    for (int l = 0; l < last; l++) {
        rein_gemm_run(&w->forward[l], n, h, packed + net->packed_at[l], w->z[l]);
        rein_activation_forward(net->spec.activation, n, net->spec.units[l],
                                params + net->bias_at[l], w->z[l], w->h[l]);
        h = w->h[l];
    }
    rein_gemm_run(&w->forward[last], n, h, packed + net->packed_at[last], y);
    rein_activation_forward(REIN_LINEAR, n, net->spec.units[last], params + net->bias_at[last], y,
                            y);
}

void rein_net_backward(const rein_net *net, const float *params, const float *packed,
                       rein_net_workspace *w, const float *dy, float *grad, float *dx)
{
    (void)packed; /* the products of backward take W as it is in params */
    const int n = w->n, last = net->spec.n_layers - 1;
    const float *dz = dy;
    rein_column_sums(n, net->spec.units[last], dy, grad + net->bias_at[last]);
    for (int l = last; l >= 0; l--) {
        rein_gemm_run(&w->weights[l], n, dz, l > 0 ? w->h[l - 1] : w->x,
                      grad + net->weight_at[l]);
        float *dh = l > 0 ? w->dh[l & 1] : dx;
        if (!dh) break;
        rein_gemm_run(&w->inputs[l], n, dz, params + net->weight_at[l], dh);
        if (l == 0) break;
        rein_activation_backward(net->spec.activation, n, net->spec.units[l - 1], w->z[l - 1],
                                 w->h[l - 1], dh, grad + net->bias_at[l - 1]);
        dz = dh;
    }
}

void rein_net_products(const rein_net *net, const float *params, const float *packed,
                       rein_net_workspace *w, const float *x, int n, float *y, float *grad)
{
    const int last = net->spec.n_layers - 1;
    const float *h = x;
    for (int l = 0; l <= last; l++) {
        float *z = l < last ? w->h[l] : y;
        rein_gemm_run(&w->forward[l], n, h, packed + net->packed_at[l], z);
        h = z;
    }
    const float *dz = y;
    for (int l = last; l >= 0; l--) {
        rein_gemm_run(&w->weights[l], n, dz, l > 0 ? w->h[l - 1] : x, grad + net->weight_at[l]);
        if (l > 0) {
            rein_gemm_run(&w->inputs[l], n, dz, params + net->weight_at[l], w->dh[l & 1]);
            dz = w->dh[l & 1];
        }
    }
}
