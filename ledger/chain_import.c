/* ledger/chain_import.c -- catching up by ranges: certificate first, hashes downwards, blocks upwards.
 * Clause: docs/PROTOCOL.md 4 (ranges). Nothing of a range is applied before its certificate and links have been
 * checked, so a peer can waste time here and nothing else. */
#include "ledger/chain_impl.h"

#include "wire/mem.h"

struct chain_import_item {
    struct header header;
    struct digest hash;
    struct slice body; /* borrowed from the range; absent above the last block */
};

struct chain_import {
    struct chain *chain;
    struct chain_import_item *items; /* ascending */
    size_t count, blocks, cap;       /* the first `blocks` of them have bodies */
    struct slice cert;
};

static enum err_code chain_import_header(struct chain_import *m, struct cursor *c, struct slice *body, struct err *e) {
    struct chain_import_item *x = &m->items[m->count];
    struct slice bytes;
    enum err_code code = cursor_bin(c, &bytes, e);
    if (code == ERR_OK)
        code = header_read(bytes, &x->header, e);
    if (code == ERR_OK && body)
        code = cursor_bin(c, body, e);
    if (code != ERR_OK)
        return code;
    x->body = body ? *body : slice_none();
    x->hash = digest_of(bytes);
    m->count++;
    return ERR_OK;
}

/* [[[header, body] ...], [header ...], cert]. Counts are bounded by the bytes (the cursor checks them), each header
 * costing more bytes than its item's share of the allocation. */
static enum err_code chain_import_read(struct chain_import *m, struct slice range, struct err *e) {
    struct cursor c;
    struct slice body;
    uint32_t n, i, two;
    enum err_code code;
    m->cap = range.len / HEADER_SIZE;
    m->items = mem_zalloc(m->cap + 1, sizeof *m->items);
    if (!m->items)
        return err_set(e, ERR_NO_MEMORY, "a range of blocks");
    cursor_init(&c, range);
    code = cursor_array(&c, &n, e);
    if (code == ERR_OK && n != 3)
        code = err_set(e, ERR_MALFORMED, "a range is a list of three, not of %u", n);
    if (code == ERR_OK)
        code = cursor_array(&c, &n, e);
    for (i = 0; code == ERR_OK && i < n; i++) {
        code = cursor_array(&c, &two, e);
        if (code == ERR_OK && (two != 2 || m->count == m->cap))
            code = err_set(e, ERR_MALFORMED, "a block of a range is a list of two");
        if (code == ERR_OK)
            code = chain_import_header(m, &c, &body, e);
    }
    m->blocks = m->count;
    if (code == ERR_OK)
        code = cursor_array(&c, &n, e);
    for (i = 0; code == ERR_OK && i < n; i++)
        code = m->count == m->cap ? err_set(e, ERR_MALFORMED, "a range of too many headers")
                                  : chain_import_header(m, &c, NULL, e);
    if (code == ERR_OK)
        code = cursor_bin(&c, &m->cert, e);
    if (code == ERR_OK && (m->blocks == 0 || !cursor_done(&c)))
        code = err_set(e, ERR_MALFORMED, "an empty range, or bytes behind it");
    return code;
}

