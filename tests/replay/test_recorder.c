/* The recorder: what was pushed is in the files, their bytes depend on nothing else, and neither
 * SIGKILL nor a full disk leaves a file that does not open. */
#include "replay/recorder.h"

#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/file.h"
#include "replay/store.h"
#include "tests/replay/temporary.h"

/* ---- a made-up run --------------------------------------------------------------------------- */

enum { ENVS = 3, AGENTS = 2, ROWS = ENVS * AGENTS, OBS = 4, ACT = 2, MOST = 4000 };

typedef struct history {
    int n_steps;
    float observation[MOST][ROWS][OBS], final_observation[MOST][ROWS][OBS];
    float action[MOST][ROWS][ACT], reward[MOST][ROWS];
    uint8_t terminated[MOST][ENVS], truncated[MOST][ENVS];
    double episode_return[MOST][ENVS];
    int32_t episode_length[MOST][ENVS];
} history;

static history world;                 /* the same for all tests */
static double world_return[MOST + 1]; /* of episodes that ended before step t */
static int64_t world_episodes[MOST + 1];

static uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

static int world_make(void **state)
{
    (void)state;
    double sum[ENVS] = {0};
    int32_t length[ENVS] = {0};
    world.n_steps = MOST;
    for (int t = 0; t < MOST; t++) {
        world_return[t + 1] = world_return[t];
        world_episodes[t + 1] = world_episodes[t];
        for (int row = 0; row < ROWS; row++) {
            for (int k = 0; k < OBS; k++) {
                world.observation[t][row][k] = (float)(t * 100 + row * 10 + k);
                world.final_observation[t][row][k] = -(float)(t * 100 + row * 10 + k);
            }
            for (int k = 0; k < ACT; k++) world.action[t][row][k] = (float)(t + row) * 0.5f;
            world.reward[t][row] = (float)(mix((uint32_t)(t * ROWS + row)) % 1000) * 1e-3f;
        }
        for (int env = 0; env < ENVS; env++) {
            uint32_t dice = mix((uint32_t)(t * ENVS + env) + 77777) % 40;
            for (int k = 0; k < AGENTS; k++) sum[env] += (double)world.reward[t][env * AGENTS + k];
            world.terminated[t][env] = dice == 0;
            world.truncated[t][env] = dice == 1;
            world.episode_return[t][env] = sum[env];
            world.episode_length[t][env] = ++length[env];
            if (dice > 1) continue;
            world_return[t + 1] += sum[env];
            world_episodes[t + 1]++;
            sum[env] = 0;
            length[env] = 0;
        }
    }
    return 0;
}

static rein_recorder_options options(const char *folder)
{
    return (rein_recorder_options){
        .folder = folder,
        .env_id = "Made-up-v0",
        .n_envs = ENVS,
        .n_agents = AGENTS,
        .observation_type = REIN_F32,
        .n_dims = 2,
        .shape = {2, 2},
        .action_type = REIN_F32,
        .action_size = ACT,
        .transitions = true,
        .part_bytes = 300 * (ROWS * (OBS + ACT + 1) * 4 + 2 * ENVS), /* 300 steps */
    };
}

static rein_status push(rein_recorder *r, int first, int n)
{
    const rein_recorder_steps steps = {
        .n_steps = n,
        .observation = world.observation[first],
        .action = world.action[first],
        .reward = world.reward[first],
        .terminated = world.terminated[first],
        .truncated = world.truncated[first],
        .final_observation = world.final_observation[first],
        .episode_return = world.episode_return[first],
        .episode_length = world.episode_length[first],
    };
    return rein_recorder_push(r, &steps);
}

static rein_recorder *record(const rein_recorder_options *o, int n, int at_once)
{
    rein_recorder *r;
    assert_ok(rein_recorder_create(o, &r));
    for (int t = 0; t < n; t += at_once) {
        assert_ok(push(r, t, n - t < at_once ? n - t : at_once));
    }
    return r;
}

static void check_folder(const char *folder, int64_t n)
{
    int64_t steps, episodes;
    double sum;
    assert_ok(rein_rollouts_check(folder, &steps, &episodes, &sum));
    assert_int_equal(steps, n);
    assert_int_equal(episodes, world_episodes[n]);
    assert_true(sum == world_return[n]);
}

