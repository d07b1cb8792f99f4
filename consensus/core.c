/* consensus/core.c -- see core.h: life of the core, dispatch of events, the update's space.
 * Depends on: core_state.h. Obeys PROTOCOL 5.5 (rule 1), 6, 8.4 (restart). */
#include "consensus/core_state.h"

#include "wire/mem.h"

enum core_halt core_halted(const struct core *c) {
    return c->halt;
}
uint64_t core_epoch(const struct core *c) {
    return c->set.epoch;
}
uint64_t core_view(const struct core *c) {
    return c->view;
}
uint32_t core_leader(const struct core *c) {
    return set_leader(&c->set, c->view);
}
uint64_t core_final_height(const struct core *c) {
    return c->final.height;
}
uint64_t core_final_view(const struct core *c) {
    return c->final.view;
}
struct digest core_final_hash(const struct core *c) {
    return c->final.hash;
}
size_t core_memory(const struct core *c) {
    return c->memory;
}

enum err_code core_new(const struct core_config *config, struct core **out, struct err *e) {
    struct core *c;
    size_t votes = (size_t)CORE_RING * 3 * config->set->n;
    *out = NULL;
    if (config->delta_ms == 0 || config->delta_ms > CORE_BACKOFF_MS_MAX / 4)
        return err_set(e, ERR_CONFIG, "a delta of %u ms: 1 to %d", config->delta_ms, CORE_BACKOFF_MS_MAX / 4);
    if (config->self < CORE_SELF_NONE || config->self >= (int)config->set->n)
        return err_set(e, ERR_CONFIG, "member %d of %u", config->self, config->set->n);
    c = mem_zalloc(1, sizeof *c);
    if (!c)
        return err_set(e, ERR_NO_MEMORY, "no memory for the consensus of a channel");
    c->slots = mem_zalloc(CORE_RING, sizeof *c->slots);
    c->votes = mem_zalloc(votes, sizeof *c->votes);
    c->out = mem_alloc(CORE_OUT);
    buf_init(&c->scratch, MESSAGE_HEAD_MAX);
    if (!c->slots || !c->votes || !c->out) {
        core_free(c);
        return err_set(e, ERR_NO_MEMORY, "no memory for the consensus of a channel");
    }
    c->memory = sizeof *c + CORE_RING * sizeof *c->slots + votes * sizeof *c->votes + CORE_OUT;
    c->set = *config->set;
    c->self = config->self;
    c->delta = config->delta_ms;
    c->verifier = config->verifier;
    c->sign = config->sign;
    c->sign_ctx = config->sign_ctx;
    c->scale = 1000;
    c->view = 1;
    if (config->mutation)
        c->mut = *config->mutation;
    if (c->mut.quorum_too_small)
        c->set.quorum.q--;
    if (c->mut.no_regulators)
        c->set.quorum.k = 0;
    *out = c;
    return ERR_OK;
}

void core_free(struct core *c) {
    if (!c)
        return;
    mem_free(c->slots);
    mem_free(c->votes);
    mem_free(c->out);
    buf_release(&c->scratch);
    mem_free(c);
}

uint64_t core_floor(const struct core *c) {
    uint64_t window = c->view > CORE_WINDOW ? c->view - CORE_WINDOW : 0;
    return c->final.view > window ? c->final.view : window;
}

struct core_slot *core_slot(struct core *c, uint64_t view) {
    struct core_slot *s = &c->slots[view % CORE_RING];
    return view > core_floor(c) && s->view == view ? s : NULL;
}

struct core_vote *core_slot_votes(struct core *c, const struct core_slot *s, enum cert_type type) {
    size_t slot = (size_t)(s - c->slots);
    return c->votes + (slot * 3 + (size_t)type - 1) * c->set.n;
}

struct core_slot *core_slot_make(struct core *c, uint64_t view) {
    struct core_slot *s = &c->slots[view % CORE_RING];
    if (view <= core_floor(c) || view > c->view + 1)
        return NULL;
    if (s->view != view) {
        memset(s, 0, sizeof *s);
        s->view = view;
        memset(core_slot_votes(c, s, CERT_NOTARIZE), 0, 3 * c->set.n * sizeof(struct core_vote));
    }
    return s;
}

