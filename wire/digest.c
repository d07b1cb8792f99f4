/* wire/digest.c -- see digest.h.
 * The low-level context functions are deprecated in OpenSSL 3 in favour of EVP, which costs four times more on
 * the short inputs of a Merkle tree; they remain supported for the whole 3.x series. */
#define OPENSSL_API_COMPAT 0x10101000L
#include "wire/digest.h"

#include <openssl/sha.h>

_Static_assert(sizeof(struct digest_state) >= sizeof(SHA256_CTX), "room for the context");

void digest_init(struct digest_state *s) {
    SHA256_Init((SHA256_CTX *)(void *)s->opaque);
}

void digest_update(struct digest_state *s, struct slice bytes) {
    if (bytes.len)
        SHA256_Update((SHA256_CTX *)(void *)s->opaque, bytes.ptr, bytes.len);
}

void digest_final(struct digest_state *s, struct digest *out) {
    SHA256_Final(out->b, (SHA256_CTX *)(void *)s->opaque);
}

struct digest digest_of(struct slice bytes) {
    struct digest_state s;
    struct digest d;
    digest_init(&s);
    digest_update(&s, bytes);
    digest_final(&s, &d);
    return d;
}

struct digest digest_tagged(const char *tag, struct slice bytes) {
    struct digest_state s;
    struct digest d;
    digest_init(&s);
    digest_update(&s, slice_of(tag, strlen(tag) + 1));
    digest_update(&s, bytes);
    digest_final(&s, &d);
    return d;
}

bool digest_eq(const struct digest *a, const struct digest *b) {
    return memcmp(a->b, b->b, DIGEST_SIZE) == 0;
}

bool digest_is_zero(const struct digest *d) {
    static const struct digest zero;
    return digest_eq(d, &zero);
}

struct slice digest_slice(const struct digest *d) {
    return slice_of(d->b, DIGEST_SIZE);
}

char *digest_hex(const struct digest *d, char out[DIGEST_HEX]) {
    static const char digits[] = "0123456789abcdef";
    size_t i;
    for (i = 0; i < DIGEST_SIZE; i++) {
        out[2 * i] = digits[d->b[i] >> 4];
        out[2 * i + 1] = digits[d->b[i] & 15];
    }
    out[64] = '\0';
    return out;
}

static int digest_nibble(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool digest_from_hex(struct slice text, struct digest *out) {
    size_t i;
    if (text.len != 64)
        return false;
    for (i = 0; i < DIGEST_SIZE; i++) {
        int hi = digest_nibble(text.ptr[2 * i]);
        int lo = digest_nibble(text.ptr[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out->b[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}
