/* node/service_doc.c -- see service_doc.h. */
#include "node/service_doc.h"

#define FIELD(type_, key_, schema_)                                                                                    \
    .key = #key_, .type = schema_, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct type_, key_)
#define TEXT(type_, key_, max_)                                                                                        \
    { FIELD(type_, key_, SCHEMA_STR), .max = (max_) }
#define NUMBER(type_, key_)                                                                                            \
    { FIELD(type_, key_, SCHEMA_U64) }
#define TIME(type_, key_)                                                                                              \
    { FIELD(type_, key_, SCHEMA_I64) }
#define FLAG(type_, key_)                                                                                              \
    { FIELD(type_, key_, SCHEMA_BOOL) }
#define BYTES(type_, key_, size_)                                                                                      \
    { FIELD(type_, key_, SCHEMA_FIXED), .max = (size_) }
#define WORD(type_, key_, names_)                                                                                      \
    { FIELD(type_, key_, SCHEMA_ENUM), .names = (names_) }
#define LIST(type_, key_, max_, sub_)                                                                                  \
    { FIELD(type_, key_, SCHEMA_LIST), .max = (max_), .sub = &(sub_) }

/* clang-format off */
static const struct schema_field publish_fields[] = {
    TEXT(service_publish, by, EVIDENCE_BY),
    TEXT(service_publish, channel, LIMIT_NAME),
    {.key = "definition", .type = SCHEMA_BIN, .offset = offsetof(struct service_publish, definition), .min = 1, .max = LIMIT_ENTRY},
};
static const struct schema_field standard_ask_fields[] = {
    TEXT(service_standard_ask, channel, LIMIT_NAME),
    TEXT(service_standard_ask, id, STANDARD_ID),
    WORD(service_standard_ask, kind, standard_kind_names),
    TEXT(service_standard_ask, version, 32),
};
static const struct schema_field standard_fields[] = {
    {FIELD(service_standard, acked, SCHEMA_STRS), .max = LIMIT_MEMBERS, .item_max = LIMIT_NAME},
    TIME(service_standard, acts_from),
    TEXT(service_standard, channel, LIMIT_NAME),
    {FIELD(service_standard, definition, SCHEMA_RAW), .max = LIMIT_ENTRY},
    FLAG(service_standard, from_parent),
    TIME(service_standard, grace_ms),
    BYTES(service_standard, hash, DIGEST_SIZE),
    TEXT(service_standard, id, STANDARD_ID),
    TEXT(service_standard, issuer, LIMIT_NAME),
    WORD(service_standard, kind, standard_kind_names),
    TEXT(service_standard, life, 32),
    NUMBER(service_standard, members),
    WORD(service_standard, mode, standard_mode_names),
    NUMBER(service_standard, number),
    TIME(service_standard, published),
    TEXT(service_standard, title, 256),
    TEXT(service_standard, version, 32),
};
const struct schema service_standard_schema = SCHEMA_OF("standard", struct service_standard, standard_fields);
static const struct schema_field standards_fields[] = {
    LIST(service_standards, standards, SERVICE_DOC_LIST, service_standard_schema),
};
static const struct schema_field committed_fields[] = {
    TEXT(service_committed, channel, LIMIT_NAME),
    BYTES(service_committed, hash, DIGEST_SIZE),
    NUMBER(service_committed, height),
    NUMBER(service_committed, number),
};
static const struct schema_field request_fields[] = {
    TEXT(service_request, by, EVIDENCE_BY),
    TEXT(service_request, channel, LIMIT_NAME),
    NUMBER(service_request, deadline_ms),
    NUMBER(service_request, entry),
    FLAG(service_request, has_entry),
    {FIELD(service_request, objects, SCHEMA_STRS), .max = EVIDENCE_OBJECTS, .item_max = RECORD_NAME},
    TEXT(service_request, reason, EVIDENCE_TEXT),
    TEXT(service_request, to, LIMIT_NAME),
    BYTES(service_request, uid, RECORD_UID_SIZE),
    NUMBER(service_request, wait_ms),
};
static const struct schema_field case_ask_fields[] = {
    TEXT(service_case_ask, by, EVIDENCE_BY),
    BYTES(service_case_ask, case_id, EVIDENCE_CASE_SIZE),
    TEXT(service_case_ask, channel, LIMIT_NAME),
    FLAG(service_case_ask, disclose),
    TEXT(service_case_ask, statement, EVIDENCE_TEXT),
    FLAG(service_case_ask, with_raw),
};
static const struct schema_field case_fields[] = {
    NUMBER(service_case, answer),
    TIME(service_case, answered_at),
    TIME(service_case, asked_at),
    TEXT(service_case, asker, LIMIT_NAME),
    TEXT(service_case, by, EVIDENCE_BY),
    BYTES(service_case, case_id, EVIDENCE_CASE_SIZE),
    TEXT(service_case, channel, LIMIT_NAME),
    BYTES(service_case, checked, DIGEST_SIZE),
    TIME(service_case, deadline),
    NUMBER(service_case, dispute),
    NUMBER(service_case, entry),
    TIME(service_case, judged_at),
    TEXT(service_case, judged_now, 32),
    FLAG(service_case, late),
    WORD(service_case, outcome, evidence_outcome_names),
    {FIELD(service_case, raw, SCHEMA_BIN), .max = SERVICE_DOC_RAW},
    WORD(service_case, raw_commit, record_commitment_names),
    BYTES(service_case, raw_hash, DIGEST_SIZE),
    TEXT(service_case, reason, EVIDENCE_TEXT),
    NUMBER(service_case, request),
    BYTES(service_case, salt, COMMITMENT_SALT_SIZE),
    TEXT(service_case, state, 32),
    WORD(service_case, status, evidence_status_names),
    TEXT(service_case, to, LIMIT_NAME),
    WORD(service_case, verdict, evidence_verdict_names),
    NUMBER(service_case, verdict_entry),
    TEXT(service_case, words, EVIDENCE_TEXT),
};
const struct schema service_case_schema = SCHEMA_OF("case", struct service_case, case_fields);
static const struct schema_field cases_fields[] = {
    LIST(service_cases, cases, SERVICE_DOC_LIST, service_case_schema),
};
static const struct schema_field export_fields[] = {
    {FIELD(service_export, file, SCHEMA_BIN), .max = LIMIT_MESSAGE},
};
static const struct schema_field finding_fields[] = {
    TEXT(service_finding, by, EVIDENCE_BY),
    BYTES(service_finding, case_id, EVIDENCE_CASE_SIZE),
    TEXT(service_finding, channel, LIMIT_NAME),
    TEXT(service_finding, engine, 64),
    FLAG(service_finding, has_subject),
    TEXT(service_finding, kind, 64),
    NUMBER(service_finding, number),
    WORD(service_finding, outcome, evidence_outcome_names),
    WORD(service_finding, severity, evidence_severity_names),
    NUMBER(service_finding, subject),
    TEXT(service_finding, text, EVIDENCE_TEXT),
    TIME(service_finding, time),
};
const struct schema service_finding_schema = SCHEMA_OF("finding", struct service_finding, finding_fields);
static const struct schema_field findings_fields[] = {
    LIST(service_findings, findings, SERVICE_DOC_LIST, service_finding_schema),
    FLAG(service_findings, more),
    NUMBER(service_findings, next),
};
static const struct schema_field findings_ask_fields[] = {
    TEXT(service_findings_ask, channel, LIMIT_NAME),
    NUMBER(service_findings_ask, from),
};
/* clang-format on */

const struct schema service_publish_schema = SCHEMA_OF("params", struct service_publish, publish_fields);
const struct schema service_standard_ask_schema = SCHEMA_OF("params", struct service_standard_ask, standard_ask_fields);
const struct schema service_standards_schema = SCHEMA_OF("answer", struct service_standards, standards_fields);
const struct schema service_committed_schema = SCHEMA_OF("answer", struct service_committed, committed_fields);
const struct schema service_request_schema = SCHEMA_OF("params", struct service_request, request_fields);
const struct schema service_case_ask_schema = SCHEMA_OF("params", struct service_case_ask, case_ask_fields);
const struct schema service_cases_schema = SCHEMA_OF("answer", struct service_cases, cases_fields);
const struct schema service_export_schema = SCHEMA_OF("answer", struct service_export, export_fields);
const struct schema service_findings_schema = SCHEMA_OF("answer", struct service_findings, findings_fields);
const struct schema service_findings_ask_schema = SCHEMA_OF("params", struct service_findings_ask, findings_ask_fields);
