/* ledger/chain_impl.h -- what the chain*.c files share; for them only.
 * An overlay is one unfinalised, valid block: all that it changes above its parent. */
#ifndef LEDGER_CHAIN_IMPL_H
#define LEDGER_CHAIN_IMPL_H

#include "ledger/chain.h"
#include "ledger/chain_format.h"

enum { CHAIN_SUBMITTERS = LIMIT_NODES };

struct chain_seq { /* one batch of an overlay, or a submitter's last final one */
    struct sign_public submitter;
    uint64_t seq;
    struct digest hash;
};

struct chain_overlay {
    struct header header;
    struct digest hash;
    struct chain_overlay *parent;  /* NULL: the tip */
    uint32_t depth;                /* 1: directly above the tip */
    struct tree_frontier frontier; /* after this block */
    struct chain_seq *seqs;        /* its batches, in order */
    uint32_t seq_count;
    struct buf body;
    bool durable;
    uint64_t arrival; /* if durable */
};

struct chain {
    struct chain_options o;
    struct chain_tip tip;
    struct tree_frontier frontier; /* of the tip */
    struct chain_overlay *overlays[CHAIN_PENDING];
    size_t overlay_count;
    struct chain_overlay *target; /* chain_finalize wrote up to here, chain_apply is due */
    struct chain_seq *finals;     /* last final batch of each submitter, sorted by key */
    size_t final_count, final_cap;
    struct buf raw;      /* one opened batch */
    struct arena arena;  /* a block's batch headers */
    struct arena opened; /* one opened batch's arrays */
};

/* What a new block stands on. */
struct chain_base {
    struct chain_overlay *overlay; /* NULL: the tip */
    struct digest hash;
    uint64_t epoch, height;
    int64_t time;
    const struct tree_frontier *frontier;
};

/* ---- chain.c ---- */
struct chain_overlay *chain_find(const struct chain *c, const struct digest *hash);
/* NOT_FOUND: neither the tip nor held. */
enum err_code chain_base_at(struct chain *c, const struct digest *hash, struct chain_base *out,
                            struct err *e) ERR_CHECKED;
uint64_t chain_seq_on(const struct chain *c, const struct chain_overlay *o, const struct sign_public *submitter);
void chain_overlay_free(struct chain_overlay *o);
enum err_code chain_write_tip(struct store_txn *txn, const struct chain_tip *tip, const struct tree_frontier *f,
                              struct err *e) ERR_CHECKED;
/* The final seq was raised. NO_MEMORY, FULL. */
enum err_code chain_note_final(struct chain *c, const struct chain_seq *s, struct err *e) ERR_CHECKED;

/* ---- chain_draft.c: a block in the making, judged batch by batch ---- */
struct chain_draft {
    struct chain *chain;
    struct chain_overlay *overlay; /* owned until kept */
    struct chain_context context;
    struct digest parent;
    bool any_seq;       /* a trial: do not ask for the next sequence number */
    bool begun;         /* rules have been told */
    bool copy_fault;    /* the last error is one of carriage */
    uint32_t bad_entry; /* ... or of this entry of the batch */
};
/* Opens a draft above base; seqs has room for `batches`. */
enum err_code chain_draft_begin(struct chain_draft *d, struct chain *c, const struct chain_base *base, uint64_t epoch,
                                int64_t time, uint32_t batches, bool trial, struct err *e) ERR_CHECKED;
/* Judges one batch and adds it; on an error of class REFUSED the draft is as before it. */
enum err_code chain_draft_batch(struct chain_draft *d, const struct batch *b, struct err *e) ERR_CHECKED;
/* Keeps the draft as an overlay under this header and hash. The draft is over in any case. */
enum err_code chain_draft_keep(struct chain_draft *d, const struct header *h, const struct digest *hash,
                               struct slice body, struct err *e) ERR_CHECKED;
void chain_draft_drop(struct chain_draft *d);

#endif
