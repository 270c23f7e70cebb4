// Between the module's source files: what the handles hold, and the one place where exceptions
// stop.
#ifndef REIN_NETS_TORCH_INTERNAL_HPP
#define REIN_NETS_TORCH_INTERNAL_HPP

#include <torch/script.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <memory>
#include <string>
#include <vector>

#include "nets/torch/functions.h"

extern std::atomic<int64_t> rein_torch_live; // handles made and not freed

struct rein_counted {
    rein_counted()
    {
        rein_torch_live++;
    }
    ~rein_counted()
    {
        rein_torch_live--;
    }
    rein_counted(const rein_counted &) = delete;
    rein_counted &operator=(const rein_counted &) = delete;
};

struct rein_tensor : rein_counted {
    at::Tensor tensor;
    explicit rein_tensor(at::Tensor t) : tensor(std::move(t))
    {
    }
};

struct rein_torch_module : rein_counted {
    torch::jit::Module module;
    explicit rein_torch_module(torch::jit::Module m) : module(std::move(m))
    {
    }
};

struct rein_torch_optimizer : rein_counted {
    std::unique_ptr<torch::optim::Optimizer> optimizer;
    rein_torch_optimizer_options options;
    std::vector<at::Tensor> parameters;
};

namespace rein
{

extern rein_torch_host host;

// What our own checks throw.
struct refusal {
    rein_status status;
    std::string text;
};

[[noreturn]] __attribute__((format(printf, 2, 3))) void refuse(rein_status status,
                                                               const char *format, ...);

// Throw what rein_torch_throw_next asked for, if it did.
void throw_if_asked();
void throw_next(rein_torch_exception exception);

// Of libtorch's text the line that says what happened.
std::string first_line(const char *text);
bool is_about_memory(const std::string &line);

// Turn the exception in flight into a status and this thread's message.
rein_status caught(const char *function) noexcept;

// Swallows libtorch's warnings: the library never prints.
class quiet_handler : public c10::WarningHandler
{
  public:
#if TORCH_VERSION_MAJOR < 2
    void process(const c10::SourceLocation &, const std::string &, bool) override
    {
    }
#else
    void process(const c10::Warning &) override
    {
    }
#endif
};
#if TORCH_VERSION_MAJOR < 2
namespace warning = c10::Warning;
#else
namespace warning = c10::WarningUtils;
#endif
extern quiet_handler quiet;

// Every exported function is one of these: guard(__func__, [&] { ... }).
template <class work> rein_status guard(const char *function, work &&body) noexcept
{
    try {
        warning::WarningHandlerGuard silence(&quiet);
        throw_if_asked();
        body();
        return REIN_OK;
    } catch (...) {
        return caught(function);
    }
}

template <class pointer> pointer need(pointer p, const char *name)
{
    if (p == nullptr) refuse(REIN_EINVAL, "%s is NULL", name);
    return p;
}

inline const at::Tensor &tensor_of(const rein_tensor *a, const char *name)
{
    return need(a, name)->tensor;
}

// An optional tensor: an undefined one for NULL.
inline at::Tensor maybe(const rein_tensor *a)
{
    return a ? a->tensor : at::Tensor();
}

inline c10::optional<at::Tensor> optional(const rein_tensor *a)
{
    return a ? c10::optional<at::Tensor>(a->tensor) : c10::nullopt;
}

at::ScalarType type_of(rein_torch_dtype dtype);
rein_torch_dtype dtype_of(at::ScalarType type);
const char *name_of(at::ScalarType type);
at::Device device_of(rein_torch_device device);
at::TensorOptions options_of(rein_torch_dtype dtype, rein_torch_device device);

// "[2, 3]"
std::string shape_text(const at::Tensor &a);

// The caller's shape, checked: lengths from `least` up, a size that memory can have.
at::IntArrayRef shape_of(const int64_t *shape, int n_dims, int64_t least = 0);

// A list of dims; NULL only where n_dims is 0.
at::IntArrayRef dims_of(const int64_t *dims, int n_dims);

std::vector<at::Tensor> list_of(rein_tensor *const *tensors, int n, const char *name);

void need_type(const at::Tensor &a, at::ScalarType type, const char *name);
void need_floating(const at::Tensor &a, const char *name);
void need_same_shape(const at::Tensor &a, const at::Tensor &b, const char *a_name,
                     const char *b_name);
// Exactly these lengths; -1 is any. NULL tensors (undefined) pass.
void need_shape(const at::Tensor &a, std::initializer_list<int64_t> shape, const char *name);

using handle = std::unique_ptr<rein_tensor>;
inline handle wrap(at::Tensor t)
{
    return handle(new rein_tensor(std::move(t)));
}

} // namespace rein

// T(a): the tensor of handle a, or "a is NULL". RETURN(expression): the usual function of one
// result.
#define T(a)    rein::tensor_of(a, #a)
#define NEED(p) rein::need(p, #p)
#define GIVE(out, expression)                                                                      \
    do {                                                                                           \
        NEED(out);                                                                                 \
        *(out) = rein::wrap(expression).release();                                                 \
    } while (0)
#define RETURN(expression) return rein::guard(__func__, [&] { GIVE(out, expression); })

#endif
