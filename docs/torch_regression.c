/* Fits y = sin(3 x) with a network of 32 tanh units: libtorch from plain C. See docs/torch.md. */
#include <math.h>
#include <stdio.h>

#include "nets/torch/rein_torch.h"

enum { N = 64, H = 32, PARAMETERS = H + H + H + 1 };
static float params[PARAMETERS], x[N], y[N]; /* ours: libtorch only borrows them */

static rein_status fit(float *loss_value)
{
    const int64_t shapes[4][2] = {{H, 1}, {H}, {1, H}, {1}}, sizes[] = {H, H, H, 1};
    const int n_dims[] = {2, 1, 2, 1};
    rein_tensor *p[4], *input, *target;
    rein_torch_optimizer *adam;
    for (int i = 0, at = 0; i < 4; at += (int)sizes[i++]) {
        REIN_TRY(rein_tensor_borrow(REIN_TORCH_F32, shapes[i], n_dims[i], params + at, &p[i]));
        REIN_TRY(rein_tensor_require_grad(p[i], true));
    }
    REIN_TRY(rein_tensor_borrow(REIN_TORCH_F32, (int64_t[]){N, 1}, 2, x, &input));
    REIN_TRY(rein_tensor_borrow(REIN_TORCH_F32, (int64_t[]){N, 1}, 2, y, &target));
    rein_torch_optimizer_options options = {.kind = REIN_TORCH_ADAM, .lr = 0.02};
    REIN_TRY(rein_torch_optimizer_create(&options, p, 4, &adam));
    for (int step = 0; step < 1000; step++) {
        rein_tensor *z, *h, *out, *loss;
        REIN_TRY(rein_tensor_linear(input, p[0], p[1], &z));
        REIN_TRY(rein_tensor_tanh(z, &h));
        REIN_TRY(rein_tensor_linear(h, p[2], p[3], &out));
        REIN_TRY(rein_tensor_mse_loss(out, target, REIN_TORCH_MEAN, &loss));
        REIN_TRY(rein_torch_optimizer_zero_grad(adam));
        REIN_TRY(rein_tensor_backward(loss, NULL, false));
        REIN_TRY(rein_torch_optimizer_step(adam));
        REIN_TRY(rein_tensor_read(loss, loss_value, sizeof *loss_value));
        rein_tensor *const used[] = {z, h, out, loss};
        for (int i = 0; i < 4; i++) rein_tensor_free(used[i]);
    }
    rein_torch_optimizer_free(adam);
    for (int i = 0; i < 4; i++) rein_tensor_free(p[i]);
    rein_tensor_free(input);
    rein_tensor_free(target);
    return REIN_OK;
}

int main(void)
{
    float loss = 1;
    for (int i = 0; i < PARAMETERS; i++) params[i] = 2 * fmodf(0.618F * (float)(i * i), 1) - 1;
    for (int i = 0; i < N; i++) y[i] = sinf(3 * (x[i] = 2 * (float)i / (N - 1) - 1));
    if (fit(&loss) != REIN_OK) return fprintf(stderr, "%s\n", rein_error_message()), 1;
    printf("mean squared error after 1000 steps: %.6f\n", (double)loss);
    return loss < 1e-3F ? 0 : 1;
}
