#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { SEAL_SIZE = 16 };

uint64_t rein_hash(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

/* "REINSEAL", then the hash with its lowest byte first. */
static void seal_make(const void *data, size_t size, unsigned char seal[SEAL_SIZE])
{
    uint64_t hash = rein_hash(data, size);
    memcpy(seal, "REINSEAL", 8);
    for (int i = 0; i < 8; i++) seal[8 + i] = (unsigned char)(hash >> (8 * i));
}

/* ---- write ----------------------------------------------------------------------------------- */

/* All of data [size], however often the system takes only a part. 0 or errno. */
static int write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t n = write(fd, at, size < (1u << 30) ? size : (1u << 30));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 ? errno : EIO;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

static int sync_file(int fd)
{
    int result;
    do {
        result = fsync(fd);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

/* The rename itself is on disk only when the folder is. */
static int sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) : 0;
    snprintf(folder, sizeof folder, "%.*s%s", n, path, slash ? "/" : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno;
    int error = sync_file(fd);
    close(fd);
    return error == EINVAL || error == ENOTSUP ? 0 : error; /* not every file system can */
}

/* The file at `temporary`, complete and on disk. 0 or errno. */
static int write_temporary(const char *temporary, const void *data, size_t size, bool seal)
{
    unsigned char tail[SEAL_SIZE];
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return errno;
    int error = write_all(fd, data, size);
    if (seal && !error) {
        seal_make(data, size, tail);
        error = write_all(fd, tail, sizeof tail);
    }
    if (!error) error = sync_file(fd);
    if (close(fd) != 0 && errno != EINTR && !error) error = errno;
    if (error) unlink(temporary);
    return error;
}

rein_status rein_file_write(const char *path, const void *data, size_t size, bool seal)
{
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    int error = n < 0 || (size_t)n >= sizeof temporary ? ENAMETOOLONG : 0;
    if (!error) error = write_temporary(temporary, data, size, seal);
    if (!error && rename(temporary, path) != 0) {
        error = errno;
        unlink(temporary);
    }
    if (!error) error = sync_folder_of(path);
    if (error) return rein_fail(REIN_EIO, "cannot write '%.300s': %s", path, strerror(error));
    return REIN_OK;
}

/* ---- read ------------------------------------------------------------------------------------ */

static rein_status read_failed(const char *path, int error)
{
    bool absent = error == ENOENT || error == ENOTDIR;
    return rein_fail(absent ? REIN_ENOTFOUND : REIN_EIO, "cannot read '%.300s': %s", path,
                     strerror(error));
}

/* Read `fd` to its end into *data, which grows (a pipe has no size) and stays the caller's. */
static rein_status read_all(int fd, const char *path, size_t limit, char **data, size_t *size)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return read_failed(path, errno);
    if (S_ISREG(info.st_mode) && (uint64_t)info.st_size > limit) {
        return rein_fail(REIN_EFORMAT, "'%.300s' is larger than %zu bytes", path, limit);
    }
    size_t room = (info.st_size > 4096 ? (size_t)info.st_size : 4096) + 1; /* + 1 meets the end */
    *size = 0;
    for (bool more = true; more;) {
        if (*data == NULL || *size == room) {
            if (*data) room *= 2;
            char *grown = realloc(*data, room + 1);
            if (!grown) return rein_fail(REIN_ENOMEM, "no memory to read '%.300s'", path);
            *data = grown;
        }
        ssize_t n = read(fd, *data + *size, room - *size);
        if (n < 0 && errno != EINTR) return read_failed(path, errno);
        if (n > 0) *size += (size_t)n;
        if (*size > limit) {
            return rein_fail(REIN_EFORMAT, "'%.300s' is larger than %zu bytes", path, limit);
        }
        more = n != 0;
    }
    (*data)[*size] = '\0';
    return REIN_OK;
}

rein_status rein_file_read_text(const char *path, size_t limit, char **text, size_t *size)
{
    *text = NULL;
    *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return read_failed(path, errno);
    rein_status status = read_all(fd, path, limit, text, size);
    close(fd);
    if (status != REIN_OK) {
        free(*text);
        *text = NULL;
        *size = 0;
    }
    return status;
}

rein_status rein_file_read(const char *path, bool sealed, void **data, size_t *size)
{
    char *bytes;
    *data = NULL;
    REIN_TRY(rein_file_read_text(path, SIZE_MAX / 4, &bytes, size));
    if (sealed) {
        unsigned char seal[SEAL_SIZE];
        size_t content = *size < SEAL_SIZE ? 0 : *size - SEAL_SIZE;
        seal_make(bytes, content, seal);
        if (*size < SEAL_SIZE || memcmp(bytes + content, seal, SEAL_SIZE) != 0) {
            free(bytes);
            *size = 0;
            return rein_fail(REIN_EFORMAT, "'%.300s' is truncated or altered (wrong seal)", path);
        }
        bytes[content] = '\0';
        *size = content;
    }
    *data = bytes;
    return REIN_OK;
}

/* ---- folders --------------------------------------------------------------------------------- */

bool rein_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static int make_folder(const char *path)
{
    struct stat info;
    if (mkdir(path, 0777) == 0) return 0;
    int error = errno;
    if (stat(path, &info) != 0) return error;
    return S_ISDIR(info.st_mode) ? 0 : ENOTDIR; /* whatever mkdir had against what is there */
}

rein_status rein_folder_create(const char *path)
{
    char folder[PATH_MAX];
    int n = snprintf(folder, sizeof folder, "%s", path);
    int error = n <= 0 ? ENOENT : (size_t)n >= sizeof folder ? ENAMETOOLONG : 0;
    for (char *slash = folder + 1; !error && (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        error = make_folder(folder);
        *slash = '/';
    }
    if (!error) error = make_folder(folder);
    if (error) {
        return rein_fail(REIN_EIO, "cannot create the folder '%.300s': %s", path, strerror(error));
    }
    return REIN_OK;
}
