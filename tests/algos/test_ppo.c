/* PPO: whole updates against recorded numbers, probe environments, the same bytes for any number
 * of threads and after a checkpoint, what the recorder gets, no allocation, bad settings. */
#include "tests/algos/task_set_up.h"

#include "algos/ppo.h"
#include "tests/algos/memory_archive.h"
#include "tests/algos/ppo_slopes.h"
#include "tests/alloc_count.h"
#include "tests/engines.h"
#include "tests/golden_group.h"
#include "tests/probe_envs.h"

/* Everything that one training needs. */
typedef struct setup {
    rein_ppo_config config;
    rein_task task;
    char env_config[1024];
    bool record;
} setup;

static void setup_env(setup *s, const rein_env_class *env, int n_envs, int n_threads)
{
    memset(s, 0, sizeof *s);
    task_set_up(env, n_envs, n_threads, s->env_config, &s->task);
    assert_ok(rein_fields_defaults(rein_algo_ppo.fields, rein_algo_ppo.n_fields, &s->config));
}

static void setup_id(setup *s, const char *id, int n_envs, int n_threads)
{
    setup_env(s, task_env(id), n_envs, n_threads);
}

static void setup_free(setup *s)
{
    rein_team_free(s->task.team);
}

static rein_ppo *create(const setup *s)
{
    rein_ppo *ppo;
    assert_ok(rein_ppo_create(&s->config, &s->task, s->record, &ppo));
    return ppo;
}

static void train(rein_ppo *ppo, int n_updates)
{
    for (int i = 0; i < n_updates; i++) {
        rein_ppo_metrics metrics;
        assert_ok(rein_ppo_collect(ppo));
        assert_ok(rein_ppo_update(ppo, &metrics));
    }
}

/* ---- recorded updates ---------------------------------------------------------------------- */

/* The recorded minibatch as a rollout of 64 steps of one env. */
static void inject(golden *g, const char *group, rein_ppo *ppo)
{
    rein_rollout *r = ppo->data->rollout;
    const size_t rows = 64, act = (size_t)ppo->data->act;
    float action[64 * 8];
    golden_fill(g, group, "params_before", ppo->params, ppo->n_params);
    rein_ppo_pack(ppo);
    golden_fill(g, group, "obs", r->observation, rows * (size_t)ppo->data->obs);
    golden_fill(g, group, "action", action, rows * act);
    for (size_t i = 0; i < rows * act; i++) {
        if (ppo->data->continuous)
            ((float *)r->action)[i] = action[i];
        else
            ((int32_t *)r->action)[i] = (int32_t)action[i];
    }
    golden_fill(g, group, "old_log_prob", r->log_prob, rows);
    golden_fill(g, group, "old_value", r->value, rows);
    golden_fill(g, group, "advantage", r->advantage, rows);
    golden_fill(g, group, "return_", r->return_, rows);
}

static void check_recorded_update(const char *group, const char *env_id, rein_engine_choice engine)
{
    setup s;
    golden g;
    int32_t index[64];
    rein_ppo_sums sums;
    double norm;
    assert_true(golden_open("learning_math.h5", &g));
    setup_id(&s, env_id, 1, 1);
    s.task.net.engine = (int)engine;
    s.config.n_steps = 64;
    s.config.n_minibatches = 1;
    s.config.clip_value = false;
    s.config.clip = golden_number(&g, group, "clip");
    s.config.entropy_coef = golden_number(&g, group, "ent_coef");
    s.config.value_coef = golden_number(&g, group, "vf_coef");
    s.config.max_grad_norm = golden_number(&g, group, "max_grad_norm");
    s.config.adam_eps = golden_number(&g, group, "eps");
    rein_ppo *ppo = create(&s);
    inject(&g, group, ppo);
    for (int i = 0; i < 64; i++) index[i] = 63 - i; /* any order will do */
    for (int i = 0; i < 3; i++) {
        rein_ppo_gather(ppo, index);
        assert_ok(rein_ppo_minibatch(ppo, 0, 64, golden_number(&g, group, "lr"), &sums, &norm));
        if (i > 0) continue;
        golden_check(&g, group, "gradient", ppo->grad, ppo->n_params);
        golden_check(&g, group, "params_after1", ppo->params, ppo->n_params);
        const float numbers[] = {(float)norm, (float)(sums.entropy / 64),
                                 (float)(sums.value_loss / 64), (float)(sums.n_clipped / 64)};
        golden_check(&g, group, "grad_norm", &numbers[0], 1);
        golden_check(&g, group, "entropy", &numbers[1], 1);
        golden_check(&g, group, "value_loss", &numbers[2], 1);
        golden_check(&g, group, "clip_fraction", &numbers[3], 1);
    }
    golden_check(&g, group, "params_after3", ppo->params, ppo->n_params);
    rein_ppo_free(ppo);
    setup_free(&s);
    golden_close(&g);
}

