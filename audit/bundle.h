/* audit/bundle.h -- the evidence bundle: one file that proves an entry offline, against the genesis file alone.
 * Owns: its layout, its checks, and the words in which they are reported.
 * Depends on: ledger/{tree,entry,record}, wire/{note,checkpoint_read,schema}. Clause: docs/FORMATS.md 7.
 * The file (extension .assay-bundle) is one canonical msgpack map; absent fields are absent, never empty.
 * Invariants: B1 nothing in a bundle is trusted: keys, names and rules come from bundle_network alone.
 *             B2 a claim is PROVEN only if every hash and signature behind it was computed here.
 *             B3 what the bundle does not carry is NOT PROVEN, what it carries and does not hold FAILS. */
#ifndef AUDIT_BUNDLE_H
#define AUDIT_BUNDLE_H

#include "wire/arena.h"
#include "wire/buf.h"
#include "wire/digest.h"
#include "wire/schema.h"
#include "wire/sign.h"

#define BUNDLE_EXTENSION ".assay-bundle"
#define BUNDLE_FORMAT    "assay/bundle/v1"

enum {
    BUNDLE_MAX = 64 << 20,  /* bytes of the file */
    BUNDLE_RAW = 32 << 20,  /* bytes of a disclosed raw log */
    BUNDLE_STANDARDS = 8,   /* as many as a record can name */
    BUNDLE_RANGE = 65536,   /* entries of a complete range */
    BUNDLE_NOTE = 64 << 10, /* bytes of a signed checkpoint */
    BUNDLE_PATH = 64 * 32,  /* bytes of an inclusion path: its hashes, joined */
    BUNDLE_CONSISTENCY = 65 * 32,
    BUNDLE_PROP = 174,
    BUNDLE_SEALS = 64,
    BUNDLE_CLAIMS = 32,
    BUNDLE_VALIDATORS = 16
};

/* --- what a bundle holds; slices borrow from the file's bytes --- */

struct bundle_entry {
    struct slice entry; /* canonical bytes */
    uint64_t index;     /* in the channel's tree */
    struct slice path;  /* inclusion path in the tree of the bundle's checkpoint */
};

/* Authorship: the signed header of the batch in which the entry came, and its place in it. */
struct bundle_batch {
    uint64_t count;            /* entries of the batch */
    uint64_t index;            /* of the entry in the batch */
    struct slice path;         /* inclusion in the batch's root */
    uint8_t root[DIGEST_SIZE]; /* MTH of the batch's leaf hashes */
    uint64_t seq;
    uint8_t sig[SIGN_SIZE];
    uint8_t submitter[SIGN_PUBLIC_SIZE];
};

struct bundle_raw {
    struct slice bytes;        /* the log, 1..BUNDLE_RAW bytes */
    uint8_t salt[DIGEST_SIZE]; /* absent when the commitment is plain */
};

/* What pins the channel's history on the parent: an anchor entry there that opens to a checkpoint of the channel. */
struct bundle_anchor {
    struct slice checkpoint;    /* the parent's signed checkpoint */
    struct slice consistency;   /* between the anchored checkpoint and the bundle's, if their sizes differ */
    struct slice entry;         /* on the parent */
    uint64_t index;             /* of that entry in the parent's tree */
    uint8_t nonce[DIGEST_SIZE]; /* the opening: commitment = SHA-256("assay/anchor/v1" NUL ‖ nonce ‖ text) */
    struct slice path;
    struct slice text; /* the anchored checkpoint text of the channel */
};

/* When: the block whose finality the checkpoint is. Its hash chain: pid in the checkpoint = SHA-256(prop), which holds
 * the block's hash = SHA-256(header), which holds the time. */
struct bundle_block {
    struct slice header; /* HEADER_SIZE bytes, wire/header.h */
    struct slice prop;   /* BUNDLE_PROP bytes: the fixed layout that pid hashes (wire/cert.h) */
};

/* Every entry of [first, first + count): shows that no other is there. */
struct bundle_range {
    struct schema_list entries; /* of struct slice */
    uint64_t first;
    struct slice left, right; /* ledger/tree.h tree_range_proof, hashes joined */
};

struct bundle {
    struct bundle_anchor *anchor; /* optional */
    struct bundle_batch *batch;   /* optional */
    struct bundle_block *block;   /* optional */
    struct slice channel;         /* name */
    struct slice checkpoint;      /* signed note: text, blank line, the quorum's lines */
    struct slice entry;
    struct slice format; /* BUNDLE_FORMAT */
    uint64_t index;
    uint8_t network[DIGEST_SIZE]; /* id: fingerprint of the genesis file */
    struct slice path;
    struct bundle_range *range;   /* optional */
    struct bundle_raw *raw;       /* optional: disclosed */
    struct schema_list seals;     /* of struct slice: seal certificates of later epochs; kept, not yet checked */
    struct schema_list standards; /* of struct bundle_entry: the standard entries that the record names */
};

