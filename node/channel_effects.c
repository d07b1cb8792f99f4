/* node/channel_effects.c -- carries out what the core decides, in the one order that is safe.
 * persist -> commit -> send -> apply; the commit point is the one line marked below. Source: docs/PROTOCOL.md 6. */
#include "node/channel_inner.h"
#include "node/clock.h"
#include "node/log.h"
#include "wire/mem.h"

#include <stdio.h>
#include <stdlib.h>

/* Results of an update's requests; gathered first, since the next step overwrites the update. */
struct channel_answers {
    struct core_event events[CORE_VALIDATE_MAX + 2];
    size_t count;
};

void channel_fatal(struct channel *c, const struct err *e) {
    log_err(c->area, "cannot go on", e);
    c->o.fatal(c->o.ctx, c, e);
    abort();
}

struct store_txn *channel_txn(struct channel *c) {
    struct err e = {0};
    enum err_code rc = ERR_OK;
    while (!c->txn && (rc = store_begin_write(c->store, &c->txn, &e)) == ERR_BUSY)
        log_err(c->area, "the store has to grow and waits", &e); /* some reader is slow: no fault of the disk */
    if (rc != ERR_OK)
        channel_fatal(c, &e);
    return c->txn;
}

static void channel_record(struct channel *c, const struct core_record *r) {
    struct journal_key key = {.epoch = r->epoch, .view = r->view, .type = (uint8_t)r->type};
    bool guard = core_record_is_guard(r->type);
    struct err e = {0};
    enum err_code rc = journal_put(channel_txn(c), guard ? JOURNAL_VOTES : JOURNAL_PROOFS, key, r->bytes, &e);
    if (rc == ERR_OK || (rc == ERR_CONFLICT && !guard))
        return;
    if (rc == ERR_CONFLICT)
        err_wrap(&e, "a second vote for view %llu would contradict the first", (unsigned long long)r->view);
    channel_fatal(c, &e);
}

static void channel_finalized(struct channel *c, const struct core_update *up) {
    const struct core_finalized *f;
    struct err e = {0};
    if (up->finalized_count == 0)
        return;
    f = &up->finalized[up->finalized_count - 1]; /* its certificate finalizes all below */
    if (chain_finalize(c->chain, channel_txn(c), &f->hash, f->cert, &e) != ERR_OK) {
        err_wrap(&e, "finalizing block %llu", (unsigned long long)f->height);
        channel_fatal(c, &e);
    }
    c->finalized = true;
}

static void channel_hold(struct channel *c, uint64_t after_seq, int32_t to, struct slice bytes) {
    struct channel_held *h = c->held_count < CHANNEL_HELD ? mem_alloc(sizeof *h + bytes.len) : NULL;
    if (!h) /* it is as if the network had lost it */
        return;
    *h = (struct channel_held){.after_seq = after_seq, .to = to, .len = bytes.len};
    memcpy(h->bytes, bytes.ptr, bytes.len);
    if (c->held_last)
        c->held_last->next = h;
    else
        c->held_first = h;
    c->held_last = h;
    c->held_count++;
}

static void channel_release_held(struct channel *c) {
    while (c->held_first && c->held_first->after_seq <= c->durable_seq) {
        struct channel_held *h = c->held_first;
        c->held_first = h->next;
        if (!c->held_first)
            c->held_last = NULL;
        c->held_count--;
        channel_send_bytes(c, h->to, h->len < LIMIT_MESSAGE / 64, slice_of(h->bytes, h->len));
        mem_free(h);
    }
}

static void channel_out(struct channel *c, const struct core_message *m) {
    struct buf whole;
    struct header header;
    struct slice bytes;
    int32_t to = m->to == CORE_TO_ALL      ? -1
                 : m->to == CORE_TO_SENDER ? c->sender
                                           : channel_node_of_seat(c, (uint32_t)m->to);
    if (m->to != CORE_TO_ALL && to < 0)
        return;
    buf_init(&whole, LIMIT_MESSAGE);
    buf_append(&whole, m->bytes);
    if (m->with_body) {
        struct err e = {0};
        if (chain_get_block(c->chain, &m->body, &header, &c->body, &e) != ERR_OK) {
            log_err(c->area, "a proposal's body is gone", &e);
            buf_release(&whole);
            return;
        }
        buf_append(&whole, buf_slice(&c->body));
    }
    bytes = channel_envelope(c, ENVELOPE_CONSENSUS, 0, buf_slice(&whole));
    if (m->after_seq <= c->durable_seq)
        channel_send_bytes(c, to, !m->with_body, bytes);
    else
        channel_hold(c, m->after_seq, to, bytes);
    buf_release(&whole);
}

