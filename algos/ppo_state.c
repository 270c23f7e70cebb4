/* What surrounds the algorithm of ppo.c: which settings fit, memory, initial parameters, the policy
 * handed to others, checkpoints. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algos/ppo.h"
#include "algos/ppo_internal.h"
#include "nets/layers.h"

/* ---- checks and creation ------------------------------------------------------------------- */

rein_status rein_ppo_check(const void *config, const rein_task *task, const rein_env_spec *spec)
{
    const rein_ppo_config *c = config;
    int64_t n_rows = (int64_t)task->n_envs * spec->n_agents, rows = c->n_steps * n_rows;
    if (task->n_envs < 1) return rein_fail(REIN_ECONFIG, "env.n_envs = %d, need 1", task->n_envs);
    if (rows > INT32_MAX / REIN_MAX_ACTION) {
        return rein_fail(REIN_ECONFIG, "algo.n_steps %lld x %lld rows is more than a rollout holds",
                         (long long)c->n_steps, (long long)n_rows);
    }
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
    REIN_TRY(rein_net_config_spec(&task->net, &spec->observation, 1, &net));
    if (c->normalize_observation && net.layers[0].kind == REIN_LAYER_EMBEDDING) {
        return rein_fail(REIN_ECONFIG,
                         "net.layers begins with embedding, which needs observations as they are: "
                         "algo.normalize_observation=false");
    }
    return REIN_OK;
}

static rein_status ppo_create_nets(rein_ppo *ppo, const rein_task *task)
{
    bool shared = ppo->config.shared_net;
    const rein_observation_space *seen = &ppo->vec->spec.observation;
    rein_net_spec actor, critic;
    REIN_TRY(rein_net_config_spec(&task->net, seen, ppo->n_head + (shared ? 1 : 0), &actor));
    REIN_TRY(rein_net_config_spec(&task->net, seen, 1, &critic));
    REIN_TRY(rein_net_create(&actor, &ppo->actor));
    ppo->n_actor = rein_net_n_params(ppo->actor);
    if (!shared) {
        REIN_TRY(rein_net_create(&critic, &ppo->critic));
        ppo->n_critic = rein_net_n_params(ppo->critic);
    }
    ppo->n_params = ppo->n_actor + ppo->n_critic + (size_t)(ppo->continuous ? ppo->act : 0);

    rein_optimizer_options adam = {.kind = REIN_ADAM, .eps = ppo->config.adam_eps};
    REIN_TRY(rein_optimizer_create(&adam, ppo->n_params, &ppo->optimizer));
    rein_policy_spec spec = {
        .observation = ppo->vec->spec.observation,
        .action = ppo->vec->spec.action,
        .head = ppo->continuous ? REIN_HEAD_GAUSSIAN : REIN_HEAD_CATEGORICAL,
        .net = actor,
        .normalize_observation = ppo->config.normalize_observation,
        .observation_clip = ppo->config.observation_clip,
    };
    snprintf(spec.env_id, sizeof spec.env_id, "%s", task->env->id);
    snprintf(spec.algo_id, sizeof spec.algo_id, "%s", rein_algo_ppo.id);
    return rein_policy_create(&spec, &ppo->policy);
}

static rein_status ppo_create_stats(rein_ppo *ppo)
{
    size_t n_blocks = (size_t)ppo->vec->n_blocks;
    ppo->block_observation_stats = calloc(n_blocks, sizeof(rein_normalizer *));
    ppo->block_return_stats = calloc(n_blocks, sizeof(rein_normalizer *));
    if (!ppo->block_observation_stats || !ppo->block_return_stats) {
        return rein_fail(REIN_ENOMEM, "no memory for statistics of %zu blocks", n_blocks);
    }
    if (ppo->config.normalize_observation) {
        REIN_TRY(rein_normalizer_create(ppo->obs, &ppo->observation_stats));
        for (size_t b = 0; b < n_blocks; b++) {
            REIN_TRY(rein_normalizer_create(ppo->obs, &ppo->block_observation_stats[b]));
        }
    }
    if (ppo->config.normalize_reward) {
        REIN_TRY(rein_normalizer_create(1, &ppo->return_stats));
        for (size_t b = 0; b < n_blocks; b++) {
            REIN_TRY(rein_normalizer_create(1, &ppo->block_return_stats[b]));
        }
    }
    return REIN_OK;
}

