/* Recurrent proximal policy optimization: PPO-clip whose policy and value function remember.
 *
 *   Schulman, Wolski, Dhariwal, Radford, Klimov (2017), "Proximal Policy Optimization Algorithms".
 *   Hochreiter, Schmidhuber (1997), "Long Short-Term Memory"; Cho et al. (2014), "Learning Phrase
 *     Representations using RNN Encoder-Decoder for Statistical Machine Translation" (the GRU).
 *   Huang, Dossa, Raffin, Kanervisto, Wang (2022), "The 37 Implementation Details of Proximal
 *     Policy Optimization", ICLR blog track: its five LSTM details, [lstm 1] to [lstm 5].
 *   Ni, Eysenbach, Salakhutdinov (2022), "Recurrent Model-Free RL Can Be a Strong Baseline for Many
 *     POMDPs", ICML: separate cells for policy and value.
 *
 * Each network is  e = hidden layers (x),  h', s' = cell(e, s),  y = W h' + b  (nets/recurrent.h);
 * s is the state, zero where an episode begins. One iteration, with N rows and T steps:
 *
 * 1. Collect. s is kept per row from step to step and from rollout to rollout, and zeroed at the
 *    first step of an episode; s before the rollout's first step is stored [lstm 3, 4].
 *        a[t] ~ pi(.|x[t], s[t]);   V[t] = V(x[t], s[t]), by the value network's own s
 *    At a time limit the value of the last observation, given what came before it, is estimated at
 *    once (`bootstrap_truncated`).
 * 2. Estimate A, R as in algos/ppo.c.
 * 3. Update. For n_epochs: shuffle the N rows, cut them into n_minibatches, each with all T steps
 *    of its rows [lstm 5]; from the stored s[0] the networks run over the sequence, zeroing s where
 *    an episode begins, and the gradient of algos/ppo.c's loss
 *        L = mean max(-A ratio, -A clip(ratio, 1 - c, 1 + c)) - entropy_coef mean H + value_coef
 *            mean value loss
 *    goes back through all steps of the rollout, not beyond s[0], which counts as a constant.
 *    Sequences are whole, so none needs padding and every step counts once.
 *
 * The cell's weights are orthogonal with gain 1, its biases 0 [lstm 1, 2], or with core_horizon
 * such that it remembers from the start (Tallec & Ollivier 2018): with biases of 0 half of the
 * state is forgotten in each step, and with it the gradient, a millionth of which is left after 20.
 * Everything else, with its options, is algos/ppo.c's. Policy and value have a network with a cell
 * each, as in sb3-contrib and by the finding of Ni et al.; `shared_net` makes one of them, as
 * CleanRL's ppo_atari_lstm.py does.
 *
 * Where we differ from sb3-contrib's RecurrentPPO: the hidden layers stand before the cell (as in
 * CleanRL), there behind it; minibatches are of whole rows, there of any stretch of steps, padded;
 * states stored at the start of a rollout are not computed anew after each epoch, as in both.
 *
 * Reproduced by configs/ppo_recurrent/t_maze.yaml (Bakker 2002); measured there.
 *
 * How work is cut (the same bytes for any number of threads): collection by the vector env's blocks
 * of 8 envs; gradients by 16 rows, policy and value network being separate pieces of work. Partial
 * gradients are added in order of the rows. */
#include "algos/ppo_recurrent.h"

#include <string.h>

#include "algos/ppo_recurrent_internal.h"
#include "algos/schedule.h"

REIN_CONFIG_TABLE(rein_ppo_recurrent_config, REIN_PPO_RECURRENT_FIELDS)

typedef rein_ppo_recurrent_worker worker;

/* ---- networks ------------------------------------------------------------------------------ */

/* Policy head [T n, K] of x [T, n, obs]; a shared network gives value [T n] as well. */
static rein_status ppo_forward_policy(const rein_ppo_recurrent *ppo, worker *w,
                                      rein_recurrent_workspace *workspace, const float *x,
                                      const uint8_t *start, int n_steps, int n, float *state,
                                      float *head, float *value)
{
    bool shared = !ppo->critic;
    REIN_TRY(rein_recurrent_forward(ppo->actor, ppo->params, ppo->packed_actor, workspace, x, start,
                                    n_steps, n, state, shared ? w->rows.y : head));
    if (shared) rein_ppo_split(w->rows.y, n_steps * n, ppo->n_head, head, value);
    return REIN_OK;
}

