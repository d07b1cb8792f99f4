/* ledger/query_plan.c -- from a query to the entries of a segment that can answer it. See query_inner.h.
 * The shortest list is decoded, the others only filter it, then the kinds, then the times. */
#include "ledger/query_inner.h"

#include "wire/mem.h"

static void plan_text(struct query_plan *p, enum index_field field, struct slice value) {
    if (value.len == 0)
        return;
    ERR_ASSERT(p->count < QUERY_TERMS);
    index_term_make(&p->terms[p->count++], field, value);
}

static void plan_fixed(struct query_plan *p, enum index_field field, const uint8_t *value, size_t len) {
    size_t i;
    for (i = 0; i < len && value[i] == 0; i++)
        ;
    if (i < len)
        plan_text(p, field, slice_of(value, len));
}

static void plan_thing(struct query_plan *p, enum index_field pair, struct slice type, struct slice name) {
    if (type.len && name.len)
        index_term_pair(&p->terms[p->count++], pair, type, name);
    else if (name.len)
        plan_text(p, pair + 1, name);
    else if (type.len)
        plan_text(p, pair + 2, type);
}

void query_plan_make(const struct query *q, struct query_plan *p) {
    memset(p, 0, sizeof *p);
    p->q = q;
    p->kinds = q->kinds;
    p->timed = q->from || q->to;
    plan_fixed(p, INDEX_UID, q->uid, RECORD_UID_SIZE);
    plan_fixed(p, INDEX_RAW_HASH, q->raw_hash, DIGEST_SIZE);
    p->lossy = p->count > 0;
    plan_fixed(p, INDEX_TOKEN, q->token, RECORD_TOKEN_SIZE);
    plan_fixed(p, INDEX_SUBMITTER, q->submitter, DIGEST_SIZE);
    plan_thing(p, INDEX_SUBJECT, q->subject_type, q->subject_name);
    plan_thing(p, INDEX_OBJECT, q->object_type, q->object_name);
    plan_text(p, INDEX_OP, q->op);
    plan_text(p, INDEX_CLASS, q->class_id);
    plan_text(p, INDEX_SERVER, q->server);
    plan_text(p, INDEX_SERVICE, q->service);
    plan_text(p, INDEX_ORG_UNIT, q->org_unit);
    plan_text(p, INDEX_LOG_KIND, q->log_kind);
    plan_text(p, INDEX_LINK_CASE, q->link_case);
    plan_text(p, INDEX_LINK_EVENT, q->link_event);
    plan_text(p, INDEX_LINK_PROCESS, q->link_process);
    if (q->source_id.len && q->source_seq)
        index_term_source(&p->terms[p->count++], q->source_id, q->source_seq);
    else
        plan_text(p, INDEX_SOURCE, q->source_id);
}

void query_candidates_release(struct query_candidates *c) {
    mem_free(c->offsets);
    mem_free(c->bits);
    memset(c, 0, sizeof *c);
}

static bool candidates_room(struct query_candidates *c, uint32_t need) {
    uint32_t *grown;
    if (need <= c->cap)
        return true;
    if (!(grown = mem_realloc(c->offsets, need * sizeof *grown)))
        return false;
    c->offsets = grown;
    c->cap = need;
    return true;
}

struct plan_list {
    uint32_t count;
    struct slice bytes;
};

static void candidates_all(struct query_candidates *c, uint32_t n) {
    for (c->count = 0; c->count < n; c->count++)
        c->offsets[c->count] = c->count;
}

static bool candidates_decode(struct query_candidates *c, const struct plan_list *l, uint32_t limit) {
    struct index_post p;
    uint32_t start, length;
    c->count = 0;
    index_post_init(&p, l->bytes, limit);
    while (index_post_next(&p, &start, &length))
        while (length-- && c->count < l->count)
            c->offsets[c->count++] = start++;
    return !p.bad && c->count == l->count;
}

/* Keeps what is in the list too: both ascend. */
static bool candidates_filter(struct query_candidates *c, const struct plan_list *l, uint32_t limit) {
    struct index_post p;
    uint32_t start, length, in = 0, kept = 0;
    index_post_init(&p, l->bytes, limit);
    while (in < c->count && index_post_next(&p, &start, &length)) {
        while (in < c->count && c->offsets[in] < start)
            in++;
        while (in < c->count && c->offsets[in] - start < length)
            c->offsets[kept++] = c->offsets[in++];
    }
    c->count = kept;
    return !p.bad;
}

