/* The store: what is put comes back, same content gives same bytes, and damage is refused. */
#include <hdf5.h>
#include <pthread.h>

#include "base/file.h"
#include "replay/store.h"
#include "tests/golden_h5.h"
#include "tests/replay/temporary.h"

static rein_store *make(void)
{
    rein_store *s;
    float f[6] = {1, 2, 3, 4, 5, 6.5f};
    double d[2] = {0.1, -1e300};
    uint8_t u[8] = {0, 1, 2, 3, 250, 251, 252, 255};
    int32_t i[3] = {-1, 0, INT32_MAX};
    uint32_t w[1] = {UINT32_MAX};
    int64_t l[2] = {INT64_MIN, INT64_MAX};
    assert_ok(rein_store_create(&s));
    assert_ok(rein_store_put(s, "f", REIN_F32, 2, (int64_t[]){2, 3}, f, true));
    assert_ok(rein_store_put(s, "a/b/d", REIN_F64, 1, (int64_t[]){2}, d, false));
    assert_ok(rein_store_put(s, "a/u", REIN_U8, 5, (int64_t[]){1, 2, 2, 2, 1}, u, true));
    assert_ok(rein_store_put(s, "a/b/i", REIN_I32, 1, (int64_t[]){3}, i, false));
    assert_ok(rein_store_put(s, "w", REIN_U32, 1, (int64_t[]){1}, w, false));
    assert_ok(rein_store_put(s, "l", REIN_I64, 1, (int64_t[]){2}, l, true));
    assert_ok(rein_store_put(s, "empty", REIN_F32, 2, (int64_t[]){0, 7}, NULL, true));
    assert_ok(rein_store_put_text(s, "/", "title", "Pferd \xc3\xbc"));
    assert_ok(rein_store_put_text(s, "a/b", "nothing", ""));
    assert_ok(rein_store_put_number(s, "f", "scale", 0.25));
    return s;
}

static void check(rein_store *s)
{
    float f[6];
    double d[2], number;
    uint8_t u[8];
    int32_t i[3];
    uint32_t w[1];
    int64_t l[2], dims[REIN_STORE_DIMS];
    char text[32];
    rein_dtype type;
    int n_dims;
    assert_ok(rein_store_get(s, "f", REIN_F32, f, 6));
    assert_true(f[0] == 1 && f[5] == 6.5f);
    assert_ok(rein_store_get(s, "a/b/d", REIN_F64, d, 2));
    assert_true(d[0] == 0.1 && d[1] == -1e300);
    assert_ok(rein_store_get(s, "a/u", REIN_U8, u, 8));
    assert_true(u[0] == 0 && u[7] == 255);
    assert_ok(rein_store_get(s, "a/b/i", REIN_I32, i, 3));
    assert_true(i[0] == -1 && i[2] == INT32_MAX);
    assert_ok(rein_store_get(s, "w", REIN_U32, w, 1));
    assert_true(w[0] == UINT32_MAX);
    assert_ok(rein_store_get(s, "l", REIN_I64, l, 2));
    assert_true(l[0] == INT64_MIN && l[1] == INT64_MAX);
    double wide[3];
    assert_ok(rein_store_get(s, "a/b/i", REIN_F64, wide, 3)); /* converted */
    assert_true(wide[0] == -1 && wide[2] == INT32_MAX);
    assert_ok(rein_store_shape(s, "a/u", &type, &n_dims, dims));
    assert_true(type == REIN_U8 && n_dims == 5 && dims[0] == 1 && dims[1] == 2 && dims[4] == 1);
    assert_ok(rein_store_shape(s, "empty", &type, &n_dims, dims));
    assert_true(type == REIN_F32 && n_dims == 2 && dims[0] == 0 && dims[1] == 7 && dims[2] == 1);
    assert_ok(rein_store_get(s, "empty", REIN_F32, NULL, 0));
    assert_ok(rein_store_get_text(s, "/", "title", text, sizeof text));
    assert_string_equal(text, "Pferd \xc3\xbc");
    assert_ok(rein_store_get_text(s, "a/b", "nothing", text, sizeof text));
    assert_string_equal(text, "");
    assert_ok(rein_store_get_number(s, "f", "scale", &number));
    assert_true(number == 0.25);
    assert_ok(rein_store_child(s, "/", 0, text, sizeof text));
    assert_string_equal(text, "a");
    assert_ok(rein_store_child(s, "a", 1, text, sizeof text));
    assert_string_equal(text, "u");
    assert_fails(rein_store_child(s, "a", 2, text, sizeof text), REIN_ENOTFOUND, "entry 2");
    assert_fails(rein_store_child(s, "/", 1, text, 2), REIN_EFORMAT, "too long");
}

