#include "algos/collector.h"

#include <stdlib.h>
#include <string.h>

#include "algos/arrays.h"

/* ---- observations ---------------------------------------------------------------------------- */

rein_collector_span rein_collector_block(const rein_collector *c, int block)
{
    rein_collector_span s;
    const int agents = c->vec->spec.n_agents;
    s.n_envs = rein_vec_block(c->vec, block, &s.env);
    s.row = s.env * agents;
    s.n_rows = s.n_envs * agents;
    return s;
}

/* What the network sees of raw observations [n, obs]; they count for the block's statistics. */
static void see(rein_collector *c, int block, const void *raw, int n, float *out)
{
    rein_observation_to_float(&c->vec->spec.observation, raw, n, out);
    if (!c->observation_stats) return;
    rein_normalizer *stats = c->block_observation_stats[block];
    rein_normalizer_update(stats, out, n);
    rein_normalizer_apply(stats, out, n, c->options.observation_clip, out);
}

static void copy_stats(rein_collector *c)
{
    for (int b = 0; b < c->vec->n_blocks; b++) {
        if (c->observation_stats) {
            rein_normalizer_copy(c->block_observation_stats[b], c->observation_stats);
        }
        if (c->return_stats) rein_normalizer_copy(c->block_return_stats[b], c->return_stats);
    }
}

static void merge_stats(rein_collector *c)
{
    const int n = c->vec->n_blocks;
    if (c->observation_stats) {
        rein_normalizer_merge(c->observation_stats, c->observation_stats,
                              c->block_observation_stats, n);
    }
    if (c->return_stats) {
        rein_normalizer_merge(c->return_stats, c->return_stats, c->block_return_stats, n);
    }
}

/* The first observations of all envs. */
static void first_look(rein_collector *c)
{
    copy_stats(c);
    for (int b = 0; b < c->vec->n_blocks; b++) {
        const rein_collector_span s = rein_collector_block(c, b);
        see(c, b, rein_row_at(c->vec->observation, (size_t)s.row, c->vec->observation_bytes),
            s.n_rows, c->next_observation + (size_t)s.row * (size_t)c->obs);
    }
    merge_stats(c);
    memset(c->next_start, 1, (size_t)c->vec->n_rows);
}

/* ---- a rollout ------------------------------------------------------------------------------- */

void rein_collector_open(rein_collector *c)
{
    copy_stats(c);
}

void rein_collector_begin(rein_collector *c, int block)
{
    const rein_collector_span s = rein_collector_block(c, block);
    const size_t row = (size_t)s.row, n = (size_t)s.n_rows, obs = (size_t)c->obs;
    memcpy(c->rollout->observation + row * obs, c->next_observation + row * obs,
           n * obs * sizeof(float));
    memcpy(c->start + row, c->next_start + row, n);
}

/* Actions within bounds for the environments. */
static void give_actions(rein_collector *c, const rein_collector_span *s, size_t at)
{
    rein_vec *vec = c->vec;
    const size_t bytes = (size_t)s->n_rows * vec->action_bytes;
    const rein_action_space *space = &vec->spec.action;
    const void *action = rein_row_at(c->rollout->action, at, vec->action_bytes);
    void *to = rein_row_at(vec->action, (size_t)s->row, vec->action_bytes);
    if (!c->continuous) {
        memcpy(to, action, bytes);
        return;
    }
    const float *a = action;
    float *clipped = to;
    for (int i = 0; i < s->n_rows; i++) {
        for (int j = 0; j < c->act; j++, a++, clipped++) {
            const float above = *a < space->low[j] ? space->low[j] : *a;
            *clipped = above > space->high[j] ? space->high[j] : above;
        }
    }
    if (c->options.record) memcpy(rein_row_at(c->raw_action, at, vec->action_bytes), to, bytes);
}