/* All files of two run folders are equal. */
static void check_same_files(const char *a, const char *b)
{
    char name[64];
    int n = temporary_count(a, "rollouts");
    assert_int_equal(n, temporary_count(b, "rollouts"));
    for (int i = 0; i <= n; i++) {
        size_t size_a, size_b;
        snprintf(name, sizeof name, i == 0 ? "rollouts.h5" : "rollouts/%06d.h5", i);
        char *data_a = temporary_bytes(a, name, &size_a),
             *data_b = temporary_bytes(b, name, &size_b);
        assert_non_null(data_a);
        assert_non_null(data_b);
        assert_int_equal(size_a, size_b);
        assert_memory_equal(data_a, data_b, size_a);
        free(data_a);
        free(data_b);
    }
}

static char *folder_new(void)
{
    return strdup(temporary_folder());
}

static void folder_done(char *folder)
{
    temporary_remove(folder);
    free(folder);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_contents(void **state)
{
    (void)state;
    char *folder = folder_new(), path[256], text[32];
    rein_recorder_options o = options(folder);
    assert_ok(rein_recorder_close(record(&o, 1000, 64), true));
    check_folder(folder, 1000);
    assert_int_equal(temporary_count(folder, "rollouts"), 4);

    rein_store *s; /* all parts as one */
    snprintf(path, sizeof path, "%s/rollouts.h5", folder);
    assert_ok(rein_store_open_plain(path, &s));
    float *x = malloc(sizeof world.observation);
    uint8_t *flag = malloc(sizeof world.terminated);
    assert_ok(rein_store_get(s, "observation", REIN_F32, x, 1000 * ROWS * OBS));
    assert_memory_equal(x, world.observation, 1000 * ROWS * OBS * sizeof *x);
    assert_ok(rein_store_get(s, "action", REIN_F32, x, 1000 * ROWS * ACT));
    assert_memory_equal(x, world.action, 1000 * ROWS * ACT * sizeof *x);
    assert_ok(rein_store_get(s, "reward", REIN_F32, x, 1000 * ROWS));
    assert_memory_equal(x, world.reward, 1000 * ROWS * sizeof *x);
    assert_ok(rein_store_get(s, "terminated", REIN_U8, flag, 1000 * ENVS));
    assert_memory_equal(flag, world.terminated, 1000 * ENVS);
    assert_ok(rein_store_get(s, "truncated", REIN_U8, flag, 1000 * ENVS));
    assert_memory_equal(flag, world.truncated, 1000 * ENVS);
    rein_dtype type;
    int n_dims;
    int64_t dims[REIN_STORE_DIMS];
    assert_ok(rein_store_shape(s, "observation", &type, &n_dims, dims));
    assert_true(n_dims == 4 && dims[0] == 1000 && dims[1] == ROWS && dims[2] == 2 && dims[3] == 2);
    assert_ok(rein_store_get_text(s, "/", "env_id", text, sizeof text));
    assert_string_equal(text, "Made-up-v0");

    size_t n = (size_t)world_episodes[1000]; /* the table, and each episode's last observation */
    int64_t *end = malloc(n * sizeof *end), *index = malloc(n * AGENTS * 2 * sizeof *index);
    int32_t *env = malloc(n * sizeof *env);
    assert_ok(rein_store_get(s, "episode/end", REIN_I64, end, n));
    assert_ok(rein_store_get(s, "episode/env", REIN_I32, env, n));
    assert_ok(rein_store_get(s, "final_index", REIN_I64, index, n * AGENTS * 2));
    assert_ok(rein_store_get(s, "final_observation", REIN_F32, x, n * AGENTS * OBS));
    for (size_t e = 0; e < n; e++) {
        assert_true(world.terminated[end[e] - 1][env[e]] || world.truncated[end[e] - 1][env[e]]);
        for (size_t k = 0; k < AGENTS; k++) {
            const int64_t *at = index + 2 * (e * AGENTS + k);
            assert_true(at[0] == end[e] - 1 && at[1] == env[e] * AGENTS + (int64_t)k);
            assert_memory_equal(x + (e * AGENTS + k) * OBS, world.final_observation[at[0]][at[1]],
                                OBS * sizeof *x);
        }
    }
    rein_store_free(s);
    free(x);
    free(flag);
    free(end);
    free(env);
    free(index);
    folder_done(folder);
}

static void test_same_bytes(void **state)
{
    (void)state;
    const int at_once[] = {1, 7, 300, 301, 2000};
    char *first = NULL;
    for (size_t i = 0; i < sizeof at_once / sizeof at_once[0]; i++) {
        char *folder = folder_new();
        rein_recorder_options o = options(folder);
        assert_ok(rein_recorder_close(record(&o, 2000, at_once[i]), true));
        if (first == NULL) {
            first = folder;
            continue;
        }
        check_same_files(first, folder);
        folder_done(folder);
    }
    folder_done(first);
}

static void test_images_and_discrete(void **state)
{
    (void)state;
    char *folder = folder_new(), path[256];
    enum { T = 500 };
    static uint8_t image[T][ENVS][7 * 7 * 3];
    static int32_t action[T][ENVS];
    static float reward[T][ENVS];
    static double returns[T][ENVS];
    static int32_t length[T][ENVS];
    static uint8_t end[T][ENVS], none[T][ENVS];
    for (int t = 0; t < T; t++) {
        for (int i = 0; i < ENVS; i++) {
            memset(image[t][i], t % 250 + i, sizeof image[t][i]);
            action[t][i] = t % 7;
            reward[t][i] = 1;
            end[t][i] = t % 50 == 49;
            returns[t][i] = length[t][i] = t % 50 + 1;
        }
    }
    rein_recorder_options o = options(folder);
    o.n_agents = 1;
    o.observation_type = REIN_U8;
    o.n_dims = 3;
    o.shape[0] = o.shape[1] = 7;
    o.shape[2] = 3;
    o.action_type = REIN_I32;
    o.action_size = 1;
    o.part_bytes = 20000;
    rein_recorder *r;
    assert_ok(rein_recorder_create(&o, &r));
    const rein_recorder_steps steps = {
        T,           image, action,         &reward[0][0], &end[0][0],
        &none[0][0], image, &returns[0][0], &length[0][0]};
    assert_ok(rein_recorder_push(r, &steps));
    assert_ok(rein_recorder_close(r, true));
    int64_t episodes;
    assert_ok(rein_rollouts_check(folder, NULL, &episodes, NULL));
    assert_int_equal(episodes, T / 50 * ENVS);
    rein_store *s;
    snprintf(path, sizeof path, "%s/rollouts.h5", folder);
    assert_ok(rein_store_open_plain(path, &s));
    rein_dtype type;
    int n_dims;
    int64_t dims[REIN_STORE_DIMS];
    assert_ok(rein_store_shape(s, "observation", &type, &n_dims, dims));
    assert_true(type == REIN_U8 && n_dims == 5 && dims[0] == T && dims[2] == 7 && dims[4] == 3);
    assert_ok(rein_store_shape(s, "action", &type, &n_dims, dims));
    assert_true(type == REIN_I32 && n_dims == 2);
    uint8_t *back = malloc(sizeof image);
    assert_ok(rein_store_get(s, "observation", REIN_U8, back, sizeof image));
    assert_memory_equal(back, image, sizeof image);
    free(back);
    rein_store_free(s);
    folder_done(folder);
}

static void test_episodes_only(void **state)
{
    (void)state;
    char *folder = folder_new();
    rein_recorder_options o = options(folder);
    o.transitions = false;
    o.part_bytes = 33 * ENVS * 700;
    assert_ok(rein_recorder_close(record(&o, 2000, 128), true));
    check_folder(folder, 2000);
    assert_int_equal(temporary_count(folder, "rollouts"), 3);
    folder_done(folder);
}

static void archive_to(rein_recorder *r, const char *folder)
{
    char path[256];
    rein_store *s;
    snprintf(path, sizeof path, "%s/checkpoint.h5", folder);
    assert_ok(rein_store_create(&s));
    assert_ok(rein_recorder_archive(r, rein_store_archive(s)));
    assert_ok(rein_store_save(s, path));
    rein_store_free(s);
}

static rein_status archive_from(rein_recorder *r, const char *folder)
{
    char path[256];
    rein_store *s;
    snprintf(path, sizeof path, "%s/checkpoint.h5", folder);
    assert_ok(rein_store_open(path, &s));
    rein_status status = rein_recorder_archive(r, rein_store_archive(s));
    rein_store_free(s);
    return status;
}

static void test_resume(void **state)
{
    (void)state;
    const int saved_at[] = {0, 1, 299, 300, 750};
    for (size_t i = 0; i < sizeof saved_at / sizeof saved_at[0]; i++) {
        char *straight = folder_new(), *broken = folder_new();
        rein_recorder_options o = options(straight);
        assert_ok(rein_recorder_close(record(&o, 1800, 50), true));
        o.folder = broken;
        rein_recorder *r = record(&o, saved_at[i], 50);
        archive_to(r, broken);
        assert_ok(push(r, saved_at[i], 800)); /* a life that goes on and is then forgotten */
        assert_ok(rein_recorder_close(r, true));
        temporary_write(broken, "rollouts/000099.h5.tmp", "half", 4);
        assert_ok(rein_recorder_create(&o, &r));
        assert_ok(archive_from(r, broken));
        assert_int_equal(temporary_count(broken, "rollouts"), saved_at[i] / 300);
        check_folder(broken, saved_at[i] / 300 * 300);
        for (int t = saved_at[i]; t < 1800; t += 50) {
            assert_ok(push(r, t, 1800 - t < 50 ? 1800 - t : 50));
        }
        assert_ok(rein_recorder_close(r, true));
        check_same_files(straight, broken);
        folder_done(straight);
        folder_done(broken);
    }
}

static void test_resume_errors(void **state)
{
    (void)state;
    char *folder = folder_new(), path[256];
    rein_recorder_options o = options(folder);
    rein_recorder *r = record(&o, 700, 50);
    archive_to(r, folder);
    assert_ok(rein_recorder_close(r, false));
    check_folder(folder, 600);
    o.n_envs = 2; /* another config */
    assert_ok(rein_recorder_create(&o, &r));
    assert_fails(archive_from(r, folder), REIN_EFORMAT, "another environment");
    assert_ok(rein_recorder_close(r, true));
    check_folder(folder, 600); /* and nothing was touched */
    o.n_envs = ENVS;
    snprintf(path, sizeof path, "%s/rollouts/000001.h5", folder);
    assert_int_equal(unlink(path), 0);
    assert_ok(rein_recorder_create(&o, &r));
    assert_fails(archive_from(r, folder), REIN_ENOTFOUND, "000001.h5");
    assert_ok(rein_recorder_close(r, true));
    assert_int_equal(temporary_count(folder, "rollouts"), 1);
    folder_done(folder);
}

static void test_begins_anew(void **state)
{
    (void)state;
    char *folder = folder_new();
    rein_recorder_options o = options(folder);
    assert_ok(rein_recorder_close(record(&o, 1500, 50), true));
    rein_recorder *r;
    assert_ok(rein_recorder_create(&o, &r));
    assert_ok(rein_recorder_close(r, true)); /* nothing was pushed */
    check_folder(folder, 1500);
    r = record(&o, 10, 10); /* a run without checkpoint that was killed and starts again */
    check_folder(folder, 0);
    assert_ok(rein_recorder_close(r, true));
    check_folder(folder, 10);
    folder_done(folder);
}

static void test_close_unfinished(void **state)
{
    (void)state;
    char *folder = folder_new();
    rein_recorder_options o = options(folder);
    assert_ok(rein_recorder_close(record(&o, 950, 50), false));
    check_folder(folder, 900);
    assert_ok(rein_recorder_close(NULL, true));
    folder_done(folder);
}

static void test_wrong_options(void **state)
{
    (void)state;
    char *folder = folder_new(), path[256];
    rein_recorder *r;
    rein_recorder_options o = options(folder);
    o.n_envs = 0;
    assert_fails(rein_recorder_create(&o, &r), REIN_EINVAL, "0 envs");
    o = options(folder);
    o.n_dims = 4;
    assert_fails(rein_recorder_create(&o, &r), REIN_EINVAL, "4 dimensions");
    o = options(folder);
    o.shape[1] = 0;
    assert_fails(rein_recorder_create(&o, &r), REIN_EINVAL, "observation");
    o = options(folder);
    o.observation_type = REIN_F64;
    assert_fails(rein_recorder_create(&o, &r), REIN_EINVAL, "f32 or u8");
    snprintf(path, sizeof path, "%s/file", folder);
    temporary_write(folder, "file", "x", 1);
    o = options(path);
    assert_fails(rein_recorder_create(&o, &r), REIN_EIO, "file");
    folder_done(folder);
}

/* ---- checking what is on disk ---------------------------------------------------------------- */

/* Change one number of a part and seal it again: the check must see it. */
static void spoil(const char *folder, const char *array, int at, double by)
{
    char path[256], plain[256];
    size_t size;
    snprintf(path, sizeof path, "%s/rollouts/000002.h5", folder);
    snprintf(plain, sizeof plain, "%s/plain.h5", folder);
    char *data = temporary_bytes(folder, "rollouts/000002.h5", &size);
    temporary_write(folder, "plain.h5", data, size - 16);
    free(data);
    hid_t file = H5Fopen(plain, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t set = H5Dopen2(file, array, H5P_DEFAULT), space = H5Dget_space(set);
    double numbers[4096];

    assert_true(H5Sget_simple_extent_npoints(space) <= 4096);
    assert_true(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
    numbers[at] += by;
    assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
    data = temporary_bytes(folder, "plain.h5", &size);
    assert_ok(rein_file_write(path, data, size, true));
    free(data);
    unlink(plain);
}

static void test_check_finds(void **state)
{
    (void)state;
    const struct {
        const char *array, *message;
        double by;
    } cases[] = {
        {"reward", "rewards' sum", 3},
        {"terminated", "damaged", 2},
        {"episode/return", "rewards' sum", 1},
        {"episode/length", "length", 1},
        {"episode/env", "env", 5},
        {"episode/start", "begin", 1},
        {"episode/end", "part", 1000},
        {"episode/terminated", "match", 0}, /* set below */
        {"final_index", "last observation", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *folder = folder_new();
        rein_recorder_options o = options(folder);
        assert_ok(rein_recorder_close(record(&o, 900, 50), true));
        check_folder(folder, 900);
        spoil(folder, cases[i].array, 3, cases[i].by != 0 ? cases[i].by : 1);
        rein_status status = rein_rollouts_check(folder, NULL, NULL, NULL);
        if (cases[i].by == 0 && status == REIN_EFORMAT) { /* 0 -> 1 or 1 -> 2: either is seen */
            assert_non_null(strstr(rein_error_message(), "000002.h5"));
        } else {
            assert_fails(status, REIN_EFORMAT, cases[i].message);
            assert_non_null(strstr(rein_error_message(), "000002.h5"));
        }
        folder_done(folder);
    }
}

static void test_check_files(void **state)
{
    (void)state;
    char *folder = folder_new(), path[256];
    size_t size;
    assert_fails(rein_rollouts_check(folder, NULL, NULL, NULL), REIN_ENOTFOUND, "rollouts");
    rein_recorder_options o = options(folder);
    assert_ok(rein_recorder_close(record(&o, 900, 50), true));
    char *data = temporary_bytes(folder, "rollouts/000002.h5", &size);
    temporary_write(folder, "rollouts/000002.h5", data, size / 2);
    assert_fails(rein_rollouts_check(folder, NULL, NULL, NULL), REIN_EFORMAT, "000002.h5");
    temporary_write(folder, "rollouts/000001.h5", data, size); /* the wrong part */
    temporary_write(folder, "rollouts/000002.h5", data, size);
    assert_fails(rein_rollouts_check(folder, NULL, NULL, NULL), REIN_EFORMAT, "000001.h5");
    free(data);
    snprintf(path, sizeof path, "%s/rollouts/000001.h5", folder);
    unlink(path);
    assert_fails(rein_rollouts_check(folder, NULL, NULL, NULL), REIN_ENOTFOUND, "000001.h5");
    assert_ok(rein_recorder_close(record(&o, 900, 50), true));
    snprintf(path, sizeof path, "%s/rollouts/000003.h5", folder);
    unlink(path);
    assert_fails(rein_rollouts_check(folder, NULL, NULL, NULL), REIN_ENOTFOUND, "rollouts.h5");
    data = temporary_bytes(folder, "rollouts.h5", &size);
    data[size / 3] ^= 1;
    temporary_write(folder, "rollouts.h5", data, size);
    assert_fails(rein_rollouts_check(folder, NULL, NULL, NULL), REIN_EFORMAT, "rollouts.h5");
    free(data);
    folder_done(folder);
}

/* ---- a full disk and SIGKILL ----------------------------------------------------------------- */

static void test_full_disk(void **state)
{
    (void)state;
    struct rlimit before, small;
    char *folder = folder_new();
    rein_recorder_options o = options(folder);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    rein_recorder *r = record(&o, 600, 50);
    assert_ok(rein_recorder_sync(r));
    small = (struct rlimit){.rlim_cur = 8192, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    rein_status status = REIN_OK;
    for (int t = 600; t < 3000 && status == REIN_OK; t += 50) {
        status = push(r, t, 50);
        usleep(1000);
    }
    assert_fails(status, REIN_EIO, "000003.h5");
    assert_fails(rein_recorder_sync(r), REIN_EIO, "000003.h5"); /* and it stays an error */
    assert_fails(push(r, 0, 50), REIN_EIO, "000003.h5");
    assert_fails(rein_recorder_close(r, true), REIN_EIO, "000003.h5");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(temporary_count(folder, "rollouts"), 2); /* nothing half-written */
    check_folder(folder, 600);
    folder_done(folder);
}

static void child_records(const char *folder)
{
    rein_recorder *r;
    rein_recorder_options o = options(folder);
    o.part_bytes /= 10; /* many parts, so that a kill often hits one being written */
    if (rein_recorder_create(&o, &r) != REIN_OK) _exit(1);
    for (int t = 0; t < MOST; t++) {
        if (push(r, t, 1) != REIN_OK) _exit(1);
    }
    rein_recorder_close(r, true);
    _exit(0);
}

static void test_killed(void **state)
{
    (void)state;
    int n_killed = 0, n_parts = 0;
    for (int i = 0; i < 20; i++) {
        char *folder = folder_new();
        pid_t child = fork();
        if (child == 0) child_records(folder);
        for (int k = 0; k < 20000 && temporary_count(folder, "rollouts") < i % 10; k++) usleep(500);
        usleep(mix((uint32_t)i) % 3000); /* anywhere within the next part or so */
        kill(child, SIGKILL);
        int how;
        waitpid(child, &how, 0);
        n_killed += WIFSIGNALED(how);
        assert_true(WIFSIGNALED(how) || WEXITSTATUS(how) == 0);
        int64_t n;
        if (temporary_count(folder, "rollouts") >= 0) {
            assert_ok(rein_rollouts_check(folder, &n, NULL, NULL));
            check_folder(folder, n);
            n_parts += (int)n / 30;
        }
        rein_recorder_options o = options(folder); /* and the next life begins without trouble */
        assert_ok(rein_recorder_close(record(&o, 400, 100), true));
        check_folder(folder, 400);
        assert_int_equal(temporary_count(folder, "rollouts"), 2);
        folder_done(folder);
    }
    assert_true(n_killed > 0);
    assert_true(n_parts > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_images_and_discrete),
        cmocka_unit_test(test_episodes_only),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_resume_errors),
        cmocka_unit_test(test_begins_anew),
        cmocka_unit_test(test_close_unfinished),
        cmocka_unit_test(test_wrong_options),
        cmocka_unit_test(test_check_finds),
        cmocka_unit_test(test_check_files),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_killed),
    };
    return cmocka_run_group_tests_name("recorder", tests, world_make, NULL);
}
