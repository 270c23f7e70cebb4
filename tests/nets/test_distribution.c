/* Distributions against recorded numbers, finite differences in double, and their own samples. */
#include "nets/distribution.h"
#include "tests/golden_group.h"

enum { MAX_ROWS = 130, MAX_K = 40, MAX_SIZE = MAX_ROWS * MAX_K };

/* Equal to `tolerance` of the largest entry. */
static void check_close(const float *got, const double *want, int n, double tolerance)
{
    double scale = 1e-30;
    for (int i = 0; i < n; i++) scale = fmax(scale, fabs(want[i]));
    for (int i = 0; i < n; i++) {
        if (!(fabs((double)got[i] - want[i]) <= tolerance * scale)) {
            fail_msg("entry %d of %d: %.9g, should be %.9g", i, n, (double)got[i], want[i]);
        }
    }
}

/* ---- recorded -------------------------------------------------------------------------------- */

static void read_floats(golden *g, const char *group, const char *name, float *out, size_t dims[4])
{
    double *x = golden_array(g, group, name, dims);
    const size_t n = dims[0] * dims[1] * dims[2] * dims[3];
    assert_true(n <= MAX_SIZE);
    for (size_t i = 0; i < n; i++) out[i] = (float)x[i];
    free(x);
}

static void check_categorical(golden *g, const char *group)
{
    float logits[MAX_SIZE], other[MAX_SIZE], numbers[MAX_SIZE], out[MAX_SIZE];
    float ones[MAX_ROWS], zeros[MAX_ROWS] = {0}, log_prob[MAX_ROWS], entropy[MAX_ROWS];
    uint8_t mask[MAX_SIZE], *m = NULL;
    int32_t action[MAX_ROWS];
    size_t dims[4];
    for (int i = 0; i < MAX_ROWS; i++) ones[i] = 1;
    read_floats(g, group, "action", numbers, dims);
    for (size_t i = 0; i < dims[0]; i++) action[i] = (int32_t)numbers[i];
    read_floats(g, group, "logits", logits, dims);
    const int n = (int)dims[0], k = (int)dims[1];
    char path[128];
    snprintf(path, sizeof path, "%s/mask", group);
    if (golden_exists(g, path)) {
        read_floats(g, group, "mask", numbers, dims);
        for (int i = 0; i < n * k; i++) mask[i] = (uint8_t)numbers[i];
        m = mask;
    }
    rein_categorical_log_prob(logits, m, n, k, action, log_prob, entropy);
    golden_check(g, group, "log_prob", log_prob, (size_t)(n));
    golden_check(g, group, "entropy", entropy, (size_t)(n));
    rein_categorical_backward(logits, m, n, k, action, ones, zeros, out);
    golden_check(g, group, "dlog_prob_dlogits", out, (size_t)(n * k));
    rein_categorical_backward(logits, m, n, k, action, zeros, ones, out);
    golden_check(g, group, "dentropy_dlogits", out, (size_t)(n * k));
    snprintf(path, sizeof path, "%s/kl", group);
    if (!golden_exists(g, path)) return;
    read_floats(g, group, "other_logits", other, dims);
    rein_categorical_kl(logits, other, n, k, out);
    golden_check(g, group, "kl", out, (size_t)(n));
}

static void test_recorded_categorical(void **state)
{
    (void)state;
    golden g;
    assert_true(golden_open("learning_math.h5", &g));
    check_categorical(&g, "categorical");
    check_categorical(&g, "categorical_masked");
    golden_close(&g);
}

/* The recording has its own log_std for each row, ours is shared: one row at a time. */
static void test_recorded_gaussian(void **state)
{
    (void)state;
    golden g;
    const char *group = "diag_gaussian";
    assert_true(golden_open("learning_math.h5", &g));
    static float mean[MAX_SIZE], log_std[MAX_SIZE], other_mean[MAX_SIZE], other_log_std[MAX_SIZE];
    static float action[MAX_SIZE], dmean[MAX_SIZE], dlog_std[MAX_SIZE], dentropy[MAX_SIZE];
    float log_prob[MAX_ROWS], entropy[MAX_ROWS], kl[MAX_ROWS], one = 1, zero = 0, unused[MAX_K];
    size_t dims[4];
    read_floats(&g, group, "mean", mean, dims);
    const int n = (int)dims[0], d = (int)dims[1];
    read_floats(&g, group, "log_std", log_std, dims);
    read_floats(&g, group, "other_mean", other_mean, dims);
    read_floats(&g, group, "other_log_std", other_log_std, dims);
    read_floats(&g, group, "action", action, dims);
    for (int i = 0; i < n; i++) {
        const int at = i * d;
        rein_gaussian_log_prob(mean + at, log_std + at, 1, d, action + at, log_prob + i,
                               entropy + i);
        rein_gaussian_kl(mean + at, log_std + at, other_mean + at, other_log_std + at, 1, d,
                         kl + i);
        rein_gaussian_backward(mean + at, log_std + at, 1, d, action + at, &one, &zero, dmean + at,
                               dlog_std + at);
        rein_gaussian_backward(mean + at, log_std + at, 1, d, action + at, &zero, &one, unused,
                               dentropy + at);
    }
    golden_check(&g, group, "log_prob", log_prob, (size_t)(n));
    golden_check(&g, group, "entropy", entropy, (size_t)(n));
    golden_check(&g, group, "kl", kl, (size_t)(n));
    golden_check(&g, group, "dlog_prob_dmean", dmean, (size_t)(n * d));
    golden_check(&g, group, "dlog_prob_dlog_std", dlog_std, (size_t)(n * d));
    golden_check(&g, group, "dentropy_dlog_std", dentropy, (size_t)(n * d));
    golden_close(&g);
}

