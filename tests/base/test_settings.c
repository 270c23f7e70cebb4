/* Settings: YAML and the command line into config structs, and where and what is wrong with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/settings.h"

#define ALGO_FIELDS(X)                                                                             \
    X(text, id, "ppo", "", "which algorithm")                                                      \
    X(real, lr, "3e-4", "(0, 1]", "step size")                                                     \
    X(integer, n_epochs, "10", "[1, 1000]", "passes over a rollout")                               \
    X(flag, anneal_lr, "true", "", "lr falls to 0")                                                \
    X(integers, hidden, "[64, 64]", "[1, 65536]", "units")                                         \
    X(choice, activation, "tanh", "tanh|relu|elu", "activation")
REIN_CONFIG(algo_config, ALGO_FIELDS)

#define RUN_FIELDS(X)                                                                              \
    X(integer, seed, "0", "[0, inf)", "seed")                                                      \
    X(text, out, "runs", "", "folder")
REIN_CONFIG_STRUCT(run_config, RUN_FIELDS)
static const rein_field run_fields[] = {
    {"seed", REIN_FIELD_integer, offsetof(run_config, seed), "0", "[0, inf)", "seed"},
    {"out", REIN_FIELD_text, offsetof(run_config, out), "runs", "", "folder"},
};

typedef struct both {
    algo_config algo;
    run_config run;
} both;

static rein_settings *empty(void)
{
    rein_settings *s;
    assert_int_equal(rein_settings_create(&s), REIN_OK);
    return s;
}

static rein_status parse(rein_settings *s, const char *text)
{
    return rein_settings_parse(s, "c.yaml", text, strlen(text));
}

static rein_status use(rein_settings *s, both *c)
{
    const int n = REIN_FIELD_COUNT(algo_config_fields);
    memset(c, 0, sizeof *c);
    REIN_TRY(rein_fields_defaults(algo_config_fields, n, &c->algo));
    REIN_TRY(rein_fields_defaults(run_fields, 2, &c->run));
    REIN_TRY(rein_settings_apply(s, "algo", algo_config_fields, n, &c->algo));
    REIN_TRY(rein_settings_apply(s, "run", run_fields, 2, &c->run));
    return rein_settings_check(s);
}

static both good(const char *text)
{
    both c;
    rein_settings *s = empty();
    rein_status status = parse(s, text);
    if (status == REIN_OK) status = use(s, &c);
    if (status != REIN_OK) print_error("%s\n", rein_error_message());
    assert_int_equal(status, REIN_OK);
    rein_settings_free(s);
    return c;
}

/* Refused by parse, apply or check with exactly this message. */
static void bad(const char *text, const char *message)
{
    both c;
    rein_settings *s = empty();
    rein_status status = parse(s, text);
    if (status == REIN_OK) status = use(s, &c);
    assert_string_equal(rein_error_message(), message);
    assert_int_equal(status, REIN_ECONFIG);
    rein_settings_free(s);
}

/* ---- what is read ---------------------------------------------------------------------------- */

static void test_forms(void **state)
{
    (void)state;
    both c = good("# a comment\n"
                  "algo:\n"
                  "  id: 'dqn'\n"
                  "  lr: 1.0e-3   # step size\n"
                  "  n_epochs: 1_0\n"
                  "  anneal_lr: false\n"
                  "  hidden:\n"
                  "  - 256\n"
                  "  - 128\n"
                  "run: {seed: 18, out: \"a: b\"}\n");
    assert_string_equal(c.algo.id, "dqn");
    assert_true(c.algo.lr == 1e-3);
    assert_int_equal(c.algo.n_epochs, 10);
    assert_false(c.algo.anneal_lr);
    assert_int_equal(c.algo.hidden.n, 2);
    assert_int_equal(c.algo.hidden.values[1], 128);
    assert_int_equal(c.algo.activation, 0);
    assert_int_equal(c.run.seed, 18);
    assert_string_equal(c.run.out, "a: b");
    c = good("algo: {hidden: [32], activation: relu}\r\nrun: {}\r\n");
    assert_int_equal(c.algo.hidden.n, 1);
    assert_int_equal(c.algo.activation, 1);
    c = good("algo: {hidden: []}\nrun:\n  # all by default\n");
    assert_int_equal(c.algo.hidden.n, 0);
    assert_int_equal(c.run.seed, 0);
}

