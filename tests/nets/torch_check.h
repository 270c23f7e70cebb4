/* What a function of the C API returned, and what it said. */
#ifndef REIN_TESTS_NETS_TORCH_CHECK_H
#define REIN_TESTS_NETS_TORCH_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

static inline void ok(rein_status status)
{
    if (status != REIN_OK) fail_msg("%s", rein_error_message());
}

static inline void refused(rein_status status, rein_status wanted, const char *words)
{
    if (status != wanted) {
        fail_msg("%s instead of %s for '%s'", rein_status_name(status), rein_status_name(wanted),
                 words);
    }
    if (strstr(rein_error_message(), words) == NULL) {
        fail_msg("no '%s' in '%s'", words, rein_error_message());
    }
}

#endif
