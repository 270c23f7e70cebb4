/* LSTM and GRU on matrix kernels. Forward: the input's part of all gates for all steps at once,
 * then step by step the state's part and one pass over the gates. Backward: step by step one pass
 * over the gates and the product that carries the gradient to the state before; the gradients of
 * weights and inputs for all steps at once behind it.
 *
 * `packed` holds weight_ih^T [I, GH], weight_hh^T [H, GH] and the bias [GH] of the input's part:
 * bias_ih + bias_hh, but bias_ih alone for the GRU's n, whose bias_hh [H] follows. */
#include "nets/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nets/activation.h"
#include "nets/gemm.h"
#include "nets/simd.h"
#include "nets/tanh.h"
#include "nets/transpose.h"

typedef struct native_cell {
    rein_cell base;
    size_t packed_hh_at, packed_bias_at, packed_n_bias_at;
} native_cell;

typedef struct native_cell_workspace {
    rein_cell_workspace base;
    int max_steps, max_rows;
    int n_steps, rows;  /* of the last forward */
    const float *x;     /* [T, rows, I] of the last forward */
    float *gates;       /* [T, rows, GH] activated; backward: by the input's part of the gates */
    float *by_state;    /* the state's part. LSTM: [rows, GH] scratch; GRU: [T, rows, GH] kept;
                           backward: gradient by it */
    float *h_in, *c_in; /* [T, rows, H] state that each step began with; c_in LSTM only */
    float *tanh_c;      /* [T, rows, H] LSTM */
    float *keep;        /* [T, rows] 0 where the state was zeroed before the step, else 1 */
    float *h, *c;       /* [rows, H] state behind the last step, and gradient by it */
    float *dh_next;     /* [rows, H] product of backward */
    float *memory;      /* all of the above */
    rein_gemm_plan input, state; /* forward: x weight_ih^T, h weight_hh^T */
    rein_gemm_plan dx, dh;       /* dgates weight_ih, dgates weight_hh */
    rein_gemm_plan dw_ih, dw_hh; /* dgates^T x, dgates^T h_in */
} native_cell_workspace;

static size_t aligned(size_t n)
{
    return (n + 15) / 16 * 16;
}

static rein_status cell_create(const rein_cell *base, rein_cell **out)
{
    native_cell *cell = calloc(1, sizeof *cell);
    if (!cell) return rein_fail(REIN_ENOMEM, "no memory for a cell");
    const size_t g = (size_t)base->gates, n = (size_t)base->spec.n_in;
    const size_t h = (size_t)base->spec.n_hidden;
    cell->base = *base;
    cell->packed_hh_at = aligned(g * n);
    cell->packed_bias_at = cell->packed_hh_at + aligned(g * h);
    cell->packed_n_bias_at = cell->packed_bias_at + aligned(g);
    cell->base.n_packed = cell->packed_n_bias_at + aligned(h);
    *out = &cell->base;
    return REIN_OK;
}

static void cell_free(rein_cell *cell)
{
    free(cell);
}

static void cell_pack(const rein_cell *cell, const float *params, float *packed)
{
    const native_cell *own = (const native_cell *)cell;
    const int g = cell->gates, h = cell->spec.n_hidden;
    const int joined = cell->spec.kind == REIN_LSTM ? g : 2 * h;
    const float *ih = params + cell->ih_bias_at, *hh = params + cell->hh_bias_at;
    float *bias = packed + own->packed_bias_at;
    rein_transpose(g, cell->spec.n_in, params, packed);
    rein_transpose(g, h, params + cell->hh_at, packed + own->packed_hh_at);
    for (int j = 0; j < g; j++) bias[j] = j < joined ? ih[j] + hh[j] : ih[j];
    for (int j = joined; j < g; j++) packed[own->packed_n_bias_at + (size_t)(j - joined)] = hh[j];
}

/* ---- workspace ------------------------------------------------------------------------------- */