/* From the certificate down to our tip. Leaves out what is final here already. */
static enum err_code chain_import_check(struct chain_import *m, chain_verify_fn verify, void *ctx, struct err *e) {
    const struct chain_tip *tip = &m->chain->tip;
    struct chain_import_item *top = &m->items[m->count - 1];
    size_t i, skip = 0;
    enum err_code code;
    if (!digest_eq(&top->header.channel, &m->chain->o.channel))
        return err_set(e, ERR_WRONG_NETWORK, "a range of another channel");
    code = verify(ctx, &top->header, &top->hash, m->cert, e);
    if (code != ERR_OK)
        return err_wrap(e, "certificate of height %llu", (unsigned long long)top->header.height), code;
    for (i = m->count - 1; i > 0; i--) {
        const struct header *up = &m->items[i].header, *down = &m->items[i - 1].header;
        if (!digest_eq(&up->prev, &m->items[i - 1].hash) || up->height != down->height + 1)
            return err_set(e, ERR_MALFORMED, "block %llu of a range is not that below its follower",
                           (unsigned long long)down->height);
        if (up->epoch != down->epoch)
            return err_set(e, ERR_MALFORMED, "a range goes across an epoch's end");
    }
    while (skip < m->blocks && m->items[skip].header.height <= tip->height)
        skip++;
    if (skip == m->blocks || m->items[skip].header.height != tip->height + 1) {
        if (skip == m->blocks && m->items[skip - 1].header.height <= tip->height) {
            m->blocks = 0; /* nothing new: it came late */
            return ERR_OK;
        }
        return err_set(e, ERR_SEQUENCE, "a range from %llu where %llu is due",
                       (unsigned long long)m->items[skip].header.height, (unsigned long long)tip->height + 1);
    }
    if (!digest_eq(&m->items[skip].header.prev, &tip->hash))
        return err_set(e, ERR_CONFLICT,
                       "a certified block %llu stands on another block than the one final here: the network has forked",
                       (unsigned long long)tip->height + 1);
    m->items += skip;
    m->blocks -= skip;
    m->count -= skip;
    return ERR_OK;
}

static enum err_code chain_import_block(struct chain_import *m, struct store_txn *txn, size_t i, struct err *e) {
    const struct chain_import_item *x = &m->items[i];
    bool at_fault = false;
    enum err_code code = chain_validate(m->chain, &x->header, x->body, CHAIN_NO_CLOCK, &at_fault, e);
    if (code != ERR_OK && at_fault) {
        struct err why = *e;
        return err_set(e, ERR_INTERNAL, "a quorum finalized block %llu, which this node finds invalid: %s",
                       (unsigned long long)x->header.height, why.text);
    }
    if (code != ERR_OK)
        return err_wrap(e, "block %llu", (unsigned long long)x->header.height), code;
    return chain_finalize(m->chain, txn, &x->hash, i + 1 == m->count ? m->cert : slice_none(), e);
}

/* One transaction's worth of blocks from *at on. */
static enum err_code chain_import_some(struct chain_import *m, size_t *at, struct err *e) {
    struct store_txn *txn = NULL;
    size_t bytes = 0, i = *at, room = (CHAIN_PENDING - 1 - m->chain->overlay_count) / 2 + 1;
    struct err later = {.code = ERR_OK};
    enum err_code code = store_begin_write(m->chain->o.store, &txn, e);
    if (code != ERR_OK)
        return code;
    for (; i < m->blocks && bytes < CHAIN_IMPORT_COMMIT && i - *at < room; i++) {
        code = chain_import_block(m, txn, i, &later);
        if (code != ERR_OK)
            break;
        bytes += m->items[i].body.len;
    }
    if (code != ERR_OK && (i == *at || err_class_of(code) == ERR_CLASS_FATAL)) {
        store_abort(txn); /* a fatal error: the caller stops; otherwise nothing was written */
        *e = later;
        return code;
    }
    enum err_code committed = store_commit(txn, e);
    if (committed != ERR_OK)
        return committed;
    chain_apply(m->chain);
    *at = i;
    if (code != ERR_OK)
        *e = later;
    return code;
}

enum err_code chain_import(struct chain *c, struct slice range, chain_verify_fn verify, void *ctx, uint64_t *applied,
                           struct err *e) {
    struct chain_import m = {.chain = c};
    struct chain_import_item *items;
    struct err mine;
    size_t at = 0;
    enum err_code code;
    if (!e)
        e = &mine;
    *applied = 0;
    if (range.len > LIMIT_MESSAGE)
        return err_set(e, ERR_TOO_LARGE, "a range of %zu bytes", range.len);
    code = chain_import_read(&m, range, e);
    items = m.items;
    if (code == ERR_OK)
        code = chain_import_check(&m, verify, ctx, e);
    while (code == ERR_OK && at < m.blocks)
        code = chain_import_some(&m, &at, e);
    *applied = at;
    mem_free(items);
    return code;
}
