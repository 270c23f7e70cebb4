/* Optimizers, clipping and polyak averages against numbers recorded from torch; archives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "nets/optimizer.h"
#include "tests/alloc_count.h"
#include "tests/golden_h5.h"

enum { MAX_N = 4096 };

static void check_close(const float *got, const double *want, size_t n, double tolerance)
{
    double scale = 1e-30;
    for (size_t i = 0; i < n; i++) scale = fmax(scale, fabs(want[i]));
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)got[i] - want[i]) <= tolerance * scale)) {
            fail_msg("entry %zu of %zu: %.9g, should be %.9g", i, n, (double)got[i], want[i]);
        }
    }
}

static double *read(golden *g, const char *path, size_t dims[4])
{
    double *x = golden_read(g, path, dims, NULL);
    if (!x) fail_msg("no %s", path);
    return x;
}

/* ---- recorded -------------------------------------------------------------------------------- */

/* The recordings that we have code for; hyper-parameters as in the group's attribute. */
static const struct recording {
    const char *name;
    double lr;
    rein_optimizer_options options;
} recordings[] = {
    {"adam_eps1e-5", 3e-4, {.kind = REIN_ADAM, .eps = 1e-5}},
    {"adam_default", 1e-2, {.kind = REIN_ADAM, .eps = 1e-8}},
    {"adam_betas", 1e-3, {.kind = REIN_ADAM, .eps = 1e-8, .beta1 = 0.5, .beta2 = 0.9}},
    {"rmsprop", 7e-4, {.kind = REIN_RMSPROP, .alpha = 0.99, .eps = 1e-5}},
    {"rmsprop_centered", 2.5e-4, {.kind = REIN_RMSPROP, .alpha = 0.95, .eps = 0.01, .centered = 1}},
    {"rmsprop_momentum", 1e-3, {.kind = REIN_RMSPROP, .alpha = 0.99, .eps = 1e-8, .momentum = 0.9}},
    {"rmsprop_tf", 7e-4, {.kind = REIN_RMSPROP_TF, .alpha = 0.99, .eps = 1e-5}},
    {"sgd", 0.1, {.kind = REIN_SGD}},
    {"sgd_momentum", 0.1, {.kind = REIN_SGD, .momentum = 0.9}},
};

/* `scale`: gradients are handed over divided by it, with grad_scale to make up for it. */
static void check_recording(golden *g, const struct recording *r, float scale)
{
    size_t dims[4];
    char path[128];
    double *before = read(g, "optimizer/before", dims);
    double *gradient = read(g, "optimizer/gradient", dims);
    const size_t steps = dims[0], n = dims[1];
    snprintf(path, sizeof path, "optimizer/%s", r->name);
    double *want = read(g, path, dims);
    snprintf(path, sizeof path, "optimizer/%s_f32", r->name);
    double *want32 = read(g, path, dims);
    float params[MAX_N], grad[MAX_N];
    assert_true(n <= MAX_N && dims[0] == steps && dims[1] == n);
    for (size_t i = 0; i < n; i++) params[i] = (float)before[i];
    rein_optimizer *o;
    assert_int_equal(rein_optimizer_create(&r->options, n, &o), REIN_OK);
    for (size_t t = 0; t < steps; t++) {
        for (size_t i = 0; i < n; i++) grad[i] = (float)gradient[t * n + i] / scale;
        rein_optimizer_step(o, r->lr, grad, (double)scale, params);
        check_close(params, want + t * n, n, 1e-5);
        check_close(params, want32 + t * n, n, 2e-6);
    }
    rein_optimizer_free(o);
    free(before);
    free(gradient);
    free(want);
    free(want32);
}

static void test_recorded(void **state)
{
    (void)state;
    golden g;
    assert_true(golden_open("learning_math.h5", &g));
    for (size_t i = 0; i < sizeof recordings / sizeof recordings[0]; i++) {
        check_recording(&g, &recordings[i], 1.0f);
        check_recording(&g, &recordings[i], 0.25f);
    }
    golden_close(&g);
}

