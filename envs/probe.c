#include "envs/probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64, GUARD_BYTE = 0xC3, N_ROWS = 5 };

static const char *const row_names[N_ROWS] = {"observation", "action", "reward", "terminated",
                                              "broken"};

static void probe_row_sizes(const rein_probe *p, size_t bytes[N_ROWS])
{
    bytes[0] = p->observation_bytes;
    bytes[1] = p->action_bytes;
    bytes[2] = sizeof(float) * (size_t)p->spec.n_agents;
    bytes[3] = 1;
    bytes[4] = 1;
}

static size_t probe_padded(size_t bytes)
{
    return (bytes + GUARD - 1) / GUARD * GUARD;
}

/* Rows one behind the other, GUARD bytes or more of guard behind each and before the first. */
static rein_status probe_allocate(rein_probe *p)
{
    size_t bytes[N_ROWS], total = GUARD;
    void *at[N_ROWS];
    size_t n = (size_t)p->spec.n_agents;
    p->observation_bytes =
        n * (size_t)p->spec.observation.size * rein_dtype_size(p->spec.observation.dtype);
    p->action_bytes = n * (size_t)p->spec.action.size * 4;
    probe_row_sizes(p, bytes);
    for (int i = 0; i < N_ROWS; i++) total += probe_padded(bytes[i]) + GUARD;
    size_t state_bytes = probe_padded(p->spec.state_size);
    p->rows = aligned_alloc(GUARD, total);
    p->state = aligned_alloc(GUARD, state_bytes);
    if (p->rows == NULL || p->state == NULL) {
        return rein_fail(REIN_ENOMEM, "no memory for one %s", p->env->id);
    }
    memset(p->state, 0, state_bytes);
    memset(p->rows, GUARD_BYTE, total);
    unsigned char *next = p->rows + GUARD;
    for (int i = 0; i < N_ROWS; i++) {
        at[i] = next;
        memset(next, 0, bytes[i]);
        next += probe_padded(bytes[i]) + GUARD;
    }
    p->action = at[1];
    p->io = (rein_env_io){.observation = at[0],
                          .action = at[1],
                          .reward = at[2],
                          .terminated = at[3],
                          .broken = at[4]};
    return REIN_OK;
}

rein_status rein_probe_open(const rein_env_class *env, const void *config, rein_probe *out)
{
    *out = (rein_probe){.env = env};
    REIN_TRY(env->spec(config, &out->spec));
    rein_status status = probe_allocate(out);
    if (status == REIN_OK) status = env->init(out->state, config);
    out->is_open = status == REIN_OK;
    if (status != REIN_OK) rein_probe_close(out);
    return status;
}

void rein_probe_close(rein_probe *p)
{
    if (p->is_open && p->env->fini != NULL) p->env->fini(p->state);
    free(p->state);
    free(p->rows);
    *p = (rein_probe){0};
}

void rein_probe_poison(rein_probe *p, int poison)
{
    memset(p->io.observation, poison, p->observation_bytes);
    for (int i = 0; i < p->spec.n_agents; i++) p->io.reward[i] = NAN;
    *p->io.terminated = 77;
    *p->io.broken = 0;
}

const char *rein_probe_overrun(const rein_probe *p)
{
    size_t bytes[N_ROWS];
    probe_row_sizes(p, bytes);
    const unsigned char *next = p->rows;
    for (int i = 0; i < GUARD; i++) {
        if (next[i] != GUARD_BYTE) return "before the observation";
    }
    next += GUARD;
    for (int i = 0; i < N_ROWS; i++) {
        size_t end = probe_padded(bytes[i]) + GUARD;
        for (size_t k = bytes[i]; k < end; k++) {
            if (next[k] != GUARD_BYTE) return row_names[i];
        }
        next += end;
    }
    return NULL;
}

void rein_probe_reset(rein_probe *p, uint64_t seed, uint64_t episode)
{
    rein_rng rng = rein_rng_stream(seed, REIN_RNG_RESET, 0, episode);
    p->env->reset(p->state, &rng, &p->io);
}

void rein_probe_step(rein_probe *p, uint64_t seed, uint64_t step)
{
    rein_rng rng = rein_rng_stream(seed, REIN_RNG_DYNAMICS, 0, step);
    *p->io.broken = 0;
    p->env->step(p->state, &rng, &p->io);
}

void rein_probe_draw_action(rein_probe *p, uint64_t seed, uint64_t step, double scale)
{
    const rein_action_space *space = &p->spec.action;
    rein_rng rng = rein_rng_stream(seed, REIN_RNG_ACTION, 0, step);
    for (int i = 0; i < p->spec.n_agents * space->size; i++) {
        if (space->kind == REIN_DISCRETE) {
            ((int32_t *)p->action)[i] = (int32_t)rein_rng_below(&rng, (uint32_t)space->n);
            continue;
        }
        double low = space->low[i % space->size], high = space->high[i % space->size];
        if (!isfinite(low)) low = isfinite(high) ? high - 2 : -1;
        if (!isfinite(high)) high = low + 2;
        ((float *)p->action)[i] = (float)(scale * rein_rng_uniform_in(&rng, low, high));
    }
}

size_t rein_probe_snapshot_size(const rein_probe *p)
{
    return p->spec.snapshot_size != 0 ? p->spec.snapshot_size : p->spec.state_size;
}

void rein_probe_save(const rein_probe *p, void *snapshot)
{
    if (p->env->save != NULL) {
        p->env->save(p->state, snapshot);
    } else {
        memcpy(snapshot, p->state, rein_probe_snapshot_size(p));
    }
}

rein_status rein_probe_load(rein_probe *p, const void *snapshot)
{
    if (p->env->load != NULL) return p->env->load(p->state, snapshot);
    memcpy(p->state, snapshot, rein_probe_snapshot_size(p));
    return REIN_OK;
}
