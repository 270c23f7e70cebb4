/* Recurrent PPO: a recall task, gradients against finite differences, sequences that give the
 * numbers of collection, the same bytes for any number of threads and after a checkpoint, values at
 * time limits, evaluation with states, no allocation, bad settings. */
#include "tests/algos/task_set_up.h"

#include "algos/evaluate.h"
#include "algos/ppo_recurrent.h"
#include "tests/algos/memory_archive.h"
#include "tests/algos/ppo_slopes.h"
#include "tests/alloc_count.h"
#include "tests/probe_envs.h"

/* ---- recall: +1 or -1 is seen at first, then 0; the third action must have its sign ---------- */

#define RECALL_FIELDS(X) X(flag, continuous, "false", "", "a continuous action")
REIN_CONFIG(recall_config, RECALL_FIELDS)

typedef struct recall_state {
    float wanted;
    int step;
    bool continuous;
} recall_state;

static rein_status recall_spec(const void *config, rein_env_spec *out)
{
    *out = (rein_env_spec){
        .observation =
            {.dtype = REIN_F32, .n_dims = 1, .shape = {1}, .size = 1, .low = -1, .high = 1},
        .action = {.kind = REIN_DISCRETE, .n = 2, .size = 1},
        .n_agents = 1,
        .state_size = sizeof(recall_state),
        .reward_threshold = NAN,
    };
    if (((const recall_config *)config)->continuous) {
        out->action =
            (rein_action_space){.kind = REIN_CONTINUOUS, .size = 1, .low = {-1}, .high = {1}};
    }
    return REIN_OK;
}

static rein_status recall_init(void *state, const void *config)
{
    ((recall_state *)state)->continuous = ((const recall_config *)config)->continuous;
    return REIN_OK;
}

static void recall_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    recall_state *s = state;
    s->wanted = rein_rng_below(rng, 2) == 1 ? 1 : -1;
    s->step = 0;
    *(float *)io->observation = s->wanted;
}

static void recall_step(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)rng;
    recall_state *s = state;
    const bool up =
        s->continuous ? *(const float *)io->action > 0 : *(const int32_t *)io->action == 1;
    const bool last = ++s->step == 3;
    *io->reward = !last ? 0 : up == (s->wanted > 0) ? 1 : -1;
    *io->terminated = last;
    *(float *)io->observation = 0;
}

static const rein_env_class recall = {
    .id = "Recall",
    .summary = "the sign of the first observation",
    .cite = "none",
    .fields = recall_config_fields,
    .n_fields = REIN_FIELD_COUNT(recall_config_fields),
    .config_size = sizeof(recall_config),
    .spec = recall_spec,
    .init = recall_init,
    .reset = recall_reset,
    .step = recall_step,
};

/* ---- setups ---------------------------------------------------------------------------------- */

typedef struct setup {
    rein_ppo_recurrent_config config;
    rein_task task;
    char env_config[1024];
} setup;

static void setup_env(setup *s, const rein_env_class *env, int n_envs, int n_threads)
{
    memset(s, 0, sizeof *s);
    task_set_up(env, n_envs, n_threads, s->env_config, &s->task);
    assert_ok(rein_fields_defaults(rein_algo_ppo_recurrent.fields, rein_algo_ppo_recurrent.n_fields,
                                   &s->config));
    s->config.core_size = 16;
    s->task.net.hidden = (rein_list){1, {12}};
}

static void setup_id(setup *s, const char *id, int n_envs, int n_threads)
{
    setup_env(s, task_env(id), n_envs, n_threads);
}

static void setup_free(setup *s)
{
    rein_team_free(s->task.team);
}

static rein_ppo_recurrent *create(const setup *s)
{
    rein_ppo_recurrent *ppo;
    assert_ok(rein_ppo_recurrent_create(&s->config, &s->task, false, &ppo));
    return ppo;
}

static void train(rein_ppo_recurrent *ppo, int n_updates)
{
    for (int i = 0; i < n_updates; i++) {
        rein_ppo_metrics metrics;
        assert_ok(rein_ppo_recurrent_collect(ppo));
        assert_ok(rein_ppo_recurrent_update(ppo, &metrics));
    }
}

