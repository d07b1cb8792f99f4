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

/* Tells the core about the new tip once it is a block that has a certificate of its own. */
static void sync_tell(struct channel *c) {
    const struct chain_tip *tip = chain_tip(c->chain);
    struct core_event ev = {.type = CORE_EVENT_SYNCED};
    struct chain_reader *r = NULL;
    uint64_t at = 0;
    struct slice cert;
    struct err e = {0};
    if (chain_reader_open(c->store, &r, &e) == ERR_OK && chain_reader_cert(r, tip->height, &at, &cert, &e) == ERR_OK &&
        at == tip->height) {
        ev.u.synced = (struct core_final){.height = tip->height, .hash = tip->hash, .cert = cert};
        channel_step(c, &ev);
    }
    chain_reader_close(r);
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
    if (err_class_of(rc) == ERR_CLASS_REFUSED && rc != ERR_SEQUENCE)
        c->o.misbehaved(c->o.ctx, c, genesis_node_at(c->o.genesis, (uint32_t)from)->id, &e);
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

static bool fetch_asked(const struct channel *c, const struct digest *hash) {
    uint32_t i;
    for (i = 0; i < CORE_FETCH_MAX; i++)
        if (digest_eq(&c->asked[i], hash))
            return true;
    return false;
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

void channel_fetch_serve(struct channel *c, int32_t from, uint64_t request, struct slice hash) {
    struct digest want;
    struct header h;
    struct buf b;
    uint8_t *head;
    if (hash.len != DIGEST_SIZE)
        return;
    memcpy(want.b, hash.ptr, DIGEST_SIZE);
    if (chain_get_block(c->chain, &want, &h, &c->body, NULL) != ERR_OK)
        return; /* somebody else has it */
    buf_init(&b, LIMIT_MESSAGE);
    head = buf_extend(&b, HEADER_SIZE);
    if (head)
        header_write(&h, head);
    buf_append(&b, buf_slice(&c->body));
    if (!b.failed)
        channel_send(c, from, ENVELOPE_BLOCK, request, buf_slice(&b));
    buf_release(&b);
}

void channel_fetch_received(struct channel *c, struct slice block) {
    struct core_event ev = {.type = CORE_EVENT_BODY_AVAILABLE};
    struct header *h = &ev.u.body_available.header;
    bool at_fault = false;
    struct err e = {0};
    enum err_code rc;
    if (block.len < HEADER_SIZE || header_read(slice_of(block.ptr, HEADER_SIZE), h, &e) != ERR_OK)
        return;
    ev.u.body_available.hash = header_hash(h);
    if (!fetch_asked(c, &ev.u.body_available.hash))
        return; /* nobody wanted it */
    rc = chain_validate(c->chain, h, slice_from(block, HEADER_SIZE), CHAIN_NO_CLOCK, &at_fault, &e);
    if (rc == ERR_OK)
        rc = chain_persist(c->chain, channel_txn(c), &ev.u.body_available.hash, &e);
    if (rc != ERR_OK && err_class_of(rc) == ERR_CLASS_FATAL)
        channel_fatal(c, &e);
    if (rc == ERR_OK) {
        channel_step(c, &ev);
    } else if (at_fault) {
        ev = (struct core_event){.type = CORE_EVENT_VALIDATED, .u.validated = {header_hash(h), false}};
        channel_step(c, &ev);
    }
}
