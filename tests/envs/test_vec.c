/* The vector env: its rules against single envs driven by hand, threads and blocks, save and load,
 * allocation. Refusals and misbehaving envs: test_vec_errors.c. */
#include "tests/algos/memory_archive.h"
#include "tests/alloc_count.h"
#include "tests/envs/vec_set_up.h"

/* ---- helpers ------------------------------------------------------------------------------- */

/* Everything that can be seen of a vec, as one list of arrays. */
enum { N_ARRAYS = 11 };
static void vec_arrays(const rein_vec *vec, const void *data[N_ARRAYS], size_t bytes[N_ARRAYS])
{
    size_t n = (size_t)vec->n_envs, rows = (size_t)vec->n_rows;
    const void *all[N_ARRAYS] = {vec->observation,    vec->reward,         vec->terminated,
                                 vec->truncated,      vec->broken,         vec->final_observation,
                                 vec->episode_return, vec->episode_length, vec->episode,
                                 vec->steps,          vec->n_broken};
    const size_t sizes[N_ARRAYS] = {rows * vec->observation_bytes,
                                    rows * 4,
                                    n,
                                    n,
                                    n,
                                    rows * vec->observation_bytes,
                                    n * 8,
                                    n * 4,
                                    n * 4,
                                    n * 8,
                                    n * 8};
    memcpy(data, all, sizeof all);
    memcpy(bytes, sizes, sizeof sizes);
}

static void assert_same(const rein_vec *a, const rein_vec *b)
{
    const void *x[N_ARRAYS], *y[N_ARRAYS];
    size_t n[N_ARRAYS], m[N_ARRAYS];
    vec_arrays(a, x, n);
    vec_arrays(b, y, m);
    for (int k = 0; k < N_ARRAYS; k++) {
        assert_int_equal(n[k], m[k]);
        assert_memory_equal(x[k], y[k], n[k]);
    }
}

/* ---- a small env with three agents --------------------------------------------------------- */

/* Agents count down from a random number; agent 1 is paid its action, the others 0.25. */
typedef struct trio_state {
    int32_t left;
} trio_state;

static int trio_alive; /* inits not undone */

static rein_status trio_spec(const void *config, rein_env_spec *out)
{
    (void)config;
    *out = (rein_env_spec){
        .observation = {.dtype = REIN_U8, .n_dims = 1, .shape = {2}, .size = 2, .high = 255},
        .action = {.kind = REIN_CONTINUOUS, .size = 2, .low = {-1, -1}, .high = {1, 1}},
        .n_agents = 3,
        .max_episode_steps = 9,
        .state_size = sizeof(trio_state),
    };
    return REIN_OK;
}

static rein_status trio_init(void *state, const void *config)
{
    (void)state;
    (void)config;
    trio_alive++;
    return REIN_OK;
}

static void trio_fini(void *state)
{
    (void)state;
    trio_alive--;
}

static void trio_observe(const trio_state *s, rein_env_io *io)
{
    uint8_t *out = io->observation;
    for (int agent = 0; agent < 3; agent++) {
        out[2 * agent] = (uint8_t)s->left;
        out[2 * agent + 1] = (uint8_t)agent;
    }
}

static void trio_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    trio_state *s = state;
    s->left = 1 + (int32_t)rein_rng_below(rng, 12);
    trio_observe(s, io);
}

static void trio_step(void *state, rein_rng *rng, rein_env_io *io)
{
    trio_state *s = state;
    const float *action = io->action;
    s->left -= rein_rng_below(rng, 2) != 0;
    io->reward[0] = io->reward[2] = 0.25F;
    io->reward[1] = action[2] + action[3];
    *io->terminated = s->left == 0;
    trio_observe(s, io);
}

static const rein_env_class trio = {
    .id = "Trio",
    .summary = "three agents",
    .cite = "none",
    .config_size = 0,
    .spec = trio_spec,
    .init = trio_init,
    .reset = trio_reset,
    .step = trio_step,
    .fini = trio_fini,
};

