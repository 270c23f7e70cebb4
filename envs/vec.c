#include "envs/vec.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ENVS = 1 << 24, FAST_BLOCK = 64, SLOW_BLOCKS = 8, SLOW_BLOCK_MAX = 8 };

/* ---- creation ------------------------------------------------------------------------------ */

int rein_vec_block_size(int n_envs, bool slow_step)
{
    if (!slow_step) return FAST_BLOCK;
    int size = (n_envs + SLOW_BLOCKS - 1) / SLOW_BLOCKS;
    return size < SLOW_BLOCK_MAX ? size : SLOW_BLOCK_MAX;
}

static size_t vec_align(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

/* n * size zero bytes, 64-byte aligned. */
static void *vec_array(size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - 64) return NULL;
    bytes = bytes > 0 ? vec_align(bytes) : 64;
    void *array = aligned_alloc(64, bytes);
    if (array != NULL) memset(array, 0, bytes);
    return array;
}

static rein_status vec_check_options(const rein_vec_options *options)
{
    if (options->n_envs < 1 || options->n_envs > MAX_ENVS) {
        return rein_fail(REIN_EINVAL, "n_envs = %d is outside [1, %d]", options->n_envs, MAX_ENVS);
    }
    if (options->block_size < 0) {
        return rein_fail(REIN_EINVAL, "block_size = %d is negative", options->block_size);
    }
    if (options->max_episode_steps < -1) {
        return rein_fail(REIN_EINVAL, "max_episode_steps = %d is neither -1, 0 nor a limit",
                         options->max_episode_steps);
    }
    return REIN_OK;
}

/* Sizes and scalars from the options and vec->spec. */
static rein_status vec_measure(rein_vec *vec, const rein_vec_options *options)
{
    const rein_env_spec *spec = &vec->spec;
    int limit = options->max_episode_steps;
    if (limit < 0) limit = spec->max_episode_steps;
    vec->max_episode_steps = limit > 0 ? limit : INT32_MAX;
    vec->seed = options->seed;
    vec->reset_purpose = options->reset_purpose != 0 ? options->reset_purpose : REIN_RNG_RESET;

    vec->n_envs = options->n_envs;
    if (__builtin_mul_overflow(vec->n_envs, spec->n_agents, &vec->n_rows)) {
        return rein_fail(REIN_EINVAL, "%d envs of %d agents are too many", vec->n_envs,
                         spec->n_agents);
    }
    int block_size = options->block_size;
    if (block_size == 0) block_size = rein_vec_block_size(vec->n_envs, spec->slow_step);
    vec->block_size = block_size < vec->n_envs ? block_size : vec->n_envs;
    vec->n_blocks = (vec->n_envs + vec->block_size - 1) / vec->block_size;

    vec->state_stride = vec_align(spec->state_size);
    vec->observation_bytes =
        (size_t)spec->observation.size * rein_dtype_size(spec->observation.dtype);
    vec->action_bytes = (size_t)spec->action.size * sizeof(float); /* i32 has the same size */
    return REIN_OK;
}

static rein_status vec_allocate(rein_vec *vec)
{
    size_t n_envs = (size_t)vec->n_envs, n_rows = (size_t)vec->n_rows;
    vec->observation = vec_array(n_rows, vec->observation_bytes);
    vec->action = vec_array(n_rows, vec->action_bytes);
    vec->reward = vec_array(n_rows, sizeof *vec->reward);
    vec->terminated = vec_array(n_envs, 1);
    vec->truncated = vec_array(n_envs, 1);
    vec->broken = vec_array(n_envs, 1);
    vec->final_observation = vec_array(n_rows, vec->observation_bytes);
    vec->episode_return = vec_array(n_envs, sizeof *vec->episode_return);
    vec->episode_length = vec_array(n_envs, sizeof *vec->episode_length);
    vec->episode = vec_array(n_envs, sizeof *vec->episode);
    vec->steps = vec_array(n_envs, sizeof *vec->steps);
    vec->n_broken = vec_array(n_envs, sizeof *vec->n_broken);
    vec->states = vec_array(n_envs, vec->state_stride);
    bool whole = vec->observation && vec->action && vec->reward && vec->terminated &&
                 vec->truncated && vec->broken && vec->final_observation && vec->episode_return &&
                 vec->episode_length && vec->episode && vec->steps && vec->n_broken && vec->states;
    if (!whole) return rein_fail(REIN_ENOMEM, "no memory for %d envs", vec->n_envs);
    return REIN_OK;
}

static void *vec_state(const rein_vec *vec, int env)
{
    return vec->states + (size_t)env * vec->state_stride;
}

