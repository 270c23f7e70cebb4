#include "replay/rollout_files.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/store.h"

/* ---- names ----------------------------------------------------------------------------------- */

void rollout_part_path(char *path, size_t size, const char *folder, int64_t number)
{
    snprintf(path, size, "%s/rollouts/%06" PRId64 ".h5", folder, number);
}

int64_t rollout_part_number(const char *name)
{
    int64_t number = 0;
    size_t digits = strspn(name, "0123456789");
    if (digits < 6 || digits > 15) return 0;
    if (strcmp(name + digits, ".h5") != 0 && strcmp(name + digits, ".h5.tmp") != 0) return 0;
    for (size_t i = 0; i < digits; i++) number = 10 * number + (name[i] - '0');
    return number;
}

/* ---- the arrays, one list for parts and for rollouts.h5 -------------------------------------- */

enum count { STEPS, EPISODES, FINALS };

typedef struct column {
    const char *name;
    enum count count; /* what its first dimension counts */
    rein_dtype type;
    int n_dims;
    int64_t dims[REIN_STORE_DIMS]; /* behind the first */
    const void *data;
    bool compress;
} column;

enum { MOST_COLUMNS = 13 };

/* Floats of a simulation are left as they are: gzip costs more time than stepping and saves a
 * tenth. Images, flags and small integers shrink many times over. */
static int part_columns(const rein_recorder_options *o, const rollout_part *p,
                        column out[MOST_COLUMNS])
{
    int64_t rows = (int64_t)o->n_envs * o->n_agents;
    bool image = o->observation_type == REIN_U8, discrete = o->action_type != REIN_F32;
    column observation = {"observation",  STEPS, o->observation_type, 2 + o->n_dims, {rows},
                          p->observation, image};
    column final = {"final_observation",  FINALS, o->observation_type, 1 + o->n_dims, {0},
                    p->final_observation, image};
    for (int i = 0; i < o->n_dims; i++) {
        observation.dims[1 + i] = o->shape[i];
        final.dims[i] = o->shape[i];
    }
    const column transitions[] = {
        observation,
        {"action",
         STEPS,
         o->action_type,
         o->action_size > 1 || !discrete ? 3 : 2,
         {rows, o->action_size},
         p->action,
         discrete},
        {"reward", STEPS, REIN_F32, 2, {rows}, p->reward, true},
        {"terminated", STEPS, REIN_U8, 2, {o->n_envs}, p->terminated, true},
        {"truncated", STEPS, REIN_U8, 2, {o->n_envs}, p->truncated, true},
        final,
        {"final_index", FINALS, REIN_I64, 2, {2}, p->final_index, true},
    };
    const column episodes[] = {
        {"episode/return", EPISODES, REIN_F64, 1, {0}, p->episode_return, false},
        {"episode/length", EPISODES, REIN_I32, 1, {0}, p->episode_length, true},
        {"episode/env", EPISODES, REIN_I32, 1, {0}, p->episode_env, true},
        {"episode/start", EPISODES, REIN_I64, 1, {0}, p->episode_start, true},
        {"episode/end", EPISODES, REIN_I64, 1, {0}, p->episode_end, true},
        {"episode/terminated", EPISODES, REIN_U8, 1, {0}, p->episode_terminated, true},
    };
    int n = o->transitions ? (int)(sizeof transitions / sizeof *transitions) : 0;
    memcpy(out, transitions, (size_t)n * sizeof *out);
    memcpy(out + n, episodes, sizeof episodes);
    return n + (int)(sizeof episodes / sizeof *episodes);
}

/* Dimensions of a column whose first one is n. */
static void column_dims(const column *c, int64_t n, int64_t dims[REIN_STORE_DIMS])
{
    dims[0] = n;
    for (int i = 1; i < c->n_dims; i++) dims[i] = c->dims[i - 1];
}

static rein_status put_attributes(rein_store *store, const rein_recorder_options *o,
                                  const char *format, int64_t n_steps)
{
    REIN_TRY(rein_store_put_text(store, "/", "format", format));
    REIN_TRY(rein_store_put_number(store, "/", "format_version", 1));
    REIN_TRY(rein_store_put_text(store, "/", "env_id", o->env_id));
    REIN_TRY(rein_store_put_text(store, "/", "action_kind",
                                 o->action_type == REIN_F32 ? "continuous" : "discrete"));
    REIN_TRY(rein_store_put_number(store, "/", "n_envs", o->n_envs));
    REIN_TRY(rein_store_put_number(store, "/", "n_agents", o->n_agents));
    REIN_TRY(rein_store_put_number(store, "/", "transitions", o->transitions));
    return rein_store_put_number(store, "/", "n_steps", (double)n_steps);
}

