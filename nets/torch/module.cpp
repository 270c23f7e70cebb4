// The module's entry, its errors, and the questions to the library as a whole.
#include "nets/torch/internal.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstring>

std::atomic<int64_t> rein_torch_live{0};

namespace rein
{

rein_torch_host host;
quiet_handler quiet;

static thread_local rein_torch_exception pending = REIN_TORCH_THROW_NOTHING;

void throw_next(rein_torch_exception exception)
{
    pending = exception;
}

void throw_if_asked()
{
    rein_torch_exception now = pending;
    pending = REIN_TORCH_THROW_NOTHING;
    switch (now) {
    case REIN_TORCH_THROW_NOTHING:
        return;
    case REIN_TORCH_THROW_TORCH:
        TORCH_CHECK(false, "thrown on request\nsecond line");
    case REIN_TORCH_THROW_MEMORY:
        throw std::bad_alloc();
    case REIN_TORCH_THROW_STANDARD:
        throw std::runtime_error("thrown on request\nsecond line");
    case REIN_TORCH_THROW_OTHER:
        throw 1;
    }
}

void refuse(rein_status status, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    throw refusal{status, text};
}

// The first line that is not empty; of a TorchScript traceback the line that names the error.
std::string first_line(const char *text)
{
    std::string all = text ? text : "";
    if (all.find("TorchScript interpreter") != std::string::npos) {
        size_t at = all.rfind("Error: ");
        if (at != std::string::npos) {
            size_t start = all.rfind('\n', at);
            all.erase(0, start == std::string::npos ? 0 : start + 1);
        }
    }
    all.erase(0, all.find_first_not_of(" \n"));
    if (all.rfind("RuntimeError: ", 0) == 0) all.erase(0, strlen("RuntimeError: "));
    size_t allocator = all.find("DefaultCPUAllocator: "); // behind file, line and condition
    if (allocator != std::string::npos) all.erase(0, allocator);
    return all.substr(0, all.find('\n'));
}

bool is_about_memory(const std::string &line)
{
    for (const char *words : {"not enough memory", "can't allocate memory", "out of memory",
                              "Cannot allocate memory"}) {
        if (line.find(words) != std::string::npos) return true;
    }
    return false;
}

static rein_status caught_text(const char *function, const char *text)
{
    std::string line = first_line(text);
    rein_status status = REIN_EINVAL;
    if (is_about_memory(line)) status = REIN_ENOMEM;
    if (line.find("not implemented for") != std::string::npos) status = REIN_EUNSUPPORTED;
    return host.fail(status, "%s: %s", function, line.c_str());
}

rein_status caught(const char *function) noexcept
{
    try {
        try {
            throw;
        } catch (const refusal &e) {
            return host.fail(e.status, "%s: %s", function, e.text.c_str());
        } catch (const c10::Error &e) {
            return caught_text(function, e.what_without_backtrace());
        } catch (const std::bad_alloc &) {
            return host.fail(REIN_ENOMEM, "%s: out of memory", function);
        } catch (const std::exception &e) {
            return caught_text(function, e.what());
        } catch (...) {
            return host.fail(REIN_EUNSUPPORTED, "%s: an exception of unknown type", function);
        }
    } catch (...) { // no memory for the text itself
        return host.fail(REIN_ENOMEM, "%s: out of memory", function);
    }
}

} // namespace rein

rein_status rein_torch_version(const char **out)
{
    return rein::guard(__func__, [&] { *NEED(out) = TORCH_VERSION; });
}

rein_status rein_torch_n_cuda(int *out)
{
    return rein::guard(__func__,
                       [&] { *NEED(out) = static_cast<int>(torch::cuda::device_count()); });
}

rein_status rein_torch_set_threads(int n)
{
    return rein::guard(__func__, [&] {
        if (n < 1 || n > 1024) rein::refuse(REIN_EINVAL, "n is %d, not in 1 to 1024", n);
        at::set_num_threads(n);
    });
}

rein_status rein_torch_n_threads(int *out)
{
    return rein::guard(__func__, [&] { *NEED(out) = at::get_num_threads(); });
}

rein_status rein_torch_enable_grad(bool enabled, bool *previous)
{
    return rein::guard(__func__, [&] {
        if (previous) *previous = at::GradMode::is_enabled();
        at::GradMode::set_enabled(enabled);
    });
}

rein_status rein_torch_n_live(int64_t *out)
{
    return rein::guard(__func__, [&] { *NEED(out) = rein_torch_live; });
}

rein_status rein_torch_throw_next(rein_torch_exception exception)
{
    return rein::guard(__func__, [&] {
        if (exception < REIN_TORCH_THROW_NOTHING || exception > REIN_TORCH_THROW_OTHER) {
            rein::refuse(REIN_EINVAL, "no exception %d", static_cast<int>(exception));
        }
        rein::throw_next(exception);
    });
}

// The one symbol that leaves the module.
extern "C" __attribute__((visibility("default"))) const rein_torch_table *
rein_torch_entry(const rein_torch_host *program)
{
    static const rein_torch_table table = {REIN_TORCH_ABI, REIN_VERSION, rein_torch_list,
#define X(name, parameters, arguments) name,
                                           REIN_TORCH_FUNCTIONS(X) REIN_TORCH_FREES(X)
#undef X
    };
    rein::host = *program;
    // Only an error's first line leaves the module; the call stack behind it took milliseconds.
    c10::SetStackTraceFetcher(std::function<std::string()>([] { return std::string(); }));
    return &table;
}
