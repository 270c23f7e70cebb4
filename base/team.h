/* A team of threads that picks up blocks of work.
 *
 * Work is cut into blocks by the caller, from the config alone; which thread takes which block is
 * left open and must not matter. Results that are summed over blocks are kept per block and added
 * in block order by rein_team_sum, so that any number of threads gives the same bytes.
 *
 * Thread-safety: a team belongs to one caller at a time; different teams may run at once. */
#ifndef REIN_BASE_TEAM_H
#define REIN_BASE_TEAM_H

#include "base/status.h"

typedef struct rein_team rein_team;

/* Work on one block. `thread` is in [0, n_threads): the index of a per-thread workspace. */
typedef rein_status (*rein_block_function)(void *context, int block, int thread);

/* Create a team. n_threads in [1, 1024]; 1 runs everything in the caller.
 * Errors: REIN_EINVAL, REIN_ENOMEM. */
rein_status rein_team_create(int n_threads, rein_team **team);
void rein_team_free(rein_team *team); /* NULL: does nothing */

int rein_team_threads(const rein_team *team);

/* Run function(context, b, thread) once for every b in [0, n_blocks) and wait for all of them.
 * Errors: that of the first failing block in block order, with its message; the other blocks have
 * run all the same. Allocates: no. Cost: one or two microseconds with several threads. */
rein_status rein_team_run(rein_team *team, int n_blocks, rein_block_function function,
                          void *context);

/* out[i] = parts[0][i] + parts[1][i] + ... in this order, for i in [0, n).
 *   out    out  [n] f32; may be parts' first row
 *   parts  in   [n_blocks, stride] f32, stride >= n
 * The same bytes for any number of threads. Allocates: no. */
void rein_team_sum(rein_team *team, float *out, const float *parts, int n_blocks, size_t stride,
                   size_t n);

#endif
