/* ledger/index_terms.c -- see index_terms.h. */
#include "ledger/index_terms.h"

/* Room for the lists of any record: 16 KiB of packed pairs become at most 175 KiB of slices. Taken once, so that a
 * failure to decode later is the entry's fault and never the heap's. */
enum { TERMS_ROOM = 256 << 10 };

static void term_parts(struct index_term *t, enum index_field field, struct slice a, struct slice b, struct slice c) {
    struct digest_state s;
    struct digest d;
    if (a.len + b.len + c.len > INDEX_TERM_VALUE) {
        digest_init(&s);
        digest_update(&s, a);
        digest_update(&s, b);
        digest_update(&s, c);
        digest_final(&s, &d);
        t->bytes[0] = (uint8_t)(field + 128);
        memcpy(t->bytes + 1, d.b, DIGEST_SIZE);
        t->len = 1 + DIGEST_SIZE;
        return;
    }
    t->bytes[0] = (uint8_t)field;
    t->len = 1;
    if (a.len)
        memcpy(t->bytes + t->len, a.ptr, a.len);
    t->len += a.len;
    if (b.len)
        memcpy(t->bytes + t->len, b.ptr, b.len);
    t->len += b.len;
    if (c.len)
        memcpy(t->bytes + t->len, c.ptr, c.len);
    t->len += c.len;
}

void index_term_make(struct index_term *t, enum index_field field, struct slice value) {
    if (field == INDEX_UID && value.len > INDEX_TERM_UID)
        value.len = INDEX_TERM_UID;
    if (field == INDEX_RAW_HASH && value.len > INDEX_TERM_HASH)
        value.len = INDEX_TERM_HASH;
    term_parts(t, field, value, slice_none(), slice_none());
}

/* A length past 255 can only be asked for, never be there; its low byte does no harm. */
void index_term_pair(struct index_term *t, enum index_field field, struct slice type, struct slice name) {
    uint8_t len = (uint8_t)type.len;
    term_parts(t, field, slice_of(&len, 1), type, name);
}

void index_term_source(struct index_term *t, struct slice id, uint64_t seq) {
    uint8_t len = (uint8_t)id.len, be[8];
    unsigned i;
    for (i = 0; i < 8; i++)
        be[i] = (uint8_t)(seq >> (56 - 8 * i));
    term_parts(t, INDEX_SOURCE_SEQ, slice_of(&len, 1), id, slice_of(be, 8));
}

void index_term_kind(struct index_term *t, enum entry_kind kind) {
    uint8_t k = (uint8_t)kind;
    index_term_make(t, INDEX_KIND, slice_of(&k, 1));
}

enum err_code index_doc_read(const struct index_entry *entry, struct arena *a, struct index_doc *out, struct err *e) {
    struct entry split;
    enum err_code rc;
    if (!a->chunks && !arena_alloc(a, 1, TERMS_ROOM))
        return err_set(e, ERR_NO_MEMORY, "index: decoding an entry");
    arena_clear(a);
    rc = entry_read(entry->bytes, &split, e);
    out->entry = entry;
    out->kind = ENTRY_NONE;
    out->time = entry->block_time;
    out->is_record = out->is_dead_letter = out->is_gap = false;
    if (rc != ERR_OK)
        return ERR_OK;
    out->kind = split.kind;
    if (split.kind == ENTRY_RECORD) {
        rc = record_read(split.body, a, &out->u.record, e);
        out->is_record = rc == ERR_OK;
        if (out->is_record)
            out->time = out->u.record.time;
    } else if (split.kind == ENTRY_DEAD_LETTER) {
        rc = schema_read(&dead_letter_schema, split.body, a, &out->u.dead_letter, e);
        out->is_dead_letter = rc == ERR_OK;
    } else if (split.kind == ENTRY_GAP) {
        rc = schema_read(&gap_schema, split.body, a, &out->u.gap, e);
        out->is_gap = rc == ERR_OK;
        if (out->is_gap)
            out->time = out->u.gap.time;
    }
    return ERR_OK;
}

