/* rein eval RUN|POLICY [env.key=value ...] */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "algos/evaluate.h"
#include "base/file.h"
#include "experiments/command.h"
#include "experiments/experiment.h"
#include "experiments/progress.h"
#include "experiments/run_folder.h"
#include "experiments/statistics.h"

typedef struct eval_options {
    int64_t episodes, seed, threads;
    bool stochastic, json;
    char policy[REIN_PATH_SIZE + 32]; /* policy.rein */
    char config[REIN_PATH_SIZE + 32]; /* the run's config.yaml; "": none */
} eval_options;

static int help(void)
{
    printf("usage: rein eval RUN|POLICY [options] [env.key=value ...]\n"
           "\n"
           "Play episodes with a trained policy: the one of a run folder, in the environment as\n"
           "the run had it, or a policy.rein file, in the environment it was trained for.\n"
           "\n"
           "  --episodes N  how many (20)\n"
           "  --seed S      of the episodes' starts (0)\n"
           "  --stochastic  draw actions as in training; else the policy's best ones\n"
           "  --threads N   default: all cores; the result is the same\n"
           "  --json        one JSON object, with the return of every episode\n");
    return REIN_EXIT_OK;
}

/* Which files are meant by RUN|POLICY? */
static rein_status find_files(const char *path, eval_options *o)
{
    struct stat info;
    if (strlen(path) >= REIN_PATH_SIZE) return rein_fail(REIN_EINVAL, "path too long: %s", path);
    if (stat(path, &info) != 0) {
        return rein_fail(REIN_ENOTFOUND, "%s: no such run or policy file", path);
    }
    snprintf(o->policy, sizeof o->policy, "%s", path);
    o->config[0] = '\0';
    if (!S_ISDIR(info.st_mode)) return REIN_OK;
    snprintf(o->policy, sizeof o->policy, "%s/policy.rein", path);
    snprintf(o->config, sizeof o->config, "%s/config.yaml", path);
    if (!rein_file_exists(o->config)) {
        return rein_fail(REIN_ENOTFOUND, "%s is not a run: it has no config.yaml", path);
    }
    if (rein_file_exists(o->policy)) return REIN_OK;
    return rein_fail(REIN_ENOTFOUND, "%s has no policy.rein yet: rein resume %s", path, path);
}

/* The environment that the policy plays in. */
typedef struct arena {
    const rein_env_class *env;
    void *config; /* [env->config_size] */
    rein_env_section section;
} arena;

static rein_status read_env(rein_settings *settings, const char *env_id, arena *a)
{
    int n;
    const rein_field *fields = rein_section_fields("env", &n);
    REIN_TRY(rein_fields_defaults(fields, n, &a->section));
    REIN_TRY(rein_settings_apply(settings, "env", fields, n, &a->section));
    REIN_TRY(rein_env_find(a->section.id[0] ? a->section.id : env_id, &a->env));
    a->config = calloc(1, a->env->config_size + 1);
    if (!a->config) return rein_fail(REIN_ENOMEM, "no memory for a config");
    REIN_TRY(rein_env_defaults(a->env, a->config));
    return rein_settings_apply(settings, "env", a->env->fields, a->env->n_fields, a->config);
}

/* env settings: the run's, then the command line's. */
static rein_status find_env(const eval_options *o, const char *env_id, int n, char **words,
                            arena *a)
{
    rein_settings *settings;
    REIN_TRY(rein_settings_create(&settings));
    rein_status status = REIN_OK;
    for (int i = 0; i < n && status == REIN_OK; i++) {
        if (strncmp(words[i], "env.", 4) != 0) {
            status = rein_fail(REIN_ECONFIG, "%s: only env.key=value can be set here", words[i]);
        } else {
            status = rein_settings_override(settings, words[i]);
        }
    }
    if (status == REIN_OK) status = read_env(settings, env_id, a);
    if (status == REIN_OK) status = rein_settings_check(settings);
    rein_settings_free(settings);
    if (status != REIN_OK || !o->config[0]) return status;

    free(a->config); /* the run's own file decides first; its other sections are not for us */
    a->config = NULL;
    REIN_TRY(rein_settings_create(&settings));
    status = rein_settings_read(settings, o->config);
    for (int i = 0; i < n && status == REIN_OK; i++) {
        status = rein_settings_override(settings, words[i]);
    }
    if (status == REIN_OK) status = read_env(settings, env_id, a);
    rein_settings_free(settings);
    return status;
}

