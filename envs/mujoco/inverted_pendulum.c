/* InvertedPendulum-v4: keep a pole upright by pushing the cart that it stands on.
 *
 * The balancing task of Barto, Sutton & Anderson (1983), "Neuronlike adaptive elements that can
 * solve difficult learning control problems", with a continuous force; as in Gymnasium's
 * InvertedPendulum-v4 (Towers et al. 2024, version 1.0.0).
 *     reward = 1 per step, also for the one that ends the episode
 *     observation = cart position, pole angle, cart velocity, pole velocity
 * The episode ends when the pole leans more than max_angle. */
#include <math.h>

#include "envs/mujoco/classes.h"
#include "envs/mujoco/robot.h"

#define INVERTED_PENDULUM_FIELDS(X)                                                                \
    REIN_ROBOT_FIELDS(X, "2")                                                                      \
    X(real, max_angle, "0.2", "(0, 10]", "the episode ends beyond this angle of the pole, rad")    \
    X(real, reset_noise_scale, "0.01", "[0, 10]", "half range of initial qpos and qvel")

REIN_CONFIG(inverted_pendulum_config, INVERTED_PENDULUM_FIELDS)
REIN_ROBOT_CHECK_CONFIG(inverted_pendulum_config);

static int inverted_pendulum_observation_size(const mjModel *model, const void *config)
{
    (void)config;
    return (int)(model->nq + model->nv);
}

static void inverted_pendulum_begin(rein_sim *sim, const void *config, rein_rng *rng)
{
    const inverted_pendulum_config *c = config;
    rein_robot_add_uniform(sim->data->qpos, (int)sim->model->nq, c->reset_noise_scale, rng);
    rein_robot_add_uniform(sim->data->qvel, (int)sim->model->nv, c->reset_noise_scale, rng);
}

static bool inverted_pendulum_advance(rein_sim *sim, const void *config, const float *action,
                                      rein_robot_outcome *out)
{
    const inverted_pendulum_config *c = config;
    if (!rein_sim_step(sim, action)) return false;
    out->reward = 1;
    out->terminated = fabs(sim->data->qpos[1]) > c->max_angle;
    return true;
}

static void inverted_pendulum_look(const rein_sim *sim, const void *config, double *out)
{
    (void)config;
    mju_copy(out, sim->data->qpos, (int)sim->model->nq);
    mju_copy(out + sim->model->nq, sim->data->qvel, (int)sim->model->nv);
}

static const rein_robot inverted_pendulum = {
    .model = "inverted_pendulum.xml",
    .config_size = sizeof(inverted_pendulum_config),
    .min_positions = 2,
    .max_episode_steps = 1000,
    .reward_threshold = 950,
    .observation_size = inverted_pendulum_observation_size,
    .reset = inverted_pendulum_begin,
    .step = inverted_pendulum_advance,
    .observe = inverted_pendulum_look,
};

static rein_status inverted_pendulum_spec(const void *config, rein_env_spec *out)
{
    return rein_robot_spec(&inverted_pendulum, config, out);
}

static rein_status inverted_pendulum_init(void *state, const void *config)
{
    return rein_robot_init(&inverted_pendulum, state, config);
}

const rein_env_class rein_inverted_pendulum_v4 = {
    .id = "InvertedPendulum-v4",
    .summary = "push a cart so that the pole on it stays upright (MuJoCo)",
    .cite = "Barto, Sutton & Anderson 1983; Gymnasium 1.0.0 InvertedPendulum-v4",
    .fields = inverted_pendulum_config_fields,
    .n_fields = REIN_FIELD_COUNT(inverted_pendulum_config_fields),
    .config_size = sizeof(inverted_pendulum_config),
    .spec = inverted_pendulum_spec,
    .init = inverted_pendulum_init,
    REIN_ROBOT_SLOTS,
};
