/* Proximal policy optimization: PPO-clip with generalised advantage estimation.
 *
 *   Schulman, Wolski, Dhariwal, Radford, Klimov (2017), "Proximal Policy Optimization Algorithms".
 *   Schulman, Moritz, Levine, Jordan, Abbeel (2016), "High-Dimensional Continuous Control Using
 *     Generalized Advantage Estimation".
 *   Huang, Dossa, Raffin, Kanervisto, Wang (2022), "The 37 Implementation Details of Proximal
 *     Policy Optimization", ICLR blog track; details in brackets, [core 4], are its list's.
 *
 * One iteration, with N rows (envs x agents) and T steps:
 *
 * 1. Collect. The policy pi acts for T steps in every env; (x, a, log pi(a|x), r, ends) are kept.
 *    Discrete: a ~ Categorical(softmax(logits(x))). Continuous: a ~ Normal(mean(x), exp(log_std)),
 *    log_std a parameter without inputs [continuous 2]; the env gets a clipped to its bounds, the
 *    log-probability is that of the unclipped a [continuous 5].
 * 2. Estimate. With the value network V,
 *        delta[t] = r[t] + gamma next[t] - V(x[t])
 *        A[t]     = delta[t] + gamma lambda A[t+1]     the sum cut where an episode ended
 *        R[t]     = A[t] + V(x[t])
 *    next is V of the next observation; 0 where the task terminated. At a time limit it is 0, too
 *    (as CleanRL does), or V(last observation) with `bootstrap_truncated`.
 * 3. Update. For n_epochs: shuffle the T N rows, cut them into n_minibatches; for each
 *        ratio = pi(a|x) / pi_old(a|x)
 *        L = mean max(-A ratio, -A clip(ratio, 1 - c, 1 + c))       clipped surrogate
 *          - entropy_coef mean H(pi(.|x))                           entropy bonus
 *          + value_coef mean max((V - R)^2, (V_c - R)^2) / 2        value, V_c = V_old +- c
 *    A is first brought to mean 0, std 1 within the minibatch. Gradients are closed-form
 *    (algos/ppo_loss.h, nets/distribution.h), clipped jointly to norm 0.5, and taken by Adam.
 *
 * Details, and the option that turns each: orthogonal weights with gain sqrt(2), 0.01 for the
 * policy's output, 1 for the value's, biases 0 [core 2]; Adam's epsilon 1e-5 [core 3]; lr falling
 * linearly to 0 (anneal_lr) [core 4]; GAE [core 5]; shuffled minibatches [core 6]; advantages per
 * minibatch (normalize_advantage) [core 7]; clipped surrogate (clip) [core 8]; value clipping
 * (clip_value) [core 9]; entropy (entropy_coef) [core 10]; joint gradient clipping (max_grad_norm)
 * [core 11]; approx_kl and clip_fraction as metrics [core 12]; separate or shared networks
 * (shared_net) [core 13]; normalised observations, clipped to +-10 (normalize_observation,
 * observation_clip) [continuous 6, 7]; rewards divided by the running std of the discounted
 * return, clipped to +-10 (normalize_reward, reward_clip) [continuous 8, 9]; early stop of the
 * epochs (target_kl).
 *
 * Where we differ from CleanRL's ppo.py and ppo_continuous_action.py (commit fe8d8a03):
 *   - Values and log-probabilities are computed after the rollout in large batches: the same
 *     numbers, since parameters do not change during it.
 *   - With several envs, all envs of a block share normalisation statistics and blocks are merged
 *     after each rollout (algos/normalizer.h); CleanRL keeps separate ones per env. With one env
 *     (its MuJoCo settings) the statistics are exactly its own.
 *   - Running returns of reward normalisation are forgotten at `terminated` after the last reward.
 *   - The run ends with a whole rollout at or above total_timesteps; CleanRL ends at or below it.
 *   - Metrics are means over all minibatches of an update; CleanRL logs the last minibatch's.
 *
 * Reproduced by configs/ppo/{cartpole,acrobot,half_cheetah,hopper,inverted_pendulum}.yaml:
 * CleanRL's settings; each names its published number, measured ones are in docs/results.md.
 *
 * How work is cut (the same bytes for any number of threads): collection by the vector env's
 * blocks, one thread taking a block through the whole rollout without a barrier; estimates and
 * gradients by 128 rows, policy and value network being separate pieces of work, so that two
 * threads share even a minibatch of 64. Partial gradients are added in order of the rows. */
