/* The collector by itself: what stands in a rollout and beside it, in blocks of any size, raw
 * numbers for a recorder, statistics, checkpoints, errors. */
#include "tests/algos/task_set_up.h"

#include "algos/collector.h"
#include "tests/algos/memory_archive.h"
#include "tests/alloc_count.h"
#include "tests/probe_envs.h"

typedef struct setup {
    rein_collector_options options;
    rein_task task;
    char env_config[1024];
} setup;

static void setup_env(setup *s, const rein_env_class *env, int n_envs, int n_steps)
{
    memset(s, 0, sizeof *s);
    task_set_up(env, n_envs, 1, s->env_config, &s->task);
    s->options = (rein_collector_options){
        .n_steps = n_steps, .observation_clip = 10, .reward_clip = 10, .gamma = 0.99};
}

static void setup_free(setup *s)
{
    rein_team_free(s->task.team);
}

static rein_collector *create(const setup *s)
{
    rein_collector *c;
    assert_ok(rein_collector_create(&s->options, &s->task, &c));
    return c;
}

/* Actions from the step and the row alone: up to 2.5 beyond zero, or any of the choices. */
static void act(const rein_collector *c, const rein_collector_span *s, int t)
{
    for (int row = s->row; row < s->row + s->n_rows; row++) {
        rein_rng rng = rein_rng_stream(7, REIN_RNG_TEST, (uint32_t)row,
                                       (uint64_t)(c->step / c->vec->n_envs + t));
        const size_t at = (size_t)(t * c->rollout->n_rows + row) * (size_t)c->act;
        for (int j = 0; j < c->act && c->continuous; j++) {
            ((float *)c->rollout->action)[at + (size_t)j] = (float)rein_rng_uniform_in(&rng, -5, 5);
        }
        if (!c->continuous) {
            ((int32_t *)c->rollout->action)[at] =
                (int32_t)rein_rng_below(&rng, (uint32_t)c->vec->spec.action.n);
        }
    }
}

static rein_status collect(rein_collector *c)
{
    rein_collector_open(c);
    for (int b = c->vec->n_blocks - 1; b >= 0; b--) { /* in any order */
        const rein_collector_span s = rein_collector_block(c, b);
        rein_collector_begin(c, b);
        for (int t = 0; t < c->rollout->n_steps; t++) {
            act(c, &s, t);
            REIN_TRY(rein_collector_step(c, b, t));
        }
    }
    rein_collector_close(c);
    return REIN_OK;
}

/* ---- what stands where ----------------------------------------------------------------------- */

/* Episodes of 5 steps that observe their step number; rollouts of 7 begin in their midst. */
static void test_steps_and_ends(void **state)
{
    (void)state;
    setup s;
    setup_env(&s, &probe_broken, 7, 7);
    ((probe_config *)(void *)s.env_config)->after = 1000000;
    s.task.max_episode_steps = 5;
    s.options.block_size = 3; /* 3, 3 and 1 */
    s.options.final_observations = true;
    rein_collector *c = create(&s);
    const rein_rollout *r = c->rollout;
    for (int i = 0; i < 3; i++) {
        assert_ok(collect(c));
        for (int at = 0; at < 7 * 7; at++) {
            const int step = (7 * i + at / 7) % 5;
            assert_true(r->observation[at] == (float)step);
            assert_int_equal(c->start[at], step == 0);
            assert_true(r->reward[at] == 1 && c->raw_reward[at] == 1);
            assert_int_equal(r->terminated[at] | c->env_terminated[at], 0);
            assert_int_equal(r->truncated[at], step == 4);
            assert_int_equal(c->env_truncated[at], step == 4);
            if (step < 4) continue;
            assert_true(c->final_observation[at] == 5);
            assert_true(c->episode_return[at] == 5);
            assert_int_equal(c->episode_length[at], 5);
        }
        for (int row = 0; row < 7; row++) {
            assert_true(c->next_observation[row] == (float)(7 * (i + 1) % 5));
            assert_int_equal(c->next_start[row], 7 * (i + 1) % 5 == 0);
        }
        assert_int_equal(c->step, 49 * (i + 1));
        assert_int_equal(c->episodes.count, 7 * (7 * (i + 1) / 5));
    }
    rein_collector_free(c);
    setup_free(&s);
}

