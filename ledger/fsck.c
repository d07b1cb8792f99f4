/* ledger/fsck.c -- see fsck.h. One pass over the final run, then the tables beside it. */
#include "ledger/fsck.h"

#include "ledger/chain_format.h"
#include "wire/mem.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    FSCK_PROGRESS = 256, /* blocks between two calls of progress */
    FSCK_ARENA = LIMIT_BLOCK_BATCHES * sizeof(struct batch) + 64,
    FSCK_OPENED = LIMIT_BATCH_ENTRIES * (sizeof(struct slice) + sizeof(struct digest)) + 64
};

struct fsck_seq {
    struct sign_public submitter;
    uint64_t seq;
};
struct fsck {
    const struct fsck_options *o;
    struct fsck_report *report;
    struct store_txn *txn;
    struct chain_tip tip;
    struct tree_frontier tip_frontier;
    /* the run so far */
    struct tree_frontier frontier;
    struct digest prev;
    uint64_t prev_epoch;
    int64_t prev_time;
    bool tree_known; /* false above a block whose entries could not be read */
    struct fsck_seq *seqs;
    size_t seq_count, seq_cap;
    bool seqs_known;
    struct buf raw;
    struct arena arena, opened;
};

const char *fsck_kind_text(enum fsck_kind kind) {
    static const char *const texts[FSCK_KIND_COUNT] = {
#define FSCK_TEXT(name, text) text,
        FSCK_KINDS(FSCK_TEXT)
#undef FSCK_TEXT
    };
    return (unsigned)kind < FSCK_KIND_COUNT ? texts[kind] : "unknown";
}

static void fsck_say(struct fsck *f, enum fsck_kind kind, uint64_t height, uint64_t first, uint64_t entries,
                     bool repairable, const char *fmt, ...) __attribute__((format(printf, 7, 8)));
static void fsck_say(struct fsck *f, enum fsck_kind kind, uint64_t height, uint64_t first, uint64_t entries,
                     bool repairable, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    f->report->faults++;
    if (f->o->fault)
        f->o->fault(f->o->ctx, &(struct fsck_fault){kind, height, first, entries, repairable, text});
}

/* ---- the final run ---- */

static enum err_code fsck_seq_check(struct fsck *f, const struct batch_header *h, bool *good, struct err *e) {
    size_t i = 0;
    *good = true;
    while (i < f->seq_count && !sign_public_eq(&f->seqs[i].submitter, &h->submitter))
        i++;
    if (i == f->seq_count) {
        if (f->seq_count == f->seq_cap) {
            size_t cap = f->seq_cap ? 2 * f->seq_cap : 16;
            struct fsck_seq *grown = mem_realloc(f->seqs, cap * sizeof *grown);
            if (!grown)
                return err_set(e, ERR_NO_MEMORY, "the list of submitters");
            f->seqs = grown;
            f->seq_cap = cap;
        }
        f->seqs[f->seq_count++] = (struct fsck_seq){h->submitter, f->seqs_known ? 0 : h->seq - 1};
    }
    *good = h->seq == f->seqs[i].seq + 1;
    f->seqs[i].seq = h->seq;
    return ERR_OK;
}

static enum err_code fsck_batch(struct fsck *f, const struct chain_block *b, uint32_t index, const struct batch *x,
                                uint64_t first, struct err *e) {
    struct batch_entries entries;
    struct err why;
    uint64_t height = b->header.height, count = x->header.count;
    bool good;
    uint32_t i;
    enum err_code code = fsck_seq_check(f, &x->header, &good, e);
    if (code != ERR_OK)
        return code;
    if (!good)
        fsck_say(f, FSCK_SEQ, height, first, count, false, "batch %u has sequence number %llu out of turn", index,
                 (unsigned long long)x->header.seq);
    if (!digest_eq(&x->header.channel, &f->o->channel))
        fsck_say(f, FSCK_BATCH, height, first, count, true, "batch %u is of another channel", index);
    if (batch_verify(&x->header, &why) != ERR_OK)
        fsck_say(f, FSCK_BATCH, height, first, count, true, "batch %u: %s", index, why.text);
    if (f->o->submitter && f->o->submitter(f->o->submitter_ctx, &x->header.submitter, height, &why) != ERR_OK)
        fsck_say(f, FSCK_BATCH, height, first, count, false, "batch %u: %s", index, why.text);
    arena_clear(&f->opened);
    code = batch_open(x, &f->raw, &f->opened, &entries, &why);
    if (code == ERR_NO_MEMORY)
        return err_set(e, code, "%s", why.text);
    if (code != ERR_OK) {
        fsck_say(f, FSCK_BATCH, height, first, count, true, "batch %u: %s", index, why.text);
        f->tree_known = false;
        return ERR_OK;
    }
    for (i = 0; i < entries.count; i++) {
        struct entry x_entry;
        if (entry_read(entries.items[i], &x_entry, &why) != ERR_OK)
            fsck_say(f, FSCK_BATCH, height, first + i, 1, false, "entry %u of batch %u: %s", i, index, why.text);
    }
    f->report->entries += entries.count;
    return tree_frontier_append(&f->frontier, entries.leaves, entries.count, e);
}

