/* What surrounds the algorithm of ppo.c: which settings fit, memory, initial parameters, the policy
 * handed to others, checkpoints. */
#include <math.h>
#include <stdlib.h>

#include "algos/arrays.h"
#include "algos/ppo.h"
#include "algos/ppo_internal.h"
#include "nets/layers.h"

/* ---- checks and creation ------------------------------------------------------------------- */

rein_status rein_ppo_check(const void *config, const rein_task *task, const rein_env_spec *spec)
{
    const rein_ppo_config *c = config;
    REIN_TRY(rein_ppo_check_rollout(c, task, spec));
    int64_t n_rows = (int64_t)task->n_envs * spec->n_agents, rows = c->n_steps * n_rows;
    if (rows % c->n_minibatches != 0) {
        int64_t fit = c->n_minibatches < rows ? c->n_minibatches : rows;
        while (rows % fit != 0) fit--;
        return rein_fail(REIN_ECONFIG,
                         "a rollout of %lld rows (algo.n_steps %lld x %lld) cannot be cut into "
                         "algo.n_minibatches %lld: %lld would fit",
                         (long long)rows, (long long)c->n_steps, (long long)n_rows,
                         (long long)c->n_minibatches, (long long)fit);
    }
    if (c->normalize_advantage && rows == c->n_minibatches) {
        return rein_fail(REIN_ECONFIG,
                         "algo.n_minibatches %lld leaves minibatches of one row, whose advantage "
                         "cannot be normalised: fewer minibatches, or "
                         "algo.normalize_advantage=false",
                         (long long)c->n_minibatches);
    }
    rein_net_spec net;
    REIN_TRY(rein_task_net(task, &spec->observation, 1, &net));
    return rein_ppo_check_embedding(c, &net);
}

static rein_status ppo_create_nets(rein_ppo *ppo, const rein_task *task)
{
    bool shared = ppo->config.shared_net;
    const rein_observation_space *seen = &ppo->data->vec->spec.observation;
    rein_net_spec actor, critic;
    REIN_TRY(rein_task_net(task, seen, ppo->n_head + (shared ? 1 : 0), &actor));
    REIN_TRY(rein_task_net(task, seen, 1, &critic));
    REIN_TRY(rein_net_create(&actor, &ppo->actor));
    ppo->n_actor = rein_net_n_params(ppo->actor);
    if (!shared) {
        REIN_TRY(rein_net_create(&critic, &ppo->critic));
        ppo->n_critic = rein_net_n_params(ppo->critic);
    }
    ppo->n_params =
        ppo->n_actor + ppo->n_critic + (size_t)(ppo->data->continuous ? ppo->data->act : 0);

    rein_optimizer_options adam = {.kind = REIN_ADAM, .eps = ppo->config.adam_eps};
    REIN_TRY(rein_optimizer_create(&adam, ppo->n_params, &ppo->optimizer));
    return rein_ppo_create_policy(&ppo->config, rein_algo_ppo.id, task->env->id, ppo->data, &actor,
                                  &ppo->policy);
}

static rein_status ppo_create_arrays(rein_ppo *ppo)
{
    const rein_ppo_config *c = &ppo->config;
    const rein_vec *vec = ppo->data->vec;
    size_t rows = (size_t)c->n_steps * (size_t)vec->n_rows, f = sizeof(float);
    size_t blocks = (size_t)rein_ppo_blocks((int)rows / (int)c->n_minibatches);
    rein_ppo_batch *b = &ppo->batch;
    const rein_array_slot arrays[] = {
        {&ppo->params, ppo->n_params * f},
        {&ppo->packed_actor, rein_net_n_packed(ppo->actor) * f},
        {&ppo->packed_critic, ppo->critic ? rein_net_n_packed(ppo->critic) * f : 0},
        {&ppo->parts, blocks * ppo->n_params * f},
        {&ppo->part_sums, 2 * blocks * sizeof(rein_ppo_sums)},
        {&ppo->head, rows * (size_t)ppo->n_head * f},
        {&ppo->noise, rows * (size_t)ppo->data->act * f},
        {&ppo->truncated_rows, c->bootstrap_truncated ? rows * sizeof(int32_t) : 0},
        {&b->observation, rows * (size_t)ppo->data->obs * f},
        {&b->action, rows * vec->action_bytes},
        {&b->log_prob, rows * f},
        {&b->value, rows * f},
        {&b->advantage, rows * f},
        {&b->return_, rows * f},
        {&ppo->index, rows * sizeof(int32_t)},
    };
    REIN_TRY(
        rein_arrays_create(arrays, (int)(sizeof arrays / sizeof arrays[0]), "ppo", &ppo->memory));
    ppo->grad = ppo->parts;
    return REIN_OK;
}

