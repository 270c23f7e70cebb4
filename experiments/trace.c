#include "experiments/trace.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envs/check.h"
#include "envs/mujoco/classes.h"
#include "replay/trace.h"

enum { NAME_SIZE = 200, PATH_SIZE = 512, MAX_COLUMNS = 64 };

typedef struct tracer {
    const rein_env_class *env;
    const void *config; /* the caller's */
    void *variant;      /* [env->config_size] copy for the group at hand */
    rein_store *store;
    rein_trace_report *report;
    char versions[128]; /* other MuJoCo versions that have a recording of env */
} tracer;

/* ---- one episode --------------------------------------------------------------------------- */

/* Rows [first, first + n_rows) of an array as a trace's column. */
static rein_trace_column tracer_column(const rein_recorded *array, int64_t first, int64_t n_rows)
{
    return (rein_trace_column){.name = array->name,
                               .n_rows = n_rows,
                               .size = array->size,
                               .values = array->values + first * array->size,
                               .single = array->single};
}

/* Values of an optional array of one number per step, from row `first`. */
static rein_status tracer_flags(const rein_recording *recording, const char *name, int64_t first,
                                int64_t n_steps, const double **out)
{
    const rein_recorded *array = rein_recording_find(recording, name);
    *out = NULL;
    if (array == NULL) return REIN_OK;
    if (array->size != 1 || array->n_rows < first + n_steps) {
        return rein_fail(REIN_EFORMAT, "%s has %lld rows of %d numbers for %lld steps", name,
                         (long long)array->n_rows, array->size, (long long)n_steps);
    }
    *out = array->values + first;
    return REIN_OK;
}

/* Replay the episode whose state before its first action is row `first` of the arrays. In a group
 * of one episode first is 0 and arrays keep the rows they have; in a table (`n_table` > 0) every
 * array of that many rows is cut to this episode's. */
static rein_status tracer_episode(tracer *t, const rein_recording *recording, const char *name,
                                  int64_t first, int64_t n_steps, int64_t n_table)
{
    rein_trace_column columns[MAX_COLUMNS];
    const rein_recorded *action = rein_recording_find(recording, "action");
    rein_trace trace = {.name = name,
                        .n_steps = n_steps,
                        .columns = columns,
                        .action = action->values + first * action->size,
                        .action_size = action->size};
    for (int i = 0; i < recording->n && trace.n_columns < MAX_COLUMNS; i++) {
        const rein_recorded *array = &recording->arrays[i];
        bool whole = n_table == 0;
        if (!whole && array->n_rows != n_table) continue;
        columns[trace.n_columns++] =
            tracer_column(array, first, whole ? array->n_rows : n_steps + 1);
        /* init_qpos [nq] is one row */
        bool init = whole && strncmp(array->name, "init_", 5) == 0 && array->size == 1;
        if (init && array->n_rows <= INT32_MAX) {
            columns[trace.n_columns - 1].n_rows = 1;
            columns[trace.n_columns - 1].size = (int)array->n_rows;
        }
    }
    REIN_TRY(tracer_flags(recording, "terminated", first, n_steps, &trace.terminated));
    REIN_TRY(tracer_flags(recording, "truncated", first, n_steps, &trace.truncated));
    int64_t n_compared = 0;
    rein_status status = rein_check_trace(t->env, t->variant, &trace, &n_compared);
    t->report->n_episodes++;
    t->report->n_compared += n_compared;
    if (status == REIN_OK) t->report->n_steps += n_steps;
    return status;
}

/* ---- one group ----------------------------------------------------------------------------- */

