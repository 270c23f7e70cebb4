/* Fuzzes what reads a checkpoint. The first byte of an input chooses:
 *   even  the rest is checkpoint.h5 as it lies on disk: nothing but a sealed file may open
 *   odd   a sound checkpoint of a PPO run (the run's own part, learner, environments, recorder),
 *         changed as the rest says, as if behind a good seal. Any answer is right but a crash, and
 *         what was accepted must be able to go on.
 *
 * A change is 7 bytes: array (2), place (2), what to do, value (2).
 *
 *     fuzz_checkpoint -max_total_time=60 tests/fuzz/corpus/checkpoint */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "algos/ppo.h"
#include "experiments/checkpoint.h"
#include "experiments/experiment.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) abort();
}

/* ---- an archive in memory ------------------------------------------------------------------ */

typedef struct entry {
    char name[160];
    rein_dtype type;
    size_t n;
    unsigned char *data; /* as saved */
} entry;

enum { MOST_ENTRIES = 256, MOST_CHANGES = 32 };

typedef struct change {
    unsigned entry, place, what, value;
} change;

typedef struct memory {
    rein_archive archive; /* first */
    entry entries[MOST_ENTRIES];
    int n_entries;
    change changes[MOST_CHANGES];
    int n_changes;
} memory;

static memory sound;

static rein_status put(rein_archive *archive, const char *name, rein_dtype type, void *data,
                       size_t n)
{
    memory *m = (memory *)archive;
    must(m->n_entries < MOST_ENTRIES);
    entry *e = &m->entries[m->n_entries++];
    size_t bytes = n * rein_dtype_size(type);
    snprintf(e->name, sizeof e->name, "%s", name);
    e->type = type;
    e->n = n;
    e->data = malloc(bytes + 1);
    must(e->data != NULL);
    if (bytes > 0) memcpy(e->data, data, bytes);
    return REIN_OK;
}

/* Put a strange number over element `at`, or flip a bit anywhere. Counters stay below 2^41: what
 * comes near 2^63 has no seal of ours. */
static void spoil(rein_dtype type, unsigned char *data, size_t n, const change *c)
{
    static const double strange[] = {0, -1, 1e30, -1e300, 2147483648.0, 9e18};
    static const int64_t odd[] = {0, -1, 2147483648, INT64_C(1) << 40, -65536, 1 << 20};
    if (n == 0) return;
    size_t at = c->place % n, width = rein_dtype_size(type);
    if (type == REIN_I64) {
        int64_t integer;
        memcpy(&integer, data + at * width, width);
        integer = c->what % 2 ? odd[c->value % 6] : integer ^ INT64_C(1) << c->value % 40;
        memcpy(data + at * width, &integer, width);
    } else if (c->what % 2 == 0) {
        data[(c->place * 31u + c->value) % (n * width)] ^= (unsigned char)(1u << c->value % 8);
    } else if (type == REIN_F64) {
        memcpy(data + at * width, &strange[c->value % 6], width);
    } else {
        memset(data + at * width, (int)c->value, width);
    }
}

static rein_status get(rein_archive *archive, const char *name, rein_dtype type, void *data,
                       size_t n)
{
    memory *m = (memory *)archive;
    for (int i = 0; i < m->n_entries; i++) {
        const entry *e = &m->entries[i];
        if (strcmp(e->name, name) != 0) continue;
        if (e->type != type || e->n != n) break;
        if (n > 0) memcpy(data, e->data, n * rein_dtype_size(type));
        for (int k = 0; k < m->n_changes; k++) {
            const change *c = &m->changes[k];
            if (c->entry % (unsigned)m->n_entries != (unsigned)i) continue;
            if (c->what == 255) return rein_fail(REIN_EFORMAT, "no array '%s'", name);
            spoil(type, data, n, c);
        }
        return REIN_OK;
    }
    return rein_fail(REIN_EFORMAT, "no array '%s' of that shape", name);
}

/* ---- the run ------------------------------------------------------------------------------- */

static rein_experiment *experiment;
static rein_team *team;
static char folder[256];

typedef struct pieces {
    rein_checkpoint checkpoint;
    rein_ppo *ppo;
    rein_recorder *recorder;
} pieces;

