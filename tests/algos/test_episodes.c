/* Statistics of finished episodes, and the run that keeps nothing. */
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

#include "algos/episodes.h"
#include "algos/run.h"
#include "tests/algos/memory_archive.h"

static void test_window(void **state)
{
    (void)state;
    rein_episodes episodes = {0};
    assert_true(isnan(rein_episodes_return_mean(&episodes)));
    assert_true(isnan(rein_episodes_length_mean(&episodes)));
    rein_episodes_push(&episodes, -3.5, 7);
    assert_true(rein_episodes_return_mean(&episodes) == -3.5);
    assert_true(rein_episodes_length_mean(&episodes) == 7);
    for (int i = 0; i < 250; i++) rein_episodes_push(&episodes, i, 2 * i);
    assert_int_equal(episodes.count, 251);
    assert_true(rein_episodes_return_mean(&episodes) == (150 + 249) / 2.0); /* the last 100 */
    assert_true(rein_episodes_length_mean(&episodes) == 150 + 249);
    assert_true(episodes.return_sum == -3.5 + 249 * 250 / 2.0);
}

static void test_archive(void **state)
{
    (void)state;
    rein_episodes episodes = {.broken = 4}, loaded = {0};
    for (int i = 0; i < 130; i++) rein_episodes_push(&episodes, 0.1 * i, i);
    memory_archive *archive = memory_archive_new();
    assert_int_equal(rein_episodes_archive(&episodes, &archive->base), REIN_OK);
    archive->base.loading = true;
    assert_int_equal(rein_episodes_archive(&loaded, &archive->base), REIN_OK);
    assert_memory_equal(&loaded, &episodes, sizeof loaded);

    const int64_t negative = -1; /* a damaged file must not become an index */
    memcpy(memory_archive_find(archive, "count")->data, &negative, sizeof negative);
    assert_int_equal(rein_episodes_archive(&loaded, &archive->base), REIN_EFORMAT);
    assert_true(loaded.count >= 0);
    memory_archive_free(archive);
}

static void test_run_none(void **state)
{
    (void)state;
    rein_run *run = &rein_run_none;
    rein_archive *archive = (rein_archive *)run; /* anything but NULL */
    const rein_episodes episodes = {0};
    assert_int_equal(rein_run_resume(run, &archive), REIN_OK);
    assert_null(archive);
    assert_null(run->recorder);
    assert_int_equal(rein_run_log(run, 1, &episodes, NULL, 0), REIN_OK);
    assert_int_equal(rein_run_tick(run, 1), 0);
    assert_int_equal(rein_run_evaluate(run, 1, NULL), REIN_OK);
    assert_int_equal(rein_run_finish(run, 1, NULL), REIN_OK);
    assert_int_equal(rein_run_checkpoint_begin(run, 1, &archive), REIN_EUNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_archive),
        cmocka_unit_test(test_run_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
