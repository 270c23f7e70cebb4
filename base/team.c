#include "base/team.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#else /* clang's fuzz targets are built without: every block runs in the caller */
#define omp_get_thread_num() 0
#endif

#if defined(__SANITIZE_THREAD__)
#define REIN_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define REIN_TSAN 1
#endif
#endif

#ifdef REIN_TSAN
/* libgomp is not instrumented: tell ThreadSanitizer what fork and join order. */
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define ORDER_RELEASE(address) __tsan_release(address)
#define ORDER_ACQUIRE(address) __tsan_acquire(address)
#define NO_TSAN                __attribute__((no_sanitize("thread"), noinline))
#else
#define ORDER_RELEASE(address) (void)(address)
#define ORDER_ACQUIRE(address) (void)(address)
#define NO_TSAN
#endif

typedef struct failure {
    int block; /* n_blocks: none */
    rein_status status;
    char message[1024];
} failure;

struct rein_team {
    int n_threads;
    failure *failures; /* [n_threads] the first failing block each thread met */
    rein_block_function function;
    void *context;
    int n_blocks;
    _Alignas(64) atomic_int next;
    _Alignas(64) char fork, join; /* addresses that stand for the two orders */
};

rein_status rein_team_create(int n_threads, rein_team **out)
{
    *out = NULL;
    if (n_threads < 1 || n_threads > 1024) {
        return rein_fail(REIN_EINVAL, "threads = %d is outside [1, 1024]", n_threads);
    }
    rein_team *team = aligned_alloc(64, sizeof *team);
    failure *failures = calloc((size_t)n_threads, sizeof *failures);
    if (!team || !failures) {
        free(team);
        free(failures);
        return rein_fail(REIN_ENOMEM, "no memory for a team of %d threads", n_threads);
    }
    memset(team, 0, sizeof *team);
    team->n_threads = n_threads;
    team->failures = failures;
    *out = team;
    return REIN_OK;
}

void rein_team_free(rein_team *team)
{
    if (!team) return;
    free(team->failures);
    free(team);
}

int rein_team_threads(const rein_team *team)
{
    return team->n_threads;
}

static void note_failure(failure *f, int block, rein_status status)
{
    if (block >= f->block) return;
    f->block = block;
    f->status = status;
    strncpy(f->message, rein_error_message(), sizeof f->message - 1);
}

/* One thread's share: take the next block until none is left. */
static void take_blocks(rein_team *team, int thread)
{
    failure *f = &team->failures[thread];
    f->block = team->n_blocks;
    for (;;) {
        int block = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
        if (block >= team->n_blocks) return;
        rein_status status = team->function(team->context, block, thread);
        if (status != REIN_OK) note_failure(f, block, status);
    }
}

static void join_in(rein_team *team, int thread)
{
    ORDER_ACQUIRE(&team->fork);
    take_blocks(team, thread);
    ORDER_RELEASE(&team->join);
}

NO_TSAN static void fork_join(rein_team *team, int n_threads)
{
    (void)n_threads;
#pragma omp parallel num_threads(n_threads)
    join_in(team, omp_get_thread_num());
}

rein_status rein_team_run(rein_team *team, int n_blocks, rein_block_function function,
                          void *context)
{
    team->function = function;
    team->context = context;
    team->n_blocks = n_blocks;
    atomic_store_explicit(&team->next, 0, memory_order_relaxed);
    /* All of the team even for fewer blocks: libgomp ends and restarts threads, and allocates,
     * whenever their number changes. */
    int n_threads = n_blocks > 1 ? team->n_threads : 1;
    if (n_threads == 1) {
        take_blocks(team, 0);
    } else {
        /* Fewer threads than asked for may come; failures of those that do not stay empty. */
        for (int i = 0; i < n_threads; i++) team->failures[i].block = n_blocks;
        ORDER_RELEASE(&team->fork);
        fork_join(team, n_threads);
        ORDER_ACQUIRE(&team->join);
    }
    const failure *first = &team->failures[0];
    for (int i = 1; i < n_threads; i++) {
        if (team->failures[i].block < first->block) first = &team->failures[i];
    }
    if (first->block < n_blocks) return rein_fail(first->status, "%s", first->message);
    return REIN_OK;
}

typedef struct sum_job {
    float *out;
    const float *parts;
    int n_blocks;
    size_t stride, n, chunk;
} sum_job;

static rein_status sum_chunk(void *context, int block, int thread)
{
    (void)thread;
    const sum_job *job = context;
    size_t begin = (size_t)block * job->chunk;
    size_t end = begin + job->chunk < job->n ? begin + job->chunk : job->n;
    for (size_t i = begin; i < end; i++) job->out[i] = job->parts[i];
    for (int b = 1; b < job->n_blocks; b++) {
        const float *part = job->parts + (size_t)b * job->stride;
        for (size_t i = begin; i < end; i++) job->out[i] += part[i];
    }
    return REIN_OK;
}

void rein_team_sum(rein_team *team, float *out, const float *parts, int n_blocks, size_t stride,
                   size_t n)
{
    sum_job job = {out, parts, n_blocks, stride, n, 4096};
    int chunks = (int)((n + job.chunk - 1) / job.chunk);
    /* A few blocks over a small vector cost less than waking a thread. */
    if ((size_t)n_blocks * n < 65536) {
        for (int c = 0; c < chunks; c++) sum_chunk(&job, c, 0);
        return;
    }
    rein_team_run(team, chunks, sum_chunk, &job);
}
