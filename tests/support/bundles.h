/* tests/support/bundles.h -- a small network in memory, with keys of its own, and a whole evidence bundle on it.
 * Everything is made from fixed seeds: two runs give the same bytes. */
#ifndef TESTS_SUPPORT_BUNDLES_H
#define TESTS_SUPPORT_BUNDLES_H

#include "audit/bundle.h"
#include "ledger/tree.h"

enum { BUNDLES_ENTRIES = 300, BUNDLES_VALIDATORS = 4, BUNDLES_PARTS = 64 };

/* Owns everything that `bundle` and `net` borrow. Do not copy or move it. */
struct bundles {
    struct bundle_network net;
    struct bundle_channel channels[2]; /* "acme", and the parent */
    struct bundle_validator validators[BUNDLES_VALIDATORS];
    struct bundle_submitter submitter;
    struct sign_secret *keys[BUNDLES_VALIDATORS], *submit;
    struct buf entries[BUNDLES_ENTRIES];
    struct digest leaves[BUNDLES_ENTRIES];
    struct buf part[BUNDLES_PARTS];
    unsigned parts;
    /* the bundle, complete; take parts away by setting pointers to NULL */
    struct bundle bundle;
    struct bundle_anchor anchor;
    struct bundle_batch batch;
    struct bundle_block block;
    struct bundle_range range;
    struct bundle_raw raw;
    struct bundle_entry standard;
    struct slice range_entries[BUNDLES_ENTRIES];
};

/* A record at index 7 of 300 entries, made under the standard at index 2, salted raw log, anchored on the parent. */
void bundles_make(struct bundles *b);
void bundles_release(struct bundles *b);
/* A note on `text` by validators first..end-1 (0 and 1 are the enterprise's, 2 and 3 regulators). */
struct slice bundles_note(struct bundles *b, struct slice text, unsigned first, unsigned end);
/* A checkpoint text of the channel. */
struct slice bundles_text(struct bundles *b, struct slice origin, uint64_t epoch, uint64_t size,
                          const struct digest *root, const struct digest *pid);
/* An empty buffer that lives as long as b. */
struct buf *bundles_part(struct bundles *b);

#endif