static const set_up mixed[] = {
    {.id = "CartPole-v1", .n_envs = 70, .limit = -1},
    {.id = "Pendulum-v1", .n_envs = 5, .block_size = 2, .limit = 50},
    {.id = "MountainCarContinuous-v0", .n_envs = 65, .limit = 40},
    {.id = "Acrobot-v1", .n_envs = 7, .block_size = 1, .limit = 30},
    {.id = "MiniGrid-Empty-5x5-v0", .n_envs = 72, .limit = 60},
    {.id = "Hopper-v4", .n_envs = 6, .limit = -1},
    {.env = &trio, .n_envs = 37, .block_size = 5, .limit = -1},
    {.env = &probe_envs[PROBE_BOTH][PROBE_CONTINUOUS], .n_envs = 128, .limit = -1},
    {.env = &probe_broken, .n_envs = 66, .limit = 8, .broken_nan = true},
};
enum { N_MIXED = sizeof mixed / sizeof mixed[0], N_STEPS = 70 };

/* ---- threads, blocks, independence --------------------------------------------------------- */

static void test_threads(void **state)
{
    (void)state;
    static const int threads[] = {1, 2, 3, 7};
    for (int k = 0; k < N_MIXED; k++) {
        rein_vec *alone = vec_new(&mixed[k]), *vecs[4];
        rein_team *teams[4];
        for (int i = 0; i < 4; i++) {
            vecs[i] = vec_new(&mixed[k]);
            assert_int_equal(rein_team_create(threads[i], &teams[i]), REIN_OK);
        }
        for (uint64_t t = 0; t < N_STEPS; t++) {
            vec_act(alone, t);
            vec_step_all(alone);
            for (int i = 0; i < 4; i++) {
                vec_act(vecs[i], t);
                assert_int_equal(rein_vec_step(vecs[i], teams[i]), REIN_OK);
                assert_same(alone, vecs[i]);
            }
        }
        uint32_t most = 0;
        for (int env = 0; env < alone->n_envs; env++) {
            if (alone->episode[env] > most) most = alone->episode[env];
        }
        assert_true(most >= 2); /* episodes did end */
        for (int i = 0; i < 4; i++) {
            rein_vec_free(vecs[i]);
            rein_team_free(teams[i]);
        }
        rein_vec_free(alone);
    }
}

/* Neither the cut into blocks nor the other envs change what an env does. */
static void test_independence(void **state)
{
    (void)state;
    for (int k = 0; k < N_MIXED; k++) {
        set_up other = mixed[k], fewer = mixed[k];
        other.block_size = 3;
        fewer.n_envs = 2;
        rein_vec *a = vec_new(&mixed[k]), *b = vec_new(&other), *c = vec_new(&fewer);
        size_t row = (size_t)a->spec.n_agents * a->observation_bytes;
        for (uint64_t t = 0; t < N_STEPS; t++) {
            vec_act(a, t);
            vec_act(b, t);
            vec_act(c, t);
            vec_step_all(a);
            vec_step_all(b);
            vec_step_all(c);
            assert_same(a, b);
            assert_memory_equal(a->observation, c->observation, 2 * row);
            assert_memory_equal(a->episode_return, c->episode_return, 2 * sizeof(double));
        }
        /* envs differ from one another */
        if (a->env != &trio && a->env != &probe_broken && a->spec.observation.size > 1 &&
            a->spec.observation.dtype == REIN_F32) {
            assert_memory_not_equal(a->observation, (const char *)a->observation + row, row);
        }
        rein_vec_free(a);
        rein_vec_free(b);
        rein_vec_free(c);
    }
}

