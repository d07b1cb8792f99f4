/* ledger/vault.c -- see vault.h.
 * Tables: items (raw_hash -> encrypted item), meta (raw_hash -> canonical map), tombs (raw_hash -> canonical map),
 * state ("key" -> digest of the vault key). */
#include "ledger/vault.h"

#include "ledger/group.h"
#include "ledger/kv.h"
#include "wire/mem.h"

#include <sodium.h>
#include <zstd.h>

enum { VAULT_ITEMS, VAULT_META, VAULT_TOMBS, VAULT_STATE };
static const char *const vault_tables[] = {"items", "meta", "tombs", "state"};

enum {
    VAULT_VERSION = 1,
    VAULT_NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    VAULT_TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    VAULT_HEAD = 1 + VAULT_NONCE,                        /* before the box */
    VAULT_PLAIN_HEAD = 1 + 1 + COMMITMENT_SALT_SIZE + 8, /* in the box, before the compressed log */
    VAULT_STORED_MAX = VAULT_HEAD + VAULT_PLAIN_HEAD + VAULT_RAW_MAX + (VAULT_RAW_MAX >> 7) + 1024 + VAULT_TAG
};

struct vault {
    struct group puts;
    struct kv *kv;
    uint8_t *key;    /* guarded */
    ZSTD_CCtx *zstd; /* whoever is in kv_update: a context of its own for each log costs more than the log */
};

#define AT(type, member) .offset = offsetof(struct type, member)
#define OPTIONAL         .flags = SCHEMA_OPTIONAL
static const struct schema_field meta_fields[] = {
    {.key = "hold", .type = SCHEMA_BOOL, OPTIONAL, AT(vault_meta, hold)},
    {.key = "retain_until", .type = SCHEMA_I64, OPTIONAL, AT(vault_meta, retain_until)},
    {.key = "seq", .type = SCHEMA_U64, OPTIONAL, AT(vault_meta, seq)},
    {.key = "size", .type = SCHEMA_U64, OPTIONAL, AT(vault_meta, size)},
    {.key = "source", .type = SCHEMA_STR, OPTIONAL, AT(vault_meta, source), .max = 64},
    {.key = "time", .type = SCHEMA_I64, OPTIONAL, AT(vault_meta, time)},
    {.key = "uid", .type = SCHEMA_FIXED, OPTIONAL, AT(vault_meta, uid), .max = RECORD_UID_SIZE},
};
static const struct schema meta_schema = SCHEMA_OF("vault meta", struct vault_meta, meta_fields);

struct tomb { /* vault_tombstone as stored */
    bool announced;
    struct slice reason;
    int64_t time;
    uint64_t what;
};
static const struct schema_field tomb_fields[] = {
    {.key = "announced", .type = SCHEMA_BOOL, OPTIONAL, AT(tomb, announced)},
    {.key = "reason", .type = SCHEMA_STR, OPTIONAL, AT(tomb, reason), .max = VAULT_REASON_MAX},
    {.key = "time", .type = SCHEMA_I64, OPTIONAL, AT(tomb, time)},
    {.key = "what", .type = SCHEMA_U64, AT(tomb, what), .min = 1, .max = VAULT_ERASE_BOTH},
};
static const struct schema tomb_schema = SCHEMA_OF("tombstone", struct tomb, tomb_fields);

const char *vault_state_text(enum vault_state s) {
    static const char *const texts[] = {"unknown", "found", "missing", "damaged", "erased"};
    return texts[(unsigned)s <= VAULT_ERASED ? s : 0];
}

/* ---- opening ---- */

static enum err_code vault_bind(struct kv_txn *t, void *ctx, struct err *e) {
    struct slice have, key = slice_str("key");
    const struct digest *id = ctx;
    enum err_code c = kv_get(t, VAULT_STATE, key, &have, e);
    if (c == ERR_NOT_FOUND)
        return kv_put(t, VAULT_STATE, key, digest_slice(id), e);
    if (c)
        return c;
    return slice_eq(have, digest_slice(id)) ? ERR_OK : err_set(e, ERR_MISMATCH, "the vault was made with another key");
}

