/* wire/envelope.h -- the envelope of everything that one node says to another.
 * Canonical msgpack map {body, ch, req, t}; payloads' schemas belong to their modules.
 * Depends on: schema. Source: docs/PROTOCOL.md (messages). Bound: LIMIT_MESSAGE for the whole. */
#ifndef WIRE_ENVELOPE_H
#define WIRE_ENVELOPE_H

#include "wire/buf.h"
#include "wire/digest.h"
#include "wire/err.h"
#include "wire/limits.h"

enum {
    ENVELOPE_OVERHEAD = 96, /* most bytes that the envelope adds */
    ENVELOPE_BODY = LIMIT_MESSAGE - ENVELOPE_OVERHEAD
};

/* Permanent values. X(name, value, is it urgent: small and before bulk) */
#define ENVELOPE_LIST(X)                                                                                               \
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

enum envelope_type {
#define ENVELOPE_ENUM(name, value, urgent) ENVELOPE_##name = (value),
    ENVELOPE_LIST(ENVELOPE_ENUM)
#undef ENVELOPE_ENUM
};

struct envelope {
    uint64_t type;         /* enum envelope_type */
    struct digest channel; /* all zero: absent (of no channel) */
    uint64_t request;      /* pairs an answer with its question; 0: absent */
    struct slice body;     /* borrowed; may be absent */
};

/* Appends canonical bytes. TOO_LARGE if the body is over ENVELOPE_BODY. */
enum err_code envelope_write(const struct envelope *m, struct buf *out, struct err *e) ERR_CHECKED;
/* MALFORMED, TOO_LARGE; UNSUPPORTED for a type that is not in the list. body borrows from bytes. */
enum err_code envelope_read(struct slice bytes, struct envelope *out, struct err *e) ERR_CHECKED;
bool envelope_known(uint64_t type);
bool envelope_urgent(enum envelope_type type);
const char *envelope_name(enum envelope_type type); /* "GET_BLOCK"; "?" */

#endif
