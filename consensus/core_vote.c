/* consensus/core_vote.c -- counts votes, makes and takes certificates, casts own votes, sees contradictions.
 * Obeys PROTOCOL 5.7 to 5.9 (rules 3 to 5), 6, 9. Invariants: C1, C2, C4 of core.h. */
#include "consensus/core_state.h"

static enum message_type core_vote_message(enum cert_type type) {
    return type == CERT_NOTARIZE ? MESSAGE_NOTARIZE : type == CERT_FINALIZE ? MESSAGE_FINALIZE : MESSAGE_NULLIFY;
}

struct slice core_vote_bytes(struct core *c, const struct cert_vote *vote) {
    struct message m;
    core_message_init(c, core_vote_message(vote->type), &m);
    m.vote = *vote;
    return core_encode(c, &m);
}

static bool core_vote_same(const struct core_vote *a, const struct cert_vote *b) {
    return digest_eq(&a->pid, &b->pid) && a->tree_size == b->tree_size && digest_eq(&a->tree_root, &b->tree_root);
}

static struct cert_vote core_vote_full(const struct core *c, uint64_t view, enum cert_type type, uint32_t signer,
                                       const struct core_vote *v) {
    return (struct cert_vote){type, c->set.epoch, view, v->pid, v->tree_size, v->tree_root, signer, v->sig};
}

static void core_vote_evidence(struct core *c, char clause, const struct cert_vote *a, const struct cert_vote *b) {
    struct core_evidence *ev = &c->up->evidence[c->up->evidence_count];
    if (c->up->evidence_count == CORE_EVIDENCE_MAX)
        return;
    *ev = (struct core_evidence){clause, a->signer, core_vote_bytes(c, a), core_vote_bytes(c, b)};
    if (ev->first.len && ev->second.len)
        c->up->evidence_count++;
}

/* PROTOCOL 9.1: what no honest member signs together with this vote. */
static void core_vote_contradictions(struct core *c, struct core_slot *s, const struct cert_vote *vote) {
    enum cert_type type;
    for (type = CERT_NOTARIZE; type <= CERT_NULLIFY; type++) {
        const struct core_vote *v = core_slot_votes(c, s, type) + vote->signer;
        struct cert_vote other;
        char clause = 0;
        if (!v->have)
            continue;
        other = core_vote_full(c, s->view, type, vote->signer, v);
        if (type == vote->type && !core_vote_same(v, vote))
            clause = type == CERT_NOTARIZE ? 'a' : digest_eq(&v->pid, &vote->pid) ? 'e' : 'b';
        else if ((type == CERT_FINALIZE && vote->type == CERT_NULLIFY) ||
                 (type == CERT_NULLIFY && vote->type == CERT_FINALIZE))
            clause = 'c';
        else if (type != vote->type && type != CERT_NULLIFY && vote->type != CERT_NULLIFY &&
                 !digest_eq(&v->pid, &vote->pid))
            clause = 'd';
        if (clause)
            core_vote_evidence(c, clause, &other, vote);
    }
}

uint32_t core_vote_count(struct core *c, const struct core_slot *s, enum cert_type type) {
    const struct core_vote *v = core_slot_votes(c, s, type);
    uint32_t i, count = 0;
    for (i = 0; i < c->set.n; i++)
        count += v[i].have;
    return count;
}

/* The Prop behind a pid: from the leader's proposal or from a certificate. */
static const struct cert_prop *core_vote_prop(const struct core_slot *s, const struct digest *pid) {
    if (s->has_prop && digest_eq(&s->pid, pid))
        return &s->prop;
    if (s->has_cert[CERT_NOTARIZE] && digest_eq(&s->cert[CERT_NOTARIZE].pid, pid))
        return &s->cert[CERT_NOTARIZE].prop;
    return NULL;
}

