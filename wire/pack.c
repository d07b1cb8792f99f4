/* wire/pack.c -- see pack.h. msgpack-c writes the shortest form of every integer and length by itself. */
#include "wire/pack.h"

#include <msgpack/pack.h>

static int pack_write(void *data, const char *bytes, size_t len) {
    struct buf *b = data;
    buf_bytes(b, bytes, len);
    return b->failed ? -1 : 0;
}

static msgpack_packer pack_on(struct buf *b) {
    return (msgpack_packer){.data = b, .callback = pack_write};
}

void pack_map(struct buf *b, uint32_t count) {
    msgpack_packer p = pack_on(b);
    msgpack_pack_map(&p, count);
}

void pack_array(struct buf *b, uint32_t count) {
    msgpack_packer p = pack_on(b);
    msgpack_pack_array(&p, count);
}

void pack_str(struct buf *b, struct slice s) {
    msgpack_packer p = pack_on(b);
    msgpack_pack_str(&p, s.len);
    buf_append(b, s);
}

void pack_cstr(struct buf *b, const char *s) {
    pack_str(b, slice_str(s));
}

void pack_bin(struct buf *b, struct slice s) {
    msgpack_packer p = pack_on(b);
    msgpack_pack_bin(&p, s.len);
    buf_append(b, s);
}

void pack_u64(struct buf *b, uint64_t v) {
    msgpack_packer p = pack_on(b);
    msgpack_pack_uint64(&p, v);
}

void pack_i64(struct buf *b, int64_t v) {
    msgpack_packer p = pack_on(b);
    msgpack_pack_int64(&p, v);
}

void pack_bool(struct buf *b, bool v) {
    msgpack_packer p = pack_on(b);
    if (v)
        msgpack_pack_true(&p);
    else
        msgpack_pack_false(&p);
}
