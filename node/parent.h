/* node/parent.h -- what a channel asks of the network's parent: is an imported entry in its log?
 * Owns: nothing. Depends on: genesis/, audit/import.h, ledger/tree.h, wire/note.h. Source: docs/PROTOCOL.md 11.8.
 * A function of genesis and the import's bytes alone: every validator answers alike, whatever it has of the parent. */
#ifndef NODE_PARENT_H
#define NODE_PARENT_H

#include "audit/import.h"
#include "genesis/genesis.h"

/* audit_policy.verify_import; `genesis` is a struct genesis. WRONG_NETWORK: of another log · NOT_ALLOWED: of another
 * epoch than the founding one · BAD_SIGNATURE · PROOF: no quorum with k regulators, or not at this place of the tree ·
 * MALFORMED. */
enum err_code parent_verify_import(const void *genesis, const struct import *im, struct err *e) ERR_CHECKED;

#endif
