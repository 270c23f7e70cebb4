/* rein train: what it prints and what it leaves. */
#include <jansson.h>

#include "tests/experiments/program.h"
#include "tests/folder.h"

static int setup(void **state)
{
    folder_setup(state);
    program_write_configs(folder);
    return 0;
}

static void test_files(void **state)
{
    (void)state;
    char end[17], path[256];
    char *out = program_ok(folder, "train ppo.yaml run.name=a run.total_timesteps=4000");
    const char *const said[] = {"ppo learns CartPole-v1",
                                "seed 3",
                                "runs/a/",
                                "steps/s",
                                "rein eval runs/a",
                                "rein resume runs/a run.total_timesteps=8000",
                                "rein train",
                                "100.0 %",
                                "█"};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        if (!strstr(out, said[i])) fail_msg("no \"%s\" in: %s", said[i], out);
    }
    assert_null(strchr(out, '\r')); /* not a terminal: plain lines */
    const char *const files[] = {"config.yaml", "run.json",     "metrics.jsonl", "checkpoint.h5",
                                 "policy.rein", "summary.json", "rollouts.h5"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/runs/a/%s", folder, files[i]);
        if (access(path, F_OK) != 0) fail_msg("no %s", path);
    }
    assert_true(temporary_count(folder, "runs/a/rollouts") > 0);

    snprintf(path, sizeof path, "%s/runs/a/summary.json", folder);
    json_t *summary = json_load_file(path, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(summary, "fingerprint")),
                        program_fingerprint(out, end));
    assert_true(json_integer_value(json_object_get(summary, "steps")) >= 4000);
    assert_true(json_number_value(json_object_get(summary, "episode_return_mean")) > 5);
    assert_true(json_number_value(json_object_get(summary, "eval_return_mean")) > 5);
    assert_true(json_integer_value(json_object_get(summary, "peak_memory_kb")) > 0);
    json_decref(summary);
    free(out);
}

/* config.yaml of a run makes the same run again. */
static void test_config_again(void **state)
{
    (void)state;
    char *a = program_ok(folder, "train dqn.yaml run.name=a run.total_timesteps=3000 "
                                 "algo.learning_starts=500 run.seed=11");
    char *b = program_ok(folder, "train runs/a/config.yaml run.name=b");
    program_assert_same_end(a, b);
    program_assert_same_run(folder, "runs/a", "runs/b");
    free(a);
    free(b);
}

/* Recording takes nothing away from learning, and less of it leaves less. */
static void test_rollouts(void **state)
{
    (void)state;
    char *all = program_ok(folder, "train ppo.yaml run.name=all run.total_timesteps=3000");
    char *episodes = program_ok(
        folder, "train ppo.yaml run.name=episodes run.total_timesteps=3000 log.rollouts=episodes");
    char *none = program_ok(
        folder, "train ppo.yaml run.name=none run.total_timesteps=3000 log.rollouts=none");
    program_assert_same_end(all, episodes);
    program_assert_same_end(all, none);
    assert_true(temporary_count(folder, "runs/episodes/rollouts") > 0);
    assert_int_equal(temporary_count(folder, "runs/none/rollouts"), -1);
    free(all);
    free(episodes);
    free(none);
}

/* A reader that goes away (`rein train | head -1`) ends nothing. */
static void test_closed_pipe(void **state)
{
    (void)state;
    char line[1024], path[256];
    snprintf(line, sizeof line, "%s train ppo.yaml run.name=a run.total_timesteps=4000 | head -n 1",
             REIN_PROGRAM);
    const char *words[] = {"/bin/sh", "-c", line, NULL};
    process_result r = process_run(words, &(process_options){.folder = folder});
    assert_int_equal(process_lines(r.out), 1);
    assert_string_equal(r.err, "");
    process_free(&r);
    snprintf(path, sizeof path, "%s/runs/a/summary.json", folder);
    for (int i = 0; i < 100 && access(path, F_OK) != 0; i++) usleep(100000);
    assert_int_equal(access(path, F_OK), 0);
}

/* Done-when 8: CartPole runs stay small. */
static void test_memory(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip();
#endif
    const char *const lines[] = {"train ppo.yaml run.name=p", "train dqn.yaml run.name=d"};
    for (int i = 0; i < 2; i++) {
        char path[256];
        free(program_ok(folder, lines[i]));
        snprintf(path, sizeof path, "%s/runs/%s/summary.json", folder, i ? "d" : "p");
        json_t *summary = json_load_file(path, 0, NULL);
        json_int_t kb = json_integer_value(json_object_get(summary, "peak_memory_kb"));
        print_message("%s: %.1f MB\n", lines[i], (double)kb / 1024);
        assert_in_range(kb, 1000, 60 * 1024);
        json_decref(summary);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_files),       TEST(test_config_again), TEST(test_rollouts),
        TEST(test_closed_pipe), TEST(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
