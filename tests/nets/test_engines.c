/* The torch engine beside the native one: random networks on the same flat vector and batch, with
 * and without memory, and what only the torch engine has against the oracle. Outputs and gradients
 * agree within 1e-5 of the largest entry of each part. */
#include "tests/oracle.h"

#include "nets/net.h"
#include "nets/recurrent.h"

static const rein_engine_choice engines[] = {REIN_ENGINE_NATIVE, REIN_ENGINE_TORCH};
static const char *const names[] = {"native", "torch"};

/* ---- one network, one batch, each engine ----------------------------------------------------- */

typedef struct batch {
    rein_net_spec spec;
    rein_layout layout;
    int rows;
    size_t n_x, n_y;
    float *params, *x, *dy;
} batch;

typedef struct answer {
    float *y, *grad, *dx;
} answer;

typedef struct oracle {
    rein_tensor *y, *grad, *dx;
    double kink;
} oracle;

static oracle ask(const batch *b, rein_torch_dtype precision)
{
    o_precision(precision);
    rein_tensor *params = O_LEAF(b->params, (int64_t)b->layout.n_params);
    rein_tensor *x = o_leaf_x(&b->spec, b->x, b->rows);
    o_net net = {.spec = &b->spec, .params = params, .kink = 1};
    oracle a = {.y = O_VIEW(o_layers(&net, 0, b->spec.n_layers, x), b->rows, -1)};
    assert_int_equal(net.at, b->layout.n_params);
    o_backward(a.y, O_CONST(b->dy, b->rows, b->layout.n_out));
    a.grad = o_grad(params);
    a.dx = o_grad(x);
    a.kink = net.kink;
    return a;
}

static batch batch_new(rein_rng *rng, const rein_net_spec *spec, int max_rows, oracle *wanted)
{
    char text[REIN_LAYERS_TEXT];
    batch b = {.spec = *spec, .rows = o_int(rng, 1, max_rows)};
    int attempts = 0;
    o_ok(rein_net_layout(spec, &b.layout));
    rein_layers_print(spec, text);
    o_say("%s; [%d, %d, %d], %d dims; %d rows", text, spec->shape[0], spec->shape[1],
          spec->shape[2], spec->n_dims, b.rows);
    b.n_x = (size_t)b.rows * (size_t)b.layout.n_in;
    b.n_y = (size_t)b.rows * (size_t)b.layout.n_out;
    b.dy = o_normals(rng, b.n_y, 1);
    do {
        assert_true(attempts++ < 100);
        b.params = o_random_params(rng, spec);
        b.x = o_random_x(rng, spec, b.rows);
        *wanted = ask(&b, REIN_TORCH_F64);
    } while (wanted->kink < O_KINK);
    return b;
}

static answer run(const batch *b, rein_engine_choice engine, bool packs)
{
    rein_net *net = NULL;
    rein_net_workspace *workspace = NULL;
    rein_net_spec spec = b->spec;
    spec.engine = engine;
    answer a = {o_floats(b->n_y), o_floats(b->layout.n_params), o_floats(b->n_x)};
    o_ok(rein_net_create(&spec, &net));
    assert_string_equal(rein_net_engine(net), names[engine - REIN_ENGINE_NATIVE]);
    assert_int_equal(rein_net_n_params(net), b->layout.n_params);
    o_ok(rein_net_workspace_create(net, b->rows, &workspace));
    float *packed = packs ? o_floats(rein_net_n_packed(net)) : NULL;
    if (packs) rein_net_pack(net, b->params, packed);
    o_ok(rein_net_forward(net, b->params, packed, workspace, b->x, b->rows, a.y));
    o_ok(rein_net_backward(net, b->params, packed, workspace, b->dy, a.grad, a.dx));
    rein_net_workspace_free(workspace);
    rein_net_free(net);
    return a;
}

/* Two engines, or one and the oracle: `slack` is what single precision costs libtorch itself. */
static void agree(const char *what, const float *got, const float *other, size_t at, size_t n,
                  const rein_tensor *wanted, const rein_tensor *twin)
{
    if (n == 0) return;
    const int64_t first = (int64_t)at, length = (int64_t)n;
    rein_tensor *part = o_narrow(O_VIEW(wanted, -1), 0, first, length);
    rein_tensor *copy = o_narrow(O_VIEW(twin, -1), 0, first, length);
    if (!other) {
        o_close_like(what, got + at, part, copy);
        return;
    }
    o_precision(REIN_TORCH_F64);
    const double slack = 4 * o_largest(o_sub(part, copy));
    o_close_but(what, got + at, O_CONST(other + at, length), slack);
}

