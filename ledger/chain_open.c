/* ledger/chain_open.c -- founding, loading and replaying a channel's ledger. Clause: docs/PROTOCOL.md 10.7. */
#include "ledger/chain_impl.h"

#include "wire/mem.h"

#include <stdlib.h>

enum {
    CHAIN_ARENA = LIMIT_BLOCK_BATCHES * sizeof(struct batch) + 64,
    CHAIN_OPENED = LIMIT_BATCH_ENTRIES * (sizeof(struct slice) + sizeof(struct digest)) + 64
};

static enum err_code chain_found(struct chain *c, struct err *e) {
    struct store_txn *txn = NULL;
    uint8_t version[4] = {0, 0, 0, CHAIN_FORMAT_VERSION};
    uint64_t blocks = 0;
    enum err_code code;
    c->frontier = (struct tree_frontier){0};
    c->tip = (struct chain_tip){.hash = block_genesis(&c->o.channel), .tree_root = tree_empty()};
    code = store_begin_write(c->o.store, &txn, e);
    if (code == ERR_OK)
        code = store_count(txn, STORE_BLOCKS, &blocks, e);
    if (code == ERR_OK && blocks > 0)
        code = err_set(e, ERR_CORRUPT, "the ledger has blocks and has lost its own description");
    if (code == ERR_OK)
        code = store_put(txn, STORE_META, slice_str("format"), slice_of(version, sizeof version), e);
    if (code == ERR_OK)
        code = store_put(txn, STORE_META, slice_str("channel"), digest_slice(&c->o.channel), e);
    if (code == ERR_OK)
        code = chain_write_tip(txn, &c->tip, &c->frontier, e);
    if (code != ERR_OK) {
        store_abort(txn);
        return code;
    }
    return store_commit(txn, e);
}

static enum err_code chain_load_finals(struct chain *c, struct store_txn *t, struct err *e) {
    uint8_t last[CHAIN_FORMAT_BATCH_KEY] = {0};
    struct slice key, v;
    enum store_seek how = STORE_AT_OR_ABOVE;
    for (;;) { /* one seek to the next submitter, one back to its last batch */
        struct chain_seq s;
        uint64_t height;
        enum err_code code = store_seek(t, STORE_BATCHES, how, slice_of(last, sizeof last), &key, NULL, e);
        if (code != ERR_OK)
            return code == ERR_NOT_FOUND ? ERR_OK : code;
        if (key.len != sizeof last)
            return err_set(e, ERR_CORRUPT, "a final batch's key of %zu bytes", key.len);
        memcpy(last, key.ptr, 32);
        memset(last + 32, 0xff, 8);
        code = store_seek(t, STORE_BATCHES, STORE_AT_OR_BELOW, slice_of(last, sizeof last), &key, &v, e);
        if (code == ERR_OK)
            code = chain_format_batch_read(key, v, &s.submitter, &s.seq, &s.hash, &height, e);
        if (code == ERR_OK)
            code = chain_note_final(c, &s, e);
        if (code != ERR_OK)
            return code;
        how = STORE_ABOVE;
    }
}

/* NOT_FOUND: nothing is there yet. */
static enum err_code chain_load(struct chain *c, struct err *e) {
    struct store_txn *t = NULL;
    struct slice v;
    enum err_code code = store_begin_read(c->o.store, &t, e);
    if (code != ERR_OK)
        return code;
    code = store_get(t, STORE_META, slice_str("format"), &v, e);
    if (code == ERR_NOT_FOUND) {
        store_abort(t);
        return code;
    }
    if (code == ERR_OK && (v.len != 4 || buf_get32(v.ptr) != CHAIN_FORMAT_VERSION))
        code = err_set(e, ERR_UNSUPPORTED, "the ledger is of a format that this program does not know");
    if (code == ERR_OK)
        code = store_get(t, STORE_META, slice_str("channel"), &v, e);
    if (code == ERR_OK && !slice_eq(v, digest_slice(&c->o.channel)))
        code = err_set(e, ERR_WRONG_NETWORK, "the ledger is another channel's");
    if (code == ERR_OK)
        code = chain_format_tip_load(t, &c->tip, &c->frontier, e);
    if (code == ERR_OK)
        code = chain_load_finals(c, t, e);
    store_abort(t);
    return code == ERR_NOT_FOUND ? err_set(e, ERR_CORRUPT, "the ledger's description is incomplete") : code;
}

struct chain_row { /* a durable unfinalised block, as stored */
    struct digest hash;
    struct header header;
    uint64_t arrival;
};

static int chain_row_order(const void *a, const void *b) {
    uint64_t x = ((const struct chain_row *)a)->header.height, y = ((const struct chain_row *)b)->header.height;
    return (x > y) - (x < y);
}

