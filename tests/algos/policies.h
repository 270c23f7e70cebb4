/* Policies of every kind for tests. */
#ifndef REIN_TESTS_ALGOS_POLICIES_H
#define REIN_TESTS_ALGOS_POLICIES_H

#include "tests/replay/temporary.h"

#include <math.h>

#include "algos/policy.h"
#include "nets/layers.h"

enum { POLICY_CATEGORICAL, POLICY_GAUSSIAN, POLICY_Q, POLICY_IMAGE, N_POLICIES };
enum { POLICY_CELL = N_POLICIES }; /* GAUSSIAN with a GRU of 6 units */

static inline rein_net_spec policy_net(int n_in, rein_activation activation, int n_out)
{
    return rein_net_spec_mlp(n_in, (const int[]){16, 8}, 2, activation, n_out);
}

/* CATEGORICAL: 4 observations, 3 actions and a value behind the logits. GAUSSIAN: 5 normalised
 * observations, 2 actions in [-1, 0.5] x [0, 2]. Q: 4 observations, 3 actions. IMAGE: Q on u8
 * images 3 x 2 x 2 up to 10. */
static inline rein_policy_spec policy_spec_of(int kind)
{
    rein_policy_spec spec = {
        .env_id = "Test-v0",
        .algo_id = "test",
        .observation = {.dtype = REIN_F32,
                        .n_dims = 1,
                        .shape = {4},
                        .size = 4,
                        .low = -INFINITY,
                        .high = INFINITY},
        .action = {.kind = REIN_DISCRETE, .n = 3, .size = 1},
        .head = REIN_HEAD_Q,
        .net = policy_net(4, REIN_TANH, 3),
    };
    if (kind == POLICY_CATEGORICAL) {
        spec.head = REIN_HEAD_CATEGORICAL;
        spec.net = policy_net(4, REIN_TANH, 4);
    } else if (kind == POLICY_GAUSSIAN || kind == POLICY_CELL) {
        spec.head = REIN_HEAD_GAUSSIAN;
        spec.action = (rein_action_space){
            .kind = REIN_CONTINUOUS, .size = 2, .low = {-1, 0}, .high = {0.5f, 2}};
        spec.observation.shape[0] = spec.observation.size = 5;
        spec.net = policy_net(5, REIN_TANH, 2);
        spec.normalize_observation = true;
        spec.observation_clip = 3;
        if (kind == POLICY_CELL) {
            spec.net.layers[spec.net.n_layers] = spec.net.layers[spec.net.n_layers - 1];
            spec.net.layers[spec.net.n_layers++ - 1] =
                (rein_layer){.kind = REIN_LAYER_GRU, .units = 6};
        }
    } else if (kind == POLICY_IMAGE) {
        spec.observation = (rein_observation_space){
            .dtype = REIN_U8, .n_dims = 3, .shape = {3, 2, 2}, .size = 12, .low = 0, .high = 10};
        spec.net = policy_net(12, REIN_RELU, 3);
    }
    return spec;
}

static inline rein_policy *policy_of(int kind)
{
    rein_policy_spec spec = policy_spec_of(kind);
    rein_policy *policy;
    assert_ok(rein_policy_create(&spec, &policy));
    rein_rng rng = rein_rng_stream((uint64_t)kind, REIN_RNG_TEST, 0, 0);
    if (policy->recurrent) {
        assert_ok(rein_recurrent_init(policy->recurrent, REIN_INIT_ORTHOGONAL, 1.4, 1, 0, &rng,
                                      policy->params));
    } else {
        assert_ok(rein_net_init(policy->net, REIN_INIT_ORTHOGONAL, 1.4, 1, &rng, policy->params));
    }
    rein_policy_pack(policy);
    for (int i = 0; i < spec.action.size; i++) policy->log_std[i] = -0.5f - (float)i;
    for (int i = 0; i < spec.observation.size; i++) {
        policy->mean[i] = spec.normalize_observation ? 0.5 * i - 1 : 0;
        policy->var[i] = spec.normalize_observation ? 0.25 + i : 1;
    }
    policy->epsilon = kind == POLICY_Q ? 0.3 : 0;
    policy->timesteps = 123456789012;
    return policy;
}

/* Random observations [n, size] of the policy's dtype. */
static inline void policy_observations(const rein_policy *policy, int n, void *out)
{
    rein_rng rng = rein_rng_stream(99, REIN_RNG_TEST, 0, 0);
    for (int i = 0; i < n * policy->spec.observation.size; i++) {
        if (policy->spec.observation.dtype == REIN_U8) {
            ((uint8_t *)out)[i] = (uint8_t)rein_rng_below(&rng, 11);
        } else {
            ((float *)out)[i] = (float)(2 * rein_rng_normal(&rng));
        }
    }
}

#endif
