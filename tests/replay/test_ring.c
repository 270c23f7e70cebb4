/* The ring against a plain list of all transitions ever pushed. */
#include "replay/ring.h"

#include <inttypes.h>

#include "replay/store.h"
#include "tests/replay/temporary.h"

/* A made-up world in which every observation tells its step and env, so that a transition can be
 * recognised: obs = 4 numbers (step, env, kind, step); kind 1: final observation. */
enum { OBS = 4, MOST_ENVS = 5 };

typedef struct maker {
    rein_ring *ring;
    int n_envs;
    bool images;
    uint32_t truncate_every, terminate_every; /* 0: never */
    int64_t step;
} maker;

static uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

static bool ends(const maker *m, int64_t step, int env, int kind)
{
    uint32_t every = kind == 0 ? m->terminate_every : m->truncate_every;
    if (every == 0) return false;
    if (kind == 1 && ends(m, step, env, 0)) return false;
    return mix((uint32_t)(step * 8 + env) * 2 + (uint32_t)kind) % every == 0;
}

static void observation(const maker *m, int64_t step, int env, int kind, void *out)
{
    for (int k = 0; k < OBS; k++) {
        int64_t value = k == 1 ? env : k == 2 ? kind : step;
        if (m->images) {
            ((uint8_t *)out)[k] = (uint8_t)(k == 3 ? value >> 8 : value);
        } else {
            ((float *)out)[k] = (float)value;
        }
    }
}

static size_t row_bytes(const maker *m)
{
    return m->images ? OBS : OBS * sizeof(float);
}

static void make(maker *m, int64_t capacity)
{
    const rein_ring_options options = {
        .capacity = capacity,
        .n_envs = m->n_envs,
        .observation_type = m->images ? REIN_U8 : REIN_F32,
        .observation_size = OBS,
        .action_type = m->images ? REIN_I32 : REIN_F32,
        .action_size = m->images ? 1 : 2,
    };
    assert_ok(rein_ring_create(&options, &m->ring));
    m->step = 0;
}

static void push(maker *m, int64_t n)
{
    char now[MOST_ENVS * OBS * 4], next[MOST_ENVS * OBS * 4], final[MOST_ENVS * OBS * 4];
    float reward[MOST_ENVS], action[MOST_ENVS * 2];
    int32_t choice[MOST_ENVS];
    uint8_t terminated[MOST_ENVS], truncated[MOST_ENVS];
    for (int64_t end = m->step + n; m->step < end; m->step++) {
        for (int i = 0; i < m->n_envs; i++) {
            size_t at = (size_t)i * row_bytes(m);
            observation(m, m->step, i, 0, now + at);
            observation(m, m->step + 1, i, 0, next + at);
            observation(m, m->step + 1, i, 1, final + at);
            reward[i] = (float)(m->step * 10 + i);
            action[2 * i] = -reward[i];
            action[2 * i + 1] = (float)i;
            choice[i] = (int32_t)m->step;
            terminated[i] = ends(m, m->step, i, 0);
            truncated[i] = ends(m, m->step, i, 1);
        }
        rein_ring_push(m->ring, now, m->images ? (void *)choice : (void *)action, reward,
                       terminated, truncated, final, next);
    }
}

typedef struct batch {
    char observation[512 * OBS * 4], next[512 * OBS * 4];
    float reward[512], action[512 * 2];
    uint8_t terminated[512];
    int64_t index[512];
} batch;

static void draw(const maker *m, uint64_t update, int n, batch *b)
{
    rein_rng rng = rein_rng_stream(3, REIN_RNG_REPLAY, 0, update);
    rein_ring_batch out = {b->observation, b->action, b->reward, b->next, b->terminated};
    assert_ok(rein_ring_sample(m->ring, &rng, n, b->index));
    rein_ring_gather(m->ring, b->index, n, &out);
}

