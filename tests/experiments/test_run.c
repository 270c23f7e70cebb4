/* A run over a run folder, driven by a loop that learns nothing. */
#include "experiments/run.h"

#include <math.h>

#include "experiments/checkpoint.h"
#include "nets/layers.h"
#include "tests/experiments/sample.h"
#include "tests/folder.h"

/* The loop's state: a counter and the episodes, one ending every 10 steps. */
typedef struct loop {
    int64_t step;
    rein_episodes episodes;
    rein_policy *policy;
    int n_evaluations, n_checkpoints;
} loop;

static rein_policy *policy_for(const rein_experiment *e)
{
    rein_policy_spec spec = {
        .observation = e->spec.observation,
        .action = e->spec.action,
        .head = REIN_HEAD_CATEGORICAL,
        .net = rein_net_spec_mlp(4, NULL, 0, REIN_TANH, 2),
    };
    snprintf(spec.env_id, sizeof spec.env_id, "CartPole-v1");
    snprintf(spec.algo_id, sizeof spec.algo_id, "ppo");
    rein_policy *policy;
    assert_ok(rein_policy_create(&spec, &policy));
    for (size_t i = 0; i < policy->n_params; i++) policy->params[i] = 0.1f * (float)i;
    rein_policy_pack(policy);
    return policy;
}

static rein_status loop_archive(loop *l, rein_archive *a)
{
    REIN_TRY(rein_archive_i64(a, "counter", &l->step));
    return rein_episodes_archive(&l->episodes, a);
}

static void push(loop *l, rein_run *run)
{
    float observation[8] = {0}, reward[2] = {1, 1}, final[8] = {0};
    int32_t action[2] = {0, 1}, length[2] = {10, 10};
    uint8_t terminated[2] = {0}, truncated[2] = {0};
    double returns[2] = {10, 10};
    l->step += 2;
    observation[0] = (float)l->step;
    terminated[0] = l->step % 20 == 0;
    if (terminated[0]) rein_episodes_push(&l->episodes, 10, 10);
    if (!run->recorder) return;
    assert_ok(rein_recorder_push(run->recorder, &(rein_recorder_steps){.n_steps = 1,
                                                                       .observation = observation,
                                                                       .action = action,
                                                                       .reward = reward,
                                                                       .terminated = terminated,
                                                                       .truncated = truncated,
                                                                       .final_observation = final,
                                                                       .episode_return = returns,
                                                                       .episode_length = length}));
}

/* As algos/run.h has it. `fail_at`: return an error at this step, as if the disk were full. */
static rein_status loop_train(loop *l, rein_run *run, int64_t total, int64_t fail_at)
{
    rein_archive *archive;
    REIN_TRY(rein_run_resume(run, &archive));
    if (archive) REIN_TRY(loop_archive(l, archive));
    while (l->step < total) {
        push(l, run);
        rein_metric metrics[] = {{"loss", 1.0 / (double)l->step}, {"odd", (double)INFINITY}};
        if (l->step % 50 == 0) REIN_TRY(rein_run_log(run, l->step, &l->episodes, metrics, 2));
        unsigned due = rein_run_tick(run, l->step);
        if (due & REIN_RUN_EVALUATE) {
            REIN_TRY(rein_run_evaluate(run, l->step, l->policy));
            l->n_evaluations++;
        }
        if (due & REIN_RUN_CHECKPOINT) {
            REIN_TRY(rein_run_checkpoint_begin(run, l->step, &archive));
            REIN_TRY(loop_archive(l, archive));
            REIN_TRY(rein_run_checkpoint_end(run));
            l->n_checkpoints++;
        }
        if (due & REIN_RUN_STOP) return rein_fail(REIN_EINTERRUPTED, "stopped");
        if (l->step == fail_at) return rein_fail(REIN_EIO, "the disk is full");
    }
    return rein_run_finish(run, l->step, l->policy);
}