static void core_vote_tally(struct core *c, struct core_slot *s, const struct cert_vote *vote) {
    const struct core_vote *v = core_slot_votes(c, s, vote->type);
    const struct cert_prop *prop = NULL;
    struct cert cert;
    uint32_t i;
    if (s->has_cert[vote->type])
        return;
    if (vote->type != CERT_NULLIFY && !(prop = core_vote_prop(s, &vote->pid)))
        return; /* counted again once the Prop is here */
    memset(&cert, 0, sizeof cert);
    for (i = 0; i < c->set.n; i++)
        if (v[i].have && core_vote_same(&v[i], vote)) {
            cert.bitmap |= 1u << i;
            cert.sig[cert.count++] = v[i].sig;
        }
    if (!set_is_quorum(&c->set, cert.bitmap, vote->type == CERT_FINALIZE))
        return;
    cert.type = vote->type;
    cert.epoch = c->set.epoch;
    cert.view = s->view;
    if (prop) {
        cert.prop = *prop;
    } else {
        cert.prop.channel = c->set.channel;
        cert.prop.epoch = c->set.epoch;
        cert.prop.set_hash = c->set.hash;
        cert.prop.view = s->view;
    }
    cert.pid = vote->pid;
    cert.tree_size = vote->tree_size;
    cert.tree_root = vote->tree_root;
    (void)core_cert_note(c, &cert, true);
}

void core_vote_recount(struct core *c, struct core_slot *s) {
    enum cert_type type;
    uint32_t i;
    for (type = CERT_NOTARIZE; type <= CERT_FINALIZE; type++)
        for (i = 0; i < c->set.n && !s->has_cert[type]; i++) {
            const struct core_vote *v = core_slot_votes(c, s, type) + i;
            struct cert_vote vote = core_vote_full(c, s->view, type, i, v);
            if (v->have && s->view > core_floor(c))
                core_vote_tally(c, s, &vote);
        }
}

/* PROTOCOL 8.5. Above the window I remember: there, an own signature that is not in my records is another's. */
static bool core_vote_is_mine(struct core *c, const struct cert_vote *vote) {
    const struct core_slot *s = core_slot(c, vote->view);
    const struct cert_vote *own = s ? &s->own[vote->type] : NULL;
    if (c->self < 0 || vote->signer != (uint32_t)c->self || vote->view <= core_floor(c))
        return c->self >= 0 && vote->signer == (uint32_t)c->self;
    if (!s || !s->has_own[vote->type] || !digest_eq(&own->pid, &vote->pid) || own->tree_size != vote->tree_size ||
        !digest_eq(&own->tree_root, &vote->tree_root))
        core_stop(c, CORE_HALT_OWN_SIGNATURE);
    return true;
}

void core_vote_note(struct core *c, const struct cert_vote *vote, bool verified) {
    struct core_slot *s = vote->view <= c->view + 1 ? core_slot_make(c, vote->view) : NULL;
    struct core_vote *slot = s && vote->signer < c->set.n ? core_slot_votes(c, s, vote->type) + vote->signer : NULL;
    bool mine = c->self >= 0 && vote->signer == (uint32_t)c->self;
    struct err e = {ERR_OK, ""};
    if ((!s && !mine) || (slot && slot->have && core_vote_same(slot, vote)))
        return;
    if (!verified && cert_vote_verify(&c->set, vote, &c->verifier, &e) != ERR_OK) {
        core_fault(c, &e);
        return;
    }
    if (core_vote_is_mine(c, vote) || !slot)
        return;
    if (vote->view > c->heard[vote->signer])
        c->heard[vote->signer] = vote->view;
    core_vote_contradictions(c, s, vote);
    if (slot->have)
        return; /* one slot a signer, view and type */
    *slot = (struct core_vote){true, vote->pid, vote->tree_size, vote->tree_root, vote->sig};
    core_vote_tally(c, s, vote);
}

bool core_cert_note_bytes(struct core *c, struct slice bytes) {
    struct cert cert;
    struct err e = {ERR_OK, ""};
    if (cert_read(bytes, &cert, &e) != ERR_OK) {
        core_fault(c, &e);
        return false;
    }
    return core_cert_note(c, &cert, false);
}

/* The leader's own signature in a notarization stands for its proposal, should that have been lost. */
static void core_cert_prop(struct core *c, struct core_slot *s, const struct cert *cert) {
    uint32_t leader = set_leader(&c->set, cert->view), i;
    struct cert_vote vote;
    if (s->has_prop || cert->type != CERT_NOTARIZE)
        return;
    for (i = 0; i < cert->count; i++) {
        cert_vote_of(cert, i, &vote);
        if (vote.signer != leader)
            continue;
        s->has_prop = true;
        s->prop = cert->prop;
        s->pid = cert->pid;
        s->prop_sig = vote.sig;
    }
}

