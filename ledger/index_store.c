/* ledger/index_store.c -- see index_store.h. */
#include "ledger/index_store.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdio.h>

enum { STORE_STATE_SIZE = 4 + DIGEST_SIZE + 8 + 8 + DIGEST_SIZE + 8, STORE_PATH = 4096, STORE_MAP = 64 << 20 };

static const char *const store_names[INDEX_DB_COUNT] = {"state",  "segments", "terms",  "times",
                                                        "hashes", "kinds",    "sources"};

enum err_code index_store_error(struct index_store *s, int rc, const char *what, struct err *e) {
    if (rc == MDB_MAP_FULL)
        return err_set(e, ERR_FULL, "%s: %s", what, mdb_strerror(rc));
    if (rc == MDB_NOTFOUND)
        return err_set(e, ERR_NOT_FOUND, "%s: not in the index", what);
    if (rc == MDB_READERS_FULL)
        return err_set(e, ERR_BUSY, "%s: %s", what, mdb_strerror(rc));
    if (rc > 0) {
        errno = rc;
        return err_errno(e, "%s", what);
    }
    if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_PANIC || rc == MDB_BAD_TXN) {
        atomic_store(&s->damaged, true);
        return err_set(e, ERR_CORRUPT, "%s: %s", what, mdb_strerror(rc));
    }
    return err_set(e, ERR_INTERNAL, "%s: %s", what, mdb_strerror(rc));
}

static enum err_code store_open_dbs(struct index_store *s, struct err *e) {
    MDB_txn *txn;
    int i, rc = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (rc)
        return index_store_error(s, rc, "index: first transaction", e);
    for (i = 0; i < INDEX_DB_COUNT && !rc; i++)
        rc = mdb_dbi_open(txn, store_names[i], MDB_CREATE, &s->dbi[i]);
    if (rc) {
        mdb_txn_abort(txn);
        return index_store_error(s, rc, "index: tables", e);
    }
    rc = mdb_txn_commit(txn);
    return rc ? index_store_error(s, rc, "index: tables", e) : ERR_OK;
}

/* Reading past the end of a truncated file would be SIGBUS: say so while it can be said. */
static enum err_code store_check_length(struct index_store *s, const char *file, struct err *e) {
    MDB_envinfo info;
    MDB_stat st;
    struct stat fs;
    if (mdb_env_info(s->env, &info) || mdb_env_stat(s->env, &st) || stat(file, &fs))
        return err_errno(e, "index: %s", file);
    if (fs.st_size > 0 && (uint64_t)fs.st_size < ((uint64_t)info.me_last_pgno + 1) * st.ms_psize)
        return err_set(e, ERR_CORRUPT, "index: %s is cut short", file);
    return ERR_OK;
}

static enum err_code store_try_open(struct index_store *s, const char *path, const char *file, size_t map_size,
                                    struct err *e) {
    enum err_code code;
    struct stat fs;
    int rc = mdb_env_create(&s->env);
    if (rc)
        return index_store_error(s, rc, "index: environment", e);
    if (stat(file, &fs) == 0 && (size_t)fs.st_size > map_size)
        map_size = ((size_t)fs.st_size + 4095) / 4096 * 4096;
    if ((rc = mdb_env_set_maxdbs(s->env, INDEX_DB_COUNT)) || (rc = mdb_env_set_maxreaders(s->env, INDEX_READERS)) ||
        (rc = mdb_env_set_mapsize(s->env, map_size)) || (rc = mdb_env_open(s->env, path, MDB_NOTLS, 0640)))
        code = index_store_error(s, rc, path, e);
    else if ((code = store_check_length(s, file, e)) == ERR_OK)
        code = store_open_dbs(s, e);
    if (code != ERR_OK) {
        mdb_env_close(s->env);
        s->env = NULL;
    }
    return code;
}

static bool store_is_bad(enum err_code code) {
    return code == ERR_CORRUPT || code == ERR_INTERNAL; /* LMDB: not its file, another version */
}

enum err_code index_store_open(struct index_store *s, const char *path, size_t map_size, bool *remade, struct err *e) {
    char file[STORE_PATH], lock[STORE_PATH];
    enum err_code code;
    *remade = false;
    memset(s, 0, sizeof *s);
    if ((size_t)snprintf(file, sizeof file, "%s/data.mdb", path) >= sizeof file ||
        (size_t)snprintf(lock, sizeof lock, "%s/lock.mdb", path) >= sizeof lock)
        return err_set(e, ERR_USAGE, "index: path too long");
    if (mkdir(path, 0750) && errno != EEXIST)
        return err_errno(e, "index: %s", path);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->idle, NULL);
    if (map_size == 0)
        map_size = STORE_MAP;
    code = store_try_open(s, path, file, map_size, e);
    if (store_is_bad(code)) {
        *remade = true;
        atomic_store(&s->damaged, false);
        if ((unlink(file) && errno != ENOENT) || (unlink(lock) && errno != ENOENT))
            code = err_errno(e, "index: removing %s", file);
        else
            code = store_try_open(s, path, file, map_size, e);
    }
    if (code != ERR_OK)
        index_store_close(s);
    return code;
}

void index_store_close(struct index_store *s) {
    if (s->env)
        mdb_env_close(s->env);
    s->env = NULL;
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
}

enum err_code index_store_read(struct index_store *s, MDB_txn **txn, struct err *e) {
    int rc;
    pthread_mutex_lock(&s->lock);
    while (s->growing)
        pthread_cond_wait(&s->idle, &s->lock);
    s->readers++;
    pthread_mutex_unlock(&s->lock);
    rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, txn);
    if (rc == 0)
        return ERR_OK;
    index_store_read_end(s, NULL);
    return index_store_error(s, rc, "index: read transaction", e);
}

