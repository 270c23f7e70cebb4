#include "replay/ring.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/ring_internal.h"

/* ---- creation -------------------------------------------------------------------------------- */

static rein_status options_check(const rein_ring_options *o)
{
    if (o->n_envs < 1 || o->observation_size < 1 || o->action_size < 1) {
        return rein_fail(REIN_EINVAL, "replay of %d envs, observation of %d, action of %d",
                         o->n_envs, o->observation_size, o->action_size);
    }
    if (o->capacity < 2 * (int64_t)o->n_envs) {
        return rein_fail(REIN_EINVAL, "replay capacity %" PRId64 " is under two steps of %d envs",
                         o->capacity, o->n_envs);
    }
    if (o->capacity > INT32_MAX) {
        return rein_fail(REIN_EINVAL, "replay capacity %" PRId64 " is over %d", o->capacity,
                         INT32_MAX);
    }
    if (o->observation_type != REIN_F32 && o->observation_type != REIN_U8) {
        return rein_fail(REIN_EINVAL, "replay observations must be f32 or u8");
    }
    if (o->action_type != REIN_F32 && o->action_type != REIN_I32) {
        return rein_fail(REIN_EINVAL, "replay actions must be f32 or i32");
    }
    return REIN_OK;
}

/* count * size bytes, 64-byte aligned, not touched yet: pages of a large replay become real as it
 * fills. */
static rein_status ring_allocate(void **out, int64_t count, size_t size)
{
    double wanted = (double)count * (double)size;
    if (wanted < 0x1p46) *out = aligned_alloc(64, ((size_t)count * size + 63) & ~(size_t)63);
    if (*out == NULL) return rein_fail(REIN_ENOMEM, "no memory for %.0f bytes of replay", wanted);
    return REIN_OK;
}

static rein_status ring_arrays(rein_ring *ring)
{
    int64_t n = ring->n_rows * ring->n_envs;
    REIN_TRY(ring_allocate((void **)&ring->observation, n, ring->observation_bytes));
    REIN_TRY(ring_allocate((void **)&ring->action, n, ring->action_bytes));
    REIN_TRY(ring_allocate((void **)&ring->reward, n, sizeof *ring->reward));
    REIN_TRY(ring_allocate((void **)&ring->end, n, sizeof *ring->end));
    REIN_TRY(ring_allocate((void **)&ring->final_key, ring->n_slots, sizeof *ring->final_key));
    return ring_allocate((void **)&ring->final_observation, ring->n_slots, ring->observation_bytes);
}

rein_status rein_ring_create(const rein_ring_options *options, rein_ring **out)
{
    REIN_TRY(options_check(options));
    rein_ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL) return rein_fail(REIN_ENOMEM, "no memory for a replay");
    int64_t steps = options->capacity / options->n_envs;
    *ring = (rein_ring){
        .options = *options,
        .n_envs = options->n_envs,
        .capacity = steps,
        .n_rows = steps + 1,
        .n_slots = steps * options->n_envs / 8 + options->n_envs,
        .observation_bytes =
            (size_t)options->observation_size * rein_dtype_size(options->observation_type),
        .action_bytes = (size_t)options->action_size * rein_dtype_size(options->action_type),
    };
    rein_status status = ring_arrays(ring);
    if (status != REIN_OK) {
        rein_ring_free(ring);
        return status;
    }
    *out = ring;
    return REIN_OK;
}

void rein_ring_free(rein_ring *ring)
{
    if (ring == NULL) return;
    free(ring->observation);
    free(ring->action);
    free(ring->reward);
    free(ring->end);
    free(ring->final_key);
    free(ring->final_observation);
    free(ring->files);
    free(ring);
}

/* ---- push ------------------------------------------------------------------------------------ */

/* Drop the oldest step and the final observations that belong to it. */
static void ring_drop(rein_ring *ring)
{
    int64_t first_left = (ring->total - --ring->count) * ring->n_envs;
    while (ring->slot_count > 0 && ring->final_key[ring->slot_first] < first_left) {
        ring->slot_first = ring->slot_first + 1 == ring->n_slots ? 0 : ring->slot_first + 1;
        ring->slot_count--;
    }
}

/* Keep a final observation under its transition's number; there is a free slot. */
static void ring_keep_final(rein_ring *ring, int64_t key, const void *observation)
{
    int64_t slot = ring->slot_first + ring->slot_count++;
    if (slot >= ring->n_slots) slot -= ring->n_slots;
    ring->final_key[slot] = key;
    memcpy(ring->final_observation + (size_t)slot * ring->observation_bytes, observation,
           ring->observation_bytes);
}

