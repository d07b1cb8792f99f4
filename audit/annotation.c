/* audit/annotation.c -- see annotation.h. */
#include "audit/annotation.h"

#include <sodium.h>

static const struct schema_field annotation_fields[] = {
    {.key = "by", .type = SCHEMA_STR, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct annotation, by), .max = 64},
    {.key = "nonce", .type = SCHEMA_FIXED, .offset = offsetof(struct annotation, nonce), .max = 16},
    {.key = "text", .type = SCHEMA_STR, .offset = offsetof(struct annotation, text), .min = 1, .max = 512},
};
const struct schema annotation_schema = SCHEMA_OF("annotation", struct annotation, annotation_fields);

static enum err_code annotation_check(void *part, const struct audit_state *state, const struct audit_ctx *ctx,
                                      const struct entry *entry, struct err *e) {
    struct annotation x;
    struct arena a;
    enum err_code rc;
    (void)part;
    (void)state;
    (void)ctx;
    arena_init(&a, 1024);
    rc = schema_read(&annotation_schema, entry->body, &a, &x, e);
    arena_release(&a);
    return rc;
}

static enum err_code annotation_apply(void *part, const struct audit_state *state, const struct audit_ctx *ctx,
                                      const struct entry *entry, void **child, struct err *e) {
    (void)state;
    (void)ctx;
    (void)entry;
    (void)e;
    *child = part;
    return ERR_OK;
}

static void *annotation_retain(void *part) {
    return part;
}

static void annotation_release(void *part) {
    (void)part;
}

const struct audit_module annotation_module = {.name = "annotation",
                                               .kinds = 1u << ENTRY_ANNOTATION,
                                               .check = annotation_check,
                                               .apply = annotation_apply,
                                               .retain = annotation_retain,
                                               .release = annotation_release};

void annotation_entry(struct slice by, struct slice text, struct buf *out) {
    struct annotation x = {.by = by, .text = text};
    randombytes_buf(x.nonce, sizeof x.nonce);
    entry_write(ENTRY_ANNOTATION, &annotation_schema, &x, out);
}
