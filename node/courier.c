/* node/courier.c -- see courier.h. */
#include "node/courier.h"

#include "audit/annotation.h"
#include "ledger/batch.h"
#include "ledger/entry.h"
#include "node/clock.h"
#include "node/log.h"
#include "wire/mem.h"

#include <pthread.h>
#include <stdlib.h>

enum { COURIER_WAITERS = 4096, COURIER_REFUSALS = 64, COURIER_RETRY_MS = 500 };

/* Somebody who waits for one entry; lives on the waiter's stack. */
struct courier_waiter {
    struct courier_waiter *next;
    struct digest leaf;
    bool done;
    enum err_code code;
    struct err why;
    struct courier_receipt receipt;
};

struct courier_refusal {
    uint64_t seq;
    struct digest hash;
    uint32_t entry;
    struct err why;
};

struct courier {
    struct courier_options o;
    struct outbox *outbox;
    struct batch_builder builder; /* under the outbox' lock */
    pthread_t thread;
    bool started;
    uint64_t offered;   /* [thread] own batches up to this seq were handed to the channel */
    struct buf carried; /* [thread] */
    pthread_mutex_t lock;
    pthread_cond_t work, told;
    bool dirty, stop;                                  /* [lock] */
    struct courier_waiter *waiters;                    /* [lock] */
    struct courier_refusal refusals[COURIER_REFUSALS]; /* [lock] */
    size_t refusal_count;                              /* [lock] */
    uint64_t again_from;                               /* [lock] displaced: offer anew from here; 0: no */
};

static enum err_code courier_seal(void *ctx, uint64_t seq, const struct slice *entries, uint32_t count,
                                  struct buf *carried, struct digest *hash, struct err *e) {
    struct courier *c = ctx;
    uint32_t i;
    batch_builder_clear(&c->builder);
    for (i = 0; i < count; i++) {
        enum err_code rc = batch_builder_add(&c->builder, entries[i], e);
        if (rc != ERR_OK)
            return rc;
    }
    return batch_builder_seal(&c->builder, channel_id(c->o.channel), seq, c->o.keys->submit, &c->o.keys->submit_pub,
                              carried, hash, e);
}

static void courier_kick(struct courier *c) {
    pthread_mutex_lock(&c->lock);
    c->dirty = true;
    pthread_cond_signal(&c->work);
    pthread_mutex_unlock(&c->lock);
}

void courier_final(struct courier *c) {
    courier_kick(c);
}

void courier_fate(struct courier *c, const struct channel_fate *f) {
    pthread_mutex_lock(&c->lock);
    if (f->fate == POOL_REFUSED && c->refusal_count < COURIER_REFUSALS)
        c->refusals[c->refusal_count++] = (struct courier_refusal){f->seq, f->hash, f->entry, *f->reason};
    /* A refusal past the table is repeated by the channel when the batch is offered again. */
    if (f->fate != POOL_FINAL && (c->again_from == 0 || f->seq < c->again_from))
        c->again_from = f->seq;
    if (f->fate !=
        POOL_DISPLACED) { /* that one goes when its seq is final, or when the chain has caught up: no haste */
        c->dirty = true;
        pthread_cond_signal(&c->work);
    }
    pthread_mutex_unlock(&c->lock);
}

/* ---- the thread's steps ---- */

static void courier_fatal(struct courier *c, const struct err *e) {
    log_err(channel_name(c->o.channel), "the outbox cannot go on", e);
    c->o.fatal(c->o.ctx, e);
    abort();
}

static void courier_tell(struct courier *c, const struct digest *leaf, enum err_code code, const struct err *why,
                         const struct courier_receipt *receipt) {
    struct courier_waiter *w;
    pthread_mutex_lock(&c->lock);
    for (w = c->waiters; w; w = w->next) {
        if (w->done || !digest_eq(&w->leaf, leaf))
            continue;
        w->done = true;
        w->code = code;
        if (why)
            w->why = *why;
        if (receipt)
            w->receipt = *receipt;
        pthread_cond_broadcast(&c->told);
    }
    pthread_mutex_unlock(&c->lock);
}

