/* rein_check_trace: replay a recorded episode state by state. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "envs/check.h"
#include "envs/probe.h"

typedef struct replay {
    const rein_trace *trace;
    rein_probe probe;
    const rein_env_quantity *quantities; /* ends with name = NULL */
    double *now;                         /* [largest quantity] */
    int64_t n_compared;
} replay;

static const rein_trace_column *trace_column(const rein_trace *trace, const char *prefix,
                                             const char *name)
{
    size_t length = strlen(prefix);
    for (int i = 0; i < trace->n_columns; i++) {
        const char *full = trace->columns[i].name;
        if (strncmp(full, prefix, length) == 0 && strcmp(full + length, name) == 0) {
            return &trace->columns[i];
        }
    }
    return NULL;
}

/* Rewards belong to a step, everything else to a state. */
static bool quantity_is_of_step(const rein_env_quantity *q)
{
    return strcmp(q->name, "reward") == 0;
}

/* ---- does the record fit the class? -------------------------------------------------------- */

static rein_status replay_check_column(const replay *r, const rein_env_quantity *q)
{
    const rein_trace *trace = r->trace;
    const rein_trace_column *column = trace_column(trace, "", q->name);
    const rein_trace_column *init = trace_column(trace, "init_", q->name);
    if (init != NULL && (init->size != q->size || init->n_rows != 1)) {
        return rein_fail(REIN_EFORMAT, "%s: init_%s has %lld x %d numbers, the environment %d",
                         trace->name, q->name, (long long)init->n_rows, init->size, q->size);
    }
    if (column == NULL) {
        if (!q->settable || init != NULL) return REIN_OK;
        return rein_fail(REIN_EFORMAT, "%s: no '%s' recorded, which an episode begins from",
                         trace->name, q->name);
    }
    int64_t n_rows = trace->n_steps + (quantity_is_of_step(q) ? 0 : 1);
    if (column->size != q->size || column->n_rows < n_rows) {
        return rein_fail(REIN_EFORMAT,
                         "%s: %s is %lld rows of %d numbers, the environment has %lld of %d",
                         trace->name, q->name, (long long)column->n_rows, column->size,
                         (long long)n_rows, q->size);
    }
    return REIN_OK;
}

static rein_status replay_check_actions(const replay *r)
{
    const rein_trace *trace = r->trace;
    const rein_action_space *space = &r->probe.spec.action;
    if (trace->action_size != space->size) {
        return rein_fail(REIN_EFORMAT, "%s: actions of %d numbers, the environment has %d",
                         trace->name, trace->action_size, space->size);
    }
    if (space->kind != REIN_DISCRETE) return REIN_OK;
    for (int64_t t = 0; t < trace->n_steps; t++) {
        double action = trace->action[t];
        if (action >= 0 && action < space->n && action == floor(action)) continue;
        return rein_fail(REIN_EFORMAT, "%s step %lld: action %g, the environment has 0 to %d",
                         trace->name, (long long)t, action, space->n - 1);
    }
    return REIN_OK;
}

/* ---- comparing ----------------------------------------------------------------------------- */

/* The row that belongs to the state before step t (rewards: to the step that led there). */
static rein_status replay_compare(replay *r, const rein_env_quantity *q, int64_t t)
{
    const rein_trace_column *column = trace_column(r->trace, "", q->name);
    int64_t row = quantity_is_of_step(q) ? t - 1 : t;
    if (column == NULL || row < 0 || (q->steps > 0 && t > q->steps)) return REIN_OK;
    r->probe.env->peek(r->probe.state, q->name, r->now);
    for (int i = 0; i < q->size; i++) {
        double recorded = column->values[row * q->size + i], got = r->now[i];
        if (column->single) got = (double)(float)got;
        double allowed = q->tolerance * fmax(1, fabs(recorded));
        if (fabs(got - recorded) <= allowed || got == recorded) continue;
        return rein_fail(REIN_EDIFFER, "%s step %lld: %s[%d] is %.17g, recorded %.17g",
                         r->trace->name, (long long)t, q->name, i, got, recorded);
    }
    r->n_compared += q->size;
    return REIN_OK;
}

/* What a policy gets is the quantity "obs" or "image", rounded to the observation's type. */
static rein_status replay_compare_observation(replay *r, const rein_env_quantity *q, int64_t t)
{
    const rein_probe *p = &r->probe;
    bool is_observation = strcmp(q->name, "obs") == 0 || strcmp(q->name, "image") == 0;
    if (!is_observation || q->size != p->spec.observation.size) return REIN_OK;
    p->env->peek(p->state, q->name, r->now);
    for (int i = 0; i < q->size; i++) {
        bool bytes = p->spec.observation.dtype == REIN_U8;
        double got = bytes ? ((const uint8_t *)p->io.observation)[i]
                           : (double)((const float *)p->io.observation)[i];
        double expected = bytes ? r->now[i] : (double)(float)r->now[i];
        if (got == expected) continue;
        return rein_fail(REIN_EDIFFER, "%s step %lld: observation[%d] is %.9g, %s[%d] %.9g",
                         r->trace->name, (long long)t, i, got, q->name, i, expected);
    }
    return REIN_OK;
}

