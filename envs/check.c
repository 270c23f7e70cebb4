#include "envs/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envs/probe.h"

enum { DEFAULT_STEPS = 1000, SNAPSHOTS = 10, MAX_QUANTITIES = 64 };

/* What every check works on: two envs of the class and where the results go. */
typedef struct check {
    const rein_env_class *env;
    const rein_check_options *options;
    int n_steps;
    rein_probe a, b;
    rein_check_report *report;
} check;

#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static bool
check_say(rein_check_report *report, const char *name, bool passed, const char *format, ...)
{
    rein_check_line *line = &report->lines[report->n++];
    va_list args;
    line->name = name;
    line->passed = passed;
    va_start(args, format);
    vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
    report->n_failed += !passed;
    return passed;
}

/* ---- spaces -------------------------------------------------------------------------------- */

static const char *observation_fault(const rein_observation_space *space)
{
    int64_t size = 1;
    if (space->dtype != REIN_F32 && space->dtype != REIN_U8) return "observation is not f32 or u8";
    if (space->n_dims < 1 || space->n_dims > REIN_MAX_DIMS) return "observation has no shape";
    for (int i = 0; i < space->n_dims; i++) {
        if (space->shape[i] < 1) return "observation has an empty dimension";
        size *= space->shape[i];
    }
    if (size != space->size) return "observation.size is not the product of its shape";
    if (!(space->low < space->high)) return "observation.low is not below observation.high";
    if (space->dtype == REIN_U8 && !(space->low >= 0 && space->high <= 255)) {
        return "u8 observation with bounds outside [0, 255]";
    }
    return NULL;
}

static const char *action_fault(const rein_action_space *space)
{
    if (space->kind == REIN_DISCRETE) {
        if (space->n < 1) return "no actions";
        return space->size == 1 ? NULL : "a discrete action has size 1";
    }
    if (space->kind != REIN_CONTINUOUS) return "action is neither discrete nor continuous";
    if (space->size < 1 || space->size > REIN_MAX_ACTION) return "action size is out of range";
    for (int i = 0; i < space->size; i++) {
        if (!(space->low[i] < space->high[i])) return "action.low is not below action.high";
    }
    return NULL;
}

static const char *spec_fault(const rein_env_spec *spec)
{
    const char *fault = observation_fault(&spec->observation);
    if (fault == NULL) fault = action_fault(&spec->action);
    if (fault != NULL) return fault;
    if (spec->n_agents < 1) return "no agents";
    if (spec->max_episode_steps < 0) return "negative time limit";
    return spec->state_size > 0 ? NULL : "state of 0 bytes";
}

static bool check_spaces(const rein_env_spec *spec, rein_check_report *report)
{
    const char *fault = spec_fault(spec);
    const rein_observation_space *o = &spec->observation;
    char shape[64] = "";
    if (fault != NULL) return check_say(report, "spaces", false, "%s", fault);
    for (int i = 0; i < o->n_dims; i++) {
        size_t used = strlen(shape);
        snprintf(shape + used, sizeof shape - used, i > 0 ? ",%d" : "%d", o->shape[i]);
    }
    bool discrete = spec->action.kind == REIN_DISCRETE;
    return check_say(report, "spaces", true,
                     "observation %s [%s] in [%g, %g], %d %s, %d agent%s, time limit %d",
                     o->dtype == REIN_U8 ? "u8" : "f32", shape, (double)o->low, (double)o->high,
                     discrete ? spec->action.n : spec->action.size,
                     discrete ? "actions" : "continuous action dimensions", spec->n_agents,
                     spec->n_agents > 1 ? "s" : "", spec->max_episode_steps);
}

/* ---- what reset and step write ------------------------------------------------------------- */

/* First entry of the observation that is not finite or out of bounds; -1: none. */
static int observation_bad_entry(const rein_probe *p, double *value)
{
    const rein_observation_space *space = &p->spec.observation;
    for (int i = 0; i < space->size * p->spec.n_agents; i++) {
        *value = space->dtype == REIN_U8 ? ((const uint8_t *)p->io.observation)[i]
                                         : (double)((const float *)p->io.observation)[i];
        if (!isfinite(*value) || *value < (double)space->low || *value > (double)space->high) {
            return i;
        }
    }
    return -1;
}

