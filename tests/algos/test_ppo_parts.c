/* What PPO and recurrent PPO share: arrays that do not overlap, the policy's distribution, checks,
 * the gain of a shared network's value. Gradients: test_ppo.c, test_ppo_recurrent.c. */
#include "tests/algos/task_set_up.h"

#include "algos/ppo_parts.h"
#include "nets/layers.h"

static void test_rows(void **state)
{
    (void)state;
    enum { N = 5, K = 3 };
    rein_ppo_rows w;
    float *memory = malloc(rein_ppo_rows_size(N, K) * sizeof *memory); /* for the sanitizers */
    rein_ppo_rows_place(memory, N, K, &w);
    for (int i = 0; i < N * (K + 1); i++) w.y[i] = (float)i;
    rein_ppo_split(w.y, N, K, w.head, w.value);
    for (int i = 0; i < N; i++) {
        assert_true(w.value[i] == (float)(4 * i + 3));
        w.dvalue[i] = w.log_prob[i] = w.dlog_prob[i] = w.entropy[i] = w.dentropy[i] = -1;
    }
    memcpy(w.dhead, w.head, N * K * sizeof *w.head);
    float joined[N * (K + 1)];
    rein_ppo_join(w.dhead, w.value, N, K, joined);
    assert_memory_equal(joined, w.y, sizeof joined);
    assert_ptr_equal(w.dentropy + N, memory + rein_ppo_rows_size(N, K));
    free(memory);
}

/* Actions come as often as their probability says; log-probabilities are those of the textbook. */
static void test_categorical(void **state)
{
    (void)state;
    enum { N = 20000 };
    const rein_ppo_pi pi = {.n_head = 3};
    const double p[3] = {0.2, 0.5, 0.3};
    static float head[N][3], noise[N], log_prob[N], entropy[N];
    static int32_t action[N];
    int counts[3] = {0};
    rein_rng rng = rein_rng_stream(1, REIN_RNG_TEST, 0, 0);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < 3; j++) head[i][j] = (float)log(p[j]) + 1;
    }
    rein_ppo_noise(&pi, &rng, N, noise);
    rein_ppo_sample(&pi, head[0], N, noise, action);
    rein_ppo_log_prob(&pi, head[0], action, N, log_prob, entropy);
    for (int i = 0; i < N; i++) {
        counts[action[i]]++;
        assert_true(fabs((double)log_prob[i] - log(p[action[i]])) < 1e-5);
        assert_true(fabs((double)entropy[i] - 1.0296530) < 1e-5);
    }
    for (int j = 0; j < 3; j++) assert_true(fabs(counts[j] / (double)N - p[j]) < 0.015);
}

static void test_gaussian(void **state)
{
    (void)state;
    const float log_std[2] = {-1, 0.5f}, head[2][2] = {{0, 1}, {2, 3}};
    const rein_ppo_pi pi = {true, 2, log_std};
    float noise[4], action[2][2], log_prob[2], entropy;
    rein_rng rng = rein_rng_stream(1, REIN_RNG_TEST, 0, 0);
    rein_ppo_noise(&pi, &rng, 4, noise);
    rein_ppo_sample(&pi, head[0], 2, noise, action);
    rein_ppo_log_prob(&pi, head[0], action[0], 2, log_prob, &entropy);
    for (int i = 0; i < 2; i++) {
        double want = 0;
        for (int j = 0; j < 2; j++) {
            const double z = (double)noise[2 * i + j], sigma = exp((double)log_std[j]);
            assert_true(fabs((double)(action[i][j] - head[i][j]) - sigma * z) < 1e-5);
            want -= z * z / 2 + (double)log_std[j] + log(2 * acos(-1)) / 2;
        }
        assert_true(fabs((double)log_prob[i] - want) < 1e-5);
    }
}

static void test_checks(void **state)
{
    (void)state;
    rein_ppo_config c;
    rein_net_spec net = {.n_layers = 2, .layers = {{.kind = REIN_LAYER_EMBEDDING}}};
    const rein_env_spec env = {.n_agents = 2};
    rein_task task = {.n_envs = 4};
    rein_ppo_sums sums = {.policy_loss = 6, .value_loss = 9};
    assert_ok(rein_fields_defaults(rein_algo_ppo.fields, rein_algo_ppo.n_fields, &c));
    assert_ok(rein_ppo_check_rollout(&c, &task, &env));
    c.n_steps = 1 << 22;
    assert_fails(rein_ppo_check_rollout(&c, &task, &env), REIN_ECONFIG, "4194304 x 8 rows");
    task.n_envs = 0;
    assert_fails(rein_ppo_check_rollout(&c, &task, &env), REIN_ECONFIG, "env.n_envs = 0");
    assert_ok(rein_ppo_check_embedding(&c, &net));
    c.normalize_observation = true;
    assert_fails(rein_ppo_check_embedding(&c, &net), REIN_ECONFIG, "normalize_observation=false");
    net.layers[0].kind = REIN_LAYER_LINEAR;
    assert_ok(rein_ppo_check_embedding(&c, &net));
    assert_ok(rein_ppo_check_norm(1e30, &sums, 3, 5));
    assert_fails(rein_ppo_check_norm((double)INFINITY, &sums, 3, 5), REIN_ENAN,
                 "step 5: the gradient is not finite (policy loss 2, value loss 3)");
}

static void test_regain(void **state)
{
    (void)state;
    float params[6] = {1, 1, 1, 1, 1, 1};
    rein_ppo_regain_value(params + 4, 3, REIN_INIT_TORCH); /* it has no gain */
    assert_true(params[3] == 1);
    rein_ppo_regain_value(params + 4, 3, REIN_INIT_ORTHOGONAL);
    for (int i = 0; i < 6; i++) assert_true(params[i] == (i >= 1 && i < 4 ? 100 : 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_categorical),
        cmocka_unit_test(test_gaussian), cmocka_unit_test(test_checks),
        cmocka_unit_test(test_regain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
