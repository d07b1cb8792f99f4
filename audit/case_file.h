/* audit/case_file.h -- one evidence case in one file (.assay-case): what offline adjudication needs.
 * A canonical msgpack map; entries with their proofs (each a bundle file's bytes, audit/bundle.h, opaque here), the
 * ciphertext, the disclosed key, the recipient's box key. Written by either side, decided by anybody. */
#ifndef AUDIT_CASE_FILE_H
#define AUDIT_CASE_FILE_H

#include "audit/adjudicate.h"

#define CASE_FILE_EXTENSION ".assay-case"
#define CASE_FILE_FORMAT    "assay/case/v1"
enum { CASE_FILE_MAX = 48 << 20, CASE_FILE_PROOF = 4 << 20, CASE_FILE_EXHIBITS = 16 };

struct case_file_exhibit {
    struct slice entry; /* canonical entry bytes */
    uint64_t number;    /* in the channel */
    struct slice proof; /* bundle bytes that prove entry and author; absent: unproven */
    int64_t time;       /* of its block; 0: not known */
};
struct case_file {
    uint8_t case_id[EVIDENCE_CASE_SIZE];
    uint8_t channel[DIGEST_SIZE];
    struct slice ciphertext;
    struct schema_list exhibits;    /* of struct case_file_exhibit, ascending by number: record, request, answer ... */
    struct slice format;            /* CASE_FILE_FORMAT */
    uint8_t key[EVIDENCE_KEY_SIZE]; /* disclosed one-time key; absent: in the dispute, or not disclosed */
    uint8_t recipient_box[SEALED_KEY_SIZE]; /* absent: the key's delivery is not checked */
};
extern const struct schema case_file_schema;

/* Appends the file's bytes. MALFORMED, TOO_LARGE. */
enum err_code case_file_write(const struct case_file *c, struct buf *out, struct err *e) ERR_CHECKED;
/* Slices borrow from bytes; lists live in `a`. UNSUPPORTED: another format. */
enum err_code case_file_read(struct slice bytes, struct arena *a, struct case_file *out, struct err *e) ERR_CHECKED;
/* The dossier of the newest verdict in the file; what it points to lives in `a` or borrows from c. PROOF: no request or
 * verdict of this case is among the exhibits. */
enum err_code case_file_dossier(const struct case_file *c, struct arena *a, struct adjudicate_dossier *out,
                                struct err *e) ERR_CHECKED;

#endif