static rein_status workspace_memory(const rein_cell *cell, native_cell_workspace *w)
{
    const bool lstm = cell->spec.kind == REIN_LSTM;
    const size_t rows = (size_t)w->max_rows, all = rows * (size_t)w->max_steps;
    const size_t g = (size_t)cell->gates, h = (size_t)cell->spec.n_hidden;
    const struct {
        float **at;
        size_t n;
    } arrays[] = {
        {&w->gates, all * g},
        {&w->by_state, (lstm ? rows : all) * g},
        {&w->h_in, all * h},
        {&w->c_in, lstm ? all * h : 0},
        {&w->tanh_c, lstm ? all * h : 0},
        {&w->keep, all},
        {&w->h, rows * h},
        {&w->c, rows * h},
        {&w->dh_next, rows * h},
    };
    enum { N_ARRAYS = sizeof arrays / sizeof arrays[0] };
    size_t size = 0;
    for (int i = 0; i < N_ARRAYS; i++) size += aligned(arrays[i].n);
    w->memory = aligned_alloc(64, sizeof(float) * size);
    if (!w->memory) {
        return rein_fail(REIN_ENOMEM, "no memory for sequences of %d steps and %d rows",
                         w->max_steps, w->max_rows);
    }
    memset(w->memory, 0, sizeof(float) * size);
    float *next = w->memory;
    for (int i = 0; i < N_ARRAYS; i++) {
        *arrays[i].at = next;
        next += aligned(arrays[i].n);
    }
    return REIN_OK;
}

static rein_status cell_workspace_create(const rein_cell *cell, int max_steps, int max_rows,
                                         rein_cell_workspace **out)
{
    native_cell_workspace *w = calloc(1, sizeof *w);
    if (!w) return rein_fail(REIN_ENOMEM, "no memory for a workspace");
    w->max_steps = max_steps;
    w->max_rows = max_rows;
    rein_status status = workspace_memory(cell, w);
    if (status != REIN_OK) {
        free(w);
        return status;
    }
    const int g = cell->gates, h = cell->spec.n_hidden, n = cell->spec.n_in;
    const int64_t all64 = (int64_t)max_steps * max_rows;
    const int all = all64 < REIN_GEMM_ROWS ? (int)all64 : REIN_GEMM_ROWS;
    rein_gemm_prepare(&w->input, REIN_GEMM_ROWS_NN, all, n, g);
    rein_gemm_prepare(&w->state, REIN_GEMM_ROWS_NN, max_rows, h, g);
    rein_gemm_prepare(&w->dx, REIN_GEMM_ROWS_NN, all, g, n);
    rein_gemm_prepare(&w->dh, REIN_GEMM_ROWS_NN, max_rows, g, h);
    rein_gemm_prepare(&w->dw_ih, REIN_GEMM_ROWS_TN, all, g, n);
    rein_gemm_prepare(&w->dw_hh, REIN_GEMM_ROWS_TN, all, g, h);
    *out = &w->base;
    return REIN_OK;
}

static void cell_workspace_free(rein_cell_workspace *workspace)
{
    native_cell_workspace *w = (native_cell_workspace *)workspace;
    free(w->memory);
    free(w);
}

/* ---- passes over the gates of one step ------------------------------------------------------- */

static inline float sigmoid(float x)
{
    return 0.5f + 0.5f * rein_tanh(0.5f * x);
}

