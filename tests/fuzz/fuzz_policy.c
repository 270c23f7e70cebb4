/* Fuzz target: policy.rein, in two ways. First byte even: the rest is the file, as it is. Odd: the
 * rest is a list of changes to a good policy's arrays and attributes, sealed and well formed as
 * HDF5, so that our own reading is reached (HDF5's own parser is behind the seal on purpose).
 * What is accepted must act without a crash.
 *
 *     fuzz_policy -max_total_time=60 tests/fuzz/corpus/policy */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "algos/policy.h"
#include "nets/layers.h"
#include "base/file.h"
#include "replay/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds) abort();
}

/* --- what the input says to do -----------------------------------------------------------------
 */

typedef struct input {
    const uint8_t *data;
    size_t size;
} input;

static uint8_t take(input *in)
{
    if (in->size == 0) return 0;
    in->size--;
    return *in->data++;
}

/* A number that tends to matter. */
static double take_number(input *in)
{
    static const double special[] = {0,
                                     1,
                                     -1,
                                     2,
                                     3,
                                     16,
                                     255,
                                     0.5,
                                     1e-300,
                                     1e300,
                                     2147483647,
                                     2147483648.0,
                                     -2147483648.0,
                                     4294967296.0,
                                     9e15,
                                     65536};
    uint8_t choice = take(in);
    if (choice < 16) return special[choice];
    if (choice == 16) return NAN;
    if (choice == 17) return INFINITY;
    if (choice == 18) return -INFINITY;
    return choice - 64 + take(in) / 256.0 * (choice & 1);
}

/* --- a changed policy --------------------------------------------------------------------------
 */

static const char *const arrays[] = {
    "observation/shape", "action/low",      "action/high",    "net/shape",          "net/params",
    "head/log_std",      "normalizer/mean", "normalizer/var", "golden/observation", "golden/output",
};
static const char *const texts[][2] = {
    {"/", "format"},          {"/", "env_id"},    {"/", "algo_id"},  {"/", "head"},
    {"observation", "dtype"}, {"action", "kind"}, {"net", "layers"},
};
static const char *const numbers[][2] = {
    {"/", "format_version"}, {"/", "timesteps"},
    {"/", "epsilon"},        {"/", "normalize_observation"},
    {"observation", "low"},  {"observation", "high"},
    {"action", "n"},         {"action", "size"},
    {"net", "input_scale"},  {"normalizer", "clip"},
};
enum {
    N_ARRAYS = sizeof arrays / sizeof arrays[0],
    N_TEXTS = sizeof texts / sizeof texts[0],
    N_NUMBERS = sizeof numbers / sizeof numbers[0],
    N_ITEMS = N_ARRAYS + N_TEXTS + N_NUMBERS,
};

