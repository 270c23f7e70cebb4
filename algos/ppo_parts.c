#include "algos/ppo_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nets/distribution.h"
#include "nets/layers.h"

/* ---- rows of network outputs ---------------------------------------------------------------- */

size_t rein_ppo_rows_size(size_t n, int n_head)
{
    return n * (3 * (size_t)n_head + 7);
}

void rein_ppo_rows_place(float *at, size_t n, int n_head, rein_ppo_rows *out)
{
    const size_t k = (size_t)n_head;
    out->y = at;
    out->head = out->y + n * (k + 1);
    out->dhead = out->head + n * k;
    out->value = out->dhead + n * k;
    out->dvalue = out->value + n;
    out->log_prob = out->dvalue + n;
    out->dlog_prob = out->log_prob + n;
    out->entropy = out->dlog_prob + n;
    out->dentropy = out->entropy + n;
}

void rein_ppo_split(const float *y, int n, int k, float *head, float *value)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < k; j++) head[i * k + j] = y[i * (k + 1) + j];
        value[i] = y[i * (k + 1) + k];
    }
}

void rein_ppo_join(const float *dhead, const float *dvalue, int n, int k, float *dy)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < k; j++) dy[i * (k + 1) + j] = dhead[i * k + j];
        dy[i * (k + 1) + k] = dvalue[i];
    }
}

/* ---- the policy's distribution -------------------------------------------------------------- */

void rein_ppo_noise(const rein_ppo_pi *pi, rein_rng *rng, int n, float *noise)
{
    if (pi->continuous) {
        rein_rng_normals(rng, noise, n);
    } else {
        for (int i = 0; i < n; i++) noise[i] = rein_rng_uniform_f32(rng);
    }
}

void rein_ppo_sample(const rein_ppo_pi *pi, const float *head, int n, const float *noise,
                     void *action)
{
    if (pi->continuous) {
        rein_gaussian_sample(head, pi->log_std, n, pi->n_head, noise, action);
    } else {
        rein_categorical_sample(head, NULL, n, pi->n_head, noise, action);
    }
}

void rein_ppo_log_prob(const rein_ppo_pi *pi, const float *head, const void *action, int n,
                       float *log_prob, float *entropy)
{
    if (pi->continuous) {
        rein_gaussian_log_prob(head, pi->log_std, n, pi->n_head, action, log_prob, entropy);
    } else {
        rein_categorical_log_prob(head, NULL, n, pi->n_head, action, log_prob, entropy);
    }
}

/* ---- losses --------------------------------------------------------------------------------- */

void rein_ppo_policy_gradient(const rein_ppo_config *config, const rein_ppo_pi *pi,
                              const rein_ppo_batch *batch, size_t act, size_t at, int n,
                              double scale, rein_ppo_rows *w, float *dlog_std, rein_ppo_sums *sums)
{
    const void *action = rein_row_at(batch->action, at, act);
    const float dentropy = (float)(-config->entropy_coef * scale);
    rein_ppo_log_prob(pi, w->head, action, n, w->log_prob, w->entropy);
    rein_ppo_policy_loss(w->log_prob, batch->log_prob + at, batch->advantage + at, n, config->clip,
                         scale, w->dlog_prob, sums);
    for (int i = 0; i < n; i++) {
        w->dentropy[i] = dentropy;
        sums->entropy += w->entropy[pi->continuous ? 0 : i];
    }
    if (pi->continuous) {
        rein_gaussian_backward(w->head, pi->log_std, n, pi->n_head, action, w->dlog_prob,
                               w->dentropy, w->dhead, dlog_std);
    } else {
        rein_categorical_backward(w->head, NULL, n, pi->n_head, action, w->dlog_prob, w->dentropy,
                                  w->dhead);
    }
}

void rein_ppo_value_gradient(const rein_ppo_config *config, const rein_ppo_batch *batch, size_t at,
                             int n, double scale, rein_ppo_rows *w, rein_ppo_sums *sums)
{
    rein_ppo_value_loss(w->value, batch->value + at, batch->return_ + at, n, config->clip_value,
                        config->clip, scale * config->value_coef, w->dvalue, sums);
}

rein_status rein_ppo_check_norm(double norm, const rein_ppo_sums *sums, double rows, int64_t step)
{
    if (isfinite(norm)) return REIN_OK;
    return rein_fail(REIN_ENAN,
                     "step %lld: the gradient is not finite (policy loss %g, value loss %g): "
                     "try a smaller algo.lr, or algo.normalize_reward=true for large rewards",
                     (long long)step, sums->policy_loss / rows, sums->value_loss / rows);
}

/* ---- settings ------------------------------------------------------------------------------- */

