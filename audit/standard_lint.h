/* audit/standard_lint.h -- a standard as a person writes it (YAML), checked and turned into its canonical form.
 * Depends on: wire/yaml.h, audit/standard.h, audit_state.h. Source: docs/PROTOCOL.md 11.1.
 *
 * The document: id, kind, version, mode, effective_from, grace_ms, supersedes, body. Who publishes (issuer, by, nonce)
 * is added by standard_lint_publish. Every mistake is told with its line. */
#ifndef AUDIT_STANDARD_LINT_H
#define AUDIT_STANDARD_LINT_H

#include "audit/audit_state.h"

enum { STANDARD_LINT_ISSUES = 64 };

struct standard_lint_issue {
    unsigned line; /* from 1; 0 where there is no line (canonical input) */
    char path[96]; /* "body.map[3].pattern" */
    char text[320];
};
struct standard_lint {
    struct standard_lint_issue issues[STANDARD_LINT_ISSUES];
    size_t count;             /* told; more may follow once these are mended */
    struct digest hash;       /* valid when count == 0 */
    struct buf definition;    /* canonical {body, effective_from, ...}; valid when count == 0 */
    struct slice id, version; /* borrow from definition */
    uint32_t kind;
};

void standard_lint_init(struct standard_lint *l);
void standard_lint_release(struct standard_lint *l);
/* CONFIG if there are issues (the first is e's text as "file:line: path: text"). `state` (may be NULL) and `time` add
 * the rules that need the other standards: order of versions, contradictions. */
enum err_code standard_lint_yaml(struct standard_lint *l, struct slice text, const char *name,
                                 const struct audit_state *state, int64_t time, struct err *e) ERR_CHECKED;

/* The whole STANDARD entry (envelope included) that publishes a definition; nonce: 16 random bytes. */
enum err_code standard_lint_publish(struct slice definition, struct slice issuer, struct slice by,
                                    const uint8_t nonce[16], struct buf *entry, struct err *e) ERR_CHECKED;

#endif
