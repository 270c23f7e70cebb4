/* LSTM and GRU, alone and within networks, against libtorch's autograd: sequences with random
 * starts of episodes inside, states before and behind them. */
#include "tests/oracle.h"

#include "nets/cell.h"
#include "nets/recurrent.h"

typedef struct sequence {
    int n_steps, rows;
    size_t n_x, n_y, n_state, n_params;
    uint8_t *start; /* [T, rows], or NULL */
    float *params, *x, *dy, *state, *last, *y, *grad, *dx, *dstate;
} sequence;

typedef struct answer {
    rein_tensor *y, *last, *grad, *dx, *dstate;
    double kink;
} answer;

/* Lengths and random numbers of a sequence; the parameters are the caller's. */
static sequence sequence_new(rein_rng *rng, int n_steps, int rows, int n_in, int n_out, int n_state)
{
    sequence s = {.n_steps = n_steps, .rows = rows};
    const size_t n = (size_t)n_steps * (size_t)rows;
    s.n_x = n * (size_t)n_in, s.n_y = n * (size_t)n_out;
    s.n_state = (size_t)rows * (size_t)n_state;
    s.dy = o_normals(rng, s.n_y, 1);
    s.state = o_normals(rng, s.n_state, o_chance(rng, 0.8) ? 0.5 : 0);
    s.last = o_floats(s.n_state), s.dstate = o_floats(s.n_state);
    s.y = o_floats(s.n_y), s.dx = o_floats(s.n_x);
    if (o_chance(rng, 0.8)) {
        s.start = o_bytes(n);
        const double chance = o_chance(rng, 0.2) ? 0.7 : 0.15;
        for (size_t i = 0; i < n; i++) s.start[i] = o_chance(rng, chance);
    }
    memcpy(s.last, s.state, s.n_state * sizeof(float));
    return s;
}

static void compare(const sequence *s, const answer *wanted, const answer *twin)
{
    o_close_like("y", s->y, wanted->y, twin->y);
    o_close_like("last state", s->last, wanted->last, twin->last);
}

/* ---- a cell ---------------------------------------------------------------------------------- */

static answer ask_cell(const sequence *s, const rein_cell_spec *spec, rein_torch_dtype precision)
{
    o_precision(precision);
    const int n_state = (int)(s->n_state / (size_t)s->rows);
    rein_tensor *params = O_LEAF(s->params, (int64_t)s->n_params);
    rein_tensor *x = O_LEAF(s->x, s->n_steps, s->rows, spec->n_in);
    rein_tensor *state = O_LEAF(s->state, s->rows, n_state);
    o_net net = {.params = params};
    answer a = {0};
    a.y =
        o_cell(&net, spec->kind, spec->n_hidden, x, s->start, s->n_steps, s->rows, state, &a.last);
    assert_int_equal(net.at, s->n_params);
    o_backward(a.y, O_CONST(s->dy, s->n_steps, s->rows, spec->n_hidden));
    a.grad = o_grad(params);
    a.dx = o_grad(x);
    a.dstate = o_grad(state);
    return a;
}

static void run_cell(rein_rng *rng, sequence *s, const rein_cell *cell)
{
    rein_cell_workspace *workspace = NULL;
    o_ok(rein_cell_workspace_create(cell, s->n_steps + o_int(rng, 0, 2), s->rows + o_int(rng, 0, 3),
                                    &workspace));
    float *packed = o_floats(rein_cell_n_packed(cell));
    rein_cell_pack(cell, s->params, packed);
    o_ok(rein_cell_forward(cell, s->params, packed, workspace, s->x, s->start, s->n_steps, s->rows,
                           s->last, s->y));
    o_ok(rein_cell_backward(cell, s->params, workspace, s->dy, s->grad, s->dx, s->dstate));
    rein_cell_workspace_free(workspace);
}