/* z [n, 4H] += by_state + bias, activated in place; new state h, c [n, H]. */
static REIN_CLONES void lstm_gates(int n, int size, const float *bias, const float *by_state,
                                   const float *c_in, float *restrict z, float *restrict tanh_c,
                                   float *restrict c, float *restrict h)
{
    for (int r = 0; r < n; r++) {
#pragma omp simd
        for (int j = 0; j < size; j++) {
            const float i = sigmoid(z[j] + by_state[j] + bias[j]);
            const float f = sigmoid(z[size + j] + by_state[size + j] + bias[size + j]);
            const float g =
                rein_tanh(z[2 * size + j] + by_state[2 * size + j] + bias[2 * size + j]);
            const float o = sigmoid(z[3 * size + j] + by_state[3 * size + j] + bias[3 * size + j]);
            const float next = f * c_in[j] + i * g, t = rein_tanh(next);
            z[j] = i, z[size + j] = f, z[2 * size + j] = g, z[3 * size + j] = o;
            c[j] = next;
            tanh_c[j] = t;
            h[j] = o * t;
        }
        z += 4 * size, by_state += 4 * size;
        c_in += size, c += size, tanh_c += size, h += size;
    }
}

/* gate [n, 4H] from activations to gradients before them; dc: by c' to by c. */
static REIN_CLONES void lstm_gates_back(int n, int size, const float *dy, const float *dh,
                                        const float *c_in, const float *tanh_c,
                                        float *restrict gate, float *restrict dc)
{
    for (int r = 0; r < n; r++) {
#pragma omp simd
        for (int j = 0; j < size; j++) {
            const float i = gate[j], f = gate[size + j], g = gate[2 * size + j];
            const float o = gate[3 * size + j], t = tanh_c[j], d = dy[j] + dh[j];
            const float e = dc[j] + d * o * (1.0f - t * t); /* by c' */
            gate[j] = e * g * i * (1.0f - i);
            gate[size + j] = e * c_in[j] * f * (1.0f - f);
            gate[2 * size + j] = e * i * (1.0f - g * g);
            gate[3 * size + j] = d * t * o * (1.0f - o);
            dc[j] = e * f;
        }
        gate += 4 * size;
        dy += size, dh += size, c_in += size, tanh_c += size, dc += size;
    }
}

/* The same of the GRU; by_state [n, 3H] keeps U h + b' of its n. */
static REIN_CLONES void gru_gates(int n, int size, const float *bias, const float *n_bias,
                                  const float *h_in, float *restrict by_state, float *restrict z,
                                  float *restrict h)
{
    for (int row = 0; row < n; row++) {
#pragma omp simd
        for (int j = 0; j < size; j++) {
            const float r = sigmoid(z[j] + by_state[j] + bias[j]);
            const float u = sigmoid(z[size + j] + by_state[size + j] + bias[size + j]);
            const float inner = by_state[2 * size + j] + n_bias[j];
            const float new = rein_tanh(z[2 * size + j] + bias[2 * size + j] + r * inner);
            by_state[2 * size + j] = inner;
            z[j] = r, z[size + j] = u, z[2 * size + j] = new;
            h[j] = (1.0f - u) * new + u *h_in[j];
        }
        z += 3 * size, by_state += 3 * size;
        h_in += size, h += size;
    }
}

/* gate and by_state [n, 3H] become gradients by the two parts of the gates; dh: by h' to the direct
 * share of h. */
static REIN_CLONES void gru_gates_back(int n, int size, const float *dy, const float *h_in,
                                       float *restrict gate, float *restrict by_state,
                                       float *restrict dh)
{
    for (int row = 0; row < n; row++) {
#pragma omp simd
        for (int j = 0; j < size; j++) {
            const float r = gate[j], u = gate[size + j], new = gate[2 * size + j];
            const float d = dy[j] + dh[j];
            const float dn = d * (1.0f - u) * (1.0f - new *new);
            const float dr = dn * by_state[2 * size + j] * r * (1.0f - r);
            const float du = d * (h_in[j] - new) * u * (1.0f - u);
            gate[j] = dr, gate[size + j] = du, gate[2 * size + j] = dn;
            by_state[j] = dr, by_state[size + j] = du, by_state[2 * size + j] = dn * r;
            dh[j] = d * u;
        }
        gate += 3 * size, by_state += 3 * size;
        dy += size, h_in += size, dh += size;
    }
}

