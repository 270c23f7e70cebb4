#include "algos/policy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nets/distribution.h"
#include "nets/layers.h"
#include "nets/script.h"
#include "nets/simd.h"

enum { MAX_OBSERVATION = 1 << 24, MAX_UNITS = 1 << 16 };

struct rein_policy_workspace {
    int max_rows;
    rein_net_workspace *net;
    float *x;             /* [max_rows, n_in] what the network sees */
    float *y;             /* [max_rows, n_out] what it says */
    float *u;             /* [max_rows, max(1, action size)] random numbers */
    float *shift, *scale; /* [n_in] mean and 1 / sqrt(var + 1e-8) */

    /* of a policy with a cell */
    rein_recurrent_workspace *recurrent;
    float *state; /* [max_rows, n_state] */
    int n_state, first;
};

/* --- spaces ----------------------------------------------------------------------------------- */

REIN_CLONES static void bytes_to_float(const uint8_t *in, size_t n, float factor, float *out)
{
    for (size_t i = 0; i < n; i++) out[i] = (float)in[i] * factor;
}

void rein_observation_to_float(const rein_observation_space *space, const void *observation, int n,
                               float *out)
{
    size_t count = (size_t)n * (size_t)space->size;
    if (space->dtype == REIN_U8) {
        bytes_to_float(observation, count, 1.0f / space->high, out);
    } else {
        memcpy(out, observation, count * sizeof *out);
    }
}

/* "f32 [4]" */
static void describe_observation(const rein_observation_space *space, char out[64])
{
    int used = snprintf(out, 64, "%s [", space->dtype == REIN_U8 ? "u8" : "f32");
    for (int i = 0; i < space->n_dims && used < 48; i++) {
        used += snprintf(out + used, (size_t)(64 - used), i ? ", %d" : "%d", space->shape[i]);
    }
    snprintf(out + used, (size_t)(64 - used), "]");
}

/* "2 discrete actions" */
static void describe_action(const rein_action_space *space, char out[64])
{
    if (space->kind == REIN_DISCRETE) {
        snprintf(out, 64, "%d discrete actions", space->n);
    } else {
        snprintf(out, 64, "%d continuous actions", space->size);
    }
}

rein_status rein_policy_fits(const rein_policy *policy, const rein_env_spec *env)
{
    const rein_policy_spec *spec = &policy->spec;
    char has[64], wants[64];
    bool same = spec->observation.dtype == env->observation.dtype &&
                spec->observation.n_dims == env->observation.n_dims;
    for (int i = 0; same && i < spec->observation.n_dims; i++) {
        same = spec->observation.shape[i] == env->observation.shape[i];
    }
    if (!same) {
        describe_observation(&env->observation, has);
        describe_observation(&spec->observation, wants);
        return rein_fail(REIN_EUNSUPPORTED,
                         "the policy was trained on %s with observations %s, this environment "
                         "has %s",
                         spec->env_id, wants, has);
    }
    if (spec->action.kind != env->action.kind || spec->action.size != env->action.size ||
        (spec->action.kind == REIN_DISCRETE && spec->action.n != env->action.n)) {
        describe_action(&env->action, has);
        describe_action(&spec->action, wants);
        return rein_fail(REIN_EUNSUPPORTED,
                         "the policy was trained on %s with %s, this environment has %s",
                         spec->env_id, wants, has);
    }
    return REIN_OK;
}

/* --- creation --------------------------------------------------------------------------------- */

