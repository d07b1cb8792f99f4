/* ledger/journal.c -- see journal.h. Key: epoch u64 ‖ view u64 ‖ type u8, big-endian. */
#include "ledger/journal.h"

enum { JOURNAL_KEY = 17, JOURNAL_NAME = 64 };

static struct slice journal_key_write(struct journal_key k, uint8_t out[JOURNAL_KEY]) {
    unsigned i;
    for (i = 0; i < 8; i++) {
        out[i] = (uint8_t)(k.epoch >> (56 - 8 * i));
        out[8 + i] = (uint8_t)(k.view >> (56 - 8 * i));
    }
    out[16] = k.type;
    return slice_of(out, JOURNAL_KEY);
}

static enum err_code journal_key_read(struct slice key, struct journal_key *out, struct err *e) {
    if (key.len != JOURNAL_KEY)
        return err_set(e, ERR_CORRUPT, "a consensus record's key of %zu bytes", key.len);
    *out = (struct journal_key){buf_get64(key.ptr), buf_get64(key.ptr + 8), key.ptr[16]};
    return ERR_OK;
}

enum err_code journal_put(struct store_txn *t, enum journal_table table, struct journal_key key, struct slice bytes,
                          struct err *e) {
    uint8_t k[JOURNAL_KEY];
    enum err_code code;
    if (bytes.len > JOURNAL_RECORD)
        return err_set(e, ERR_TOO_LARGE, "a consensus record of %zu bytes", bytes.len);
    code = store_put_new(t, (enum store_table)table, journal_key_write(key, k), bytes, e);
    if (code == ERR_CONFLICT)
        return err_set(e, code, "another record is stored for epoch %llu, view %llu, type %u",
                       (unsigned long long)key.epoch, (unsigned long long)key.view, key.type);
    return code;
}

static enum err_code journal_copy(enum err_code code, struct slice v, struct buf *out, struct err *e) {
    if (code != ERR_OK)
        return code;
    buf_clear(out);
    buf_append(out, v);
    return buf_check(out, e);
}

enum err_code journal_get(struct store_txn *t, enum journal_table table, struct journal_key key, struct buf *out,
                          struct err *e) {
    uint8_t k[JOURNAL_KEY];
    struct slice v = slice_none();
    return journal_copy(store_get(t, (enum store_table)table, journal_key_write(key, k), &v, e), v, out, e);
}

enum err_code journal_load(struct store_txn *t, enum journal_table table, uint64_t epoch, uint64_t view, journal_fn fn,
                           void *ctx, struct err *e) {
    uint8_t k[JOURNAL_KEY];
    struct slice from = journal_key_write((struct journal_key){epoch, view, UINT8_MAX}, k), key, v;
    for (;;) {
        struct journal_key at = {0, 0, 0};
        enum err_code code = store_seek(t, (enum store_table)table, STORE_ABOVE, from, &key, &v, e);
        if (code != ERR_OK)
            return code == ERR_NOT_FOUND ? ERR_OK : code;
        code = journal_key_read(key, &at, e);
        if (code == ERR_OK)
            code = fn(ctx, at, v, e);
        if (code != ERR_OK)
            return code;
        from = journal_key_write(at, k);
    }
}

enum err_code journal_prune(struct store_txn *t, enum journal_table table, uint64_t epoch, uint64_t view, unsigned most,
                            bool *left, struct err *e) {
    uint8_t k[JOURNAL_KEY];
    struct slice key;
    *left = false;
    for (;; most--) {
        struct journal_key at = {0, 0, 0};
        enum err_code code = store_seek(t, (enum store_table)table, STORE_AT_OR_ABOVE, slice_none(), &key, NULL, e);
        if (code == ERR_OK)
            code = journal_key_read(key, &at, e);
        if (code != ERR_OK)
            return code == ERR_NOT_FOUND ? ERR_OK : code;
        if (at.epoch > epoch || (at.epoch == epoch && at.view > view))
            return ERR_OK;
        *left = most == 0;
        if (*left)
            return ERR_OK;
        code = store_del(t, (enum store_table)table, journal_key_write(at, k), e);
        if (code != ERR_OK)
            return code;
    }
}

static enum err_code journal_name(const char *name, uint8_t out[JOURNAL_NAME], struct slice *key, struct err *e) {
    static const char prefix[] = "consensus/"; /* apart from the ledger's own small values */
    size_t n = strlen(name), p = sizeof prefix - 1;
    if (n == 0 || n + p > JOURNAL_NAME)
        return err_set(e, ERR_INTERNAL, "a value's name of %zu bytes", n);
    memcpy(out, prefix, p);
    memcpy(out + p, name, n);
    *key = slice_of(out, n + p);
    return ERR_OK;
}

enum err_code journal_set(struct store_txn *t, const char *name, struct slice bytes, struct err *e) {
    uint8_t k[JOURNAL_NAME];
    struct slice key;
    enum err_code code = journal_name(name, k, &key, e);
    if (code == ERR_OK && bytes.len > JOURNAL_VALUE)
        code = err_set(e, ERR_TOO_LARGE, "a value of %zu bytes", bytes.len);
    return code != ERR_OK ? code : store_put(t, STORE_META, key, bytes, e);
}

enum err_code journal_value(struct store_txn *t, const char *name, struct buf *out, struct err *e) {
    uint8_t k[JOURNAL_NAME];
    struct slice key, v = slice_none();
    enum err_code code = journal_name(name, k, &key, e);
    if (code == ERR_OK)
        code = store_get(t, STORE_META, key, &v, e);
    return journal_copy(code, v, out, e);
}
