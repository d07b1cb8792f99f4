/* ledger/index_segment.c -- the table of live segments and the merging of neighbours. See index_inner.h, index.h.
 * Which are merged: at the lowest level L at which `fan` or more neighbours are of level <= L, that whole run (its
 * oldest part, if it would pass segment_entries). The level of a segment is log_fan of its entries; one that holds half
 * of segment_entries is done. So each entry is rewritten about once a level, and segments are few at every level. */
#include "ledger/index_inner.h"

#include <stdlib.h>

#include "wire/mem.h"

enum { SEGMENT_VALUE = 8 + 4 + 8 + 8 + 8 + 8, SEGMENT_RUN = 64, SEGMENT_DONE = 255, SEGMENT_MAX = 1 << 20 };

enum err_code index_segment_put(struct index_store *s, MDB_txn *txn, const struct index_segment *seg, struct err *e) {
    uint8_t key[8], v[SEGMENT_VALUE];
    unsigned i;
    index_store_be64(key, seg->id);
    index_store_be64(v, seg->first);
    for (i = 0; i < 4; i++)
        v[8 + i] = (uint8_t)(seg->count >> (24 - 8 * i));
    index_store_be64(v + 12, (uint64_t)seg->time_min);
    index_store_be64(v + 20, (uint64_t)seg->time_max);
    index_store_be64(v + 28, seg->terms);
    index_store_be64(v + 36, seg->bytes);
    return index_store_put(s, txn, INDEX_DB_SEGMENTS, slice_of(key, sizeof key), slice_of(v, sizeof v), 0, e);
}

enum err_code index_segment_delete(struct index_store *s, MDB_txn *txn, uint64_t id, struct err *e) {
    uint8_t key[8];
    MDB_val k = {sizeof key, key};
    int rc;
    index_store_be64(key, id);
    rc = mdb_del(txn, s->dbi[INDEX_DB_SEGMENTS], &k, NULL);
    return rc ? index_store_error(s, rc, "index: segments", e) : ERR_OK;
}

