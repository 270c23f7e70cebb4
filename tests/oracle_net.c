/* Networks for tests/oracle.h: layers as libtorch operations, random layer lists. */
#include "tests/oracle.h"

/* The next parameters. */
static rein_tensor *take(o_net *net, const int64_t *shape, int n_dims)
{
    int64_t n = 1;
    for (int i = 0; i < n_dims; i++) n *= shape[i];
    rein_tensor *part = o_narrow(net->params, 0, net->at, n);
    net->at += n;
    return o_view(part, shape, n_dims);
}
#define TAKE(net, ...) take(net, O_SHAPE(__VA_ARGS__))

/* Exact zeros (a relu before, padding) are zeros in single precision, too. */
static void note_kink(o_net *net, const rein_tensor *z)
{
    rein_tensor *size = o_abs(o_detach(z)), *is_zero = NULL, *away = NULL;
    o_ok(rein_tensor_eq(size, o_scalar(0), &is_zero));
    o_ok(rein_tensor_masked_fill(size, o_keep(is_zero), 1e30, &away));
    net->kink = fmin(net->kink, o_smallest(o_keep(away)) / o_largest(z));
}

static rein_tensor *activation(o_net *net, rein_activation f, const rein_tensor *z)
{
    rein_tensor *t = NULL;
    switch (f) {
    case REIN_TANH:
        return o_tanh(z);
    case REIN_RELU:
        note_kink(net, z);
        return o_relu(z);
    case REIN_ELU:
        o_ok(rein_tensor_elu(z, 1, &t));
        return o_keep(t);
    case REIN_SILU:
        return o_silu(z);
    case REIN_GELU:
        return o_gelu(z);
    case REIN_SIGMOID:
        return o_sigmoid(z);
    default:
        return o_times(z, 1);
    }
}

static rein_tensor *conv(o_net *net, const rein_layer *l, const rein_tensor *x, int64_t channels)
{
    rein_tensor *w = TAKE(net, l->units, channels, l->kernel_h, l->kernel_w), *t = NULL;
    rein_tensor *b = TAKE(net, l->units), *image = O_PERMUTE(x, 0, 3, 1, 2);
    const int64_t stride[] = {l->stride, l->stride}, pad[] = {l->pad, l->pad};
    o_ok(rein_tensor_conv2d(image, w, b, stride, pad, NULL, 1, &t));
    return O_PERMUTE(o_keep(t), 0, 2, 3, 1);
}

/* Each number of a row is looked up; the numbers of one lie beside one another. */
static rein_tensor *embedding(o_net *net, const rein_layer *l, const rein_tensor *x,
                              const int64_t *shape, int n_dims)
{
    const double scale = net->spec->input_scale > 0 ? (double)net->spec->input_scale : 1;
    rein_tensor *whole = NULL, *index = NULL, *t = NULL, *w = TAKE(net, l->values, l->units);
    o_ok(rein_tensor_floor(o_plus(o_times(x, scale), 0.5), &whole));
    o_ok(rein_tensor_to(o_keep(whole), REIN_TORCH_I64, REIN_TORCH_CPU, &index));
    o_ok(rein_tensor_embedding(w, o_keep(index), &t));
    int64_t out[REIN_NET_DIMS + 1];
    memcpy(out, shape, (size_t)n_dims * sizeof *out);
    out[n_dims - 1] *= l->units;
    return o_view(o_keep(t), out, n_dims);
}

/* [N, T, E] -> [N, heads, T, E / heads] */
static rein_tensor *split_heads(rein_tensor *x, int64_t n, int64_t tokens, int heads)
{
    return O_PERMUTE(O_VIEW(x, n, tokens, heads, -1), 0, 2, 1, 3);
}

static rein_tensor *linear(o_net *net, const rein_tensor *x, int64_t out, int64_t in)
{
    rein_tensor *w = TAKE(net, out, in), *b = TAKE(net, out), *t = NULL;
    o_ok(rein_tensor_linear(x, w, b, &t));
    return o_keep(t);
}

