/* node/desk_inner.h -- the inside of the desk, shared by desk*.c alone; all of it belongs to the desk's thread. */
#ifndef NODE_DESK_INNER_H
#define NODE_DESK_INNER_H

#include "audit/audit_check.h"
#include "ledger/chain_reader.h"
#include "node/desk.h"
#include "node/mailbox.h"
#include "node/source.h"

#include <pthread.h>

enum {
    DESK_MAILS = 1024,
    DESK_MAIL_BYTES = 64 << 20,
    DESK_TICK_MS = 250,
    DESK_AGAIN_MS = 20000,     /* an own entry that has not become final by then is handed on anew */
    DESK_FETCH_MS = 1500,      /* between two EVIDENCE_GET for one case */
    DESK_DELIVER_MS = 20000,   /* past deadline and answer: then what was not delivered is missing */
    DESK_LATE_MS = 1500,       /* past the deadline, for the clocks of the others */
    DESK_BAD_MAX = 3,          /* wrong deliveries before one of them is judged */
    DESK_WAITS = 1024,         /* things in the air on one channel */
    DESK_CANDIDATES = 512,     /* findings not yet final */
    DESK_KNOWN = 1 << 21,      /* slots for findings that are final: half of them used at most */
    DESK_SCAN_ENTRIES = 20000, /* looked at in one turn */
    DESK_HOLES_MS = 5000,      /* between two looks at the sources */
    DESK_HOLE_AGE_MS = 30000,  /* a hole younger than that may still be filled by what is under way */
    DESK_HOLES = 8,            /* of one source told at once */
    DESK_SPOOL_DAYS = 400,
    DESK_IMPORT_MS = 600000, /* before an import that the channel's rules refuse is looked at again */
    DESK_SETTLE_MS = 5000,   /* after the start, before this node stands in for another regulator */
    DESK_DISCARD_MS = 30000  /* between two looks at what was refused */
};

enum desk_mail { DESK_MAIL_GET = 1, DESK_MAIL_DATA, DESK_MAIL_PROPOSE, DESK_MAIL_STOP };

/* Something in the air: do not begin it again before `until`. */
struct desk_wait {
    uint8_t id[EVIDENCE_CASE_SIZE];
    enum entry_kind kind; /* what was handed on; ENTRY_NONE: the slot is free */
    int64_t until_ms;
    uint32_t bad;
};

struct desk_candidate {
    uint64_t key; /* 0: free */
    struct desk_proposal p;
    int64_t since_ms, filed_ms; /* monotone; 0: not filed */
    bool hole, seen;
};

/* The scan for findings; regulators only. */
struct desk_scan {
    bool ready;
    struct audit_state *state; /* after block `height` */
    uint64_t height, entries;  /* scanned */
    uint64_t saved_height;
    int64_t holes_ms, saved_ms;
    uint64_t *known; /* open addressing; NULL until the first */
    size_t known_count, known_slots;
    struct desk_candidate *candidates; /* DESK_CANDIDATES */
};

struct desk_channel {
    struct node_channel *c;
    struct source src;
    bool open;
    struct audit_state *state; /* that the last turn saw */
    bool busy;                 /* something is in the air or has a deadline */
    bool imports;              /* the parent may have standards that this channel has not */
    int64_t discard_ms;
    size_t first; /* cases below are settled */
    struct desk_wait waits[DESK_WAITS];
    struct desk_scan scan;
};

struct desk {
    struct node *n;
    struct mailbox *box;
    pthread_t thread;
    bool started, stop;
    struct desk_channel *channels; /* n->channel_count */
    struct arena arena;            /* of the step at hand */
    struct buf cipher, plain, raw, entry;
};

struct desk_channel *desk_channel_of(struct desk *d, const struct node_channel *c);
/* May `kind` be handed on for this id now? True takes the slot. */
bool desk_take(struct desk_channel *x, const uint8_t *id, enum entry_kind kind, int64_t again_ms);
struct desk_wait *desk_wait_of(struct desk_channel *x, const uint8_t *id, enum entry_kind kind);
/* Hands an entry to the outbox; false: not now. */
bool desk_hand_on(struct desk_channel *x, struct buf *entry, const char *what);

/* desk_case.c */
void desk_cases(struct desk *d, struct desk_channel *x);
void desk_serve(struct desk *d, struct desk_channel *x, struct slice node, struct slice body);
void desk_received(struct desk *d, struct desk_channel *x, struct slice node, struct slice body);
/* desk_imports.c: brings the parent's standards into this channel (D3). */
void desk_imports(struct desk *d, struct desk_channel *x);
/* desk_findings.c */
void desk_findings(struct desk *d, struct desk_channel *x);
void desk_candidate(struct desk_channel *x, const struct desk_proposal *p, bool hole);
void desk_findings_release(struct desk_channel *x);

#endif
