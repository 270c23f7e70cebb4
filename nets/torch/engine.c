/* The torch engine: a network of nets/net.h as libtorch operations, its gradients by autograd.
 *
 * A workspace keeps the graph of its last forward. Images are [N, C, H, W] on the way (x is
 * permuted, not copied), so that flatten gives C, H, W. */
#include "nets/torch/engine.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "nets/torch/loader.h"

typedef struct torch_net {
    rein_net base;
    int n_slices;
    rein_torch_slice *slices;      /* [n_slices] in the order of the vector */
    int first_of[REIN_MAX_LAYERS]; /* the first slice of a layer */
    rein_torch_module *script;     /* NULL: none; for copying */
} torch_net;

typedef struct torch_workspace {
    rein_net_workspace base;
    rein_torch_leaves leaves;
    int n;                         /* rows of the last forward */
    rein_tensor **wanted, **found; /* [n_slices + 1] leaves, then x; gradients by them */
    rein_torch_module *script;     /* NULL: none */
    int n_script;                  /* its parameters, the first slices */
    rein_tensor **script_leaf;     /* [n_script] handles of them */
    rein_tensor *x, *y;
} torch_workspace;

/* ---- parameters and batches as tensors ------------------------------------------------------- */

rein_status rein_torch_engine_ready(rein_net_device device)
{
    REIN_TRY(rein_torch_load());
    REIN_TRY(rein_torch_set_threads(1));
    if (device == REIN_NET_CPU) return REIN_OK;
    int n = 0;
    const char *version = "";
    REIN_TRY(rein_torch_n_cuda(&n));
    REIN_TRY(rein_torch_version(&version));
    if (n > 0) return REIN_OK;
    return rein_fail(REIN_EUNSUPPORTED,
                     "net.device=cuda: libtorch %s finds no GPU here: use net.device=cpu, or build "
                     "with a libtorch that has CUDA (-DREIN_TORCH_ROOT=)",
                     version);
}

rein_status rein_torch_place(rein_net_device device, const int64_t *shape, int n_dims,
                             const float *data, rein_tensor **out)
{
    if (device == REIN_NET_CPU) { /* nothing is written through it */
        void *memory = (void *)(uintptr_t)data;
        return rein_tensor_borrow(REIN_TORCH_F32, shape, n_dims, memory, out);
    }
    return rein_tensor_from_data(REIN_TORCH_F32, REIN_TORCH_CUDA, shape, n_dims, data, out);
}

void rein_torch_mark(float *packed)
{
    static _Atomic uint64_t marks;
    const uint64_t mark = atomic_fetch_add(&marks, 1) + 1;
    memset(packed, 0, REIN_TORCH_PACKED * sizeof *packed);
    memcpy(packed, &mark, sizeof mark);
}

rein_status rein_torch_leaves_create(int n, rein_torch_leaves *out)
{
    *out = (rein_torch_leaves){.n = n};
    for (int i = 0; i < 2; i++) {
        out->of[i].leaf = calloc((size_t)n + 1, sizeof *out->of[i].leaf);
        if (!out->of[i].leaf) return rein_fail(REIN_ENOMEM, "no memory for %d parameters", n);
    }
    return REIN_OK;
}

static void leaves_clear(rein_torch_leaves *leaves, int which)
{
    leaves->of[which].params = NULL;
    for (int i = 0; i < leaves->n && leaves->of[which].leaf; i++) {
        rein_tensor_free(leaves->of[which].leaf[i]);
        leaves->of[which].leaf[i] = NULL;
    }
}

void rein_torch_leaves_free(rein_torch_leaves *leaves)
{
    for (int i = 0; i < 2; i++) {
        leaves_clear(leaves, i);
        free(leaves->of[i].leaf);
    }
}

