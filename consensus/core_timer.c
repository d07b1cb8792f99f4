/* consensus/core_timer.c -- when a view is given up, what is said again, and when all is silent.
 * Obeys PROTOCOL 5.9 (rule 5), 7, 8.1. Timers run only while there is something to wait for. */
#include "consensus/core_state.h"

static uint64_t core_timer_cap(uint64_t ms) {
    return ms > CORE_BACKOFF_MS_MAX ? CORE_BACKOFF_MS_MAX : ms;
}

uint64_t core_timer_backoff(const struct core *c, uint64_t times) {
    uint64_t ms = c->delta;
    while (times-- > 0 && ms < CORE_BACKOFF_MS_MAX)
        ms = ms * 3 / 2 + 1;
    return core_timer_cap(ms);
}

/* PROTOCOL 7.5. Half of the longest wait: what is re-proposed then must still arrive before others give the view up. */
uint64_t core_timer_repropose(const struct core *c) {
    uint64_t ms = core_timer_backoff(c, c->unfinal ? c->unfinal - 1 : 0);
    return ms > CORE_BACKOFF_MS_MAX / 2 ? CORE_BACKOFF_MS_MAX / 2 : ms;
}

/* A proposal that is being waited for may come this late, and the view's end that late. */
static uint64_t core_timer_limit(struct core *c, unsigned deltas) {
    uint64_t wait = core_tip_unfinal(c) ? core_timer_repropose(c) : 0;
    return core_timer_cap(wait + core_timer_cap(c->delta * deltas * c->scale / 1000)) + (deltas > 2 ? c->delta : 0);
}

static bool core_timer_proposed(struct core *c) {
    const struct core_slot *s = core_slot(c, c->view);
    return s && s->has_prop && !s->prop_bad && core_propose_justified(c, s) == CORE_JUSTIFIED_YES;
}

static uint32_t core_timer_nullifies(struct core *c) {
    const struct core_slot *s = core_slot(c, c->view);
    return s ? core_vote_count(c, s, CERT_NULLIFY) : 0;
}

/* PROTOCOL 7.4: the only reasons to run timers. */
static bool core_timer_active(struct core *c) {
    if (!core_may_vote(c))
        return false;
    return c->mut.idle_timers || c->pool || core_tip_unfinal(c) || core_timer_proposed(c) ||
           core_timer_nullifies(c) > c->set.quorum.f;
}

/* A local guess; it only shortens a wait. */
static bool core_timer_leader_dead(struct core *c) {
    uint32_t leader = core_leader(c);
    return (int)leader != c->self && (c->down[leader] || c->heard[leader] + c->set.n + 1 < c->view);
}

static bool core_timer_due(struct core *c) {
    struct core_slot *s = core_slot_make(c, c->view);
    const struct core_block *b;
    if (!s || !core_may_vote(c) || s->has_own[CERT_NULLIFY] ||
        (s->has_own[CERT_FINALIZE] && !c->mut.finalize_after_nullify))
        return false;
    b = s->has_prop ? core_block_find(c, &s->prop.block_hash) : NULL;
    if (s->prop_bad || c->build_failed || (b && b->state == CORE_BLOCK_BAD))
        return true;
    if (core_slot_votes(c, s, CERT_NULLIFY)[core_leader(c)].have || core_timer_nullifies(c) > c->set.quorum.f)
        return true;
    if (!c->armed)
        return false;
    return core_timer_leader_dead(c) || c->now >= c->armed_at + core_timer_limit(c, 3) ||
           (c->now >= c->armed_at + core_timer_limit(c, 2) && !core_timer_proposed(c));
}

bool core_timer_try(struct core *c) {
    bool active = core_timer_active(c);
    if (!active)
        c->armed = false;
    if (active && !c->armed) {
        c->armed = true;
        c->armed_at = c->now;
        c->retry_at = c->now + core_timer_backoff(c, c->retries);
    }
    if (c->up->record_count + 4 <= CORE_RECORDS_MAX && core_timer_due(c)) {
        core_vote_own(c, core_slot_make(c, c->view), CERT_NULLIFY);
        return true;
    }
    if (c->armed && c->now >= c->retry_at) {
        core_timer_retry(c);
        c->retries++;
        c->retry_at = c->now + core_timer_backoff(c, c->retries);
    }
    return false;
}

static void core_timer_again(struct core *c, const struct core_slot *s, enum cert_type type) {
    if (s->has_own[type])
        core_send(c, CORE_TO_ALL, c->mut.no_vote_persistence ? 0 : s->own_seq[type], core_vote_bytes(c, &s->own[type]));
}

