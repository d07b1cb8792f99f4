/* wire/yaml_fill.c -- a YAML tree becomes the members of a struct, or canonical bytes, by a schema's table.
 * Mistakes are gathered, so that an author sees them all at once. Recursion is bounded by LIMIT_DEPTH, which the tree
 * keeps. Depends on wire/yaml_scalar.h, wire/near.h. */
#include "wire/limits.h"
#include "wire/near.h"
#include "wire/pack.h"
#include "wire/yaml_scalar.h"
#include "wire/yaml_tree.h"

#include <stdio.h>

struct yaml_fill {
    struct yaml_doc *doc;
    struct yaml_path *path;
    struct err *e;
};

static size_t yaml_fill_push(struct yaml_path *p, const char *key, uint32_t index) {
    size_t before = p->len, room = sizeof p->text - p->len;
    int n = key ? snprintf(p->text + p->len, room, "%s%s", p->len ? "." : "", key)
                : snprintf(p->text + p->len, room, "[%u]", index);
    if (n > 0)
        p->len += (size_t)n < room ? (size_t)n : room - 1;
    return before;
}

static void yaml_fill_pop(struct yaml_path *p, size_t before) {
    p->len = before;
    p->text[before] = '\0';
}

static enum err_code yaml_fill_no_room(struct yaml_fill *f) {
    return err_set(f->e, ERR_TOO_LARGE, "%s: no room for the document", f->doc->name);
}

#define WRONG(f, n, ...) yaml_mistake_add((f)->doc, (n)->line, (f)->path->text, __VA_ARGS__)

static const char *yaml_fill_kind(const struct yaml_node *n) {
    return n->kind == YAML_SEQUENCE ? "a list" : n->kind == YAML_MAPPING ? "a mapping" : "a single value";
}

/* Is it a scalar with a value? Notes the mistake if not. */
static bool yaml_fill_scalar(struct yaml_fill *f, const struct yaml_node *n, const char *want) {
    if (n->kind != YAML_SCALAR)
        WRONG(f, n, "must be %s, not %s", want, yaml_fill_kind(n));
    else if (n->plain && yaml_scalar_null(n->text))
        WRONG(f, n, "has no value; leave the key out or write %s", want);
    else
        return true;
    return false;
}

static bool yaml_fill_is(struct yaml_fill *f, const struct yaml_node *n, enum yaml_kind kind) {
    if (n->kind == kind)
        return true;
    if (n->kind == YAML_SCALAR && n->plain && yaml_scalar_null(n->text))
        WRONG(f, n, "has no value; leave the key out or write %s", kind == YAML_SEQUENCE ? "a list" : "a mapping");
    else
        WRONG(f, n, "must be %s, not %s", kind == YAML_SEQUENCE ? "a list" : "a mapping", yaml_fill_kind(n));
    return false;
}

static void yaml_fill_length(struct yaml_fill *f, const struct yaml_node *n, size_t len, uint64_t min, uint64_t max,
                             const char *unit) {
    if (len > max)
        WRONG(f, n, "has %zu %s, at most %llu are allowed", len, unit, (unsigned long long)max);
    else if (len < min)
        WRONG(f, n, "has %zu %s, at least %llu are needed", len, unit, (unsigned long long)min);
}

/* ---- scalars ---- */

static void yaml_fill_u64(struct yaml_fill *f, const struct schema_field *s, const struct yaml_node *n, uint64_t *out) {
    if (!yaml_fill_scalar(f, n, "a whole number"))
        return;
    if (!n->plain || !yaml_scalar_u64(n->text, out))
        WRONG(f, n, "must be a whole number from 0 up, not \"%.*s\"", YAML_QUOTE(n->text));
    else if (*out < s->min)
        WRONG(f, n, "must be at least %llu", (unsigned long long)s->min);
    else if (s->max && *out > s->max)
        WRONG(f, n, "must be at most %llu", (unsigned long long)s->max);
}

