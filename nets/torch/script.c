#include "nets/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "nets/torch/engine.h"

rein_status rein_net_script_create(const char *name, const void *data, size_t size,
                                   rein_net_script **out)
{
    *out = NULL;
    if (size == 0 || size > REIN_NET_SCRIPT_MAX) {
        return rein_fail(REIN_EFORMAT, "%s has %zu bytes: a TorchScript file has 1 to %d", name,
                         size, REIN_NET_SCRIPT_MAX);
    }
    rein_net_script *script = malloc(sizeof *script + size);
    if (!script) return rein_fail(REIN_ENOMEM, "no memory for %s: %zu bytes", name, size);
    snprintf(script->name, sizeof script->name, "%s", name);
    script->size = size;
    memcpy(script->data, data, size);
    *out = script;
    return REIN_OK;
}

rein_status rein_net_script_read(const char *path, rein_net_script **out)
{
    void *data;
    size_t size;
    *out = NULL;
    REIN_TRY(rein_file_read(path, false, &data, &size));
    rein_status status = rein_net_script_create(path, data, size, out);
    free(data);
    return status;
}

void rein_net_script_free(rein_net_script *script)
{
    free(script);
}

rein_status rein_torch_script_load(const rein_net_script *script, rein_net_device device,
                                   rein_torch_module **out)
{
    rein_torch_module *module = NULL;
    const rein_torch_device on = device == REIN_NET_CPU ? REIN_TORCH_CPU : REIN_TORCH_CUDA;
    rein_status status = rein_torch_engine_ready(device);
    if (status == REIN_OK) {
        status = rein_torch_module_load_memory(script->data, script->size, on, &module);
    }
    if (status == REIN_OK) status = rein_torch_module_train(module, false);
    if (status != REIN_OK) {
        rein_torch_module_free(module);
        return rein_fail_in(status, "%s", script->name);
    }
    *out = module;
    return REIN_OK;
}

rein_status rein_torch_script_run(rein_torch_module *module, rein_tensor **t)
{
    enum { MOST = 8 };
    rein_tensor *outputs[MOST] = {NULL}, *const x = *t;
    int n = 0;
    REIN_TRY(rein_torch_module_forward(module, &x, 1, outputs, MOST, &n));
    if (n != 1) {
        for (int i = 0; i < n; i++) rein_tensor_free(outputs[i]);
        return rein_fail(REIN_EINVAL, "the script returns %d tensors: one [n, features] is wanted",
                         n);
    }
    rein_tensor_free(*t);
    *t = outputs[0];
    return REIN_OK;
}

/* ---- what a script is ------------------------------------------------------------------------ */

/* Is every parameter f32? How many numbers are they together? */
static rein_status count_params(const rein_torch_module *module, int64_t *total)
{
    int n = 0;
    *total = 0;
    REIN_TRY(rein_torch_module_n_parameters(module, &n));
    for (int i = 0; i < n; i++) {
        char name[128];
        rein_tensor *parameter = NULL;
        rein_torch_dtype dtype = REIN_TORCH_F32;
        int64_t numel = 0;
        REIN_TRY(rein_torch_module_parameter(module, i, name, sizeof name, &parameter));
        rein_status status = rein_tensor_dtype(parameter, &dtype);
        if (status == REIN_OK) status = rein_tensor_numel(parameter, &numel);
        rein_tensor_free(parameter);
        REIN_TRY(status);
        *total += numel;
        if (dtype != REIN_TORCH_F32 || *total > INT32_MAX) {
            return rein_fail(REIN_EINVAL, "parameter %s: %s", name,
                             dtype != REIN_TORCH_F32 ? "not float32 (in Python: net.float())"
                                                     : "too many numbers");
        }
    }
    return REIN_OK;
}

/* F of the output [2, F] for two rows of zeros. */
static rein_status find_features(rein_torch_module *module, int n_dims, const int *dims,
                                 int64_t *features)
{
    int64_t shape[REIN_TORCH_MAX_DIMS] = {2};
    rein_tensor *t = NULL;
    rein_torch_dtype dtype = REIN_TORCH_F32;
    int n = 0;
    for (int i = 0; i < n_dims; i++) shape[i + 1] = dims[i];
    REIN_TRY(rein_tensor_zeros(REIN_TORCH_F32, REIN_TORCH_CPU, shape, n_dims + 1, &t));
    rein_status status = rein_torch_script_run(module, &t);
    if (status == REIN_OK) status = rein_tensor_shape(t, shape, REIN_TORCH_MAX_DIMS, &n);
    if (status == REIN_OK) status = rein_tensor_dtype(t, &dtype);
    rein_tensor_free(t);
    REIN_TRY(status);
    if (n == 2 && shape[0] == 2 && shape[1] > 0 && dtype == REIN_TORCH_F32) {
        *features = shape[1];
        return REIN_OK;
    }
    char text[128] = "";
    for (int i = 0, at = 0; i < n && at < 100; i++) {
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%lld", i ? ", " : "",
                       (long long)shape[i]);
    }
    return rein_fail(REIN_EINVAL,
                     "the script makes [%s]%s of two rows: [2, features] in float32 "
                     "is wanted",
                     text, dtype == REIN_TORCH_F32 ? "" : " of another type");
}

rein_status rein_net_script_layer(const rein_net_script *script, int n_dims, const int *shape,
                                  rein_layer *out)
{
    rein_torch_module *module = NULL;
    int64_t n_params = 0, features = 0;
    REIN_TRY(rein_torch_script_load(script, REIN_NET_CPU, &module));
    rein_status status = count_params(module, &n_params);
    if (status == REIN_OK) status = find_features(module, n_dims, shape, &features);
    rein_torch_module_free(module);
    if (status != REIN_OK) return rein_fail_in(status, "%s", script->name);
    *out = (rein_layer){.kind = REIN_LAYER_SCRIPT, .units = (int)features, .values = (int)n_params};
    return REIN_OK;
}

rein_status rein_net_script_params(const rein_net_script *script, size_t n, float *params)
{
    rein_torch_module *module = NULL;
    int count = 0;
    size_t at = 0;
    REIN_TRY(rein_torch_script_load(script, REIN_NET_CPU, &module));
    rein_status status = rein_torch_module_n_parameters(module, &count);
    for (int i = 0; i < count && status == REIN_OK; i++) {
        rein_tensor *parameter = NULL;
        int64_t numel = 0;
        status = rein_torch_module_parameter(module, i, NULL, 0, &parameter);
        if (status == REIN_OK) status = rein_tensor_numel(parameter, &numel);
        if (status == REIN_OK && at + (size_t)numel > n) {
            status = rein_fail(REIN_EINVAL, "has more parameters than its layer");
        }
        if (status == REIN_OK) status = rein_torch_fetch(parameter, (size_t)numel, params + at);
        at += (size_t)numel;
        rein_tensor_free(parameter);
    }
    rein_torch_module_free(module);
    return status == REIN_OK ? REIN_OK : rein_fail_in(status, "%s", script->name);
}
