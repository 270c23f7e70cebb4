/* The MuJoCo environments: recorded traces (mujoco.h5), beginnings of episodes, the tasks' rules,
 * snapshots. */
#include <math.h>

#include "tests/envs/mujoco_world.h"
#include "tests/golden_h5.h"

/* ---- recorded traces ----------------------------------------------------------------------- */

typedef struct recorded {
    double *rows; /* [n_rows, width] */
    size_t n_rows, width;
} recorded;

static recorded read_rows(golden *g, const char *episode, const char *name)
{
    char path[640];
    size_t dims[4];
    recorded r = {0};
    snprintf(path, sizeof path, "%s/%s", episode, name);
    r.rows = golden_read(g, path, dims, NULL);
    if (r.rows != NULL) r = (recorded){r.rows, dims[0], dims[1] * dims[2]};
    return r;
}

/* Row t of a quantity (row t - 1 of the reward) equals what the env has now. */
static void check_quantity(const world *w, const rein_env_quantity *q, const recorded *r,
                           const char *episode, size_t t)
{
    double now[MAX_ROW];
    size_t row = strcmp(q->name, "reward") == 0 ? t - 1 : t;
    if (q->steps > 0 && t > (size_t)q->steps) return;
    assert_true(row < r->n_rows);
    w->env->peek(w->state, q->name, now);
    for (size_t i = 0; i < r->width; i++) {
        double expected = r->rows[row * r->width + i];
        double allowed = q->tolerance * fmax(1, fabs(expected));
        if (!(fabs(now[i] - expected) <= allowed)) {
            fail_msg("%s step %zu: %s[%zu] is %.17g, recorded %.17g", episode, t, q->name, i,
                     now[i], expected);
        }
    }
}

static void begin_at_record(world *w, golden *g, const char *episode, const recorded *rows)
{
    const rein_env_quantity *q = w->env->quantities(w->state);
    recorded init = read_rows(g, episode, "init_qpos");
    world_reset(w, 0);
    for (int k = 0; q[k].name != NULL; k++) {
        if (!q[k].settable) continue;
        assert_non_null(rows[k].rows);
        assert_int_equal(rows[k].width, q[k].size);
        bool given = init.rows != NULL && strcmp(q[k].name, "qpos") == 0;
        assert_int_equal(w->env->poke(w->state, q[k].name, given ? init.rows : rows[k].rows),
                         REIN_OK);
    }
    w->env->observe(w->state, &w->io);
    free(init.rows);
}

/* The float observation is the double one, rounded. */
static void check_rounding(const world *w)
{
    double obs[MAX_ROW];
    w->env->peek(w->state, "obs", obs);
    for (int i = 0; i < w->spec.observation.size; i++) {
        assert_true(w->observation[i] == (float)obs[i]);
    }
}

static void replay_episode(world *w, golden *g, const char *episode)
{
    const rein_env_quantity *q = w->env->quantities(w->state);
    recorded rows[8] = {0}, action = read_rows(g, episode, "action"),
             terminated = read_rows(g, episode, "terminated");
    assert_true(action.rows != NULL && terminated.rows != NULL);
    assert_int_equal(action.width, w->spec.action.size);
    for (int k = 0; q[k].name != NULL; k++) rows[k] = read_rows(g, episode, q[k].name);
    begin_at_record(w, g, episode, rows);
    for (size_t t = 0; t <= action.n_rows; t++) {
        for (int k = 0; q[k].name != NULL; k++) {
            bool is_reward = strcmp(q[k].name, "reward") == 0;
            assert_int_equal(rows[k].width, q[k].size);
            if (t > 0 || !is_reward) check_quantity(w, &q[k], &rows[k], episode, t);
        }
        check_rounding(w);
        if (t == action.n_rows) break;
        for (size_t i = 0; i < action.width; i++) {
            w->action[i] = (float)action.rows[t * action.width + i];
        }
        world_step(w);
        assert_int_equal(w->broken, 0);
        if (w->terminated != (terminated.rows[t] != 0)) {
            fail_msg("%s step %zu: terminated is %d", episode, t + 1, w->terminated);
        }
    }
    for (int k = 0; q[k].name != NULL; k++) free(rows[k].rows);
    free(action.rows);
    free(terminated.rows);
}

/* The class that reproduces a recorded group; NULL: not one of ours. *settings: behind the comma.
 * Two v5 groups are what the v4 class computes with the same settings: HalfCheetah-v5 differs
 * from v4 in its infos only, Hopper-v5 only in the step that terminates. */
static const rein_env_class *class_of(const char *group, const char **settings)
{
    size_t length = strcspn(group, ",");
    *settings = group[length] == ',' ? group + length + 1 : NULL;
    for (int i = 0; i < N_CLASSES; i++) {
        const char *id = world_classes[i]->id;
        if (strlen(id) == length && strncmp(id, group, length) == 0) return world_classes[i];
    }
    if (strncmp(group, "HalfCheetah-v5", length) == 0) return &rein_half_cheetah_v4;
    if (strcmp(group, "Hopper-v5,terminate_when_unhealthy=False") == 0) return &rein_hopper_v4;
    return NULL;
}

