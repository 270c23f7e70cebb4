/* LSTM and GRU cells: recorded sequences, finite differences of a plain reference in double over
 * random shapes, one step against many, several threads, no allocation, refusals. */
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
#include <pthread.h>

#include "nets/cell.h"
#include "tests/alloc_count.h"
#include "tests/engines.h"
#include "tests/golden_h5.h"
#include "tests/nets/cell_reference.h"

static const rein_cell_kind kinds[] = {REIN_LSTM, REIN_GRU};

static float *floats(size_t n)
{
    float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64 + 64);
    assert_non_null(x);
    return x;
}

/* ---- a cell with a sequence ------------------------------------------------------------------ */

static rein_engine_choice engine = REIN_ENGINE_NATIVE; /* of what setup_new makes */

typedef struct setup {
    rein_cell_spec spec;
    rein_cell *cell;
    rein_cell_workspace *workspace;
    int n_steps, rows;
    size_t n_params, n_x, n_y, n_state; /* lengths of the arrays */
    float *params, *packed, *x, *state, *last, *y, *dy, *grad, *dx, *dstate;
    uint8_t *start;
} setup;

static void setup_run(setup *s)
{
    rein_cell_pack(s->cell, s->params, s->packed);
    memcpy(s->last, s->state, s->n_state * sizeof(float));
    assert_int_equal(rein_cell_forward(s->cell, s->params, s->packed, s->workspace, s->x, s->start,
                                       s->n_steps, s->rows, s->last, s->y),
                     REIN_OK);
    assert_int_equal(
        rein_cell_backward(s->cell, s->params, s->workspace, s->dy, s->grad, s->dx, s->dstate),
        REIN_OK);
}

static setup setup_new(rein_cell_kind kind, int n_in, int n_hidden, int n_steps, int rows,
                       uint64_t seed)
{
    setup s = {.spec = {.kind = kind, .n_in = n_in, .n_hidden = n_hidden, .engine = engine},
               .n_steps = n_steps,
               .rows = rows};
    const size_t all = (size_t)(n_steps * rows);
    assert_int_equal(rein_cell_create(&s.spec, &s.cell), REIN_OK);
    assert_int_equal(rein_cell_workspace_create(s.cell, n_steps, rows, &s.workspace), REIN_OK);
    s.n_params = rein_cell_n_params(s.cell);
    s.n_x = all * (size_t)n_in;
    s.n_y = all * (size_t)n_hidden;
    s.n_state = (size_t)(rows * rein_cell_n_state(s.cell));
    s.params = floats(s.n_params), s.grad = floats(s.n_params);
    s.packed = floats(rein_cell_n_packed(s.cell));
    s.x = floats(s.n_x), s.dx = floats(s.n_x);
    s.y = floats(s.n_y), s.dy = floats(s.n_y);
    s.state = floats(s.n_state), s.last = floats(s.n_state), s.dstate = floats(s.n_state);
    s.start = malloc(all);
    rein_rng rng = rein_rng_stream(seed, REIN_RNG_TEST, 0, 0);
    for (size_t i = 0; i < s.n_params; i++) s.params[i] = (float)(0.5 * rein_rng_normal(&rng));
    for (size_t i = 0; i < s.n_x; i++) s.x[i] = (float)rein_rng_normal(&rng);
    for (size_t i = 0; i < s.n_y; i++) s.dy[i] = (float)rein_rng_normal(&rng);
    for (size_t i = 0; i < s.n_state; i++) s.state[i] = (float)(0.5 * rein_rng_normal(&rng));
    for (size_t i = 0; i < all; i++) s.start[i] = rein_rng_below(&rng, 4) == 0;
    return s;
}

static void setup_free(setup *s)
{
    rein_cell_workspace_free(s->workspace);
    rein_cell_free(s->cell);
    free(s->params), free(s->grad), free(s->packed), free(s->x), free(s->dx), free(s->y);
    free(s->dy), free(s->state), free(s->last), free(s->dstate), free(s->start);
}

/* Within `tolerance` of the largest entry. */
static void check_close(const char *what, const float *x, const double *wanted, size_t n,
                        double tolerance)
{
    double largest = 1e-3;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(wanted[i]));
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)x[i] - wanted[i]) <= tolerance * largest)) {
            fail_msg("%s[%zu] is %.9g, not %.9g (largest %g)", what, i, (double)x[i], wanted[i],
                     largest);
        }
    }
}

/* ---- recorded sequences ---------------------------------------------------------------------- */

static double *recorded(golden *g, const char *group, const char *name, size_t n)
{
    char path[128];
    size_t dims[4];
    snprintf(path, sizeof path, "%s/%s", group, name);
    double *data = golden_read(g, path, dims, NULL);
    if (!data) fail_msg("%s is absent", path);
    assert_int_equal(dims[0] * dims[1] * dims[2] * dims[3], n);
    return data;
}