/* Everything a step must leave behind. false: `text` says what is wrong. */
static bool check_outputs(const rein_probe *p, bool stepped, char *text, size_t size)
{
    double value = 0;
    int bad = observation_bad_entry(p, &value);
    const char *overrun = rein_probe_overrun(p);
    text[0] = '\0';
    if (overrun != NULL) {
        snprintf(text, size, "wrote beyond its row: %s", overrun);
    } else if (bad >= 0) {
        snprintf(text, size, "observation[%d] is %g, outside [%g, %g]", bad, value,
                 (double)p->spec.observation.low, (double)p->spec.observation.high);
    }
    if (!stepped || text[0] != '\0') return text[0] == '\0';
    for (int i = 0; i < p->spec.n_agents; i++) {
        if (isfinite(p->io.reward[i])) continue;
        snprintf(text, size, "reward[%d] is %g (or was not written)", i, (double)p->io.reward[i]);
        return false;
    }
    if (*p->io.terminated > 1 || *p->io.broken > 1) {
        snprintf(text, size, "terminated is %d, broken %d: must be 0 or 1", *p->io.terminated,
                 *p->io.broken);
        return false;
    }
    return true;
}

static bool check_is_over(const rein_probe *p, int length)
{
    int limit = p->spec.max_episode_steps;
    return *p->io.terminated || *p->io.broken || (limit > 0 && length >= limit);
}

/* Random steps with actions `scale` times the bounds; looks at each one's outputs. */
static bool check_walk(check *c, const char *name, double scale)
{
    rein_probe *p = &c->a;
    uint64_t seed = c->options->seed, episode = 0;
    int length = 0, n_terminated = 0, n_broken = 0;
    char text[200];
    rein_probe_poison(p, 0x5A);
    rein_probe_reset(p, seed, episode++);
    if (!check_outputs(p, false, text, sizeof text)) {
        return check_say(c->report, name, false, "after the first reset: %s", text);
    }
    for (int t = 0; t < c->n_steps; t++) {
        rein_probe_draw_action(p, seed, (uint64_t)t, scale);
        rein_probe_poison(p, 0x5A);
        rein_probe_step(p, seed, (uint64_t)t);
        if (!check_outputs(p, true, text, sizeof text)) {
            return check_say(c->report, name, false, "step %d: %s", t, text);
        }
        n_terminated += *p->io.terminated;
        n_broken += *p->io.broken;
        if (!check_is_over(p, ++length)) continue;
        length = 0;
        rein_probe_poison(p, 0x5A);
        rein_probe_reset(p, seed, episode++);
        if (!check_outputs(p, false, text, sizeof text)) {
            return check_say(c->report, name, false, "reset after step %d: %s", t, text);
        }
    }
    return check_say(c->report, name, true, "%d steps, %d episodes terminated, %d diverged",
                     c->n_steps, n_terminated, n_broken);
}

/* ---- equal histories, equal bytes ---------------------------------------------------------- */

/* The row in which a and b differ; NULL: none. */
static const char *probes_difference(const rein_probe *a, const rein_probe *b, bool stepped)
{
    if (memcmp(a->io.observation, b->io.observation, a->observation_bytes) != 0) {
        return "observation";
    }
    if (!stepped) return NULL;
    size_t rewards = sizeof(float) * (size_t)a->spec.n_agents;
    if (memcmp(a->io.reward, b->io.reward, rewards) != 0) return "reward";
    if (*a->io.terminated != *b->io.terminated) return "terminated";
    return *a->io.broken != *b->io.broken ? "broken" : NULL;
}

/* Reset both with the same stream. Their rows hold different bytes before, so what is not written
 * shows as a difference, too. */
static const char *check_reset_both(check *c, uint64_t episode)
{
    rein_probe_poison(&c->a, 0x00);
    rein_probe_poison(&c->b, 0xFF);
    rein_probe_reset(&c->a, c->options->seed, episode);
    rein_probe_reset(&c->b, c->options->seed, episode);
    return probes_difference(&c->a, &c->b, false);
}

static const char *check_step_both(check *c, uint64_t t)
{
    rein_probe_draw_action(&c->a, c->options->seed, t, 1);
    rein_probe_draw_action(&c->b, c->options->seed, t, 1);
    rein_probe_poison(&c->a, 0x00);
    rein_probe_poison(&c->b, 0xFF);
    rein_probe_step(&c->a, c->options->seed, t);
    rein_probe_step(&c->b, c->options->seed, t);
    return probes_difference(&c->a, &c->b, true);
}

static bool check_determinism(check *c)
{
    uint64_t episode = 0;
    int length = 0;
    const char *row = check_reset_both(c, episode++);
    for (int t = 0; t < c->n_steps && row == NULL; t++) {
        row = check_step_both(c, (uint64_t)t);
        if (row != NULL) {
            return check_say(c->report, "determinism", false,
                             "step %d: %s differs or is not written, though streams and actions "
                             "are equal",
                             t, row);
        }
        if (!check_is_over(&c->a, ++length)) continue;
        length = 0;
        row = check_reset_both(c, episode++);
    }
    if (row != NULL) {
        return check_say(c->report, "determinism", false,
                         "reset %d: %s differs or is not written, though streams are equal",
                         (int)episode, row);
    }
    return check_say(c->report, "determinism", true, "%d steps, %d episodes: equal bytes",
                     c->n_steps, (int)episode);
}

