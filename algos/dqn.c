/* DQN: learn the value of every action from replayed experience.
 *
 * Mnih, Kavukcuoglu, Silver et al. (2015), "Human-level control through deep reinforcement
 * learning", Nature 518. Double Q-learning: van Hasselt, Guez & Silver (2016). Details as in
 * CleanRL's dqn.py (Huang et al. 2022), whose settings are the defaults.
 *
 * A network Q(s, a; w) estimates the discounted return of doing a in s and then acting well. The
 * agent acts epsilon-greedily: with probability epsilon (1 falling to end_epsilon) any action, else
 * argmax_a Q(s, a). Every train_frequency steps, n_updates times, it samples transitions
 * (s, a, r, s', terminated) and takes a gradient step on
 *
 *     y    = r + gamma (1 - terminated) max_a' Q(s', a'; w-)                             (1)
 *     d    = y - Q(s, a; w)                                       the TD error           (2)
 *     L(w) = mean of d^2            (loss: squared), or
 *            mean of d^2 / 2 where |d| < 1, |d| - 1/2 beyond     (loss: huber)           (3)
 *
 *     dL/dQ(s, a) = -2 d / n   or   -clip(d, -1, 1) / n,   0 for the actions not chosen  (4)
 *
 * (4) is where backpropagation begins; y is taken as a constant. Clipping the error to [-1, 1] as
 * the paper does is Huber's loss. It is no drop-in for the squared one: with the other defaults the
 * values of CartPole-v1 grow without bound (seeds 0 to 5; a separate program in double does the
 * same), since no error pulls harder than 1; it wants a larger lr and a target that follows sooner.
 * With double_q,
 *
 *     y    = r + gamma (1 - terminated) Q(s', argmax_a' Q(s', a'; w); w-)                (5)
 *
 * so that one network chooses and the other one judges: the maximum of noisy estimates is biased
 * upwards, a noisy estimate of an independently chosen action is not.
 *
 * Why replay: successive steps look alike, and a network fitted to them forgets the rest. Sampling
 * uniformly from the last buffer_size transitions makes batches nearly independent and uses each
 * transition many times; that is allowed since (1) holds for whatever policy collected it.
 *
 * Why a target network: in (1) the estimate is fitted to itself. Were w- = w, each step would move
 * its own goal, and errors would chase each other upwards. The weights w- stay fixed for
 * target_update_frequency steps and are then copied (tau = 1) or averaged: w- += tau (w - w-).
 *
 * An episode that was cut by a time limit bootstraps: only `terminated` ends the sum in (1), and
 * s' is then the episode's last observation, never the first of the next one.
 *
 * Deviations from the paper: Adam and the squared error by default (as CleanRL; optimizer =
 * rmsprop, rmsprop_centered, loss = huber, clip_reward are there); no frame stacking. From
 * CleanRL: several environments may share one learner, then steps count over all of them, and as
 * many trainings are done after a step as multiples of train_frequency it passed.
 *
 * Same bytes for any number of threads: rows of a batch are cut in blocks of a fixed size, whose
 * gradients are summed in block order; actions, starts and samples have random streams of their
 * own (seed, purpose, row, step).
 *
 * Reproduces: configs/dqn/; results in docs/results.md. */
#include "algos/dqn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "algos/schedule.h"
#include "nets/distribution.h"

REIN_CONFIG_TABLE(rein_dqn_config, REIN_DQN_FIELDS)

enum { BLOCK_ROWS = 128, MIN_LOG_STEPS = 1000, LOG_ROWS = 500 };

struct rein_dqn_scratch {
    rein_net_workspace *net; /* for max(block_rows, envs of a block) rows */
    float *x, *next_x;       /* [rows, obs] where observations need converting */
    float *q, *dq;           /* [rows, n_actions] */
    float *next_q;           /* [rows, n_actions] of the target network */
    float *next_q_online;    /* [rows, n_actions] */
    float *target;           /* [rows] */
    float *reward;           /* [rows] clipped */
    int32_t *greedy;         /* [rows] */
};

/* --- mathematics ------------------------------------------------------------------------------ */

static int largest(const float *q, int k)
{
    int best = 0;
    for (int a = 1; a < k; a++) {
        if (q[a] > q[best]) best = a;
    }
    return best;
}