/* YAML's guesses about types must not matter: what looks like another type stays text. */
static void test_no_guessing(void **state)
{
    (void)state;
    assert_string_equal(good("run: {out: no}").run.out, "no");
    assert_string_equal(good("run: {out: 1e3}").run.out, "1e3");
    assert_string_equal(good("run: {out: 012}").run.out, "012");
    assert_string_equal(good("run: {out: null}").run.out, "null");
    assert_string_equal(good("run: {out: ''}").run.out, "");
    assert_int_equal(good("run: {seed: '012'}").run.seed, 12);
    assert_int_equal(good("run: {seed: 1e6}").run.seed, 1000000);
    bad("algo: {anneal_lr: no}", "c.yaml:1:19: algo.anneal_lr: 'no' is neither true nor false");
}

static void test_empty_files(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "\n\n",
                                        "# only a comment\n",
                                        "\xef\xbb\xbf",
                                        "{}",
                                        "---\n{}\n...\n",
                                        "%YAML 1.1\n---\nrun: {seed: 0}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(good(texts[i]).run.seed, 0);
    }
    rein_settings *s = empty();
    assert_int_equal(rein_settings_parse(s, "c.yaml", NULL, 0), REIN_OK);
    rein_settings_free(s);
    rein_settings_free(NULL);
}

static void test_later_wins(void **state)
{
    (void)state;
    both c;
    rein_settings *s = empty();
    assert_int_equal(parse(s, "algo: {lr: 7, n_epochs: 3}\nrun: {seed: 1}"), REIN_OK);
    assert_int_equal(parse(s, "algo: {n_epochs: 4}"), REIN_OK);
    assert_int_equal(rein_settings_override(s, "algo.lr=0.5"), REIN_OK);
    assert_int_equal(rein_settings_override(s, "run.seed=2"), REIN_OK);
    assert_int_equal(rein_settings_override(s, "run.seed=3"), REIN_OK);
    assert_int_equal(rein_settings_override(s, "run.out=a=b.c d"), REIN_OK);
    assert_int_equal(rein_settings_override(s, "algo.hidden=[8, 8, 8]"), REIN_OK);
    assert_int_equal(use(s, &c), REIN_OK); /* the file's lr of 7 is wrong, but replaced */
    assert_true(c.algo.lr == 0.5);
    assert_int_equal(c.algo.n_epochs, 4);
    assert_int_equal(c.run.seed, 3);
    assert_string_equal(c.run.out, "a=b.c d");
    assert_int_equal(c.algo.hidden.n, 3);
    rein_settings_free(s);
}

static void test_text_and_where(void **state)
{
    (void)state;
    char where[256];
    rein_settings *s = empty();
    assert_int_equal(parse(s, "env:\n  id: CartPole-v1\n  size: [3, 4]\n"), REIN_OK);
    assert_int_equal(rein_settings_override(s, "env.n_envs=4"), REIN_OK);
    assert_int_equal(rein_settings_check(s), REIN_ECONFIG); /* nobody asked for env yet */
    assert_string_equal(rein_settings_text(s, "env", "id"), "CartPole-v1");
    assert_string_equal(rein_settings_text(s, "env", "size"), "[3, 4]");
    assert_null(rein_settings_text(s, "env", "render"));
    assert_null(rein_settings_text(s, "algo", "id"));
    assert_int_equal(rein_settings_check(s), REIN_ECONFIG);
    assert_string_equal(rein_error_message(), "command line: unknown key env.n_envs");
    assert_string_equal(rein_settings_text(s, "env", "n_envs"), "4");
    assert_int_equal(rein_settings_check(s), REIN_OK);
    rein_settings_where(s, "env", "id", where, sizeof where);
    assert_string_equal(where, "c.yaml:2:7: env.id");
    rein_settings_where(s, "env", "n_envs", where, sizeof where);
    assert_string_equal(where, "command line: env.n_envs");
    rein_settings_where(s, "algo", "lr", where, sizeof where);
    assert_string_equal(where, "default: algo.lr");
    rein_settings_free(s);
}

