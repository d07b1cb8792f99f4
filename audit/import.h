/* audit/import.h -- what happened on the parent counts here once it is imported: an entry of the parent's log with
 * the proof that it is there. Depends on: ledger/entry.h. Source: docs/PROTOCOL.md 11.8.
 * Only STANDARD entries (publish) can be imported in this version; they join the state marked from_parent. */
#ifndef AUDIT_IMPORT_H
#define AUDIT_IMPORT_H

#include "audit/audit_state.h"

enum { IMPORT_NOTE = 8192, IMPORT_PATH = 64 };

struct import {
    struct slice by;
    struct slice entry; /* bin: the parent's entry */
    uint64_t index;     /* its number in the parent's log */
    uint8_t nonce[16];
    struct slice note;       /* the parent's checkpoint, signed by a quorum */
    struct schema_list path; /* BINS of 32 bytes: RFC 6962 inclusion path */
};
extern const struct schema import_schema;

enum err_code import_read(struct slice body, struct arena *a, struct import *out, struct err *e) ERR_CHECKED;

#endif
