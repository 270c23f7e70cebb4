/* Config fields: text to value and back, ranges, and what is said about wrong text. */
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/field.h"
#include "base/rng.h"

#define TEST_FIELDS(X)                                                                             \
    X(integer, n_steps, "2048", "[1, 1048576]", "steps")                                           \
    X(integer, any, "0", "", "any whole number")                                                   \
    X(integer, positive, "1", "(0, inf)", "open on both sides")                                    \
    X(real, lr, "3e-4", "(0, 1]", "step size")                                                     \
    X(real, free, "0", "", "any number")                                                           \
    X(flag, anneal, "true", "", "a flag")                                                          \
    X(choice, activation, "tanh", "tanh|relu|elu", "a choice")                                     \
    X(integers, hidden, "[64, 64]", "[1, 65536]", "a list")                                        \
    X(words, layers, "[conv 16 3x3, relu]", "", "a list of words")                                 \
    X(text, out, "runs", "", "a folder")
REIN_CONFIG(test_config, TEST_FIELDS)
enum { N_FIELDS = REIN_FIELD_COUNT(test_config_fields) };

static const rein_field *field_of(const char *name)
{
    const rein_field *field = rein_fields_find(test_config_fields, N_FIELDS, name);
    assert_non_null(field);
    return field;
}

static test_config defaults(void)
{
    test_config config;
    memset(&config, 0, sizeof config);
    assert_int_equal(rein_fields_defaults(test_config_fields, N_FIELDS, &config), REIN_OK);
    return config;
}

static void accept(test_config *config, const char *name, const char *text)
{
    rein_status status = rein_field_set(field_of(name), config, text);
    if (status != REIN_OK) print_error("%s: %s\n", name, rein_error_message());
    assert_int_equal(status, REIN_OK);
}

/* Refused with exactly this message, and nothing of the config is touched. */
static void refuse(const char *name, const char *text, const char *message)
{
    test_config config = defaults(), before = config;
    assert_int_equal(rein_field_set(field_of(name), &config, text), REIN_ECONFIG);
    assert_string_equal(rein_error_message(), message);
    assert_memory_equal(&config, &before, sizeof config);
}

static void test_defaults(void **state)
{
    (void)state;
    test_config c = defaults();
    assert_int_equal(c.n_steps, 2048);
    assert_true(c.lr == 3e-4);
    assert_true(c.anneal);
    assert_int_equal(c.activation, 0);
    assert_int_equal(c.hidden.n, 2);
    assert_int_equal(c.hidden.values[1], 64);
    assert_string_equal(c.out, "runs");
    assert_null(rein_fields_find(test_config_fields, N_FIELDS, "lrr"));
    const rein_field bad = {"x", REIN_FIELD_real, 0, "2", "(0, 1]", ""};
    assert_int_equal(rein_fields_defaults(&bad, 1, &c), REIN_ECONFIG);
    assert_string_equal(rein_error_message(), "default of x: '2' is outside (0, 1]");
}

static void test_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"1000000", 1000000},
        {"1e6", 1000000},
        {"1_000_000", 1000000},
        {"1E+6", 1000000},
        {"2.5e3", 2500},
        {"3.0", 3},
        {"-7", -7},
        {"+7", 7},
        {" 12\n", 12},
        {"0", 0},
        {"-0.000", 0},
        {"0e99999999999999999999", 0},
        {"120e-1", 12},
        {"000000000000000000000000000001", 1},
        {"10000000000000000000000000e-24", 10},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"9007199254740993", 9007199254740993},
    };
    test_config c = defaults();
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        accept(&c, "any", good[i].text);
        assert_int_equal(c.any, good[i].value);
    }
    refuse("any", "9223372036854775808", "'9223372036854775808' does not fit 64 bits");
    refuse("any", "-9223372036854775809", "'-9223372036854775809' does not fit 64 bits");
    refuse("any", "1e19", "'1e19' does not fit 64 bits");
    refuse("any", "1e99999999999999999999", "'1e99999999999999999999' does not fit 64 bits");
    refuse("any", "18446744073709551616", "'18446744073709551616' does not fit 64 bits");
    refuse("any", "2.5", "'2.5' is not a whole number");
    refuse("any", "1e-1", "'1e-1' is not a whole number");
    static const char *const bad[] = {"",      "x",  "1x",  "1 2",  "0x10", "-",    "+",
                                      "e6",    "1e", "1e+", "1__0", "_1",   "1_",   "1._5",
                                      "1.2.3", ".",  "--1", "inf",  "nan",  "true", "1e5.5"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char message[64];
        snprintf(message, sizeof message, "'%s' is not a number", bad[i]);
        refuse("any", bad[i], message);
    }
}