static pieces create(void)
{
    pieces p = {.checkpoint = {.eval_step = -1}};
    rein_task task = rein_experiment_task(experiment, team);
    must(rein_ppo_create(experiment->algo_config, &task, false, &p.ppo) == REIN_OK);
    must(rein_recorder_create(
             &(rein_recorder_options){
                 .folder = folder,
                 .env_id = "CartPole-v1",
                 .n_envs = 2,
                 .n_agents = 1,
                 .observation_type = REIN_F32,
                 .n_dims = 1,
                 .shape = {4},
                 .action_type = REIN_I32,
                 .action_size = 1,
                 .transitions = true,
                 .part_bytes = 4096,
             },
             &p.recorder) == REIN_OK);
    return p;
}

static rein_status archive(pieces *p, memory *m)
{
    REIN_TRY(rein_checkpoint_archive(&p->checkpoint, &m->archive));
    rein_archive_enter(&m->archive, "algo");
    REIN_TRY(rein_ppo_archive(p->ppo, &m->archive));
    rein_archive_leave(&m->archive);
    rein_archive_enter(&m->archive, "recorder");
    REIN_TRY(rein_recorder_archive(p->recorder, &m->archive));
    rein_archive_leave(&m->archive);
    return REIN_OK;
}

static void destroy(pieces *p)
{
    rein_recorder_close(p->recorder, false);
    rein_ppo_free(p->ppo);
}

static void clean_up(void)
{
    char path[300];
    snprintf(path, sizeof path, "%s/rollouts", folder);
    rmdir(path); /* empty: no part is ever full */
    rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char text[] = "env: {id: CartPole-v1, n_envs: 2}\n"
                               "algo: {id: ppo, n_steps: 16, n_minibatches: 2, n_epochs: 1}\n"
                               "net: {hidden: [4]}\n"
                               "run: {total_timesteps: 1000, threads: 1}\n";
    (void)argc, (void)argv;
    const char *root = getenv("TMPDIR");
    rein_settings *settings;
    rein_ppo_metrics metrics;
    snprintf(folder, sizeof folder, "%s/rein-fuzz-XXXXXX", root ? root : "/tmp");
    must(mkdtemp(folder) != NULL);
    atexit(clean_up);
    must(rein_settings_create(&settings) == REIN_OK);
    must(rein_settings_parse(settings, "fuzz", text, sizeof text - 1) == REIN_OK);
    must(rein_experiment_create(settings, &experiment) == REIN_OK);
    rein_settings_free(settings);
    must(rein_team_create(1, &team) == REIN_OK);
    pieces p = create();
    must(rein_ppo_collect(p.ppo) == REIN_OK);
    must(rein_ppo_update(p.ppo, &metrics) == REIN_OK);
    sound.archive = (rein_archive){.loading = false, .array = put};
    must(archive(&p, &sound) == REIN_OK);
    sound.archive = (rein_archive){.loading = true, .array = get};
    destroy(&p);
    return 0;
}

static void fuzz_changes(const uint8_t *data, size_t size)
{
    sound.n_changes = 0;
    for (; size >= 7 && sound.n_changes < MOST_CHANGES; data += 7, size -= 7) {
        sound.changes[sound.n_changes++] = (change){.entry = data[0] | (unsigned)data[1] << 8,
                                                    .place = data[2] | (unsigned)data[3] << 8,
                                                    .what = data[4],
                                                    .value = data[5] | (unsigned)data[6] << 8};
    }
    sound.archive.prefix[0] = '\0';
    pieces p = create();
    rein_ppo_metrics metrics;
    rein_status status = archive(&p, &sound);
    must(status == REIN_OK || sound.n_changes > 0);
    must(status == REIN_OK || rein_error_message()[0] != '\0');
    if (status == REIN_OK && rein_ppo_collect(p.ppo) == REIN_OK) rein_ppo_update(p.ppo, &metrics);
    destroy(&p);
}

static void fuzz_file(const uint8_t *data, size_t size)
{
    char path[64];
    rein_checkpoint checkpoint;
    rein_store *store;
    int fd = memfd_create("fuzz", 0);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    rein_status status = rein_checkpoint_open(path, &checkpoint, &store);
    if (status == REIN_OK) {
        must(size > 16 && memcmp(data + size - 16, "REINSEAL", 8) == 0);
        rein_store_free(store);
    } else {
        must(status == REIN_EFORMAT && strstr(rein_error_message(), "remove ") != NULL);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    if (data[0] % 2) {
        fuzz_changes(data + 1, size - 1);
    } else {
        fuzz_file(data + 1, size - 1);
    }
    return 0;
}
