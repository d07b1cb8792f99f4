/* wire/buf.h -- owned, growing bytes with a limit and a sticky failure.
 * Appending past max or out of memory sets `failed`; later appends do nothing; buf_check tells at the end.
 * So a writer of twenty fields checks once. */
#ifndef WIRE_BUF_H
#define WIRE_BUF_H

#include "wire/err.h"
#include "wire/slice.h"

struct buf {
    uint8_t *ptr;
    size_t len, cap, max; /* bytes */
    bool failed;
    bool no_memory; /* it failed for want of memory */
};

void buf_init(struct buf *b, size_t max); /* allocates nothing */
void buf_release(struct buf *b);          /* frees; b is then as after buf_init with the same max */
void buf_clear(struct buf *b);            /* len = 0, failed = false, memory kept */
void buf_append(struct buf *b, struct slice s);
void buf_bytes(struct buf *b, const void *ptr, size_t len);
void buf_str(struct buf *b, const char *s); /* without the NUL */
void buf_u8(struct buf *b, uint8_t v);
void buf_be16(struct buf *b, uint16_t v);
void buf_be32(struct buf *b, uint32_t v);
void buf_be64(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for len more bytes at the end, which now count as written; NULL on failure. */
uint8_t *buf_extend(struct buf *b, size_t len);
struct slice buf_slice(const struct buf *b);
/* NUL-terminated view, not counted in len; "" on failure. */
const char *buf_cstr(struct buf *b);
/* ERR_OK, or TOO_LARGE / NO_MEMORY if an append failed. */
enum err_code buf_check(const struct buf *b, struct err *e) ERR_CHECKED;

/* Big-endian reads; the caller has checked the length. */
uint16_t buf_get16(const uint8_t *p);
uint32_t buf_get32(const uint8_t *p);
uint64_t buf_get64(const uint8_t *p);

#endif
