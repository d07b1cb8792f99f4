/* audit/standard.h -- a standard: a signed rule that governs records.
 * Owns: the body of STANDARD and ACKNOWLEDGEMENT entries, the bodies by kind, the parsed and compiled form.
 * Depends on: wire/, ledger/entry.h, audit/match.h, vocab.h, classify.h. Source: docs/FORMATS.md 4,
 * docs/PROTOCOL.md 11.1.
 *
 * A STANDARD entry does one of four things to the version (kind, id, version):
 *   publish   carries the whole definition          suspend, resume, revoke   carry only who, what and why
 * The hash that records cite is SHA-256("assay/standard/v1" NUL ‖ definition), the definition being the canonical map
 * {body, effective_from, grace_ms, id, kind, mode, supersedes, title, version} with empty values absent: what was
 * authored, without who published it (issuer, by, nonce, action, reason). So `lint` prints the hash before publication.
 *
 * Kinds with a meaning here: ext_std, op_class, type_vocab, report_format. The other five of FORMATS 4 are known by
 * name and refused as UNSUPPORTED: a body that was committed unchecked could never be trusted later. */
#ifndef AUDIT_STANDARD_H
#define AUDIT_STANDARD_H

#include "audit/match.h"
#include "audit/semver.h"
#include "ledger/entry.h"
#include "wire/limits.h"

enum {
    STANDARD_ID = 64,
    STANDARD_FIELDS = 64,     /* of one element; of a report format */
    STANDARD_ELEMENTS = 64,   /* of one ext_std */
    STANDARD_ENUM = 256,      /* values of one field */
    STANDARD_CLASSES = 1024,  /* of one op_class */
    STANDARD_RULES = 1024,    /* map rules of one op_class */
    STANDARD_TYPES = 1024,    /* of one type_vocab */
    STANDARD_ALIASES = 64,    /* of one type */
    STANDARD_ARENA = 24 << 20 /* bytes of one parsed standard, compiled patterns included; no entry can need more */
};
#define STANDARD_GRACE_MS_MAX (366ULL * 86400000ULL)
#define STANDARD_UNCLASSIFIED "unclassified"
enum { STANDARD_ACTIVITY_OTHER = 99 };

enum standard_kind {
    STANDARD_EXT = 1,
    STANDARD_OP_CLASS,
    STANDARD_VOCAB,
    STANDARD_REPORT,
    STANDARD_PROTECT_POLICY, /* from here on: UNSUPPORTED */
    STANDARD_PROCESS_MODEL,
    STANDARD_PROV_RULES,
    STANDARD_RISK_KB,
    STANDARD_WATCHLIST,
    STANDARD_KINDS
};
enum standard_action { STANDARD_PUBLISH = 1, STANDARD_SUSPEND, STANDARD_RESUME, STANDARD_REVOKE };
enum standard_mode { STANDARD_ENFORCE = 1, STANDARD_FLAG };
enum standard_type {
    STANDARD_T_STR = 1,
    STANDARD_T_INT,
    STANDARD_T_DEC,
    STANDARD_T_DATE,
    STANDARD_T_BOOL,
    STANDARD_T_ENUM,
    STANDARD_T_REF
};
enum standard_protect {
    STANDARD_P_NONE = 1,
    STANDARD_P_MASK,
    STANDARD_P_ENCRYPT,
    STANDARD_P_REMOVE
}; /* by strictness */
enum standard_pii { STANDARD_C1 = 1, STANDARD_C2, STANDARD_C3 };

extern const char *const standard_kind_names[], *const standard_action_names[], *const standard_mode_names[],
                                                                                    *const standard_type_names[],
                                                                                        *const standard_protect_names[],
                                                                                            *const standard_pii_names[];

/* Body of a STANDARD entry. */
struct standard_entry {
    uint32_t action;
    struct slice body;      /* RAW, publish only: canonical map by kind */
    struct slice by;        /* the person, 1..64 */
    int64_t effective_from; /* ms UTC; publish only */
    uint64_t grace_ms;      /* how long after it acts what was valid before it is still accepted */
    struct slice id;
    struct slice issuer; /* node id; must be the submitter's */
    uint32_t kind;
    uint32_t mode; /* publish only */
    uint8_t nonce[16];
    struct slice reason;     /* str <= 256; required by suspend, resume, revoke */
    struct slice supersedes; /* version; absent for the first */
    struct slice title;      /* str <= 256, any language; publish only */
    struct slice version;
};

/* What was authored: the part of the entry that the hash covers. */
struct standard_doc {
    struct slice body;
    int64_t effective_from;
    uint64_t grace_ms;
    struct slice id;
    uint32_t kind;
    uint32_t mode;
    struct slice supersedes, title, version;
};

