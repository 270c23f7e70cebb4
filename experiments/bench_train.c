/* `rein bench update/, forward/, record/ and train/`: learners beside their matrix products. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "algos/dqn.h"
#include "algos/ppo.h"
#include "algos/ppo_recurrent.h"
#include "base/clock.h"
#include "experiments/bench.h"
#include "experiments/command.h"
#include "experiments/experiment.h"
#include "experiments/run_folder.h"
#include "nets/layers.h"
#include "nets/torch/loader.h"

/* ---- matrix products of a network alone ---------------------------------------------------- */

typedef struct products {
    rein_net *net;
    rein_net_workspace *workspace;
    int rows;
    float *params, *packed, *x, *y, *grad;
    void *memory;
} products;

static void products_free(products *p)
{
    rein_net_workspace_free(p->workspace);
    rein_net_free(p->net);
    free(p->memory);
}

static rein_status products_create(const rein_net_spec *spec, int rows, products *p)
{
    rein_net_spec native = *spec; /* the limit is the same for every engine */
    native.engine = REIN_ENGINE_NATIVE;
    *p = (products){.rows = rows};
    REIN_TRY(rein_net_create(&native, &p->net));
    REIN_TRY(rein_net_workspace_create(p->net, rows, &p->workspace));
    size_t n_params = rein_net_n_params(p->net), n_packed = rein_net_n_packed(p->net);
    size_t n = (n_params + 15) / 16 * 16, m = (n_packed + 15) / 16 * 16;
    size_t x = (size_t)(rows * rein_net_n_in(p->net)), y = (size_t)(rows * rein_net_n_out(p->net));
    p->memory = aligned_alloc(64, (2 * n + m + (x + y + 31) / 16 * 16) * sizeof(float));
    if (p->memory == NULL) return rein_fail(REIN_ENOMEM, "no memory for a network");
    p->packed = p->memory;
    p->params = p->packed + m;
    p->grad = p->params + n;
    p->x = p->grad + n;
    p->y = p->x + x;
    rein_rng rng = rein_rng_stream(0, REIN_RNG_TEST, 0, 0);
    rein_rng_normals(&rng, p->x, (int)x);
    REIN_TRY(rein_net_init(p->net, REIN_INIT_ORTHOGONAL, 1.4, 1, &rng, p->params));
    rein_net_pack(p->net, p->params, p->packed);
    return REIN_OK;
}

/* Seconds of one forward and, unless grad is NULL, backward; from `n` of them. */
static double products_time(products *p, int n, float *grad)
{
    double start_s = rein_clock_s();
    for (int i = 0; i < n; i++) {
        rein_net_products(p->net, p->params, p->packed, p->workspace, p->x, p->rows, p->y, grad);
    }
    return (rein_clock_s() - start_s) / n;
}

static double products_run(products *p, int n)
{
    return products_time(p, n, p->grad);
}

/* Seconds of the products of one forward of `rows` rows, from `n` of them. */
static rein_status products_forward(const rein_net_spec *spec, int rows, int n, double *seconds)
{
    products p;
    rein_status status = products_create(spec, rows, &p);
    double start_s = rein_clock_s();
    for (int i = 0; i < n && status == REIN_OK; i++) {
        rein_net_products(p.net, p.params, p.packed, p.workspace, p.x, rows, p.y, NULL);
    }
    *seconds = (rein_clock_s() - start_s) / n;
    products_free(&p);
    return status;
}

/* ---- experiments made for benchmarks ------------------------------------------------------- */

/* An experiment from a config's name and settings "key=value", ending with NULL. */
static rein_status bench_experiment(const char *config, const char *const *settings,
                                    rein_experiment **out)
{
    char path[REIN_PATH_SIZE];
    rein_settings *s;
    REIN_TRY(rein_command_find_config(config, path, sizeof path));
    REIN_TRY(rein_settings_create(&s));
    rein_status status = rein_settings_read(s, path);
    for (; *settings != NULL && status == REIN_OK; settings++) {
        status = rein_settings_override(s, *settings);
    }
    if (status == REIN_OK) status = rein_experiment_create(s, out);
    rein_settings_free(s);
    return status;
}

static rein_status net_of(const rein_experiment *e, int n_out, rein_net_spec *out)
{
    const rein_task task = rein_experiment_task(e, NULL);
    return rein_task_net(&task, &e->spec.observation, n_out, out);
}

