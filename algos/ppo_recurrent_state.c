/* What surrounds the algorithm of ppo_recurrent.c: which settings fit, memory, initial parameters,
 * the policy handed to others, checkpoints. */
#include <math.h>
#include <stdlib.h>

#include "algos/arrays.h"
#include "algos/ppo_recurrent_internal.h"
#include "nets/layers.h"

/* ---- checks and creation ------------------------------------------------------------------- */

rein_status rein_ppo_recurrent_net(const rein_ppo_recurrent_config *config, const rein_task *task,
                                   const rein_observation_space *space, int n_out,
                                   rein_net_spec *out)
{
    const rein_layer cell = {
        .kind = config->core == REIN_LSTM ? REIN_LAYER_LSTM : REIN_LAYER_GRU,
        .units = (int)config->core_size,
    };
    return rein_task_recurrent_net(task, space, cell, n_out, out);
}

/* All settings but the cell's. */
static rein_ppo_config ppo_config_of(const rein_ppo_recurrent_config *config)
{
#define COPY(type, name, ...) .name = config->name,
    return (rein_ppo_config){REIN_PPO_FIELDS(COPY)};
#undef COPY
}

rein_status rein_ppo_recurrent_check(const void *config, const rein_task *task,
                                     const rein_env_spec *spec)
{
    const rein_ppo_config c = ppo_config_of(config);
    REIN_TRY(rein_ppo_check_rollout(&c, task, spec));
    const int64_t n_rows = (int64_t)task->n_envs * spec->n_agents;
    if (n_rows % c.n_minibatches != 0) {
        int64_t fit = c.n_minibatches < n_rows ? c.n_minibatches : n_rows;
        while (n_rows % fit != 0) fit--;
        return rein_fail(REIN_ECONFIG,
                         "minibatches of ppo_recurrent are of whole environments: %lld rows cannot "
                         "be cut into algo.n_minibatches %lld: %lld would fit",
                         (long long)n_rows, (long long)c.n_minibatches, (long long)fit);
    }
    if (c.normalize_advantage && n_rows == c.n_minibatches && c.n_steps == 1) {
        return rein_fail(REIN_ECONFIG,
                         "algo.n_steps 1 and algo.n_minibatches %lld leave minibatches of one "
                         "step, whose advantage cannot be normalised",
                         (long long)c.n_minibatches);
    }
    rein_net_spec net;
    REIN_TRY(rein_ppo_recurrent_net(config, task, &spec->observation, 1, &net));
    return rein_ppo_check_embedding(&c, &net);
}

static rein_status ppo_create_nets(rein_ppo_recurrent *ppo, const rein_ppo_recurrent_config *config,
                                   const rein_task *task)
{
    const bool shared = ppo->config.shared_net;
    const rein_collector *c = ppo->data;
    const rein_observation_space *seen = &c->vec->spec.observation;
    const int n_out = ppo->n_head + (shared ? 1 : 0);
    rein_net_spec actor, critic;
    REIN_TRY(rein_ppo_recurrent_net(config, task, seen, n_out, &actor));
    REIN_TRY(rein_ppo_recurrent_net(config, task, seen, 1, &critic));
    REIN_TRY(rein_recurrent_create(&actor, &ppo->actor));
    ppo->n_actor = rein_recurrent_n_params(ppo->actor);
    if (!shared) {
        REIN_TRY(rein_recurrent_create(&critic, &ppo->critic));
        ppo->n_critic = rein_recurrent_n_params(ppo->critic);
    }
    ppo->n_params = ppo->n_actor + ppo->n_critic + (size_t)(c->continuous ? c->act : 0);

    const rein_optimizer_options adam = {.kind = REIN_ADAM, .eps = ppo->config.adam_eps};
    REIN_TRY(rein_optimizer_create(&adam, ppo->n_params, &ppo->optimizer));
    return rein_ppo_create_policy(&ppo->config, rein_algo_ppo_recurrent.id, task->env->id, c,
                                  &actor, &ppo->policy);
}

