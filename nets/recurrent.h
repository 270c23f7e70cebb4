/* A network with memory: one of nets/net.h with a recurrent cell before its last layer.
 *
 *     e[t] = the layers before the cell (x[t]);  none: e[t] = x[t]
 *     h[t] = cell(e[t], state)                                nets/cell.h
 *     y[t] = W h[t] + b
 *
 * Parameters lie as those of any layers do (nets/layers.h). Otherwise as nets/net.h: pure
 * functions, a workspace belongs to one thread, nothing but create functions allocates. */
#ifndef REIN_NETS_RECURRENT_H
#define REIN_NETS_RECURRENT_H

#include <stdbool.h>

#include "nets/cell.h"
#include "nets/net.h"

typedef struct rein_recurrent rein_recurrent;
typedef struct rein_recurrent_workspace rein_recurrent_workspace;

/* Are the last two layers a cell (lstm or gru) and a linear one? */
bool rein_recurrent_is(const rein_net_spec *spec);

/* Errors: those of rein_net_create; REIN_EINVAL when the spec has no cell. */
rein_status rein_recurrent_create(const rein_net_spec *spec, rein_recurrent **out);
void rein_recurrent_free(rein_recurrent *net); /* NULL: does nothing */

size_t rein_recurrent_n_params(const rein_recurrent *net); /* P */
size_t rein_recurrent_n_packed(const rein_recurrent *net);
int rein_recurrent_n_state(const rein_recurrent *net); /* S: floats of a row's state; 0 to begin */

/* Draw initial parameters: layers as rein_net_init, the cell as rein_cell_init.
 * Allocates: scratch. Errors: REIN_ENOMEM. */
rein_status rein_recurrent_init(const rein_recurrent *net, rein_init init, double gain_hidden,
                                double gain_out, int horizon, rein_rng *rng, float *params);
void rein_recurrent_pack(const rein_recurrent *net, const float *params, float *packed);

/* Scratch for sequences of up to max_steps x max_rows. Errors: REIN_EINVAL, REIN_ENOMEM. */
rein_status rein_recurrent_workspace_create(const rein_recurrent *net, int max_steps, int max_rows,
                                            rein_recurrent_workspace **out);
void rein_recurrent_workspace_free(rein_recurrent_workspace *workspace); /* NULL: does nothing */

/* All steps of some rows; one step for acting is n_steps = 1.
 *   x      in   [T, rows, n_in]; must stay unchanged until backward is done
 *   start  in   [T, rows] 1: the state is zeroed before this step; NULL: nowhere
 *   state  io   [rows, S] before the first step; becomes that behind the last
 *   y      out  [T, rows, n_out]
 * Errors: as rein_net_forward. */
rein_status rein_recurrent_forward(const rein_recurrent *net, const float *params,
                                   const float *packed, rein_recurrent_workspace *workspace,
                                   const float *x, const uint8_t *start, int n_steps, int rows,
                                   float *state, float *y);

/* Gradient of sum(dy * y) of the last forward, back through all of its steps (not beyond the first:
 * truncated there). Once per forward.
 *   dy    in   [T, rows, n_out]
 *   grad  out  [P], overwritten
 * Errors: as rein_net_forward. */
rein_status rein_recurrent_backward(const rein_recurrent *net, const float *params,
                                    const float *packed, rein_recurrent_workspace *workspace,
                                    const float *dy, float *grad);

/* The matrix products of one forward and one backward and nothing else: see rein_net_products.
 *   y  out  [T, rows, n_out];  grad  out  [P] */
void rein_recurrent_products(const rein_recurrent *net, const float *params, const float *packed,
                             rein_recurrent_workspace *workspace, const float *x, int n_steps,
                             int rows, float *y, float *grad);

#endif
