/* rein_rollouts_check: replays every part's rewards and ends against its episode table. */
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "replay/rollout_files.h"
#include "replay/store.h"

/* Returns are sums in double of rewards in float; an env may have summed in double. */
static const double return_tolerance = 1e-4;

typedef struct checker {
    const char *folder;
    int64_t n_parts, n_envs, n_agents;
    bool transitions;
    int64_t n_steps, n_episodes;
    double return_sum;
    double *sum, *magnitude; /* [n_envs] of the rewards of the episode in progress */
    int64_t *start;          /* [n_envs] step in which it began */
    int64_t *part_steps;     /* [n_parts] */
} checker;

typedef struct part_arrays {
    const char *path;
    int64_t first_step, n_steps, n_episodes;
    float *reward;
    uint8_t *terminated, *truncated;
    int64_t *final_index, n_finals;
    double *episode_return;
    int32_t *episode_length, *episode_env;
    int64_t *episode_start, *episode_end;
    uint8_t *episode_terminated;
} part_arrays;

static rein_status bad(const part_arrays *p, const char *what)
{
    return rein_fail(REIN_EFORMAT, "%s: %s", p->path, what);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* An attribute that must be a whole number of at least `least`. */
static rein_status get_count(rein_store *store, const part_arrays *p, const char *name,
                             int64_t least, int64_t *out)
{
    double value = 0;
    *out = 0;
    REIN_TRY(rein_store_get_number(store, "/", name, &value));
    if (!(value >= (double)least && value < 0x1p53) || value != floor(value)) {
        return rein_fail(REIN_EFORMAT, "%s: attribute %s is %g", p->path, name, value);
    }
    *out = (int64_t)value;
    return REIN_OK;
}

/* Array `name` with first dimensions (n, m; m = 0: only n) and any further ones. */
static rein_status check_shape(rein_store *store, const part_arrays *p, const char *name, int64_t n,
                               int64_t m)
{
    rein_dtype type;
    int n_dims;
    int64_t dims[REIN_STORE_DIMS];
    REIN_TRY(rein_store_shape(store, name, &type, &n_dims, dims));
    if (n_dims >= 1 && dims[0] == n && (m == 0 || (n_dims >= 2 && dims[1] == m))) return REIN_OK;
    return rein_fail(REIN_EFORMAT, "%s: array '%s' has another shape", p->path, name);
}

/* The same, read into malloc'd memory. */
static rein_status get_array(rein_store *store, const part_arrays *p, const char *name,
                             rein_dtype type, int64_t n, int64_t m, void *out)
{
    REIN_TRY(check_shape(store, p, name, n, m));
    size_t count = (size_t)(m > 0 ? n * m : n); /* no more than the file was found to hold */
    void *data = malloc(count * rein_dtype_size(type) + 1);
    if (data == NULL) return rein_fail(REIN_ENOMEM, "no memory to check %s", p->path);
    memcpy(out, &data, sizeof data);
    return rein_store_get(store, name, type, data, count);
}

static rein_status get_part(const checker *c, rein_store *store, part_arrays *p)
{
    rein_dtype type;
    int n_dims;
    int64_t dims[REIN_STORE_DIMS], rows = c->n_envs * c->n_agents, n;
    REIN_TRY(rein_store_shape(store, "episode/return", &type, &n_dims, dims));
    n = p->n_episodes = dims[0];
    REIN_TRY(get_array(store, p, "episode/return", REIN_F64, n, 0, &p->episode_return));
    REIN_TRY(get_array(store, p, "episode/length", REIN_I32, n, 0, &p->episode_length));
    REIN_TRY(get_array(store, p, "episode/env", REIN_I32, n, 0, &p->episode_env));
    REIN_TRY(get_array(store, p, "episode/start", REIN_I64, n, 0, &p->episode_start));
    REIN_TRY(get_array(store, p, "episode/end", REIN_I64, n, 0, &p->episode_end));
    REIN_TRY(get_array(store, p, "episode/terminated", REIN_U8, n, 0, &p->episode_terminated));
    if (!c->transitions) return REIN_OK;
    REIN_TRY(check_shape(store, p, "observation", p->n_steps, rows));
    REIN_TRY(check_shape(store, p, "action", p->n_steps, rows));
    p->n_finals = n * c->n_agents;
    REIN_TRY(check_shape(store, p, "final_observation", p->n_finals, 0));
    REIN_TRY(get_array(store, p, "final_index", REIN_I64, p->n_finals, 2, &p->final_index));
    REIN_TRY(get_array(store, p, "reward", REIN_F32, p->n_steps, rows, &p->reward));
    REIN_TRY(get_array(store, p, "terminated", REIN_U8, p->n_steps, c->n_envs, &p->terminated));
    return get_array(store, p, "truncated", REIN_U8, p->n_steps, c->n_envs, &p->truncated);
}

static void part_free(part_arrays *p)
{
    free(p->reward);
    free(p->terminated);
    free(p->truncated);
    free(p->final_index);
    free(p->episode_return);
    free(p->episode_length);
    free(p->episode_env);
    free(p->episode_start);
    free(p->episode_end);
    free(p->episode_terminated);
}

/* ---- checking -------------------------------------------------------------------------------- */

/* The first part says how many envs the run has; the others must agree. */
static rein_status check_head(checker *c, rein_store *store, part_arrays *p, int64_t number)
{
    char format[32];
    int64_t n_envs, n_agents, transitions, part, version;
    REIN_TRY(rein_store_get_text(store, "/", "format", format, sizeof format));
    if (strcmp(format, "rein-rollout") != 0) return bad(p, "not a rollout part");
    REIN_TRY(get_count(store, p, "format_version", 1, &version));
    if (version != 1) return bad(p, "of a newer version of rein");
    REIN_TRY(get_count(store, p, "n_envs", 1, &n_envs));
    REIN_TRY(get_count(store, p, "n_agents", 1, &n_agents));
    REIN_TRY(get_count(store, p, "transitions", 0, &transitions));
    REIN_TRY(get_count(store, p, "part", 1, &part));
    REIN_TRY(get_count(store, p, "first_step", 0, &p->first_step));
    REIN_TRY(get_count(store, p, "n_steps", 1, &p->n_steps));
    if (n_envs > 1 << 24 || n_agents > 1 << 24 || transitions > 1) return bad(p, "is damaged");
    if (part != number) return bad(p, "is another part's file");
    if (p->first_step != c->n_steps) return bad(p, "does not follow the part before");
    if (c->sum == NULL) {
        c->n_envs = n_envs;
        c->n_agents = n_agents;
        c->transitions = transitions == 1;
        c->sum = calloc((size_t)n_envs, sizeof *c->sum);
        c->magnitude = calloc((size_t)n_envs, sizeof *c->magnitude);
        c->start = calloc((size_t)n_envs, sizeof *c->start);
        if (c->sum == NULL || c->magnitude == NULL || c->start == NULL) {
            return rein_fail(REIN_ENOMEM, "no memory to check %s", p->path);
        }
    }
    bool same = n_envs == c->n_envs && n_agents == c->n_agents && transitions == c->transitions;
    return same ? REIN_OK : bad(p, "is of another run");
}

/* Row e of the episode table on its own. */
static rein_status check_episode(checker *c, const part_arrays *p, int64_t e)
{
    int64_t env = p->episode_env[e], end = p->episode_end[e];
    if (env < 0 || env >= c->n_envs) return bad(p, "an episode of no env");
    if (end <= p->first_step || end > p->first_step + p->n_steps) {
        return bad(p, "an episode that did not end in this part");
    }
    if (e > 0 && (end < p->episode_end[e - 1] ||
                  (end == p->episode_end[e - 1] && env <= p->episode_env[e - 1]))) {
        return bad(p, "episodes out of order");
    }
    if (p->episode_start[e] != c->start[env]) {
        return bad(p, "an episode that does not begin where the one before it ended");
    }
    if (p->episode_length[e] != end - p->episode_start[e]) {
        return bad(p, "an episode whose length is not its number of steps");
    }
    if (p->episode_terminated[e] > 1) return bad(p, "an episode's end is damaged");
    c->start[env] = end;
    c->n_episodes++;
    c->return_sum += p->episode_return[e];
    return REIN_OK;
}

/* The end of `env` in row t must be row e of the table. */
static rein_status check_end(checker *c, const part_arrays *p, int64_t t, int64_t env, int64_t e)
{
    int64_t step = p->first_step + t, i = t * c->n_envs + env;
    if (e >= p->n_episodes || p->episode_end[e] != step + 1 || p->episode_env[e] != env ||
        p->episode_terminated[e] != p->terminated[i]) {
        return bad(p, "the episode table does not match the transitions");
    }
    double error = fabs(p->episode_return[e] - c->sum[env]);
    if (!(error <= return_tolerance * (1 + c->magnitude[env]))) {
        return rein_fail(REIN_EFORMAT,
                         "%s: episode return %g at step %" PRId64 " is not the rewards' sum %g",
                         p->path, p->episode_return[e], step, c->sum[env]);
    }
    for (int64_t k = 0; k < c->n_agents; k++) {
        const int64_t *index = p->final_index + 2 * (e * c->n_agents + k);
        if (index[0] != step || index[1] != env * c->n_agents + k) {
            return bad(p, "a last observation does not belong to an episode's end");
        }
    }
    c->sum[env] = c->magnitude[env] = 0;
    return REIN_OK;
}

static rein_status check_transitions(checker *c, const part_arrays *p)
{
    int64_t e = 0;
    for (int64_t t = 0; t < p->n_steps; t++) {
        for (int64_t env = 0; env < c->n_envs; env++) {
            int64_t i = t * c->n_envs + env;
            for (int64_t k = 0; k < c->n_agents; k++) {
                double reward = (double)p->reward[i * c->n_agents + k];
                c->sum[env] += reward;
                c->magnitude[env] += fabs(reward);
            }
            if (p->terminated[i] > 1 || p->truncated[i] > 1 ||
                (p->terminated[i] && p->truncated[i])) {
                return bad(p, "terminated or truncated is damaged");
            }
            if (p->terminated[i] || p->truncated[i]) REIN_TRY(check_end(c, p, t, env, e++));
        }
    }
    return e == p->n_episodes ? REIN_OK
                              : bad(p, "the episode table does not match the transitions");
}

static rein_status check_part(checker *c, int64_t number)
{
    char path[PATH_MAX];
    part_arrays p = {.path = path};
    rein_store *store;
    rollout_part_path(path, sizeof path, c->folder, number);
    REIN_TRY(rein_store_open(path, &store));
    rein_status status = check_head(c, store, &p, number);
    if (status == REIN_OK) status = get_part(c, store, &p);
    rein_store_free(store);
    for (int64_t e = 0; status == REIN_OK && e < p.n_episodes; e++) {
        status = check_episode(c, &p, e);
    }
    if (status == REIN_OK && c->transitions) status = check_transitions(c, &p);
    part_free(&p);
    if (status == REIN_ENOTFOUND) status = REIN_EFORMAT; /* the file is there, an array is not */
    c->part_steps[number - 1] = p.n_steps;
    c->n_steps += p.n_steps;
    return status;
}

/* rollouts.h5 may be some parts behind, but must show the first ones rightly. */
static rein_status check_index(const checker *c)
{
    char path[PATH_MAX];
    void *data;
    size_t size;
    rein_store *store;
    part_arrays p = {.path = path};
    int64_t n_parts = 0, n_steps = 0, shown = 0;
    snprintf(path, sizeof path, "%s/rollouts.h5", c->folder);
    if (!rein_file_exists(path)) return REIN_OK;
    REIN_TRY(rein_file_read(path, true, &data, &size));
    free(data);
    REIN_TRY(rein_store_open_plain(path, &store));
    rein_status status = get_count(store, &p, "n_parts", 0, &n_parts);
    if (status == REIN_OK) status = get_count(store, &p, "n_steps", 0, &n_steps);
    if (status == REIN_OK && n_parts > c->n_parts) {
        status = rein_fail(REIN_ENOTFOUND, "%s shows %" PRId64 " parts, there are %" PRId64, path,
                           n_parts, c->n_parts);
    }
    for (int64_t i = 0; status == REIN_OK && i < n_parts; i++) shown += c->part_steps[i];
    if (status == REIN_OK && shown != n_steps) status = bad(&p, "does not match the parts");
    if (status == REIN_OK && c->n_parts > 0 && c->transitions) {
        status = check_shape(store, &p, "observation", n_steps, c->n_envs * c->n_agents);
    }
    rein_store_free(store);
    return status;
}

/* The highest number of a part; -1: no such folder. */
static int64_t last_part(const char *folder)
{
    char path[PATH_MAX];
    int64_t last = 0;
    snprintf(path, sizeof path, "%s/rollouts", folder);
    DIR *directory = opendir(path);
    if (directory == NULL) return -1;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        int64_t number = rollout_part_number(entry->d_name);
        if (strstr(entry->d_name, ".tmp") == NULL && number > last) last = number;
    }
    closedir(directory);
    return last;
}

