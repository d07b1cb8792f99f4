/* audit/anchor.h -- anchors: blinded commitments of a channel's checkpoints on the parent, and the key behind them.
 * Owns: the bodies of ANCHOR (parent only) and KEY_GRANT (channels only), their rules as parts of an audit state,
 * making and opening them. Depends on: audit/{audit_state,sealed,bundle,pmap}. Source: DESIGN 4, docs/PROTOCOL.md 13.
 *
 *   anchor key    32 random bytes of a channel, given by KEY_GRANT to every member: a bound box for each
 * (audit/sealed.h) key commit    SHA-256("assay/anchor-key/v1" NUL ‖ key)          all members see that they hold the
 * same key period        wall clock / the channel's anchor_ms, rounded down nonce         HMAC-SHA256(key, period u64
 * BE)                   so the opening needs no memory commitment    SHA-256("assay/anchor/v1" NUL ‖ nonce ‖ text)
 *   sealed        n[24] ‖ XChaCha20-Poly1305(box key, n, channel ‖ period u64 BE, len u16 BE ‖ text ‖ zeros):
 * ANCHOR_SEALED bytes whatever the text; box key = HMAC-SHA256(key, "assay/anchor-box/v1" NUL)
 *
 * To whoever lacks the key an anchor shows the channel, the period and the poster; neither size, nor pace, nor content.
 */
#ifndef AUDIT_ANCHOR_H
#define AUDIT_ANCHOR_H

#include "audit/audit_state.h"
#include "audit/sealed.h"
#include "wire/checkpoint.h"

enum {
    ANCHOR_KEY_SIZE = 32,
    ANCHOR_SEALED = 24 + 2 + CHECKPOINT_TEXT_MAX + 16,
    ANCHOR_BEHIND = 2, /* periods that an anchor may lag behind its block's time */
    ANCHOR_PURPOSE = 1 /* of a grant: the anchor key. Other purposes come later */
};

struct anchor {
    uint64_t alg; /* 1: all as above */
    uint8_t channel[DIGEST_SIZE];
    uint8_t commitment[DIGEST_SIZE];
    uint64_t period;
    struct slice sealed; /* ANCHOR_SEALED bytes */
};
extern const struct schema anchor_schema;

struct anchor_box {
    uint8_t box[SEALED_BOUND_SIZE];
    struct slice node;
};
struct anchor_grant {         /* body of a KEY_GRANT */
    uint64_t alg;             /* 1 */
    struct schema_list boxes; /* of struct anchor_box: every member, in the policy's order */
    struct slice by;          /* the node that grants */
    uint8_t commit[DIGEST_SIZE];
    uint64_t epoch; /* 1, 2, ... */
    uint8_t nonce[16];
    uint64_t purpose; /* ANCHOR_PURPOSE */
};
extern const struct schema anchor_grant_schema;

/* ---- the key; secrets are the caller's to wipe ---- */
struct digest anchor_key_commit(const uint8_t key[ANCHOR_KEY_SIZE]);
/* Appends the KEY_GRANT entry of a key for these members, in the policy's order. */
struct anchor_recipient {
    struct slice node;
    const uint8_t *box; /* SEALED_KEY_SIZE: its public box key */
};
enum err_code anchor_grant_make(const uint8_t key[ANCHOR_KEY_SIZE], uint64_t epoch, struct slice by,
                                const struct anchor_recipient *to, size_t count, struct buf *entry,
                                struct err *e) ERR_CHECKED;
/* Our key from a KEY_GRANT's body. NOT_FOUND: no box for this node; BAD_SIGNATURE: ours does not open; MISMATCH: it
 * holds another key than the grant commits to. */
enum err_code anchor_grant_open(struct slice body, struct slice node, const struct sealed_pair *own,
                                uint8_t key[ANCHOR_KEY_SIZE], struct err *e) ERR_CHECKED;

/* ---- one anchor ---- */
void anchor_nonce(const uint8_t key[ANCHOR_KEY_SIZE], uint64_t period, uint8_t nonce[DIGEST_SIZE]);
/* Appends the ANCHOR entry of a checkpoint text. */
enum err_code anchor_make(const uint8_t key[ANCHOR_KEY_SIZE], const struct digest *channel, uint64_t period,
                          struct slice text, struct buf *entry, struct err *e) ERR_CHECKED;
/* The text of an ANCHOR's body, appended to `text`, and its nonce. BAD_SIGNATURE: does not open with this key;
 * MISMATCH: it opens, but the commitment is of another text. */
enum err_code anchor_open(const uint8_t key[ANCHOR_KEY_SIZE], const struct anchor *a, struct buf *text,
                          uint8_t nonce[DIGEST_SIZE], struct err *e) ERR_CHECKED;
/* Body by its schema, with the fixed sizes checked. */
enum err_code anchor_read(struct slice body, struct arena *a, struct anchor *out, struct err *e) ERR_CHECKED;

/* ---- parts of the state ---- */
/* ANCHOR: on the parent; by a member of the channel named; one a channel and period, periods rise; the period is that
 * of the block's time, at most ANCHOR_BEHIND ago and never ahead by more than one. */
extern const struct audit_module anchor_module;
/* KEY_GRANT: on a channel; by a regulator; a box for every member and no other; epochs follow one another. */
extern const struct audit_module anchor_grant_module;

struct anchor_last {
    uint8_t channel[DIGEST_SIZE];
    uint64_t period, number; /* of the newest anchor, and its entry on the parent */
    int64_t time;            /* of its block */
};
/* Of a state of the parent. False: none yet. */
bool anchor_last(const struct audit_state *s, const struct digest *channel, struct anchor_last *out);
struct anchor_granted {
    uint64_t epoch, number; /* newest epoch, and the entry that granted it */
    struct digest commit;
};
bool anchor_granted(const struct audit_state *s, struct anchor_granted *out);

#endif
