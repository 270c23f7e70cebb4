// Layers and losses.
#include "nets/torch/internal.hpp"

#include <cmath>

using namespace rein;

rein_status rein_tensor_softmax(const rein_tensor *a, int dim, rein_tensor **out)
{
    return guard(__func__, [&] {
        need_floating(T(a), "a");
        GIVE(out, at::softmax(a->tensor, dim));
    });
}

rein_status rein_tensor_log_softmax(const rein_tensor *a, int dim, rein_tensor **out)
{
    return guard(__func__, [&] {
        need_floating(T(a), "a");
        GIVE(out, at::log_softmax(a->tensor, dim));
    });
}

rein_status rein_tensor_linear(const rein_tensor *x, const rein_tensor *weight,
                               const rein_tensor *bias, rein_tensor **out)
{
    return guard(__func__, [&] {
        const at::Tensor &w = T(weight);
        need_shape(w, {-1, -1}, "weight");
        need_shape(maybe(bias), {w.size(0)}, "bias");
        if (T(x).dim() == 0 || x->tensor.size(-1) != w.size(1)) {
            refuse(REIN_EINVAL, "x is %s, but weight is %s", shape_text(x->tensor).c_str(),
                   shape_text(w).c_str());
        }
        GIVE(out, at::linear(x->tensor, w, optional(bias)));
    });
}

// Two numbers from `least` up, or what NULL stands for.
static std::vector<int64_t> pair_of(const int64_t *pair, int64_t otherwise, int64_t least,
                                    const char *name)
{
    std::vector<int64_t> two(2, otherwise);
    if (pair) two.assign(pair, pair + 2);
    for (int64_t n : two) {
        if (n < least) refuse(REIN_EINVAL, "%s of %lld", name, static_cast<long long>(n));
    }
    return two;
}

rein_status rein_tensor_conv2d(const rein_tensor *x, const rein_tensor *weight,
                               const rein_tensor *bias, const int64_t *stride,
                               const int64_t *padding, const int64_t *dilation, int64_t groups,
                               rein_tensor **out)
{
    return guard(__func__, [&] {
        const at::Tensor &w = T(weight);
        need_shape(w, {-1, -1, -1, -1}, "weight");
        if (groups < 1) refuse(REIN_EINVAL, "%lld groups", static_cast<long long>(groups));
        need_shape(T(x), {-1, groups * w.size(1), -1, -1}, "x");
        need_shape(maybe(bias), {w.size(0)}, "bias");
        GIVE(out, at::conv2d(x->tensor, w, optional(bias), pair_of(stride, 1, 1, "stride"),
                             pair_of(padding, 0, 0, "padding"), pair_of(dilation, 1, 1, "dilation"),
                             groups));
    });
}

rein_status rein_tensor_max_pool2d(const rein_tensor *x, const int64_t *kernel,
                                   const int64_t *stride, const int64_t *padding, rein_tensor **out)
{
    return guard(__func__, [&] {
        need_shape(T(x), {-1, -1, -1, -1}, "x");
        auto size = pair_of(NEED(kernel), 1, 1, "kernel");
        auto step = stride ? pair_of(stride, 1, 1, "stride") : size;
        GIVE(out, at::max_pool2d(x->tensor, size, step, pair_of(padding, 0, 0, "padding")));
    });
}

rein_status rein_tensor_avg_pool2d(const rein_tensor *x, const int64_t *kernel,
                                   const int64_t *stride, const int64_t *padding, rein_tensor **out)
{
    return guard(__func__, [&] {
        need_shape(T(x), {-1, -1, -1, -1}, "x");
        auto size = pair_of(NEED(kernel), 1, 1, "kernel");
        auto step = stride ? pair_of(stride, 1, 1, "stride") : size;
        GIVE(out, at::avg_pool2d(x->tensor, size, step, pair_of(padding, 0, 0, "padding")));
    });
}

