/* wire/cursor.c -- see cursor.h. Byte values: the msgpack specification. */
#include "wire/cursor.h"

#include "wire/buf.h"
#include "wire/limits.h"
#include "wire/utf8.h"

/* One value's head: what it is, its number (value, length or count), and the size of the head in bytes. */
struct cursor_head {
    enum cursor_type type;
    uint64_t number; /* negative integers: two's complement */
    size_t size;
};

void cursor_init(struct cursor *c, struct slice bytes) {
    *c = (struct cursor){.bytes = bytes};
}

bool cursor_done(const struct cursor *c) {
    return c->at == c->bytes.len;
}

static enum err_code cursor_bad(const struct cursor *c, const char *what, struct err *e) {
    return err_set(e, ERR_MALFORMED, "%s at byte %zu", what, c->at);
}

/* The unsigned number of `size` bytes behind the type byte; refused unless it is above `more_than`. */
static enum err_code cursor_number(const struct cursor *c, size_t size, uint64_t more_than, struct cursor_head *h,
                                   struct err *e) {
    const uint8_t *p = c->bytes.ptr + c->at + 1;
    if (c->bytes.len - c->at - 1 < size)
        return cursor_bad(c, "cut off", e);
    h->number = size == 1 ? p[0] : size == 2 ? buf_get16(p) : size == 4 ? buf_get32(p) : buf_get64(p);
    h->size = 1 + size;
    if (h->number <= more_than)
        return cursor_bad(c, "not the shortest form", e);
    return ERR_OK;
}

/* A negative integer of `size` bytes; refused unless it is below `less_than`. */
static enum err_code cursor_negative(const struct cursor *c, size_t size, int64_t less_than, struct cursor_head *h,
                                     struct err *e) {
    const uint8_t *p = c->bytes.ptr + c->at + 1;
    int64_t v;
    if (c->bytes.len - c->at - 1 < size)
        return cursor_bad(c, "cut off", e);
    v = size == 1   ? (int8_t)p[0]
        : size == 2 ? (int16_t)buf_get16(p)
        : size == 4 ? (int32_t)buf_get32(p)
                    : (int64_t)buf_get64(p);
    if (v >= less_than)
        return cursor_bad(c, "not the shortest form", e);
    h->type = CURSOR_NEGATIVE;
    h->number = (uint64_t)v;
    h->size = 1 + size;
    return ERR_OK;
}

static enum err_code cursor_head(const struct cursor *c, struct cursor_head *h, struct err *e) {
    uint8_t b;
    if (cursor_done(c))
        return cursor_bad(c, "cut off", e);
    b = c->bytes.ptr[c->at];
    *h = (struct cursor_head){.size = 1};
    if (b <= 0x7F) {
        h->number = b;
        return ERR_OK;
    }
    if (b >= 0xE0) {
        h->type = CURSOR_NEGATIVE;
        h->number = (uint64_t)(int64_t)(int8_t)b;
        return ERR_OK;
    }
    if (b <= 0x8F) {
        h->type = CURSOR_MAP;
        h->number = b & 0x0Fu;
        return ERR_OK;
    }
    if (b <= 0x9F) {
        h->type = CURSOR_ARRAY;
        h->number = b & 0x0Fu;
        return ERR_OK;
    }
    if (b <= 0xBF) {
        h->type = CURSOR_STR;
        h->number = b & 0x1Fu;
        return ERR_OK;
    }
    switch (b) {
    case 0xC2:
    case 0xC3:
        h->type = CURSOR_BOOL;
        h->number = b & 1u;
        return ERR_OK;
    case 0xC4:
        h->type = CURSOR_BIN;
        if (c->bytes.len - c->at < 2)
            return cursor_bad(c, "cut off", e);
        h->number = c->bytes.ptr[c->at + 1];
        h->size = 2;
        return ERR_OK;
    case 0xC5:
        h->type = CURSOR_BIN;
        return cursor_number(c, 2, 0xFF, h, e);
    case 0xC6:
        h->type = CURSOR_BIN;
        return cursor_number(c, 4, 0xFFFF, h, e);
    case 0xCC:
        return cursor_number(c, 1, 0x7F, h, e);
    case 0xCD:
        return cursor_number(c, 2, 0xFF, h, e);
    case 0xCE:
        return cursor_number(c, 4, 0xFFFF, h, e);
    case 0xCF:
        return cursor_number(c, 8, 0xFFFFFFFF, h, e);
    case 0xD0:
        return cursor_negative(c, 1, -32, h, e);
    case 0xD1:
        return cursor_negative(c, 2, INT8_MIN, h, e);
    case 0xD2:
        return cursor_negative(c, 4, INT16_MIN, h, e);
    case 0xD3:
        return cursor_negative(c, 8, INT32_MIN, h, e);
    case 0xD9:
        h->type = CURSOR_STR;
        return cursor_number(c, 1, 31, h, e);
    case 0xDA:
        h->type = CURSOR_STR;
        return cursor_number(c, 2, 0xFF, h, e);
    case 0xDB:
        h->type = CURSOR_STR;
        return cursor_number(c, 4, 0xFFFF, h, e);
    case 0xDC:
        h->type = CURSOR_ARRAY;
        return cursor_number(c, 2, 15, h, e);
    case 0xDD:
        h->type = CURSOR_ARRAY;
        return cursor_number(c, 4, 0xFFFF, h, e);
    case 0xDE:
        h->type = CURSOR_MAP;
        return cursor_number(c, 2, 15, h, e);
    case 0xDF:
        h->type = CURSOR_MAP;
        return cursor_number(c, 4, 0xFFFF, h, e);
    default: /* nil, floats, extensions, the reserved byte */
        return cursor_bad(c, "a type that is not allowed", e);
    }
}