rein_status rein_torch_leaves_of(rein_torch_leaves *leaves, const rein_torch_slice *slices,
                                 rein_net_device device, const float *params, const float *packed,
                                 rein_tensor ***leaf)
{
    uint64_t mark = 0; /* of a view it does not matter */
    if (device != REIN_NET_CPU && packed) memcpy(&mark, packed, sizeof mark);
    const bool stale = device != REIN_NET_CPU && mark == 0;
    for (int i = 0; i < 2 && !stale; i++) {
        if (leaves->of[i].params != params || leaves->of[i].mark != mark) continue;
        leaves->newest = i;
        *leaf = leaves->of[i].leaf;
        return REIN_OK;
    }
    const int which =
        leaves->of[leaves->newest].params == params ? leaves->newest : 1 - leaves->newest;
    leaves_clear(leaves, which);
    rein_tensor **to = leaves->of[which].leaf;
    for (int i = 0; i < leaves->n; i++) {
        const rein_torch_slice *s = &slices[i];
        REIN_TRY(rein_torch_place(device, s->shape, s->n_dims, params + s->at, &to[i]));
        REIN_TRY(rein_tensor_require_grad(to[i], true));
    }
    leaves->of[which].params = params;
    leaves->of[which].mark = mark;
    leaves->newest = which;
    *leaf = to;
    return REIN_OK;
}

rein_status rein_torch_back(rein_net_device device, rein_tensor *y, const int64_t *shape,
                            int n_dims, const float *dy, rein_tensor *const *inputs, int n,
                            rein_tensor **result)
{
    rein_tensor *start = NULL;
    REIN_TRY(rein_torch_place(device, shape, n_dims, dy, &start));
    rein_status status = rein_torch_gradients(&y, &start, 1, inputs, n, false, false, result);
    rein_tensor_free(start);
    return status;
}

rein_status rein_torch_fetch(const rein_tensor *from, size_t n, float *to)
{
    if (from) return rein_tensor_read(from, to, n * sizeof *to);
    memset(to, 0, n * sizeof *to);
    return REIN_OK;
}

/* ---- the net --------------------------------------------------------------------------------- */

static rein_status can_run(const rein_net_spec *spec)
{
    for (int i = 0; i < spec->n_layers; i++) {
        const rein_layer_kind kind = spec->layers[i].kind;
        if (kind != REIN_LAYER_LSTM && kind != REIN_LAYER_GRU) continue;
        char text[REIN_LAYER_TEXT];
        rein_layer_print(&spec->layers[i], text);
        return rein_fail(REIN_EUNSUPPORTED,
                         "layers[%d] '%s' has memory: it can only be the last of net.layers, and "
                         "of algo.id=ppo_recurrent",
                         i, text);
    }
    return rein_torch_engine_ready(spec->device);
}

/* Append a slice of this shape behind the last. */
static void add_slice(torch_net *net, size_t *at, int n_dims, const int64_t *shape)
{
    rein_torch_slice *s = &net->slices[net->n_slices++];
    *s = (rein_torch_slice){.at = *at, .n_dims = n_dims, .numel = 1};
    for (int i = 0; i < n_dims; i++) {
        s->shape[i] = shape[i];
        s->numel *= (size_t)shape[i];
    }
    *at += s->numel;
}

static void add_matrix(torch_net *net, size_t *at, int64_t rows, int64_t cols)
{
    add_slice(net, at, 2, (int64_t[]){rows, cols});
}

static void add_vector(torch_net *net, size_t *at, int64_t n)
{
    add_slice(net, at, 1, &n);
}

enum { BLOCK_SLICES = 12, BEFORE_BLOCKS = 3 };