/* other NULL: the oracle is. */
static void compare(const batch *b, const answer *got, const answer *other, const oracle *wanted,
                    const oracle *twin)
{
    agree("y", got->y, other ? other->y : NULL, 0, b->n_y, wanted->y, twin->y);
    agree("dx", got->dx, other ? other->dx : NULL, 0, b->n_x, wanted->dx, twin->dx);
    for (int i = 0; i < b->spec.n_layers; i++) {
        const rein_layer_place *p = &b->layout.layers[i];
        char what[REIN_LAYER_TEXT], part[REIN_LAYER_TEXT + 16];
        rein_layer_print(&b->spec.layers[i], what);
        snprintf(part, sizeof part, "dweight of %s", what);
        const float *grad = other ? other->grad : NULL;
        agree(part, got->grad, grad, p->weight_at, p->n_weights, wanted->grad, twin->grad);
        snprintf(part, sizeof part, "dbias of %s", what);
        agree(part, got->grad, grad, p->bias_at, p->n_biases, wanted->grad, twin->grad);
    }
}

static void network_case(rein_rng *rng)
{
    const rein_net_spec spec = o_random_spec(rng);
    oracle wanted;
    const batch b = batch_new(rng, &spec, 20, &wanted);
    const oracle twin = ask(&b, REIN_TORCH_F32);
    const answer native = run(&b, REIN_ENGINE_NATIVE, true);
    const answer torch = run(&b, REIN_ENGINE_TORCH, o_chance(rng, 0.5));
    compare(&b, &torch, &native, &wanted, &twin);
    compare(&b, &torch, NULL, &wanted, &twin);
}

/* Convolutions alone: the output stays an image. */
static void image_case(rein_rng *rng)
{
    rein_net_spec spec = {.n_dims = 3};
    oracle wanted;
    for (int i = 0; i < 3; i++) spec.shape[i] = o_int(rng, i < 2 ? 3 : 1, 8);
    const rein_layer conv = {.kind = REIN_LAYER_CONV,
                             .units = o_int(rng, 1, 9),
                             .kernel_h = o_int(rng, 1, 3),
                             .kernel_w = o_int(rng, 1, 3),
                             .stride = o_int(rng, 1, 2),
                             .pad = o_int(rng, 0, 1)};
    o_ok(rein_net_spec_add(&spec, conv));
    const batch b = batch_new(rng, &spec, 9, &wanted);
    const oracle twin = ask(&b, REIN_TORCH_F32);
    const answer native = run(&b, REIN_ENGINE_NATIVE, true);
    const answer torch = run(&b, REIN_ENGINE_TORCH, true);
    compare(&b, &torch, &native, &wanted, &twin);
}

/* Over the cells of an image, behind a convolution or an embedding or not. */
static void attention_case(rein_rng *rng)
{
    rein_net_spec spec = {.n_dims = 3};
    oracle wanted;
    for (int i = 0; i < 3; i++) spec.shape[i] = o_int(rng, i < 2 ? 2 : 1, 5);
    const int heads = o_int(rng, 1, 4);
    const rein_layer first =
        o_chance(rng, 0.5)
            ? (rein_layer){.kind = REIN_LAYER_EMBEDDING, .values = 7, .units = o_int(rng, 1, 4)}
            : (rein_layer){.kind = REIN_LAYER_CONV,
                           .units = o_int(rng, 2, 9),
                           .kernel_h = 2,
                           .kernel_w = 2,
                           .stride = 1};
    if (o_chance(rng, 0.6)) o_ok(rein_net_spec_add(&spec, first));
    o_ok(rein_net_spec_add(&spec, (rein_layer){.kind = REIN_LAYER_ATTENTION,
                                               .heads = heads,
                                               .units = heads * o_int(rng, 3, 6),
                                               .blocks = o_int(rng, 1, 3)}));
    o_ok(rein_net_spec_add(&spec, (rein_layer){.kind = REIN_LAYER_FLATTEN}));
    o_ok(rein_net_spec_add(&spec, (rein_layer){.kind = REIN_LAYER_LINEAR, .units = 3}));
    const batch b = batch_new(rng, &spec, 6, &wanted);
    const oracle twin = ask(&b, REIN_TORCH_F32);
    const answer torch = run(&b, REIN_ENGINE_TORCH, true);
    compare(&b, &torch, NULL, &wanted, &twin);
}

