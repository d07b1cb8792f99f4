/* ledger/chain_reader.c -- see chain_reader.h.
 * A reader keeps the body of one block (borrowed from its snapshot) and one batch of it opened. */
#include "ledger/chain_reader.h"

#include "ledger/chain_format.h"
#include "wire/mem.h"
#include "wire/pack.h"

enum { CHAIN_READER_RANGE_BODIES = 4 << 20 }; /* so that an answer with all headers stays below LIMIT_MESSAGE */

struct chain_reader {
    struct store *store;
    struct store_txn *txn; /* NULL while paused */
    struct chain_tip tip;
    struct buf copy; /* a body or certificate handed out */
    /* the open block; height 0: none */
    struct chain_block block;
    struct block_body body;
    struct arena body_arena;
    /* the open batch of it */
    bool opened;
    uint32_t batch;
    uint64_t batch_first; /* number of its first entry */
    struct batch_entries entries;
    struct arena entries_arena;
    struct buf raw;
};

enum {
    CHAIN_READER_ARENA = LIMIT_BLOCK_BATCHES * sizeof(struct batch) + 64,
    CHAIN_READER_ENTRIES = LIMIT_BATCH_ENTRIES * (sizeof(struct slice) + sizeof(struct digest)) + 64
};

enum err_code chain_reader_open(struct store *store, struct chain_reader **out, struct err *e) {
    struct chain_reader *r = mem_zalloc(1, sizeof *r);
    enum err_code code;
    if (!r)
        return err_set(e, ERR_NO_MEMORY, "a reader");
    r->store = store;
    buf_init(&r->copy, LIMIT_MESSAGE);
    buf_init(&r->raw, LIMIT_BATCH_RAW);
    arena_init(&r->body_arena, CHAIN_READER_ARENA);
    arena_init(&r->entries_arena, CHAIN_READER_ENTRIES);
    code = chain_reader_renew(r, e);
    if (code != ERR_OK) {
        chain_reader_close(r);
        return code;
    }
    *out = r;
    return ERR_OK;
}

void chain_reader_pause(struct chain_reader *r) {
    store_abort(r->txn);
    r->txn = NULL;
    r->block.header.height = 0;
    r->opened = false;
}

void chain_reader_close(struct chain_reader *r) {
    if (!r)
        return;
    chain_reader_pause(r);
    buf_release(&r->copy);
    buf_release(&r->raw);
    arena_release(&r->body_arena);
    arena_release(&r->entries_arena);
    mem_free(r);
}

enum err_code chain_reader_renew(struct chain_reader *r, struct err *e) {
    struct tree_frontier f;
    enum err_code code;
    chain_reader_pause(r);
    code = store_begin_read(r->store, &r->txn, e);
    if (code == ERR_OK)
        code = chain_format_tip_load(r->txn, &r->tip, &f, e);
    if (code != ERR_OK)
        chain_reader_pause(r);
    return code;
}

const struct chain_tip *chain_reader_tip(const struct chain_reader *r) {
    return &r->tip;
}

/* ---- blocks ---- */

static enum err_code chain_reader_index(struct chain_reader *r, uint64_t height, struct chain_format_block *out,
                                        struct err *e) {
    enum err_code code;
    if (height == 0 || height > r->tip.height)
        return err_set(e, ERR_NOT_FOUND, "no block %llu; the newest is %llu", (unsigned long long)height,
                       (unsigned long long)r->tip.height);
    code = chain_format_block_load(r->txn, height, out, e);
    return code == ERR_NOT_FOUND ? err_set(e, ERR_CORRUPT, "block %llu is missing", (unsigned long long)height) : code;
}

enum err_code chain_reader_block(struct chain_reader *r, uint64_t height, struct chain_block *out, struct err *e) {
    struct chain_format_block b;
    enum err_code code = chain_reader_index(r, height, &b, e);
    if (code == ERR_OK)
        *out = b.block;
    return code;
}