static bool courier_awaited(struct courier *c) {
    bool any;
    pthread_mutex_lock(&c->lock);
    any = c->waiters != NULL;
    pthread_mutex_unlock(&c->lock);
    return any;
}

struct courier_search {
    struct courier *c;
    uint64_t seq;
};

static enum err_code courier_found(void *ctx, const struct chain_reader_entry *x, struct err *e) {
    struct courier_search *s = ctx;
    struct courier_receipt receipt = {.number = x->number, .height = x->height, .leaf = x->leaf};
    (void)e;
    if (x->batch.seq == s->seq && sign_public_eq(&x->batch.submitter, &s->c->o.keys->submit_pub))
        courier_tell(s->c, &x->leaf, ERR_OK, NULL, &receipt);
    return ERR_OK;
}

/* Own batches that are final now, in order: the outbox lets go of them by their hashes. */
static void courier_finals(struct courier *c) {
    struct chain_reader *r = NULL;
    struct err e = {0};
    uint64_t last = 0, seq = outbox_last_final(c->outbox);
    enum err_code rc = chain_reader_open(channel_store(c->o.channel), &r, &e);
    if (rc == ERR_OK)
        rc = chain_reader_last_seq(r, &c->o.keys->submit_pub, &last, &e);
    while (rc == ERR_OK && seq < last) {
        struct outbox_final f = {.seq = ++seq};
        struct courier_search s = {c, seq};
        struct chain_block block;
        uint64_t height = 0;
        rc = chain_reader_batch(r, &c->o.keys->submit_pub, seq, &f.hash, &height, &e);
        if (rc == ERR_NOT_FOUND) { /* far behind (a restored outbox): its entries are sealed anew, as O4 says */
            log_line(LOG_WARN, channel_name(c->o.channel), "own batch %llu is final, its hash is not known any more",
                     (unsigned long long)seq);
            memset(&f.hash, 0, sizeof f.hash);
            rc = ERR_OK;
        }
        /* Final is what the ledger says is final: who waits is told before the outbox lets go. */
        if (rc == ERR_OK && height && courier_awaited(c) && (rc = chain_reader_block(r, height, &block, &e)) == ERR_OK)
            rc = chain_reader_each(r, block.first_entry, block.first_entry + block.header.entries, courier_found, &s,
                                   &e);
        if (rc == ERR_OK)
            rc = outbox_final(c->outbox, &f, &e);
    }
    chain_reader_close(r);
    if (rc != ERR_OK)
        courier_fatal(c, &e);
}

/* Leaf of entry `index` of what is sealed under (seq, hash). */
static bool courier_leaf(struct courier *c, const struct courier_refusal *r, struct digest *leaf) {
    struct batch b;
    struct batch_entries entries;
    struct buf raw;
    struct arena a;
    struct digest hash;
    uint64_t seq;
    bool ok;
    buf_init(&raw, LIMIT_BATCH_RAW);
    arena_init(&a, 1 << 20);
    ok = outbox_sealed(c->outbox, r->seq, &seq, &hash, &c->carried, NULL) == ERR_OK && digest_eq(&hash, &r->hash) &&
         batch_read(buf_slice(&c->carried), &b, NULL) == ERR_OK && batch_open(&b, &raw, &a, &entries, NULL) == ERR_OK &&
         r->entry < entries.count;
    if (ok)
        *leaf = entries.leaves[r->entry];
    arena_release(&a);
    buf_release(&raw);
    return ok;
}

