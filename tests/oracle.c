#include "tests/oracle.h"

enum { MAX_KEPT = 8192, MAX_ARRAYS = 512 };

static rein_tensor *kept[MAX_KEPT];
static int n_kept;
static void *arrays[MAX_ARRAYS];
static int n_arrays;
static char case_name[64], case_text[256];
static uint64_t case_seed;
static rein_torch_dtype precision = REIN_TORCH_F64;

/* --- cases ------------------------------------------------------------------------------------ */

void o_fail(const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fail_msg("%s: %s\n  case: %s\n  alone: REIN_ORACLE_SEED=%llu REIN_ORACLE_CASES=1", case_name,
             text, case_text, (unsigned long long)case_seed);
}

void o_ok(rein_status status)
{
    if (status != REIN_OK) o_fail("%s", rein_error_message());
}

void o_say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(case_text, sizeof case_text, format, list);
    va_end(list);
}

static void release(void)
{
    while (n_kept > 0) rein_tensor_free(kept[--n_kept]);
    while (n_arrays > 0) free(arrays[--n_arrays]);
}

static uint64_t wish(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

void o_cases(const char *name, int n, void (*body)(rein_rng *rng))
{
    const uint64_t first = wish("REIN_ORACLE_SEED", 1);
    const uint64_t count = wish("REIN_ORACLE_CASES", (uint64_t)n);
    int64_t live = -1;
    release(); /* of a case that failed */
    o_ok(rein_torch_n_live(&live));
    snprintf(case_name, sizeof case_name, "%s", name);
    for (uint64_t i = 0; i < count; i++) {
        rein_rng rng = rein_rng_stream(first + i, REIN_RNG_TEST, 0, 0);
        case_seed = first + i;
        case_text[0] = '\0';
        precision = REIN_TORCH_F64;
        body(&rng);
        release();
    }
    int64_t after = -1;
    o_ok(rein_torch_n_live(&after));
    assert_int_equal(after, live);
    print_message("%s: %llu cases from seed %llu\n", name, (unsigned long long)count,
                  (unsigned long long)first);
}

/* --- arrays and random numbers ---------------------------------------------------------------- */

void *o_bytes(size_t n)
{
    assert_true(n_arrays < MAX_ARRAYS);
    const size_t size = (n + 64) / 64 * 64;
    void *out = aligned_alloc(64, size);
    assert_non_null(out);
    memset(out, 0, size);
    return arrays[n_arrays++] = out;
}

float *o_floats(size_t n)
{
    float *out = o_bytes(n * sizeof *out);
    for (size_t i = 0; i < n; i++) out[i] = NAN;
    return out;
}

float *o_normals(rein_rng *rng, size_t n, double scale)
{
    float *out = o_floats(n);
    for (size_t i = 0; i < n; i++) out[i] = (float)(scale * rein_rng_normal(rng));
    return out;
}

int o_int(rein_rng *rng, int low, int high)
{
    return low + (int)rein_rng_below(rng, (uint32_t)(high - low + 1));
}

bool o_chance(rein_rng *rng, double chance)
{
    return rein_rng_uniform(rng) < chance;
}

double o_log_uniform(rein_rng *rng, double low, double high)
{
    return exp(rein_rng_uniform_in(rng, log(low), log(high)));
}

/* --- tensors ---------------------------------------------------------------------------------- */

rein_tensor *o_keep(rein_tensor *t)
{
    assert_true(n_kept < MAX_KEPT);
    return kept[n_kept++] = t;
}

static rein_tensor *of(rein_torch_dtype type, const void *values, const int64_t *shape, int n_dims)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_from_data(type, REIN_TORCH_CPU, shape, n_dims, values, &t));
    return o_keep(t);
}

static rein_tensor *to(const rein_tensor *a, rein_torch_dtype type)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_to(a, type, REIN_TORCH_CPU, &t));
    return o_keep(t);
}

void o_precision(rein_torch_dtype type)
{
    precision = type;
}

rein_tensor *o_const(const float *values, const int64_t *shape, int n_dims)
{
    return to(of(REIN_TORCH_F32, values, shape, n_dims), precision);
}

rein_tensor *o_leaf(const float *values, const int64_t *shape, int n_dims)
{
    rein_tensor *t = o_const(values, shape, n_dims);
    o_ok(rein_tensor_require_grad(t, true));
    return t;
}

rein_tensor *o_scalar(double value)
{
    return to(of(REIN_TORCH_F64, &value, NULL, 0), precision);
}

rein_tensor *o_index(const int32_t *values, int n)
{
    rein_tensor *t = NULL;
    o_ok(
        rein_tensor_to(of(REIN_TORCH_I32, values, O_SHAPE(n)), REIN_TORCH_I64, REIN_TORCH_CPU, &t));
    return o_keep(t);
}

rein_tensor *o_mask(const uint8_t *values, const int64_t *shape, int n_dims)
{
    return of(REIN_TORCH_BOOL, values, shape, n_dims);
}

rein_tensor *o_bytes_const(const uint8_t *values, const int64_t *shape, int n)
{
    return to(of(REIN_TORCH_U8, values, shape, n), precision);
}

