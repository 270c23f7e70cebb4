// TorchScript: networks written in Python.
#include "nets/torch/archive.hpp"

#include <torch/csrc/jit/runtime/graph_executor.h>

#include <sstream>

using namespace rein;

// name: what the bytes are called in messages
static torch::jit::Module module_of(const char *name, std::string bytes, at::Device device)
{
    std::istringstream stream(std::move(bytes));
    return reading(name, [&] { return torch::jit::load(stream, device); });
}

rein_status rein_torch_module_load(const char *path, rein_torch_device device,
                                   rein_torch_module **out)
{
    return guard(__func__, [&] {
        NEED(path);
        NEED(out);
        at::Device where = device_of(device);
        *out = new rein_torch_module(module_of(path, read_archive(path), where));
    });
}

rein_status rein_torch_module_load_memory(const void *data, size_t size, rein_torch_device device,
                                          rein_torch_module **out)
{
    return guard(__func__, [&] {
        std::string bytes(static_cast<const char *>(NEED(data)), size);
        NEED(out);
        at::Device where = device_of(device);
        check_archive("data", bytes);
        *out = new rein_torch_module(module_of("data", std::move(bytes), where));
    });
}

rein_status rein_torch_module_save(const rein_torch_module *module, const char *path)
{
    return guard_file(__func__, [&] {
        NEED(module);
        NEED(path);
        std::ostringstream stream;
        module->module.save(stream);
        write_file(path, stream.str());
    });
}

rein_status rein_torch_module_clone(const rein_torch_module *module, rein_torch_module **out)
{
    return guard(__func__, [&] {
        NEED(module);
        NEED(out);
        torch::jit::Module copy;
        {
            at::NoGradGuard no_grad; // or the copies would lead back to the originals
            copy = module->module.deepcopy();
        }
        auto from = module->module.parameters().begin();
        for (at::Tensor t : copy.parameters()) {
            t.set_requires_grad((*from).requires_grad());
            ++from;
        }
        *out = new rein_torch_module(copy);
    });
}

void rein_torch_module_free(rein_torch_module *module)
{
    delete module;
}

// A tensor, or a tuple or list of tensors.
static std::vector<handle> results_of(const c10::IValue &value)
{
    std::vector<handle> handles;
    if (value.isTensor()) {
        handles.push_back(wrap(value.toTensor()));
    } else if (value.isTensorList()) {
        for (const at::Tensor &t : value.toTensorVector()) handles.push_back(wrap(t));
    } else if (value.isTuple()) {
        for (const auto &part : value.toTuple()->elements()) {
            if (!part.isTensor()) refuse(REIN_EINVAL, "forward returns %s", part.tagKind().c_str());
            handles.push_back(wrap(part.toTensor()));
        }
    } else {
        refuse(REIN_EINVAL, "forward returns %s, not tensors", value.tagKind().c_str());
    }
    return handles;
}

rein_status rein_torch_module_forward(rein_torch_module *module, rein_tensor *const *inputs,
                                      int n_inputs, rein_tensor **outputs, int max_outputs,
                                      int *n_outputs)
{
    return guard(__func__, [&] {
        NEED(module);
        NEED(outputs);
        NEED(n_outputs);
        std::vector<c10::IValue> arguments;
        for (auto &t : list_of(inputs, n_inputs, "inputs")) arguments.emplace_back(t);
        // No profiling runs first, no fused kernels later: every call computes the same way.
        torch::jit::GraphOptimizerEnabledGuard plain(false);
        auto handles = results_of(module->module.forward(std::move(arguments)));
        if (handles.size() > static_cast<size_t>(std::max(max_outputs, 0))) {
            refuse(REIN_EINVAL, "forward returns %zu tensors, room for %d", handles.size(),
                   max_outputs);
        }
        for (size_t i = 0; i < handles.size(); i++) outputs[i] = handles[i].release();
        *n_outputs = static_cast<int>(handles.size());
    });
}

rein_status rein_torch_module_n_parameters(const rein_torch_module *module, int *out)
{
    return guard(__func__,
                 [&] { *NEED(out) = static_cast<int>(NEED(module)->module.parameters().size()); });
}

rein_status rein_torch_module_parameter(const rein_torch_module *module, int i, char *name,
                                        size_t size, rein_tensor **out)
{
    return guard(__func__, [&] {
        NEED(module);
        NEED(out);
        int at = 0;
        for (const auto &parameter : module->module.named_parameters()) {
            if (at++ != i) continue;
            handle found = wrap(parameter.value);
            if (name && size) snprintf(name, size, "%s", parameter.name.c_str());
            *out = found.release();
            return;
        }
        refuse(REIN_EINVAL, "no parameter %d of %d", i, at);
    });
}

rein_status rein_torch_module_train(rein_torch_module *module, bool train)
{
    return guard(__func__, [&] { NEED(module)->module.train(train); });
}

rein_status rein_torch_module_to(rein_torch_module *module, rein_torch_dtype dtype,
                                 rein_torch_device device)
{
    return guard(__func__, [&] {
        NEED(module);
        if (dtype != REIN_TORCH_F32 && dtype != REIN_TORCH_F64) {
            refuse(REIN_EINVAL, "dtype is %s, not f32 or f64", name_of(type_of(dtype)));
        }
        at::ScalarType type = type_of(dtype);
        at::Device where = device_of(device);
        at::NoGradGuard no_grad;
        for (at::Tensor t : module->module.parameters()) {
            t.set_data(t.to(where, t.is_floating_point() ? type : t.scalar_type()));
        }
        for (at::Tensor t : module->module.buffers()) {
            t.set_data(t.to(where, t.is_floating_point() ? type : t.scalar_type()));
        }
    });
}
