/* The run folder: made, locked, described. */
#include "experiments/run_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <gnu/libc-version.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "nets/script.h"
#include "envs/mujoco/classes.h"

void rein_run_folder_path(const rein_run_folder *folder, const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", folder->path, name);
}

/* ---- make, open, remove -------------------------------------------------------------------- */

static rein_status lock(rein_run_folder *folder)
{
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0) {
        int error = errno;
        return rein_fail(error == ENOENT || error == ENOTDIR ? REIN_ENOTFOUND : REIN_EIO, "%s: %s",
                         folder->path,
                         error == ENOENT    ? "there is no such run"
                         : error == ENOTDIR ? "a run is a folder, this is a file"
                                            : strerror(error));
    }
    /* a file system without locks is no reason not to train */
    if (flock(folder->fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return REIN_OK;
    rein_run_folder_close(folder);
    return rein_fail(REIN_EIO, "%s is in use by another rein: wait for it, or stop it",
                     folder->path);
}

/* mkdir of out/name(-number); false when it exists already. */
static rein_status try_create(const rein_experiment *e, int number, rein_run_folder *folder,
                              bool *exists)
{
    char name[REIN_TEXT_SIZE + 128], tail[16] = "";
    if (number > 1) snprintf(tail, sizeof tail, "-%d", number);
    if (e->run.name[0]) {
        snprintf(name, sizeof name, "%s", e->run.name);
    } else {
        snprintf(name, sizeof name, "%s-%s-s%lld%s", e->algo_class->id, e->env_class->id,
                 (long long)e->run.seed, tail);
    }
    snprintf(folder->path, sizeof folder->path, "%s/%s", e->run.out, name);
    *exists = false;
    if (mkdir(folder->path, 0777) == 0) return REIN_OK;
    *exists = errno == EEXIST;
    if (*exists) return REIN_OK;
    return rein_fail(REIN_EIO, "cannot create %s: %s: choose another run.out", folder->path,
                     strerror(errno));
}

rein_status rein_run_folder_create(const rein_experiment *e, rein_run_folder *out)
{
    bool exists = true;
    out->fd = -1;
    rein_status status = rein_folder_create(e->run.out);
    if (status != REIN_OK) {
        return rein_fail(status, "%s: choose another run.out", rein_error_message());
    }
    for (int number = 1; exists; number++) {
        REIN_TRY(try_create(e, number, out, &exists));
        if (exists && e->run.name[0]) {
            return rein_fail(REIN_ECONFIG,
                             "%s exists already: choose another run.name, or go on "
                             "with it: rein resume %s",
                             out->path, out->path);
        }
    }
    status = lock(out);
    if (status != REIN_OK) rmdir(out->path);
    return status;
}

rein_status rein_run_folder_open(const char *path, rein_run_folder *out)
{
    char config[REIN_PATH_SIZE + 16];
    out->fd = -1;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    if (n >= sizeof out->path) return rein_fail(REIN_EINVAL, "path too long: %s", path);
    snprintf(out->path, sizeof out->path, "%.*s", (int)n, path);
    REIN_TRY(lock(out));
    rein_run_folder_path(out, "config.yaml", config, sizeof config);
    if (rein_file_exists(config)) return REIN_OK;
    rein_run_folder_close(out);
    return rein_fail(REIN_ENOTFOUND, "%s is not a run: it has no config.yaml", out->path);
}

void rein_run_folder_close(rein_run_folder *folder)
{
    if (folder->fd >= 0) close(folder->fd);
    folder->fd = -1;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void rein_run_folder_remove(rein_run_folder *folder)
{
    remove_tree(folder->path);
    rein_run_folder_close(folder);
}

rein_status rein_run_folder_clear(const rein_run_folder *folder)
{
    static const char *const made[] = {"metrics.jsonl", "rollouts",      "rollouts.h5", "replay",
                                       "policy.rein",   "checkpoint.h5", "summary.json"};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        char path[REIN_PATH_SIZE + 32];
        rein_run_folder_path(folder, made[i], path, sizeof path);
        remove_tree(path);
        if (access(path, F_OK) == 0) return rein_fail(REIN_EIO, "cannot remove %s", path);
    }
    return REIN_OK;
}

/* ---- what is written into it --------------------------------------------------------------- */

rein_status rein_run_folder_write_config(const rein_run_folder *folder, const rein_experiment *e)
{
    char path[REIN_PATH_SIZE + 16], *text;
    rein_run_folder_path(folder, REIN_RUN_SCRIPT, path, sizeof path);
    if (e->script && !rein_file_exists(path)) {
        REIN_TRY(rein_file_write(path, e->script->data, e->script->size, false));
    }
    REIN_TRY(rein_experiment_dump(e, &text));
    rein_run_folder_path(folder, "config.yaml", path, sizeof path);
    rein_status status = rein_file_write(path, text, strlen(text), false);
    free(text);
    return status;
}

/* Write `root` to folder/name, indented, and let go of it. */
static rein_status write_json(const rein_run_folder *folder, const char *name, json_t *root)
{
    char path[REIN_PATH_SIZE + 32];
    rein_run_folder_path(folder, name, path, sizeof path);
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(root);
    if (!text) return rein_fail(REIN_ENOMEM, "no memory to write %s", path);
    size_t n = strlen(text);
    text[n] = '\n'; /* in place of the '\0': files end in a newline */
    rein_status status = rein_file_write(path, text, n + 1, false);
    free(text);
    return status;
}

/* A number, or null where JSON has no word for it. */
static json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* "model name" of the first processor in /proc/cpuinfo. */
static void cpu_name(char *out, size_t size)
{
    char line[512];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(out, size, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !value) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, size, "%s", value[1] == ' ' ? value + 2 : value + 1);
        break;
    }
    if (file) fclose(file);
}

