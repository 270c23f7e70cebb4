/* A run over a run folder. */
#include "experiments/run.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "algos/evaluate.h"
#include "base/clock.h"
#include "base/file.h"
#include "experiments/checkpoint.h"
#include "experiments/metrics.h"
#include "experiments/progress.h"

typedef struct folder_run {
    rein_run run; /* first: the loop's rein_run is this */
    rein_run_options options;
    rein_metrics *metrics;
    rein_progress progress;
    rein_checkpoint state;   /* what the next checkpoint holds */
    rein_store *loaded;      /* the checkpoint resumed from, until the first tick */
    rein_store *saving;      /* between checkpoint_begin and checkpoint_end */
    rein_archive *archive;   /* of the store being loaded or saved */
    double begin_s;          /* clock at which this session began */
    double before_s;         /* wall time of the sessions before */
    double checkpoint_s;     /* clock at the last checkpoint */
    int64_t checkpoint_step; /* -1: none */
    bool began;
    uint64_t fingerprint; /* set by finish */
} folder_run;

static volatile sig_atomic_t stop_asked;

void rein_run_stop(void)
{
    stop_asked = 1;
}

static void path_of(const folder_run *r, const char *name, char out[REIN_PATH_SIZE + 32])
{
    rein_run_folder_path(r->options.folder, name, out, REIN_PATH_SIZE + 32);
}

static double wall_time_s(const folder_run *r)
{
    return r->before_s + (rein_clock_s() - r->begin_s);
}

/* Steps per second of training: evaluation is left out of the time. */
static double steps_per_second(const folder_run *r, int64_t step, double time_s)
{
    double training_s = time_s - r->state.evaluation_s;
    return training_s > 0 ? (double)step / training_s : 0;
}

static rein_status end_row(folder_run *r, int64_t step)
{
    double time_s = wall_time_s(r);
    return rein_metrics_end(r->metrics, time_s, steps_per_second(r, step, time_s));
}

/* ---- the loop's calls ---------------------------------------------------------------------- */

static rein_status run_resume(rein_run *run, rein_archive **archive)
{
    folder_run *r = (folder_run *)run;
    *archive = r->loaded ? r->archive : NULL;
    return REIN_OK;
}

static rein_status run_log(rein_run *run, int64_t step, const rein_episodes *episodes,
                           const rein_metric *metrics, int n)
{
    folder_run *r = (folder_run *)run;
    r->state.episodes = episodes->count;
    r->state.broken = episodes->broken;
    r->state.return_mean = rein_episodes_return_mean(episodes);
    r->state.length_mean = rein_episodes_length_mean(episodes);
    rein_metrics_begin(r->metrics, step);
    rein_metrics_integer(r->metrics, "episodes", episodes->count);
    rein_metrics_real(r->metrics, "episode_return_mean", r->state.return_mean);
    rein_metrics_real(r->metrics, "episode_length_mean", r->state.length_mean);
    rein_metrics_exact(r->metrics, "episode_return_sum", episodes->return_sum);
    rein_metrics_integer(r->metrics, "broken", episodes->broken);
    for (int i = 0; i < n; i++) rein_metrics_real(r->metrics, metrics[i].name, metrics[i].value);
    return end_row(r, step);
}

static unsigned run_tick(rein_run *run, int64_t step)
{
    folder_run *r = (folder_run *)run;
    const rein_experiment *e = r->options.experiment;
    double now_s = rein_clock_s();
    unsigned due = 0;
    r->began = true;
    if (r->loaded) { /* everything has been read */
        rein_store_free(r->loaded);
        r->loaded = NULL;
    }
    if (e->log.eval_episodes > 0 &&
        step / e->log.eval_every > r->state.ticked / e->log.eval_every) {
        due |= REIN_RUN_EVALUATE;
    }
    r->state.ticked = r->state.step = step;
    if (step >= e->run.total_timesteps) {
        due |= REIN_RUN_CHECKPOINT; /* so that a finished run can be made longer */
    } else if (stop_asked) {
        due |= REIN_RUN_CHECKPOINT | REIN_RUN_STOP;
    } else if (e->log.checkpoint_every_s > 0 &&
               now_s - r->checkpoint_s >= e->log.checkpoint_every_s) {
        due |= REIN_RUN_CHECKPOINT;
    }
    rein_progress_update(&r->progress, step, r->state.return_mean, now_s);
    return due;
}

static rein_status save_policy(folder_run *r, const rein_policy *policy)
{
    char path[REIN_PATH_SIZE + 32];
    path_of(r, "policy.rein", path);
    return rein_policy_save(policy, path);
}

