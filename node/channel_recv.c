/* node/channel_recv.c -- mail from members, and envelopes to them. */
#include "node/channel_inner.h"
#include "node/clock.h"
#include "node/log.h"

uint64_t channel_now(void) {
    return (uint64_t)clock_monotonic_ms();
}

int32_t channel_member(const struct channel *c, struct slice node) {
    uint32_t i;
    if (!genesis_is_member(c->o.founding, node))
        return -1;
    for (i = 0; i < genesis_node_count(c->o.genesis); i++)
        if (slice_eq(genesis_node_at(c->o.genesis, i)->id, node))
            return (int32_t)i;
    return -1;
}

int channel_seat_of(const struct channel *c, int32_t node) {
    return node < 0 ? -1 : set_find_name(&c->set, genesis_node_at(c->o.genesis, (uint32_t)node)->id);
}

int32_t channel_node_of_seat(const struct channel *c, uint32_t seat) {
    return seat < c->set.n ? channel_member(c, slice_str(c->set.member[seat].name)) : -1;
}

struct slice channel_envelope(struct channel *c, enum envelope_type type, uint64_t request, struct slice body) {
    struct envelope m = {.type = type, .channel = c->id, .request = request, .body = body};
    struct err e = {0};
    buf_clear(&c->wire);
    if (envelope_write(&m, &c->wire, &e) != ERR_OK) {
        log_err(c->area, "writing a message", &e);
        return slice_none();
    }
    return buf_slice(&c->wire);
}

void channel_send_bytes(struct channel *c, int32_t to, bool urgent, struct slice envelope) {
    uint32_t i;
    if (!envelope.ptr)
        return;
    if (to >= 0) {
        if (c->o.send(c->o.ctx, genesis_node_at(c->o.genesis, (uint32_t)to)->id, urgent, envelope, NULL) != ERR_OK)
            return; /* lost: the protocol repeats what matters */
        return;
    }
    for (i = 0; i < c->set.n; i++)
        if ((int)i != c->self &&
            c->o.send(c->o.ctx, slice_str(c->set.member[i].name), urgent, envelope, NULL) != ERR_OK)
            continue;
}

void channel_send(struct channel *c, int32_t to, enum envelope_type type, uint64_t request, struct slice body) {
    channel_send_bytes(c, to, envelope_urgent(type), channel_envelope(c, type, request, body));
}

void channel_misbehaved(struct channel *c, int32_t node, const struct err *why) {
    pthread_mutex_lock(&c->lock);
    c->status.misbehaved++;
    pthread_mutex_unlock(&c->lock);
    c->o.misbehaved(c->o.ctx, c, genesis_node_at(c->o.genesis, (uint32_t)node)->id, why);
}

static void channel_peer_mail(struct channel *c, int32_t node, bool up) {
    int seat = channel_seat_of(c, node);
    struct core_event ev = {.type = CORE_EVENT_PEER};
    if (seat < 0)
        return;
    c->up_seats = up ? c->up_seats | 1u << seat : c->up_seats & ~(1u << seat);
    ev.u.peer.member = (uint32_t)seat;
    ev.u.peer.up = up;
    channel_step(c, &ev);
    if (up)
        c->status_ms = 0; /* tell it where we are, at once */
    channel_publish(c);
}

void channel_mail(struct channel *c, const struct mail *m) {
    struct slice bytes = slice_of(m->bytes, m->len);
    struct core_event ev = {.type = CORE_EVENT_RECV};
    uint64_t request = (uint64_t)(uintptr_t)m->ref;
    if (c->stopped)
        return;
    c->sender = m->from;
    switch (m->kind) {
    case ENVELOPE_CONSENSUS:
        ev.u.recv.from = channel_seat_of(c, m->from);
        ev.u.recv.bytes = bytes;
        channel_step(c, &ev);
        break;
    case ENVELOPE_GET_BLOCK:
        channel_fetch_serve(c, m->from, request, bytes);
        break;
    case ENVELOPE_BLOCK:
        channel_fetch_received(c, m->from, bytes);
        break;
    case ENVELOPE_RANGE:
        if (!repair_received(c, m->from, request, bytes))
            channel_sync_received(c, m->from, request, bytes);
        break;
    case ENVELOPE_BATCH:
        channel_batch_received(c, m->from, bytes);
        break;
    case ENVELOPE_BATCH_ACK:
        channel_batch_answered(c, m->from, bytes);
        break;
    case CHANNEL_MAIL_OWN_BATCH:
        channel_batch_own(c, bytes);
        break;
    case CHANNEL_MAIL_DAMAGED:
        repair_damaged(c, buf_get64(bytes.ptr));
        break;
    case CHANNEL_MAIL_PEER_UP:
    case CHANNEL_MAIL_PEER_DOWN:
        channel_peer_mail(c, m->from, m->kind == CHANNEL_MAIL_PEER_UP);
        break;
    default:
        log_line(LOG_DEBUG, c->area, "a message of kind %u is not for a channel", m->kind);
    }
    c->sender = -1;
}

/* ---- called from other threads ---- */

enum err_code channel_receive(struct channel *c, struct slice node, const struct envelope *m, struct err *e) {
    int32_t from = channel_member(c, node);
    void *request = (void *)(uintptr_t)m->request;
    if (from < 0)
        return err_set(e, ERR_NOT_ALLOWED, "%.*s is not a member of channel %s", SLICE_ARG(node), c->name);
    if (m->type == ENVELOPE_GET_RANGE)
        return mailbox_put(c->follower_box, FOLLOWER_MAIL_RANGE, from, m->body, request, false, e);
    return mailbox_put(c->box, (uint32_t)m->type, from, m->body, request, false, e);
}

void channel_peer(struct channel *c, struct slice node, bool up) {
    int32_t from = channel_member(c, node);
    if (from >= 0 && mailbox_put(c->box, up ? CHANNEL_MAIL_PEER_UP : CHANNEL_MAIL_PEER_DOWN, from, slice_none(), NULL,
                                 true, NULL) != ERR_OK)
        log_line(LOG_WARN, c->area, "mailbox full: a connection's change is not noticed");
}

enum err_code channel_submit(struct channel *c, struct slice carried, struct err *e) {
    return mailbox_put(c->box, CHANNEL_MAIL_OWN_BATCH, -1, carried, NULL, true, e);
}