/* Without running statistics, which blocks merge, the size of blocks changes nothing. */
static void test_block_size(void **state)
{
    (void)state;
    setup s;
    setup_env(&s, task_env("CartPole-v1"), 13, 60);
    s.options.block_size = 13;
    rein_collector *one = create(&s);
    s.options.block_size = 4;
    rein_collector *many = create(&s);
    assert_int_equal(many->vec->n_blocks, 4);
    for (int i = 0; i < 2; i++) {
        assert_ok(collect(one));
        assert_ok(collect(many));
    }
    assert_memory_equal(one->rollout->observation, many->rollout->observation, 60 * 13 * 4 * 4);
    assert_memory_equal(one->start, many->start, 60 * 13);
    assert_memory_equal(&one->episodes, &many->episodes, sizeof one->episodes);
    assert_true(one->episodes.count > 20);
    rein_collector_free(one), rein_collector_free(many);
    setup_free(&s);
}

/* ---- for the recorder ------------------------------------------------------------------------ */

/* Raw numbers of the env, actions within bounds, though the learner's are normalised and
 * unclipped; and the learner's are those brought through the statistics. */
static void test_raw_arrays(void **state)
{
    (void)state;
    setup s;
    setup_env(&s, task_env("Pendulum-v1"), 1, 300);
    s.options.record = true;
    s.options.normalize_observation = true;
    s.options.normalize_reward = true;
    rein_collector *c = create(&s);
    assert_ok(collect(c));
    const rein_rollout *r = c->rollout;
    const float *raw = c->raw_observation, *raw_final = c->raw_final;
    const float *action = c->raw_action, *unclipped = r->action;
    rein_normalizer *stats, *of_return;
    double running = 0;
    int n_clipped = 0;
    assert_ok(rein_normalizer_create(3, &stats));
    assert_ok(rein_normalizer_create(1, &of_return));
    for (int t = 0; t < 300; t++) {
        float x[3], y;
        const float bound = unclipped[t] > 2 ? 2 : unclipped[t] < -2 ? -2 : unclipped[t];
        assert_true(action[t] == bound);
        n_clipped += action[t] != unclipped[t];
        assert_true(fabsf(raw[3 * t] * raw[3 * t] + raw[3 * t + 1] * raw[3 * t + 1] - 1) < 1e-5f);
        rein_normalizer_update(stats, raw + 3 * t, 1);
        rein_normalizer_apply(stats, raw + 3 * t, 1, 10, x);
        assert_memory_equal(x, r->observation + 3 * t, sizeof x);
        rein_normalizer_rewards(of_return, 0.99, 10, c->raw_reward + t, r->terminated + t, 1,
                                &running, &y);
        assert_true(y == r->reward[t]);
        assert_int_equal(c->env_truncated[t], t == 199);
        if (t == 199) { /* the last observation counts before the first of the next episode */
            assert_true(c->episode_length[t] == 200);
            assert_true(fabsf(raw_final[3 * t] - raw[3 * t]) < 1);
            rein_normalizer_update(stats, raw_final + 3 * t, 1);
        }
    }
    assert_true(n_clipped > 100);
    rein_normalizer_free(stats), rein_normalizer_free(of_return);
    rein_collector_free(c);
    setup_free(&s);
}

/* Arrays that would only repeat the rollout's are the rollout's; bytes are kept as bytes. */
static void test_arrays_of_the_rollout(void **state)
{
    (void)state;
    setup s;
    setup_env(&s, task_env("CartPole-v1"), 2, 8);
    s.options.record = true;
    rein_collector *c = create(&s);
    assert_ptr_equal(c->raw_observation, c->rollout->observation);
    assert_ptr_equal(c->raw_action, c->rollout->action);
    assert_ptr_equal(c->raw_reward, c->rollout->reward);
    assert_null(c->final_observation);
    assert_ok(rein_collector_record(c, NULL)); /* nobody wants it */
    rein_collector_free(c);
    setup_free(&s);

    setup_env(&s, task_env("MiniGrid-DoorKey-5x5-v0"), 2, 8);
    s.options.record = true;
    c = create(&s);
    assert_ok(collect(c));
    const size_t n = (size_t)(8 * 2 * c->obs);
    float *seen = malloc(n * sizeof *seen);
    rein_observation_to_float(&c->vec->spec.observation, c->raw_observation, 8 * 2, seen);
    assert_memory_equal(c->rollout->observation, seen, n * sizeof *seen);
    free(seen);
    rein_collector_free(c);
    setup_free(&s);
}

