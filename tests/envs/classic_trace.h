/* Replays the recorded episodes of classic.h5 against one class; one env without the vector env.
 * For test_cartpole.c and its neighbours. */
#ifndef REIN_TESTS_ENVS_CLASSIC_TRACE_H
#define REIN_TESTS_ENVS_CLASSIC_TRACE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "envs/classic/classes.h"
#include "envs/registry.h"
#include "tests/golden_h5.h"

enum { CLASSIC_ROW = 8 };

typedef struct classic {
    const rein_env_class *env;
    rein_env_spec spec;
    _Alignas(64) unsigned char state[256];
    double config[32]; /* any class's config */
    float observation[CLASSIC_ROW], reward;
    union {
        int32_t index;
        float value;
    } action;
    uint8_t terminated, broken;
    rein_env_io io;
} classic;

static inline void classic_near(double now, double expected, double tolerance)
{
    if (!(fabs(now - expected) <= tolerance)) fail_msg("%.17g is not %.17g", now, expected);
}

/* "key=value,key=value", as behind the id in the names of recorded groups. */
static inline void classic_configure(const rein_env_class *env, const char *settings, void *config)
{
    char copy[256], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", settings);
    for (char *key = strtok_r(copy, ",", &rest); key != NULL; key = strtok_r(NULL, ",", &rest)) {
        char *value = strchr(key, '=');
        assert_non_null(value);
        *value++ = '\0';
        const rein_field *field = rein_fields_find(env->fields, env->n_fields, key);
        if (field == NULL) fail_msg("%s has no field '%s'", env->id, key);
        if (strcmp(value, "True") == 0) value = "true";
        if (strcmp(value, "False") == 0) value = "false";
        assert_int_equal(rein_field_set(field, config, value), REIN_OK);
    }
}

static inline void classic_open(classic *c, const rein_env_class *env, const char *settings)
{
    memset(c, 0, sizeof *c);
    c->env = env;
    assert_true(env->config_size <= sizeof c->config);
    assert_int_equal(rein_env_defaults(env, c->config), REIN_OK);
    classic_configure(env, settings, c->config);
    assert_int_equal(env->spec(c->config, &c->spec), REIN_OK);
    assert_true(c->spec.state_size <= sizeof c->state);
    assert_true(c->spec.observation.size <= CLASSIC_ROW);
    assert_int_equal(env->init(c->state, c->config), REIN_OK);
    c->io = (rein_env_io){.observation = c->observation,
                          .action = &c->action,
                          .reward = &c->reward,
                          .terminated = &c->terminated,
                          .broken = &c->broken};
}

static inline void classic_reset(classic *c, uint64_t episode)
{
    rein_rng rng = rein_rng_stream(1, REIN_RNG_TEST, 0, episode);
    c->env->reset(c->state, &rng, &c->io);
}

static inline void classic_act(classic *c, double action)
{
    rein_rng rng = rein_rng_stream(1, REIN_RNG_TEST, 1, 0);
    if (c->spec.action.kind == REIN_DISCRETE) {
        c->action.index = (int32_t)action;
    } else {
        c->action.value = (float)action;
    }
    c->env->step(c->state, &rng, &c->io);
    assert_int_equal(c->broken, 0);
}

/* Put the env into this state, as at the beginning of an episode. */
static inline void classic_poke(classic *c, const double *state)
{
    assert_int_equal(c->env->poke(c->state, "state", state), REIN_OK);
    c->env->observe(c->state, &c->io);
}

static inline double *classic_read(golden *g, const char *episode, const char *name, size_t width,
                                   size_t *n)
{
    char path[320];
    size_t dims[4];
    snprintf(path, sizeof path, "%s/%s", episode, name);
    double *rows = golden_read(g, path, dims, NULL);
    if (rows == NULL) fail_msg("no %s", path);
    if (dims[1] != width) fail_msg("%s has %zu columns, not %zu", path, dims[1], width);
    *n = dims[0];
    return rows;
}

/* A quantity now against row [size] of the record, to its own tolerance. */
static inline void classic_compare(const classic *c, const rein_env_quantity *q,
                                   const double *expected, const char *episode, size_t t)
{
    double now[CLASSIC_ROW];
    c->env->peek(c->state, q->name, now);
    for (int i = 0; i < q->size; i++) {
        double allowed = q->tolerance * fmax(1, fabs(expected[i]));
        if (!(fabs(now[i] - expected[i]) <= allowed)) {
            fail_msg("%s step %zu: %s[%d] is %.17g, recorded %.17g", episode, t, q->name, i, now[i],
                     expected[i]);
        }
    }
}

/* What went into the batch arrays is what peek shows, rounded to float. */
static inline void classic_compare_io(const classic *c, size_t t)
{
    double obs[CLASSIC_ROW], reward;
    c->env->peek(c->state, "obs", obs);
    for (int i = 0; i < c->spec.observation.size; i++) {
        assert_true(c->observation[i] == (float)obs[i]);
    }
    c->env->peek(c->state, "reward", &reward);
    if (t > 0) assert_true(c->reward == (float)reward);
}

