// Gradients, state files, TorchScript, optimizers.
#include "nets/torch/internal.hpp"

#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/serialize.h>

#include <cmath>
#include <cstring>
#include <sstream>

using namespace rein;

// --- gradients
// -------------------------------------------------------------------------------------

rein_status rein_tensor_require_grad(rein_tensor *a, bool required)
{
    return guard(__func__, [&] {
        if (required) need_floating(T(a), "a");
        T(a).set_requires_grad(required);
    });
}

rein_status rein_tensor_requires_grad(const rein_tensor *a, bool *out)
{
    return guard(__func__, [&] { *NEED(out) = T(a).requires_grad(); });
}

// The gradient to start from: the caller's, checked, or 1.
static at::Tensor start_of(const at::Tensor &a, const rein_tensor *grad, const char *name)
{
    if (!grad) {
        if (a.numel() != 1) {
            refuse(REIN_EINVAL, "%s is NULL for an output of %s", name, shape_text(a).c_str());
        }
        return at::ones_like(a);
    }
    need_same_shape(a, grad->tensor, "the output", name);
    need_type(grad->tensor, a.scalar_type(), name);
    return grad->tensor;
}

rein_status rein_tensor_backward(const rein_tensor *a, const rein_tensor *grad, bool keep)
{
    return guard(__func__, [&] {
        const at::Tensor &t = T(a);
        if (!t.requires_grad()) refuse(REIN_EINVAL, "a came from nothing that requires a gradient");
        t.backward(start_of(t, grad, "grad"), keep, false);
    });
}

rein_status rein_tensor_grad(const rein_tensor *a, rein_tensor **out)
{
    return guard(__func__, [&] {
        at::Tensor grad = T(a).is_leaf() ? a->tensor.grad() : at::Tensor();
        if (!grad.defined()) refuse(REIN_EEMPTY, "a has collected no gradient");
        GIVE(out, grad);
    });
}

rein_status rein_tensor_set_grad(rein_tensor *a, const rein_tensor *grad)
{
    return guard(__func__, [&] {
        at::Tensor t = T(a);
        if (!t.is_leaf()) refuse(REIN_EINVAL, "a is not a leaf");
        if (grad) {
            need_same_shape(t, grad->tensor, "a", "grad");
            need_type(grad->tensor, t.scalar_type(), "grad");
            if (grad->tensor.device() != t.device()) {
                refuse(REIN_EINVAL, "grad is on another device");
            }
        }
        t.mutable_grad() = grad ? grad->tensor.detach() : at::Tensor();
    });
}

rein_status rein_tensor_zero_grad(rein_tensor *a)
{
    return guard(__func__, [&] {
        at::Tensor t = T(a);
        at::NoGradGuard no_grad;
        if (t.is_leaf() && t.grad().defined()) t.mutable_grad().zero_();
    });
}

rein_status rein_tensor_set_data(rein_tensor *a, const rein_tensor *other)
{
    return guard(__func__, [&] {
        at::Tensor t = T(a);
        const at::Tensor &from = T(other);
        if (!t.is_leaf()) refuse(REIN_EINVAL, "a is not a leaf");
        need_same_shape(t, from, "a", "other");
        need_type(from, t.scalar_type(), "other");
        if (from.device() != t.device()) refuse(REIN_EINVAL, "other is on another device");
        t.set_data(from.detach());
    });
}

rein_status rein_torch_gradients(rein_tensor *const *outputs, rein_tensor *const *grads,
                                 int n_outputs, rein_tensor *const *inputs, int n_inputs, bool keep,
                                 bool differentiable, rein_tensor **result)
{
    return guard(__func__, [&] {
        auto ys = list_of(NEED(outputs), n_outputs, "outputs");
        auto xs = list_of(NEED(inputs), n_inputs, "inputs");
        NEED(result);
        if (ys.empty() || xs.empty()) refuse(REIN_EINVAL, "no outputs or no inputs");
        std::vector<at::Tensor> starts;
        for (size_t i = 0; i < ys.size(); i++) {
            starts.push_back(start_of(ys[i], grads ? grads[i] : nullptr, "grads"));
        }
        auto found =
            torch::autograd::grad(ys, xs, starts, keep || differentiable, differentiable, true);
        std::vector<handle> handles;
        for (auto &g : found) handles.push_back(g.defined() ? wrap(g) : nullptr);
        for (size_t i = 0; i < handles.size(); i++) result[i] = handles[i].release();
    });
}

