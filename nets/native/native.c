/* The native engine's loops: stages one after the other, their activations fused with bias and bias
 * gradient, gradients alternating between two arrays.
 *
 * forward:   z_s = product of h_(s-1);  h_s = f(z_s + b_s)          h_0 = x
 * backward:  dz_s = dh_s f'(z_s), db_s = sum over rows of dz_s; then dW_s and dh_(s-1)
 *
 * Images stay [H, W, C] between convolutions, so that a pixel's channels are one vector; flatten
 * transposes each to [C, H W]. */
#include "nets/native/native.h"

#include <stdlib.h>
#include <string.h>

#include "nets/activation.h"
#include "nets/transpose.h"

static size_t aligned(size_t n)
{
    return (n + 15) / 16 * 16;
}

static rein_status native_can_run(const rein_net_spec *spec)
{
    if (spec->device != REIN_NET_CPU) {
        return rein_fail(REIN_EUNSUPPORTED, "net.device=cuda: the native engine computes on the "
                                            "CPU: use net.engine=torch");
    }
    for (int i = 0; i < spec->n_layers; i++) {
        const rein_layer_kind kind = spec->layers[i].kind;
        if (kind != REIN_LAYER_LSTM && kind != REIN_LAYER_GRU && kind != REIN_LAYER_ATTENTION &&
            kind != REIN_LAYER_SCRIPT) {
            continue;
        }
        char text[REIN_LAYER_TEXT];
        rein_layer_print(&spec->layers[i], text);
        return rein_fail(REIN_EUNSUPPORTED, "layers[%d] '%s': the native engine has no such layer",
                         i, text);
    }
    return REIN_OK;
}

/* ---- the net --------------------------------------------------------------------------------- */

/* Does flatten leave everything where it is? */
static bool is_plain(const rein_shape *s)
{
    return s->n_dims < 3 || s->dims[2] == 1 || s->dims[0] * s->dims[1] == 1;
}

static bool has_product(const native_stage *s)
{
    return s->layer.kind == REIN_LAYER_LINEAR || s->layer.kind == REIN_LAYER_CONV;
}

/* Append layer i of the spec, or give it to the stage before. */
static void add_layer(native_net *net, const rein_layer *l, const rein_layer_place *p)
{
    native_stage *before = net->n_stages > 0 ? &net->stages[net->n_stages - 1] : NULL;
    if (l->kind == REIN_LAYER_ACTIVATION && before && has_product(before) &&
        before->activation == REIN_LINEAR && (!before->flat || l->activation == REIN_RELU)) {
        before->activation = l->activation;
        return;
    }
    if (l->kind == REIN_LAYER_FLATTEN && is_plain(&p->in)) return;
    if (l->kind == REIN_LAYER_FLATTEN && before && before->direct &&
        (before->activation == REIN_LINEAR || before->activation == REIN_RELU)) {
        before->flat = true;
        return;
    }
    native_stage *s = &net->stages[net->n_stages++];
    *s =
        (native_stage){.layer = *l,
                       .activation = l->kind == REIN_LAYER_ACTIVATION ? l->activation : REIN_LINEAR,
                       .in = p->in,
                       .out = p->out,
                       .rows = 1,
                       .cols = p->out.size,
                       .trained = p->n_weights > 0,
                       .weight_at = p->weight_at,
                       .bias_at = p->bias_at,
                       .packed_at = net->base.n_packed};
    if (l->kind == REIN_LAYER_LINEAR) {
        s->direct = native_linear_is_direct(s);
        s->turned = native_weights_turned(p->in.size, p->out.size);
        net->base.n_packed += s->direct ? 0 : aligned(p->n_weights);
    }
    if (l->kind != REIN_LAYER_CONV) return;
    s->rows = p->out.dims[0] * p->out.dims[1];
    s->cols = l->units;
    s->k = l->kernel_h * l->kernel_w * p->in.dims[2];
    s->direct = native_conv_is_direct(s);
    s->turned = native_weights_turned(s->k, s->cols);
    s->packed_back = s->packed_at + aligned(p->n_weights);
    net->base.n_packed = s->packed_back + aligned(p->n_weights);
    net->any_conv = true;
}

static rein_status native_create(const rein_net_spec *spec, const rein_layout *layout,
                                 rein_net **out)
{
    *out = NULL;
    native_net *net = calloc(1, sizeof *net);
    if (!net) return rein_fail(REIN_ENOMEM, "no memory for a network");
    for (int i = 0; i < spec->n_layers; i++) {
        add_layer(net, &spec->layers[i], &layout->layers[i]);
    }
    if (net->n_stages == 0) { /* nothing but flatten of a vector: a copy */
        const rein_layer copy = {.kind = REIN_LAYER_ACTIVATION, .activation = REIN_LINEAR};
        add_layer(net, &copy, &layout->layers[0]);
    }
    net->first_trained = net->n_stages;
    for (int s = net->n_stages - 1; s >= 0; s--) {
        if (net->stages[s].trained) net->first_trained = s;
    }
    *out = &net->base;
    return REIN_OK;
}