enum err_code vault_open(const char *dir, const uint8_t key[VAULT_KEY_SIZE], struct vault **out, struct err *e) {
    const struct kv_options o = {.tables = vault_tables, .table_count = 4};
    struct vault *v = mem_zalloc(1, sizeof *v);
    if (!v)
        return err_set(e, ERR_NO_MEMORY, "vault");
    group_init(&v->puts);
    v->key = sodium_malloc(VAULT_KEY_SIZE);
    v->zstd = ZSTD_createCCtx();
    enum err_code c = v->key && v->zstd ? kv_open(dir, &o, &v->kv, e) : err_set(e, ERR_NO_MEMORY, "vault");
    if (!c) {
        memcpy(v->key, key, VAULT_KEY_SIZE);
        struct digest id = digest_tagged("assay/vault-key/v1", slice_of(key, VAULT_KEY_SIZE));
        c = kv_update(v->kv, vault_bind, &id, e);
    }
    if (c)
        vault_close(v);
    else
        *out = v;
    return c;
}

void vault_close(struct vault *v) {
    if (!v)
        return;
    kv_close(v->kv);
    group_release(&v->puts);
    ZSTD_freeCCtx(v->zstd);
    sodium_free(v->key);
    mem_free(v);
}

struct kv *vault_kv(struct vault *v) {
    return v->kv;
}

enum err_code vault_compact(struct vault *v, struct err *e) {
    return kv_compact(v->kv, e);
}

/* ---- an item's bytes ---- */

struct vault_content {
    enum record_commitment how;
    uint8_t parts; /* bits of vault_erase that are still there */
    uint8_t salt[COMMITMENT_SALT_SIZE];
    struct slice raw;
};

static enum err_code vault_seal(const struct vault *v, const struct digest *hash, const struct vault_content *in,
                                struct buf *out, struct err *e) {
    buf_clear(out);
    buf_u8(out, VAULT_VERSION);
    uint8_t *nonce = buf_extend(out, VAULT_NONCE);
    if (nonce)
        randombytes_buf(nonce, VAULT_NONCE);
    buf_u8(out, (uint8_t)in->how);
    buf_u8(out, in->parts);
    buf_bytes(out, in->salt, sizeof in->salt);
    buf_be64(out, in->raw.len);
    size_t at = out->len, room = ZSTD_compressBound(in->raw.len);
    uint8_t *body = buf_extend(out, room + VAULT_TAG);
    if (!body)
        return buf_check(out, e);
    size_t packed = ZSTD_compressCCtx(v->zstd, body, room, in->raw.ptr, in->raw.len, 1);
    if (ZSTD_isError(packed))
        return err_set(e, ERR_NO_MEMORY, "compressing a raw log: %s", ZSTD_getErrorName(packed));
    unsigned long long sealed = 0;
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out->ptr + VAULT_HEAD, &sealed, out->ptr + VAULT_HEAD,
                                                     at - VAULT_HEAD + packed, hash->b, sizeof hash->b, NULL,
                                                     out->ptr + 1, v->key);
    out->len = VAULT_HEAD + (size_t)sealed;
    return ERR_OK;
}

/* MISMATCH: damaged, e says how. raw's contents are replaced by the log. */
static enum err_code vault_unseal(const struct vault *v, const struct digest *hash, struct slice stored,
                                  struct buf *raw, struct vault_content *out, struct err *e) {
    struct buf plain;
    enum err_code c = ERR_OK;
    unsigned long long len = 0;
    buf_clear(raw);
    if (stored.len < VAULT_HEAD + VAULT_PLAIN_HEAD + VAULT_TAG || stored.ptr[0] != VAULT_VERSION)
        return err_set(e, ERR_MISMATCH, "the stored item has not the form of one");
    buf_init(&plain, VAULT_STORED_MAX);
    uint8_t *p = buf_extend(&plain, stored.len - VAULT_HEAD - VAULT_TAG);
    if (!p) {
        c = buf_check(&plain, e);
        goto out;
    }
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(p, &len, NULL, stored.ptr + VAULT_HEAD, stored.len - VAULT_HEAD,
                                                   hash->b, sizeof hash->b, stored.ptr + 1, v->key) != 0) {
        c = err_set(e, ERR_MISMATCH, "the stored item does not open under the vault's key");
        goto out;
    }
    uint64_t size = buf_get64(p + VAULT_PLAIN_HEAD - 8);
    out->how = p[0] == RECORD_PLAIN ? RECORD_PLAIN : RECORD_SALTED;
    out->parts = p[1];
    memcpy(out->salt, p + 2, COMMITMENT_SALT_SIZE);
    if (size > VAULT_RAW_MAX) {
        c = err_set(e, ERR_MISMATCH, "the stored item claims %llu bytes", (unsigned long long)size);
        goto out;
    }
    uint8_t *to = buf_extend(raw, (size_t)size);
    if (!to && raw->failed) {
        c = buf_check(raw, e);
        goto out;
    }
    uint8_t none;
    size_t n = ZSTD_decompress(to ? to : &none, (size_t)size, p + VAULT_PLAIN_HEAD, (size_t)len - VAULT_PLAIN_HEAD);
    if (ZSTD_isError(n) || n != size)
        c = err_set(e, ERR_MISMATCH, "the stored item does not decompress");
    out->raw = buf_slice(raw);