// --- files
// -----------------------------------------------------------------------------------------

static void write_file(const char *path, const std::string &bytes)
{
    rein_status status = host.write_file(path, bytes.data(), bytes.size());
    if (status != REIN_OK) throw status; // its message stands already
}

// write_file's status comes through as it is.
template <class work> static rein_status guard_file(const char *function, work &&body)
{
    rein_status status = REIN_OK;
    rein_status other = guard(function, [&] {
        try {
            body();
        } catch (rein_status failed) {
            status = failed;
        }
    });
    return other != REIN_OK ? other : status;
}

// Whatever libtorch says of the bytes, the file is at fault.
template <class work> static auto reading(const char *path, work &&body)
{
    try {
        return body();
    } catch (const c10::Error &e) {
        std::string text = e.what_without_backtrace();
        refuse(REIN_EFORMAT, "%s: %s", path, text.substr(0, text.find('\n')).c_str());
    } catch (const std::bad_alloc &) {
        throw;
    } catch (const std::exception &e) {
        std::string text = e.what();
        refuse(REIN_EFORMAT, "%s: %s", path, text.substr(0, text.find('\n')).c_str());
    }
}

rein_status rein_torch_state_save(const char *path, const char *const *names,
                                  rein_tensor *const *tensors, int n)
{
    return guard_file(__func__, [&] {
        NEED(path);
        NEED(names);
        auto list = list_of(NEED(tensors), n, "tensors");
        c10::impl::GenericDict state(c10::StringType::get(), c10::TensorType::get());
        for (int i = 0; i < n; i++) {
            if (!names[i] || !names[i][0]) refuse(REIN_EINVAL, "names[%d] is empty", i);
            if (!state.insert(std::string(names[i]), list[static_cast<size_t>(i)].detach())
                     .second) {
                refuse(REIN_EINVAL, "names[%d] '%s' is there already", i, names[i]);
            }
        }
        auto bytes = torch::pickle_save(state);
        write_file(path, std::string(bytes.begin(), bytes.end()));
    });
}

rein_status rein_torch_state_load(const char *path, const char *const *names, int n,
                                  rein_tensor **tensors)
{
    return guard(__func__, [&] {
        NEED(path);
        NEED(names);
        NEED(tensors);
        auto bytes = read_file(path);
        auto value = reading(path, [&] { return torch::pickle_load(bytes); });
        if (!value.isGenericDict()) refuse(REIN_EFORMAT, "%s holds no dictionary", path);
        auto state = value.toGenericDict();
        std::vector<handle> handles;
        for (int i = 0; i < n; i++) {
            auto found = state.find(std::string(need(names[i], "a name")));
            if (found == state.end() || !found->value().isTensor()) {
                refuse(REIN_EFORMAT, "%s holds no tensor '%s'", path, names[i]);
            }
            handles.push_back(wrap(found->value().toTensor().cpu()));
        }
        for (size_t i = 0; i < handles.size(); i++) tensors[i] = handles[i].release();
    });
}

// --- TorchScript
// -----------------------------------------------------------------------------------

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
        auto bytes = read_file(path);
        *out = new rein_torch_module(module_of(path, {bytes.begin(), bytes.end()}, where));
    });
}

