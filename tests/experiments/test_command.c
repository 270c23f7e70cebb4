#include "experiments/command.h"

#include <stdbool.h>

#include "base/file.h"
#include "tests/replay/temporary.h"

static void test_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(rein_command_exit(REIN_OK), 0);
    assert_int_equal(rein_command_exit(REIN_EIO), 1);
    assert_int_equal(rein_command_exit(REIN_EFORMAT), 1);
    assert_int_equal(rein_command_exit(REIN_ENAN), 1);
    assert_int_equal(rein_command_exit(REIN_EDIFFER), 1);
    assert_int_equal(rein_command_exit(REIN_ECONFIG), 2);
    assert_int_equal(rein_command_exit(REIN_ENOTFOUND), 2);
    assert_int_equal(rein_command_exit(REIN_EUNSUPPORTED), 2);
    assert_int_equal(rein_command_exit(REIN_EINTERRUPTED), 130);
}

static void test_integer(void **state)
{
    (void)state;
    int64_t value = -1;
    assert_ok(rein_command_integer("--n", "12", 1, 20, &value));
    assert_int_equal(value, 12);
    assert_fails(rein_command_integer("--n", "21", 1, 20, &value), REIN_ECONFIG,
                 "--n: 21 is outside [1, 20]");
    assert_fails(rein_command_integer("--n", "1x", 1, 20, &value), REIN_ECONFIG, "whole number");
    assert_fails(rein_command_integer("--n", "", 1, 20, &value), REIN_ECONFIG, "whole number");
    assert_fails(rein_command_integer("--n", "99999999999999999999", 1, 20, &value), REIN_ECONFIG,
                 "outside");
    assert_int_equal(value, 12);
}

static void test_option(void **state)
{
    (void)state;
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'}, {"count", required_argument, NULL, 'c'}, {0}};
    char *argv[] = {"eval", "first", "--count", "3", "-h", "second", NULL};
    optind = 0;
    assert_int_equal(rein_command_option(6, argv, options), 'c');
    assert_string_equal(optarg, "3");
    assert_int_equal(rein_command_option(6, argv, options), 'h');
    assert_int_equal(rein_command_option(6, argv, options), -1);
    assert_string_equal(argv[optind], "first");
    assert_string_equal(argv[optind + 1], "second");
}

static void put(const char *folder, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    *strrchr(path, '/') = '\0';
    assert_ok(rein_folder_create(path));
    temporary_write(folder, name, "x", 1);
}

static void collect(const char *name, void *context)
{
    strcat(context, name);
    strcat(context, " ");
}

static void test_find_config(void **state)
{
    (void)state;
    char folder[128], path[512], here[512], all[65536] = "";
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    assert_non_null(getcwd(here, sizeof here));
    put(folder, "mine/ppo/robot.yaml");
    put(folder, "mine/dqn/maze.yaml");
    put(folder, "mine/dqn/notes.txt");
    put(folder, "configs/ppo/robot.yaml");
    put(folder, "configs/ppo/other.yaml");
    put(folder, "file.yaml");
    assert_int_equal(chdir(folder), 0);
    setenv("REIN_CONFIGS", "mine", 1);
    assert_ok(rein_command_find_config("file.yaml", path, sizeof path));
    assert_string_equal(path, "file.yaml");
    assert_ok(rein_command_find_config("ppo/robot", path, sizeof path)); /* one's own goes first */
    assert_string_equal(path, "mine/ppo/robot.yaml");
    assert_ok(rein_command_find_config("ppo/other", path, sizeof path));
    assert_string_equal(path, "configs/ppo/other.yaml");
    assert_fails(rein_command_find_config("dqn/mace", path, sizeof path), REIN_ENOTFOUND,
                 "did you mean dqn/maze?");
    assert_fails(rein_command_find_config("maze", path, sizeof path), REIN_ENOTFOUND,
                 "did you mean dqn/maze?");
    assert_fails(rein_command_find_config("nothing-like-this-at-all", path, sizeof path),
                 REIN_ENOTFOUND, "no such config");
    assert_fails(rein_command_find_config("", path, sizeof path), REIN_ENOTFOUND, "config");
    rein_command_each_config(collect, all);
    assert_int_equal(strncmp(all, "dqn/maze ppo/robot ppo/other ", 29), 0);
    assert_int_equal(chdir(here), 0);
    temporary_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_integer),
        cmocka_unit_test(test_option),
        cmocka_unit_test(test_find_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
