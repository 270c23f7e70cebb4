#include "algos/arrays.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t round_up(size_t bytes) /* to cache lines */
{
    return (bytes + 63) & ~(size_t)63;
}

rein_status rein_arrays_create(const rein_array_slot *slots, int n, const char *what, void **memory)
{
    const size_t most = (size_t)1 << 46; /* and no sum below overflows */
    size_t total = 64;
    *memory = NULL;
    for (int i = 0; i < n && total < most; i++) {
        total += slots[i].bytes < most ? round_up(slots[i].bytes) : most;
    }
    if (total < most) *memory = calloc(1, total);
    if (!*memory) return rein_fail(REIN_ENOMEM, "no memory for %s: %zu bytes", what, total);
    char *next = (char *)round_up((size_t)(uintptr_t)*memory);
    for (int i = 0; i < n; i++) {
        memcpy(slots[i].at, &next, sizeof next);
        next += round_up(slots[i].bytes);
    }
    return REIN_OK;
}
