/* node/api_query.c -- "query", "show" and "watch": committed entries by what they say, by number or uid, as they come.
 *
 * One entry, as a map (the answers' `hits`, `show`, and each part of `watch`):
 *   body      the entry's own body: with kind_id it gives back the entry's bytes, [kind_id, body]
 *   height, time (of its block), number, kind, kind_id, leaf
 *   node, org, submitter     who put it there, by genesis
 *   proof     tlog-proof text, when asked for
 *   text      one sentence: who, when, what, to what */
#include "node/api.h"

#include "ledger/query.h"
#include "node/clock.h"
#include "node/reading.h"
#include "node/sentence.h"
#include "wire/mem.h"
#include "wire/pack.h"

enum {
    QUERY_ANSWER = 4 << 20, /* bytes of a page's entries; fewer hits are given when they are large */
    QUERY_BUCKETS = 512,    /* of a histogram by this door */
    WATCH_ARENA = 2 << 20,
    WATCH_BEAT_MS = 1000
};

struct query_params {
    bool count; /* only how many */
    struct slice channel;
    uint64_t histogram; /* buckets over [from, to) */
    bool proof;
    struct query query;
};
static const struct schema_field query_params_fields[] = {
    {.key = "channel",
     .type = SCHEMA_STR,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct query_params, channel),
     .max = LIMIT_NAME},
    {.key = "count", .type = SCHEMA_BOOL, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct query_params, count)},
    {.key = "histogram",
     .type = SCHEMA_U64,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct query_params, histogram),
     .max = QUERY_BUCKETS},
    {.key = "proof", .type = SCHEMA_BOOL, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct query_params, proof)},
    {.key = "query",
     .type = SCHEMA_MAP,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct query_params, query),
     .sub = &query_schema},
};
static const struct schema query_params_schema = SCHEMA_OF("params", struct query_params, query_params_fields);

/* ---- one entry ---- */

void api_entry_pack(const struct node *n, const struct index_entry *x, struct slice proof, struct buf *b) {
    const struct genesis_node *by = genesis_node_by_submit(&n->genesis, x->submitter);
    struct sentence *s = mem_alloc(sizeof *s);
    struct entry entry = {.kind = ENTRY_NONE};
    struct digest leaf = entry_leaf(x->bytes);
    bool read = entry_read(x->bytes, &entry, NULL) == ERR_OK;
    if (!s) {
        b->failed = true;
        return;
    }
    sentence_of(&n->genesis, x->bytes, x->submitter, x->block_time, s);
    pack_map(b, (proof.len ? 11 : 10));
    pack_cstr(b, "body");
    if (read)
        buf_append(b, entry.body);
    else
        pack_bin(b, x->bytes);
    pack_cstr(b, "height"), pack_u64(b, x->height);
    pack_cstr(b, "kind"), pack_cstr(b, read ? entry_kind_text(entry.kind) : "?");
    pack_cstr(b, "kind_id"), pack_u64(b, (uint64_t)entry.kind);
    pack_cstr(b, "leaf"), pack_bin(b, digest_slice(&leaf));
    pack_cstr(b, "node"), pack_str(b, by ? by->id : slice_none());
    pack_cstr(b, "number"), pack_u64(b, x->number);
    pack_cstr(b, "org"), pack_str(b, by ? by->org : slice_none());
    if (proof.len)
        pack_cstr(b, "proof"), pack_str(b, proof);
    pack_cstr(b, "text"), pack_cstr(b, s->text);
    pack_cstr(b, "time"), pack_i64(b, x->block_time);
    mem_free(s);
}

/* ---- query ---- */

struct query_hits {
    uint64_t numbers[QUERY_LIMIT_MAX];
    size_t count, bytes;
    bool full; /* a further hit would be too much for one answer */
};

