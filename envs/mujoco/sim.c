#include "envs/mujoco/sim.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envs/mujoco/classes.h"
#include "envs/mujoco/mjcf.h"

/* ---- MuJoCo's error callback --------------------------------------------------------------- */

static _Thread_local jmp_buf *trap; /* where this thread's MuJoCo error goes; NULL: not in a call */
static _Thread_local char trap_message[512];
static void (*other_handler)(const char *); /* what the embedding program had installed */

static void sim_error(const char *message)
{
    if (trap != NULL) {
        snprintf(trap_message, sizeof trap_message, "%s", message);
        longjmp(*trap, 1);
    }
    /* Not one of our calls: the embedding program uses MuJoCo on its own. Do as if we were not
     * here. */
    if (other_handler != NULL) {
        other_handler(message);
        return;
    }
    mju_user_error = NULL;
#if mjVERSION_HEADER >= 300
    mju_error("%s", message);
#else
    mju_error(message);
#endif
}

/* Without a handler MuJoCo prints warnings and appends them to a file in the current folder. What
 * matters of them is read from mjData.warning. */
static void sim_ignore(const char *message)
{
    (void)message;
}

/* Caller holds the cache's lock. */
static void sim_install_handlers(void)
{
    if (mju_user_error != sim_error) {
        other_handler = mju_user_error;
        mju_user_error = sim_error;
    }
    if (mju_user_warning == NULL) mju_user_warning = sim_ignore;
}

const char *rein_mujoco_version(void)
{
    return mj_versionString();
}

/* ---- the model cache ----------------------------------------------------------------------- */

typedef struct model_entry {
    struct model_entry *next;
    mjModel *model;
    int references;
    bool built_in;
    char name[]; /* of the built-in file, or a path */
} model_entry;

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static model_entry *cache; /* under cache_lock */

/* Add a built-in file to a virtual file system. Errors: REIN_ENOTFOUND, REIN_ENOMEM. */
static rein_status model_mount(mjVFS *vfs, const char *name)
{
    const rein_mjcf *file = rein_mjcf_files;
    while (file->name != NULL && strcmp(file->name, name) != 0) file++;
    if (file->name == NULL) return rein_fail(REIN_ENOTFOUND, "no built-in model '%s'", name);
#if mjVERSION_HEADER >= 313 /* the first version with this call; later ones lack the other */
    int bad = mj_addBufferVFS(vfs, name, file->text, (int)file->size);
#else
    int bad = mj_makeEmptyFileVFS(vfs, name, (int)file->size);
    if (!bad) memcpy(vfs->filedata[vfs->nfile - 1], file->text, file->size);
#endif
    return bad ? rein_fail(REIN_ENOMEM, "cannot hold built-in model '%s'", name) : REIN_OK;
}

/* mj_loadXML with errors as status; vfs may be NULL. */
static rein_status model_compile(const char *name, const mjVFS *vfs, mjModel **out)
{
    char error[400] = "";
    jmp_buf here;
    if (setjmp(here) != 0) { /* objects half made inside MuJoCo are lost: a bug of its compiler */
        trap = NULL;
        return rein_fail(REIN_ECONFIG, "model '%s': %s", name, trap_message);
    }
    trap = &here;
    mjModel *model = mj_loadXML(name, vfs, error, sizeof error);
    mj_freeLastXML(); /* the parsed text, kept for mj_saveLastXML */
    trap = NULL;
    for (char *c = error; *c != '\0'; c++) {
        if (*c == '\n') *c = ' ';
    }
    if (model == NULL) return rein_fail(REIN_ECONFIG, "model '%s': %s", name, error);
    *out = model;
    return REIN_OK;
}

static rein_status model_load(const char *name, bool built_in, mjModel **out)
{
    if (!built_in) {
        FILE *file = fopen(name, "rb"); /* for a plainer message than the parser's */
        if (file == NULL) {
            return rein_fail(REIN_ENOTFOUND, "model '%s': %s", name, strerror(errno));
        }
        fclose(file);
        return model_compile(name, NULL, out);
    }
    mjVFS *vfs = malloc(sizeof *vfs); /* 2 MB in old versions: not for the stack */
    if (vfs == NULL) return rein_fail(REIN_ENOMEM, "no memory for model '%s'", name);
    mj_defaultVFS(vfs);
    rein_status status = model_mount(vfs, name);
    if (status == REIN_OK) status = model_compile(name, vfs, out);
    mj_deleteVFS(vfs);
    free(vfs);
    return status;
}

/* Make an entry without a reference and put it into the cache. Caller holds the lock. */
static rein_status model_add(const char *name, bool built_in, model_entry **out)
{
    size_t length = strlen(name) + 1;
    model_entry *entry = malloc(sizeof *entry + length);
    if (entry == NULL) return rein_fail(REIN_ENOMEM, "no memory for model '%s'", name);
    *entry = (model_entry){.next = cache, .built_in = built_in};
    memcpy(entry->name, name, length);
    rein_status status = model_load(name, built_in, &entry->model);
    if (status != REIN_OK) {
        free(entry);
        return status;
    }
    cache = entry;
    *out = entry;
    return REIN_OK;
}