static rein_status vec_open(rein_vec *vec, const rein_vec_options *options)
{
    REIN_TRY(vec->env->spec(options->config, &vec->spec));
    REIN_TRY(vec_measure(vec, options));
    REIN_TRY(vec_allocate(vec));
    for (; vec->n_initialised < vec->n_envs; vec->n_initialised++) {
        REIN_TRY(vec->env->init(vec_state(vec, vec->n_initialised), options->config));
    }
    return rein_vec_reset(vec);
}

rein_status rein_vec_create(const rein_vec_options *options, rein_vec **out)
{
    *out = NULL;
    REIN_TRY(vec_check_options(options));
    rein_vec *vec = calloc(1, sizeof *vec);
    if (vec == NULL) return rein_fail(REIN_ENOMEM, "no memory for %d envs", options->n_envs);
    vec->env = options->env;
    rein_status status = vec_open(vec, options);
    if (status != REIN_OK) {
        rein_vec_free(vec);
        return status;
    }
    *out = vec;
    return REIN_OK;
}

void rein_vec_free(rein_vec *vec)
{
    if (vec == NULL) return;
    for (int env = 0; vec->env->fini != NULL && env < vec->n_initialised; env++) {
        vec->env->fini(vec_state(vec, env));
    }
    free(vec->observation);
    free(vec->action);
    free(vec->reward);
    free(vec->terminated);
    free(vec->truncated);
    free(vec->broken);
    free(vec->final_observation);
    free(vec->episode_return);
    free(vec->episode_length);
    free(vec->episode);
    free(vec->steps);
    free(vec->n_broken);
    free(vec->states);
    free(vec);
}

int rein_vec_block(const rein_vec *vec, int block, int *first)
{
    *first = block * vec->block_size;
    int left = vec->n_envs - *first;
    return left < vec->block_size ? left : vec->block_size;
}

/* ---- finite numbers ------------------------------------------------------------------------ */

/* Are x [n] all finite? By their exponent bits, so that the compiler vectorises it. */
static bool all_finite(const float *x, size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bad |= (bits & 0x7f800000U) == 0x7f800000U;
    }
    return bad == 0;
}

static float *vec_row_floats(const rein_vec *vec, size_t row)
{
    return (float *)vec->observation + row * (size_t)vec->spec.observation.size;
}

typedef enum vec_moment { VEC_STEP, VEC_RESET } vec_moment;

static rein_status vec_fail_nan(const rein_vec *vec, int env, vec_moment moment, const char *what,
                                size_t entry, float value)
{
    const char *text = isnan(value) ? "NaN" : value > 0 ? "inf" : "-inf";
    if (moment == VEC_RESET) {
        return rein_fail(REIN_ENAN, "%s returned %s[%zu] = %s (env %d, at the start of episode %u)",
                         vec->env->id, what, entry, text, env, vec->episode[env]);
    }
    return rein_fail(REIN_ENAN, "%s returned %s[%zu] = %s (env %d, step %d of its episode %u)",
                     vec->env->id, what, entry, text, env, vec->episode_length[env],
                     vec->episode[env]);
}

/* Numbers x [n_envs, width] of count envs from `first`: replaced by 0 where not finite after a step
 * of a broken env, an error elsewhere. */
static rein_status vec_sift(const rein_vec *vec, float *x, vec_moment moment, const char *what,
                            int first, int count, size_t width)
{
    for (int env = first; env < first + count; env++) {
        float *row = x + (size_t)env * width;
        for (size_t i = 0; i < width; i++) {
            if (isfinite(row[i])) continue;
            if (moment == VEC_RESET || !vec->broken[env]) {
                return vec_fail_nan(vec, env, moment, what, i, row[i]);
            }
            row[i] = 0;
        }
    }
    return REIN_OK;
}

static rein_status vec_check_observations(const rein_vec *vec, vec_moment moment, int first,
                                          int count)
{
    size_t n_agents = (size_t)vec->spec.n_agents, size = (size_t)vec->spec.observation.size;
    if (vec->spec.observation.dtype != REIN_F32) return REIN_OK;
    const float *x = vec_row_floats(vec, (size_t)first * n_agents);
    if (all_finite(x, (size_t)count * n_agents * size)) return REIN_OK;
    return vec_sift(vec, vec->observation, moment, "observation", first, count, n_agents * size);
}

static rein_status vec_check_rewards(const rein_vec *vec, int first, int count)
{
    size_t n_agents = (size_t)vec->spec.n_agents;
    const float *x = vec->reward + (size_t)first * n_agents;
    if (all_finite(x, (size_t)count * n_agents)) return REIN_OK;
    return vec_sift(vec, vec->reward, VEC_STEP, "reward", first, count, n_agents);
}

/* ---- reset --------------------------------------------------------------------------------- */