/* As the order of torch.nn.TransformerEncoderLayer's parameters. */
static void add_attention(torch_net *net, size_t *at, const rein_layer *l,
                          const rein_layer_place *p)
{
    const int64_t d = l->units, tokens = p->out.dims[0];
    add_matrix(net, at, d, p->in.dims[p->in.n_dims - 1]); /* projection */
    add_vector(net, at, d);
    add_matrix(net, at, tokens, d); /* positions */
    for (int i = 0; i < l->blocks; i++) {
        add_matrix(net, at, 3 * d, d); /* q, k, v */
        add_vector(net, at, 3 * d);
        add_matrix(net, at, d, d); /* out */
        add_vector(net, at, d);
        add_matrix(net, at, 4 * d, d); /* feed-forward */
        add_vector(net, at, 4 * d);
        add_matrix(net, at, d, 4 * d);
        add_vector(net, at, d);
        for (int norm = 0; norm < 4; norm++) add_vector(net, at, d);
    }
}

static void add_layer(torch_net *net, const rein_layer *l, const rein_layer_place *p)
{
    const int64_t units = l->units, in = p->in.size;
    size_t at = p->weight_at;
    switch (l->kind) {
    case REIN_LAYER_LINEAR:
        add_matrix(net, &at, units, in);
        add_vector(net, &at, units);
        break;
    case REIN_LAYER_CONV:
        add_slice(net, &at, 4, (int64_t[]){units, p->in.dims[2], l->kernel_h, l->kernel_w});
        add_vector(net, &at, units);
        break;
    case REIN_LAYER_LAYERNORM:
        add_vector(net, &at, in);
        add_vector(net, &at, in);
        break;
    case REIN_LAYER_EMBEDDING:
        add_matrix(net, &at, l->values, units);
        break;
    case REIN_LAYER_ATTENTION:
        add_attention(net, &at, l, p);
        break;
    default:
        break;
    }
}

/* The slices of a script's parameters, in their order. */
static rein_status add_script(torch_net *net, int n, const rein_layer_place *p)
{
    size_t at = p->weight_at;
    for (int i = 0; i < n; i++) {
        int64_t shape[REIN_TORCH_MAX_DIMS];
        int n_dims = 0;
        rein_tensor *parameter = NULL;
        REIN_TRY(rein_torch_module_parameter(net->script, i, NULL, 0, &parameter));
        rein_status status = rein_tensor_shape(parameter, shape, REIN_TORCH_MAX_DIMS, &n_dims);
        rein_tensor_free(parameter);
        REIN_TRY(status);
        add_slice(net, &at, n_dims, shape);
    }
    if (at == p->bias_at) return REIN_OK;
    return rein_fail(REIN_EINVAL, "%s has %zu parameters, its layer %zu",
                     net->base.spec.script->name, at - p->weight_at, p->n_weights);
}

static void net_free(rein_net *base)
{
    torch_net *net = (torch_net *)base;
    rein_torch_module_free(net->script);
    free(net->slices);
    free(net);
}

static rein_status net_fill(torch_net *net, const rein_net_spec *spec, const rein_layout *layout)
{
    int n_script = 0, n = 1;
    net->base.spec = *spec;
    if (spec->layers[0].kind == REIN_LAYER_SCRIPT) {
        REIN_TRY(rein_torch_script_load(spec->script, spec->device, &net->script));
        REIN_TRY(rein_torch_module_n_parameters(net->script, &n_script));
    }
    for (int i = 0; i < spec->n_layers; i++) {
        const rein_layer *l = &spec->layers[i];
        n += BEFORE_BLOCKS + (l->kind == REIN_LAYER_ATTENTION ? l->blocks * BLOCK_SLICES : 0);
    }
    net->slices = calloc((size_t)n + (size_t)n_script, sizeof *net->slices);
    if (!net->slices) return rein_fail(REIN_ENOMEM, "no memory for a network");
    if (net->script) REIN_TRY(add_script(net, n_script, &layout->layers[0]));
    for (int i = 0; i < spec->n_layers; i++) {
        net->first_of[i] = i > 0 ? net->n_slices : 0;
        add_layer(net, &spec->layers[i], &layout->layers[i]);
    }
    net->base.n_packed = spec->device == REIN_NET_CPU ? 0 : REIN_TORCH_PACKED;
    return REIN_OK;
}

