/* The program itself: help, version, and that it starts at once. */
#include <sys/resource.h>

#include "tests/experiments/program.h"

static void test_version(void **state)
{
    (void)state;
    char *out = program_ok(NULL, "--version");
    assert_int_equal(strncmp(out, "rein " REIN_VERSION "\n", sizeof REIN_VERSION + 5), 0);
    assert_non_null(strstr(out, "\nMuJoCo "));
    assert_non_null(strstr(out, "\nkernels "));
    free(out);
}

static double children_cpu_s(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* Nothing heavy is loaded: the best of some tries takes less than 10 ms of processor time, whatever
 * else the machine is doing (sanitizers are slower). */
static void test_starts_at_once(void **state)
{
    (void)state;
    double best_s = 1;
    for (int i = 0; i < 20; i++) {
        double before_s = children_cpu_s();
        free(program_ok(NULL, "--version"));
        double took_s = children_cpu_s() - before_s;
        if (took_s < best_s) best_s = took_s;
    }
    print_message("rein --version: %.1f ms\n", best_s * 1000);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    assert_true(best_s < 1);
#else
    assert_true(best_s > 0 && best_s < 0.010);
#endif
}

static void test_help(void **state)
{
    (void)state;
    const char *const commands[] = {"train", "resume", "eval",  "envs",
                                    "algos", "config", "check", "bench"};
    char *all = program_ok(NULL, "--help");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char line[64];
        assert_non_null(strstr(all, commands[i]));
        snprintf(line, sizeof line, "%s --help", commands[i]);
        char *help = program_ok(NULL, line);
        snprintf(line, sizeof line, "usage: rein %s", commands[i]);
        assert_int_equal(strncmp(help, line, strlen(line)), 0);
        free(help);
    }
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_starts_at_once),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
