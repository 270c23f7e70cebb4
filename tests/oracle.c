#include "tests/oracle.h"

enum { MAX_KEPT = 8192, MAX_ARRAYS = 512 };

static rein_tensor *kept[MAX_KEPT];
static int n_kept;
static void *arrays[MAX_ARRAYS];
static int n_arrays;
static char case_name[64], case_text[256];
static uint64_t case_seed;
static rein_torch_dtype precision = REIN_TORCH_F64;

/* --- cases ------------------------------------------------------------------------------------ */

void o_fail(const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fail_msg("%s: %s\n  case: %s\n  alone: REIN_ORACLE_SEED=%llu REIN_ORACLE_CASES=1", case_name,
             text, case_text, (unsigned long long)case_seed);
}

void o_ok(rein_status status)
{
    if (status != REIN_OK) o_fail("%s", rein_error_message());
}

void o_say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(case_text, sizeof case_text, format, list);
    va_end(list);
}

static void release(void)
{
    while (n_kept > 0) rein_tensor_free(kept[--n_kept]);
    while (n_arrays > 0) free(arrays[--n_arrays]);
}

static uint64_t wish(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

void o_cases(const char *name, int n, void (*body)(rein_rng *rng))
{
    const uint64_t first = wish("REIN_ORACLE_SEED", 1);
    const uint64_t count = wish("REIN_ORACLE_CASES", (uint64_t)n);
    int64_t live = -1;
    release(); /* of a case that failed */
    o_ok(rein_torch_n_live(&live));
    snprintf(case_name, sizeof case_name, "%s", name);
    for (uint64_t i = 0; i < count; i++) {
        rein_rng rng = rein_rng_stream(first + i, REIN_RNG_TEST, 0, 0);
        case_seed = first + i;
        case_text[0] = '\0';
        precision = REIN_TORCH_F64;
        body(&rng);
        release();
    }
    int64_t after = -1;
    o_ok(rein_torch_n_live(&after));
    assert_int_equal(after, live);
    print_message("%s: %llu cases from seed %llu\n", name, (unsigned long long)count,
                  (unsigned long long)first);
}

/* --- arrays and random numbers ---------------------------------------------------------------- */

void *o_bytes(size_t n)
{
    assert_true(n_arrays < MAX_ARRAYS);
    const size_t size = (n + 64) / 64 * 64;
    void *out = aligned_alloc(64, size);
    assert_non_null(out);
    memset(out, 0, size);
    return arrays[n_arrays++] = out;
}

float *o_floats(size_t n)
{
    float *out = o_bytes(n * sizeof *out);
    for (size_t i = 0; i < n; i++) out[i] = NAN;
    return out;
}

float *o_normals(rein_rng *rng, size_t n, double scale)
{
    float *out = o_floats(n);
    for (size_t i = 0; i < n; i++) out[i] = (float)(scale * rein_rng_normal(rng));
    return out;
}

int o_int(rein_rng *rng, int low, int high)
{
    return low + (int)rein_rng_below(rng, (uint32_t)(high - low + 1));
}

bool o_chance(rein_rng *rng, double chance)
{
    return rein_rng_uniform(rng) < chance;
}

double o_log_uniform(rein_rng *rng, double low, double high)
{
    return exp(rein_rng_uniform_in(rng, log(low), log(high)));
}

/* --- tensors ---------------------------------------------------------------------------------- */

rein_tensor *o_keep(rein_tensor *t)
{
    assert_true(n_kept < MAX_KEPT);
    return kept[n_kept++] = t;
}

static rein_tensor *of(rein_torch_dtype type, const void *values, const int64_t *shape, int n_dims)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_from_data(type, REIN_TORCH_CPU, shape, n_dims, values, &t));
    return o_keep(t);
}

static rein_tensor *to(const rein_tensor *a, rein_torch_dtype type)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_to(a, type, REIN_TORCH_CPU, &t));
    return o_keep(t);
}

void o_precision(rein_torch_dtype type)
{
    precision = type;
}

rein_tensor *o_const(const float *values, const int64_t *shape, int n_dims)
{
    return to(of(REIN_TORCH_F32, values, shape, n_dims), precision);
}

