/* audit/audit_state.c -- see audit_state.h. Copying is the whole versions array: governance is rare, and the standards
 * themselves are shared. */
#include "audit/audit_state.h"

#include "audit/import.h"
#include "wire/mem.h"

#include <stdatomic.h>

/* What never changes over a channel's life; shared by all its snapshots. */
struct audit_base {
    _Atomic uint32_t refs;
    struct arena arena;
    struct audit_policy policy;
    const struct audit_module *modules[AUDIT_STATE_MODULES];
    size_t module_count;
};

struct audit_state {
    _Atomic uint32_t refs;
    struct audit_base *base;
    void *parts[AUDIT_STATE_MODULES];
    struct audit_version *versions; /* by publication */
    size_t count;
    size_t bytes; /* of the versions' entries */
};

/* -- life of a snapshot -------------------------------------------------------------------------------------------- */

static void audit_base_release(struct audit_base *b) {
    if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_release(&b->arena);
    mem_free(b);
}

static enum err_code audit_base_new(const struct audit_policy *policy, const struct audit_module *const *modules,
                                    size_t count, struct audit_base **out, struct err *e) {
    struct audit_base *b;
    struct audit_member *m;
    size_t i;
    if (policy->member_count > LIMIT_MEMBERS || count > AUDIT_STATE_MODULES)
        return err_set(e, ERR_TOO_LARGE, "%zu members (at most %d)", policy->member_count, LIMIT_MEMBERS);
    if (!(b = mem_zalloc(1, sizeof *b)))
        return err_set(e, ERR_NO_MEMORY, "state of a channel");
    atomic_init(&b->refs, 1);
    arena_init(&b->arena, (size_t)LIMIT_MEMBERS * 512);
    b->policy = *policy;
    if (!(m = arena_alloc(&b->arena, policy->member_count + 1, sizeof *m)))
        goto out;
    for (i = 0; i < policy->member_count; i++) {
        m[i] = policy->members[i];
        m[i].node = arena_copy(&b->arena, m[i].node);
        m[i].org = arena_copy(&b->arena, m[i].org);
        if (!m[i].node.ptr || !m[i].org.ptr)
            goto out;
    }
    b->policy.members = m;
    for (i = 0; i < count; i++)
        b->modules[i] = modules[i];
    b->module_count = count;
    *out = b;
    return ERR_OK;
out:
    audit_base_release(b);
    return err_set(e, ERR_NO_MEMORY, "state of a channel");
}

enum err_code audit_state_new(const struct audit_policy *policy, const struct audit_module *const *modules,
                              size_t module_count, struct audit_state **out, struct err *e) {
    struct audit_state *s = mem_zalloc(1, sizeof *s);
    enum err_code rc;
    if (!s)
        return err_set(e, ERR_NO_MEMORY, "state of a channel");
    atomic_init(&s->refs, 1);
    if ((rc = audit_base_new(policy, modules, module_count, &s->base, e)) != ERR_OK) {
        mem_free(s);
        return rc;
    }
    *out = s;
    return ERR_OK;
}

