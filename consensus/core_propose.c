/* consensus/core_propose.c -- what a leader proposes, and what justifies a proposal.
 * Obeys PROTOCOL 5.6 (rule 2), 5.7 (rule 3). */
#include "consensus/core_state.h"

#include "wire/pack.h"

/* Is (view, pid) the final proposal, or one whose notarization is here? Gives its block. */
static bool core_propose_parent(struct core *c, uint64_t view, const struct digest *pid, struct core_tip *out) {
    struct core_slot *s;
    enum cert_type type;
    if (view == c->final.view && (view == 0 || digest_eq(pid, &c->final.pid))) {
        *out = c->final;
        return view != 0 || c->final.height == 0;
    }
    s = core_slot(c, view);
    for (type = CERT_NOTARIZE; s && type <= CERT_FINALIZE; type++)
        if (s->has_cert[type] && digest_eq(&s->cert[type].pid, pid)) {
            *out = (struct core_tip){view, *pid, s->cert[type].prop.block_hash, s->cert[type].prop.height};
            return true;
        }
    return false;
}

static void core_propose_get(struct core *c, int to, uint64_t view) {
    struct message m;
    core_message_init(c, MESSAGE_GET_CERT, &m);
    m.view = view;
    core_send(c, to, 0, core_encode(c, &m));
}

enum core_justified core_propose_justified(struct core *c, const struct core_slot *s) {
    const struct core_block *b = core_block_find(c, &s->prop.block_hash);
    struct core_tip parent;
    uint64_t v;
    /* A quorum of notarizations holds f+1 honest members who checked all this. */
    if (s->has_cert[CERT_NOTARIZE] && digest_eq(&s->cert[CERT_NOTARIZE].pid, &s->pid))
        return CORE_JUSTIFIED_YES;
    if (!core_propose_parent(c, s->prop.parent_view, &s->prop.parent_pid, &parent))
        return CORE_JUSTIFIED_NO;
    for (v = s->prop.parent_view + 1; v < s->view && !c->mut.no_null_check; v++) {
        const struct core_slot *w = core_slot(c, v);
        if (!w || !w->has_cert[CERT_NULLIFY])
            return CORE_JUSTIFIED_NO;
    }
    if (digest_eq(&s->prop.block_hash, &parent.hash))
        return s->prop.height == parent.height ? CORE_JUSTIFIED_YES : CORE_JUSTIFIED_BAD;
    if (s->prop.height != parent.height + 1)
        return CORE_JUSTIFIED_BAD;
    if (b && b->state > CORE_BLOCK_WANT && !digest_eq(&b->header.prev, &parent.hash))
        return CORE_JUSTIFIED_BAD;
    return b && b->state > CORE_BLOCK_WANT ? CORE_JUSTIFIED_YES : CORE_JUSTIFIED_NO;
}

bool core_propose_tip(struct core *c, struct core_tip *out, uint64_t *missing) {
    uint64_t v;
    *missing = 0;
    if (c->mut.propose_low) {
        *out = c->final;
        return true;
    }
    for (v = c->view - 1; v > core_floor(c); v--) {
        const struct core_slot *s = core_slot(c, v);
        const struct cert *cert = !s                           ? NULL
                                  : s->has_cert[CERT_FINALIZE] ? &s->cert[CERT_FINALIZE]
                                  : s->has_cert[CERT_NOTARIZE] ? &s->cert[CERT_NOTARIZE]
                                                               : NULL;
        if (cert) {
            *out = (struct core_tip){v, cert->pid, cert->prop.block_hash, cert->prop.height};
            return *missing == 0;
        }
        if ((!s || !s->has_cert[CERT_NULLIFY]) && *missing == 0)
            *missing = v;
    }
    *out = c->final;
    return *missing == 0 && v == c->final.view;
}

bool core_tip_unfinal(struct core *c) {
    return core_tip_height(c) > c->final.height;
}

