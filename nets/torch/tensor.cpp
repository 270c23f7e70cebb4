// Tensors: making, looking, views, arithmetic, reductions, indexing.
#include "nets/torch/internal.hpp"

#include <cmath>
#include <cstring>

using namespace rein;

// --- making
// ----------------------------------------------------------------------------------------

rein_status rein_tensor_zeros(rein_torch_dtype dtype, rein_torch_device device,
                              const int64_t *shape, int n_dims, rein_tensor **out)
{
    RETURN(at::zeros(shape_of(shape, n_dims), options_of(dtype, device)));
}

rein_status rein_tensor_full(rein_torch_dtype dtype, rein_torch_device device, const int64_t *shape,
                             int n_dims, double value, rein_tensor **out)
{
    RETURN(at::full(shape_of(shape, n_dims), value, options_of(dtype, device)));
}

rein_status rein_tensor_arange(rein_torch_dtype dtype, rein_torch_device device, double start,
                               double step, int64_t n, rein_tensor **out)
{
    return guard(__func__, [&] {
        NEED(out);
        shape_of(&n, 1);
        if (dtype == REIN_TORCH_BOOL) refuse(REIN_EINVAL, "dtype bool cannot count");
        at::Tensor i = at::arange(n, options_of(REIN_TORCH_F64, device));
        *out = wrap((i * step + start).to(type_of(dtype))).release();
    });
}

// The caller's array as a CPU tensor.
static at::Tensor over(rein_torch_dtype dtype, const int64_t *shape, int n_dims, void *data)
{
    at::IntArrayRef sizes = shape_of(shape, n_dims);
    at::ScalarType type = type_of(dtype);
    int64_t numel = 1;
    for (int64_t length : sizes) numel *= length;
    if (numel == 0) return at::empty(sizes, at::TensorOptions().dtype(type));
    need(data, "data");
    if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(type) != 0) {
        refuse(REIN_EINVAL, "data is not aligned to %s", name_of(type));
    }
    return at::from_blob(data, sizes, at::TensorOptions().dtype(type));
}

rein_status rein_tensor_from_data(rein_torch_dtype dtype, rein_torch_device device,
                                  const int64_t *shape, int n_dims, const void *data,
                                  rein_tensor **out)
{
    RETURN(over(dtype, shape, n_dims, const_cast<void *>(data))
               .to(device_of(device), type_of(dtype), false, true));
}

rein_status rein_tensor_borrow(rein_torch_dtype dtype, const int64_t *shape, int n_dims, void *data,
                               rein_tensor **out)
{
    RETURN(over(dtype, shape, n_dims, data));
}

rein_status rein_tensor_clone(const rein_tensor *a, rein_tensor **out)
{
    RETURN(T(a).clone());
}

rein_status rein_tensor_detach(const rein_tensor *a, rein_tensor **out)
{
    RETURN(T(a).detach());
}

rein_status rein_tensor_alias(const rein_tensor *a, rein_tensor **out)
{
    RETURN(T(a));
}

rein_status rein_tensor_contiguous(const rein_tensor *a, rein_tensor **out)
{
    RETURN(T(a).contiguous());
}

rein_status rein_tensor_to(const rein_tensor *a, rein_torch_dtype dtype, rein_torch_device device,
                           rein_tensor **out)
{
    RETURN(T(a).to(device_of(device), type_of(dtype)));
}

void rein_tensor_free(rein_tensor *a)
{
    delete a;
}

// --- looking, moving numbers
// -----------------------------------------------------------------------

rein_status rein_tensor_n_dims(const rein_tensor *a, int *out)
{
    return guard(__func__, [&] { *NEED(out) = static_cast<int>(T(a).dim()); });
}

rein_status rein_tensor_shape(const rein_tensor *a, int64_t *shape, int max, int *n_dims)
{
    return guard(__func__, [&] {
        const at::Tensor &t = T(a);
        int n = static_cast<int>(t.dim());
        if (max < n) refuse(REIN_EINVAL, "a has %d dims, room for %d", n, max);
        if (n > 0) NEED(shape);
        for (int i = 0; i < n; i++) shape[i] = t.size(i);
        if (n_dims) *n_dims = n;
    });
}

rein_status rein_tensor_numel(const rein_tensor *a, int64_t *out)
{
    return guard(__func__, [&] { *NEED(out) = T(a).numel(); });
}

rein_status rein_tensor_dtype(const rein_tensor *a, rein_torch_dtype *out)
{
    return guard(__func__, [&] { *NEED(out) = dtype_of(T(a).scalar_type()); });
}