/* value [n] of x [n, obs] for one step of some rows; their states become the next ones.
 * `w->rows.head` is lost. */
static rein_status ppo_forward_value(const rein_ppo_recurrent *ppo, worker *w, const float *x,
                                     const uint8_t *start, int n, float *state, float *value)
{
    if (!ppo->critic) {
        REIN_TRY(
            ppo_forward_policy(ppo, w, w->actor_step, x, start, 1, n, state, w->rows.head, value));
        return REIN_OK;
    }
    REIN_TRY(rein_recurrent_forward(ppo->critic, ppo->params + ppo->n_actor, ppo->packed_critic,
                                    w->critic_step, x, start, 1, n, state, value));
    return REIN_OK;
}

void rein_ppo_recurrent_pack(rein_ppo_recurrent *ppo)
{
    rein_recurrent_pack(ppo->actor, ppo->params, ppo->packed_actor);
    if (ppo->critic) {
        rein_recurrent_pack(ppo->critic, ppo->params + ppo->n_actor, ppo->packed_critic);
    }
}

/* The state that values are computed from, and its length: the value network's own, or the one of
 * the shared network. */
static float *ppo_value_state(const rein_ppo_recurrent *ppo, size_t *size)
{
    *size = (size_t)rein_recurrent_n_state(ppo->critic ? ppo->critic : ppo->actor);
    return ppo->critic ? ppo->critic_state : ppo->actor_state;
}

/* ---- 1. collect ---------------------------------------------------------------------------- */

/* Random numbers of the whole rollout at once: normals come cheap by the dozen. */
static float *ppo_draw_noise(rein_ppo_recurrent *ppo, const rein_collector_span *s)
{
    const rein_collector *c = ppo->data;
    int n_steps = c->rollout->n_steps, n = n_steps * s->n_rows * c->act;
    float *noise = ppo->noise + (size_t)n_steps * (size_t)(s->row * c->act);
    rein_rng rng = rein_rng_stream(c->vec->seed, REIN_RNG_ACTION, (uint32_t)s->row,
                                   (uint64_t)c->step / (uint64_t)c->vec->n_envs);
    const rein_ppo_pi pi = rein_ppo_recurrent_pi(ppo);
    rein_ppo_noise(&pi, &rng, n, noise);
    return noise;
}

/* Actions, their log-probabilities and values of the block's rows at step t. */
static rein_status ppo_act(rein_ppo_recurrent *ppo, worker *w, const rein_collector_span *s, int t,
                           const float *noise)
{
    rein_rollout *r = ppo->data->rollout;
    const size_t row = (size_t)s->row, at = (size_t)t * (size_t)r->n_rows + row;
    const size_t n_state = (size_t)rein_recurrent_n_state(ppo->actor);
    const float *x = r->observation + at * (size_t)ppo->data->obs;
    const uint8_t *start = ppo->data->start + at;
    void *action = rein_row_at(r->action, at, ppo->data->vec->action_bytes);
    if (ppo->critic) {
        size_t size;
        float *state = ppo_value_state(ppo, &size) + row * size;
        REIN_TRY(ppo_forward_value(ppo, w, x, start, s->n_rows, state, r->value + at));
    }
    REIN_TRY(ppo_forward_policy(ppo, w, w->actor_step, x, start, 1, s->n_rows,
                                ppo->actor_state + row * n_state, w->rows.head, r->value + at));
    const rein_ppo_pi pi = rein_ppo_recurrent_pi(ppo);
    rein_ppo_sample(&pi, w->rows.head, s->n_rows, noise, action);
    rein_ppo_log_prob(&pi, w->rows.head, action, s->n_rows, r->log_prob + at, NULL);
    return REIN_OK;
}

/* Values of last observations where a time limit ended an episode at step t: from copies of the
 * states, which still are those of the ended episodes. */
