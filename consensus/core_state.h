/* consensus/core_state.h -- inside of the core: its state, and the functions that its files share.
 * Owns: nothing. Only consensus/ files include it. Source: docs/PROTOCOL.md 5 to 9.
 *
 * Life of a view at one member:
 *
 *   state                event                            next
 *   current, no vote     valid PROPOSE                    notarized by me (rule 3)
 *   current, any         timer, f+1 NULLIFY, bad PROPOSE  nullified by me, unless finalized by me (rule 5)
 *   any, notarized by me CERT(NOTARIZE) of the same pid   finalized by me, unless nullified by me (rule 4)
 *   current              any CERT of it, or higher        past: v+1 is current (rule 1)
 *   any above final      CERT(FINALIZE)                   its block and all below are final (rule 6)
 *
 * Life of a block: WANT (hash known) -> HAVE (header here, body at the host) -> ASKED -> VALID or BAD. */
#ifndef CONSENSUS_CORE_STATE_H
#define CONSENSUS_CORE_STATE_H

#include "consensus/core.h"

struct core_vote {
    bool have;
    struct digest pid;
    uint64_t tree_size;
    struct digest tree_root;
    struct sign_signature sig;
};

struct core_slot {
    uint64_t view; /* 0: unused */
    bool has_prop, prop_bad;
    struct cert_prop prop;
    struct digest pid;
    struct sign_signature prop_sig;
    bool has_cert[CERT_NULLIFY + 1];
    bool has_own[CERT_NULLIFY + 1];
    uint64_t own_seq[CERT_NULLIFY + 1]; /* durable once core.persisted >= it */
    bool own_counted[CERT_NULLIFY + 1];
    struct cert_vote own[CERT_NULLIFY + 1];
    struct cert cert[CERT_NULLIFY + 1];
};

enum core_block_state {
    CORE_BLOCK_FREE,
    CORE_BLOCK_WANT,
    CORE_BLOCK_HAVE,
    CORE_BLOCK_ASKED,
    CORE_BLOCK_VALID,
    CORE_BLOCK_BAD
};

struct core_block {
    enum core_block_state state;
    bool seen; /* not subject to the clock rule */
    struct digest hash;
    uint64_t height, view; /* view: the newest that names it */
    struct header header;  /* from HAVE on */
};

struct core_tip {
    uint64_t view;
    struct digest pid, hash;
    uint64_t height;
};

struct core {
    struct set set;
    struct cert_verifier verifier;
    void (*sign)(void *, struct slice, struct sign_signature *);
    void *sign_ctx;
    struct core_mutation mut;
    int self;
    uint64_t delta;
    enum core_halt halt;
    bool started;
    uint64_t now, view, seq, persisted;
    /* final */
    struct core_tip final; /* of the FINALIZE certificate; view 0: genesis */
    struct cert final_cert;
    bool has_pending;
    struct cert pending; /* FINALIZE certificate whose chain is not all here */
    /* timers */
    bool armed;
    uint64_t armed_at, entered_at, retry_at, retries;
    uint64_t scale;   /* thousandths */
    uint64_t unfinal; /* views entered by a notarization since the last finality */
    uint64_t heard[LIMIT_VALIDATORS];
    bool down[LIMIT_VALIDATORS];
    uint64_t reply_at[LIMIT_VALIDATORS + 1]; /* rate limit; the last is for strangers */
    /* proposing */
    bool pool, build_asked, build_empty, build_failed;
    struct core_slot *slots; /* CORE_WINDOW + 2, by view modulo */
    struct core_vote *votes; /* per slot 3 * n */
    struct core_block blocks[CORE_BLOCKS];
    size_t memory;
    /* the update in making */
    struct core_update *up;
    int from;
    uint8_t *out; /* bytes that the update's slices point to */
    size_t out_len;
    struct buf scratch;
};

enum { CORE_RING = CORE_WINDOW + 2, CORE_OUT = 2 << 20 };

