/* A network's body from a TorchScript file: anything that PyTorch can write down, as the first
 * layer of a network here (nets/layers.h, `script`), trained like any other.
 *
 * The script gets x [n, ...] f32, n rows of observations as the environment writes them (an image
 * as [n, H, W, C]), and returns one tensor [n, F] f32. Its parameters, all f32, become a part of
 * the flat vector, in the order of Python's parameters(), beginning with the file's values. It runs
 * in evaluation mode: dropout does nothing, batch norm keeps the statistics of the file. A script
 * that draws random numbers itself breaks "same seed, same bytes". */
#ifndef REIN_NETS_SCRIPT_H
#define REIN_NETS_SCRIPT_H

#include "nets/net.h"

enum { REIN_NET_SCRIPT_MAX = 1 << 30 }; /* bytes */

/* The file in memory; loading it into libtorch is left to those who run it. */
struct rein_net_script {
    char name[256]; /* for messages: the file's path */
    size_t size;
    unsigned char data[];
};

/* Errors: REIN_ENOTFOUND, REIN_EIO, REIN_ENOMEM; REIN_EFORMAT (empty, or more than the maximum). */
rein_status rein_net_script_read(const char *path, rein_net_script **out);
/* A script of these bytes, copied. Errors: REIN_ENOMEM, REIN_EFORMAT. */
rein_status rein_net_script_create(const char *name, const void *data, size_t size,
                                   rein_net_script **out);
void rein_net_script_free(rein_net_script *script); /* NULL: does nothing */

/* The layer that the script is for rows of this shape: runs it on zeros.
 * Errors: REIN_EINVAL, naming the file, what is wrong with its parameters or output, or what
 * libtorch said; those of rein_torch_load. Allocates: yes. */
rein_status rein_net_script_layer(const rein_net_script *script, int n_dims, const int *shape,
                                  rein_layer *out);

/* The parameters in the file. params out [n]: of the layer. Errors: as above. */
rein_status rein_net_script_params(const rein_net_script *script, size_t n, float *params);

#endif
