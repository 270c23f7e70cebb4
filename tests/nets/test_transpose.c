/* Transposes of every small shape, and nothing written beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nets/transpose.h"

enum { GUARD = 16 };

static void check_shape(int rows, int cols)
{
    const size_t n = (size_t)rows * (size_t)cols;
    float *in = malloc((n + 1) * sizeof *in), *out = malloc((n + 2 * GUARD) * sizeof *out);
    assert_non_null(in);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) in[i] = (float)i;
    for (size_t i = 0; i < n + 2 * GUARD; i++) out[i] = -1;
    rein_transpose(rows, cols, in, out + GUARD);
    for (int j = 0; j < cols; j++) {
        for (int i = 0; i < rows; i++) {
            if (out[GUARD + j * rows + i] == in[i * cols + j]) continue;
            fail_msg("%d x %d: row %d, column %d is %g", rows, cols, i, j,
                     (double)out[GUARD + j * rows + i]);
        }
    }
    for (int i = 0; i < GUARD; i++) {
        assert_true(out[i] == -1 && out[GUARD + n + (size_t)i] == -1);
    }
    free(in);
    free(out);
}

static void test_shapes(void **state)
{
    (void)state;
    for (int rows = 0; rows <= 70; rows++) {
        for (int cols = 0; cols <= 70; cols++) check_shape(rows, cols);
    }
    check_shape(128, 1024); /* a linear layer behind a convolution */
    check_shape(1, 1000);
    check_shape(1000, 1);
    check_shape(519, 133);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
