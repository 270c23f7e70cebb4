/* What ppo.c and ppo_recurrent.c share below their loops: what networks put out, the policy's
 * distribution, the losses' gradients by those outputs, checks, the policy for others, metrics.
 *
 * K = logits or means of the policy, act = bytes of an action. Thread-safety: nothing is shared but
 * what the caller passes. Allocates: rein_ppo_create_policy only. */
#ifndef REIN_ALGOS_PPO_PARTS_H
#define REIN_ALGOS_PPO_PARTS_H

#include "algos/ppo.h"

/* ---- rows of network outputs ---------------------------------------------------------------- */

/* What one thread computes with, n rows. */
typedef struct rein_ppo_rows {
    float *y;                    /* [n, K+1] output of a shared net, then its gradient */
    float *head, *dhead;         /* [n, K] */
    float *value, *dvalue;       /* [n] */
    float *log_prob, *dlog_prob; /* [n] */
    float *entropy, *dentropy;   /* [n] */
} rein_ppo_rows;

/* Floats that n rows take; then point *out into them. */
size_t rein_ppo_rows_size(size_t n, int n_head);
void rein_ppo_rows_place(float *at, size_t n, int n_head, rein_ppo_rows *out);

/* y [n, K+1] of a shared network into head [n, K] and value [n]; and the reverse, for gradients. */
void rein_ppo_split(const float *y, int n, int n_head, float *head, float *value);
void rein_ppo_join(const float *dhead, const float *dvalue, int n, int n_head, float *dy);

/* ---- the policy's distribution -------------------------------------------------------------- */

/* pi(.|x): categorical of K logits, or normal of K means and log_std. */
typedef struct rein_ppo_pi {
    bool continuous;
    int n_head;           /* K */
    const float *log_std; /* [K] when continuous */
} rein_ppo_pi;

/* What sampling needs: normals when continuous, else uniforms. */
void rein_ppo_noise(const rein_ppo_pi *pi, rein_rng *rng, int n, float *noise);
/* action [n] i32 or [n, K] f32 of head [n, K] and noise (as many). */
void rein_ppo_sample(const rein_ppo_pi *pi, const float *head, int n, const float *noise,
                     void *action);
/* log pi(action) [n] and entropy ([n]; continuous [1]; NULL: not wanted). */
void rein_ppo_log_prob(const rein_ppo_pi *pi, const float *head, const void *action, int n,
                       float *log_prob, float *entropy);

/* ---- losses --------------------------------------------------------------------------------- */

/* Policy loss and entropy bonus of rows [at, at + n) of the batch: w->head to w->dhead.
 *   scale     in   1 / rows of the minibatch
 *   dlog_std  out  [K] when continuous
 *   sums      io   policy_loss, entropy, approx_kl, n_clipped (not scaled) */
void rein_ppo_policy_gradient(const rein_ppo_config *config, const rein_ppo_pi *pi,
                              const rein_ppo_batch *batch, size_t act, size_t at, int n,
                              double scale, rein_ppo_rows *w, float *dlog_std, rein_ppo_sums *sums);
/* Value loss of the same rows: w->value to w->dvalue. */
void rein_ppo_value_gradient(const rein_ppo_config *config, const rein_ppo_batch *batch, size_t at,
                             int n, double scale, rein_ppo_rows *w, rein_ppo_sums *sums);
/* Errors: REIN_ENAN when the gradient's norm is not finite; it names the step. rows: of sums. */
rein_status rein_ppo_check_norm(double norm, const rein_ppo_sums *sums, double rows, int64_t step);

/* ---- settings ------------------------------------------------------------------------------- */

/* One env at least; n_steps x rows within what a rollout holds; observations as they are where the
 * network begins with an embedding. Errors: REIN_ECONFIG, naming the numbers. */
rein_status rein_ppo_check_rollout(const rein_ppo_config *config, const rein_task *task,
                                   const rein_env_spec *spec);
rein_status rein_ppo_check_embedding(const rein_ppo_config *config, const rein_net_spec *net);

/* block_size 0: the vector env's choice. */
rein_collector_options rein_ppo_collector_options(const rein_ppo_config *config, int block_size,
                                                  bool record);

/* Behind the initial parameters of a network: a shared one has its value's row [n_in] brought from
 * the policy's gain to 1 where `init` has a gain; log_std [K] when continuous. biases: the
 * network's last K + 1 parameters, the row stands before them. */
void rein_ppo_regain_value(float *biases, int n_in, rein_init init);
void rein_ppo_init_log_std(const rein_ppo_config *config, const rein_collector *data,
                           float *log_std);
#define REIN_PPO_GAIN_POLICY 0.01
#define REIN_PPO_GAIN_VALUE  1.0

/* ---- for others ----------------------------------------------------------------------------- */

/* An empty policy with the actor's network. Errors: REIN_ENOMEM. */
rein_status rein_ppo_create_policy(const rein_ppo_config *config, const char *algo_id,
                                   const char *env_id, const rein_collector *data,
                                   const rein_net_spec *actor, rein_policy **out);
/* Parameters, log_std (when continuous), statistics, step. */
void rein_ppo_fill_policy(rein_policy *policy, const float *params, const float *log_std,
                          const rein_collector *data);

/* Means of n_minibatches with `rows` rows in all; norms: the sum of gradients' norms. */
rein_ppo_metrics rein_ppo_metrics_of(const rein_ppo_sums *sums, double rows, double norms,
                                     int n_minibatches, const rein_rollout *rollout, double lr);
rein_status rein_ppo_log(const rein_ppo_metrics *metrics, const rein_collector *data,
                         rein_run *run);

#endif
