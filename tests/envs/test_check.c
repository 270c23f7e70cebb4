/* The environment checker: sound environments pass, every fault is found by the check that is
 * there for it; replay of recorded episodes and what it says about differences. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "envs/check.h"
#include "envs/registry.h"

/* ---- a small environment with faults ------------------------------------------------------- */

enum fault {
    SOUND,
    NAN_OBSERVATION,
    OBSERVATION_BEYOND_BOUNDS,
    OBSERVATION_NOT_WRITTEN,
    OBSERVATION_TOO_LONG,
    NAN_REWARD,
    REWARD_NOT_WRITTEN,
    TERMINATED_IS_TWO,
    TERMINATED_NOT_WRITTEN,
    NOT_DETERMINISTIC,
    RESET_KEEPS_THE_PAST,
    SAVE_FORGETS,
    LOAD_FAILS,
    ALLOCATES,
    POKE_IGNORED,
    POKE_TAKES_ANY_NAME,
    PEEK_TOO_LONG,
    NAN_BEYOND_BOUNDS,
    BAD_SHAPE,
    BAD_BOUNDS,
    BAD_ACTIONS,
    N_FAULTS,
};

#define WALK_FIELDS(X) X(integer, fault, "0", "", "which fault")
REIN_CONFIG(walk_config, WALK_FIELDS)

/* A walk on a line: x' = x + a, paid x, ends beyond 3. */
typedef struct walk_state {
    int64_t fault;
    double x, reward;
    int32_t steps;
} walk_state;

static size_t n_allocations;
static uint32_t n_calls;

static size_t count_allocations(void)
{
    return n_allocations;
}

static rein_status walk_spec(const void *config, rein_env_spec *out)
{
    int64_t fault = ((const walk_config *)config)->fault;
    *out = (rein_env_spec){
        .observation =
            {.dtype = REIN_F32, .n_dims = 1, .shape = {2}, .size = 2, .low = -100, .high = 100},
        .action = {.kind = REIN_CONTINUOUS, .size = 1, .low = {-1}, .high = {1}},
        .n_agents = 1,
        .max_episode_steps = 20,
        .state_size = sizeof(walk_state),
        .snapshot_size = sizeof(walk_state),
        .reward_threshold = NAN,
    };
    if (fault == BAD_SHAPE) out->observation.size = 3;
    if (fault == BAD_BOUNDS) out->observation.low = 100;
    if (fault == BAD_ACTIONS) out->action.high[0] = -1;
    return REIN_OK;
}

static rein_status walk_init(void *state, const void *config)
{
    ((walk_state *)state)->fault = ((const walk_config *)config)->fault;
    return REIN_OK;
}

static void walk_look(void *state, rein_env_io *io)
{
    const walk_state *s = state;
    float *out = io->observation;
    if (s->fault == OBSERVATION_NOT_WRITTEN) return;
    out[0] = (float)s->x;
    out[1] = s->fault == NOT_DETERMINISTIC ? (float)(n_calls++ % 7) : 0;
    if (s->fault == NAN_OBSERVATION) out[1] = NAN;
    if (s->fault == OBSERVATION_BEYOND_BOUNDS) out[1] = 101;
    if (s->fault == OBSERVATION_TOO_LONG) memset(out + 2, 0, sizeof(float));
    if (s->fault == NAN_BEYOND_BOUNDS && fabs(s->reward) > 1000) out[1] = NAN;
}

static void walk_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    walk_state *s = state;
    double start = rein_rng_uniform(rng);
    s->x = s->fault == RESET_KEEPS_THE_PAST ? 0.5 * s->x + start : start;
    s->reward = 0;
    s->steps = 0;
    walk_look(state, io);
}

static void walk_step(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)rng;
    walk_state *s = state;
    double action = (double)*(const float *)io->action;
    if (s->fault == ALLOCATES) n_allocations++;
    s->x += action;
    if (s->fault == SAVE_FORGETS && s->steps > 3) s->x += 0.25;
    s->reward = s->fault == NAN_BEYOND_BOUNDS && fabs(action) > 1 ? 1e6 : s->x;
    s->steps++;
    if (s->fault != REWARD_NOT_WRITTEN) *io->reward = s->fault == NAN_REWARD ? NAN : (float)s->x;
    if (s->fault != TERMINATED_NOT_WRITTEN) *io->terminated = s->x > 3;
    if (s->fault == TERMINATED_IS_TWO) *io->terminated = 2;
    walk_look(state, io);
}