/* ---- finite differences of the definitions in double ----------------------------------------- */

static float uniform(rein_rng *rng, double low, double high)
{
    return (float)rein_rng_uniform_in(rng, low, high);
}

/* a log p(action) + b H of one row */
static double categorical_value(const double *logits, const uint8_t *mask, int k, int action,
                                double a, double b)
{
    double z = 0, entropy = 0, top = -1e300;
    for (int j = 0; j < k; j++) top = mask[j] ? fmax(top, logits[j]) : top;
    for (int j = 0; j < k; j++) z += mask[j] ? exp(logits[j] - top) : 0;
    for (int j = 0; j < k; j++) {
        const double log_p = logits[j] - top - log(z);
        if (mask[j]) entropy -= exp(log_p) * log_p;
    }
    return a * (logits[action] - top - log(z)) + b * entropy;
}

typedef struct categorical_batch {
    int n, k;
    float logits[MAX_SIZE], dlog_prob[MAX_ROWS], dentropy[MAX_ROWS];
    uint8_t mask[MAX_SIZE];
    int32_t action[MAX_ROWS];
} categorical_batch;

static void categorical_draw(categorical_batch *b, int n, int k, bool masked)
{
    rein_rng rng = rein_rng_stream(1, REIN_RNG_TEST, (uint32_t)n, (uint64_t)k);
    b->n = n;
    b->k = k;
    for (int i = 0; i < n; i++) {
        b->dlog_prob[i] = uniform(&rng, -2, 2);
        b->dentropy[i] = uniform(&rng, -2, 2);
        b->action[i] = (int32_t)rein_rng_below(&rng, (uint32_t)k);
        for (int j = 0; j < k; j++) {
            b->logits[i * k + j] = uniform(&rng, -4, 4);
            b->mask[i * k + j] = !masked || rein_rng_below(&rng, 3) > 0 || j == b->action[i];
        }
    }
}

static void check_categorical_gradient(const categorical_batch *b, bool masked)
{
    static float got[MAX_SIZE], log_prob[MAX_ROWS], entropy[MAX_ROWS];
    static double want[MAX_SIZE], value[MAX_ROWS];
    const int n = b->n, k = b->k;
    const double h = 1e-5;
    for (int i = 0; i < n; i++) {
        double row[MAX_K];
        const uint8_t *m = b->mask + i * k;
        for (int j = 0; j < k; j++) row[j] = b->logits[i * k + j];
        value[i] = categorical_value(row, m, k, b->action[i], 1, 1);
        for (int j = 0; j < k; j++) {
            const double a = b->dlog_prob[i], e = b->dentropy[i], kept = row[j];
            row[j] = kept + h;
            const double up = categorical_value(row, m, k, b->action[i], a, e);
            row[j] = kept - h;
            want[i * k + j] = (up - categorical_value(row, m, k, b->action[i], a, e)) / (2 * h);
            row[j] = kept;
        }
    }
    const uint8_t *mask = masked ? b->mask : NULL;
    rein_categorical_backward(b->logits, mask, n, k, b->action, b->dlog_prob, b->dentropy, got);
    /* 1 - p of a nearly certain action has no more digits than a float next to 1 */
    for (int i = 0; i < n * k; i++) assert_true(fabs((double)got[i] - want[i]) < 2e-6);
    if (n > 8 && k > 1) check_close(got, want, n * k, 1e-5);
    rein_categorical_log_prob(b->logits, mask, n, k, b->action, log_prob, entropy);
    for (int i = 0; i < n; i++) log_prob[i] += entropy[i];
    check_close(log_prob, value, n, 1e-5);
}