rein_status rein_tensor_device(const rein_tensor *a, rein_torch_device *out)
{
    return guard(__func__, [&] { *NEED(out) = T(a).is_cuda() ? REIN_TORCH_CUDA : REIN_TORCH_CPU; });
}

rein_status rein_tensor_data(const rein_tensor *a, void **out)
{
    return guard(__func__, [&] {
        const at::Tensor &t = T(a);
        NEED(out);
        if (!t.is_cpu()) refuse(REIN_EINVAL, "a is not on the CPU");
        if (!t.is_contiguous()) refuse(REIN_EINVAL, "a is not contiguous");
        *out = t.data_ptr();
    });
}

static void check_bytes(const at::Tensor &t, size_t bytes)
{
    size_t wanted = static_cast<size_t>(t.numel()) * t.element_size();
    if (bytes == wanted) return;
    refuse(REIN_EINVAL, "%zu bytes for %s of %s, which has %zu", bytes, name_of(t.scalar_type()),
           shape_text(t).c_str(), wanted);
}

rein_status rein_tensor_read(const rein_tensor *a, void *data, size_t bytes)
{
    return guard(__func__, [&] {
        const at::Tensor &t = T(a);
        check_bytes(t, bytes);
        if (bytes == 0) return;
        NEED(data);
        at::NoGradGuard no_grad;
        std::memcpy(data, t.detach().cpu().contiguous().data_ptr(), bytes);
    });
}

rein_status rein_tensor_write(rein_tensor *a, const void *data, size_t bytes)
{
    return guard(__func__, [&] {
        at::Tensor t = T(a);
        check_bytes(t, bytes);
        if (bytes == 0) return;
        NEED(data);
        t.copy_(at::from_blob(const_cast<void *>(data), t.sizes(),
                              at::TensorOptions().dtype(t.scalar_type())));
    });
}

rein_status rein_tensor_item(const rein_tensor *a, double *out)
{
    return guard(__func__, [&] {
        const at::Tensor &t = T(a);
        NEED(out);
        if (t.numel() != 1) refuse(REIN_EINVAL, "a is %s, not one number", shape_text(t).c_str());
        *out = t.item().toDouble();
    });
}

rein_status rein_tensor_copy(rein_tensor *dst, const rein_tensor *src)
{
    return guard(__func__, [&] {
        at::Tensor t = T(dst);
        t.copy_(T(src));
    });
}

rein_status rein_tensor_fill(rein_tensor *dst, double value)
{
    return guard(__func__, [&] {
        at::Tensor t = T(dst);
        t.fill_(value);
    });
}

// --- views and joins
// -------------------------------------------------------------------------------

rein_status rein_tensor_view(const rein_tensor *a, const int64_t *shape, int n_dims,
                             rein_tensor **out)
{
    RETURN(T(a).view(shape_of(shape, n_dims, -1)));
}

rein_status rein_tensor_reshape(const rein_tensor *a, const int64_t *shape, int n_dims,
                                rein_tensor **out)
{
    RETURN(T(a).reshape(shape_of(shape, n_dims, -1)));
}

rein_status rein_tensor_flatten(const rein_tensor *a, int start, int end, rein_tensor **out)
{
    RETURN(T(a).flatten(start, end));
}

rein_status rein_tensor_permute(const rein_tensor *a, const int64_t *dims, int n_dims,
                                rein_tensor **out)
{
    RETURN(T(a).permute(dims_of(dims, n_dims)));
}

rein_status rein_tensor_transpose(const rein_tensor *a, int dim0, int dim1, rein_tensor **out)
{
    RETURN(T(a).transpose(dim0, dim1));
}

rein_status rein_tensor_squeeze(const rein_tensor *a, int dim, rein_tensor **out)
{
    RETURN(T(a).squeeze(dim));
}

rein_status rein_tensor_unsqueeze(const rein_tensor *a, int dim, rein_tensor **out)
{
    RETURN(T(a).unsqueeze(dim));
}

rein_status rein_tensor_expand(const rein_tensor *a, const int64_t *shape, int n_dims,
                               rein_tensor **out)
{
    RETURN(T(a).expand(shape_of(shape, n_dims, -1)));
}

rein_status rein_tensor_narrow(const rein_tensor *a, int dim, int64_t start, int64_t length,
                               rein_tensor **out)
{
    RETURN(T(a).narrow(dim, start, length));
}

rein_status rein_tensor_select(const rein_tensor *a, int dim, int64_t index, rein_tensor **out)
{
    RETURN(T(a).select(dim, index));
}