static enum err_code fsck_body(struct fsck *f, const struct chain_format_block *b, struct err *e) {
    const struct header *h = &b->block.header;
    uint64_t first = h->tree_size - h->entries;
    struct block_body parsed;
    struct slice body;
    struct err why;
    uint32_t i;
    enum err_code code = store_get(f->txn, STORE_BODIES, CHAIN_FORMAT_KEY(b->arrival), &body, &why);
    arena_clear(&f->arena);
    if (code == ERR_OK)
        code = block_read(body, &f->arena, &parsed, &why);
    if (code == ERR_OK)
        code = block_match(h, body, &parsed, &why);
    if (code == ERR_NO_MEMORY)
        return err_set(e, code, "%s", why.text);
    if (code != ERR_OK) {
        fsck_say(f, FSCK_BODY, h->height, first, h->entries, true, "%s", why.text);
        f->tree_known = false;
        f->seqs_known = false;
        f->seq_count = 0;
        return ERR_OK;
    }
    for (i = 0; i < parsed.count; i++) {
        code = fsck_batch(f, &b->block, i, &parsed.batches[i], first, e);
        if (code != ERR_OK)
            return code;
        first += parsed.batches[i].header.count;
    }
    return ERR_OK;
}

static void fsck_tree(struct fsck *f, const struct header *h) {
    struct digest root;
    if (!f->tree_known)
        return;
    root = tree_frontier_root(&f->frontier);
    if (f->frontier.size == h->tree_size && digest_eq(&root, &h->tree_root))
        return;
    fsck_say(f, FSCK_TREE, h->height, h->tree_size - h->entries, h->entries, false,
             "the tree of %llu entries is not the one that the header names", (unsigned long long)f->frontier.size);
    f->tree_known = false;
}

static enum err_code fsck_block(struct fsck *f, uint64_t height, struct err *e) {
    struct chain_format_block b;
    struct err why;
    struct digest hash;
    const struct header *h = &b.block.header;
    uint64_t first, size = f->frontier.size;
    enum err_code code = chain_format_block_load(f->txn, height, &b, &why);
    if (code != ERR_OK) {
        fsck_say(f, FSCK_BLOCK, height, size, 0, true, "%s", why.text);
        f->tree_known = f->seqs_known = false;
        f->seq_count = 0;
        f->prev = (struct digest){{0}}; /* unknown: the next block's link is checked against the hash it names */
        return ERR_OK;
    }
    first = h->tree_size - h->entries;
    hash = header_hash(h);
    if (!digest_eq(&hash, &b.block.hash) || !digest_eq(&h->channel, &f->o->channel) || b.block.first_entry != first)
        fsck_say(f, FSCK_BLOCK, height, first, h->entries, true, "the header does not hash to the block's hash");
    if (!digest_is_zero(&f->prev) && !digest_eq(&h->prev, &f->prev))
        fsck_say(f, FSCK_LINK, height, first, h->entries, true, "it does not stand on block %llu",
                 (unsigned long long)height - 1);
    if (h->time < f->prev_time || h->epoch < f->prev_epoch)
        fsck_say(f, FSCK_LINK, height, first, h->entries, false, "its time or epoch is before that of the block below");
    f->prev = hash;
    f->prev_time = h->time;
    f->prev_epoch = h->epoch;
    code = fsck_body(f, &b, e);
    if (code != ERR_OK)
        return code;
    fsck_tree(f, h);
    f->report->blocks++;
    return ERR_OK;
}

/* ---- the tables beside it ---- */

