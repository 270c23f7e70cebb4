/* Saving and loading a ring: replay/<first>-<end>.h5 files and what the archive holds.
 *
 * A file's steps never wrap around the ring's end, so that arrays go straight from the ring into a
 * file and back. */
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "replay/ring_internal.h"
#include "replay/store.h"

enum { FILE_NAME_LENGTH = 28 };
enum { FILE_BYTES = 8 << 20 }; /* raw rows in one file: bounds the memory of saving and loading */

static void file_path(char path[PATH_MAX], const char *folder, ring_file file)
{
    snprintf(path, PATH_MAX, "%s/replay/%012" PRId64 "-%012" PRId64 ".h5", folder, file.first,
             file.end);
}

/* Remove files of the folder that do not belong to the ring: older ones that it has outgrown, and
 * those of a save that was not completed. */
void rein_ring_saved(rein_ring *ring, const char *folder)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/replay", folder);
    DIR *directory = opendir(path);
    if (directory == NULL) return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        ring_file found;
        int length = 0;
        if (sscanf(entry->d_name, "%12" SCNd64 "-%12" SCNd64 ".h5%n", &found.first, &found.end,
                   &length) != 2 ||
            length != FILE_NAME_LENGTH) {
            continue; /* not ours */
        }
        bool keep = entry->d_name[length] == '\0';
        if (keep) {
            keep = false;
            for (int64_t i = 0; i < ring->n_files && !keep; i++) {
                keep = ring->files[i].first == found.first && ring->files[i].end == found.end;
            }
        } else if (strcmp(entry->d_name + length, ".tmp") != 0) {
            continue;
        }
        snprintf(path, sizeof path, "%s/replay/%s", folder, entry->d_name);
        if (!keep) unlink(path);
    }
    closedir(directory);
}

/* ---- save ------------------------------------------------------------------------------------ */

/* The queue's entries whose keys lie in [first, end): where they begin; *n is how many. */
static int64_t finals_between(const rein_ring *ring, int64_t first, int64_t end, int64_t *n)
{
    int64_t begin = 0;
    *n = 0;
    for (int64_t i = 0; i < ring->slot_count; i++) {
        int64_t key = ring->final_key[(ring->slot_first + i) % ring->n_slots];
        begin += key < first;
        *n += key >= first && key < end;
    }
    return begin;
}

static rein_status put_finals(const rein_ring *ring, rein_store *store, ring_file file)
{
    int64_t n;
    int64_t begin = finals_between(ring, file.first * ring->n_envs, file.end * ring->n_envs, &n);
    size_t bytes = ring->observation_bytes;
    int64_t *key = malloc((size_t)n * sizeof *key + 1);
    char *observation = malloc((size_t)n * bytes + 1);
    rein_status status = REIN_OK;
    if (key == NULL || observation == NULL) {
        status = rein_fail(REIN_ENOMEM, "no memory to save the replay");
    }
    for (int64_t i = 0; status == REIN_OK && i < n; i++) {
        int64_t slot = (ring->slot_first + begin + i) % ring->n_slots;
        key[i] = ring->final_key[slot];
        memcpy(observation + (size_t)i * bytes, ring->final_observation + (size_t)slot * bytes,
               bytes);
    }
    const int64_t dims[2] = {n, ring->options.observation_size};
    if (status == REIN_OK)
        status = rein_store_put(store, "final_key", REIN_I64, 1, dims, key, false);
    if (status == REIN_OK) {
        status = rein_store_put(store, "final_observation", ring->options.observation_type, 2, dims,
                                observation, ring->options.observation_type == REIN_U8);
    }
    free(key);
    free(observation);
    return status;
}

static rein_status put_steps(const rein_ring *ring, rein_store *store, ring_file file)
{
    const rein_ring_options *o = &ring->options;
    size_t row = (size_t)(file.first % ring->n_rows), n = (size_t)ring->n_envs;
    const int64_t observation[3] = {file.end - file.first, ring->n_envs, o->observation_size};
    const int64_t action[3] = {file.end - file.first, ring->n_envs, o->action_size};
    REIN_TRY(rein_store_put_number(store, "/", "first_step", (double)file.first));
    REIN_TRY(rein_store_put(store, "observation", o->observation_type, 3, observation,
                            ring->observation + row * n * ring->observation_bytes,
                            o->observation_type == REIN_U8));
    REIN_TRY(rein_store_put(store, "action", o->action_type, 3, action,
                            ring->action + row * n * ring->action_bytes, false));
    REIN_TRY(rein_store_put(store, "reward", REIN_F32, 2, action, ring->reward + row * n, false));
    REIN_TRY(rein_store_put(store, "end", REIN_U8, 2, action, ring->end + row * n, true));
    return put_finals(ring, store, file);
}

static rein_status file_save(const rein_ring *ring, const char *folder, ring_file file)
{
    char path[PATH_MAX];
    rein_store *store;
    file_path(path, folder, file);
    REIN_TRY(rein_store_create(&store));
    rein_status status = put_steps(ring, store, file);
    if (status == REIN_OK) status = rein_store_save(store, path);
    rein_store_free(store);
    return status;
}

