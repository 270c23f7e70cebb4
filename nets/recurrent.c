#include "nets/recurrent.h"

#include <stdlib.h>
#include <string.h>

#include "nets/activation.h"

struct rein_recurrent {
    rein_recurrent_spec spec;
    rein_net *encoder; /* hidden layers; NULL: none */
    rein_cell *cell;
    rein_net *head; /* the last layer */
    int n_encoded;  /* outputs of the encoder, inputs of the cell */
    float *no_bias; /* [n_encoded] zeros */
    size_t cell_at, head_at, n_params, packed_cell_at, packed_head_at, n_packed;
};

struct rein_recurrent_workspace {
    rein_net_workspace *encoder, *head;
    rein_cell_workspace *cell;
    int n;           /* steps x rows of the last forward */
    bool keeps_z;    /* of the activation */
    float *z, *e;    /* [T rows, n_encoded] encoder before and after its last activation; one array
                        unless keeps_z */
    float *de;       /* [T rows, n_encoded] */
    float *h, *dh;   /* [T rows, n_cell] */
    float *no_dbias; /* [n_encoded] */
    float *memory;
};

static size_t aligned(size_t n)
{
    return (n + 15) / 16 * 16;
}

static rein_status create_parts(rein_recurrent *net)
{
    const rein_net_spec *spec = &net->spec.net;
    const int last = spec->n_layers - 1;
    rein_net *whole; /* says what is wrong with the layers */
    REIN_TRY(rein_net_create(spec, &whole));
    rein_net_free(whole);
    net->n_encoded = spec->n_in;
    if (last > 0) {
        rein_net_spec encoder = *spec;
        encoder.n_layers = last;
        net->n_encoded = spec->units[last - 1];
        REIN_TRY(rein_net_create(&encoder, &net->encoder));
    }
    const rein_cell_spec cell = {net->spec.cell, net->n_encoded, net->spec.n_cell};
    REIN_TRY(rein_cell_create(&cell, &net->cell));
    const rein_net_spec head = {.n_in = net->spec.n_cell,
                                .n_layers = 1,
                                .units = {spec->units[last]},
                                .activation = spec->activation};
    return rein_net_create(&head, &net->head);
}

rein_status rein_recurrent_create(const rein_recurrent_spec *spec, rein_recurrent **out)
{
    *out = NULL;
    rein_recurrent *net = calloc(1, sizeof *net);
    if (!net) return rein_fail(REIN_ENOMEM, "no memory for a network");
    net->spec = *spec;
    rein_status status = create_parts(net);
    if (status == REIN_OK) {
        net->no_bias = calloc((size_t)net->n_encoded, sizeof *net->no_bias);
        if (!net->no_bias) status = rein_fail(REIN_ENOMEM, "no memory for a network");
    }
    if (status != REIN_OK) {
        rein_recurrent_free(net);
        return status;
    }
    net->cell_at = net->encoder ? rein_net_n_params(net->encoder) : 0;
    net->head_at = net->cell_at + rein_cell_n_params(net->cell);
    net->n_params = net->head_at + rein_net_n_params(net->head);
    net->packed_cell_at = net->encoder ? aligned(rein_net_n_packed(net->encoder)) : 0;
    net->packed_head_at = net->packed_cell_at + aligned(rein_cell_n_packed(net->cell));
    net->n_packed = net->packed_head_at + rein_net_n_packed(net->head);
    *out = net;
    return REIN_OK;
}

void rein_recurrent_free(rein_recurrent *net)
{
    if (!net) return;
    rein_net_free(net->encoder);
    rein_cell_free(net->cell);
    rein_net_free(net->head);
    free(net->no_bias);
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
    w->keeps_z = rein_activation_keeps_z(net->spec.net.activation);
    const size_t n = net->encoder ? aligned((size_t)rows * (size_t)net->n_encoded) : 0;
    const size_t h = aligned((size_t)rows * (size_t)net->spec.n_cell);
    const size_t size = 3 * n + 2 * h + aligned((size_t)net->n_encoded);
    w->memory = aligned_alloc(64, size * sizeof(float));
    if (!w->memory) {
        return rein_fail(REIN_ENOMEM, "no memory for sequences of %d steps and %d rows", max_steps,
                         max_rows);
    }
    w->h = w->memory;
    w->dh = w->h + h;
    w->e = w->dh + h;
    w->de = w->e + n;
    w->z = w->keeps_z ? w->de + n : w->e;
    w->no_dbias = w->de + 2 * n;
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

void rein_recurrent_forward(const rein_recurrent *net, const float *params, const float *packed,
                            rein_recurrent_workspace *w, const float *x, const uint8_t *start,
                            int n_steps, int rows, float *state, float *y)
{
    const float *e = x;
    w->n = n_steps * rows;
    if (net->encoder) {
        rein_net_forward(net->encoder, params, packed, w->encoder, x, w->n, w->z);
        rein_activation_forward(net->spec.net.activation, w->n, net->n_encoded, net->no_bias, w->z,
                                w->e);
        e = w->e;
    }
    rein_cell_forward(net->cell, params + net->cell_at, packed + net->packed_cell_at, w->cell, e,
                      start, n_steps, rows, state, w->h);
    rein_net_forward(net->head, params + net->head_at, packed + net->packed_head_at, w->head, w->h,
                     w->n, y);
}

void rein_recurrent_backward(const rein_recurrent *net, const float *params, const float *packed,
                             rein_recurrent_workspace *w, const float *dy, float *grad)
{
    rein_net_backward(net->head, params + net->head_at, packed + net->packed_head_at, w->head, dy,
                      grad + net->head_at, w->dh);
    rein_cell_backward(net->cell, params + net->cell_at, w->cell, w->dh, grad + net->cell_at,
                       net->encoder ? w->de : NULL, NULL);
    if (!net->encoder) return;
    rein_activation_backward(net->spec.net.activation, w->n, net->n_encoded, w->z, w->e, w->de,
                             w->no_dbias);
    rein_net_backward(net->encoder, params, packed, w->encoder, w->de, grad, NULL);
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