/* Episodes one behind the other: array first_row and steps say where. */
static rein_status tracer_table(tracer *t, const rein_recording *recording, const char *group)
{
    const rein_recorded *first = rein_recording_find(recording, "first_row");
    const rein_recorded *steps = rein_recording_find(recording, "steps");
    const rein_recorded *action = rein_recording_find(recording, "action");
    if (steps == NULL || action == NULL || steps->n_rows != first->n_rows || steps->size != 1 ||
        first->size != 1) {
        return rein_fail(REIN_EFORMAT, "%s: first_row needs steps of the same length, and action",
                         group);
    }
    for (int64_t k = 0; k < first->n_rows; k++) {
        double row = first->values[k], n = steps->values[k];
        if (!(row >= 0 && n >= 1 && row + n < (double)action->n_rows) || row != floor(row) ||
            n != floor(n)) {
            return rein_fail(REIN_EFORMAT, "%s: episode %lld has rows %g to %g of %lld", group,
                             (long long)k, row, row + n, (long long)action->n_rows);
        }
        char name[PATH_SIZE];
        snprintf(name, sizeof name, "%s level %lld", group, (long long)k);
        REIN_TRY(tracer_episode(t, recording, name, (int64_t)row, (int64_t)n, action->n_rows));
    }
    return REIN_OK;
}

/* Child i of a group, if it is an episode. *end: there is no child i. */
static rein_status tracer_child(tracer *t, const char *group, int i, bool *end)
{
    char child[NAME_SIZE], path[PATH_SIZE];
    rein_recording recording;
    rein_status status = rein_store_child(t->store, group, i, child, sizeof child);
    *end = status == REIN_ENOTFOUND;
    if (*end) return REIN_OK;
    REIN_TRY(status);
    snprintf(path, sizeof path, "%s/%s", group, child);
    status = rein_recording_read(t->store, path, &recording);
    if (status == REIN_ENOTFOUND) return REIN_OK; /* not a group */
    REIN_TRY(status);
    const rein_recorded *action = rein_recording_find(&recording, "action");
    if (action != NULL) status = tracer_episode(t, &recording, path, 0, action->n_rows, 0);
    rein_recording_free(&recording);
    return status;
}

static rein_status tracer_group(tracer *t, const char *group)
{
    rein_recording recording;
    int before = t->report->n_episodes;
    bool end = false;
    rein_status status = rein_recording_read(t->store, group, &recording);
    if (status == REIN_ENOTFOUND) return rein_fail(REIN_EFORMAT, "%s holds nothing", group);
    REIN_TRY(status);
    if (rein_recording_find(&recording, "first_row") != NULL) {
        status = tracer_table(t, &recording, group);
        end = true;
    }
    rein_recording_free(&recording);
    for (int i = 0; !end && status == REIN_OK; i++) status = tracer_child(t, group, i, &end);
    if (status == REIN_OK && t->report->n_episodes == before) {
        return rein_fail(REIN_EFORMAT, "%s holds no episodes", group);
    }
    t->report->n_groups += status == REIN_OK;
    return status;
}

/* ---- which groups -------------------------------------------------------------------------- */

/* Set "key=value,key=value" in the copy of the config. Python writes True and False. */
static rein_status tracer_set_variant(tracer *t, const char *settings)
{
    char copy[NAME_SIZE], *rest = NULL;
    const rein_env_class *env = t->env;
    memcpy(t->variant, t->config, env->config_size);
    snprintf(copy, sizeof copy, "%s", settings);
    for (char *key = strtok_r(copy, ",", &rest); key != NULL; key = strtok_r(NULL, ",", &rest)) {
        char *value = strchr(key, '=');
        if (value == NULL) return rein_fail(REIN_ECONFIG, "no value for '%s'", key);
        *value++ = '\0';
        const rein_field *field = rein_fields_find(env->fields, env->n_fields, key);
        if (field == NULL) return rein_fail(REIN_ECONFIG, "%s has no field '%s'", env->id, key);
        if (strcmp(value, "True") == 0) value = "true";
        if (strcmp(value, "False") == 0) value = "false";
        REIN_TRY(rein_field_set(field, t->variant, value));
    }
    return REIN_OK;
}

static void tracer_note(tracer *t, const char *group)
{
    char *note = t->report->note;
    size_t used = strlen(note), size = sizeof t->report->note;
    snprintf(note + used, size - used, "%sskipped %s: %s", used > 0 ? "; " : "", group,
             rein_error_message());
    t->report->n_skipped++;
}

