/* rein check ENV [--trace FILE] [env.key=value ...] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envs/check.h"
#include "envs/registry.h"
#include "experiments/command.h"
#include "experiments/experiment.h"
#include "experiments/progress.h"
#include "experiments/trace.h"

static int help(void)
{
    printf("usage: rein check ENV [--trace FILE ...] [--seed S] [--steps N] [env.key=value ...]\n"
           "\n"
           "Check that an environment keeps the rules: spaces, finite numbers, the same episode\n"
           "for the same seed, save and load, resets.\n"
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
        env, config,
        &(rein_check_options){.seed = (uint64_t)o->seed, .n_steps = (int)o->steps}, &report));
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

static rein_status check_all(const rein_env_class *env, const void *config,
                             const check_options *o)
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

static rein_status run(const check_options *o, int n, char **words)
{
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
        case 'h': return help();
        case 't':
            if (o.n_traces == MAX_TRACES) {
                return rein_command_usage("check ", "check: over %d traces", MAX_TRACES);
            }
            o.traces[o.n_traces++] = optarg;
            break;
        case 's': status = rein_command_integer("--seed", optarg, 0, 1000000000000, &o.seed); break;
        case 'n': status = rein_command_integer("--steps", optarg, 1, 10000000, &o.steps); break;
        default: return REIN_EXIT_USAGE;
        }
        if (status != REIN_OK) return rein_command_fail(status);
    }
    if (optind == argc) return rein_command_usage("check ", "check: which environment?");
    status = run(&o, argc - optind, argv + optind);
    return status == REIN_OK ? REIN_EXIT_OK : rein_command_fail(status);
}