/* Forget files that hold no step of the ring any more; they stay on disk until rein_ring_saved. */
static void files_forget(rein_ring *ring)
{
    int64_t oldest = ring->total - ring->count, gone = 0;
    while (gone < ring->n_files && ring->files[gone].end <= oldest) gone++;
    ring->n_files -= gone;
    if (gone > 0) {
        memmove(ring->files, ring->files + gone, (size_t)ring->n_files * sizeof *ring->files);
    }
}

static rein_status files_save(rein_ring *ring, const char *folder)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/replay", folder);
    REIN_TRY(rein_folder_create(path));
    files_forget(ring);
    int64_t row_bytes = ring->n_envs * (int64_t)(ring->observation_bytes + ring->action_bytes + 5);
    int64_t most = FILE_BYTES > row_bytes ? FILE_BYTES / row_bytes : 1;
    ring_file next = {.first = ring->total - ring->count};
    if (ring->n_files > 0) next.first = ring->files[ring->n_files - 1].end;
    for (; next.first < ring->total; next.first = next.end) {
        int64_t until_wrap = ring->n_rows - next.first % ring->n_rows;
        next.end = next.first + (most < until_wrap ? most : until_wrap);
        if (next.end > ring->total) next.end = ring->total;
        REIN_TRY(file_save(ring, folder, next));
        ring_file *files = realloc(ring->files, (size_t)(ring->n_files + 1) * sizeof *files);
        if (files == NULL) return rein_fail(REIN_ENOMEM, "no memory to save the replay");
        ring->files = files;
        ring->files[ring->n_files++] = next;
    }
    return REIN_OK;
}

/* ---- load ------------------------------------------------------------------------------------ */

/* Append a file's final observations that belong to steps still in the ring. */
static rein_status get_finals(rein_ring *ring, rein_store *store, const char *path)
{
    rein_dtype type;
    int n_dims;
    int64_t dims[REIN_STORE_DIMS], oldest = (ring->total - ring->count) * ring->n_envs;
    size_t bytes = ring->observation_bytes, size = (size_t)ring->options.observation_size;
    REIN_TRY(rein_store_shape(store, "final_key", &type, &n_dims, dims));
    if (dims[0] > ring->n_slots) return rein_fail(REIN_EFORMAT, "%s: too many ends", path);
    size_t n = (size_t)dims[0];
    int64_t *key = malloc(n * sizeof *key + 1);
    char *observation = malloc(n * bytes + 1);
    rein_status status = REIN_OK;
    if (key == NULL || observation == NULL) status = rein_fail(REIN_ENOMEM, "no memory: %s", path);
    rein_archive *a = rein_store_archive(store);
    if (status == REIN_OK) status = rein_archive_array(a, "final_key", REIN_I64, key, n);
    if (status == REIN_OK) {
        status = rein_archive_array(a, "final_observation", ring->options.observation_type,
                                    observation, n * size);
    }
    for (size_t i = 0; status == REIN_OK && i < n; i++) {
        if (key[i] < oldest) continue;
        if (ring->slot_count == ring->n_slots) {
            status = rein_fail(REIN_EFORMAT, "%s: too many ends", path);
        } else {
            ring->final_key[ring->slot_count] = key[i];
            memcpy(ring->final_observation + (size_t)ring->slot_count++ * bytes,
                   observation + i * bytes, bytes);
        }
    }
    free(key);
    free(observation);
    return status;
}

static rein_status get_steps(rein_ring *ring, rein_store *store, ring_file file, const char *path)
{
    const rein_ring_options *o = &ring->options;
    size_t row = (size_t)(file.first % ring->n_rows), n = (size_t)ring->n_envs;
    size_t all = (size_t)(file.end - file.first) * n;
    double first;
    REIN_TRY(rein_store_get_number(store, "/", "first_step", &first));
    if (first != (double)file.first) return rein_fail(REIN_EFORMAT, "%s: of another step", path);
    rein_archive *a = rein_store_archive(store);
    REIN_TRY(rein_archive_array(a, "observation", o->observation_type,
                                ring->observation + row * n * ring->observation_bytes,
                                all * (size_t)o->observation_size));
    REIN_TRY(rein_archive_array(a, "action", o->action_type,
                                ring->action + row * n * ring->action_bytes,
                                all * (size_t)o->action_size));
    REIN_TRY(rein_archive_array(a, "reward", REIN_F32, ring->reward + row * n, all));
    REIN_TRY(rein_archive_array(a, "end", REIN_U8, ring->end + row * n, all));
    return get_finals(ring, store, path);
}

/* The listed files one after another, oldest first: where a file begins before the oldest step of
 * the ring, later ones overwrite those rows. */
static rein_status files_load(rein_ring *ring, const char *folder)
{
    for (int64_t i = 0; i < ring->n_files; i++) {
        char path[PATH_MAX];
        rein_store *store;
        file_path(path, folder, ring->files[i]);
        REIN_TRY(rein_store_open(path, &store));
        rein_status status = get_steps(ring, store, ring->files[i], path);
        rein_store_free(store);
        REIN_TRY(status);
    }
    return REIN_OK;
}

