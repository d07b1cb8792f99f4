/* node/channel_sync.c -- catching up by ranges, and single blocks by hash. Source: docs/PROTOCOL.md 8.
 * One range is asked for at a time, from one peer; nothing that was not asked for is looked at.
 *
 * GET_RANGE  body: canonical number, the first height wanted    RANGE  body: chain_reader_range's bytes
 * GET_BLOCK  body: 32 bytes, the block's hash                   BLOCK  body: header ‖ block body */
#include "node/channel_inner.h"
#include "node/clock.h"
#include "node/log.h"
#include "wire/pack.h"

/* The next connected validator after `avoid`, in seat order. */
static int32_t sync_peer(const struct channel *c, int32_t avoid) {
    uint32_t i;
    int start = channel_seat_of(c, avoid);
    for (i = 1; i <= c->set.n; i++) {
        uint32_t seat = (uint32_t)(start < 0 ? 0 : start) + i;
        seat %= c->set.n;
        if ((int)seat != c->self && c->up_seats & 1u << seat)
            return channel_node_of_seat(c, seat);
    }
    return -1;
}

static void sync_ask(struct channel *c, int32_t peer) {
    struct buf b;
    if (peer < 0)
        return;
    buf_init(&b, 16);
    pack_u64(&b, chain_tip(c->chain)->height + 1);
    c->sync.request = ++c->sync.next_request;
    c->sync.peer = peer;
    c->sync.until_ms = clock_monotonic_ms() + CHANNEL_SYNC_MS;
    channel_send(c, peer, ENVELOPE_GET_RANGE, c->sync.request, buf_slice(&b));
    buf_release(&b);
}

void channel_sync_want(struct channel *c, int from_seat, uint64_t height) {
    int32_t peer = from_seat >= 0 ? channel_node_of_seat(c, (uint32_t)from_seat) : sync_peer(c, -1);
    if (height > c->sync.target)
        c->sync.target = height;
    if (c->sync.request == 0 && c->sync.target > chain_tip(c->chain)->height)
        sync_ask(c, peer);
}