static void test_recorded_clip(void **state)
{
    (void)state;
    golden g;
    assert_true(golden_open("learning_math.h5", &g));
    const char *limits[] = {"0.5", "100.0"};
    for (int c = 0; c < 2; c++) {
        size_t a_dims[4], b_dims[4], dims[4];
        char path[128];
        float grad[MAX_N], clipped[MAX_N];
        double *a = read(&g, "grad_clip/a", a_dims), *b = read(&g, "grad_clip/b", b_dims);
        const size_t n_a = a_dims[0] * a_dims[1], n_b = b_dims[0];
        for (size_t i = 0; i < n_a; i++) grad[i] = (float)a[i];
        for (size_t i = 0; i < n_b; i++) grad[n_a + i] = (float)b[i];
        snprintf(path, sizeof path, "grad_clip/norm_max%s", limits[c]);
        double *norm = read(&g, path, dims);
        snprintf(path, sizeof path, "grad_clip/a_max%s", limits[c]);
        double *want_a = read(&g, path, dims);
        snprintf(path, sizeof path, "grad_clip/b_max%s", limits[c]);
        double *want_b = read(&g, path, dims);
        const double got = rein_grad_norm(grad, n_a + n_b);
        assert_true(fabs(got - *norm) <= 1e-6 * *norm);
        const float scale = (float)rein_grad_clip_scale(got, strtod(limits[c], NULL));
        for (size_t i = 0; i < n_a + n_b; i++) clipped[i] = scale * grad[i];
        check_close(clipped, want_a, n_a, 1e-6);
        check_close(clipped + n_a, want_b, n_b, 1e-6);
        double *all[] = {a, b, norm, want_a, want_b};
        for (int i = 0; i < 5; i++) free(all[i]);
    }
    golden_close(&g);
}

static void test_recorded_polyak(void **state)
{
    (void)state;
    golden g;
    size_t dims[4];
    float target[MAX_N], online[MAX_N];
    assert_true(golden_open("learning_math.h5", &g));
    double *before = read(&g, "polyak/target", dims), *from = read(&g, "polyak/online", dims);
    double *after = read(&g, "polyak/after_tau0_005", dims);
    for (size_t i = 0; i < dims[0]; i++) target[i] = (float)before[i], online[i] = (float)from[i];
    rein_polyak(target, online, dims[0], 0.005);
    check_close(target, after, dims[0], 1e-6);
    rein_polyak(target, online, dims[0], 1);
    assert_memory_equal(target, online, dims[0] * sizeof(float));
    free(before);
    free(from);
    free(after);
    golden_close(&g);
}

/* ---- vectors of every length ----------------------------------------------------------------- */

static void test_norm_lengths(void **state)
{
    (void)state;
    float x[200];
    rein_rng rng = rein_rng_stream(1, REIN_RNG_TEST, 0, 0);
    for (size_t n = 1; n <= 200; n++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            x[i] = (float)rein_rng_normal(&rng);
            sum += (double)x[i] * (double)x[i];
        }
        assert_true(fabs(rein_grad_norm(x, n) - sqrt(sum)) <= 1e-6 * sqrt(sum));
    }
    const float huge[] = {1e30f, 1e30f}, nan[] = {1, NAN};
    assert_true(isfinite(rein_grad_norm(huge, 2)));
    assert_true(isnan(rein_grad_norm(nan, 2)));
}

static void test_clip_scale(void **state)
{
    (void)state;
    assert_true(rein_grad_clip_scale(3, 0) == 1);
    assert_true(rein_grad_clip_scale(0.1, 0.5) == 1);
    assert_true(rein_grad_clip_scale(0, 0.5) == 1);
    assert_true(fabs(rein_grad_clip_scale(5, 0.5) - 0.1) < 1e-7);
}

/* An entry's update does not depend on the length of the vector or where it stands in it. */
static void test_step_lengths(void **state)
{
    (void)state;
    float grad[67], params[67], alone[67];
    for (size_t k = 0; k < sizeof recordings / sizeof recordings[0]; k++) {
        rein_rng rng = rein_rng_stream(2, REIN_RNG_TEST, 0, k);
        rein_optimizer *all, *one;
        assert_int_equal(rein_optimizer_create(&recordings[k].options, 67, &all), REIN_OK);
        for (int i = 0; i < 67; i++) {
            grad[i] = (float)rein_rng_normal(&rng);
            alone[i] = params[i] = (float)rein_rng_normal(&rng);
        }
        for (int t = 0; t < 3; t++) rein_optimizer_step(all, 0.01, grad, 0.7, params);
        for (int i = 0; i < 67; i++) {
            assert_int_equal(rein_optimizer_create(&recordings[k].options, 1, &one), REIN_OK);
            for (int t = 0; t < 3; t++) rein_optimizer_step(one, 0.01, grad + i, 0.7, alone + i);
            assert_true(fabsf(alone[i] - params[i]) <= 1e-6f);
            rein_optimizer_free(one);
        }
        rein_optimizer_free(all);
    }
}