static rein_status net_create(const rein_net_spec *spec, const rein_layout *layout, rein_net **out)
{
    *out = NULL;
    torch_net *net = calloc(1, sizeof *net);
    if (!net) return rein_fail(REIN_ENOMEM, "no memory for a network");
    rein_status status = net_fill(net, spec, layout);
    if (status != REIN_OK) {
        net_free(&net->base);
        return status;
    }
    *out = &net->base;
    return REIN_OK;
}

static void net_pack(const rein_net *base, const float *params, float *packed)
{
    (void)params;
    if (base->n_packed > 0) rein_torch_mark(packed);
}

/* ---- the workspace --------------------------------------------------------------------------- */

static void forget(torch_workspace *w)
{
    rein_tensor_free(w->y);
    rein_tensor_free(w->x);
    w->x = w->y = NULL;
}

static void workspace_free(rein_net_workspace *base)
{
    torch_workspace *w = (torch_workspace *)base;
    forget(w);
    for (int i = 0; i < w->n_script && w->script_leaf; i++) rein_tensor_free(w->script_leaf[i]);
    rein_torch_module_free(w->script);
    rein_torch_leaves_free(&w->leaves);
    free(w->script_leaf);
    free(w->wanted);
    free(w->found);
    free(w);
}

/* A copy of the script for this thread, and handles of its parameters. */
static rein_status copy_script(const torch_net *net, torch_workspace *w)
{
    if (!net->script) return REIN_OK;
    REIN_TRY(rein_torch_module_clone(net->script, &w->script));
    REIN_TRY(rein_torch_module_n_parameters(w->script, &w->n_script));
    w->script_leaf = calloc((size_t)w->n_script + 1, sizeof *w->script_leaf);
    if (!w->script_leaf) return rein_fail(REIN_ENOMEM, "no memory for a workspace");
    for (int i = 0; i < w->n_script; i++) {
        REIN_TRY(rein_torch_module_parameter(w->script, i, NULL, 0, &w->script_leaf[i]));
        REIN_TRY(rein_tensor_require_grad(w->script_leaf[i], true));
    }
    return REIN_OK;
}

static rein_status workspace_create(const rein_net *base, int max_rows, rein_net_workspace **out)
{
    (void)max_rows; /* libtorch allocates as it goes */
    const torch_net *net = (const torch_net *)base;
    const size_t n = (size_t)net->n_slices + 1;
    torch_workspace *w = calloc(1, sizeof *w);
    if (!w) return rein_fail(REIN_ENOMEM, "no memory for a workspace");
    w->wanted = calloc(n, sizeof *w->wanted);
    w->found = calloc(n, sizeof *w->found);
    rein_status status = rein_torch_leaves_create(net->n_slices, &w->leaves);
    if (!w->wanted || !w->found) status = rein_fail(REIN_ENOMEM, "no memory for a workspace");
    if (status == REIN_OK) status = copy_script(net, w);
    if (status != REIN_OK) {
        workspace_free(&w->base);
        return status;
    }
    *out = &w->base;
    return REIN_OK;
}

/* ---- layers: *t becomes the layer's output --------------------------------------------------- */

static void replace(rein_tensor **t, rein_tensor *next)
{
    rein_tensor_free(*t);
    *t = next;
}

static rein_status to_linear(rein_tensor *const *p, rein_tensor **t)
{
    rein_tensor *next = NULL;
    REIN_TRY(rein_tensor_linear(*t, p[0], p[1], &next));
    replace(t, next);
    return REIN_OK;
}

static rein_status to_conv(const rein_layer *l, rein_tensor *const *p, rein_tensor **t)
{
    const int64_t stride[] = {l->stride, l->stride}, pad[] = {l->pad, l->pad};
    rein_tensor *next = NULL;
    REIN_TRY(rein_tensor_conv2d(*t, p[0], p[1], stride, pad, NULL, 1, &next));
    replace(t, next);
    return REIN_OK;
}

