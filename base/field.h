/* Config fields: one X-macro list makes the struct, the defaults, the ranges, `--help`, the table
 * in the docs and the resolved dump.
 *
 *     #define PPO_FIELDS(X)                                                                  \
 *         X(integer, n_steps, "2048", "[1, 1048576]", "steps per environment and rollout")    \
 *         X(real, lr, "3e-4", "(0, 1]", "Adam step size")                                      \
 *         X(flag, anneal_lr, "true", "", "lr falls linearly to 0")                            \
 *         X(choice, activation, "tanh", "tanh|relu|elu", "hidden activation")                  \
 *         X(integers, hidden, "[64, 64]", "[1, 65536]", "units of each hidden layer")          \
 *         X(words, layers, "[]", "", "conv 16 3x3, relu, ...")                                 \
 *         X(text, out, "runs", "", "folder for runs")
 *     REIN_CONFIG(ppo_config, PPO_FIELDS)     struct ppo_config, table ppo_config_fields[]
 *
 * Defaults and values are text of the same form as in a config file, read by the same code.
 * A choice is stored as the index of the word in its range. Thread-safety: pure functions. */
#ifndef REIN_BASE_FIELD_H
#define REIN_BASE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { REIN_TEXT_SIZE = 256, REIN_LIST_MAX = 16, REIN_WORD_SIZE = 48 };

typedef struct rein_list {
    int n;
    int64_t values[REIN_LIST_MAX];
} rein_list;

typedef struct rein_words {
    int n;
    char values[REIN_LIST_MAX][REIN_WORD_SIZE];
} rein_words;

typedef enum rein_field_type {
    REIN_FIELD_integer,  /* int64_t */
    REIN_FIELD_real,     /* double */
    REIN_FIELD_flag,     /* bool: true or false */
    REIN_FIELD_choice,   /* int: index of the word in the range "a|b|c" */
    REIN_FIELD_integers, /* rein_list */
    REIN_FIELD_words,    /* rein_words */
    REIN_FIELD_text,     /* char[REIN_TEXT_SIZE] */
} rein_field_type;

typedef struct rein_field {
    const char *name;
    rein_field_type type;
    size_t offset;             /* bytes into the config struct */
    const char *default_value; /* as in a config file */
    const char *range;         /* "[low, high]", "(0, inf)", "a|b|c", or "" for any */
    const char *doc;           /* one line, with the unit */
} rein_field;

#define REIN_MEMBER_integer(name)                          int64_t name;
#define REIN_MEMBER_real(name)                             double name;
#define REIN_MEMBER_flag(name)                             bool name;
#define REIN_MEMBER_choice(name)                           int name;
#define REIN_MEMBER_integers(name)                         rein_list name;
#define REIN_MEMBER_words(name)                            rein_words name;
#define REIN_MEMBER_text(name)                             char name[REIN_TEXT_SIZE];
#define REIN_MEMBER(type, name, default_value, range, doc) REIN_MEMBER_##type(name)
#define REIN_FIELD_ENTRY(type, name, default_value, range, doc)                                    \
    {#name, REIN_FIELD_##type, offsetof(field_owner, name), default_value, range, doc},

/* Define `typedef struct name {...} name` and `static const rein_field name_fields[]`; the number
 * of entries is REIN_FIELD_COUNT(name_fields). At file scope, once per file. */
#define REIN_CONFIG_STRUCT(name, FIELDS)                                                           \
    typedef struct name {                                                                          \
        FIELDS(REIN_MEMBER)                                                                        \
    } name;
#define REIN_CONFIG(name, FIELDS)                                                                  \
    REIN_CONFIG_STRUCT(name, FIELDS)                                                               \
    REIN_CONFIG_TABLE(name, FIELDS)
#define REIN_CONFIG_TABLE(name, FIELDS)                                                            \
    typedef name field_owner;                                                                      \
    static const rein_field name##_fields[] = {FIELDS(REIN_FIELD_ENTRY)};
#define REIN_FIELD_COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* Set the member of `config` that `field` describes from text. White space around it is ignored,
 * but for text. On error the member is unchanged.
 *   integer   "1000000", "1_000_000", "1e6": any decimal number that is whole
 *   real      "0.1", "3e-4": finite; the point is '.' whatever the program's locale
 *   integers  "[64, 64]", "64", "[]": at most REIN_LIST_MAX; the range holds for every entry
 *   words     "[conv 16 3x3, relu]", "[]": at most REIN_LIST_MAX, each of at most 47 letters,
 *             digits, blanks and "_.=+-", beginning with a letter or digit; 500 bytes together
 *   text      at most 255 bytes of UTF-8 without control characters or line breaks
 * Errors: REIN_ECONFIG with what was expected: "'0.2x' is not a number", "'2' is outside (0, 1]",
 * "'tahn' is not one of tanh|relu|elu, did you mean tanh?". Allocates: no. */
rein_status rein_field_set(const rein_field *field, void *config, const char *text);

/* Write the member's value as text that rein_field_set reads back to the same value; reals in the
 * fewest digits that do. 512 bytes are enough for any field.
 *   out  out  [size] bytes, always terminated */
void rein_field_get(const rein_field *field, const void *config, char *out, size_t size);

/* The same as a YAML scalar or list: text is put in single quotes. For resolved configs. */
void rein_field_yaml(const rein_field *field, const void *config, char *out, size_t size);

/* All members to their defaults. Errors: REIN_ECONFIG if a default is malformed (a bug). */
rein_status rein_fields_defaults(const rein_field *fields, int n, void *config);

/* The field called `name`, or NULL. */
const rein_field *rein_fields_find(const rein_field *fields, int n, const char *name);

/* How many letters to insert, remove, change or swap with their neighbour to get from a to b
 * (Levenshtein with swaps). Words over 63 bytes are compared cut. */
int rein_edit_distance(const char *a, const char *b);

/* The largest edit distance at which another word is worth a "did you mean": a third of the
 * length, at least 1, at most 3. */
int rein_hint_distance(const char *word);

#endif
