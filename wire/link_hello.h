/* wire/link_hello.h -- the signed hello of a connection: its bytes, no I/O.
 * Source: docs/PROTOCOL.md (links). Integers big-endian; an id is u8 length ‖ 64 bytes, zero-padded.
 *
 *   open    dialler -> acceptor  tag ‖ 1 ‖ u16 version ‖ u8 kind ‖ network[32] ‖ dialler id[65] ‖ acceptor id[65] ‖
 * nonce[32] reply   acceptor -> dialler  tag ‖ 2 ‖ nonce[32] ‖ signature[64] proof   dialler -> acceptor  tag ‖ 3 ‖
 * signature[64] verdict acceptor -> dialler  tag ‖ 4 ‖ u16 error code (0: welcome)      at any point; then the end
 * unless 0
 *
 * Signed by both, each with its role, so that no side's signature serves as the other's, and both nonces, so that
 * none serves twice:
 *   tag ‖ u8 role ('d' or 'a') ‖ u16 version ‖ u8 kind ‖ network ‖ dialler id ‖ acceptor id ‖ dialler's nonce ‖
 *   acceptor's nonce                                            tag = "assay/hello/v1" and NUL */
#ifndef WIRE_LINK_HELLO_H
#define WIRE_LINK_HELLO_H

#include "wire/buf.h"
#include "wire/digest.h"
#include "wire/limits.h"
#include "wire/sign.h"

enum {
    LINK_HELLO_NONCE = 32,
    LINK_HELLO_TAG = 15,
    LINK_HELLO_ID = LIMIT_NAME + 1,
    LINK_HELLO_MAX = 256, /* bytes of any frame of a hello */
    LINK_HELLO_OPEN = LINK_HELLO_TAG + 1 + 2 + 1 + DIGEST_SIZE + 2 * LINK_HELLO_ID + LINK_HELLO_NONCE,
    LINK_HELLO_REPLY = LINK_HELLO_TAG + 1 + LINK_HELLO_NONCE + SIGN_SIZE,
    LINK_HELLO_PROOF = LINK_HELLO_TAG + 1 + SIGN_SIZE,
    LINK_HELLO_VERDICT = LINK_HELLO_TAG + 1 + 2
};

enum link_hello_step {
    LINK_HELLO_STEP_OPEN = 1,
    LINK_HELLO_STEP_REPLY,
    LINK_HELLO_STEP_PROOF,
    LINK_HELLO_STEP_VERDICT
};
enum link_hello_role { LINK_HELLO_DIALLER = 'd', LINK_HELLO_ACCEPTOR = 'a' };

struct link_hello {
    uint16_t version;
    uint8_t kind;
    struct digest network;
    char dialler[LIMIT_NAME + 1], acceptor[LIMIT_NAME + 1];
    uint8_t nonce_dialler[LINK_HELLO_NONCE], nonce_acceptor[LINK_HELLO_NONCE];
};

/* The step of a frame, or 0 if it is none of a hello (wrong tag, step or length). */
unsigned link_hello_step(struct slice frame);

/* Writers append one frame's bytes; out has room for LINK_HELLO_MAX. */
void link_hello_write_open(const struct link_hello *h, struct buf *out);
void link_hello_write_reply(const struct link_hello *h, const struct sign_secret *secret, struct buf *out);
void link_hello_write_proof(const struct link_hello *h, const struct sign_secret *secret, struct buf *out);
void link_hello_write_verdict(enum err_code code, struct buf *out);

/* Readers of frames whose step is known. open fills all of h but the acceptor's nonce: MALFORMED for a bad id. */
enum err_code link_hello_read_open(struct slice frame, struct link_hello *h, struct err *e) ERR_CHECKED;
/* Takes the acceptor's nonce into h and checks its signature: BAD_SIGNATURE. */
enum err_code link_hello_read_reply(struct slice frame, struct link_hello *h, const struct sign_public *acceptor,
                                    struct err *e) ERR_CHECKED;
enum err_code link_hello_read_proof(struct slice frame, const struct link_hello *h, const struct sign_public *dialler,
                                    struct err *e) ERR_CHECKED;
enum err_code link_hello_read_verdict(struct slice frame); /* an unknown code becomes NOT_ALLOWED */

#endif