void rein_ring_push(rein_ring *ring, const void *observation, const void *action,
                    const float *reward, const uint8_t *terminated, const uint8_t *truncated,
                    const void *final_observation, const void *next_observation)
{
    size_t n = (size_t)ring->n_envs, row_bytes = n * ring->observation_bytes;
    size_t row = (size_t)ring->head, next = row + 1 == (size_t)ring->n_rows ? 0 : row + 1;
    uint8_t *end = ring->end + row * n;
    int n_finals = 0;
    if (ring->count == ring->capacity) ring_drop(ring);
    memcpy(ring->observation + row * row_bytes, observation, row_bytes);
    memcpy(ring->observation + next * row_bytes, next_observation, row_bytes);
    memcpy(ring->action + row * n * ring->action_bytes, action, n * ring->action_bytes);
    memcpy(ring->reward + row * n, reward, n * sizeof *reward);
    for (size_t i = 0; i < n; i++) {
        end[i] = terminated[i] ? RING_TERMINATED : truncated[i] ? RING_TRUNCATED : 0;
        n_finals += end[i] == RING_TRUNCATED;
    }
    while (ring->slot_count + n_finals > ring->n_slots) ring_drop(ring);
    for (size_t i = 0; n_finals > 0 && i < n; i++) {
        if (end[i] != RING_TRUNCATED) continue;
        ring_keep_final(ring, ring->total * ring->n_envs + (int64_t)i,
                        (const char *)final_observation + i * ring->observation_bytes);
    }
    ring->head = (int64_t)next;
    ring->total++;
    ring->count++;
}

int64_t rein_ring_size(const rein_ring *ring)
{
    return ring->count * ring->n_envs;
}

int64_t rein_ring_total(const rein_ring *ring)
{
    return ring->total * ring->n_envs;
}

/* ---- sample and gather ----------------------------------------------------------------------- */

rein_status rein_ring_sample(const rein_ring *ring, rein_rng *rng, int n, int64_t *index)
{
    if (ring->count == 0) return rein_fail(REIN_EEMPTY, "the replay is empty");
    int64_t oldest = ring->head - ring->count; /* row */
    int64_t all = ring->n_rows * ring->n_envs, first = oldest * ring->n_envs;
    uint32_t size = (uint32_t)rein_ring_size(ring);
    if (first < 0) first += all;
    for (int i = 0; i < n; i++) {
        int64_t at = first + rein_rng_below(rng, size);
        index[i] = at < all ? at : at - all;
    }
    return REIN_OK;
}

/* The final observation of the truncated transition at `index`: keys are in order. */
static const void *ring_final(const rein_ring *ring, int64_t index)
{
    int64_t row = index / ring->n_envs, age = ring->head - row; /* 1: the newest */
    if (age <= 0) age += ring->n_rows;
    int64_t key = (ring->total - age) * ring->n_envs + index % ring->n_envs;
    int64_t low = 0, high = ring->slot_count - 1;
    while (low < high) {
        int64_t middle = (low + high) / 2, slot = ring->slot_first + middle;
        if (slot >= ring->n_slots) slot -= ring->n_slots;
        if (ring->final_key[slot] < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    int64_t slot = ring->slot_first + low;
    if (slot >= ring->n_slots) slot -= ring->n_slots;
    return ring->final_observation + (size_t)slot * ring->observation_bytes;
}

enum { AHEAD = 12 }; /* transitions prefetched: a replay is larger than the caches */

void rein_ring_gather(const rein_ring *ring, const int64_t *index, int n, rein_ring_batch *batch)
{
    size_t bytes = ring->observation_bytes, action_bytes = ring->action_bytes;
    size_t n_envs = (size_t)ring->n_envs, all = (size_t)ring->n_rows * n_envs;
    char *observation = batch->observation, *next = batch->next_observation;
    char *action = batch->action;
    for (int i = 0; i < n; i++) {
        if (i + AHEAD < n) {
            size_t later = (size_t)index[i + AHEAD];
            __builtin_prefetch(ring->observation + later * bytes);
            __builtin_prefetch(ring->observation + (later + n_envs) * bytes);
            __builtin_prefetch(ring->action + later * action_bytes);
            __builtin_prefetch(ring->reward + later);
            __builtin_prefetch(ring->end + later);
        }
        size_t at = (size_t)index[i], after = at + n_envs < all ? at + n_envs : at + n_envs - all;
        const void *next_row = ring->end[at] == RING_TRUNCATED ? ring_final(ring, index[i])
                                                               : ring->observation + after * bytes;
        memcpy(observation + (size_t)i * bytes, ring->observation + at * bytes, bytes);
        memcpy(next + (size_t)i * bytes, next_row, bytes);
        memcpy(action + (size_t)i * action_bytes, ring->action + at * action_bytes, action_bytes);
        batch->reward[i] = ring->reward[at];
        batch->terminated[i] = ring->end[at] == RING_TERMINATED;
    }
}