out:
    if (plain.ptr)
        sodium_memzero(plain.ptr, plain.len);
    buf_release(&plain);
    if (c)
        buf_clear(raw);
    return c;
}

/* ---- metadata and tombstones ---- */

static enum err_code vault_doc_put(struct kv_txn *t, unsigned table, const struct digest *hash,
                                   const struct schema *schema, const void *doc, struct err *e) {
    struct buf b;
    buf_init(&b, 4096);
    schema_write(schema, doc, &b);
    enum err_code c = buf_check(&b, e);
    if (!c)
        c = kv_put(t, table, digest_slice(hash), buf_slice(&b), e);
    buf_release(&b);
    return c;
}

/* The document borrows from the transaction. NOT_FOUND, CORRUPT. */
static enum err_code vault_doc_get(struct kv_txn *t, unsigned table, const struct digest *hash,
                                   const struct schema *schema, void *doc, struct err *e) {
    struct slice bytes;
    struct arena a;
    enum err_code c = kv_get(t, table, digest_slice(hash), &bytes, e);
    if (c)
        return c;
    arena_init(&a, 4096); /* these documents have no lists */
    c = schema_read(schema, bytes, &a, doc, e);
    arena_release(&a);
    return c == ERR_NO_MEMORY || !c ? c : err_set(e, ERR_CORRUPT, "%s", schema->name);
}

/* ---- putting ---- */

/* One caller's items. */
struct vault_request {
    struct group_request group; /* first */
    const struct vault_item *items;
    size_t count;
};

struct vault_putting {
    struct vault *v;
    struct group_request *list;
    struct buf scratch;
};

/* Met again: the first log stays, the stricter keeping wins. */
static enum err_code vault_merge(struct kv_txn *t, const struct vault_item *it, struct err *e) {
    struct vault_meta m;
    enum err_code c = vault_doc_get(t, VAULT_META, &it->raw_hash, &meta_schema, &m, e);
    if (c == ERR_NOT_FOUND || c == ERR_CORRUPT) {
        m = it->meta;
        m.size = it->raw.len;
    } else if (c) {
        return c;
    }
    char source[64]; /* the put below ends what m borrows */
    if (m.source.len > sizeof source)
        return err_set(e, ERR_TOO_LARGE, "source of %zu bytes", m.source.len);
    if (m.source.len)
        memcpy(source, m.source.ptr, m.source.len);
    m.source.ptr = m.source.len ? (const uint8_t *)source : NULL;
    m.hold = m.hold || it->meta.hold;
    if (it->meta.retain_until > m.retain_until)
        m.retain_until = it->meta.retain_until;
    return vault_doc_put(t, VAULT_META, &it->raw_hash, &meta_schema, &m, e);
}

