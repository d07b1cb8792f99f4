/* consensus/core.h -- Simplex for one channel, as a pure state machine.
 * Owns: views, votes, certificates, timers of one channel in one epoch. Depends on: wire/ only.
 * Source: docs/PROTOCOL.md 5 to 9.
 *
 * core_step(event) -> update. The core has no clock, no I/O, no randomness, and allocates only in core_new. The host
 * (the channel's thread) carries out each update, in this order, before it gives the next event:
 *   1. append update->records to the store's pending transaction, in order, with `finalized` and `prune_below`;
 *   2. send each message whose after_seq is durable already (0: at once); queue the others until it is;
 *   3. start builds, validations, fetches; note the deadline.
 * Later, when the transaction that holds seq is synced, it gives PERSISTED(seq). If a sync fails: exit the process.
 *
 * Bodies: the core never keeps one. The host makes a block's header and body part of the pending transaction before it
 * answers PAYLOAD or VALIDATED(ok), so that PERSISTED(seq) of any later update covers them.
 *
 * Invariants (asserted or tested): C1 at most one own NOTARIZE, FINALIZE and NULLIFY a view, and never NOTARIZE or
 * FINALIZE after NULLIFY, nor NULLIFY after FINALIZE; C2 an own vote is counted and sent only after its seq; C3 view
 * and final height never decrease; C4 no vote at or below the final view, or below the window; C5 memory is as at
 * core_new. */
#ifndef CONSENSUS_CORE_H
#define CONSENSUS_CORE_H

#include "consensus/message.h"

enum {
    CORE_SELF_NONE = -1,     /* an observer: follows, never votes */
    CORE_FROM_STRANGER = -1, /* event came from someone who is no member */
    CORE_TO_ALL = -1,        /* every other validator */
    CORE_TO_SENDER = -2,     /* whoever sent the message of this event */
    CORE_WINDOW = 256,       /* views kept below the current one */
    CORE_BLOCKS = 64,        /* block headers kept above the final one */
    CORE_DEPTH = 8,          /* unfinalised blocks on one chain that are looked at */
    CORE_RECORDS_MAX = 64,   /* of one update */
    CORE_MESSAGES_MAX = 64,
    CORE_FINALIZED_MAX = CORE_DEPTH,
    CORE_VALIDATE_MAX = CORE_BLOCKS,
    CORE_FETCH_MAX = 16,
    CORE_EVIDENCE_MAX = 16,
    CORE_BACKOFF_MS_MAX = 20000 /* no timer is longer */
};

/* Deliberately broken rules, for tests that must notice (tests/sim). All false in a node. */
struct core_mutation {
    bool no_vote_persistence;    /* votes leave at once and are not recorded */
    bool no_null_check;          /* a proposal that skips views needs no nullifications */
    bool finalize_after_nullify; /* rule 4 without its last condition */
    bool notarize_after_nullify; /* rule 3 likewise */
    bool quorum_too_small;       /* q - 1 */
    bool no_regulators;          /* k ignored */
    bool no_repropose;           /* rule 2 without re-proposals */
    bool no_stale_reply;         /* a vote for an old view is not answered */
    bool forget_on_restart;      /* own votes are not restored: signed afresh */
    bool idle_timers;            /* timers run at an idle tip */
    bool count_unsynced;         /* own votes leave and count before they are durable */
    bool no_backoff;             /* re-proposals at network speed */
    bool propose_low;            /* a liar's: proposes on the final block, whatever was notarized since */
};

struct core_config {
    const struct set *set; /* copied */
    int self;              /* index in the set, or CORE_SELF_NONE */
    uint32_t delta_ms;     /* the unit of the timers, 1..CORE_BACKOFF_MS_MAX/4 */
    struct cert_verifier verifier;
    /* Signs with the own consensus key; never called when self is none. Pure. */
    void (*sign)(void *ctx, struct slice message, struct sign_signature *out);
    void *sign_ctx;
    const struct core_mutation *mutation; /* NULL in a node; borrowed for the core's life */
};

