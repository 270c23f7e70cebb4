/* What DQN's tests share: a small task, a run that remembers, a configurable environment. */
#ifndef REIN_TESTS_ALGOS_DQN_WORLD_H
#define REIN_TESTS_ALGOS_DQN_WORLD_H

#include "tests/algos/task_set_up.h"

#include "algos/dqn.h"
#include "base/file.h"
#include "replay/store.h"

/* --- an environment without secrets: observation [n_in] uniform in [-1, 1] (or zeros), a constant
 * reward, never an end of its own -----------------------------------------------------------------
 */

#define PLAIN_FIELDS(X)                                                                            \
    X(integer, n_in, "1", "[1, 64]", "entries of an observation")                                  \
    X(integer, n_actions, "2", "[1, 64]", "actions")                                               \
    X(integer, n_agents, "1", "[1, 64]", "agents")                                                 \
    X(real, reward, "1", "", "of every step")                                                      \
    X(flag, random, "false", "", "random observations instead of zeros")
REIN_CONFIG(plain_config, PLAIN_FIELDS)

static rein_status plain_spec(const void *config, rein_env_spec *out)
{
    const plain_config *c = config;
    *out = (rein_env_spec){
        .observation = {.dtype = REIN_F32,
                        .n_dims = 1,
                        .shape = {(int)c->n_in},
                        .size = (int)c->n_in,
                        .low = -1,
                        .high = 1},
        .action = {.kind = REIN_DISCRETE, .n = (int)c->n_actions, .size = 1},
        .n_agents = (int)c->n_agents,
        .state_size = sizeof(plain_config),
        .reward_threshold = NAN,
    };
    return REIN_OK;
}

static rein_status plain_init(void *state, const void *config)
{
    memcpy(state, config, sizeof(plain_config));
    return REIN_OK;
}

static void plain_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    const plain_config *c = state;
    float *observation = io->observation;
    for (int64_t i = 0; i < c->n_in * c->n_agents; i++) {
        observation[i] = c->random ? (float)rein_rng_uniform_in(rng, -1, 1) : 0;
    }
}

static void plain_step(void *state, rein_rng *rng, rein_env_io *io)
{
    const plain_config *c = state;
    plain_reset(state, rng, io);
    for (int64_t i = 0; i < c->n_agents; i++) io->reward[i] = (float)c->reward;
    *io->terminated = 0;
}

static const rein_env_class plain_env = {
    .id = "Plain-v0",
    .fields = plain_config_fields,
    .n_fields = REIN_FIELD_COUNT(plain_config_fields),
    .config_size = sizeof(plain_config),
    .spec = plain_spec,
    .init = plain_init,
    .reset = plain_reset,
    .step = plain_step,
};

/* --- a task --------------------------------------------------------------------------------------
 */

typedef struct dqn_world {
    rein_task task;
    rein_dqn_config config;
    char env_config[1024];
} dqn_world;

/* Small enough to be quick: 2 x 32 tanh units, a short replay, an update every step. */
static inline void world_open(const rein_env_class *env, int threads, dqn_world *w)
{
    memset(w, 0, sizeof *w);
    task_set_up(env, 1, threads, w->env_config, &w->task);
    assert_ok(rein_fields_defaults(rein_algo_dqn.fields, rein_algo_dqn.n_fields, &w->config));
    w->config.lr = 3e-3;
    w->config.buffer_size = 1000;
    w->config.learning_starts = 100;
    w->config.batch_size = 32;
    w->config.train_frequency = 1;
    w->config.target_update_frequency = 50;
    w->task.net.hidden = (rein_list){2, {32, 32}};
    w->task.total_timesteps = 2000;
}

static inline void world_close(dqn_world *w)
{
    rein_team_free(w->task.team);
}

static inline rein_dqn *world_dqn(dqn_world *w)
{
    rein_dqn *dqn;
    assert_ok(rein_dqn_create(&w->config, &w->task, &dqn));
    return dqn;
}

/* --- a run that remembers ------------------------------------------------------------------------
 */

