/* rein check ENV|RUN [--trace FILE] [env.key=value ...] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "algos/policy.h"
#include "base/file.h"
#include "envs/check.h"
#include "envs/registry.h"
#include "experiments/checkpoint.h"
#include "experiments/command.h"
#include "experiments/experiment.h"
#include "experiments/metrics.h"
#include "experiments/progress.h"
#include "experiments/run_folder.h"
#include "experiments/trace.h"
#include "replay/recorder.h"

static int help(void)
{
    printf(
        "usage: rein check ENV [--trace FILE ...] [--seed S] [--steps N] [env.key=value ...]\n"
        "       rein check RUN\n"
        "\n"
        "Check that an environment keeps the rules: spaces, finite numbers, the same episode\n"
        "for the same seed, save and load, resets. Or check the files of a run folder: that\n"
        "none is cut short or altered, and that rollouts and metrics tell the same.\n"
        "\n"
        "  --trace FILE  also replay the episodes that FILE (HDF5) has of ENV, step by step, and\n"
        "                print the first difference; docs/file-formats.md has the layout\n"
        "  --seed S      of the random actions (0)\n"
        "  --steps N     random steps per check (1000)\n"
        "\n"
        "Exit code 1 when a check fails or a trace differs.\n");
    return REIN_EXIT_OK;
}

enum { MAX_TRACES = 16 };

typedef struct check_options {
    int64_t seed, steps;
    const char *traces[MAX_TRACES];
    int n_traces;
} check_options;

/* Print one line per check; how many failed. */
static rein_status check_rules(const rein_env_class *env, const void *config,
                               const check_options *o, int *n_failed)
{
    rein_check_report report;
    REIN_TRY(rein_check_env(
        env, config, &(rein_check_options){.seed = (uint64_t)o->seed, .n_steps = (int)o->steps},
        &report));
    for (int i = 0; i < report.n; i++) {
        const rein_check_line *line = &report.lines[i];
        printf("%-4s  %-21s  %s\n", line->passed ? "ok" : "FAIL", line->name, line->text);
    }
    *n_failed = report.n_failed;
    return REIN_OK;
}

static rein_status check_trace(const rein_env_class *env, const void *config, const char *path)
{
    char steps[32], numbers[32];
    rein_trace_report report = {0};
    rein_status status = rein_trace_check(env, config, path, &report);
    if (status != REIN_OK && status != REIN_EDIFFER) return status;
    printf("%-4s  %-21s  %s: %d episode%s of %d group%s, %s steps, %s numbers\n",
           status == REIN_OK ? "ok" : "FAIL", "trace", path, report.n_episodes,
           report.n_episodes == 1 ? "" : "s", report.n_groups, report.n_groups == 1 ? "" : "s",
           rein_format_count(report.n_steps, steps, sizeof steps),
           rein_format_count(report.n_compared, numbers, sizeof numbers));
    if (report.note[0]) printf("      %-21s  %s\n", "", report.note);
    return status;
}

static rein_status check_all(const rein_env_class *env, const void *config, const check_options *o)
{
    int n_failed;
    REIN_TRY(check_rules(env, config, o, &n_failed));
    for (int i = 0; i < o->n_traces; i++) REIN_TRY(check_trace(env, config, o->traces[i]));
    if (n_failed == 0) return REIN_OK;
    return rein_fail(REIN_EDIFFER, "%s: %d check%s failed", env->id, n_failed,
                     n_failed == 1 ? "" : "s");
}

/* The class's config with the command line's settings. */
static rein_status read_config(const rein_env_class *env, int n, char **words, void *config)
{
    rein_settings *settings;
    REIN_TRY(rein_env_defaults(env, config));
    REIN_TRY(rein_settings_create(&settings));
    rein_status status = REIN_OK;
    for (int i = 0; i < n && status == REIN_OK; i++) {
        status = rein_settings_override(settings, words[i]);
    }
    if (status == REIN_OK) {
        status = rein_settings_apply(settings, "env", env->fields, env->n_fields, config);
    }
    if (status == REIN_OK) status = rein_settings_check(settings);
    rein_settings_free(settings);
    return status;
}

/* ---- the files of a run -------------------------------------------------------------------- */

static rein_status check_checkpoint(const char *path)
{
    char steps[32];
    rein_checkpoint checkpoint;
    rein_store *store;
    REIN_TRY(rein_checkpoint_open(path, &checkpoint, &store));
    rein_store_free(store);
    printf("ok    checkpoint.h5  step %s\n",
           rein_format_count(checkpoint.step, steps, sizeof steps));
    return REIN_OK;
}

