/* tests/support/index_chain.c -- see index_chain.h. */
#include "tests/support/index_chain.h"

#include "ledger/entry.h"
#include "wire/limits.h"
#include "wire/mem.h"

#define LONG_TEN  "长名称0123456789长名称abcdefghijkl"
#define LONG_NAME LONG_TEN LONG_TEN LONG_TEN LONG_TEN LONG_TEN

const char *const chain_words[CHAIN_WORDS] = {"alice", "bob", "张伟",        "李娜",        "基金配置", "运营-01",
                                              "x",     "a",   LONG_NAME "1", LONG_NAME "2", "admin",    "deploy"};

static struct slice chain_word(int i) {
    return slice_str(chain_words[i]);
}
/* Fields of at most 32 or 64 bytes take the short words. */
static struct slice chain_short(int i) {
    return slice_str(chain_words[i % 8]);
}

void chain_init(struct chain *c, uint64_t seed) {
    memset(c, 0, sizeof *c);
    c->seed = seed * 2654435761u + 88172645463325252u;
    c->block_cap = 16;
    c->blocks = mem_zalloc(c->block_cap, sizeof *c->blocks);
    c->block_count = 1;
    c->blocks[0].hash = digest_of(slice_str("genesis"));
}

void chain_release(struct chain *c) {
    uint64_t i;
    for (i = 0; i < c->count; i++)
        buf_release(&c->made[i].owner);
    mem_free(c->made);
    mem_free(c->blocks);
}

uint64_t chain_random(struct chain *c, uint64_t below) {
    c->seed ^= c->seed << 13;
    c->seed ^= c->seed >> 7;
    c->seed ^= c->seed << 17;
    return below ? (c->seed >> 11) % below : 0;
}

static int chain_pick(struct chain *c) { /* uneven */
    return (int)chain_random(c, chain_random(c, CHAIN_WORDS) + 1);
}

static void chain_submitter(int i, uint8_t out[DIGEST_SIZE]) {
    memset(out, 0x40 + i, DIGEST_SIZE);
}
static void chain_token(int i, uint8_t out[RECORD_TOKEN_SIZE]) {
    memset(out, 0x80 + i, RECORD_TOKEN_SIZE);
}

static void chain_record(struct chain_made *m, struct buf *b) {
    struct record_object objects[CHAIN_OBJECTS];
    struct record_token token = {.path = slice_str("actor.name")};
    struct record r;
    int i;
    memset(&r, 0, sizeof r);
    memset(objects, 0, sizeof objects);
    r.actor.name = chain_word(m->subject);
    r.actor.type = chain_short(m->subject_type);
    for (i = 0; i < m->object_count; i++) {
        objects[i].name = chain_word(m->objects[i]);
        objects[i].type = chain_short(m->object_types[i]);
        objects[i].role = RECORD_ROLE_REQUEST;
    }
    r.objects = (struct schema_list){objects, (uint32_t)m->object_count};
    if (m->token >= 0) {
        chain_token(m->token, token.token);
        r.bidx = (struct schema_list){&token, 1};
    }
    if (m->link >= 0)
        r.links.case_id = r.links.process_id = chain_short(m->link);
    r.op.raw = chain_word(m->op);
    r.op.class_id = chain_short(m->class_id);
    r.log_type = RECORD_LOG_STRUCTURED;
    r.raw_commit = RECORD_SALTED;
    r.server = chain_short(m->server);
    r.service = chain_short(m->server + 1);
    r.org_unit = chain_short(m->unit);
    r.source.id = chain_short(m->source);
    r.source.seq = m->seq;
    r.time = m->time;
    r.raw_size = 300;
    memcpy(r.raw_hash, m->raw_hash, DIGEST_SIZE);
    memcpy(r.uid, m->uid, RECORD_UID_SIZE);
    entry_write(ENTRY_RECORD, &record_schema, &r, b);
}

static void chain_dead_letter(struct chain_made *m, struct buf *b) {
    struct dead_letter d = {.raw_commit = RECORD_SALTED,
                            .raw_size = 1,
                            .reason = slice_str("not JSON"),
                            .server = chain_short(m->server),
                            .service = chain_short(m->server + 1),
                            .source = {chain_short(m->source), m->seq}};
    memcpy(d.raw_hash, m->raw_hash, DIGEST_SIZE);
    memcpy(d.uid, m->uid, RECORD_UID_SIZE);
    entry_write(ENTRY_DEAD_LETTER, &dead_letter_schema, &d, b);
}

