/* ledger/index_source.h -- what the index and its queries need of a channel's chain, and no more.
 * The node adapts its chain reader to this; tests bring an array. Final blocks only: nothing here is ever undone.
 * One struct index_source belongs to one thread at a time; each query thread has its own.
 * Entries are numbered from 0; genesis is block 0 and holds none, so block 1 begins at entry 0. */
#ifndef LEDGER_INDEX_SOURCE_H
#define LEDGER_INDEX_SOURCE_H

#include "wire/digest.h"
#include "wire/err.h"

struct index_tip {
    uint64_t height;  /* of the newest final block; 0: genesis only */
    uint64_t entries; /* of the channel: tree_size of that block */
};

struct index_block {
    uint64_t height;
    uint64_t first;   /* number of its first entry */
    uint32_t entries; /* may be 0 */
    int64_t time;     /* of the header, ms */
    struct digest hash;
};

struct index_entry {
    uint64_t number;
    uint64_t height;                /* of its block */
    int64_t block_time;             /* ms */
    uint8_t submitter[DIGEST_SIZE]; /* public submit key of its batch */
    struct slice bytes;             /* the canonical entry; borrowed until the next call on this source */
};

struct index_source {
    void *ctx;
    enum err_code (*tip)(void *ctx, struct index_tip *out, struct err *e);
    /* NOT_FOUND above the tip. */
    enum err_code (*block)(void *ctx, uint64_t height, struct index_block *out, struct err *e);
    /* NOT_FOUND past the last entry. Mostly called for neighbours, in either direction: keep the last batch inflated.
     */
    enum err_code (*entry)(void *ctx, uint64_t number, struct index_entry *out, struct err *e);
};

#endif
