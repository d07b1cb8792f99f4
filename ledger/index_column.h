/* ledger/index_column.h -- what the index keeps for every entry by its number: time, and hashes of the tree.
 * Appended only; the last, partial value of a column is written again. Sizes stand in ledger/index_store.h. */
#ifndef LEDGER_INDEX_COLUMN_H
#define LEDGER_INDEX_COLUMN_H

#include "ledger/index_store.h"

enum { INDEX_COLUMN_TIMES = 512, INDEX_COLUMN_HASHES = 127, INDEX_COLUMN_TILE = 256, INDEX_COLUMN_LEVELS = 8 };

/* Appends behind entry `first`. FULL: see index_store_grow. */
enum err_code index_column_put_times(struct index_store *s, MDB_txn *txn, uint64_t first, const int64_t *times,
                                     size_t count, struct err *e) ERR_CHECKED;
/* Appends leaf hashes behind `first`, and the roots of the tiles that they complete, level by level. */
enum err_code index_column_put_leaves(struct index_store *s, MDB_txn *txn, uint64_t first, const struct digest *leaves,
                                      size_t count, struct err *e) ERR_CHECKED;
/* NOT_FOUND when not all are there. level: of tiles (0 leaves, 1 roots of 256 leaves ...). */
enum err_code index_column_hashes(struct index_store *s, MDB_txn *txn, unsigned level, uint64_t first, uint64_t count,
                                  struct digest *out, struct err *e) ERR_CHECKED;
/* Root of 256 hashes of one tile. */
struct digest index_column_root(const struct digest hashes[INDEX_COLUMN_TILE]);

/* Reads times one by one, keeping the last value decoded. Zero it first. */
struct index_column_times {
    bool loaded;
    uint64_t chunk;
    uint32_t count;
    int64_t times[INDEX_COLUMN_TIMES];
};
enum err_code index_column_time(struct index_store *s, MDB_txn *txn, struct index_column_times *c, uint64_t number,
                                int64_t *out, struct err *e) ERR_CHECKED;

#endif