/* The body, borrowed from the snapshot: stays inside ledger/. */
static enum err_code chain_reader_borrow(struct chain_reader *r, uint64_t height, struct chain_block *out,
                                         struct slice *body, struct err *e) {
    struct chain_format_block b = {0};
    enum err_code code = chain_reader_index(r, height, &b, e);
    if (code != ERR_OK)
        return code;
    *out = b.block;
    code = store_get(r->txn, STORE_BODIES, CHAIN_FORMAT_KEY(b.arrival), body, e);
    if (code == ERR_OK && body->len != b.block.header.body_len)
        code = err_set(e, ERR_CORRUPT, "its body has %zu bytes", body->len);
    if (code == ERR_NOT_FOUND)
        code = err_set(e, ERR_CORRUPT, "its body is missing");
    return code == ERR_OK ? ERR_OK : (err_wrap(e, "block %llu", (unsigned long long)height), code);
}

enum err_code chain_reader_body(struct chain_reader *r, uint64_t height, struct chain_block *out, struct slice *body,
                                struct err *e) {
    struct slice v;
    enum err_code code = chain_reader_borrow(r, height, out, &v, e);
    if (code != ERR_OK)
        return code;
    buf_clear(&r->copy);
    buf_append(&r->copy, v);
    *body = buf_slice(&r->copy);
    return buf_check(&r->copy, e);
}

enum err_code chain_reader_block_of(struct chain_reader *r, uint64_t number, struct chain_block *out, struct err *e) {
    uint64_t low = 1, high = r->tip.height; /* the block is in low..high */
    enum err_code code;
    if (number >= r->tip.tree_size)
        return err_set(e, ERR_NOT_FOUND, "no entry %llu; there are %llu", (unsigned long long)number,
                       (unsigned long long)r->tip.tree_size);
    while (low < high) {
        uint64_t mid = low + (high - low + 1) / 2;
        code = chain_reader_block(r, mid, out, e);
        if (code != ERR_OK)
            return code;
        if (out->first_entry <= number)
            low = mid;
        else
            high = mid - 1;
    }
    return chain_reader_block(r, low, out, e);
}

enum err_code chain_reader_by_hash(struct chain_reader *r, const struct digest *hash, uint64_t scan,
                                   struct chain_block *out, struct err *e) {
    uint64_t height;
    for (height = r->tip.height; height > 0 && scan > 0; height--, scan--) {
        enum err_code code = chain_reader_block(r, height, out, e);
        if (code != ERR_OK || digest_eq(&out->hash, hash))
            return code;
    }
    return err_set(e, ERR_NOT_FOUND, "no such block among the newest");
}

/* ---- entries ---- */

static enum err_code chain_reader_open_block(struct chain_reader *r, uint64_t number, struct err *e) {
    struct chain_block b = r->block;
    struct slice body;
    enum err_code code = ERR_OK;
    bool next = b.header.height > 0 && number == b.first_entry + b.header.entries;
    if (b.header.height > 0 && number >= b.first_entry && number < b.first_entry + b.header.entries)
        return ERR_OK;
    r->block.header.height = 0;
    r->opened = false;
    if (!next)
        code = chain_reader_block_of(r, number, &b, e);
    else if (number >= r->tip.tree_size)
        code = err_set(e, ERR_NOT_FOUND, "no entry %llu", (unsigned long long)number);
    else
        b.header.height++;
    if (code == ERR_OK)
        code = chain_reader_borrow(r, b.header.height, &b, &body, e);
    if (code != ERR_OK)
        return code;
    arena_clear(&r->body_arena);
    code = block_read(body, &r->body_arena, &r->body, e);
    if (code != ERR_OK)
        return err_set(e, ERR_CORRUPT, "block %llu does not decode", (unsigned long long)b.header.height);
    r->block = b;
    return ERR_OK;
}

