/* libtorch as an oracle: what native code must give, from libtorch's own operations and autograd
 * in double, on the same single precision numbers.
 *
 *     static void a_case(rein_rng *rng)
 *     {
 *         const int n = o_int(rng, 1, 40);
 *         float *x = o_normals(rng, (size_t)n, 1), *y = o_floats((size_t)n), *dx = ...;
 *         o_say("%d numbers", n);
 *         ... native code ...
 *         rein_tensor *leaf = O_LEAF(x, n), *wanted = o_tanh(leaf);
 *         o_backward(wanted, O_CONST(dy, n));
 *         o_close("y", y, wanted);
 *         o_close("dx", dx, o_grad(leaf));
 *     }
 *     ... o_cases("tanh", 60, a_case);
 *
 * A failure says which case it was. REIN_ORACLE_SEED=17 REIN_ORACLE_CASES=1 runs that one alone;
 * REIN_ORACLE_CASES=2000 runs so many of each. Everything made in a case is freed behind it, and
 * libtorch's handles are counted. Thread-safety: none. */
#ifndef REIN_TESTS_ORACLE_H
#define REIN_TESTS_ORACLE_H

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

#include "base/rng.h"
#include "nets/cell.h"
#include "nets/layers.h"
#include "nets/torch/loader.h"
#include "nets/torch/rein_torch.h"

/* For main: without libtorch there is nothing to ask. */
#define O_SKIP_WITHOUT_TORCH()                                                                     \
    do {                                                                                           \
        if (!rein_torch_is_built()) {                                                              \
            puts("built without libtorch: skipped");                                               \
            return 77;                                                                             \
        }                                                                                          \
    } while (0)

/* Fails the test with the library's message. */
void o_ok(rein_status status);

/* --- cases ------------------------------------------------------------------------------------ */

/* Run `body` for n seeds, each with its own stream. */
void o_cases(const char *name, int n, void (*body)(rein_rng *rng));

/* What the running case is, for its failures. */
void o_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fail, with the case and how to run it alone. */
void o_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Arrays of the case, 64-byte aligned, filled with NaN: what is not written is noticed. */
float *o_floats(size_t n);
void *o_bytes(size_t n); /* zeros */
float *o_normals(rein_rng *rng, size_t n, double scale);
int o_int(rein_rng *rng, int low, int high); /* both included */
bool o_chance(rein_rng *rng, double chance);
double o_log_uniform(rein_rng *rng, double low, double high);

/* --- tensors, all of the case ------------------------------------------------------------------
 */

/* What leaves and constants are made in from now on; a case begins with F64. */
void o_precision(rein_torch_dtype type);

#define O_SHAPE(...)                                                                               \
    (const int64_t[]){__VA_ARGS__}, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
#define O_LEAF(values, ...)  o_leaf(values, O_SHAPE(__VA_ARGS__))
#define O_CONST(values, ...) o_const(values, O_SHAPE(__VA_ARGS__))
#define O_VIEW(a, ...)       o_view(a, O_SHAPE(__VA_ARGS__))
#define O_PERMUTE(a, ...)    o_permute(a, O_SHAPE(__VA_ARGS__))
#define O_SUM(a, ...)        o_sum(a, O_SHAPE(__VA_ARGS__))

rein_tensor *o_keep(rein_tensor *t); /* the case frees it */
rein_tensor *o_leaf(const float *values, const int64_t *shape, int n_dims);
rein_tensor *o_const(const float *values, const int64_t *shape, int n_dims);
rein_tensor *o_scalar(double value);
rein_tensor *o_index(const int32_t *values, int n);                             /* I64 [n] */
rein_tensor *o_mask(const uint8_t *values, const int64_t *shape, int n_dims);   /* BOOL */
rein_tensor *o_bytes_const(const uint8_t *values, const int64_t *shape, int n); /* F64 */

#define O_ONE(X)                                                                                   \
    X(neg)                                                                                         \
    X(abs) X(square) X(sqrt) X(exp) X(log) X(tanh) X(sigmoid) X(relu) X(silu) X(gelu) X(detach)
