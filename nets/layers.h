/* Layers as text, their shapes and where their parameters lie.
 *
 *     linear 128             y = W x + b of a vector
 *     conv 16 3x3            16 channels, kernel 3 high, 3 wide; then `stride 2`, `pad 1` if wanted
 *     tanh relu elu silu gelu sigmoid
 *     flatten                an image [H, W, C] to a vector in the order C, H, W
 *     layernorm              of a vector
 *     embedding 11 8         inputs 0 .. 10, each to 8 numbers; first layer only
 *     lstm 128, gru 128      the last before the output, of algorithms with memory
 *     attention heads=4 dim=64 layers=2      Transformer blocks over an image's cells
 *     script 64 4675         a TorchScript file (nets/script.h): features, parameters
 *
 * Thread-safety: pure functions. Allocates: no. */
#ifndef REIN_NETS_LAYERS_H
#define REIN_NETS_LAYERS_H

#include "nets/net.h"

enum { REIN_LAYER_TEXT = 64, REIN_LAYERS_TEXT = REIN_MAX_LAYERS * (REIN_LAYER_TEXT + 2) };

/* Errors: REIN_EINVAL: what is wrong and what was meant ("'lienar 128': did you mean linear?"). */
rein_status rein_layer_parse(const char *text, rein_layer *out);

/* Text that rein_layer_parse reads back to the same layer. */
void rein_layer_print(const rein_layer *layer, char out[REIN_LAYER_TEXT]);

/* All layers of a spec, "conv 16 3x3, relu, flatten, linear 6". */
void rein_layers_print(const rein_net_spec *spec, char out[REIN_LAYERS_TEXT]);
/* The reverse; sets n_layers and layers. Errors: REIN_EINVAL "layers[1] 'lienar 128': ...". */
rein_status rein_layers_parse(const char *text, rein_net_spec *out);

/* Append a layer. Errors: REIN_EINVAL when there are REIN_MAX_LAYERS already. */
rein_status rein_net_spec_add(rein_net_spec *spec, rein_layer layer);

/* A multi-layer perceptron from a vector [n_in]: each of `hidden` [n_hidden] with its activation
 * (REIN_LINEAR: none), then n_out linear outputs. Too many layers give a spec that rein_net_create
 * refuses: at most (REIN_MAX_LAYERS - 1) / 2 hidden ones. */
rein_net_spec rein_net_spec_mlp(int n_in, const int *hidden, int n_hidden,
                                rein_activation activation, int n_out);

typedef struct rein_shape {
    int n_dims, dims[REIN_NET_DIMS], size;
} rein_shape;

/* One layer of a network: shapes of a row before and after it, and its parameters: `n_weights`
 * from weight_at, then `n_biases` from bias_at. Layouts that are not plain:
 *   layernorm  weight [n], bias [n]        embedding  W [values, units], no bias
 *   lstm, gru  W_ih, W_hh, then b_ih, b_hh (gates i f g o; r z n)
 *   attention  tokens [H W] or [T] of C numbers: projection [dim, C], [dim], positions [tokens,
 *              dim], then for each block torch's TransformerEncoderLayer(norm_first=True) with
 *              4 dim hidden units, relu and no dropout; all counted as weights */
typedef struct rein_layer_place {
    rein_shape in, out;
    size_t weight_at, n_weights, bias_at, n_biases;
} rein_layer_place;

typedef struct rein_layout {
    rein_layer_place layers[REIN_MAX_LAYERS]; /* [n_layers] */
    int n_in, n_out;
    size_t n_params;
} rein_layout;

/* Errors: REIN_EINVAL, naming the layer and what would help: "layers[0] 'linear 128': linear needs
 * a vector: put flatten before it"; "layers[2] 'conv 16 9x9': does not fit into 7x7". */
rein_status rein_net_layout(const rein_net_spec *spec, rein_layout *out);

#endif
