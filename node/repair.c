/* node/repair.c -- see repair.h. */
#include "node/channel_inner.h"
#include "node/clock.h"
#include "node/log.h"
#include "wire/pack.h"

/* ---- finding ---- */

void repair_rescan(struct repair_scan *s, int64_t now) {
    if (s->next == 0) {
        s->next = 1;
        s->next_ms = now + 1000;
    }
}

static void repair_tell(struct channel *c, struct repair_scan *s, uint64_t height, const struct err *why) {
    struct buf b;
    s->found++;
    log_line(LOG_ERROR, c->area, "stored block %llu is damaged: %s; asking the other members for it",
             (unsigned long long)height, why->text);
    buf_init(&b, 16);
    buf_be64(&b, height);
    if (mailbox_put(c->box, CHANNEL_MAIL_DAMAGED, -1, buf_slice(&b), NULL, true, NULL) != ERR_OK)
        log_line(LOG_WARN, c->area, "mailbox full: the next scan will ask for block %llu", (unsigned long long)height);
    buf_release(&b);
}

void repair_scan(struct channel *c, struct repair_scan *s, struct chain_reader *r, int64_t now) {
    uint64_t tip = chain_reader_tip(r)->height, end;
    struct chain_block block;
    struct slice body;
    if (now < s->next_ms)
        return;
    if (s->next == 0) {
        s->next = 1;
        s->found = 0;
    }
    for (end = s->next + REPAIR_PIECE; s->next < end && s->next <= tip; s->next++) {
        struct err e = {0};
        enum err_code rc = chain_reader_body(r, s->next, &block, &body, &e);
        if (rc == ERR_CORRUPT)
            repair_tell(c, s, s->next, &e);
        else if (rc != ERR_OK)
            break;
    }
    s->next_ms = now + REPAIR_PACE_MS;
    if (s->next > tip) {
        if (s->found)
            log_line(LOG_WARN, c->area, "%llu of %llu stored blocks are damaged", (unsigned long long)s->found,
                     (unsigned long long)tip);
        s->next = 0;
        s->next_ms = now + REPAIR_SCRUB_MS;
    }
}

/* ---- repairing ---- */

/* The next connected member after the last one asked. */
static int32_t repair_peer(const struct channel *c) {
    uint32_t i;
    int start = channel_seat_of(c, c->repair.peer);
    for (i = 1; i <= c->set.n; i++) {
        uint32_t seat = ((uint32_t)(start < 0 ? 0 : start) + i) % c->set.n;
        if ((int)seat != c->self && c->up_seats & 1u << seat)
            return channel_node_of_seat(c, seat);
    }
    return -1;
}

static void repair_ask(struct channel *c) {
    struct repair *r = &c->repair;
    struct buf b;
    r->request = 0;
    r->until_ms = clock_monotonic_ms() + REPAIR_WAIT_MS;
    if (r->count == 0)
        return;
    r->peer = repair_peer(c);
    if (r->peer < 0)
        return; /* nobody is connected: the tick asks again */
    if (r->asked++ == c->set.n)
        log_line(LOG_WARN, c->area, "no member has given a good copy of block %llu yet",
                 (unsigned long long)r->heights[0]);
    r->request = ++r->next_request | REPAIR_REQUEST;
    buf_init(&b, 16);
    pack_u64(&b, r->heights[0]);
    channel_send(c, r->peer, ENVELOPE_GET_RANGE, r->request, buf_slice(&b));
    buf_release(&b);
}

void repair_damaged(struct channel *c, uint64_t height) {
    struct repair *r = &c->repair;
    uint32_t i;
    for (i = 0; i < r->count; i++)
        if (r->heights[i] == height)
            return;
    if (r->count == REPAIR_QUEUE)
        return;
    r->heights[r->count++] = height;
    if (r->count == 1) {
        r->asked = 0;
        r->peer = -1;
        repair_ask(c);
    }
}

/* The first block of an answer to GET_RANGE. */
static enum err_code repair_first(struct slice range, struct header *h, struct slice *body, struct err *e) {
    struct cursor at;
    struct slice head;
    uint32_t count;
    enum err_code rc;
    cursor_init(&at, range);
    if ((rc = cursor_array(&at, &count, e)) != ERR_OK || (rc = cursor_array(&at, &count, e)) != ERR_OK)
        return rc;
    if (count == 0)
        return err_set(e, ERR_MALFORMED, "no block in the answer");
    if ((rc = cursor_array(&at, &count, e)) != ERR_OK || (rc = cursor_bin(&at, &head, e)) != ERR_OK ||
        (rc = cursor_bin(&at, body, e)) != ERR_OK)
        return rc;
    return header_read(head, h, e);
}

static void repair_done(struct channel *c, uint64_t height, int32_t from) {
    struct repair *r = &c->repair;
    memmove(r->heights, r->heights + 1, (r->count - 1) * sizeof r->heights[0]);
    r->count--;
    r->asked = 0;
    pthread_mutex_lock(&c->lock);
    c->status.repaired++;
    pthread_mutex_unlock(&c->lock);
    log_line(LOG_WARN, c->area, "block %llu is repaired with the copy of %.*s", (unsigned long long)height,
             SLICE_ARG(genesis_node_at(c->o.genesis, (uint32_t)from)->id));
}

bool repair_received(struct channel *c, int32_t from, uint64_t request, struct slice range) {
    struct repair *r = &c->repair;
    uint64_t height = r->heights[0];
    struct header h;
    struct slice body;
    struct err e = {0};
    enum err_code rc;
    if (!(request & REPAIR_REQUEST))
        return false;
    if (r->count == 0 || request != r->request || from != r->peer)
        return true; /* late, or never asked for */
    rc = range.len ? repair_first(range, &h, &body, &e) : err_set(&e, ERR_NOT_FOUND, "it has no good copy either");
    if (rc == ERR_OK) {
        channel_settle(c); /* no transaction may be open */
        rc = chain_replace_block(c->chain, height, &h, body, &e);
    }
    if (rc == ERR_OK)
        repair_done(c, height, from);
    else if (err_class_of(rc) == ERR_CLASS_FATAL && rc != ERR_CORRUPT)
        channel_fatal(c, &e);
    else
        log_line(LOG_WARN, c->area, "the copy of block %llu from %.*s is of no use: %s", (unsigned long long)height,
                 SLICE_ARG(genesis_node_at(c->o.genesis, (uint32_t)from)->id), e.text);
    if (rc == ERR_OK || r->asked < 2 * c->set.n)
        repair_ask(c);
    else {
        r->request = 0;
        r->until_ms = clock_monotonic_ms() + 10 * REPAIR_WAIT_MS; /* all were asked twice: rest a while */
    }
    return true;
}

void repair_tick(struct channel *c, int64_t now) {
    if (c->repair.count && now >= c->repair.until_ms)
        repair_ask(c);
}

int64_t repair_deadline(const struct channel *c) {
    return c->repair.count ? c->repair.until_ms : INT64_MAX;
}
