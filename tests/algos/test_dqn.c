/* DQN: targets, loss and one whole update against recorded numbers and finite differences; what it
 * learns on probe environments; threads, resuming, allocation, errors. */
#include "tests/algos/dqn_world.h"
#include "tests/alloc_count.h"
#include "tests/engines.h"
#include "tests/golden_group.h"
#include "tests/probe_envs.h"

enum { MAX = 8192 };

/* --- recorded numbers ----------------------------------------------------------------------------
 */

static void golden_integers(golden *g, const char *group, const char *name, int32_t *out)
{
    static float data[MAX];
    int n = (int)golden_floats(g, group, name, data, MAX);
    for (int i = 0; i < n; i++) out[i] = (int32_t)data[i];
}

static void golden_bytes(golden *g, const char *group, const char *name, uint8_t *out)
{
    static float data[MAX];
    int n = (int)golden_floats(g, group, name, data, MAX);
    for (int i = 0; i < n; i++) out[i] = (uint8_t)data[i];
}

/* Equal to the recorded array, up to `tolerance` of its largest entry. */
static void check_golden(golden *g, const char *group, const char *name, const float *got,
                         double tolerance)
{
    static float expected[MAX];
    int n = (int)golden_floats(g, group, name, expected, MAX);
    double largest = 0;
    for (int i = 0; i < n; i++) largest = fmax(largest, fabs((double)expected[i]));
    for (int i = 0; i < n; i++) {
        if (!(fabs((double)got[i] - (double)expected[i]) <= tolerance * largest)) {
            fail_msg("%s/%s[%d]: %.9g, recorded %.9g", group, name, i, (double)got[i],
                     (double)expected[i]);
        }
    }
}

static void check_losses(golden *g, const char *rule, const float *q, const int32_t *action,
                         const float *target, int n, int k)
{
    float td_error[64], dq[256], loss;
    char name[64];
    for (int kind = REIN_DQN_SQUARED; kind <= REIN_DQN_HUBER; kind++) {
        const char *word = kind == REIN_DQN_SQUARED ? "mse" : "huber";
        loss = (float)rein_dqn_loss((rein_dqn_loss_kind)kind, q, action, target, n, k, 1.0 / n,
                                    td_error, dq);
        snprintf(name, sizeof name, "%s_%s_loss", rule, word);
        check_golden(g, "dqn", name, &loss, 1e-6);
        snprintf(name, sizeof name, "%s_%s_dq", rule, word);
        check_golden(g, "dqn", name, dq, 1e-6);
        snprintf(name, sizeof name, "%s_td_error", rule);
        check_golden(g, "dqn", name, td_error, 1e-6);
    }
}

static void test_golden_loss(void **state)
{
    (void)state;
    golden g;
    assert_true(golden_open("learning_math.h5", &g));
    float q[256], next_q[256], next_online[256], reward[64], target[64];
    int32_t action[64];
    uint8_t terminated[64];
    int n = (int)golden_floats(&g, "dqn", "reward", reward, MAX);
    int k = (int)golden_floats(&g, "dqn", "q", q, MAX) / n;
    golden_floats(&g, "dqn", "next_q_target", next_q, MAX);
    golden_floats(&g, "dqn", "next_q_online", next_online, MAX);
    golden_integers(&g, "dqn", "action", action);
    golden_bytes(&g, "dqn", "terminated", terminated);
    double gamma = golden_number(&g, "dqn", "gamma");
    const struct {
        const char *rule;
        const float *online;
        double gamma;
    } rules[] = {{"dqn", NULL, gamma},
                 {"double", next_online, gamma},
                 {"n_step3", NULL, gamma * gamma * gamma}};
    for (int i = 0; i < 3; i++) {
        char name[64];
        rein_dqn_target(next_q, rules[i].online, reward, terminated, n, k, rules[i].gamma, target);
        snprintf(name, sizeof name, "%s_target", rules[i].rule);
        check_golden(&g, "dqn", name, target, 1e-6);
        check_losses(&g, rules[i].rule, q, action, target, n, k);
    }
    golden_close(&g);
}

