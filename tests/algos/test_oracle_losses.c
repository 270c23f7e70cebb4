/* The closed-form losses of PPO and DQN against libtorch's autograd: alone, and PPO's whole
 * objective from what the networks put out to the gradient by head, log_std and value.
 *
 * EPS is 16 roundings of a float. */
#include "tests/oracle.h"

#include "algos/dqn.h"
#include "algos/ppo_loss.h"
#include "nets/distribution.h"

#define EPS 0x1p-20

/* --- PPO's two losses ------------------------------------------------------------------------- */

static rein_tensor *policy_loss(const rein_tensor *log_ratio, const rein_tensor *advantage,
                                double clip)
{
    rein_tensor *ratio = o_exp(log_ratio), *gain = o_neg(advantage);
    return o_maximum(o_mul(gain, ratio), o_mul(gain, o_clamp(ratio, 1 - clip, 1 + clip)));
}

static rein_tensor *value_loss(const rein_tensor *value, const rein_tensor *old,
                               const rein_tensor *target, bool clipped, double clip)
{
    rein_tensor *plain = o_square(o_sub(value, target));
    if (!clipped) return o_times(plain, 0.5);
    rein_tensor *near = o_add(old, o_clamp(o_sub(value, old), -clip, clip));
    return o_times(o_maximum(plain, o_square(o_sub(near, target))), 0.5);
}

/* Would single precision perhaps take the other branch? Where the ratio meets its bound. */
static bool on_a_kink(double log_ratio, double clip)
{
    return fabs(exp(log_ratio) - (1 - clip)) < 1e-3 || fabs(exp(log_ratio) - (1 + clip)) < 1e-3;
}

/* Where the value has moved by c, or where both errors are equally long. */
static bool value_on_a_kink(double value, double old, double target, double clip)
{
    const double moved = value - old, near = old + fmin(fmax(moved, -clip), clip);
    return fabs(fabs(moved) - clip) < 1e-4 ||
           (fabs(moved) > clip && fabs(fabs(near - target) - fabs(value - target)) < 1e-4);
}

typedef struct values {
    float *value, *old, *target;
    bool clipped;
    double clip;
} values;

static values values_new(rein_rng *rng, int n)
{
    values v = {.clipped = o_chance(rng, 0.6), .clip = o_log_uniform(rng, 0.05, 1)};
    v.value = o_normals(rng, (size_t)n, 1);
    v.old = o_floats((size_t)n), v.target = o_floats((size_t)n);
    for (int i = 0; i < n; i++) {
        do {
            v.old[i] = v.value[i] + (float)(2 * v.clip * rein_rng_normal(rng));
            v.target[i] = v.value[i] + (float)rein_rng_normal(rng);
        } while (
            value_on_a_kink((double)v.value[i], (double)v.old[i], (double)v.target[i], v.clip));
    }
    return v;
}

static float *old_log_prob_of(rein_rng *rng, const float *log_prob, int n, double clip)
{
    float *old = o_floats((size_t)n);
    const double spread = o_chance(rng, 0.3) ? 0.01 : 2 * clip;
    for (int i = 0; i < n; i++) {
        do {
            old[i] = log_prob[i] + (float)(spread * rein_rng_normal(rng));
        } while (on_a_kink((double)log_prob[i] - (double)old[i], clip));
    }
    return old;
}

/* From log-probabilities on: exact inputs. A kl is a difference of numbers of the size of a ratio
 * and of log-probabilities. */
static void policy_case(rein_rng *rng)
{
    const int n = o_int(rng, 1, 200);
    const double clip = o_log_uniform(rng, 0.05, 0.5), scale = 1.0 / n;
    float *log_prob = o_normals(rng, (size_t)n, 2), *advantage = o_normals(rng, (size_t)n, 1);
    float *old = old_log_prob_of(rng, log_prob, n, clip), *dlog_prob = o_floats((size_t)n);
    rein_ppo_sums sums = {0};
    o_say("n %d, clip %g", n, clip);
    rein_ppo_policy_loss(log_prob, old, advantage, n, clip, scale, dlog_prob, &sums);

    rein_tensor *leaf = O_LEAF(log_prob, n), *log_ratio = o_sub(leaf, O_CONST(old, n));
    rein_tensor *loss = policy_loss(log_ratio, O_CONST(advantage, n), clip);
    rein_tensor *ratio = o_exp(log_ratio), *kl = o_sub(o_plus(ratio, -1), log_ratio);
    rein_tensor *moved = o_gt(o_abs(o_plus(ratio, -1)), o_scalar(clip)), *n_moved = o_total(moved);
    o_backward(o_times(o_total(loss), scale), NULL);
    o_close("dlog_prob", dlog_prob, o_grad(leaf));
    const double terms = n * (o_largest(ratio) + o_largest(leaf));
    o_close_number("policy_loss", sums.policy_loss, o_item(o_total(loss)), EPS * terms);
    o_close_number("approx_kl", sums.approx_kl, o_item(o_total(kl)), EPS * terms);
    o_close_number("n_clipped", sums.n_clipped, o_item(n_moved), 0);
}

