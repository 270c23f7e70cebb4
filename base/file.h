/* Files that are either whole or absent.
 *
 * A sealed file ends in 16 bytes: "REINSEAL" and the XXH3-64 of everything before. It lets a
 * reader refuse a truncated or altered file before any parser sees it; HDF5 ignores the tail.
 * Thread-safety: any thread; two writers of one path must not run at once. */
#ifndef REIN_BASE_FILE_H
#define REIN_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Replace `path` by these bytes: written to `path.tmp`, fsync, rename, fsync of the folder. After
 * an error the old file is untouched and the temporary one removed. seal appends the 16 bytes.
 * A program that meets file size limits must ignore SIGXFSZ to see them as an error.
 * Errors: REIN_EIO with path and reason (a full disk, an unwritable folder). Only when the fsync of
 * the folder fails has the new file taken its place already. Allocates: no. */
rein_status rein_file_write(const char *path, const void *data, size_t size, bool seal);

/* Read a whole file into *data (malloc'd; caller frees), *size bytes, and one more '\0' behind.
 * sealed: check and cut off the seal.
 * Errors: REIN_ENOTFOUND, REIN_EIO, REIN_ENOMEM, REIN_EFORMAT ("truncated or altered"). */
rein_status rein_file_read(const char *path, bool sealed, void **data, size_t *size);

/* The same for a file that a person wrote and that should be small: *text is terminated.
 * Errors: those above; REIN_EFORMAT when it has more than `limit` bytes. */
rein_status rein_file_read_text(const char *path, size_t limit, char **text, size_t *size);

bool rein_file_exists(const char *path);

/* Create a folder and its parents; an existing one is fine. Errors: REIN_EIO. */
rein_status rein_folder_create(const char *path);

/* XXH3-64 of bytes. */
uint64_t rein_hash(const void *data, size_t size);

#endif
