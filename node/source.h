/* node/source.h -- a chain reader in the shape that the index and its queries ask for (ledger/index_source.h).
 * One a thread at a time. Call source_renew before a new piece of work, source_pause before waiting. */
#ifndef NODE_SOURCE_H
#define NODE_SOURCE_H

#include "ledger/chain_reader.h"
#include "ledger/index_source.h"

struct source {
    struct chain_reader *reader;
    struct index_source face; /* hand &face to index_step, query_run */
};

/* Opens a reader with a snapshot. The struct must not move afterwards. */
enum err_code source_open(struct source *s, struct store *store, struct err *e) ERR_CHECKED;
void source_close(struct source *s);

#endif
