/* audit/standard.c -- the schemas of standards, and reading one whole. See standard.h. */
#include "audit/standard.h"

#include "audit/standard_body.h"
#include "wire/mem.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

const char *const standard_kind_names[] = {
    NULL,         "ext_std", "op_class",  "type_vocab", "report_format", "protect_policy", "process_model",
    "prov_rules", "risk_kb", "watchlist", NULL};
const char *const standard_action_names[] = {NULL, "publish", "suspend", "resume", "revoke", NULL};
const char *const standard_mode_names[] = {NULL, "enforce", "flag", NULL};
const char *const standard_type_names[] = {NULL, "str", "int", "dec", "date", "bool", "enum", "ref", NULL};
const char *const standard_protect_names[] = {NULL, "none", "mask", "encrypt", "remove", NULL};
const char *const standard_pii_names[] = {NULL, "C1", "C2", "C3", NULL};

enum { STANDARD_BODY = LIMIT_ENTRY - 1024, STANDARD_LABEL = 256, STANDARD_TEXT = 256 };

#define AT(type, member) .offset = offsetof(struct type, member)
#define OPTIONAL         .flags = SCHEMA_OPTIONAL
#define LABELS(type_)                                                                                                  \
    {.key = "label", .type = SCHEMA_STR, OPTIONAL, AT(type_, label), .max = STANDARD_LABEL}, {                         \
        .key = "label_en", .type = SCHEMA_STR, OPTIONAL, AT(type_, label_en), .max = STANDARD_LABEL                    \
    }

/* -- heads --------------------------------------------------------------------------------------------------------- */

static const struct schema_field entry_fields[] = {
    {.key = "action", .type = SCHEMA_ENUM, AT(standard_entry, action), .names = standard_action_names},
    {.key = "body", .type = SCHEMA_RAW, OPTIONAL, AT(standard_entry, body), .max = STANDARD_BODY},
    {.key = "by", .type = SCHEMA_STR, AT(standard_entry, by), .min = 1, .max = 64},
    {.key = "effective_from", .type = SCHEMA_I64, OPTIONAL, AT(standard_entry, effective_from)},
    {.key = "grace_ms", .type = SCHEMA_U64, OPTIONAL, AT(standard_entry, grace_ms), .max = STANDARD_GRACE_MS_MAX},
    {.key = "id", .type = SCHEMA_STR, AT(standard_entry, id), .min = 1, .max = STANDARD_ID},
    {.key = "issuer", .type = SCHEMA_STR, AT(standard_entry, issuer), .min = 1, .max = LIMIT_NAME},
    {.key = "kind", .type = SCHEMA_ENUM, AT(standard_entry, kind), .names = standard_kind_names},
    {.key = "mode", .type = SCHEMA_ENUM, OPTIONAL, AT(standard_entry, mode), .names = standard_mode_names},
    {.key = "nonce", .type = SCHEMA_FIXED, AT(standard_entry, nonce), .max = 16},
    {.key = "reason", .type = SCHEMA_STR, OPTIONAL, AT(standard_entry, reason), .max = STANDARD_TEXT},
    {.key = "supersedes", .type = SCHEMA_STR, OPTIONAL, AT(standard_entry, supersedes), .max = SEMVER_LEN},
    {.key = "title", .type = SCHEMA_STR, OPTIONAL, AT(standard_entry, title), .max = STANDARD_TEXT},
    {.key = "version", .type = SCHEMA_STR, AT(standard_entry, version), .min = 1, .max = SEMVER_LEN},
};
const struct schema standard_entry_schema = SCHEMA_OF("standard", struct standard_entry, entry_fields);

static const struct schema_field doc_fields[] = {
    {.key = "body", .type = SCHEMA_RAW, AT(standard_doc, body), .max = STANDARD_BODY},
    {.key = "effective_from", .type = SCHEMA_I64, AT(standard_doc, effective_from)},
    {.key = "grace_ms", .type = SCHEMA_U64, OPTIONAL, AT(standard_doc, grace_ms), .max = STANDARD_GRACE_MS_MAX},
    {.key = "id", .type = SCHEMA_STR, AT(standard_doc, id), .min = 1, .max = STANDARD_ID},
    {.key = "kind", .type = SCHEMA_ENUM, AT(standard_doc, kind), .names = standard_kind_names},
    {.key = "mode", .type = SCHEMA_ENUM, AT(standard_doc, mode), .names = standard_mode_names},
    {.key = "supersedes", .type = SCHEMA_STR, OPTIONAL, AT(standard_doc, supersedes), .max = SEMVER_LEN},
    {.key = "title", .type = SCHEMA_STR, OPTIONAL, AT(standard_doc, title), .max = STANDARD_TEXT},
    {.key = "version", .type = SCHEMA_STR, AT(standard_doc, version), .min = 1, .max = SEMVER_LEN},
};
const struct schema standard_doc_schema = SCHEMA_OF("standard", struct standard_doc, doc_fields);

