/* audit/import.c -- see import.h. */
#include "audit/import.h"

#include "wire/limits.h"

#define AT(member) .offset = offsetof(struct import, member)

static const struct schema_field import_fields[] = {
    {.key = "by", .type = SCHEMA_STR, .flags = SCHEMA_OPTIONAL, AT(by), .max = 64},
    {.key = "entry", .type = SCHEMA_BIN, AT(entry), .min = 1, .max = LIMIT_ENTRY},
    {.key = "index", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, AT(index)},
    {.key = "nonce", .type = SCHEMA_FIXED, AT(nonce), .max = 16},
    {.key = "note", .type = SCHEMA_STR, AT(note), .min = 1, .max = IMPORT_NOTE},
    {.key = "path",
     .type = SCHEMA_BINS,
     .flags = SCHEMA_OPTIONAL,
     AT(path),
     .max = IMPORT_PATH,
     .item_max = DIGEST_SIZE},
};
const struct schema import_schema = SCHEMA_OF("import", struct import, import_fields);

enum err_code import_read(struct slice body, struct arena *a, struct import *out, struct err *e) {
    struct entry inner;
    const struct slice *hash;
    uint32_t i;
    enum err_code rc;
    if ((rc = schema_read(&import_schema, body, a, out, e)) != ERR_OK)
        return rc;
    hash = out->path.items;
    for (i = 0; i < out->path.count; i++)
        if (hash[i].len != DIGEST_SIZE)
            return err_set(e, ERR_MALFORMED, "import.path[%u]: not a hash of 32 bytes", i);
    if ((rc = entry_read(out->entry, &inner, e)) != ERR_OK)
        return err_wrap(e, "import.entry");
    if (inner.kind != ENTRY_STANDARD)
        return err_set(e, ERR_UNSUPPORTED, "import of an entry of kind %s", entry_kind_text(inner.kind));
    return ERR_OK;
}
