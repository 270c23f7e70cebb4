/* Damaged files of torch: truncated anywhere, bits and bytes flipped. Each is refused with one
 * clear error, or was hit where nothing is kept and gives the same numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "nets/torch/loader.h"
#include "nets/torch/rein_torch.h"
#include "tests/nets/torch_check.h"

static char folder[] = "/tmp/rein-test-XXXXXX", damaged[64], optimizer_file[64];

/* --- three kinds of file: read it, give the numbers in it ------------------------------------- */

enum { MAX_NUMBERS = 400 };

static int numbers_of(rein_tensor *t, float *at)
{
    int64_t n = 0;
    ok(rein_tensor_numel(t, &n));
    assert_true(n <= MAX_NUMBERS);
    ok(rein_tensor_read(t, at, (size_t)n * sizeof *at));
    return (int)n;
}

static rein_status read_script(const char *path, float *numbers)
{
    static float image[2 * 3 * 7 * 7] = {1, 2, 3};
    rein_torch_module *module = NULL;
    rein_tensor *x = NULL, *y = NULL;
    int n = 0;
    REIN_TRY(rein_torch_module_load(path, REIN_TORCH_CPU, &module));
    ok(rein_tensor_borrow(REIN_TORCH_F32, (int64_t[]){2, 3, 7, 7}, 4, image, &x));
    rein_status status = rein_torch_module_forward(module, &x, 1, &y, 1, &n);
    if (status == REIN_OK) numbers_of(y, numbers);
    rein_tensor_free(x);
    rein_tensor_free(y);
    rein_torch_module_free(module);
    return status;
}

static rein_status read_state(const char *path, float *numbers)
{
    static const char *const names[] = {"conv.weight", "conv.bias", "out.weight", "out.bias"};
    rein_tensor *tensors[4] = {NULL};
    REIN_TRY(rein_torch_state_load(path, names, 4, tensors));
    for (int i = 0; i < 4; i++) {
        numbers += numbers_of(tensors[i], numbers);
        rein_tensor_free(tensors[i]);
    }
    return REIN_OK;
}

/* One step of Adam from gradient 1, 2, 3 after a first one; the file is written in between. */
static rein_status adam(const char *path, float *numbers, bool save)
{
    float p[3] = {1, 2, 3}, g[3] = {1, 2, 3};
    rein_torch_optimizer_options options = {.kind = REIN_TORCH_ADAM, .lr = 0.1};
    rein_torch_optimizer *optimizer = NULL;
    rein_tensor *t = NULL, *grad = NULL;
    rein_status status = REIN_OK;
    ok(rein_tensor_borrow(REIN_TORCH_F32, (int64_t[]){3}, 1, p, &t));
    ok(rein_tensor_borrow(REIN_TORCH_F32, (int64_t[]){3}, 1, g, &grad));
    ok(rein_tensor_require_grad(t, true));
    ok(rein_tensor_set_grad(t, grad));
    ok(rein_torch_optimizer_create(&options, &t, 1, &optimizer));
    if (save) {
        ok(rein_torch_optimizer_step(optimizer));
        status = rein_torch_optimizer_save(optimizer, path);
    } else {
        status = rein_torch_optimizer_load(optimizer, path);
        g[1] = -5;
        ok(rein_torch_optimizer_step(optimizer)); /* also when nothing was loaded */
        memcpy(numbers, p, sizeof p);
    }
    rein_torch_optimizer_free(optimizer);
    rein_tensor_free(t);
    rein_tensor_free(grad);
    return status;
}

static rein_status read_optimizer(const char *path, float *numbers)
{
    return adam(path, numbers, false);
}

/* --- damage ----------------------------------------------------------------------------------- */

typedef rein_status (*reader)(const char *path, float *numbers);

typedef struct tally {
    int refused, same;
} tally;

/* Read these bytes; true numbers: what the whole file gives. */
static void try_bytes(reader read, const char *bytes, size_t size, const float *truth,
                      const char *what, size_t where, tally *t)
{
    float numbers[MAX_NUMBERS] = {0};
    int64_t before = -1, after = -1;
    ok(rein_file_write(damaged, bytes, size, false));
    ok(rein_torch_n_live(&before));
    rein_status status = read(damaged, numbers);
    ok(rein_torch_n_live(&after));
    assert_int_equal(before, after);
    if (status == REIN_OK) {
        t->same++;
        if (memcmp(numbers, truth, sizeof numbers) != 0) {
            fail_msg("%s at %zu gives other numbers", what, where);
        }
        return;
    }
    t->refused++;
    const char *message = rein_error_message();
    if (status != REIN_EFORMAT || strstr(message, damaged) == NULL ||
        strlen(strstr(message, damaged)) < strlen(damaged) + 10) {
        fail_msg("%s at %zu: %s '%s'", what, where, rein_status_name(status), message);
    }
}