static rein_status run_evaluate(rein_run *run, int64_t step, const rein_policy *policy)
{
    folder_run *r = (folder_run *)run;
    const rein_experiment *e = r->options.experiment;
    double start_s = rein_clock_s();
    rein_evaluation result;
    REIN_TRY(rein_evaluate(
        &(rein_evaluation_options){
            .policy = policy,
            .env = e->env_class,
            .env_config = e->env_config,
            .max_episode_steps = (int)e->env.max_episode_steps,
            .n_episodes = (int)e->log.eval_episodes,
            .seed = (uint64_t)e->run.seed,
            .deterministic = true,
            .team = r->options.team,
        },
        &result, NULL));
    r->state.evaluation_s += rein_clock_s() - start_s;
    r->state.eval_step = step;
    r->state.eval_episodes = result.n_episodes;
    r->state.eval_return_mean = result.return_mean;
    r->state.eval_return_std = result.return_std;
    rein_metrics_begin(r->metrics, step);
    rein_metrics_integer(r->metrics, "eval_episodes", result.n_episodes);
    rein_metrics_real(r->metrics, "eval_return_mean", result.return_mean);
    rein_metrics_real(r->metrics, "eval_return_std", result.return_std);
    rein_metrics_real(r->metrics, "eval_return_min", result.return_min);
    rein_metrics_real(r->metrics, "eval_return_max", result.return_max);
    rein_metrics_real(r->metrics, "eval_length_mean", result.length_mean);
    REIN_TRY(end_row(r, step));
    return save_policy(r, policy);
}

static rein_status run_checkpoint_begin(rein_run *run, int64_t step, rein_archive **archive)
{
    folder_run *r = (folder_run *)run;
    REIN_TRY(rein_store_create(&r->saving));
    r->archive = rein_store_archive(r->saving);
    r->state.step = step;
    r->state.metrics_length = rein_metrics_length(r->metrics);
    r->state.time_s = wall_time_s(r);
    REIN_TRY(rein_checkpoint_archive(&r->state, r->archive));
    rein_archive_enter(r->archive, "algo");
    *archive = r->archive;
    return REIN_OK;
}

static rein_status write_checkpoint(folder_run *r)
{
    char path[REIN_PATH_SIZE + 32], *config;
    rein_archive_leave(r->archive);
    if (r->run.recorder) {
        rein_archive_enter(r->archive, "recorder");
        REIN_TRY(rein_recorder_archive(r->run.recorder, r->archive));
        rein_archive_leave(r->archive);
    }
    REIN_TRY(rein_experiment_dump(r->options.experiment, &config));
    rein_status status = rein_store_put_text(r->saving, "/", "config", config);
    free(config);
    REIN_TRY(status);
    /* the rows that the checkpoint counts on must not be later on the disk than itself */
    REIN_TRY(rein_metrics_sync(r->metrics));
    path_of(r, "checkpoint.h5", path);
    return rein_store_save(r->saving, path);
}

static rein_status run_checkpoint_end(rein_run *run)
{
    folder_run *r = (folder_run *)run;
    rein_status status = write_checkpoint(r);
    rein_store_free(r->saving);
    r->saving = NULL;
    if (status == REIN_OK) r->checkpoint_step = r->state.step;
    r->checkpoint_s = rein_clock_s();
    return status;
}

static rein_status run_finish(rein_run *run, int64_t step, const rein_policy *policy)
{
    folder_run *r = (folder_run *)run;
    r->state.step = step;
    if (r->options.experiment->log.eval_episodes > 0 && r->state.eval_step != step) {
        REIN_TRY(run_evaluate(run, step, policy));
    }
    REIN_TRY(rein_run_fingerprint(policy, &r->fingerprint));
    return save_policy(r, policy);
}

rein_status rein_run_fingerprint(const rein_policy *policy, uint64_t *out)
{
    const rein_policy_spec *spec = &policy->spec;
    bool gaussian = spec->head == REIN_HEAD_GAUSSIAN;
    size_t params = policy->n_params * sizeof(float);
    size_t log_std = gaussian ? (size_t)spec->action.size * sizeof(float) : 0;
    size_t moments = 0;
    if (spec->normalize_observation) moments = (size_t)spec->observation.size * sizeof(double);
    char *bytes = malloc(params + log_std + 2 * moments + 1);
    if (!bytes) return rein_fail(REIN_ENOMEM, "no memory for a fingerprint");
    char *end = mempcpy(bytes, policy->params, params);
    if (gaussian) end = mempcpy(end, policy->log_std, log_std);
    if (moments) end = mempcpy(end, policy->mean, moments);
    if (moments) end = mempcpy(end, policy->var, moments);
    *out = rein_hash(bytes, (size_t)(end - bytes));
    free(bytes);
    return REIN_OK;
}

/* ---- open and close ------------------------------------------------------------------------ */

static rein_status open_recorder(folder_run *r)
{
    const rein_experiment *e = r->options.experiment;
    const rein_observation_space *observation = &e->spec.observation;
    bool discrete = e->spec.action.kind == REIN_DISCRETE;
    if (e->log.rollouts == REIN_ROLLOUTS_NONE) return REIN_OK;
    return rein_recorder_create(
        &(rein_recorder_options){
            .folder = r->options.folder->path,
            .env_id = e->env_class->id,
            .n_envs = (int)e->env.n_envs,
            .n_agents = e->spec.n_agents,
            .observation_type = observation->dtype,
            .n_dims = observation->n_dims,
            .shape = {observation->shape[0], observation->shape[1], observation->shape[2]},
            .action_type = discrete ? REIN_I32 : REIN_F32,
            .action_size = e->spec.action.size,
            .transitions = e->log.rollouts == REIN_ROLLOUTS_ALL,
        },
        &r->run.recorder);
}

