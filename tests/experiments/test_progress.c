#include "experiments/progress.h"

#include <math.h>

#include "base/clock.h"
#include "tests/process.h"
#include "tests/replay/temporary.h"

static void test_formats(void **state)
{
    (void)state;
    char t[32];
    assert_string_equal(rein_format_count(0, t, sizeof t), "0");
    assert_string_equal(rein_format_count(999, t, sizeof t), "999");
    assert_string_equal(rein_format_count(1000, t, sizeof t), "1,000");
    assert_string_equal(rein_format_count(1234567, t, sizeof t), "1,234,567");
    assert_string_equal(rein_format_count(-1234, t, sizeof t), "-1,234");
    assert_string_equal(rein_format_seconds(4.24, t, sizeof t), "4.2 s");
    assert_string_equal(rein_format_seconds(59.99, t, sizeof t), "59 s");
    assert_string_equal(rein_format_seconds(200, t, sizeof t), "3 min 20 s");
    assert_string_equal(rein_format_seconds(7500, t, sizeof t), "2 h 05 min");
    assert_string_equal(rein_format_seconds((double)INFINITY, t, sizeof t), "-");
    assert_string_equal(rein_format_return(1436.2, t, sizeof t), "1436");
    assert_string_equal(rein_format_return(-71.34, t, sizeof t), "-71.3");
    assert_string_equal(rein_format_return(0.9532, t, sizeof t), "0.953");
    assert_string_equal(rein_format_return((double)NAN, t, sizeof t), "-");
}

/* What `updates` updates, evenly over `total` steps and `seconds`, show. */
static char *shown(bool terminal, int updates, double seconds)
{
    rein_progress p;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    rein_progress_init(&p, out, terminal, 1000, 0);
    double start_s = rein_clock_s();
    for (int i = 1; i <= updates; i++) {
        rein_progress_update(&p, 1000L * i / updates, i, start_s + seconds * i / updates);
    }
    rein_progress_end(&p);
    rein_progress_end(&p);
    fclose(out);
    return text;
}

static int count(const char *text, char c)
{
    int n = 0;
    for (; *text; text++) n += *text == c;
    return n;
}

static void test_plain(void **state)
{
    (void)state;
    char *text = shown(false, 1000, 1); /* a fast run: every twentieth */
    assert_int_equal(process_lines(text), 20);
    assert_int_equal(count(text, '\r'), 0);
    assert_non_null(strstr(text, "100.0 %  step 1,000  return 1000"));
    free(text);
    text = shown(false, 100000, 1000); /* a slow one: every ten seconds */
    assert_in_range(process_lines(text), 100, 121);
    free(text);
}

static void test_terminal(void **state)
{
    (void)state;
    char *text = shown(true, 10000, 10.0); /* five times a second */
    assert_in_range(count(text, '\r'), 45, 50);
    assert_int_equal(count(text, '\n'), 1); /* the last */
    assert_int_equal(text[strlen(text) - 1], '\n');
    free(text);
}

/* A session that goes on from the middle counts its own steps for the speed. */
static void test_resumed(void **state)
{
    (void)state;
    rein_progress p;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    rein_progress_init(&p, out, false, 1000, 500);
    rein_progress_update(&p, 520, (double)NAN, p.start_s + 1); /* the same twentieth */
    rein_progress_update(&p, 600, (double)NAN, p.start_s + 2);
    fclose(out);
    assert_string_equal(text, " 60.0 %  step 600  return -  50 steps/s  8.0 s left\n");
    free(text);
    rein_progress_init(&p, NULL, true, 10, 0); /* silent */
    rein_progress_update(&p, 10, 1, p.start_s + 100);
    rein_progress_end(&p);
}

static void test_chart(void **state)
{
    (void)state;
    char *text;
    size_t size;
    const double curve[] = {(double)NAN, 0, 5, 10};
    FILE *out = open_memstream(&text, &size);
    rein_progress_chart(out, curve, 4, 2);
    fclose(out);
    assert_string_equal(text, "     10.0   ▁█\n"
                              "    0.000  ▁██\n");
    free(text);
    out = open_memstream(&text, &size);
    rein_progress_chart(out, curve, 1, 2); /* nothing known: nothing drawn */
    rein_progress_chart(out, curve + 2, 1, 1);
    fclose(out);
    assert_string_equal(text, "    5.000 █\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),  cmocka_unit_test(test_plain),
        cmocka_unit_test(test_terminal), cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_chart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
