/* The native engine's network: where things are in the flat vectors. Internal to nets/. */
#ifndef REIN_NETS_NATIVE_MLP_H
#define REIN_NETS_NATIVE_MLP_H

#include "nets/net.h"

struct rein_net {
    rein_net_spec spec;
    int n_in[REIN_MAX_LAYERS];         /* inputs of each layer */
    size_t weight_at[REIN_MAX_LAYERS]; /* W [out, in] in params */
    size_t bias_at[REIN_MAX_LAYERS];   /* b [out] in params */
    size_t packed_at[REIN_MAX_LAYERS]; /* W^T [in, out] in packed */
    size_t n_params, n_packed;
};

#endif
