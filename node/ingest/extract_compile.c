/* node/ingest/extract_compile.c -- extractors as they are written: schema, specs, patterns; see extract.h. */
#include "node/ingest/extract.h"

#include <stdio.h>

enum { EXTRACT_SPEC = 1024, EXTRACT_PATTERN = 8192, EXTRACT_AT = 256 };

#define AT(type, member) .offset = offsetof(struct type, member)
#define OPTIONAL         .flags = SCHEMA_OPTIONAL
#define SPEC             .type = SCHEMA_STR, .min = 1, .max = EXTRACT_SPEC
#define EXT(type_)                                                                                                     \
    { .key = "ext", .type = SCHEMA_DICT, OPTIONAL, AT(type_, ext), .max = 32, .key_max = 48, .item_max = EXTRACT_SPEC }

static const char *const extract_kind_names[] = {NULL, "json", "regex", NULL};

static const struct schema_field party_fields[] = {
    EXT(extract_party),
    {.key = "name", SPEC, AT(extract_party, name)},
    {.key = "type", SPEC, AT(extract_party, type)},
};
static const struct schema party_schema = SCHEMA_OF("actor", struct extract_party, party_fields);

static const struct schema_field object_fields[] = {
    {.key = "each", SPEC, OPTIONAL, AT(extract_object, each)},
    EXT(extract_object),
    {.key = "name", SPEC, AT(extract_object, name)},
    {.key = "role", .type = SCHEMA_ENUM, AT(extract_object, role), .names = record_role_names},
    {.key = "split", .type = SCHEMA_STR, OPTIONAL, AT(extract_object, split), .max = 8},
    {.key = "type", SPEC, AT(extract_object, type)},
};
static const struct schema object_schema = SCHEMA_OF("object", struct extract_object, object_fields);

static const struct schema_field status_fields[] = {
    {.key = "failure", .type = SCHEMA_STRS, OPTIONAL, AT(extract_status, failure), .max = 64, .item_max = 64},
    {.key = "field", SPEC, AT(extract_status, field)},
    {.key = "success", .type = SCHEMA_STRS, OPTIONAL, AT(extract_status, success), .max = 64, .item_max = 64},
};
static const struct schema status_schema = SCHEMA_OF("status", struct extract_status, status_fields);

static const struct schema_field when_fields[] = {
    {.key = "at", SPEC, AT(extract_when, at)},
    {.key = "end", SPEC, OPTIONAL, AT(extract_when, end)},
    {.key = "format", .type = SCHEMA_STR, OPTIONAL, AT(extract_when, format), .max = 128},
    {.key = "zone", .type = SCHEMA_STR, OPTIONAL, AT(extract_when, zone), .max = 16},
};
static const struct schema when_schema = SCHEMA_OF("time", struct extract_when, when_fields);

static const struct schema_field extract_fields[] = {
    {.key = "actor", .type = SCHEMA_PTR, OPTIONAL, AT(extract_config, actor), .sub = &party_schema},
    {.key = "custom",
     .type = SCHEMA_DICT,
     OPTIONAL,
     AT(extract_config, custom),
     .max = 32,
     .key_max = 48,
     .item_max = EXTRACT_SPEC},
    {.key = "id", .type = SCHEMA_STR, AT(extract_config, id), .min = 1, .max = 64},
    {.key = "note", SPEC, OPTIONAL, AT(extract_config, note)},
    {.key = "objects", .type = SCHEMA_LIST, AT(extract_config, objects), .min = 1, .max = 64, .sub = &object_schema},
    {.key = "op", SPEC, AT(extract_config, op)},
    {.key = "pattern", .type = SCHEMA_STR, OPTIONAL, AT(extract_config, pattern), .max = EXTRACT_PATTERN},
    {.key = "status", .type = SCHEMA_PTR, OPTIONAL, AT(extract_config, status), .sub = &status_schema},
    {.key = "time", .type = SCHEMA_MAP, AT(extract_config, time), .sub = &when_schema},
    {.key = "type", .type = SCHEMA_ENUM, AT(extract_config, type), .names = extract_kind_names},
    {.key = "when",
     .type = SCHEMA_DICT,
     OPTIONAL,
     AT(extract_config, when),
     .max = 32,
     .key_max = EXTRACT_SPEC,
     .item_max = 256},
};
const struct schema extract_schema = SCHEMA_OF("extractor", struct extract_config, extract_fields);

