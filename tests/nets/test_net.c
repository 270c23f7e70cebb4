/* The native engine against a plain one in double, finite differences and recorded networks; every
 * activation, odd sizes, several threads, no allocation. */
#include "tests/nets/net_set_up.h"

#include <pthread.h>

#include "nets/net.h"
#include "tests/alloc_count.h"
#include "tests/golden_h5.h"

/* ---- perceptrons ----------------------------------------------------------------------------- */

static void test_activations(void **state)
{
    (void)state;
    const int rows[] = {1, 5, 8, 64, 67};
    for (int f = REIN_TANH; f <= (int)REIN_LINEAR; f++) {
        rein_net_spec spec = MLP(7, (rein_activation)f, 19, 33, 3);
        check_net(&spec, 67, rows, 5);
        rein_net_spec wide = MLP(17, (rein_activation)f, 64, 64, 6);
        check_net(&wide, 67, rows, 5);
    }
}

static void test_rows(void **state)
{
    (void)state;
    int rows[130];
    for (int i = 0; i < 130; i++) rows[i] = i + 1;
    rein_net_spec spec = MLP(4, REIN_TANH, 16, 24, 2);
    check_net(&spec, 130, rows, 130);
}

static void test_shapes(void **state)
{
    (void)state;
    const int rows[] = {1, 3, 16, 33};
    const rein_net_spec specs[] = {
        MLP(1, REIN_TANH, 1),
        MLP(5, REIN_RELU, 4),
        MLP(1, REIN_TANH, 1, 1),
        MLP(3, REIN_ELU, 128, 17),
        MLP(11, REIN_TANH, 8, 8, 8, 1),
        MLP(147, REIN_TANH, 64, 64, 7),
        MLP(17, REIN_RELU, 256, 256, 1),
        MLP(376, REIN_SILU, 300, 9),
    };
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) check_net(&specs[i], 33, rows, 4);
}

/* ---- contracts ------------------------------------------------------------------------------- */

static rein_net_spec cheetah; /* set by main */

static void test_without_packed(void **state)
{
    (void)state;
    setup s = setup_new(&cheetah, 64, 2);
    float y[64 * 6], *grad = floats(s.n_params);
    run(&s, 64);
    memcpy(y, s.y, sizeof y);
    memcpy(grad, s.grad, s.n_params * sizeof *grad);
    assert_int_equal(rein_net_forward(s.net, s.params, NULL, s.workspace, s.x, 64, s.y), REIN_OK);
    assert_int_equal(rein_net_backward(s.net, s.params, NULL, s.workspace, s.dy, s.grad, NULL),
                     REIN_OK);
    assert_memory_equal(s.y, y, sizeof y);
    assert_memory_equal(s.grad, grad, s.n_params * sizeof *grad);
    free(grad);
    setup_free(&s);
}

/* The same rows give the same bytes in a workspace made for more of them. */
static void test_workspace_size(void **state)
{
    (void)state;
    setup small = setup_new(&cheetah, 24, 3), large = setup_new(&cheetah, 200, 3);
    memcpy(large.x, small.x, sizeof(float) * 24 * 17);
    memcpy(large.dy, small.dy, sizeof(float) * 24 * 6);
    run(&small, 24);
    run(&large, 24);
    assert_memory_equal(small.y, large.y, sizeof(float) * 24 * 6);
    assert_memory_equal(small.dx, large.dx, sizeof(float) * 24 * 17);
    assert_memory_equal(small.grad, large.grad, sizeof(float) * small.n_params);
    setup_free(&small);
    setup_free(&large);
}

typedef struct job {
    const setup *s;
    float y[64 * 6], *grad;
} job;

static void *job_run(void *argument)
{
    job *j = argument;
    const setup *s = j->s;
    rein_net_workspace *workspace;
    if (rein_net_workspace_create(s->net, 64, &workspace) != REIN_OK) return NULL;
    for (int repeat = 0; repeat < 20; repeat++) {
        for (int n = 64; n >= 1; n /= 2) {
            assert_int_equal(
                rein_net_forward(s->net, s->params, s->packed, workspace, s->x, n, j->y), REIN_OK);
        }
        assert_int_equal(rein_net_forward(s->net, s->params, s->packed, workspace, s->x, 64, j->y),
                         REIN_OK);
        assert_int_equal(
            rein_net_backward(s->net, s->params, s->packed, workspace, s->dy, j->grad, NULL),
            REIN_OK);
    }
    rein_net_workspace_free(workspace);
    return j;
}

