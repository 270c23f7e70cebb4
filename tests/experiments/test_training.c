/* Whole runs of the program: the same bytes for any number of threads, after SIGKILL, after
 * Ctrl-C; a full disk. */
#include "base/clock.h"
#include "tests/experiments/program.h"
#include "tests/folder.h"

#include <signal.h>
#include <stdbool.h>

static const char *const algos[] = {"ppo", "dqn", "ppo_recurrent"};
enum { N_ALGOS = 3 };

static int setup(void **state)
{
    folder_setup(state);
    program_write_configs(folder);
    return 0;
}

static char *train(const char *algo, const char *name, const char *more)
{
    char line[512];
    snprintf(line, sizeof line, "train %s.yaml run.name=%s %s", algo, name, more);
    return program_ok(folder, line);
}

static void test_threads(void **state)
{
    (void)state;
    for (int i = 0; i < N_ALGOS; i++) {
        char a[64], b[64], more[64];
        snprintf(a, sizeof a, "runs/%s-1", algos[i]);
        char *one = train(algos[i], a + 5, "run.threads=1");
        for (int threads = 2; threads <= 3; threads++) {
            snprintf(b, sizeof b, "runs/%s-%d", algos[i], threads);
            snprintf(more, sizeof more, "run.threads=%d", threads);
            char *other = train(algos[i], b + 5, more);
            program_assert_same_end(one, other);
            program_assert_same_run(folder, a, b);
            free(other);
        }
        snprintf(a, sizeof a, "seed-%d", i);
        char x[17], y[17], *seed = train(algos[i], a, "run.seed=4"); /* it can differ */
        assert_string_not_equal(program_fingerprint(one, x), program_fingerprint(seed, y));
        free(one);
        free(seed);
    }
}

/* Kill `line` after so long; false when it was through before, with the same end as `whole`. */
static bool killed(const char *line, double after_s, const char *whole)
{
    process_result r = program_with(
        &(process_options){.folder = folder, .signal = SIGKILL, .signal_after_s = after_s}, line);
    bool was_killed = r.signal != 0;
    if (!was_killed) {
        if (r.code != 0) fail_msg("%s: code %d: %s", line, r.code, r.err);
        program_assert_same_end(r.out, whole);
    }
    process_free(&r);
    return was_killed;
}

