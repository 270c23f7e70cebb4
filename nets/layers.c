#include "nets/layers.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"

/* MAX_WORK: numbers of a row on its way through all layers, with those that a convolution takes
 * apart; so that a few words of text cannot ask for all memory. */
enum { MAX_WORK = 1 << 22 };
enum { MAX_UNITS = 1 << 20, MAX_KERNEL = 64, MAX_WORDS = 8, WORD_SIZE = 24 };

/* ---- words ----------------------------------------------------------------------------------- */

/* One for each rein_layer_kind, but ACTIVATION, which is called by its own word. */
static const char *const kind_words[] = {
    [REIN_LAYER_LINEAR] = "linear",       [REIN_LAYER_CONV] = "conv",
    [REIN_LAYER_ACTIVATION] = NULL,       [REIN_LAYER_FLATTEN] = "flatten",
    [REIN_LAYER_LAYERNORM] = "layernorm", [REIN_LAYER_EMBEDDING] = "embedding",
    [REIN_LAYER_LSTM] = "lstm",           [REIN_LAYER_GRU] = "gru",
    [REIN_LAYER_ATTENTION] = "attention", [REIN_LAYER_SCRIPT] = "script",
};
static const char *const activation_words[] = {
    [REIN_TANH] = "tanh", [REIN_RELU] = "relu", [REIN_ELU] = "elu",
    [REIN_SILU] = "silu", [REIN_GELU] = "gelu", [REIN_SIGMOID] = "sigmoid",
};
enum {
    N_KINDS = sizeof kind_words / sizeof kind_words[0],
    N_ACTIVATIONS = sizeof activation_words / sizeof activation_words[0],
};

typedef struct words {
    int n;
    char word[MAX_WORDS][WORD_SIZE];
} words;

static rein_status split(const char *text, words *out)
{
    out->n = 0;
    for (const char *at = text;;) {
        at += strspn(at, " \t");
        const size_t length = strcspn(at, " \t");
        if (length == 0) return REIN_OK;
        if (out->n == MAX_WORDS || length >= WORD_SIZE) {
            return rein_fail(REIN_EINVAL, "'%.60s' is too long for a layer", text);
        }
        snprintf(out->word[out->n++], WORD_SIZE, "%.*s", (int)length, at);
        at += length;
    }
}

static rein_status unknown(const char *text, const char *word)
{
    const char *near = NULL;
    int distance = rein_hint_distance(word) + 1;
    for (int i = 0; i < N_KINDS + N_ACTIVATIONS; i++) {
        const char *known = i < N_KINDS ? kind_words[i] : activation_words[i - N_KINDS];
        const int d = known ? rein_edit_distance(word, known) : distance;
        if (d < distance) {
            distance = d;
            near = known;
        }
    }
    if (near) return rein_fail(REIN_EINVAL, "'%s': did you mean %s?", text, near);
    return rein_fail(REIN_EINVAL,
                     "'%s': layers are linear, conv, tanh, relu, elu, silu, gelu, sigmoid, "
                     "flatten, layernorm, embedding, lstm, gru, attention",
                     text);
}

/* A whole number from low to high, all of `text`. */
static bool number(const char *text, int low, int high, int *out)
{
    char *end;
    if (!isdigit((unsigned char)text[0])) return false;
    const long value = strtol(text, &end, 10);
    if (*end != '\0' || value < low || value > high) return false;
    *out = (int)value;
    return true;
}

/* "3x4" */
static bool kernel(const char *text, int *h, int *w)
{
    char copy[WORD_SIZE];
    snprintf(copy, sizeof copy, "%s", text);
    char *x = strchr(copy, 'x');
    if (!x) return false;
    *x = '\0';
    return number(copy, 1, MAX_KERNEL, h) && number(x + 1, 1, MAX_KERNEL, w);
}

/* ---- text to layer and back ------------------------------------------------------------------ */

static rein_status usage(const char *text, const char *form)
{
    return rein_fail(REIN_EINVAL, "'%s': write %s", text, form);
}

static rein_status parse_conv(const char *text, const words *w, rein_layer *out)
{
    static const char form[] = "conv CHANNELS HxW [stride N] [pad N], as in conv 16 3x3";
    out->stride = 1;
    if (w->n < 3 || w->n % 2 == 0 || !number(w->word[1], 1, MAX_UNITS, &out->units) ||
        !kernel(w->word[2], &out->kernel_h, &out->kernel_w)) {
        return usage(text, form);
    }
    bool stride = false, pad = false;
    for (int i = 3; i < w->n; i += 2) {
        if (strcmp(w->word[i], "stride") == 0 && !stride) {
            stride = number(w->word[i + 1], 1, MAX_KERNEL, &out->stride);
            if (!stride) return usage(text, form);
        } else if (strcmp(w->word[i], "pad") == 0 && !pad) {
            pad = number(w->word[i + 1], 0, MAX_KERNEL, &out->pad);
            if (!pad) return usage(text, form);
        } else {
            return usage(text, form);
        }
    }
    return REIN_OK;
}

