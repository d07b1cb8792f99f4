/* audit/conform.h -- does a record conform to the standards that govern it? Pure: the same at the door and in every
 * validator. Depends on: audit/audit_state.h, ledger/record.h. Source: docs/PROTOCOL.md 11.6.
 *
 * Refused whatever the standards say: time too far past the header's; unclassified without note or activity 99;
 * a path protected twice, or protection of what is not there; a citation of an unknown standard, or one whose hash is
 * not the version's, or of two versions of one standard. By standards: `enforce` refuses, `flag` accepts with a
 * finding. Every text names the field, the rule and the standard ("id version"). Several standards: each is checked, so
 * the union of what they demand holds. */
#ifndef AUDIT_CONFORM_H
#define AUDIT_CONFORM_H

#include "audit/audit_state.h"
#include "audit/conform_value.h"
#include "ledger/record.h"

enum { CONFORM_FINDINGS = 16, CONFORM_TEXT = 256 };

struct conform_finding {
    struct slice standard, version; /* borrow from the state */
    char field[136];                /* "objects.3.ext.fund_manager" */
    char text[CONFORM_TEXT];
};
/* What a record is accepted with. Findings past the 16th are counted only. */
struct conform_report {
    struct conform_finding findings[CONFORM_FINDINGS];
    uint32_t count;
};

/* `state` is that of the parent block, `time` the header's (at the door: the own clock). report may be NULL.
 * NONCONFORMING, BAD_TIME. */
enum err_code conform_record(const struct audit_state *state, int64_t time, const struct record *r,
                             struct conform_report *report, struct err *e) ERR_CHECKED;
/* The citations that a record made now should carry: all in force at `time`. Slices borrow from the state. Returns the
 * count. */
size_t conform_citations(const struct audit_state *state, int64_t time, struct record_std out[AUDIT_STATE_CITED]);

#endif