rein_status rein_tensor_layer_norm(const rein_tensor *x, int n_dims, const rein_tensor *weight,
                                   const rein_tensor *bias, double eps, rein_tensor **out)
{
    return guard(__func__, [&] {
        const at::Tensor &t = T(x);
        if (n_dims < 1 || n_dims > t.dim()) {
            refuse(REIN_EINVAL, "the last %d dims of x, which is %s", n_dims,
                   shape_text(t).c_str());
        }
        if (!(eps > 0)) refuse(REIN_EINVAL, "eps is %g", eps);
        auto last = t.sizes().slice(static_cast<size_t>(t.dim() - n_dims));
        GIVE(out, at::layer_norm(t, last, optional(weight), optional(bias), eps));
    });
}

rein_status rein_tensor_embedding(const rein_tensor *weight, const rein_tensor *index,
                                  rein_tensor **out)
{
    return guard(__func__, [&] {
        need_shape(T(weight), {-1, -1}, "weight");
        need_type(T(index), at::kLong, "index");
        GIVE(out, at::embedding(weight->tensor, index->tensor));
    });
}

// --- recurrence
// ------------------------------------------------------------------------------------

// Weights of one recurrent layer: `gates` H rows each, biases both or none.
static void check_cell(const at::Tensor &w_ih, const at::Tensor &w_hh, const at::Tensor &b_ih,
                       const at::Tensor &b_hh, int64_t inputs, int64_t units, int64_t gates)
{
    need_shape(w_ih, {gates * units, inputs}, "w_ih");
    need_shape(w_hh, {gates * units, units}, "w_hh");
    if (b_ih.defined() != b_hh.defined()) {
        refuse(REIN_EINVAL, "%s is NULL, the other bias is not", b_ih.defined() ? "b_hh" : "b_ih");
    }
    need_shape(b_ih, {gates * units}, "b_ih");
    need_shape(b_hh, {gates * units}, "b_hh");
}

rein_status rein_tensor_lstm_cell(const rein_tensor *x, const rein_tensor *h, const rein_tensor *c,
                                  const rein_tensor *w_ih, const rein_tensor *w_hh,
                                  const rein_tensor *b_ih, const rein_tensor *b_hh,
                                  rein_tensor **h_out, rein_tensor **c_out)
{
    return guard(__func__, [&] {
        need_shape(T(x), {-1, -1}, "x");
        int64_t rows = x->tensor.size(0);
        need_shape(T(h), {rows, -1}, "h");
        int64_t units = h->tensor.size(1);
        need_shape(T(c), {rows, units}, "c");
        check_cell(T(w_ih), T(w_hh), maybe(b_ih), maybe(b_hh), x->tensor.size(1), units, 4);
        NEED(h_out);
        NEED(c_out);
        auto pair = at::lstm_cell(x->tensor, {h->tensor, c->tensor}, w_ih->tensor, w_hh->tensor,
                                  optional(b_ih), optional(b_hh));
        handle h_new = wrap(std::get<0>(pair)), c_new = wrap(std::get<1>(pair));
        *h_out = h_new.release();
        *c_out = c_new.release();
    });
}

rein_status rein_tensor_gru_cell(const rein_tensor *x, const rein_tensor *h,
                                 const rein_tensor *w_ih, const rein_tensor *w_hh,
                                 const rein_tensor *b_ih, const rein_tensor *b_hh,
                                 rein_tensor **h_out)
{
    return guard(__func__, [&] {
        need_shape(T(x), {-1, -1}, "x");
        need_shape(T(h), {x->tensor.size(0), -1}, "h");
        check_cell(T(w_ih), T(w_hh), maybe(b_ih), maybe(b_hh), x->tensor.size(1), h->tensor.size(1),
                   3);
        GIVE(h_out, at::gru_cell(x->tensor, h->tensor, w_ih->tensor, w_hh->tensor, optional(b_ih),
                                 optional(b_hh)));
    });
}

// The weights of a stack of recurrent layers over x [T, N, I] with states h [L, N, H].
static std::vector<at::Tensor> stack_of(const at::Tensor &x, const at::Tensor &h,
                                        rein_tensor *const *weights, int n_layers, int64_t gates)
{
    if (n_layers < 1 || n_layers > 1024) refuse(REIN_EINVAL, "%d layers", n_layers);
    need_shape(x, {-1, -1, -1}, "x");
    if (x.size(0) < 1) refuse(REIN_EINVAL, "x is %s: no step", shape_text(x).c_str());
    need_shape(h, {n_layers, x.size(1), -1}, "h");
    auto list = list_of(weights, 4 * n_layers, "weights");
    for (size_t i = 0; i < list.size(); i += 4) {
        check_cell(list[i], list[i + 1], list[i + 2], list[i + 3], i ? h.size(2) : x.size(2),
                   h.size(2), gates);
    }
    return list;
}

