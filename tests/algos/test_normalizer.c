/* Running statistics against recorded numbers; merging of blocks; saving. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "algos/normalizer.h"
#include "base/rng.h"
#include "tests/algos/memory_archive.h"
#include "tests/golden_h5.h"

static void check_close(const double *got, const double *want, int n, double tolerance)
{
    double scale = 1e-300;
    for (int i = 0; i < n; i++) scale = fmax(scale, fabs(want[i]));
    for (int i = 0; i < n; i++) {
        if (!(fabs(got[i] - want[i]) <= tolerance * scale)) {
            fail_msg("entry %d of %d: %.17g, should be %.17g", i, n, got[i], want[i]);
        }
    }
}

static rein_normalizer *create(int n)
{
    rein_normalizer *normalizer;
    assert_int_equal(rein_normalizer_create(n, &normalizer), REIN_OK);
    return normalizer;
}

static double *read(golden *g, const char *path, size_t dims[4])
{
    double *x = golden_read(g, path, dims, NULL);
    if (!x) fail_msg("no %s", path);
    return x;
}

static void test_recorded_observations(void **state)
{
    (void)state;
    golden g;
    size_t dims[4], ignored[4];
    assert_true(golden_open("learning_math.h5", &g));
    double *batch = read(&g, "running_mean_var/batch", dims); /* [batches, rows, n] */
    double *count = read(&g, "running_mean_var/count", ignored);
    double *mean = read(&g, "running_mean_var/mean", ignored);
    double *var = read(&g, "running_mean_var/var", ignored);
    double *last = read(&g, "running_mean_var/normalized_last", ignored);
    const int n_batches = (int)dims[0], rows = (int)dims[1], n = (int)dims[2];
    float *x = calloc((size_t)(rows * n), sizeof *x);
    rein_normalizer *normalizer = create(n);
    for (int k = 0; k < n_batches; k++) {
        for (int i = 0; i < rows * n; i++) x[i] = (float)batch[k * rows * n + i];
        rein_normalizer_update(normalizer, x, rows);
        check_close(&normalizer->count, count + k, 1, 1e-12);
        check_close(normalizer->mean, mean + k * n, n, 1e-12);
        check_close(normalizer->var, var + k * n, n, 1e-12);
    }
    rein_normalizer_apply(normalizer, x, rows, 10, x);
    for (int i = 0; i < rows * n; i++) assert_true(fabs((double)x[i] - last[i]) < 1e-5);
    rein_normalizer_free(normalizer);
    free(x), free(batch), free(count), free(mean), free(var), free(last);
    golden_close(&g);
}

static void test_recorded_rewards(void **state)
{
    (void)state;
    golden g;
    size_t dims[4], ignored[4];
    double gamma;
    int one;
    assert_true(golden_open("learning_math.h5", &g));
    double *reward = read(&g, "reward_normalizer/reward", dims); /* [steps, rows] */
    double *done = read(&g, "reward_normalizer/done", ignored);
    double *want = read(&g, "reward_normalizer/normalized", ignored);
    double *final_var = read(&g, "reward_normalizer/final_var", ignored);
    assert_true(golden_attr_double(&g, "reward_normalizer", "gamma", &gamma, 1, &one));
    const int n_steps = (int)dims[0], rows = (int)dims[1];
    rein_normalizer *normalizer = create(1);
    double running[64] = {0};
    assert_true(rows <= 64);
    for (int t = 0; t < n_steps; t++) {
        float r[64], y[64];
        uint8_t d[64];
        for (int i = 0; i < rows; i++) {
            r[i] = (float)reward[t * rows + i];
            d[i] = (uint8_t)done[t * rows + i];
        }
        rein_normalizer_rewards(normalizer, gamma, 10, r, d, rows, running, y);
        for (int i = 0; i < rows; i++) {
            assert_true(fabs((double)y[i] - want[t * rows + i]) <= 1e-5);
        }
    }
    check_close(normalizer->var, final_var, 1, 1e-12);
    rein_normalizer_free(normalizer);
    free(reward), free(done), free(want), free(final_var);
    golden_close(&g);
}

