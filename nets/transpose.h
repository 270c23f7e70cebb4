/* Transposes of row-major f32 matrices without padding.
 * Thread-safety: any thread at once. Allocates: no. */
#ifndef REIN_NETS_TRANSPOSE_H
#define REIN_NETS_TRANSPOSE_H

/* out [cols, rows] = in [rows, cols] transposed; rows, cols >= 0. They do not overlap. Cost: for
 * large ones little more than memcpy. */
void rein_transpose(int rows, int cols, const float *in, float *out);

#endif
