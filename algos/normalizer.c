#include "algos/normalizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double EPSILON = 1e-8;

rein_status rein_normalizer_create(int n, rein_normalizer **out)
{
    *out = NULL;
    if (n < 1) return rein_fail(REIN_EINVAL, "normalizer of %d numbers", n);
    size_t row = (size_t)n;
    rein_normalizer *normalizer =
        calloc(1, sizeof *normalizer + row * (4 * sizeof(double) + 2 * sizeof(float)));
    if (!normalizer) return rein_fail(REIN_ENOMEM, "no memory for a normalizer of %d numbers", n);

    normalizer->n = n;
    normalizer->count = 1e-4;
    normalizer->mean = (double *)(void *)(normalizer + 1);
    normalizer->var = normalizer->mean + row;
    normalizer->batch_mean = normalizer->var + row;
    normalizer->batch_var = normalizer->batch_mean + row;
    normalizer->shift = (float *)(void *)(normalizer->batch_var + row);
    normalizer->scale = normalizer->shift + row;
    for (int j = 0; j < n; j++) {
        normalizer->var[j] = 1;
        normalizer->scale[j] = 1;
    }
    *out = normalizer;
    return REIN_OK;
}

void rein_normalizer_free(rein_normalizer *normalizer)
{
    free(normalizer);
}

void rein_normalizer_copy(rein_normalizer *to, const rein_normalizer *from)
{
    size_t n = (size_t)from->n;
    to->count = from->count;
    memcpy(to->mean, from->mean, n * sizeof *to->mean);
    memcpy(to->var, from->var, n * sizeof *to->var);
    memcpy(to->shift, from->shift, n * sizeof *to->shift);
    memcpy(to->scale, from->scale, n * sizeof *to->scale);
}

/* The float copies that rein_normalizer_apply reads. */
static void normalizer_refresh(rein_normalizer *normalizer)
{
    const double *mean = normalizer->mean, *var = normalizer->var;
    float *shift = normalizer->shift, *scale = normalizer->scale;
#pragma omp simd
    for (int j = 0; j < normalizer->n; j++) {
        shift[j] = (float)mean[j];
        scale[j] = (float)(1 / sqrt(var[j] + EPSILON));
    }
}

/* Merge `count` rows with these moments (Chan et al. 1983, eq. 2.1):
 *     delta = batch_mean - mean, total = count + batch_count
 *     mean += delta batch_count / total
 *     M2    = M2 + batch_M2 + delta^2 count batch_count / total */
static void normalizer_merge_moments(rein_normalizer *normalizer, const double *batch_mean,
                                     const double *batch_var, double batch_count)
{
    double count = normalizer->count, total = count + batch_count;
    double share = batch_count / total, rest = count / total;
    double *mean = normalizer->mean, *var = normalizer->var;
#pragma omp simd
    for (int j = 0; j < normalizer->n; j++) {
        double delta = batch_mean[j] - mean[j];
        mean[j] += delta * share;
        var[j] = var[j] * rest + batch_var[j] * share + delta * delta * rest * share;
    }
    normalizer->count = total;
}

void rein_normalizer_update(rein_normalizer *normalizer, const float *x, int rows)
{
    int n = normalizer->n;
    double *mean = normalizer->batch_mean, *var = normalizer->batch_var;
    if (rows < 1) return;

    for (int j = 0; j < n; j++) mean[j] = x[j];
    memset(var, 0, (size_t)n * sizeof *var);
    if (rows > 1) { /* two passes: the mean, then squares about it */
        for (int i = 1; i < rows; i++) {
            const float *row = x + (size_t)i * (size_t)n;
            for (int j = 0; j < n; j++) mean[j] += row[j];
        }
        for (int j = 0; j < n; j++) mean[j] /= rows;
        for (int i = 0; i < rows; i++) {
            const float *row = x + (size_t)i * (size_t)n;
            for (int j = 0; j < n; j++) var[j] += (row[j] - mean[j]) * (row[j] - mean[j]);
        }
        for (int j = 0; j < n; j++) var[j] /= rows;
    }
    normalizer_merge_moments(normalizer, mean, var, rows);
    normalizer_refresh(normalizer);
}