/* Five setups that between them have every option: number of rows not a multiple of anything. */
enum { N_CASES = 5 };

static void setup_case(setup *s, int which, int n_threads)
{
    static const char *const ids[N_CASES] = {"TMaze-v0", "Pendulum-v1", "MiniGrid-DoorKey-5x5-v0",
                                             "CartPole-v1", "MiniGrid-DoorKey-5x5-v0"};
    setup_id(s, ids[which], 38, n_threads); /* minibatches of 19 rows: two pieces */
    s->config.n_steps = 24;
    s->config.n_minibatches = 2;
    s->config.core = which % 2;
    s->config.core_horizon = which == 0 ? 20 : 0;
    s->config.shared_net = which == 2 || which == 3;
    s->config.normalize_observation = which == 1 || which == 2;
    s->config.normalize_reward = which == 1;
    s->config.bootstrap_truncated = which == 1 || which == 3;
    s->task.max_episode_steps = 17;
    if (which == 3) s->task.net.hidden.n = 0;
    if (which == 4) s->task.net.layers = (rein_words){3, {"conv 4 3x3", "relu", "flatten"}};
}

/* ---- what is learned ------------------------------------------------------------------------- */

static double evaluate(const setup *s, const rein_policy *policy, bool deterministic)
{
    rein_evaluation evaluation;
    const rein_evaluation_options options = {.policy = policy,
                                             .env = s->task.env,
                                             .env_config = s->env_config,
                                             .max_episode_steps = -1,
                                             .n_episodes = 50,
                                             .seed = 5,
                                             .deterministic = deterministic,
                                             .team = s->task.team};
    assert_ok(rein_evaluate(&options, &evaluation, NULL));
    return evaluation.return_mean;
}

static void check_recall(bool continuous, rein_cell_kind core, bool shared)
{
    setup s;
    setup_env(&s, &recall, 16, 2);
    ((recall_config *)s.env_config)->continuous = continuous;
    s.config.core = (int)core;
    s.config.shared_net = shared;
    s.config.n_steps = 32;
    s.config.lr = 1e-2;
    s.config.anneal_lr = false;
    s.config.clip_value = false;
    s.config.entropy_coef = 0;
    rein_ppo_recurrent *ppo = create(&s);
    train(ppo, 60);
    const double last = rein_episodes_return_mean(&ppo->data->episodes);
    if (!(last > 0.8)) fail_msg("cell %d, shared %d: return %g", (int)core, shared, last);
    assert_true(evaluate(&s, rein_ppo_recurrent_policy(ppo), true) > 0.95);
    assert_true(evaluate(&s, ppo->policy, false) > 0.8); /* row by row, each with its state */
    rein_ppo_recurrent_free(ppo);
    setup_free(&s);
}

static void test_recall(void **state)
{
    (void)state;
    check_recall(false, REIN_LSTM, false);
    check_recall(false, REIN_GRU, false);
    check_recall(false, REIN_LSTM, true);
    check_recall(true, REIN_LSTM, false);
    check_recall(true, REIN_GRU, true);
}

/* ---- the gradient as a whole ----------------------------------------------------------------- */

typedef struct first_minibatch {
    rein_ppo_recurrent *ppo;
    int32_t index[38];
} first_minibatch;

/* The loss of the first minibatch at the current parameters; lr 0 changes nothing. */
static double loss_at(void *context)
{
    const first_minibatch *m = context;
    rein_ppo_recurrent *ppo = m->ppo;
    rein_ppo_sums sums;
    rein_ppo_recurrent_pack(ppo);
    rein_ppo_recurrent_gather(ppo, m->index);
    assert_ok(rein_ppo_recurrent_minibatch(ppo, 0, 19, 0, &sums, NULL));
    return (sums.policy_loss - ppo->config.entropy_coef * sums.entropy +
            ppo->config.value_coef * sums.value_loss) /
           (19 * ppo->data->rollout->n_steps);
}

