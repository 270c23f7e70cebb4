/* Named arrays in one sealed HDF5 file: what a checkpoint and a rollout part are.
 *
 * Everything is put together in memory (HDF5's core driver) and written by rein_file_write, so a
 * file on disk is always whole, whatever happens to the program or the disk; a reader checks the
 * seal before HDF5 sees a byte. Files open in h5py; same content gives the same bytes (no times).
 * Only files of this folder include <hdf5.h>. Thread-safety: HDF5 is guarded by one lock inside. */
#ifndef REIN_REPLAY_STORE_H
#define REIN_REPLAY_STORE_H

#include "base/archive.h"
#include "base/dtype.h"
#include "base/status.h"

typedef struct rein_store rein_store;

enum { REIN_STORE_DIMS = 5 }; /* most dimensions of an array: [step, row, height, width, channel] */

/* A store to write into. Errors: REIN_ENOMEM. */
rein_status rein_store_create(rein_store **out);
/* Read a sealed file: the whole of it is read and checked here. Arrays that point to other files
 * are refused. Errors: REIN_ENOTFOUND, REIN_EIO, REIN_EFORMAT, REIN_ENOMEM. */
rein_status rein_store_open(const char *path, rein_store **out);
/* The same from an image in memory, without a seal (it is copied); `name` stands for the path in
 * messages. */
rein_status rein_store_open_memory(const char *name, const void *data, size_t size,
                                   rein_store **out);
/* Read any HDF5 file, sealed or not, where it lies: recorded traces, rollouts.h5 with its virtual
 * arrays. Nothing protects against a damaged file but HDF5 itself. Errors: as rein_store_open. */
rein_status rein_store_open_plain(const char *path, rein_store **out);
void rein_store_free(rein_store *store); /* NULL: does nothing */

/* Put an array at `name` ("a/b/c": groups are made). compress: gzip 1 + shuffle.
 *   data  in  [dims[0], ..., dims[n_dims-1]] of type, n_dims in [1, 5]; a 0 in dims is allowed
 * Errors: REIN_EINVAL (name already there), REIN_ENOMEM. */
rein_status rein_store_put(rein_store *store, const char *name, rein_dtype type, int n_dims,
                           const int64_t *dims, const void *data, bool compress);

/* A file that holds `length` rows of a virtual array under the array's own name. */
typedef struct rein_store_part {
    const char *file; /* relative to the folder of the file that this store becomes */
    int64_t length;   /* may be 0 */
} rein_store_part;

/* Put a virtual array that shows `name` of all parts one after another (along dims[0], which must
 * be the sum of the lengths). Errors: as rein_store_put. */
rein_status rein_store_put_virtual(rein_store *store, const char *name, rein_dtype type, int n_dims,
                                   const int64_t *dims, const rein_store_part *parts, int n_parts);

/* Attributes of the group or array at `name` ("/" is the root): text of fixed length, f64. */
rein_status rein_store_put_text(rein_store *store, const char *name, const char *attribute,
                                const char *value);
rein_status rein_store_put_number(rein_store *store, const char *name, const char *attribute,
                                  double value);

/* Shape of the array at `name`; dims past n_dims are 1. `type` is the smallest dtype that holds
 * its numbers (i64 for 64-bit unsigned ones).
 * Errors: REIN_ENOTFOUND; REIN_EFORMAT for what is no plain array of numbers (text, a compound,
 * over 5 dimensions, an unknown filter, parts in other files). */
rein_status rein_store_shape(rein_store *store, const char *name, rein_dtype *type, int *n_dims,
                             int64_t dims[REIN_STORE_DIMS]);
/* Read it whole into data [n elements] of `type` (numbers are converted).
 * Errors: REIN_ENOTFOUND, REIN_EFORMAT (another length; damaged). */
rein_status rein_store_get(rein_store *store, const char *name, rein_dtype type, void *data,
                           size_t n);
rein_status rein_store_get_text(rein_store *store, const char *name, const char *attribute,
                                char *out, size_t size);
rein_status rein_store_get_number(rein_store *store, const char *name, const char *attribute,
                                  double *out);
/* An attribute with several numbers: *n is how many it has, at most `max` of them are written. */
rein_status rein_store_get_numbers(rein_store *store, const char *name, const char *attribute,
                                   double *out, int max, int *n);
/* Name of child i of a group, in name order. Errors: REIN_ENOTFOUND behind the last. */
rein_status rein_store_child(rein_store *store, const char *group, int i, char *out, size_t size);

/* The bytes of the file without its seal, malloc'd; the caller frees. Errors: REIN_ENOMEM. */
rein_status rein_store_image(rein_store *store, void **data, size_t *size);
/* Write the file. Errors: those of rein_file_write; the old file is then untouched. */
rein_status rein_store_save(rein_store *store, const char *path);

/* An archive (base/archive.h) over this store: saving for a created one, loading for an opened
 * one. *archive is inside the store and lives as long. Loading checks type and length exactly. */
rein_archive *rein_store_archive(rein_store *store);

#endif
