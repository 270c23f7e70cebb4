/* Proximal policy optimization in pieces, for tests, exercises and embedding. The loop that joins
 * them is rein_algo_ppo's `train`; equations and references are at the top of algos/ppo.c.
 *
 *     rein_ppo *ppo;
 *     REIN_TRY(rein_ppo_create(&config, &task, false, &ppo));
 *     while (ppo->data->step < task.total_timesteps) {
 *         REIN_TRY(rein_ppo_collect(ppo));             T steps of N rows
 *         REIN_TRY(rein_ppo_update(ppo, &metrics));    epochs of minibatches
 *     }
 *     const rein_policy *policy = rein_ppo_policy(ppo);
 *
 * Thread-safety: one caller per object; the task's team works inside. */
#ifndef REIN_ALGOS_PPO_H
#define REIN_ALGOS_PPO_H

#include "algos/collector.h"
#include "algos/ppo_loss.h"
#include "algos/task.h"
#include "nets/optimizer.h"

/* The section `algo:`; defaults are those of CleanRL's ppo.py. */
#define REIN_PPO_FIELDS(X)                                                                         \
    X(integer, n_steps, "128", "[1, 1048576]", "steps per environment and rollout")                \
    X(integer, n_minibatches, "4", "[1, 1048576]", "parts that an epoch cuts the rollout into")    \
    X(integer, n_epochs, "4", "[1, 1000]", "passes over each rollout")                             \
    X(real, lr, "2.5e-4", "(0, 1]", "Adam's step size")                                            \
    X(flag, anneal_lr, "true", "", "lr falls linearly to 0 over the run")                          \
    X(real, adam_eps, "1e-5", "(0, 1]", "Adam's epsilon")                                          \
    X(real, gamma, "0.99", "[0, 1]", "discount")                                                   \
    X(real, gae_lambda, "0.95", "[0, 1]", "lambda of generalised advantage estimation")            \
    X(flag, bootstrap_truncated, "false", "",                                                      \
      "at a time limit add the value of the last observation; false: as if the task had ended")    \
    X(real, clip, "0.2", "(0, 10]", "bound c on |ratio - 1|")                                      \
    X(flag, clip_value, "true", "", "bound the value's move by the same c")                        \
    X(flag, normalize_advantage, "true", "", "mean 0 and std 1 in each minibatch")                 \
    X(real, entropy_coef, "0.01", "[0, 10]", "weight of the entropy bonus")                        \
    X(real, value_coef, "0.5", "[0, 100]", "weight of the value loss (which has its own 1/2)")     \
    X(real, max_grad_norm, "0.5", "[0, 1e9]", "bound on the joint gradient's norm; 0: none")       \
    X(real, target_kl, "0", "[0, 10]",                                                             \
      "no further epoch once a minibatch's approx_kl is above this; 0: off")                       \
    X(flag, shared_net, "false", "", "policy and value are outputs of one network")                \
    X(real, log_std_init, "0", "[-20, 2]", "initial log standard deviation (continuous)")          \
    X(flag, normalize_observation, "false", "", "by running mean and variance")                    \
    X(real, observation_clip, "10", "(0, 1e9]", "bound on a normalised observation")               \
    X(flag, normalize_reward, "false", "", "by the running std of the discounted return")          \
    X(real, reward_clip, "10", "(0, 1e9]", "bound on a normalised reward")
REIN_CONFIG_STRUCT(rein_ppo_config, REIN_PPO_FIELDS)

/* Rows of the rollout in the order of an epoch's shuffle. B = T N. */
typedef struct rein_ppo_batch {
    float *observation; /* [B, obs] */
    void *action;       /* [B, act] i32 or f32 */
    float *log_prob;    /* [B] of the policy that collected */
    float *value;       /* [B] likewise */
    float *advantage;   /* [B] */
    float *return_;     /* [B] */
} rein_ppo_batch;