static rein_status check_spaces(const rein_policy_spec *spec)
{
    const rein_observation_space *o = &spec->observation;
    const rein_action_space *a = &spec->action;
    if (o->dtype != REIN_F32 && o->dtype != REIN_U8) {
        return rein_fail(REIN_EINVAL, "observations must be f32 or u8");
    }
    if (o->n_dims < 1 || o->n_dims > REIN_MAX_DIMS) {
        return rein_fail(REIN_EINVAL, "observations of %d dimensions", o->n_dims);
    }
    int64_t size = 1;
    for (int i = 0; i < o->n_dims; i++) {
        if (o->shape[i] < 1 || o->shape[i] > MAX_OBSERVATION) size = 0;
        if (size < MAX_OBSERVATION) size *= o->shape[i];
    }
    if (size < 1 || size > MAX_OBSERVATION || size != o->size) {
        return rein_fail(REIN_EINVAL, "observation size %d does not follow from its shape",
                         o->size);
    }
    if (o->dtype == REIN_U8 && !(o->high > 0 && o->high <= 255)) {
        return rein_fail(REIN_EINVAL, "u8 observations with an upper bound of %g", (double)o->high);
    }
    if (a->kind == REIN_DISCRETE) {
        if (a->n < 1 || a->n > MAX_UNITS || a->size != 1) {
            return rein_fail(REIN_EINVAL, "%d discrete actions of size %d", a->n, a->size);
        }
        return REIN_OK;
    }
    if (a->kind != REIN_CONTINUOUS || a->size < 1 || a->size > REIN_MAX_ACTION) {
        return rein_fail(REIN_EINVAL, "an action of %d dimensions", a->size);
    }
    for (int i = 0; i < a->size; i++) {
        if (!(a->low[i] <= a->high[i])) {
            return rein_fail(REIN_EINVAL, "action %d has bounds [%g, %g]", i, (double)a->low[i],
                             (double)a->high[i]);
        }
    }
    return REIN_OK;
}

/* Numbers that the head reads of each row of the network's output. */
static int head_size(const rein_policy_spec *spec)
{
    return spec->head == REIN_HEAD_GAUSSIAN ? spec->action.size : spec->action.n;
}

static rein_status check_spec(const rein_policy_spec *spec)
{
    REIN_TRY(check_spaces(spec));
    bool continuous = spec->action.kind == REIN_CONTINUOUS;
    if (spec->head > REIN_HEAD_Q || (spec->head == REIN_HEAD_GAUSSIAN) != continuous) {
        return rein_fail(REIN_EINVAL, "the policy's head does not fit %s actions",
                         continuous ? "continuous" : "discrete");
    }
    rein_layout net;
    REIN_TRY(rein_net_layout(&spec->net, &net));
    if (net.n_in != spec->observation.size || net.n_out < head_size(spec)) {
        return rein_fail(REIN_EINVAL,
                         "a network from %d to %d for observations of %d and %d "
                         "outputs of the policy",
                         net.n_in, net.n_out, spec->observation.size, head_size(spec));
    }
    if (spec->normalize_observation && !(spec->observation_clip > 0)) {
        return rein_fail(REIN_EINVAL, "observation_clip %g", spec->observation_clip);
    }
    return REIN_OK;
}

/* n zeros on a 64-byte boundary. */
static float *new_floats(size_t n)
{
    size_t bytes = (n * sizeof(float) + 63) / 64 * 64;
    float *out = aligned_alloc(64, bytes ? bytes : 64);
    if (out) memset(out, 0, bytes);
    return out;
}

/* The network; its number of packed floats. */
static rein_status create_net(rein_policy *policy, size_t *n_packed)
{
    const rein_net_spec *spec = &policy->spec.net;
    rein_layout layout;
    REIN_TRY(rein_net_layout(spec, &layout));
    policy->n_out = layout.n_out;
    policy->n_params = layout.n_params;
    if (rein_recurrent_is(spec)) {
        REIN_TRY(rein_recurrent_create(spec, &policy->recurrent));
        *n_packed = rein_recurrent_n_packed(policy->recurrent);
        return REIN_OK;
    }
    REIN_TRY(rein_net_create(spec, &policy->net));
    *n_packed = rein_net_n_packed(policy->net);
    return REIN_OK;
}

/* A policy outlives the task that its network was made for. */
static rein_status copy_script(rein_policy *policy)
{
    const rein_net_script *given = policy->spec.net.script;
    policy->spec.net.script = NULL;
    if (!given) return REIN_OK;
    REIN_TRY(rein_net_script_create(given->name, given->data, given->size, &policy->script));
    policy->spec.net.script = policy->script;
    return REIN_OK;
}

rein_status rein_policy_create(const rein_policy_spec *spec, rein_policy **out)
{
    *out = NULL;
    REIN_TRY(check_spec(spec));
    rein_policy *policy = calloc(1, sizeof *policy);
    if (!policy) return rein_fail(REIN_ENOMEM, "no memory for a policy");
    policy->spec = *spec;
    size_t n_packed;
    rein_status status = copy_script(policy);
    if (status == REIN_OK) status = create_net(policy, &n_packed);
    if (status == REIN_OK) {
        size_t n = (size_t)spec->observation.size;
        policy->params = new_floats(policy->n_params);
        policy->packed = new_floats(n_packed);
        policy->mean = calloc(n, sizeof(double));
        policy->var = malloc(n * sizeof(double));
        if (!policy->params || !policy->packed || !policy->mean || !policy->var) {
            status = rein_fail(REIN_ENOMEM, "no memory for a policy of %zu parameters",
                               policy->n_params);
        } else {
            for (size_t i = 0; i < n; i++) policy->var[i] = 1;
            rein_policy_pack(policy);
        }
    }
    if (status != REIN_OK) {
        rein_policy_free(policy);
        return status;
    }
    *out = policy;
    return REIN_OK;
}

