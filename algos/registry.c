/* All algorithms that the program knows. A new one is one line here. */
#include <stddef.h>
#include <string.h>

#include "algos/dqn.h"
#include "algos/ppo.h"
#include "algos/ppo_recurrent.h"
#include "algos/task.h"

static const rein_algo *const algos[] = {
    &rein_algo_ppo,
    &rein_algo_ppo_recurrent,
    &rein_algo_dqn,
};
enum { N_ALGOS = sizeof algos / sizeof algos[0] };

const rein_algo *rein_algo_at(int i)
{
    return i >= 0 && i < N_ALGOS ? algos[i] : NULL;
}

rein_status rein_algo_find(const char *id, const rein_algo **out)
{
    const rein_algo *nearest = algos[0];
    for (int i = 0; i < N_ALGOS; i++) {
        if (strcmp(algos[i]->id, id) == 0) {
            *out = algos[i];
            return REIN_OK;
        }
        if (rein_edit_distance(id, algos[i]->id) < rein_edit_distance(id, nearest->id)) {
            nearest = algos[i];
        }
    }
    *out = NULL;
    return rein_fail(REIN_ENOTFOUND,
                     "unknown algorithm \"%s\", did you mean %s? `rein algos` lists "
                     "them",
                     id, nearest->id);
}
