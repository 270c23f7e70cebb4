#include "tests/golden_h5.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef REIN_GOLDEN_DEFAULT
#define REIN_GOLDEN_DEFAULT "tests/golden"
#endif

bool golden_open(const char *file, golden *g)
{
    const char *folder = getenv("REIN_GOLDEN_DIR");
    char path[1024];
    if (folder == NULL || folder[0] == '\0') folder = REIN_GOLDEN_DEFAULT;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* absence is an answer here, not an error to print */
    g->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (g->file < 0) fprintf(stderr, "cannot read %s\n", path);
    return g->file >= 0;
}

void golden_close(golden *g)
{
    if (g->file >= 0) H5Fclose(g->file);
    g->file = -1;
}

/* H5Lexists wants every parent to exist, so the path is checked piece by piece. */
bool golden_exists(golden *g, const char *path)
{
    char part[1024];
    size_t length = strlen(path);
    if (length >= sizeof part) return false;
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (strcmp(part, "/") != 0 && H5Lexists(g->file, part, H5P_DEFAULT) <= 0) return false;
    }
    return true;
}

double *golden_read(golden *g, const char *dataset_path, size_t dims[4], int *n_dims)
{
    double *out = NULL;
    hsize_t shape[GOLDEN_MAX_DIMS] = {1, 1, 1, 1};
    if (!golden_exists(g, dataset_path)) return NULL;
    hid_t set = H5Dopen2(g->file, dataset_path, H5P_DEFAULT);
    if (set < 0) return NULL; /* a group */
    hid_t space = H5Dget_space(set), type = H5Dget_type(set);
    H5T_class_t kind = H5Tget_class(type);
    int rank = H5Sget_simple_extent_ndims(space);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    if (rank <= GOLDEN_MAX_DIMS && n > 0 && (kind == H5T_FLOAT || kind == H5T_INTEGER)) {
        H5Sget_simple_extent_dims(space, shape, NULL);
        out = malloc(sizeof *out * (size_t)n);
        if (out != NULL &&
            H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0) {
            free(out);
            out = NULL;
        }
    }
    for (int i = 0; i < GOLDEN_MAX_DIMS; i++) dims[i] = (size_t)shape[i];
    if (n_dims != NULL) *n_dims = rank;
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(set);
    return out;
}

int golden_read_text(golden *g, const char *dataset_path, char out[][64], int max)
{
    if (!golden_exists(g, dataset_path)) return 0;
    hid_t set = H5Dopen2(g->file, dataset_path, H5P_DEFAULT);
    if (set < 0) return 0;
    hid_t space = H5Dget_space(set), type = H5Dget_type(set);
    size_t width = H5Tget_size(type);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    bool fixed = H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0;
    char *text = fixed && n > 0 ? calloc((size_t)n, width) : NULL;
    bool read = text != NULL && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0;
    for (hssize_t i = 0; read && i < n && i < max; i++) {
        snprintf(out[i], GOLDEN_NAME_SIZE, "%.*s", (int)width, text + (size_t)i * width);
    }
    free(text);
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(set);
    return read ? (int)n : 0;
}

bool golden_child(golden *g, const char *group, int i, char *out, size_t size)
{
    if (i < 0 || !golden_exists(g, group)) return false;
    return H5Lget_name_by_idx(g->file, group, H5_INDEX_NAME, H5_ITER_INC, (hsize_t)i, out, size,
                              H5P_DEFAULT) >= 0;
}

int golden_children(golden *g, const char *group, char names[][64], int max)
{
    H5G_info_t info;
    if (!golden_exists(g, group) || H5Gget_info_by_name(g->file, group, &info, H5P_DEFAULT) < 0) {
        return 0;
    }
    for (int i = 0; i < max && i < (int)info.nlinks; i++) {
        golden_child(g, group, i, names[i], GOLDEN_NAME_SIZE);
    }
    return (int)info.nlinks;
}

bool golden_attr_double(golden *g, const char *path, const char *attr, double *out, int max, int *n)
{
    if (!golden_exists(g, path)) return false;
    hid_t id = H5Aopen_by_name(g->file, path, attr, H5P_DEFAULT, H5P_DEFAULT);
    if (id < 0) return false;
    hid_t space = H5Aget_space(id), type = H5Aget_type(id);
    H5T_class_t kind = H5Tget_class(type);
    hssize_t points = H5Sget_simple_extent_npoints(space);
    bool good = points > 0 && (kind == H5T_FLOAT || kind == H5T_INTEGER);
    double *all = good ? malloc(sizeof *all * (size_t)points) : NULL;
    good = all != NULL && H5Aread(id, H5T_NATIVE_DOUBLE, all) >= 0;
    for (hssize_t i = 0; good && i < points && i < max; i++) out[i] = all[i];
    *n = good ? (int)points : 0;
    free(all);
    H5Tclose(type);
    H5Sclose(space);
    H5Aclose(id);
    return good;
}

bool golden_attr_text(golden *g, const char *path, const char *attr, char *out, size_t size)
{
    if (!golden_exists(g, path)) return false;
    hid_t id = H5Aopen_by_name(g->file, path, attr, H5P_DEFAULT, H5P_DEFAULT);
    if (id < 0) return false;
    hid_t type = H5Aget_type(id);
    size_t width = H5Tget_size(type);
    bool fixed = H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0;
    char *text = fixed ? calloc(width + 1, 1) : NULL;
    bool good = text != NULL && H5Aread(id, type, text) >= 0;
    if (good) {
        for (size_t k = strlen(text); k > 0 && text[k - 1] == ' '; k--) text[k - 1] = '\0';
        snprintf(out, size, "%s", text);
    }
    free(text);
    H5Tclose(type);
    H5Aclose(id);
    return good;
}
