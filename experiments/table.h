/* Tables of config fields, for terminals and for docs/config.md. Thread-safety: one caller. */
#ifndef REIN_EXPERIMENTS_TABLE_H
#define REIN_EXPERIMENTS_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/field.h"

/* One row per field: section.name, type, default, range, meaning.
 *   config    in  [whatever the fields describe]: its values are shown as defaults
 *   markdown  a table with | instead of columns of text */
void rein_table_print(FILE *out, const char *section, const rein_field *fields, int n,
                      const void *config, bool markdown);

/* The two lines above a markdown table's rows. */
void rein_table_print_head(FILE *out);

#endif