static void try_file(reader read, const char *path)
{
    float truth[MAX_NUMBERS] = {0};
    char *bytes = NULL;
    size_t size = 0;
    tally cut = {0}, flipped = {0}, mixed = {0};
    rein_rng rng = rein_rng_stream(1, REIN_RNG_TEST, 0, 0);
    ok(read(path, truth));
    ok(rein_file_read(path, false, (void **)&bytes, &size));
    char *copy = malloc(size);
    assert_non_null(copy);
    for (size_t n = 0; n < size; n += n + 64 < size ? 1 + size / 200 : 1) {
        try_bytes(read, bytes, n, truth, "cut", n, &cut);
    }
    assert_int_equal(cut.same, 0);
    for (int i = 0; i < 400; i++) { /* one bit; the second half in the directory at the end */
        size_t tail = size > 1500 ? 1500 : size;
        size_t at = i < 200 ? rein_rng_below(&rng, (uint32_t)size)
                            : size - 1 - rein_rng_below(&rng, (uint32_t)tail);
        memcpy(copy, bytes, size);
        copy[at] = (char)(copy[at] ^ (1 << rein_rng_below(&rng, 8)));
        try_bytes(read, copy, size, truth, "flip", at, &flipped);
    }
    for (int i = 0; i < 100; i++) { /* up to sixteen bytes in a row */
        size_t at = rein_rng_below(&rng, (uint32_t)size), n = 1 + rein_rng_below(&rng, 16);
        memcpy(copy, bytes, size);
        for (size_t k = at; k < at + n && k < size; k++) {
            copy[k] = (char)rein_rng_below(&rng, 256);
        }
        try_bytes(read, copy, size, truth, "bytes", at, &mixed);
    }
    print_message("cut: %d refused; one bit: %d refused, %d without effect; bytes: %d and %d\n",
                  cut.refused, flipped.refused, flipped.same, mixed.refused, mixed.same);
    assert_true(flipped.refused > 100 && mixed.refused > 40);
    free(copy);
    free(bytes);
}

static void test_damaged_script(void **context)
{
    (void)context;
    try_file(read_script, REIN_SOURCE_DIR "/tests/golden/script_conv.pt");
}

static void test_damaged_state(void **context)
{
    (void)context;
    try_file(read_state, REIN_SOURCE_DIR "/tests/golden/state_conv.pt");
}

static void test_damaged_optimizer(void **context)
{
    (void)context;
    ok(adam(optimizer_file, NULL, true));
    try_file(read_optimizer, optimizer_file);
}

/* Files that are whole, and of something else. An optimizer's file is a script without forward. */
static void test_wrong_files(void **context)
{
    (void)context;
#define GOLDEN(name) REIN_SOURCE_DIR "/tests/golden/" name
    const struct {
        reader read;
        const char *path;
        rein_status status;
    } cases[] = {{read_script, GOLDEN("state_conv.pt"), REIN_EFORMAT},
                 {read_script, GOLDEN("classic.h5"), REIN_EFORMAT},
                 {read_script, optimizer_file, REIN_EINVAL},
                 {read_state, GOLDEN("script_conv.pt"), REIN_EFORMAT},
                 {read_state, GOLDEN("classic.h5"), REIN_EFORMAT},
                 {read_state, optimizer_file, REIN_EFORMAT},
                 {read_optimizer, GOLDEN("script_conv.pt"), REIN_EFORMAT},
                 {read_optimizer, GOLDEN("state_conv.pt"), REIN_EFORMAT},
                 {read_optimizer, GOLDEN("classic.h5"), REIN_EFORMAT},
                 {read_optimizer, folder, REIN_EIO}};
    ok(adam(optimizer_file, NULL, true));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float numbers[MAX_NUMBERS];
        rein_status status = cases[i].read(cases[i].path, numbers);
        if (status != cases[i].status) {
            fail_msg("%zu %s: %s '%s'", i, cases[i].path, rein_status_name(status),
                     rein_error_message());
        }
        print_message("%s\n", rein_error_message());
    }
}

static int group_setup(void **context)
{
    (void)context;
    if (mkdtemp(folder) == NULL || rein_torch_set_threads(1) != REIN_OK) return -1;
    snprintf(damaged, sizeof damaged, "%s/damaged.pt", folder);
    snprintf(optimizer_file, sizeof optimizer_file, "%s/optimizer.pt", folder);
    return 0;
}

static int group_teardown(void **context)
{
    (void)context;
    remove(damaged);
    remove(optimizer_file);
    return rmdir(folder);
}

int main(void)
{
    if (!rein_torch_is_built()) {
        puts("built without libtorch: skipped");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_script),
        cmocka_unit_test(test_damaged_state),
        cmocka_unit_test(test_damaged_optimizer),
        cmocka_unit_test(test_wrong_files),
    };
    return cmocka_run_group_tests_name("torch_archive", tests, group_setup, group_teardown);
}
