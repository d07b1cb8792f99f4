/* ledger/vault.h -- an enterprise node's raw logs, by raw_hash. They never leave but as an answer to evidence.
 * Owns: home/vault (an LMDB environment of its own) and the use of home/keys/vault.key (0600, 32 bytes in hex).
 * Depends on: ledger/kv. Source: docs/FORMATS.md 6, docs/SECURITY.md (retention, erasure).
 *
 * Stored item, encrypted with XChaCha20-Poly1305 under the vault key, associated data = raw_hash:
 *   version u8 = 1 ‖ nonce[24] ‖ box( commitment u8 ‖ parts u8 ‖ salt[32] ‖ raw length u64 ‖ zstd(raw) )
 * Its metadata (uid, source, time, size, retention, hold) stand beside it in clear, checksummed.
 *
 * Invariants
 *   V1 After vault_put returned OK all its items survive a crash (one sync for all).
 *   V2 An item is returned as it was put, or called damaged; a flipped byte never yields a log.
 *   V3 What was erased stays known as erased (tombstone) for ever, and is never put again.
 *   V4 No item under hold, or before its retention has passed, is erased.
 * The vault does not judge whether a log fits its hash: a holder of the vault key can re-encrypt what he likes, and it
 * is the asker who finds out (audit/evidence.h). vault_check finds it too, for the owner.
 *
 * Order with the outbox (nothing lost, nothing twice, at any kill -9): first vault_put, then outbox_append, which
 * moves the source's position in the same transaction as the entries; then the source is acknowledged. A crash between
 * the two leaves an orphan in the vault (the log is read again under a fresh salt): vault_drop removes such.
 * Threads: any. Puts that come while another is being synced share the next transaction (ledger/group.h). */
#ifndef LEDGER_VAULT_H
#define LEDGER_VAULT_H

#include "ledger/commitment.h"
#include "wire/buf.h"

enum {
    VAULT_KEY_SIZE = 32,
    VAULT_RAW_MAX = 4 << 20, /* bytes of one raw log */
    VAULT_PUT_MAX = 16384,   /* items of one vault_put */
    VAULT_GET_MAX = VAULT_RAW_MAX + 128,
    VAULT_REASON_MAX = 512 /* bytes of an erasure's reason */
};

struct vault;

/* Makes the key file if it is missing (home/keys must exist). NOT_ALLOWED: readable by group or others. MALFORMED.
 * key is guarded memory, freed by sodium_free. */
enum err_code vault_key_load(const char *path, uint8_t **key, struct err *e) ERR_CHECKED;

/* dir: home/vault. The key is copied into guarded memory. MISMATCH: the vault was made with another key. */
enum err_code vault_open(const char *dir, const uint8_t key[VAULT_KEY_SIZE], struct vault **out,
                         struct err *e) ERR_CHECKED;
void vault_close(struct vault *v);

struct vault_meta {
    uint8_t uid[RECORD_UID_SIZE];
    struct slice source;  /* str 1..64 */
    uint64_t seq;         /* the source's own running number; 0: none */
    int64_t time;         /* ms: when it was put */
    uint64_t size;        /* bytes of the raw log; vault_put sets it */
    int64_t retain_until; /* ms; 0: no retention asked */
    bool hold;            /* legal hold: beats retention */
};

struct vault_item {
    struct digest raw_hash;
    enum record_commitment how;
    uint8_t salt[COMMITMENT_SALT_SIZE]; /* zero when plain */
    struct slice raw;
    struct vault_meta meta;
};

/* All or none, one sync. The same raw_hash again (a retry; equal logs under plain commitments) keeps the first log and
 * the stricter retention and hold; one that was erased stays erased. TOO_LARGE, NO_SPACE, IO. */
enum err_code vault_put(struct vault *v, const struct vault_item *items, size_t count, struct err *e) ERR_CHECKED;

enum vault_state {
    VAULT_FOUND = 1,
    VAULT_MISSING, /* never put here, or gone without trace */
    VAULT_DAMAGED, /* it is here, but checksum, authentication or decompression fails */
    VAULT_ERASED   /* raw log or salt was destroyed with a tombstone */
};
const char *vault_state_text(enum vault_state s);

/* FOUND: raw (cleared first, its max >= VAULT_GET_MAX) and *item are set; item->raw and meta.source borrow from raw.
 * DAMAGED, MISSING and ERASED: e's text says what is wrong, though the code returned is OK. Errors are those of I/O and
 * memory only. e must not be NULL. */
enum err_code vault_get(struct vault *v, const struct digest *raw_hash, enum vault_state *state, struct buf *raw,
                        struct vault_item *item, struct err *e) ERR_CHECKED;

/* Sets legal hold or a new retention of an item. NOT_FOUND. */
enum err_code vault_hold(struct vault *v, const struct digest *raw_hash, bool hold, struct err *e) ERR_CHECKED;
enum err_code vault_retain(struct vault *v, const struct digest *raw_hash, int64_t until, struct err *e) ERR_CHECKED;

/* What an erasure destroys: a set of bits. Without its salt a commitment can never be opened, though the log may stay
 * in the enterprise's own use; without the log, a salt still lets another copy of it be proven. */
enum vault_erase { VAULT_ERASE_RAW = 1, VAULT_ERASE_SALT = 2, VAULT_ERASE_BOTH = 3 };

struct vault_tombstone {
    struct digest raw_hash;
    enum vault_erase what;
    int64_t time;
    struct slice reason; /* str <= VAULT_REASON_MAX */
    bool announced;      /* its erasure entry is in the outbox */
};
/* Destroys and leaves the tombstone, in one durable change. NOT_FOUND; NOT_ALLOWED: hold or retention; CONFLICT: erased
 * already. The pages are freed, not scrubbed: vault_compact removes the old ciphertext from the disk. */
enum err_code vault_erase(struct vault *v, const struct digest *raw_hash, enum vault_erase what, int64_t now,
                          struct slice reason, struct err *e) ERR_CHECKED;
/* Walk of the tombstones; fn returns false to stop. Borrowed within the call; fn must not write to the vault. */
enum err_code vault_tombstones(struct vault *v, bool (*fn)(void *ctx, const struct vault_tombstone *t), void *ctx,
                               struct err *e) ERR_CHECKED;
enum err_code vault_announced(struct vault *v, const struct digest *raw_hash, struct err *e) ERR_CHECKED;
/* Removes an orphan, whose record was never committed: no tombstone. NOT_ALLOWED under hold. */
enum err_code vault_drop(struct vault *v, const struct digest *raw_hash, struct err *e) ERR_CHECKED;
/* Walk of all items' metadata, in the order of raw_hash. */
enum err_code vault_each(struct vault *v,
                         bool (*fn)(void *ctx, const struct digest *raw_hash, const struct vault_meta *m), void *ctx,
                         struct err *e) ERR_CHECKED;

struct vault_report {
    uint64_t items, bytes; /* bytes of raw logs found whole */
    uint64_t damaged, mismatched, erased;
    struct digest first_bad; /* zero if none */
};
/* Opens every item and recomputes its commitment. */
enum err_code vault_check(struct vault *v, struct vault_report *out, struct err *e) ERR_CHECKED;
/* Rewrites the file without free pages, so that no erased ciphertext remains in it; waits for readers. */
enum err_code vault_compact(struct vault *v, struct err *e) ERR_CHECKED;

/* For tests/support: the environment beneath. */
struct kv;
struct kv *vault_kv(struct vault *v);

#endif