void rein_policy_free(rein_policy *policy)
{
    if (!policy) return;
    rein_net_free(policy->net);
    rein_net_script_free(policy->script);
    rein_recurrent_free(policy->recurrent);
    free(policy->params);
    free(policy->packed);
    free(policy->mean);
    free(policy->var);
    free(policy);
}

void rein_policy_pack(rein_policy *policy)
{
    if (policy->recurrent) {
        rein_recurrent_pack(policy->recurrent, policy->params, policy->packed);
    } else {
        rein_net_pack(policy->net, policy->params, policy->packed);
    }
}

static rein_status create_net_workspace(const rein_policy *policy, int max_rows,
                                        rein_policy_workspace *ws)
{
    if (!policy->recurrent) return rein_net_workspace_create(policy->net, max_rows, &ws->net);
    ws->n_state = rein_recurrent_n_state(policy->recurrent);
    ws->state = new_floats((size_t)max_rows * (size_t)ws->n_state);
    if (!ws->state) return rein_fail(REIN_ENOMEM, "no memory for %d states", max_rows);
    return rein_recurrent_workspace_create(policy->recurrent, 1, max_rows, &ws->recurrent);
}

rein_status rein_policy_workspace_create(const rein_policy *policy, int max_rows,
                                         rein_policy_workspace **out)
{
    *out = NULL;
    if (max_rows < 1) return rein_fail(REIN_EINVAL, "a workspace for %d rows", max_rows);
    rein_policy_workspace *ws = calloc(1, sizeof *ws);
    if (!ws) return rein_fail(REIN_ENOMEM, "no memory for a policy workspace");
    size_t rows = (size_t)max_rows, n_in = (size_t)policy->spec.observation.size;
    ws->max_rows = max_rows;
    ws->x = new_floats(rows * n_in);
    ws->y = new_floats(rows * (size_t)policy->n_out);
    ws->u = new_floats(rows * (size_t)policy->spec.action.size);
    ws->shift = new_floats(n_in);
    ws->scale = new_floats(n_in);
    rein_status status = create_net_workspace(policy, max_rows, ws);
    if (status == REIN_OK && (!ws->x || !ws->y || !ws->u || !ws->shift || !ws->scale)) {
        status = rein_fail(REIN_ENOMEM, "no memory for a policy workspace of %d rows", max_rows);
    }
    if (status != REIN_OK) {
        rein_policy_workspace_free(ws);
        return status;
    }
    *out = ws;
    return REIN_OK;
}

void rein_policy_workspace_free(rein_policy_workspace *ws)
{
    if (!ws) return;
    rein_net_workspace_free(ws->net);
    rein_recurrent_workspace_free(ws->recurrent);
    free(ws->state);
    free(ws->x);
    free(ws->y);
    free(ws->u);
    free(ws->shift);
    free(ws->scale);
    free(ws);
}

void rein_policy_at(rein_policy_workspace *ws, int first)
{
    ws->first = first;
}

void rein_policy_reset(rein_policy_workspace *ws, int first, int n)
{
    if (!ws->state) return;
    const size_t size = (size_t)ws->n_state;
    memset(ws->state + (size_t)first * size, 0, (size_t)n * size * sizeof *ws->state);
}

/* --- acting ----------------------------------------------------------------------------------- */

static void normalize(const rein_policy *policy, rein_policy_workspace *ws, int n)
{
    int size = policy->spec.observation.size;
    float clip = (float)policy->spec.observation_clip;
    for (int j = 0; j < size; j++) {
        ws->shift[j] = (float)policy->mean[j];
        ws->scale[j] = (float)(1 / sqrt(policy->var[j] + 1e-8));
    }
    for (int i = 0; i < n; i++) {
        float *x = ws->x + (size_t)i * (size_t)size;
        for (int j = 0; j < size; j++) {
            float z = (x[j] - ws->shift[j]) * ws->scale[j];
            x[j] = z < -clip ? -clip : z > clip ? clip : z;
        }
    }
}

