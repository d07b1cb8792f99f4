/* ledger/store_lmdb.c -- the store on LMDB.
 * Facts relied upon (lmdb.h 0.9.24): a commit writes data pages, fdatasyncs them, then writes the meta page through a
 * descriptor opened O_DSYNC, so without NOSYNC and NOMETASYNC a committed transaction is durable and an uncommitted
 * one leaves no trace; NOTLS ties a reader's slot to its transaction instead of its thread; the map may be resized
 * only while this process has no transaction; without WRITEMAP the file grows by what is written, not to the map.
 *
 * Growth of the map: at the begin of a write transaction.
 *   used <= 1/2 of the map      nothing
 *   used >  1/2                 doubled if no reader is open just now
 *   used >  3/4                 new readers wait at the gate, we wait for the open ones, then it is doubled
 * A transaction that does not fit all the same is NO_SPACE; the next opening starts with a map twice the file. */
#include "ledger/store_impl.h"

#include "ledger/home.h"
#include "wire/mem.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { STORE_LMDB_MODE = 0600, STORE_LMDB_READERS = 126, STORE_LMDB_DRAIN_S = 30 };
#define STORE_LMDB_MAP     (UINT64_C(1) << 30)
#define STORE_LMDB_MAP_MAX (UINT64_C(1) << 40)

struct store_lmdb {
    struct store base;
    MDB_env *env;
    MDB_dbi dbi[STORE_TABLE_COUNT];
    uint64_t map, map_max; /* owner: the writer */
    bool read_only;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* readers or growing */
    unsigned readers;       /* open read transactions of this process; by lock */
    bool growing;           /* the gate is shut; by lock */
};
struct store_lmdb_txn {
    struct store_txn base;
    MDB_txn *txn;
    MDB_cursor *cursor[STORE_TABLE_COUNT]; /* readers only; opened when first used */
};

static struct store_lmdb *store_lmdb_of(struct store *s) {
    return (struct store_lmdb *)(void *)s;
}
static struct store_lmdb_txn *store_lmdb_txn_of(struct store_txn *t) {
    return (struct store_lmdb_txn *)(void *)t;
}

static enum err_code store_lmdb_err(int rc, const char *what, struct err *e) {
    switch (rc) {
    case MDB_NOTFOUND:
        return err_set(e, ERR_NOT_FOUND, "%s: not found", what);
    case MDB_READERS_FULL:
        return err_set(e, ERR_FULL, "%s: all reader slots are taken", what);
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
        return err_set(e, ERR_NO_SPACE, "%s: %s", what, mdb_strerror(rc));
    case ENOMEM:
        return err_set(e, ERR_NO_MEMORY, "%s: %s", what, mdb_strerror(rc));
    case EAGAIN:
        return err_set(e, ERR_LOCKED, "%s: %s", what, mdb_strerror(rc));
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_PANIC:
    case MDB_INCOMPATIBLE:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
    case MDB_BAD_DBI:
        return err_set(e, ERR_CORRUPT, "%s: %s", what, mdb_strerror(rc));
    default:
        return err_set(e, rc > 0 ? ERR_IO : ERR_INTERNAL, "%s: %s", what, mdb_strerror(rc));
    }
}

static MDB_val store_lmdb_val(struct slice s) {
    union {
        const void *in;
        void *out;
    } p = {.in = s.ptr}; /* LMDB only reads what it is given */
    return (MDB_val){s.len, p.out};
}
static struct slice store_lmdb_slice(const MDB_val *v) {
    return slice_of(v->mv_data, v->mv_size);
}
static unsigned store_lmdb_slot(enum store_table table) {
    ERR_ASSERT((int)table >= 1 && (int)table <= STORE_TABLE_COUNT);
    return (unsigned)table - 1;
}

/* ---- readers and growth ---- */

static void store_lmdb_reader_end(struct store_lmdb *s) {
    pthread_mutex_lock(&s->lock);
    s->readers--;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static uint64_t store_lmdb_used(struct store_lmdb *s) {
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(s->env, &info);
    mdb_env_stat(s->env, &stat);
    return ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
}

/* Waits until no reader is open; false on timeout. Holds the lock. */
static bool store_lmdb_drain(struct store_lmdb *s) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STORE_LMDB_DRAIN_S;
    while (s->readers > 0)
        if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
            return s->readers == 0;
    return true;
}