#include "algos/ppo.h"

#include <string.h>

#include "algos/ppo_internal.h"
#include "algos/schedule.h"

REIN_CONFIG_TABLE(rein_ppo_config, REIN_PPO_FIELDS)

enum { PPO_GATHER_ROWS = 1024 }; /* rows of one piece of work */

/* Rows of piece `block` of `rows`, the first at *first. */
static int ppo_block_rows(int rows, int block, int *first)
{
    *first = block * PPO_ROWS;
    return rows - *first < PPO_ROWS ? rows - *first : PPO_ROWS;
}

/* ---- networks ------------------------------------------------------------------------------ */

/* Policy head [n, K] of x [n, obs]; a shared network gives value [n] as well. */
static rein_status ppo_forward_policy(const rein_ppo *ppo, rein_ppo_worker *w, const float *x,
                                      int n, float *head, float *value)
{
    bool shared = !ppo->critic;
    REIN_TRY(rein_net_forward(ppo->actor, ppo->params, ppo->packed_actor, w->actor, x, n,
                              shared ? w->rows.y : head));
    if (shared) rein_ppo_split(w->rows.y, n, ppo->n_head, head, value);
    return REIN_OK;
}

/* value [n] of x [n, obs]. */
static rein_status ppo_forward_value(const rein_ppo *ppo, rein_ppo_worker *w, const float *x, int n,
                                     float *value)
{
    if (!ppo->critic) {
        REIN_TRY(ppo_forward_policy(ppo, w, x, n, w->rows.head, value));
        return REIN_OK;
    }
    REIN_TRY(rein_net_forward(ppo->critic, ppo->params + ppo->n_actor, ppo->packed_critic,
                              w->critic, x, n, value));
    return REIN_OK;
}

void rein_ppo_pack(rein_ppo *ppo)
{
    rein_net_pack(ppo->actor, ppo->params, ppo->packed_actor);
    if (ppo->critic) rein_net_pack(ppo->critic, ppo->params + ppo->n_actor, ppo->packed_critic);
}

/* ---- 1. collect ---------------------------------------------------------------------------- */

/* Random numbers of the whole rollout at once: normals come cheap by the dozen. */
static float *ppo_draw_noise(rein_ppo *ppo, const rein_collector_span *s)
{
    const rein_collector *c = ppo->data;
    int n_steps = c->rollout->n_steps, n = n_steps * s->n_rows * c->act;
    float *noise = ppo->noise + (size_t)n_steps * (size_t)(s->row * c->act);
    rein_rng rng = rein_rng_stream(c->vec->seed, REIN_RNG_ACTION, (uint32_t)s->row,
                                   (uint64_t)c->step / (uint64_t)c->vec->n_envs);
    const rein_ppo_pi pi = rein_ppo_policy_pi(ppo);
    rein_ppo_noise(&pi, &rng, n, noise);
    return noise;
}

/* Actions of the block's rows at step t; of a shared network the values as well. */
static rein_status ppo_act(rein_ppo *ppo, rein_ppo_worker *w, const rein_collector_span *s, int t,
                           const float *noise)
{
    const rein_collector *c = ppo->data;
    rein_rollout *r = c->rollout;
    size_t at = (size_t)t * (size_t)r->n_rows + (size_t)s->row;
    float *head = ppo->head + at * (size_t)ppo->n_head;
    void *action = rein_row_at(r->action, at, c->vec->action_bytes);
    REIN_TRY(ppo_forward_policy(ppo, w, r->observation + at * (size_t)c->obs, s->n_rows, head,
                                r->value + at));
    const rein_ppo_pi pi = rein_ppo_policy_pi(ppo);
    rein_ppo_sample(&pi, head, s->n_rows, noise, action);
    return REIN_OK;
}

/* Take one block of envs through the whole rollout. */
static rein_status ppo_collect_block(void *context, int block, int thread)
{
    rein_ppo *ppo = context;
    rein_collector *c = ppo->data;
    const rein_collector_span s = rein_collector_block(c, block);
    const float *noise = ppo_draw_noise(ppo, &s);
    const size_t n_noise = (size_t)(s.n_rows * c->act); /* of one step */
    rein_collector_begin(c, block);
    for (int t = 0; t < c->rollout->n_steps; t++) {
        REIN_TRY(ppo_act(ppo, &ppo->workers[thread], &s, t, noise + (size_t)t * n_noise));
        REIN_TRY(rein_collector_step(c, block, t));
    }
    return REIN_OK;
}

