/* ledger/kv.h -- a small LMDB environment for what stands beside the channels: vault, outbox, spool.
 * (A channel's own store is ledger/store.h; its tables are fixed, these are named by their owner.)
 * Invariants
 *   K1 A value is returned exactly as it was put, or the error is CORRUPT: each stored value ends in the first 8 bytes
 *      of SHA-256(table name ‖ 0x00 ‖ key ‖ value), checked on each read.
 *   K2 After kv_update returned OK its changes survive a crash (a real sync); otherwise none of them happened.
 *   K3 After a failed sync or commit the environment is poisoned: every later call fails with that code.
 * Threads: any. Writers serialise. A thread that holds a reader must not call kv_update (growing the map waits for
 * all readers). Slices are borrowed from the transaction and end with it or with its next write. */
#ifndef LEDGER_KV_H
#define LEDGER_KV_H

#include "wire/err.h"
#include "wire/slice.h"

enum { KV_TABLES = 8, KV_KEY_MAX = 128, KV_CHECKSUM = 8 };

struct kv;
struct kv_txn;

struct kv_options {
    const char *const *tables; /* names, at most KV_TABLES; a table is its index here */
    unsigned table_count;
    uint64_t map_bytes;     /* first size of the map; 0: 64 MiB */
    uint64_t map_bytes_max; /* doubled up to here, then NO_SPACE; 0: 1 TiB */
};

/* The texts of o->tables outlive the environment. Makes the directory (0700, its parents too) or opens what is there.
 * *out is closed by kv_close. CORRUPT also when the file is shorter than its own pages say (reading on would be
 * SIGBUS). IO, NO_SPACE. */
enum err_code kv_open(const char *path, const struct kv_options *o, struct kv **out, struct err *e) ERR_CHECKED;
void kv_close(struct kv *k); /* no transaction may be open; NULL is fine */

/* One durable change: runs fn in the write transaction, commits and syncs when it returns OK, drops all otherwise.
 * When the map is full it is doubled and fn runs again from the start: fn must not keep what it did the first time. */
typedef enum err_code (*kv_change)(struct kv_txn *t, void *ctx, struct err *e);
enum err_code kv_update(struct kv *k, kv_change fn, void *ctx, struct err *e) ERR_CHECKED;

enum err_code kv_read(struct kv *k, struct kv_txn **out, struct err *e) ERR_CHECKED; /* FULL: no reader slot */
void kv_read_end(struct kv_txn *t);                                                  /* NULL is fine */

enum err_code kv_get(struct kv_txn *t, unsigned table, struct slice key, struct slice *value,
                     struct err *e) ERR_CHECKED; /* NOT_FOUND, CORRUPT */
enum err_code kv_put(struct kv_txn *t, unsigned table, struct slice key, struct slice value, struct err *e) ERR_CHECKED;
enum err_code kv_del(struct kv_txn *t, unsigned table, struct slice key, struct err *e) ERR_CHECKED; /* NOT_FOUND */
/* The smallest key >= from (after: > from; an empty `from` is the first). NOT_FOUND at the end. A damaged value is
 * CORRUPT, but *key is set all the same, so that a walk can report it and go on. value may be NULL: not read. */
enum err_code kv_seek(struct kv_txn *t, unsigned table, struct slice from, bool after, struct slice *key,
                      struct slice *value, struct err *e) ERR_CHECKED;
enum err_code kv_count(struct kv_txn *t, unsigned table, uint64_t *count, struct err *e) ERR_CHECKED;

/* Rewrites the file without its free pages (where old values may still be read) and swaps it in. Waits for readers. */
enum err_code kv_compact(struct kv *k, struct err *e) ERR_CHECKED;

/* Tests only: a value with its checksum as it is stored. */
enum err_code kv_raw_get(struct kv_txn *t, unsigned table, struct slice key, struct slice *raw,
                         struct err *e) ERR_CHECKED;
enum err_code kv_raw_put(struct kv_txn *t, unsigned table, struct slice key, struct slice raw,
                         struct err *e) ERR_CHECKED;

#endif
