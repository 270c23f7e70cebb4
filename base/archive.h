/* One list of fields that both saves and loads.
 *
 * An object that can be checkpointed has one function, `rein_<noun>_archive(object, archive)`,
 * that names its arrays. A saving archive copies them out, a loading archive fills them: the two
 * directions cannot drift apart. Files are behind it: replay/store.h.
 *
 *     REIN_TRY(rein_archive_array(a, "adam/m", REIN_F32, optimizer->m, n));
 *
 * Thread-safety: an archive belongs to one thread. */
#ifndef REIN_BASE_ARCHIVE_H
#define REIN_BASE_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/status.h"

typedef struct rein_archive rein_archive;
struct rein_archive {
    bool loading;
    /* Save or fill data [n] under `name` (path with '/'); see rein_archive_array. */
    rein_status (*array)(rein_archive *archive, const char *name, rein_dtype type, void *data,
                         size_t n);
    char prefix[128]; /* put before every name; see rein_archive_enter. "" at first */
    int n_cut;        /* names entered that did not fit the prefix. 0 at first */
};

/* Save data [n] under prefix/name, or fill it from there.
 *   data  io  [n] of `type`; n may be 0
 * Errors: REIN_EFORMAT when loading and the array is absent or has another type or length;
 * REIN_ENOMEM, REIN_EIO. */
rein_status rein_archive_array(rein_archive *archive, const char *name, rein_dtype type, void *data,
                               size_t n);
rein_status rein_archive_i64(rein_archive *archive, const char *name, int64_t *value);
rein_status rein_archive_f64(rein_archive *archive, const char *name, double *value);

/* Names after this one are inside `name/`, until rein_archive_leave. `name` has no '/'. Nesting is
 * allowed; where the prefix would exceed 127 bytes, every array inside is REIN_EINVAL. */
void rein_archive_enter(rein_archive *archive, const char *name);
void rein_archive_leave(rein_archive *archive);

#endif
