/* rein check: environments, traces, run folders. */
#include "envs/registry.h"
#include "tests/experiments/program.h"

static void test_every_env(void **state)
{
    (void)state;
    for (int i = 0; rein_env_at(i); i++) {
        char line[128];
        snprintf(line, sizeof line, "check %s --steps 200", rein_env_at(i)->id);
        char *out = program_ok(NULL, line);
        assert_true(process_lines(out) > 3);
        assert_null(strstr(out, "FAIL"));
        free(out);
    }
}

static void test_settings(void **state)
{
    (void)state;
    char *out = program_ok(NULL, "check MiniGrid-Empty-5x5-v0 --steps 100 env.size=7 --seed 3");
    free(out);
    process_result r = program(NULL, "check CartPole-v1 env.sise=7");
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, "env.sise"));
    process_free(&r);
    r = program(NULL, "check CartPole-v7");
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, "CartPole-v1"));
    process_free(&r);
}

/* The recorded truth; and one number of it changed. */
static void test_trace(void **state)
{
    (void)state;
    char line[512], folder[128];
    const char *traces = REIN_SOURCE_DIR "/tests/golden";
    snprintf(line, sizeof line, "check CartPole-v1 --trace %s/classic.h5", traces);
    char *out = program_ok(NULL, line);
    assert_non_null(strstr(out, "ok    trace"));
    free(out);
    snprintf(line, sizeof line, "check HalfCheetah-v4 --trace %s/classic.h5", traces);
    process_result r = program(NULL, line);
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, "HalfCheetah-v4"));
    process_free(&r);
    /* a heavier pole is another trace */
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    snprintf(line, sizeof line, "check Pendulum-v1 env.g=9.0 --trace %s/classic.h5", traces);
    r = program(folder, line);
    assert_int_equal(r.code, 1);
    assert_non_null(strstr(r.out, "FAIL  trace"));
    assert_int_equal(process_lines(r.err), 1);
    assert_non_null(strstr(r.err, "step"));
    process_free(&r);
    temporary_remove(folder);
}

static void test_run(void **state)
{
    (void)state;
    char folder[128];
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    program_write_configs(folder);
    free(program_ok(folder, "train ppo.yaml run.name=a run.total_timesteps=3000"));
    char *out = program_ok(folder, "check runs/a");
    assert_int_equal(process_lines(out), 4);
    assert_non_null(strstr(out, "ok    checkpoint.h5"));
    assert_non_null(strstr(out, "ok    policy.rein"));
    assert_non_null(strstr(out, "ok    metrics.jsonl"));
    assert_non_null(strstr(out, "ok    rollouts"));
    free(out);
    process_result r = program(folder, "check runs");
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, "not a run"));
    process_free(&r);
    temporary_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_env),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