/* Reads the head of the next value, which must be of `type`, and checks lengths and counts against what is left. */
static enum err_code cursor_take(struct cursor *c, struct cursor_head *h, struct err *e) {
    enum err_code rc = cursor_head(c, h, e);
    size_t left;
    if (rc != ERR_OK)
        return rc;
    left = c->bytes.len - c->at - h->size;
    if (h->type == CURSOR_STR || h->type == CURSOR_BIN || h->type == CURSOR_ARRAY)
        if (h->number > left)
            return cursor_bad(c, "claims more than there is", e);
    if (h->type == CURSOR_MAP && h->number > left / 2)
        return cursor_bad(c, "claims more than there is", e);
    if (h->type == CURSOR_STR && !utf8_valid(slice_of(c->bytes.ptr + c->at + h->size, (size_t)h->number)))
        return cursor_bad(c, "text that is not UTF-8", e);
    c->at += h->size;
    return ERR_OK;
}

static enum err_code cursor_expect(struct cursor *c, enum cursor_type type, const char *what, struct cursor_head *h,
                                   struct err *e) {
    struct cursor before = *c;
    enum err_code rc = cursor_take(c, h, e);
    if (rc == ERR_OK && h->type != type) {
        *c = before;
        rc = err_set(e, ERR_MALFORMED, "expected %s at byte %zu", what, c->at);
    }
    return rc;
}

enum err_code cursor_peek(const struct cursor *c, enum cursor_type *type, struct err *e) {
    struct cursor_head h;
    enum err_code rc = cursor_head(c, &h, e);
    if (rc == ERR_OK)
        *type = h.type;
    return rc;
}

enum err_code cursor_u64(struct cursor *c, uint64_t *v, struct err *e) {
    struct cursor_head h;
    enum err_code rc = cursor_expect(c, CURSOR_U64, "a whole number from 0", &h, e);
    if (rc == ERR_OK)
        *v = h.number;
    return rc;
}

enum err_code cursor_i64(struct cursor *c, int64_t *v, struct err *e) {
    struct cursor_head h;
    struct cursor before = *c;
    enum err_code rc = cursor_take(c, &h, e);
    if (rc != ERR_OK)
        return rc;
    if (h.type != CURSOR_NEGATIVE && (h.type != CURSOR_U64 || h.number > INT64_MAX)) {
        *c = before;
        return err_set(e, ERR_MALFORMED, "expected a whole number at byte %zu", c->at);
    }
    *v = (int64_t)h.number;
    return ERR_OK;
}

enum err_code cursor_bool(struct cursor *c, bool *v, struct err *e) {
    struct cursor_head h;
    enum err_code rc = cursor_expect(c, CURSOR_BOOL, "true or false", &h, e);
    if (rc == ERR_OK)
        *v = h.number != 0;
    return rc;
}