/* Read the checkpoint, when there is one, and leave its store open at the algorithm's part. */
static rein_status load_checkpoint(folder_run *r)
{
    char path[REIN_PATH_SIZE + 32];
    uint64_t hash;
    path_of(r, "checkpoint.h5", path);
    if (!rein_file_exists(path)) return rein_run_folder_clear(r->options.folder);
    REIN_TRY(rein_experiment_hash(r->options.experiment, &hash));
    int64_t now = (int64_t)hash;
    REIN_TRY(rein_checkpoint_open(path, &r->state, &r->loaded));
    r->archive = rein_store_archive(r->loaded);
    if (r->state.config_hash != now) {
        return rein_fail(REIN_EFORMAT,
                         "%s/config.yaml was changed after %s was made: put it back "
                         "(the checkpoint's attribute `config` has it), or train a new run",
                         r->options.folder->path, path);
    }
    r->checkpoint_step = r->state.step;
    r->before_s = r->state.time_s;
    return REIN_OK;
}

static rein_status open_all(folder_run *r)
{
    char path[REIN_PATH_SIZE + 32];
    uint64_t hash;
    if (r->options.resume) REIN_TRY(load_checkpoint(r));
    REIN_TRY(rein_experiment_hash(r->options.experiment, &hash));
    r->state.config_hash = (int64_t)hash;
    path_of(r, "metrics.jsonl", path);
    REIN_TRY(rein_metrics_open(path, r->state.metrics_length, &r->metrics));
    REIN_TRY(open_recorder(r));
    if (r->loaded && r->run.recorder) {
        rein_archive_enter(r->archive, "recorder");
        REIN_TRY(rein_recorder_archive(r->run.recorder, r->archive));
        rein_archive_leave(r->archive);
    }
    if (r->loaded) rein_archive_enter(r->archive, "algo");
    rein_progress_init(&r->progress, r->options.progress, r->options.terminal,
                       r->options.experiment->run.total_timesteps, r->state.step);
    return REIN_OK;
}

rein_status rein_run_open(const rein_run_options *options, rein_run **out)
{
    folder_run *r = calloc(1, sizeof *r);
    if (!r) return rein_fail(REIN_ENOMEM, "no memory for a run");
    *r = (folder_run){
        .run = {.folder = options->folder->path,
                .resume = run_resume,
                .log = run_log,
                .tick = run_tick,
                .evaluate = run_evaluate,
                .checkpoint_begin = run_checkpoint_begin,
                .checkpoint_end = run_checkpoint_end,
                .finish = run_finish},
        .options = *options,
        .state = {.return_mean = (double)NAN, .length_mean = (double)NAN, .eval_step = -1},
        .begin_s = rein_clock_s(),
        .checkpoint_s = rein_clock_s(),
        .checkpoint_step = -1,
    };
    rein_status status = open_all(r);
    if (status != REIN_OK) {
        rein_run_close(&r->run, status, NULL);
        return status;
    }
    *out = &r->run;
    return REIN_OK;
}

static void fill_summary(const folder_run *r, rein_run_summary *s)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double time_s = wall_time_s(r);
    *s = (rein_run_summary){
        .steps = r->state.step,
        .episodes = r->state.episodes,
        .broken = r->state.broken,
        .wall_time_s = time_s,
        .sps = steps_per_second(r, r->state.step, time_s),
        .return_mean = r->state.return_mean,
        .length_mean = r->state.length_mean,
        .eval_episodes = r->state.eval_episodes,
        .eval_return_mean = r->state.eval_return_mean,
        .eval_return_std = r->state.eval_return_std,
        .fingerprint = r->fingerprint,
        .peak_memory_kb = usage.ru_maxrss,
    };
}

rein_status rein_run_close(rein_run *run, rein_status trained, rein_run_outcome *outcome)
{
    folder_run *r = (folder_run *)run;
    rein_status status = trained;
    char first[1024]; /* closing must not hide why training ended */
    snprintf(first, sizeof first, "%s", rein_error_message());
    rein_progress_end(&r->progress);
    if (r->run.recorder) {
        rein_status closed = rein_recorder_close(r->run.recorder, trained == REIN_OK);
        if (status == REIN_OK) status = closed;
    }
    /* a checkpoint that the algorithm could not read is not one to go on from */
    bool unread = r->loaded && trained == REIN_EFORMAT;
    rein_run_outcome result = {
        .began = r->began || (r->checkpoint_step >= 0 && !unread),
        .step = r->state.step,
        .checkpoint_step = unread ? -1 : r->checkpoint_step,
    };
    if (status == REIN_OK) {
        fill_summary(r, &result.summary);
        status = rein_run_folder_write_summary(r->options.folder, &result.summary);
    }
    if (trained != REIN_OK) rein_fail(trained, "%s", first);
    if (outcome) *outcome = result;
    rein_metrics_free(r->metrics);
    rein_store_free(r->loaded);
    rein_store_free(r->saving);
    free(r);
    return status;
}
