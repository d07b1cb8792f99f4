/* ledger/completeness.c -- reads what the index keeps of each source. See completeness.h. */
#include "ledger/completeness.h"

#include "ledger/index_inner.h"

/* Holes lie between contiguous and the ranges that came. `holes` has room for st->count. */
static void completeness_fill(const struct completeness_state *st, struct completeness_range *holes,
                              struct completeness *out) {
    uint64_t at = st->contiguous;
    uint32_t i;
    memset(out, 0, sizeof *out);
    memcpy(out->submitter, st->key, DIGEST_SIZE);
    out->source = slice_of(st->key + DIGEST_SIZE, st->key_len - DIGEST_SIZE);
    out->contiguous = st->contiguous;
    out->highest = st->highest;
    out->records = st->records;
    out->dead_letters = st->dead_letters;
    out->gap_declared = st->gap_declared;
    out->repeated = st->repeated;
    out->last_time = st->last_time == INT64_MIN ? 0 : st->last_time;
    out->missing = st->missing_dropped;
    out->holes_dropped = st->holes_dropped;
    out->holes = holes;
    for (i = 0; i < st->count; i++) {
        holes[i] = (struct completeness_range){at + 1, st->ranges[i].first - 1};
        out->missing += holes[i].last - holes[i].first + 1;
        at = st->ranges[i].last;
    }
    out->hole_count = st->count;
}

enum err_code completeness_list(struct index_view *v, completeness_fn *each, void *ctx, struct err *e) {
    struct completeness_range holes[COMPLETENESS_RANGES];
    struct completeness_state st;
    struct completeness c;
    struct index_store *s = &v->ix->store;
    MDB_cursor *cursor;
    MDB_val k, value;
    struct slice bytes;
    enum err_code code = ERR_OK;
    bool go = true;
    int rc;
    if (!v->txn)
        return ERR_OK;
    if ((rc = mdb_cursor_open(v->txn, s->dbi[INDEX_DB_SOURCES], &cursor)))
        return index_store_error(s, rc, "index: cursor", e);
    while (go && code == ERR_OK && (rc = mdb_cursor_get(cursor, &k, &value, MDB_NEXT)) == 0) {
        memset(&st, 0, sizeof st);
        if ((code = index_store_verify(s, &k, &value, &bytes, e)) == ERR_OK &&
            (code = completeness_state_read(slice_of(k.mv_data, k.mv_size), bytes, &st, e)) == ERR_OK) {
            completeness_fill(&st, holes, &c);
            go = each(ctx, &c);
        }
        completeness_state_release(&st);
    }
    mdb_cursor_close(cursor);
    return code != ERR_OK || !go || rc == MDB_NOTFOUND ? code : index_store_error(s, rc, "index: sources", e);
}

enum err_code completeness_get(struct index_view *v, const uint8_t submitter[DIGEST_SIZE], struct slice source,
                               struct arena *a, struct completeness *out, struct err *e) {
    uint8_t key[COMPLETENESS_KEY];
    struct completeness_state st;
    struct completeness_range *holes;
    struct slice value;
    enum err_code code;
    if (!v->txn || source.len > COMPLETENESS_KEY - DIGEST_SIZE)
        return err_set(e, ERR_NOT_FOUND, "no such source");
    memcpy(key, submitter, DIGEST_SIZE);
    if (source.len)
        memcpy(key + DIGEST_SIZE, source.ptr, source.len);
    if ((code = index_store_get(&v->ix->store, v->txn, INDEX_DB_SOURCES, slice_of(key, DIGEST_SIZE + source.len),
                                &value, e)) != ERR_OK)
        return code;
    memset(&st, 0, sizeof st);
    if ((code = completeness_state_read(slice_of(key, DIGEST_SIZE + source.len), value, &st, e)) == ERR_OK) {
        holes = arena_alloc(a, st.count + 1, sizeof *holes);
        if (!holes) {
            code = err_set(e, ERR_NO_MEMORY, "holes of a source");
        } else {
            completeness_fill(&st, holes, out);
            out->source = arena_copy(a, source);
        }
    }
    completeness_state_release(&st);
    return code;
}
