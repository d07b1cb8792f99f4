/* ledger/batch.h -- what a submitter hands in: entries, one sequence number, one signature; compressed once.
 * Source: docs/PROTOCOL.md 2.
 *
 * Carried as canonical msgpack [header map, bin body]. Raw body, before compression, integers big-endian:
 *   u16 length ‖ entry ‖ u16 length ‖ entry ...           (exactly a tlog-tiles entry bundle)
 * Signed: "assay/batch/v1" NUL ‖ channel[32] ‖ submitter[32] ‖ seq u64 ‖ count u32 ‖ root[32]; root is the RFC 6962
 * MTH of the entries' leaf hashes. The batch hash is SHA-256 of the signed bytes.
 * raw_len, enc and the compressed bytes are *carriage*: neither signed nor in the batch hash. So a fault found in them
 * condemns the copy, not the batch: another copy may be good. */
#ifndef LEDGER_BATCH_H
#define LEDGER_BATCH_H

#include "wire/arena.h"
#include "wire/buf.h"
#include "wire/digest.h"
#include "wire/limits.h"
#include "wire/schema.h"
#include "wire/sign.h"

enum batch_enc { BATCH_PLAIN = 0, BATCH_ZSTD = 1 };
enum { BATCH_SIGNED_SIZE = 15 + 32 + 32 + 8 + 4 + 32, BATCH_CARRIED = LIMIT_BATCH_RAW + 1024 };

struct batch_header {
    struct digest channel;
    uint64_t count;   /* entries, 1..LIMIT_BATCH_ENTRIES */
    uint64_t enc;     /* enum batch_enc */
    uint64_t raw_len; /* 1..LIMIT_BATCH_RAW bytes before compression */
    struct digest root;
    uint64_t seq; /* from 1, without holes */
    struct sign_signature sig;
    struct sign_public submitter;
};

/* A batch as it is carried; body borrows. */
struct batch {
    struct batch_header header;
    struct slice body;  /* compressed as header.enc says */
    struct digest hash; /* of the signed bytes */
};

extern const struct schema batch_header_schema;

/* Gathers entries for a new batch. */
struct batch_builder {
    struct buf raw;        /* length-prefixed entries */
    struct digest *leaves; /* LIMIT_BATCH_ENTRIES */
    uint32_t count;
};
enum err_code batch_builder_init(struct batch_builder *b, struct err *e) ERR_CHECKED;
void batch_builder_release(struct batch_builder *b);
void batch_builder_clear(struct batch_builder *b);
/* FULL when the entry does not fit any more (the batch is then complete without it); TOO_LARGE, MALFORMED never fit. */
enum err_code batch_builder_add(struct batch_builder *b, struct slice entry, struct err *e) ERR_CHECKED;
/* Compresses and signs; writes the carried form onto out. The builder keeps its entries: seal again to re-sign
 * under another seq. *hash may be NULL. */
enum err_code batch_builder_seal(const struct batch_builder *b, const struct digest *channel, uint64_t seq,
                                 const struct sign_secret *secret, const struct sign_public *submitter, struct buf *out,
                                 struct digest *hash, struct err *e) ERR_CHECKED;

/* Form only: canonical, within limits, hash computed. MALFORMED, TOO_LARGE. */
enum err_code batch_read(struct slice bytes, struct batch *out, struct err *e) ERR_CHECKED;
enum err_code batch_read_at(struct cursor *c, struct batch *out, struct err *e) ERR_CHECKED;
void batch_write(const struct batch *b, struct buf *out); /* the carried form */
void batch_signed_bytes(const struct batch_header *h, uint8_t out[BATCH_SIGNED_SIZE]);
struct digest batch_hash(const struct batch_header *h);
/* BAD_SIGNATURE. */
enum err_code batch_verify(const struct batch_header *h, struct err *e) ERR_CHECKED;

/* The entries of an opened batch; all borrow from `raw`. */
struct batch_entries {
    struct slice raw;
    struct slice *items;
    struct digest *leaves;
    uint32_t count;
};
/* Inflates into `raw` (cleared first; never more than the declared, checked length), splits, and checks count and
 * root. Arrays live in `a`. MALFORMED: carriage is bad (see above); MISMATCH: entries are not those of the root. */
enum err_code batch_open(const struct batch *b, struct buf *raw, struct arena *a, struct batch_entries *out,
                         struct err *e) ERR_CHECKED;
/* RFC 6962 MTH over leaf hashes. */
struct digest batch_root(const struct digest *leaves, uint32_t count);

#endif
