/* node/rules.h -- gives a channel's chain the meaning of its entries: audit/'s check as ledger/'s rules.
 * Owns: one audit state for each block that the chain holds (the tip and the overlays above it).
 * Owner: the channel's thread; rules_tip may be called from any thread. Source: docs/PROTOCOL.md 3, 11.
 * Invariants: U1 every block that the chain holds has a state here; U2 the tip's state is that of the newest block
 * that chain_rules.final named. */
#ifndef NODE_RULES_H
#define NODE_RULES_H

#include "audit/audit_check.h"
#include "ledger/chain.h"
#include "ledger/index.h"

struct rules;

/* `tip` is the state after the newest final block `hash`: its reference is taken over. */
enum err_code rules_new(struct audit_state *tip, const struct digest *hash, struct rules **out,
                        struct err *e) ERR_CHECKED;
void rules_free(struct rules *r);
/* The callbacks for chain_options. */
struct chain_rules rules_callbacks(struct rules *r);
/* The state after the newest final block; one reference for the caller. Any thread. */
struct audit_state *rules_tip(struct rules *r);

/* Replays all entries that govern, by the index as far as it goes and by the blocks behind it, onto `empty` (whose
 * reference is taken over). ix may be NULL. */
enum err_code rules_replay(struct audit_state *empty, struct index *ix, const struct index_source *src,
                           struct audit_state **out, struct err *e) ERR_CHECKED;

#endif