static void chain_make(struct chain *c, struct chain_made *m, bool records_only, int64_t block_time) {
    struct buf b;
    int i;
    uint64_t roll = chain_random(c, 20);
    memset(m, 0, sizeof *m);
    m->kind = records_only || roll > 2 ? ENTRY_RECORD : roll == 0 ? ENTRY_DEAD_LETTER : ENTRY_VERDICT;
    m->subject = chain_pick(c);
    m->subject_type = chain_pick(c);
    m->object_count = 1 + (int)chain_random(c, CHAIN_OBJECTS);
    for (i = 0; i < m->object_count; i++) {
        m->objects[i] = chain_pick(c);
        m->object_types[i] = chain_pick(c);
    }
    m->op = chain_pick(c);
    m->class_id = chain_pick(c);
    m->server = (int)chain_random(c, 4);
    m->unit = (int)chain_random(c, 3);
    m->source = (int)chain_random(c, 5);
    m->submitter = (int)chain_random(c, 3);
    m->token = chain_random(c, 4) ? -1 : chain_pick(c);
    m->link = chain_random(c, 4) ? -1 : chain_pick(c);
    m->seq = ++c->seqs[m->source];
    m->time = m->kind == ENTRY_RECORD ? block_time - (int64_t)chain_random(c, 5000) : block_time;
    for (i = 0; i < DIGEST_SIZE; i++)
        m->raw_hash[i] = (uint8_t)chain_random(c, 256);
    for (i = 0; i < RECORD_UID_SIZE; i++) /* a UUIDv7: time first */
        m->uid[i] = (uint8_t)(i < 6 ? (uint64_t)m->time >> (40 - 8 * i) : chain_random(c, 256));
    m->uid[15] |= 1;
    buf_init(&b, LIMIT_ENTRY);
    if (m->kind == ENTRY_RECORD)
        chain_record(m, &b);
    else if (m->kind == ENTRY_DEAD_LETTER)
        chain_dead_letter(m, &b);
    else
        buf_bytes(&b, "\x92\x06\x81\xa1n\x01", 6); /* [verdict, {"n": 1}] */
    m->bytes = buf_slice(&b);
    m->owner = b;
}

void chain_grow(struct chain *c, uint32_t n, bool records_only) {
    struct index_block *b;
    uint32_t i;
    if (c->block_count == c->block_cap) {
        c->block_cap *= 2;
        c->blocks = mem_realloc(c->blocks, c->block_cap * sizeof *c->blocks);
    }
    while (c->count + n > c->cap) {
        c->cap = c->cap ? c->cap * 2 : 1024;
        c->made = mem_realloc(c->made, c->cap * sizeof *c->made);
    }
    b = &c->blocks[c->block_count];
    *b = (struct index_block){.height = c->block_count,
                              .first = c->count,
                              .entries = n,
                              .time = 1700000000000 + (int64_t)c->block_count * 1000};
    b->hash = digest_tagged("block", slice_of(&b->height, sizeof b->height));
    for (i = 0; i < n; i++) {
        chain_make(c, &c->made[c->count], records_only, b->time);
        c->made[c->count++].height = b->height;
    }
    c->block_count++;
}

static enum err_code chain_tip(void *ctx, struct index_tip *out, struct err *e) {
    struct chain *c = ctx;
    (void)e;
    *out = (struct index_tip){c->block_count - 1, c->count};
    return ERR_OK;
}

static enum err_code chain_block(void *ctx, uint64_t height, struct index_block *out, struct err *e) {
    struct chain *c = ctx;
    if (height >= c->block_count)
        return err_set(e, ERR_NOT_FOUND, "no block");
    *out = c->blocks[height];
    return ERR_OK;
}

static enum err_code chain_entry(void *ctx, uint64_t number, struct index_entry *out, struct err *e) {
    struct chain *c = ctx;
    if (c->fail)
        return err_set(e, ERR_IO, "as told");
    if (number >= c->count)
        return err_set(e, ERR_NOT_FOUND, "no entry");
    out->number = number;
    out->height = c->made[number].height;
    out->block_time = c->blocks[out->height].time;
    out->bytes = c->made[number].bytes;
    chain_submitter(c->made[number].submitter, out->submitter);
    return ERR_OK;
}

struct index_source chain_source(struct chain *c) {
    return (struct index_source){c, chain_tip, chain_block, chain_entry};
}

static int chain_maybe(struct chain *c, uint64_t odds, int value) {
    return chain_random(c, odds) ? -1 : value;
}

