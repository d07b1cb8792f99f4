/* audit/cases_module.c -- see cases_module.h. */
#include "audit/cases_module.h"

#include "audit/pmap.h"
#include "wire/mem.h"

#include <stdatomic.h>
#include <string.h>

enum { CASES_MODULE_ARENA = 1 << 20 };

struct cases_part {
    _Atomic uint32_t refs;
    struct pmap by_order; /* 0, 1, 2 ... -> struct cases_case */
    struct pmap by_id;    /* hash of the case id -> its order, uint64_t */
};

/* Ids are chosen by those who ask: hashed, so that a poor choice makes no deep path. Two ids with one hash are treated
 * as one: the second request is refused (M2 holds, nobody but its author is hurt). */
static uint64_t cases_module_key(const uint8_t *case_id) {
    struct digest d = digest_tagged("assay/case-key/v1", slice_of(case_id, EVIDENCE_CASE_SIZE));
    return buf_get64(d.b);
}

static const struct cases_case *cases_module_get(const struct cases_part *p, uint64_t key, uint64_t *order) {
    const uint64_t *at = p ? pmap_get(&p->by_id, key) : NULL;
    if (!at)
        return NULL;
    *order = *at;
    return pmap_get(&p->by_order, *at);
}

/* ---- one entry ---- */

static enum err_code cases_module_time(int64_t time, const struct audit_ctx *ctx, const char *what, struct err *e) {
    if (time > 0 && time <= ctx->time + LIMIT_RECORD_AHEAD_MS)
        return ERR_OK;
    return err_set(e, ERR_BAD_TIME, "%s.time: not set, or too far past the block's time", what);
}

/* The rules that need the members or the place of the entry; the rest is cases_step's. */
static enum err_code cases_module_rules(const struct audit_state *state, const struct audit_ctx *ctx,
                                        const struct evidence_entry *x, struct err *e) {
    const struct evidence_request *r = &x->u.request;
    const struct audit_member *to;
    if (x->kind == ENTRY_FINDING)
        return cases_module_time(x->u.finding.time, ctx, "finding", e);
    if (x->kind == ENTRY_ERASURE) {
        if (ctx->submitter->role != AUDIT_ENTERPRISE)
            return err_set(e, ERR_NOT_ALLOWED, "erasure: only an enterprise's node tells of one");
        if (x->u.erasure.entry >= ctx->number)
            return err_set(e, ERR_NOT_FOUND, "erasure: entry %llu is not before it",
                           (unsigned long long)x->u.erasure.entry);
        return cases_module_time(x->u.erasure.time, ctx, "erasure", e);
    }
    if (x->kind != ENTRY_EVIDENCE_REQUEST)
        return ERR_OK;
    to = audit_state_node(state, r->to);
    if (!to || to->role != AUDIT_ENTERPRISE)
        return err_set(e, ERR_NOT_ALLOWED, "evidence request: %.*s is no enterprise's node of this channel",
                       SLICE_ARG(r->to));
    if (r->entry >= ctx->number)
        return err_set(e, ERR_NOT_FOUND, "evidence request: entry %llu is not before it", (unsigned long long)r->entry);
    return ERR_OK;
}

struct cases_module_step {
    struct cases_case c; /* after the entry */
    uint64_t key, order;
    bool of_case, fresh;
};

static enum err_code cases_module_step(const struct cases_part *p, const struct audit_state *state,
                                       const struct audit_ctx *ctx, const struct entry *entry,
                                       struct cases_module_step *out, struct err *e) {
    struct evidence_entry x;
    struct cases_event ev = {.number = ctx->number,
                             .time = ctx->time,
                             .author_node = ctx->submitter->node,
                             .author_org = ctx->submitter->org,
                             .author_regulator = ctx->submitter->role == AUDIT_REGULATOR,
                             .entry = &x};
    const struct cases_case *old = NULL;
    const uint8_t *id;
    struct arena a;
    enum err_code rc;
    *out = (struct cases_module_step){.order = p ? p->by_order.count : 0};
    arena_init(&a, CASES_MODULE_ARENA);
    if ((rc = evidence_entry_read(entry, &a, &x, e)) != ERR_OK || (rc = cases_module_rules(state, ctx, &x, e)))
        goto out;
    if (!(id = evidence_entry_case(&x)))
        goto out;
    out->of_case = true;
    out->key = cases_module_key(id);
    old = cases_module_get(p, out->key, &out->order);
    if (old && memcmp(old->case_id, id, EVIDENCE_CASE_SIZE) != 0) {
        rc = err_set(e, ERR_CONFLICT, "the case id cannot be told from that of another case");
        goto out;
    }
    if (!old && out->order >= CASES_MAX) {
        rc = err_set(e, ERR_TOO_LARGE, "%d evidence cases are open or kept already", CASES_MAX);
        goto out;
    }
    if (old)
        out->c = *old;
    out->fresh = !old;
    rc = cases_step(&out->c, &ev, NULL, e);
    if (rc == ERR_OK && out->c.state == CASES_NONE)
        out->of_case = false; /* a finding that names a case which nobody opened: a finding all the same */
out:
    arena_release(&a);
    return rc;
}

