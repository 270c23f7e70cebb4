/* Fuzzes the store (checkpoints, policies, rollout parts). The first byte of an input chooses:
 *   0  the rest is a file as it lies on disk: nothing but a whole, unaltered one may open
 *   1  the rest tells what to put into a store: all of it must come back after a round trip, and
 *      wrong questions must get errors
 *   2  the rest is an HDF5 image behind a good seal. Only with REIN_FUZZ_HDF5=1 in the environment:
 *      it finds bugs of the HDF5 library (1.10.8 reads beyond buffers after a single flipped bit),
 *      which is why a seal is checked first and files of strangers should not be opened. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "replay/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) abort();
}

typedef struct input {
    const uint8_t *data;
    size_t size;
} input;

static uint8_t next(input *in)
{
    if (in->size == 0) return 0;
    in->size--;
    return *in->data++;
}

/* ---- 0: a file ------------------------------------------------------------------------------- */

static void read_everything(rein_store *store)
{
    char name[64], text[64];
    for (int i = 0; rein_store_child(store, "/", i, name, sizeof name) == REIN_OK && i < 100; i++) {
        rein_dtype type;
        int n_dims;
        int64_t dims[REIN_STORE_DIMS], n = 1;
        double number;
        rein_store_get_text(store, name, "title", text, sizeof text);
        rein_store_get_number(store, name, "scale", &number);
        if (rein_store_shape(store, name, &type, &n_dims, dims) != REIN_OK) continue;
        for (int k = 0; k < REIN_STORE_DIMS; k++) n *= dims[k];
        double *values = n < 1 << 24 ? malloc((size_t)n * sizeof *values + 1) : NULL;
        if (values != NULL) rein_store_get(store, name, REIN_F64, values, (size_t)n);
        free(values);
    }
}

static void fuzz_file(input in)
{
    char path[64];
    rein_store *store;
    int fd = memfd_create("fuzz", 0);
    must(fd >= 0 && write(fd, in.data, in.size) == (ssize_t)in.size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    rein_status status = rein_store_open(path, &store);
    if (status == REIN_OK) {
        uint64_t seal;
        must(in.size > 16 && memcmp(in.data + in.size - 16, "REINSEAL", 8) == 0);
        memcpy(&seal, in.data + in.size - 8, sizeof seal);
        must(seal == rein_hash(in.data, in.size - 16));
        read_everything(store);
        rein_store_free(store);
    } else {
        must(status == REIN_EFORMAT && rein_error_message()[0] != '\0');
    }
    close(fd);
}

/* ---- 1: what to put -------------------------------------------------------------------------- */

enum { MOST_PUT = 12, MOST_BYTES = 8 * 3 * 3 * 3 * 3 * 3 };

typedef struct put {
    char name[24];
    rein_dtype type;
    size_t n;
    uint8_t data[MOST_BYTES];
} put;

static const char *const names[] = {"a", "b", "a/c", "a/c/d", "e/f", "e", "/", "", "a//g", "."};

static int fill(rein_store *store, input *in, put *puts)
{
    int n_puts = 0;
    while (in->size > 0 && n_puts < MOST_PUT) {
        put *p = &puts[n_puts];
        const char *name = names[next(in) % (sizeof names / sizeof names[0])];
        uint8_t kind = next(in);
        if (kind % 4 == 0) {
            char text[8] = {(char)next(in), (char)next(in)};
            rein_store_put_text(store, name, "title", text);
            rein_store_put_number(store, name, "scale", (double)next(in));
            continue;
        }
        int64_t dims[REIN_STORE_DIMS];
        int n_dims = kind / 4 % 7; /* 0 and 6 are refused */
        p->type = (rein_dtype)(next(in) % 6);
        p->n = 1;
        for (int i = 0; i < REIN_STORE_DIMS; i++) {
            dims[i] = next(in) % 4;
            if (i < n_dims) p->n *= (size_t)dims[i];
        }
        size_t bytes = p->n * rein_dtype_size(p->type);
        for (size_t i = 0; i < bytes && i < MOST_BYTES; i++) p->data[i] = next(in);
        snprintf(p->name, sizeof p->name, "%s", name);
        rein_status status = rein_store_put(store, name, p->type, n_dims, dims, p->data, kind & 1);
        n_puts += status == REIN_OK;
        must(status == REIN_OK || status == REIN_EINVAL);
    }
    return n_puts;
}

static void check(rein_store *store, const put *puts, int n_puts)
{
    uint8_t back[MOST_BYTES];
    for (int i = 0; i < n_puts; i++) {
        const put *p = &puts[i];
        size_t bytes = p->n * rein_dtype_size(p->type);
        rein_archive *archive = rein_store_archive(store);
        must(rein_archive_array(archive, p->name, p->type, back, p->n) == REIN_OK);
        must(memcmp(back, p->data, bytes) == 0);
        must(rein_archive_array(archive, p->name, p->type, back, p->n + 1) == REIN_EFORMAT);
        must(rein_archive_array(archive, p->name, (rein_dtype)((p->type + 1) % 6), back, p->n) ==
             REIN_EFORMAT);
    }
}

static void fuzz_put(input in)
{
    static put puts[MOST_PUT];
    rein_store *store, *back;
    void *image;
    size_t size;
    must(rein_store_create(&store) == REIN_OK);
    int n_puts = fill(store, &in, puts);
    must(rein_store_image(store, &image, &size) == REIN_OK);
    rein_store_free(store);
    must(rein_store_open_memory("fuzz", image, size, &back) == REIN_OK);
    check(back, puts, n_puts);
    read_everything(back);
    rein_store_free(back);
    free(image);
}

/* ---- 2: HDF5 itself -------------------------------------------------------------------------- */

static void fuzz_image(input in)
{
    rein_store *store;
    if (getenv("REIN_FUZZ_HDF5") == NULL) return;
    if (rein_store_open_memory("fuzz", in.data, in.size, &store) != REIN_OK) return;
    read_everything(store);
    rein_store_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = {data, size};
    switch (next(&in)) {
    case 0:
        fuzz_file(in);
        break;
    case 1:
        fuzz_put(in);
        break;
    case 2:
        fuzz_image(in);
        break;
    }
    return 0;
}