static void test_clips(void **state)
{
    (void)state;
    rein_normalizer *normalizer = create(2);
    const float x[4] = {1e6f, -1e6f, 3, -3};
    float y[4], r = 1e6f;
    double running = 0;
    const uint8_t done = 1;
    rein_normalizer_apply(normalizer, x, 2, 5, y);
    assert_true(y[0] == 5 && y[1] == -5);
    assert_true(fabsf(y[2] - 3) < 1e-6f && fabsf(y[3] + 3) < 1e-6f);
    rein_normalizer_free(normalizer);

    normalizer = create(1);
    normalizer->count = 1e12; /* one reward does not move it */
    rein_normalizer_rewards(normalizer, 0.9, 7, &r, &done, 1, &running, &r);
    assert_true(r == 7);
    assert_true(running == 0);
    rein_normalizer_free(normalizer);
}

/* Blocks that start from common statistics and see different rows, merged, know what one that saw
 * everything in the same order of batches knows. */
static void test_merge(void **state)
{
    (void)state;
    enum { N = 3, BLOCKS = 4, STEPS = 50, ROWS = 2 };
    rein_normalizer *start = create(N), *whole = create(N), *parts[BLOCKS], *other = create(N);
    rein_rng rng = rein_rng_stream(7, REIN_RNG_TEST, 0, 0);
    float x[ROWS * N];
    for (int t = 0; t < 1000; t++) { /* a long past */
        rein_rng_normals(&rng, x, ROWS * N);
        for (int i = 0; i < ROWS * N; i++) x[i] = 100 + 3 * x[i];
        rein_normalizer_update(start, x, ROWS);
    }
    rein_normalizer_copy(whole, start);
    for (int b = 0; b < BLOCKS; b++) {
        parts[b] = create(N);
        rein_normalizer_copy(parts[b], start);
        for (int t = 0; t < STEPS && b != 2; t++) { /* block 2 sees nothing */
            rein_rng_normals(&rng, x, ROWS * N);
            for (int i = 0; i < ROWS * N; i++) x[i] = 90 + (float)(i % N) + x[i];
            rein_normalizer_update(parts[b], x, ROWS);
            rein_normalizer_update(whole, x, ROWS);
        }
    }
    rein_normalizer_merge(other, start, parts, BLOCKS);
    check_close(&other->count, &whole->count, 1, 1e-12);
    check_close(other->mean, whole->mean, N, 1e-12);
    check_close(other->var, whole->var, N, 1e-10);
    assert_true(fabsf(other->scale[1] - whole->scale[1]) <= 1e-6f * whole->scale[1]);
    rein_normalizer_merge(start, start, parts, BLOCKS); /* in place: the same bytes */
    assert_memory_equal(start->mean, other->mean, sizeof(double) * N);
    assert_memory_equal(start->var, other->var, sizeof(double) * N);

    rein_normalizer_merge(start, start, parts, 1); /* one part: exactly that part */
    assert_memory_equal(start->var, parts[0]->var, sizeof(double) * N);
    assert_true(start->count == parts[0]->count);
    for (int b = 0; b < BLOCKS; b++) rein_normalizer_free(parts[b]);
    rein_normalizer_free(start), rein_normalizer_free(whole), rein_normalizer_free(other);
}

static void test_archive(void **state)
{
    (void)state;
    rein_normalizer *a = create(2), *b = create(2), *c = create(3);
    const float x[] = {1, 2, 3, 5, 8, 13};
    float y[6], z[6];
    rein_normalizer_update(a, x, 3);
    memory_archive *archive = memory_archive_new();
    assert_int_equal(rein_normalizer_archive(a, &archive->base), REIN_OK);
    archive->base.loading = true;
    assert_int_equal(rein_normalizer_archive(b, &archive->base), REIN_OK);
    assert_int_equal(rein_normalizer_archive(c, &archive->base), REIN_EFORMAT);
    memory_archive_free(archive);
    rein_normalizer_apply(a, x, 3, 10, y);
    rein_normalizer_apply(b, x, 3, 10, z);
    assert_memory_equal(y, z, sizeof y);
    assert_true(a->count == b->count);
    rein_normalizer_free(a), rein_normalizer_free(b), rein_normalizer_free(c);
}

static void test_errors(void **state)
{
    (void)state;
    rein_normalizer *normalizer;
    assert_int_equal(rein_normalizer_create(0, &normalizer), REIN_EINVAL);
    assert_null(normalizer);
    rein_normalizer_free(NULL);
    normalizer = create(1);
    rein_normalizer_update(normalizer, NULL, 0); /* no rows: nothing happens */
    assert_true(normalizer->count == 1e-4);
    rein_normalizer_free(normalizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_observations),
        cmocka_unit_test(test_recorded_rewards),
        cmocka_unit_test(test_clips),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_archive),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