struct extract_compile {
    struct extractor *x;
    struct yaml_doc *doc;
    const char *at; /* path of the extractor in doc */
    struct arena *a;
    struct err *e;
};

static enum err_code compile_refuse(const struct extract_compile *c, const char *field, const struct err *why) {
    char path[EXTRACT_AT];
    snprintf(path, sizeof path, "%s.%s", c->at, field);
    if (why->code == ERR_NO_MEMORY)
        return err_set(c->e, ERR_NO_MEMORY, "no memory for %s", path);
    return yaml_refuse(c->doc, c->e, path, "%s", why->text);
}

static struct slice trimmed(struct slice s) {
    while (s.len && s.ptr[0] == ' ')
        s = slice_from(s, 1);
    while (s.len && s.ptr[s.len - 1] == ' ')
        s.len--;
    return s;
}

static struct slice next_alternative(struct slice *rest) {
    struct slice s = *rest;
    size_t i;
    for (i = 0; i + 3 <= s.len; i++)
        if (memcmp(s.ptr + i, " | ", 3) == 0) {
            *rest = slice_from(s, i + 3);
            return trimmed(slice_of(s.ptr, i));
        }
    *rest = slice_none();
    return trimmed(s);
}

/* "a.b | c | =text" */
static enum err_code compile_spec(const struct extract_compile *c, const char *field, struct slice text,
                                  struct extract_spec *out) {
    struct extract_ref refs[EXTRACT_ALTERNATIVES], *kept;
    struct err why = {0};
    size_t n = 0;
    *out = (struct extract_spec){0};
    while (text.len) {
        struct extract_ref *ref = &refs[n];
        struct slice part = next_alternative(&text);
        *ref = (struct extract_ref){.text = part};
        if (part.len && part.ptr[0] == '=') {
            ref->constant = true;
            ref->text = trimmed(slice_from(part, 1));
        }
        if (!ref->text.len)
            err_set(&why, ERR_MALFORMED, "an empty alternative");
        else if (!ref->constant && c->x->type->place(c->x, ref, c->a, &why) != ERR_OK)
            err_wrap(&why, "%.*s", SLICE_ARG(part));
        if (why.code)
            return compile_refuse(c, field, &why);
        if (++n == EXTRACT_ALTERNATIVES && text.len) {
            err_set(&why, ERR_MALFORMED, "more than %d alternatives", EXTRACT_ALTERNATIVES);
            return compile_refuse(c, field, &why);
        }
    }
    if (n == 0)
        return ERR_OK;
    kept = arena_alloc(c->a, n, sizeof *kept);
    if (!kept)
        return err_set(c->e, ERR_NO_MEMORY, "no memory for an extractor");
    memcpy(kept, refs, n * sizeof *kept);
    *out = (struct extract_spec){kept, n};
    return ERR_OK;
}