typedef struct session {
    loop loop;
    rein_run_outcome outcome;
    rein_status status;
} session;

static session train(rein_experiment *e, const rein_run_folder *f, bool resume, int64_t fail_at)
{
    session s = {.loop = {.policy = policy_for(e)}};
    rein_team *team;
    rein_run *run;
    assert_ok(rein_team_create(1, &team));
    s.status = rein_run_open(
        &(rein_run_options){.experiment = e, .folder = f, .team = team, .resume = resume}, &run);
    if (s.status == REIN_OK) {
        s.status = loop_train(&s.loop, run, e->run.total_timesteps, fail_at);
        s.status = rein_run_close(run, s.status, &s.outcome);
    }
    rein_team_free(team);
    rein_policy_free(s.loop.policy);
    return s;
}

static void test_whole(void **state)
{
    (void)state;
    rein_run_folder f;
    rein_experiment *e = sample_run(folder, NULL, &f);
    session s = train(e, &f, false, -1);
    assert_ok(s.status);
    assert_int_equal(s.loop.n_evaluations, 10); /* every 100 of 1000 steps */
    assert_int_equal(s.loop.n_checkpoints, 1);  /* at the end: 60 s did not pass */
    assert_true(s.outcome.began);
    assert_int_equal(s.outcome.checkpoint_step, 1000);
    const rein_run_summary *r = &s.outcome.summary;
    assert_int_equal(r->steps, 1000);
    assert_int_equal(r->episodes, 50);
    assert_true(r->return_mean == 10 && r->length_mean == 10);
    assert_int_equal(r->eval_episodes, 2);
    assert_true(r->eval_return_mean > 5);
    assert_true(r->peak_memory_kb > 1000);

    size_t size;
    char *text = temporary_bytes(f.path, "metrics.jsonl", &size);
    text[size] = '\0';
    int logs = 0, evaluations = 0; /* the one at step 1000 is not made twice */
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        logs += strstr(line, "\"loss\"") != NULL;
        evaluations += strstr(line, "\"eval_return_mean\"") != NULL;
        if (strstr(line, "\"loss\"")) assert_non_null(strstr(line, "\"odd\": null"));
        assert_non_null(strstr(line, ", \"time_s\": "));
    }
    assert_int_equal(logs, 20);
    assert_int_equal(evaluations, 10);
    free(text);
    rein_run_summary read;
    assert_ok(rein_run_folder_read_summary(&f, &read));
    assert_true(read.fingerprint == r->fingerprint);
    sample_run_free(e, &f);
}

/* metrics.jsonl without its times. */
static char *timeless(const rein_run_folder *f)
{
    size_t size;
    char *text = temporary_bytes(f->path, "metrics.jsonl", &size), *to = text;
    text[size] = '\0';
    for (char *line = text; *line;) {
        char *end = strchr(line, '\n'), *cut = strstr(line, ", \"time_s\"");
        memmove(to, line, (size_t)(cut - line));
        to += cut - line;
        *to++ = '\n';
        line = end + 1;
    }
    *to = '\0';
    return text;
}

/* Fails with the last checkpoint some steps behind; the rest is done again, to the same rows. */
static void test_resumed(void **state)
{
    (void)state;
    rein_experiment *e = sample_experiment(folder, NULL);
    rein_run_folder whole, parted;
    assert_ok(rein_run_folder_create(e, &whole));
    session s = train(e, &whole, false, -1);
    assert_ok(s.status);
    assert_ok(rein_run_folder_create(e, &parted));
    e->log.checkpoint_every_s = 1e-9; /* a checkpoint at every tick */
    s = train(e, &parted, false, 333 * 2);
    assert_int_equal(s.status, REIN_EIO);
    assert_string_equal(rein_error_message(), "the disk is full");
    assert_int_equal(s.outcome.checkpoint_step, 666);
    e->log.checkpoint_every_s = 0; /* none */
    s = train(e, &parted, true, 800);
    assert_int_equal(s.status, REIN_EIO);
    assert_int_equal(s.outcome.step, 800);
    assert_int_equal(s.outcome.checkpoint_step, 666); /* still */
    assert_int_equal(s.loop.n_checkpoints, 0);
    s = train(e, &parted, true, -1);
    assert_ok(s.status);
    char *a = timeless(&whole), *b = timeless(&parted);
    assert_string_equal(a, b);
    free(a);
    free(b);
    rein_run_folder_close(&whole);
    rein_run_folder_close(&parted);
    rein_experiment_free(e);
}

