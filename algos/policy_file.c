/* policy.rein: docs/file-formats.md says what is in it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "algos/policy.h"
#include "base/rng.h"
#include "nets/layers.h"
#include "nets/script.h"
#include "replay/store.h"

enum { N_GOLDEN = 4, FORMAT_VERSION = 2 };
static const char format_name[] = "rein policy";
static const char head_words[] = "categorical|gaussian|q";
static const char dtype_words[] = "f32|u8";
static const char kind_words[] = "discrete|continuous";

/* Word i of "a|b|c". */
static void word_at(const char *words, int i, char out[32])
{
    for (; i > 0 && strchr(words, '|'); i--) words = strchr(words, '|') + 1;
    size_t length = strcspn(words, "|");
    memcpy(out, words, length);
    out[length] = '\0';
}

/* Index of a word in "a|b|c", -1 if it is not there. */
static int word_find(const char *words, const char *word)
{
    for (int i = 0; words; i++) {
        size_t length = strcspn(words, "|");
        if (strlen(word) == length && strncmp(words, word, length) == 0) return i;
        words = words[length] ? words + length + 1 : NULL;
    }
    return -1;
}

/* --- the golden example ------------------------------------------------------------------------
 */

/* A few observations like those the policy was made for.
 *   out  out  [N_GOLDEN, observation.size] of its dtype */
static void make_observations(const rein_policy *policy, void *out)
{
    const rein_observation_space *space = &policy->spec.observation;
    rein_rng rng = rein_rng_stream(0, REIN_RNG_TEST, 0, 0);
    bool bounded = isfinite(space->low) && isfinite(space->high);
    for (int i = 0; i < N_GOLDEN * space->size; i++) {
        int j = i % space->size;
        if (space->dtype == REIN_U8) {
            ((uint8_t *)out)[i] = (uint8_t)rein_rng_below(&rng, (uint32_t)space->high + 1);
        } else if (policy->spec.normalize_observation) {
            double z = rein_rng_normal(&rng);
            ((float *)out)[i] = (float)(policy->mean[j] + z * sqrt(policy->var[j]));
        } else if (bounded) {
            ((float *)out)[i] = (float)rein_rng_uniform_in(&rng, space->low, space->high);
        } else {
            ((float *)out)[i] = (float)rein_rng_normal(&rng);
        }
    }
}

static rein_status outputs_of(const rein_policy *policy, const void *observation, float *out)
{
    rein_policy_workspace *workspace;
    REIN_TRY(rein_policy_workspace_create(policy, N_GOLDEN, &workspace));
    rein_status status = rein_policy_outputs(policy, workspace, observation, N_GOLDEN, out);
    if (status == REIN_OK && policy->recurrent) { /* again, with the states of the first */
        status = rein_policy_outputs(policy, workspace, observation, N_GOLDEN, out);
    }
    rein_policy_workspace_free(workspace);
    return status;
}

static size_t n_outputs(const rein_policy *policy)
{
    return (size_t)policy->n_out;
}

/* Arrays of the example; both are freed by the caller, also after an error. */
typedef struct golden_example {
    void *observation; /* [N_GOLDEN, observation.size] */
    float *output;     /* [N_GOLDEN, n_out] as recorded */
    float *now;        /* [N_GOLDEN, n_out] as computed here */
} golden_example;

static rein_status golden_create(const rein_policy *policy, golden_example *out)
{
    const rein_policy_spec *spec = &policy->spec;
    size_t size = (size_t)spec->observation.size * rein_dtype_size(spec->observation.dtype);
    out->observation = calloc(N_GOLDEN, size);
    out->output = calloc(N_GOLDEN * n_outputs(policy), sizeof *out->output);
    out->now = calloc(N_GOLDEN * n_outputs(policy), sizeof *out->now);
    if (out->observation && out->output && out->now) return REIN_OK;
    return rein_fail(REIN_ENOMEM, "no memory for a policy's example");
}

static void golden_free(golden_example *example)
{
    free(example->observation);
    free(example->output);
    free(example->now);
}