static rein_status ppo_final_values(rein_ppo_recurrent *ppo, worker *w,
                                    const rein_collector_span *s, int t)
{
    rein_rollout *r = ppo->data->rollout;
    const size_t at = (size_t)t * (size_t)r->n_rows + (size_t)s->row, obs = (size_t)ppo->data->obs;
    size_t size;
    const float *state = ppo_value_state(ppo, &size) + (size_t)s->row * size;
    int n = 0;
    for (size_t i = 0; i < (size_t)s->n_rows; i++) {
        if (!r->truncated[at + i]) continue;
        memcpy(w->x + (size_t)n * obs, ppo->data->final_observation + (at + i) * obs,
               obs * sizeof(float));
        memcpy(w->state + (size_t)n * size, state + i * size, size * sizeof(float));
        n++;
    }
    if (n == 0) return REIN_OK;
    REIN_TRY(ppo_forward_value(ppo, w, w->x, NULL, n, w->state, w->rows.value));
    for (int i = s->n_rows - 1; i >= 0; i--) {
        if (r->truncated[at + (size_t)i]) r->final_value[at + (size_t)i] = w->rows.value[--n];
    }
    return REIN_OK;
}

/* Take one block of envs through the whole rollout. */
static rein_status ppo_collect_block(void *context, int block, int thread)
{
    rein_ppo_recurrent *ppo = context;
    worker *w = &ppo->workers[thread];
    rein_collector *c = ppo->data;
    rein_rollout *r = c->rollout;
    const rein_collector_span s = rein_collector_block(c, block);
    const float *noise = ppo_draw_noise(ppo, &s);
    const size_t row = (size_t)s.row;

    rein_collector_begin(c, block);
    for (int t = 0; t < r->n_steps; t++) {
        REIN_TRY(ppo_act(ppo, w, &s, t, noise + (size_t)t * (size_t)(s.n_rows * c->act)));
        REIN_TRY(rein_collector_step(c, block, t));
        if (ppo->config.bootstrap_truncated) REIN_TRY(ppo_final_values(ppo, w, &s, t));
    }
    size_t size;
    const float *state = ppo_value_state(ppo, &size) + row * size;
    memcpy(w->state, state, (size_t)s.n_rows * size * sizeof(float));
    REIN_TRY(ppo_forward_value(ppo, w, c->next_observation + row * (size_t)c->obs,
                               c->next_start + row, s.n_rows, w->state, r->last_value + row));
    return REIN_OK;
}

rein_status rein_ppo_recurrent_collect(rein_ppo_recurrent *ppo)
{
    rein_collector *c = ppo->data;
    const size_t n = (size_t)c->vec->n_rows * sizeof(float);
    memcpy(ppo->actor_first, ppo->actor_state, n * (size_t)rein_recurrent_n_state(ppo->actor));
    if (ppo->critic) {
        memcpy(ppo->critic_first, ppo->critic_state,
               n * (size_t)rein_recurrent_n_state(ppo->critic));
    }
    rein_collector_open(c);
    REIN_TRY(rein_team_run(ppo->team, c->vec->n_blocks, ppo_collect_block, ppo));
    rein_collector_close(c);

    /* ---- 2. estimate ---- */
    rein_rollout_gae(c->rollout, 0, c->vec->n_rows, ppo->config.gamma, ppo->config.gae_lambda,
                     ppo->config.bootstrap_truncated);
    return REIN_OK;
}

/* ---- 3. update ----------------------------------------------------------------------------- */

/* Rows of one piece of a minibatch of n rows from row `first`. */
static int ppo_piece(int first, int n, int piece, int *piece_first)
{
    const int at = piece * PPO_SEQUENCES;
    *piece_first = first + at;
    return n - at < PPO_SEQUENCES ? n - at : PPO_SEQUENCES;
}

typedef struct ppo_gather_job {
    rein_ppo_recurrent *ppo;
    const int32_t *index;
} ppo_gather_job;

/* Initial states of rows index [n] to [n, size]. */
static void ppo_gather_states(const float *from, const int32_t *index, int n, size_t size,
                              float *to)
{
    for (int i = 0; i < n; i++, to += size) {
        memcpy(to, from + (size_t)index[i] * size, size * sizeof *to);
    }
}

