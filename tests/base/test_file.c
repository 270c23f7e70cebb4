/* Files: whole or absent, sealed, and one clear message when a disk or a folder says no. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

/* ---- a folder of its own for each test ------------------------------------------------------- */

static int folder_setup(void **state)
{
    static char folder[4096];
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/rein_test_file_XXXXXX", temporary ? temporary : P_tmpdir);
    *state = mkdtemp(folder);
    return *state ? chdir(folder) : -1;
}

static int folder_teardown(void **state)
{
    char command[9000];
    snprintf(command, sizeof command, "chmod -R u+w '%s' && rm -rf '%s'", (char *)*state,
             (char *)*state);
    return chdir("/") || system(command);
}

static void check_content(const char *path, bool sealed, const char *expected)
{
    void *data;
    size_t size;
    assert_int_equal(rein_file_read(path, sealed, &data, &size), REIN_OK);
    assert_int_equal(size, strlen(expected));
    assert_string_equal(data, expected); /* terminated, too */
    free(data);
}

static void check_refused(const char *path, bool sealed, rein_status status, const char *message)
{
    void *data = (void *)1;
    size_t size = 1;
    assert_int_equal(rein_file_read(path, sealed, &data, &size), status);
    assert_null(data);
    assert_int_equal(size, 0);
    assert_string_equal(rein_error_message(), message);
}

static void put(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* ---- write and read -------------------------------------------------------------------------- */

static void test_write_read(void **state)
{
    (void)state;
    assert_false(rein_file_exists("a"));
    assert_int_equal(rein_file_write("a", "first", 5, false), REIN_OK);
    assert_true(rein_file_exists("a"));
    check_content("a", false, "first");
    assert_int_equal(rein_file_write("a", "second", 6, true), REIN_OK);
    check_content("a", true, "second");
    assert_int_equal(rein_file_write("a", NULL, 0, true), REIN_OK);
    check_content("a", true, "");
    assert_int_equal(rein_file_write("a", NULL, 0, false), REIN_OK);
    check_content("a", false, "");
    assert_false(rein_file_exists("a.tmp"));
    put("b.tmp", "left by a killed run", 20);
    assert_int_equal(rein_file_write("b", "new", 3, false), REIN_OK);
    check_content("b", false, "new");
    assert_false(rein_file_exists("b.tmp"));
}

static void test_large(void **state)
{
    (void)state;
    const size_t sizes[] = {4095, 4096, 4097, 8191, 8192, 3000000};
    unsigned char *data = malloc(3000000);
    assert_non_null(data);
    for (size_t i = 0; i < 3000000; i++) data[i] = (unsigned char)(i * 2654435761u >> 13);
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        void *back;
        size_t size;
        assert_int_equal(rein_file_write("large", data, sizes[k], true), REIN_OK);
        assert_int_equal(rein_file_read("large", true, &back, &size), REIN_OK);
        assert_int_equal(size, sizes[k]);
        assert_memory_equal(back, data, size);
        free(back);
    }
    free(data);
}

/* The format of the seal is fixed: "REINSEAL", XXH3-64 of what is before, lowest byte first. */
static void test_seal_format(void **state)
{
    (void)state;
    unsigned char *data;
    size_t size;
    assert_int_equal(rein_hash("", 0), 0x2d06800538d394c2); /* XXH3_64bits of nothing, seed 0 */
    assert_int_equal(rein_file_write("s", "rein", 4, true), REIN_OK);
    assert_int_equal(rein_file_read("s", false, (void **)&data, &size), REIN_OK);
    assert_int_equal(size, 20);
    assert_memory_equal(data, "reinREINSEAL", 12);
    uint64_t hash = rein_hash("rein", 4);
    for (int i = 0; i < 8; i++) assert_int_equal(data[12 + i], (hash >> (8 * i)) & 255);
    free(data);
}

