/* Schedules of hyper-parameters: pure functions of progress. */
#ifndef REIN_ALGOS_SCHEDULE_H
#define REIN_ALGOS_SCHEDULE_H

#include <stdint.h>

/* From `start` to `end`, linear over steps [0, duration], then `end`. duration 0: `end`. */
static inline double rein_schedule_linear(double start, double end, int64_t step, int64_t duration)
{
    if (step >= duration) return end;
    return start + (end - start) * ((double)step / (double)duration);
}

#endif
