/* Optimizers over several steps against libtorch's own in double; TensorFlow's RMSprop against its
 * formula; gradient norm, clipping, polyak averages.
 *
 * Parameters may come near to 0 on their way, so beside 1e-5 of the largest entry they may be off
 * by EPS = 16 roundings of a float, times the way that the farthest of them went. */
#include "tests/oracle.h"

#include "nets/optimizer.h"

#define EPS 0x1p-20

typedef struct course {
    rein_optimizer_options options;
    int n, n_steps;
    float *params;
    float *grad[20]; /* [n_steps][n] */
    double lr[20], grad_scale[20];
} course;

static const char *const words[] = {"adam", "rmsprop", "rmsprop_tf", "sgd"};

/* alpha from 0.9: with less, the variance of a centred RMSprop is a difference of equal numbers
 * after 20 steps of nearly the same gradient. */
static course course_new(rein_rng *rng, rein_optimizer_kind kind)
{
    course c = {.options = {.kind = kind}, .n_steps = o_int(rng, 1, 20)};
    rein_optimizer_options *o = &c.options;
    c.n = o_int(rng, 1, o_chance(rng, 0.2) ? 3000 : 60);
    o->eps = o_log_uniform(rng, 1e-10, 1e-2);
    o->beta1 = o_chance(rng, 0.3) ? 0 : rein_rng_uniform_in(rng, 0.5, 0.99);
    o->beta2 = o_chance(rng, 0.3) ? 0 : rein_rng_uniform_in(rng, 0.8, 0.9999);
    o->alpha = o_chance(rng, 0.3) ? 0 : rein_rng_uniform_in(rng, 0.9, 0.999);
    o->momentum = o_chance(rng, 0.5) ? 0 : rein_rng_uniform_in(rng, 0.1, 0.95);
    o->centered = o_chance(rng, 0.5);
    const double size = o_log_uniform(rng, 1e-3, 1e2), common = o_chance(rng, 0.3) ? size : 0;
    const double lr = o_log_uniform(rng, 1e-4, 0.3) / (kind == REIN_SGD ? size : 1);
    const bool annealed = o_chance(rng, 0.5);
    c.params = o_normals(rng, (size_t)c.n, o_log_uniform(rng, 0.01, 1));
    for (int t = 0; t < c.n_steps; t++) {
        c.grad[t] = o_normals(rng, (size_t)c.n, size);
        for (int i = 0; i < c.n; i++) {
            c.grad[t][i] = i % 7 == 3 ? 0 : c.grad[t][i] + (float)common; /* some have none */
        }
        c.lr[t] = annealed ? lr * (1 - t / 21.0) : lr;
        c.grad_scale[t] = o_chance(rng, 0.5) ? 1 : rein_rng_uniform(rng);
    }
    o_say("%s: n %d, %d steps, lr %g, eps %g, betas %g %g, alpha %g, momentum %g, %s, gradients "
          "of %g",
          words[kind], c.n, c.n_steps, lr, o->eps, o->beta1, o->beta2, o->alpha, o->momentum,
          o->centered ? "centred" : "not centred", size);
    return c;
}

static void run_native(const course *c, float *params)
{
    rein_optimizer *optimizer = NULL;
    memcpy(params, c->params, (size_t)c->n * sizeof *params);
    o_ok(rein_optimizer_create(&c->options, (size_t)c->n, &optimizer));
    for (int t = 0; t < c->n_steps; t++) {
        rein_optimizer_step(optimizer, c->lr[t], c->grad[t], c->grad_scale[t], params);
    }
    rein_optimizer_free(optimizer);
}

static rein_tensor *gradient(const course *c, int t)
{
    return o_times(O_CONST(c->grad[t], c->n), c->grad_scale[t]);
}

static rein_tensor *copy(const rein_tensor *a)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_clone(o_detach(a), &t));
    return o_keep(t);
}

/* libtorch's optimizer on the same course. way  out  sum of the largest steps */
static rein_tensor *run_torch(const course *c, double *way)
{
    static const rein_torch_optimizer_kind kinds[] = {
        [REIN_ADAM] = REIN_TORCH_ADAM,
        [REIN_RMSPROP] = REIN_TORCH_RMSPROP,
        [REIN_SGD] = REIN_TORCH_SGD,
    };
    const rein_optimizer_options *o = &c->options;
    const rein_torch_optimizer_options options = {
        .kind = kinds[o->kind],
        .lr = c->lr[0],
        .momentum = o->momentum,
        .beta1 = o->beta1,
        .beta2 = o->beta2,
        .alpha = o->alpha,
        .eps = o->eps,
        .centered = o->centered,
    };
    rein_tensor *params = O_LEAF(c->params, c->n);
    rein_torch_optimizer *optimizer = NULL;
    o_ok(rein_torch_optimizer_create(&options, &params, 1, &optimizer));
    *way = o_largest(params);
    for (int t = 0; t < c->n_steps; t++) {
        rein_tensor *before = copy(params);
        o_ok(rein_torch_optimizer_set_lr(optimizer, c->lr[t]));
        o_ok(rein_tensor_set_grad(params, gradient(c, t)));
        o_ok(rein_torch_optimizer_step(optimizer));
        *way += o_largest(o_sub(params, before));
    }
    rein_torch_optimizer_free(optimizer);
    return o_detach(params);
}