static void test_recorded_update_discrete(void **state)
{
    (void)state;
    FOR_EACH_ENGINE(engine)
    { /* 4 observations, 2 actions */
        check_recorded_update("ppo_update_discrete", "CartPole-v1", engine);
    }
}

static void test_recorded_update_gaussian(void **state)
{
    (void)state;
    FOR_EACH_ENGINE(engine)
    { /* 11 observations, 3 actions */
        check_recorded_update("ppo_update_gaussian", "Hopper-v4", engine);
    }
}

/* ---- the gradient as a whole --------------------------------------------------------------- */

/* The loss of a batch of 400 rows at the current parameters: the step's own report, with lr too
 * small to change anything. */
static double loss_at(void *context)
{
    rein_ppo *ppo = context;
    rein_ppo_sums sums;
    rein_ppo_pack(ppo);
    for (int i = 0; i < 400; i++) ppo->index[i] = i;
    rein_ppo_gather(ppo, ppo->index);
    assert_ok(rein_ppo_minibatch(ppo, 0, 400, 0, &sums, NULL));
    return (sums.policy_loss - ppo->config.entropy_coef * sums.entropy +
            ppo->config.value_coef * sums.value_loss) /
           400;
}

/* Several blocks of rows. */
static void check_directional(const char *env_id, bool shared)
{
    setup s;
    setup_id(&s, env_id, 5, 2);
    s.config.n_steps = 80;
    s.config.n_minibatches = 1;
    s.config.shared_net = shared;
    s.config.clip_value = false;
    s.config.entropy_coef = 0.1;
    s.task.net.hidden = (rein_list){2, {7, 5}};
    rein_ppo *ppo = create(&s);
    assert_ok(rein_ppo_collect(ppo));
    ppo_check_slopes(&(ppo_loss){loss_at, ppo, ppo->params, ppo->grad, ppo->n_params}, 0.05f,
                     2e-3f);
    rein_ppo_free(ppo);
    setup_free(&s);
}

static void test_gradient(void **state)
{
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        check_directional("CartPole-v1", shared);
        check_directional("Pendulum-v1", shared);
    }
}

/* ---- probes -------------------------------------------------------------------------------- */

static void setup_probe(setup *s, int probe, int kind)
{
    setup_env(s, &probe_envs[probe][kind], 4, 1);
    s->config.n_steps = 64;
    s->config.lr = 1e-2;
    s->config.anneal_lr = false;
    s->config.clip_value = false;
    s->config.gamma = 0.5;
    s->config.entropy_coef = 0;
    s->task.net.hidden = (rein_list){1, {16}};
}

/* Value of one observation, by the critic or the last output of a shared network. */
static float value_of(const rein_ppo *ppo, const float *x)
{
    rein_net_workspace *w;
    float y[16];
    const rein_net *net = ppo->critic ? ppo->critic : ppo->actor;
    const float *params = ppo->critic ? ppo->params + ppo->n_actor : ppo->params;
    assert_ok(rein_net_workspace_create(net, 1, &w));
    assert_int_equal(rein_net_forward(net, params, NULL, w, x, 1, y), REIN_OK);
    rein_net_workspace_free(w);
    return y[ppo->critic ? 0 : ppo->n_head];
}

static void check_value(const rein_ppo *ppo, float observation, double want)
{
    const float got = value_of(ppo, &observation);
    if (!(fabs((double)got - want) < 0.1)) {
        fail_msg("value of %g is %g, should be %g", (double)observation, (double)got, want);
    }
}