static void test_round_trip(void **state)
{
    (void)state;
    const char *folder = temporary_folder();
    char path[256];
    snprintf(path, sizeof path, "%s/x.h5", folder);
    rein_store *s = make(), *back;
    check(s); /* readable before it is a file */
    assert_ok(rein_store_save(s, path));
    rein_store_free(s);
    assert_ok(rein_store_open(path, &back));
    check(back);
    rein_store_free(back);
    assert_ok(rein_store_open_plain(path, &back)); /* HDF5 minds no seal */
    check(back);
    rein_store_free(back);
    rein_store_free(NULL);
    temporary_remove(folder);
}

static void test_same_bytes(void **state)
{
    (void)state;
    void *data[2];
    size_t size[2];
    rein_store *first = make(), *second;
    assert_ok(rein_store_image(first, &data[0], &size[0]));
    rein_store_free(first);
    void *dirt = malloc(1 << 16); /* leaves other bytes behind in the heap */
    memset(dirt, 0xa5, 1 << 16);
    free(dirt);
    sleep(1); /* HDF5's times have seconds */
    second = make();
    assert_ok(rein_store_image(second, &data[1], &size[1]));
    rein_store_free(second);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(data[0], data[1], size[0]);
    free(data[0]);
    free(data[1]);
}

static void test_several_at_once(void **state)
{
    (void)state;
    void *data;
    size_t size;
    rein_store *a = make(), *b = make(), *c, *d;
    assert_ok(rein_store_image(a, &data, &size));
    assert_ok(rein_store_open_memory("c", data, size, &c));
    assert_ok(rein_store_open_memory("c", data, size, &d));
    free(data);
    check(d);
    rein_store_free(d);
    check(c);
    check(b);
    check(a);
    rein_store_free(a);
    rein_store_free(b);
    rein_store_free(c);
}

static void test_wrong_use(void **state)
{
    (void)state;
    float f[4] = {0};
    double d;
    char text[8];
    rein_store *s = make();
    const int64_t two[] = {2}, negative[] = {2, -1}, six[] = {1, 1, 1, 1, 1, 1};
    assert_fails(rein_store_put(s, "f", REIN_F32, 1, two, f, false), REIN_EINVAL, "'f'");
    assert_fails(rein_store_put(s, "a", REIN_F32, 1, two, f, false), REIN_EINVAL, "'a'");
    assert_fails(rein_store_put(s, "f/g", REIN_F32, 1, two, f, false), REIN_EINVAL, "'f/g'");
    assert_fails(rein_store_put(s, "", REIN_F32, 1, two, f, false), REIN_EINVAL, "name");
    assert_fails(rein_store_put(s, "/x", REIN_F32, 1, two, f, false), REIN_EINVAL, "name");
    assert_fails(rein_store_put(s, "n", REIN_F32, 2, negative, f, false), REIN_EINVAL, "negative");
    assert_fails(rein_store_put(s, "n", REIN_F32, 6, six, f, false), REIN_EINVAL, "6");
    assert_fails(rein_store_put(s, "n", REIN_F32, 0, six, f, false), REIN_EINVAL, "0");
    assert_fails(rein_store_put_number(s, "f", "scale", 1), REIN_EINVAL, "scale");
    assert_fails(rein_store_put_number(s, "none", "scale", 1), REIN_ENOTFOUND, "none");
    assert_fails(rein_store_get(s, "none", REIN_F32, f, 4), REIN_ENOTFOUND, "none");
    assert_fails(rein_store_get(s, "a/none", REIN_F32, f, 4), REIN_ENOTFOUND, "a/none");
    assert_fails(rein_store_get(s, "a", REIN_F32, f, 4), REIN_ENOTFOUND, "'a'");
    assert_fails(rein_store_get(s, "f", REIN_F32, f, 4), REIN_EFORMAT, "6 entries, 4 expected");
    assert_fails(rein_store_get_number(s, "/", "title", &d), REIN_EFORMAT, "title");
    assert_fails(rein_store_get_number(s, "/", "none", &d), REIN_ENOTFOUND, "none");
    assert_fails(rein_store_get_text(s, "f", "scale", text, 8), REIN_EFORMAT, "scale");
    assert_fails(rein_store_get_text(s, "/", "title", text, 8), REIN_EFORMAT, "title");
    assert_fails(rein_store_child(s, "f", 0, text, 8), REIN_ENOTFOUND, "no group 'f'");
    check(s); /* nothing of it left a trace */
    rein_store_free(s);
}