static void test_categorical_gradients(void **state)
{
    (void)state;
    static categorical_batch b;
    const int rows[] = {1, 2, 15, 16, 17, 63, 64, 65, 130}, ks[] = {1, 2, 3, 7, 18, 32, 33, 40};
    for (int i = 0; i < 9; i++) {
        for (int j = 0; j < 8; j++) {
            for (int masked = 0; masked < 2; masked++) {
                categorical_draw(&b, rows[i], ks[j], masked);
                check_categorical_gradient(&b, masked);
            }
        }
    }
}

/* The result of a row does not depend on the rows beside it. */
static void test_rows_alone(void **state)
{
    (void)state;
    static categorical_batch b;
    const int ks[] = {2, 6, 40};
    float all[MAX_ROWS], entropy[MAX_ROWS], one, h;
    for (int c = 0; c < 3; c++) {
        const int k = ks[c];
        categorical_draw(&b, 67, k, false);
        rein_categorical_log_prob(b.logits, NULL, 67, k, b.action, all, entropy);
        for (int i = 0; i < 67; i++) {
            rein_categorical_log_prob(b.logits + i * k, NULL, 1, k, b.action + i, &one, &h);
            assert_memory_equal(&one, &all[i], sizeof one);
            assert_memory_equal(&h, &entropy[i], sizeof h);
        }
    }
}

/* sum_i a_i log N(action_i) + b_i H */
static double gaussian_value(const double *mean, const double *log_std, int n, int d,
                             const float *action, const float *a, const float *b)
{
    const double half_log_2pi = 0.5 * log(2 * acos(-1.0));
    double sum = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < d; j++) {
            const double z = ((double)action[i * d + j] - mean[i * d + j]) / exp(log_std[j]);
            sum += (double)a[i] * (-0.5 * z * z - log_std[j] - half_log_2pi);
            sum += (double)b[i] * (log_std[j] + half_log_2pi + 0.5);
        }
    }
    return sum;
}

static void check_gaussian(int n, int d)
{
    static float mean[MAX_SIZE], action[MAX_SIZE], dmean[MAX_SIZE], log_prob[MAX_ROWS];
    static float a[MAX_ROWS], b[MAX_ROWS], zeros[MAX_ROWS];
    static double mean64[MAX_SIZE], want[MAX_SIZE], value[MAX_ROWS];
    float log_std[MAX_K], dlog_std[MAX_K], entropy;
    double log_std64[MAX_K], want_std[MAX_K];
    const double h = 1e-5;
    rein_rng rng = rein_rng_stream(2, REIN_RNG_TEST, (uint32_t)n, (uint64_t)d);
    for (int j = 0; j < d; j++) log_std64[j] = log_std[j] = uniform(&rng, -1, 0.5);
    for (int i = 0; i < n; i++) a[i] = uniform(&rng, -2, 2), b[i] = uniform(&rng, -2, 2);
    for (int i = 0; i < n * d; i++) {
        mean64[i] = mean[i] = uniform(&rng, -1, 1);
        action[i] = uniform(&rng, -2, 2);
    }
    const float one = 1;
    for (int i = 0; i < n; i++) {
        value[i] = gaussian_value(mean64 + i * d, log_std64, 1, d, action + i * d, &one, zeros);
        for (int j = i * d; j < (i + 1) * d; j++) {
            double row[MAX_K];
            memcpy(row, mean64 + i * d, sizeof(double) * (size_t)d);
            row[j - i * d] = mean64[j] + h;
            const double up = gaussian_value(row, log_std64, 1, d, action + i * d, a + i, b + i);
            row[j - i * d] = mean64[j] - h;
            want[j] =
                (up - gaussian_value(row, log_std64, 1, d, action + i * d, a + i, b + i)) / (2 * h);
        }
    }
    for (int j = 0; j < d; j++) {
        const double kept = log_std64[j];
        log_std64[j] = kept + h;
        const double up = gaussian_value(mean64, log_std64, n, d, action, a, b);
        log_std64[j] = kept - h;
        want_std[j] = (up - gaussian_value(mean64, log_std64, n, d, action, a, b)) / (2 * h);
        log_std64[j] = kept;
    }
    rein_gaussian_log_prob(mean, log_std, n, d, action, log_prob, &entropy);
    check_close(log_prob, value, n, 1e-5);
    const double h64 = gaussian_value(mean64, log_std64, 1, d, action, zeros, &one);
    check_close(&entropy, &h64, 1, 1e-5);
    rein_gaussian_backward(mean, log_std, n, d, action, a, b, dmean, dlog_std);
    check_close(dmean, want, n * d, 1e-5);
    check_close(dlog_std, want_std, d, 1e-5);
}

