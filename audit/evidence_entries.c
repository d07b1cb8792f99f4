/* audit/evidence_entries.c -- see evidence_entries.h. */
#include "audit/evidence_entries.h"

#include "wire/limits.h"

#include <sodium.h>

const char *const evidence_status_names[] = {NULL, "sent", "damaged", "missing", "refused", "erased", NULL};
const char *const evidence_verdict_names[] = {NULL,   "verified", "mismatch", "damaged", "missing",
                                              "late", "refused",  "erased",   NULL};
const char *const evidence_outcome_names[] = {NULL,           "verdict-stands", "verdict-false",
                                              "answer-false", "undecided",      NULL};
const char *const evidence_severity_names[] = {NULL, "info", "low", "medium", "high", "critical", NULL};
const char *const evidence_erase_names[] = {NULL, "raw", "salt", "both", NULL};

#define AT(type, member) .offset = offsetof(struct type, member)
#define OPTIONAL         .flags = SCHEMA_OPTIONAL
#define BY(type_)                                                                                                      \
    { .key = "by", .type = SCHEMA_STR, AT(type_, by), .min = 1, .max = EVIDENCE_BY }
#define CASE(type_)                                                                                                    \
    { .key = "case_id", .type = SCHEMA_FIXED, AT(type_, case_id), .max = EVIDENCE_CASE_SIZE }
#define NONCE(type_)                                                                                                   \
    { .key = "nonce", .type = SCHEMA_FIXED, AT(type_, nonce), .max = EVIDENCE_NONCE_SIZE }