static void yaml_fill_i64(struct yaml_fill *f, const struct yaml_node *n, int64_t *out) {
    if (!yaml_fill_scalar(f, n, "a whole number or a time"))
        return;
    if (!(n->plain && yaml_scalar_i64(n->text, out)) && !yaml_scalar_time(n->text, out))
        WRONG(f, n, "must be a whole number or a time such as 2026-01-31T08:00:00Z, not \"%.*s\"", YAML_QUOTE(n->text));
}

static void yaml_fill_bool(struct yaml_fill *f, const struct yaml_node *n, bool *out) {
    if (yaml_fill_scalar(f, n, "true or false") && !(n->plain && yaml_scalar_bool(n->text, out)))
        WRONG(f, n, "must be true or false, not \"%.*s\"", YAML_QUOTE(n->text));
}

static void yaml_fill_enum(struct yaml_fill *f, const struct schema_field *s, const struct yaml_node *n,
                           uint32_t *out) {
    char names[200] = "";
    size_t len = 0;
    uint32_t i;
    if (!yaml_fill_scalar(f, n, "one of the names"))
        return;
    for (i = 1; s->names[i]; i++) {
        int w;
        if (slice_eq_str(n->text, s->names[i])) {
            *out = i;
            return;
        }
        w = snprintf(names + len, sizeof names - len, "%s%s", i > 1 ? ", " : "", s->names[i]);
        len = w > 0 && (size_t)w < sizeof names - len ? len + (size_t)w : sizeof names - 1;
    }
    WRONG(f, n, "must be one of: %s; not \"%.*s\"", names, YAML_QUOTE(n->text));
}

static void yaml_fill_text(struct yaml_fill *f, const struct yaml_node *n, uint64_t min, uint64_t max,
                           struct slice *out) {
    if (!yaml_fill_scalar(f, n, "a text"))
        return;
    *out = n->text;
    yaml_fill_length(f, n, n->text.len, min, max, "bytes");
}

static enum err_code yaml_fill_bin(struct yaml_fill *f, const struct yaml_node *n, uint64_t min, uint64_t max,
                                   struct slice *out) {
    bool failed = false;
    if (!yaml_fill_scalar(f, n, "hex digits or base64"))
        return ERR_OK;
    if (yaml_scalar_bytes(n->text, &f->doc->arena, out, &failed)) {
        if (min == max && out->len != max)
            WRONG(f, n, "has %zu bytes, %llu are needed", out->len, (unsigned long long)max);
        else
            yaml_fill_length(f, n, out->len, min, max, "bytes");
    } else if (failed) {
        return yaml_fill_no_room(f);
    } else {
        WRONG(f, n, "must be hex digits or base64, not \"%.*s\"", YAML_QUOTE(n->text));
    }
    return ERR_OK;
}

static enum err_code yaml_fill_fixed(struct yaml_fill *f, const struct schema_field *s, const struct yaml_node *n,
                                     uint8_t *out) {
    struct slice bytes = slice_none();
    enum err_code rc = yaml_fill_bin(f, n, s->max, s->max, &bytes);
    if (rc == ERR_OK && bytes.ptr && bytes.len == s->max)
        memcpy(out, bytes.ptr, bytes.len);
    return rc;
}

/* ---- lists and dictionaries ---- */

static enum err_code yaml_fill_list(struct yaml_fill *f, const struct schema_field *s, const struct yaml_node *n,
                                    struct schema_list *out) {
    size_t size = s->type == SCHEMA_LIST ? s->sub->size : sizeof(struct slice);
    enum err_code rc = ERR_OK;
    uint32_t i;
    if (!yaml_fill_is(f, n, YAML_SEQUENCE))
        return ERR_OK;
    yaml_fill_length(f, n, n->count, s->min, s->max, "items");
    if (n->count == 0 || n->count > s->max)
        return ERR_OK;
    out->items = arena_alloc(&f->doc->arena, n->count, size);
    if (!out->items)
        return yaml_fill_no_room(f);
    out->count = n->count;
    for (i = 0; i < n->count && rc == ERR_OK; i++) {
        const struct yaml_node *v = n->items[i]->value;
        uint8_t *item = (uint8_t *)out->items + i * size;
        size_t before = yaml_fill_push(f->path, NULL, i);
        if (s->type == SCHEMA_LIST)
            rc = yaml_fill_struct(f->doc, v, f->path, s->sub, item, f->e);
        else if (s->type == SCHEMA_STRS)
            yaml_fill_text(f, v, 0, s->item_max, (struct slice *)(void *)item);
        else
            rc = yaml_fill_bin(f, v, 0, s->item_max, (struct slice *)(void *)item);
        yaml_fill_pop(f->path, before);
    }
    return rc;
}

