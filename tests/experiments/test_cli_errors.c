/* Bad input to the real program: one line on stderr that names what, where and the fix; an exit
 * code that is not 0; no crash; nothing half-written; no run folder for a run that never began. */
#include <math.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "base/file.h"
#include "experiments/training.h"
#include "tests/experiments/program.h"
#include "tests/folder.h"

static int setup(void **state)
{
    folder_setup(state);
    program_write_configs(folder);
    return 0;
}

/* `rein line` ends with `code` and one line on stderr that holds all of `texts` (until NULL). */
static void check_error(const char *line, int code, const char *const *texts)
{
    process_result r = program(folder, line);
    if (r.signal) fail_msg("rein %s: ended by signal %d: %s", line, r.signal, r.err);
    if (r.code != code) fail_msg("rein %s: code %d, not %d: %s", line, r.code, code, r.err);
    if (process_lines(r.err) != 1) fail_msg("rein %s: not one line: %s", line, r.err);
    if (strncmp(r.err, "rein: ", 6) != 0) fail_msg("rein %s: %s", line, r.err);
    for (; *texts; texts++) {
        if (!strstr(r.err, *texts)) fail_msg("rein %s: no \"%s\" in: %s", line, *texts, r.err);
    }
    process_free(&r);
}
#define CHECK_ERROR(line, code, ...)                                                               \
    check_error(line, code, (const char *const[]){__VA_ARGS__, NULL})

/* No run began, and nothing was left on the way. */
static void check_no_run(void)
{
    assert_true(temporary_count(folder, "runs") <= 0);
}

static void write_config(const char *text)
{
    temporary_write(folder, "bad.yaml", text, strlen(text));
}

#define ENV  "env: {id: CartPole-v1}\n"
#define ALGO "algo: {id: ppo}\n"
#define RUN  "run: {total_timesteps: 2000}\n"

static void test_usage(void **state)
{
    (void)state;
    CHECK_ERROR("", 2, "which command?", "rein train", "--help");
    CHECK_ERROR("trian", 2, "unknown command trian", "did you mean train?");
    CHECK_ERROR("train", 2, "which config?", "rein train --help");
    CHECK_ERROR("train --fast ppo.yaml", 2, "unknown option --fast", "rein train --help");
    CHECK_ERROR("train -x ppo.yaml", 2, "unknown option -x");
    CHECK_ERROR("resume", 2, "which run folder?");
    CHECK_ERROR("eval", 2, "which run or policy");
    CHECK_ERROR("eval x --episodes", 2, "--episodes needs a value");
    CHECK_ERROR("eval x --episodes 0", 2, "--episodes", "outside [1, ");
    CHECK_ERROR("eval x --episodes many", 2, "--episodes", "many is not a whole number");
    CHECK_ERROR("check", 2, "which environment");
    CHECK_ERROR("config nonsense", 2, "nonsense", "no section, algorithm or environment");
    CHECK_ERROR("envs CartPole-v2", 2, "CartPole-v2", "CartPole-v1");
    CHECK_ERROR("algos pppo", 2, "pppo", "ppo");
    check_no_run();
}

/* A wrong name is found before anything is measured or printed. */
static void test_bench_names(void **state)
{
    (void)state;
    const char *const lines[] = {"bench nonsense", "bench forward/1 env/CartPole-v2",
                                 "bench update/x", "bench forward/0", "bench train/nonsense"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        process_result r = program(folder, lines[i]);
        if (r.code != 2 || r.out[0]) fail_msg("%s: code %d, printed: %s", lines[i], r.code, r.out);
        assert_int_equal(process_lines(r.err), 1);
        process_free(&r);
    }
}

