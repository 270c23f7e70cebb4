#include "replay/rollout.h"

#include <stdlib.h>
#include <string.h>

/* One array of the rollout: where its pointer is and how many bytes it needs. */
typedef struct array {
    void **at;
    uint64_t bytes;
} array;

enum { N_ARRAYS = 11 };

static void rollout_arrays(rein_rollout *r, array out[N_ARRAYS])
{
    uint64_t rows = (uint64_t)r->n_rows, all = (uint64_t)r->n_steps * rows;
    uint64_t number = sizeof(float);
    const array arrays[N_ARRAYS] = {
        {(void **)&r->observation, all * (uint64_t)r->obs_size * number},
        {&r->action, all * (uint64_t)r->action_size * rein_dtype_size(r->action_type)},
        {(void **)&r->log_prob, all * number},
        {(void **)&r->reward, all * number},
        {(void **)&r->terminated, all},
        {(void **)&r->truncated, all},
        {(void **)&r->value, all * number},
        {(void **)&r->last_value, rows * number},
        {(void **)&r->final_value, all * number},
        {(void **)&r->advantage, all * number},
        {(void **)&r->return_, all * number},
    };
    memcpy(out, arrays, sizeof arrays);
}

static rein_status rollout_check(int n_steps, int n_rows, int obs_size, rein_dtype action_type,
                                 int action_size)
{
    if (n_steps < 1 || n_rows < 1 || obs_size < 1 || action_size < 1) {
        return rein_fail(REIN_EINVAL,
                         "rollout of %d steps, %d rows, observation of %d, action of %d", n_steps,
                         n_rows, obs_size, action_size);
    }
    if (action_type != REIN_I32 && action_type != REIN_F32) {
        return rein_fail(REIN_EINVAL, "rollout actions must be i32 or f32");
    }
    double bytes = 4.0 * n_steps * n_rows * ((double)obs_size + action_size + 6);
    if (bytes > 0x1p46) { /* and no product of bytes below overflows */
        return rein_fail(REIN_ENOMEM, "no memory for a rollout of %.0f GB", bytes * 1e-9);
    }
    return REIN_OK;
}

rein_status rein_rollout_create(int n_steps, int n_rows, int obs_size, rein_dtype action_type,
                                int action_size, rein_rollout **out)
{
    REIN_TRY(rollout_check(n_steps, n_rows, obs_size, action_type, action_size));
    rein_rollout *r = malloc(sizeof *r);
    if (r == NULL) return rein_fail(REIN_ENOMEM, "no memory for a rollout");
    *r = (rein_rollout){
        .n_steps = n_steps,
        .n_rows = n_rows,
        .obs_size = obs_size,
        .action_size = action_size,
        .action_type = action_type,
    };
    array arrays[N_ARRAYS];
    rollout_arrays(r, arrays);
    for (int i = 0; i < N_ARRAYS; i++) {
        size_t bytes = (size_t)(arrays[i].bytes + 63) & ~(size_t)63;
        *arrays[i].at = aligned_alloc(64, bytes);
        if (*arrays[i].at == NULL) {
            rein_rollout_free(r);
            return rein_fail(REIN_ENOMEM, "no memory for %zu bytes of a rollout", bytes);
        }
        memset(*arrays[i].at, 0, bytes);
    }
    *out = r;
    return REIN_OK;
}

void rein_rollout_free(rein_rollout *rollout)
{
    if (rollout == NULL) return;
    array arrays[N_ARRAYS];
    rollout_arrays(rollout, arrays);
    for (int i = 0; i < N_ARRAYS; i++) free(*arrays[i].at);
    free(rollout);
}

/* One step t, all of its rows. Everything is read before it is chosen from: without branches the
 * loop vectorises. `cut`: 1 where truncation counts as termination. */
static void gae_step(int n, const float *restrict reward, const float *restrict value,
                     const uint8_t *restrict terminated, const uint8_t *restrict truncated,
                     const float *restrict final_value, const float *restrict next_value,
                     const float *restrict next_advantage, float gamma, float gamma_lambda, int cut,
                     float *restrict advantage, float *restrict return_)
{
    for (int i = 0; i < n; i++) {
        float inside = next_value[i], at_end = final_value[i], rest = next_advantage[i];
        int time_out = truncated[i], end = terminated[i];
        float next = time_out ? at_end : inside;
        next = end | (time_out & cut) ? 0.0f : next;
        rest = end | time_out ? 0.0f : rest;
        float a = reward[i] + gamma * next - value[i] + gamma_lambda * rest;
        advantage[i] = a;
        return_[i] = a + value[i];
    }
}

void rein_rollout_gae(rein_rollout *rollout, int first, int count, double gamma, double gae_lambda,
                      bool bootstrap_truncated)
{
    rein_rollout *r = rollout;
    size_t n = (size_t)r->n_rows;
    for (int t = r->n_steps - 1; t >= 0; t--) {
        bool last = t == r->n_steps - 1;
        size_t at = (size_t)t * n + (size_t)first;
        /* behind the last step the sum is empty: any number does there, with the factor 0 */
        gae_step(count, r->reward + at, r->value + at, r->terminated + at, r->truncated + at,
                 r->final_value + at, last ? r->last_value + first : r->value + at + n,
                 last ? r->last_value + first : r->advantage + at + n, (float)gamma,
                 last ? 0.0f : (float)(gamma * gae_lambda), !bootstrap_truncated, r->advantage + at,
                 r->return_ + at);
    }
}
