/* TorchScript: values and gradients that Python printed (docs/torch.md), files with the wrong
 * inputs or results, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "nets/torch/loader.h"
#include "nets/torch/rein_torch.h"
#include "tests/nets/torch_check.h"

#define GOLDEN(name) REIN_SOURCE_DIR "/tests/golden/" name
#define SCRIPT       GOLDEN("script_conv.pt")
#define STATE        GOLDEN("state_conv.pt")

static rein_tensor *zeros(rein_torch_dtype type, int n_dims, const int64_t *shape)
{
    rein_tensor *out = NULL;
    ok(rein_tensor_zeros(type, REIN_TORCH_CPU, shape, n_dims, &out));
    return out;
}
#define ZEROS(type, ...)                                                                           \
    zeros(type, (int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#define F32(...) ZEROS(REIN_TORCH_F32, __VA_ARGS__)

static rein_tensor *script_input(void)
{
    float x[2 * 3 * 7 * 7];
    rein_tensor *out = NULL;
    for (int i = 0; i < 2 * 3 * 7 * 7; i++) x[i] = (float)(i % 11) / 10;
    ok(rein_tensor_from_data(REIN_TORCH_F32, REIN_TORCH_CPU, (int64_t[]){2, 3, 7, 7}, 4, x, &out));
    return out;
}

static void test_values_and_gradients(void **context)
{
    (void)context;
    static const double wanted[] = {-0.006681922823190689, -0.09783758223056793,
                                    0.015047987923026085, -0.07395870983600616};
    static const double grads[] = {-24.339763641357422, -1.8584609031677246, 27.49689483642578, 6};
    static const char *const names[] = {"conv.weight", "conv.bias", "out.weight", "out.bias"};
    rein_torch_module *module = NULL, *copy = NULL;
    rein_tensor *x = script_input(), *y = NULL, *dy = NULL, *python[4] = {NULL};
    float values[4], dy_values[] = {1, 2, 1, 2}, flat[400];
    int n = 0;
    ok(rein_torch_module_load(SCRIPT, REIN_TORCH_CPU, &module));
    ok(rein_torch_module_clone(module, &copy));
    ok(rein_torch_state_load(STATE, names, 4, python)); /* the same parameters, by torch.save */
    ok(rein_tensor_borrow(REIN_TORCH_F32, (int64_t[]){2, 2}, 2, dy_values, &dy));
    ok(rein_torch_module_n_parameters(module, &n));
    assert_int_equal(n, 4);
    float *at = flat;
    for (int i = 0; i < n; i++) { /* parameters become views of one vector */
        char name[32];
        int64_t numel = 0, shape[4];
        int n_dims = 0;
        rein_tensor *p = NULL, *view = NULL;
        ok(rein_torch_module_parameter(module, i, name, sizeof name, &p));
        assert_string_equal(name, names[i]);
        ok(rein_tensor_numel(p, &numel));
        ok(rein_tensor_shape(p, shape, 4, &n_dims));
        assert_true(at + numel <= flat + 400);
        ok(rein_tensor_read(python[i], at, (size_t)numel * sizeof *at));
        ok(rein_tensor_borrow(REIN_TORCH_F32, shape, n_dims, at, &view));
        ok(rein_tensor_set_data(p, view));
        at += numel;
        rein_tensor_free(p);
        rein_tensor_free(view);
        rein_tensor_free(python[i]);
    }
    for (int round = 0; round < 4; round++) { /* the executor must not change its mind */
        int n_out = 0;
        ok(rein_torch_module_forward(round % 2 ? copy : module, &x, 1, &y, 1, &n_out));
        assert_int_equal(n_out, 1);
        ok(rein_tensor_read(y, values, sizeof values));
        for (int i = 0; i < 4; i++) assert_true(fabs(values[i] - wanted[i]) < 1e-6);
        if (round % 2) ok(rein_tensor_backward(y, dy, false));
        rein_tensor_free(y);
    }
    for (int i = 0; i < n; i++) { /* two backward passes in the copy; none in the original */
        rein_tensor *p = NULL, *g = NULL, *sum = NULL;
        double total = 0;
        ok(rein_torch_module_parameter(copy, i, NULL, 0, &p));
        ok(rein_tensor_grad(p, &g));
        ok(rein_tensor_sum(g, NULL, 0, false, &sum));
        ok(rein_tensor_item(sum, &total));
        assert_true(fabs(total - 2 * grads[i]) < 1e-4 * fabs(grads[i]));
        rein_tensor_free(p), rein_tensor_free(g), rein_tensor_free(sum);
        ok(rein_torch_module_parameter(module, i, NULL, 0, &p));
        refused(rein_tensor_grad(p, &g), REIN_EEMPTY, "no gradient");
        rein_tensor_free(p);
    }
    memset(flat, 0, sizeof flat); /* the module reads our vector */
    ok(rein_torch_module_forward(module, &x, 1, &y, 1, &n));
    ok(rein_tensor_read(y, values, sizeof values));
    for (int i = 0; i < 4; i++) assert_true(values[i] == 0);
    rein_tensor *wide = NULL, *y_wide = NULL;
    rein_torch_dtype type;
    ok(rein_torch_module_to(copy, REIN_TORCH_F64, REIN_TORCH_CPU));
    ok(rein_tensor_to(x, REIN_TORCH_F64, REIN_TORCH_CPU, &wide));
    ok(rein_torch_module_train(copy, false));
    ok(rein_torch_module_forward(copy, &wide, 1, &y_wide, 1, &n));
    ok(rein_tensor_dtype(y_wide, &type));
    assert_int_equal(type, REIN_TORCH_F64);
    rein_tensor_free(wide), rein_tensor_free(y_wide);
    rein_tensor_free(x), rein_tensor_free(y), rein_tensor_free(dy);
    rein_torch_module_free(module);
    rein_torch_module_free(copy);
}

