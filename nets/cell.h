/* Recurrent cells over sequences: pure functions over a flat parameter vector, as networks are
 * (nets/net.h). Parameters as torch.nn.LSTM and torch.nn.GRU have them:
 *
 *     weight_ih [G H, I], weight_hh [G H, H], bias_ih [G H], bias_hh [G H]
 *
 * LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000);
 * G = 4, gates in the order i f g o; a state is h [H] | c [H]:
 *     i, f, o = sigmoid(W x + b + U h + b')        g = tanh(W x + b + U h + b')
 *     c' = f c + i g                               h' = o tanh(c')
 * GRU (Cho et al. 2014, in torch's form); G = 3, gates in the order r z n; a state is h [H]:
 *     r, z = sigmoid(W x + b + U h + b')           n = tanh(W x + b + r (U h + b'))
 *     h' = (1 - z) n + z h
 *
 * Steps are the slowest index of a sequence: x [T, rows, I]. Rows are independent of one another.
 *
 * Thread-safety: a cell is immutable, a workspace belongs to one thread. Nothing but create
 * functions allocates. Same shape and numbers in, same bytes out. */
#ifndef REIN_NETS_CELL_H
#define REIN_NETS_CELL_H

#include <stddef.h>
#include <stdint.h>

#include "nets/net.h"

/* Words of config choices, in this order. */
#define REIN_CELL_WORDS "lstm|gru"
typedef enum rein_cell_kind { REIN_LSTM, REIN_GRU } rein_cell_kind;

typedef struct rein_cell_spec {
    rein_cell_kind kind;
    int n_in, n_hidden;        /* I, H */
    rein_engine_choice engine; /* auto: native */
    rein_net_device device;
} rein_cell_spec;

typedef struct rein_cell rein_cell;
typedef struct rein_cell_workspace rein_cell_workspace;

/* Errors: REIN_EINVAL, REIN_ENOMEM; those of the engine that is asked for where it cannot be had.
 */
rein_status rein_cell_create(const rein_cell_spec *spec, rein_cell **out);
void rein_cell_free(rein_cell *cell); /* NULL: does nothing */

size_t rein_cell_n_params(const rein_cell *cell); /* P */
size_t rein_cell_n_packed(const rein_cell *cell); /* floats that rein_cell_pack writes */
int rein_cell_n_state(const rein_cell *cell);     /* S: floats of a row's state */

/* Initial parameters: both weights orthogonal (the whole [G H, n] matrix, gain 1), biases 0: the
 * LSTM details of Huang et al. 2022. A cell then forgets half of its state in each step. With
 * a horizon in steps > 2, chrono initialisation (Tallec & Ollivier 2018, "Can recurrent neural
 * networks warp time?"): the bias of f (GRU: z) is log u, u uniform in [1, horizon - 1], that of i
 * is -log u, so that units remember for between one and `horizon` steps from the start.
 *   rng  io  INIT stream;  params  out  [P]
 * Allocates: scratch, freed before it returns. Errors: REIN_ENOMEM. */
rein_status rein_cell_init(const rein_cell *cell, int horizon, rein_rng *rng, float *params);

/* Transposed weights and joined biases; after each change of params. packed out [n_packed], 64-byte
 * aligned. */
void rein_cell_pack(const rein_cell *cell, const float *params, float *packed);

/* Scratch for sequences of up to max_steps x max_rows. Errors: REIN_EINVAL, REIN_ENOMEM. */
rein_status rein_cell_workspace_create(const rein_cell *cell, int max_steps, int max_rows,
                                       rein_cell_workspace **out);
void rein_cell_workspace_free(rein_cell_workspace *workspace); /* NULL: does nothing */

/* y[t] = h' of every step.
 *   x       in   [T, rows, I]; must stay unchanged until backward is done
 *   start   in   [T, rows] 1: the state is zeroed before this step; NULL: nowhere
 *   state   io   [rows, S] before the first step; becomes that behind the last
 *   y       out  [T, rows, H]
 * One step for acting is T = 1. The workspace keeps what backward needs.
 * Errors: as rein_net_forward. */
rein_status rein_cell_forward(const rein_cell *cell, const float *params, const float *packed,
                              rein_cell_workspace *workspace, const float *x, const uint8_t *start,
                              int n_steps, int rows, float *state, float *y);

/* Gradient of sum(dy * y) of the last forward with this workspace, back through all its steps; the
 * last state counts for nothing. Once per forward: it overwrites what forward kept.
 *   dy      in   [T, rows, H]
 *   grad    out  [P], overwritten
 *   dx      out  [T, rows, I], or NULL
 *   dstate  out  [rows, S] by the state before the first step, or NULL
 * Errors: as rein_net_forward. */
rein_status rein_cell_backward(const rein_cell *cell, const float *params,
                               rein_cell_workspace *workspace, const float *dy, float *grad,
                               float *dx, float *dstate);

/* The matrix products of one forward and one backward (without dx when dx is NULL) and nothing
 * else, with the same kernels on the same arrays: the limit that a benchmark compares with. Of the
 * native engine; in the torch engine it does nothing. */
void rein_cell_products(const rein_cell *cell, const float *params, const float *packed,
                        rein_cell_workspace *workspace, const float *x, int n_steps, int rows,
                        float *grad, float *dx);

#endif