/* The four parts of the vector, each with its own largest entry. */
static void compare_cell_grad(const sequence *s, const rein_cell_spec *spec, const answer *wanted,
                              const answer *twin)
{
    static const char *const names[] = {"dw_ih", "dw_hh", "db_ih", "db_hh"};
    const int64_t gates = (spec->kind == REIN_LSTM ? 4 : 3) * spec->n_hidden;
    const int64_t sizes[] = {gates * spec->n_in, gates * spec->n_hidden, gates, gates};
    int64_t at = 0;
    for (int i = 0; i < 4; at += sizes[i++]) {
        o_close_like(names[i], s->grad + at, o_narrow(wanted->grad, 0, at, sizes[i]),
                     o_narrow(twin->grad, 0, at, sizes[i]));
    }
}

static void cell_case(rein_rng *rng, rein_cell_kind kind)
{
    const rein_cell_spec spec = {
        .kind = kind, .n_in = o_int(rng, 1, 40), .n_hidden = o_int(rng, 1, 70)};
    rein_cell *cell = NULL;
    o_ok(rein_cell_create(&spec, &cell));
    sequence s = sequence_new(rng, o_int(rng, 1, 12), o_int(rng, 1, 20), spec.n_in, spec.n_hidden,
                              rein_cell_n_state(cell));
    o_say("%s, %d inputs, %d units, %d steps, %d rows, %s", kind == REIN_LSTM ? "lstm" : "gru",
          spec.n_in, spec.n_hidden, s.n_steps, s.rows, s.start ? "starts" : "no start");
    s.n_params = rein_cell_n_params(cell);
    s.params = o_normals(rng, s.n_params, 1 / sqrt(spec.n_hidden));
    s.grad = o_floats(s.n_params);
    s.x = o_normals(rng, s.n_x, 1);
    run_cell(rng, &s, cell);
    rein_cell_free(cell);
    const answer wanted = ask_cell(&s, &spec, REIN_TORCH_F64);
    const answer twin = ask_cell(&s, &spec, REIN_TORCH_F32);
    compare(&s, &wanted, &twin);
    compare_cell_grad(&s, &spec, &wanted, &twin);
    o_close_like("dx", s.dx, wanted.dx, twin.dx);
    o_close_like("dstate", s.dstate, wanted.dstate, twin.dstate);
}

static void lstm_case(rein_rng *rng)
{
    cell_case(rng, REIN_LSTM);
}

static void gru_case(rein_rng *rng)
{
    cell_case(rng, REIN_GRU);
}

/* ---- a network with a cell before its last layer --------------------------------------------- */

static answer ask_network(const sequence *s, const rein_net_spec *spec, rein_torch_dtype precision)
{
    o_precision(precision);
    const int at = spec->n_layers - 2;
    const rein_layer *cell = &spec->layers[at];
    const rein_cell_kind kind = cell->kind == REIN_LAYER_LSTM ? REIN_LSTM : REIN_GRU;
    rein_tensor *params = O_LEAF(s->params, (int64_t)s->n_params);
    rein_tensor *state = O_LEAF(s->state, s->rows, (int64_t)s->n_state / s->rows);
    o_net net = {.spec = spec, .params = params, .kink = 1};
    answer a = {0};
    rein_tensor *x = o_layers(&net, 0, at, o_leaf_x(spec, s->x, s->n_steps * s->rows));
    x = o_cell(&net, kind, cell->units, x, s->start, s->n_steps, s->rows, state, &a.last);
    a.y = o_layers(&net, at + 1, at + 2, x);
    assert_int_equal(net.at, s->n_params);
    o_backward(a.y, O_CONST(s->dy, s->n_steps, s->rows, spec->layers[at + 1].units));
    a.grad = o_grad(params);
    a.kink = net.kink;
    return a;
}

static void run_network(rein_rng *rng, sequence *s, const rein_recurrent *net)
{
    rein_recurrent_workspace *workspace = NULL;
    o_ok(rein_recurrent_workspace_create(net, s->n_steps + o_int(rng, 0, 2),
                                         s->rows + o_int(rng, 0, 3), &workspace));
    float *packed = o_floats(rein_recurrent_n_packed(net));
    rein_recurrent_pack(net, s->params, packed);
    o_ok(rein_recurrent_forward(net, s->params, packed, workspace, s->x, s->start, s->n_steps,
                                s->rows, s->last, s->y));
    o_ok(rein_recurrent_backward(net, s->params, packed, workspace, s->dy, s->grad));
    rein_recurrent_workspace_free(workspace);
}