static float first_output(rein_torch_module *module, rein_tensor *x)
{
    float values[4];
    rein_tensor *y = NULL;
    int n = 0;
    ok(rein_torch_module_forward(module, &x, 1, &y, 1, &n));
    ok(rein_tensor_read(y, values, sizeof values));
    rein_tensor_free(y);
    return values[0];
}

/* From memory as from the file; with and without gradients; a clone with parameters of its own. */
static void test_from_memory(void **context)
{
    (void)context;
    rein_torch_module *file = NULL, *memory = NULL, *copy = NULL;
    rein_tensor *x = script_input(), *y = NULL, *bias = NULL;
    void *bytes = NULL;
    size_t size = 0;
    int n = 0;
    bool needs = true;
    ok(rein_file_read(SCRIPT, false, &bytes, &size));
    ok(rein_torch_module_load(SCRIPT, REIN_TORCH_CPU, &file));
    ok(rein_torch_module_load_memory(bytes, size, REIN_TORCH_CPU, &memory));
    refused(rein_torch_module_load_memory(bytes, size / 2, REIN_TORCH_CPU, &copy), REIN_EFORMAT,
            "data: ");
    refused(rein_torch_module_load_memory(bytes, 0, REIN_TORCH_CPU, &copy), REIN_EFORMAT, "data: ");
    memset(bytes, 0, size); /* no longer needed */
    free(bytes);
    float wanted = first_output(file, x);
    assert_true(first_output(memory, x) == wanted);

    ok(rein_torch_module_train(memory, false));
    ok(rein_torch_enable_grad(false, NULL));
    ok(rein_torch_module_forward(memory, &x, 1, &y, 1, &n));
    ok(rein_torch_enable_grad(true, NULL));
    ok(rein_tensor_requires_grad(y, &needs));
    assert_false(needs);
    rein_tensor_free(y);
    ok(rein_torch_module_forward(memory, &x, 1, &y, 1, &n)); /* in evaluation mode, too */
    ok(rein_tensor_requires_grad(y, &needs));
    assert_true(needs);
    rein_tensor_free(y);

    ok(rein_torch_module_clone(memory, &copy));
    ok(rein_torch_module_parameter(copy, 3, NULL, 0, &bias));
    ok(rein_tensor_requires_grad(bias, &needs));
    assert_true(needs);
    ok(rein_torch_enable_grad(false, NULL));
    ok(rein_tensor_fill(bias, 5));
    ok(rein_torch_enable_grad(true, NULL));
    assert_true(first_output(copy, x) > 4 && first_output(memory, x) == wanted);
    rein_torch_module_free(memory);
    assert_true(first_output(copy, x) > 4);
    rein_tensor_free(bias), rein_tensor_free(x);
    rein_torch_module_free(file);
    rein_torch_module_free(copy);
}

