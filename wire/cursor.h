/* wire/cursor.h -- the bounded reader that every outside byte meets first.
 * One pass, no allocation, no recursion. Reads canonical msgpack only (docs/FORMATS.md 1): shortest forms, valid
 * UTF-8, no nil, float or extension. A count or length is checked against the bytes that are left before anything
 * is done with it, so a five-byte header that claims 268 million elements is refused at once.
 * Errors: MALFORMED (with the byte offset), TOO_LARGE (depth). */
#ifndef WIRE_CURSOR_H
#define WIRE_CURSOR_H

#include "wire/err.h"
#include "wire/slice.h"

struct cursor {
    struct slice bytes;
    size_t at;
};

enum cursor_type { CURSOR_U64, CURSOR_NEGATIVE, CURSOR_BOOL, CURSOR_STR, CURSOR_BIN, CURSOR_ARRAY, CURSOR_MAP };

void cursor_init(struct cursor *c, struct slice bytes);
bool cursor_done(const struct cursor *c);
/* Type of the next value, without moving. */
enum err_code cursor_peek(const struct cursor *c, enum cursor_type *type, struct err *e) ERR_CHECKED;
enum err_code cursor_u64(struct cursor *c, uint64_t *v, struct err *e) ERR_CHECKED;
enum err_code cursor_i64(struct cursor *c, int64_t *v, struct err *e) ERR_CHECKED;
enum err_code cursor_bool(struct cursor *c, bool *v, struct err *e) ERR_CHECKED;
enum err_code cursor_str(struct cursor *c, struct slice *v, struct err *e) ERR_CHECKED; /* borrows */
enum err_code cursor_bin(struct cursor *c, struct slice *v, struct err *e) ERR_CHECKED; /* borrows */
enum err_code cursor_array(struct cursor *c, uint32_t *count, struct err *e) ERR_CHECKED;
enum err_code cursor_map(struct cursor *c, uint32_t *count, struct err *e) ERR_CHECKED;
/* Moves past one whole value, checking it and all in it, keys' order and uniqueness included;
 * *raw (may be NULL) borrows its bytes. depth_max: at most LIMIT_DEPTH. */
enum err_code cursor_skip(struct cursor *c, unsigned depth_max, struct slice *raw, struct err *e) ERR_CHECKED;
/* Is `bytes` exactly one canonical value, nested at most depth_max deep? */
enum err_code cursor_check(struct slice bytes, unsigned depth_max, struct err *e) ERR_CHECKED;

#endif