static void channel_validated(struct channel *c, const struct core_validate *v, struct channel_answers *a) {
    struct header held;
    struct err e = {0};
    bool at_fault = false;
    enum err_code rc = chain_header(c->chain, &v->hash, &held, NULL);
    if (rc != ERR_OK && v->body.len)
        rc = chain_validate(c->chain, &v->header, v->body, v->seen_before ? CHAIN_NO_CLOCK : clock_wall_ms(), &at_fault,
                            &e);
    if (rc == ERR_OK)
        rc = chain_persist(c->chain, channel_txn(c), &v->hash, &e);
    if (rc != ERR_OK && err_class_of(rc) == ERR_CLASS_FATAL)
        channel_fatal(c, &e);
    if (rc != ERR_OK)
        log_line(LOG_WARN, c->area, "block %llu is not valid here: %s: %s", (unsigned long long)v->header.height,
                 err_name(rc), e.text);
    a->events[a->count++] = (struct core_event){.type = CORE_EVENT_VALIDATED,
                                                .u.validated = {v->hash, rc == ERR_OK, rc != ERR_OK && !at_fault}};
}

static void channel_built(struct channel *c, const struct core_build *b, struct channel_answers *a) {
    struct core_event ev = {.type = CORE_EVENT_PAYLOAD, .u.payload = {.view = b->view}};
    struct digest hash;
    struct err e = {0};
    enum err_code rc = chain_build(c->chain, &b->parent, c->set.epoch, NULL, clock_wall_ms(), &ev.u.payload.header,
                                   &hash, &c->body, &e);
    if (rc == ERR_OK)
        rc = chain_persist(c->chain, channel_txn(c), &hash, &e);
    if (rc != ERR_OK && err_class_of(rc) == ERR_CLASS_FATAL)
        channel_fatal(c, &e);
    ev.u.payload.ok = rc == ERR_OK || rc == ERR_NOT_FOUND;
    ev.u.payload.empty = rc == ERR_NOT_FOUND;
    if (!ev.u.payload.ok)
        log_err(c->area, "building a block", &e);
    a->events[a->count++] = ev;
}

static void channel_evidence(struct channel *c, const struct core_evidence *x) {
    char key[64];
    struct buf b;
    struct err e = {0};
    buf_init(&b, JOURNAL_VALUE);
    buf_be32(&b, (uint32_t)x->first.len);
    buf_append(&b, x->first);
    buf_be32(&b, (uint32_t)x->second.len);
    buf_append(&b, x->second);
    snprintf(key, sizeof key, "evidence/%c/%u", x->clause, x->signer);
    if (journal_set(channel_txn(c), key, buf_slice(&b), &e) != ERR_OK)
        log_err(c->area, "keeping evidence of equivocation", &e);
    buf_release(&b);
    log_line(LOG_WARN, c->area, "validator %s signed two statements that exclude each other (PROTOCOL 9%c)",
             x->signer < c->set.n ? c->set.member[x->signer].name : "?", x->clause);
    pthread_mutex_lock(&c->lock);
    c->status.evidence++;
    pthread_mutex_unlock(&c->lock);
}

static void channel_prune(struct channel *c, uint64_t below) {
    struct err e = {0};
    bool left;
    if (below == 0)
        return;
    if (journal_prune(channel_txn(c), JOURNAL_VOTES, c->set.epoch, below - 1, 256, &left, &e) != ERR_OK ||
        journal_prune(channel_txn(c), JOURNAL_PROOFS, c->set.epoch, below - 1, 256, &left, &e) != ERR_OK)
        channel_fatal(c, &e);
}

static void channel_carry_out(struct channel *c, struct channel_answers *answers) {
    const struct core_update *up = c->up;
    size_t i;
    for (i = 0; i < up->record_count; i++)
        channel_record(c, &up->records[i]);
    if (up->seq > c->txn_seq)
        c->txn_seq = up->seq;
    channel_finalized(c, up);
    channel_prune(c, up->prune_below);
    for (i = 0; i < up->message_count; i++)
        channel_out(c, &up->messages[i]);
    for (i = 0; i < up->validate_count; i++)
        channel_validated(c, &up->validate[i], answers);
    if (up->build.wanted)
        channel_built(c, &up->build, answers);
    for (i = 0; i < up->fetch_count; i++)
        channel_fetch(c, &up->fetch[i]);
    for (i = 0; i < up->evidence_count; i++)
        channel_evidence(c, &up->evidence[i]);
    if (up->sync_wanted)
        channel_sync_want(c, up->sync_from, up->sync_height);
    if (up->misbehaved && c->sender >= 0)
        channel_misbehaved(c, c->sender, &up->fault);
    if (up->halt != CORE_HALT_NONE && c->status.halt != (int)up->halt)
        log_line(LOG_ERROR, c->area, "%s",
                 up->halt == CORE_HALT_OWN_SIGNATURE
                     ? "a peer holds a signature of this node that this node does not know: a restored backup, or a "
                       "second process with the same key. It votes no more; give it a new consensus key"
                 : up->halt == CORE_HALT_FORK
                     ? "two certificates finalize different blocks at one height: the network has forked. Both are kept"
                     : "a quorum finalized another tree for a block that this node holds");
    c->deadline_ms = up->deadline_ms;
    if (up->halt != CORE_HALT_NONE || up->view_changed)
        channel_publish(c);
}

