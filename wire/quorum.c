/* wire/quorum.c -- see quorum.h. */
#include "wire/quorum.h"

enum err_code quorum_make(uint32_t n, uint32_t k, struct quorum *out, struct err *e) {
    if (n < LIMIT_VALIDATORS_MIN || n > LIMIT_VALIDATORS)
        return err_set(e, ERR_CONFIG, "%u validators: a channel has %d to %d", n, LIMIT_VALIDATORS_MIN,
                       LIMIT_VALIDATORS);
    if (k > n)
        return err_set(e, ERR_CONFIG, "k = %u regulators in a certificate, but only %u validators", k, n);
    out->n = n;
    out->f = (n - 1) / 3;
    out->q = (n + out->f) / 2 + 1;
    out->k = k;
    return ERR_OK;
}

static uint32_t quorum_above(uint32_t a, uint32_t b) {
    return a > b ? a - b : 0;
}

/* A fork needs a FINALIZE certificate F and a NOTARIZE or NULLIFY quorum Q whose common members all lie. All liars
 * stand in both; F takes x honest members more, Q takes y others. */
static bool quorum_can_fork(const struct quorum *quorum, uint32_t seats, uint32_t regulators) {
    uint32_t y = quorum_above(quorum->q, seats);
    uint32_t x = quorum_above(quorum->k, regulators);
    if (x < y)
        x = y;
    return x + y <= quorum->n - seats;
}

static uint32_t quorum_rows(const struct quorum *quorum, const struct quorum_seat *seats, bool by_org,
                            struct quorum_power *out) {
    uint32_t rows = 0, regulators = 0, i, r;
    for (i = 0; i < quorum->n; i++) {
        uint32_t key = by_org ? seats[i].org : seats[i].group;
        for (r = 0; r < rows && out[r].group != key; r++)
            ;
        if (r == rows)
            out[rows++] = (struct quorum_power){.group = key};
        out[r].seats++;
        out[r].regulators += seats[i].regulator;
        regulators += seats[i].regulator;
    }
    for (r = 0; r < rows; r++) {
        out[r].can_halt = quorum->n - out[r].seats < quorum->q || regulators - out[r].regulators < quorum->k;
        out[r].can_fork = quorum_can_fork(quorum, out[r].seats, out[r].regulators);
    }
    return rows;
}

uint32_t quorum_analyse(const struct quorum *quorum, const struct quorum_seat *seats, struct quorum_power *out) {
    return quorum_rows(quorum, seats, false, out);
}

uint32_t quorum_analyse_orgs(const struct quorum *quorum, const struct quorum_seat *seats, struct quorum_power *out) {
    return quorum_rows(quorum, seats, true, out);
}

enum err_code quorum_check(const struct quorum *quorum, const struct quorum_seat *seats, struct err *e) {
    struct quorum_power power[LIMIT_VALIDATORS];
    uint32_t rows = quorum_rows(quorum, seats, false, power);
    uint32_t regulators = 0, r;
    for (r = 0; r < rows; r++)
        regulators += power[r].regulators;
    if (regulators < quorum->k)
        return err_set(e, ERR_NOT_ALLOWED, "certificates need %u regulators, but only %u sit here", quorum->k,
                       regulators);
    for (r = 0; r < rows; r++) {
        if (power[r].seats > quorum->f && quorum->k <= quorum->n - quorum->q)
            return err_set(e, ERR_NOT_ALLOWED,
                           "one organisation with its affiliates holds %u of %u seats, more than f = %u; that needs "
                           "k > %u regulators in each certificate, and k is %u",
                           power[r].seats, quorum->n, quorum->f, quorum->n - quorum->q, quorum->k);
        if (power[r].can_fork)
            return err_set(e, ERR_NOT_ALLOWED,
                           "one organisation with its affiliates holds %u of %u seats, %u of them regulators', and "
                           "could fork the ledger alone",
                           power[r].seats, quorum->n, power[r].regulators);
    }
    return ERR_OK;
}