static void test_reals(void **state)
{
    (void)state;
    test_config c = defaults();
    accept(&c, "free", " -1.5e300 ");
    assert_true(c.free == -1.5e300);
    accept(&c, "free", ".5");
    assert_true(c.free == 0.5);
    accept(&c, "free", "7");
    assert_true(c.free == 7);
    accept(&c, "free", "5e-324");
    assert_true(c.free > 0);
    refuse("lr", "0.2x", "'0.2x' is not a number");
    refuse("lr", "", "'' is not a number");
    refuse("lr", "0x1p-3", "'0x1p-3' is not a number");
    refuse("lr", "0,5", "'0,5' is not a number");
    refuse("free", "nan", "'nan' is not a finite number");
    refuse("free", "-inf", "'-inf' is not a finite number");
    refuse("free", "1e999", "'1e999' is not a finite number");
}

static void test_ranges(void **state)
{
    (void)state;
    test_config c = defaults();
    accept(&c, "lr", "1");
    accept(&c, "lr", "1e-300");
    refuse("lr", "0", "'0' is outside (0, 1]");
    refuse("lr", "1.0000000000000002", "'1.0000000000000002' is outside (0, 1]");
    refuse("lr", "-1", "'-1' is outside (0, 1]");
    accept(&c, "n_steps", "1");
    accept(&c, "n_steps", "1048576");
    refuse("n_steps", "0", "'0' is outside [1, 1048576]");
    refuse("n_steps", "1048577", "'1048577' is outside [1, 1048576]");
    accept(&c, "positive", "9223372036854775807");
    refuse("positive", "0", "'0' is outside (0, inf)");
    static const char *const malformed[] = {"[", "1, 2", "[1 2]", "[a, 2]", "[1, ]", "[1, 2"};
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        double value = 0;
        const rein_field real = {"x", REIN_FIELD_real, 0, "1", malformed[i], ""};
        int64_t whole = 0;
        const rein_field integer = {"x", REIN_FIELD_integer, 0, "1", malformed[i], ""};
        assert_int_equal(rein_field_set(&real, &value, "1"), REIN_ECONFIG);
        assert_non_null(strstr(rein_error_message(), "is malformed"));
        assert_int_equal(rein_field_set(&integer, &whole, "1"), REIN_ECONFIG);
    }
}

static void test_flags_and_choices(void **state)
{
    (void)state;
    test_config c = defaults();
    accept(&c, "anneal", "false");
    assert_false(c.anneal);
    accept(&c, "anneal", " true ");
    assert_true(c.anneal);
    refuse("anneal", "yes", "'yes' is neither true nor false");
    refuse("anneal", "1", "'1' is neither true nor false");
    accept(&c, "activation", "elu");
    assert_int_equal(c.activation, 2);
    refuse("activation", "tahn", "'tahn' is not one of tanh|relu|elu, did you mean tanh?");
    refuse("activation", "rel", "'rel' is not one of tanh|relu|elu, did you mean relu?");
    refuse("activation", "sigmoid", "'sigmoid' is not one of tanh|relu|elu");
    refuse("activation", "", "'' is not one of tanh|relu|elu");
    refuse("activation", "tanh|relu", "'tanh|relu' is not one of tanh|relu|elu");
}

static void test_lists(void **state)
{
    (void)state;
    test_config c = defaults();
    accept(&c, "hidden", "[256, 128,1_0]");
    assert_int_equal(c.hidden.n, 3);
    assert_int_equal(c.hidden.values[0], 256);
    assert_int_equal(c.hidden.values[2], 10);
    accept(&c, "hidden", "64");
    assert_int_equal(c.hidden.n, 1);
    assert_int_equal(c.hidden.values[0], 64);
    assert_int_equal(c.hidden.values[1], 0); /* nothing stays of the longer one */
    accept(&c, "hidden", " [ ] ");
    assert_int_equal(c.hidden.n, 0);
    accept(&c, "hidden", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]");
    refuse("hidden", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "a list may have at most 16 entries");
    refuse("hidden", "[64, 0]", "'0' is outside [1, 65536]");
    refuse("hidden", "[64, 64", "'[64, 64' is not a list such as [64, 64]");
    refuse("hidden", "64]", "'64]' is not a list such as [64, 64]");
    refuse("hidden", "[", "'[' is not a list such as [64, 64]");
    refuse("hidden", "[64, ]", "'' is not a number");
    refuse("hidden", "", "'' is not a number");
    refuse("hidden", "[[64]]", "'[64]' is not a number");
    refuse("hidden", "[64; 64]", "'64; 64' is not a number");
}

