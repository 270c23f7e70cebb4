#include "base/archive.h"

#include <stdio.h>
#include <string.h>

rein_status rein_archive_array(rein_archive *archive, const char *name, rein_dtype type, void *data,
                               size_t n)
{
    char path[256];
    int length = snprintf(path, sizeof path, "%s%s", archive->prefix, name);
    if (length < 0 || (size_t)length >= sizeof path || archive->n_cut > 0) {
        return rein_fail(REIN_EINVAL, "archive name too long: %s%s", archive->prefix, name);
    }
    return archive->array(archive, path, type, data, n);
}

rein_status rein_archive_i64(rein_archive *archive, const char *name, int64_t *value)
{
    return rein_archive_array(archive, name, REIN_I64, value, 1);
}

rein_status rein_archive_f64(rein_archive *archive, const char *name, double *value)
{
    return rein_archive_array(archive, name, REIN_F64, value, 1);
}

void rein_archive_enter(rein_archive *archive, const char *name)
{
    size_t used = strlen(archive->prefix), n = strlen(name) + 1;
    if (archive->n_cut > 0 || n >= sizeof archive->prefix - used) {
        archive->n_cut++;
        return;
    }
    snprintf(archive->prefix + used, sizeof archive->prefix - used, "%s/", name);
}

void rein_archive_leave(rein_archive *archive)
{
    if (archive->n_cut > 0) {
        archive->n_cut--;
        return;
    }
    size_t used = strlen(archive->prefix);
    if (used > 0) used--; /* the closing '/' */
    while (used > 0 && archive->prefix[used - 1] != '/') used--;
    archive->prefix[used] = '\0';
}
