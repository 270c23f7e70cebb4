/* From the section `net:` to a network: both forms, and what is said when it does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "algos/task.h"
#include "nets/layers.h"

REIN_CONFIG_TABLE(rein_net_config, REIN_NET_FIELDS)

static const rein_observation_space vector = {
    .dtype = REIN_F32, .n_dims = 1, .shape = {17}, .size = 17, .low = -1, .high = 1};
static const rein_observation_space image = {
    .dtype = REIN_U8, .n_dims = 3, .shape = {7, 7, 3}, .size = 147, .low = 0, .high = 10};

static rein_task task_of(const char *key, const char *value)
{
    rein_task task;
    memset(&task, 0, sizeof task);
    const int n = REIN_FIELD_COUNT(rein_net_config_fields);
    assert_int_equal(rein_fields_defaults(rein_net_config_fields, n, &task.net), REIN_OK);
    if (!key) return task;
    const rein_field *field = rein_fields_find(rein_net_config_fields, n, key);
    assert_non_null(field);
    assert_int_equal(rein_field_set(field, &task.net, value), REIN_OK);
    return task;
}

static void check_layers(rein_task task, const rein_observation_space *space, int n_out, int n_dims,
                         const char *want)
{
    rein_net_spec spec;
    char text[REIN_LAYERS_TEXT];
    assert_int_equal(rein_task_net(&task, space, n_out, &spec), REIN_OK);
    rein_layers_print(&spec, text);
    assert_string_equal(text, want);
    assert_int_equal(spec.n_dims, n_dims);
    assert_true(spec.input_scale == (space->dtype == REIN_U8 ? 10 : 1));
}

static void test_hidden(void **state)
{
    (void)state;
    check_layers(task_of(NULL, NULL), &vector, 6, 1, "linear 64, tanh, linear 64, tanh, linear 6");
    check_layers(task_of("activation", "gelu"), &image, 1, 1,
                 "linear 64, gelu, linear 64, gelu, linear 1");
    check_layers(task_of("activation", "linear"), &vector, 2, 1, "linear 64, linear 64, linear 2");
    check_layers(task_of("hidden", "[]"), &vector, 2, 1, "linear 2");
}

static void test_layers(void **state)
{
    (void)state;
    check_layers(task_of("layers", "[conv 16 3x3, relu, flatten, linear 128, relu]"), &image, 7, 3,
                 "conv 16 3x3, relu, flatten, linear 128, relu, linear 7");
    check_layers(task_of("layers", "[linear 8, layernorm, silu]"), &vector, 2, 1,
                 "linear 8, layernorm, silu, linear 2");
    check_layers(task_of("layers", "[embedding 11 4, flatten]"), &image, 2, 3,
                 "embedding 11 4, flatten, linear 2");
    const rein_task task = task_of("engine", "native");
    rein_net_spec spec;
    assert_int_equal(rein_task_net(&task, &vector, 2, &spec), REIN_OK);
    assert_int_equal(spec.engine, REIN_ENGINE_NATIVE);
}

static void test_refused(void **state)
{
    (void)state;
    const struct {
        const char *key, *value;
        const rein_observation_space *space;
        rein_status status;
        const char *message;
    } cases[] = {
        {"layers", "[relu, lienar 128]", &vector, REIN_ECONFIG,
         "net.layers[1] 'lienar 128': did you mean linear?"},
        {"layers", "[linear 128]", &image, REIN_ECONFIG,
         "net.layers[0] 'linear 128': linear needs a vector: put flatten before it"},
        {"layers", "[conv 8 3x3, conv 16 9x9]", &image, REIN_ECONFIG,
         "net.layers[1] 'conv 16 9x9': does not fit into 5x5"},
        {"layers", "[conv 8 3x3, relu]", &image, REIN_ECONFIG,
         "net.layers ends with an image: put flatten at its end"},
        {"hidden", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", &vector, REIN_ECONFIG,
         "net.hidden has 16 layers, at most 15 are possible"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rein_net_spec spec;
        const rein_task task = task_of(cases[i].key, cases[i].value);
        assert_int_equal(rein_task_net(&task, cases[i].space, 2, &spec), cases[i].status);
        assert_string_equal(rein_error_message(), cases[i].message);
    }
}

/* A cell that is named in net.layers takes the place of the algorithm's own. */
static void test_recurrent(void **state)
{
    (void)state;
    const rein_layer cell = {.kind = REIN_LAYER_LSTM, .units = 32};
    const struct {
        const char *key, *value, *want;
    } cases[] = {
        {"hidden", "[8]", "linear 8, tanh, lstm 32, linear 2"},
        {"hidden", "[]", "lstm 32, linear 2"},
        {"layers", "[linear 8, relu, gru 16]", "linear 8, relu, gru 16, linear 2"},
        {"layers", "[lstm 16]", "lstm 16, linear 2"},
    };
    rein_net_spec spec;
    char text[REIN_LAYERS_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const rein_task task = task_of(cases[i].key, cases[i].value);
        assert_int_equal(rein_task_recurrent_net(&task, &vector, cell, 2, &spec), REIN_OK);
        rein_layers_print(&spec, text);
        assert_string_equal(text, cases[i].want);
    }
    const rein_task without = task_of("layers", "[lstm 16]");
    assert_int_equal(rein_task_net(&without, &vector, 2, &spec), REIN_EUNSUPPORTED);
    assert_non_null(strstr(rein_error_message(), "net.layers[0] 'lstm 16'"));
    assert_non_null(strstr(rein_error_message(), "algo.id=ppo_recurrent"));
    const rein_task inside = task_of("layers", "[lstm 16, relu]");
    assert_int_equal(rein_task_recurrent_net(&inside, &vector, cell, 2, &spec), REIN_EUNSUPPORTED);
    assert_non_null(strstr(rein_error_message(), "only be the last"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_recurrent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