/* About an entry that is there, mostly. */
void chain_ask(struct chain *c, struct chain_question *q) {
    const struct chain_made *m;
    uint64_t n = chain_random(c, c->count);
    int k;
    *q = (struct chain_question){-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, -1, -1};
    if (c->count == 0)
        return;
    m = &c->made[n];
    k = (int)chain_random(c, (uint64_t)m->object_count);
    q->subject = chain_maybe(c, 4, m->subject);
    q->subject_type = chain_maybe(c, 6, m->subject_type);
    q->object = chain_maybe(c, 4, m->objects[k]);
    q->object_type = chain_maybe(c, 6, m->object_types[k]);
    q->op = chain_maybe(c, 6, m->op);
    q->class_id = chain_maybe(c, 6, m->class_id);
    q->server = chain_maybe(c, 6, m->server);
    q->unit = chain_maybe(c, 8, m->unit);
    q->source = chain_maybe(c, 6, m->source);
    q->submitter = chain_maybe(c, 8, m->submitter);
    q->token = chain_maybe(c, 12, m->token);
    q->link = chain_maybe(c, 12, m->link);
    if (chain_random(c, 5) == 0)
        q->kinds = 1u << m->kind | (chain_random(c, 2) ? 1u << ENTRY_DEAD_LETTER : 0);
    if (q->source >= 0 && chain_random(c, 3) == 0 && m->kind != ENTRY_VERDICT)
        q->seq = m->seq;
    if (chain_random(c, 4) == 0)
        q->from = m->time - (int64_t)chain_random(c, 3000);
    if (chain_random(c, 4) == 0)
        q->to = m->time + 1 + (int64_t)chain_random(c, 3000);
    if (chain_random(c, 20) == 0)
        q->uid_of = (int64_t)n;
    if (chain_random(c, 20) == 0)
        q->hash_of = (int64_t)n;
}

struct query chain_query(const struct chain *c, const struct chain_question *a) {
    struct query q;
    memset(&q, 0, sizeof q);
    if (a->subject >= 0)
        q.subject_name = chain_word(a->subject);
    if (a->subject_type >= 0)
        q.subject_type = chain_short(a->subject_type);
    if (a->object >= 0)
        q.object_name = chain_word(a->object);
    if (a->object_type >= 0)
        q.object_type = chain_short(a->object_type);
    if (a->op >= 0)
        q.op = chain_word(a->op);
    if (a->class_id >= 0)
        q.class_id = chain_short(a->class_id);
    if (a->server >= 0) {
        q.server = chain_short(a->server);
        q.service = chain_short(a->server + 1);
    }
    if (a->unit >= 0)
        q.org_unit = chain_short(a->unit);
    if (a->source >= 0)
        q.source_id = chain_short(a->source);
    q.source_seq = a->seq;
    if (a->submitter >= 0)
        chain_submitter(a->submitter, q.submitter);
    if (a->token >= 0)
        chain_token(a->token, q.token);
    if (a->link >= 0)
        q.link_case = q.link_process = chain_short(a->link);
    q.kinds = a->kinds;
    q.from = a->from;
    q.to = a->to;
    if (a->uid_of >= 0)
        memcpy(q.uid, c->made[a->uid_of].uid, RECORD_UID_SIZE);
    if (a->hash_of >= 0)
        memcpy(q.raw_hash, c->made[a->hash_of].raw_hash, DIGEST_SIZE);
    return q;
}

static bool chain_object_there(const struct chain_made *m, const struct chain_question *q) {
    int i;
    for (i = 0; i < m->object_count; i++)
        if ((q->object < 0 || m->objects[i] == q->object) &&
            (q->object_type < 0 || m->object_types[i] % 8 == q->object_type % 8))
            return true;
    return q->object < 0 && q->object_type < 0;
}

bool chain_answer(const struct chain *c, const struct chain_question *q, uint64_t number) {
    const struct chain_made *m = &c->made[number];
    bool record = m->kind == ENTRY_RECORD, log = record || m->kind == ENTRY_DEAD_LETTER;
    if ((q->kinds && !(q->kinds >> m->kind & 1)) || (q->from && m->time < q->from) || (q->to && m->time >= q->to) ||
        (q->submitter >= 0 && m->submitter != q->submitter))
        return false;
    if ((q->server >= 0 && (!log || m->server != q->server)) || (q->source >= 0 && (!log || m->source != q->source)) ||
        (q->seq && m->seq != q->seq) || (q->uid_of >= 0 && (!log || number != (uint64_t)q->uid_of)) ||
        (q->hash_of >= 0 && (!log || number != (uint64_t)q->hash_of)))
        return false;
    if (!record)
        return q->subject < 0 && q->subject_type < 0 && q->object < 0 && q->object_type < 0 && q->op < 0 &&
               q->class_id < 0 && q->unit < 0 && q->token < 0 && q->link < 0;
    return (q->subject < 0 || m->subject == q->subject) &&
           (q->subject_type < 0 || m->subject_type % 8 == q->subject_type % 8) && chain_object_there(m, q) &&
           (q->op < 0 || m->op == q->op) && (q->class_id < 0 || m->class_id % 8 == q->class_id % 8) &&
           (q->unit < 0 || m->unit == q->unit) && (q->token < 0 || m->token == q->token) &&
           (q->link < 0 || (m->link >= 0 && m->link % 8 == q->link % 8));
}