typedef struct memory_run {
    rein_run run;
    int64_t checkpoint_every, stop_at; /* 0: never */
    bool resume;
    rein_store *store;
    char folder[256];
    uint64_t log_hash, params_hash; /* of all log rows, of the final weights */
    int64_t rows, updates;
    double td_loss, q_values; /* of the last row that had them */
    float probe[4], q[8];     /* observations [n_probe] and, after training, their values */
    int n_probe;
} memory_run;

static rein_status memory_resume(rein_run *run, rein_archive **archive)
{
    memory_run *m = run->context;
    *archive = NULL;
    if (!m->resume) return REIN_OK;
    char path[300];
    snprintf(path, sizeof path, "%s/checkpoint.h5", m->folder);
    REIN_TRY(rein_store_open(path, &m->store));
    *archive = rein_store_archive(m->store);
    REIN_TRY(rein_archive_array(*archive, "log", REIN_I64, &m->log_hash, 1));
    return REIN_OK;
}

static rein_status memory_log(rein_run *run, int64_t step, const rein_episodes *episodes,
                              const rein_metric *metrics, int n)
{
    memory_run *m = run->context;
    double row[16] = {(double)m->log_hash, (double)step, (double)episodes->count,
                      episodes->return_sum};
    for (int i = 0; i < n; i++) {
        assert_true(isfinite(metrics[i].value));
        row[4 + i] = metrics[i].value;
        if (strcmp(metrics[i].name, "updates") == 0) m->updates = (int64_t)metrics[i].value;
        if (strcmp(metrics[i].name, "td_loss") == 0) m->td_loss = metrics[i].value;
        if (strcmp(metrics[i].name, "q_values") == 0) m->q_values = metrics[i].value;
    }
    m->log_hash = rein_hash(row, sizeof row);
    m->rows++;
    return REIN_OK;
}

static unsigned memory_tick(rein_run *run, int64_t step)
{
    const memory_run *m = run->context;
    unsigned due = 0;
    if (m->checkpoint_every && step % m->checkpoint_every == 0) due |= REIN_RUN_CHECKPOINT;
    if (m->stop_at && step >= m->stop_at) due |= REIN_RUN_STOP;
    return due;
}

static rein_status memory_begin(rein_run *run, int64_t step, rein_archive **archive)
{
    memory_run *m = run->context;
    (void)step;
    rein_store_free(m->store); /* the one that was resumed from */
    REIN_TRY(rein_store_create(&m->store));
    *archive = rein_store_archive(m->store);
    return rein_archive_array(*archive, "log", REIN_I64, &m->log_hash, 1);
}

static rein_status memory_end(rein_run *run)
{
    memory_run *m = run->context;
    char path[300];
    snprintf(path, sizeof path, "%s/checkpoint.h5", m->folder);
    rein_status status = rein_store_save(m->store, path);
    rein_store_free(m->store);
    m->store = NULL;
    return status;
}

static rein_status memory_finish(rein_run *run, int64_t step, const rein_policy *policy)
{
    memory_run *m = run->context;
    assert_int_equal(policy->timesteps, step);
    m->params_hash = rein_hash(policy->params, policy->n_params * sizeof(float));
    if (m->n_probe == 0) return REIN_OK;
    rein_policy_workspace *workspace;
    REIN_TRY(rein_policy_workspace_create(policy, m->n_probe, &workspace));
    rein_status status = rein_policy_outputs(policy, workspace, m->probe, m->n_probe, m->q);
    rein_policy_workspace_free(workspace);
    return status;
}

static inline void memory_init(memory_run *m)
{
    memset(m, 0, sizeof *m);
    m->run = rein_run_none;
    m->run.context = m;
    m->run.resume = memory_resume;
    m->run.log = memory_log;
    m->run.tick = memory_tick;
    m->run.checkpoint_begin = memory_begin;
    m->run.checkpoint_end = memory_end;
    m->run.finish = memory_finish;
}

static inline rein_status memory_train(memory_run *m, dqn_world *w)
{
    if (m->folder[0]) m->run.folder = m->folder;
    rein_status status = rein_dqn_train(&w->config, &w->task, &m->run);
    rein_store_free(m->store);
    m->store = NULL;
    return status;
}

#endif