static void value_case(rein_rng *rng)
{
    const int n = o_int(rng, 1, 200);
    const values v = values_new(rng, n);
    const double scale = o_log_uniform(rng, 1e-3, 1);
    float *dvalue = o_floats((size_t)n);
    rein_ppo_sums sums = {0};
    o_say("n %d, %s %g", n, v.clipped ? "clip" : "no clip", v.clip);
    rein_ppo_value_loss(v.value, v.old, v.target, n, v.clipped, v.clip, scale, dvalue, &sums);
    rein_tensor *leaf = O_LEAF(v.value, n);
    rein_tensor *loss =
        o_total(value_loss(leaf, O_CONST(v.old, n), O_CONST(v.target, n), v.clipped, v.clip));
    o_backward(o_times(loss, scale), NULL);
    o_close("dvalue", dvalue, o_grad(leaf));
    o_close_number("value_loss", sums.value_loss, o_item(loss), 0);
}

/* --- PPO's whole objective -------------------------------------------------------------------- */

typedef struct objective {
    int n, k;
    bool continuous;
    double clip, entropy_coef, value_coef;
    values v;
    float *head, *log_std, *action_f32, *advantage, *log_prob, *old_log_prob, *entropy;
    int32_t *action_i32;
    float *dlog_prob, *dentropy, *dhead, *dlog_std, *dvalue;
    rein_ppo_sums sums;
} objective;

static objective objective_new(rein_rng *rng, bool continuous)
{
    objective o = {.n = o_int(rng, 1, 200), .k = o_int(rng, 1, continuous ? 8 : 20)};
    const size_t n = (size_t)o.n, size = n * (size_t)o.k;
    o.continuous = continuous;
    o.clip = o_log_uniform(rng, 0.05, 0.5);
    o.entropy_coef = o_log_uniform(rng, 1e-3, 0.1), o.value_coef = o_log_uniform(rng, 0.1, 2);
    o.v = values_new(rng, o.n);
    o.head = o_normals(rng, size, 1), o.log_std = o_normals(rng, (size_t)o.k, 0.5);
    o.action_f32 = o_normals(rng, size, 1), o.action_i32 = o_bytes(n * sizeof(int32_t));
    for (size_t i = 0; i < size; i++) {
        o.action_f32[i] = o.head[i] + expf(o.log_std[i % (size_t)o.k]) * o.action_f32[i];
    }
    for (size_t i = 0; i < n; i++) o.action_i32[i] = o_int(rng, 0, o.k - 1);
    o.advantage = o_normals(rng, n, 1);
    o.log_prob = o_floats(n), o.entropy = o_floats(n), o.dlog_prob = o_floats(n);
    o.dentropy = o_floats(n), o.dhead = o_floats(size), o.dlog_std = o_floats((size_t)o.k);
    o.dvalue = o_floats(n);
    o_say("%s, n %d, k %d, clip %g, entropy_coef %g, value_coef %g, %s",
          continuous ? "gaussian" : "categorical", o.n, o.k, o.clip, o.entropy_coef, o.value_coef,
          o.v.clipped ? "clip_value" : "");
    return o;
}

/* As algos/ppo.c joins the pieces. */
static void run_native(rein_rng *rng, objective *o)
{
    const double scale = 1.0 / o->n;
    for (int i = 0; i < o->n; i++) o->dentropy[i] = (float)(-o->entropy_coef * scale);
    if (o->continuous) {
        rein_gaussian_log_prob(o->head, o->log_std, o->n, o->k, o->action_f32, o->log_prob,
                               o->entropy);
    } else {
        rein_categorical_log_prob(o->head, NULL, o->n, o->k, o->action_i32, o->log_prob,
                                  o->entropy);
    }
    o->old_log_prob = old_log_prob_of(rng, o->log_prob, o->n, o->clip);
    rein_ppo_policy_loss(o->log_prob, o->old_log_prob, o->advantage, o->n, o->clip, scale,
                         o->dlog_prob, &o->sums);
    rein_ppo_value_loss(o->v.value, o->v.old, o->v.target, o->n, o->v.clipped, o->v.clip,
                        o->value_coef * scale, o->dvalue, &o->sums);
    if (o->continuous) {
        rein_gaussian_backward(o->head, o->log_std, o->n, o->k, o->action_f32, o->dlog_prob,
                               o->dentropy, o->dhead, o->dlog_std);
    } else {
        rein_categorical_backward(o->head, NULL, o->n, o->k, o->action_i32, o->dlog_prob,
                                  o->dentropy, o->dhead);
    }
}