static enum err_code vault_put_one(struct kv_txn *t, struct vault_putting *p, const struct vault_item *it,
                                   struct err *e) {
    struct slice have;
    struct tomb tomb;
    enum err_code c = vault_doc_get(t, VAULT_TOMBS, &it->raw_hash, &tomb_schema, &tomb, e);
    if (c != ERR_NOT_FOUND)
        return c == ERR_CORRUPT ? ERR_OK : c; /* V3: erased stays erased, also when the tombstone is damaged */
    c = kv_get(t, VAULT_ITEMS, digest_slice(&it->raw_hash), &have, e);
    if (!c)
        return vault_merge(t, it, e);
    if (c != ERR_NOT_FOUND && c != ERR_CORRUPT) /* what is damaged is replaced */
        return c;
    struct vault_content content = {it->how, VAULT_ERASE_BOTH, {0}, it->raw};
    memcpy(content.salt, it->salt, sizeof content.salt);
    c = vault_seal(p->v, &it->raw_hash, &content, &p->scratch, e);
    if (!c)
        c = kv_put(t, VAULT_ITEMS, digest_slice(&it->raw_hash), buf_slice(&p->scratch), e);
    if (c)
        return c;
    struct vault_meta m = it->meta;
    m.size = it->raw.len;
    return vault_doc_put(t, VAULT_META, &it->raw_hash, &meta_schema, &m, e);
}

static enum err_code vault_put_all(struct kv_txn *t, void *ctx, struct err *e) {
    struct vault_putting *p = ctx;
    enum err_code c = ERR_OK;
    for (const struct group_request *g = p->list; !c && g; g = g->next) {
        const struct vault_request *r = (const struct vault_request *)g;
        for (size_t i = 0; !c && i < r->count; i++)
            c = vault_put_one(t, p, &r->items[i], e);
    }
    return c;
}

static void vault_put_run(void *ctx, struct group_request *list) {
    struct vault_putting p = {.v = ctx, .list = list};
    struct err e = {0};
    buf_init(&p.scratch, VAULT_STORED_MAX);
    enum err_code c = kv_update(p.v->kv, vault_put_all, &p, &e);
    for (struct group_request *g = list; g; g = g->next) {
        g->rc = c;
        g->e = e;
    }
    buf_release(&p.scratch);
}

enum err_code vault_put(struct vault *v, const struct vault_item *items, size_t count, struct err *e) {
    struct vault_request r = {.items = items, .count = count, .group.weight = count};
    if (count > VAULT_PUT_MAX)
        return err_set(e, ERR_TOO_LARGE, "%zu items at once", count);
    for (size_t i = 0; i < count; i++)
        if (items[i].raw.len > VAULT_RAW_MAX || items[i].meta.source.len > 64)
            return err_set(e, ERR_TOO_LARGE, "raw log of %zu bytes, source of %zu", items[i].raw.len,
                           items[i].meta.source.len);
    return count ? group_commit(&v->puts, &r.group, VAULT_PUT_MAX, vault_put_run, v, e) : ERR_OK;
}

/* ---- getting ---- */

/* Metadata never decide whether a log is found: damaged ones come back empty. */
static enum err_code vault_get_meta(struct kv_txn *t, const struct digest *hash, struct buf *raw,
                                    struct vault_item *item, struct err *e) {
    enum err_code c = vault_doc_get(t, VAULT_META, hash, &meta_schema, &item->meta, e);
    if (c) {
        item->meta = (struct vault_meta){.size = item->raw.len};
        return c == ERR_NOT_FOUND || c == ERR_CORRUPT ? ERR_OK : c;
    }
    size_t len = item->raw.len;
    buf_append(raw, item->meta.source); /* may move the log */
    c = buf_check(raw, e);
    if (!c) {
        item->raw = slice_of(raw->ptr, len);
        item->meta.source = item->meta.source.len ? slice_of(raw->ptr + len, item->meta.source.len) : slice_none();
    }
    return c;
}

static enum err_code vault_look(struct vault *v, struct kv_txn *t, const struct digest *hash, enum vault_state *state,
                                struct buf *raw, struct vault_item *item, struct err *e) {
    struct tomb tomb;
    struct slice stored;
    struct vault_content content = {0};
    enum err_code c = vault_doc_get(t, VAULT_TOMBS, hash, &tomb_schema, &tomb, e);
    if (c == ERR_OK || c == ERR_CORRUPT) {
        *state = c ? VAULT_DAMAGED : VAULT_ERASED;
        (void)err_set(e, c ? ERR_CORRUPT : ERR_NOT_FOUND, c ? "the tombstone is damaged" : "it was erased");
        return ERR_OK;
    }
    if (c != ERR_NOT_FOUND)
        return c;
    c = kv_get(t, VAULT_ITEMS, digest_slice(hash), &stored, e);
    if (!c)
        c = vault_unseal(v, hash, stored, raw, &content, e);
    if (c == ERR_NOT_FOUND || c == ERR_CORRUPT || c == ERR_MISMATCH) {
        *state = c == ERR_NOT_FOUND ? VAULT_MISSING : VAULT_DAMAGED;
        return ERR_OK;
    }
    if (c)
        return c;
    *state = VAULT_FOUND;
    item->raw_hash = *hash;
    item->how = content.how;
    memcpy(item->salt, content.salt, sizeof item->salt);
    item->raw = content.raw;
    return vault_get_meta(t, hash, raw, item, e);
}

