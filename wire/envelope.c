/* wire/envelope.c -- see envelope.h. */
#include "wire/envelope.h"

#include "wire/schema.h"

static const struct schema_field envelope_fields[] = {
    {.key = "body",
     .type = SCHEMA_BIN,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct envelope, body),
     .min = 1,
     .max = ENVELOPE_BODY},
    {.key = "ch",
     .type = SCHEMA_FIXED,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct envelope, channel),
     .max = DIGEST_SIZE},
    {.key = "req", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct envelope, request)},
    {.key = "t", .type = SCHEMA_U64, .offset = offsetof(struct envelope, type), .min = 1, .max = UINT16_MAX},
};
static const struct schema envelope_schema = SCHEMA_OF("message", struct envelope, envelope_fields);

enum err_code envelope_write(const struct envelope *m, struct buf *out, struct err *e) {
    if (m->body.len > ENVELOPE_BODY)
        return err_set(e, ERR_TOO_LARGE, "a message body of %zu bytes", m->body.len);
    schema_write(&envelope_schema, m, out);
    return buf_check(out, e);
}

enum err_code envelope_read(struct slice bytes, struct envelope *out, struct err *e) {
    struct arena a;
    enum err_code rc;
    memset(out, 0, sizeof *out);
    if (bytes.len > LIMIT_MESSAGE)
        return err_set(e, ERR_TOO_LARGE, "a message of %zu bytes", bytes.len);
    arena_init(&a, 0); /* no field needs any */
    rc = schema_read(&envelope_schema, bytes, &a, out, e);
    arena_release(&a);
    if (!rc && !envelope_known(out->type))
        rc = err_set(e, ERR_UNSUPPORTED, "a message of type %llu", (unsigned long long)out->type);
    return rc;
}

static const struct {
    enum envelope_type type;
    bool urgent;
    const char *name;
} envelope_types[] = {
#define ENVELOPE_ROW(name, value, urgent) {ENVELOPE_##name, urgent, #name},
    ENVELOPE_LIST(ENVELOPE_ROW)
#undef ENVELOPE_ROW
};

static size_t envelope_find(uint64_t type) {
    size_t i, n = sizeof envelope_types / sizeof envelope_types[0];
    for (i = 0; i < n; i++)
        if ((uint64_t)envelope_types[i].type == type)
            return i;
    return n;
}

bool envelope_known(uint64_t type) {
    return envelope_find(type) < sizeof envelope_types / sizeof envelope_types[0];
}

bool envelope_urgent(enum envelope_type type) {
    return envelope_known(type) && envelope_types[envelope_find(type)].urgent;
}

const char *envelope_name(enum envelope_type type) {
    return envelope_known(type) ? envelope_types[envelope_find(type)].name : "?";
}
