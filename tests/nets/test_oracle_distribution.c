/* Action distributions against libtorch's autograd: log-probabilities, entropies, divergences and
 * their gradients, samples.
 *
 * Beside 1e-5 of the largest entry, results that are sums of terms of both signs may be off by
 * EPS = 16 roundings of a float, times the size of the terms: with one row the sum itself can be as
 * small as chance likes. Each place says what its terms are. */
#include "tests/oracle.h"

#include "nets/distribution.h"

#define EPS 0x1p-20

/* --- categorical ------------------------------------------------------------------------------ */

typedef struct discrete {
    int n, k;
    uint8_t *mask; /* [n, k] or NULL */
    int32_t *action;
    float *logits, *a, *b; /* a, b [n]: derivatives by log-probability and entropy */
} discrete;

static discrete discrete_new(rein_rng *rng, bool may_mask)
{
    discrete d = {.n = o_int(rng, 1, 150), .k = o_int(rng, 1, o_chance(rng, 0.7) ? 8 : 50)};
    const size_t size = (size_t)(d.n * d.k), n = (size_t)d.n;
    const double scale = o_log_uniform(rng, 0.1, 8);
    const bool one_sided = o_chance(rng, 0.2);
    d.logits = o_normals(rng, size, scale);
    d.a = o_normals(rng, n, 1), d.b = o_normals(rng, n, one_sided ? 0 : 0.5);
    d.action = o_bytes(n * sizeof(int32_t));
    for (int i = 0; i < d.n; i++) d.action[i] = o_int(rng, 0, d.k - 1);
    if (may_mask && o_chance(rng, 0.5)) {
        d.mask = o_bytes(size);
        for (size_t i = 0; i < size; i++) d.mask[i] = o_chance(rng, 0.6);
        for (int i = 0; i < d.n; i++) d.mask[i * d.k + d.action[i]] = 1;
    }
    o_say("n %d, k %d, logits of %g, %s", d.n, d.k, scale, d.mask ? "mask" : "no mask");
    return d;
}

/* [n, k]; forbidden logits count as -1e8. */
static rein_tensor *log_softmax(const discrete *d, rein_tensor *logits)
{
    rein_tensor *allowed = logits, *out = NULL;
    if (d->mask) {
        rein_tensor *forbidden = NULL, *filled = NULL;
        o_ok(rein_tensor_logical_not(o_mask(d->mask, O_SHAPE(d->n, d->k)), &forbidden));
        o_ok(rein_tensor_masked_fill(logits, o_keep(forbidden), -1e8, &filled));
        allowed = o_keep(filled);
    }
    o_ok(rein_tensor_log_softmax(allowed, 1, &out));
    return o_keep(out);
}

/* Log-probabilities are differences of logits; log Z has an error of its own. Entropy is log Z less
 * a mean, both at most log k. Gradients are differences of numbers of the size of a and b log k. */
static void categorical_case(rein_rng *rng)
{
    const discrete d = discrete_new(rng, true);
    const size_t n = (size_t)d.n;
    float *log_prob = o_floats(n), *entropy = o_floats(n), *dlogits = o_floats(n * (size_t)d.k);
    rein_categorical_log_prob(d.logits, d.mask, d.n, d.k, d.action, log_prob, entropy);
    rein_categorical_backward(d.logits, d.mask, d.n, d.k, d.action, d.a, d.b, dlogits);

    rein_tensor *logits = O_LEAF(d.logits, d.n, d.k), *log_p = log_softmax(&d, logits);
    rein_tensor *a = O_CONST(d.a, d.n), *b = O_CONST(d.b, d.n);
    rein_tensor *chosen = o_pick(log_p, o_index(d.action, d.n));
    rein_tensor *h = o_neg(O_SUM(o_mul(o_exp(log_p), log_p), 1));
    const double top = 1 + o_largest(logits), most = 1 + log(d.k);
    o_close_but("log_prob", log_prob, chosen, EPS * top);
    o_close_but("entropy", entropy, h, EPS * most);
    o_backward(o_add(o_total(o_mul(a, chosen)), o_total(o_mul(b, h))), NULL);
    o_close_but("dlogits", dlogits, o_grad(logits), EPS * (o_largest(a) + o_largest(b) * most));
    rein_categorical_log_prob(d.logits, d.mask, d.n, d.k, d.action, dlogits, NULL);
    assert_memory_equal(dlogits, log_prob, n * sizeof(float));
}