/* --- what the verifier knows beforehand: from the genesis file, nothing else --- */

struct bundle_validator {
    struct slice name;            /* node id: the name in signature lines */
    struct sign_public consensus; /* Ed25519 */
    bool regulator;
};

struct bundle_channel {
    struct digest id;
    struct slice name;
    struct slice origin; /* first line of its checkpoints */
    uint64_t epoch;      /* of this validator set: the one that genesis names */
    const struct bundle_validator *validators;
    unsigned validator_count;        /* <= BUNDLE_VALIDATORS */
    unsigned quorum, regulators_min; /* q and k */
};

struct bundle_submitter {
    struct sign_public key; /* submit key */
    struct slice node, org;
};

/* All borrowed; must outlive the call. */
struct bundle_network {
    struct digest id;
    struct slice name;
    const struct bundle_channel *channels;
    size_t channel_count;
    size_t parent; /* which of the channels is the parent; channel_count when there is none */
    const struct bundle_submitter *submitters;
    size_t submitter_count;
};

/* --- the report --- */

enum bundle_state { BUNDLE_PROVEN, BUNDLE_NOT_PROVEN, BUNDLE_FAILS };

enum bundle_what {
    BUNDLE_OF_NETWORK, /* the bundle is of this network and channel */
    BUNDLE_FINAL,      /* a quorum finalised the checkpoint */
    BUNDLE_INCLUDED,   /* the entry is in the tree of the checkpoint */
    BUNDLE_CONTENT,    /* the entry says ... */
    BUNDLE_TIME,       /* when that block was made, as the quorum agreed */
    BUNDLE_AUTHOR,     /* who submitted it */
    BUNDLE_LOG,        /* the raw log is the one committed */
    BUNDLE_STANDARD,   /* one for each standard named */
    BUNDLE_ANCHORED,   /* pinned on the parent */
    BUNDLE_COMPLETE,   /* a range holds these entries and no other */
    BUNDLE_TRUTH       /* standing note: what no ledger can prove */
};

struct bundle_claim {
    enum bundle_what what;
    enum bundle_state state;
    char claim[512]; /* a sentence, UTF-8 */
    char why[512];   /* how it was proven, what is missing, or what is wrong */
};

struct bundle_report {
    bool holds; /* OF_NETWORK, FINAL and INCLUDED are proven and nothing FAILS */
    unsigned count;
    struct bundle_claim claims[BUNDLE_CLAIMS];
};

/* Reads a file's bytes; *out borrows from them, lists and optional parts live in `a`. MALFORMED, TOO_LARGE;
 * UNSUPPORTED for another format. Proves nothing. */
enum err_code bundle_read(struct slice bytes, struct arena *a, struct bundle *out, struct err *e) ERR_CHECKED;
/* Canonical bytes, read back to see that the limits hold (MALFORMED, TOO_LARGE when they do not). */
enum err_code bundle_write(const struct bundle *b, struct buf *out, struct err *e) ERR_CHECKED;
/* Checks everything that the bundle carries. The report is filled whatever the outcome. ERR_OK if it holds, PROOF if
 * not (e: the first claim that fails or lacks), NO_MEMORY. When memory runs short later on, a claim may be reported as
 * lacking or failing, never as proven. sign_start must have run. */
enum err_code bundle_verify(const struct bundle *b, const struct bundle_network *net, struct bundle_report *report,
                            struct err *e) ERR_CHECKED;

const char *bundle_state_text(enum bundle_state s); /* "proven", "not proven", "FAILS" */
const char *bundle_what_text(enum bundle_what w);   /* "final", for machines */

/* The commitments, for those who make them: raw_hash of a record, and an anchor's. salt NULL: plain SHA-256. */
struct digest bundle_raw_hash(const uint8_t salt[DIGEST_SIZE], struct slice raw);
struct digest bundle_anchor_commitment(const uint8_t nonce[DIGEST_SIZE], struct slice text);

/* What a verifier by hand needs to know of a channel, as lines of text (docs/FORMATS.md 10): network, channel, origin,
 * q and k, then every key in the form of a note's verifier key. */
void bundle_policy_write(const struct bundle_network *net, const struct bundle_channel *ch, struct buf *out);

extern const struct schema bundle_schema;

#endif
