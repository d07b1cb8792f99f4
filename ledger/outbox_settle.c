/* ledger/outbox_settle.c -- see outbox.h: what finality and refusals do to what was sealed. Tables: outbox_parts.h. */
#include "ledger/outbox_parts.h"

#include "wire/mem.h"
#include "wire/utf8.h"

#include <stdlib.h>

/* ---- what is sealed now ---- */

/* The ids of what is sealed for seq into w->ids, and out of the sealed ones it goes. NOT_FOUND: a hole. */
static enum err_code outbox_unseal(struct kv_txn *t, struct outbox_state *st, uint64_t seq, struct outbox_work *w,
                                   struct err *e) {
    struct outbox_key k;
    struct digest hash;
    struct slice value, runs;
    enum err_code c = kv_get(t, OUTBOX_SEALED, outbox_key_u64(&k, seq), &value, e);
    if (c)
        return c;
    if (value.len < DIGEST_SIZE)
        return err_set(e, ERR_CORRUPT, "sealed batch");
    memcpy(hash.b, value.ptr, DIGEST_SIZE);
    size_t carried = value.len - DIGEST_SIZE;
    c = kv_get(t, OUTBOX_VERSION, outbox_key_version(&k, seq, &hash), &runs, e);
    if (c)
        return c == ERR_NOT_FOUND ? err_set(e, ERR_CORRUPT, "sealed batch without its entries") : c;
    w->count = 0;
    for (size_t i = 0; i + OUTBOX_RUN <= runs.len; i += OUTBOX_RUN)
        for (uint32_t j = 0, n = buf_get32(runs.ptr + i + 8); j < n && w->count < LIMIT_BATCH_ENTRIES; j++)
            w->ids[w->count++] = buf_get64(runs.ptr + i) + j;
    st->sealed_batches--;
    st->sealed_entries -= w->count;
    st->sealed_bytes -= carried;
    return kv_del(t, OUTBOX_SEALED, outbox_key_u64(&k, seq), e);
}

/* Seals the same seq again with those of its entries that are still queued; nothing left makes a hole. */
static enum err_code outbox_reseal(struct kv_txn *t, struct outbox *o, struct outbox_state *st, uint64_t seq,
                                   struct outbox_work *w, struct err *e) {
    struct outbox_key k;
    struct slice value;
    uint32_t kept = 0;
    enum err_code c = outbox_unseal(t, st, seq, w, e);
    if (c)
        return c == ERR_NOT_FOUND ? ERR_OK : c;
    for (uint32_t i = 0; i < w->count; i++) {
        c = kv_get(t, OUTBOX_QUEUE, outbox_key_u64(&k, w->ids[i]), &value, e);
        if (c && c != ERR_NOT_FOUND)
            return c;
        if (c || value.len <= OUTBOX_QUEUE_HEAD)
            continue;
        w->ids[kept] = w->ids[i];
        w->entries[kept++] = slice_from(value, OUTBOX_QUEUE_HEAD);
    }
    w->count = kept;
    if (kept)
        return outbox_seal_at(t, o, st, seq, w, e);
    st->holes++;
    return ERR_OK;
}

/* ---- finality ---- */

struct outbox_finishing {
    struct outbox_change g; /* first */
    const struct outbox_final *f;
    struct digest *known; /* of f->entries, sorted */
    struct buf runs;      /* copy: deleting ends what is borrowed */
    struct outbox_work w;
    struct buf scratch;
    bool sealed_hit; /* an entry left that is sealed in a later batch */
};

