/* PPO's losses against numbers recorded from PyTorch, and against finite differences. */
#include "algos/ppo_loss.h"
#include "nets/distribution.h"
#include "tests/golden_group.h"

enum { MAX_ROWS = 64, MAX_HEAD = 8, MAX_GROUPS = 32 };

/* One recorded minibatch in float; want_* stay in double. */
typedef struct minibatch {
    int n, k;
    bool continuous;
    double clip, entropy_coef, value_coef, clip_value;
    float head[MAX_ROWS * MAX_HEAD], log_std[MAX_HEAD];
    float action[MAX_ROWS * MAX_HEAD];
    int32_t choice[MAX_ROWS];
    float old_log_prob[MAX_ROWS], advantage[MAX_ROWS], value[MAX_ROWS], old_value[MAX_ROWS],
        return_[MAX_ROWS];
} minibatch;

static void check_number(golden *g, const char *group, const char *name, double got, double scale)
{
    size_t dims[4];
    double *want = golden_array(g, group, name, dims);
    if (!(fabs(got - *want) <= 1e-5 * fmax(scale, fabs(*want)))) {
        fail_msg("%s/%s: %.9g, should be %.9g", group, name, got, *want);
    }
    free(want);
}

static void load(golden *g, const char *group, minibatch *m)
{
    size_t dims[4];
    *m = (minibatch){.clip = golden_number(g, group, "clip"),
                     .clip_value = golden_number(g, group, "vf_clip"),
                     .entropy_coef = golden_number(g, group, "ent_coef"),
                     .value_coef = golden_number(g, group, "vf_coef")};
    char path[192];
    snprintf(path, sizeof path, "%s/mean", group);
    m->continuous = golden_exists(g, path);
    const char *head = m->continuous ? "mean" : "logits";
    free(golden_array(g, group, head, dims));
    m->n = (int)dims[0];
    m->k = (int)dims[1];
    golden_floats(g, group, head, m->head, MAX_ROWS * MAX_HEAD);
    golden_floats(g, group, "action", m->action, MAX_ROWS * MAX_HEAD);
    for (int i = 0; i < m->n && !m->continuous; i++) m->choice[i] = (int32_t)m->action[i];
    if (m->continuous) golden_floats(g, group, "log_std", m->log_std, MAX_HEAD);
    golden_floats(g, group, "old_log_prob", m->old_log_prob, MAX_ROWS);
    golden_floats(g, group, "advantage", m->advantage, MAX_ROWS);
    golden_floats(g, group, "value", m->value, MAX_ROWS);
    golden_floats(g, group, "old_value", m->old_value, MAX_ROWS);
    golden_floats(g, group, "return_", m->return_, MAX_ROWS);
    if (golden_number(g, group, "norm") != 0) {
        rein_ppo_normalize_advantage(m->advantage, m->n);
        golden_check(g, group, "adv_used", m->advantage, (size_t)m->n);
    }
}

typedef struct gradients {
    float dhead[MAX_ROWS * MAX_HEAD], dlog_std[MAX_HEAD], dvalue[MAX_ROWS];
    rein_ppo_sums sums;
} gradients;

/* As ppo.c does it. */
static void differentiate(const minibatch *m, gradients *d)
{
    float log_prob[MAX_ROWS], dlog_prob[MAX_ROWS], entropy[MAX_ROWS], dentropy[MAX_ROWS];
    const double scale = 1.0 / m->n;
    const int n = m->n, k = m->k;
    d->sums = (rein_ppo_sums){0};
    if (m->continuous) {
        rein_gaussian_log_prob(m->head, m->log_std, n, k, m->action, log_prob, entropy);
    } else {
        rein_categorical_log_prob(m->head, NULL, n, k, m->choice, log_prob, entropy);
    }
    for (int i = 0; i < n; i++) {
        dentropy[i] = (float)(-m->entropy_coef * scale);
        d->sums.entropy += entropy[m->continuous ? 0 : i];
    }
    rein_ppo_policy_loss(log_prob, m->old_log_prob, m->advantage, n, m->clip, scale, dlog_prob,
                         &d->sums);
    rein_ppo_value_loss(m->value, m->old_value, m->return_, n, m->clip_value != 0, m->clip,
                        scale * m->value_coef, d->dvalue, &d->sums);
    if (m->continuous) {
        rein_gaussian_backward(m->head, m->log_std, n, k, m->action, dlog_prob, dentropy, d->dhead,
                               d->dlog_std);
    } else {
        rein_categorical_backward(m->head, NULL, n, k, m->choice, dlog_prob, dentropy, d->dhead);
    }
}

