/* node/log.h -- one line an event on standard error: time, level, area, words.
 * Never a secret, never the content of a record. Thread-safe (one write a line). */
#ifndef NODE_LOG_H
#define NODE_LOG_H

#include "wire/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);
/* area: "channel acme", "peers", "ingest" ... */
void log_line(enum log_level level, const char *area, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void log_err(const char *area, const char *doing, const struct err *e); /* LOG_ERROR "doing: CODE text" */

#endif