static void torch_case(rein_rng *rng, rein_optimizer_kind kind)
{
    const course c = course_new(rng, kind);
    float *params = o_floats((size_t)c.n);
    double way;
    run_native(&c, params);
    const rein_tensor *wanted = run_torch(&c, &way);
    o_close_but("params", params, wanted, EPS * way);
}

static void adam_case(rein_rng *rng)
{
    torch_case(rng, REIN_ADAM);
}

static void rmsprop_case(rein_rng *rng)
{
    torch_case(rng, REIN_RMSPROP);
}

static void sgd_case(rein_rng *rng)
{
    torch_case(rng, REIN_SGD);
}

/* TensorFlow 1 (training/rmsprop.py): squares start at one, epsilon is inside the root, the step
 * size goes into the momentum buffer:
 *     s = a s + (1 - a) g^2;  m = a m + (1 - a) g;  b = momentum b + lr g / sqrt(s - m^2 + eps) */
static void rmsprop_tf_case(rein_rng *rng)
{
    const course c = course_new(rng, REIN_RMSPROP_TF);
    const rein_optimizer_options *o = &c.options;
    const double alpha = o->alpha > 0 ? o->alpha : 0.99;
    float *params = o_floats((size_t)c.n);
    run_native(&c, params);
    rein_tensor *p = O_CONST(c.params, c.n), *zero = o_times(p, 0);
    rein_tensor *s = o_plus(zero, 1), *m = zero, *b = zero;
    double way = o_largest(p);
    for (int t = 0; t < c.n_steps; t++) {
        rein_tensor *g = gradient(&c, t);
        s = o_add(o_times(s, alpha), o_times(o_square(g), 1 - alpha));
        m = o_add(o_times(m, alpha), o_times(g, 1 - alpha));
        rein_tensor *variance = o->centered ? o_sub(s, o_square(m)) : s;
        rein_tensor *step = o_div(o_times(g, c.lr[t]), o_sqrt(o_plus(variance, o->eps)));
        b = o_add(o_times(b, o->momentum), step);
        p = o_sub(p, b);
        way += o_largest(b);
    }
    o_close_but("params", params, p, EPS * way);
}

/* --- what goes with them ---------------------------------------------------------------------- */

/* The whole way of a clipped update: norm, factor, step. */
static void clip_case(rein_rng *rng)
{
    course c = course_new(rng, REIN_SGD);
    c.n_steps = 1;
    if (o_chance(rng, 0.1)) {
        c.n = o_int(rng, 4000, 30000);
        c.grad[0] = o_normals(rng, (size_t)c.n, 1);
        c.params = o_normals(rng, (size_t)c.n, 1);
    }
    const double max_norm = o_chance(rng, 0.1) ? 0 : o_log_uniform(rng, 1e-3, 1e3);
    rein_tensor *grad = O_CONST(c.grad[0], c.n), *norm = NULL;
    o_say("n %d, largest gradient %g, max_norm %g", c.n, o_largest(grad), max_norm);
    o_ok(rein_tensor_norm(grad, &norm));
    const double size = o_item(o_keep(norm)), got = rein_grad_norm(c.grad[0], (size_t)c.n);
    o_close_number("norm", got, size, 0);
    const double wanted = max_norm <= 0 || size + 1e-6 <= max_norm ? 1 : max_norm / (size + 1e-6);
    c.grad_scale[0] = rein_grad_clip_scale(got, max_norm);
    o_close_number("factor", c.grad_scale[0], wanted, 0);
    float *params = o_floats((size_t)c.n);
    double way;
    run_native(&c, params);
    c.grad_scale[0] = wanted;
    const rein_tensor *torch = run_torch(&c, &way);
    o_close("params", params, torch);
}

static void polyak_case(rein_rng *rng)
{
    const int n = o_int(rng, 1, 500);
    const double tau = o_chance(rng, 0.2) ? 1 : rein_rng_uniform(rng);
    float *target = o_normals(rng, (size_t)n, 1), *online = o_normals(rng, (size_t)n, 1);
    rein_tensor *wanted =
        o_add(o_times(O_CONST(target, n), 1 - tau), o_times(O_CONST(online, n), tau));
    o_say("n %d, tau %g", n, tau);
    rein_polyak(target, online, (size_t)n, tau);
    o_close_but("target", target, wanted, EPS);
}

#define TEST(name, n)                                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        o_cases(#name, n, name##_case);                                                            \
    }
TEST(adam, 80)
TEST(rmsprop, 80)
TEST(rmsprop_tf, 60)
TEST(sgd, 40)
TEST(clip, 40)
TEST(polyak, 30)

int main(void)
{
    O_SKIP_WITHOUT_TORCH();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adam),       cmocka_unit_test(test_rmsprop),
        cmocka_unit_test(test_rmsprop_tf), cmocka_unit_test(test_sgd),
        cmocka_unit_test(test_clip),       cmocka_unit_test(test_polyak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
