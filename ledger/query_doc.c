/* ledger/query_doc.c -- the canonical form of a query, its checks, its cursors. See query.h. */
#include "ledger/query_inner.h"

enum { QUERY_DOC_MAX = 64 << 10, CURSOR_BYTES = 1 + 8 + 8 };

#define AT(member) .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct query, member)
#define TEXT(key_, member)                                                                                             \
    { .key = key_, .type = SCHEMA_STR, AT(member), .max = QUERY_VALUE_MAX }

static const struct schema_field query_fields[] = {
    TEXT("case", link_case),
    TEXT("class_id", class_id),
    {.key = "cursor", .type = SCHEMA_STR, AT(cursor), .max = QUERY_CURSOR_SIZE - 1},
    TEXT("event", link_event),
    {.key = "from", .type = SCHEMA_I64, AT(from)},
    {.key = "kinds", .type = SCHEMA_U64, AT(kinds), .max = UINT32_MAX},
    {.key = "limit", .type = SCHEMA_U64, AT(limit), .max = QUERY_LIMIT_MAX},
    TEXT("log_kind", log_kind),
    TEXT("object_name", object_name),
    TEXT("object_type", object_type),
    {.key = "oldest", .type = SCHEMA_BOOL, AT(oldest)},
    TEXT("op", op),
    TEXT("org_unit", org_unit),
    TEXT("process", link_process),
    {.key = "raw_hash", .type = SCHEMA_FIXED, AT(raw_hash), .max = DIGEST_SIZE},
    TEXT("server", server),
    TEXT("service", service),
    TEXT("source", source_id),
    {.key = "source_seq", .type = SCHEMA_U64, AT(source_seq)},
    TEXT("subject_name", subject_name),
    TEXT("subject_type", subject_type),
    {.key = "submitter", .type = SCHEMA_FIXED, AT(submitter), .max = DIGEST_SIZE},
    {.key = "to", .type = SCHEMA_I64, AT(to)},
    {.key = "token", .type = SCHEMA_FIXED, AT(token), .max = RECORD_TOKEN_SIZE},
    {.key = "uid", .type = SCHEMA_FIXED, AT(uid), .max = RECORD_UID_SIZE},
};
const struct schema query_schema = SCHEMA_OF("query", struct query, query_fields);

enum err_code query_read(struct slice bytes, struct arena *a, struct query *out, struct err *e) {
    enum err_code code;
    memset(out, 0, sizeof *out);
    if (bytes.len > QUERY_DOC_MAX)
        return err_set(e, ERR_TOO_LARGE, "a query of %zu bytes", bytes.len);
    if ((code = schema_read(&query_schema, bytes, a, out, e)) != ERR_OK)
        return code;
    return query_check(out, e);
}

void query_write(const struct query *q, struct buf *out) {
    schema_write(&query_schema, q, out);
}

enum err_code query_check(const struct query *q, struct err *e) {
    uint64_t bound;
    if (q->source_seq && q->source_id.len == 0)
        return err_set(e, ERR_MALFORMED, "query: a source's number needs the source");
    if (q->to && q->from >= q->to)
        return err_set(e, ERR_MALFORMED, "query: the time range is empty");
    if (q->kinds > UINT32_MAX || q->kinds & 1)
        return err_set(e, ERR_MALFORMED, "query: an unknown kind of entry");
    if (q->limit > QUERY_LIMIT_MAX)
        return err_set(e, ERR_MALFORMED, "query: at most %d results a page", QUERY_LIMIT_MAX);
    return q->cursor.len ? query_cursor_read(q, &bound, e) : ERR_OK;
}

/* Binds a cursor to its question: everything but the cursor itself and the page's size. */
static void cursor_seal(const struct query *q, uint64_t bound, uint8_t out[CURSOR_BYTES]) {
    struct query plain = *q;
    struct digest d;
    struct buf b;
    plain.cursor = slice_none();
    plain.limit = 0;
    out[0] = q->oldest ? 'o' : 'n';
    index_store_be64(out + 1, bound);
    buf_init(&b, QUERY_DOC_MAX);
    buf_bytes(&b, out, 9);
    query_write(&plain, &b);
    d = digest_tagged("assay/query-cursor/v1", buf_slice(&b));
    memcpy(out + 9, d.b, 8);
    if (b.failed)
        memset(out + 9, 0, 8);
    buf_release(&b);
}

void query_cursor_write(const struct query *q, uint64_t bound, char out[QUERY_CURSOR_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    uint8_t raw[CURSOR_BYTES];
    size_t i;
    cursor_seal(q, bound, raw);
    for (i = 0; i < sizeof raw; i++) {
        out[2 * i] = digits[raw[i] >> 4];
        out[2 * i + 1] = digits[raw[i] & 15];
    }
    out[2 * sizeof raw] = 0;
}

enum err_code query_cursor_read(const struct query *q, uint64_t *bound, struct err *e) {
    char again[QUERY_CURSOR_SIZE];
    uint64_t v = 0;
    size_t i;
    for (i = 2; i < 18 && q->cursor.len == QUERY_CURSOR_SIZE - 1; i++) {
        uint8_t c = q->cursor.ptr[i];
        v = v << 4 | (uint64_t)(c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0);
    }
    query_cursor_write(q, v, again);
    if (!slice_eq_str(q->cursor, again))
        return err_set(e, ERR_MALFORMED, "query: this cursor does not belong to this question");
    *bound = v;
    return ERR_OK;
}
