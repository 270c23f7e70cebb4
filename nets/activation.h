/* Activations over the rows of a layer, fused with what stands beside them: the bias on the way
 * forward, the bias gradient on the way back. Internal to nets/.
 * Thread-safety: pure functions. Allocates: no. */
#ifndef REIN_NETS_ACTIVATION_H
#define REIN_NETS_ACTIVATION_H

#include <stdbool.h>

#include "nets/net.h"

/* Does the derivative need the pre-activation z? (silu and gelu; the others take it from h.) */
bool rein_activation_keeps_z(rein_activation activation);

/* h = f(z + bias). Where rein_activation_keeps_z, z and h are two arrays and z becomes z + bias;
 * otherwise they are one and the same.
 *   bias  in   [cols]
 *   z     io   [rows, cols] products
 *   h     out  [rows, cols] */
void rein_activation_forward(rein_activation activation, int rows, int cols, const float *bias,
                             float *z, float *h);

/* dz = dh f'(z); dbias = column sums of dz.
 *   z, h   in   [rows, cols] as forward left them (z: only where rein_activation_keeps_z)
 *   dh     io   [rows, cols]; becomes dz
 *   dbias  out  [cols] */
void rein_activation_backward(rein_activation activation, int rows, int cols, const float *z,
                              const float *h, float *dh, float *dbias);

/* out [cols] = sum over rows of x [rows, cols], in an order that the shape fixes. */
void rein_column_sums(int rows, int cols, const float *x, float *out);

#endif
