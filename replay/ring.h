/* Experience replay (Lin 1992; Mnih et al. 2015): a ring buffer of transitions of N parallel envs
 * that stores each observation once.
 *
 * Layout: time-major rows of N envs. Row i holds observation, and the action, reward and ends that
 * followed it; its next observation is row i+1's observation of the same env, unless the episode
 * ended there: then it is in a small side table of final observations (kept only for truncated
 * ends; after a termination the next observation is never used and reads as the stored row's).
 * Observations keep their own dtype (u8 images stay u8). The side table has room for one truncated
 * transition in eight. When more are truncated, the oldest steps are dropped before their time: the
 * ring holds fewer transitions then, all of them exact. So wait for rein_ring_total, not for
 * rein_ring_size, before learning starts.
 *
 * Memory: (capacity + n_envs) (obs + act + 5 bytes) and an eighth of the observations for the side
 * table; pages become real as they are written.
 *
 * Thread-safety: one caller; sampling into disjoint outputs may be split by rows (see sample). */
#ifndef REIN_REPLAY_RING_H
#define REIN_REPLAY_RING_H

#include "base/archive.h"
#include "base/dtype.h"
#include "base/rng.h"
#include "base/status.h"

typedef struct rein_ring rein_ring;

typedef struct rein_ring_options {
    int64_t capacity; /* transitions in all; rounded down to a multiple of n_envs, >= 2 n_envs,
                         < 2^31 */
    int n_envs;
    rein_dtype observation_type; /* F32 or U8 */
    int observation_size;        /* elements */
    rein_dtype action_type;      /* I32 or F32 */
    int action_size;
} rein_ring_options;

/* A batch of n transitions; arrays are the caller's. */
typedef struct rein_ring_batch {
    void *observation;      /* [n, obs] of the ring's observation dtype */
    void *action;           /* [n, act] i32 or f32 */
    float *reward;          /* [n] */
    void *next_observation; /* [n, obs] */
    uint8_t *terminated;    /* [n] 1: no bootstrap */
} rein_ring_batch;

/* Errors: REIN_EINVAL, REIN_ENOMEM (names the bytes asked for). */
rein_status rein_ring_create(const rein_ring_options *options, rein_ring **out);
void rein_ring_free(rein_ring *ring); /* NULL: does nothing */

/* Append one step of all envs: what was observed, done and received. `observation` must be what
 * the previous call gave as next_observation.
 *   observation        [n_envs, obs]  before the step
 *   action             [n_envs, act]
 *   reward             [n_envs]
 *   terminated, truncated  [n_envs]
 *   final_observation  [n_envs, obs]  read only where terminated or truncated
 *   next_observation   [n_envs, obs]  after the step (after a reset: of the new episode)
 * Allocates: no. */
void rein_ring_push(rein_ring *ring, const void *observation, const void *action,
                    const float *reward, const uint8_t *terminated, const uint8_t *truncated,
                    const void *final_observation, const void *next_observation);

int64_t rein_ring_size(const rein_ring *ring);  /* transitions that can be sampled */
int64_t rein_ring_total(const rein_ring *ring); /* transitions ever pushed */

/* n indices uniformly, with replacement; they hold until the next push. n draws of rng, rarely
 * more. Errors: REIN_EEMPTY. Allocates: no. */
rein_status rein_ring_sample(const rein_ring *ring, rein_rng *rng, int n, int64_t *index);
/* Gather transitions by index into batch. Allocates: no. Threads: disjoint batches at once. */
void rein_ring_gather(const rein_ring *ring, const int64_t *index, int n, rein_ring_batch *batch);

/* Save or load. Saving appends to folder/replay sealed files with the steps pushed since the last
 * save (`<first>-<end>.h5`: steps [first, end), at most 8 MiB of rows each) and writes the small
 * rest (counters, names of the files that hold the ring) into the archive. After the archive's own
 * file is safely written the caller calls rein_ring_saved, which removes files no longer needed.
 * Loading, into a ring of the same options, reads the files listed in the archive; files of a
 * later, unfinished save are ignored and removed. After an error of loading the ring is empty.
 *   folder  in  the run folder
 * Errors: REIN_EIO, REIN_ENOMEM, REIN_EFORMAT, REIN_ENOTFOUND (names the missing file). */
rein_status rein_ring_archive(rein_ring *ring, rein_archive *archive, const char *folder);
void rein_ring_saved(rein_ring *ring, const char *folder);

#endif
