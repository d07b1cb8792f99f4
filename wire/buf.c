/* wire/buf.c -- see buf.h. */
#include "wire/buf.h"

#include "wire/mem.h"

#include <stdarg.h>
#include <stdio.h>

void buf_init(struct buf *b, size_t max) {
    *b = (struct buf){.max = max};
}

void buf_release(struct buf *b) {
    mem_free(b->ptr);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b) {
    b->len = 0;
    b->failed = b->no_memory = false;
}

/* Makes room for `more` bytes; false and failed when there is none. */
static bool buf_room(struct buf *b, size_t more) {
    size_t want, cap;
    uint8_t *p;
    if (b->failed)
        return false;
    if (more > b->max || b->len > b->max - more) {
        b->failed = true;
        return false;
    }
    want = b->len + more;
    if (want <= b->cap)
        return true;
    cap = b->cap < 256 ? 256 : b->cap;
    while (cap < want)
        cap = cap > SIZE_MAX / 2 ? want : cap * 2;
    p = mem_realloc(b->ptr, cap);
    if (!p) {
        b->failed = b->no_memory = true;
        return false;
    }
    b->ptr = p;
    b->cap = cap;
    return true;
}

uint8_t *buf_extend(struct buf *b, size_t len) {
    uint8_t *p;
    if (!buf_room(b, len))
        return NULL;
    p = b->ptr + b->len;
    b->len += len;
    return p;
}

void buf_bytes(struct buf *b, const void *ptr, size_t len) {
    uint8_t *p;
    if (len == 0)
        return;
    p = buf_extend(b, len);
    if (p)
        memcpy(p, ptr, len);
}

void buf_append(struct buf *b, struct slice s) {
    buf_bytes(b, s.ptr, s.len);
}

void buf_str(struct buf *b, const char *s) {
    buf_bytes(b, s, strlen(s));
}

void buf_u8(struct buf *b, uint8_t v) {
    buf_bytes(b, &v, 1);
}

void buf_be16(struct buf *b, uint16_t v) {
    uint8_t p[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    buf_bytes(b, p, sizeof p);
}

void buf_be32(struct buf *b, uint32_t v) {
    buf_be16(b, (uint16_t)(v >> 16));
    buf_be16(b, (uint16_t)v);
}

void buf_be64(struct buf *b, uint64_t v) {
    buf_be32(b, (uint32_t)(v >> 32));
    buf_be32(b, (uint32_t)v);
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list ap, again;
    int n;
    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
    } else if (buf_room(b, (size_t)n + 1)) { /* vsnprintf writes a NUL behind the text */
        vsnprintf((char *)b->ptr + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

struct slice buf_slice(const struct buf *b) {
    return slice_of(b->ptr, b->len);
}

const char *buf_cstr(struct buf *b) {
    size_t len = b->len;
    buf_u8(b, 0);
    if (b->failed)
        return "";
    b->len = len;
    return (const char *)b->ptr;
}

enum err_code buf_check(const struct buf *b, struct err *e) {
    if (!b->failed)
        return ERR_OK;
    if (b->no_memory)
        return err_set(e, ERR_NO_MEMORY, "no memory for more than %zu bytes", b->len);
    return err_set(e, ERR_TOO_LARGE, "more than %zu bytes", b->max);
}

uint16_t buf_get16(const uint8_t *p) {
    return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t buf_get32(const uint8_t *p) {
    return (uint32_t)buf_get16(p) << 16 | buf_get16(p + 2);
}

uint64_t buf_get64(const uint8_t *p) {
    return (uint64_t)buf_get32(p) << 32 | buf_get32(p + 4);
}