struct slice core_out(struct core *c, struct slice bytes) {
    struct slice s = {c->out + c->out_len, bytes.len};
    if (bytes.len > CORE_OUT - c->out_len)
        return slice_none();
    memcpy(c->out + c->out_len, bytes.ptr, bytes.len);
    c->out_len += bytes.len;
    return s;
}

struct slice core_encode(struct core *c, const struct message *m) {
    buf_clear(&c->scratch);
    message_write(m, &c->scratch);
    ERR_ASSERT(!c->scratch.failed);
    return core_out(c, buf_slice(&c->scratch));
}

void core_message_init(const struct core *c, enum message_type type, struct message *m) {
    memset(m, 0, sizeof *m);
    m->type = type;
    m->channel = c->set.channel;
    m->epoch = c->set.epoch;
    m->set_hash = c->set.hash;
}

void core_record(struct core *c, uint64_t view, enum core_record_type type, struct slice bytes) {
    struct core_update *up = c->up;
    ERR_ASSERT(bytes.len != 0);
    if (c->mut.no_vote_persistence && core_record_is_guard(type))
        return;
    ERR_ASSERT(up->record_count < CORE_RECORDS_MAX);
    if (up->seq == 0)
        up->seq = ++c->seq;
    up->records[up->record_count++] = (struct core_record){c->set.epoch, view, type, bytes};
}

/* A message that finds no room is dropped: each is sent again by the retry. */
void core_send(struct core *c, int to, uint64_t after_seq, struct slice bytes) {
    struct core_update *up = c->up;
    if (bytes.len == 0 || up->message_count == CORE_MESSAGES_MAX)
        return;
    up->messages[up->message_count++] = (struct core_message){.to = to, .after_seq = after_seq, .bytes = bytes};
}

void core_send_cert(struct core *c, int to, const struct cert *cert) {
    struct message m;
    core_message_init(c, MESSAGE_CERT, &m);
    m.cert = *cert;
    core_send(c, to, 0, core_encode(c, &m));
}

void core_fault(struct core *c, const struct err *e) {
    if (c->up->misbehaved)
        return;
    c->up->misbehaved = true;
    c->up->fault = *e;
}

bool core_may_vote(const struct core *c) {
    return c->self >= 0 && c->started && c->halt == CORE_HALT_NONE;
}

void core_stop(struct core *c, enum core_halt why) {
    if (c->halt == CORE_HALT_NONE)
        c->halt = why;
}

void core_enter(struct core *c, uint64_t view) {
    uint32_t i;
    if (view <= c->view)
        return;
    /* Silence is only counted over views that I followed one by one. */
    for (i = 0; i < c->set.n && view > c->view + 1; i++)
        c->heard[i] = view;
    c->view = view;
    c->entered_at = c->now;
    c->armed = false; /* a new view has new timers */
    c->retries = 0;
    c->build_asked = c->build_empty = c->build_failed = false;
    c->up->view_changed = true;
}

void core_status(const struct core *c, struct buf *out) {
    struct message m;
    core_message_init(c, MESSAGE_STATUS, &m);
    m.view = c->view;
    m.final_height = c->final.height;
    m.final_hash = c->final.hash;
    message_write(&m, out);
}

uint64_t core_tip_height(const struct core *c) {
    uint64_t v, height = c->final.height;
    for (v = core_floor(c) + 1; v < c->view; v++) {
        const struct core_slot *s = &c->slots[v % CORE_RING];
        if (s->view == v && s->has_cert[CERT_NOTARIZE] && s->cert[CERT_NOTARIZE].prop.height > height)
            height = s->cert[CERT_NOTARIZE].prop.height;
    }
    return height;
}

static void core_start_own(struct core *c, const struct message *m) {
    struct core_slot *s = core_slot_make(c, m->vote.view);
    struct core_vote *v;
    if (!s || c->self < 0)
        return;
    s->has_own[m->vote.type] = s->own_counted[m->vote.type] = true;
    s->own[m->vote.type] = m->vote;
    v = core_slot_votes(c, s, m->vote.type) + c->self;
    *v = (struct core_vote){true, m->vote.pid, m->vote.tree_size, m->vote.tree_root, m->vote.sig};
}