static enum err_code query_hit(void *ctx, const struct query_hit *hit, struct err *e) {
    struct query_hits *h = ctx;
    size_t cost = hit->entry->bytes.len + 3000; /* its sentence and its proof */
    if (h->count && h->bytes + cost > QUERY_ANSWER) {
        h->full = true;
        return err_set(e, ERR_FULL, "page");
    }
    h->bytes += cost;
    h->numbers[h->count++] = hit->entry->number;
    return ERR_OK;
}

/* One page of hits, of fewer entries if they are large. */
static enum err_code query_page(struct reading *r, struct query *q, struct query_hits *h, struct query_page *page,
                                struct err *e) {
    enum err_code rc;
    for (;;) {
        *h = (struct query_hits){.count = 0};
        rc = query_run(channel_index(r->channel), &r->src.face, q, query_hit, h, page, e);
        if (rc != ERR_FULL || !h->full)
            return rc;
        q->limit = h->count;
    }
}

static enum err_code query_answer(struct api_call *call, struct reading *r, const struct query_hits *h,
                                  const struct query_page *page, bool proof, struct err *e) {
    struct reading_checkpoint cp = {.height = 0};
    struct index_entry x;
    struct buf text;
    size_t i;
    enum err_code rc = ERR_OK;
    buf_init(&text, PROOF_MAX);
    buf_init(&cp.note, NOTE_MAX);
    if (proof && h->count)
        rc = reading_checkpoint(r, &cp, e);
    if (rc == ERR_OK)
        rc = reading_tree(r, e);
    pack_map(&call->out, 6);
    pack_cstr(&call->out, "channel"), pack_cstr(&call->out, channel_name(r->channel));
    pack_cstr(&call->out, "cursor"), pack_cstr(&call->out, page->cursor);
    pack_cstr(&call->out, "entries"), pack_u64(&call->out, page->tip_entries);
    pack_cstr(&call->out, "hits"), pack_array(&call->out, (uint32_t)h->count);
    for (i = 0; i < h->count && rc == ERR_OK; i++) {
        buf_clear(&text);
        if (proof)
            rc = reading_proof(r, &cp, h->numbers[i], &text, e);
        if (rc == ERR_OK)
            rc = r->src.face.entry(r->src.face.ctx, h->numbers[i], &x, e);
        if (rc == ERR_OK)
            api_entry_pack(call->node, &x, buf_slice(&text), &call->out);
    }
    pack_cstr(&call->out, "more"), pack_bool(&call->out, page->more);
    pack_cstr(&call->out, "read"), pack_u64(&call->out, page->read);
    reading_tree_end(r);
    buf_release(&text);
    buf_release(&cp.note);
    return rc;
}

static enum err_code query_counted(struct api_call *call, struct reading *r, const struct query_params *p,
                                   struct err *e) {
    struct query_histogram h = {.count = (uint32_t)p->histogram, .first = p->query.from};
    uint64_t count = 0;
    uint32_t i;
    enum err_code rc;
    if (p->histogram) {
        int64_t to = p->query.to ? p->query.to : clock_wall_ms() + 1;
        if (!p->query.from || to <= p->query.from)
            return err_set(e, ERR_USAGE, "a histogram needs the time at which it begins");
        h.width = (to - p->query.from + (int64_t)h.count - 1) / (int64_t)h.count;
        h.buckets = arena_alloc(&call->arena, h.count, sizeof *h.buckets);
        if (!h.buckets)
            return err_set(e, ERR_NO_MEMORY, "no memory for a histogram");
    }
    rc = query_count(channel_index(r->channel), &r->src.face, &p->query, &count, p->histogram ? &h : NULL, e);
    if (rc != ERR_OK)
        return rc;
    pack_map(&call->out, p->histogram ? 5 : 2);
    if (p->histogram) {
        pack_cstr(&call->out, "buckets"), pack_array(&call->out, h.count);
        for (i = 0; i < h.count; i++)
            pack_u64(&call->out, h.buckets[i]);
    }
    pack_cstr(&call->out, "channel"), pack_cstr(&call->out, channel_name(r->channel));
    pack_cstr(&call->out, "count"), pack_u64(&call->out, count);
    if (p->histogram) {
        pack_cstr(&call->out, "first"), pack_i64(&call->out, h.first);
        pack_cstr(&call->out, "width"), pack_i64(&call->out, h.width);
    }
    return ERR_OK;
}