static enum err_code store_lmdb_grow(struct store_lmdb *s, struct err *e) {
    uint64_t used = store_lmdb_used(s), map = s->map;
    enum err_code code = ERR_OK;
    int rc;
    while (used > map / 2 && map <= s->map_max / 2)
        map *= 2;
    if (map == s->map)
        return ERR_OK;
    pthread_mutex_lock(&s->lock);
    if (s->readers > 0 && used <= s->map / 4 * 3)
        goto out; /* there is room yet: try again at the next transaction */
    s->growing = true;
    if (!store_lmdb_drain(s)) {
        code = err_set(e, ERR_BUSY, "a reader holds its snapshot for more than %d s", STORE_LMDB_DRAIN_S);
    } else {
        rc = mdb_env_set_mapsize(s->env, (size_t)map);
        if (rc != 0)
            code = store_lmdb_err(rc, "growing the map", e);
        else
            s->map = map;
    }
    s->growing = false;
    pthread_cond_broadcast(&s->changed);
out:
    pthread_mutex_unlock(&s->lock);
    return code;
}

/* ---- operations ---- */

static enum err_code store_lmdb_begin(struct store *base, bool write, struct store_txn **out, struct err *e) {
    struct store_lmdb *s = store_lmdb_of(base);
    struct store_lmdb_txn *t;
    enum err_code code;
    int rc;
    if (write && s->read_only)
        return err_set(e, ERR_NOT_ALLOWED, "this store was opened for reading");
    if (write && (code = store_lmdb_grow(s, e)) != ERR_OK)
        return code;
    t = mem_zalloc(1, sizeof *t);
    if (!t)
        return err_set(e, ERR_NO_MEMORY, "a transaction");
    t->base.store = base;
    t->base.write = write;
    if (!write) {
        pthread_mutex_lock(&s->lock);
        while (s->growing)
            pthread_cond_wait(&s->changed, &s->lock);
        s->readers++;
        pthread_mutex_unlock(&s->lock);
    }
    rc = mdb_txn_begin(s->env, NULL, write ? 0 : MDB_RDONLY, &t->txn);
    if (rc != 0) {
        if (!write)
            store_lmdb_reader_end(s);
        mem_free(t);
        return store_lmdb_err(rc, "beginning a transaction", e);
    }
    *out = &t->base;
    return ERR_OK;
}

static void store_lmdb_abort(struct store_txn *base) {
    struct store_lmdb_txn *t = store_lmdb_txn_of(base);
    unsigned i;
    for (i = 0; i < STORE_TABLE_COUNT; i++)
        if (t->cursor[i])
            mdb_cursor_close(t->cursor[i]);
    if (t->txn)
        mdb_txn_abort(t->txn);
    if (!base->write)
        store_lmdb_reader_end(store_lmdb_of(base->store));
    mem_free(t);
}

static enum err_code store_lmdb_commit(struct store_txn *base, struct err *e) {
    struct store_lmdb_txn *t = store_lmdb_txn_of(base);
    MDB_env *env = mdb_txn_env(t->txn);
    int rc = mdb_txn_commit(t->txn); /* the commit point: durable when this returns 0 */
    const char *path = NULL;
    if (rc == EIO && mdb_env_get_path(env, &path) == 0 && home_disk_full(path))
        rc = ENOSPC;
    mem_free(t);
    return rc == 0 ? ERR_OK : store_lmdb_err(rc, "commit", e);
}

static enum err_code store_lmdb_get(struct store_txn *base, enum store_table table, struct slice key, struct slice *raw,
                                    struct err *e) {
    struct store_lmdb_txn *t = store_lmdb_txn_of(base);
    MDB_val k = store_lmdb_val(key), v;
    int rc = mdb_get(t->txn, store_lmdb_of(base->store)->dbi[store_lmdb_slot(table)], &k, &v);
    if (rc != 0)
        return store_lmdb_err(rc, store_table_name(table), e);
    *raw = store_lmdb_slice(&v);
    return ERR_OK;
}

