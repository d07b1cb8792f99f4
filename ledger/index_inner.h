/* ledger/index_inner.h -- the insides of struct index and struct index_view. Internal to ledger/index*.c,
 * ledger/query*.c and ledger/completeness.c. */
#ifndef LEDGER_INDEX_INNER_H
#define LEDGER_INDEX_INNER_H

#include "ledger/completeness_book.h"
#include "ledger/index_build.h"
#include "ledger/index_column.h"
#include "ledger/index_pack.h"

struct index_segment {
    uint64_t id, first; /* first entry */
    uint32_t count;     /* entries */
    int64_t time_min, time_max;
    uint64_t terms, bytes;
};

struct index {
    struct index_store store;
    struct index_options options; /* path is not kept */
    /* indexer thread only: */
    struct index_state state; /* as committed */
    bool checked;             /* state.hash compared with the chain since opening */
    struct index_build build;
    struct completeness_book book;
};

struct index_view {
    struct index *ix;
    MDB_txn *txn;       /* NULL when nothing is indexed */
    MDB_cursor *cursor; /* of terms */
    struct index_state state;
    struct index_segment *segments; /* ascending by first */
    uint32_t count;
    struct index_column_times times;
};

/* ledger/index_segment.c */
enum err_code index_segment_put(struct index_store *s, MDB_txn *txn, const struct index_segment *seg,
                                struct err *e) ERR_CHECKED;
enum err_code index_segment_delete(struct index_store *s, MDB_txn *txn, uint64_t id, struct err *e) ERR_CHECKED;
/* All live segments in log order, *out by wire/mem.h; checks I2 against `entries`: CORRUPT. */
enum err_code index_segment_list(struct index_store *s, MDB_txn *txn, uint64_t entries, struct index_segment **out,
                                 uint32_t *count, struct err *e) ERR_CHECKED;

/* ledger/index.c: a a number of this view -> its time. */
enum err_code index_view_time(struct index_view *v, uint64_t number, int64_t *out, struct err *e) ERR_CHECKED;

#endif
