/* audit/annotation.h -- a remark that any member may commit: a note to the reader, or the filler by which an outbox
 * closes a hole in its sequence after a whole batch was refused (ledger/outbox.h). It governs nothing.
 * Source: docs/PROTOCOL.md 11.9. Body: {by?, nonce, text}. */
#ifndef AUDIT_ANNOTATION_H
#define AUDIT_ANNOTATION_H

#include "audit/audit_state.h"

struct annotation {
    struct slice by; /* the person; absent: the node itself */
    uint8_t nonce[16];
    struct slice text; /* str 1..512 */
};

extern const struct schema annotation_schema;
extern const struct audit_module annotation_module;

/* Appends an ANNOTATION entry with a fresh nonce. */
void annotation_entry(struct slice by, struct slice text, struct buf *out);

#endif