static rein_status ppo_create_arrays(rein_ppo_recurrent *ppo)
{
    const rein_ppo_config *c = &ppo->config;
    const rein_vec *vec = ppo->data->vec;
    const size_t n_rows = (size_t)vec->n_rows, rows = (size_t)c->n_steps * n_rows;
    const size_t f = sizeof(float), obs = (size_t)ppo->data->obs;
    const size_t blocks = (size_t)rein_ppo_recurrent_blocks(vec->n_rows / (int)c->n_minibatches);
    const size_t s = (size_t)rein_recurrent_n_state(ppo->actor) * f;
    const size_t v = ppo->critic ? (size_t)rein_recurrent_n_state(ppo->critic) * f : 0;
    rein_sequence_batch *b = &ppo->batch;
    const rein_array_slot arrays[] = {
        {&ppo->params, ppo->n_params * f},
        {&ppo->packed_actor, rein_recurrent_n_packed(ppo->actor) * f},
        {&ppo->packed_critic, ppo->critic ? rein_recurrent_n_packed(ppo->critic) * f : 0},
        {&ppo->parts, blocks * ppo->n_params * f},
        {&ppo->part_sums, 2 * blocks * sizeof(rein_ppo_sums)},
        {&ppo->actor_state, n_rows * s},
        {&ppo->actor_first, n_rows * s},
        {&ppo->critic_state, n_rows * v},
        {&ppo->critic_first, n_rows * v},
        {&ppo->noise, rows * (size_t)ppo->data->act * f},
        {&b->rows.observation, rows * obs * f},
        {&b->start, rows},
        {&b->rows.action, rows * vec->action_bytes},
        {&b->rows.log_prob, rows * f},
        {&b->rows.value, rows * f},
        {&b->rows.advantage, rows * f},
        {&b->rows.return_, rows * f},
        {&b->actor_state, n_rows * s},
        {&b->critic_state, n_rows * v},
        {&ppo->index, n_rows * sizeof(int32_t)},
    };
    REIN_TRY(rein_arrays_create(arrays, (int)(sizeof arrays / sizeof arrays[0]), "ppo_recurrent",
                                &ppo->memory));
    ppo->grad = ppo->parts;
    return REIN_OK;
}

static rein_status ppo_create_workers(rein_ppo_recurrent *ppo)
{
    const int n_threads = rein_team_threads(ppo->team), n_steps = (int)ppo->config.n_steps;
    const int per_minibatch = ppo->data->vec->n_rows / (int)ppo->config.n_minibatches;
    const int block = ppo->data->vec->block_size * ppo->data->vec->spec.n_agents;
    const int sequences = per_minibatch < PPO_SEQUENCES ? per_minibatch : PPO_SEQUENCES;
    const int all = n_steps * sequences > block ? n_steps * sequences : block;
    const int rows = sequences > block ? sequences : block;
    const size_t n = (size_t)all, x = (size_t)block * (size_t)ppo->data->obs;
    const size_t states = (size_t)rows * (size_t)rein_recurrent_n_state(ppo->actor);
    ppo->workers = calloc((size_t)n_threads, sizeof *ppo->workers);
    if (!ppo->workers) return rein_fail(REIN_ENOMEM, "no memory for %d workers", n_threads);
    for (int i = 0; i < n_threads; i++) {
        rein_ppo_recurrent_worker *w = &ppo->workers[i];
        REIN_TRY(rein_recurrent_workspace_create(ppo->actor, n_steps, sequences, &w->actor));
        REIN_TRY(rein_recurrent_workspace_create(ppo->actor, 1, block, &w->actor_step));
        if (ppo->critic) {
            REIN_TRY(rein_recurrent_workspace_create(ppo->critic, n_steps, sequences, &w->critic));
            REIN_TRY(rein_recurrent_workspace_create(ppo->critic, 1, block, &w->critic_step));
        }
        /* Padded by a cache line, so that threads do not write to one line. */
        w->x = calloc(x + states + rein_ppo_rows_size(n, ppo->n_head) + 16, sizeof *w->x);
        if (!w->x) return rein_fail(REIN_ENOMEM, "no memory for a worker");
        w->state = w->x + x;
        rein_ppo_rows_place(w->state + states, n, ppo->n_head, &w->rows);
    }
    return REIN_OK;
}

/* Initial parameters. A shared network's last layer is drawn with the policy's gain. */
static rein_status ppo_init_params(rein_ppo_recurrent *ppo, const rein_ppo_recurrent_config *config,
                                   const rein_task *task)
{
    const rein_init init = (rein_init)task->net.init;
    const int horizon = (int)config->core_horizon;
    rein_rng rng = rein_rng_stream(task->seed, REIN_RNG_INIT, 0, 0);
    REIN_TRY(rein_recurrent_init(ppo->actor, init, sqrt(2), REIN_PPO_GAIN_POLICY, horizon, &rng,
                                 ppo->params));
    if (ppo->critic) {
        rng = rein_rng_stream(task->seed, REIN_RNG_INIT, 1, 0);
        REIN_TRY(rein_recurrent_init(ppo->critic, init, sqrt(2), REIN_PPO_GAIN_VALUE, horizon, &rng,
                                     ppo->params + ppo->n_actor));
    } else {
        rein_ppo_regain_value(ppo->params + ppo->n_actor - (ppo->n_head + 1),
                              (int)config->core_size, init);
    }
    rein_ppo_init_log_std(&ppo->config, ppo->data, rein_ppo_recurrent_log_std(ppo));
    rein_ppo_recurrent_pack(ppo);
    return REIN_OK;
}

