#include "envs/mujoco/robot.h"

#include <math.h>
#include <string.h>

enum { N_QUANTITIES = 4 };

/* The env's state. Behind it in the same memory: the config, then two rows of doubles. */
typedef struct robot_state {
    const rein_robot *robot;
    rein_sim sim;
    void *config;           /* [robot->config_size] copy */
    double *observation;    /* [row] the last good one, before rounding to float */
    double *scratch;        /* [row] */
    int n_observation, row; /* row = max(n_observation, nq) */
    double reward;          /* of the last step, before rounding to float */
    rein_env_quantity quantities[N_QUANTITIES + 1];
} robot_state;

static size_t robot_align(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

static int robot_row(const rein_robot *robot, const void *config, const mjModel *model)
{
    int n = robot->observation_size(model, config);
    if (n < model->nq) n = (int)model->nq; /* nq >= nv */
    return n;
}

/* ---- creation ------------------------------------------------------------------------------ */

/* A user's model must have what the task's functions index. */
static rein_status robot_check_model(const rein_robot *robot, const void *config,
                                     const mjModel *model)
{
    const char *path = ((const rein_robot_config *)config)->model;
    const char *name = path[0] != '\0' ? path : robot->model;
    if (model->nq < robot->min_positions || model->nv < robot->min_positions) {
        return rein_fail(REIN_EUNSUPPORTED, "model '%s' has %d positions, this task needs %d", name,
                         (int)model->nq, robot->min_positions);
    }
    if (model->nu < 1 || model->nu > REIN_MAX_ACTION) {
        return rein_fail(REIN_EUNSUPPORTED, "model '%s' has %d actuators, possible are 1 to %d",
                         name, (int)model->nu, REIN_MAX_ACTION);
    }
    return REIN_OK;
}

static rein_action_space robot_action_space(const mjModel *model)
{
    rein_action_space space = {.kind = REIN_CONTINUOUS, .size = (int)model->nu};
    for (int i = 0; i < space.size; i++) {
        bool limited = model->actuator_ctrllimited[i] != 0;
        space.low[i] = limited ? (float)model->actuator_ctrlrange[2 * i] : -INFINITY;
        space.high[i] = limited ? (float)model->actuator_ctrlrange[2 * i + 1] : INFINITY;
    }
    return space;
}

rein_status rein_robot_spec(const rein_robot *robot, const void *config, rein_env_spec *out)
{
    const mjModel *model = NULL;
    const rein_robot_config *common = config;
    REIN_TRY(rein_model_acquire(robot->model, common->model, &model));
    rein_status status = robot_check_model(robot, config, model);
    if (status == REIN_OK) {
        int n = robot->observation_size(model, config);
        size_t snapshot_doubles = (size_t)(rein_sim_snapshot_size(model) + n + 1);
        *out = (rein_env_spec){
            .observation = {.dtype = REIN_F32,
                            .n_dims = 1,
                            .shape = {n},
                            .size = n,
                            .low = -INFINITY,
                            .high = INFINITY},
            .action = robot_action_space(model),
            .n_agents = 1,
            .max_episode_steps = robot->max_episode_steps,
            .state_size = robot_align(sizeof(robot_state)) + robot_align(robot->config_size) +
                          2 * sizeof(double) * (size_t)robot_row(robot, config, model),
            .snapshot_size = sizeof(double) * snapshot_doubles,
            .reward_threshold = robot->reward_threshold,
            .slow_step = true,
        };
    }
    rein_model_release(model);
    return status;
}

rein_status rein_robot_init(const rein_robot *robot, void *state, const void *config)
{
    robot_state *s = state;
    const rein_robot_config *common = config;
    REIN_TRY(rein_sim_init(&s->sim, robot->model, common->model, (int)common->frame_skip));
    rein_status status = robot_check_model(robot, config, s->sim.model);
    if (status != REIN_OK) { /* the file changed since spec */
        rein_sim_fini(&s->sim);
        return status;
    }
    s->robot = robot;
    s->config = (char *)state + robot_align(sizeof(robot_state));
    memcpy(s->config, config, robot->config_size);
    s->observation = (double *)(void *)((char *)s->config + robot_align(robot->config_size));
    s->n_observation = robot->observation_size(s->sim.model, config);
    s->row = robot_row(robot, config, s->sim.model);
    s->scratch = s->observation + s->row;

    const rein_env_quantity list[N_QUANTITIES] = {
        {.name = "qpos", .size = (int)s->sim.model->nq, .settable = true},
        {.name = "qvel", .size = (int)s->sim.model->nv, .settable = true},
        {.name = "obs", .size = s->n_observation, .tolerance = 1e-12},
        {.name = "reward", .size = 1, .tolerance = 1e-12},
    };
    memcpy(s->quantities, list, sizeof list); /* the end is zero already */
    return REIN_OK;
}

void rein_robot_fini(void *state)
{
    robot_state *s = state;
    rein_sim_fini(&s->sim);
}

/* ---- reset and step ------------------------------------------------------------------------ */

static void robot_write_observation(const robot_state *s, rein_env_io *io)
{
    float *out = io->observation;
    for (int i = 0; i < s->n_observation; i++) out[i] = (float)s->observation[i];
}

/* Is what a step would hand out finite in float? The engine looks at a state only when the next
 * physics step begins. */
static bool robot_is_finite(const double *x, int n, double reward)
{
    double largest = fabs(reward);
    bool ordered = largest == largest;
    for (int i = 0; i < n; i++) {
        ordered &= x[i] == x[i];
        if (fabs(x[i]) > largest) largest = fabs(x[i]);
    }
    return ordered && largest < 3e38;
}

void rein_robot_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    robot_state *s = state;
    rein_sim_reset(&s->sim);
    s->robot->reset(&s->sim, s->config, rng);
    if (!rein_sim_forward(&s->sim)) { /* noise put it out of bounds: begin without noise */
        rein_sim_reset(&s->sim);
        rein_sim_forward(&s->sim);
    }
    s->reward = 0;
    s->robot->observe(&s->sim, s->config, s->observation);
    robot_write_observation(s, io);
}

