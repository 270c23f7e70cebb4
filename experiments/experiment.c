/* The five sections of a config: read, check, dump. */
#include "experiments/experiment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "experiments/command.h"
#include "nets/script.h"

/* A table's offsets are those of its owner; a file with several tables names each. */
#define field_owner rein_env_section
REIN_CONFIG_TABLE(rein_env_section, REIN_ENV_FIELDS)
#undef field_owner
#define field_owner rein_algo_section
REIN_CONFIG_TABLE(rein_algo_section, REIN_ALGO_FIELDS)
#undef field_owner
#define field_owner rein_net_config
REIN_CONFIG_TABLE(rein_net_config, REIN_NET_FIELDS)
#undef field_owner
#define field_owner rein_run_section
REIN_CONFIG_TABLE(rein_run_section, REIN_RUN_FIELDS)
#undef field_owner
#define field_owner rein_log_section
REIN_CONFIG_TABLE(rein_log_section, REIN_LOG_FIELDS)
#undef field_owner

/* One entry per section: its own fields, and where they live in a rein_experiment. */
static const struct section {
    const char *name;
    const rein_field *fields;
    int n;
    size_t offset;
} sections[] = {
#define SECTION(name, table)                                                                       \
    {                                                                                              \
#name, table, REIN_FIELD_COUNT(table), offsetof(rein_experiment, name)                     \
    }
    SECTION(env, rein_env_section_fields), SECTION(algo, rein_algo_section_fields),
    SECTION(net, rein_net_config_fields),  SECTION(run, rein_run_section_fields),
    SECTION(log, rein_log_section_fields),
#undef SECTION
};
enum { N_SECTIONS = sizeof sections / sizeof sections[0] };

const rein_field *rein_section_fields(const char *section, int *n)
{
    for (int i = 0; i < N_SECTIONS; i++) {
        if (strcmp(section, sections[i].name) == 0) {
            *n = sections[i].n;
            return sections[i].fields;
        }
    }
    return NULL;
}