/* Every truncation and every flipped bit of a small file is noticed. */
static void test_seal_refuses(void **state)
{
    (void)state;
    static const char message[] = "'d' is truncated or altered (wrong seal)";
    char *data, copy[64];
    size_t size;
    assert_int_equal(rein_file_write("s", "some weights", 12, true), REIN_OK);
    assert_int_equal(rein_file_read("s", false, (void **)&data, &size), REIN_OK);
    for (size_t n = 0; n < size; n++) {
        put("d", data, n);
        check_refused("d", true, REIN_EFORMAT, message);
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        memcpy(copy, data, size);
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        put("d", copy, size);
        check_refused("d", true, REIN_EFORMAT, message);
    }
    memcpy(copy, data, size);
    copy[size] = 'x';
    put("d", copy, size + 1);
    check_refused("d", true, REIN_EFORMAT, message);
    free(data);
}

static void test_read_errors(void **state)
{
    (void)state;
    check_refused("none", false, REIN_ENOTFOUND, "cannot read 'none': No such file or directory");
    check_refused("", false, REIN_ENOTFOUND, "cannot read '': No such file or directory");
    check_refused(".", false, REIN_EIO, "cannot read '.': Is a directory");
    put("f", "x", 1);
    check_refused("f/below", true, REIN_ENOTFOUND, "cannot read 'f/below': Not a directory");
}

static void test_read_text(void **state)
{
    (void)state;
    char *text;
    size_t size;
    put("t", "12345", 5);
    assert_int_equal(rein_file_read_text("t", 5, &text, &size), REIN_OK);
    assert_string_equal(text, "12345");
    free(text);
    assert_int_equal(rein_file_read_text("t", 4, &text, &size), REIN_EFORMAT);
    assert_null(text);
    assert_string_equal(rein_error_message(), "'t' is larger than 4 bytes");
    assert_int_equal(rein_file_read_text("/dev/zero", 100000, &text, &size), REIN_EFORMAT);
    assert_null(text);
    assert_int_equal(rein_file_read_text("/dev/null", 0, &text, &size), REIN_OK);
    assert_int_equal(size, 0);
    free(text);
}

static void on_signal(int number)
{
    (void)number;
}

/* A pipe that comes in pieces, and a signal before each of them. */
static void test_interrupted_pipe(void **state)
{
    (void)state;
    enum { PIECES = 40, PIECE = 1000 };
    int ends[2];
    char path[64], *text;
    size_t size;
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: read gives EINTR */
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    pid_t reader = getpid(), writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        char piece[PIECE];
        for (int i = 0; i < PIECES; i++) {
            usleep(1000);
            kill(reader, SIGUSR1);
            usleep(500);
            memset(piece, 'a' + i % 26, sizeof piece);
            if (write(ends[1], piece, sizeof piece) != sizeof piece) _exit(1);
        }
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(rein_file_read_text(path, 1 << 20, &text, &size), REIN_OK);
    assert_int_equal(size, PIECES * PIECE);
    for (size_t i = 0; i < size; i++) assert_int_equal(text[i], 'a' + (int)(i / PIECE) % 26);
    free(text);
    close(ends[0]);
    waitpid(writer, NULL, 0);
}

/* ---- disks and folders that say no ----------------------------------------------------------- */

static void check_unwritten(const char *path, const void *data, size_t size, const char *message)
{
    char temporary[64];
    assert_int_equal(rein_file_write(path, data, size, true), REIN_EIO);
    assert_string_equal(rein_error_message(), message);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    assert_false(rein_file_exists(temporary));
}

/* A limit in the middle of the data (short write, then an error) and one that leaves just no room
 * for the seal. */
static void test_full_disk(void **state)
{
    (void)state;
    static char data[100000];
    const rlim_t limits[] = {0, 50000, sizeof data, sizeof data + 15};
    struct rlimit before;
    assert_int_equal(rein_file_write("c", "good", 4, true), REIN_OK);
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct rlimit limit = {limits[i], before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
        rein_status status = rein_file_write("c", data, sizeof data, true);
        setrlimit(RLIMIT_FSIZE, &before); /* cmocka writes, too */
        assert_int_equal(status, REIN_EIO);
        assert_string_equal(rein_error_message(), "cannot write 'c': File too large");
        assert_false(rein_file_exists("c.tmp"));
        check_content("c", true, "good");
    }
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(rein_file_write("c", data, sizeof data, true), REIN_OK);
}

