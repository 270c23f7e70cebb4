/* Whole algorithms with both engines from the same seed: after each of the first updates the
 * parameters agree within 1e-5 of the largest one, times the number of updates.
 *
 * Why that is due: gradients agree within 1e-6 of the largest entry, mostly (1e-5 is tested in
 * test_engines). Adam's step is lr m / (sqrt(v) + eps): an entry that is not much larger than what
 * the gradients are apart would be moved by up to lr either way, but eps = 1e-5 holds that down
 * to lr 1e-6 |g| / eps, and |g| <= max_grad_norm = 0.5: lr / 20 = 5e-5 at the very worst, for an
 * entry that nearly vanishes in every step; the typical one is a thousandth of it. What differs
 * also feeds on itself through rollouts, values and targets; so the bound is for the first updates
 * only. A step, an action or a sample that was another one in the other engine would show at once:
 * it moves parameters by lr = 1e-3 or more. */
#include "tests/oracle.h"

#include "algos/dqn.h"
#include "algos/ppo.h"
#include "algos/ppo_recurrent.h"
#include "envs/registry.h"

enum { N_UPDATES = 5, DQN_STEPS = 16 };

static const char *const engine_names[] = {
    [REIN_ENGINE_NATIVE] = "native", [REIN_ENGINE_TORCH] = "torch"};

/* ---- a task ---------------------------------------------------------------------------------- */

typedef struct world {
    const char *env_id, *layers; /* layers NULL: two layers of tanh units */
    bool shared_net, double_q;
    int core; /* of recurrent PPO: REIN_LSTM or REIN_GRU */
    rein_task task;
    char env_config[1024];
} world;

static void world_open(world *w, rein_engine_choice engine)
{
    const rein_env_class *env;
    o_ok(rein_env_find(w->env_id, &env));
    assert_true(env->config_size <= sizeof w->env_config);
    o_ok(rein_env_defaults(env, w->env_config));
    w->task = (rein_task){
        .env = env,
        .env_config = w->env_config,
        .n_envs = 4,
        .max_episode_steps = -1,
        .net = {.hidden = {2, {32, 32}},
                .activation = REIN_TANH,
                .init = REIN_INIT_ORTHOGONAL,
                .engine = (int)engine},
        .total_timesteps = 100000,
        .seed = 3,
    };
    if (w->layers) {
        char text[128];
        int n = 0;
        snprintf(text, sizeof text, "%s", w->layers);
        for (char *at = strtok(text, ","); at; at = strtok(NULL, ",")) {
            snprintf(w->task.net.layers.values[n++], sizeof w->task.net.layers.values[0], "%s",
                     at + strspn(at, " "));
        }
        w->task.net.layers.n = n;
    }
    o_ok(rein_team_create(1, &w->task.team));
}

/* ---- the three algorithms: a history [N_UPDATES + 1][n] of the parameters ---------------------
 */

typedef struct history {
    size_t n;
    float *params[N_UPDATES + 1];
} history;

static void note(history *h, int update, const float *params, size_t n)
{
    h->n = n;
    h->params[update] = o_floats(n);
    memcpy(h->params[update], params, n * sizeof *params);
}

static void set_ppo(rein_ppo_config *c)
{
    c->n_steps = 32;
    c->n_minibatches = 2;
    c->n_epochs = 2;
    c->lr = 1e-3;
    c->anneal_lr = false;
}

static history run_ppo(world *w, rein_engine_choice engine)
{
    history h = {0};
    rein_ppo_config config;
    rein_ppo *ppo = NULL;
    rein_ppo_metrics metrics;
    world_open(w, engine);
    o_ok(rein_fields_defaults(rein_algo_ppo.fields, rein_algo_ppo.n_fields, &config));
    set_ppo(&config);
    config.shared_net = w->shared_net;
    o_ok(rein_ppo_create(&config, &w->task, false, &ppo));
    assert_string_equal(rein_net_engine(ppo->actor), engine_names[engine]);
    note(&h, 0, ppo->params, ppo->n_params);
    for (int i = 1; i <= N_UPDATES; i++) {
        o_ok(rein_ppo_collect(ppo));
        o_ok(rein_ppo_update(ppo, &metrics));
        note(&h, i, ppo->params, ppo->n_params);
    }
    rein_ppo_free(ppo);
    rein_team_free(w->task.team);
    return h;
}

static history run_ppo_recurrent(world *w, rein_engine_choice engine)
{
    history h = {0};
    rein_ppo_recurrent_config config;
    rein_ppo_recurrent *ppo = NULL;
    rein_ppo_metrics metrics;
    rein_ppo_config inner = {0};
    world_open(w, engine);
    o_ok(rein_fields_defaults(rein_algo_ppo_recurrent.fields, rein_algo_ppo_recurrent.n_fields,
                              &config));
    set_ppo(&inner);
    config.n_steps = inner.n_steps, config.n_minibatches = inner.n_minibatches;
    config.n_epochs = inner.n_epochs, config.lr = inner.lr, config.anneal_lr = inner.anneal_lr;
    config.core = w->core, config.core_size = 16, config.shared_net = w->shared_net;
    o_ok(rein_ppo_recurrent_create(&config, &w->task, false, &ppo));
    note(&h, 0, ppo->params, ppo->n_params);
    for (int i = 1; i <= N_UPDATES; i++) {
        o_ok(rein_ppo_recurrent_collect(ppo));
        o_ok(rein_ppo_recurrent_update(ppo, &metrics));
        note(&h, i, ppo->params, ppo->n_params);
    }
    rein_ppo_recurrent_free(ppo);
    rein_team_free(w->task.team);
    return h;
}

