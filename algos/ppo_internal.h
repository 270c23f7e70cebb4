/* Between ppo.c (the algorithm) and ppo_state.c (its memory). */
#ifndef REIN_ALGOS_PPO_INTERNAL_H
#define REIN_ALGOS_PPO_INTERNAL_H

#include "algos/ppo.h"

enum { PPO_ROWS = 128 }; /* rows of one piece of estimates and gradients */

struct rein_ppo_worker {
    rein_net_workspace *actor, *critic; /* critic NULL when shared */
    float *x;                           /* [rows, obs] last observations put together */
    float *y;                           /* [rows, K+1] output of a shared net, then its gradient */
    float *head, *dhead;                /* [rows, K] */
    float *value, *dvalue;              /* [rows] */
    float *log_prob, *dlog_prob;        /* [rows] */
    float *entropy, *dentropy;          /* [rows] */
};

/* Pieces of 128 rows that `rows` are cut into. */
static inline int rein_ppo_blocks(int rows)
{
    return (rows + PPO_ROWS - 1) / PPO_ROWS;
}

static inline float *rein_ppo_log_std(const rein_ppo *ppo) /* [act] */
{
    return ppo->params + ppo->n_actor + ppo->n_critic;
}

/* rein_algo.check: errors are REIN_ECONFIG, naming the numbers that do not fit. */
rein_status rein_ppo_check(const void *config, const rein_task *task, const rein_env_spec *spec);

#endif
