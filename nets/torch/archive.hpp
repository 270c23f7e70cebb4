// Files that libtorch reads and writes: checked before, written whole.
#ifndef REIN_NETS_TORCH_ARCHIVE_HPP
#define REIN_NETS_TORCH_ARCHIVE_HPP

#include "nets/torch/internal.hpp"

namespace rein
{

// The whole file; its bytes are whole, too (check_archive).
std::string read_archive(const char *path);

// A .pt file is a ZIP archive whose checksums libtorch does not look at: a flipped bit would be
// another network, or a crash. So each record's is compared here, before libtorch sees a byte.
//   name  what the bytes are called in messages
void check_archive(const char *name, const std::string &bytes);

// By the program's rein_file_write. Throws its status, whose message stands already.
void write_file(const char *path, const std::string &bytes);

// write_file's status comes through as it is.
template <class work> rein_status guard_file(const char *function, work &&body) noexcept
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

// Whatever libtorch says of the bytes, the file is at fault: out of memory alone is not its doing.
[[noreturn]] void blame(const char *name, const char *text);
template <class work> auto reading(const char *name, work &&body)
{
    try {
        return body();
    } catch (const refusal &) {
        throw;
    } catch (const c10::Error &e) {
        blame(name, e.what_without_backtrace());
    } catch (const std::bad_alloc &) {
        throw;
    } catch (const std::exception &e) {
        blame(name, e.what());
    }
}

} // namespace rein

#endif
