#include "replay/recorder.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "replay/rollout_files.h"

enum { N_PARTS = 3, NONE = -1 }; /* one is filled while two wait for the writer or are written */

/* rollouts.h5 is rewritten after this time, or after this many times of what it took last. */
static const double index_every_s = 5, index_every_times = 100;

struct rein_recorder {
    rein_recorder_options options; /* its texts are copies */
    int64_t n_rows, part_steps;
    size_t observation_bytes, action_bytes; /* of one row */
    rollout_part parts[N_PARTS];

    /* Of the caller. */
    int current;      /* part being filled, or NONE */
    bool started;     /* something was pushed or loaded: the folder's parts are this run's */
    int64_t n_steps;  /* pushed */
    int64_t n_filled; /* parts given to the writer */
    int64_t *start;   /* [n_envs] step in which the env's episode began */

    /* Shared with the writer thread, under `lock`. */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int queue[N_PARTS], n_queued; /* full parts, oldest first; a part leaves when it is written */
    bool stop;
    _Atomic int failed; /* status of the writer; set after `message` */
    char message[1024];

    /* Of the writer thread; of the caller while nothing is queued. */
    rollout_entry *entries; /* [n_entries] parts on disk */
    int64_t n_entries, n_indexed;
    double index_due_s;
};

/* ---- the writer thread ----------------------------------------------------------------------- */

static rein_status index_write(rein_recorder *r)
{
    double begin_s = rein_clock_s();
    REIN_TRY(rollout_index_write(&r->options, r->entries, r->n_entries));
    double end_s = rein_clock_s(), rest_s = index_every_times * (end_s - begin_s);
    r->n_indexed = r->n_entries;
    r->index_due_s = end_s + (rest_s > index_every_s ? rest_s : index_every_s);
    return REIN_OK;
}

static rein_status part_write(rein_recorder *r, const rollout_part *part)
{
    rollout_entry *entries = realloc(r->entries, (size_t)part->number * sizeof *entries);
    if (entries == NULL) return rein_fail(REIN_ENOMEM, "no memory to record rollouts");
    r->entries = entries;
    REIN_TRY(rollout_part_write(&r->options, part));
    r->entries[r->n_entries++] = (rollout_entry){
        .n_steps = part->n_steps, .n_episodes = part->n_episodes, .n_finals = part->n_finals};
    bool due = r->n_indexed == 0 || rein_clock_s() > r->index_due_s;
    return due ? index_write(r) : REIN_OK;
}

