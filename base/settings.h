/* A list of settings `section.key = text` read from a YAML file and from the command line, each
 * with where it came from, so that an error can say file, line and column.
 *
 *     rein_settings *s;
 *     REIN_TRY(rein_settings_create(&s));
 *     REIN_TRY(rein_settings_read(s, "configs/ppo/cartpole.yaml"));
 *     REIN_TRY(rein_settings_override(s, "algo.lr=1e-3"));
 *     REIN_TRY(rein_settings_apply(s, "algo", ppo_fields, n, &config));   marks them as used
 *     REIN_TRY(rein_settings_check(s));                                   unknown keys
 *
 * A file is a mapping of sections to mappings of keys to scalars or flat lists of scalars. Scalars
 * stay text; the fields' types decide what they mean. A later setting of a key wins; a key twice in
 * one file is an error. Thread-safety: one caller per object. */
#ifndef REIN_BASE_SETTINGS_H
#define REIN_BASE_SETTINGS_H

#include "base/field.h"
#include "base/status.h"

typedef struct rein_settings rein_settings;

rein_status rein_settings_create(rein_settings **out); /* REIN_ENOMEM */
void rein_settings_free(rein_settings *settings);      /* NULL: does nothing */

/* Add what a YAML file sets; after an error nothing of it is kept. Errors: REIN_ENOTFOUND,
 * REIN_EIO, REIN_ENOMEM; REIN_ECONFIG "file:line:column: what" for a syntax error, a section or key
 * twice, a list of lists, a nested section, an anchor, alias or tag, a second document, a NUL byte,
 * broken UTF-8, more than 1 MiB or 1024 settings. An empty file sets nothing. */
rein_status rein_settings_read(rein_settings *settings, const char *path);
/* The same from memory; text [size], `file` stands for the path in messages. */
rein_status rein_settings_parse(rein_settings *settings, const char *file, const char *text,
                                size_t size);
/* Add "section.key=value" from the command line. Errors: REIN_ECONFIG when it is not of this
 * form (says which form) or has no value. */
rein_status rein_settings_override(rein_settings *settings, const char *assignment);

/* The text of "section.key" as set last, or NULL; marks it as used and known. Lists read as
 * "[64, 64]". Valid until more settings are added. */
const char *rein_settings_text(rein_settings *settings, const char *section, const char *key);

/* Set every member of `config` that has a setting in `section`. Remembers the fields' names for
 * the hints of rein_settings_check. After an error some members may be set.
 * Errors: REIN_ECONFIG "file:line:column: algo.lr: '2' is outside (0, 1]", or "command line:
 * algo.lr: ..."; REIN_ENOMEM. */
rein_status rein_settings_apply(rein_settings *settings, const char *section,
                                const rein_field *fields, int n, void *config);

/* Error for the first setting that nothing used: REIN_ECONFIG "file:line:column: unknown key
 * algo.lrr, did you mean algo.lr?", "...: unknown section alog, did you mean algo?". */
rein_status rein_settings_check(const rein_settings *settings);

/* Prefix for a message about "section.key": "file:line:column: section.key", "command line:
 * section.key" or "default: section.key" when it was not set. */
void rein_settings_where(const rein_settings *settings, const char *section, const char *key,
                         char *out, size_t size);

#endif
