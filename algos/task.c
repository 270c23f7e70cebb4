#include "algos/task.h"

#include <string.h>

#include "nets/layers.h"

/* net.layers without the output layer. */
static rein_status own_layers(const rein_net_config *config, const rein_observation_space *space,
                              rein_net_spec *out)
{
    *out = (rein_net_spec){.n_dims = 1, .shape = {space->size}};
    if (space->n_dims <= REIN_NET_DIMS) {
        out->n_dims = space->n_dims;
        for (int i = 0; i < space->n_dims; i++) out->shape[i] = space->shape[i];
    }
    for (int i = 0; i < config->layers.n; i++) {
        rein_layer layer;
        if (rein_layer_parse(config->layers.values[i], &layer) != REIN_OK) {
            return rein_fail(REIN_ECONFIG, "net.layers[%d] %s", i, rein_error_message());
        }
        REIN_TRY(rein_net_spec_add(out, layer));
    }
    rein_layout layout;
    if (rein_net_layout(out, &layout) != REIN_OK) {
        return rein_fail(REIN_ECONFIG, "net.%s", rein_error_message());
    }
    if (layout.layers[out->n_layers - 1].out.n_dims != 1) {
        return rein_fail(REIN_ECONFIG, "net.layers ends with an image: put flatten at its end");
    }
    return REIN_OK;
}

rein_status rein_net_config_spec(const rein_net_config *config, const rein_observation_space *space,
                                 int n_out, rein_net_spec *out)
{
    enum { MAX_HIDDEN = (REIN_MAX_LAYERS - 1) / 2 };
    if (config->layers.n > 0) {
        REIN_TRY(own_layers(config, space, out));
        REIN_TRY(rein_net_spec_add(out, (rein_layer){.kind = REIN_LAYER_LINEAR, .units = n_out}));
    } else {
        int hidden[REIN_LIST_MAX];
        if (config->hidden.n > MAX_HIDDEN) {
            return rein_fail(REIN_ECONFIG, "net.hidden has %d layers, at most %d are possible",
                             config->hidden.n, MAX_HIDDEN);
        }
        for (int i = 0; i < config->hidden.n; i++) hidden[i] = (int)config->hidden.values[i];
        *out = rein_net_spec_mlp(space->size, hidden, config->hidden.n,
                                 (rein_activation)config->activation, n_out);
    }
    out->engine = (rein_engine_choice)config->engine;
    out->input_scale = space->dtype == REIN_U8 ? space->high : 1;
    const rein_status status = rein_net_check(out);
    if (status == REIN_OK) return REIN_OK;
    return rein_fail(status == REIN_EINVAL ? REIN_ECONFIG : status, "%s%s",
                     strncmp(rein_error_message(), "layers[", 7) == 0 ? "net." : "",
                     rein_error_message());
}