static rein_status ppo_gather_block(void *context, int block, int thread)
{
    (void)thread;
    const ppo_gather_job *job = context;
    const rein_ppo_recurrent *ppo = job->ppo;
    const rein_rollout *r = ppo->data->rollout;
    const rein_sequence_batch *b = &ppo->batch;
    const int size = r->n_rows / (int)ppo->config.n_minibatches;
    const int n_pieces = rein_ppo_recurrent_blocks(size), minibatch = block / n_pieces;
    const size_t obs = (size_t)ppo->data->obs, act = ppo->data->vec->action_bytes;
    int first;
    const int n = ppo_piece(minibatch * size, size, block % n_pieces, &first);
    size_t to = (size_t)first * (size_t)r->n_steps;
    for (int t = 0; t < r->n_steps; t++) {
        for (int i = 0; i < n; i++, to++) {
            const size_t from = (size_t)t * (size_t)r->n_rows + (size_t)job->index[first + i];
            memcpy(b->rows.observation + to * obs, r->observation + from * obs,
                   obs * sizeof(float));
            memcpy(rein_row_at(b->rows.action, to, act), rein_row_at(r->action, from, act), act);
            b->start[to] = ppo->data->start[from];
            b->rows.log_prob[to] = r->log_prob[from];
            b->rows.value[to] = r->value[from];
            b->rows.advantage[to] = r->advantage[from];
            b->rows.return_[to] = r->return_[from];
        }
    }
    const size_t s = (size_t)rein_recurrent_n_state(ppo->actor);
    ppo_gather_states(ppo->actor_first, job->index + first, n, s,
                      b->actor_state + (size_t)first * s);
    if (!ppo->critic) return REIN_OK;
    const size_t v = (size_t)rein_recurrent_n_state(ppo->critic);
    ppo_gather_states(ppo->critic_first, job->index + first, n, v,
                      b->critic_state + (size_t)first * v);
    return REIN_OK;
}

void rein_ppo_recurrent_gather(rein_ppo_recurrent *ppo, const int32_t *index)
{
    ppo_gather_job job = {ppo, index};
    const int n_minibatches = (int)ppo->config.n_minibatches;
    const int size = ppo->data->vec->n_rows / n_minibatches;
    rein_team_run(ppo->team, n_minibatches * rein_ppo_recurrent_blocks(size), ppo_gather_block,
                  &job);
}

typedef struct ppo_minibatch {
    rein_ppo_recurrent *ppo;
    int first, n;
} ppo_minibatch;

/* The value network's piece: all steps of n rows from row `first`. */
static rein_status ppo_critic_piece(rein_ppo_recurrent *ppo, worker *w, int first, int n,
                                    double scale, float *part, rein_ppo_sums *sums)
{
    const int n_steps = ppo->data->rollout->n_steps;
    const size_t at = (size_t)first * (size_t)n_steps;
    const size_t size = (size_t)rein_recurrent_n_state(ppo->critic);
    const float *params = ppo->params + ppo->n_actor;
    memcpy(w->state, ppo->batch.critic_state + (size_t)first * size,
           (size_t)n * size * sizeof(float));
    REIN_TRY(rein_recurrent_forward(ppo->critic, params, ppo->packed_critic, w->critic,
                                    ppo->batch.rows.observation + at * (size_t)ppo->data->obs,
                                    ppo->batch.start + at, n_steps, n, w->state, w->rows.value));
    rein_ppo_value_gradient(&ppo->config, &ppo->batch.rows, at, n_steps * n, scale, &w->rows, sums);
    REIN_TRY(rein_recurrent_backward(ppo->critic, params, ppo->packed_critic, w->critic,
                                     w->rows.dvalue, part + ppo->n_actor));
    return REIN_OK;
}