/* One recorded episode, from its first state; returns its number of steps. */
static inline size_t classic_replay_episode(classic *c, golden *g, const char *episode)
{
    const rein_env_quantity *q = c->env->quantities(c->state);
    assert_string_equal(q[0].name, "state");
    assert_string_equal(q[1].name, "obs");
    assert_string_equal(q[2].name, "reward");
    assert_null(q[3].name);
    assert_true(q[0].tolerance <= 1e-12 && q[1].tolerance <= 1e-12 && q[2].tolerance <= 1e-12);
    assert_true(q[0].steps == 0 && q[1].steps == 0 && q[2].steps == 0);
    size_t n_state = (size_t)q[0].size, n_obs = (size_t)q[1].size, n_rows, n_steps, n;
    double *state = classic_read(g, episode, "state", n_state, &n_rows);
    double *obs = classic_read(g, episode, "obs", n_obs, &n);
    double *action = classic_read(g, episode, "action", 1, &n_steps);
    double *reward = classic_read(g, episode, "reward", 1, &n);
    double *terminated = classic_read(g, episode, "terminated", 1, &n);
    assert_true(n == n_steps && n_rows == n_steps + 1);

    classic_reset(c, 0);
    classic_act(c, 0); /* a past that must not matter */
    classic_poke(c, state);
    for (size_t t = 0; t <= n_steps; t++) {
        classic_compare(c, &q[0], state + t * n_state, episode, t);
        classic_compare(c, &q[1], obs + t * n_obs, episode, t);
        if (t > 0) classic_compare(c, &q[2], reward + t - 1, episode, t);
        classic_compare_io(c, t);
        if (t == n_steps) break;
        classic_act(c, action[t]);
        if (c->terminated != (terminated[t] != 0)) {
            fail_msg("%s step %zu: terminated is %d", episode, t + 1, c->terminated);
        }
    }
    free(state);
    free(obs);
    free(action);
    free(reward);
    free(terminated);
    return n_steps;
}

/* Every recorded group `id` or `id,key=value`. The time limit is the recorded one. */
static inline void classic_replay(const rein_env_class *env)
{
    golden g;
    char group[128], episode[32], path[192];
    size_t length = strlen(env->id), n_groups = 0, n_episodes = 0, n_steps = 0;
    assert_true(golden_open("classic.h5", &g));
    for (int i = 0; golden_child(&g, "/", i, group, sizeof group); i++) {
        bool ours = strncmp(group, env->id, length) == 0;
        if (!ours || (group[length] != '\0' && group[length] != ',')) continue;
        classic c;
        double limit;
        int n;
        classic_open(&c, env, group[length] == ',' ? group + length + 1 : "");
        assert_true(golden_attr_double(&g, group, "max_episode_steps", &limit, 1, &n));
        assert_int_equal(c.spec.max_episode_steps, (int)limit);
        for (int k = 0; golden_child(&g, group, k, episode, sizeof episode); k++) {
            snprintf(path, sizeof path, "%s/%s", group, episode);
            n_steps += classic_replay_episode(&c, &g, path);
            n_episodes++;
        }
        n_groups++;
    }
    golden_close(&g);
    print_message("%s: %zu groups, %zu episodes, %zu steps\n", env->id, n_groups, n_episodes,
                  n_steps);
    assert_true(n_groups >= 1 && n_episodes >= n_groups && n_steps >= 10 * n_episodes);
}

/* Entry i of the state over many resets: within [low, high) and spread over it. */
static inline void classic_check_reset(const rein_env_class *env, int i, double low, double high)
{
    enum { N_RESETS = 2000 };
    classic c;
    double state[CLASSIC_ROW], least = INFINITY, most = -INFINITY, sum = 0;
    classic_open(&c, env, "");
    for (uint64_t k = 0; k < N_RESETS; k++) {
        classic_reset(&c, k);
        classic_compare_io(&c, 0);
        env->peek(c.state, "state", state);
        least = fmin(least, state[i]);
        most = fmax(most, state[i]);
        sum += state[i] / N_RESETS;
    }
    double width = high - low;
    assert_true(least >= low - 1e-7 * width && most <= high + 1e-7 * width);
    assert_true(least <= low + 0.01 * width && most >= high - 0.01 * width);
    assert_true(fabs(sum - (low + high) / 2) <= 5 * width / sqrt(12.0 * N_RESETS));
}

/* A reset forgets the episode before: the same bytes from the same stream. */
static inline void classic_check_forgets(const rein_env_class *env)
{
    classic used, fresh;
    classic_open(&used, env, "");
    classic_open(&fresh, env, "");
    classic_reset(&used, 3);
    for (int t = 0; t < 7; t++) classic_act(&used, 1);
    classic_reset(&used, 4);
    classic_reset(&fresh, 4);
    assert_memory_equal(used.state, fresh.state, sizeof used.state);
    assert_memory_equal(used.observation, fresh.observation, sizeof used.observation);
}

/* Only the state can be set, and it says so. */
static inline void classic_check_poke(const rein_env_class *env)
{
    classic c;
    const double values[CLASSIC_ROW] = {0};
    classic_open(&c, env, "");
    assert_int_equal(env->poke(c.state, "reward", values), REIN_EINVAL);
    assert_string_equal(rein_error_message(), "quantity 'reward' cannot be set");
}

#endif
