#include "base/field.h"

#include <ctype.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ------------------------------------------------------------------------------------ */

/* A piece of text [n] without the white space around it; not terminated. */
typedef struct span {
    const char *text;
    size_t n;
} span;

static span span_trim(const char *text, size_t n)
{
    while (n > 0 && isspace((unsigned char)*text)) {
        text++;
        n--;
    }
    while (n > 0 && isspace((unsigned char)text[n - 1])) n--;
    return (span){text, n};
}

static bool span_is(span s, const char *word)
{
    return strlen(word) == s.n && memcmp(s.text, word, s.n) == 0;
}

/* Longest part of a user's text that a message shows, as the argument of "%.*s". */
static int span_shown(span s)
{
    return s.n < 60 ? (int)s.n : 60;
}

int rein_edit_distance(const char *a, const char *b)
{
    enum { MAX = 63 };
    int n = (int)strnlen(a, MAX), m = (int)strnlen(b, MAX);
    int rows[3][MAX + 1]; /* distances of a[0..i) to each b[0..j), for i-2, i-1 and i */
    for (int j = 0; j <= m; j++) rows[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            int best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && above2[j - 2] + 1 < best) best = above2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}

int rein_hint_distance(const char *word)
{
    size_t third = strlen(word) / 3;
    return third < 1 ? 1 : third > 3 ? 3 : (int)third;
}

/* ---- numbers --------------------------------------------------------------------------------- */

typedef enum parse_result { PARSED, NOT_A_NUMBER, NOT_FINITE, NOT_WHOLE, TOO_LARGE } parse_result;

static rein_status parse_failed(parse_result result, span s)
{
    static const char *const why[] = {
        [NOT_A_NUMBER] = "is not a number",
        [NOT_FINITE] = "is not a finite number",
        [NOT_WHOLE] = "is not a whole number",
        [TOO_LARGE] = "does not fit 64 bits",
    };
    return rein_fail(REIN_ECONFIG, "'%.*s' %s", span_shown(s), s.text, why[result]);
}

/* strtod in the C locale whatever the program's: a config means the same everywhere. newlocale
 * gives a constant object for "C", so nothing is allocated. */
static double real_of(const char *text, char **end)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(c);
    double value = strtod(text, end);
    uselocale(before);
    freelocale(c);
    return value;
}

/* The shortest "%.<digits>g" that reads back equal; whole numbers below ten million in full. */
static void real_text(double value, char *out, size_t size)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(c);
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, value);
        if (strtod(out, NULL) == value) break;
    }
    if (fabs(value) < 1e7 && value == rint(value)) snprintf(out, size, "%.0f", value);
    uselocale(before);
    freelocale(c);
}

static parse_result parse_real(span s, double *out)
{
    char copy[512], *end;
    if (s.n == 0 || s.n >= sizeof copy) return NOT_A_NUMBER;
    memcpy(copy, s.text, s.n);
    copy[s.n] = '\0';
    if (strlen(copy) != s.n || strpbrk(copy, "xX")) return NOT_A_NUMBER; /* no hexadecimals */
    *out = real_of(copy, &end);
    if (*end != '\0') return NOT_A_NUMBER;
    return isfinite(*out) ? PARSED : NOT_FINITE;
}

/* A decimal number as digits * 10^exponent; digits do not end in 0. */
typedef struct decimal {
    bool negative, overflow;
    uint64_t digits;
    int64_t exponent;
} decimal;

static void decimal_shift(decimal *d, int64_t places)
{
    for (; places > 0 && d->digits != 0 && !d->overflow; places--) {
        d->overflow = __builtin_mul_overflow(d->digits, (uint64_t)10, &d->digits);
    }
}