static rein_status ppo_init(rein_ppo_recurrent *ppo, const rein_ppo_recurrent_config *config,
                            const rein_task *task, bool record)
{
    const int block_size = task->n_envs < PPO_BLOCK_ENVS ? task->n_envs : PPO_BLOCK_ENVS;
    rein_env_spec spec;
    REIN_TRY(task->env->spec(task->env_config, &spec));
    REIN_TRY(rein_ppo_recurrent_check(config, task, &spec));
    const rein_collector_options options =
        rein_ppo_collector_options(&ppo->config, block_size, record);
    REIN_TRY(rein_collector_create(&options, task, &ppo->data));
    ppo->n_head = ppo->data->continuous ? spec.action.size : spec.action.n;
    const int64_t per_update = config->n_steps * task->n_envs;
    ppo->n_updates = (task->total_timesteps + per_update - 1) / per_update;
    REIN_TRY(ppo_create_nets(ppo, config, task));
    REIN_TRY(ppo_create_arrays(ppo));
    REIN_TRY(ppo_create_workers(ppo));
    return ppo_init_params(ppo, config, task);
}

rein_status rein_ppo_recurrent_create(const rein_ppo_recurrent_config *config,
                                      const rein_task *task, bool record, rein_ppo_recurrent **out)
{
    *out = NULL;
    rein_ppo_recurrent *ppo = calloc(1, sizeof *ppo);
    if (!ppo) return rein_fail(REIN_ENOMEM, "no memory for ppo_recurrent");
    ppo->config = ppo_config_of(config);
    ppo->team = task->team;
    rein_status status = ppo_init(ppo, config, task, record);
    if (status != REIN_OK) {
        rein_ppo_recurrent_free(ppo);
        return status;
    }
    *out = ppo;
    return REIN_OK;
}

void rein_ppo_recurrent_free(rein_ppo_recurrent *ppo)
{
    if (!ppo) return;
    for (int i = 0; ppo->workers && i < rein_team_threads(ppo->team); i++) {
        rein_recurrent_workspace_free(ppo->workers[i].actor);
        rein_recurrent_workspace_free(ppo->workers[i].critic);
        rein_recurrent_workspace_free(ppo->workers[i].actor_step);
        rein_recurrent_workspace_free(ppo->workers[i].critic_step);
        free(ppo->workers[i].x);
    }
    rein_policy_free(ppo->policy);
    rein_optimizer_free(ppo->optimizer);
    rein_recurrent_free(ppo->critic);
    rein_recurrent_free(ppo->actor);
    rein_collector_free(ppo->data);
    free(ppo->workers);
    free(ppo->memory);
    free(ppo);
}

/* ---- policy and checkpoint ----------------------------------------------------------------- */

const rein_policy *rein_ppo_recurrent_policy(rein_ppo_recurrent *ppo)
{
    rein_ppo_fill_policy(ppo->policy, ppo->params, rein_ppo_recurrent_log_std(ppo), ppo->data);
    return ppo->policy;
}

rein_status rein_ppo_recurrent_archive(rein_ppo_recurrent *ppo, rein_archive *archive)
{
    const size_t n_rows = (size_t)ppo->data->vec->n_rows;
    REIN_TRY(rein_archive_i64(archive, "ppo/updates", &ppo->updates));
    REIN_TRY(rein_archive_array(archive, "ppo/params", REIN_F32, ppo->params, ppo->n_params));
    REIN_TRY(rein_archive_array(archive, "ppo/actor_state", REIN_F32, ppo->actor_state,
                                n_rows * (size_t)rein_recurrent_n_state(ppo->actor)));
    if (ppo->critic) {
        REIN_TRY(rein_archive_array(archive, "ppo/critic_state", REIN_F32, ppo->critic_state,
                                    n_rows * (size_t)rein_recurrent_n_state(ppo->critic)));
    }
    rein_archive_enter(archive, "optimizer");
    rein_status status = rein_optimizer_archive(ppo->optimizer, archive);
    rein_archive_leave(archive);
    REIN_TRY(status);
    REIN_TRY(rein_collector_archive(ppo->data, archive));
    if (archive->loading) rein_ppo_recurrent_pack(ppo);
    return REIN_OK;
}