/* Every sampled transition is one that was pushed, whole, and young enough. */
static void check_batch(const maker *m, const batch *b, int n, int64_t oldest, char *seen)
{
    char expected[OBS * 4];
    size_t bytes = row_bytes(m);
    for (int i = 0; i < n; i++) {
        int64_t number = (int64_t)b->reward[i], step = number / 10;
        int env = (int)(number % 10);
        assert_true(step >= oldest && step < m->step && env < m->n_envs);
        observation(m, step, env, 0, expected);
        assert_memory_equal(b->observation + (size_t)i * bytes, expected, bytes);
        observation(m, step + 1, env, ends(m, step, env, 1), expected);
        assert_memory_equal(b->next + (size_t)i * bytes, expected, bytes);
        assert_int_equal(b->terminated[i], ends(m, step, env, 0));
        if (m->images) {
            int32_t choice;
            memcpy(&choice, (const char *)b->action + i * 4, sizeof choice);
            assert_int_equal(choice, step);
        } else {
            assert_true(b->action[2 * i] == -b->reward[i] && b->action[2 * i + 1] == (float)env);
        }
        if (seen != NULL) seen[(step - oldest) * m->n_envs + env] = 1;
    }
}

static void check_all(const maker *m)
{
    static batch b;
    int64_t size = rein_ring_size(m->ring);
    char *seen = calloc((size_t)size, 1);
    for (uint64_t k = 0; k < 40; k++) {
        draw(m, k, 512, &b);
        check_batch(m, &b, 512, m->step - size / m->n_envs, seen);
    }
    int64_t n_seen = 0;
    for (int64_t i = 0; i < size; i++) n_seen += seen[i];
    assert_true(size > 1000 || n_seen == size); /* each can come: 20480 draws */
    free(seen);
}

static void test_against_list(void **state)
{
    (void)state;
    const maker kinds[] = {
        {.n_envs = 1, .truncate_every = 20, .terminate_every = 15},
        {.n_envs = 3, .truncate_every = 30, .terminate_every = 7},
        {.n_envs = 5, .images = true, .truncate_every = 12},
        {.n_envs = 2, .images = true, .terminate_every = 1},
        {.n_envs = 4},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        maker m = kinds[i];
        make(&m, 500);
        int64_t capacity = 500 / m.n_envs * m.n_envs;
        const int64_t lengths[] = {1, 3, 40, 60, 200, 1, 700, 501, 2};
        for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
            push(&m, lengths[k]);
            int64_t total = m.step * m.n_envs;
            assert_int_equal(rein_ring_total(m.ring), total);
            assert_int_equal(rein_ring_size(m.ring), total < capacity ? total : capacity);
            check_all(&m);
        }
        rein_ring_free(m.ring);
    }
}

/* More truncated ends than the side table holds: fewer transitions, all of them right. */
static void test_mostly_truncated(void **state)
{
    (void)state;
    for (uint32_t every = 1; every <= 6; every++) {
        maker m = {.n_envs = 3, .truncate_every = every, .terminate_every = 50};
        make(&m, 480);
        for (int k = 0; k < 30; k++) {
            push(&m, 37);
            assert_true(rein_ring_size(m.ring) >= 480 / 8);
            assert_true(rein_ring_size(m.ring) <= 480);
            check_all(&m);
        }
        rein_ring_free(m.ring);
    }
}

static void test_uniform(void **state)
{
    (void)state;
    maker m = {.n_envs = 2, .truncate_every = 10};
    static batch b;
    int count[200] = {0};
    make(&m, 200);
    push(&m, 333);
    enum { DRAWS = 200000 };
    for (int k = 0; k < DRAWS / 500; k++) {
        draw(&m, (uint64_t)k, 500, &b);
        for (int i = 0; i < 500; i++) {
            int number = (int)b.reward[i];
            count[(number / 10 - 233) * 2 + number % 10]++;
        }
    }
    double chi2 = 0, expected = DRAWS / 200.0;
    for (int i = 0; i < 200; i++) chi2 += (count[i] - expected) * (count[i] - expected) / expected;
    assert_true(chi2 > 130 && chi2 < 280); /* 199 degrees of freedom: 199 +- 4 sigma */
    rein_ring_free(m.ring);
}

