// ZIP archives: https://pkware.cachefly.net/webdocs/APPNOTE/APPNOTE-6.3.9.TXT, numbers
// little-endian.
#include "nets/torch/archive.hpp"

#include <zlib.h>

#include <cerrno>
#include <cstring>

namespace rein
{

namespace
{

class archive
{
  public:
    archive(const char *n, const std::string &b) : name(n), bytes(b)
    {
    }
    void check() const;

  private:
    const char *name;
    const std::string &bytes;

    [[noreturn]] void refuse_whole() const
    {
        refuse(REIN_EFORMAT, "%s: truncated, altered, or not a file of torch", name);
    }
    const unsigned char *part(uint64_t at, uint64_t length) const
    {
        if (at > bytes.size() || length > bytes.size() - at) refuse_whole();
        return reinterpret_cast<const unsigned char *>(bytes.data()) + at;
    }
    const unsigned char *part(uint64_t at, uint64_t length, const char *signature) const
    {
        const unsigned char *p = part(at, length);
        if (memcmp(p, signature, 4) != 0) refuse_whole();
        return p;
    }
    uint64_t find_end() const;
    uint64_t check_record(uint64_t at) const;
};

uint64_t number(const unsigned char *p, int n)
{
    uint64_t value = 0;
    for (int i = n - 1; i >= 0; i--) value = value << 8 | p[i];
    return value;
}

// Where the end record stands: 22 bytes and a comment of at most 65535 before the end of the file.
uint64_t archive::find_end() const
{
    for (uint64_t comment = 0; comment <= 65535 && comment + 22 <= bytes.size(); comment++) {
        uint64_t at = bytes.size() - 22 - comment;
        const unsigned char *p = part(at, 22);
        if (memcmp(p, "PK\5\6", 4) == 0 && number(p + 20, 2) == comment) return at;
    }
    refuse_whole();
}

// CRC-32 of `size` bytes that lie as they are (method 0) or deflated (8) in packed [n].
bool crc_fits(const unsigned char *packed, uint64_t n, uint64_t method, uint64_t size, uint64_t crc)
{
    if (method == 0) return n == size && crc32_z(0, packed, n) == crc;
    z_stream stream = {};
    if (method != 8 || inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
    unsigned char text[16384];
    uLong sum = 0;
    uint64_t length = 0;
    int state = Z_OK;
    stream.next_in = const_cast<unsigned char *>(packed);
    while (state == Z_OK && length <= size) {
        uint64_t left = n - static_cast<uint64_t>(stream.next_in - packed);
        stream.avail_in = static_cast<uInt>(std::min<uint64_t>(left, 1 << 30));
        stream.next_out = text;
        stream.avail_out = sizeof text;
        state = inflate(&stream, Z_NO_FLUSH);
        size_t made = sizeof text - stream.avail_out;
        sum = crc32_z(sum, text, made);
        length += made;
    }
    inflateEnd(&stream);
    return state == Z_STREAM_END && length == size && sum == crc;
}

// One record, by its entry in the central directory at `at`. Returns where the next entry stands.
uint64_t archive::check_record(uint64_t at) const
{
    const unsigned char *entry = part(at, 46, "PK\1\2");
    uint64_t method = number(entry + 10, 2), crc = number(entry + 16, 4);
    uint64_t sizes[] = {number(entry + 24, 4), number(entry + 20, 4), number(entry + 42, 4)};
    uint64_t name_n = number(entry + 28, 2), extra_n = number(entry + 30, 2);
    uint64_t next = at + 46 + name_n + extra_n + number(entry + 32, 2);
    part(at, next - at);
    const unsigned char *extra = entry + 46 + name_n, *end = extra + extra_n;
    while (end - extra >= 4) { // sizes and place of large files stand in the field of id 1
        const unsigned char *field = extra + 4;
        uint64_t field_n = number(extra + 2, 2);
        if (field_n > static_cast<uint64_t>(end - field)) refuse_whole();
        extra = field + field_n;
        if (number(field - 4, 2) != 1) continue;
        for (uint64_t &value : sizes) {
            if (value != 0xffffffff || extra - field < 8) continue;
            value = number(field, 8);
            field += 8;
        }
    }
    const unsigned char *local = part(sizes[2], 30, "PK\3\4");
    uint64_t local_name_n = number(local + 26, 2);
    uint64_t data = sizes[2] + 30 + local_name_n + number(local + 28, 2);
    std::string record(reinterpret_cast<const char *>(entry) + 46, name_n);
    part(sizes[2], 30 + local_name_n);
    if (local_name_n != name_n || memcmp(local + 30, record.data(), name_n) != 0) refuse_whole();
    if (!crc_fits(part(data, sizes[1]), sizes[1], method, sizes[0], crc)) {
        refuse(REIN_EFORMAT, "%s: record '%s' is damaged", name, record.c_str());
    }
    return next;
}

void archive::check() const
{
    uint64_t end = find_end();
    const unsigned char *last = part(end, 22);
    uint64_t n = number(last + 10, 2), at = number(last + 16, 4);
    if (end >= 20 && memcmp(part(end - 20, 20), "PK\6\7", 4) == 0) { // the same with 64 bits
        end = number(part(end - 20, 20) + 8, 8);
        last = part(end, 56, "PK\6\6");
        n = number(last + 32, 8);
        at = number(last + 48, 8);
    }
    for (uint64_t i = 0; i < n; i++) at = check_record(at);
    if (at != end || n == 0) refuse_whole();
}

} // namespace

void check_archive(const char *name, const std::string &bytes)
{
    archive(name, bytes).check();
}

std::string read_archive(const char *path)
{
    std::unique_ptr<FILE, int (*)(FILE *)> file(fopen(need(path, "path"), "rb"), fclose);
    if (!file) refuse(REIN_ENOTFOUND, "cannot open %s: %s", path, strerror(errno));
    std::string bytes;
    char part[65536];
    for (size_t n; (n = fread(part, 1, sizeof part, file.get())) > 0;) bytes.append(part, n);
    if (ferror(file.get())) refuse(REIN_EIO, "cannot read %s: %s", path, strerror(errno));
    check_archive(path, bytes);
    return bytes;
}

void write_file(const char *path, const std::string &bytes)
{
    rein_status status = host.write_file(path, bytes.data(), bytes.size());
    if (status != REIN_OK) throw status;
}

void blame(const char *name, const char *text)
{
    std::string line = first_line(text);
    const char *why = "";
    while (!line.empty() && line.back() == '.') line.pop_back();
    if (is_about_memory(line)) refuse(REIN_ENOMEM, "%s: %s", name, line.c_str());
    for (const char *words : {"Unknown builtin op", "Unsupported operator", "max supported"}) {
        if (line.find(words) != std::string::npos) {
            why = "; this is libtorch " TORCH_VERSION ", the file wants a newer one";
        }
    }
    refuse(REIN_EFORMAT, "%s: %s%s", name, line.c_str(), why);
}

} // namespace rein