/* The real thing where there is a device for it: every write is ENOSPC. */
static void test_no_space(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0) skip();
    assert_int_equal(rein_file_write("c", "good", 4, true), REIN_OK);
    assert_int_equal(symlink("/dev/full", "c.tmp"), 0);
    check_unwritten("c", "better", 6, "cannot write 'c': No space left on device");
    check_content("c", true, "good");
}

static void test_write_errors(void **state)
{
    (void)state;
    char long_path[5000];
    memset(long_path, 'p', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    check_unwritten("no/where", "x", 1, "cannot write 'no/where': No such file or directory");
    assert_int_equal(mkdir("folder", 0777), 0);
    check_unwritten("folder", "x", 1, "cannot write 'folder': Is a directory");
    check_unwritten("", "x", 1, "cannot write '': No such file or directory");
    assert_int_equal(rein_file_write(long_path, "x", 1, true), REIN_EIO);
    assert_non_null(strstr(rein_error_message(), "File name too long"));
    assert_int_equal(mkdir("taken.tmp", 0777), 0); /* somebody's folder is not removed */
    assert_int_equal(rein_file_write("taken", "x", 1, true), REIN_EIO);
    assert_true(rein_file_exists("taken.tmp"));
}

static void test_unwritable_folder(void **state)
{
    enum { NOBODY = 65534 };
    assert_int_equal(mkdir("locked", 0777), 0);
    assert_int_equal(rein_file_write("locked/c", "good", 4, true), REIN_OK);
    assert_int_equal(chmod("locked", 0555), 0);
    bool root = geteuid() == 0; /* may write anywhere: be somebody else for a while */
    if (root) {
        assert_int_equal(chmod(*state, 0755), 0);
        if (seteuid(NOBODY) != 0) skip();
    }
    rein_status write = rein_file_write("locked/c", "x", 1, true);
    char message[1024];
    strcpy(message, rein_error_message());
    rein_status create = rein_folder_create("locked/more");
    if (root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(write, REIN_EIO);
    assert_string_equal(message, "cannot write 'locked/c': Permission denied");
    assert_int_equal(create, REIN_EIO);
    assert_string_equal(rein_error_message(),
                        "cannot create the folder 'locked/more': Permission denied");
    check_content("locked/c", true, "good");
    assert_false(rein_file_exists("locked/c.tmp"));
}

static void test_folders(void **state)
{
    char path[5000];
    assert_int_equal(rein_folder_create("one/two/three"), REIN_OK);
    assert_true(rein_file_exists("one/two/three"));
    assert_int_equal(rein_folder_create("one/two/three/"), REIN_OK);
    assert_int_equal(rein_folder_create("one//two/./four"), REIN_OK);
    assert_true(rein_file_exists("one/two/four"));
    snprintf(path, sizeof path, "%s/absolute/path", (char *)*state);
    assert_int_equal(rein_folder_create(path), REIN_OK);
    assert_true(rein_file_exists("absolute/path"));
    assert_int_equal(rein_folder_create("/"), REIN_OK);
    put("file", "x", 1);
    assert_int_equal(rein_folder_create("file"), REIN_EIO);
    assert_string_equal(rein_error_message(), "cannot create the folder 'file': Not a directory");
    assert_int_equal(rein_folder_create("file/below"), REIN_EIO);
    assert_string_equal(rein_error_message(),
                        "cannot create the folder 'file/below': Not a directory");
    assert_int_equal(rein_folder_create(""), REIN_EIO);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_write_read),        TEST(test_large),
        TEST(test_seal_format),       TEST(test_seal_refuses),
        TEST(test_read_text),         TEST(test_read_errors),
        TEST(test_full_disk),         TEST(test_no_space),
        TEST(test_write_errors),      TEST(test_folders),
        TEST(test_unwritable_folder), TEST(test_interrupted_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