/* ---- wrong keys and values ------------------------------------------------------------------- */

static void test_unknown_names(void **state)
{
    (void)state;
    bad("algo:\n  id: ppo\n  lrr: 1\n", "c.yaml:3:3: unknown key algo.lrr, did you mean algo.lr?");
    bad("algo: {n_epoch: 1}", "c.yaml:1:8: unknown key algo.n_epoch, did you mean algo.n_epochs?");
    bad("algo: {seed: 1}", "c.yaml:1:8: unknown key algo.seed, did you mean run.seed?");
    bad("algo: {gamma: 1}", "c.yaml:1:8: unknown key algo.gamma");
    bad("algo: {<<: 1}", "c.yaml:1:8: unknown key algo.<<");
    bad("alog: {lr: 1}", "c.yaml:1:1: unknown section alog, did you mean algo?");
    bad("run: {}\nalog:\n", "c.yaml:2:1: unknown section alog, did you mean algo?");
    bad("network: {hidden: 1}", "c.yaml:1:1: unknown section network, there are algo, run");
}

static void test_wrong_values(void **state)
{
    (void)state;
    bad("algo:\n  lr:    2\n", "c.yaml:2:10: algo.lr: '2' is outside (0, 1]");
    bad("algo: {lr: fast}", "c.yaml:1:12: algo.lr: 'fast' is not a number");
    bad("algo: {lr: [1]}", "c.yaml:1:12: algo.lr: '[1]' is not a number");
    bad("algo: {lr: [1, 2]}", "c.yaml:1:12: algo.lr: '[1, 2]' is not a number");
    bad("algo: {hidden: [64, x]}", "c.yaml:1:16: algo.hidden: 'x' is not a number");
    bad("algo: {hidden: [64, 0]}", "c.yaml:1:16: algo.hidden: '0' is outside [1, 65536]");
    bad("algo: {activation: tahn}", "c.yaml:1:20: algo.activation: 'tahn' is not one of "
                                    "tanh|relu|elu, did you mean tanh?");
    bad("run: {out: \"a\\nb\"}", "c.yaml:1:12: run.out: has a control character, a line break or "
                                 "broken UTF-8");
}