static void walk_save(const void *state, void *snapshot)
{
    memcpy(snapshot, state, sizeof(walk_state));
    if (((const walk_state *)state)->fault == SAVE_FORGETS) ((walk_state *)snapshot)->steps = 0;
}

static rein_status walk_load(void *state, const void *snapshot)
{
    if (((walk_state *)state)->fault == LOAD_FAILS) return rein_fail(REIN_EFORMAT, "not today");
    memcpy(state, snapshot, sizeof(walk_state));
    return REIN_OK;
}

static const rein_env_quantity *walk_quantities(const void *state)
{
    (void)state;
    static const rein_env_quantity list[] = {{.name = "x", .size = 1, .settable = true},
                                             {.name = "obs", .size = 2, .tolerance = 1e-6},
                                             {.name = "reward", .size = 1},
                                             {.name = NULL}};
    return list;
}

static void walk_peek(const void *state, const char *name, double *out)
{
    const walk_state *s = state;
    out[0] = strcmp(name, "reward") == 0 ? s->reward : s->x;
    if (strcmp(name, "obs") == 0) out[1] = 0;
    if (s->fault == PEEK_TOO_LONG) out[strcmp(name, "obs") == 0 ? 2 : 1] = 0;
}

static rein_status walk_poke(void *state, const char *name, const double *values)
{
    walk_state *s = state;
    if (strcmp(name, "x") != 0) {
        return s->fault == POKE_TAKES_ANY_NAME ? REIN_OK : rein_fail(REIN_EINVAL, "no %s", name);
    }
    if (s->fault != POKE_IGNORED) s->x = values[0];
    return REIN_OK;
}

static const rein_env_class walk = {
    .id = "Walk-v0",
    .fields = walk_config_fields,
    .n_fields = REIN_FIELD_COUNT(walk_config_fields),
    .config_size = sizeof(walk_config),
    .spec = walk_spec,
    .init = walk_init,
    .reset = walk_reset,
    .step = walk_step,
    .save = walk_save,
    .load = walk_load,
    .quantities = walk_quantities,
    .peek = walk_peek,
    .poke = walk_poke,
    .observe = walk_look,
};

/* ---- promises ------------------------------------------------------------------------------ */

static const rein_check_line *line_of(const rein_check_report *report, const char *name)
{
    for (int i = 0; i < report->n; i++) {
        if (strcmp(report->lines[i].name, name) == 0) return &report->lines[i];
    }
    return NULL;
}

static rein_check_report check_walk_with(enum fault fault)
{
    rein_check_report report;
    rein_check_options options = {
        .seed = 1, .n_steps = 300, .count_allocations = count_allocations};
    walk_config config = {.fault = fault};
    assert_int_equal(rein_check_env(&walk, &config, &options, &report), REIN_OK);
    return report;
}

static void test_sound(void **state)
{
    (void)state;
    rein_check_report report = check_walk_with(SOUND);
    for (int i = 0; i < report.n; i++) {
        if (!report.lines[i].passed) {
            fail_msg("%s: %s", report.lines[i].name, report.lines[i].text);
        }
    }
    assert_int_equal(report.n_failed, 0);
    assert_int_equal(report.n, 8);
}