/* An episode of env e ended at step t: keep its return and last observation. */
static void end_episode(rein_collector *c, int block, int t, int e)
{
    const rein_vec *vec = c->vec;
    const int agents = vec->spec.n_agents;
    const size_t env_at = (size_t)t * (size_t)vec->n_envs + (size_t)e, row = (size_t)(e * agents);
    const size_t at = (size_t)t * (size_t)vec->n_rows + row;
    const void *final = rein_row_at(vec->final_observation, row, vec->observation_bytes);
    c->episode_return[env_at] = vec->episode_return[e];
    c->episode_length[env_at] = vec->episode_length[e];
    if (c->options.record) {
        memcpy(rein_row_at(c->raw_final, at, vec->observation_bytes), final,
               (size_t)agents * vec->observation_bytes);
    }
    if (c->final_observation) {
        see(c, block, final, agents, c->final_observation + at * (size_t)c->obs);
    }
}

/* A flag of each of n envs to its rows. */
static void to_rows(const uint8_t *flag, int n, int agents, uint8_t *row)
{
    if (agents == 1) {
        memcpy(row, flag, (size_t)n);
        return;
    }
    for (int i = 0; i < n; i++) memset(row + i * agents, flag[i], (size_t)agents);
}

/* What step t gave. */
static void take(rein_collector *c, int block, const rein_collector_span *s, int t)
{
    rein_rollout *r = c->rollout;
    const rein_vec *vec = c->vec;
    const int agents = vec->spec.n_agents;
    const size_t at = (size_t)t * (size_t)r->n_rows + (size_t)s->row;
    const size_t env_at = (size_t)t * (size_t)vec->n_envs + (size_t)s->env;
    const bool last = t + 1 == r->n_steps;
    uint8_t *start = last ? c->next_start + s->row : c->start + at + r->n_rows;
    memcpy(c->raw_reward + at, vec->reward + s->row, (size_t)s->n_rows * sizeof(float));
    memcpy(c->env_terminated + env_at, vec->terminated + s->env, (size_t)s->n_envs);
    memcpy(c->env_truncated + env_at, vec->truncated + s->env, (size_t)s->n_envs);
    to_rows(vec->terminated + s->env, s->n_envs, agents, r->terminated + at);
    to_rows(vec->truncated + s->env, s->n_envs, agents, r->truncated + at);
    for (int i = 0; i < s->n_rows; i++) {
        start[i] = r->terminated[at + (size_t)i] | r->truncated[at + (size_t)i];
    }
    for (int e = s->env; e < s->env + s->n_envs; e++) {
        if (vec->terminated[e] | vec->truncated[e]) end_episode(c, block, t, e);
    }
    if (c->return_stats) {
        rein_normalizer_rewards(c->block_return_stats[block], c->options.gamma,
                                c->options.reward_clip, c->raw_reward + at, r->terminated + at,
                                s->n_rows, c->running_return + s->row, r->reward + at);
    }
    const size_t obs = (size_t)c->obs;
    float *next = last ? c->next_observation + (size_t)s->row * obs
                       : r->observation + (at + (size_t)r->n_rows) * obs;
    see(c, block, rein_row_at(vec->observation, (size_t)s->row, vec->observation_bytes), s->n_rows,
        next);
}

rein_status rein_collector_step(rein_collector *c, int block, int t)
{
    const rein_vec *vec = c->vec;
    const rein_collector_span s = rein_collector_block(c, block);
    const size_t at = (size_t)t * (size_t)vec->n_rows + (size_t)s.row;
    if (c->options.record && c->raw_observation != c->rollout->observation) {
        memcpy(rein_row_at(c->raw_observation, at, vec->observation_bytes),
               rein_row_at(vec->observation, (size_t)s.row, vec->observation_bytes),
               (size_t)s.n_rows * vec->observation_bytes);
    }
    give_actions(c, &s, at);
    REIN_TRY(rein_vec_step_block(c->vec, block));
    take(c, block, &s, t);
    return REIN_OK;
}