void index_store_read_end(struct index_store *s, MDB_txn *txn) {
    if (txn)
        mdb_txn_abort(txn);
    pthread_mutex_lock(&s->lock);
    if (--s->readers == 0)
        pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->lock);
}

enum err_code index_store_grow(struct index_store *s, struct err *e) {
    MDB_envinfo info;
    int rc;
    pthread_mutex_lock(&s->lock);
    s->growing = true;
    while (s->readers)
        pthread_cond_wait(&s->idle, &s->lock);
    rc = mdb_env_info(s->env, &info);
    if (!rc)
        rc = mdb_env_set_mapsize(s->env, info.me_mapsize * 2);
    s->growing = false;
    pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->lock);
    return rc ? index_store_error(s, rc, "index: growing the map", e) : ERR_OK;
}

static void store_check_bytes(const void *key, size_t key_len, const void *value, size_t len,
                              uint8_t out[INDEX_STORE_CHECK]) {
    struct digest_state d;
    struct digest sum;
    digest_init(&d);
    digest_update(&d, slice_of(key, key_len));
    digest_update(&d, slice_of(value, len));
    digest_final(&d, &sum);
    memcpy(out, sum.b, INDEX_STORE_CHECK);
}

enum err_code index_store_verify(struct index_store *s, const MDB_val *key, const MDB_val *value, struct slice *out,
                                 struct err *e) {
    uint8_t check[INDEX_STORE_CHECK];
    const uint8_t *p = value->mv_data;
    size_t len;
    if (value->mv_size >= INDEX_STORE_CHECK) {
        len = value->mv_size - INDEX_STORE_CHECK;
        store_check_bytes(key->mv_data, key->mv_size, p, len, check);
        if (memcmp(check, p + len, sizeof check) == 0) {
            *out = slice_of(p, len);
            return ERR_OK;
        }
    }
    atomic_store(&s->damaged, true);
    return err_set(e, ERR_CORRUPT, "index: a value does not match its checksum");
}

/* mv_data is not const in LMDB's interface though only read. */
static MDB_val store_val(struct slice s) {
    union {
        const uint8_t *in;
        void *out;
    } u = {.in = s.ptr};
    return (MDB_val){s.len, u.out};
}

enum err_code index_store_get(struct index_store *s, MDB_txn *txn, enum index_store_db db, struct slice key,
                              struct slice *value, struct err *e) {
    MDB_val k = store_val(key), v;
    int rc = mdb_get(txn, s->dbi[db], &k, &v);
    if (rc)
        return index_store_error(s, rc, store_names[db], e);
    return index_store_verify(s, &k, &v, value, e);
}

enum err_code index_store_put(struct index_store *s, MDB_txn *txn, enum index_store_db db, struct slice key,
                              struct slice value, unsigned flags, struct err *e) {
    MDB_val k = store_val(key), v = {value.len + INDEX_STORE_CHECK, NULL};
    int rc = mdb_put(txn, s->dbi[db], &k, &v, flags | MDB_RESERVE);
    uint8_t *p = v.mv_data;
    if (rc)
        return index_store_error(s, rc, store_names[db], e);
    if (value.len)
        memcpy(p, value.ptr, value.len);
    store_check_bytes(key.ptr, key.len, value.ptr, value.len, p + value.len);
    return ERR_OK;
}

enum err_code index_store_clear(struct index_store *s, struct err *e) {
    MDB_txn *txn;
    int i, rc = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (rc)
        return index_store_error(s, rc, "index: clearing", e);
    for (i = 0; i < INDEX_DB_COUNT && !rc; i++)
        rc = mdb_drop(txn, s->dbi[i], 0);
    if (rc)
        mdb_txn_abort(txn);
    else
        rc = mdb_txn_commit(txn);
    return rc ? index_store_error(s, rc, "index: clearing", e) : ERR_OK;
}

enum err_code index_store_state(struct index_store *s, MDB_txn *txn, struct index_state *out, struct err *e) {
    struct slice v = slice_none();
    enum err_code code = index_store_get(s, txn, INDEX_DB_STATE, slice_str("state"), &v, e);
    const uint8_t *p = v.ptr;
    if (code != ERR_OK)
        return code;
    if (v.len != STORE_STATE_SIZE || buf_get32(p) != INDEX_STORE_VERSION) {
        atomic_store(&s->damaged, true);
        return err_set(e, ERR_CORRUPT, "index: of another version");
    }
    memcpy(out->channel.b, p + 4, DIGEST_SIZE);
    out->height = buf_get64(p + 36);
    out->entries = buf_get64(p + 44);
    memcpy(out->hash.b, p + 52, DIGEST_SIZE);
    out->next_segment = buf_get64(p + 84);
    return ERR_OK;
}

enum err_code index_store_set_state(struct index_store *s, MDB_txn *txn, const struct index_state *in, struct err *e) {
    uint8_t v[STORE_STATE_SIZE] = {0, 0, 0, INDEX_STORE_VERSION};
    memcpy(v + 4, in->channel.b, DIGEST_SIZE);
    index_store_be64(v + 36, in->height);
    index_store_be64(v + 44, in->entries);
    memcpy(v + 52, in->hash.b, DIGEST_SIZE);
    index_store_be64(v + 84, in->next_segment);
    return index_store_put(s, txn, INDEX_DB_STATE, slice_str("state"), slice_of(v, sizeof v), 0, e);
}
