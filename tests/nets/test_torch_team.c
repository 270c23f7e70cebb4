/* The C API inside a thread team: the same bytes for 1, 2 and 3 threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/team.h"
#include "nets/torch/loader.h"
#include "nets/torch/rein_torch.h"

#ifdef __SANITIZE_ADDRESS__
/* LeakSanitizer crashes on OpenMP's waiting threads beside a library loaded late (GCC 12). */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

enum { N = 16, I = 32, H = 48, P = H * I + H, BLOCKS = 24 };
static float params[P], x[BLOCKS][N * I], grads[3][BLOCKS][P];

/* One block: y = tanh(x W^T + b), gradient of sum(y^2) into its own row. */
static rein_status block_work(void *context, int block, int thread)
{
    float *grad = ((float(*)[P])context)[block];
    const int64_t w_shape[] = {H, I}, b_shape[] = {H}, x_shape[] = {N, I};
    rein_tensor *w, *b, *dw, *db, *in, *z, *y, *loss;
    (void)thread;
    REIN_TRY(rein_tensor_borrow(REIN_TORCH_F32, w_shape, 2, params, &w));
    REIN_TRY(rein_tensor_borrow(REIN_TORCH_F32, b_shape, 1, params + H * I, &b));
    REIN_TRY(rein_tensor_borrow(REIN_TORCH_F32, w_shape, 2, grad, &dw));
    REIN_TRY(rein_tensor_borrow(REIN_TORCH_F32, b_shape, 1, grad + H * I, &db));
    REIN_TRY(rein_tensor_borrow(REIN_TORCH_F32, x_shape, 2, x[block], &in));
    REIN_TRY(rein_tensor_require_grad(w, true));
    REIN_TRY(rein_tensor_require_grad(b, true));
    REIN_TRY(rein_tensor_set_grad(w, dw));
    REIN_TRY(rein_tensor_set_grad(b, db));
    REIN_TRY(rein_tensor_linear(in, w, b, &z));
    REIN_TRY(rein_tensor_tanh(z, &y));
    REIN_TRY(rein_tensor_mse_loss(y, in, REIN_TORCH_SUM, &loss) == REIN_EINVAL
                 ? REIN_OK /* [N,H] against [N,I]: an error on every thread, too */
                 : rein_fail(REIN_EDIFFER, "shapes were not checked"));
    REIN_TRY(rein_tensor_backward(y, y, false));
    rein_tensor *const all[] = {w, b, dw, db, in, z, y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) rein_tensor_free(all[i]);
    return REIN_OK;
}

static void test_same_bytes_for_any_team(void **context)
{
    (void)context;
    for (int i = 0; i < P; i++) params[i] = 0.1F * sinf(1.7F * (float)i);
    for (int i = 0; i < BLOCKS * N * I; i++) x[i / (N * I)][i % (N * I)] = cosf(0.9F * (float)i);
    for (int n = 1; n <= 3; n++) {
        rein_team *team = NULL;
        assert_int_equal(rein_team_create(n, &team), REIN_OK);
        if (rein_team_run(team, BLOCKS, block_work, grads[n - 1]) != REIN_OK) {
            fail_msg("%s", rein_error_message());
        }
        rein_team_free(team);
        assert_memory_equal(grads[0], grads[n - 1], sizeof grads[0]);
    }
    assert_true(fabsf(grads[0][0][0]) > 0);
    assert_memory_not_equal(grads[0][0], grads[0][1], sizeof grads[0][0]);
}

int main(void)
{
    if (!rein_torch_is_built()) {
        puts("built without libtorch: skipped");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bytes_for_any_team)};
    return cmocka_run_group_tests_name("torch_team", tests, NULL, NULL);
}