/* ---- 2. estimate --------------------------------------------------------------------------- */

/* 128 rows of, one after another: the rollout; the observations behind it; last observations of
 * truncated episodes. */
static rein_status ppo_estimate_block(void *context, int block, int thread)
{
    rein_ppo *ppo = context;
    rein_ppo_worker *w = &ppo->workers[thread];
    const rein_collector *c = ppo->data;
    rein_rollout *r = c->rollout;
    size_t obs = (size_t)c->obs;
    int rows = r->n_steps * r->n_rows, first;
    int n_rollout = rein_ppo_blocks(rows), n_last = rein_ppo_blocks(r->n_rows);

    if (block < n_rollout) {
        int n = ppo_block_rows(rows, block, &first);
        size_t at = (size_t)first;
        const rein_ppo_pi pi = rein_ppo_policy_pi(ppo);
        rein_ppo_log_prob(&pi, ppo->head + at * (size_t)ppo->n_head,
                          rein_row_at(r->action, at, c->vec->action_bytes), n, r->log_prob + at,
                          NULL);
        if (ppo->critic) {
            REIN_TRY(ppo_forward_value(ppo, w, r->observation + at * obs, n, r->value + at));
        }
    } else if (block < n_rollout + n_last) {
        int n = ppo_block_rows(r->n_rows, block - n_rollout, &first);
        REIN_TRY(ppo_forward_value(ppo, w, c->next_observation + (size_t)first * obs, n,
                                   r->last_value + first));
    } else {
        int n = ppo_block_rows(ppo->n_truncated, block - n_rollout - n_last, &first);
        const int32_t *row = ppo->truncated_rows + first;
        for (int i = 0; i < n; i++) {
            memcpy(w->x + (size_t)i * obs, c->final_observation + (size_t)row[i] * obs,
                   obs * sizeof(float));
        }
        REIN_TRY(ppo_forward_value(ppo, w, w->x, n, w->rows.value));
        for (int i = 0; i < n; i++) r->final_value[row[i]] = w->rows.value[i];
    }
    return REIN_OK;
}

rein_status rein_ppo_collect(rein_ppo *ppo)
{
    rein_collector *c = ppo->data;
    const rein_rollout *r = c->rollout;
    int rows = r->n_steps * r->n_rows;
    rein_collector_open(c);
    REIN_TRY(rein_team_run(ppo->team, c->vec->n_blocks, ppo_collect_block, ppo));
    rein_collector_close(c);

    ppo->n_truncated = 0;
    for (int i = 0; i < rows && ppo->config.bootstrap_truncated; i++) {
        if (r->truncated[i]) ppo->truncated_rows[ppo->n_truncated++] = i;
    }
    int n_blocks =
        rein_ppo_blocks(rows) + rein_ppo_blocks(r->n_rows) + rein_ppo_blocks(ppo->n_truncated);
    REIN_TRY(rein_team_run(ppo->team, n_blocks, ppo_estimate_block, ppo));
    rein_rollout_gae(c->rollout, 0, r->n_rows, ppo->config.gamma, ppo->config.gae_lambda,
                     ppo->config.bootstrap_truncated);
    return REIN_OK;
}

/* ---- 3. update ----------------------------------------------------------------------------- */

typedef struct ppo_gather_job {
    rein_ppo *ppo;
    const int32_t *index;
} ppo_gather_job;

static rein_status ppo_gather_block(void *context, int block, int thread)
{
    (void)thread;
    const ppo_gather_job *job = context;
    const rein_rollout *r = job->ppo->data->rollout;
    rein_ppo_batch *b = &job->ppo->batch;
    size_t obs = (size_t)job->ppo->data->obs, act = job->ppo->data->vec->action_bytes;
    int rows = r->n_steps * r->n_rows, first = block * PPO_GATHER_ROWS;
    int end = rows - first < PPO_GATHER_ROWS ? rows : first + PPO_GATHER_ROWS;
    for (int i = first; i < end; i++) {
        size_t from = (size_t)job->index[i], to = (size_t)i;
        const float *x = r->observation + from * obs;
        float *y = b->observation + to * obs;
        for (size_t j = 0; j < obs; j++) y[j] = x[j];
        memcpy(rein_row_at(b->action, to, act), rein_row_at(r->action, from, act), act);
        b->log_prob[to] = r->log_prob[from];
        b->value[to] = r->value[from];
        b->advantage[to] = r->advantage[from];
        b->return_[to] = r->return_[from];
    }
    return REIN_OK;
}

