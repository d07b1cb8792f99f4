/* ledger/completeness_book.h -- the states of the sources that the open segment touched: read from the index when first
 * met, kept in memory, written with the segment. Internal to the index.
 * Invariants: B1 ranges are ascending, apart by at least one number, and above contiguous + 1; B2 at most
 * COMPLETENESS_RANGES of them: then the oldest hole is given up (counted, no longer listed). */
#ifndef LEDGER_COMPLETENESS_BOOK_H
#define LEDGER_COMPLETENESS_BOOK_H

#include "ledger/completeness.h"
#include "ledger/index_store.h"
#include "ledger/index_terms.h"

enum { COMPLETENESS_KEY = DIGEST_SIZE + 64 };

struct completeness_state {
    uint8_t key[COMPLETENESS_KEY]; /* submitter ‖ id */
    size_t key_len;
    uint64_t contiguous, highest, records, dead_letters, gap_declared, repeated, holes_dropped, missing_dropped;
    int64_t last_time;
    struct completeness_range *ranges; /* that came, above the first hole */
    uint32_t count, cap;
};

struct completeness_book {
    struct completeness_state *states;
    size_t count, cap, last; /* last: where the newest note went */
    uint32_t *slots;
    size_t slot_cap;
};

void completeness_book_init(struct completeness_book *b);
void completeness_book_release(struct completeness_book *b);
void completeness_book_clear(struct completeness_book *b);
/* Takes note of one entry, if it has a source. */
enum err_code completeness_book_note(struct completeness_book *b, struct index_store *s, const struct index_doc *d,
                                     struct err *e) ERR_CHECKED;
enum err_code completeness_book_write(const struct completeness_book *b, struct index_store *s, MDB_txn *txn,
                                      struct err *e) ERR_CHECKED;

/* One state: numbers first..last came. NO_MEMORY. */
enum err_code completeness_state_cover(struct completeness_state *st, uint64_t first, uint64_t last,
                                       struct err *e) ERR_CHECKED;
/* Stored form; the state must be zeroed or released. CORRUPT. */
enum err_code completeness_state_read(struct slice key, struct slice value, struct completeness_state *out,
                                      struct err *e) ERR_CHECKED;
void completeness_state_release(struct completeness_state *st);

#endif
