/* ledger/commitment.h -- what a record commits to: the hash of its raw log. Source: docs/FORMATS.md 6.
 * salted (the default): SHA-256("assay/raw/v1" NUL ‖ salt[32] ‖ raw); plain: SHA-256(raw). */
#ifndef LEDGER_COMMITMENT_H
#define LEDGER_COMMITMENT_H

#include "ledger/record.h"

enum { COMMITMENT_SALT_SIZE = 32 };

/* salt is not read for RECORD_PLAIN, which may pass NULL. */
struct digest commitment_of(enum record_commitment how, const uint8_t salt[COMMITMENT_SALT_SIZE], struct slice raw);

#endif
