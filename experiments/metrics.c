/* metrics.jsonl: append rows, cut back, read the learning curve. */
#include "experiments/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROW_SIZE = 16384 };

struct rein_metrics {
    int fd;
    int64_t length; /* bytes in the file */
    bool bad;       /* the row in the making cannot be written */
    size_t used;
    char row[ROW_SIZE];
    char path[1024];
};

rein_status rein_metrics_open(const char *path, int64_t length, rein_metrics **out)
{
    rein_metrics *m = calloc(1, sizeof *m);
    if (!m) return rein_fail(REIN_ENOMEM, "no memory for metrics");
    snprintf(m->path, sizeof m->path, "%s", path);
    m->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    struct stat info;
    rein_status status = REIN_OK;
    if (m->fd < 0 || fstat(m->fd, &info) != 0) {
        status = rein_fail(REIN_EIO, "cannot write %s: %s", path, strerror(errno));
    } else if (info.st_size < length) {
        status = rein_fail(REIN_EFORMAT,
                           "%s: %lld bytes, but the checkpoint was made at %lld: the "
                           "file was shortened or replaced; put it back",
                           path, (long long)info.st_size, (long long)length);
    } else if (info.st_size > length && ftruncate(m->fd, length) != 0) {
        status = rein_fail(REIN_EIO, "cannot cut %s: %s", path, strerror(errno));
    }
    if (status != REIN_OK) {
        rein_metrics_free(m);
        return status;
    }
    m->length = length;
    *out = m;
    return REIN_OK;
}

void rein_metrics_free(rein_metrics *m)
{
    if (!m) return;
    if (m->fd >= 0) close(m->fd);
    free(m);
}

__attribute__((format(printf, 2, 3))) static void put(rein_metrics *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(m->row + m->used, ROW_SIZE - m->used, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= ROW_SIZE - m->used) {
        m->bad = true;
    } else {
        m->used += (size_t)n;
    }
}

static void put_name(rein_metrics *m, const char *name)
{
    for (const char *c = name; *c; c++) {
        if (*c == '"' || *c == '\\' || (unsigned char)*c < 32) m->bad = true;
    }
    put(m, ", \"%s\": ", name);
}

void rein_metrics_begin(rein_metrics *m, int64_t step)
{
    m->used = 0;
    m->bad = false;
    put(m, "{\"step\": %lld", (long long)step);
}

void rein_metrics_integer(rein_metrics *m, const char *name, int64_t value)
{
    put_name(m, name);
    put(m, "%lld", (long long)value);
}

static void put_real(rein_metrics *m, const char *name, int digits, double value)
{
    put_name(m, name);
    if (isfinite(value)) {
        put(m, "%.*g", digits, value);
    } else {
        put(m, "null");
    }
}

void rein_metrics_real(rein_metrics *m, const char *name, double value)
{
    put_real(m, name, 9, value);
}

void rein_metrics_exact(rein_metrics *m, const char *name, double value)
{
    put_real(m, name, 17, value);
}

rein_status rein_metrics_end(rein_metrics *m, double time_s, double sps)
{
    put(m, ", \"time_s\": %.3f, \"sps\": %.0f}\n", time_s, isfinite(sps) ? sps : 0.0);
    if (m->bad) {
        return rein_fail(REIN_EINVAL, "%s: a row over %d bytes or a name with quotes", m->path,
                         ROW_SIZE);
    }
    ssize_t n = write(m->fd, m->row, m->used);
    if (n == (ssize_t)m->used) {
        m->length += n;
        return REIN_OK;
    }
    int error = n < 0 ? errno : ENOSPC; /* a short write: the disk or the limit is full */
    if (n > 0 && ftruncate(m->fd, m->length) != 0) error = errno;
    return rein_fail(REIN_EIO, "cannot write %s: %s", m->path, strerror(error));
}

int64_t rein_metrics_length(const rein_metrics *m)
{
    return m->length;
}

rein_status rein_metrics_sync(rein_metrics *m)
{
    if (fdatasync(m->fd) == 0) return REIN_OK;
    return rein_fail(REIN_EIO, "cannot write %s: %s", m->path, strerror(errno));
}

/* ---- reading ------------------------------------------------------------------------------- */

typedef struct points {
    size_t n, capacity;
    struct point {
        int64_t step;
        double value;
    } * point; /* [n] */
} points;

/* Add a row's return to the points, when it has one. */
static rein_status read_row(const char *line, size_t size, points *p, int64_t *last)
{
    json_error_t error;
    json_t *row = json_loadb(line, size, JSON_DECODE_ANY, &error);
    json_t *step = json_object_get(row, "step");
    if (!json_is_integer(step)) {
        json_decref(row);
        return rein_fail(REIN_EFORMAT, "not a JSON object with a step");
    }
    json_t *value = json_object_get(row, "episode_return_mean");
    *last = json_integer_value(step);
    if (json_is_number(value)) {
        if (p->n == p->capacity) {
            size_t capacity = p->capacity ? 2 * p->capacity : 256;
            struct point *grown = realloc(p->point, capacity * sizeof *grown);
            if (!grown) {
                json_decref(row);
                return rein_fail(REIN_ENOMEM, "no memory for a curve");
            }
            p->point = grown;
            p->capacity = capacity;
        }
        p->point[p->n++] = (struct point){*last, json_number_value(value)};
    }
    json_decref(row);
    return REIN_OK;
}

static rein_status read_rows(const char *path, points *p, int64_t *last)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return rein_fail(errno == ENOENT ? REIN_ENOTFOUND : REIN_EIO, "cannot read %s: %s", path,
                         strerror(errno));
    }
    char *line = NULL;
    size_t capacity = 0;
    rein_status status = REIN_OK;
    ssize_t size;
    for (int number = 1; status == REIN_OK && (size = getline(&line, &capacity, file)) > 0;
         number++) {
        status = read_row(line, (size_t)size, p, last);
        if (status != REIN_OK) status = rein_fail_in(status, "%s:%d", path, number);
    }
    free(line);
    fclose(file);
    return status;
}

rein_status rein_metrics_curve(const char *path, int n, double *curve, int64_t *step)
{
    points p = {0};
    int64_t last = 0;
    rein_status status = read_rows(path, &p, &last);
    for (int i = 0; i < n; i++) curve[i] = NAN;
    size_t k = 0;
    for (int i = 0; status == REIN_OK && i < n; i++) {
        /* range i is (last i / n, last (i + 1) / n]; an empty one keeps the value before */
        double sum = 0, end = (double)last * (i + 1) / n;
        int count = 0;
        for (; k < p.n && ((double)p.point[k].step <= end || i == n - 1); k++, count++) {
            sum += p.point[k].value;
        }
        curve[i] = count ? sum / count : i ? curve[i - 1] : (double)NAN;
    }
    free(p.point);
    if (step) *step = last;
    return status;
}
