/* The vector env: what it refuses, and envs that break or return NaN. */
#include "tests/envs/vec_set_up.h"

/* ---- broken and NaN ------------------------------------------------------------------------ */

static void check_broken(bool nan)
{
    rein_vec *vec = vec_new(
        &(set_up){.env = &probe_broken, .n_envs = 72, .after = 4, .broken_nan = nan, .limit = 4});
    for (int t = 1; t <= 12; t++) {
        vec_step_all(vec);
        for (int env = 0; env < 40; env++) {
            assert_int_equal(vec->broken[env], t % 4 == 0);
            assert_int_equal(vec->truncated[env], t % 4 == 0);
            assert_int_equal(vec->terminated[env], 0);
            assert_int_equal(vec->n_broken[env], t / 4);
            assert_true(((float *)vec->observation)[env] == (float)(t % 4));
            if (t % 4 == 0) {
                assert_true(((float *)vec->final_observation)[env] == (nan ? 0.0F : 4.0F));
                assert_true(vec->episode_return[env] == 4);
            }
        }
    }
    rein_vec_free(vec);
}

static void test_broken(void **state)
{
    (void)state;
    check_broken(false);
    check_broken(true);
}

static void test_nan_observation(void **state)
{
    (void)state;
    rein_team *team;
    assert_int_equal(rein_team_create(2, &team), REIN_OK);
    rein_vec *vec = vec_new(&(set_up){.env = &probe_nan, .n_envs = 70, .after = 5, .limit = -1});
    for (int t = 0; t < 4; t++) assert_int_equal(rein_vec_step(vec, team), REIN_OK);
    assert_int_equal(rein_vec_step(vec, team), REIN_ENAN);
    const char *message = rein_error_message();
    const char *expected =
        "ProbeNaN returned observation[0] = NaN (env 0, step 5 of its episode 1)";
    assert_string_equal(message, expected);
    rein_vec_free(vec);
    rein_team_free(team);
}

/* An env that terminates at the second step and then pays `evil`, is broken if `evil_breaks`;
 * a reset shows `evil_first`. */
static float evil = 1, evil_first = 0;
static bool evil_breaks;

static rein_status evil_spec(const void *config, rein_env_spec *out)
{
    (void)config;
    *out = (rein_env_spec){
        .observation = {.dtype = REIN_F32, .n_dims = 1, .shape = {3}, .size = 3},
        .action = {.kind = REIN_DISCRETE, .n = 2, .size = 1},
        .n_agents = 1,
        .state_size = 4,
    };
    return REIN_OK;
}

static rein_status evil_init(void *state, const void *config)
{
    (void)state;
    (void)config;
    return REIN_OK;
}

static void evil_begin(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)rng;
    *(int32_t *)state = 0;
    memset(io->observation, 0, 3 * sizeof(float));
    ((float *)io->observation)[2] = evil_first;
}

static void evil_step(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)rng;
    bool second = ++*(int32_t *)state == 2;
    *io->reward = second ? evil : 1;
    *io->terminated = second;
    *io->broken = second && evil_breaks;
}

static const rein_env_class evil_class = {
    .id = "Evil", .spec = evil_spec, .init = evil_init, .reset = evil_begin, .step = evil_step};

static void check_evil(float value, const char *message)
{
    rein_vec *vec = vec_new(&(set_up){.env = &evil_class, .n_envs = 66});
    vec_step_all(vec);
    evil = value;
    assert_int_equal(rein_vec_step_block(vec, 0), REIN_ENAN);
    evil = 1;
    assert_string_equal(rein_error_message(), message);
    rein_vec_free(vec);
}

static void test_nan_reward(void **state)
{
    (void)state;
    check_evil(NAN, "Evil returned reward[0] = NaN (env 0, step 2 of its episode 1)");
    check_evil(INFINITY, "Evil returned reward[0] = inf (env 0, step 2 of its episode 1)");
    check_evil(-INFINITY, "Evil returned reward[0] = -inf (env 0, step 2 of its episode 1)");
}

