/* ledger/entry.c -- see entry.h. */
#include "ledger/entry.h"

#include "wire/limits.h"
#include "wire/pack.h"

static const struct {
    enum entry_kind kind;
    const char *text;
} entry_kinds[] = {
#define ENTRY_ROW(name, value, text_) {ENTRY_##name, text_},
    ENTRY_KINDS(ENTRY_ROW)
#undef ENTRY_ROW
};

const char *entry_kind_text(enum entry_kind kind) {
    size_t i;
    for (i = 0; i < sizeof entry_kinds / sizeof entry_kinds[0]; i++)
        if (entry_kinds[i].kind == kind)
            return entry_kinds[i].text;
    return NULL;
}

enum entry_kind entry_kind_from(struct slice text) {
    size_t i;
    for (i = 0; i < sizeof entry_kinds / sizeof entry_kinds[0]; i++)
        if (slice_eq_str(text, entry_kinds[i].text))
            return entry_kinds[i].kind;
    return ENTRY_NONE;
}

enum err_code entry_read(struct slice bytes, struct entry *out, struct err *e) {
    struct cursor c;
    uint32_t count;
    uint64_t kind;
    enum cursor_type type;
    enum err_code rc;
    if (bytes.len > LIMIT_ENTRY)
        return err_set(e, ERR_TOO_LARGE, "an entry of %zu bytes (at most %d)", bytes.len, LIMIT_ENTRY);
    cursor_init(&c, bytes);
    if ((rc = cursor_array(&c, &count, e)) != ERR_OK || (count == 2 && (rc = cursor_u64(&c, &kind, e)) != ERR_OK))
        return rc;
    if (count != 2)
        return err_set(e, ERR_MALFORMED, "an entry is a list of two, not of %u", count);
    if ((rc = cursor_peek(&c, &type, e)) != ERR_OK)
        return rc;
    if (type != CURSOR_MAP)
        return err_set(e, ERR_MALFORMED, "an entry's body must be a map");
    if ((rc = cursor_skip(&c, LIMIT_DEPTH - 1, &out->body, e)) != ERR_OK)
        return rc;
    if (!cursor_done(&c))
        return err_set(e, ERR_MALFORMED, "bytes behind the entry");
    if (kind > 255 || !entry_kind_text((enum entry_kind)kind))
        return err_set(e, ERR_UNSUPPORTED, "an entry of unknown kind %llu", (unsigned long long)kind);
    out->kind = (enum entry_kind)kind;
    return ERR_OK;
}

void entry_write(enum entry_kind kind, const struct schema *schema, const void *body, struct buf *out) {
    pack_array(out, 2);
    pack_u64(out, (uint64_t)kind);
    schema_write(schema, body, out);
}

struct digest entry_leaf(struct slice bytes) {
    static const uint8_t zero = 0;
    struct digest_state s;
    struct digest d;
    digest_init(&s);
    digest_update(&s, slice_of(&zero, 1));
    digest_update(&s, bytes);
    digest_final(&s, &d);
    return d;
}