static rein_env_io vec_io(const rein_vec *vec, int env)
{
    size_t row = (size_t)env * (size_t)vec->spec.n_agents;
    return (rein_env_io){
        .observation = (unsigned char *)vec->observation + row * vec->observation_bytes,
        .action = (const unsigned char *)vec->action + row * vec->action_bytes,
        .reward = vec->reward + row,
        .terminated = vec->terminated + env,
        .broken = vec->broken + env,
    };
}

static void vec_begin_episode(rein_vec *vec, int env)
{
    rein_env_io io = vec_io(vec, env);
    rein_rng rng =
        rein_rng_stream(vec->seed, vec->reset_purpose, (uint32_t)env, vec->episode[env]++);
    vec->env->reset(vec_state(vec, env), &rng, &io);
}

rein_status rein_vec_reset(rein_vec *vec)
{
    size_t n_envs = (size_t)vec->n_envs;
    memset(vec->terminated, 0, n_envs);
    memset(vec->truncated, 0, n_envs);
    memset(vec->broken, 0, n_envs);
    memset(vec->reward, 0, (size_t)vec->n_rows * sizeof *vec->reward);
    memset(vec->episode_return, 0, n_envs * sizeof *vec->episode_return);
    memset(vec->episode_length, 0, n_envs * sizeof *vec->episode_length);
    for (int env = 0; env < vec->n_envs; env++) vec_begin_episode(vec, env);
    return vec_check_observations(vec, VEC_RESET, 0, vec->n_envs);
}

/* Keep the last observation, begin the next episode. */
static rein_status vec_autoreset(rein_vec *vec, int env)
{
    size_t bytes = (size_t)vec->spec.n_agents * vec->observation_bytes;
    size_t offset = (size_t)env * bytes;
    memcpy((unsigned char *)vec->final_observation + offset,
           (const unsigned char *)vec->observation + offset, bytes);
    vec_begin_episode(vec, env);
    return vec_check_observations(vec, VEC_RESET, env, 1);
}

/* ---- step ---------------------------------------------------------------------------------- */

static void vec_step_envs(rein_vec *vec, int first, int count)
{
    void (*step)(void *, rein_rng *, rein_env_io *) = vec->env->step;
    size_t n_agents = (size_t)vec->spec.n_agents;
    size_t observation_bytes = n_agents * vec->observation_bytes;
    size_t action_bytes = n_agents * vec->action_bytes, state_stride = vec->state_stride;
    unsigned char *state = vec_state(vec, first);
    rein_env_io io = vec_io(vec, first);
    memset(vec->broken + first, 0, (size_t)count);
    for (int env = first; env < first + count; env++) {
        rein_rng rng =
            rein_rng_stream(vec->seed, REIN_RNG_DYNAMICS, (uint32_t)env, vec->steps[env]++);
        bool begins = (vec->terminated[env] | vec->truncated[env]) != 0;
        vec->episode_length[env] = (begins ? 0 : vec->episode_length[env]) + 1;
        vec->episode_return[env] = begins ? 0 : vec->episode_return[env];
        step(state, &rng, &io);
        state += state_stride;
        io.observation = (unsigned char *)io.observation + observation_bytes;
        io.action = (const unsigned char *)io.action + action_bytes;
        io.reward += n_agents;
        io.terminated++;
        io.broken++;
    }
}

static void vec_add_rewards(rein_vec *vec, int first, int count)
{
    int n_agents = vec->spec.n_agents;
    const float *reward = vec->reward + (size_t)first * (size_t)n_agents;
    double *episode_return = vec->episode_return + first;
    if (n_agents == 1) {
        for (int i = 0; i < count; i++) episode_return[i] += (double)reward[i];
        return;
    }
    for (int i = 0; i < count; i++, reward += n_agents) {
        for (int k = 0; k < n_agents; k++) episode_return[i] += (double)reward[k];
    }
}

/* Time limits; a broken episode is truncated whatever else it says. */
static void vec_truncate(rein_vec *vec, int first, int count)
{
    int32_t limit = vec->max_episode_steps;
    const int32_t *length = vec->episode_length + first;
    const uint8_t *broken = vec->broken + first;
    uint8_t *terminated = vec->terminated + first, *truncated = vec->truncated + first;
    for (int i = 0; i < count; i++) {
        uint8_t late = length[i] >= limit, cut = broken[i] != 0;
        uint8_t ended = (terminated[i] != 0) & !cut;
        terminated[i] = ended;
        truncated[i] = cut | (late & !ended);
    }
}

