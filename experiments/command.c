/* What the sub-commands share: errors, options, finding configs. */
#include "experiments/command.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/field.h"

int rein_command_exit(rein_status status)
{
    switch (status) {
    case REIN_OK:
        return REIN_EXIT_OK;
    case REIN_EINTERRUPTED:
        return REIN_EXIT_STOPPED;
    case REIN_EINVAL:
    case REIN_ENOTFOUND:
    case REIN_ECONFIG:
    case REIN_EUNSUPPORTED:
        return REIN_EXIT_USAGE;
    default:
        return REIN_EXIT_FAILED;
    }
}

/* One line whatever the text holds: a file name may contain a newline. */
static void print_line(const char *text)
{
    char line[2048];
    size_t n = 0;
    for (; *text && n + 1 < sizeof line; text++) {
        unsigned char c = (unsigned char)*text;
        line[n++] = c < 32 || c == 127 ? ' ' : (char)c;
    }
    line[n] = '\0';
    fflush(stdout);
    fprintf(stderr, "rein: %s\n", line);
}

int rein_command_fail(rein_status status)
{
    const char *message = rein_error_message();
    print_line(*message ? message : rein_status_name(status));
    return rein_command_exit(status);
}

int rein_command_usage(const char *command, const char *format, ...)
{
    char what[1024], line[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(line, sizeof line, "%s (see rein %s--help)", what, command);
    print_line(line);
    return REIN_EXIT_USAGE;
}

int rein_command_option(int argc, char **argv, const struct option *options)
{
    char help[64];
    snprintf(help, sizeof help, "%s ", argv[0]);
    opterr = 0;
    optopt = 0;
    int option = getopt_long(argc, argv, ":h", options, NULL);
    if (option == ':') {
        rein_command_usage(help, "%s: option %s needs a value", argv[0], argv[optind - 1]);
        return '?';
    }
    if (option == '?') {
        const char *word = argv[optind - 1];
        char letter[3] = {'-', (char)optopt, '\0'};
        if (optopt && strncmp(word, "--", 2) != 0) word = letter;
        rein_command_usage(help, "%s: unknown option %s", argv[0], word);
    }
    return option;
}

rein_status rein_command_integer(const char *option, const char *text, int64_t low, int64_t high,
                                 int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end) {
        return rein_fail(REIN_ECONFIG, "%s: %s is not a whole number", option, text);
    }
    if (errno || value < low || value > high) {
        return rein_fail(REIN_ECONFIG, "%s: %s is outside [%lld, %lld]", option, text,
                         (long long)low, (long long)high);
    }
    *out = value;
    return REIN_OK;
}

/* ---- configs ------------------------------------------------------------------------------- */

enum { PATH_SIZE = 1024 };

/* Folder i of the places where configs are looked up; false behind the last. */
static bool config_folder(int i, char *out, size_t size)
{
    if (i == 0) {
        const char *set = getenv("REIN_CONFIGS");
        snprintf(out, size, "%s", set ? set : "");
        return true;
    }
    if (i == 1) {
        snprintf(out, size, "configs");
        return true;
    }
    if (i > 2) return false;
    char program[PATH_SIZE];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash) *slash = '\0';
    snprintf(out, size, "%s%s", program, slash ? "/../configs" : "");
    return true;
}

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

/* Visit <folder>/<algo>/<name>.yaml as "algo/name". */
static void each_in(const char *folder, void (*visit)(const char *, void *), void *context)
{
    struct dirent **groups;
    int n_groups = scandir(folder, &groups, NULL, alphasort);
    for (int i = 0; i < n_groups; i++) {
        char path[2 * PATH_SIZE];
        struct dirent **files;
        int n = -1;
        snprintf(path, sizeof path, "%s/%s", folder, groups[i]->d_name);
        if (groups[i]->d_name[0] != '.') n = scandir(path, &files, NULL, alphasort);
        for (int k = 0; k < n; k++) {
            char name[2 * PATH_SIZE], *dot = strrchr(files[k]->d_name, '.');
            if (dot && dot != files[k]->d_name && strcmp(dot, ".yaml") == 0) {
                *dot = '\0';
                snprintf(name, sizeof name, "%s/%s", groups[i]->d_name, files[k]->d_name);
                visit(name, context);
            }
            free(files[k]);
        }
        if (n >= 0) free(files);
        free(groups[i]);
    }
    if (n_groups >= 0) free(groups);
}

void rein_command_each_config(void (*visit)(const char *name, void *context), void *context)
{
    char folder[PATH_SIZE + 16], seen[PATH_SIZE + 16] = "";
    struct stat first = {0}, info;
    for (int i = 0; config_folder(i, folder, sizeof folder); i++) {
        if (!folder[0] || stat(folder, &info) != 0) continue;
        /* ./configs and the one beside the program are often the same folder */
        if (seen[0] && info.st_ino == first.st_ino && info.st_dev == first.st_dev) continue;
        if (!seen[0]) {
            first = info;
            snprintf(seen, sizeof seen, "%s", folder);
        }
        each_in(folder, visit, context);
    }
}

typedef struct nearest {
    const char *wanted;
    int distance;
    char name[PATH_SIZE];
} nearest;

static void consider(const char *name, void *context)
{
    nearest *best = context;
    int distance = rein_edit_distance(best->wanted, name);
    const char *tail = strchr(name, '/'); /* "cartpole" is near to ppo/cartpole, too */
    if (tail && rein_edit_distance(best->wanted, tail + 1) == 0) distance = 1;
    if (distance < best->distance) {
        best->distance = distance;
        snprintf(best->name, sizeof best->name, "%s", name);
    }
}

rein_status rein_command_find_config(const char *name, char *path, size_t size)
{
    if (is_file(name)) {
        snprintf(path, size, "%s", name);
        return strlen(name) < size ? REIN_OK : rein_fail(REIN_EINVAL, "path too long: %s", name);
    }
    char folder[PATH_SIZE + 16];
    for (int i = 0; name[0] && config_folder(i, folder, sizeof folder); i++) {
        if (!folder[0]) continue;
        int n = snprintf(path, size, "%s/%s.yaml", folder, name);
        if (n > 0 && (size_t)n < size && is_file(path)) return REIN_OK;
    }
    nearest best = {.wanted = name, .distance = 6};
    rein_command_each_config(consider, &best);
    if (best.name[0]) {
        return rein_fail(REIN_ENOTFOUND, "%s: no such config, did you mean %s?", name, best.name);
    }
    return rein_fail(REIN_ENOTFOUND,
                     "%s: no such config: give a file, or a name like ppo/cartpole from ./configs "
                     "or the folder in REIN_CONFIGS",
                     name);
}

int rein_command_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > 1024 ? 1024 : n;
}