rein_tensor *o_leaf(const float *values, const int64_t *shape, int n_dims)
{
    rein_tensor *t = o_const(values, shape, n_dims);
    o_ok(rein_tensor_require_grad(t, true));
    return t;
}

rein_tensor *o_scalar(double value)
{
    return to(of(REIN_TORCH_F64, &value, NULL, 0), precision);
}

rein_tensor *o_index(const int32_t *values, int n)
{
    rein_tensor *t = NULL;
    o_ok(
        rein_tensor_to(of(REIN_TORCH_I32, values, O_SHAPE(n)), REIN_TORCH_I64, REIN_TORCH_CPU, &t));
    return o_keep(t);
}

rein_tensor *o_mask(const uint8_t *values, const int64_t *shape, int n_dims)
{
    return of(REIN_TORCH_BOOL, values, shape, n_dims);
}

rein_tensor *o_bytes_const(const uint8_t *values, const int64_t *shape, int n)
{
    return to(of(REIN_TORCH_U8, values, shape, n), precision);
}

#define X(name)                                                                                    \
    rein_tensor *o_##name(const rein_tensor *a)                                                    \
    {                                                                                              \
        rein_tensor *t = NULL;                                                                     \
        o_ok(rein_tensor_##name(a, &t));                                                           \
        return o_keep(t);                                                                          \
    }
O_ONE(X)
#undef X
#define X(name)                                                                                    \
    rein_tensor *o_##name(const rein_tensor *a, const rein_tensor *b)                              \
    {                                                                                              \
        rein_tensor *t = NULL;                                                                     \
        o_ok(rein_tensor_##name(a, b, &t));                                                        \
        return o_keep(t);                                                                          \
    }
O_TWO(X)
#undef X

rein_tensor *o_plus(const rein_tensor *a, double value)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_add_scalar(a, value, &t));
    return o_keep(t);
}

rein_tensor *o_times(const rein_tensor *a, double value)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_mul_scalar(a, value, &t));
    return o_keep(t);
}

rein_tensor *o_clamp(const rein_tensor *a, double low, double high)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_clamp(a, low, high, &t));
    return o_keep(t);
}

rein_tensor *o_view(const rein_tensor *a, const int64_t *shape, int n_dims)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_reshape(a, shape, n_dims, &t));
    return o_keep(t);
}

rein_tensor *o_permute(const rein_tensor *a, const int64_t *dims, int n_dims)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_permute(a, dims, n_dims, &t));
    return o_keep(t);
}

rein_tensor *o_sum(const rein_tensor *a, const int64_t *dims, int n_dims)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_sum(a, dims, n_dims, false, &t));
    return o_keep(t);
}

rein_tensor *o_total(const rein_tensor *a)
{
    return o_sum(a, NULL, 0);
}

rein_tensor *o_mean(const rein_tensor *a)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_mean(a, NULL, 0, false, &t));
    return o_keep(t);
}

rein_tensor *o_narrow(const rein_tensor *a, int dim, int64_t start, int64_t length)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_narrow(a, dim, start, length, &t));
    return o_keep(t);
}

rein_tensor *o_select(const rein_tensor *a, int dim, int64_t index)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_select(a, dim, index, &t));
    return o_keep(t);
}

rein_tensor *o_pick(const rein_tensor *a, const rein_tensor *index)
{
    rein_tensor *column = NULL, *t = NULL;
    o_ok(rein_tensor_unsqueeze(index, 1, &column));
    o_keep(column);
    o_ok(rein_tensor_gather(a, 1, column, &t));
    return O_VIEW(o_keep(t), -1);
}

double o_item(const rein_tensor *a)
{
    double value = NAN;
    o_ok(rein_tensor_item(a, &value));
    return value;
}

double o_largest(const rein_tensor *a)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_max(O_VIEW(o_abs(o_detach(a)), -1), 0, false, &t, NULL));
    return o_item(o_keep(t));
}

double o_smallest(const rein_tensor *a)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_min(O_VIEW(o_abs(o_detach(a)), -1), 0, false, &t, NULL));
    return o_item(o_keep(t));
}