static rein_status parse_attention(const char *text, const words *w, rein_layer *out)
{
    static const char form[] = "attention heads=4 dim=64 layers=2";
    const struct {
        const char *name;
        int *value;
    } keys[] = {{"heads=", &out->heads}, {"dim=", &out->units}, {"layers=", &out->blocks}};
    for (int i = 1; i < w->n; i++) {
        bool known = false;
        for (int k = 0; k < 3 && !known; k++) {
            const size_t length = strlen(keys[k].name);
            known = strncmp(w->word[i], keys[k].name, length) == 0 && *keys[k].value == 0 &&
                    number(w->word[i] + length, 1, k == 1 ? MAX_UNITS : 64, keys[k].value);
        }
        if (!known) return usage(text, form);
    }
    if (!out->heads || !out->units || !out->blocks) return usage(text, form);
    if (out->units % out->heads == 0) return REIN_OK;
    return rein_fail(REIN_EINVAL, "'%s': dim must be a multiple of heads", text);
}

static rein_status parse_words(const char *text, const words *w, rein_layer *out)
{
    switch (out->kind) {
    case REIN_LAYER_CONV:
        return parse_conv(text, w, out);
    case REIN_LAYER_ATTENTION:
        return parse_attention(text, w, out);
    case REIN_LAYER_EMBEDDING:
        if (w->n == 3 && number(w->word[1], 1, MAX_UNITS, &out->values) &&
            number(w->word[2], 1, MAX_UNITS, &out->units)) {
            return REIN_OK;
        }
        return usage(text, "embedding VALUES NUMBERS, as in embedding 11 8");
    case REIN_LAYER_SCRIPT:
        if (w->n == 3 && number(w->word[1], 1, MAX_UNITS, &out->units) &&
            number(w->word[2], 0, INT32_MAX, &out->values)) {
            return REIN_OK;
        }
        return usage(text, "net.script: FILE instead of a layer");
    case REIN_LAYER_LINEAR:
    case REIN_LAYER_LSTM:
    case REIN_LAYER_GRU:
        if (w->n == 2 && number(w->word[1], 1, MAX_UNITS, &out->units)) return REIN_OK;
        return rein_fail(REIN_EINVAL, "'%s': write %s UNITS, as in %s 128 (1 to %d)", text,
                         w->word[0], w->word[0], MAX_UNITS);
    default:
        if (w->n == 1) return REIN_OK;
        return rein_fail(REIN_EINVAL, "'%s': %s takes nothing behind it", text, w->word[0]);
    }
}

rein_status rein_layer_parse(const char *text, rein_layer *out)
{
    words w;
    *out = (rein_layer){0};
    REIN_TRY(split(text, &w));
    if (w.n == 0) return rein_fail(REIN_EINVAL, "a layer without a name");
    for (int i = 0; i < N_ACTIVATIONS; i++) {
        if (strcmp(w.word[0], activation_words[i]) != 0) continue;
        out->kind = REIN_LAYER_ACTIVATION;
        out->activation = (rein_activation)i;
        return parse_words(text, &w, out);
    }
    for (int i = 0; i < N_KINDS; i++) {
        if (!kind_words[i] || strcmp(w.word[0], kind_words[i]) != 0) continue;
        out->kind = (rein_layer_kind)i;
        return parse_words(text, &w, out);
    }
    return unknown(text, w.word[0]);
}

