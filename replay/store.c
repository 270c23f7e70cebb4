#include "replay/store_hdf5.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum {
    CHUNK_BYTES = 1 << 20, /* of a compressed array: HDF5's own chunk cache holds one */
    CORE_INCREMENT = 1 << 16,
};

/* ---- HDF5 behind one lock, silent ------------------------------------------------------------ */

static pthread_mutex_t store_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t n_images; /* under store_lock; HDF5 tells images in memory apart by name */

printer store_enter(void)
{
    printer other = {NULL, NULL};
    pthread_mutex_lock(&store_lock);
    H5Eget_auto2(H5E_DEFAULT, &other.function, &other.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return other;
}

void store_leave(printer other)
{
    H5Eset_auto2(H5E_DEFAULT, other.function, other.data);
    pthread_mutex_unlock(&store_lock);
}

hid_t store_type_in_file(rein_dtype type)
{
    const hid_t types[] = {
        [REIN_F32] = H5T_IEEE_F32LE, [REIN_F64] = H5T_IEEE_F64LE, [REIN_U8] = H5T_STD_U8LE,
        [REIN_I32] = H5T_STD_I32LE,  [REIN_U32] = H5T_STD_U32LE,  [REIN_I64] = H5T_STD_I64LE,
    };
    return types[type];
}

hid_t store_type_in_memory(rein_dtype type)
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

bool store_name_exists(const rein_store *store, const char *name)
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

hid_t store_object_open(const rein_store *store, const char *name, H5I_type_t kind)
{
    if (!store_name_exists(store, name)) return H5I_INVALID_HID;
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
        if (store_name_exists(store, part)) continue;
        hid_t group = H5Gcreate2(store->file, part, H5P_DEFAULT, create, H5P_DEFAULT);
        good = group >= 0;
        H5Gclose(group);
    }
    H5Pclose(create);
    return good;
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
    if (store_name_exists(store, name)) {
        status = rein_fail(REIN_EINVAL, "array '%s' is there already", name);
    } else if (!parents_create(store, name) ||
               (set = H5Dcreate2(store->file, name, store_type_in_file(type), space, H5P_DEFAULT,
                                 create, H5P_DEFAULT)) < 0) {
        status = rein_fail(REIN_EINVAL, "HDF5 cannot make array '%s'", name);
    } else if (data != NULL && H5Sget_simple_extent_npoints(space) > 0 &&
               H5Dwrite(set, store_type_in_memory(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
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

/* ---- attributes ------------------------------------------------------------------------------ */

static rein_status attribute_put(rein_store *store, const char *name, const char *attribute,
                                 hid_t type_file, hid_t type, const void *value)
{
    if (store->reading) return rein_fail(REIN_EINVAL, "%s is open for reading", store->name);
    hid_t object = store_object_open(store, name, H5I_BADID);
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
