/* audit/audit_state.h -- what governs a channel after a block: standards and their life, acknowledgements, cases.
 * Owns: immutable, reference-counted snapshots. A block without governance shares its parent's snapshot, so an overlay
 * for every unfinalised block costs a pointer. Depends on: audit/standard.h. Source: docs/PROTOCOL.md 11.3.
 * Owner of a snapshot: whoever retained it; any thread may read it.
 *
 * Life of a version (kind, id, version), by the clock of the block headers:
 *
 *   PUBLISHED --acts_from--> ACTIVE --successor acts--> SUPERSEDED (cited until + successor's grace_ms)
 *       |  suspend/revoke       |  suspend --> SUSPENDED --resume--> ACTIVE
 *       v                       v  revoke  --> REVOKED (for good)
 *   a version that is suspended or revoked when its date comes is passed over: its predecessor stays active
 *
 * acts_from = max(effective_from, time of its block); and it acts only from the block after its own (A1).
 * Invariants: A1 a snapshot is never changed once shared; A2 versions of one (kind, id) are in publication order, with
 * rising semver and acts_from; A3 the same governance entries in the same order give equal snapshots (digests equal).
 */
#ifndef AUDIT_AUDIT_STATE_H
#define AUDIT_AUDIT_STATE_H

#include "audit/standard.h"
#include "wire/sign.h"

enum {
    AUDIT_STATE_VERSIONS = 512,   /* published versions kept in a channel's state */
    AUDIT_STATE_BYTES = 32 << 20, /* of their entries */
    AUDIT_STATE_CITED = 8         /* (kind, id) pairs that can be in force at once: as many as a record can cite */
};

enum audit_role { AUDIT_ENTERPRISE = 1, AUDIT_REGULATOR = 2, AUDIT_OBSERVER = 4 }; /* also bits of a mask */

struct import; /* audit/import.h */

struct audit_member {
    struct slice node, org;
    enum audit_role role;
    struct sign_public submit; /* names the submitter of batches */
};

/* Who is who in a channel, and who may issue what. Copied by audit_state_new. */
struct audit_policy {
    const struct audit_member *members;
    size_t member_count;              /* <= LIMIT_MEMBERS */
    unsigned issuers[STANDARD_KINDS]; /* by kind: mask of audit_role; 0 means the default, AUDIT_REGULATOR */
    bool parent;                      /* is this the network's parent channel */
    /* Is the import's entry in the parent's log? A quorum-signed checkpoint and an inclusion proof; pure. NULL: imports
     * are UNSUPPORTED here. */
    enum err_code (*verify_import)(const void *ctx, const struct import *import, struct err *e);
    const void *verify_ctx; /* outlives every state */
    /* On the parent: the pace in ms of the anchors of a channel of this network, 0 when there is no such channel or the
     * node is not a member of it. From genesis alone; pure. NULL: no anchors here. */
    uint64_t (*anchor_pace)(const void *ctx, const uint8_t channel[DIGEST_SIZE], struct slice node);
    const void *anchor_ctx; /* outlives every state */
};

/* Where an entry stands. height and time are of the block that holds it (0 and clock at the door). */
struct audit_ctx {
    uint64_t height;
    uint64_t number;                      /* of the entry, in the channel's log */
    int64_t time;                         /* ms, header */
    const struct audit_member *submitter; /* by audit_state_member; borrowed */
    struct slice entry;                   /* whole bytes of the entry, for its leaf hash */
};

struct audit_state;

/* Another module's part of the state (cases of evidence, anchors, grants). `part` values are immutable and counted by
 * the module; NULL is the empty part. One module may serve several kinds. */
struct audit_module {
    const char *name;
    unsigned kinds; /* bit 1u << enum entry_kind for each kind that it serves */
    /* Is the entry valid on top of `part`? */
    enum err_code (*check)(void *part, const struct audit_state *state, const struct audit_ctx *ctx,
                           const struct entry *entry, struct err *e);
    /* The part after a valid entry, one reference owned by the caller (part itself, retained, if unchanged). */
    enum err_code (*apply)(void *part, const struct audit_state *state, const struct audit_ctx *ctx,
                           const struct entry *entry, void **child, struct err *e);
    void *(*retain)(void *part);
    void (*release)(void *part);
    void (*digest)(void *part, struct digest *out); /* of its content; may be NULL */
};
enum { AUDIT_STATE_MODULES = 8 };

