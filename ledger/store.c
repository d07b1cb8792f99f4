/* ledger/store.c -- see store.h: checksums (S1), insert-if-absent and poisoning (S3), common to both stores. */
#include "ledger/store_impl.h"

#include "wire/digest.h"

const char *store_table_name(enum store_table table) {
    switch (table) {
#define STORE_NAME(name, value, text)                                                                                  \
    case STORE_##name:                                                                                                 \
        return text;
        STORE_TABLES(STORE_NAME)
#undef STORE_NAME
    }
    return "unknown";
}

static void store_checksum(enum store_table table, struct slice key, struct slice value, uint8_t out[STORE_CHECKSUM]) {
    struct digest_state s;
    struct digest d;
    uint8_t head[2] = {(uint8_t)table, (uint8_t)key.len}; /* the length parts key from value */
    digest_init(&s);
    digest_update(&s, slice_of(head, sizeof head));
    digest_update(&s, key);
    digest_update(&s, value);
    digest_final(&s, &d);
    memcpy(out, d.b, STORE_CHECKSUM);
}

static enum err_code store_open_raw(enum store_table table, struct slice key, struct slice raw, struct slice *value,
                                    struct err *e) {
    uint8_t sum[STORE_CHECKSUM];
    struct slice v;
    if (raw.len < STORE_CHECKSUM)
        return err_set(e, ERR_CORRUPT, "a value of table %s is cut short", store_table_name(table));
    v = slice_of(raw.ptr, raw.len - STORE_CHECKSUM);
    store_checksum(table, key, v, sum);
    if (memcmp(sum, raw.ptr + v.len, STORE_CHECKSUM) != 0)
        return err_set(e, ERR_CORRUPT, "a value of table %s fails its checksum", store_table_name(table));
    *value = v;
    return ERR_OK;
}

static enum err_code store_usable(const struct store *s, struct err *e) {
    enum err_code code = (enum err_code)atomic_load(&s->poison);
    if (code != ERR_OK)
        return err_set(e, code, "the store stopped after a failed commit; restart the node");
    return ERR_OK;
}

static enum err_code store_writable(const struct store_txn *t, struct slice key, struct err *e) {
    ERR_ASSERT(t->write);
    ERR_ASSERT(key.len > 0 && key.len <= STORE_KEY_MAX);
    return store_usable(t->store, e);
}

void store_close(struct store *s) {
    if (!s)
        return;
    ERR_ASSERT(!s->writing);
    s->ops->close(s);
}

bool store_poisoned(const struct store *s) {
    return atomic_load(&s->poison) != ERR_OK;
}

enum err_code store_begin_write(struct store *s, struct store_txn **out, struct err *e) {
    enum err_code code = store_usable(s, e);
    if (code != ERR_OK)
        return code;
    if (s->writing)
        return err_set(e, ERR_BUSY, "a write transaction is open");
    code = s->ops->begin(s, true, out, e);
    s->writing = code == ERR_OK;
    return code;
}

enum err_code store_begin_read(struct store *s, struct store_txn **out, struct err *e) {
    enum err_code code = store_usable(s, e);
    return code != ERR_OK ? code : s->ops->begin(s, false, out, e);
}

enum err_code store_commit(struct store_txn *t, struct err *e) {
    struct store *s = t->store;
    enum err_code code = store_usable(s, e);
    ERR_ASSERT(t->write);
    s->writing = false;
    if (code != ERR_OK) {
        s->ops->abort(t);
        return code;
    }
    code = s->ops->commit(t, e);
    if (code != ERR_OK)
        atomic_store(&s->poison, (int)code);
    return code;
}

void store_abort(struct store_txn *t) {
    if (!t)
        return;
    if (t->write)
        t->store->writing = false;
    t->store->ops->abort(t);
}

enum err_code store_get(struct store_txn *t, enum store_table table, struct slice key, struct slice *value,
                        struct err *e) {
    struct slice raw;
    enum err_code code = store_usable(t->store, e);
    if (code == ERR_OK)
        code = t->store->ops->get(t, table, key, &raw, e);
    return code != ERR_OK ? code : store_open_raw(table, key, raw, value, e);
}

static enum err_code store_write(struct store_txn *t, enum store_table table, struct slice key, struct slice value,
                                 bool append, struct err *e) {
    uint8_t sum[STORE_CHECKSUM];
    enum err_code code = store_writable(t, key, e);
    if (code != ERR_OK)
        return code;
    store_checksum(table, key, value, sum);
    return t->store->ops->put(t, table, key, value, slice_of(sum, sizeof sum), append, e);
}

enum err_code store_put(struct store_txn *t, enum store_table table, struct slice key, struct slice value,
                        struct err *e) {
    return store_write(t, table, key, value, false, e);
}

enum err_code store_put_new(struct store_txn *t, enum store_table table, struct slice key, struct slice value,
                            struct err *e) {
    struct slice old;
    struct err missing;
    enum err_code code = store_get(t, table, key, &old, &missing);
    if (code == ERR_NOT_FOUND)
        return store_write(t, table, key, value, false, e);
    if (code != ERR_OK)
        return err_set(e, code, "%s", missing.text);
    if (!slice_eq(old, value))
        return err_set(e, ERR_CONFLICT, "table %s holds another value under this key", store_table_name(table));
    return ERR_OK;
}

enum err_code store_append(struct store_txn *t, enum store_table table, struct slice key, struct slice value,
                           struct err *e) {
    return store_write(t, table, key, value, true, e);
}

enum err_code store_del(struct store_txn *t, enum store_table table, struct slice key, struct err *e) {
    enum err_code code = store_writable(t, key, e);
    return code != ERR_OK ? code : t->store->ops->del(t, table, key, e);
}

enum err_code store_seek(struct store_txn *t, enum store_table table, enum store_seek how, struct slice from,
                         struct slice *key, struct slice *value, struct err *e) {
    struct slice raw;
    enum err_code code = store_usable(t->store, e);
    if (code == ERR_OK)
        code = t->store->ops->seek(t, table, how, from, key, &raw, e);
    if (code != ERR_OK || !value)
        return code;
    return store_open_raw(table, *key, raw, value, e);
}

enum err_code store_count(struct store_txn *t, enum store_table table, uint64_t *count, struct err *e) {
    enum err_code code = store_usable(t->store, e);
    return code != ERR_OK ? code : t->store->ops->count(t, table, count, e);
}

enum err_code store_clear_dead(struct store *s, unsigned *cleared, struct err *e) {
    return s->ops->clear_dead(s, cleared, e);
}

struct store_usage store_usage(struct store *s) {
    return s->ops->usage(s);
}

enum err_code store_raw_get(struct store_txn *t, enum store_table table, struct slice key, struct slice *raw,
                            struct err *e) {
    return t->store->ops->get(t, table, key, raw, e);
}

enum err_code store_raw_put(struct store_txn *t, enum store_table table, struct slice key, struct slice raw,
                            struct err *e) {
    return t->store->ops->put(t, table, key, raw, slice_none(), false, e);
}
