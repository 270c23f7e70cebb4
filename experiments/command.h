/* The sub-commands of `rein`: one function and one file each, and what they share.
 *
 * A command gets argv[0] = its own name, prints results to stdout, at most one line to stderr,
 * and returns the program's exit code: 0 done, 1 failed, 2 wrong usage or config, 130 stopped by
 * the user. Thread-safety: called once, by main. */
#ifndef REIN_EXPERIMENTS_COMMAND_H
#define REIN_EXPERIMENTS_COMMAND_H

#include <getopt.h>
#include <stddef.h>
#include <stdint.h>

#include "base/settings.h"
#include "base/status.h"

int rein_cmd_train(int argc, char **argv);
int rein_cmd_resume(int argc, char **argv);
int rein_cmd_eval(int argc, char **argv);
int rein_cmd_envs(int argc, char **argv);
int rein_cmd_algos(int argc, char **argv);
int rein_cmd_config(int argc, char **argv);
int rein_cmd_check(int argc, char **argv);
int rein_cmd_bench(int argc, char **argv);

enum { REIN_EXIT_OK = 0, REIN_EXIT_FAILED = 1, REIN_EXIT_USAGE = 2, REIN_EXIT_STOPPED = 130 };

/* The exit code that belongs to a status. */
int rein_command_exit(rein_status status);

/* Print "rein: " and this thread's error message as one line on stderr; returns the exit code. */
int rein_command_fail(rein_status status);

/* Print one line about wrong usage, ending in where to find help; returns REIN_EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int rein_command_usage(const char *command,
                                                             const char *format, ...);

/* Next option of a command line, as getopt_long does it, with our own one-line errors.
 *   options  in  ends with a zero entry; {"help", no_argument, NULL, 'h'} by convention
 * Returns the option's val, -1 behind the last (positionals begin at argv[optind]), or '?' after
 * an error that has been printed: the caller then returns REIN_EXIT_USAGE. */
int rein_command_option(int argc, char **argv, const struct option *options);

/* A whole number in [low, high] from an option's argument.
 * Errors: REIN_ECONFIG "--episodes: 0 is outside [1, 1000000]". */
rein_status rein_command_integer(const char *option, const char *text, int64_t low, int64_t high,
                                 int64_t *out);

/* Path of the config called `name`: a file's path, or a name like "ppo/cartpole", looked up as
 * <folder>/<name>.yaml in $REIN_CONFIGS, ./configs and ../configs beside the program.
 * Errors: REIN_ENOTFOUND with the nearest config there is. */
rein_status rein_command_find_config(const char *name, char *path, size_t size);

/* Names of all configs found there, e.g. "ppo/cartpole", sorted; call visit for each. */
void rein_command_each_config(void (*visit)(const char *name, void *context), void *context);

/* Processors that this process may use; at least 1. */
int rein_command_cores(void);

#endif