/* What is durable. The store's key is (epoch, view, type), the value opaque bytes; insert-if-absent. */
enum core_record_type {
    CORE_RECORD_PROPOSAL = 1,     /* Prop, header and justification of what I notarize: PROPOSE without body */
    CORE_RECORD_OWN_NOTARIZE = 2, /* the vote's message bytes */
    CORE_RECORD_OWN_FINALIZE = 3,
    CORE_RECORD_OWN_NULLIFY = 4,
    CORE_RECORD_CERT_NOTARIZE = 5, /* certificate bytes */
    CORE_RECORD_CERT_NULLIFY = 6,
    CORE_RECORD_CERT_FINALIZE = 7
};
/* A key that is present with other bytes: for types 1 to 4 the process must abort (a vote would be contradicted); for
 * certificates the first one stays. */
static inline bool core_record_is_guard(enum core_record_type type) {
    return type <= CORE_RECORD_OWN_NULLIFY;
}

struct core_record {
    uint64_t epoch, view;
    enum core_record_type type;
    struct slice bytes;
};

/* The newest final block, as the store knows it at START or a catch-up brought it. height 0 is genesis: hash is the
 * channel's genesis block hash, cert absent. Otherwise cert is a FINALIZE certificate of exactly this block: catch-up
 * and finality always end at a block that has its own. The core verifies it again. */
struct core_final {
    uint64_t height;
    struct digest hash;
    struct slice cert;
};

enum core_event_type {
    CORE_EVENT_START,          /* first, exactly once */
    CORE_EVENT_RECV,           /* a message of this channel arrived */
    CORE_EVENT_TICK,           /* time has passed */
    CORE_EVENT_PAYLOAD,        /* answer to a build request */
    CORE_EVENT_VALIDATED,      /* answer to a validate request */
    CORE_EVENT_PERSISTED,      /* all records up to seq are synced */
    CORE_EVENT_BODY_AVAILABLE, /* answer to a fetch: header and body are here */
    CORE_EVENT_SYNCED,         /* the host's catch-up applied blocks up to `synced` */
    CORE_EVENT_POOL,           /* are there valid uncommitted entries? Repeat after each change and each finality */
    CORE_EVENT_PEER            /* a member's connection came up or went down; up is assumed at START */
};

struct core_event {
    enum core_event_type type;
    uint64_t now_ms; /* monotone, on every event */
    union {
        struct {
            const struct core_record *records; /* any order; those at or below the final view are ignored */
            size_t record_count;
            struct core_final final;
        } start;
        struct {
            int from; /* member index or CORE_FROM_STRANGER */
            struct slice bytes;
        } recv;
        struct {
            uint64_t view;        /* of the build request */
            bool ok;              /* false: the build failed, nullify */
            bool empty;           /* nothing to include: no proposal, no fault */
            struct header header; /* complete; channel, epoch, height, prev as requested */
        } payload;
        struct {
            struct digest hash; /* block hash of the validate request */
            bool ok;
            bool again; /* not ok, and not the block's fault: this copy is bad, or its parent is not here. Fetch it */
        } validated;
        uint64_t persisted_seq;
        struct {
            struct digest hash;
            struct header header;
        } body_available;
        struct core_final synced;
        bool pool_nonempty;
        struct {
            uint32_t member;
            bool up;
        } peer;
    } u;
};

struct core_message {
    int to;             /* member index, CORE_TO_ALL, CORE_TO_SENDER */
    uint64_t after_seq; /* may leave once PERSISTED(after_seq) could be said; 0: at once */
    struct slice bytes;
    bool with_body; /* a PROPOSE: append the body of block `body` */
    struct digest body;
};

/* Build a block on top of `parent` for my view. Answer PAYLOAD, possibly much later; a later request replaces it. */
struct core_build {
    bool wanted;
    uint64_t view;
    uint64_t height; /* of the block to build */
    struct digest parent;
};

