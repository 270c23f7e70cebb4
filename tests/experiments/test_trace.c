/* Recorded files replayed against the environments they belong to, and copies of them that were
 * altered, damaged or belong to nobody. Covers replay/trace.c, too. */
#include <fcntl.h>
#include <hdf5.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "envs/classic/classes.h"
#include "envs/grid/classes.h"
#include "envs/mujoco/classes.h"
#include "envs/registry.h"
#include "experiments/trace.h"
#include "replay/trace.h"

static char folder[256]; /* of this test's copies */

/* ---- helpers ------------------------------------------------------------------------------- */

static const char *golden_path(const char *file)
{
    static char path[2][512];
    static int turn;
    const char *given = getenv("REIN_GOLDEN_DIR");
    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s",
             given != NULL && given[0] != '\0' ? given : REIN_SOURCE_DIR "/tests/golden", file);
    return path[turn];
}

static rein_status run(const rein_env_class *env, const char *path, rein_trace_report *report)
{
    _Alignas(64) static char config[8192];
    assert_true(env->config_size <= sizeof config);
    assert_int_equal(rein_env_defaults(env, config), REIN_OK);
    return rein_trace_check(env, config, path, report);
}

static void expect(const rein_env_class *env, const char *path, rein_status status,
                   const char *text)
{
    rein_trace_report report;
    rein_status got = run(env, path, &report);
    if (got != status) {
        fail_msg("%s, not %s: %s", rein_status_name(got), rein_status_name(status),
                 rein_error_message());
    }
    if (status != REIN_OK && strstr(rein_error_message(), text) == NULL) {
        fail_msg("'%s' is not in '%s'", text, rein_error_message());
    }
}

/* A copy of a recorded file, to be altered; path valid until the next but one. */
static const char *copy_of(const char *file)
{
    static char path[2][512];
    static int turn;
    void *data;
    size_t size;
    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%d-%s", folder, turn, file);
    assert_int_equal(rein_file_read(golden_path(file), false, &data, &size), REIN_OK);
    assert_int_equal(rein_file_write(path[turn], data, size, false), REIN_OK);
    free(data);
    return path[turn];
}

/* Add `change` to element i of an array. */
static void alter(const char *path, const char *array, size_t i, double change)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    hid_t set = H5Dopen2(file, array, H5P_DEFAULT);
    assert_true(set >= 0);
    hid_t space = H5Dget_space(set);
    size_t n = (size_t)H5Sget_simple_extent_npoints(space);
    double *values = malloc(sizeof *values * n);
    assert_true(values != NULL && i < n);
    assert_true(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    values[i] += change;
    assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    free(values);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
}

/* Copy or move a group to another name; `to` NULL: delete it. */
static void rename_group(const char *path, const char *from, const char *to, bool keep)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    if (to != NULL) {
        assert_true(H5Ocopy(file, from, file, to, H5P_DEFAULT, H5P_DEFAULT) >= 0);
    }
    if (!keep) assert_true(H5Ldelete(file, from, H5P_DEFAULT) >= 0);
    H5Fclose(file);
}

static bool has_mujoco_record(void)
{
    rein_trace_report report;
    return run(&rein_hopper_v4, golden_path("mujoco.h5"), &report) != REIN_EUNSUPPORTED;
}

/* ---- what was recorded ----------------------------------------------------------------------- */

/* Every class against a file; returns how many it holds. */
static int check_file(const char *file)
{
    const rein_env_class *env;
    int n = 0, n_episodes = 0;
    int64_t n_compared = 0;
    for (int i = 0; (env = rein_env_at(i)) != NULL; i++) {
        rein_trace_report report;
        rein_status status = run(env, golden_path(file), &report);
        if (status == REIN_ENOTFOUND || status == REIN_EUNSUPPORTED) continue;
        if (status != REIN_OK) fail_msg("%s", rein_error_message());
        assert_true(report.n_groups >= 1 && report.n_episodes >= 1);
        assert_true(report.n_steps > report.n_episodes && report.n_compared > report.n_steps);
        n_episodes += report.n_episodes;
        n_compared += report.n_compared;
        n++;
    }
    print_message("%s: %d classes, %d episodes, %lld numbers\n", file, n, n_episodes,
                  (long long)n_compared);
    return n;
}

static void test_recorded(void **state)
{
    (void)state;
    assert_true(check_file("classic.h5") >= 5);
    assert_true(check_file("minigrid.h5") >= 5);
    if (has_mujoco_record()) assert_true(check_file("mujoco.h5") >= 3);
}

/* ---- differences --------------------------------------------------------------------------- */