static void check_directional(int which)
{
    setup s;
    setup_case(&s, which, 2);
    s.config.clip_value = false;
    s.config.entropy_coef = 0.1;
    first_minibatch m = {create(&s), {0}};
    train(m.ppo, 1);
    assert_ok(rein_ppo_recurrent_collect(m.ppo)); /* states are not zero at its start */
    for (int i = 0; i < 38; i++) m.index[i] = 37 - i;
    ppo_check_slopes(&(ppo_loss){loss_at, &m, m.ppo->params, m.ppo->grad, m.ppo->n_params}, 0.02f,
                     1e-3f);
    rein_ppo_recurrent_free(m.ppo);
    setup_free(&s);
}

static void test_gradient(void **state)
{
    (void)state;
    for (int which = 0; which < N_CASES; which++) check_directional(which);
}

/* The sequences of the first minibatch, run from the stored states with resets inside, give the
 * log-probabilities and values of collection: nothing has moved yet. */
static void test_sequences_repeat_collection(void **state)
{
    (void)state;
    for (int which = 0; which < N_CASES; which++) {
        setup s;
        setup_case(&s, which, 1);
        rein_ppo_recurrent *ppo = create(&s);
        int32_t index[38];
        rein_ppo_sums sums;
        train(ppo, 2);
        assert_ok(rein_ppo_recurrent_collect(ppo));
        rein_rollout *r = ppo->data->rollout;
        for (int i = 0; i < 38; i++) index[i] = (7 * i) % 38;
        for (int i = 0; i < 24 * 38; i++) r->return_[i] = r->value[i];
        rein_ppo_recurrent_gather(ppo, index);
        int n_starts = 0;
        for (int i = 0; i < 19 * 24; i++) n_starts += ppo->batch.start[i];
        assert_true(n_starts > 10); /* episodes of 17 steps at most */
        assert_ok(rein_ppo_recurrent_minibatch(ppo, 0, 19, 0, &sums, NULL));
        assert_true(fabs(sums.approx_kl) < 1e-6);
        assert_true(sums.n_clipped == 0);
        assert_true(sums.value_loss < 1e-6);

        ppo->batch.start[3 * 16] ^= 1; /* one flag more or less is seen */
        for (size_t i = 0; i < 16 * (size_t)rein_recurrent_n_state(ppo->actor); i++) {
            ppo->batch.actor_state[i] += 1;
        }
        assert_ok(rein_ppo_recurrent_minibatch(ppo, 0, 19, 0, &sums, NULL));
        assert_true(sums.approx_kl > 1e-6);
        rein_ppo_recurrent_free(ppo);
        setup_free(&s);
    }
}

/* ---- the same bytes -------------------------------------------------------------------------- */

static void check_same(const rein_ppo_recurrent *a, const rein_ppo_recurrent *b)
{
    const rein_rollout *r = a->data->rollout, *q = b->data->rollout;
    const size_t rows = (size_t)(r->n_steps * r->n_rows);
    assert_memory_equal(a->params, b->params, a->n_params * sizeof(float));
    assert_memory_equal(r->advantage, q->advantage, rows * sizeof(float));
    assert_memory_equal(r->log_prob, q->log_prob, rows * sizeof(float));
    assert_memory_equal(r->observation, q->observation,
                        rows * (size_t)a->data->obs * sizeof(float));
    assert_memory_equal(a->actor_state, b->actor_state,
                        (size_t)(r->n_rows * rein_recurrent_n_state(a->actor)) * sizeof(float));
    assert_memory_equal(&a->data->episodes, &b->data->episodes, sizeof a->data->episodes);
    assert_int_equal(a->data->step, b->data->step);
}

static void test_any_number_of_threads(void **state)
{
    (void)state;
    const int threads[] = {2, 3, 7};
    for (int which = 0; which < N_CASES; which++) {
        setup one;
        setup_case(&one, which, 1);
        rein_ppo_recurrent *first = create(&one);
        train(first, 3);
        for (int i = 0; i < 3; i++) {
            setup more;
            setup_case(&more, which, threads[i]);
            rein_ppo_recurrent *other = create(&more);
            train(other, 3);
            check_same(first, other);
            rein_ppo_recurrent_free(other);
            setup_free(&more);
        }
        rein_ppo_recurrent_free(first);
        setup_free(&one);
    }
}