static enum err_code chain_reader_open_batch(struct chain_reader *r, uint64_t number, struct err *e) {
    uint64_t first = r->block.first_entry;
    uint32_t i = 0;
    enum err_code code;
    while (i < r->body.count && number >= first + r->body.batches[i].header.count)
        first += r->body.batches[i++].header.count;
    if (i == r->body.count)
        return err_set(e, ERR_CORRUPT, "block %llu lacks entry %llu", (unsigned long long)r->block.header.height,
                       (unsigned long long)number);
    if (r->opened && r->batch == i)
        return ERR_OK;
    r->opened = false;
    arena_clear(&r->entries_arena);
    code = batch_open(&r->body.batches[i], &r->raw, &r->entries_arena, &r->entries, e);
    if (code != ERR_OK)
        return err_set(e, code == ERR_NO_MEMORY ? code : ERR_CORRUPT, "batch %u of block %llu does not open", i,
                       (unsigned long long)r->block.header.height);
    r->opened = true;
    r->batch = i;
    r->batch_first = first;
    return ERR_OK;
}

enum err_code chain_reader_entry(struct chain_reader *r, uint64_t number, struct chain_reader_entry *out,
                                 struct err *e) {
    const struct batch *b;
    enum err_code code = chain_reader_open_block(r, number, e);
    if (code == ERR_OK)
        code = chain_reader_open_batch(r, number, e);
    if (code != ERR_OK)
        return code;
    b = &r->body.batches[r->batch];
    out->number = number;
    out->index = (uint32_t)(number - r->batch_first);
    out->count = r->entries.count;
    out->bytes = r->entries.items[out->index];
    out->leaf = r->entries.leaves[out->index];
    out->height = r->block.header.height;
    out->block_time = r->block.header.time;
    out->batch = b->header;
    out->batch_hash = b->hash;
    return ERR_OK;
}

enum err_code chain_reader_each(struct chain_reader *r, uint64_t from, uint64_t to, chain_reader_fn fn, void *ctx,
                                struct err *e) {
    struct chain_reader_entry x;
    enum err_code code = ERR_OK;
    for (; from < to && code == ERR_OK; from++) {
        code = chain_reader_entry(r, from, &x, e);
        if (code == ERR_OK)
            code = fn(ctx, &x, e);
    }
    return code;
}

/* ---- certificates and batches ---- */

static enum err_code chain_reader_cert_at(struct chain_reader *r, uint64_t height, uint64_t *at, struct slice *cert,
                                          struct err *e) {
    struct slice key;
    enum err_code code = store_seek(r->txn, STORE_CERTS, STORE_AT_OR_ABOVE, CHAIN_FORMAT_KEY(height), &key, cert, e);
    if (code != ERR_OK)
        return code;
    if (key.len != 8)
        return err_set(e, ERR_CORRUPT, "a certificate's key");
    *at = buf_get64(key.ptr);
    return *at <= r->tip.height ? ERR_OK : err_set(e, ERR_NOT_FOUND, "no certificate yet");
}

enum err_code chain_reader_cert(struct chain_reader *r, uint64_t height, uint64_t *at, struct slice *cert,
                                struct err *e) {
    struct slice v;
    enum err_code code = chain_reader_cert_at(r, height, at, &v, e);
    if (code != ERR_OK)
        return code;
    buf_clear(&r->copy);
    buf_append(&r->copy, v);
    *cert = buf_slice(&r->copy);
    return buf_check(&r->copy, e);
}

