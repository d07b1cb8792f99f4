/* wire/sign.h -- Ed25519 by libsodium. Algorithm id 1 in all data.
 * Always single verification (batch verification can disagree with it).
 * Secrets live in guarded memory (sodium_malloc) and are zeroed when released. */
#ifndef WIRE_SIGN_H
#define WIRE_SIGN_H

#include "wire/err.h"
#include "wire/slice.h"

enum { SIGN_PUBLIC_SIZE = 32, SIGN_SEED_SIZE = 32, SIGN_SIZE = 64 };

struct sign_public {
    uint8_t b[SIGN_PUBLIC_SIZE];
};
struct sign_signature {
    uint8_t b[SIGN_SIZE];
};
struct sign_secret; /* opaque, guarded */

/* Must run once before any cryptography; idempotent, thread-safe. */
enum err_code sign_start(struct err *e) ERR_CHECKED;
/* A new key pair; *secret is released by sign_secret_free. */
enum err_code sign_generate(struct sign_secret **secret, struct sign_public *pub, struct err *e) ERR_CHECKED;
/* The pair of a 32-byte seed; the caller wipes the seed. */
enum err_code sign_from_seed(const uint8_t seed[SIGN_SEED_SIZE], struct sign_secret **secret, struct sign_public *pub,
                             struct err *e) ERR_CHECKED;
void sign_seed(const struct sign_secret *secret, uint8_t seed[SIGN_SEED_SIZE]);
void sign_secret_free(struct sign_secret *secret);
void sign_make(const struct sign_secret *secret, struct slice message, struct sign_signature *out);
bool sign_verify(const struct sign_public *pub, struct slice message, const struct sign_signature *sig);
/* False for a small-order or non-canonical point: refused at enrolment. */
bool sign_public_ok(const struct sign_public *pub);
bool sign_public_eq(const struct sign_public *a, const struct sign_public *b);

#endif
