#include "experiments/metrics.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/alloc_count.h"
#include "tests/folder.h"

static char path[192];

static int setup(void **state)
{
    folder_setup(state);
    snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    return 0;
}

static rein_status row(rein_metrics *m, int64_t step, double value)
{
    rein_metrics_begin(m, step);
    rein_metrics_integer(m, "episodes", 7);
    rein_metrics_real(m, "episode_return_mean", value);
    rein_metrics_exact(m, "episode_return_sum", 0.1 + 0.2);
    return rein_metrics_end(m, 1.5, 1234.4);
}

static char *text(void)
{
    size_t size;
    char *data = temporary_bytes(folder, "metrics.jsonl", &size);
    assert_non_null(data);
    data[size] = '\0';
    return data;
}

static void test_rows(void **state)
{
    (void)state;
    rein_metrics *m;
    assert_ok(rein_metrics_open(path, 0, &m));
    assert_ok(row(m, 512, 0.25));
    assert_ok(row(m, 1024, (double)NAN));
    char *all = text();
    assert_string_equal(
        all, "{\"step\": 512, \"episodes\": 7, \"episode_return_mean\": 0.25, "
             "\"episode_return_sum\": 0.30000000000000004, \"time_s\": 1.500, \"sps\": 1234}\n"
             "{\"step\": 1024, \"episodes\": 7, \"episode_return_mean\": null, "
             "\"episode_return_sum\": 0.30000000000000004, \"time_s\": 1.500, \"sps\": 1234}\n");
    assert_int_equal(rein_metrics_length(m), strlen(all));
    assert_ok(rein_metrics_sync(m));
    rein_metrics_free(m);
    rein_metrics_free(NULL);
    json_t *first = json_loadb(all, strcspn(all, "\n"), 0, NULL);
    assert_true(json_real_value(json_object_get(first, "episode_return_sum")) == 0.1 + 0.2);
    json_decref(first);
    free(all);
}

static void test_no_allocation(void **state)
{
    (void)state;
    if (!alloc_count_works()) skip();
    rein_metrics *m;
    assert_ok(rein_metrics_open(path, 0, &m));
    assert_ok(row(m, 1, 1));
    long before = alloc_count();
    for (int i = 2; i < 50; i++) assert_ok(row(m, i, 1.0 / i));
    assert_int_equal(alloc_count() - before, 0);
    rein_metrics_free(m);
}

/* Rows behind the checkpoint go; a file that lost rows is refused and stays as it is. */
static void test_cut(void **state)
{
    (void)state;
    rein_metrics *m;
    assert_ok(rein_metrics_open(path, 0, &m));
    assert_ok(row(m, 1, 1));
    int64_t length = rein_metrics_length(m);
    assert_ok(row(m, 2, 2));
    int64_t whole = rein_metrics_length(m);
    rein_metrics_free(m);
    assert_fails(rein_metrics_open(path, whole + 1, &m), REIN_EFORMAT, "shortened or replaced");
    assert_ok(rein_metrics_open(path, length, &m));
    assert_ok(row(m, 3, 3));
    rein_metrics_free(m);
    char *all = text();
    assert_int_equal(strncmp(all + length, "{\"step\": 3", 10), 0);
    assert_null(strstr(all, "\"step\": 2"));
    free(all);
}

static void test_bad_rows(void **state)
{
    (void)state;
    rein_metrics *m;
    assert_ok(rein_metrics_open(path, 0, &m));
    rein_metrics_begin(m, 1);
    rein_metrics_real(m, "a\"b", 1);
    assert_fails(rein_metrics_end(m, 0, 0), REIN_EINVAL, "quotes");
    rein_metrics_begin(m, 1);
    for (int i = 0; i < 2000; i++) rein_metrics_real(m, "quite_a_long_name", 1);
    assert_fails(rein_metrics_end(m, 0, 0), REIN_EINVAL, "over");
    assert_int_equal(rein_metrics_length(m), 0);
    assert_ok(row(m, 1, 1)); /* and the next row is fine */
    rein_metrics_free(m);
    assert_fails(rein_metrics_open("/proc/rein/metrics.jsonl", 0, &m), REIN_EIO, "/proc/rein");
}

/* No room: the error says so and half a row does not stay. */
static void test_full_disk(void **state)
{
    (void)state;
    rein_metrics *m;
    struct rlimit old, limit;
    signal(SIGXFSZ, SIG_IGN);
    assert_ok(rein_metrics_open(path, 0, &m));
    assert_ok(row(m, 1, 1));
    int64_t length = rein_metrics_length(m);
    getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = (rlim_t)length + 20;
    setrlimit(RLIMIT_FSIZE, &limit);
    rein_status status = row(m, 2, 2);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(status, REIN_EIO);
    assert_non_null(strstr(rein_error_message(), "metrics.jsonl"));
    assert_int_equal(rein_metrics_length(m), length);
    char *all = text();
    assert_int_equal(strlen(all), length);
    free(all);
    assert_ok(row(m, 2, 2));
    rein_metrics_free(m);
}

static void test_curve(void **state)
{
    (void)state;
    rein_metrics *m;
    double curve[4];
    int64_t step;
    assert_ok(rein_metrics_open(path, 0, &m));
    assert_ok(row(m, 10, (double)NAN));
    assert_ok(row(m, 30, 1));
    assert_ok(row(m, 40, 3));
    assert_ok(row(m, 80, 5));
    rein_metrics_begin(m, 80); /* an evaluation row has no training return */
    rein_metrics_real(m, "eval_return_mean", 100);
    assert_ok(rein_metrics_end(m, 0, 0));
    rein_metrics_free(m);
    assert_ok(rein_metrics_curve(path, 4, curve, &step));
    assert_int_equal(step, 80);
    assert_true(isnan(curve[0])); /* up to 20: nothing known */
    assert_true(curve[1] == 2);   /* 30 and 40 */
    assert_true(curve[2] == 2);   /* nothing new up to 60 */
    assert_true(curve[3] == 5);
    temporary_write(folder, "metrics.jsonl", "{\"step\": 1}\n{\"ste", 17);
    assert_fails(rein_metrics_curve(path, 4, curve, NULL), REIN_EFORMAT, "metrics.jsonl:2");
    temporary_write(folder, "metrics.jsonl", "", 0);
    assert_ok(rein_metrics_curve(path, 4, curve, NULL));
    assert_true(isnan(curve[3]));
    remove(path);
    assert_fails(rein_metrics_curve(path, 4, curve, NULL), REIN_ENOTFOUND, "metrics.jsonl");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_rows),     TEST(test_no_allocation), TEST(test_cut),
        TEST(test_bad_rows), TEST(test_full_disk),     TEST(test_curve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