static enum err_code chain_load_rows(struct store_txn *t, struct chain_row *rows, size_t *count, struct err *e) {
    struct slice key = slice_none(), v;
    enum store_seek how = STORE_AT_OR_ABOVE;
    struct digest last;
    *count = 0;
    for (;;) {
        enum err_code code = store_seek(t, STORE_PENDING, how, key, &key, &v, e);
        if (code == ERR_NOT_FOUND)
            return ERR_OK;
        if (code == ERR_OK && (key.len != DIGEST_SIZE || *count == CHAIN_PENDING))
            code = err_set(e, ERR_CORRUPT, "unfinalised blocks: %zu rows, a key of %zu bytes", *count, key.len);
        if (code == ERR_OK)
            code = chain_format_pending_read(v, &rows[*count].arrival, &rows[*count].header, e);
        if (code != ERR_OK)
            return code;
        memcpy(last.b, key.ptr, DIGEST_SIZE);
        rows[(*count)++].hash = last;
        key = digest_slice(&last);
        how = STORE_ABOVE;
    }
}

/* Removes the rows of blocks that found no place. */
static enum err_code chain_forget_rows(struct chain *c, const struct chain_row *rows, size_t count, struct err *e) {
    struct store_txn *txn = NULL;
    enum err_code code;
    size_t i, gone = 0;
    for (i = 0; i < count; i++)
        gone += chain_find(c, &rows[i].hash) == NULL;
    if (gone == 0)
        return ERR_OK;
    code = store_begin_write(c->o.store, &txn, e);
    for (i = 0; i < count && code == ERR_OK; i++) {
        if (chain_find(c, &rows[i].hash))
            continue;
        code = store_del(txn, STORE_PENDING, digest_slice(&rows[i].hash), e);
        if (code == ERR_OK)
            code = store_del(txn, STORE_BODIES, CHAIN_FORMAT_KEY(rows[i].arrival), e);
        if (code == ERR_NOT_FOUND)
            code = ERR_OK;
    }
    if (code != ERR_OK) {
        store_abort(txn);
        return code;
    }
    return store_commit(txn, e);
}

/* Recovery takes the ordinary path: every durable unfinalised block goes through chain_validate again. One that has no
 * place any more is forgotten; should it become final after all, it is fetched like any other. */
static enum err_code chain_replay(struct chain *c, struct err *e) {
    struct chain_row *rows = mem_zalloc(CHAIN_PENDING, sizeof *rows);
    struct store_txn *t = NULL;
    struct chain_overlay *o;
    struct slice body;
    size_t count = 0, i;
    enum err_code code = rows ? store_begin_read(c->o.store, &t, e) : err_set(e, ERR_NO_MEMORY, "replay");
    if (code == ERR_OK)
        code = chain_load_rows(t, rows, &count, e);
    if (code == ERR_OK)
        qsort(rows, count, sizeof *rows, chain_row_order);
    for (i = 0; i < count && code == ERR_OK; i++) {
        code = store_get(t, STORE_BODIES, CHAIN_FORMAT_KEY(rows[i].arrival), &body, e);
        if (code != ERR_OK)
            break;
        code = chain_validate(c, &rows[i].header, body, CHAIN_NO_CLOCK, NULL, e);
        o = chain_find(c, &rows[i].hash);
        if (code == ERR_OK && !o)
            code = err_set(e, ERR_CORRUPT, "an unfinalised block is stored under another hash");
        if (code == ERR_OK) {
            o->durable = true;
            o->arrival = rows[i].arrival;
        } else if (err_class_of(code) != ERR_CLASS_FATAL) {
            code = ERR_OK;
        }
    }
    store_abort(t);
    if (code == ERR_OK)
        code = chain_forget_rows(c, rows, count, e);
    mem_free(rows);
    return code;
}

enum err_code chain_open(const struct chain_options *o, struct chain **out, struct err *e) {
    struct chain *c = mem_zalloc(1, sizeof *c);
    enum err_code code;
    if (!c)
        return err_set(e, ERR_NO_MEMORY, "a ledger");
    c->o = *o;
    buf_init(&c->raw, LIMIT_BATCH_RAW);
    arena_init(&c->arena, CHAIN_ARENA);
    arena_init(&c->opened, CHAIN_OPENED);
    code = chain_load(c, e);
    if (code == ERR_NOT_FOUND)
        code = chain_found(c, e);
    if (code == ERR_OK)
        code = chain_replay(c, e);
    if (code != ERR_OK) {
        chain_close(c);
        return code;
    }
    *out = c;
    return ERR_OK;
}