void rein_ppo_gather(rein_ppo *ppo, const int32_t *index)
{
    ppo_gather_job job = {ppo, index};
    int rows = ppo->data->rollout->n_steps * ppo->data->rollout->n_rows;
    rein_team_run(ppo->team, (rows + PPO_GATHER_ROWS - 1) / PPO_GATHER_ROWS, ppo_gather_block,
                  &job);
}

typedef struct ppo_minibatch {
    rein_ppo *ppo;
    int first, n;
} ppo_minibatch;

/* One piece of a minibatch: one network (both losses when shared) on 128 rows. Its gradient goes
 * to its own place in `parts`. */
static rein_status ppo_gradient_piece(void *context, int piece, int thread)
{
    const ppo_minibatch *m = context;
    rein_ppo *ppo = m->ppo;
    rein_ppo_worker *w = &ppo->workers[thread];
    int n_nets = ppo->critic ? 2 : 1, block = piece / n_nets, first;
    int n = ppo_block_rows(m->n, block, &first);
    size_t at = (size_t)(m->first + first);
    double scale = 1.0 / m->n;
    const float *x = ppo->batch.observation + at * (size_t)ppo->data->obs;
    float *part = ppo->parts + (size_t)block * ppo->n_params;
    float *dlog_std = part + ppo->n_actor + ppo->n_critic;
    rein_ppo_sums *sums = &ppo->part_sums[piece];
    *sums = (rein_ppo_sums){0};

    if (piece % n_nets == 1) {
        REIN_TRY(ppo_forward_value(ppo, w, x, n, w->rows.value));
        rein_ppo_value_gradient(&ppo->config, &ppo->batch, at, n, scale, &w->rows, sums);
        REIN_TRY(rein_net_backward(ppo->critic, ppo->params + ppo->n_actor, ppo->packed_critic,
                                   w->critic, w->rows.dvalue, part + ppo->n_actor, NULL));
        return REIN_OK;
    }
    REIN_TRY(ppo_forward_policy(ppo, w, x, n, w->rows.head, w->rows.value));
    const rein_ppo_pi pi = rein_ppo_policy_pi(ppo);
    rein_ppo_policy_gradient(&ppo->config, &pi, &ppo->batch, ppo->data->vec->action_bytes, at, n,
                             scale, &w->rows, dlog_std, sums);
    const float *dy = w->rows.dhead;
    if (!ppo->critic) {
        rein_ppo_value_gradient(&ppo->config, &ppo->batch, at, n, scale, &w->rows, sums);
        rein_ppo_join(w->rows.dhead, w->rows.dvalue, n, ppo->n_head, w->rows.y);
        dy = w->rows.y;
    }
    REIN_TRY(
        rein_net_backward(ppo->actor, ppo->params, ppo->packed_actor, w->actor, dy, part, NULL));
    return REIN_OK;
}

rein_status rein_ppo_minibatch(rein_ppo *ppo, int first, int n, double lr, rein_ppo_sums *sums,
                               double *grad_norm)
{
    if (ppo->config.normalize_advantage) {
        rein_ppo_normalize_advantage(ppo->batch.advantage + first, n);
    }
    ppo_minibatch m = {ppo, first, n};
    int n_blocks = rein_ppo_blocks(n), n_pieces = n_blocks * (ppo->critic ? 2 : 1);
    REIN_TRY(rein_team_run(ppo->team, n_pieces, ppo_gradient_piece, &m));
    if (n_blocks > 1) {
        rein_team_sum(ppo->team, ppo->grad, ppo->parts, n_blocks, ppo->n_params, ppo->n_params);
    }
    rein_ppo_sums all = {0};
    for (int i = 0; i < n_pieces; i++) rein_ppo_sums_add(&all, &ppo->part_sums[i]);
    double norm = rein_grad_norm(ppo->grad, ppo->n_params);
    if (sums) *sums = all;
    if (grad_norm) *grad_norm = norm;
    REIN_TRY(rein_ppo_check_norm(norm, &all, n, ppo->data->step));
    rein_optimizer_step(ppo->optimizer, lr, ppo->grad,
                        rein_grad_clip_scale(norm, ppo->config.max_grad_norm), ppo->params);
    rein_ppo_pack(ppo);
    return REIN_OK;
}