/* core.c */
struct core_slot *core_slot(struct core *c, uint64_t view);      /* NULL when not in use */
struct core_slot *core_slot_make(struct core *c, uint64_t view); /* NULL outside of the window */
struct core_vote *core_slot_votes(struct core *c, const struct core_slot *s, enum cert_type type);
uint64_t core_floor(const struct core *c); /* no vote at or below */
struct slice core_out(struct core *c, struct slice bytes);
void core_record(struct core *c, uint64_t view, enum core_record_type type, struct slice bytes);
void core_send(struct core *c, int to, uint64_t after_seq, struct slice bytes);
void core_send_cert(struct core *c, int to, const struct cert *cert);
void core_fault(struct core *c, const struct err *e);
void core_message_init(const struct core *c, enum message_type type, struct message *m);
struct slice core_encode(struct core *c, const struct message *m); /* in the update's space */
bool core_may_vote(const struct core *c);
void core_enter(struct core *c, uint64_t view);
void core_stop(struct core *c, enum core_halt why);

/* core_vote.c: votes and certificates */
void core_vote_note(struct core *c, const struct cert_vote *vote, bool verified);
bool core_vote_try(struct core *c, struct core_slot *s); /* rules 3 and 4; true if it voted */
void core_vote_own(struct core *c, struct core_slot *s, enum cert_type type);
void core_vote_persisted(struct core *c);
uint32_t core_vote_count(struct core *c, const struct core_slot *s, enum cert_type type);
/* verified: skip the check (own store, or formed here). False when refused. */
bool core_cert_note(struct core *c, const struct cert *cert, bool verified);
bool core_cert_note_bytes(struct core *c, struct slice bytes);
struct slice core_vote_bytes(struct core *c, const struct cert_vote *vote);

/* core_block.c: blocks and finality */
struct core_block *core_block_find(struct core *c, const struct digest *hash);
struct core_block *core_block_want(struct core *c, const struct digest *hash, uint64_t height, uint64_t view);
bool core_block_valid(struct core *c, const struct digest *hash); /* valid or the final one */
void core_block_have(struct core *c, struct core_block *b, const struct header *h, struct slice body);
void core_block_advance(struct core *c);
void core_block_fetches(struct core *c);
bool core_final_try(struct core *c);
void core_final_synced(struct core *c, const struct core_final *f);

/* core_propose.c */
enum core_justified { CORE_JUSTIFIED_NO, CORE_JUSTIFIED_YES, CORE_JUSTIFIED_BAD };
enum core_justified core_propose_justified(struct core *c, const struct core_slot *s);
bool core_propose_tip(struct core *c, struct core_tip *out, uint64_t *missing); /* false: a nullification is missing */
bool core_propose_try(struct core *c);
void core_propose_payload(struct core *c, const struct core_event *ev);
struct slice core_propose_bytes(struct core *c, struct core_slot *s);
void core_propose_send(struct core *c, struct core_slot *s, uint64_t after_seq);
void core_propose_missing(struct core *c, int to);
void core_vote_recount(struct core *c, struct core_slot *s); /* votes that waited for their Prop */
bool core_tip_unfinal(struct core *c);

/* core_timer.c */
uint64_t core_timer_backoff(const struct core *c, uint64_t times);
uint64_t core_timer_repropose(const struct core *c); /* ms in a view before an unfinal tip is proposed again */
bool core_timer_try(struct core *c);
void core_timer_retry(struct core *c);
uint64_t core_timer_deadline(struct core *c);
void core_timer_reply(struct core *c, uint64_t view); /* the certificates that bring a peer forward */

/* one file a message */
void recv_propose(struct core *c, const struct message *m);
void recv_notarize(struct core *c, const struct message *m);
void recv_finalize(struct core *c, const struct message *m);
void recv_nullify(struct core *c, const struct message *m);
void recv_cert(struct core *c, const struct message *m);
void recv_status(struct core *c, const struct message *m);
void recv_get_cert(struct core *c, const struct message *m);

#endif
