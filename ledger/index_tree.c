/* ledger/index_tree.c -- see index_tree.h. */
#include "ledger/index_tree.h"

#include "ledger/index_column.h"

void index_tree_init(struct index_tree *t, struct index_view *view, const struct index_source *source) {
    *t = (struct index_tree){view, source};
}

static enum err_code tree_hash(struct index_tree *t, unsigned tile_level, uint64_t number, struct digest *out,
                               struct err *e);

/* Root of 256 hashes of the level below, at most eight levels deep. */
static enum err_code tree_above(struct index_tree *t, unsigned tile_level, uint64_t number, struct digest *out,
                                struct err *e) {
    struct digest below[INDEX_COLUMN_TILE];
    enum err_code code = ERR_OK;
    unsigned i;
    for (i = 0; i < INDEX_COLUMN_TILE && code == ERR_OK; i++)
        code = tree_hash(t, tile_level - 1, number * INDEX_COLUMN_TILE + i, &below[i], e);
    if (code == ERR_OK)
        *out = index_column_root(below);
    return code;
}

static enum err_code tree_hash(struct index_tree *t, unsigned tile_level, uint64_t number, struct digest *out,
                               struct err *e) {
    struct index_entry entry;
    enum err_code code;
    if (t->view && number < index_view_entries(t->view) >> (8 * tile_level))
        return index_tree_hashes(t->view, tile_level, number, 1, out, e);
    if (tile_level)
        return tree_above(t, tile_level, number, out, e);
    if ((code = t->source->entry(t->source->ctx, number, &entry, e)) == ERR_OK)
        *out = entry_leaf(entry.bytes);
    return code;
}

enum err_code index_tree_read(void *ctx, unsigned level, uint64_t first, uint64_t count, struct digest *out,
                              struct err *e) {
    struct index_tree *t = ctx;
    struct index_tip tip;
    uint64_t have, indexed, n, i;
    enum err_code code;
    if (level % 8 || level / 8 >= INDEX_COLUMN_LEVELS)
        return err_set(e, ERR_MALFORMED, "no tile holds hashes of level %u", level);
    indexed = t->view ? index_view_entries(t->view) >> level : 0;
    have = indexed;
    if (first > indexed || count > indexed - first) { /* only then the tip matters */
        if ((code = t->source->tip(t->source->ctx, &tip, e)) != ERR_OK)
            return code;
        have = tip.entries >> level;
    }
    if (first > have || count > have - first)
        return err_set(e, ERR_NOT_FOUND, "the tree has %llu hashes at level %u", (unsigned long long)have, level);
    n = first >= indexed ? 0 : count < indexed - first ? count : indexed - first;
    if (n && (code = index_tree_hashes(t->view, level / 8, first, (uint32_t)n, out, e)) != ERR_OK)
        return code;
    for (i = n; i < count; i++)
        if ((code = tree_hash(t, level / 8, first + i, &out[i], e)) != ERR_OK)
            return code;
    return ERR_OK;
}
