/* What the tests of MiniGrid levels share: recorded episodes and the statistics of recorded
 * levels, for every class of a family. */
#ifndef REIN_TESTS_ENVS_GRID_LEVELS_H
#define REIN_TESTS_ENVS_GRID_LEVELS_H

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

#include "envs/grid/classes.h"
#include "envs/grid/world.h"
#include "envs/probe.h"
#include "envs/registry.h"
#include "experiments/trace.h"
#include "tests/golden_h5.h"

enum { GRID_CONFIG = 1024 };

/* A config of the class; settings "key=value key=value" on top, or NULL. */
static inline void grid_configure(const rein_env_class *env, const char *settings, void *config)
{
    char copy[256], *rest = NULL;
    assert_true(env->config_size <= GRID_CONFIG);
    assert_int_equal(rein_env_defaults(env, config), REIN_OK);
    snprintf(copy, sizeof copy, "%s", settings != NULL ? settings : "");
    for (char *key = strtok_r(copy, " ", &rest); key != NULL; key = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(key, '=');
        assert_non_null(value);
        *value++ = '\0';
        const rein_field *field = rein_fields_find(env->fields, env->n_fields, key);
        assert_non_null(field);
        assert_int_equal(rein_field_set(field, config, value), REIN_OK);
    }
}

static inline rein_probe grid_open(const rein_env_class *env, const char *settings)
{
    _Alignas(64) char config[GRID_CONFIG];
    rein_probe probe;
    grid_configure(env, settings, config);
    assert_int_equal(rein_probe_open(env, config, &probe), REIN_OK);
    return probe;
}

/* Name of the recorded group of the class; false: there is none. */
static inline bool grid_group(golden *g, const rein_env_class *env, char *out, size_t size)
{
    char id[128], path[200];
    for (int i = 0; golden_child(g, "/", i, out, size); i++) {
        snprintf(path, sizeof path, "/%s", out);
        if (golden_attr_text(g, path, "env_id", id, sizeof id) && strcmp(id, env->id) == 0) {
            return true;
        }
    }
    return false;
}

/* Every recorded level of the class, row by row; returns the steps, 0: not recorded. */
static inline int64_t grid_check_recorded(const rein_env_class *env)
{
    _Alignas(64) char config[GRID_CONFIG];
    char path[600];
    const char *folder = getenv("REIN_GOLDEN_DIR");
    bool given = folder != NULL && folder[0] != '\0';
    rein_trace_report report;
    snprintf(path, sizeof path, "%s/minigrid.h5", given ? folder : REIN_SOURCE_DIR "/tests/golden");
    grid_configure(env, NULL, config);
    rein_status status = rein_trace_check(env, config, path, &report);
    if (status == REIN_ENOTFOUND) return 0;
    if (status != REIN_OK) fail_msg("%s", rein_error_message());
    assert_int_equal(report.n_groups, 1);
    assert_int_equal(report.n_episodes, 5);
    return report.n_steps;
}

/* ---- statistics of generated levels -------------------------------------------------------- */

enum { GRID_TYPES = 11 };

typedef struct grid_statistics {
    int n_levels, width, height;
    double *agent_start;           /* [W,H,4] */
    double *cells;                 /* [11,W,H] levels that have the type there */
    double colors[GRID_TYPES * 6]; /* [11,6] */
    double door_state[3];
    double count_per_level[GRID_TYPES * 64]; /* [11,64] levels that have n of the type */
} grid_statistics;

static inline void grid_count_level(grid_statistics *s, const double *grid, const double *agent)
{
    int counts[GRID_TYPES] = {0}, area = s->width * s->height;
    for (int i = 0; i < area; i++) {
        int type = (int)grid[i * 3], colour = (int)grid[i * 3 + 1];
        counts[type]++;
        s->cells[type * area + i]++;
        s->colors[type * 6 + colour]++;
        if (type == REIN_CELL_DOOR) s->door_state[(int)grid[i * 3 + 2]]++;
    }
    for (int t = 0; t < GRID_TYPES; t++) s->count_per_level[t * 64 + counts[t]]++;
    s->agent_start[((int)agent[0] * s->height + (int)agent[1]) * 4 + (int)agent[2]]++;
}

static inline grid_statistics grid_count_levels(const rein_env_class *env, int n_levels, int width,
                                                int height)
{
    grid_statistics s = {.n_levels = n_levels, .width = width, .height = height};
    size_t area = (size_t)(width * height);
    s.agent_start = calloc(area * 4, sizeof(double));
    s.cells = calloc(area * GRID_TYPES, sizeof(double));
    double *grid = calloc(area * 3, sizeof(double)), agent[3];
    assert_true(s.agent_start != NULL && s.cells != NULL && grid != NULL);
    rein_probe probe = grid_open(env, NULL);
    for (int k = 0; k < n_levels; k++) {
        rein_probe_reset(&probe, 3, (uint64_t)k);
        env->peek(probe.state, "grid", grid);
        env->peek(probe.state, "agent", agent);
        grid_count_level(&s, grid, agent);
    }
    rein_probe_close(&probe);
    free(grid);
    return s;
}

