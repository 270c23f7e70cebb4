/* The team: every block once, the same bytes for any number of threads, the first failing block's
 * error, nothing allocated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/team.h"
#include "tests/alloc_count.h"

static const int thread_counts[] = {1, 2, 3, 7};
enum { N_COUNTS = 4, BLOCKS = 37, ROWS = 64 };

static rein_team *team_of(int n_threads)
{
    rein_team *team;
    assert_int_equal(rein_team_create(n_threads, &team), REIN_OK);
    assert_int_equal(rein_team_threads(team), n_threads);
    return team;
}

typedef struct counting {
    int n_threads;
    int visits[BLOCKS]; /* not atomic on purpose: a block belongs to one thread */
    int per_thread[8];
    int bad_thread;
} counting;

static rein_status count_visit(void *context, int block, int thread)
{
    counting *c = context;
    if (thread < 0 || thread >= c->n_threads) c->bad_thread = 1;
    c->visits[block]++;
    c->per_thread[thread]++; /* a workspace: one thread at a time has this index */
    return REIN_OK;
}

static void test_every_block_once(void **state)
{
    (void)state;
    for (int k = 0; k < N_COUNTS; k++) {
        rein_team *team = team_of(thread_counts[k]);
        for (int n = 0; n <= BLOCKS; n++) {
            counting c = {.n_threads = thread_counts[k]};
            assert_int_equal(rein_team_run(team, n, count_visit, &c), REIN_OK);
            int total = 0;
            for (int b = 0; b < BLOCKS; b++) assert_int_equal(c.visits[b], b < n);
            for (int t = 0; t < 8; t++) total += c.per_thread[t];
            assert_int_equal(total, n);
            assert_int_equal(c.bad_thread, 0);
        }
        rein_team_free(team);
    }
}

typedef struct drawing {
    float parts[BLOCKS][ROWS];
} drawing;

static rein_status draw_block(void *context, int block, int thread)
{
    (void)thread;
    drawing *d = context;
    rein_rng rng = rein_rng_stream(5, REIN_RNG_TEST, (uint32_t)block, 0);
    rein_rng_normals(&rng, d->parts[block], ROWS);
    return REIN_OK;
}

static void test_same_bytes(void **state)
{
    (void)state;
    static drawing first, other;
    float first_sum[ROWS], other_sum[ROWS];
    for (int k = 0; k < N_COUNTS; k++) {
        rein_team *team = team_of(thread_counts[k]);
        drawing *d = k == 0 ? &first : &other;
        float *sum = k == 0 ? first_sum : other_sum;
        assert_int_equal(rein_team_run(team, BLOCKS, draw_block, d), REIN_OK);
        rein_team_sum(team, sum, d->parts[0], BLOCKS, ROWS, ROWS);
        if (k > 0) {
            assert_memory_equal(&other, &first, sizeof first);
            assert_memory_equal(other_sum, first_sum, sizeof first_sum);
        }
        rein_team_free(team);
    }
}

/* Large enough to be cut over threads; rows lie `stride` apart and the sum may be in place. */
static void test_sum_in_block_order(void **state)
{
    (void)state;
    enum { N = 50001, STRIDE = N + 15, PARTS = 5 };
    float *parts = malloc(sizeof(float) * STRIDE * PARTS), *out = malloc(sizeof(float) * N);
    float *expected = malloc(sizeof(float) * N);
    assert_true(parts && out && expected);
    rein_rng rng = rein_rng_stream(6, REIN_RNG_TEST, 0, 0);
    rein_rng_normals(&rng, parts, STRIDE * PARTS);
    for (int i = 0; i < N; i++) {
        expected[i] = parts[i];
        for (int b = 1; b < PARTS; b++) expected[i] += parts[b * STRIDE + i];
    }
    for (int k = 0; k < N_COUNTS; k++) {
        rein_team *team = team_of(thread_counts[k]);
        rein_team_sum(team, out, parts, PARTS, STRIDE, N);
        assert_memory_equal(out, expected, sizeof(float) * N);
        if (k == N_COUNTS - 1) {
            rein_team_sum(team, parts, parts, PARTS, STRIDE, N);
            assert_memory_equal(parts, expected, sizeof(float) * N);
        }
        rein_team_sum(team, out, parts, 1, STRIDE, 0);
        rein_team_free(team);
    }
    free(parts);
    free(out);
    free(expected);
}

typedef struct failing {
    int visits[BLOCKS];
    int from; /* every third block from here fails */
} failing;

static rein_status fail_some(void *context, int block, int thread)
{
    (void)thread;
    failing *f = context;
    f->visits[block]++;
    if (block >= f->from && block % 3 == f->from % 3) {
        return rein_fail(block % 2 ? REIN_ENAN : REIN_EIO, "block %d", block);
    }
    return REIN_OK;
}

static void test_first_failure(void **state)
{
    (void)state;
    for (int k = 0; k < N_COUNTS; k++) {
        rein_team *team = team_of(thread_counts[k]);
        for (int from = 0; from < BLOCKS; from++) {
            char expected[32];
            failing f = {.from = from};
            rein_status status = rein_team_run(team, BLOCKS, fail_some, &f);
            assert_int_equal(status, from % 2 ? REIN_ENAN : REIN_EIO);
            snprintf(expected, sizeof expected, "block %d", from);
            assert_string_equal(rein_error_message(), expected);
            for (int b = 0; b < BLOCKS; b++) assert_int_equal(f.visits[b], 1);
            counting c = {.n_threads = thread_counts[k]}; /* and the team works on */
            assert_int_equal(rein_team_run(team, BLOCKS, count_visit, &c), REIN_OK);
        }
        rein_team_free(team);
    }
}

static void test_bad_counts(void **state)
{
    (void)state;
    const int bad[] = {0, -1, 1025};
    for (size_t i = 0; i < 3; i++) {
        rein_team *team = (rein_team *)1;
        assert_int_equal(rein_team_create(bad[i], &team), REIN_EINVAL);
        assert_null(team);
        assert_non_null(strstr(rein_error_message(), "outside [1, 1024]"));
    }
    rein_team_free(NULL);
}

/* Runs of different block counts must not make the thread pool shrink and grow, either. */
static void test_no_allocation(void **state)
{
    (void)state;
    static drawing d;
    float sum[ROWS];
    for (int k = 0; k < N_COUNTS; k++) {
        rein_team *team = team_of(thread_counts[k]);
        assert_int_equal(rein_team_run(team, BLOCKS, draw_block, &d), REIN_OK); /* starts threads */
        long before = alloc_count();
        for (int i = 0; i < 20; i++) {
            rein_team_run(team, BLOCKS, draw_block, &d);
            rein_team_run(team, 1 + i % 8, draw_block, &d);
            rein_team_sum(team, sum, d.parts[0], BLOCKS, ROWS, ROWS);
        }
        assert_int_equal(alloc_count() - before, 0);
        rein_team_free(team);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_block_once),   cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_sum_in_block_order), cmocka_unit_test(test_first_failure),
        cmocka_unit_test(test_bad_counts),         cmocka_unit_test(test_no_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
