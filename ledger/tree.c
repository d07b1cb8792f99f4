/* ledger/tree.c -- see tree.h: hashing, the frontier, making proofs. Checking them: tree_verify.c. */
#include "ledger/tree.h"

struct digest tree_empty(void) {
    return digest_of(slice_none());
}

struct digest tree_leaf(struct slice entry) {
    static const uint8_t prefix = 0;
    struct digest_state s;
    struct digest d;
    digest_init(&s);
    digest_update(&s, slice_of(&prefix, 1));
    digest_update(&s, entry);
    digest_final(&s, &d);
    return d;
}

struct digest tree_node(const struct digest *left, const struct digest *right) {
    uint8_t bytes[1 + 2 * DIGEST_SIZE];
    bytes[0] = 1;
    memcpy(bytes + 1, left->b, DIGEST_SIZE);
    memcpy(bytes + 1 + DIGEST_SIZE, right->b, DIGEST_SIZE);
    return digest_of(slice_of(bytes, sizeof bytes));
}

/* Puts a perfect subtree of 2^level leaves at the end; size must be a multiple of 2^level. Like adding one to a binary
 * counter: two subtrees of one size become one of the next. */
static void tree_push(struct tree_frontier *f, unsigned level, struct digest d) {
    uint64_t leaves = UINT64_C(1) << level;
    while (f->size & (UINT64_C(1) << level)) {
        d = tree_node(&f->root[level], &d);
        memset(&f->root[level], 0, sizeof f->root[level]);
        level++;
    }
    f->root[level] = d;
    f->size += leaves;
}

enum err_code tree_frontier_append(struct tree_frontier *f, const struct digest *leaves, size_t count, struct err *e) {
    size_t i;
    if (count > UINT64_MAX - f->size)
        return err_set(e, ERR_TOO_LARGE, "a tree of more than 2^64-1 leaves");
    for (i = 0; i < count; i++)
        tree_push(f, 0, leaves[i]);
    return ERR_OK;
}

struct digest tree_frontier_root(const struct tree_frontier *f) {
    struct digest d = {{0}};
    bool any = false;
    unsigned level;
    for (level = 0; level < 64; level++) {
        if (!(f->size >> level & 1))
            continue;
        d = any ? tree_node(&f->root[level], &d) : f->root[level];
        any = true;
    }
    return any ? d : tree_empty();
}

struct digest tree_root_of(const struct digest *leaves, size_t count) {
    struct tree_frontier f = {0};
    size_t i;
    for (i = 0; i < count; i++)
        tree_push(&f, 0, leaves[i]);
    return tree_frontier_root(&f);
}

void tree_frontier_write(const struct tree_frontier *f, struct buf *out) {
    unsigned level;
    buf_be64(out, f->size);
    for (level = 64; level-- > 0;)
        if (f->size >> level & 1)
            buf_append(out, digest_slice(&f->root[level]));
}

enum err_code tree_frontier_read(struct slice bytes, struct tree_frontier *out, struct err *e) {
    struct tree_frontier f = {0};
    size_t at = 8;
    unsigned level;
    if (bytes.len < 8)
        return err_set(e, ERR_MALFORMED, "a tree's frontier that is cut off");
    f.size = buf_get64(bytes.ptr);
    if (bytes.len != 8 + (size_t)__builtin_popcountll(f.size) * DIGEST_SIZE)
        return err_set(e, ERR_MALFORMED, "a tree's frontier of %zu bytes does not fit %llu leaves", bytes.len,
                       (unsigned long long)f.size);
    for (level = 64; level-- > 0;) {
        if (!(f.size >> level & 1))
            continue;
        memcpy(f.root[level].b, bytes.ptr + at, DIGEST_SIZE);
        at += DIGEST_SIZE;
    }
    *out = f;
    return ERR_OK;
}

/* The largest perfect subtree that starts at `pos` in the tree and ends by `end`: its level. pos < end. */
static unsigned tree_step(uint64_t pos, uint64_t end) {
    unsigned fits = 63u - (unsigned)__builtin_clzll(end - pos);
    unsigned aligned = pos ? (unsigned)__builtin_ctzll(pos) : 63u;
    return aligned < fits ? aligned : fits;
}

enum err_code tree_verify_range(const struct digest *leaves, size_t count, uint64_t first, uint64_t size,
                                const struct digest *left, size_t left_count, const struct digest *right,
                                size_t right_count, const struct digest *root, struct err *e) {
    struct tree_frontier f = {0};
    struct digest got;
    uint64_t bits = first;
    size_t i;
    if (count == 0 || first > size || count > size - first)
        return err_set(e, ERR_PROOF, "the range is not inside the tree of %llu leaves", (unsigned long long)size);
    if (left_count != (size_t)__builtin_popcountll(first))
        return err_set(e, ERR_PROOF, "the range has %zu hashes to its left, not as many as it needs", left_count);
    for (i = 0; i < left_count; i++) {
        unsigned level = 63u - (unsigned)__builtin_clzll(bits);
        tree_push(&f, level, left[i]);
        bits ^= UINT64_C(1) << level;
    }
    for (i = 0; i < count; i++)
        tree_push(&f, 0, leaves[i]);
    for (i = 0; f.size < size; i++) {
        if (i == right_count)
            return err_set(e, ERR_PROOF, "the range lacks hashes to its right");
        tree_push(&f, tree_step(f.size, size), right[i]);
    }
    if (i != right_count)
        return err_set(e, ERR_PROOF, "the range has more hashes to its right than it needs");
    got = tree_frontier_root(&f);
    if (!digest_eq(&got, root))
        return err_set(e, ERR_PROOF, "the range does not lead to the tree's root");
    return ERR_OK;
}