static enum err_code yaml_fill_dict(struct yaml_fill *f, const struct schema_field *s, const struct yaml_node *n,
                                    struct schema_list *out) {
    struct schema_pair *pairs;
    uint32_t i;
    if (!yaml_fill_is(f, n, YAML_MAPPING))
        return ERR_OK;
    yaml_fill_length(f, n, n->count, s->min, s->max, "keys");
    if (n->count == 0 || n->count > s->max)
        return ERR_OK;
    pairs = arena_alloc(&f->doc->arena, n->count, sizeof *pairs);
    if (!pairs)
        return yaml_fill_no_room(f);
    *out = (struct schema_list){pairs, n->count};
    for (i = 0; i < n->count; i++) {
        const struct yaml_item *item = n->items[i];
        size_t before = yaml_fill_push(f->path, "", 0);
        pairs[i].key = item->key;
        if (item->key.len < 1 || item->key.len > s->key_max)
            WRONG(f, item->value, "key \"%.*s\" has %zu bytes; 1 to %u are allowed", YAML_QUOTE(item->key),
                  item->key.len, s->key_max);
        snprintf(f->path->text + f->path->len, sizeof f->path->text - f->path->len, "%.*s", YAML_QUOTE(item->key));
        yaml_fill_text(f, item->value, 0, s->item_max, &pairs[i].value);
        yaml_fill_pop(f->path, before);
    }
    return ERR_OK;
}

/* ---- raw ---- */

static enum err_code yaml_fill_pack(struct yaml_fill *f, const struct yaml_node *n, struct buf *b) {
    enum err_code rc = ERR_OK;
    uint32_t i;
    uint64_t u;
    int64_t v;
    bool flag;
    if (n->kind == YAML_SCALAR) {
        if (!n->plain)
            pack_str(b, n->text);
        else if (yaml_scalar_null(n->text))
            WRONG(f, n, "has no value; leave the key out, or write \"\" for an empty text");
        else if (yaml_scalar_u64(n->text, &u))
            pack_u64(b, u);
        else if (yaml_scalar_i64(n->text, &v))
            pack_i64(b, v);
        else if (yaml_scalar_bool(n->text, &flag))
            pack_bool(b, flag);
        else
            pack_str(b, n->text);
        return ERR_OK;
    }
    if (n->kind == YAML_SEQUENCE)
        pack_array(b, n->count);
    else
        pack_map(b, n->count);
    for (i = 0; i < n->count && rc == ERR_OK; i++) {
        char key[YAML_QUOTED + 1];
        size_t before;
        if (n->kind == YAML_MAPPING) {
            pack_str(b, n->items[i]->key);
            snprintf(key, sizeof key, "%.*s", YAML_QUOTE(n->items[i]->key));
        }
        before = yaml_fill_push(f->path, n->kind == YAML_MAPPING ? key : NULL, i);
        rc = yaml_fill_pack(f, n->items[i]->value, b);
        yaml_fill_pop(f->path, before);
    }
    return rc;
}

enum err_code yaml_fill_raw(struct yaml_doc *doc, const struct yaml_node *n, struct yaml_path *p, struct slice *out,
                            struct err *e) {
    struct yaml_fill f = {doc, p, e};
    struct buf b;
    enum err_code rc;
    buf_init(&b, YAML_SIZE * 2);
    rc = yaml_fill_pack(&f, n, &b);
    if (rc == ERR_OK)
        rc = buf_check(&b, e);
    if (rc == ERR_OK) {
        *out = arena_copy(&doc->arena, buf_slice(&b));
        if (b.len > 0 && !out->ptr)
            rc = yaml_fill_no_room(&f);
    }
    buf_release(&b);
    return rc;
}

