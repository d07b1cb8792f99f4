/* ledger/query_inner.h -- what the query files share: the plan, candidates of a segment, matching, cursors.
 * Internal to ledger/query*.c. */
#ifndef LEDGER_QUERY_INNER_H
#define LEDGER_QUERY_INNER_H

#include "ledger/index_inner.h"
#include "ledger/query.h"

enum { QUERY_TERMS = 24, QUERY_DOC = 8 << 20 };

/* Terms that all must be there, and kinds of which one must. */
struct query_plan {
    const struct query *q;
    struct index_term terms[QUERY_TERMS];
    unsigned count;
    uint64_t kinds; /* 0: any */
    bool lossy;     /* candidates must be looked at */
    bool timed;
};

void query_plan_make(const struct query *q, struct query_plan *out);

/* Offsets in one segment, ascending. */
struct query_candidates {
    uint32_t *offsets;
    uint32_t count, cap;
    uint64_t *bits; /* of the kinds' union */
    size_t bits_cap;
};

void query_candidates_release(struct query_candidates *c);
/* All entries of segment i that have the plan's terms, kinds and times. */
enum err_code query_candidates_find(struct query_candidates *c, const struct query_plan *p, struct index_view *v,
                                    uint32_t i, struct err *e) ERR_CHECKED;

/* Decides on a decoded entry. */
bool query_doc_matches(const struct query *q, const struct index_doc *d);

/* Cursor: order u8 ‖ bound u64 BE ‖ 8 bytes of SHA-256 over tag, query and bound, in hex. Bound: newest first, entries
 * below it come next; oldest first, it and those above. */
void query_cursor_write(const struct query *q, uint64_t bound, char out[QUERY_CURSOR_SIZE]);
enum err_code query_cursor_read(const struct query *q, uint64_t *bound, struct err *e) ERR_CHECKED;

#endif
