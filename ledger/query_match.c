/* ledger/query_match.c -- decides on one entry, without the index. See query.h. */
#include "ledger/query_inner.h"

static bool match_text(struct slice asked, struct slice is) {
    return asked.len == 0 || slice_eq(asked, is);
}

static bool match_zero(const uint8_t *p, size_t n) {
    while (n)
        if (p[--n])
            return false;
    return true;
}

static bool match_fixed(const uint8_t *asked, const uint8_t *is, size_t n) {
    return match_zero(asked, n) || memcmp(asked, is, n) == 0;
}

static bool match_objects(const struct query *q, const struct record *r) {
    const struct record_object *o = r->objects.items;
    uint32_t i;
    if (q->object_name.len == 0 && q->object_type.len == 0)
        return true;
    for (i = 0; i < r->objects.count; i++)
        if (match_text(q->object_name, o[i].name) && match_text(q->object_type, o[i].type))
            return true;
    return false;
}

static bool match_token(const struct query *q, const struct record *r) {
    const struct record_token *t = r->bidx.items;
    uint32_t i;
    if (match_zero(q->token, RECORD_TOKEN_SIZE))
        return true;
    for (i = 0; i < r->bidx.count; i++)
        if (memcmp(q->token, t[i].token, RECORD_TOKEN_SIZE) == 0)
            return true;
    return false;
}

static bool match_record(const struct query *q, const struct record *r) {
    return match_text(q->subject_name, r->actor.name) && match_text(q->subject_type, r->actor.type) &&
           match_text(q->op, r->op.raw) && match_text(q->class_id, r->op.class_id) &&
           match_text(q->server, r->server) && match_text(q->service, r->service) &&
           match_text(q->org_unit, r->org_unit) && match_text(q->log_kind, r->log_kind) &&
           match_text(q->link_case, r->links.case_id) && match_text(q->link_event, r->links.event_id) &&
           match_text(q->link_process, r->links.process_id) && match_fixed(q->raw_hash, r->raw_hash, DIGEST_SIZE) &&
           match_fixed(q->uid, r->uid, RECORD_UID_SIZE) && match_objects(q, r) && match_token(q, r);
}

/* Does it ask for something that only records have? */
static bool match_needs_record(const struct query *q) {
    return q->subject_name.len || q->subject_type.len || q->op.len || q->class_id.len || q->org_unit.len ||
           q->log_kind.len || q->link_case.len || q->link_event.len || q->link_process.len || q->object_name.len ||
           q->object_type.len || !match_zero(q->token, RECORD_TOKEN_SIZE);
}

/* Does it ask for something that dead letters have too? */
static bool match_needs_log(const struct query *q) {
    return q->server.len || q->service.len || !match_zero(q->raw_hash, DIGEST_SIZE) ||
           !match_zero(q->uid, RECORD_UID_SIZE);
}

static bool match_dead_letter(const struct query *q, const struct dead_letter *d) {
    return match_text(q->server, d->server) && match_text(q->service, d->service) &&
           match_fixed(q->raw_hash, d->raw_hash, DIGEST_SIZE) && match_fixed(q->uid, d->uid, RECORD_UID_SIZE);
}

bool query_doc_matches(const struct query *q, const struct index_doc *d) {
    struct record_source source;
    if (q->kinds && !(q->kinds >> d->kind & 1))
        return false;
    if ((q->from && d->time < q->from) || (q->to && d->time >= q->to))
        return false;
    if (!match_fixed(q->submitter, d->entry->submitter, DIGEST_SIZE))
        return false;
    if (q->source_id.len && (!index_doc_source(d, &source) || !slice_eq(source.id, q->source_id) ||
                             (q->source_seq && source.seq != q->source_seq)))
        return false;
    if (d->is_record)
        return match_record(q, &d->u.record);
    if (match_needs_record(q))
        return false;
    return d->is_dead_letter ? match_dead_letter(q, &d->u.dead_letter) : !match_needs_log(q);
}

enum err_code query_matches(const struct query *q, const struct index_entry *entry, struct arena *a, bool *yes,
                            struct err *e) {
    struct index_doc d;
    enum err_code code = index_doc_read(entry, a, &d, e);
    *yes = code == ERR_OK && query_doc_matches(q, &d);
    return code;
}
