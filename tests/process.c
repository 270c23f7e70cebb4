#include "tests/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

typedef struct stream {
    int fd;
    char *text;
    size_t n;
} stream;

/* Read what is there; false at the end. */
static int stream_read(stream *s)
{
    s->text = realloc(s->text, s->n + 65536 + 1);
    if (!s->text) abort();
    ssize_t n = read(s->fd, s->text + s->n, 65536);
    if (n > 0) s->n += (size_t)n;
    s->text[s->n] = '\0';
    return n > 0 || (n < 0 && errno == EINTR);
}

static void child(const char *const *words, const process_options *o, const int out[2],
                  const int err[2])
{
    int to = out[1];
    if (o->folder && chdir(o->folder) != 0) _exit(126);
    if (o->environment) putenv((char *)o->environment);
    if (o->file_limit) {
        struct rlimit limit = {o->file_limit, o->file_limit};
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    if (o->output) to = open(o->output, O_WRONLY | O_CREAT, 0666);
    dup2(to, STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    execv(words[0], (char *const *)words);
    _exit(127);
}

/* Read both streams to their ends, and send the signal when its time has come. */
static void watch(pid_t pid, const process_options *o, stream streams[2])
{
    double start_s = rein_clock_s();
    int open_streams = 2, sent = o->signal == 0;
    struct pollfd polls[2] = {{streams[0].fd, POLLIN, 0}, {streams[1].fd, POLLIN, 0}};
    while (open_streams > 0) {
        double passed_s = rein_clock_s() - start_s;
        double next_s = (sent ? 300 : o->signal_after_s) - passed_s;
        if (next_s <= 0) {
            kill(pid, sent ? SIGKILL : o->signal);
            sent = 1;
            if (passed_s > 300) return;
            continue;
        }
        int timeout_ms = next_s > 1 ? 1000 : (int)(next_s * 1000) + 1;
        if (poll(polls, 2, timeout_ms) <= 0) continue;
        for (int i = 0; i < 2; i++) {
            if (polls[i].fd < 0 || !polls[i].revents) continue;
            if (stream_read(&streams[i])) continue;
            polls[i].fd = -1;
            open_streams--;
        }
    }
}

process_result process_run(const char *const *words, const process_options *options)
{
    static const process_options none;
    const process_options *o = options ? options : &none;
    int out[2], err[2], status = 0;
    fflush(NULL);
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) abort();
    pid_t pid = fork();
    if (pid < 0) abort();
    if (pid == 0) child(words, o, out, err);
    close(out[1]);
    close(err[1]);
    stream streams[2] = {{.fd = out[0], .text = calloc(1, 1)},
                         {.fd = err[0], .text = calloc(1, 1)}};
    watch(pid, o, streams);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    close(out[0]);
    close(err[0]);
    return (process_result){
        .code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .out = streams[0].text,
        .err = streams[1].text,
    };
}

void process_free(process_result *result)
{
    free(result->out);
    free(result->err);
    result->out = result->err = NULL;
}

int process_lines(const char *text)
{
    int n = 0;
    for (; *text; text++) n += *text == '\n';
    return n;
}
