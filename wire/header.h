/* wire/header.h -- the header of a block: what a hash names and a quorum finalizes.
 * Source: docs/PROTOCOL.md 4. The hash covers a fixed layout, integers big-endian:
 *
 *   offset size  field
 *        0   15  "assay/block/v1" and NUL
 *       15   32  channel
 *       47    8  epoch
 *       55    8  height         genesis is 0, the first block 1
 *       63   32  prev           hash of the block below
 *       95   32  body_root      SHA-256 over the batch hashes and signatures (ledger/block.h)
 *      127    4  body_len       bytes of the body as carried
 *      131    4  entries        entries of this block
 *      135    8  tree_size      of the channel's tree after this block
 *      143   32  tree_root
 *      175    8  time           ms since 1970, UTC
 *      183       end */
#ifndef WIRE_HEADER_H
#define WIRE_HEADER_H

#include "wire/digest.h"
#include "wire/err.h"

enum { HEADER_SIZE = 183 };

struct header {
    struct digest channel;
    uint64_t epoch;
    uint64_t height;
    struct digest prev;
    struct digest body_root;
    uint32_t body_len;
    uint32_t entries;
    uint64_t tree_size;
    struct digest tree_root;
    int64_t time;
};

void header_write(const struct header *h, uint8_t out[HEADER_SIZE]);
/* MALFORMED unless exactly HEADER_SIZE bytes with the right tag. */
enum err_code header_read(struct slice bytes, struct header *out, struct err *e) ERR_CHECKED;
/* SHA-256 of the layout above. */
struct digest header_hash(const struct header *h);

#endif