static void test_continues_from_checkpoint(void **state)
{
    (void)state;
    for (int which = 0; which < N_CASES; which++) {
        setup s;
        setup_case(&s, which, 2);
        rein_ppo_recurrent *whole = create(&s), *resumed = create(&s);
        memory_archive *archive = memory_archive_new();
        train(whole, 2);
        assert_ok(rein_ppo_recurrent_archive(whole, &archive->base));
        train(whole, 3);
        train(resumed, 1); /* somewhere else: all of it must be replaced */
        archive->base.loading = true;
        assert_ok(rein_ppo_recurrent_archive(resumed, &archive->base));
        train(resumed, 3);
        check_same(whole, resumed);
        memory_archive_free(archive);
        rein_ppo_recurrent_free(whole), rein_ppo_recurrent_free(resumed);
        setup_free(&s);
    }
}

/* A checkpoint of another cell is refused. */
static void test_foreign_checkpoint(void **state)
{
    (void)state;
    setup s, t;
    setup_case(&s, 0, 1);
    setup_case(&t, 0, 1);
    t.config.core = REIN_GRU;
    rein_ppo_recurrent *a = create(&s), *b = create(&t);
    memory_archive *archive = memory_archive_new();
    assert_ok(rein_ppo_recurrent_archive(a, &archive->base));
    archive->base.loading = true;
    assert_int_equal(rein_ppo_recurrent_archive(b, &archive->base), REIN_EFORMAT);
    memory_archive_free(archive);
    rein_ppo_recurrent_free(a), rein_ppo_recurrent_free(b);
    setup_free(&s), setup_free(&t);
}

/* ---- what a rollout holds -------------------------------------------------------------------- */

/* Values of an episode that observes 0, 1, ..., 5, by the network that has the value. */
static void episode_values(const rein_ppo_recurrent *ppo, float value[6])
{
    const rein_recurrent *net = ppo->critic ? ppo->critic : ppo->actor;
    const size_t at = ppo->critic ? ppo->n_actor : 0;
    const float *packed = ppo->critic ? ppo->packed_critic : ppo->packed_actor;
    const int n_out = ppo->critic ? 1 : ppo->n_head + 1;
    const float x[6] = {0, 1, 2, 3, 4, 5};
    float state[64] = {0}, y[6 * 8];
    rein_recurrent_workspace *w;
    assert_ok(rein_recurrent_workspace_create(net, 6, 1, &w));
    assert_int_equal(
        rein_recurrent_forward(net, ppo->params + at, packed, w, x, NULL, 6, 1, state, y), REIN_OK);
    for (int t = 0; t < 6; t++) value[t] = y[t * n_out + n_out - 1];
    rein_recurrent_workspace_free(w);
}

/* A time limit of 5 with reward 1: with bootstrapping the value of the last observation is that of
 * the sixth of an episode; rollouts of 7 steps begin in the midst of episodes. */
static void check_truncation(bool bootstrap, bool shared)
{
    setup s;
    setup_env(&s, &probe_broken, 4, 1);
    ((probe_config *)s.env_config)->after = 1000000;
    s.task.max_episode_steps = 5;
    s.config.n_steps = 7;
    s.config.shared_net = shared;
    s.config.bootstrap_truncated = bootstrap;
    s.config.gae_lambda = 0; /* A = r + gamma next - V */
    rein_ppo_recurrent *ppo = create(&s);
    float value[6];
    episode_values(ppo, value);
    for (int i = 0; i < 3; i++) {
        assert_ok(rein_ppo_recurrent_collect(ppo));
        const rein_rollout *r = ppo->data->rollout;
        for (int t = 0; t < 7; t++) {
            const int step = (7 * i + t) % 5;
            const bool end = step == 4;
            for (int at = 4 * t; at < 4 * t + 4; at++) {
                assert_true(r->observation[at] == (float)step);
                assert_int_equal(r->truncated[at], end);
                assert_int_equal(ppo->data->start[at], step == 0);
                const double next = end && !bootstrap ? 0 : (double)value[step + 1];
                assert_true(fabs((double)(r->value[at] - value[step])) < 1e-5);
                assert_true(fabs((double)r->advantage[at] -
                                 (1 + 0.99 * next - (double)value[step])) < 1e-5);
            }
        }
    }
    rein_ppo_recurrent_free(ppo);
    setup_free(&s);
}

