/* Evaluation: whose episodes count, what is summed up, and that threads do not matter. */
#include "tests/algos/policies.h"

#include "algos/evaluate.h"
#include "envs/registry.h"
#include "envs/vec.h"
#include "tests/probe_envs.h"

/* An environment whose first observation is the episode's length, drawn at reset from [1, 40], and
 * whose reward is 1 + action: an episode that is counted twice, cut or played on would show. */
#define LENGTH_FIELDS(X) X(flag, endless, "false", "", "never ends")
REIN_CONFIG(length_config, LENGTH_FIELDS)

typedef struct length_state {
    int length, step;
    bool endless;
} length_state;

static rein_status length_spec(const void *config, rein_env_spec *out)
{
    (void)config;
    *out = (rein_env_spec){
        .observation = policy_spec_of(POLICY_Q).observation,
        .action = policy_spec_of(POLICY_Q).action,
        .n_agents = 1,
        .state_size = sizeof(length_state),
        .reward_threshold = NAN,
    };
    return REIN_OK;
}

static rein_status length_init(void *state, const void *config)
{
    length_state *s = state;
    s->endless = ((const length_config *)config)->endless;
    return REIN_OK;
}

static void length_observe(const length_state *s, rein_env_io *io)
{
    float *observation = io->observation;
    observation[0] = (float)s->length;
    observation[1] = (float)s->step;
    observation[2] = observation[3] = 1;
}

static void length_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    length_state *s = state;
    s->length = 1 + (int)rein_rng_below(rng, 40);
    s->step = 0;
    length_observe(s, io);
}

static void length_step(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)rng;
    length_state *s = state;
    s->step++;
    length_observe(s, io);
    io->reward[0] = 1 + (float)*(const int32_t *)io->action;
    *io->terminated = !s->endless && s->step >= s->length;
}

static const rein_env_class length_env = {
    .id = "Length-v0",
    .fields = length_config_fields,
    .n_fields = REIN_FIELD_COUNT(length_config_fields),
    .config_size = sizeof(length_config),
    .spec = length_spec,
    .init = length_init,
    .reset = length_reset,
    .step = length_step,
};

enum { EPISODES = 29 };
static length_config config; /* ends */

/* Play the episodes one by one with a vector env of one, on the same random streams. */
static void play_by_hand(const rein_policy *policy, uint64_t seed, double *returns, int *lengths)
{
    rein_vec *vec;
    rein_policy_workspace *workspace;
    rein_vec_options options = {.env = &length_env,
                                .config = &config,
                                .n_envs = EPISODES,
                                .max_episode_steps = -1,
                                .seed = seed,
                                .reset_purpose = REIN_RNG_EVAL};
    assert_ok(rein_vec_create(&options, &vec));
    assert_ok(rein_policy_workspace_create(policy, 1, &workspace));
    for (int e = 0; e < EPISODES; e++) {
        const float *observation = (const float *)vec->observation + 4 * e;
        float state[4] = {observation[0], 0, 1, 1};
        lengths[e] = (int)state[0];
        returns[e] = 0;
        for (int t = 0; t < lengths[e]; t++) {
            int32_t action;
            state[1] = (float)t;
            assert_ok(rein_policy_act(policy, workspace, state, 1, NULL, &action));
            returns[e] += 1 + action;
        }
    }
    rein_policy_workspace_free(workspace);
    rein_vec_free(vec);
}

static rein_evaluation_options options_of(const rein_policy *policy, rein_team *team)
{
    return (rein_evaluation_options){
        .policy = policy,
        .env = &length_env,
        .env_config = &config,
        .max_episode_steps = -1,
        .n_episodes = EPISODES,
        .seed = 11,
        .deterministic = true,
        .team = team,
    };
}

static void test_counts_first_episodes(void **state)
{
    (void)state;
    rein_policy *policy = policy_of(POLICY_Q);
    rein_team *team;
    rein_evaluation result;
    double expected[EPISODES], returns[EPISODES], sum = 0, low = 1e9, high = 0, squares = 0;
    int lengths[EPISODES], steps = 0;
    assert_ok(rein_team_create(2, &team));
    rein_evaluation_options options = options_of(policy, team);
    play_by_hand(policy, options.seed, expected, lengths);
    assert_ok(rein_evaluate(&options, &result, returns));
    for (int e = 0; e < EPISODES; e++) {
        assert_true(returns[e] == expected[e]);
        sum += expected[e];
        steps += lengths[e];
        low = fmin(low, expected[e]);
        high = fmax(high, expected[e]);
    }
    for (int e = 0; e < EPISODES; e++) squares += pow(expected[e] - sum / EPISODES, 2);
    assert_true(high > low);
    assert_int_equal(result.n_episodes, EPISODES);
    assert_int_equal(result.steps, steps);
    assert_true(result.return_min == low && result.return_max == high);
    assert_true(fabs(result.return_mean - sum / EPISODES) < 1e-12 * sum);
    assert_true(fabs(result.return_std - sqrt(squares / (EPISODES - 1))) < 1e-9);
    assert_true(fabs(result.length_mean - (double)steps / EPISODES) < 1e-12 * steps);
    options.n_episodes = 1;
    assert_ok(rein_evaluate(&options, &result, NULL)); /* returns are not wanted */
    assert_true(result.return_mean == expected[0] && result.return_std == 0);
    options.max_episode_steps = 1;
    options.n_episodes = EPISODES;
    assert_ok(rein_evaluate(&options, &result, returns));
    assert_int_equal(result.steps, EPISODES);
    rein_team_free(team);
    rein_policy_free(policy);
}

