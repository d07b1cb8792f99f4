/* ledger/chain_rebuild.c -- writes anew what stands beside the final run and can be derived from it: the tip with its
 * frontier, and the list of final batches. For a store whose blocks are sound (fsck) and whose META or BATCHES are
 * not. Clause: docs/PROTOCOL.md 10. */
#include "ledger/chain_impl.h"

#include "wire/mem.h"

struct chain_rebuild {
    struct store_txn *txn;
    const struct digest *channel;
    struct chain_tip tip;
    struct tree_frontier frontier;
    struct buf raw;
    struct arena arena, opened;
};

static enum err_code chain_rebuild_batch(struct chain_rebuild *r, const struct batch *b, uint64_t height,
                                         struct err *e) {
    uint8_t key[CHAIN_FORMAT_BATCH_KEY], value[CHAIN_FORMAT_BATCH];
    struct batch_entries entries;
    uint64_t seq = b->header.seq;
    enum err_code code;
    arena_clear(&r->opened);
    code = batch_open(b, &r->raw, &r->opened, &entries, e);
    if (code == ERR_OK)
        code = tree_frontier_append(&r->frontier, entries.leaves, entries.count, e);
    if (code != ERR_OK)
        return code;
    chain_format_batch_key(&b->header.submitter, seq, key);
    chain_format_batch_write(&b->hash, height, value);
    code = store_put(r->txn, STORE_BATCHES, slice_of(key, sizeof key), slice_of(value, sizeof value), e);
    if (code != ERR_OK || seq <= LIMIT_POOL_BATCHES)
        return code;
    chain_format_batch_key(&b->header.submitter, seq - LIMIT_POOL_BATCHES, key);
    code = store_del(r->txn, STORE_BATCHES, slice_of(key, sizeof key), e);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static enum err_code chain_rebuild_block(struct chain_rebuild *r, uint64_t height, struct err *e) {
    struct chain_format_block b;
    struct block_body body;
    struct slice bytes;
    struct buf copy; /* the transaction writes below, so nothing may be borrowed from it */
    uint32_t i;
    enum err_code code = chain_format_block_load(r->txn, height, &b, e);
    buf_init(&copy, LIMIT_BLOCK_BODY);
    if (code == ERR_OK)
        code = store_get(r->txn, STORE_BODIES, CHAIN_FORMAT_KEY(b.arrival), &bytes, e);
    if (code != ERR_OK)
        goto out;
    buf_append(&copy, bytes);
    code = buf_check(&copy, e);
    arena_clear(&r->arena);
    if (code == ERR_OK)
        code = block_read(buf_slice(&copy), &r->arena, &body, e);
    for (i = 0; code == ERR_OK && i < body.count; i++)
        code = chain_rebuild_batch(r, &body.batches[i], height, e);
    if (code != ERR_OK)
        goto out;
    r->tip = (struct chain_tip){.height = height,
                                .hash = b.block.hash,
                                .tree_size = r->frontier.size,
                                .tree_root = tree_frontier_root(&r->frontier),
                                .time = b.block.header.time,
                                .epoch = b.block.header.epoch};
    if (r->tip.tree_size != b.block.header.tree_size || !digest_eq(&r->tip.tree_root, &b.block.header.tree_root))
        code = err_set(e, ERR_CORRUPT, "the entries are not those of its tree");
out:
    buf_release(&copy);
    if (code != ERR_OK)
        err_wrap(e, "block %llu", (unsigned long long)height);
    return code == ERR_OK || err_class_of(code) == ERR_CLASS_FATAL ? code : ERR_CORRUPT;
}

static enum err_code chain_rebuild_clear(struct store_txn *txn, struct err *e) {
    uint8_t bytes[STORE_KEY_MAX];
    struct slice key;
    for (;;) {
        enum err_code code = store_seek(txn, STORE_BATCHES, STORE_AT_OR_ABOVE, slice_none(), &key, NULL, e);
        if (code == ERR_NOT_FOUND)
            return ERR_OK;
        if (code == ERR_OK && key.len > sizeof bytes)
            code = err_set(e, ERR_CORRUPT, "a key of %zu bytes", key.len);
        if (code != ERR_OK)
            return code;
        memcpy(bytes, key.ptr, key.len);
        code = store_del(txn, STORE_BATCHES, slice_of(bytes, key.len), e);
        if (code != ERR_OK)
            return code;
    }
}

static enum err_code chain_rebuild_meta(struct chain_rebuild *r, struct err *e) {
    uint8_t version[4] = {0, 0, 0, CHAIN_FORMAT_VERSION};
    struct buf b;
    enum err_code code;
    buf_init(&b, CHAIN_FORMAT_TIP_MAX);
    chain_format_tip_write(&r->tip, &r->frontier, &b);
    code = buf_check(&b, e);
    if (code == ERR_OK)
        code = store_put(r->txn, STORE_META, slice_str("tip"), buf_slice(&b), e);
    if (code == ERR_OK)
        code = store_put(r->txn, STORE_META, slice_str("format"), slice_of(version, sizeof version), e);
    if (code == ERR_OK)
        code = store_put(r->txn, STORE_META, slice_str("channel"), digest_slice(r->channel), e);
    buf_release(&b);
    return code;
}

enum err_code chain_rebuild(struct store *store, const struct digest *channel, struct err *e) {
    struct chain_rebuild r = {.channel = channel};
    uint64_t height, rows = 0;
    enum err_code code;
    r.tip = (struct chain_tip){.hash = block_genesis(channel), .tree_root = tree_empty()};
    buf_init(&r.raw, LIMIT_BATCH_RAW);
    arena_init(&r.arena, LIMIT_BLOCK_BATCHES * sizeof(struct batch) + 64);
    arena_init(&r.opened, LIMIT_BATCH_ENTRIES * (sizeof(struct slice) + sizeof(struct digest)) + 64);
    code = store_begin_write(store, &r.txn, e);
    if (code == ERR_OK)
        code = store_count(r.txn, STORE_BLOCKS, &rows, e);
    if (code == ERR_OK)
        code = chain_rebuild_clear(r.txn, e);
    for (height = 1; height <= rows && code == ERR_OK; height++)
        code = chain_rebuild_block(&r, height, e);
    if (code == ERR_OK)
        code = chain_rebuild_meta(&r, e);
    if (code == ERR_OK)
        code = store_commit(r.txn, e);
    else
        store_abort(r.txn);
    buf_release(&r.raw);
    arena_release(&r.arena);
    arena_release(&r.opened);
    return code;
}