static rein_status ppo_create_workers(rein_ppo *ppo)
{
    int n_threads = rein_team_threads(ppo->team);
    int block_rows = ppo->data->vec->block_size * ppo->data->vec->spec.n_agents;
    int rows = block_rows > PPO_ROWS ? block_rows : PPO_ROWS;
    size_t n = (size_t)rows;
    ppo->workers = calloc((size_t)n_threads, sizeof *ppo->workers);
    if (!ppo->workers) return rein_fail(REIN_ENOMEM, "no memory for %d workers", n_threads);
    for (int i = 0; i < n_threads; i++) {
        rein_ppo_worker *w = &ppo->workers[i];
        REIN_TRY(rein_net_workspace_create(ppo->actor, rows, &w->actor));
        if (ppo->critic) REIN_TRY(rein_net_workspace_create(ppo->critic, rows, &w->critic));
        /* Padded by a cache line, so that threads do not write to one line. */
        size_t x = n * (size_t)ppo->data->obs;
        w->x = calloc(x + rein_ppo_rows_size(n, ppo->n_head) + 16, sizeof(float));
        if (!w->x) return rein_fail(REIN_ENOMEM, "no memory for a worker");
        rein_ppo_rows_place(w->x + x, n, ppo->n_head, &w->rows);
    }
    return REIN_OK;
}

/* Initial parameters. A shared network's last layer is drawn with the policy's gain. */
static rein_status ppo_init_params(rein_ppo *ppo, const rein_task *task)
{
    rein_init init = (rein_init)task->net.init;
    rein_rng rng = rein_rng_stream(task->seed, REIN_RNG_INIT, 0, 0);
    REIN_TRY(rein_net_init(ppo->actor, init, sqrt(2), REIN_PPO_GAIN_POLICY, &rng, ppo->params));
    if (ppo->critic) {
        rng = rein_rng_stream(task->seed, REIN_RNG_INIT, 1, 0);
        REIN_TRY(rein_net_init(ppo->critic, init, sqrt(2), REIN_PPO_GAIN_VALUE, &rng,
                               ppo->params + ppo->n_actor));
    } else {
        rein_layout layout;
        REIN_TRY(rein_net_layout(rein_net_get_spec(ppo->actor), &layout));
        const int n_in = layout.layers[rein_net_get_spec(ppo->actor)->n_layers - 1].in.size;
        rein_ppo_regain_value(ppo->params + ppo->n_actor - (ppo->n_head + 1), n_in, init);
    }
    rein_ppo_init_log_std(&ppo->config, ppo->data, rein_ppo_log_std(ppo));
    rein_ppo_pack(ppo);
    return REIN_OK;
}

static rein_status ppo_init(rein_ppo *ppo, const rein_task *task, bool record)
{
    const rein_ppo_config *c = &ppo->config;
    rein_env_spec spec;
    REIN_TRY(task->env->spec(task->env_config, &spec));
    REIN_TRY(rein_ppo_check(c, task, &spec));
    const rein_collector_options options = rein_ppo_collector_options(c, 0, record);
    REIN_TRY(rein_collector_create(&options, task, &ppo->data));
    ppo->n_head = ppo->data->continuous ? spec.action.size : spec.action.n;
    const int64_t per_update = c->n_steps * task->n_envs;
    ppo->n_updates = (task->total_timesteps + per_update - 1) / per_update;
    REIN_TRY(ppo_create_nets(ppo, task));
    REIN_TRY(ppo_create_arrays(ppo));
    REIN_TRY(ppo_create_workers(ppo));
    return ppo_init_params(ppo, task);
}

rein_status rein_ppo_create(const rein_ppo_config *config, const rein_task *task, bool record,
                            rein_ppo **out)
{
    *out = NULL;
    rein_ppo *ppo = calloc(1, sizeof *ppo);
    if (!ppo) return rein_fail(REIN_ENOMEM, "no memory for ppo");
    ppo->config = *config;
    ppo->team = task->team;
    rein_status status = ppo_init(ppo, task, record);
    if (status != REIN_OK) {
        rein_ppo_free(ppo);
        return status;
    }
    *out = ppo;
    return REIN_OK;
}

void rein_ppo_free(rein_ppo *ppo)
{
    if (!ppo) return;
    for (int i = 0; ppo->workers && i < rein_team_threads(ppo->team); i++) {
        rein_net_workspace_free(ppo->workers[i].actor);
        rein_net_workspace_free(ppo->workers[i].critic);
        free(ppo->workers[i].x);
    }
    rein_policy_free(ppo->policy);
    rein_optimizer_free(ppo->optimizer);
    rein_net_free(ppo->critic);
    rein_net_free(ppo->actor);
    rein_collector_free(ppo->data);
    free(ppo->workers);
    free(ppo->memory);
    free(ppo);
}

/* ---- policy and checkpoint ----------------------------------------------------------------- */

const rein_policy *rein_ppo_policy(rein_ppo *ppo)
{
    rein_ppo_fill_policy(ppo->policy, ppo->params, rein_ppo_log_std(ppo), ppo->data);
    return ppo->policy;
}

rein_status rein_ppo_archive(rein_ppo *ppo, rein_archive *archive)
{
    REIN_TRY(rein_archive_i64(archive, "ppo/updates", &ppo->updates));
    REIN_TRY(rein_archive_array(archive, "ppo/params", REIN_F32, ppo->params, ppo->n_params));
    rein_archive_enter(archive, "optimizer");
    rein_status status = rein_optimizer_archive(ppo->optimizer, archive);
    rein_archive_leave(archive);
    REIN_TRY(status);
    REIN_TRY(rein_collector_archive(ppo->data, archive));
    if (archive->loading) rein_ppo_pack(ppo);
    return REIN_OK;
}
