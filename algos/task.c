#include "algos/task.h"

#include <string.h>

#include "nets/layers.h"
#include "nets/script.h"

/* Multi-layer perceptron of net.hidden and net.activation. */
static rein_status hidden_layers(const rein_net_config *config, const rein_observation_space *space,
                                 rein_net_spec *out)
{
    enum { MAX_HIDDEN = (REIN_MAX_LAYERS - 1) / 2 };
    int hidden[REIN_LIST_MAX];
    if (config->hidden.n > MAX_HIDDEN) {
        return rein_fail(REIN_ECONFIG, "net.hidden has %d layers, at most %d are possible",
                         config->hidden.n, MAX_HIDDEN);
    }
    for (int i = 0; i < config->hidden.n; i++) hidden[i] = (int)config->hidden.values[i];
    *out = rein_net_spec_mlp(space->size, hidden, config->hidden.n,
                             (rein_activation)config->activation, 1);
    out->n_layers--; /* the output's */
    return REIN_OK;
}

/* net.script and net.layers. */
static rein_status own_layers(const rein_task *task, const rein_observation_space *space,
                              rein_net_spec *out)
{
    const rein_net_config *config = &task->net;
    *out = (rein_net_spec){.n_dims = 1, .shape = {space->size}};
    if (space->n_dims <= REIN_NET_DIMS) {
        out->n_dims = space->n_dims;
        for (int i = 0; i < space->n_dims; i++) out->shape[i] = space->shape[i];
    }
    if (task->script) {
        out->script = task->script;
        rein_status status =
            rein_net_script_layer(task->script, out->n_dims, out->shape, &out->layers[0]);
        if (status != REIN_OK) {
            return rein_fail(status == REIN_EINVAL ? REIN_ECONFIG : status, "net.script: %s",
                             rein_error_message());
        }
        out->n_layers = 1;
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

/* All layers but the output's. */
static rein_status body(const rein_task *task, const rein_observation_space *space,
                        rein_net_spec *out)
{
    const rein_net_config *config = &task->net;
    if (task->script || config->layers.n > 0) {
        REIN_TRY(own_layers(task, space, out));
    } else {
        REIN_TRY(hidden_layers(config, space, out));
    }
    out->engine = (rein_engine_choice)config->engine;
    out->device = (rein_net_device)config->device;
    out->input_scale = space->dtype == REIN_U8 ? space->high : 1;
    return REIN_OK;
}

static rein_status add_output(rein_net_spec *out, int n_out)
{
    const rein_layer output = {.kind = REIN_LAYER_LINEAR, .units = n_out};
    if (rein_net_spec_add(out, output) == REIN_OK) return REIN_OK;
    return rein_fail(REIN_ECONFIG, "net.layers leaves no room for the outputs: %s",
                     rein_error_message());
}

/* rein_net_check, its words made those of the config. */
static rein_status check(const rein_net_spec *spec)
{
    const rein_status status = rein_net_check(spec);
    if (status == REIN_OK) return REIN_OK;
    return rein_fail(status == REIN_EINVAL ? REIN_ECONFIG : status, "%s%s",
                     strncmp(rein_error_message(), "layers[", 7) == 0 ? "net." : "",
                     rein_error_message());
}

rein_status rein_task_net(const rein_task *task, const rein_observation_space *space, int n_out,
                          rein_net_spec *out)
{
    REIN_TRY(body(task, space, out));
    REIN_TRY(add_output(out, n_out));
    return check(out);
}

rein_status rein_task_recurrent_net(const rein_task *task, const rein_observation_space *space,
                                    rein_layer cell, int n_out, rein_net_spec *out)
{
    REIN_TRY(body(task, space, out));
    const rein_layer_kind last =
        out->n_layers > 0 ? out->layers[out->n_layers - 1].kind : REIN_LAYER_LINEAR;
    if (last != REIN_LAYER_LSTM && last != REIN_LAYER_GRU) {
        if (rein_net_spec_add(out, cell) != REIN_OK) {
            return rein_fail(REIN_ECONFIG, "net.layers leaves no room for the recurrent cell: %s",
                             rein_error_message());
        }
    }
    rein_net_spec encoder = *out; /* what runs as a network of its own, and where */
    encoder.n_layers--;
    if (encoder.n_layers > 0) REIN_TRY(check(&encoder));
    return add_output(out, n_out);
}
