/* audit/evidence.h -- demanding, giving and judging a raw log: pure logic, no I/O (audit/adjudicate.h decides
 * disputes). Source: DESIGN 9, docs/FORMATS.md 6, docs/PROTOCOL.md (evidence). Depends on:
 * audit/{sealed,evidence_entries}.
 *
 * Ciphertext: XChaCha20-Poly1305 under a one-time key, associated data "assay/evidence/v1" NUL ‖ channel[32] ‖
 * case[16]: nonce[24] ‖ box( salt[32] ‖ raw )                    salt all zero for a plain commitment The answer entry
 * commits to hash and size of the ciphertext, to the recipient and to the one-time key; the key travels in a bound box
 * (audit/sealed.h). So once the key is disclosed, by either side, anybody can see what was answered, to whom, and that
 * the recipient could open it. */
#ifndef AUDIT_EVIDENCE_H
#define AUDIT_EVIDENCE_H

#include "audit/evidence_entries.h"

enum { EVIDENCE_CIPHER_OVERHEAD = 24 + 32 + 16, EVIDENCE_CIPHER_MAX = VAULT_RAW_MAX + EVIDENCE_CIPHER_OVERHEAD };

/* --- asking --- */
struct evidence_party {
    struct slice node;
    uint8_t box[SEALED_KEY_SIZE]; /* the node's box public key */
};
struct evidence_ask {
    struct slice asker_org, by;
    struct evidence_party asker, to;
    uint64_t entry;     /* number of the record or dead letter */
    struct slice bytes; /* its entry bytes: leaf, raw hash and commitment are taken from them */
    int64_t deadline;
    const struct slice *objects; /* sealed: names, may be none */
    uint32_t object_count;
    struct slice reason; /* sealed */
};
/* Appends the entry; case_id is drawn at random. NOT_ALLOWED: the entry is no record and no dead letter. */
enum err_code evidence_ask(const struct evidence_ask *in, uint8_t case_id[EVIDENCE_CASE_SIZE], struct buf *entry,
                           struct err *e) ERR_CHECKED;
/* Opens our sealed part; *out borrows from plain (cleared first), its list lives in `a`. NOT_FOUND: none is for us.
 * BAD_SIGNATURE: does not open. MISMATCH: of another case. */
enum err_code evidence_unseal(const struct evidence_request *r, struct slice own_node, const struct sealed_pair *own,
                              struct buf *plain, struct arena *a, struct evidence_sealed *out,
                              struct err *e) ERR_CHECKED;

/* --- answering --- */
struct evidence_give {
    const struct digest *channel;
    const struct evidence_request *request;
    uint64_t request_number;
    uint8_t recipient_box[SEALED_KEY_SIZE]; /* box public key of request->asker */
    uint8_t own_box[SEALED_KEY_SIZE];       /* so that we can dispute later */
    enum evidence_status status;
    uint8_t salt[COMMITMENT_SALT_SIZE]; /* with EVIDENCE_SENT: zero for a plain commitment */
    struct slice raw;                   /* with EVIDENCE_SENT */
    struct slice by, reason;
};
/* Appends the entry; with SENT also the ciphertext, and into key_box_own the one-time key sealed to ourselves (the note
 * to keep in the spool). */
enum err_code evidence_give(const struct evidence_give *in, struct buf *ciphertext,
                            uint8_t key_box_own[SEALED_BOUND_SIZE], struct buf *entry, struct err *e) ERR_CHECKED;
/* What an honest node answers to what its vault said. */
enum evidence_status evidence_status_of(enum vault_state s);

/* --- judging --- */
struct evidence_judge {
    const struct digest *channel;
    const struct evidence_request *request;
    uint64_t request_number;
    const struct evidence_answer *answer; /* NULL: none came */
    uint64_t answer_number;
    int64_t answer_time;     /* of its block */
    int64_t now;             /* block time of the tip */
    struct slice ciphertext; /* absent: it was not delivered */
    const struct sealed_pair *own;
};
struct evidence_judgement {
    enum evidence_verdict verdict;
    struct digest checked; /* with VERIFIED and MISMATCH */
    bool late;             /* the answer came after the deadline, whatever its content */
    struct slice raw;      /* VERIFIED and MISMATCH: the log, borrowed from the plain buffer */
    uint8_t salt[COMMITMENT_SALT_SIZE];
    bool has_key;
    uint8_t key[EVIDENCE_KEY_SIZE]; /* to disclose in a dispute */
    char words[256];                /* what was found, without content */
};
/* The asker's verdict. plain is cleared first. BUSY: no answer yet and the deadline not passed, or an answer whose
 * ciphertext is still awaited. MISMATCH: the answer is of another request. */
enum err_code evidence_judge(const struct evidence_judge *in, struct buf *plain, struct evidence_judgement *out,
                             struct err *e) ERR_CHECKED;
/* Appends the VERDICT entry of a judgement. */
enum err_code evidence_rule(const struct evidence_judge *in, const struct evidence_judgement *j, struct slice by,
                            struct buf *entry, struct err *e) ERR_CHECKED;
/* Appends a DISPUTE entry; key NULL when none was used. */
enum err_code evidence_contest(const uint8_t case_id[EVIDENCE_CASE_SIZE], uint64_t verdict_number,
                               const uint8_t key[EVIDENCE_KEY_SIZE], struct slice by, struct slice statement,
                               struct buf *entry, struct err *e) ERR_CHECKED;

/* --- shared with adjudication --- */
struct digest evidence_key_commit(const uint8_t key[EVIDENCE_KEY_SIZE]);
/* Plain text of a ciphertext under a known key: salt and raw, borrowed from plain (cleared first). False: does not
 * open. Memory failures are plain's. */
bool evidence_decrypt(const struct digest *channel, const uint8_t case_id[EVIDENCE_CASE_SIZE],
                      const uint8_t key[EVIDENCE_KEY_SIZE], struct slice ciphertext, struct buf *plain,
                      uint8_t salt[COMMITMENT_SALT_SIZE], struct slice *raw);

#endif