enum err_code channel_tip_cert(struct channel *c, bool *own, struct err *e) {
    const struct chain_tip *tip = chain_tip(c->chain);
    struct chain_reader *r = NULL;
    uint64_t at = 0;
    struct slice cert;
    enum err_code rc = chain_reader_open(c->store, &r, e);
    *own = false;
    buf_clear(&c->cert);
    if (rc == ERR_OK)
        rc = chain_reader_cert(r, tip->height, &at, &cert, e);
    if (rc == ERR_OK && at == tip->height) {
        buf_append(&c->cert, cert);
        rc = buf_check(&c->cert, e);
        *own = rc == ERR_OK;
    }
    chain_reader_close(r);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* Tells the core about the new tip once it is a block that has a certificate of its own. */
static void sync_tell(struct channel *c) {
    const struct chain_tip *tip = chain_tip(c->chain);
    struct core_event ev = {.type = CORE_EVENT_SYNCED};
    struct err e = {0};
    bool own;
    if (channel_tip_cert(c, &own, &e) != ERR_OK)
        channel_fatal(c, &e);
    if (!own)
        return;
    ev.u.synced = (struct core_final){.height = tip->height, .hash = tip->hash, .cert = buf_slice(&c->cert)};
    channel_step(c, &ev);
}

/* A certified block contradicts a final one: no honest node can go on with this channel, and which side lies is for
 * people to find out. What proves it is kept. */
static void sync_forked(struct channel *c, struct slice range, const struct err *why) {
    struct err e = {0};
    log_line(LOG_ERROR, c->area, "%s. This node stops taking part in the channel; what was received is kept",
             why->text);
    if (range.len <= JOURNAL_VALUE && journal_set(channel_txn(c), "fork/range", range, &e) != ERR_OK)
        log_err(c->area, "keeping the proof of the fork", &e);
    channel_settle(c);
    c->stopped = true;
    pthread_mutex_lock(&c->lock);
    c->status.halt = CORE_HALT_FORK;
    pthread_mutex_unlock(&c->lock);
}

void channel_sync_received(struct channel *c, int32_t from, uint64_t request, struct slice range) {
    uint64_t applied = 0;
    struct err e = {0};
    enum err_code rc;
    if (request == 0 || request != c->sync.request || from != c->sync.peer)
        return; /* never asked for */
    c->sync.request = 0;
    channel_settle(c);
    rc = range.len ? chain_import(c->chain, range, channel_verify_cert, &c->set, &applied, &e) : ERR_NOT_FOUND;
    if (applied) {
        channel_batch_finals(c);
        channel_publish(c);
        sync_tell(c);
    }
    if (rc == ERR_OK) {
        if (chain_tip(c->chain)->height < c->sync.target)
            sync_ask(c, from);
        return;
    }
    if (err_class_of(rc) == ERR_CLASS_FATAL)
        channel_fatal(c, &e);
    if (rc == ERR_CONFLICT) {
        sync_forked(c, range, &e);
        return;
    }
    if (rc != ERR_SEQUENCE && (err_class_of(rc) == ERR_CLASS_REFUSED || err_class_of(rc) == ERR_CLASS_NO))
        channel_misbehaved(c, from, &e);
    if (rc == ERR_NOT_FOUND || rc == ERR_SEQUENCE)
        c->sync.target = chain_tip(c->chain)->height; /* it promised more than it has; the next STATUS tells anew */
    else
        sync_ask(c, sync_peer(c, from));
}

void channel_sync_tick(struct channel *c, int64_t now) {
    if (c->sync.request == 0 || now < c->sync.until_ms)
        return;
    log_line(LOG_INFO, c->area, "no answer to a request for blocks from %llu on; asking another member",
             (unsigned long long)chain_tip(c->chain)->height + 1);
    c->sync.request = 0;
    sync_ask(c, sync_peer(c, c->sync.peer));
}

/* ---- one block by hash ---- */

static struct digest *fetch_asked(struct channel *c, const struct digest *hash) {
    uint32_t i;
    for (i = 0; i < CORE_FETCH_MAX; i++)
        if (digest_eq(&c->asked[i], hash))
            return &c->asked[i];
    return NULL;
}

void channel_fetch(struct channel *c, const struct core_fetch *f) {
    uint32_t i;
    if (!fetch_asked(c, &f->hash))
        c->asked[c->asked_next++ % CORE_FETCH_MAX] = f->hash;
    for (i = 0; i < 2; i++) { /* two at a time, in turn */
        int32_t peer = channel_node_of_seat(c, c->fetch_turn++ % c->set.n);
        if (channel_seat_of(c, peer) != c->self)
            channel_send(c, peer, ENVELOPE_GET_BLOCK, 0, digest_slice(&f->hash));
    }
}

/* A block costs a walk over the newest headers and a body: no member may keep this node busy with it. */
static struct channel_served *fetch_allowed(struct channel *c, int32_t from) {
    struct channel_served *s = &c->served[from];
    int64_t now = clock_monotonic_ms(), back = (now - s->at_ms) / CHANNEL_SERVE_MS;
    if (back > 0) {
        s->used = back >= s->used ? 0 : s->used - (uint32_t)back;
        s->at_ms = now;
    }
    return s->used < CHANNEL_SERVE_BURST ? s : NULL;
}

void channel_fetch_serve(struct channel *c, int32_t from, uint64_t request, struct slice hash) {
    struct digest want;
    struct header h;
    struct buf b;
    uint8_t *head;
    struct channel_served *served;
    if (hash.len != DIGEST_SIZE) {
        struct err e = {0};
        err_set(&e, ERR_MALFORMED, "a block's hash of %zu bytes", hash.len);
        channel_misbehaved(c, from, &e);
        return;
    }
    if (!(served = fetch_allowed(c, from)))
        return; /* it asks again, or another member */
    served->used++;
    memcpy(want.b, hash.ptr, DIGEST_SIZE);
    if (chain_get_block(c->chain, &want, &h, &c->body, NULL) != ERR_OK)
        return; /* somebody else has it */
    buf_init(&b, LIMIT_MESSAGE);
    head = buf_extend(&b, HEADER_SIZE);
    if (head)
        header_write(&h, head);
    buf_append(&b, buf_slice(&c->body));
    served->used += (uint32_t)(c->body.len / CHANNEL_SERVE_UNIT);
    if (!b.failed)
        channel_send(c, from, ENVELOPE_BLOCK, request, buf_slice(&b));
    buf_release(&b);
}

static void fetch_ask(struct channel *c, int32_t peer, const struct digest *hash) {
    if (!fetch_asked(c, hash))
        c->asked[c->asked_next++ % CORE_FETCH_MAX] = *hash;
    channel_send(c, peer, ENVELOPE_GET_BLOCK, 0, digest_slice(hash));
}

/* A wanted block stands on one that is not here: that one first, then it again. The core learns of a parent only from
 * a header that it was given, and it is given none before the block can be checked. */
static void fetch_parent(struct channel *c, int32_t from, const struct header *h, const struct digest *hash) {
    if (h->height <= chain_tip(c->chain)->height + 1)
        return; /* it stands on no final block: it never can be */
    c->orphan = *hash;
    c->orphan_parent = h->prev;
    fetch_ask(c, from, &h->prev);
}

void channel_fetch_received(struct channel *c, int32_t from, struct slice block) {
    struct core_event ev = {.type = CORE_EVENT_BODY_AVAILABLE};
    struct header *h = &ev.u.body_available.header;
    struct digest *asked;
    bool at_fault = false;
    struct err e = {0};
    enum err_code rc;
    if (block.len < HEADER_SIZE) {
        err_set(&e, ERR_MALFORMED, "a block of %zu bytes", block.len);
        channel_misbehaved(c, from, &e);
        return;
    }
    if (header_read(slice_of(block.ptr, HEADER_SIZE), h, &e) != ERR_OK) {
        channel_misbehaved(c, from, &e);
        return;
    }
    ev.u.body_available.hash = header_hash(h);
    asked = fetch_asked(c, &ev.u.body_available.hash);
    if (!asked)
        return; /* nobody wanted it, or it is here already */
    rc = chain_validate(c->chain, h, slice_from(block, HEADER_SIZE), CHAIN_NO_CLOCK, &at_fault, &e);
    if (rc == ERR_OK)
        rc = chain_persist(c->chain, channel_txn(c), &ev.u.body_available.hash, &e);
    if (rc != ERR_OK && err_class_of(rc) == ERR_CLASS_FATAL)
        channel_fatal(c, &e);
    if (rc == ERR_OK || at_fault)
        *asked = (struct digest){{0}}; /* a second copy costs nothing any more */
    if (rc == ERR_NOT_FOUND && !at_fault) {
        fetch_parent(c, from, h, &ev.u.body_available.hash);
        return;
    }
    if (rc == ERR_OK) {
        struct digest hash = ev.u.body_available.hash;
        channel_step(c, &ev);
        if (digest_eq(&hash, &c->orphan_parent)) {
            c->orphan_parent = (struct digest){{0}};
            fetch_ask(c, from, &c->orphan);
        }
    } else if (at_fault) {
        ev = (struct core_event){.type = CORE_EVENT_VALIDATED, .u.validated = {header_hash(h), false, false}};
        channel_step(c, &ev);
    }
}
