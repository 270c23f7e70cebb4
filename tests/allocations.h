/* Counts heap allocations of the whole program, libraries included, by standing in front of
 * glibc's allocator. Include in at most one file of a program.
 *
 *     long before = allocations();
 *     work();
 *     assert_int_equal(allocations() - before, 0);
 *
 * Under a sanitizer, which brings its own allocator, the count stays 0. */
#ifndef REIN_TESTS_ALLOCATIONS_H
#define REIN_TESTS_ALLOCATIONS_H

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_long allocation_count;

static inline long allocations(void)
{
    return atomic_load(&allocation_count);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    atomic_fetch_add(&allocation_count, 1);
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    atomic_fetch_add(&allocation_count, 1);
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    atomic_fetch_add(&allocation_count, 1);
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    atomic_fetch_add(&allocation_count, 1);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    atomic_fetch_add(&allocation_count, 1);
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}
#endif

#endif