static int policy_outputs(const rein_experiment *e)
{
    const rein_action_space *a = &e->spec.action;
    return a->kind == REIN_DISCRETE ? a->n : a->size;
}

/* ---- update/ppo and update/dqn ------------------------------------------------------------- */

/* Times of one of PPO's minibatch updates, from all those of a rollout; values and advantages are
 * computed by the collection. limit: products of both networks. */
enum { UPDATE_ROUNDS = 20 }; /* short ones: 320 minibatches take 13 ms */
enum { DQN_ROUNDS = 300, DQN_UPDATES = 5 };

static rein_status update_ppo(const rein_experiment *e, rein_team *team, rein_bench_result *out)
{
    const rein_ppo_config *c = e->algo_config;
    rein_task task = rein_experiment_task(e, team);
    rein_net_spec policy, value;
    REIN_TRY(net_of(e, policy_outputs(e), &policy));
    REIN_TRY(net_of(e, 1, &value));
    int rows = (int)(c->n_steps * e->env.n_envs / c->n_minibatches);
    double n_minibatches = (double)(c->n_minibatches * c->n_epochs);
    double rate_s[UPDATE_ROUNDS], limit_s[UPDATE_ROUNDS];
    rein_ppo *ppo = NULL;
    products p = {0}, v = {0};
    rein_ppo_metrics metrics;
    rein_status status = rein_ppo_create(c, &task, false, &ppo);
    if (status == REIN_OK) status = products_create(&policy, rows, &p);
    if (status == REIN_OK) status = products_create(&value, rows, &v);
    for (int i = 0; i < UPDATE_ROUNDS && status == REIN_OK; i++) {
        status = rein_ppo_collect(ppo);
        double start_s = rein_clock_s();
        if (status == REIN_OK) status = rein_ppo_update(ppo, &metrics);
        rate_s[i] = (rein_clock_s() - start_s) / n_minibatches;
        limit_s[i] = products_run(&p, 320) + products_run(&v, 320);
    }
    if (status == REIN_OK) {
        *out = (rein_bench_result){.rate = rein_bench_best(1, rate_s, UPDATE_ROUNDS),
                                   .unit = "updates/s",
                                   .limit = rein_bench_best(1, limit_s, UPDATE_ROUNDS),
                                   .limit_is = "its matrix products"};
    }
    products_free(&p);
    products_free(&v);
    rein_ppo_free(ppo);
    return status;
}

static rein_status update_dqn(const rein_dqn_config *c, const rein_task *task,
                              const rein_env_spec *env, rein_bench_result *out)
{
    rein_net_spec spec;
    REIN_TRY(rein_task_net(task, &env->observation, env->action.n, &spec));
    int rows = (int)c->batch_size;
    double rate_s[DQN_ROUNDS], limit_s[DQN_ROUNDS];
    rein_dqn *dqn = NULL;
    products p = {0};
    rein_status status = rein_dqn_create(c, task, &dqn);
    if (status == REIN_OK) status = products_create(&spec, rows, &p);
    while (status == REIN_OK && dqn->step < 2000) {
        status = rein_dqn_collect(dqn, 1);
    }
    for (int i = 0; i < DQN_ROUNDS && status == REIN_OK; i++) {
        double start_s = rein_clock_s();
        for (int k = 0; k < DQN_UPDATES && status == REIN_OK; k++) {
            status = rein_dqn_update(dqn, NULL);
        }
        rate_s[i] = (rein_clock_s() - start_s) / DQN_UPDATES;
        limit_s[i] = products_run(&p, DQN_UPDATES);
        limit_s[i] += products_time(&p, DQN_UPDATES, NULL) * (c->double_q ? 2 : 1);
    }
    if (status == REIN_OK) {
        *out = (rein_bench_result){.rate = rein_bench_best(1, rate_s, DQN_ROUNDS),
                                   .unit = "updates/s",
                                   .limit = rein_bench_best(1, limit_s, DQN_ROUNDS),
                                   .limit_is = "its matrix products"};
    }
    products_free(&p);
    rein_dqn_free(dqn);
    return status;
}

/* Images of 10x10x4 bits that change at random, as MinAtar's do in size and number of ones. */
static rein_status bits_spec(const void *config, rein_env_spec *out)
{
    (void)config;
    *out = (rein_env_spec){.observation = {.dtype = REIN_U8,
                                           .n_dims = 3,
                                           .shape = {10, 10, 4},
                                           .size = 400,
                                           .high = 1},
                           .action = {.kind = REIN_DISCRETE, .n = 6, .size = 1},
                           .n_agents = 1,
                           .max_episode_steps = 1000,
                           .state_size = sizeof(int)};
    return REIN_OK;
}

