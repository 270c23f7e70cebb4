/* Recurrent PPO in pieces, for tests, exercises and embedding. The loop that joins them is
 * rein_algo_ppo_recurrent's `train`; equations and references are at the top of ppo_recurrent.c.
 *
 *     rein_ppo_recurrent *ppo;
 *     REIN_TRY(rein_ppo_recurrent_create(&config, &task, false, &ppo));
 *     while (ppo->data->step < task.total_timesteps) {
 *         REIN_TRY(rein_ppo_recurrent_collect(ppo));             T steps of N rows
 *         REIN_TRY(rein_ppo_recurrent_update(ppo, &metrics));    epochs of minibatches of sequences
 *     }
 *     const rein_policy *policy = rein_ppo_recurrent_policy(ppo);
 *
 * Thread-safety: one caller per object; the task's team works inside. */
#ifndef REIN_ALGOS_PPO_RECURRENT_H
#define REIN_ALGOS_PPO_RECURRENT_H

#include "algos/ppo.h"
#include "nets/recurrent.h"

/* The section `algo:`: PPO's and the cell. n_minibatches cuts the rows (envs x agents): each
 * minibatch holds all steps of its rows. */
#define REIN_PPO_RECURRENT_FIELDS(X)                                                               \
    X(choice, core, "lstm", REIN_CELL_WORDS, "recurrent cell before the last layer")               \
    X(integer, core_size, "64", "[1, 65536]", "units of the cell")                                 \
    X(integer, core_horizon, "0", "[0, 1000000]",                                                  \
      "steps that the cell remembers from the start (chrono initialisation); 0: biases 0")         \
    REIN_PPO_FIELDS(X)
REIN_CONFIG_STRUCT(rein_ppo_recurrent_config, REIN_PPO_RECURRENT_FIELDS)

/* Rows of the rollout in the order of an epoch's shuffle, cut in blocks of rows: of each block all
 * its rows' step 0, then step 1, ...: [T, rows of the block]. B = T N. */
typedef struct rein_sequence_batch {
    rein_ppo_batch rows;               /* [B, ...] */
    uint8_t *start;                    /* [B] */
    float *actor_state, *critic_state; /* [N, S] before step 0 */
} rein_sequence_batch;

typedef struct rein_ppo_recurrent_worker rein_ppo_recurrent_worker; /* of one thread */

/* Public so that tests and exercises can look and inject. T = n_steps, N = rows of the vector env,
 * K = logits or means of the policy, S = floats of a row's state. */
typedef struct rein_ppo_recurrent {
    rein_ppo_config config; /* all but the cell */
    rein_team *team;
    rein_collector *data; /* environments, rollout, statistics */
    int64_t n_updates;    /* of the whole run */
    int64_t updates;      /* done */

    /* Policy and value: two networks with a cell each, or with shared_net one whose last output is
     * the value. */
    rein_recurrent *actor, *critic; /* critic NULL when shared */
    size_t n_actor, n_critic, n_params;
    int n_head;           /* K */
    float *params, *grad; /* [P] actor | critic | log_std */
    float *packed_actor, *packed_critic;
    float *parts;             /* [blocks of a minibatch, P] partial gradients; row 0 is grad */
    rein_ppo_sums *part_sums; /* [2 x blocks of a minibatch] */
    rein_optimizer *optimizer;
    rein_policy *policy; /* a copy for others; rein_ppo_recurrent_policy brings it up to date */

    float *actor_state, *critic_state; /* [N, S] behind the last step; critic's NULL when shared */
    float *actor_first, *critic_first; /* [N, S] before the rollout's first step */
    float *noise;                      /* per vec block [T, rows, act]: normals or uniforms */
    rein_sequence_batch batch;
    int32_t *index;                     /* [N] an epoch's order of rows */
    rein_ppo_recurrent_worker *workers; /* [threads] */
    void *memory;                       /* one block for the arrays above */
} rein_ppo_recurrent;

/* Allocate everything, draw the initial networks (seed, INIT), begin all episodes.
 *   task    in  borrowed pointers outlive ppo
 *   record  in  keep raw transitions for a recorder
 * Errors: REIN_ECONFIG (settings that do not fit: says which numbers), REIN_ENOMEM, those of the
 * environment. */
rein_status rein_ppo_recurrent_create(const rein_ppo_recurrent_config *config,
                                      const rein_task *task, bool record, rein_ppo_recurrent **out);
void rein_ppo_recurrent_free(rein_ppo_recurrent *ppo); /* NULL: does nothing */

/* The configured network with the cell before its output. Errors: those of rein_task_recurrent_net.
 */
rein_status rein_ppo_recurrent_net(const rein_ppo_recurrent_config *config, const rein_task *task,
                                   const rein_observation_space *space, int n_out,
                                   rein_net_spec *out);

/* One rollout with values, advantages and returns. Errors: REIN_ENAN. Allocates: no. */
rein_status rein_ppo_recurrent_collect(rein_ppo_recurrent *ppo);

/* All epochs over the rollout; updates += 1.
 * Errors: REIN_ENAN when a gradient is not finite; the parameters are then those before that
 * minibatch. Allocates: no. */
rein_status rein_ppo_recurrent_update(rein_ppo_recurrent *ppo, rein_ppo_metrics *out);

/* The two halves of an epoch, for tests: put the rollout's rows into ppo->batch in the order
 * index [N], then take one optimizer step on its rows [first, first + n), where n is N /
 * n_minibatches and first a multiple of it. With normalize_advantage the batch's advantages are
 * normalised in place.
 *   sums       out  of this minibatch, not divided by n T; or NULL
 *   grad_norm  out  before clipping; or NULL. ppo->grad holds the gradient before clipping. */
void rein_ppo_recurrent_gather(rein_ppo_recurrent *ppo, const int32_t *index);
rein_status rein_ppo_recurrent_minibatch(rein_ppo_recurrent *ppo, int first, int n, double lr,
                                         rein_ppo_sums *sums, double *grad_norm);

/* After writing to ppo->params by hand. */
void rein_ppo_recurrent_pack(rein_ppo_recurrent *ppo);

/* The policy as it is now; valid until ppo is freed, unchanged until the next call. */
const rein_policy *rein_ppo_recurrent_policy(rein_ppo_recurrent *ppo);

/* Save or load everything that the future depends on, between two updates. Errors: those of the
 * archive. */
rein_status rein_ppo_recurrent_archive(rein_ppo_recurrent *ppo, rein_archive *archive);

extern const rein_algo rein_algo_ppo_recurrent; /* for algos/registry.c */

#endif
