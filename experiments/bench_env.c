/* `rein bench env/<id>`: the vector env beside physics alone, or beside the class's bare step. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "envs/mujoco/raw.h"
#include "envs/registry.h"
#include "envs/vec.h"
#include "experiments/bench.h"

/* Actions are drawn before the clock runs and used again and again. */
enum { TABLE = 61 }; /* rows of one env; a prime, so that it meets no period of the task */

typedef struct world {
    const rein_env_class *env;
    rein_env_spec spec;
    void *config;
    unsigned char *actions; /* [TABLE, act]: of every env, at different offsets */
    size_t action_bytes;
} world;

static void world_close(world *w)
{
    free(w->config);
    free(w->actions);
}

static rein_status world_open(const char *id, world *w)
{
    *w = (world){0};
    REIN_TRY(rein_env_find(id, &w->env));
    w->config = calloc(1, w->env->config_size + 1);
    if (w->config == NULL) return rein_fail(REIN_ENOMEM, "no memory for %s", id);
    rein_status status = rein_env_defaults(w->env, w->config);
    if (status == REIN_OK) status = w->env->spec(w->config, &w->spec);
    if (status != REIN_OK) return status;
    const rein_action_space *space = &w->spec.action;
    w->action_bytes = 4 * (size_t)space->size * (size_t)w->spec.n_agents;
    w->actions = malloc(TABLE * w->action_bytes);
    if (w->actions == NULL) return rein_fail(REIN_ENOMEM, "no memory for actions");
    rein_rng rng = rein_rng_stream(0, REIN_RNG_TEST, 0, 0);
    for (int i = 0; i < TABLE * space->size * w->spec.n_agents; i++) {
        int j = i % space->size;
        int32_t discrete = (int32_t)rein_rng_below(&rng, (uint32_t)(space->n > 0 ? space->n : 1));
        float low = space->low[j] > -1e3f ? space->low[j] : -1;
        float high = space->high[j] < 1e3f ? space->high[j] : 1;
        float continuous = (float)rein_rng_uniform_in(&rng, low, high);
        memcpy(w->actions + 4 * i, space->kind == REIN_DISCRETE ? (void *)&discrete : &continuous,
               4);
    }
    return REIN_OK;
}

static const void *world_action(const world *w, int env, int t)
{
    return w->actions + (size_t)((t + 7 * env) % TABLE) * w->action_bytes;
}

static rein_status world_vec(const world *w, int n_envs, int block_size, rein_vec **out)
{
    const rein_vec_options options = {.env = w->env,
                                      .config = w->config,
                                      .n_envs = n_envs,
                                      .block_size = block_size,
                                      .max_episode_steps = -1};
    return rein_vec_create(&options, out);
}

/* ---- the vector env: one thread takes a block through all steps, as in collection ---------- */

typedef struct stepping {
    const world *w;
    rein_vec *vec;
    unsigned char *actions; /* [TABLE, n_envs, act] */
    int begin, n_steps;
} stepping;

static rein_status step_block(void *context, int block, int thread)
{
    (void)thread;
    stepping *s = context;
    rein_vec *vec = s->vec;
    int first, n = rein_vec_block(vec, block, &first);
    size_t row = s->w->action_bytes, all = row * (size_t)vec->n_envs;
    for (int t = s->begin; t < s->begin + s->n_steps; t++) {
        const unsigned char *from = s->actions + (size_t)(t % TABLE) * all + row * (size_t)first;
        memcpy((char *)vec->action + row * (size_t)first, from, row * (size_t)n);
        REIN_TRY(rein_vec_step_block(vec, block));
    }
    return REIN_OK;
}

static rein_status stepping_create(const world *w, int threads, stepping *s)
{
    bool slow = w->spec.slow_step;
    *s = (stepping){.w = w};
    REIN_TRY(world_vec(w, slow ? threads : 64 * threads, slow ? 1 : 64, &s->vec));
    size_t row = w->action_bytes, n_envs = (size_t)s->vec->n_envs;
    s->actions = malloc(TABLE * n_envs * row);
    if (s->actions == NULL) return rein_fail(REIN_ENOMEM, "no memory for actions");
    for (int t = 0; t < TABLE; t++) {
        for (int e = 0; e < (int)n_envs; e++) {
            memcpy(s->actions + ((size_t)t * n_envs + (size_t)e) * row, world_action(w, e, t), row);
        }
    }
    return REIN_OK;
}

static rein_status stepping_run(stepping *s, rein_team *team, double *seconds)
{
    double start_s = rein_clock_s();
    REIN_TRY(rein_team_run(team, s->vec->n_blocks, step_block, s));
    *seconds = rein_clock_s() - start_s;
    s->begin += s->n_steps;
    return REIN_OK;
}

