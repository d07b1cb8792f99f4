/* ledger/index_store.h -- the index's LMDB environment: opening and replacing it, growing its map, checked values.
 * Internal to ledger/index*.c, ledger/query*.c and ledger/completeness.c. Layout (integers big-endian; every value ends
 * with the first 8 bytes of SHA-256(key ‖ value)):
 *   state     "state" -> version u32, channel 32 B, height u64, entries u64, block hash 32 B, next segment u64
 *   segments  id u64 -> first u64, count u32, time min i64, time max i64, terms u64, bytes u64
 *   terms     id u64 ‖ first term -> packed terms (ledger/index_pack.h); appended in key order
 *   times     number / 512 u64 -> first i64 ‖ zigzag varint differences
 *   hashes    level u8 ‖ number / 127 u64 -> up to 127 hashes of 32 B (one page with its checksum)
 *   kinds     number u64 -> kind u8, of entries that are no records
 *   sources   submitter 32 B ‖ id -> ledger/completeness.c
 * Invariants: S1 the map grows only while no view is open and no transaction runs; S2 a failed checksum marks the
 * whole index damaged. */
#ifndef LEDGER_INDEX_STORE_H
#define LEDGER_INDEX_STORE_H

#include <lmdb.h>
#include <stdatomic.h>

#include "ledger/index.h"

enum { INDEX_STORE_VERSION = 1, INDEX_STORE_CHECK = 8, INDEX_STORE_KEY = 160, INDEX_STORE_VALUE = 4080 };

enum index_store_db {
    INDEX_DB_STATE,
    INDEX_DB_SEGMENTS,
    INDEX_DB_TERMS,
    INDEX_DB_TIMES,
    INDEX_DB_HASHES,
    INDEX_DB_KINDS,
    INDEX_DB_SOURCES,
    INDEX_DB_COUNT
};

struct index_store {
    MDB_env *env;
    MDB_dbi dbi[INDEX_DB_COUNT];
    pthread_mutex_t lock; /* guards the two below */
    pthread_cond_t idle;
    unsigned readers; /* views open */
    bool growing;
    atomic_bool damaged;
};

struct index_state {
    struct digest channel, hash; /* hash: of the block at height */
    uint64_t height, entries, next_segment;
};

enum err_code index_store_open(struct index_store *s, const char *path, size_t map_size, bool *remade,
                               struct err *e) ERR_CHECKED;
void index_store_close(struct index_store *s);
enum err_code index_store_error(struct index_store *s, int rc, const char *what, struct err *e);

/* Read transactions, counted so that the map can grow. */
enum err_code index_store_read(struct index_store *s, MDB_txn **txn, struct err *e) ERR_CHECKED;
void index_store_read_end(struct index_store *s, MDB_txn *txn);
/* FULL from a write: abort the transaction, grow, do it again. Waits for the views to close. */
enum err_code index_store_grow(struct index_store *s, struct err *e) ERR_CHECKED;

/* Value without its checksum, borrowed from the map until the transaction ends or writes. NOT_FOUND, CORRUPT. */
enum err_code index_store_get(struct index_store *s, MDB_txn *txn, enum index_store_db db, struct slice key,
                              struct slice *value, struct err *e) ERR_CHECKED;
/* Checks a value that a cursor brought. */
enum err_code index_store_verify(struct index_store *s, const MDB_val *key, const MDB_val *value, struct slice *out,
                                 struct err *e) ERR_CHECKED;
/* value has room for nothing: the checksum is appended while storing. flags: MDB_APPEND or 0. FULL: see grow. */
enum err_code index_store_put(struct index_store *s, MDB_txn *txn, enum index_store_db db, struct slice key,
                              struct slice value, unsigned flags, struct err *e) ERR_CHECKED;
enum err_code index_store_clear(struct index_store *s, struct err *e) ERR_CHECKED; /* empties all, committed */

/* NOT_FOUND when the index is new. */
enum err_code index_store_state(struct index_store *s, MDB_txn *txn, struct index_state *out,
                                struct err *e) ERR_CHECKED;
enum err_code index_store_set_state(struct index_store *s, MDB_txn *txn, const struct index_state *in,
                                    struct err *e) ERR_CHECKED;

static inline void index_store_be64(uint8_t *p, uint64_t v) {
    unsigned i;
    for (i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

#endif