/* The policy, acting without noise, takes the right action for `observation`. */
static void check_action(rein_ppo *ppo, float observation, bool up)
{
    const rein_policy *policy = rein_ppo_policy(ppo);
    rein_policy_workspace *w;
    float action;
    assert_ok(rein_policy_workspace_create(policy, 1, &w));
    assert_ok(rein_policy_act(policy, w, &observation, 1, NULL, &action));
    rein_policy_workspace_free(w);
    int32_t choice;
    memcpy(&choice, &action, sizeof choice);
    assert_int_equal(ppo->data->continuous ? action > 0 : choice == 1, up);
}

static void check_probe(int probe, int kind, bool shared)
{
    setup s;
    setup_probe(&s, probe, kind);
    s.config.shared_net = shared;
    rein_ppo *ppo = create(&s);
    train(ppo, 40);
    if (probe == PROBE_CONSTANT) check_value(ppo, 0, 1);
    if (probe == PROBE_DISCOUNT) check_value(ppo, 0, 0.5), check_value(ppo, 1, 1);
    if (probe == PROBE_OBSERVATION) check_value(ppo, -1, -1), check_value(ppo, 1, 1);
    if (probe == PROBE_ACTION) check_action(ppo, 0, true);
    if (probe == PROBE_BOTH) check_action(ppo, 1, true), check_action(ppo, -1, false);
    if (probe == PROBE_ACTION || probe == PROBE_BOTH) {
        assert_true(rein_episodes_return_mean(&ppo->data->episodes) > 0.9);
    }
    rein_ppo_free(ppo);
    setup_free(&s);
}

static void test_probes(void **state)
{
    (void)state;
    for (int probe = 0; probe < N_PROBES; probe++) {
        for (int kind = PROBE_DISCRETE; kind <= PROBE_CONTINUOUS; kind++) {
            for (int shared = 0; shared < 2; shared++) check_probe(probe, kind, shared);
        }
    }
}

/* Two agents in one env, each with its own sign to match: rows are agents, episodes the envs. */
typedef struct pair_state {
    float sign[2];
} pair_state;

static rein_status pair_spec(const void *config, rein_env_spec *out)
{
    (void)config;
    *out = (rein_env_spec){
        .observation =
            {.dtype = REIN_F32, .n_dims = 1, .shape = {1}, .size = 1, .low = -1, .high = 1},
        .action = {.kind = REIN_DISCRETE, .n = 2, .size = 1},
        .n_agents = 2,
        .state_size = sizeof(pair_state),
    };
    return REIN_OK;
}

static rein_status pair_init(void *state, const void *config)
{
    (void)state, (void)config;
    return REIN_OK;
}

static void pair_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    pair_state *p = state;
    for (int i = 0; i < 2; i++) p->sign[i] = rein_rng_below(rng, 2) == 1 ? 1 : -1;
    memcpy(io->observation, p->sign, sizeof p->sign);
}

static void pair_step(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)rng;
    const pair_state *p = state;
    const int32_t *action = io->action;
    for (int i = 0; i < 2; i++) io->reward[i] = (action[i] == 1) == (p->sign[i] > 0) ? 1 : -1;
    *io->terminated = 1;
    memcpy(io->observation, p->sign, sizeof p->sign);
}

static void test_two_agents(void **state)
{
    (void)state;
    static const rein_env_class pair = {
        .id = "Pair", .spec = pair_spec, .init = pair_init, .reset = pair_reset, .step = pair_step};
    setup s;
    setup_env(&s, &pair, 3, 1);
    s.config.n_steps = 64;
    s.config.lr = 1e-2;
    s.config.anneal_lr = false;
    s.config.normalize_observation = true;
    s.task.net.hidden = (rein_list){1, {16}};
    rein_ppo *ppo = create(&s);
    assert_int_equal(ppo->data->rollout->n_rows, 6);
    train(ppo, 40);
    assert_int_equal(ppo->data->step, 40 * 64 * 3); /* steps of envs, not of agents */
    assert_int_equal(ppo->data->episodes.count, 40 * 64 * 3);
    assert_true(rein_episodes_return_mean(&ppo->data->episodes) > 1.8);
    rein_ppo_free(ppo);
    setup_free(&s);
}

/* ---- the same bytes ------------------------------------------------------------------------ */