static rein_status bits_init(void *state, const void *config)
{
    (void)state, (void)config;
    return REIN_OK;
}

static void bits_reset(void *state, rein_rng *rng, rein_env_io *io)
{
    (void)state;
    uint8_t *observation = io->observation;
    for (int i = 0; i < 400; i++) observation[i] = rein_rng_below(rng, 12) == 0;
}

static void bits_step(void *state, rein_rng *rng, rein_env_io *io)
{
    bits_reset(state, rng, io);
    io->reward[0] = (float)(*(const int32_t *)io->action == 0);
    *io->terminated = 0;
}

static const rein_env_class bits = {.id = "bits",
                                    .summary = "random images for a benchmark",
                                    .cite = "none",
                                    .spec = bits_spec,
                                    .init = bits_init,
                                    .reset = bits_reset,
                                    .step = bits_step};

/* dqn_conv: Mnih et al.'s learner at MinAtar's size (Young & Tian 2019: conv 16 3x3, linear 128,
 * batch 32, smooth L1, centred RMSprop). */
static const char conv_layers[] = "[conv 16 3x3, relu, flatten, linear 128, relu]";
static const char *const conv_settings[] = {
    "algo.batch_size=32",      "algo.double_q=false",
    "algo.loss=huber",         "algo.optimizer=rmsprop",
    "algo.rmsprop_alpha=0.95", "algo.rmsprop_centered=true",
    "algo.optimizer_eps=0.01", NULL,
};

static rein_status update_dqn_of(const rein_experiment *e, bool conv, rein_team *team,
                                 rein_bench_result *out)
{
    rein_env_spec spec = e->spec;
    rein_task task = rein_experiment_task(e, team);
    if (conv) {
        int n;
        const rein_field *fields = rein_section_fields("net", &n);
        REIN_TRY(rein_field_set(rein_fields_find(fields, n, "layers"), &task.net, conv_layers));
        REIN_TRY(bits_spec(NULL, &spec));
        task.env = &bits;
        task.env_config = NULL;
    }
    return update_dqn(e->algo_config, &task, &spec, out);
}

rein_status rein_bench_update(const char *what, rein_team *team, rein_bench_result *out)
{
    static const struct {
        const char *name, *config;
        bool conv;
    } updates[] = {{"ppo", "ppo/half_cheetah", false},
                   {"dqn", "dqn/cartpole", false},
                   {"dqn_conv", "dqn/cartpole", true}};
    enum { N_UPDATES = sizeof updates / sizeof updates[0] };
    const size_t length = strcspn(what, "@"); /* ppo@torch: by that engine */
    const bool torch = strcmp(what + length, "@torch") == 0;
    const char *settings[16] = {torch ? "net.engine=torch" : "net.engine=auto"};
    rein_experiment *e;
    int i = 0;
    while (i < N_UPDATES &&
           (strncmp(what, updates[i].name, length) != 0 || updates[i].name[length] != '\0')) {
        i++;
    }
    if (i == N_UPDATES || (what[length] != '\0' && !torch)) {
        return rein_fail(REIN_ENOTFOUND, "no update '%s': ppo, dqn or dqn_conv, or with @torch",
                         what);
    }
    if (torch && !rein_torch_is_built()) {
        out->note = "not built: this program has no libtorch";
        return REIN_OK;
    }
    for (int k = 0; updates[i].conv && conv_settings[k]; k++) settings[k + 1] = conv_settings[k];
    REIN_TRY(bench_experiment(updates[i].config, settings, &e));
    rein_status status = strcmp(updates[i].name, "ppo") == 0
                             ? update_ppo(e, team, out)
                             : update_dqn_of(e, updates[i].conv, team, out);
    rein_experiment_free(e);
    return status;
}

/* ---- forward/<rows> ------------------------------------------------------------------------ */

