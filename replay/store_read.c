#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/store_hdf5.h"

enum { CHUNK_BYTES_MOST = 1 << 28 }; /* of a chunk in a foreign file */

/* ---- groups ---------------------------------------------------------------------------------- */

rein_status rein_store_child(rein_store *store, const char *group, int i, char *out, size_t size)
{
    printer other = store_enter();
    hid_t object = store_object_open(store, group, H5I_GROUP);
    H5G_info_t info = {.nlinks = 0};
    bool found = object >= 0, there = false, fits = false;
    if (found && H5Gget_info(object, &info) >= 0 && i >= 0 && (hsize_t)i < info.nlinks) {
        ssize_t length = H5Lget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)i,
                                            out, size, H5P_DEFAULT);
        there = length >= 0;
        fits = there && (size_t)length < size;
    }
    if (object >= 0) H5Oclose(object);
    store_leave(other);
    if (!found) return rein_fail(REIN_ENOTFOUND, "%s: no group '%s'", store->name, group);
    if (!there) return rein_fail(REIN_ENOTFOUND, "%s: '%s' has no entry %d", store->name, group, i);
    if (!fits) return rein_fail(REIN_EFORMAT, "%s: a name in '%s' is too long", store->name, group);
    return REIN_OK;
}

/* ---- reading arrays -------------------------------------------------------------------------- */

/* The dtype that holds the numbers of a file's type; false: not numbers we know. */
static bool type_of(hid_t type, rein_dtype *out)
{
    H5T_class_t kind = H5Tget_class(type);
    size_t size = H5Tget_size(type);
    bool is_signed = kind == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_2;
    if ((kind != H5T_FLOAT && kind != H5T_INTEGER) || size < 1 || size > 8) return false;
    if (kind == H5T_FLOAT) {
        *out = size <= 4 ? REIN_F32 : REIN_F64;
    } else if (size > 4) {
        *out = REIN_I64;
    } else if (size == 1 && !is_signed) {
        *out = REIN_U8;
    } else {
        *out = size == 4 && !is_signed ? REIN_U32 : REIN_I32;
    }
    return true;
}

/* Can the file hold this array at all? A damaged header may claim any shape; deflate packs at most
 * 1032 to 1. */
static bool storage_is_there(const rein_store *store, hid_t set, hid_t create, size_t n,
                             size_t item)
{
    hsize_t size = 0, stored = H5Dget_storage_size(set);
    if (store->plain || n == 0) return true;
    if (H5Fget_filesize(store->file, &size) < 0 || stored > size) return false;
    if (H5Pget_nfilters(create) == 0 && H5Pget_layout(create) != H5D_CHUNKED) {
        return stored == n * item;
    }
    return n * item <= stored * 1100;
}

/* Would reading this array stay within its own file and within bounded memory? */
static bool storage_is_plain(const rein_store *store, hid_t set, size_t n, size_t item)
{
    hid_t create = H5Dget_create_plist(set);
    hsize_t chunk[H5S_MAX_RANK], bytes = item;
    H5D_layout_t layout = H5Pget_layout(create);
    bool good = create >= 0 && H5Pget_external_count(create) == 0 &&
                (store->plain || layout != H5D_VIRTUAL);
    int n_filters = layout == H5D_VIRTUAL ? 0 : H5Pget_nfilters(create);
    if (n_filters < 0) good = false;
    for (int i = 0; good && i < n_filters; i++) {
        unsigned flags, config;
        size_t n_values = 0;
        H5Z_filter_t filter =
            H5Pget_filter2(create, (unsigned)i, &flags, &n_values, NULL, 0, NULL, &config);
        good = filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE ||
               filter == H5Z_FILTER_FLETCHER32;
    }
    if (good && layout == H5D_CHUNKED) {
        int rank = H5Pget_chunk(create, H5S_MAX_RANK, chunk);
        for (int i = 0; i < rank; i++) { /* a chunk's length has 32 bits: no overflow before > */
            bytes = bytes > CHUNK_BYTES_MOST ? bytes : bytes * chunk[i];
        }
        good = rank > 0 && bytes <= CHUNK_BYTES_MOST;
    }
    good = good && storage_is_there(store, set, create, n, item);
    if (create >= 0) H5Pclose(create);
    return good;
}

