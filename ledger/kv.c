/* ledger/kv.c -- see kv.h.
 * The map is grown only by kv_update, which holds `writer` and waits for all readers (`map`, taken shared by them). */
#include "ledger/kv.h"

#include "ledger/home.h"
#include "wire/digest.h"
#include "wire/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KV_READERS = 126, KV_GROWTHS = 40 };
#define KV_MAP     (64ULL << 20)
#define KV_MAP_MAX (1ULL << 40)

struct kv {
    MDB_env *env;
    MDB_dbi dbi[KV_TABLES];
    const char *names[KV_TABLES]; /* borrowed from the owner's constant table */
    unsigned count;
    uint64_t map, map_max;
    char path[PATH_MAX];
    pthread_mutex_t writer;
    pthread_rwlock_t map_lock;
    atomic_int poison; /* enum err_code */
};

struct kv_txn {
    struct kv *k;
    MDB_txn *txn;
    bool map_full;
};

static enum err_code kv_error(int rc, const char *what, struct err *e) {
    switch (rc) {
    case MDB_NOTFOUND:
        return err_set(e, ERR_NOT_FOUND, "%s", what);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_PANIC:
        return err_set(e, ERR_CORRUPT, "%s: %s", what, mdb_strerror(rc));
    case MDB_READERS_FULL:
    case MDB_MAP_FULL:
        return err_set(e, ERR_FULL, "%s: %s", what, mdb_strerror(rc));
    case ENOMEM:
        return err_set(e, ERR_NO_MEMORY, "%s", what);
    case ENOSPC:
    case EDQUOT:
        return err_set(e, ERR_NO_SPACE, "%s: the disk is full", what);
    default:
        return err_set(e, ERR_IO, "%s: %s", what, mdb_strerror(rc));
    }
}

static enum err_code kv_poisoned(struct kv *k, struct err *e) {
    int code = atomic_load(&k->poison);
    return code ? err_set(e, (enum err_code)code, "environment failed before") : ERR_OK;
}

static void kv_sum(struct kv_txn *t, unsigned table, struct slice key, struct slice value, uint8_t out[KV_CHECKSUM]) {
    struct digest_state s;
    struct digest d;
    const char *name = t->k->names[table];
    digest_init(&s);
    digest_update(&s, slice_of(name, strlen(name) + 1));
    digest_update(&s, key);
    digest_update(&s, value);
    digest_final(&s, &d);
    memcpy(out, d.b, KV_CHECKSUM);
}

static MDB_val kv_val(struct slice s) {
    return (MDB_val){s.len, (void *)(uintptr_t)s.ptr};
}

static enum err_code kv_checked(struct kv_txn *t, unsigned table, MDB_val key, MDB_val raw, struct slice *value,
                                struct err *e) {
    uint8_t sum[KV_CHECKSUM];
    if (raw.mv_size < KV_CHECKSUM)
        return err_set(e, ERR_CORRUPT, "%s: a value is too short", t->k->names[table]);
    *value = slice_of(raw.mv_data, raw.mv_size - KV_CHECKSUM);
    kv_sum(t, table, slice_of(key.mv_data, key.mv_size), *value, sum);
    if (memcmp(sum, value->ptr + value->len, KV_CHECKSUM) != 0)
        return err_set(e, ERR_CORRUPT, "%s: a value does not match its checksum", t->k->names[table]);
    return ERR_OK;
}

/* ---- opening ---- */

static enum err_code kv_sync_dir(const char *path, struct err *e) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "%s", path);
    int rc = fsync(fd);
    enum err_code c = rc ? err_errno(e, "%s", path) : ERR_OK;
    close(fd);
    return c;
}

/* mkdir -p, 0700; a new name is durable before anything below it counts. */
static enum err_code kv_mkdirs(const char *path, struct err *e) {
    char p[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof p)
        return err_set(e, ERR_CONFIG, "path of %zu bytes", len);
    memcpy(p, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (p[i] != '/' && p[i] != '\0')
            continue;
        p[i] = '\0';
        if (mkdir(p, 0700) == 0) {
            char up[PATH_MAX];
            memcpy(up, p, i + 1);
            char *slash = strrchr(up, '/');
            const char *parent = !slash ? "." : slash == up ? "/" : (*slash = '\0', up);
            enum err_code c = kv_sync_dir(parent, e);
            if (c)
                return c;
        } else if (errno != EEXIST) {
            return err_errno(e, "%s", p);
        }
        p[i] = i < len ? '/' : '\0';
    }
    return ERR_OK;
}

