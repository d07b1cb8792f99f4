/* consensus/message.h -- what validators say to one another, as bytes.
 * Owns: no state. Depends on: wire/cert. Source: docs/PROTOCOL.md 5.4.
 *
 *   message = type u8 (1..127, so itself a msgpack integer) ‖ canonical map ‖ PROPOSE only: the block's body
 *
 * Each map names channel, epoch and set_hash. The body of a PROPOSE has exactly header.body_len bytes; a re-proposal
 * has neither header nor body. The core makes and keeps PROPOSE without its body; the host appends it. */
#ifndef CONSENSUS_MESSAGE_H
#define CONSENSUS_MESSAGE_H

#include "wire/cert.h"
#include "wire/header.h"

enum message_type {
    MESSAGE_NONE = 0,
    MESSAGE_PROPOSE = 1,
    MESSAGE_NOTARIZE = 2,
    MESSAGE_FINALIZE = 3,
    MESSAGE_NULLIFY = 4,
    MESSAGE_CERT = 5,
    MESSAGE_STATUS = 6,
    MESSAGE_GET_CERT = 7
};

enum {
    MESSAGE_NULL_CERTS = 256,   /* inline nullifications of one PROPOSE */
    MESSAGE_HEAD_MAX = 1 << 20, /* bytes of a message without the body of a PROPOSE */
    MESSAGE_SMALL_MAX = 4096    /* bytes of any message but PROPOSE */
};

/* One message. Slices borrow from the bytes it was read from. */
struct message {
    enum message_type type;
    struct digest channel;
    uint64_t epoch;
    struct digest set_hash;
    /* PROPOSE */
    struct cert_prop prop;
    struct digest pid;         /* derived from prop */
    struct sign_signature sig; /* the leader's NOTARIZE of pid */
    bool has_header;           /* false: a re-proposal */
    struct header header;
    struct slice parent_cert; /* bytes of a NOTARIZE or FINALIZE certificate; absent when parent_view is 0 */
    struct slice null_certs;  /* canonical list of bin, one certificate each; absent when no view is skipped */
    struct slice body;
    /* NOTARIZE, FINALIZE, NULLIFY */
    struct cert_vote vote;
    /* CERT */
    struct cert cert;
    /* STATUS */
    uint64_t view, final_height;
    struct digest final_hash;
    /* GET_CERT: certificate of `kind` for `view`; CERT_NONE asks for any of that view */
    enum cert_type kind;
};

/* The type that the bytes claim, MESSAGE_NONE when unknown: for the host's dispatch. */
enum message_type message_type_of(struct slice bytes);
/* Exactly one message. Allocates nothing, verifies no signature. MALFORMED, TOO_LARGE. */
enum err_code message_read(struct slice bytes, struct message *out, struct err *e) ERR_CHECKED;
/* Appends the bytes; of a PROPOSE without body. */
void message_write(const struct message *m, struct buf *out);

#endif