rein_status rein_model_acquire(const char *built_in, const char *path, const mjModel **out)
{
    bool own = path == NULL || path[0] == '\0';
    const char *name = own ? built_in : path;
    rein_status status = REIN_OK;
    pthread_mutex_lock(&cache_lock);
    sim_install_handlers();
    model_entry *entry = cache;
    while (entry != NULL && (entry->built_in != own || strcmp(entry->name, name) != 0)) {
        entry = entry->next;
    }
    if (entry == NULL) status = model_add(name, own, &entry);
    if (status == REIN_OK) {
        entry->references++;
        *out = entry->model;
    }
    pthread_mutex_unlock(&cache_lock);
    return status;
}

void rein_model_release(const mjModel *model)
{
    if (model == NULL) return;
    pthread_mutex_lock(&cache_lock);
    for (model_entry **link = &cache; *link != NULL; link = &(*link)->next) {
        model_entry *entry = *link;
        if (entry->model != model) continue;
        if (--entry->references == 0) {
            *link = entry->next;
            mj_deleteModel(entry->model);
            free(entry);
        }
        break;
    }
    pthread_mutex_unlock(&cache_lock);
}

/* ---- the simulation ------------------------------------------------------------------------ */

rein_status rein_sim_init(rein_sim *sim, const char *built_in, const char *path, int frame_skip)
{
    *sim = (rein_sim){.frame_skip = frame_skip};
    REIN_TRY(rein_model_acquire(built_in, path, &sim->model));
    sim->dt_s = sim->model->opt.timestep * frame_skip;
    jmp_buf here;
    if (setjmp(here) == 0) {
        trap = &here;
        sim->data = mj_makeData(sim->model);
    } else {
        sim->data = NULL;
    }
    trap = NULL;
    if (sim->data == NULL) {
        rein_sim_fini(sim);
        return rein_fail(REIN_ENOMEM, "no memory for a simulation of '%s'", built_in);
    }
    return REIN_OK;
}

void rein_sim_fini(rein_sim *sim)
{
    if (sim->data != NULL) mj_deleteData(sim->data);
    rein_model_release(sim->model);
    *sim = (rein_sim){0};
}

void rein_sim_reset(rein_sim *sim)
{
    mj_resetData(sim->model, sim->data);
}

/* MuJoCo notes a bad number in mjData.warning and resets the state by itself. */
static bool sim_is_sound(const mjData *data)
{
    return (data->warning[mjWARN_BADQPOS].number | data->warning[mjWARN_BADQVEL].number |
            data->warning[mjWARN_BADQACC].number | data->warning[mjWARN_BADCTRL].number) == 0;
}

bool rein_sim_forward(rein_sim *sim)
{
    jmp_buf here;
    if (setjmp(here) != 0) {
        trap = NULL;
        mj_resetData(sim->model, sim->data); /* unwinds MuJoCo's own stack */
        return false;
    }
    trap = &here;
    mj_forward(sim->model, sim->data);
    trap = NULL;
    return sim_is_sound(sim->data);
}

bool rein_sim_step(rein_sim *sim, const float *action)
{
    jmp_buf here;
    if (setjmp(here) != 0) {
        trap = NULL;
        mj_resetData(sim->model, sim->data);
        return false;
    }
    trap = &here;
    for (int i = 0; i < sim->model->nu; i++) sim->data->ctrl[i] = (double)action[i];
    for (int k = 0; k < sim->frame_skip; k++) mj_step(sim->model, sim->data);
    trap = NULL;
    return sim_is_sound(sim->data);
}

/* ---- snapshots ----------------------------------------------------------------------------- */

#if mjVERSION_HEADER >= 300 /* MuJoCo names the parts itself, among them some that 2.x lacks */

int rein_sim_snapshot_size(const mjModel *model)
{
    return (int)mj_stateSize(model, mjSTATE_INTEGRATION);
}

void rein_sim_save(const rein_sim *sim, double *out)
{
    mj_getState(sim->model, sim->data, out, mjSTATE_INTEGRATION);
}

void rein_sim_load(rein_sim *sim, const double *in)
{
    mj_resetData(sim->model, sim->data);
    mj_setState(sim->model, sim->data, in, mjSTATE_INTEGRATION);
}

#else

/* Everything that mj_step reads and does not compute from the rest: X(field, doubles) */
#define SNAPSHOT_FIELDS(X)                                                                         \
    X(qpos, model->nq)                                                                             \
    X(qvel, model->nv)                                                                             \
    X(act, model->na)                                                                              \
    X(ctrl, model->nu)                                                                             \
    X(qacc_warmstart, model->nv)                                                                   \
    X(qfrc_applied, model->nv)                                                                     \
    X(xfrc_applied, 6 * model->nbody)                                                              \
    X(mocap_pos, 3 * model->nmocap)                                                                \
    X(mocap_quat, 4 * model->nmocap)                                                               \
    X(userdata, model->nuserdata)

int rein_sim_snapshot_size(const mjModel *model)
{
    int n = 1; /* time */
#define X(field, size) n += (size);
    SNAPSHOT_FIELDS(X)
#undef X
    return n;
}

void rein_sim_save(const rein_sim *sim, double *out)
{
    const mjModel *model = sim->model;
    *out++ = sim->data->time;
#define X(field, size)                                                                             \
    mju_copy(out, sim->data->field, size);                                                         \
    out += (size);
    SNAPSHOT_FIELDS(X)
#undef X
}

void rein_sim_load(rein_sim *sim, const double *in)
{
    const mjModel *model = sim->model;
    mj_resetData(model, sim->data);
    sim->data->time = *in++;
#define X(field, size)                                                                             \
    mju_copy(sim->data->field, in, size);                                                          \
    in += (size);
    SNAPSHOT_FIELDS(X)
#undef X
}

#endif