static void core_cert_blocks(struct core *c, const struct cert *cert) {
    struct core_block *b;
    if (cert->type == CERT_NULLIFY)
        return;
    b = core_block_want(c, &cert->prop.block_hash, cert->prop.height, cert->view);
    if (b) {
        b->seen = true;
        if (b->state == CORE_BLOCK_WANT && c->up->fetch_count < CORE_FETCH_MAX && c->started)
            c->up->fetch[c->up->fetch_count++] = (struct core_fetch){b->hash, b->height};
    }
    if (cert->type == CERT_FINALIZE && cert->prop.height > c->final.height + 1 && (!b || b->state == CORE_BLOCK_WANT)) {
        c->up->sync_wanted = true;
        c->up->sync_from = c->from;
        c->up->sync_height = cert->prop.height;
    }
}

static void core_cert_store(struct core *c, struct core_slot *s, const struct cert *cert) {
    static const enum core_record_type record[] = {0, CORE_RECORD_CERT_NOTARIZE, CORE_RECORD_CERT_FINALIZE,
                                                   CORE_RECORD_CERT_NULLIFY};
    uint32_t i;
    s->has_cert[cert->type] = true;
    s->cert[cert->type] = *cert;
    buf_clear(&c->scratch);
    cert_write(cert, &c->scratch);
    ERR_ASSERT(!c->scratch.failed);
    if (c->started)
        core_record(c, cert->view, record[cert->type], core_out(c, buf_slice(&c->scratch)));
    core_cert_prop(c, s, cert);
    for (i = 0; i < cert->count && c->started; i++) {
        struct cert_vote vote;
        cert_vote_of(cert, i, &vote);
        core_vote_note(c, &vote, true);
    }
    if (cert->type == CERT_NOTARIZE && c->started)
        core_vote_recount(c, s);
}

bool core_cert_note(struct core *c, const struct cert *cert, bool verified) {
    struct core_slot *s = core_slot(c, cert->view);
    uint64_t was = c->view;
    struct err e = {ERR_OK, ""};
    if ((s && s->has_cert[cert->type]) || (cert->view <= c->final.view && cert->type != CERT_FINALIZE))
        return true;
    if (cert->type == CERT_FINALIZE && cert->prop.height < c->final.height)
        return true;
    if (c->started && c->up->record_count + 2 > CORE_RECORDS_MAX)
        return true; /* no room now: it comes again */
    if (!verified && cert_verify(&c->set, cert, &c->verifier, NULL, &e) != ERR_OK) {
        core_fault(c, &e);
        return false;
    }
    if (cert->type == CERT_FINALIZE && (!c->has_pending || cert->prop.height > c->pending.prop.height) &&
        (cert->prop.height > c->final.height || !digest_eq(&cert->prop.block_hash, &c->final.hash))) {
        c->has_pending = true;
        c->pending = *cert;
    }
    /* Own signatures are looked for before the view moves past them. */
    core_enter(c, cert->view + 1);
    if (c->view > was && cert->type != CERT_NULLIFY)
        c->unfinal++;
    /* PROTOCOL 7.3: a leader who is alive and yet nullified was given too little time. */
    if (c->view > was && cert->type == CERT_NULLIFY) {
        uint32_t leader = set_leader(&c->set, cert->view);
        if (!c->down[leader] && c->heard[leader] + c->set.n >= cert->view && c->started)
            c->scale = c->scale * 3 / 2 > 1000000 ? 1000000 : c->scale * 3 / 2;
    }
    s = core_slot_make(c, cert->view);
    if (s)
        core_cert_store(c, s, cert);
    core_cert_blocks(c, cert);
    return true;
}

static uint64_t core_vote_after(struct core *c, const struct core_slot *s, enum cert_type type) {
    return c->mut.no_vote_persistence || c->mut.count_unsynced ? 0 : s->own_seq[type];
}

