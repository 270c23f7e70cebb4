/* Benchmarks: rates beside the machine's own limits, both measured in turn in one process, so that
 * their ratio holds on a noisy machine. `rein bench` prints them; docs/benchmarks.md keeps some.
 *
 * A case is a kind ("load", "env", "update", "forward", "record", "train") and a subject behind the
 * slash. Thread-safety: one caller. */
#ifndef REIN_EXPERIMENTS_BENCH_H
#define REIN_EXPERIMENTS_BENCH_H

#include "base/status.h"
#include "base/team.h"

typedef struct rein_bench_result {
    double rate;          /* best of some rounds, in units per second */
    const char *unit;     /* "steps/s" */
    double limit;         /* what the machine allows, best of the same rounds, in the same unit */
    const char *limit_is; /* "mj_step / frame_skip" */
    const char *note;     /* why there is no figure ("not built"); NULL: there is */
} rein_bench_result;

enum { REIN_BENCH_ROUNDS = 5 };

/* rate of the best round: count / the shortest time. */
double rein_bench_best(double count, const double *seconds, int n);

/* Loading librein_torch.so, as its first use does; each time in a process of its own. limit:
 * loading libtorch alone; limit_is says time and memory.
 *   what  in  "torch"
 * Errors: those of loading; REIN_EINVAL when it is loaded already. */
rein_status rein_bench_load(const char *what, rein_team *team, rein_bench_result *out);

/* Stepping with random actions, resets included. limit: physics alone on the same actions
 * (MuJoCo), or the class's own step without the vector env.
 *   id  in  environment. Errors: REIN_ENOTFOUND, those of the environment. */
rein_status rein_bench_env(const char *id, rein_team *team, rein_bench_result *out);

/* One minibatch update with everything that belongs to it. limit: its matrix products alone.
 *   what  in  "ppo" (64 rows, two nets 17-64-64), "dqn" (128 rows, 4-120-84-2) or "dqn_conv" (32
 *             images 10x10x4, conv 16 3x3, linear 128)
 * Errors: REIN_ENOTFOUND. */
rein_status rein_bench_update(const char *what, rein_team *team, rein_bench_result *out);

/* Forward pass of 17-64-64-6, tanh. limit: its matrix products.
 *   rows  in  "8". Errors: REIN_ECONFIG. */
rein_status rein_bench_forward(const char *rows, rein_team *team, rein_bench_result *out);

/* PPO on `id` with every transition recorded. limit: the same without recording. */
rein_status rein_bench_record(const char *id, rein_team *team, rein_bench_result *out);

/* A config from beginning to end, recording on, for some seconds. limit: the environment's limit
 * and the matrix products, one after the other.
 *   config  in  "ppo/half_cheetah". Errors: those of reading a config and of training. */
rein_status rein_bench_train(const char *config, rein_team *team, rein_bench_result *out);

#endif