static void core_start_proposal(struct core *c, const struct message *m) {
    struct core_slot *s = core_slot_make(c, m->prop.view);
    struct core_block *b;
    if (!s)
        return;
    s->has_prop = true;
    s->prop = m->prop;
    s->pid = m->pid;
    s->prop_sig = m->sig;
    b = core_block_want(c, &m->prop.block_hash, m->prop.height, m->prop.view);
    if (b)
        b->seen = true;
    if (b && m->has_header)
        core_block_have(c, b, &m->header, slice_none());
}

/* The highest view that any record proves: a certificate's successor, or an own vote's. */
static uint64_t core_start_view(const struct core_record *r) {
    switch (r->type) {
    case CORE_RECORD_CERT_NOTARIZE:
    case CORE_RECORD_CERT_NULLIFY:
    case CORE_RECORD_CERT_FINALIZE:
        return r->view + 1;
    case CORE_RECORD_PROPOSAL:
    case CORE_RECORD_OWN_NOTARIZE:
    case CORE_RECORD_OWN_FINALIZE:
    case CORE_RECORD_OWN_NULLIFY:
        break;
    }
    return r->view;
}

static void core_start_record(struct core *c, const struct core_record *r) {
    struct message m;
    struct cert cert;
    if (r->epoch != c->set.epoch || (c->mut.forget_on_restart && core_record_is_guard(r->type)))
        return;
    if (r->type >= CORE_RECORD_CERT_NOTARIZE) {
        ERR_ASSERT(cert_read(r->bytes, &cert, NULL) == ERR_OK);
        (void)core_cert_note(c, &cert, true);
        return;
    }
    ERR_ASSERT(message_read(r->bytes, &m, NULL) == ERR_OK);
    if (r->type == CORE_RECORD_PROPOSAL)
        core_start_proposal(c, &m);
    else
        core_start_own(c, &m);
}

/* PROTOCOL 8.4. The store is our own and checksummed: what can't be read is corruption. */
static void core_start(struct core *c, const struct core_event *ev) {
    const struct core_final *f = &ev->u.start.final;
    size_t i;
    uint32_t m;
    c->final.height = f->height;
    c->final.hash = f->hash;
    if (f->height > 0) {
        ERR_ASSERT(cert_read(f->cert, &c->final_cert, NULL) == ERR_OK);
        ERR_ASSERT(digest_eq(&c->final_cert.prop.block_hash, &f->hash));
        c->final.view = c->final_cert.view;
        c->final.pid = c->final_cert.pid;
    }
    c->view = c->final.view + 1;
    for (i = 0; i < ev->u.start.record_count; i++) {
        const struct core_record *r = &ev->u.start.records[i];
        uint64_t view = core_start_view(r);
        if (r->epoch == c->set.epoch && view > c->view && !(c->mut.forget_on_restart && core_record_is_guard(r->type)))
            c->view = view;
    }
    for (m = 0; m < c->set.n; m++)
        c->heard[m] = c->view;
    c->entered_at = c->now;
    for (i = 0; i < ev->u.start.record_count; i++)
        core_start_record(c, &ev->u.start.records[i]);
    c->up->record_count = 0; /* they came from the store */
    c->up->seq = 0;
    c->started = true;
    c->up->view_changed = true;
    core_block_advance(c);
    core_block_fetches(c);
}

static void core_recv(struct core *c, const struct core_event *ev) {
    static void (*const handle[])(struct core *, const struct message *) = {
        [MESSAGE_PROPOSE] = recv_propose,  [MESSAGE_NOTARIZE] = recv_notarize, [MESSAGE_FINALIZE] = recv_finalize,
        [MESSAGE_NULLIFY] = recv_nullify,  [MESSAGE_CERT] = recv_cert,         [MESSAGE_STATUS] = recv_status,
        [MESSAGE_GET_CERT] = recv_get_cert};
    struct message m;
    struct err e = {ERR_OK, ""};
    c->from = ev->u.recv.from;
    if (message_read(ev->u.recv.bytes, &m, &e) != ERR_OK) {
        core_fault(c, &e);
        return;
    }
    if (!digest_eq(&m.channel, &c->set.channel)) {
        err_set(&e, ERR_WRONG_NETWORK, "a message of another channel");
        core_fault(c, &e);
        return;
    }
    if (m.epoch != c->set.epoch) {
        if (m.epoch > c->set.epoch)
            c->up->sync_wanted = true, c->up->sync_from = c->from;
        return;
    }
    if (!digest_eq(&m.set_hash, &c->set.hash)) {
        err_set(&e, ERR_NOT_ALLOWED, "a message of another validator set in the same epoch");
        core_fault(c, &e);
        return;
    }
    handle[m.type](c, &m);
}

