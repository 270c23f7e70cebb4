#include "nets/net.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "nets/gemm.h"
#include "nets/native/mlp.h"

enum { MAX_UNITS = 1 << 20, ALIGN = 16 /* floats in 64 bytes */ };

static rein_status spec_check(const rein_net_spec *spec)
{
    if (spec->n_layers < 1 || spec->n_layers > REIN_MAX_LAYERS) {
        return rein_fail(REIN_EINVAL, "a network of %d layers: 1 to %d are possible",
                         spec->n_layers, REIN_MAX_LAYERS);
    }
    if (spec->n_in < 1 || spec->n_in > MAX_UNITS) {
        return rein_fail(REIN_EINVAL, "a network of %d inputs: 1 to %d are possible", spec->n_in,
                         MAX_UNITS);
    }
    for (int i = 0; i < spec->n_layers; i++) {
        if (spec->units[i] < 1 || spec->units[i] > MAX_UNITS) {
            return rein_fail(REIN_EINVAL, "layer %d of %d units: 1 to %d are possible", i + 1,
                             spec->units[i], MAX_UNITS);
        }
    }
    if ((int)spec->activation < REIN_TANH || spec->activation > REIN_LINEAR) {
        return rein_fail(REIN_EINVAL, "activation %d is not one of " REIN_ACTIVATION_WORDS,
                         (int)spec->activation);
    }
    return REIN_OK;
}

rein_status rein_net_create(const rein_net_spec *spec, rein_net **out)
{
    *out = NULL;
    REIN_TRY(spec_check(spec));
    rein_net *net = calloc(1, sizeof *net);
    if (!net) return rein_fail(REIN_ENOMEM, "no memory for a network");
    net->spec = *spec;
    for (int i = 0; i < spec->n_layers; i++) {
        const int n_in = i == 0 ? spec->n_in : spec->units[i - 1];
        const size_t n_weights = (size_t)n_in * (size_t)spec->units[i];
        net->n_in[i] = n_in;
        net->weight_at[i] = net->n_params;
        net->bias_at[i] = net->n_params + n_weights;
        net->n_params += n_weights + (size_t)spec->units[i];
        net->packed_at[i] = net->n_packed;
        net->n_packed += (n_weights + ALIGN - 1) / ALIGN * ALIGN;
    }
    *out = net;
    return REIN_OK;
}

void rein_net_free(rein_net *net)
{
    free(net);
}

const rein_net_spec *rein_net_get_spec(const rein_net *net)
{
    return &net->spec;
}

size_t rein_net_n_params(const rein_net *net)
{
    return net->n_params;
}

size_t rein_net_n_packed(const rein_net *net)
{
    return net->n_packed;
}

static char kernels[128];
static pthread_once_t kernels_once = PTHREAD_ONCE_INIT;

static void kernels_find(void)
{
    snprintf(kernels, sizeof kernels, "%s, libmvec", rein_gemm_library());
}

const char *rein_net_kernels(void)
{
    pthread_once(&kernels_once, kernels_find);
    return kernels;
}