static void read_floats(golden *g, const char *group, const char *name, float *out, size_t n)
{
    double *data = recorded(g, group, name, n);
    for (size_t i = 0; i < n; i++) out[i] = (float)data[i];
    free(data);
}

static void compare(golden *g, const char *group, const char *name, const float *x, size_t n)
{
    double *data = recorded(g, group, name, n);
    check_close(name, x, data, n, 1e-5);
    free(data);
}

static void check_recorded(rein_cell_kind kind, const char *group)
{
    golden g;
    assert_true(golden_open("learning_math.h5", &g));
    enum { T = 6, ROWS = 3, I = 5, H = 7 };
    setup s = setup_new(kind, I, H, T, ROWS, 1);
    const size_t gates = kind == REIN_LSTM ? 4 * H : 3 * H, s1 = (size_t)rein_cell_n_state(s.cell);
    float *p = s.params, part[ROWS * H], start[T * ROWS];
    read_floats(&g, group, "w_ih", p, gates * I);
    read_floats(&g, group, "w_hh", p + gates * I, gates * H);
    read_floats(&g, group, "b_ih", p + gates * (I + H), gates);
    read_floats(&g, group, "b_hh", p + gates * (I + H + 1), gates);
    read_floats(&g, group, "x", s.x, s.n_x);
    read_floats(&g, group, "dh", s.dy, s.n_y);
    read_floats(&g, group, "start", start, T * ROWS);
    for (int i = 0; i < T * ROWS; i++) s.start[i] = start[i] != 0;
    for (size_t k = 0; k < s1 / H; k++) {
        read_floats(&g, group, k == 0 ? "h0" : "c0", part, ROWS * H);
        for (size_t r = 0; r < ROWS; r++) {
            memcpy(s.state + r * s1 + k * H, part + r * H, H * sizeof(float));
        }
    }
    setup_run(&s);
    compare(&g, group, "h", s.y, s.n_y);
    compare(&g, group, "dx", s.dx, s.n_x);
    p = s.grad;
    compare(&g, group, "dw_ih", p, gates * I);
    compare(&g, group, "dw_hh", p + gates * I, gates * H);
    compare(&g, group, "db_ih", p + gates * (I + H), gates);
    compare(&g, group, "db_hh", p + gates * (I + H + 1), gates);
    for (size_t k = 0; k < s1 / H; k++) {
        for (size_t r = 0; r < ROWS; r++) {
            memcpy(part + r * H, s.dstate + r * s1 + k * H, H * sizeof(float));
        }
        compare(&g, group, k == 0 ? "dh0" : "dc0", part, ROWS * H);
    }
    setup_free(&s);
    golden_close(&g);
}

static void test_recorded(void **state)
{
    (void)state;
    FOR_EACH_ENGINE(e)
    {
        engine = e;
        check_recorded(REIN_LSTM, "lstm_cell");
        check_recorded(REIN_GRU, "gru_cell");
    }
    engine = REIN_ENGINE_NATIVE;
}

/* ---- finite differences ---------------------------------------------------------------------- */

/* Arrays of a setup as doubles, and the loss of the reference there. */
typedef struct plain {
    const setup *s;
    double *params, *x, *state, *dy, *scratch;
} plain;

static double *doubles(const float *x, size_t n)
{
    double *out = malloc((n + 1) * sizeof *out);
    for (size_t i = 0; i < n; i++) out[i] = (double)x[i];
    return out;
}

static double plain_loss(plain *p)
{
    const setup *s = p->s;
    memcpy(p->scratch, p->state, s->n_state * sizeof(double));
    return reference_cell_loss(&s->spec, p->params, p->x, s->start, s->n_steps, s->rows, p->scratch,
                               p->dy);
}

/* Twenty entries of each array: test_oracle_recurrent compares all of them. */
static void check_differences(plain *p, const char *what, double *at, const float *gradient,
                              size_t n)
{
    double *wanted = malloc((n + 1) * sizeof *wanted);
    const size_t stride = n > 20 ? n / 20 : 1;
    size_t count = 0;
    float *some = floats(n + 1);
    for (size_t i = 0; i < n; i += stride, count++) {
        const double x = at[i], e = 1e-5;
        at[i] = x + e;
        const double up = plain_loss(p);
        at[i] = x - e;
        wanted[count] = (up - plain_loss(p)) / (2 * e);
        at[i] = x;
        some[count] = gradient[i];
    }
    check_close(what, some, wanted, count, 1e-5);
    free(wanted), free(some);
}