static void *writer_run(void *context)
{
    rein_recorder *r = context;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (r->n_queued == 0 && !r->stop) pthread_cond_wait(&r->changed, &r->lock);
        if (r->n_queued == 0) break;
        const rollout_part *part = &r->parts[r->queue[0]];
        pthread_mutex_unlock(&r->lock);
        if (r->failed == REIN_OK) { /* after an error parts are only taken off the queue */
            rein_status status = part_write(r, part);
            if (status != REIN_OK) {
                snprintf(r->message, sizeof r->message, "%s", rein_error_message());
                r->failed = status;
            }
        }
        pthread_mutex_lock(&r->lock);
        r->n_queued--;
        memmove(r->queue, r->queue + 1, (size_t)r->n_queued * sizeof r->queue[0]);
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static rein_status writer_check(rein_recorder *r)
{
    int status = r->failed;
    if (status == REIN_OK) return REIN_OK;
    return rein_fail((rein_status)status, "rollouts: %s", r->message);
}

/* Signals stay with the program's own threads. */
static int writer_start(rein_recorder *r)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&r->thread, NULL, writer_run, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* ---- creation -------------------------------------------------------------------------------- */

static rein_status options_check(const rein_recorder_options *o)
{
    if (o->n_envs < 1 || o->n_agents < 1 || o->n_dims < 1 || o->n_dims > 3 || o->action_size < 1) {
        return rein_fail(REIN_EINVAL, "recorder of %d envs, %d agents, %d dimensions, action of %d",
                         o->n_envs, o->n_agents, o->n_dims, o->action_size);
    }
    if (o->observation_type != REIN_F32 && o->observation_type != REIN_U8) {
        return rein_fail(REIN_EINVAL, "recorded observations must be f32 or u8");
    }
    if (o->action_type != REIN_F32 && o->action_type != REIN_I32) {
        return rein_fail(REIN_EINVAL, "recorded actions must be f32 or i32");
    }
    double bytes = 64.0 * o->n_envs * o->n_agents * (o->action_size + 1.0);
    for (int i = 0; i < o->n_dims; i++) {
        if (o->shape[i] < 1) return rein_fail(REIN_EINVAL, "recorder: observation of no length");
        bytes *= o->shape[i];
    }
    if (bytes > 0x1p40 || o->part_bytes < 0 || o->part_bytes > INT64_C(1) << 40) {
        return rein_fail(REIN_EINVAL, "recorder: a step or a part is over 2^40 bytes");
    }
    return REIN_OK;
}

/* Memory for the most that a part can hold. Pages that are never written cost nothing, so room
 * for every step to end an episode is free. */
static bool part_allocate(const rein_recorder *r, rollout_part *p)
{
    size_t steps = (size_t)r->part_steps, ends = steps * (size_t)r->options.n_envs;
    size_t rows = r->options.transitions ? steps * (size_t)r->n_rows : 0;
    size_t flags = r->options.transitions ? ends : 0;
    p->observation = malloc(rows * r->observation_bytes + 1);
    p->action = malloc(rows * r->action_bytes + 1);
    p->reward = malloc(rows * sizeof *p->reward + 1);
    p->terminated = malloc(flags + 1);
    p->truncated = malloc(flags + 1);
    p->final_observation = malloc(rows * r->observation_bytes + 1);
    p->final_index = malloc(rows * 2 * sizeof *p->final_index + 1);
    p->episode_return = malloc(ends * sizeof *p->episode_return);
    p->episode_length = malloc(ends * sizeof *p->episode_length);
    p->episode_env = malloc(ends * sizeof *p->episode_env);
    p->episode_start = malloc(ends * sizeof *p->episode_start);
    p->episode_end = malloc(ends * sizeof *p->episode_end);
    p->episode_terminated = malloc(ends);
    return p->observation && p->action && p->reward && p->terminated && p->truncated &&
           p->final_observation && p->final_index && p->episode_return && p->episode_length &&
           p->episode_env && p->episode_start && p->episode_end && p->episode_terminated;
}

static void part_free(rollout_part *p)
{
    free(p->observation);
    free(p->action);
    free(p->reward);
    free(p->terminated);
    free(p->truncated);
    free(p->final_observation);
    free(p->final_index);
    free(p->episode_return);
    free(p->episode_length);
    free(p->episode_env);
    free(p->episode_start);
    free(p->episode_end);
    free(p->episode_terminated);
}

static void recorder_free(rein_recorder *r)
{
    for (int i = 0; i < N_PARTS; i++) part_free(&r->parts[i]);
    free((void *)(uintptr_t)r->options.folder);
    free((void *)(uintptr_t)r->options.env_id);
    free(r->start);
    free(r->entries);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->changed);
    free(r);
}

/* Part boundaries: from the config alone. */
static void recorder_sizes(rein_recorder *r)
{
    const rein_recorder_options *o = &r->options;
    size_t size = rein_dtype_size(o->observation_type), episode = 33;
    for (int i = 0; i < o->n_dims; i++) size *= (size_t)o->shape[i];
    r->n_rows = (int64_t)o->n_envs * o->n_agents;
    r->observation_bytes = size;
    r->action_bytes = (size_t)o->action_size * rein_dtype_size(o->action_type);
    size_t row = r->observation_bytes + r->action_bytes + sizeof(float);
    size_t step = o->transitions ? (size_t)r->n_rows * row + 2 * (size_t)o->n_envs
                                 : (size_t)o->n_envs * episode;
    int64_t bytes = o->part_bytes > 0 ? o->part_bytes : INT64_C(4) << 20;
    r->part_steps = bytes > (int64_t)step ? bytes / (int64_t)step : 1;
}

rein_status rein_recorder_create(const rein_recorder_options *options, rein_recorder **out)
{
    char path[PATH_MAX];
    REIN_TRY(options_check(options));
    snprintf(path, sizeof path, "%s/rollouts", options->folder);
    REIN_TRY(rein_folder_create(path));
    rein_recorder *r = calloc(1, sizeof *r);
    if (r == NULL) return rein_fail(REIN_ENOMEM, "no memory for a recorder");
    r->options = *options;
    r->current = NONE;
    r->options.folder = strdup(options->folder);
    r->options.env_id = strdup(options->env_id);
    r->start = calloc((size_t)options->n_envs, sizeof *r->start);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    recorder_sizes(r);
    bool good = r->options.folder != NULL && r->options.env_id != NULL && r->start != NULL;
    for (int i = 0; i < N_PARTS && good; i++) good = part_allocate(r, &r->parts[i]);
    if (!good || writer_start(r) != 0) {
        recorder_free(r);
        return rein_fail(REIN_ENOMEM, "no memory for a recorder");
    }
    *out = r;
    return REIN_OK;
}

