// Optimizers and their files.
#include "nets/torch/archive.hpp"

#include <torch/serialize.h>

#include <cmath>
#include <sstream>

using namespace rein;

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
        made->options = *options;
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
        optimizer->options.lr = lr;
        for (auto &group : optimizer->optimizer->param_groups()) {
            switch (optimizer->options.kind) {
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

// What the state of a parameter is kept under: text in libtorch 1 and 2.0, a pointer later.
[[maybe_unused]] static void key_of(void *p, std::string &key)
{
    std::ostringstream text;
    text << p;
    key = text.str();
}
[[maybe_unused]] static void key_of(void *p, void *&key)
{
    key = p;
}

// NULL when there is none.
static const torch::optim::OptimizerParamState *state_of(torch::optim::Optimizer &optimizer,
                                                         const at::Tensor &p)
{
    typename std::decay_t<decltype(optimizer.state())>::key_type key{};
    key_of(p.unsafeGetTensorImpl(), key);
    auto found = optimizer.state().find(key);
    return found == optimizer.state().end() ? nullptr : found->second.get();
}

static std::vector<at::Tensor> moments_of(const torch::optim::OptimizerParamState &state,
                                          rein_torch_optimizer_kind kind)
{
    switch (kind) {
    case REIN_TORCH_SGD:
        return {static_cast<const torch::optim::SGDParamState &>(state).momentum_buffer()};
    case REIN_TORCH_ADAM: {
        auto &adam = static_cast<const torch::optim::AdamParamState &>(state);
        return {adam.exp_avg(), adam.exp_avg_sq()};
    }
    case REIN_TORCH_ADAMW: {
        auto &adamw = static_cast<const torch::optim::AdamWParamState &>(state);
        return {adamw.exp_avg(), adamw.exp_avg_sq()};
    }
    case REIN_TORCH_RMSPROP: {
        auto &rms = static_cast<const torch::optim::RMSpropParamState &>(state);
        return {rms.square_avg(), rms.momentum_buffer(), rms.grad_avg()};
    }
    }
    return {};
}

// libtorch takes moments of any shape, and stumbles over them at the next step.
static void check_moments(const char *path, torch::optim::Optimizer &optimizer,
                          const rein_torch_optimizer &of)
{
    for (size_t i = 0; i < of.parameters.size(); i++) {
        const at::Tensor &p = of.parameters[i];
        auto *state = state_of(optimizer, p);
        if (!state) continue;
        for (const at::Tensor &m : moments_of(*state, of.options.kind)) {
            if (!m.defined() || (m.sizes() == p.sizes() && m.dtype() == p.dtype())) continue;
            refuse(REIN_EFORMAT, "%s: moments of parameter %zu are %s %s, it is %s %s", path, i,
                   name_of(m.scalar_type()), shape_text(m).c_str(), name_of(p.scalar_type()),
                   shape_text(p).c_str());
        }
    }
}

rein_status rein_torch_optimizer_load(rein_torch_optimizer *optimizer, const char *path)
{
    return guard(__func__, [&] {
        NEED(optimizer);
        std::istringstream stream(read_archive(path));
        auto fresh = make(optimizer->options, optimizer->parameters); // the old one until all fits
        reading(path, [&] {
            torch::serialize::InputArchive archive;
            archive.load_from(stream);
            fresh->load(archive);
        });
        check_moments(path, *fresh, *optimizer);
        optimizer->optimizer = std::move(fresh);
    });
}
