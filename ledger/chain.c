/* ledger/chain.c -- see chain.h: overlays, durability and finality. */
#include "ledger/chain_impl.h"

#include "wire/mem.h"

/* ---- overlays ---- */

struct chain_overlay *chain_find(const struct chain *c, const struct digest *hash) {
    size_t i;
    for (i = 0; i < c->overlay_count; i++)
        if (digest_eq(&c->overlays[i]->hash, hash))
            return c->overlays[i];
    return NULL;
}

void chain_overlay_free(struct chain_overlay *o) {
    if (!o)
        return;
    buf_release(&o->body);
    mem_free(o->seqs);
    mem_free(o);
}

enum err_code chain_base_at(struct chain *c, const struct digest *hash, struct chain_base *out, struct err *e) {
    struct chain_overlay *o = chain_find(c, hash);
    if (o) {
        *out = (struct chain_base){o, o->hash, o->header.epoch, o->header.height, o->header.time, &o->frontier};
        return ERR_OK;
    }
    if (!digest_eq(hash, &c->tip.hash))
        return err_set(e, ERR_NOT_FOUND, "the block below is not held here");
    *out = (struct chain_base){NULL, c->tip.hash, c->tip.epoch, c->tip.height, c->tip.time, &c->frontier};
    return ERR_OK;
}