static void test_faults(void **state)
{
    (void)state;
    static const struct {
        enum fault fault;
        const char *check, *text;
    } cases[] = {
        {NAN_OBSERVATION, "steps", "observation[1] is"},
        {OBSERVATION_BEYOND_BOUNDS, "steps", "observation[1] is 101"},
        {OBSERVATION_NOT_WRITTEN, "determinism", "observation differs or is not written"},
        {OBSERVATION_TOO_LONG, "steps", "wrote beyond its row: observation"},
        {NAN_REWARD, "steps", "reward[0]"},
        {REWARD_NOT_WRITTEN, "steps", "reward[0]"},
        {TERMINATED_IS_TWO, "steps", "terminated is 2"},
        {TERMINATED_NOT_WRITTEN, "steps", "terminated is"},
        {NOT_DETERMINISTIC, "determinism", "observation differs"},
        {RESET_KEEPS_THE_PAST, "reset", "depends on the episode before"},
        {SAVE_FORGETS, "snapshots", "differs after"},
        {LOAD_FAILS, "snapshots", "not today"},
        {ALLOCATES, "allocations", "300 in 300 steps"},
        {POKE_IGNORED, "quantities", "x: peeked after a poke"},
        {POKE_TAKES_ANY_NAME, "quantities", "does not exist"},
        {PEEK_TOO_LONG, "quantities", "beyond its size"},
        {NAN_BEYOND_BOUNDS, "actions beyond bounds", "observation[1]"},
        {BAD_SHAPE, "spaces", "product"},
        {BAD_BOUNDS, "spaces", "observation.low"},
        {BAD_ACTIONS, "spaces", "action.low"},
    };
    assert_int_equal(sizeof cases / sizeof cases[0], N_FAULTS - 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rein_check_report report = check_walk_with(cases[i].fault);
        const rein_check_line *line = line_of(&report, cases[i].check);
        if (line == NULL || line->passed) fail_msg("fault %zu is not found", i);
        assert_true(report.n_failed >= 1);
        if (strstr(line->text, cases[i].text) == NULL) fail_msg("fault %zu: %s", i, line->text);
    }
}

/* Whatever the program knows keeps its promises. */
static void test_registered(void **state)
{
    (void)state;
    _Alignas(64) static char config[8192];
    const rein_env_class *env;
    for (int i = 0; (env = rein_env_at(i)) != NULL; i++) {
        rein_check_options options = {.seed = 3, .n_steps = 300};
        rein_check_report report;
        assert_true(env->config_size <= sizeof config);
        assert_int_equal(rein_env_defaults(env, config), REIN_OK);
        rein_status status = rein_check_env(env, config, &options, &report);
        if (status != REIN_OK) fail_msg("%s: %s", env->id, rein_error_message());
        for (int k = 0; k < report.n; k++) {
            if (!report.lines[k].passed) {
                fail_msg("%s: %s: %s", env->id, report.lines[k].name, report.lines[k].text);
            }
        }
    }
}

/* ---- recorded episodes --------------------------------------------------------------------- */

enum { STEPS = 4 };

/* A recording of the sound walk: x 0.5, then +1 three times until it ends beyond 3, then on. */
typedef struct tape {
    double x[STEPS + 1], obs[2 * (STEPS + 1)], reward[STEPS], action[STEPS];
    double terminated[STEPS], truncated[STEPS], init_x[1];
    rein_trace_column columns[4];
    rein_trace trace;
} tape;

static void tape_record(tape *t)
{
    *t = (tape){.x = {0.5, 1.5, 2.5, 3.5, 3.25},
                .reward = {1.5, 2.5, 3.5, 3.25},
                .action = {1, 1, 1, -0.25},
                .terminated = {0, 0, 1, 1}};
    for (int i = 0; i <= STEPS; i++) t->obs[2 * i] = t->x[i];
    const rein_trace_column columns[] = {
        {.name = "x", .n_rows = STEPS + 1, .size = 1, .values = t->x},
        {.name = "obs", .n_rows = STEPS + 1, .size = 2, .values = t->obs},
        {.name = "reward", .n_rows = STEPS, .size = 1, .values = t->reward},
        {.name = "init_x", .n_rows = 1, .size = 1, .values = t->init_x},
    };
    memcpy(t->columns, columns, sizeof columns);
    t->trace = (rein_trace){.name = "ep0",
                            .n_steps = STEPS,
                            .columns = t->columns,
                            .n_columns = 3,
                            .action = t->action,
                            .action_size = 1,
                            .terminated = t->terminated,
                            .truncated = t->truncated};
}

static void expect(const tape *t, rein_status status, const char *text)
{
    walk_config config = {.fault = SOUND};
    rein_status got = rein_check_trace(&walk, &config, &t->trace, NULL);
    if (got != status) fail_msg("%s: %s", rein_status_name(got), rein_error_message());
    if (status == REIN_OK) return;
    if (strstr(rein_error_message(), text) == NULL) fail_msg("'%s'", rein_error_message());
}