static void test_errors(void **context)
{
    (void)context;
    rein_torch_module *module = NULL, *none = NULL;
    rein_tensor *y = NULL, *p = NULL, *x = script_input(), *narrow = F32(2, 1, 7, 7),
                *bytes = ZEROS(REIN_TORCH_U8, 2, 3, 7, 7), *pair[] = {x, x};
    int n = 0;
    refused(rein_torch_module_load("/nowhere/net.pt", REIN_TORCH_CPU, &none), REIN_ENOTFOUND,
            "/nowhere/net.pt");
    refused(rein_torch_module_load(REIN_SOURCE_DIR "/README.md", REIN_TORCH_CPU, &none),
            REIN_EFORMAT, "README.md");
    refused(rein_torch_module_load(STATE, REIN_TORCH_CPU, &none), REIN_EFORMAT, "state_conv.pt");
    assert_null(none);
    ok(rein_torch_module_load(SCRIPT, REIN_TORCH_CPU, &module));
    refused(rein_torch_module_forward(module, &narrow, 1, &y, 1, &n), REIN_EINVAL, "channels");
    refused(rein_torch_module_forward(module, &bytes, 1, &y, 1, &n), REIN_EINVAL, "type");
    refused(rein_torch_module_forward(module, pair, 2, &y, 1, &n), REIN_EINVAL, "forward");
    refused(rein_torch_module_forward(module, NULL, 0, &y, 1, &n), REIN_EINVAL, "forward");
    refused(rein_torch_module_forward(module, &x, 1, &y, 0, &n), REIN_EINVAL, "room for 0");
    refused(rein_torch_module_parameter(module, 4, NULL, 0, &p), REIN_EINVAL, "no parameter 4");
    refused(rein_torch_module_to(module, REIN_TORCH_I64, REIN_TORCH_CPU), REIN_EINVAL, "i64");
    assert_true(y == NULL && p == NULL);
    assert_null(strchr(rein_error_message(), '\n'));
    rein_tensor_free(x), rein_tensor_free(narrow), rein_tensor_free(bytes);
    rein_torch_module_free(module);
}

/* What forward returns for n rows of script_returns.pt. */
static void test_results(void **context)
{
    (void)context;
    static const struct {
        int64_t rows;
        int n_outputs; /* 0: refused with these words */
        const char *words;
    } cases[] = {{1, 2, NULL},
                 {2, 3, NULL},
                 {3, 0, "forward returns Int, not tensors"},
                 {4, 0, "forward returns None, not tensors"},
                 {5, 0, "forward returns Int"},
                 {6, 0, "forward returns GenericDict, not tensors"},
                 {7, 0, "forward returns String, not tensors"},
                 {8, 0, "List, not tensors"},
                 {9, 0, "forward returns Tuple"},
                 {10, 0, "no more than nine rows, please"}};
    rein_torch_module *module = NULL;
    int64_t before = -1, after = -1;
    ok(rein_torch_module_load(GOLDEN("script_returns.pt"), REIN_TORCH_CPU, &module));
    ok(rein_torch_n_live(&before));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rein_tensor *x = F32(cases[i].rows, 2), *outputs[3] = {NULL};
        int n = -1;
        rein_status status = rein_torch_module_forward(module, &x, 1, outputs, 3, &n);
        if (cases[i].n_outputs == 0) {
            refused(status, REIN_EINVAL, cases[i].words);
            assert_null(strchr(rein_error_message(), '\n'));
            assert_true(n == -1 && outputs[0] == NULL);
        } else {
            ok(status);
            assert_int_equal(n, cases[i].n_outputs);
            for (int k = 0; k < n; k++) {
                float value = 0;
                rein_tensor *first = NULL;
                ok(rein_tensor_narrow(outputs[k], 0, 0, 1, &first));
                float row[2];
                ok(rein_tensor_read(first, row, sizeof row));
                value = row[1];
                assert_true(value == (float)(k + 1)); /* x + 1, x + 2, ... */
                rein_tensor_free(first), rein_tensor_free(outputs[k]);
            }
            refused(rein_torch_module_forward(module, &x, 1, outputs, n - 1, &n), REIN_EINVAL,
                    "room for");
        }
        rein_tensor_free(x);
    }
    ok(rein_torch_n_live(&after));
    assert_int_equal(before, after);
    rein_torch_module_free(module);
    ok(rein_torch_module_load(GOLDEN("script_silent.pt"), REIN_TORCH_CPU, &module));
    rein_tensor *x = F32(1), *y = NULL;
    int n = 0;
    refused(rein_torch_module_forward(module, &x, 1, &y, 1, &n), REIN_EINVAL, "forward");
    rein_tensor_free(x);
    rein_torch_module_free(module);
}

static int group_setup(void **context)
{
    (void)context;
    return rein_torch_set_threads(1) == REIN_OK ? 0 : -1;
}

int main(void)
{
    if (!rein_torch_is_built()) {
        puts("built without libtorch: skipped");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_gradients),
        cmocka_unit_test(test_from_memory),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_results),
    };
    return cmocka_run_group_tests_name("torch_script", tests, group_setup, NULL);
}
