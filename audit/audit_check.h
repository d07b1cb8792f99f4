/* audit/audit_check.h -- may this entry enter the channel? One answer for all kinds, the same on every node.
 * Depends on: audit/audit_state.h, conform.h, import.h. Source: docs/PROTOCOL.md 11.7.
 *
 * kind                     who may submit             decided by
 * record, dead letter, gap enterprise                 conform.h, ledger/record.h
 * standard                 who may issue its kind     here
 * acknowledgement          any member, for itself     here
 * import                   any member                 here (audit/import.h)
 * evidence-*, verdict, dispute, finding, erasure, anchor, key-grant, annotation, access-log   the module that serves it
 * configuration, voucher, archive, and any kind that no module serves    UNSUPPORTED */
#ifndef AUDIT_AUDIT_CHECK_H
#define AUDIT_AUDIT_CHECK_H

#include "audit/conform.h"

/* One entry against the state that it stands on. report (may be NULL) is reset and filled for records. */
enum err_code audit_check_entry(const struct audit_state *state, const struct audit_ctx *ctx, const struct entry *entry,
                                struct conform_report *report, struct err *e) ERR_CHECKED;

/* All entries of one block, in order. Records see the parent's state (a standard acts from the block after its own);
 * governance entries see those before them in the same block, so that two of them cannot contradict each other.
 *
 *   audit_check_begin(&b, parent_state, height, time);
 *   each entry: audit_check_next(&b, number, bytes, submitter, &report, e)   -- a refused entry changes nothing
 *   child = audit_check_end(&b);                                             -- owned; the parent's, if nothing
 * governed Abandon by releasing what audit_check_end gives. */
struct audit_check {
    struct audit_state *parent, *now; /* one reference each */
    uint64_t height;
    int64_t time;
    struct arena arena; /* lists of the entry at hand */
};
void audit_check_begin(struct audit_check *b, struct audit_state *parent, uint64_t height, int64_t time);
enum err_code audit_check_next(struct audit_check *b, uint64_t number, struct slice bytes,
                               const struct audit_member *submitter, struct conform_report *report,
                               struct err *e) ERR_CHECKED;
struct audit_state *audit_check_end(struct audit_check *b);

#endif
