/* audit/cases_module.h -- evidence cases as a part of a channel's audit state (audit/audit_state.h): every validator
 * computes the same cases from the same entries, so that an answer, a verdict or a dispute out of turn is refused.
 * Serves: EVIDENCE_REQUEST, EVIDENCE_ANSWER, VERDICT, DISPUTE, FINDING, ERASURE. Depends on: audit/cases, pmap.
 * Source: docs/PROTOCOL.md 12.
 * Pure: what a request says of its record (leaf, raw hash) is not checked here, for the state holds no records; the
 * node that is asked checks it and refuses to answer what is not so. Checked here: roles, order, times, and that the
 * entry asked for stands before the request. Invariants: M1 a change copies one path and one case; M2 equal entries in
 * equal order give equal digests. */
#ifndef AUDIT_CASES_MODULE_H
#define AUDIT_CASES_MODULE_H

#include "audit/audit_state.h"
#include "audit/cases.h"

extern const struct audit_module cases_module;

/* Cases of a state, in the order of their requests; borrowed as long as the state. */
size_t cases_module_count(const struct audit_state *s);
const struct cases_case *cases_module_at(const struct audit_state *s, size_t i); /* NULL past the last */
const struct cases_case *cases_module_find(const struct audit_state *s, const uint8_t case_id[EVIDENCE_CASE_SIZE]);

#endif