/* Rows of the injected batch: the recorded ones, `copies` times. */
static void inject_batch(golden *g, rein_dqn *dqn, int copies)
{
    rein_ring_batch *b = &dqn->batch;
    int n = (int)golden_floats(g, "dqn_update", "reward", b->reward, MAX), obs = 4;
    golden_floats(g, "dqn_update", "obs", b->observation, MAX);
    golden_floats(g, "dqn_update", "next_obs", b->next_observation, MAX);
    golden_integers(g, "dqn_update", "action", b->action);
    golden_bytes(g, "dqn_update", "terminated", b->terminated);
    assert_int_equal(n * copies, dqn->config.batch_size);
    for (int i = n; i < n * copies; i++) {
        b->reward[i] = b->reward[i - n];
        b->terminated[i] = b->terminated[i - n];
        ((int32_t *)b->action)[i] = ((int32_t *)b->action)[i - n];
        for (int j = 0; j < obs; j++) {
            ((float *)b->observation)[i * obs + j] = ((float *)b->observation)[(i - n) * obs + j];
            ((float *)b->next_observation)[i * obs + j] =
                ((float *)b->next_observation)[(i - n) * obs + j];
        }
    }
}

/* One whole update; with 9 copies of the batch it is cut in blocks, and the mean stays. */
static void check_golden_update(int copies, int threads, rein_engine_choice engine)
{
    golden g;
    assert_true(golden_open("learning_math.h5", &g));
    dqn_world w;
    world_open(&plain_env, threads, &w);
    plain_config *env = (plain_config *)w.env_config;
    env->n_in = 4;
    env->n_actions = 3;
    w.task.net.hidden.values[0] = w.task.net.hidden.values[1] = 64;
    w.task.net.activation = REIN_RELU;
    w.task.net.engine = (int)engine;
    w.config.batch_size = 32 * copies;
    w.config.loss = REIN_DQN_HUBER;
    w.config.lr = golden_number(&g, "dqn_update", "lr");
    w.config.gamma = golden_number(&g, "dqn_update", "gamma");
    w.config.optimizer_eps = golden_number(&g, "dqn_update", "eps");
    rein_dqn *dqn = world_dqn(&w);
    assert_true(copies == 1 || dqn->n_blocks > 1);
    size_t n = golden_floats(&g, "dqn_update", "params_before", dqn->policy->params, MAX);
    assert_int_equal(n, dqn->policy->n_params);
    golden_floats(&g, "dqn_update", "target_params", dqn->policy->params, MAX);
    w.config.tau = 1;
    rein_dqn_update_target(dqn);
    golden_floats(&g, "dqn_update", "params_before", dqn->policy->params, MAX);
    rein_policy_pack(dqn->policy);
    inject_batch(&g, dqn, copies);

    assert_ok(rein_dqn_update(dqn, &dqn->batch));
    float loss = (float)dqn->loss;
    check_golden(&g, "dqn_update", "loss", &loss, 1e-5);
    check_golden(&g, "dqn_update", "gradient", dqn->grad, 1e-5);
    check_golden(&g, "dqn_update", "params_after", dqn->policy->params, 1e-5);
    assert_int_equal(dqn->updates, 1);
    rein_dqn_free(dqn);
    world_close(&w);
    golden_close(&g);
}

static void test_golden_update(void **state)
{
    (void)state;
    FOR_EACH_ENGINE(engine)
    {
        check_golden_update(1, 1, engine);
        check_golden_update(9, 1, engine);
        check_golden_update(9, 2, engine);
    }
}

/* --- finite differences --------------------------------------------------------------------------
 */

/* Loss at the parameters of `from`, with entry i moved by h. The target network stays. */
static double loss_at(rein_dqn *dqn, const float *from, size_t i, float h)
{
    memcpy(dqn->policy->params, from, dqn->policy->n_params * sizeof *from);
    dqn->policy->params[i] += h;
    rein_policy_pack(dqn->policy);
    assert_ok(rein_dqn_update(dqn, &dqn->batch));
    return dqn->loss;
}

