/* genesis/genesis_check.h -- the rules that a founding document must keep, beyond its types and limits.
 * Owns: the checks, and what one organisation alone could halt or fork (arithmetic: wire/quorum.h). Source: DESIGN 4.
 * Rules: C1 ids are names and unique; references exist. C2 affiliation has no circle. C3 no key twice, for whatever
 * purpose; no small-order key. C4 exactly one parent, with every node in it. C5 another channel has exactly one
 * enterprise, at least one regulator among its validators, and no node of anybody else. C6 4..16 validators, k at most
 * the regulators' seats. C7 no organisation with its affiliates can fork. C8 addresses are unique. */
#ifndef GENESIS_GENESIS_CHECK_H
#define GENESIS_GENESIS_CHECK_H

#include "genesis/genesis.h"
#include "wire/quorum.h"

enum { GENESIS_PATH = 96 };

/* What one organisation, with all that are affiliated with it, could do alone in a channel. */
struct genesis_power {
    const struct genesis_org *org; /* the controlling one */
    uint32_t seats, regulators;    /* seats, and how many of them are regulators' */
    bool can_halt;                 /* by staying silent */
    bool can_fork;                 /* by lying: always false in a genesis that passed */
};

/* All rules. On CONFIG, path (may be NULL) is where: "channels[1].k", "" the whole; e holds the text without it. */
enum err_code genesis_check(const struct genesis_body *b, char path[GENESIS_PATH], struct err *e) ERR_CHECKED;
/* The same without C3 and the rest that needs keys and addresses: for a plan. */
enum err_code genesis_check_plan(const struct genesis_body *b, char path[GENESIS_PATH], struct err *e) ERR_CHECKED;

/* n, f, q, k of a channel that passed. */
struct quorum genesis_check_quorum(const struct genesis_channel *c);
/* One row for each controlling organisation with a seat, in seat order; returns the number of rows. */
uint32_t genesis_check_powers(const struct genesis_body *b, const struct genesis_channel *c,
                              struct genesis_power out[LIMIT_VALIDATORS]);
/* [a-z0-9][a-z0-9-]*, at most LIMIT_NAME bytes. */
bool genesis_check_name(struct slice id);
/* "host:port", "[v6]:port"; port 1..65535. */
bool genesis_check_address(struct slice address);
/* Index of an organisation, node or channel by its id, or -1. */
int genesis_check_org(const struct genesis_body *b, struct slice id);
int genesis_check_node(const struct genesis_body *b, struct slice id);

#endif