rein_status rein_bench_forward(const char *rows_text, rein_team *team, rein_bench_result *out)
{
    (void)team; /* one policy, one thread */
    const rein_net_spec spec = rein_net_spec_mlp(17, (const int[]){64, 64}, 2, REIN_TANH, 6);
    enum { REPEAT = 20000 };
    double rate_s[REIN_BENCH_ROUNDS], limit_s[REIN_BENCH_ROUNDS];
    int64_t rows;
    products p;
    REIN_TRY(rein_command_integer("rows", rows_text, 1, 65536, &rows));
    int n = REPEAT / (int)rows + 10;
    rein_status status = products_create(&spec, (int)rows, &p);
    for (int i = 0; i < REIN_BENCH_ROUNDS && status == REIN_OK; i++) {
        double start_s = rein_clock_s();
        for (int k = 0; k < n; k++) {
            REIN_TRY(rein_net_forward(p.net, p.params, p.packed, p.workspace, p.x, (int)rows, p.y));
        }
        rate_s[i] = (rein_clock_s() - start_s) / n;
        status = products_forward(&spec, (int)rows, n, &limit_s[i]);
    }
    if (status == REIN_OK) {
        *out = (rein_bench_result){.rate = rein_bench_best(1, rate_s, REIN_BENCH_ROUNDS),
                                   .unit = "calls/s",
                                   .limit = rein_bench_best(1, limit_s, REIN_BENCH_ROUNDS),
                                   .limit_is = "its matrix products"};
    }
    products_free(&p);
    return status;
}

/* ---- whole trainings ----------------------------------------------------------------------- */

/* A recorder into a folder of its own, removed at the end. */
static rein_status temporary_folder(char *path, size_t size)
{
    const char *base = getenv("TMPDIR");
    snprintf(path, size, "%s/rein-bench-XXXXXX", base != NULL && base[0] != '\0' ? base : "/tmp");
    if (mkdtemp(path) == NULL) return rein_fail(REIN_EIO, "cannot make a folder in %s", path);
    return REIN_OK;
}

static rein_status bench_recorder(const rein_experiment *e, const char *folder, rein_recorder **out)
{
    const rein_observation_space *o = &e->spec.observation;
    rein_recorder_options options = {.folder = folder,
                                     .env_id = e->env_class->id,
                                     .n_envs = (int)e->env.n_envs,
                                     .n_agents = e->spec.n_agents,
                                     .observation_type = o->dtype,
                                     .n_dims = o->n_dims,
                                     .action_type =
                                         e->spec.action.kind == REIN_DISCRETE ? REIN_I32 : REIN_F32,
                                     .action_size = e->spec.action.size,
                                     .transitions = true};
    memcpy(options.shape, o->shape, sizeof o->shape);
    return rein_recorder_create(&options, out);
}

/* Seconds of one whole training; record: every transition, files included. */
static rein_status train_once(const rein_experiment *e, rein_team *team, bool record,
                              double *seconds)
{
    char path[512];
    rein_run run = rein_run_none;
    rein_task task = rein_experiment_task(e, team);
    REIN_TRY(temporary_folder(path, sizeof path));
    rein_run_folder folder = {.fd = -1};
    snprintf(folder.path, sizeof folder.path, "%s", path);
    double start_s = rein_clock_s();
    rein_status status = record ? bench_recorder(e, path, &run.recorder) : REIN_OK;
    if (status == REIN_OK) status = e->algo_class->train(e->algo_config, &task, &run);
    if (run.recorder != NULL) {
        rein_status closed = rein_recorder_close(run.recorder, true);
        if (status == REIN_OK) status = closed;
    }
    *seconds = rein_clock_s() - start_s;
    rein_run_folder_remove(&folder);
    return status;
}

rein_status rein_bench_record(const char *id, rein_team *team, rein_bench_result *out)
{
    char env[128];
    snprintf(env, sizeof env, "env.id=%s", id);
    const char *const settings[] = {env, "run.total_timesteps=20480", NULL};
    double rate_s[REIN_BENCH_ROUNDS], limit_s[REIN_BENCH_ROUNDS];
    rein_experiment *e;
    REIN_TRY(bench_experiment("ppo/half_cheetah", settings, &e));
    rein_status status = REIN_OK;
    for (int i = 0; i < REIN_BENCH_ROUNDS && status == REIN_OK; i++) {
        status = train_once(e, team, true, &rate_s[i]);
        if (status == REIN_OK) status = train_once(e, team, false, &limit_s[i]);
    }
    if (status == REIN_OK) {
        double steps = (double)e->run.total_timesteps;
        *out = (rein_bench_result){.rate = rein_bench_best(steps, rate_s, REIN_BENCH_ROUNDS),
                                   .unit = "steps/s",
                                   .limit = rein_bench_best(steps, limit_s, REIN_BENCH_ROUNDS),
                                   .limit_is = "the same without recording"};
    }
    rein_experiment_free(e);
    return status;
}

