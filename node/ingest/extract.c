/* node/ingest/extract.c -- see extract.h: what all types of extractors share. Compiling: extract_compile.c. */
#include "node/ingest/extract.h"

struct extract_run {
    const struct extractor *x;
    struct extract_view *view;
    struct arena *arena;
    struct err *e;
};

/* ---- values ---- */

/* All values of the first alternative that has any. */
static enum err_code run_values(const struct extract_run *r, struct extract_view *v, const struct extract_spec *spec,
                                bool nodes, struct extract_values *out) {
    size_t i;
    out->count = 0;
    for (i = 0; i < spec->count && out->count == 0; i++) {
        const struct extract_ref *ref = &spec->alternatives[i];
        if (ref->constant) {
            *out =
                (struct extract_values){.items = arena_alloc(r->arena, 1, sizeof(struct slice)), .count = 1, .room = 0};
            if (!out->items)
                return err_set(r->e, ERR_NO_MEMORY, "no memory");
            out->items[0] = ref->text;
        } else if (!r->x->type->values(v, ref, nodes, out)) {
            return err_set(r->e, ERR_MALFORMED, "%.*s: more values than one log may hold", SLICE_ARG(ref->text));
        }
    }
    return ERR_OK;
}

/* One value, or absent. */
static enum err_code run_value(const struct extract_run *r, struct extract_view *v, const struct extract_spec *spec,
                               struct slice *out) {
    struct extract_values values = {0};
    enum err_code rc = run_values(r, v, spec, false, &values);
    *out = rc == ERR_OK && values.count ? values.items[0] : slice_none();
    return rc;
}

/* A DICT of the fields that have a value. */
static enum err_code run_fields(const struct extract_run *r, struct extract_view *v, const struct extract_field *f,
                                uint32_t count, struct schema_list *out) {
    struct schema_pair *pairs;
    uint32_t i;
    *out = (struct schema_list){0};
    if (count == 0)
        return ERR_OK;
    pairs = arena_alloc(r->arena, count, sizeof *pairs);
    if (!pairs)
        return err_set(r->e, ERR_NO_MEMORY, "no memory");
    out->items = pairs;
    for (i = 0; i < count; i++) {
        struct slice value;
        enum err_code rc = run_value(r, v, &f[i].spec, &value);
        if (rc != ERR_OK)
            return rc;
        if (value.len)
            pairs[out->count++] = (struct schema_pair){f[i].key, value};
    }
    return ERR_OK;
}

static enum err_code run_missing(const struct extract_run *r, const char *element, const char *what,
                                 const struct extract_spec *spec) {
    struct slice place = spec->count ? spec->alternatives[0].text : slice_none();
    return err_set(r->e, ERR_MALFORMED, "%s: %s%s%.*s%s", element, what, place.len ? " (" : "", SLICE_ARG(place),
                   place.len ? ")" : "");
}

/* ---- the elements ---- */

static enum err_code run_when(const struct extract_run *r, bool *applies) {
    const struct schema_pair *want = r->x->config->when.items;
    uint32_t i;
    for (i = 0; i < r->x->config->when.count && *applies; i++) {
        struct slice value;
        enum err_code rc = run_value(r, r->view, &r->x->when[i].spec, &value);
        if (rc != ERR_OK)
            return rc;
        *applies = slice_eq(value, want[i].value);
    }
    return ERR_OK;
}

static enum err_code run_actor(const struct extract_run *r, bool assigned, struct record *out) {
    struct slice name, type;
    enum err_code rc;
    if (!r->x->config->actor)
        return assigned ? ERR_OK : err_set(r->e, ERR_MALFORMED, "actor: the log names no subject and none is assigned");
    if ((rc = run_value(r, r->view, &r->x->actor_name, &name)) != ERR_OK ||
        (rc = run_value(r, r->view, &r->x->actor_type, &type)) != ERR_OK)
        return rc;
    if (!name.len && assigned)
        return ERR_OK; /* the assigned subject stays */
    if (!name.len)
        return run_missing(r, "actor", "the log names no subject", &r->x->actor_name);
    if (!type.len)
        return run_missing(r, "actor.type", "the log does not say what kind of subject", &r->x->actor_type);
    out->actor = (struct record_actor){.name = name, .type = type};
    return run_fields(r, r->view, r->x->actor_ext, r->x->config->actor->ext.count, &out->actor.ext);
}