enum err_code vault_get(struct vault *v, const struct digest *raw_hash, enum vault_state *state, struct buf *raw,
                        struct vault_item *item, struct err *e) {
    struct kv_txn *t = NULL;
    memset(item, 0, sizeof *item);
    buf_clear(raw);
    enum err_code c = kv_read(v->kv, &t, e);
    if (!c)
        c = vault_look(v, t, raw_hash, state, raw, item, e);
    kv_read_end(t);
    return c;
}

/* ---- keeping and erasing ---- */

struct vault_changing {
    struct vault *v;
    const struct digest *hash;
    bool set_hold, hold;
    int64_t time; /* retention, or now */
    enum vault_erase what;
    struct slice reason;
};

static enum err_code vault_keep(struct kv_txn *t, void *ctx, struct err *e) {
    const struct vault_changing *g = ctx;
    struct vault_meta m;
    char source[64];
    enum err_code c = vault_doc_get(t, VAULT_META, g->hash, &meta_schema, &m, e);
    if (c)
        return c;
    if (m.source.len) { /* at most 64 by its table */
        memcpy(source, m.source.ptr, m.source.len);
        m.source.ptr = (const uint8_t *)source;
    }
    if (g->set_hold)
        m.hold = g->hold;
    else
        m.retain_until = g->time;
    return vault_doc_put(t, VAULT_META, g->hash, &meta_schema, &m, e);
}

enum err_code vault_hold(struct vault *v, const struct digest *raw_hash, bool hold, struct err *e) {
    struct vault_changing g = {.v = v, .hash = raw_hash, .set_hold = true, .hold = hold};
    return kv_update(v->kv, vault_keep, &g, e);
}

enum err_code vault_retain(struct vault *v, const struct digest *raw_hash, int64_t until, struct err *e) {
    struct vault_changing g = {.v = v, .hash = raw_hash, .time = until};
    return kv_update(v->kv, vault_keep, &g, e);
}

/* V4. Metadata that can't be read forbid too: a hold might have stood there. */
static enum err_code vault_may_erase(struct kv_txn *t, const struct vault_changing *g, struct err *e) {
    struct vault_meta m;
    enum err_code c = vault_doc_get(t, VAULT_META, g->hash, &meta_schema, &m, e);
    if (c)
        return c;
    if (m.hold)
        return err_set(e, ERR_NOT_ALLOWED, "under legal hold");
    if (m.retain_until > g->time)
        return err_set(e, ERR_NOT_ALLOWED, "to be kept until %lld (ms since 1970)", (long long)m.retain_until);
    return ERR_OK;
}

/* Rewrites the item without the parts that go. A damaged one is removed whole. */
static enum err_code vault_strip(struct kv_txn *t, struct vault *v, const struct digest *hash, unsigned gone,
                                 struct err *e) {
    struct slice stored;
    struct vault_content content;
    struct buf raw, again;
    buf_init(&raw, VAULT_GET_MAX);
    buf_init(&again, VAULT_STORED_MAX);
    bool keep = gone != VAULT_ERASE_BOTH;
    enum err_code c = kv_get(t, VAULT_ITEMS, digest_slice(hash), &stored, e);
    if (!c && keep)
        c = vault_unseal(v, hash, stored, &raw, &content, e);
    if (c == ERR_CORRUPT || c == ERR_MISMATCH) {
        keep = false;
        c = ERR_OK;
    }
    if (!c && keep) {
        content.parts = (uint8_t)(content.parts & ~gone);
        if (gone & VAULT_ERASE_RAW)
            content.raw = slice_none();
        if (gone & VAULT_ERASE_SALT)
            sodium_memzero(content.salt, sizeof content.salt);
        c = vault_seal(v, hash, &content, &again, e);
        if (!c)
            c = kv_put(t, VAULT_ITEMS, digest_slice(hash), buf_slice(&again), e);
    } else if (!c) {
        c = kv_del(t, VAULT_ITEMS, digest_slice(hash), e);
    }
    if (raw.ptr)
        sodium_memzero(raw.ptr, raw.len);
    buf_release(&raw);
    buf_release(&again);
    return c;
}