rein_status rein_torch_module_load_memory(const void *data, size_t size, rein_torch_device device,
                                          rein_torch_module **out)
{
    return guard(__func__, [&] {
        const char *bytes = static_cast<const char *>(NEED(data));
        NEED(out);
        *out = new rein_torch_module(module_of("data", {bytes, size}, device_of(device)));
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

// --- optimizers
// ------------------------------------------------------------------------------------

static double or_else(double value, double otherwise)
{
    return value != 0 ? value : otherwise;
}

static std::unique_ptr<torch::optim::Optimizer> make(const rein_torch_optimizer_options &o,
                                                     const std::vector<at::Tensor> &parameters)
{
    auto betas = std::make_tuple(or_else(o.beta1, 0.9), or_else(o.beta2, 0.999));
    double eps = or_else(o.eps, 1e-8);
    switch (o.kind) {
    case REIN_TORCH_SGD:
        return std::make_unique<torch::optim::SGD>(
            parameters,
            torch::optim::SGDOptions(o.lr).momentum(o.momentum).weight_decay(o.weight_decay));
    case REIN_TORCH_ADAM:
        return std::make_unique<torch::optim::Adam>(
            parameters,
            torch::optim::AdamOptions(o.lr).betas(betas).eps(eps).weight_decay(o.weight_decay));
    case REIN_TORCH_ADAMW:
        return std::make_unique<torch::optim::AdamW>(
            parameters,
            torch::optim::AdamWOptions(o.lr).betas(betas).eps(eps).weight_decay(o.weight_decay));
    case REIN_TORCH_RMSPROP:
        return std::make_unique<torch::optim::RMSprop>(parameters,
                                                       torch::optim::RMSpropOptions(o.lr)
                                                           .alpha(or_else(o.alpha, 0.99))
                                                           .eps(eps)
                                                           .momentum(o.momentum)
                                                           .weight_decay(o.weight_decay)
                                                           .centered(o.centered));
    }
    refuse(REIN_EINVAL, "no optimizer %d", static_cast<int>(o.kind));
}

static void check_lr(double lr)
{
    if (!(lr > 0) || !std::isfinite(lr)) refuse(REIN_EINVAL, "lr is %g", lr);
}

rein_status rein_torch_optimizer_create(const rein_torch_optimizer_options *options,
                                        rein_tensor *const *parameters, int n,
                                        rein_torch_optimizer **out)
{
    return guard(__func__, [&] {
        NEED(options);
        NEED(out);
        auto list = list_of(NEED(parameters), n, "parameters");
        if (list.empty()) refuse(REIN_EINVAL, "no parameters");
        check_lr(options->lr);
        for (size_t i = 0; i < list.size(); i++) {
            if (list[i].is_leaf() && list[i].requires_grad()) continue;
            refuse(REIN_EINVAL, "parameters[%zu] is not a leaf that requires a gradient", i);
        }
        auto made = std::make_unique<rein_torch_optimizer>();
        made->optimizer = make(*options, list);
        made->kind = options->kind;
        made->parameters = list;
        *out = made.release();
    });
}

void rein_torch_optimizer_free(rein_torch_optimizer *optimizer)
{
    delete optimizer;
}

rein_status rein_torch_optimizer_step(rein_torch_optimizer *optimizer)
{
    return guard(__func__, [&] { NEED(optimizer)->optimizer->step(); });
}

rein_status rein_torch_optimizer_zero_grad(rein_torch_optimizer *optimizer)
{
    return guard(__func__, [&] {
        NEED(optimizer);
        at::NoGradGuard no_grad; // in place: the gradients may be borrowed
        for (at::Tensor &t : optimizer->parameters) {
            if (t.grad().defined()) t.mutable_grad().zero_();
        }
    });
}

rein_status rein_torch_optimizer_set_lr(rein_torch_optimizer *optimizer, double lr)
{
    return guard(__func__, [&] {
        NEED(optimizer);
        check_lr(lr);
        for (auto &group : optimizer->optimizer->param_groups()) {
            switch (optimizer->kind) {
            case REIN_TORCH_SGD:
                static_cast<torch::optim::SGDOptions &>(group.options()).lr(lr);
                break;
            case REIN_TORCH_ADAM:
                static_cast<torch::optim::AdamOptions &>(group.options()).lr(lr);
                break;
            case REIN_TORCH_ADAMW:
                static_cast<torch::optim::AdamWOptions &>(group.options()).lr(lr);
                break;
            case REIN_TORCH_RMSPROP:
                static_cast<torch::optim::RMSpropOptions &>(group.options()).lr(lr);
                break;
            }
        }
    });
}

rein_status rein_torch_optimizer_save(const rein_torch_optimizer *optimizer, const char *path)
{
    return guard_file(__func__, [&] {
        NEED(optimizer);
        NEED(path);
        std::ostringstream stream;
        torch::serialize::OutputArchive archive;
        optimizer->optimizer->save(archive);
        archive.save_to(stream);
        write_file(path, stream.str());
    });
}

rein_status rein_torch_optimizer_load(rein_torch_optimizer *optimizer, const char *path)
{
    return guard(__func__, [&] {
        NEED(optimizer);
        NEED(path);
        auto bytes = read_file(path);
        std::istringstream stream(std::string(bytes.begin(), bytes.end()));
        reading(path, [&] {
            torch::serialize::InputArchive archive;
            archive.load_from(stream);
            optimizer->optimizer->load(archive);
        });
    });
}
