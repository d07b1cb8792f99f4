/* audit/anchor_rules.c -- ANCHOR and KEY_GRANT as parts of an audit state; see anchor.h. */
#include "audit/anchor.h"
#include "audit/pmap.h"
#include "wire/mem.h"

#include <stdatomic.h>

enum { ANCHOR_ARENA = 1 << 20 };

/* A part that is one counted value: of anchors the map, of grants the newest. */
struct anchor_part {
    _Atomic uint32_t refs;
    struct pmap last; /* first 8 bytes of a channel's id -> struct anchor_last */
};
struct grant_part {
    _Atomic uint32_t refs;
    struct anchor_granted granted;
};

static void anchor_hash_u64(struct digest_state *d, uint64_t v) {
    uint8_t b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)(v >> (56 - 8 * i));
    digest_update(d, slice_of(b, sizeof b));
}

/* ---- anchors ---- */

static const struct anchor_last *anchor_find(const struct anchor_part *p, const uint8_t channel[DIGEST_SIZE]) {
    return p ? pmap_get(&p->last, buf_get64(channel)) : NULL;
}

static enum err_code anchor_check_body(void *part, const struct audit_state *state, const struct audit_ctx *ctx,
                                       const struct anchor *an, struct err *e) {
    const struct audit_policy *policy = audit_state_policy(state);
    const struct anchor_last *last = anchor_find(part, an->channel);
    uint64_t pace, now;
    if (!policy->parent || !policy->anchor_pace)
        return err_set(e, ERR_UNSUPPORTED, "anchor: only the parent holds anchors");
    pace = policy->anchor_pace(policy->anchor_ctx, an->channel, ctx->submitter->node);
    if (pace == 0)
        return err_set(e, ERR_NOT_ALLOWED, "anchor: %.*s is not a member of that channel, or it has no anchors",
                       SLICE_ARG(ctx->submitter->node));
    if (last && memcmp(last->channel, an->channel, DIGEST_SIZE) != 0)
        return err_set(e, ERR_CONFLICT, "anchor: the channel cannot be told from another");
    if (last && an->period <= last->period)
        return err_set(e, ERR_CONFLICT, "anchor: period %llu of this channel has one, or a later one has",
                       (unsigned long long)an->period);
    now = (uint64_t)ctx->time / pace;
    if (an->period > now + 1 || (now > ANCHOR_BEHIND && an->period < now - ANCHOR_BEHIND))
        return err_set(e, ERR_BAD_TIME, "anchor: period %llu, but the block's time is in %llu",
                       (unsigned long long)an->period, (unsigned long long)now);
    return ERR_OK;
}

static enum err_code anchor_check(void *part, const struct audit_state *state, const struct audit_ctx *ctx,
                                  const struct entry *entry, struct err *e) {
    struct anchor an;
    struct arena a;
    enum err_code rc;
    arena_init(&a, ANCHOR_ARENA);
    if ((rc = anchor_read(entry->body, &a, &an, e)) == ERR_OK)
        rc = anchor_check_body(part, state, ctx, &an, e);
    arena_release(&a);
    return rc;
}

static void *anchor_retain(void *part) {
    atomic_fetch_add_explicit(&((struct anchor_part *)part)->refs, 1, memory_order_relaxed);
    return part;
}

static void anchor_release(void *part) {
    struct anchor_part *p = part;
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    pmap_release(&p->last);
    mem_free(p);
}

static enum err_code anchor_apply(void *part, const struct audit_state *state, const struct audit_ctx *ctx,
                                  const struct entry *entry, void **child, struct err *e) {
    const struct anchor_part *old = part;
    struct anchor_last last = {.number = ctx->number, .time = ctx->time};
    struct anchor_part *p = NULL;
    struct anchor an;
    struct arena a;
    enum err_code rc;
    (void)state;
    arena_init(&a, ANCHOR_ARENA);
    if ((rc = anchor_read(entry->body, &a, &an, e)) != ERR_OK)
        goto out;
    if (!(p = mem_zalloc(1, sizeof *p))) {
        rc = err_set(e, ERR_NO_MEMORY, "anchors");
        goto out;
    }
    atomic_init(&p->refs, 1);
    if (old)
        p->last = pmap_retain(&old->last);
    memcpy(last.channel, an.channel, DIGEST_SIZE);
    last.period = an.period;
    if ((rc = pmap_put(&p->last, buf_get64(an.channel), &last, sizeof last, e)) != ERR_OK)
        anchor_release(p);
    else
        *child = p;
out:
    arena_release(&a);
    return rc;
}

static void anchor_digest_one(void *ctx, uint64_t key, const void *value) {
    const struct anchor_last *last = value;
    (void)key;
    digest_update(ctx, slice_of(last->channel, DIGEST_SIZE));
    anchor_hash_u64(ctx, last->period);
    anchor_hash_u64(ctx, last->number);
    anchor_hash_u64(ctx, (uint64_t)last->time);
}

