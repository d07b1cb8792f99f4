/* wire/cert.h -- votes and certificates: what is signed, how a certificate is written, and its offline verification.
 * Owns: no state. Depends on: wire/set, wire/checkpoint, wire/schema. Source: docs/PROTOCOL.md 5.2, 5.3.
 *
 * Signed bytes of NOTARIZE and NULLIFY, integers big-endian:
 *
 *   offset size  field
 *        0   13  "assay/bft/v1" and NUL
 *       13    1  type            1 NOTARIZE, 3 NULLIFY
 *       14   32  channel
 *       46    8  epoch
 *       54   32  set_hash
 *       86    8  view
 *       94   32  pid             zero for NULLIFY
 *      126       end
 *
 * Signed bytes of FINALIZE: the checkpoint text (wire/checkpoint.h), which holds no NUL: the forms can't collide.
 *
 * pid = SHA-256 over, integers big-endian:
 *        0   14  "assay/prop/v1" and NUL
 *       14   32  channel
 *       46    8  epoch
 *       54   32  set_hash
 *       86    8  view
 *       94    8  parent_view
 *      102   32  parent_pid      zero when parent_view is 0 (genesis)
 *      134    8  height
 *      142   32  block_hash
 *      174       end
 *
 * Certificates with different signers for one statement are all valid: never hash or compare them. */
#ifndef WIRE_CERT_H
#define WIRE_CERT_H

#include "wire/arena.h"
#include "wire/schema.h"
#include "wire/set.h"

enum cert_type { CERT_NONE = 0, CERT_NOTARIZE = 1, CERT_FINALIZE = 2, CERT_NULLIFY = 3 };

enum { CERT_STATEMENT_MAX = CHECKPOINT_TEXT_MAX, CERT_BYTES_MAX = 2048 };

/* A proposal: which block, in which view, on top of which notarized proposal. */
struct cert_prop {
    struct digest channel;
    uint64_t epoch;
    struct digest set_hash;
    uint64_t view, parent_view;
    struct digest parent_pid;
    uint64_t height;
    struct digest block_hash;
};

/* One signed statement of a member. tree_size and tree_root: FINALIZE only. pid: zero for NULLIFY. */
struct cert_vote {
    enum cert_type type;
    uint64_t epoch, view;
    struct digest pid;
    uint64_t tree_size;
    struct digest tree_root;
    uint32_t signer;
    struct sign_signature sig;
};

/* A quorum's statement. prop: of NULLIFY only channel, epoch, set_hash and view are set. sigs: one a set bit, in index
 * order. */
struct cert {
    enum cert_type type;
    uint64_t epoch, view;
    struct cert_prop prop;
    struct digest pid; /* of prop; derived, not on the wire; zero for NULLIFY */
    uint64_t tree_size;
    struct digest tree_root;
    uint32_t bitmap, count;
    struct sign_signature sig[LIMIT_VALIDATORS];
};

/* How signatures are checked: Ed25519 (cert_ed25519), or a simulation's keyed hash. Pure. */
struct cert_verifier {
    bool (*verify)(void *ctx, const struct sign_public *pub, struct slice message, const struct sign_signature *sig);
    void *ctx;
};
extern const struct cert_verifier cert_ed25519;

struct digest cert_pid(const struct cert_prop *prop);
/* The bytes that pid hashes, the tag included: for whoever recomputes it (audit/bundle.h). */
void cert_prop_write(const struct cert_prop *prop, struct buf *out);
/* The bytes that a vote signs, appended to out. */
void cert_statement(const struct set *s, const struct cert_vote *vote, struct buf *out);
/* Is the vote of this set, by a member, and well signed? NOT_ALLOWED (epoch, signer), BAD_SIGNATURE. */
enum err_code cert_vote_verify(const struct set *s, const struct cert_vote *vote, const struct cert_verifier *v,
                               struct err *e) ERR_CHECKED;

/* Canonical msgpack of a certificate, by the schema below. */
void cert_write(const struct cert *c, struct buf *out);
/* Exactly one certificate, in canonical form: bits and signatures agree. Verifies no signature. MALFORMED. */
enum err_code cert_read(struct slice bytes, struct cert *out, struct err *e) ERR_CHECKED;
/* The whole check: set, epoch, quorum, k regulators when FINALIZE, every signature. *signers (may be NULL) gets the
 * bitmap. NOT_ALLOWED, BAD_SIGNATURE, PROOF (no quorum). */
enum err_code cert_verify(const struct set *s, const struct cert *c, const struct cert_verifier *v, uint32_t *signers,
                          struct err *e) ERR_CHECKED;
/* The i-th signer's vote, taken out of a certificate; i < count. */
void cert_vote_of(const struct cert *c, uint32_t i, struct cert_vote *out);
/* A FINALIZE certificate as a C2SP signed note: text, blank line, one line a signer. */
void cert_note(const struct set *s, const struct cert *c, struct buf *out);

#endif