void rein_layer_print(const rein_layer *l, char out[REIN_LAYER_TEXT])
{
    const bool known = (int)l->kind >= 0 && (int)l->kind < N_KINDS;
    const char *word = known && kind_words[l->kind] ? kind_words[l->kind] : "?";
    int n = 0;
    switch (l->kind) {
    case REIN_LAYER_CONV:
        n = snprintf(out, REIN_LAYER_TEXT, "conv %d %dx%d", l->units, l->kernel_h, l->kernel_w);
        if (l->stride != 1) {
            n += snprintf(out + n, (size_t)(REIN_LAYER_TEXT - n), " stride %d", l->stride);
        }
        if (l->pad != 0) snprintf(out + n, (size_t)(REIN_LAYER_TEXT - n), " pad %d", l->pad);
        break;
    case REIN_LAYER_ACTIVATION:
        snprintf(out, REIN_LAYER_TEXT, "%s",
                 (int)l->activation >= 0 && (int)l->activation < N_ACTIVATIONS
                     ? activation_words[l->activation]
                     : "?");
        break;
    case REIN_LAYER_EMBEDDING:
        snprintf(out, REIN_LAYER_TEXT, "embedding %d %d", l->values, l->units);
        break;
    case REIN_LAYER_SCRIPT:
        snprintf(out, REIN_LAYER_TEXT, "script %d %d", l->units, l->values);
        break;
    case REIN_LAYER_ATTENTION:
        snprintf(out, REIN_LAYER_TEXT, "attention heads=%d dim=%d layers=%d", l->heads, l->units,
                 l->blocks);
        break;
    case REIN_LAYER_LINEAR:
    case REIN_LAYER_LSTM:
    case REIN_LAYER_GRU:
        snprintf(out, REIN_LAYER_TEXT, "%s %d", word, l->units);
        break;
    default:
        snprintf(out, REIN_LAYER_TEXT, "%s", word);
        break;
    }
}

void rein_layers_print(const rein_net_spec *spec, char out[REIN_LAYERS_TEXT])
{
    char *at = out;
    *at = '\0';
    for (int i = 0; i < spec->n_layers && i < REIN_MAX_LAYERS; i++) {
        if (i > 0) at = stpcpy(at, ", ");
        rein_layer_print(&spec->layers[i], at);
        at += strlen(at);
    }
}

rein_status rein_layers_parse(const char *text, rein_net_spec *out)
{
    out->n_layers = 0;
    for (const char *at = text; *at;) {
        char word[REIN_LAYER_TEXT];
        const size_t length = strcspn(at, ",");
        rein_layer layer;
        rein_status status;
        if (length >= sizeof word) {
            status = rein_fail(REIN_EINVAL, "'%.40s...' is too long for a layer", at);
        } else {
            snprintf(word, sizeof word, "%.*s", (int)length, at);
            status = rein_layer_parse(word + strspn(word, " "), &layer);
        }
        if (status != REIN_OK) {
            return rein_fail(status, "layers[%d] %s", out->n_layers, rein_error_message());
        }
        REIN_TRY(rein_net_spec_add(out, layer));
        at += length + (at[length] == ',');
    }
    return REIN_OK;
}

/* ---- making specs ---------------------------------------------------------------------------- */

rein_status rein_net_spec_add(rein_net_spec *spec, rein_layer layer)
{
    if (spec->n_layers >= REIN_MAX_LAYERS) {
        return rein_fail(REIN_EINVAL, "a network of more than %d layers", REIN_MAX_LAYERS);
    }
    spec->layers[spec->n_layers++] = layer;
    return REIN_OK;
}

rein_net_spec rein_net_spec_mlp(int n_in, const int *hidden, int n_hidden,
                                rein_activation activation, int n_out)
{
    rein_net_spec spec = {.n_dims = 1, .shape = {n_in}};
    const int per_hidden = activation == REIN_LINEAR ? 1 : 2;
    if (per_hidden * n_hidden + 1 > REIN_MAX_LAYERS) {
        spec.n_layers = per_hidden * n_hidden + 1;
        return spec;
    }
    for (int i = 0; i < n_hidden; i++) {
        spec.layers[spec.n_layers++] = (rein_layer){.kind = REIN_LAYER_LINEAR, .units = hidden[i]};
        if (activation == REIN_LINEAR) continue;
        spec.layers[spec.n_layers++] =
            (rein_layer){.kind = REIN_LAYER_ACTIVATION, .activation = activation};
    }
    spec.layers[spec.n_layers++] = (rein_layer){.kind = REIN_LAYER_LINEAR, .units = n_out};
    return spec;
}

/* ---- shapes and parameters ------------------------------------------------------------------- */

static bool shape_set(rein_shape *shape, int n_dims, const int *dims)
{
    int64_t size = 1;
    *shape = (rein_shape){.n_dims = n_dims};
    for (int i = 0; i < n_dims; i++) {
        shape->dims[i] = dims[i];
        size *= dims[i];
        if (dims[i] < 1 || size > 1 << 24) return false;
    }
    shape->size = (int)size;
    return true;
}

static bool in_range(int value, int low, int high)
{
    return value >= low && value <= high;
}

