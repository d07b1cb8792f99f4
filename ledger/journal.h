/* ledger/journal.h -- consensus' own durable records, opaque here: votes, justification certificates, small values.
 * Written in the channel thread's transaction, together with bodies and blocks. Source: docs/PROTOCOL.md 10.
 * Invariant J1: a vote's place (epoch, view, type) is written once; another vote for it is CONFLICT, and the caller
 * must then stop the process. */
#ifndef LEDGER_JOURNAL_H
#define LEDGER_JOURNAL_H

#include "ledger/store.h"
#include "wire/buf.h"

enum journal_table { JOURNAL_VOTES = STORE_VOTES, JOURNAL_PROOFS = STORE_PROOFS };
enum { JOURNAL_RECORD = 1 << 20, JOURNAL_VALUE = 1 << 20 }; /* bytes */

struct journal_key {
    uint64_t epoch, view;
    uint8_t type;
};

/* Insert-if-absent. The same bytes again are OK. CONFLICT otherwise. */
enum err_code journal_put(struct store_txn *t, enum journal_table table, struct journal_key key, struct slice bytes,
                          struct err *e) ERR_CHECKED;
/* One record, copied onto *out (cleared first). NOT_FOUND. */
enum err_code journal_get(struct store_txn *t, enum journal_table table, struct journal_key key, struct buf *out,
                          struct err *e) ERR_CHECKED;
/* All records above (epoch, view), in ascending order. */
typedef enum err_code (*journal_fn)(void *ctx, struct journal_key key, struct slice bytes, struct err *e);
enum err_code journal_load(struct store_txn *t, enum journal_table table, uint64_t epoch, uint64_t view, journal_fn fn,
                           void *ctx, struct err *e) ERR_CHECKED;
/* Removes all records at or below (epoch, view); at most `most` in one call, *left tells whether some remain. */
enum err_code journal_prune(struct store_txn *t, enum journal_table table, uint64_t epoch, uint64_t view, unsigned most,
                            bool *left, struct err *e) ERR_CHECKED;
/* Small named values (up to 54 bytes of name), replaced in place. */
enum err_code journal_set(struct store_txn *t, const char *name, struct slice bytes, struct err *e) ERR_CHECKED;
enum err_code journal_value(struct store_txn *t, const char *name, struct buf *out, struct err *e) ERR_CHECKED;

#endif
