/* Arrays in one block: zeroed, apart, on cache lines; too much is an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "algos/arrays.h"

static void test_apart(void **state)
{
    (void)state;
    float *a;
    uint8_t *b, *none, *c;
    const rein_array_slot slots[] = {{&a, 17 * sizeof *a}, {&b, 1}, {&none, 0}, {&c, 64}};
    void *memory;
    assert_int_equal(rein_arrays_create(slots, 4, "a test", &memory), REIN_OK);
    assert_int_equal((uintptr_t)a % 64, 0);
    assert_true((char *)b == (char *)a + 128); /* 68 bytes are two lines */
    assert_true(c == b + 64);
    for (int i = 0; i < 64; i++) assert_int_equal(c[i], 0);
    memset(a, 1, 17 * sizeof *a);
    memset(c, 2, 64);
    assert_int_equal(*b, 0);
    free(memory);
}

static void test_too_much(void **state)
{
    (void)state;
    char *a;
    const rein_array_slot slots[] = {{&a, SIZE_MAX / 4}};
    void *memory;
    assert_int_equal(rein_arrays_create(slots, 1, "a test", &memory), REIN_ENOMEM);
    assert_null(memory);
    assert_non_null(strstr(rein_error_message(), "no memory for a test"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
