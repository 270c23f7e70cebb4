#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

/* A message is one line whatever went into it: a path, a user's text, a library's words. */
static void message_set(const char text[sizeof message])
{
    size_t i = 0;
    for (; i + 1 < sizeof message && text[i]; i++) {
        unsigned char c = (unsigned char)text[i];
        message[i] = c < 0x20 || c == 0x7f ? ' ' : text[i];
    }
    message[i] = '\0';
}

rein_status rein_fail(rein_status status, const char *format, ...)
{
    char text[sizeof message]; /* arguments may point into the old message */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    message_set(text);
    return status;
}

rein_status rein_fail_in(rein_status status, const char *format, ...)
{
    char text[sizeof message];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof text) {
        snprintf(text + n, sizeof text - (size_t)n, ": %s", message);
    }
    message_set(text);
    return status;
}

const char *rein_error_message(void)
{
    return message;
}

const char *rein_status_name(rein_status status)
{
    switch (status) {
#define X(name, value, text)                                                                       \
    case REIN_##name:                                                                              \
        return "REIN_" #name;
        REIN_STATUS_LIST(X)
#undef X
    }
    return "REIN_?";
}