typedef struct array_info {
    hid_t set;
    rein_dtype type;
    bool exact; /* stored as we store this type */
    int n_dims;
    int64_t dims[REIN_STORE_DIMS];
    size_t n;
} array_info;

static bool array_shape(hid_t set, array_info *out)
{
    hid_t space = H5Dget_space(set);
    hsize_t shape[H5S_MAX_RANK];
    uint64_t n = 1;
    int rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, shape, NULL);
    bool good =
        rank >= 0 && rank <= REIN_STORE_DIMS && H5Sget_simple_extent_type(space) != H5S_NULL;
    for (int i = 0; i < REIN_STORE_DIMS; i++) out->dims[i] = 1;
    for (int i = 0; good && i < rank; i++) {
        out->dims[i] = (int64_t)shape[i];
        good =
            shape[i] < (1ull << 40) && !__builtin_mul_overflow(n, shape[i], &n) && n < (1ull << 40);
    }
    out->n_dims = rank;
    out->n = (size_t)n;
    if (space >= 0) H5Sclose(space);
    return good;
}

/* Open an array and look at it before anything of it is read; close out->set. */
static rein_status array_open(const rein_store *store, const char *name, array_info *out)
{
    out->set = store_object_open(store, name, H5I_DATASET);
    if (out->set < 0) {
        return rein_fail(REIN_ENOTFOUND, "%s: no array '%s'", store->name, name);
    }
    hid_t type = H5Dget_type(out->set);
    bool good = type >= 0 && type_of(type, &out->type) && array_shape(out->set, out) &&
                storage_is_plain(store, out->set, out->n, H5Tget_size(type));
    out->exact = good && H5Tequal(type, store_type_in_file(out->type)) > 0;
    if (type >= 0) H5Tclose(type);
    if (good) return REIN_OK;
    H5Dclose(out->set);
    return rein_fail(REIN_EFORMAT, "%s: '%s' is not a plain array of numbers", store->name, name);
}

rein_status rein_store_shape(rein_store *store, const char *name, rein_dtype *type, int *n_dims,
                             int64_t dims[REIN_STORE_DIMS])
{
    array_info info;
    printer other = store_enter();
    rein_status status = array_open(store, name, &info);
    if (status == REIN_OK) {
        *type = info.type;
        *n_dims = info.n_dims;
        memcpy(dims, info.dims, sizeof info.dims);
        H5Dclose(info.set);
    }
    store_leave(other);
    return status;
}

/* Read n elements; exact: stored as `type`. */
static rein_status array_get(rein_store *store, const char *name, rein_dtype type, void *data,
                             size_t n, bool exact)
{
    array_info info;
    REIN_TRY(array_open(store, name, &info));
    rein_status status = REIN_OK;
    if (info.n != n) {
        status = rein_fail(REIN_EFORMAT, "%s: array '%s' has %zu entries, %zu expected",
                           store->name, name, info.n, n);
    } else if (exact && (!info.exact || info.type != type)) {
        status = rein_fail(REIN_EFORMAT, "%s: array '%s' has another type", store->name, name);
    } else if (n > 0 && H5Dread(info.set, store_type_in_memory(type), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                                data) < 0) {
        status = rein_fail(REIN_EFORMAT, "%s: array '%s' is damaged", store->name, name);
    }
    H5Dclose(info.set);
    return status;
}

rein_status rein_store_get(rein_store *store, const char *name, rein_dtype type, void *data,
                           size_t n)
{
    printer other = store_enter();
    rein_status status = array_get(store, name, type, data, n, false);
    store_leave(other);
    return status;
}

/* ---- attributes ------------------------------------------------------------------------------ */

static rein_status attribute_open(const rein_store *store, const char *name, const char *attribute,
                                  hid_t *out)
{
    hid_t object = store_object_open(store, name, H5I_BADID);
    if (object < 0) return rein_fail(REIN_ENOTFOUND, "%s: no '%s'", store->name, name);
    *out = H5Aopen(object, attribute, H5P_DEFAULT);
    H5Oclose(object);
    if (*out >= 0) return REIN_OK;
    return rein_fail(REIN_ENOTFOUND, "%s: '%s' has no attribute '%s'", store->name, name,
                     attribute);
}