static enum err_code store_lmdb_put(struct store_txn *base, enum store_table table, struct slice key,
                                    struct slice value, struct slice tail, bool append, struct err *e) {
    struct store_lmdb_txn *t = store_lmdb_txn_of(base);
    MDB_val k = store_lmdb_val(key), v = {value.len + tail.len, NULL};
    uint8_t *p;
    int rc = mdb_put(t->txn, store_lmdb_of(base->store)->dbi[store_lmdb_slot(table)], &k, &v,
                     MDB_RESERVE | (append ? MDB_APPEND : 0u));
    if (append && rc == MDB_KEYEXIST)
        return err_set(e, ERR_CONFLICT, "append to table %s below its last key", store_table_name(table));
    if (rc != 0)
        return store_lmdb_err(rc, store_table_name(table), e);
    p = v.mv_data;
    if (value.len)
        memcpy(p, value.ptr, value.len);
    if (tail.len)
        memcpy(p + value.len, tail.ptr, tail.len);
    return ERR_OK;
}

static enum err_code store_lmdb_del(struct store_txn *base, enum store_table table, struct slice key, struct err *e) {
    struct store_lmdb_txn *t = store_lmdb_txn_of(base);
    MDB_val k = store_lmdb_val(key);
    int rc = mdb_del(t->txn, store_lmdb_of(base->store)->dbi[store_lmdb_slot(table)], &k, NULL);
    return rc == 0 ? ERR_OK : store_lmdb_err(rc, store_table_name(table), e);
}

static int store_lmdb_move(MDB_cursor *c, enum store_seek how, struct slice from, MDB_val *k, MDB_val *v) {
    int rc;
    if (how == STORE_BELOW && !from.ptr)
        return mdb_cursor_get(c, k, v, MDB_LAST);
    if (from.len == 0)
        return how == STORE_AT_OR_ABOVE || how == STORE_ABOVE ? mdb_cursor_get(c, k, v, MDB_FIRST) : MDB_NOTFOUND;
    *k = store_lmdb_val(from);
    rc = mdb_cursor_get(c, k, v, MDB_SET_RANGE);
    if (how == STORE_AT_OR_ABOVE)
        return rc;
    if (how == STORE_ABOVE)
        return rc == 0 && slice_eq(store_lmdb_slice(k), from) ? mdb_cursor_get(c, k, v, MDB_NEXT) : rc;
    if (rc == MDB_NOTFOUND)
        return mdb_cursor_get(c, k, v, MDB_LAST);
    if (rc != 0 || (how == STORE_AT_OR_BELOW && slice_eq(store_lmdb_slice(k), from)))
        return rc;
    return mdb_cursor_get(c, k, v, MDB_PREV);
}

static enum err_code store_lmdb_seek(struct store_txn *base, enum store_table table, enum store_seek how,
                                     struct slice from, struct slice *key, struct slice *raw, struct err *e) {
    struct store_lmdb_txn *t = store_lmdb_txn_of(base);
    unsigned i = store_lmdb_slot(table);
    MDB_cursor *c = t->cursor[i];
    MDB_val k, v;
    int rc = c ? 0 : mdb_cursor_open(t->txn, store_lmdb_of(base->store)->dbi[i], &c);
    if (rc == 0)
        rc = store_lmdb_move(c, how, from, &k, &v);
    if (base->write && c) /* a cursor must not outlive a write beside it */
        mdb_cursor_close(c);
    else
        t->cursor[i] = c;
    if (rc != 0)
        return store_lmdb_err(rc, store_table_name(table), e);
    *key = store_lmdb_slice(&k);
    *raw = store_lmdb_slice(&v);
    return ERR_OK;
}

static enum err_code store_lmdb_count(struct store_txn *base, enum store_table table, uint64_t *count, struct err *e) {
    struct store_lmdb_txn *t = store_lmdb_txn_of(base);
    MDB_stat stat;
    int rc = mdb_stat(t->txn, store_lmdb_of(base->store)->dbi[store_lmdb_slot(table)], &stat);
    if (rc != 0)
        return store_lmdb_err(rc, store_table_name(table), e);
    *count = stat.ms_entries;
    return ERR_OK;
}

