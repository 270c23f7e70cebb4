/* What goes wrong in MuJoCo environments: simulations that diverge, models that are not one,
 * MuJoCo's own errors, and that none of it reaches another env or thread. */
#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include "envs/mujoco/sim.h"
#include "tests/envs/mujoco_world.h"

/* ---- simulations that diverge -------------------------------------------------------------- */

static void check_broken(world *w, const float *last_observation)
{
    assert_int_equal(w->broken, 1);
    assert_int_equal(w->terminated, 0);
    assert_true(w->reward == 0);
    assert_memory_equal(w->observation, last_observation,
                        sizeof(float) * (size_t)w->spec.observation.size);
}

static void check_finite(const world *w)
{
    assert_true(isfinite(w->reward));
    for (int i = 0; i < w->spec.observation.size; i++) assert_true(isfinite(w->observation[i]));
}

static void test_bad_action_breaks(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY, 1e30f};
    for (int i = 0; i < N_CLASSES; i++) {
        world *w = world_new(world_classes[i], NULL), *fresh = world_new(world_classes[i], NULL);
        for (uint64_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
            float last[MAX_ROW];
            world_reset(w, k);
            world_random_action(w, 0);
            world_step(w);
            assert_int_equal(w->broken, 0);
            memcpy(last, w->observation, sizeof last);
            w->action[0] = bad[k];
            world_step(w);
            if (isnan(bad[k])) assert_int_equal(w->broken, 1);
            if (w->broken) {
                check_broken(w, last);
            } else { /* an actuator may clamp it, like any action beyond the bounds */
                check_finite(w);
            }
            world_reset(w, k + 10); /* and nothing of it stays */
            world_reset(fresh, k + 10);
            world_random_action(w, 1);
            world_random_action(fresh, 1);
            world_step(w);
            world_step(fresh);
            assert_int_equal(w->broken, 0);
            assert_memory_equal(w->observation, fresh->observation,
                                sizeof(float) * (size_t)w->spec.observation.size);
        }
        world_close(w);
        world_close(fresh);
    }
}

static void test_huge_velocity_breaks(void **state)
{
    (void)state;
    const double huge[] = {1e9, 1e11, NAN};
    for (int i = 0; i < N_CLASSES; i++) {
        world *w = world_new(world_classes[i], NULL);
        for (size_t k = 0; k < sizeof huge / sizeof huge[0]; k++) {
            double qvel[MAX_ROW];
            float good[MAX_ROW];
            world_reset(w, 0);
            memcpy(good, w->observation, sizeof good);
            for (int j = 0; j < MAX_ROW; j++) qvel[j] = huge[k];
            w->env->poke(w->state, "qvel", qvel); /* may say no already */
            memset(w->action, 0, sizeof w->action);
            int steps = 0;
            do {
                world_step(w);
            } while (!w->broken && !w->terminated && ++steps < 10);
            assert_int_equal(w->broken, 1);
            world_reset(w, 0);
            assert_memory_equal(w->observation, good,
                                sizeof(float) * (size_t)w->spec.observation.size);
            world_step(w);
            assert_int_equal(w->broken, 0);
        }
        world_close(w);
    }
}

/* ---- models -------------------------------------------------------------------------------- */

/* Write text to a new file; the caller removes and frees the path. */
static char *write_model(const char *text)
{
    char name[] = "rein_test_model_XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return strdup(name);
}

static void check_refused(const char *text, rein_status expected, const char *says)
{
    char *path = write_model(text), settings[256];
    world *w = NULL;
    snprintf(settings, sizeof settings, "model=%s", path);
    rein_status status = world_open(&rein_hopper_v4, settings, &w);
    unlink(path);
    assert_int_equal(status, expected);
    if (strstr(rein_error_message(), path) == NULL || strstr(rein_error_message(), says) == NULL ||
        strchr(rein_error_message(), '\n') != NULL) {
        fail_msg("unclear message: %s", rein_error_message());
    }
    free(path);
}

#define CHAIN                                                                                      \
    "<worldbody><body><geom size='0.1'/><joint name='a'/><joint axis='0 1 0'/>"                    \
    "<joint axis='1 0 0'/></body></worldbody>"

static void test_bad_models(void **state)
{
    (void)state;
    world *w = NULL;
    assert_int_equal(world_open(&rein_hopper_v4, "model=no/such/file.xml", &w), REIN_ENOTFOUND);
    assert_non_null(strstr(rein_error_message(), "no/such/file.xml"));
    check_refused("", REIN_ECONFIG, "");
    check_refused("<mujoco><worldbody>", REIN_ECONFIG, "");
    check_refused("<mujoco><option timestop='1'/></mujoco>", REIN_ECONFIG, "timestop");
    check_refused("<mujoco><worldbody><body><joint/></body></worldbody></mujoco>", REIN_ECONFIG,
                  "");
    check_refused("<mujoco><worldbody><body><geom size='0.1'/><joint name='a'/></body></worldbody>"
                  "<actuator><motor joint='a'/></actuator></mujoco>",
                  REIN_EUNSUPPORTED, "needs 3");
    check_refused("<mujoco>" CHAIN "</mujoco>", REIN_EUNSUPPORTED, "0 actuators");
    const mjModel *model = NULL;
    assert_int_equal(rein_model_acquire("no_robot.xml", NULL, &model), REIN_ENOTFOUND);
}

