#include "experiments/table.h"

#include "tests/replay/temporary.h"

#define SAMPLE_FIELDS(X)                                                                           \
    X(real, lr, "3e-4", "(0, 1]", "step size")                                                     \
    X(choice, activation, "relu", "tanh|relu|elu", "between layers")                               \
    X(text, name, "", "", "of the run")
REIN_CONFIG(sample_config, SAMPLE_FIELDS)

static char *print(bool markdown)
{
    sample_config config;
    char *text;
    size_t size;
    int n = REIN_FIELD_COUNT(sample_config_fields);
    assert_ok(rein_fields_defaults(sample_config_fields, n, &config));
    FILE *out = open_memstream(&text, &size);
    if (markdown) rein_table_print_head(out);
    rein_table_print(out, "algo", sample_config_fields, n, &config, markdown);
    fclose(out);
    return text;
}

static void test_text(void **state)
{
    (void)state;
    char *text = print(false);
    assert_string_equal(text, "  algo.lr          real      0.0003  step size\n"
                              "                                     (0, 1]\n"
                              "  algo.activation  choice    relu    between layers\n"
                              "                                     tanh, relu or elu\n"
                              "  algo.name        text              of the run\n"
                              "                                     any\n");
    free(text);
}

static void test_markdown(void **state)
{
    (void)state;
    char *text = print(true);
    assert_string_equal(text, "| key | type | default | range | meaning |\n|---|---|---|---|---|\n"
                              "| `algo.lr` | real | `0.0003` | (0, 1] | step size |\n"
                              "| `algo.activation` | choice | `relu` | tanh, relu or elu | between "
                              "layers |\n"
                              "| `algo.name` | text |  | any | of the run |\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text),
                                       cmocka_unit_test(test_markdown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
