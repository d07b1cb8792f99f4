/* audit/audit_rules.h -- may this standard, acknowledgement or import follow on that state?
 * Depends on: audit/audit_state.h, standard_body.h, import.h. Source: docs/PROTOCOL.md 11.3, 11.8.
 * Each function also checks the entry by itself. Pure. */
#ifndef AUDIT_AUDIT_RULES_H
#define AUDIT_AUDIT_RULES_H

#include "audit/audit_state.h"

/* im: the import that carries it, NULL when it is published here.
 * NOT_ALLOWED: not the issuer, or may not issue this kind · CONFLICT: version there already, id of another kind, does
 * not follow its predecessor, contradicts another (both named) · TOO_LARGE: no room · NOT_FOUND, UNSUPPORTED,
 * MALFORMED. */
enum err_code audit_rules_standard(const struct audit_state *s, const struct audit_ctx *ctx, struct slice body,
                                   const struct import *im, struct err *e) ERR_CHECKED;
enum err_code audit_rules_ack(const struct audit_state *s, const struct audit_ctx *ctx, struct slice body,
                              struct arena *a, struct err *e) ERR_CHECKED;
enum err_code audit_rules_import(const struct audit_state *s, const struct audit_ctx *ctx, struct slice body,
                                 struct arena *a, struct err *e) ERR_CHECKED;
/* The part of the publication rules that needs no issuer: for lint. `time` is the header's, or the clock. */
enum err_code audit_rules_publish(const struct audit_state *s, int64_t time, const struct standard *std,
                                  struct err *e) ERR_CHECKED;

#endif
