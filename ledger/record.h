/* ledger/record.h -- what an enterprise reports: the elements of one operation and the hash of its raw log.
 * Also its two companions: the dead letter (a raw log that could not be decoded) and the gap (raw logs that a
 * source says are missing). Source: docs/FORMATS.md 2. All texts UTF-8 in NFC (the door normalises). */
#ifndef LEDGER_RECORD_H
#define LEDGER_RECORD_H

#include "ledger/entry.h"

enum { RECORD_UID_SIZE = 16, RECORD_TOKEN_SIZE = 16, RECORD_OBJECTS = 256, RECORD_NAME = 256, RECORD_VALUE = 512 };

enum record_log_type { RECORD_LOG_STRUCTURED = 1, RECORD_LOG_SQL, RECORD_LOG_TEXT };
enum record_role { RECORD_ROLE_REQUEST = 1, RECORD_ROLE_RESPONSE, RECORD_ROLE_SQL };
enum record_protection { RECORD_REMOVED = 1, RECORD_MASKED, RECORD_PSEUDONYM, RECORD_ENCRYPTED };
enum record_commitment { RECORD_SALTED = 1, RECORD_PLAIN }; /* how raw_hash is made (docs/FORMATS.md 6) */

struct record_source {
    struct slice id; /* str <= 64 */
    uint64_t seq;    /* the source's own running number, from 1 */
};

struct record_actor {
    bool assigned;          /* named by the source's configuration, since the log names none */
    struct schema_list ext; /* DICT <= 32 */
    struct slice name;      /* str 1..256 */
    struct slice type;      /* str 1..32 */
};

struct record_object {
    struct schema_list ext; /* DICT <= 32 */
    struct slice name;      /* str 1..256 */
    uint32_t role;          /* enum record_role */
    struct slice type;      /* str 1..32 */
};

struct record_more { /* objects past the 256th */
    uint64_t count;
    uint8_t root[DIGEST_SIZE]; /* RFC 6962 root over their canonical bytes */
};

struct record_op {
    uint64_t activity_id;     /* OCSF: 99 other */
    struct slice class_id;    /* str <= 32 */
    struct slice class_label; /* str <= 256 */
    struct slice note;        /* str <= 256 */
    struct slice raw;         /* str 1..256: the operation as the log names it */
    uint64_t status_id;       /* OCSF: 1 success, 2 failure, 99 other */
};

struct record_prot {
    uint64_t alg;        /* 1 XChaCha20-Poly1305 */
    struct slice key_id; /* str <= 64 */
    uint32_t how;        /* enum record_protection */
    struct slice path;   /* str 1..128: "actor.name" */
};

struct record_token {
    struct slice path;
    uint8_t token[RECORD_TOKEN_SIZE];
};

struct record_std {
    uint8_t hash[DIGEST_SIZE]; /* of the standard's canonical body */
    struct slice id;           /* str 1..64 */
    struct slice version;      /* semver, str 1..32 */
};

struct record_links {
    struct slice case_id, event_id, process_id; /* str <= 64 */
};

struct record {
    struct record_actor actor;
    struct schema_list bidx;   /* of struct record_token, <= 64 */
    struct schema_list custom; /* DICT <= 32, key <= 48, value <= 512 */
    struct record_links links;
    struct slice log_kind;      /* str <= 64: "internet_app.http_browse" */
    uint32_t log_type;          /* enum record_log_type */
    struct schema_list objects; /* of struct record_object, 1..256 */
    struct record_more objects_more;
    struct record_op op;
    struct slice org_unit;   /* str <= 64 */
    struct schema_list prot; /* of struct record_prot, <= 64 */
    uint32_t raw_commit;     /* enum record_commitment */
    uint8_t raw_hash[DIGEST_SIZE];
    uint64_t raw_size;            /* bytes of the raw log */
    struct slice server, service; /* str <= 64 */
    struct record_source source;
    struct schema_list std;       /* of struct record_std, <= 8: all standards that govern the record */
    int64_t time, time_end;       /* ms since 1970 UTC; time_end 0: absent */
    uint8_t uid[RECORD_UID_SIZE]; /* UUIDv7 */
};

struct dead_letter {
    uint32_t raw_commit;
    uint8_t raw_hash[DIGEST_SIZE];
    uint64_t raw_size;
    struct slice reason; /* str 1..512: why it could not be decoded; holds no byte of the log */
    struct slice server, service;
    struct record_source source;
    uint8_t uid[RECORD_UID_SIZE];
};

struct gap {
    uint64_t first, last; /* source sequence numbers that will not come, both included */
    uint8_t nonce[16];
    struct slice reason; /* str 1..512 */
    struct slice source; /* str 1..64 */
    int64_t time;
};

extern const struct schema record_schema, dead_letter_schema, gap_schema, record_object_schema;
/* What a submitter may leave to the door: uid, raw_hash, raw_commit, log_type, source (node/door.h). */
extern const struct schema record_draft_schema;
extern const char *const record_log_type_names[], *const record_role_names[], *const record_protection_names[],
                                                                                  *const record_commitment_names[];

/* Body of a RECORD entry into *out; lists in `a`, slices borrow. Also refuses a record entry over LIMIT_RECORD. */
enum err_code record_read(struct slice body, struct arena *a, struct record *out, struct err *e) ERR_CHECKED;

#endif
