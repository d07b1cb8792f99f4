/* node/follower.c -- a channel's second thread: brings the index up to the tip, and answers GET_RANGE.
 * It reads by snapshots of its own and never touches what the channel's thread owns. */
#include "node/channel_inner.h"
#include "node/clock.h"
#include "node/log.h"

enum { FOLLOWER_STEP_ENTRIES = 16384, FOLLOWER_FLUSH_MS = 300, FOLLOWER_DEAD_MS = 60000 };

/* False: the own store is damaged there. */
static bool follower_serve(struct channel *c, struct chain_reader *r, const struct mail *m, struct buf *out) {
    struct cursor at;
    uint64_t from;
    struct envelope answer = {.type = ENVELOPE_RANGE, .channel = c->id, .request = (uint64_t)(uintptr_t)m->ref};
    struct buf wire;
    struct err e = {0};
    enum err_code rc;
    cursor_init(&at, slice_of(m->bytes, m->len));
    if (cursor_u64(&at, &from, &e) != ERR_OK || !cursor_done(&at) || from == 0)
        return true;
    rc = chain_reader_range(r, from, CHANNEL_RANGE_BYTES, out, &e);
    if (rc == ERR_OK)
        answer.body = buf_slice(out);
    else if (rc != ERR_NOT_FOUND)
        log_err(c->area, "reading blocks for another member", &e);
    buf_init(&wire, LIMIT_MESSAGE);
    if (envelope_write(&answer, &wire, &e) == ERR_OK &&
        c->o.send(c->o.ctx, genesis_node_at(c->o.genesis, (uint32_t)m->from)->id, false, buf_slice(&wire), &e) !=
            ERR_OK)
        log_line(LOG_DEBUG, c->area, "an answer to a request for blocks was not sent: %s", e.text);
    buf_release(&wire);
    return rc != ERR_CORRUPT;
}

/* A member has one request outstanding: of several, the newest is meant. */
static bool follower_repeated(const struct mail *m) {
    const struct mail *later;
    for (later = m->next; later; later = later->next)
        if (later->kind == FOLLOWER_MAIL_RANGE && later->from == m->from)
            return true;
    return false;
}

/* Indexes until nothing is behind; true if there is more to do at once. */
static bool follower_index(struct channel *c, struct source *src, bool flush, struct repair_scan *scan) {
    struct index_progress p = {0};
    bool more = false;
    struct err e = {0};
    enum err_code rc = index_step(c->index, &src->face, FOLLOWER_STEP_ENTRIES, flush, &p, &e);
    if (rc == ERR_OK && p.restarted)
        log_line(LOG_WARN, c->area, "the index was damaged; it is built anew from the blocks");
    if (rc == ERR_OK && p.flushed)
        rc = index_merge_step(c->index, &more, &e);
    if (rc == ERR_CORRUPT) {
        repair_rescan(scan, clock_monotonic_ms()); /* perhaps of a block; if of the index, the next step rebuilds it */
        return false;
    }
    if (rc != ERR_OK) {
        log_err(c->area, "indexing", &e);
        return false;
    }
    pthread_mutex_lock(&c->lock);
    c->status.indexed_entries = p.entries;
    pthread_mutex_unlock(&c->lock);
    return more || p.behind > FOLLOWER_STEP_ENTRIES;
}

void *follower_run(void *arg) {
    struct channel *c = arg;
    struct source src = {0};
    struct repair_scan scan = {.next = 1, .next_ms = clock_monotonic_ms() + 1000}; /* once connected */
    struct buf out;
    struct err e = {0};
    int64_t flushed_ms = 0, cleared_ms = clock_monotonic_ms();
    bool stop = false, more = true, behind = true;
    buf_init(&out, LIMIT_MESSAGE);
    if (source_open(&src, c->store, &e) != ERR_OK)
        channel_fatal(c, &e);
    while (!stop) {
        int64_t now = clock_monotonic_ms();
        bool flush = now - flushed_ms >= FOLLOWER_FLUSH_MS, served = true;
        int64_t until = more ? now : behind ? flushed_ms + FOLLOWER_FLUSH_MS : now + 1000;
        struct mail *m;
        chain_reader_pause(src.reader);
        m = mailbox_take(c->follower_box, scan.next_ms < until ? scan.next_ms : until, 64);
        if (chain_reader_renew(src.reader, &e) != ERR_OK)
            channel_fatal(c, &e);
        while (m) {
            struct mail *next = m->next;
            if (m->kind == FOLLOWER_MAIL_STOP)
                stop = true;
            else if (m->kind == FOLLOWER_MAIL_RANGE && !follower_repeated(m))
                served = follower_serve(c, src.reader, m, &out) && served;
            mailbox_mail_free(m);
            m = next;
        }
        if (stop)
            break;
        if (!served)
            repair_rescan(&scan, now);
        more = follower_index(c, &src, flush, &scan);
        repair_scan(c, &scan, src.reader, clock_monotonic_ms());
        if (flush)
            flushed_ms = now;
        pthread_mutex_lock(&c->lock);
        behind = c->status.indexed_entries < c->status.tip.tree_size;
        pthread_mutex_unlock(&c->lock);
        if (now - cleared_ms >= FOLLOWER_DEAD_MS) {
            unsigned cleared = 0;
            if (store_clear_dead(c->store, &cleared, &e) == ERR_OK && cleared)
                log_line(LOG_INFO, c->area, "freed %u reader slots of dead processes", cleared);
            cleared_ms = now;
        }
    }
    source_close(&src);
    buf_release(&out);
    return NULL;
}
