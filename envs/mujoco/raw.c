#include "envs/mujoco/raw.h"

#include "base/clock.h"
#include "envs/mujoco/sim.h"

static void tape_begin(rein_sim *sim, const rein_mujoco_tape *tape, int row)
{
    int nq = (int)sim->model->nq, nv = (int)sim->model->nv;
    rein_sim_reset(sim);
    mju_copy(sim->data->qpos, tape->qpos + (size_t)row * (size_t)nq, nq);
    mju_copy(sim->data->qvel, tape->qvel + (size_t)row * (size_t)nv, nv);
    rein_sim_forward(sim);
}

rein_status rein_mujoco_replay(const rein_mujoco_tape *tape, double *seconds)
{
    rein_sim sim;
    REIN_TRY(rein_sim_init(&sim, tape->built_in, NULL, tape->frame_skip));
    const mjModel *model = sim.model;
    mjData *data = sim.data;
    double total_s = 0, start_s = rein_clock_s();
    for (int t = 0; t < tape->n_steps; t++) {
        if (tape->begin[t]) {
            total_s += rein_clock_s() - start_s;
            tape_begin(&sim, tape, t);
            start_s = rein_clock_s();
        }
        const float *action = tape->action + (size_t)t * (size_t)model->nu;
        for (int i = 0; i < model->nu; i++) data->ctrl[i] = (double)action[i];
        for (int k = 0; k < tape->frame_skip; k++) mj_step(model, data);
    }
    *seconds = total_s + rein_clock_s() - start_s;
    bool finite = data->qpos[0] == data->qpos[0];
    rein_sim_fini(&sim);
    return finite ? REIN_OK : rein_fail(REIN_ENAN, "the simulation diverged");
}