static void test_unknown_key(void **state)
{
    (void)state;
    write_config(ENV "algo: {id: ppo,\n  n_stepz: 64}\n");
    CHECK_ERROR("train bad.yaml", 2, "bad.yaml:3:3", "algo.n_stepz", "did you mean", "n_steps");
    CHECK_ERROR("train ppo.yaml algo.learning=1", 2, "command line", "algo.learning");
    CHECK_ERROR("train ppo.yaml alog.lr=1", 2, "command line", "alog", "did you mean algo");
    CHECK_ERROR("train ppo.yaml lr=1", 2, "lr=1", "section.key=value");
    CHECK_ERROR("train ppo.yaml run.sed=1", 2, "run.sed", "run.seed");
    CHECK_ERROR("train ppo.yaml env.lenght=1", 2, "env.lenght");
    check_no_run();
}

static void test_wrong_type(void **state)
{
    (void)state;
    write_config(ENV "algo:\n  id: ppo\n  n_steps: many\n");
    CHECK_ERROR("train bad.yaml", 2, "bad.yaml:4:12", "algo.n_steps", "many");
    CHECK_ERROR("train ppo.yaml algo.lr=fast", 2, "algo.lr", "fast");
    CHECK_ERROR("train ppo.yaml net.hidden=big", 2, "net.hidden", "big");
    CHECK_ERROR("train ppo.yaml net.activation=tahn", 2, "net.activation", "tahn", "tanh");
    write_config(ENV ALGO "net: {layers: [tanh, lienar 64]}\n");
    CHECK_ERROR("train bad.yaml", 2, "net.layers[1] 'lienar 64'", "did you mean linear?");
    write_config(ENV ALGO "net: {layers: [conv 8 3x3, flatten]}\n");
    CHECK_ERROR("train bad.yaml", 2, "net.layers[0] 'conv 8 3x3'", "needs an image");
    CHECK_ERROR("train ppo.yaml net.layers=relu", 2, "net.layers", "not a list");
    CHECK_ERROR("train ppo.yaml net.engine=cuda", 2, "net.engine", "auto|native|torch");
    CHECK_ERROR("train ppo.yaml algo.anneal_lr=maybe", 2, "algo.anneal_lr", "maybe");
    write_config(ENV "algo: ppo\n");
    CHECK_ERROR("train bad.yaml", 2, "bad.yaml:2:", "algo");
    check_no_run();
}

static void test_out_of_range(void **state)
{
    (void)state;
    write_config(ENV ALGO "run: {seed: -1}\n");
    CHECK_ERROR("train bad.yaml", 2, "bad.yaml:3:13", "run.seed", "-1", "outside [0, ");
    CHECK_ERROR("train ppo.yaml algo.gamma=1.5", 2, "algo.gamma", "1.5", "outside [0, 1]");
    CHECK_ERROR("train ppo.yaml algo.n_steps=0", 2, "algo.n_steps", "outside [1, ");
    CHECK_ERROR("train ppo.yaml run.total_timesteps=99999999999999999999", 2,
                "run.total_timesteps");
    CHECK_ERROR("train ppo.yaml net.hidden=[64,0]", 2, "net.hidden");
    CHECK_ERROR("train ppo.yaml algo.lr=nan", 2, "algo.lr");
    check_no_run();
}

static void test_zero_threads(void **state)
{
    (void)state;
    CHECK_ERROR("train ppo.yaml run.threads=0", 2, "run.threads", "'0' is outside [1, ");
    CHECK_ERROR("eval . --threads 0", 2, "--threads", "outside [1, ");
    check_no_run();
}

static void test_missing_file(void **state)
{
    (void)state;
    CHECK_ERROR("train nowhere.yaml", 2, "nowhere.yaml", "no such config", "give a file");
    CHECK_ERROR("train ppo.yml", 2, "ppo.yml", "no such config");
    CHECK_ERROR("resume runs/nothing", 2, "runs/nothing", "no such run");
    CHECK_ERROR("resume ppo.yaml", 2, "ppo.yaml", "folder");
    CHECK_ERROR("resume .", 2, ". is not a run", "config.yaml");
    CHECK_ERROR("eval runs/nothing", 2, "runs/nothing", "no such run or policy");
    CHECK_ERROR("eval .", 2, ". is not a run");
    CHECK_ERROR("check CartPole-v1 --trace nowhere.h5", 2, "nowhere.h5");
    check_no_run();
}

