/* tests/demo/damage.c -- what a forger, or a failing disk, does to a node; for the demonstration and tests.
 *   damage vault-forge HOME HASH       re-encrypts an altered log under the hash of the true one (needs the vault's
 * key) damage vault-flip HOME HASH        flips a bit of a stored log damage vault-delete HOME HASH      removes a
 * stored log without a trace damage block HOME CHANNEL HEIGHT   flips a bit in the middle of a stored block; the node
 * must be stopped The vault may be in use by its node meanwhile. Depends on: ledger/, tests/support/vault_forge. */
#include "ledger/chain_format.h"
#include "tests/support/vault_forge.h"
#include "wire/mem.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAMAGE_PATH = 4096 };

/* Another digit for the first one: who did it, or to whom, reads differently afterwards. */
static enum err_code damage_alter(struct vault *v, const struct digest *hash, struct buf *altered, struct err *e) {
    struct vault_item item;
    enum vault_state state;
    struct buf raw;
    size_t i;
    enum err_code rc;
    buf_init(&raw, VAULT_GET_MAX);
    buf_init(altered, VAULT_RAW_MAX);
    if ((rc = vault_get(v, hash, &state, &raw, &item, e)) == ERR_OK && state != VAULT_FOUND)
        rc = err_set(e, ERR_NOT_FOUND, "the vault holds no such log");
    if (rc == ERR_OK) {
        buf_append(altered, item.raw);
        rc = buf_check(altered, e);
    }
    for (i = 0; rc == ERR_OK && i < altered->len; i++)
        if (altered->ptr[i] >= '0' && altered->ptr[i] <= '9') {
            altered->ptr[i] = altered->ptr[i] == '9' ? '0' : (uint8_t)(altered->ptr[i] + 1);
            break;
        }
    buf_release(&raw);
    return rc;
}

static enum err_code damage_vault(const char *what, const char *home, const struct digest *hash, struct err *e) {
    char path[DAMAGE_PATH], spare[DAMAGE_PATH];
    struct vault *v = NULL;
    struct buf altered;
    uint8_t *key = NULL;
    enum err_code rc;
    buf_init(&altered, VAULT_RAW_MAX);
    snprintf(path, sizeof path, "%s/keys/vault.key", home);
    if (access(path, R_OK) != 0)
        return err_set(e, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    if ((rc = vault_key_load(path, &key, e)) != ERR_OK)
        return rc;
    snprintf(path, sizeof path, "%s/vault", home);
    snprintf(spare, sizeof spare, "%s/vault-of-the-forger", home);
    rc = vault_open(path, key, &v, e);
    if (rc == ERR_OK && strcmp(what, "vault-flip") == 0) {
        rc = vault_forge_flip(v, hash, vault_forge_size(v, hash) / 2, 0x10, e);
    } else if (rc == ERR_OK && strcmp(what, "vault-delete") == 0) {
        rc = vault_forge_delete(v, hash, e);
    } else if (rc == ERR_OK && (rc = damage_alter(v, hash, &altered, e)) == ERR_OK) {
        rc = vault_forge(v, key, spare, hash, buf_slice(&altered), e);
    }
    vault_close(v);
    sodium_free(key);
    buf_release(&altered);
    return rc;
}

/* Stores a copy of the body of one block in which one bit is wrong. */
static enum err_code damage_block(const char *home, const char *channel, uint64_t height, struct err *e) {
    char path[DAMAGE_PATH];
    struct chain_format_block at;
    struct store *s = NULL;
    struct store_txn *t = NULL;
    struct slice raw = slice_none();
    struct buf copy;
    enum err_code rc;
    snprintf(path, sizeof path, "%s/channels/%s/ledger", home, channel);
    buf_init(&copy, 64 << 20);
    if ((rc = store_open_lmdb(path, &(struct store_options){0}, &s, e)) != ERR_OK)
        return rc;
    rc = store_begin_write(s, &t, e);
    if (rc == ERR_OK)
        rc = chain_format_block_load(t, height, &at, e);
    if (rc == ERR_OK)
        rc = store_raw_get(t, STORE_BODIES, CHAIN_FORMAT_KEY(at.arrival), &raw, e);
    if (rc == ERR_OK) {
        buf_append(&copy, raw);
        rc = buf_check(&copy, e);
    }
    if (rc == ERR_OK) {
        copy.ptr[copy.len / 2] ^= 0x10;
        rc = store_raw_put(t, STORE_BODIES, CHAIN_FORMAT_KEY(at.arrival), buf_slice(&copy), e);
    }
    if (rc == ERR_OK)
        rc = store_commit(t, e);
    else
        store_abort(t);
    store_close(s);
    buf_release(&copy);
    if (rc == ERR_OK)
        printf("{\"entries\":%u,\"first_entry\":%llu,\"height\":%llu}\n", at.block.header.entries,
               (unsigned long long)at.block.first_entry, (unsigned long long)height);
    return rc;
}

int main(int argc, char **argv) {
    struct err e = {0};
    struct digest hash;
    enum err_code rc;
    size_t n = 0;
    if (sodium_init() < 0 || argc < 4)
        goto usage;
    if (argc == 5 && strcmp(argv[1], "block") == 0)
        rc = damage_block(argv[2], argv[3], strtoull(argv[4], NULL, 10), &e);
    else if (argc == 4 && strncmp(argv[1], "vault-", 6) == 0 &&
             sodium_hex2bin(hash.b, sizeof hash.b, argv[3], strlen(argv[3]), NULL, &n, NULL) == 0 && n == sizeof hash.b)
        rc = damage_vault(argv[1], argv[2], &hash, &e);
    else
        goto usage;
    if (rc != ERR_OK)
        fprintf(stderr, "damage: %s\n", e.text);
    return rc == ERR_OK ? 0 : 1;
usage:
    fprintf(stderr, "usage: damage vault-forge|vault-flip|vault-delete HOME HASH | damage block HOME CHANNEL HEIGHT\n");
    return 2;
}