/* One published version as the state holds it. */
struct audit_version {
    const struct standard *std;
    uint64_t height, number; /* of the block and entry that published it */
    int64_t time;            /* of that block */
    int64_t acts_from;
    int64_t suspended_at;            /* 0: not */
    int64_t revoked_at;              /* 0: not */
    bool from_parent;                /* came by an import entry */
    uint64_t parent_number;          /* from_parent: the newest entry of the parent's log that was imported about it */
    uint8_t acks[LIMIT_MEMBERS / 8]; /* by member index */
};

enum audit_life { AUDIT_PENDING = 1, AUDIT_ACTIVE, AUDIT_SUPERSEDED, AUDIT_SUSPENDED, AUDIT_REVOKED };

/* The empty state of a channel. `modules` are const tables that outlive it; count <= AUDIT_STATE_MODULES. */
enum err_code audit_state_new(const struct audit_policy *policy, const struct audit_module *const *modules,
                              size_t module_count, struct audit_state **out, struct err *e) ERR_CHECKED;
struct audit_state *audit_state_retain(struct audit_state *s);
void audit_state_release(struct audit_state *s); /* NULL is fine */

/* Does this kind change the state at all? False for records, dead letters, gaps. */
bool audit_state_governed(const struct audit_state *s, enum entry_kind kind);
/* The state after one more entry that audit_check_entry has accepted against `parent`; fails only for memory or if it
 * was not accepted. *child is owned by the caller; it is `parent` itself, retained, for kinds that govern nothing. */
enum err_code audit_state_apply(struct audit_state *parent, const struct audit_ctx *ctx, const struct entry *entry,
                                struct audit_state **child, struct err *e) ERR_CHECKED;

const struct audit_policy *audit_state_policy(const struct audit_state *s);
/* The member who signs batches with this key, or NULL; by node id. Valid as long as any state of the channel. */
const struct audit_member *audit_state_member(const struct audit_state *s, const struct sign_public *submit);
const struct audit_member *audit_state_node(const struct audit_state *s, struct slice node);
bool audit_state_may_issue(const struct audit_state *s, const struct audit_member *m, uint32_t kind);
/* The module that serves a kind, or NULL. */
const struct audit_module *audit_state_module_of(const struct audit_state *s, enum entry_kind kind);
/* A module's part, borrowed; NULL if empty or not there. */
void *audit_state_part(const struct audit_state *s, const struct audit_module *module);

size_t audit_state_bytes(const struct audit_state *s); /* of the entries of all versions */
/* All versions, in publication order; borrowed. */
size_t audit_state_versions(const struct audit_state *s, const struct audit_version **out);
const struct audit_version *audit_state_version(const struct audit_state *s, uint32_t kind, struct slice id,
                                                struct slice version);
const struct audit_version *audit_state_by_hash(const struct audit_state *s, const struct digest *hash);
/* The version in force at a header time, or NULL. */
const struct audit_version *audit_state_active(const struct audit_state *s, uint32_t kind, struct slice id,
                                               int64_t time);
/* All in force at a time, kind 0: of every kind. Returns the count, at most max. */
size_t audit_state_active_all(const struct audit_state *s, uint32_t kind, int64_t time,
                              const struct audit_version **out, size_t max);
enum audit_life audit_state_life(const struct audit_state *s, const struct audit_version *v, int64_t time);
const char *audit_state_life_text(enum audit_life life); /* "active" */
/* The version before it in its line (kind, id) that ever acted, or NULL. */
const struct audit_version *audit_state_predecessor(const struct audit_state *s, const struct audit_version *v);
/* May a record cite it: in force, or superseded less than its successor's grace ago? */
bool audit_state_citable(const struct audit_state *s, const struct audit_version *v, int64_t time);
size_t audit_state_ack_count(const struct audit_version *v);
bool audit_state_acked(const struct audit_state *s, const struct audit_version *v, struct slice node);
/* Over all that the state says; equal for equal states (A3). */
struct digest audit_state_digest(const struct audit_state *s);

#endif