/* An entry is final, queued or put aside. */
static enum err_code outbox_gone(struct kv_txn *t, struct outbox_state *st, uint64_t id, struct err *e) {
    struct outbox_key k;
    struct outbox_refused r;
    struct slice value;
    uint64_t seq;
    enum err_code c = kv_get(t, OUTBOX_QUEUE, outbox_key_u64(&k, id), &value, e);
    if (!c) {
        st->entries--;
        st->bytes -= value.len - OUTBOX_QUEUE_HEAD;
        return kv_del(t, OUTBOX_QUEUE, outbox_key_u64(&k, id), e);
    }
    if (c == ERR_NOT_FOUND)
        c = kv_get(t, OUTBOX_REFUSED, outbox_key_u64(&k, id), &value, e);
    if (c)
        return c == ERR_NOT_FOUND ? ERR_OK : c; /* an operator gave it up */
    c = outbox_refused_read(value, &r, &seq, e);
    if (c)
        return c;
    st->refused--;
    st->bytes -= r.entry.len;
    return kv_del(t, OUTBOX_REFUSED, outbox_key_u64(&k, id), e);
}

static enum err_code outbox_take_runs(struct kv_txn *t, struct outbox_state *st, struct slice runs, struct err *e) {
    enum err_code c = ERR_OK;
    for (size_t i = 0; i + OUTBOX_RUN <= runs.len; i += OUTBOX_RUN) {
        uint64_t first = buf_get64(runs.ptr + i), n = buf_get32(runs.ptr + i + 8);
        for (uint64_t j = 0; !c && j < n; j++)
            c = outbox_gone(t, st, first + j, e);
    }
    return c;
}

static int outbox_digest_cmp(const void *a, const void *b) {
    return memcmp(a, b, DIGEST_SIZE);
}

/* A batch that this outbox does not remember: its entries are known by their bytes alone. */
static enum err_code outbox_take_equal(struct kv_txn *t, struct outbox_finishing *x, unsigned table, struct err *e) {
    struct outbox_key k;
    struct slice key, value, from = slice_none();
    struct outbox_refused r;
    for (;;) {
        enum err_code c = kv_seek(t, table, from, from.len > 0, &key, &value, e);
        if (c || key.len != 8 || value.len < OUTBOX_QUEUE_HEAD)
            return c == ERR_NOT_FOUND ? ERR_OK : c ? c : err_set(e, ERR_CORRUPT, "outbox");
        struct slice entry = slice_from(value, OUTBOX_QUEUE_HEAD);
        if (table == OUTBOX_REFUSED) {
            uint64_t seq;
            c = outbox_refused_read(value, &r, &seq, e);
            if (c)
                return c;
            entry = r.entry;
        }
        struct digest d = digest_of(entry);
        uint64_t id = buf_get64(key.ptr);
        from = outbox_key_u64(&k, id);
        if (bsearch(&d, x->known, x->f->count, sizeof d, outbox_digest_cmp)) {
            x->sealed_hit = x->sealed_hit || (table == OUTBOX_QUEUE && id < x->g.st.cut);
            c = outbox_gone(t, &x->g.st, id, e);
            if (c)
                return c;
        }
    }
}

/* Versions of seqs up to the last final one can never become final any more. */
static enum err_code outbox_forget(struct kv_txn *t, struct outbox_state *st, struct err *e) {
    struct outbox_key k;
    struct slice key;
    enum err_code c;
    while (!(c = kv_seek(t, OUTBOX_VERSION, slice_none(), false, &key, NULL, e)) && key.len == OUTBOX_VERSION_KEY &&
           buf_get64(key.ptr) <= st->last_final) {
        memcpy(k.b, key.ptr, key.len);
        c = kv_del(t, OUTBOX_VERSION, slice_of(k.b, sizeof k.b), e);
        if (c)
            return c;
        st->versions--;
    }
    return c == ERR_NOT_FOUND ? ERR_OK : c;
}

/* The entries of the batch that became final leave. */
static enum err_code outbox_take(struct kv_txn *t, struct outbox_finishing *x, struct err *e) {
    const struct outbox_final *f = x->f;
    struct outbox_key k;
    struct slice runs;
    enum err_code c = kv_get(t, OUTBOX_VERSION, outbox_key_version(&k, f->seq, &f->hash), &runs, e);
    if (!c) {
        buf_clear(&x->runs);
        buf_append(&x->runs, runs);
        c = buf_check(&x->runs, e);
        return c ? c : outbox_take_runs(t, &x->g.st, buf_slice(&x->runs), e);
    }
    if (c != ERR_NOT_FOUND || !f->count)
        return c == ERR_NOT_FOUND ? ERR_OK : c;
    c = outbox_take_equal(t, x, OUTBOX_QUEUE, e);
    return c ? c : outbox_take_equal(t, x, OUTBOX_REFUSED, e);
}