static rein_tensor *layernorm(o_net *net, const rein_tensor *x, int64_t n)
{
    rein_tensor *w = TAKE(net, n), *b = TAKE(net, n), *t = NULL;
    o_ok(rein_tensor_layer_norm(x, 1, w, b, 1e-5, &t));
    return o_keep(t);
}

/* softmax(q k' / sqrt(d / heads)) v, from products; Vaswani et al. 2017. Parameters lie before
 * those of the norm: `norm` reads there. */
static rein_tensor *self_attention(o_net *net, rein_tensor *x, int64_t n, int64_t tokens, int64_t d,
                                   int heads)
{
    rein_tensor *qkv = linear(net, x, 3 * d, d), *scores = NULL;
    rein_tensor *q = split_heads(o_narrow(qkv, 2, 0, d), n, tokens, heads);
    rein_tensor *k = split_heads(o_narrow(qkv, 2, d, d), n, tokens, heads);
    rein_tensor *v = split_heads(o_narrow(qkv, 2, 2 * d, d), n, tokens, heads);
    q = o_times(q, 1 / sqrt((double)d / heads));
    o_ok(rein_tensor_softmax(o_matmul(q, O_PERMUTE(k, 0, 1, 3, 2)), 3, &scores));
    rein_tensor *seen = O_PERMUTE(o_matmul(o_keep(scores), v), 0, 2, 1, 3);
    return linear(net, O_VIEW(seen, n, tokens, d), d, d);
}

/* A block's parameters are those of torch.nn.TransformerEncoderLayer in its order: attention, two
 * linear layers, two norms; the norms come first (norm_first=True). */
static rein_tensor *transformer_block(o_net *net, rein_tensor *x, int64_t n, int64_t tokens,
                                      int64_t d, int heads)
{
    const int64_t first = net->at, attention = 4 * d * d + 4 * d, feed = 8 * d * d + 5 * d;
    net->at = first + attention + feed;
    rein_tensor *seen = layernorm(net, x, d);
    const int64_t second_norm = net->at;
    net->at = first;
    x = o_add(x, self_attention(net, seen, n, tokens, d, heads));
    net->at = second_norm;
    rein_tensor *known = layernorm(net, x, d);
    const int64_t end = net->at;
    net->at = first + attention;
    rein_tensor *z = linear(net, known, 4 * d, d);
    note_kink(net, z);
    x = o_add(x, linear(net, o_relu(z), d, 4 * d));
    net->at = end;
    return x;
}

/* Tokens are the cells of an image, row by row, or the steps of a window. */
static rein_tensor *attention(o_net *net, const rein_layer *l, const rein_tensor *x,
                              const int64_t *shape, int n_dims)
{
    const int64_t n = shape[0], channels = shape[n_dims - 1], d = l->units;
    const int64_t tokens = n_dims == 4 ? shape[1] * shape[2] : shape[1];
    rein_tensor *t = linear(net, O_VIEW(x, n, tokens, channels), d, channels);
    t = o_add(t, TAKE(net, tokens, d)); /* positions */
    for (int i = 0; i < l->blocks; i++) t = transformer_block(net, t, n, tokens, d, l->heads);
    return t;
}

static rein_tensor *layer(o_net *net, const rein_layer *l, rein_tensor *x)
{
    int64_t shape[REIN_NET_DIMS + 2];
    int n_dims = 0;
    o_ok(rein_tensor_shape(x, shape, REIN_NET_DIMS + 2, &n_dims));
    const int64_t last = shape[n_dims - 1];
    switch (l->kind) {
    case REIN_LAYER_LINEAR:
        return linear(net, x, l->units, last);
    case REIN_LAYER_CONV:
        return conv(net, l, x, last);
    case REIN_LAYER_ACTIVATION:
        return activation(net, l->activation, x);
    case REIN_LAYER_FLATTEN:
        if (n_dims == 4) x = O_PERMUTE(x, 0, 3, 1, 2);
        return O_VIEW(x, shape[0], -1);
    case REIN_LAYER_LAYERNORM:
        return layernorm(net, x, last);
    case REIN_LAYER_EMBEDDING:
        return embedding(net, l, x, shape, n_dims);
    case REIN_LAYER_ATTENTION:
        return attention(net, l, x, shape, n_dims);
    default:
        o_fail("no oracle for layer kind %d", (int)l->kind);
        return NULL;
    }
}