static void test_own_model(void **state)
{
    (void)state;
    char *path = write_model("<mujoco>" CHAIN "<actuator><motor joint='a'/></actuator></mujoco>");
    char settings[256];
    snprintf(settings, sizeof settings, "terminate_when_unhealthy=false,model=%s", path);
    world *w = world_new(&rein_hopper_v4, settings);
    unlink(path);
    free(path);
    assert_int_equal(w->spec.observation.size, 5);
    assert_int_equal(w->spec.action.size, 1);
    assert_true(isinf(w->spec.action.high[0])); /* no control range */
    world_reset(w, 0);
    w->action[0] = 1;
    for (int t = 0; t < 5; t++) world_step(w);
    assert_int_equal(w->broken, 0);
    world_close(w);
}

static void test_models_are_shared(void **state)
{
    (void)state;
    const mjModel *a = NULL, *b = NULL, *c = NULL;
    assert_int_equal(rein_model_acquire("hopper.xml", NULL, &a), REIN_OK);
    assert_int_equal(rein_model_acquire("hopper.xml", "", &b), REIN_OK);
    assert_int_equal(rein_model_acquire("half_cheetah.xml", NULL, &c), REIN_OK);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    rein_model_release(a);
    assert_int_equal(b->nq, 6); /* still there */
    rein_model_release(b);
    rein_model_release(c);
    rein_model_release(NULL);
}

/* ---- MuJoCo's own errors ------------------------------------------------------------------- */

static _Thread_local int calls_until_error;

static void failing_control(const mjModel *model, mjData *data)
{
    (void)model;
    (void)data;
    if (calls_until_error > 0 && --calls_until_error == 0) mju_error("made to fail");
}

static void test_error_ends_episode(void **state)
{
    (void)state;
    for (int i = 0; i < N_CLASSES; i++) {
        world *w = world_new(world_classes[i], NULL);
        float last[MAX_ROW];
        world_reset(w, 5);
        mjcb_control = failing_control;
        calls_until_error = 7;
        int steps = 0;
        do {
            memcpy(last, w->observation, sizeof last);
            world_step(w);
        } while (!w->broken && ++steps < 20);
        mjcb_control = NULL;
        assert_in_range(steps, 0, 7);
        check_broken(w, last);
        world_reset(w, 5);
        world_step(w);
        assert_int_equal(w->broken, 0);
        world_close(w);
    }
}

enum { ERRORS = 3000, PLAYED = 2000 };

/* A thread opens an env, plays and takes a snapshot; some threads meet errors first. */
typedef struct player {
    bool meets_errors;
    double *snapshot;
    int broken;
} player;

static void *play(void *argument)
{
    player *p = argument;
    world *w = world_new(&rein_half_cheetah_v4, NULL);
    for (int k = 0; p->meets_errors && k < ERRORS; k++) {
        world_reset(w, (uint64_t)k);
        calls_until_error = 3;
        world_step(w);
        p->broken += w->broken;
        calls_until_error = 0;
    }
    world_reset(w, 9);
    for (uint64_t t = 0; t < PLAYED; t++) {
        world_random_action(w, t);
        world_step(w);
    }
    p->snapshot = world_snapshot(w);
    world_close(w);
    return NULL;
}

/* An error stays with the thread that met it; models are shared and counted while threads come
 * and go. */
static void test_threads_are_independent(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    player alone = {0}, players[THREADS] = {{0}};
    pthread_t threads[THREADS];
    play(&alone);
    mjcb_control = failing_control;
    for (int i = 0; i < THREADS; i++) {
        players[i].meets_errors = i % 2 == 1;
        assert_int_equal(pthread_create(&threads[i], NULL, play, &players[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    mjcb_control = NULL;
    world *w = world_new(&rein_half_cheetah_v4, NULL);
    size_t bytes = w->spec.snapshot_size;
    world_close(w);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(players[i].broken, i % 2 == 1 ? ERRORS : 0);
        assert_memory_equal(players[i].snapshot, alone.snapshot, bytes);
        free(players[i].snapshot);
    }
    free(alone.snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_action_breaks),
        cmocka_unit_test(test_huge_velocity_breaks),
        cmocka_unit_test(test_bad_models),
        cmocka_unit_test(test_own_model),
        cmocka_unit_test(test_models_are_shared),
        cmocka_unit_test(test_error_ends_episode),
        cmocka_unit_test(test_threads_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