static struct chain_seq *chain_final_of(const struct chain *c, const struct sign_public *submitter, size_t *at) {
    size_t low = 0, high = c->final_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int x = memcmp(c->finals[mid].submitter.b, submitter->b, SIGN_PUBLIC_SIZE);
        if (x == 0)
            return &c->finals[mid];
        if (x < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (at)
        *at = low;
    return NULL;
}

uint64_t chain_final_seq(const struct chain *c, const struct sign_public *submitter) {
    const struct chain_seq *s = chain_final_of(c, submitter, NULL);
    return s ? s->seq : 0;
}

uint64_t chain_seq_on(const struct chain *c, const struct chain_overlay *o, const struct sign_public *submitter) {
    for (; o; o = o->parent) {
        uint32_t i = o->seq_count;
        while (i > 0)
            if (sign_public_eq(&o->seqs[--i].submitter, submitter))
                return o->seqs[i].seq;
    }
    return chain_final_seq(c, submitter);
}

enum err_code chain_note_final(struct chain *c, const struct chain_seq *s, struct err *e) {
    size_t at = 0;
    struct chain_seq *there = chain_final_of(c, &s->submitter, &at), *grown;
    if (there) {
        *there = *s;
        return ERR_OK;
    }
    if (c->final_count == c->final_cap) {
        size_t cap = c->final_cap ? 2 * c->final_cap : 16;
        grown = mem_realloc(c->finals, cap * sizeof *grown);
        if (!grown)
            return err_set(e, ERR_NO_MEMORY, "the list of submitters");
        c->finals = grown;
        c->final_cap = cap;
    }
    memmove(&c->finals[at + 1], &c->finals[at], (c->final_count - at) * sizeof *c->finals);
    c->finals[at] = *s;
    c->final_count++;
    return ERR_OK;
}

/* ---- reading what is held ---- */

const struct chain_tip *chain_tip(const struct chain *c) {
    return &c->tip;
}

const struct digest *chain_channel(const struct chain *c) {
    return &c->o.channel;
}

enum err_code chain_depth(const struct chain *c, const struct digest *hash, uint32_t *depth, struct err *e) {
    const struct chain_overlay *o = chain_find(c, hash);
    if (!o && !digest_eq(hash, &c->tip.hash))
        return err_set(e, ERR_NOT_FOUND, "the block is not held here");
    *depth = o ? o->depth : 0;
    return ERR_OK;
}

enum err_code chain_seq_at(const struct chain *c, const struct digest *block, const struct sign_public *submitter,
                           uint64_t *seq, struct err *e) {
    const struct chain_overlay *o = chain_find(c, block);
    if (!o && !digest_eq(block, &c->tip.hash))
        return err_set(e, ERR_NOT_FOUND, "the block is not held here");
    *seq = chain_seq_on(c, o, submitter);
    return ERR_OK;
}

/* A final block by its hash, among the newest. */
static enum err_code chain_final_block(const struct chain *c, const struct digest *hash, struct header *h,
                                       struct buf *body, struct err *e) {
    struct chain_reader *r = NULL;
    struct chain_block b;
    struct slice bytes;
    enum err_code code = chain_reader_open(c->o.store, &r, e);
    if (code == ERR_OK)
        code = chain_reader_by_hash(r, hash, CHAIN_HASH_SCAN, &b, e);
    if (code == ERR_OK)
        *h = b.header;
    if (code == ERR_OK && body) {
        code = chain_reader_body(r, b.header.height, &b, &bytes, e);
        if (code == ERR_OK) {
            buf_clear(body);
            buf_append(body, bytes);
            code = buf_check(body, e);
        }
    }
    chain_reader_close(r);
    return code;
}

enum err_code chain_header(const struct chain *c, const struct digest *hash, struct header *out, struct err *e) {
    const struct chain_overlay *o = chain_find(c, hash);
    if (!o)
        return chain_final_block(c, hash, out, NULL, e);
    *out = o->header;
    return ERR_OK;
}

enum err_code chain_get_block(struct chain *c, const struct digest *hash, struct header *h, struct buf *body,
                              struct err *e) {
    const struct chain_overlay *o = chain_find(c, hash);
    if (!o)
        return chain_final_block(c, hash, h, body, e);
    *h = o->header;
    buf_clear(body);
    buf_append(body, buf_slice(&o->body));
    return buf_check(body, e);
}

bool chain_is_durable(const struct chain *c, const struct digest *hash) {
    const struct chain_overlay *o = chain_find(c, hash);
    struct header h;
    return o ? o->durable : digest_eq(hash, &c->tip.hash) || chain_final_block(c, hash, &h, NULL, NULL) == ERR_OK;
}

bool chain_is_ancestor(const struct chain *c, const struct digest *a, const struct digest *b) {
    const struct chain_overlay *o = chain_find(c, b);
    struct header ha, hb;
    struct digest final = o ? c->tip.hash : *b;
    for (; o; o = o->parent)
        if (digest_eq(&o->hash, a))
            return true;
    if (digest_eq(&final, a))
        return true;
    /* both in the final run */
    if (chain_find(c, a) || chain_final_block(c, a, &ha, NULL, NULL) != ERR_OK)
        return false;
    if (digest_eq(&final, &c->tip.hash))
        return true;
    return chain_final_block(c, &final, &hb, NULL, NULL) == ERR_OK && ha.height <= hb.height;
}

/* ---- durability ---- */

static enum err_code chain_next_arrival(struct store_txn *txn, uint64_t *out, struct err *e) {
    struct slice key;
    enum err_code code = store_seek(txn, STORE_BODIES, STORE_BELOW, slice_none(), &key, NULL, e);
    if (code == ERR_OK && key.len != 8)
        return err_set(e, ERR_CORRUPT, "a body's key of %zu bytes", key.len);
    *out = code == ERR_OK ? buf_get64(key.ptr) + 1 : 1;
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

/* The body goes to disk once, here: finality later only points to it. */
static enum err_code chain_store_body(struct store_txn *txn, struct chain_overlay *o, struct err *e) {
    enum err_code code = chain_next_arrival(txn, &o->arrival, e);
    if (code == ERR_OK)
        code = store_append(txn, STORE_BODIES, CHAIN_FORMAT_KEY(o->arrival), buf_slice(&o->body), e);
    return code;
}

enum err_code chain_persist(struct chain *c, struct store_txn *txn, const struct digest *hash, struct err *e) {
    struct chain_overlay *o = chain_find(c, hash);
    uint8_t value[CHAIN_FORMAT_PENDING];
    enum err_code code;
    if (!o)
        return chain_is_durable(c, hash) ? ERR_OK : err_set(e, ERR_NOT_FOUND, "the block is not held here");
    if (o->durable)
        return ERR_OK;
    code = chain_store_body(txn, o, e);
    if (code != ERR_OK)
        return code;
    chain_format_pending_write(o->arrival, &o->header, value);
    code = store_put(txn, STORE_PENDING, digest_slice(&o->hash), slice_of(value, sizeof value), e);
    o->durable = code == ERR_OK;
    return code;
}

/* ---- finality ---- */

static bool chain_on_path(const struct chain_overlay *top, const struct chain_overlay *o) {
    for (; top; top = top->parent)
        if (top == o)
            return true;
    return false;
}

/* The batches of a final block: the newest LIMIT_POOL_BATCHES of each submitter stay known by their hashes. */
static enum err_code chain_write_batches(struct store_txn *txn, const struct chain_overlay *o, struct err *e) {
    uint8_t key[CHAIN_FORMAT_BATCH_KEY], value[CHAIN_FORMAT_BATCH];
    enum err_code code = ERR_OK;
    uint32_t i;
    for (i = 0; i < o->seq_count && code == ERR_OK; i++) {
        const struct chain_seq *s = &o->seqs[i];
        chain_format_batch_key(&s->submitter, s->seq, key);
        chain_format_batch_write(&s->hash, o->header.height, value);
        code = store_put(txn, STORE_BATCHES, slice_of(key, sizeof key), slice_of(value, sizeof value), e);
        if (code != ERR_OK || s->seq <= LIMIT_POOL_BATCHES)
            continue;
        chain_format_batch_key(&s->submitter, s->seq - LIMIT_POOL_BATCHES, key);
        code = store_del(txn, STORE_BATCHES, slice_of(key, sizeof key), e);
        if (code == ERR_NOT_FOUND)
            code = ERR_OK;
    }
    return code;
}

static enum err_code chain_write_block(struct store_txn *txn, struct chain_overlay *o, struct err *e) {
    struct chain_format_block b = {.block = {o->header, o->hash, o->header.tree_size - o->header.entries}};
    uint8_t value[CHAIN_FORMAT_BLOCK];
    enum err_code code =
        o->durable ? store_del(txn, STORE_PENDING, digest_slice(&o->hash), e) : chain_store_body(txn, o, e);
    if (code != ERR_OK)
        return code;
    b.arrival = o->arrival;
    chain_format_block_write(&b, value);
    code = store_append(txn, STORE_BLOCKS, CHAIN_FORMAT_KEY(o->header.height), slice_of(value, sizeof value), e);
    return code != ERR_OK ? code : chain_write_batches(txn, o, e);
}

enum err_code chain_write_tip(struct store_txn *txn, const struct chain_tip *tip, const struct tree_frontier *f,
                              struct err *e) {
    struct buf b;
    enum err_code code;
    buf_init(&b, CHAIN_FORMAT_TIP_MAX);
    chain_format_tip_write(tip, f, &b);
    code = buf_check(&b, e);
    if (code == ERR_OK)
        code = store_put(txn, STORE_META, slice_str("tip"), buf_slice(&b), e);
    buf_release(&b);
    return code;
}

static void chain_tip_of(const struct chain_overlay *o, struct chain_tip *out) {
    *out = (struct chain_tip){.height = o->header.height,
                              .hash = o->hash,
                              .tree_size = o->header.tree_size,
                              .tree_root = o->header.tree_root,
                              .time = o->header.time,
                              .epoch = o->header.epoch};
}

/* Rows of durable blocks that can no longer become final. */
static enum err_code chain_write_drops(struct chain *c, struct store_txn *txn, const struct chain_overlay *top,
                                       struct err *e) {
    enum err_code code = ERR_OK;
    size_t i;
    for (i = 0; i < c->overlay_count && code == ERR_OK; i++) {
        struct chain_overlay *o = c->overlays[i];
        if (!o->durable || chain_on_path(top, o) || chain_on_path(o, top))
            continue;
        code = store_del(txn, STORE_PENDING, digest_slice(&o->hash), e);
        if (code == ERR_OK)
            code = store_del(txn, STORE_BODIES, CHAIN_FORMAT_KEY(o->arrival), e);
        o->durable = false;
    }
    return code;
}

/* Archives a certificate where the height has none; different signers' certificates are all valid. */
static enum err_code chain_write_cert(struct store_txn *txn, uint64_t height, struct slice cert, struct err *e) {
    struct slice old;
    enum err_code code;
    if (cert.len == 0)
        return ERR_OK;
    code = store_get(txn, STORE_CERTS, CHAIN_FORMAT_KEY(height), &old, e);
    if (code == ERR_NOT_FOUND)
        code = store_put(txn, STORE_CERTS, CHAIN_FORMAT_KEY(height), cert, e);
    return code;
}

/* Writes the path up to `top`, oldest first; recursion is bounded by CHAIN_PENDING. */
static enum err_code chain_write_path(const struct chain *c, struct store_txn *txn, struct chain_overlay *top,
                                      struct err *e) {
    enum err_code code = ERR_OK;
    if (!top || top == c->target)
        return ERR_OK;
    code = chain_write_path(c, txn, top->parent, e);
    return code != ERR_OK ? code : chain_write_block(txn, top, e);
}

enum err_code chain_finalize(struct chain *c, struct store_txn *txn, const struct digest *hash, struct slice cert,
                             struct err *e) {
    struct chain_overlay *o = chain_find(c, hash);
    struct chain_tip tip;
    struct header h = {0};
    enum err_code code;
    if (!o || chain_on_path(c->target, o)) {
        code = o ? ERR_OK : digest_eq(hash, &c->tip.hash) ? ERR_OK : chain_final_block(c, hash, &h, NULL, e);
        if (code != ERR_OK)
            return code;
        return chain_write_cert(txn,
                                o                               ? o->header.height
                                : digest_eq(hash, &c->tip.hash) ? c->tip.height
                                                                : h.height,
                                c->tip.height > 0 || o ? cert : slice_none(), e);
    }
    if (c->target && !chain_on_path(o, c->target))
        return err_set(e, ERR_CONFLICT, "another block is being finalized at its height: the network has forked");
    code = chain_write_path(c, txn, o, e);
    if (code == ERR_OK)
        code = chain_write_drops(c, txn, o, e);
    if (code == ERR_OK)
        code = chain_write_cert(txn, o->header.height, cert, e);
    chain_tip_of(o, &tip);
    if (code == ERR_OK)
        code = chain_write_tip(txn, &tip, &o->frontier, e);
    if (code == ERR_OK)
        c->target = o;
    return code;
}

/* One block of the path has become final: tell those who wait. */
static void chain_apply_block(struct chain *c, struct chain_overlay *o) {
    struct err e;
    uint32_t i;
    for (i = 0; i < o->seq_count; i++) {
        /* the list grows by new submitters only; without memory the process must not go on with a wrong list */
        ERR_ASSERT(chain_note_final(c, &o->seqs[i], &e) == ERR_OK);
        pool_final(c->o.pool, &o->seqs[i].submitter, o->seqs[i].seq, &o->seqs[i].hash, o->header.height);
    }
    if (c->o.rules.final)
        c->o.rules.final(c->o.rules.ctx, &o->hash, &o->header);
    chain_tip_of(o, &c->tip);
    c->frontier = o->frontier;
}

static void chain_apply_path(struct chain *c, struct chain_overlay *o) {
    if (!o)
        return;
    chain_apply_path(c, o->parent);
    chain_apply_block(c, o);
}

/* Batches of an abandoned block go back to the pool, unless they are there or have lost their place. */
static void chain_return_batches(struct chain *c, const struct chain_overlay *o) {
    struct block_body body;
    enum pool_answer answer;
    struct err e;
    uint32_t i;
    arena_clear(&c->arena);
    if (block_read(buf_slice(&o->body), &c->arena, &body, &e) != ERR_OK)
        return;
    for (i = 0; i < body.count; i++) {
        const struct batch *b = &body.batches[i];
        enum err_code code = pool_add(c->o.pool, b, chain_final_seq(c, &b->header.submitter), &answer, &e);
        (void)code; /* its submitter's outbox holds it in any case */
    }
}

void chain_apply(struct chain *c) {
    struct chain_overlay *top = c->target, *drop[CHAIN_PENDING];
    size_t i, keep = 0, drops = 0;
    if (!top)
        return;
    chain_apply_path(c, top);
    for (i = 0; i < c->overlay_count; i++) {
        struct chain_overlay *o = c->overlays[i];
        if (o != top && chain_on_path(o, top))
            c->overlays[keep++] = o; /* it stands above the new tip */
        else
            drop[drops++] = o;
    }
    for (i = 0; i < drops; i++) { /* all are still there: paths cross them */
        if (chain_on_path(top, drop[i]))
            continue;
        chain_return_batches(c, drop[i]);
        if (c->o.rules.drop)
            c->o.rules.drop(c->o.rules.ctx, &drop[i]->hash);
    }
    for (i = 0; i < keep; i++) {
        c->overlays[i]->depth -= top->depth;
        if (c->overlays[i]->parent == top)
            c->overlays[i]->parent = NULL;
    }
    c->overlay_count = keep;
    c->target = NULL;
    for (i = 0; i < drops; i++)
        chain_overlay_free(drop[i]);
}

void chain_close(struct chain *c) {
    size_t i;
    if (!c)
        return;
    for (i = 0; i < c->overlay_count; i++)
        chain_overlay_free(c->overlays[i]);
    mem_free(c->finals);
    buf_release(&c->raw);
    arena_release(&c->arena);
    arena_release(&c->opened);
    mem_free(c);
}
