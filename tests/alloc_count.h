/* Counts heap allocations of the whole program, libraries included, by standing in front of
 * glibc's allocator.
 *
 *     if (!alloc_count_works()) skip();
 *     long before = alloc_count();
 *     work();
 *     assert_int_equal(alloc_count() - before, 0);
 *
 * Thread-safety: all threads are counted. */
#ifndef REIN_TESTS_ALLOC_COUNT_H
#define REIN_TESTS_ALLOC_COUNT_H

#include <stdbool.h>

/* Calls of malloc, calloc, realloc, aligned_alloc, posix_memalign, memalign so far. Always 0 where
 * alloc_count_works() is false. */
long alloc_count(void);

/* false under a sanitizer, which brings its own allocator. */
bool alloc_count_works(void);

#endif