/* Body of an ACKNOWLEDGEMENT entry: this node has fetched that standard and applies it. */
struct standard_ack {
    struct slice by; /* optional: a node acknowledges by itself */
    uint8_t hash[DIGEST_SIZE];
    struct slice node;
    uint8_t nonce[16];
};

/* ext_std: {elements: [{element, fields: [...]}]} */
struct standard_field {
    struct schema_list values; /* STRS: of an enum */
    struct slice label, label_en;
    uint64_t max; /* characters; 0: only the record's own limit */
    struct slice name;
    uint32_t pii, protect; /* absent: none */
    struct slice regex;
    bool required;
    struct slice source_hint; /* for the door: where to find it in the raw log */
    uint32_t type;
    const struct match *match; /* compiled; not in the document */
};
struct standard_element {
    struct slice element; /* "actor", "object:<type>", "object:*", "op", "time" */
    struct schema_list fields;
};
struct standard_ext {
    struct schema_list elements;
};

/* op_class: {default, map: [...], tree: [...]} */
struct standard_class {
    uint64_t activity_id; /* OCSF; absent is 0: unknown */
    struct slice id, label, label_en, parent;
    uint64_t severity; /* 0..6, OCSF */
};
struct standard_rule {
    struct slice class_id;
    uint32_t match; /* enum match_kind */
    struct slice pattern, server, service;
};
struct standard_op_class {
    struct slice default_class; /* absent: unclassified */
    struct schema_list map, tree;
};

/* type_vocab: {closed, types: [{aliases, label, label_en, name}]} */
struct standard_vocab_type {
    struct schema_list aliases; /* STRS */
    struct slice label, label_en, name;
};
struct standard_vocab {
    bool closed; /* a type that is not listed is refused */
    struct schema_list types;
};

/* report_format: {fields: [{label, label_en, max, name, path, required}]}: the summary that a record must offer.
 * path: actor.name, actor.type, objects, op.raw, op.class_id, op.class_label, op.note, op.activity_id, op.status_id,
 * time, time_end, server, service, org_unit, log_kind, raw_hash, custom.<key>, actor.ext.<key>. */
struct standard_report_field {
    struct slice label, label_en;
    uint64_t max;
    struct slice name, path;
    bool required;
};
struct standard_report {
    struct schema_list fields;
};

extern const struct schema standard_entry_schema, standard_doc_schema, standard_ack_schema, standard_ext_schema,
    standard_op_class_schema, standard_vocab_schema, standard_report_schema;
/* The schema of a kind's body; NULL for a kind that is not supported. */
const struct schema *standard_body_schema(uint32_t kind);

struct classify; /* audit/classify.h */
struct vocab;    /* audit/vocab.h */

union standard_body {
    struct standard_ext ext;
    struct standard_op_class op_class;
    struct standard_vocab vocab;
    struct standard_report report;
};

/* Where mistakes are told: `at` is the path in the document ("body.map[3].pattern"). All are told, not only the first.
 */
struct standard_problems {
    void (*tell)(void *ctx, const char *at, const char *text);
    void *ctx;
    size_t count;
};
/* Tells one; problems may be NULL. Returns err_set(e, code, "at: text") for the first, code for the others. */
enum err_code standard_problem(struct standard_problems *problems, struct err *e, enum err_code code, const char *at,
                               const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* A published standard, parsed and compiled; owns its bytes; immutable, shared by reference between threads. */
struct standard {
    struct standard_entry head; /* borrows from own bytes */
    union standard_body body;
    const struct classify *classify; /* STANDARD_OP_CLASS */
    const struct vocab *vocab;       /* STANDARD_VOCAB */
    struct digest hash;
    struct slice bytes;  /* the entry's body */
    struct arena *arena; /* private */
    _Atomic uint32_t *refs;
};

/* Head only, and the rules that one entry can be checked by alone (texts, versions, which fields an action carries).
 * Slices borrow from `body`. MALFORMED, UNSUPPORTED. */
enum err_code standard_read_entry(struct slice body, struct arena *a, struct standard_entry *out,
                                  struct err *e) ERR_CHECKED;
/* A publish entry, whole: head, body by kind, patterns compiled, and every lint rule that needs no other standard.
 * The caller owns one reference. */
enum err_code standard_read(struct slice body, const struct standard **out, struct err *e) ERR_CHECKED;
const struct standard *standard_retain(const struct standard *s);
void standard_release(const struct standard *s); /* NULL is fine */

/* The rules that the authored part can be checked by alone. Tells all mistakes. */
enum err_code standard_check_doc(const struct standard_doc *doc, struct standard_problems *problems,
                                 struct err *e) ERR_CHECKED;
/* The authored part of a publish entry, and its hash. */
struct standard_doc standard_doc_of(const struct standard_entry *head);
enum err_code standard_hash(const struct standard_doc *doc, struct digest *out, struct err *e) ERR_CHECKED;

#endif