static enum err_code cases_module_check(void *part, const struct audit_state *state, const struct audit_ctx *ctx,
                                        const struct entry *entry, struct err *e) {
    struct cases_module_step step;
    return cases_module_step(part, state, ctx, entry, &step, e);
}

static void *cases_module_retain(void *part) {
    struct cases_part *p = part;
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

static void cases_module_release(void *part) {
    struct cases_part *p = part;
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    pmap_release(&p->by_order);
    pmap_release(&p->by_id);
    mem_free(p);
}

static enum err_code cases_module_apply(void *part, const struct audit_state *state, const struct audit_ctx *ctx,
                                        const struct entry *entry, void **child, struct err *e) {
    const struct cases_part *old = part;
    struct cases_module_step step;
    struct cases_part *p;
    enum err_code rc = cases_module_step(old, state, ctx, entry, &step, e);
    if (rc != ERR_OK)
        return rc;
    if (!step.of_case) {
        *child = part ? cases_module_retain(part) : NULL;
        return ERR_OK;
    }
    if (!(p = mem_zalloc(1, sizeof *p)))
        return err_set(e, ERR_NO_MEMORY, "evidence cases");
    atomic_init(&p->refs, 1);
    if (old) {
        p->by_order = pmap_retain(&old->by_order);
        p->by_id = pmap_retain(&old->by_id);
    }
    rc = pmap_put(&p->by_order, step.order, &step.c, sizeof step.c, e);
    if (rc == ERR_OK && step.fresh)
        rc = pmap_put(&p->by_id, step.key, &step.order, sizeof step.order, e);
    if (rc != ERR_OK)
        cases_module_release(p);
    else
        *child = p;
    return rc;
}

/* ---- digest: every member of a case, in a fixed form ---- */

static void cases_module_u64(struct digest_state *d, uint64_t v) {
    uint8_t b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)(v >> (56 - 8 * i));
    digest_update(d, slice_of(b, sizeof b));
}

static void cases_module_hash(struct digest_state *d, const struct cases_case *c) {
    const uint64_t numbers[] = {(uint64_t)c->state,
                                c->entry,
                                c->request,
                                c->answer,
                                c->verdict_entry,
                                c->dispute,
                                (uint64_t)c->asked_at,
                                (uint64_t)c->deadline,
                                (uint64_t)c->answered_at,
                                (uint64_t)c->judged_at,
                                (uint64_t)c->raw_commit,
                                (uint64_t)c->status,
                                c->cipher_size,
                                (uint64_t)c->verdict,
                                (uint64_t)c->outcome,
                                c->late};
    digest_update(d, slice_of(c->case_id, EVIDENCE_CASE_SIZE));
    digest_update(d, slice_of(c->asker, strlen(c->asker) + 1));
    digest_update(d, slice_of(c->asker_org, strlen(c->asker_org) + 1));
    digest_update(d, slice_of(c->to, strlen(c->to) + 1));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        cases_module_u64(d, numbers[i]);
    digest_update(d, digest_slice(&c->leaf));
    digest_update(d, digest_slice(&c->raw_hash));
    digest_update(d, digest_slice(&c->cipher_hash));
    digest_update(d, digest_slice(&c->key_commit));
}

static void cases_module_digest(void *part, struct digest *out) {
    const struct cases_part *p = part;
    struct digest_state d;
    digest_init(&d);
    cases_module_u64(&d, p->by_order.count);
    for (uint64_t i = 0; i < p->by_order.count; i++)
        cases_module_hash(&d, pmap_get(&p->by_order, i));
    digest_final(&d, out);
}

const struct audit_module cases_module = {
    .name = "evidence",
    .kinds = 1u << ENTRY_EVIDENCE_REQUEST | 1u << ENTRY_EVIDENCE_ANSWER | 1u << ENTRY_VERDICT | 1u << ENTRY_DISPUTE |
             1u << ENTRY_FINDING | 1u << ENTRY_ERASURE,
    .check = cases_module_check,
    .apply = cases_module_apply,
    .retain = cases_module_retain,
    .release = cases_module_release,
    .digest = cases_module_digest,
};

/* ---- questions ---- */

size_t cases_module_count(const struct audit_state *s) {
    const struct cases_part *p = audit_state_part(s, &cases_module);
    return p ? p->by_order.count : 0;
}

const struct cases_case *cases_module_at(const struct audit_state *s, size_t i) {
    const struct cases_part *p = audit_state_part(s, &cases_module);
    return p ? pmap_get(&p->by_order, i) : NULL;
}

const struct cases_case *cases_module_find(const struct audit_state *s, const uint8_t case_id[EVIDENCE_CASE_SIZE]) {
    uint64_t order;
    const struct cases_case *c =
        cases_module_get(audit_state_part(s, &cases_module), cases_module_key(case_id), &order);
    return c && memcmp(c->case_id, case_id, EVIDENCE_CASE_SIZE) == 0 ? c : NULL;
}
