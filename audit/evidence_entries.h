/* audit/evidence_entries.h -- bodies of the entries by which evidence is demanded, given, judged and disputed, of
 * findings, and of erasures: their tables. What they mean: audit/evidence.h. Source: docs/FORMATS.md 6, 7.
 * An entry number 0 in an optional place means "none": the entry meant can never be the channel's first. */
#ifndef AUDIT_EVIDENCE_ENTRIES_H
#define AUDIT_EVIDENCE_ENTRIES_H

#include "audit/sealed.h"
#include "ledger/record.h"
#include "ledger/vault.h"

enum {
    EVIDENCE_CASE_SIZE = 16,
    EVIDENCE_NONCE_SIZE = 16,
    EVIDENCE_KEY_SIZE = 32,
    EVIDENCE_BY = 64,
    EVIDENCE_TEXT = 2048,
    EVIDENCE_PARTIES = 8,
    EVIDENCE_BOX = 24 << 10, /* bytes of a sealed part; all parts together must fit an entry */
    EVIDENCE_OBJECTS = 64,   /* names in a sealed part */
    EVIDENCE_SUBJECTS = 64   /* entries that a finding names */
};

/* What the answering node says. Values are permanent. */
enum evidence_status { EVIDENCE_SENT = 1, EVIDENCE_DAMAGED, EVIDENCE_MISSING, EVIDENCE_REFUSED, EVIDENCE_ERASED };
/* What the asker found. */
enum evidence_verdict {
    EVIDENCE_VERDICT_VERIFIED = 1,
    EVIDENCE_VERDICT_MISMATCH,
    EVIDENCE_VERDICT_DAMAGED, /* said so, or what was sent can't be opened */
    EVIDENCE_VERDICT_MISSING, /* said so, or said sent but not delivered */
    EVIDENCE_VERDICT_LATE,
    EVIDENCE_VERDICT_REFUSED,
    EVIDENCE_VERDICT_ERASED
};
/* Of an adjudication. */
enum evidence_outcome {
    EVIDENCE_VERDICT_STANDS = 1,
    EVIDENCE_VERDICT_FALSE, /* the asker's word was wrong: the answer shows otherwise */
    EVIDENCE_ANSWER_FALSE,  /* the answer is not the log that was committed, or not what it says of itself */
    EVIDENCE_UNDECIDED      /* what is needed to decide was not disclosed */
};
enum evidence_severity { EVIDENCE_INFO = 1, EVIDENCE_LOW, EVIDENCE_MEDIUM, EVIDENCE_HIGH, EVIDENCE_CRITICAL };
extern const char *const evidence_status_names[],
    *const evidence_verdict_names[], *const evidence_outcome_names[], *const evidence_severity_names[],
                                                                          *const evidence_erase_names[];

/* Sealed for one party: box opens to a canonical evidence_sealed. */
struct evidence_part {
    struct slice box;
    struct slice node; /* node id */
};
struct evidence_sealed {
    uint8_t case_id[EVIDENCE_CASE_SIZE]; /* so that it can't be moved to another case */
    struct schema_list objects;          /* of struct slice: names */
    struct slice reason;                 /* str 1..EVIDENCE_TEXT */
};

struct evidence_request {
    struct slice asker;     /* node id: receives the answer */
    struct slice asker_org; /* org id */
    struct slice by;        /* the person */
    uint8_t case_id[EVIDENCE_CASE_SIZE];
    int64_t deadline; /* ms: the answer's block is no later */
    uint64_t entry;   /* the record's or dead letter's number */
    uint8_t leaf[DIGEST_SIZE];
    uint8_t nonce[EVIDENCE_NONCE_SIZE];
    uint32_t raw_commit; /* enum record_commitment, as the record says */
    uint8_t raw_hash[DIGEST_SIZE];
    struct schema_list sealed; /* of struct evidence_part, 1..EVIDENCE_PARTIES */
    struct slice to;           /* node id that shall answer */
};

