/* ledger/outbox_parts.h -- what outbox.c (queue, sealing) and outbox_settle.c (finality, refusal) share. Not for
 * others.
 *
 * Tables, integers big-endian
 *   queue     id u64            -> appended i64 ‖ entry           ids ascend; those below state.cut are sealed
 *   sealed    seq u64           -> batch hash[32] ‖ carried bytes  what is sent now for this seq
 *   versions  seq u64 ‖ hash    -> runs of ids: (first u64 ‖ count u32)*   every version of a seq that is not final
 *   sources   source id         -> position
 *   refused   id u64            -> code u32 ‖ time i64 ‖ seq u64 ‖ reason length u16 ‖ reason ‖ entry
 *   state     "state"           -> struct outbox_state, its fields in order */
#ifndef LEDGER_OUTBOX_PARTS_H
#define LEDGER_OUTBOX_PARTS_H

#include "ledger/group.h"
#include "ledger/kv.h"
#include "ledger/outbox.h"

#include <pthread.h>

enum { OUTBOX_QUEUE, OUTBOX_SEALED, OUTBOX_VERSION, OUTBOX_SOURCES, OUTBOX_REFUSED, OUTBOX_STATE };
enum {
    OUTBOX_QUEUE_HEAD = 8,    /* before the entry */
    OUTBOX_REFUSED_HEAD = 22, /* before the reason */
    OUTBOX_REASON = 512,
    OUTBOX_VERSION_KEY = 8 + DIGEST_SIZE,
    OUTBOX_RUN = 12
};

struct outbox_state {
    uint64_t next_id;    /* from 1 */
    uint64_t cut;        /* smallest id that is not sealed */
    uint64_t next_seq;   /* from 1 */
    uint64_t last_final; /* 0: none */
    uint64_t entries, bytes, refused;
    uint64_t sealed_batches, sealed_entries, sealed_bytes;
    uint64_t versions;
    uint64_t holes; /* seqs in (last_final, next_seq) for which nothing is sealed now */
};

struct outbox {
    struct group appends;
    struct kv *kv;
    struct outbox_options opt;
    pthread_mutex_t lock; /* guards all below and orders the changes */
    struct outbox_state st;
};

struct outbox_key {
    uint8_t b[OUTBOX_VERSION_KEY];
};

struct slice outbox_key_u64(struct outbox_key *k, uint64_t v);
struct slice outbox_key_version(struct outbox_key *k, uint64_t seq, const struct digest *hash);
/* One durable change under the lock: fn works on a copy of the state (its ctx begins with it), which counts when the
 * change is durable. */
struct outbox_change {
    struct outbox *o;
    struct outbox_state st;
};
enum err_code outbox_update(struct outbox *o, kv_change fn, struct outbox_change *g, struct err *e) ERR_CHECKED;
/* To be the first and the last thing that fn does. */
void outbox_change_begin(struct outbox_change *g);
enum err_code outbox_change_end(struct kv_txn *t, const struct outbox_change *g, struct err *e) ERR_CHECKED;
/* Appends an entry to the queue. */
enum err_code outbox_enqueue(struct kv_txn *t, struct outbox_state *st, struct slice entry, int64_t now,
                             struct buf *scratch, struct err *e) ERR_CHECKED;
enum err_code outbox_refused_read(struct slice value, struct outbox_refused *out, uint64_t *seq,
                                  struct err *e) ERR_CHECKED;

/* What sealing needs, allocated before the transaction. */
struct outbox_work {
    struct slice *entries; /* LIMIT_BATCH_ENTRIES; borrow from the transaction */
    uint64_t *ids;         /* ... */
    uint32_t count;
    struct buf carried, runs;
};
enum err_code outbox_work_init(struct outbox_work *w, struct err *e) ERR_CHECKED;
void outbox_work_release(struct outbox_work *w); /* fine after a failed init */
/* Seals the work's entries under seq, as what is sent for it from now on; counts them as sealed. */
enum err_code outbox_seal_at(struct kv_txn *t, struct outbox *o, struct outbox_state *st, uint64_t seq,
                             struct outbox_work *w, struct err *e) ERR_CHECKED;
/* With the option cut_idle: seals what is queued if nothing is in flight, within a change. */
enum err_code outbox_cut_idle(struct kv_txn *t, struct outbox *o, struct outbox_state *st, struct outbox_work *w,
                              struct err *e) ERR_CHECKED;

#endif