/* Where a pointer of rein_ppo is and how many bytes it points to. */
typedef struct ppo_slot {
    size_t offset, bytes;
} ppo_slot;
#define PPO_SLOT(member, count)                                                                    \
    {                                                                                              \
        offsetof(rein_ppo, member), (count) * sizeof(*ppo->member)                                 \
    }
#define PPO_SLOT_BYTES(member, n_bytes)                                                            \
    {                                                                                              \
        offsetof(rein_ppo, member), n_bytes                                                        \
    }

static size_t ppo_round(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

/* One zeroed block for all slots, each on its own cache lines. */
static rein_status ppo_allocate_slots(rein_ppo *ppo, const ppo_slot *slots, int n)
{
    size_t total = 64;
    for (int i = 0; i < n; i++) total += ppo_round(slots[i].bytes);
    ppo->memory = calloc(1, total);
    if (!ppo->memory) return rein_fail(REIN_ENOMEM, "no memory for a rollout: %zu bytes", total);
    char *next = (char *)ppo_round((size_t)(uintptr_t)ppo->memory);
    for (int i = 0; i < n; i++) {
        memcpy((char *)ppo + slots[i].offset, &next, sizeof next);
        next += ppo_round(slots[i].bytes);
    }
    return REIN_OK;
}

static rein_status ppo_create_arrays(rein_ppo *ppo)
{
    const rein_ppo_config *c = &ppo->config;
    const rein_vec *vec = ppo->vec;
    size_t n_rows = (size_t)vec->n_rows, obs = (size_t)ppo->obs;
    size_t rows = (size_t)c->n_steps * n_rows, env_steps = (size_t)(c->n_steps * vec->n_envs);
    size_t blocks = (size_t)rein_ppo_blocks((int)rows / (int)c->n_minibatches);
    size_t packed_critic = ppo->critic ? rein_net_n_packed(ppo->critic) : 0;
    /* Raw arrays that would only repeat the rollout's are not made. */
    bool f32 = vec->spec.observation.dtype == REIN_F32;
    bool own_observation = ppo->record && (c->normalize_observation || !f32);
    bool own_action = ppo->record && ppo->continuous;

    const ppo_slot slots[] = {
        PPO_SLOT(params, ppo->n_params),
        PPO_SLOT(packed_actor, rein_net_n_packed(ppo->actor)),
        PPO_SLOT(packed_critic, packed_critic),
        PPO_SLOT(parts, blocks * ppo->n_params),
        PPO_SLOT(part_sums, 2 * blocks),
        PPO_SLOT(running_return, n_rows),
        PPO_SLOT(next_observation, n_rows * obs),
        PPO_SLOT(head, rows * (size_t)ppo->n_head),
        PPO_SLOT(noise, rows * (size_t)ppo->act),
        PPO_SLOT(final_observation, c->bootstrap_truncated ? rows * obs : 0),
        PPO_SLOT(truncated_rows, c->bootstrap_truncated ? rows : 0),
        PPO_SLOT_BYTES(raw_observation, own_observation ? rows * vec->observation_bytes : 0),
        PPO_SLOT_BYTES(raw_action, own_action ? rows * vec->action_bytes : 0),
        PPO_SLOT(raw_reward, c->normalize_reward ? rows : 0),
        PPO_SLOT(env_terminated, env_steps),
        PPO_SLOT(env_truncated, env_steps),
        PPO_SLOT_BYTES(raw_final, ppo->record ? rows * vec->observation_bytes : 0),
        PPO_SLOT(episode_return, env_steps),
        PPO_SLOT(episode_length, env_steps),
        PPO_SLOT(batch.observation, rows * obs),
        PPO_SLOT_BYTES(batch.action, rows * vec->action_bytes),
        PPO_SLOT(batch.log_prob, rows),
        PPO_SLOT(batch.value, rows),
        PPO_SLOT(batch.advantage, rows),
        PPO_SLOT(batch.return_, rows),
        PPO_SLOT(index, rows),
    };
    REIN_TRY(ppo_allocate_slots(ppo, slots, (int)(sizeof slots / sizeof slots[0])));
    ppo->grad = ppo->parts;
    if (!c->bootstrap_truncated) ppo->final_observation = NULL;
    if (!own_observation) ppo->raw_observation = ppo->rollout->observation;
    if (!own_action) ppo->raw_action = ppo->rollout->action;
    if (!c->normalize_reward) ppo->raw_reward = ppo->rollout->reward;
    return REIN_OK;
}

static rein_status ppo_create_workers(rein_ppo *ppo)
{
    int n_threads = rein_team_threads(ppo->team);
    int block_rows = ppo->vec->block_size * ppo->vec->spec.n_agents;
    int rows = block_rows > PPO_ROWS ? block_rows : PPO_ROWS;
    size_t n = (size_t)rows, k = (size_t)ppo->n_head;
    ppo->workers = calloc((size_t)n_threads, sizeof *ppo->workers);
    if (!ppo->workers) return rein_fail(REIN_ENOMEM, "no memory for %d workers", n_threads);
    for (int i = 0; i < n_threads; i++) {
        rein_ppo_worker *w = &ppo->workers[i];
        REIN_TRY(rein_net_workspace_create(ppo->actor, rows, &w->actor));
        if (ppo->critic) REIN_TRY(rein_net_workspace_create(ppo->critic, rows, &w->critic));
        /* Padded by a cache line, so that threads do not write to one line. */
        size_t floats = n * ((size_t)ppo->obs + 3 * k + 7) + 16;
        w->x = calloc(floats, sizeof(float));
        if (!w->x) return rein_fail(REIN_ENOMEM, "no memory for a worker");
        w->y = w->x + n * (size_t)ppo->obs;
        w->head = w->y + n * (k + 1);
        w->dhead = w->head + n * k;
        w->value = w->dhead + n * k;
        w->dvalue = w->value + n;
        w->log_prob = w->dvalue + n;
        w->dlog_prob = w->log_prob + n;
        w->entropy = w->dlog_prob + n;
        w->dentropy = w->entropy + n;
    }
    return REIN_OK;
}

/* Initial parameters. A shared network's last layer is drawn with the policy's gain; the row of
 * the value is then brought to gain 1 where the initialisation has a gain. */
static rein_status ppo_init_params(rein_ppo *ppo, const rein_task *task)
{
    const double gain_policy = 0.01, gain_value = 1;
    rein_init init = (rein_init)task->net.init;
    rein_rng rng = rein_rng_stream(task->seed, REIN_RNG_INIT, 0, 0);
    REIN_TRY(rein_net_init(ppo->actor, init, sqrt(2), gain_policy, &rng, ppo->params));
    if (ppo->critic) {
        rng = rein_rng_stream(task->seed, REIN_RNG_INIT, 1, 0);
        REIN_TRY(rein_net_init(ppo->critic, init, sqrt(2), gain_value, &rng,
                               ppo->params + ppo->n_actor));
    } else if (init == REIN_INIT_ORTHOGONAL || init == REIN_INIT_XAVIER) {
        rein_layout layout;
        REIN_TRY(rein_net_layout(rein_net_get_spec(ppo->actor), &layout));
        const int n_in = layout.layers[rein_net_get_spec(ppo->actor)->n_layers - 1].in.size;
        float *biases = ppo->params + ppo->n_actor - (ppo->n_head + 1);
        for (int i = 1; i <= n_in; i++) biases[-i] *= (float)(gain_value / gain_policy);
    }
    float *log_std = rein_ppo_log_std(ppo);
    for (int i = 0; i < ppo->act && ppo->continuous; i++) {
        log_std[i] = (float)ppo->config.log_std_init;
    }
    rein_ppo_pack(ppo);
    return REIN_OK;
}

static rein_status ppo_init(rein_ppo *ppo, const rein_task *task)
{
    const rein_vec_options options = {.env = task->env,
                                      .config = task->env_config,
                                      .n_envs = task->n_envs,
                                      .max_episode_steps = task->max_episode_steps,
                                      .seed = task->seed};
    REIN_TRY(rein_vec_create(&options, &ppo->vec));
    const rein_env_spec *spec = &ppo->vec->spec;
    REIN_TRY(rein_ppo_check(&ppo->config, task, spec));
    ppo->continuous = spec->action.kind == REIN_CONTINUOUS;
    ppo->obs = spec->observation.size;
    ppo->act = ppo->continuous ? spec->action.size : 1;
    ppo->n_head = ppo->continuous ? spec->action.size : spec->action.n;
    int64_t per_update = ppo->config.n_steps * task->n_envs;
    ppo->n_updates = (task->total_timesteps + per_update - 1) / per_update;

    REIN_TRY(ppo_create_nets(ppo, task));
    REIN_TRY(ppo_create_stats(ppo));
    REIN_TRY(rein_rollout_create((int)ppo->config.n_steps, ppo->vec->n_rows, ppo->obs,
                                 ppo->continuous ? REIN_F32 : REIN_I32, ppo->act, &ppo->rollout));
    REIN_TRY(ppo_create_arrays(ppo));
    REIN_TRY(ppo_create_workers(ppo));
    REIN_TRY(ppo_init_params(ppo, task));

    rein_ppo_begin(ppo);
    return REIN_OK;
}

rein_status rein_ppo_create(const rein_ppo_config *config, const rein_task *task, bool record,
                            rein_ppo **out)
{
    *out = NULL;
    rein_ppo *ppo = calloc(1, sizeof *ppo);
    if (!ppo) return rein_fail(REIN_ENOMEM, "no memory for ppo");
    ppo->config = *config;
    ppo->team = task->team;
    ppo->record = record;
    rein_status status = ppo_init(ppo, task);
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
    for (int b = 0; ppo->vec && b < ppo->vec->n_blocks; b++) {
        if (ppo->block_observation_stats) rein_normalizer_free(ppo->block_observation_stats[b]);
        if (ppo->block_return_stats) rein_normalizer_free(ppo->block_return_stats[b]);
    }
    rein_normalizer_free(ppo->observation_stats);
    rein_normalizer_free(ppo->return_stats);
    rein_rollout_free(ppo->rollout);
    rein_policy_free(ppo->policy);
    rein_optimizer_free(ppo->optimizer);
    rein_net_free(ppo->critic);
    rein_net_free(ppo->actor);
    rein_vec_free(ppo->vec);
    free(ppo->workers);
    free(ppo->block_observation_stats);
    free(ppo->block_return_stats);
    free(ppo->memory);
    free(ppo);
}

/* ---- policy and checkpoint ----------------------------------------------------------------- */

const rein_policy *rein_ppo_policy(rein_ppo *ppo)
{
    rein_policy *policy = ppo->policy;
    memcpy(policy->params, ppo->params, ppo->n_actor * sizeof(float));
    if (ppo->continuous) {
        memcpy(policy->log_std, rein_ppo_log_std(ppo), (size_t)ppo->act * sizeof(float));
    }
    if (ppo->observation_stats) {
        memcpy(policy->mean, ppo->observation_stats->mean, (size_t)ppo->obs * sizeof(double));
        memcpy(policy->var, ppo->observation_stats->var, (size_t)ppo->obs * sizeof(double));
    }
    policy->timesteps = ppo->step;
    rein_policy_pack(policy);
    return policy;
}

static rein_status ppo_archive_stats(rein_ppo *ppo, rein_archive *archive)
{
    rein_status status = REIN_OK;
    if (ppo->observation_stats) {
        rein_archive_enter(archive, "observation_stats");
        status = rein_normalizer_archive(ppo->observation_stats, archive);
        rein_archive_leave(archive);
    }
    if (status == REIN_OK && ppo->return_stats) {
        rein_archive_enter(archive, "return_stats");
        status = rein_normalizer_archive(ppo->return_stats, archive);
        rein_archive_leave(archive);
    }
    return status;
}

rein_status rein_ppo_archive(rein_ppo *ppo, rein_archive *archive)
{
    size_t n_rows = (size_t)ppo->vec->n_rows;
    REIN_TRY(rein_archive_i64(archive, "ppo/step", &ppo->step));
    REIN_TRY(rein_archive_i64(archive, "ppo/updates", &ppo->updates));
    REIN_TRY(rein_archive_array(archive, "ppo/params", REIN_F32, ppo->params, ppo->n_params));
    REIN_TRY(rein_archive_array(archive, "ppo/next_observation", REIN_F32, ppo->next_observation,
                                n_rows * (size_t)ppo->obs));
    REIN_TRY(
        rein_archive_array(archive, "ppo/running_return", REIN_F64, ppo->running_return, n_rows));
    REIN_TRY(ppo_archive_stats(ppo, archive));

    rein_archive_enter(archive, "optimizer");
    rein_status status = rein_optimizer_archive(ppo->optimizer, archive);
    rein_archive_leave(archive);
    REIN_TRY(status);
    rein_archive_enter(archive, "vec");
    status = rein_vec_archive(ppo->vec, archive);
    rein_archive_leave(archive);
    REIN_TRY(status);
    rein_archive_enter(archive, "episodes");
    status = rein_episodes_archive(&ppo->episodes, archive);
    rein_archive_leave(archive);
    REIN_TRY(status);
    if (archive->loading) rein_ppo_pack(ppo);
    return REIN_OK;
}
