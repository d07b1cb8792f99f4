/* ledger/tree_verify.c -- see tree.h: checks proofs. Trusts nothing; every length follows from the numbers alone.
 *
 * A path has two parts. Below the level where the way to the leaf and the way to the tree's last leaf part
 * ("inner"), there is one sibling a level, left or right as the index's bit says. Above it ("border"), the way runs
 * along the tree's right edge: siblings are on the left only, one for each bit set. */
#include "ledger/tree.h"

struct tree_parts {
    unsigned inner, border;
};

/* Of leaf `index` in a tree of `size` > index. */
static struct tree_parts tree_parts_of(uint64_t index, uint64_t size) {
    uint64_t differ = index ^ (size - 1);
    struct tree_parts p = {0, 0};
    p.inner = differ ? 64u - (unsigned)__builtin_clzll(differ) : 0;
    p.border = p.inner < 64 ? (unsigned)__builtin_popcountll(index >> p.inner) : 0;
    return p;
}

static bool tree_bit(uint64_t n, unsigned bit) {
    return bit < 64 && (n >> bit & 1);
}

static struct digest tree_climb_border(struct digest d, const struct digest *path, unsigned count) {
    unsigned i;
    for (i = 0; i < count; i++)
        d = tree_node(&path[i], &d);
    return d;
}

enum err_code tree_verify_inclusion(const struct digest *leaf, uint64_t index, uint64_t size, const struct digest *path,
                                    size_t count, const struct digest *root, struct err *e) {
    struct tree_parts p;
    struct digest d = *leaf;
    unsigned i;
    if (index >= size)
        return err_set(e, ERR_PROOF, "entry %llu is not in a tree of %llu", (unsigned long long)index,
                       (unsigned long long)size);
    p = tree_parts_of(index, size);
    if (count != (size_t)p.inner + p.border)
        return err_set(e, ERR_PROOF, "the path has %zu hashes, not %u", count, p.inner + p.border);
    for (i = 0; i < p.inner; i++)
        d = tree_bit(index, i) ? tree_node(&path[i], &d) : tree_node(&d, &path[i]);
    d = tree_climb_border(d, path + p.inner, p.border);
    if (!digest_eq(&d, root))
        return err_set(e, ERR_PROOF, "the path does not lead from the entry to the tree's root");
    return ERR_OK;
}

/* Both roots from one proof: the new one with all siblings, the old one with those on the left only. */
static enum err_code tree_verify_growth(uint64_t old_size, const struct digest *old_root, uint64_t size,
                                        const struct digest *root, const struct digest *proof, size_t count,
                                        struct err *e) {
    struct tree_parts p = tree_parts_of(old_size - 1, size);
    unsigned shift = (unsigned)__builtin_ctzll(old_size); /* the old tree's last perfect subtree has 2^shift leaves */
    bool seeded = old_size != UINT64_C(1) << shift;       /* it is not the whole old tree: the proof starts with it */
    uint64_t index = (old_size - 1) >> shift;
    struct digest old_got, got;
    unsigned i;
    p.inner -= shift; /* since old_size < size, their ways part above 2^shift */
    if (count != (size_t)seeded + p.inner + p.border)
        return err_set(e, ERR_PROOF, "the proof has %zu hashes, not %u", count, seeded + p.inner + p.border);
    old_got = got = seeded ? proof[0] : *old_root;
    proof += seeded ? 1 : 0;
    for (i = 0; i < p.inner; i++) {
        if (tree_bit(index, i)) {
            got = tree_node(&proof[i], &got);
            old_got = tree_node(&proof[i], &old_got);
        } else {
            got = tree_node(&got, &proof[i]);
        }
    }
    got = tree_climb_border(got, proof + p.inner, p.border);
    old_got = tree_climb_border(old_got, proof + p.inner, p.border);
    if (!digest_eq(&old_got, old_root))
        return err_set(e, ERR_PROOF, "the proof does not lead to the older root");
    if (!digest_eq(&got, root))
        return err_set(e, ERR_PROOF, "the proof does not lead to the newer root");
    return ERR_OK;
}

enum err_code tree_verify_consistency(uint64_t old_size, const struct digest *old_root, uint64_t size,
                                      const struct digest *root, const struct digest *proof, size_t count,
                                      struct err *e) {
    if (old_size == 0)
        return err_set(e, ERR_PROOF, "nothing can be proven from an empty tree");
    if (old_size > size)
        return err_set(e, ERR_PROOF, "a tree of %llu cannot grow to %llu", (unsigned long long)old_size,
                       (unsigned long long)size);
    if (old_size < size)
        return tree_verify_growth(old_size, old_root, size, root, proof, count, e);
    if (count != 0)
        return err_set(e, ERR_PROOF, "equal sizes take an empty proof, this has %zu hashes", count);
    if (!digest_eq(old_root, root))
        return err_set(e, ERR_PROOF, "equal sizes, but other roots: the history was forked");
    return ERR_OK;
}
