/* ledger/index_pack.h -- a segment's terms, sorted and packed into page-sized values.
 *   value = packed*      packed = shared varint ‖ rest_len varint ‖ rest ‖ count varint ‖ list
 *   list  = one run (count 1) | len varint ‖ runs (ledger/index_post.h)
 * `shared` bytes are those of the term before in the same value (0 for the first). A value's key is
 * segment id ‖ its first term, so keys and terms ascend together. A term whose list is longer than a page has a value
 * of its own. Invariant: K1 terms of a segment are unique and ascending. */
#ifndef LEDGER_INDEX_PACK_H
#define LEDGER_INDEX_PACK_H

#include "ledger/index_post.h"
#include "ledger/index_store.h"
#include "ledger/index_terms.h"

struct index_pack_writer {
    struct index_store *store;
    MDB_txn *txn;
    uint64_t segment;
    struct buf value;
    uint8_t key[8 + INDEX_TERM_MAX], last[INDEX_TERM_MAX];
    size_t key_len, last_len;
    uint64_t terms, bytes; /* written so far */
};

void index_pack_begin(struct index_pack_writer *w, struct index_store *s, MDB_txn *txn, uint64_t segment);
/* Terms ascending; list is finished. FULL, IO, NO_MEMORY. */
enum err_code index_pack_add(struct index_pack_writer *w, struct slice term, uint32_t count, struct slice list,
                             struct err *e) ERR_CHECKED;
enum err_code index_pack_end(struct index_pack_writer *w, struct err *e) ERR_CHECKED; /* writes the last value */
void index_pack_release(struct index_pack_writer *w);

/* Walks a segment's terms in order. List and value borrow from the map. */
struct index_pack_reader {
    struct index_store *store;
    MDB_cursor *cursor;
    uint64_t segment;
    struct slice rest; /* of the present value */
    uint8_t term[INDEX_TERM_MAX];
    size_t term_len;
    uint32_t count;
    struct slice list;
    bool end;
};

/* Stands before the first term >= `from` is read by _next; `from` empty: the first of the segment. */
enum err_code index_pack_open(struct index_pack_reader *r, struct index_store *s, MDB_txn *txn, uint64_t segment,
                              struct err *e) ERR_CHECKED;
enum err_code index_pack_next(struct index_pack_reader *r, struct err *e) ERR_CHECKED; /* sets end after the last */
void index_pack_close(struct index_pack_reader *r);

/* One term: its count and list. NOT_FOUND. `cursor` is of the terms table. */
enum err_code index_pack_find(struct index_store *s, MDB_cursor *cursor, uint64_t segment, struct slice term,
                              uint32_t *count, struct slice *list, struct err *e) ERR_CHECKED;
/* Deletes all values of a segment. */
enum err_code index_pack_drop(struct index_store *s, MDB_txn *txn, uint64_t segment, struct err *e) ERR_CHECKED;

#endif