static enum err_code cursor_text(struct cursor *c, enum cursor_type type, const char *what, struct slice *v,
                                 struct err *e) {
    struct cursor_head h;
    enum err_code rc = cursor_expect(c, type, what, &h, e);
    if (rc == ERR_OK) {
        *v = slice_of(c->bytes.ptr + c->at, (size_t)h.number);
        c->at += (size_t)h.number;
    }
    return rc;
}

enum err_code cursor_str(struct cursor *c, struct slice *v, struct err *e) {
    return cursor_text(c, CURSOR_STR, "text", v, e);
}

enum err_code cursor_bin(struct cursor *c, struct slice *v, struct err *e) {
    return cursor_text(c, CURSOR_BIN, "bytes", v, e);
}

enum err_code cursor_array(struct cursor *c, uint32_t *count, struct err *e) {
    struct cursor_head h;
    enum err_code rc = cursor_expect(c, CURSOR_ARRAY, "a list", &h, e);
    if (rc == ERR_OK)
        *count = (uint32_t)h.number;
    return rc;
}

enum err_code cursor_map(struct cursor *c, uint32_t *count, struct err *e) {
    struct cursor_head h;
    enum err_code rc = cursor_expect(c, CURSOR_MAP, "a map", &h, e);
    if (rc == ERR_OK)
        *count = (uint32_t)h.number;
    return rc;
}

/* An open list or map while skipping. */
struct cursor_level {
    uint64_t left; /* values still to come; a map counts its keys too */
    bool map;
    struct slice last_key;
};

/* At a key's place of a map: reads the key, which must sort after the last one. */
static enum err_code cursor_key(struct cursor *c, struct cursor_level *level, struct err *e) {
    struct slice key;
    size_t at = c->at;
    enum err_code rc = cursor_str(c, &key, e);
    if (rc != ERR_OK)
        return rc;
    if (level->last_key.ptr && slice_cmp(level->last_key, key) >= 0)
        return err_set(e, ERR_MALFORMED, "key \"%.*s\" is repeated or not in order at byte %zu",
                       (int)(key.len < 64 ? key.len : 64), (const char *)key.ptr, at);
    level->last_key = key;
    level->left--;
    return ERR_OK;
}

enum err_code cursor_skip(struct cursor *c, unsigned depth_max, struct slice *raw, struct err *e) {
    struct cursor_level stack[LIMIT_DEPTH];
    unsigned depth = 0;
    size_t from = c->at;
    ERR_ASSERT(depth_max <= LIMIT_DEPTH);
    do {
        struct cursor_head h;
        enum err_code rc;
        while (depth > 0 && stack[depth - 1].left == 0)
            depth--;
        if (depth > 0 && stack[depth - 1].map && stack[depth - 1].left % 2 == 0) {
            rc = cursor_key(c, &stack[depth - 1], e);
            if (rc != ERR_OK)
                return rc;
        }
        rc = cursor_take(c, &h, e);
        if (rc != ERR_OK)
            return rc;
        if (depth > 0)
            stack[depth - 1].left--;
        if (h.type == CURSOR_STR || h.type == CURSOR_BIN) {
            c->at += (size_t)h.number;
        } else if (h.type == CURSOR_ARRAY || h.type == CURSOR_MAP) {
            if (depth == depth_max)
                return err_set(e, ERR_TOO_LARGE, "nested more than %u deep at byte %zu", depth_max, c->at);
            stack[depth++] = (struct cursor_level){.left = h.type == CURSOR_MAP ? 2 * h.number : h.number,
                                                   .map = h.type == CURSOR_MAP};
        }
        while (depth > 0 && stack[depth - 1].left == 0)
            depth--;
    } while (depth > 0);
    if (raw)
        *raw = slice_of(c->bytes.ptr + from, c->at - from);
    return ERR_OK;
}

enum err_code cursor_check(struct slice bytes, unsigned depth_max, struct err *e) {
    struct cursor c;
    enum err_code rc;
    cursor_init(&c, bytes);
    rc = cursor_skip(&c, depth_max, NULL, e);
    if (rc == ERR_OK && !cursor_done(&c))
        rc = cursor_bad(&c, "more bytes than one value", e);
    return rc;
}