/* f+1 NULLIFY votes made me give the view up; those who have not all of them would stay in it for ever. */
static void core_timer_relay(struct core *c, const struct core_slot *s) {
    const struct core_vote *v = core_slot_votes(c, s, CERT_NULLIFY);
    uint32_t i;
    for (i = 0; i < c->set.n && core_timer_nullifies(c) > c->set.quorum.f; i++) {
        struct cert_vote vote = {.type = CERT_NULLIFY, .epoch = c->set.epoch, .view = s->view, .signer = i};
        vote.sig = v[i].sig;
        if (v[i].have && (int)i != c->self)
            core_send(c, CORE_TO_ALL, 0, core_vote_bytes(c, &vote));
    }
}

/* PROTOCOL 8.1: stored votes, byte for byte as they were, and what lets others follow me. */
void core_timer_retry(struct core *c) {
    struct core_slot *s = core_slot(c, c->view), *entry = core_slot(c, c->view - 1);
    enum cert_type type;
    uint64_t v;
    int sent = 0;
    for (v = c->view; v > core_floor(c) && sent < 8; v--) {
        const struct core_slot *w = core_slot(c, v);
        if (w && w->has_own[CERT_FINALIZE] && w->prop.height > c->final.height) {
            core_timer_again(c, w, CERT_FINALIZE);
            sent++;
        }
    }
    if (s && s->has_own[CERT_NOTARIZE] && core_leader(c) == (uint32_t)c->self)
        core_propose_send(c, s, s->own_seq[CERT_NOTARIZE]);
    else if (s)
        core_timer_again(c, s, CERT_NOTARIZE);
    if (s)
        core_timer_again(c, s, CERT_NULLIFY);
    if (s)
        core_timer_relay(c, s);
    for (type = CERT_NOTARIZE; entry && type <= CERT_NULLIFY; type++)
        if (entry->has_cert[type])
            core_send_cert(c, CORE_TO_ALL, &entry->cert[type]);
    if (c->final.view)
        core_send_cert(c, CORE_TO_ALL, &c->final_cert);
    buf_clear(&c->scratch);
    core_status(c, &c->scratch);
    core_send(c, CORE_TO_ALL, 0, core_out(c, buf_slice(&c->scratch)));
    core_propose_missing(c, CORE_TO_ALL);
    core_block_fetches(c);
}

void core_timer_reply(struct core *c, uint64_t view) {
    struct core_slot *s = core_slot(c, view), *entry = core_slot(c, c->view - 1);
    size_t who = c->from < 0 ? LIMIT_VALIDATORS : (size_t)c->from;
    enum cert_type type;
    if (c->mut.no_stale_reply || c->now < c->reply_at[who])
        return;
    c->reply_at[who] = c->now + c->delta / 2;
    for (type = CERT_NOTARIZE; s && s != entry && type <= CERT_NULLIFY; type++)
        if (s->has_cert[type])
            core_send_cert(c, CORE_TO_SENDER, &s->cert[type]);
    for (type = CERT_NOTARIZE; entry && type <= CERT_NULLIFY; type++)
        if (entry->has_cert[type])
            core_send_cert(c, CORE_TO_SENDER, &entry->cert[type]);
    if (c->final.view)
        core_send_cert(c, CORE_TO_SENDER, &c->final_cert);
}

static void core_timer_min(uint64_t *at, uint64_t t) {
    if (t < *at)
        *at = t;
}

uint64_t core_timer_deadline(struct core *c) {
    const struct core_slot *s = core_slot(c, c->view);
    uint64_t at = UINT64_MAX, again;
    if (!c->armed || !core_may_vote(c))
        return at;
    core_timer_min(&at, c->retry_at);
    /* Past and still not proposed: then something else than time is missing. */
    again = c->entered_at + core_timer_repropose(c);
    if (core_leader(c) == (uint32_t)c->self && core_tip_unfinal(c) && !(s && s->has_prop) && again > c->now)
        core_timer_min(&at, again);
    if (!s || (!s->has_own[CERT_NULLIFY] && !s->has_own[CERT_FINALIZE])) {
        if (!core_timer_proposed(c))
            core_timer_min(&at, c->armed_at + core_timer_limit(c, 2));
        core_timer_min(&at, c->armed_at + core_timer_limit(c, 3));
    }
    return at <= c->now ? c->now + 1 : at;
}
