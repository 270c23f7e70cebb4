/* rein eval: of a run, of a policy file alone, as JSON. */
#include <jansson.h>
#include <math.h>

#include "tests/experiments/program.h"
#include "tests/folder.h"

static int setup(void **state)
{
    folder_setup(state);
    program_write_configs(folder);
    free(program_ok(folder, "train ppo.yaml run.name=a env.max_episode_steps=50"));
    return 0;
}

static json_t *eval(const char *line)
{
    char *out = program_ok(folder, line);
    json_t *root = json_loads(out, 0, NULL);
    if (!root) fail_msg("not JSON: %s", out);
    free(out);
    return root;
}

static double number(const json_t *root, const char *key)
{
    const json_t *value = json_object_get(root, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void test_json(void **state)
{
    (void)state;
    json_t *root = eval("eval runs/a --json --episodes 12 --seed 7");
    json_t *again = eval("eval runs/a --json --episodes 12 --seed 7 --threads 3");
    json_t *other = eval("eval runs/a --json --episodes 12 --seed 7 --stochastic");
    assert_true(json_equal(root, again));
    assert_false(json_equal(root, other));
    const json_t *returns = json_object_get(root, "returns");
    assert_int_equal(json_array_size(returns), 12);
    double sum = 0, most = 0;
    for (size_t i = 0; i < 12; i++) {
        double r = json_number_value(json_array_get(returns, i));
        sum += r;
        most = fmax(most, r);
    }
    assert_true(fabs(number(root, "return_mean") - sum / 12) < 1e-9);
    assert_true(number(root, "return_max") == most);
    assert_true(most <= 50); /* the run's own time limit */
    const json_t *interval = json_object_get(root, "return_interval_95");
    assert_true(json_number_value(json_array_get(interval, 0)) <= sum / 12);
    assert_true(json_number_value(json_array_get(interval, 1)) >= sum / 12);
    json_decref(root);
    json_decref(again);
    json_decref(other);
}

/* policy.rein needs nothing beside it; the command line can change the environment. */
static void test_policy_alone(void **state)
{
    (void)state;
    size_t size;
    char *data = temporary_bytes(folder, "runs/a/policy.rein", &size);
    temporary_write(folder, "alone.rein", data, size);
    free(data);
    json_t *run = eval("eval runs/a --json env.max_episode_steps=-1");
    json_t *alone = eval("eval alone.rein --json");
    assert_true(json_equal(run, alone));
    json_decref(run);
    json_decref(alone);
    json_t *cut = eval("eval alone.rein --json env.max_episode_steps=5");
    assert_true(number(cut, "length_mean") == 5);
    json_decref(cut);
}

static void test_text(void **state)
{
    (void)state;
    char *out = program_ok(folder, "eval runs/a");
    assert_non_null(strstr(out, "ppo on CartPole-v1"));
    assert_non_null(strstr(out, "95 % interval"));
    assert_non_null(strstr(out, "20 episodes"));
    free(out);
}

static void test_errors(void **state)
{
    (void)state;
    process_result r = program(folder, "eval runs/a env.id=Acrobot-v1"); /* other spaces */
    assert_int_equal(r.code, 2);
    assert_int_equal(process_lines(r.err), 1);
    process_free(&r);
    r = program(folder, "eval runs/a env.lenght=1");
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, "env.lenght"));
    process_free(&r);
    r = program(folder, "eval runs/a run.seed=1");
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, "only env.key=value"));
    process_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_policy_alone),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, setup, folder_teardown);
}
