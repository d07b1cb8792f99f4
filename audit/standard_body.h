/* audit/standard_body.h -- is the body of a standard sound by itself, and does it agree with another?
 * Depends on: audit/standard.h, classify.h, vocab.h, path.h. Source: docs/PROTOCOL.md 11.1. */
#ifndef AUDIT_STANDARD_BODY_H
#define AUDIT_STANDARD_BODY_H

#include "audit/standard.h"

/* Checks a body by its kind and compiles it: patterns into the fields, the map or the table into *into (may be NULL).
 * What is compiled lives in `a`. All problems are told; the first is also the error (MALFORMED, CONFLICT, TOO_LARGE).
 */
enum err_code standard_body_check(uint32_t kind, union standard_body *body, struct arena *a,
                                  struct standard_problems *problems, struct standard *into, struct err *e) ERR_CHECKED;
/* CONFLICT, naming both, if two standards of one kind cannot hold together. */
enum err_code standard_body_contradicts(const struct standard *a, const struct standard *b, struct err *e) ERR_CHECKED;

#endif