static rein_status replay_compare_all(replay *r, int64_t t)
{
    for (const rein_env_quantity *q = r->quantities; q->name != NULL; q++) {
        REIN_TRY(replay_compare(r, q, t));
        if (t > 0 || r->probe.env->observe != NULL) REIN_TRY(replay_compare_observation(r, q, t));
    }
    return REIN_OK;
}

static rein_status replay_compare_end(const replay *r, int64_t t)
{
    const rein_trace *trace = r->trace;
    const rein_probe *p = &r->probe;
    bool terminated = *p->io.terminated != 0;
    if (*p->io.broken) {
        return rein_fail(REIN_EDIFFER, "%s step %lld: the simulation diverged", trace->name,
                         (long long)t);
    }
    if (trace->terminated != NULL && terminated != (trace->terminated[t] != 0)) {
        return rein_fail(REIN_EDIFFER, "%s step %lld: terminated is %d, recorded %g", trace->name,
                         (long long)t, terminated, trace->terminated[t]);
    }
    if (trace->truncated == NULL) return REIN_OK;
    bool at_limit = t + 1 == p->spec.max_episode_steps && !terminated;
    bool recorded = trace->truncated[t] != 0 && !terminated;
    if (at_limit == recorded) return REIN_OK;
    return rein_fail(REIN_EDIFFER, "%s step %lld: truncated is %d (time limit %d), recorded %d",
                     trace->name, (long long)t, at_limit, p->spec.max_episode_steps, recorded);
}

/* ---- replaying ----------------------------------------------------------------------------- */

static rein_status replay_begin(replay *r)
{
    rein_probe *p = &r->probe;
    rein_probe_reset(p, 0, 0);
    for (const rein_env_quantity *q = r->quantities; q->name != NULL; q++) {
        if (!q->settable) continue;
        const rein_trace_column *given = trace_column(r->trace, "init_", q->name);
        if (given == NULL) given = trace_column(r->trace, "", q->name);
        rein_status status = p->env->poke(p->state, q->name, given->values);
        if (status != REIN_OK) return rein_fail_in(status, "%s", r->trace->name);
    }
    if (p->env->observe != NULL) p->env->observe(p->state, &p->io);
    return REIN_OK;
}

static rein_status replay_run(replay *r)
{
    const rein_trace *trace = r->trace;
    rein_probe *p = &r->probe;
    for (const rein_env_quantity *q = r->quantities; q->name != NULL; q++) {
        REIN_TRY(replay_check_column(r, q));
    }
    REIN_TRY(replay_check_actions(r));
    REIN_TRY(replay_begin(r));
    REIN_TRY(replay_compare_all(r, 0));
    for (int64_t t = 0; t < trace->n_steps; t++) {
        for (int i = 0; i < trace->action_size; i++) {
            double action = trace->action[t * trace->action_size + i];
            if (p->spec.action.kind == REIN_DISCRETE) {
                ((int32_t *)p->action)[i] = (int32_t)action;
            } else {
                ((float *)p->action)[i] = (float)action;
            }
        }
        rein_probe_step(p, 0, (uint64_t)t);
        REIN_TRY(replay_compare_all(r, t + 1));
        REIN_TRY(replay_compare_end(r, t));
    }
    return REIN_OK;
}

rein_status rein_check_trace(const rein_env_class *env, const void *config, const rein_trace *trace,
                             int64_t *n_compared)
{
    replay r = {.trace = trace};
    int largest = 0;
    if (env->quantities == NULL) {
        return rein_fail(REIN_EUNSUPPORTED, "%s has no quantities to compare", env->id);
    }
    REIN_TRY(rein_probe_open(env, config, &r.probe));
    rein_status status = REIN_OK;
    if (r.probe.spec.n_agents != 1) {
        status = rein_fail(REIN_EUNSUPPORTED, "%s has %d agents, traces are for one", env->id,
                           r.probe.spec.n_agents);
    } else {
        r.quantities = env->quantities(r.probe.state);
        for (const rein_env_quantity *q = r.quantities; q->name != NULL; q++) {
            if (q->size > largest) largest = q->size;
        }
        r.now = malloc(sizeof *r.now * (size_t)(largest > 0 ? largest : 1));
        status = r.now != NULL ? replay_run(&r) : rein_fail(REIN_ENOMEM, "no memory for a trace");
    }
    if (n_compared != NULL) *n_compared = r.n_compared;
    free(r.now);
    rein_probe_close(&r.probe);
    return status;
}