void o_backward(const rein_tensor *y, const rein_tensor *dy)
{
    o_ok(rein_tensor_backward(y, dy, false));
}

rein_tensor *o_grad(const rein_tensor *leaf)
{
    rein_tensor *t = NULL;
    const rein_status status = rein_tensor_grad(leaf, &t);
    if (status == REIN_EEMPTY) return o_times(o_detach(leaf), 0);
    o_ok(status);
    return o_keep(t);
}

/* --- comparison ------------------------------------------------------------------------------- */

/* Freed by the caller. */
static double *numbers(const rein_tensor *a, int64_t *n, double *largest)
{
    o_ok(rein_tensor_numel(a, n));
    const size_t bytes = (size_t)*n * sizeof(double);
    double *out = malloc(bytes + 1);
    assert_non_null(out);
    o_ok(rein_tensor_read(to(a, REIN_TORCH_F64), out, bytes));
    *largest = 0;
    for (int64_t i = 0; i < *n; i++) *largest = fmax(*largest, fabs(out[i]));
    return out;
}

static void close_within(const char *what, const float *got, const double *want, int64_t n,
                         double largest, double allowed)
{
    for (int64_t i = 0; i < n; i++) {
        if (fabs((double)got[i] - want[i]) <= allowed) continue;
        o_fail("%s[%lld of %lld] is %.9g, not %.9g: off by %.2g of the largest entry %.3g", what,
               (long long)i, (long long)n, (double)got[i], want[i],
               fabs((double)got[i] - want[i]) / largest, largest);
    }
}

void o_close_but(const char *what, const float *got, const rein_tensor *wanted, double rounding)
{
    int64_t n;
    double largest, *want = numbers(wanted, &n, &largest);
    close_within(what, got, want, n, largest, 1e-5 * largest + rounding);
    free(want);
}

void o_close_like(const char *what, const float *got, const rein_tensor *wanted,
                  const rein_tensor *twin)
{
    int64_t n, n_twin;
    double largest, unused, off = 0;
    double *want = numbers(wanted, &n, &largest), *other = numbers(twin, &n_twin, &unused);
    assert_int_equal(n, n_twin);
    for (int64_t i = 0; i < n; i++) off = fmax(off, fabs(other[i] - want[i]));
    close_within(what, got, want, n, largest, fmax(1e-5 * largest, 4 * off));
    free(want), free(other);
}

void o_close(const char *what, const float *got, const rein_tensor *wanted)
{
    o_close_but(what, got, wanted, 0);
}

void o_close_number(const char *what, double got, double wanted, double rounding)
{
    if (fabs(got - wanted) <= 1e-5 * fabs(wanted) + rounding) return;
    o_fail("%s is %.9g, not %.9g", what, got, wanted);
}

/* --- networks --------------------------------------------------------------------------------- */

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

static rein_tensor *layer(o_net *net, const rein_layer *l, rein_tensor *x)
{
    int64_t shape[REIN_NET_DIMS + 2];
    int n_dims = 0;
    rein_tensor *t = NULL, *w, *b;
    o_ok(rein_tensor_shape(x, shape, REIN_NET_DIMS + 2, &n_dims));
    const int64_t last = shape[n_dims - 1];
    switch (l->kind) {
    case REIN_LAYER_LINEAR:
        w = TAKE(net, l->units, last), b = TAKE(net, l->units);
        o_ok(rein_tensor_linear(x, w, b, &t));
        return o_keep(t);
    case REIN_LAYER_CONV:
        return conv(net, l, x, last);
    case REIN_LAYER_ACTIVATION:
        return activation(net, l->activation, x);
    case REIN_LAYER_FLATTEN:
        if (n_dims == 4) x = O_PERMUTE(x, 0, 3, 1, 2);
        return O_VIEW(x, shape[0], -1);
    case REIN_LAYER_LAYERNORM:
        w = TAKE(net, last), b = TAKE(net, last);
        o_ok(rein_tensor_layer_norm(x, 1, w, b, 1e-5, &t));
        return o_keep(t);
    case REIN_LAYER_EMBEDDING:
        return embedding(net, l, x, shape, n_dims);
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
