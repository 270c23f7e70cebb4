/* Embedding: rows of the table, their gradients, and inputs that are no value. */
#include "tests/nets/net_set_up.h"

/* [1, 2, 2] images of values 0 .. 2, two numbers each, from u8 divided by 2. */
static void test_rows(void **state)
{
    (void)state;
    rein_net_spec spec = spec_of(1, 2, 2, "embedding 3 2");
    spec.input_scale = 2;
    setup s = setup_new(&spec, 1, 1);
    const float table[6] = {1, 2, 3, 4, 5, 6}, x[4] = {1, 0, 0.5f, 1};
    const float y[8] = {5, 6, 1, 2, 3, 4, 5, 6};
    const float grad[6] = {3, 4, 5, 6, 1 + 7, 2 + 8};
    memcpy(s.params, table, sizeof table);
    memcpy(s.x, x, sizeof x);
    for (int i = 0; i < 8; i++) s.dy[i] = (float)(i + 1);
    assert_int_equal(s.n_params, 6);
    run(&s, 1);
    assert_memory_equal(s.y, y, sizeof y);
    assert_memory_equal(s.grad, grad, sizeof grad);
    for (int i = 0; i < 4; i++) assert_true(s.dx[i] == 0);
    setup_free(&s);
}

static void test_outside(void **state)
{
    (void)state;
    const rein_net_spec spec = spec_of(0, 0, 5, "embedding 3 1");
    setup s = setup_new(&spec, 1, 1);
    const float table[3] = {1, 2, 3}, x[5] = {-1e30f, NAN, 1e30f, 1.4f, 2.7f};
    const float y[5] = {1, 1, 3, 2, 3};
    memcpy(s.params, table, sizeof table);
    memcpy(s.x, x, sizeof x);
    assert_int_equal(rein_net_forward(s.net, s.params, s.packed, s.workspace, s.x, 1, s.y),
                     REIN_OK);
    assert_memory_equal(s.y, y, sizeof y);
    setup_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
