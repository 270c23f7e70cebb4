/* One env outside the vector env, its rows between guard bytes: for envs/check.c and
 * envs/check_trace.c. Thread-safety: a probe belongs to one thread. */
#ifndef REIN_ENVS_PROBE_H
#define REIN_ENVS_PROBE_H

#include "envs/env.h"

typedef struct rein_probe {
    const rein_env_class *env;
    rein_env_spec spec;
    void *state;
    bool is_open; /* init succeeded */
    size_t observation_bytes, action_bytes;
    unsigned char *rows; /* all rows and guards */
    rein_env_io io;      /* into rows */
    void *action;        /* io.action, writable: [n_agents, action.size] i32 or f32 */
} rein_probe;

/* Errors: REIN_ENOMEM, those of spec and init. After an error nothing is left to close. */
rein_status rein_probe_open(const rein_env_class *env, const void *config, rein_probe *out);
void rein_probe_close(rein_probe *probe);

/* Fill what reset and step must write with `poison` bytes (rewards with NaN). */
void rein_probe_poison(rein_probe *probe, int poison);
/* Name of the row whose guard bytes were overwritten; NULL: none. */
const char *rein_probe_overrun(const rein_probe *probe);

void rein_probe_reset(rein_probe *probe, uint64_t seed, uint64_t episode);
void rein_probe_step(rein_probe *probe, uint64_t seed, uint64_t step);

/* Draw an action, uniform in the space; continuous ones are multiplied by `scale` (unbounded
 * dimensions: from [-1, 1]). */
void rein_probe_draw_action(rein_probe *probe, uint64_t seed, uint64_t step, double scale);

/* Bytes of a snapshot, and copying one out and in (classes without save are plain bytes). */
size_t rein_probe_snapshot_size(const rein_probe *probe);
void rein_probe_save(const rein_probe *probe, void *snapshot);
rein_status rein_probe_load(rein_probe *probe, const void *snapshot);

#endif
