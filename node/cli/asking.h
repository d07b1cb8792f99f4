/* node/cli/asking.h -- what `query`, `watch` and `show` share: filters as options, entries as lines.
 * Owns: the options' meaning. Depends on ledger/query, node/sentence, node/trust, node/cli/client. */
#ifndef NODE_CLI_ASKING_H
#define NODE_CLI_ASKING_H

#include "ledger/query.h"
#include "node/cli/client.h"
#include "node/cli/out.h"
#include "node/node.h"
#include "node/sentence.h"

enum { ASKING_CHANNELS = LIMIT_CHANNELS };

/* Rows of an option table; put them into a command's own. */
#define ASKING_OPTIONS                                                                                                 \
    {"home", "DIR", "the node's home (default: $ASSAY_HOME, else .)"},                                                 \
        {"channel", "NAME", "only this channel (default: all of the node's)"},                                         \
        {"subject", "[TYPE:]NAME", "who did it"}, {"subject-name", "NAME", "who did it; the name may hold colons"},    \
        {"object", "[TYPE:]NAME", "to what it was done"}, {"object-name", "NAME", "the same; may hold colons"},        \
        {"op", "TEXT", "the operation as the log names it"}, {"class", "ID", "the operation's class"},                 \
        {"kind", "KIND", "kind of entry: record, finding, verdict ... (may be repeated)"},                             \
        {"from", "TIME", "not before: 2026-11-22, 2026-11-22T19:00:00Z"}, {"to", "TIME", "before this time"},          \
        {"raw-hash", "HEX", "the record of this raw log's hash"},                                                      \
        {"source", "ID[:SEQ]", "of this source, of this number"}, {"server", "NAME", "server named in the record"},    \
        {"service", "NAME", "service named in the record"}, {"unit", "NAME", "organisational unit"}, {                 \
        "node", "ID", "submitted by this node"                                                                         \
    }

/* The filters of the command line; slices borrow from it. g: to find --node. Hyphens of a uid are allowed. */
enum err_code asking_query(const struct cli *c, const struct genesis *g, struct query *out, struct err *e) ERR_CHECKED;
/* Does it ask for less than everything? */
bool asking_query_any(const struct query *q);
/* "query" and its value onto a map that is being packed; nothing when it asks for everything (an empty map is absent).
 */
void asking_query_pack(const struct query *q, struct buf *out);
/* The channels asked: the one named, or all that the node is in, children before the parent. Returns their number. */
enum err_code asking_channels(const struct cli *c, const struct node *self, struct slice out[ASKING_CHANNELS],
                              size_t *count, struct err *e) ERR_CHECKED;

/* One entry of an answer, its bytes put together again. */
struct asking_entry {
    struct slice map; /* the answer's */
    struct buf bytes; /* the entry, canonical */
    struct sentence words;
};
/* bytes is initialised by the caller and cleared here. */
enum err_code asking_entry_read(const struct genesis *g, struct slice map, struct asking_entry *out,
                                struct err *e) ERR_CHECKED;
/* Its tlog-proof, checked here against genesis alone: of this channel, of this number, of these bytes. */
enum err_code asking_entry_verify(const struct genesis *g, struct slice channel, const struct asking_entry *x,
                                  struct err *e) ERR_CHECKED;

#endif
