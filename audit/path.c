/* audit/path.c -- see path.h. */
#include "audit/path.h"

static bool path_strip(struct slice *path, const char *prefix) {
    size_t n = strlen(prefix);
    if (path->len < n || memcmp(path->ptr, prefix, n) != 0)
        return false;
    *path = slice_from(*path, n);
    return true;
}

static bool path_text(struct path_value *out, struct slice value, bool fixed) {
    *out = (struct path_value){.present = value.len > 0, .text = true, .fixed = fixed, .value = value};
    return true;
}

static bool path_number(struct path_value *out, bool present) {
    *out = (struct path_value){.present = present};
    return true;
}

static bool path_ext(struct path_value *out, const struct schema_list *dict, struct slice key) {
    return key.len > 0 && path_text(out, dict ? schema_pair_get(dict, key) : slice_none(), false);
}

/* "<i>." with i < RECORD_OBJECTS and no leading zero */
static bool path_index(struct slice *path, uint32_t *index) {
    size_t i = 0;
    *index = 0;
    while (i < path->len && i < 3 && path->ptr[i] >= '0' && path->ptr[i] <= '9')
        *index = *index * 10 + (uint32_t)(path->ptr[i++] - '0');
    if (i == 0 || (i > 1 && path->ptr[0] == '0') || i == path->len || path->ptr[i] != '.' || *index >= RECORD_OBJECTS)
        return false;
    *path = slice_from(*path, i + 1);
    return true;
}

static bool path_party(const struct record_object *o, struct slice path, struct path_value *out) {
    if (slice_eq_str(path, "name"))
        return path_text(out, o ? o->name : slice_none(), true);
    if (slice_eq_str(path, "type"))
        return path_text(out, o ? o->type : slice_none(), true);
    return path_strip(&path, "ext.") && path_ext(out, o ? &o->ext : NULL, path);
}

static bool path_op(const struct record_op *op, struct slice path, struct path_value *out) {
    if (slice_eq_str(path, "raw"))
        return path_text(out, op->raw, true);
    if (slice_eq_str(path, "class_id"))
        return path_text(out, op->class_id, false);
    if (slice_eq_str(path, "class_label"))
        return path_text(out, op->class_label, false);
    if (slice_eq_str(path, "note"))
        return path_text(out, op->note, false);
    if (slice_eq_str(path, "activity_id"))
        return path_number(out, op->activity_id != 0);
    return slice_eq_str(path, "status_id") && path_number(out, op->status_id != 0);
}

bool path_get(const struct record *r, struct slice path, struct path_value *out) {
    const struct record_object *objects = r->objects.items;
    struct record_object actor = {.ext = r->actor.ext, .name = r->actor.name, .type = r->actor.type};
    uint32_t i;
    if (path_strip(&path, "actor."))
        return path_party(&actor, path, out);
    if (path_strip(&path, "objects."))
        return path_index(&path, &i) && path_party(i < r->objects.count ? &objects[i] : NULL, path, out);
    if (path_strip(&path, "op."))
        return path_op(&r->op, path, out);
    if (path_strip(&path, "custom."))
        return path_ext(out, &r->custom, path);
    if (slice_eq_str(path, "objects"))
        return path_number(out, r->objects.count > 0);
    if (slice_eq_str(path, "time"))
        return path_number(out, r->time != 0);
    if (slice_eq_str(path, "time_end"))
        return path_number(out, r->time_end != 0);
    if (slice_eq_str(path, "raw_hash"))
        return path_number(out, true);
    if (slice_eq_str(path, "server"))
        return path_text(out, r->server, false);
    if (slice_eq_str(path, "service"))
        return path_text(out, r->service, false);
    if (slice_eq_str(path, "org_unit"))
        return path_text(out, r->org_unit, false);
    if (slice_eq_str(path, "log_kind"))
        return path_text(out, r->log_kind, false);
    return slice_eq_str(path, "source.id") && path_text(out, r->source.id, true);
}

bool path_valid(struct slice path) {
    static const struct record none;
    struct path_value v;
    return path.len < PATH_SIZE && path_get(&none, path, &v);
}

const struct record_prot *path_protection(const struct record *r, struct slice path) {
    const struct record_prot *p = r->prot.items;
    uint32_t i;
    for (i = 0; i < r->prot.count; i++)
        if (slice_eq(p[i].path, path))
            return &p[i];
    return NULL;
}
