/* wire/set.h -- a channel's validator set in one epoch: who votes, how much a certificate needs, who leads a view.
 * Owns: a plain value, no pointers. Depends on: wire/quorum, wire/digest, wire/sign. Source: docs/PROTOCOL.md 5.1.
 * Invariants: S1 n is 4..16 and members are in the order of founding; S2 names, and keys, are unique; S3 the set
 * passed quorum_check; S4 hash and offset are set by set_finish and never change. */
#ifndef WIRE_SET_H
#define WIRE_SET_H

#include "wire/checkpoint.h"
#include "wire/digest.h"
#include "wire/limits.h"
#include "wire/quorum.h"
#include "wire/sign.h"

enum { SET_PROTOCOL_VERSION = 1 };

struct set_member {
    char name[LIMIT_NAME + 1]; /* the node's id: its note name too */
    uint32_t org, group;       /* index of the organisation; of the first organisation of its affiliates */
    bool regulator;
    struct sign_public key; /* consensus key */
};

struct set {
    struct digest channel;
    char origin[CHECKPOINT_ORIGIN_MAX + 1]; /* "assay/<network>/<channel>" */
    uint64_t epoch;                         /* the first is 1 */
    uint32_t protocol;                      /* SET_PROTOCOL_VERSION */
    uint32_t n, k;
    struct set_member member[LIMIT_VALIDATORS];
    /* computed by set_finish */
    struct quorum quorum;
    struct digest
        hash; /* "set_hash": commits to members in order, organisation, role, keys, k, protocol, channel, epoch */
    uint32_t offset; /* of the leader's rotation, 0..n-1, from (channel, epoch) */
};

/* Checks (CONFIG, NOT_ALLOWED) and computes quorum, hash, offset from the other fields. */
enum err_code set_finish(struct set *s, struct err *e) ERR_CHECKED;
/* As set_finish, but without the fork rule of founding: tests of what the rule prevents. */
enum err_code set_finish_unchecked(struct set *s, struct err *e) ERR_CHECKED;
/* Index of the member who leads the view. */
uint32_t set_leader(const struct set *s, uint64_t view);
/* Index of a member by key or name, or -1. */
int set_find_key(const struct set *s, const struct sign_public *key);
int set_find_name(const struct set *s, struct slice name);
/* Seats for quorum_analyse, in order of members. */
void set_seats(const struct set *s, struct quorum_seat out[LIMIT_VALIDATORS]);
/* Has a bitmap of signers a quorum; for finality also k regulators? No bit at or above n may be set. */
bool set_is_quorum(const struct set *s, uint32_t bitmap, bool final);

#endif