rein_tensor *o_layers(o_net *net, int first, int end, rein_tensor *x)
{
    for (int i = first; i < end; i++) x = layer(net, &net->spec->layers[i], x);
    return x;
}

rein_tensor *o_cell(o_net *net, rein_cell_kind kind, int n_hidden, rein_tensor *x,
                    const uint8_t *start, int n_steps, int rows, rein_tensor *state,
                    rein_tensor **last)
{
    const bool lstm = kind == REIN_LSTM;
    const int64_t h_size = n_hidden, gates = (lstm ? 4 : 3) * h_size;
    rein_tensor *steps = O_VIEW(x, n_steps, rows, -1), *y = NULL;
    int64_t shape[3];
    o_ok(rein_tensor_shape(steps, shape, 3, NULL));
    rein_tensor *w_ih = TAKE(net, gates, shape[2]), *w_hh = TAKE(net, gates, h_size);
    rein_tensor *b_ih = TAKE(net, gates), *b_hh = TAKE(net, gates);
    rein_tensor *h = o_narrow(state, 1, 0, h_size);
    rein_tensor *c = lstm ? o_narrow(state, 1, h_size, h_size) : NULL;
    rein_tensor **out = o_bytes((size_t)n_steps * sizeof(rein_tensor *));
    for (int t = 0; t < n_steps; t++) {
        if (start) {
            rein_tensor *keep = o_plus(o_neg(o_bytes_const(start + t * rows, O_SHAPE(rows, 1))), 1);
            h = o_mul(h, keep);
            c = lstm ? o_mul(c, keep) : NULL;
        }
        rein_tensor *x_t = o_select(steps, 0, t), *h_next = NULL, *c_next = NULL;
        if (lstm) {
            o_ok(rein_tensor_lstm_cell(x_t, h, c, w_ih, w_hh, b_ih, b_hh, &h_next, &c_next));
            c = o_keep(c_next);
        } else {
            o_ok(rein_tensor_gru_cell(x_t, h, w_ih, w_hh, b_ih, b_hh, &h_next));
        }
        out[t] = h = o_keep(h_next);
    }
    o_ok(rein_tensor_stack(out, n_steps, 0, &y));
    if (last) {
        rein_tensor *both[] = {h, c}, *joined = NULL;
        o_ok(rein_tensor_cat(both, lstm ? 2 : 1, 1, &joined));
        *last = o_keep(joined);
    }
    return o_keep(y);
}

/* --- random networks -------------------------------------------------------------------------- */

static void add(rein_net_spec *spec, rein_layer l)
{
    o_ok(rein_net_spec_add(spec, l));
}

static void add_activation(rein_rng *rng, rein_net_spec *spec)
{
    if (o_chance(rng, 0.25)) return;
    add(spec, (rein_layer){.kind = REIN_LAYER_ACTIVATION,
                           .activation = (rein_activation)o_int(rng, REIN_TANH, REIN_SIGMOID)});
}

/* Convolutions that fit, then flatten. */
static void add_convs(rein_rng *rng, rein_net_spec *spec)
{
    int h = spec->shape[0], w = spec->shape[1];
    for (int n = o_int(rng, 0, 3); n > 0 && h > 1 && w > 1; n--) {
        rein_layer l = {.kind = REIN_LAYER_CONV,
                        .units = o_int(rng, 1, 20),
                        .kernel_h = o_int(rng, 1, h < 4 ? h : 4),
                        .kernel_w = o_int(rng, 1, w < 4 ? w : 4),
                        .stride = o_int(rng, 1, 2),
                        .pad = o_int(rng, 0, 1)};
        add(spec, l);
        add_activation(rng, spec);
        h = (h + 2 * l.pad - l.kernel_h) / l.stride + 1;
        w = (w + 2 * l.pad - l.kernel_w) / l.stride + 1;
    }
    add(spec, (rein_layer){.kind = REIN_LAYER_FLATTEN});
}

