/* audit/sealed.c -- see sealed.h. */
#include "audit/sealed.h"

#include "wire/digest.h"

#include <sodium.h>

enum err_code sealed_make(const uint8_t recipient[SEALED_KEY_SIZE], struct slice plain, struct buf *out,
                          struct err *e) {
    struct buf padded;
    size_t len = 0, room = plain.len + SEALED_PAD - plain.len % SEALED_PAD;
    buf_init(&padded, room);
    buf_append(&padded, plain);
    (void)buf_extend(&padded, room - plain.len);
    enum err_code c = buf_check(&padded, e);
    if (!c && padded.ptr && sodium_pad(&len, padded.ptr, plain.len, SEALED_PAD, padded.len) != 0)
        c = err_set(e, ERR_INTERNAL, "padding");
    uint8_t *box = c ? NULL : buf_extend(out, len + SEALED_OVERHEAD);
    if (!c && !box)
        c = buf_check(out, e);
    if (!c && box && padded.ptr && crypto_box_seal(box, padded.ptr, len, recipient) != 0)
        c = err_set(e, ERR_NOT_ALLOWED, "the recipient's key is weak");
    if (padded.ptr)
        sodium_memzero(padded.ptr, padded.len);
    buf_release(&padded);
    return c;
}

enum err_code sealed_open(const struct sealed_pair *own, struct slice box, struct buf *plain, struct err *e) {
    size_t len = 0;
    buf_clear(plain);
    if (box.len <= SEALED_OVERHEAD)
        return err_set(e, ERR_BAD_SIGNATURE, "a sealed part of %zu bytes", box.len);
    uint8_t *p = buf_extend(plain, box.len - SEALED_OVERHEAD);
    if (!p)
        return buf_check(plain, e);
    if (crypto_box_seal_open(p, box.ptr, box.len, own->pub, own->secret) != 0 ||
        sodium_unpad(&len, p, plain->len, SEALED_PAD) != 0) {
        buf_clear(plain);
        return err_set(e, ERR_BAD_SIGNATURE, "the sealed part does not open with this key");
    }
    plain->len = len;
    return ERR_OK;
}

/* As crypto_box_seal, but the ephemeral secret is a hash of what is sealed. */
bool sealed_bind(const uint8_t recipient[SEALED_KEY_SIZE], const uint8_t secret[SEALED_KEY_SIZE],
                 uint8_t out[SEALED_BOUND_SIZE]) {
    uint8_t pub[crypto_box_PUBLICKEYBYTES], nonce[crypto_box_NONCEBYTES];
    uint8_t both[SEALED_KEY_SIZE + SEALED_KEY_SIZE];
    crypto_generichash_state s;
    memcpy(both, secret, SEALED_KEY_SIZE);
    memcpy(both + SEALED_KEY_SIZE, recipient, SEALED_KEY_SIZE); /* another recipient, another ephemeral key */
    struct digest eph = digest_tagged("assay/bound-box/v1", slice_of(both, sizeof both));
    bool good = crypto_scalarmult_base(pub, eph.b) == 0;
    (void)crypto_generichash_init(&s, NULL, 0, sizeof nonce);
    (void)crypto_generichash_update(&s, pub, sizeof pub);
    (void)crypto_generichash_update(&s, recipient, SEALED_KEY_SIZE);
    (void)crypto_generichash_final(&s, nonce, sizeof nonce);
    memcpy(out, pub, sizeof pub);
    good = good && crypto_box_easy(out + sizeof pub, secret, SEALED_KEY_SIZE, nonce, recipient, eph.b) == 0;
    sodium_memzero(both, sizeof both);
    sodium_memzero(&eph, sizeof eph);
    return good;
}

bool sealed_bound_open(const struct sealed_pair *own, const uint8_t box[SEALED_BOUND_SIZE],
                       uint8_t secret[SEALED_KEY_SIZE]) {
    return crypto_box_seal_open(secret, box, SEALED_BOUND_SIZE, own->pub, own->secret) == 0;
}
