/* Mean and interval of a few numbers. Thread-safety: pure functions. */
#ifndef REIN_EXPERIMENTS_STATISTICS_H
#define REIN_EXPERIMENTS_STATISTICS_H

typedef struct rein_statistics {
    int n;
    double mean, std; /* sample standard deviation, n - 1; 0 for one number */
    double min, max;
    double half_width; /* of the 95 % interval of the mean (Student's t); 0 for one number */
} rein_statistics;

/* Of x [n], n >= 1. */
rein_statistics rein_statistics_of(const double *x, int n);

/* The 0.975 quantile of Student's t with `degrees` >= 1 degrees of freedom, to 4 digits. */
double rein_student_t_975(int degrees);

#endif
