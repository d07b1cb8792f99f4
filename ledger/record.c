/* ledger/record.c -- see record.h. */
#include "ledger/record.h"

#include "wire/limits.h"

const char *const record_log_type_names[] = {NULL, "structured", "sql", "text", NULL};
const char *const record_role_names[] = {NULL, "request", "response", "sql", NULL};
const char *const record_protection_names[] = {NULL, "removed", "masked", "pseudonym", "encrypted", NULL};
const char *const record_commitment_names[] = {NULL, "salted", "plain", NULL};

#define AT(type, member) .offset = offsetof(struct type, member)
#define OPTIONAL         .flags = SCHEMA_OPTIONAL
#define EXT(type_)                                                                                                     \
    { .key = "ext", .type = SCHEMA_DICT, OPTIONAL, AT(type_, ext), .max = 32, .key_max = 48, .item_max = RECORD_VALUE }

static const struct schema_field source_fields[] = {
    {.key = "id", .type = SCHEMA_STR, AT(record_source, id), .min = 1, .max = 64},
    {.key = "seq", .type = SCHEMA_U64, AT(record_source, seq), .min = 1},
};
static const struct schema source_schema = SCHEMA_OF("source", struct record_source, source_fields);

static const struct schema_field actor_fields[] = {
    {.key = "assigned", .type = SCHEMA_BOOL, OPTIONAL, AT(record_actor, assigned)},
    EXT(record_actor),
    {.key = "name", .type = SCHEMA_STR, AT(record_actor, name), .min = 1, .max = RECORD_NAME},
    {.key = "type", .type = SCHEMA_STR, AT(record_actor, type), .min = 1, .max = 32},
};
static const struct schema actor_schema = SCHEMA_OF("actor", struct record_actor, actor_fields);

static const struct schema_field object_fields[] = {
    EXT(record_object),
    {.key = "name", .type = SCHEMA_STR, AT(record_object, name), .min = 1, .max = RECORD_NAME},
    {.key = "role", .type = SCHEMA_ENUM, AT(record_object, role), .names = record_role_names},
    {.key = "type", .type = SCHEMA_STR, AT(record_object, type), .min = 1, .max = 32},
};
const struct schema record_object_schema = SCHEMA_OF("object", struct record_object, object_fields);

static const struct schema_field more_fields[] = {
    {.key = "count", .type = SCHEMA_U64, OPTIONAL, AT(record_more, count)},
    {.key = "root", .type = SCHEMA_FIXED, OPTIONAL, AT(record_more, root), .max = DIGEST_SIZE},
};
static const struct schema more_schema = SCHEMA_OF("objects_more", struct record_more, more_fields);

static const struct schema_field op_fields[] = {
    {.key = "activity_id", .type = SCHEMA_U64, OPTIONAL, AT(record_op, activity_id), .max = 1000000},
    {.key = "class_id", .type = SCHEMA_STR, OPTIONAL, AT(record_op, class_id), .max = 32},
    {.key = "class_label", .type = SCHEMA_STR, OPTIONAL, AT(record_op, class_label), .max = 256},
    {.key = "note", .type = SCHEMA_STR, OPTIONAL, AT(record_op, note), .max = 256},
    {.key = "raw", .type = SCHEMA_STR, AT(record_op, raw), .min = 1, .max = 256},
    {.key = "status_id", .type = SCHEMA_U64, OPTIONAL, AT(record_op, status_id), .max = 1000000},
};
static const struct schema op_schema = SCHEMA_OF("op", struct record_op, op_fields);

static const struct schema_field prot_fields[] = {
    {.key = "alg", .type = SCHEMA_U64, OPTIONAL, AT(record_prot, alg), .max = 255},
    {.key = "how", .type = SCHEMA_ENUM, AT(record_prot, how), .names = record_protection_names},
    {.key = "key_id", .type = SCHEMA_STR, OPTIONAL, AT(record_prot, key_id), .max = 64},
    {.key = "path", .type = SCHEMA_STR, AT(record_prot, path), .min = 1, .max = 128},
};
static const struct schema prot_schema = SCHEMA_OF("prot", struct record_prot, prot_fields);