enum { ATTRIBUTE_BYTES_MOST = 1 << 20 };

/* Read an attribute of fixed size and of one class into malloc'd memory, or NULL. */
static void *attribute_read(hid_t id, H5T_class_t class_1, H5T_class_t class_2, hid_t memory_type,
                            size_t item, size_t *n)
{
    hid_t type = H5Aget_type(id), space = H5Aget_space(id);
    H5T_class_t kind = H5Tget_class(type);
    hssize_t points = H5Sget_simple_extent_npoints(space);
    size_t stored = H5Tget_size(type);
    void *data = NULL;
    bool good = (kind == class_1 || kind == class_2) && points > 0 &&
                points <= ATTRIBUTE_BYTES_MOST && stored <= ATTRIBUTE_BYTES_MOST &&
                (kind != H5T_STRING || (points == 1 && H5Tis_variable_str(type) == 0));
    if (good) {
        if (item == 0) item = stored;
        *n = kind == H5T_STRING ? stored : (size_t)points;
        data = calloc((size_t)points * item + 1, 1);
        if (data != NULL && H5Aread(id, kind == H5T_STRING ? type : memory_type, data) < 0) {
            free(data);
            data = NULL;
        }
    }
    H5Tclose(type);
    H5Sclose(space);
    return data;
}

rein_status rein_store_get_text(rein_store *store, const char *name, const char *attribute,
                                char *out, size_t size)
{
    hid_t id = H5I_INVALID_HID;
    size_t n = 0;
    char *text = NULL;
    printer other = store_enter();
    rein_status status = attribute_open(store, name, attribute, &id);
    if (status == REIN_OK) {
        text = attribute_read(id, H5T_STRING, H5T_STRING, H5I_INVALID_HID, 0, &n);
        H5Aclose(id);
    }
    store_leave(other);
    if (status != REIN_OK) return status;
    if (text == NULL || strlen(text) >= size) {
        free(text);
        return rein_fail(REIN_EFORMAT,
                         "%s: attribute '%s' of '%s' is not a text of under %zu bytes", store->name,
                         attribute, name, size);
    }
    snprintf(out, size, "%s", text);
    free(text);
    return REIN_OK;
}

rein_status rein_store_get_numbers(rein_store *store, const char *name, const char *attribute,
                                   double *out, int max, int *n)
{
    hid_t id = H5I_INVALID_HID;
    size_t found = 0;
    double *numbers = NULL;
    printer other = store_enter();
    rein_status status = attribute_open(store, name, attribute, &id);
    if (status == REIN_OK) {
        numbers =
            attribute_read(id, H5T_FLOAT, H5T_INTEGER, H5T_NATIVE_DOUBLE, sizeof(double), &found);
        H5Aclose(id);
    }
    store_leave(other);
    if (status != REIN_OK) return status;
    if (numbers == NULL) {
        return rein_fail(REIN_EFORMAT, "%s: attribute '%s' of '%s' is not a number", store->name,
                         attribute, name);
    }
    *n = (int)found;
    for (int i = 0; i < *n && i < max; i++) out[i] = numbers[i];
    free(numbers);
    return REIN_OK;
}

rein_status rein_store_get_number(rein_store *store, const char *name, const char *attribute,
                                  double *out)
{
    int n = 0;
    REIN_TRY(rein_store_get_numbers(store, name, attribute, out, 1, &n));
    if (n == 1) return REIN_OK;
    return rein_fail(REIN_EFORMAT, "%s: attribute '%s' of '%s' is not one number", store->name,
                     attribute, name);
}

/* ---- archive --------------------------------------------------------------------------------- */

rein_status store_array(rein_archive *archive, const char *name, rein_dtype type, void *data,
                        size_t n)
{
    rein_store *store = (rein_store *)archive; /* its first member */
    const int64_t dims[1] = {(int64_t)n};
    if (!archive->loading) return rein_store_put(store, name, type, 1, dims, data, false);
    printer other = store_enter();
    rein_status status = array_get(store, name, type, data, n, true);
    store_leave(other);
    return status == REIN_ENOTFOUND ? REIN_EFORMAT : status; /* the message says which */
}

rein_archive *rein_store_archive(rein_store *store)
{
    return &store->archive;
}