/* Numbers of a layer that no text can give, but a program can. */
static rein_status check_numbers(const rein_layer *l)
{
    const bool has_units = l->kind != REIN_LAYER_ACTIVATION && l->kind != REIN_LAYER_FLATTEN &&
                           l->kind != REIN_LAYER_LAYERNORM;
    if ((int)l->kind < 0 || (int)l->kind >= N_KINDS) {
        return rein_fail(REIN_EINVAL, "a layer of kind %d", (int)l->kind);
    }
    if (has_units && !in_range(l->units, 1, MAX_UNITS)) {
        return rein_fail(REIN_EINVAL, "%d units: 1 to %d are possible", l->units, MAX_UNITS);
    }
    if (l->kind == REIN_LAYER_CONV &&
        !(in_range(l->kernel_h, 1, MAX_KERNEL) && in_range(l->kernel_w, 1, MAX_KERNEL) &&
          in_range(l->stride, 1, MAX_KERNEL) && in_range(l->pad, 0, MAX_KERNEL))) {
        return rein_fail(REIN_EINVAL, "kernel, stride and pad are at most %d", MAX_KERNEL);
    }
    if (l->kind == REIN_LAYER_ACTIVATION && !in_range((int)l->activation, 0, N_ACTIVATIONS - 1)) {
        return rein_fail(REIN_EINVAL, "activation %d is not one of " REIN_ACTIVATION_WORDS,
                         (int)l->activation);
    }
    if (l->kind == REIN_LAYER_SCRIPT && l->values < 0) {
        return rein_fail(REIN_EINVAL, "%d parameters", l->values);
    }
    if (l->kind == REIN_LAYER_EMBEDDING && !in_range(l->values, 1, MAX_UNITS)) {
        return rein_fail(REIN_EINVAL, "%d values: 1 to %d are possible", l->values, MAX_UNITS);
    }
    if (l->kind == REIN_LAYER_ATTENTION &&
        !(in_range(l->heads, 1, 64) && in_range(l->blocks, 1, 64) && l->units % l->heads == 0)) {
        return rein_fail(REIN_EINVAL, "dim must be a multiple of heads; layers are 1 to 64");
    }
    return REIN_OK;
}

static rein_status place_conv(const rein_layer *l, int index, rein_layer_place *p)
{
    const rein_shape *in = &p->in;
    if (in->n_dims != 3) {
        return rein_fail(REIN_EINVAL, "conv needs an image [height, width, channels]%s",
                         index > 0 ? ": put it before flatten" : ", the input is none");
    }
    const int h = in->dims[0] + 2 * l->pad - l->kernel_h,
              w = in->dims[1] + 2 * l->pad - l->kernel_w;
    if (h < 0 || w < 0) {
        return rein_fail(REIN_EINVAL, "does not fit into %dx%d", in->dims[0] + 2 * l->pad,
                         in->dims[1] + 2 * l->pad);
    }
    p->n_weights = (size_t)l->units * (size_t)in->dims[2] * (size_t)(l->kernel_h * l->kernel_w);
    p->n_biases = (size_t)l->units;
    if (shape_set(&p->out, 3, (int[]){h / l->stride + 1, w / l->stride + 1, l->units})) {
        return REIN_OK;
    }
    return rein_fail(REIN_EINVAL, "gives too large an image");
}

/* Each number of the input becomes `units`; of an image they lie in the channels. */
static rein_status place_embedding(const rein_layer *l, int index, rein_layer_place *p)
{
    if (index > 0) return rein_fail(REIN_EINVAL, "embedding can only be the first layer");
    int dims[REIN_NET_DIMS];
    memcpy(dims, p->in.dims, sizeof dims);
    dims[p->in.n_dims - 1] = l->units * dims[p->in.n_dims - 1];
    p->n_weights = (size_t)l->values * (size_t)l->units;
    const bool fits = (int64_t)l->units * p->in.size <= 1 << 24;
    if (fits && shape_set(&p->out, p->in.n_dims, dims)) return REIN_OK;
    return rein_fail(REIN_EINVAL, "gives too many numbers");
}

static rein_status place_script(const rein_net_spec *spec, const rein_layer *l, int index,
                                rein_layer_place *p)
{
    if (index > 0) return rein_fail(REIN_EINVAL, "a script can only be the first layer");
    if (!spec->script) return rein_fail(REIN_EINVAL, "without a script: set net.script: FILE");
    p->n_weights = (size_t)l->values;
    return shape_set(&p->out, 1, &l->units) ? REIN_OK : rein_fail(REIN_EINVAL, "is too large");
}