static void test_altered_classic(void **state)
{
    (void)state;
    const char *path = copy_of("classic.h5");
    alter(path, "/CartPole-v1/ep1/state", 3 * 4 + 1, 1e-9);
    expect(&rein_cartpole_v1, path, REIN_EDIFFER, "/CartPole-v1/ep1 step 3: state[1] is ");
    expect(&rein_acrobot_v1, path, REIN_OK, "");
    path = copy_of("classic.h5");
    alter(path, "/CartPole-v1/ep0/terminated", 4, 1);
    expect(&rein_cartpole_v1, path, REIN_EDIFFER, "ep0 step 4: terminated is 0, recorded 1");
    path = copy_of("classic.h5");
    alter(path, "/Pendulum-v1/ep0/truncated", 5, 1);
    expect(&rein_pendulum_v1, path, REIN_EDIFFER, "ep0 step 5: truncated is 0");
}

static void test_altered_minigrid(void **state)
{
    (void)state;
    const char *path = copy_of("minigrid.h5");
    alter(path, "/DoorKey-5x5/image", 2 * 147 + 7, 1);
    expect(&rein_grid_door_key_5x5, path, REIN_EDIFFER,
           "/DoorKey-5x5 level 0 step 2: image[7] is ");
    expect(&rein_grid_door_key_8x8, path, REIN_OK, "");
    path = copy_of("minigrid.h5");
    alter(path, "/Empty-5x5/agent", 1 * 3 + 2, 1);
    expect(&rein_grid_empty_5x5, path, REIN_EDIFFER, "level 0 step 1: agent[2]");
    path = copy_of("minigrid.h5");
    alter(path, "/Empty-5x5/reward", 3, 1e-12);
    expect(&rein_grid_empty_5x5, path, REIN_EDIFFER, "level 0 step 4: reward[0]");
}

static void test_altered_mujoco(void **state)
{
    (void)state;
    char array[128];
    if (!has_mujoco_record()) skip();
    const char *path = copy_of("mujoco.h5");
    snprintf(array, sizeof array, "/mujoco-%s/Hopper-v4/ep0/qvel", rein_mujoco_version());
    alter(path, array, 5 * 6 + 2, 1e-9);
    expect(&rein_hopper_v4, path, REIN_EDIFFER, "Hopper-v4/ep0 step 5: qvel[2] is ");
    expect(&rein_half_cheetah_v4, path, REIN_OK, "");
}

/* ---- variants ------------------------------------------------------------------------------ */

static void test_variants(void **state)
{
    (void)state;
    rein_trace_report report;
    const char *path = copy_of("minigrid.h5");
    rename_group(path, "Empty-5x5", "Empty-5x5,colour=3", true);
    assert_int_equal(run(&rein_grid_empty_5x5, path, &report), REIN_OK);
    assert_int_equal(report.n_groups, 1);
    assert_int_equal(report.n_skipped, 1);
    assert_non_null(strstr(report.note, "skipped /Empty-5x5,colour=3: MiniGrid-Empty-5x5-v0 has no "
                                        "field 'colour'"));
    rename_group(path, "Empty-5x5", "Empty-5x5,max_steps=100,random_start=True", true);
    assert_int_equal(run(&rein_grid_empty_5x5, path, &report), REIN_OK);
    assert_int_equal(report.n_groups, 2);
    /* the field was set: another T, another reward */
    rename_group(path, "Empty-5x5", "Empty-5x5,max_steps=99", true);
    expect(&rein_grid_empty_5x5, path, REIN_EDIFFER, "reward[0]");
    path = copy_of("minigrid.h5");
    rename_group(path, "Empty-5x5", "Empty-5x5,max_steps=0.5", false);
    expect(&rein_grid_empty_5x5, path, REIN_ENOTFOUND, "no recording fits");
}

static void test_mujoco_versions(void **state)
{
    (void)state;
    char group[64];
    if (!has_mujoco_record()) skip();
    const char *path = copy_of("mujoco.h5");
    snprintf(group, sizeof group, "mujoco-%s", rein_mujoco_version());
    rename_group(path, group, "mujoco-1.50", true);
    expect(&rein_hopper_v4, path, REIN_OK, "");
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    static const char *const known[] = {"mujoco-2.2.2", "mujoco-2.3.7", "mujoco-3.17.0"};
    for (int i = 0; i < 3; i++) H5Ldelete(file, known[i], H5P_DEFAULT);
    H5Ldelete(file, group, H5P_DEFAULT);
    H5Fclose(file);
    expect(&rein_hopper_v4, path, REIN_EUNSUPPORTED, "Hopper-v4 is recorded with MuJoCo 1.50, ");
    expect(&rein_cartpole_v1, path, REIN_ENOTFOUND, "no recording of CartPole-v1");
}

/* ---- files that do not fit ----------------------------------------------------------------- */

