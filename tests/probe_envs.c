#include "tests/probe_envs.h"

#include <math.h>

REIN_CONFIG_TABLE(probe_config, PROBE_FIELDS)

enum { KIND_NAN = N_PROBES, KIND_BROKEN };

typedef struct probe_state {
    int64_t after, step; /* step: of the episode */
    int kind;
    bool continuous, broken_nan;
    float observation;
} probe_state;

static rein_status probe_spec(const void *config, rein_env_spec *out)
{
    const probe_config *c = config;
    *out = (rein_env_spec){
        .observation = {.dtype = REIN_F32,
                        .n_dims = 1,
                        .shape = {1},
                        .size = 1,
                        .low = -INFINITY,
                        .high = INFINITY},
        .action = {.kind = REIN_DISCRETE, .n = 2, .size = 1},
        .n_agents = 1,
        .state_size = sizeof(probe_state),
        .reward_threshold = NAN,
    };
    if (c->continuous) {
        out->action =
            (rein_action_space){.kind = REIN_CONTINUOUS, .size = 1, .low = {-1}, .high = {1}};
    }
    return REIN_OK;
}

static rein_status probe_init(void *state, const void *config)
{
    const probe_config *c = config;
    probe_state *s = state;
    s->kind = c->kind;
    s->continuous = c->continuous;
    s->broken_nan = c->broken_nan;
    s->after = c->after;
    return REIN_OK;
}

static void probe_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    probe_state *s = state;
    bool sign = s->kind == PROBE_OBSERVATION || s->kind == PROBE_BOTH;
    s->step = 0;
    s->observation = 0;
    if (sign) s->observation = rein_rng_below(rng, 2) == 1 ? 1 : -1;
    *(float *)io->observation = s->observation;
}

/* +1 when the action's sign is that of `wanted`, -1 when it is not. */
static float probe_match(const probe_state *s, const void *action, float wanted)
{
    bool up = s->continuous ? *(const float *)action > 0 : *(const int32_t *)action == 1;
    return up == (wanted > 0) ? 1 : -1;
}

static float probe_reward(const probe_state *s, const void *action)
{
    switch (s->kind) {
    case PROBE_OBSERVATION:
        return s->observation;
    case PROBE_DISCOUNT:
        return s->step == 2 ? 1 : 0;
    case PROBE_ACTION:
        return probe_match(s, action, 1);
    case PROBE_BOTH:
        return probe_match(s, action, s->observation);
    default:
        return 1;
    }
}

static void probe_step(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)rng;
    probe_state *s = state;
    bool evil = s->kind >= KIND_NAN;
    s->step++;
    *io->reward = probe_reward(s, io->action);
    *io->terminated = !evil && s->step == (s->kind == PROBE_DISCOUNT ? 2 : 1);
    if (s->kind == PROBE_DISCOUNT || evil) s->observation = (float)s->step;
    float seen = s->observation;
    if (evil && s->step == s->after) {
        *io->broken = s->kind == KIND_BROKEN;
        if (s->kind == KIND_NAN || s->broken_nan) seen = NAN;
    }
    *(float *)io->observation = seen;
}

#define PROBE_CLASS(id_, summary_, preset_)                                                        \
    {                                                                                              \
        .id = id_, .summary = summary_,                                                            \
        .cite = "Jones 2021, Debugging RL, without the agonizing pain", .preset = preset_,         \
        .fields = probe_config_fields, .n_fields = REIN_FIELD_COUNT(probe_config_fields),          \
        .config_size = sizeof(probe_config), .spec = probe_spec, .init = probe_init,               \
        .reset = probe_reset, .step = probe_step,                                                  \
    }
#define PROBE_PAIR(name, kind, summary_)                                                           \
    {                                                                                              \
        PROBE_CLASS(name, summary_, "kind=" kind),                                                 \
            PROBE_CLASS(name "Continuous", summary_, "kind=" kind " continuous=true"),             \
    }

const rein_env_class probe_envs[N_PROBES][2] = {
    [PROBE_CONSTANT] = PROBE_PAIR("ProbeConstant", "constant", "reward 1, one step"),
    [PROBE_OBSERVATION] = PROBE_PAIR("ProbeObservation", "observation", "reward = observation"),
    [PROBE_DISCOUNT] = PROBE_PAIR("ProbeDiscount", "discount", "reward 1 at the second step"),
    [PROBE_ACTION] = PROBE_PAIR("ProbeAction", "action", "reward depends on the action"),
    [PROBE_BOTH] = PROBE_PAIR("ProbeBoth", "both", "reward depends on action and observation"),
};

const rein_env_class probe_nan =
    PROBE_CLASS("ProbeNaN", "observes NaN at step `after`", "kind=nan");
const rein_env_class probe_broken =
    PROBE_CLASS("ProbeBroken", "says broken at step `after`", "kind=broken");
