/* consensus/core_block.c -- block headers above the final one, and finality itself.
 * Owns: core.blocks, core.final, core.pending. Obeys PROTOCOL 5.10 (rule 6), 8.2, 8.3.
 * Invariant: B1 a block is VALID only when its parent is VALID or final; B2 final height never falls. */
#include "consensus/core_state.h"

struct core_block *core_block_find(struct core *c, const struct digest *hash) {
    size_t i;
    for (i = 0; i < CORE_BLOCKS; i++)
        if (c->blocks[i].state != CORE_BLOCK_FREE && digest_eq(&c->blocks[i].hash, hash))
            return &c->blocks[i];
    return NULL;
}

bool core_block_valid(struct core *c, const struct digest *hash) {
    const struct core_block *b;
    if (digest_eq(hash, &c->final.hash))
        return true;
    b = core_block_find(c, hash);
    return b && b->state == CORE_BLOCK_VALID;
}

/* A view that names a block keeps it and its ancestors from being evicted. */
static void core_block_touch(struct core *c, struct core_block *b, uint64_t view) {
    int depth;
    for (depth = 0; b && depth < CORE_DEPTH; depth++) {
        if (view > b->view)
            b->view = view;
        b = b->state > CORE_BLOCK_WANT ? core_block_find(c, &b->header.prev) : NULL;
    }
}

static void core_block_fetch(struct core *c, const struct core_block *b) {
    if (c->up->fetch_count < CORE_FETCH_MAX)
        c->up->fetch[c->up->fetch_count++] = (struct core_fetch){b->hash, b->height};
}

struct core_block *core_block_want(struct core *c, const struct digest *hash, uint64_t height, uint64_t view) {
    struct core_block *b = core_block_find(c, hash), *old = NULL;
    size_t i;
    if (b) {
        core_block_touch(c, b, view);
        return b;
    }
    if (height <= c->final.height || height > c->final.height + CORE_DEPTH)
        return NULL;
    for (i = 0; i < CORE_BLOCKS && !b; i++) {
        if (c->blocks[i].state == CORE_BLOCK_FREE)
            b = &c->blocks[i];
        else if (!old || c->blocks[i].view < old->view)
            old = &c->blocks[i];
    }
    if (!b)
        b = old;
    memset(b, 0, sizeof *b);
    b->state = CORE_BLOCK_WANT;
    b->hash = *hash;
    b->height = height;
    b->view = view;
    return b;
}

static void core_block_ask(struct core *c, struct core_block *b, struct slice body) {
    if (c->up->validate_count == CORE_VALIDATE_MAX)
        return;
    c->up->validate[c->up->validate_count++] = (struct core_validate){b->hash, b->header, body, b->seen};
    b->state = CORE_BLOCK_ASKED;
}

/* Parent final, valid or being validated: requests go out parent first, so the host can take them in order. */
static bool core_block_parent_ready(struct core *c, const struct core_block *b) {
    const struct core_block *parent = core_block_find(c, &b->header.prev);
    return digest_eq(&b->header.prev, &c->final.hash) ||
           (parent && (parent->state == CORE_BLOCK_VALID || parent->state == CORE_BLOCK_ASKED));
}

void core_block_have(struct core *c, struct core_block *b, const struct header *h, struct slice body) {
    struct digest hash = header_hash(h);
    if (b->state != CORE_BLOCK_WANT || !digest_eq(&hash, &b->hash) || h->height != b->height)
        return;
    b->header = *h;
    if (!digest_eq(&h->channel, &c->set.channel) || h->epoch != c->set.epoch || h->entries == 0) {
        b->state = CORE_BLOCK_BAD;
        return;
    }
    if (body.len && !core_block_parent_ready(c, b)) {
        struct digest prev = h->prev; /* the body can't be kept here: it is fetched once the parent came */
        uint64_t height = h->height, view = b->view;
        if (height > c->final.height + 1) {
            struct core_block *parent = core_block_want(c, &prev, height - 1, view);
            if (parent && parent->state == CORE_BLOCK_WANT)
                core_block_fetch(c, parent);
        }
        return;
    }
    b->state = CORE_BLOCK_HAVE;
    if (body.len)
        core_block_ask(c, b, body);
    core_block_advance(c);
}