/* ---- a part ---------------------------------------------------------------------------------- */

static rein_status part_put(rein_store *store, const rein_recorder_options *o,
                            const rollout_part *part)
{
    column columns[MOST_COLUMNS];
    int64_t dims[REIN_STORE_DIMS];
    const int64_t counts[] = {
        [STEPS] = part->n_steps, [EPISODES] = part->n_episodes, [FINALS] = part->n_finals};
    REIN_TRY(put_attributes(store, o, "rein-rollout", part->n_steps));
    REIN_TRY(rein_store_put_number(store, "/", "part", (double)part->number));
    REIN_TRY(rein_store_put_number(store, "/", "first_step", (double)part->first_step));
    int n = part_columns(o, part, columns);
    for (int i = 0; i < n; i++) {
        const column *c = &columns[i];
        column_dims(c, counts[c->count], dims);
        REIN_TRY(rein_store_put(store, c->name, c->type, c->n_dims, dims, c->data, c->compress));
    }
    return REIN_OK;
}

rein_status rollout_part_write(const rein_recorder_options *options, const rollout_part *part)
{
    char path[PATH_MAX];
    rein_store *store;
    rollout_part_path(path, sizeof path, options->folder, part->number);
    REIN_TRY(rein_store_create(&store));
    rein_status status = part_put(store, options, part);
    if (status == REIN_OK) status = rein_store_save(store, path);
    rein_store_free(store);
    return status;
}

/* ---- rollouts.h5 ----------------------------------------------------------------------------- */

typedef struct index_names { /* "rollouts/000001.h5" of every part */
    char (*name)[40];
    rein_store_part *parts;
} index_names;

static rein_status index_put(rein_store *store, const rein_recorder_options *o,
                             const rollout_entry *entries, int64_t n_parts, index_names names)
{
    column columns[MOST_COLUMNS];
    int64_t dims[REIN_STORE_DIMS], total[3] = {0};
    for (int64_t i = 0; i < n_parts; i++) {
        total[STEPS] += entries[i].n_steps;
        total[EPISODES] += entries[i].n_episodes;
        total[FINALS] += entries[i].n_finals;
    }
    REIN_TRY(put_attributes(store, o, "rein-rollouts", total[STEPS]));
    REIN_TRY(rein_store_put_number(store, "/", "n_parts", (double)n_parts));
    int n = part_columns(o, &(rollout_part){.number = 0}, columns);
    for (int i = 0; i < n; i++) {
        const column *c = &columns[i];
        column_dims(c, total[c->count], dims);
        for (int64_t k = 0; k < n_parts; k++) {
            const rollout_entry *e = &entries[k];
            snprintf(names.name[k], sizeof names.name[k], "rollouts/%06" PRId64 ".h5", k + 1);
            names.parts[k] = (rein_store_part){
                .file = names.name[k],
                .length = c->count == STEPS      ? e->n_steps
                          : c->count == EPISODES ? e->n_episodes
                                                 : e->n_finals,
            };
        }
        REIN_TRY(rein_store_put_virtual(store, c->name, c->type, c->n_dims, dims, names.parts,
                                        (int)n_parts));
    }
    return REIN_OK;
}

rein_status rollout_index_write(const rein_recorder_options *options, const rollout_entry *parts,
                                int64_t n_parts)
{
    char path[PATH_MAX];
    rein_store *store;
    snprintf(path, sizeof path, "%s/rollouts.h5", options->folder);
    REIN_TRY(rein_store_create(&store));
    index_names names = {
        .name = malloc((size_t)(n_parts + 1) * sizeof *names.name),
        .parts = malloc((size_t)(n_parts + 1) * sizeof *names.parts),
    };
    rein_status status = names.name == NULL || names.parts == NULL
                             ? rein_fail(REIN_ENOMEM, "no memory for %s", path)
                             : index_put(store, options, parts, n_parts, names);
    if (status == REIN_OK) status = rein_store_save(store, path);
    free(names.name);
    free(names.parts);
    rein_store_free(store);
    return status;
}
