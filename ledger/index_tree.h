/* ledger/index_tree.h -- stored hashes of the channel's tree, as struct tree_reader wants them: from the index, and
 * past what is indexed from the blocks. index_tree_read is a tree_reader's hashes(): level 0, 8, 16 ...; ctx is the
 * struct index_tree. Lives as long as its view and source; one thread. Reads O(log) tiles for a proof. */
#ifndef LEDGER_INDEX_TREE_H
#define LEDGER_INDEX_TREE_H

#include "ledger/index.h"

struct index_tree {
    struct index_view *view; /* NULL: all from the blocks */
    const struct index_source *source;
};

void index_tree_init(struct index_tree *t, struct index_view *view, const struct index_source *source);
/* NOT_FOUND when a subtree is not complete at the tip; MALFORMED for another level. */
enum err_code index_tree_read(void *ctx, unsigned level, uint64_t first, uint64_t count, struct digest *out,
                              struct err *e) ERR_CHECKED;

#endif