/* log pi [n], entropy [n] or one for all rows; returns the size of a log-probability's terms. */
static double oracle_policy(const objective *o, rein_tensor *head, rein_tensor *log_std,
                            rein_tensor **log_prob, rein_tensor **entropy)
{
    if (!o->continuous) {
        rein_tensor *log_p = NULL;
        o_ok(rein_tensor_log_softmax(head, 1, &log_p));
        o_keep(log_p);
        *log_prob = o_pick(log_p, o_index(o->action_i32, o->n));
        *entropy = o_neg(O_SUM(o_mul(o_exp(log_p), log_p), 1));
        return 1 + o_largest(log_p);
    }
    const double half_log_2pi = 0.91893853320467274178;
    rein_tensor *z = o_div(o_sub(O_CONST(o->action_f32, o->n, o->k), head), o_exp(log_std));
    rein_tensor *half_square = o_times(o_square(z), 0.5);
    *log_prob = O_SUM(o_neg(o_plus(o_add(half_square, log_std), half_log_2pi)), 1);
    *entropy = o_total(o_plus(log_std, half_log_2pi + 0.5));
    return o_item(o_total(o_plus(o_abs(log_std), 1))) + o_largest(O_SUM(half_square, 1));
}

/* The ratio is e to a difference of log-probabilities: what these are off by (EPS of their terms)
 * is what ratio and gradient are off by, relatively. By log_std the rows are summed. */
static void objective_case(rein_rng *rng, bool continuous)
{
    objective o = objective_new(rng, continuous);
    run_native(rng, &o);
    rein_tensor *head = O_LEAF(o.head, o.n, o.k), *log_std = O_LEAF(o.log_std, o.k);
    rein_tensor *value = O_LEAF(o.v.value, o.n), *log_prob, *entropy;
    rein_tensor *advantage = O_CONST(o.advantage, o.n);
    const double terms = oracle_policy(&o, head, log_std, &log_prob, &entropy);
    rein_tensor *log_ratio = o_sub(log_prob, O_CONST(o.old_log_prob, o.n));
    rein_tensor *policy = o_mean(policy_loss(log_ratio, advantage, o.clip));
    rein_tensor *worth = o_mean(
        value_loss(value, O_CONST(o.v.old, o.n), O_CONST(o.v.target, o.n), o.v.clipped, o.v.clip));
    rein_tensor *bonus = o_times(o_mean(entropy), -o.entropy_coef);
    o_backward(o_add(o_add(policy, o_times(worth, o.value_coef)), bonus), NULL);

    const rein_tensor *dhead = o_grad(head);
    const double ratio = o_largest(o_exp(log_ratio)), size = o_largest(advantage) * ratio;
    double sharp = 1; /* 1 / std multiplies a Gaussian's gradient by the mean */
    if (continuous) sharp = o_largest(o_exp(o_neg(log_std)));
    const double off = EPS * terms * (size + o.entropy_coef) * sharp / o.n;
    o_close_but("dhead", o.dhead, dhead, off);
    o_close("dvalue", o.dvalue, o_grad(value));
    if (continuous) o_close_but("dlog_std", o.dlog_std, o_grad(log_std), off * o.n);
    o_close_number("policy_loss", o.sums.policy_loss / o.n, o_item(policy), EPS * terms * size);
    o_close_number("value_loss", o.sums.value_loss / o.n, o_item(worth), 0);
    o_close_but("entropy", o.entropy, entropy, EPS * terms);
}

static void discrete_case(rein_rng *rng)
{
    objective_case(rng, false);
}

static void gaussian_case(rein_rng *rng)
{
    objective_case(rng, true);
}

/* --- advantages ------------------------------------------------------------------------------- */

static void advantage_case(rein_rng *rng)
{
    const int n = o_int(rng, 2, 300);
    const double spread = o_log_uniform(rng, 1e-2, 1e2);
    float *x = o_normals(rng, (size_t)n, spread), *other = o_normals(rng, (size_t)n, spread);
    const float shift = (float)(spread * rein_rng_normal(rng));
    for (int i = 0; i < n; i++) x[i] += shift, other[i] += x[i];
    o_say("n %d, spread %g", n, spread);
    rein_tensor *a = O_CONST(x, n), *b = O_CONST(other, n), *var = NULL, *off = NULL;
    o_ok(rein_tensor_var(a, NULL, 0, true, false, &var));
    o_ok(rein_tensor_var(o_sub(a, b), NULL, 0, true, false, &off));
    const double wanted = 1 - o_item(o_keep(off)) / o_item(o_keep(var));
    o_close_number("explained", rein_ppo_explained_variance(x, other, n), wanted,
                   1e-5 * (1 - wanted)); /* that is the quotient */
    rein_tensor *normal = o_div(o_sub(a, o_mean(a)), o_plus(o_sqrt(var), 1e-8));
    rein_ppo_normalize_advantage(x, n);
    o_close("advantage", x, normal);
}

