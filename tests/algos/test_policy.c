/* Policies: what they do with observations, what they refuse. */
#include "tests/algos/policies.h"
#include "tests/alloc_count.h"

enum { ROWS = 50 };

/* The network in double, from params alone: an independent way to the same outputs. */
static void reference_outputs(const rein_policy *p, const double *x, double *y)
{
    double h[64], next[64];
    const rein_net_spec *net = &p->spec.net;
    const float *params = p->params;
    int n_in = net->shape[0];
    for (int i = 0; i < n_in; i++) h[i] = x[i];
    for (int l = 0; l < net->n_layers; l += 2) { /* linear, activation, linear, ... */
        int n_out = net->layers[l].units;
        const float *bias = params + n_in * n_out;
        for (int o = 0; o < n_out; o++) {
            next[o] = (double)bias[o];
            for (int i = 0; i < n_in; i++) next[o] += (double)params[o * n_in + i] * h[i];
            if (l + 1 == net->n_layers) continue;
            next[o] = net->layers[1].activation == REIN_TANH ? tanh(next[o]) : fmax(next[o], 0);
        }
        memcpy(h, next, sizeof h);
        params = bias + n_out;
        n_in = n_out;
    }
    memcpy(y, h, sizeof(double) * (size_t)n_in);
}

/* What the network sees of entry j of a raw observation. */
static double reference_input(const rein_policy *p, const void *observation, int row, int j)
{
    int at = row * p->spec.observation.size + j;
    if (p->spec.observation.dtype == REIN_U8) {
        return ((const uint8_t *)observation)[at] / (double)p->spec.observation.high;
    }
    double x = (double)((const float *)observation)[at];
    if (!p->spec.normalize_observation) return x;
    x = (x - p->mean[j]) / sqrt(p->var[j] + 1e-8);
    return fmax(-p->spec.observation_clip, fmin(p->spec.observation_clip, x));
}

typedef struct scene {
    rein_policy *policy;
    rein_policy_workspace *workspace;
    float observation[ROWS * 16]; /* room for either dtype */
    double expected[ROWS][8];     /* outputs */
    int n_out;
} scene;

static void scene_open(int kind, scene *s)
{
    s->policy = policy_of(kind);
    assert_ok(rein_policy_workspace_create(s->policy, ROWS, &s->workspace));
    policy_observations(s->policy, ROWS, s->observation);
    s->n_out = rein_net_n_out(s->policy->net);
    for (int i = 0; i < ROWS; i++) {
        double x[16];
        for (int j = 0; j < s->policy->spec.observation.size; j++) {
            x[j] = reference_input(s->policy, s->observation, i, j);
        }
        reference_outputs(s->policy, x, s->expected[i]);
    }
}

static void scene_close(scene *s)
{
    rein_policy_workspace_free(s->workspace);
    rein_policy_free(s->policy);
}

static int best_of(const double *y, int k)
{
    int best = 0;
    for (int a = 1; a < k; a++) {
        if (y[a] > y[best]) best = a;
    }
    return best;
}

static void test_outputs(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_POLICIES; kind++) {
        scene s;
        float y[ROWS * 8];
        scene_open(kind, &s);
        assert_ok(rein_policy_outputs(s.policy, s.workspace, s.observation, ROWS, y));
        for (int i = 0; i < ROWS; i++) {
            for (int o = 0; o < s.n_out; o++) {
                assert_true(fabs((double)y[i * s.n_out + o] - s.expected[i][o]) < 1e-5);
            }
        }
        scene_close(&s);
    }
}

static void test_deterministic(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_POLICIES; kind++) {
        scene s;
        scene_open(kind, &s);
        const rein_action_space *space = &s.policy->spec.action;
        union {
            int32_t i[ROWS];
            float f[ROWS * 2];
        } action;
        int clipped = 0;
        assert_ok(rein_policy_act(s.policy, s.workspace, s.observation, ROWS, NULL, &action));
        for (int i = 0; i < ROWS; i++) {
            if (space->kind == REIN_DISCRETE) {
                assert_int_equal(action.i[i], best_of(s.expected[i], space->n));
                continue;
            }
            for (int j = 0; j < space->size; j++) {
                double mean = s.expected[i][j], low = (double)space->low[j];
                double bounded = fmax(low, fmin((double)space->high[j], mean));
                clipped += bounded != mean;
                assert_true(fabs((double)action.f[i * 2 + j] - bounded) < 1e-5);
            }
        }
        assert_true(space->kind == REIN_DISCRETE || (clipped > 5 && clipped < 2 * ROWS));
        scene_close(&s);
    }
}