static void setup_case(setup *s, int which, int n_threads)
{
    static const char *const ids[] = {"CartPole-v1", "MiniGrid-DoorKey-5x5-v0",
                                      "InvertedPendulum-v4"};
    setup_id(s, ids[which], 13, n_threads);
    s->config.n_steps = 32;
    s->config.n_minibatches = 2; /* 208 rows: two blocks, one not whole */
    s->config.normalize_observation = which != 0;
    s->config.normalize_reward = which != 0;
    s->config.bootstrap_truncated = which != 1;
    s->config.shared_net = which == 1;
    if (which == 1) {
        s->task.net.layers =
            (rein_words){5, {"conv 6 3x3", "relu", "flatten", "linear 16", "tanh"}};
    }
}

static void check_same(const rein_ppo *a, const rein_ppo *b)
{
    const rein_rollout *r = a->data->rollout;
    const size_t rows = (size_t)(r->n_steps * r->n_rows);
    assert_memory_equal(a->params, b->params, a->n_params * sizeof(float));
    assert_memory_equal(r->advantage, b->data->rollout->advantage, rows * sizeof(float));
    assert_memory_equal(r->observation, b->data->rollout->observation,
                        rows * (size_t)a->data->obs * sizeof(float));
    assert_memory_equal(&a->data->episodes, &b->data->episodes, sizeof a->data->episodes);
    assert_int_equal(a->data->step, b->data->step);
}

static void test_any_number_of_threads(void **state)
{
    (void)state;
    const int threads[] = {2, 3, 7};
    for (int which = 0; which < 3; which++) {
        setup one;
        setup_case(&one, which, 1);
        rein_ppo *first = create(&one);
        train(first, 3);
        for (int i = 0; i < 3; i++) {
            setup more;
            setup_case(&more, which, threads[i]);
            rein_ppo *other = create(&more);
            train(other, 3);
            check_same(first, other);
            rein_ppo_free(other);
            setup_free(&more);
        }
        rein_ppo_free(first);
        setup_free(&one);
    }
}

static void test_seed_matters(void **state)
{
    (void)state;
    setup s;
    setup_case(&s, 0, 1);
    rein_ppo *a = create(&s);
    s.task.seed = 2;
    rein_ppo *b = create(&s);
    assert_true(memcmp(a->params, b->params, a->n_params * sizeof(float)) != 0);
    rein_ppo_free(a), rein_ppo_free(b);
    setup_free(&s);
}

static void test_continues_from_checkpoint(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        setup s;
        setup_case(&s, which, 2);
        rein_ppo *whole = create(&s), *resumed = create(&s);
        memory_archive *archive = memory_archive_new();
        train(whole, 2);
        assert_ok(rein_ppo_archive(whole, &archive->base));
        train(whole, 3);
        train(resumed, 1); /* somewhere else: all of it must be replaced */
        archive->base.loading = true;
        assert_ok(rein_ppo_archive(resumed, &archive->base));
        train(resumed, 3);
        check_same(whole, resumed);
        memory_archive_free(archive);
        rein_ppo_free(whole), rein_ppo_free(resumed);
        setup_free(&s);
    }
}

/* A checkpoint of another task is refused. */
static void test_foreign_checkpoint(void **state)
{
    (void)state;
    setup s, t;
    setup_case(&s, 0, 1);
    setup_case(&t, 2, 1);
    rein_ppo *a = create(&s), *b = create(&t);
    memory_archive *archive = memory_archive_new();
    assert_ok(rein_ppo_archive(a, &archive->base));
    archive->base.loading = true;
    assert_int_equal(rein_ppo_archive(b, &archive->base), REIN_EFORMAT);
    memory_archive_free(archive);
    rein_ppo_free(a), rein_ppo_free(b);
    setup_free(&s), setup_free(&t);
}

/* ---- what a rollout holds ------------------------------------------------------------------ */

/* A time limit of 5 with reward 1: observations count the steps; with bootstrapping the value of
 * the last observation is added, without it is not. */