void core_vote_persisted(struct core *c) {
    uint64_t v;
    enum cert_type type;
    for (v = core_floor(c) + 1; v <= c->view; v++)
        for (type = CERT_NOTARIZE; type <= CERT_NULLIFY; type++) {
            struct core_slot *s = core_slot(c, v);
            struct core_vote *slot;
            if (!s || !s->has_own[type] || s->own_counted[type] || core_vote_after(c, s, type) > c->persisted)
                continue;
            s->own_counted[type] = true;
            slot = core_slot_votes(c, s, type) + c->self;
            *slot = (struct core_vote){true, s->own[type].pid, s->own[type].tree_size, s->own[type].tree_root,
                                       s->own[type].sig};
            core_vote_tally(c, s, &s->own[type]);
        }
}

/* Signs, records, then sends: the one place where an own vote is made. */
void core_vote_own(struct core *c, struct core_slot *s, enum cert_type type) {
    static const enum core_record_type record[] = {0, CORE_RECORD_OWN_NOTARIZE, CORE_RECORD_OWN_FINALIZE,
                                                   CORE_RECORD_OWN_NULLIFY};
    struct cert_vote *vote = &s->own[type];
    struct slice bytes;
    ERR_ASSERT(core_may_vote(c) && !s->has_own[type] && s->view > core_floor(c));
    ERR_ASSERT(type == CERT_NULLIFY
                   ? !s->has_own[CERT_FINALIZE] || c->mut.finalize_after_nullify
                   : !s->has_own[CERT_NULLIFY] || c->mut.finalize_after_nullify || c->mut.notarize_after_nullify);
    *vote = (struct cert_vote){.type = type, .epoch = c->set.epoch, .view = s->view, .signer = (uint32_t)c->self};
    if (type == CERT_NOTARIZE)
        vote->pid = s->pid;
    if (type == CERT_FINALIZE) {
        const struct core_block *b = core_block_find(c, &s->prop.block_hash);
        ERR_ASSERT(b);
        vote->pid = s->pid;
        vote->tree_size = b->header.tree_size;
        vote->tree_root = b->header.tree_root;
    }
    buf_clear(&c->scratch);
    cert_statement(&c->set, vote, &c->scratch);
    ERR_ASSERT(!c->scratch.failed);
    c->sign(c->sign_ctx, buf_slice(&c->scratch), &vote->sig);
    s->has_own[type] = true;
    bytes = core_vote_bytes(c, vote);
    core_record(c, s->view, record[type], bytes);
    s->own_seq[type] = c->up->seq;
    if (type == CERT_NOTARIZE && set_leader(&c->set, s->view) == (uint32_t)c->self)
        core_propose_send(c, s, core_vote_after(c, s, type));
    else
        core_send(c, CORE_TO_ALL, core_vote_after(c, s, type), bytes);
    if (core_vote_after(c, s, type) == 0)
        core_vote_persisted(c);
}

bool core_vote_try(struct core *c, struct core_slot *s) {
    bool nullified = s->has_own[CERT_NULLIFY];
    if (!core_may_vote(c))
        return false;
    if (s->has_prop && !s->has_own[CERT_NOTARIZE] && (!nullified || c->mut.notarize_after_nullify) &&
        !(set_leader(&c->set, s->view) == (uint32_t)c->self && s->view == c->view) &&
        core_block_valid(c, &s->prop.block_hash)) {
        enum core_justified just = core_propose_justified(c, s);
        if (just == CORE_JUSTIFIED_YES) {
            core_record(c, s->view, CORE_RECORD_PROPOSAL, core_propose_bytes(c, s));
            core_vote_own(c, s, CERT_NOTARIZE);
            return true;
        }
        if (just == CORE_JUSTIFIED_BAD)
            s->prop_bad = true;
    }
    if (s->has_own[CERT_NOTARIZE] && !s->has_own[CERT_FINALIZE] && s->has_cert[CERT_NOTARIZE] &&
        (!nullified || c->mut.finalize_after_nullify) &&
        digest_eq(&s->own[CERT_NOTARIZE].pid, &s->cert[CERT_NOTARIZE].pid) && s->prop.height > c->final.height &&
        digest_eq(&s->pid, &s->own[CERT_NOTARIZE].pid)) {
        const struct core_block *b = core_block_find(c, &s->prop.block_hash);
        if (b && b->state == CORE_BLOCK_VALID) {
            core_vote_own(c, s, CERT_FINALIZE);
            return true;
        }
    }
    return false;
}