/* A layernorm stands behind at least three numbers: of two only their order remains, so that all
 * gradients before it cancel to nothing. */
rein_net_spec o_random_spec(rein_rng *rng)
{
    rein_net_spec spec = {.n_dims = 1, .shape = {o_int(rng, 3, 40)}};
    const bool image = o_chance(rng, 0.5);
    if (image) {
        spec.n_dims = 3;
        for (int i = 0; i < 2; i++) spec.shape[i] = o_int(rng, 3, 12);
        spec.shape[2] = o_int(rng, 1, 5);
    }
    if (o_chance(rng, 0.25)) {
        spec.input_scale = o_chance(rng, 0.5) ? 255.0F : 0;
        add(&spec, (rein_layer){.kind = REIN_LAYER_EMBEDDING,
                                .values = o_int(rng, 1, 12),
                                .units = o_int(rng, 1, 6)});
    }
    if (image) add_convs(rng, &spec);
    for (int n = o_int(rng, 0, 3); n > 0; n--) {
        if (o_chance(rng, 0.8)) {
            add(&spec, (rein_layer){.kind = REIN_LAYER_LINEAR, .units = o_int(rng, 3, 70)});
            if (o_chance(rng, 0.4)) add(&spec, (rein_layer){.kind = REIN_LAYER_LAYERNORM});
        }
        add_activation(rng, &spec);
    }
    add(&spec, (rein_layer){.kind = REIN_LAYER_LINEAR, .units = o_int(rng, 1, 12)});
    return spec;
}

float *o_random_params(rein_rng *rng, const rein_net_spec *spec)
{
    rein_layout layout;
    o_ok(rein_net_layout(spec, &layout));
    float *params = o_normals(rng, layout.n_params, 0.3);
    for (int i = 0; i < spec->n_layers; i++) {
        const rein_layer_place *p = &layout.layers[i];
        const rein_layer *l = &spec->layers[i];
        double fan_in = 1;
        if (l->kind == REIN_LAYER_LINEAR) fan_in = p->in.size;
        if (l->kind == REIN_LAYER_LSTM || l->kind == REIN_LAYER_GRU) fan_in = p->in.size + l->units;
        if (l->kind == REIN_LAYER_ATTENTION) fan_in = 2 * l->units;
        if (l->kind == REIN_LAYER_CONV) fan_in = p->in.dims[2] * l->kernel_h * l->kernel_w;
        const float scale = (float)(3.3 / sqrt(fan_in)), shift = l->kind == REIN_LAYER_LAYERNORM;
        for (size_t j = 0; j < p->n_weights; j++) {
            float *w = &params[p->weight_at + j];
            *w = shift > 0 ? shift + *w : scale * *w;
        }
    }
    return params;
}

float *o_random_x(rein_rng *rng, const rein_net_spec *spec, int rows)
{
    size_t n = (size_t)rows;
    for (int i = 0; i < spec->n_dims; i++) n *= (size_t)spec->shape[i];
    float *x = o_normals(rng, n, 1);
    if (spec->layers[0].kind == REIN_LAYER_EMBEDDING) {
        const float scale = spec->input_scale > 0 ? spec->input_scale : 1;
        for (size_t i = 0; i < n; i++) {
            x[i] = (float)o_int(rng, 0, spec->layers[0].values - 1) / scale;
        }
    }
    return x;
}

rein_tensor *o_leaf_x(const rein_net_spec *spec, const float *x, int rows)
{
    int64_t shape[REIN_NET_DIMS + 1] = {rows};
    for (int i = 0; i < spec->n_dims; i++) shape[i + 1] = spec->shape[i];
    return o_leaf(x, shape, spec->n_dims + 1);
}