static void test_threads(void **state)
{
    (void)state;
    const int threads[] = {1, 2, 3, 7};
    rein_policy *policy = policy_of(POLICY_Q);
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        double first[EPISODES], returns[EPISODES];
        for (int i = 0; i < 4; i++) {
            rein_team *team;
            rein_evaluation result;
            assert_ok(rein_team_create(threads[i], &team));
            rein_evaluation_options options = options_of(policy, team);
            options.deterministic = deterministic;
            assert_ok(rein_evaluate(&options, &result, i == 0 ? first : returns));
            rein_team_free(team);
            if (i > 0) assert_memory_equal(first, returns, sizeof first);
        }
    }
    rein_policy_free(policy);
}

static void test_seeds_and_sampling(void **state)
{
    (void)state;
    rein_policy *policy = policy_of(POLICY_Q);
    rein_team *team;
    rein_evaluation result;
    double a[EPISODES], b[EPISODES];
    assert_ok(rein_team_create(1, &team));
    rein_evaluation_options options = options_of(policy, team);
    assert_ok(rein_evaluate(&options, &result, a));
    options.seed++;
    assert_ok(rein_evaluate(&options, &result, b));
    assert_memory_not_equal(a, b, sizeof a);
    options.seed--;
    options.deterministic = false; /* the same starts, some other actions */
    int64_t steps = result.steps;
    assert_ok(rein_evaluate(&options, &result, b));
    assert_memory_not_equal(a, b, sizeof a);
    options.deterministic = true;
    assert_ok(rein_evaluate(&options, &result, b));
    assert_memory_equal(a, b, sizeof a);
    assert_true(steps != result.steps);
    rein_team_free(team);
    rein_policy_free(policy);
}

static void test_errors(void **state)
{
    (void)state;
    rein_policy *policy = policy_of(POLICY_Q), *other = policy_of(POLICY_IMAGE);
    rein_team *team;
    rein_evaluation result;
    assert_ok(rein_team_create(2, &team));
    rein_evaluation_options options = options_of(policy, team);
    options.n_episodes = 0;
    assert_fails(rein_evaluate(&options, &result, NULL), REIN_EINVAL, "0 episodes");
    options = options_of(other, team);
    assert_fails(rein_evaluate(&options, &result, NULL), REIN_EUNSUPPORTED, "u8");
    options = options_of(policy, team);
    policy->params[policy->n_params - 1] = NAN;
    rein_policy_pack(policy);
    assert_int_equal(rein_evaluate(&options, &result, NULL), REIN_ENAN);
    rein_policy_free(policy);
    rein_policy_free(other);
    rein_team_free(team);
}

static void test_nan_environment(void **state)
{
    (void)state;
    probe_config probe;
    rein_policy_spec spec = policy_spec_of(POLICY_Q);
    rein_policy *policy;
    rein_team *team;
    rein_evaluation result;
    rein_env_spec env;
    assert_ok(rein_env_defaults(&probe_nan, &probe));
    assert_ok(probe_nan.spec(&probe, &env));
    spec.observation = env.observation;
    spec.action = env.action;
    spec.net.shape[0] = env.observation.size;
    assert_ok(rein_policy_create(&spec, &policy));
    assert_ok(rein_team_create(2, &team));
    rein_evaluation_options options = options_of(policy, team);
    options.env = &probe_nan;
    options.env_config = &probe;
    assert_int_equal(rein_evaluate(&options, &result, NULL), REIN_ENAN);
    rein_policy_free(policy);
    rein_team_free(team);
}

/* Without an end and without a time limit. */
static void test_endless(void **state)
{
    (void)state;
    length_config endless = {.endless = true};
    rein_policy *policy = policy_of(POLICY_Q);
    rein_team *team;
    rein_evaluation result;
    assert_ok(rein_team_create(1, &team));
    rein_evaluation_options options = options_of(policy, team);
    options.env_config = &endless;
    options.n_episodes = 1;
    assert_ok(rein_evaluate(&options, &result, NULL));
    assert_int_equal(result.steps, 1000000);
    options.max_episode_steps = 50;
    assert_ok(rein_evaluate(&options, &result, NULL));
    assert_int_equal(result.steps, 50);
    rein_policy_free(policy);
    rein_team_free(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_first_episodes), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_seeds_and_sampling),    cmocka_unit_test(test_errors),
        cmocka_unit_test(test_nan_environment),       cmocka_unit_test(test_endless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