static void categorical_kl_case(rein_rng *rng)
{
    discrete p = discrete_new(rng, false), q = p;
    q.logits = o_normals(rng, (size_t)(p.n * p.k), o_log_uniform(rng, 0.01, 8));
    if (o_chance(rng, 0.5)) { /* near to one another, as a policy and the one before */
        for (int i = 0; i < p.n * p.k; i++) q.logits[i] = p.logits[i] + 0.05F * q.logits[i];
    }
    float *kl = o_floats((size_t)p.n);
    rein_categorical_kl(p.logits, q.logits, p.n, p.k, kl);
    rein_tensor *log_p = log_softmax(&p, O_CONST(p.logits, p.n, p.k));
    rein_tensor *log_q = log_softmax(&q, O_CONST(q.logits, p.n, p.k));
    const double top =
        1 + fmax(o_largest(O_CONST(p.logits, p.n, p.k)), o_largest(O_CONST(q.logits, p.n, p.k)));
    o_close_but("kl", kl, O_SUM(o_mul(o_exp(log_p), o_sub(log_p, log_q)), 1), EPS * top);
}

/* The first action whose cumulative probability is above u, unless u is too near to a limit for
 * single precision; the largest logit. */
static void categorical_sample_case(rein_rng *rng)
{
    const discrete d = discrete_new(rng, true);
    const size_t n = (size_t)d.n, k = (size_t)d.k, bytes = n * k * sizeof(double);
    float *u = o_floats(n);
    int32_t *sample = o_bytes(n * sizeof(int32_t)), *mode = o_bytes(n * sizeof(int32_t));
    for (size_t i = 0; i < n; i++) u[i] = rein_rng_uniform_f32(rng);
    rein_categorical_sample(d.logits, d.mask, d.n, d.k, u, sample);
    rein_categorical_mode(d.logits, d.mask, d.n, d.k, mode);

    rein_tensor *log_p = log_softmax(&d, O_CONST(d.logits, d.n, d.k)), *sums = NULL, *best = NULL;
    o_ok(rein_tensor_cumsum(o_exp(log_p), 1, &sums));
    o_ok(rein_tensor_max(log_p, 1, false, NULL, &best));
    double *sum = o_bytes(bytes);
    int64_t *wanted = o_bytes(n * sizeof(int64_t));
    o_ok(rein_tensor_read(o_keep(sums), sum, bytes));
    o_ok(rein_tensor_read(o_keep(best), wanted, n * sizeof(int64_t)));
    for (size_t i = 0; i < n; i++) {
        if (mode[i] != wanted[i]) o_fail("mode[%zu] is %d, not %d", i, mode[i], (int)wanted[i]);
        const double *s = sum + i * k;
        size_t j = 0;
        bool near = false;
        for (size_t l = 0; l < k; l++) near |= fabs(s[l] - (double)u[i]) < 1e-5;
        while (j + 1 < k && s[j] <= (double)u[i]) j++;
        if (!near && sample[i] != (int)j) {
            o_fail("sample[%zu] is %d, not %zu (u = %.9g)", i, sample[i], j, (double)u[i]);
        }
    }
}

/* --- diagonal Gaussian ------------------------------------------------------------------------ */

typedef struct continuous {
    int n, d;
    float *mean, *log_std, *action, *a, *b;
} continuous;

static continuous continuous_new(rein_rng *rng)
{
    continuous c = {.n = o_int(rng, 1, 150), .d = o_int(rng, 1, 20)};
    const size_t n = (size_t)c.n, d = (size_t)c.d;
    c.mean = o_normals(rng, n * d, o_log_uniform(rng, 0.1, 5));
    c.log_std = o_normals(rng, d, 0.8);
    c.action = o_normals(rng, n * d, o_log_uniform(rng, 0.1, 3));
    for (size_t i = 0; i < n * d; i++) {
        c.action[i] = c.mean[i] + expf(c.log_std[i % d]) * c.action[i];
    }
    c.a = o_normals(rng, n, 1), c.b = o_normals(rng, n, 0.5);
    o_say("n %d, d %d", c.n, c.d);
    return c;
}

/* log(2 pi) / 2 */
#define HALF_LOG_2PI 0.91893853320467274178

