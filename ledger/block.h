/* ledger/block.h -- the body of a block: a run of batches, carried as they came.
 * Source: docs/PROTOCOL.md 4. Body: canonical msgpack list of batches (ledger/batch.h), 1..LIMIT_BLOCK_BATCHES.
 * body_root = SHA-256 over (batch hash ‖ signature) of each batch in order: it names what was submitted and by whom,
 * not how it was compressed. */
#ifndef LEDGER_BLOCK_H
#define LEDGER_BLOCK_H

#include "ledger/batch.h"
#include "wire/header.h"

struct block_body {
    struct batch *batches; /* lives in the arena; bodies borrow from the bytes */
    uint32_t count;
    uint64_t entries, raw_bytes; /* sums, as declared by the batches */
};

/* Form only, limits included. MALFORMED, TOO_LARGE. */
enum err_code block_read(struct slice body, struct arena *a, struct block_body *out, struct err *e) ERR_CHECKED;
void block_write(const struct batch *batches, uint32_t count, struct buf *out);
struct digest block_body_root(const struct batch *batches, uint32_t count);
/* Do body and header belong together: length, body root, number of entries? MISMATCH. */
enum err_code block_match(const struct header *h, struct slice body, const struct block_body *b,
                          struct err *e) ERR_CHECKED;
/* SHA-256("assay/genesis-block/v1" NUL ‖ channel). */
struct digest block_genesis(const struct digest *channel);

#endif
