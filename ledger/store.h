/* ledger/store.h -- a small ordered key-value store with real transactions, under everything a channel keeps.
 * Two implementations behind one face: LMDB (store_lmdb.c) and an in-memory twin that models what a sync keeps
 * (store_mem.c). Owner of the write transaction: the channel's thread; readers: any thread, each its own.
 * Source: docs/PROTOCOL.md 10.
 *
 * Invariants
 *   S1 A value is returned exactly as it was put, or the error is CORRUPT: every stored value ends in the first
 *      8 bytes of SHA-256(table ‖ key ‖ value), checked on each read.
 *   S2 After store_commit returned OK the transaction survives a crash; before that, none of it does.
 *   S3 After a failed commit or sync the store is poisoned: every later call fails with the same code, and only a
 *      new process (or a fresh open) may go on. Nothing is retried in place.
 *   S4 Readers see one committed state from begin to end.
 *
 * Slices returned by a transaction are borrowed from the store and end with the transaction, in a write
 * transaction with its next write. They never leave ledger/. */
#ifndef LEDGER_STORE_H
#define LEDGER_STORE_H

#include "wire/err.h"
#include "wire/slice.h"

/* X(name, number, text): numbers are permanent (the checksum covers them). Integers in keys are big-endian. */
#define STORE_TABLES(X)                                                                                                \
    X(META, 1, "meta")       /* text -> small values: format, channel, tip, consensus' own */                          \
    X(BLOCKS, 2, "blocks")   /* height u64 -> hash, header, first entry, arrival; the final run, appended */           \
    X(BODIES, 3, "bodies")   /* arrival u64 -> body; appended when the block becomes durable */                        \
    X(PENDING, 4, "pending") /* block hash -> arrival u64, header; durable blocks that are not final */                \
    X(CERTS, 5, "certs")     /* height u64 -> FINALIZE certificate, appended */                                        \
    X(BATCHES, 6, "batches") /* submitter[32] ‖ seq u64 -> batch hash, height; the newest of each submitter */       \
    X(VOTES, 7, "votes")     /* epoch u64 ‖ view u64 ‖ type u8 -> consensus' own votes, insert-if-absent */        \
    X(PROOFS, 8, "proofs")   /* epoch u64 ‖ view u64 ‖ type u8 -> justification certificates */

enum store_table {
#define STORE_ENUM(name, value, text) STORE_##name = (value),
    STORE_TABLES(STORE_ENUM)
#undef STORE_ENUM
};
enum { STORE_TABLE_COUNT = 8, STORE_KEY_MAX = 128, STORE_CHECKSUM = 8, STORE_PATH = 4096 };

struct store;
struct store_txn;

struct store_options {
    uint64_t map_bytes;     /* first size of the map; 0: 1 GiB */
    uint64_t map_bytes_max; /* the map is doubled up to here; 0: 1 TiB */
    unsigned readers;       /* slots for readers; 0: 126 */
    bool read_only;         /* for fsck: no lock file is written, no process may write meanwhile */
};

/* Opens the environment in the directory `path` (made by the caller, 0700; files are 0600).
 * *out is closed by store_close. CORRUPT, IO, NO_SPACE, LOCKED. */
enum err_code store_open_lmdb(const char *path, const struct store_options *o, struct store **out,
                              struct err *e) ERR_CHECKED;
/* An empty in-memory twin. */
enum err_code store_open_mem(struct store **out, struct err *e) ERR_CHECKED;
void store_close(struct store *s); /* no transaction may be open; NULL is fine */
bool store_poisoned(const struct store *s);

/* The one write transaction; BUSY if one is open. FULL never shows here: the map is grown at the next begin,
 * once readers have ended (they wait meanwhile). */
enum err_code store_begin_write(struct store *s, struct store_txn **out, struct err *e) ERR_CHECKED;
/* A reader's snapshot. FULL when all slots are taken. */
enum err_code store_begin_read(struct store *s, struct store_txn **out, struct err *e) ERR_CHECKED;
/* Makes all of it durable, by a real sync, and ends the transaction in every case. */
enum err_code store_commit(struct store_txn *t, struct err *e) ERR_CHECKED;
void store_abort(struct store_txn *t); /* ends a reader, or drops a write transaction; NULL is fine */

/* NOT_FOUND, CORRUPT. *value is borrowed (above). */
enum err_code store_get(struct store_txn *t, enum store_table table, struct slice key, struct slice *value,
                        struct err *e) ERR_CHECKED;
/* Inserts or replaces. */
enum err_code store_put(struct store_txn *t, enum store_table table, struct slice key, struct slice value,
                        struct err *e) ERR_CHECKED;
/* Inserts if absent. The same value again is OK; another value there is CONFLICT and changes nothing. */
enum err_code store_put_new(struct store_txn *t, enum store_table table, struct slice key, struct slice value,
                            struct err *e) ERR_CHECKED;
/* Inserts a key above all keys of the table; CONFLICT if it is not. */
enum err_code store_append(struct store_txn *t, enum store_table table, struct slice key, struct slice value,
                           struct err *e) ERR_CHECKED;
enum err_code store_del(struct store_txn *t, enum store_table table, struct slice key, struct err *e) ERR_CHECKED;

/* How store_seek searches. */
enum store_seek {
    STORE_AT_OR_ABOVE, /* the smallest key >= the given one; an empty key means the first */
    STORE_ABOVE,
    STORE_AT_OR_BELOW, /* the largest key <= the given one */
    STORE_BELOW,       /* an absent slice means past the end: gives the last key */
};
/* One step of an ordered walk. NOT_FOUND at the end. A damaged value is CORRUPT, but *key is set all the same, so
 * that a walk can report it and go on. value may be NULL: it is then neither read nor checked. */
enum err_code store_seek(struct store_txn *t, enum store_table table, enum store_seek how, struct slice from,
                         struct slice *key, struct slice *value, struct err *e) ERR_CHECKED;
enum err_code store_count(struct store_txn *t, enum store_table table, uint64_t *count, struct err *e) ERR_CHECKED;

/* Frees reader slots that dead processes hold; call each minute. */
enum err_code store_clear_dead(struct store *s, unsigned *cleared, struct err *e) ERR_CHECKED;
struct store_usage {
    uint64_t used_bytes, map_bytes; /* pages in use, and what the map could hold */
};
struct store_usage store_usage(struct store *s);

/* ---- the twin's model of a disk; tests and simulation only ---- */
/* With hold set, commits are visible at once but durable only after store_mem_sync. */
void store_mem_hold(struct store *s, bool hold);
enum err_code store_mem_sync(struct store *s, struct err *e) ERR_CHECKED;
/* The machine stops: open transactions end, and of the commits not yet synced the first `keep` survive. The store
 * can be used again as if newly opened; a poisoned one is healed. */
void store_mem_crash(struct store *s, unsigned keep);
unsigned store_mem_unsynced(const struct store *s);
/* The Nth commit from now fails with `code` and poisons (1 = the next; 0 switches off). */
void store_mem_fail_at(struct store *s, unsigned nth, enum err_code code);
/* ---- fault injection on either kind: stores raw bytes, the checksum included, as they are ---- */
enum err_code store_raw_get(struct store_txn *t, enum store_table table, struct slice key, struct slice *raw,
                            struct err *e) ERR_CHECKED;
enum err_code store_raw_put(struct store_txn *t, enum store_table table, struct slice key, struct slice raw,
                            struct err *e) ERR_CHECKED;

const char *store_table_name(enum store_table table);

#endif