static void check_differences(int loss)
{
    dqn_world w;
    world_open(&plain_env, 1, &w);
    plain_config *env = (plain_config *)w.env_config;
    env->n_in = 5;
    env->n_actions = 3;
    env->random = true;
    w.config.loss = loss;
    w.config.batch_size = 150; /* two blocks, one of them short */
    rein_dqn *dqn = world_dqn(&w);
    for (int t = 0; t < 300; t++) assert_ok(rein_dqn_collect(dqn, 1));
    for (int t = 0; t < 40; t++) assert_ok(rein_dqn_update(dqn, NULL)); /* away from the target */
    size_t n = dqn->policy->n_params;
    float *from = malloc(n * sizeof *from), *grad = malloc(n * sizeof *grad);
    memcpy(from, dqn->policy->params, n * sizeof *from);
    loss_at(dqn, from, 0, 0);
    memcpy(grad, dqn->grad, n * sizeof *grad);
    double largest = 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs((double)grad[i]));
    assert_true(largest > 1e-3);
    for (size_t i = 0; i < n; i += 31) {
        const float h = 4e-3f;
        double slope = (loss_at(dqn, from, i, h) - loss_at(dqn, from, i, -h)) / (2 * (double)h);
        if (fabs(slope - (double)grad[i]) > 5e-3 * largest) {
            fail_msg("gradient[%zu] = %g, differences say %g", i, (double)grad[i], slope);
        }
    }
    free(from);
    free(grad);
    rein_dqn_free(dqn);
    world_close(&w);
}

static void test_finite_differences(void **state)
{
    (void)state;
    check_differences(REIN_DQN_SQUARED);
    check_differences(REIN_DQN_HUBER);
}

/* Which network chooses and which one judges: TD errors of an update, worked out by hand. */
static void check_td_errors(bool double_q, bool clip)
{
    enum { N = 40, K = 3, OBS = 5 };
    dqn_world w;
    world_open(&plain_env, 1, &w);
    plain_config *env = (plain_config *)w.env_config;
    env->n_in = OBS;
    env->n_actions = K;
    env->random = true;
    env->reward = 3;
    w.config.double_q = double_q;
    w.config.clip_reward = clip;
    w.config.batch_size = N;
    rein_dqn *dqn = world_dqn(&w);
    rein_rng rng = rein_rng_stream(7, REIN_RNG_TEST, 0, 0);
    rein_net_init(dqn->policy->net, REIN_INIT_TORCH, 1, 1, &rng, dqn->target_params);
    rein_net_pack(dqn->policy->net, dqn->target_params, dqn->target_packed);
    for (int t = 0; t < 100; t++) assert_ok(rein_dqn_collect(dqn, 1));
    int64_t index[N];
    assert_ok(rein_ring_sample(dqn->ring, &rng, N, index));
    rein_ring_gather(dqn->ring, index, N, &dqn->batch);
    dqn->batch.terminated[3] = 1;

    float q[N * K], next[N * K], next_target[N * K];
    rein_net_workspace *workspace;
    assert_ok(rein_net_workspace_create(dqn->policy->net, N, &workspace));
    const rein_policy *p = dqn->policy;
    assert_int_equal(
        rein_net_forward(p->net, p->params, NULL, workspace, dqn->batch.observation, N, q),
        REIN_OK);
    assert_int_equal(
        rein_net_forward(p->net, p->params, NULL, workspace, dqn->batch.next_observation, N, next),
        REIN_OK);
    assert_int_equal(rein_net_forward(p->net, dqn->target_params, NULL, workspace,
                                      dqn->batch.next_observation, N, next_target),
                     REIN_OK);
    int differ = 0;
    double q_sum = 0, expected[N];
    for (int i = 0; i < N; i++) {
        int online = 0, target = 0, action = ((int32_t *)dqn->batch.action)[i];
        for (int a = 1; a < K; a++) {
            if (next[i * K + a] > next[i * K + online]) online = a;
            if (next_target[i * K + a] > next_target[i * K + target]) target = a;
        }
        differ += online != target;
        double y = (double)next_target[i * K + (double_q ? online : target)];
        expected[i] = (clip ? 1 : 3) + (i == 3 ? 0 : 0.99 * y) - (double)q[i * K + action];
        q_sum += (double)q[i * K + action];
    }
    assert_true(differ > 3);
    assert_ok(rein_dqn_update(dqn, &dqn->batch));
    for (int i = 0; i < N; i++) {
        assert_true(fabs((double)dqn->td_error[i] - expected[i]) < 1e-5);
    }
    assert_true(fabs(dqn->q_mean - q_sum / N) < 1e-5);
    rein_net_workspace_free(workspace);
    rein_dqn_free(dqn);
    world_close(&w);
}

static void test_td_errors(void **state)
{
    (void)state;
    check_td_errors(false, false);
    check_td_errors(true, false);
    check_td_errors(true, true);
}

