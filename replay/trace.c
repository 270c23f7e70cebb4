#include "replay/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 512 };

static const int64_t most_numbers = INT64_C(1) << 27; /* 1 GB of doubles */

/* Read one array. *is_numeric false: it is text, a group or empty, and nothing was read. */
static rein_status recorded_read(rein_store *store, const char *path, rein_recorded *out,
                                 bool *is_numeric)
{
    rein_dtype type;
    int n_dims;
    int64_t dims[REIN_STORE_DIMS], size = 1;
    *is_numeric = false;
    if (rein_store_shape(store, path, &type, &n_dims, dims) != REIN_OK) return REIN_OK;
    for (int i = 1; i < n_dims && size <= most_numbers; i++) size *= dims[i];
    if (dims[0] == 0 || size == 0) return REIN_OK;
    if (dims[0] > most_numbers / size) {
        return rein_fail(REIN_EFORMAT, "array '%s' is too large for a trace", path);
    }
    out->n_rows = dims[0];
    out->size = (int)size;
    out->single = type == REIN_F32;
    size_t n = (size_t)(dims[0] * size);
    out->values = malloc(sizeof(double) * n);
    if (out->values == NULL) return rein_fail(REIN_ENOMEM, "no memory for array '%s'", path);
    rein_status status = rein_store_get(store, path, REIN_F64, out->values, n);
    if (status != REIN_OK) free(out->values);
    *is_numeric = status == REIN_OK;
    return status;
}

/* Read child i of the group into the next array. *end: there is no child i. */
static rein_status recording_read_child(rein_store *store, const char *group, int i,
                                        rein_recording *out, bool *end)
{
    char name[PATH_SIZE / 2], path[PATH_SIZE];
    bool is_numeric;
    rein_recorded recorded = {.n_rows = 0};
    rein_status status = rein_store_child(store, group, i, name, sizeof name);
    *end = status == REIN_ENOTFOUND;
    if (*end || strlen(name) >= sizeof recorded.name) return REIN_OK;
    REIN_TRY(status);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", group, name) >= sizeof path) {
        return rein_fail(REIN_EFORMAT, "the name of a group is too long: '%.60s...'", group);
    }
    REIN_TRY(recorded_read(store, path, &recorded, &is_numeric));
    if (!is_numeric) return REIN_OK;
    memcpy(recorded.name, name, strlen(name) + 1);
    rein_recorded *more = realloc(out->arrays, sizeof *more * (size_t)(out->n + 1));
    if (more == NULL) {
        free(recorded.values);
        return rein_fail(REIN_ENOMEM, "no memory for array '%s'", path);
    }
    out->arrays = more;
    out->arrays[out->n++] = recorded;
    return REIN_OK;
}

rein_status rein_recording_read(rein_store *store, const char *group, rein_recording *out)
{
    char name[PATH_SIZE / 2];
    rein_status status = rein_store_child(store, group, 0, name, sizeof name);
    *out = (rein_recording){.n = 0};
    if (status != REIN_OK) return status;
    bool end = false;
    for (int i = 0; !end && status == REIN_OK; i++) {
        status = recording_read_child(store, group, i, out, &end);
    }
    if (status != REIN_OK) rein_recording_free(out);
    return status;
}

void rein_recording_free(rein_recording *recording)
{
    for (int i = 0; i < recording->n; i++) free(recording->arrays[i].values);
    free(recording->arrays);
    *recording = (rein_recording){.n = 0};
}

const rein_recorded *rein_recording_find(const rein_recording *recording, const char *name)
{
    for (int i = 0; i < recording->n; i++) {
        if (strcmp(recording->arrays[i].name, name) == 0) return &recording->arrays[i];
    }
    return NULL;
}
