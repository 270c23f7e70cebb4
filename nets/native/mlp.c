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

struct rein_net_workspace {
    int max_rows;
    const float *x;            /* [n, n_in] of the last forward */
    int n;                     /* its rows */
    float *z[REIN_MAX_LAYERS]; /* [max_rows, units] pre-activations where the derivative needs them;
                                  otherwise the same array as h */
    float *h[REIN_MAX_LAYERS]; /* [max_rows, units] outputs of the hidden layers */
    float *dh[2];              /* [max_rows, widest layer] gradients, alternating */
    float *packed;             /* [n_packed] for callers without one */
    float *turned;             /* [n_in, units] of the largest layer whose dW is made transposed */
    float *memory;             /* all of the above */
    rein_gemm_plan forward[REIN_MAX_LAYERS];
    rein_gemm_plan weights[REIN_MAX_LAYERS];
    rein_gemm_plan inputs[REIN_MAX_LAYERS];
};

/* Layers with so few outputs take dot products forward. */
enum { NARROW = 2 };

/* Is dW^T = h^T dz and a transpose cheaper than dW = dz^T h? It is when columns of dW (n_in) leave
 * much of their last vector of 16 empty: 17 inputs and 64 units take 4 x 17 vectors, not 64 x 2. */
static bool weights_turned(int n_in, int n_out)
{
    const double direct = (n_in + 15) / 16 * (double)n_out;
    const double turned = (n_out + 15) / 16 * (double)n_in;
    return direct > 1.25 * turned;
}

void rein_net_pack(const rein_net *net, const float *params, float *packed)
{
    for (int l = 0; l < net->spec.n_layers; l++) {
        if (net->spec.units[l] <= NARROW) continue; /* read from params as it is */
        rein_transpose(net->spec.units[l], net->n_in[l], params + net->weight_at[l],
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
    size_t widest = 0, turned = 0, size = aligned(net->n_packed);
    for (int l = 0; l < spec->n_layers; l++) {
        const size_t n = aligned((size_t)net->n_in[l] * (size_t)spec->units[l]);
        if (weights_turned(net->n_in[l], spec->units[l]) && n > turned) turned = n;
    }
    for (int l = 0; l < hidden; l++) {
        const size_t n = aligned(rows * (size_t)spec->units[l]);
        size += keeps_z ? 2 * n : n;
        if (n > widest) widest = n;
    }
    size += 2 * widest + turned;
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
    w->turned = next + 2 * widest;
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
        const bool turned = weights_turned(n_in, n_out);
        if (n_out > NARROW) {
            rein_gemm_prepare(&w->forward[l], REIN_GEMM_ROWS_NN, max_rows, n_in, n_out);
        }
        rein_gemm_prepare(&w->weights[l], REIN_GEMM_ROWS_TN, max_rows, turned ? n_in : n_out,
                          turned ? n_out : n_in);
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

/* ---- the three products of a layer ----------------------------------------------------------- */

static void forward_product(const rein_net *net, const float *params, const float *packed,
                            const rein_net_workspace *w, int l, const float *h, float *z)
{
    const int n_out = net->spec.units[l];
    if (n_out > NARROW) {
        rein_gemm_run(&w->forward[l], w->n, h, packed + net->packed_at[l], z);
    } else {
        rein_gemm_narrow(w->n, n_out, net->n_in[l], h, params + net->weight_at[l], z);
    }
}

static void weights_product(const rein_net *net, const rein_net_workspace *w, int l,
                            const float *dz, float *grad)
{
    const int n_in = net->n_in[l], n_out = net->spec.units[l];
    const float *h = l > 0 ? w->h[l - 1] : w->x;
    float *dw = grad + net->weight_at[l]; /* [n_out, n_in] */
    if (weights_turned(n_in, n_out)) {
        rein_gemm_run(&w->weights[l], w->n, h, dz, w->turned);
        rein_transpose(n_in, n_out, w->turned, dw);
    } else {
        rein_gemm_run(&w->weights[l], w->n, dz, h, dw);
    }
}

static void inputs_product(const rein_net *net, const float *params, const rein_net_workspace *w,
                           int l, const float *dz, float *dh)
{
    rein_gemm_run(&w->inputs[l], w->n, dz, params + net->weight_at[l], dh);
}

/* ---- forward and backward -------------------------------------------------------------------- */

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
        forward_product(net, params, packed, w, l, h, w->z[l]);
        rein_activation_forward(net->spec.activation, n, net->spec.units[l],
                                params + net->bias_at[l], w->z[l], w->h[l]);
        h = w->h[l];
    }
    forward_product(net, params, packed, w, last, h, y);
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
    for (int l = last; l > 0; l--) {
        float *dh = w->dh[l & 1];
        weights_product(net, w, l, dz, grad);
        inputs_product(net, params, w, l, dz, dh);
        rein_activation_backward(net->spec.activation, n, net->spec.units[l - 1], w->z[l - 1],
                                 w->h[l - 1], dh, grad + net->bias_at[l - 1]);
        dz = dh;
    }
    weights_product(net, w, 0, dz, grad);
    if (dx) inputs_product(net, params, w, 0, dz, dx);
}

void rein_net_products(const rein_net *net, const float *params, const float *packed,
                       rein_net_workspace *w, const float *x, int n, float *y, float *grad)
{
    w->x = x;
    w->n = n;
    const int last = net->spec.n_layers - 1;
    const float *h = x;
    for (int l = 0; l <= last; l++) {
        float *z = l < last ? w->h[l] : y;
        forward_product(net, params, packed, w, l, h, z);
        h = z;
    }
    const float *dz = y;
    for (int l = last; l > 0; l--) {
        weights_product(net, w, l, dz, grad);
        inputs_product(net, params, w, l, dz, w->dh[l & 1]);
        dz = w->dh[l & 1];
    }
    weights_product(net, w, 0, dz, grad);
}