static void anchor_digest(void *part, struct digest *out) {
    const struct anchor_part *p = part;
    struct digest_state d;
    digest_init(&d);
    pmap_each(&p->last, anchor_digest_one, &d);
    digest_final(&d, out);
}

const struct audit_module anchor_module = {
    .name = "anchors",
    .kinds = 1u << ENTRY_ANCHOR,
    .check = anchor_check,
    .apply = anchor_apply,
    .retain = anchor_retain,
    .release = anchor_release,
    .digest = anchor_digest,
};

bool anchor_last(const struct audit_state *s, const struct digest *channel, struct anchor_last *out) {
    const struct anchor_last *last = anchor_find(audit_state_part(s, &anchor_module), channel->b);
    if (last && memcmp(last->channel, channel->b, DIGEST_SIZE) == 0)
        *out = *last;
    else
        last = NULL;
    return last != NULL;
}

/* ---- grants ---- */

/* A box for every member, in the policy's order: nobody is left out, nobody else is let in. */
static enum err_code grant_check_boxes(const struct audit_policy *policy, const struct anchor_grant *g, struct err *e) {
    const struct anchor_box *boxes = g->boxes.items;
    if (g->boxes.count != policy->member_count)
        return err_set(e, ERR_MALFORMED, "key grant: %u boxes for %zu members", g->boxes.count, policy->member_count);
    for (uint32_t i = 0; i < g->boxes.count; i++)
        if (!slice_eq(boxes[i].node, policy->members[i].node))
            return err_set(e, ERR_MALFORMED, "key grant: box %u is for %.*s, not for %.*s", i, SLICE_ARG(boxes[i].node),
                           SLICE_ARG(policy->members[i].node));
    return ERR_OK;
}

static enum err_code grant_check(void *part, const struct audit_state *state, const struct audit_ctx *ctx,
                                 const struct entry *entry, struct err *e) {
    const struct audit_policy *policy = audit_state_policy(state);
    const struct grant_part *old = part;
    struct anchor_grant g;
    struct arena a;
    enum err_code rc;
    arena_init(&a, ANCHOR_ARENA);
    if ((rc = schema_read(&anchor_grant_schema, entry->body, &a, &g, e)) != ERR_OK)
        goto out;
    if (policy->parent)
        rc = err_set(e, ERR_UNSUPPORTED, "key grant: the parent has no anchor key");
    else if (ctx->submitter->role != AUDIT_REGULATOR || !slice_eq(g.by, ctx->submitter->node))
        rc = err_set(e, ERR_NOT_ALLOWED, "key grant: only a regulator's node grants, and as itself");
    else if (g.epoch != (old ? old->granted.epoch : 0) + 1)
        rc = err_set(e, ERR_CONFLICT, "key grant: epoch %llu does not follow %llu", (unsigned long long)g.epoch,
                     (unsigned long long)(old ? old->granted.epoch : 0));
    else
        rc = grant_check_boxes(policy, &g, e);
out:
    arena_release(&a);
    return rc;
}

static void *grant_retain(void *part) {
    atomic_fetch_add_explicit(&((struct grant_part *)part)->refs, 1, memory_order_relaxed);
    return part;
}

static void grant_release(void *part) {
    if (atomic_fetch_sub_explicit(&((struct grant_part *)part)->refs, 1, memory_order_acq_rel) == 1)
        mem_free(part);
}

static enum err_code grant_apply(void *part, const struct audit_state *state, const struct audit_ctx *ctx,
                                 const struct entry *entry, void **child, struct err *e) {
    struct anchor_grant g;
    struct grant_part *p;
    struct arena a;
    enum err_code rc;
    (void)part;
    (void)state;
    arena_init(&a, ANCHOR_ARENA);
    rc = schema_read(&anchor_grant_schema, entry->body, &a, &g, e);
    if (rc == ERR_OK && !(p = mem_zalloc(1, sizeof *p)))
        rc = err_set(e, ERR_NO_MEMORY, "key grants");
    if (rc == ERR_OK) {
        atomic_init(&p->refs, 1);
        p->granted.epoch = g.epoch;
        p->granted.number = ctx->number;
        memcpy(p->granted.commit.b, g.commit, DIGEST_SIZE);
        *child = p;
    }
    arena_release(&a);
    return rc;
}

static void grant_digest(void *part, struct digest *out) {
    const struct grant_part *p = part;
    struct digest_state d;
    digest_init(&d);
    anchor_hash_u64(&d, p->granted.epoch);
    anchor_hash_u64(&d, p->granted.number);
    digest_update(&d, digest_slice(&p->granted.commit));
    digest_final(&d, out);
}

const struct audit_module anchor_grant_module = {
    .name = "grants",
    .kinds = 1u << ENTRY_KEY_GRANT,
    .check = grant_check,
    .apply = grant_apply,
    .retain = grant_retain,
    .release = grant_release,
    .digest = grant_digest,
};

bool anchor_granted(const struct audit_state *s, struct anchor_granted *out) {
    const struct grant_part *p = audit_state_part(s, &anchor_grant_module);
    if (p)
        *out = p->granted;
    return p != NULL;
}
