/* node/ingest/extend.h -- the fields that an extension standard asks for, filled from the enterprise's own tables.
 * Element by element, the same for all kinds of logs (SEEDS S2.38-43). Only fields that a standard in force names are
 * filled or kept, so that nothing leaves that nobody asked for; a field that a standard wants protected is left out (it
 * may not go in clear). Without a standard: everything that is configured (offline trial). */
#ifndef NODE_INGEST_EXTEND_H
#define NODE_INGEST_EXTEND_H

#include "audit/audit_state.h"
#include "node/ingest/ingest_config.h"

/* Types must be unified already. Lists are made in `a`. NO_MEMORY. */
enum err_code extend_record(const struct ingest_config *c, const struct audit_state *state, int64_t now,
                            struct arena *a, struct record *r, struct err *e) ERR_CHECKED;

#endif
