/* LSTM and GRU of nets/cell.h by libtorch. A sequence is cut where any row's state is zeroed; each
 * piece is one call. */
#include <stdlib.h>
#include <string.h>

#include "nets/torch/engine.h"

enum { N_LEAVES = 4 };

typedef struct torch_cell {
    rein_cell base;
    rein_torch_slice slices[N_LEAVES]; /* weight_ih, weight_hh, bias_ih, bias_hh */
} torch_cell;

typedef struct torch_cell_workspace {
    rein_cell_workspace base;
    const torch_cell *cell;
    rein_torch_leaves leaves;
    int n_steps, rows;                 /* of the last forward */
    float *keep;                       /* [max_rows] 0 where the state is zeroed, else 1 */
    rein_tensor **pieces;              /* [max_steps] outputs */
    rein_tensor *wanted[N_LEAVES + 2]; /* leaves, then x, then the state: borrowed handles */
    rein_tensor *x, *state, *y;        /* graph of the last forward */
} torch_cell_workspace;

static rein_status cell_create(const rein_cell *base, rein_cell **out)
{
    const int64_t g = base->gates, n = base->spec.n_in, h = base->spec.n_hidden;
    REIN_TRY(rein_torch_engine_ready(base->spec.device));
    torch_cell *cell = calloc(1, sizeof *cell);
    if (!cell) return rein_fail(REIN_ENOMEM, "no memory for a cell");
    cell->base = *base;
    cell->slices[0] = (rein_torch_slice){0, (size_t)(g * n), 2, {g, n}};
    cell->slices[1] = (rein_torch_slice){base->hh_at, (size_t)(g * h), 2, {g, h}};
    cell->slices[2] = (rein_torch_slice){base->ih_bias_at, (size_t)g, 1, {g}};
    cell->slices[3] = (rein_torch_slice){base->hh_bias_at, (size_t)g, 1, {g}};
    cell->base.n_packed = base->spec.device == REIN_NET_CPU ? 0 : REIN_TORCH_PACKED;
    *out = &cell->base;
    return REIN_OK;
}

static void cell_free(rein_cell *cell)
{
    free(cell);
}

static void cell_pack(const rein_cell *cell, const float *params, float *packed)
{
    (void)params;
    if (cell->n_packed > 0) rein_torch_mark(packed);
}

static void drop(rein_tensor **t)
{
    rein_tensor_free(*t);
    *t = NULL;
}

static void forget(torch_cell_workspace *w)
{
    drop(&w->y);
    drop(&w->state);
    drop(&w->x);
}

static void cell_workspace_free(rein_cell_workspace *base)
{
    torch_cell_workspace *w = (torch_cell_workspace *)base;
    forget(w);
    rein_torch_leaves_free(&w->leaves);
    free(w->pieces);
    free(w->keep);
    free(w);
}