/* One entry of the history is DQN_STEPS gradient steps, a new target network among them. */
static history run_dqn(world *w, rein_engine_choice engine)
{
    history h = {0};
    rein_dqn_config config;
    rein_dqn *dqn = NULL;
    world_open(w, engine);
    o_ok(rein_fields_defaults(rein_algo_dqn.fields, rein_algo_dqn.n_fields, &config));
    config.lr = 1e-3, config.optimizer_eps = 1e-5, config.max_grad_norm = 0.5;
    config.buffer_size = 1000, config.batch_size = 32, config.double_q = w->double_q;
    o_ok(rein_dqn_create(&config, &w->task, &dqn));
    assert_string_equal(rein_net_engine(dqn->policy->net), engine_names[engine]);
    for (int i = 0; i < 50; i++) o_ok(rein_dqn_collect(dqn, 1));
    note(&h, 0, dqn->policy->params, dqn->policy->n_params);
    for (int i = 1; i <= N_UPDATES; i++) {
        for (int step = 0; step < DQN_STEPS; step++) {
            o_ok(rein_dqn_collect(dqn, 0.3));
            o_ok(rein_dqn_update(dqn, NULL));
            if (step == 7) rein_dqn_update_target(dqn);
        }
        note(&h, i, dqn->policy->params, dqn->policy->n_params);
    }
    rein_dqn_free(dqn);
    rein_team_free(w->task.team);
    return h;
}

/* ---- comparison ------------------------------------------------------------------------------ */

static void check(const char *name, world *w, history (*run)(world *, rein_engine_choice))
{
    const history a = run(w, REIN_ENGINE_NATIVE), b = run(w, REIN_ENGINE_TORCH);
    bool differ = false;
    o_say("%s, %s", name, w->env_id);
    print_message(" %s, %s, %s\n", name, w->env_id, w->layers ? w->layers : "two layers");
    assert_int_equal(a.n, b.n);
    for (int u = 0; u <= N_UPDATES; u++) {
        double apart = 0, way = 0, largest = 0;
        for (size_t i = 0; i < a.n; i++) {
            apart = fmax(apart, fabs((double)(a.params[u][i] - b.params[u][i])));
            way = fmax(way, fabs((double)(a.params[u][i] - a.params[0][i])));
            largest = fmax(largest, fabs((double)a.params[u][i]));
        }
        print_message("  update %d: moved by %.2g, apart by %.2g\n", u, way, apart);
        if (u == 0) assert_memory_equal(a.params[0], b.params[0], a.n * sizeof(float));
        if (way < 1e-3 * u) o_fail("update %d moved by %g only", u, way);
        if (apart > 1e-5 * largest * u) o_fail("update %d: parameters are %g apart", u, apart);
        differ |= apart > 0;
    }
    assert_true(differ); /* else both were the same engine */
}

static void ppo_case(rein_rng *rng)
{
    (void)rng;
    world worlds[] = {
        {.env_id = "CartPole-v1"},
        {.env_id = "CartPole-v1", .shared_net = true},
        {.env_id = "Pendulum-v1"},
        {.env_id = "MiniGrid-Empty-5x5-v0", .layers = "conv 6 2x2, relu, flatten, linear 32, tanh"},
    };
    for (int i = 0; i < 4; i++) check("ppo", &worlds[i], run_ppo);
}

static void ppo_recurrent_case(rein_rng *rng)
{
    (void)rng;
    world worlds[] = {
        {.env_id = "CartPole-v1", .core = REIN_LSTM},
        {.env_id = "CartPole-v1", .core = REIN_GRU, .shared_net = true},
        {.env_id = "Pendulum-v1", .core = REIN_LSTM},
    };
    for (int i = 0; i < 3; i++) check("ppo_recurrent", &worlds[i], run_ppo_recurrent);
}

static void dqn_case(rein_rng *rng)
{
    (void)rng;
    world worlds[] = {
        {.env_id = "CartPole-v1"},
        {.env_id = "CartPole-v1", .double_q = true},
        {.env_id = "MiniGrid-Empty-5x5-v0", .layers = "conv 6 2x2, relu, flatten, linear 32, tanh"},
    };
    for (int i = 0; i < 3; i++) check("dqn", &worlds[i], run_dqn);
}

static void test_ppo(void **state)
{
    (void)state;
    o_cases("ppo", 1, ppo_case);
}

static void test_ppo_recurrent(void **state)
{
    (void)state;
    o_cases("ppo_recurrent", 1, ppo_recurrent_case);
}

static void test_dqn(void **state)
{
    (void)state;
    o_cases("dqn", 1, dqn_case);
}

int main(void)
{
    O_SKIP_WITHOUT_TORCH();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ppo),
        cmocka_unit_test(test_ppo_recurrent),
        cmocka_unit_test(test_dqn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