/* ---- the API beneath --------------------------------------------------------------------------
 */

/* Gradients do not depend on how x and dy lie in memory: each plain or permuted. (libtorch's own
 * gelu, 1.13.1 in f32, gives wrong ones for a permuted dy.) */
static void layout_case(rein_rng *rng)
{
    static const struct {
        const char *name;
        rein_status (*function)(const rein_tensor *, rein_tensor **);
    } ops[] = {{"tanh", rein_tensor_tanh}, {"sigmoid", rein_tensor_sigmoid},
               {"relu", rein_tensor_relu}, {"silu", rein_tensor_silu},
               {"gelu", rein_tensor_gelu}, {"softplus", rein_tensor_softplus}};
    const int64_t n = o_int(rng, 1, 5), c = o_int(rng, 2, 9), h = o_int(rng, 1, 6),
                  w = o_int(rng, 2, 6);
    const size_t size = (size_t)(n * c * h * w);
    const float *x = o_normals(rng, size, 1), *dy = o_normals(rng, size, 1);
    float *dx = o_floats(size);
    for (int i = 0; i < 24; i++) {
        const bool turned_x = i & 1, turned_dy = i & 2;
        rein_tensor *grad[2];
        o_say("%s of [%d, %d, %d, %d], x %s, dy %s", ops[i / 4].name, (int)n, (int)c, (int)h,
              (int)w, turned_x ? "permuted" : "plain", turned_dy ? "permuted" : "plain");
        for (int p = 0; p < 2; p++) {
            o_precision(p ? REIN_TORCH_F64 : REIN_TORCH_F32);
            rein_tensor *leaf = O_LEAF(x, n, c, h, w), *y = NULL, *by_y;
            const rein_tensor *in = turned_x ? O_PERMUTE(leaf, 0, 2, 3, 1) : leaf;
            if (turned_x) {
                by_y = turned_dy ? O_PERMUTE(O_CONST(dy, n, c, h, w), 0, 2, 3, 1)
                                 : O_CONST(dy, n, h, w, c);
            } else {
                by_y = turned_dy ? O_PERMUTE(O_CONST(dy, n, h, w, c), 0, 3, 1, 2)
                                 : O_CONST(dy, n, c, h, w);
            }
            o_ok(ops[i / 4].function(in, &y));
            o_backward(o_keep(y), by_y);
            grad[p] = o_grad(leaf);
        }
        o_ok(rein_tensor_read(grad[0], dx, size * sizeof *dx));
        o_close("dx", dx, grad[1]);
    }
}

/* ---- a net that stays, as algorithms use it ---------------------------------------------------
 */

/* Three vectors in turn, changed in place between, batches of any size, forward without backward,
 * backward without dx: each answer is what a native net gives. */