rein_status rein_vec_step_block(rein_vec *vec, int block)
{
    int first, count = rein_vec_block(vec, block, &first);
    vec_step_envs(vec, first, count);
    REIN_TRY(vec_check_observations(vec, VEC_STEP, first, count));
    REIN_TRY(vec_check_rewards(vec, first, count));
    vec_add_rewards(vec, first, count);
    vec_truncate(vec, first, count);
    for (int env = first; env < first + count; env++) {
        if (!(vec->terminated[env] | vec->truncated[env])) continue;
        vec->n_broken[env] += vec->broken[env] != 0;
        REIN_TRY(vec_autoreset(vec, env));
    }
    return REIN_OK;
}

static rein_status vec_step_one(void *context, int block, int thread)
{
    (void)thread;
    return rein_vec_step_block(context, block);
}

rein_status rein_vec_step(rein_vec *vec, rein_team *team)
{
    return rein_team_run(team, vec->n_blocks, vec_step_one, vec);
}

/* ---- save and load ------------------------------------------------------------------------- */

/* The envs' snapshots [n_envs, size], as one array. */
static rein_status vec_copy_states(rein_vec *vec, bool loading, unsigned char *snapshots,
                                   size_t size)
{
    const rein_env_class *class = vec->env;
    for (int env = 0; env < vec->n_envs; env++) {
        void *state = vec_state(vec, env);
        unsigned char *snapshot = snapshots + (size_t)env * size;
        if (class->save == NULL) {
            memcpy(loading ? state : snapshot, loading ? snapshot : state, size);
        } else if (loading) {
            REIN_TRY(class->load(state, snapshot));
        } else {
            class->save(state, snapshot);
        }
    }
    return REIN_OK;
}

static rein_status vec_archive_states(rein_vec *vec, rein_archive *archive)
{
    size_t size = vec->spec.snapshot_size;
    if (size == 0 || vec->env->save == NULL) size = vec->spec.state_size;
    size_t n = (size_t)vec->n_envs * size;
    unsigned char *snapshots = vec_array((size_t)vec->n_envs, size);
    if (snapshots == NULL) return rein_fail(REIN_ENOMEM, "no memory for %zu bytes of states", n);
    rein_status status = REIN_OK;
    if (!archive->loading) status = vec_copy_states(vec, false, snapshots, size);
    if (status == REIN_OK) status = rein_archive_array(archive, "states", REIN_U8, snapshots, n);
    if (status == REIN_OK && archive->loading) {
        status = vec_copy_states(vec, true, snapshots, size);
    }
    free(snapshots);
    return status;
}

/* Streams are made from the seed: another one would go on differently without a word. */
static rein_status vec_archive_seed(const rein_vec *vec, rein_archive *archive)
{
    int64_t seed = (int64_t)vec->seed;
    REIN_TRY(rein_archive_i64(archive, "seed", &seed));
    if ((uint64_t)seed == vec->seed) return REIN_OK;
    return rein_fail(REIN_EFORMAT, "saved envs have seed %llu, these have %llu",
                     (unsigned long long)seed, (unsigned long long)vec->seed);
}

rein_status rein_vec_archive(rein_vec *vec, rein_archive *archive)
{
    size_t n_envs = (size_t)vec->n_envs, n_rows = (size_t)vec->n_rows;
    const rein_observation_space *space = &vec->spec.observation;
    size_t n_observation = n_rows * (size_t)space->size;
    size_t n_action = n_rows * (size_t)vec->spec.action.size;
    const struct {
        const char *name;
        rein_dtype type;
        void *data;
        size_t n;
    } arrays[] = {
        {"observation", space->dtype, vec->observation, n_observation},
        {"action", vec->spec.action.kind == REIN_DISCRETE ? REIN_I32 : REIN_F32, vec->action,
         n_action},
        {"reward", REIN_F32, vec->reward, n_rows},
        {"terminated", REIN_U8, vec->terminated, n_envs},
        {"truncated", REIN_U8, vec->truncated, n_envs},
        {"broken", REIN_U8, vec->broken, n_envs},
        {"final_observation", space->dtype, vec->final_observation, n_observation},
        {"episode_return", REIN_F64, vec->episode_return, n_envs},
        {"episode_length", REIN_I32, vec->episode_length, n_envs},
        {"episode", REIN_U32, vec->episode, n_envs},
        {"steps", REIN_I64, vec->steps, n_envs},
        {"n_broken", REIN_I64, vec->n_broken, n_envs},
    };
    REIN_TRY(vec_archive_seed(vec, archive));
    REIN_TRY(vec_archive_states(vec, archive));
    for (size_t k = 0; k < sizeof arrays / sizeof arrays[0]; k++) {
        REIN_TRY(rein_archive_array(archive, arrays[k].name, arrays[k].type, arrays[k].data,
                                    arrays[k].n));
    }
    return REIN_OK;
}