rein_status rein_tensor_cat(rein_tensor *const *tensors, int n, int dim, rein_tensor **out)
{
    RETURN(at::cat(list_of(tensors, n, "tensors"), dim));
}

rein_status rein_tensor_stack(rein_tensor *const *tensors, int n, int dim, rein_tensor **out)
{
    RETURN(at::stack(list_of(tensors, n, "tensors"), dim));
}

// --- arithmetic
// ------------------------------------------------------------------------------------

#define BINARY(name)                                                                               \
    rein_status rein_tensor_##name(const rein_tensor *a, const rein_tensor *b, rein_tensor **out)  \
    {                                                                                              \
        RETURN(at::name(T(a), T(b)));                                                              \
    }
BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
BINARY(pow)
BINARY(maximum)
BINARY(minimum)
BINARY(eq)
BINARY(ne)
BINARY(lt)
BINARY(le)
BINARY(gt)
BINARY(ge)
BINARY(logical_and)
BINARY(logical_or)
BINARY(matmul)

#define UNARY(name)                                                                                \
    rein_status rein_tensor_##name(const rein_tensor *a, rein_tensor **out)                        \
    {                                                                                              \
        RETURN(at::name(T(a)));                                                                    \
    }
UNARY(neg)
UNARY(abs)
UNARY(sign)
UNARY(floor)
UNARY(square)
UNARY(sqrt)
UNARY(exp)
UNARY(log)
UNARY(sin)
UNARY(cos)
UNARY(logical_not)
UNARY(tanh)
UNARY(sigmoid)
UNARY(relu)
UNARY(silu)
UNARY(softplus)

// libtorch 1.13.1's backward in f32 (oneDNN) mixes up elements, or reads beyond them, when the
// gradient is a permuted view and `a` is not: it gets a plain one.
rein_status rein_tensor_gelu(const rein_tensor *a, rein_tensor **out)
{
    return rein::guard(__func__, [&] {
        at::Tensor y = at::gelu(T(a));
        if (y.requires_grad()) {
            y.register_hook([](const at::Tensor &grad) { return grad.contiguous(); });
        }
        GIVE(out, y);
    });
}

rein_status rein_tensor_add_scalar(const rein_tensor *a, double value, rein_tensor **out)
{
    RETURN(at::add(T(a), value));
}

rein_status rein_tensor_mul_scalar(const rein_tensor *a, double value, rein_tensor **out)
{
    RETURN(at::mul(T(a), value));
}

rein_status rein_tensor_pow_scalar(const rein_tensor *a, double value, rein_tensor **out)
{
    RETURN(at::pow(T(a), value));
}

rein_status rein_tensor_clamp(const rein_tensor *a, double low, double high, rein_tensor **out)
{
    return guard(__func__, [&] {
        const at::Tensor &t = T(a);
        NEED(out);
        if (!(low <= high)) refuse(REIN_EINVAL, "low %g > high %g", low, high);
        c10::optional<at::Scalar> least, most;
        if (!std::isinf(low)) least = low;
        if (!std::isinf(high)) most = high;
        *out = wrap(least || most ? at::clamp(t, least, most) : t.clone()).release();
    });
}

rein_status rein_tensor_elu(const rein_tensor *a, double alpha, rein_tensor **out)
{
    RETURN(at::elu(T(a), alpha));
}

rein_status rein_tensor_leaky_relu(const rein_tensor *a, double slope, rein_tensor **out)
{
    RETURN(at::leaky_relu(T(a), slope));
}

rein_status rein_tensor_add_scaled(rein_tensor *dst, const rein_tensor *src, double scale)
{
    return guard(__func__, [&] {
        at::Tensor t = T(dst);
        t.add_(T(src), scale);
    });
}

rein_status rein_tensor_scale(rein_tensor *dst, double value)
{
    return guard(__func__, [&] {
        at::Tensor t = T(dst);
        t.mul_(value);
    });
}

rein_status rein_tensor_where(const rein_tensor *condition, const rein_tensor *a,
                              const rein_tensor *b, rein_tensor **out)
{
    return guard(__func__, [&] {
        const at::Tensor &c = T(condition);
        need_type(c, at::kBool, "condition");
        GIVE(out, at::where(c, T(a), T(b)));
    });
}

// --- reductions
// ------------------------------------------------------------------------------------

// No dims: all of them.
static std::vector<int64_t> reduced(const at::Tensor &a, const int64_t *dims, int n_dims)
{
    at::IntArrayRef given = dims_of(dims, n_dims);
    std::vector<int64_t> all = given.vec();
    for (int64_t i = 0; given.empty() && i < a.dim(); i++) all.push_back(i);
    return all;
}