void rein_normalizer_apply(const rein_normalizer *normalizer, const float *x, int rows, double clip,
                           float *y)
{
    int n = normalizer->n;
    float high = (float)clip, low = -high;
    const float *shift = normalizer->shift, *scale = normalizer->scale;
    for (int i = 0; i < rows; i++) {
        const float *from = x + (size_t)i * (size_t)n;
        float *to = y + (size_t)i * (size_t)n;
#pragma omp simd
        for (int j = 0; j < n; j++) {
            float z = (from[j] - shift[j]) * scale[j];
            z = z > high ? high : z;
            to[j] = z < low ? low : z;
        }
    }
}

void rein_normalizer_rewards(rein_normalizer *of_return, double gamma, double clip,
                             const float *reward, const uint8_t *done, int rows, double *running,
                             float *y)
{
    double mean = 0, var = 0;
    for (int i = 0; i < rows; i++) {
        running[i] = gamma * running[i] + reward[i];
        mean += running[i];
    }
    mean /= rows;
    for (int i = 0; i < rows; i++) var += (running[i] - mean) * (running[i] - mean);
    var /= rows;
    normalizer_merge_moments(of_return, &mean, &var, rows);

    double scale = 1 / sqrt(of_return->var[0] + EPSILON);
    for (int i = 0; i < rows; i++) {
        double scaled = reward[i] * scale;
        scaled = scaled > clip ? clip : scaled;
        y[i] = (float)(scaled < -clip ? -clip : scaled);
        if (done[i]) running[i] = 0;
    }
}

/* What `part`, a copy of `start`, has seen since: the merge solved for the batch. */
static void normalizer_share(const rein_normalizer *start, const rein_normalizer *part,
                             double *mean, double *var)
{
    double count = part->count - start->count;
    if (count <= 0) return;
    for (int j = 0; j < part->n; j++) {
        double delta = (part->mean[j] - start->mean[j]) * (part->count / count);
        double m2 = part->var[j] * part->count - start->var[j] * start->count -
                    delta * delta * start->count * (count / part->count);
        mean[j] = start->mean[j] + delta;
        var[j] = m2 > 0 ? m2 / count : 0; /* rounding may leave a little less than nothing */
    }
}

void rein_normalizer_merge(rein_normalizer *into, const rein_normalizer *start,
                           rein_normalizer *const *parts, int n_parts)
{
    if (n_parts == 1) {
        rein_normalizer_copy(into, parts[0]);
        return;
    }
    /* All shares first, each in its part's scratch: `into` may be `start`. */
    double start_count = start->count;
    for (int k = 0; k < n_parts; k++) {
        normalizer_share(start, parts[k], parts[k]->batch_mean, parts[k]->batch_var);
    }
    if (into != start) rein_normalizer_copy(into, start);
    for (int k = 0; k < n_parts; k++) {
        double count = parts[k]->count - start_count;
        if (count <= 0) continue; /* saw nothing */
        normalizer_merge_moments(into, parts[k]->batch_mean, parts[k]->batch_var, count);
    }
    normalizer_refresh(into);
}

rein_status rein_normalizer_archive(rein_normalizer *normalizer, rein_archive *archive)
{
    size_t n = (size_t)normalizer->n;
    REIN_TRY(rein_archive_f64(archive, "count", &normalizer->count));
    REIN_TRY(rein_archive_array(archive, "mean", REIN_F64, normalizer->mean, n));
    REIN_TRY(rein_archive_array(archive, "var", REIN_F64, normalizer->var, n));
    if (archive->loading) normalizer_refresh(normalizer);
    return REIN_OK;
}