#define X(name)                                                                                    \
    rein_tensor *o_##name(const rein_tensor *a)                                                    \
    {                                                                                              \
        rein_tensor *t = NULL;                                                                     \
        o_ok(rein_tensor_##name(a, &t));                                                           \
        return o_keep(t);                                                                          \
    }
O_ONE(X)
#undef X
#define X(name)                                                                                    \
    rein_tensor *o_##name(const rein_tensor *a, const rein_tensor *b)                              \
    {                                                                                              \
        rein_tensor *t = NULL;                                                                     \
        o_ok(rein_tensor_##name(a, b, &t));                                                        \
        return o_keep(t);                                                                          \
    }
O_TWO(X)
#undef X

rein_tensor *o_plus(const rein_tensor *a, double value)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_add_scalar(a, value, &t));
    return o_keep(t);
}

rein_tensor *o_times(const rein_tensor *a, double value)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_mul_scalar(a, value, &t));
    return o_keep(t);
}

rein_tensor *o_clamp(const rein_tensor *a, double low, double high)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_clamp(a, low, high, &t));
    return o_keep(t);
}

rein_tensor *o_view(const rein_tensor *a, const int64_t *shape, int n_dims)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_reshape(a, shape, n_dims, &t));
    return o_keep(t);
}

rein_tensor *o_permute(const rein_tensor *a, const int64_t *dims, int n_dims)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_permute(a, dims, n_dims, &t));
    return o_keep(t);
}

rein_tensor *o_sum(const rein_tensor *a, const int64_t *dims, int n_dims)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_sum(a, dims, n_dims, false, &t));
    return o_keep(t);
}

rein_tensor *o_total(const rein_tensor *a)
{
    return o_sum(a, NULL, 0);
}

rein_tensor *o_mean(const rein_tensor *a)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_mean(a, NULL, 0, false, &t));
    return o_keep(t);
}

rein_tensor *o_narrow(const rein_tensor *a, int dim, int64_t start, int64_t length)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_narrow(a, dim, start, length, &t));
    return o_keep(t);
}

rein_tensor *o_select(const rein_tensor *a, int dim, int64_t index)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_select(a, dim, index, &t));
    return o_keep(t);
}

rein_tensor *o_pick(const rein_tensor *a, const rein_tensor *index)
{
    rein_tensor *column = NULL, *t = NULL;
    o_ok(rein_tensor_unsqueeze(index, 1, &column));
    o_keep(column);
    o_ok(rein_tensor_gather(a, 1, column, &t));
    return O_VIEW(o_keep(t), -1);
}

double o_item(const rein_tensor *a)
{
    double value = NAN;
    o_ok(rein_tensor_item(a, &value));
    return value;
}

double o_largest(const rein_tensor *a)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_max(O_VIEW(o_abs(o_detach(a)), -1), 0, false, &t, NULL));
    return o_item(o_keep(t));
}

double o_smallest(const rein_tensor *a)
{
    rein_tensor *t = NULL;
    o_ok(rein_tensor_min(O_VIEW(o_abs(o_detach(a)), -1), 0, false, &t, NULL));
    return o_item(o_keep(t));
}

void o_backward(const rein_tensor *y, const rein_tensor *dy)
{
    o_ok(rein_tensor_backward(y, dy, false));
}

rein_tensor *o_grad(const rein_tensor *leaf)
{
    rein_tensor *t = NULL;
    const rein_status status = rein_tensor_grad(leaf, &t);
    if (status == REIN_EEMPTY) return o_times(o_detach(leaf), 0);
    o_ok(status);
    return o_keep(t);
}

/* --- comparison ------------------------------------------------------------------------------- */

/* Freed by the caller. */
static double *numbers(const rein_tensor *a, int64_t *n, double *largest)
{
    o_ok(rein_tensor_numel(a, n));
    const size_t bytes = (size_t)*n * sizeof(double);
    double *out = malloc(bytes + 1);
    assert_non_null(out);
    o_ok(rein_tensor_read(to(a, REIN_TORCH_F64), out, bytes));
    *largest = 0;
    for (int64_t i = 0; i < *n; i++) *largest = fmax(*largest, fabs(out[i]));
    return out;
}

static void close_within(const char *what, const float *got, const double *want, int64_t n,
                         double largest, double allowed)
{
    for (int64_t i = 0; i < n; i++) {
        if (fabs((double)got[i] - want[i]) <= allowed) continue;
        o_fail("%s[%lld of %lld] is %.9g, not %.9g: off by %.2g of the largest entry %.3g", what,
               (long long)i, (long long)n, (double)got[i], want[i],
               fabs((double)got[i] - want[i]) / largest, largest);
    }
}

void o_close_but(const char *what, const float *got, const rein_tensor *wanted, double rounding)
{
    int64_t n;
    double largest, *want = numbers(wanted, &n, &largest);
    close_within(what, got, want, n, largest, 1e-5 * largest + rounding);
    free(want);
}

void o_close_like(const char *what, const float *got, const rein_tensor *wanted,
                  const rein_tensor *twin)
{
    int64_t n, n_twin;
    double largest, unused, off = 0;
    double *want = numbers(wanted, &n, &largest), *other = numbers(twin, &n_twin, &unused);
    assert_int_equal(n, n_twin);
    for (int64_t i = 0; i < n; i++) off = fmax(off, fabs(other[i] - want[i]));
    close_within(what, got, want, n, largest, fmax(1e-5 * largest, 4 * off));
    free(want), free(other);
}

void o_close(const char *what, const float *got, const rein_tensor *wanted)
{
    o_close_but(what, got, wanted, 0);
}

void o_close_number(const char *what, double got, double wanted, double rounding)
{
    if (fabs(got - wanted) <= 1e-5 * fabs(wanted) + rounding) return;
    o_fail("%s is %.9g, not %.9g", what, got, wanted);
}
