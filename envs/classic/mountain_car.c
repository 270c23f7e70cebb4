/* MountainCar-v0: a car too weak for the hill must swing to get over it.
 *
 * Moore (1990), "Efficient memory-based learning for robot control", PhD thesis, Cambridge; as in
 * Gymnasium's MountainCar-v0 (Towers et al. 2024, version 1.0.0), expression by expression.
 *     reward = -1 per step
 *     observation = position, velocity
 * The episode ends at the flag. */
#include <math.h>

#include "envs/classic/classes.h"
#include "envs/classic/control.h"

#define MOUNTAIN_CAR_FIELDS(X)                                                                     \
    X(real, goal_velocity, "0", "", "the flag counts when reached at least this fast")

REIN_CONFIG(mountain_car_config, MOUNTAIN_CAR_FIELDS)

#define MIN_POSITION  (-1.2)
#define MAX_POSITION  0.6
#define MAX_SPEED     0.07
#define GOAL_POSITION 0.5
#define FORCE         0.001
#define GRAVITY       0.0025
enum { N = 2 };

typedef struct mountain_car_state {
    double x[N]; /* position, velocity */
    double reward;
    double goal_velocity;
} mountain_car_state;

static rein_status mountain_car_spec(const void *config, rein_env_spec *out)
{
    (void)config;
    *out = (rein_env_spec){
        .observation = rein_control_observation(N),
        .action = rein_control_discrete(3),
        .n_agents = 1,
        .max_episode_steps = 200,
        .state_size = sizeof(mountain_car_state),
        .reward_threshold = -110,
    };
    return REIN_OK;
}

static rein_status mountain_car_init(void *state, const void *config)
{
    mountain_car_state *s = state;
    s->goal_velocity = ((const mountain_car_config *)config)->goal_velocity;
    return REIN_OK;
}

static void mountain_car_observe(void *state, rein_env_io *io)
{
    const mountain_car_state *s = state;
    float *out = io->observation;
    for (int i = 0; i < N; i++) out[i] = (float)s->x[i];
}

static void mountain_car_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    mountain_car_state *s = state;
    s->x[0] = rein_rng_uniform_in(rng, -0.6, -0.4);
    s->x[1] = 0;
    s->reward = 0;
    mountain_car_observe(s, io);
}

static void mountain_car_step(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)rng;
    mountain_car_state *s = state;
    double position = s->x[0], velocity = s->x[1];
    double push = (double)(*(const int32_t *)io->action - 1);
    velocity += push * FORCE + cos(3 * position) * -GRAVITY;
    velocity = rein_control_clip(velocity, -MAX_SPEED, MAX_SPEED);
    position = rein_control_clip(position + velocity, MIN_POSITION, MAX_POSITION);
    if (position == MIN_POSITION && velocity < 0) velocity = 0; /* a wall on the left */

    s->x[0] = position;
    s->x[1] = velocity;
    s->reward = -1;
    *io->reward = -1;
    *io->terminated = position >= GOAL_POSITION && velocity >= s->goal_velocity;
    mountain_car_observe(s, io);
}

static const rein_env_quantity *mountain_car_quantities(const void *state)
{
    static const rein_env_quantity list[] = REIN_CONTROL_QUANTITIES(N, N);
    (void)state;
    return list;
}

static void mountain_car_peek(const void *state, const char *name, double *out)
{
    mountain_car_state s = *(const mountain_car_state *)state;
    float observation[N];
    mountain_car_observe(&s, &(rein_env_io){.observation = observation});
    rein_control_peek(&(rein_control_view){s.x, N, observation, N, s.reward}, name, out);
}

static rein_status mountain_car_poke(void *state, const char *name, const double *values)
{
    mountain_car_state *s = state;
    s->reward = 0;
    return rein_control_poke(s->x, N, name, values);
}

const rein_env_class rein_mountain_car_v0 = {
    .id = "MountainCar-v0",
    .summary = "swing a weak car over a hill",
    .cite = "Moore 1990; Gymnasium 1.0.0 MountainCar-v0",
    .fields = mountain_car_config_fields,
    .n_fields = REIN_FIELD_COUNT(mountain_car_config_fields),
    .config_size = sizeof(mountain_car_config),
    .spec = mountain_car_spec,
    .init = mountain_car_init,
    .reset = mountain_car_reset,
    .step = mountain_car_step,
    .quantities = mountain_car_quantities,
    .peek = mountain_car_peek,
    .poke = mountain_car_poke,
    .observe = mountain_car_observe,
};
