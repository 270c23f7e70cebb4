#include "experiments/run_folder.h"

#include <jansson.h>
#include <math.h>

#include "base/file.h"
#include "tests/experiments/sample.h"
#include "tests/folder.h"

static bool exists(const rein_run_folder *run, const char *name)
{
    char path[REIN_PATH_SIZE + 64];
    rein_run_folder_path(run, name, path, sizeof path);
    return access(path, F_OK) == 0;
}

static void test_names(void **state)
{
    (void)state;
    rein_experiment *e = sample_experiment(folder, NULL);
    rein_run_folder a, b, c;
    assert_ok(rein_run_folder_create(e, &a));
    assert_string_equal(strrchr(a.path, '/'), "/ppo-CartPole-v1-s5");
    assert_ok(rein_run_folder_create(e, &b));
    assert_string_equal(strrchr(b.path, '/'), "/ppo-CartPole-v1-s5-2");
    snprintf(e->run.name, sizeof e->run.name, "mine");
    assert_ok(rein_run_folder_create(e, &c));
    assert_string_equal(strrchr(c.path, '/'), "/mine");
    rein_run_folder_close(&c);
    assert_fails(rein_run_folder_create(e, &c), REIN_ECONFIG, "/mine exists already");
    rein_run_folder_close(&a);
    rein_run_folder_close(&a);
    rein_run_folder_remove(&b);
    assert_int_equal(temporary_count(folder, "."), 2);
    rein_experiment_free(e);
}

static void test_lock(void **state)
{
    (void)state;
    rein_experiment *e = sample_experiment(folder, "run.name=mine");
    rein_run_folder a, b;
    char path[256];
    snprintf(path, sizeof path, "%s/mine/", folder);
    assert_fails(rein_run_folder_open(path, &a), REIN_ENOTFOUND, "no such run");
    assert_ok(rein_run_folder_create(e, &a));
    assert_fails(rein_run_folder_open(path, &b), REIN_EIO, "in use by another rein");
    rein_run_folder_close(&a);
    assert_fails(rein_run_folder_open(path, &b), REIN_ENOTFOUND, "no config.yaml");
    assert_ok(rein_run_folder_write_config(&a, e));
    assert_ok(rein_run_folder_open(path, &b));
    assert_string_equal(strrchr(b.path, '/'), "/mine"); /* the slash at the end is gone */
    rein_run_folder_close(&b);
    rein_experiment_free(e);
}

static void test_clear(void **state)
{
    (void)state;
    rein_run_folder run;
    rein_experiment *e = sample_run(folder, NULL, &run);
    char path[REIN_PATH_SIZE + 64];
    assert_ok(rein_run_folder_write_config(&run, e));
    assert_ok(rein_run_folder_write_session(&run, e, 0, NULL));
    rein_run_folder_path(&run, "rollouts", path, sizeof path);
    assert_ok(rein_folder_create(path));
    temporary_write(run.path, "rollouts/000001.h5", "x", 1);
    temporary_write(run.path, "metrics.jsonl", "x", 1);
    assert_ok(rein_run_folder_clear(&run));
    assert_false(exists(&run, "rollouts"));
    assert_false(exists(&run, "metrics.jsonl"));
    assert_true(exists(&run, "config.yaml"));
    assert_true(exists(&run, "run.json"));
    assert_ok(rein_run_folder_clear(&run));
    sample_run_free(e, &run);
}

/* run.json gets one entry per session, and survives being damaged. */
static void test_sessions(void **state)
{
    (void)state;
    rein_run_folder run;
    rein_experiment *e = sample_run(folder, NULL, &run);
    char *words[] = {"train", "a \"b\" \xff", NULL}, path[REIN_PATH_SIZE + 64];
    rein_run_folder_path(&run, "run.json", path, sizeof path);
    for (int i = 1; i <= 3; i++) {
        if (i == 3) temporary_write(run.path, "run.json", "{", 1);
        assert_ok(rein_run_folder_write_session(&run, e, 2, words));
        json_t *root = json_load_file(path, 0, NULL);
        assert_non_null(root);
        assert_int_equal(json_integer_value(json_object_get(root, "seed")), 5);
        json_t *sessions = json_object_get(root, "sessions");
        assert_int_equal(json_array_size(sessions), i == 3 ? 1 : i);
        json_t *session = json_array_get(sessions, 0);
        const char *const keys[] = {"time",      "command", "rein",    "compiler",       "kernels",
                                    "libraries", "cpu",     "threads", "total_timesteps"};
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
            assert_non_null(json_object_get(session, keys[k]));
        }
        json_decref(root);
    }
    sample_run_free(e, &run);
}

static void test_summary(void **state)
{
    (void)state;
    rein_run_folder run;
    rein_experiment *e = sample_run(folder, NULL, &run);
    const rein_run_summary in = {
        .steps = 1000,
        .episodes = 40,
        .broken = 1,
        .wall_time_s = 2.5,
        .sps = 400.25,
        .return_mean = 21.5,
        .length_mean = (double)NAN,
        .eval_episodes = 2,
        .eval_return_mean = 33,
        .eval_return_std = 1.5,
        .fingerprint = 0x0123456789abcdefu,
        .peak_memory_kb = 30000,
    };
    rein_run_summary out;
    assert_fails(rein_run_folder_read_summary(&run, &out), REIN_ENOTFOUND, "summary.json");
    assert_ok(rein_run_folder_write_summary(&run, &in));
    assert_ok(rein_run_folder_read_summary(&run, &out));
    assert_true(isnan(out.length_mean));
    out.length_mean = in.length_mean;
    assert_memory_equal(&in, &out, sizeof in);
    temporary_write(run.path, "summary.json", "{\"steps\": 3}", 12);
    assert_fails(rein_run_folder_read_summary(&run, &out), REIN_EFORMAT, "summary.json");
    sample_run_free(e, &run);
}

static void test_unwritable(void **state)
{
    (void)state;
    rein_run_folder run;
    temporary_write(folder, "file", "x", 1);
    char out[256];
    snprintf(out, sizeof out, "%s/file", folder);
    rein_experiment *e = sample_experiment(out, NULL);
    assert_fails(rein_run_folder_create(e, &run), REIN_EIO, "choose another run.out");
    rein_experiment_free(e);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_names),    TEST(test_lock),    TEST(test_clear),
        TEST(test_sessions), TEST(test_summary), TEST(test_unwritable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