static void test_traces(void **state)
{
    (void)state;
    golden g;
    char version[64], name[256], path[400], episode[32], full[512];
    int groups = 0, episodes = 0;
    assert_true(golden_open("mujoco.h5", &g));
    snprintf(version, sizeof version, "mujoco-%s", rein_mujoco_version());
    if (!golden_exists(&g, version)) {
        golden_close(&g);
        print_message("no record of %s\n", version);
        skip();
    }
    for (int i = 0; golden_child(&g, version, i, name, sizeof name); i++) {
        const char *settings = NULL;
        const rein_env_class *env = class_of(name, &settings);
        if (env == NULL) continue;
        world *w = world_new(env, settings);
        snprintf(path, sizeof path, "%s/%s", version, name);
        for (int k = 0; golden_child(&g, path, k, episode, sizeof episode); k++) {
            snprintf(full, sizeof full, "%s/%s", path, episode);
            replay_episode(w, &g, full);
            episodes++;
        }
        world_close(w);
        groups++;
    }
    golden_close(&g);
    print_message("%d groups, %d episodes of %s\n", groups, episodes, version);
    assert_true(groups >= N_CLASSES && episodes >= 3 * groups - 4);
}

/* ---- reset --------------------------------------------------------------------------------- */

/* A reset leaves nothing of the episode before: the same stream gives the same bytes. */
static void test_reset_forgets(void **state)
{
    (void)state;
    for (int i = 0; i < N_CLASSES; i++) {
        world *used = world_new(world_classes[i], NULL), *fresh = world_new(world_classes[i], NULL);
        world_reset(used, 1);
        for (uint64_t t = 0; t < 50; t++) {
            world_random_action(used, t);
            world_step(used);
        }
        world_reset(used, 2);
        world_reset(fresh, 2);
        double *a = world_snapshot(used), *b = world_snapshot(fresh);
        assert_memory_equal(a, b, used->spec.snapshot_size);
        assert_memory_equal(used->observation, fresh->observation,
                            sizeof(float) * (size_t)used->spec.observation.size);
        free(a);
        free(b);
        world_close(used);
        world_close(fresh);
    }
}

/* Range (uniform) or spread (normal) of the initial state over 4000 episodes. */
static void check_noise(const rein_env_class *env, const char *name, double scale, bool normal)
{
    enum { EPISODES = 4000 };
    world *w = world_new(env, NULL);
    const rein_env_quantity *q = w->env->quantities(w->state);
    while (strcmp(q->name, name) != 0) q++;
    double start[MAX_ROW], now[MAX_ROW], sum = 0, squares = 0, largest = 0;
    world *still = world_new(env, "reset_noise_scale=0");
    world_reset(still, 0);
    still->env->peek(still->state, name, start);
    for (uint64_t episode = 0; episode < EPISODES; episode++) {
        world_reset(w, episode);
        w->env->peek(w->state, name, now);
        for (int i = 0; i < q->size; i++) {
            double d = (now[i] - start[i]) / scale;
            sum += d;
            squares += d * d;
            largest = fmax(largest, fabs(d));
        }
    }
    double n = (double)EPISODES * q->size, variance = normal ? 1 : 1.0 / 3;
    assert_true(fabs(sum / n) < 5 * sqrt(variance / n));
    assert_true(fabs(squares / n / variance - 1) < 5 * sqrt(2 / n));
    assert_true(normal ? largest > 3 : largest > 0.99 && largest <= 1 + 1e-9);
    world_close(w);
    world_close(still);
}

static void test_reset_noise(void **state)
{
    (void)state;
    check_noise(&rein_half_cheetah_v4, "qpos", 0.1, false);
    check_noise(&rein_half_cheetah_v4, "qvel", 0.1, true);
    check_noise(&rein_hopper_v4, "qpos", 5e-3, false);
    check_noise(&rein_hopper_v4, "qvel", 5e-3, false);
    check_noise(&rein_inverted_pendulum_v4, "qpos", 0.01, false);
    check_noise(&rein_inverted_pendulum_v4, "qvel", 0.01, false);
}

/* ---- task rules ---------------------------------------------------------------------------- */

static void poke_entry(world *w, const char *name, int i, double value)
{
    double x[MAX_ROW];
    w->env->peek(w->state, name, x);
    x[i] = value;
    assert_int_equal(w->env->poke(w->state, name, x), REIN_OK);
    w->env->observe(w->state, &w->io);
}