static void native_free(rein_net *net)
{
    free(net);
}

static void native_pack(const rein_net *base, const float *params, float *packed)
{
    const native_net *net = (const native_net *)base;
    for (int i = 0; i < net->n_stages; i++) {
        const native_stage *s = &net->stages[i];
        if (s->layer.kind == REIN_LAYER_LINEAR) native_linear_pack(s, params, packed);
        if (s->layer.kind == REIN_LAYER_CONV) native_conv_pack(s, params, packed);
    }
}

/* ---- the workspace --------------------------------------------------------------------------- */

/* Is the stage's output written straight to where the caller wants it? */
static bool writes_y(const native_net *net, int i)
{
    return i == net->n_stages - 1 && net->stages[i].layer.kind == REIN_LAYER_LINEAR &&
           net->stages[i].activation == REIN_LINEAR;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static float *take(float **next, size_t n)
{
    float *out = *next;
    if (out) *next += aligned(n);
    return out;
}

/* Hand out the workspace's arrays one behind the other. Twice: from NULL only the size is counted.
 * Returns the floats needed. */
static size_t lay_out(const native_net *net, native_workspace *w, float *memory)
{
    const size_t rows = (size_t)w->max_rows;
    size_t total = 0, widest = 0, turned = 0, dcols = 0, plain = 0;
    float *next = memory;
#define TAKE(n) (total += aligned(n), take(&next, n))
    w->packed = TAKE(net->base.n_packed);
    for (int i = 0; i < net->n_stages; i++) {
        const native_stage *s = &net->stages[i];
        native_buffers *b = &w->stages[i];
        const size_t in = rows * (size_t)s->in.size, out = rows * (size_t)s->out.size;
        const rein_layer_kind kind = s->layer.kind;
        size_t weights = 0;
        if (!writes_y(net, i)) {
            b->h = TAKE(out);
            const bool own_z = kind == REIN_LAYER_LAYERNORM ||
                               (kind != REIN_LAYER_EMBEDDING && kind != REIN_LAYER_FLATTEN &&
                                rein_activation_keeps_z(s->activation));
            b->z = own_z ? TAKE(out) : b->h;
            if (out > widest) widest = out;
        }
        if (i > 0 && in > widest) widest = in;
        if (kind == REIN_LAYER_LAYERNORM) b->side = TAKE(rows);
        if (kind == REIN_LAYER_CONV) { /* 16 more: copies go over the end */
            const size_t image = (size_t)s->rows * (size_t)s->k, cols = rows * image;
            b->side = TAKE((s->direct ? larger(image, (size_t)s->out.size) : cols) + 16);
            if (cols > dcols) dcols = cols;
            weights = (size_t)s->k * (size_t)s->cols;
        } else if (kind == REIN_LAYER_LINEAR) {
            const bool is_turned = s->turned || (s->direct && w->max_rows >= NATIVE_MANY_ROWS);
            if (is_turned) weights = (size_t)s->in.size * (size_t)s->out.size;
        }
        if (weights > turned) turned = weights;
        if (kind == REIN_LAYER_ACTIVATION && (size_t)s->cols > plain) plain = (size_t)s->cols;
    }
    w->dh[0] = TAKE(widest);
    w->dh[1] = TAKE(widest);
    w->turned = TAKE(turned);
    w->dcols = TAKE(dcols);
    w->zeros = TAKE(plain);
    w->unused = TAKE(plain);
#undef TAKE
    return total;
}

static rein_status native_workspace_create(const rein_net *base, int max_rows,
                                           rein_net_workspace **out)
{
    const native_net *net = (const native_net *)base;
    native_workspace *w = calloc(1, sizeof *w);
    if (!w) return rein_fail(REIN_ENOMEM, "no memory for a workspace");
    w->max_rows = max_rows;
    const size_t bytes = sizeof(float) * (lay_out(net, w, NULL) + 16);
    w->memory = aligned_alloc(64, bytes);
    if (!w->memory) {
        free(w);
        return rein_fail(REIN_ENOMEM, "no memory for a workspace of %d rows (%zu bytes)", max_rows,
                         bytes);
    }
    memset(w->memory, 0, bytes);
    lay_out(net, w, w->memory);
    for (int i = 0; i < net->n_stages; i++) {
        const native_stage *s = &net->stages[i];
        if (s->layer.kind == REIN_LAYER_LINEAR) {
            native_linear_prepare(s, max_rows, &w->stages[i]);
        } else if (s->layer.kind == REIN_LAYER_CONV) {
            native_conv_prepare(s, max_rows, &w->stages[i]);
        }
    }
    *out = &w->base;
    return REIN_OK;
}

static void native_workspace_free(rein_net_workspace *base)
{
    native_workspace *w = (native_workspace *)base;
    free(w->memory);
    free(w);
}

/* ---- forward --------------------------------------------------------------------------------- */

static void transpose_images(const native_stage *s, bool back, const float *in, int n, float *out)
{
    const int pixels = s->in.dims[0] * s->in.dims[1], channels = s->in.dims[2];
    const size_t size = (size_t)s->in.size;
    for (int i = 0; i < n; i++, in += size, out += size) {
        rein_transpose(back ? channels : pixels, back ? pixels : channels, in, out);
    }
}

static float scale_of(const native_net *net)
{
    const float scale = net->base.spec.input_scale;
    return scale > 0 ? scale : 1;
}

/* A product, its bias and activation; to b->h, or y where the stage has no h. */
static void forward_product(const native_net *net, const float *params, const float *packed,
                            native_workspace *w, int i, const float *in, float *y)
{
    const native_stage *s = &net->stages[i];
    const native_buffers *b = &w->stages[i];
    float *h = b->h ? b->h : y, *z = b->h ? b->z : y;
    bool done = false;
    if (s->layer.kind == REIN_LAYER_LINEAR) {
        native_linear_forward(s, b, params, packed, in, w->n, w->turned, z);
    } else {
        native_conv_forward(s, b, params, packed, in, w->n, z, &done);
    }
    if (!done)
        rein_activation_forward(s->activation, w->n * s->rows, s->cols, params + s->bias_at, z, h);
}

/* An activation that stands alone. */
static void forward_activation(const native_workspace *w, int i, const native_stage *s,
                               const float *in)
{
    const native_buffers *b = &w->stages[i];
    memcpy(b->z, in, sizeof(float) * (size_t)w->n * (size_t)s->cols);
    rein_activation_forward(s->activation, w->n, s->cols, w->zeros, b->z, b->h);
}

static rein_status native_forward(const rein_net *base, const float *params, const float *packed,
                                  rein_net_workspace *workspace, const float *x, int n, float *y)
{
    const native_net *net = (const native_net *)base;
    native_workspace *w = (native_workspace *)workspace;
    const int last = net->n_stages - 1;
    const float *in = x;
    if (!packed) {
        native_pack(base, params, w->packed);
        packed = w->packed;
    }
    w->x = x;
    w->n = n;
    for (int i = 0; i <= last; i++) {
        const native_stage *s = &net->stages[i];
        const native_buffers *b = &w->stages[i];
        switch (s->layer.kind) {
        case REIN_LAYER_FLATTEN:
            transpose_images(s, false, in, n, b->h);
            break;
        case REIN_LAYER_LAYERNORM:
            native_norm_forward(s, b, params, in, n, b->h);
            break;
        case REIN_LAYER_EMBEDDING:
            native_embedding_forward(s, params, scale_of(net), in, n, b->h);
            break;
        case REIN_LAYER_ACTIVATION:
            forward_activation(w, i, s, in);
            break;
        default:
            forward_product(net, params, packed, w, i, in, y);
            break;
        }
        in = b->h;
    }
    if (!writes_y(net, last)) {
        memcpy(y, in, sizeof(float) * (size_t)n * (size_t)net->stages[last].out.size);
    }
    return REIN_OK;
}

/* ---- backward -------------------------------------------------------------------------------- */

/* d [n, out] -> gradients of the parameters, and dx unless NULL. */
static void backward_linear(const native_workspace *w, int i, const native_stage *s,
                            const float *params, const float *in, float *d, float *grad, float *dx)
{
    const native_buffers *b = &w->stages[i];
    if (b->h) {
        rein_activation_backward(s->activation, w->n, s->cols, b->z, b->h, d, grad + s->bias_at);
    } else {
        rein_column_sums(w->n, s->cols, d, grad + s->bias_at);
    }
    native_linear_weights(s, b, in, d, w->n, w->turned, grad);
    if (dx) native_linear_inputs(s, b, params, d, w->n, dx);
}

static void backward_conv(const native_workspace *w, int i, const native_stage *s,
                          const float *packed, const float *in, float *d, float *grad, float *dx)
{
    const native_buffers *b = &w->stages[i];
    native_conv_backward(s, b, in, d, w->n, dx != NULL, w->turned, grad);
    if (!dx) return;
    native_conv_inputs(s, b, packed, d, w->n, w->dcols);
    native_conv_fold(s, w->dcols, w->n, dx);
}

/* Gradients of stage i from d [n, out], which becomes dz where there is an activation; dx [n, in]
 * or NULL. Returns where the gradient by the stage's input is. */
static float *backward_stage(const native_net *net, const float *params, const float *packed,
                             const native_workspace *w, int i, float *d, float *grad, float *dx)
{
    const native_stage *s = &net->stages[i];
    const native_buffers *b = &w->stages[i];
    const float *in = i > 0 ? w->stages[i - 1].h : w->x;
    switch (s->layer.kind) {
    case REIN_LAYER_FLATTEN:
        if (dx) transpose_images(s, true, d, w->n, dx);
        return dx;
    case REIN_LAYER_LAYERNORM:
        native_norm_backward(s, b, params, d, w->n, grad, dx);
        return dx;
    case REIN_LAYER_EMBEDDING:
        native_embedding_backward(s, scale_of(net), in, d, w->n, grad);
        if (dx) memset(dx, 0, sizeof(float) * (size_t)w->n * (size_t)s->in.size);
        return dx;
    case REIN_LAYER_ACTIVATION:
        rein_activation_backward(s->activation, w->n, s->cols, b->z, b->h, d, w->unused);
        return d;
    case REIN_LAYER_CONV:
        backward_conv(w, i, s, packed, in, d, grad, dx);
        return dx;
    default:
        backward_linear(w, i, s, params, in, d, grad, dx);
        return dx;
    }
}

static rein_status native_backward(const rein_net *base, const float *params, const float *packed,
                                   rein_net_workspace *workspace, const float *dy, float *grad,
                                   float *dx)
{
    const native_net *net = (const native_net *)base;
    native_workspace *w = (native_workspace *)workspace;
    const int last = net->n_stages - 1, lowest = dx ? 0 : net->first_trained;
    /* The last linear stage only reads dy; any other would change it. */
    float *d = (float *)(uintptr_t)dy;
    if (!packed && net->any_conv) {
        native_pack(base, params, w->packed);
        packed = w->packed;
    }
    if (!writes_y(net, last)) {
        d = w->dh[0];
        memcpy(d, dy, sizeof(float) * (size_t)w->n * (size_t)net->stages[last].out.size);
    }
    for (int i = last; i >= lowest; i--) {
        float *to = i > lowest ? w->dh[d == w->dh[0] ? 1 : 0] : dx;
        float *below = backward_stage(net, params, packed, w, i, d, grad, to);
        if (i == 0 && dx && below != dx) {
            memcpy(dx, below, sizeof(float) * (size_t)w->n * (size_t)net->stages[0].in.size);
        }
        d = below;
    }
    return REIN_OK;
}

/* ---- the products alone ---------------------------------------------------------------------- */

static void native_products(const rein_net *base, const float *params, const float *packed,
                            rein_net_workspace *workspace, const float *x, int n, float *y,
                            float *grad)
{
    const native_net *net = (const native_net *)base;
    native_workspace *w = (native_workspace *)workspace;
    const int last = net->n_stages - 1;
    const float *in = x;
    w->x = x;
    w->n = n;
    for (int i = 0; i <= last; i++) {
        const native_stage *s = &net->stages[i];
        const native_buffers *b = &w->stages[i];
        float *z = b->h ? b->h : y;
        if (s->layer.kind == REIN_LAYER_LINEAR) {
            native_linear_forward_product(s, b, params, packed, in, n, z);
        } else if (s->layer.kind == REIN_LAYER_CONV) {
            native_conv_forward_product(s, b, packed, n, z);
        }
        in = z;
    }
    const float *dz = y;
    for (int i = last; i >= net->first_trained && grad; i--) {
        const native_stage *s = &net->stages[i];
        const native_buffers *b = &w->stages[i];
        float *to = i > net->first_trained ? w->dh[i & 1] : NULL;
        if (s->layer.kind == REIN_LAYER_LINEAR) {
            native_linear_weights(s, b, i > 0 ? w->stages[i - 1].h : x, dz, n, w->turned, grad);
            if (to) native_linear_inputs(s, b, params, dz, n, to);
        } else if (s->layer.kind == REIN_LAYER_CONV) {
            native_conv_weights_product(s, b, dz, n, w->turned);
            if (to) native_conv_inputs(s, b, packed, dz, n, w->dcols);
        }
        if (to && has_product(s)) dz = to;
    }
}

const rein_engine rein_engine_native = {
    .name = "native",
    .can_run = native_can_run,
    .create = native_create,
    .free = native_free,
    .pack = native_pack,
    .workspace_create = native_workspace_create,
    .workspace_free = native_workspace_free,
    .forward = native_forward,
    .backward = native_backward,
    .products = native_products,
    .cells = &rein_cells_native,
};
