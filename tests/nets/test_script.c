/* A network written in Python as the body of ours: the same numbers as the native engine's layers,
 * parameters from the file, copies for threads, and what is said of files that will not do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <math.h>

#include "nets/layers.h"
#include "nets/script.h"
#include "nets/torch/loader.h"
#include "nets/torch/rein_torch.h"
#include "tests/nets/net_set_up.h"

#define GOLDEN(name) REIN_SOURCE_DIR "/tests/golden/" name
enum { ROWS = 9 };

static const int image[] = {7, 7, 3};

static rein_net_script *script_of(const char *path)
{
    rein_net_script *script;
    if (rein_net_script_read(path, &script) != REIN_OK) fail_msg("%s", rein_error_message());
    return script;
}

/* script_body.pt, then three linear outputs. */
static rein_net_spec scripted_spec(const rein_net_script *script)
{
    rein_net_spec spec = {.n_dims = 3, .shape = {7, 7, 3}, .script = script, .n_layers = 2};
    if (rein_net_script_layer(script, 3, image, &spec.layers[0]) != REIN_OK) {
        fail_msg("%s", rein_error_message());
    }
    spec.layers[1] = (rein_layer){.kind = REIN_LAYER_LINEAR, .units = 3};
    return spec;
}

static void close_to(const float *a, const float *b, size_t n, const char *what)
{
    double largest = 0, difference = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)b[i]));
        difference = fmax(difference, fabs((double)a[i] - (double)b[i]));
    }
    if (!(difference <= 1e-5 * largest)) {
        fail_msg("%s: off by %g, the largest is %g", what, difference, largest);
    }
    assert_true(largest > 0);
}

static void test_layer(void **state)
{
    (void)state;
    rein_net_script *script = script_of(GOLDEN("script_body.pt"));
    const rein_net_spec spec = scripted_spec(script);
    char text[REIN_LAYERS_TEXT];
    rein_layers_print(&spec, text);
    assert_string_equal(text, "script 16 2372, linear 3"); /* 52 + 16 x 144 + 16 */
    rein_net_spec again = {.n_dims = 3, .shape = {7, 7, 3}, .script = script};
    assert_int_equal(rein_layers_parse(text, &again), REIN_OK);
    assert_memory_equal(again.layers, spec.layers, sizeof spec.layers[0] * 2);

    rein_net *net;
    assert_int_equal(rein_net_create(&spec, &net), REIN_OK);
    assert_string_equal(rein_net_engine(net), "torch");
    float *params = floats(rein_net_n_params(net)), *from_file = floats(2372);
    rein_rng rng = rein_rng_stream(1, REIN_RNG_INIT, 0, 0);
    assert_int_equal(rein_net_init(net, REIN_INIT_ORTHOGONAL, 1, 1, &rng, params), REIN_OK);
    assert_int_equal(rein_net_script_params(script, 2372, from_file), REIN_OK);
    assert_memory_equal(params, from_file, 2372 * sizeof(float));
    assert_int_equal(rein_net_script_params(script, 2371, from_file), REIN_EINVAL);
    rein_net_free(net);
    rein_net_script_free(script);
    free(params);
    free(from_file);
}

/* The parameters of the vector count, not those of the file: with other ones, too, and with two
 * vectors in turn, as a learner and its target network have them. */