/* Let one env live through `n` steps of another past. */
static void check_age(check *c, rein_probe *p, int n, uint64_t past)
{
    rein_probe_reset(p, c->options->seed + 1, past);
    for (int t = 0, length = 0; t < n; t++) {
        rein_probe_draw_action(p, c->options->seed + 1 + past, (uint64_t)t, 1);
        rein_probe_step(p, c->options->seed + 1, (uint64_t)t);
        if (!check_is_over(p, ++length)) continue;
        length = 0;
        rein_probe_reset(p, c->options->seed + 1, past + (uint64_t)t);
    }
}

/* An env with a past and a young one do the same after a reset with the same stream. */
static bool check_reset(check *c)
{
    for (int i = 0; i < SNAPSHOTS; i++) {
        check_age(c, &c->a, 3 * i * i, 100);
        check_age(c, &c->b, i % 2, 200);
        const char *row = check_reset_both(c, (uint64_t)(1000 + i));
        for (int t = 0; t < 20 && row == NULL; t++) {
            row = check_step_both(c, (uint64_t)t);
            if (check_is_over(&c->a, t)) break;
        }
        if (row != NULL) {
            return check_say(c->report, "reset", false, "%s depends on the episode before", row);
        }
    }
    return check_say(c->report, "reset", true, "nothing is left of the episode before");
}

/* ---- save and load ------------------------------------------------------------------------- */

/* Save a in the middle of an episode, load into b, continue both. */
static bool check_snapshot(check *c, void *snapshot, int i)
{
    int age = 1 + i * c->n_steps / (4 * SNAPSHOTS);
    check_age(c, &c->a, age, 300);
    check_age(c, &c->b, SNAPSHOTS - i, 400);
    rein_probe_save(&c->a, snapshot);
    if (rein_probe_load(&c->b, snapshot) != REIN_OK) {
        return check_say(c->report, "snapshots", false, "load after %d steps: %.150s", age,
                         rein_error_message());
    }
    for (int t = 0; t < 50; t++) {
        const char *row = check_step_both(c, (uint64_t)(5000 + t));
        if (row != NULL) {
            return check_say(c->report, "snapshots", false,
                             "saved after %d steps, loaded, continued: %s differs after %d more",
                             age, row, t + 1);
        }
        if (!*c->a.io.terminated && !*c->a.io.broken) continue;
        if (check_reset_both(c, (uint64_t)(6000 + t)) != NULL) {
            return check_say(c->report, "snapshots", false, "the reset after a load differs");
        }
    }
    return true;
}

static rein_status check_snapshots(check *c)
{
    size_t size = rein_probe_snapshot_size(&c->a);
    void *snapshot = malloc(size);
    if (snapshot == NULL) return rein_fail(REIN_ENOMEM, "no memory for a snapshot");
    bool good = (c->env->save == NULL) == (c->env->load == NULL);
    if (!good) check_say(c->report, "snapshots", false, "the class has only one of save and load");
    for (int i = 0; i < SNAPSHOTS && good; i++) good = check_snapshot(c, snapshot, i);
    if (good) {
        check_say(c->report, "snapshots", true, "%d loads of %zu bytes continued identically",
                  SNAPSHOTS, size);
    }
    free(snapshot);
    return REIN_OK;
}

/* ---- allocation ---------------------------------------------------------------------------- */

static bool check_allocations(check *c)
{
    rein_probe *p = &c->a;
    uint64_t episode = 0;
    int length = 0;
    rein_probe_reset(p, c->options->seed, episode++);
    size_t before = c->options->count_allocations();
    for (int t = 0; t < c->n_steps; t++) {
        rein_probe_draw_action(p, c->options->seed, (uint64_t)t, 1);
        rein_probe_step(p, c->options->seed, (uint64_t)t);
        if (!check_is_over(p, ++length)) continue;
        length = 0;
        rein_probe_reset(p, c->options->seed, episode++);
    }
    size_t n = c->options->count_allocations() - before;
    return check_say(c->report, "allocations", n == 0, "%zu in %d steps and %d resets", n,
                     c->n_steps, (int)episode - 1);
}

/* ---- quantities ---------------------------------------------------------------------------- */

/* Peek into out [size], with a guard behind. false: the guard was overwritten. */
static bool check_peek(const rein_probe *p, const rein_env_quantity *q, double *out)
{
    const double guard = 12345.678;
    out[q->size] = guard;
    p->env->peek(p->state, q->name, out);
    return out[q->size] == guard;
}