static rein_status to_activation(rein_activation activation, rein_tensor **t)
{
    static rein_status (*const functions[])(const rein_tensor *, rein_tensor **) = {
        [REIN_TANH] = rein_tensor_tanh,       [REIN_RELU] = rein_tensor_relu,
        [REIN_SILU] = rein_tensor_silu,       [REIN_GELU] = rein_tensor_gelu,
        [REIN_SIGMOID] = rein_tensor_sigmoid,
    };
    rein_tensor *next = NULL;
    if (activation == REIN_LINEAR) return REIN_OK;
    if (activation == REIN_ELU) {
        REIN_TRY(rein_tensor_elu(*t, 1, &next));
    } else {
        REIN_TRY(functions[activation](*t, &next));
    }
    replace(t, next);
    return REIN_OK;
}

static rein_status to_flat(rein_tensor **t)
{
    rein_tensor *next = NULL;
    REIN_TRY(rein_tensor_flatten(*t, 1, -1, &next));
    replace(t, next);
    return REIN_OK;
}

static rein_status to_layernorm(rein_tensor *const *p, rein_tensor **t)
{
    rein_tensor *next = NULL;
    REIN_TRY(rein_tensor_layer_norm(*t, 1, p[0], p[1], 1e-5, &next));
    replace(t, next);
    return REIN_OK;
}

/* Whole numbers 0 .. values - 1 of x, as the native engine rounds and bounds them. */
static rein_status whole_numbers(const rein_tensor *x, double scale, int values, rein_tensor **out)
{
    rein_tensor *t = NULL, *next = NULL;
    rein_status status = rein_tensor_mul_scalar(x, scale, &t);
    if (status == REIN_OK) status = rein_tensor_clamp(t, 0, values - 1, &next);
    if (status == REIN_OK) replace(&t, next);
    if (status == REIN_OK) status = rein_tensor_add_scalar(t, 0.5, &next);
    if (status == REIN_OK) replace(&t, next);
    if (status == REIN_OK) status = rein_tensor_floor(t, &next);
    if (status == REIN_OK) replace(&t, next);
    if (status == REIN_OK) {
        rein_torch_device device;
        status = rein_tensor_device(t, &device);
        if (status == REIN_OK) status = rein_tensor_to(t, REIN_TORCH_I64, device, out);
    }
    rein_tensor_free(t);
    return status;
}

/* x [N, ..., C] -> [N, ..., C units]. */
static rein_status to_embedding(const torch_net *net, const rein_layer *l, rein_tensor *const *p,
                                int n, rein_tensor **t)
{
    const rein_layer_place *place = &net->base.layout.layers[0];
    const double scale = net->base.spec.input_scale > 0 ? (double)net->base.spec.input_scale : 1;
    int64_t shape[REIN_NET_DIMS + 1] = {n};
    for (int i = 0; i < place->out.n_dims; i++) shape[i + 1] = place->out.dims[i];
    rein_tensor *index = NULL, *rows = NULL, *next = NULL;
    rein_status status = whole_numbers(*t, scale, l->values, &index);
    if (status == REIN_OK) status = rein_tensor_embedding(p[0], index, &rows);
    if (status == REIN_OK) {
        status = rein_tensor_reshape(rows, shape, place->out.n_dims + 1, &next);
    }
    rein_tensor_free(index);
    rein_tensor_free(rows);
    if (status == REIN_OK) replace(t, next);
    return status;
}

/* [N, H, W, C] -> [N, C, H, W] or back, without a copy. */
static rein_status permute_image(bool back, rein_tensor **t)
{
    static const int64_t in[] = {0, 3, 1, 2}, out[] = {0, 2, 3, 1};
    rein_tensor *next = NULL;
    REIN_TRY(rein_tensor_permute(*t, back ? out : in, 4, &next));
    replace(t, next);
    return REIN_OK;
}

