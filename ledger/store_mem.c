/* ledger/store_mem.c -- the in-memory twin of a store, with a model of what a sync keeps.
 * Each table is a treap whose nodes never change once published: a transaction is a set of roots, a snapshot costs
 * one reference, and a crash means going back to older roots. Priorities are hashes of keys, so that equal contents
 * have equal shape and a run can be repeated.
 * Thread rule: `lock` guards which version is current; nodes are shared by atomic reference counts. */
#include "ledger/store_impl.h"

#include "wire/buf.h"
#include "wire/digest.h"
#include "wire/mem.h"

#include <pthread.h>

enum { STORE_MEM_UNSYNCED = 1024 }; /* commits held back at most */

struct store_mem_blob { /* key and raw value */
    atomic_uint refs;
    size_t key_len, raw_len;
    uint8_t bytes[];
};
struct store_mem_node {
    atomic_uint refs;
    uint64_t prio;
    struct store_mem_blob *blob;
    struct store_mem_node *left, *right;
};
struct store_mem_version {
    struct store_mem_node *root[STORE_TABLE_COUNT];
    uint64_t count[STORE_TABLE_COUNT];
};
struct store_mem {
    struct store base;
    pthread_mutex_t lock;
    struct store_mem_version current, durable;
    struct store_mem_version unsynced[STORE_MEM_UNSYNCED]; /* oldest first */
    unsigned unsynced_count;
    bool hold;
    unsigned fail_nth;
    enum err_code fail_code;
    uint64_t life; /* counts crashes: transactions of an earlier life are dead */
};
struct store_mem_txn {
    struct store_txn base;
    struct store_mem_version v;
    uint64_t life;
};

static struct store_mem *store_mem_of(struct store *s) {
    return (struct store_mem *)(void *)s;
}
static struct store_mem_txn *store_mem_txn_of(struct store_txn *t) {
    return (struct store_mem_txn *)(void *)t;
}

/* ---- nodes ---- */

static struct slice store_mem_key(const struct store_mem_node *n) {
    return slice_of(n->blob->bytes, n->blob->key_len);
}
static struct slice store_mem_raw(const struct store_mem_node *n) {
    return slice_of(n->blob->bytes + n->blob->key_len, n->blob->raw_len);
}

static struct store_mem_node *store_mem_keep(struct store_mem_node *n) {
    if (n)
        atomic_fetch_add(&n->refs, 1);
    return n;
}

static void store_mem_drop(struct store_mem_node *n) {
    while (n && atomic_fetch_sub(&n->refs, 1) == 1) {
        struct store_mem_node *right = n->right;
        store_mem_drop(n->left);
        if (atomic_fetch_sub(&n->blob->refs, 1) == 1)
            mem_free(n->blob);
        mem_free(n);
        n = right;
    }
}

static struct store_mem_blob *store_mem_blob(struct slice key, struct slice value, struct slice tail) {
    struct store_mem_blob *b = mem_alloc(sizeof *b + key.len + value.len + tail.len);
    uint8_t *p;
    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->key_len = key.len;
    b->raw_len = value.len + tail.len;
    p = b->bytes;
    if (key.len)
        memcpy(p, key.ptr, key.len);
    if (value.len)
        memcpy(p + key.len, value.ptr, value.len);
    if (tail.len)
        memcpy(p + key.len + value.len, tail.ptr, tail.len);
    return b;
}

/* A new node that shares n's blob; children are given (and taken over). */
static struct store_mem_node *store_mem_node(struct store_mem_blob *blob, uint64_t prio, struct store_mem_node *left,
                                             struct store_mem_node *right) {
    struct store_mem_node *n = mem_alloc(sizeof *n);
    if (!n) {
        store_mem_drop(left);
        store_mem_drop(right);
        return NULL;
    }
    atomic_init(&n->refs, 1);
    atomic_fetch_add(&blob->refs, 1);
    n->blob = blob;
    n->prio = prio;
    n->left = left;
    n->right = right;
    return n;
}