static enum err_code vault_erase_one(struct kv_txn *t, void *ctx, struct err *e) {
    const struct vault_changing *g = ctx;
    struct tomb tomb;
    unsigned before = 0;
    enum err_code c = vault_doc_get(t, VAULT_TOMBS, g->hash, &tomb_schema, &tomb, e);
    if (!c)
        before = (unsigned)tomb.what;
    else if (c != ERR_NOT_FOUND)
        return c;
    unsigned gone = before | (unsigned)g->what;
    if (gone == before)
        return err_set(e, ERR_CONFLICT, "erased already");
    c = vault_may_erase(t, g, e);
    if (!c)
        c = vault_strip(t, g->v, g->hash, gone, e);
    if (c)
        return c;
    tomb = (struct tomb){.reason = g->reason, .time = g->time, .what = gone};
    return vault_doc_put(t, VAULT_TOMBS, g->hash, &tomb_schema, &tomb, e);
}

enum err_code vault_erase(struct vault *v, const struct digest *raw_hash, enum vault_erase what, int64_t now,
                          struct slice reason, struct err *e) {
    struct vault_changing g = {.v = v, .hash = raw_hash, .time = now, .what = what, .reason = reason};
    if (reason.len > VAULT_REASON_MAX)
        return err_set(e, ERR_TOO_LARGE, "a reason of %zu bytes", reason.len);
    return kv_update(v->kv, vault_erase_one, &g, e);
}

static enum err_code vault_announce(struct kv_txn *t, void *ctx, struct err *e) {
    const struct vault_changing *g = ctx;
    struct tomb tomb;
    char reason[VAULT_REASON_MAX];
    enum err_code c = vault_doc_get(t, VAULT_TOMBS, g->hash, &tomb_schema, &tomb, e);
    if (c)
        return c;
    if (tomb.reason.len) {
        memcpy(reason, tomb.reason.ptr, tomb.reason.len);
        tomb.reason.ptr = (const uint8_t *)reason;
    }
    tomb.announced = true;
    return vault_doc_put(t, VAULT_TOMBS, g->hash, &tomb_schema, &tomb, e);
}

enum err_code vault_announced(struct vault *v, const struct digest *raw_hash, struct err *e) {
    struct vault_changing g = {.v = v, .hash = raw_hash};
    return kv_update(v->kv, vault_announce, &g, e);
}

static enum err_code vault_drop_one(struct kv_txn *t, void *ctx, struct err *e) {
    const struct vault_changing *g = ctx;
    struct vault_meta m;
    enum err_code c = vault_doc_get(t, VAULT_META, g->hash, &meta_schema, &m, e);
    if (!c && m.hold)
        c = err_set(e, ERR_NOT_ALLOWED, "under legal hold");
    if (!c)
        c = kv_del(t, VAULT_META, digest_slice(g->hash), e);
    return c ? c : kv_del(t, VAULT_ITEMS, digest_slice(g->hash), e);
}

enum err_code vault_drop(struct vault *v, const struct digest *raw_hash, struct err *e) {
    struct vault_changing g = {.v = v, .hash = raw_hash};
    return kv_update(v->kv, vault_drop_one, &g, e);
}

/* ---- walks ---- */

/* Calls fn for each key of a table in order, with the code of reading its value; fn ends the walk by *stop. */
typedef enum err_code (*vault_visit)(struct vault *v, struct kv_txn *t, const struct digest *hash, void *ctx,
                                     bool *stop, struct err *e);

