/* ledger/outbox.c -- see outbox.h: opening, appending, sealing, reading. Tables: outbox_parts.h. */
#include "ledger/outbox.h"

#include "ledger/outbox_parts.h"
#include "wire/mem.h"

static const char *const outbox_tables[] = {"queue", "sealed", "versions", "sources", "refused", "state"};
enum { OUTBOX_STATE_FIELDS = 12 };
#define OUTBOX_ENTRIES_MAX (4ULL << 20)
#define OUTBOX_BYTES_MAX   (4ULL << 30)
#define OUTBOX_CARRIED_MAX (LIMIT_BATCH_RAW + (64 << 10))

/* ---- keys and state ---- */

static void put64(uint8_t *p, uint64_t v) {
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

struct slice outbox_key_u64(struct outbox_key *k, uint64_t v) {
    put64(k->b, v);
    return slice_of(k->b, 8);
}

struct slice outbox_key_version(struct outbox_key *k, uint64_t seq, const struct digest *hash) {
    put64(k->b, seq);
    memcpy(k->b + 8, hash->b, DIGEST_SIZE);
    return slice_of(k->b, OUTBOX_VERSION_KEY);
}

static uint64_t *outbox_state_field(struct outbox_state *s, int i) {
    uint64_t *const fields[OUTBOX_STATE_FIELDS] = {
        &s->next_id,        &s->cut,          &s->next_seq, &s->last_final,
        &s->entries,        &s->bytes,        &s->refused,  &s->sealed_batches,
        &s->sealed_entries, &s->sealed_bytes, &s->versions, &s->holes};
    return fields[i];
}

static enum err_code outbox_load(struct outbox *o, struct err *e) {
    struct kv_txn *t = NULL;
    struct slice v;
    enum err_code c = kv_read(o->kv, &t, e);
    if (!c)
        c = kv_get(t, OUTBOX_STATE, slice_str("state"), &v, e);
    if (c == ERR_NOT_FOUND) {
        o->st = (struct outbox_state){.next_id = 1, .cut = 1, .next_seq = 1};
        c = ERR_OK;
    } else if (!c && v.len != 8 * OUTBOX_STATE_FIELDS) {
        c = err_set(e, ERR_CORRUPT, "state of %zu bytes", v.len);
    } else if (!c) {
        for (int i = 0; i < OUTBOX_STATE_FIELDS; i++)
            *outbox_state_field(&o->st, i) = buf_get64(v.ptr + 8 * i);
    }
    kv_read_end(t);
    return c;
}

void outbox_change_begin(struct outbox_change *g) {
    g->st = g->o->st;
}

enum err_code outbox_change_end(struct kv_txn *t, const struct outbox_change *g, struct err *e) {
    uint8_t b[8 * OUTBOX_STATE_FIELDS];
    struct outbox_state s = g->st;
    for (int i = 0; i < OUTBOX_STATE_FIELDS; i++)
        put64(b + 8 * i, *outbox_state_field(&s, i));
    return kv_put(t, OUTBOX_STATE, slice_str("state"), slice_of(b, sizeof b), e);
}

enum err_code outbox_update(struct outbox *o, kv_change fn, struct outbox_change *g, struct err *e) {
    g->o = o;
    enum err_code c = kv_update(o->kv, fn, g, e);
    if (!c)
        o->st = g->st;
    return c;
}

enum err_code outbox_open(const char *dir, const struct outbox_options *opt, struct outbox **out, struct err *e) {
    const struct kv_options ko = {.tables = outbox_tables, .table_count = 6};
    struct outbox *o = mem_zalloc(1, sizeof *o);
    if (!o)
        return err_set(e, ERR_NO_MEMORY, "outbox");
    pthread_mutex_init(&o->lock, NULL);
    group_init(&o->appends);
    o->opt = *opt;
    o->opt.entries_max = opt->entries_max ? opt->entries_max : OUTBOX_ENTRIES_MAX;
    o->opt.bytes_max = opt->bytes_max ? opt->bytes_max : OUTBOX_BYTES_MAX;
    o->opt.window = opt->window ? opt->window : LIMIT_POOL_BATCHES;
    o->opt.window_bytes = opt->window_bytes ? opt->window_bytes : LIMIT_POOL_BYTES;
    enum err_code c = kv_open(dir, &ko, &o->kv, e);
    if (!c)
        c = outbox_load(o, e);
    if (c)
        outbox_close(o);
    else
        *out = o;
    return c;
}

void outbox_close(struct outbox *o) {
    if (!o)
        return;
    kv_close(o->kv);
    group_release(&o->appends);
    pthread_mutex_destroy(&o->lock);
    mem_free(o);
}

/* ---- appending ---- */

enum err_code outbox_enqueue(struct kv_txn *t, struct outbox_state *st, struct slice entry, int64_t now,
                             struct buf *scratch, struct err *e) {
    struct outbox_key k;
    buf_clear(scratch);
    buf_be64(scratch, (uint64_t)now);
    buf_append(scratch, entry);
    enum err_code c = buf_check(scratch, e);
    if (!c)
        c = kv_put(t, OUTBOX_QUEUE, outbox_key_u64(&k, st->next_id), buf_slice(scratch), e);
    st->next_id++;
    st->entries++;
    st->bytes += entry.len;
    return c;
}

/* One caller's entries and positions. */
struct outbox_request {
    struct group_request group; /* first */
    const struct slice *entries;
    size_t count;
    const struct outbox_position *positions;
    size_t position_count;
    uint64_t bytes;
    int64_t now;
};

struct outbox_appending {
    struct outbox_change g; /* first */
    struct group_request *list;
    struct buf scratch;
    struct outbox_work w;
};

static enum err_code outbox_append_one(struct kv_txn *t, struct outbox_appending *a, const struct outbox_request *r,
                                       struct err *e) {
    enum err_code c = ERR_OK;
    for (size_t i = 0; !c && i < r->count; i++)
        c = outbox_enqueue(t, &a->g.st, r->entries[i], r->now, &a->scratch, e);
    for (size_t i = 0; !c && i < r->position_count; i++)
        c = kv_put(t, OUTBOX_SOURCES, r->positions[i].source, r->positions[i].position, e);
    return c;
}

static enum err_code outbox_append_all(struct kv_txn *t, void *ctx, struct err *e) {
    struct outbox_appending *a = ctx;
    enum err_code c = ERR_OK;
    outbox_change_begin(&a->g);
    for (struct group_request *r = a->list; !c && r; r = r->next)
        if (r->rc == ERR_OK)
            c = outbox_append_one(t, a, (const struct outbox_request *)r, e);
    if (!c)
        c = outbox_cut_idle(t, a->g.o, &a->g.st, &a->w, e);
    return c ? c : outbox_change_end(t, &a->g, e);
}

static enum err_code outbox_append_check(const struct slice *entries, size_t count,
                                         const struct outbox_position *positions, size_t position_count,
                                         uint64_t *bytes, struct err *e) {
    if (count > OUTBOX_APPEND_MAX || position_count > OUTBOX_APPEND_MAX)
        return err_set(e, ERR_TOO_LARGE, "%zu entries at once", count);
    *bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].len == 0 || entries[i].len > LIMIT_ENTRY)
            return err_set(e, ERR_TOO_LARGE, "an entry of %zu bytes", entries[i].len);
        *bytes += entries[i].len;
    }
    for (size_t i = 0; i < position_count; i++)
        if (positions[i].source.len == 0 || positions[i].source.len > OUTBOX_SOURCE_MAX ||
            positions[i].position.len > OUTBOX_POSITION_MAX)
            return err_set(e, ERR_TOO_LARGE, "a source of %zu bytes, a position of %zu", positions[i].source.len,
                           positions[i].position.len);
    return ERR_OK;
}

