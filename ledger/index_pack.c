/* ledger/index_pack.c -- see index_pack.h. */
#include "ledger/index_pack.h"

enum { PACK_PAGE = INDEX_STORE_VALUE - INDEX_STORE_CHECK, PACK_HEAD = 4 * INDEX_POST_VARINT, PACK_MAX = 16 << 20 };

void index_pack_begin(struct index_pack_writer *w, struct index_store *s, MDB_txn *txn, uint64_t segment) {
    memset(w, 0, sizeof *w);
    w->store = s;
    w->txn = txn;
    w->segment = segment;
    buf_init(&w->value, PACK_MAX);
}

enum err_code index_pack_end(struct index_pack_writer *w, struct err *e) {
    enum err_code code;
    if (w->value.failed) /* PACK_MAX is out of reach: a list has at most 5 bytes for each entry */
        return err_set(e, ERR_NO_MEMORY, "index: packing terms");
    if (w->value.len == 0)
        return ERR_OK;
    code = index_store_put(w->store, w->txn, INDEX_DB_TERMS, slice_of(w->key, w->key_len), buf_slice(&w->value),
                           MDB_APPEND, e);
    w->bytes += w->key_len + w->value.len + INDEX_STORE_CHECK;
    buf_clear(&w->value);
    return code;
}

void index_pack_release(struct index_pack_writer *w) {
    buf_release(&w->value);
}

enum err_code index_pack_add(struct index_pack_writer *w, struct slice term, uint32_t count, struct slice list,
                             struct err *e) {
    uint8_t head[PACK_HEAD];
    size_t n, shared = 0, most = term.len < w->last_len ? term.len : w->last_len;
    enum err_code code;
    if (w->value.len && w->value.len + term.len + list.len + 8 > PACK_PAGE && (code = index_pack_end(w, e)) != ERR_OK)
        return code;
    if (w->value.len == 0) {
        index_store_be64(w->key, w->segment);
        memcpy(w->key + 8, term.ptr, term.len);
        w->key_len = 8 + term.len;
    } else {
        while (shared < most && w->last[shared] == term.ptr[shared])
            shared++;
    }
    n = index_post_put(head, shared);
    n += index_post_put(head + n, term.len - shared);
    buf_bytes(&w->value, head, n);
    buf_append(&w->value, slice_from(term, shared));
    n = index_post_put(head, count);
    if (count > 1)
        n += index_post_put(head + n, list.len);
    buf_bytes(&w->value, head, n);
    buf_append(&w->value, list);
    memcpy(w->last, term.ptr, term.len);
    w->last_len = term.len;
    w->terms++;
    return w->value.failed ? err_set(e, ERR_NO_MEMORY, "index: packing terms") : ERR_OK;
}

/* Next term of a value; *term holds the one before. */
static bool pack_take(struct slice *rest, uint8_t *term, size_t *term_len, uint32_t *count, struct slice *list) {
    uint64_t shared, len, n, list_len;
    struct slice before;
    if (!index_post_get(rest, &shared) || !index_post_get(rest, &len) || shared > *term_len ||
        len > INDEX_TERM_MAX - shared || len > rest->len || shared + len == 0)
        return false;
    memcpy(term + shared, rest->ptr, (size_t)len);
    *term_len = (size_t)(shared + len);
    *rest = slice_from(*rest, (size_t)len);
    if (!index_post_get(rest, &n) || n == 0 || n > UINT32_MAX)
        return false;
    *count = (uint32_t)n;
    before = *rest;
    if (n == 1) {
        if (!index_post_get(rest, &list_len))
            return false;
        *list = slice_of(before.ptr, before.len - rest->len);
        return true;
    }
    if (!index_post_get(rest, &list_len) || list_len > rest->len)
        return false;
    *list = slice_of(rest->ptr, (size_t)list_len);
    *rest = slice_from(*rest, (size_t)list_len);
    return true;
}

static enum err_code pack_bad(struct index_store *s, struct err *e) {
    atomic_store(&s->damaged, true);
    return err_set(e, ERR_CORRUPT, "index: a packed value is malformed");
}

static bool pack_in_segment(const MDB_val *k, uint64_t segment) {
    return k->mv_size > 8 && buf_get64(k->mv_data) == segment;
}

