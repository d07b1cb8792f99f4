/* node/anchors.h -- pins every channel of this node on the parent, at a fixed pace, and watches that all do so rightly.
 * Owns: one thread, the channels' anchor keys (guarded memory), the newest openings of each channel.
 * Depends on: audit/anchor, node/desk (findings), node/courier. Source: DESIGN 4, docs/PROTOCOL.md 13.
 *
 *   grant   the first connected regulator gives the channel its key, once (the only entry on the channel itself)
 *   post    in period p member p mod n puts the newest checkpoint, blinded, on the parent; after each quarter of the
 *           period that passes without, the next member may
 *   watch   every member opens every anchor of its channels: one that does not open, or tells another root than the own
 *           tree's, is proposed as a finding, as is none for ANCHORS_MISSING periods
 *
 * Invariants: A1 an anchor is posted of final checkpoints only; A2 nothing is posted on the channel but the grant. */
#ifndef NODE_ANCHORS_H
#define NODE_ANCHORS_H

#include "audit/anchor.h"
#include "node/node.h"

enum { ANCHORS_MISSING = 3, ANCHORS_KEPT = 4096 };

struct anchors;

/* Needs n->desk. Stop before connections and channels end. */
enum err_code anchors_start(struct node *n, struct anchors **out, struct err *e) ERR_CHECKED;
void anchors_stop(struct anchors *a); /* NULL is fine */

/* The oldest kept anchor of a channel whose checkpoint covers at least `size` entries, checked against the own tree.
 * Any thread. NOT_FOUND: none yet (try again after a period). */
struct anchors_opening {
    uint64_t number; /* of the ANCHOR entry on the parent */
    uint64_t period;
    uint64_t tree_size; /* of the channel, as anchored */
    uint8_t nonce[DIGEST_SIZE];
    uint8_t text[CHECKPOINT_TEXT_MAX];
    size_t text_len;
};
enum err_code anchors_opening(struct anchors *a, const struct node_channel *c, uint64_t size,
                              struct anchors_opening *out, struct err *e) ERR_CHECKED;

/* Pure: does an anchor's text fit a channel's own tree? root_at gives the root of the first `size` entries (NOT_FOUND:
 * not so many here). MALFORMED, WRONG_NETWORK (of another channel), MISMATCH (another root), NOT_FOUND (ahead of us).
 */
enum err_code anchors_check(struct slice text, struct slice origin, struct checkpoint *out,
                            enum err_code (*root_at)(void *ctx, uint64_t size, struct digest *root, struct err *e),
                            void *ctx, struct err *e) ERR_CHECKED;
/* Pure: may member `index` of `count` post for this period `into_ms` after it began? */
bool anchors_turn(uint64_t period, size_t index, size_t count, int64_t into_ms, uint64_t pace_ms);

#endif
