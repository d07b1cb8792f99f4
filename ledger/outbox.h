/* ledger/outbox.h -- the durable queue between ingest and finality: one submitter on one channel.
 * Owns: home/outbox/<channel> (LMDB). Depends on: ledger/kv. Source: DESIGN 6 and 8, docs/PROTOCOL.md 2-3.
 *
 *   append ──> queued ──cut──> sealed (seq, hash) ──final──> gone
 *                 ^               │  │
 *                 └─seq was taken─┘  └──refused (entry, reason)──> put aside ──retry──> queued at the end
 *
 * Invariants
 *   O1 An entry that was appended is, at any time, queued, sealed, refused, or final; never lost, never two of these.
 *   O2 A source's position moves in the same transaction as the entries that it covers, so that no log is read twice
 *      and none is skipped. The vault is written before (ledger/vault.h).
 *   O3 A sealed batch is resent byte for byte, also after a restart, until it is final or replaced.
 *   O4 An entry is never signed under a second seq before the first is final with another batch: else both could
 *      become final. So after a refusal the *same* seq is sealed again with the rest, and later batches stay as they
 *      are; what was refused can be retried only once that seq is final. Every version of a seq that is not final
 *      is remembered, and entries leave by the batch *hash* that became final, refused ones too.
 *   O5 Entries are sent in the order in which they were appended, but for: those retried, those whose seq another
 *      batch took, and one that fills a hole (all entries of a batch were refused, later ones sealed already).
 *
 * Threads: any (one lock inside); sealing runs under it. Appends that come while another is being synced share the
 * next transaction (ledger/group.h). */
#ifndef LEDGER_OUTBOX_H
#define LEDGER_OUTBOX_H

#include "wire/buf.h"
#include "wire/digest.h"
#include "wire/limits.h"

enum {
    OUTBOX_SOURCE_MAX = 64,     /* bytes of a source's id */
    OUTBOX_POSITION_MAX = 4096, /* bytes of a source's position */
    OUTBOX_APPEND_MAX = 65536,  /* entries of one append */
    OUTBOX_VERSIONS = 65536     /* sealed versions remembered; beyond, refusals are BUSY */
};

/* Makes the carried, signed form of a batch (ledger/batch.h) onto `carried` and tells its hash. Deterministic content
 * is not needed: the outcome is stored. Called under the outbox' lock: must not call back. */
typedef enum err_code (*outbox_seal)(void *ctx, uint64_t seq, const struct slice *entries, uint32_t count,
                                     struct buf *carried, struct digest *hash, struct err *e);

struct outbox_options {
    outbox_seal seal;
    void *seal_ctx;
    uint64_t entries_max;  /* queued, sealed and refused; 0: 4 million */
    uint64_t bytes_max;    /* of their bytes; 0: 4 GiB */
    uint32_t window;       /* sealed batches not yet final; 0: LIMIT_POOL_BATCHES */
    uint64_t window_bytes; /* their carried bytes; 0: LIMIT_POOL_BYTES */
    bool cut_idle;         /* append and final seal what is queued when nothing is in flight, in the same sync */
};

struct outbox;
enum err_code outbox_open(const char *dir, const struct outbox_options *o, struct outbox **out,
                          struct err *e) ERR_CHECKED;
void outbox_close(struct outbox *o);

/* One source's new position: opaque bytes (for a file: inode, offset, sequence). */
struct outbox_position {
    struct slice source, position;
};
/* Durable when it returns OK, entries and positions together; only then may the source be acknowledged. Either count
 * may be 0. now in ms. FULL: try later, nothing was taken. TOO_LARGE: an entry over LIMIT_ENTRY. */
enum err_code outbox_append(struct outbox *o, const struct slice *entries, size_t count,
                            const struct outbox_position *positions, size_t position_count, int64_t now,
                            struct err *e) ERR_CHECKED;
/* Appends to *out (cleared first). NOT_FOUND: nothing yet. */
enum err_code outbox_position_get(struct outbox *o, struct slice source, struct buf *out, struct err *e) ERR_CHECKED;

/* Seals the next batch, durably, from the queue's front. NOT_FOUND: nothing to seal; BUSY: the window is full. */
enum err_code outbox_cut(struct outbox *o, uint64_t *seq, struct err *e) ERR_CHECKED;
/* The sealed batch with the smallest seq >= from: its carried bytes into *carried (cleared first). NOT_FOUND. */
enum err_code outbox_sealed(struct outbox *o, uint64_t from, uint64_t *seq, struct digest *hash, struct buf *carried,
                            struct err *e) ERR_CHECKED;

/* A batch of this submitter became final on the channel. To be told of each seq in order, from outbox_last_final + 1 on
 * (after a restart: from the blocks). Known already: OK. SEQUENCE: a hole.
 * When the hash is none of ours (a restored node; another process with this key): with `entries` given, those equal to
 * queued or refused ones leave as final; without, what was sealed for it goes to the queue's end. */
struct outbox_final {
    uint64_t seq;
    struct digest hash;
    const struct slice *entries; /* optional */
    uint32_t count;
};
enum err_code outbox_final(struct outbox *o, const struct outbox_final *f, struct err *e) ERR_CHECKED;
/* The highest seq known to be final; 0: none. */
uint64_t outbox_last_final(struct outbox *o);

/* Entry `index` of the sealed batch (seq, hash) was refused: it is put aside, and the rest sealed anew under the same
 * seq; if there is none, the next outbox_cut fills the hole. hash NULL: whatever is sealed now. NOT_FOUND: not (any
 * more) what is sealed, nothing changed. One node's word suffices here: how many it takes is the caller's policy. */
struct outbox_refusal {
    uint64_t seq;
    const struct digest *hash;
    uint32_t index;
    enum err_code code;
    struct slice reason; /* UTF-8, cut at 512 bytes */
    int64_t now;
};
enum err_code outbox_refuse(struct outbox *o, const struct outbox_refusal *r, struct err *e) ERR_CHECKED;
struct outbox_refused {
    uint64_t id; /* for outbox_retry, outbox_discard */
    int64_t time;
    enum err_code code;
    struct slice reason, entry;
};
/* Walk; fn returns false to stop and must not call the outbox. */
enum err_code outbox_refused_each(struct outbox *o, bool (*fn)(void *ctx, const struct outbox_refused *r), void *ctx,
                                  struct err *e) ERR_CHECKED;
/* Back to the queue's end (a standard was corrected). `entry` replaces the content; absent: as it was.
 * BUSY while the seq in which it was refused is not final (O4). */
enum err_code outbox_retry(struct outbox *o, uint64_t id, struct slice entry, int64_t now, struct err *e) ERR_CHECKED;
/* An operator gives it up: the only way in which an entry leaves without being final. */
enum err_code outbox_discard(struct outbox *o, uint64_t id, struct err *e) ERR_CHECKED;

struct outbox_stats {
    uint64_t entries; /* queued or sealed, not refused */
    uint64_t bytes;   /* of all entries held, refused ones too */
    uint64_t sealed_entries;
    uint32_t sealed_batches;
    uint64_t refused;
    int64_t oldest; /* ms: when the front was appended; 0: empty */
    uint64_t next_seq, last_final;
    uint64_t holes; /* > 0 and nothing queued: append something (an annotation), or later batches wait for ever */
};
enum err_code outbox_stats(struct outbox *o, struct outbox_stats *out, struct err *e) ERR_CHECKED;

#endif
