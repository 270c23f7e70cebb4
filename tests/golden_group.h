/* Recorded arrays "group/name" of golden_h5.h, for tests with cmocka: what is missing fails. */
#ifndef REIN_TESTS_GOLDEN_GROUP_H
#define REIN_TESTS_GOLDEN_GROUP_H

#include "tests/replay/temporary.h"

#include <math.h>

#include "tests/golden_h5.h"

/* As golden_read; the caller frees. */
static inline double *golden_array(golden *g, const char *group, const char *name, size_t dims[4])
{
    char path[192];
    snprintf(path, sizeof path, "%s/%s", group, name);
    double *x = golden_read(g, path, dims, NULL);
    if (!x) fail_msg("no %s", path);
    return x;
}

/* As float, at most `max` entries; returns how many there are. */
static inline size_t golden_floats(golden *g, const char *group, const char *name, float *out,
                                   size_t max)
{
    size_t dims[4];
    double *x = golden_array(g, group, name, dims);
    const size_t n = dims[0] * dims[1] * dims[2] * dims[3];
    if (n > max) fail_msg("%s/%s: %zu entries, not %zu", group, name, n, max);
    for (size_t i = 0; i < n; i++) out[i] = (float)x[i];
    free(x);
    return n;
}

/* As float, n entries and no other number of them. */
static inline void golden_fill(golden *g, const char *group, const char *name, float *out, size_t n)
{
    assert_int_equal(golden_floats(g, group, name, out, n), n);
}

/* The group's attribute. */
static inline double golden_number(golden *g, const char *group, const char *name)
{
    double x;
    int n;
    if (!golden_attr_double(g, group, name, &x, 1, &n)) fail_msg("no %s of %s", name, group);
    return x;
}

/* got [n] is what was recorded, to 1e-5 of the largest entry. */
static inline void golden_check(golden *g, const char *group, const char *name, const float *got,
                                size_t n)
{
    size_t dims[4];
    double *want = golden_array(g, group, name, dims), scale = 1e-30;
    assert_int_equal(dims[0] * dims[1] * dims[2] * dims[3], n);
    for (size_t i = 0; i < n; i++) scale = fmax(scale, fabs(want[i]));
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)got[i] - want[i]) <= 1e-5 * scale)) {
            fail_msg("%s/%s[%zu]: %.9g, should be %.9g", group, name, i, (double)got[i], want[i]);
        }
    }
    free(want);
}

#endif
