#include "replay/store.h"

#include <hdf5.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum {
    CHUNK_BYTES = 1 << 20,      /* of a compressed array: HDF5's own chunk cache holds one */
    CHUNK_BYTES_MOST = 1 << 28, /* what a reader accepts */
    CORE_INCREMENT = 1 << 16,
};

struct rein_store {
    rein_archive archive; /* first: an archive's callback finds its store */
    hid_t file;
    bool reading, plain;
    char name[256]; /* of the file, for messages */
};

/* ---- HDF5 behind one lock, silent ------------------------------------------------------------ */

static pthread_mutex_t store_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t n_images; /* under store_lock; HDF5 tells images in memory apart by name */

typedef struct printer { /* the embedding program's way of printing HDF5 errors */
    H5E_auto2_t function;
    void *data;
} printer;

static printer store_enter(void)
{
    printer other = {NULL, NULL};
    pthread_mutex_lock(&store_lock);
    H5Eget_auto2(H5E_DEFAULT, &other.function, &other.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return other;
}

static void store_leave(printer other)
{
    H5Eset_auto2(H5E_DEFAULT, other.function, other.data);
    pthread_mutex_unlock(&store_lock);
}

/* HDF5's names for a dtype: as stored (little-endian) and as in memory. */
static hid_t type_in_file(rein_dtype type)
{
    const hid_t types[] = {
        [REIN_F32] = H5T_IEEE_F32LE, [REIN_F64] = H5T_IEEE_F64LE, [REIN_U8] = H5T_STD_U8LE,
        [REIN_I32] = H5T_STD_I32LE,  [REIN_U32] = H5T_STD_U32LE,  [REIN_I64] = H5T_STD_I64LE,
    };
    return types[type];
}

static hid_t type_in_memory(rein_dtype type)
{
    const hid_t types[] = {
        [REIN_F32] = H5T_NATIVE_FLOAT,  [REIN_F64] = H5T_NATIVE_DOUBLE,
        [REIN_U8] = H5T_NATIVE_UINT8,   [REIN_I32] = H5T_NATIVE_INT32,
        [REIN_U32] = H5T_NATIVE_UINT32, [REIN_I64] = H5T_NATIVE_INT64,
    };
    return types[type];
}

/* ---- create, open, free ---------------------------------------------------------------------- */

static hid_t file_create(void)
{
    char name[32];
    snprintf(name, sizeof name, "rein-%llu", (unsigned long long)n_images++);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_fapl_core(access, CORE_INCREMENT, false);
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V110); /* opens in 1.10 */
    H5Pset_obj_track_times(create, false);                              /* same bytes any day */
    hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, create, access);
    H5Pclose(create);
    H5Pclose(access);
    return file;
}

static hid_t file_open_image(const void *data, size_t size)
{
    char name[32];
    snprintf(name, sizeof name, "rein-%llu", (unsigned long long)n_images++);
    hid_t file = H5I_INVALID_HID, access = H5Pcreate(H5P_FILE_ACCESS);
    /* HDF5 takes the image's memory as writable, but copies it */
    if (H5Pset_fapl_core(access, CORE_INCREMENT, false) >= 0 &&
        H5Pset_file_image(access, (void *)(uintptr_t)data, size) >= 0) {
        file = H5Fopen(name, H5F_ACC_RDONLY, access);
    }
    H5Pclose(access);
    return file;
}

static rein_status store_array(rein_archive *archive, const char *name, rein_dtype type, void *data,
                               size_t n);

static rein_store *store_new(const char *name, bool reading)
{
    rein_store *store = malloc(sizeof *store);
    if (store == NULL) return NULL;
    *store = (rein_store){
        .archive = {.loading = reading, .array = store_array},
        .file = H5I_INVALID_HID,
        .reading = reading,
    };
    snprintf(store->name, sizeof store->name, "%s", name);
    return store;
}

rein_status rein_store_create(rein_store **out)
{
    rein_store *store = store_new("store", false);
    if (store == NULL) return rein_fail(REIN_ENOMEM, "no memory for a store");
    printer other = store_enter();
    store->file = file_create();
    store_leave(other);
    if (store->file < 0) {
        free(store);
        return rein_fail(REIN_ENOMEM, "HDF5 cannot make a file in memory");
    }
    *out = store;
    return REIN_OK;
}