/* The digits before the exponent: "1_000.50". Returns how many bytes were read; 0: malformed. */
static size_t decimal_mantissa(span s, decimal *d)
{
    size_t i = s.n > 0 && (s.text[0] == '-' || s.text[0] == '+');
    d->negative = i > 0 && s.text[0] == '-';
    bool point = false, any_digit = false;
    int64_t zeros = 0; /* seen and not yet multiplied in */
    for (; i < s.n; i++) {
        char c = s.text[i];
        if (c == '.' && !point) {
            point = true;
        } else if (c == '_' && i > 0 && isdigit((unsigned char)s.text[i - 1]) && i + 1 < s.n &&
                   isdigit((unsigned char)s.text[i + 1])) {
            continue; /* between two digits only */
        } else if (isdigit((unsigned char)c)) {
            any_digit = true;
            if (point) d->exponent--;
            if (c == '0') {
                zeros++;
                continue;
            }
            decimal_shift(d, zeros + 1);
            d->overflow |= __builtin_add_overflow(d->digits, (uint64_t)(c - '0'), &d->digits);
            zeros = 0;
        } else {
            break;
        }
    }
    d->exponent += zeros;
    return any_digit ? i : 0;
}

/* Exact for every int64: no detour over double. */
static parse_result parse_integer(span s, int64_t *out)
{
    decimal d = {0};
    size_t i = decimal_mantissa(s, &d);
    if (i == 0) return NOT_A_NUMBER;
    if (i < s.n) {
        if (s.text[i] != 'e' && s.text[i] != 'E') return NOT_A_NUMBER;
        i++;
        bool negative = i < s.n && s.text[i] == '-';
        if (i < s.n && (s.text[i] == '-' || s.text[i] == '+')) i++;
        if (i == s.n) return NOT_A_NUMBER;
        int64_t exponent = 0;
        for (; i < s.n; i++) {
            if (!isdigit((unsigned char)s.text[i])) return NOT_A_NUMBER;
            if (exponent < 1000000000) exponent = 10 * exponent + (s.text[i] - '0');
        }
        d.exponent += negative ? -exponent : exponent;
    }
    if (d.digits != 0 && d.exponent < 0) return NOT_WHOLE;
    decimal_shift(&d, d.exponent);
    if (d.overflow || d.digits > (uint64_t)INT64_MAX + d.negative) return TOO_LARGE;
    *out = d.negative ? (int64_t)(0 - d.digits) : (int64_t)d.digits;
    return PARSED;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

/* "(low, high]" taken apart. */
typedef struct interval {
    bool low_open, high_open;
    span low, high;
} interval;

static bool interval_parse(const char *range, interval *out)
{
    size_t n = strlen(range);
    const char *comma = strchr(range, ',');
    if (n < 2 || !comma || !strchr("[(", range[0]) || !strchr("])", range[n - 1])) return false;
    out->low_open = range[0] == '(';
    out->high_open = range[n - 1] == ')';
    out->low = span_trim(range + 1, (size_t)(comma - range - 1));
    out->high = span_trim(comma + 1, (size_t)(range + n - 1 - (comma + 1)));
    return true;
}

static rein_status malformed_range(const rein_field *field)
{
    return rein_fail(REIN_ECONFIG, "the range '%s' of %s is malformed", field->range, field->name);
}

static rein_status outside(const rein_field *field, span s)
{
    return rein_fail(REIN_ECONFIG, "'%.*s' is outside %s", span_shown(s), s.text, field->range);
}

static rein_status check_real(const rein_field *field, span s, double value)
{
    interval in;
    double low = -INFINITY, high = INFINITY;
    if (field->range[0] == '\0') return REIN_OK;
    if (!interval_parse(field->range, &in)) return malformed_range(field);
    if (!span_is(in.low, "-inf") && parse_real(in.low, &low)) return malformed_range(field);
    if (!span_is(in.high, "inf") && parse_real(in.high, &high)) return malformed_range(field);
    bool below = in.low_open ? value <= low : value < low;
    bool above = in.high_open ? value >= high : value > high;
    return below || above ? outside(field, s) : REIN_OK;
}

static rein_status check_integer(const rein_field *field, span s, int64_t value)
{
    interval in;
    int64_t low = INT64_MIN, high = INT64_MAX;
    if (field->range[0] == '\0') return REIN_OK;
    if (!interval_parse(field->range, &in)) return malformed_range(field);
    bool no_low = span_is(in.low, "-inf"), no_high = span_is(in.high, "inf");
    if (!no_low && parse_integer(in.low, &low)) return malformed_range(field);
    if (!no_high && parse_integer(in.high, &high)) return malformed_range(field);
    bool below = in.low_open && !no_low ? value <= low : value < low;
    bool above = in.high_open && !no_high ? value >= high : value > high;
    return below || above ? outside(field, s) : REIN_OK;
}

/* ---- one setter per type; nothing is stored unless the text is right ------------------------- */

static rein_status set_integer(const rein_field *field, int64_t *out, span s)
{
    int64_t value;
    parse_result result = parse_integer(s, &value);
    if (result != PARSED) return parse_failed(result, s);
    REIN_TRY(check_integer(field, s, value));
    *out = value;
    return REIN_OK;
}

static rein_status set_real(const rein_field *field, double *out, span s)
{
    double value;
    parse_result result = parse_real(s, &value);
    if (result != PARSED) return parse_failed(result, s);
    REIN_TRY(check_real(field, s, value));
    *out = value;
    return REIN_OK;
}

static rein_status set_flag(bool *out, span s)
{
    bool is_true = span_is(s, "true");
    if (!is_true && !span_is(s, "false")) {
        return rein_fail(REIN_ECONFIG, "'%.*s' is neither true nor false", span_shown(s), s.text);
    }
    *out = is_true;
    return REIN_OK;
}

/* The word of "a|b|c" that starts at `range`; *next is where the one behind it starts, or NULL. */
static span choice_word(const char *range, const char **next)
{
    const char *bar = strchr(range, '|');
    *next = bar ? bar + 1 : NULL;
    return (span){range, bar ? (size_t)(bar - range) : strlen(range)};
}

static rein_status set_choice(const rein_field *field, int *out, span s)
{
    char typed[64], word[64], near[64] = "";
    snprintf(typed, sizeof typed, "%.*s", (int)(s.n < 63 ? s.n : 63), s.text);
    int distance = rein_hint_distance(typed) + 1, index = 0;
    for (const char *at = field->range, *next; at; at = next, index++) {
        span w = choice_word(at, &next);
        if (w.n == s.n && memcmp(w.text, s.text, s.n) == 0) {
            *out = index;
            return REIN_OK;
        }
        snprintf(word, sizeof word, "%.*s", (int)(w.n < 63 ? w.n : 63), w.text);
        int d = rein_edit_distance(typed, word);
        if (d < distance) {
            distance = d;
            memcpy(near, word, sizeof near);
        }
    }
    return rein_fail(REIN_ECONFIG, "'%.*s' is not one of %s%s%s%s", span_shown(s), s.text,
                     field->range, near[0] ? ", did you mean " : "", near, near[0] ? "?" : "");
}

static rein_status set_integers(const rein_field *field, rein_list *out, span s)
{
    rein_list list = {0};
    bool open = s.n > 0 && s.text[0] == '[', close = s.n > 0 && s.text[s.n - 1] == ']';
    if (open != close || (open && s.n < 2)) {
        return rein_fail(REIN_ECONFIG, "'%.*s' is not a list such as [64, 64]", span_shown(s),
                         s.text);
    }
    span rest = open ? span_trim(s.text + 1, s.n - 2) : s;
    bool more = !open || rest.n > 0; /* "[]" is the empty list, "" is not a list */
    while (more) {
        const char *comma = rest.n > 0 ? memchr(rest.text, ',', rest.n) : NULL;
        size_t n = comma ? (size_t)(comma - rest.text) : rest.n;
        if (list.n == REIN_LIST_MAX) {
            return rein_fail(REIN_ECONFIG, "a list may have at most %d entries", REIN_LIST_MAX);
        }
        REIN_TRY(set_integer(field, &list.values[list.n], span_trim(rest.text, n)));
        list.n++;
        more = comma != NULL;
        if (more) rest = (span){comma + 1, rest.n - n - 1};
    }
    *out = list;
    return REIN_OK;
}

/* Could stand in a YAML list without quotes. */
static bool is_word(span s)
{
    if (s.n == 0 || !isalnum((unsigned char)s.text[0])) return false;
    for (size_t i = 0; i < s.n; i++) {
        const char c = s.text[i];
        if (!isalnum((unsigned char)c) && (c == '\0' || !strchr(" _.=+-", c))) return false;
    }
    return true;
}

static rein_status set_words(rein_words *out, span s)
{
    enum { MAX_BYTES = 500 };
    rein_words list = {0};
    bool open = s.n > 1 && s.text[0] == '[' && s.text[s.n - 1] == ']';
    if (!open || s.n > MAX_BYTES) {
        return rein_fail(REIN_ECONFIG, "'%.*s' %s", span_shown(s), s.text,
                         open ? "is longer than 500 bytes" : "is not a list such as [a, b 2]");
    }
    span rest = span_trim(s.text + 1, s.n - 2);
    for (bool more = rest.n > 0; more;) {
        const char *comma = rest.n > 0 ? memchr(rest.text, ',', rest.n) : NULL;
        size_t n = comma ? (size_t)(comma - rest.text) : rest.n;
        span word = span_trim(rest.text, n);
        if (list.n == REIN_LIST_MAX) {
            return rein_fail(REIN_ECONFIG, "a list may have at most %d entries", REIN_LIST_MAX);
        }
        if (word.n >= REIN_WORD_SIZE || !is_word(word)) {
            return rein_fail(REIN_ECONFIG, "'%.*s' cannot be entry %d of a list of words",
                             span_shown(word), word.text, list.n + 1);
        }
        memcpy(list.values[list.n++], word.text, word.n);
        more = comma != NULL;
        if (more) rest = (span){comma + 1, rest.n - n - 1};
    }
    *out = list;
    return REIN_OK;
}

/* The code point at text[*i], which is moved behind it; 0 for what is not UTF-8. */
static uint32_t utf8_next(span s, size_t *i)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char c = (unsigned char)s.text[*i];
    size_t n = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
    if (n == 0 || n > s.n - *i) return 0;
    uint32_t code = n == 1 ? c : c & (0xffu >> (n + 1));
    for (size_t k = 1; k < n; k++) {
        unsigned char next = (unsigned char)s.text[*i + k];
        if (next >> 6 != 2) return 0;
        code = code << 6 | (next & 0x3fu);
    }
    *i += n;
    return code < least[n] || code > 0x10ffff || code >> 11 == 0x1b ? 0 : code;
}

