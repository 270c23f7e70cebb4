/* Progress lines and the small curve. */
#include "experiments/progress.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

const char *rein_format_count(int64_t n, char *out, size_t size)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)(n < 0 ? -n : n));
    size_t used = 0;
    if (n < 0 && size > 1) out[used++] = '-';
    for (int i = 0; i < length && used + 2 < size; i++) {
        if (i > 0 && (length - i) % 3 == 0) out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

const char *rein_format_seconds(double seconds, char *out, size_t size)
{
    if (!(seconds < 1e9)) {
        snprintf(out, size, "-");
    } else if (seconds < 9.95) {
        snprintf(out, size, "%.1f s", seconds);
    } else if (seconds < 60) {
        snprintf(out, size, "%.0f s", floor(seconds));
    } else {
        long s = (long)seconds;
        if (s < 3600) {
            snprintf(out, size, "%ld min %02ld s", s / 60, s % 60);
        } else {
            snprintf(out, size, "%ld h %02ld min", s / 3600, s / 60 % 60);
        }
    }
    return out;
}

const char *rein_format_return(double value, char *out, size_t size)
{
    if (!isfinite(value)) {
        snprintf(out, size, "-");
    } else {
        double a = fabs(value);
        snprintf(out, size, "%.*f", a >= 1000 ? 0 : a >= 10 ? 1 : 3, value);
    }
    return out;
}

void rein_progress_init(rein_progress *p, FILE *out, bool terminal, int64_t total, int64_t first)
{
    double now_s = rein_clock_s();
    *p = (rein_progress){
        .out = out,
        .terminal = terminal,
        .total = total,
        .first = first,
        .start_s = now_s,
        .shown_s = now_s,
        .shown_part = (int)(20 * ((double)first / (double)total)),
    };
}

static void show(rein_progress *p, int64_t step, double return_mean, double now_s)
{
    char steps[32], sps[32], value[32], eta[32], line[256];
    double elapsed_s = now_s - p->start_s;
    double rate = elapsed_s > 0 ? (double)(step - p->first) / elapsed_s : 0;
    double left_s = rate > 0 ? (double)(p->total - step) / rate : (double)INFINITY;
    int n = snprintf(line, sizeof line, "%5.1f %%  step %s  return %s  %s steps/s  %s left",
                     100 * fmin((double)step / (double)p->total, 1),
                     rein_format_count(step, steps, sizeof steps),
                     rein_format_return(return_mean, value, sizeof value),
                     rein_format_count((int64_t)rate, sps, sizeof sps),
                     rein_format_seconds(fmax(left_s, 0), eta, sizeof eta));
    if (p->terminal) {
        fprintf(p->out, "\r%-*s", p->width, line);
    } else {
        fprintf(p->out, "%s\n", line);
    }
    fflush(p->out);
    p->width = n;
}

void rein_progress_update(rein_progress *p, int64_t step, double return_mean, double now_s)
{
    if (!p->out) return;
    int part = (int)(20 * ((double)step / (double)p->total));
    double wait_s = now_s - p->shown_s;
    if (p->terminal ? wait_s < 0.2 : part <= p->shown_part && wait_s < 10) return;
    p->shown_s = now_s;
    p->shown_part = part;
    show(p, step, return_mean, now_s);
}

void rein_progress_end(rein_progress *p)
{
    if (!p->out || !p->terminal || p->width == 0) return;
    fprintf(p->out, "\n");
    fflush(p->out);
    p->width = 0;
}

void rein_progress_chart(FILE *out, const double *curve, int n, int rows)
{
    static const char *const block[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < n; i++) {
        if (!isfinite(curve[i])) continue;
        low = fmin(low, curve[i]);
        high = fmax(high, curve[i]);
    }
    if (low > high) return; /* no episode has ended: nothing to draw */
    for (int row = rows - 1; row >= 0; row--) {
        char label[32] = "";
        if (row == rows - 1) rein_format_return(high, label, sizeof label);
        if (row == 0) rein_format_return(low, label, sizeof label);
        fprintf(out, "%9s ", label);
        for (int i = 0; i < n; i++) {
            /* height in eighths of a row, at least one, so that the lowest value is seen */
            double share = high > low ? (curve[i] - low) / (high - low) : 1;
            int eighths = isfinite(curve[i]) ? 1 + (int)lround(share * (8 * rows - 1)) : 0;
            int here = eighths - 8 * row;
            fputs(block[here < 0 ? 0 : here > 8 ? 8 : here], out);
        }
        fputc('\n', out);
    }
}