/* Frequencies of sampled actions for the first observation, against the distribution. */
static void check_frequencies(int kind, const double *probability, double epsilon)
{
    enum { DRAWS = 20000 };
    scene s;
    scene_open(kind, &s);
    s.policy->epsilon = epsilon;
    int counts[3] = {0};
    rein_rng rng = rein_rng_stream(5, REIN_RNG_TEST, 0, 0);
    for (int i = 0; i < DRAWS; i++) {
        int32_t action;
        assert_ok(rein_policy_act(s.policy, s.workspace, s.observation, 1, &rng, &action));
        assert_in_range(action, 0, 2);
        counts[action]++;
    }
    for (int a = 0; a < 3; a++) {
        double p = probability[a];
        assert_true(fabs((double)counts[a] / DRAWS - p) <= 4 * sqrt(p * (1 - p) / DRAWS) + 1e-12);
    }
    scene_close(&s);
}

static void test_sampling_discrete(void **state)
{
    (void)state;
    scene s;
    double p[3], sum = 0;
    scene_open(POLICY_CATEGORICAL, &s);
    for (int a = 0; a < 3; a++) sum += exp(s.expected[0][a]); /* the value behind does not count */
    for (int a = 0; a < 3; a++) p[a] = exp(s.expected[0][a]) / sum;
    scene_close(&s);
    check_frequencies(POLICY_CATEGORICAL, p, 0);
    scene_open(POLICY_Q, &s);
    int best = best_of(s.expected[0], 3);
    scene_close(&s);
    const double epsilons[] = {0, 0.3, 1};
    for (int k = 0; k < 3; k++) {
        for (int a = 0; a < 3; a++) p[a] = epsilons[k] / 3 + (a == best ? 1 - epsilons[k] : 0);
        check_frequencies(POLICY_Q, p, epsilons[k]);
    }
}

static void test_sampling_continuous(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    scene s;
    scene_open(POLICY_GAUSSIAN, &s);
    rein_action_space *space = &s.policy->spec.action;
    for (int j = 0; j < 2; j++) { /* no bounds: nothing is clipped */
        space->low[j] = -INFINITY;
        space->high[j] = INFINITY;
    }
    rein_rng rng = rein_rng_stream(5, REIN_RNG_TEST, 0, 0);
    double sum[2] = {0}, squares[2] = {0};
    for (int i = 0; i < DRAWS; i++) {
        float a[2];
        assert_ok(rein_policy_act(s.policy, s.workspace, s.observation, 1, &rng, a));
        for (int j = 0; j < 2; j++) {
            double d = (double)a[j] - s.expected[0][j];
            sum[j] += d;
            squares[j] += d * d;
        }
    }
    for (int j = 0; j < 2; j++) {
        double std = exp((double)s.policy->log_std[j]);
        assert_true(fabs(sum[j] / DRAWS) < 4 * std / sqrt(DRAWS));
        assert_true(fabs(sqrt(squares[j] / DRAWS) / std - 1) < 0.03);
    }
    scene_close(&s);
}

static void test_not_finite(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_POLICIES; kind++) {
        const float bad[] = {NAN, INFINITY, -INFINITY};
        for (int k = 0; k < 3; k++) {
            scene s;
            float action[2 * ROWS];
            scene_open(kind, &s);
            s.policy->params[s.policy->n_params - 1] = bad[k];
            rein_policy_pack(s.policy);
            assert_int_equal(
                rein_policy_act(s.policy, s.workspace, s.observation, ROWS, NULL, action),
                REIN_ENAN);
            scene_close(&s);
        }
    }
}

static void test_too_many_rows(void **state)
{
    (void)state;
    scene s;
    int32_t action[ROWS + 1];
    scene_open(POLICY_Q, &s);
    assert_fails(rein_policy_act(s.policy, s.workspace, s.observation, ROWS + 1, NULL, action),
                 REIN_EINVAL, "51 rows");
    rein_policy_workspace *workspace;
    assert_int_equal(rein_policy_workspace_create(s.policy, 0, &workspace), REIN_EINVAL);
    assert_null(workspace);
    scene_close(&s);
}

