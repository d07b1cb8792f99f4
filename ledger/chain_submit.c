/* ledger/chain_submit.c -- a batch at the door: everything that can be said about it before it waits in the pool.
 * Clause: docs/PROTOCOL.md 2. */
#include "ledger/chain_impl.h"

/* A seq at or below the final one: the very batch, or another in its place? */
static enum err_code chain_submit_old(struct chain *c, const struct batch *b, enum pool_answer *answer, struct err *e) {
    struct chain_reader *r = NULL;
    struct digest hash;
    uint64_t height;
    enum err_code code = chain_reader_open(c->o.store, &r, e);
    if (code != ERR_OK)
        return code;
    code = chain_reader_batch(r, &b->header.submitter, b->header.seq, &hash, &height, e);
    chain_reader_close(r);
    if (code == ERR_NOT_FOUND)
        return err_set(e, ERR_SEQUENCE, "sequence number %llu was final long ago; the next is %llu",
                       (unsigned long long)b->header.seq,
                       (unsigned long long)chain_final_seq(c, &b->header.submitter) + 1);
    if (code != ERR_OK)
        return code;
    if (!digest_eq(&hash, &b->hash))
        return err_set(e, ERR_CONFLICT, "another batch is final under sequence number %llu",
                       (unsigned long long)b->header.seq);
    *answer = POOL_WAS_FINAL;
    return ERR_OK;
}

/* Is this very batch in a block above the tip that was checked already? It may come once more, from its submitter, and
 * must not be held against itself: where it governs, it cannot follow on a state that holds it. */
static bool chain_submit_held(const struct chain *c, const struct batch *b) {
    size_t i;
    uint32_t k;
    for (i = 0; i < c->overlay_count; i++)
        for (k = 0; k < c->overlays[i]->seq_count; k++) {
            const struct chain_seq *s = &c->overlays[i]->seqs[k];
            if (s->seq == b->header.seq && sign_public_eq(&s->submitter, &b->header.submitter) &&
                digest_eq(&s->hash, &b->hash))
                return true;
        }
    return false;
}

/* A copy of a batch whose entries were judged: is this copy sound? */
static enum err_code chain_submit_copy(struct chain *c, const struct batch *b, struct err *e) {
    struct batch_entries entries;
    enum err_code code = batch_verify(&b->header, e);
    arena_clear(&c->opened);
    return code != ERR_OK ? code : batch_open(b, &c->raw, &c->opened, &entries, e);
}

/* Meaning and form of its entries, as if it stood alone in a block above the newest held one. */
static enum err_code chain_submit_trial(struct chain *c, const struct batch *b, int64_t now, uint32_t *bad_entry,
                                        struct err *e) {
    struct chain_draft d;
    struct chain_base base;
    struct digest newest = c->tip.hash;
    uint32_t depth = 0;
    size_t i;
    enum err_code code;
    for (i = 0; i < c->overlay_count; i++)
        if (c->overlays[i]->depth > depth) {
            depth = c->overlays[i]->depth;
            newest = c->overlays[i]->hash;
        }
    code = chain_base_at(c, &newest, &base, e);
    if (code == ERR_OK)
        code = chain_draft_begin(&d, c, &base, base.epoch, base.time > now ? base.time : now, 1, true, e);
    if (code != ERR_OK)
        return code;
    d.any_seq = true; /* those before it may still be on their way */
    code = chain_draft_batch(&d, b, e);
    if (bad_entry)
        *bad_entry = d.bad_entry;
    chain_draft_drop(&d);
    return code;
}

enum err_code chain_submit(struct chain *c, struct slice bytes, int64_t now, enum pool_answer *answer, struct batch *b,
                           uint32_t *bad_entry, struct err *e) {
    struct batch mine;
    const struct batch *held;
    uint64_t final_seq;
    enum err_code code;
    if (!b)
        b = &mine;
    if (bad_entry)
        *bad_entry = 0;
    code = batch_read(bytes, b, e);
    if (code != ERR_OK)
        return code;
    if (!digest_eq(&b->header.channel, &c->o.channel))
        return err_set(e, ERR_WRONG_NETWORK, "a batch of another channel");
    final_seq = chain_final_seq(c, &b->header.submitter);
    if (b->header.seq <= final_seq) {
        code = batch_verify(&b->header, e);
        return code != ERR_OK ? code : chain_submit_old(c, b, answer, e);
    }
    if (b->header.seq - final_seq > LIMIT_POOL_BATCHES) /* before any dear work */
        return err_set(e, ERR_SEQUENCE, "sequence number %llu is past the window that starts at %llu",
                       (unsigned long long)b->header.seq, (unsigned long long)final_seq + 1);
    held = pool_get(c->o.pool, &b->header.submitter, b->header.seq);
    if (held && digest_eq(&held->hash, &b->hash)) { /* sent again: it was judged when it came */
        *answer = POOL_HELD;
        return ERR_OK;
    }
    code = chain_submit_held(c, b) ? chain_submit_copy(c, b, e) : chain_submit_trial(c, b, now, bad_entry, e);
    return code != ERR_OK ? code : pool_add(c->o.pool, b, final_seq, answer, e);
}