static void test_text(void **state)
{
    (void)state;
    static const char control[] = "has a control character, a line break or broken UTF-8";
    test_config c = defaults();
    char longest[300];
    memset(longest, 'a', sizeof longest);
    longest[255] = '\0';
    accept(&c, "out", longest);
    assert_string_equal(c.out, longest);
    accept(&c, "out", " x 'y' \xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8e ");
    assert_string_equal(c.out, " x 'y' \xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8e ");
    assert_int_equal(c.out[100], 0); /* nothing stays of the longer one */
    accept(&c, "out", "");
    longest[255] = 'a';
    longest[256] = '\0';
    test_config kept = c;
    assert_int_equal(rein_field_set(field_of("out"), &c, longest), REIN_ECONFIG);
    assert_non_null(strstr(rein_error_message(), "is longer than 255 bytes"));
    assert_memory_equal(&c, &kept, sizeof c);
    static const char *const bad[] = {
        "a\nb",         "\t",           "\x7f",          "\xc2\x85",
        "\xe2\x80\xa8", "\xef\xbb\xbf", "\xff",          "\xc3",
        "\xc0\x80",     "\xe0\x80\x80", "\xed\xa0\x80",  "\xf4\x90\x80\x80",
        "a\x80",        "\xef\xbf\xbf", "\xf0\x9f\x90 ",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) refuse("out", bad[i], control);
}

static void refuse_words(const char *text, const char *words)
{
    test_config c = defaults(), before = c;
    assert_int_equal(rein_field_set(field_of("layers"), &c, text), REIN_ECONFIG);
    assert_non_null(strstr(rein_error_message(), words));
    assert_memory_equal(&c, &before, sizeof c);
}

