/* wire/message.c -- see message.h. */
#include "wire/message.h"

#include "wire/schema.h"

static const struct schema_field message_fields[] = {
    {.key = "body",
     .type = SCHEMA_BIN,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct message, body),
     .min = 1,
     .max = MESSAGE_BODY},
    {.key = "ch",
     .type = SCHEMA_FIXED,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct message, channel),
     .max = DIGEST_SIZE},
    {.key = "req", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct message, request)},
    {.key = "t", .type = SCHEMA_U64, .offset = offsetof(struct message, type), .min = 1, .max = UINT16_MAX},
};
static const struct schema message_schema = SCHEMA_OF("message", struct message, message_fields);

enum err_code message_write(const struct message *m, struct buf *out, struct err *e) {
    if (m->body.len > MESSAGE_BODY)
        return err_set(e, ERR_TOO_LARGE, "a message body of %zu bytes", m->body.len);
    schema_write(&message_schema, m, out);
    return buf_check(out, e);
}

enum err_code message_read(struct slice bytes, struct message *out, struct err *e) {
    struct arena a;
    enum err_code rc;
    memset(out, 0, sizeof *out);
    if (bytes.len > LIMIT_MESSAGE)
        return err_set(e, ERR_TOO_LARGE, "a message of %zu bytes", bytes.len);
    arena_init(&a, 0); /* no field needs any */
    rc = schema_read(&message_schema, bytes, &a, out, e);
    arena_release(&a);
    if (!rc && !message_known(out->type))
        rc = err_set(e, ERR_UNSUPPORTED, "a message of type %llu", (unsigned long long)out->type);
    return rc;
}

static const struct {
    enum message_type type;
    bool urgent;
    const char *name;
} message_types[] = {
#define MESSAGE_ROW(name, value, urgent) {MESSAGE_##name, urgent, #name},
    MESSAGE_LIST(MESSAGE_ROW)
#undef MESSAGE_ROW
};

static size_t message_find(uint64_t type) {
    size_t i, n = sizeof message_types / sizeof message_types[0];
    for (i = 0; i < n; i++)
        if ((uint64_t)message_types[i].type == type)
            return i;
    return n;
}

bool message_known(uint64_t type) {
    return message_find(type) < sizeof message_types / sizeof message_types[0];
}

bool message_urgent(enum message_type type) {
    return message_known(type) && message_types[message_find(type)].urgent;
}

const char *message_name(enum message_type type) {
    return message_known(type) ? message_types[message_find(type)].name : "?";
}