/* All requests in one transaction, but for those that find no room. */
static void outbox_append_run(void *ctx, struct group_request *list) {
    struct outbox *o = ctx;
    struct outbox_appending a = {.list = list};
    struct err e = {0};
    uint64_t entries = 0, bytes = 0;
    buf_init(&a.scratch, LIMIT_ENTRY + OUTBOX_QUEUE_HEAD);
    enum err_code c = outbox_work_init(&a.w, &e);
    pthread_mutex_lock(&o->lock);
    for (struct group_request *g = list; g; g = g->next) {
        const struct outbox_request *r = (const struct outbox_request *)g;
        bool room = o->st.entries + o->st.refused + entries + r->count <= o->opt.entries_max &&
                    o->st.bytes + bytes + r->bytes <= o->opt.bytes_max;
        g->rc = ERR_OK;
        if (r->count && !room) {
            g->rc = err_set(&g->e, ERR_FULL, "the outbox holds %llu entries, %llu bytes",
                            (unsigned long long)o->st.entries, (unsigned long long)o->st.bytes);
            continue;
        }
        entries += r->count;
        bytes += r->bytes;
    }
    if (!c)
        c = outbox_update(o, outbox_append_all, &a.g, &e);
    pthread_mutex_unlock(&o->lock);
    for (struct group_request *g = list; c && g; g = g->next)
        if (g->rc == ERR_OK) {
            g->rc = c;
            g->e = e;
        }
    outbox_work_release(&a.w);
    buf_release(&a.scratch);
}