rein_status rein_ppo_update(rein_ppo *ppo, rein_ppo_metrics *out)
{
    const rein_ppo_config *c = &ppo->config;
    int rows = ppo->data->rollout->n_steps * ppo->data->rollout->n_rows,
        size = rows / (int)c->n_minibatches;
    double lr = c->lr;
    if (c->anneal_lr) lr = rein_schedule_linear(c->lr, 0, ppo->updates, ppo->n_updates);
    rein_rng rng =
        rein_rng_stream(ppo->data->vec->seed, REIN_RNG_REPLAY, 0, (uint64_t)ppo->updates);
    for (int i = 0; i < rows; i++) ppo->index[i] = i;

    rein_ppo_sums all = {0};
    double norms = 0;
    int n_steps = 0;
    bool far = false; /* the policy has moved beyond target_kl */
    for (int epoch = 0; epoch < c->n_epochs && !far; epoch++) {
        rein_rng_shuffle(&rng, ppo->index, rows);
        rein_ppo_gather(ppo, ppo->index);
        for (int first = 0; first < rows; first += size) {
            rein_ppo_sums sums;
            double norm;
            REIN_TRY(rein_ppo_minibatch(ppo, first, size, lr, &sums, &norm));
            rein_ppo_sums_add(&all, &sums);
            norms += norm;
            n_steps++;
            far = c->target_kl > 0 && sums.approx_kl / size > c->target_kl;
        }
    }
    ppo->updates++;
    double n = (double)n_steps * size;
    *out = rein_ppo_metrics_of(&all, n, norms, n_steps, ppo->data->rollout, lr);
    return REIN_OK;
}

/* ---- the loop ------------------------------------------------------------------------------ */

static rein_status ppo_run(rein_ppo *ppo, int64_t total_timesteps, rein_run *run)
{
    rein_archive *archive;
    REIN_TRY(rein_run_resume(run, &archive));
    if (archive) REIN_TRY(rein_ppo_archive(ppo, archive));
    while (ppo->data->step < total_timesteps) {
        rein_ppo_metrics metrics;
        REIN_TRY(rein_ppo_collect(ppo));
        REIN_TRY(rein_collector_record(ppo->data, run->recorder));
        REIN_TRY(rein_ppo_update(ppo, &metrics));
        REIN_TRY(rein_ppo_log(&metrics, ppo->data, run));

        unsigned due = rein_run_tick(run, ppo->data->step);
        if (due & REIN_RUN_EVALUATE) {
            REIN_TRY(rein_run_evaluate(run, ppo->data->step, rein_ppo_policy(ppo)));
        }
        if (due & REIN_RUN_CHECKPOINT) {
            REIN_TRY(rein_run_checkpoint_begin(run, ppo->data->step, &archive));
            REIN_TRY(rein_ppo_archive(ppo, archive));
            REIN_TRY(rein_run_checkpoint_end(run));
        }
        if (due & REIN_RUN_STOP) {
            return rein_fail(REIN_EINTERRUPTED, "stopped at step %lld", (long long)ppo->data->step);
        }
    }
    return rein_run_finish(run, ppo->data->step, rein_ppo_policy(ppo));
}

static rein_status ppo_train(const void *config, const rein_task *task, rein_run *run)
{
    rein_ppo *ppo;
    REIN_TRY(rein_ppo_create(config, task, run->recorder != NULL, &ppo));
    rein_status status = ppo_run(ppo, task->total_timesteps, run);
    rein_ppo_free(ppo);
    return status;
}

const rein_algo rein_algo_ppo = {
    .id = "ppo",
    .summary = "proximal policy optimization; discrete and continuous actions",
    .cite = "Schulman et al. 2017, arXiv:1707.06347; details of Huang et al. 2022 and CleanRL",
    .fields = rein_ppo_config_fields,
    .n_fields = REIN_FIELD_COUNT(rein_ppo_config_fields),
    .config_size = sizeof(rein_ppo_config),
    .check = rein_ppo_check,
    .train = ppo_train,
};
