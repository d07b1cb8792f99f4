/* genesis/genesis.h -- the founding document of a network: who, with which keys, in which channels.
 * Owns: its tables, the file genesis.assay, its fingerprint, what the node asks of it. Depends on wire/ only.
 * Source: DESIGN 4; docs/FORMATS.md (genesis). The file is canonical msgpack {body, signatures}:
 *   body        map, below. Fingerprint = network id = SHA-256("assay/genesis/v1" NUL ‖ body)
 *   signatures  [{org, sig}]: Ed25519 by each organisation's founder key over "assay/genesis/v1" NUL ‖ body,
 *               one of every organisation, in the organisations' order
 * Invariants: G1 a struct genesis that genesis_read gave passed every check of genesis/genesis_check.h and holds the
 * signature of every founder. G2 it never changes: all slices and pointers live until genesis_release. Thread-safe to
 * read. */
#ifndef GENESIS_GENESIS_H
#define GENESIS_GENESIS_H

#include "wire/digest.h"
#include "wire/limits.h"
#include "wire/schema.h"
#include "wire/sign.h"

enum {
    GENESIS_VERSION = 1,
    GENESIS_SIZE = 8 << 20, /* bytes of a file */
    GENESIS_KEY_SIZE = 32   /* every public key in it: Ed25519, and X25519 for box */
};

enum genesis_role { GENESIS_ENTERPRISE = 1, GENESIS_REGULATOR, GENESIS_OPERATOR };
enum genesis_commitment { GENESIS_SALTED = 1, GENESIS_PLAIN }; /* default of a channel's raw logs */

struct genesis_org {
    struct slice affiliate_of; /* id of the organisation that controls it, or absent */
    struct slice ca;           /* X.509 certificate of its CA, PEM text */
    uint8_t founder[GENESIS_KEY_SIZE];
    struct slice id;   /* [a-z0-9][a-z0-9-]* <= 64 */
    struct slice name; /* any UTF-8, 1..256 bytes */
    uint32_t role;     /* enum genesis_role */
};

struct genesis_node {
    struct slice address; /* "host:port" or "[v6]:port" */
    uint8_t box[GENESIS_KEY_SIZE];
    uint8_t consensus[GENESIS_KEY_SIZE];
    struct slice id;
    uint8_t link[GENESIS_KEY_SIZE];
    struct slice org; /* id */
    uint8_t submit[GENESIS_KEY_SIZE];
    struct slice unit; /* department or subsidiary, any UTF-8 <= 64, or absent */
};

struct genesis_channel {
    uint64_t anchor_ms;         /* pace of its anchors on the parent; 0 on the parent itself */
    uint32_t commitment;        /* enum genesis_commitment */
    uint64_t delta_ms;          /* the protocol's Δ */
    uint64_t k;                 /* regulators that a FINALIZE certificate needs */
    struct schema_list members; /* STRS: node ids that follow and may submit, the validators not repeated */
    struct slice name;          /* [a-z0-9][a-z0-9-]* <= 64 */
    struct slice org;           /* id of its enterprise; absent on the parent */
    bool parent;
    struct schema_list validators; /* STRS: node ids, in the order of their seats */
};

struct genesis_body {
    struct schema_list channels; /* struct genesis_channel */
    int64_t created;             /* ms since 1970 UTC */
    struct slice network;        /* [a-z0-9][a-z0-9-]* <= 64 */
    struct schema_list nodes;    /* struct genesis_node */
    struct schema_list orgs;     /* struct genesis_org */
    uint64_t version;
};

struct genesis_signature {
    struct slice org;
    uint8_t sig[SIGN_SIZE];
};

struct genesis_file {
    struct slice body; /* RAW */
    struct schema_list signatures;
};

extern const char *const genesis_role_names[];       /* enterprise, regulator, operator */
extern const char *const genesis_commitment_names[]; /* salted, plain */
extern const struct schema genesis_body_schema;
extern const struct schema genesis_file_schema;

struct genesis {
    struct arena arena;
    struct slice bytes;      /* the whole file, owned by arena */
    struct slice body_bytes; /* canonical body within it */
    struct genesis_body body;
    struct schema_list signatures; /* struct genesis_signature */
    struct digest id;              /* fingerprint = network id */
};

