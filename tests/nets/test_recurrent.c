/* Networks with a cell before the last layer: outputs and finite differences of a plain reference
 * in double, one step against many, initial weights, no allocation, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "nets/recurrent.h"
#include "tests/alloc_count.h"
#include "tests/nets/cell_reference.h"
#include "tests/nets/net_reference.h"

enum { STEPS = 5, ROWS = 3, MAX_PARAMS = 8192, MAX_X = 2048, MAX_STATE = 256, N_OUT = 2 };

static const struct {
    int h, w, c; /* h 0: a vector [c] */
    const char *layers;
} nets[] = {
    {0, 0, 6, "lstm 9, linear 2"},
    {0, 0, 6, "gru 9, linear 2"},
    {0, 0, 5, "linear 11, tanh, lstm 8, linear 2"},
    {4, 5, 2, "conv 6 2x2, relu, flatten, gru 7, linear 2"},
    {0, 0, 4, "embedding 5 3, linear 8, layernorm, elu, lstm 6, linear 2"},
};
enum { N_NETS = sizeof nets / sizeof nets[0] };

typedef struct setup {
    rein_net_spec spec;
    rein_layout layout;
    rein_recurrent *net;
    rein_recurrent_workspace *workspace;
    int n_state;
    float params[MAX_PARAMS], grad[MAX_PARAMS], x[MAX_X], state[MAX_STATE], last[MAX_STATE];
    float y[STEPS * ROWS * N_OUT], dy[STEPS * ROWS * N_OUT], *packed;
    uint8_t start[STEPS * ROWS];
} setup;

static setup *setup_new(int which)
{
    setup *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->spec.n_dims = nets[which].h ? 3 : 1;
    s->spec.shape[0] = nets[which].h ? nets[which].h : nets[which].c;
    if (nets[which].h) s->spec.shape[1] = nets[which].w, s->spec.shape[2] = nets[which].c;
    assert_int_equal(rein_layers_parse(nets[which].layers, &s->spec), REIN_OK);
    assert_int_equal(rein_net_layout(&s->spec, &s->layout), REIN_OK);
    assert_int_equal(rein_recurrent_create(&s->spec, &s->net), REIN_OK);
    assert_int_equal(rein_recurrent_workspace_create(s->net, STEPS, ROWS, &s->workspace), REIN_OK);
    s->n_state = rein_recurrent_n_state(s->net);
    assert_int_equal(rein_recurrent_n_params(s->net), s->layout.n_params);
    assert_true(s->layout.n_params <= MAX_PARAMS && s->layout.n_out == N_OUT);
    assert_true(s->layout.n_in * STEPS * ROWS <= MAX_X && s->n_state * ROWS <= MAX_STATE);
    s->packed = aligned_alloc(64, (rein_recurrent_n_packed(s->net) * 4 + 63) / 64 * 64);
    assert_non_null(s->packed);

    rein_rng rng = rein_rng_stream(7, REIN_RNG_TEST, (uint32_t)which, 0);
    const bool whole = s->spec.layers[0].kind == REIN_LAYER_EMBEDDING;
    for (size_t i = 0; i < s->layout.n_params; i++) {
        s->params[i] = (float)(0.4 * rein_rng_normal(&rng));
    }
    for (int i = 0; i < s->layout.n_in * STEPS * ROWS; i++) {
        s->x[i] = whole ? (float)rein_rng_below(&rng, 5) : (float)rein_rng_normal(&rng);
    }
    for (int i = 0; i < s->n_state * ROWS; i++) s->state[i] = (float)(0.5 * rein_rng_normal(&rng));
    for (int i = 0; i < STEPS * ROWS * N_OUT; i++) s->dy[i] = (float)rein_rng_normal(&rng);
    for (int i = 0; i < STEPS * ROWS; i++) s->start[i] = rein_rng_below(&rng, 4) == 0;
    rein_recurrent_pack(s->net, s->params, s->packed);
    return s;
}

static void setup_free(setup *s)
{
    rein_recurrent_workspace_free(s->workspace);
    rein_recurrent_free(s->net);
    free(s->packed);
    free(s);
}