static const struct schema_field token_fields[] = {
    {.key = "path", .type = SCHEMA_STR, AT(record_token, path), .min = 1, .max = 128},
    {.key = "token", .type = SCHEMA_FIXED, AT(record_token, token), .max = RECORD_TOKEN_SIZE},
};
static const struct schema token_schema = SCHEMA_OF("bidx", struct record_token, token_fields);

static const struct schema_field std_fields[] = {
    {.key = "hash", .type = SCHEMA_FIXED, AT(record_std, hash), .max = DIGEST_SIZE},
    {.key = "id", .type = SCHEMA_STR, AT(record_std, id), .min = 1, .max = 64},
    {.key = "version", .type = SCHEMA_STR, AT(record_std, version), .min = 1, .max = 32},
};
static const struct schema std_schema = SCHEMA_OF("std", struct record_std, std_fields);

static const struct schema_field links_fields[] = {
    {.key = "case_id", .type = SCHEMA_STR, OPTIONAL, AT(record_links, case_id), .max = 64},
    {.key = "event_id", .type = SCHEMA_STR, OPTIONAL, AT(record_links, event_id), .max = 64},
    {.key = "process_id", .type = SCHEMA_STR, OPTIONAL, AT(record_links, process_id), .max = 64},
};
static const struct schema links_schema = SCHEMA_OF("links", struct record_links, links_fields);

/* A draft lacks what the door fills in: door_fills is SCHEMA_OPTIONAL there, 0 in what is committed. */
#define RECORD_FIELDS(door_fills, source_sub)                                                                          \
    {.key = "actor", .type = SCHEMA_MAP, AT(record, actor), .sub = &actor_schema},                                     \
        {.key = "bidx", .type = SCHEMA_LIST, OPTIONAL, AT(record, bidx), .max = 64, .sub = &token_schema},             \
        {.key = "custom",                                                                                              \
         .type = SCHEMA_DICT,                                                                                          \
         OPTIONAL,                                                                                                     \
         AT(record, custom),                                                                                           \
         .max = 32,                                                                                                    \
         .key_max = 48,                                                                                                \
         .item_max = RECORD_VALUE},                                                                                    \
        {.key = "links", .type = SCHEMA_MAP, OPTIONAL, AT(record, links), .sub = &links_schema},                       \
        {.key = "log_kind", .type = SCHEMA_STR, OPTIONAL, AT(record, log_kind), .max = 64},                            \
        {.key = "log_type",                                                                                            \
         .type = SCHEMA_ENUM,                                                                                          \
         .flags = door_fills,                                                                                          \
         AT(record, log_type),                                                                                         \
         .names = record_log_type_names},                                                                              \
        {.key = "objects",                                                                                             \
         .type = SCHEMA_LIST,                                                                                          \
         AT(record, objects),                                                                                          \
         .min = 1,                                                                                                     \
         .max = RECORD_OBJECTS,                                                                                        \
         .sub = &record_object_schema},                                                                                \
        {.key = "objects_more", .type = SCHEMA_MAP, OPTIONAL, AT(record, objects_more), .sub = &more_schema},          \
        {.key = "op", .type = SCHEMA_MAP, AT(record, op), .sub = &op_schema},                                          \
        {.key = "org_unit", .type = SCHEMA_STR, OPTIONAL, AT(record, org_unit), .max = 64},                            \
        {.key = "prot", .type = SCHEMA_LIST, OPTIONAL, AT(record, prot), .max = 64, .sub = &prot_schema},              \
        {.key = "raw_commit",                                                                                          \
         .type = SCHEMA_ENUM,                                                                                          \
         .flags = door_fills,                                                                                          \
         AT(record, raw_commit),                                                                                       \
         .names = record_commitment_names},                                                                            \
        {.key = "raw_hash", .type = SCHEMA_FIXED, .flags = door_fills, AT(record, raw_hash), .max = DIGEST_SIZE},      \
        {.key = "raw_size", .type = SCHEMA_U64, OPTIONAL, AT(record, raw_size)},                                       \
        {.key = "server", .type = SCHEMA_STR, OPTIONAL, AT(record, server), .max = 64},                                \
        {.key = "service", .type = SCHEMA_STR, OPTIONAL, AT(record, service), .max = 64},                              \
        {.key = "source", .type = SCHEMA_MAP, .flags = door_fills, AT(record, source), .sub = &(source_sub)},          \
        {.key = "std", .type = SCHEMA_LIST, OPTIONAL, AT(record, std), .max = 8, .sub = &std_schema},                  \
        {.key = "time", .type = SCHEMA_I64, AT(record, time)},                                                         \
        {.key = "time_end", .type = SCHEMA_I64, OPTIONAL, AT(record, time_end)},                                       \
        {.key = "uid", .type = SCHEMA_FIXED, .flags = door_fills, AT(record, uid), .max = RECORD_UID_SIZE},

