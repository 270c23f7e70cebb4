/* Monotonic time. Thread-safety: any thread. */
#ifndef REIN_BASE_CLOCK_H
#define REIN_BASE_CLOCK_H

/* Seconds since an arbitrary start; never goes back. Cost: about 20 ns. */
double rein_clock_s(void);

#endif