#define NODE(type_, key_)                                                                                              \
    { .key = #key_, .type = SCHEMA_STR, AT(type_, key_), .min = 1, .max = LIMIT_NAME }
#define NUMBER(type_, key_)                                                                                            \
    { .key = #key_, .type = SCHEMA_U64, AT(type_, key_), .min = 1 }

static const struct schema_field part_fields[] = {
    {.key = "box", .type = SCHEMA_BIN, AT(evidence_part, box), .min = SEALED_OVERHEAD + 1, .max = EVIDENCE_BOX},
    NODE(evidence_part, node),
};
static const struct schema part_schema = SCHEMA_OF("sealed", struct evidence_part, part_fields);

static const struct schema_field sealed_fields[] = {
    CASE(evidence_sealed),
    {.key = "objects",
     .type = SCHEMA_STRS,
     OPTIONAL,
     AT(evidence_sealed, objects),
     .max = EVIDENCE_OBJECTS,
     .item_max = RECORD_NAME},
    {.key = "reason", .type = SCHEMA_STR, AT(evidence_sealed, reason), .min = 1, .max = EVIDENCE_TEXT},
};
const struct schema evidence_sealed_schema = SCHEMA_OF("sealed part", struct evidence_sealed, sealed_fields);

static const struct schema_field request_fields[] = {
    NODE(evidence_request, asker),
    NODE(evidence_request, asker_org),
    BY(evidence_request),
    CASE(evidence_request),
    {.key = "deadline", .type = SCHEMA_I64, AT(evidence_request, deadline)},
    {.key = "entry", .type = SCHEMA_U64, OPTIONAL, AT(evidence_request, entry)},
    {.key = "leaf", .type = SCHEMA_FIXED, AT(evidence_request, leaf), .max = DIGEST_SIZE},
    NONCE(evidence_request),
    {.key = "raw_commit", .type = SCHEMA_ENUM, AT(evidence_request, raw_commit), .names = record_commitment_names},
    {.key = "raw_hash", .type = SCHEMA_FIXED, AT(evidence_request, raw_hash), .max = DIGEST_SIZE},
    {.key = "sealed",
     .type = SCHEMA_LIST,
     AT(evidence_request, sealed),
     .min = 1,
     .max = EVIDENCE_PARTIES,
     .sub = &part_schema},
    NODE(evidence_request, to),
};
const struct schema evidence_request_schema = SCHEMA_OF("evidence request", struct evidence_request, request_fields);

static const struct schema_field answer_fields[] = {
    BY(evidence_answer),
    CASE(evidence_answer),
    {.key = "cipher_hash", .type = SCHEMA_FIXED, OPTIONAL, AT(evidence_answer, cipher_hash), .max = DIGEST_SIZE},
    {.key = "cipher_size", .type = SCHEMA_U64, OPTIONAL, AT(evidence_answer, cipher_size)},
    {.key = "key_box", .type = SCHEMA_FIXED, OPTIONAL, AT(evidence_answer, key_box), .max = SEALED_BOUND_SIZE},
    {.key = "key_commit", .type = SCHEMA_FIXED, OPTIONAL, AT(evidence_answer, key_commit), .max = DIGEST_SIZE},
    NONCE(evidence_answer),
    {.key = "reason", .type = SCHEMA_STR, OPTIONAL, AT(evidence_answer, reason), .max = EVIDENCE_TEXT},
    NODE(evidence_answer, recipient),
    NUMBER(evidence_answer, request),
    {.key = "status", .type = SCHEMA_ENUM, AT(evidence_answer, status), .names = evidence_status_names},
};
const struct schema evidence_answer_schema = SCHEMA_OF("evidence answer", struct evidence_answer, answer_fields);

static const struct schema_field ruling_fields[] = {
    {.key = "answer", .type = SCHEMA_U64, OPTIONAL, AT(evidence_ruling, answer)},
    BY(evidence_ruling),
    CASE(evidence_ruling),
    {.key = "checked", .type = SCHEMA_FIXED, OPTIONAL, AT(evidence_ruling, checked), .max = DIGEST_SIZE},
    NONCE(evidence_ruling),
    NUMBER(evidence_ruling, request),
    {.key = "verdict", .type = SCHEMA_ENUM, AT(evidence_ruling, verdict), .names = evidence_verdict_names},
    {.key = "words", .type = SCHEMA_STR, OPTIONAL, AT(evidence_ruling, words), .max = EVIDENCE_TEXT},
};
const struct schema evidence_ruling_schema = SCHEMA_OF("verdict", struct evidence_ruling, ruling_fields);

static const struct schema_field dispute_fields[] = {
    BY(evidence_dispute),
    CASE(evidence_dispute),
    {.key = "key", .type = SCHEMA_FIXED, OPTIONAL, AT(evidence_dispute, key), .max = EVIDENCE_KEY_SIZE},
    NONCE(evidence_dispute),
    {.key = "statement", .type = SCHEMA_STR, AT(evidence_dispute, statement), .min = 1, .max = EVIDENCE_TEXT},
    NUMBER(evidence_dispute, verdict),
};
const struct schema evidence_dispute_schema = SCHEMA_OF("dispute", struct evidence_dispute, dispute_fields);

static const struct schema_field subject_fields[] = {
    {.key = "entry", .type = SCHEMA_U64, OPTIONAL, AT(finding_subject, entry)},
    {.key = "leaf", .type = SCHEMA_FIXED, AT(finding_subject, leaf), .max = DIGEST_SIZE},
};
static const struct schema subject_schema = SCHEMA_OF("subject", struct finding_subject, subject_fields);

static const struct schema_field finding_fields[] = {
    BY(finding),
    {.key = "case_id", .type = SCHEMA_FIXED, OPTIONAL, AT(finding, case_id), .max = EVIDENCE_CASE_SIZE},
    {.key = "engine", .type = SCHEMA_STR, OPTIONAL, AT(finding, engine), .max = 64},
    {.key = "kind", .type = SCHEMA_STR, AT(finding, kind), .min = 1, .max = 64},
    NONCE(finding),
    {.key = "outcome", .type = SCHEMA_ENUM, OPTIONAL, AT(finding, outcome), .names = evidence_outcome_names},
    {.key = "severity", .type = SCHEMA_ENUM, AT(finding, severity), .names = evidence_severity_names},
    {.key = "subjects",
     .type = SCHEMA_LIST,
     OPTIONAL,
     AT(finding, subjects),
     .max = EVIDENCE_SUBJECTS,
     .sub = &subject_schema},
    {.key = "text", .type = SCHEMA_STR, AT(finding, text), .min = 1, .max = EVIDENCE_TEXT},
    {.key = "time", .type = SCHEMA_I64, AT(finding, time)},
};
const struct schema finding_schema = SCHEMA_OF("finding", struct finding, finding_fields);

static const struct schema_field erasure_fields[] = {
    BY(erasure),
    {.key = "entry", .type = SCHEMA_U64, OPTIONAL, AT(erasure, entry)},
    NONCE(erasure),
    {.key = "raw_hash", .type = SCHEMA_FIXED, AT(erasure, raw_hash), .max = DIGEST_SIZE},
    {.key = "reason", .type = SCHEMA_STR, AT(erasure, reason), .min = 1, .max = VAULT_REASON_MAX},
    {.key = "time", .type = SCHEMA_I64, AT(erasure, time)},
    {.key = "what", .type = SCHEMA_ENUM, AT(erasure, what), .names = evidence_erase_names},
};
const struct schema erasure_schema = SCHEMA_OF("erasure", struct erasure, erasure_fields);

static const struct schema *evidence_entry_schema(enum entry_kind kind) {
    static const struct {
        enum entry_kind kind;
        const struct schema *schema;
    } all[] = {{ENTRY_EVIDENCE_REQUEST, &evidence_request_schema},
               {ENTRY_EVIDENCE_ANSWER, &evidence_answer_schema},
               {ENTRY_VERDICT, &evidence_ruling_schema},
               {ENTRY_DISPUTE, &evidence_dispute_schema},
               {ENTRY_FINDING, &finding_schema},
               {ENTRY_ERASURE, &erasure_schema}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].kind == kind)
            return all[i].schema;
    return NULL;
}

bool evidence_entry_kind(enum entry_kind kind) {
    return evidence_entry_schema(kind) != NULL;
}

/* ---- rules between fields ---- */

static bool zero(const uint8_t *p, size_t len) {
    return sodium_is_zero(p, len) == 1;
}

static enum err_code evidence_check_answer(const struct evidence_answer *a, struct err *e) {
    bool has[] = {!zero(a->cipher_hash, DIGEST_SIZE), a->cipher_size != 0, !zero(a->key_box, SEALED_BOUND_SIZE),
                  !zero(a->key_commit, DIGEST_SIZE)};
    for (size_t i = 0; i < sizeof has; i++)
        if (has[i] != (a->status == EVIDENCE_SENT))
            return err_set(e, ERR_MALFORMED, "an answer \"%s\" %s ciphertext and key", evidence_status_names[a->status],
                           has[i] ? "has no place for" : "must name its");
    if (a->status == EVIDENCE_REFUSED && a->reason.len == 0)
        return err_set(e, ERR_MALFORMED, "a refusal must give its reason");
    return ERR_OK;
}

static enum err_code evidence_check_ruling(const struct evidence_ruling *r, struct err *e) {
    bool opened = r->verdict == EVIDENCE_VERDICT_VERIFIED || r->verdict == EVIDENCE_VERDICT_MISMATCH;
    if (opened == zero(r->checked, DIGEST_SIZE))
        return err_set(e, ERR_MALFORMED, "verdict \"%s\" %s the hash that was computed",
                       evidence_verdict_names[r->verdict], opened ? "must name" : "has no place for");
    if (r->answer == 0 && r->verdict != EVIDENCE_VERDICT_LATE)
        return err_set(e, ERR_MALFORMED, "verdict \"%s\" without an answer", evidence_verdict_names[r->verdict]);
    return ERR_OK;
}

static enum err_code evidence_check_finding(const struct finding *f, struct err *e) {
    bool adjudication = slice_eq_str(f->kind, FINDING_ADJUDICATION);
    if (adjudication != (f->outcome != 0))
        return err_set(e, ERR_MALFORMED, "an outcome belongs to an adjudication, and only to one");
    if (adjudication && zero(f->case_id, EVIDENCE_CASE_SIZE))
        return err_set(e, ERR_MALFORMED, "an adjudication must name its case");
    return ERR_OK;
}

static enum err_code evidence_entry_check(const struct evidence_entry *in, struct err *e) {
    if (in->kind == ENTRY_EVIDENCE_ANSWER)
        return evidence_check_answer(&in->u.answer, e);
    if (in->kind == ENTRY_VERDICT)
        return evidence_check_ruling(&in->u.ruling, e);
    if (in->kind == ENTRY_FINDING)
        return evidence_check_finding(&in->u.finding, e);
    return ERR_OK;
}

enum err_code evidence_entry_read(const struct entry *in, struct arena *a, struct evidence_entry *out, struct err *e) {
    const struct schema *schema = evidence_entry_schema(in->kind);
    if (!schema)
        return err_set(e, ERR_UNSUPPORTED, "no evidence entry");
    memset(out, 0, sizeof *out);
    out->kind = in->kind;
    enum err_code c = schema_read(schema, in->body, a, &out->u, e);
    return c ? c : evidence_entry_check(out, e);
}

enum err_code evidence_entry_write(const struct evidence_entry *in, struct buf *out, struct err *e) {
    const struct schema *schema = evidence_entry_schema(in->kind);
    if (!schema)
        return err_set(e, ERR_UNSUPPORTED, "no evidence entry");
    enum err_code c = schema_check(schema, &in->u, e);
    if (!c)
        c = evidence_entry_check(in, e);
    if (c)
        return c;
    size_t before = out->len;
    entry_write(in->kind, schema, &in->u, out);
    c = buf_check(out, e);
    if (!c && out->len - before > LIMIT_ENTRY)
        c = err_set(e, ERR_TOO_LARGE, "%s of %zu bytes", schema->name, out->len - before);
    return c;
}

const uint8_t *evidence_entry_case(const struct evidence_entry *in) {
    if (in->kind == ENTRY_EVIDENCE_REQUEST)
        return in->u.request.case_id;
    if (in->kind == ENTRY_EVIDENCE_ANSWER)
        return in->u.answer.case_id;
    if (in->kind == ENTRY_VERDICT)
        return in->u.ruling.case_id;
    if (in->kind == ENTRY_DISPUTE)
        return in->u.dispute.case_id;
    if (in->kind == ENTRY_FINDING && !zero(in->u.finding.case_id, EVIDENCE_CASE_SIZE))
        return in->u.finding.case_id;
    return NULL;
}

void evidence_random(uint8_t out[EVIDENCE_NONCE_SIZE]) {
    randombytes_buf(out, EVIDENCE_NONCE_SIZE);
}
