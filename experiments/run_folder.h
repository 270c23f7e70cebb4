/* The run folder: where one run keeps everything.
 *
 *     config.yaml     all settings, as resolved; `rein train` reads it, too
 *     net.pt          a copy of net.script, where there is one: what `rein resume` reads
 *     run.json        versions, processor, threads, command line of every session
 *     metrics.jsonl   one JSON object per log row
 *     rollouts/ rollouts.h5   the recorder's files       replay/   a replay's files
 *     checkpoint.h5   to go on from                      policy.rein   the policy
 *     summary.json    only when the run is finished
 *
 * An open folder is locked (flock): a second program cannot train in it; the lock goes when the
 * program does, however it ends. Thread-safety: one caller per object. */
#ifndef REIN_EXPERIMENTS_RUN_FOLDER_H
#define REIN_EXPERIMENTS_RUN_FOLDER_H

#include "experiments/experiment.h"

enum { REIN_PATH_SIZE = 1024 };
#define REIN_RUN_SCRIPT "net.pt"

typedef struct rein_run_folder {
    char path[REIN_PATH_SIZE];
    int fd; /* the locked folder; -1: not open */
} rein_run_folder;

/* Make a new folder for the experiment, run.out/run.name, and lock it. Without run.name:
 * <algo>-<env>-s<seed>, or the first free of -2, -3, ... behind it. Never an existing one.
 * Errors: REIN_ECONFIG (a given name exists), REIN_EIO (unwritable). Nothing is left then. */
rein_status rein_run_folder_create(const rein_experiment *experiment, rein_run_folder *out);

/* Lock an existing run folder, one with a config.yaml.
 * Errors: REIN_ENOTFOUND (no such folder, no run), REIN_EIO (in use by another program). */
rein_status rein_run_folder_open(const char *path, rein_run_folder *out);

void rein_run_folder_close(rein_run_folder *folder); /* unlock; twice is fine */

/* Delete the folder with everything in it and close: for a run that never began. */
void rein_run_folder_remove(rein_run_folder *folder);

/* Delete what training made, and keep config.yaml and run.json: for starting over. */
rein_status rein_run_folder_clear(const rein_run_folder *folder);

/* out = folder/name; cut (and then not found) when longer than size. */
void rein_run_folder_path(const rein_run_folder *folder, const char *name, char *out, size_t size);

/* Write config.yaml, atomically, and at first the copy of net.script. Errors: REIN_EIO,
 * REIN_ENOMEM. */
rein_status rein_run_folder_write_config(const rein_run_folder *folder,
                                         const rein_experiment *experiment);

/* Add a session to run.json: what runs here, now.
 *   argc, argv  the command line
 * Errors: REIN_EIO, REIN_ENOMEM. */
rein_status rein_run_folder_write_session(const rein_run_folder *folder,
                                          const rein_experiment *experiment, int argc, char **argv);

/* summary.json of a finished run, read back. */
typedef struct rein_run_summary {
    int64_t steps, episodes, broken;
    double wall_time_s;    /* of all sessions, evaluation included */
    double sps;            /* steps per second of wall time without evaluation */
    double return_mean;    /* of the last 100 training episodes; NAN: none */
    double length_mean;    /* likewise */
    int64_t eval_episodes; /* of the last evaluation; 0: none */
    double eval_return_mean, eval_return_std;
    uint64_t fingerprint;   /* rein_run_fingerprint of the policy */
    int64_t peak_memory_kb; /* largest resident size of the last session */
} rein_run_summary;

/* Errors: REIN_EIO, REIN_ENOMEM. */
rein_status rein_run_folder_write_summary(const rein_run_folder *folder,
                                          const rein_run_summary *summary);
/* Errors: REIN_ENOTFOUND (not finished), REIN_EFORMAT. */
rein_status rein_run_folder_read_summary(const rein_run_folder *folder, rein_run_summary *out);

#endif