static void test_threads(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    setup s = setup_new(&cheetah, 64, 4);
    run(&s, 64);
    job jobs[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (job){.s = &s, .grad = floats(s.n_params)};
        assert_int_equal(pthread_create(&threads[i], NULL, job_run, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, &jobs[i]);
        assert_memory_equal(jobs[i].y, s.y, sizeof jobs[i].y);
        assert_memory_equal(jobs[i].grad, s.grad, s.n_params * sizeof(float));
        free(jobs[i].grad);
    }
    setup_free(&s);
}

static void test_no_allocation(void **state)
{
    (void)state;
    if (!alloc_count_works()) skip();
    for (int f = REIN_TANH; f <= (int)REIN_LINEAR; f++) {
        rein_net_spec spec = MLP(17, (rein_activation)f, 64, 64, 6);
        setup s = setup_new(&spec, 130, 5);
        const long before = alloc_count();
        for (int n = 1; n <= 130; n++) {
            rein_net_pack(s.net, s.params, s.packed);
            run(&s, n);
            rein_net_products(s.net, s.params, s.packed, s.workspace, s.x, n, s.y, s.grad);
        }
        assert_int_equal(alloc_count(), before);
        setup_free(&s);
    }
}

/* The replay of the products computes the linear network without biases. */
static void test_products(void **state)
{
    (void)state;
    rein_net_spec spec = MLP(17, REIN_LINEAR, 64, 64, 6);
    rein_layout layout;
    setup s = setup_new(&spec, 64, 6);
    assert_int_equal(rein_net_layout(&spec, &layout), REIN_OK);
    for (int l = 0; l < spec.n_layers; l++) {
        const rein_layer_place *p = &layout.layers[l];
        memset(s.params + p->bias_at, 0, sizeof(float) * p->n_biases);
    }
    assert_int_equal(rein_net_forward(s.net, s.params, s.packed, s.workspace, s.x, 64, s.dy),
                     REIN_OK);
    float *grad = floats(s.n_params);
    memset(grad, 0, s.n_params * sizeof *grad);
    rein_net_products(s.net, s.params, s.packed, s.workspace, s.x, 64, s.y, grad);
    assert_memory_equal(s.y, s.dy, sizeof(float) * 64 * 6);
    assert_int_equal(rein_net_forward(s.net, s.params, s.packed, s.workspace, s.x, 64, s.y),
                     REIN_OK);
    assert_int_equal(rein_net_backward(s.net, s.params, s.packed, s.workspace, s.dy, s.grad, NULL),
                     REIN_OK);
    assert_memory_equal(grad, s.grad, sizeof(float) * 64 * 17); /* dW of the first layer */
    free(grad);
    setup_free(&s);
}

static void check_refused(rein_net_spec spec, const char *words)
{
    rein_net *net = (rein_net *)1;
    assert_int_equal(rein_net_create(&spec, &net), REIN_EINVAL);
    assert_null(net);
    assert_non_null(strstr(rein_error_message(), words));
}

static void test_errors(void **state)
{
    (void)state;
    check_refused(MLP(4, REIN_TANH, 64, 0), "layers[2] 'linear 0': 0 units");
    check_refused(MLP(0, REIN_TANH, 64, 2), "0 inputs");
    check_refused((rein_net_spec){.n_dims = 1, .shape = {4}}, "0 layers");
    rein_net_spec many = MLP(4, REIN_TANH, 2);
    many.n_layers = REIN_MAX_LAYERS + 1;
    check_refused(many, "33 layers");
    check_refused(MLP(4, (rein_activation)99, 64, 2), "tanh|relu");
    rein_net_spec spec = cheetah;
    spec.engine = (rein_engine_choice)7;
    check_refused(spec, "auto|native|torch");
    rein_net *net;
    rein_net_workspace *workspace;
    assert_int_equal(rein_net_create(&cheetah, &net), REIN_OK);
    assert_int_equal(rein_net_workspace_create(net, 0, &workspace), REIN_EINVAL);
    assert_null(workspace);
    assert_int_equal(rein_net_n_params(net), 17 * 64 + 64 + 64 * 64 + 64 + 64 * 6 + 6);
    assert_int_equal(rein_net_get_spec(net)->layers[4].units, 6);
    assert_string_equal(rein_net_engine(net), "native");
    assert_true(strlen(rein_net_kernels()) > 5);
    rein_net_free(net);
    rein_net_free(NULL);
    rein_net_workspace_free(NULL);
}

/* What no engine of this build runs is refused with the layer's name. */
static void test_engines(void **state)
{
    (void)state;
    rein_net *net;
    rein_net_spec spec = cheetah;
    spec.engine = REIN_ENGINE_NATIVE;
    assert_int_equal(rein_net_create(&spec, &net), REIN_OK);
    rein_net_free(net);
    const char *const layers[] = {"lstm 8", "gru 8", "flatten, lstm 8, linear 2"};
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        assert_int_equal(rein_layers_parse(layers[i], &spec), REIN_OK);
        assert_int_equal(rein_net_create(&spec, &net), REIN_EUNSUPPORTED);
        assert_non_null(strstr(rein_error_message(), "the native engine has no such layer"));
        assert_int_equal(rein_net_check(&spec), REIN_EUNSUPPORTED);
    }
}