/* What a YAML file can hold on one line, so that the resolved dump reads back: no control
 * characters, line separators, byte order marks or broken UTF-8. */
static bool is_one_line(span s)
{
    for (size_t i = 0; i < s.n;) {
        uint32_t c = utf8_next(s, &i);
        bool bad = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
                   c == 0xfeff || c == 0xfffe || c == 0xffff;
        if (bad) return false;
    }
    return true;
}

static rein_status set_text(char *out, span s)
{
    if (s.n >= REIN_TEXT_SIZE) {
        return rein_fail(REIN_ECONFIG, "'%.*s...' is longer than %d bytes", span_shown(s), s.text,
                         REIN_TEXT_SIZE - 1);
    }
    if (!is_one_line(s)) {
        return rein_fail(REIN_ECONFIG, "has a control character, a line break or broken UTF-8");
    }
    char value[REIN_TEXT_SIZE] = {0};
    memcpy(value, s.text, s.n);
    memcpy(out, value, sizeof value);
    return REIN_OK;
}

rein_status rein_field_set(const rein_field *field, void *config, const char *text)
{
    void *member = (char *)config + field->offset;
    size_t n = strlen(text);
    span s = span_trim(text, n);
    switch (field->type) {
    case REIN_FIELD_integer:
        return set_integer(field, member, s);
    case REIN_FIELD_real:
        return set_real(field, member, s);
    case REIN_FIELD_flag:
        return set_flag(member, s);
    case REIN_FIELD_choice:
        return set_choice(field, member, s);
    case REIN_FIELD_integers:
        return set_integers(field, member, s);
    case REIN_FIELD_words:
        return set_words(member, s);
    case REIN_FIELD_text:
        return set_text(member, (span){text, n});
    }
    return rein_fail(REIN_ECONFIG, "field %s has no type", field->name);
}