/* What was sealed for this seq and did not become final goes to the queue's end: its seq is taken, so it is safe to
 * sign it under another. */
static enum err_code outbox_requeue(struct kv_txn *t, struct outbox_finishing *x, struct err *e) {
    struct outbox_state *st = &x->g.st;
    struct outbox_key k;
    struct slice value;
    enum err_code c = outbox_unseal(t, st, x->f->seq, &x->w, e);
    if (c == ERR_NOT_FOUND) { /* a hole, or a seq beyond ours */
        st->holes -= x->f->seq < st->next_seq;
        return ERR_OK;
    }
    for (uint32_t i = 0; !c && i < x->w.count; i++) {
        c = kv_get(t, OUTBOX_QUEUE, outbox_key_u64(&k, x->w.ids[i]), &value, e);
        if (c == ERR_NOT_FOUND) {
            c = ERR_OK;
            continue;
        }
        if (c)
            break;
        buf_clear(&x->scratch);
        buf_append(&x->scratch, value);
        c = buf_check(&x->scratch, e);
        if (!c)
            c = kv_del(t, OUTBOX_QUEUE, outbox_key_u64(&k, x->w.ids[i]), e);
        if (!c)
            c = kv_put(t, OUTBOX_QUEUE, outbox_key_u64(&k, st->next_id++), buf_slice(&x->scratch), e);
    }
    return c;
}

static enum err_code outbox_final_one(struct kv_txn *t, void *ctx, struct err *e) {
    struct outbox_finishing *x = ctx;
    struct outbox_state *st = &x->g.st;
    outbox_change_begin(&x->g);
    x->sealed_hit = false;
    enum err_code c = outbox_take(t, x, e);
    if (!c)
        c = outbox_requeue(t, x, e);
    for (uint64_t s = x->f->seq + 1; !c && x->sealed_hit && s < st->next_seq; s++)
        c = outbox_reseal(t, x->g.o, st, s, &x->w, e);
    if (c)
        return c;
    st->last_final = x->f->seq;
    if (st->next_seq <= x->f->seq)
        st->next_seq = x->f->seq + 1;
    c = outbox_forget(t, st, e);
    if (!c)
        c = outbox_cut_idle(t, x->g.o, st, &x->w, e);
    return c ? c : outbox_change_end(t, &x->g, e);
}

enum err_code outbox_final(struct outbox *o, const struct outbox_final *f, struct err *e) {
    struct outbox_finishing x = {.f = f};
    if (f->count > LIMIT_BATCH_ENTRIES)
        return err_set(e, ERR_TOO_LARGE, "a batch of %u entries", f->count);
    enum err_code c = outbox_work_init(&x.w, e);
    buf_init(&x.runs, LIMIT_BATCH_ENTRIES * OUTBOX_RUN);
    buf_init(&x.scratch, LIMIT_ENTRY + OUTBOX_QUEUE_HEAD);
    if (!c && f->count) {
        x.known = mem_alloc(f->count * sizeof *x.known);
        if (!x.known)
            c = err_set(e, ERR_NO_MEMORY, "outbox");
        for (uint32_t i = 0; !c && i < f->count; i++)
            x.known[i] = digest_of(f->entries[i]);
        if (!c)
            qsort(x.known, f->count, sizeof *x.known, outbox_digest_cmp);
    }
    pthread_mutex_lock(&o->lock);
    if (!c && f->seq > o->st.last_final + 1)
        c = err_set(e, ERR_SEQUENCE, "batch %llu is final, but of %llu nothing was heard", (unsigned long long)f->seq,
                    (unsigned long long)o->st.last_final + 1);
    else if (!c && f->seq > o->st.last_final)
        c = outbox_update(o, outbox_final_one, &x.g, e);
    pthread_mutex_unlock(&o->lock);
    mem_free(x.known);
    buf_release(&x.scratch);
    buf_release(&x.runs);
    outbox_work_release(&x.w);
    return c;
}

