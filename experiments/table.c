/* Tables of config fields. */
#include "experiments/table.h"

#include <string.h>

static const char *type_name(rein_field_type type)
{
    switch (type) {
    case REIN_FIELD_integer:
        return "integer";
    case REIN_FIELD_real:
        return "real";
    case REIN_FIELD_flag:
        return "flag";
    case REIN_FIELD_choice:
        return "choice";
    case REIN_FIELD_integers:
        return "integers";
    case REIN_FIELD_words:
        return "words";
    case REIN_FIELD_text:
        return "text";
    }
    return "?";
}

/* What may be set: "(0, 1]", "all, episodes or none"; "true or false" for a flag. */
static void describe_range(const rein_field *field, char *out, size_t size)
{
    if (field->type == REIN_FIELD_flag) {
        snprintf(out, size, "true or false");
    } else if (field->type == REIN_FIELD_choice) {
        size_t n = 0;
        const char *last = strrchr(field->range, '|');
        for (const char *c = field->range; *c && n + 6 < size; c++) {
            if (*c == '|') {
                n += (size_t)snprintf(out + n, size - n, "%s", c == last ? " or " : ", ");
            } else {
                out[n++] = *c;
            }
        }
        out[n] = '\0';
    } else {
        snprintf(out, size, "%s", field->range[0] ? field->range : "any");
    }
}

void rein_table_print_head(FILE *out)
{
    fprintf(out, "| key | type | default | range | meaning |\n|---|---|---|---|---|\n");
}

void rein_table_print(FILE *out, const char *section, const rein_field *fields, int n,
                      const void *config, bool markdown)
{
    char value[512], range[256], key[128];
    int key_width = 0, value_width = 0;
    for (int i = 0; i < n; i++) {
        int k = snprintf(key, sizeof key, "%s.%s", section, fields[i].name);
        rein_field_get(&fields[i], config, value, sizeof value);
        int v = (int)strlen(value);
        if (k > key_width) key_width = k;
        if (v > value_width) value_width = v;
    }
    for (int i = 0; i < n; i++) {
        const rein_field *f = &fields[i];
        rein_field_get(f, config, value, sizeof value);
        describe_range(f, range, sizeof range);
        snprintf(key, sizeof key, "%s.%s", section, f->name);
        const char *code = value[0] ? "`" : "";
        if (markdown) {
            fprintf(out, "| `%s` | %s | %s%s%s | %s | ", key, type_name(f->type), code, value, code,
                    range);
            for (const char *c = f->doc; *c; c++) fprintf(out, *c == '|' ? "\\|" : "%c", *c);
            fprintf(out, " |\n");
        } else {
            fprintf(out, "  %-*s  %-8s  %-*s  %s\n", key_width, key, type_name(f->type),
                    value_width, value, f->doc);
            fprintf(out, "  %-*s  %-8s  %-*s  %s\n", key_width, "", "", value_width, "", range);
        }
    }
}
