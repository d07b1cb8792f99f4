/* audit/cases.h -- evidence cases: what the committed entries say about each, and which entry may follow.
 * cases_step is a pure function of (case, event, view): validators use it on ancestor state, nodes on the final stream.
 * Source: docs/PROTOCOL.md (evidence). Depends on: audit/evidence_entries.
 *
 *   state        request  answer        verdict              dispute   finding "adjudication"
 *   none         OPEN     -             -                    -         -
 *   OPEN         -        ANSWERED      JUDGED: late only    -         -
 *   ANSWERED     -        -             JUDGED               -         -
 *   JUDGED       -        ANSWERED (1)  -                    DISPUTED  -
 *   DISPUTED     -        -             -                    -         ADJUDICATED
 *   ADJUDICATED  -        -             -                    -         ADJUDICATED (2)
 *   (1) only when the verdict was LATE for want of an answer: a late answer may still come and be judged.
 *   (2) anybody can adjudicate again; the latest outcome is kept here, all findings stay in the ledger.
 *   "-": CONFLICT (NOT_FOUND when there is no such case).
 *   LATE is allowed when a block's time is past the deadline: the answer's, or the verdict's if none came. `late` is
 *   sticky: it is set by an answer past the deadline, or by the tick of a block time past it.
 *
 * Who may (NOT_ALLOWED else): request: a regulator's node, as itself · answer: the node named in the request ·
 * verdict: the asking node · dispute: the answering or the asking node · adjudication: any member. */
#ifndef AUDIT_CASES_H
#define AUDIT_CASES_H

#include "audit/evidence_entries.h"
#include "wire/limits.h"

enum { CASES_ID = LIMIT_NAME + 1, CASES_MAX = 1 << 18 };

enum cases_state { CASES_NONE = 0, CASES_OPEN, CASES_ANSWERED, CASES_JUDGED, CASES_DISPUTED, CASES_ADJUDICATED };
const char *cases_state_text(enum cases_state s);

/* Plain value: copy it for an overlay. All zero is "no such case". */
struct cases_case {
    enum cases_state state;
    uint8_t case_id[EVIDENCE_CASE_SIZE];
    char asker[CASES_ID], asker_org[CASES_ID], to[CASES_ID];
    uint64_t entry, request, answer, verdict_entry, dispute; /* entry numbers; 0: none */
    int64_t asked_at, deadline, answered_at, judged_at;      /* ms, block times */
    struct digest leaf, raw_hash;
    enum record_commitment raw_commit;
    enum evidence_status status; /* 0: no answer */
    struct digest cipher_hash, key_commit;
    uint64_t cipher_size;
    enum evidence_verdict verdict; /* the latest; 0: none */
    enum evidence_outcome outcome; /* 0: none */
    bool late;                     /* the deadline passed without an answer; stays true when one came later */
};

/* A committed (or proposed) evidence entry and who put it there. */
struct cases_event {
    uint64_t number;                      /* of the entry in the channel */
    int64_t time;                         /* of its block */
    struct slice author_node, author_org; /* by the batch's submitter key */
    bool author_regulator;
    const struct evidence_entry *entry;
};

/* The record that a request names, as the ancestor chain shows it. */
struct cases_record {
    struct digest leaf, raw_hash;
    enum record_commitment raw_commit;
    char org[CASES_ID]; /* of its submitter */
};
struct cases_view {
    void *ctx;
    /* NOT_FOUND: no such entry, or no record and no dead letter. */
    enum err_code (*record)(void *ctx, uint64_t number, struct cases_record *out, struct err *e);
    /* Organisation of a member node into org. NOT_FOUND. */
    enum err_code (*node_org)(void *ctx, struct slice node, char org[CASES_ID], struct err *e);
};

/* Applies the event to *c, which is unchanged on error. For entries without a case: OK, nothing happens. view NULL: the
 * record and the members are not checked (followers of a stream that validators checked already).
 * Errors are of class REFUSED or MISSING, or those of the view. */
enum err_code cases_step(struct cases_case *c, const struct cases_event *ev, const struct cases_view *view,
                         struct err *e) ERR_CHECKED;
/* Is it past its deadline, unanswered, at this block time? */
bool cases_overdue(const struct cases_case *c, int64_t block_time);

/* All cases of a channel; derived from its entries, in memory. Owner: one thread. */
struct cases;
enum err_code cases_open(struct cases **out, struct err *e) ERR_CHECKED;
void cases_close(struct cases *t); /* NULL is fine */
/* The case, borrowed until the next change; NULL if there is none. */
const struct cases_case *cases_find(const struct cases *t, const uint8_t case_id[EVIDENCE_CASE_SIZE]);
/* cases_step on the table. FULL at CASES_MAX. */
enum err_code cases_apply(struct cases *t, const struct cases_event *ev, const struct cases_view *view,
                          struct err *e) ERR_CHECKED;
/* Marks as late what has become overdue; how many are new since the last call. */
uint32_t cases_tick(struct cases *t, int64_t block_time);
size_t cases_count(const struct cases *t);
/* In the order of their requests; i < cases_count. */
const struct cases_case *cases_at(const struct cases *t, size_t i);

#endif
