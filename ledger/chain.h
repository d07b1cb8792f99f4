/* ledger/chain.h -- one channel's ledger: the final run of blocks, and unfinalised blocks above it as overlays.
 * Owner: the channel's thread, for everything here; other threads read by ledger/chain_reader.h.
 * Depends on: ledger/store.h, block.h, pool.h, tree.h.  Source: docs/PROTOCOL.md 3, 4, 10.
 *
 * Invariants
 *   C1 The final run has heights 1.. without holes, each block's prev is the hash below, tree roots are those of all
 *      entries so far, and sequence numbers of each submitter are 1, 2, 3 ... along it.
 *   C2 Validity of a block is a pure function of its ancestors and its bytes (the clock only bounds a new one's time).
 *   C3 Nothing here is final before the write transaction that chain_finalize wrote into has been committed.
 *
 * An unfinalised block's life:
 *   chain_build | chain_validate -> valid, in memory   chain_persist(txn), commit -> durable by its hash
 *   chain_finalize(txn), commit, chain_apply -> final; its siblings and their descendants are dropped
 * After a crash chain_open replays the durable ones through chain_validate. */
#ifndef LEDGER_CHAIN_H
#define LEDGER_CHAIN_H

#include "ledger/block.h"
#include "ledger/chain_reader.h"
#include "ledger/entry.h"
#include "ledger/pool.h"
#include "ledger/store.h"

struct chain;

enum {
    CHAIN_PENDING = 256,          /* unfinalised blocks held at once */
    CHAIN_HASH_SCAN = 1024,       /* final blocks below the tip that are found by hash */
    CHAIN_IMPORT_COMMIT = 8 << 20 /* bytes of bodies applied in one transaction */
};

/* Where an entry stands. */
struct chain_context {
    const struct digest *channel;
    const struct digest *parent; /* hash of the block below: state to judge by is the one after it */
    uint64_t epoch, height;
    int64_t time; /* of the block */
    bool draft;   /* chain_check: nothing of this will be kept */
};

struct chain_entry {
    uint64_t number;    /* in the channel, from 0 */
    struct slice bytes; /* the whole entry */
    struct entry entry; /* its kind and body */
    struct digest leaf;
    const struct batch *batch; /* who, seq, batch hash */
    uint32_t index;            /* in the batch */
};

/* The meaning of entries, supplied from above. It may keep state for each unfinalised block, found by the hash that
 * `end` names. All are called on the channel's thread; members may be NULL (then all is fine).
 * begin .. (batch .. entry* .. batch_end)* .. end. A refused batch while building: batch_end(false) undoes what its
 * entries did, and the block goes on without it. An error of class REFUSED condemns batch or block; others stop. */
struct chain_rules {
    void *ctx;
    enum err_code (*begin)(void *ctx, const struct chain_context *c, struct err *e);
    enum err_code (*batch)(void *ctx, const struct chain_context *c, const struct batch *b, struct err *e);
    enum err_code (*entry)(void *ctx, const struct chain_context *c, const struct chain_entry *x, struct err *e);
    void (*batch_end)(void *ctx, const struct chain_context *c, bool accepted);
    void (*end)(void *ctx, const struct chain_context *c, const struct digest *hash); /* NULL: forget this draft */
    void (*final)(void *ctx, const struct digest *hash, const struct header *h);      /* after the commit, in order */
    void (*drop)(void *ctx, const struct digest *hash);                               /* abandoned */
};

struct chain_options {
    struct digest channel;
    struct store *store; /* borrowed; outlives the chain */
    struct pool *pool;   /* borrowed */
    struct chain_rules rules;
};

/* Opens a channel's ledger, or founds it in an empty store (one commit). Replays durable unfinalised blocks, which
 * calls the rules: what they know of the final run (read it by a chain_reader) must be ready before.
 * WRONG_NETWORK: the store is another channel's. CORRUPT, IO. */
enum err_code chain_open(const struct chain_options *o, struct chain **out, struct err *e) ERR_CHECKED;
void chain_close(struct chain *c);
/* Newest final block. At height 0: hash is the genesis block's, size 0, root of the empty tree, time 0. */
const struct chain_tip *chain_tip(const struct chain *c);
const struct digest *chain_channel(const struct chain *c);

/* ---- unfinalised blocks ---- */
/* A block that is held here (the tip included): its header. NOT_FOUND. */
enum err_code chain_header(const struct chain *c, const struct digest *hash, struct header *out,
                           struct err *e) ERR_CHECKED;
/* Unfinalised blocks between the tip and this one, itself included; 0 for the tip. NOT_FOUND. */
enum err_code chain_depth(const struct chain *c, const struct digest *hash, uint32_t *depth, struct err *e) ERR_CHECKED;
bool chain_is_durable(const struct chain *c, const struct digest *hash); /* chain_persist was committed or final */
/* Is a the block b, or an ancestor of it, as far as is known here (final run or overlays)? */
bool chain_is_ancestor(const struct chain *c, const struct digest *a, const struct digest *b);

struct chain_caps { /* 0: the protocol's limit */
    uint32_t batches, entries, body_bytes;
    uint64_t raw_bytes;
};
/* A new block of what waits in the pool, above `parent`; it is valid and held as if chain_validate had passed.
 * Time is max(parent's, now). Batches that do not conform are refused in the pool. NOT_FOUND: the parent is not held,
 * or nothing fits (a ledger holds no empty block). *body is cleared first. */
