/* The store's insides, shared by replay/store.c (files, writing) and replay/store_read.c. */
#ifndef REIN_REPLAY_STORE_HDF5_H
#define REIN_REPLAY_STORE_HDF5_H

#include <hdf5.h>
#include <stdbool.h>

#include "replay/store.h"

struct rein_store {
    rein_archive archive; /* first: an archive's callback finds its store */
    hid_t file;
    bool reading, plain;
    char name[256]; /* of the file, for messages */
};

/* HDF5 is used between enter and leave only: one lock, and no printing of errors meanwhile. */
typedef struct printer { /* the embedding program's way of printing HDF5 errors */
    H5E_auto2_t function;
    void *data;
} printer;

printer store_enter(void);
void store_leave(printer other);

/* HDF5's names for a dtype: as stored (little-endian) and as in memory. */
hid_t store_type_in_file(rein_dtype type);
hid_t store_type_in_memory(rein_dtype type);

/* Is there an object at this path, reached by hard links only? A soft or external link could lead
 * anywhere, even into another file. */
bool store_name_exists(const rein_store *store, const char *name);
/* Open it; kind H5I_BADID: any. Negative: no such object. H5Oclose closes it. */
hid_t store_object_open(const rein_store *store, const char *name, H5I_type_t kind);

/* The archive's callback. */
rein_status store_array(rein_archive *archive, const char *name, rein_dtype type, void *data,
                        size_t n);

#endif