/* Differences up to 1e-4 of the largest output are other kernels or another processor. */
static rein_status golden_compare(const golden_example *example, size_t n)
{
    float largest = 1, difference = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(example->output[i])) {
            return rein_fail(REIN_EFORMAT, "its example is not finite");
        }
        largest = fmaxf(largest, fabsf(example->output[i]));
        difference = fmaxf(difference, fabsf(example->output[i] - example->now[i]));
    }
    if (difference <= 1e-4f * largest) return REIN_OK;
    return rein_fail(REIN_EFORMAT,
                     "this build computes something else than the one that wrote it: outputs of "
                     "its example differ by %g",
                     (double)difference);
}

/* --- writing -----------------------------------------------------------------------------------
 */

static rein_status put_word(rein_store *store, const char *group, const char *attribute,
                            const char *words, int i)
{
    char word[32];
    word_at(words, i, word);
    return rein_store_put_text(store, group, attribute, word);
}

static rein_status put_row(rein_store *store, const char *name, rein_dtype type, size_t n,
                           const void *data)
{
    return rein_store_put(store, name, type, 1, (int64_t[]){(int64_t)n}, data, false);
}

static rein_status put_spaces(rein_store *store, const rein_policy_spec *spec)
{
    const rein_observation_space *o = &spec->observation;
    const rein_action_space *a = &spec->action;
    REIN_TRY(put_row(store, "observation/shape", REIN_I32, (size_t)o->n_dims, o->shape));
    REIN_TRY(put_word(store, "observation", "dtype", dtype_words, o->dtype == REIN_U8));
    REIN_TRY(rein_store_put_number(store, "observation", "low", o->low));
    REIN_TRY(rein_store_put_number(store, "observation", "high", o->high));
    size_t bounds = a->kind == REIN_CONTINUOUS ? (size_t)a->size : 0;
    REIN_TRY(put_row(store, "action/low", REIN_F32, bounds, a->low));
    REIN_TRY(put_row(store, "action/high", REIN_F32, bounds, a->high));
    REIN_TRY(put_word(store, "action", "kind", kind_words, (int)a->kind));
    REIN_TRY(rein_store_put_number(store, "action", "n", a->kind == REIN_DISCRETE ? a->n : 0));
    return rein_store_put_number(store, "action", "size", a->size);
}

static rein_status put_network(rein_store *store, const rein_policy *policy)
{
    const rein_policy_spec *spec = &policy->spec;
    char layers[REIN_LAYERS_TEXT];
    rein_layers_print(&spec->net, layers);
    REIN_TRY(put_row(store, "net/shape", REIN_I32, (size_t)spec->net.n_dims, spec->net.shape));
    REIN_TRY(put_row(store, "net/params", REIN_F32, policy->n_params, policy->params));
    REIN_TRY(rein_store_put_text(store, "net", "layers", layers));
    REIN_TRY(rein_store_put_number(store, "net", "input_scale", spec->net.input_scale));
    const rein_net_script *script = spec->net.script;
    if (script) REIN_TRY(put_row(store, "net/script", REIN_U8, script->size, script->data));
    if (spec->head == REIN_HEAD_GAUSSIAN) {
        REIN_TRY(
            put_row(store, "head/log_std", REIN_F32, (size_t)spec->action.size, policy->log_std));
    }
    if (!spec->normalize_observation) return REIN_OK;
    size_t n = (size_t)spec->observation.size;
    REIN_TRY(put_row(store, "normalizer/mean", REIN_F64, n, policy->mean));
    REIN_TRY(put_row(store, "normalizer/var", REIN_F64, n, policy->var));
    return rein_store_put_number(store, "normalizer", "clip", spec->observation_clip);
}