/* Of one update: means over its minibatches, but for explained_variance and lr. */
typedef struct rein_ppo_metrics {
    double policy_loss, value_loss, entropy, approx_kl, clip_fraction;
    double explained_variance; /* 1 - Var(R - V) / Var(R) over the rollout; 0 if Var(R) = 0 */
    double lr, grad_norm;      /* norm before clipping */
} rein_ppo_metrics;

typedef struct rein_ppo_worker rein_ppo_worker; /* what one thread works with */

/* Public so that tests and exercises can look and inject. T = n_steps, N = rows of the vector env
 * (envs x agents), K = logits or means of the policy. */
typedef struct rein_ppo {
    rein_ppo_config config;
    rein_team *team;
    rein_collector *data; /* environments, rollout, statistics */
    int64_t n_updates;    /* of the whole run */
    int64_t updates;      /* done */

    /* Policy and value: two networks, or with shared_net one whose last output is the value. */
    rein_net *actor, *critic; /* critic NULL when shared */
    size_t n_actor, n_critic, n_params;
    int n_head;           /* K */
    float *params, *grad; /* [P] actor | critic | log_std */
    float *packed_actor, *packed_critic;
    float *parts;             /* [blocks of a minibatch, P] partial gradients; row 0 is grad */
    rein_ppo_sums *part_sums; /* [2 x blocks of a minibatch] */
    rein_optimizer *optimizer;
    rein_policy *policy; /* a copy for others; rein_ppo_policy brings it up to date */

    float *head;             /* [T, N, K] what the policy put out */
    float *noise;            /* per vec block [T, rows, act]: normals or uniforms */
    int32_t *truncated_rows; /* [T N] t N + row of truncated episodes' last steps */
    int n_truncated;
    rein_ppo_batch batch;
    int32_t *index;           /* [B] an epoch's order */
    rein_ppo_worker *workers; /* [threads] */
    void *memory;             /* one block for all arrays above */
} rein_ppo;

/* Allocate everything, draw the initial networks (seed, INIT), begin all episodes.
 *   task    in  borrowed pointers outlive ppo
 *   record  in  keep raw transitions for a recorder
 * Errors: REIN_ECONFIG (settings that do not fit: says which numbers), REIN_ENOMEM, those of the
 * environment. */
rein_status rein_ppo_create(const rein_ppo_config *config, const rein_task *task, bool record,
                            rein_ppo **out);
void rein_ppo_free(rein_ppo *ppo); /* NULL: does nothing */

/* One rollout with values, advantages and returns.
 * Errors: REIN_ENAN. Allocates: no. */
rein_status rein_ppo_collect(rein_ppo *ppo);

/* All epochs over the rollout; updates += 1.
 * Errors: REIN_ENAN when a gradient is not finite; the parameters are then those before that
 * minibatch. Allocates: no. */
rein_status rein_ppo_update(rein_ppo *ppo, rein_ppo_metrics *out);

/* The two halves of an epoch, for tests: put the rollout's rows into ppo->batch in the order
 * index [B], then take one optimizer step on its rows [first, first + n). With
 * normalize_advantage the batch's advantages are normalised in place.
 *   sums       out  of this minibatch, not divided by n; or NULL
 *   grad_norm  out  before clipping; or NULL. ppo->grad holds the gradient before clipping. */
void rein_ppo_gather(rein_ppo *ppo, const int32_t *index);
rein_status rein_ppo_minibatch(rein_ppo *ppo, int first, int n, double lr, rein_ppo_sums *sums,
                               double *grad_norm);

/* After writing to ppo->params by hand. */
void rein_ppo_pack(rein_ppo *ppo);

/* The policy as it is now; valid until ppo is freed, unchanged until the next call. */
const rein_policy *rein_ppo_policy(rein_ppo *ppo);

/* Save or load everything that the future depends on, between two updates. Random streams are
 * counters, so there is no generator state. Errors: those of the archive. */
rein_status rein_ppo_archive(rein_ppo *ppo, rein_archive *archive);

extern const rein_algo rein_algo_ppo; /* for algos/registry.c */

#endif