/* --- reading: copies `bytes`. On error *g is empty and needs no release. --- */
/* Decodes and checks all but the signatures: for assembling, signing, showing. MALFORMED, TOO_LARGE, UNSUPPORTED
 * (version), CONFIG (a rule of genesis/genesis_check.h). */
enum err_code genesis_parse(struct slice bytes, struct genesis *g, struct err *e) ERR_CHECKED;
/* Is every organisation's founder among the signatures, each right? BAD_SIGNATURE names the organisation. */
enum err_code genesis_verify(const struct genesis *g, struct err *e) ERR_CHECKED;
/* genesis_parse and genesis_verify: what a node does at start. */
enum err_code genesis_read(struct slice bytes, struct genesis *g, struct err *e) ERR_CHECKED;
enum err_code genesis_read_file(const char *path, struct genesis *g, struct err *e) ERR_CHECKED;
/* Bytes of a file, at most GENESIS_SIZE; inits *out, which is to be released in any case. NOT_FOUND, IO, TOO_LARGE. */
enum err_code genesis_load(const char *path, struct buf *out, struct err *e) ERR_CHECKED;
void genesis_release(struct genesis *g);

/* --- making --- */
/* Bytes of a file from canonical body bytes and signatures (may be none yet). */
enum err_code genesis_write(struct slice body, const struct schema_list *signatures, struct buf *out,
                            struct err *e) ERR_CHECKED;
/* Appends a file's bytes with the signature of `org` added (or replaced). NOT_FOUND: no such organisation; MISMATCH:
 * the key is not its founder key. Signatures end up in the organisations' order. */
enum err_code genesis_sign(struct slice file, struct slice org, const struct sign_secret *founder, struct buf *out,
                           struct err *e) ERR_CHECKED;
struct digest genesis_fingerprint(struct slice body);

/* --- asking; NULL when there is none --- */
const struct genesis_org *genesis_org_find(const struct genesis *g, struct slice id);
const struct genesis_node *genesis_node_find(const struct genesis *g, struct slice id);
const struct genesis_node *genesis_node_by_submit(const struct genesis *g, const uint8_t key[GENESIS_KEY_SIZE]);
const struct genesis_node *genesis_node_by_link(const struct genesis *g, const uint8_t key[GENESIS_KEY_SIZE]);
const struct genesis_channel *genesis_channel_find(const struct genesis *g, struct slice name);
const struct genesis_channel *genesis_parent(const struct genesis *g);
uint32_t genesis_channel_count(const struct genesis *g);
const struct genesis_channel *genesis_channel_at(const struct genesis *g, uint32_t i);
uint32_t genesis_node_count(const struct genesis *g);
const struct genesis_node *genesis_node_at(const struct genesis *g, uint32_t i);
uint32_t genesis_org_count(const struct genesis *g);
const struct genesis_org *genesis_org_at(const struct genesis *g, uint32_t i);
/* The organisation's role decides its nodes' role. */
enum genesis_role genesis_node_role(const struct genesis *g, const struct genesis_node *n);

/* channel id = SHA-256("assay/channel/v1" NUL ‖ network id ‖ name) */
struct digest genesis_channel_id(const struct genesis *g, const struct genesis_channel *c);
/* hash of block 0 = SHA-256("assay/genesis-block/v1" NUL ‖ channel id) */
struct digest genesis_block_hash(const struct digest *channel_id);

/* A seat: index into the validators. */
struct genesis_seat {
    const struct genesis_node *node;
    const struct genesis_org *org;
    bool regulator;
};
/* Fills the seats in order, returns their number (4..16). */
size_t genesis_seats(const struct genesis *g, const struct genesis_channel *c,
                     struct genesis_seat out[LIMIT_VALIDATORS]);
/* Seat of the node, or -1. */
int genesis_seat_of(const struct genesis_channel *c, struct slice node_id);
/* Validator or member. */
bool genesis_is_member(const struct genesis_channel *c, struct slice node_id);
/* All nodes of the channel, validators first; returns their number (<= LIMIT_MEMBERS), at most `room` written. */
size_t genesis_members(const struct genesis *g, const struct genesis_channel *c, const struct genesis_node **out,
                       size_t room);

#endif
