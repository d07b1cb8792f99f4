/* wire/link_hello.c -- see link_hello.h. */
#include "wire/link_hello.h"

static const char link_hello_tag[LINK_HELLO_TAG] = "assay/hello/v1";

enum { LINK_HELLO_SIGNED = LINK_HELLO_OPEN + LINK_HELLO_NONCE };

unsigned link_hello_step(struct slice f) {
    static const size_t sizes[] = {0, LINK_HELLO_OPEN, LINK_HELLO_REPLY, LINK_HELLO_PROOF, LINK_HELLO_VERDICT};
    unsigned step;
    if (f.len <= LINK_HELLO_TAG || memcmp(f.ptr, link_hello_tag, LINK_HELLO_TAG) != 0)
        return 0;
    step = f.ptr[LINK_HELLO_TAG];
    return step >= LINK_HELLO_STEP_OPEN && step <= LINK_HELLO_STEP_VERDICT && f.len == sizes[step] ? step : 0;
}

static void link_hello_put_id(struct buf *out, const char *id) {
    size_t len = strlen(id);
    uint8_t *p;
    ERR_ASSERT(len <= LIMIT_NAME);
    buf_u8(out, (uint8_t)len);
    p = buf_extend(out, LIMIT_NAME);
    if (!p)
        return;
    memset(p, 0, LIMIT_NAME);
    memcpy(p, id, len);
}

/* The fields that open and the signed bytes share: from the version to the dialler's nonce. */
static void link_hello_put_fields(const struct link_hello *h, struct buf *out) {
    buf_be16(out, h->version);
    buf_u8(out, h->kind);
    buf_bytes(out, h->network.b, DIGEST_SIZE);
    link_hello_put_id(out, h->dialler);
    link_hello_put_id(out, h->acceptor);
    buf_bytes(out, h->nonce_dialler, LINK_HELLO_NONCE);
}

static void link_hello_put_signed(const struct link_hello *h, enum link_hello_role role, struct buf *out) {
    buf_bytes(out, link_hello_tag, LINK_HELLO_TAG);
    buf_u8(out, (uint8_t)role);
    link_hello_put_fields(h, out);
    buf_bytes(out, h->nonce_acceptor, LINK_HELLO_NONCE);
}

static void link_hello_put_head(enum link_hello_step step, struct buf *out) {
    buf_bytes(out, link_hello_tag, LINK_HELLO_TAG);
    buf_u8(out, (uint8_t)step);
}

static void link_hello_put_signature(const struct link_hello *h, enum link_hello_role role,
                                     const struct sign_secret *secret, struct buf *out) {
    struct sign_signature sig;
    struct buf bytes;
    buf_init(&bytes, LINK_HELLO_SIGNED);
    link_hello_put_signed(h, role, &bytes);
    if (bytes.failed) {
        out->failed = true;
    } else {
        sign_make(secret, buf_slice(&bytes), &sig);
        buf_bytes(out, sig.b, SIGN_SIZE);
    }
    buf_release(&bytes);
}

static enum err_code link_hello_check(const struct link_hello *h, enum link_hello_role role, const uint8_t *signature,
                                      const struct sign_public *key, struct err *e) {
    struct sign_signature sig;
    struct buf bytes;
    enum err_code rc;
    memcpy(sig.b, signature, SIGN_SIZE);
    buf_init(&bytes, LINK_HELLO_SIGNED);
    link_hello_put_signed(h, role, &bytes);
    rc = buf_check(&bytes, e);
    if (!rc && !sign_verify(key, buf_slice(&bytes), &sig))
        rc = err_set(e, ERR_BAD_SIGNATURE, "the hello of %s is not signed with its link key",
                     role == LINK_HELLO_DIALLER ? h->dialler : h->acceptor);
    buf_release(&bytes);
    return rc;
}

void link_hello_write_open(const struct link_hello *h, struct buf *out) {
    link_hello_put_head(LINK_HELLO_STEP_OPEN, out);
    link_hello_put_fields(h, out);
}

void link_hello_write_reply(const struct link_hello *h, const struct sign_secret *secret, struct buf *out) {
    link_hello_put_head(LINK_HELLO_STEP_REPLY, out);
    buf_bytes(out, h->nonce_acceptor, LINK_HELLO_NONCE);
    link_hello_put_signature(h, LINK_HELLO_ACCEPTOR, secret, out);
}

void link_hello_write_proof(const struct link_hello *h, const struct sign_secret *secret, struct buf *out) {
    link_hello_put_head(LINK_HELLO_STEP_PROOF, out);
    link_hello_put_signature(h, LINK_HELLO_DIALLER, secret, out);
}

void link_hello_write_verdict(enum err_code code, struct buf *out) {
    link_hello_put_head(LINK_HELLO_STEP_VERDICT, out);
    buf_be16(out, (uint16_t)code);
}

/* An id is 1..64 of a-z 0-9 - and then zeros only. */
static bool link_hello_get_id(const uint8_t *p, char out[LIMIT_NAME + 1]) {
    size_t len = p[0], i;
    if (len == 0 || len > LIMIT_NAME)
        return false;
    for (i = 0; i < LIMIT_NAME; i++) {
        uint8_t c = p[1 + i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        if (i < len ? !ok : c != 0)
            return false;
    }
    memcpy(out, p + 1, len);
    out[len] = '\0';
    return true;
}

enum err_code link_hello_read_open(struct slice frame, struct link_hello *h, struct err *e) {
    const uint8_t *p = frame.ptr + LINK_HELLO_TAG + 1;
    memset(h, 0, sizeof *h);
    h->version = buf_get16(p);
    h->kind = p[2];
    p += 3;
    memcpy(h->network.b, p, DIGEST_SIZE);
    p += DIGEST_SIZE;
    if (!link_hello_get_id(p, h->dialler) || !link_hello_get_id(p + LINK_HELLO_ID, h->acceptor))
        return err_set(e, ERR_MALFORMED, "a hello with a malformed id");
    p += 2 * LINK_HELLO_ID;
    memcpy(h->nonce_dialler, p, LINK_HELLO_NONCE);
    return ERR_OK;
}

enum err_code link_hello_read_reply(struct slice frame, struct link_hello *h, const struct sign_public *acceptor,
                                    struct err *e) {
    const uint8_t *p = frame.ptr + LINK_HELLO_TAG + 1;
    memcpy(h->nonce_acceptor, p, LINK_HELLO_NONCE);
    return link_hello_check(h, LINK_HELLO_ACCEPTOR, p + LINK_HELLO_NONCE, acceptor, e);
}

enum err_code link_hello_read_proof(struct slice frame, const struct link_hello *h, const struct sign_public *dialler,
                                    struct err *e) {
    return link_hello_check(h, LINK_HELLO_DIALLER, frame.ptr + LINK_HELLO_TAG + 1, dialler, e);
}

enum err_code link_hello_read_verdict(struct slice frame) {
    uint16_t code = buf_get16(frame.ptr + LINK_HELLO_TAG + 1);
    return err_known(code) ? (enum err_code)code : ERR_NOT_ALLOWED;
}