static void test_gaussian_gradients(void **state)
{
    (void)state;
    const int rows[] = {1, 2, 15, 16, 17, 63, 64, 65, 130};
    for (int i = 0; i < 9; i++) {
        for (int d = 1; d <= 17; d++) check_gaussian(rows[i], d);
    }
}

/* ---- samples and modes ----------------------------------------------------------------------- */

static void test_sample_inverts(void **state)
{
    (void)state;
    const float logits[] = {0.0f, logf(2.0f), logf(5.0f), /* 1/8, 2/8, 5/8 */
                            0.0f, logf(2.0f), logf(5.0f), 0.0f, logf(2.0f), logf(5.0f),
                            0.0f, logf(2.0f), logf(5.0f), 0.0f, logf(2.0f), logf(5.0f)};
    const float u[] = {0.0f, 0.12f, 0.13f, 0.37f, 0.99999994f};
    const int32_t want[] = {0, 0, 1, 1, 2};
    int32_t action[5];
    rein_categorical_sample(logits, NULL, 5, 3, u, action);
    assert_memory_equal(action, want, sizeof want);
}

/* How often each action comes, against its probability; a forbidden one never. */
static void test_sample_frequencies(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    const int ks[] = {2, 7, 40};
    for (int c = 0; c < 3; c++) {
        const int k = ks[c];
        float logits[64 * MAX_K], u[64];
        uint8_t mask[64 * MAX_K];
        int32_t action[64];
        double p[MAX_K], sum = 0;
        int count[MAX_K] = {0};
        for (int j = 0; j < k; j++) {
            const float logit = sinf((float)(3 * j));
            for (int i = 0; i < 64; i++) {
                logits[i * k + j] = logit;
                mask[i * k + j] = j != 1 || k == 2;
            }
            sum += p[j] = mask[j] ? exp((double)logit) : 0;
        }
        rein_rng rng = rein_rng_stream(3, REIN_RNG_TEST, 0, (uint64_t)k);
        for (int draw = 0; draw < DRAWS; draw += 64) {
            for (int i = 0; i < 64; i++) u[i] = rein_rng_uniform_f32(&rng);
            rein_categorical_sample(logits, mask, 64, k, u, action);
            for (int i = 0; i < 64; i++) count[action[i]]++;
        }
        for (int j = 0; j < k; j++) {
            const double want = p[j] / sum, sigma = sqrt(want * (1 - want) / DRAWS);
            assert_true(fabs((double)count[j] / DRAWS - want) <= 5 * sigma);
        }
    }
}

static void test_mode(void **state)
{
    (void)state;
    const float logits[] = {1, 3, 3, 2, -1, -5, -2, -1};
    const uint8_t mask[] = {1, 0, 0, 1, 0, 1, 1, 0};
    int32_t action[2];
    rein_categorical_mode(logits, NULL, 2, 4, action);
    assert_int_equal(action[0], 1); /* the first of equals */
    assert_int_equal(action[1], 0);
    rein_categorical_mode(logits, mask, 2, 4, action);
    assert_int_equal(action[0], 3);
    assert_int_equal(action[1], 2);
}

/* Logits far apart overflow nothing. */
static void test_extreme_logits(void **state)
{
    (void)state;
    const float logits[] = {1000, -1000, 0, 80, 90, -90};
    const int32_t action[] = {0, 1};
    const float one[] = {1, 1};
    float log_prob[2], entropy[2], dlogits[6];
    rein_categorical_log_prob(logits, NULL, 2, 3, action, log_prob, entropy);
    assert_true(log_prob[0] == 0 && entropy[0] == 0);
    assert_true(isfinite(log_prob[1]) && isfinite(entropy[1]));
    rein_categorical_backward(logits, NULL, 2, 3, action, one, one, dlogits);
    for (int i = 0; i < 6; i++) assert_true(isfinite(dlogits[i]));
}

static void test_gaussian_sample(void **state)
{
    (void)state;
    const float mean[] = {1, 2, 3, 4}, log_std[] = {0, logf(0.5f)}, noise[] = {1, -1, 2, 4};
    float action[4];
    rein_gaussian_sample(mean, log_std, 2, 2, noise, action);
    const double want[] = {2, 1.5, 5, 6};
    check_close(action, want, 4, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_categorical),  cmocka_unit_test(test_recorded_gaussian),
        cmocka_unit_test(test_categorical_gradients), cmocka_unit_test(test_rows_alone),
        cmocka_unit_test(test_gaussian_gradients),    cmocka_unit_test(test_sample_inverts),
        cmocka_unit_test(test_sample_frequencies),    cmocka_unit_test(test_mode),
        cmocka_unit_test(test_extreme_logits),        cmocka_unit_test(test_gaussian_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