static enum err_code fsck_cert(struct fsck *f, struct slice key, struct slice v, struct err *e) {
    struct chain_format_block b;
    uint64_t height = key.len == 8 ? buf_get64(key.ptr) : 0;
    struct err why;
    if (height == 0 || height > f->tip.height) {
        fsck_say(f, FSCK_CERT, height, 0, 0, true, "a certificate for a block that is not here");
        return ERR_OK;
    }
    if (!f->o->verify || chain_format_block_load(f->txn, height, &b, NULL) != ERR_OK)
        return ERR_OK;
    if (f->o->verify(f->o->verify_ctx, &b.block.header, &b.block.hash, v, &why) != ERR_OK)
        fsck_say(f, FSCK_CERT, height, 0, 0, true, "%s", why.text);
    (void)e;
    return ERR_OK;
}

static enum err_code fsck_pending(struct fsck *f, struct slice key, struct slice v, struct err *e) {
    struct block_body parsed;
    struct header h;
    struct digest hash;
    struct slice body;
    struct err why;
    uint64_t arrival;
    enum err_code code = chain_format_pending_read(v, &arrival, &h, &why);
    arena_clear(&f->arena);
    if (code == ERR_OK)
        code = store_get(f->txn, STORE_BODIES, CHAIN_FORMAT_KEY(arrival), &body, &why);
    if (code == ERR_OK)
        code = block_read(body, &f->arena, &parsed, &why);
    if (code == ERR_OK)
        code = block_match(&h, body, &parsed, &why);
    hash = header_hash(&h);
    if (code == ERR_OK && !slice_eq(digest_slice(&hash), key))
        code = err_set(&why, ERR_CORRUPT, "it is stored under another hash");
    if (code != ERR_OK)
        fsck_say(f, FSCK_PENDING, 0, 0, 0, true, "%s", why.text);
    (void)e;
    return ERR_OK;
}

static enum err_code fsck_final_batch(struct fsck *f, struct slice key, struct slice v, struct err *e) {
    struct sign_public who;
    struct digest hash;
    uint64_t seq, height;
    struct err why;
    size_t i = 0;
    (void)e;
    if (chain_format_batch_read(key, v, &who, &seq, &hash, &height, &why) != ERR_OK) {
        fsck_say(f, FSCK_SEQ, 0, 0, 0, true, "%s", why.text);
        return ERR_OK;
    }
    while (i < f->seq_count && !sign_public_eq(&f->seqs[i].submitter, &who))
        i++;
    if (f->seqs_known && (i == f->seq_count || seq > f->seqs[i].seq || height > f->tip.height))
        fsck_say(f, FSCK_SEQ, height, 0, 0, true, "a final batch is listed that no block holds");
    return ERR_OK;
}

static enum err_code fsck_plain(struct fsck *f, struct slice key, struct slice v, struct err *e) {
    (void)f;
    (void)key;
    (void)v;
    (void)e;
    return ERR_OK;
}

typedef enum err_code (*fsck_row_fn)(struct fsck *f, struct slice key, struct slice v, struct err *e);

/* Walks a table; a damaged value is one fault and the walk goes on. */
static enum err_code fsck_table(struct fsck *f, enum store_table table, enum fsck_kind kind, fsck_row_fn fn,
                                struct err *e) {
    uint8_t at[STORE_KEY_MAX];
    struct slice from = slice_none(), key, v;
    for (;;) {
        struct err why;
        enum err_code code =
            store_seek(f->txn, table, from.len ? STORE_ABOVE : STORE_AT_OR_ABOVE, from, &key, NULL, &why);
        if (code == ERR_NOT_FOUND)
            return ERR_OK;
        if (code == ERR_OK && key.len > sizeof at)
            code = err_set(&why, ERR_CORRUPT, "a key of %zu bytes", key.len);
        if (code != ERR_OK) {
            fsck_say(f, FSCK_STORE, 0, 0, 0, false, "table %s: %s", store_table_name(table), why.text);
            return ERR_OK;
        }
        memcpy(at, key.ptr, key.len);
        from = slice_of(at, key.len);
        code = store_get(f->txn, table, from, &v, &why);
        if (code != ERR_OK)
            fsck_say(f, kind, key.len == 8 ? buf_get64(at) : 0, 0, 0, table != STORE_VOTES, "%s", why.text);
        else if ((code = fn(f, from, v, e)) != ERR_OK)
            return code;
    }
}