static enum err_code compile_fields(const struct extract_compile *c, const char *field, const struct schema_list *dict,
                                    bool keys_are_places, struct extract_field **out) {
    const struct schema_pair *p = dict->items;
    uint32_t i;
    *out = NULL;
    if (!dict->count)
        return ERR_OK;
    *out = arena_alloc(c->a, dict->count, sizeof **out);
    if (!*out)
        return err_set(c->e, ERR_NO_MEMORY, "no memory for an extractor");
    for (i = 0; i < dict->count; i++) {
        char at[EXTRACT_AT];
        enum err_code rc;
        (*out)[i].key = p[i].key;
        snprintf(at, sizeof at, keys_are_places ? "%s" : "%s.%.*s", field, SLICE_ARG(p[i].key));
        rc = compile_spec(c, at, keys_are_places ? p[i].key : p[i].value, &(*out)[i].spec);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static enum err_code compile_object(const struct extract_compile *c, uint32_t i) {
    const struct extract_object *o = (const struct extract_object *)c->x->config->objects.items + i;
    struct extract_object_spec *s = &c->x->objects[i];
    char at[64];
    enum err_code rc;
    s->config = o;
    snprintf(at, sizeof at, "objects[%u]", i);
    if (o->each.len && c->x->config->type != EXTRACT_JSON) {
        struct err why = {0};
        err_set(&why, ERR_MALFORMED, "\"each\" is for JSON; \"split\" parts the names of a text");
        return compile_refuse(c, at, &why);
    }
    if ((rc = compile_spec(c, at, o->each, &s->each)) != ERR_OK ||
        (rc = compile_spec(c, at, o->name, &s->name)) != ERR_OK ||
        (rc = compile_spec(c, at, o->type, &s->type)) != ERR_OK)
        return rc;
    return compile_fields(c, at, &o->ext, false, &s->ext);
}

static enum err_code compile_pattern(const struct extract_compile *c, struct slice pattern) {
    struct err why = {0};
    if (!c->x->type->compile) {
        if (!pattern.len)
            return ERR_OK;
        err_set(&why, ERR_MALFORMED, "an extractor of type %s has none", c->x->type->name);
    } else if (!pattern.len) {
        err_set(&why, ERR_MALFORMED, "is missing: an extractor of type %s needs one", c->x->type->name);
    } else if (c->x->type->compile(c->x, pattern, &why) == ERR_OK) {
        return ERR_OK;
    }
    return compile_refuse(c, "pattern", &why);
}

static enum err_code compile_time(const struct extract_compile *c) {
    const struct extract_when *t = &c->x->config->time;
    struct err why = {0};
    if (time_text_compile(t->format, t->zone, &c->x->time, &why) != ERR_OK)
        return compile_refuse(c, t->zone.len && c->x->time.zoned == false ? "time.zone" : "time.format", &why);
    return ERR_OK;
}

enum err_code extract_compile(struct extractor *x, const struct extract_config *config, struct yaml_doc *doc,
                              const char *at, struct arena *a, struct err *e) {
    struct extract_compile c = {x, doc, at, a, e};
    enum err_code rc;
    uint32_t i;
    *x = (struct extractor){.config = config,
                            .type = config->type == EXTRACT_REGEX ? &extract_regex_type : &extract_json_type};
    x->objects = arena_alloc(a, config->objects.count, sizeof *x->objects);
    if (!x->objects)
        return err_set(e, ERR_NO_MEMORY, "no memory for an extractor");
    if ((rc = compile_pattern(&c, config->pattern)) != ERR_OK || (rc = compile_time(&c)) != ERR_OK ||
        (rc = compile_spec(&c, "op", config->op, &x->op)) != ERR_OK ||
        (rc = compile_spec(&c, "note", config->note, &x->note)) != ERR_OK ||
        (rc = compile_spec(&c, "time.at", config->time.at, &x->at)) != ERR_OK ||
        (rc = compile_spec(&c, "time.end", config->time.end, &x->end)) != ERR_OK ||
        (rc = compile_fields(&c, "custom", &config->custom, false, &x->custom)) != ERR_OK ||
        (rc = compile_fields(&c, "when", &config->when, true, &x->when)) != ERR_OK)
        return rc;
    if (config->actor && ((rc = compile_spec(&c, "actor.name", config->actor->name, &x->actor_name)) != ERR_OK ||
                          (rc = compile_spec(&c, "actor.type", config->actor->type, &x->actor_type)) != ERR_OK ||
                          (rc = compile_fields(&c, "actor.ext", &config->actor->ext, false, &x->actor_ext)) != ERR_OK))
        return rc;
    if (config->status && (rc = compile_spec(&c, "status.field", config->status->field, &x->status)) != ERR_OK)
        return rc;
    for (i = 0; i < config->objects.count; i++)
        if ((rc = compile_object(&c, i)) != ERR_OK)
            return rc;
    return ERR_OK;
}

enum err_code extract_compile_tag(struct extractor *x, struct slice pattern, struct slice server, struct slice service,
                                  struct yaml_doc *doc, const char *at, struct arena *a, struct err *e) {
    struct extract_compile c = {x, doc, at, a, e};
    enum err_code rc;
    *x = (struct extractor){.type = pattern.len ? &extract_regex_type : &extract_json_type};
    if ((rc = compile_pattern(&c, pattern)) != ERR_OK ||
        (rc = compile_spec(&c, "server", server, &x->actor_name)) != ERR_OK)
        return rc;
    return compile_spec(&c, "service", service, &x->actor_type);
}

void extract_release(struct extractor *x) {
    if (x->type && x->type->release)
        x->type->release(x);
}