static rein_status print_json(const rein_policy *policy, const rein_statistics *s,
                              double length_mean, const double *returns)
{
    json_t *list = json_array();
    for (int i = 0; i < s->n; i++) json_array_append_new(list, json_real(returns[i]));
    json_t *root = json_pack("{s:s, s:s, s:I, s:i, s:f, s:f, s:f, s:f, s:[f, f], s:f, s:o}", "env",
                             policy->spec.env_id, "algo", policy->spec.algo_id, "timesteps",
                             (json_int_t)policy->timesteps, "episodes", s->n, "return_mean",
                             s->mean, "return_std", s->std, "return_min", s->min, "return_max",
                             s->max, "return_interval_95", s->mean - s->half_width,
                             s->mean + s->half_width, "length_mean", length_mean, "returns", list);
    if (!root) return rein_fail(REIN_ENOMEM, "no memory for JSON");
    json_dumpf(root, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
    printf("\n");
    json_decref(root);
    return REIN_OK;
}

static void print_text(const rein_policy *policy, const rein_statistics *s, double length_mean)
{
    char a[32], b[32], c[32], steps[32];
    printf("%s on %s, trained for %s steps\n", policy->spec.algo_id, policy->spec.env_id,
           rein_format_count(policy->timesteps, steps, sizeof steps));
    printf("return  mean %s, 95 %% interval [%s, %s]\n", rein_format_return(s->mean, a, sizeof a),
           rein_format_return(s->mean - s->half_width, b, sizeof b),
           rein_format_return(s->mean + s->half_width, c, sizeof c));
    printf("        std %s, min %s, max %s\n", rein_format_return(s->std, a, sizeof a),
           rein_format_return(s->min, b, sizeof b), rein_format_return(s->max, c, sizeof c));
    printf("length  mean %s steps, %d episodes\n", rein_format_return(length_mean, a, sizeof a),
           s->n);
}

static rein_status evaluate(const eval_options *o, const rein_policy *policy, const arena *a)
{
    rein_team *team;
    rein_evaluation result;
    double *returns = malloc((size_t)o->episodes * sizeof *returns);
    if (!returns)
        return rein_fail(REIN_ENOMEM, "no memory for %lld returns", (long long)o->episodes);
    rein_status status = rein_team_create((int)o->threads, &team);
    if (status == REIN_OK) {
        status = rein_evaluate(
            &(rein_evaluation_options){
                .policy = policy,
                .env = a->env,
                .env_config = a->config,
                .max_episode_steps = (int)a->section.max_episode_steps,
                .n_episodes = (int)o->episodes,
                .seed = (uint64_t)o->seed,
                .deterministic = !o->stochastic,
                .team = team,
            },
            &result, returns);
        rein_team_free(team);
    }
    if (status == REIN_OK) {
        rein_statistics s = rein_statistics_of(returns, (int)o->episodes);
        if (o->json) {
            status = print_json(policy, &s, result.length_mean, returns);
        } else {
            print_text(policy, &s, result.length_mean);
        }
    }
    free(returns);
    return status;
}

static rein_status run(const eval_options *o, int n, char **words)
{
    rein_policy *policy;
    arena a = {0};
    REIN_TRY(rein_policy_load(o->policy, &policy));
    rein_status status = find_env(o, policy->spec.env_id, n, words, &a);
    if (status == REIN_OK) status = evaluate(o, policy, &a);
    free(a.config);
    rein_policy_free(policy);
    return status;
}

int rein_cmd_eval(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"episodes", required_argument, NULL, 'e'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"stochastic", no_argument, NULL, 'x'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    eval_options o = {.episodes = 20, .threads = rein_command_cores()};
    rein_status status = REIN_OK;
    for (int option; (option = rein_command_option(argc, argv, options)) != -1;) {
        switch (option) {
        case 'h':
            return help();
        case 'e':
            status = rein_command_integer("--episodes", optarg, 1, 100000, &o.episodes);
            break;
        case 's':
            status = rein_command_integer("--seed", optarg, 0, 1000000000000, &o.seed);
            break;
        case 't':
            status = rein_command_integer("--threads", optarg, 1, 1024, &o.threads);
            break;
        case 'x':
            o.stochastic = true;
            break;
        case 'j':
            o.json = true;
            break;
        default:
            return REIN_EXIT_USAGE;
        }
        if (status != REIN_OK) return rein_command_fail(status);
    }
    if (optind == argc) return rein_command_usage("eval ", "eval: which run or policy file?");
    status = find_files(argv[optind], &o);
    if (status == REIN_OK) status = run(&o, argc - optind - 1, argv + optind + 1);
    return status == REIN_OK ? REIN_EXIT_OK : rein_command_fail(status);
}