rein_status rein_rollouts_check(const char *folder, int64_t *n_steps, int64_t *n_episodes,
                                double *return_sum)
{
    checker c = {.folder = folder, .n_parts = last_part(folder)};
    if (c.n_parts < 0) return rein_fail(REIN_ENOTFOUND, "%s/rollouts: no such folder", folder);
    rein_status status = REIN_OK;
    char path[PATH_MAX];
    for (int64_t i = 1; status == REIN_OK && i <= c.n_parts; i++) { /* before they are counted on */
        rollout_part_path(path, sizeof path, folder, i);
        if (!rein_file_exists(path)) status = rein_fail(REIN_ENOTFOUND, "%s is missing", path);
    }
    if (status != REIN_OK) return status;
    c.part_steps = calloc((size_t)c.n_parts + 1, sizeof *c.part_steps);
    if (c.part_steps == NULL) return rein_fail(REIN_ENOMEM, "no memory to check %s", folder);
    for (int64_t i = 1; status == REIN_OK && i <= c.n_parts; i++) status = check_part(&c, i);
    if (status == REIN_OK) status = check_index(&c);
    if (status == REIN_OK) {
        if (n_steps != NULL) *n_steps = c.n_steps;
        if (n_episodes != NULL) *n_episodes = c.n_episodes;
        if (return_sum != NULL) *return_sum = c.return_sum;
    }
    free(c.sum);
    free(c.magnitude);
    free(c.start);
    free(c.part_steps);
    return status;
}
