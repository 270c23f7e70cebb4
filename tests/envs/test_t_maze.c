/* TMaze-v0: what is seen, walls, both turns, the time limit, equal chances of the signs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "envs/registry.h"
#include "envs/vec.h"

enum { LEFT, FORWARD, RIGHT, BACK };

static const float corridor[] = {1, 0, 1}, junction[] = {0, 1, 0};
static const float signs[2][3] = {{1, 1, 0}, {0, 1, 1}};

static rein_vec *maze(const char *settings)
{
    const rein_env_class *env;
    assert_int_equal(rein_env_find("TMaze-v0", &env), REIN_OK);
    char config[1024];
    assert_true(env->config_size <= sizeof config);
    assert_int_equal(rein_env_defaults(env, config), REIN_OK);
    char copy[256], *rest = NULL;
    strncpy(copy, settings, sizeof copy - 1);
    copy[sizeof copy - 1] = '\0';
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        const rein_field *field = rein_fields_find(env->fields, env->n_fields, word);
        assert_non_null(field);
        assert_int_equal(rein_field_set(field, config, value), REIN_OK);
    }
    const rein_vec_options options = {
        .env = env, .config = config, .n_envs = 1, .max_episode_steps = -1, .seed = 3};
    rein_vec *vec;
    assert_int_equal(rein_vec_create(&options, &vec), REIN_OK);
    return vec;
}

static void act(rein_vec *vec, int32_t action)
{
    *(int32_t *)vec->action = action;
    assert_int_equal(rein_vec_step_block(vec, 0), REIN_OK);
}

static bool sees(const rein_vec *vec, const float wanted[3])
{
    return memcmp(vec->observation, wanted, 3 * sizeof(float)) == 0;
}

/* The turn that the sign asks for. */
static int32_t sign_of(const rein_vec *vec)
{
    assert_true(sees(vec, signs[0]) || sees(vec, signs[1]));
    return sees(vec, signs[0]) ? LEFT : RIGHT;
}

static void walk(rein_vec *vec, int cells)
{
    for (int i = 0; i < cells; i++) {
        act(vec, FORWARD);
        assert_true(vec->reward[0] == 0);
        assert_int_equal(vec->terminated[0], 0);
        assert_true(sees(vec, i + 1 < cells ? corridor : junction));
    }
}

static void test_turns(void **state)
{
    (void)state;
    rein_vec *vec = maze("length=20");
    int seen[3] = {0};
    for (int episode = 0; episode < 200; episode++) {
        const int32_t sign = sign_of(vec), turn = episode % 3 ? sign : LEFT + RIGHT - sign;
        seen[sign]++;
        walk(vec, 20);
        act(vec, turn);
        assert_true(vec->reward[0] == (turn == sign ? 1.0f : 0.0f));
        assert_int_equal(vec->terminated[0], 1);
        assert_int_equal(vec->episode_length[0], 21);
        assert_true(memcmp(vec->final_observation, junction, sizeof junction) == 0);
    }
    assert_true(seen[LEFT] > 70 && seen[RIGHT] > 70);
    rein_vec_free(vec);
}

static void test_walls(void **state)
{
    (void)state;
    rein_vec *vec = maze("length=2 reward_wall=-0.1 reward_right=4 reward_wrong=-0.2");
    const int32_t sign = sign_of(vec), bumps[] = {LEFT, RIGHT, BACK};
    for (int i = 0; i < 3; i++) {
        act(vec, bumps[i]);
        assert_true(vec->reward[0] == -0.1f);
        assert_int_equal(sign_of(vec), sign);
    }
    act(vec, FORWARD);
    act(vec, LEFT);
    assert_true(vec->reward[0] == -0.1f && sees(vec, corridor));
    act(vec, BACK);
    assert_true(vec->reward[0] == 0);
    assert_int_equal(sign_of(vec), sign);
    walk(vec, 2);
    act(vec, FORWARD);
    assert_true(vec->reward[0] == -0.1f && sees(vec, junction));
    act(vec, LEFT + RIGHT - sign);
    assert_true(vec->reward[0] == -0.2f);
    const int32_t next = sign_of(vec);
    walk(vec, 2);
    act(vec, next);
    assert_true(vec->reward[0] == 4);
    rein_vec_free(vec);
}

static void test_time_limit(void **state)
{
    (void)state;
    rein_vec *vec = maze("length=3");
    for (int t = 1; t <= 50; t++) {
        act(vec, BACK);
        assert_int_equal(vec->terminated[0], 0);
        assert_int_equal(vec->truncated[0], t == 50);
    }
    rein_vec_free(vec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_walls),
        cmocka_unit_test(test_time_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