void channel_step(struct channel *c, const struct core_event *first) {
    struct channel_answers *todo = mem_alloc(sizeof *todo), *more = mem_alloc(sizeof *more);
    struct core_event ev = *first;
    size_t at = 0;
    struct err e = {0};
    if (!todo || !more) {
        err_set(&e, ERR_NO_MEMORY, "no memory for a step");
        channel_fatal(c, &e);
    }
    todo->count = 0;
    for (;;) {
        size_t i;
        ev.now_ms = channel_now();
        core_step(c->core, &ev, c->up);
        more->count = 0;
        channel_carry_out(c, more);
        /* answers to this update go before what is left of the last one */
        if (more->count + (todo->count - at) <= CORE_VALIDATE_MAX + 2) {
            for (i = at; i < todo->count; i++)
                more->events[more->count++] = todo->events[i];
        } else {
            err_set(&e, ERR_INTERNAL, "more answers to the core than it can have asked for");
            log_err(c->area, "answers are lost until the node is started again", &e);
        }
        {
            struct channel_answers *swap = todo;
            todo = more;
            more = swap;
        }
        at = 0;
        if (todo->count == 0)
            break;
        ev = todo->events[at++];
    }
    mem_free(todo);
    mem_free(more);
}

void channel_tell_pool(struct channel *c) {
    bool work = chain_has_work(c->chain, &chain_tip(c->chain)->hash);
    struct core_event ev = {.type = CORE_EVENT_POOL, .u.pool_nonempty = work};
    if (work == c->pool_told)
        return;
    c->pool_told = work;
    channel_step(c, &ev);
}

void channel_publish(struct channel *c) {
    struct pool_usage pool = pool_usage(c->pool);
    bool moved;
    pthread_mutex_lock(&c->lock);
    moved = c->status.tip.height != chain_tip(c->chain)->height;
    c->status.tip = *chain_tip(c->chain);
    c->status.epoch = core_epoch(c->core);
    c->status.view = core_view(c->core);
    c->status.leader = core_leader(c->core);
    c->status.pool_batches = pool.batches;
    c->status.pool_bytes = pool.bytes;
    c->status.sync_target = c->sync.target > chain_tip(c->chain)->height ? c->sync.target : 0;
    c->status.peers_up = (uint32_t)__builtin_popcount(c->up_seats);
    c->status.halt = c->stopped ? CORE_HALT_FORK : (int)core_halted(c->core);
    if (moved)
        pthread_cond_broadcast(&c->moved);
    pthread_mutex_unlock(&c->lock);
    if (moved) {
        if (c->status_ms > clock_monotonic_ms() + CHANNEL_FOLLOW_MS && c->o.founding->members.count)
            c->status_ms = clock_monotonic_ms() + CHANNEL_FOLLOW_MS; /* members that do not validate learn it so */
        if (mailbox_put(c->follower_box, FOLLOWER_MAIL_WAKE, -1, slice_none(), NULL, true, NULL) != ERR_OK)
            mailbox_wake(c->follower_box); /* it has work anyway */
        c->o.final(c->o.ctx, c);
    }
}

void channel_settle(struct channel *c) {
    while (c->txn) {
        struct store_txn *txn = c->txn;
        uint64_t seq = c->txn_seq;
        bool finalized = c->finalized;
        struct core_event ev = {.type = CORE_EVENT_PERSISTED, .u.persisted_seq = seq};
        struct err e = {0};
        c->txn = NULL;
        c->finalized = false;
        if (store_commit(txn, &e) != ERR_OK) /* THE COMMIT POINT */
            channel_fatal(c, &e);
        if (finalized) {
            chain_apply(c->chain);
            channel_batch_finals(c);
            channel_publish(c);
        }
        if (seq > c->durable_seq) {
            c->durable_seq = seq;
            channel_release_held(c);
            channel_step(c, &ev);
        }
        if (finalized) {
            c->pool_told = !chain_has_work(c->chain, &chain_tip(c->chain)->hash); /* repeat after each finality */
            channel_tell_pool(c);
        }
    }
    channel_release_held(c);
}
