#include "experiments/checkpoint.h"

#include "tests/replay/temporary.h"

static const rein_checkpoint sample = {
    .step = 1024,
    .metrics_length = 777,
    .config_hash = -5,
    .ticked = 1024,
    .time_s = 1.25,
    .evaluation_s = 0.5,
    .episodes = 12,
    .broken = 1,
    .return_mean = 20.5,
    .length_mean = 20.25,
    .eval_step = -1,
    .eval_episodes = 0,
    .eval_return_mean = 1,
    .eval_return_std = 2,
};

static void save(const rein_checkpoint *checkpoint, const char *path)
{
    rein_checkpoint copy = *checkpoint;
    rein_store *store;
    assert_ok(rein_store_create(&store));
    assert_ok(rein_checkpoint_archive(&copy, rein_store_archive(store)));
    assert_ok(rein_store_save(store, path));
    rein_store_free(store);
}

static void test_round_trip(void **state)
{
    (void)state;
    char folder[128], path[192];
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    snprintf(path, sizeof path, "%s/checkpoint.h5", folder);
    rein_checkpoint out;
    rein_store *store;
    save(&sample, path);
    assert_ok(rein_checkpoint_open(path, &out, &store));
    assert_memory_equal(&sample, &out, sizeof sample);
    rein_store_free(store);
    temporary_remove(folder);
}

static void test_bad(void **state)
{
    (void)state;
    char folder[128], path[192];
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    snprintf(path, sizeof path, "%s/checkpoint.h5", folder);
    rein_checkpoint out, bad = sample;
    rein_store *store;
    assert_fails(rein_checkpoint_open(path, &out, &store), REIN_ENOTFOUND, "checkpoint.h5");
    bad.metrics_length = -1;
    save(&bad, path);
    assert_fails(rein_checkpoint_open(path, &out, &store), REIN_EFORMAT, "negative");
    assert_ok(rein_store_create(&store)); /* another kind of file */
    assert_ok(rein_store_save(store, path));
    rein_store_free(store);
    assert_fails(rein_checkpoint_open(path, &out, &store), REIN_EFORMAT, "remove ");

    save(&sample, path); /* every byte counts */
    size_t size;
    char *data = temporary_bytes(folder, "checkpoint.h5", &size);
    for (size_t i = 0; i < size; i += 1 + size / 97) {
        data[i] = (char)(data[i] ^ 1);
        temporary_write(folder, "checkpoint.h5", data, size);
        assert_fails(rein_checkpoint_open(path, &out, &store), REIN_EFORMAT, "checkpoint.h5");
        data[i] = (char)(data[i] ^ 1);
        temporary_write(folder, "checkpoint.h5", data, i);
        assert_fails(rein_checkpoint_open(path, &out, &store), REIN_EFORMAT, "checkpoint.h5");
    }
    free(data);
    temporary_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
                                       cmocka_unit_test(test_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
