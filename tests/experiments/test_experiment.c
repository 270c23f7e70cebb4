#include "experiments/experiment.h"

#include "experiments/command.h"
#include "tests/replay/temporary.h"

static const char whole[] = "env:  {id: CartPole-v1, n_envs: 6}\n"
                            "algo: {id: ppo, n_steps: 64, lr: 1e-3}\n"
                            "net:  {hidden: [32, 16], activation: relu}\n"
                            "run:  {total_timesteps: 20000, seed: 3, out: \"my \\\"runs\\\"\"}\n"
                            "log:  {rollouts: episodes}\n";

/* Read `text`, then the overrides (until NULL). */
static rein_status parse(const char *text, const char *const *overrides, rein_experiment **out)
{
    rein_settings *settings;
    assert_ok(rein_settings_create(&settings));
    rein_status status = rein_settings_parse(settings, "test.yaml", text, strlen(text));
    for (; overrides && *overrides && status == REIN_OK; overrides++) {
        status = rein_settings_override(settings, *overrides);
    }
    if (status == REIN_OK) status = rein_experiment_create(settings, out);
    rein_settings_free(settings);
    return status;
}
#define READ(out, ...) parse(whole, (const char *const[]){__VA_ARGS__, NULL}, out)

static void test_sections(void **state)
{
    (void)state;
    rein_experiment *e;
    assert_ok(READ(&e, "run.seed=5"));
    assert_string_equal(e->env_class->id, "CartPole-v1");
    assert_string_equal(e->algo_class->id, "ppo");
    assert_int_equal(e->env.n_envs, 6);
    assert_int_equal(e->env.max_episode_steps, -1);
    assert_int_equal(e->net.hidden.n, 2);
    assert_int_equal(e->net.hidden.values[1], 16);
    assert_int_equal(e->net.activation, REIN_RELU);
    assert_int_equal(e->run.seed, 5); /* the command line is later */
    assert_string_equal(e->run.out, "my \"runs\"");
    assert_int_equal(e->log.rollouts, REIN_ROLLOUTS_EPISODES);
    assert_int_equal(e->spec.observation.size, 4);
    /* what was left open */
    assert_int_equal(e->run.threads, rein_command_cores());
    assert_int_equal(e->log.eval_every, 50000); /* ten times 10 episodes of 500 steps */
    rein_task task = rein_experiment_task(e, NULL);
    assert_ptr_equal(task.env, e->env_class);
    assert_int_equal(task.n_envs, 6);
    assert_int_equal(task.seed, 5);
    assert_int_equal(task.total_timesteps, 20000);
    rein_experiment_free(e);
    assert_ok(READ(&e, "run.total_timesteps=2000000"));
    assert_int_equal(e->log.eval_every, 100000);
    rein_experiment_free(e);
    assert_ok(READ(&e, "env.max_episode_steps=0", "run.threads=2", "log.eval_every=7"));
    assert_int_equal(e->log.eval_every, 7);
    assert_int_equal(e->run.threads, 2);
    rein_experiment_free(e);
    rein_experiment_free(NULL);
}

/* The dump reads back to the same, whatever the texts hold. */
static void test_dump(void **state)
{
    (void)state;
    rein_experiment *e, *again;
    char *text, *second;
    assert_ok(READ(&e, "run.threads=3", "algo.gamma=0.123456789012345678", "run.name=a: #b\\c"));
    assert_ok(rein_experiment_dump(e, &text));
    assert_non_null(strstr(text, "env:\n  id: 'CartPole-v1'\n"));
    assert_non_null(strstr(text, "  n_steps: 64\n"));
    assert_non_null(strstr(text, "  eval_every: 50000\n"));
    assert_ok(parse(text, NULL, &again));
    assert_ok(rein_experiment_dump(again, &second));
    assert_string_equal(text, second);
    assert_string_equal(again->run.name, "a: #b\\c");
    assert_memory_equal(e->algo_config, again->algo_config, e->algo_class->config_size);
    assert_memory_equal(&e->run, &again->run, sizeof e->run.total_timesteps);
    free(text);
    free(second);
    rein_experiment_free(e);
    rein_experiment_free(again);
}

static uint64_t hash_with(const char *override)
{
    rein_experiment *e;
    uint64_t hash;
    assert_ok(READ(&e, override));
    assert_ok(rein_experiment_hash(e, &hash));
    rein_experiment_free(e);
    return hash;
}

/* What may change during a run is not in the hash; all else is. */
static void test_hash(void **state)
{
    (void)state;
    uint64_t hash = hash_with("run.seed=3");
    const char *const same[] = {"run.threads=7",
                                "run.total_timesteps=5000",
                                "run.out=x",
                                "run.name=y",
                                "log.eval_every=7",
                                "log.eval_episodes=1",
                                "log.checkpoint_every_s=1"};
    const char *const other[] = {"run.seed=4",      "env.n_envs=7",           "algo.lr=2e-3",
                                 "net.hidden=[32]", "log.rollouts=all",       "env.id=Acrobot-v1",
                                 "net.init=xavier", "env.max_episode_steps=9"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_true(hash_with(same[i]) == hash);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        assert_true(hash_with(other[i]) != hash);
    }
}

static void test_errors(void **state)
{
    (void)state;
    rein_experiment *e;
    assert_fails(READ(&e, "env.id=CartPole-v9"), REIN_ENOTFOUND, "CartPole-v1");
    assert_fails(READ(&e, "algo.id=dqx"), REIN_ENOTFOUND, "dqn");
    assert_fails(READ(&e, "algo.id="), REIN_ECONFIG, "algo.id");
    assert_fails(READ(&e, "algo.nsteps=3"), REIN_ECONFIG, "algo.n_steps");
    assert_fails(READ(&e, "run.threads=0"), REIN_ECONFIG, "run.threads");
    assert_fails(READ(&e, "run.name=a/b"), REIN_ECONFIG, "run.name");
    assert_fails(READ(&e, "run.out="), REIN_ECONFIG, "run.out");
    assert_fails(parse("env: {id: Pendulum-v1}\nalgo: {id: dqn}\n", NULL, &e), REIN_EUNSUPPORTED,
                 "discrete");
}

static void test_section_fields(void **state)
{
    (void)state;
    int n = 0;
    const rein_field *fields = rein_section_fields("run", &n);
    assert_non_null(rein_fields_find(fields, n, "seed"));
    assert_null(rein_section_fields("runs", &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sections),       cmocka_unit_test(test_dump),
        cmocka_unit_test(test_hash),           cmocka_unit_test(test_errors),
        cmocka_unit_test(test_section_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
