/* ledger/tree.h -- the Merkle tree of RFC 6962 over SHA-256: one a channel, over all its entries, for ever.
 * Depends on: wire/digest. Clause: docs/FORMATS.md 6. Pure: no I/O but by the reader that the caller gives.
 *   MTH({}) = SHA-256("")   leaf = SHA-256(0x00 ‖ entry)   node = SHA-256(0x01 ‖ left ‖ right)
 *   split at the largest power of two below n.
 * Invariants: T1 a frontier's root depends on its leaves alone, not on how they were appended.
 *             T2 root[l] of a frontier is all-zero unless bit l of size is set, so equal frontiers have equal bytes.
 *             T3 a verifier accepts a path of exactly one length. */
#ifndef LEDGER_TREE_H
#define LEDGER_TREE_H

#include "wire/buf.h"
#include "wire/digest.h"

enum {
    TREE_PATH_MAX = 64,                /* hashes of an inclusion path (a size of 2^64-1 needs 64) */
    TREE_CONSISTENCY_MAX = 65,         /* hashes of a consistency proof */
    TREE_FRONTIER_BYTES = 8 + 64 * 32, /* of the longest serialised frontier */
    TREE_TILE_WIDTH = 256,
    TREE_TILE_HEIGHT = 8 /* levels of the tree that one tile spans */
};

/* All that appending and the root need: the roots of the perfect subtrees that the tree falls into.
 * Copied by assignment. {0} is the empty tree. */
struct tree_frontier {
    uint64_t size;          /* leaves */
    struct digest root[64]; /* [l]: the subtree of 2^l leaves, if bit l of size is set */
};

/* A proof's hashes, in the order of RFC 6962. */
struct tree_path {
    unsigned count;
    struct digest hash[TREE_CONSISTENCY_MAX];
};

/* Where stored hashes come from. hashes() writes `count` hashes to out: level 0 are leaf hashes, level 8k the roots of
 * perfect subtrees of 256^k leaves (the hashes in a tile of level k); number i covers leaves [i·2^level,
 * (i+1)·2^level). It is asked for whole subtrees inside the tree only, at most 256 at once and never across a tile's
 * border (first / 256 == (first + count - 1) / 256), so each call reads from one tile. */
struct tree_reader {
    void *ctx;
    enum err_code (*hashes)(void *ctx, unsigned level, uint64_t first, uint64_t count, struct digest *out,
                            struct err *e);
};

struct digest tree_empty(void); /* SHA-256("") */
struct digest tree_leaf(struct slice entry);
struct digest tree_node(const struct digest *left, const struct digest *right);
/* MTH of leaf hashes: a batch's root. No allocation; count 0 gives tree_empty. */
struct digest tree_root_of(const struct digest *leaves, size_t count);

/* Appends leaf hashes in order, in one pass. TOO_LARGE (frontier unchanged) when the size would pass 2^64-1. */
enum err_code tree_frontier_append(struct tree_frontier *f, const struct digest *leaves, size_t count,
                                   struct err *e) ERR_CHECKED;
struct digest tree_frontier_root(const struct tree_frontier *f);
/* Canonical bytes: size u64 BE, then the roots present, largest subtree first. */
void tree_frontier_write(const struct tree_frontier *f, struct buf *out);
/* MALFORMED unless exactly those bytes. */
enum err_code tree_frontier_read(struct slice bytes, struct tree_frontier *out, struct err *e) ERR_CHECKED;

/* MTH of leaves [first, end) from stored hashes; first must be a multiple of the smallest power of two >= end - first
 * (so that the range is a node of the tree). Reads O(log) tiles. Errors: the reader's. */
enum err_code tree_range_root(const struct tree_reader *r, uint64_t first, uint64_t end, struct digest *out,
                              struct err *e) ERR_CHECKED;
/* Path of leaf `index` in the tree of `size` leaves. NOT_FOUND when index >= size. */
enum err_code tree_inclusion(const struct tree_reader *r, uint64_t index, uint64_t size, struct tree_path *out,
                             struct err *e) ERR_CHECKED;
/* Proof that the tree of `size` extends the one of `old_size`. USAGE when old_size is 0, NOT_FOUND when > size. */
enum err_code tree_consistency(const struct tree_reader *r, uint64_t old_size, uint64_t size, struct tree_path *out,
                               struct err *e) ERR_CHECKED;

/* PROOF when the leaf is not at `index` in the tree of `size` with `root`, or the path is not of the right length. */
enum err_code tree_verify_inclusion(const struct digest *leaf, uint64_t index, uint64_t size, const struct digest *path,
                                    size_t count, const struct digest *root, struct err *e) ERR_CHECKED;
/* PROOF when the tree (size, root) does not extend (old_size, old_root). From size 0 nothing can be proven: PROOF.
 * Equal sizes take an empty proof and equal roots. */
enum err_code tree_verify_consistency(uint64_t old_size, const struct digest *old_root, uint64_t size,
                                      const struct digest *root, const struct digest *proof, size_t count,
                                      struct err *e) ERR_CHECKED;

/* Complete range [first, end) of a tree of `size`: the subtree roots to its left (largest first) and to its right (in
 * order of leaves). With all leaves of the range between, they give the root: so nothing else is in the range. */
enum err_code tree_range_proof(const struct tree_reader *r, uint64_t first, uint64_t end, uint64_t size,
                               struct tree_path *left, struct tree_path *right, struct err *e) ERR_CHECKED;
/* PROOF unless leaves are exactly the leaves [first, first + count) of the tree (size, root). count > 0. */
enum err_code tree_verify_range(const struct digest *leaves, size_t count, uint64_t first, uint64_t size,
                                const struct digest *left, size_t left_count, const struct digest *right,
                                size_t right_count, const struct digest *root, struct err *e) ERR_CHECKED;

#endif
