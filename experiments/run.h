/* A run over a run folder: what algos/run.h asks for, done with metrics.jsonl, the recorder,
 * checkpoint.h5, policy.rein and progress lines.
 *
 *     rein_run *run;
 *     REIN_TRY(rein_run_open(&options, &run));       loads the checkpoint, when resuming
 *     status = experiment->algo_class->train(config, &task, run);
 *     status = rein_run_close(run, status, &outcome);   summary.json, when complete
 *
 * Thread-safety: one caller per object; rein_run_stop from anywhere, signal handlers included. */
#ifndef REIN_EXPERIMENTS_RUN_H
#define REIN_EXPERIMENTS_RUN_H

#include <stdio.h>

#include "algos/run.h"
#include "experiments/run_folder.h"

typedef struct rein_run_options {
    const rein_experiment *experiment; /* borrowed, as all here, until close */
    const rein_run_folder *folder;
    rein_team *team;
    bool resume;    /* go on from checkpoint.h5, or from the start when there is none; false: the
                       folder is new */
    FILE *progress; /* where progress lines go; NULL: nowhere */
    bool terminal;  /* progress is a terminal: renew one line */
} rein_run_options;

/* Errors: REIN_EFORMAT (a damaged checkpoint, a changed config), REIN_EIO, REIN_ENOMEM; those of
 * the recorder. */
rein_status rein_run_open(const rein_run_options *options, rein_run **out);

/* What came of a run. */
typedef struct rein_run_outcome {
    bool began;               /* a step was done, or a checkpoint loaded */
    int64_t step;             /* of the last tick */
    int64_t checkpoint_step;  /* of the newest checkpoint; -1: none */
    rein_run_summary summary; /* when training is complete */
} rein_run_outcome;

/* End the run and free it. `trained` is what the training loop returned: on REIN_OK the last
 * rollout part and summary.json are written, else the part in the making is dropped (the
 * checkpoint holds it).
 * Returns `trained`, or the first error of closing when that was REIN_OK. */
rein_status rein_run_close(rein_run *run, rein_status trained, rein_run_outcome *outcome);

/* Ask the run in this process to stop: its next tick says checkpoint and stop. Async-signal-safe.
 */
void rein_run_stop(void);

/* XXH3-64 of all that a policy acts by: params [P] f32, log_std [size] f32 of a Gaussian, mean
 * and var [obs] f64 of the normaliser, one after the other. Errors: REIN_ENOMEM. */
rein_status rein_run_fingerprint(const rein_policy *policy, uint64_t *out);

#endif
