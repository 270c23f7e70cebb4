/* checkpoint.h5: everything that a run goes on from, in one sealed file (replay/store.h).
 *
 *     /run/...       what the run itself must remember (this header)
 *     /algo/...      the algorithm's state, as its archive function names it
 *     /recorder/...  the rollout recorder's counters and the part in the making
 *     attribute `config` of /: the config.yaml it was made with
 *
 * Written atomically: a crash or a full disk leaves the one before. Thread-safety: one caller per
 * object. */
#ifndef REIN_EXPERIMENTS_CHECKPOINT_H
#define REIN_EXPERIMENTS_CHECKPOINT_H

#include "base/archive.h"
#include "base/status.h"
#include "replay/store.h"

typedef struct rein_checkpoint {
    int64_t step;           /* environment steps done */
    int64_t metrics_length; /* bytes of metrics.jsonl that belong to them */
    int64_t config_hash;    /* rein_experiment_hash */
    int64_t ticked;         /* step of the last tick: evaluation is due at boundaries behind it */
    double time_s;          /* wall time of all sessions so far */
    double evaluation_s;    /* of it spent on evaluation */
    /* of the last log row */
    int64_t episodes, broken;
    double return_mean, length_mean;
    /* of the last evaluation; eval_step -1: none yet */
    int64_t eval_step, eval_episodes;
    double eval_return_mean, eval_return_std;
} rein_checkpoint;

/* Save or load the run's own part, under run/. Errors: those of the archive; REIN_EFORMAT when
 * loading numbers that no run can have. */
rein_status rein_checkpoint_archive(rein_checkpoint *checkpoint, rein_archive *archive);

/* Open a checkpoint and read the run's own part; the store then gives the rest.
 * Errors: REIN_ENOTFOUND, REIN_EFORMAT (says how to go on), REIN_EIO, REIN_ENOMEM. */
rein_status rein_checkpoint_open(const char *path, rein_checkpoint *out, rein_store **store);

#endif
