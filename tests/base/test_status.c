/* Status codes and this thread's message. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

static void test_message(void **state)
{
    (void)state;
    assert_string_equal(rein_error_message(), "");
    assert_int_equal(rein_fail(REIN_EINVAL, "batch %d > stored %d", 3, 2), REIN_EINVAL);
    assert_string_equal(rein_error_message(), "batch 3 > stored 2");
    /* The old message may be an argument of the new one. */
    assert_int_equal(rein_fail(REIN_EIO, "first: %s", rein_error_message()), REIN_EIO);
    assert_string_equal(rein_error_message(), "first: batch 3 > stored 2");
    assert_int_equal(rein_fail_in(REIN_ECONFIG, "%s:%d", "a.yaml", 7), REIN_ECONFIG);
    assert_string_equal(rein_error_message(), "a.yaml:7: first: batch 3 > stored 2");
}

static void test_one_line(void **state)
{
    (void)state;
    rein_fail(REIN_EIO, "a\nb\r\tc\x1b[31m\x7f \xc3\xa9");
    assert_string_equal(rein_error_message(), "a b  c [31m  \xc3\xa9");
    rein_fail_in(REIN_EIO, "in\nto");
    assert_string_equal(rein_error_message(), "in to: a b  c [31m  \xc3\xa9");
}

static void test_long_text_is_cut(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    rein_fail(REIN_EIO, "%s", text);
    assert_int_equal(strlen(rein_error_message()), 1023);
    rein_fail_in(REIN_EIO, "file");
    assert_int_equal(strlen(rein_error_message()), 1023);
    assert_memory_equal(rein_error_message(), "file: xxx", 9);
    rein_fail_in(REIN_EIO, "%s", text);
    assert_int_equal(strlen(rein_error_message()), 1023);
}

static void test_names(void **state)
{
    (void)state;
#define X(name, value, text)                                                                       \
    assert_int_equal(REIN_##name, value);                                                          \
    assert_string_equal(rein_status_name((rein_status)value), "REIN_" #name);                      \
    assert_true(strlen(text) > 0);
    REIN_STATUS_LIST(X)
#undef X
    assert_string_equal(rein_status_name((rein_status)99), "REIN_?");
}

static rein_status tried(rein_status status, int *reached)
{
    REIN_TRY(status);
    *reached = 1;
    return REIN_OK;
}

static void test_try(void **state)
{
    (void)state;
    int reached = 0;
    assert_int_equal(tried(REIN_ENAN, &reached), REIN_ENAN);
    assert_int_equal(reached, 0);
    assert_int_equal(tried(REIN_OK, &reached), REIN_OK);
    assert_int_equal(reached, 1);
}

static void *other_thread(void *context)
{
    int *was_empty = context;
    *was_empty = rein_error_message()[0] == '\0';
    rein_fail(REIN_EIO, "of the other thread");
    return NULL;
}

static void test_per_thread(void **state)
{
    (void)state;
    pthread_t thread;
    int was_empty = 0;
    rein_fail(REIN_EIO, "mine");
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &was_empty), 0);
    pthread_join(thread, NULL);
    assert_int_equal(was_empty, 1);
    assert_string_equal(rein_error_message(), "mine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message), cmocka_unit_test(test_one_line),
        cmocka_unit_test(test_names),   cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_try),     cmocka_unit_test(test_per_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