/* ---- refusal ---- */

struct outbox_refusing {
    struct outbox_change g; /* first */
    const struct outbox_refusal *r;
    uint64_t id;        /* for retry, discard */
    struct slice entry; /* for retry */
    int64_t now;
    struct outbox_work w;
    struct buf scratch, copy;
};

/* The id of the index-th entry of a version. */
static bool outbox_runs_at(struct slice runs, uint32_t index, uint64_t *id) {
    for (size_t i = 0; i + OUTBOX_RUN <= runs.len; i += OUTBOX_RUN) {
        uint32_t n = buf_get32(runs.ptr + i + 8);
        if (index < n) {
            *id = buf_get64(runs.ptr + i) + index;
            return true;
        }
        index -= n;
    }
    return false;
}

static enum err_code outbox_find_refused(struct kv_txn *t, const struct outbox_refusal *r, uint64_t *id,
                                         struct err *e) {
    struct outbox_key k;
    struct digest hash;
    struct slice value, runs;
    enum err_code c = kv_get(t, OUTBOX_SEALED, outbox_key_u64(&k, r->seq), &value, e);
    if (c)
        return c;
    if (value.len < DIGEST_SIZE)
        return err_set(e, ERR_CORRUPT, "sealed batch");
    memcpy(hash.b, value.ptr, DIGEST_SIZE);
    if (r->hash && !digest_eq(&hash, r->hash))
        return err_set(e, ERR_NOT_FOUND, "batch %llu was sealed anew meanwhile", (unsigned long long)r->seq);
    c = kv_get(t, OUTBOX_VERSION, outbox_key_version(&k, r->seq, &hash), &runs, e);
    if (!c && !outbox_runs_at(runs, r->index, id))
        c = err_set(e, ERR_NOT_FOUND, "batch %llu has no entry %u", (unsigned long long)r->seq, r->index);
    return c;
}

static enum err_code outbox_refuse_one(struct kv_txn *t, void *ctx, struct err *e) {
    struct outbox_refusing *x = ctx;
    struct outbox_state *st = &x->g.st;
    struct outbox_key k;
    struct slice value, reason = x->r->reason;
    uint64_t id = 0;
    outbox_change_begin(&x->g);
    enum err_code c = outbox_find_refused(t, x->r, &id, e);
    if (!c)
        c = kv_get(t, OUTBOX_QUEUE, outbox_key_u64(&k, id), &value, e);
    if (c)
        return c;
    if (value.len <= OUTBOX_QUEUE_HEAD)
        return err_set(e, ERR_CORRUPT, "queue");
    if (reason.len > OUTBOX_REASON)
        reason.len = OUTBOX_REASON;
    reason.len = utf8_valid_prefix(reason);
    buf_clear(&x->scratch);
    buf_be32(&x->scratch, (uint32_t)x->r->code);
    buf_be64(&x->scratch, (uint64_t)x->r->now);
    buf_be64(&x->scratch, x->r->seq);
    buf_be16(&x->scratch, (uint16_t)reason.len);
    buf_append(&x->scratch, reason);
    buf_append(&x->scratch, slice_from(value, OUTBOX_QUEUE_HEAD));
    c = buf_check(&x->scratch, e);
    if (!c)
        c = kv_put(t, OUTBOX_REFUSED, outbox_key_u64(&k, id), buf_slice(&x->scratch), e);
    if (!c)
        c = kv_del(t, OUTBOX_QUEUE, outbox_key_u64(&k, id), e);
    if (!c)
        c = outbox_reseal(t, x->g.o, st, x->r->seq, &x->w, e);
    if (c)
        return c;
    st->entries--;
    st->refused++;
    return outbox_change_end(t, &x->g, e);
}