/* ---- structs ---- */

static enum err_code yaml_fill_value(struct yaml_fill *f, const struct schema_field *s, const struct yaml_node *n,
                                     uint8_t *at) {
    void *v = at;
    enum err_code rc;
    switch (s->type) {
    case SCHEMA_U64:
        return (yaml_fill_u64(f, s, n, v), ERR_OK);
    case SCHEMA_I64:
        return (yaml_fill_i64(f, n, v), ERR_OK);
    case SCHEMA_BOOL:
        return (yaml_fill_bool(f, n, v), ERR_OK);
    case SCHEMA_ENUM:
        return (yaml_fill_enum(f, s, n, v), ERR_OK);
    case SCHEMA_STR:
        return (yaml_fill_text(f, n, s->min, s->max, v), ERR_OK);
    case SCHEMA_BIN:
        return yaml_fill_bin(f, n, s->min, s->max, v);
    case SCHEMA_RAW:
        rc = yaml_fill_raw(f->doc, n, f->path, v, f->e);
        if (rc == ERR_OK)
            yaml_fill_length(f, n, ((struct slice *)v)->len, s->min, s->max, "bytes");
        return rc;
    case SCHEMA_FIXED:
        return yaml_fill_fixed(f, s, n, at);
    case SCHEMA_MAP:
        return yaml_fill_struct(f->doc, n, f->path, s->sub, v, f->e);
    case SCHEMA_PTR: {
        void *sub = arena_alloc(&f->doc->arena, 1, s->sub->size);
        *(void **)v = sub;
        return sub ? yaml_fill_struct(f->doc, n, f->path, s->sub, sub, f->e) : yaml_fill_no_room(f);
    }
    case SCHEMA_LIST:
    case SCHEMA_STRS:
    case SCHEMA_BINS:
        return yaml_fill_list(f, s, n, v);
    case SCHEMA_DICT:
        return yaml_fill_dict(f, s, n, v);
    }
    return err_set(f->e, ERR_INTERNAL, "unknown field type %d", (int)s->type);
}

static void yaml_fill_unknown(struct yaml_fill *f, const struct schema *s, const struct yaml_item *item) {
    size_t i, best = s->count;
    for (i = 0; i < s->count; i++) {
        struct slice key = slice_str(s->fields[i].key);
        if (near_enough(item->key, key) &&
            (best == s->count ||
             near_distance(item->key, key) < near_distance(item->key, slice_str(s->fields[best].key))))
            best = i;
    }
    yaml_mistake_add(f->doc, item->key_line, f->path->text, "unknown key \"%.*s\"%s%s%s", YAML_QUOTE(item->key),
                     best < s->count ? " (did you mean \"" : "", best < s->count ? s->fields[best].key : "",
                     best < s->count ? "\"?)" : "");
}

enum err_code yaml_fill_struct(struct yaml_doc *doc, const struct yaml_node *n, struct yaml_path *p,
                               const struct schema *s, void *out, struct err *e) {
    struct yaml_fill f = {doc, p, e};
    bool seen[64] = {false};
    enum err_code rc = ERR_OK;
    uint32_t i;
    size_t k;
    ERR_ASSERT(s->count <= 64);
    memset(out, 0, s->size);
    if (!yaml_fill_is(&f, n, YAML_MAPPING))
        return ERR_OK;
    for (i = 0; i < n->count && rc == ERR_OK; i++) {
        size_t before;
        k = schema_find(s, n->items[i]->key);
        if (k == s->count) {
            yaml_fill_unknown(&f, s, n->items[i]);
            continue;
        }
        seen[k] = true;
        before = yaml_fill_push(p, s->fields[k].key, 0);
        rc = yaml_fill_value(&f, &s->fields[k], n->items[i]->value, (uint8_t *)out + s->fields[k].offset);
        yaml_fill_pop(p, before);
    }
    for (k = 0; k < s->count && rc == ERR_OK; k++)
        if (!seen[k] && !(s->fields[k].flags & SCHEMA_OPTIONAL))
            WRONG(&f, n, "\"%s\" is missing", s->fields[k].key);
    return rc;
}
