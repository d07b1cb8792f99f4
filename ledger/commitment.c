/* ledger/commitment.c -- see commitment.h. */
#include "ledger/commitment.h"

struct digest commitment_of(enum record_commitment how, const uint8_t salt[COMMITMENT_SALT_SIZE], struct slice raw) {
    static const char tag[] = "assay/raw/v1"; /* its NUL is hashed */
    struct digest_state s;
    struct digest d;
    if (how == RECORD_PLAIN)
        return digest_of(raw);
    digest_init(&s);
    digest_update(&s, slice_of(tag, sizeof tag));
    digest_update(&s, slice_of(salt, COMMITMENT_SALT_SIZE));
    digest_update(&s, raw);
    digest_final(&s, &d);
    return d;
}
