/* Streams: the published numbers of Philox, uniform and normal moments, no bias, no shared state.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "tests/alloc_count.h"

/* Random123 1.14, tests/kat_vectors, the three lines of philox4x32 with 10 rounds. */
static const struct {
    uint32_t counter[4], key[2], expected[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void test_known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        rein_rng rng = {.left = 0};
        memcpy(rng.counter.v, known[i].counter, sizeof known[i].counter);
        memcpy(rng.key.v, known[i].key, sizeof known[i].key);
        for (int k = 0; k < 4; k++) assert_int_equal(rein_rng_u32(&rng), known[i].expected[k]);
    }
}

/* The layout of key and counter is part of the file formats: a resumed run makes them again. */
static void test_layout(void **state)
{
    (void)state;
    rein_rng rng = rein_rng_stream(0x1122334455667788, REIN_RNG_ACTION, 9, 0xabcdef0123456789 >> 8);
    assert_int_equal(rng.key.v[0], 0x55667788);
    assert_int_equal(rng.key.v[1], 0x11223344);
    assert_int_equal(rng.counter.v[0], 0);
    assert_int_equal(rng.counter.v[1], 0x01234567);
    assert_int_equal(rng.counter.v[2], 9);
    assert_int_equal(rng.counter.v[3], 0xabcdef03);
    rein_rng zero = rein_rng_stream(0, (rein_rng_purpose)0, 0, 0);
    for (int k = 0; k < 4; k++) assert_int_equal(rein_rng_u32(&zero), known[0].expected[k]);
    assert_int_equal(zero.counter.v[0], 1);
}

/* Every part of the name makes another stream. */
static void test_streams_differ(void **state)
{
    (void)state;
    rein_rng rngs[] = {
        rein_rng_stream(1, REIN_RNG_RESET, 0, 0),          rein_rng_stream(2, REIN_RNG_RESET, 0, 0),
        rein_rng_stream(1ull << 32, REIN_RNG_RESET, 0, 0), rein_rng_stream(1, REIN_RNG_EVAL, 0, 0),
        rein_rng_stream(1, REIN_RNG_RESET, 1, 0),          rein_rng_stream(1, REIN_RNG_RESET, 0, 1),
        rein_rng_stream(1, REIN_RNG_RESET, 0, 1ull << 32),
    };
    enum { N = sizeof rngs / sizeof rngs[0] };
    uint32_t first[N];
    for (int i = 0; i < N; i++) {
        first[i] = rein_rng_u32(&rngs[i]);
        for (int j = 0; j < i; j++) assert_int_not_equal(first[i], first[j]);
    }
}

/* n draws, mean and variance within 5 standard errors of the true ones. */
static void check_moments(const double *x, int n, double mean, double variance, double fourth)
{
    double m = 0, v = 0;
    for (int i = 0; i < n; i++) m += x[i] / n;
    for (int i = 0; i < n; i++) v += (x[i] - mean) * (x[i] - mean) / n;
    assert_true(fabs(m - mean) < 5 * sqrt(variance / n));
    assert_true(fabs(v - variance) < 5 * sqrt((fourth - variance * variance) / n));
}

enum { DRAWS = 200000 };
static double draws[DRAWS];

static void test_uniform(void **state)
{
    (void)state;
    int bins[16] = {0};
    rein_rng rng = rein_rng_stream(7, REIN_RNG_TEST, 0, 0);
    for (int i = 0; i < DRAWS; i++) {
        draws[i] = rein_rng_uniform(&rng);
        assert_true(draws[i] >= 0 && draws[i] < 1);
        bins[(int)(draws[i] * 16)]++;
    }
    check_moments(draws, DRAWS, 0.5, 1.0 / 12, 1.0 / 80);
    double chi2 = 0, expected = DRAWS / 16.0;
    for (int i = 0; i < 16; i++) chi2 += (bins[i] - expected) * (bins[i] - expected) / expected;
    assert_true(chi2 < 44.3); /* 15 degrees of freedom, p = 1e-4 */
    for (int i = 0; i < DRAWS; i++) {
        draws[i] = rein_rng_uniform_f32(&rng);
        assert_true(draws[i] >= 0 && draws[i] < 1);
    }
    check_moments(draws, DRAWS, 0.5, 1.0 / 12, 1.0 / 80);
    for (int i = 0; i < 1000; i++) {
        double u = rein_rng_uniform_in(&rng, -3, -2.5);
        assert_true(u >= -3 && u < -2.5);
    }
}

static void test_normal(void **state)
{
    (void)state;
    static float normals[DRAWS];
    rein_rng rng = rein_rng_stream(8, REIN_RNG_TEST, 0, 0);
    for (int i = 0; i < DRAWS; i++) draws[i] = rein_rng_normal(&rng);
    check_moments(draws, DRAWS, 0, 1, 3);
    rein_rng_normals(&rng, normals, DRAWS);
    double neighbours = 0;
    int beyond_2 = 0;
    for (int i = 0; i < DRAWS; i++) {
        draws[i] = normals[i];
        assert_true(isfinite(draws[i]));
        beyond_2 += fabs(draws[i]) > 2;
        if (i > 0) neighbours += draws[i] * draws[i - 1] / DRAWS;
    }
    check_moments(draws, DRAWS, 0, 1, 3);
    assert_true(fabs(neighbours) < 5 / sqrt(DRAWS)); /* the two of a pair are independent */
    double p = 0.0455002638963584;                   /* P(|x| > 2) */
    assert_true(fabs((double)beyond_2 / DRAWS - p) < 5 * sqrt(p * (1 - p) / DRAWS));
}