static void test_nearest_config(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/configs/ppo", folder);
    assert_ok(rein_folder_create(path));
    temporary_write(path, "cartpole.yaml", ENV ALGO, strlen(ENV ALGO));
    CHECK_ERROR("train ppo/cartpol", 2, "ppo/cartpol", "did you mean ppo/cartpole?");
}

static void test_yaml_syntax(void **state)
{
    (void)state;
    write_config("env: {id: CartPole-v1\nalgo: {id: ppo}\n");
    CHECK_ERROR("train bad.yaml", 2, "bad.yaml:2:");
    write_config("env:\n\tid: CartPole-v1\n");
    CHECK_ERROR("train bad.yaml", 2, "bad.yaml:2:1");
    write_config("- a\n- b\n");
    CHECK_ERROR("train bad.yaml", 2, "bad.yaml:1:1");
    write_config("env: &x {id: CartPole-v1}\nalgo: *x\n");
    CHECK_ERROR("train bad.yaml", 2, "bad.yaml:");
    write_config("env: {id: CartPole-v1, id: CartPole-v1}\n" ALGO);
    CHECK_ERROR("train bad.yaml", 2, "bad.yaml:1:", "env.id", "set already in line 1");
    write_config("");
    CHECK_ERROR("train bad.yaml", 2, "env.id", "rein envs");
    temporary_write(folder, "bad.yaml", "\xff\xfe\x00\x01", 4);
    CHECK_ERROR("train bad.yaml", 2, "bad.yaml");
    CHECK_ERROR("train .", 2, ".", "no such config");
    check_no_run();
}

static void test_unknown_env_or_algo(void **state)
{
    (void)state;
    write_config("env: {id: CartPol-v1}\n" ALGO RUN);
    CHECK_ERROR("train bad.yaml", 2, "bad.yaml:1:11", "env.id", "CartPol-v1", "CartPole-v1");
    write_config(ENV "algo: {id: poo}\n" RUN);
    CHECK_ERROR("train bad.yaml", 2, "bad.yaml:2:12", "algo.id", "poo", "ppo");
    CHECK_ERROR("train ppo.yaml env.id=Nothing", 2, "command line", "env.id", "Nothing");
    write_config(ALGO RUN);
    CHECK_ERROR("train bad.yaml", 2, "env.id", "rein envs");
    write_config(ENV RUN);
    CHECK_ERROR("train bad.yaml", 2, "algo.id", "rein algos");
    check_no_run();
}

static void test_wrong_task(void **state)
{
    (void)state;
    CHECK_ERROR("train dqn.yaml env.id=Pendulum-v1", 2, "dqn", "discrete", "Pendulum-v1", "ppo");
    CHECK_ERROR("train ppo.yaml algo.n_minibatches=100000", 2, "n_minibatches");
    check_no_run();
}

static void test_names(void **state)
{
    (void)state;
    CHECK_ERROR("train ppo.yaml run.name=a/b", 2, "run.name", "a/b", "run.out");
    CHECK_ERROR("train ppo.yaml run.name=..", 2, "run.name");
    free(program_ok(folder, "train ppo.yaml run.name=mine run.total_timesteps=500"));
    size_t before, after;
    char *old = temporary_bytes(folder, "runs/mine/metrics.jsonl", &before);
    CHECK_ERROR("train ppo.yaml run.name=mine", 2, "runs/mine exists already", "run.name",
                "rein resume runs/mine");
    char *now = temporary_bytes(folder, "runs/mine/metrics.jsonl", &after);
    assert_int_equal(before, after);
    assert_memory_equal(old, now, before);
    free(old);
    free(now);
    /* without a name, a run gets the next number */
    free(program_ok(folder, "train ppo.yaml run.total_timesteps=500"));
    free(program_ok(folder, "train ppo.yaml run.total_timesteps=500"));
    assert_true(temporary_count(folder, "runs/ppo-CartPole-v1-s3") > 0);
    assert_true(temporary_count(folder, "runs/ppo-CartPole-v1-s3-2") > 0);
}

