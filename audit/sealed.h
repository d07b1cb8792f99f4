/* audit/sealed.h -- X25519 sealed boxes (libsodium's crypto_box_seal) for evidence: parts that only parties can read,
 * and one-time keys whose delivery can be proven afterwards.
 * A "bound" box takes its ephemeral key from the sealed secret itself, so that whoever is shown the secret later can
 * make the same box again, byte for byte, and so see that the recipient was really given it. The recipient opens it as
 * any sealed box. Only for secrets of full entropy. */
#ifndef AUDIT_SEALED_H
#define AUDIT_SEALED_H

#include "wire/buf.h"

enum { SEALED_KEY_SIZE = 32, SEALED_OVERHEAD = 48, SEALED_PAD = 128 };

struct sealed_pair { /* a node's box key; secret points into guarded memory of the caller */
    uint8_t pub[SEALED_KEY_SIZE];
    const uint8_t *secret;
};

/* Appends; the plain text is padded to a multiple of SEALED_PAD, so that the length says little. NOT_ALLOWED for a
 * recipient key of small order. */
enum err_code sealed_make(const uint8_t recipient[SEALED_KEY_SIZE], struct slice plain, struct buf *out,
                          struct err *e) ERR_CHECKED;
/* Plain text into `plain` (cleared first). BAD_SIGNATURE: not for us, or altered. */
enum err_code sealed_open(const struct sealed_pair *own, struct slice box, struct buf *plain,
                          struct err *e) ERR_CHECKED;

enum { SEALED_BOUND_SIZE = SEALED_KEY_SIZE + SEALED_OVERHEAD };
/* False for a recipient key of small order. */
bool sealed_bind(const uint8_t recipient[SEALED_KEY_SIZE], const uint8_t secret[SEALED_KEY_SIZE],
                 uint8_t out[SEALED_BOUND_SIZE]);
bool sealed_bound_open(const struct sealed_pair *own, const uint8_t box[SEALED_BOUND_SIZE],
                       uint8_t secret[SEALED_KEY_SIZE]);

#endif