/* ---- limit of a MuJoCo task: mj_step on what env 0 did ------------------------------------- */

typedef struct taping {
    rein_mujoco_tape tape;
    float *action;
    uint8_t *begin;
    double *qpos, *qvel;
    double seconds[64]; /* per block */
} taping;

static void taping_free(taping *t)
{
    free(t->action);
    free(t->begin);
    free(t->qpos);
    free(t->qvel);
}

static int quantity_size(const rein_vec *vec, const char *name)
{
    const rein_env_quantity *q = vec->env->quantities(vec->states);
    while (q->name != NULL && strcmp(q->name, name) != 0) q++;
    return q->name != NULL ? q->size : 0;
}

static rein_status tape_record(const world *w, int n_steps, taping *t)
{
    rein_vec *vec = NULL;
    REIN_TRY(world_vec(w, 1, 1, &vec));
    size_t n = (size_t)n_steps, nq = (size_t)quantity_size(vec, "qpos"),
           nv = (size_t)quantity_size(vec, "qvel"), nu = (size_t)w->spec.action.size;
    t->action = malloc(n * nu * sizeof *t->action);
    t->begin = calloc(n, 1);
    t->qpos = malloc(n * nq * sizeof *t->qpos);
    t->qvel = malloc(n * nv * sizeof *t->qvel);
    bool enough = t->action != NULL && t->begin != NULL && t->qpos != NULL && t->qvel != NULL;
    rein_status status = enough ? REIN_OK : rein_fail(REIN_ENOMEM, "no memory for a tape");
    bool begin = true;
    for (int i = 0; i < n_steps && status == REIN_OK; i++) {
        t->begin[i] = begin;
        if (begin) {
            w->env->peek(vec->states, "qpos", t->qpos + (size_t)i * nq);
            w->env->peek(vec->states, "qvel", t->qvel + (size_t)i * nv);
        }
        memcpy(vec->action, world_action(w, 0, i), w->action_bytes);
        memcpy(t->action + (size_t)i * nu, vec->action, w->action_bytes);
        status = rein_vec_step_block(vec, 0);
        begin = vec->terminated[0] || vec->truncated[0];
    }
    rein_vec_free(vec);
    t->tape.n_steps = n_steps;
    t->tape.action = t->action;
    t->tape.begin = t->begin;
    t->tape.qpos = t->qpos;
    t->tape.qvel = t->qvel;
    return status;
}

static rein_status tape_block(void *context, int block, int thread)
{
    (void)thread;
    taping *t = context;
    return rein_mujoco_replay(&t->tape, &t->seconds[block]);
}

/* Seconds of the slowest of `threads` replays at once. */
static rein_status tape_run(taping *t, rein_team *team, double *seconds)
{
    int threads = rein_team_threads(team) < 64 ? rein_team_threads(team) : 64;
    REIN_TRY(rein_team_run(team, threads, tape_block, t));
    *seconds = 0;
    for (int i = 0; i < threads; i++) {
        if (t->seconds[i] > *seconds) *seconds = t->seconds[i];
    }
    return REIN_OK;
}

/* ---- limit of the others: the class's own step --------------------------------------------- */

typedef struct bare {
    const world *w;
    unsigned char *state, *rows; /* rows: observation, reward, flags */
    rein_env_io io;
    int t, limit; /* step of the episode; time limit */
    uint64_t episode;
} bare;

static rein_status bare_create(const world *w, bare *b)
{
    const rein_env_spec *spec = &w->spec;
    size_t obs = rein_dtype_size(spec->observation.dtype) * (size_t)spec->observation.size *
                 (size_t)spec->n_agents;
    size_t reward = (obs + 63) / 64 * 64, flags = reward + 4 * (size_t)spec->n_agents;
    size_t size = (spec->state_size + 63) / 64 * 64;
    *b = (bare){.w = w, .limit = spec->max_episode_steps};
    b->state = aligned_alloc(64, size);
    b->rows = calloc(1, flags + 2);
    if (b->state == NULL || b->rows == NULL) return rein_fail(REIN_ENOMEM, "no memory");
    memset(b->state, 0, size);
    b->io = (rein_env_io){.observation = b->rows,
                          .reward = (float *)(void *)(b->rows + reward),
                          .terminated = b->rows + flags,
                          .broken = b->rows + flags + 1};
    return w->env->init(b->state, w->config);
}

static void bare_free(bare *b)
{
    if (b->state != NULL && b->w->env->fini != NULL) b->w->env->fini(b->state);
    free(b->state);
    free(b->rows);
}

