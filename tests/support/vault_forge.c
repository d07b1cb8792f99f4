/* tests/support/vault_forge.c -- see vault_forge.h. */
#include "tests/support/vault_forge.h"

#include "ledger/kv.h"

enum { FORGE_ITEMS = 0 }; /* the vault's first table */

struct forge {
    const struct digest *hash;
    struct slice value; /* to store, checksum included */
    size_t at;
    uint8_t mask;
    struct buf copy;
};

static enum err_code forge_put(struct kv_txn *t, void *ctx, struct err *e) {
    const struct forge *f = ctx;
    return kv_raw_put(t, FORGE_ITEMS, digest_slice(f->hash), f->value, e);
}

static enum err_code forge_flip(struct kv_txn *t, void *ctx, struct err *e) {
    struct forge *f = ctx;
    struct slice raw;
    enum err_code c = kv_raw_get(t, FORGE_ITEMS, digest_slice(f->hash), &raw, e);
    if (c)
        return c;
    buf_clear(&f->copy);
    buf_append(&f->copy, raw);
    c = buf_check(&f->copy, e);
    if (c)
        return c;
    f->copy.ptr[f->at % f->copy.len] ^= f->mask;
    f->value = buf_slice(&f->copy);
    return forge_put(t, f, e);
}

static enum err_code forge_delete(struct kv_txn *t, void *ctx, struct err *e) {
    const struct forge *f = ctx;
    return kv_del(t, FORGE_ITEMS, digest_slice(f->hash), e);
}

enum err_code vault_forge_flip(struct vault *v, const struct digest *raw_hash, size_t at, uint8_t mask, struct err *e) {
    struct forge f = {.hash = raw_hash, .at = at, .mask = mask};
    buf_init(&f.copy, VAULT_RAW_MAX * 2);
    enum err_code c = kv_update(vault_kv(v), forge_flip, &f, e);
    buf_release(&f.copy);
    return c;
}

enum err_code vault_forge_delete(struct vault *v, const struct digest *raw_hash, struct err *e) {
    struct forge f = {.hash = raw_hash};
    return kv_update(vault_kv(v), forge_delete, &f, e);
}

size_t vault_forge_size(struct vault *v, const struct digest *raw_hash) {
    struct kv_txn *t = NULL;
    struct slice raw = slice_none();
    if (kv_read(vault_kv(v), &t, NULL))
        return 0;
    if (kv_raw_get(t, FORGE_ITEMS, digest_slice(raw_hash), &raw, NULL))
        raw.len = 0;
    kv_read_end(t);
    return raw.len;
}

/* The vault does not judge: a spare one under the same key makes the very bytes. */
enum err_code vault_forge(struct vault *v, const uint8_t key[VAULT_KEY_SIZE], const char *spare,
                          const struct digest *raw_hash, struct slice raw, struct err *e) {
    struct forge f = {.hash = raw_hash};
    struct vault *other = NULL;
    struct vault_item item;
    struct kv_txn *t = NULL;
    enum vault_state state;
    struct buf b;
    struct err local = {.code = ERR_OK};
    buf_init(&b, VAULT_GET_MAX);
    enum err_code c = vault_get(v, raw_hash, &state, &b, &item, e ? e : &local);
    if (!c && state != VAULT_FOUND)
        c = err_set(e, ERR_NOT_FOUND, "no log to forge");
    item.raw = raw;
    item.meta.source = slice_str("forged");
    if (!c)
        c = vault_open(spare, key, &other, e);
    if (!c)
        c = vault_put(other, &item, 1, e);
    if (!c)
        c = kv_read(vault_kv(other), &t, e);
    if (!c)
        c = kv_raw_get(t, FORGE_ITEMS, digest_slice(raw_hash), &f.value, e);
    if (!c)
        c = kv_update(vault_kv(v), forge_put, &f, e);
    kv_read_end(t);
    vault_close(other);
    buf_release(&b);
    return c;
}
