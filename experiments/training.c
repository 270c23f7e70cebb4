/* One training session and what a person sees of it. */
#include "experiments/training.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "envs/mujoco/classes.h"
#include "experiments/command.h"
#include "experiments/metrics.h"
#include "experiments/progress.h"
#include "experiments/run.h"

static void on_stop(int number)
{
    (void)number;
    rein_run_stop();
}

void rein_training_catch_signals(void)
{
    /* once only: the second Ctrl-C ends the program as usual */
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
            continue; /* nohup */
        sigaction(signals[i], &stop, NULL);
    }
    sigaction(SIGPIPE, &ignore, NULL); /* `rein train ... | head` trains on */
}

/* ---- header -------------------------------------------------------------------------------- */

/* "17-64-64 tanh", or "7x7x3 [conv 16 3x3, relu, flatten]" */
static void describe_net(const rein_experiment *e, char *out, size_t size)
{
    const rein_observation_space *seen = &e->spec.observation;
    const bool layers = e->net.layers.n > 0;
    const rein_field *fields;
    int n;
    fields = rein_section_fields("net", &n);
    const rein_field *field = rein_fields_find(fields, n, layers ? "layers" : "activation");
    char text[512] = "";
    size_t used = 0;
    if (field) rein_field_get(field, &e->net, text, sizeof text);
    if (layers) {
        for (int i = 0; i < seen->n_dims && used < size; i++) {
            used += (size_t)snprintf(out + used, size - used, i ? "x%d" : "%d", seen->shape[i]);
        }
    } else {
        used = (size_t)snprintf(out, size, "%d", seen->size);
        for (int i = 0; i < e->net.hidden.n && used < size; i++) {
            used += (size_t)snprintf(out + used, size - used, "-%lld",
                                     (long long)e->net.hidden.values[i]);
        }
    }
    if (used < size) snprintf(out + used, size - used, " %s", text);
}

static void print_header(const rein_experiment *e, const rein_run_folder *folder)
{
    char steps[32], net[640];
    describe_net(e, net, sizeof net);
    printf("rein %s: %s learns %s, %s steps, %lld environment%s\n", REIN_VERSION, e->algo_class->id,
           e->env_class->id, rein_format_count(e->run.total_timesteps, steps, sizeof steps),
           (long long)e->env.n_envs, e->env.n_envs == 1 ? "" : "s");
    printf("%lld thread%s, seed %lld, network %s (%s)\n", (long long)e->run.threads,
           e->run.threads == 1 ? "" : "s", (long long)e->run.seed, net, rein_net_kernels());
    printf("%s/\n", folder->path);
    fflush(stdout);
}

/* ---- summary ------------------------------------------------------------------------------- */

static void print_curve(const rein_run_folder *folder)
{
    enum { COLUMNS = 60, ROWS = 4 };
    char path[REIN_PATH_SIZE + 32], steps[32];
    double curve[COLUMNS];
    int64_t last = 0;
    rein_run_folder_path(folder, "metrics.jsonl", path, sizeof path);
    if (rein_metrics_curve(path, COLUMNS, curve, &last) != REIN_OK) return;
    if (isnan(curve[COLUMNS - 1])) return; /* no episode ended */
    printf("\n");
    rein_progress_chart(stdout, curve, COLUMNS, ROWS);
    printf("%9s 0%*s\n", "", COLUMNS - 1, rein_format_count(last, steps, sizeof steps));
}

/* Print something like "dqn/cartpole", the first config that is not this algorithm's. */
typedef struct other_config {
    const char *algo;
    char name[256];
} other_config;

static void pick_other(const char *name, void *context)
{
    other_config *other = context;
    size_t n = strlen(other->algo);
    bool same = strncmp(name, other->algo, n) == 0 && name[n] == '/';
    if (!other->name[0] && !same) snprintf(other->name, sizeof other->name, "%s", name);
}