static void test_damaged_file(void **state)
{
    (void)state;
    const char *folder = temporary_folder();
    char path[256];
    size_t size;
    rein_store *s = make();
    snprintf(path, sizeof path, "%s/x.h5", folder);
    assert_ok(rein_store_save(s, path));
    rein_store_free(s);
    char *data = temporary_bytes(folder, "x.h5", &size);
    const size_t cuts[] = {0, 1, 15, 16, size / 2, size - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        temporary_write(folder, "x.h5", data, cuts[i]);
        assert_fails(rein_store_open(path, &s), REIN_EFORMAT, "x.h5");
    }
    for (size_t at = 0; at < size; at += size / 97) {
        data[at] ^= 4;
        temporary_write(folder, "x.h5", data, size);
        assert_fails(rein_store_open(path, &s), REIN_EFORMAT, "x.h5");
        data[at] ^= 4;
    }
    unlink(path);
    assert_fails(rein_store_open(path, &s), REIN_ENOTFOUND, "x.h5");
    assert_fails(rein_store_open_plain(path, &s), REIN_ENOTFOUND, "x.h5");
    assert_ok(rein_file_write(path, "no HDF5 at all", 14, true));
    assert_fails(rein_store_open(path, &s), REIN_EFORMAT, "x.h5");
    assert_fails(rein_store_open_plain(path, &s), REIN_EFORMAT, "x.h5");
    assert_fails(rein_store_open_memory("m", "", 0, &s), REIN_EFORMAT, "m");
    free(data);
    temporary_remove(folder);
}

/* ---- files that are HDF5, but not ours ------------------------------------------------------- */

