/* ledger/proof.h -- an inclusion proof as a text that third parties read: c2sp.org/tlog-proof@v1.
 * Depends on: ledger/tree, wire/note, wire/checkpoint_read. Clause: docs/FORMATS.md 5.
 *
 *   c2sp.org/tlog-proof@v1
 *   extra <base64>               optional
 *   index <decimal>
 *   <hash, base64>               one a line, as many as the path has
 *                                (blank line)
 *   <the signed checkpoint>      a signed note, its lines as they are */
#ifndef LEDGER_PROOF_H
#define LEDGER_PROOF_H

#include "ledger/tree.h"
#include "wire/note.h"

enum { PROOF_EXTRA = 1024, PROOF_MAX = 1 << 20 };

struct proof {
    bool has_extra;
    uint8_t extra[PROOF_EXTRA];
    size_t extra_len;
    uint64_t index;
    struct tree_path path;
    struct slice checkpoint; /* the whole signed note; borrows */
};

void proof_write(const struct proof *p, struct buf *out);
/* MALFORMED, TOO_LARGE. Proves nothing yet. */
enum err_code proof_read(struct slice text, struct proof *out, struct err *e) ERR_CHECKED;
/* Is the leaf in the tree of the checkpoint, and who of `keys` has signed that? *signed_by tells; whether they are
 * enough is the caller's rule. PROOF, BAD_SIGNATURE, MALFORMED; WRONG_NETWORK when the origin is another. */
enum err_code proof_verify(const struct proof *p, const struct digest *leaf, struct slice origin,
                           const struct note_key *keys, size_t key_count, struct note_signed *signed_by,
                           struct err *e) ERR_CHECKED;

#endif
