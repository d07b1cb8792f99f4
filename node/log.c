/* node/log.c -- see log.h. The level is the one process-wide setting of the program. */
#include "node/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_int log_level_max = LOG_INFO;

void log_set_level(enum log_level level) {
    atomic_store(&log_level_max, (int)level);
}

void log_line(enum log_level level, const char *area, const char *fmt, ...) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char line[1024];
    struct timespec now;
    struct tm tm;
    va_list ap;
    size_t at;
    int n;
    if ((int)level > atomic_load_explicit(&log_level_max, memory_order_relaxed))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    at = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    n = snprintf(line + at, sizeof line - at, ".%03ldZ %s %s: ", now.tv_nsec / 1000000, names[level], area);
    at += n > 0 ? (size_t)n : 0;
    va_start(ap, fmt);
    n = vsnprintf(line + at, sizeof line - at, fmt, ap);
    va_end(ap);
    at += n > 0 ? (size_t)n : 0;
    if (at > sizeof line - 2)
        at = sizeof line - 2;
    line[at++] = '\n';
    if (write(STDERR_FILENO, line, at) < 0)
        return; /* there is nowhere to report that reporting fails */
}

void log_err(const char *area, const char *doing, const struct err *e) {
    log_line(LOG_ERROR, area, "%s: %s: %s", doing, err_name(e->code), e->text);
}
