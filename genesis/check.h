/* genesis/check.h -- the rules that a founding document must keep, beyond its types and limits.
 * Owns: the checks and the arithmetic of what one organisation alone could halt or fork. Source: DESIGN 4.
 * Rules: C1 ids are names and unique; references exist. C2 affiliation has no circle. C3 no key twice, for whatever
 * purpose; no small-order key. C4 exactly one parent, with every node in it. C5 another channel has exactly one
 * enterprise, at least one regulator among its validators, and no node of anybody else. C6 4..16 validators, k at most
 * the regulators' seats. C7 no organisation with its affiliates can fork. C8 addresses are unique. */
#ifndef GENESIS_CHECK_H
#define GENESIS_CHECK_H

#include "genesis/genesis.h"

enum { GENESIS_PATH = 96 };

/* What one organisation, with all that are affiliated with it, could do alone in a channel. */
struct genesis_power {
    const struct genesis_org *org; /* the controlling one */
    uint32_t seats, regulators;    /* seats, and how many of them are regulators' */
    bool can_halt;                 /* by staying silent */
    bool can_fork;                 /* by lying: always false in a genesis that passed */
};

struct genesis_quorum {
    uint32_t n, f, q, k, regulators;
};

/* Checks all rules. On CONFIG, path (may be NULL) is where: "channels[1].k"; e holds the text without it. */
enum err_code genesis_check(const struct genesis_body *b, char path[GENESIS_PATH], struct err *e) ERR_CHECKED;

struct genesis_quorum genesis_quorum_of(const struct genesis_body *b, const struct genesis_channel *c);
/* One row for each controlling organisation with a seat, in seat order; returns the number of rows. */
size_t genesis_powers(const struct genesis_body *b, const struct genesis_channel *c,
                      struct genesis_power out[LIMIT_VALIDATORS]);
/* Could a group with `seats` seats, `regulators` of them regulators', make two conflicting certificates? */
bool genesis_can_fork(const struct genesis_quorum *q, uint32_t seats, uint32_t regulators);
bool genesis_can_halt(const struct genesis_quorum *q, uint32_t seats, uint32_t regulators);
/* [a-z0-9][a-z0-9-]*, at most LIMIT_NAME bytes. */
bool genesis_name_ok(struct slice id);
/* "host:port", "[v6]:port"; port 1..65535. */
bool genesis_address_ok(struct slice address);

#endif