static enum err_code vault_walk(struct vault *v, unsigned table, vault_visit fn, void *ctx, struct err *e) {
    struct kv_txn *t = NULL;
    struct digest hash;
    struct slice from = slice_none(), key;
    bool stop = false;
    enum err_code c = kv_read(v->kv, &t, e);
    while (!c && !stop) {
        c = kv_seek(t, table, from, from.len > 0, &key, NULL, e);
        if (c || key.len != DIGEST_SIZE) {
            c = c == ERR_NOT_FOUND ? ERR_OK : c ? c : err_set(e, ERR_CORRUPT, "a key of %zu bytes", key.len);
            break;
        }
        memcpy(hash.b, key.ptr, DIGEST_SIZE);
        c = fn(v, t, &hash, ctx, &stop, e);
        from = digest_slice(&hash);
    }
    kv_read_end(t);
    return c;
}

struct vault_walking {
    bool (*tomb)(void *ctx, const struct vault_tombstone *t);
    bool (*meta)(void *ctx, const struct digest *raw_hash, const struct vault_meta *m);
    void *ctx;
    struct vault_report *report;
};

static enum err_code vault_visit_tomb(struct vault *v, struct kv_txn *t, const struct digest *hash, void *ctx,
                                      bool *stop, struct err *e) {
    const struct vault_walking *w = ctx;
    struct tomb tomb;
    (void)v;
    enum err_code c = vault_doc_get(t, VAULT_TOMBS, hash, &tomb_schema, &tomb, e);
    if (c)
        return c;
    struct vault_tombstone out = {*hash, (enum vault_erase)tomb.what, tomb.time, tomb.reason, tomb.announced};
    *stop = !w->tomb(w->ctx, &out);
    return ERR_OK;
}

enum err_code vault_tombstones(struct vault *v, bool (*fn)(void *ctx, const struct vault_tombstone *t), void *ctx,
                               struct err *e) {
    struct vault_walking w = {.tomb = fn, .ctx = ctx};
    return vault_walk(v, VAULT_TOMBS, vault_visit_tomb, &w, e);
}

static enum err_code vault_visit_meta(struct vault *v, struct kv_txn *t, const struct digest *hash, void *ctx,
                                      bool *stop, struct err *e) {
    const struct vault_walking *w = ctx;
    struct vault_meta m;
    (void)v;
    enum err_code c = vault_doc_get(t, VAULT_META, hash, &meta_schema, &m, e);
    if (!c)
        *stop = !w->meta(w->ctx, hash, &m);
    return c;
}

enum err_code vault_each(struct vault *v,
                         bool (*fn)(void *ctx, const struct digest *raw_hash, const struct vault_meta *m), void *ctx,
                         struct err *e) {
    struct vault_walking w = {.meta = fn, .ctx = ctx};
    return vault_walk(v, VAULT_META, vault_visit_meta, &w, e);
}

/* A hash that has metadata: is its item whole, and the log it names? */
static enum err_code vault_visit_check(struct vault *v, struct kv_txn *t, const struct digest *hash, void *ctx,
                                       bool *stop, struct err *e) {
    struct vault_report *r = ((const struct vault_walking *)ctx)->report;
    struct vault_meta m = {0};
    struct vault_item item = {0};
    enum vault_state state = VAULT_MISSING;
    struct buf raw;
    buf_init(&raw, VAULT_GET_MAX);
    (void)stop;
    enum err_code c = vault_look(v, t, hash, &state, &raw, &item, e);
    if (c)
        goto out;
    bool bad = false;
    if (state == VAULT_ERASED) {
        r->erased++;
    } else if (state != VAULT_FOUND || vault_doc_get(t, VAULT_META, hash, &meta_schema, &m, e)) {
        bad = true;
        r->damaged++;
    } else {
        struct digest is = commitment_of(item.how, item.salt, item.raw);
        bad = !digest_eq(&is, hash);
        r->mismatched += bad;
        r->items++;
        r->bytes += item.raw.len;
    }
    if (bad && digest_is_zero(&r->first_bad))
        r->first_bad = *hash;
out:
    if (raw.ptr)
        sodium_memzero(raw.ptr, raw.len);
    buf_release(&raw);
    return c;
}

enum err_code vault_check(struct vault *v, struct vault_report *out, struct err *e) {
    struct vault_walking w = {.report = out};
    memset(out, 0, sizeof *out);
    return vault_walk(v, VAULT_META, vault_visit_check, &w, e);
}
