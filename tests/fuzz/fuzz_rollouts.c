/* Fuzzes rein_rollouts_check: two sound parts of a made-up run, changed as the input says, behind
 * good seals. Any answer is right but a crash; unchanged parts must pass.
 *
 * An input is a list of changes of 5 bytes: part and array, what to do, place, two bytes of value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "replay/recorder.h"
#include "replay/store.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENVS = 2, STEPS = 6, PARTS = 2, MOST = 64 };

typedef struct array {
    const char *name;
    rein_dtype type;
    int n_dims;
    int64_t dims[2];
    double value[MOST];
} array;

enum {
    OBSERVATION,
    ACTION,
    REWARD,
    TERMINATED,
    TRUNCATED,
    FINAL,
    INDEX,
    RETURN,
    LENGTH,
    ENV,
    START,
    END,
    KIND,
    N_ARRAYS
};
enum { PART, FIRST_STEP, N_STEPS, N_ENVS, N_AGENTS, TRANSITIONS, VERSION, N_ATTRIBUTES };
static const char *const attributes[] = {"part",     "first_step",  "n_steps",       "n_envs",
                                         "n_agents", "transitions", "format_version"};

typedef struct part {
    array arrays[N_ARRAYS];
    double attributes[N_ATTRIBUTES];
} part;

static char folder[64];

static void must(bool good)
{
    if (!good) abort();
}

static void clean(void)
{
    char path[128];
    for (int i = 1; i <= PARTS; i++) {
        snprintf(path, sizeof path, "%s/rollouts/%06d.h5", folder, i);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/rollouts", folder);
    rmdir(path);
    rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    char path[128];
    snprintf(folder, sizeof folder, "%s/rein-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/rollouts", folder);
    must(rein_folder_create(path) == REIN_OK);
    return atexit(clean);
}

/* Env 0 ends every 4 steps, env 1 every 3 (truncated); every reward is 1. */
static void make(part *p, int number)
{
    const array arrays[N_ARRAYS] = {
        {.name = "observation", .n_dims = 2, .dims = {STEPS, ENVS}},
        {.name = "action", .n_dims = 2, .dims = {STEPS, ENVS}},
        {.name = "reward", .n_dims = 2, .dims = {STEPS, ENVS}},
        {.name = "terminated", .type = REIN_U8, .n_dims = 2, .dims = {STEPS, ENVS}},
        {.name = "truncated", .type = REIN_U8, .n_dims = 2, .dims = {STEPS, ENVS}},
        {.name = "final_observation", .n_dims = 1},
        {.name = "final_index", .type = REIN_I64, .n_dims = 2, .dims = {0, 2}},
        {.name = "episode/return", .type = REIN_F64, .n_dims = 1},
        {.name = "episode/length", .type = REIN_I32, .n_dims = 1},
        {.name = "episode/env", .type = REIN_I32, .n_dims = 1},
        {.name = "episode/start", .type = REIN_I64, .n_dims = 1},
        {.name = "episode/end", .type = REIN_I64, .n_dims = 1},
        {.name = "episode/terminated", .type = REIN_U8, .n_dims = 1},
    };
    memcpy(p->arrays, arrays, sizeof arrays);
    const double values[N_ATTRIBUTES] = {number, (number - 1) * STEPS, STEPS, ENVS, 1, 1, 1};
    memcpy(p->attributes, values, sizeof values);
    array *a = p->arrays;
    int n = 0;
    for (int i = 0; i < STEPS * ENVS; i++) {
        int step = (number - 1) * STEPS + i / ENVS, env = i % ENVS, every = env == 0 ? 4 : 3;
        a[REWARD].value[i] = 1;
        if ((step + 1) % every != 0) continue;
        a[env == 0 ? TERMINATED : TRUNCATED].value[i] = 1;
        a[INDEX].value[2 * n] = step;
        a[INDEX].value[2 * n + 1] = env;
        a[RETURN].value[n] = a[LENGTH].value[n] = every;
        a[ENV].value[n] = env;
        a[START].value[n] = step + 1 - every;
        a[END].value[n] = step + 1;
        a[KIND].value[n++] = env == 0;
    }
    for (int i = FINAL; i < N_ARRAYS; i++) a[i].dims[0] = n;
}

/* One change: a value, a length, a dimension, a type or an attribute; 5: the array is missing. */
static void change(part *parts, const uint8_t *c)
{
    part *p = &parts[c[0] & 1];
    array *a = &p->arrays[(c[0] >> 1) % N_ARRAYS];
    double value = (double)(int16_t)(c[3] | c[4] << 8);
    switch (c[1] % 6) {
    case 0:
        a->value[c[2] % MOST] = value;
        break;
    case 1:
        a->dims[c[2] & 1] = c[3] % 9;
        break;
    case 2:
        a->n_dims = 1 + (c[2] & 1);
        break;
    case 3:
        a->type = (rein_dtype)(c[2] % 6);
        break;
    case 4:
        p->attributes[c[2] % N_ATTRIBUTES] = c[3] & 1 ? value : value * 1e12;
        break;
    case 5:
        a->n_dims = 0;
        break;
    }
}

static void store_value(void *data, rein_dtype type, int i, double value)
{
    switch (type) {
    case REIN_F32:
        ((float *)data)[i] = (float)value;
        break;
    case REIN_F64:
        ((double *)data)[i] = value;
        break;
    case REIN_U8:
        ((uint8_t *)data)[i] = (uint8_t)(int64_t)value;
        break;
    case REIN_I32:
        ((int32_t *)data)[i] = (int32_t)value;
        break;
    case REIN_U32:
        ((uint32_t *)data)[i] = (uint32_t)(int64_t)value;
        break;
    case REIN_I64:
        ((int64_t *)data)[i] = (int64_t)value;
        break;
    }
}

static void save(const part *p, int number)
{
    char path[128];
    rein_store *store;
    must(rein_store_create(&store) == REIN_OK);
    must(rein_store_put_text(store, "/", "format", "rein-rollout") == REIN_OK);
    for (int i = 0; i < N_ATTRIBUTES; i++) {
        must(rein_store_put_number(store, "/", attributes[i], p->attributes[i]) == REIN_OK);
    }
    for (int i = 0; i < N_ARRAYS; i++) {
        const array *a = &p->arrays[i];
        double data[MOST + 20];
        int64_t n = a->n_dims == 2 ? a->dims[0] * a->dims[1] : a->dims[0];
        if (a->n_dims == 0) continue;
        for (int k = 0; k < n; k++) store_value(data, a->type, k, k < MOST ? a->value[k] : 0);
        must(rein_store_put(store, a->name, a->type, a->n_dims, a->dims, data, i % 2) == REIN_OK);
    }
    snprintf(path, sizeof path, "%s/rollouts/%06d.h5", folder, number);
    must(rein_store_save(store, path) == REIN_OK);
    rein_store_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    part parts[PARTS];
    int64_t n_steps = -1, n_episodes;
    double sum;
    for (int i = 0; i < PARTS; i++) make(&parts[i], i + 1);
    for (size_t at = 0; at + 5 <= size && at < 5 * 32; at += 5) change(parts, data + at);
    for (int i = 0; i < PARTS; i++) save(&parts[i], i + 1);
    rein_status status = rein_rollouts_check(folder, &n_steps, &n_episodes, &sum);
    must(status == REIN_OK || status == REIN_EFORMAT);
    must(status == REIN_OK || (n_steps == -1 && rein_error_message()[0] != '\0'));
    if (size < 5) must(status == REIN_OK && n_steps == 12 && n_episodes == 7 && sum == 24);
    return 0;
}
