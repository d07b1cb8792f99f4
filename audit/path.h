/* audit/path.h -- names of places in a record, as protection, blind indexes and report formats write them.
 * Depends on: ledger/record.h. Source: docs/PROTOCOL.md 11.6.
 *
 *   actor.name  actor.type  actor.ext.<key>     objects.<i>.name  objects.<i>.type  objects.<i>.ext.<key>   (i from 0)
 *   op.raw  op.class_id  op.class_label  op.note  op.activity_id  op.status_id      custom.<key>
 *   time  time_end  server  service  org_unit  log_kind  raw_hash  source.id  objects */
#ifndef AUDIT_PATH_H
#define AUDIT_PATH_H

#include "ledger/record.h"

enum { PATH_SIZE = 136 };

struct path_value {
    bool present;
    bool text;          /* value holds the text; numbers have none */
    bool fixed;         /* a member that every record has: removal leaves a placeholder in it */
    struct slice value; /* borrows from the record */
};

/* Is it of the grammar above (for any record)? */
bool path_valid(struct slice path);
/* What stands there; false if the path is not of the grammar. An index past the last object: valid, not present. */
bool path_get(const struct record *r, struct slice path, struct path_value *out);
/* The protection of a place, or NULL. */
const struct record_prot *path_protection(const struct record *r, struct slice path);

#endif
