/* node/channel_batch.c -- batches on their way to finality. Source: docs/PROTOCOL.md 2.6.
 * An own batch goes to the leader at once, to all validators after Δ, and is repeated with growing pauses until it is
 * final or refused. A refusal counts when this node finds it itself, or when f+1 validators say so.
 *
 * BATCH      body: the carried batch
 * BATCH_ACK  body: canonical map {code, entry, hash, seq, text}; code 0: held */
#include "node/channel_inner.h"
#include "node/clock.h"
#include "node/log.h"
#include "wire/mem.h"

struct channel_ack {
    uint64_t code;  /* enum err_code */
    uint64_t entry; /* index in the batch, refusals only */
    uint8_t hash[DIGEST_SIZE];
    uint64_t seq;
    struct slice text;
};

#define AT(member) .offset = offsetof(struct channel_ack, member)
static const struct schema_field ack_fields[] = {
    {.key = "code", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, AT(code), .max = 255},
    {.key = "entry", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, AT(entry), .max = LIMIT_BATCH_ENTRIES},
    {.key = "hash", .type = SCHEMA_FIXED, AT(hash), .max = DIGEST_SIZE},
    {.key = "seq", .type = SCHEMA_U64, AT(seq), .min = 1},
    {.key = "text", .type = SCHEMA_STR, .flags = SCHEMA_OPTIONAL, AT(text), .max = 512},
};
static const struct schema ack_schema = SCHEMA_OF("batch-ack", struct channel_ack, ack_fields);

static void batch_answer(struct channel *c, int32_t to, const struct channel_ack *ack) {
    struct buf b;
    buf_init(&b, 1024);
    schema_write(&ack_schema, ack, &b);
    if (!b.failed)
        channel_send(c, to, ENVELOPE_BATCH_ACK, 0, buf_slice(&b));
    buf_release(&b);
}

static struct channel_own *batch_own_find(struct channel *c, uint64_t seq) {
    size_t i;
    for (i = 0; i < CHANNEL_OWN; i++)
        if (c->own[i].seq == seq)
            return &c->own[i];
    return NULL;
}

static void batch_own_free(struct channel_own *own) {
    union {
        const uint8_t *in;
        uint8_t *out;
    } bytes = {own->bytes.ptr};
    mem_free(bytes.out);
    *own = (struct channel_own){0};
}

void channel_batch_release(struct channel *c) {
    size_t i;
    for (i = 0; i < CHANNEL_OWN; i++)
        batch_own_free(&c->own[i]);
}

static void batch_fate(struct channel *c, enum pool_fate fate, uint64_t seq, const struct digest *hash, uint32_t entry,
                       const struct err *reason) {
    struct channel_fate f = {.fate = fate, .seq = seq, .hash = *hash, .entry = entry, .reason = reason};
    struct channel_own *own = batch_own_find(c, seq);
    if (own)
        batch_own_free(own);
    c->o.fate(c->o.ctx, c, &f);
}

/* Of a batch of ours, carried in `own`, to the leader, and when that was before, to all. */
static void batch_send(struct channel *c, struct channel_own *own, bool first) {
    int32_t leader = channel_node_of_seat(c, core_leader(c->core));
    if (!first)
        channel_send_bytes(c, -1, false, own->bytes);
    else if ((int)core_leader(c->core) != c->self && leader >= 0)
        channel_send_bytes(c, leader, false, own->bytes);
}

void channel_batch_own(struct channel *c, struct slice carried) {
    struct channel_own *own;
    struct batch b;
    enum pool_answer answer = 0;
    uint32_t bad = 0;
    struct err e = {0};
    enum err_code rc = chain_submit(c->chain, carried, clock_wall_ms(), &answer, &b, &bad, &e);
    struct slice envelope;
    uint8_t *copy;
    if (rc != ERR_OK && err_class_of(rc) == ERR_CLASS_FATAL)
        channel_fatal(c, &e);
    if (rc == ERR_OK && answer == POOL_WAS_FINAL) {
        batch_fate(c, POOL_FINAL, b.header.seq, &b.hash, 0, NULL);
        return;
    }
    if (rc == ERR_SEQUENCE || rc == ERR_CONFLICT) {
        log_line(LOG_DEBUG, c->area, "own batch %llu: %s", (unsigned long long)b.header.seq, e.text);
        batch_fate(c, POOL_DISPLACED, b.header.seq, &b.hash, 0, &e);
        return;
    }
    if (err_class_of(rc) == ERR_CLASS_REFUSED) {
        batch_fate(c, POOL_REFUSED, b.header.seq, &b.hash, bad, &e);
        return;
    }
    if (batch_own_find(c, b.header.seq))
        return; /* handed in twice */
    own = batch_own_find(c, 0);
    envelope = channel_envelope(c, ENVELOPE_BATCH, 0, carried);
    copy = own && envelope.ptr ? mem_alloc(envelope.len) : NULL;
    if (!copy) { /* the courier offers it again */
        log_line(LOG_WARN, c->area, "no room for own batch %llu now", (unsigned long long)b.header.seq);
        return;
    }
    memcpy(copy, envelope.ptr, envelope.len);
    *own = (struct channel_own){.seq = b.header.seq,
                                .hash = b.hash,
                                .bytes = slice_of(copy, envelope.len),
                                .resend_ms = clock_monotonic_ms() + (int64_t)c->o.founding->delta_ms,
                                .wait_ms = (int64_t)c->o.founding->delta_ms};
    batch_send(c, own, true);
    channel_tell_pool(c);
}