static void test_same_draws(void **state)
{
    (void)state;
    maker m = {.n_envs = 2, .truncate_every = 10};
    static batch a, b;
    make(&m, 300);
    push(&m, 200);
    draw(&m, 7, 128, &a);
    draw(&m, 8, 128, &b);
    assert_true(memcmp(a.index, b.index, sizeof a.index) != 0);
    draw(&m, 7, 128, &b);
    assert_memory_equal(a.index, b.index, 128 * sizeof a.index[0]);
    /* gathering in pieces, as several threads do, gives the same */
    rein_ring_batch out = {b.observation, b.action, b.reward, b.next, b.terminated};
    memset(b.observation, 0, sizeof b.observation);
    rein_ring_gather(m.ring, b.index, 50, &out);
    out = (rein_ring_batch){b.observation + 50 * row_bytes(&m), b.action + 100, b.reward + 50,
                            b.next + 50 * row_bytes(&m), b.terminated + 50};
    rein_ring_gather(m.ring, b.index + 50, 78, &out);
    assert_memory_equal(a.observation, b.observation, 128 * row_bytes(&m));
    assert_memory_equal(a.next, b.next, 128 * row_bytes(&m));
    rein_ring_free(m.ring);
}

static void test_wrong_use(void **state)
{
    (void)state;
    rein_ring *ring;
    rein_ring_options good = {.capacity = 100,
                              .n_envs = 4,
                              .observation_type = REIN_F32,
                              .observation_size = 3,
                              .action_type = REIN_I32,
                              .action_size = 1};
    rein_ring_options o = good;
    o.capacity = 7;
    assert_fails(rein_ring_create(&o, &ring), REIN_EINVAL, "capacity 7");
    o.capacity = INT64_C(1) << 40;
    assert_fails(rein_ring_create(&o, &ring), REIN_EINVAL, "capacity");
    o = good;
    o.n_envs = 0;
    assert_fails(rein_ring_create(&o, &ring), REIN_EINVAL, "0 envs");
    o = good;
    o.observation_type = REIN_F64;
    assert_fails(rein_ring_create(&o, &ring), REIN_EINVAL, "f32 or u8");
    o = good;
    o.capacity = INT32_MAX;
    o.observation_size = INT32_MAX;
    assert_fails(rein_ring_create(&o, &ring), REIN_ENOMEM, "bytes");
    assert_ok(rein_ring_create(&good, &ring));
    rein_rng rng = rein_rng_stream(0, REIN_RNG_REPLAY, 0, 0);
    int64_t index[4];
    assert_fails(rein_ring_sample(ring, &rng, 4, index), REIN_EEMPTY, "empty");
    rein_ring_free(ring);
    rein_ring_free(NULL);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void save_to(maker *m, const char *folder)
{
    char path[256];
    rein_store *s;
    snprintf(path, sizeof path, "%s/checkpoint.h5", folder);
    assert_ok(rein_store_create(&s));
    assert_ok(rein_ring_archive(m->ring, rein_store_archive(s), folder));
    assert_ok(rein_store_save(s, path));
    rein_store_free(s);
}

static rein_status load_from(rein_ring *ring, const char *folder)
{
    char path[256];
    rein_store *s;
    snprintf(path, sizeof path, "%s/checkpoint.h5", folder);
    assert_ok(rein_store_open(path, &s));
    rein_status status = rein_ring_archive(ring, rein_store_archive(s), folder);
    rein_store_free(s);
    return status;
}

/* Two rings answer alike. */
static void check_equal(const maker *a, const maker *b)
{
    static batch x, y;
    assert_int_equal(rein_ring_size(a->ring), rein_ring_size(b->ring));
    assert_int_equal(rein_ring_total(a->ring), rein_ring_total(b->ring));
    for (uint64_t k = 0; k < 20; k++) {
        draw(a, k, 512, &x);
        draw(b, k, 512, &y);
        assert_memory_equal(x.index, y.index, sizeof x.index);
        assert_memory_equal(x.observation, y.observation, 512 * row_bytes(a));
        assert_memory_equal(x.next, y.next, 512 * row_bytes(a));
        assert_memory_equal(x.action, y.action, 512 * (a->images ? 4u : 8u));
        assert_memory_equal(x.reward, y.reward, sizeof x.reward);
        assert_memory_equal(x.terminated, y.terminated, sizeof x.terminated);
    }
}

static void test_save_load(void **state)
{
    (void)state;
    const maker kinds[] = {
        {.n_envs = 3, .truncate_every = 25, .terminate_every = 9},
        {.n_envs = 1, .images = true, .truncate_every = 2}, /* drops steps before their time */
    };
    for (size_t i = 0; i < 2; i++) {
        char *folder = strdup(temporary_folder());
        maker m = kinds[i], back = kinds[i];
        make(&m, 600);
        const int64_t lengths[] = {1, 50, 90, 0, 130, 600, 20, 3};
        for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
            push(&m, lengths[k]);
            save_to(&m, folder);
            rein_ring_saved(m.ring, folder);
            make(&back, 600);
            assert_ok(load_from(back.ring, folder));
            back.step = m.step;
            check_equal(&m, &back);
            check_all(&back);
            push(&m, 11); /* and they go on alike */
            push(&back, 11);
            check_equal(&m, &back);
            rein_ring_free(back.ring);
        }
        /* what the ring has outgrown is gone */
        int64_t steps = rein_ring_size(m.ring) / m.n_envs;
        assert_true(temporary_count(folder, "replay") <= (int)(steps < 8 ? steps : 8));
        rein_ring_free(m.ring);
        temporary_remove(folder);
        free(folder);
    }
}