static void core_propose_justify(struct core *c, const struct core_slot *s, struct message *m, struct buf *parent,
                                 struct buf *nulls) {
    struct core_slot *p = core_slot(c, s->prop.parent_view);
    struct buf one;
    uint32_t count = 0;
    uint64_t v;
    if (s->prop.parent_view == c->final.view && c->final.view != 0)
        cert_write(&c->final_cert, parent);
    else if (p)
        cert_write(&p->cert[p->has_cert[CERT_NOTARIZE] ? CERT_NOTARIZE : CERT_FINALIZE], parent);
    m->parent_cert = s->prop.parent_view ? buf_slice(parent) : slice_none();
    for (v = s->prop.parent_view + 1; v < s->view; v++) {
        const struct core_slot *w = core_slot(c, v);
        count += w && w->has_cert[CERT_NULLIFY];
    }
    if (count == 0)
        return;
    buf_init(&one, CERT_BYTES_MAX);
    pack_array(nulls, count);
    for (v = s->prop.parent_view + 1; v < s->view; v++) {
        const struct core_slot *w = core_slot(c, v);
        if (!w || !w->has_cert[CERT_NULLIFY])
            continue;
        buf_clear(&one);
        cert_write(&w->cert[CERT_NULLIFY], &one);
        pack_bin(nulls, buf_slice(&one));
    }
    buf_release(&one);
    m->null_certs = buf_slice(nulls);
}

/* PROPOSE without its body, made again from what is held: always the same Prop and signature. */
struct slice core_propose_bytes(struct core *c, struct core_slot *s) {
    const struct core_block *b = core_block_find(c, &s->prop.block_hash);
    struct buf parent, nulls;
    struct message m;
    struct slice out;
    buf_init(&parent, CERT_BYTES_MAX);
    buf_init(&nulls, MESSAGE_HEAD_MAX);
    core_message_init(c, MESSAGE_PROPOSE, &m);
    m.prop = s->prop;
    m.sig = s->prop_sig;
    core_propose_justify(c, s, &m, &parent, &nulls);
    if (s->prop.parent_view && !m.parent_cert.len && s->has_cert[CERT_NOTARIZE]) {
        /* notarized late, the parent's certificate never came: its own stands in for it in the record */
        cert_write(&s->cert[CERT_NOTARIZE], &parent);
        m.parent_cert = buf_slice(&parent);
    }
    m.has_header = b && b->state > CORE_BLOCK_WANT;
    if (m.has_header)
        m.header = b->header;
    out = core_encode(c, &m);
    buf_release(&parent);
    buf_release(&nulls);
    return out;
}

void core_propose_send(struct core *c, struct core_slot *s, uint64_t after_seq) {
    const struct core_block *b = core_block_find(c, &s->prop.block_hash);
    struct core_tip parent;
    bool again = core_propose_parent(c, s->prop.parent_view, &s->prop.parent_pid, &parent) &&
                 digest_eq(&parent.hash, &s->prop.block_hash);
    size_t at = c->up->message_count;
    struct message m;
    struct buf pb, nb;
    buf_init(&pb, CERT_BYTES_MAX);
    buf_init(&nb, MESSAGE_HEAD_MAX);
    core_message_init(c, MESSAGE_PROPOSE, &m);
    m.prop = s->prop;
    m.sig = s->prop_sig;
    core_propose_justify(c, s, &m, &pb, &nb);
    m.has_header = !again && b && b->state > CORE_BLOCK_WANT;
    if (m.has_header)
        m.header = b->header;
    core_send(c, CORE_TO_ALL, after_seq, core_encode(c, &m));
    buf_release(&pb);
    buf_release(&nb);
    if (m.has_header && c->up->message_count > at) {
        c->up->messages[at].with_body = true;
        c->up->messages[at].body = s->prop.block_hash;
    }
}

static void core_propose_make(struct core *c, const struct core_tip *parent, const struct digest *hash,
                              uint64_t height) {
    struct core_slot *s = core_slot_make(c, c->view);
    struct cert_vote vote = {.type = CERT_NOTARIZE, .epoch = c->set.epoch, .view = c->view};
    ERR_ASSERT(s && !s->has_own[CERT_NOTARIZE] && !s->has_own[CERT_NULLIFY]);
    s->has_prop = true;
    s->prop = (struct cert_prop){c->set.channel, c->set.epoch, c->set.hash, c->view,
                                 parent->view,   parent->pid,  height,      *hash};
    s->pid = cert_pid(&s->prop);
    vote.pid = s->pid;
    vote.signer = (uint32_t)c->self;
    /* The vote's own signature is the proposal's. Ed25519 is deterministic: signing twice gives it twice. */
    buf_clear(&c->scratch);
    cert_statement(&c->set, &vote, &c->scratch);
    c->sign(c->sign_ctx, buf_slice(&c->scratch), &s->prop_sig);
    core_record(c, s->view, CORE_RECORD_PROPOSAL, core_propose_bytes(c, s));
    core_vote_own(c, s, CERT_NOTARIZE);
}

