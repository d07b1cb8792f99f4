/* wire/digest.h -- SHA-256 by OpenSSL's libcrypto (hardware instructions; libsodium's is 7 times slower).
 * Algorithm id 1 in all data. */
#ifndef WIRE_DIGEST_H
#define WIRE_DIGEST_H

#include "wire/slice.h"

enum { DIGEST_SIZE = 32, DIGEST_HEX = 65 };

struct digest {
    uint8_t b[DIGEST_SIZE];
};

struct digest_state {
    uint64_t opaque[16]; /* holds a SHA256_CTX */
};

void digest_init(struct digest_state *s);
void digest_update(struct digest_state *s, struct slice bytes);
void digest_final(struct digest_state *s, struct digest *out);
struct digest digest_of(struct slice bytes);
/* SHA-256(tag ‖ 0x00 ‖ bytes): the tag's terminating NUL is hashed. */
struct digest digest_tagged(const char *tag, struct slice bytes);
bool digest_eq(const struct digest *a, const struct digest *b);
bool digest_is_zero(const struct digest *d);
struct slice digest_slice(const struct digest *d);
/* 64 lower-case digits and a NUL; returns out. */
char *digest_hex(const struct digest *d, char out[DIGEST_HEX]);
bool digest_from_hex(struct slice text, struct digest *out); /* exactly 64 digits */

#endif