static rein_status check_policy(const char *path)
{
    char steps[32];
    rein_policy *policy;
    REIN_TRY(rein_policy_load(path, &policy));
    printf("ok    policy.rein    %s on %s, trained for %s steps\n", policy->spec.algo_id,
           policy->spec.env_id, rein_format_count(policy->timesteps, steps, sizeof steps));
    rein_policy_free(policy);
    return REIN_OK;
}

static rein_status check_metrics(const char *path)
{
    char steps[32];
    double curve;
    int64_t step;
    REIN_TRY(rein_metrics_curve(path, 1, &curve, &step));
    printf("ok    metrics.jsonl  to step %s\n", rein_format_count(step, steps, sizeof steps));
    return REIN_OK;
}

static rein_status check_rollouts(const rein_run_folder *folder)
{
    char steps[32], episodes[32], sum[32];
    int64_t n_steps, n_episodes;
    double return_sum;
    rein_run_summary summary;
    REIN_TRY(rein_rollouts_check(folder->path, &n_steps, &n_episodes, &return_sum));
    rein_status status = rein_run_folder_read_summary(folder, &summary);
    if (status == REIN_OK && summary.episodes != n_episodes) {
        return rein_fail(REIN_EDIFFER, "%s: rollouts hold %lld episodes, the run had %lld",
                         folder->path, (long long)n_episodes, (long long)summary.episodes);
    }
    if (status != REIN_OK && status != REIN_ENOTFOUND) return status; /* not finished: fine */
    printf("ok    rollouts       %s steps of each environment, %s episodes, returns sum to %s\n",
           rein_format_count(n_steps, steps, sizeof steps),
           rein_format_count(n_episodes, episodes, sizeof episodes),
           rein_format_return(return_sum, sum, sizeof sum));
    return REIN_OK;
}

/* All files that are there; a run in progress may lack some. */
static rein_status check_files(const rein_run_folder *folder)
{
    static const struct {
        const char *name;
        rein_status (*check)(const char *path);
    } files[] = {{"checkpoint.h5", check_checkpoint},
                 {"policy.rein", check_policy},
                 {"metrics.jsonl", check_metrics}};
    char path[REIN_PATH_SIZE + 32];
    int n = 0;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        rein_run_folder_path(folder, files[i].name, path, sizeof path);
        if (!rein_file_exists(path)) continue;
        REIN_TRY(files[i].check(path));
        n++;
    }
    rein_run_folder_path(folder, "rollouts.h5", path, sizeof path);
    if (rein_file_exists(path)) {
        REIN_TRY(check_rollouts(folder));
        n++;
    }
    if (n > 0) return REIN_OK;
    return rein_fail(REIN_ENOTFOUND, "%s has no files yet: rein resume %s", folder->path,
                     folder->path);
}

static rein_status check_run(const char *path)
{
    rein_run_folder folder;
    REIN_TRY(rein_run_folder_open(path, &folder)); /* locked: nothing changes meanwhile */
    rein_status status = check_files(&folder);
    rein_run_folder_close(&folder);
    return status;
}

/* ---- the command --------------------------------------------------------------------------- */

static rein_status run(const check_options *o, int n, char **words)
{
    struct stat info;
    if (stat(words[0], &info) == 0 && S_ISDIR(info.st_mode)) {
        if (n == 1 && o->n_traces == 0) return check_run(words[0]);
        return rein_fail(REIN_ECONFIG, "check: a run folder has no settings and no traces");
    }
    const rein_env_class *env;
    REIN_TRY(rein_env_find(words[0], &env));
    void *config = calloc(1, env->config_size + 1);
    if (!config) return rein_fail(REIN_ENOMEM, "no memory for a config");
    rein_status status = read_config(env, n - 1, words + 1, config);
    if (status == REIN_OK) status = check_all(env, config, o);
    free(config);
    return status;
}

int rein_cmd_check(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"trace", required_argument, NULL, 't'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"steps", required_argument, NULL, 'n'},
                                            {0}};
    check_options o = {.steps = 1000};
    rein_status status = REIN_OK;
    for (int option; (option = rein_command_option(argc, argv, options)) != -1;) {
        switch (option) {
        case 'h':
            return help();
        case 't':
            if (o.n_traces == MAX_TRACES) {
                return rein_command_usage("check ", "check: over %d traces", MAX_TRACES);
            }
            o.traces[o.n_traces++] = optarg;
            break;
        case 's':
            status = rein_command_integer("--seed", optarg, 0, 1000000000000, &o.seed);
            break;
        case 'n':
            status = rein_command_integer("--steps", optarg, 1, 10000000, &o.steps);
            break;
        default:
            return REIN_EXIT_USAGE;
        }
        if (status != REIN_OK) return rein_command_fail(status);
    }
    if (optind == argc) return rein_command_usage("check ", "check: which environment or run?");
    status = run(&o, argc - optind, argv + optind);
    return status == REIN_OK ? REIN_EXIT_OK : rein_command_fail(status);
}
