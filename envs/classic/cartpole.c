/* CartPole-v1: keep a pole upright by pushing the cart that it stands on left or right.
 *
 * Barto, Sutton & Anderson (1983), "Neuronlike adaptive elements that can solve difficult learning
 * control problems", without friction; as in Gymnasium's CartPole-v1 (Towers et al. 2024, version
 * 1.0.0), expression by expression, so that recorded episodes repeat to the last bit.
 *     reward = 1 per step, also for the one that ends the episode
 *              (sutton_barto_reward: 0, and -1 for the one that ends it)
 *     observation = cart position, its velocity, pole angle, its velocity
 * The episode ends when the cart leaves the track or the pole leans more than 12 degrees. */
#include <math.h>

#include "envs/classic/classes.h"
#include "envs/classic/control.h"

#define CARTPOLE_FIELDS(X)                                                                         \
    X(flag, sutton_barto_reward, "false", "", "pay 0 per step and -1 for the one that ends it")

REIN_CONFIG(cartpole_config, CARTPOLE_FIELDS)

#define GRAVITY      9.8         /* m/s^2 */
#define MASS_POLE    0.1         /* kg */
#define TOTAL_MASS   (0.1 + 1.0) /* kg, pole and cart */
#define LENGTH       0.5         /* m, half of the pole */
#define POLE_MOMENT  (MASS_POLE * LENGTH)
#define FORCE        10.0                  /* N */
#define DT_S         0.02                  /* explicit Euler */
#define MAX_ANGLE    (12 * 2 * M_PI / 360) /* rad */
#define MAX_POSITION 2.4                   /* m */
enum { N = 4 };

typedef struct cartpole_state {
    double x[N]; /* position m, velocity m/s, angle rad, angular velocity rad/s */
    double reward;
    float reward_alive, reward_end;
} cartpole_state;

static rein_status cartpole_spec(const void *config, rein_env_spec *out)
{
    (void)config;
    *out = (rein_env_spec){
        .observation = rein_control_observation(N),
        .action = rein_control_discrete(2),
        .n_agents = 1,
        .max_episode_steps = 500,
        .state_size = sizeof(cartpole_state),
        .reward_threshold = 475,
    };
    return REIN_OK;
}

static rein_status cartpole_init(void *state, const void *config)
{
    cartpole_state *s = state;
    bool sutton_barto = ((const cartpole_config *)config)->sutton_barto_reward;
    s->reward_alive = sutton_barto ? 0 : 1;
    s->reward_end = sutton_barto ? -1 : 1;
    return REIN_OK;
}

static void cartpole_observe(void *state, rein_env_io *io)
{
    const cartpole_state *s = state;
    float *out = io->observation;
    for (int i = 0; i < N; i++) out[i] = (float)s->x[i];
}

static void cartpole_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    cartpole_state *s = state;
    for (int i = 0; i < N; i++) s->x[i] = rein_rng_uniform_in(rng, -0.05, 0.05);
    s->reward = 0;
    cartpole_observe(s, io);
}

/* State [4] and observation [4]. From registers: reading the state back at once, two numbers at a
 * time, waits for stores that were made one by one, which costs a fifth of a step. */
static inline void cartpole_write(double *state, float *observation, double x, double x_dot,
                                  double angle, double angle_dot)
{
    state[0] = x;
    state[1] = x_dot;
    state[2] = angle;
    state[3] = angle_dot;
    observation[0] = (float)x;
    observation[1] = (float)x_dot;
    observation[2] = (float)angle;
    observation[3] = (float)angle_dot;
}

static void cartpole_step(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)rng;
    cartpole_state *s = state;
    double force = *(const int32_t *)io->action == 1 ? FORCE : -FORCE;
    double x = s->x[0], x_dot = s->x[1], angle = s->x[2], angle_dot = s->x[3];
    double cosine = cos(angle), sine = sin(angle);

    /* Florian (2007), "Correct equations for the dynamics of the cart-pole system", eq. 23, 24
     * with zero friction */
    double push = (force + POLE_MOMENT * (angle_dot * angle_dot) * sine) / TOTAL_MASS;
    double angle_acc = (GRAVITY * sine - cosine * push) /
                       (LENGTH * (4.0 / 3.0 - MASS_POLE * (cosine * cosine) / TOTAL_MASS));
    double x_acc = push - POLE_MOMENT * angle_acc * cosine / TOTAL_MASS;

    x += DT_S * x_dot;
    x_dot += DT_S * x_acc;
    angle += DT_S * angle_dot;
    angle_dot += DT_S * angle_acc;
    cartpole_write(s->x, io->observation, x, x_dot, angle, angle_dot);

    bool fell = (fabs(x) > MAX_POSITION) | (fabs(angle) > MAX_ANGLE);
    float reward = fell ? s->reward_end : s->reward_alive;
    s->reward = (double)reward;
    *io->reward = reward;
    *io->terminated = fell;
}

static const rein_env_quantity *cartpole_quantities(const void *state)
{
    static const rein_env_quantity list[] = REIN_CONTROL_QUANTITIES(N, N);
    (void)state;
    return list;
}

static void cartpole_peek(const void *state, const char *name, double *out)
{
    cartpole_state s = *(const cartpole_state *)state;
    float observation[N];
    cartpole_observe(&s, &(rein_env_io){.observation = observation});
    rein_control_peek(&(rein_control_view){s.x, N, observation, N, s.reward}, name, out);
}

static rein_status cartpole_poke(void *state, const char *name, const double *values)
{
    cartpole_state *s = state;
    s->reward = 0;
    return rein_control_poke(s->x, N, name, values);
}

const rein_env_class rein_cartpole_v1 = {
    .id = "CartPole-v1",
    .summary = "balance a pole on a cart by pushing left or right",
    .cite = "Barto, Sutton & Anderson 1983; Gymnasium 1.0.0 CartPole-v1",
    .fields = cartpole_config_fields,
    .n_fields = REIN_FIELD_COUNT(cartpole_config_fields),
    .config_size = sizeof(cartpole_config),
    .spec = cartpole_spec,
    .init = cartpole_init,
    .reset = cartpole_reset,
    .step = cartpole_step,
    .quantities = cartpole_quantities,
    .peek = cartpole_peek,
    .poke = cartpole_poke,
    .observe = cartpole_observe,
};