bool index_doc_source(const struct index_doc *d, struct record_source *out) {
    if (d->is_record)
        *out = d->u.record.source;
    else if (d->is_dead_letter)
        *out = d->u.dead_letter.source;
    else if (d->is_gap)
        *out = (struct record_source){.id = d->u.gap.source};
    else
        return false;
    return true;
}

struct terms_out {
    index_term_fn *each;
    void *ctx;
    bool ok;
};

static void terms_emit(struct terms_out *o, const struct index_term *t) {
    if (o->ok)
        o->ok = o->each(o->ctx, slice_of(t->bytes, t->len));
}

static void terms_value(struct terms_out *o, enum index_field field, struct slice value) {
    struct index_term t;
    if (value.len == 0)
        return;
    index_term_make(&t, field, value);
    terms_emit(o, &t);
}

static void terms_thing(struct terms_out *o, enum index_field pair, struct slice type, struct slice name) {
    struct index_term t;
    index_term_pair(&t, pair, type, name);
    terms_emit(o, &t);
    terms_value(o, pair + 1, name);
    terms_value(o, pair + 2, type);
}

static void terms_source(struct terms_out *o, const struct record_source *s) {
    struct index_term t;
    terms_value(o, INDEX_SOURCE, s->id);
    if (s->seq == 0)
        return;
    index_term_source(&t, s->id, s->seq);
    terms_emit(o, &t);
}

static void terms_record(struct terms_out *o, const struct record *r) {
    const struct record_object *objects = r->objects.items;
    const struct record_token *tokens = r->bidx.items;
    uint32_t i;
    terms_thing(o, INDEX_SUBJECT, r->actor.type, r->actor.name);
    for (i = 0; i < r->objects.count; i++)
        terms_thing(o, INDEX_OBJECT, objects[i].type, objects[i].name);
    for (i = 0; i < r->bidx.count; i++)
        terms_value(o, INDEX_TOKEN, slice_of(tokens[i].token, RECORD_TOKEN_SIZE));
    terms_value(o, INDEX_OP, r->op.raw);
    terms_value(o, INDEX_CLASS, r->op.class_id);
    terms_value(o, INDEX_SERVER, r->server);
    terms_value(o, INDEX_SERVICE, r->service);
    terms_value(o, INDEX_ORG_UNIT, r->org_unit);
    terms_value(o, INDEX_RAW_HASH, slice_of(r->raw_hash, DIGEST_SIZE));
    terms_value(o, INDEX_UID, slice_of(r->uid, RECORD_UID_SIZE));
    terms_value(o, INDEX_LOG_KIND, r->log_kind);
    terms_value(o, INDEX_LINK_CASE, r->links.case_id);
    terms_value(o, INDEX_LINK_EVENT, r->links.event_id);
    terms_value(o, INDEX_LINK_PROCESS, r->links.process_id);
}

bool index_doc_terms(const struct index_doc *d, index_term_fn *each, void *ctx) {
    struct terms_out o = {each, ctx, true};
    struct record_source source;
    struct index_term t;
    index_term_kind(&t, d->kind);
    terms_emit(&o, &t);
    terms_value(&o, INDEX_SUBMITTER, slice_of(d->entry->submitter, DIGEST_SIZE));
    if (d->is_record)
        terms_record(&o, &d->u.record);
    if (d->is_dead_letter) {
        terms_value(&o, INDEX_SERVER, d->u.dead_letter.server);
        terms_value(&o, INDEX_SERVICE, d->u.dead_letter.service);
        terms_value(&o, INDEX_RAW_HASH, slice_of(d->u.dead_letter.raw_hash, DIGEST_SIZE));
        terms_value(&o, INDEX_UID, slice_of(d->u.dead_letter.uid, RECORD_UID_SIZE));
    }
    if (index_doc_source(d, &source))
        terms_source(&o, &source);
    return o.ok;
}
