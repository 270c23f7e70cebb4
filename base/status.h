/* Status codes and the thread-local message of the last error.
 *
 * Every function that can fail returns a rein_status: 0 is success, errors are negative. The text
 * that explains it is kept per thread until the next failure of that thread.
 *
 *     if (n > stored) return rein_fail(REIN_EINVAL, "batch %d > stored %d", n, stored);
 *
 * Thread-safety: all functions may be called from any thread at any time. */
#ifndef REIN_BASE_STATUS_H
#define REIN_BASE_STATUS_H

#include <stddef.h>

/* name, value, what it means and an input that causes it */
#define REIN_STATUS_LIST(X)                                                                        \
    X(OK, 0, "success")                                                                            \
    X(EINVAL, -1, "invalid argument (a batch of 0 rows)")                                          \
    X(ENOMEM, -2, "out of memory (a replay larger than the machine)")                              \
    X(EIO, -3, "input or output failed (a full disk, an unwritable folder)")                       \
    X(EFORMAT, -4, "damaged or foreign file (a truncated checkpoint)")                             \
    X(ENOTFOUND, -5, "not found (a missing file, an unknown environment id)")                      \
    X(ECONFIG, -6, "wrong config (an unknown key, a value out of range)")                          \
    X(EEMPTY, -7, "nothing to take (sampling from an empty replay)")                               \
    X(ENAN, -8, "a number is not finite (an environment returned NaN)")                            \
    X(EUNSUPPORTED, -9, "not possible together (a discrete algorithm on a continuous task)")       \
    X(EINTERRUPTED, -10, "stopped by the user")                                                    \
    X(EDIFFER, -11, "two things that should be equal differ (a recorded trace)")

typedef enum rein_status {
#define X(name, value, text) REIN_##name = value,
    REIN_STATUS_LIST(X)
#undef X
} rein_status;

/* Set this thread's message (printf format, at most 1023 bytes, longer text is cut) and return
 * `status`, so that one line both explains and returns. Control characters become blanks: a
 * message is always one line. Allocates: no. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
rein_status
rein_fail(rein_status status, const char *format, ...);

/* Put "prefix: " before this thread's message and return `status`: callers add what they know
 * (a file, a key) to what the callee found. Allocates: no. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
rein_status
rein_fail_in(rein_status status, const char *format, ...);

/* This thread's message; "" before the first failure. Valid until the thread's next failure. */
const char *rein_error_message(void);

/* "REIN_EINVAL" for REIN_EINVAL; "REIN_?" for a value that is not in the list. */
const char *rein_status_name(rein_status status);

/* Return from the calling function when `expression` is an error. */
#define REIN_TRY(expression)                                                                       \
    do {                                                                                           \
        rein_status rein_try_status_ = (expression);                                               \
        if (rein_try_status_ != REIN_OK) return rein_try_status_;                                  \
    } while (0)

#endif