/* The policy's; of a shared network both losses. */
static rein_status ppo_actor_piece(rein_ppo_recurrent *ppo, worker *w, int first, int n,
                                   double scale, float *part, rein_ppo_sums *sums)
{
    const int n_steps = ppo->data->rollout->n_steps;
    const size_t at = (size_t)first * (size_t)n_steps;
    const size_t size = (size_t)rein_recurrent_n_state(ppo->actor);
    memcpy(w->state, ppo->batch.actor_state + (size_t)first * size,
           (size_t)n * size * sizeof(float));
    REIN_TRY(ppo_forward_policy(
        ppo, w, w->actor, ppo->batch.rows.observation + at * (size_t)ppo->data->obs,
        ppo->batch.start + at, n_steps, n, w->state, w->rows.head, w->rows.value));
    const rein_ppo_pi pi = rein_ppo_recurrent_pi(ppo);
    rein_ppo_policy_gradient(&ppo->config, &pi, &ppo->batch.rows, ppo->data->vec->action_bytes, at,
                             n_steps * n, scale, &w->rows, part + ppo->n_actor + ppo->n_critic,
                             sums);
    const float *dy = w->rows.dhead;
    if (!ppo->critic) {
        rein_ppo_value_gradient(&ppo->config, &ppo->batch.rows, at, n_steps * n, scale, &w->rows,
                                sums);
        rein_ppo_join(w->rows.dhead, w->rows.dvalue, n_steps * n, ppo->n_head, w->rows.y);
        dy = w->rows.y;
    }
    REIN_TRY(
        rein_recurrent_backward(ppo->actor, ppo->params, ppo->packed_actor, w->actor, dy, part));
    return REIN_OK;
}

/* One piece of a minibatch: one network (both losses when shared) on up to 16 rows. Its gradient
 * goes to its own place in `parts`. */
static rein_status ppo_gradient_piece(void *context, int piece, int thread)
{
    const ppo_minibatch *m = context;
    rein_ppo_recurrent *ppo = m->ppo;
    worker *w = &ppo->workers[thread];
    const int n_nets = ppo->critic ? 2 : 1, block = piece / n_nets;
    int first;
    const int n = ppo_piece(m->first, m->n, block, &first);
    const double scale = 1.0 / ((double)m->n * ppo->data->rollout->n_steps);
    float *part = ppo->parts + (size_t)block * ppo->n_params;
    rein_ppo_sums *sums = &ppo->part_sums[piece];
    *sums = (rein_ppo_sums){0};
    if (piece % n_nets == 1) {
        REIN_TRY(ppo_critic_piece(ppo, w, first, n, scale, part, sums));
    } else {
        REIN_TRY(ppo_actor_piece(ppo, w, first, n, scale, part, sums));
    }
    return REIN_OK;
}

rein_status rein_ppo_recurrent_minibatch(rein_ppo_recurrent *ppo, int first, int n, double lr,
                                         rein_ppo_sums *sums, double *grad_norm)
{
    const int n_steps = ppo->data->rollout->n_steps;
    if (ppo->config.normalize_advantage) {
        rein_ppo_normalize_advantage(ppo->batch.rows.advantage + (size_t)first * (size_t)n_steps,
                                     n * n_steps);
    }
    ppo_minibatch m = {ppo, first, n};
    const int n_blocks = rein_ppo_recurrent_blocks(n), n_pieces = n_blocks * (ppo->critic ? 2 : 1);
    REIN_TRY(rein_team_run(ppo->team, n_pieces, ppo_gradient_piece, &m));
    if (n_blocks > 1) {
        rein_team_sum(ppo->team, ppo->grad, ppo->parts, n_blocks, ppo->n_params, ppo->n_params);
    }
    rein_ppo_sums all = {0};
    for (int i = 0; i < n_pieces; i++) rein_ppo_sums_add(&all, &ppo->part_sums[i]);
    const double norm = rein_grad_norm(ppo->grad, ppo->n_params), rows = (double)n * n_steps;
    if (sums) *sums = all;
    if (grad_norm) *grad_norm = norm;
    REIN_TRY(rein_ppo_check_norm(norm, &all, rows, ppo->data->step));
    rein_optimizer_step(ppo->optimizer, lr, ppo->grad,
                        rein_grad_clip_scale(norm, ppo->config.max_grad_norm), ppo->params);
    rein_ppo_recurrent_pack(ppo);
    return REIN_OK;
}