/* Root of the perfect subtree `index` of `level`, from the tile level below it. */
static enum err_code tree_perfect(const struct tree_reader *r, unsigned level, uint64_t index, struct digest *out,
                                  struct err *e) {
    struct digest hashes[TREE_TILE_WIDTH / 2];
    unsigned inside = level % TREE_TILE_HEIGHT;
    uint64_t count = UINT64_C(1) << inside;
    enum err_code rc = r->hashes(r->ctx, level - inside, index << inside, count, hashes, e);
    if (rc == ERR_OK)
        *out = tree_root_of(hashes, (size_t)count);
    return rc;
}

enum err_code tree_range_root(const struct tree_reader *r, uint64_t first, uint64_t end, struct digest *out,
                              struct err *e) {
    struct digest parts[64];
    unsigned count = 0;
    uint64_t pos = first;
    ERR_ASSERT(first <= end);
    if (first == end) {
        *out = tree_empty();
        return ERR_OK;
    }
    while (pos < end) {
        unsigned level = tree_step(pos, end);
        enum err_code rc = tree_perfect(r, level, pos >> level, &parts[count], e);
        if (rc != ERR_OK)
            return rc;
        count++;
        pos += UINT64_C(1) << level; /* ends at `end`, which fits */
    }
    *out = parts[--count];
    while (count > 0) {
        count--;
        *out = tree_node(&parts[count], out);
    }
    return ERR_OK;
}

static enum err_code tree_add(struct tree_path *path, const struct tree_reader *r, uint64_t first, uint64_t end,
                              struct err *e) {
    enum err_code rc;
    ERR_ASSERT(path->count < TREE_CONSISTENCY_MAX);
    rc = tree_range_root(r, first, end, &path->hash[path->count], e);
    if (rc == ERR_OK)
        path->count++;
    return rc;
}

static void tree_reverse(struct tree_path *path) {
    unsigned i;
    for (i = 0; i < path->count / 2; i++) {
        struct digest d = path->hash[i];
        path->hash[i] = path->hash[path->count - 1 - i];
        path->hash[path->count - 1 - i] = d;
    }
}

/* Largest power of two below n; n > 1. */
static uint64_t tree_split(uint64_t n) {
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

enum err_code tree_inclusion(const struct tree_reader *r, uint64_t index, uint64_t size, struct tree_path *out,
                             struct err *e) {
    uint64_t lo = 0, hi = size;
    enum err_code rc = ERR_OK;
    out->count = 0;
    if (index >= size)
        return err_set(e, ERR_NOT_FOUND, "no entry %llu in a tree of %llu", (unsigned long long)index,
                       (unsigned long long)size);
    /* down from the root: the sibling of each node on the way, then turned round */
    while (rc == ERR_OK && hi - lo > 1) {
        uint64_t mid = lo + tree_split(hi - lo);
        if (index < mid) {
            rc = tree_add(out, r, mid, hi, e);
            hi = mid;
        } else {
            rc = tree_add(out, r, lo, mid, e);
            lo = mid;
        }
    }
    tree_reverse(out);
    return rc;
}

enum err_code tree_consistency(const struct tree_reader *r, uint64_t old_size, uint64_t size, struct tree_path *out,
                               struct err *e) {
    uint64_t lo = 0, hi = size;
    enum err_code rc = ERR_OK;
    out->count = 0;
    if (old_size == 0)
        return err_set(e, ERR_USAGE, "nothing can be proven from an empty tree");
    if (old_size > size)
        return err_set(e, ERR_NOT_FOUND, "the tree has %llu entries, not yet %llu", (unsigned long long)size,
                       (unsigned long long)old_size);
    /* RFC 6962 2.1.2, from the root down: until the node that ends where the old tree ends */
    while (rc == ERR_OK && hi != old_size) {
        uint64_t mid = lo + tree_split(hi - lo);
        if (old_size <= mid) {
            rc = tree_add(out, r, mid, hi, e);
            hi = mid;
        } else {
            rc = tree_add(out, r, lo, mid, e);
            lo = mid;
        }
    }
    if (rc == ERR_OK && lo != 0) /* else that node is the old tree itself, whose root the verifier has */
        rc = tree_add(out, r, lo, hi, e);
    tree_reverse(out);
    return rc;
}

enum err_code tree_range_proof(const struct tree_reader *r, uint64_t first, uint64_t end, uint64_t size,
                               struct tree_path *left, struct tree_path *right, struct err *e) {
    uint64_t pos, bits;
    enum err_code rc = ERR_OK;
    left->count = right->count = 0;
    if (first >= end || end > size)
        return err_set(e, ERR_NOT_FOUND, "no range of entries %llu to %llu in a tree of %llu",
                       (unsigned long long)first, (unsigned long long)end, (unsigned long long)size);
    for (pos = 0, bits = first; rc == ERR_OK && bits;) {
        unsigned level = 63u - (unsigned)__builtin_clzll(bits);
        rc = tree_add(left, r, pos, pos + (UINT64_C(1) << level), e);
        pos += UINT64_C(1) << level;
        bits ^= UINT64_C(1) << level;
    }
    for (pos = end; rc == ERR_OK && pos < size;) {
        unsigned level = tree_step(pos, size);
        rc = tree_add(right, r, pos, pos + (UINT64_C(1) << level), e);
        pos += UINT64_C(1) << level;
    }
    return rc;
}