static int segment_order(const void *a, const void *b) {
    const struct index_segment *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static enum err_code segment_check(struct index_store *s, const struct index_segment *list, uint32_t n,
                                   uint64_t entries, struct err *e) {
    uint64_t at = 0;
    uint32_t i;
    for (i = 0; i < n; i++) {
        if (list[i].first != at || list[i].count == 0)
            break;
        at += list[i].count;
    }
    if (i == n && at == entries)
        return ERR_OK;
    atomic_store(&s->damaged, true);
    return err_set(e, ERR_CORRUPT, "index: its segments do not cover its entries");
}

enum err_code index_segment_list(struct index_store *s, MDB_txn *txn, uint64_t entries, struct index_segment **out,
                                 uint32_t *count, struct err *e) {
    MDB_cursor *c;
    MDB_val k, v;
    MDB_stat st;
    struct index_segment *list;
    struct slice value;
    enum err_code code = ERR_OK;
    uint32_t n = 0;
    int rc = mdb_stat(txn, s->dbi[INDEX_DB_SEGMENTS], &st);
    *out = NULL;
    *count = 0;
    if (rc || st.ms_entries > SEGMENT_MAX)
        return index_store_error(s, rc ? rc : MDB_CORRUPTED, "index: segments", e);
    if (!(list = mem_zalloc(st.ms_entries + 1, sizeof *list)))
        return err_set(e, ERR_NO_MEMORY, "index: list of segments");
    if ((rc = mdb_cursor_open(txn, s->dbi[INDEX_DB_SEGMENTS], &c))) {
        mem_free(list);
        return index_store_error(s, rc, "index: segments", e);
    }
    while (code == ERR_OK && n < st.ms_entries && (rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
        if ((code = index_store_verify(s, &k, &v, &value, e)) != ERR_OK)
            break;
        if (k.mv_size != 8 || value.len != SEGMENT_VALUE) {
            code = index_store_error(s, MDB_CORRUPTED, "index: segments", e);
            break;
        }
        list[n].id = buf_get64(k.mv_data);
        list[n].first = buf_get64(value.ptr);
        list[n].count = buf_get32(value.ptr + 8);
        list[n].time_min = (int64_t)buf_get64(value.ptr + 12);
        list[n].time_max = (int64_t)buf_get64(value.ptr + 20);
        list[n].terms = buf_get64(value.ptr + 28);
        list[n].bytes = buf_get64(value.ptr + 36);
        n++;
    }
    mdb_cursor_close(c);
    if (code == ERR_OK && rc && rc != MDB_NOTFOUND)
        code = index_store_error(s, rc, "index: segments", e);
    qsort(list, n, sizeof *list, segment_order);
    if (code == ERR_OK)
        code = segment_check(s, list, n, entries, e);
    if (code != ERR_OK) {
        mem_free(list);
        return code;
    }
    *out = list;
    *count = n;
    return ERR_OK;
}

static unsigned segment_level(const struct index_options *o, const struct index_segment *s) {
    unsigned level = 0;
    uint32_t n;
    if (s->count >= o->segment_entries / 2)
        return SEGMENT_DONE;
    for (n = s->count; n >= o->fan; n /= o->fan)
        level++;
    return level;
}

/* Finds what to merge: *at, *n. */
static bool segment_choose(const struct index_options *o, const struct index_segment *list, uint32_t count,
                           uint32_t *at, uint32_t *n) {
    unsigned level;
    uint32_t i, j;
    uint64_t sum;
    for (level = 0; level < 32; level++)
        for (i = 0; i < count; i = j + 1) {
            for (j = i; j < count && segment_level(o, &list[j]) <= level; j++)
                ;
            if (j - i < o->fan)
                continue;
            for (sum = 0, *n = 0; *n < SEGMENT_RUN && i + *n < j && sum + list[i + *n].count <= o->segment_entries;
                 ++*n)
                sum += list[i + *n].count;
            *at = i;
            return *n >= 2;
        }
    return false;
}

struct segment_merge {
    struct index_store *store;
    const struct index_segment *in;
    uint32_t n;
    struct index_pack_reader readers[SEGMENT_RUN];
    struct index_pack_writer out;
    struct index_post_writer list;
};

/* Appends one input's list, moved to the merged segment's numbers. */
static enum err_code merge_list(struct segment_merge *m, uint32_t i, struct err *e) {
    struct index_post p;
    uint32_t start, length, base = (uint32_t)(m->in[i].first - m->in[0].first);
    index_post_init(&p, m->readers[i].list, m->in[i].count);
    while (index_post_next(&p, &start, &length))
        if (!index_post_add(&m->list, base + start, length))
            return err_set(e, ERR_NO_MEMORY, "index: merging lists");
    return p.bad ? index_store_error(m->store, MDB_CORRUPTED, "index: a list", e) : ERR_OK;
}

static enum err_code merge_terms(struct segment_merge *m, struct err *e) {
    uint8_t least[INDEX_TERM_MAX];
    struct slice term;
    enum err_code code;
    uint32_t i, best;
    for (i = 0; i < m->n; i++)
        if ((code = index_pack_next(&m->readers[i], e)) != ERR_OK)
            return code;
    for (;;) {
        best = m->n;
        for (i = 0; i < m->n; i++)
            if (!m->readers[i].end &&
                (best == m->n || slice_cmp(slice_of(m->readers[i].term, m->readers[i].term_len),
                                           slice_of(m->readers[best].term, m->readers[best].term_len)) < 0))
                best = i;
        if (best == m->n)
            return index_pack_end(&m->out, e);
        term = slice_of(least, m->readers[best].term_len);
        memcpy(least, m->readers[best].term, term.len);
        m->list.count = m->list.end = m->list.run = m->list.len = 0;
        for (i = best; i < m->n; i++) {
            if (m->readers[i].end || !slice_eq(slice_of(m->readers[i].term, m->readers[i].term_len), term))
                continue;
            if ((code = merge_list(m, i, e)) != ERR_OK || (code = index_pack_next(&m->readers[i], e)) != ERR_OK)
                return code;
        }
        if (!index_post_finish(&m->list))
            return err_set(e, ERR_NO_MEMORY, "index: merging lists");
        if ((code = index_pack_add(&m->out, term, m->list.count, slice_of(m->list.ptr, m->list.len), e)) != ERR_OK)
            return code;
    }
}

static enum err_code merge_replace(struct segment_merge *m, MDB_txn *txn, uint64_t id, struct err *e) {
    struct index_segment seg = m->in[0];
    enum err_code code;
    uint32_t i;
    seg.id = id;
    for (i = 0; i < m->n; i++) {
        if (i)
            seg.count += m->in[i].count;
        seg.time_min = m->in[i].time_min < seg.time_min ? m->in[i].time_min : seg.time_min;
        seg.time_max = m->in[i].time_max > seg.time_max ? m->in[i].time_max : seg.time_max;
        if ((code = index_segment_delete(m->store, txn, m->in[i].id, e)) != ERR_OK ||
            (code = index_pack_drop(m->store, txn, m->in[i].id, e)) != ERR_OK)
            return code;
    }
    seg.terms = m->out.terms;
    seg.bytes = m->out.bytes;
    return index_segment_put(m->store, txn, &seg, e);
}

/* Reads through the view, writes in one transaction: terms of the merged segment, then the table. */
static enum err_code segment_merge(struct index_view *v, uint32_t at, uint32_t n, struct err *e) {
    struct index *ix = v->ix;
    struct segment_merge *m = mem_zalloc(1, sizeof *m);
    struct index_state state = v->state;
    MDB_txn *txn = NULL;
    enum err_code code = ERR_OK;
    uint32_t i;
    int rc;
    if (!m)
        return err_set(e, ERR_NO_MEMORY, "index: merging");
    m->store = &ix->store;
    m->in = v->segments + at;
    m->n = n;
    for (i = 0; i < n && code == ERR_OK; i++)
        code = index_pack_open(&m->readers[i], &ix->store, v->txn, m->in[i].id, e);
    if (code == ERR_OK && (rc = mdb_txn_begin(ix->store.env, NULL, 0, &txn)))
        code = index_store_error(&ix->store, rc, "index: merging", e);
    if (code != ERR_OK)
        goto out;
    index_pack_begin(&m->out, &ix->store, txn, state.next_segment);
    if ((code = merge_terms(m, e)) != ERR_OK || (code = merge_replace(m, txn, state.next_segment, e)) != ERR_OK)
        goto out;
    state.next_segment++;
    if ((code = index_store_set_state(&ix->store, txn, &state, e)) != ERR_OK)
        goto out;
    rc = mdb_txn_commit(txn);
    txn = NULL;
    if (rc)
        code = index_store_error(&ix->store, rc, "index: merging", e);
    else
        ix->state = state;
out:
    for (i = 0; i < n; i++)
        index_pack_close(&m->readers[i]);
    if (txn)
        mdb_txn_abort(txn);
    index_pack_release(&m->out);
    index_post_release(&m->list);
    mem_free(m);
    return code;
}

enum err_code index_merge_step(struct index *ix, bool *more, struct err *e) {
    struct index_view *v;
    enum err_code code = ERR_FULL;
    uint32_t at, n;
    *more = false;
    while (code == ERR_FULL) {
        if ((code = index_view_open(ix, &v, e)) != ERR_OK)
            return code;
        *more = segment_choose(&ix->options, v->segments, v->count, &at, &n);
        if (*more)
            code = segment_merge(v, at, n, e);
        index_view_close(v);
        if (code == ERR_FULL) {
            enum err_code grown = index_store_grow(&ix->store, e);
            if (grown != ERR_OK)
                return grown;
        }
    }
    if (code == ERR_CORRUPT) {
        index_mark_damaged(ix);
        *more = false;
        return ERR_OK; /* the next index_step starts anew */
    }
    return code;
}
