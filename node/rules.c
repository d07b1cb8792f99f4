/* node/rules.c -- see rules.h. */
#include "node/rules.h"

#include "wire/limits.h"
#include "wire/mem.h"

#include <pthread.h>

enum { RULES_STATES = CHAIN_PENDING + 2 };

struct rules_state {
    struct digest hash;
    struct audit_state *state; /* NULL: the slot is free */
};

struct rules {
    pthread_mutex_t lock; /* guards tip only: it alone is read by other threads */
    struct audit_state *tip;
    struct rules_state states[RULES_STATES];
    struct audit_check check; /* the block being built or checked */
    bool checking;
    struct audit_state *before_batch; /* to go back to when a batch is refused */
    const struct audit_member *submitter;
};

static struct rules_state *rules_find(struct rules *r, const struct digest *hash) {
    size_t i;
    for (i = 0; i < RULES_STATES; i++)
        if (r->states[i].state && digest_eq(&r->states[i].hash, hash))
            return &r->states[i];
    return NULL;
}

/* Takes the state over; what a full table can't hold is a broken U1. */
static void rules_hold(struct rules *r, const struct digest *hash, struct audit_state *state) {
    struct rules_state *slot = rules_find(r, hash);
    size_t i;
    for (i = 0; i < RULES_STATES && !slot; i++)
        if (!r->states[i].state)
            slot = &r->states[i];
    ERR_ASSERT(slot);
    audit_state_release(slot->state);
    *slot = (struct rules_state){.hash = *hash, .state = state};
}

enum err_code rules_new(struct audit_state *tip, const struct digest *hash, struct rules **out, struct err *e) {
    struct rules *r = mem_zalloc(1, sizeof *r);
    if (!r) {
        audit_state_release(tip);
        return err_set(e, ERR_NO_MEMORY, "no memory for a channel's rules");
    }
    pthread_mutex_init(&r->lock, NULL);
    r->tip = audit_state_retain(tip);
    rules_hold(r, hash, tip);
    *out = r;
    return ERR_OK;
}

static void rules_abandon(struct rules *r) {
    if (!r->checking)
        return;
    audit_state_release(audit_check_end(&r->check));
    audit_state_release(r->before_batch);
    r->before_batch = NULL;
    r->checking = false;
}

void rules_free(struct rules *r) {
    size_t i;
    if (!r)
        return;
    rules_abandon(r);
    for (i = 0; i < RULES_STATES; i++)
        audit_state_release(r->states[i].state);
    audit_state_release(r->tip);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}

struct audit_state *rules_tip(struct rules *r) {
    struct audit_state *s;
    pthread_mutex_lock(&r->lock);
    s = audit_state_retain(r->tip);
    pthread_mutex_unlock(&r->lock);
    return s;
}

static enum err_code rules_begin(void *ctx, const struct chain_context *c, struct err *e) {
    struct rules *r = ctx;
    struct rules_state *parent = rules_find(r, c->parent);
    if (!parent)
        return err_set(e, ERR_INTERNAL, "no audit state for the parent of block %llu", (unsigned long long)c->height);
    rules_abandon(r);
    audit_check_begin(&r->check, parent->state, c->height, c->time);
    r->checking = true;
    return ERR_OK;
}

static enum err_code rules_batch(void *ctx, const struct chain_context *c, const struct batch *b, struct err *e) {
    struct rules *r = ctx;
    (void)c;
    r->submitter = audit_state_member(r->check.parent, &b->header.submitter);
    if (!r->submitter)
        return err_set(e, ERR_NOT_ALLOWED, "the submitter is not a member of this channel");
    r->before_batch = audit_state_retain(r->check.now);
    return ERR_OK;
}

static enum err_code rules_entry(void *ctx, const struct chain_context *c, const struct chain_entry *x, struct err *e) {
    struct rules *r = ctx;
    (void)c;
    return audit_check_next(&r->check, x->number, x->bytes, r->submitter, NULL, e);
}

static void rules_batch_end(void *ctx, const struct chain_context *c, bool accepted) {
    struct rules *r = ctx;
    (void)c;
    if (!accepted && r->before_batch) {
        audit_state_release(r->check.now);
        r->check.now = r->before_batch;
    } else {
        audit_state_release(r->before_batch);
    }
    r->before_batch = NULL;
}