static const struct schema_field record_fields[] = {RECORD_FIELDS(0, source_schema)};
const struct schema record_schema = SCHEMA_OF("record", struct record, record_fields);
/* A map may be absent only if all its fields may (wire/schema.h). */
static const struct schema_field draft_source_fields[] = {
    {.key = "id", .type = SCHEMA_STR, OPTIONAL, AT(record_source, id), .max = 64},
    {.key = "seq", .type = SCHEMA_U64, OPTIONAL, AT(record_source, seq)},
};
static const struct schema draft_source_schema = SCHEMA_OF("source", struct record_source, draft_source_fields);
static const struct schema_field draft_fields[] = {RECORD_FIELDS(SCHEMA_OPTIONAL, draft_source_schema)};
const struct schema record_draft_schema = SCHEMA_OF("record", struct record, draft_fields);

static const struct schema_field dead_letter_fields[] = {
    {.key = "raw_commit", .type = SCHEMA_ENUM, AT(dead_letter, raw_commit), .names = record_commitment_names},
    {.key = "raw_hash", .type = SCHEMA_FIXED, AT(dead_letter, raw_hash), .max = DIGEST_SIZE},
    {.key = "raw_size", .type = SCHEMA_U64, OPTIONAL, AT(dead_letter, raw_size)},
    {.key = "reason", .type = SCHEMA_STR, AT(dead_letter, reason), .min = 1, .max = 512},
    {.key = "server", .type = SCHEMA_STR, OPTIONAL, AT(dead_letter, server), .max = 64},
    {.key = "service", .type = SCHEMA_STR, OPTIONAL, AT(dead_letter, service), .max = 64},
    {.key = "source", .type = SCHEMA_MAP, AT(dead_letter, source), .sub = &source_schema},
    {.key = "uid", .type = SCHEMA_FIXED, AT(dead_letter, uid), .max = RECORD_UID_SIZE},
};
const struct schema dead_letter_schema = SCHEMA_OF("dead-letter", struct dead_letter, dead_letter_fields);

static const struct schema_field gap_fields[] = {
    {.key = "first", .type = SCHEMA_U64, AT(gap, first), .min = 1},
    {.key = "last", .type = SCHEMA_U64, AT(gap, last), .min = 1},
    {.key = "nonce", .type = SCHEMA_FIXED, AT(gap, nonce), .max = 16},
    {.key = "reason", .type = SCHEMA_STR, AT(gap, reason), .min = 1, .max = 512},
    {.key = "source", .type = SCHEMA_STR, AT(gap, source), .min = 1, .max = 64},
    {.key = "time", .type = SCHEMA_I64, AT(gap, time)},
};
const struct schema gap_schema = SCHEMA_OF("gap", struct gap, gap_fields);

enum err_code record_read(struct slice body, struct arena *a, struct record *out, struct err *e) {
    if (body.len > LIMIT_RECORD)
        return err_set(e, ERR_TOO_LARGE, "a record of %zu bytes (at most %d)", body.len, LIMIT_RECORD);
    return schema_read(&record_schema, body, a, out, e);
}