/* *t += f(layernorm(*t)), f being attention over all tokens or two linear layers: the order of
 * norms that leaves a straight way through (Xiong et al. 2020; Parisotto et al. 2020, eq. 4). */
static rein_status residual(const rein_layer *l, rein_tensor *const *p, bool attend,
                            rein_tensor **t)
{
    rein_tensor *const *norm = p + (attend ? 8 : 10);
    rein_tensor *branch = NULL, *next = NULL;
    rein_status status = rein_tensor_layer_norm(*t, 1, norm[0], norm[1], 1e-5, &branch);
    if (status == REIN_OK && attend) {
        status = rein_tensor_attention(branch, branch, p[0], p[1], p[2], p[3], l->heads, NULL,
                                       false, &next, NULL);
        if (status == REIN_OK) replace(&branch, next);
    } else if (status == REIN_OK) {
        status = to_linear(p + 4, &branch);
        if (status == REIN_OK) status = to_activation(REIN_RELU, &branch);
        if (status == REIN_OK) status = to_linear(p + 6, &branch);
    }
    next = NULL;
    if (status == REIN_OK) status = rein_tensor_add(*t, branch, &next);
    rein_tensor_free(branch);
    if (status == REIN_OK) replace(t, next);
    return status;
}

/* [N, C, H, W] or [N, T, C] -> [N, tokens, dim]. */
static rein_status to_attention(const rein_layer *l, const rein_layer_place *place,
                                rein_tensor *const *p, rein_tensor **t)
{
    rein_tensor *next = NULL;
    if (place->in.n_dims == 3) {
        REIN_TRY(rein_tensor_flatten(*t, 2, 3, &next));
        replace(t, next);
        REIN_TRY(rein_tensor_transpose(*t, 1, 2, &next));
        replace(t, next);
    }
    REIN_TRY(to_linear(p, t));
    REIN_TRY(rein_tensor_add(*t, p[2], &next));
    replace(t, next);
    p += BEFORE_BLOCKS;
    for (int i = 0; i < l->blocks; i++, p += BLOCK_SLICES) {
        REIN_TRY(residual(l, p, true, t));
        REIN_TRY(residual(l, p, false, t));
    }
    return REIN_OK;
}

static rein_status to_layer(const torch_net *net, int i, rein_tensor *const *leaf, rein_tensor **t)
{
    const rein_layer *l = &net->base.spec.layers[i];
    rein_tensor *const *p = leaf + net->first_of[i];
    switch (l->kind) {
    case REIN_LAYER_LINEAR:
        return to_linear(p, t);
    case REIN_LAYER_CONV:
        return to_conv(l, p, t);
    case REIN_LAYER_ACTIVATION:
        return to_activation(l->activation, t);
    case REIN_LAYER_FLATTEN:
        return to_flat(t);
    case REIN_LAYER_LAYERNORM:
        return to_layernorm(p, t);
    case REIN_LAYER_ATTENTION:
        return to_attention(l, &net->base.layout.layers[i], p, t);
    default:
        return rein_fail(REIN_EUNSUPPORTED, "layers[%d]: the torch engine has no such layer", i);
    }
}

/* ---- forward and backward -------------------------------------------------------------------- */

/* Through all layers; *t is x, and in the end y [n, n_out]. */
static rein_status run_layers(const torch_net *net, const torch_workspace *w,
                              rein_tensor *const *leaf, int n, rein_tensor **t)
{
    const rein_net_spec *spec = &net->base.spec;
    int i = 0;
    if (w->script) {
        REIN_TRY(rein_torch_script_run(w->script, t));
        for (i = 1; i < spec->n_layers; i++) REIN_TRY(to_layer(net, i, leaf, t));
        return REIN_OK;
    }
    if (spec->layers[0].kind == REIN_LAYER_EMBEDDING) {
        REIN_TRY(to_embedding(net, &spec->layers[0], leaf + net->first_of[0], n, t));
        i = 1;
    }
    if (spec->n_dims == 3) REIN_TRY(permute_image(false, t));
    for (; i < spec->n_layers; i++) REIN_TRY(to_layer(net, i, leaf, t));
    const bool image = net->base.layout.layers[spec->n_layers - 1].out.n_dims == 3;
    return image ? permute_image(true, t) : REIN_OK;
}