static void check_shape(rein_cell_kind kind, int n_in, int n_hidden, int n_steps, int rows,
                        uint64_t seed)
{
    setup s = setup_new(kind, n_in, n_hidden, n_steps, rows, seed);
    setup_run(&s);
    plain p = {.s = &s,
               .params = doubles(s.params, s.n_params),
               .x = doubles(s.x, s.n_x),
               .state = doubles(s.state, s.n_state),
               .dy = doubles(s.dy, s.n_y),
               .scratch = malloc((s.n_state + 1) * sizeof(double))};
    double loss = 0, wanted = plain_loss(&p);
    for (size_t i = 0; i < s.n_y; i++) loss += (double)s.y[i] * (double)s.dy[i];
    check_close("last state", s.last, p.scratch, s.n_state, 1e-5);
    assert_true(fabs(loss - wanted) < 1e-5 * fmax(1, fabs(wanted)) * sqrt((double)s.n_y));
    check_differences(&p, "grad", p.params, s.grad, s.n_params);
    check_differences(&p, "dx", p.x, s.dx, s.n_x);
    check_differences(&p, "dstate", p.state, s.dstate, s.n_state);
    free(p.params), free(p.x), free(p.state), free(p.dy), free(p.scratch);
    setup_free(&s);
}

static void test_finite_differences(void **state)
{
    (void)state;
    rein_rng rng = rein_rng_stream(1, REIN_RNG_TEST, 1, 0);
    for (uint64_t seed = 0; seed < 30; seed++) {
        const int n_in = 1 + (int)rein_rng_below(&rng, 20);
        const int n_hidden = 1 + (int)rein_rng_below(&rng, 20);
        const int n_steps = 1 + (int)rein_rng_below(&rng, 9);
        const int rows = 1 + (int)rein_rng_below(&rng, 19);
        print_message("seed %d: %d inputs, %d units, %d steps, %d rows\n", (int)seed, n_in,
                      n_hidden, n_steps, rows);
        for (int k = 0; k < 2; k++) check_shape(kinds[k], n_in, n_hidden, n_steps, rows, seed);
    }
    check_shape(REIN_LSTM, 3, 64, 8, 16, 100); /* vectors and chunks all full */
    check_shape(REIN_GRU, 3, 64, 8, 16, 100);
}

/* ---- properties ------------------------------------------------------------------------------ */

/* Step by step, the state zeroed by hand, is the same as the sequence; outputs optional. */
static void test_one_step_at_a_time(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        setup s = setup_new(kinds[k], 5, 24, 7, 6, 3);
        const size_t n_state = (size_t)rein_cell_n_state(s.cell);
        setup_run(&s);
        float *own = floats(s.n_state), *y = floats(6 * 24), *grad = floats(s.n_params);
        memcpy(own, s.state, s.n_state * sizeof(float));
        for (int t = 0; t < 7; t++) {
            for (size_t r = 0; r < 6; r++) {
                if (s.start[t * 6 + (int)r]) {
                    memset(own + r * n_state, 0, n_state * sizeof(float));
                }
            }
            assert_int_equal(rein_cell_forward(s.cell, s.params, s.packed, s.workspace,
                                               s.x + t * 6 * 5, NULL, 1, 6, own, y),
                             REIN_OK);
            for (int i = 0; i < 6 * 24; i++) {
                assert_true(fabsf(y[i] - s.y[t * 6 * 24 + i]) < 1e-6f);
            }
        }
        for (size_t i = 0; i < s.n_state; i++) assert_true(fabsf(own[i] - s.last[i]) < 1e-6f);

        memcpy(own, s.state, s.n_state * sizeof(float));
        assert_int_equal(rein_cell_forward(s.cell, s.params, s.packed, s.workspace, s.x, s.start, 7,
                                           6, own, s.y),
                         REIN_OK);
        assert_int_equal(rein_cell_backward(s.cell, s.params, s.workspace, s.dy, grad, NULL, NULL),
                         REIN_OK);
        assert_memory_equal(grad, s.grad, s.n_params * sizeof(float));
        free(own), free(y), free(grad);
        setup_free(&s);
    }
}

/* Behind a reset nothing of what was before remains, in numbers and in gradients. */
static void test_reset_forgets(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        setup s = setup_new(kinds[k], 3, 16, 4, 2, 4);
        memset(s.start, 0, 8);
        s.start[2 * 2] = 1;                               /* row 0, step 2 */
        for (int i = 0; i < 2 * 2 * 16; i++) s.dy[i] = 0; /* the loss is of steps 2 and 3 */
        setup_run(&s);
        const float before = s.y[3 * 2 * 16], other = s.y[(3 * 2 + 1) * 16];
        const int n_state = rein_cell_n_state(s.cell);
        for (int j = 0; j < 3; j++) assert_true(s.dx[j] == 0 && s.dx[3 + j] != 0);
        for (int j = 0; j < n_state; j++) assert_true(s.dstate[j] == 0);
        assert_true(s.dstate[n_state] != 0);
        s.x[0] += 1, s.x[3] += 1, s.state[0] -= 1;
        setup_run(&s);
        assert_true(s.y[3 * 2 * 16] == before && s.y[(3 * 2 + 1) * 16] != other);
        setup_free(&s);
    }
}