static enum err_code store_lmdb_clear_dead(struct store *base, unsigned *cleared, struct err *e) {
    int dead = 0;
    int rc = mdb_reader_check(store_lmdb_of(base)->env, &dead);
    *cleared = (unsigned)dead;
    return rc == 0 ? ERR_OK : store_lmdb_err(rc, "clearing dead readers", e);
}

static struct store_usage store_lmdb_usage(struct store *base) {
    struct store_lmdb *s = store_lmdb_of(base);
    return (struct store_usage){store_lmdb_used(s), s->map};
}

static void store_lmdb_close(struct store *base) {
    struct store_lmdb *s = store_lmdb_of(base);
    ERR_ASSERT(s->readers == 0);
    if (s->env)
        mdb_env_close(s->env);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

/* ---- opening ---- */

static const struct store_ops store_lmdb_ops = {
    store_lmdb_close, store_lmdb_begin, store_lmdb_commit, store_lmdb_abort,      store_lmdb_get,  store_lmdb_put,
    store_lmdb_del,   store_lmdb_seek,  store_lmdb_count,  store_lmdb_clear_dead, store_lmdb_usage};

static enum err_code store_lmdb_tables(struct store_lmdb *s, struct err *e) {
    MDB_txn *txn = NULL;
    unsigned i;
    int rc = mdb_txn_begin(s->env, NULL, s->read_only ? MDB_RDONLY : 0, &txn);
    if (rc != 0)
        return store_lmdb_err(rc, "opening the tables", e);
    for (i = 0; i < STORE_TABLE_COUNT && rc == 0; i++)
        rc = mdb_dbi_open(txn, store_table_name((enum store_table)(i + 1)), s->read_only ? 0 : MDB_CREATE, &s->dbi[i]);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return store_lmdb_err(rc, "opening the tables", e);
    }
    rc = mdb_txn_commit(txn);
    return rc == 0 ? ERR_OK : store_lmdb_err(rc, "opening the tables", e);
}

/* The first size of the map: what was asked for, at least twice the file. */
static uint64_t store_lmdb_first_map(const char *path, const struct store_options *o, uint64_t map_max) {
    char file[STORE_PATH + 16];
    uint64_t map = o && o->map_bytes ? o->map_bytes : STORE_LMDB_MAP;
    struct stat st;
    snprintf(file, sizeof file, "%s/data.mdb", path);
    if (stat(file, &st) == 0)
        while ((uint64_t)st.st_size > map / 2 && map <= map_max / 2)
            map *= 2;
    return map;
}

enum err_code store_open_lmdb(const char *path, const struct store_options *o, struct store **out, struct err *e) {
    struct store_lmdb *s = mem_zalloc(1, sizeof *s);
    unsigned flags = MDB_NOTLS;
    enum err_code code;
    int rc;
    if (!s)
        return err_set(e, ERR_NO_MEMORY, "a store");
    s->base.ops = &store_lmdb_ops;
    atomic_init(&s->base.poison, ERR_OK);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->map_max = o && o->map_bytes_max ? o->map_bytes_max : STORE_LMDB_MAP_MAX;
    s->map = store_lmdb_first_map(path, o, s->map_max);
    s->read_only = o && o->read_only;
    if (s->read_only)
        flags |= MDB_RDONLY | MDB_NOLOCK;
    rc = mdb_env_create(&s->env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(s->env, STORE_TABLE_COUNT);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(s->env, o && o->readers ? o->readers : STORE_LMDB_READERS);
    if (rc == 0)
        rc = mdb_env_set_mapsize(s->env, (size_t)s->map);
    if (rc == 0)
        rc = mdb_env_open(s->env, path, flags, STORE_LMDB_MODE);
    code = rc == 0 ? store_lmdb_tables(s, e) : store_lmdb_err(rc, "opening the database", e);
    if (code == ERR_OK && !s->read_only)
        code = home_sync_dir(path, e); /* the files' names are durable too */
    if (code != ERR_OK) {
        store_lmdb_close(&s->base);
        return err_wrap(e, "%s", path), code;
    }
    *out = &s->base;
    return ERR_OK;
}