static rein_status cell_workspace_create(const rein_cell *cell, int max_steps, int max_rows,
                                         rein_cell_workspace **out)
{
    torch_cell_workspace *w = calloc(1, sizeof *w);
    if (!w) return rein_fail(REIN_ENOMEM, "no memory for a workspace");
    w->cell = (const torch_cell *)cell;
    w->keep = calloc((size_t)max_rows, sizeof *w->keep);
    w->pieces = calloc((size_t)max_steps, sizeof *w->pieces);
    rein_status status = rein_torch_leaves_create(N_LEAVES, &w->leaves);
    if (!w->keep || !w->pieces) status = rein_fail(REIN_ENOMEM, "no memory for a workspace");
    if (status != REIN_OK) {
        cell_workspace_free(&w->base);
        return status;
    }
    *out = &w->base;
    return REIN_OK;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* Columns [from, from + H) of a state [rows, S] as [1, rows, H]. */
static rein_status state_part(const rein_tensor *state, int64_t from, int64_t h, rein_tensor **out)
{
    rein_tensor *part = NULL, *whole = NULL;
    rein_status status = rein_tensor_narrow(state, 1, from, h, &part);
    if (status == REIN_OK) status = rein_tensor_contiguous(part, &whole);
    if (status == REIN_OK) status = rein_tensor_unsqueeze(whole, 0, out);
    rein_tensor_free(whole);
    rein_tensor_free(part);
    return status;
}

/* *t *= keep [rows, 1], where it is not all ones. */
static rein_status zero_rows(const rein_tensor *keep, rein_tensor **t)
{
    rein_tensor *next = NULL;
    REIN_TRY(rein_tensor_mul(*t, keep, &next));
    drop(t);
    *t = next;
    return REIN_OK;
}

/* Length of the piece from step t, and which rows it begins afresh. Returns whether any. */
static bool piece_at(torch_cell_workspace *w, const uint8_t *start, int t, int n_steps, int rows,
                     int *length)
{
    bool any = false, next = false;
    for (int i = 0; i < rows; i++) {
        const bool fresh = start && start[(size_t)t * (size_t)rows + (size_t)i];
        w->keep[i] = fresh ? 0 : 1;
        any |= fresh;
    }
    int end = t + 1;
    for (; end < n_steps; end++) {
        for (int i = 0; i < rows && start; i++)
            next |= start[(size_t)end * (size_t)rows + (size_t)i];
        if (next) break;
    }
    *length = end - t;
    return any;
}

/* One piece: y [length, rows, H] from x; *h and *c become the state behind it. */
static rein_status run_piece(torch_cell_workspace *w, rein_tensor *const *leaf, int t, int length,
                             rein_tensor **h, rein_tensor **c, rein_tensor **y)
{
    rein_tensor *x = NULL, *h_next = NULL, *c_next = NULL;
    REIN_TRY(rein_tensor_narrow(w->x, 0, t, length, &x));
    rein_status status = *c ? rein_tensor_lstm(x, *h, *c, leaf, 1, y, &h_next, &c_next)
                            : rein_tensor_gru(x, *h, leaf, 1, y, &h_next);
    rein_tensor_free(x);
    if (status != REIN_OK) return status;
    drop(h);
    *h = h_next;
    if (!*c) return REIN_OK;
    drop(c);
    *c = c_next;
    return REIN_OK;
}

/* All pieces into w->pieces [*n_pieces]. */
static rein_status run_pieces(torch_cell_workspace *w, rein_tensor *const *leaf,
                              const uint8_t *start, int *n_pieces, rein_tensor **h, rein_tensor **c)
{
    const rein_net_device device = w->cell->base.spec.device;
    for (int t = 0, length; t < w->n_steps; t += length) {
        if (piece_at(w, start, t, w->n_steps, w->rows, &length)) {
            const int64_t shape[] = {w->rows, 1};
            rein_tensor *keep = NULL, *copy = NULL;
            rein_status status = rein_torch_place(device, shape, 2, w->keep, &keep);
            /* the graph reads it again, when w->keep is already another piece's */
            if (status == REIN_OK) status = rein_tensor_clone(keep, &copy);
            if (status == REIN_OK) status = zero_rows(copy, h);
            if (status == REIN_OK && *c) status = zero_rows(copy, c);
            rein_tensor_free(copy);
            rein_tensor_free(keep);
            REIN_TRY(status);
        }
        REIN_TRY(run_piece(w, leaf, t, length, h, c, &w->pieces[*n_pieces]));
        ++*n_pieces;
    }
    return REIN_OK;
}

static rein_status fetch_state(const rein_tensor *h, const rein_tensor *c, int rows, size_t size,
                               float *state)
{
    const rein_tensor *const joined[] = {h, c};
    rein_tensor *both = NULL;
    if (!c) return rein_torch_fetch(h, (size_t)rows * size, state);
    rein_tensor *parts[2];
    memcpy(parts, joined, sizeof parts);
    REIN_TRY(rein_tensor_cat(parts, 2, -1, &both));
    rein_status status = rein_torch_fetch(both, 2 * (size_t)rows * size, state);
    rein_tensor_free(both);
    return status;
}

static rein_status cell_forward(const rein_cell *cell, const float *params, const float *packed,
                                rein_cell_workspace *workspace, const float *x,
                                const uint8_t *start, int n_steps, int rows, float *state, float *y)
{
    torch_cell_workspace *w = (torch_cell_workspace *)workspace;
    const torch_cell *own = (const torch_cell *)cell;
    const rein_net_device device = cell->spec.device;
    const int64_t h_size = cell->spec.n_hidden, n_state = rein_cell_n_state(cell);
    const int64_t x_shape[] = {n_steps, rows, cell->spec.n_in}, state_shape[] = {rows, n_state};
    rein_tensor **leaf = NULL, *h = NULL, *c = NULL, *given = NULL;
    int n_pieces = 0;
    forget(w);
    w->n_steps = n_steps;
    w->rows = rows;
    if (n_steps == 0 || rows == 0) return REIN_OK;
    REIN_TRY(rein_torch_leaves_of(&w->leaves, own->slices, device, params, packed, &leaf));
    REIN_TRY(rein_torch_place(device, x_shape, 3, x, &w->x));
    REIN_TRY(rein_tensor_require_grad(w->x, true));
    REIN_TRY(rein_torch_place(device, state_shape, 2, state, &given));
    rein_status status = rein_tensor_clone(given, &w->state); /* the caller's becomes the last */
    rein_tensor_free(given);
    REIN_TRY(status);
    REIN_TRY(rein_tensor_require_grad(w->state, true));
    memcpy(w->wanted, leaf, N_LEAVES * sizeof *leaf);
    w->wanted[N_LEAVES] = w->x;
    w->wanted[N_LEAVES + 1] = w->state;

    status = state_part(w->state, 0, h_size, &h);
    if (status == REIN_OK && n_state > h_size) status = state_part(w->state, h_size, h_size, &c);
    if (status == REIN_OK) status = run_pieces(w, leaf, start, &n_pieces, &h, &c);
    if (status == REIN_OK) status = rein_tensor_cat(w->pieces, n_pieces, 0, &w->y);
    if (status == REIN_OK) {
        status = rein_torch_fetch(w->y, (size_t)n_steps * (size_t)rows * (size_t)h_size, y);
    }
    if (status == REIN_OK) status = fetch_state(h, c, rows, (size_t)h_size, state);
    for (int i = 0; i < n_pieces; i++) drop(&w->pieces[i]);
    rein_tensor_free(h);
    rein_tensor_free(c);
    if (status != REIN_OK) forget(w);
    return status;
}

/* ---- backward -------------------------------------------------------------------------------- */

static rein_status cell_backward(const rein_cell *cell, const float *params,
                                 rein_cell_workspace *workspace, const float *dy, float *grad,
                                 float *dx, float *dstate)
{
    (void)params;
    torch_cell_workspace *w = (torch_cell_workspace *)workspace;
    const torch_cell *own = (const torch_cell *)cell;
    const size_t steps = (size_t)w->n_steps, rows = (size_t)w->rows;
    const int64_t shape[] = {w->n_steps, w->rows, cell->spec.n_hidden};
    rein_tensor *found[N_LEAVES + 2] = {NULL};
    if (!w->y) {
        memset(grad, 0, cell->n_params * sizeof *grad);
        return REIN_OK;
    }
    const int n = N_LEAVES + (dstate ? 2 : dx ? 1 : 0);
    rein_status status =
        rein_torch_back(cell->spec.device, w->y, shape, 3, dy, w->wanted, n, found);
    for (int i = 0; i < N_LEAVES && status == REIN_OK; i++) {
        status = rein_torch_fetch(found[i], own->slices[i].numel, grad + own->slices[i].at);
    }
    if (dx && status == REIN_OK) {
        status = rein_torch_fetch(found[N_LEAVES], steps * rows * (size_t)cell->spec.n_in, dx);
    }
    if (dstate && status == REIN_OK) {
        status =
            rein_torch_fetch(found[N_LEAVES + 1], rows * (size_t)rein_cell_n_state(cell), dstate);
    }
    for (int i = 0; i < n; i++) rein_tensor_free(found[i]);
    forget(w); /* the graph is spent */
    return status;
}

const rein_cell_engine rein_cells_torch = {
    .create = cell_create,
    .free = cell_free,
    .pack = cell_pack,
    .workspace_create = cell_workspace_create,
    .workspace_free = cell_workspace_free,
    .forward = cell_forward,
    .backward = cell_backward,
};