static void courier_refused(struct courier *c, const struct courier_refusal *r) {
    struct outbox_refusal x = {.seq = r->seq,
                               .hash = &r->hash,
                               .index = r->entry,
                               .code = r->why.code,
                               .reason = slice_str(r->why.text),
                               .now = clock_wall_ms()};
    struct digest leaf;
    struct err e = {0};
    bool known = courier_leaf(c, r, &leaf);
    enum err_code rc = outbox_refuse(c->outbox, &x, &e);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND && rc != ERR_BUSY)
        courier_fatal(c, &e);
    log_line(LOG_WARN, channel_name(c->o.channel), "entry %u of batch %llu is refused: %s", r->entry,
             (unsigned long long)r->seq, r->why.text);
    if (known)
        courier_tell(c, &leaf, r->why.code, &r->why, NULL);
}

/* A whole batch was refused: its seq needs another entry, or all later ones wait for ever. */
static void courier_fill(struct courier *c) {
    struct outbox_stats s;
    struct buf b;
    struct slice entry;
    struct err e = {0};
    if (outbox_stats(c->outbox, &s, &e) != ERR_OK)
        courier_fatal(c, &e);
    if (s.holes == 0 || s.entries > s.sealed_entries)
        return;
    buf_init(&b, LIMIT_ENTRY);
    annotation_entry(slice_none(), slice_str("a batch of this submitter was refused"), &b);
    entry = buf_slice(&b);
    if (buf_check(&b, &e) != ERR_OK || outbox_append(c->outbox, &entry, 1, NULL, 0, clock_wall_ms(), &e) != ERR_OK)
        log_err(channel_name(c->o.channel), "closing a hole in the sequence of batches", &e);
    buf_release(&b);
}

/* Seals what waits: at once when nothing is in flight, else only full batches. */
static void courier_cut(struct courier *c) {
    struct outbox_stats s;
    struct err e = {0};
    enum err_code rc;
    while ((rc = outbox_stats(c->outbox, &s, &e)) == ERR_OK && s.entries > s.sealed_entries &&
           (s.sealed_batches == 0 || s.holes > 0 || s.entries - s.sealed_entries >= LIMIT_BATCH_ENTRIES)) {
        uint64_t seq;
        rc = outbox_cut(c->outbox, &seq, &e);
        if (rc == ERR_BUSY || rc == ERR_NOT_FOUND)
            return;
        if (rc != ERR_OK)
            break;
    }
    if (rc != ERR_OK)
        courier_fatal(c, &e);
}

/* Hands sealed batches to the channel, each once; it keeps and repeats them. */
static void courier_offer(struct courier *c) {
    struct err e = {0};
    for (;;) {
        uint64_t seq;
        struct digest hash;
        enum err_code rc = outbox_sealed(c->outbox, c->offered + 1, &seq, &hash, &c->carried, &e);
        if (rc == ERR_NOT_FOUND)
            return;
        if (rc != ERR_OK)
            courier_fatal(c, &e);
        if (channel_submit(c->o.channel, buf_slice(&c->carried), &e) != ERR_OK)
            return; /* its mailbox is full: at the next turn */
        c->offered = seq;
    }
}

