/* checkpoint.h5: the run's own part, and opening. */
#include "experiments/checkpoint.h"

/* Version of what is under run/; a reader refuses others. */
enum { CHECKPOINT_VERSION = 1 };

static rein_status archive_fields(rein_checkpoint *c, rein_archive *a)
{
    int64_t version = CHECKPOINT_VERSION;
    REIN_TRY(rein_archive_i64(a, "version", &version));
    if (version != CHECKPOINT_VERSION) {
        return rein_fail(REIN_EFORMAT, "version %lld, this rein reads %d", (long long)version,
                         CHECKPOINT_VERSION);
    }
    REIN_TRY(rein_archive_i64(a, "step", &c->step));
    REIN_TRY(rein_archive_i64(a, "metrics_length", &c->metrics_length));
    REIN_TRY(rein_archive_i64(a, "config_hash", &c->config_hash));
    REIN_TRY(rein_archive_i64(a, "ticked", &c->ticked));
    REIN_TRY(rein_archive_f64(a, "time_s", &c->time_s));
    REIN_TRY(rein_archive_f64(a, "evaluation_s", &c->evaluation_s));
    REIN_TRY(rein_archive_i64(a, "episodes", &c->episodes));
    REIN_TRY(rein_archive_i64(a, "broken", &c->broken));
    REIN_TRY(rein_archive_f64(a, "return_mean", &c->return_mean));
    REIN_TRY(rein_archive_f64(a, "length_mean", &c->length_mean));
    REIN_TRY(rein_archive_i64(a, "eval_step", &c->eval_step));
    REIN_TRY(rein_archive_i64(a, "eval_episodes", &c->eval_episodes));
    REIN_TRY(rein_archive_f64(a, "eval_return_mean", &c->eval_return_mean));
    return rein_archive_f64(a, "eval_return_std", &c->eval_return_std);
}

rein_status rein_checkpoint_archive(rein_checkpoint *c, rein_archive *a)
{
    rein_archive_enter(a, "run");
    rein_status status = archive_fields(c, a);
    rein_archive_leave(a);
    if (status == REIN_OK && a->loading) {
        if (c->step < 0 || c->metrics_length < 0 || c->ticked < 0 || c->eval_step < -1 ||
            !(c->time_s >= 0) || !(c->evaluation_s >= 0)) {
            return rein_fail(REIN_EFORMAT, "negative counters: not made by a run");
        }
    }
    return status;
}

rein_status rein_checkpoint_open(const char *path, rein_checkpoint *out, rein_store **store)
{
    rein_status status = rein_store_open(path, store);
    if (status == REIN_OK) {
        status = rein_checkpoint_archive(out, rein_store_archive(*store));
        if (status != REIN_OK) {
            rein_fail_in(status, "%s", path);
            rein_store_free(*store);
        }
    }
    if (status == REIN_EFORMAT) {
        return rein_fail(status, "%s: remove %s to train this run from its start again",
                         rein_error_message(), path);
    }
    return status;
}