static void test_command_line(void **state)
{
    (void)state;
    static const struct {
        const char *assignment, *message;
    } wrong[] = {
        {"algo.lr", "command line: 'algo.lr' is not of the form section.key=value"},
        {"", "command line: '' is not of the form section.key=value"},
        {"seed=1", "command line: 'seed=1' names no section: write section.key=value, as in "
                   "run.seed=1"},
        {"lr=0.5", "command line: 'lr=0.5' names no section: write section.key=value, as in "
                   "run.seed=1"},
        {".lr=1", "command line: '.lr=1' is not of the form section.key=value"},
        {"algo.=1", "command line: 'algo.=1' is not of the form section.key=value"},
        {"algo.lr=", "command line: algo.lr has no value"},
        {"algo.lr=  ", "command line: algo.lr has no value"},
        {"algo.lr=2", "command line: algo.lr: '2' is outside (0, 1]"},
        {"algo.lrr=2", "command line: unknown key algo.lrr, did you mean algo.lr?"},
        {"algo.lr.x=2", "command line: unknown key algo.lr.x"},
        {"alog.lr=2", "command line: unknown section alog, did you mean algo?"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        both c;
        rein_settings *s = empty();
        rein_status status = rein_settings_override(s, wrong[i].assignment);
        if (status == REIN_OK) status = use(s, &c);
        assert_string_equal(rein_error_message(), wrong[i].message);
        assert_int_equal(status, REIN_ECONFIG);
        rein_settings_free(s);
    }
    char *endless = malloc(100001);
    assert_non_null(endless);
    memset(endless, 'a', 100000);
    memcpy(endless, "a.b=", 4);
    endless[100000] = '\0';
    rein_settings *s = empty();
    assert_int_equal(rein_settings_override(s, endless), REIN_ECONFIG);
    rein_settings_free(s);
    free(endless);
}

/* ---- what is not a config -------------------------------------------------------------------- */

static void test_structure(void **state)
{
    (void)state;
    bad("- a\n- b\n", "c.yaml:1:1: expected sections such as 'algo: {id: ppo}'");
    bad("just text", "c.yaml:1:1: expected sections such as 'algo: {id: ppo}'");
    bad("---\n", "c.yaml:2:1: expected sections such as 'algo: {id: ppo}'");
    bad("seed: 1\n", "c.yaml:1:1: seed is in no section: write section: {seed: value}");
    bad("algo: [1]\n", "c.yaml:1:1: algo is in no section: write section: {algo: value}");
    bad("algo: {lr: {x: 1}}", "c.yaml:1:12: algo.lr: sections cannot be nested");
    bad("algo: {hidden: [[1]]}", "c.yaml:1:17: algo.hidden: a list may only hold plain values");
    bad("algo: {hidden: ['1,2']}", "c.yaml:1:17: algo.hidden: '1,2' cannot be in a list");
    bad("algo:\n  hidden:\n  -\n", "c.yaml:3:4: algo.hidden: '' cannot be in a list");
    bad("algo:\n  lr:\n", "c.yaml:2:3: algo.lr has no value");
    bad("algo: {[a]: 1}", "c.yaml:1:8: the name of a setting is missing");
    bad("algo: {'': 1}", "c.yaml:1:8: the name of a setting is missing");
    bad("{a: b}: {}", "c.yaml:1:1: the name of a section is missing");
    bad("algo:\n  lr: 1\n  id: x\n  lr: 1\n", "c.yaml:4:3: algo.lr is set already in line 2");
    bad("algo: {}\nrun: {}\nalgo: {}\n", "c.yaml:3:1: section algo is there already in line 1");
    bad("run: {}\n---\nrun: {}\n",
        "c.yaml:2:1: a config is one document, here starts a second one");
    bad("run: {seed: &a 1}", "c.yaml:1:13: anchors (&name) are not supported");
    bad("run: &a {seed: 1}", "c.yaml:1:6: anchors (&name) are not supported");
    bad("run: {seed: *a}", "c.yaml:1:13: aliases (*name) are not supported");
    bad("run: {seed: !!int 1}", "c.yaml:1:13: tags (!name) are not supported");
    bad("run: {out: \"a\\0b\"}", "c.yaml:1:12: a NUL byte");
}

static void test_syntax(void **state)
{
    (void)state;
    bad("algo: {lr: 1",
        "c.yaml:2:1: did not find expected ',' or '}', while parsing a flow mapping");
    bad("algo:\n\tlr: 1\n", "c.yaml:2:1: found character that cannot start any token, while "
                            "scanning for the next token");
    bad("algo:\n  lr: 1\n id: 2\n", "c.yaml:3:2: did not find expected key, while parsing a block "
                                    "mapping");
    bad("run: {}\nrun2: {\xff: 1}", "c.yaml:2:8: invalid leading UTF-8 octet");
    bad("run: {}\n\x01", "c.yaml:2:1: control characters are not allowed");
}

static void test_binary(void **state)
{
    (void)state;
    rein_settings *s = empty();
    assert_int_equal(rein_settings_parse(s, "c.yaml", "run: {}\na\0b", 11), REIN_ECONFIG);
    assert_string_equal(rein_error_message(), "c.yaml:2:2: a NUL byte: this is no text file");
    assert_int_equal(rein_settings_parse(s, "c.yaml", "\xff\xfer\0u\0n\0", 8), REIN_ECONFIG);
    rein_settings_free(s);
}

/* Each is answered at once, whatever it would grow to. */
static void test_bombs(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    char *text = malloc(N + 2);
    assert_non_null(text);
    rein_settings *s = empty();
    for (const char *c = "[{-?\"'"; *c; c++) {
        memset(text, *c, N);
        assert_int_equal(rein_settings_parse(s, "c.yaml", text, N), REIN_ECONFIG);
    }
    for (const char *c = "-?:"; *c; c++) { /* "- - - " */
        memset(text, ' ', N);
        for (int i = 0; i < N; i += 2) text[i] = *c;
        assert_int_equal(rein_settings_parse(s, "c.yaml", text, N), REIN_ECONFIG);
    }
    memset(text, 'a', N + 1);
    assert_int_equal(rein_settings_parse(s, "c.yaml", text, N + 1), REIN_ECONFIG);
    assert_string_equal(rein_error_message(), "c.yaml: larger than 1048576 bytes");
    memcpy(text, "run: {out: ", 11);
    text[N - 1] = '}';
    assert_int_equal(rein_settings_parse(s, "c.yaml", text, N), REIN_ECONFIG);
    assert_string_equal(rein_error_message(), "c.yaml:1:12: longer than 4096 bytes");
    memcpy(text, "run: {out: [", 12);
    for (int i = 12; i < N; i++) text[i] = i % 2 ? ',' : '1';
    assert_int_equal(rein_settings_parse(s, "c.yaml", text, N), REIN_ECONFIG);
    assert_non_null(strstr(rein_error_message(), "run.out: longer than 4096 bytes"));
    free(text);
    rein_settings_free(s);
}

static void test_too_many(void **state)
{
    (void)state;
    char text[20000] = "run: {";
    size_t used = strlen(text);
    for (int i = 0; i < 1100; i++) used += (size_t)sprintf(text + used, "k%d: 1, ", i);
    strcpy(text + used, "}");
    rein_settings *s = empty();
    assert_int_equal(parse(s, text), REIN_ECONFIG);
    assert_non_null(strstr(rein_error_message(), "more than 1024 settings"));
    assert_int_equal(parse(s, "run: {seed: 1}"), REIN_OK); /* and nothing of it was kept */
    assert_null(rein_settings_text(s, "run", "k0"));
    rein_settings_free(s);
}

/* A file that is refused leaves the settings as they were. */
static void test_nothing_is_kept(void **state)
{
    (void)state;
    both c;
    rein_settings *s = empty();
    assert_int_equal(parse(s, "run: {seed: 1}"), REIN_OK);
    assert_int_equal(parse(s, "run: {seed: 2}\nalgo: {lr: 7, lr: 8}"), REIN_ECONFIG);
    assert_int_equal(use(s, &c), REIN_OK);
    assert_int_equal(c.run.seed, 1);
    rein_settings_free(s);
}

static void test_long_names(void **state)
{
    (void)state;
    char text[3000], name[801];
    memset(name, 'n', 800);
    name[800] = '\0';
    snprintf(text, sizeof text, "%s: {%s: 1}", name, name);
    rein_settings *s = empty();
    both c;
    assert_int_equal(rein_settings_parse(s, name, text, strlen(text)), REIN_OK);
    assert_int_equal(use(s, &c), REIN_ECONFIG);
    assert_true(strlen(rein_error_message()) < 600);
    rein_settings_free(s);
}

static void test_read(void **state)
{
    (void)state;
    char path[4096], expected[5000];
    const char *temporary = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/rein_test_settings_XXXXXX", temporary ? temporary : P_tmpdir);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "run: {seed: x}\n", 15), 15);
    close(fd);
    rein_settings *s = empty();
    both c;
    assert_int_equal(rein_settings_read(s, path), REIN_OK);
    assert_int_equal(use(s, &c), REIN_ECONFIG);
    snprintf(expected, sizeof expected, "%s:1:13: run.seed: 'x' is not a number", path);
    assert_string_equal(rein_error_message(), expected);
    assert_int_equal(truncate(path, (1 << 20) + 1), 0);
    assert_int_equal(rein_settings_read(s, path), REIN_ECONFIG);
    snprintf(expected, sizeof expected, "'%s' is larger than 1048576 bytes", path);
    assert_string_equal(rein_error_message(), expected);
    unlink(path);
    assert_int_equal(rein_settings_read(s, path), REIN_ENOTFOUND);
    snprintf(expected, sizeof expected, "cannot read '%s': No such file or directory", path);
    assert_string_equal(rein_error_message(), expected);
    assert_int_equal(rein_settings_read(s, "."), REIN_EIO);
    rein_settings_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),           cmocka_unit_test(test_no_guessing),
        cmocka_unit_test(test_empty_files),     cmocka_unit_test(test_later_wins),
        cmocka_unit_test(test_text_and_where),  cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_wrong_values),    cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_structure),       cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_binary),          cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_too_many),        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_nothing_is_kept), cmocka_unit_test(test_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