/* ws->y [n, n_out] = the network's output for raw observations. */
static rein_status run_net(const rein_policy *policy, rein_policy_workspace *ws,
                           const void *observation, int n)
{
    if (n < 0 || n > ws->max_rows - ws->first) {
        return rein_fail(REIN_EINVAL, "%d rows in a workspace for %d", n, ws->max_rows - ws->first);
    }
    const rein_policy_spec *spec = &policy->spec;
    const float *x = observation;
    if (spec->observation.dtype != REIN_F32 || spec->normalize_observation) {
        rein_observation_to_float(&spec->observation, observation, n, ws->x);
        if (spec->normalize_observation) normalize(policy, ws, n);
        x = ws->x;
    }
    if (!policy->recurrent) {
        REIN_TRY(
            rein_net_forward(policy->net, policy->params, policy->packed, ws->net, x, n, ws->y));
    } else if (n > 0) {
        REIN_TRY(rein_recurrent_forward(
            policy->recurrent, policy->params, policy->packed, ws->recurrent, x, NULL, 1, n,
            ws->state + (size_t)ws->first * (size_t)ws->n_state, ws->y));
    }
    size_t count = (size_t)n * (size_t)policy->n_out;
    float zero = 0; /* NaN as soon as one entry is not finite */
    for (size_t i = 0; i < count; i++) zero += 0 * ws->y[i];
    if (zero == 0) return REIN_OK;
    return rein_fail(REIN_ENAN, "the policy's network gives a number that is not finite");
}

rein_status rein_policy_outputs(const rein_policy *policy, rein_policy_workspace *ws,
                                const void *observation, int n, float *out)
{
    REIN_TRY(run_net(policy, ws, observation, n));
    memcpy(out, ws->y, (size_t)n * (size_t)policy->n_out * sizeof *out);
    return REIN_OK;
}

static void act_discrete(const rein_policy *policy, rein_policy_workspace *ws, int n, rein_rng *rng,
                         int32_t *action)
{
    int k = policy->spec.action.n;
    if (!rng || policy->spec.head == REIN_HEAD_Q) {
        rein_categorical_mode(ws->y, NULL, n, k, action);
    }
    if (!rng) return;
    if (policy->spec.head == REIN_HEAD_CATEGORICAL) {
        for (int i = 0; i < n; i++) ws->u[i] = rein_rng_uniform_f32(rng);
        rein_categorical_sample(ws->y, NULL, n, k, ws->u, action);
        return;
    }
    for (int i = 0; i < n; i++) {
        bool explores = rein_rng_uniform(rng) < policy->epsilon;
        if (explores) action[i] = (int32_t)rein_rng_below(rng, (uint32_t)k);
    }
}

static void act_continuous(const rein_policy *policy, rein_policy_workspace *ws, int n,
                           rein_rng *rng, float *action)
{
    const rein_action_space *space = &policy->spec.action;
    int d = space->size;
    if (rng) {
        rein_rng_normals(rng, ws->u, n * d);
        rein_gaussian_sample(ws->y, policy->log_std, n, d, ws->u, action);
    } else {
        memcpy(action, ws->y, (size_t)n * (size_t)d * sizeof *action);
    }
    for (int i = 0; i < n; i++) {
        float *a = action + (size_t)i * (size_t)d;
        for (int j = 0; j < d; j++) {
            a[j] = a[j] < space->low[j]    ? space->low[j]
                   : a[j] > space->high[j] ? space->high[j]
                                           : a[j];
        }
    }
}

rein_status rein_policy_act(const rein_policy *policy, rein_policy_workspace *ws,
                            const void *observation, int n, rein_rng *rng, void *action)
{
    REIN_TRY(run_net(policy, ws, observation, n));
    size_t k = (size_t)head_size(&policy->spec), n_out = (size_t)policy->n_out;
    for (size_t i = 1; k < n_out && i < (size_t)n; i++) { /* drop what is behind the head's part */
        memmove(ws->y + i * k, ws->y + i * n_out, k * sizeof *ws->y);
    }
    if (policy->spec.action.kind == REIN_DISCRETE) {
        act_discrete(policy, ws, n, rng, action);
    } else {
        act_continuous(policy, ws, n, rng, action);
    }
    return REIN_OK;
}