static rein_status net_forward(const rein_net *base, const float *params, const float *packed,
                               rein_net_workspace *workspace, const float *x, int n, float *y)
{
    const torch_net *net = (const torch_net *)base;
    const rein_net_spec *spec = &base->spec;
    torch_workspace *w = (torch_workspace *)workspace;
    int64_t shape[REIN_NET_DIMS + 1] = {n};
    rein_tensor **leaf = NULL, *t = NULL;
    for (int i = 0; i < spec->n_dims; i++) shape[i + 1] = spec->shape[i];
    forget(w);
    if (n == 0) return REIN_OK;
    REIN_TRY(rein_torch_leaves_of(&w->leaves, net->slices, spec->device, params, packed, &leaf));
    REIN_TRY(rein_torch_place(spec->device, shape, spec->n_dims + 1, x, &w->x));
    REIN_TRY(rein_tensor_require_grad(w->x, true));
    memcpy(w->wanted, leaf, (size_t)net->n_slices * sizeof *leaf);
    w->wanted[net->n_slices] = w->x;
    for (int i = 0; i < w->n_script; i++) { /* the module keeps its own handles: they move in */
        REIN_TRY(rein_tensor_set_data(w->script_leaf[i], leaf[i]));
        w->wanted[i] = w->script_leaf[i];
    }
    w->n = n;
    rein_status status = rein_tensor_alias(w->x, &t);
    if (status == REIN_OK) status = run_layers(net, w, leaf, n, &t);
    if (status == REIN_OK) {
        status = rein_torch_fetch(t, (size_t)n * (size_t)base->layout.n_out, y);
    }
    if (status != REIN_OK) {
        rein_tensor_free(t);
        return status;
    }
    w->y = t;
    return REIN_OK;
}

static rein_status net_backward(const rein_net *base, const float *params, const float *packed,
                                rein_net_workspace *workspace, const float *dy, float *grad,
                                float *dx)
{
    (void)params;
    (void)packed;
    const torch_net *net = (const torch_net *)base;
    torch_workspace *w = (torch_workspace *)workspace;
    const int n = net->n_slices + (dx ? 1 : 0);
    rein_tensor *y = w->y;
    if (n == 0) return REIN_OK;
    if (!y) {
        memset(grad, 0, base->layout.n_params * sizeof *grad);
        return REIN_OK;
    }
    int64_t shape[REIN_NET_DIMS + 1] = {w->n};
    int n_dims = 0;
    rein_status status = rein_tensor_shape(y, shape, REIN_NET_DIMS + 1, &n_dims);
    if (status == REIN_OK) {
        status = rein_torch_back(base->spec.device, y, shape, n_dims, dy, w->wanted, n, w->found);
    }
    for (int i = 0; i < net->n_slices && status == REIN_OK; i++) {
        const rein_torch_slice *s = &net->slices[i];
        status = rein_torch_fetch(w->found[i], s->numel, grad + s->at);
    }
    if (dx && status == REIN_OK) {
        status =
            rein_torch_fetch(w->found[net->n_slices], (size_t)w->n * (size_t)base->layout.n_in, dx);
    }
    for (int i = 0; i < n; i++) {
        rein_tensor_free(w->found[i]);
        w->found[i] = NULL;
    }
    forget(w); /* the graph is spent */
    return status;
}

const rein_engine rein_engine_torch = {
    .name = "torch",
    .can_run = can_run,
    .create = net_create,
    .free = net_free,
    .pack = net_pack,
    .workspace_create = workspace_create,
    .workspace_free = workspace_free,
    .forward = net_forward,
    .backward = net_backward,
    .cells = &rein_cells_torch,
};
