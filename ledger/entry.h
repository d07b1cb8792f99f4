/* ledger/entry.h -- the envelope of everything that is committed.
 * An entry is a canonical msgpack list of two: its kind's number and its body (a map), at most LIMIT_ENTRY bytes.
 * What a kind's body means belongs to audit/ (records, dead letters and gaps excepted: ledger/record.h).
 * The leaf hash is RFC 6962's: SHA-256(0x00 ‖ entry). Values are permanent. */
#ifndef LEDGER_ENTRY_H
#define LEDGER_ENTRY_H

#include "wire/buf.h"
#include "wire/digest.h"
#include "wire/schema.h"

/* X(name, value, text) */
#define ENTRY_KINDS(X)                                                                                                 \
    X(RECORD, 1, "record")                                                                                             \
    X(DEAD_LETTER, 2, "dead-letter")                                                                                   \
    X(STANDARD, 3, "standard")                                                                                         \
    X(EVIDENCE_REQUEST, 4, "evidence-request")                                                                         \
    X(EVIDENCE_ANSWER, 5, "evidence-answer")                                                                           \
    X(VERDICT, 6, "verdict")                                                                                           \
    X(DISPUTE, 7, "dispute")                                                                                           \
    X(FINDING, 8, "finding")                                                                                           \
    X(KEY_GRANT, 9, "key-grant")                                                                                       \
    X(CONFIGURATION, 10, "configuration")                                                                              \
    X(IMPORT, 11, "import")                                                                                            \
    X(GAP, 12, "gap")                                                                                                  \
    X(ERASURE, 13, "erasure")                                                                                          \
    X(VOUCHER, 14, "voucher")                                                                                          \
    X(ARCHIVE, 15, "archive")                                                                                          \
    X(ANNOTATION, 16, "annotation")                                                                                    \
    X(ACCESS_LOG, 17, "access-log")                                                                                    \
    X(ACKNOWLEDGEMENT, 18, "acknowledgement")                                                                          \
    X(ANCHOR, 19, "anchor")

enum entry_kind {
    ENTRY_NONE = 0,
#define ENTRY_ENUM(name, value, text) ENTRY_##name = (value),
    ENTRY_KINDS(ENTRY_ENUM)
#undef ENTRY_ENUM
};

/* One entry, split: body borrows from the entry's bytes. */
struct entry {
    enum entry_kind kind;
    struct slice body; /* canonical map */
};

const char *entry_kind_text(enum entry_kind kind);  /* "record"; NULL if unknown */
enum entry_kind entry_kind_from(struct slice text); /* ENTRY_NONE if unknown */
/* Checks the whole: canonical, depth, size, a known kind, a map as body. MALFORMED, TOO_LARGE, UNSUPPORTED. */
enum err_code entry_read(struct slice bytes, struct entry *out, struct err *e) ERR_CHECKED;
/* Envelope of a body that follows its schema. */
void entry_write(enum entry_kind kind, const struct schema *schema, const void *body, struct buf *out);
struct digest entry_leaf(struct slice bytes);

#endif
