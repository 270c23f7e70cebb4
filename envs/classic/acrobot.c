/* Acrobot-v1: swing the lower of two links above a line with a motor at the joint between them.
 *
 * Sutton (1996), "Generalization in reinforcement learning: successful examples using sparse coarse
 * coding"; as in Gymnasium's Acrobot-v1 (Towers et al. 2024, version 1.0.0), expression by
 * expression, which takes its equations from Sutton & Barto's book.
 *     reward = -1 per step, 0 for the one that reaches the line
 *     observation = cos and sin of the first angle, cos and sin of the second, both velocities
 * The first state of an episode is rounded to float, as there. */
#include <math.h>

#include "envs/classic/classes.h"
#include "envs/classic/control.h"

#define ACROBOT_FIELDS(X)                                                                          \
    X(choice, book_or_nips, "book", "book|nips",                                                   \
      "equations of Sutton & Barto's book or of Sutton's NIPS paper")                              \
    X(real, torque_noise_max, "0", "[0, 10]", "half range of uniform noise on the torque, N m")

REIN_CONFIG(acrobot_config, ACROBOT_FIELDS)

/* Both links: 1 m long, 1 kg, centre of mass in the middle, moment of inertia 1. */
#define LENGTH_1    1.0
#define MASS_1      1.0
#define MASS_2      1.0
#define CENTRE_1    0.5
#define CENTRE_2    0.5
#define INERTIA     1.0
#define GRAVITY     9.8
#define DT_S        0.2
#define MAX_SPEED_1 (4 * M_PI)
#define MAX_SPEED_2 (9 * M_PI)
enum { N = 4, N_OBSERVATION = 6 };

typedef struct acrobot_state {
    double x[N]; /* angle 1 (0: hanging), angle 2 (0: straight), their velocities; rad, rad/s */
    double reward;
    double torque_noise_max;
    bool book;
} acrobot_state;

static rein_status acrobot_spec(const void *config, rein_env_spec *out)
{
    (void)config;
    *out = (rein_env_spec){
        .observation = rein_control_observation(N_OBSERVATION),
        .action = rein_control_discrete(3),
        .n_agents = 1,
        .max_episode_steps = 500,
        .state_size = sizeof(acrobot_state),
        .reward_threshold = -100,
    };
    return REIN_OK;
}

static rein_status acrobot_init(void *state, const void *config)
{
    acrobot_state *s = state;
    const acrobot_config *c = config;
    s->torque_noise_max = c->torque_noise_max;
    s->book = c->book_or_nips == 0;
    return REIN_OK;
}

static void acrobot_observe(void *state, rein_env_io *io)
{
    const acrobot_state *s = state;
    float *out = io->observation;
    out[0] = (float)cos(s->x[0]);
    out[1] = (float)sin(s->x[0]);
    out[2] = (float)cos(s->x[1]);
    out[3] = (float)sin(s->x[1]);
    out[4] = (float)s->x[2];
    out[5] = (float)s->x[3];
}

static void acrobot_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    acrobot_state *s = state;
    for (int i = 0; i < N; i++) s->x[i] = rein_control_round(rein_rng_uniform_in(rng, -0.1, 0.1));
    s->reward = 0;
    acrobot_observe(s, io);
}

/* x^2 as Python computes it: by the library's pow, which rounds one square in a thousand the
 * other way than x * x. The motion is chaotic, so such a digit shows after some hundred steps. */
static double acrobot_square(double x)
{
    static const volatile double two = 2; /* hidden: compilers turn pow(x, 2) into x * x */
    return pow(x, two);
}

