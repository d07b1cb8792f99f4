/* audit/adjudicate.h -- who is right about a piece of evidence: decided offline, by recomputing, from what either side
 * disclosed. Source: DESIGN 9, docs/FORMATS.md 6. Depends on: audit/evidence. Pure. */
#ifndef AUDIT_ADJUDICATE_H
#define AUDIT_ADJUDICATE_H

#include "audit/evidence.h"

struct adjudicate_dossier {
    struct digest channel;
    const struct evidence_request *request;
    const struct evidence_answer *answer; /* NULL: none */
    const struct evidence_ruling *ruling;
    const struct evidence_dispute *dispute; /* NULL: none; its key is used when `key` is NULL */
    uint64_t request_number, answer_number, ruling_number;
    int64_t answer_time, ruling_time; /* block times; 0: not known */
    const uint8_t *key;               /* EVIDENCE_KEY_SIZE, disclosed; may be NULL */
    struct slice ciphertext;          /* absent: not disclosed */
    const uint8_t *recipient_box;     /* the asker's box public key; NULL: the key's delivery is not checked */
    struct slice record;              /* entry bytes of the record; absent: the request's word for the hash is taken */
};
struct adjudicate_decision {
    enum evidence_outcome outcome;
    enum evidence_verdict truth; /* what the verdict should have been; 0 when undecided */
    char words[1024];            /* the reasons, a sentence each */
};
/* The entries' own proofs are the caller's (bundle's) matter. PROOF: the parts do not belong together, so nothing can
 * be decided. plain is cleared first. */
enum err_code adjudicate(const struct adjudicate_dossier *d, struct buf *plain, struct adjudicate_decision *out,
                         struct err *e) ERR_CHECKED;
/* Appends the FINDING "adjudication". */
enum err_code adjudicate_entry(const struct adjudicate_dossier *d, const struct adjudicate_decision *dec,
                               struct slice by, int64_t now, struct buf *entry, struct err *e) ERR_CHECKED;

#endif