static void *courier_run(void *arg) {
    struct courier *c = arg;
    for (;;) {
        struct courier_refusal refusals[COURIER_REFUSALS];
        size_t i, count;
        struct timespec until;
        int64_t until_ms = clock_monotonic_ms() + COURIER_RETRY_MS;
        until = (struct timespec){.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
        pthread_mutex_lock(&c->lock);
        while (!c->dirty && !c->stop)
            if (pthread_cond_timedwait(&c->work, &c->lock, &until) != 0)
                break;
        c->dirty = false;
        count = c->refusal_count;
        memcpy(refusals, c->refusals, count * sizeof *refusals);
        c->refusal_count = 0;
        if (c->again_from && c->again_from <= c->offered)
            c->offered = c->again_from - 1;
        c->again_from = 0;
        if (c->stop) {
            pthread_mutex_unlock(&c->lock);
            return NULL;
        }
        pthread_mutex_unlock(&c->lock);
        courier_finals(c);
        for (i = 0; i < count; i++)
            courier_refused(c, &refusals[i]);
        if (c->offered < outbox_last_final(c->outbox))
            c->offered = outbox_last_final(c->outbox);
        courier_fill(c);
        courier_cut(c);
        courier_offer(c);
    }
}

/* ---- called from any thread ---- */

enum err_code courier_append(struct courier *c, const struct slice *entries, size_t count,
                             const struct outbox_position *positions, size_t position_count, struct err *e) {
    enum err_code rc = outbox_append(c->outbox, entries, count, positions, position_count, clock_wall_ms(), e);
    if (rc == ERR_OK)
        courier_kick(c);
    return rc;
}

enum err_code courier_commit(struct courier *c, struct slice entry, uint32_t timeout_ms, struct courier_receipt *out,
                             struct err *e) {
    struct courier_waiter w = {.leaf = entry_leaf(entry)}, **at;
    int64_t until_ms = clock_monotonic_ms() + timeout_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    enum err_code rc;
    pthread_mutex_lock(&c->lock);
    w.next = c->waiters;
    c->waiters = &w;
    pthread_mutex_unlock(&c->lock);
    rc = courier_append(c, &entry, 1, NULL, 0, e);
    pthread_mutex_lock(&c->lock);
    while (rc == ERR_OK && !w.done && !c->stop)
        if (pthread_cond_timedwait(&c->told, &c->lock, &until) != 0)
            break;
    for (at = &c->waiters; *at != &w; at = &(*at)->next)
        continue;
    *at = w.next;
    pthread_mutex_unlock(&c->lock);
    if (rc != ERR_OK)
        return rc;
    if (!w.done)
        return err_set(e, ERR_TIMEOUT,
                       "durable in the outbox, but not final after %u ms: it becomes final when a quorum with its "
                       "regulators is up",
                       timeout_ms);
    if (w.code != ERR_OK) {
        if (e)
            *e = w.why;
        return w.code;
    }
    *out = w.receipt;
    return ERR_OK;
}

enum err_code courier_open(const struct courier_options *o, struct courier **out, struct err *e) {
    struct courier *c = mem_zalloc(1, sizeof *c);
    struct outbox_options oo = {.seal = courier_seal, .seal_ctx = c, .bytes_max = o->bytes_max, .cut_idle = true};
    pthread_condattr_t attr;
    enum err_code rc;
    if (!c)
        return err_set(e, ERR_NO_MEMORY, "no memory for a courier");
    c->o = *o;
    buf_init(&c->carried, BATCH_CARRIED);
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->work, &attr);
    pthread_cond_init(&c->told, &attr);
    pthread_condattr_destroy(&attr);
    c->dirty = true;
    rc = batch_builder_init(&c->builder, e);
    if (rc == ERR_OK)
        rc = outbox_open(o->dir, &oo, &c->outbox, e);
    if (rc == ERR_OK && pthread_create(&c->thread, NULL, courier_run, c) != 0)
        rc = err_set(e, ERR_NO_MEMORY, "no thread for a courier");
    c->started = rc == ERR_OK;
    if (rc != ERR_OK)
        courier_close(c);
    else
        *out = c;
    return rc;
}

void courier_stop(struct courier *c) {
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_broadcast(&c->work);
    pthread_cond_broadcast(&c->told);
    pthread_mutex_unlock(&c->lock);
    if (c->started)
        pthread_join(c->thread, NULL);
    c->started = false;
}

void courier_close(struct courier *c) {
    if (!c)
        return;
    courier_stop(c);
    if (c->outbox)
        outbox_close(c->outbox);
    batch_builder_release(&c->builder);
    buf_release(&c->carried);
    pthread_cond_destroy(&c->work);
    pthread_cond_destroy(&c->told);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

struct outbox *courier_outbox(struct courier *c) {
    return c->outbox;
}
