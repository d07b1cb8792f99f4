/* node/door_nfc.c -- texts in canonical composition (NFC), by utf8proc; see door.h.
 * Plain ASCII, by far the most, is left as it is without a call. */
#include "node/door.h"

#include "wire/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

static bool door_ascii(struct slice s) {
    size_t i;
    for (i = 0; i < s.len; i++)
        if (s.ptr[i] & 0x80)
            return false;
    return true;
}

bool door_nfc(struct arena *a, struct slice text, struct slice *out) {
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t n;
    *out = text;
    if (door_ascii(text))
        return true;
    if (!utf8_valid(text))
        return false;
    n = utf8proc_map(text.ptr, (utf8proc_ssize_t)text.len, &composed, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (n < 0)
        return false;
    if (!slice_eq(text, slice_of(composed, (size_t)n)))
        *out = arena_copy(a, slice_of(composed, (size_t)n));
    free(composed); /* utf8proc's own malloc */
    return out->ptr != NULL;
}

static enum err_code door_nfc_field(struct arena *a, struct slice *s, const char *name, struct err *e) {
    if (s->len && !door_nfc(a, *s, s))
        return err_set(e, ERR_MALFORMED, "%s is not valid UTF-8", name);
    return ERR_OK;
}

static enum err_code door_nfc_dict(struct arena *a, struct schema_list *dict, const char *name, struct err *e) {
    struct schema_pair *p = dict->items;
    uint32_t i;
    enum err_code rc = ERR_OK;
    for (i = 0; i < dict->count && rc == ERR_OK; i++)
        if ((rc = door_nfc_field(a, &p[i].key, name, e)) == ERR_OK)
            rc = door_nfc_field(a, &p[i].value, name, e);
    return rc == ERR_OK ? schema_sort_pairs(dict, e) : rc;
}

enum err_code door_nfc_record(struct arena *a, struct record *r, struct err *e) {
    struct record_object *o = r->objects.items;
    struct {
        struct slice *text;
        const char *name;
    } fields[] = {
        {&r->actor.name, "actor.name"},
        {&r->actor.type, "actor.type"},
        {&r->op.raw, "op.raw"},
        {&r->op.note, "op.note"},
        {&r->op.class_id, "op.class_id"},
        {&r->op.class_label, "op.class_label"},
        {&r->server, "server"},
        {&r->service, "service"},
        {&r->org_unit, "org_unit"},
        {&r->log_kind, "log_kind"},
        {&r->source.id, "source.id"},
        {&r->links.case_id, "links.case_id"},
        {&r->links.event_id, "links.event_id"},
        {&r->links.process_id, "links.process_id"},
    };
    enum err_code rc = ERR_OK;
    size_t i;
    for (i = 0; i < sizeof fields / sizeof fields[0] && rc == ERR_OK; i++)
        rc = door_nfc_field(a, fields[i].text, fields[i].name, e);
    if (rc == ERR_OK)
        rc = door_nfc_dict(a, &r->custom, "custom", e);
    if (rc == ERR_OK)
        rc = door_nfc_dict(a, &r->actor.ext, "actor.ext", e);
    for (i = 0; i < r->objects.count && rc == ERR_OK; i++)
        if ((rc = door_nfc_field(a, &o[i].name, "objects.name", e)) == ERR_OK &&
            (rc = door_nfc_field(a, &o[i].type, "objects.type", e)) == ERR_OK)
            rc = door_nfc_dict(a, &o[i].ext, "objects.ext", e);
    return rc;
}