static enum err_code outbox_settle(struct outbox *o, kv_change fn, struct outbox_refusing *x, struct err *e) {
    buf_init(&x->scratch, LIMIT_ENTRY + OUTBOX_REFUSED_HEAD + OUTBOX_REASON);
    buf_init(&x->copy, LIMIT_ENTRY);
    enum err_code c = outbox_work_init(&x->w, e);
    pthread_mutex_lock(&o->lock);
    if (!c && x->r && o->st.versions >= OUTBOX_VERSIONS)
        c = err_set(e, ERR_BUSY, "too many refusals before anything became final");
    if (!c)
        c = outbox_update(o, fn, &x->g, e);
    pthread_mutex_unlock(&o->lock);
    outbox_work_release(&x->w);
    buf_release(&x->copy);
    buf_release(&x->scratch);
    return c;
}

enum err_code outbox_refuse(struct outbox *o, const struct outbox_refusal *r, struct err *e) {
    struct outbox_refusing x = {.r = r};
    return outbox_settle(o, outbox_refuse_one, &x, e);
}

static enum err_code outbox_retry_one(struct kv_txn *t, void *ctx, struct err *e) {
    struct outbox_refusing *x = ctx;
    struct outbox_state *st = &x->g.st;
    struct outbox_key k;
    struct outbox_refused r;
    struct slice value;
    uint64_t seq;
    outbox_change_begin(&x->g);
    enum err_code c = kv_get(t, OUTBOX_REFUSED, outbox_key_u64(&k, x->id), &value, e);
    if (!c)
        c = outbox_refused_read(value, &r, &seq, e);
    if (!c && seq > st->last_final) /* what was refused may still become final as it was (O4) */
        c = err_set(e, ERR_BUSY, "batch %llu, in which it was refused, is not final yet", (unsigned long long)seq);
    if (c)
        return c;
    buf_clear(&x->copy);
    buf_append(&x->copy, x->entry.len ? x->entry : r.entry);
    c = buf_check(&x->copy, e);
    if (c)
        return c;
    st->refused--;
    st->bytes -= r.entry.len;
    c = kv_del(t, OUTBOX_REFUSED, outbox_key_u64(&k, x->id), e);
    if (!c)
        c = outbox_enqueue(t, st, buf_slice(&x->copy), x->now, &x->scratch, e);
    return c ? c : outbox_change_end(t, &x->g, e);
}

enum err_code outbox_retry(struct outbox *o, uint64_t id, struct slice entry, int64_t now, struct err *e) {
    struct outbox_refusing x = {.id = id, .entry = entry, .now = now};
    if (entry.len > LIMIT_ENTRY)
        return err_set(e, ERR_TOO_LARGE, "an entry of %zu bytes", entry.len);
    return outbox_settle(o, outbox_retry_one, &x, e);
}

static enum err_code outbox_discard_one(struct kv_txn *t, void *ctx, struct err *e) {
    struct outbox_refusing *x = ctx;
    struct outbox_key k;
    struct outbox_refused r;
    struct slice value;
    uint64_t seq;
    outbox_change_begin(&x->g);
    enum err_code c = kv_get(t, OUTBOX_REFUSED, outbox_key_u64(&k, x->id), &value, e);
    if (!c)
        c = outbox_refused_read(value, &r, &seq, e);
    if (c)
        return c;
    x->g.st.refused--;
    x->g.st.bytes -= r.entry.len;
    c = kv_del(t, OUTBOX_REFUSED, outbox_key_u64(&k, x->id), e);
    return c ? c : outbox_change_end(t, &x->g, e);
}

enum err_code outbox_discard(struct outbox *o, uint64_t id, struct err *e) {
    struct outbox_refusing x = {.id = id};
    return outbox_settle(o, outbox_discard_one, &x, e);
}