static hid_t hostile_set(hid_t file, const char *name, hid_t type, hsize_t n, hid_t create)
{
    hid_t space = H5Screate_simple(1, &n, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    assert_true(set >= 0);
    H5Sclose(space);
    H5Dclose(set);
    return set;
}

/* One array or link of each kind that a reader must refuse. */
static void hostile_fill(hid_t file)
{
    hsize_t chunk = 1ull << 29, six[6] = {1, 1, 1, 1, 1, 1};
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    hostile_set(file, "unwritten", H5T_NATIVE_FLOAT, 1ull << 33, create); /* 32 GB of nothing */
    hostile_set(file, "endless", H5T_NATIVE_FLOAT, 1ull << 60, create);
    H5Pset_external(create, "/etc/passwd", 0, 16);
    hostile_set(file, "external", H5T_NATIVE_UINT8, 16, create);
    H5Pclose(create);
    create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(create, 1, &chunk);
    hostile_set(file, "chunk", H5T_NATIVE_FLOAT, chunk, create);
    H5Pclose(create);
    create = H5Pcreate(H5P_DATASET_CREATE);
    chunk = 4;
    H5Pset_chunk(create, 1, &chunk);
    H5Pset_scaleoffset(create, H5Z_SO_INT, 0);
    hostile_set(file, "filter", H5T_NATIVE_INT, 4, create);
    H5Pclose(create);
    hid_t text = H5Tcopy(H5T_C_S1), pair = H5Tcreate(H5T_COMPOUND, 8);
    H5Tset_size(text, H5T_VARIABLE);
    H5Tinsert(pair, "x", 0, H5T_NATIVE_FLOAT);
    hostile_set(file, "text", text, 4, H5P_DEFAULT);
    hostile_set(file, "pair", pair, 4, H5P_DEFAULT);
    hid_t space = H5Screate(H5S_SCALAR), many = H5Screate_simple(6, six, NULL);
    H5Dclose(
        H5Dcreate2(file, "six", H5T_NATIVE_FLOAT, many, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    const char *words = "words";
    hid_t attribute = H5Acreate2(file, "variable", text, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, text, &words);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Sclose(many);
    H5Tclose(text);
    H5Tclose(pair);
    H5Lcreate_soft("/filter", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("/etc/passwd", "/x", file, "elsewhere", H5P_DEFAULT, H5P_DEFAULT);
}

static void test_foreign_contents(void **state)
{
    (void)state;
    const char *folder = temporary_folder();
    char path[256], text[16];
    size_t size;
    rein_store *s;
    snprintf(path, sizeof path, "%s/x.h5", folder);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hostile_fill(file);
    H5Fclose(file);
    char *data = temporary_bytes(folder, "x.h5", &size);
    assert_ok(rein_store_open_memory("m", data, size, &s));
    free(data);
    const char *refused[] = {"unwritten", "endless", "external", "chunk",
                             "filter",    "text",    "pair",     "six"};
    float out[16];
    rein_dtype type;
    int n_dims;
    int64_t dims[REIN_STORE_DIMS];
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_fails(rein_store_shape(s, refused[i], &type, &n_dims, dims), REIN_EFORMAT,
                     refused[i]);
        assert_fails(rein_store_get(s, refused[i], REIN_F32, out, 16), REIN_EFORMAT, refused[i]);
    }
    assert_fails(rein_store_get(s, "soft", REIN_F32, out, 4), REIN_ENOTFOUND, "soft");
    assert_fails(rein_store_get(s, "elsewhere", REIN_F32, out, 4), REIN_ENOTFOUND, "elsewhere");
    assert_fails(rein_store_get_text(s, "/", "variable", text, 16), REIN_EFORMAT, "variable");
    rein_store_free(s);
    temporary_remove(folder);
}

/* A compressed array whose bytes were changed by somebody who then made a new seal. */
static void test_damaged_rows(void **state)
{
    (void)state;
    void *image;
    size_t size;
    float rows[512];
    rein_store *s;
    for (int i = 0; i < 512; i++) rows[i] = (float)(i * i) * 0.37f;
    assert_ok(rein_store_create(&s));
    assert_ok(rein_store_put(s, "x", REIN_F32, 1, (int64_t[]){512}, rows, true));
    assert_ok(rein_store_image(s, &image, &size));
    rein_store_free(s);
    unsigned char *data = image, *stream = NULL; /* zlib's first two bytes at level 1 */
    for (size_t i = 0; i + 1 < size && stream == NULL; i++) {
        if (data[i] == 0x78 && data[i + 1] == 0x01) stream = data + i;
    }
    assert_non_null(stream);
    for (int at = 0; at < 200; at += 7) {
        stream[at] ^= 0x55;
        assert_ok(rein_store_open_memory("m", data, size, &s));
        assert_fails(rein_store_get(s, "x", REIN_F32, rows, 512), REIN_EFORMAT, "damaged");
        rein_store_free(s);
        stream[at] ^= 0x55;
    }
    free(image);
}

static void test_archive(void **state)
{
    (void)state;
    void *image;
    size_t size;
    float weights[3] = {1, 2, 3}, got[3];
    int64_t step = 77;
    double rate = 0.5;
    rein_store *s;
    assert_ok(rein_store_create(&s));
    rein_archive *a = rein_store_archive(s);
    assert_false(a->loading);
    assert_ok(rein_archive_i64(a, "step", &step));
    rein_archive_enter(a, "net");
    assert_ok(rein_archive_array(a, "weights", REIN_F32, weights, 3));
    assert_ok(rein_archive_array(a, "nothing", REIN_U8, NULL, 0));
    rein_archive_leave(a);
    assert_ok(rein_archive_f64(a, "rate", &rate));
    assert_ok(rein_store_image(s, &image, &size));
    rein_store_free(s);

    assert_ok(rein_store_open_memory("checkpoint.h5", image, size, &s));
    a = rein_store_archive(s);
    assert_true(a->loading);
    step = 0;
    rate = 0;
    assert_ok(rein_archive_i64(a, "step", &step));
    assert_ok(rein_archive_f64(a, "rate", &rate));
    assert_true(step == 77 && rate == 0.5);
    assert_ok(rein_archive_array(a, "net/weights", REIN_F32, got, 3));
    assert_memory_equal(got, weights, sizeof got);
    assert_ok(rein_archive_array(a, "net/nothing", REIN_U8, NULL, 0));
    assert_fails(rein_archive_array(a, "net/weights", REIN_F32, got, 2), REIN_EFORMAT,
                 "checkpoint.h5");
    assert_fails(rein_archive_array(a, "net/weights", REIN_I32, got, 3), REIN_EFORMAT, "type");
    assert_fails(rein_archive_array(a, "net/bias", REIN_F32, got, 3), REIN_EFORMAT, "net/bias");
    assert_fails(rein_store_put_number(s, "/", "x", 1), REIN_EINVAL, "reading");
    rein_store_free(s);
    free(image);
}

static void test_virtual(void **state)
{
    (void)state;
    const char *folder = temporary_folder();
    char path[256], part[256];
    rein_store *s;
    snprintf(part, sizeof part, "%s/parts", folder);
    assert_ok(rein_folder_create(part));
    const char *files[] = {"parts/1.h5", "parts/2.h5", "parts/3.h5"};
    const rein_store_part parts[] = {{files[0], 2}, {files[1], 0}, {files[2], 3}};
    for (int64_t i = 0, first = 0; i < 3; first += parts[i++].length) {
        float rows[3][2];
        for (int k = 0; k < 6; k++) rows[k / 2][k % 2] = (float)(2 * first + k);
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        assert_ok(rein_store_create(&s));
        assert_ok(rein_store_put(s, "x", REIN_F32, 2, (int64_t[]){parts[i].length, 2}, rows, true));
        assert_ok(rein_store_save(s, path));
        rein_store_free(s);
    }
    snprintf(path, sizeof path, "%s/all.h5", folder);
    assert_ok(rein_store_create(&s));
    assert_ok(rein_store_put_virtual(s, "x", REIN_F32, 2, (int64_t[]){5, 2}, parts, 3));
    assert_fails(rein_store_put_virtual(s, "y", REIN_F32, 2, (int64_t[]){6, 2}, parts, 3),
                 REIN_EINVAL, "'y'");
    assert_ok(rein_store_put_virtual(s, "none", REIN_F32, 2, (int64_t[]){0, 2}, parts, 0));
    assert_ok(rein_store_save(s, path));
    rein_store_free(s);
    float all[10];
    assert_ok(rein_store_open_plain(path, &s));
    assert_ok(rein_store_get(s, "x", REIN_F32, all, 10));
    for (int k = 0; k < 10; k++) assert_true(all[k] == (float)k);
    rein_store_free(s);
    assert_ok(rein_store_open(path, &s)); /* a checkpoint must not lead into other files */
    assert_fails(rein_store_get(s, "x", REIN_F32, all, 10), REIN_EFORMAT, "'x'");
    rein_store_free(s);
    temporary_remove(folder);
}

static void *use_stores(void *failed)
{
    for (int i = 0; i < 20; i++) {
        rein_store *s;
        float x[64] = {[63] = (float)i}, y[64];
        if (rein_store_create(&s) != REIN_OK ||
            rein_store_put(s, "g/x", REIN_F32, 1, (int64_t[]){64}, x, true) != REIN_OK ||
            rein_store_get(s, "g/x", REIN_F32, y, 64) != REIN_OK || y[63] != x[63]) {
            *(int *)failed = 1;
        }
        rein_store_free(s);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[3];
    int failed[3] = {0};
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, use_stores, &failed[i]);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(failed[i], 0);
    }
}

static void test_reads_recorded_files(void **state)
{
    (void)state;
    char path[512], name[64];
    const char *folder = getenv("REIN_GOLDEN_DIR");
    rein_store *s;
    snprintf(path, sizeof path, "%s/mujoco.h5",
             folder != NULL && folder[0] ? folder : REIN_SOURCE_DIR "/tests/golden");
    assert_ok(rein_store_open_plain(path, &s));
    assert_ok(rein_store_child(s, "/", 0, name, sizeof name));
    assert_memory_equal(name, "mujoco-", 7);
    rein_store_free(s);
    assert_fails(rein_store_open(path, &s), REIN_EFORMAT, "mujoco.h5"); /* has no seal */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_several_at_once),
        cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_damaged_file),
        cmocka_unit_test(test_foreign_contents),
        cmocka_unit_test(test_damaged_rows),
        cmocka_unit_test(test_archive),
        cmocka_unit_test(test_virtual),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_reads_recorded_files),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