static void *run_thread(void *arg)
{
    setup_run(arg);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        setup s[4];
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) s[i] = setup_new(kinds[k], 9, 33, 12, 5, 5);
        for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, run_thread, &s[i]);
        for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
        for (int i = 1; i < 4; i++) {
            assert_memory_equal(s[i].grad, s[0].grad, s[0].n_params * sizeof(float));
            assert_memory_equal(s[i].dx, s[0].dx, s[0].n_x * sizeof(float));
        }
        for (int i = 0; i < 4; i++) setup_free(&s[i]);
    }
}

static void test_no_allocation(void **state)
{
    (void)state;
    if (!alloc_count_works()) skip();
    for (int k = 0; k < 2; k++) {
        setup s = setup_new(kinds[k], 9, 33, 12, 5, 6);
        setup_run(&s);
        const long before = alloc_count();
        for (int i = 0; i < 5; i++) setup_run(&s);
        rein_cell_products(s.cell, s.params, s.packed, s.workspace, s.x, 12, 5, s.grad, s.dx);
        assert_int_equal(alloc_count() - before, 0);
        setup_free(&s);
    }
}

/* Orthogonal columns of both weights, biases 0; other seeds give other numbers. */
static void test_init(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        setup s = setup_new(kinds[k], 5, 8, 1, 1, 7);
        const int gates = kinds[k] == REIN_LSTM ? 32 : 24;
        rein_rng rng = rein_rng_stream(1, REIN_RNG_INIT, 0, 0);
        assert_int_equal(rein_cell_init(s.cell, 0, &rng, s.params), REIN_OK);
        const float *w = s.params + gates * 5;
        for (int a = 0; a < 8; a++) {
            for (int b = 0; b < 8; b++) {
                double dot = 0;
                for (int i = 0; i < gates; i++) dot += (double)(w[i * 8 + a] * w[i * 8 + b]);
                assert_true(fabs(dot - (a == b)) < 1e-5);
            }
        }
        for (int i = 0; i < 2 * gates; i++) assert_true(s.params[gates * 13 + i] == 0);
        assert_int_equal(rein_cell_init(s.cell, 40, &rng, s.params), REIN_OK);
        const float *bias = s.params + gates * 13;
        for (int j = 0; j < 8; j++) { /* sigmoid(log u) = u / (1 + u) */
            assert_true(bias[8 + j] >= 0 && bias[8 + j] <= logf(39));
            assert_true(bias[j] == (kinds[k] == REIN_LSTM ? -bias[8 + j] : 0));
            assert_true(bias[16 + j] == 0 && bias[gates + 8 + j] == 0);
            assert_true(j == 0 || bias[8 + j] != bias[8]);
        }
        setup_free(&s);
    }
}

static void test_refused(void **state)
{
    (void)state;
    const rein_cell_spec bad[] = {{.kind = REIN_LSTM, .n_in = 0, .n_hidden = 4},
                                  {.kind = REIN_GRU, .n_in = 4, .n_hidden = 0},
                                  {.kind = REIN_LSTM, .n_in = 4, .n_hidden = 1 << 20},
                                  {.kind = (rein_cell_kind)2, .n_in = 4, .n_hidden = 4}};
    rein_cell *cell;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(rein_cell_create(&bad[i], &cell), REIN_EINVAL);
        assert_null(cell);
    }
    assert_non_null(strstr(rein_error_message(), "lstm|gru"));
    const rein_cell_spec good = {.kind = REIN_LSTM, .n_in = 4, .n_hidden = 4};
    rein_cell_workspace *workspace;
    assert_int_equal(rein_cell_create(&good, &cell), REIN_OK);
    assert_int_equal(rein_cell_workspace_create(cell, 0, 1, &workspace), REIN_EINVAL);
    assert_int_equal(rein_cell_workspace_create(cell, 1, 0, &workspace), REIN_EINVAL);
    assert_null(workspace);
    rein_cell_free(cell);
    rein_cell_free(NULL);
    rein_cell_workspace_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_finite_differences),
        cmocka_unit_test(test_one_step_at_a_time),
        cmocka_unit_test(test_reset_forgets),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