static enum err_code run_one_time(const struct extract_run *r, const char *element, const struct extract_spec *spec,
                                  const int32_t *zone, bool required, int64_t *out) {
    struct time_text t = r->x->time;
    struct slice text;
    enum err_code rc = run_value(r, r->view, spec, &text);
    if (rc != ERR_OK || (!text.len && !required))
        return rc;
    if (!text.len)
        return run_missing(r, element, "the log states none", spec);
    if (!t.zoned && zone) {
        t.zoned = true;
        t.zone_min = *zone;
    }
    rc = time_text_parse(&t, text, out, r->e);
    return rc == ERR_OK ? rc : err_wrap(r->e, "%s", element);
}

static enum err_code run_status(const struct extract_run *r, struct record *out) {
    const struct extract_status *s = r->x->config->status;
    const struct slice *good, *bad;
    struct slice value;
    uint32_t i;
    enum err_code rc;
    if (!s)
        return ERR_OK;
    rc = run_value(r, r->view, &r->x->status, &value);
    if (rc != ERR_OK || !value.len)
        return rc;
    good = s->success.items;
    bad = s->failure.items;
    out->op.status_id = 99;
    for (i = 0; i < s->failure.count; i++)
        if (slice_eq(value, bad[i]))
            out->op.status_id = 2;
    for (i = 0; i < s->success.count; i++)
        if (slice_eq(value, good[i]))
            out->op.status_id = 1;
    return ERR_OK;
}

/* ---- objects ---- */

struct run_objects {
    struct record_object *items;
    uint32_t count, room;
};

static enum err_code push_object(const struct extract_run *r, struct run_objects *o,
                                 const struct record_object *object) {
    if (o->count == EXTRACT_OBJECTS)
        return err_set(r->e, ERR_MALFORMED, "objects: more than %d in one log", EXTRACT_OBJECTS);
    if (o->count == o->room) {
        uint32_t room = o->room ? o->room * 2 : 8;
        struct record_object *items = arena_alloc(r->arena, room, sizeof *items);
        if (!items)
            return err_set(r->e, ERR_NO_MEMORY, "no memory for objects");
        if (o->count)
            memcpy(items, o->items, o->count * sizeof *items);
        o->items = items;
        o->room = room;
    }
    o->items[o->count++] = *object;
    return ERR_OK;
}

static bool split_char(struct slice set, uint8_t c) {
    return set.len && memchr(set.ptr, c, set.len) != NULL;
}

