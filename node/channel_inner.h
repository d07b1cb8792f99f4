/* node/channel_inner.h -- the inside of a channel, shared by the files channel*.c and follower.c alone.
 * Fields name their owner: [channel] its thread, [follower] its thread, [lock] under c->lock, [const] after open. */
#ifndef NODE_CHANNEL_INNER_H
#define NODE_CHANNEL_INNER_H

#include "consensus/core.h"
#include "ledger/chain.h"
#include "ledger/journal.h"
#include "node/channel.h"
#include "node/mailbox.h"
#include "node/repair.h"
#include "node/rules.h"
#include "node/source.h"
#include "ledger/home.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    CHANNEL_MAILS = 8192,
    CHANNEL_MAIL_BYTES = 96 << 20,
    CHANNEL_DRAIN = 64,  /* mails between two commits */
    CHANNEL_HELD = 4096, /* messages that wait for a sync */
    CHANNEL_OWN = LIMIT_POOL_BATCHES,
    CHANNEL_STATUS_MS = 5000,
    CHANNEL_FOLLOW_MS = 100,       /* after a new tip, where there are members who do not validate */
    CHANNEL_RANGE_BYTES = 2 << 20, /* of blocks asked for at once */
    CHANNEL_SYNC_MS = 5000,        /* an answer to GET_RANGE takes no longer, else another peer is asked */
    CHANNEL_REFUSALS = LIMIT_VALIDATORS,
    CHANNEL_SERVE_BURST = 512,    /* blocks by hash for one member: so many at once, ... */
    CHANNEL_SERVE_MS = 4,         /* ... then one in so many ms, */
    CHANNEL_SERVE_UNIT = 64 << 10 /* and a large one counts as several of this size */
};

/* Kinds of mail. An envelope's types below 256 keep their number. */
enum channel_mail {
    CHANNEL_MAIL_OWN_BATCH = 256,
    CHANNEL_MAIL_PEER_UP,
    CHANNEL_MAIL_PEER_DOWN,
    CHANNEL_MAIL_STOP,
    CHANNEL_MAIL_DAMAGED
};

/* A message that may leave once its records are durable. */
struct channel_held {
    struct channel_held *next;
    uint64_t after_seq;
    int32_t to; /* node index of genesis, or -1: every other validator */
    size_t len;
    uint8_t bytes[]; /* an envelope */
};

/* A batch of this node's own, until its fate is known. */
struct channel_own {
    uint64_t seq; /* 0: free */
    struct digest hash;
    struct slice bytes; /* owned: the envelope that carries it */
    int64_t resend_ms;  /* monotone */
    int64_t wait_ms;
    uint32_t refused_by; /* bit a seat: validators that refused it */
};

struct channel_sync {
    uint64_t request; /* outstanding; 0: none */
    int32_t peer;     /* node index that was asked */
    int64_t until_ms;
    uint64_t target; /* highest claimed height */
    uint64_t next_request;
};

/* What a member may still ask for: tokens that come back with time. */
struct channel_served {
    int64_t at_ms;
    uint32_t used;
};

struct channel {
    struct channel_options o;   /* [const] */
    char name[LIMIT_NAME + 1];  /* [const] */
    char area[LIMIT_NAME + 16]; /* [const] for the log */
    struct digest id;           /* [const] */
    struct set set;             /* [const] in this version: one epoch */
    int self;                   /* [const] own seat */
    struct store *store;        /* [const] */
    struct index *index;        /* [const] */
    struct mailbox *box;        /* any */
    pthread_t thread, follower;
    bool threads;

    struct pool *pool; /* [channel] from here */
    struct chain *chain;
    struct rules *rules;
    struct core *core;
    struct core_update *up;
    struct store_txn *txn; /* the pending transaction; NULL: nothing pending */
    uint64_t txn_seq, durable_seq;
    bool finalized; /* the pending transaction moves the tip */
    struct channel_held *held_first, *held_last;
    size_t held_count;
    uint64_t deadline_ms; /* the core's */
    int64_t status_ms;    /* next STATUS */
    int32_t sender;       /* node index of the mail at hand, or -1 */
    struct channel_own own[CHANNEL_OWN];
    struct channel_sync sync;
    struct repair repair;
    struct buf body, wire; /* scratch */
    struct buf cert;       /* channel_tip_cert's */
    bool stopped;          /* the network has forked: nothing is done any more but answering readers */
    bool pool_told;        /* what the core was told last */
    uint32_t up_seats;     /* bit a seat: connected */
    uint32_t fetch_turn;
    struct digest asked[CORE_FETCH_MAX]; /* newest blocks asked for by hash, in a ring */
    uint32_t asked_next;
    struct digest orphan, orphan_parent; /* a fetched block that waits for the one below it */
    struct channel_served *served;       /* by node index of genesis */

