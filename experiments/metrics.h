/* metrics.jsonl: one JSON object per line, the source of truth about a run.
 *
 * A row is put together in a fixed buffer and appended with one write(), so a killed run leaves
 * whole rows only. The time fields come last: everything before them is the same for any number
 * of threads and for a resumed run. Thread-safety: one caller per object. */
#ifndef REIN_EXPERIMENTS_METRICS_H
#define REIN_EXPERIMENTS_METRICS_H

#include <stdint.h>

#include "base/status.h"

typedef struct rein_metrics rein_metrics;

/* Open for appending; a longer file is cut to `length` bytes (0: a new file).
 * Errors: REIN_EIO, REIN_ENOMEM; REIN_EFORMAT when the file is shorter than `length`. */
rein_status rein_metrics_open(const char *path, int64_t length, rein_metrics **out);
void rein_metrics_free(rein_metrics *metrics); /* NULL: does nothing */

/* A row: begin, numbers in order, end. Numbers that are not finite are written as null.
 *   exact  all 17 digits, so that the double is read back bit for bit; else 9 digits
 * Allocates: no. */
void rein_metrics_begin(rein_metrics *metrics, int64_t step);
void rein_metrics_integer(rein_metrics *metrics, const char *name, int64_t value);
void rein_metrics_real(rein_metrics *metrics, const char *name, double value);
void rein_metrics_exact(rein_metrics *metrics, const char *name, double value);
/* Append the row. Errors: REIN_EIO: the file is as before; REIN_EINVAL: a row over 16 KiB or a
 * name that needs quoting. Allocates: no. */
rein_status rein_metrics_end(rein_metrics *metrics, double time_s, double sps);

/* Bytes in the file so far. */
int64_t rein_metrics_length(const rein_metrics *metrics);

/* Wait until they are on disk. Errors: REIN_EIO. */
rein_status rein_metrics_sync(rein_metrics *metrics);

/* The learning curve: means of episode_return_mean in n equal ranges of steps up to the last row.
 *   curve  out  [n]; NAN where nothing is known yet
 *   step   out  of the last row; NULL: not wanted
 * Errors: REIN_ENOTFOUND, REIN_EFORMAT (line number). */
rein_status rein_metrics_curve(const char *path, int n, double *curve, int64_t *step);

#endif