static const struct schema_field ack_fields[] = {
    {.key = "by", .type = SCHEMA_STR, OPTIONAL, AT(standard_ack, by), .max = 64},
    {.key = "hash", .type = SCHEMA_FIXED, AT(standard_ack, hash), .max = DIGEST_SIZE},
    {.key = "node", .type = SCHEMA_STR, AT(standard_ack, node), .min = 1, .max = LIMIT_NAME},
    {.key = "nonce", .type = SCHEMA_FIXED, AT(standard_ack, nonce), .max = 16},
};
const struct schema standard_ack_schema = SCHEMA_OF("acknowledgement", struct standard_ack, ack_fields);

/* -- bodies -------------------------------------------------------------------------------------------------------- */

static const struct schema_field field_fields[] = {
    {.key = "enum", .type = SCHEMA_STRS, OPTIONAL, AT(standard_field, values), .max = STANDARD_ENUM, .item_max = 256},
    LABELS(standard_field),
    {.key = "max", .type = SCHEMA_U64, OPTIONAL, AT(standard_field, max), .max = 512},
    {.key = "name", .type = SCHEMA_STR, AT(standard_field, name), .min = 1, .max = 48},
    {.key = "pii", .type = SCHEMA_ENUM, OPTIONAL, AT(standard_field, pii), .names = standard_pii_names},
    {.key = "protect", .type = SCHEMA_ENUM, OPTIONAL, AT(standard_field, protect), .names = standard_protect_names},
    {.key = "regex", .type = SCHEMA_STR, OPTIONAL, AT(standard_field, regex), .max = MATCH_PATTERN},
    {.key = "required", .type = SCHEMA_BOOL, OPTIONAL, AT(standard_field, required)},
    {.key = "source_hint", .type = SCHEMA_STR, OPTIONAL, AT(standard_field, source_hint), .max = STANDARD_TEXT},
    {.key = "type", .type = SCHEMA_ENUM, AT(standard_field, type), .names = standard_type_names},
};
static const struct schema field_schema = SCHEMA_OF("field", struct standard_field, field_fields);

static const struct schema_field element_fields[] = {
    {.key = "element", .type = SCHEMA_STR, AT(standard_element, element), .min = 1, .max = 39},
    {.key = "fields",
     .type = SCHEMA_LIST,
     AT(standard_element, fields),
     .min = 1,
     .max = STANDARD_FIELDS,
     .sub = &field_schema},
};
static const struct schema element_schema = SCHEMA_OF("element", struct standard_element, element_fields);

static const struct schema_field ext_fields[] = {
    {.key = "elements",
     .type = SCHEMA_LIST,
     AT(standard_ext, elements),
     .min = 1,
     .max = STANDARD_ELEMENTS,
     .sub = &element_schema},
};
const struct schema standard_ext_schema = SCHEMA_OF("ext_std", struct standard_ext, ext_fields);

static const struct schema_field class_fields[] = {
    {.key = "activity_id", .type = SCHEMA_U64, OPTIONAL, AT(standard_class, activity_id), .max = 1000000},
    {.key = "id", .type = SCHEMA_STR, AT(standard_class, id), .min = 1, .max = 32},
    LABELS(standard_class),
    {.key = "parent", .type = SCHEMA_STR, OPTIONAL, AT(standard_class, parent), .max = 32},
    {.key = "severity", .type = SCHEMA_U64, OPTIONAL, AT(standard_class, severity), .max = 6},
};
static const struct schema class_schema = SCHEMA_OF("class", struct standard_class, class_fields);

static const struct schema_field rule_fields[] = {
    {.key = "class_id", .type = SCHEMA_STR, AT(standard_rule, class_id), .min = 1, .max = 32},
    {.key = "match", .type = SCHEMA_ENUM, AT(standard_rule, match), .names = match_kind_names},
    {.key = "pattern", .type = SCHEMA_STR, AT(standard_rule, pattern), .min = 1, .max = MATCH_PATTERN},
    {.key = "server", .type = SCHEMA_STR, OPTIONAL, AT(standard_rule, server), .max = 64},
    {.key = "service", .type = SCHEMA_STR, OPTIONAL, AT(standard_rule, service), .max = 64},
};
static const struct schema rule_schema = SCHEMA_OF("rule", struct standard_rule, rule_fields);

static const struct schema_field op_class_fields[] = {
    {.key = "default", .type = SCHEMA_STR, OPTIONAL, AT(standard_op_class, default_class), .max = 32},
    {.key = "map",
     .type = SCHEMA_LIST,
     OPTIONAL,
     AT(standard_op_class, map),
     .max = STANDARD_RULES,
     .sub = &rule_schema},
    {.key = "tree",
     .type = SCHEMA_LIST,
     AT(standard_op_class, tree),
     .min = 1,
     .max = STANDARD_CLASSES,
     .sub = &class_schema},
};
const struct schema standard_op_class_schema = SCHEMA_OF("op_class", struct standard_op_class, op_class_fields);