/* --- pieces --------------------------------------------------------------------------------------
 */

static void test_target_update(void **state)
{
    (void)state;
    dqn_world w;
    world_open(&plain_env, 1, &w);
    w.config.tau = 0.25;
    rein_dqn *dqn = world_dqn(&w);
    size_t n = dqn->policy->n_params;
    assert_memory_equal(dqn->target_params, dqn->policy->params, n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        dqn->target_params[i] = (float)i;
        dqn->policy->params[i] = -(float)i;
    }
    rein_dqn_update_target(dqn);
    for (size_t i = 0; i < n; i++) {
        assert_true(fabs((double)dqn->target_params[i] - 0.5 * (double)i) <= 1e-6 * (double)i);
    }
    dqn->config.tau = 1;
    rein_dqn_update_target(dqn);
    assert_memory_equal(dqn->target_params, dqn->policy->params, n * sizeof(float));
    rein_dqn_free(dqn);
    world_close(&w);
}

static void test_epsilon_greedy(void **state)
{
    (void)state;
    enum { STEPS = 3000, ENVS = 3 };
    dqn_world w;
    world_open(&plain_env, 1, &w);
    plain_config *env = (plain_config *)w.env_config;
    env->n_in = 4;
    env->n_actions = 5;
    env->random = true;
    w.task.n_envs = ENVS;
    rein_dqn *dqn = world_dqn(&w);
    rein_policy_workspace *workspace;
    assert_ok(rein_policy_workspace_create(dqn->policy, ENVS, &workspace));
    const double epsilons[] = {0, 0.3, 1};
    for (int k = 0; k < 3; k++) {
        int counts[5] = {0}, greedy = 0, n = STEPS * ENVS;
        for (int t = 0; t < STEPS; t++) {
            int32_t best[ENVS];
            assert_ok(
                rein_policy_act(dqn->policy, workspace, dqn->vec->observation, ENVS, NULL, best));
            assert_ok(rein_dqn_collect(dqn, epsilons[k]));
            for (int e = 0; e < ENVS; e++) {
                int32_t action = ((int32_t *)dqn->vec->action)[e];
                assert_in_range(action, 0, 4);
                counts[action]++;
                greedy += action == best[e];
            }
        }
        /* Exploring takes the best action, too, one time in five. */
        double expected = 1 - epsilons[k] * 4 / 5;
        double error = sqrt(expected * (1 - expected) / n);
        assert_true(fabs((double)greedy / n - expected) <= 4 * error);
        for (int a = 0; k == 2 && a < 5; a++) {
            assert_true(fabs((double)counts[a] / n - 0.2) < 4 * sqrt(0.16 / n));
        }
    }
    assert_int_equal(dqn->step, 3 * STEPS * ENVS);
    rein_policy_workspace_free(workspace);
    rein_dqn_free(dqn);
    world_close(&w);
}

static int64_t updates_of(int n_envs, int64_t frequency, int64_t n_updates)
{
    dqn_world w;
    world_open(&plain_env, 1, &w);
    w.task.n_envs = n_envs;
    w.task.total_timesteps = 300;
    w.config.learning_starts = 99;
    w.config.train_frequency = frequency;
    w.config.n_updates = n_updates;
    w.config.batch_size = 1;
    memory_run m;
    memory_init(&m);
    assert_ok(memory_train(&m, &w));
    world_close(&w);
    return m.updates;
}

/* Steps count over all environments, and none of the multiples of the frequency is lost. */
static void test_train_frequency(void **state)
{
    (void)state;
    assert_int_equal(updates_of(1, 1, 1), 201); /* 100, 101, ... 300 */
    assert_int_equal(updates_of(1, 10, 1), 21); /* 100, 110, ... 300 */
    assert_int_equal(updates_of(1, 10, 3), 63);
    assert_int_equal(updates_of(4, 10, 1), 21);
    assert_int_equal(updates_of(50, 10, 1), 25); /* from step 100, which passed 60 ... 100 */
}

/* --- learning ------------------------------------------------------------------------------------
 */

static void check_value(const char *what, double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance)) fail_msg("%s: %g, not %g", what, got, expected);
}