/* Killed after a save whose checkpoint was not completed: the older checkpoint still loads. */
static void test_unfinished_save(void **state)
{
    (void)state;
    char *folder = strdup(temporary_folder());
    maker m = {.n_envs = 2, .truncate_every = 20}, then = m, back = m;
    make(&m, 400);
    make(&then, 400);
    push(&m, 150);
    push(&then, 150);
    save_to(&m, folder);
    rein_ring_saved(m.ring, folder);
    push(&m, 170); /* outgrows what the checkpoint needs */
    rein_store *s;
    assert_ok(rein_store_create(&s));
    assert_ok(rein_ring_archive(m.ring, rein_store_archive(s), folder));
    rein_store_free(s); /* never written, saved() never called */
    temporary_write(folder, "replay/000000000320-000000000330.h5.tmp", "half", 4);
    temporary_write(folder, "replay/note.txt", "not ours", 8);
    make(&back, 400);
    assert_ok(load_from(back.ring, folder));
    back.step = then.step;
    check_equal(&then, &back);
    assert_int_equal(temporary_count(folder, "replay"), 2); /* the one file, and the note */
    rein_ring_free(m.ring);
    rein_ring_free(then.ring);
    rein_ring_free(back.ring);
    temporary_remove(folder);
    free(folder);
}

static void test_load_errors(void **state)
{
    (void)state;
    char *folder = strdup(temporary_folder());
    const char *name = "replay/000000000000-000000000100.h5";
    maker m = {.n_envs = 2, .truncate_every = 20}, back = m;
    size_t size;
    make(&m, 400);
    push(&m, 100);
    save_to(&m, folder);
    rein_ring_saved(m.ring, folder);
    char *data = temporary_bytes(folder, name, &size);
    assert_non_null(data);
    make(&back, 400);
    temporary_write(folder, name, data, size / 2);
    assert_fails(load_from(back.ring, folder), REIN_EFORMAT, name);
    data[size / 2] ^= 16;
    temporary_write(folder, name, data, size);
    assert_fails(load_from(back.ring, folder), REIN_EFORMAT, name);
    data[size / 2] ^= 16;
    assert_int_equal(rein_ring_size(back.ring), 0); /* usable all the same */
    push(&back, 5);
    check_all(&back);
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
    assert_fails(load_from(back.ring, folder), REIN_ENOTFOUND, name);
    temporary_write(folder, name, data, size);
    assert_ok(load_from(back.ring, folder));
    rein_ring_free(back.ring);
    make(&back, 402);
    assert_fails(load_from(back.ring, folder), REIN_EFORMAT, "another size");
    rein_ring_free(back.ring);
    snprintf(path, sizeof path, "%s/file", folder);
    temporary_write(folder, "file", "x", 1);
    rein_store *s;
    push(&m, 3);
    assert_ok(rein_store_create(&s));
    assert_fails(rein_ring_archive(m.ring, rein_store_archive(s), path), REIN_EIO, "file");
    rein_store_free(s);
    rein_ring_free(m.ring);
    free(data);
    temporary_remove(folder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_list),    cmocka_unit_test(test_mostly_truncated),
        cmocka_unit_test(test_uniform),         cmocka_unit_test(test_same_draws),
        cmocka_unit_test(test_wrong_use),       cmocka_unit_test(test_save_load),
        cmocka_unit_test(test_unfinished_save), cmocka_unit_test(test_load_errors),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
