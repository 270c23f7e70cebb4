#include "nets/torch/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "nets/torch/functions.h"

#define MODULE_FILE "librein_torch.so"

static _Atomic(const rein_torch_table *) loaded; /* NULL until all is well */
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;
static char loaded_path[PATH_MAX]; /* this and the next two: written before `loaded` is set */
static double load_seconds;
static size_t load_bytes;

static rein_status write_file(const char *path, const void *data, size_t size)
{
    return rein_file_write(path, data, size, false);
}

static size_t resident_bytes(void)
{
    long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL) return 0;
    if (fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
    fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Where the module is: a file that exists, or the bare name for the dynamic loader to look up.
 * looked out: the folder of the program, for the message. */
static void module_find(char path[PATH_MAX], char folder[PATH_MAX])
{
    static const char *const places[] = {"", "../", "../lib/"};
    const char *wish = getenv("REIN_TORCH_MODULE");
    ssize_t n = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    folder[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash != NULL) slash[0] = '\0';
    if (wish != NULL && wish[0] != '\0') {
        snprintf(path, PATH_MAX, "%s", wish);
        return;
    }
    for (size_t i = 0; slash != NULL && i < sizeof places / sizeof *places; i++) {
        snprintf(path, PATH_MAX, "%s/%s" MODULE_FILE, folder, places[i]);
        if (access(path, F_OK) == 0) return;
    }
    snprintf(path, PATH_MAX, MODULE_FILE);
}

/* dlopen did not find the module itself (rather than one of the libraries it needs). */
static rein_status module_missing(const char *path, const char *folder)
{
    const char *advice = rein_torch_is_built()
                             ? "build the target rein_torch, or set REIN_TORCH_MODULE to its path"
                             : "this program was built without libtorch: `make torch`, or install "
                               "libtorch-dev and configure with -DREIN_TORCH=ON";
    if (strchr(path, '/') != NULL) {
        return rein_fail(REIN_ENOTFOUND, "libtorch module %s (REIN_TORCH_MODULE) not found: %s",
                         path, advice);
    }
    return rein_fail(REIN_ENOTFOUND, "libtorch module %s not found (in %s, .., ../lib): %s", path,
                     folder, advice);
}

static rein_status module_check(const rein_torch_table *table, const char *path)
{
    if (table == NULL) return rein_fail(REIN_EUNSUPPORTED, "%s gave no functions", path);
    if (table->abi == REIN_TORCH_ABI && strcmp(table->list, rein_torch_list) == 0) return REIN_OK;
    return rein_fail(REIN_EUNSUPPORTED,
                     "%s is of rein %s, interface %d%s; this program is rein %s, interface %d%s: "
                     "build the module again",
                     path, table->version, table->abi,
                     table->abi < REIN_TORCH_ABI ? " (too old)" : "", REIN_VERSION, REIN_TORCH_ABI,
                     table->abi == REIN_TORCH_ABI ? ", with other functions" : "");
}

/* Where this program computes with OpenBLAS, libtorch must take BLAS and LAPACK from the same build
 * of it: all builds share one name, libopenblas.so.0, and the system's choice for libblas.so.3 may
 * be of another, whose functions the loaded one lacks. Nothing is lost where this fails. */
static void blas_match(void)
{
    void *ours = dlopen("libopenblas.so.0", RTLD_LAZY | RTLD_NOLOAD);
    struct link_map *map = NULL;
    if (ours == NULL || dlinfo(ours, RTLD_DI_LINKMAP, &map) != 0 || map == NULL) return;
    const char *slash = strrchr(map->l_name, '/');
    for (int i = 0; i < 2 && slash != NULL; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%.*s/%s", (int)(slash - map->l_name), map->l_name,
                 i == 0 ? "libblas.so.3" : "liblapack.so.3");
        dlopen(path, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    }
    dlerror();
}

/* Open, check, publish. A module that fails stays open: libtorch does not survive being unloaded.
 */
static rein_status module_open(void)
{
    static const rein_torch_host host = {rein_fail, write_file};
    char path[PATH_MAX], folder[PATH_MAX];
    double start = now_s();
    size_t before = resident_bytes();
    module_find(path, folder);
    if (strchr(path, '/') != NULL && access(path, F_OK) != 0) return module_missing(path, folder);
    blas_match();
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (module == NULL) {
        const char *why = dlerror();
        if (why == NULL) why = "unknown reason";
        if (strncmp(why, MODULE_FILE ":", sizeof MODULE_FILE) == 0) {
            return module_missing(path, folder);
        }
        return rein_fail(REIN_EUNSUPPORTED, "cannot load the libtorch module %s: %s", path, why);
    }
    rein_torch_entry_function *entry = NULL;
    *(void **)&entry = dlsym(module, REIN_TORCH_ENTRY);
    if (entry == NULL) {
        return rein_fail(REIN_EUNSUPPORTED, "%s is not a libtorch module of rein: no %s", path,
                         REIN_TORCH_ENTRY);
    }
    const rein_torch_table *table = entry(&host);
    REIN_TRY(module_check(table, path));
    snprintf(loaded_path, sizeof loaded_path, "%s", path);
    load_seconds = now_s() - start;
    size_t after = resident_bytes();
    load_bytes = after > before ? after - before : 0;
    atomic_store_explicit(&loaded, table, memory_order_release);
    return REIN_OK;
}

rein_status rein_torch_load(void)
{
    if (rein_torch_is_loaded()) return REIN_OK;
    pthread_mutex_lock(&loading);
    rein_status status = rein_torch_is_loaded() ? REIN_OK : module_open();
    pthread_mutex_unlock(&loading);
    return status;
}

bool rein_torch_is_loaded(void)
{
    return atomic_load_explicit(&loaded, memory_order_acquire) != NULL;
}

void rein_torch_load_cost(double *seconds, size_t *bytes)
{
    bool is_loaded = rein_torch_is_loaded();
    if (seconds != NULL) *seconds = is_loaded ? load_seconds : 0;
    if (bytes != NULL) *bytes = is_loaded ? load_bytes : 0;
}

const char *rein_torch_module_path(void)
{
    return rein_torch_is_loaded() ? loaded_path : "";
}

bool rein_torch_is_built(void)
{
#ifdef REIN_HAVE_TORCH
    return true;
#else
    return false;
#endif
}

/* The functions of rein_torch.h themselves: load if need be, then call through the table. */
#define X(name, parameters, arguments)                                                             \
    rein_status name parameters                                                                    \
    {                                                                                              \
        REIN_TRY(rein_torch_load());                                                               \
        return atomic_load_explicit(&loaded, memory_order_acquire)->name arguments;                \
    }
REIN_TORCH_FUNCTIONS(X)
#undef X

/* No handle can exist before the module does. */
#define X(name, parameters, arguments)                                                             \
    void name parameters                                                                           \
    {                                                                                              \
        const rein_torch_table *table = atomic_load_explicit(&loaded, memory_order_acquire);       \
        if (table != NULL) table->name arguments;                                                  \
    }
REIN_TORCH_FREES(X)
#undef X