    struct mailbox *follower_box; /* any: requests to serve */

    pthread_mutex_t lock;
    pthread_cond_t moved;         /* [lock] the tip moved, or closing */
    struct channel_status status; /* [lock] */
    bool closing;                 /* [lock] */
};

/* channel_effects.c: gives the core an event and carries out all that follows from it. */
void channel_step(struct channel *c, const struct core_event *ev);
/* Commits what is pending, tells the core, sends what waited; repeats until nothing is pending. */
void channel_settle(struct channel *c);
/* The pending transaction, begun if there is none. Ends the process if the store refuses. */
struct store_txn *channel_txn(struct channel *c);
void channel_fatal(struct channel *c, const struct err *e);
/* Tells the core whether there is work in the pool, if that has changed. */
void channel_tell_pool(struct channel *c);
/* Publishes the tip to other threads. */
void channel_publish(struct channel *c);

/* channel_recv.c: one mail from outside. */
void channel_mail(struct channel *c, const struct mail *m);
/* Envelope of `type` into c->wire; borrowed until the next use. */
struct slice channel_envelope(struct channel *c, enum envelope_type type, uint64_t request, struct slice body);
/* to: node index of genesis, or -1 for every other validator. Losses are fine. */
void channel_send(struct channel *c, int32_t to, enum envelope_type type, uint64_t request, struct slice body);
void channel_send_bytes(struct channel *c, int32_t to, bool urgent, struct slice envelope);
/* Node index in genesis of a member by its id, -1 if it is none. */
int32_t channel_member(const struct channel *c, struct slice node);
/* Seat of a node by its index, or -1. */
int channel_seat_of(const struct channel *c, int32_t node);
int32_t channel_node_of_seat(const struct channel *c, uint32_t seat);
uint64_t channel_now(void); /* monotone ms */
/* This member's bytes were at fault: counted, and told to the node. */
void channel_misbehaved(struct channel *c, int32_t node, const struct err *why);

/* channel_batch.c: batches on their way to finality. */
void channel_batch_own(struct channel *c, struct slice carried);
void channel_batch_received(struct channel *c, int32_t from, struct slice carried);
void channel_batch_answered(struct channel *c, int32_t from, struct slice ack);
void channel_batch_notice(void *c, const struct pool_notice *n); /* a pool_notice_fn */
void channel_batch_tick(struct channel *c, int64_t now);         /* resends */
int64_t channel_batch_deadline(const struct channel *c);
/* Own batches that became final while the pool did not hold them. */
void channel_batch_finals(struct channel *c);
void channel_batch_release(struct channel *c);

/* channel_sync.c: catching up, and single blocks by hash. */
void channel_sync_want(struct channel *c, int from_seat, uint64_t height);
void channel_sync_received(struct channel *c, int32_t from, uint64_t request, struct slice range);
void channel_sync_tick(struct channel *c, int64_t now);
/* The tip's own certificate into c->cert; *own is false when only a higher block will have one. No reader stays open:
 * who writes next may have to wait until there is none. */
enum err_code channel_tip_cert(struct channel *c, bool *own, struct err *e) ERR_CHECKED;
void channel_fetch(struct channel *c, const struct core_fetch *f);
void channel_fetch_serve(struct channel *c, int32_t from, uint64_t request, struct slice hash);
void channel_fetch_received(struct channel *c, int32_t from, struct slice block);

/* follower.c */
void *follower_run(void *channel);
enum { FOLLOWER_MAIL_RANGE = 1, FOLLOWER_MAIL_WAKE, FOLLOWER_MAIL_STOP };

#endif
