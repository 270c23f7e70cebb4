/* One training session in an open run folder, with everything around it that a person sees: what
 * `rein train` and `rein resume` share. Thread-safety: one caller. */
#ifndef REIN_EXPERIMENTS_TRAINING_H
#define REIN_EXPERIMENTS_TRAINING_H

#include "experiments/run_folder.h"

/* Let Ctrl-C, SIGTERM and a closed terminal end training with a checkpoint instead of the program
 * (the second Ctrl-C does end it), and a closed pipe end nothing. */
void rein_training_catch_signals(void);

/* Train, and print: a header, progress, the summary with its last line `fingerprint <16 hex>`.
 * When training fails before its first step, a new folder is removed.
 *   resume      go on from the folder's checkpoint; config.yaml and run.json are brought up to date
 *               once that has been read. Otherwise both are written first
 *   argc, argv  the command line, for run.json
 * Returns the exit code; errors have been printed. Closes the folder. */
int rein_training_run(const rein_experiment *experiment, rein_run_folder *folder, bool resume,
                      int argc, char **argv);

/* The last lines of a run that is finished: return, curve, speed, files, what to try next. */
void rein_training_print_summary(const rein_experiment *experiment, const rein_run_folder *folder,
                                 const rein_run_summary *summary);

#endif
