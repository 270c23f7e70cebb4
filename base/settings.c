#include "base/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"

/* Far beyond any honest config; what lies above is refused before it costs time or memory. */
enum { MAX_BYTES = 1 << 20, MAX_SETTINGS = 1024, MAX_TEXT = 4096 };

typedef struct place {
    const char *file; /* NULL: the command line */
    size_t line, column;
} place;

/* `key` is NULL for the section itself, which every file's section gets once. */
typedef struct setting {
    char *section, *key, *text;
    place key_at, value_at;
    bool used;
} setting;

/* A name that a config may use; `key` is NULL for the section itself. */
typedef struct name {
    char *section, *key;
} name;

struct rein_settings {
    setting *settings; /* [n_settings], in the order they were set */
    int n_settings;
    name *names; /* [n_names, capacity doubles], each once */
    int n_names;
    char **files; /* [n_files] names for messages */
    int n_files;
};

rein_status rein_settings_create(rein_settings **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? REIN_OK : rein_fail(REIN_ENOMEM, "no memory for settings");
}

static void setting_fini(setting *s)
{
    free(s->section);
    free(s->key);
    free(s->text);
}

void rein_settings_free(rein_settings *settings)
{
    if (!settings) return;
    for (int i = 0; i < settings->n_settings; i++) setting_fini(&settings->settings[i]);
    for (int i = 0; i < settings->n_names; i++) {
        free(settings->names[i].section);
        free(settings->names[i].key);
    }
    for (int i = 0; i < settings->n_files; i++) free(settings->files[i]);
    free(settings->settings);
    free(settings->names);
    free(settings->files);
    free(settings);
}

/* ---- errors with a place --------------------------------------------------------------------- */

static void place_text(const place *at, char *out, size_t size)
{
    if (at->file) {
        snprintf(out, size, "%.300s:%zu:%zu", at->file, at->line, at->column);
    } else {
        snprintf(out, size, "command line");
    }
}

__attribute__((format(printf, 2, 3))) static rein_status fail_at(const place *at,
                                                                 const char *format, ...)
{
    char text[800], where[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    place_text(at, where, sizeof where);
    return rein_fail(REIN_ECONFIG, "%s: %s", where, text);
}

/* ---- the list -------------------------------------------------------------------------------- */

static bool same_key(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Room for one more of a list that doubles at every power of two; NULL when there is no memory. */
static void *list_grow(void *list, int n, size_t item)
{
    bool full = (n & (n - 1)) == 0;
    return full ? realloc(list, item * (n > 0 ? 2 * (size_t)n : 1)) : list;
}

/* Append a setting. section [n_section] need not be terminated; key and text may be NULL. */
static rein_status settings_add(rein_settings *settings, const char *section, size_t n_section,
                                const char *key, const char *text, place key_at, place value_at)
{
    if (settings->n_settings == MAX_SETTINGS) {
        return fail_at(&key_at, "more than %d settings", MAX_SETTINGS);
    }
    setting *list = list_grow(settings->settings, settings->n_settings, sizeof *list);
    if (!list) return rein_fail(REIN_ENOMEM, "no memory for settings");
    settings->settings = list;
    setting s = {strndup(section, n_section),
                 key ? strdup(key) : NULL,
                 text ? strdup(text) : NULL,
                 key_at,
                 value_at,
                 false};
    if (!s.section || (key && !s.key) || (text && !s.text)) {
        setting_fini(&s);
        return rein_fail(REIN_ENOMEM, "no memory for settings");
    }
    list[settings->n_settings++] = s;
    return REIN_OK;
}

static void settings_cut(rein_settings *settings, int n)
{
    while (settings->n_settings > n) setting_fini(&settings->settings[--settings->n_settings]);
}

/* The last setting of section.key at index `from` or later. */
static setting *settings_find(const rein_settings *settings, const char *section, const char *key,
                              int from)
{
    for (int i = settings->n_settings - 1; i >= from; i--) {
        setting *s = &settings->settings[i];
        if (same_key(s->key, key) && strcmp(s->section, section) == 0) return s;
    }
    return NULL;
}

static bool knows(const rein_settings *settings, const char *section, const char *key)
{
    for (int i = 0; i < settings->n_names; i++) {
        const name *known = &settings->names[i];
        if (same_key(known->key, key) && strcmp(known->section, section) == 0) return true;
    }
    return false;
}

/* Remember a name that exists, and mark what set it as used. */
static rein_status learn(rein_settings *settings, const char *section, const char *key)
{
    for (int i = 0; i < settings->n_settings; i++) {
        setting *s = &settings->settings[i];
        if (same_key(s->key, key) && strcmp(s->section, section) == 0) s->used = true;
    }
    if (knows(settings, section, key)) return REIN_OK;
    name *names = list_grow(settings->names, settings->n_names, sizeof *names);
    if (!names) return rein_fail(REIN_ENOMEM, "no memory for settings");
    settings->names = names;
    name known = {strdup(section), key ? strdup(key) : NULL};
    if (!known.section || (key && !known.key)) {
        free(known.section);
        free(known.key);
        return rein_fail(REIN_ENOMEM, "no memory for settings");
    }
    names[settings->n_names++] = known;
    return REIN_OK;
}

/* ---- YAML ------------------------------------------------------------------------------------ */

typedef struct reader {
    rein_settings *settings;
    const char *file;
    const char *text; /* [size] */
    size_t size;
    int first; /* this file's first setting */
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
} reader;

static place reader_place(const reader *r, yaml_mark_t mark)
{
    return (place){r->file, mark.line + 1, mark.column + 1};
}

/* Line and column (in bytes) of a byte that no YAML parser got past. */
static place reader_place_of_byte(const reader *r, size_t offset)
{
    place at = {r->file, 1, 1};
    for (size_t i = 0; i < offset && i < r->size; i++) {
        at.column++;
        if (r->text[i] == '\n') at = (place){r->file, at.line + 1, 1};
    }
    return at;
}

static rein_status syntax_error(const reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) {
        return rein_fail(REIN_ENOMEM, "no memory to parse '%.300s'", r->file);
    }
    bool is_byte = p->error == YAML_READER_ERROR;
    place at =
        is_byte ? reader_place_of_byte(r, p->problem_offset) : reader_place(r, p->problem_mark);
    const char *problem = p->problem ? p->problem : "not YAML";
    if (!p->context || is_byte) return fail_at(&at, "%s", problem);
    return fail_at(&at, "%s, %s", problem, p->context);
}

/* What a config has no use for, and what makes small files large. */
static rein_status check_plain(const reader *r)
{
    const yaml_event_t *e = &r->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    }
    place at = reader_place(r, e->start_mark);
    if (e->type == YAML_ALIAS_EVENT) return fail_at(&at, "aliases (*name) are not supported");
    if (anchor) return fail_at(&at, "anchors (&name) are not supported");
    if (tag) return fail_at(&at, "tags (!name) are not supported");
    if (e->type != YAML_SCALAR_EVENT) return REIN_OK;
    if (memchr(e->data.scalar.value, '\0', e->data.scalar.length)) {
        return fail_at(&at, "a NUL byte");
    }
    if (e->data.scalar.length > MAX_TEXT) {
        return fail_at(&at, "longer than %d bytes", MAX_TEXT);
    }
    return REIN_OK;
}

