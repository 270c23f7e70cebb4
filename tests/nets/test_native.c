/* The native engine's networks of several kinds of layers, against a plain network in double and
 * finite differences; that x may be left out, that rows do not mix, that nothing is allocated. */
#include "tests/nets/net_set_up.h"

#include "nets/engine.h"
#include "tests/alloc_count.h"

static const struct {
    int h, w, c;
    const char *layers;
} nets[] = {
    {7, 7, 3, "conv 16 3x3, relu, flatten, linear 32, relu, linear 5"},
    {7, 7, 3, "conv 8 2x2, tanh, conv 12 2x2, silu, flatten, linear 16, tanh, linear 4"},
    {7, 7, 3, "flatten, linear 16, tanh, linear 4"},
    {7, 7, 3, "flatten"},
    {4, 5, 3, "conv 2 3x3, flatten"},
    {4, 5, 3, "conv 2 3x3, tanh, flatten, sigmoid"},
    {4, 5, 3, "relu, conv 3 2x3 pad 1, elu, flatten, gelu, linear 3"},
    {5, 5, 1, "conv 1 5x5, flatten, linear 2, tanh"},
    {6, 5, 2, "conv 16 3x2, flatten, relu, linear 3"},
    {6, 5, 2, "conv 16 3x2, flatten, tanh"},
    {6, 5, 2, "conv 16 3x2, tanh, flatten, relu"},
    {6, 5, 3, "conv 16 2x2, relu, conv 32 2x2, relu, flatten, linear 7, linear 3"},
    {0, 0, 528, "linear 11, relu, linear 3"}, /* wide enough for W itself */
    {6, 6, 2, "flatten, layernorm, linear 8, layernorm, silu, linear 3"},
    {6, 6, 2, "embedding 5 3, conv 4 3x3, relu, flatten, linear 3"},
    {0, 0, 7, "linear 9, layernorm, tanh, linear 9, layernorm"},
    {0, 0, 7, "flatten"},
    {0, 0, 7, "gelu"},
    {0, 0, 7, "silu, tanh, linear 4, tanh, sigmoid, linear 2, elu"},
    {0, 0, 7, "embedding 3 4, relu, linear 5, linear 2"},
};
enum { N_NETS = sizeof nets / sizeof nets[0] };

static rein_net_spec net_of(int i)
{
    rein_net_spec spec = spec_of(nets[i].h, nets[i].w, nets[i].c, nets[i].layers);
    spec.input_scale = 4;
    return spec;
}

static void test_nets(void **state)
{
    (void)state;
    const int rows[] = {1, 2, 7, 16};
    for (int i = 0; i < N_NETS; i++) {
        const rein_net_spec spec = net_of(i);
        check_net(&spec, 16, rows, 4);
    }
}

/* Where a wide layer's W is transposed after all. */
static void test_many_rows(void **state)
{
    (void)state;
    const int rows[] = {127, 128, 131};
    const rein_net_spec spec = spec_of(0, 0, 512, "linear 5, tanh, linear 3");
    check_net(&spec, 131, rows, 3);
}

/* Without dx, without packed, in a workspace for more rows: the same bytes. */
static void test_variants(void **state)
{
    (void)state;
    for (int i = 0; i < N_NETS; i++) {
        const rein_net_spec spec = net_of(i);
        setup s = setup_new(&spec, 9, 2);
        const size_t n_y = 9 * (size_t)s.n_out;
        float *y = floats(n_y + 1), *grad = floats(s.n_params + 1);
        rein_net_workspace *large;
        assert_int_equal(rein_net_workspace_create(s.net, 40, &large), REIN_OK);
        run(&s, 9);
        assert_int_equal(rein_net_forward(s.net, s.params, NULL, large, s.x, 9, y), REIN_OK);
        assert_int_equal(rein_net_backward(s.net, s.params, NULL, large, s.dy, grad, NULL),
                         REIN_OK);
        assert_memory_equal(y, s.y, n_y * sizeof *y);
        assert_memory_equal(grad, s.grad, s.n_params * sizeof *grad);
        rein_net_workspace_free(large);
        free(y);
        free(grad);
        setup_free(&s);
    }
}

/* Gradients by what a row put out reach that row's x alone, and dy stays as it was. */
static void test_rows_apart(void **state)
{
    (void)state;
    for (int i = 0; i < N_NETS; i++) {
        const rein_net_spec spec = net_of(i);
        setup s = setup_new(&spec, 4, 3);
        const size_t n_y = 4 * (size_t)s.n_out;
        float *dy = floats(n_y);
        for (int j = 0; j < 4 * s.n_out; j++) {
            if (j / s.n_out != 2) s.dy[j] = 0;
        }
        memcpy(dy, s.dy, n_y * sizeof *dy);
        run(&s, 4);
        for (int j = 0; j < 4 * s.n_in; j++) {
            if (j / s.n_in != 2) assert_true(s.dx[j] == 0);
        }
        assert_memory_equal(dy, s.dy, n_y * sizeof *dy);
        free(dy);
        setup_free(&s);
    }
}

static void test_no_allocation(void **state)
{
    (void)state;
    if (!alloc_count_works()) skip();
    for (int i = 0; i < N_NETS; i++) {
        const rein_net_spec spec = net_of(i);
        setup s = setup_new(&spec, 33, 5);
        const long before = alloc_count();
        for (int n = 1; n <= 33; n += 8) {
            rein_net_pack(s.net, s.params, s.packed);
            run(&s, n);
            rein_net_products(s.net, s.params, s.packed, s.workspace, s.x, n, s.y, s.grad);
            rein_net_products(s.net, s.params, s.packed, s.workspace, s.x, n, s.y, NULL);
        }
        assert_int_equal(alloc_count(), before);
        setup_free(&s);
    }
}

static void test_can_run(void **state)
{
    (void)state;
    const rein_net_spec good = net_of(1);
    assert_int_equal(rein_engine_native.can_run(&good), REIN_OK);
    const rein_net_spec bad = spec_of(7, 7, 3, "attention heads=2 dim=8 layers=1, flatten");
    assert_int_equal(rein_engine_native.can_run(&bad), REIN_EUNSUPPORTED);
    assert_non_null(strstr(rein_error_message(), "layers[0] 'attention heads=2 dim=8 layers=1'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nets),     cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_variants), cmocka_unit_test(test_rows_apart),
        cmocka_unit_test(test_can_run),  cmocka_unit_test(test_no_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
