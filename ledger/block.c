/* ledger/block.c -- see block.h. */
#include "ledger/block.h"

#include "wire/pack.h"

enum err_code block_read(struct slice body, struct arena *a, struct block_body *out, struct err *e) {
    struct cursor c;
    uint32_t i, count;
    enum err_code code;
    if (body.len > LIMIT_BLOCK_BODY)
        return err_set(e, ERR_TOO_LARGE, "a block's body of %zu bytes", body.len);
    cursor_init(&c, body);
    code = cursor_array(&c, &count, e);
    if (code != ERR_OK)
        return code;
    if (count == 0 || count > LIMIT_BLOCK_BATCHES)
        return err_set(e, ERR_TOO_LARGE, "a block of %u batches", count);
    *out = (struct block_body){.count = count, .batches = arena_alloc(a, count, sizeof *out->batches)};
    if (!out->batches)
        return err_set(e, ERR_NO_MEMORY, "the batches of a block");
    for (i = 0; i < count; i++) {
        code = batch_read_at(&c, &out->batches[i], e);
        if (code != ERR_OK)
            return err_wrap(e, "batch %u of the block", i), code;
        out->entries += out->batches[i].header.count; /* each is bounded, and so are the sums */
        out->raw_bytes += out->batches[i].header.raw_len;
    }
    if (!cursor_done(&c))
        return err_set(e, ERR_MALFORMED, "bytes behind a block's body");
    if (out->entries > LIMIT_BLOCK_ENTRIES || out->raw_bytes > LIMIT_BLOCK_RAW)
        return err_set(e, ERR_TOO_LARGE, "a block of %llu entries, %llu bytes", (unsigned long long)out->entries,
                       (unsigned long long)out->raw_bytes);
    return ERR_OK;
}

void block_write(const struct batch *batches, uint32_t count, struct buf *out) {
    uint32_t i;
    pack_array(out, count);
    for (i = 0; i < count; i++)
        batch_write(&batches[i], out);
}

struct digest block_body_root(const struct batch *batches, uint32_t count) {
    struct digest_state s;
    struct digest d;
    uint32_t i;
    digest_init(&s);
    for (i = 0; i < count; i++) {
        digest_update(&s, digest_slice(&batches[i].hash));
        digest_update(&s, slice_of(batches[i].header.sig.b, SIGN_SIZE));
    }
    digest_final(&s, &d);
    return d;
}

enum err_code block_match(const struct header *h, struct slice body, const struct block_body *b, struct err *e) {
    struct digest root = block_body_root(b->batches, b->count);
    if (body.len != h->body_len)
        return err_set(e, ERR_MISMATCH, "a body of %zu bytes under a header that says %u", body.len, h->body_len);
    if (!digest_eq(&root, &h->body_root))
        return err_set(e, ERR_MISMATCH, "a body that is not the header's");
    if (b->entries != h->entries)
        return err_set(e, ERR_MISMATCH, "%llu entries under a header that says %u", (unsigned long long)b->entries,
                       h->entries);
    return ERR_OK;
}

struct digest block_genesis(const struct digest *channel) {
    return digest_tagged("assay/genesis-block/v1", digest_slice(channel));
}