static void learn_probe(int probe, bool double_q, int n_envs, memory_run *m)
{
    dqn_world w;
    world_open(&probe_envs[probe][PROBE_DISCRETE], 1, &w);
    w.config.gamma = 0.7;
    w.config.double_q = double_q;
    w.task.n_envs = n_envs;
    memory_init(m);
    m->n_probe = 3;
    m->probe[0] = -1;
    m->probe[1] = 0;
    m->probe[2] = 1;
    assert_ok(memory_train(m, &w));
    world_close(&w);
}

static void test_probes(void **state)
{
    (void)state;
    for (int variant = 0; variant < 3; variant++) {
        memory_run m;
        const bool double_q = variant == 1;
        const int n_envs = variant == 2 ? 4 : 1;
        learn_probe(PROBE_CONSTANT, double_q, n_envs, &m);
        for (int a = 0; a < 2; a++) check_value("constant", m.q[2 + a], 1, 0.05);
        learn_probe(PROBE_OBSERVATION, double_q, n_envs, &m);
        for (int a = 0; a < 2; a++) {
            check_value("observation -1", m.q[a], -1, 0.05);
            check_value("observation +1", m.q[4 + a], 1, 0.05);
        }
        learn_probe(PROBE_DISCOUNT, double_q, n_envs, &m);
        for (int a = 0; a < 2; a++) {
            check_value("first step", m.q[2 + a], 0.7, 0.05);
            check_value("second step", m.q[4 + a], 1, 0.05);
        }
        learn_probe(PROBE_ACTION, double_q, n_envs, &m);
        for (int a = 0; a < 2; a++) check_value("action", m.q[2 + a], a == 1 ? 1 : -1, 0.05);
        learn_probe(PROBE_BOTH, double_q, n_envs, &m);
        for (int a = 0; a < 2; a++) {
            check_value("both, -1", m.q[a], a == 0 ? 1 : -1, 0.05);
            check_value("both, +1", m.q[4 + a], a == 1 ? 1 : -1, 0.05);
        }
    }
}

/* A task without an end is worth reward / (1 - gamma), whatever its time limit. */
static void check_endless(double reward, bool clip, double expected)
{
    dqn_world w;
    world_open(&plain_env, 1, &w);
    ((plain_config *)w.env_config)->reward = reward;
    w.task.max_episode_steps = 3;
    w.config.gamma = 0.5;
    w.config.clip_reward = clip;
    memory_run m;
    memory_init(&m);
    m.n_probe = 1;
    assert_ok(memory_train(&m, &w));
    for (int a = 0; a < 2; a++) check_value("endless", m.q[a], expected, 0.05 * fabs(expected));
    check_value("endless, logged", m.q_values, expected, 0.05 * fabs(expected));
    world_close(&w);
}

static void test_time_limit_bootstraps(void **state)
{
    (void)state;
    check_endless(1, false, 2);
    check_endless(4, false, 8);
    check_endless(4, true, 2);
    check_endless(-4, true, -2);
}

static void test_optimizers_learn(void **state)
{
    (void)state;
    const struct {
        rein_optimizer_kind kind;
        double lr;
    } cases[] = {{REIN_ADAM, 3e-3}, {REIN_RMSPROP, 1e-3}, {REIN_RMSPROP_TF, 1e-3}, {REIN_SGD, 0.1}};
    for (int i = 0; i < 4; i++) {
        dqn_world w;
        world_open(&probe_envs[PROBE_BOTH][PROBE_DISCRETE], 1, &w);
        w.config.optimizer = (int)cases[i].kind;
        w.config.lr = cases[i].lr;
        w.config.rmsprop_centered = cases[i].kind == REIN_RMSPROP;
        w.config.max_grad_norm = 1;
        w.config.loss = REIN_DQN_HUBER;
        memory_run m;
        memory_init(&m);
        m.n_probe = 2;
        m.probe[0] = -1;
        m.probe[1] = 1;
        assert_ok(memory_train(&m, &w));
        check_value("wrong", m.q[1], -1, 0.15);
        check_value("right", m.q[3], 1, 0.15);
        world_close(&w);
    }
}

/* --- threads, resuming, allocation ---------------------------------------------------------------
 */