void rein_collector_close(rein_collector *c)
{
    const size_t n = (size_t)c->rollout->n_steps * (size_t)c->vec->n_envs;
    merge_stats(c);
    for (size_t i = 0; i < n; i++) {
        if (c->env_terminated[i] | c->env_truncated[i]) {
            rein_episodes_push(&c->episodes, c->episode_return[i], c->episode_length[i]);
        }
    }
    c->episodes.broken = 0;
    for (int e = 0; e < c->vec->n_envs; e++) c->episodes.broken += c->vec->n_broken[e];
    c->step += (int64_t)n;
}

rein_status rein_collector_record(const rein_collector *c, rein_recorder *recorder)
{
    if (!recorder) return REIN_OK;
    const rein_recorder_steps steps = {
        .n_steps = c->rollout->n_steps,
        .observation = c->raw_observation,
        .action = c->raw_action,
        .reward = c->raw_reward,
        .terminated = c->env_terminated,
        .truncated = c->env_truncated,
        .final_observation = c->raw_final,
        .episode_return = c->episode_return,
        .episode_length = c->episode_length,
    };
    return rein_recorder_push(recorder, &steps);
}

/* ---- creation -------------------------------------------------------------------------------- */

static rein_status create_stats(rein_collector *c)
{
    const size_t n_blocks = (size_t)c->vec->n_blocks;
    c->block_observation_stats = calloc(n_blocks, sizeof(rein_normalizer *));
    c->block_return_stats = calloc(n_blocks, sizeof(rein_normalizer *));
    if (!c->block_observation_stats || !c->block_return_stats) {
        return rein_fail(REIN_ENOMEM, "no memory for statistics of %zu blocks", n_blocks);
    }
    if (c->options.normalize_observation) {
        REIN_TRY(rein_normalizer_create(c->obs, &c->observation_stats));
        for (size_t b = 0; b < n_blocks; b++) {
            REIN_TRY(rein_normalizer_create(c->obs, &c->block_observation_stats[b]));
        }
    }
    if (c->options.normalize_reward) {
        REIN_TRY(rein_normalizer_create(1, &c->return_stats));
        for (size_t b = 0; b < n_blocks; b++) {
            REIN_TRY(rein_normalizer_create(1, &c->block_return_stats[b]));
        }
    }
    return REIN_OK;
}

static rein_status create_arrays(rein_collector *c)
{
    const rein_collector_options *o = &c->options;
    const rein_vec *vec = c->vec;
    const size_t n_rows = (size_t)vec->n_rows, rows = (size_t)o->n_steps * n_rows;
    const size_t env_steps = (size_t)o->n_steps * (size_t)vec->n_envs, obs = (size_t)c->obs;
    const bool f32 = vec->spec.observation.dtype == REIN_F32;
    const bool own_observation = o->record && (o->normalize_observation || !f32);
    const bool own_action = o->record && c->continuous;
    const bool finals = o->final_observations || o->normalize_observation; /* they count, too */
    const rein_array_slot arrays[] = {
        {&c->start, rows},
        {&c->final_observation, finals ? rows * obs * sizeof(float) : 0},
        {&c->next_observation, n_rows * obs * sizeof(float)},
        {&c->next_start, n_rows},
        {&c->running_return, n_rows * sizeof(double)},
        {&c->raw_observation, own_observation ? rows * vec->observation_bytes : 0},
        {&c->raw_action, own_action ? rows * vec->action_bytes : 0},
        {&c->raw_reward, o->normalize_reward ? rows * sizeof(float) : 0},
        {&c->env_terminated, env_steps},
        {&c->env_truncated, env_steps},
        {&c->raw_final, o->record ? rows * vec->observation_bytes : 0},
        {&c->episode_return, env_steps * sizeof(double)},
        {&c->episode_length, env_steps * sizeof(int32_t)},
    };
    REIN_TRY(rein_arrays_create(arrays, (int)(sizeof arrays / sizeof arrays[0]), "a rollout",
                                &c->memory));
    if (!finals) c->final_observation = NULL;
    if (!own_observation) c->raw_observation = c->rollout->observation;
    if (!own_action) c->raw_action = c->rollout->action;
    if (!o->normalize_reward) c->raw_reward = c->rollout->reward;
    return REIN_OK;
}

