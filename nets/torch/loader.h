/* Finds and loads librein_torch.so, once, when the first function of rein_torch.h is called.
 *
 * Looked for in this order; the first file that exists is the one:
 *   1. the environment variable REIN_TORCH_MODULE (a path)
 *   2. the folder of the running program, its parent (tests in build/tests), its ../lib
 *   3. where the dynamic loader looks for "librein_torch.so" (LD_LIBRARY_PATH, ldconfig)
 * The module's own run path leads to the libtorch that it was built with.
 *
 * To use rein_torch.h in another C program, compile nets/torch/loader.c, base/status.c and
 * base/file.c into it and put librein_torch.so beside it.
 * Thread-safety: any thread; the first call loads, others wait for it. */
#ifndef REIN_NETS_TORCH_LOADER_H
#define REIN_NETS_TORCH_LOADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Load now instead of at first use. A failure is tried again by the next call.
 * Errors: REIN_ENOTFOUND (no module: says where it was looked for and how to get one),
 * REIN_EUNSUPPORTED (a file that is no module, cannot be loaded, or is of another version: says
 * which). Allocates: libtorch's own memory, for the rest of the program. */
rein_status rein_torch_load(void);

/* Has it been loaded? Loads nothing. */
bool rein_torch_is_loaded(void);

/* What loading took; all 0 before.
 *   seconds  out  wall time, or NULL;  bytes  out  growth of resident memory, or NULL */
void rein_torch_load_cost(double *seconds, size_t *bytes);

/* The path that was loaded; "" before. */
const char *rein_torch_module_path(void);

/* Was this program built together with a module (-DREIN_TORCH=ON)? */
bool rein_torch_is_built(void);

#endif