/* The first observation of an episode: at autoreset, at a reset by hand, at creation. */
static void test_nan_reset(void **state)
{
    (void)state;
    rein_vec *vec = vec_new(&(set_up){.env = &evil_class, .n_envs = 66}), *none = vec;
    assert_int_equal(rein_vec_step_block(vec, 0), REIN_OK);
    evil_first = NAN;
    assert_int_equal(rein_vec_step_block(vec, 0), REIN_ENAN);
    assert_string_equal(rein_error_message(),
                        "Evil returned observation[2] = NaN (env 0, at the start of episode 2)");
    assert_int_equal(rein_vec_reset(vec), REIN_ENAN);
    assert_string_equal(rein_error_message(),
                        "Evil returned observation[2] = NaN (env 0, at the start of episode 3)");
    assert_int_equal(vec_try(&(set_up){.env = &evil_class, .n_envs = 1}, &none), REIN_ENAN);
    assert_null(none);
    evil_first = 0;
    rein_vec_free(vec);
}

static void test_broken_and_terminated(void **state)
{
    (void)state;
    rein_vec *vec = vec_new(&(set_up){.env = &evil_class, .n_envs = 2});
    evil_breaks = true;
    for (int t = 1; t <= 4; t++) {
        assert_int_equal(rein_vec_step_block(vec, 0), REIN_OK);
        assert_int_equal(vec->terminated[1], 0);
        assert_int_equal(vec->truncated[1], t % 2 == 0);
        assert_int_equal(vec->broken[1], t % 2 == 0);
    }
    evil_breaks = false;
    rein_vec_free(vec);
}

/* ---- options ------------------------------------------------------------------------------- */

static void check_refused(const set_up *u, rein_status expected, const char *message)
{
    rein_vec *vec = (rein_vec *)(uintptr_t)1;
    assert_int_equal(vec_try(u, &vec), expected);
    assert_null(vec);
    if (strncmp(rein_error_message(), message, strlen(message)) != 0) {
        fail_msg("'%s' does not begin with '%s'", rein_error_message(), message);
    }
}

static void test_options(void **state)
{
    (void)state;
    const char *id = "CartPole-v1";
    check_refused(&(set_up){.id = id, .n_envs = 0}, REIN_EINVAL, "n_envs = 0 is outside");
    check_refused(&(set_up){.id = id, .n_envs = 1 << 25}, REIN_EINVAL, "n_envs = 33554432 is");
    check_refused(&(set_up){.id = id, .n_envs = 1, .block_size = -1}, REIN_EINVAL,
                  "block_size = -1 is negative");
    check_refused(&(set_up){.id = id, .n_envs = 1, .limit = -2}, REIN_EINVAL,
                  "max_episode_steps = -2");
    rein_vec_free(NULL);
}

/* An env whose fourth init fails. */
static int frail_alive;

static rein_status frail_init(void *state, const void *config)
{
    (void)state;
    (void)config;
    if (frail_alive == 3) return rein_fail(REIN_EIO, "frail cannot");
    frail_alive++;
    return REIN_OK;
}

static void frail_fini(void *state)
{
    (void)state;
    frail_alive--;
}

static const rein_env_class frail = {.id = "Frail",
                                     .spec = evil_spec,
                                     .init = frail_init,
                                     .fini = frail_fini,
                                     .reset = evil_begin,
                                     .step = evil_step};

static void test_failing_init(void **state)
{
    (void)state;
    check_refused(&(set_up){.env = &frail, .n_envs = 5}, REIN_EIO, "frail cannot");
    assert_int_equal(frail_alive, 0); /* those made before were undone */
    rein_vec_free(vec_new(&(set_up){.env = &frail, .n_envs = 3}));
    assert_int_equal(frail_alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken),          cmocka_unit_test(test_broken_and_terminated),
        cmocka_unit_test(test_nan_observation), cmocka_unit_test(test_nan_reward),
        cmocka_unit_test(test_nan_reset),       cmocka_unit_test(test_options),
        cmocka_unit_test(test_failing_init),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
