/* What computes networks. An engine is one constant table of functions; nets/net.c lists those that
 * this build has and calls through the net. Internal to nets/.
 *
 * A net and a workspace of an engine begin with the structs below. Thread-safety, allocation and
 * arguments: as the functions of nets/net.h that call them. */
#ifndef REIN_NETS_ENGINE_H
#define REIN_NETS_ENGINE_H

#include "nets/layers.h"

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

extern const rein_engine rein_engine_native;

#endif