/* The treap with blob in it; n is borrowed. NULL: out of memory. *fresh tells that the key was new. */
static struct store_mem_node *store_mem_insert(struct store_mem_node *n, struct store_mem_blob *blob, uint64_t prio,
                                               bool *fresh) {
    struct slice key = slice_of(blob->bytes, blob->key_len);
    struct store_mem_node *child, *up;
    int c;
    if (!n) {
        *fresh = true;
        return store_mem_node(blob, prio, NULL, NULL);
    }
    c = slice_cmp(key, store_mem_key(n));
    if (c == 0)
        return store_mem_node(blob, prio, store_mem_keep(n->left), store_mem_keep(n->right));
    child = store_mem_insert(c < 0 ? n->left : n->right, blob, prio, fresh);
    if (!child)
        return NULL;
    if (c < 0) {
        up = store_mem_node(n->blob, n->prio, child, store_mem_keep(n->right));
        if (!up || child->prio <= up->prio)
            return up;
        up->left = child->right; /* both are new and ours alone: rotate in place */
        child->right = up;
        return child;
    }
    up = store_mem_node(n->blob, n->prio, store_mem_keep(n->left), child);
    if (!up || child->prio <= up->prio)
        return up;
    up->right = child->left;
    child->left = up;
    return child;
}

/* One treap of two, all keys of a below those of b; both borrowed. *ok false: out of memory. */
static struct store_mem_node *store_mem_merge(struct store_mem_node *a, struct store_mem_node *b, bool *ok) {
    struct store_mem_node *child, *n;
    if (!a || !b)
        return store_mem_keep(a ? a : b);
    if (a->prio > b->prio) {
        child = store_mem_merge(a->right, b, ok);
        n = *ok ? store_mem_node(a->blob, a->prio, store_mem_keep(a->left), child) : NULL;
    } else {
        child = store_mem_merge(a, b->left, ok);
        n = *ok ? store_mem_node(b->blob, b->prio, child, store_mem_keep(b->right)) : NULL;
    }
    *ok = *ok && n;
    return n;
}

/* The treap without key, which is in it; n is borrowed. */
static struct store_mem_node *store_mem_remove(struct store_mem_node *n, struct slice key, bool *ok) {
    int c = slice_cmp(key, store_mem_key(n));
    struct store_mem_node *child, *up;
    if (c == 0)
        return store_mem_merge(n->left, n->right, ok);
    child = store_mem_remove(c < 0 ? n->left : n->right, key, ok);
    if (!*ok)
        return NULL;
    up = c < 0 ? store_mem_node(n->blob, n->prio, child, store_mem_keep(n->right))
               : store_mem_node(n->blob, n->prio, store_mem_keep(n->left), child);
    *ok = up != NULL;
    return up;
}

static const struct store_mem_node *store_mem_find(const struct store_mem_node *n, enum store_seek how,
                                                   struct slice from) {
    const struct store_mem_node *best = NULL;
    bool up = how == STORE_AT_OR_ABOVE || how == STORE_ABOVE;
    bool equal = how == STORE_AT_OR_ABOVE || how == STORE_AT_OR_BELOW;
    bool last = how == STORE_BELOW && !from.ptr;
    while (n) {
        int c = last ? -1 : slice_cmp(store_mem_key(n), from);
        if (c == 0 && equal)
            return n;
        if (up ? c > 0 : c < 0) {
            best = n;
            n = up ? n->left : n->right;
        } else {
            n = up ? n->right : n->left;
        }
    }
    return best;
}

/* ---- versions ---- */

static void store_mem_version_copy(struct store_mem_version *to, const struct store_mem_version *from) {
    unsigned i;
    *to = *from;
    for (i = 0; i < STORE_TABLE_COUNT; i++)
        store_mem_keep(to->root[i]);
}
static void store_mem_version_drop(struct store_mem_version *v) {
    unsigned i;
    for (i = 0; i < STORE_TABLE_COUNT; i++)
        store_mem_drop(v->root[i]);
    memset(v, 0, sizeof *v);
}
static void store_mem_version_set(struct store_mem_version *to, const struct store_mem_version *from) {
    struct store_mem_version old = *to;
    store_mem_version_copy(to, from);
    store_mem_version_drop(&old);
}

/* ---- operations ---- */

static unsigned store_mem_slot(enum store_table table) {
    ERR_ASSERT((int)table >= 1 && (int)table <= STORE_TABLE_COUNT);
    return (unsigned)table - 1;
}