/* The slot of the current view, if I lead it and have not spoken in it. */
static bool core_propose_my_turn(struct core *c) {
    const struct core_slot *s = core_slot(c, c->view);
    return core_may_vote(c) && core_leader(c) == (uint32_t)c->self &&
           !(s && (s->has_own[CERT_NOTARIZE] || s->has_own[CERT_NULLIFY] || s->has_prop)) && c->view > core_floor(c);
}

bool core_propose_try(struct core *c) {
    struct core_tip tip;
    uint64_t missing, wait = core_timer_repropose(c);
    bool fresh;
    if (!core_propose_my_turn(c) || c->up->record_count + 4 > CORE_RECORDS_MAX || c->build_failed)
        return false;
    if (!core_propose_tip(c, &tip, &missing) || !core_block_valid(c, &tip.hash))
        return false; /* declined; the retry asks for what is missing */
    fresh = tip.height <= c->final.height + 1;
    if (c->pool && fresh && !c->build_empty) {
        if (!c->build_asked) {
            c->up->build = (struct core_build){true, c->view, tip.height + 1, tip.hash};
            c->build_asked = true;
        }
        return false;
    }
    if (tip.height <= c->final.height || c->build_asked || c->mut.no_repropose)
        return false;
    if (!c->mut.no_backoff && c->now < c->entered_at + wait)
        return false;
    core_propose_make(c, &tip, &tip.hash, tip.height);
    return true;
}

void core_propose_payload(struct core *c, const struct core_event *ev) {
    const struct header *h = &ev->u.payload.header;
    struct core_block *b;
    struct core_tip tip;
    struct digest hash;
    uint64_t missing;
    if (ev->u.payload.view != c->view || !c->build_asked || !core_propose_my_turn(c))
        return;
    c->build_asked = false;
    if (!ev->u.payload.ok) {
        c->build_failed = true;
        return;
    }
    if (ev->u.payload.empty) {
        c->build_empty = true;
        return;
    }
    /* The tip may have moved meanwhile: then core_propose_try asks again. */
    if (!core_propose_tip(c, &tip, &missing) || !digest_eq(&h->prev, &tip.hash) || h->height != tip.height + 1)
        return;
    hash = header_hash(h);
    if (!digest_eq(&h->channel, &c->set.channel) || h->epoch != c->set.epoch || h->entries == 0) {
        c->build_failed = true;
        return;
    }
    b = core_block_want(c, &hash, h->height, c->view);
    if (!b)
        return;
    b->header = *h;
    b->state = CORE_BLOCK_VALID;
    core_propose_make(c, &tip, &hash, h->height);
}

/* Asks for the nullification that keeps me, or the proposal before me, waiting. */
void core_propose_missing(struct core *c, int to) {
    struct core_slot *s = core_slot(c, c->view);
    struct core_tip tip;
    uint64_t missing, v, asked = 0;
    if (s && s->has_prop) {
        if (s->prop.parent_view < core_floor(c))
            return; /* below the final view: no certificate can help such a proposal */
        if (!core_propose_parent(c, s->prop.parent_view, &s->prop.parent_pid, &tip) && s->prop.parent_view > 0)
            core_propose_get(c, to, s->prop.parent_view);
        for (v = s->prop.parent_view + 1; v < s->view && asked < 8; v++) {
            const struct core_slot *w = core_slot(c, v);
            if (!w || !w->has_cert[CERT_NULLIFY])
                core_propose_get(c, to, v), asked++;
        }
    } else if (core_leader(c) == (uint32_t)c->self && !core_propose_tip(c, &tip, &missing) && missing) {
        core_propose_get(c, to, missing);
    }
}