static void test_unwritable(void **state)
{
    (void)state;
    CHECK_ERROR("train ppo.yaml run.out=ppo.yaml", 1, "ppo.yaml", "choose another run.out");
    CHECK_ERROR("train ppo.yaml run.out=ppo.yaml/deep", 1, "ppo.yaml/deep", "run.out");
    CHECK_ERROR("train ppo.yaml run.out=/proc/rein", 1, "/proc/rein", "run.out");
    CHECK_ERROR("train ppo.yaml run.out=", 2, "run.out");
    check_no_run();
}

/* CartPole, but for one reward that is not a number, in the `nan_step`-th step of all. */
static const rein_env_class *sound;
static int nan_step;

static void step_to_nan(void *environment, rein_rng *rng, rein_env_io *io)
{
    sound->step(environment, rng, io);
    if (--nan_step == 0) *io->reward = NAN;
}

/* In a process of its own: train with that environment; the exit code. */
static int train_to_nan(void)
{
    rein_settings *settings;
    rein_experiment *e;
    rein_run_folder run;
    if (chdir(folder) != 0 || !freopen("out", "w", stdout) || !freopen("err", "w", stderr))
        return 99;
    if (rein_settings_create(&settings) != REIN_OK) return 98;
    if (rein_settings_read(settings, "ppo.yaml") != REIN_OK) return 97;
    if (rein_experiment_create(settings, &e) != REIN_OK) return 96;
    rein_env_class unsound = *e->env_class;
    sound = e->env_class;
    unsound.step = step_to_nan;
    e->env_class = &unsound;
    e->log.checkpoint_every_s = 1e-9;
    if (rein_run_folder_create(e, &run) != REIN_OK) return 95;
    return rein_training_run(e, &run, false, 0, NULL);
}

static void check_nan(int step, int runs_left, const char *text)
{
    int status;
    size_t size;
    nan_step = step;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int code = train_to_nan();
        fflush(NULL);
        _exit(code);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    char *err = temporary_bytes(folder, "err", &size);
    err[size] = '\0';
    assert_int_equal(process_lines(err), 1);
    if (!strstr(err, "CartPole-v1") || !strstr(err, "reward") || !strstr(err, text)) {
        fail_msg("%s", err);
    }
    assert_int_equal(temporary_count(folder, "runs"), runs_left);
    free(err);
}

static void test_nan_from_environment(void **state)
{
    (void)state;
    check_nan(40, 0, "NaN"); /* in the first rollout: the run never began */
    check_nan(2000, 1, "is intact");
}

/* ---- damaged files ------------------------------------------------------------------------- */

static void spoil(const char *name, bool cut)
{
    size_t size;
    char *data = temporary_bytes(folder, name, &size);
    assert_non_null(data);
    if (cut) {
        size = size * 2 / 3;
    } else {
        data[size / 2] = (char)(data[size / 2] ^ 0x10);
    }
    temporary_write(folder, name, data, size);
    free(data);
}

static void make_run(const char *name)
{
    char line[256];
    snprintf(line, sizeof line,
             "train dqn.yaml run.name=%s run.total_timesteps=3000 algo.learning_starts=1000", name);
    free(program_ok(folder, line));
}