/* From a to b and back out. One text at a time; NULL: all well. */
static const char *quantity_fault(check *c, const rein_env_quantity *q, double *x, double *y)
{
    if (!check_peek(&c->a, q, x) || !check_peek(&c->a, q, y)) return "peek wrote beyond its size";
    for (int i = 0; i < q->size; i++) {
        if (!(x[i] == y[i])) return "peeked twice, two answers (or NaN)";
    }
    if (!q->settable) return NULL;
    return c->env->poke(c->b.state, q->name, x) == REIN_OK ? NULL : "its own value is refused";
}

static const char *poked_fault(check *c, const rein_env_quantity *q, double *x, double *y)
{
    if (!q->settable) return NULL;
    check_peek(&c->a, q, x);
    check_peek(&c->b, q, y);
    for (int i = 0; i < q->size; i++) {
        if (!(x[i] == y[i])) return "peeked after a poke is not what was poked";
    }
    return NULL;
}

static void check_quantities_at(check *c, const rein_env_quantity *list, int n, double *x,
                                double *y)
{
    const char *fault = NULL;
    const rein_env_quantity *q = list;
    for (int i = 0; i < n && fault == NULL; i++) fault = quantity_fault(c, q = &list[i], x, y);
    for (int i = 0; i < n && fault == NULL; i++) fault = poked_fault(c, q = &list[i], x, y);
    if (fault != NULL) {
        check_say(c->report, "quantities", false, "%s: %s", q->name, fault);
        return;
    }
    if (c->env->poke(c->b.state, "no such quantity", x) == REIN_OK) {
        check_say(c->report, "quantities", false, "poke accepts a name that does not exist");
        return;
    }
    if (c->env->observe != NULL) c->env->observe(c->b.state, &c->b.io);
    char text[160];
    if (!check_outputs(&c->b, false, text, sizeof text)) {
        check_say(c->report, "quantities", false, "observed after a poke: %s", text);
        return;
    }
    char names[160] = "";
    for (int i = 0; i < n; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, " %s[%d]%s", list[i].name, list[i].size,
                 list[i].settable ? " (settable)" : "");
    }
    check_say(c->report, "quantities", true, "poked and peeked:%s", names);
}

static rein_status check_quantities(check *c)
{
    if (c->env->quantities == NULL) return REIN_OK;
    if (c->env->peek == NULL || c->env->poke == NULL) {
        check_say(c->report, "quantities", false, "quantities without peek or poke");
        return REIN_OK;
    }
    const rein_env_quantity *list = c->env->quantities(c->a.state);
    int n = 0, largest = 0;
    for (; list[n].name != NULL && n < MAX_QUANTITIES; n++) {
        if (list[n].size < 1 || !(list[n].tolerance >= 0)) {
            check_say(c->report, "quantities", false, "%s: size %d, tolerance %g", list[n].name,
                      list[n].size, list[n].tolerance);
            return REIN_OK;
        }
        if (list[n].size > largest) largest = list[n].size;
    }
    double *x = malloc(sizeof *x * 2 * (size_t)(largest + 1));
    if (x == NULL) return rein_fail(REIN_ENOMEM, "no memory for the quantities");
    check_age(c, &c->a, 7, 500);
    check_age(c, &c->b, 3, 600);
    check_quantities_at(c, list, n, x, x + largest + 1);
    free(x);
    return REIN_OK;
}

/* ---- all of them --------------------------------------------------------------------------- */

static rein_status check_all(check *c)
{
    bool continuous = c->a.spec.action.kind == REIN_CONTINUOUS;
    check_walk(c, "steps", 1);
    if (continuous) check_walk(c, "actions beyond bounds", 2);
    check_determinism(c);
    check_reset(c);
    REIN_TRY(check_snapshots(c));
    if (c->options->count_allocations != NULL) check_allocations(c);
    return check_quantities(c);
}

rein_status rein_check_env(const rein_env_class *env, const void *config,
                           const rein_check_options *options, rein_check_report *report)
{
    check c = {.env = env, .options = options, .report = report};
    rein_env_spec spec;
    report->n = report->n_failed = 0;
    c.n_steps = options->n_steps > 0 ? options->n_steps : DEFAULT_STEPS;
    REIN_TRY(env->spec(config, &spec));
    if (!check_spaces(&spec, report)) return REIN_OK; /* nothing else makes sense */
    REIN_TRY(rein_probe_open(env, config, &c.a));
    rein_status status = rein_probe_open(env, config, &c.b);
    if (status == REIN_OK) {
        status = check_all(&c);
        rein_probe_close(&c.b);
    }
    rein_probe_close(&c.a);
    return status;
}