#define O_TWO(X) X(add) X(sub) X(mul) X(div) X(maximum) X(minimum) X(matmul) X(lt) X(gt)
#define X(name)  rein_tensor *o_##name(const rein_tensor *a);
O_ONE(X)
#undef X
#define X(name) rein_tensor *o_##name(const rein_tensor *a, const rein_tensor *b);
O_TWO(X)
#undef X
rein_tensor *o_plus(const rein_tensor *a, double value);
rein_tensor *o_times(const rein_tensor *a, double value);
rein_tensor *o_clamp(const rein_tensor *a, double low, double high);
rein_tensor *o_view(const rein_tensor *a, const int64_t *shape, int n_dims); /* or a copy */
rein_tensor *o_permute(const rein_tensor *a, const int64_t *dims, int n_dims);
rein_tensor *o_sum(const rein_tensor *a, const int64_t *dims, int n_dims); /* drops them */
rein_tensor *o_total(const rein_tensor *a);
rein_tensor *o_mean(const rein_tensor *a);
rein_tensor *o_narrow(const rein_tensor *a, int dim, int64_t start, int64_t length);
rein_tensor *o_select(const rein_tensor *a, int dim, int64_t index);
rein_tensor *o_pick(const rein_tensor *a, const rein_tensor *index); /* [n,k], [n] -> [n] */
double o_item(const rein_tensor *a);
double o_largest(const rein_tensor *a); /* |entry| */
double o_smallest(const rein_tensor *a);

/* Collect gradients of sum(dy y); dy NULL: of a scalar. */
void o_backward(const rein_tensor *y, const rein_tensor *dy);
rein_tensor *o_grad(const rein_tensor *leaf); /* zeros when nothing came */

/* --- comparison --------------------------------------------------------------------------------
 * Row-major, as many as `wanted` has. */

/* Within 1e-5 of the largest entry. */
void o_close(const char *what, const float *got, const rein_tensor *wanted);

/* Within 1e-5 of the largest entry, plus `rounding`: what single precision may do to a sum whose
 * terms cancel. Every caller says why. */
void o_close_but(const char *what, const float *got, const rein_tensor *wanted, double rounding);

/* Within 1e-5 of the largest entry, or within four times what libtorch's own single precision,
 * `twin`, is off by: in random networks a gradient may cancel to a thousandth of its terms
 * (through layernorm, whose outputs do not change with the scale of its inputs), and no float
 * knows it better then. Native code has no influence on this bound. */
void o_close_like(const char *what, const float *got, const rein_tensor *wanted,
                  const rein_tensor *twin);
void o_close_number(const char *what, double got, double wanted, double rounding);

/* --- networks ----------------------------------------------------------------------------------
 */

#define O_KINK 3e-6 /* twice what single precision makes of the random networks' numbers */

/* Layers of a spec over a flat leaf [P]; the place of the next parameter is counted here, apart
 * from nets/layers.c. `kink` becomes the smallest |z| before a relu, of the largest there: nearer
 * than O_KINK, single precision may take the other side, and such inputs are drawn again. */
typedef struct o_net {
    const rein_net_spec *spec;
    const rein_tensor *params;
    int64_t at;
    double kink;
} o_net;

/* x [N, row's shape] through layers [first, end); cells want o_cell. */
rein_tensor *o_layers(o_net *net, int first, int end, rein_tensor *x);

/* x [T rows, ...] of steps through a cell: y [T, rows, H]. start [T, rows] or NULL.
 *   state  in  [rows, S];  last  out  [rows, S], or NULL */
rein_tensor *o_cell(o_net *net, rein_cell_kind kind, int n_hidden, rein_tensor *x,
                    const uint8_t *start, int n_steps, int rows, rein_tensor *state,
                    rein_tensor **last);

/* A random layer list that the native engine can run, on vectors or images of 3 to 12 pixels;
 * ends with `linear`. */
rein_net_spec o_random_spec(rein_rng *rng);

/* Parameters and a batch for a spec: fan-in scaled normals; whole numbers for an embedding. */
float *o_random_params(rein_rng *rng, const rein_net_spec *spec);
float *o_random_x(rein_rng *rng, const rein_net_spec *spec, int rows);
rein_tensor *o_leaf_x(const rein_net_spec *spec, const float *x, int rows);

#endif
