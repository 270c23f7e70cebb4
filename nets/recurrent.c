#include "nets/recurrent.h"

#include <stdlib.h>
#include <string.h>

#include "nets/layers.h"

struct rein_recurrent {
    rein_net *encoder; /* the layers before the cell; NULL: none */
    rein_cell *cell;
    rein_net *head;        /* the last layer */
    int n_encoded, n_cell; /* inputs and units of the cell */
    size_t cell_at, head_at, n_params, packed_cell_at, packed_head_at, n_packed;
};

struct rein_recurrent_workspace {
    rein_net_workspace *encoder, *head;
    rein_cell_workspace *cell;
    float *e, *de; /* [T rows, n_encoded] */
    float *h, *dh; /* [T rows, n_cell] */
    float *memory;
};

static size_t aligned(size_t n)
{
    return (n + 15) / 16 * 16;
}

bool rein_recurrent_is(const rein_net_spec *spec)
{
    const int n = spec->n_layers;
    if (n < 2 || n > REIN_MAX_LAYERS) return false;
    const rein_layer_kind kind = spec->layers[n - 2].kind;
    return (kind == REIN_LAYER_LSTM || kind == REIN_LAYER_GRU) &&
           spec->layers[n - 1].kind == REIN_LAYER_LINEAR;
}

static rein_status create_parts(const rein_net_spec *spec, rein_recurrent *net)
{
    rein_layout layout;
    REIN_TRY(rein_net_layout(spec, &layout));
    if (!rein_recurrent_is(spec)) {
        return rein_fail(REIN_EINVAL, "a network with memory ends with lstm or gru, then linear");
    }
    const int at = spec->n_layers - 2;
    const rein_layer *cell = &spec->layers[at];
    net->n_encoded = layout.layers[at].in.size;
    net->n_cell = cell->units;
    if (at > 0) {
        rein_net_spec encoder = *spec;
        encoder.n_layers = at;
        REIN_TRY(rein_net_create(&encoder, &net->encoder));
    }
    const rein_cell_spec cell_spec = {
        .kind = cell->kind == REIN_LAYER_LSTM ? REIN_LSTM : REIN_GRU,
        .n_in = net->n_encoded,
        .n_hidden = net->n_cell,
        .engine = spec->engine,
        .device = spec->device,
    };
    REIN_TRY(rein_cell_create(&cell_spec, &net->cell));
    rein_net_spec head = rein_net_spec_mlp(net->n_cell, NULL, 0, REIN_LINEAR, layout.n_out);
    head.engine = spec->engine;
    head.device = spec->device;
    REIN_TRY(rein_net_create(&head, &net->head));
    net->cell_at = layout.layers[at].weight_at;
    net->head_at = layout.layers[at + 1].weight_at;
    net->n_params = layout.n_params;
    net->packed_cell_at = net->encoder ? aligned(rein_net_n_packed(net->encoder)) : 0;
    net->packed_head_at = net->packed_cell_at + aligned(rein_cell_n_packed(net->cell));
    net->n_packed = net->packed_head_at + rein_net_n_packed(net->head);
    return REIN_OK;
}

rein_status rein_recurrent_create(const rein_net_spec *spec, rein_recurrent **out)
{
    *out = NULL;
    rein_recurrent *net = calloc(1, sizeof *net);
    if (!net) return rein_fail(REIN_ENOMEM, "no memory for a network");
    rein_status status = create_parts(spec, net);
    if (status != REIN_OK) {
        rein_recurrent_free(net);
        return status;
    }
    *out = net;
    return REIN_OK;
}

void rein_recurrent_free(rein_recurrent *net)
{
    if (!net) return;
    rein_net_free(net->encoder);
    rein_cell_free(net->cell);
    rein_net_free(net->head);
    free(net);
}

size_t rein_recurrent_n_params(const rein_recurrent *net)
{
    return net->n_params;
}

size_t rein_recurrent_n_packed(const rein_recurrent *net)
{
    return net->n_packed;
}

int rein_recurrent_n_state(const rein_recurrent *net)
{
    return rein_cell_n_state(net->cell);
}

rein_status rein_recurrent_init(const rein_recurrent *net, rein_init init, double gain_hidden,
                                double gain_out, int horizon, rein_rng *rng, float *params)
{
    if (net->encoder) {
        REIN_TRY(rein_net_init(net->encoder, init, gain_hidden, gain_hidden, rng, params));
    }
    REIN_TRY(rein_cell_init(net->cell, horizon, rng, params + net->cell_at));
    return rein_net_init(net->head, init, gain_out, gain_out, rng, params + net->head_at);
}