static const struct schema_field vocab_type_fields[] = {
    {.key = "aliases",
     .type = SCHEMA_STRS,
     OPTIONAL,
     AT(standard_vocab_type, aliases),
     .max = STANDARD_ALIASES,
     .item_max = 32},
    LABELS(standard_vocab_type),
    {.key = "name", .type = SCHEMA_STR, AT(standard_vocab_type, name), .min = 1, .max = 32},
};
static const struct schema vocab_type_schema = SCHEMA_OF("type", struct standard_vocab_type, vocab_type_fields);

static const struct schema_field vocab_fields[] = {
    {.key = "closed", .type = SCHEMA_BOOL, OPTIONAL, AT(standard_vocab, closed)},
    {.key = "types",
     .type = SCHEMA_LIST,
     AT(standard_vocab, types),
     .min = 1,
     .max = STANDARD_TYPES,
     .sub = &vocab_type_schema},
};
const struct schema standard_vocab_schema = SCHEMA_OF("type_vocab", struct standard_vocab, vocab_fields);

static const struct schema_field report_field_fields[] = {
    LABELS(standard_report_field),
    {.key = "max", .type = SCHEMA_U64, OPTIONAL, AT(standard_report_field, max), .max = 512},
    {.key = "name", .type = SCHEMA_STR, AT(standard_report_field, name), .min = 1, .max = 48},
    {.key = "path", .type = SCHEMA_STR, AT(standard_report_field, path), .min = 1, .max = 128},
    {.key = "required", .type = SCHEMA_BOOL, OPTIONAL, AT(standard_report_field, required)},
};
static const struct schema report_field_schema =
    SCHEMA_OF("report_field", struct standard_report_field, report_field_fields);

static const struct schema_field report_fields[] = {
    {.key = "fields",
     .type = SCHEMA_LIST,
     AT(standard_report, fields),
     .min = 1,
     .max = STANDARD_FIELDS,
     .sub = &report_field_schema},
};
const struct schema standard_report_schema = SCHEMA_OF("report_format", struct standard_report, report_fields);

const struct schema *standard_body_schema(uint32_t kind) {
    switch (kind) {
    case STANDARD_EXT:
        return &standard_ext_schema;
    case STANDARD_OP_CLASS:
        return &standard_op_class_schema;
    case STANDARD_VOCAB:
        return &standard_vocab_schema;
    case STANDARD_REPORT:
        return &standard_report_schema;
    default:
        return NULL;
    }
}

/* -- checks -------------------------------------------------------------------------------------------------------- */

enum err_code standard_problem(struct standard_problems *problems, struct err *e, enum err_code code, const char *at,
                               const char *fmt, ...) {
    char text[320];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (problems) {
        if (problems->tell)
            problems->tell(problems->ctx, at, text);
        if (problems->count++ > 0)
            return code;
    }
    return err_set(e, code, "%s: %s", at, text);
}

/* Lower-case ASCII: it stands in file names, addresses and citations. The title carries any language. */
static bool standard_id_valid(struct slice id) {
    size_t i;
    for (i = 0; i < id.len; i++) {
        uint8_t c = id.ptr[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!word && (i == 0 || (c != '-' && c != '_' && c != '.')))
            return false;
    }
    return id.len > 0;
}

enum err_code standard_check_doc(const struct standard_doc *doc, struct standard_problems *problems, struct err *e) {
    struct standard_problems mine = {0};
    enum err_code rc = ERR_OK, last = ERR_OK;
    if (!problems)
        problems = &mine;
#define PROBLEM(...) (last = standard_problem(problems, e, __VA_ARGS__), rc = rc ? rc : last)
    if (!standard_id_valid(doc->id))
        PROBLEM(ERR_MALFORMED, "id", "must be of a-z, 0-9, '-', '_' and '.', and begin with a letter or digit");
    if (!semver_valid(doc->version))
        PROBLEM(ERR_MALFORMED, "version", "'%.*s' is not a version like 1.2.0", SLICE_ARG(doc->version));
    if (doc->supersedes.len && !semver_valid(doc->supersedes))
        PROBLEM(ERR_MALFORMED, "supersedes", "'%.*s' is not a version like 1.2.0", SLICE_ARG(doc->supersedes));
    else if (doc->supersedes.len && semver_valid(doc->version) && semver_cmp(doc->version, doc->supersedes) <= 0)
        PROBLEM(ERR_MALFORMED, "supersedes", "version %.*s does not come after %.*s", SLICE_ARG(doc->version),
                SLICE_ARG(doc->supersedes));
    if (doc->effective_from <= 0)
        PROBLEM(ERR_MALFORMED, "effective_from", "must be a time after 1970");
    if (!standard_body_schema(doc->kind))
        PROBLEM(ERR_UNSUPPORTED, "kind", "%s has no meaning in this version, so it is not accepted yet",
                doc->kind < STANDARD_KINDS ? standard_kind_names[doc->kind] : "?");
#undef PROBLEM
    return rc;
}

