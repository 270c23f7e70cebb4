/* Recorded episodes as plain arrays: every numeric array of one group of an HDF5 file, in double.
 *
 * Thread-safety: one caller per store. */
#ifndef REIN_REPLAY_TRACE_H
#define REIN_REPLAY_TRACE_H

#include <stdbool.h>

#include "replay/store.h"

typedef struct rein_recorded {
    char name[64];  /* of the array in its group */
    int64_t n_rows; /* its first dimension */
    int size;       /* numbers per row: the product of the others */
    bool single;    /* stored in float32 */
    double *values; /* [n_rows, size] */
} rein_recorded;

typedef struct rein_recording {
    int n;
    rein_recorded *arrays; /* [n] in name order */
} rein_recording;

/* Read the numeric arrays that lie directly in `group`; text, sub-groups and empty arrays are
 * left out.
 *   store  io   opened with rein_store_open or rein_store_open_plain
 *   out    out  to be freed with rein_recording_free, after success only
 * Errors: REIN_ENOTFOUND (no such group), REIN_EFORMAT (damaged, or over 2^27 numbers in one
 * array), REIN_ENOMEM. */
rein_status rein_recording_read(rein_store *store, const char *group, rein_recording *out);
void rein_recording_free(rein_recording *recording);

/* The array called `name`, or NULL. */
const rein_recorded *rein_recording_find(const rein_recording *recording, const char *name);

#endif