enum err_code api_query(struct api_call *call, struct err *e) {
    struct query_params p;
    struct query_page page;
    struct query_hits *hits;
    struct node_channel *c;
    struct reading r = {0};
    enum err_code rc = api_params(call, &query_params_schema, &p, e);
    if (rc != ERR_OK || (rc = query_check(&p.query, e)) != ERR_OK ||
        (rc = api_channel(call, p.channel, &c, e)) != ERR_OK)
        return rc;
    hits = arena_alloc(&call->arena, 1, sizeof *hits);
    if (!hits)
        return err_set(e, ERR_NO_MEMORY, "no memory for a page");
    if ((rc = reading_open(&r, c->channel, e)) == ERR_OK) {
        if (p.count || p.histogram)
            rc = query_counted(call, &r, &p, e);
        else if ((rc = query_page(&r, &p.query, hits, &page, e)) == ERR_OK)
            rc = query_answer(call, &r, hits, &page, p.proof, e);
    }
    reading_close(&r);
    return rc;
}

/* ---- show ---- */

struct show_params {
    struct slice channel;
    uint64_t number;
    bool proof;
    uint8_t uid[RECORD_UID_SIZE]; /* instead of the number */
};
static const struct schema_field show_fields[] = {
    {.key = "channel",
     .type = SCHEMA_STR,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct show_params, channel),
     .max = LIMIT_NAME},
    {.key = "number", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct show_params, number)},
    {.key = "proof", .type = SCHEMA_BOOL, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct show_params, proof)},
    {.key = "uid",
     .type = SCHEMA_FIXED,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct show_params, uid),
     .max = RECORD_UID_SIZE},
};
static const struct schema show_schema = SCHEMA_OF("params", struct show_params, show_fields);

enum err_code api_find_entry(struct reading *r, const uint8_t uid[RECORD_UID_SIZE], uint64_t *number, struct err *e) {
    static const uint8_t none[RECORD_UID_SIZE];
    struct query q = {.limit = 1};
    struct query_page page;
    struct query_hits *h;
    enum err_code rc;
    if (memcmp(uid, none, sizeof none) == 0)
        return ERR_OK;
    h = mem_alloc(sizeof *h);
    if (!h)
        return err_set(e, ERR_NO_MEMORY, "no memory");
    memcpy(q.uid, uid, sizeof q.uid);
    rc = query_page(r, &q, h, &page, e);
    if (rc == ERR_OK && h->count == 0)
        rc = err_set(e, ERR_NOT_FOUND, "channel %s has no record with this uid", channel_name(r->channel));
    if (rc == ERR_OK)
        *number = h->numbers[0];
    mem_free(h);
    return rc;
}

enum err_code api_show(struct api_call *call, struct err *e) {
    struct show_params p;
    struct node_channel *c;
    struct reading r = {0};
    struct reading_checkpoint cp = {.height = 0};
    struct index_entry x;
    struct buf text;
    enum err_code rc = api_params(call, &show_schema, &p, e);
    if (rc != ERR_OK || (rc = api_channel(call, p.channel, &c, e)) != ERR_OK)
        return rc;
    buf_init(&text, PROOF_MAX);
    buf_init(&cp.note, NOTE_MAX);
    if ((rc = reading_open(&r, c->channel, e)) == ERR_OK && (rc = api_find_entry(&r, p.uid, &p.number, e)) == ERR_OK &&
        p.proof && (rc = reading_checkpoint(&r, &cp, e)) == ERR_OK && (rc = reading_tree(&r, e)) == ERR_OK)
        rc = reading_proof(&r, &cp, p.number, &text, e);
    if (rc == ERR_OK)
        rc = r.src.face.entry(r.src.face.ctx, p.number, &x, e);
    if (rc == ERR_NOT_FOUND && !e->text[0])
        err_set(e, rc, "channel %s has no entry %llu", channel_name(c->channel), (unsigned long long)p.number);
    if (rc == ERR_OK)
        api_entry_pack(call->node, &x, buf_slice(&text), &call->out);
    reading_close(&r);
    buf_release(&text);
    buf_release(&cp.note);
    return rc;
}