/* Do the files cover the ring's steps without a gap, each without wrapping? */
static bool files_fit(const rein_ring *ring)
{
    int64_t oldest = ring->total - ring->count;
    if (ring->n_files == 0) return ring->count == 0;
    if (ring->files[0].first > oldest || ring->files[0].end <= oldest) return false;
    for (int64_t i = 0; i < ring->n_files; i++) {
        ring_file f = ring->files[i];
        if (f.first < 0 || f.end <= f.first || f.end - f.first > ring->n_rows ||
            f.first % ring->n_rows + f.end - f.first > ring->n_rows ||
            (i > 0 && f.first != ring->files[i - 1].end)) {
            return false;
        }
    }
    return ring->files[ring->n_files - 1].end == ring->total;
}

/* Has every truncated transition its final observation, in order? */
static bool ends_fit(const rein_ring *ring)
{
    int64_t slot = 0;
    for (int64_t step = ring->total - ring->count; step < ring->total; step++) {
        const uint8_t *end = ring->end + step % ring->n_rows * ring->n_envs;
        for (int64_t i = 0; i < ring->n_envs; i++) {
            if (end[i] > RING_TRUNCATED) return false;
            if (end[i] != RING_TRUNCATED) continue;
            if (slot == ring->slot_count) return false;
            if (ring->final_key[slot++] != step * ring->n_envs + i) return false;
        }
    }
    return slot == ring->slot_count;
}

/* ---- both ------------------------------------------------------------------------------------ */

static rein_status archive_shape(const rein_ring *ring, rein_archive *archive)
{
    const rein_ring_options *o = &ring->options;
    int64_t mine[6] = {ring->capacity,      o->n_envs,      o->observation_type,
                       o->observation_size, o->action_type, o->action_size};
    int64_t shape[6];
    memcpy(shape, mine, sizeof shape);
    REIN_TRY(rein_archive_array(archive, "shape", REIN_I64, shape, 6));
    if (memcmp(shape, mine, sizeof shape) == 0) return REIN_OK;
    return rein_fail(REIN_EFORMAT,
                     "the saved replay has another size: %" PRId64 " steps of %" PRId64
                     " envs, observation of %" PRId64 ", action of %" PRId64,
                     shape[0], shape[1], shape[3], shape[5]);
}

static rein_status archive_counters(rein_ring *ring, rein_archive *archive)
{
    REIN_TRY(rein_archive_i64(archive, "total", &ring->total));
    REIN_TRY(rein_archive_i64(archive, "count", &ring->count));
    REIN_TRY(rein_archive_i64(archive, "n_files", &ring->n_files));
    bool good = ring->count >= 0 && ring->count <= ring->capacity && ring->total >= ring->count &&
                ring->total < INT64_MAX / 2 / ring->n_envs && ring->n_files >= 0 &&
                ring->n_files <= ring->count;
    if (!good) return rein_fail(REIN_EFORMAT, "the saved replay's counters are damaged");
    if (archive->loading) {
        free(ring->files);
        ring->files = malloc((size_t)ring->n_files * sizeof *ring->files + 1);
        if (ring->files == NULL) return rein_fail(REIN_ENOMEM, "no memory to load the replay");
        ring->head = ring->total % ring->n_rows;
        ring->slot_first = ring->slot_count = 0;
    }
    return rein_archive_array(archive, "files", REIN_I64, ring->files, 2 * (size_t)ring->n_files);
}

/* What the next step begins from: the newest step's next observation. */
static rein_status archive_head(rein_ring *ring, rein_archive *archive)
{
    size_t n = (size_t)ring->n_envs;
    return rein_archive_array(archive, "observation", ring->options.observation_type,
                              ring->observation + (size_t)ring->head * n * ring->observation_bytes,
                              n * (size_t)ring->options.observation_size);
}

static rein_status ring_load(rein_ring *ring, rein_archive *archive, const char *folder)
{
    REIN_TRY(archive_shape(ring, archive));
    REIN_TRY(archive_counters(ring, archive));
    if (!files_fit(ring)) return rein_fail(REIN_EFORMAT, "the saved replay's files do not fit");
    REIN_TRY(files_load(ring, folder));
    REIN_TRY(archive_head(ring, archive)); /* last: a file may hold an older step of this row */
    if (!ends_fit(ring)) return rein_fail(REIN_EFORMAT, "the saved replay's ends are damaged");
    rein_ring_saved(ring, folder);
    return REIN_OK;
}

rein_status rein_ring_archive(rein_ring *ring, rein_archive *archive, const char *folder)
{
    rein_status status;
    rein_archive_enter(archive, "replay");
    if (archive->loading) {
        status = ring_load(ring, archive, folder);
        if (status != REIN_OK) {
            ring->total = ring->count = ring->head = ring->n_files = 0;
            ring->slot_first = ring->slot_count = 0;
        }
    } else {
        status = files_save(ring, folder);
        if (status == REIN_OK) status = archive_shape(ring, archive);
        if (status == REIN_OK) status = archive_counters(ring, archive);
        if (status == REIN_OK) status = archive_head(ring, archive);
    }
    rein_archive_leave(archive);
    return status;
}