enum err_code chain_build(struct chain *c, const struct digest *parent, uint64_t epoch, const struct chain_caps *caps,
                          int64_t now, struct header *header, struct digest *hash, struct buf *body,
                          struct err *e) ERR_CHECKED;
/* Could chain_build make a block now? (No conformance check: what is in the pool was checked on arrival.) */
bool chain_has_work(const struct chain *c, const struct digest *parent);

enum { CHAIN_NO_CLOCK = -1 };
/* Full check of a block on a held, valid parent; keeps it as an overlay. Copies the body. Already held: OK.
 * `clock`: own time in ms, or CHAIN_NO_CLOCK on re-proposal, catch-up and replay.
 * *block_at_fault (may be NULL) tells a bad block (SEQUENCE, BAD_TIME, NONCONFORMING, MISMATCH of tree, ...: true)
 * from a bad *copy* of its body (another copy from another peer may be good: false).
 * NOT_FOUND: the parent is not held: fetch it. FULL: CHAIN_PENDING reached. CONFLICT: parent below the tip. */
enum err_code chain_validate(struct chain *c, const struct header *h, struct slice body, int64_t clock,
                             bool *block_at_fault, struct err *e) ERR_CHECKED;
/* Makes a valid block durable by its hash, in the caller's transaction. Repeating is fine. */
enum err_code chain_persist(struct chain *c, struct store_txn *txn, const struct digest *hash,
                            struct err *e) ERR_CHECKED;
/* Header and body of a block that is held or among the last CHAIN_HASH_SCAN final ones, for GET_BLOCK and PROPOSE;
 * *body is cleared first. NOT_FOUND. */
enum err_code chain_get_block(struct chain *c, const struct digest *hash, struct header *h, struct buf *body,
                              struct err *e) ERR_CHECKED;

/* ---- finality ---- */
/* A transaction that chain_persist or chain_finalize wrote into must be committed; if it can't be, the chain is closed
 * (memory is ahead of the disk then).
 * Writes a block and its unfinalised ancestors to the final run, with its certificate, into `txn`. The commit of
 * `txn` is the commit point. Already final: OK, and a certificate is archived if that height had none.
 * NOT_FOUND: not held (catch up). CONFLICT: another block is final at its height: the network has forked. */
enum err_code chain_finalize(struct chain *c, struct store_txn *txn, const struct digest *hash, struct slice cert,
                             struct err *e) ERR_CHECKED;
/* After the commit: moves the tip, tells rules and pool, drops what was abandoned. Must follow at once. */
void chain_apply(struct chain *c);

/* ---- batches at the door ---- */
/* A carried batch from a submitter or a peer: form, channel, signature, window, meaning (as if in a block above the
 * newest held one at time `now`), then the pool. Errors name the entry; an entry
 * that contradicts what is committed is NONCONFORMING, so that CONFLICT and SEQUENCE always mean the batch's place.
 * CONFLICT with POOL_WAS_FINAL unset: another batch is final or waits under this seq. *b (may be NULL) tells what it
 * was, its body borrowed from bytes. */
enum err_code chain_submit(struct chain *c, struct slice bytes, int64_t now, enum pool_answer *answer, struct batch *b,
                           uint32_t *bad_entry, struct err *e) ERR_CHECKED;
/* Last final sequence number of a submitter; 0 if none. */
uint64_t chain_final_seq(const struct chain *c, const struct sign_public *submitter);
/* ... and on the ancestor chain of a held block. NOT_FOUND. */
enum err_code chain_seq_at(const struct chain *c, const struct digest *block, const struct sign_public *submitter,
                           uint64_t *seq, struct err *e) ERR_CHECKED;

/* ---- catching up ---- */
/* Does this certificate finalize this block? The caller's quorum check. */
typedef enum err_code (*chain_verify_fn)(void *ctx, const struct header *h, const struct digest *hash,
                                         struct slice cert, struct err *e);
/* Applies an answer to GET_RANGE (chain_reader_range): verifies the certificate at its top, the hashes downwards to
 * our tip, then validates and commits upwards, in transactions of at most CHAIN_IMPORT_COMMIT body bytes. No write
 * transaction may be open. *applied counts new blocks, also when an error came later. An error of class REFUSED is
 * the sending peer's fault. SEQUENCE: does not start at tip + 1. */
enum err_code chain_import(struct chain *c, struct slice range, chain_verify_fn verify, void *ctx, uint64_t *applied,
                           struct err *e) ERR_CHECKED;

/* ---- repair (what fsck found) ---- */
/* Writes a body back where the stored one is damaged. It must match the stored header (or, if that is gone too, the
 * given one must hash to what the block above or the tip says). Opens and commits its own transaction. */
enum err_code chain_replace_block(struct chain *c, uint64_t height, const struct header *h, struct slice body,
                                  struct err *e) ERR_CHECKED;
/* Derives anew, in one transaction, what stands beside the blocks: tip, frontier, final batches (faults of kinds META
 * and SEQ). No chain may be open on the store. CORRUPT: a block is damaged: repair that first. */
enum err_code chain_rebuild(struct store *store, const struct digest *channel, struct err *e) ERR_CHECKED;

#endif