/* ---- back to text ---------------------------------------------------------------------------- */

static void list_text(const rein_list *list, char *out, size_t size)
{
    size_t used = 0;
    snprintf(out, size, "[");
    for (int i = 0; i < list->n && i < REIN_LIST_MAX; i++) {
        used = strlen(out);
        snprintf(out + used, size - used, "%s%" PRId64, i > 0 ? ", " : "", list->values[i]);
    }
    used = strlen(out);
    snprintf(out + used, size - used, "]");
}

static void words_text(const rein_words *list, char *out, size_t size)
{
    size_t used = 0;
    snprintf(out, size, "[");
    for (int i = 0; i < list->n && i < REIN_LIST_MAX; i++) {
        used = strlen(out);
        snprintf(out + used, size - used, "%s%.*s", i > 0 ? ", " : "", REIN_WORD_SIZE - 1,
                 list->values[i]);
    }
    used = strlen(out);
    snprintf(out + used, size - used, "]");
}

static void choice_text(const char *range, int index, char *out, size_t size)
{
    const char *at = range, *next;
    out[0] = '\0';
    for (; at; at = next, index--) {
        span w = choice_word(at, &next);
        if (index == 0) snprintf(out, size, "%.*s", (int)w.n, w.text);
    }
}

void rein_field_get(const rein_field *field, const void *config, char *out, size_t size)
{
    const void *member = (const char *)config + field->offset;
    if (size == 0) return;
    out[0] = '\0';
    switch (field->type) {
    case REIN_FIELD_integer:
        snprintf(out, size, "%" PRId64, *(const int64_t *)member);
        break;
    case REIN_FIELD_real:
        real_text(*(const double *)member, out, size);
        break;
    case REIN_FIELD_flag:
        snprintf(out, size, "%s", *(const bool *)member ? "true" : "false");
        break;
    case REIN_FIELD_choice:
        choice_text(field->range, *(const int *)member, out, size);
        break;
    case REIN_FIELD_integers:
        list_text(member, out, size);
        break;
    case REIN_FIELD_words:
        words_text(member, out, size);
        break;
    case REIN_FIELD_text:
        snprintf(out, size, "%s", (const char *)member);
        break;
    }
}

void rein_field_yaml(const rein_field *field, const void *config, char *out, size_t size)
{
    if (field->type != REIN_FIELD_text) {
        rein_field_get(field, config, out, size);
        return;
    }
    const char *text = (const char *)config + field->offset;
    size_t used = 0;
    if (size < 3) {
        if (size > 0) out[0] = '\0';
        return;
    }
    out[used++] = '\'';
    for (; *text && used + 3 < size; text++) { /* room for two quotes and the end */
        if (*text == '\'') out[used++] = '\'';
        out[used++] = *text;
    }
    out[used++] = '\'';
    out[used] = '\0';
}

rein_status rein_fields_defaults(const rein_field *fields, int n, void *config)
{
    for (int i = 0; i < n; i++) {
        rein_status status = rein_field_set(&fields[i], config, fields[i].default_value);
        if (status != REIN_OK) return rein_fail_in(status, "default of %s", fields[i].name);
    }
    return REIN_OK;
}

const rein_field *rein_fields_find(const rein_field *fields, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(fields[i].name, name) == 0) return &fields[i];
    }
    return NULL;
}
