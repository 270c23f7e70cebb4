/* Fuzz target: any bytes as a config file, then into a small table of fields of every type.
 * What was accepted must come back the same through text and through a resolved dump.
 *
 *     fuzz_settings -max_total_time=60 tests/fuzz/corpus/settings */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"

#define FUZZ_FIELDS(X)                                                                             \
    X(text, id, "ppo", "", "text")                                                                 \
    X(real, lr, "3e-4", "(0, 1]", "real")                                                          \
    X(integer, n, "10", "[-5, inf)", "integer")                                                    \
    X(flag, anneal, "true", "", "flag")                                                            \
    X(integers, hidden, "[64, 64]", "[1, 65536]", "list")                                          \
    X(choice, activation, "tanh", "tanh|relu|elu", "choice")
REIN_CONFIG(fuzz_config, FUZZ_FIELDS)
enum { N = REIN_FIELD_COUNT(fuzz_config_fields) };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds) abort();
}

/* Through the forms of a resolved config: the same struct again. */
static void check_dump(const fuzz_config *config)
{
    char text[8192] = "algo:\n", value[1024];
    rein_settings *s;
    fuzz_config back;
    memset(&back, 0, sizeof back);
    for (int i = 0; i < N; i++) {
        size_t used = strlen(text);
        rein_field_yaml(&fuzz_config_fields[i], config, value, sizeof value);
        snprintf(text + used, sizeof text - used, "  %s: %s\n", fuzz_config_fields[i].name, value);
        rein_field_get(&fuzz_config_fields[i], config, value, sizeof value);
        must(rein_field_set(&fuzz_config_fields[i], &back, value) == REIN_OK);
    }
    must(memcmp(&back, config, sizeof back) == 0);
    must(rein_settings_create(&s) == REIN_OK);
    must(rein_settings_parse(s, "dump", text, strlen(text)) == REIN_OK);
    must(rein_settings_apply(s, "algo", fuzz_config_fields, N, &back) == REIN_OK);
    must(rein_settings_check(s) == REIN_OK);
    must(memcmp(&back, config, sizeof back) == 0);
    rein_settings_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rein_settings *s;
    fuzz_config config;
    char assignment[256];
    memset(&config, 0, sizeof config);
    must(rein_fields_defaults(fuzz_config_fields, N, &config) == REIN_OK);
    must(rein_settings_create(&s) == REIN_OK);
    rein_settings_parse(s, "fuzz", (const char *)data, size);
    snprintf(assignment, sizeof assignment, "%.*s", size < 255 ? (int)size : 255,
             size > 0 ? (const char *)data : "");
    rein_settings_override(s, assignment);
    rein_settings_apply(s, "algo", fuzz_config_fields, N, &config);
    rein_settings_text(s, "run", "seed");
    rein_settings_check(s);
    must(strpbrk(rein_error_message(), "\n\r") == NULL);
    check_dump(&config);
    rein_settings_free(s);
    return 0;
}