static void test_recorded(void **state)
{
    (void)state;
    golden g;
    assert_true(golden_open("learning_math.h5", &g));
    int n_groups = golden_children(&g, "ppo", (char[MAX_GROUPS][64]){{0}}, MAX_GROUPS);
    assert_true(n_groups > 0);
    for (int i = 0; i < n_groups; i++) {
        char child[64], group[128];
        minibatch m;
        gradients d;
        assert_true(golden_child(&g, "ppo", i, child, sizeof child));
        snprintf(group, sizeof group, "ppo/%s", child);
        load(&g, group, &m);
        differentiate(&m, &d);
        golden_check(&g, group, m.continuous ? "dmean" : "dlogits", d.dhead, (size_t)(m.n * m.k));
        if (m.continuous) golden_check(&g, group, "dlog_std", d.dlog_std, (size_t)(m.k));
        golden_check(&g, group, "dvalue", d.dvalue, (size_t)(m.n));
        const double n = m.n, policy = d.sums.policy_loss / n, value = d.sums.value_loss / n,
                     entropy = d.sums.entropy / n;
        check_number(&g, group, "policy_loss", policy, 1);
        check_number(&g, group, "value_loss", value, 0);
        check_number(&g, group, "entropy", entropy, 0);
        check_number(&g, group, "approx_kl_k3", d.sums.approx_kl / n, 1e-1);
        check_number(&g, group, "clip_fraction", d.sums.n_clipped / n, 0);
        check_number(&g, group, "total_loss",
                     policy - m.entropy_coef * entropy + m.value_coef * value, 1);
    }
    golden_close(&g);
}

/* The losses as the equations say them, in double. */
static double policy_loss(double log_prob, double old, double a, double c)
{
    double ratio = exp(log_prob - old), bounded = fmin(fmax(ratio, 1 - c), 1 + c);
    return fmax(-a * ratio, -a * bounded);
}

static double value_loss(double v, double old, double r, bool clip_value, double c)
{
    double moved = old + fmin(fmax(v - old, -c), c), plain = (v - r) * (v - r);
    return 0.5 * (clip_value ? fmax(plain, (moved - r) * (moved - r)) : plain);
}

/* Every combination of sign and size that takes another branch, away from the kinks. */
static void test_finite_differences(void **state)
{
    (void)state;
    const float log_ratio[] = {-1.5f, -0.3f, -0.1f, 0.0f, 0.1f, 0.15f, 0.3f, 1.5f};
    const float advantage[] = {-2, -0.5f, 0, 0.5f, 2};
    const double c = 0.2, h = 1e-6, scale = 0.25;
    for (size_t i = 0; i < sizeof log_ratio / sizeof log_ratio[0]; i++) {
        for (size_t j = 0; j < sizeof advantage / sizeof advantage[0]; j++) {
            const float old = -0.7f, log_prob = old + log_ratio[i], a = advantage[j];
            float d;
            rein_ppo_sums sums = {0};
            rein_ppo_policy_loss(&log_prob, &old, &a, 1, c, scale, &d, &sums);
            const double slope = (policy_loss((double)log_prob + h, old, a, c) -
                                  policy_loss((double)log_prob - h, old, a, c)) /
                                 (2 * h);
            assert_true(fabs((double)d - scale * slope) <= 1e-5 * (1 + fabs(slope)));
            assert_true(fabs(sums.policy_loss - policy_loss(log_prob, old, a, c)) < 1e-5);
        }
    }
    for (int clip_value = 0; clip_value < 2; clip_value++) {
        for (int i = -10; i <= 10; i++) {
            for (int j = -10; j <= 10; j++) {
                const float old = 0.05f, v = old + 0.07f * (float)i, r = 0.011f + 0.09f * (float)j;
                float d;
                rein_ppo_sums sums = {0};
                rein_ppo_value_loss(&v, &old, &r, 1, clip_value, c, scale, &d, &sums);
                const double slope = (value_loss((double)v + h, old, r, clip_value, c) -
                                      value_loss((double)v - h, old, r, clip_value, c)) /
                                     (2 * h);
                assert_true(fabs((double)d - scale * slope) <= 1e-5);
                assert_true(fabs(sums.value_loss - value_loss(v, old, r, clip_value, c)) < 1e-5);
            }
        }
    }
}

static void test_normalized_advantage(void **state)
{
    (void)state;
    float a[100];
    double mean = 0, m2 = 0;
    for (int i = 0; i < 100; i++) a[i] = 1000 + 3 * (float)(i * i % 37);
    rein_ppo_normalize_advantage(a, 100);
    for (int i = 0; i < 100; i++) mean += a[i] / 100.0;
    for (int i = 0; i < 100; i++) m2 += (a[i] - mean) * (a[i] - mean);
    assert_true(fabs(mean) < 1e-6);
    assert_true(fabs(m2 / 99 - 1) < 1e-6);
    for (int i = 0; i < 100; i++) a[i] = 5; /* nothing to scale: stays finite */
    rein_ppo_normalize_advantage(a, 100);
    for (int i = 0; i < 100; i++) assert_true(a[i] == 0);
}

static void test_not_finite_is_seen(void **state)
{
    (void)state;
    const float log_prob[] = {0, NAN}, old[] = {0, 0}, a[] = {1, 1};
    float d[2];
    rein_ppo_sums sums = {0};
    rein_ppo_policy_loss(log_prob, old, a, 2, 0.2, 0.5, d, &sums);
    assert_true(isnan(sums.policy_loss));
    assert_true(isnan(d[1]));
    const float value[] = {NAN, 1};
    rein_ppo_value_loss(value, old, a, 2, true, 0.2, 0.5, d, &sums);
    assert_true(isnan(sums.value_loss));
    assert_true(isnan(d[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_finite_differences),
        cmocka_unit_test(test_normalized_advantage),
        cmocka_unit_test(test_not_finite_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