static json_t *describe_session(const rein_experiment *e, int argc, char **argv)
{
    char cpu[512], when[64];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    cpu_name(cpu, sizeof cpu);
    json_t *command = json_array();
    for (int i = 0; i < argc; i++) {
        json_t *word = json_string(argv[i]);
        json_array_append_new(command, word ? word : json_string("?")); /* not UTF-8 */
    }
    json_t *model = json_string(cpu);
    return json_pack("{s:s, s:o, s:s, s:s, s:s, s:{s:s, s:s, s:s}, s:o, s:I, s:I}", "time", when,
                     "command", command, "rein", REIN_VERSION, "compiler", __VERSION__, "kernels",
                     rein_net_kernels(), "libraries", "mujoco", rein_mujoco_version(), "glibc",
                     gnu_get_libc_version(), "jansson", JANSSON_VERSION, "cpu",
                     model ? model : json_string("?"), "threads", (json_int_t)e->run.threads,
                     "total_timesteps", (json_int_t)e->run.total_timesteps);
}

rein_status rein_run_folder_write_session(const rein_run_folder *folder, const rein_experiment *e,
                                          int argc, char **argv)
{
    char path[REIN_PATH_SIZE + 16];
    rein_run_folder_path(folder, "run.json", path, sizeof path);
    json_t *root = json_load_file(path, 0, NULL);
    if (!json_is_array(json_object_get(root, "sessions"))) { /* new, or damaged */
        json_decref(root);
        root = json_pack("{s:s, s:s, s:I, s:[]}", "algo", e->algo_class->id, "env",
                         e->env_class->id, "seed", (json_int_t)e->run.seed, "sessions");
    }
    json_t *session = describe_session(e, argc, argv);
    if (!root || !session ||
        json_array_append_new(json_object_get(root, "sessions"), session) != 0) {
        json_decref(root);
        return rein_fail(REIN_ENOMEM, "no memory to write %s", path);
    }
    return write_json(folder, "run.json", root);
}

rein_status rein_run_folder_write_summary(const rein_run_folder *folder, const rein_run_summary *s)
{
    char fingerprint[32];
    snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)s->fingerprint);
    bool evaluated = s->eval_episodes > 0;
    return write_json(
        folder, "summary.json",
        json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:s, s:I}", "steps",
                  (json_int_t)s->steps, "episodes", (json_int_t)s->episodes, "broken",
                  (json_int_t)s->broken, "wall_time_s", json_number(s->wall_time_s), "sps",
                  json_number(s->sps), "episode_return_mean", json_number(s->return_mean),
                  "episode_length_mean", json_number(s->length_mean), "eval_episodes",
                  (json_int_t)s->eval_episodes, "eval_return_mean",
                  evaluated ? json_number(s->eval_return_mean) : json_null(), "eval_return_std",
                  evaluated ? json_number(s->eval_return_std) : json_null(), "fingerprint",
                  fingerprint, "peak_memory_kb", (json_int_t)s->peak_memory_kb));
}

static double get_number(const json_t *root, const char *key)
{
    const json_t *value = json_object_get(root, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static int64_t get_integer(const json_t *root, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(root, key));
}

rein_status rein_run_folder_read_summary(const rein_run_folder *folder, rein_run_summary *out)
{
    char path[REIN_PATH_SIZE + 32];
    json_error_t error;
    rein_run_folder_path(folder, "summary.json", path, sizeof path);
    if (!rein_file_exists(path)) return rein_fail(REIN_ENOTFOUND, "%s: not there", path);
    json_t *root = json_load_file(path, 0, &error);
    const char *hex = json_string_value(json_object_get(root, "fingerprint"));
    if (!hex || !json_is_integer(json_object_get(root, "steps"))) {
        json_decref(root);
        return rein_fail(REIN_EFORMAT, "%s: damaged: remove it, `rein resume` makes it again",
                         path);
    }
    *out = (rein_run_summary){
        .steps = get_integer(root, "steps"),
        .episodes = get_integer(root, "episodes"),
        .broken = get_integer(root, "broken"),
        .wall_time_s = get_number(root, "wall_time_s"),
        .sps = get_number(root, "sps"),
        .return_mean = get_number(root, "episode_return_mean"),
        .length_mean = get_number(root, "episode_length_mean"),
        .eval_episodes = get_integer(root, "eval_episodes"),
        .eval_return_mean = get_number(root, "eval_return_mean"),
        .eval_return_std = get_number(root, "eval_return_std"),
        .fingerprint = strtoull(hex, NULL, 16),
        .peak_memory_kb = get_integer(root, "peak_memory_kb"),
    };
    json_decref(root);
    return REIN_OK;
}
