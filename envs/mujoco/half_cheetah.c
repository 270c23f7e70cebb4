/* HalfCheetah-v4: a planar two-legged robot is paid for running forward.
 *
 * Wawrzynski (2009), "A cat-like robot real-time learning to run"; task as in Gymnasium's
 * HalfCheetah-v4 (Towers et al. 2024, version 1.0.0). The robot never terminates an episode.
 *     reward = forward_reward_weight (x' - x) / dt - ctrl_cost_weight |a|^2
 *     observation = qpos without x (8), qvel (9) */
#include "envs/mujoco/classes.h"
#include "envs/mujoco/robot.h"

#define HALF_CHEETAH_FIELDS(X)                                                                     \
    REIN_ROBOT_FIELDS(X, "5")                                                                      \
    X(real, forward_reward_weight, "1.0", "", "reward per m/s of forward speed")                   \
    X(real, ctrl_cost_weight, "0.1", "[0, 1e6]", "cost per squared action")                        \
    X(real, reset_noise_scale, "0.1", "[0, 10]", "half range of initial qpos, sigma of qvel")      \
    X(flag, exclude_current_positions_from_observation, "true", "",                                \
      "leave x out: the task is "                                                                  \
      "the same everywhere")

REIN_CONFIG(half_cheetah_config, HALF_CHEETAH_FIELDS)
REIN_ROBOT_CHECK_CONFIG(half_cheetah_config);

static int half_cheetah_observation_size(const mjModel *model, const void *config)
{
    const half_cheetah_config *c = config;
    return (int)(model->nq + model->nv) - (c->exclude_current_positions_from_observation ? 1 : 0);
}

static void half_cheetah_begin(rein_sim *sim, const void *config, rein_rng *rng)
{
    const half_cheetah_config *c = config;
    rein_robot_add_uniform(sim->data->qpos, (int)sim->model->nq, c->reset_noise_scale, rng);
    rein_robot_add_normal(sim->data->qvel, (int)sim->model->nv, c->reset_noise_scale, rng);
}

static bool half_cheetah_advance(rein_sim *sim, const void *config, const float *action,
                                 rein_robot_outcome *out)
{
    const half_cheetah_config *c = config;
    double x_before = sim->data->qpos[0];
    if (!rein_sim_step(sim, action)) return false;
    double x_velocity = (sim->data->qpos[0] - x_before) / sim->dt_s;
    double cost = c->ctrl_cost_weight * rein_robot_action_cost(action, (int)sim->model->nu);
    out->reward = c->forward_reward_weight * x_velocity - cost;
    return true;
}

static void half_cheetah_look(const rein_sim *sim, const void *config, double *out)
{
    const half_cheetah_config *c = config;
    int skip = c->exclude_current_positions_from_observation ? 1 : 0;
    int n = (int)sim->model->nq - skip;
    mju_copy(out, sim->data->qpos + skip, n);
    mju_copy(out + n, sim->data->qvel, (int)sim->model->nv);
}

static const rein_robot half_cheetah = {
    .model = "half_cheetah.xml",
    .config_size = sizeof(half_cheetah_config),
    .min_positions = 2,
    .max_episode_steps = 1000,
    .reward_threshold = 4800,
    .observation_size = half_cheetah_observation_size,
    .reset = half_cheetah_begin,
    .step = half_cheetah_advance,
    .observe = half_cheetah_look,
};

static rein_status half_cheetah_spec(const void *config, rein_env_spec *out)
{
    return rein_robot_spec(&half_cheetah, config, out);
}

static rein_status half_cheetah_init(void *state, const void *config)
{
    return rein_robot_init(&half_cheetah, state, config);
}

const rein_env_class rein_half_cheetah_v4 = {
    .id = "HalfCheetah-v4",
    .summary = "a planar two-legged robot runs forward (MuJoCo)",
    .cite = "Wawrzynski 2009; Gymnasium 1.0.0 HalfCheetah-v4",
    .fields = half_cheetah_config_fields,
    .n_fields = REIN_FIELD_COUNT(half_cheetah_config_fields),
    .config_size = sizeof(half_cheetah_config),
    .spec = half_cheetah_spec,
    .init = half_cheetah_init,
    REIN_ROBOT_SLOTS,
};
