/* A folder of its own for a test, and a few ways to spoil files. */
#ifndef REIN_TESTS_REPLAY_TEMPORARY_H
#define REIN_TESTS_REPLAY_TEMPORARY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define assert_ok(expression)                                                                      \
    do {                                                                                           \
        if ((expression) != REIN_OK) fail_msg("%s: %s", #expression, rein_error_message());        \
    } while (0)
/* It fails with this status, and the message holds `text`. */
#define assert_fails(expression, status, text)                                                     \
    do {                                                                                           \
        assert_int_equal(expression, status);                                                      \
        if (strstr(rein_error_message(), text) == NULL) {                                          \
            fail_msg("message '%s' lacks '%s'", rein_error_message(), text);                       \
        }                                                                                          \
    } while (0)

/* Make one; remove it with temporary_remove. The path is good until the next call. */
static inline const char *temporary_folder(void)
{
    static char path[128];
    const char *root = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/rein-test-XXXXXX", root ? root : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static inline int temporary_unlink(const char *path, const struct stat *info, int flag,
                                   struct FTW *walk)
{
    (void)info, (void)flag, (void)walk;
    return remove(path);
}

static inline void temporary_remove(const char *path)
{
    nftw(path, temporary_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

/* Bytes of folder/name, malloc'd; NULL when there is no such file. */
static inline char *temporary_bytes(const char *folder, const char *name, size_t *size)
{
    char path[512];
    *size = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*size + 1);
    assert_int_equal(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

static inline void temporary_write(const char *folder, const char *name, const void *data,
                                   size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* How many entries folder/name has; -1: no such folder. */
static inline int temporary_count(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    DIR *directory = opendir(path);
    if (directory == NULL) return -1;
    int n = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) n += entry->d_name[0] != '.';
    closedir(directory);
    return n;
}

#endif