static void check_truncation(bool bootstrap)
{
    setup s;
    setup_env(&s, &probe_broken, 2, 1);
    ((probe_config *)s.env_config)->after = 1000000;
    s.task.max_episode_steps = 5;
    s.config.n_steps = 8;
    s.config.bootstrap_truncated = bootstrap;
    s.config.gae_lambda = 0; /* A = r + gamma next - V */
    rein_ppo *ppo = create(&s);
    assert_ok(rein_ppo_collect(ppo));
    const rein_rollout *r = ppo->data->rollout;
    for (int t = 0; t < 8; t++) {
        const float x = (float)(t % 5), next = (float)(t % 5 + 1);
        const bool end = t % 5 == 4;
        for (int i = 0; i < 2; i++) {
            const int at = 2 * t + i;
            assert_true(r->observation[at] == x);
            assert_int_equal(r->truncated[at], end);
            assert_int_equal(r->terminated[at], 0);
            const double v = value_of(ppo, &x);
            const double v_next = end && !bootstrap ? 0 : value_of(ppo, &next);
            assert_true(fabs((double)r->value[at] - v) < 1e-5);
            assert_true(fabs((double)r->advantage[at] - (1 + 0.99 * v_next - v)) < 1e-5);
            assert_true(fabs((double)(r->return_[at] - r->advantage[at]) - v) < 1e-5);
        }
    }
    assert_int_equal(ppo->data->episodes.count, 2);
    assert_true(ppo->data->episodes.return_sum == 10);
    rein_ppo_free(ppo);
    setup_free(&s);
}

static void test_truncation(void **state)
{
    (void)state;
    check_truncation(true);
    check_truncation(false);
}

/* log pi(a|x) and the next rollout's first observation. */
static void test_log_prob(void **state)
{
    (void)state;
    setup s;
    setup_id(&s, "CartPole-v1", 3, 1);
    rein_ppo *ppo = create(&s);
    train(ppo, 2);
    float next[3 * 4];
    memcpy(next, ppo->data->next_observation, sizeof next);
    assert_ok(rein_ppo_collect(ppo));
    const rein_rollout *r = ppo->data->rollout;
    assert_memory_equal(r->observation, next, sizeof next);
    const int32_t *action = r->action;
    int counts[2] = {0};
    for (int i = 0; i < r->n_steps * r->n_rows; i++) {
        const double a = ppo->head[2 * i + action[i]], b = ppo->head[2 * i + 1 - action[i]];
        assert_true(fabs((double)r->log_prob[i] + log1p(exp(b - a))) < 1e-5);
        counts[action[i]]++;
    }
    assert_true(counts[0] > 50 && counts[1] > 50);
    rein_ppo_free(ppo);
    setup_free(&s);
}

/* Noise is new in every step, row and rollout; minibatches are shuffled anew in every update. */
static void test_draws_are_new(void **state)
{
    (void)state;
    setup s;
    setup_id(&s, "Pendulum-v1", 4, 1);
    s.config.n_steps = 64;
    rein_ppo *ppo = create(&s);
    float noise[256];
    int32_t index[256];
    train(ppo, 1);
    memcpy(noise, ppo->noise, sizeof noise);
    memcpy(index, ppo->index, sizeof index);
    train(ppo, 1);
    int same_noise = 0, same_index = 0, in_order = 0, seen[256] = {0};
    for (int i = 0; i < 256; i++) {
        for (int j = 0; j < 256; j++) same_noise += noise[i] == ppo->noise[j];
        for (int j = 0; j < i; j++) same_noise += noise[i] == noise[j];
        same_index += index[i] == ppo->index[i];
        in_order += index[i] == i;
        seen[ppo->index[i]]++;
    }
    assert_true(same_noise < 3);
    assert_true(same_index < 10 && in_order < 10);
    for (int i = 0; i < 256; i++) assert_int_equal(seen[i], 1);
    rein_ppo_free(ppo);
    setup_free(&s);
}

/* ---- options of the update ----------------------------------------------------------------- */

static void test_lr_and_target_kl(void **state)
{
    (void)state;
    setup s;
    rein_ppo_metrics m;
    setup_id(&s, "CartPole-v1", 4, 1);
    s.task.total_timesteps = 512 * 4;
    rein_ppo *ppo = create(&s);
    for (int i = 0; i < 4; i++) {
        assert_ok(rein_ppo_collect(ppo));
        assert_ok(rein_ppo_update(ppo, &m));
        assert_true(fabs(m.lr - 2.5e-4 * (1 - i / 4.0)) < 1e-12);
    }
    rein_ppo_free(ppo);

    /* With a tiny target one epoch is all: four minibatches. */
    s.config.anneal_lr = false;
    s.config.target_kl = 1e-12;
    ppo = create(&s);
    assert_ok(rein_ppo_collect(ppo));
    const size_t size = ppo->n_params * sizeof(float);
    float *params = malloc(size);
    memory_archive *archive = memory_archive_new();
    memcpy(params, ppo->params, size);
    assert_ok(rein_ppo_archive(ppo, &archive->base));
    assert_ok(rein_ppo_update(ppo, &m));
    float *stopped = malloc(size);
    memcpy(stopped, ppo->params, size);
    ppo->config.target_kl = 0;
    ppo->config.n_epochs = 1;
    archive->base.loading = true;
    assert_ok(rein_ppo_archive(ppo, &archive->base));
    assert_memory_equal(ppo->params, params, size);
    assert_ok(rein_ppo_update(ppo, &m));
    assert_memory_equal(ppo->params, stopped, size);
    memory_archive_free(archive);
    free(params), free(stopped);
    rein_ppo_free(ppo);
    setup_free(&s);
}

