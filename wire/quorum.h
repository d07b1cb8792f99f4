/* wire/quorum.h -- the arithmetic of votes: f, q, k, and what a group of seats could halt or fork.
 * Owns: no state. Depends on: wire/err, wire/limits. Source: docs/PROTOCOL.md 5.1. Pure functions.
 *
 *   f = (n - 1) / 3          seats that may lie
 *   q = (n + f) / 2 + 1      votes of a certificate
 *   k                        of a FINALIZE certificate's signers, at least this many are regulators (0 allowed) */
#ifndef WIRE_QUORUM_H
#define WIRE_QUORUM_H

#include "wire/err.h"
#include "wire/limits.h"

#include <stdint.h>

struct quorum {
    uint32_t n, f, q, k;
};

/* One validator's seat. `org` and `group` are the caller's numbers, only compared for equality: seats of one
 * organisation share `org`; organisations that are declared affiliates of one another share `group`. */
struct quorum_seat {
    uint32_t org, group;
    bool regulator;
};

/* What a group (an organisation with its affiliates) could do alone, all its seats lying together. */
struct quorum_power {
    uint32_t group;
    uint32_t seats, regulators;
    bool can_halt; /* without it no block becomes final */
    bool can_fork; /* it could make two conflicting FINALIZE certificates */
};

/* CONFIG unless n is 4..16 and k <= n. */
enum err_code quorum_make(uint32_t n, uint32_t k, struct quorum *out, struct err *e) ERR_CHECKED;
/* One row a group, in order of first appearance; out has room for LIMIT_VALIDATORS. Returns the number of rows. */
uint32_t quorum_analyse(const struct quorum *quorum, const struct quorum_seat *seats, struct quorum_power *out);
/* What one organisation without its affiliates could do: rows keyed by org in `group`. For founding's print. */
uint32_t quorum_analyse_orgs(const struct quorum *quorum, const struct quorum_seat *seats, struct quorum_power *out);
/* The rule of founding: NOT_ALLOWED when there are fewer than k regulators, when a group holds more than f seats and
 * not k > n - q, or when a group could fork in spite of it (it holds regulators' seats itself). */
enum err_code quorum_check(const struct quorum *quorum, const struct quorum_seat *seats, struct err *e) ERR_CHECKED;

#endif
