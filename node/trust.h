/* node/trust.h -- what a genesis file alone lets anybody check: proofs, checkpoints and bundles, without any node.
 * Owns: the tables that audit/bundle.h asks for, filled from genesis. Source: docs/FORMATS.md 5, 7, 10. Pure. */
#ifndef NODE_TRUST_H
#define NODE_TRUST_H

#include "audit/bundle.h"
#include "genesis/genesis.h"
#include "ledger/proof.h"
#include "wire/set.h"

/* Everything of net lives in the arena and in the genesis. */
enum err_code trust_network(const struct genesis *g, struct arena *a, struct bundle_network *out,
                            struct err *e) ERR_CHECKED;
/* The channel's row in net; NULL. */
const struct bundle_channel *trust_channel(const struct bundle_network *net, struct slice name);

/* Who signed a checkpoint that holds. */
struct trust_signed {
    uint64_t size; /* of the tree */
    uint32_t signers, regulators;
    struct slice channel; /* borrows from genesis */
};
/* A signed note: of a channel of this network, by a quorum with enough regulators? PROOF, BAD_SIGNATURE, MALFORMED,
 * WRONG_NETWORK. */
enum err_code trust_checkpoint(const struct genesis *g, struct slice note, struct trust_signed *out,
                               struct err *e) ERR_CHECKED;
/* A tlog-proof text: is this leaf in the tree that a quorum signed? *index is where. */
enum err_code trust_proof(const struct genesis *g, struct slice text, const struct digest *leaf, uint64_t *index,
                          struct trust_signed *out, struct err *e) ERR_CHECKED;

#endif
