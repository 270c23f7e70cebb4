/* The MJCF files of envs/mujoco/models compile to the recorded arrays (mujoco_models.h5), and
 * mj_forward gives the recorded forces and accelerations at the recorded states. */
#include <math.h>
#include <mujoco/mjxmacro.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "envs/mujoco/classes.h"
#include "envs/mujoco/mjcf.h"
#include "envs/mujoco/sim.h"
#include "tests/golden_h5.h"

#ifndef XNV /* newer versions mark arrays that change their length so */
#define XNV X
#endif

enum { MAX_ENTRIES = 1 << 16, MAX_NAMES = 128 };

static double entries[MAX_ENTRIES]; /* one array at a time */

/* Field `name` of the model as doubles into `entries`; returns their number, -1: no such field. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion" /* the preamble puts 64-bit sizes into int in 3.x */
static int model_field(const mjModel *model, const char *name)
{
    MJMODEL_POINTERS_PREAMBLE(model)
#define X(type, field, rows, columns)                                                              \
    if (strcmp(name, #field) == 0) {                                                               \
        int n = (int)(model->rows) * (int)(columns);                                               \
        assert_true(n <= MAX_ENTRIES);                                                             \
        for (int i = 0; i < n; i++) entries[i] = (double)model->field[i];                          \
        return n;                                                                                  \
    }
    MJMODEL_POINTERS
#undef X
    return -1;
}
#pragma GCC diagnostic pop

/* Full mass matrix, by products with unit vectors, into `entries` [nv, nv]. */
static int mass_matrix(const mjModel *model, mjData *data)
{
    int nv = (int)model->nv;
    double unit[MAX_NAMES] = {0};
    assert_true(nv <= MAX_NAMES);
    for (int i = 0; i < nv; i++) {
        unit[i] = 1;
        mj_mulM(model, data, entries + i * nv, unit);
        unit[i] = 0;
    }
    return nv * nv;
}

static int data_field(const mjModel *model, mjData *data, const char *name)
{
#define X(field, rows, columns)                                                                    \
    if (strcmp(name, #field) == 0) {                                                               \
        mju_copy(entries, data->field, (int)(model->rows) * (columns));                            \
        return (int)(model->rows) * (columns);                                                     \
    }
    X(xpos, nbody, 3)
    X(xquat, nbody, 4)
    X(xipos, nbody, 3)
    X(geom_xpos, ngeom, 3)
    X(site_xpos, nsite, 3)
    X(subtree_com, nbody, 3)
    X(cvel, nbody, 6)
    X(qfrc_bias, nv, 1)
    X(qfrc_passive, nv, 1)
    X(qfrc_constraint, nv, 1)
    X(qacc, nv, 1)
    X(actuator_force, nu, 1)
    X(ten_length, ntendon, 1)
    X(ten_velocity, ntendon, 1)
#undef X
    if (strcmp(name, "mass_matrix") == 0) return mass_matrix(model, data);
    if (strcmp(name, "counts") == 0) {
        entries[0] = data->ncon;
        entries[1] = data->nefc;
        return 2;
    }
    return -1;
}

/* Largest difference of `entries` [n] to the record: of results relative to the array's largest
 * entry, of copied numbers each to itself. */
static double difference(const double *record, int n, bool copied)
{
    double worst = 0, largest = 0;
    for (int i = 0; i < n; i++) largest = fmax(largest, fabs(record[i]));
    for (int i = 0; i < n; i++) {
        assert_true(isfinite(entries[i]));
        if (entries[i] == record[i]) continue;
        double scale = copied ? fabs(record[i]) : largest;
        worst = fmax(worst, fabs(entries[i] - record[i]) / scale); /* infinite where scale is 0 */
    }
    return worst;
}

/* Numbers that the compiler works out from those in the file; the others are copied. */
static bool is_derived(const char *name)
{
    static const char *const derived[] = {
        "body_mass",  "body_subtreemass", "body_inertia",   "body_invweight0",  "body_ipos",
        "body_iquat", "dof_M0",           "dof_invweight0", "geom_rbound",      "geom_quat",
        "geom_pos",   "geom_size",        "actuator_acc0",  "actuator_length0",
    };
    for (size_t i = 0; i < sizeof derived / sizeof derived[0]; i++) {
        if (strcmp(name, derived[i]) == 0) return true;
    }
    return false;
}

/* Every array of the group that mjModel has. Returns how many were compared. */
static int check_arrays(golden *g, const char *group, const mjModel *model)
{
    char name[256], path[512];
    int compared = 0, inexact = 0;
    for (int i = 0; golden_child(g, group, i, name, sizeof name); i++) {
        size_t dims[4];
        snprintf(path, sizeof path, "%s/%s", group, name);
        double *record = golden_read(g, path, dims, NULL);
        if (record == NULL) continue; /* a group or strings */
        int n = model_field(model, strcmp(name, "init_qpos") == 0 ? "qpos0" : name);
        if (n >= 0) {
            bool copied = !is_derived(name);
            if ((size_t)n != dims[0] * dims[1]) fail_msg("%s: %d entries", path, n);
            double worst = difference(record, n, copied);
            if (worst > (copied ? 1e-15 : 1e-12)) fail_msg("%s differs: %g", path, worst);
            inexact += worst > 0;
            compared++;
        }
        free(record);
    }
    printf("%s: %d arrays, %d not bit-equal\n", group, compared, inexact);
    return compared;
}

static void check_number(golden *g, const char *path, const char *name, const double *value, int n)
{
    double record[16];
    int count = 0;
    if (!golden_attr_double(g, path, name, record, 16, &count)) return; /* not of that version */
    assert_int_equal(count, n);
    for (int i = 0; i < n; i++) {
        if (fabs(value[i] - record[i]) > 1e-12 * fmax(1, fabs(record[i]))) {
            fail_msg("%s %s[%d] is %.17g, recorded %.17g", path, name, i, value[i], record[i]);
        }
    }
}

static void check_numbers(golden *g, const char *group, const mjModel *model)
{
    char path[512];
    snprintf(path, sizeof path, "%s/size", group);
    /* clang-format off */
#define X(field) check_number(g, path, #field, &(double){(double)model->field}, 1);
    X(nq) X(nv) X(nu) X(na) X(nbody) X(njnt) X(ngeom) X(nsite) X(ncam) X(ntendon) X(nwrap) X(neq)
    X(nM) X(nD) X(nexclude) X(npair) X(nsensor) X(nuserdata) X(nmocap) X(nkey) X(nmesh) X(nhfield)
#undef X
    snprintf(path, sizeof path, "%s/option", group);
#define X(field) check_number(g, path, #field, &(double){(double)model->opt.field}, 1);
    X(timestep) X(integrator) X(cone) X(jacobian) X(solver) X(iterations) X(tolerance)
    X(noslip_iterations) X(noslip_tolerance) X(disableflags) X(enableflags) X(impratio) X(density)
    X(viscosity) X(o_margin)
#undef X
        /* clang-format on */
        check_number(g, path, "gravity", model->opt.gravity, 3);
    check_number(g, path, "wind", model->opt.wind, 3);
    check_number(g, path, "magnetic", model->opt.magnetic, 3);
    check_number(g, path, "o_solref", model->opt.o_solref, mjNREF);
    check_number(g, path, "o_solimp", model->opt.o_solimp, mjNIMP);
    snprintf(path, sizeof path, "%s/statistic", group);
    check_number(g, path, "meaninertia", &model->stat.meaninertia, 1);
    check_number(g, path, "meanmass", &model->stat.meanmass, 1);
    check_number(g, path, "meansize", &model->stat.meansize, 1);
    check_number(g, path, "extent", &model->stat.extent, 1);
}

static void check_names(golden *g, const char *group, const mjModel *model)
{
    static const struct {
        const char *dataset;
        int type;
    } kinds[] = {
        {"body_names", mjOBJ_BODY},         {"jnt_names", mjOBJ_JOINT},
        {"geom_names", mjOBJ_GEOM},         {"site_names", mjOBJ_SITE},
        {"tendon_names", mjOBJ_TENDON},     {"cam_names", mjOBJ_CAMERA},
        {"actuator_names", mjOBJ_ACTUATOR},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        char path[512], record[MAX_NAMES][64];
        snprintf(path, sizeof path, "%s/%s", group, kinds[k].dataset);
        int n = golden_read_text(g, path, record, MAX_NAMES);
        assert_true(n <= MAX_NAMES);
        for (int i = 0; i < n; i++) {
            const char *name = mj_id2name(model, kinds[k].type, i);
            assert_string_equal(name != NULL ? name : "", record[i]);
        }
    }
}

/* Row k of a dataset [K, columns]; NULL: no such dataset. The caller frees *all. */
static const double *row_of(golden *g, const char *group, const char *name, int k, double **all,
                            size_t *columns)
{
    char path[512];
    size_t dims[4];
    snprintf(path, sizeof path, "%s/forward/%s", group, name);
    *all = golden_read(g, path, dims, NULL);
    if (*all == NULL || (size_t)k >= dims[0]) return NULL;
    *columns = dims[1] * dims[2];
    return *all + (size_t)k * *columns;
}

static void set_state(golden *g, const char *group, int k, const mjModel *model, mjData *data)
{
    double *all = NULL;
    size_t n = 0;
    mj_resetData(model, data);
#define X(field, size)                                                                             \
    {                                                                                              \
        const double *row = row_of(g, group, #field, k, &all, &n);                                 \
        if (row != NULL) {                                                                         \
            assert_int_equal(n, model->size);                                                      \
            mju_copy(data->field, row, (int)n);                                                    \
        }                                                                                          \
        free(all);                                                                                 \
    }
    X(qpos, nq)
    X(qvel, nv)
    X(ctrl, nu)
#undef X
    mj_forward(model, data);
}

static int check_forward(golden *g, const char *group, rein_sim *sim)
{
    char folder[512], name[64];
    double states = 0;
    int count = 0, compared = 0;
    snprintf(folder, sizeof folder, "%s/forward", group);
    golden_attr_double(g, folder, "states", &states, 1, &count);
    for (int k = 0; k < (int)states; k++) {
        set_state(g, group, k, sim->model, sim->data);
        for (int i = 0; golden_child(g, folder, i, name, sizeof name); i++) {
            double *all = NULL;
            size_t columns = 0;
            int n = data_field(sim->model, sim->data, name);
            const double *record = n > 0 ? row_of(g, group, name, k, &all, &columns) : NULL;
            if (record != NULL) {
                assert_int_equal(columns, n);
                double worst = difference(record, n, false);
                if (worst > 1e-12) fail_msg("%s/%s state %d differs: %g", folder, name, k, worst);
                compared++;
            }
            free(all);
        }
    }
    return compared;
}

/* All recorded models of the linked version that we have a file for. */
static void test_models_equal_record(void **state)
{
    (void)state;
    golden g;
    char version[64], group[256], text[64];
    int models = 0;
    assert_true(golden_open("mujoco_models.h5", &g));
    snprintf(version, sizeof version, "mujoco-%s", rein_mujoco_version());
    if (!golden_exists(&g, version)) {
        golden_close(&g);
        print_message("no record of %s\n", version);
        skip();
    }
    for (const rein_mjcf *file = rein_mjcf_files; file->name != NULL; file++) {
        snprintf(text, sizeof text, "%s", file->name);
        *strrchr(text, '.') = '\0';
        snprintf(group, sizeof group, "%s/%s", version, text);
        if (!golden_exists(&g, group)) continue;
        rein_sim sim;
        assert_int_equal(rein_sim_init(&sim, file->name, NULL, 1), REIN_OK);
        assert_true(check_arrays(&g, group, sim.model) >= 60);
        check_numbers(&g, group, sim.model);
        check_names(&g, group, sim.model);
        assert_true(check_forward(&g, group, &sim) >= 20);
        rein_sim_fini(&sim);
        models++;
    }
    golden_close(&g);
    assert_true(models >= 3);
}

/* Worst cases: the robot pressed into the floor with twisted joints. Nothing may overflow, since
 * MuJoCo would drop contacts and go on. */
static void test_sizes_are_enough(void **state)
{
    (void)state;
    for (const rein_mjcf *file = rein_mjcf_files; file->name != NULL; file++) {
        rein_sim sim;
        assert_int_equal(rein_sim_init(&sim, file->name, NULL, 1), REIN_OK);
        rein_rng rng = rein_rng_stream(1, REIN_RNG_TEST, 0, 0);
        for (int trial = 0; trial < 2000; trial++) {
            mj_resetData(sim.model, sim.data);
            for (int i = 0; i < (int)sim.model->nq; i++) {
                sim.data->qpos[i] = rein_rng_uniform_in(&rng, -4, 4);
            }
            for (int i = 0; i < (int)sim.model->nv; i++) {
                sim.data->qvel[i] = rein_rng_uniform_in(&rng, -5, 5);
            }
            sim.data->qpos[1] = rein_rng_uniform_in(&rng, -3, 0);
            assert_true(rein_sim_forward(&sim));
            assert_int_equal(sim.data->warning[mjWARN_CONTACTFULL].number, 0);
            assert_int_equal(sim.data->warning[mjWARN_CNSTRFULL].number, 0);
        }
        rein_sim_fini(&sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models_equal_record),
        cmocka_unit_test(test_sizes_are_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
