/* rein bench load/torch: what the first use of libtorch costs. */
#include "experiments/bench.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nets/torch/loader.h"

/* What a child found out. */
typedef struct load_cost {
    double seconds;
    size_t bytes;
    char library[4096]; /* libtorch's own path; "" when loading failed */
} load_cost;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The module, with libtorch behind it. */
static void load_module(load_cost *cost)
{
    char line[4096];
    if (rein_torch_load() != REIN_OK) return;
    rein_torch_load_cost(&cost->seconds, &cost->bytes);
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && cost->library[0] == '\0' && fgets(line, sizeof line, maps)) {
        char *path = strchr(line, '/');
        if (path == NULL || strstr(path, "/libtorch.so") == NULL) continue;
        path[strcspn(path, "\n")] = '\0';
        snprintf(cost->library, sizeof cost->library, "%s", path);
    }
    if (maps != NULL) fclose(maps);
}

/* libtorch alone. */
static void load_library(load_cost *cost)
{
    double start = now_s();
    void *library = dlopen(cost->library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    cost->seconds = now_s() - start;
    if (library == NULL) cost->library[0] = '\0';
}

/* In a process of its own, since a library is loaded once and for good. */
static rein_status in_child(void (*work)(load_cost *), load_cost *cost)
{
    int ends[2];
    if (pipe(ends) != 0) return rein_fail(REIN_EIO, "bench: no pipe");
    pid_t child = fork();
    if (child == 0) {
        work(cost);
        _exit(write(ends[1], cost, sizeof *cost) == (ssize_t)sizeof *cost ? 0 : 1);
    }
    close(ends[1]);
    ssize_t n = child > 0 ? read(ends[0], cost, sizeof *cost) : -1;
    close(ends[0]);
    int status = 1;
    if (child > 0) waitpid(child, &status, 0);
    if (n != (ssize_t)sizeof *cost || status != 0) return rein_fail(REIN_EIO, "bench: child died");
    return REIN_OK;
}

rein_status rein_bench_load(const char *what, rein_team *team, rein_bench_result *out)
{
    static char limit_is[96];
    double module_s[REIN_BENCH_ROUNDS], library_s[REIN_BENCH_ROUNDS];
    load_cost cost = {0}, library;
    (void)team;
    if (strcmp(what, "torch") != 0) return rein_fail(REIN_ENOTFOUND, "bench: load/torch only");
    if (!rein_torch_is_built()) {
        out->note = "not built (REIN_TORCH=OFF)";
        return REIN_OK;
    }
    if (rein_torch_is_loaded()) {
        return rein_fail(REIN_EINVAL, "bench: libtorch is in use already; name load/torch first");
    }
    for (int i = 0; i < REIN_BENCH_ROUNDS; i++) {
        REIN_TRY(in_child(load_module, &cost));
        if (cost.library[0] == '\0') { /* the same here, for its message */
            if (rein_torch_load() != REIN_OK) out->note = rein_error_message();
            return out->note != NULL ? REIN_OK : rein_fail(REIN_EIO, "bench: no libtorch in maps");
        }
        library = cost;
        REIN_TRY(in_child(load_library, &library));
        if (library.library[0] == '\0') {
            return rein_fail(REIN_EUNSUPPORTED, "bench: cannot load %s", cost.library);
        }
        module_s[i] = cost.seconds;
        library_s[i] = library.seconds;
    }
    snprintf(limit_is, sizeof limit_is, "libtorch.so alone; %.2f s, %.0f MB of memory",
             1 / rein_bench_best(1, module_s, REIN_BENCH_ROUNDS), (double)cost.bytes * 1e-6);
    *out = (rein_bench_result){rein_bench_best(1, module_s, REIN_BENCH_ROUNDS), "loads/s",
                               rein_bench_best(1, library_s, REIN_BENCH_ROUNDS), limit_is, NULL};
    return REIN_OK;
}
