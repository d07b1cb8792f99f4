/* ledger/index_build.h -- the open segment: terms of entries not yet written, in memory.
 * A hash table of terms, each with its list under construction; sorted once, when the segment is written.
 * Bounded by its owner, which writes it when it holds enough entries: at most one block more than asked for.
 * Also what else a segment's commit writes: times, leaf hashes, kinds, states of the touched sources. */
#ifndef LEDGER_INDEX_BUILD_H
#define LEDGER_INDEX_BUILD_H

#include "ledger/completeness.h"
#include "ledger/index_post.h"
#include "ledger/index_terms.h"

struct index_build_term {
    const uint8_t *ptr; /* in the arena */
    uint32_t len, hash;
    uint64_t prefix; /* first 8 bytes, big-endian, zero-filled: sorts most terms */
    struct index_post_writer post;
};

struct index_build_kind {
    uint64_t number;
    enum entry_kind kind;
};

struct index_build {
    uint64_t first;  /* number of the first entry */
    uint64_t height; /* of the last block added */
    struct digest hash;
    uint32_t count; /* entries */
    int64_t time_min, time_max;
    struct index_build_term *terms;
    size_t term_count, term_cap;
    uint32_t *slots; /* 1 + index into terms; 0 free */
    size_t slot_cap; /* power of two */
    int64_t *times;
    struct digest *leaves;
    size_t entry_cap;
    struct index_build_kind *kinds;
    size_t kind_count, kind_cap;
    struct arena arena; /* term bytes */
    struct arena doc;   /* one entry's lists */
};

void index_build_init(struct index_build *b);
void index_build_release(struct index_build *b);
/* Empties it; the next entry is `first`, behind block `height` with `hash`. */
void index_build_start(struct index_build *b, uint64_t first, uint64_t height, const struct digest *hash);
/* The next entry in order; *doc (may be NULL) is valid until the next call. NO_MEMORY: start anew. */
enum err_code index_build_add(struct index_build *b, const struct index_entry *entry, struct index_doc *doc,
                              struct err *e) ERR_CHECKED;
/* Finishes all lists and sorts the terms; then only read until _start. */
enum err_code index_build_sort(struct index_build *b, struct err *e) ERR_CHECKED;

#endif