struct standard_doc standard_doc_of(const struct standard_entry *h) {
    return (struct standard_doc){.body = h->body,
                                 .effective_from = h->effective_from,
                                 .grace_ms = h->grace_ms,
                                 .id = h->id,
                                 .kind = h->kind,
                                 .mode = h->mode,
                                 .supersedes = h->supersedes,
                                 .title = h->title,
                                 .version = h->version};
}

enum err_code standard_hash(const struct standard_doc *doc, struct digest *out, struct err *e) {
    struct buf b;
    enum err_code rc;
    buf_init(&b, LIMIT_ENTRY);
    schema_write(&standard_doc_schema, doc, &b);
    rc = buf_check(&b, e);
    if (rc == ERR_OK)
        *out = digest_tagged("assay/standard/v1", buf_slice(&b));
    buf_release(&b);
    return rc;
}

/* suspend, resume and revoke carry who, what and why, and nothing of the definition. */
static enum err_code standard_check_act(const struct standard_entry *h, struct err *e) {
    if (h->body.len || h->mode || h->effective_from || h->grace_ms || h->supersedes.len || h->title.len)
        return err_set(e, ERR_MALFORMED, "standard: %s carries a definition", standard_action_names[h->action]);
    if (!h->reason.len)
        return err_set(e, ERR_MALFORMED, "standard.reason: %s needs one", standard_action_names[h->action]);
    if (!standard_id_valid(h->id) || !semver_valid(h->version))
        return err_set(e, ERR_MALFORMED, "standard: not an id and a version");
    return ERR_OK;
}

enum err_code standard_read_entry(struct slice body, struct arena *a, struct standard_entry *out, struct err *e) {
    struct standard_doc doc;
    enum err_code rc = schema_read(&standard_entry_schema, body, a, out, e);
    if (rc != ERR_OK)
        return rc;
    if (out->action != STANDARD_PUBLISH)
        return standard_check_act(out, e);
    if (!out->mode || !out->body.len)
        return err_set(e, ERR_MALFORMED, "standard: publish needs mode and body");
    doc = standard_doc_of(out);
    return standard_check_doc(&doc, NULL, e) == ERR_OK ? ERR_OK : err_wrap(e, "standard");
}

enum err_code standard_read(struct slice body, const struct standard **out, struct err *e) {
    struct arena *a = mem_alloc(sizeof *a);
    struct standard *s;
    struct standard_doc doc;
    enum err_code rc;
    if (!a)
        return err_set(e, ERR_NO_MEMORY, "reading a standard");
    arena_init(a, STANDARD_ARENA);
    s = arena_alloc(a, 1, sizeof *s);
    if (!s || !(s->refs = arena_alloc(a, 1, sizeof *s->refs)) || !(s->bytes = arena_copy(a, body)).ptr) {
        rc = err_set(e, ERR_NO_MEMORY, "reading a standard");
        goto out;
    }
    s->arena = a;
    atomic_init(s->refs, 1);
    if ((rc = standard_read_entry(s->bytes, a, &s->head, e)) != ERR_OK)
        goto out;
    if (s->head.action != STANDARD_PUBLISH) {
        rc = err_set(e, ERR_MALFORMED, "standard: not a publication");
        goto out;
    }
    if ((rc = schema_read(standard_body_schema(s->head.kind), s->head.body, a, &s->body, e)) != ERR_OK ||
        (rc = standard_body_check(s->head.kind, &s->body, a, NULL, s, e)) != ERR_OK) {
        rc = err_wrap(e, "standard %.*s %.*s", SLICE_ARG(s->head.id), SLICE_ARG(s->head.version));
        goto out;
    }
    doc = standard_doc_of(&s->head);
    if ((rc = standard_hash(&doc, &s->hash, e)) != ERR_OK)
        goto out;
    *out = s;
    return ERR_OK;
out:
    arena_release(a);
    mem_free(a);
    return rc;
}

const struct standard *standard_retain(const struct standard *s) {
    atomic_fetch_add_explicit(s->refs, 1, memory_order_relaxed);
    return s;
}

void standard_release(const struct standard *s) {
    struct arena *a;
    if (!s || atomic_fetch_sub_explicit(s->refs, 1, memory_order_acq_rel) != 1)
        return;
    a = s->arena;
    arena_release(a);
    mem_free(a);
}