static void open_task(const char *id, int threads, dqn_world *w)
{
    const rein_env_class *env;
    assert_ok(rein_env_find(id, &env));
    world_open(env, threads, w);
    w->task.n_envs = 20;
    w->task.total_timesteps = 2400;
    w->config.batch_size = 300;
    w->config.train_frequency = 40;
    w->config.target_update_frequency = 200;
    if (strncmp(id, "MiniGrid", 8) == 0) {
        w->task.net.layers = (rein_words){4, {"conv 8 3x3", "relu", "flatten", "layernorm"}};
    }
}

static const char *const tasks[] = {"CartPole-v1", "MiniGrid-Empty-5x5-v0", "Acrobot-v1"};
enum { N_TASKS = sizeof tasks / sizeof tasks[0] };

static void test_threads(void **state)
{
    (void)state;
    const int threads[] = {1, 2, 3, 7};
    for (int k = 0; k < N_TASKS; k++) {
        memory_run first, other;
        for (int i = 0; i < 4; i++) {
            dqn_world w;
            open_task(tasks[k], threads[i], &w);
            memory_init(&other);
            assert_ok(memory_train(&other, &w));
            world_close(&w);
            if (i == 0) first = other;
            assert_true(other.rows >= 2 && other.updates == 58);
            if (other.params_hash != first.params_hash || other.log_hash != first.log_hash) {
                fail_msg("%s: %d threads give other bytes than 1", tasks[k], threads[i]);
            }
        }
    }
}

static void test_seeds_differ(void **state)
{
    (void)state;
    dqn_world w;
    memory_run a, b;
    open_task("CartPole-v1", 1, &w);
    memory_init(&a);
    assert_ok(memory_train(&a, &w));
    w.task.seed = 2;
    memory_init(&b);
    assert_ok(memory_train(&b, &w));
    assert_true(a.params_hash != b.params_hash && a.log_hash != b.log_hash);
    world_close(&w);
}

/* Stopped after a checkpoint (or later), resumed from it: as if nothing had happened. */
static void check_resume(const char *id, int64_t every, int64_t stop)
{
    dqn_world w;
    memory_run whole, part;
    open_task(id, 1, &w);
    memory_init(&whole);
    assert_ok(memory_train(&whole, &w));

    memory_init(&part);
    snprintf(part.folder, sizeof part.folder, "%s", temporary_folder());
    part.checkpoint_every = every;
    part.stop_at = stop;
    assert_int_equal(memory_train(&part, &w), REIN_EINTERRUPTED);
    assert_non_null(strstr(rein_error_message(), "stopped at step"));
    part.stop_at = 0;
    part.resume = true;
    assert_ok(memory_train(&part, &w));
    assert_true(part.params_hash == whole.params_hash);
    assert_true(part.log_hash == whole.log_hash);
    temporary_remove(part.folder);
    world_close(&w);
}

static void test_resume(void **state)
{
    (void)state;
    check_resume("CartPole-v1", 1300, 1300);
    check_resume("CartPole-v1", 400, 1700);
    check_resume("CartPole-v1", 60, 60); /* before learning */
    check_resume("MiniGrid-Empty-5x5-v0", 500, 2300);
    check_resume("Acrobot-v1", 1180, 1180);
}

/* A checkpoint of another network is refused. */
static void test_resume_of_another(void **state)
{
    (void)state;
    dqn_world w;
    memory_run m;
    open_task("CartPole-v1", 1, &w);
    memory_init(&m);
    snprintf(m.folder, sizeof m.folder, "%s", temporary_folder());
    m.checkpoint_every = m.stop_at = 400;
    assert_int_equal(memory_train(&m, &w), REIN_EINTERRUPTED);
    m.resume = true;
    w.task.net.hidden.values[0] = 16;
    assert_int_equal(memory_train(&m, &w), REIN_EFORMAT);
    temporary_remove(m.folder);
    world_close(&w);
}

static void test_allocates_nothing(void **state)
{
    (void)state;
    if (!alloc_count_works()) skip();
    for (int k = 0; k < N_TASKS; k++) {
        dqn_world w;
        open_task(tasks[k], 2, &w);
        w.config.max_grad_norm = 1;
        w.config.double_q = true;
        rein_dqn *dqn = world_dqn(&w);
        for (int t = 0; t < 10; t++) assert_ok(rein_dqn_collect(dqn, 0.5));
        assert_ok(rein_dqn_update(dqn, NULL));
        long before = alloc_count();
        for (int t = 0; t < 100; t++) { /* over the end of the ring */
            assert_ok(rein_dqn_collect(dqn, 0.5));
            assert_ok(rein_dqn_update(dqn, NULL));
            rein_dqn_update_target(dqn);
        }
        assert_int_equal(alloc_count() - before, 0);
        rein_dqn_free(dqn);
        world_close(&w);
    }
}

