/* MountainCarContinuous-v0: the car on the hill with a motor that can be turned up and down.
 *
 * Moore (1990), "Efficient memory-based learning for robot control", PhD thesis, Cambridge; as in
 * Gymnasium's MountainCarContinuous-v0 (Towers et al. 2024, version 1.0.0).
 *     reward = -0.1 action^2 (unclipped), and 100 for the step that reaches the flag
 *     observation = position, velocity
 *
 * Gymnasium stores the state in float after every step (not the first one of an episode) and
 * NumPy 2 then decides by the operands' types what is computed in float: a float number stays
 * float beside a Python number, and becomes double beside a NumPy double. So
 *     velocity += force power - 0.0025 cos(3 position)
 * is done in double while force is the action, and in float when it is a clipped one, a Python
 * number; and constants that a float is compared with are rounded first. The flags `_is_float`
 * below follow these types, so that recorded episodes repeat to the last bit. */
#include <math.h>

#include "envs/classic/classes.h"
#include "envs/classic/control.h"

#define MOUNTAIN_CAR_CONTINUOUS_FIELDS(X)                                                          \
    X(real, goal_velocity, "0", "", "the flag counts when reached at least this fast")

REIN_CONFIG(mountain_car_continuous_config, MOUNTAIN_CAR_CONTINUOUS_FIELDS)

#define MIN_POSITION  (-1.2)
#define MAX_POSITION  0.6
#define MAX_SPEED     0.07
#define GOAL_POSITION 0.45
#define POWER         0.0015
#define GRAVITY       0.0025
enum { N = 2 };

typedef struct mountain_car_continuous_state {
    double x[N]; /* position, velocity */
    double reward;
    double goal_velocity;
    bool is_float; /* x holds floats: not the first state of an episode */
} mountain_car_continuous_state;
typedef mountain_car_continuous_state car_state;

static rein_status mountain_car_continuous_spec(const void *config, rein_env_spec *out)
{
    (void)config;
    *out = (rein_env_spec){
        .observation = rein_control_observation(N),
        .action = rein_control_continuous(1),
        .n_agents = 1,
        .max_episode_steps = 999,
        .state_size = sizeof(car_state),
        .reward_threshold = 90,
    };
    return REIN_OK;
}

static rein_status mountain_car_continuous_init(void *state, const void *config)
{
    const mountain_car_continuous_config *c = config;
    ((car_state *)state)->goal_velocity = c->goal_velocity;
    return REIN_OK;
}

static void mountain_car_continuous_observe(void *state, rein_env_io *io)
{
    const car_state *s = state;
    float *out = io->observation;
    for (int i = 0; i < N; i++) out[i] = (float)s->x[i];
}

static void mountain_car_continuous_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    car_state *s = state;
    s->x[0] = rein_rng_uniform_in(rng, -0.6, -0.4);
    s->x[1] = 0;
    s->reward = 0;
    s->is_float = false;
    mountain_car_continuous_observe(s, io);
}

/* A constant beside a float (rounded to it) or a double. */
static double beside(bool is_float, double constant)
{
    return is_float ? (double)(float)constant : constant;
}

/* x + y in float or double. */
static double sum(bool is_float, double x, double y)
{
    return is_float ? (double)((float)x + (float)y) : x + y;
}

/* Clip x; a clipped one is a Python number, no float any more. */
static double clip(double x, bool *is_float, double low, double high)
{
    bool above = x > beside(*is_float, high), below = x < beside(*is_float, low);
    if (!above && !below) return x;
    *is_float = false;
    return above ? high : low;
}

static void mountain_car_continuous_step(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)rng;
    car_state *s = state;
    double position = s->x[0], velocity = s->x[1], action = (double)*(const float *)io->action;
    double force = rein_control_clip(action, -1, 1);
    bool was_float = s->is_float;

    double slope = was_float ? (double)(3 * (float)position) : 3 * position;
    bool speed_is_float = was_float && force != action;
    velocity = sum(speed_is_float, velocity, force * POWER - GRAVITY * cos(slope));
    bool speed_is_python = velocity > beside(speed_is_float, MAX_SPEED) ||
                           velocity < beside(speed_is_float, -MAX_SPEED);
    velocity = clip(velocity, &speed_is_float, -MAX_SPEED, MAX_SPEED);

    bool position_is_float = was_float && (speed_is_float || speed_is_python);
    position = sum(position_is_float, position, velocity);
    position = clip(position, &position_is_float, MIN_POSITION, MAX_POSITION);
    if (position == beside(position_is_float, MIN_POSITION) && velocity < 0) {
        velocity = 0; /* a wall on the left */
        speed_is_float = false;
    }
    bool reached = position >= beside(position_is_float, GOAL_POSITION) &&
                   velocity >= beside(speed_is_float, s->goal_velocity);

    s->x[0] = rein_control_round(position);
    s->x[1] = rein_control_round(velocity);
    s->is_float = true;
    s->reward = (reached ? 100.0 : 0.0) - action * action * 0.1;
    *io->reward = (float)s->reward;
    *io->terminated = reached;
    mountain_car_continuous_observe(s, io);
}

static const rein_env_quantity *mountain_car_continuous_quantities(const void *state)
{
    static const rein_env_quantity list[] = REIN_CONTROL_QUANTITIES(N, N);
    (void)state;
    return list;
}

static void mountain_car_continuous_peek(const void *state, const char *name, double *out)
{
    car_state s = *(const car_state *)state;
    float observation[N];
    mountain_car_continuous_observe(&s, &(rein_env_io){.observation = observation});
    rein_control_peek(&(rein_control_view){s.x, N, observation, N, s.reward}, name, out);
}

static rein_status mountain_car_continuous_poke(void *state, const char *name, const double *values)
{
    car_state *s = state;
    s->reward = 0;
    s->is_float = false; /* a trace begins with the first state of an episode */
    return rein_control_poke(s->x, N, name, values);
}

const rein_env_class rein_mountain_car_continuous_v0 = {
    .id = "MountainCarContinuous-v0",
    .summary = "swing a weak car over a hill with little force",
    .cite = "Moore 1990; Gymnasium 1.0.0 MountainCarContinuous-v0",
    .fields = mountain_car_continuous_config_fields,
    .n_fields = REIN_FIELD_COUNT(mountain_car_continuous_config_fields),
    .config_size = sizeof(mountain_car_continuous_config),
    .spec = mountain_car_continuous_spec,
    .init = mountain_car_continuous_init,
    .reset = mountain_car_continuous_reset,
    .step = mountain_car_continuous_step,
    .quantities = mountain_car_continuous_quantities,
    .peek = mountain_car_continuous_peek,
    .poke = mountain_car_continuous_poke,
    .observe = mountain_car_continuous_observe,
};