/* Replay the group at `path` if it belongs to the class. */
static rein_status tracer_visit(tracer *t, const char *path, const char *name)
{
    char id[NAME_SIZE];
    if (rein_store_get_text(t->store, path, "env_id", id, sizeof id) != REIN_OK) {
        snprintf(id, sizeof id, "%.*s", (int)strcspn(name, ","), name);
    }
    if (strcmp(id, t->env->id) != 0) return REIN_OK;
    const char *comma = strchr(name, ',');
    if (tracer_set_variant(t, comma != NULL ? comma + 1 : "") != REIN_OK) {
        tracer_note(t, path);
        return REIN_OK;
    }
    return tracer_group(t, path);
}

/* All groups inside `parent` ("/" or "/mujoco-<version>"). */
static rein_status tracer_visit_all(tracer *t, const char *parent)
{
    char name[NAME_SIZE], path[PATH_SIZE];
    for (int i = 0;; i++) {
        rein_status status = rein_store_child(t->store, parent, i, name, sizeof name);
        if (status == REIN_ENOTFOUND) return REIN_OK;
        REIN_TRY(status);
        if (strncmp(name, "mujoco-", 7) == 0) continue; /* see tracer_find_version */
        snprintf(path, sizeof path, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name);
        REIN_TRY(tracer_visit(t, path, name));
    }
}

/* The group of the linked MuJoCo, or of another 2.x for a 2.x without its own (recorded states of
 * 2.2.2 and 2.3.7 are equal but for HumanoidStandup). `out` "": none. */
static rein_status tracer_find_version(tracer *t, char *out, size_t size)
{
    const char *linked = rein_mujoco_version();
    char name[NAME_SIZE], path[PATH_SIZE], child[NAME_SIZE];
    out[0] = '\0';
    for (int i = 0;; i++) {
        rein_status status = rein_store_child(t->store, "/", i, name, sizeof name);
        if (status == REIN_ENOTFOUND) return REIN_OK;
        REIN_TRY(status);
        if (strncmp(name, "mujoco-", 7) != 0) continue;
        bool exact = strcmp(name + 7, linked) == 0;
        bool related = strncmp(name + 7, "2.", 2) == 0 && strncmp(linked, "2.", 2) == 0;
        if (exact || (related && out[0] == '\0')) snprintf(out, size, "/%s", name);
        if (exact) return REIN_OK;
        snprintf(path, sizeof path, "/%s/%s", name, t->env->id);
        if (rein_store_child(t->store, path, 0, child, sizeof child) != REIN_OK) continue;
        size_t used = strlen(t->versions);
        snprintf(t->versions + used, sizeof t->versions - used, " %s", name + 7);
    }
}

static rein_status tracer_run(tracer *t)
{
    char group[NAME_SIZE + 1];
    rein_status status = tracer_visit_all(t, "/");
    if (status == REIN_OK) status = tracer_find_version(t, group, sizeof group);
    if (status == REIN_OK && group[0] != '\0') status = tracer_visit_all(t, group);
    if (status != REIN_OK || t->report->n_groups > 0) return status;
    if (t->versions[0] != '\0' && group[0] == '\0') {
        return rein_fail(REIN_EUNSUPPORTED, "%s is recorded with MuJoCo%s, this program has %s",
                         t->env->id, t->versions, rein_mujoco_version());
    }
    if (t->report->n_skipped > 0) {
        return rein_fail(REIN_ENOTFOUND, "no recording fits %s: %s", t->env->id, t->report->note);
    }
    return rein_fail(REIN_ENOTFOUND, "no recording of %s", t->env->id);
}

rein_status rein_trace_check(const rein_env_class *env, const void *config, const char *path,
                             rein_trace_report *report)
{
    tracer t = {.env = env, .config = config, .report = report};
    *report = (rein_trace_report){0};
    REIN_TRY(rein_store_open_plain(path, &t.store));
    t.variant = malloc(env->config_size > 0 ? env->config_size : 1);
    rein_status status =
        t.variant != NULL ? tracer_run(&t) : rein_fail(REIN_ENOMEM, "no memory for a config");
    if (status != REIN_OK) status = rein_fail_in(status, "%s", path);
    free(t.variant);
    rein_store_free(t.store);
    return status;
}