static bool exists(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

/* SIGKILL every so often; the run goes on until it is through. */
static void test_killed(void **state)
{
    (void)state;
    for (int i = 0; i < N_ALGOS; i++) {
        char a[64], name[64], path[256], begin[256], line[256];
        int kills = 0, checkpoints = 0;
        snprintf(a, sizeof a, "runs/%s-whole", algos[i]);
        snprintf(name, sizeof name, "runs/%s-killed", algos[i]);
        double start_s = rein_clock_s();
        char *whole = train(algos[i], a + 5, "run.total_timesteps=100000");
        double whole_s = rein_clock_s() - start_s;
        snprintf(begin, sizeof begin,
                 "train %s.yaml run.name=%s run.total_timesteps=100000 log.checkpoint_every_s=0.02",
                 algos[i], name + 5);
        snprintf(line, sizeof line, "%s", begin);
        /* a part of a whole run, ever later, so that it comes through on any machine */
        while (killed(line, whole_s * (0.1 + 0.07 * (kills % 5) + 0.03 * kills), whole)) {
            assert_true(++kills < 200);
            snprintf(path, sizeof path, "%s/config.yaml", name);
            if (exists(path)) {
                snprintf(line, sizeof line, "resume %s", name);
            } else { /* killed before the run began */
                snprintf(line, sizeof line, "%s/%s", folder, name);
                temporary_remove(line);
                snprintf(line, sizeof line, "%s", begin);
            }
            snprintf(path, sizeof path, "%s/checkpoint.h5", name);
            checkpoints += exists(path);
        }
        assert_true(kills > 0);
        assert_true(checkpoints > 0);
        program_assert_same_run(folder, a, name);
        free(whole);
    }
}

/* Ctrl-C: a checkpoint, a line that says how to go on, exit code 130; and the end is the same. */
static void test_interrupted(void **state)
{
    (void)state;
    for (int i = 0; i < N_ALGOS; i++) {
        char a[64], b[64], line[256];
        snprintf(a, sizeof a, "runs/%s-whole", algos[i]);
        snprintf(b, sizeof b, "runs/%s-stopped", algos[i]);
        double start_s = rein_clock_s();
        char *whole = train(algos[i], a + 5, "run.total_timesteps=200000");
        double after_s = (rein_clock_s() - start_s) / 2;
        snprintf(line, sizeof line, "train %s.yaml run.name=%s run.total_timesteps=200000",
                 algos[i], b + 5);
        process_options how = {
            .folder = folder, .signal = i ? SIGTERM : SIGINT, .signal_after_s = after_s};
        process_result r = program_with(&how, line);
        for (; r.code == 0 && how.signal_after_s > 0.01; how.signal_after_s /= 2) { /* through */
            char done[256];
            snprintf(done, sizeof done, "%s/%s", folder, b);
            temporary_remove(done);
            process_free(&r);
            r = program_with(&how, line);
        }
        if (r.code != 130) fail_msg("code %d: %s", r.code, r.err);
        assert_int_equal(process_lines(r.err), 1);
        assert_non_null(strstr(r.err, "go on with: "));
        assert_non_null(strstr(r.err, "rein resume runs/"));
        snprintf(line, sizeof line, "resume %s", b);
        char *out = program_ok(folder, line);
        program_assert_same_end(whole, out);
        program_assert_same_run(folder, a, b);
        free(out);
        process_free(&r);
        free(whole);
    }
}

/* A finished run can be made longer; what was there stays. */
static void test_longer(void **state)
{
    (void)state;
    /* dqn's epsilon schedule depends on the total, so ppo without annealing is what can be equal */
    char *whole = train("ppo", "whole", "run.total_timesteps=20000 algo.anneal_lr=false");
    free(train("ppo", "longer", "run.total_timesteps=9000 algo.anneal_lr=false"));
    char end[17], *done = program_ok(folder, "resume runs/longer");
    assert_non_null(strstr(done, "is finished"));
    program_fingerprint(done, end);
    free(done);
    char *out = program_ok(folder, "resume runs/longer run.total_timesteps=20000");
    program_assert_same_end(whole, out);
    program_assert_same_file(folder, "runs/whole", "runs/longer", "policy.rein", 0);
    free(whole);
    free(out);
}

/* One run with a limit on file sizes. Returns its exit code; an error is one line. */
static int train_limited(const char *algo, size_t limit)
{
    char line[256];
    /* checkpoints as often as can be: they grow, so that some fit before one does not */
    snprintf(line, sizeof line, "train %s.yaml run.name=full log.checkpoint_every_s=0.002", algo);
    process_result r =
        program_with(&(process_options){.folder = folder, .file_limit = limit}, line);
    int code = r.code;
    if (r.signal) fail_msg("limit %zu: signal %d", limit, r.signal);
    if (code != 0) {
        if (process_lines(r.err) != 1) fail_msg("limit %zu: %s", limit, r.err);
        assert_non_null(strstr(r.err, "runs/full"));
        assert_int_equal(code, 1);
        if (exists("runs/full/checkpoint.h5")) assert_non_null(strstr(r.err, "is intact"));
    }
    process_free(&r);
    return code;
}

/* A full disk ends training with one line; the checkpoint before it is whole, and the run can go
 * on from it to the same end. Limits from where nothing fits to where all does: each failing one
 * fails at another place. */
static void test_full_disk(void **state)
{
    (void)state;
    for (int i = 0; i < N_ALGOS; i++) {
        int failures = 0, with_checkpoint = 0, code = 1;
        char a[64], full[192];
        snprintf(a, sizeof a, "runs/%s-whole", algos[i]);
        snprintf(full, sizeof full, "%s/runs/full", folder);
        char *whole = train(algos[i], a + 5, "");
        for (size_t limit = 300; code != 0 && limit < 16000000; limit = limit * 3 / 2) {
            code = train_limited(algos[i], limit);
            failures += code != 0;
            if (code != 0 && exists("runs/full")) {
                with_checkpoint += exists("runs/full/checkpoint.h5");
                char *out = program_ok(folder, "resume runs/full");
                program_assert_same_end(whole, out);
                program_assert_same_run(folder, a, "runs/full");
                free(out);
            }
            temporary_remove(full);
        }
        assert_int_equal(code, 0);
        assert_true(failures > 0);
        assert_true(with_checkpoint > 0);
        free(whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_threads, setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_interrupted, setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_longer, setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