static void test_blocks(void **state)
{
    (void)state;
    static const int slow[][2] = {{1, 1}, {4, 1}, {8, 1}, {9, 2}, {16, 2}, {64, 8}, {1000, 8}};
    for (size_t k = 0; k < sizeof slow / sizeof slow[0]; k++) {
        assert_int_equal(rein_vec_block_size(slow[k][0], true), slow[k][1]);
    }
    assert_int_equal(rein_vec_block_size(1000, false), 64);
    rein_vec *vec = vec_new(&(set_up){.id = "CartPole-v1", .n_envs = 70, .limit = -1});
    int first, next = 0;
    for (int block = 0; block < vec->n_blocks; block++) {
        int count = rein_vec_block(vec, block, &first);
        assert_true(first == next && count >= 1 && count <= vec->block_size);
        next += count;
    }
    assert_int_equal(next, 70);
    rein_vec_free(vec);
}

/* ---- autoreset and time limits ------------------------------------------------------------- */

/* One env of the class driven by hand by the rules in vec.h, beside env `index` of a vec. */
typedef struct hand {
    const rein_vec *vec;
    int index;
    void *state;
    unsigned char observation[2048], final_observation[2048];
    float reward[4];
    uint8_t terminated, broken, truncated;
    rein_env_io io;
    double episode_return;
    int length;
    uint64_t step;
    uint32_t episode;
    bool ended;
} hand;

static void hand_reset(hand *h)
{
    rein_rng rng = rein_rng_stream(11, REIN_RNG_RESET, (uint32_t)h->index, h->episode++);
    h->vec->env->reset(h->state, &rng, &h->io);
}

static void hand_open(hand *h, const rein_vec *vec, int index)
{
    const rein_env_class *env = vec->env;
    memset(h, 0, sizeof *h);
    void *config = calloc(1, env->config_size + 1);
    assert_non_null(config);
    assert_int_equal(rein_env_defaults(env, config), REIN_OK);
    h->vec = vec;
    h->index = index;
    h->state = aligned_alloc(64, vec->state_stride);
    assert_non_null(h->state);
    memset(h->state, 0, vec->state_stride);
    assert_int_equal(env->init(h->state, config), REIN_OK);
    free(config);
    assert_true((size_t)vec->spec.n_agents * vec->observation_bytes <= sizeof h->observation);
    h->io = (rein_env_io){.observation = h->observation,
                          .reward = h->reward,
                          .terminated = &h->terminated,
                          .broken = &h->broken,
                          .action = (const char *)vec->action +
                                    (size_t)index * vec->action_bytes * (size_t)vec->spec.n_agents};
    hand_reset(h);
}

static void hand_step(hand *h, int limit)
{
    const rein_env_class *env = h->vec->env;
    if (h->ended) h->episode_return = 0, h->length = 0;
    rein_rng rng = rein_rng_stream(11, REIN_RNG_DYNAMICS, (uint32_t)h->index, h->step++);
    h->broken = 0;
    env->step(h->state, &rng, &h->io);
    for (int k = 0; k < h->vec->spec.n_agents; k++) h->episode_return += (double)h->reward[k];
    h->length++;
    h->truncated = !h->terminated && h->length >= limit;
    h->ended = h->terminated || h->truncated;
    if (!h->ended) return;
    memcpy(h->final_observation, h->observation, sizeof h->observation);
    hand_reset(h);
}

static void hand_compare(const hand *h)
{
    const rein_vec *vec = h->vec;
    size_t i = (size_t)h->index, agents = (size_t)vec->spec.n_agents;
    size_t bytes = agents * vec->observation_bytes;
    assert_memory_equal((const char *)vec->observation + i * bytes, h->observation, bytes);
    assert_memory_equal(vec->reward + i * agents, h->reward, agents * sizeof(float));
    assert_int_equal(vec->terminated[i], h->terminated);
    assert_int_equal(vec->truncated[i], h->truncated);
    assert_int_equal(vec->episode_length[i], h->length);
    assert_true(vec->episode_return[i] == h->episode_return);
    assert_int_equal(vec->episode[i], h->episode);
    assert_int_equal(vec->steps[i], h->step);
    if (h->ended) {
        assert_memory_equal((const char *)vec->final_observation + i * bytes, h->final_observation,
                            bytes);
    }
}