static void setup_run(setup *s)
{
    memcpy(s->last, s->state, sizeof s->state);
    assert_int_equal(rein_recurrent_forward(s->net, s->params, s->packed, s->workspace, s->x,
                                            s->start, STEPS, ROWS, s->last, s->y),
                     REIN_OK);
    assert_int_equal(
        rein_recurrent_backward(s->net, s->params, s->packed, s->workspace, s->dy, s->grad),
        REIN_OK);
}

/* ---- against the reference ------------------------------------------------------------------- */

/* y [T, rows, n_out] and the last state; returns sum(dy y). */
static double reference(const setup *s, const double *params, double *y, double *state)
{
    const int at = s->spec.n_layers - 2, n_in = s->layout.n_in;
    const rein_layer_place *cell = &s->layout.layers[at], *head = cell + 1;
    const rein_cell_spec spec = {
        .kind = s->spec.layers[at].kind == REIN_LAYER_LSTM ? REIN_LSTM : REIN_GRU,
        .n_in = cell->in.size,
        .n_hidden = cell->out.size,
    };
    rein_net_spec encoder = s->spec;
    encoder.n_layers = at;
    double loss = 0, x[128], e[128];
    for (int i = 0; i < s->n_state * ROWS; i++) state[i] = (double)s->state[i];
    for (int i = 0; i < STEPS * ROWS; i++) {
        double *own = state + i % ROWS * s->n_state, *out = y + i * N_OUT;
        for (int j = 0; j < n_in; j++) x[j] = (double)s->x[i * n_in + j];
        memcpy(e, x, sizeof e);
        if (at > 0) reference_forward(&encoder, params, x, e);
        if (s->start[i]) memset(own, 0, (size_t)s->n_state * sizeof *own);
        reference_cell_step(&spec, params + cell->weight_at, e, own);
        reference_affine(params + head->weight_at, params + head->bias_at, own, N_OUT,
                         spec.n_hidden, out);
        for (int j = 0; j < N_OUT; j++) loss += out[j] * (double)s->dy[i * N_OUT + j];
    }
    return loss;
}

static void check(const char *what, int which, const float *got, const double *wanted, int n)
{
    double largest = 0;
    for (int i = 0; i < n; i++) largest = fmax(largest, fabs(wanted[i]));
    for (int i = 0; i < n; i++) {
        if (fabs((double)got[i] - wanted[i]) <= 1e-5 * largest) continue;
        fail_msg("'%s': %s[%d] is %.9g, not %.9g (largest %g)", nets[which].layers, what, i,
                 (double)got[i], wanted[i], largest);
    }
}

static void test_reference(void **context)
{
    (void)context;
    static double params[MAX_PARAMS], wanted[MAX_PARAMS];
    static float some[MAX_PARAMS];
    for (int k = 0; k < N_NETS; k++) {
        setup *s = setup_new(k);
        const int n = (int)s->layout.n_params, stride = n > 300 ? 7 : 1;
        double y[STEPS * ROWS * N_OUT], state[MAX_STATE];
        memset(s->grad, 0xff, sizeof s->grad); /* overwritten, not added to */
        setup_run(s);
        for (int i = 0; i < n; i++) params[i] = (double)s->params[i];
        reference(s, params, y, state);
        check("y", k, s->y, y, STEPS * ROWS * N_OUT);
        check("last state", k, s->last, state, s->n_state * ROWS);
        int count = 0;
        for (int i = 0; i < n; i += stride, count++) {
            const double kept = params[i], h = 1e-5;
            params[i] = kept + h;
            const double up = reference(s, params, y, state);
            params[i] = kept - h;
            wanted[count] = (up - reference(s, params, y, state)) / (2 * h);
            params[i] = kept;
            some[count] = s->grad[i];
        }
        check("grad", k, some, wanted, count);
        setup_free(s);
    }
}

/* ---- properties ------------------------------------------------------------------------------ */

/* Acting step by step, the state carried by the caller, sees what learning sees. */
static void test_one_step_at_a_time(void **context)
{
    (void)context;
    for (int k = 0; k < N_NETS; k++) {
        setup *s = setup_new(k);
        float state[MAX_STATE], y[ROWS * N_OUT];
        setup_run(s);
        memcpy(state, s->state, sizeof state);
        for (int t = 0; t < STEPS; t++) {
            assert_int_equal(rein_recurrent_forward(s->net, s->params, s->packed, s->workspace,
                                                    s->x + t * ROWS * s->layout.n_in,
                                                    s->start + t * ROWS, 1, ROWS, state, y),
                             REIN_OK);
            for (int i = 0; i < ROWS * N_OUT; i++) {
                assert_true(fabsf(y[i] - s->y[t * ROWS * N_OUT + i]) < 2e-6f);
            }
        }
        for (int i = 0; i < ROWS * s->n_state; i++) {
            assert_true(fabsf(state[i] - s->last[i]) < 2e-6f);
        }
        setup_free(s);
    }
}