void core_block_advance(struct core *c) {
    bool changed = true;
    size_t i;
    while (changed) {
        changed = false;
        for (i = 0; i < CORE_BLOCKS; i++) {
            struct core_block *b = &c->blocks[i];
            if (b->state != CORE_BLOCK_HAVE)
                continue;
            if (core_block_parent_ready(c, b)) {
                core_block_ask(c, b, slice_none());
                changed = b->state != CORE_BLOCK_HAVE;
            } else if (b->height > c->final.height + 1 && !core_block_find(c, &b->header.prev)) {
                struct core_block *parent = core_block_want(c, &b->header.prev, b->height - 1, b->view);
                if (parent && parent->state == CORE_BLOCK_WANT)
                    core_block_fetch(c, parent);
            }
        }
    }
}

void core_block_fetches(struct core *c) {
    size_t i;
    for (i = 0; i < CORE_BLOCKS; i++)
        if (c->blocks[i].state == CORE_BLOCK_WANT)
            core_block_fetch(c, &c->blocks[i]);
}

static void core_final_install(struct core *c, const struct cert *cert) {
    size_t i;
    c->final = (struct core_tip){cert->view, cert->pid, cert->prop.block_hash, cert->prop.height};
    c->final_cert = *cert;
    for (i = 0; i < CORE_BLOCKS; i++)
        if (c->blocks[i].state != CORE_BLOCK_FREE && c->blocks[i].height <= c->final.height)
            c->blocks[i].state = CORE_BLOCK_FREE;
    c->up->prune_below = c->final.view + 1;
    c->scale = c->scale * 8 / 10 < 1000 ? 1000 : c->scale * 8 / 10;
    c->unfinal = 0;
    c->retries = 0;
    c->build_empty = false;
    core_enter(c, c->final.view + 1);
}

/* The chain from the pending block down to the final one, newest first; false when a part is not here. */
static bool core_final_chain(struct core *c, struct core_block *chain[CORE_DEPTH], size_t *count) {
    struct digest at = c->pending.prop.block_hash;
    uint64_t height = c->pending.prop.height;
    *count = 0;
    while (height > c->final.height) {
        struct core_block *b = core_block_want(c, &at, height, c->pending.view);
        if (!b || *count == CORE_DEPTH)
            return false;
        if (b->state != CORE_BLOCK_VALID)
            return false;
        chain[(*count)++] = b;
        at = b->header.prev;
        height--;
    }
    if (!digest_eq(&at, &c->final.hash)) {
        core_stop(c, CORE_HALT_FORK);
        return false;
    }
    return true;
}

bool core_final_try(struct core *c) {
    struct core_block *chain[CORE_DEPTH];
    struct buf *b = &c->scratch;
    struct slice bytes;
    size_t count, i;
    if (!c->has_pending || c->halt == CORE_HALT_FORK || c->halt == CORE_HALT_ROOT)
        return false;
    if (c->pending.prop.height <= c->final.height) {
        if (c->pending.prop.height == c->final.height && !digest_eq(&c->pending.prop.block_hash, &c->final.hash))
            core_stop(c, CORE_HALT_FORK);
        c->has_pending = false;
        return false;
    }
    if (!core_final_chain(c, chain, &count))
        return false;
    if (chain[0]->header.tree_size != c->pending.tree_size ||
        !digest_eq(&chain[0]->header.tree_root, &c->pending.tree_root)) {
        core_stop(c, CORE_HALT_ROOT);
        return false;
    }
    buf_clear(b);
    cert_write(&c->pending, b);
    bytes = core_out(c, buf_slice(b));
    if (c->up->finalized_count + count > CORE_FINALIZED_MAX || bytes.len == 0)
        return false; /* the next event finds it again */
    for (i = count; i-- > 0;)
        c->up->finalized[c->up->finalized_count++] =
            (struct core_finalized){chain[i]->hash, chain[i]->height, chain[i]->header, bytes, c->pending.prop.height};
    c->has_pending = false;
    core_final_install(c, &c->pending);
    core_block_advance(c);
    return true;
}

void core_final_synced(struct core *c, const struct core_final *f) {
    struct cert cert;
    struct core_slot *s;
    if (f->height <= c->final.height)
        return;
    if (cert_read(f->cert, &cert, NULL) != ERR_OK || cert_verify(&c->set, &cert, &c->verifier, NULL, NULL) != ERR_OK ||
        cert.type != CERT_FINALIZE || cert.prop.height != f->height || !digest_eq(&cert.prop.block_hash, &f->hash))
        return;
    s = core_slot(c, cert.view);
    /* PROTOCOL 8.5: my signature in a view where I know that I did not vote. */
    if (c->self >= 0 && (cert.bitmap >> c->self & 1u) && cert.view > core_floor(c) && !(s && s->has_own[CERT_FINALIZE]))
        core_stop(c, CORE_HALT_OWN_SIGNATURE);
    core_final_install(c, &cert);
    core_block_advance(c);
}