rein_status rein_store_open_memory(const char *name, const void *data, size_t size,
                                   rein_store **out)
{
    rein_store *store = store_new(name, true);
    if (store == NULL) return rein_fail(REIN_ENOMEM, "no memory to open %s", name);
    if (size > 0) { /* HDF5 takes an empty image as "no image" and looks for a file */
        printer other = store_enter();
        store->file = file_open_image(data, size);
        store_leave(other);
    }
    if (store->file < 0) {
        free(store);
        return rein_fail(REIN_EFORMAT, "%s: not an HDF5 file, or damaged", name);
    }
    *out = store;
    return REIN_OK;
}

rein_status rein_store_open(const char *path, rein_store **out)
{
    void *data;
    size_t size;
    REIN_TRY(rein_file_read(path, true, &data, &size));
    rein_status status = rein_store_open_memory(path, data, size, out);
    free(data);
    return status;
}

rein_status rein_store_open_plain(const char *path, rein_store **out)
{
    if (!rein_file_exists(path)) return rein_fail(REIN_ENOTFOUND, "%s: no such file", path);
    rein_store *store = store_new(path, true);
    if (store == NULL) return rein_fail(REIN_ENOMEM, "no memory to open %s", path);
    store->plain = true;
    printer other = store_enter();
    store->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    store_leave(other);
    if (store->file < 0) {
        free(store);
        return rein_fail(REIN_EFORMAT, "%s: not an HDF5 file, or damaged", path);
    }
    *out = store;
    return REIN_OK;
}

