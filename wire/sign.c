/* wire/sign.c -- see sign.h. */
#include "wire/sign.h"

#include <sodium.h>

struct sign_secret {
    uint8_t key[crypto_sign_SECRETKEYBYTES]; /* seed ‖ public key, libsodium's layout */
};

enum err_code sign_start(struct err *e) {
    if (sodium_init() < 0)
        return err_set(e, ERR_INTERNAL, "libsodium does not start");
    return ERR_OK;
}

enum err_code sign_from_seed(const uint8_t seed[SIGN_SEED_SIZE], struct sign_secret **secret, struct sign_public *pub,
                             struct err *e) {
    *secret = sodium_malloc(sizeof **secret);
    if (!*secret)
        return err_set(e, ERR_NO_MEMORY, "no guarded memory for a key");
    crypto_sign_seed_keypair(pub->b, (*secret)->key, seed);
    return ERR_OK;
}

enum err_code sign_generate(struct sign_secret **secret, struct sign_public *pub, struct err *e) {
    uint8_t seed[SIGN_SEED_SIZE];
    enum err_code rc;
    randombytes_buf(seed, sizeof seed);
    rc = sign_from_seed(seed, secret, pub, e);
    sodium_memzero(seed, sizeof seed);
    return rc;
}

void sign_seed(const struct sign_secret *secret, uint8_t seed[SIGN_SEED_SIZE]) {
    memcpy(seed, secret->key, SIGN_SEED_SIZE);
}

void sign_secret_free(struct sign_secret *secret) {
    sodium_free(secret);
}

void sign_make(const struct sign_secret *secret, struct slice message, struct sign_signature *out) {
    crypto_sign_detached(out->b, NULL, message.ptr, message.len, secret->key);
}

bool sign_verify(const struct sign_public *pub, struct slice message, const struct sign_signature *sig) {
    return crypto_sign_verify_detached(sig->b, message.ptr, message.len, pub->b) == 0;
}

bool sign_public_ok(const struct sign_public *pub) {
    return crypto_core_ed25519_is_valid_point(pub->b) == 1;
}

bool sign_public_eq(const struct sign_public *a, const struct sign_public *b) {
    return memcmp(a->b, b->b, SIGN_PUBLIC_SIZE) == 0;
}