/* Fields and config of the class behind "env" or "algo"; none for the other sections. */
static int class_fields(const rein_experiment *e, const char *section, const rein_field **fields,
                        void **config)
{
    if (strcmp(section, "env") == 0 && e->env_class) {
        *fields = e->env_class->fields;
        *config = e->env_config;
        return e->env_class->n_fields;
    }
    if (strcmp(section, "algo") == 0 && e->algo_class) {
        *fields = e->algo_class->fields;
        *config = e->algo_config;
        return e->algo_class->n_fields;
    }
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------- */

static rein_status need_id(const char *section, const char *id)
{
    if (id[0]) return REIN_OK;
    return rein_fail(REIN_ECONFIG, "the config sets no %s.id: `rein %ss` lists what there is",
                     section, section);
}

static rein_status find_env(rein_experiment *e, rein_settings *settings)
{
    char where[512];
    REIN_TRY(need_id("env", e->env.id));
    rein_status status = rein_env_find(e->env.id, &e->env_class);
    if (status != REIN_OK) {
        rein_settings_where(settings, "env", "id", where, sizeof where);
        return rein_fail_in(status, "%s", where);
    }
    e->env_config = calloc(1, e->env_class->config_size + 1);
    if (!e->env_config) return rein_fail(REIN_ENOMEM, "no memory for a config");
    return rein_env_defaults(e->env_class, e->env_config);
}

static rein_status find_algo(rein_experiment *e, rein_settings *settings)
{
    char where[512];
    REIN_TRY(need_id("algo", e->algo.id));
    rein_status status = rein_algo_find(e->algo.id, &e->algo_class);
    if (status != REIN_OK) {
        rein_settings_where(settings, "algo", "id", where, sizeof where);
        return rein_fail_in(status, "%s", where);
    }
    e->algo_config = calloc(1, e->algo_class->config_size + 1);
    if (!e->algo_config) return rein_fail(REIN_ENOMEM, "no memory for a config");
    return rein_fields_defaults(e->algo_class->fields, e->algo_class->n_fields, e->algo_config);
}

static rein_status read_sections(rein_experiment *e, rein_settings *settings)
{
    for (int i = 0; i < N_SECTIONS; i++) {
        const struct section *s = &sections[i];
        void *config = (char *)e + s->offset;
        REIN_TRY(rein_fields_defaults(s->fields, s->n, config));
        REIN_TRY(rein_settings_apply(settings, s->name, s->fields, s->n, config));
    }
    REIN_TRY(find_env(e, settings));
    REIN_TRY(find_algo(e, settings));
    for (int i = 0; i < N_SECTIONS; i++) {
        const rein_field *fields;
        void *config;
        int n = class_fields(e, sections[i].name, &fields, &config);
        if (n > 0) REIN_TRY(rein_settings_apply(settings, sections[i].name, fields, n, config));
    }
    return rein_settings_check(settings);
}

/* A name becomes a folder: nothing that leaves run.out or a terminal cannot show. */
static rein_status check_name(rein_settings *settings, const char *name)
{
    bool good = strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    for (const char *c = name; *c; c++) {
        if (*c == '/' || (unsigned char)*c < 32) good = false;
    }
    if (good) return REIN_OK;
    char where[512];
    rein_settings_where(settings, "run", "name", where, sizeof where);
    return rein_fail(REIN_ECONFIG,
                     "%s: \"%s\" cannot be a folder's name: leave out '/', and set "
                     "run.out for another place",
                     where, name);
}

/* A twentieth of the run, but seldom enough that evaluation adds a tenth of its steps at most. */
static int64_t choose_eval_every(const rein_experiment *e)
{
    int64_t every = e->run.total_timesteps / 20, limit = e->env.max_episode_steps;
    if (limit < 0) limit = e->spec.max_episode_steps;
    int64_t cost = 10 * e->log.eval_episodes * limit;
    if (every < cost) every = cost;
    return every < 1 ? 1 : every;
}

static rein_status read_script(rein_experiment *e, rein_settings *settings)
{
    char where[512];
    if (!e->net.script[0]) return REIN_OK;
    rein_status status = rein_net_script_read(e->net.script, &e->script);
    if (status == REIN_OK) return REIN_OK;
    rein_settings_where(settings, "net", "script", where, sizeof where);
    return rein_fail_in(status, "%s", where);
}

static rein_status resolve(rein_experiment *e, rein_settings *settings)
{
    if (!rein_settings_text(settings, "run", "threads")) e->run.threads = rein_command_cores();
    REIN_TRY(check_name(settings, e->run.name));
    if (!e->run.out[0]) {
        return rein_fail(REIN_ECONFIG, "run.out is empty: give a folder, or . for this one");
    }
    rein_status status = e->env_class->spec(e->env_config, &e->spec);
    if (status != REIN_OK) return rein_fail_in(status, "env (%s)", e->env.id);
    REIN_TRY(read_script(e, settings));
    if (e->log.eval_every == 0) e->log.eval_every = choose_eval_every(e);
    rein_task task = rein_experiment_task(e, NULL);
    return e->algo_class->check(e->algo_config, &task, &e->spec);
}

rein_status rein_experiment_create(rein_settings *settings, rein_experiment **out)
{
    rein_experiment *e = calloc(1, sizeof *e);
    if (!e) return rein_fail(REIN_ENOMEM, "no memory for an experiment");
    rein_status status = read_sections(e, settings);
    if (status == REIN_OK) status = resolve(e, settings);
    if (status != REIN_OK) {
        rein_experiment_free(e);
        return status;
    }
    *out = e;
    return REIN_OK;
}

void rein_experiment_free(rein_experiment *e)
{
    if (!e) return;
    free(e->env_config);
    free(e->algo_config);
    rein_net_script_free(e->script);
    free(e);
}

rein_task rein_experiment_task(const rein_experiment *e, rein_team *team)
{
    return (rein_task){
        .env = e->env_class,
        .env_config = e->env_config,
        .n_envs = (int)e->env.n_envs,
        .max_episode_steps = (int)e->env.max_episode_steps,
        .net = e->net,
        .script = e->script,
        .total_timesteps = e->run.total_timesteps,
        .seed = (uint64_t)e->run.seed,
        .team = team,
    };
}

/* ---- dumping ------------------------------------------------------------------------------- */

static void write_fields(FILE *file, const rein_field *fields, int n, const void *config)
{
    for (int i = 0; i < n; i++) {
        char value[2 * REIN_TEXT_SIZE + 8];
        rein_field_yaml(&fields[i], config, value, sizeof value);
        fprintf(file, "  %s: %s\n", fields[i].name, value);
    }
}

static rein_status dump_to(const rein_experiment *e, char **text, size_t *size)
{
    FILE *file = open_memstream(text, size);
    if (!file) return rein_fail(REIN_ENOMEM, "no memory to write a config");
    for (int i = 0; i < N_SECTIONS; i++) {
        const rein_field *fields;
        void *config;
        fprintf(file, "%s:\n", sections[i].name);
        write_fields(file, sections[i].fields, sections[i].n, (const char *)e + sections[i].offset);
        int n = class_fields(e, sections[i].name, &fields, &config);
        if (n > 0) write_fields(file, fields, n, config);
    }
    if (fclose(file) != 0) return rein_fail(REIN_ENOMEM, "no memory to write a config");
    return REIN_OK;
}

rein_status rein_experiment_dump(const rein_experiment *e, char **text)
{
    size_t size;
    return dump_to(e, text, &size);
}

rein_status rein_experiment_hash(const rein_experiment *e, uint64_t *hash)
{
    /* the dump of a copy whose other settings are all the same */
    rein_experiment copy = *e;
    int rollouts = e->log.rollouts;
    memset(&copy.log, 0, sizeof copy.log);
    copy.log.rollouts = rollouts;
    copy.run.total_timesteps = copy.run.threads = 0;
    copy.run.out[0] = copy.run.name[0] = '\0';
    if (e->script) {
        snprintf(copy.net.script, sizeof copy.net.script, "%016llx",
                 (unsigned long long)rein_hash(e->script->data, e->script->size));
    }
    char *text;
    size_t size;
    REIN_TRY(dump_to(&copy, &text, &size));
    *hash = rein_hash(text, size);
    free(text);
    return REIN_OK;
}