static void test_hopper_health(void **state)
{
    (void)state;
    world *w = world_new(&rein_hopper_v4, "reset_noise_scale=0,forward_reward_weight=0");
    world *stay = world_new(&rein_hopper_v4, "reset_noise_scale=0,forward_reward_weight=0,"
                                             "terminate_when_unhealthy=false");
    static const struct {
        const char *name;
        int entry;
        double value;
        bool healthy;
    } cases[] = {
        {"qpos", 1, 1.25, true},  {"qpos", 1, 0.6, false},   {"qpos", 2, 0.19, true},
        {"qpos", 2, 0.25, false}, {"qpos", 2, -0.25, false}, {"qvel", 0, 150, false},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        world_reset(w, 0);
        world_reset(stay, 0);
        poke_entry(w, cases[k].name, cases[k].entry, cases[k].value);
        poke_entry(stay, cases[k].name, cases[k].entry, cases[k].value);
        world_step(w);
        world_step(stay);
        assert_int_equal(w->terminated, !cases[k].healthy);
        assert_int_equal(stay->terminated, 0);
        assert_float_equal(w->reward, 1, 1e-6); /* v4 pays it for the last step, too */
        assert_float_equal(stay->reward, (cases[k].healthy ? 1.0F : 0.0F), 1e-6);
    }
    world_close(w);
    world_close(stay);
}

static void test_pendulum_falls(void **state)
{
    (void)state;
    world *w = world_new(&rein_inverted_pendulum_v4, NULL);
    world_reset(w, 0);
    world_step(w);
    assert_int_equal(w->terminated, 0);
    poke_entry(w, "qpos", 1, -0.3);
    world_step(w);
    assert_int_equal(w->terminated, 1);
    assert_float_equal(w->reward, 1, 0);
    world_close(w);
}

/* The cost counts the action as given, the motor clamps it. */
static void test_action_beyond_bounds(void **state)
{
    (void)state;
    world *at = world_new(&rein_half_cheetah_v4, NULL);
    world *beyond = world_new(&rein_half_cheetah_v4, NULL);
    world_reset(at, 0);
    world_reset(beyond, 0);
    for (int i = 0; i < at->spec.action.size; i++) {
        at->action[i] = 1;
        beyond->action[i] = 3;
    }
    world_step(at);
    world_step(beyond);
    assert_memory_equal(at->observation, beyond->observation, 17 * sizeof(float));
    assert_float_equal(at->reward - beyond->reward, 0.1 * 6 * (9 - 1), 1e-4);
    world_close(at);
    world_close(beyond);
}

static void test_spec(void **state)
{
    (void)state;
    static const int sizes[][2] = {{17, 6}, {11, 3}, {4, 1}};
    static const float bounds[] = {1, 1, 3};
    for (int i = 0; i < N_CLASSES; i++) {
        world *w = world_new(world_classes[i], NULL);
        assert_int_equal(w->spec.observation.size, sizes[i][0]);
        assert_int_equal(w->spec.action.size, sizes[i][1]);
        assert_int_equal(w->spec.action.kind, REIN_CONTINUOUS);
        assert_float_equal(w->spec.action.high[0], bounds[i], 0);
        assert_float_equal(w->spec.action.low[0], -bounds[i], 0);
        assert_int_equal(w->spec.max_episode_steps, 1000);
        world_close(w);
    }
}

/* ---- snapshots ----------------------------------------------------------------------------- */

/* One step of both envs with the action of step t; they stay the same to the last byte. */
static void step_alike(world *a, world *b, uint64_t t)
{
    world_random_action(a, t);
    world_random_action(b, t);
    world_step(a);
    world_step(b);
    double *x = world_snapshot(a), *y = world_snapshot(b);
    assert_memory_equal(x, y, a->spec.snapshot_size);
    assert_memory_equal(a->observation, b->observation,
                        sizeof(float) * (size_t)a->spec.observation.size);
    assert_memory_equal(&a->reward, &b->reward, sizeof a->reward);
    free(x);
    free(y);
}

/* Save at many moments and continue; a second env with another past loads it and continues the
 * same. */
static void test_snapshot_continues(void **state)
{
    (void)state;
    for (int i = 0; i < N_CLASSES; i++) {
        world *a = world_new(world_classes[i], NULL), *b = world_new(world_classes[i], NULL);
        world_reset(a, 3);
        for (uint64_t t = 0; t < 200; t += 5) {
            world_reset(b, t);
            world_step(b);
            double *middle = world_snapshot(a), *other = world_snapshot(b);
            assert_memory_not_equal(middle, other, a->spec.snapshot_size);
            assert_int_equal(b->env->load(b->state, middle), REIN_OK);
            for (uint64_t k = 0; k < 5; k++) step_alike(a, b, t + k);
            free(middle);
            free(other);
        }
        world_close(a);
        world_close(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces),         cmocka_unit_test(test_reset_forgets),
        cmocka_unit_test(test_reset_noise),    cmocka_unit_test(test_hopper_health),
        cmocka_unit_test(test_pendulum_falls), cmocka_unit_test(test_action_beyond_bounds),
        cmocka_unit_test(test_spec),           cmocka_unit_test(test_snapshot_continues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
