/* What a training loop asks of the run around it. The loop calls; nothing here calls back into the
 * loop. experiments/run.c implements it over a run folder; tests use rein_run_none.
 *
 * The shape of every loop:
 *
 *     REIN_TRY(rein_run_resume(run, &archive));          where a checkpoint is: load it
 *     if (archive) REIN_TRY(ppo_archive(ppo, archive));
 *     while (ppo->step < total) {
 *         ... collect (rein_recorder_push on run->recorder unless NULL), update ...
 *         REIN_TRY(rein_run_log(run, step, &episodes, metrics, n));
 *         unsigned due = rein_run_tick(run, step);
 *         if (due & REIN_RUN_EVALUATE) REIN_TRY(rein_run_evaluate(run, step, policy));
 *         if (due & REIN_RUN_CHECKPOINT) {
 *             REIN_TRY(rein_run_checkpoint_begin(run, step, &archive));
 *             REIN_TRY(ppo_archive(ppo, archive));
 *             REIN_TRY(rein_run_checkpoint_end(run));
 *         }
 *         if (due & REIN_RUN_STOP) return rein_fail(REIN_EINTERRUPTED, "stopped at step ...");
 *     }
 *     return rein_run_finish(run, step, policy);
 *
 * Thread-safety: called by the training thread only. */
#ifndef REIN_ALGOS_RUN_H
#define REIN_ALGOS_RUN_H

#include <stdint.h>

#include "algos/episodes.h"
#include "algos/policy.h"
#include "base/archive.h"
#include "base/status.h"
#include "replay/recorder.h"

/* One named number of a log row. Names as in SB3 and CleanRL: "policy_loss", "approx_kl". */
typedef struct rein_metric {
    const char *name;
    double value;
} rein_metric;

enum { REIN_RUN_EVALUATE = 1, REIN_RUN_CHECKPOINT = 2, REIN_RUN_STOP = 4 };

typedef struct rein_run rein_run;
struct rein_run {
    void *context;
    rein_recorder *recorder; /* where transitions go; NULL: not wanted */
    const char *folder;      /* the run folder, for a replay's own files; NULL: none */
    rein_status (*resume)(rein_run *run, rein_archive **archive);
    rein_status (*log)(rein_run *run, int64_t step, const rein_episodes *episodes,
                       const rein_metric *metrics, int n);
    unsigned (*tick)(rein_run *run, int64_t step);
    rein_status (*evaluate)(rein_run *run, int64_t step, const rein_policy *policy);
    rein_status (*checkpoint_begin)(rein_run *run, int64_t step, rein_archive **archive);
    rein_status (*checkpoint_end)(rein_run *run);
    rein_status (*finish)(rein_run *run, int64_t step, const rein_policy *policy);
};

/* A run that keeps nothing and never stops: for tests, benchmarks and embedding. */
extern rein_run rein_run_none;

/* *archive = a loading archive, or NULL when the run starts from nothing. */
static inline rein_status rein_run_resume(rein_run *run, rein_archive **archive)
{
    return run->resume(run, archive);
}
/* One row of metrics.jsonl at this step, and the progress line. */
static inline rein_status rein_run_log(rein_run *run, int64_t step, const rein_episodes *episodes,
                                       const rein_metric *metrics, int n)
{
    return run->log(run, step, episodes, metrics, n);
}
/* What is due at this step: bits REIN_RUN_*. EVALUATE depends on the step alone. */
static inline unsigned rein_run_tick(rein_run *run, int64_t step)
{
    return run->tick(run, step);
}
/* Deterministic evaluation episodes; logged. */
static inline rein_status rein_run_evaluate(rein_run *run, int64_t step, const rein_policy *policy)
{
    return run->evaluate(run, step, policy);
}
/* *archive = a saving archive to put the algorithm's state into, until checkpoint_end. */
static inline rein_status rein_run_checkpoint_begin(rein_run *run, int64_t step,
                                                    rein_archive **archive)
{
    return run->checkpoint_begin(run, step, archive);
}
/* Make it the run's checkpoint, atomically. */
static inline rein_status rein_run_checkpoint_end(rein_run *run)
{
    return run->checkpoint_end(run);
}
/* Training is complete: write policy.rein, last evaluation, summary. */
static inline rein_status rein_run_finish(rein_run *run, int64_t step, const rein_policy *policy)
{
    return run->finish(run, step, policy);
}

#endif