static void test_truncation(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) check_truncation(i & 1, i & 2);
}

static void test_not_finite(void **state)
{
    (void)state;
    setup s;
    rein_ppo_metrics m;
    setup_id(&s, "CartPole-v1", 4, 1);
    rein_ppo_recurrent *ppo = create(&s);
    assert_ok(rein_ppo_recurrent_collect(ppo));
    ppo->data->rollout->return_[17] = NAN;
    assert_int_equal(rein_ppo_recurrent_update(ppo, &m), REIN_ENAN);
    assert_non_null(strstr(rein_error_message(), "step 512"));
    for (size_t i = 0; i < ppo->n_params; i++) assert_true(isfinite(ppo->params[i]));
    rein_ppo_recurrent_free(ppo);
    setup_free(&s);

    setup_env(&s, &probe_nan, 4, 2); /* an env that observes NaN */
    ppo = create(&s);
    assert_int_equal(rein_ppo_recurrent_collect(ppo), REIN_ENAN);
    rein_ppo_recurrent_free(ppo);
    setup_free(&s);
}

static void test_no_allocation(void **state)
{
    (void)state;
    if (!alloc_count_works()) skip();
    for (int which = 0; which < N_CASES; which++) {
        setup s;
        setup_case(&s, which, 2);
        rein_ppo_recurrent *ppo;
        assert_ok(rein_ppo_recurrent_create(&s.config, &s.task, true, &ppo));
        train(ppo, 2);
        const long before = alloc_count();
        train(ppo, 3);
        assert_int_equal(alloc_count() - before, 0);
        rein_ppo_recurrent_free(ppo);
        setup_free(&s);
    }
}

/* ---- settings that do not fit ---------------------------------------------------------------- */

static void check_refused(setup *s, const char *text)
{
    rein_ppo_recurrent *ppo;
    assert_fails(rein_ppo_recurrent_create(&s->config, &s->task, false, &ppo), REIN_ECONFIG, text);
    assert_null(ppo);
}

static void test_refused(void **state)
{
    (void)state;
    setup s;
    setup_id(&s, "CartPole-v1", 6, 1);
    s.config.n_minibatches = 4;
    check_refused(&s, "6 rows cannot be cut into algo.n_minibatches 4: 3 would fit");
    s.config.n_minibatches = 6;
    s.config.n_steps = 1;
    check_refused(&s, "one step");
    s.config.n_minibatches = 12;
    check_refused(&s, "6 would fit");
    s.config.n_minibatches = 2;
    s.config.n_steps = 1 << 30;
    check_refused(&s, "more than a rollout holds");
    s.config.n_steps = 8;
    s.task.net.hidden.n = REIN_MAX_LAYERS;
    check_refused(&s, "net.hidden");
    s.task.net.layers = (rein_words){1, {"embedding 3 4"}};
    s.config.normalize_observation = true;
    check_refused(&s, "normalize_observation=false");
    setup_free(&s);
}

static void test_train(void **state)
{
    (void)state;
    setup s;
    setup_id(&s, "CartPole-v1", 4, 2);
    s.task.total_timesteps = 1500; /* not a multiple of a rollout */
    assert_ok(rein_algo_ppo_recurrent.train(&s.config, &s.task, &rein_run_none));
    setup_free(&s);
    rein_ppo_recurrent_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recall),
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_sequences_repeat_collection),
        cmocka_unit_test(test_any_number_of_threads),
        cmocka_unit_test(test_continues_from_checkpoint),
        cmocka_unit_test(test_foreign_checkpoint),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_train),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
