/* Mean and interval of a few numbers. */
#include "experiments/statistics.h"

#include <math.h>

double rein_student_t_975(int degrees)
{
    /* few degrees: the tabulated values; more: the expansion around the normal quantile
     * (Abramowitz & Stegun 1964, 26.7.5) */
    static const double table[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469};
    if (degrees <= 6) return table[degrees - 1];
    double x = 1.9599639845400545, n = degrees;
    double x3 = x * x * x, x5 = x3 * x * x, x7 = x5 * x * x, x9 = x7 * x * x;
    return x + (x3 + x) / (4 * n) + (5 * x5 + 16 * x3 + 3 * x) / (96 * n * n) +
           (3 * x7 + 19 * x5 + 17 * x3 - 15 * x) / (384 * n * n * n) +
           (79 * x9 + 776 * x7 + 1482 * x5 - 1920 * x3 - 945 * x) / (92160 * n * n * n * n);
}

rein_statistics rein_statistics_of(const double *x, int n)
{
    rein_statistics s = {.n = n, .min = x[0], .max = x[0]};
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++) {
        sum += x[i];
        s.min = fmin(s.min, x[i]);
        s.max = fmax(s.max, x[i]);
    }
    s.mean = sum / n;
    for (int i = 0; i < n; i++) squares += (x[i] - s.mean) * (x[i] - s.mean);
    if (n > 1) {
        s.std = sqrt(squares / (n - 1));
        s.half_width = rein_student_t_975(n - 1) * s.std / sqrt(n);
    }
    return s;
}