/* A diverged step keeps the last good observation (a value estimate at the cut must be finite),
 * pays nothing and says `broken`. */
void rein_robot_step(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)rng; /* the physics is deterministic */
    robot_state *s = state;
    rein_robot_outcome outcome = {0};
    double *next = s->scratch;
    bool sound = s->robot->step(&s->sim, s->config, io->action, &outcome);
    if (sound) {
        s->robot->observe(&s->sim, s->config, next);
        sound = robot_is_finite(next, s->n_observation, outcome.reward);
    }
    if (sound) {
        s->scratch = s->observation;
        s->observation = next;
    } else {
        outcome = (rein_robot_outcome){0};
        *io->broken = 1;
    }
    s->reward = outcome.reward;
    *io->reward = (float)outcome.reward;
    *io->terminated = outcome.terminated;
    robot_write_observation(s, io);
}

/* ---- snapshots: the simulation, the observation [n_observation], the reward ---------------- */

void rein_robot_save(const void *state, void *snapshot)
{
    const robot_state *s = state;
    double *out = snapshot;
    size_t n = (size_t)s->n_observation;
    rein_sim_save(&s->sim, out);
    out += rein_sim_snapshot_size(s->sim.model);
    memcpy(out, s->observation, sizeof(double) * n);
    out[n] = s->reward;
}

rein_status rein_robot_load(void *state, const void *snapshot)
{
    robot_state *s = state;
    const double *in = snapshot;
    size_t n = (size_t)s->n_observation;
    rein_sim_load(&s->sim, in);
    in += rein_sim_snapshot_size(s->sim.model);
    memcpy(s->observation, in, sizeof(double) * n);
    s->reward = in[n];
    return REIN_OK;
}

/* ---- quantities for traces ----------------------------------------------------------------- */

const rein_env_quantity *rein_robot_quantities(const void *state)
{
    return ((const robot_state *)state)->quantities;
}

void rein_robot_peek(const void *state, const char *name, double *out)
{
    const robot_state *s = state;
    const mjModel *model = s->sim.model;
    if (strcmp(name, "qpos") == 0) mju_copy(out, s->sim.data->qpos, (int)model->nq);
    if (strcmp(name, "qvel") == 0) mju_copy(out, s->sim.data->qvel, (int)model->nv);
    if (strcmp(name, "obs") == 0) mju_copy(out, s->observation, s->n_observation);
    if (strcmp(name, "reward") == 0) *out = s->reward;
}

/* Begin an episode at this state: all else as after a reset, in whichever order the quantities
 * are set. */
rein_status rein_robot_poke(void *state, const char *name, const double *values)
{
    robot_state *s = state;
    const mjModel *model = s->sim.model;
    mjData *data = s->sim.data;
    int nq = (int)model->nq, nv = (int)model->nv;
    bool is_qpos = strcmp(name, "qpos") == 0;
    if (!is_qpos && strcmp(name, "qvel") != 0) {
        return rein_fail(REIN_EINVAL, "quantity '%s' cannot be set", name);
    }
    double *other = s->scratch; /* what is kept: qvel [nv] or qpos [nq] */
    mju_copy(other, is_qpos ? data->qvel : data->qpos, is_qpos ? nv : nq);
    rein_sim_reset(&s->sim);
    mju_copy(data->qpos, is_qpos ? values : other, nq);
    mju_copy(data->qvel, is_qpos ? other : values, nv);
    if (!rein_sim_forward(&s->sim)) {
        return rein_fail(REIN_EINVAL, "'%s' is not a state that MuJoCo accepts", name);
    }
    s->reward = 0;
    s->robot->observe(&s->sim, s->config, s->observation);
    return REIN_OK;
}

void rein_robot_observe(void *state, rein_env_io *io)
{
    robot_write_observation(state, io);
}

/* ---- helpers of the tasks ------------------------------------------------------------------ */

void rein_robot_add_uniform(double *x, int n, double scale, rein_rng *rng)
{
    for (int i = 0; i < n; i++) x[i] += rein_rng_uniform_in(rng, -scale, scale);
}

void rein_robot_add_normal(double *x, int n, double scale, rein_rng *rng)
{
    for (int i = 0; i < n; i++) x[i] += scale * rein_rng_normal(rng);
}

double rein_robot_action_cost(const float *action, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)action[i] * (double)action[i];
    return sum;
}
