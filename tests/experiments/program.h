/* What tests of the program `rein` share: running it in a folder of its own, small configs, and
 * comparing runs. */
#ifndef REIN_TESTS_EXPERIMENTS_PROGRAM_H
#define REIN_TESTS_EXPERIMENTS_PROGRAM_H

#include "base/status.h"
#include "tests/process.h"
#include "tests/replay/temporary.h"

enum { MAX_WORDS = 24 };

/* Run `rein line` in `folder`, `line` split at spaces. */
static inline process_result program_with(const process_options *options, const char *line)
{
    char text[2048];
    const char *words[MAX_WORDS + 1] = {REIN_PROGRAM};
    int n = 1;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        assert_true(n < MAX_WORDS);
        words[n++] = word;
    }
    words[n] = NULL;
    return process_run(words, options);
}

static inline process_result program(const char *folder, const char *line)
{
    return program_with(&(process_options){.folder = folder}, line);
}

/* It ends well and prints nothing to stderr; returns what it printed (the caller frees). */
static inline char *program_ok(const char *folder, const char *line)
{
    process_result r = program(folder, line);
    if (r.code != 0 || r.err[0]) fail_msg("rein %s: code %d: %s", line, r.code, r.err);
    free(r.err);
    return r.out;
}

/* The text ends in the line "fingerprint <16 hex>"; out gets the 16 digits. */
static inline const char *program_fingerprint(const char *text, char out[17])
{
    static const char word[] = "fingerprint ";
    size_t n = strlen(text), length = sizeof word - 1 + 16 + 1;
    if (n <= length || text[n - 1] != '\n' || text[n - length - 1] != '\n' ||
        strncmp(text + n - length, word, sizeof word - 1) != 0) {
        fail_msg("no fingerprint at the end of: %s", text);
    }
    memcpy(out, text + n - 17, 16);
    out[16] = '\0';
    assert_int_equal(strspn(out, "0123456789abcdef"), 16);
    return out;
}

/* Both texts end in the same fingerprint. */
static inline void program_assert_same_end(const char *a, const char *b)
{
    char x[17], y[17];
    assert_string_equal(program_fingerprint(a, x), program_fingerprint(b, y));
}

/* Small runs that learn nothing much: the configs are here, so that these tests need no file. */
static inline void program_write_configs(const char *folder)
{
    static const char ppo[] = "env:  {id: CartPole-v1, n_envs: 6}\n"
                              "algo: {id: ppo, n_steps: 64}\n"
                              "net:  {hidden: [16, 16]}\n"
                              "run:  {total_timesteps: 20000, seed: 3, threads: 1}\n"
                              "log:  {eval_episodes: 2, eval_every: 3000}\n";
    static const char dqn[] = "env:  {id: CartPole-v1, n_envs: 3}\n"
                              "algo: {id: dqn}\n"
                              "net:  {hidden: [16], activation: relu, init: torch}\n"
                              "run:  {total_timesteps: 20000, seed: 3, threads: 1}\n"
                              "log:  {eval_episodes: 2, eval_every: 3000}\n";
    static const char cell[] = "env:  {id: CartPole-v1, n_envs: 6}\n"
                               "algo: {id: ppo_recurrent, core: gru, core_size: 8, n_steps: 64,\n"
                               "       n_minibatches: 2}\n"
                               "net:  {hidden: [16]}\n"
                               "run:  {total_timesteps: 20000, seed: 3, threads: 1}\n"
                               "log:  {eval_episodes: 2, eval_every: 3000}\n";
    temporary_write(folder, "ppo_recurrent.yaml", cell, sizeof cell - 1);
    temporary_write(folder, "ppo.yaml", ppo, sizeof ppo - 1);
    temporary_write(folder, "dqn.yaml", dqn, sizeof dqn - 1);
}

/* Cut `, "time_s": ...` off every line of metrics.jsonl. */
static inline void program_cut_times(char *text)
{
    char *to = text;
    for (char *line = text; *line;) {
        char *end = strchr(line, '\n'), *cut = strstr(line, ", \"time_s\"");
        assert_non_null(end);
        assert_true(cut && cut < end);
        memmove(to, line, (size_t)(cut - line));
        to += cut - line;
        *to++ = '\n';
        line = end + 1;
    }
    *to = '\0';
}

static inline void program_assert_same_file(const char *folder, const char *a, const char *b,
                                            const char *name, int metrics)
{
    char path[256];
    size_t na = 0, nb = 0;
    snprintf(path, sizeof path, "%s/%s", a, name);
    char *x = temporary_bytes(folder, path, &na);
    snprintf(path, sizeof path, "%s/%s", b, name);
    char *y = temporary_bytes(folder, path, &nb);
    if (!x || !y) fail_msg("%s is missing in %s or %s", name, a, b);
    if (metrics) {
        x[na] = y[nb] = '\0';
        program_cut_times(x);
        program_cut_times(y);
        na = strlen(x);
        nb = strlen(y);
    }
    if (na != nb || memcmp(x, y, na) != 0) fail_msg("%s differs in %s and %s", name, a, b);
    free(x);
    free(y);
}

/* Two run folders hold the same, but for times. */
static inline void program_assert_same_run(const char *folder, const char *a, const char *b)
{
    char path[256], name[64];
    program_assert_same_file(folder, a, b, "metrics.jsonl", 1);
    program_assert_same_file(folder, a, b, "policy.rein", 0);
    program_assert_same_file(folder, a, b, "rollouts.h5", 0);
    snprintf(path, sizeof path, "%s/rollouts", a);
    int n = temporary_count(folder, path);
    assert_true(n > 0);
    snprintf(path, sizeof path, "%s/rollouts", b);
    assert_int_equal(temporary_count(folder, path), n);
    for (int i = 1; i <= n; i++) {
        snprintf(name, sizeof name, "rollouts/%06d.h5", i);
        program_assert_same_file(folder, a, b, name, 0);
    }
}

#endif