static void test_trace(void **state)
{
    (void)state;
    tape t;
    walk_config config = {.fault = SOUND};
    int64_t n = 0;
    tape_record(&t);
    assert_int_equal(rein_check_trace(&walk, &config, &t.trace, &n), REIN_OK);
    assert_int_equal(n, 5 + 10 + 4);
    t.trace.terminated = t.trace.truncated = NULL; /* may be left out */
    expect(&t, REIN_OK, "");
}

static void test_trace_differs(void **state)
{
    (void)state;
    tape t;
    tape_record(&t);
    t.x[2] = 2.75;
    expect(&t, REIN_EDIFFER, "ep0 step 2: x[0] is 2.5, recorded 2.75");
    tape_record(&t);
    t.reward[3] = nextafter(3.25, 4); /* its tolerance is 0 */
    expect(&t, REIN_EDIFFER, "ep0 step 4: reward[0] is 3.25, recorded 3.25");
    tape_record(&t);
    t.obs[3] = 1e-3;
    expect(&t, REIN_EDIFFER, "step 1: obs[1] is 0, recorded 0.001");
    t.obs[3] = 1e-7; /* within its tolerance */
    expect(&t, REIN_OK, "");
    t.obs[2] = NAN;
    expect(&t, REIN_EDIFFER, "step 1: obs[0] is 1.5, recorded nan");
    tape_record(&t);
    t.terminated[2] = 0;
    expect(&t, REIN_EDIFFER, "step 2: terminated is 1, recorded 0");
    tape_record(&t);
    t.truncated[1] = 1;
    expect(&t, REIN_EDIFFER, "step 1: truncated is 0 (time limit 20), recorded 1");
    tape_record(&t);
    t.truncated[2] = 1; /* it terminated: no matter */
    expect(&t, REIN_OK, "");
}

/* A state recorded in float32 is compared in float32. */
static void test_trace_single(void **state)
{
    (void)state;
    tape t;
    tape_record(&t);
    t.x[0] = 0.1;
    for (int i = 1; i <= STEPS; i++) t.x[i] = t.x[i - 1] + t.action[i - 1];
    for (int i = 0; i <= STEPS; i++) t.obs[2 * i] = (double)(float)t.x[i];
    for (int i = 0; i < STEPS; i++) t.reward[i] = (double)(float)t.x[i + 1];
    t.trace.terminated = NULL;
    t.trace.truncated = NULL;
    expect(&t, REIN_EDIFFER, "reward[0]");
    t.columns[2].single = true;
    expect(&t, REIN_OK, "");
}

/* init_x replaces x as the beginning. */
static void test_trace_init(void **state)
{
    (void)state;
    tape t;
    tape_record(&t);
    t.trace.n_columns = 4;
    t.init_x[0] = 0.5;
    expect(&t, REIN_OK, "");
    t.init_x[0] = 0.75;
    expect(&t, REIN_EDIFFER, "step 0: x[0] is 0.75, recorded 0.5");
    t.columns[3].size = 2;
    expect(&t, REIN_EFORMAT, "init_x");
}

static void test_trace_does_not_fit(void **state)
{
    (void)state;
    tape t;
    tape_record(&t);
    t.columns[0].name = "y";
    expect(&t, REIN_EFORMAT, "no 'x' recorded");
    tape_record(&t);
    t.columns[1].size = 3;
    expect(&t, REIN_EFORMAT, "obs is 5 rows of 3 numbers, the environment has 5 of 2");
    tape_record(&t);
    t.columns[0].n_rows = STEPS;
    expect(&t, REIN_EFORMAT, "x is 4 rows");
    tape_record(&t);
    t.trace.action_size = 2;
    expect(&t, REIN_EFORMAT, "actions of 2 numbers");
    rein_env_class dumb = walk;
    dumb.quantities = NULL;
    tape_record(&t);
    walk_config config = {.fault = SOUND};
    assert_int_equal(rein_check_trace(&dumb, &config, &t.trace, NULL), REIN_EUNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),         cmocka_unit_test(test_faults),
        cmocka_unit_test(test_registered),    cmocka_unit_test(test_trace),
        cmocka_unit_test(test_trace_differs), cmocka_unit_test(test_trace_single),
        cmocka_unit_test(test_trace_init),    cmocka_unit_test(test_trace_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
