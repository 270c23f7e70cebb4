/* A network with everything it needs, and its check against a plain one in double and by finite
 * differences. For the tests of nets/. */
#ifndef REIN_TESTS_NETS_NET_SET_UP_H
#define REIN_TESTS_NETS_NET_SET_UP_H

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

#include "tests/nets/net_reference.h"

typedef struct setup {
    rein_net_spec spec;
    rein_net *net;
    rein_net_workspace *workspace;
    int rows, n_in, n_out;
    size_t n_params;
    float *params, *packed, *grad, *x, *y, *dy, *dx;
} setup;

static inline float *floats(size_t n)
{
    float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64);
    assert_non_null(x);
    return x;
}

static inline setup setup_new(const rein_net_spec *spec, int rows, uint64_t seed)
{
    setup s = {.spec = *spec, .rows = rows, .n_in = spec->shape[0]};
    for (int i = 1; i < spec->n_dims; i++) s.n_in *= spec->shape[i];
    assert_int_equal(rein_net_create(spec, &s.net), REIN_OK);
    assert_int_equal(rein_net_n_in(s.net), s.n_in);
    s.n_out = rein_net_n_out(s.net);
    assert_int_equal(rein_net_workspace_create(s.net, rows, &s.workspace), REIN_OK);
    s.n_params = rein_net_n_params(s.net);
    const size_t n_x = (size_t)rows * (size_t)s.n_in, n_y = (size_t)rows * (size_t)s.n_out;
    s.params = floats(s.n_params);
    s.grad = floats(s.n_params);
    s.packed = floats(rein_net_n_packed(s.net));
    s.x = floats(n_x);
    s.dx = floats(n_x);
    s.y = floats(n_y);
    s.dy = floats(n_y);
    rein_rng rng = rein_rng_stream(seed, REIN_RNG_TEST, 0, 0);
    for (size_t i = 0; i < s.n_params; i++) s.params[i] = (float)(0.3 * rein_rng_normal(&rng));
    for (size_t i = 0; i < n_x; i++) {
        const bool whole = spec->layers[0].kind == REIN_LAYER_EMBEDDING;
        const float scale = spec->input_scale > 0 ? spec->input_scale : 1;
        s.x[i] = whole ? (float)rein_rng_below(&rng, (uint32_t)spec->layers[0].values) / scale
                       : (float)rein_rng_normal(&rng);
    }
    for (size_t i = 0; i < n_y; i++) s.dy[i] = (float)rein_rng_normal(&rng);
    rein_net_pack(s.net, s.params, s.packed);
    return s;
}

static inline void setup_free(setup *s)
{
    rein_net_free(s->net);
    rein_net_workspace_free(s->workspace);
    float *all[] = {s->params, s->packed, s->grad, s->x, s->y, s->dy, s->dx};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
}

static inline void run(setup *s, int n)
{
    assert_int_equal(rein_net_forward(s->net, s->params, s->packed, s->workspace, s->x, n, s->y),
                     REIN_OK);
    assert_int_equal(
        rein_net_backward(s->net, s->params, s->packed, s->workspace, s->dy, s->grad, s->dx),
        REIN_OK);
}

static inline double *doubles(const float *x, size_t n)
{
    double *d = malloc(n * sizeof *d);
    assert_non_null(d);
    for (size_t i = 0; i < n; i++) d[i] = x[i];
    return d;
}

static inline double largest(const double *x, size_t n)
{
    double most = 1e-30;
    for (size_t i = 0; i < n; i++) most = fabs(x[i]) > most ? fabs(x[i]) : most;
    return most;
}

/* Equal to 1e-5 (or `tolerance`) of the largest entry. */
static inline void check_close(const float *got, const double *want, size_t n, double tolerance)
{
    const double scale = largest(want, n);
    for (size_t i = 0; i < n; i++) {
        if (!(fabs(got[i] - want[i]) <= tolerance * scale)) {
            fail_msg("entry %zu of %zu: %.9g, should be %.9g", i, n, (double)got[i], want[i]);
        }
    }
}

/* sum(dy y) over n rows, in double. */
static inline double objective(const setup *s, const double *params, const double *x, int n)
{
    double sum = 0, y[8192];
    for (int i = 0; i < n; i++) {
        reference_forward(&s->spec, params, x + i * s->n_in, y);
        for (int j = 0; j < s->n_out; j++) sum += (double)s->dy[i * s->n_out + j] * y[j];
    }
    return sum;
}

static inline void check_forward(const setup *s, const double *params, const double *x, int n)
{
    const size_t size = (size_t)n * (size_t)s->n_out;
    double *y = malloc(size * sizeof *y);
    for (int i = 0; i < n; i++) {
        reference_forward(&s->spec, params, x + i * s->n_in, y + i * s->n_out);
    }
    check_close(s->y, y, size, 1e-5);
    free(y);
}

/* Central differences of the double network for `checks` entries of v, spread evenly. */
static inline void check_differences(const setup *s, double *params, double *x, int n, double *v,
                                     const float *gradient, size_t size, size_t checks)
{
    const double h = 1e-5;
    const size_t stride = size / checks + 1;
    double scale = 1e-30;
    for (size_t i = 0; i < size; i++) scale = fmax(scale, fabs((double)gradient[i]));
    for (size_t i = 0; i < size; i += stride) {
        const double kept = v[i];
        v[i] = kept + h;
        const double up = objective(s, params, x, n);
        v[i] = kept - h;
        const double down = objective(s, params, x, n);
        v[i] = kept;
        const double want = (up - down) / (2 * h);
        if (!(fabs((double)gradient[i] - want) <= 2e-5 * scale)) {
            fail_msg("derivative %zu of %zu: %.9g, by differences %.9g (largest %.3g)", i, size,
                     (double)gradient[i], want, scale);
        }
    }
}

/* Forward and backward for each number of rows. */
static inline void check_net(const rein_net_spec *spec, int max_rows, const int *rows, int n_rows)
{
    setup s = setup_new(spec, max_rows, 1);
    double *params = doubles(s.params, s.n_params);
    double *x = doubles(s.x, (size_t)max_rows * (size_t)s.n_in);
    for (int i = 0; i < n_rows; i++) {
        const int n = rows[i];
        memset(s.grad, 0xff, s.n_params * sizeof(float)); /* overwritten, not added to */
        run(&s, n);
        check_forward(&s, params, x, n);
        const size_t checks = n <= 8 ? 60 : 8;
        check_differences(&s, params, x, n, params, s.grad, s.n_params, checks);
        check_differences(&s, params, x, n, x, s.dx, (size_t)n * (size_t)s.n_in, checks);
    }
    free(params);
    free(x);
    setup_free(&s);
}

/* A spec for images [h, w, c], or vectors [c] where h is 0. */
static inline rein_net_spec spec_of(int h, int w, int c, const char *layers)
{
    rein_net_spec spec = {.n_dims = h ? 3 : 1, .shape = {h ? h : c, w, c}};
    if (!h) spec.shape[1] = spec.shape[2] = 0;
    if (rein_layers_parse(layers, &spec) != REIN_OK) fail_msg("%s", rein_error_message());
    return spec;
}

#endif