void rein_dqn_target(const float *next_q, const float *next_q_online, const float *reward,
                     const uint8_t *terminated, int n, int k, double gamma, float *target)
{
    const float *chooses = next_q_online ? next_q_online : next_q;
    float discount = (float)gamma;
    for (int i = 0; i < n; i++) {
        size_t row = (size_t)i * (size_t)k;
        float next = next_q[row + (size_t)largest(chooses + row, k)]; /* eq. 1 or 5 */
        target[i] = terminated[i] ? reward[i] : reward[i] + discount * next;
    }
}

double rein_dqn_loss(rein_dqn_loss_kind kind, const float *q, const int32_t *action,
                     const float *target, int n, int k, double scale, float *td_error, float *dq)
{
    double loss = 0;
    memset(dq, 0, (size_t)n * (size_t)k * sizeof *dq);
    for (int i = 0; i < n; i++) {
        size_t chosen = (size_t)i * (size_t)k + (size_t)action[i];
        float d = target[i] - q[chosen];
        td_error[i] = d;
        if (kind == REIN_DQN_SQUARED) {
            loss += (double)d * (double)d;
            dq[chosen] = (float)scale * -2 * d;
        } else {
            float size = fabsf(d);
            loss += size < 1 ? 0.5 * (double)d * (double)d : (double)size - 0.5;
            dq[chosen] = (float)scale * (d > 1 ? -1 : d < -1 ? 1 : -d);
        }
    }
    return scale * loss;
}

/* --- acting ----------------------------------------------------------------------------------- */

/* Observations [n, obs] as the network reads them: themselves, or converted into `scratch`. */
static const float *as_float(const rein_dqn *dqn, const void *observation, int n, float *scratch)
{
    const rein_observation_space *space = &dqn->vec->spec.observation;
    if (space->dtype == REIN_F32) return observation;
    rein_observation_to_float(space, observation, n, scratch);
    return scratch;
}

/* Row i of [n, obs] observations. */
static void *observation_row(const rein_dqn *dqn, void *observation, int i)
{
    return (unsigned char *)observation + (size_t)i * dqn->vec->observation_bytes;
}

/* Epsilon-greedy actions of envs [first, first + n). The network runs only if somebody asks. */
static rein_status act(rein_dqn *dqn, rein_dqn_scratch *s, int first, int n)
{
    int32_t *action = (int32_t *)dqn->vec->action + first;
    uint32_t k = (uint32_t)dqn->n_actions;
    bool wanted = false;
    for (int i = 0; i < n; i++) {
        rein_rng rng = rein_rng_stream(dqn->task->seed, REIN_RNG_ACTION, (uint32_t)(first + i),
                                       dqn->vec->steps[first + i]);
        bool explores = rein_rng_uniform(&rng) < dqn->epsilon;
        action[i] = explores ? (int32_t)rein_rng_below(&rng, k) : -1;
        wanted |= !explores;
    }
    if (!wanted) return REIN_OK;
    const rein_policy *policy = dqn->policy;
    const float *x = as_float(dqn, observation_row(dqn, dqn->observation, first), n, s->x);
    REIN_TRY(rein_net_forward(policy->net, policy->params, policy->packed, s->net, x, n, s->q));
    rein_categorical_mode(s->q, NULL, n, dqn->n_actions, s->greedy);
    for (int i = 0; i < n; i++) {
        if (action[i] < 0) action[i] = s->greedy[i];
    }
    return REIN_OK;
}

static rein_status collect_block(void *context, int block, int thread)
{
    rein_dqn *dqn = context;
    int first, n = rein_vec_block(dqn->vec, block, &first);
    memcpy(observation_row(dqn, dqn->observation, first),
           observation_row(dqn, dqn->vec->observation, first),
           (size_t)n * dqn->vec->observation_bytes);
    REIN_TRY(act(dqn, &dqn->scratch[thread], first, n));
    return rein_vec_step_block(dqn->vec, block);
}

rein_status rein_dqn_collect(rein_dqn *dqn, double epsilon)
{
    rein_vec *vec = dqn->vec;
    dqn->epsilon = epsilon;
    REIN_TRY(rein_team_run(dqn->task->team, vec->n_blocks, collect_block, dqn));
    rein_ring_push(dqn->ring, dqn->observation, vec->action, vec->reward, vec->terminated,
                   vec->truncated, vec->final_observation, vec->observation);
    for (int e = 0; e < vec->n_envs; e++) {
        if (!vec->terminated[e] && !vec->truncated[e]) continue;
        rein_episodes_push(&dqn->episodes, vec->episode_return[e], vec->episode_length[e]);
        dqn->episodes.broken += vec->broken[e];
    }
    dqn->step += vec->n_envs;
    return REIN_OK;
}

