/* wire/yaml_scalar.h -- the meaning of one YAML scalar's text. Pure; what allocates does so in an arena. */
#ifndef WIRE_YAML_SCALAR_H
#define WIRE_YAML_SCALAR_H

#include "wire/arena.h"
#include "wire/err.h"

/* -?(0|[1-9][0-9]*) that fits; nothing else is a number. */
bool yaml_scalar_u64(struct slice t, uint64_t *v);
bool yaml_scalar_i64(struct slice t, int64_t *v);
/* YYYY-MM-DD, or RFC 3339 with T or a space, fraction of any length, Z or an offset; ms since 1970 UTC. */
bool yaml_scalar_time(struct slice t, int64_t *ms);
bool yaml_scalar_bool(struct slice t, bool *v);
bool yaml_scalar_null(struct slice t); /* nothing, ~, null */
/* Bytes of hex digits, base64, "hex:", "base64:", or one PEM block. False: none of these. Memory: *failed. */
bool yaml_scalar_bytes(struct slice t, struct arena *a, struct slice *out, bool *failed);
/* NFC of valid UTF-8; the text itself when it is NFC. NO_MEMORY, TOO_LARGE, MALFORMED. */
enum err_code yaml_scalar_nfc(struct slice t, struct arena *a, struct slice *out, struct err *e) ERR_CHECKED;

#endif