static rein_status put_golden(rein_store *store, const rein_policy *policy, golden_example *example)
{
    const rein_policy_spec *spec = &policy->spec;
    make_observations(policy, example->observation);
    REIN_TRY(outputs_of(policy, example->observation, example->output));
    REIN_TRY(rein_store_put(store, "golden/observation", spec->observation.dtype, 2,
                            (int64_t[]){N_GOLDEN, spec->observation.size}, example->observation,
                            false));
    return rein_store_put(store, "golden/output", REIN_F32, 2,
                          (int64_t[]){N_GOLDEN, (int64_t)n_outputs(policy)}, example->output,
                          false);
}

static rein_status put_policy(rein_store *store, const rein_policy *policy)
{
    const rein_policy_spec *spec = &policy->spec;
    REIN_TRY(rein_store_put_text(store, "/", "format", format_name));
    REIN_TRY(rein_store_put_number(store, "/", "format_version", FORMAT_VERSION));
    REIN_TRY(rein_store_put_text(store, "/", "rein_version", REIN_VERSION));
    REIN_TRY(rein_store_put_text(store, "/", "env_id", spec->env_id));
    REIN_TRY(rein_store_put_text(store, "/", "algo_id", spec->algo_id));
    REIN_TRY(put_word(store, "/", "head", head_words, (int)spec->head));
    REIN_TRY(rein_store_put_number(store, "/", "timesteps", (double)policy->timesteps));
    REIN_TRY(rein_store_put_number(store, "/", "epsilon", policy->epsilon));
    REIN_TRY(
        rein_store_put_number(store, "/", "normalize_observation", spec->normalize_observation));
    REIN_TRY(put_spaces(store, spec));
    REIN_TRY(put_network(store, policy));
    golden_example example = {0};
    rein_status status = golden_create(policy, &example);
    if (status == REIN_OK) status = put_golden(store, policy, &example);
    golden_free(&example);
    return status;
}

rein_status rein_policy_save(const rein_policy *policy, const char *path)
{
    rein_store *store;
    REIN_TRY(rein_store_create(&store));
    rein_status status = put_policy(store, policy);
    if (status != REIN_OK) {
        status = rein_fail_in(status, "%s cannot be written", path);
    } else {
        status = rein_store_save(store, path);
    }
    rein_store_free(store);
    return status;
}

/* --- reading -----------------------------------------------------------------------------------
 */

static rein_status get_word(rein_store *store, const char *group, const char *attribute,
                            const char *words, int *out)
{
    char word[32];
    REIN_TRY(rein_store_get_text(store, group, attribute, word, sizeof word));
    *out = word_find(words, word);
    if (*out >= 0) return REIN_OK;
    return rein_fail(REIN_EFORMAT, "%s \"%s\" is not one of %s", attribute, word, words);
}

/* A whole number in [low, high]. */
static rein_status get_integer(rein_store *store, const char *group, const char *attribute,
                               double low, double high, int64_t *out)
{
    double value;
    REIN_TRY(rein_store_get_number(store, group, attribute, &value));
    if (!(value >= low && value <= high) || value != floor(value)) {
        return rein_fail(REIN_EFORMAT, "%s is %g", attribute, value);
    }
    *out = (int64_t)value;
    return REIN_OK;
}

/* Length of a one-dimensional array of at most max entries. */
static rein_status get_length(rein_store *store, const char *name, int max, int *n)
{
    rein_dtype type;
    int n_dims;
    int64_t dims[REIN_STORE_DIMS];
    REIN_TRY(rein_store_shape(store, name, &type, &n_dims, dims));
    if (n_dims != 1 || dims[0] < 1 || dims[0] > max) {
        return rein_fail(REIN_EFORMAT, "%s has a wrong shape", name);
    }
    *n = (int)dims[0];
    return REIN_OK;
}