/* Seconds of matrix products in one environment step of PPO: a row of the policy while collecting
 * and one of the value network behind it, n_epochs minibatch rows. */
static rein_status products_ppo(const rein_experiment *e, double *seconds)
{
    const rein_ppo_config *c = e->algo_config;
    rein_net_spec policy, value;
    REIN_TRY(net_of(e, policy_outputs(e), &policy));
    REIN_TRY(net_of(e, 1, &value));
    int n_envs = (int)e->env.n_envs, rows = (int)(c->n_steps * n_envs / c->n_minibatches);
    double act_s, value_s, best_s = 1;
    products p = {0}, v = {0};
    REIN_TRY(products_forward(&policy, n_envs, 20000 / n_envs + 10, &act_s));
    REIN_TRY(products_forward(&value, 128, 200, &value_s));
    rein_status status = products_create(&policy, rows, &p);
    if (status == REIN_OK) status = products_create(&value, rows, &v);
    for (int i = 0; i < REIN_BENCH_ROUNDS && status == REIN_OK; i++) {
        double s = products_run(&p, 500) + products_run(&v, 500);
        if (s < best_s) best_s = s;
    }
    *seconds = act_s / n_envs + value_s / 128 + best_s * (double)c->n_epochs / rows;
    products_free(&p);
    products_free(&v);
    return status;
}

/* Seconds of the products of one step of one row through a network with a cell: its layers, the
 * cell's two products and the last layer. */
static rein_status products_cell_step(const rein_net_spec *spec, int rows, double *seconds)
{
    const int last = spec->n_layers - 1;
    const rein_layer *cell = &spec->layers[last - 1];
    const int gates = (cell->kind == REIN_LAYER_LSTM ? 4 : 3) * cell->units;
    rein_net_spec in = *spec;
    in.n_layers = last;
    in.layers[last - 1] = (rein_layer){.kind = REIN_LAYER_LINEAR, .units = gates};
    const rein_net_spec state = rein_net_spec_mlp(cell->units, NULL, 0, REIN_LINEAR, gates);
    const rein_net_spec out =
        rein_net_spec_mlp(cell->units, NULL, 0, REIN_LINEAR, spec->layers[last].units);
    const rein_net_spec *const parts[] = {&in, &state, &out};
    *seconds = 0;
    for (int i = 0; i < 3; i++) {
        double s;
        REIN_TRY(products_forward(parts[i], rows, 20000 / rows + 10, &s));
        *seconds += s / rows;
    }
    return REIN_OK;
}

/* Seconds of the products of forward and backward of one step of one row, in sequences. */
static rein_status products_cell_update(const rein_net_spec *spec, int n_steps, int rows,
                                        double *seconds)
{
    rein_recurrent *net = NULL;
    rein_recurrent_workspace *workspace = NULL;
    rein_layout layout;
    REIN_TRY(rein_net_layout(spec, &layout));
    REIN_TRY(rein_recurrent_create(spec, &net));
    rein_status status = rein_recurrent_workspace_create(net, n_steps, rows, &workspace);
    const size_t all = (size_t)n_steps * (size_t)rows, p = rein_recurrent_n_params(net);
    const size_t n_x = all * (size_t)layout.n_in;
    const size_t n_y = all * (size_t)layout.n_out;
    const size_t n_packed = (rein_recurrent_n_packed(net) + 15) / 16 * 16;
    float *packed =
        aligned_alloc(64, (n_packed + (2 * p + n_x + n_y + 15) / 16 * 16) * sizeof(float));
    if (packed == NULL) status = rein_fail(REIN_ENOMEM, "no memory for a network");
    if (status == REIN_OK) {
        float *params = packed + n_packed, *grad = params + p, *x = grad + p, *y = x + n_x;
        rein_rng rng = rein_rng_stream(0, REIN_RNG_TEST, 0, 0);
        rein_rng_normals(&rng, x, (int)n_x);
        status = rein_recurrent_init(net, REIN_INIT_ORTHOGONAL, 1.4, 1, 0, &rng, params);
        rein_recurrent_pack(net, params, packed);
        *seconds = 1;
        for (int i = 0; i < 10 * REIN_BENCH_ROUNDS; i++) {
            double start_s = rein_clock_s();
            rein_recurrent_products(net, params, packed, workspace, x, n_steps, rows, y, grad);
            double s = (rein_clock_s() - start_s) / (double)all;
            if (s < *seconds) *seconds = s;
        }
    }
    free(packed);
    rein_recurrent_workspace_free(workspace);
    rein_recurrent_free(net);
    return status;
}