/* Parameters that never had a gradient do not move, nor do they disturb others, for any eps. */
static void test_no_gradient(void **state)
{
    (void)state;
    for (int kind = REIN_ADAM; kind <= REIN_RMSPROP_TF; kind++) {
        for (int e = 0; e < 3; e++) {
            const rein_optimizer_options options = {.kind = (rein_optimizer_kind)kind,
                                                    .eps = (const double[]){0, 1e-30, 1e-8}[e],
                                                    .centered = true};
            float grad[66] = {[65] = 0.5f}, params[66];
            rein_optimizer *o;
            assert_int_equal(rein_optimizer_create(&options, 66, &o), REIN_OK);
            for (int i = 0; i < 66; i++) params[i] = (float)i;
            for (int t = 0; t < 3; t++) rein_optimizer_step(o, 0.01, grad, 1, params);
            for (int i = 0; i < 65; i++) assert_true(params[i] == (float)i);
            assert_true(params[65] < 65 && params[65] > 64);
            rein_optimizer_free(o);
        }
    }
}

/* ---- archives -------------------------------------------------------------------------------- */

/* An archive that keeps arrays in memory. */
typedef struct memory_archive {
    rein_archive archive;
    int n;
    struct {
        char name[64];
        size_t size;
        char data[MAX_N];
    } entry[8];
} memory_archive;

static rein_status memory_array(rein_archive *archive, const char *name, rein_dtype type,
                                void *data, size_t n)
{
    memory_archive *m = (memory_archive *)archive;
    const size_t size = n * rein_dtype_size(type);
    if (!archive->loading) {
        assert_true(m->n < 8 && size <= MAX_N);
        snprintf(m->entry[m->n].name, sizeof m->entry[0].name, "%s", name);
        m->entry[m->n].size = size;
        memcpy(m->entry[m->n++].data, data, size);
        return REIN_OK;
    }
    for (int i = 0; i < m->n; i++) {
        if (strcmp(m->entry[i].name, name) != 0) continue;
        if (m->entry[i].size != size) return rein_fail(REIN_EFORMAT, "length of %s", name);
        memcpy(data, m->entry[i].data, size);
        return REIN_OK;
    }
    return rein_fail(REIN_EFORMAT, "no %s", name);
}

/* Five steps, or three, an archive and two more by another optimizer: the same bytes. */
static void test_archive(void **state)
{
    (void)state;
    static memory_archive m;
    float grad[5 * 33], straight[33], resumed[33];
    for (size_t k = 0; k < sizeof recordings / sizeof recordings[0]; k++) {
        rein_rng rng = rein_rng_stream(3, REIN_RNG_TEST, 0, k);
        for (int i = 0; i < 5 * 33; i++) grad[i] = (float)rein_rng_normal(&rng);
        for (int i = 0; i < 33; i++) resumed[i] = straight[i] = (float)i;
        rein_optimizer *a, *b, *c;
        assert_int_equal(rein_optimizer_create(&recordings[k].options, 33, &a), REIN_OK);
        assert_int_equal(rein_optimizer_create(&recordings[k].options, 33, &b), REIN_OK);
        assert_int_equal(rein_optimizer_create(&recordings[k].options, 32, &c), REIN_OK);
        for (int t = 0; t < 3; t++) {
            rein_optimizer_step(a, 0.01, grad + 33 * t, 1, straight);
            memcpy(resumed, straight, sizeof resumed);
        }
        m = (memory_archive){.archive = {.array = memory_array}};
        assert_int_equal(rein_optimizer_archive(a, &m.archive), REIN_OK);
        m.archive.loading = true;
        assert_int_equal(rein_optimizer_archive(b, &m.archive), REIN_OK);
        for (int t = 3; t < 5; t++) {
            rein_optimizer_step(a, 0.01, grad + 33 * t, 1, straight);
            rein_optimizer_step(b, 0.01, grad + 33 * t, 1, resumed);
        }
        assert_memory_equal(straight, resumed, sizeof straight);
        if (m.n > 1) assert_int_equal(rein_optimizer_archive(c, &m.archive), REIN_EFORMAT);
        rein_optimizer_free(a);
        rein_optimizer_free(b);
        rein_optimizer_free(c);
    }
}