static void test_not_finite(void **state)
{
    (void)state;
    setup s;
    rein_ppo_metrics m;
    setup_id(&s, "CartPole-v1", 4, 1);
    rein_ppo *ppo = create(&s);
    assert_ok(rein_ppo_collect(ppo));
    ppo->data->rollout->return_[17] = NAN;
    assert_int_equal(rein_ppo_update(ppo, &m), REIN_ENAN);
    assert_non_null(strstr(rein_error_message(), "step 512"));
    assert_non_null(strstr(rein_error_message(), "algo.lr"));
    for (size_t i = 0; i < ppo->n_params; i++) assert_true(isfinite(ppo->params[i]));
    rein_ppo_free(ppo);
    setup_free(&s);

    setup_env(&s, &probe_nan, 4, 2); /* an env that observes NaN */
    ppo = create(&s);
    assert_int_equal(rein_ppo_collect(ppo), REIN_ENAN);
    rein_ppo_free(ppo);
    setup_free(&s);
}

static void test_no_allocation(void **state)
{
    (void)state;
    if (!alloc_count_works()) skip();
    for (int which = 0; which < 3; which++) {
        setup s;
        setup_case(&s, which, 2);
        s.record = true;
        rein_ppo *ppo = create(&s);
        train(ppo, 2);
        const long before = alloc_count();
        train(ppo, 3);
        assert_int_equal(alloc_count() - before, 0);
        rein_ppo_free(ppo);
        setup_free(&s);
    }
}

/* ---- settings that do not fit -------------------------------------------------------------- */

static void check_refused(setup *s, const char *text)
{
    rein_ppo *ppo;
    assert_fails(rein_ppo_create(&s->config, &s->task, false, &ppo), REIN_ECONFIG, text);
    assert_null(ppo);
}

static void test_refused(void **state)
{
    (void)state;
    setup s;
    setup_id(&s, "CartPole-v1", 3, 1);
    s.config.n_minibatches = 5;
    check_refused(&s, "384 rows (algo.n_steps 128 x 3)");
    check_refused(&s, "algo.n_minibatches 5: 4 would fit");
    s.config.n_minibatches = 384;
    check_refused(&s, "one row");
    s.config.normalize_advantage = false;
    rein_ppo *ppo = create(&s); /* then it is possible */
    train(ppo, 1);
    rein_ppo_free(ppo);
    s.config.n_steps = 1048576;
    s.task.n_envs = 1000;
    rein_env_spec spec = {.n_agents = 1};
    assert_int_equal(rein_algo_ppo.check(&s.config, &s.task, &spec), REIN_ECONFIG);
    s.task.n_envs = 1;
    s.config.n_steps = 128;
    s.config.n_minibatches = 4;
    s.task.net.hidden.n = REIN_LIST_MAX;
    for (int i = 0; i < REIN_LIST_MAX; i++) s.task.net.hidden.values[i] = 4;
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
    assert_ok(rein_algo_ppo.train(&s.config, &s.task, &rein_run_none));
    setup_free(&s);
    rein_ppo_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_update_discrete),
        cmocka_unit_test(test_recorded_update_gaussian),
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_two_agents),
        cmocka_unit_test(test_any_number_of_threads),
        cmocka_unit_test(test_seed_matters),
        cmocka_unit_test(test_continues_from_checkpoint),
        cmocka_unit_test(test_foreign_checkpoint),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_log_prob),
        cmocka_unit_test(test_draws_are_new),
        cmocka_unit_test(test_lr_and_target_kl),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_train),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
