/* ledger/chain_build.c -- a new block of what waits in the pool. Clause: docs/PROTOCOL.md 4. */
#include "ledger/chain_impl.h"

#include "wire/mem.h"

enum { CHAIN_BUILD_BATCH = 256, CHAIN_BUILD_BODY = 3 }; /* msgpack around a batch's body, and around all */

struct chain_build {
    struct chain *chain;
    struct chain_draft draft;
    struct chain_caps caps;
    struct batch *chosen; /* bodies borrow from the pool */
    uint32_t count;
    uint64_t entries, body_bytes, raw_bytes;
};

static uint32_t chain_build_cap(uint32_t asked, uint32_t limit) {
    return asked > 0 && asked < limit ? asked : limit;
}

static bool chain_build_fits(const struct chain_build *b, const struct batch *x) {
    return b->count < b->caps.batches && b->entries + x->header.count <= b->caps.entries &&
           b->body_bytes + CHAIN_BUILD_BATCH + x->body.len <= b->caps.body_bytes &&
           b->raw_bytes + x->header.raw_len <= b->caps.raw_bytes;
}

/* The submitter's next batch, if it is here. */
static const struct batch *chain_build_next(const struct chain_build *b, const struct sign_public *submitter) {
    const struct chain_overlay *o = b->draft.overlay;
    uint32_t i = o->seq_count;
    uint64_t seq = chain_seq_on(b->chain, o->parent, submitter);
    while (i > 0)
        if (sign_public_eq(&o->seqs[--i].submitter, submitter)) {
            seq = o->seqs[i].seq;
            break;
        }
    return pool_get(b->chain->o.pool, submitter, seq + 1);
}

/* One turn: a batch of each submitter that has one that fits. Starts with another submitter at each height, so that a
 * full block starves nobody. */
static enum err_code chain_build_turn(struct chain_build *b, bool *more, struct err *e) {
    struct pool *pool = b->chain->o.pool;
    size_t n = pool_submitters(pool), i, at;
    struct sign_public key[2 * LIMIT_MEMBERS]; /* a refusal may take a submitter out of the pool's list */
    *more = false;
    ERR_ASSERT(n <= sizeof key / sizeof key[0]);
    for (i = 0; i < n; i++)
        key[i] = *pool_submitter(pool, i);
    for (i = 0; i < n; i++) {
        const struct batch *x;
        struct err why;
        enum err_code code;
        at = (i + (size_t)(b->draft.context.height % n)) % n;
        x = chain_build_next(b, &key[at]);
        if (!x || !chain_build_fits(b, x))
            continue;
        code = chain_draft_batch(&b->draft, x, &why);
        if (code == ERR_OK) {
            b->chosen[b->count++] = *x;
            b->entries += x->header.count;
            b->body_bytes += CHAIN_BUILD_BATCH + x->body.len;
            b->raw_bytes += x->header.raw_len;
            *more = true;
        } else if (err_class_of(code) == ERR_CLASS_REFUSED || err_class_of(code) == ERR_CLASS_NO) {
            pool_refuse(pool, &key[at], x->header.seq, b->draft.bad_entry, &why);
        } else {
            return err_set(e, code, "%s", why.text);
        }
    }
    return ERR_OK;
}

enum err_code chain_build(struct chain *c, const struct digest *parent, uint64_t epoch, const struct chain_caps *caps,
                          int64_t now, struct header *header, struct digest *hash, struct buf *body, struct err *e) {
    struct chain_build b = {.chain = c, .body_bytes = CHAIN_BUILD_BODY};
    struct chain_base base;
    bool more = true;
    enum err_code code = chain_base_at(c, parent, &base, e);
    if (code != ERR_OK)
        return code;
    b.caps.batches = chain_build_cap(caps ? caps->batches : 0, LIMIT_BLOCK_BATCHES);
    b.caps.entries = chain_build_cap(caps ? caps->entries : 0, LIMIT_BLOCK_ENTRIES);
    b.caps.body_bytes = chain_build_cap(caps ? caps->body_bytes : 0, LIMIT_BLOCK_BODY);
    b.caps.raw_bytes =
        caps && caps->raw_bytes > 0 && caps->raw_bytes < LIMIT_BLOCK_RAW ? caps->raw_bytes : LIMIT_BLOCK_RAW;
    b.chosen = mem_zalloc(b.caps.batches, sizeof *b.chosen);
    if (!b.chosen)
        return err_set(e, ERR_NO_MEMORY, "a block");
    code = chain_draft_begin(&b.draft, c, &base, epoch, base.time > now ? base.time : now, b.caps.batches, false, e);
    if (code != ERR_OK)
        goto out;
    while (code == ERR_OK && more && pool_submitters(c->o.pool) > 0)
        code = chain_build_turn(&b, &more, e);
    if (code == ERR_OK && b.count == 0)
        code = err_set(e, ERR_NOT_FOUND, "nothing waits that could be in a block");
    if (code == ERR_OK) {
        buf_clear(body);
        block_write(b.chosen, b.count, body);
        code = buf_check(body, e);
    }
    if (code != ERR_OK) {
        chain_draft_drop(&b.draft);
        goto out;
    }
    *header = (struct header){.channel = c->o.channel,
                              .epoch = epoch,
                              .height = base.height + 1,
                              .prev = base.hash,
                              .body_root = block_body_root(b.chosen, b.count),
                              .body_len = (uint32_t)body->len,
                              .entries = (uint32_t)b.entries,
                              .tree_size = b.draft.overlay->frontier.size,
                              .tree_root = tree_frontier_root(&b.draft.overlay->frontier),
                              .time = b.draft.context.time};
    *hash = header_hash(header);
    if (chain_find(c, hash)) /* the same block once more: it is held already */
        chain_draft_drop(&b.draft);
    else
        code = chain_draft_keep(&b.draft, header, hash, buf_slice(body), e);
out:
    mem_free(b.chosen);
    return code;
}

bool chain_has_work(const struct chain *c, const struct digest *parent) {
    const struct chain_overlay *o = chain_find(c, parent);
    size_t i;
    if (!o && !digest_eq(parent, &c->tip.hash))
        return false;
    for (i = 0; i < pool_submitters(c->o.pool); i++) {
        const struct sign_public *key = pool_submitter(c->o.pool, i);
        if (pool_get(c->o.pool, key, chain_seq_on(c, o, key) + 1))
            return true;
    }
    return false;
}