static void test_autoreset(void **state)
{
    (void)state;
    static const int limits[N_MIXED] = {500, 50, 40, 30, 60, 1000, 9, 0, 0};
    for (int k = 0; k < N_MIXED; k++) {
        if (limits[k] == 0) continue;
        rein_vec *vec = vec_new(&mixed[k]);
        hand h;
        hand_open(&h, vec, vec->n_envs - 2);
        int ends = 0;
        for (uint64_t t = 0; t < 400; t++) {
            vec_act(vec, t);
            vec_step_all(vec);
            hand_step(&h, limits[k]);
            hand_compare(&h);
            ends += h.ended;
        }
        assert_true(ends >= 3);
        if (vec->env->fini != NULL) vec->env->fini(h.state);
        free(h.state);
        rein_vec_free(vec);
    }
}

static void check_limit(int limit, int terminated_at, int truncated_at)
{
    rein_vec *vec =
        vec_new(&(set_up){.env = &probe_envs[PROBE_DISCOUNT][0], .n_envs = 3, .limit = limit});
    for (int t = 1; t <= 6; t++) {
        vec_step_all(vec);
        for (int env = 0; env < 3; env++) {
            assert_int_equal(vec->terminated[env], terminated_at > 0 && t % terminated_at == 0);
            assert_int_equal(vec->truncated[env], truncated_at > 0 && t % truncated_at == 0);
        }
    }
    rein_vec_free(vec);
}

static void test_time_limit(void **state)
{
    (void)state;
    check_limit(1, 0, 1);
    check_limit(2, 2, 0); /* the task ends by itself in that step: not truncated */
    check_limit(3, 2, 0);
    check_limit(0, 2, 0);
    check_limit(-1, 2, 0);
    rein_vec *vec = vec_new(&(set_up){.env = &probe_nan, .after = 1000, .n_envs = 1, .limit = 0});
    for (int t = 1; t < 900; t++) {
        vec_step_all(vec);
        assert_int_equal(vec->truncated[0], 0);
        assert_int_equal(vec->episode_length[0], t);
        assert_true(vec->episode_return[0] == t);
    }
    rein_vec_free(vec);
}

static void test_reset(void **state)
{
    (void)state;
    for (int k = 0; k < N_MIXED; k++) {
        rein_vec *vec = vec_new(&mixed[k]), *fresh = vec_new(&mixed[k]);
        for (uint64_t t = 0; t < 3; t++) {
            vec_act(vec, t);
            vec_step_all(vec);
        }
        assert_int_equal(rein_vec_reset(vec), REIN_OK);
        assert_int_equal(rein_vec_reset(fresh), REIN_OK);
        for (int env = 0; env < vec->n_envs; env++) {
            assert_true(vec->episode_return[env] == 0 && vec->episode_length[env] == 0);
            assert_true(vec->reward[env] == 0 && !vec->terminated[env] && !vec->truncated[env]);
            assert_true(vec->steps[env] == 3 && fresh->steps[env] == 0);
        }
        vec_act(vec, 9);
        vec_step_all(vec);
        for (int env = 0; env < vec->n_envs; env++) {
            assert_int_equal(vec->episode_length[env], 1);
        }
        rein_vec_free(vec);
        rein_vec_free(fresh);
    }
}

/* Evaluation starts from streams of its own. */
static void test_reset_purpose(void **state)
{
    (void)state;
    const rein_env_class *env;
    char config[64];
    assert_int_equal(rein_env_find("CartPole-v1", &env), REIN_OK);
    assert_true(env->config_size <= sizeof config);
    assert_int_equal(rein_env_defaults(env, config), REIN_OK);
    rein_vec_options options = {.env = env, .config = config, .n_envs = 2, .seed = 11};
    rein_vec *train, *eval;
    assert_int_equal(rein_vec_create(&options, &train), REIN_OK);
    options.reset_purpose = REIN_RNG_EVAL;
    assert_int_equal(rein_vec_create(&options, &eval), REIN_OK);
    rein_rng rng = rein_rng_stream(11, REIN_RNG_EVAL, 1, 0);
    float first = (float)rein_rng_uniform_in(&rng, -0.05, 0.05);
    assert_true(((float *)eval->observation)[4] == first);
    assert_true(((float *)train->observation)[4] != first);
    rein_vec_free(train);
    rein_vec_free(eval);
}

