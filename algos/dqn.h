/* DQN in pieces, so that tests and exercises can drive one of them; algos/dqn.c explains it. */
#ifndef REIN_ALGOS_DQN_H
#define REIN_ALGOS_DQN_H

#include "algos/task.h"
#include "envs/vec.h"
#include "nets/optimizer.h"
#include "replay/ring.h"

/* Words of the config choice `algo.loss`, in this order. */
#define REIN_DQN_LOSS_WORDS "squared|huber"
typedef enum rein_dqn_loss_kind { REIN_DQN_SQUARED, REIN_DQN_HUBER } rein_dqn_loss_kind;

/* The section `algo:` of a config. Steps count over all environments. */
#define REIN_DQN_FIELDS(X)                                                                         \
    X(real, lr, "2.5e-4", "(0, 1]", "step size of the optimizer")                                  \
    X(choice, optimizer, "adam", REIN_OPTIMIZER_WORDS, "how gradients change the weights")         \
    X(real, optimizer_eps, "1e-8", "[0, 1]", "added to the root of the squares")                   \
    X(real, rmsprop_alpha, "0.95", "[0, 1)", "rmsprop: decay of the mean squares")                 \
    X(flag, rmsprop_centered, "false", "", "rmsprop: subtract the squared mean gradient")          \
    X(real, max_grad_norm, "0", "[0, 1e6]", "scale longer gradients down to this; 0: never")       \
    X(integer, buffer_size, "10000", "[2, 1000000000]", "transitions kept for replay")             \
    X(integer, learning_starts, "10000", "[0, 1000000000000]", "steps before the first update")    \
    X(integer, batch_size, "128", "[1, 1048576]", "transitions per update")                        \
    X(integer, train_frequency, "10", "[1, 1000000000]", "steps between trainings")                \
    X(integer, n_updates, "1", "[1, 1000000]", "updates per training")                             \
    X(integer, target_update_frequency, "500", "[1, 1000000000]",                                  \
      "steps between changes of the target network")                                               \
    X(real, tau, "1", "(0, 1]", "share of the online network at such a change; 1: a copy")         \
    X(real, gamma, "0.99", "[0, 1]", "discount per step")                                          \
    X(flag, double_q, "false", "", "choose the next action by the online network")                 \
    X(choice, loss, "squared", REIN_DQN_LOSS_WORDS, "of the TD error")                             \
    X(flag, clip_reward, "false", "", "learn from rewards clipped to [-1, 1]")                     \
    X(real, start_epsilon, "1", "[0, 1]", "chance of a random action at the beginning")            \
    X(real, end_epsilon, "0.05", "[0, 1]", "and after the exploration")                            \
    X(real, exploration_fraction, "0.5", "[0, 1]", "of total_timesteps in which epsilon falls")
REIN_CONFIG_STRUCT(rein_dqn_config, REIN_DQN_FIELDS)

extern const rein_algo rein_algo_dqn;

/* --- the mathematics ---------------------------------------------------------------------------
 * Thread-safety: pure functions. Allocates: no. */

/* target[i] = reward[i] + gamma (1 - terminated[i]) max_a next_q[i, a]; with next_q_online
 * the action is its largest entry instead (van Hasselt et al. 2016).
 *   next_q         in   [n, k] f32 of the target network
 *   next_q_online  in   [n, k] f32, or NULL
 *   target         out  [n] f32 */
void rein_dqn_target(const float *next_q, const float *next_q_online, const float *reward,
                     const uint8_t *terminated, int n, int k, double gamma, float *target);

/* scale * sum_i l(target[i] - q[i, action[i]]), where l(d) = d^2, or Huber's d^2 / 2 for |d| < 1
 * and |d| - 1/2 beyond.
 *   td_error  out  [n] f32 target - q
 *   dq        out  [n, k] f32 derivative by q: 0 but for the chosen actions */
double rein_dqn_loss(rein_dqn_loss_kind kind, const float *q, const int32_t *action,
                     const float *target, int n, int k, double scale, float *td_error, float *dq);

/* --- the learner -------------------------------------------------------------------------------
 */

typedef struct rein_dqn_scratch rein_dqn_scratch; /* of one thread */

typedef struct rein_dqn {
    rein_dqn_config config;
    const rein_task *task; /* borrowed */
    int n_actions;
    rein_policy *policy;  /* the online network: params, packed */
    float *target_params; /* [n_params] */
    float *target_packed; /* [n_packed] */
    rein_optimizer *optimizer;
    rein_vec *vec;
    rein_ring *ring;
    rein_episodes episodes;
    int64_t step;    /* environment steps taken, over all envs */
    int64_t updates; /* done so far */

    void *observation;     /* [n_envs, obs] what the last actions were chosen on */
    rein_ring_batch batch; /* arrays of [batch_size, ...]: what the last update sampled */
    int64_t *index;        /* [batch_size] its places in the ring */
    float *td_error;       /* [batch_size] of the last update */

    int block_rows, n_blocks; /* rows of a batch per block of work; blocks per batch */
    float *grad;              /* [n_blocks, grad_stride]; the sum is in the first row */
    size_t grad_stride;
    double *block_loss, *block_q; /* [n_blocks] sums of the last update */
    double loss, q_mean;          /* of the last update: mean loss, mean Q of chosen actions */
    double loss_sum, q_sum;       /* over the updates since the last log row */
    int64_t n_summed;             /* of so many updates */
    rein_dqn_scratch *scratch;    /* [threads] */
    double epsilon;               /* of the step being collected */
    const rein_ring_batch *given; /* of the update being done; NULL: sampled */
} rein_dqn;

/* Environments, networks, replay and scratch of a run; the network's weights are drawn.
 *   config, task  in  as rein_algo_dqn.check accepts them; the task must outlive the learner
 * Errors: REIN_EUNSUPPORTED, REIN_ECONFIG, REIN_ENOMEM, those of the environment. */
rein_status rein_dqn_create(const rein_dqn_config *config, const rein_task *task, rein_dqn **out);
void rein_dqn_free(rein_dqn *dqn); /* NULL: does nothing */

/* One step of all envs with epsilon-greedy actions, stored in the ring and counted in `episodes`.
 * Errors: REIN_ENAN (an environment's numbers). Allocates: no. */
rein_status rein_dqn_collect(rein_dqn *dqn, double epsilon);

/* One gradient step on a batch of batch_size transitions.
 *   batch  in  NULL: sample it from the ring
 * Errors: REIN_ENAN (the loss is not finite: says what to change), REIN_EEMPTY. Allocates: no. */
rein_status rein_dqn_update(rein_dqn *dqn, const rein_ring_batch *batch);

/* target = (1 - tau) target + tau online. Allocates: no. */
void rein_dqn_update_target(rein_dqn *dqn);

/* Everything the next step reads; `folder` is for the ring's own files (replay/ring.h).
 * Errors: those of the archive and of the ring. */
rein_status rein_dqn_archive(rein_dqn *dqn, rein_archive *archive, const char *folder);

/* The algorithm: rein_algo_dqn.train. */
rein_status rein_dqn_train(const void *config, const rein_task *task, rein_run *run);

#endif