/* y [n, H] = x with each row times its factor. */
static REIN_CLONES void scale_rows(int n, int size, const float *factor, const float *x, float *y)
{
    for (int r = 0; r < n; r++, x += size, y += size) {
        const float f = factor[r];
#pragma omp simd
        for (int j = 0; j < size; j++) y[j] = x[j] * f;
    }
}

static REIN_CLONES void add(size_t n, const float *x, float *y)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

/* ---- forward and backward -------------------------------------------------------------------- */

/* state [rows, S] to or from h, c [rows, H]. */
static void state_split(const rein_cell *cell, int rows, const float *state, float *h, float *c)
{
    const size_t size = (size_t)cell->spec.n_hidden, s = (size_t)rein_cell_n_state(cell);
    for (size_t r = 0; r < (size_t)rows; r++) {
        memcpy(h + r * size, state + r * s, size * sizeof *h);
        if (s > size) memcpy(c + r * size, state + r * s + size, size * sizeof *c);
    }
}

static void state_join(const rein_cell *cell, int rows, const float *h, const float *c,
                       float *state)
{
    const size_t size = (size_t)cell->spec.n_hidden, s = (size_t)rein_cell_n_state(cell);
    for (size_t r = 0; r < (size_t)rows; r++) {
        memcpy(state + r * s, h + r * size, size * sizeof *h);
        if (s > size) memcpy(state + r * s + size, c + r * size, size * sizeof *c);
    }
}

static rein_status cell_forward(const rein_cell *cell, const float *params, const float *packed,
                                rein_cell_workspace *workspace, const float *x,
                                const uint8_t *start, int n_steps, int rows, float *state, float *y)
{
    const native_cell *own = (const native_cell *)cell;
    native_cell_workspace *w = (native_cell_workspace *)workspace;
    (void)params;
    const bool lstm = cell->spec.kind == REIN_LSTM;
    const int size = cell->spec.n_hidden, all = n_steps * rows;
    const size_t step = (size_t)rows * (size_t)size, gates = (size_t)rows * (size_t)cell->gates;
    const float *bias = packed + own->packed_bias_at;
    w->x = x;
    w->n_steps = n_steps;
    w->rows = rows;
    for (int i = 0; i < all; i++) w->keep[i] = start && start[i] ? 0.0f : 1.0f;
    rein_gemm_run(&w->input, all, x, packed, w->gates);
    state_split(cell, rows, state, w->h, w->c);
    const float *h = w->h;
    for (int t = 0; t < n_steps; t++) {
        const size_t at = (size_t)t * step;
        const float *keep = w->keep + t * rows;
        float *z = w->gates + (size_t)t * gates;
        float *by_state = w->by_state + (lstm ? 0 : (size_t)t * gates);
        scale_rows(rows, size, keep, h, w->h_in + at);
        rein_gemm_run(&w->state, rows, w->h_in + at, packed + own->packed_hh_at, by_state);
        if (lstm) {
            scale_rows(rows, size, keep, w->c, w->c_in + at);
            lstm_gates(rows, size, bias, by_state, w->c_in + at, z, w->tanh_c + at, w->c, y + at);
        } else {
            gru_gates(rows, size, bias, packed + own->packed_n_bias_at, w->h_in + at, by_state, z,
                      y + at);
        }
        h = y + at;
    }
    state_join(cell, rows, h, w->c, state);
    return REIN_OK;
}

/* Gradients by weights and inputs from those by the gates of all steps. */
static void cell_weights(const rein_cell *cell, const float *params, native_cell_workspace *w,
                         float *grad, float *dx)
{
    const int all = w->n_steps * w->rows;
    const float *by_state = cell->spec.kind == REIN_LSTM ? w->gates : w->by_state;
    rein_gemm_run(&w->dw_ih, all, w->gates, w->x, grad);
    rein_gemm_run(&w->dw_hh, all, by_state, w->h_in, grad + cell->hh_at);
    if (dx) rein_gemm_run(&w->dx, all, w->gates, params, dx);
}