static void test_no_allocation(void **context)
{
    (void)context;
    if (!alloc_count_works()) skip();
    for (int k = 0; k < N_NETS; k++) {
        setup *s = setup_new(k);
        setup_run(s);
        const long before = alloc_count();
        for (int i = 0; i < 5; i++) setup_run(s);
        rein_recurrent_products(s->net, s->params, s->packed, s->workspace, s->x, STEPS, ROWS, s->y,
                                s->grad);
        assert_int_equal(alloc_count() - before, 0);
        setup_free(s);
    }
}

/* Each part has its own initial weights: the cell's biases 0, the last layer small. */
static void test_init(void **context)
{
    (void)context;
    setup *s = setup_new(2); /* linear 11, tanh, lstm 8, linear 2 */
    const rein_layer_place *cell = &s->layout.layers[2], *head = &s->layout.layers[3];
    rein_rng rng = rein_rng_stream(1, REIN_RNG_INIT, 0, 0);
    for (size_t i = 0; i < MAX_PARAMS; i++) s->params[i] = 99;
    assert_int_equal(
        rein_recurrent_init(s->net, REIN_INIT_ORTHOGONAL, 1.4, 0.01, 0, &rng, s->params), REIN_OK);
    assert_true(s->params[s->layout.n_params] == 99);
    for (size_t i = 0; i < cell->n_biases; i++) assert_true(s->params[cell->bias_at + i] == 0);
    double squares = 0;
    for (size_t i = 0; i < head->n_weights; i++) {
        squares += pow((double)s->params[head->weight_at + i], 2);
    }
    assert_true(fabs(sqrt(squares) - 0.01 * sqrt(N_OUT)) < 1e-6); /* two orthogonal rows */
    for (size_t i = 0; i < s->layout.n_params; i++) assert_true(fabsf(s->params[i]) < 1.5f);
    setup_free(s);
}

static void refused(const char *layers, const char *words)
{
    rein_net_spec spec = {.n_dims = 1, .shape = {4}};
    rein_recurrent *net = (rein_recurrent *)&spec;
    assert_int_equal(rein_layers_parse(layers, &spec), REIN_OK);
    assert_int_equal(rein_recurrent_create(&spec, &net), REIN_EINVAL);
    assert_null(net);
    if (!strstr(rein_error_message(), words)) {
        fail_msg("'%s': no '%s' in '%s'", layers, words, rein_error_message());
    }
}

static void test_refused(void **context)
{
    (void)context;
    refused("linear 4, linear 2", "ends with lstm or gru, then linear");
    refused("lstm 4", "ends with lstm or gru, then linear");
    refused("lstm 4, linear 3, linear 2", "ends with lstm or gru, then linear");
    refused("conv 4 2x2, lstm 4, linear 2", "layers[0]");
    rein_net_spec spec = {.n_dims = 3, .shape = {4, 4, 2}};
    assert_int_equal(rein_layers_parse("lstm 4, linear 2", &spec), REIN_OK);
    rein_recurrent *net = NULL;
    assert_int_equal(rein_recurrent_create(&spec, &net), REIN_EINVAL);
    assert_non_null(strstr(rein_error_message(), "flatten"));
    assert_null(net);

    setup *s = setup_new(0);
    rein_recurrent_workspace *workspace = NULL;
    const int sizes[][2] = {{0, 1}, {1, 0}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            rein_recurrent_workspace_create(s->net, sizes[i][0], sizes[i][1], &workspace),
            REIN_EINVAL);
        assert_null(workspace);
    }
    setup_free(s);
    rein_recurrent_free(NULL);
    rein_recurrent_workspace_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),     cmocka_unit_test(test_one_step_at_a_time),
        cmocka_unit_test(test_no_allocation), cmocka_unit_test(test_init),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
