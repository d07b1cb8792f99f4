/* node/ingest/extend.c -- see extend.h. */
#include "node/ingest/extend.h"

#include <stdio.h>

enum { EXTEND_FIELDS = 32 /* of one ext, as a record holds */, EXTEND_ELEMENT = 48 };

struct extending {
    const struct ingest_config *config;
    const struct audit_version *standards[AUDIT_STATE_CITED];
    size_t standard_count;
    bool free; /* no standards at hand: take all that is configured */
    struct arena *arena;
    struct err *e;
};

static bool extend_applies(struct slice element, const char *thing) {
    return slice_eq_str(element, thing) || (slice_eq_str(element, "object:*") && strncmp(thing, "object:", 7) == 0);
}

/* May this field stand in the record, in clear? */
static bool extend_wanted(const struct extending *x, const char *thing, struct slice name) {
    bool wanted = x->free;
    size_t s;
    uint32_t i, j;
    for (s = 0; s < x->standard_count; s++) {
        const struct standard_ext *body = &x->standards[s]->std->body.ext;
        const struct standard_element *el = body->elements.items;
        for (i = 0; i < body->elements.count; i++) {
            const struct standard_field *f = el[i].fields.items;
            for (j = 0; extend_applies(el[i].element, thing) && j < el[i].fields.count; j++) {
                if (!slice_eq(f[j].name, name))
                    continue;
                if (f[j].protect && f[j].protect != STANDARD_P_NONE)
                    return false;
                wanted = true;
            }
        }
    }
    return wanted;
}

static bool extend_has(const struct schema_pair *p, uint32_t count, struct slice key) {
    uint32_t i;
    for (i = 0; i < count; i++)
        if (slice_eq(p[i].key, key))
            return true;
    return false;
}

struct extend_out {
    struct schema_pair *pairs;
    uint32_t count;
};

static void extend_add(const struct extending *x, const char *thing, struct extend_out *out, struct slice key,
                       struct slice value) {
    if (!value.len || out->count == EXTEND_FIELDS || extend_has(out->pairs, out->count, key) ||
        !extend_wanted(x, thing, key))
        return;
    out->pairs[out->count++] = (struct schema_pair){key, value};
}

static const struct lookup *extend_table(const struct extending *x, struct slice id) {
    const struct ingest_table *t = x->config->body.tables.items;
    uint32_t i;
    for (i = 0; i < x->config->body.tables.count; i++)
        if (slice_eq(t[i].id, id))
            return x->config->tables[i];
    return NULL;
}

/* A row's cells: renamed columns first, then those that have a field's own name. */
static void extend_row(const struct extending *x, const char *thing, const struct ingest_extend *plugin,
                       struct slice key, struct extend_out *out) {
    const struct lookup *t = extend_table(x, plugin->table);
    const struct schema_pair *renamed = plugin->columns.items;
    int64_t row = t ? lookup_find(t, key) : -1;
    size_t i;
    if (row < 0)
        return;
    for (i = 0; i < plugin->columns.count; i++)
        extend_add(x, thing, out, renamed[i].key, lookup_cell(t, row, lookup_column(t, renamed[i].value)));
    for (i = 0; i < lookup_columns(t); i++)
        if (!slice_eq(lookup_cell(t, row, (int)i), key) || !x->free)
            extend_add(x, thing, out, lookup_column_name(t, i), lookup_cell(t, row, (int)i));
}

static enum err_code extend_party(const struct extending *x, const char *thing, struct slice name,
                                  struct schema_list *ext) {
    const struct ingest_extend *plugins = x->config->body.extend.items;
    const struct schema_pair *own = ext->items;
    struct extend_out out = {arena_alloc(x->arena, EXTEND_FIELDS, sizeof(struct schema_pair)), 0};
    uint32_t i;
    if (!out.pairs)
        return err_set(x->e, ERR_NO_MEMORY, "no memory to extend %s", thing);
    for (i = 0; i < ext->count; i++)
        extend_add(x, thing, &out, own[i].key, own[i].value);
    for (i = 0; i < x->config->body.extend.count; i++)
        if (slice_eq_str(plugins[i].element, thing))
            extend_row(x, thing, &plugins[i], name, &out);
    *ext = (struct schema_list){out.count ? out.pairs : NULL, out.count};
    return schema_sort_pairs(ext, x->e);
}

enum err_code extend_record(const struct ingest_config *c, const struct audit_state *state, int64_t now,
                            struct arena *a, struct record *r, struct err *e) {
    struct extending x = {.config = c, .free = state == NULL, .arena = a, .e = e};
    struct record_object *o = r->objects.items;
    enum err_code rc;
    uint32_t i;
    if (state)
        x.standard_count = audit_state_active_all(state, STANDARD_EXT, now, x.standards, AUDIT_STATE_CITED);
    if ((rc = extend_party(&x, "actor", r->actor.name, &r->actor.ext)) != ERR_OK)
        return rc;
    for (i = 0; i < r->objects.count; i++) {
        char thing[EXTEND_ELEMENT];
        snprintf(thing, sizeof thing, "object:%.*s", SLICE_ARG(o[i].type));
        if ((rc = extend_party(&x, thing, o[i].name, &o[i].ext)) != ERR_OK)
            return rc;
    }
    return ERR_OK;
}
