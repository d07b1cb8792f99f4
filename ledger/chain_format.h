/* ledger/chain_format.h -- keys and values of a channel's tables; for ledger/chain*.c and fsck.c only.
 * Integers big-endian.
 *   BLOCKS   height u64                -> hash[32] ‖ header[183] ‖ first entry u64 ‖ arrival u64
 *   PENDING  block hash[32]            -> arrival u64 ‖ header[183]
 *   BODIES   arrival u64               -> body
 *   BATCHES  submitter[32] ‖ seq u64   -> batch hash[32] ‖ height u64
 *   CERTS    height u64                -> certificate
 *   META     "format"                  -> u32      "channel" -> id[32]
 *            "tip"                     -> height u64 ‖ hash[32] ‖ epoch u64 ‖ time u64 ‖ tree frontier */
#ifndef LEDGER_CHAIN_FORMAT_H
#define LEDGER_CHAIN_FORMAT_H

#include "ledger/chain_reader.h"
#include "ledger/tree.h"

enum {
    CHAIN_FORMAT_VERSION = 1,
    CHAIN_FORMAT_BLOCK = 32 + HEADER_SIZE + 8 + 8,
    CHAIN_FORMAT_PENDING = 8 + HEADER_SIZE,
    CHAIN_FORMAT_BATCH_KEY = 32 + 8,
    CHAIN_FORMAT_BATCH = 32 + 8,
    CHAIN_FORMAT_TIP = 8 + 32 + 8 + 8,
    CHAIN_FORMAT_TIP_MAX = CHAIN_FORMAT_TIP + TREE_FRONTIER_BYTES
};

struct chain_format_u64 {
    uint8_t b[8];
};
struct chain_format_u64 chain_format_u64(uint64_t v);
#define CHAIN_FORMAT_KEY(v) slice_of(chain_format_u64(v).b, 8)

struct chain_format_block {
    struct chain_block block;
    uint64_t arrival;
};
void chain_format_block_write(const struct chain_format_block *b, uint8_t out[CHAIN_FORMAT_BLOCK]);
enum err_code chain_format_block_read(struct slice v, struct chain_format_block *out, struct err *e) ERR_CHECKED;

void chain_format_pending_write(uint64_t arrival, const struct header *h, uint8_t out[CHAIN_FORMAT_PENDING]);
enum err_code chain_format_pending_read(struct slice v, uint64_t *arrival, struct header *h, struct err *e) ERR_CHECKED;

void chain_format_batch_key(const struct sign_public *submitter, uint64_t seq, uint8_t out[CHAIN_FORMAT_BATCH_KEY]);
void chain_format_batch_write(const struct digest *hash, uint64_t height, uint8_t out[CHAIN_FORMAT_BATCH]);
enum err_code chain_format_batch_read(struct slice key, struct slice v, struct sign_public *submitter, uint64_t *seq,
                                      struct digest *hash, uint64_t *height, struct err *e) ERR_CHECKED;

/* size and root of the tip are the frontier's. */
void chain_format_tip_write(const struct chain_tip *tip, const struct tree_frontier *f, struct buf *out);
enum err_code chain_format_tip_read(struct slice v, struct chain_tip *tip, struct tree_frontier *f,
                                    struct err *e) ERR_CHECKED;
/* Tip and frontier as stored. NOT_FOUND: no ledger yet. */
enum err_code chain_format_tip_load(struct store_txn *t, struct chain_tip *tip, struct tree_frontier *f,
                                    struct err *e) ERR_CHECKED;
enum err_code chain_format_block_load(struct store_txn *t, uint64_t height, struct chain_format_block *out,
                                      struct err *e) ERR_CHECKED;

#endif
