/* rein envs, algos, config: everything there is has a description. */
#include "algos/task.h"
#include "envs/registry.h"
#include "tests/experiments/program.h"

static void test_envs(void **state)
{
    (void)state;
    char *all = program_ok(NULL, "envs");
    int n = 0;
    for (const rein_env_class *env; (env = rein_env_at(n)) != NULL; n++) {
        char line[128];
        assert_non_null(strstr(all, env->id));
        snprintf(line, sizeof line, "envs %s", env->id);
        char *one = program_ok(NULL, line);
        assert_non_null(strstr(one, env->summary));
        assert_non_null(strstr(one, env->cite));
        assert_non_null(strstr(one, "observation  "));
        assert_non_null(strstr(one, "action       "));
        for (int i = 0; i < env->n_fields; i++) assert_non_null(strstr(one, env->fields[i].name));
        free(one);
    }
    assert_int_equal(process_lines(all), n);
    free(all);
    char *pole = program_ok(NULL, "envs CartPole-v1");
    assert_non_null(strstr(pole, "f32 [4]"));
    assert_non_null(strstr(pole, "discrete, 2"));
    assert_non_null(strstr(pole, "500 steps"));
    free(pole);
}

static void test_algos(void **state)
{
    (void)state;
    char *all = program_ok(NULL, "algos");
    int n = 0;
    for (const rein_algo *algo; (algo = rein_algo_at(n)) != NULL; n++) {
        char line[128];
        assert_non_null(strstr(all, algo->id));
        snprintf(line, sizeof line, "algos %s", algo->id);
        char *one = program_ok(NULL, line);
        assert_non_null(strstr(one, algo->cite));
        for (int i = 0; i < algo->n_fields; i++) assert_non_null(strstr(one, algo->fields[i].doc));
        free(one);
    }
    assert_int_equal(process_lines(all), n);
    free(all);
}

static void test_config(void **state)
{
    (void)state;
    char *all = program_ok(NULL, "config"), *markdown = program_ok(NULL, "config --markdown");
    const char *const keys[] = {
        "env.n_envs",          "algo.n_steps",           "net.hidden",
        "run.total_timesteps", "log.checkpoint_every_s", "algo.buffer_size"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char cell[64];
        assert_non_null(strstr(all, keys[i]));
        snprintf(cell, sizeof cell, "| `%s` |", keys[i]);
        assert_non_null(strstr(markdown, cell));
    }
    /* every row of a table has the same five columns */
    for (char *line = strtok(markdown, "\n"); line; line = strtok(NULL, "\n")) {
        if (line[0] != '|') continue;
        int bars = 0;
        for (const char *c = line; *c; c++) bars += *c == '|' && (c == line || c[-1] != '\\');
        if (bars != 6) fail_msg("%s", line);
    }
    free(all);
    free(markdown);
    const char *const names[] = {"ppo", "dqn", "env", "algo", "net", "run", "log", "Hopper-v4"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char line[64];
        snprintf(line, sizeof line, "config %s", names[i]);
        char *one = program_ok(NULL, line);
        assert_int_equal(strncmp(one, names[i], strlen(names[i])), 0);
        free(one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envs),
        cmocka_unit_test(test_algos),
        cmocka_unit_test(test_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
