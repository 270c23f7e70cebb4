/* What computes networks. An engine is one constant table of functions; nets/net.c lists those that
 * this build has and calls through the net. Internal to nets/.
 *
 * A net and a workspace of an engine begin with the structs below. Thread-safety, allocation and
 * arguments: as the functions of nets/net.h that call them. */
#ifndef REIN_NETS_ENGINE_H
#define REIN_NETS_ENGINE_H

#include "nets/cell.h"
#include "nets/layers.h"

/* What an engine does for cells: as the functions of nets/cell.h. */
typedef struct rein_cell_engine {
    /* Allocate a cell that begins with `base` and set n_packed. */
    rein_status (*create)(const rein_cell *base, rein_cell **out);
    void (*free)(rein_cell *cell);
    void (*pack)(const rein_cell *cell, const float *params, float *packed);
    rein_status (*workspace_create)(const rein_cell *cell, int max_steps, int max_rows,
                                    rein_cell_workspace **out);
    void (*workspace_free)(rein_cell_workspace *workspace);
    rein_status (*forward)(const rein_cell *cell, const float *params, const float *packed,
                           rein_cell_workspace *workspace, const float *x, const uint8_t *start,
                           int n_steps, int rows, float *state, float *y);
    rein_status (*backward)(const rein_cell *cell, const float *params,
                            rein_cell_workspace *workspace, const float *dy, float *grad, float *dx,
                            float *dstate);
    void (*products)(const rein_cell *cell, const float *params, const float *packed,
                     rein_cell_workspace *workspace, const float *x, int n_steps, int rows,
                     float *grad, float *dx);
} rein_cell_engine;

typedef struct rein_engine {
    const char *name; /* a word of REIN_ENGINE_WORDS */
    /* Errors: REIN_EUNSUPPORTED with the layer that it has not got; or why the engine cannot be
     * used here at all. The layout has been checked. */
    rein_status (*can_run)(const rein_net_spec *spec);
    /* Allocate a net and set what the engine keeps; `n_packed` is the engine's to set, the other
     * members of rein_net are set by the caller. */
    rein_status (*create)(const rein_net_spec *spec, const rein_layout *layout, rein_net **out);
    void (*free)(rein_net *net);
    void (*pack)(const rein_net *net, const float *params, float *packed);
    rein_status (*workspace_create)(const rein_net *net, int max_rows, rein_net_workspace **out);
    void (*workspace_free)(rein_net_workspace *workspace);
    rein_status (*forward)(const rein_net *net, const float *params, const float *packed,
                           rein_net_workspace *workspace, const float *x, int n, float *y);
    rein_status (*backward)(const rein_net *net, const float *params, const float *packed,
                            rein_net_workspace *workspace, const float *dy, float *grad, float *dx);
    void (*products)(const rein_net *net, const float *params, const float *packed,
                     rein_net_workspace *workspace, const float *x, int n, float *y, float *grad);
    const rein_cell_engine *cells;
} rein_engine;

struct rein_net {
    const rein_engine *engine;
    rein_net_spec spec;
    rein_layout layout;
    size_t n_packed;
};

struct rein_net_workspace {
    const rein_engine *engine; /* set by the caller of workspace_create */
};

struct rein_cell {
    const rein_cell_engine *engine;
    rein_cell_spec spec;
    int gates;                            /* G H */
    size_t hh_at, ih_bias_at, hh_bias_at; /* in params; weight_ih lies at 0 */
    size_t n_params, n_packed;
};

struct rein_cell_workspace {
    const rein_cell_engine *engine; /* set by the caller of workspace_create */
};

extern const rein_engine rein_engine_native, rein_engine_torch;
extern const rein_cell_engine rein_cells_native, rein_cells_torch;

/* Saxe et al. 2014: W W^T = gain^2 I or W^T W = gain^2 I, whichever the shape allows (nets/init.c).
 *   weight  out  [n_out, n_in]
 * Allocates: scratch. Errors: REIN_ENOMEM. */
rein_status rein_draw_orthogonal(int n_out, int n_in, double gain, rein_rng *rng, float *weight);

/* The engine that was asked for; `auto` is native, which has all cells. NULL: no such choice. */
const rein_engine *rein_engine_at(rein_engine_choice choice);

#endif