/* ---- parts that are not of this run ---------------------------------------------------------- */

/* Remove parts with a number above `last` and left-over temporary files. */
static void parts_remove(const rein_recorder *r, int64_t last)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/rollouts", r->options.folder);
    DIR *directory = opendir(path);
    if (directory == NULL) return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        int64_t number = rollout_part_number(entry->d_name);
        bool temporary = number > 0 && strstr(entry->d_name, ".tmp") != NULL;
        if (number <= last && !temporary) continue;
        snprintf(path, sizeof path, "%s/rollouts/%s", r->options.folder, entry->d_name);
        unlink(path);
    }
    closedir(directory);
}

/* The folder may hold parts of a life that went on after the checkpoint, or that had none. First
 * rollouts.h5 stops showing them, then they go. Nothing is queued. */
static rein_status recorder_begin(rein_recorder *r)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/rollouts.h5", r->options.folder);
    if (r->n_entries > 0 || rein_file_exists(path)) REIN_TRY(index_write(r));
    r->n_indexed = r->n_entries;
    parts_remove(r, r->n_entries);
    r->started = true;
    return REIN_OK;
}

/* ---- push ------------------------------------------------------------------------------------ */

/* Find a part to fill; blocks while the other two are not yet written. */
static void part_acquire(rein_recorder *r)
{
    bool used[N_PARTS];
    pthread_mutex_lock(&r->lock);
    while (r->n_queued == N_PARTS) pthread_cond_wait(&r->changed, &r->lock);
    memset(used, 0, sizeof used);
    for (int i = 0; i < r->n_queued; i++) used[r->queue[i]] = true;
    pthread_mutex_unlock(&r->lock);
    r->current = 0; /* the lowest: memory of the third is touched only when the disk is slow */
    while (used[r->current]) r->current++;
    rollout_part *p = &r->parts[r->current];
    p->number = r->n_filled + 1;
    p->first_step = r->n_steps;
    p->n_steps = p->n_episodes = p->n_finals = 0;
}

static void part_submit(rein_recorder *r)
{
    pthread_mutex_lock(&r->lock);
    r->queue[r->n_queued++] = r->current;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    r->current = NONE;
    r->n_filled++;
}

/* Add the episode of `env` that ended with row t of `steps`, which is global step `step`. */
static void part_end_episode(rein_recorder *r, rollout_part *p, const rein_recorder_steps *steps,
                             int64_t t, int env, int64_t step)
{
    int64_t i = t * r->options.n_envs + env, e = p->n_episodes++;
    p->episode_return[e] = steps->episode_return[i];
    p->episode_length[e] = steps->episode_length[i];
    p->episode_env[e] = env;
    p->episode_start[e] = r->start[env];
    p->episode_end[e] = step + 1;
    p->episode_terminated[e] = steps->terminated[i] != 0;
    r->start[env] = step + 1;
    if (!r->options.transitions) return;
    int64_t agents = r->options.n_agents, row = env * agents;
    const char *final = steps->final_observation;
    memcpy(p->final_observation + (size_t)p->n_finals * r->observation_bytes,
           final + (size_t)(t * r->n_rows + row) * r->observation_bytes,
           (size_t)agents * r->observation_bytes);
    for (int64_t k = 0; k < agents; k++) {
        p->final_index[2 * p->n_finals] = step;
        p->final_index[2 * p->n_finals++ + 1] = row + k;
    }
}

