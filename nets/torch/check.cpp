// From the caller's C values to libtorch's, checked.
#include "nets/torch/internal.hpp"

#include <limits>

namespace rein
{

at::ScalarType type_of(rein_torch_dtype dtype)
{
    switch (dtype) {
    case REIN_TORCH_F32:
        return at::kFloat;
    case REIN_TORCH_F64:
        return at::kDouble;
    case REIN_TORCH_I64:
        return at::kLong;
    case REIN_TORCH_I32:
        return at::kInt;
    case REIN_TORCH_U8:
        return at::kByte;
    case REIN_TORCH_BOOL:
        return at::kBool;
    }
    refuse(REIN_EINVAL, "no dtype %d", static_cast<int>(dtype));
}

rein_torch_dtype dtype_of(at::ScalarType type)
{
    for (int i = REIN_TORCH_F32; i <= REIN_TORCH_BOOL; i++) {
        if (type_of(static_cast<rein_torch_dtype>(i)) == type) {
            return static_cast<rein_torch_dtype>(i);
        }
    }
    refuse(REIN_EUNSUPPORTED, "dtype %s has no name here", c10::toString(type));
}

const char *name_of(at::ScalarType type)
{
    static const char *const names[] = {"f32", "f64", "i64", "i32", "u8", "bool"};
    for (int i = REIN_TORCH_F32; i <= REIN_TORCH_BOOL; i++) {
        if (type_of(static_cast<rein_torch_dtype>(i)) == type) return names[i];
    }
    return c10::toString(type);
}

at::Device device_of(rein_torch_device device)
{
    if (device == REIN_TORCH_CPU) return at::Device(at::kCPU);
    if (device != REIN_TORCH_CUDA) refuse(REIN_EINVAL, "no device %d", static_cast<int>(device));
    if (!torch::cuda::is_available()) {
        refuse(REIN_EUNSUPPORTED, "no CUDA device: this libtorch sees %d",
               static_cast<int>(torch::cuda::device_count()));
    }
    return at::Device(at::kCUDA, 0);
}

at::TensorOptions options_of(rein_torch_dtype dtype, rein_torch_device device)
{
    return at::TensorOptions().dtype(type_of(dtype)).device(device_of(device));
}

std::string shape_text(const at::Tensor &a)
{
    std::string text = "[";
    for (int64_t i = 0; i < a.dim(); i++) {
        text += (i ? ", " : "") + std::to_string(a.size(i));
    }
    return text + "]";
}

static void check_n_dims(int n_dims)
{
    if (n_dims < 0 || n_dims > REIN_TORCH_MAX_DIMS) {
        refuse(REIN_EINVAL, "n_dims is %d, not in 0 to %d", n_dims, REIN_TORCH_MAX_DIMS);
    }
}

at::IntArrayRef shape_of(const int64_t *shape, int n_dims, int64_t least)
{
    check_n_dims(n_dims);
    if (n_dims > 0) need(shape, "shape");
    int64_t room = std::numeric_limits<int64_t>::max() / 8; // bytes of the largest dtype
    for (int i = 0; i < n_dims; i++) {
        long long length = shape[i];
        if (length < least) refuse(REIN_EINVAL, "shape[%d] is %lld", i, length);
        if (length > 0 && length > room) {
            refuse(REIN_ENOMEM, "shape[%d] of %lld: more elements than memory can have", i, length);
        }
        if (length > 0) room /= length;
    }
    return n_dims ? at::IntArrayRef(shape, static_cast<size_t>(n_dims)) : at::IntArrayRef();
}

at::IntArrayRef dims_of(const int64_t *dims, int n_dims)
{
    check_n_dims(n_dims);
    if (n_dims > 0) need(dims, "dims");
    return n_dims ? at::IntArrayRef(dims, static_cast<size_t>(n_dims)) : at::IntArrayRef();
}

std::vector<at::Tensor> list_of(rein_tensor *const *tensors, int n, const char *name)
{
    std::vector<at::Tensor> list;
    if (n < 0) refuse(REIN_EINVAL, "%d %s", n, name);
    if (n > 0) need(tensors, name);
    for (int i = 0; i < n; i++) {
        if (tensors[i] == nullptr) refuse(REIN_EINVAL, "%s[%d] is NULL", name, i);
        list.push_back(tensors[i]->tensor);
    }
    return list;
}

void need_type(const at::Tensor &a, at::ScalarType type, const char *name)
{
    if (!a.defined() || a.scalar_type() == type) return;
    refuse(REIN_EINVAL, "%s is %s, not %s", name, name_of(a.scalar_type()), name_of(type));
}

void need_floating(const at::Tensor &a, const char *name)
{
    if (a.is_floating_point()) return;
    refuse(REIN_EINVAL, "%s is %s, not f32 or f64", name, name_of(a.scalar_type()));
}

void need_same_shape(const at::Tensor &a, const at::Tensor &b, const char *a_name,
                     const char *b_name)
{
    if (a.sizes() == b.sizes()) return;
    refuse(REIN_EINVAL, "%s is %s, but %s is %s", b_name, shape_text(b).c_str(), a_name,
           shape_text(a).c_str());
}

void need_shape(const at::Tensor &a, std::initializer_list<int64_t> shape, const char *name)
{
    if (!a.defined()) return;
    bool fits = a.dim() == static_cast<int64_t>(shape.size());
    std::string wanted;
    int64_t i = 0;
    for (int64_t length : shape) {
        if (fits && length >= 0 && a.size(i) != length) fits = false;
        wanted += (i++ ? ", " : "") + (length < 0 ? std::string("any") : std::to_string(length));
    }
    if (fits) return;
    refuse(REIN_EINVAL, "%s is %s, not [%s]", name, shape_text(a).c_str(), wanted.c_str());
}

} // namespace rein