static rein_status get_spaces(rein_store *store, rein_policy_spec *spec)
{
    rein_observation_space *o = &spec->observation;
    rein_action_space *a = &spec->action;
    int word;
    REIN_TRY(get_length(store, "observation/shape", REIN_MAX_DIMS, &o->n_dims));
    REIN_TRY(rein_store_get(store, "observation/shape", REIN_I32, o->shape, (size_t)o->n_dims));
    int64_t size = 1;
    for (int i = 0; i < o->n_dims; i++) {
        size *= o->shape[i];
        if (size < 1 || size > INT32_MAX) {
            return rein_fail(REIN_EFORMAT, "observation/shape is out of range");
        }
    }
    o->size = (int)size;
    REIN_TRY(get_word(store, "observation", "dtype", dtype_words, &word));
    o->dtype = word == 1 ? REIN_U8 : REIN_F32;
    double low, high;
    REIN_TRY(rein_store_get_number(store, "observation", "low", &low));
    REIN_TRY(rein_store_get_number(store, "observation", "high", &high));
    o->low = (float)low;
    o->high = (float)high;
    REIN_TRY(get_word(store, "action", "kind", kind_words, &word));
    a->kind = (rein_action_kind)word;
    int64_t n, n_numbers;
    REIN_TRY(get_integer(store, "action", "n", 0, INT32_MAX, &n));
    REIN_TRY(get_integer(store, "action", "size", 1, REIN_MAX_ACTION, &n_numbers));
    a->n = (int)n;
    a->size = (int)n_numbers;
    if (a->kind == REIN_DISCRETE) return REIN_OK;
    REIN_TRY(rein_store_get(store, "action/low", REIN_F32, a->low, (size_t)a->size));
    return rein_store_get(store, "action/high", REIN_F32, a->high, (size_t)a->size);
}

static rein_status get_script(rein_store *store, rein_net_script **out)
{
    int size;
    REIN_TRY(get_length(store, "net/script", REIN_NET_SCRIPT_MAX, &size));
    unsigned char *data = malloc((size_t)size + 1);
    if (!data) return rein_fail(REIN_ENOMEM, "no memory for a script of %d bytes", size);
    rein_status status = rein_store_get(store, "net/script", REIN_U8, data, (size_t)size);
    if (status == REIN_OK) status = rein_net_script_create("net/script", data, (size_t)size, out);
    free(data);
    return status;
}

/* The number of parameters is compared before anything is made of that size: no more is ever
 * allocated than the file has, but for what a few rows take on their way through the layers. */
static rein_status get_network(rein_store *store, rein_net_spec *net, rein_net_script **script)
{
    char layers[REIN_LAYERS_TEXT];
    double scale;
    int n_params;
    rein_layout layout;
    REIN_TRY(get_length(store, "net/shape", REIN_NET_DIMS, &net->n_dims));
    REIN_TRY(rein_store_get(store, "net/shape", REIN_I32, net->shape, (size_t)net->n_dims));
    REIN_TRY(rein_store_get_text(store, "net", "layers", layers, sizeof layers));
    REIN_TRY(rein_layers_parse(layers, net));
    REIN_TRY(rein_store_get_number(store, "net", "input_scale", &scale));
    if (!(scale >= 0 && scale <= 1e6)) return rein_fail(REIN_EFORMAT, "input_scale is %g", scale);
    net->input_scale = (float)scale;
    if (net->layers[0].kind == REIN_LAYER_SCRIPT) REIN_TRY(get_script(store, script));
    net->script = *script;
    REIN_TRY(rein_net_layout(net, &layout));
    REIN_TRY(get_length(store, "net/params", INT32_MAX, &n_params));
    if (layout.n_params == (size_t)n_params) return REIN_OK;
    return rein_fail(REIN_EFORMAT, "net/params does not fit net/layers");
}

/* Spaces and network. */
static rein_status get_spec(rein_store *store, rein_policy_spec *spec, rein_net_script **script)
{
    int word;
    int64_t number;
    REIN_TRY(rein_store_get_text(store, "/", "env_id", spec->env_id, sizeof spec->env_id));
    REIN_TRY(rein_store_get_text(store, "/", "algo_id", spec->algo_id, sizeof spec->algo_id));
    REIN_TRY(get_word(store, "/", "head", head_words, &word));
    spec->head = (rein_head)word;
    REIN_TRY(get_integer(store, "/", "normalize_observation", 0, 1, &number));
    spec->normalize_observation = number == 1;
    if (spec->normalize_observation) {
        REIN_TRY(rein_store_get_number(store, "normalizer", "clip", &spec->observation_clip));
    }
    REIN_TRY(get_spaces(store, spec));
    return get_network(store, &spec->net, script);
}