/* Copy rows [t, t + n) of `steps` to the end of a part. */
static void part_append(rein_recorder *r, rollout_part *p, const rein_recorder_steps *steps,
                        int64_t t, int64_t n)
{
    size_t at = (size_t)p->n_steps, from = (size_t)t, rows = (size_t)r->n_rows;
    size_t envs = (size_t)r->options.n_envs;
    if (r->options.transitions) {
        size_t observation = rows * r->observation_bytes, action = rows * r->action_bytes;
        memcpy(p->observation + at * observation,
               (const char *)steps->observation + from * observation, (size_t)n * observation);
        memcpy(p->action + at * action, (const char *)steps->action + from * action,
               (size_t)n * action);
        memcpy(p->reward + at * rows, steps->reward + from * rows,
               (size_t)n * rows * sizeof *p->reward);
        memcpy(p->terminated + at * envs, steps->terminated + from * envs, (size_t)n * envs);
        memcpy(p->truncated + at * envs, steps->truncated + from * envs, (size_t)n * envs);
    }
    for (int64_t k = t; k < t + n; k++) {
        for (size_t env = 0; env < envs; env++) {
            size_t i = (size_t)k * envs + env;
            if (!(steps->terminated[i] | steps->truncated[i])) continue;
            part_end_episode(r, p, steps, k, (int)env, r->n_steps + k - t);
        }
    }
    p->n_steps += n;
    r->n_steps += n;
}

rein_status rein_recorder_push(rein_recorder *recorder, const rein_recorder_steps *steps)
{
    rein_recorder *r = recorder;
    if (!r->started) REIN_TRY(recorder_begin(r));
    for (int64_t t = 0; t < steps->n_steps;) {
        REIN_TRY(writer_check(r));
        if (r->current == NONE) part_acquire(r);
        rollout_part *p = &r->parts[r->current];
        int64_t room = r->part_steps - p->n_steps, left = steps->n_steps - t;
        int64_t n = left < room ? left : room;
        part_append(r, p, steps, t, n);
        if (p->n_steps == r->part_steps) part_submit(r);
        t += n;
    }
    return writer_check(r);
}

rein_status rein_recorder_sync(rein_recorder *recorder)
{
    pthread_mutex_lock(&recorder->lock);
    while (recorder->n_queued > 0) pthread_cond_wait(&recorder->changed, &recorder->lock);
    pthread_mutex_unlock(&recorder->lock);
    return writer_check(recorder);
}

/* ---- archive and close ----------------------------------------------------------------------- */

static rein_status archive_shape(const rein_recorder *r, rein_archive *archive)
{
    const rein_recorder_options *o = &r->options;
    const int64_t mine[] = {o->n_envs,
                            o->n_agents,
                            o->observation_type,
                            o->n_dims,
                            o->shape[0],
                            o->n_dims > 1 ? o->shape[1] : 1,
                            o->n_dims > 2 ? o->shape[2] : 1,
                            o->action_type,
                            o->action_size,
                            o->transitions,
                            r->part_steps};
    int64_t shape[sizeof mine / sizeof mine[0]];
    memcpy(shape, mine, sizeof shape);
    REIN_TRY(rein_archive_array(archive, "shape", REIN_I64, shape, sizeof mine / sizeof mine[0]));
    if (memcmp(shape, mine, sizeof shape) == 0) return REIN_OK;
    return rein_fail(REIN_EFORMAT, "the saved rollouts are of another environment or part size");
}

static bool part_fits(const rein_recorder *r, const rollout_part *p)
{
    int64_t ends = p->n_steps * r->options.n_envs;
    int64_t finals = r->options.transitions ? p->n_episodes * r->options.n_agents : 0;
    return p->n_steps >= 0 && p->n_steps < r->part_steps && p->n_episodes >= 0 &&
           p->n_episodes <= ends && p->n_finals == finals;
}

static rein_status archive_part(const rein_recorder *r, rein_archive *a, rollout_part *p)
{
    REIN_TRY(rein_archive_i64(a, "n_steps", &p->n_steps));
    REIN_TRY(rein_archive_i64(a, "n_episodes", &p->n_episodes));
    REIN_TRY(rein_archive_i64(a, "n_finals", &p->n_finals));
    if (!part_fits(r, p)) {
        return rein_fail(REIN_EFORMAT, "the saved rollouts' part is damaged");
    }
    const rein_recorder_options *o = &r->options;
    size_t rows = o->transitions ? (size_t)(p->n_steps * r->n_rows) : 0;
    size_t flags = o->transitions ? (size_t)(p->n_steps * o->n_envs) : 0;
    size_t finals = (size_t)p->n_finals, n = (size_t)p->n_episodes;
    size_t observation = r->observation_bytes / rein_dtype_size(o->observation_type);
    REIN_TRY(rein_archive_array(a, "observation", o->observation_type, p->observation,
                                rows * observation));
    REIN_TRY(
        rein_archive_array(a, "action", o->action_type, p->action, rows * (size_t)o->action_size));
    REIN_TRY(rein_archive_array(a, "reward", REIN_F32, p->reward, rows));
    REIN_TRY(rein_archive_array(a, "terminated", REIN_U8, p->terminated, flags));
    REIN_TRY(rein_archive_array(a, "truncated", REIN_U8, p->truncated, flags));
    REIN_TRY(rein_archive_array(a, "final_observation", o->observation_type, p->final_observation,
                                finals * observation));
    REIN_TRY(rein_archive_array(a, "final_index", REIN_I64, p->final_index, 2 * finals));
    REIN_TRY(rein_archive_array(a, "episode_return", REIN_F64, p->episode_return, n));
    REIN_TRY(rein_archive_array(a, "episode_length", REIN_I32, p->episode_length, n));
    REIN_TRY(rein_archive_array(a, "episode_env", REIN_I32, p->episode_env, n));
    REIN_TRY(rein_archive_array(a, "episode_start", REIN_I64, p->episode_start, n));
    REIN_TRY(rein_archive_array(a, "episode_end", REIN_I64, p->episode_end, n));
    return rein_archive_array(a, "episode_terminated", REIN_U8, p->episode_terminated, n);
}