static rein_store *good_store(void)
{
    static rein_store *store;
    if (store) return store;
    rein_policy_spec spec = {
        .env_id = "Test-v0",
        .algo_id = "test",
        .observation = {.n_dims = 1, .shape = {3}, .size = 3, .low = -1, .high = 1},
        .action = {.kind = REIN_CONTINUOUS, .size = 2, .low = {-1, -1}, .high = {1, 1}},
        .head = REIN_HEAD_GAUSSIAN,
        .net = rein_net_spec_mlp(3, (const int[]){2}, 1, REIN_TANH, 2),
        .normalize_observation = true,
        .observation_clip = 10,
    };
    rein_policy *policy;
    const char *root = getenv("TMPDIR");
    char folder[256], path[300];
    snprintf(folder, sizeof folder, "%s/rein-fuzz-XXXXXX", root ? root : "/tmp");
    must(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/policy.rein", folder);
    must(rein_policy_create(&spec, &policy) == REIN_OK);
    must(rein_policy_save(policy, path) == REIN_OK);
    must(rein_store_open(path, &store) == REIN_OK);
    rein_policy_free(policy);
    unlink(path);
    rmdir(folder);
    return store;
}

static void put_array(rein_store *to, const char *name, uint8_t change, input *in)
{
    static const rein_dtype types[] = {REIN_F32, REIN_F64, REIN_U8, REIN_I32, REIN_I64};
    rein_dtype type;
    int n_dims;
    int64_t dims[REIN_STORE_DIMS], n = 1;
    double values[64];
    must(rein_store_shape(good_store(), name, &type, &n_dims, dims) == REIN_OK);
    for (int i = 0; i < n_dims; i++) n *= dims[i];
    must(n <= 64 && rein_store_get(good_store(), name, REIN_F64, values, (size_t)n) == REIN_OK);
    char other[64];
    snprintf(other, sizeof other, "%s%s", name, change == 1 ? " gone" : "");
    if (change == 2) { /* another shape and other values */
        n_dims = 1 + take(in) % 3;
        for (int i = 0; i < n_dims; i++) dims[i] = take(in) % 5;
        n = 1;
        for (int i = 0; i < n_dims; i++) n *= dims[i];
        for (int64_t i = 0; i < n; i++) values[i % 64] = take_number(in);
        if (n > 64) return;
    } else if (change == 3) { /* one other value */
        values[take(in) % n] = take_number(in);
    }
    if (change < 2) {
        must(rein_store_put(to, other, REIN_F64, n_dims, dims, values, false) == REIN_OK);
        return;
    }
    type = types[take(in) % 5];
    unsigned char raw[64 * 8];
    for (int64_t i = 0; i < n; i++) {
        double v = values[i], clear = isfinite(v) ? fmin(fmax(v, -2147483648.0), 2147483647) : 0;
        if (type == REIN_F32) ((float *)(void *)raw)[i] = (float)v;
        if (type == REIN_F64) ((double *)(void *)raw)[i] = v;
        if (type == REIN_U8) raw[i] = (uint8_t)(int32_t)clear;
        if (type == REIN_I32) ((int32_t *)(void *)raw)[i] = (int32_t)clear;
        if (type == REIN_I64) ((int64_t *)(void *)raw)[i] = (int64_t)clear;
    }
    must(rein_store_put(to, other, type, n_dims, dims, raw, false) == REIN_OK);
}

static void put_text(rein_store *to, const char *const at[2], uint8_t change, input *in)
{
    static const char *const words[] = {"",     "q",    "gaussian", "categorical",
                                        "f32",  "u8",   "discrete", "continuous",
                                        "relu", "gelu", "tanh|relu"};
    char text[64];
    must(rein_store_get_text(good_store(), at[0], at[1], text, sizeof text) == REIN_OK);
    if (change == 1) return;
    if (change >= 2) snprintf(text, sizeof text, "%s", words[take(in) % 11]);
    must(rein_store_put_text(to, at[0], at[1], text) == REIN_OK);
}

static void put_number(rein_store *to, const char *const at[2], uint8_t change, input *in)
{
    double number;
    must(rein_store_get_number(good_store(), at[0], at[1], &number) == REIN_OK);
    if (change == 1) return;
    if (change >= 2) number = take_number(in);
    must(rein_store_put_number(to, at[0], at[1], number) == REIN_OK);
}

/* The good policy with changes: pairs (item, what to do with it). */
static void *changed_file(input *in, size_t *size)
{
    uint8_t change[N_ITEMS] = {0};
    for (int n = take(in) % 4; n > 0; n--) {
        int item = take(in) % N_ITEMS;
        change[item] = take(in) % 4;
    }
    rein_store *to;
    must(rein_store_create(&to) == REIN_OK);
    for (int i = 0; i < N_ARRAYS; i++) put_array(to, arrays[i], change[i], in);
    for (int i = 0; i < N_TEXTS; i++) put_text(to, texts[i], change[N_ARRAYS + i], in);
    for (int i = 0; i < N_NUMBERS; i++) {
        put_number(to, numbers[i], change[N_ARRAYS + N_TEXTS + i], in);
    }
    void *image;
    must(rein_store_image(to, &image, size) == REIN_OK);
    rein_store_free(to);
    image = realloc(image, *size + 16);
    must(image != NULL);
    uint64_t hash = rein_hash(image, *size);
    memcpy((char *)image + *size, "REINSEAL", 8);
    memcpy((char *)image + *size + 8, &hash, 8);
    *size += 16;
    return image;
}

/* --- reading and using it ----------------------------------------------------------------------
 */

static void use(const rein_policy *policy)
{
    enum { ROWS = 3 };
    const rein_policy_spec *spec = &policy->spec;
    rein_policy_workspace *workspace;
    if (rein_policy_workspace_create(policy, ROWS, &workspace) != REIN_OK) return;
    void *observation = calloc(ROWS * (size_t)spec->observation.size, sizeof(float));
    float action[ROWS * REIN_MAX_ACTION];
    rein_rng rng = rein_rng_stream(0, REIN_RNG_TEST, 0, 0);
    must(observation != NULL);
    rein_policy_act(policy, workspace, observation, ROWS, NULL, action);
    if (rein_policy_act(policy, workspace, observation, ROWS, &rng, action) == REIN_OK) {
        for (int i = 0; i < ROWS && spec->action.kind == REIN_DISCRETE; i++) {
            int32_t chosen = ((const int32_t *)(const void *)action)[i];
            must(chosen >= 0 && chosen < spec->action.n);
        }
    }
    free(observation);
    rein_policy_workspace_free(workspace);
}

static void load(const void *data, size_t size)
{
    int fd = memfd_create("policy", 0);
    char path[64];
    rein_policy *policy;
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (rein_policy_load(path, &policy) == REIN_OK) {
        use(policy);
    } else {
        must(policy == NULL && strpbrk(rein_error_message(), "\n\r") == NULL);
        must(strstr(rein_error_message(), path) != NULL);
    }
    rein_policy_free(policy);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = {data, size};
    if (take(&in) % 2 == 0) {
        load(in.data, in.size);
        return 0;
    }
    size_t file_size;
    void *file = changed_file(&in, &file_size);
    load(file, file_size);
    free(file);
    return 0;
}