static void test_foreign(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/text.h5", folder);
    assert_int_equal(rein_file_write(path, "no HDF5 at all", 14, false), REIN_OK);
    expect(&rein_cartpole_v1, path, REIN_EFORMAT, "text.h5: not an HDF5 file");
    snprintf(path, sizeof path, "%s/nowhere.h5", folder);
    expect(&rein_cartpole_v1, path, REIN_ENOTFOUND, "nowhere.h5: no such file");
    expect(&rein_cartpole_v1, golden_path("minigrid.h5"), REIN_ENOTFOUND,
           "minigrid.h5: no recording of CartPole-v1");
}

static void test_does_not_fit(void **state)
{
    (void)state;
    const char *path = copy_of("minigrid.h5");
    alter(path, "/Empty-5x5/first_row", 4, 1000);
    expect(&rein_grid_empty_5x5, path, REIN_EFORMAT, "/Empty-5x5: episode 4 has rows ");
    path = copy_of("minigrid.h5");
    alter(path, "/Empty-5x5/action", 2, 100);
    expect(&rein_grid_empty_5x5, path, REIN_EFORMAT, "level 0 step 2: action ");
    path = copy_of("minigrid.h5");
    alter(path, "/Empty-5x5/grid", 0, 90);
    expect(&rein_grid_empty_5x5, path, REIN_EINVAL, "level 0: grid: cell (0, 0)");
    path = copy_of("minigrid.h5");
    rename_group(path, "Empty-5x5/agent", NULL, false);
    expect(&rein_grid_empty_5x5, path, REIN_EFORMAT, "no 'agent' recorded");
    path = copy_of("minigrid.h5");
    rename_group(path, "Empty-5x5/steps", NULL, false);
    expect(&rein_grid_empty_5x5, path, REIN_EFORMAT, "first_row needs steps");
    path = copy_of("classic.h5");
    for (int i = 0; i < 8; i++) {
        char episode[64];
        snprintf(episode, sizeof episode, "CartPole-v1/ep%d/action", i);
        hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
        H5Ldelete(file, episode, H5P_DEFAULT);
        H5Fclose(file);
    }
    expect(&rein_cartpole_v1, path, REIN_EFORMAT, "/CartPole-v1 holds no episodes");
}

/* A file cut anywhere gives an error with its name. */
static void test_cut(void **state)
{
    (void)state;
    void *data;
    size_t size;
    char path[512];
    snprintf(path, sizeof path, "%s/cut.h5", folder);
    assert_int_equal(rein_file_read(golden_path("classic.h5"), false, &data, &size), REIN_OK);
    for (size_t i = 1; i < 20; i++) {
        assert_int_equal(rein_file_write(path, data, size * i / 20, false), REIN_OK);
        expect(&rein_cartpole_v1, path, REIN_EFORMAT, "cut.h5: ");
    }
    free(data);
}

/* ---- the reader ---------------------------------------------------------------------------- */

static void test_reader(void **state)
{
    (void)state;
    rein_store *store;
    rein_recording r;
    assert_int_equal(rein_store_open_plain(golden_path("minigrid.h5"), &store), REIN_OK);
    assert_int_equal(rein_recording_read(store, "/Empty-5x5", &r), REIN_OK);
    const rein_recorded *grid = rein_recording_find(&r, "grid");
    const rein_recorded *action = rein_recording_find(&r, "action");
    assert_true(grid != NULL && action != NULL);
    assert_int_equal(grid->size, 5 * 5 * 3);
    assert_int_equal(action->size, 1);
    assert_int_equal(grid->n_rows, action->n_rows);
    assert_true(grid->values[0] == 2 && grid->values[1] == 5); /* a grey wall */
    assert_true(action->values[action->n_rows - 1] == 255);
    assert_false(grid->single);
    assert_null(rein_recording_find(&r, "level_info")); /* text */
    assert_null(rein_recording_find(&r, "statistics")); /* a group */
    rein_recording_free(&r);
    assert_int_equal(rein_recording_read(store, "/Empty-3x3", &r), REIN_ENOTFOUND);
    rein_store_free(store);
    assert_int_equal(rein_store_open_plain(golden_path("classic.h5"), &store), REIN_OK);
    assert_int_equal(rein_recording_read(store, "/CartPole-v1/ep0", &r), REIN_OK);
    assert_true(rein_recording_find(&r, "obs")->single);
    assert_false(rein_recording_find(&r, "state")->single);
    rein_recording_free(&r);
    rein_store_free(store);
}

/* ---- */

static int make_folder(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/rein-trace-XXXXXX", base != NULL ? base : "/tmp");
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"0-classic.h5",  "1-classic.h5", "0-minigrid.h5",
                                        "1-minigrid.h5", "0-mujoco.h5",  "1-mujoco.h5",
                                        "text.h5",       "cut.h5"};
    char path[512];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_altered_classic),
        cmocka_unit_test(test_altered_minigrid),
        cmocka_unit_test(test_altered_mujoco),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_mujoco_versions),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_does_not_fit),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_reader),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
