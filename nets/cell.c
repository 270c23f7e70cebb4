#include "nets/cell.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "nets/engine.h"

enum { MAX_HIDDEN = 1 << 16, MAX_IN = 1 << 20 };

rein_status rein_cell_create(const rein_cell_spec *spec, rein_cell **out)
{
    *out = NULL;
    if ((int)spec->kind < REIN_LSTM || spec->kind > REIN_GRU) {
        return rein_fail(REIN_EINVAL, "cell %d is not one of " REIN_CELL_WORDS, (int)spec->kind);
    }
    if (spec->n_in < 1 || spec->n_in > MAX_IN || spec->n_hidden < 1 ||
        spec->n_hidden > MAX_HIDDEN) {
        return rein_fail(REIN_EINVAL,
                         "a cell of %d inputs and %d units: 1 to %d and 1 to %d are possible",
                         spec->n_in, spec->n_hidden, MAX_IN, MAX_HIDDEN);
    }
    const bool on_gpu = spec->device != REIN_NET_CPU && spec->engine == REIN_ENGINE_AUTO;
    const rein_engine *engine = rein_engine_at(on_gpu ? REIN_ENGINE_TORCH : spec->engine);
    if (!engine) {
        return rein_fail(REIN_EINVAL, "engine %d is not one of " REIN_ENGINE_WORDS,
                         (int)spec->engine);
    }
    rein_cell base = {.engine = engine->cells, .spec = *spec};
    base.gates = (spec->kind == REIN_LSTM ? 4 : 3) * spec->n_hidden;
    const size_t g = (size_t)base.gates, n = (size_t)spec->n_in, h = (size_t)spec->n_hidden;
    base.hh_at = g * n;
    base.ih_bias_at = base.hh_at + g * h;
    base.hh_bias_at = base.ih_bias_at + g;
    base.n_params = base.hh_bias_at + g;
    return engine->cells->create(&base, out);
}

void rein_cell_free(rein_cell *cell)
{
    if (cell) cell->engine->free(cell);
}

size_t rein_cell_n_params(const rein_cell *cell)
{
    return cell->n_params;
}

size_t rein_cell_n_packed(const rein_cell *cell)
{
    return cell->n_packed;
}

int rein_cell_n_state(const rein_cell *cell)
{
    return cell->spec.kind == REIN_LSTM ? 2 * cell->spec.n_hidden : cell->spec.n_hidden;
}

rein_status rein_cell_init(const rein_cell *cell, int horizon, rein_rng *rng, float *params)
{
    memset(params + cell->ih_bias_at, 0, 2 * (size_t)cell->gates * sizeof *params);
    REIN_TRY(rein_draw_orthogonal(cell->gates, cell->spec.n_in, 1, rng, params));
    REIN_TRY(rein_draw_orthogonal(cell->gates, cell->spec.n_hidden, 1, rng, params + cell->hh_at));
    if (horizon <= 2) return REIN_OK;
    const int h = cell->spec.n_hidden;
    float *bias = params + cell->ih_bias_at;
    for (int j = 0; j < h; j++) {
        const float b = (float)log(rein_rng_uniform_in(rng, 1, horizon - 1));
        bias[h + j] = b;                                /* f or z */
        if (cell->spec.kind == REIN_LSTM) bias[j] = -b; /* i */
    }
    return REIN_OK;
}

void rein_cell_pack(const rein_cell *cell, const float *params, float *packed)
{
    cell->engine->pack(cell, params, packed);
}

rein_status rein_cell_workspace_create(const rein_cell *cell, int max_steps, int max_rows,
                                       rein_cell_workspace **out)
{
    *out = NULL;
    if (max_steps < 1 || max_rows < 1 || (double)max_steps * max_rows * cell->gates > 0x1p40) {
        return rein_fail(REIN_EINVAL, "a workspace for %d steps of %d rows", max_steps, max_rows);
    }
    REIN_TRY(cell->engine->workspace_create(cell, max_steps, max_rows, out));
    (*out)->engine = cell->engine;
    return REIN_OK;
}

void rein_cell_workspace_free(rein_cell_workspace *workspace)
{
    if (workspace) workspace->engine->workspace_free(workspace);
}

rein_status rein_cell_forward(const rein_cell *cell, const float *params, const float *packed,
                              rein_cell_workspace *workspace, const float *x, const uint8_t *start,
                              int n_steps, int rows, float *state, float *y)
{
    return cell->engine->forward(cell, params, packed, workspace, x, start, n_steps, rows, state,
                                 y);
}

rein_status rein_cell_backward(const rein_cell *cell, const float *params,
                               rein_cell_workspace *workspace, const float *dy, float *grad,
                               float *dx, float *dstate)
{
    return cell->engine->backward(cell, params, workspace, dy, grad, dx, dstate);
}

void rein_cell_products(const rein_cell *cell, const float *params, const float *packed,
                        rein_cell_workspace *workspace, const float *x, int n_steps, int rows,
                        float *grad, float *dx)
{
    if (!cell->engine->products) return;
    cell->engine->products(cell, params, packed, workspace, x, n_steps, rows, grad, dx);
}
