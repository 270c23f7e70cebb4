/* What a person sees of a run: a line that renews itself on a terminal, plain lines elsewhere,
 * and the small curve at the end. Thread-safety: one caller per object. */
#ifndef REIN_EXPERIMENTS_PROGRESS_H
#define REIN_EXPERIMENTS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct rein_progress {
    FILE *out;
    bool terminal;  /* renew one line, at most five times a second */
    int64_t total;  /* steps of the whole run */
    int64_t first;  /* step at which this session began */
    double start_s; /* rein_clock_s() then */
    double shown_s; /* when a line was shown last */
    int shown_part; /* plain lines: twentieths of the run reached then */
    int width;      /* of the line on the terminal, to be overwritten */
} rein_progress;

/* Begin at step `first`. NULL `out`: show nothing. */
void rein_progress_init(rein_progress *progress, FILE *out, bool terminal, int64_t total,
                        int64_t first);

/* Show where the run is, when it is time to: 0.2 s after the last line on a terminal; else every
 * twentieth of the run or ten seconds. Cost when it is not: a comparison.
 *   return_mean  of the last 100 episodes; NAN before the first
 *   now_s        rein_clock_s() */
void rein_progress_update(rein_progress *progress, int64_t step, double return_mean, double now_s);

/* End the line on a terminal, so that other text can follow. */
void rein_progress_end(rein_progress *progress);

/* A small chart of blocks, `rows` lines high, with the lowest and highest value at its left.
 *   curve  in  [n]; NAN: an empty column */
void rein_progress_chart(FILE *out, const double *curve, int n, int rows);

/* "1,000,000" */
const char *rein_format_count(int64_t n, char *out, size_t size);
/* "4.2 s", "3 min 20 s", "2 h 05 min" */
const char *rein_format_seconds(double seconds, char *out, size_t size);
/* A return with as many digits as help: "1436", "-71.3", "0.953"; "-" for NAN. */
const char *rein_format_return(double value, char *out, size_t size);

#endif
