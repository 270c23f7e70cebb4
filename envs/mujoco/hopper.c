/* Hopper-v4: a planar one-legged robot is paid for hopping forward without falling.
 *
 * Erez, Tassa & Todorov (2011), "Infinite horizon model predictive control for nonlinear periodic
 * tasks"; task as in Gymnasium's Hopper-v4 (Towers et al. 2024, version 1.0.0).
 *     reward = forward_reward_weight (x' - x) / dt + healthy_reward - ctrl_cost_weight |a|^2
 *     observation = qpos without x (5), qvel clipped to [-10, 10] (6)
 * The robot is healthy while height, pitch and every other state entry are inside their ranges;
 * the episode ends when it is not. The step that ends it is paid healthy_reward all the same. */
#include "envs/mujoco/classes.h"
#include "envs/mujoco/robot.h"

#define HOPPER_FIELDS(X)                                                                           \
    REIN_ROBOT_FIELDS(X, "4")                                                                      \
    X(real, forward_reward_weight, "1.0", "", "reward per m/s of forward speed")                   \
    X(real, ctrl_cost_weight, "1e-3", "[0, 1e6]", "cost per squared action")                       \
    X(real, healthy_reward, "1.0", "", "reward per step")                                          \
    X(flag, terminate_when_unhealthy, "true", "", "end the episode at an unhealthy state")         \
    X(real, healthy_state_limit, "100", "(0, 1e10]", "bound of each entry of qpos[2:], qvel")      \
    X(real, healthy_z_min, "0.7", "", "lowest healthy height of the torso, m")                     \
    X(real, healthy_z_max, "1e10", "", "highest healthy height of the torso, m")                   \
    X(real, healthy_angle_limit, "0.2", "(0, 1e10]", "bound of the healthy pitch, rad")            \
    X(real, reset_noise_scale, "5e-3", "[0, 10]", "half range of initial qpos and qvel")           \
    X(flag, exclude_current_positions_from_observation, "true", "",                                \
      "leave x out: the task is "                                                                  \
      "the same everywhere")

REIN_CONFIG(hopper_config, HOPPER_FIELDS)
REIN_ROBOT_CHECK_CONFIG(hopper_config);

static int hopper_observation_size(const mjModel *model, const void *config)
{
    const hopper_config *c = config;
    return (int)(model->nq + model->nv) - (c->exclude_current_positions_from_observation ? 1 : 0);
}

static void hopper_begin(rein_sim *sim, const void *config, rein_rng *rng)
{
    const hopper_config *c = config;
    rein_robot_add_uniform(sim->data->qpos, (int)sim->model->nq, c->reset_noise_scale, rng);
    rein_robot_add_uniform(sim->data->qvel, (int)sim->model->nv, c->reset_noise_scale, rng);
}

/* All of x [n] strictly inside (-limit, limit)? */
static bool hopper_is_within(const double *x, int n, double limit)
{
    bool within = true;
    for (int i = 0; i < n; i++) within &= -limit < x[i] && x[i] < limit;
    return within;
}

static bool hopper_is_healthy(const rein_sim *sim, const hopper_config *c)
{
    const double *qpos = sim->data->qpos; /* x, z, pitch, joints */
    return c->healthy_z_min < qpos[1] && qpos[1] < c->healthy_z_max &&
           hopper_is_within(qpos + 2, 1, c->healthy_angle_limit) &&
           hopper_is_within(qpos + 2, (int)sim->model->nq - 2, c->healthy_state_limit) &&
           hopper_is_within(sim->data->qvel, (int)sim->model->nv, c->healthy_state_limit);
}

static bool hopper_advance(rein_sim *sim, const void *config, const float *action,
                           rein_robot_outcome *out)
{
    const hopper_config *c = config;
    double x_before = sim->data->qpos[0];
    if (!rein_sim_step(sim, action)) return false;
    double x_velocity = (sim->data->qpos[0] - x_before) / sim->dt_s;
    double cost = c->ctrl_cost_weight * rein_robot_action_cost(action, (int)sim->model->nu);
    bool healthy = hopper_is_healthy(sim, c);
    double bonus = healthy || c->terminate_when_unhealthy ? c->healthy_reward : 0;
    out->reward = c->forward_reward_weight * x_velocity + bonus - cost;
    out->terminated = !healthy && c->terminate_when_unhealthy;
    return true;
}

static void hopper_look(const rein_sim *sim, const void *config, double *out)
{
    const hopper_config *c = config;
    int skip = c->exclude_current_positions_from_observation ? 1 : 0;
    int n = (int)sim->model->nq - skip;
    mju_copy(out, sim->data->qpos + skip, n);
    for (int i = 0; i < sim->model->nv; i++) {
        double v = sim->data->qvel[i];
        out[n + i] = v < -10 ? -10 : v > 10 ? 10 : v;
    }
}

static const rein_robot hopper = {
    .model = "hopper.xml",
    .config_size = sizeof(hopper_config),
    .min_positions = 3,
    .max_episode_steps = 1000,
    .reward_threshold = 3800,
    .observation_size = hopper_observation_size,
    .reset = hopper_begin,
    .step = hopper_advance,
    .observe = hopper_look,
};

static rein_status hopper_spec(const void *config, rein_env_spec *out)
{
    return rein_robot_spec(&hopper, config, out);
}

static rein_status hopper_init(void *state, const void *config)
{
    return rein_robot_init(&hopper, state, config);
}

const rein_env_class rein_hopper_v4 = {
    .id = "Hopper-v4",
    .summary = "a planar one-legged robot hops forward without falling (MuJoCo)",
    .cite = "Erez, Tassa & Todorov 2011; Gymnasium 1.0.0 Hopper-v4",
    .fields = hopper_config_fields,
    .n_fields = REIN_FIELD_COUNT(hopper_config_fields),
    .config_size = sizeof(hopper_config),
    .spec = hopper_spec,
    .init = hopper_init,
    REIN_ROBOT_SLOTS,
};
