/* ledger/chain_replace.c -- writes back what fsck found damaged. Clause: docs/PROTOCOL.md 10. */
#include "ledger/chain_impl.h"

/* Everything that its bytes alone can prove: body, signatures, roots. */
static enum err_code chain_replace_check(struct chain *c, const struct header *h, struct slice body, struct err *e) {
    struct block_body parsed;
    struct batch_entries entries;
    uint32_t i;
    enum err_code code;
    arena_clear(&c->arena);
    code = block_read(body, &c->arena, &parsed, e);
    if (code == ERR_OK)
        code = block_match(h, body, &parsed, e);
    for (i = 0; code == ERR_OK && i < parsed.count; i++) {
        code = batch_verify(&parsed.batches[i].header, e);
        arena_clear(&c->opened);
        if (code == ERR_OK)
            code = batch_open(&parsed.batches[i], &c->raw, &c->opened, &entries, e);
    }
    return code;
}

/* What hash must block `height` have, by its follower or the tip? */
static enum err_code chain_replace_hash(struct chain *c, struct store_txn *txn, uint64_t height, struct digest *out,
                                        struct err *e) {
    struct chain_format_block up;
    enum err_code code;
    if (height == c->tip.height) {
        *out = c->tip.hash;
        return ERR_OK;
    }
    code = chain_format_block_load(txn, height + 1, &up, e);
    if (code == ERR_OK)
        *out = up.block.header.prev;
    return code;
}

static enum err_code chain_replace_write(struct chain *c, struct store_txn *txn, uint64_t height,
                                         const struct header *h, struct slice body, struct err *e) {
    struct chain_format_block b;
    uint8_t value[CHAIN_FORMAT_BLOCK];
    struct digest want, hash = header_hash(h);
    struct slice key;
    enum err_code code = chain_replace_hash(c, txn, height, &want, e);
    if (code != ERR_OK)
        return code;
    if (!digest_eq(&want, &hash) || h->height != height)
        return err_set(e, ERR_MISMATCH, "the header given is not that of block %llu", (unsigned long long)height);
    if (chain_format_block_load(txn, height, &b, NULL) != ERR_OK || !digest_eq(&b.block.hash, &hash)) {
        code = store_seek(txn, STORE_BODIES, STORE_BELOW, slice_none(), &key, NULL, e);
        if (code != ERR_OK && code != ERR_NOT_FOUND)
            return code;
        b.arrival = code == ERR_OK ? buf_get64(key.ptr) + 1 : 1; /* the old one's place is lost with its row */
        b.block = (struct chain_block){*h, hash, h->tree_size - h->entries};
    }
    b.block.header = *h;
    b.block.first_entry = h->tree_size - h->entries;
    chain_format_block_write(&b, value);
    code = store_put(txn, STORE_BLOCKS, CHAIN_FORMAT_KEY(height), slice_of(value, sizeof value), e);
    return code != ERR_OK ? code : store_put(txn, STORE_BODIES, CHAIN_FORMAT_KEY(b.arrival), body, e);
}

enum err_code chain_replace_block(struct chain *c, uint64_t height, const struct header *h, struct slice body,
                                  struct err *e) {
    struct store_txn *txn = NULL;
    enum err_code code;
    if (height == 0 || height > c->tip.height)
        return err_set(e, ERR_NOT_FOUND, "no block %llu", (unsigned long long)height);
    code = chain_replace_check(c, h, body, e);
    if (code == ERR_OK)
        code = store_begin_write(c->o.store, &txn, e);
    if (code != ERR_OK)
        return code;
    code = chain_replace_write(c, txn, height, h, body, e);
    if (code != ERR_OK) {
        store_abort(txn);
        return code;
    }
    return store_commit(txn, e);
}