rein_status rein_ppo_recurrent_update(rein_ppo_recurrent *ppo, rein_ppo_metrics *out)
{
    const rein_ppo_config *c = &ppo->config;
    const rein_rollout *r = ppo->data->rollout;
    const int n_rows = r->n_rows, size = n_rows / (int)c->n_minibatches;
    double lr = c->lr;
    if (c->anneal_lr) lr = rein_schedule_linear(c->lr, 0, ppo->updates, ppo->n_updates);
    rein_rng rng =
        rein_rng_stream(ppo->data->vec->seed, REIN_RNG_REPLAY, 0, (uint64_t)ppo->updates);
    for (int i = 0; i < n_rows; i++) ppo->index[i] = i;

    rein_ppo_sums all = {0};
    double norms = 0;
    int n_minibatches = 0;
    bool far = false; /* the policy has moved beyond target_kl */
    for (int epoch = 0; epoch < c->n_epochs && !far; epoch++) {
        rein_rng_shuffle(&rng, ppo->index, n_rows);
        rein_ppo_recurrent_gather(ppo, ppo->index);
        for (int first = 0; first < n_rows; first += size) {
            rein_ppo_sums sums;
            double norm;
            REIN_TRY(rein_ppo_recurrent_minibatch(ppo, first, size, lr, &sums, &norm));
            rein_ppo_sums_add(&all, &sums);
            norms += norm;
            n_minibatches++;
            far = c->target_kl > 0 && sums.approx_kl / ((double)size * r->n_steps) > c->target_kl;
        }
    }
    ppo->updates++;
    const double n = (double)n_minibatches * size * r->n_steps;
    *out = rein_ppo_metrics_of(&all, n, norms, n_minibatches, r, lr);
    return REIN_OK;
}

/* ---- the loop ------------------------------------------------------------------------------ */

static rein_status ppo_run(rein_ppo_recurrent *ppo, int64_t total_timesteps, rein_run *run)
{
    const rein_collector *c = ppo->data;
    rein_archive *archive;
    REIN_TRY(rein_run_resume(run, &archive));
    if (archive) REIN_TRY(rein_ppo_recurrent_archive(ppo, archive));
    while (c->step < total_timesteps) {
        rein_ppo_metrics metrics;
        REIN_TRY(rein_ppo_recurrent_collect(ppo));
        REIN_TRY(rein_collector_record(c, run->recorder));
        REIN_TRY(rein_ppo_recurrent_update(ppo, &metrics));
        REIN_TRY(rein_ppo_log(&metrics, c, run));

        unsigned due = rein_run_tick(run, c->step);
        if (due & REIN_RUN_EVALUATE) {
            REIN_TRY(rein_run_evaluate(run, c->step, rein_ppo_recurrent_policy(ppo)));
        }
        if (due & REIN_RUN_CHECKPOINT) {
            REIN_TRY(rein_run_checkpoint_begin(run, c->step, &archive));
            REIN_TRY(rein_ppo_recurrent_archive(ppo, archive));
            REIN_TRY(rein_run_checkpoint_end(run));
        }
        if (due & REIN_RUN_STOP) {
            return rein_fail(REIN_EINTERRUPTED, "stopped at step %lld", (long long)c->step);
        }
    }
    return rein_run_finish(run, c->step, rein_ppo_recurrent_policy(ppo));
}

static rein_status ppo_train(const void *config, const rein_task *task, rein_run *run)
{
    rein_ppo_recurrent *ppo;
    REIN_TRY(rein_ppo_recurrent_create(config, task, run->recorder != NULL, &ppo));
    rein_status status = ppo_run(ppo, task->total_timesteps, run);
    rein_ppo_recurrent_free(ppo);
    return status;
}

const rein_algo rein_algo_ppo_recurrent = {
    .id = "ppo_recurrent",
    .summary = "proximal policy optimization with an LSTM or a GRU: for what must be remembered",
    .cite =
        "Schulman et al. 2017; Hochreiter & Schmidhuber 1997; LSTM details of Huang et al. 2022",
    .fields = rein_ppo_recurrent_config_fields,
    .n_fields = REIN_FIELD_COUNT(rein_ppo_recurrent_config_fields),
    .config_size = sizeof(rein_ppo_recurrent_config),
    .check = rein_ppo_recurrent_check,
    .train = ppo_train,
};
