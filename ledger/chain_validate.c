/* ledger/chain_validate.c -- the full check of a block on its ancestor chain. Clause: docs/PROTOCOL.md 3. */
#include "ledger/chain_impl.h"

static enum err_code chain_validate_header(const struct chain *c, const struct header *h, const struct chain_base *base,
                                           int64_t clock, struct err *e) {
    if (!digest_eq(&h->channel, &c->o.channel))
        return err_set(e, ERR_WRONG_NETWORK, "a block of another channel");
    if (h->height != base->height + 1)
        return err_set(e, ERR_MISMATCH, "height %llu above height %llu", (unsigned long long)h->height,
                       (unsigned long long)base->height);
    if (h->epoch < base->epoch)
        return err_set(e, ERR_MISMATCH, "epoch %llu after epoch %llu", (unsigned long long)h->epoch,
                       (unsigned long long)base->epoch);
    if (h->time < base->time)
        return err_set(e, ERR_BAD_TIME, "time %lld is before that of the block below, %lld", (long long)h->time,
                       (long long)base->time);
    if (clock != CHAIN_NO_CLOCK && h->time > clock && h->time - clock > LIMIT_CLOCK_AHEAD_MS)
        return err_set(e, ERR_BAD_TIME, "time %lld is more than %d ms ahead of the clock", (long long)h->time,
                       LIMIT_CLOCK_AHEAD_MS);
    return ERR_OK;
}

static enum err_code chain_validate_tree(const struct header *h, const struct tree_frontier *f, struct err *e) {
    struct digest root = tree_frontier_root(f);
    if (f->size != h->tree_size)
        return err_set(e, ERR_MISMATCH, "tree of %llu entries; the header says %llu", (unsigned long long)f->size,
                       (unsigned long long)h->tree_size);
    if (!digest_eq(&root, &h->tree_root))
        return err_set(e, ERR_MISMATCH, "the tree's root is not the header's");
    return ERR_OK;
}

enum err_code chain_validate(struct chain *c, const struct header *h, struct slice body, int64_t clock,
                             bool *block_at_fault, struct err *e) {
    struct digest hash = header_hash(h);
    struct block_body parsed;
    struct chain_draft d;
    struct chain_base base;
    bool unused, *fault = block_at_fault ? block_at_fault : &unused;
    uint32_t i;
    enum err_code code;
    *fault = false;
    if (chain_find(c, &hash) || digest_eq(&hash, &c->tip.hash))
        return ERR_OK;
    if (h->height <= c->tip.height)
        return err_set(e, ERR_CONFLICT, "height %llu is final", (unsigned long long)h->height);
    if (c->overlay_count == CHAIN_PENDING)
        return err_set(e, ERR_FULL, "%d unfinalised blocks are held", CHAIN_PENDING);
    code = chain_base_at(c, &h->prev, &base, e);
    if (code != ERR_OK)
        return code;
    code = chain_validate_header(c, h, &base, clock, e);
    *fault = code != ERR_OK;
    if (code != ERR_OK)
        return code;
    arena_clear(&c->arena);
    code = block_read(body, &c->arena, &parsed, e);
    if (code == ERR_OK)
        code = block_match(h, body, &parsed, e);
    if (code == ERR_OK)
        code = chain_draft_begin(&d, c, &base, h->epoch, h->time, parsed.count, false, e);
    if (code != ERR_OK)
        return code;
    for (i = 0; i < parsed.count && code == ERR_OK; i++) {
        code = chain_draft_batch(&d, &parsed.batches[i], e);
        if (code != ERR_OK)
            err_wrap(e, "batch %u", i);
    }
    if (code == ERR_OK)
        code = chain_validate_tree(h, &d.overlay->frontier, e);
    if (code != ERR_OK) {
        *fault = err_class_of(code) == ERR_CLASS_REFUSED || err_class_of(code) == ERR_CLASS_NO;
        *fault = *fault && !d.copy_fault;
        chain_draft_drop(&d);
        return code;
    }
    return chain_draft_keep(&d, h, &hash, body, e);
}