/* ---- recorded networks ----------------------------------------------------------------------- */

/* Actor and critic of a recorded PPO update: 64-64 tanh nets one behind the other in params. */
static void check_recorded(golden *g, const char *group)
{
    char path[128];
    size_t dims[4];
    snprintf(path, sizeof path, "%s/params_before", group);
    double *params64 = golden_read(g, path, dims, NULL);
    const size_t n_params = dims[0];
    snprintf(path, sizeof path, "%s/obs", group);
    double *obs = golden_read(g, path, dims, NULL);
    const int rows = (int)dims[0], n_in = (int)dims[1];
    assert_non_null(params64);
    assert_non_null(obs);
    float *params = floats(n_params);
    for (size_t i = 0; i < n_params; i++) params[i] = (float)params64[i];
    size_t offset = 0;
    const char *outputs[] = {"actor_out", "value"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", group, outputs[i]);
        double *want = golden_read(g, path, dims, NULL);
        assert_non_null(want);
        rein_net_spec spec = MLP(n_in, REIN_TANH, 64, 64, (int)dims[1]);
        setup s = setup_new(&spec, rows, 7);
        assert_true(offset + s.n_params <= n_params);
        for (int j = 0; j < rows * n_in; j++) s.x[j] = (float)obs[j];
        assert_int_equal(
            rein_net_forward(s.net, params + offset, NULL, s.workspace, s.x, rows, s.y), REIN_OK);
        check_close(s.y, want, dims[0] * dims[1], 1e-5);
        offset += s.n_params;
        setup_free(&s);
        free(want);
    }
    free(params);
    free(params64);
    free(obs);
}

static void test_recorded(void **state)
{
    (void)state;
    golden g;
    assert_true(golden_open("learning_math.h5", &g));
    char names[64][64];
    const int n = golden_children(&g, "/", names, 64);
    int checked = 0;
    for (int i = 0; i < n && i < 64; i++) {
        if (strncmp(names[i], "ppo_update_", 11) != 0) continue;
        check_recorded(&g, names[i]);
        checked++;
    }
    assert_true(checked >= 2);
    golden_close(&g);
}

int main(void)
{
    cheetah = MLP(17, REIN_TANH, 64, 64, 6);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations),    cmocka_unit_test(test_rows),
        cmocka_unit_test(test_shapes),         cmocka_unit_test(test_without_packed),
        cmocka_unit_test(test_workspace_size), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_no_allocation),  cmocka_unit_test(test_products),
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_engines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