static rein_status get_numbers(rein_store *store, rein_policy *policy)
{
    const rein_policy_spec *spec = &policy->spec;
    size_t n = (size_t)spec->observation.size;
    REIN_TRY(get_integer(store, "/", "timesteps", 0, 0x1p53, &policy->timesteps));
    REIN_TRY(rein_store_get_number(store, "/", "epsilon", &policy->epsilon));
    REIN_TRY(rein_store_get(store, "net/params", REIN_F32, policy->params, policy->n_params));
    if (spec->head == REIN_HEAD_GAUSSIAN) {
        REIN_TRY(rein_store_get(store, "head/log_std", REIN_F32, policy->log_std,
                                (size_t)spec->action.size));
    }
    if (!spec->normalize_observation) return REIN_OK;
    REIN_TRY(rein_store_get(store, "normalizer/mean", REIN_F64, policy->mean, n));
    REIN_TRY(rein_store_get(store, "normalizer/var", REIN_F64, policy->var, n));
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(policy->mean[i]) || !(policy->var[i] >= 0) || !isfinite(policy->var[i])) {
            return rein_fail(REIN_EFORMAT, "normalizer/mean or normalizer/var is not finite");
        }
    }
    return REIN_OK;
}

static rein_status check_golden(rein_store *store, const rein_policy *policy)
{
    const rein_policy_spec *spec = &policy->spec;
    size_t n_in = N_GOLDEN * (size_t)spec->observation.size, n_out = N_GOLDEN * n_outputs(policy);
    golden_example example = {0};
    rein_status status = golden_create(policy, &example);
    if (status == REIN_OK) {
        status = rein_store_get(store, "golden/observation", spec->observation.dtype,
                                example.observation, n_in);
    }
    if (status == REIN_OK) {
        status = rein_store_get(store, "golden/output", REIN_F32, example.output, n_out);
    }
    if (status == REIN_OK) status = outputs_of(policy, example.observation, example.now);
    if (status == REIN_OK) status = golden_compare(&example, n_out);
    golden_free(&example);
    return status;
}

static rein_status get_policy(rein_store *store, rein_policy **out)
{
    char format[32] = "";
    int64_t version;
    if (rein_store_get_text(store, "/", "format", format, sizeof format) != REIN_OK ||
        strcmp(format, format_name) != 0) {
        return rein_fail(REIN_EFORMAT, "it is another kind of file");
    }
    REIN_TRY(get_integer(store, "/", "format_version", 1, INT32_MAX, &version));
    if (version != FORMAT_VERSION) {
        return rein_fail(REIN_EFORMAT, "it has format %d, this program reads %d", (int)version,
                         FORMAT_VERSION);
    }
    rein_policy_spec spec = {0};
    rein_net_script *script = NULL;
    rein_policy *policy = NULL;
    rein_status status = get_spec(store, &spec, &script);
    if (status == REIN_OK) status = rein_policy_create(&spec, &policy); /* copies the script */
    rein_net_script_free(script);
    if (status == REIN_OK) status = get_numbers(store, policy);
    if (status == REIN_OK) {
        rein_policy_pack(policy);
        status = check_golden(store, policy);
    }
    if (status != REIN_OK) {
        rein_policy_free(policy);
        return status;
    }
    *out = policy;
    return REIN_OK;
}

rein_status rein_policy_load(const char *path, rein_policy **out)
{
    *out = NULL;
    rein_store *store;
    REIN_TRY(rein_store_open(path, &store));
    rein_status status = get_policy(store, out);
    rein_store_free(store);
    if (status == REIN_OK) return REIN_OK;
    /* Whatever is absent or contradicts itself inside the file: the file is at fault. */
    if (status != REIN_ENOMEM) status = REIN_EFORMAT;
    return rein_fail_in(status, "%s is not a policy that can be used", path);
}
