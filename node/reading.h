/* node/reading.h -- one look at a channel: a reader with a snapshot, and its tree with the newest signed checkpoint.
 * Owns: a source (chain reader) and, between reading_tree and reading_tree_end, a view of the index. One thread; short:
 * a view holds back the index (ledger/index.h), a snapshot the store. Depends on: node/source, ledger, wire/cert. */
#ifndef NODE_READING_H
#define NODE_READING_H

#include "ledger/index_tree.h"
#include "ledger/proof.h"
#include "node/channel.h"
#include "node/source.h"
#include "wire/cert.h"

struct reading {
    struct channel *channel;
    struct source src;
    struct index_view *view;
    struct index_tree tree;
    struct tree_reader hashes; /* valid between reading_tree and reading_tree_end */
};

/* A checkpoint of the channel: what a quorum signed, and the block whose finality it is. */
struct reading_checkpoint {
    struct cert cert;
    uint64_t height; /* of its block */
    struct buf note; /* the C2SP signed note */
};

/* Must not move afterwards. */
enum err_code reading_open(struct reading *r, struct channel *channel, struct err *e) ERR_CHECKED;
void reading_close(struct reading *r); /* fine on a zeroed one */

/* The newest checkpoint of this snapshot. NOT_FOUND: nothing is final yet. Release note in any case. */
enum err_code reading_checkpoint(struct reading *r, struct reading_checkpoint *out, struct err *e) ERR_CHECKED;
/* The oldest checkpoint that covers this many entries: for proofs in a tree of a wanted size. MISMATCH: it covers more;
 * the nearest larger size is named. */
enum err_code reading_checkpoint_at(struct reading *r, uint64_t size, struct reading_checkpoint *out,
                                    struct err *e) ERR_CHECKED;

/* The oldest checkpoint whose tree holds this entry. NOT_FOUND: there is no such entry. */
enum err_code reading_checkpoint_over(struct reading *r, uint64_t number, struct reading_checkpoint *out,
                                      struct err *e) ERR_CHECKED;

enum err_code reading_tree(struct reading *r, struct err *e) ERR_CHECKED;
void reading_tree_end(struct reading *r);
/* A tlog-proof text of one entry under that checkpoint, appended; within reading_tree. */
enum err_code reading_proof(struct reading *r, const struct reading_checkpoint *cp, uint64_t index, struct buf *out,
                            struct err *e) ERR_CHECKED;

#endif