/* ---- again ----------------------------------------------------------------------------------- */

static void setup_all(setup *s)
{
    setup_env(s, task_env("Pendulum-v1"), 9, 32);
    s->task.max_episode_steps = 21;
    s->options.block_size = 4;
    s->options.record = true;
    s->options.final_observations = true;
    s->options.normalize_observation = true;
    s->options.normalize_reward = true;
}

static void test_continues_from_checkpoint(void **state)
{
    (void)state;
    setup s;
    setup_all(&s);
    rein_collector *whole = create(&s), *resumed = create(&s);
    memory_archive *archive = memory_archive_new();
    for (int i = 0; i < 2; i++) assert_ok(collect(whole));
    assert_ok(rein_collector_archive(whole, &archive->base));
    assert_ok(collect(whole));
    assert_ok(collect(resumed)); /* somewhere else: all of it must be replaced */
    archive->base.loading = true;
    assert_ok(rein_collector_archive(resumed, &archive->base));
    assert_ok(collect(resumed));
    const rein_rollout *a = whole->rollout, *b = resumed->rollout;
    assert_memory_equal(a->observation, b->observation, 32 * 9 * 3 * sizeof(float));
    assert_memory_equal(a->reward, b->reward, 32 * 9 * sizeof(float));
    assert_memory_equal(whole->start, resumed->start, 32 * 9);
    assert_memory_equal(whole->next_start, resumed->next_start, 9);
    assert_memory_equal(whole->running_return, resumed->running_return, 9 * sizeof(double));
    assert_memory_equal(&whole->episodes, &resumed->episodes, sizeof whole->episodes);
    assert_int_equal(resumed->step, 3 * 32 * 9);

    s.options.normalize_reward = false; /* a checkpoint of other settings */
    s.task.n_envs = 8;
    rein_collector *other = create(&s);
    assert_int_equal(rein_collector_archive(other, &archive->base), REIN_EFORMAT);
    memory_archive_free(archive);
    rein_collector_free(whole), rein_collector_free(resumed), rein_collector_free(other);
    setup_free(&s);
}

static void test_no_allocation(void **state)
{
    (void)state;
    if (!alloc_count_works()) skip();
    setup s;
    setup_all(&s);
    rein_collector *c = create(&s);
    assert_ok(collect(c));
    const long before = alloc_count();
    for (int i = 0; i < 3; i++) assert_ok(collect(c));
    assert_int_equal(alloc_count() - before, 0);
    rein_collector_free(c);
    setup_free(&s);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void test_errors(void **state)
{
    (void)state;
    setup s;
    setup_env(&s, &probe_nan, 3, 16); /* an env that observes NaN */
    rein_collector *c = create(&s);
    assert_int_equal(collect(c), REIN_ENAN);
    rein_collector_free(c);
    setup_free(&s);

    setup_env(&s, &probe_broken, 3, 16); /* broken at every fifth step */
    c = create(&s);
    assert_ok(collect(c));
    assert_int_equal(c->episodes.broken, 9);
    rein_collector_free(c);

    s.options.n_steps = 1 << 30;
    assert_fails(rein_collector_create(&s.options, &s.task, &c), REIN_ECONFIG,
                 "algo.n_steps 1073741824 x 3 rows");
    assert_null(c);
    setup_free(&s);
    rein_collector_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_and_ends),
        cmocka_unit_test(test_block_size),
        cmocka_unit_test(test_raw_arrays),
        cmocka_unit_test(test_arrays_of_the_rollout),
        cmocka_unit_test(test_continues_from_checkpoint),
        cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