static double bare_run(bare *b, int n_steps)
{
    const rein_env_class *env = b->w->env;
    double start_s = rein_clock_s();
    for (int i = 0, k = 0; i < n_steps; i++, k = k + 1 < TABLE ? k + 1 : 0) {
        if (b->t == 0) {
            rein_rng rng = rein_rng_stream(0, REIN_RNG_RESET, 0, b->episode++);
            env->reset(b->state, &rng, &b->io);
        }
        rein_rng rng = rein_rng_stream(0, REIN_RNG_DYNAMICS, 0, (uint64_t)i);
        b->io.action = b->w->actions + (size_t)k * b->w->action_bytes;
        env->step(b->state, &rng, &b->io);
        b->t = *b->io.terminated || b->t + 1 == b->limit ? 0 : b->t + 1;
    }
    return rein_clock_s() - start_s;
}

/* ---- the cases ----------------------------------------------------------------------------- */

/* Steps of one env that take about 0.1 s. */
static int steps_per_round(const world *w, int n_envs)
{
    return w->spec.slow_step ? 4000 : 4000000 / n_envs;
}

/* HalfCheetah-v4 -> half_cheetah.xml and frame_skip: from the class's own fields. */
static bool mujoco_model(const world *w, char *name, size_t size, int *frame_skip)
{
    const rein_field *skip = rein_fields_find(w->env->fields, w->env->n_fields, "frame_skip");
    if (skip == NULL || w->env->quantities == NULL) return false;
    *frame_skip = (int)*(const int64_t *)(const void *)((const char *)w->config + skip->offset);
    size_t n = 0;
    for (const char *c = w->env->id; *c != '\0' && *c != '-' && n + 6 < size; c++) {
        bool upper = *c >= 'A' && *c <= 'Z';
        if (upper && n > 0) name[n++] = '_';
        name[n++] = upper ? (char)(*c - 'A' + 'a') : *c;
    }
    memcpy(name + n, ".xml", 5);
    return true;
}

static rein_status bench_mujoco(const world *w, rein_team *team, const char *model, int frame_skip,
                                rein_bench_result *out)
{
    int threads = rein_team_threads(team);
    double rate_s[REIN_BENCH_ROUNDS], limit_s[REIN_BENCH_ROUNDS];
    taping tape = {.tape = {.built_in = model, .frame_skip = frame_skip}};
    stepping s = {0};
    int n_steps = steps_per_round(w, threads);
    rein_status status = tape_record(w, n_steps, &tape);
    if (status == REIN_OK) status = stepping_create(w, threads, &s);
    s.n_steps = n_steps;
    for (int i = 0; i < REIN_BENCH_ROUNDS && status == REIN_OK; i++) {
        status = stepping_run(&s, team, &rate_s[i]);
        if (status == REIN_OK) status = tape_run(&tape, team, &limit_s[i]);
    }
    if (status == REIN_OK) {
        double steps = (double)n_steps * threads;
        *out = (rein_bench_result){.rate = rein_bench_best(steps, rate_s, REIN_BENCH_ROUNDS),
                                   .unit = "steps/s",
                                   .limit = rein_bench_best(steps, limit_s, REIN_BENCH_ROUNDS),
                                   .limit_is = "mj_step / frame_skip, same actions"};
    }
    rein_vec_free(s.vec);
    free(s.actions);
    taping_free(&tape);
    return status;
}

static rein_status bench_plain(const world *w, rein_team *team, rein_bench_result *out)
{
    int threads = rein_team_threads(team);
    double rate_s[REIN_BENCH_ROUNDS], limit_s[REIN_BENCH_ROUNDS];
    bare b = {0};
    stepping s = {0};
    rein_status status = stepping_create(w, threads, &s);
    if (status == REIN_OK) status = bare_create(w, &b);
    s.n_steps = steps_per_round(w, 64);
    for (int i = 0; i < REIN_BENCH_ROUNDS && status == REIN_OK; i++) {
        status = stepping_run(&s, team, &rate_s[i]);
        limit_s[i] = bare_run(&b, s.n_steps * 64);
    }
    if (status == REIN_OK) {
        double steps = 64.0 * s.n_steps * threads;
        *out = (rein_bench_result){.rate = rein_bench_best(steps, rate_s, REIN_BENCH_ROUNDS),
                                   .unit = "steps/s",
                                   .limit = rein_bench_best(steps, limit_s, REIN_BENCH_ROUNDS),
                                   .limit_is = "the class's own step and reset"};
    }
    bare_free(&b);
    rein_vec_free(s.vec);
    free(s.actions);
    return status;
}

rein_status rein_bench_env(const char *id, rein_team *team, rein_bench_result *out)
{
    world w;
    char model[64];
    int frame_skip;
    rein_status status = world_open(id, &w);
    if (status == REIN_OK) {
        status = mujoco_model(&w, model, sizeof model, &frame_skip)
                     ? bench_mujoco(&w, team, model, frame_skip, out)
                     : bench_plain(&w, team, out);
    }
    world_close(&w);
    return status;
}