static void rules_end(void *ctx, const struct chain_context *c, const struct digest *hash) {
    struct rules *r = ctx;
    (void)c;
    if (!r->checking)
        return;
    if (!hash) {
        rules_abandon(r);
        return;
    }
    r->checking = false;
    rules_hold(r, hash, audit_check_end(&r->check));
}

static void rules_drop(void *ctx, const struct digest *hash) {
    struct rules_state *s = rules_find(ctx, hash);
    if (s) {
        audit_state_release(s->state);
        s->state = NULL;
    }
}

static void rules_final(void *ctx, const struct digest *hash, const struct header *h) {
    struct rules *r = ctx;
    struct rules_state *s = rules_find(r, hash);
    struct audit_state *old;
    ERR_ASSERT(s);
    pthread_mutex_lock(&r->lock);
    old = r->tip;
    r->tip = audit_state_retain(s->state);
    pthread_mutex_unlock(&r->lock);
    audit_state_release(old);
    rules_drop(r, &h->prev); /* nothing is built below the tip any more */
}

struct chain_rules rules_callbacks(struct rules *r) {
    return (struct chain_rules){.ctx = r,
                                .begin = rules_begin,
                                .batch = rules_batch,
                                .entry = rules_entry,
                                .batch_end = rules_batch_end,
                                .end = rules_end,
                                .final = rules_final,
                                .drop = rules_drop};
}

/* ---- replay ---- */

struct rules_replayer {
    struct audit_state *state;
    const struct index_source *src;
    uint64_t next; /* entries below it are done */
    enum err_code rc;
    struct err *e;
};

static enum err_code rules_replay_one(struct rules_replayer *p, uint64_t number) {
    struct index_entry x;
    struct entry entry;
    struct sign_public key;
    struct audit_ctx ctx;
    struct audit_state *child;
    if ((p->rc = p->src->entry(p->src->ctx, number, &x, p->e)) != ERR_OK ||
        (p->rc = entry_read(x.bytes, &entry, p->e)) != ERR_OK || !audit_state_governed(p->state, entry.kind))
        return p->rc;
    memcpy(key.b, x.submitter, sizeof key.b);
    ctx = (struct audit_ctx){.height = x.height,
                             .number = number,
                             .time = x.block_time,
                             .submitter = audit_state_member(p->state, &key),
                             .entry = x.bytes};
    p->rc = audit_state_apply(p->state, &ctx, &entry, &child, p->e);
    if (p->rc == ERR_OK) {
        audit_state_release(p->state);
        p->state = child;
    }
    return p->rc;
}

static bool rules_replay_indexed(void *ctx, uint64_t number, enum entry_kind kind) {
    struct rules_replayer *p = ctx;
    /* A block that holds nothing that governs is not read: a node starts though it is damaged, and repairs it. */
    return !audit_state_governed(p->state, kind) || rules_replay_one(p, number) == ERR_OK;
}

enum err_code rules_replay(struct audit_state *empty, struct index *ix, const struct index_source *src,
                           struct audit_state **out, struct err *e) {
    struct rules_replayer p = {.state = empty, .src = src, .e = e};
    struct index_view *view = NULL;
    struct index_tip tip;
    uint64_t number = 0;
    enum err_code rc;
    if (ix && index_view_open(ix, &view, NULL) == ERR_OK) {
        number = index_view_entries(view);
        rc = index_governance(view, UINT32_MAX, 0, rules_replay_indexed, &p, e);
        index_view_close(view);
        if (rc == ERR_OK)
            rc = p.rc;
        if (rc != ERR_OK)
            goto out;
    }
    if ((rc = src->tip(src->ctx, &tip, e)) != ERR_OK)
        goto out;
    for (; number < tip.entries; number++)
        if ((rc = rules_replay_one(&p, number)) != ERR_OK)
            goto out;
    *out = p.state;
    return ERR_OK;
out:
    audit_state_release(p.state);
    return err_wrap(e, "replaying what governs the channel");
}