/* --- DQN -------------------------------------------------------------------------------------- */

/* reward + gamma (1 - terminated) Q-(s', a'): a sum that may cancel. */
static void dqn_target_case(rein_rng *rng)
{
    const int n = o_int(rng, 1, 200), k = o_int(rng, 1, 18);
    const size_t size = (size_t)(n * k);
    const bool twice = o_chance(rng, 0.5);
    const double gamma = o_chance(rng, 0.1) ? 0 : rein_rng_uniform_in(rng, 0.8, 1);
    float *next_q = o_normals(rng, size, 2), *online = o_normals(rng, size, 2);
    float *reward = o_normals(rng, (size_t)n, 1), *target = o_floats((size_t)n);
    uint8_t *terminated = o_bytes((size_t)n);
    for (int i = 0; i < n; i++) terminated[i] = o_chance(rng, 0.2);
    o_say("n %d, k %d, gamma %g, %s", n, k, gamma, twice ? "double" : "single");
    rein_dqn_target(next_q, twice ? online : NULL, reward, terminated, n, k, gamma, target);

    rein_tensor *q = O_CONST(next_q, n, k), *index = NULL;
    o_ok(rein_tensor_max(twice ? O_CONST(online, n, k) : q, 1, false, NULL, &index));
    rein_tensor *next = o_pick(q, o_keep(index));
    rein_tensor *goes_on = o_plus(o_neg(o_bytes_const(terminated, O_SHAPE(n))), 1);
    rein_tensor *r = O_CONST(reward, n);
    o_close_but("target", target, o_add(r, o_times(o_mul(goes_on, next), gamma)),
                EPS * (o_largest(r) + o_largest(next)));
}

static void dqn_loss_case(rein_rng *rng)
{
    const rein_dqn_loss_kind kind = o_chance(rng, 0.5) ? REIN_DQN_SQUARED : REIN_DQN_HUBER;
    const int n = o_int(rng, 1, 200), k = o_int(rng, 1, 18);
    const double scale = 1.0 / n, spread = o_log_uniform(rng, 0.1, 5);
    float *q = o_normals(rng, (size_t)(n * k), 1), *target = o_normals(rng, (size_t)n, spread);
    float *td_error = o_floats((size_t)n), *dq = o_floats((size_t)(n * k));
    int32_t *action = o_bytes((size_t)n * sizeof(int32_t));
    for (int i = 0; i < n; i++) action[i] = o_int(rng, 0, k - 1);
    o_say("n %d, k %d, %s, errors of %g", n, k, kind == REIN_DQN_HUBER ? "huber" : "squared",
          spread);
    const double got = rein_dqn_loss(kind, q, action, target, n, k, scale, td_error, dq);

    rein_tensor *leaf = O_LEAF(q, n, k), *loss = NULL, *wanted = O_CONST(target, n);
    rein_tensor *chosen = o_pick(leaf, o_index(action, n));
    if (kind == REIN_DQN_HUBER) {
        o_ok(rein_tensor_huber_loss(chosen, wanted, 1, REIN_TORCH_SUM, &loss));
    } else {
        o_ok(rein_tensor_mse_loss(chosen, wanted, REIN_TORCH_SUM, &loss));
    }
    rein_tensor *mean = o_times(o_keep(loss), scale);
    o_backward(mean, NULL);
    o_close("dq", dq, o_grad(leaf));
    o_close("td_error", td_error, o_sub(wanted, chosen));
    o_close_number("loss", got, o_item(mean), 0);
}

#define TEST(name, n)                                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        o_cases(#name, n, name##_case);                                                            \
    }
TEST(policy, 80)
TEST(value, 60)
TEST(discrete, 80)
TEST(gaussian, 80)
TEST(advantage, 40)
TEST(dqn_target, 60)
TEST(dqn_loss, 60)

int main(void)
{
    O_SKIP_WITHOUT_TORCH();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy),    cmocka_unit_test(test_value),
        cmocka_unit_test(test_discrete),  cmocka_unit_test(test_gaussian),
        cmocka_unit_test(test_advantage), cmocka_unit_test(test_dqn_target),
        cmocka_unit_test(test_dqn_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