static rein_status cell_backward(const rein_cell *cell, const float *params,
                                 rein_cell_workspace *workspace, const float *dy, float *grad,
                                 float *dx, float *dstate)
{
    native_cell_workspace *w = (native_cell_workspace *)workspace;
    const bool lstm = cell->spec.kind == REIN_LSTM;
    const int size = cell->spec.n_hidden, rows = w->rows, all = w->n_steps * rows;
    const size_t step = (size_t)rows * (size_t)size, gates = (size_t)rows * (size_t)cell->gates;
    memset(w->h, 0, step * sizeof(float));
    memset(w->c, 0, step * sizeof(float));
    for (int t = w->n_steps - 1; t >= 0; t--) {
        const size_t at = (size_t)t * step;
        const float *keep = w->keep + t * rows;
        float *z = w->gates + (size_t)t * gates, *by_state = z;
        if (lstm) {
            lstm_gates_back(rows, size, dy + at, w->h, w->c_in + at, w->tanh_c + at, z, w->c);
        } else {
            by_state = w->by_state + (size_t)t * gates;
            gru_gates_back(rows, size, dy + at, w->h_in + at, z, by_state, w->h);
        }
        if (t == 0 && !dstate) break; /* nobody asks for what is before the first step */
        rein_gemm_run(&w->dh, rows, by_state, params + cell->hh_at, w->dh_next);
        if (lstm) {
            scale_rows(rows, size, keep, w->dh_next, w->h);
            scale_rows(rows, size, keep, w->c, w->c);
        } else {
            add(step, w->dh_next, w->h);
            scale_rows(rows, size, keep, w->h, w->h);
        }
    }
    if (dstate) state_join(cell, rows, w->h, w->c, dstate);
    cell_weights(cell, params, w, grad, dx);
    rein_column_sums(all, cell->gates, w->gates, grad + cell->ih_bias_at);
    if (lstm) {
        memcpy(grad + cell->hh_bias_at, grad + cell->ih_bias_at,
               (size_t)cell->gates * sizeof *grad);
    } else {
        rein_column_sums(all, cell->gates, w->by_state, grad + cell->hh_bias_at);
    }
    return REIN_OK;
}

static void cell_products(const rein_cell *cell, const float *params, const float *packed,
                          rein_cell_workspace *workspace, const float *x, int n_steps, int rows,
                          float *grad, float *dx)
{
    const native_cell *own = (const native_cell *)cell;
    native_cell_workspace *w = (native_cell_workspace *)workspace;
    const bool lstm = cell->spec.kind == REIN_LSTM;
    const size_t step = (size_t)rows * (size_t)cell->spec.n_hidden;
    const size_t gates = (size_t)rows * (size_t)cell->gates;
    w->x = x;
    w->n_steps = n_steps;
    w->rows = rows;
    rein_gemm_run(&w->input, n_steps * rows, x, packed, w->gates);
    for (int t = 0; t < n_steps; t++) {
        rein_gemm_run(&w->state, rows, w->h_in + (size_t)t * step, packed + own->packed_hh_at,
                      w->by_state + (lstm ? 0 : (size_t)t * gates));
    }
    for (int t = n_steps - 1; t > 0; t--) {
        rein_gemm_run(&w->dh, rows, w->gates + (size_t)t * gates, params + cell->hh_at, w->dh_next);
    }
    cell_weights(cell, params, w, grad, dx);
}

const rein_cell_engine rein_cells_native = {
    .create = cell_create,
    .free = cell_free,
    .pack = cell_pack,
    .workspace_create = cell_workspace_create,
    .workspace_free = cell_workspace_free,
    .forward = cell_forward,
    .backward = cell_backward,
    .products = cell_products,
};