/* Without a checkpoint a run starts over, and what it had written is gone. */
static void test_start_over(void **state)
{
    (void)state;
    rein_run_folder f;
    rein_experiment *e = sample_run(folder, "log.checkpoint_every_s=0", &f);
    session s = train(e, &f, false, 400);
    assert_int_equal(s.status, REIN_EIO);
    assert_true(s.outcome.began);
    assert_int_equal(s.outcome.checkpoint_step, -1);
    s = train(e, &f, true, -1);
    assert_ok(s.status);
    char *text = timeless(&f), *second = strstr(text, "\"step\": 50,");
    assert_non_null(second);
    assert_null(strstr(second + 1, "\"step\": 50,"));
    free(text);
    sample_run_free(e, &f);
}

static void test_changed_config(void **state)
{
    (void)state;
    rein_run_folder f;
    rein_experiment *e = sample_run(folder, NULL, &f);
    assert_ok(train(e, &f, false, -1).status);
    e->run.seed = 6;
    session s = train(e, &f, true, -1);
    assert_int_equal(s.status, REIN_EFORMAT);
    assert_non_null(strstr(rein_error_message(), "was changed after"));
    sample_run_free(e, &f);
}

static void test_no_evaluation(void **state)
{
    (void)state;
    rein_experiment *e = sample_experiment(folder, "log.eval_episodes=0");
    e->log.rollouts = REIN_ROLLOUTS_NONE;
    rein_run_folder f;
    assert_ok(rein_run_folder_create(e, &f));
    session s = train(e, &f, false, -1);
    assert_ok(s.status);
    assert_int_equal(s.loop.n_evaluations, 0);
    assert_int_equal(s.outcome.summary.eval_episodes, 0);
    assert_int_equal(temporary_count(f.path, "rollouts"), -1);
    sample_run_free(e, &f);
}

/* All that a policy acts by is in the fingerprint. */
static void test_fingerprint(void **state)
{
    (void)state;
    rein_experiment *e = sample_experiment(folder, NULL);
    rein_policy *policy = policy_for(e);
    uint64_t a, b;
    assert_ok(rein_run_fingerprint(policy, &a));
    assert_ok(rein_run_fingerprint(policy, &b));
    assert_true(a == b);
    policy->params[3] = nextafterf(policy->params[3], 1);
    assert_ok(rein_run_fingerprint(policy, &b));
    assert_true(a != b);
    policy->spec.head = REIN_HEAD_GAUSSIAN;
    assert_ok(rein_run_fingerprint(policy, &a));
    policy->log_std[0] += 0.5f;
    assert_ok(rein_run_fingerprint(policy, &b));
    assert_true(a != b);
    rein_policy_free(policy);
    rein_experiment_free(e);
}

/* Last: a stop asked for stays asked for. */
static void test_stop(void **state)
{
    (void)state;
    rein_run_folder f;
    rein_experiment *e = sample_run(folder, NULL, &f);
    rein_run_stop();
    session s = train(e, &f, false, -1);
    assert_int_equal(s.status, REIN_EINTERRUPTED);
    assert_int_equal(s.outcome.step, 2);
    assert_int_equal(s.outcome.checkpoint_step, 2);
    sample_run_free(e, &f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_whole),          TEST(test_resumed),       TEST(test_start_over),
        TEST(test_changed_config), TEST(test_no_evaluation), TEST(test_fingerprint),
        TEST(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
