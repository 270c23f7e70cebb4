#include "algos/run.h"

/* Every answer of a run that keeps nothing: no checkpoint, nothing due. */

static rein_status none_resume(rein_run *run, rein_archive **archive)
{
    (void)run;
    *archive = NULL;
    return REIN_OK;
}

static rein_status none_log(rein_run *run, int64_t step, const rein_episodes *episodes,
                            const rein_metric *metrics, int n)
{
    (void)run, (void)step, (void)episodes, (void)metrics, (void)n;
    return REIN_OK;
}

static unsigned none_tick(rein_run *run, int64_t step)
{
    (void)run, (void)step;
    return 0;
}

static rein_status none_policy(rein_run *run, int64_t step, const rein_policy *policy)
{
    (void)run, (void)step, (void)policy;
    return REIN_OK;
}

static rein_status none_checkpoint_begin(rein_run *run, int64_t step, rein_archive **archive)
{
    (void)run;
    *archive = NULL;
    return rein_fail(REIN_EUNSUPPORTED, "checkpoint at step %lld of a run without a folder",
                     (long long)step);
}

static rein_status none_checkpoint_end(rein_run *run)
{
    (void)run;
    return REIN_OK;
}

rein_run rein_run_none = {
    .resume = none_resume,
    .log = none_log,
    .tick = none_tick,
    .evaluate = none_policy,
    .checkpoint_begin = none_checkpoint_begin,
    .checkpoint_end = none_checkpoint_end,
    .finish = none_policy,
};