/* --- learning --------------------------------------------------------------------------------- */

/* Rows [first, first + n) of a batch. */
static rein_ring_batch batch_rows(const rein_dqn *dqn, const rein_ring_batch *batch, int first)
{
    return (rein_ring_batch){
        .observation = observation_row(dqn, batch->observation, first),
        .action = (int32_t *)batch->action + first,
        .reward = batch->reward + first,
        .next_observation = observation_row(dqn, batch->next_observation, first),
        .terminated = batch->terminated + first,
    };
}

/* Eq. 1 or 5 for n rows, into s->target. */
static rein_status find_targets(const rein_dqn *dqn, rein_dqn_scratch *s,
                                const rein_ring_batch *rows, int n)
{
    const rein_policy *policy = dqn->policy;
    const float *reward = rows->reward;
    const float *x = as_float(dqn, rows->next_observation, n, s->next_x);
    REIN_TRY(rein_net_forward(policy->net, dqn->target_params, dqn->target_packed, s->net, x, n,
                              s->next_q));
    if (dqn->config.double_q) {
        REIN_TRY(rein_net_forward(policy->net, policy->params, policy->packed, s->net, x, n,
                                  s->next_q_online));
    }
    if (dqn->config.clip_reward) {
        for (int i = 0; i < n; i++) {
            s->reward[i] = reward[i] < -1 ? -1 : reward[i] > 1 ? 1 : reward[i];
        }
        reward = s->reward;
    }
    rein_dqn_target(s->next_q, dqn->config.double_q ? s->next_q_online : NULL, reward,
                    rows->terminated, n, dqn->n_actions, dqn->config.gamma, s->target);
    return REIN_OK;
}

/* Gradient and loss of one block of rows. */
static rein_status update_block(void *context, int block, int thread)
{
    rein_dqn *dqn = context;
    rein_dqn_scratch *s = &dqn->scratch[thread];
    const rein_policy *policy = dqn->policy;
    int first = block * dqn->block_rows, batch_size = (int)dqn->config.batch_size;
    int n = batch_size - first < dqn->block_rows ? batch_size - first : dqn->block_rows;
    rein_ring_batch rows = batch_rows(dqn, dqn->given ? dqn->given : &dqn->batch, first);
    if (!dqn->given) rein_ring_gather(dqn->ring, dqn->index + first, n, &rows);

    REIN_TRY(find_targets(dqn, s, &rows, n));
    const float *x = as_float(dqn, rows.observation, n, s->x);
    REIN_TRY(rein_net_forward(policy->net, policy->params, policy->packed, s->net, x, n, s->q));
    dqn->block_loss[block] =
        rein_dqn_loss((rein_dqn_loss_kind)dqn->config.loss, s->q, rows.action, s->target, n,
                      dqn->n_actions, 1.0 / batch_size, dqn->td_error + first, s->dq);
    double q_sum = 0;
    for (int i = 0; i < n; i++) q_sum += (double)(s->target[i] - dqn->td_error[first + i]);
    dqn->block_q[block] = q_sum;
    REIN_TRY(rein_net_backward(policy->net, policy->params, policy->packed, s->net, s->dq,
                               dqn->grad + (size_t)block * dqn->grad_stride, NULL));
    return REIN_OK;
}

rein_status rein_dqn_update(rein_dqn *dqn, const rein_ring_batch *batch)
{
    rein_policy *policy = dqn->policy;
    dqn->given = batch;
    if (!batch) {
        rein_rng rng = rein_rng_stream(dqn->task->seed, REIN_RNG_REPLAY, 0, (uint64_t)dqn->updates);
        REIN_TRY(rein_ring_sample(dqn->ring, &rng, (int)dqn->config.batch_size, dqn->index));
    }
    REIN_TRY(rein_team_run(dqn->task->team, dqn->n_blocks, update_block, dqn));
    double loss = 0, q = 0;
    for (int b = 0; b < dqn->n_blocks; b++) {
        loss += dqn->block_loss[b];
        q += dqn->block_q[b];
    }
    if (!isfinite(loss)) {
        return rein_fail(REIN_ENAN,
                         "the loss is not finite at step %lld (update %lld): try a smaller algo.lr "
                         "than %g, or algo.max_grad_norm=10",
                         (long long)dqn->step, (long long)dqn->updates, dqn->config.lr);
    }
    if (dqn->n_blocks > 1) {
        rein_team_sum(dqn->task->team, dqn->grad, dqn->grad, dqn->n_blocks, dqn->grad_stride,
                      policy->n_params);
    }
    double scale = 1;
    if (dqn->config.max_grad_norm > 0) {
        scale = rein_grad_clip_scale(rein_grad_norm(dqn->grad, policy->n_params),
                                     dqn->config.max_grad_norm);
    }
    rein_optimizer_step(dqn->optimizer, dqn->config.lr, dqn->grad, scale, policy->params);
    rein_policy_pack(policy);
    dqn->updates++;
    dqn->loss = loss;
    dqn->q_mean = q / (double)dqn->config.batch_size;
    return REIN_OK;
}

