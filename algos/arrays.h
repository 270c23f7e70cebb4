/* Several arrays in one block of memory. Thread-safety: one caller per block. */
#ifndef REIN_ALGOS_ARRAYS_H
#define REIN_ALGOS_ARRAYS_H

#include <stddef.h>

#include "base/status.h"

typedef struct rein_array_slot {
    void *at; /* address of the pointer to set */
    size_t bytes;
} rein_array_slot;

/* Set n pointers into one zeroed block, each array on cache lines of its own, so that threads
 * which write to different arrays do not disturb each other. An array of 0 bytes gets a pointer
 * that must not be followed.
 *   what    in   for the message: "no memory for <what>: 123 bytes"
 *   memory  out  free() this; NULL after an error
 * Errors: REIN_ENOMEM. */
rein_status rein_arrays_create(const rein_array_slot *slots, int n, const char *what,
                               void **memory);

#endif