static void core_validated(struct core *c, const struct core_event *ev) {
    struct core_block *b = core_block_find(c, &ev->u.validated.hash);
    if (b && b->state == CORE_BLOCK_ASKED)
        b->state = ev->u.validated.ok ? CORE_BLOCK_VALID : ev->u.validated.again ? CORE_BLOCK_WANT : CORE_BLOCK_BAD;
    core_block_advance(c);
    if (b && b->state == CORE_BLOCK_WANT)
        core_block_fetches(c);
}

static void core_peer(struct core *c, const struct core_event *ev) {
    if (ev->u.peer.member >= c->set.n)
        return;
    c->down[ev->u.peer.member] = !ev->u.peer.up;
    if (ev->u.peer.up) { /* what it missed is worth another try soon */
        c->heard[ev->u.peer.member] = c->view;
        c->retries = 0;
        if (c->armed && c->retry_at > c->now + c->delta)
            c->retry_at = c->now + c->delta;
    }
}

static void core_dispatch(struct core *c, const struct core_event *ev) {
    struct core_block *b;
    switch (ev->type) {
    case CORE_EVENT_START:
        ERR_ASSERT(!c->started);
        core_start(c, ev);
        break;
    case CORE_EVENT_RECV:
        core_recv(c, ev);
        break;
    case CORE_EVENT_TICK:
        break;
    case CORE_EVENT_PAYLOAD:
        core_propose_payload(c, ev);
        break;
    case CORE_EVENT_VALIDATED:
        core_validated(c, ev);
        break;
    case CORE_EVENT_PERSISTED:
        if (ev->u.persisted_seq > c->persisted)
            c->persisted = ev->u.persisted_seq;
        core_vote_persisted(c);
        break;
    case CORE_EVENT_BODY_AVAILABLE:
        b = core_block_find(c, &ev->u.body_available.hash);
        if (b && b->state == CORE_BLOCK_WANT) {
            b->seen = true;
            core_block_have(c, b, &ev->u.body_available.header, slice_none());
        }
        break;
    case CORE_EVENT_SYNCED:
        core_final_synced(c, &ev->u.synced);
        break;
    case CORE_EVENT_POOL:
        c->pool = ev->u.pool_nonempty;
        c->build_empty = false;
        break;
    case CORE_EVENT_PEER:
        core_peer(c, ev);
        break;
    }
}

/* All that follows from the state, until nothing more does. */
static void core_progress(struct core *c) {
    bool changed = true;
    uint64_t v;
    int rounds = 0;
    while (changed && rounds++ < CORE_DEPTH) {
        changed = core_final_try(c);
        for (v = core_floor(c) + 1; v <= c->view; v++) {
            struct core_slot *s = core_slot(c, v);
            /* Room for a proposal, a vote and the certificates that may follow; the rest at the next event. */
            if (s && c->up->record_count + 8 < CORE_RECORDS_MAX)
                changed |= core_vote_try(c, s);
        }
        changed |= core_propose_try(c);
        changed |= core_timer_try(c);
    }
}

void core_step(struct core *c, const struct core_event *ev, struct core_update *up) {
    memset(up, 0, offsetof(struct core_update, records));
    up->record_count = up->message_count = up->validate_count = up->fetch_count = 0;
    up->finalized_count = up->evidence_count = 0;
    up->build.wanted = false;
    up->prune_below = 0;
    up->sync_wanted = up->view_changed = up->misbehaved = false;
    up->sync_from = CORE_TO_ALL;
    up->sync_height = 0;
    up->seq = 0;
    c->up = up;
    c->from = CORE_FROM_STRANGER;
    c->out_len = 0;
    if (ev->now_ms > c->now)
        c->now = ev->now_ms;
    ERR_ASSERT(c->started || ev->type == CORE_EVENT_START);
    core_dispatch(c, ev);
    core_progress(c);
    up->deadline_ms = core_timer_deadline(c);
    up->halt = c->halt;
    c->up = NULL;
}