static enum err_code kv_env(const char *path, const struct kv_options *o, uint64_t map, MDB_env **out, struct err *e) {
    MDB_env *env = NULL;
    int rc = mdb_env_create(&env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(env, o->table_count);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(env, KV_READERS);
    if (rc == 0)
        rc = mdb_env_set_mapsize(env, map);
    if (rc == 0)
        rc = mdb_env_open(env, path, MDB_NOTLS, 0600);
    if (rc) {
        mdb_env_close(env);
        return kv_error(rc, path, e);
    }
    *out = env;
    return ERR_OK;
}

/* Bytes that the file lacks to hold all pages that it counts. */
static enum err_code kv_lack(MDB_env *env, int *fd, uint64_t *want, uint64_t *have, struct err *e) {
    MDB_envinfo info;
    struct stat st;
    int rc = mdb_env_info(env, &info);
    if (rc == 0)
        rc = mdb_env_get_fd(env, fd);
    if (rc)
        return kv_error(rc, "environment", e);
    if (fstat(*fd, &st))
        return err_errno(e, "environment");
    *want = ((uint64_t)info.me_last_pgno + 1) * (uint64_t)sysconf(_SC_PAGESIZE);
    *have = (uint64_t)st.st_size;
    return ERR_OK;
}

static int kv_tables(MDB_env *env, const struct kv_options *o, unsigned flags, MDB_dbi dbi[KV_TABLES]) {
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(env, NULL, flags ? 0 : MDB_RDONLY, &txn);
    if (rc)
        return rc;
    for (unsigned i = 0; rc == 0 && i < o->table_count; i++)
        rc = mdb_dbi_open(txn, o->tables[i], flags, &dbi[i]);
    if (rc == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

/* Reads every page that is in use. */
static bool kv_scan(MDB_env *env, const struct kv_options *o) {
    MDB_dbi dbi[KV_TABLES];
    MDB_txn *txn = NULL;
    volatile uint8_t sink = 0;
    int rc = kv_tables(env, o, 0, dbi);
    if (rc == 0)
        rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    for (unsigned i = 0; rc == 0 && i < o->table_count; i++) {
        MDB_cursor *c = NULL;
        MDB_val k, v;
        rc = mdb_cursor_open(txn, dbi[i], &c);
        while (rc == 0 && (rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0)
            for (size_t at = 0; at < v.mv_size; at++)
                sink = (uint8_t)(sink ^ ((const uint8_t *)v.mv_data)[at]);
        if (c)
            mdb_cursor_close(c);
        rc = rc == MDB_NOTFOUND ? 0 : rc ? rc : MDB_CORRUPTED;
    }
    mdb_txn_abort(txn);
    return rc == 0;
}

/* In a child, since a page past the file's end kills its reader. */
static bool kv_survives(const char *path, const struct kv_options *o, uint64_t map) {
    pid_t pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0) {
        MDB_env *env = NULL;
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGBUS, SIG_DFL);
        (void)signal(SIGSEGV, SIG_DFL);
        bool good = !kv_env(path, o, map, &env, NULL) && kv_scan(env, o);
        if (env)
            mdb_env_close(env);
        _exit(good ? 0 : 1);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* LMDB may leave unused pages at the end unwritten, so a short file is suspect, not yet proven broken. */
static enum err_code kv_open_env(struct kv *k, const char *path, const struct kv_options *o, struct err *e) {
    uint64_t want = 0, have = 0;
    int fd;
    enum err_code c = kv_env(path, o, k->map, &k->env, e);
    if (!c)
        c = kv_lack(k->env, &fd, &want, &have, e);
    if (c || have >= want || want <= 2 * (uint64_t)sysconf(_SC_PAGESIZE))
        return c;
    mdb_env_close(k->env);
    k->env = NULL;
    if (!kv_survives(path, o, k->map))
        return err_set(e, ERR_CORRUPT, "%s: cut short: %llu bytes of %llu", path, (unsigned long long)have,
                       (unsigned long long)want);
    return kv_env(path, o, k->map, &k->env, e);
}

enum err_code kv_open(const char *path, const struct kv_options *o, struct kv **out, struct err *e) {
    ERR_ASSERT(o->table_count > 0 && o->table_count <= KV_TABLES);
    struct kv *k = mem_zalloc(1, sizeof *k);
    if (!k)
        return err_set(e, ERR_NO_MEMORY, "%s", path);
    pthread_mutex_init(&k->writer, NULL);
    pthread_rwlock_init(&k->map_lock, NULL);
    k->count = o->table_count;
    memcpy(k->names, o->tables, o->table_count * sizeof *k->names);
    k->map = o->map_bytes ? o->map_bytes : KV_MAP;
    k->map_max = o->map_bytes_max ? o->map_bytes_max : KV_MAP_MAX;
    enum err_code c = kv_mkdirs(path, e); /* checks the length */
    if (!c) {
        memcpy(k->path, path, strlen(path) + 1);
        c = kv_open_env(k, path, o, e);
    }
    if (!c) {
        MDB_envinfo info; /* a file that grew earlier brings a larger map */
        mdb_env_info(k->env, &info);
        k->map = info.me_mapsize;
        int rc = kv_tables(k->env, o, MDB_CREATE, k->dbi);
        c = rc ? kv_error(rc, path, e) : kv_sync_dir(path, e);
    }
    if (c) {
        kv_close(k);
        return c;
    }
    *out = k;
    return ERR_OK;
}

void kv_close(struct kv *k) {
    if (!k)
        return;
    if (k->env)
        mdb_env_close(k->env);
    pthread_rwlock_destroy(&k->map_lock);
    pthread_mutex_destroy(&k->writer);
    mem_free(k);
}

/* ---- transactions ---- */

static enum err_code kv_grow(struct kv *k, struct err *e) {
    if (k->map >= k->map_max)
        return err_set(e, ERR_NO_SPACE, "the map has its full %llu bytes", (unsigned long long)k->map);
    uint64_t next = k->map > k->map_max / 2 ? k->map_max : k->map * 2;
    pthread_rwlock_wrlock(&k->map_lock);
    int rc = mdb_env_set_mapsize(k->env, next);
    pthread_rwlock_unlock(&k->map_lock);
    if (rc)
        return kv_error(rc, "growing the map", e);
    k->map = next;
    return ERR_OK;
}

static enum err_code kv_commit(struct kv_txn *t, struct err *e) {
    int rc = mdb_txn_commit(t->txn);
    if (rc == 0)
        return ERR_OK;
    if (rc == MDB_MAP_FULL) { /* found while saving the list of free pages: nothing was written */
        t->map_full = true;
        return ERR_FULL;
    }
    if (rc == EIO && home_disk_full(t->k->path))
        rc = ENOSPC;
    enum err_code c = kv_error(rc, "commit", e);
    atomic_store(&t->k->poison, (int)c);
    return c;
}

enum err_code kv_update(struct kv *k, kv_change fn, void *ctx, struct err *e) {
    pthread_mutex_lock(&k->writer);
    enum err_code c = kv_poisoned(k, e);
    for (int i = 0; !c && i < KV_GROWTHS; i++) {
        struct kv_txn t = {k, NULL, false};
        int rc = mdb_txn_begin(k->env, NULL, 0, &t.txn);
        if (rc) {
            c = kv_error(rc, "begin", e);
            break;
        }
        c = fn(&t, ctx, e);
        if (c)
            mdb_txn_abort(t.txn);
        else
            c = kv_commit(&t, e);
        if (!t.map_full)
            break;
        c = kv_grow(k, e);
    }
    pthread_mutex_unlock(&k->writer);
    return c;
}

enum err_code kv_read(struct kv *k, struct kv_txn **out, struct err *e) {
    struct kv_txn *t = mem_zalloc(1, sizeof *t);
    if (!t)
        return err_set(e, ERR_NO_MEMORY, "reader");
    t->k = k;
    pthread_rwlock_rdlock(&k->map_lock);
    enum err_code c = kv_poisoned(k, e);
    int rc = c ? 0 : mdb_txn_begin(k->env, NULL, MDB_RDONLY, &t->txn);
    if (rc)
        c = kv_error(rc, "reader", e);
    if (!c) {
        *out = t;
        return ERR_OK;
    }
    pthread_rwlock_unlock(&k->map_lock);
    mem_free(t);
    return c;
}

void kv_read_end(struct kv_txn *t) {
    if (!t)
        return;
    mdb_txn_abort(t->txn);
    pthread_rwlock_unlock(&t->k->map_lock);
    mem_free(t);
}

/* The copy becomes durable, takes the file's name, and only then is opened. */
static enum err_code kv_swap(struct kv *k, struct err *e) {
    char fresh[PATH_MAX + 16], live[PATH_MAX + 16];
    const struct kv_options o = {.tables = k->names, .table_count = k->count};
    (void)snprintf(fresh, sizeof fresh, "%s/data.mdb.new", k->path);
    (void)snprintf(live, sizeof live, "%s/data.mdb", k->path);
    int fd = open(fresh, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(e, "%s", fresh);
    int rc = mdb_env_copyfd2(k->env, fd, MDB_CP_COMPACT);
    enum err_code c = rc ? kv_error(rc, fresh, e) : fsync(fd) ? err_errno(e, "%s", fresh) : ERR_OK;
    close(fd);
    if (c) {
        (void)unlink(fresh);
        return c;
    }
    mdb_env_close(k->env);
    k->env = NULL;
    c = rename(fresh, live) ? err_errno(e, "%s", live) : kv_sync_dir(k->path, e);
    if (!c)
        c = kv_env(k->path, &o, k->map, &k->env, e);
    if (!c && (rc = kv_tables(k->env, &o, MDB_CREATE, k->dbi)) != 0)
        c = kv_error(rc, k->path, e);
    if (c)
        atomic_store(&k->poison, (int)c);
    return c;
}

enum err_code kv_compact(struct kv *k, struct err *e) {
    pthread_mutex_lock(&k->writer);
    pthread_rwlock_wrlock(&k->map_lock);
    enum err_code c = kv_poisoned(k, e);
    if (!c)
        c = kv_swap(k, e);
    pthread_rwlock_unlock(&k->map_lock);
    pthread_mutex_unlock(&k->writer);
    return c;
}

enum err_code kv_raw_get(struct kv_txn *t, unsigned table, struct slice key, struct slice *raw, struct err *e) {
    MDB_val k = kv_val(key), v;
    int rc = mdb_get(t->txn, t->k->dbi[table], &k, &v);
    if (rc)
        return kv_error(rc, t->k->names[table], e);
    *raw = slice_of(v.mv_data, v.mv_size);
    return ERR_OK;
}

enum err_code kv_get(struct kv_txn *t, unsigned table, struct slice key, struct slice *value, struct err *e) {
    struct slice raw = slice_none();
    enum err_code c = kv_raw_get(t, table, key, &raw, e);
    return c ? c : kv_checked(t, table, kv_val(key), kv_val(raw), value, e);
}

static enum err_code kv_reserve(struct kv_txn *t, unsigned table, struct slice key, size_t len, uint8_t **room,
                                struct err *e) {
    ERR_ASSERT(key.len > 0 && key.len <= KV_KEY_MAX);
    MDB_val k = kv_val(key), v = {len, NULL};
    int rc = mdb_put(t->txn, t->k->dbi[table], &k, &v, MDB_RESERVE);
    if (rc == MDB_MAP_FULL)
        t->map_full = true;
    if (rc)
        return kv_error(rc, t->k->names[table], e);
    *room = v.mv_data;
    return ERR_OK;
}

enum err_code kv_put(struct kv_txn *t, unsigned table, struct slice key, struct slice value, struct err *e) {
    uint8_t *room = NULL, sum[KV_CHECKSUM];
    kv_sum(t, table, key, value, sum); /* before reserving: value may be borrowed from the map */
    enum err_code c = kv_reserve(t, table, key, value.len + KV_CHECKSUM, &room, e);
    if (c)
        return c;
    if (value.len)
        memcpy(room, value.ptr, value.len);
    memcpy(room + value.len, sum, KV_CHECKSUM);
    return ERR_OK;
}

enum err_code kv_raw_put(struct kv_txn *t, unsigned table, struct slice key, struct slice raw, struct err *e) {
    uint8_t *room = NULL;
    enum err_code c = kv_reserve(t, table, key, raw.len, &room, e);
    if (!c && raw.len)
        memcpy(room, raw.ptr, raw.len);
    return c;
}

enum err_code kv_del(struct kv_txn *t, unsigned table, struct slice key, struct err *e) {
    MDB_val k = kv_val(key);
    int rc = mdb_del(t->txn, t->k->dbi[table], &k, NULL);
    if (rc == MDB_MAP_FULL)
        t->map_full = true;
    return rc ? kv_error(rc, t->k->names[table], e) : ERR_OK;
}

enum err_code kv_seek(struct kv_txn *t, unsigned table, struct slice from, bool after, struct slice *key,
                      struct slice *value, struct err *e) {
    MDB_cursor *cursor = NULL;
    MDB_val k = kv_val(from), v;
    int rc = mdb_cursor_open(t->txn, t->k->dbi[table], &cursor);
    if (rc)
        return kv_error(rc, t->k->names[table], e);
    rc = mdb_cursor_get(cursor, &k, &v, from.len ? MDB_SET_RANGE : MDB_FIRST);
    if (rc == 0 && after && from.len && slice_eq(from, slice_of(k.mv_data, k.mv_size)))
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    mdb_cursor_close(cursor);
    if (rc)
        return kv_error(rc, t->k->names[table], e);
    *key = slice_of(k.mv_data, k.mv_size);
    return value ? kv_checked(t, table, k, v, value, e) : ERR_OK;
}

enum err_code kv_count(struct kv_txn *t, unsigned table, uint64_t *count, struct err *e) {
    MDB_stat st;
    int rc = mdb_stat(t->txn, t->k->dbi[table], &st);
    if (rc)
        return kv_error(rc, t->k->names[table], e);
    *count = st.ms_entries;
    return ERR_OK;
}