void rein_dqn_update_target(rein_dqn *dqn)
{
    rein_polyak(dqn->target_params, dqn->policy->params, dqn->policy->n_params, dqn->config.tau);
    rein_net_pack(dqn->policy->net, dqn->target_params, dqn->target_packed);
}

/* --- the loop --------------------------------------------------------------------------------- */

/* How many multiples of `every` are in (before, now]. */
static int64_t multiples(int64_t before, int64_t now, int64_t every)
{
    return now / every - before / every;
}

static rein_status learn_when_due(rein_dqn *dqn, int64_t before)
{
    const rein_dqn_config *config = &dqn->config;
    if (dqn->step <= config->learning_starts) return REIN_OK;
    int64_t n = multiples(before, dqn->step, config->train_frequency) * config->n_updates;
    for (int64_t i = 0; i < n; i++) {
        REIN_TRY(rein_dqn_update(dqn, NULL));
        dqn->loss_sum += dqn->loss;
        dqn->q_sum += dqn->q_mean;
        dqn->n_summed++;
    }
    if (multiples(before, dqn->step, config->target_update_frequency) > 0) {
        rein_dqn_update_target(dqn);
    }
    return REIN_OK;
}

static rein_status record(rein_dqn *dqn, rein_run *run)
{
    const rein_vec *vec = dqn->vec;
    if (!run->recorder) return REIN_OK;
    return rein_recorder_push(run->recorder, &(rein_recorder_steps){
                                                 .n_steps = 1,
                                                 .observation = dqn->observation,
                                                 .action = vec->action,
                                                 .reward = vec->reward,
                                                 .terminated = vec->terminated,
                                                 .truncated = vec->truncated,
                                                 .final_observation = vec->final_observation,
                                                 .episode_return = vec->episode_return,
                                                 .episode_length = vec->episode_length,
                                             });
}

/* A row of metrics; losses and values are means over the updates since the last row. */
static rein_status log_row(rein_dqn *dqn, rein_run *run)
{
    double n = (double)dqn->n_summed;
    rein_metric metrics[] = {
        {"epsilon", dqn->epsilon},         {"lr", dqn->config.lr},
        {"updates", (double)dqn->updates}, {"td_loss", dqn->loss_sum / n},
        {"q_values", dqn->q_sum / n},
    };
    int known = dqn->n_summed > 0 ? 5 : 3;
    dqn->loss_sum = dqn->q_sum = 0;
    dqn->n_summed = 0;
    return rein_run_log(run, dqn->step, &dqn->episodes, metrics, known);
}

static rein_status checkpoint(rein_dqn *dqn, rein_run *run)
{
    rein_archive *archive;
    REIN_TRY(rein_run_checkpoint_begin(run, dqn->step, &archive));
    REIN_TRY(rein_dqn_archive(dqn, archive, run->folder));
    REIN_TRY(rein_run_checkpoint_end(run));
    rein_ring_saved(dqn->ring, run->folder);
    return REIN_OK;
}