static void test_damaged_checkpoint(void **state)
{
    (void)state;
    for (int cut = 0; cut < 2; cut++) {
        make_run(cut ? "cut" : "flipped");
        const char *line = cut ? "resume runs/cut run.total_timesteps=5000"
                               : "resume runs/flipped run.total_timesteps=5000";
        spoil(cut ? "runs/cut/checkpoint.h5" : "runs/flipped/checkpoint.h5", cut);
        CHECK_ERROR(line, 1, "/checkpoint.h5", "truncated or altered", "remove");
        CHECK_ERROR(cut ? "check runs/cut" : "check runs/flipped", 1, "/checkpoint.h5");
        /* and the fix it names is one */
        char path[256], end[17];
        snprintf(path, sizeof path, "%s/runs/%s/checkpoint.h5", folder, cut ? "cut" : "flipped");
        assert_int_equal(remove(path), 0);
        char *out = program_ok(folder, line);
        program_fingerprint(out, end);
        free(out);
    }
}

static void test_damaged_policy(void **state)
{
    (void)state;
    for (int cut = 0; cut < 2; cut++) {
        make_run(cut ? "cut" : "flipped");
        spoil(cut ? "runs/cut/policy.rein" : "runs/flipped/policy.rein", cut);
        CHECK_ERROR(cut ? "eval runs/cut" : "eval runs/flipped", 1, "/policy.rein",
                    "truncated or altered");
        CHECK_ERROR(cut ? "check runs/cut" : "check runs/flipped", 1, "/policy.rein");
    }
    CHECK_ERROR("eval ppo.yaml", 1, "ppo.yaml");
}

static void test_damaged_rollouts(void **state)
{
    (void)state;
    for (int cut = 0; cut < 2; cut++) {
        make_run(cut ? "cut" : "flipped");
        const char *run = cut ? "check runs/cut" : "check runs/flipped";
        free(program_ok(folder, run));
        spoil(cut ? "runs/cut/rollouts/000001.h5" : "runs/flipped/rollouts/000001.h5", cut);
        CHECK_ERROR(run, 1, "rollouts/000001.h5", "truncated or altered");
    }
    temporary_write(folder, "trace.h5", "not a file of HDF5", 18);
    CHECK_ERROR("check CartPole-v1 --trace trace.h5", 1, "trace.h5");
}

/* Other files that belong together. */
static void test_changed_files(void **state)
{
    (void)state;
    make_run("a");
    CHECK_ERROR("resume runs/a algo.lr=1e-3", 2, "algo.lr=1e-3", "run.total_timesteps",
                "train a new run");
    CHECK_ERROR("resume runs/a log.rollouts=none", 2, "log.rollouts");
    static const char changed[] = ENV "algo: {id: dqn, learning_starts: 900}\n";
    size_t size;
    char *config = temporary_bytes(folder, "runs/a/config.yaml", &size);
    temporary_write(folder, "runs/a/config.yaml", changed, sizeof changed - 1);
    CHECK_ERROR("resume runs/a run.total_timesteps=5000", 1, "runs/a/config.yaml", "was changed");
    temporary_write(folder, "runs/a/config.yaml", config, size);
    free(config);
    char *metrics = temporary_bytes(folder, "runs/a/metrics.jsonl", &size);
    temporary_write(folder, "runs/a/metrics.jsonl", metrics, size / 2);
    CHECK_ERROR("resume runs/a run.total_timesteps=5000", 1, "runs/a/metrics.jsonl");
    temporary_write(folder, "runs/a/metrics.jsonl", metrics, size);
    free(metrics);
    free(program_ok(folder, "resume runs/a run.total_timesteps=5000"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_usage),
        TEST(test_bench_names),
        TEST(test_unknown_key),
        TEST(test_wrong_type),
        TEST(test_out_of_range),
        TEST(test_zero_threads),
        TEST(test_missing_file),
        TEST(test_nearest_config),
        TEST(test_yaml_syntax),
        TEST(test_unknown_env_or_algo),
        TEST(test_wrong_task),
        TEST(test_names),
        TEST(test_unwritable),
        TEST(test_nan_from_environment),
        TEST(test_damaged_checkpoint),
        TEST(test_damaged_policy),
        TEST(test_damaged_rollouts),
        TEST(test_changed_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
