/* One list of names saves and loads: names, prefixes, errors handed through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/archive.h"

/* A store in memory, just enough to see what an archive is asked for. */
typedef struct shelf {
    rein_archive archive; /* first: the archive is the shelf */
    int n;
    struct {
        char name[256];
        rein_dtype type;
        size_t size;
        char bytes[64];
    } items[8];
} shelf;

static rein_status shelf_array(rein_archive *archive, const char *name, rein_dtype type, void *data,
                               size_t n)
{
    shelf *s = (shelf *)archive;
    size_t size = n * rein_dtype_size(type);
    if (archive->loading) {
        for (int i = 0; i < s->n; i++) {
            if (strcmp(s->items[i].name, name) != 0) continue;
            if (s->items[i].type != type || s->items[i].size != size) break;
            memcpy(data, s->items[i].bytes, size);
            return REIN_OK;
        }
        return rein_fail(REIN_EFORMAT, "no array %s", name);
    }
    strcpy(s->items[s->n].name, name);
    s->items[s->n].type = type;
    s->items[s->n].size = size;
    memcpy(s->items[s->n++].bytes, data, size);
    return REIN_OK;
}

typedef struct thing {
    float moments[3];
    int64_t steps;
    double mean;
} thing;

static rein_status thing_archive(thing *t, rein_archive *a)
{
    REIN_TRY(rein_archive_i64(a, "steps", &t->steps));
    rein_archive_enter(a, "adam");
    REIN_TRY(rein_archive_array(a, "m", REIN_F32, t->moments, 3));
    rein_archive_enter(a, "deep");
    REIN_TRY(rein_archive_f64(a, "mean", &t->mean));
    rein_archive_leave(a);
    rein_archive_leave(a);
    return REIN_OK;
}

static void test_there_and_back(void **state)
{
    (void)state;
    shelf s = {.archive = {.array = shelf_array}};
    thing saved = {{1, 2, 3}, -5, 0.25}, loaded = {0};
    assert_int_equal(thing_archive(&saved, &s.archive), REIN_OK);
    assert_int_equal(s.n, 3);
    assert_string_equal(s.items[0].name, "steps");
    assert_string_equal(s.items[1].name, "adam/m");
    assert_string_equal(s.items[2].name, "adam/deep/mean");
    assert_string_equal(s.archive.prefix, "");
    s.archive.loading = true;
    assert_int_equal(thing_archive(&loaded, &s.archive), REIN_OK);
    assert_memory_equal(loaded.moments, saved.moments, sizeof saved.moments);
    assert_int_equal(loaded.steps, -5);
    assert_true(loaded.mean == 0.25);
    s.n = 1;
    assert_int_equal(thing_archive(&loaded, &s.archive), REIN_EFORMAT);
    assert_string_equal(rein_error_message(), "no array adam/m");
}

static void test_long_names(void **state)
{
    (void)state;
    shelf s = {.archive = {.array = shelf_array}};
    char name[400];
    int64_t value = 0;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(rein_archive_i64(&s.archive, name, &value), REIN_EINVAL);
    rein_archive_enter(&s.archive, name); /* does not fit the prefix */
    assert_int_equal(rein_archive_i64(&s.archive, "steps", &value), REIN_EINVAL);
    rein_archive_enter(&s.archive, "inside"); /* would fit, but is inside of what does not */
    assert_int_equal(rein_archive_i64(&s.archive, "steps", &value), REIN_EINVAL);
    rein_archive_leave(&s.archive);
    rein_archive_leave(&s.archive);
    assert_int_equal(rein_archive_i64(&s.archive, "steps", &value), REIN_OK);
    rein_archive_leave(&s.archive); /* one too many does no harm */
    assert_int_equal(s.n, 1);
    assert_string_equal(s.items[0].name, "steps");
}

/* A prefix of 127 bytes is the longest. */
static void test_longest_prefix(void **state)
{
    (void)state;
    shelf s = {.archive = {.array = shelf_array}};
    char name[128];
    int64_t value = 3;
    memset(name, 'n', 127);
    name[127] = '\0';
    rein_archive_enter(&s.archive, name);
    assert_int_equal(rein_archive_i64(&s.archive, "steps", &value), REIN_EINVAL);
    rein_archive_leave(&s.archive);
    rein_archive_enter(&s.archive, name + 1);
    assert_int_equal(rein_archive_i64(&s.archive, "steps", &value), REIN_OK);
    rein_archive_leave(&s.archive);
    assert_string_equal(s.archive.prefix, "");
    assert_int_equal(strlen(s.items[0].name), 127 + 5);
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(rein_dtype_size(REIN_F32), 4);
    assert_int_equal(rein_dtype_size(REIN_F64), 8);
    assert_int_equal(rein_dtype_size(REIN_U8), 1);
    assert_int_equal(rein_dtype_size(REIN_I32), 4);
    assert_int_equal(rein_dtype_size(REIN_U32), 4);
    assert_int_equal(rein_dtype_size(REIN_I64), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_longest_prefix),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