void rein_training_print_summary(const rein_experiment *e, const rein_run_folder *folder,
                                 const rein_run_summary *s)
{
    char a[32], b[32], c[32];
    print_curve(folder);
    printf("\nreturn      %s, mean of the last %lld training episodes (%s episodes in all)\n",
           rein_format_return(s->return_mean, a, sizeof a),
           (long long)(s->episodes < REIN_EPISODES_WINDOW ? s->episodes : REIN_EPISODES_WINDOW),
           rein_format_count(s->episodes, b, sizeof b));
    if (s->eval_episodes > 0) {
        printf("evaluation  %s +- %s, %lld episodes without exploration\n",
               rein_format_return(s->eval_return_mean, a, sizeof a),
               rein_format_return(s->eval_return_std, b, sizeof b), (long long)s->eval_episodes);
    }
    if (s->broken > 0) {
        printf("broken      %s episodes were cut because the simulation diverged\n",
               rein_format_count(s->broken, a, sizeof a));
    }
    printf("speed       %s steps/s without evaluation; %s steps in %s; %.0f MB\n",
           rein_format_count((int64_t)s->sps, a, sizeof a),
           rein_format_count(s->steps, b, sizeof b),
           rein_format_seconds(s->wall_time_s, c, sizeof c), (double)s->peak_memory_kb / 1024);
    printf("written     %s/: policy.rein, metrics.jsonl, checkpoint.h5, summary.json%s\n",
           folder->path, e->log.rollouts == REIN_ROLLOUTS_NONE ? "" : ", rollouts.h5");
    other_config other = {.algo = e->algo_class->id};
    rein_command_each_config(pick_other, &other);
    const char *rein = program_invocation_name; /* as it was called, so that copying works */
    printf("next        %s eval %s\n", rein, folder->path);
    printf("            %s resume %s run.total_timesteps=%lld\n", rein, folder->path,
           (long long)(2 * e->run.total_timesteps));
    printf("            %s train %s\n", rein, other.name[0] ? other.name : "--help");
    printf("fingerprint %016llx\n", (unsigned long long)s->fingerprint);
    fflush(stdout);
}

/* ---- the session --------------------------------------------------------------------------- */

typedef struct session {
    const rein_experiment *experiment;
    rein_run_folder *folder;
    bool resume;
    int argc;
    char **argv;
} session;

static rein_status describe(const session *s)
{
    REIN_TRY(rein_run_folder_write_config(s->folder, s->experiment));
    return rein_run_folder_write_session(s->folder, s->experiment, s->argc, s->argv);
}

static rein_status train_with(const session *s, rein_team *team, rein_run_outcome *outcome)
{
    const rein_experiment *e = s->experiment;
    rein_run *run;
    if (!s->resume) REIN_TRY(describe(s));
    REIN_TRY(rein_run_open(
        &(rein_run_options){
            .experiment = e,
            .folder = s->folder,
            .team = team,
            .resume = s->resume,
            .progress = stdout,
            .terminal = isatty(STDOUT_FILENO),
        },
        &run));
    rein_status status = s->resume ? describe(s) : REIN_OK;
    if (status == REIN_OK) {
        rein_task task = rein_experiment_task(e, team);
        status = e->algo_class->train(e->algo_config, &task, run);
    }
    return rein_run_close(run, status, outcome);
}

/* Say what ended training and what is left of it, in one line. */
static int explain(rein_status status, const rein_run_folder *folder,
                   const rein_run_outcome *outcome)
{
    const char *what = rein_error_message();
    if (status == REIN_EINTERRUPTED) {
        rein_fail(status, "stopped at step %lld, checkpoint written; go on with: %s resume %s",
                  (long long)outcome->step, program_invocation_name, folder->path);
    } else if (outcome->checkpoint_step >= 0) {
        rein_fail(status,
                  "%s; the checkpoint of step %lld is intact: mend that, then: rein resume "
                  "%s",
                  what, (long long)outcome->checkpoint_step, folder->path);
    } else if (outcome->began) {
        rein_fail(status,
                  "%s; there was no checkpoint yet: mend that, then start over with: rein "
                  "resume %s",
                  what, folder->path);
    }
    int code = rein_command_fail(status);
    /* the command line and the config were right: training failed */
    return status == REIN_EINTERRUPTED || !outcome->began ? code : REIN_EXIT_FAILED;
}

int rein_training_run(const rein_experiment *e, rein_run_folder *folder, bool resume, int argc,
                      char **argv)
{
    session s = {.experiment = e, .folder = folder, .resume = resume, .argc = argc, .argv = argv};
    rein_run_outcome outcome = {.checkpoint_step = -1};
    rein_team *team = NULL;
    print_header(e, folder);
    rein_status status = rein_team_create((int)e->run.threads, &team);
    if (status == REIN_OK) status = train_with(&s, team, &outcome);
    rein_team_free(team);
    int code = REIN_EXIT_OK;
    if (status == REIN_OK) {
        rein_training_print_summary(e, folder, &outcome.summary);
    } else {
        code = explain(status, folder, &outcome);
        if (!resume && !outcome.began) rein_run_folder_remove(folder);
    }
    rein_run_folder_close(folder);
    return code;
}
