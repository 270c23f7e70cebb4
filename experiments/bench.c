/* rein bench [NAME ...] [--threads N] [--json] */
#include "experiments/bench.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "envs/mujoco/classes.h"
#include "envs/registry.h"
#include "experiments/command.h"
#include "experiments/run_folder.h"
#include "nets/net.h"

typedef rein_status (*bench_function)(const char *subject, rein_team *team, rein_bench_result *out);

static rein_status check_env(const char *id)
{
    const rein_env_class *env;
    return rein_env_find(id, &env);
}

static rein_status check_config(const char *name)
{
    char path[REIN_PATH_SIZE];
    return rein_command_find_config(name, path, sizeof path);
}

static rein_status check_rows(const char *rows)
{
    int64_t n;
    return rein_command_integer("rows", rows, 1, 65536, &n);
}

/* The kinds, and the subjects that run when none are named. */
static const struct {
    const char *kind;
    bench_function run;
    rein_status (*check)(const char *subject); /* NULL: only those of the list */
    const char *subjects[6];                   /* all NULL: every environment */
} kinds[] = {
    {"load", rein_bench_load, NULL, {"torch"}}, /* first: nothing may have loaded it yet */
    {"env", rein_bench_env, check_env, {NULL}},
    {"update", rein_bench_update, NULL, {"ppo", "dqn", "dqn_conv", "ppo@torch", "dqn_conv@torch"}},
    {"forward", rein_bench_forward, check_rows, {"1", "8", "64", "256"}},
    {"record", rein_bench_record, check_env, {"HalfCheetah-v4"}},
    {"train", rein_bench_train, check_config, {"ppo/cartpole", "ppo/half_cheetah", "dqn/cartpole"}},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

static int help(void)
{
    printf("usage: rein bench [NAME ...] [--threads N] [--json]\n"
           "\n"
           "Measure rates beside the machine's own limits. NAME is one of\n"
           "  load/torch       first use of libtorch; limit: loading libtorch alone\n"
           "  env/<id>         stepping, random actions; limit: physics or bare steps alone\n"
           "  update/<which>   one minibatch update: ppo, dqn, dqn_conv; limit: its matrix "
           "products alone;\n"
           "                   @torch behind it: the same by the torch engine\n"
           "  forward/<rows>   policy network 17-64-64-6; limit: its matrix products alone\n"
           "  record/<id>      PPO with every transition recorded; limit: without\n"
           "  train/<config>   from beginning to end; limit: environment and matrix products\n"
           "or a kind alone (env, update, ...); without NAME everything, about two minutes.\n"
           "\n"
           "  --threads N   worker threads (default 1)\n"
           "  --json        one object a line: name, threads, rate, unit, limit, ratio\n"
           "\n"
           "ratio = rate / limit. Every figure is the best of %d rounds.\n",
           REIN_BENCH_ROUNDS);
    return REIN_EXIT_OK;
}

double rein_bench_best(double count, const double *seconds, int n)
{
    double best = INFINITY;
    for (int i = 0; i < n; i++) {
        if (seconds[i] < best) best = seconds[i];
    }
    return count / best;
}

/* "25.3 M", so that columns can be compared at a glance. */
static void print_rate(double rate)
{
    static const char prefixes[] = " kMG";
    int k = 0;
    while (rate >= 999.5 && k < 3) {
        rate /= 1000;
        k++;
    }
    printf(" %7.*f %c", rate < 99.95 ? 1 : 0, rate, prefixes[k]);
}

static rein_status run_one(bench_function function, const char *name, const char *subject,
                           rein_team *team, bool json)
{
    rein_bench_result r = {0};
    int threads = rein_team_threads(team);
    rein_status status = function(subject, team, &r);
    if (status != REIN_OK) return rein_fail_in(status, "%s", name);
    if (r.note != NULL) {
        printf(json ? "{\"name\": \"%s\", \"note\": \"%s\"}\n" : "%-38s     %s\n", name, r.note);
    } else if (json) {
        printf("{\"name\": \"%s\", \"threads\": %d, \"rate\": %.6g, \"unit\": \"%s\", "
               "\"limit\": %.6g, \"ratio\": %.4f}\n",
               name, threads, r.rate, r.unit, r.limit, r.rate / r.limit);
    } else {
        printf("%-38s %3d ", name, threads);
        print_rate(r.rate);
        printf("%-9s", r.unit);
        print_rate(r.limit);
        printf("  %5.2f  %s\n", r.rate / r.limit, r.limit_is);
    }
    fflush(stdout);
    return REIN_OK;
}

/* All default subjects of kind k. */
static rein_status run_kind(int k, rein_team *team, bool json)
{
    char name[256];
    for (int i = 0;; i++) {
        const rein_env_class *env = kinds[k].subjects[0] == NULL ? rein_env_at(i) : NULL;
        const char *subject = env != NULL ? env->id : kinds[k].subjects[i];
        if (subject == NULL) return REIN_OK;
        snprintf(name, sizeof name, "%s/%s", kinds[k].kind, subject);
        REIN_TRY(run_one(kinds[k].run, name, subject, team, json));
    }
}

/* The kind that `name` begins with, and its subject: what stands behind the slash; NULL: all. */
static rein_status find_kind(const char *name, int *kind, const char **subject)
{
    for (int k = 0; k < N_KINDS; k++) {
        size_t n = strlen(kinds[k].kind);
        if (strncmp(name, kinds[k].kind, n) != 0 || (name[n] != '\0' && name[n] != '/')) continue;
        *kind = k;
        *subject = name[n] == '/' ? name + n + 1 : NULL;
        return REIN_OK;
    }
    return rein_fail(REIN_ECONFIG,
                     "bench: unknown name '%s'; a name begins with load/, env/, update/, "
                     "forward/, record/ or train/",
                     name);
}

static rein_status check_name(const char *name)
{
    int k;
    const char *subject;
    REIN_TRY(find_kind(name, &k, &subject));
    if (!subject) return REIN_OK;
    if (kinds[k].check) {
        rein_status status = kinds[k].check(subject);
        return status == REIN_OK ? REIN_OK : rein_fail_in(status, "%s", name);
    }
    for (int i = 0; kinds[k].subjects[i]; i++) {
        if (strcmp(kinds[k].subjects[i], subject) == 0) return REIN_OK;
    }
    return rein_fail(REIN_ENOTFOUND, "%s: no such case; `rein bench --help` lists them", name);
}

static rein_status run_name(const char *name, rein_team *team, bool json)
{
    int k;
    const char *subject;
    REIN_TRY(find_kind(name, &k, &subject));
    return subject ? run_one(kinds[k].run, name, subject, team, json) : run_kind(k, team, json);
}

static rein_status run_all(int n, char **names, int64_t threads, bool json)
{
    rein_team *team;
    for (int i = 0; i < n; i++) REIN_TRY(check_name(names[i])); /* before anything is printed */
    REIN_TRY(rein_team_create((int)threads, &team));
    if (!json) {
        printf("MuJoCo %s, %s\n%-38s %3s %10s %8s %10s  %s\n", rein_mujoco_version(),
               rein_net_kernels(), "name", "thr", "rate", "", "limit", "ratio  limit is");
    }
    rein_status status = REIN_OK;
    for (int k = 0; n == 0 && k < N_KINDS && status == REIN_OK; k++) {
        status = run_kind(k, team, json);
    }
    for (int i = 0; i < n && status == REIN_OK; i++) status = run_name(names[i], team, json);
    rein_team_free(team);
    return status;
}

int rein_cmd_bench(int argc, char **argv)
{
    static const struct option options[] = {{"threads", required_argument, NULL, 't'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int64_t threads = 1;
    bool json = false;
    for (int option; (option = rein_command_option(argc, argv, options)) != -1;) {
        if (option == 'h') return help();
        if (option == '?') return REIN_EXIT_USAGE;
        if (option == 'j') json = true;
        if (option == 't') {
            rein_status status = rein_command_integer("--threads", optarg, 1, 1024, &threads);
            if (status != REIN_OK) return rein_command_fail(status);
        }
    }
    rein_status status = run_all(argc - optind, argv + optind, threads, json);
    return status == REIN_OK ? REIN_EXIT_OK : rein_command_fail(status);
}
