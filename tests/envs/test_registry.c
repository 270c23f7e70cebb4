#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "envs/registry.h"
#include "tests/probe_envs.h"

static void test_find(void **state)
{
    (void)state;
    const rein_env_class *env = NULL;
    int n = 0;
    for (; rein_env_at(n) != NULL; n++) {
        assert_int_equal(rein_env_find(rein_env_at(n)->id, &env), REIN_OK);
        assert_ptr_equal(env, rein_env_at(n)); /* also: no id twice */
    }
    assert_true(n >= 18);
    assert_null(rein_env_at(-1));
    assert_null(rein_env_at(n + 1));
}

static void check_unknown(const char *id, const char *message)
{
    const rein_env_class *env = rein_env_at(0);
    assert_int_equal(rein_env_find(id, &env), REIN_ENOTFOUND);
    assert_null(env);
    assert_string_equal(rein_error_message(), message);
}

static void test_hints(void **state)
{
    (void)state;
    check_unknown("CartPole-v0", "unknown environment 'CartPole-v0', did you mean CartPole-v1?");
    check_unknown("cartpole", "unknown environment 'cartpole', did you mean CartPole-v1?");
    check_unknown("HalfCheeta", "unknown environment 'HalfCheeta', did you mean HalfCheetah-v4?");
    check_unknown("Qbert", "unknown environment 'Qbert'; `rein envs` lists all");
    check_unknown("", "unknown environment ''; `rein envs` lists all");
    check_unknown("a name so long that it does not fit into any buffer that was made for names of "
                  "environments",
                  "unknown environment 'a name so long that it does not fit into any buffer that "
                  "was made for names of environments'; `rein envs` lists all");
}

/* Every class is complete and its own defaults give an environment. */
static void test_classes(void **state)
{
    (void)state;
    for (int i = 0; rein_env_at(i) != NULL; i++) {
        const rein_env_class *env = rein_env_at(i);
        rein_env_spec spec;
        void *config = calloc(1, env->config_size + 1);
        assert_non_null(config);
        if (rein_env_defaults(env, config) != REIN_OK) fail_msg("%s", rein_error_message());
        if (env->spec(config, &spec) != REIN_OK) fail_msg("%s", rein_error_message());
        assert_true(env->summary != NULL && env->cite != NULL);
        assert_true(env->init != NULL && env->reset != NULL && env->step != NULL);
        assert_true((env->save == NULL) == (env->load == NULL));
        assert_true(spec.n_agents >= 1 && spec.state_size > 0 && spec.observation.size > 0);
        assert_true(spec.max_episode_steps > 0);
        free(config);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    probe_config config, again;
    memset(&config, 0x5a, sizeof config);
    memset(&again, 0xa5, sizeof again);
    const rein_env_class *env = &probe_envs[PROBE_BOTH][PROBE_CONTINUOUS];
    assert_int_equal(rein_env_defaults(env, &config), REIN_OK);
    assert_int_equal(rein_env_defaults(env, &again), REIN_OK);
    assert_int_equal(config.kind, PROBE_BOTH);
    assert_true(config.continuous);
    assert_int_equal(config.after, 5);
    assert_memory_equal(&config, &again, sizeof config); /* padding, too */
}

static void check_preset(const char *preset, const char *message)
{
    rein_env_class env = probe_nan;
    probe_config config;
    env.preset = preset;
    assert_int_equal(rein_env_defaults(&env, &config), REIN_ECONFIG);
    if (strncmp(rein_error_message(), message, strlen(message)) != 0) {
        fail_msg("'%s' does not begin with '%s'", rein_error_message(), message);
    }
}

static void test_bad_preset(void **state)
{
    (void)state;
    check_preset("kind=nan colour=red", "preset of ProbeNaN: no field 'colour'");
    check_preset("kind", "preset of ProbeNaN: 'kind' is not key=value");
    check_preset("after=0", "preset of ProbeNaN: after: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),       cmocka_unit_test(test_hints),
        cmocka_unit_test(test_classes),    cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_bad_preset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