static rein_status next_event(reader *r)
{
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event)) return syntax_error(r);
    return check_plain(r);
}

static const char *scalar_text(const reader *r)
{
    return (const char *)r->event.data.scalar.value;
}

/* "key:" with nothing behind it. */
static bool is_nothing(const reader *r)
{
    return r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.length == 0 &&
           r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* From the start of a list to its end: "[a, b]" into out. */
static rein_status read_list(reader *r, const char *section, const char *key, char *out,
                             size_t size)
{
    size_t used = (size_t)snprintf(out, size, "[");
    for (int i = 0;; i++) {
        REIN_TRY(next_event(r));
        place at = reader_place(r, r->event.start_mark);
        if (r->event.type == YAML_SEQUENCE_END_EVENT) break;
        if (r->event.type != YAML_SCALAR_EVENT) {
            return fail_at(&at, "%.60s.%.60s: a list may only hold plain values", section, key);
        }
        if (is_nothing(r) || strpbrk(scalar_text(r), ",[]")) {
            return fail_at(&at, "%.60s.%.60s: '%.60s' cannot be in a list", section, key,
                           scalar_text(r));
        }
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", scalar_text(r));
        if (used + 2 > size) {
            return fail_at(&at, "%.60s.%.60s: longer than %d bytes", section, key, MAX_TEXT);
        }
    }
    snprintf(out + used, size - used, "]");
    return REIN_OK;
}

/* The value behind `key`; the current event is its first. */
static rein_status read_value(reader *r, const char *section, const char *key, place key_at)
{
    char list[MAX_TEXT + 1];
    const char *text = list;
    place at = reader_place(r, r->event.start_mark);
    if (is_nothing(r)) return fail_at(&key_at, "%.60s.%.60s has no value", section, key);
    if (r->event.type == YAML_SCALAR_EVENT) {
        text = scalar_text(r);
    } else if (r->event.type == YAML_SEQUENCE_START_EVENT) {
        REIN_TRY(read_list(r, section, key, list, sizeof list));
    } else {
        return fail_at(&at, "%.60s.%.60s: sections cannot be nested", section, key);
    }
    return settings_add(r->settings, section, strlen(section), key, text, key_at, at);
}

/* A key at the current event, copied out because the event goes. */
static rein_status read_key(const reader *r, const char *what, char key[MAX_TEXT + 1], place *at)
{
    *at = reader_place(r, r->event.start_mark);
    if (r->event.type != YAML_SCALAR_EVENT || r->event.data.scalar.length == 0) {
        return fail_at(at, "the name of a %s is missing", what);
    }
    snprintf(key, MAX_TEXT + 1, "%s", scalar_text(r));
    return REIN_OK;
}

/* From behind the start of a section's mapping to its end. */
static rein_status read_section(reader *r, const char *section)
{
    char key[MAX_TEXT + 1];
    place at;
    for (;;) {
        REIN_TRY(next_event(r));
        if (r->event.type == YAML_MAPPING_END_EVENT) return REIN_OK;
        REIN_TRY(read_key(r, "setting", key, &at));
        const setting *twice = settings_find(r->settings, section, key, r->first);
        if (twice) {
            return fail_at(&at, "%.60s.%.60s is set already in line %zu", section, key,
                           twice->key_at.line);
        }
        REIN_TRY(next_event(r));
        REIN_TRY(read_value(r, section, key, at));
    }
}

static rein_status read_sections(reader *r)
{
    char section[MAX_TEXT + 1];
    place at;
    for (;;) {
        REIN_TRY(next_event(r));
        if (r->event.type == YAML_MAPPING_END_EVENT) return REIN_OK;
        REIN_TRY(read_key(r, "section", section, &at));
        const setting *twice = settings_find(r->settings, section, NULL, r->first);
        if (twice) {
            return fail_at(&at, "section %.60s is there already in line %zu", section,
                           twice->key_at.line);
        }
        REIN_TRY(next_event(r));
        if (!is_nothing(r) && r->event.type != YAML_MAPPING_START_EVENT) {
            return fail_at(&at, "%.60s is in no section: write section: {%.60s: value}", section,
                           section);
        }
        REIN_TRY(settings_add(r->settings, section, strlen(section), NULL, NULL, at, at));
        if (!is_nothing(r)) REIN_TRY(read_section(r, section));
    }
}

/* One document that is a mapping, or nothing. */
static rein_status read_document(reader *r)
{
    REIN_TRY(next_event(r)); /* the stream's start */
    REIN_TRY(next_event(r));
    if (r->event.type == YAML_STREAM_END_EVENT) return REIN_OK;
    REIN_TRY(next_event(r));
    if (r->event.type != YAML_MAPPING_START_EVENT) {
        place at = reader_place(r, r->event.start_mark);
        return fail_at(&at, "expected sections such as 'algo: {id: ppo}'");
    }
    REIN_TRY(read_sections(r));
    REIN_TRY(next_event(r)); /* the document's end */
    REIN_TRY(next_event(r));
    if (r->event.type != YAML_STREAM_END_EVENT) {
        place at = reader_place(r, r->event.start_mark);
        return fail_at(&at, "a config is one document, here starts a second one");
    }
    return REIN_OK;
}

/* A name that lives as long as the settings, for messages. */
static rein_status keep_file(rein_settings *settings, const char *file, const char **kept)
{
    char **files = list_grow(settings->files, settings->n_files, sizeof *files);
    if (files) settings->files = files;
    char *copy = files ? strdup(file) : NULL;
    if (!copy) return rein_fail(REIN_ENOMEM, "no memory for settings");
    files[settings->n_files++] = copy;
    *kept = copy;
    return REIN_OK;
}

rein_status rein_settings_parse(rein_settings *settings, const char *file, const char *text,
                                size_t size)
{
    reader r = {.settings = settings, .text = text, .size = size, .first = settings->n_settings};
    REIN_TRY(keep_file(settings, file, &r.file));
    if (size > MAX_BYTES) {
        return rein_fail(REIN_ECONFIG, "%.300s: larger than %d bytes", file, MAX_BYTES);
    }
    const char *nul = size > 0 ? memchr(text, '\0', size) : NULL;
    if (nul) {
        place at = reader_place_of_byte(&r, (size_t)(nul - text));
        return fail_at(&at, "a NUL byte: this is no text file");
    }
    if (!yaml_parser_initialize(&r.parser)) {
        return rein_fail(REIN_ENOMEM, "no memory to parse '%.300s'", file);
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(size ? text : ""), size);
    rein_status status = read_document(&r);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    if (status != REIN_OK) settings_cut(settings, r.first);
    return status;
}

rein_status rein_settings_read(rein_settings *settings, const char *path)
{
    char *text;
    size_t size;
    rein_status status = rein_file_read_text(path, MAX_BYTES, &text, &size);
    if (status == REIN_EFORMAT) status = REIN_ECONFIG; /* too large to be a config */
    if (status != REIN_OK) return status;
    status = rein_settings_parse(settings, path, text, size);
    free(text);
    return status;
}

/* ---- command line ---------------------------------------------------------------------------- */

rein_status rein_settings_override(rein_settings *settings, const char *assignment)
{
    const place at = {0};
    const char *equals = strchr(assignment, '='), *dot = strchr(assignment, '.');
    char key[MAX_TEXT + 1];
    if (strlen(assignment) > MAX_TEXT) {
        return fail_at(&at, "'%.60s...' is longer than %d bytes", assignment, MAX_TEXT);
    }
    if (!equals) {
        return fail_at(&at, "'%.200s' is not of the form section.key=value", assignment);
    }
    if (!dot || dot > equals) {
        return fail_at(&at, "'%.200s' names no section: write section.key=value, as in run.seed=1",
                       assignment);
    }
    if (dot == assignment || dot + 1 == equals) {
        return fail_at(&at, "'%.200s' is not of the form section.key=value", assignment);
    }
    if (equals[1 + strspn(equals + 1, " \t")] == '\0') {
        return fail_at(&at, "%.*s has no value", (int)(equals - assignment), assignment);
    }
    snprintf(key, sizeof key, "%.*s", (int)(equals - dot - 1), dot + 1);
    return settings_add(settings, assignment, (size_t)(dot - assignment), key, equals + 1, at, at);
}

/* ---- use ------------------------------------------------------------------------------------- */

const char *rein_settings_text(rein_settings *settings, const char *section, const char *key)
{
    learn(settings, section, NULL); /* without memory only a hint is lost */
    learn(settings, section, key);
    const setting *s = settings_find(settings, section, key, 0);
    return s ? s->text : NULL;
}

rein_status rein_settings_apply(rein_settings *settings, const char *section,
                                const rein_field *fields, int n, void *config)
{
    REIN_TRY(learn(settings, section, NULL));
    for (int i = 0; i < n; i++) REIN_TRY(learn(settings, section, fields[i].name));
    for (int i = 0; i < n; i++) {
        const setting *s = settings_find(settings, section, fields[i].name, 0);
        if (!s) continue;
        rein_status status = rein_field_set(&fields[i], config, s->text);
        if (status != REIN_OK) {
            char where[512];
            rein_settings_where(settings, section, fields[i].name, where, sizeof where);
            return rein_fail_in(status, "%s", where);
        }
    }
    return REIN_OK;
}

void rein_settings_where(const rein_settings *settings, const char *section, const char *key,
                         char *out, size_t size)
{
    char at[400] = "default";
    const setting *s = settings_find(settings, section, key, 0);
    if (s) place_text(&s->value_at, at, sizeof at);
    snprintf(out, size, "%s: %.60s.%.60s", at, section, key);
}

/* ---- what nothing used ----------------------------------------------------------------------- */

static rein_status unknown_section(const rein_settings *settings, const setting *s)
{
    const char *near = NULL;
    char all[300] = "";
    int distance = rein_hint_distance(s->section) + 1;
    for (int i = 0; i < settings->n_names; i++) {
        const name *known = &settings->names[i];
        if (known->key) continue;
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", used ? ", " : "", known->section);
        int d = rein_edit_distance(s->section, known->section);
        if (d < distance) {
            distance = d;
            near = known->section;
        }
    }
    if (near) {
        return fail_at(&s->key_at, "unknown section %.60s, did you mean %s?", s->section, near);
    }
    return fail_at(&s->key_at, "unknown section %.60s, there are %s", s->section, all);
}

/* The nearest key of its own section, else the same key in another one. */
static rein_status unknown_key(const rein_settings *settings, const setting *s)
{
    const name *near = NULL;
    int distance = rein_hint_distance(s->key) + 1;
    for (int i = 0; i < settings->n_names; i++) {
        const name *known = &settings->names[i];
        if (!known->key || strcmp(known->section, s->section) != 0) continue;
        int d = rein_edit_distance(s->key, known->key);
        if (d < distance) {
            distance = d;
            near = known;
        }
    }
    for (int i = 0; i < settings->n_names && !near; i++) {
        if (same_key(settings->names[i].key, s->key)) near = &settings->names[i];
    }
    if (near) {
        return fail_at(&s->key_at, "unknown key %.60s.%.60s, did you mean %s.%s?", s->section,
                       s->key, near->section, near->key);
    }
    return fail_at(&s->key_at, "unknown key %.60s.%.60s", s->section, s->key);
}

rein_status rein_settings_check(const rein_settings *settings)
{
    for (int i = 0; i < settings->n_settings; i++) {
        const setting *s = &settings->settings[i];
        if (s->used) continue;
        if (!knows(settings, s->section, NULL)) return unknown_section(settings, s);
        if (s->key) return unknown_key(settings, s);
        /* An empty section that is known since: fine. */
    }
    return REIN_OK;
}