/* Two counts, each out of n levels: equal within five standard deviations. */
static inline void grid_check_count(const char *what, size_t i, double ours, double recorded,
                                    double n)
{
    double p = (ours + recorded) / (2 * n), sigma = sqrt(2 * n * p * (1 - p));
    if (fabs(ours - recorded) > 5 * sigma) {
        fail_msg("%s[%zu]: %g of %g levels, recorded %g", what, i, ours, n, recorded);
    }
}

/* Two histograms of the same number of levels (chi-square for two samples); an entry that never
 * occurred in the one occurs at most rarely in the other. */
static inline void grid_check_histogram(const char *what, const double *ours,
                                        const double *recorded, size_t n)
{
    double chi = 0, freedom = -1;
    for (size_t i = 0; i < n; i++) {
        double sum = ours[i] + recorded[i];
        if ((ours[i] == 0) != (recorded[i] == 0) && sum > 12) {
            fail_msg("%s[%zu]: %g levels, recorded %g", what, i, ours[i], recorded[i]);
        }
        if (sum == 0) continue;
        chi += (ours[i] - recorded[i]) * (ours[i] - recorded[i]) / sum;
        freedom++;
    }
    if (chi > freedom + 4 * sqrt(2 * fmax(1, freedom))) {
        fail_msg("%s: chi-square %.1f with %g degrees of freedom", what, chi, freedom);
    }
}

static inline double *grid_read(golden *g, const char *group, const char *name, size_t *n)
{
    char path[300];
    size_t dims[4];
    snprintf(path, sizeof path, "/%s/statistics/%s", group, name);
    double *values = golden_read(g, path, dims, NULL);
    assert_non_null(values);
    *n = dims[0] * dims[1] * dims[2] * dims[3];
    return values;
}

/* Numbers that every level of these families has alike. */
static inline void grid_check_equal(golden *g, const char *group, const char *name,
                                    const double *ours)
{
    size_t n;
    double *recorded = grid_read(g, group, name, &n);
    for (size_t i = 0; i < n; i++) {
        if (ours[i] != recorded[i]) {
            fail_msg("%s %s[%zu]: %g, recorded %g", group, name, i, ours[i], recorded[i]);
        }
    }
    free(recorded);
}

static inline void grid_check_mission(golden *g, const char *group, const rein_env_class *env)
{
    char path[300], text[1][64], mission[64];
    snprintf(path, sizeof path, "/%s/statistics/missions", group);
    assert_int_equal(golden_read_text(g, path, text, 1), 1);
    assert_int_equal(sscanf(text[0], "[\"%63[^\"]", mission), 1);
    assert_int_equal(strncmp(env->summary, mission, strlen(mission)), 0);
}

/* As many levels as were recorded, in the same proportions. false: not recorded. */
static inline bool grid_check_statistics(const rein_env_class *env)
{
    golden g;
    char group[128], path[200];
    double n_levels, width, height, limit;
    int n;
    size_t size;
    assert_true(golden_open("minigrid.h5", &g));
    bool found = grid_group(&g, env, group, sizeof group);
    snprintf(path, sizeof path, "/%s/statistics", group);
    if (found && golden_exists(&g, path)) {
        assert_true(golden_attr_double(&g, path, "levels", &n_levels, 1, &n));
        snprintf(path, sizeof path, "/%s", group);
        assert_true(golden_attr_double(&g, path, "width", &width, 1, &n));
        assert_true(golden_attr_double(&g, path, "height", &height, 1, &n));
        assert_true(golden_attr_double(&g, path, "max_steps", &limit, 1, &n));
        rein_probe probe = grid_open(env, NULL);
        assert_int_equal(probe.spec.max_episode_steps, (int)limit);
        rein_probe_close(&probe);
        grid_statistics s = grid_count_levels(env, (int)n_levels, (int)width, (int)height);
        double *recorded = grid_read(&g, group, "agent_start", &size);
        grid_check_histogram("agent_start", s.agent_start, recorded, size);
        free(recorded);
        recorded = grid_read(&g, group, "cells", &size);
        assert_int_equal(size, GRID_TYPES * (size_t)(width * height));
        for (size_t i = 0; i < size; i++) {
            grid_check_count("cells", i, s.cells[i], recorded[i], n_levels);
        }
        free(recorded);
        grid_check_equal(&g, group, "colors", s.colors);
        grid_check_equal(&g, group, "door_state", s.door_state);
        grid_check_equal(&g, group, "count_per_level", s.count_per_level);
        grid_check_mission(&g, group, env);
        free(s.agent_start);
        free(s.cells);
    } else {
        found = false;
    }
    golden_close(&g);
    return found;
}

#endif