struct audit_state *audit_state_retain(struct audit_state *s) {
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void audit_state_release(struct audit_state *s) {
    size_t i;
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (i = 0; i < s->count; i++)
        standard_release(s->versions[i].std);
    for (i = 0; i < s->base->module_count; i++)
        if (s->parts[i])
            s->base->modules[i]->release(s->parts[i]);
    mem_free(s->versions);
    audit_base_release(s->base);
    mem_free(s);
}

/* A copy that nobody else has yet, with room for one version more. */
static struct audit_state *audit_state_copy(const struct audit_state *from) {
    struct audit_state *s = mem_zalloc(1, sizeof *s);
    size_t i;
    if (!s || !(s->versions = mem_zalloc(from->count + 1, sizeof *s->versions))) {
        mem_free(s);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    s->base = from->base;
    atomic_fetch_add_explicit(&s->base->refs, 1, memory_order_relaxed);
    s->count = from->count;
    s->bytes = from->bytes;
    for (i = 0; i < from->count; i++) {
        s->versions[i] = from->versions[i];
        standard_retain(s->versions[i].std);
    }
    for (i = 0; i < s->base->module_count; i++)
        s->parts[i] = from->parts[i] ? s->base->modules[i]->retain(from->parts[i]) : NULL;
    return s;
}

/* -- one entry more ------------------------------------------------------------------------------------------------ */

static struct audit_version *audit_state_own(struct audit_state *s, const struct standard_entry *h) {
    size_t i;
    for (i = 0; i < s->count; i++) {
        const struct standard_entry *v = &s->versions[i].std->head;
        if (v->kind == h->kind && slice_eq(v->id, h->id) && slice_eq(v->version, h->version))
            return &s->versions[i];
    }
    return NULL;
}

static enum err_code audit_state_publish(struct audit_state *s, const struct audit_ctx *ctx, struct slice body,
                                         const struct import *im, struct err *e) {
    struct audit_version v = {.height = ctx->height, .number = ctx->number, .time = ctx->time};
    enum err_code rc = standard_read(body, &v.std, e);
    if (rc != ERR_OK)
        return rc;
    v.from_parent = im != NULL;
    v.parent_number = im ? im->index : 0;
    v.acts_from = v.std->head.effective_from > ctx->time ? v.std->head.effective_from : ctx->time;
    s->bytes += body.len;
    s->versions[s->count++] = v;
    return ERR_OK;
}

static enum err_code audit_state_standard(struct audit_state *s, const struct audit_ctx *ctx, struct slice body,
                                          const struct import *im, struct err *e) {
    struct arena a;
    struct standard_entry h;
    struct audit_version *v;
    enum err_code rc;
    arena_init(&a, LIMIT_ENTRY);
    if ((rc = standard_read_entry(body, &a, &h, e)) != ERR_OK)
        goto out;
    if (h.action == STANDARD_PUBLISH) {
        rc = audit_state_publish(s, ctx, body, im, e);
    } else if (!(v = audit_state_own(s, &h))) {
        rc = err_set(e, ERR_NOT_FOUND, "no standard %.*s %.*s", SLICE_ARG(h.id), SLICE_ARG(h.version));
    } else {
        v->parent_number = im ? im->index : 0;
        if (h.action == STANDARD_REVOKE)
            v->revoked_at = ctx->time;
        else
            v->suspended_at = h.action == STANDARD_SUSPEND ? ctx->time : 0;
    }
out:
    arena_release(&a);
    return rc;
}

static enum err_code audit_state_ack(struct audit_state *s, struct slice body, struct err *e) {
    struct arena a;
    struct standard_ack ack;
    size_t i, member;
    enum err_code rc;
    arena_init(&a, LIMIT_ENTRY);
    if ((rc = schema_read(&standard_ack_schema, body, &a, &ack, e)) != ERR_OK)
        goto out;
    for (member = 0; member < s->base->policy.member_count; member++)
        if (slice_eq(s->base->policy.members[member].node, ack.node))
            break;
    for (i = 0; i < s->count; i++)
        if (memcmp(s->versions[i].std->hash.b, ack.hash, DIGEST_SIZE) == 0)
            break;
    if (i == s->count || member == s->base->policy.member_count)
        rc = err_set(e, ERR_NOT_FOUND, "acknowledgement of what is not there");
    else
        s->versions[i].acks[member / 8] |= (uint8_t)(1u << member % 8);
out:
    arena_release(&a);
    return rc;
}

static enum err_code audit_state_import(struct audit_state *s, const struct audit_ctx *ctx, struct slice body,
                                        struct err *e) {
    struct arena a;
    struct import im;
    struct entry inner;
    enum err_code rc;
    arena_init(&a, LIMIT_ENTRY);
    if ((rc = import_read(body, &a, &im, e)) == ERR_OK && (rc = entry_read(im.entry, &inner, e)) == ERR_OK)
        rc = audit_state_standard(s, ctx, inner.body, &im, e);
    arena_release(&a);
    return rc;
}

static size_t audit_state_module(const struct audit_state *s, enum entry_kind kind) {
    size_t i;
    for (i = 0; i < s->base->module_count; i++)
        if (s->base->modules[i]->kinds & 1u << kind)
            break;
    return i;
}

bool audit_state_governed(const struct audit_state *s, enum entry_kind kind) {
    return kind == ENTRY_STANDARD || kind == ENTRY_ACKNOWLEDGEMENT || kind == ENTRY_IMPORT ||
           audit_state_module(s, kind) < s->base->module_count;
}

static enum err_code audit_state_own_kinds(struct audit_state *s, const struct audit_ctx *ctx,
                                           const struct entry *entry, struct err *e) {
    if (entry->kind == ENTRY_STANDARD)
        return audit_state_standard(s, ctx, entry->body, NULL, e);
    if (entry->kind == ENTRY_ACKNOWLEDGEMENT)
        return audit_state_ack(s, entry->body, e);
    return audit_state_import(s, ctx, entry->body, e);
}

enum err_code audit_state_apply(struct audit_state *parent, const struct audit_ctx *ctx, const struct entry *entry,
                                struct audit_state **child, struct err *e) {
    size_t module = audit_state_module(parent, entry->kind);
    struct audit_state *s;
    void *part = NULL;
    enum err_code rc;
    if (!audit_state_governed(parent, entry->kind)) {
        *child = audit_state_retain(parent);
        return ERR_OK;
    }
    if (module < parent->base->module_count) {
        const struct audit_module *m = parent->base->modules[module];
        if ((rc = m->apply(parent->parts[module], parent, ctx, entry, &part, e)) != ERR_OK)
            return rc;
        if (part == parent->parts[module]) {
            if (part)
                m->release(part);
            *child = audit_state_retain(parent);
            return ERR_OK;
        }
    }
    if (!(s = audit_state_copy(parent))) {
        if (part)
            parent->base->modules[module]->release(part);
        return err_set(e, ERR_NO_MEMORY, "state of a channel");
    }
    if (module < parent->base->module_count) {
        if (s->parts[module])
            s->base->modules[module]->release(s->parts[module]);
        s->parts[module] = part;
    } else if ((rc = audit_state_own_kinds(s, ctx, entry, e)) != ERR_OK) {
        audit_state_release(s);
        return rc;
    }
    *child = s;
    return ERR_OK;
}

/* -- questions ----------------------------------------------------------------------------------------------------- */

const struct audit_policy *audit_state_policy(const struct audit_state *s) {
    return &s->base->policy;
}

const struct audit_member *audit_state_member(const struct audit_state *s, const struct sign_public *submit) {
    size_t i;
    for (i = 0; i < s->base->policy.member_count; i++)
        if (memcmp(s->base->policy.members[i].submit.b, submit->b, SIGN_PUBLIC_SIZE) == 0)
            return &s->base->policy.members[i];
    return NULL;
}

const struct audit_member *audit_state_node(const struct audit_state *s, struct slice node) {
    size_t i;
    for (i = 0; i < s->base->policy.member_count; i++)
        if (slice_eq(s->base->policy.members[i].node, node))
            return &s->base->policy.members[i];
    return NULL;
}

bool audit_state_may_issue(const struct audit_state *s, const struct audit_member *m, uint32_t kind) {
    unsigned mask = kind < STANDARD_KINDS ? s->base->policy.issuers[kind] : 0;
    return ((mask ? mask : AUDIT_REGULATOR) & (unsigned)m->role) != 0;
}

const struct audit_module *audit_state_module_of(const struct audit_state *s, enum entry_kind kind) {
    size_t i = audit_state_module(s, kind);
    return i < s->base->module_count ? s->base->modules[i] : NULL;
}

void *audit_state_part(const struct audit_state *s, const struct audit_module *module) {
    size_t i;
    for (i = 0; i < s->base->module_count; i++)
        if (s->base->modules[i] == module)
            return s->parts[i];
    return NULL;
}

size_t audit_state_versions(const struct audit_state *s, const struct audit_version **out) {
    *out = s->versions;
    return s->count;
}

size_t audit_state_bytes(const struct audit_state *s) {
    return s->bytes;
}

static bool audit_state_same(const struct audit_version *v, uint32_t kind, struct slice id) {
    return v->std->head.kind == kind && slice_eq(v->std->head.id, id);
}

const struct audit_version *audit_state_version(const struct audit_state *s, uint32_t kind, struct slice id,
                                                struct slice version) {
    size_t i;
    for (i = 0; i < s->count; i++)
        if (audit_state_same(&s->versions[i], kind, id) && slice_eq(s->versions[i].std->head.version, version))
            return &s->versions[i];
    return NULL;
}

const struct audit_version *audit_state_by_hash(const struct audit_state *s, const struct digest *hash) {
    size_t i;
    for (i = 0; i < s->count; i++)
        if (digest_eq(&s->versions[i].std->hash, hash))
            return &s->versions[i];
    return NULL;
}

/* Suspended or revoked before its date: passed over as if it had not been published. */
static bool audit_state_passed_over(const struct audit_version *v) {
    return (v->suspended_at && v->suspended_at < v->acts_from) || (v->revoked_at && v->revoked_at < v->acts_from);
}

/* The newest version whose date has come. */
static const struct audit_version *audit_state_current(const struct audit_state *s, uint32_t kind, struct slice id,
                                                       int64_t time) {
    size_t i;
    for (i = s->count; i-- > 0;) {
        const struct audit_version *v = &s->versions[i];
        if (audit_state_same(v, kind, id) && v->acts_from <= time && !audit_state_passed_over(v))
            return v;
    }
    return NULL;
}

const struct audit_version *audit_state_active(const struct audit_state *s, uint32_t kind, struct slice id,
                                               int64_t time) {
    const struct audit_version *v = audit_state_current(s, kind, id, time);
    return v && !v->suspended_at && !v->revoked_at ? v : NULL;
}

size_t audit_state_active_all(const struct audit_state *s, uint32_t kind, int64_t time,
                              const struct audit_version **out, size_t max) {
    size_t i, n = 0;
    for (i = 0; i < s->count && n < max; i++) {
        const struct standard_entry *h = &s->versions[i].std->head;
        if ((kind == 0 || h->kind == kind) && audit_state_active(s, h->kind, h->id, time) == &s->versions[i])
            out[n++] = &s->versions[i];
    }
    return n;
}

/* The version that acted next after v in its line, if it has by `time`. */
static const struct audit_version *audit_state_successor(const struct audit_state *s, const struct audit_version *v,
                                                         int64_t time) {
    const struct audit_version *x;
    for (x = v + 1; x < s->versions + s->count; x++)
        if (audit_state_same(x, v->std->head.kind, v->std->head.id) && x->acts_from <= time &&
            !audit_state_passed_over(x))
            return x;
    return NULL;
}

const struct audit_version *audit_state_predecessor(const struct audit_state *s, const struct audit_version *v) {
    const struct audit_version *x;
    for (x = v; x-- > s->versions;)
        if (audit_state_same(x, v->std->head.kind, v->std->head.id) && !audit_state_passed_over(x))
            return x;
    return NULL;
}

enum audit_life audit_state_life(const struct audit_state *s, const struct audit_version *v, int64_t time) {
    if (v->revoked_at)
        return AUDIT_REVOKED;
    if (v->suspended_at)
        return AUDIT_SUSPENDED;
    if (v->acts_from > time)
        return AUDIT_PENDING;
    return audit_state_successor(s, v, time) ? AUDIT_SUPERSEDED : AUDIT_ACTIVE;
}

const char *audit_state_life_text(enum audit_life life) {
    static const char *const texts[] = {"?", "pending", "active", "superseded", "suspended", "revoked"};
    return texts[life >= AUDIT_PENDING && life <= AUDIT_REVOKED ? life : 0];
}

bool audit_state_citable(const struct audit_state *s, const struct audit_version *v, int64_t time) {
    const struct audit_version *next;
    enum audit_life life = audit_state_life(s, v, time);
    if (life != AUDIT_SUPERSEDED)
        return life == AUDIT_ACTIVE;
    next = audit_state_successor(s, v, time);
    return next && (uint64_t)(time - next->acts_from) < next->std->head.grace_ms;
}

size_t audit_state_ack_count(const struct audit_version *v) {
    size_t i, n = 0;
    for (i = 0; i < LIMIT_MEMBERS; i++)
        n += ((unsigned)v->acks[i / 8] >> i % 8) & 1u;
    return n;
}

bool audit_state_acked(const struct audit_state *s, const struct audit_version *v, struct slice node) {
    const struct audit_member *m = audit_state_node(s, node);
    size_t i = m ? (size_t)(m - s->base->policy.members) : 0;
    return m && ((unsigned)v->acks[i / 8] >> i % 8 & 1u);
}

static void audit_state_hash_u64(struct digest_state *d, uint64_t v) {
    uint8_t b[8];
    int i;
    for (i = 0; i < 8; i++)
        b[i] = (uint8_t)(v >> (56 - 8 * i));
    digest_update(d, slice_of(b, sizeof b));
}

struct digest audit_state_digest(const struct audit_state *s) {
    struct digest_state d;
    struct digest out;
    size_t i;
    digest_init(&d);
    for (i = 0; i < s->count; i++) {
        const struct audit_version *v = &s->versions[i];
        digest_update(&d, v->std->bytes);
        audit_state_hash_u64(&d, v->height);
        audit_state_hash_u64(&d, v->number);
        audit_state_hash_u64(&d, (uint64_t)v->time);
        audit_state_hash_u64(&d, (uint64_t)v->acts_from);
        audit_state_hash_u64(&d, (uint64_t)v->suspended_at);
        audit_state_hash_u64(&d, (uint64_t)v->revoked_at);
        audit_state_hash_u64(&d, v->from_parent);
        audit_state_hash_u64(&d, v->parent_number);
        digest_update(&d, slice_of(v->acks, sizeof v->acks));
    }
    for (i = 0; i < s->base->module_count; i++)
        if (s->parts[i] && s->base->modules[i]->digest) {
            s->base->modules[i]->digest(s->parts[i], &out);
            digest_update(&d, digest_slice(&out));
        }
    digest_final(&d, &out);
    return out;
}