static rein_status archive_counters(rein_recorder *r, rein_archive *archive)
{
    int64_t n = r->n_entries;
    REIN_TRY(rein_archive_i64(archive, "n_steps", &r->n_steps));
    REIN_TRY(rein_archive_i64(archive, "n_parts", &n));
    if (n < 0 || r->n_steps < 0 || r->n_steps >> 53 != 0 || r->n_steps / r->part_steps != n) {
        return rein_fail(REIN_EFORMAT, "the saved rollouts' counters are damaged");
    }
    if (archive->loading) {
        rollout_entry *entries = calloc((size_t)n + 1, sizeof *entries);
        if (entries == NULL) return rein_fail(REIN_ENOMEM, "no memory to record rollouts");
        free(r->entries);
        r->entries = entries;
        r->n_entries = r->n_filled = n;
    }
    REIN_TRY(rein_archive_array(archive, "parts", REIN_I64, r->entries, 3 * (size_t)n));
    for (int64_t i = 0; i < n; i++) {
        const rollout_entry *e = &r->entries[i];
        if (e->n_steps != r->part_steps || e->n_episodes < 0 || e->n_finals < 0 ||
            e->n_episodes > e->n_steps * r->options.n_envs ||
            e->n_finals > e->n_steps * r->n_rows) {
            return rein_fail(REIN_EFORMAT, "the saved rollouts' parts are damaged");
        }
    }
    return rein_archive_array(archive, "start", REIN_I64, r->start, (size_t)r->options.n_envs);
}

static rein_status recorder_archive(rein_recorder *r, rein_archive *archive)
{
    char path[PATH_MAX];
    REIN_TRY(archive_shape(r, archive));
    REIN_TRY(archive_counters(r, archive));
    if (archive->loading) r->current = NONE;
    if (r->current == NONE) part_acquire(r);
    rollout_part *part = &r->parts[r->current];
    rein_archive_enter(archive, "part");
    rein_status status = archive_part(r, archive, part);
    rein_archive_leave(archive);
    if (status != REIN_OK || !archive->loading) return status;
    part->first_step = r->n_steps - part->n_steps;
    if (part->first_step != r->n_entries * r->part_steps) {
        return rein_fail(REIN_EFORMAT, "the saved rollouts' counters are damaged");
    }
    for (int64_t i = 1; i <= r->n_entries; i++) {
        rollout_part_path(path, sizeof path, r->options.folder, i);
        if (!rein_file_exists(path)) return rein_fail(REIN_ENOTFOUND, "%s is missing", path);
    }
    return recorder_begin(r);
}

rein_status rein_recorder_archive(rein_recorder *recorder, rein_archive *archive)
{
    REIN_TRY(rein_recorder_sync(recorder));
    rein_archive_enter(archive, "recorder");
    rein_status status = recorder_archive(recorder, archive);
    rein_archive_leave(archive);
    return status;
}

rein_status rein_recorder_close(rein_recorder *recorder, bool finish)
{
    rein_recorder *r = recorder;
    if (r == NULL) return REIN_OK;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    rein_status status = writer_check(r);
    bool rest = finish && r->started && r->current != NONE && r->parts[r->current].n_steps > 0;
    if (status == REIN_OK && rest) status = part_write(r, &r->parts[r->current]);
    if (status == REIN_OK && r->started) status = index_write(r);
    recorder_free(r);
    return status;
}
