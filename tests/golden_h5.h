/* A small reader of the recorded reference files (HDF5) for tests.
 *
 * Files are looked for in the folder that the environment variable REIN_GOLDEN_DIR names, or in
 * tests/golden. Thread-safety: none; a golden belongs to one test. */
#ifndef REIN_TESTS_GOLDEN_H5_H
#define REIN_TESTS_GOLDEN_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GOLDEN_MAX_DIMS = 4, GOLDEN_NAME_SIZE = 64 };

typedef struct golden {
    int64_t file; /* HDF5 handle */
} golden;

/* Open e.g. "mujoco.h5". false (and a line on stderr) when it cannot be read. */
bool golden_open(const char *file, golden *g);
void golden_close(golden *g);

/* A whole dataset as doubles, from any numeric type.
 *   dims    out  [4] lengths; those past n_dims are 1
 *   n_dims  out  number of dimensions; NULL: not wanted
 * NULL when there is no such dataset, or it is empty or not numeric. The caller frees. */
double *golden_read(golden *g, const char *dataset_path, size_t dims[4], int *n_dims);

/* A dataset of fixed-length strings, one per row; returns how many rows it has, 0 when there is no
 * such dataset. At most `max` are written; longer ones are cut. */
int golden_read_text(golden *g, const char *dataset_path, char out[][64], int max);

/* Names of what is in a group ("/" is the root), in alphabetical order; returns how many there
 * are, of which at most `max` are written. Names over 63 bytes are cut: use golden_child. */
int golden_children(golden *g, const char *group, char names[][64], int max);

/* Full name of child i of a group, in the order of golden_children. false: no such child. */
bool golden_child(golden *g, const char *group, int i, char *out, size_t size);

/* Is there an object at this path? */
bool golden_exists(golden *g, const char *path);

/* A numeric attribute as doubles; at most `max` are written, *n is how many it has. */
bool golden_attr_double(golden *g, const char *path, const char *attr, double *out, int max,
                        int *n);

/* A text attribute, cut to size - 1 bytes, trailing blanks removed. */
bool golden_attr_text(golden *g, const char *path, const char *attr, char *out, size_t size);

#endif