/* Every layer's parameters have their own largest entry. */
static void compare_network_grad(const sequence *s, const rein_net_spec *spec,
                                 const rein_layout *layout, const answer *wanted,
                                 const answer *twin)
{
    for (int i = 0; i < spec->n_layers; i++) {
        const rein_layer_place *p = &layout->layers[i];
        const int64_t at = (int64_t)p->weight_at, n = (int64_t)(p->n_weights + p->n_biases);
        char what[REIN_LAYER_TEXT], part[REIN_LAYER_TEXT + 8];
        if (n == 0) continue;
        rein_layer_print(&spec->layers[i], what);
        snprintf(part, sizeof part, "grad of %s", what);
        o_close_like(part, s->grad + at, o_narrow(wanted->grad, 0, at, n),
                     o_narrow(twin->grad, 0, at, n));
    }
}

/* Random layers, whose last gives way to a cell and a linear one; or a cell on the input. */
static rein_net_spec network_spec(rein_rng *rng)
{
    rein_net_spec spec = o_random_spec(rng);
    if (o_chance(rng, 0.2)) spec = (rein_net_spec){.n_dims = 1, .shape = {o_int(rng, 1, 20)}};
    if (spec.n_layers > 0) spec.n_layers--;
    o_ok(rein_net_spec_add(
        &spec, (rein_layer){.kind = o_chance(rng, 0.5) ? REIN_LAYER_LSTM : REIN_LAYER_GRU,
                            .units = o_int(rng, 1, 40)}));
    o_ok(rein_net_spec_add(&spec,
                           (rein_layer){.kind = REIN_LAYER_LINEAR, .units = o_int(rng, 1, 9)}));
    return spec;
}

static void network_case(rein_rng *rng)
{
    const rein_net_spec spec = network_spec(rng);
    rein_layout layout;
    rein_recurrent *net = NULL;
    char text[REIN_LAYERS_TEXT];
    o_ok(rein_net_layout(&spec, &layout));
    o_ok(rein_recurrent_create(&spec, &net));
    sequence s = sequence_new(rng, o_int(rng, 1, 8), o_int(rng, 1, 6), layout.n_in, layout.n_out,
                              rein_recurrent_n_state(net));
    rein_layers_print(&spec, text);
    o_say("%s; [%d, %d, %d], %d dims; %d steps, %d rows, %s", text, spec.shape[0], spec.shape[1],
          spec.shape[2], spec.n_dims, s.n_steps, s.rows, s.start ? "starts" : "no start");
    s.n_params = rein_recurrent_n_params(net);
    s.grad = o_floats(s.n_params);
    answer wanted;
    int attempts = 0;
    do {
        assert_true(attempts++ < 100);
        s.params = o_random_params(rng, &spec);
        s.x = o_random_x(rng, &spec, s.n_steps * s.rows);
        wanted = ask_network(&s, &spec, REIN_TORCH_F64);
    } while (wanted.kink < O_KINK);
    const answer twin = ask_network(&s, &spec, REIN_TORCH_F32);
    run_network(rng, &s, net);
    rein_recurrent_free(net);
    compare(&s, &wanted, &twin);
    compare_network_grad(&s, &spec, &layout, &wanted, &twin);
}

static void test_lstm(void **state)
{
    (void)state;
    o_cases("lstm", 60, lstm_case);
}

static void test_gru(void **state)
{
    (void)state;
    o_cases("gru", 60, gru_case);
}

static void test_network(void **state)
{
    (void)state;
    o_cases("network with a cell", 60, network_case);
}

int main(void)
{
    O_SKIP_WITHOUT_TORCH();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lstm),
        cmocka_unit_test(test_gru),
        cmocka_unit_test(test_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