void channel_batch_received(struct channel *c, int32_t from, struct slice carried) {
    struct channel_ack ack = {0};
    struct batch b;
    enum pool_answer answer = 0;
    uint32_t bad = 0;
    struct err e = {0};
    enum err_code rc;
    memset(&b, 0, sizeof b);
    rc = chain_submit(c->chain, carried, clock_wall_ms(), &answer, &b, &bad, &e);
    if (rc != ERR_OK && err_class_of(rc) == ERR_CLASS_FATAL)
        channel_fatal(c, &e);
    if (rc == ERR_MALFORMED || rc == ERR_TOO_LARGE || rc == ERR_BAD_SIGNATURE || rc == ERR_WRONG_NETWORK)
        channel_misbehaved(c, from, &e); /* batches come from their submitters alone: nobody sends such by mistake */
    if (b.header.seq == 0)
        return; /* not even readable */
    ack.seq = b.header.seq;
    memcpy(ack.hash, b.hash.b, DIGEST_SIZE);
    ack.code = (uint64_t)rc;
    if (rc != ERR_OK) {
        ack.entry = bad;
        ack.text = slice_str(e.text);
    }
    batch_answer(c, from, &ack);
    if (rc == ERR_OK && answer == POOL_TAKEN)
        channel_tell_pool(c);
}

void channel_batch_answered(struct channel *c, int32_t from, struct slice bytes) {
    struct channel_ack ack;
    struct arena a;
    struct err e = {0};
    int seat = channel_seat_of(c, from);
    struct channel_own *own;
    enum err_code rc;
    arena_init(&a, 4096);
    rc = schema_read(&ack_schema, bytes, &a, &ack, &e);
    if (rc != ERR_OK || seat < 0 || !err_known((int)ack.code)) {
        if (rc != ERR_OK)
            channel_misbehaved(c, from, &e);
        goto out;
    }
    own = batch_own_find(c, ack.seq);
    if (!own || memcmp(own->hash.b, ack.hash, DIGEST_SIZE) != 0 ||
        err_class_of((enum err_code)ack.code) != ERR_CLASS_REFUSED || ack.code == ERR_SEQUENCE ||
        ack.code == ERR_CONFLICT || own->refused_by & 1u << seat)
        goto out; /* SEQUENCE, CONFLICT: not of the content, an older version of the same seq may wait there */
    own->refused_by |= 1u << seat;
    log_line(LOG_WARN, c->area, "%s refuses own batch %llu, entry %llu: %.*s", c->set.member[seat].name,
             (unsigned long long)ack.seq, (unsigned long long)ack.entry, SLICE_ARG(ack.text));
    if ((uint32_t)__builtin_popcount(own->refused_by) > c->set.quorum.f) {
        struct digest hash = own->hash;
        err_set(&e, (enum err_code)ack.code, "%.*s", SLICE_ARG(ack.text));
        pool_refuse(c->pool, &c->o.keys->submit_pub, ack.seq, (uint32_t)ack.entry, &e);
        if (batch_own_find(c, ack.seq)) /* the pool did not hold it, so it gave no notice */
            batch_fate(c, POOL_REFUSED, ack.seq, &hash, (uint32_t)ack.entry, &e);
    }
out:
    arena_release(&a);
}

void channel_batch_notice(void *ctx, const struct pool_notice *n) {
    struct channel *c = ctx;
    struct channel_ack ack = {.seq = n->seq, .entry = n->entry};
    const struct genesis_node *node;
    if (sign_public_eq(n->submitter, &c->o.keys->submit_pub)) {
        batch_fate(c, n->fate, n->seq, n->hash, n->entry, n->reason);
        return;
    }
    if (n->fate != POOL_REFUSED)
        return; /* its submitter follows the channel itself */
    node = genesis_node_by_submit(c->o.genesis, n->submitter->b);
    if (!node)
        return;
    ack.code = (uint64_t)n->reason->code;
    ack.text = slice_str(n->reason->text);
    memcpy(ack.hash, n->hash->b, DIGEST_SIZE);
    batch_answer(c, channel_member(c, node->id), &ack);
}

void channel_batch_finals(struct channel *c) {
    uint64_t last = chain_final_seq(c->chain, &c->o.keys->submit_pub);
    size_t i;
    for (i = 0; i < CHANNEL_OWN; i++)
        if (c->own[i].seq && c->own[i].seq <= last)
            batch_own_free(&c->own[i]); /* the courier learns the hashes from the blocks */
}

int64_t channel_batch_deadline(const struct channel *c) {
    int64_t first = INT64_MAX;
    size_t i;
    for (i = 0; i < CHANNEL_OWN; i++)
        if (c->own[i].seq && c->own[i].resend_ms < first)
            first = c->own[i].resend_ms;
    return first;
}

void channel_batch_tick(struct channel *c, int64_t now) {
    size_t i;
    for (i = 0; i < CHANNEL_OWN; i++) {
        struct channel_own *own = &c->own[i];
        if (!own->seq || own->resend_ms > now)
            continue;
        batch_send(c, own, false);
        own->wait_ms = own->wait_ms * 2 < 20000 ? own->wait_ms * 2 : 20000;
        own->resend_ms = now + own->wait_ms;
    }
}
