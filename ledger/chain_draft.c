/* ledger/chain_draft.c -- judges batches on an ancestor chain; the same code for building, validating and trying.
 * Clause: docs/PROTOCOL.md 3. Pure but for the rules that are called. */
#include "ledger/chain_impl.h"

#include "wire/mem.h"

enum err_code chain_draft_begin(struct chain_draft *d, struct chain *c, const struct chain_base *base, uint64_t epoch,
                                int64_t time, uint32_t batches, bool trial, struct err *e) {
    const struct chain_rules *rules = &c->o.rules;
    enum err_code code = ERR_OK;
    *d = (struct chain_draft){.chain = c, .parent = base->hash};
    d->overlay = mem_zalloc(1, sizeof *d->overlay);
    if (!d->overlay)
        return err_set(e, ERR_NO_MEMORY, "a block");
    d->overlay->parent = base->overlay;
    d->overlay->depth = base->overlay ? base->overlay->depth + 1 : 1;
    d->overlay->frontier = *base->frontier;
    buf_init(&d->overlay->body, LIMIT_BLOCK_BODY);
    d->overlay->seqs = mem_zalloc(batches, sizeof *d->overlay->seqs);
    if (!d->overlay->seqs)
        code = err_set(e, ERR_NO_MEMORY, "the batches of a block");
    d->context = (struct chain_context){.channel = &c->o.channel,
                                        .parent = &d->parent,
                                        .epoch = epoch,
                                        .height = base->height + 1,
                                        .time = time,
                                        .draft = trial};
    if (code == ERR_OK && rules->begin)
        code = rules->begin(rules->ctx, &d->context, e);
    d->begun = code == ERR_OK;
    if (code != ERR_OK)
        chain_draft_drop(d);
    return code;
}

void chain_draft_drop(struct chain_draft *d) {
    const struct chain_rules *rules = &d->chain->o.rules;
    if (d->begun && rules->end)
        rules->end(rules->ctx, &d->context, NULL);
    chain_overlay_free(d->overlay);
    d->overlay = NULL;
    d->begun = false;
}

/* Last seq of a submitter, this draft's own batches included. */
static uint64_t chain_draft_seq(const struct chain_draft *d, const struct sign_public *submitter) {
    uint32_t i = d->overlay->seq_count;
    while (i > 0)
        if (sign_public_eq(&d->overlay->seqs[--i].submitter, submitter))
            return d->overlay->seqs[i].seq;
    return chain_seq_on(d->chain, d->overlay->parent, submitter);
}

static enum err_code chain_draft_check_header(const struct chain_draft *d, const struct batch *b, struct err *e) {
    const struct batch_header *h = &b->header;
    uint64_t last;
    if (!digest_eq(&h->channel, &d->chain->o.channel))
        return err_set(e, ERR_WRONG_NETWORK, "a batch of another channel");
    last = chain_draft_seq(d, &h->submitter);
    if (h->seq != last + 1 && !d->any_seq)
        return err_set(e, ERR_SEQUENCE, "batch %llu where %llu is due", (unsigned long long)h->seq,
                       (unsigned long long)last + 1);
    return batch_verify(h, e);
}

static enum err_code chain_draft_entries(struct chain_draft *d, const struct batch *b,
                                         const struct batch_entries *entries, struct err *e) {
    const struct chain_rules *rules = &d->chain->o.rules;
    struct chain_entry x = {.batch = b};
    uint32_t i;
    for (i = 0; i < entries->count; i++) {
        enum err_code code;
        x.number = d->overlay->frontier.size + i;
        x.bytes = entries->items[i];
        x.leaf = entries->leaves[i];
        x.index = i;
        d->bad_entry = i;
        code = entry_read(x.bytes, &x.entry, e);
        if (code == ERR_OK && rules->entry)
            code = rules->entry(rules->ctx, &d->context, &x, e);
        if (code == ERR_CONFLICT || code == ERR_SEQUENCE) { /* these two tell of the batch's place, not of an entry */
            code = ERR_NONCONFORMING;
            if (e)
                e->code = code;
        }
        if (code != ERR_OK)
            return err_wrap(e, "entry %u", i), code;
    }
    d->bad_entry = 0;
    return ERR_OK;
}

enum err_code chain_draft_batch(struct chain_draft *d, const struct batch *b, struct err *e) {
    const struct chain_rules *rules = &d->chain->o.rules;
    struct chain_overlay *o = d->overlay;
    struct batch_entries entries;
    enum err_code code;
    d->copy_fault = false;
    d->bad_entry = 0;
    code = chain_draft_check_header(d, b, e);
    if (code != ERR_OK)
        return code;
    arena_clear(&d->chain->opened);
    code = batch_open(b, &d->chain->raw, &d->chain->opened, &entries, e);
    if (code != ERR_OK) {
        d->copy_fault = true;
        return code;
    }
    if (rules->batch)
        code = rules->batch(rules->ctx, &d->context, b, e);
    if (code == ERR_OK) {
        code = chain_draft_entries(d, b, &entries, e);
        if (code == ERR_OK)
            code = tree_frontier_append(&o->frontier, entries.leaves, entries.count, e);
        if (rules->batch_end)
            rules->batch_end(rules->ctx, &d->context, code == ERR_OK);
    }
    if (code == ERR_OK)
        o->seqs[o->seq_count++] = (struct chain_seq){b->header.submitter, b->header.seq, b->hash};
    return code;
}

enum err_code chain_draft_keep(struct chain_draft *d, const struct header *h, const struct digest *hash,
                               struct slice body, struct err *e) {
    const struct chain_rules *rules = &d->chain->o.rules;
    struct chain_overlay *o = d->overlay;
    enum err_code code;
    o->header = *h;
    o->hash = *hash;
    buf_append(&o->body, body);
    code = buf_check(&o->body, e);
    if (code == ERR_OK && d->chain->overlay_count == CHAIN_PENDING)
        code = err_set(e, ERR_FULL, "%d unfinalised blocks are held", CHAIN_PENDING);
    if (code != ERR_OK) {
        chain_draft_drop(d);
        return code;
    }
    d->chain->overlays[d->chain->overlay_count++] = o;
    if (rules->end)
        rules->end(rules->ctx, &d->context, hash);
    d->overlay = NULL;
    d->begun = false;
    return ERR_OK;
}
