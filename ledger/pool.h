/* ledger/pool.h -- batches that wait for finality, by submitter, in order of their sequence numbers.
 * Owner: the channel's thread.  Memory only: durability before finality is the submitter's outbox.
 * Source: docs/PROTOCOL.md 2 (delivery).
 * Invariants: P1 a batch leaves only because its sequence number is final or because it was refused; being in a block
 * does not remove it, so an abandoned block returns nothing and loses nothing; P2 at most LIMIT_POOL_BATCHES and
 * LIMIT_POOL_BYTES a submitter; P3 one batch a (submitter, seq): the first seen holds the place until refused. */
#ifndef LEDGER_POOL_H
#define LEDGER_POOL_H

#include "ledger/batch.h"

struct pool;

/* What became of a batch that was in the pool. */
enum pool_fate {
    POOL_FINAL = 1, /* committed: its submitter may let go */
    POOL_REFUSED,   /* does not conform; its seq is free again: fix and send anew */
    POOL_DISPLACED  /* another batch became final under its seq: re-sign the content under a new one */
};
struct pool_notice {
    enum pool_fate fate;
    const struct sign_public *submitter;
    uint64_t seq;
    const struct digest *hash; /* the batch that waited */
    uint64_t height;           /* FINAL, DISPLACED: the block that decided */
    uint32_t entry;            /* REFUSED: index of the entry in the batch */
    const struct err *reason;  /* REFUSED */
};
/* Called on the channel's thread, FINAL and DISPLACED only after the commit. Must not call back into the pool. */
typedef void (*pool_notice_fn)(void *ctx, const struct pool_notice *n);

enum pool_answer {
    POOL_TAKEN = 1, /* new; held until final */
    POOL_HELD,      /* was here already */
    POOL_WAS_FINAL  /* this very batch is final: the submitter may let go */
};

enum err_code pool_open(pool_notice_fn notice, void *ctx, struct pool **out, struct err *e) ERR_CHECKED;
void pool_close(struct pool *p);
/* Copies the batch; the caller has verified it. `final_seq` is the submitter's last final one.
 * SEQUENCE: at or below final_seq, or past the window; CONFLICT: another batch waits under this seq;
 * FULL: the submitter's window of bytes, or the pool's number of submitters. */
enum err_code pool_add(struct pool *p, const struct batch *b, uint64_t final_seq, enum pool_answer *answer,
                       struct err *e) ERR_CHECKED;
/* Batch `seq` of a submitter, NULL if it is not here. Borrowed until the pool changes. */
const struct batch *pool_get(const struct pool *p, const struct sign_public *submitter, uint64_t seq);
/* Submitters in turn: the i-th that has batches, i < pool_submitters. Order is by arrival of the first one. */
size_t pool_submitters(const struct pool *p);
const struct sign_public *pool_submitter(const struct pool *p, size_t i);
/* A batch that can't be in any block: gives notice and frees its seq. */
void pool_refuse(struct pool *p, const struct sign_public *submitter, uint64_t seq, uint32_t entry,
                 const struct err *reason);
/* `seq` is final with this hash: drops all at or below it, with notice. */
void pool_final(struct pool *p, const struct sign_public *submitter, uint64_t seq, const struct digest *hash,
                uint64_t height);

struct pool_usage {
    uint64_t batches, bytes, entries;
};
struct pool_usage pool_usage(const struct pool *p);

#endif
