/* Between ppo.c (the algorithm) and ppo_state.c (its memory). */
#ifndef REIN_ALGOS_PPO_INTERNAL_H
#define REIN_ALGOS_PPO_INTERNAL_H

#include "algos/ppo_parts.h"

enum { PPO_ROWS = 128 }; /* rows of one piece of estimates and gradients */

struct rein_ppo_worker {
    rein_net_workspace *actor, *critic; /* critic NULL when shared */
    float *x;                           /* [n, obs] last observations put together */
    rein_ppo_rows rows;                 /* n = max(128, block rows) */
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

static inline rein_ppo_pi rein_ppo_policy_pi(const rein_ppo *ppo)
{
    return (rein_ppo_pi){ppo->data->continuous, ppo->n_head, rein_ppo_log_std(ppo)};
}

/* rein_algo.check: errors are REIN_ECONFIG, naming the numbers that do not fit. */
rein_status rein_ppo_check(const void *config, const rein_task *task, const rein_env_spec *spec);

#endif
