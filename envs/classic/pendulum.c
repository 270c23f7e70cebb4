/* Pendulum-v1: swing a pendulum up with a weak motor and hold it there.
 *
 * As in Gymnasium's Pendulum-v1 (Towers et al. 2024, version 1.0.0), expression by expression.
 *     reward = -(angle^2 + 0.1 angular velocity^2 + 0.001 torque^2), angle 0 upright, in [-pi, pi);
 *              of the state before the step and the torque after clipping
 *     observation = cos(angle), sin(angle), angular velocity
 * The episode never ends by itself. */
#include <math.h>

#include "envs/classic/classes.h"
#include "envs/classic/control.h"

#define PENDULUM_FIELDS(X) X(real, g, "10", "", "gravity, m/s^2")

REIN_CONFIG(pendulum_config, PENDULUM_FIELDS)

#define MAX_SPEED  8.0 /* rad/s */
#define MAX_TORQUE 2.0 /* N m */
#define DT_S       0.05
#define MASS       1.0 /* kg */
#define LENGTH     1.0 /* m */
enum { N = 2, N_OBSERVATION = 3 };

typedef struct pendulum_state {
    double x[N]; /* angle rad (grows without wrapping), angular velocity rad/s */
    double reward;
    double gravity;
} pendulum_state;

static rein_status pendulum_spec(const void *config, rein_env_spec *out)
{
    (void)config;
    *out = (rein_env_spec){
        .observation = rein_control_observation(N_OBSERVATION),
        .action = rein_control_continuous((float)MAX_TORQUE),
        .n_agents = 1,
        .max_episode_steps = 200,
        .state_size = sizeof(pendulum_state),
        .reward_threshold = NAN,
    };
    return REIN_OK;
}

static rein_status pendulum_init(void *state, const void *config)
{
    ((pendulum_state *)state)->gravity = ((const pendulum_config *)config)->g;
    return REIN_OK;
}

static void pendulum_observe(void *state, rein_env_io *io)
{
    const pendulum_state *s = state;
    float *out = io->observation;
    out[0] = (float)cos(s->x[0]);
    out[1] = (float)sin(s->x[0]);
    out[2] = (float)s->x[1];
}

static void pendulum_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    pendulum_state *s = state;
    s->x[0] = rein_rng_uniform_in(rng, -M_PI, M_PI);
    s->x[1] = rein_rng_uniform_in(rng, -1, 1);
    s->reward = 0;
    pendulum_observe(s, io);
}

/* ((angle + pi) mod 2 pi) - pi with Python's mod, whose result has the sign of the divisor. */
static double pendulum_wrap(double angle)
{
    double turned = angle + M_PI;
    if (!(turned >= 0 && turned < 2 * M_PI)) {
        turned = fmod(turned, 2 * M_PI);
        if (turned < 0) turned += 2 * M_PI;
    }
    return turned - M_PI;
}

static void pendulum_step(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)rng;
    pendulum_state *s = state;
    double angle = s->x[0], speed = s->x[1], g = s->gravity;
    double torque = rein_control_clip((double)*(const float *)io->action, -MAX_TORQUE, MAX_TORQUE);
    double wrapped = pendulum_wrap(angle);
    double cost = wrapped * wrapped + 0.1 * (speed * speed) + 0.001 * (torque * torque);

    speed += (3 * g / (2 * LENGTH) * sin(angle) + 3.0 / (MASS * LENGTH * LENGTH) * torque) * DT_S;
    speed = rein_control_clip(speed, -MAX_SPEED, MAX_SPEED);
    s->x[0] = angle + speed * DT_S;
    s->x[1] = speed;
    s->reward = -cost;
    *io->reward = (float)-cost;
    *io->terminated = 0;
    pendulum_observe(s, io);
}

static const rein_env_quantity *pendulum_quantities(const void *state)
{
    static const rein_env_quantity list[] = REIN_CONTROL_QUANTITIES(N, N_OBSERVATION);
    (void)state;
    return list;
}

static void pendulum_peek(const void *state, const char *name, double *out)
{
    pendulum_state s = *(const pendulum_state *)state;
    float observation[N_OBSERVATION];
    pendulum_observe(&s, &(rein_env_io){.observation = observation});
    rein_control_peek(&(rein_control_view){s.x, N, observation, N_OBSERVATION, s.reward}, name,
                      out);
}

static rein_status pendulum_poke(void *state, const char *name, const double *values)
{
    pendulum_state *s = state;
    s->reward = 0;
    return rein_control_poke(s->x, N, name, values);
}

const rein_env_class rein_pendulum_v1 = {
    .id = "Pendulum-v1",
    .summary = "swing a pendulum up with a weak motor and hold it",
    .cite = "Gymnasium 1.0.0 Pendulum-v1",
    .fields = pendulum_config_fields,
    .n_fields = REIN_FIELD_COUNT(pendulum_config_fields),
    .config_size = sizeof(pendulum_config),
    .spec = pendulum_spec,
    .init = pendulum_init,
    .reset = pendulum_reset,
    .step = pendulum_step,
    .quantities = pendulum_quantities,
    .peek = pendulum_peek,
    .poke = pendulum_poke,
    .observe = pendulum_observe,
};