void rein_recurrent_pack(const rein_recurrent *net, const float *params, float *packed)
{
    if (net->encoder) rein_net_pack(net->encoder, params, packed);
    rein_cell_pack(net->cell, params + net->cell_at, packed + net->packed_cell_at);
    rein_net_pack(net->head, params + net->head_at, packed + net->packed_head_at);
}

/* ---- workspace ------------------------------------------------------------------------------- */

static rein_status workspace_init(const rein_recurrent *net, int max_steps, int max_rows,
                                  rein_recurrent_workspace *w)
{
    REIN_TRY(rein_cell_workspace_create(net->cell, max_steps, max_rows, &w->cell));
    if ((double)max_steps * max_rows > 0x1p30) {
        return rein_fail(REIN_EINVAL, "a workspace for %d steps of %d rows", max_steps, max_rows);
    }
    const int rows = max_steps * max_rows;
    REIN_TRY(rein_net_workspace_create(net->head, rows, &w->head));
    if (net->encoder) REIN_TRY(rein_net_workspace_create(net->encoder, rows, &w->encoder));
    const size_t n = net->encoder ? aligned((size_t)rows * (size_t)net->n_encoded) : 0;
    const size_t h = aligned((size_t)rows * (size_t)net->n_cell);
    const size_t size = 2 * n + 2 * h;
    w->memory = aligned_alloc(64, size * sizeof(float));
    if (!w->memory) {
        return rein_fail(REIN_ENOMEM, "no memory for sequences of %d steps and %d rows", max_steps,
                         max_rows);
    }
    w->h = w->memory;
    w->dh = w->h + h;
    w->e = w->dh + h;
    w->de = w->e + n;
    return REIN_OK;
}

rein_status rein_recurrent_workspace_create(const rein_recurrent *net, int max_steps, int max_rows,
                                            rein_recurrent_workspace **out)
{
    *out = NULL;
    rein_recurrent_workspace *w = calloc(1, sizeof *w);
    if (!w) return rein_fail(REIN_ENOMEM, "no memory for a workspace");
    rein_status status = workspace_init(net, max_steps, max_rows, w);
    if (status != REIN_OK) {
        rein_recurrent_workspace_free(w);
        return status;
    }
    *out = w;
    return REIN_OK;
}

void rein_recurrent_workspace_free(rein_recurrent_workspace *w)
{
    if (!w) return;
    rein_net_workspace_free(w->encoder);
    rein_net_workspace_free(w->head);
    rein_cell_workspace_free(w->cell);
    free(w->memory);
    free(w);
}

/* ---- forward and backward -------------------------------------------------------------------- */

rein_status rein_recurrent_forward(const rein_recurrent *net, const float *params,
                                   const float *packed, rein_recurrent_workspace *w, const float *x,
                                   const uint8_t *start, int n_steps, int rows, float *state,
                                   float *y)
{
    const float *e = x;
    const int n = n_steps * rows;
    if (net->encoder) {
        REIN_TRY(rein_net_forward(net->encoder, params, packed, w->encoder, x, n, w->e));
        e = w->e;
    }
    REIN_TRY(rein_cell_forward(net->cell, params + net->cell_at, packed + net->packed_cell_at,
                               w->cell, e, start, n_steps, rows, state, w->h));
    REIN_TRY(rein_net_forward(net->head, params + net->head_at, packed + net->packed_head_at,
                              w->head, w->h, n, y));
    return REIN_OK;
}

rein_status rein_recurrent_backward(const rein_recurrent *net, const float *params,
                                    const float *packed, rein_recurrent_workspace *w,
                                    const float *dy, float *grad)
{
    REIN_TRY(rein_net_backward(net->head, params + net->head_at, packed + net->packed_head_at,
                               w->head, dy, grad + net->head_at, w->dh));
    REIN_TRY(rein_cell_backward(net->cell, params + net->cell_at, w->cell, w->dh,
                                grad + net->cell_at, net->encoder ? w->de : NULL, NULL));
    if (!net->encoder) return REIN_OK;
    REIN_TRY(rein_net_backward(net->encoder, params, packed, w->encoder, w->de, grad, NULL));
    return REIN_OK;
}

void rein_recurrent_products(const rein_recurrent *net, const float *params, const float *packed,
                             rein_recurrent_workspace *w, const float *x, int n_steps, int rows,
                             float *y, float *grad)
{
    const int n = n_steps * rows;
    const float *e = x;
    if (net->encoder) {
        rein_net_products(net->encoder, params, packed, w->encoder, x, n, w->e, grad);
        e = w->e;
    }
    rein_cell_products(net->cell, params + net->cell_at, packed + net->packed_cell_at, w->cell, e,
                       n_steps, rows, grad + net->cell_at, net->encoder ? w->de : NULL);
    rein_net_products(net->head, params + net->head_at, packed + net->packed_head_at, w->head, w->h,
                      n, y, grad + net->head_at);
}