/* --- errors --------------------------------------------------------------------------------------
 */

static rein_status check(dqn_world *w)
{
    rein_env_spec spec;
    assert_ok(w->task.env->spec(w->env_config, &spec));
    rein_status status = rein_algo_dqn.check(&w->config, &w->task, &spec);
    /* Creating says the same. */
    rein_dqn *dqn;
    if (status != REIN_OK && w->config.learning_starts < w->task.total_timesteps) {
        assert_int_equal(rein_dqn_create(&w->config, &w->task, &dqn), status);
        assert_null(dqn);
    }
    return status;
}

static void test_refuses(void **state)
{
    (void)state;
    dqn_world w;
    world_open(&probe_envs[PROBE_ACTION][PROBE_CONTINUOUS], 1, &w);
    assert_fails(check(&w), REIN_EUNSUPPORTED, "use ppo");
    world_close(&w);
    world_open(&plain_env, 1, &w);
    assert_ok(check(&w));
    ((plain_config *)w.env_config)->n_agents = 3;
    assert_fails(check(&w), REIN_EUNSUPPORTED, "one agent");
    ((plain_config *)w.env_config)->n_agents = 1;
    w.task.n_envs = 501;
    assert_fails(check(&w), REIN_ECONFIG, "algo.buffer_size");
    w.task.n_envs = 500;
    assert_ok(check(&w));
    w.task.net.hidden.n = REIN_LIST_MAX;
    assert_fails(check(&w), REIN_ECONFIG, "net.hidden");
    w.task.net.hidden.n = 2;
    w.config.learning_starts = w.task.total_timesteps;
    assert_fails(check(&w), REIN_ECONFIG, "learning_starts");
    world_close(&w);
}

static void test_nan_environment(void **state)
{
    (void)state;
    dqn_world w;
    memory_run m;
    world_open(&probe_nan, 1, &w);
    memory_init(&m);
    assert_int_equal(memory_train(&m, &w), REIN_ENAN);
    world_close(&w);
}

static void test_broken_environment(void **state)
{
    (void)state;
    dqn_world w;
    world_open(&probe_broken, 1, &w);
    rein_dqn *dqn = world_dqn(&w);
    for (int t = 0; t < 23; t++) assert_ok(rein_dqn_collect(dqn, 1));
    assert_true(dqn->episodes.count >= 4);
    assert_int_equal(dqn->episodes.broken, dqn->episodes.count);
    rein_dqn_free(dqn);
    world_close(&w);
}

static void test_diverged(void **state)
{
    (void)state;
    dqn_world w;
    world_open(&plain_env, 1, &w);
    rein_dqn *dqn = world_dqn(&w);
    assert_int_equal(rein_dqn_update(dqn, NULL), REIN_EEMPTY);
    for (int t = 0; t < 10; t++) assert_ok(rein_dqn_collect(dqn, 1));
    assert_ok(rein_dqn_update(dqn, NULL));
    dqn->policy->params[dqn->policy->n_params - 1] = NAN;
    dqn->policy->params[dqn->policy->n_params - 2] = NAN;
    rein_policy_pack(dqn->policy);
    assert_fails(rein_dqn_update(dqn, NULL), REIN_ENAN, "step 10 (update 1)");
    assert_non_null(strstr(rein_error_message(), "algo.lr"));
    assert_int_equal(dqn->updates, 1);
    rein_dqn_free(dqn);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_loss),
        cmocka_unit_test(test_golden_update),
        cmocka_unit_test(test_finite_differences),
        cmocka_unit_test(test_td_errors),
        cmocka_unit_test(test_target_update),
        cmocka_unit_test(test_epsilon_greedy),
        cmocka_unit_test(test_train_frequency),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_time_limit_bootstraps),
        cmocka_unit_test(test_optimizers_learn),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_seeds_differ),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_resume_of_another),
        cmocka_unit_test(test_allocates_nothing),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_nan_environment),
        cmocka_unit_test(test_broken_environment),
        cmocka_unit_test(test_diverged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
