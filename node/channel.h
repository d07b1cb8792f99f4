/* node/channel.h -- one channel on this node: an actor with a thread, a mailbox, a store and a consensus core.
 * Owns: home/channels/<name>/{ledger,index}, the core, the chain, the pool, the index; nothing is shared between
 * channels. Depends on: consensus/, ledger/, audit/, genesis/. Source: docs/PROTOCOL.md 6-8, docs/ARCHITECTURE.md.
 *
 *   peers, courier --mail--> [channel thread] core_step -> pending transaction -> commit -> send, apply -> tip
 *                                                                                   |
 *                              [follower thread] index_step, answers to GET_RANGE <-+-> subscribers of the tip
 *
 * Threads: one owns the core, the chain and the write transaction (channel.c); one follows the tip (follower.c).
 * Everything in this header may be called from any thread unless it says otherwise.
 * The order of effects is fixed: persist -> commit -> send -> apply (channel_effects.c). */
#ifndef NODE_CHANNEL_H
#define NODE_CHANNEL_H

#include "audit/audit_state.h"
#include "genesis/genesis.h"
#include "genesis/keys.h"
#include "ledger/chain_reader.h"
#include "ledger/index.h"
#include "ledger/pool.h"
#include "wire/envelope.h"
#include "wire/set.h"

struct channel;

/* What became of one of this node's own batches; told on the channel's thread: only enqueue. */
struct channel_fate {
    enum pool_fate fate;
    uint64_t seq;
    struct digest hash;
    uint32_t entry;           /* refused: index in the batch */
    const struct err *reason; /* refused */
};

struct channel_options {
    const struct genesis *genesis; /* borrowed for the channel's life, as is all here */
    const struct genesis_channel *founding;
    const struct genesis_node *self;
    const struct keys *keys;
    const char *dir; /* home/channels/<name> */
    const struct audit_module *const *modules;
    size_t module_count;
    void *ctx;
    /* To a member. FULL and UNREACHABLE are normal: the protocol resends. */
    enum err_code (*send)(void *ctx, struct slice node, bool urgent, struct slice bytes, struct err *e);
    void (*final)(void *ctx, struct channel *c);                              /* the tip moved; any thread */
    void (*fate)(void *ctx, struct channel *c, const struct channel_fate *f); /* of own batches */
    void (*misbehaved)(void *ctx, struct channel *c, struct slice node, const struct err *why);
    /* I/O or corruption: nothing can be trusted any more. Must not return to the channel's work: end the process. */
    void (*fatal)(void *ctx, struct channel *c, const struct err *why);
};

/* Opens store and index, rebuilds the audit state, starts both threads. */
enum err_code channel_open(const struct channel_options *o, struct channel **out, struct err *e) ERR_CHECKED;
/* Ends the threads: no callback comes any more, waiters return. Readers of the store may go on. */
void channel_stop(struct channel *c);
void channel_close(struct channel *c); /* stops, and closes everything */

const char *channel_name(const struct channel *c);
const struct digest *channel_id(const struct channel *c);
const struct genesis_channel *channel_founding(const struct channel *c);
const struct set *channel_set(const struct channel *c); /* of the current epoch */
int channel_seat(const struct channel *c);              /* own index in the set, -1: follows only */
struct store *channel_store(struct channel *c);         /* for readers of one's own */
struct index *channel_index(struct channel *c);
const char *channel_dir(const struct channel *c);

/* ---- in ---- */
/* A message of this channel from one of its members. FULL: dropped, the sender will repeat it. */
enum err_code channel_receive(struct channel *c, struct slice node, const struct envelope *m,
                              struct err *e) ERR_CHECKED;
void channel_peer(struct channel *c, struct slice node, bool up);
/* A sealed batch of this node's own outbox; kept and resent until its fate is told. */
enum err_code channel_submit(struct channel *c, struct slice carried, struct err *e) ERR_CHECKED;

/* ---- out ---- */
struct channel_status {
    struct chain_tip tip;
    uint64_t epoch, view, leader;
    uint64_t indexed_entries;
    uint64_t pool_batches, pool_bytes;
    uint64_t mail_refused, misbehaved, repaired, evidence;
    uint64_t sync_target; /* highest height a peer claims while we catch up; 0: level */
    uint32_t peers_up;    /* members that are connected */
    int halt;             /* enum core_halt */
};
void channel_status(struct channel *c, struct channel_status *out);
/* Newest tip. */
struct chain_tip channel_tip(struct channel *c);
/* Waits until the tip is above `height` or deadline_ms (clock_monotonic_ms); true if it is above. Ends early when the
 * channel closes. */
bool channel_wait(struct channel *c, uint64_t height, int64_t deadline_ms);
/* The audit state after the tip; one reference for the caller. */
struct audit_state *channel_audit(struct channel *c);
/* The state before any block; one reference for the caller. */
enum err_code channel_audit_empty(struct channel *c, struct audit_state **out, struct err *e) ERR_CHECKED;
/* Does this certificate finalize that block? A chain_verify_fn; ctx is a struct set. */
enum err_code channel_verify_cert(void *set, const struct header *h, const struct digest *hash, struct slice cert,
                                  struct err *e) ERR_CHECKED;

/* The validator set of a channel as genesis founds it. */
enum err_code channel_founding_set(const struct genesis *g, const struct genesis_channel *founding, struct set *out,
                                   struct err *e) ERR_CHECKED;

#endif