static rein_status collector_init(rein_collector *c, const rein_task *task)
{
    const rein_vec_options options = {.env = task->env,
                                      .config = task->env_config,
                                      .n_envs = task->n_envs,
                                      .block_size = c->options.block_size,
                                      .max_episode_steps = task->max_episode_steps,
                                      .seed = task->seed};
    REIN_TRY(rein_vec_create(&options, &c->vec));
    const rein_env_spec *spec = &c->vec->spec;
    if ((double)c->options.n_steps * c->vec->n_rows > INT32_MAX / REIN_MAX_ACTION) {
        return rein_fail(REIN_ECONFIG, "algo.n_steps %d x %d rows is more than a rollout holds",
                         c->options.n_steps, c->vec->n_rows);
    }
    c->continuous = spec->action.kind == REIN_CONTINUOUS;
    c->obs = spec->observation.size;
    c->act = c->continuous ? spec->action.size : 1;
    REIN_TRY(create_stats(c));
    REIN_TRY(rein_rollout_create(c->options.n_steps, c->vec->n_rows, c->obs,
                                 c->continuous ? REIN_F32 : REIN_I32, c->act, &c->rollout));
    REIN_TRY(create_arrays(c));
    first_look(c);
    return REIN_OK;
}

rein_status rein_collector_create(const rein_collector_options *options, const rein_task *task,
                                  rein_collector **out)
{
    *out = NULL;
    rein_collector *c = calloc(1, sizeof *c);
    if (!c) return rein_fail(REIN_ENOMEM, "no memory for a collector");
    c->options = *options;
    rein_status status = collector_init(c, task);
    if (status != REIN_OK) {
        rein_collector_free(c);
        return status;
    }
    *out = c;
    return REIN_OK;
}

void rein_collector_free(rein_collector *c)
{
    if (!c) return;
    for (int b = 0; c->vec && b < c->vec->n_blocks; b++) {
        if (c->block_observation_stats) rein_normalizer_free(c->block_observation_stats[b]);
        if (c->block_return_stats) rein_normalizer_free(c->block_return_stats[b]);
    }
    rein_normalizer_free(c->observation_stats);
    rein_normalizer_free(c->return_stats);
    rein_rollout_free(c->rollout);
    rein_vec_free(c->vec);
    free(c->block_observation_stats);
    free(c->block_return_stats);
    free(c->memory);
    free(c);
}

static rein_status archive_part(rein_collector *c, rein_archive *archive, int part)
{
    switch (part) {
    case 0:
        rein_archive_enter(archive, "vec");
        return rein_vec_archive(c->vec, archive);
    case 1:
        rein_archive_enter(archive, "episodes");
        return rein_episodes_archive(&c->episodes, archive);
    case 2:
        rein_archive_enter(archive, "observation_stats");
        return c->observation_stats ? rein_normalizer_archive(c->observation_stats, archive)
                                    : REIN_OK;
    default:
        rein_archive_enter(archive, "return_stats");
        return c->return_stats ? rein_normalizer_archive(c->return_stats, archive) : REIN_OK;
    }
}

rein_status rein_collector_archive(rein_collector *c, rein_archive *archive)
{
    const size_t n_rows = (size_t)c->vec->n_rows;
    REIN_TRY(rein_archive_i64(archive, "collector/step", &c->step));
    REIN_TRY(rein_archive_array(archive, "collector/next_observation", REIN_F32,
                                c->next_observation, n_rows * (size_t)c->obs));
    REIN_TRY(rein_archive_array(archive, "collector/next_start", REIN_U8, c->next_start, n_rows));
    REIN_TRY(rein_archive_array(archive, "collector/running_return", REIN_F64, c->running_return,
                                n_rows));
    for (int part = 0; part < 4; part++) {
        rein_status status = archive_part(c, archive, part);
        rein_archive_leave(archive);
        REIN_TRY(status);
    }
    return REIN_OK;
}
