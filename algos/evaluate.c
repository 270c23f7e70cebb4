#include "algos/evaluate.h"

#include <math.h>
#include <stdlib.h>

#include "envs/vec.h"

enum { MAX_STEPS = 1000000 };

typedef struct evaluator {
    const rein_evaluation_options *options;
    rein_vec *vec;
    rein_policy_workspace **workspaces; /* [threads] */
    double *returns;                    /* [n_episodes] */
    int64_t *lengths;                   /* [n_episodes]; 0: still playing */
} evaluator;

/* Actions of `rows` rows from row `first`. Sampling draws from a stream of each row's own, so that
 * neither blocks nor threads matter; the high bit keeps it apart from the streams of resets. */
static rein_status act(evaluator *e, rein_policy_workspace *ws, int first, int rows, int64_t step)
{
    rein_vec *vec = e->vec;
    const rein_policy *policy = e->options->policy;
    const char *observation =
        (const char *)vec->observation + (size_t)first * vec->observation_bytes;
    char *action = (char *)vec->action + (size_t)first * vec->action_bytes;
    rein_policy_at(ws, 0);
    if (e->options->deterministic) {
        return rein_policy_act(policy, ws, observation, rows, NULL, action);
    }
    for (int i = 0; i < rows; i++) {
        rein_rng rng = rein_rng_stream(e->options->seed, REIN_RNG_EVAL, (uint32_t)(first + i),
                                       (uint64_t)1 << 55 | (uint64_t)step);
        rein_policy_at(ws, i);
        REIN_TRY(rein_policy_act(policy, ws, observation + (size_t)i * vec->observation_bytes, 1,
                                 &rng, action + (size_t)i * vec->action_bytes));
    }
    return REIN_OK;
}

/* Play the envs of one block until each has ended its first episode. */
static rein_status play_block(void *context, int block, int thread)
{
    evaluator *e = context;
    rein_vec *vec = e->vec;
    int first, count = rein_vec_block(vec, block, &first), playing = count;
    int agents = vec->spec.n_agents;
    rein_policy_reset(e->workspaces[thread], 0, count * agents);
    for (int64_t step = 0; playing > 0; step++) {
        REIN_TRY(act(e, e->workspaces[thread], first * agents, count * agents, step));
        REIN_TRY(rein_vec_step_block(vec, block));
        for (int i = first; i < first + count; i++) {
            bool ended = vec->terminated[i] || vec->truncated[i] || step + 1 >= MAX_STEPS;
            if (ended) rein_policy_reset(e->workspaces[thread], (i - first) * agents, agents);
            if (e->lengths[i] || !ended) continue;
            e->returns[i] = vec->episode_return[i];
            e->lengths[i] = vec->episode_length[i];
            playing--;
        }
    }
    return REIN_OK;
}

static void summarize(const evaluator *e, int n, rein_evaluation *out)
{
    double sum = 0, squares = 0, low = e->returns[0], high = e->returns[0];
    int64_t steps = 0;
    for (int i = 0; i < n; i++) {
        sum += e->returns[i];
        low = fmin(low, e->returns[i]);
        high = fmax(high, e->returns[i]);
        steps += e->lengths[i];
    }
    double mean = sum / n;
    for (int i = 0; i < n; i++) squares += (e->returns[i] - mean) * (e->returns[i] - mean);
    *out = (rein_evaluation){
        .n_episodes = n,
        .return_mean = mean,
        .return_std = n > 1 ? sqrt(squares / (n - 1)) : 0,
        .return_min = low,
        .return_max = high,
        .length_mean = (double)steps / n,
        .steps = steps,
    };
}

static rein_status evaluator_create(evaluator *e)
{
    const rein_evaluation_options *o = e->options;
    rein_env_spec spec;
    REIN_TRY(o->env->spec(o->env_config, &spec));
    REIN_TRY(rein_policy_fits(o->policy, &spec));
    /* Small blocks: an env that has ended its episode is stepped on with its block. */
    rein_vec_options options = {
        .env = o->env,
        .config = o->env_config,
        .n_envs = o->n_episodes,
        .block_size = spec.slow_step ? 1 : 8,
        .max_episode_steps = o->max_episode_steps,
        .seed = o->seed,
        .reset_purpose = REIN_RNG_EVAL,
    };
    REIN_TRY(rein_vec_create(&options, &e->vec));
    int threads = rein_team_threads(o->team);
    e->workspaces = calloc((size_t)threads, sizeof(rein_policy_workspace *));
    e->returns = calloc((size_t)o->n_episodes, sizeof *e->returns);
    e->lengths = calloc((size_t)o->n_episodes, sizeof *e->lengths);
    if (!e->workspaces || !e->returns || !e->lengths) {
        return rein_fail(REIN_ENOMEM, "no memory to evaluate %d episodes", o->n_episodes);
    }
    for (int i = 0; i < threads; i++) {
        REIN_TRY(rein_policy_workspace_create(o->policy, e->vec->block_size * spec.n_agents,
                                              &e->workspaces[i]));
    }
    return REIN_OK;
}

rein_status rein_evaluate(const rein_evaluation_options *options, rein_evaluation *out,
                          double *returns)
{
    if (options->n_episodes < 1) {
        return rein_fail(REIN_EINVAL, "an evaluation of %d episodes", options->n_episodes);
    }
    evaluator e = {.options = options};
    rein_status status = evaluator_create(&e);
    if (status == REIN_OK) {
        status = rein_team_run(options->team, e.vec->n_blocks, play_block, &e);
    }
    if (status == REIN_OK) {
        summarize(&e, options->n_episodes, out);
        for (int i = 0; returns && i < options->n_episodes; i++) returns[i] = e.returns[i];
    }
    for (int i = 0; e.workspaces && i < rein_team_threads(options->team); i++) {
        rein_policy_workspace_free(e.workspaces[i]);
    }
    free(e.workspaces);
    free(e.returns);
    free(e.lengths);
    rein_vec_free(e.vec);
    return status;
}