/* The vectorised form is Box & Muller of the same draws, whatever n, and takes 2 ceil(n/2). */
static void test_normals_of_any_length(void **state)
{
    (void)state;
    enum { MAX = 300 };
    float out[MAX + 1], longest[MAX];
    rein_rng rng = rein_rng_stream(9, REIN_RNG_TEST, 0, 0);
    rein_rng_normals(&rng, longest, MAX);
    for (int n = 0; n <= MAX; n++) {
        rein_rng used = rein_rng_stream(9, REIN_RNG_TEST, 0, 0), same = used;
        out[n] = 77;
        rein_rng_normals(&used, out, n);
        assert_true(out[n] == 77);
        assert_memory_equal(out, longest, sizeof(float) * (size_t)n);
        for (int i = 0; i < (n + 1) / 2; i++) {
            double u = ((rein_rng_u32(&same) >> 8) + 1.0) * 0x1p-24;
            double v = (rein_rng_u32(&same) >> 8) * 0x1p-24 * 6.283185307179586;
            double r = sqrt(-2 * log(u));
            assert_true(fabs(out[2 * i] - r * cos(v)) < 1e-5);
            if (2 * i + 1 < n) assert_true(fabs(out[2 * i + 1] - r * sin(v)) < 1e-5);
        }
        assert_int_equal(rein_rng_u32(&used), rein_rng_u32(&same));
    }
}

static void test_below(void **state)
{
    (void)state;
    rein_rng rng = rein_rng_stream(10, REIN_RNG_TEST, 0, 0);
    int counts[7] = {0};
    for (int i = 0; i < 70000; i++) counts[rein_rng_below(&rng, 7)]++;
    for (int i = 0; i < 7; i++) assert_true(abs(counts[i] - 10000) < 500); /* 5.4 sigma */
    /* 3/4 of all 32-bit numbers: a plain remainder would give the lower third half of all draws. */
    int low = 0;
    for (int i = 0; i < 30000; i++) low += rein_rng_below(&rng, 3u << 30) < 1u << 30;
    assert_true(abs(low - 10000) < 500);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(rein_rng_below(&rng, 1), 0);
        assert_true(rein_rng_below(&rng, UINT32_MAX) < UINT32_MAX);
    }
}

static void test_shuffle(void **state)
{
    (void)state;
    rein_rng rng = rein_rng_stream(11, REIN_RNG_TEST, 0, 0);
    for (int n = 0; n < 40; n++) {
        int32_t index[40], seen[40] = {0};
        for (int i = 0; i < n; i++) index[i] = i;
        rein_rng_shuffle(&rng, index, n);
        for (int i = 0; i < n; i++) seen[index[i]]++;
        for (int i = 0; i < n; i++) assert_int_equal(seen[i], 1);
    }
    int counts[6] = {0}; /* all orders of three equally often */
    for (int k = 0; k < 60000; k++) {
        int32_t x[3] = {0, 1, 2};
        rein_rng_shuffle(&rng, x, 3);
        counts[2 * x[0] + (x[1] > x[2])]++;
    }
    for (int i = 0; i < 6; i++) assert_true(abs(counts[i] - 10000) < 500);
}

enum { ROWS = 8, PER_ROW = 50 };
typedef struct share {
    int first, stride;
    float (*out)[PER_ROW];
} share;

static void *draw_rows(void *context)
{
    share *s = context;
    for (int row = s->first; row < ROWS; row += s->stride) {
        rein_rng rng = rein_rng_stream(12, REIN_RNG_ACTION, (uint32_t)row, 3);
        rein_rng_normals(&rng, s->out[row], PER_ROW);
    }
    return NULL;
}

static void test_any_thread_draws_the_same(void **state)
{
    (void)state;
    static float alone[ROWS][PER_ROW], together[ROWS][PER_ROW];
    draw_rows(&(share){0, 1, alone});
    pthread_t threads[3];
    share shares[3];
    for (int t = 0; t < 3; t++) {
        shares[t] = (share){2 - t, 3, together};
        assert_int_equal(pthread_create(&threads[t], NULL, draw_rows, &shares[t]), 0);
    }
    for (int t = 0; t < 3; t++) pthread_join(threads[t], NULL);
    assert_memory_equal(alone, together, sizeof alone);
}

static void test_no_allocation(void **state)
{
    (void)state;
    float out[100];
    int32_t index[100] = {0};
    long before = alloc_count();
    rein_rng rng = rein_rng_stream(13, REIN_RNG_TEST, 0, 0);
    rein_rng_normals(&rng, out, 100);
    rein_rng_shuffle(&rng, index, 100);
    out[0] = (float)(rein_rng_normal(&rng) + rein_rng_uniform(&rng) + rein_rng_below(&rng, 5));
    assert_int_equal(alloc_count() - before, 0);
}

/* The counter itself must count, or the test above proves nothing. */
static void test_allocations_are_counted(void **state)
{
    (void)state;
    long before = alloc_count();
    void *volatile memory = malloc(10);
    free(memory);
    assert_int_equal(alloc_count() - before, alloc_count_works() ? 1 : 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_streams_differ),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_normals_of_any_length),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_shuffle),
        cmocka_unit_test(test_any_thread_draws_the_same),
        cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_allocations_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