/* Terms: (z^2 / 2), |log std|, constants; in dlog_std also over the rows. */
static void gaussian_case(rein_rng *rng)
{
    const continuous c = continuous_new(rng);
    const size_t n = (size_t)c.n, d = (size_t)c.d;
    float *log_prob = o_floats(n), *entropy = o_floats(1), *dmean = o_floats(n * d);
    float *dlog_std = o_floats(d);
    rein_gaussian_log_prob(c.mean, c.log_std, c.n, c.d, c.action, log_prob, entropy);
    rein_gaussian_backward(c.mean, c.log_std, c.n, c.d, c.action, c.a, c.b, dmean, dlog_std);

    rein_tensor *mean = O_LEAF(c.mean, c.n, c.d), *log_std = O_LEAF(c.log_std, c.d);
    rein_tensor *a = O_CONST(c.a, c.n), *b = O_CONST(c.b, c.n);
    rein_tensor *z = o_div(o_sub(O_CONST(c.action, c.n, c.d), mean), o_exp(log_std));
    rein_tensor *half_square = o_times(o_square(z), 0.5);
    rein_tensor *log_p = O_SUM(o_neg(o_plus(o_add(half_square, log_std), HALF_LOG_2PI)), 1);
    rein_tensor *h = o_total(o_plus(log_std, HALF_LOG_2PI + 0.5));
    const double constants = o_item(o_total(o_plus(o_abs(log_std), 1)));
    o_close_but("log_prob", log_prob, log_p, EPS * (constants + o_largest(O_SUM(half_square, 1))));
    o_close_but("entropy", entropy, h, EPS * constants);

    o_backward(o_add(o_total(o_mul(a, log_p)), o_mul(h, o_total(b))), NULL);
    rein_tensor *terms = o_matmul(o_abs(a), o_plus(o_square(z), 1));
    o_close("dmean", dmean, o_grad(mean));
    o_close_but("dlog_std", dlog_std, o_grad(log_std),
                EPS * (o_largest(terms) + o_item(o_total(o_abs(b)))));

    float *noise = o_normals(rng, n * d, 1), *sample = o_floats(n * d);
    rein_gaussian_sample(c.mean, c.log_std, c.n, c.d, noise, sample);
    o_close("sample", sample, o_add(mean, o_mul(o_exp(log_std), O_CONST(noise, c.n, c.d))));
}

static void gaussian_kl_case(rein_rng *rng)
{
    const continuous p = continuous_new(rng);
    const size_t n = (size_t)p.n, d = (size_t)p.d;
    const double apart = o_log_uniform(rng, 0.01, 1);
    float *mean = o_normals(rng, n * d, apart), *log_std = o_normals(rng, d, 0.5 * apart);
    float *kl = o_floats(n);
    for (size_t i = 0; i < n * d; i++) mean[i] += p.mean[i];
    for (size_t i = 0; i < d; i++) log_std[i] += p.log_std[i];
    rein_gaussian_kl(p.mean, p.log_std, mean, log_std, p.n, p.d, kl);

    rein_tensor *shift = o_sub(O_CONST(p.log_std, p.d), O_CONST(log_std, p.d));
    rein_tensor *z = o_div(o_sub(O_CONST(p.mean, p.n, p.d), O_CONST(mean, p.n, p.d)),
                           o_exp(O_CONST(log_std, p.d)));
    rein_tensor *ratio = o_exp(o_times(shift, 2)); /* of variances */
    rein_tensor *half = o_times(o_add(ratio, o_square(z)), 0.5);
    const double terms = o_largest(O_SUM(o_add(o_plus(half, 0.5), o_abs(shift)), 1));
    o_close_but("kl", kl, O_SUM(o_plus(o_sub(half, shift), -0.5), 1), EPS * terms);
}

#define TEST(name, n)                                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        o_cases(#name, n, name##_case);                                                            \
    }
TEST(categorical, 100)
TEST(categorical_kl, 60)
TEST(categorical_sample, 60)
TEST(gaussian, 80)
TEST(gaussian_kl, 60)

int main(void)
{
    O_SKIP_WITHOUT_TORCH();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_categorical),        cmocka_unit_test(test_categorical_kl),
        cmocka_unit_test(test_categorical_sample), cmocka_unit_test(test_gaussian),
        cmocka_unit_test(test_gaussian_kl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
