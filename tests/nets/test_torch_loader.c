/* Finding the module: missing, foreign, too old, of other functions; and nothing loaded unasked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nets/torch/functions.h"
#include "nets/torch/loader.h"

static bool is_mapped(const char *library)
{
    char line[1024];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) found = found || strstr(line, library) != NULL;
    fclose(maps);
    return found;
}

static void test_nothing_is_loaded_unasked(void **context)
{
    (void)context;
    double seconds = 1;
    size_t bytes = 1;
    assert_false(rein_torch_is_loaded());
    assert_string_equal(rein_torch_module_path(), "");
    rein_torch_load_cost(&seconds, &bytes);
    assert_true(seconds == 0 && bytes == 0);
    rein_tensor_free(NULL);
    assert_false(is_mapped("libtorch"));
    assert_false(rein_torch_is_loaded());
}

/* Any function, without a good module: its status and a message with these words. */
static void expect(const char *module, rein_status status, const char *words)
{
    const char *version = NULL;
    setenv("REIN_TORCH_MODULE", module, 1);
    assert_int_equal(rein_torch_version(&version), status);
    if (strstr(rein_error_message(), words) == NULL) {
        fail_msg("no '%s' in '%s'", words, rein_error_message());
    }
    assert_null(version);
    assert_false(rein_torch_is_loaded());
    unsetenv("REIN_TORCH_MODULE");
}

static void test_missing_module(void **context)
{
    (void)context;
    expect("/nowhere/librein_torch.so", REIN_ENOTFOUND, "/nowhere/librein_torch.so");
    expect("/nowhere/librein_torch.so", REIN_ENOTFOUND,
           rein_torch_is_built() ? "REIN_TORCH_MODULE" : "libtorch-dev");
}

static void test_foreign_module(void **context)
{
    (void)context;
    expect(REIN_SOURCE_DIR "/README.md", REIN_EUNSUPPORTED, "cannot load the libtorch module");
    expect("libm.so.6", REIN_EUNSUPPORTED, "libm.so.6 is not a libtorch module of rein");
}

static void test_module_of_another_age(void **context)
{
    (void)context;
    expect(REIN_OLD_MODULE, REIN_EUNSUPPORTED, "interface 0 (too old)");
    expect(REIN_OLD_MODULE, REIN_EUNSUPPORTED, "0.0.9");
    expect(REIN_OTHER_MODULE, REIN_EUNSUPPORTED, "with other functions");
}

static void test_load(void **context)
{
    (void)context;
    const char *version = NULL;
    if (!rein_torch_is_built()) {
        assert_int_equal(rein_torch_version(&version), REIN_ENOTFOUND);
        assert_non_null(strstr(rein_error_message(), "built without libtorch"));
        assert_non_null(strstr(rein_error_message(), "-DREIN_TORCH=ON"));
        return;
    }
    double seconds = 0;
    size_t bytes = 0;
    assert_int_equal(rein_torch_version(&version), REIN_OK); /* after all these failures */
    assert_true(rein_torch_is_loaded());
    assert_true(is_mapped("libtorch"));
    assert_non_null(strstr(rein_torch_module_path(), "librein_torch.so"));
    rein_torch_load_cost(&seconds, &bytes);
    assert_true(seconds > 0 && bytes > 0);
    printf("libtorch %s: loaded in %.2f s, %.0f MB\n", version, seconds, (double)bytes * 1e-6);
    assert_int_equal(rein_torch_load(), REIN_OK);
}

int main(void)
{
    unsetenv("REIN_TORCH_MODULE");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_loaded_unasked),
        cmocka_unit_test(test_missing_module),
        cmocka_unit_test(test_foreign_module),
        cmocka_unit_test(test_module_of_another_age),
        cmocka_unit_test(test_load),
    };
    return cmocka_run_group_tests_name("torch_loader", tests, NULL, NULL);
}
