/* ledger/chain_format.c -- see chain_format.h. */
#include "ledger/chain_format.h"

struct chain_format_u64 chain_format_u64(uint64_t v) {
    struct chain_format_u64 k;
    unsigned i;
    for (i = 0; i < 8; i++)
        k.b[i] = (uint8_t)(v >> (56 - 8 * i));
    return k;
}

static void chain_format_put(uint8_t *p, uint64_t v) {
    memcpy(p, chain_format_u64(v).b, 8);
}

void chain_format_block_write(const struct chain_format_block *b, uint8_t out[CHAIN_FORMAT_BLOCK]) {
    memcpy(out, b->block.hash.b, 32);
    header_write(&b->block.header, out + 32);
    chain_format_put(out + 32 + HEADER_SIZE, b->block.first_entry);
    chain_format_put(out + 40 + HEADER_SIZE, b->arrival);
}

enum err_code chain_format_block_read(struct slice v, struct chain_format_block *out, struct err *e) {
    enum err_code code;
    if (v.len != CHAIN_FORMAT_BLOCK)
        return err_set(e, ERR_CORRUPT, "a block's index value of %zu bytes", v.len);
    memcpy(out->block.hash.b, v.ptr, 32);
    code = header_read(slice_of(v.ptr + 32, HEADER_SIZE), &out->block.header, e);
    out->block.first_entry = buf_get64(v.ptr + 32 + HEADER_SIZE);
    out->arrival = buf_get64(v.ptr + 40 + HEADER_SIZE);
    return code == ERR_OK ? ERR_OK : err_set(e, ERR_CORRUPT, "a block's index value holds no header");
}

void chain_format_pending_write(uint64_t arrival, const struct header *h, uint8_t out[CHAIN_FORMAT_PENDING]) {
    chain_format_put(out, arrival);
    header_write(h, out + 8);
}

enum err_code chain_format_pending_read(struct slice v, uint64_t *arrival, struct header *h, struct err *e) {
    if (v.len != CHAIN_FORMAT_PENDING || header_read(slice_of(v.ptr + 8, HEADER_SIZE), h, e) != ERR_OK)
        return err_set(e, ERR_CORRUPT, "an unfinalised block's value of %zu bytes", v.len);
    *arrival = buf_get64(v.ptr);
    return ERR_OK;
}

void chain_format_batch_key(const struct sign_public *submitter, uint64_t seq, uint8_t out[CHAIN_FORMAT_BATCH_KEY]) {
    memcpy(out, submitter->b, 32);
    chain_format_put(out + 32, seq);
}

void chain_format_batch_write(const struct digest *hash, uint64_t height, uint8_t out[CHAIN_FORMAT_BATCH]) {
    memcpy(out, hash->b, 32);
    chain_format_put(out + 32, height);
}

enum err_code chain_format_batch_read(struct slice key, struct slice v, struct sign_public *submitter, uint64_t *seq,
                                      struct digest *hash, uint64_t *height, struct err *e) {
    if (key.len != CHAIN_FORMAT_BATCH_KEY || v.len != CHAIN_FORMAT_BATCH)
        return err_set(e, ERR_CORRUPT, "a final batch's row of %zu and %zu bytes", key.len, v.len);
    memcpy(submitter->b, key.ptr, 32);
    *seq = buf_get64(key.ptr + 32);
    memcpy(hash->b, v.ptr, 32);
    *height = buf_get64(v.ptr + 32);
    return ERR_OK;
}

void chain_format_tip_write(const struct chain_tip *tip, const struct tree_frontier *f, struct buf *out) {
    buf_be64(out, tip->height);
    buf_append(out, digest_slice(&tip->hash));
    buf_be64(out, tip->epoch);
    buf_be64(out, (uint64_t)tip->time);
    tree_frontier_write(f, out);
}

enum err_code chain_format_tip_read(struct slice v, struct chain_tip *tip, struct tree_frontier *f, struct err *e) {
    if (v.len < CHAIN_FORMAT_TIP || tree_frontier_read(slice_from(v, CHAIN_FORMAT_TIP), f, e) != ERR_OK)
        return err_set(e, ERR_CORRUPT, "the tip's value of %zu bytes", v.len);
    tip->height = buf_get64(v.ptr);
    memcpy(tip->hash.b, v.ptr + 8, 32);
    tip->epoch = buf_get64(v.ptr + 40);
    tip->time = (int64_t)buf_get64(v.ptr + 48);
    tip->tree_size = f->size;
    tip->tree_root = tree_frontier_root(f);
    return ERR_OK;
}

enum err_code chain_format_tip_load(struct store_txn *t, struct chain_tip *tip, struct tree_frontier *f,
                                    struct err *e) {
    struct slice v;
    enum err_code code = store_get(t, STORE_META, slice_str("tip"), &v, e);
    return code != ERR_OK ? code : chain_format_tip_read(v, tip, f, e);
}

enum err_code chain_format_block_load(struct store_txn *t, uint64_t height, struct chain_format_block *out,
                                      struct err *e) {
    struct slice v;
    enum err_code code = store_get(t, STORE_BLOCKS, CHAIN_FORMAT_KEY(height), &v, e);
    if (code == ERR_OK)
        code = chain_format_block_read(v, out, e);
    if (code == ERR_OK && out->block.header.height != height)
        code = err_set(e, ERR_CORRUPT, "the index holds another block's value");
    return code == ERR_OK ? ERR_OK : (err_wrap(e, "block %llu", (unsigned long long)height), code);
}