static void fsck_tip(struct fsck *f) {
    struct digest root = tree_frontier_root(&f->frontier), genesis = block_genesis(&f->o->channel);
    const struct digest *top = f->tip.height ? &f->prev : &genesis;
    if (!digest_is_zero(top) && !digest_eq(top, &f->tip.hash))
        fsck_say(f, FSCK_META, f->tip.height, 0, 0, true, "the tip is not the newest block");
    if (f->tree_known && (f->frontier.size != f->tip.tree_size || !digest_eq(&root, &f->tip.tree_root)))
        fsck_say(f, FSCK_META, f->tip.height, 0, 0, true, "the tip's tree is not that of the entries");
}

/* The tip as stored or, when it is damaged, the height of the newest block. */
static enum err_code fsck_start(struct fsck *f, struct err *e) {
    struct err why;
    struct slice key, v;
    enum err_code code = store_get(f->txn, STORE_META, slice_str("channel"), &v, &why);
    if (code == ERR_OK && !slice_eq(v, digest_slice(&f->o->channel)))
        return err_set(e, ERR_WRONG_NETWORK, "the ledger is another channel's");
    code = chain_format_tip_load(f->txn, &f->tip, &f->tip_frontier, &why);
    if (code == ERR_OK)
        return ERR_OK;
    fsck_say(f, FSCK_META, 0, 0, 0, true, "the tip: %s", why.text);
    f->tip = (struct chain_tip){.height = 0};
    if (store_seek(f->txn, STORE_BLOCKS, STORE_BELOW, slice_none(), &key, NULL, &why) == ERR_OK && key.len == 8)
        f->tip.height = buf_get64(key.ptr);
    return ERR_OK;
}

static enum err_code fsck_all(struct fsck *f, struct err *e) {
    uint64_t height, tip_faults, rows;
    enum err_code code = fsck_start(f, e);
    tip_faults = f->report->faults;
    for (height = 1; height <= f->tip.height && code == ERR_OK; height++) {
        if (f->o->progress && height % FSCK_PROGRESS == 1)
            f->o->progress(f->o->ctx, height - 1, f->tip.height);
        code = fsck_block(f, height, e);
    }
    if (code == ERR_OK && store_count(f->txn, STORE_BLOCKS, &rows, e) == ERR_OK && rows > f->tip.height)
        fsck_say(f, FSCK_META, f->tip.height, 0, 0, true, "%llu blocks are stored above the tip",
                 (unsigned long long)(rows - f->tip.height));
    if (code == ERR_OK && tip_faults == 0)
        fsck_tip(f);
    if (code == ERR_OK)
        code = fsck_table(f, STORE_META, FSCK_META, fsck_plain, e);
    if (code == ERR_OK)
        code = fsck_table(f, STORE_CERTS, FSCK_CERT, fsck_cert, e);
    if (code == ERR_OK)
        code = fsck_table(f, STORE_PENDING, FSCK_PENDING, fsck_pending, e);
    if (code == ERR_OK)
        code = fsck_table(f, STORE_BATCHES, FSCK_SEQ, fsck_final_batch, e);
    if (code == ERR_OK)
        code = fsck_table(f, STORE_VOTES, FSCK_VOTE, fsck_plain, e);
    if (code == ERR_OK)
        code = fsck_table(f, STORE_PROOFS, FSCK_PROOF, fsck_plain, e);
    if (code == ERR_OK && f->o->progress)
        f->o->progress(f->o->ctx, f->tip.height, f->tip.height);
    return code;
}

enum err_code fsck_run(struct store *store, const struct fsck_options *o, struct fsck_report *report, struct err *e) {
    struct fsck f = {.o = o, .report = report, .tree_known = true, .seqs_known = true};
    enum err_code code;
    *report = (struct fsck_report){0, 0, 0};
    f.prev = block_genesis(&o->channel);
    buf_init(&f.raw, LIMIT_BATCH_RAW);
    arena_init(&f.arena, FSCK_ARENA);
    arena_init(&f.opened, FSCK_OPENED);
    code = store_begin_read(store, &f.txn, e);
    if (code == ERR_OK)
        code = fsck_all(&f, e);
    store_abort(f.txn);
    mem_free(f.seqs);
    buf_release(&f.raw);
    arena_release(&f.arena);
    arena_release(&f.opened);
    return code;
}