enum err_code chain_reader_last_seq(struct chain_reader *r, const struct sign_public *submitter, uint64_t *seq,
                                    struct err *e) {
    uint8_t last[CHAIN_FORMAT_BATCH_KEY];
    struct slice key;
    enum err_code code;
    chain_format_batch_key(submitter, UINT64_MAX, last);
    code = store_seek(r->txn, STORE_BATCHES, STORE_AT_OR_BELOW, slice_of(last, sizeof last), &key, NULL, e);
    *seq = 0;
    if (code == ERR_OK && key.len == sizeof last && memcmp(key.ptr, submitter->b, 32) == 0)
        *seq = buf_get64(key.ptr + 32);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

enum err_code chain_reader_batch(struct chain_reader *r, const struct sign_public *submitter, uint64_t seq,
                                 struct digest *hash, uint64_t *height, struct err *e) {
    uint8_t bytes[CHAIN_FORMAT_BATCH_KEY];
    struct sign_public who;
    struct slice key, v;
    enum err_code code;
    chain_format_batch_key(submitter, seq, bytes);
    key = slice_of(bytes, sizeof bytes);
    code = store_get(r->txn, STORE_BATCHES, key, &v, e);
    return code != ERR_OK ? code : chain_format_batch_read(key, v, &who, &seq, hash, height, e);
}

/* ---- ranges ---- */

/* How many blocks from `from` go into one answer: same epoch, within bytes, one at least. */
static enum err_code chain_reader_range_end(struct chain_reader *r, uint64_t from, uint32_t max_bytes, uint64_t *end,
                                            struct err *e) {
    struct chain_block b;
    uint64_t epoch = 0, bytes = 0, height, top;
    struct slice cert;
    enum err_code code;
    if (max_bytes > CHAIN_READER_RANGE_BODIES)
        max_bytes = CHAIN_READER_RANGE_BODIES;
    for (height = from; height <= r->tip.height; height++) {
        code = chain_reader_block(r, height, &b, e);
        if (code != ERR_OK)
            return code;
        bytes += b.header.body_len + HEADER_SIZE + 16;
        if (height > from && (b.header.epoch != epoch || bytes > max_bytes))
            break;
        /* what no archived certificate covers can't be proven to a peer yet */
        code = height == from ? chain_reader_cert_at(r, height, &top, &cert, e) : ERR_OK;
        if (code != ERR_OK)
            return code;
        if (height > top && (code = chain_reader_cert_at(r, height, &top, &cert, e)) != ERR_OK)
            break;
        epoch = b.header.epoch;
    }
    *end = height;
    return ERR_OK;
}

static enum err_code chain_reader_pack_header(struct chain_reader *r, uint64_t height, struct buf *out, struct err *e) {
    uint8_t bytes[HEADER_SIZE];
    struct chain_block b;
    enum err_code code = chain_reader_block(r, height, &b, e);
    if (code != ERR_OK)
        return code;
    header_write(&b.header, bytes);
    pack_bin(out, slice_of(bytes, sizeof bytes));
    return ERR_OK;
}

enum err_code chain_reader_range(struct chain_reader *r, uint64_t from, uint32_t max_bytes, struct buf *out,
                                 struct err *e) {
    struct chain_block b;
    struct slice body, cert;
    uint64_t end, top, height;
    enum err_code code;
    buf_clear(out);
    if (from == 0 || from > r->tip.height)
        return err_set(e, ERR_NOT_FOUND, "no block %llu", (unsigned long long)from);
    code = chain_reader_range_end(r, from, max_bytes, &end, e);
    if (code == ERR_OK)
        code = chain_reader_cert_at(r, end - 1, &top, &cert, e);
    if (code != ERR_OK)
        return code;
    pack_array(out, 3);
    pack_array(out, (uint32_t)(end - from));
    for (height = from; height < end && code == ERR_OK; height++) {
        pack_array(out, 2);
        code = chain_reader_pack_header(r, height, out, e);
        if (code == ERR_OK)
            code = chain_reader_borrow(r, height, &b, &body, e);
        if (code == ERR_OK)
            pack_bin(out, body);
    }
    pack_array(out, (uint32_t)(top + 1 - end));
    for (height = end; height <= top && code == ERR_OK; height++)
        code = chain_reader_pack_header(r, height, out, e);
    if (code != ERR_OK)
        return code;
    pack_bin(out, cert);
    return buf_check(out, e);
}