enum err_code outbox_append(struct outbox *o, const struct slice *entries, size_t count,
                            const struct outbox_position *positions, size_t position_count, int64_t now,
                            struct err *e) {
    uint64_t bytes = 0;
    enum err_code c = outbox_append_check(entries, count, positions, position_count, &bytes, e);
    if (c)
        return c;
    struct outbox_request r = {.group.weight = count + position_count,
                               .entries = entries,
                               .count = count,
                               .positions = positions,
                               .position_count = position_count,
                               .bytes = bytes,
                               .now = now};
    return group_commit(&o->appends, &r.group, OUTBOX_APPEND_MAX, outbox_append_run, o, e);
}

enum err_code outbox_position_get(struct outbox *o, struct slice source, struct buf *out, struct err *e) {
    struct kv_txn *t = NULL;
    struct slice v;
    buf_clear(out);
    if (source.len == 0 || source.len > OUTBOX_SOURCE_MAX)
        return err_set(e, ERR_NOT_FOUND, "a source of %zu bytes", source.len);
    enum err_code c = kv_read(o->kv, &t, e);
    if (!c)
        c = kv_get(t, OUTBOX_SOURCES, source, &v, e);
    if (!c) {
        buf_append(out, v);
        c = buf_check(out, e);
    }
    kv_read_end(t);
    return c;
}

/* ---- sealing ---- */

enum err_code outbox_work_init(struct outbox_work *w, struct err *e) {
    memset(w, 0, sizeof *w);
    buf_init(&w->carried, OUTBOX_CARRIED_MAX);
    buf_init(&w->runs, LIMIT_BATCH_ENTRIES * OUTBOX_RUN);
    w->entries = mem_alloc(LIMIT_BATCH_ENTRIES * sizeof *w->entries);
    w->ids = mem_alloc(LIMIT_BATCH_ENTRIES * sizeof *w->ids);
    return w->entries && w->ids ? ERR_OK : err_set(e, ERR_NO_MEMORY, "outbox");
}

void outbox_work_release(struct outbox_work *w) {
    mem_free(w->ids);
    mem_free(w->entries);
    buf_release(&w->runs);
    buf_release(&w->carried);
}

static void outbox_runs(const uint64_t *ids, uint32_t count, struct buf *out) {
    buf_clear(out);
    for (uint32_t i = 0; i < count;) {
        uint32_t n = 1;
        while (i + n < count && ids[i + n] == ids[i] + n)
            n++;
        buf_be64(out, ids[i]);
        buf_be32(out, n);
        i += n;
    }
}

enum err_code outbox_seal_at(struct kv_txn *t, struct outbox *o, struct outbox_state *st, uint64_t seq,
                             struct outbox_work *w, struct err *e) {
    struct outbox_key k;
    struct digest hash;
    struct slice have;
    buf_clear(&w->carried);
    if (!buf_extend(&w->carried, DIGEST_SIZE))
        return buf_check(&w->carried, e);
    enum err_code c = o->opt.seal(o->opt.seal_ctx, seq, w->entries, w->count, &w->carried, &hash, e);
    if (c)
        return c;
    outbox_runs(w->ids, w->count, &w->runs);
    c = buf_check(&w->carried, e);
    if (!c)
        c = buf_check(&w->runs, e);
    if (c)
        return c;
    memcpy(w->carried.ptr, hash.b, DIGEST_SIZE);
    st->sealed_batches++;
    st->sealed_entries += w->count;
    st->sealed_bytes += w->carried.len - DIGEST_SIZE;
    c = kv_put(t, OUTBOX_SEALED, outbox_key_u64(&k, seq), buf_slice(&w->carried), e);
    if (c)
        return c;
    c = kv_get(t, OUTBOX_VERSION, outbox_key_version(&k, seq, &hash), &have, e);
    if (c && c != ERR_NOT_FOUND)
        return c;
    st->versions += c == ERR_NOT_FOUND;
    return kv_put(t, OUTBOX_VERSION, outbox_key_version(&k, seq, &hash), buf_slice(&w->runs), e);
}