rein_status rein_tensor_lstm(const rein_tensor *x, const rein_tensor *h, const rein_tensor *c,
                             rein_tensor *const *weights, int n_layers, rein_tensor **y,
                             rein_tensor **h_out, rein_tensor **c_out)
{
    return guard(__func__, [&] {
        auto list = stack_of(T(x), T(h), NEED(weights), n_layers, 4);
        need_same_shape(h->tensor, T(c), "h", "c");
        NEED(y);
        NEED(h_out);
        NEED(c_out);
        auto three = at::lstm(x->tensor, {h->tensor, c->tensor}, list, true, n_layers, 0.0, false,
                              false, false);
        handle out = wrap(std::get<0>(three)), h_new = wrap(std::get<1>(three)),
               c_new = wrap(std::get<2>(three));
        *y = out.release();
        *h_out = h_new.release();
        *c_out = c_new.release();
    });
}

rein_status rein_tensor_gru(const rein_tensor *x, const rein_tensor *h, rein_tensor *const *weights,
                            int n_layers, rein_tensor **y, rein_tensor **h_out)
{
    return guard(__func__, [&] {
        auto list = stack_of(T(x), T(h), NEED(weights), n_layers, 3);
        NEED(y);
        NEED(h_out);
        auto pair = at::gru(x->tensor, h->tensor, list, true, n_layers, 0.0, false, false, false);
        handle out = wrap(std::get<0>(pair)), h_new = wrap(std::get<1>(pair));
        *y = out.release();
        *h_out = h_new.release();
    });
}

// --- attention
// -------------------------------------------------------------------------------------

// [B, S, E] times rows [first, first + E) of the input weights, as [B, heads, S, E / heads].
static at::Tensor project(const at::Tensor &x, const at::Tensor &w, const at::Tensor &b,
                          int64_t first, int64_t heads)
{
    int64_t width = x.size(2);
    at::Tensor y = at::linear(x, w.narrow(0, first, width), b.narrow(0, first, width));
    return y.view({x.size(0), x.size(1), heads, width / heads}).transpose(1, 2);
}

rein_status rein_tensor_attention(const rein_tensor *query, const rein_tensor *key,
                                  const rein_tensor *in_w, const rein_tensor *in_b,
                                  const rein_tensor *out_w, const rein_tensor *out_b, int heads,
                                  const rein_tensor *mask, bool causal, rein_tensor **out,
                                  rein_tensor **attention)
{
    return guard(__func__, [&] {
        const at::Tensor &q_in = T(query), &k_in = T(key);
        NEED(out);
        need_shape(q_in, {-1, -1, -1}, "query");
        int64_t batch = q_in.size(0), steps = q_in.size(1), width = q_in.size(2);
        need_shape(k_in, {batch, causal ? steps : -1, width}, "key");
        if (heads < 1 || width < 1 || width % heads != 0) {
            refuse(REIN_EINVAL, "%d heads for a width of %lld", heads,
                   static_cast<long long>(width));
        }
        need_shape(T(in_w), {3 * width, width}, "in_w");
        need_shape(T(in_b), {3 * width}, "in_b");
        need_shape(T(out_w), {width, width}, "out_w");
        need_shape(T(out_b), {width}, "out_b");
        need_type(maybe(mask), at::kBool, "mask");
        const at::Tensor &w = in_w->tensor, &b = in_b->tensor;
        at::Tensor q = project(q_in, w, b, 0, heads), k = project(k_in, w, b, width, heads),
                   v = project(k_in, w, b, 2 * width, heads);
        double scale = 1 / std::sqrt(static_cast<double>(width / heads));
        at::Tensor score = at::matmul(q, k.transpose(2, 3)) * scale; // [B, heads, S, S']
        if (causal) {
            at::Tensor past = at::ones({steps, steps}, q.options().dtype(at::kBool)).tril();
            score = score.masked_fill(past.logical_not(), -INFINITY);
        }
        if (mask) score = score.masked_fill(mask->tensor.logical_not(), -INFINITY);
        at::Tensor weight = at::softmax(score, -1);
        at::Tensor mixed = at::matmul(weight, v).transpose(1, 2).reshape({batch, steps, width});
        handle y = wrap(at::linear(mixed, out_w->tensor, out_b->tensor)), seen;
        if (attention) seen = wrap(weight);
        *out = y.release();
        if (attention) *attention = seen.release();
    });
}

