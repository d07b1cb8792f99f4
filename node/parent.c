/* node/parent.c -- see parent.h. */
#include "node/parent.h"

#include "ledger/tree.h"
#include "node/channel.h"
#include "wire/checkpoint_read.h"
#include "wire/note.h"

/* Has a quorum of the set, k regulators among it, signed this note? *cp is what it says; it borrows from the note. */
static enum err_code parent_checkpoint(const struct set *set, struct slice bytes, struct checkpoint_read *cp,
                                       struct err *e) {
    struct note_key keys[LIMIT_VALIDATORS];
    struct note_signed by;
    struct note note;
    uint32_t i;
    enum err_code rc = note_parse(bytes, &note, e);
    if (rc != ERR_OK || (rc = checkpoint_read_final(note.text, cp, e)) != ERR_OK)
        return rc;
    if (!slice_eq_str(cp->origin, set->origin))
        return err_set(e, ERR_WRONG_NETWORK, "a checkpoint of another log than %s", set->origin);
    if (cp->epoch != set->epoch)
        return err_set(e, ERR_NOT_ALLOWED, "a checkpoint of epoch %llu", (unsigned long long)cp->epoch);
    for (i = 0; i < set->n; i++) {
        const struct set_member *m = &set->member[i];
        if ((rc = note_key_make(slice_str(m->name), NOTE_ED25519, &m->key, &keys[i], e)) != ERR_OK)
            return rc;
    }
    if ((rc = note_verify(&note, keys, set->n, &by, e)) != ERR_OK)
        return rc;
    if (!set_is_quorum(set, (uint32_t)by.by, true))
        return err_set(e, ERR_PROOF, "a checkpoint with %u of %u signatures, %u of them of regulators wanted", by.count,
                       set->quorum.q, set->k);
    return ERR_OK;
}

enum err_code parent_verify_import(const void *genesis, const struct import *im, struct err *e) {
    const struct genesis *g = genesis;
    const struct slice *hashes = im->path.items;
    struct digest path[IMPORT_PATH], leaf = tree_leaf(im->entry);
    struct checkpoint_read cp;
    struct set set;
    uint32_t i;
    enum err_code rc = channel_founding_set(g, genesis_parent(g), &set, e);
    if (rc != ERR_OK || (rc = parent_checkpoint(&set, im->note, &cp, e)) != ERR_OK)
        return err_wrap(e, "import.note");
    if (im->path.count > IMPORT_PATH)
        return err_set(e, ERR_PROOF, "import.path: %u hashes", im->path.count);
    for (i = 0; i < im->path.count; i++) {
        if (hashes[i].len != DIGEST_SIZE)
            return err_set(e, ERR_MALFORMED, "import.path[%u]: not a hash of 32 bytes", i);
        memcpy(path[i].b, hashes[i].ptr, DIGEST_SIZE);
    }
    rc = tree_verify_inclusion(&leaf, im->index, cp.size, path, im->path.count, &cp.root, e);
    return rc == ERR_OK ? ERR_OK : err_wrap(e, "import");
}