rein_status rein_ppo_check_rollout(const rein_ppo_config *config, const rein_task *task,
                                   const rein_env_spec *spec)
{
    const int64_t n_rows = (int64_t)task->n_envs * spec->n_agents;
    if (task->n_envs < 1) return rein_fail(REIN_ECONFIG, "env.n_envs = %d, need 1", task->n_envs);
    if (config->n_steps * n_rows > INT32_MAX / REIN_MAX_ACTION) {
        return rein_fail(REIN_ECONFIG, "algo.n_steps %lld x %lld rows is more than a rollout holds",
                         (long long)config->n_steps, (long long)n_rows);
    }
    return REIN_OK;
}

rein_status rein_ppo_check_embedding(const rein_ppo_config *config, const rein_net_spec *net)
{
    if (!config->normalize_observation || net->layers[0].kind != REIN_LAYER_EMBEDDING) {
        return REIN_OK;
    }
    return rein_fail(REIN_ECONFIG,
                     "net.layers begins with embedding, which needs observations as they are: "
                     "algo.normalize_observation=false");
}

rein_collector_options rein_ppo_collector_options(const rein_ppo_config *config, int block_size,
                                                  bool record)
{
    return (rein_collector_options){
        .n_steps = (int)config->n_steps,
        .block_size = block_size,
        .record = record,
        .final_observations = config->bootstrap_truncated,
        .normalize_observation = config->normalize_observation,
        .normalize_reward = config->normalize_reward,
        .observation_clip = config->observation_clip,
        .reward_clip = config->reward_clip,
        .gamma = config->gamma,
    };
}

void rein_ppo_regain_value(float *biases, int n_in, rein_init init)
{
    if (init != REIN_INIT_ORTHOGONAL && init != REIN_INIT_XAVIER) return;
    for (int i = 1; i <= n_in; i++) {
        biases[-i] *= (float)(REIN_PPO_GAIN_VALUE / REIN_PPO_GAIN_POLICY);
    }
}

void rein_ppo_init_log_std(const rein_ppo_config *config, const rein_collector *data,
                           float *log_std)
{
    for (int i = 0; i < data->act && data->continuous; i++) {
        log_std[i] = (float)config->log_std_init;
    }
}

/* ---- for others ----------------------------------------------------------------------------- */

rein_status rein_ppo_create_policy(const rein_ppo_config *config, const char *algo_id,
                                   const char *env_id, const rein_collector *data,
                                   const rein_net_spec *actor, rein_policy **out)
{
    rein_policy_spec spec = {
        .observation = data->vec->spec.observation,
        .action = data->vec->spec.action,
        .head = data->continuous ? REIN_HEAD_GAUSSIAN : REIN_HEAD_CATEGORICAL,
        .net = *actor,
        .normalize_observation = config->normalize_observation,
        .observation_clip = config->observation_clip,
    };
    snprintf(spec.env_id, sizeof spec.env_id, "%s", env_id);
    snprintf(spec.algo_id, sizeof spec.algo_id, "%s", algo_id);
    return rein_policy_create(&spec, out);
}

void rein_ppo_fill_policy(rein_policy *policy, const float *params, const float *log_std,
                          const rein_collector *data)
{
    memcpy(policy->params, params, policy->n_params * sizeof(float));
    if (data->continuous) memcpy(policy->log_std, log_std, (size_t)data->act * sizeof(float));
    if (data->observation_stats) {
        memcpy(policy->mean, data->observation_stats->mean, (size_t)data->obs * sizeof(double));
        memcpy(policy->var, data->observation_stats->var, (size_t)data->obs * sizeof(double));
    }
    policy->timesteps = data->step;
    rein_policy_pack(policy);
}

rein_ppo_metrics rein_ppo_metrics_of(const rein_ppo_sums *sums, double rows, double norms,
                                     int n_minibatches, const rein_rollout *rollout, double lr)
{
    return (rein_ppo_metrics){
        .policy_loss = sums->policy_loss / rows,
        .value_loss = sums->value_loss / rows,
        .entropy = sums->entropy / rows,
        .approx_kl = sums->approx_kl / rows,
        .clip_fraction = sums->n_clipped / rows,
        .explained_variance = rein_ppo_explained_variance(rollout->return_, rollout->value,
                                                          rollout->n_steps * rollout->n_rows),
        .lr = lr,
        .grad_norm = norms / n_minibatches,
    };
}

rein_status rein_ppo_log(const rein_ppo_metrics *m, const rein_collector *data, rein_run *run)
{
    const rein_metric metrics[] = {
        {"policy_loss", m->policy_loss},
        {"value_loss", m->value_loss},
        {"entropy", m->entropy},
        {"approx_kl", m->approx_kl},
        {"clip_fraction", m->clip_fraction},
        {"explained_variance", m->explained_variance},
        {"lr", m->lr},
        {"grad_norm", m->grad_norm},
    };
    return rein_run_log(run, data->step, &data->episodes, metrics,
                        (int)(sizeof metrics / sizeof metrics[0]));
}