// --- losses
// ----------------------------------------------------------------------------------------

static int64_t reduction_of(rein_torch_reduction reduction)
{
    switch (reduction) {
    case REIN_TORCH_NONE:
        return at::Reduction::None;
    case REIN_TORCH_MEAN:
        return at::Reduction::Mean;
    case REIN_TORCH_SUM:
        return at::Reduction::Sum;
    }
    refuse(REIN_EINVAL, "no reduction %d", static_cast<int>(reduction));
}

rein_status rein_tensor_mse_loss(const rein_tensor *a, const rein_tensor *b,
                                 rein_torch_reduction reduction, rein_tensor **out)
{
    return guard(__func__, [&] {
        need_same_shape(T(a), T(b), "a", "b");
        GIVE(out, at::mse_loss(a->tensor, b->tensor, reduction_of(reduction)));
    });
}

rein_status rein_tensor_l1_loss(const rein_tensor *a, const rein_tensor *b,
                                rein_torch_reduction reduction, rein_tensor **out)
{
    return guard(__func__, [&] {
        need_same_shape(T(a), T(b), "a", "b");
        GIVE(out, at::l1_loss(a->tensor, b->tensor, reduction_of(reduction)));
    });
}

rein_status rein_tensor_huber_loss(const rein_tensor *a, const rein_tensor *b, double delta,
                                   rein_torch_reduction reduction, rein_tensor **out)
{
    return guard(__func__, [&] {
        need_same_shape(T(a), T(b), "a", "b");
        if (!(delta > 0)) refuse(REIN_EINVAL, "delta is %g", delta);
        GIVE(out, at::huber_loss(a->tensor, b->tensor, reduction_of(reduction), delta));
    });
}

// scores [N, K] and classes I64 [N] in [0, K).
static void check_classes(const at::Tensor &scores, const at::Tensor &target, const char *name)
{
    need_shape(scores, {-1, -1}, name);
    need_floating(scores, name);
    need_type(target, at::kLong, "target");
    need_shape(target, {scores.size(0)}, "target");
}

rein_status rein_tensor_cross_entropy(const rein_tensor *logits, const rein_tensor *target,
                                      rein_torch_reduction reduction, rein_tensor **out)
{
    return guard(__func__, [&] {
        check_classes(T(logits), T(target), "logits");
        GIVE(out,
             at::cross_entropy_loss(logits->tensor, target->tensor, {}, reduction_of(reduction)));
    });
}

rein_status rein_tensor_nll_loss(const rein_tensor *log_prob, const rein_tensor *target,
                                 rein_torch_reduction reduction, rein_tensor **out)
{
    return guard(__func__, [&] {
        check_classes(T(log_prob), T(target), "log_prob");
        GIVE(out, at::nll_loss(log_prob->tensor, target->tensor, {}, reduction_of(reduction)));
    });
}

rein_status rein_tensor_bce_with_logits(const rein_tensor *logits, const rein_tensor *target,
                                        rein_torch_reduction reduction, rein_tensor **out)
{
    return guard(__func__, [&] {
        need_same_shape(T(logits), T(target), "logits", "target");
        need_floating(logits->tensor, "logits");
        need_type(target->tensor, logits->tensor.scalar_type(), "target");
        GIVE(out, at::binary_cross_entropy_with_logits(logits->tensor, target->tensor, {}, {},
                                                       reduction_of(reduction)));
    });
}

rein_status rein_tensor_kl_div(const rein_tensor *log_prob, const rein_tensor *target,
                               rein_torch_reduction reduction, rein_tensor **out)
{
    return guard(__func__, [&] {
        need_same_shape(T(log_prob), T(target), "log_prob", "target");
        need_floating(log_prob->tensor, "log_prob");
        GIVE(out, at::kl_div(log_prob->tensor, target->tensor, reduction_of(reduction)));
    });
}