static rein_status train(rein_dqn *dqn, rein_run *run)
{
    const rein_dqn_config *config = &dqn->config;
    int64_t total = dqn->task->total_timesteps;
    int64_t exploration = (int64_t)(config->exploration_fraction * (double)total);
    int64_t log_every = total / LOG_ROWS > MIN_LOG_STEPS ? total / LOG_ROWS : MIN_LOG_STEPS;
    rein_archive *archive;
    REIN_TRY(rein_run_resume(run, &archive));
    if (archive) REIN_TRY(rein_dqn_archive(dqn, archive, run->folder));
    while (dqn->step < total) {
        int64_t before = dqn->step;
        REIN_TRY(
            rein_dqn_collect(dqn, rein_schedule_linear(config->start_epsilon, config->end_epsilon,
                                                       before, exploration)));
        REIN_TRY(record(dqn, run));
        REIN_TRY(learn_when_due(dqn, before));
        dqn->policy->timesteps = dqn->step;
        if (multiples(before, dqn->step, log_every) > 0 || dqn->step >= total) {
            REIN_TRY(log_row(dqn, run));
        }
        unsigned due = rein_run_tick(run, dqn->step);
        if (due & REIN_RUN_EVALUATE) REIN_TRY(rein_run_evaluate(run, dqn->step, dqn->policy));
        if (due & REIN_RUN_CHECKPOINT) REIN_TRY(checkpoint(dqn, run));
        if (due & REIN_RUN_STOP) {
            return rein_fail(REIN_EINTERRUPTED, "stopped at step %lld of %lld",
                             (long long)dqn->step, (long long)total);
        }
    }
    return rein_run_finish(run, dqn->step, dqn->policy);
}

rein_status rein_dqn_train(const void *config, const rein_task *task, rein_run *run)
{
    rein_dqn *dqn;
    REIN_TRY(rein_dqn_create(config, task, &dqn));
    rein_status status = train(dqn, run);
    rein_dqn_free(dqn);
    return status;
}

/* --- save, load, create, free ----------------------------------------------------------------- */

static rein_status archive_parts(rein_dqn *dqn, rein_archive *archive, const char *folder)
{
    size_t n = dqn->policy->n_params;
    REIN_TRY(rein_archive_i64(archive, "step", &dqn->step));
    REIN_TRY(rein_archive_i64(archive, "updates", &dqn->updates));
    REIN_TRY(rein_archive_f64(archive, "loss_sum", &dqn->loss_sum));
    REIN_TRY(rein_archive_f64(archive, "q_sum", &dqn->q_sum));
    REIN_TRY(rein_archive_i64(archive, "n_summed", &dqn->n_summed));
    REIN_TRY(rein_archive_array(archive, "params", REIN_F32, dqn->policy->params, n));
    REIN_TRY(rein_archive_array(archive, "target_params", REIN_F32, dqn->target_params, n));
#define PART(name, expression)                                                                     \
    rein_archive_enter(archive, name);                                                             \
    REIN_TRY(expression);                                                                          \
    rein_archive_leave(archive)
    PART("optimizer", rein_optimizer_archive(dqn->optimizer, archive));
    PART("vec", rein_vec_archive(dqn->vec, archive));
    PART("episodes", rein_episodes_archive(&dqn->episodes, archive));
#undef PART
    return rein_ring_archive(dqn->ring, archive, folder); /* in its own group, replay/ */
}

rein_status rein_dqn_archive(rein_dqn *dqn, rein_archive *archive, const char *folder)
{
    rein_archive_enter(archive, "dqn");
    REIN_TRY(archive_parts(dqn, archive, folder));
    rein_archive_leave(archive);
    if (!archive->loading) return REIN_OK;
    dqn->policy->timesteps = dqn->step;
    rein_policy_pack(dqn->policy);
    rein_net_pack(dqn->policy->net, dqn->target_params, dqn->target_packed);
    return REIN_OK;
}

static rein_status dqn_check(const void *config, const rein_task *task, const rein_env_spec *spec)
{
    const rein_dqn_config *c = config;
    if (spec->action.kind != REIN_DISCRETE) {
        return rein_fail(REIN_EUNSUPPORTED,
                         "dqn needs discrete actions, %s has continuous ones: use ppo",
                         task->env->id);
    }
    if (spec->n_agents != 1) {
        return rein_fail(REIN_EUNSUPPORTED, "dqn trains one agent, %s has %d: use ppo",
                         task->env->id, spec->n_agents);
    }
    if (c->buffer_size < 2 * (int64_t)task->n_envs) {
        return rein_fail(REIN_ECONFIG,
                         "algo.buffer_size %lld is less than two steps of %d environments: set it "
                         "to %d or more",
                         (long long)c->buffer_size, task->n_envs, 2 * task->n_envs);
    }
    if (c->learning_starts >= task->total_timesteps) {
        return rein_fail(REIN_ECONFIG,
                         "algo.learning_starts %lld is not below run.total_timesteps %lld: nothing "
                         "would be learned",
                         (long long)c->learning_starts, (long long)task->total_timesteps);
    }
    rein_net_spec net;
    return rein_task_net(task, &spec->observation, spec->action.n, &net);
}

