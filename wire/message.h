/* wire/message.h -- the envelope of everything that one node says to another.
 * Canonical msgpack map {body, ch, req, t}; payloads' schemas belong to their modules.
 * Depends on: schema. Source: docs/PROTOCOL.md (messages). Bound: LIMIT_MESSAGE for the whole. */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include "wire/buf.h"
#include "wire/digest.h"
#include "wire/err.h"
#include "wire/limits.h"

enum {
    MESSAGE_OVERHEAD = 96, /* most bytes that the envelope adds */
    MESSAGE_BODY = LIMIT_MESSAGE - MESSAGE_OVERHEAD
};

/* Permanent values. X(name, value, is it urgent: small and before bulk) */
#define MESSAGE_LIST(X)                                                                                                \
    X(CONSENSUS, 1, true) /* a core message: proposal, vote, certificate */                                            \
    X(STATUS, 2, true)    /* what height a node has reached */                                                         \
    X(GET_BLOCK, 3, true) /* one block by hash */                                                                      \
    X(BLOCK, 4, false)                                                                                                 \
    X(GET_RANGE, 5, true) /* finalised blocks by height */                                                             \
    X(RANGE, 6, false)                                                                                                 \
    X(BATCH, 7, false)       /* a submitter's batch */                                                                 \
    X(BATCH_ACK, 8, true)    /* accepted to the pool, or (seq, entry, reason) */                                       \
    X(EVIDENCE_GET, 9, true) /* ask for the sealed raw log behind an answer entry */                                   \
    X(EVIDENCE_DATA, 10, false)                                                                                        \
    X(REPORT_EVIDENCE, 11, false) /* proof of equivocation */

enum message_type {
#define MESSAGE_ENUM(name, value, urgent) MESSAGE_##name = (value),
    MESSAGE_LIST(MESSAGE_ENUM)
#undef MESSAGE_ENUM
};

struct message {
    uint64_t type;         /* enum message_type */
    struct digest channel; /* all zero: absent (of no channel) */
    uint64_t request;      /* pairs an answer with its question; 0: absent */
    struct slice body;     /* borrowed; may be absent */
};

/* Appends canonical bytes. TOO_LARGE if the body is over MESSAGE_BODY. */
enum err_code message_write(const struct message *m, struct buf *out, struct err *e) ERR_CHECKED;
/* MALFORMED, TOO_LARGE; UNSUPPORTED for a type that is not in the list. body borrows from bytes. */
enum err_code message_read(struct slice bytes, struct message *out, struct err *e) ERR_CHECKED;
bool message_known(uint64_t type);
bool message_urgent(enum message_type type);
const char *message_name(enum message_type type); /* "GET_BLOCK"; "?" */

#endif