static void test_allocates_nothing(void **state)
{
    (void)state;
    if (!alloc_count_works()) skip();
    for (int kind = 0; kind < N_POLICIES; kind++) {
        scene s;
        float action[2 * ROWS];
        scene_open(kind, &s);
        rein_rng rng = rein_rng_stream(5, REIN_RNG_TEST, 0, 0);
        long before = alloc_count();
        for (int n = 1; n <= ROWS; n++) {
            rein_policy_act(s.policy, s.workspace, s.observation, n, NULL, action);
            rein_policy_act(s.policy, s.workspace, s.observation, n, &rng, action);
        }
        assert_int_equal(alloc_count() - before, 0);
        scene_close(&s);
    }
}

static void check_refused(rein_policy_spec spec)
{
    rein_policy *policy;
    assert_int_equal(rein_policy_create(&spec, &policy), REIN_EINVAL);
    assert_null(policy);
}

static void test_create_refuses(void **state)
{
    (void)state;
    rein_policy_spec good = policy_spec_of(POLICY_Q), bad = good;
    bad.observation.size = 5;
    check_refused(bad);
    bad = good;
    bad.observation.n_dims = 4;
    check_refused(bad);
    bad = good;
    bad.observation.dtype = REIN_I64;
    check_refused(bad);
    bad = good;
    bad.observation.shape[0] = bad.observation.size = 0;
    check_refused(bad);
    bad = good;
    bad.net.shape[0] = 3;
    check_refused(bad);
    bad = good;
    bad.net.layers[4].units = 2; /* fewer than actions */
    check_refused(bad);
    bad = good;
    bad.net.layers[2].units = 0;
    check_refused(bad);
    bad = good;
    bad.net.n_layers = 0;
    check_refused(bad);
    bad = good;
    bad.net.n_layers = REIN_MAX_LAYERS + 1;
    check_refused(bad);
    bad = good;
    bad.head = REIN_HEAD_GAUSSIAN;
    check_refused(bad);
    bad = good;
    bad.action.n = 0;
    check_refused(bad);
    good = policy_spec_of(POLICY_GAUSSIAN);
    bad = good;
    bad.action.size = REIN_MAX_ACTION + 1;
    check_refused(bad);
    bad = good;
    bad.action.low[1] = 3;
    check_refused(bad);
    bad = good;
    bad.action.high[1] = NAN;
    check_refused(bad);
    bad = good;
    bad.observation_clip = 0;
    check_refused(bad);
    bad = policy_spec_of(POLICY_IMAGE);
    bad.observation.high = 0;
    check_refused(bad);
    rein_policy_free(NULL);
    rein_policy_workspace_free(NULL);
}

static void test_fits(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_POLICIES; kind++) {
        rein_policy *policy = policy_of(kind);
        rein_env_spec spec = {.observation = policy->spec.observation,
                              .action = policy->spec.action,
                              .n_agents = 1},
                      other = spec;
        assert_ok(rein_policy_fits(policy, &spec));
        other.observation.shape[0] = 7;
        assert_fails(rein_policy_fits(policy, &other), REIN_EUNSUPPORTED, "[7");
        assert_non_null(
            strstr(rein_error_message(), kind == POLICY_IMAGE ? "u8 [3, 2, 2]" : "f32 ["));
        assert_non_null(strstr(rein_error_message(), "Test-v0"));
        other = spec;
        other.observation.dtype = spec.observation.dtype == REIN_U8 ? REIN_F32 : REIN_U8;
        assert_int_equal(rein_policy_fits(policy, &other), REIN_EUNSUPPORTED);
        other = spec;
        other.observation.n_dims = 2;
        assert_int_equal(rein_policy_fits(policy, &other), REIN_EUNSUPPORTED);
        other = spec;
        other.action.n = other.action.size = 9;
        assert_fails(rein_policy_fits(policy, &other), REIN_EUNSUPPORTED, "9 ");
        other = spec;
        other.action = policy_spec_of(kind == POLICY_GAUSSIAN ? POLICY_Q : POLICY_GAUSSIAN).action;
        assert_fails(rein_policy_fits(policy, &other), REIN_EUNSUPPORTED, "discrete");
        assert_non_null(strstr(rein_error_message(), "continuous"));
        rein_policy_free(policy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_sampling_discrete),
        cmocka_unit_test(test_sampling_continuous),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_too_many_rows),
        cmocka_unit_test(test_allocates_nothing),
        cmocka_unit_test(test_create_refuses),
        cmocka_unit_test(test_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
