/* The ring's insides, shared by replay/ring.c (push, sample) and replay/ring_files.c (save, load).
 *
 * Step s of the whole run (a row of all envs) lies in row s % n_rows. `count` steps can be
 * sampled, the newest in row head - 1; row head holds only observations: those after the newest
 * step. Final observations of truncated transitions lie in a queue of n_slots = capacity / 8 +
 * n_envs slots in the order of their keys (step * n_envs + env). When more than one transition in
 * eight is truncated the queue fills up and the oldest steps are dropped before their time: the
 * ring then holds fewer transitions, all of them exact. */
#ifndef REIN_REPLAY_RING_INTERNAL_H
#define REIN_REPLAY_RING_INTERNAL_H

#include "replay/ring.h"

enum { RING_TERMINATED = 1, RING_TRUNCATED = 2 };

typedef struct ring_file { /* replay/<first>-<end>.h5 holds steps [first, end) */
    int64_t first, end;
} ring_file;

struct rein_ring {
    rein_ring_options options;
    int64_t n_envs, capacity, n_rows;       /* capacity in steps; n_rows = capacity + 1 */
    size_t observation_bytes, action_bytes; /* of one transition */

    char *observation;          /* [n_rows, n_envs, obs] f32 or u8 */
    char *action;               /* [n_rows, n_envs, act] f32 or i32 */
    float *reward;              /* [n_rows, n_envs] */
    uint8_t *end;               /* [n_rows, n_envs] RING_* or 0 */
    int64_t head, count, total; /* in steps; head = total % n_rows */

    int64_t n_slots, slot_first, slot_count;
    int64_t *final_key;      /* [n_slots] */
    char *final_observation; /* [n_slots, obs] */

    ring_file *files; /* [n_files] that hold steps since the first one of the ring, in order */
    int64_t n_files;
};

#endif
