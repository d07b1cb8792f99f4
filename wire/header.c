/* wire/header.c -- see header.h. */
#include "wire/header.h"

#include "wire/buf.h"

static const char header_tag[15] = "assay/block/v1";

static uint8_t *header_put(uint8_t *p, uint64_t v, unsigned bytes) {
    while (bytes > 0)
        *p++ = (uint8_t)(v >> (8 * --bytes));
    return p;
}

static uint8_t *header_put_digest(uint8_t *p, const struct digest *d) {
    memcpy(p, d->b, DIGEST_SIZE);
    return p + DIGEST_SIZE;
}

void header_write(const struct header *h, uint8_t out[HEADER_SIZE]) {
    uint8_t *p = out;
    memcpy(p, header_tag, sizeof header_tag);
    p += sizeof header_tag;
    p = header_put_digest(p, &h->channel);
    p = header_put(p, h->epoch, 8);
    p = header_put(p, h->height, 8);
    p = header_put_digest(p, &h->prev);
    p = header_put_digest(p, &h->body_root);
    p = header_put(p, h->body_len, 4);
    p = header_put(p, h->entries, 4);
    p = header_put(p, h->tree_size, 8);
    p = header_put_digest(p, &h->tree_root);
    p = header_put(p, (uint64_t)h->time, 8);
    ERR_ASSERT(p == out + HEADER_SIZE);
}

enum err_code header_read(struct slice bytes, struct header *out, struct err *e) {
    const uint8_t *p = bytes.ptr;
    if (bytes.len != HEADER_SIZE || memcmp(p, header_tag, sizeof header_tag) != 0)
        return err_set(e, ERR_MALFORMED, "not a block header of version 1");
    memcpy(out->channel.b, p + 15, DIGEST_SIZE);
    out->epoch = buf_get64(p + 47);
    out->height = buf_get64(p + 55);
    memcpy(out->prev.b, p + 63, DIGEST_SIZE);
    memcpy(out->body_root.b, p + 95, DIGEST_SIZE);
    out->body_len = buf_get32(p + 127);
    out->entries = buf_get32(p + 131);
    out->tree_size = buf_get64(p + 135);
    memcpy(out->tree_root.b, p + 143, DIGEST_SIZE);
    out->time = (int64_t)buf_get64(p + 175);
    if (out->time < 0 || out->entries > out->tree_size)
        return err_set(e, ERR_MALFORMED, "a block header with impossible numbers");
    return ERR_OK;
}

struct digest header_hash(const struct header *h) {
    uint8_t bytes[HEADER_SIZE];
    header_write(h, bytes);
    return digest_of(slice_of(bytes, sizeof bytes));
}