/* The same of recurrent PPO: every step goes once through both networks while collecting and
 * n_epochs times there and back. */
static rein_status products_ppo_recurrent(const rein_experiment *e, double *seconds)
{
    const rein_ppo_recurrent_config *c = e->algo_config;
    const int n_envs = (int)e->env.n_envs, per_minibatch = n_envs / (int)c->n_minibatches;
    *seconds = 0;
    for (int value = 0; value < 2; value++) {
        if (value == 1 && c->shared_net) break;
        const int n_out = value == 1 ? 1 : policy_outputs(e) + (c->shared_net ? 1 : 0);
        rein_net_spec spec;
        const rein_task task = rein_experiment_task(e, NULL);
        REIN_TRY(rein_ppo_recurrent_net(c, &task, &e->spec.observation, n_out, &spec));
        double step_s, update_s;
        REIN_TRY(products_cell_step(&spec, n_envs < 8 ? n_envs : 8, &step_s));
        REIN_TRY(products_cell_update(&spec, (int)c->n_steps,
                                      per_minibatch < 16 ? per_minibatch : 16, &update_s));
        *seconds += step_s + (double)c->n_epochs * update_s;
    }
    return REIN_OK;
}

/* The same of DQN: an update every train_frequency steps after learning_starts, and a row of the
 * network for every greedy action. */
static rein_status products_dqn(const rein_experiment *e, double *seconds)
{
    const rein_dqn_config *c = e->algo_config;
    rein_net_spec spec;
    REIN_TRY(net_of(e, policy_outputs(e), &spec));
    int rows = (int)c->batch_size, n_envs = (int)e->env.n_envs;
    double act_s, next_s, best_s = 1, total = (double)e->run.total_timesteps;
    products p;
    REIN_TRY(products_forward(&spec, n_envs, 20000 / n_envs + 10, &act_s));
    REIN_TRY(products_forward(&spec, rows, 500, &next_s));
    rein_status status = products_create(&spec, rows, &p);
    for (int i = 0; i < REIN_BENCH_ROUNDS && status == REIN_OK; i++) {
        double s = products_run(&p, 500);
        if (s < best_s) best_s = s;
    }
    products_free(&p);
    double decay = c->exploration_fraction;
    double epsilon = decay * (c->start_epsilon + c->end_epsilon) / 2 + (1 - decay) * c->end_epsilon;
    double learning = 1 - (double)c->learning_starts / total;
    double updates = learning * (double)c->n_updates / (double)c->train_frequency;
    *seconds = (1 - epsilon) * act_s / n_envs + updates * (best_s + next_s * (c->double_q ? 2 : 1));
    return status;
}

static rein_status bench_training(const rein_experiment *e, rein_team *team, rein_bench_result *out)
{
    rein_bench_result env;
    rein_team *one;
    double seconds, products_s;
    REIN_TRY(rein_team_create(1, &one));
    rein_status status = rein_bench_env(e->env_class->id, one, &env);
    rein_team_free(one);
    if (status == REIN_OK) status = train_once(e, team, true, &seconds);
    if (status == REIN_OK) {
        const char *id = e->algo_class->id;
        status = strcmp(id, "dqn") == 0   ? products_dqn(e, &products_s)
                 : strcmp(id, "ppo") == 0 ? products_ppo(e, &products_s)
                 : strcmp(id, "ppo_recurrent") == 0
                     ? products_ppo_recurrent(e, &products_s)
                     : rein_fail(REIN_EUNSUPPORTED, "no limit is known for %s", id);
    }
    if (status != REIN_OK) return status;
    *out = (rein_bench_result){.rate = (double)e->run.total_timesteps / seconds,
                               .unit = "steps/s",
                               .limit = 1 / (1 / env.limit + products_s),
                               .limit_is = "environment, then matrix products, one thread"};
    return REIN_OK;
}

rein_status rein_bench_train(const char *config, rein_team *team, rein_bench_result *out)
{
    static const char *const slow[] = {"run.total_timesteps=102400", NULL};
    static const char *const quick[] = {"run.total_timesteps=409600", NULL};
    rein_experiment *e;
    REIN_TRY(bench_experiment(config, slow, &e));
    if (!e->spec.slow_step) {
        rein_experiment_free(e);
        REIN_TRY(bench_experiment(config, quick, &e));
    }
    rein_status status = bench_training(e, team, out);
    rein_experiment_free(e);
    return status;
}