static rein_status create_policy(rein_dqn *dqn)
{
    const rein_task *task = dqn->task;
    const rein_env_spec *env = &dqn->vec->spec;
    rein_policy_spec spec = {
        .observation = env->observation,
        .action = env->action,
        .head = REIN_HEAD_Q,
    };
    REIN_TRY(rein_task_net(task, &env->observation, env->action.n, &spec.net));
    strncpy(spec.env_id, task->env->id, sizeof spec.env_id - 1);
    strncpy(spec.algo_id, rein_algo_dqn.id, sizeof spec.algo_id - 1);
    REIN_TRY(rein_policy_create(&spec, &dqn->policy));
    rein_policy *policy = dqn->policy;
    policy->epsilon = dqn->config.end_epsilon;
    rein_rng rng = rein_rng_stream(task->seed, REIN_RNG_INIT, 0, 0);
    REIN_TRY(
        rein_net_init(policy->net, (rein_init)task->net.init, sqrt(2), 1, &rng, policy->params));
    rein_policy_pack(policy);
    return REIN_OK;
}

/* n zeroed items on a 64-byte boundary, or NULL with *failed set. */
static void *new_array(size_t n, size_t item, bool *failed)
{
    size_t bytes = (n * item + 63) / 64 * 64;
    void *out = aligned_alloc(64, bytes ? bytes : 64);
    if (out) memset(out, 0, bytes);
    *failed |= !out;
    return out;
}

static rein_status create_scratch(rein_dqn *dqn)
{
    int threads = rein_team_threads(dqn->task->team);
    int max_rows = dqn->vec->block_size > dqn->block_rows ? dqn->vec->block_size : dqn->block_rows;
    size_t rows = (size_t)max_rows, values = rows * (size_t)dqn->n_actions;
    size_t inputs = rows * (size_t)dqn->vec->spec.observation.size;
    bool failed = false;
    dqn->scratch = new_array((size_t)threads, sizeof *dqn->scratch, &failed);
    for (int t = 0; !failed && t < threads; t++) {
        rein_dqn_scratch *s = &dqn->scratch[t];
        s->x = new_array(inputs, sizeof *s->x, &failed);
        s->next_x = new_array(inputs, sizeof *s->next_x, &failed);
        s->q = new_array(values, sizeof *s->q, &failed);
        s->dq = new_array(values, sizeof *s->dq, &failed);
        s->next_q = new_array(values, sizeof *s->next_q, &failed);
        s->next_q_online = new_array(values, sizeof *s->next_q_online, &failed);
        s->target = new_array(rows, sizeof *s->target, &failed);
        s->reward = new_array(rows, sizeof *s->reward, &failed);
        s->greedy = new_array(rows, sizeof *s->greedy, &failed);
        REIN_TRY(rein_net_workspace_create(dqn->policy->net, max_rows, &s->net));
    }
    return failed ? rein_fail(REIN_ENOMEM, "no memory for dqn's scratch") : REIN_OK;
}

static rein_status create_arrays(rein_dqn *dqn)
{
    size_t n = (size_t)dqn->config.batch_size, blocks = (size_t)dqn->n_blocks;
    size_t envs = (size_t)dqn->vec->n_envs, row = dqn->vec->observation_bytes;
    size_t n_params = dqn->policy->n_params;
    bool failed = false;
    dqn->grad_stride = (n_params + 15) / 16 * 16;
    dqn->target_params = new_array(n_params, sizeof(float), &failed);
    dqn->target_packed = new_array(rein_net_n_packed(dqn->policy->net), sizeof(float), &failed);
    dqn->grad = new_array(blocks * dqn->grad_stride, sizeof(float), &failed);
    dqn->block_loss = new_array(blocks, sizeof(double), &failed);
    dqn->block_q = new_array(blocks, sizeof(double), &failed);
    dqn->observation = new_array(envs, row, &failed);
    dqn->index = new_array(n, sizeof(int64_t), &failed);
    dqn->td_error = new_array(n, sizeof(float), &failed);
    dqn->batch.observation = new_array(n, row, &failed);
    dqn->batch.next_observation = new_array(n, row, &failed);
    dqn->batch.action = new_array(n, sizeof(int32_t), &failed);
    dqn->batch.reward = new_array(n, sizeof(float), &failed);
    dqn->batch.terminated = new_array(n, 1, &failed);
    if (failed) return rein_fail(REIN_ENOMEM, "no memory for dqn's batch and networks");
    memcpy(dqn->target_params, dqn->policy->params, n_params * sizeof(float));
    rein_net_pack(dqn->policy->net, dqn->target_params, dqn->target_packed);
    return create_scratch(dqn);
}