/* ---- save and load ------------------------------------------------------------------------- */

static void test_save_load(void **state)
{
    (void)state;
    for (int k = 0; k < N_MIXED; k++) {
        for (uint64_t at = 0; at < 100; at += 33) {
            memory_archive *m = memory_archive_new();
            rein_vec *a = vec_new(&mixed[k]), *b = vec_new(&mixed[k]);
            for (uint64_t t = 0; t < at; t++) {
                vec_act(a, t);
                vec_step_all(a);
            }
            for (uint64_t t = 0; t < 7; t++) { /* another past */
                vec_act(b, t + 1000);
                vec_step_all(b);
            }
            assert_int_equal(rein_vec_archive(a, &m->base), REIN_OK);
            m->base.loading = true;
            assert_int_equal(rein_vec_archive(b, &m->base), REIN_OK);
            assert_memory_equal(a->action, b->action, (size_t)a->n_rows * a->action_bytes);
            assert_same(a, b);
            for (uint64_t t = at; t < at + 70; t++) {
                vec_act(a, t);
                vec_act(b, t);
                vec_step_all(a);
                vec_step_all(b);
                assert_same(a, b);
            }
            memory_archive_free(m);
            rein_vec_free(a);
            rein_vec_free(b);
        }
    }
}

static void test_load_refuses(void **state)
{
    (void)state;
    memory_archive *m = memory_archive_new();
    rein_vec *vec = vec_new(&(set_up){.id = "CartPole-v1", .n_envs = 3, .limit = -1});
    rein_vec *more = vec_new(&(set_up){.id = "CartPole-v1", .n_envs = 4, .limit = -1});
    rein_vec *other = vec_new(&(set_up){.id = "Acrobot-v1", .n_envs = 3, .limit = -1});
    assert_int_equal(rein_vec_archive(vec, &m->base), REIN_OK);
    m->base.loading = true;
    assert_int_equal(rein_vec_archive(more, &m->base), REIN_EFORMAT);
    assert_int_equal(rein_vec_archive(other, &m->base), REIN_EFORMAT);
    vec->seed = 12;
    assert_int_equal(rein_vec_archive(vec, &m->base), REIN_EFORMAT);
    assert_string_equal(rein_error_message(), "saved envs have seed 11, these have 12");
    memory_archive_free(m);
    rein_vec_free(vec);
    rein_vec_free(more);
    rein_vec_free(other);
}

/* ---- allocation ---------------------------------------------------------------------------- */

static void test_no_allocation(void **state)
{
    (void)state;
    if (!alloc_count_works()) skip();
    long before = alloc_count();
    void *volatile memory = malloc(10);
    free(memory);
    assert_int_equal(alloc_count() - before, 1); /* it does count */
    rein_team *team;
    assert_int_equal(rein_team_create(2, &team), REIN_OK);
    for (int k = 0; k < N_MIXED; k++) {
        rein_vec *vec = vec_new(&mixed[k]);
        vec_act(vec, 0);
        assert_int_equal(rein_vec_step(vec, team), REIN_OK); /* threads start */
        before = alloc_count();
        for (uint64_t t = 1; t < 200; t++) {
            vec_act(vec, t);
            rein_vec_step(vec, team);
        }
        assert_int_equal(rein_vec_reset(vec), REIN_OK);
        assert_int_equal(alloc_count() - before, 0);
        rein_vec_free(vec);
    }
    rein_team_free(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),       cmocka_unit_test(test_independence),
        cmocka_unit_test(test_blocks),        cmocka_unit_test(test_autoreset),
        cmocka_unit_test(test_time_limit),    cmocka_unit_test(test_reset),
        cmocka_unit_test(test_reset_purpose), cmocka_unit_test(test_save_load),
        cmocka_unit_test(test_load_refuses),  cmocka_unit_test(test_no_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