static rein_status place_attention(const rein_layer *l, rein_layer_place *p)
{
    if (p->in.n_dims < 2) {
        return rein_fail(REIN_EINVAL, "attention needs an image or a window [steps, numbers]");
    }
    const int channels = p->in.dims[p->in.n_dims - 1];
    const size_t d = (size_t)l->units;
    const size_t block = 4 * d * d + 4 * d + 8 * d * d + 5 * d + 4 * d;
    const size_t tokens = (size_t)(p->in.size / channels);
    p->n_weights = d * (size_t)channels + d + tokens * d + (size_t)l->blocks * block;
    if (shape_set(&p->out, 2, (int[]){p->in.size / channels, l->units})) return REIN_OK;
    return rein_fail(REIN_EINVAL, "gives too many numbers");
}

/* linear, layernorm, lstm, gru: from a vector. */
static rein_status place_vector(const rein_layer *l, rein_layer_place *p)
{
    if (p->in.n_dims != 1) {
        return rein_fail(REIN_EINVAL, "%s needs a vector: put flatten before it",
                         kind_words[l->kind]);
    }
    const size_t in = (size_t)p->in.size, out = (size_t)l->units;
    if (l->kind == REIN_LAYER_LAYERNORM) {
        p->n_weights = p->n_biases = in;
        p->out = p->in;
        return REIN_OK;
    }
    const size_t gates = l->kind == REIN_LAYER_LSTM ? 4 : l->kind == REIN_LAYER_GRU ? 3 : 0;
    p->n_weights = gates ? gates * out * (in + out) : out * in;
    p->n_biases = gates ? 2 * gates * out : out;
    return shape_set(&p->out, 1, &l->units) ? REIN_OK : rein_fail(REIN_EINVAL, "is too large");
}

static rein_status place_layer(const rein_net_spec *spec, int index, rein_layer_place *p)
{
    const rein_layer *l = &spec->layers[index];
    REIN_TRY(check_numbers(l));
    switch (l->kind) {
    case REIN_LAYER_CONV:
        return place_conv(l, index, p);
    case REIN_LAYER_ACTIVATION:
        p->out = p->in;
        return REIN_OK;
    case REIN_LAYER_FLATTEN:
        shape_set(&p->out, 1, &p->in.size);
        return REIN_OK;
    case REIN_LAYER_EMBEDDING:
        return place_embedding(l, index, p);
    case REIN_LAYER_ATTENTION:
        return place_attention(l, p);
    case REIN_LAYER_SCRIPT:
        return place_script(spec, l, index, p);
    default:
        return place_vector(l, p);
    }
}

/* Numbers of a row that a layer needs room for. */
static int64_t work_of(const rein_layer *l, const rein_layer_place *p)
{
    if (l->kind == REIN_LAYER_ATTENTION) { /* every token looks at every other, with each head */
        const int64_t tokens = p->out.dims[0];
        return l->blocks * (9 * (int64_t)p->out.size + l->heads * tokens * tokens);
    }
    if (l->kind != REIN_LAYER_CONV) return p->out.size;
    const int64_t pixels = (int64_t)p->out.dims[0] * p->out.dims[1];
    return p->out.size + pixels * l->kernel_h * l->kernel_w * p->in.dims[2];
}

rein_status rein_net_layout(const rein_net_spec *spec, rein_layout *out)
{
    *out = (rein_layout){0};
    rein_shape shape;
    int64_t work = 0;
    if (spec->n_layers < 1 || spec->n_layers > REIN_MAX_LAYERS) {
        return rein_fail(REIN_EINVAL, "a network of %d layers: 1 to %d are possible",
                         spec->n_layers, REIN_MAX_LAYERS);
    }
    if (spec->n_dims < 1 || spec->n_dims > REIN_NET_DIMS ||
        !shape_set(&shape, spec->n_dims, spec->shape)) {
        return rein_fail(REIN_EINVAL,
                         "a network of %d inputs in %d dimensions: 1 to %d are "
                         "possible, in at most %d",
                         spec->n_dims == 1 ? spec->shape[0] : 0, spec->n_dims, 1 << 24,
                         REIN_NET_DIMS);
    }
    out->n_in = shape.size;
    for (int i = 0; i < spec->n_layers; i++) {
        rein_layer_place *p = &out->layers[i];
        p->in = shape;
        rein_status status = place_layer(spec, i, p);
        if (status == REIN_OK) work += work_of(&spec->layers[i], p);
        if (work > MAX_WORK) status = rein_fail(REIN_EINVAL, "gives too many numbers");
        if (status != REIN_OK) {
            char text[REIN_LAYER_TEXT];
            rein_layer_print(&spec->layers[i], text);
            return rein_fail(status, "layers[%d] '%s': %s", i, text, rein_error_message());
        }
        p->weight_at = out->n_params;
        p->bias_at = p->weight_at + p->n_weights;
        out->n_params = p->bias_at + p->n_biases;
        shape = p->out;
    }
    out->n_out = shape.size;
    return REIN_OK;
}
