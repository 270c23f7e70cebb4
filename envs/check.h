/* Is an environment what envs/env.h promises, and does it repeat recorded episodes?
 *
 * `rein check ENV` and the tests use both functions; neither prints. Thread-safety: different
 * calls may run at once; a class is only read. */
#ifndef REIN_ENVS_CHECK_H
#define REIN_ENVS_CHECK_H

#include "envs/env.h"

/* ---- promises ------------------------------------------------------------------------------ */

typedef struct rein_check_options {
    uint64_t seed;
    int n_steps;                       /* random steps per check, >= 1; 0: 1000 */
    size_t (*count_allocations)(void); /* allocations of this process so far; NULL: that check is
                                          left out */
} rein_check_options;

typedef struct rein_check_line {
    const char *name; /* "spaces", "determinism", ... */
    bool passed;
    char text[240]; /* what was seen, or what is wrong and at which step */
} rein_check_line;

enum { REIN_CHECK_MAX = 12 };

typedef struct rein_check_report {
    int n, n_failed;
    rein_check_line lines[REIN_CHECK_MAX]; /* [n] in a fixed order */
} rein_check_report;

/* Check class `env` with `config`: spaces make sense; reset and step write their rows, all of them
 * and nothing else; observations are finite and within bounds, rewards finite, terminated 0 or 1,
 * also with actions beyond the bounds; equal streams and actions give equal bytes; a reset leaves
 * nothing of the past; save and load continue identically; step and reset allocate nothing; what
 * was poked is peeked.
 *   config  in   [env->config_size] bytes
 *   report  out  one line per check; n_failed == 0: all passed
 * Errors: REIN_ENOMEM, and those of the class's spec and init (then nothing could be checked).
 * Allocates: yes. */
rein_status rein_check_env(const rein_env_class *env, const void *config,
                           const rein_check_options *options, rein_check_report *report);

/* ---- recorded episodes --------------------------------------------------------------------- */

typedef struct rein_trace_column {
    const char *name;     /* a quantity of the class, or "init_" and the name of a settable one */
    int64_t n_rows;       /* n_steps + 1 (before step 0, ..., after the last); rewards n_steps;
                             init_ 1 */
    int size;             /* numbers per row */
    const double *values; /* [n_rows, size] */
    bool single;          /* recorded in float32: compare after rounding to float */
} rein_trace_column;

typedef struct rein_trace {
    const char *name; /* of the episode, for messages */
    int64_t n_steps;
    const rein_trace_column *columns; /* [n_columns] names that the class lacks are ignored */
    int n_columns;
    const double *action; /* [n_steps, action_size] */
    int action_size;
    const double *terminated; /* [n_steps] 0 or 1; NULL: not compared */
    const double *truncated;  /* [n_steps] 0 or 1, by the time limit alone; NULL: not compared */
} rein_trace;

/* Replay one recorded episode: poke the settable quantities of row 0 (a column "init_X" stands in
 * for X), then step with the recorded actions and compare every quantity of the class that was
 * recorded, within its tolerance, and how the episode ends. The observation that a policy would
 * get must be the quantity "obs" or "image", rounded. A recorded time limit counts where the
 * episode did not terminate: the two are never mixed here.
 *   n_compared  out  numbers compared; NULL: not wanted
 * Errors: REIN_EDIFFER "ep0 step 3: qpos[1] is 0.25, recorded 0.5" for the first difference;
 * REIN_EFORMAT when the record does not fit the class (a settable quantity is missing, another
 * width, an action that does not exist); REIN_EUNSUPPORTED for a class without quantities or with
 * several agents; REIN_ENOMEM; those of the class. */
rein_status rein_check_trace(const rein_env_class *env, const void *config, const rein_trace *trace,
                             int64_t *n_compared);

#endif