static rein_status create_parts(rein_dqn *dqn)
{
    const rein_task *task = dqn->task;
    const rein_dqn_config *config = &dqn->config;
    rein_vec_options envs = {
        .env = task->env,
        .config = task->env_config,
        .n_envs = task->n_envs,
        .max_episode_steps = task->max_episode_steps,
        .seed = task->seed,
    };
    REIN_TRY(rein_vec_create(&envs, &dqn->vec));
    REIN_TRY(dqn_check(config, task, &dqn->vec->spec));
    const rein_env_spec *spec = &dqn->vec->spec;
    dqn->n_actions = spec->action.n;
    dqn->block_rows = config->batch_size < BLOCK_ROWS ? (int)config->batch_size : BLOCK_ROWS;
    dqn->n_blocks = ((int)config->batch_size + dqn->block_rows - 1) / dqn->block_rows;
    REIN_TRY(create_policy(dqn));
    rein_optimizer_options optimizer = {
        .kind = (rein_optimizer_kind)config->optimizer,
        .alpha = config->rmsprop_alpha,
        .eps = config->optimizer_eps,
        .centered = config->rmsprop_centered,
    };
    REIN_TRY(rein_optimizer_create(&optimizer, dqn->policy->n_params, &dqn->optimizer));
    rein_ring_options ring = {
        .capacity = config->buffer_size,
        .n_envs = task->n_envs,
        .observation_type = spec->observation.dtype,
        .observation_size = spec->observation.size,
        .action_type = REIN_I32,
        .action_size = 1,
    };
    REIN_TRY(rein_ring_create(&ring, &dqn->ring));
    return create_arrays(dqn);
}

rein_status rein_dqn_create(const rein_dqn_config *config, const rein_task *task, rein_dqn **out)
{
    *out = NULL;
    rein_dqn *dqn = calloc(1, sizeof *dqn);
    if (!dqn) return rein_fail(REIN_ENOMEM, "no memory for dqn");
    dqn->config = *config;
    dqn->task = task;
    rein_status status = create_parts(dqn);
    if (status != REIN_OK) {
        rein_dqn_free(dqn);
        return status;
    }
    *out = dqn;
    return REIN_OK;
}

static void scratch_fini(rein_dqn_scratch *s)
{
    rein_net_workspace_free(s->net);
    free(s->x);
    free(s->next_x);
    free(s->q);
    free(s->dq);
    free(s->next_q);
    free(s->next_q_online);
    free(s->target);
    free(s->reward);
    free(s->greedy);
}

void rein_dqn_free(rein_dqn *dqn)
{
    if (!dqn) return;
    for (int t = 0; dqn->scratch && t < rein_team_threads(dqn->task->team); t++) {
        scratch_fini(&dqn->scratch[t]);
    }
    free(dqn->scratch);
    free(dqn->target_params);
    free(dqn->target_packed);
    free(dqn->grad);
    free(dqn->block_loss);
    free(dqn->block_q);
    free(dqn->observation);
    free(dqn->index);
    free(dqn->td_error);
    free(dqn->batch.observation);
    free(dqn->batch.next_observation);
    free(dqn->batch.action);
    free(dqn->batch.reward);
    free(dqn->batch.terminated);
    rein_ring_free(dqn->ring);
    rein_optimizer_free(dqn->optimizer);
    rein_policy_free(dqn->policy);
    rein_vec_free(dqn->vec);
    free(dqn);
}

const rein_algo rein_algo_dqn = {
    .id = "dqn",
    .summary = "deep Q-network: off-policy, discrete actions, replay and a target network",
    .cite = "Mnih et al. 2015; van Hasselt, Guez & Silver 2016; details as CleanRL's dqn.py",
    .fields = rein_dqn_config_fields,
    .n_fields = REIN_FIELD_COUNT(rein_dqn_config_fields),
    .config_size = sizeof(rein_dqn_config),
    .check = dqn_check,
    .train = rein_dqn_train,
};