struct outbox_cutting {
    struct outbox_change g; /* first */
    struct outbox_work w;
    uint64_t seq;
};

/* Up to `most` entries of the queue that were not sealed yet, as far as they fit a batch. */
static enum err_code outbox_gather(struct kv_txn *t, const struct outbox_state *st, struct outbox_work *w,
                                   uint32_t most, struct err *e) {
    struct outbox_key k;
    struct slice key, value, from = outbox_key_u64(&k, st->cut);
    size_t raw = 0;
    bool after = false;
    w->count = 0;
    while (w->count < most) {
        enum err_code c = kv_seek(t, OUTBOX_QUEUE, from, after, &key, &value, e);
        if (c == ERR_NOT_FOUND)
            break;
        if (c)
            return c;
        if (key.len != 8 || value.len <= OUTBOX_QUEUE_HEAD)
            return err_set(e, ERR_CORRUPT, "queue");
        struct slice entry = slice_from(value, OUTBOX_QUEUE_HEAD);
        if (raw + 2 + entry.len > LIMIT_BATCH_RAW)
            break;
        raw += 2 + entry.len;
        w->ids[w->count] = buf_get64(key.ptr);
        w->entries[w->count++] = entry;
        from = key;
        after = true;
    }
    return w->count ? ERR_OK : err_set(e, ERR_NOT_FOUND, "nothing to seal");
}

/* The lowest seq for which nothing is sealed; a hole first, since all above wait for it. */
static enum err_code outbox_next_seq(struct kv_txn *t, const struct outbox_state *st, uint64_t *seq, struct err *e) {
    struct outbox_key k;
    struct slice value;
    *seq = st->next_seq;
    if (!st->holes)
        return ERR_OK;
    for (uint64_t s = st->last_final + 1; s < st->next_seq; s++) {
        enum err_code c = kv_get(t, OUTBOX_SEALED, outbox_key_u64(&k, s), &value, e);
        if (c == ERR_NOT_FOUND) {
            *seq = s;
            return ERR_OK;
        }
        if (c)
            return c;
    }
    return err_set(e, ERR_CORRUPT, "a hole that is not there");
}

/* Seals the next batch within a change. */
static enum err_code outbox_cut_in(struct kv_txn *t, struct outbox *o, struct outbox_state *st, struct outbox_work *w,
                                   uint64_t *seq, struct err *e) {
    enum err_code c = outbox_next_seq(t, st, seq, e);
    if (c)
        return c;
    bool hole = *seq < st->next_seq;
    /* One entry is enough to fill a hole, and comes before its elders: as few as possible (O5). */
    c = outbox_gather(t, st, w, hole && *seq + 1 < st->next_seq ? 1 : LIMIT_BATCH_ENTRIES, e);
    if (!c)
        c = outbox_seal_at(t, o, st, *seq, w, e);
    if (c)
        return err_wrap(e, "sealing batch %llu", (unsigned long long)*seq);
    st->holes -= hole;
    st->next_seq += !hole;
    st->cut = w->ids[w->count - 1] + 1;
    return ERR_OK;
}

enum err_code outbox_cut_idle(struct kv_txn *t, struct outbox *o, struct outbox_state *st, struct outbox_work *w,
                              struct err *e) {
    uint64_t seq;
    if (!o->opt.cut_idle || st->sealed_batches || st->entries == st->sealed_entries)
        return ERR_OK;
    return outbox_cut_in(t, o, st, w, &seq, e);
}

static enum err_code outbox_cut_one(struct kv_txn *t, void *ctx, struct err *e) {
    struct outbox_cutting *x = ctx;
    outbox_change_begin(&x->g);
    enum err_code c = outbox_cut_in(t, x->g.o, &x->g.st, &x->w, &x->seq, e);
    return c ? c : outbox_change_end(t, &x->g, e);
}

enum err_code outbox_cut(struct outbox *o, uint64_t *seq, struct err *e) {
    struct outbox_cutting x = {.seq = 0};
    enum err_code c = outbox_work_init(&x.w, e);
    pthread_mutex_lock(&o->lock);
    if (!c && o->st.sealed_entries == o->st.entries)
        c = err_set(e, ERR_NOT_FOUND, "nothing to seal");
    else if (!c && !o->st.holes && (o->st.sealed_batches >= o->opt.window || o->st.sealed_bytes >= o->opt.window_bytes))
        c = err_set(e, ERR_BUSY, "%llu batches wait for finality", (unsigned long long)o->st.sealed_batches);
    if (!c)
        c = outbox_update(o, outbox_cut_one, &x.g, e);
    pthread_mutex_unlock(&o->lock);
    if (!c)
        *seq = x.seq;
    outbox_work_release(&x.w);
    return c;
}