/* "a, b" is two names when "," splits; blanks around a name are not part of it then. */
static enum err_code push_names(const struct extract_run *r, struct run_objects *o, const struct record_object *like,
                                struct slice value, struct slice split) {
    size_t i = 0;
    struct record_object object = *like;
    if (!split.len) {
        object.name = value;
        return push_object(r, o, &object);
    }
    while (i < value.len) {
        size_t from = i, to;
        enum err_code rc;
        while (i < value.len && !split_char(split, value.ptr[i]))
            i++;
        to = i++;
        while (from < to && value.ptr[from] == ' ')
            from++;
        while (to > from && value.ptr[to - 1] == ' ')
            to--;
        object.name = slice_of(value.ptr + from, to - from);
        if (object.name.len && (rc = push_object(r, o, &object)) != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static enum err_code run_object_at(const struct extract_run *r, const struct extract_object_spec *s,
                                   struct extract_view *v, struct run_objects *o) {
    struct record_object like = {.role = s->config->role};
    struct extract_values names = {0};
    enum err_code rc = run_values(r, v, &s->name, false, &names);
    size_t i;
    if (rc != ERR_OK || names.count == 0)
        return rc;
    if ((rc = run_value(r, v, &s->type, &like.type)) != ERR_OK ||
        (rc = run_fields(r, v, s->ext, s->config->ext.count, &like.ext)) != ERR_OK)
        return rc;
    if (!like.type.len)
        return run_missing(r, "objects.type", "the log does not say what kind of object", &s->type);
    for (i = 0; i < names.count && rc == ERR_OK; i++)
        rc = push_names(r, o, &like, names.items[i], s->config->split);
    return rc;
}

static enum err_code run_object(const struct extract_run *r, const struct extract_object_spec *s,
                                struct run_objects *o) {
    struct extract_values elements = {0};
    enum err_code rc;
    size_t i;
    if (!s->config->each.len)
        return run_object_at(r, s, r->view, o);
    rc = run_values(r, r->view, &s->each, true, &elements);
    if (rc == ERR_OK && !elements.nodes)
        return ERR_OK; /* no elements, so no objects */
    for (i = 0; i < elements.count && rc == ERR_OK; i++) {
        struct extract_view at = *r->view;
        at.node = elements.nodes[i];
        rc = run_object_at(r, s, &at, o);
        r->view->ambiguous |= at.ambiguous;
    }
    return rc;
}

static enum err_code run_all_objects(const struct extract_run *r, struct record *out) {
    struct run_objects o = {0};
    uint32_t i;
    for (i = 0; i < r->x->config->objects.count; i++) {
        enum err_code rc = run_object(r, &r->x->objects[i], &o);
        if (rc != ERR_OK)
            return rc;
    }
    if (o.count == 0)
        return r->x->config->objects.count
                   ? run_missing(r, "objects", "the log names nothing that was acted on", &r->x->objects[0].name)
                   : err_set(r->e, ERR_MALFORMED, "objects: none is configured");
    out->objects = (struct schema_list){o.items, o.count};
    return ERR_OK;
}

static enum err_code run_elements(const struct extract_run *r, const int32_t *zone, bool assigned, struct record *out) {
    const struct extractor *x = r->x;
    enum err_code rc;
    if ((rc = run_actor(r, assigned, out)) != ERR_OK ||
        (rc = run_one_time(r, "time", &x->at, zone, true, &out->time)) != ERR_OK ||
        (rc = run_one_time(r, "time_end", &x->end, zone, false, &out->time_end)) != ERR_OK ||
        (rc = run_value(r, r->view, &x->op, &out->op.raw)) != ERR_OK ||
        (rc = run_value(r, r->view, &x->note, &out->op.note)) != ERR_OK || (rc = run_status(r, out)) != ERR_OK ||
        (rc = run_fields(r, r->view, x->custom, x->config->custom.count, &out->custom)) != ERR_OK)
        return rc;
    if (!out->op.raw.len)
        return run_missing(r, "op", "the log names no operation", &x->op);
    return run_all_objects(r, out);
}

enum err_code extract_run(const struct extractor *x, struct extract_log *log, const int32_t *zone, bool assigned,
                          struct record *out, bool *applies, struct err *e) {
    struct extract_view view = {0};
    struct extract_run r = {x, &view, log->arena, e};
    struct record before = *out;
    enum err_code rc = x->type->open(x, log, &view, applies, e);
    if (rc != ERR_OK || !*applies)
        return rc;
    rc = run_when(&r, applies);
    if (rc == ERR_OK && *applies)
        rc = run_elements(&r, zone, assigned, out);
    if ((rc == ERR_OK || rc == ERR_MALFORMED) && *applies && view.ambiguous)
        rc = err_set(e, ERR_MALFORMED, "a key that is read stands twice in the log");
    if (x->type->close)
        x->type->close(x, &view);
    if (rc != ERR_OK || !*applies)
        *out = before;
    return rc;
}

void extract_tag(const struct extractor *x, struct extract_log *log, struct slice *server, struct slice *service) {
    struct extract_view view = {0};
    struct extract_run r = {x, &view, log->arena, NULL};
    struct slice found;
    bool applies = false;
    if (x->type->open(x, log, &view, &applies, NULL) != ERR_OK || !applies)
        return;
    if (run_value(&r, &view, &x->actor_name, &found) == ERR_OK && found.len)
        *server = found;
    if (run_value(&r, &view, &x->actor_type, &found) == ERR_OK && found.len)
        *service = found;
    if (x->type->close)
        x->type->close(x, &view);
}