/* What an optimizer keeps does not decay into denormals, which are slow. */
static void test_no_denormals(void **state)
{
    (void)state;
    static memory_archive m;
    for (size_t k = 0; k < sizeof recordings / sizeof recordings[0]; k++) {
        const rein_optimizer_kind kind = recordings[k].options.kind;
        if (kind == REIN_SGD || recordings[k].options.momentum > 0) continue;
        float grad[70], params[70] = {0};
        rein_optimizer *o;
        assert_int_equal(rein_optimizer_create(&recordings[k].options, 70, &o), REIN_OK);
        for (int t = 0; t < 12000; t++) {
            for (int i = 0; i < 70; i++) grad[i] = t < 2 ? (float)(i - 35) * 0.1f : 0.0f;
            rein_optimizer_step(o, 1e-4, grad, 1, params);
        }
        m = (memory_archive){.archive = {.array = memory_array}};
        assert_int_equal(rein_optimizer_archive(o, &m.archive), REIN_OK);
        for (int a = 0; a < m.n; a++) {
            if (m.entry[a].size != sizeof params) continue;
            float kept[70];
            memcpy(kept, m.entry[a].data, sizeof kept);
            for (int i = 0; i < 70; i++) assert_int_not_equal(fpclassify(kept[i]), FP_SUBNORMAL);
        }
        rein_optimizer_free(o);
    }
}

static void check_refused(rein_optimizer_options options, size_t n, const char *words)
{
    rein_optimizer *o = (rein_optimizer *)1;
    assert_int_equal(rein_optimizer_create(&options, n, &o), REIN_EINVAL);
    assert_null(o);
    assert_non_null(strstr(rein_error_message(), words));
}

static void test_errors(void **state)
{
    (void)state;
    check_refused((rein_optimizer_options){.kind = REIN_ADAM}, 0, "0 parameters");
    check_refused((rein_optimizer_options){.kind = (rein_optimizer_kind)9}, 1, "adam|rmsprop");
    check_refused((rein_optimizer_options){.kind = REIN_ADAM, .beta1 = 1}, 1, "betas");
    check_refused((rein_optimizer_options){.kind = REIN_ADAM, .beta2 = -1}, 1, "betas");
    check_refused((rein_optimizer_options){.kind = REIN_RMSPROP, .alpha = 1.5}, 1, "alpha");
    check_refused((rein_optimizer_options){.kind = REIN_SGD, .momentum = NAN}, 1, "momentum");
    check_refused((rein_optimizer_options){.kind = REIN_ADAM, .eps = -1e-8}, 1, "eps");
    rein_optimizer_free(NULL);
}

static void test_no_allocation(void **state)
{
    (void)state;
    if (!alloc_count_works()) skip();
    static float grad[MAX_N], params[MAX_N];
    for (size_t k = 0; k < sizeof recordings / sizeof recordings[0]; k++) {
        rein_optimizer *o;
        assert_int_equal(rein_optimizer_create(&recordings[k].options, MAX_N, &o), REIN_OK);
        const long before = alloc_count();
        const double norm = rein_grad_norm(grad, MAX_N);
        rein_optimizer_step(o, 0.01, grad, rein_grad_clip_scale(norm, 0.5), params);
        assert_int_equal(alloc_count(), before);
        rein_optimizer_free(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),        cmocka_unit_test(test_recorded_clip),
        cmocka_unit_test(test_recorded_polyak), cmocka_unit_test(test_norm_lengths),
        cmocka_unit_test(test_clip_scale),      cmocka_unit_test(test_step_lengths),
        cmocka_unit_test(test_no_gradient),     cmocka_unit_test(test_archive),
        cmocka_unit_test(test_errors),          cmocka_unit_test(test_no_denormals),
        cmocka_unit_test(test_no_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
