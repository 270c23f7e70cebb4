/* The list of algorithms. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "algos/task.h"

static void test_find(void **state)
{
    (void)state;
    const rein_algo *algo;
    const char *const ids[] = {"ppo", "dqn"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rein_algo_find(ids[i], &algo), REIN_OK);
        assert_string_equal(algo->id, ids[i]);
    }
}

static void test_unknown(void **state)
{
    (void)state;
    const rein_algo *algo;
    const char *const pairs[][2] = {{"dqm", "dqn"}, {"pp0", "ppo"}, {"", ""}, {"DQN", ""}};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(rein_algo_find(pairs[i][0], &algo), REIN_ENOTFOUND);
        assert_null(algo);
        assert_non_null(strstr(rein_error_message(), pairs[i][0]));
        assert_non_null(strstr(rein_error_message(), pairs[i][1]));
        assert_null(strchr(rein_error_message(), '\n'));
    }
}

/* Every entry is whole, and its defaults are within its own ranges. */
static void test_entries(void **state)
{
    (void)state;
    assert_null(rein_algo_at(-1));
    int n = 0;
    for (const rein_algo *algo; (algo = rein_algo_at(n)) != NULL; n++) {
        assert_true(algo->id[0] && algo->summary[0] && algo->cite[0]);
        assert_true(algo->check && algo->train && algo->n_fields > 0);
        for (int i = 0; i < n; i++) assert_string_not_equal(algo->id, rein_algo_at(i)->id);
        void *config = malloc(algo->config_size);
        if (rein_fields_defaults(algo->fields, algo->n_fields, config) != REIN_OK) {
            fail_msg("%s: %s", algo->id, rein_error_message());
        }
        for (int i = 0; i < algo->n_fields; i++) {
            assert_true(algo->fields[i].offset < algo->config_size);
            assert_true(algo->fields[i].doc[0]);
        }
        free(config);
    }
    assert_true(n >= 2);
    assert_null(rein_algo_at(n));
    assert_null(rein_algo_at(n + 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
