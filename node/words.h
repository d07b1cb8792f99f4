/* node/words.h -- what people and programs write in options and addresses, as values. Pure. */
#ifndef NODE_WORDS_H
#define NODE_WORDS_H

#include "wire/err.h"
#include "wire/slice.h"

enum { WORDS_UID = 16 /* bytes: hyphens are allowed in a value of this size */ };

/* "[TYPE:]NAME" apart, at the first colon. */
void words_typed(const char *text, struct slice *type, struct slice *name);
/* A date or an RFC 3339 time, as ms since 1970 UTC. USAGE begins with `what`. */
enum err_code words_time(const char *what, const char *text, int64_t *ms, struct err *e) ERR_CHECKED;
/* Hex into exactly `size` bytes. USAGE begins with `what`. */
enum err_code words_hex(const char *what, const char *text, uint8_t *out, size_t size, struct err *e) ERR_CHECKED;

#endif