static void test_words(void **state)
{
    (void)state;
    test_config c = defaults();
    char text[2048];
    assert_int_equal(c.layers.n, 2);
    assert_string_equal(c.layers.values[0], "conv 16 3x3");
    assert_string_equal(c.layers.values[1], "relu");
    accept(&c, "layers", "[attention heads=4 dim=64,a_b.c+d-e]");
    assert_string_equal(c.layers.values[0], "attention heads=4 dim=64");
    const char *const bad[] = {"",      "relu", "[",      "]",       "[a",        "a]",
                               "[a,]",  "[,a]", "[a,,b]", "[a [b]]", "['a']",     "[a: b]",
                               "[- a]", "[a#]", "[{a}]",  "[a\tb]",  "[\xc3\xa4]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) refuse_words(bad[i], "list");
    refuse_words("[a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a]", "at most 16 entries");
    memset(text, 'a', sizeof text);
    text[0] = '[';
    memcpy(text + 48, "]", 2);
    accept(&c, "layers", text); /* 47 letters */
    memcpy(text + 49, "]", 2);
    text[48] = 'a';
    refuse_words(text, "cannot be entry 1");
    memset(text + 1, ' ', sizeof text - 1);
    memcpy(text + 500, "]", 2);
    refuse_words(text, "longer than 500 bytes");
}

/* set(get(x)) == x, for reals bit by bit and in few digits. */
static void test_round_trip(void **state)
{
    (void)state;
    char text[512];
    test_config c = defaults(), back = defaults();
    static const struct {
        const char *name, *set, *get;
    } known[] = {
        {"lr", "3e-4", "0.0003"},
        {"lr", "0.1", "0.1"},
        {"free", "1e22", "1e+22"},
        {"free", "-0.0", "-0"},
        {"free", "100", "100"},
        {"any", "1e6", "1000000"},
        {"anneal", "false", "false"},
        {"activation", "relu", "relu"},
        {"hidden", "7", "[7]"},
        {"layers", "[]", "[]"},
        {"layers", "[ a 1 ,b=2]", "[a 1, b=2]"},
        {"hidden", "[]", "[]"},
        {"hidden", "1,2", "[1, 2]"},
        {"out", "a b", "a b"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        accept(&c, known[i].name, known[i].set);
        rein_field_get(field_of(known[i].name), &c, text, sizeof text);
        assert_string_equal(text, known[i].get);
        accept(&back, known[i].name, text);
    }
    assert_memory_equal(&back, &c, sizeof c);
    rein_rng rng = rein_rng_stream(3, REIN_RNG_TEST, 0, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = (uint64_t)rein_rng_u32(&rng) << 32 | rein_rng_u32(&rng);
        memcpy(&c.free, &bits, sizeof bits);
        c.any = (int64_t)bits;
        if (!isfinite(c.free)) continue;
        rein_field_get(field_of("free"), &c, text, sizeof text);
        accept(&back, "free", text);
        assert_memory_equal(&back.free, &c.free, sizeof c.free);
        rein_field_get(field_of("any"), &c, text, sizeof text);
        accept(&back, "any", text);
        assert_int_equal(back.any, c.any);
    }
    for (int i = 0; i < REIN_LIST_MAX; i++) c.hidden.values[i] = 65536;
    c.hidden.n = REIN_LIST_MAX;
    rein_field_get(field_of("hidden"), &c, text, sizeof text);
    accept(&back, "hidden", text);
    assert_memory_equal(&back.hidden, &c.hidden, sizeof c.hidden);
}

static void test_small_buffers(void **state)
{
    (void)state;
    test_config c = defaults();
    char text[64];
    for (int i = 0; i < N_FIELDS; i++) {
        for (size_t size = 0; size < 12; size++) {
            memset(text, 7, sizeof text);
            rein_field_get(&test_config_fields[i], &c, text, size);
            if (size > 0) assert_non_null(memchr(text, '\0', size));
            assert_int_equal(text[size], 7);
            rein_field_yaml(&test_config_fields[i], &c, text, size);
            if (size > 0) assert_non_null(memchr(text, '\0', size));
            assert_int_equal(text[size], 7);
        }
    }
    accept(&c, "out", "it's: #1");
    rein_field_yaml(field_of("out"), &c, text, sizeof text);
    assert_string_equal(text, "'it''s: #1'");
    rein_field_yaml(field_of("hidden"), &c, text, sizeof text);
    assert_string_equal(text, "[64, 64]");
    rein_field_yaml(field_of("layers"), &c, text, sizeof text);
    assert_string_equal(text, "[conv 16 3x3, relu]");
}

/* An embedding program's locale must not change what a config means. CMake compiles a German one
 * for the tests where the package `locales` is installed. */
static void test_locale(void **state)
{
    (void)state;
    setenv("LOCPATH", REIN_TEST_LOCALES, 1);
    bool found = setlocale(LC_NUMERIC, "de_DE.UTF-8") != NULL;
    unsetenv("LOCPATH");
    if (!found) skip();
    test_config c = defaults();
    char text[64], comma[8];
    snprintf(comma, sizeof comma, "%.1f", 0.5);
    accept(&c, "free", "0.25");
    assert_true(c.free == 0.25);
    rein_field_get(field_of("free"), &c, text, sizeof text);
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(comma, "0,5");
    assert_string_equal(text, "0.25");
}

static void test_edit_distance(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int distance;
    } known[] = {{"", "", 0},         {"", "abc", 3},      {"lr", "lrr", 1},
                 {"tahn", "tanh", 1}, {"alog", "algo", 1}, {"kitten", "sitting", 3},
                 {"abc", "xyz", 3},   {"ca", "abc", 3}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_int_equal(rein_edit_distance(known[i].a, known[i].b), known[i].distance);
        assert_int_equal(rein_edit_distance(known[i].b, known[i].a), known[i].distance);
    }
    char a[200], b[200];
    memset(a, 'a', 199);
    memset(b, 'b', 199);
    a[199] = b[199] = '\0';
    assert_int_equal(rein_edit_distance(a, b), 63);
    assert_int_equal(rein_hint_distance("lr"), 1);
    assert_int_equal(rein_hint_distance("n_epoch"), 2);
    assert_int_equal(rein_hint_distance("total_timestep"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_integers),
        cmocka_unit_test(test_reals),    cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_lists),    cmocka_unit_test(test_flags_and_choices),
        cmocka_unit_test(test_text),     cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_words),    cmocka_unit_test(test_small_buffers),
        cmocka_unit_test(test_locale),   cmocka_unit_test(test_edit_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