void rein_store_free(rein_store *store)
{
    if (store == NULL) return;
    printer other = store_enter();
    H5Fclose(store->file);
    store_leave(other);
    free(store);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Is there an object at this path, reached by hard links only? A soft or external link could lead
 * anywhere, even into another file. */
static bool name_exists(const rein_store *store, const char *name)
{
    char part[512];
    size_t length = strlen(name);
    if (length >= sizeof part || length == 0) return false;
    for (size_t i = 1; i <= length; i++) {
        if (name[i] != '/' && name[i] != '\0') continue;
        memcpy(part, name, i);
        part[i] = '\0';
        if (strcmp(part, "/") == 0) continue;
        H5L_info_t info;
        if (H5Lget_info(store->file, part, &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD) {
            return false;
        }
    }
    return true;
}

static hid_t object_open(const rein_store *store, const char *name, H5I_type_t kind)
{
    if (!name_exists(store, name)) return H5I_INVALID_HID;
    hid_t object = H5Oopen(store->file, name, H5P_DEFAULT);
    if (object >= 0 && kind != H5I_BADID && H5Iget_type(object) != kind) {
        H5Oclose(object);
        return H5I_INVALID_HID;
    }
    return object;
}

/* Make the groups above `name`. */
static bool parents_create(rein_store *store, const char *name)
{
    char part[512];
    bool good = strlen(name) < sizeof part;
    hid_t create = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(create, false);
    for (size_t i = 1; good && name[i - 1] != '\0'; i++) {
        if (name[i] != '/') continue;
        memcpy(part, name, i);
        part[i] = '\0';
        if (name_exists(store, part)) continue;
        hid_t group = H5Gcreate2(store->file, part, H5P_DEFAULT, create, H5P_DEFAULT);
        good = group >= 0;
        H5Gclose(group);
    }
    H5Pclose(create);
    return good;
}

rein_status rein_store_child(rein_store *store, const char *group, int i, char *out, size_t size)
{
    printer other = store_enter();
    hid_t object = object_open(store, group, H5I_GROUP);
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

/* ---- writing arrays -------------------------------------------------------------------------- */

static rein_status put_check(const rein_store *store, const char *name, int n_dims,
                             const int64_t *dims, hsize_t shape[REIN_STORE_DIMS])
{
    if (store->reading) return rein_fail(REIN_EINVAL, "%s is open for reading", store->name);
    if (name[0] == '\0' || name[0] == '/' || strlen(name) > 255) {
        return rein_fail(REIN_EINVAL, "'%s' cannot name an array", name);
    }
    if (n_dims < 1 || n_dims > REIN_STORE_DIMS) {
        return rein_fail(REIN_EINVAL, "array '%s' has %d dimensions, not 1 to %d", name, n_dims,
                         REIN_STORE_DIMS);
    }
    for (int i = 0; i < n_dims; i++) {
        if (dims[i] < 0) return rein_fail(REIN_EINVAL, "array '%s' has a negative length", name);
        shape[i] = (hsize_t)dims[i];
    }
    return REIN_OK;
}

/* Chunks are whole rows of the array, as many as fit into CHUNK_BYTES. */
static void put_filters(hid_t create, size_t item, int n_dims, const hsize_t *shape)
{
    hsize_t chunk[REIN_STORE_DIMS], row = item;
    for (int i = 1; i < n_dims; i++) {
        chunk[i] = shape[i];
        row *= shape[i];
    }
    chunk[0] = row < CHUNK_BYTES ? CHUNK_BYTES / row : 1;
    if (chunk[0] > shape[0]) chunk[0] = shape[0];
    H5Pset_chunk(create, n_dims, chunk);
    if (item > 1) H5Pset_shuffle(create);
    H5Pset_deflate(create, 1);
}

/* The common part of both kinds of put: data == NULL writes nothing. */
static rein_status put_array(rein_store *store, const char *name, rein_dtype type, int n_dims,
                             const hsize_t *shape, hid_t create, const void *data)
{
    rein_status status = REIN_OK;
    hid_t space = H5Screate_simple(n_dims, shape, NULL), set = H5I_INVALID_HID;
    H5Pset_obj_track_times(create, false);
    if (name_exists(store, name)) {
        status = rein_fail(REIN_EINVAL, "array '%s' is there already", name);
    } else if (!parents_create(store, name) ||
               (set = H5Dcreate2(store->file, name, type_in_file(type), space, H5P_DEFAULT, create,
                                 H5P_DEFAULT)) < 0) {
        status = rein_fail(REIN_EINVAL, "HDF5 cannot make array '%s'", name);
    } else if (data != NULL && H5Sget_simple_extent_npoints(space) > 0 &&
               H5Dwrite(set, type_in_memory(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
        status = rein_fail(REIN_ENOMEM, "no memory for array '%s'", name);
    }
    if (set >= 0) H5Dclose(set);
    H5Sclose(space);
    return status;
}

rein_status rein_store_put(rein_store *store, const char *name, rein_dtype type, int n_dims,
                           const int64_t *dims, const void *data, bool compress)
{
    hsize_t shape[REIN_STORE_DIMS], n = 1;
    REIN_TRY(put_check(store, name, n_dims, dims, shape));
    for (int i = 0; i < n_dims; i++) n *= shape[i];
    printer other = store_enter();
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_fill_time(create, H5D_FILL_TIME_NEVER); /* all of it is written at once */
    if (compress && n > 0) put_filters(create, rein_dtype_size(type), n_dims, shape);
    rein_status status = put_array(store, name, type, n_dims, shape, create, data);
    H5Pclose(create);
    store_leave(other);
    return status;
}

/* Map `length` rows from row `first` of the virtual array to the whole of that part's array. */
static bool put_mapping(hid_t create, const char *name, int n_dims, const hsize_t *shape,
                        hsize_t first, const rein_store_part *part)
{
    hsize_t start[REIN_STORE_DIMS] = {first}, count[REIN_STORE_DIMS];
    memcpy(count, shape, sizeof count);
    count[0] = (hsize_t)part->length;
    hid_t here = H5Screate_simple(n_dims, shape, NULL);
    hid_t there = H5Screate_simple(n_dims, count, NULL);
    bool good = H5Sselect_hyperslab(here, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
                H5Pset_virtual(create, here, part->file, name, there) >= 0;
    H5Sclose(there);
    H5Sclose(here);
    return good;
}

rein_status rein_store_put_virtual(rein_store *store, const char *name, rein_dtype type, int n_dims,
                                   const int64_t *dims, const rein_store_part *parts, int n_parts)
{
    hsize_t shape[REIN_STORE_DIMS] = {0}, first = 0;
    REIN_TRY(put_check(store, name, n_dims, dims, shape));
    printer other = store_enter();
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    bool good = true;
    for (int i = 0; good && i < n_parts; i++) {
        if (parts[i].length == 0) continue;
        good = put_mapping(create, name, n_dims, shape, first, &parts[i]);
        first += (hsize_t)parts[i].length;
    }
    rein_status status = good && first == shape[0]
                             ? put_array(store, name, type, n_dims, shape, create, NULL)
                             : rein_fail(REIN_EINVAL, "parts do not make up array '%s'", name);
    H5Pclose(create);
    store_leave(other);
    return status;
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
    out->set = object_open(store, name, H5I_DATASET);
    if (out->set < 0) {
        return rein_fail(REIN_ENOTFOUND, "%s: no array '%s'", store->name, name);
    }
    hid_t type = H5Dget_type(out->set);
    bool good = type >= 0 && type_of(type, &out->type) && array_shape(out->set, out) &&
                storage_is_plain(store, out->set, out->n, H5Tget_size(type));
    out->exact = good && H5Tequal(type, type_in_file(out->type)) > 0;
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
    } else if (n > 0 &&
               H5Dread(info.set, type_in_memory(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
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

static rein_status attribute_put(rein_store *store, const char *name, const char *attribute,
                                 hid_t type_file, hid_t type, const void *value)
{
    if (store->reading) return rein_fail(REIN_EINVAL, "%s is open for reading", store->name);
    hid_t object = object_open(store, name, H5I_BADID);
    hid_t space = H5Screate(H5S_SCALAR), made = H5I_INVALID_HID;
    if (object >= 0) {
        made = H5Acreate2(object, attribute, type_file, space, H5P_DEFAULT, H5P_DEFAULT);
    }
    bool good = made >= 0 && H5Awrite(made, type, value) >= 0;
    if (made >= 0) H5Aclose(made);
    H5Sclose(space);
    bool found = object >= 0;
    if (found) H5Oclose(object);
    if (good) return REIN_OK;
    if (!found) return rein_fail(REIN_ENOTFOUND, "no array or group '%s'", name);
    return rein_fail(REIN_EINVAL, "attribute '%s' of '%s' is there already", attribute, name);
}

rein_status rein_store_put_text(rein_store *store, const char *name, const char *attribute,
                                const char *value)
{
    printer other = store_enter();
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, strlen(value) + 1);
    H5Tset_cset(type, H5T_CSET_UTF8);
    rein_status status = attribute_put(store, name, attribute, type, type, value);
    H5Tclose(type);
    store_leave(other);
    return status;
}

rein_status rein_store_put_number(rein_store *store, const char *name, const char *attribute,
                                  double value)
{
    printer other = store_enter();
    rein_status status =
        attribute_put(store, name, attribute, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
    store_leave(other);
    return status;
}

static rein_status attribute_open(const rein_store *store, const char *name, const char *attribute,
                                  hid_t *out)
{
    hid_t object = object_open(store, name, H5I_BADID);
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
    hid_t id;
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
    hid_t id;
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

/* ---- the whole file -------------------------------------------------------------------------- */

rein_status rein_store_image(rein_store *store, void **data, size_t *size)
{
    printer other = store_enter();
    ssize_t bytes =
        H5Fflush(store->file, H5F_SCOPE_GLOBAL) >= 0 ? H5Fget_file_image(store->file, NULL, 0) : -1;
    void *image = bytes > 0 ? malloc((size_t)bytes) : NULL;
    bool good = image != NULL && H5Fget_file_image(store->file, image, (size_t)bytes) == bytes;
    store_leave(other);
    if (!good) {
        free(image);
        return rein_fail(REIN_ENOMEM, "no memory for an HDF5 file of %zd bytes", bytes);
    }
    *data = image;
    *size = (size_t)bytes;
    return REIN_OK;
}

rein_status rein_store_save(rein_store *store, const char *path)
{
    void *data;
    size_t size;
    rein_status status = rein_store_image(store, &data, &size);
    if (status != REIN_OK) return rein_fail_in(status, "%s", path);
    status = rein_file_write(path, data, size, true);
    free(data);
    return status;
}

/* ---- archive --------------------------------------------------------------------------------- */

static rein_status store_array(rein_archive *archive, const char *name, rein_dtype type, void *data,
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
