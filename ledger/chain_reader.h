/* ledger/chain_reader.h -- reads one channel's final ledger from any thread, on a snapshot of its own.
 * A reader belongs to one thread. Results are copied out of the store: blocks and entries are valid until the next
 * call on the same reader. Nothing that is not final is ever seen. Source: docs/PROTOCOL.md 4, 10.
 * A snapshot keeps old pages from reuse and holds back growth of the map: renew often, do not hold it while waiting. */
#ifndef LEDGER_CHAIN_READER_H
#define LEDGER_CHAIN_READER_H

#include "ledger/block.h"
#include "ledger/store.h"

struct chain_reader;

struct chain_tip {
    uint64_t height;
    struct digest hash;
    uint64_t tree_size;
    struct digest tree_root;
    int64_t time; /* ms */
    uint64_t epoch;
};

struct chain_block { /* what stands in the index of the final run, without its body */
    struct header header;
    struct digest hash;
    uint64_t first_entry; /* number of its first entry; it has header.entries */
};

/* One committed entry. Borrowed until the next call on the reader. */
struct chain_reader_entry {
    uint64_t number;
    struct slice bytes;
    struct digest leaf;
    uint64_t height;
    int64_t block_time;
    struct batch_header batch; /* who, which seq; body-less */
    struct digest batch_hash;
    uint32_t index, count; /* place in its batch */
};

/* NOT_FOUND: the store holds no ledger yet. FULL: too many readers. The reader has a snapshot at once. */
enum err_code chain_reader_open(struct store *store, struct chain_reader **out, struct err *e) ERR_CHECKED;
void chain_reader_close(struct chain_reader *r); /* NULL is fine */
/* Ends the snapshot and takes the newest one. */
enum err_code chain_reader_renew(struct chain_reader *r, struct err *e) ERR_CHECKED;
/* Ends the snapshot until the next renew; only renew and close may follow. */
void chain_reader_pause(struct chain_reader *r);

const struct chain_tip *chain_reader_tip(const struct chain_reader *r);
/* NOT_FOUND above the tip and for height 0. */
enum err_code chain_reader_block(struct chain_reader *r, uint64_t height, struct chain_block *out,
                                 struct err *e) ERR_CHECKED;
/* ... and its body as carried. CORRUPT names the height. */
enum err_code chain_reader_body(struct chain_reader *r, uint64_t height, struct chain_block *out, struct slice *body,
                                struct err *e) ERR_CHECKED;
/* The block that holds this entry; O(log height) small reads. NOT_FOUND at or past the tree's size. */
enum err_code chain_reader_block_of(struct chain_reader *r, uint64_t number, struct chain_block *out,
                                    struct err *e) ERR_CHECKED;
/* The block with this hash among the newest `scan` ones. */
enum err_code chain_reader_by_hash(struct chain_reader *r, const struct digest *hash, uint64_t scan,
                                   struct chain_block *out, struct err *e) ERR_CHECKED;

/* One entry by its number. The batch that was opened last stays open, so that neighbours cost nothing. */
enum err_code chain_reader_entry(struct chain_reader *r, uint64_t number, struct chain_reader_entry *out,
                                 struct err *e) ERR_CHECKED;
/* Entries from..to-1 in order, until the callback returns other than OK (which is passed on). */
typedef enum err_code (*chain_reader_fn)(void *ctx, const struct chain_reader_entry *x, struct err *e);
enum err_code chain_reader_each(struct chain_reader *r, uint64_t from, uint64_t to, chain_reader_fn fn, void *ctx,
                                struct err *e) ERR_CHECKED;

/* The archived FINALIZE certificate of the lowest height >= `height` that has one (a certificate finalizes all
 * below it); *at is that height. Borrowed until the next call. NOT_FOUND. */
enum err_code chain_reader_cert(struct chain_reader *r, uint64_t height, uint64_t *at, struct slice *cert,
                                struct err *e) ERR_CHECKED;
/* Last final seq of a submitter (0: none); and the batch final under one of its newest seqs (NOT_FOUND if too old). */
enum err_code chain_reader_last_seq(struct chain_reader *r, const struct sign_public *submitter, uint64_t *seq,
                                    struct err *e) ERR_CHECKED;
enum err_code chain_reader_batch(struct chain_reader *r, const struct sign_public *submitter, uint64_t seq,
                                 struct digest *hash, uint64_t *height, struct err *e) ERR_CHECKED;

/* An answer to GET_RANGE: blocks from `from` up, of one epoch, at most max_bytes of them (one at least), the headers
 * above them up to the next archived certificate, and that certificate. Canonical msgpack
 * [[[bin header, bin body] ...], [bin header ...], bin cert]. NOT_FOUND past the tip. *out is cleared first. */
enum err_code chain_reader_range(struct chain_reader *r, uint64_t from, uint32_t max_bytes, struct buf *out,
                                 struct err *e) ERR_CHECKED;

#endif
