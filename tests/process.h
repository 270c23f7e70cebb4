/* Runs a program as a process of its own and looks at what it leaves: for tests of the command
 * line. Thread-safety: one caller. */
#ifndef REIN_TESTS_PROCESS_H
#define REIN_TESTS_PROCESS_H

#include <stddef.h>

typedef struct process_options {
    const char *folder;      /* to run in; NULL: here */
    const char *environment; /* "NAME=value" added; NULL: none */
    double signal_after_s;   /* send `signal` after so long, when the program still runs */
    int signal;              /* 0: none */
    size_t file_limit;       /* RLIMIT_FSIZE in bytes; 0: none */
    const char *output;      /* stdout goes to this file instead of `out`; NULL: no */
} process_options;

typedef struct process_result {
    int code;        /* exit code; -1 when a signal ended it */
    int signal;      /* that signal; 0: none */
    char *out, *err; /* all it printed, '\0' behind */
} process_result;

/* Run words[0] with these arguments [until NULL] and wait for its end (at most 300 s, then it is
 * killed). options NULL: none. Free with process_free. */
process_result process_run(const char *const *words, const process_options *options);
void process_free(process_result *result);

/* Lines in a text. */
int process_lines(const char *text);

#endif