static void test_as_native(void **state)
{
    (void)state;
    rein_net_script *script = script_of(GOLDEN("script_body.pt"));
    const rein_net_spec scripted = scripted_spec(script);
    rein_net_spec layers = {.n_dims = 3, .shape = {7, 7, 3}, .engine = REIN_ENGINE_NATIVE};
    assert_int_equal(
        rein_layers_parse("conv 4 2x2, relu, flatten, linear 16, tanh, linear 3", &layers),
        REIN_OK);
    setup native = setup_new(&layers, ROWS, 3), torch = setup_new(&scripted, ROWS, 4);
    assert_int_equal(native.n_params, torch.n_params);
    const size_t n_x = ROWS * 147, n_y = ROWS * 3;
    for (int round = 0; round < 4; round++) {
        const float *params = round % 2 ? torch.params : native.params;
        rein_net_pack(native.net, params, native.packed);
        native.x[round] += 1;
        const setup *each[] = {&native, &torch};
        for (int i = 0; i < 2; i++) {
            const setup *s = each[i];
            assert_int_equal(
                rein_net_forward(s->net, params, s->packed, s->workspace, native.x, ROWS, s->y),
                REIN_OK);
            assert_int_equal(rein_net_backward(s->net, params, s->packed, s->workspace, native.dy,
                                               s->grad, s->dx),
                             REIN_OK);
        }
        close_to(torch.y, native.y, n_y, "y");
        close_to(torch.grad, native.grad, native.n_params, "gradient");
        close_to(torch.dx, native.dx, n_x, "dx");
    }
    setup_free(&native);
    setup_free(&torch);
    rein_net_script_free(script);
}

static void refused(const char *path, int n_dims, const int *shape, rein_status status,
                    const char *words)
{
    rein_net_script *script;
    rein_layer layer;
    rein_status found = rein_net_script_read(path, &script);
    if (found == REIN_OK) found = rein_net_script_layer(script, n_dims, shape, &layer);
    rein_net_script_free(script);
    if (found != status || !strstr(rein_error_message(), words)) {
        fail_msg("%s: %s, '%s': no '%s'", path, rein_status_name(found), rein_error_message(),
                 words);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const int vector[] = {5};
    refused(GOLDEN("none.pt"), 3, image, REIN_ENOTFOUND, "none.pt");
    refused("/dev/null", 3, image, REIN_EFORMAT, "0 bytes");
    refused(GOLDEN("classic.h5"), 3, image, REIN_EFORMAT, "classic.h5");
    refused(GOLDEN("state_conv.pt"), 3, image, REIN_EFORMAT, "state_conv.pt");
    refused(GOLDEN("script_body.pt"), 1, vector, REIN_EINVAL, "script_body.pt"); /* its own words */
    refused(GOLDEN("script_conv.pt"), 3, image, REIN_EINVAL, "channels"); /* wants [n, C, H, W] */

    char path[] = "/tmp/rein_script_XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    rein_torch_module *module = NULL;
    assert_int_equal(rein_torch_module_load(GOLDEN("script_body.pt"), REIN_TORCH_CPU, &module),
                     REIN_OK);
    assert_int_equal(rein_torch_module_to(module, REIN_TORCH_F64, REIN_TORCH_CPU), REIN_OK);
    assert_int_equal(rein_torch_module_save(module, path), REIN_OK);
    rein_torch_module_free(module);
    refused(path, 3, image, REIN_EINVAL, "parameter conv.weight: not float32");
    unlink(path);
}

/* In a network: only as the first layer, only with a script, and nothing is left of a failure. */
static void test_in_networks(void **state)
{
    (void)state;
    rein_net_script *script = script_of(GOLDEN("script_body.pt"));
    rein_net_spec spec = scripted_spec(script);
    rein_net *net;
    spec.script = NULL;
    assert_int_equal(rein_net_check(&spec), REIN_EINVAL);
    assert_non_null(strstr(rein_error_message(), "set net.script"));
    spec.script = script;
    spec.layers[0].values = 2371;
    assert_int_equal(rein_net_create(&spec, &net), REIN_EINVAL);
    assert_non_null(strstr(rein_error_message(), "2372 parameters, its layer 2371"));
    spec.layers[0].values = 2372;
    spec.engine = REIN_ENGINE_NATIVE;
    assert_int_equal(rein_net_create(&spec, &net), REIN_EUNSUPPORTED);
    assert_non_null(strstr(rein_error_message(), "native engine has no such layer"));
    rein_net_script_free(script);
    int64_t live = -1;
    assert_int_equal(rein_torch_n_live(&live), REIN_OK);
    assert_int_equal(live, 0);
}

int main(void)
{
    if (!rein_torch_is_built()) return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer),
        cmocka_unit_test(test_as_native),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_in_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
