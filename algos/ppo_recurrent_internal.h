/* Between ppo_recurrent.c (the algorithm) and ppo_recurrent_state.c (its memory). */
#ifndef REIN_ALGOS_PPO_RECURRENT_INTERNAL_H
#define REIN_ALGOS_PPO_RECURRENT_INTERNAL_H

#include "algos/ppo_parts.h"
#include "algos/ppo_recurrent.h"

enum {
    PPO_SEQUENCES = 16, /* rows of one piece of a gradient */
    PPO_BLOCK_ENVS = 8, /* envs that one thread collects with: the networks take longer than most
                           environments, so blocks are small */
};

struct rein_ppo_recurrent_worker {
    rein_recurrent_workspace *actor, *critic;           /* sequences; critic NULL when shared */
    rein_recurrent_workspace *actor_step, *critic_step; /* one step of a vec block; likewise */
    float *x;                                           /* [block rows, obs] */
    float *state;       /* [max(16, block rows), S] of the actor or the critic */
    rein_ppo_rows rows; /* n = max(16 T, block rows) */
};

/* Pieces that n rows are cut into. */
static inline int rein_ppo_recurrent_blocks(int n)
{
    return (n + PPO_SEQUENCES - 1) / PPO_SEQUENCES;
}

static inline float *rein_ppo_recurrent_log_std(const rein_ppo_recurrent *ppo) /* [act] */
{
    return ppo->params + ppo->n_actor + ppo->n_critic;
}

static inline rein_ppo_pi rein_ppo_recurrent_pi(const rein_ppo_recurrent *ppo)
{
    return (rein_ppo_pi){ppo->data->continuous, ppo->n_head, rein_ppo_recurrent_log_std(ppo)};
}

/* rein_algo.check: errors are REIN_ECONFIG, naming the numbers that do not fit. */
rein_status rein_ppo_recurrent_check(const void *config, const rein_task *task,
                                     const rein_env_spec *spec);

#endif
