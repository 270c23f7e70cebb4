// Gradients.
#include "nets/torch/internal.hpp"

using namespace rein;

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