static enum err_code candidates_bad(struct index_view *v, struct err *e) {
    index_mark_damaged(v->ix);
    return err_set(e, ERR_CORRUPT, "index: a list is malformed");
}

static enum err_code candidates_kinds(struct query_candidates *c, const struct query_plan *p, struct index_view *v,
                                      const struct index_segment *seg, struct err *e) {
    size_t words = ((size_t)seg->count + 63) / 64;
    struct index_term term;
    struct plan_list l;
    struct index_post post;
    uint32_t kind, start, length, i, kept = 0;
    enum err_code code;
    uint64_t *grown;
    if (words > c->bits_cap) {
        if (!(grown = mem_realloc(c->bits, words * sizeof *grown)))
            return err_set(e, ERR_NO_MEMORY, "query");
        c->bits = grown;
        c->bits_cap = words;
    }
    memset(c->bits, 0, words * sizeof c->bits[0]);
    for (kind = 0; kind < 32; kind++) {
        if (!(p->kinds >> kind & 1))
            continue;
        index_term_kind(&term, (enum entry_kind)kind);
        code =
            index_pack_find(&v->ix->store, v->cursor, seg->id, slice_of(term.bytes, term.len), &l.count, &l.bytes, e);
        if (code == ERR_NOT_FOUND)
            continue;
        if (code != ERR_OK)
            return code;
        index_post_init(&post, l.bytes, seg->count);
        while (index_post_next(&post, &start, &length))
            for (; length; length--, start++)
                c->bits[start / 64] |= UINT64_C(1) << (start % 64);
        if (post.bad)
            return candidates_bad(v, e);
    }
    for (i = 0; i < c->count; i++)
        if (c->bits[c->offsets[i] / 64] >> (c->offsets[i] % 64) & 1)
            c->offsets[kept++] = c->offsets[i];
    c->count = kept;
    return ERR_OK;
}

static enum err_code candidates_times(struct query_candidates *c, const struct query *q, struct index_view *v,
                                      const struct index_segment *seg, struct err *e) {
    uint32_t i, kept = 0;
    int64_t t;
    enum err_code code;
    if ((!q->from || seg->time_min >= q->from) && (!q->to || seg->time_max < q->to))
        return ERR_OK;
    for (i = 0; i < c->count; i++) {
        if ((code = index_view_time(v, seg->first + c->offsets[i], &t, e)) != ERR_OK)
            return code == ERR_NOT_FOUND ? candidates_bad(v, e) : code;
        if ((!q->from || t >= q->from) && (!q->to || t < q->to))
            c->offsets[kept++] = c->offsets[i];
    }
    c->count = kept;
    return ERR_OK;
}

enum err_code query_candidates_find(struct query_candidates *c, const struct query_plan *p, struct index_view *v,
                                    uint32_t at, struct err *e) {
    const struct index_segment *seg = &v->segments[at];
    struct plan_list lists[QUERY_TERMS];
    unsigned i, best = 0;
    enum err_code code;
    c->count = 0;
    if ((p->q->from && seg->time_max < p->q->from) || (p->q->to && seg->time_min >= p->q->to))
        return ERR_OK;
    for (i = 0; i < p->count; i++) {
        code = index_pack_find(&v->ix->store, v->cursor, seg->id, slice_of(p->terms[i].bytes, p->terms[i].len),
                               &lists[i].count, &lists[i].bytes, e);
        if (code == ERR_NOT_FOUND)
            return ERR_OK;
        if (code != ERR_OK)
            return code;
        if (lists[i].count < lists[best].count)
            best = i;
    }
    if (p->count && lists[best].count > seg->count)
        return candidates_bad(v, e);
    if (!candidates_room(c, p->count ? lists[best].count : seg->count))
        return err_set(e, ERR_NO_MEMORY, "query");
    if (p->count == 0)
        candidates_all(c, seg->count);
    else if (!candidates_decode(c, &lists[best], seg->count))
        return candidates_bad(v, e);
    for (i = 0; i < p->count; i++)
        if (i != best && c->count && !candidates_filter(c, &lists[i], seg->count))
            return candidates_bad(v, e);
    if (p->kinds && c->count && (code = candidates_kinds(c, p, v, seg, e)) != ERR_OK)
        return code;
    return p->timed && c->count ? candidates_times(c, p->q, v, seg, e) : ERR_OK;
}