/* ---- watch ---- */

struct watch_params {
    struct slice channel;
    bool follow;   /* do not end at the tip */
    uint64_t from; /* first entry wanted, plus 1; 0: what comes from now on */
    struct query query;
};
static const struct schema_field watch_fields[] = {
    {.key = "channel",
     .type = SCHEMA_STR,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct watch_params, channel),
     .max = LIMIT_NAME},
    {.key = "follow", .type = SCHEMA_BOOL, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct watch_params, follow)},
    {.key = "from", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct watch_params, from)},
    {.key = "query",
     .type = SCHEMA_MAP,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct watch_params, query),
     .sub = &query_schema},
};
static const struct schema watch_schema = SCHEMA_OF("params", struct watch_params, watch_fields);

struct watch {
    struct api_call *call;
    const struct query *query;
    struct arena arena;
    uint64_t next;
};

static enum err_code watch_one(void *ctx, const struct chain_reader_entry *x, struct err *e) {
    struct watch *w = ctx;
    struct index_entry entry = {
        .number = x->number, .height = x->height, .block_time = x->block_time, .bytes = x->bytes};
    bool yes = false;
    enum err_code rc;
    memcpy(entry.submitter, x->batch.submitter.b, sizeof entry.submitter);
    if ((rc = query_matches(w->query, &entry, &w->arena, &yes, e)) != ERR_OK)
        return rc;
    if (yes) {
        api_entry_pack(w->call->node, &entry, slice_none(), &w->call->out);
        if ((rc = buf_check(&w->call->out, e)) != ERR_OK)
            return rc;
        if (!w->call->part(w->call))
            return err_set(e, ERR_UNREACHABLE, "the watcher has gone");
    }
    w->next = x->number + 1;
    return ERR_OK;
}

static enum err_code watch_run(struct watch *w, struct channel *c, struct reading *r, bool follow, struct err *e) {
    for (;;) {
        const struct chain_tip *tip = chain_reader_tip(r->src.reader);
        uint64_t height = tip->height;
        enum err_code rc = chain_reader_each(r->src.reader, w->next, tip->tree_size, watch_one, w, e);
        if (rc != ERR_OK || !follow)
            return rc;
        chain_reader_pause(r->src.reader);
        while (!channel_wait(c, height, clock_monotonic_ms() + WATCH_BEAT_MS)) {
            if (!atomic_load(&w->call->node->running))
                return ERR_OK;
            /* an empty part: notices that the asker has gone */
            if (!w->call->part(w->call))
                return err_set(e, ERR_UNREACHABLE, "the watcher has gone");
        }
        if ((rc = chain_reader_renew(r->src.reader, e)) != ERR_OK)
            return rc;
    }
}

enum err_code api_watch(struct api_call *call, struct err *e) {
    struct watch_params p;
    struct node_channel *c;
    struct reading r = {0};
    struct watch w = {.call = call};
    enum err_code rc = api_params(call, &watch_schema, &p, e);
    if (rc != ERR_OK || (rc = query_check(&p.query, e)) != ERR_OK ||
        (rc = api_channel(call, p.channel, &c, e)) != ERR_OK)
        return rc;
    arena_init(&w.arena, WATCH_ARENA);
    w.query = &p.query;
    if ((rc = reading_open(&r, c->channel, e)) == ERR_OK) {
        w.next = p.from ? p.from - 1 : chain_reader_tip(r.src.reader)->tree_size;
        rc = watch_run(&w, c->channel, &r, p.follow, e);
    }
    reading_close(&r);
    arena_release(&w.arena);
    return rc;
}