enum err_code outbox_sealed(struct outbox *o, uint64_t from, uint64_t *seq, struct digest *hash, struct buf *carried,
                            struct err *e) {
    struct kv_txn *t = NULL;
    struct outbox_key k;
    struct slice key, value;
    buf_clear(carried);
    enum err_code c = kv_read(o->kv, &t, e);
    if (!c)
        c = kv_seek(t, OUTBOX_SEALED, outbox_key_u64(&k, from), false, &key, &value, e);
    if (!c && (key.len != 8 || value.len <= DIGEST_SIZE))
        c = err_set(e, ERR_CORRUPT, "sealed batch");
    if (!c) {
        *seq = buf_get64(key.ptr);
        memcpy(hash->b, value.ptr, DIGEST_SIZE);
        buf_append(carried, slice_from(value, DIGEST_SIZE));
        c = buf_check(carried, e);
    }
    kv_read_end(t);
    return c;
}

/* ---- looking ---- */

uint64_t outbox_last_final(struct outbox *o) {
    pthread_mutex_lock(&o->lock);
    uint64_t v = o->st.last_final;
    pthread_mutex_unlock(&o->lock);
    return v;
}

enum err_code outbox_refused_read(struct slice v, struct outbox_refused *out, uint64_t *seq, struct err *e) {
    if (v.len < OUTBOX_REFUSED_HEAD || v.len - OUTBOX_REFUSED_HEAD < buf_get16(v.ptr + 20))
        return err_set(e, ERR_CORRUPT, "refused entry");
    size_t reason = buf_get16(v.ptr + 20);
    out->code = (enum err_code)buf_get32(v.ptr);
    out->time = (int64_t)buf_get64(v.ptr + 4);
    *seq = buf_get64(v.ptr + 12);
    out->reason = slice_of(v.ptr + OUTBOX_REFUSED_HEAD, reason);
    out->entry = slice_from(v, OUTBOX_REFUSED_HEAD + reason);
    return ERR_OK;
}

enum err_code outbox_refused_each(struct outbox *o, bool (*fn)(void *ctx, const struct outbox_refused *r), void *ctx,
                                  struct err *e) {
    struct kv_txn *t = NULL;
    struct outbox_refused r;
    struct slice key, value, from = slice_none();
    uint64_t seq;
    enum err_code c = kv_read(o->kv, &t, e);
    while (!c) {
        c = kv_seek(t, OUTBOX_REFUSED, from, from.len > 0, &key, &value, e);
        if (!c)
            c = key.len == 8 ? outbox_refused_read(value, &r, &seq, e) : err_set(e, ERR_CORRUPT, "refused entry");
        if (c)
            break;
        r.id = buf_get64(key.ptr);
        if (!fn(ctx, &r))
            break;
        from = key;
    }
    kv_read_end(t);
    return c == ERR_NOT_FOUND ? ERR_OK : c;
}

enum err_code outbox_stats(struct outbox *o, struct outbox_stats *out, struct err *e) {
    struct kv_txn *t = NULL;
    struct slice key, value;
    pthread_mutex_lock(&o->lock);
    *out = (struct outbox_stats){.entries = o->st.entries,
                                 .bytes = o->st.bytes,
                                 .sealed_entries = o->st.sealed_entries,
                                 .sealed_batches = (uint32_t)o->st.sealed_batches,
                                 .refused = o->st.refused,
                                 .next_seq = o->st.next_seq,
                                 .last_final = o->st.last_final,
                                 .holes = o->st.holes};
    enum err_code c = kv_read(o->kv, &t, e);
    if (!c)
        c = kv_seek(t, OUTBOX_QUEUE, slice_none(), false, &key, &value, e);
    if (!c && value.len >= OUTBOX_QUEUE_HEAD)
        out->oldest = (int64_t)buf_get64(value.ptr);
    kv_read_end(t);
    pthread_mutex_unlock(&o->lock);
    return c == ERR_NOT_FOUND ? ERR_OK : c;
}
