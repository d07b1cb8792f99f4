/* wire/json.c -- see json.h. The cursor checks the document; then msgpack-c unpacks it. */
#include "wire/json.h"

#include "wire/cursor.h"
#include "wire/limits.h"
#include "wire/utf8.h"

#include <inttypes.h>
#include <msgpack/object.h>
#include <msgpack/unpack.h>

void json_text(struct slice text, struct buf *out) {
    buf_u8(out, '"');
    while (text.len > 0) {
        size_t i, good = utf8_valid_prefix(text), from = 0;
        for (i = 0; i < good; i++) {
            uint8_t c = text.ptr[i];
            if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F)
                continue;
            buf_bytes(out, text.ptr + from, i - from);
            from = i + 1;
            if (c == '"' || c == '\\')
                buf_printf(out, "\\%c", c);
            else if (c == '\n')
                buf_str(out, "\\n");
            else
                buf_printf(out, "\\u%04x", c);
        }
        buf_bytes(out, text.ptr + from, good - from);
        text = slice_from(text, good);
        if (text.len > 0) {
            buf_str(out, "\xEF\xBF\xBD");
            text = slice_from(text, 1);
        }
    }
    buf_u8(out, '"');
}

static void json_bytes(const char *p, size_t len, struct buf *out) {
    static const char digits[] = "0123456789abcdef";
    size_t i;
    buf_u8(out, '"');
    for (i = 0; i < len; i++) {
        buf_u8(out, (uint8_t)digits[(uint8_t)p[i] >> 4]);
        buf_u8(out, (uint8_t)digits[(uint8_t)p[i] & 15]);
    }
    buf_u8(out, '"');
}

/* Depth is bounded by the check before. */
static void json_object(const msgpack_object *o, struct buf *out) {
    uint32_t i;
    switch (o->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        buf_str(out, o->via.boolean ? "true" : "false");
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        buf_printf(out, "%" PRIu64, o->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        buf_printf(out, "%" PRId64, o->via.i64);
        break;
    case MSGPACK_OBJECT_STR:
        json_text(slice_of(o->via.str.ptr, o->via.str.size), out);
        break;
    case MSGPACK_OBJECT_BIN:
        json_bytes(o->via.bin.ptr, o->via.bin.size, out);
        break;
    case MSGPACK_OBJECT_ARRAY:
        buf_u8(out, '[');
        for (i = 0; i < o->via.array.size; i++) {
            if (i)
                buf_u8(out, ',');
            json_object(&o->via.array.ptr[i], out);
        }
        buf_u8(out, ']');
        break;
    case MSGPACK_OBJECT_MAP:
        buf_u8(out, '{');
        for (i = 0; i < o->via.map.size; i++) {
            if (i)
                buf_u8(out, ',');
            json_object(&o->via.map.ptr[i].key, out);
            buf_u8(out, ':');
            json_object(&o->via.map.ptr[i].val, out);
        }
        buf_u8(out, '}');
        break;
    case MSGPACK_OBJECT_NIL:
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
    case MSGPACK_OBJECT_EXT:
        out->failed = true; /* the check before lets none through */
        break;
    }
}

enum err_code json_from_pack(struct slice doc, struct buf *out, struct err *e) {
    msgpack_unpacked result;
    size_t at = 0;
    enum err_code rc = cursor_check(doc, LIMIT_DEPTH, e);
    if (rc != ERR_OK)
        return rc;
    msgpack_unpacked_init(&result);
    if (msgpack_unpack_next(&result, (const char *)doc.ptr, doc.len, &at) == MSGPACK_UNPACK_SUCCESS)
        json_object(&result.data, out);
    else
        rc = err_set(e, ERR_NO_MEMORY, "no memory to print a document of %zu bytes", doc.len);
    msgpack_unpacked_destroy(&result);
    return rc == ERR_OK ? buf_check(out, e) : rc;
}