struct evidence_answer {
    struct slice by;
    uint8_t case_id[EVIDENCE_CASE_SIZE];
    uint8_t cipher_hash[DIGEST_SIZE]; /* this and the next three: with EVIDENCE_SENT, and only then */
    uint64_t cipher_size;
    uint8_t key_box[SEALED_BOUND_SIZE];
    uint8_t key_commit[DIGEST_SIZE]; /* SHA-256("assay/evidence-key/v1" NUL ‖ key) */
    uint8_t nonce[EVIDENCE_NONCE_SIZE];
    struct slice reason;    /* mandatory with EVIDENCE_REFUSED */
    struct slice recipient; /* node id */
    uint64_t request;       /* its entry's number */
    uint32_t status;        /* enum evidence_status */
};

struct evidence_ruling { /* body of a VERDICT */
    uint64_t answer;     /* its entry's number; 0: none came */
    struct slice by;
    uint8_t case_id[EVIDENCE_CASE_SIZE];
    uint8_t checked[DIGEST_SIZE]; /* raw hash as computed: with VERIFIED and MISMATCH, and only then */
    uint8_t nonce[EVIDENCE_NONCE_SIZE];
    uint64_t request;
    uint32_t verdict;
    struct slice words; /* what was found, without content */
};

struct evidence_dispute {
    struct slice by;
    uint8_t case_id[EVIDENCE_CASE_SIZE];
    uint8_t key[EVIDENCE_KEY_SIZE]; /* the one-time key, disclosed; absent if none was used */
    uint8_t nonce[EVIDENCE_NONCE_SIZE];
    struct slice statement; /* 1..EVIDENCE_TEXT */
    uint64_t verdict;       /* its entry's number */
};

struct finding_subject {
    uint64_t entry;
    uint8_t leaf[DIGEST_SIZE];
};
struct finding { /* a conclusion by an engine or a person */
    struct slice by;
    uint8_t case_id[EVIDENCE_CASE_SIZE]; /* of an evidence case; absent otherwise */
    struct slice engine;                 /* "conformance 1.0"; absent when a person concluded */
    struct slice kind;                   /* str 1..64: "conformance", "late-evidence", "adjudication" */
    uint8_t nonce[EVIDENCE_NONCE_SIZE];
    uint32_t outcome;            /* enum evidence_outcome; with kind "adjudication", and only then */
    uint32_t severity;           /* enum evidence_severity */
    struct schema_list subjects; /* of struct finding_subject */
    struct slice text;           /* 1..EVIDENCE_TEXT: the conclusion in words */
    int64_t time;
};

struct erasure {
    struct slice by;
    uint64_t entry; /* the record's number */
    uint8_t nonce[EVIDENCE_NONCE_SIZE];
    uint8_t raw_hash[DIGEST_SIZE];
    struct slice reason; /* 1..VAULT_REASON_MAX */
    int64_t time;
    uint32_t what; /* enum vault_erase */
};

#define FINDING_ADJUDICATION "adjudication"

extern const struct schema evidence_sealed_schema, evidence_request_schema, evidence_answer_schema,
    evidence_ruling_schema, evidence_dispute_schema, finding_schema, erasure_schema;

/* One entry of these kinds, read. */
struct evidence_entry {
    enum entry_kind kind;
    union {
        struct evidence_request request;
        struct evidence_answer answer;
        struct evidence_ruling ruling;
        struct evidence_dispute dispute;
        struct finding finding;
        struct erasure erasure;
    } u;
};
bool evidence_entry_kind(enum entry_kind kind); /* is it one of these */
/* Table and the rules between fields that stand above. Slices borrow from the body; lists live in `a`. UNSUPPORTED for
 * other kinds; MALFORMED, TOO_LARGE. */
enum err_code evidence_entry_read(const struct entry *in, struct arena *a, struct evidence_entry *out,
                                  struct err *e) ERR_CHECKED;
/* Checks, then appends the whole entry, envelope included. */
enum err_code evidence_entry_write(const struct evidence_entry *in, struct buf *out, struct err *e) ERR_CHECKED;
/* The case it belongs to; NULL if none. */
const uint8_t *evidence_entry_case(const struct evidence_entry *in);
/* Fills a nonce or case id. */
void evidence_random(uint8_t out[EVIDENCE_NONCE_SIZE]);

#endif