enum err_code index_pack_open(struct index_pack_reader *r, struct index_store *s, MDB_txn *txn, uint64_t segment,
                              struct err *e) {
    uint8_t key[8];
    MDB_val k = {sizeof key, key}, v;
    int rc;
    memset(r, 0, sizeof *r);
    r->store = s;
    r->segment = segment;
    if ((rc = mdb_cursor_open(txn, s->dbi[INDEX_DB_TERMS], &r->cursor)))
        return index_store_error(s, rc, "index: cursor", e);
    index_store_be64(key, segment);
    rc = mdb_cursor_get(r->cursor, &k, &v, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND || (rc == 0 && !pack_in_segment(&k, segment)))
        r->end = true;
    else if (rc)
        return index_store_error(s, rc, "index: segment", e);
    else
        return index_store_verify(s, &k, &v, &r->rest, e);
    return ERR_OK;
}

enum err_code index_pack_next(struct index_pack_reader *r, struct err *e) {
    MDB_val k, v;
    enum err_code code;
    int rc;
    if (r->end)
        return ERR_OK;
    if (r->rest.len == 0) {
        rc = mdb_cursor_get(r->cursor, &k, &v, MDB_NEXT);
        if (rc == MDB_NOTFOUND || (rc == 0 && !pack_in_segment(&k, r->segment))) {
            r->end = true;
            return ERR_OK;
        }
        if (rc)
            return index_store_error(r->store, rc, "index: segment", e);
        if ((code = index_store_verify(r->store, &k, &v, &r->rest, e)) != ERR_OK)
            return code;
        r->term_len = 0;
    }
    if (!pack_take(&r->rest, r->term, &r->term_len, &r->count, &r->list))
        return pack_bad(r->store, e);
    return ERR_OK;
}

void index_pack_close(struct index_pack_reader *r) {
    if (r->cursor)
        mdb_cursor_close(r->cursor);
    r->cursor = NULL;
}

enum err_code index_pack_find(struct index_store *s, MDB_cursor *cursor, uint64_t segment, struct slice term,
                              uint32_t *count, struct slice *list, struct err *e) {
    uint8_t key[8 + INDEX_TERM_MAX], at[INDEX_TERM_MAX];
    MDB_val k = {8 + term.len, key}, v;
    struct slice rest;
    size_t at_len = 0;
    enum err_code code;
    int rc, order;
    index_store_be64(key, segment);
    memcpy(key + 8, term.ptr, term.len);
    rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
    else if (rc == 0 && (k.mv_size != 8 + term.len || memcmp(k.mv_data, key, k.mv_size) != 0))
        rc = mdb_cursor_get(cursor, &k, &v, MDB_PREV);
    if (rc == MDB_NOTFOUND || (rc == 0 && !pack_in_segment(&k, segment)))
        return err_set(e, ERR_NOT_FOUND, "index: no such term");
    if (rc)
        return index_store_error(s, rc, "index: term", e);
    if ((code = index_store_verify(s, &k, &v, &rest, e)) != ERR_OK)
        return code;
    while (rest.len) {
        if (!pack_take(&rest, at, &at_len, count, list))
            return pack_bad(s, e);
        order = slice_cmp(slice_of(at, at_len), term);
        if (order == 0)
            return ERR_OK;
        if (order > 0)
            break;
    }
    return err_set(e, ERR_NOT_FOUND, "index: no such term");
}

enum err_code index_pack_drop(struct index_store *s, MDB_txn *txn, uint64_t segment, struct err *e) {
    uint8_t key[8];
    MDB_val k = {sizeof key, key}, v;
    MDB_cursor *c;
    int rc = mdb_cursor_open(txn, s->dbi[INDEX_DB_TERMS], &c);
    if (rc)
        return index_store_error(s, rc, "index: cursor", e);
    index_store_be64(key, segment);
    rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
    while (rc == 0 && pack_in_segment(&k, segment)) {
        if ((rc = mdb_cursor_del(c, 0)))
            break;
        rc = mdb_cursor_get(c, &k, &v, MDB_NEXT); /* after a deletion: the one that moved up */
    }
    mdb_cursor_close(c);
    return rc && rc != MDB_NOTFOUND ? index_store_error(s, rc, "index: dropping a segment", e) : ERR_OK;
}
