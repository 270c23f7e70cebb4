/* A small experiment for tests of experiments/. */
#ifndef REIN_TESTS_EXPERIMENTS_SAMPLE_H
#define REIN_TESTS_EXPERIMENTS_SAMPLE_H

#include "experiments/experiment.h"
#include "experiments/run_folder.h"
#include "tests/replay/temporary.h"

/* PPO on CartPole-v1 into `out`, with one setting more ("section.key=value"; NULL: none). */
static inline rein_experiment *sample_experiment(const char *out, const char *override)
{
    static const char text[] = "env: {id: CartPole-v1, n_envs: 2}\n"
                               "algo: {id: ppo, n_steps: 64}\n"
                               "net: {hidden: [8]}\n"
                               "run: {total_timesteps: 1000, seed: 5, threads: 1}\n"
                               "log: {eval_episodes: 2, eval_every: 100}\n";
    char place[256];
    rein_settings *settings;
    rein_experiment *e = NULL;
    snprintf(place, sizeof place, "run.out=%s", out);
    assert_ok(rein_settings_create(&settings));
    assert_ok(rein_settings_parse(settings, "sample", text, sizeof text - 1));
    assert_ok(rein_settings_override(settings, place));
    if (override) assert_ok(rein_settings_override(settings, override));
    assert_ok(rein_experiment_create(settings, &e));
    rein_settings_free(settings);
    return e;
}

/* The same with its run folder. */
static inline rein_experiment *sample_run(const char *out, const char *override, rein_run_folder *f)
{
    rein_experiment *e = sample_experiment(out, override);
    assert_ok(rein_run_folder_create(e, f));
    return e;
}

static inline void sample_run_free(rein_experiment *e, rein_run_folder *f)
{
    rein_run_folder_close(f);
    rein_experiment_free(e);
}

#endif