rein_status rein_tensor_sum(const rein_tensor *a, const int64_t *dims, int n_dims, bool keep,
                            rein_tensor **out)
{
    RETURN(at::sum(T(a), reduced(T(a), dims, n_dims), keep));
}

rein_status rein_tensor_mean(const rein_tensor *a, const int64_t *dims, int n_dims, bool keep,
                             rein_tensor **out)
{
    RETURN(at::mean(T(a), reduced(T(a), dims, n_dims), keep));
}

rein_status rein_tensor_var(const rein_tensor *a, const int64_t *dims, int n_dims, bool unbiased,
                            bool keep, rein_tensor **out)
{
    RETURN(at::var(T(a), reduced(T(a), dims, n_dims), unbiased, keep));
}

static void extreme(std::tuple<at::Tensor, at::Tensor> pair, rein_tensor **values,
                    rein_tensor **indices)
{
    handle value, index;
    if (values) value = wrap(std::get<0>(pair));
    if (indices) index = wrap(std::get<1>(pair));
    if (values) *values = value.release();
    if (indices) *indices = index.release();
}

rein_status rein_tensor_max(const rein_tensor *a, int dim, bool keep, rein_tensor **values,
                            rein_tensor **indices)
{
    return guard(__func__, [&] {
        if (!values) need(indices, "values and indices");
        extreme(at::max(T(a), dim, keep), values, indices);
    });
}

rein_status rein_tensor_min(const rein_tensor *a, int dim, bool keep, rein_tensor **values,
                            rein_tensor **indices)
{
    return guard(__func__, [&] {
        if (!values) need(indices, "values and indices");
        extreme(at::min(T(a), dim, keep), values, indices);
    });
}

rein_status rein_tensor_logsumexp(const rein_tensor *a, int dim, bool keep, rein_tensor **out)
{
    RETURN(at::logsumexp(T(a), dim, keep));
}

rein_status rein_tensor_cumsum(const rein_tensor *a, int dim, rein_tensor **out)
{
    RETURN(at::cumsum(T(a), dim));
}

rein_status rein_tensor_norm(const rein_tensor *a, rein_tensor **out)
{
    return guard(__func__, [&] {
        need_floating(T(a), "a");
        GIVE(out, at::norm(a->tensor));
    });
}

// --- indexing
// --------------------------------------------------------------------------------------

static const at::Tensor &index_of(const rein_tensor *index)
{
    const at::Tensor &t = T(index);
    need_type(t, at::kLong, "index");
    return t;
}

rein_status rein_tensor_index_select(const rein_tensor *a, int dim, const rein_tensor *index,
                                     rein_tensor **out)
{
    RETURN(at::index_select(T(a), dim, index_of(index)));
}

rein_status rein_tensor_gather(const rein_tensor *a, int dim, const rein_tensor *index,
                               rein_tensor **out)
{
    RETURN(at::gather(T(a), dim, index_of(index)));
}

rein_status rein_tensor_scatter(const rein_tensor *a, int dim, const rein_tensor *index,
                                const rein_tensor *src, rein_tensor **out)
{
    RETURN(at::scatter(T(a), dim, index_of(index), T(src)));
}

rein_status rein_tensor_scatter_add(const rein_tensor *a, int dim, const rein_tensor *index,
                                    const rein_tensor *src, rein_tensor **out)
{
    RETURN(at::scatter_add(T(a), dim, index_of(index), T(src)));
}

rein_status rein_tensor_masked_fill(const rein_tensor *a, const rein_tensor *mask, double value,
                                    rein_tensor **out)
{
    return guard(__func__, [&] {
        need_type(T(mask), at::kBool, "mask");
        GIVE(out, at::masked_fill(T(a), mask->tensor, value));
    });
}

rein_status rein_tensor_masked_select(const rein_tensor *a, const rein_tensor *mask,
                                      rein_tensor **out)
{
    return guard(__func__, [&] {
        need_type(T(mask), at::kBool, "mask");
        GIVE(out, at::masked_select(T(a), mask->tensor));
    });
}

rein_status rein_tensor_one_hot(const rein_tensor *a, int64_t n_classes, rein_tensor **out)
{
    return guard(__func__, [&] {
        need_type(T(a), at::kLong, "a");
        if (n_classes < 1) refuse(REIN_EINVAL, "%lld classes", static_cast<long long>(n_classes));
        GIVE(out, at::one_hot(a->tensor, n_classes));
    });
}