/* rate = dx/dt of state x [4] under a torque. */
static void acrobot_rates(const double x[N], double torque, bool book, double rate[N])
{
    double dot_1 = x[2], dot_2 = x[3], cos_2 = cos(x[1]), sin_2 = sin(x[1]);
    double d1 =
        MASS_1 * (CENTRE_1 * CENTRE_1) +
        MASS_2 * (LENGTH_1 * LENGTH_1 + CENTRE_2 * CENTRE_2 + 2 * LENGTH_1 * CENTRE_2 * cos_2) +
        INERTIA + INERTIA;
    double d2 = MASS_2 * (CENTRE_2 * CENTRE_2 + LENGTH_1 * CENTRE_2 * cos_2) + INERTIA;
    double phi2 = MASS_2 * CENTRE_2 * GRAVITY * cos(x[0] + x[1] - M_PI / 2);
    double phi1 = -MASS_2 * LENGTH_1 * CENTRE_2 * acrobot_square(dot_2) * sin_2 -
                  2 * MASS_2 * LENGTH_1 * CENTRE_2 * dot_2 * dot_1 * sin_2 +
                  (MASS_1 * CENTRE_1 + MASS_2 * LENGTH_1) * GRAVITY * cos(x[0] - M_PI / 2) + phi2;
    double moment = torque + d2 / d1 * phi1;
    if (book) moment -= MASS_2 * LENGTH_1 * CENTRE_2 * acrobot_square(dot_1) * sin_2;
    double acc_2 =
        (moment - phi2) / (MASS_2 * (CENTRE_2 * CENTRE_2) + INERTIA - acrobot_square(d2) / d1);
    rate[0] = dot_1;
    rate[1] = dot_2;
    rate[2] = -(d2 * acc_2 + phi1) / d1;
    rate[3] = acc_2;
}

/* x [4] advanced by DT_S: one step of the classical Runge-Kutta method. */
static void acrobot_integrate(double x[N], double torque, bool book)
{
    double k1[N], k2[N], k3[N], k4[N], y[N];
    acrobot_rates(x, torque, book, k1);
    for (int i = 0; i < N; i++) y[i] = x[i] + DT_S / 2 * k1[i];
    acrobot_rates(y, torque, book, k2);
    for (int i = 0; i < N; i++) y[i] = x[i] + DT_S / 2 * k2[i];
    acrobot_rates(y, torque, book, k3);
    for (int i = 0; i < N; i++) y[i] = x[i] + DT_S * k3[i];
    acrobot_rates(y, torque, book, k4);
    for (int i = 0; i < N; i++) x[i] += DT_S / 6.0 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
}

/* Into [-pi, pi] by whole turns; an angle moves less than 6 rad per step. */
static double acrobot_wrap(double angle)
{
    while (angle > M_PI) angle -= 2 * M_PI;
    while (angle < -M_PI) angle += 2 * M_PI;
    return angle;
}

static void acrobot_step(void *state, rein_rng *rng, rein_env_io *io)
{
    acrobot_state *s = state;
    double torque = (double)(*(const int32_t *)io->action - 1);
    double noise = s->torque_noise_max;
    if (noise > 0) torque += rein_rng_uniform_in(rng, -noise, noise);
    acrobot_integrate(s->x, torque, s->book);
    s->x[0] = acrobot_wrap(s->x[0]);
    s->x[1] = acrobot_wrap(s->x[1]);
    s->x[2] = rein_control_clip(s->x[2], -MAX_SPEED_1, MAX_SPEED_1);
    s->x[3] = rein_control_clip(s->x[3], -MAX_SPEED_2, MAX_SPEED_2);

    bool above = -cos(s->x[0]) - cos(s->x[1] + s->x[0]) > 1.0;
    s->reward = above ? 0 : -1;
    *io->reward = (float)s->reward;
    *io->terminated = above;
    acrobot_observe(s, io);
}

static const rein_env_quantity *acrobot_quantities(const void *state)
{
    static const rein_env_quantity list[] = REIN_CONTROL_QUANTITIES(N, N_OBSERVATION);
    (void)state;
    return list;
}

static void acrobot_peek(const void *state, const char *name, double *out)
{
    acrobot_state s = *(const acrobot_state *)state;
    float observation[N_OBSERVATION];
    acrobot_observe(&s, &(rein_env_io){.observation = observation});
    rein_control_peek(&(rein_control_view){s.x, N, observation, N_OBSERVATION, s.reward}, name,
                      out);
}

static rein_status acrobot_poke(void *state, const char *name, const double *values)
{
    acrobot_state *s = state;
    s->reward = 0;
    return rein_control_poke(s->x, N, name, values);
}

const rein_env_class rein_acrobot_v1 = {
    .id = "Acrobot-v1",
    .summary = "swing a two-link pendulum above a line",
    .cite = "Sutton 1996; Gymnasium 1.0.0 Acrobot-v1",
    .fields = acrobot_config_fields,
    .n_fields = REIN_FIELD_COUNT(acrobot_config_fields),
    .config_size = sizeof(acrobot_config),
    .spec = acrobot_spec,
    .init = acrobot_init,
    .reset = acrobot_reset,
    .step = acrobot_step,
    .quantities = acrobot_quantities,
    .peek = acrobot_peek,
    .poke = acrobot_poke,
    .observe = acrobot_observe,
};