static void life_case(rein_rng *rng)
{
    enum { VECTORS = 3, MAX_ROWS = 9 };
    rein_net_spec spec = {.n_dims = 1, .shape = {5}};
    o_ok(rein_layers_parse("linear 8, tanh, layernorm, linear 6, silu, linear 3", &spec));
    rein_net *net[2] = {NULL};
    rein_net_workspace *w[2] = {NULL};
    float *params[VECTORS], *packed[VECTORS][2], *y[2], *grad[2], *dx[2];
    for (int e = 0; e < 2; e++) {
        spec.engine = engines[e];
        o_ok(rein_net_create(&spec, &net[e]));
        o_ok(rein_net_workspace_create(net[e], MAX_ROWS, &w[e]));
    }
    const size_t n_params = rein_net_n_params(net[0]);
    for (int v = 0; v < VECTORS; v++) {
        params[v] = o_random_params(rng, &spec);
        for (int e = 0; e < 2; e++) {
            packed[v][e] = o_floats(rein_net_n_packed(net[e]));
            rein_net_pack(net[e], params[v], packed[v][e]);
        }
    }
    for (int step = 0; step < 20; step++) {
        const int v = o_int(rng, 0, VECTORS - 1), rows = o_int(rng, 1, MAX_ROWS);
        const float *x = o_normals(rng, (size_t)rows * 5, 1);
        const float *dy = o_normals(rng, (size_t)rows * 3, 1);
        const bool changes = o_chance(rng, 0.4), back = o_chance(rng, 0.7);
        const bool by_x = o_chance(rng, 0.5);
        if (changes) params[v][o_int(rng, 0, (int)n_params - 1)] += 0.5F;
        o_say("step %d: vector %d, %d rows", step, v, rows);
        for (int e = 0; e < 2; e++) {
            y[e] = o_floats((size_t)rows * 3), grad[e] = o_floats(n_params);
            dx[e] = o_floats((size_t)rows * 5);
            if (changes) rein_net_pack(net[e], params[v], packed[v][e]);
            o_ok(rein_net_forward(net[e], params[v], packed[v][e], w[e], x, rows, y[e]));
            if (!back) continue;
            o_ok(rein_net_backward(net[e], params[v], packed[v][e], w[e], dy, grad[e],
                                   by_x ? dx[e] : NULL));
        }
        o_close("y", y[1], O_CONST(y[0], rows, 3));
        if (back) o_close("grad", grad[1], O_CONST(grad[0], (int64_t)n_params));
        if (back && by_x) o_close("dx", dx[1], O_CONST(dx[0], rows, 5));
    }
    for (int e = 0; e < 2; e++) {
        rein_net_workspace_free(w[e]);
        rein_net_free(net[e]);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

typedef struct sequence {
    int n_steps, rows, n_in, n_out, n_state;
    uint8_t *start;
    float *params, *x, *dy, *state;
} sequence;

typedef struct memories {
    float *y, *last, *grad, *dx, *dstate;
} memories;

static sequence sequence_new(rein_rng *rng, int n_in, int n_out, int n_state)
{
    sequence s = {.n_in = n_in, .n_out = n_out, .n_state = n_state};
    s.n_steps = o_int(rng, 1, 9);
    s.rows = o_int(rng, 1, 7);
    const size_t n = (size_t)(s.n_steps * s.rows);
    s.dy = o_normals(rng, n * (size_t)n_out, 1);
    s.state = o_normals(rng, (size_t)(s.rows * n_state), 0.5);
    if (o_chance(rng, 0.8)) {
        s.start = o_bytes(n);
        for (size_t i = 0; i < n; i++) s.start[i] = o_chance(rng, 0.25);
    }
    return s;
}

static memories memories_new(const sequence *s, size_t n_params)
{
    const size_t n = (size_t)(s->n_steps * s->rows), n_state = (size_t)(s->rows * s->n_state);
    memories m = {o_floats(n * (size_t)s->n_out), o_floats(n_state), o_floats(n_params),
                  o_floats(n * (size_t)s->n_in), o_floats(n_state)};
    memcpy(m.last, s->state, n_state * sizeof(float));
    return m;
}

static void cell_case(rein_rng *rng)
{
    rein_cell_spec spec = {.kind = o_chance(rng, 0.5) ? REIN_LSTM : REIN_GRU,
                           .n_in = o_int(rng, 1, 20),
                           .n_hidden = o_int(rng, 1, 40)};
    const int n_state = (spec.kind == REIN_LSTM ? 2 : 1) * spec.n_hidden;
    sequence s = sequence_new(rng, spec.n_in, spec.n_hidden, n_state);
    memories m[2];
    size_t n_params = 0;
    s.x = o_normals(rng, (size_t)(s.n_steps * s.rows * spec.n_in), 1);
    o_say("%s, %d inputs, %d units, %d steps, %d rows, %s", spec.kind == REIN_LSTM ? "lstm" : "gru",
          spec.n_in, spec.n_hidden, s.n_steps, s.rows, s.start ? "starts" : "no start");
    for (int e = 0; e < 2; e++) {
        rein_cell *cell = NULL;
        rein_cell_workspace *w = NULL;
        spec.engine = engines[e];
        o_ok(rein_cell_create(&spec, &cell));
        o_ok(rein_cell_workspace_create(cell, s.n_steps, s.rows, &w));
        n_params = rein_cell_n_params(cell);
        assert_int_equal(rein_cell_n_state(cell), n_state);
        if (e == 0) s.params = o_normals(rng, n_params, 1 / sqrt(spec.n_hidden));
        m[e] = memories_new(&s, n_params);
        float *packed = o_floats(rein_cell_n_packed(cell));
        rein_cell_pack(cell, s.params, packed);
        o_ok(rein_cell_forward(cell, s.params, packed, w, s.x, s.start, s.n_steps, s.rows,
                               m[e].last, m[e].y));
        o_ok(rein_cell_backward(cell, s.params, w, s.dy, m[e].grad, m[e].dx, m[e].dstate));
        rein_cell_workspace_free(w);
        rein_cell_free(cell);
    }
    o_close("y", m[1].y, O_CONST(m[0].y, s.n_steps, s.rows, spec.n_hidden));
    o_close("last state", m[1].last, O_CONST(m[0].last, s.rows, n_state));
    o_close("grad", m[1].grad, O_CONST(m[0].grad, (int64_t)n_params));
    o_close("dx", m[1].dx, O_CONST(m[0].dx, s.n_steps, s.rows, spec.n_in));
    o_close("dstate", m[1].dstate, O_CONST(m[0].dstate, s.rows, n_state));
}

static void recurrent_case(rein_rng *rng)
{
    rein_net_spec spec = {.n_dims = 1, .shape = {6}};
    static const char *const layers[] = {
        "lstm 12, linear 3",
        "gru 12, linear 3",
        "linear 16, tanh, lstm 20, linear 2",
        "linear 9, layernorm, silu, gru 20, linear 2",
        "conv 5 2x2, elu, flatten, lstm 10, linear 4",
        "embedding 5 3, linear 8, tanh, gru 7, linear 2",
    };
    const int which = o_int(rng, 0, 5);
    if (which == 4) spec.n_dims = 3, spec.shape[0] = 4, spec.shape[1] = 5, spec.shape[2] = 2;
    o_ok(rein_layers_parse(layers[which], &spec));
    rein_layout layout;
    o_ok(rein_net_layout(&spec, &layout));
    const rein_layer *cell = &spec.layers[spec.n_layers - 2];
    sequence s = sequence_new(rng, layout.n_in, layout.n_out,
                              (cell->kind == REIN_LAYER_LSTM ? 2 : 1) * cell->units);
    memories m[2];
    s.params = o_random_params(rng, &spec);
    s.x = o_random_x(rng, &spec, s.n_steps * s.rows);
    o_say("%s; %d steps, %d rows, %s", layers[which], s.n_steps, s.rows,
          s.start ? "starts" : "no start");
    for (int e = 0; e < 2; e++) {
        rein_recurrent *net = NULL;
        rein_recurrent_workspace *w = NULL;
        spec.engine = engines[e];
        o_ok(rein_recurrent_create(&spec, &net));
        o_ok(rein_recurrent_workspace_create(net, s.n_steps, s.rows, &w));
        assert_int_equal(rein_recurrent_n_params(net), layout.n_params);
        assert_int_equal(rein_recurrent_n_state(net), s.n_state);
        m[e] = memories_new(&s, layout.n_params);
        float *packed = o_floats(rein_recurrent_n_packed(net));
        rein_recurrent_pack(net, s.params, packed);
        o_ok(rein_recurrent_forward(net, s.params, packed, w, s.x, s.start, s.n_steps, s.rows,
                                    m[e].last, m[e].y));
        o_ok(rein_recurrent_backward(net, s.params, packed, w, s.dy, m[e].grad));
        rein_recurrent_workspace_free(w);
        rein_recurrent_free(net);
    }
    o_close("y", m[1].y, O_CONST(m[0].y, s.n_steps, s.rows, layout.n_out));
    o_close("last state", m[1].last, O_CONST(m[0].last, s.rows, s.n_state));
    for (int i = 0; i < spec.n_layers; i++) {
        const rein_layer_place *p = &layout.layers[i];
        const int64_t n = (int64_t)(p->n_weights + p->n_biases);
        char what[REIN_LAYER_TEXT];
        rein_layer_print(&spec.layers[i], what);
        if (n > 0) o_close(what, m[1].grad + p->weight_at, O_CONST(m[0].grad + p->weight_at, n));
    }
}

#define TEST(name, n)                                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        o_cases(#name, n, name##_case);                                                            \
    }
TEST(network, 120)
TEST(image, 30)
TEST(attention, 40)
TEST(layout, 10)
TEST(life, 10)
TEST(cell, 60)
TEST(recurrent, 60)

int main(void)
{
    O_SKIP_WITHOUT_TORCH();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_network),   cmocka_unit_test(test_image),
        cmocka_unit_test(test_attention), cmocka_unit_test(test_layout),
        cmocka_unit_test(test_life),      cmocka_unit_test(test_cell),
        cmocka_unit_test(test_recurrent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