static void store_mem_close(struct store *base) {
    struct store_mem *s = store_mem_of(base);
    unsigned i;
    for (i = 0; i < s->unsynced_count; i++)
        store_mem_version_drop(&s->unsynced[i]);
    store_mem_version_drop(&s->current);
    store_mem_version_drop(&s->durable);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

static enum err_code store_mem_begin(struct store *base, bool write, struct store_txn **out, struct err *e) {
    struct store_mem *s = store_mem_of(base);
    struct store_mem_txn *t = mem_zalloc(1, sizeof *t);
    if (!t)
        return err_set(e, ERR_NO_MEMORY, "a transaction");
    t->base.store = base;
    t->base.write = write;
    pthread_mutex_lock(&s->lock);
    store_mem_version_copy(&t->v, &s->current);
    t->life = s->life;
    pthread_mutex_unlock(&s->lock);
    *out = &t->base;
    return ERR_OK;
}

static void store_mem_abort(struct store_txn *base) {
    struct store_mem_txn *t = store_mem_txn_of(base);
    store_mem_version_drop(&t->v);
    mem_free(t);
}

static enum err_code store_mem_commit(struct store_txn *base, struct err *e) {
    struct store_mem_txn *t = store_mem_txn_of(base);
    struct store_mem *s = store_mem_of(base->store);
    enum err_code code = ERR_OK;
    pthread_mutex_lock(&s->lock);
    if (t->life != s->life)
        code = err_set(e, ERR_IO, "the machine stopped during this transaction");
    else if (s->fail_nth && --s->fail_nth == 0)
        code = err_set(e, s->fail_code, "injected fault");
    if (code == ERR_OK) {
        store_mem_version_set(&s->current, &t->v);
        if (!s->hold) {
            store_mem_version_set(&s->durable, &t->v);
        } else {
            ERR_ASSERT(s->unsynced_count < STORE_MEM_UNSYNCED);
            store_mem_version_copy(&s->unsynced[s->unsynced_count++], &t->v);
        }
    }
    pthread_mutex_unlock(&s->lock);
    store_mem_abort(base);
    return code;
}

static enum err_code store_mem_get(struct store_txn *base, enum store_table table, struct slice key, struct slice *raw,
                                   struct err *e) {
    struct store_mem_txn *t = store_mem_txn_of(base);
    const struct store_mem_node *n = store_mem_find(t->v.root[store_mem_slot(table)], STORE_AT_OR_ABOVE, key);
    if (!n || !slice_eq(store_mem_key(n), key))
        return err_set(e, ERR_NOT_FOUND, "not in table %s", store_table_name(table));
    *raw = store_mem_raw(n);
    return ERR_OK;
}

static enum err_code store_mem_put(struct store_txn *base, enum store_table table, struct slice key, struct slice value,
                                   struct slice tail, bool append, struct err *e) {
    struct store_mem_txn *t = store_mem_txn_of(base);
    unsigned i = store_mem_slot(table);
    const struct store_mem_node *last = append ? store_mem_find(t->v.root[i], STORE_BELOW, slice_none()) : NULL;
    struct store_mem_blob *blob;
    struct store_mem_node *root;
    struct digest d = digest_of(key);
    bool fresh = false;
    if (last && slice_cmp(key, store_mem_key(last)) <= 0)
        return err_set(e, ERR_CONFLICT, "append to table %s below its last key", store_table_name(table));
    blob = store_mem_blob(key, value, tail);
    root = blob ? store_mem_insert(t->v.root[i], blob, buf_get64(d.b), &fresh) : NULL;
    if (blob && atomic_fetch_sub(&blob->refs, 1) == 1)
        mem_free(blob);
    if (!root)
        return err_set(e, ERR_NO_MEMORY, "a value of table %s", store_table_name(table));
    store_mem_drop(t->v.root[i]);
    t->v.root[i] = root;
    t->v.count[i] += fresh;
    return ERR_OK;
}

static enum err_code store_mem_del(struct store_txn *base, enum store_table table, struct slice key, struct err *e) {
    struct store_mem_txn *t = store_mem_txn_of(base);
    unsigned i = store_mem_slot(table);
    struct store_mem_node *root;
    struct slice raw;
    bool ok = true;
    enum err_code code = store_mem_get(base, table, key, &raw, e);
    if (code != ERR_OK)
        return code;
    root = store_mem_remove(t->v.root[i], key, &ok);
    if (!ok)
        return err_set(e, ERR_NO_MEMORY, "a deletion from table %s", store_table_name(table));
    store_mem_drop(t->v.root[i]);
    t->v.root[i] = root;
    t->v.count[i]--;
    return ERR_OK;
}

static enum err_code store_mem_seek(struct store_txn *base, enum store_table table, enum store_seek how,
                                    struct slice from, struct slice *key, struct slice *raw, struct err *e) {
    struct store_mem_txn *t = store_mem_txn_of(base);
    const struct store_mem_node *n = store_mem_find(t->v.root[store_mem_slot(table)], how, from);
    if (!n)
        return err_set(e, ERR_NOT_FOUND, "no such key in table %s", store_table_name(table));
    *key = store_mem_key(n);
    *raw = store_mem_raw(n);
    return ERR_OK;
}

static enum err_code store_mem_count(struct store_txn *base, enum store_table table, uint64_t *count, struct err *e) {
    (void)e;
    *count = store_mem_txn_of(base)->v.count[store_mem_slot(table)];
    return ERR_OK;
}

static enum err_code store_mem_clear_dead(struct store *base, unsigned *cleared, struct err *e) {
    (void)base;
    (void)e;
    *cleared = 0;
    return ERR_OK;
}

static struct store_usage store_mem_usage(struct store *base) {
    (void)base;
    return (struct store_usage){0, 0};
}

static const struct store_ops store_mem_ops = {store_mem_close, store_mem_begin,      store_mem_commit, store_mem_abort,
                                               store_mem_get,   store_mem_put,        store_mem_del,    store_mem_seek,
                                               store_mem_count, store_mem_clear_dead, store_mem_usage};

enum err_code store_open_mem(struct store **out, struct err *e) {
    struct store_mem *s = mem_zalloc(1, sizeof *s);
    if (!s)
        return err_set(e, ERR_NO_MEMORY, "a store");
    s->base.ops = &store_mem_ops;
    atomic_init(&s->base.poison, ERR_OK);
    pthread_mutex_init(&s->lock, NULL);
    *out = &s->base;
    return ERR_OK;
}

/* ---- the disk's model ---- */

void store_mem_hold(struct store *base, bool hold) {
    ERR_ASSERT(base->ops == &store_mem_ops);
    store_mem_of(base)->hold = hold;
}

unsigned store_mem_unsynced(const struct store *base) {
    return ((const struct store_mem *)(const void *)base)->unsynced_count;
}

/* Keeps the first `keep` held commits as durable and forgets that there were others. */
static void store_mem_settle(struct store_mem *s, unsigned keep) {
    unsigned i;
    if (keep > s->unsynced_count)
        keep = s->unsynced_count;
    if (keep > 0)
        store_mem_version_set(&s->durable, &s->unsynced[keep - 1]);
    for (i = 0; i < s->unsynced_count; i++)
        store_mem_version_drop(&s->unsynced[i]);
    s->unsynced_count = 0;
}

enum err_code store_mem_sync(struct store *base, struct err *e) {
    struct store_mem *s = store_mem_of(base);
    ERR_ASSERT(base->ops == &store_mem_ops);
    if (store_poisoned(base))
        return err_set(e, (enum err_code)atomic_load(&base->poison), "the store is poisoned");
    pthread_mutex_lock(&s->lock);
    store_mem_settle(s, s->unsynced_count);
    pthread_mutex_unlock(&s->lock);
    return ERR_OK;
}

void store_mem_crash(struct store *base, unsigned keep) {
    struct store_mem *s = store_mem_of(base);
    ERR_ASSERT(base->ops == &store_mem_ops);
    pthread_mutex_lock(&s->lock);
    store_mem_settle(s, keep);
    store_mem_version_set(&s->current, &s->durable);
    s->life++;
    s->fail_nth = 0;
    s->hold = false;
    base->writing = false;
    atomic_store(&base->poison, ERR_OK);
    pthread_mutex_unlock(&s->lock);
}

void store_mem_fail_at(struct store *base, unsigned nth, enum err_code code) {
    struct store_mem *s = store_mem_of(base);
    ERR_ASSERT(base->ops == &store_mem_ops);
    s->fail_nth = nth;
    s->fail_code = code;
}
