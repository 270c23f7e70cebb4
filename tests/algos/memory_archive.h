/* An archive that keeps what it is given in memory, for tests of saving and loading. */
#ifndef REIN_TESTS_ALGOS_MEMORY_ARCHIVE_H
#define REIN_TESTS_ALGOS_MEMORY_ARCHIVE_H

#include <stdlib.h>
#include <string.h>

#include "base/archive.h"

enum { MEMORY_ARCHIVE_MAX = 128 };

typedef struct memory_entry {
    char name[256];
    rein_dtype type;
    size_t n;
    void *data;
} memory_entry;

/* Begin with memory_archive_new: saving; then set base.loading to read back. */
typedef struct memory_archive {
    rein_archive base; /* first: the two pointers are the same */
    memory_entry entries[MEMORY_ARCHIVE_MAX];
    int n;
} memory_archive;

static inline memory_entry *memory_archive_find(memory_archive *m, const char *name)
{
    for (int i = 0; i < m->n; i++) {
        if (strcmp(m->entries[i].name, name) == 0) return &m->entries[i];
    }
    return NULL;
}

static inline rein_status memory_archive_array(rein_archive *archive, const char *name,
                                               rein_dtype type, void *data, size_t n)
{
    memory_archive *m = (memory_archive *)archive;
    memory_entry *entry = memory_archive_find(m, name);
    const size_t bytes = n * rein_dtype_size(type);
    if (archive->loading) {
        if (!entry || entry->type != type || entry->n != n) {
            return rein_fail(REIN_EFORMAT, "%s: absent or of another form", name);
        }
        if (bytes > 0) memcpy(data, entry->data, bytes);
        return REIN_OK;
    }
    if (entry || m->n == MEMORY_ARCHIVE_MAX) return rein_fail(REIN_EINVAL, "%s twice", name);
    entry = &m->entries[m->n++];
    *entry = (memory_entry){.type = type, .n = n, .data = malloc(bytes + 1)};
    strncpy(entry->name, name, sizeof entry->name - 1);
    if (bytes > 0) memcpy(entry->data, data, bytes);
    return REIN_OK;
}

static inline memory_archive *memory_archive_new(void)
{
    memory_archive *m = calloc(1, sizeof *m);
    m->base.array = memory_archive_array;
    return m;
}

static inline void memory_archive_free(memory_archive *m)
{
    for (int i = 0; i < m->n; i++) free(m->entries[i].data);
    free(m);
}

#endif