/* Check tree, body, time and conformance of a block whose parent (header.prev) is final or was VALIDATED. Answer
 * VALIDATED, ok only when header and body are in the pending transaction. Repeated after a restart. */
struct core_validate {
    struct digest hash;
    struct header header;
    struct slice body; /* borrowed from the event's bytes; absent: the host has it already (restart, fetch) */
    bool seen_before;  /* restored or notarized by others: the rule "not ahead of the own clock" does not apply */
};

/* A block that is needed by hash: ask peers (GET_BLOCK), answer BODY_AVAILABLE. Repeated at each retry. */
struct core_fetch {
    struct digest hash;
    uint64_t height;
};

struct core_finalized {
    struct digest hash;
    uint64_t height;
    struct header header;
    struct slice cert; /* FINALIZE certificate of this block, or of the last block of this same list */
    uint64_t cert_height;
};

/* Two statements, both well signed by one member, that no honest member makes (PROTOCOL 9). */
struct core_evidence {
    char clause; /* 'a' to 'e' */
    uint32_t signer;
    struct slice first, second; /* message bytes of the two votes: each with channel, epoch and set_hash */
};

enum core_halt {
    CORE_HALT_NONE = 0,
    CORE_HALT_OWN_SIGNATURE, /* my signature that I lack: a restored backup, or a twin process. No more votes */
    CORE_HALT_FORK,          /* two certificates finalize different blocks at one height. Stop, keep both */
    CORE_HALT_ROOT           /* a quorum finalized another size or root for a block that I hold */
};

struct core_update {
    uint64_t seq; /* of records; 0 when there are none */
    struct core_record records[CORE_RECORDS_MAX];
    size_t record_count;
    struct core_message messages[CORE_MESSAGES_MAX];
    size_t message_count;
    struct core_build build;
    struct core_validate validate[CORE_VALIDATE_MAX];
    size_t validate_count;
    struct core_fetch fetch[CORE_FETCH_MAX];
    size_t fetch_count;
    struct core_finalized finalized[CORE_FINALIZED_MAX]; /* ascending heights */
    size_t finalized_count;
    uint64_t prune_below; /* records with view < this may go; 0: nothing new */
    struct core_evidence evidence[CORE_EVIDENCE_MAX];
    size_t evidence_count;
    bool sync_wanted;     /* peers are ahead: catch up by GET_RANGE; a hint, the host keeps one outstanding */
    int sync_from;        /* who said so, a member index or CORE_TO_ALL */
    uint64_t sync_height; /* their final height, unproven */
    uint64_t deadline_ms; /* give TICK then; UINT64_MAX: no timer runs */
    bool view_changed;    /* core_view and core_leader differ from before */
    bool misbehaved;      /* the message's bytes are the sender's fault: count, disconnect */
    struct err fault;     /* ... and why */
    enum core_halt halt;  /* stays set once set */
};
/* Every slice of an update points into the core or the event's bytes and lives until the next core_step. */

struct core;

/* CONFIG, NO_MEMORY. Released by core_free. */
enum err_code core_new(const struct core_config *config, struct core **out, struct err *e) ERR_CHECKED;
void core_free(struct core *c);

/* Never fails: what is wrong with a message is told in update->misbehaved. `up` is overwritten (it is large: keep one a
 * channel). */
void core_step(struct core *c, const struct core_event *ev, struct core_update *up);

uint64_t core_epoch(const struct core *c);
uint64_t core_view(const struct core *c);
uint32_t core_leader(const struct core *c); /* of the current view: entries go there at once */
uint64_t core_final_height(const struct core *c);
uint64_t core_final_view(const struct core *c);
struct digest core_final_hash(const struct core *c);
enum core_halt core_halted(const struct core *c);
/* Height of the notarized tip that a proposal would build on; above core_final_height while it waits for finality. */
uint64_t core_tip_height(const struct core *c);
/* My STATUS message for this channel, to be sent to each peer every few seconds. */
void core_status(const struct core *c, struct buf *out);
size_t core_memory(const struct core *c); /* bytes allocated, constant after core_new */

#endif
