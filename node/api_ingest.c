/* node/api_ingest.c -- how ingest is doing, starting it anew, and what could not be decoded. */
#include "node/api.h"

#include "node/ingest/ingest.h"
#include "wire/pack.h"

enum { DEAD_LETTERS = 1000 /* of one answer */ };

static enum err_code ingest_of(struct api_call *call, struct err *e) {
    return call->node->ingest
               ? ERR_OK
               : err_set(e, ERR_NOT_ALLOWED, "%s is not an enterprise's node: it ingests nothing", call->node->id);
}

enum err_code api_ingest_status(struct api_call *call, struct err *e) {
    enum err_code rc = ingest_of(call, e);
    if (rc == ERR_OK)
        ingest_status(call->node->ingest, &call->out);
    return rc;
}

/* Reads the configuration anew and looks at every source; answers like ingest.status. */
enum err_code api_ingest_run(struct api_call *call, struct err *e) {
    enum err_code rc = ingest_of(call, e);
    if (rc == ERR_OK && (rc = ingest_restart(call->node->ingest, e)) == ERR_OK)
        ingest_status(call->node->ingest, &call->out);
    return rc;
}

/* ---- dead letters ---- */

struct dead_params {
    struct slice channel;
    uint64_t from, limit;
};
static const struct schema_field dead_fields[] = {
    {.key = "channel",
     .type = SCHEMA_STR,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct dead_params, channel),
     .max = LIMIT_NAME},
    {.key = "from", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct dead_params, from)},
    {.key = "limit",
     .type = SCHEMA_U64,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct dead_params, limit),
     .max = DEAD_LETTERS},
};
static const struct schema dead_schema = SCHEMA_OF("params", struct dead_params, dead_fields);

struct dead_walk {
    struct buf *out;
    struct arena arena;
    uint64_t limit, count, next;
};

static enum err_code dead_one(void *ctx, const struct chain_reader_entry *x, struct err *e) {
    struct dead_walk *w = ctx;
    struct dead_letter d;
    struct entry entry;
    enum err_code rc = entry_read(x->bytes, &entry, e);
    w->next = x->number + 1;
    if (rc != ERR_OK || entry.kind != ENTRY_DEAD_LETTER)
        return rc;
    arena_clear(&w->arena);
    rc = schema_read(&dead_letter_schema, entry.body, &w->arena, &d, e);
    if (rc != ERR_OK)
        return rc;
    pack_map(w->out, 9);
    pack_cstr(w->out, "number");
    pack_u64(w->out, x->number);
    pack_cstr(w->out, "raw_hash");
    pack_bin(w->out, slice_of(d.raw_hash, DIGEST_SIZE));
    pack_cstr(w->out, "reason");
    pack_str(w->out, d.reason);
    pack_cstr(w->out, "seq");
    pack_u64(w->out, d.source.seq);
    pack_cstr(w->out, "server");
    pack_str(w->out, d.server);
    pack_cstr(w->out, "service");
    pack_str(w->out, d.service);
    pack_cstr(w->out, "source");
    pack_str(w->out, d.source.id);
    pack_cstr(w->out, "time");
    pack_i64(w->out, x->block_time);
    pack_cstr(w->out, "uid");
    pack_bin(w->out, slice_of(d.uid, RECORD_UID_SIZE));
    return ++w->count == w->limit ? ERR_FULL : ERR_OK; /* FULL ends the walk: the answer holds enough */
}

static enum err_code dead_walk(struct node_channel *c, uint64_t from, struct dead_walk *w, struct err *e) {
    struct chain_reader *r = NULL;
    enum err_code rc = chain_reader_open(channel_store(c->channel), &r, e);
    if (rc == ERR_NOT_FOUND)
        return ERR_OK; /* no ledger yet */
    if (rc == ERR_OK)
        rc = chain_reader_each(r, from, chain_reader_tip(r)->tree_size, dead_one, w, e);
    chain_reader_close(r);
    return rc == ERR_FULL && w->count == w->limit ? ERR_OK : rc;
}

struct refused_walk {
    struct buf *out;
    uint32_t count;
};
static bool refused_one(void *ctx, const struct outbox_refused *x) {
    struct refused_walk *w = ctx;
    pack_map(w->out, 3);
    pack_cstr(w->out, "id");
    pack_u64(w->out, x->id);
    pack_cstr(w->out, "reason");
    pack_str(w->out, x->reason);
    pack_cstr(w->out, "time");
    pack_i64(w->out, x->time);
    return ++w->count < DEAD_LETTERS;
}

/* {dead: [...], next: entry to go on from, refused: [...] entries that validators refused and the outbox keeps} */
enum err_code api_dead_letters(struct api_call *call, struct err *e) {
    struct dead_params p;
    struct node_channel *c;
    struct buf dead, refused;
    struct dead_walk w = {.out = &dead};
    struct refused_walk rw = {.out = &refused};
    enum err_code rc = api_params(call, &dead_schema, &p, e);
    if (rc != ERR_OK || (rc = api_channel(call, p.channel, &c, e)) != ERR_OK)
        return rc;
    w.limit = p.limit ? p.limit : DEAD_LETTERS;
    w.next = p.from;
    buf_init(&dead, RPC_BODY / 2);
    buf_init(&refused, RPC_BODY / 2);
    arena_init(&w.arena, 1 << 20);
    rc = dead_walk(c, p.from, &w, e);
    if (rc == ERR_OK)
        rc = outbox_refused_each(courier_outbox(c->courier), refused_one, &rw, e);
    pack_map(&call->out, 3);
    pack_cstr(&call->out, "dead");
    pack_array(&call->out, (uint32_t)w.count);
    buf_append(&call->out, buf_slice(&dead));
    pack_cstr(&call->out, "next");
    pack_u64(&call->out, w.next);
    pack_cstr(&call->out, "refused");
    pack_array(&call->out, rw.count);
    buf_append(&call->out, buf_slice(&refused));
    if (rc == ERR_OK && (rc = buf_check(&dead, e)) == ERR_OK)
        rc = buf_check(&refused, e);
    arena_release(&w.arena);
    buf_release(&dead);
    buf_release(&refused);
    return rc;
}
