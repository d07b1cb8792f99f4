/* wire/schema.c -- see schema.h. Reading is one pass over the cursor, recursive only as deep as the tables are. */
#include "wire/schema.h"

#include "wire/limits.h"
#include "wire/pack.h"

#include <stdlib.h>

static enum err_code schema_value(const struct schema_field *f, struct cursor *c, struct arena *a, uint8_t *at,
                                  struct err *e);
static void schema_put(const struct schema_field *f, const uint8_t *at, struct buf *b);

static bool schema_zero(const uint8_t *p, size_t len) {
    size_t i;
    for (i = 0; i < len; i++)
        if (p[i])
            return false;
    return true;
}

static bool schema_struct_empty(const struct schema *s, const uint8_t *in);

/* Does the member hold its empty value, which canonical form leaves out? */
static bool schema_empty(const struct schema_field *f, const uint8_t *at) {
    switch (f->type) {
    case SCHEMA_U64:
        return *(const uint64_t *)(const void *)at == 0;
    case SCHEMA_I64:
        return *(const int64_t *)(const void *)at == 0;
    case SCHEMA_BOOL:
        return !*(const bool *)at;
    case SCHEMA_ENUM:
        return *(const uint32_t *)(const void *)at == 0;
    case SCHEMA_STR:
    case SCHEMA_BIN:
    case SCHEMA_RAW:
        return ((const struct slice *)(const void *)at)->len == 0;
    case SCHEMA_FIXED:
        return schema_zero(at, (size_t)f->max);
    case SCHEMA_MAP:
        return schema_struct_empty(f->sub, at);
    case SCHEMA_PTR:
        return *(void *const *)(const void *)at == NULL;
    case SCHEMA_LIST:
    case SCHEMA_STRS:
    case SCHEMA_BINS:
    case SCHEMA_DICT:
        return ((const struct schema_list *)(const void *)at)->count == 0;
    }
    return true;
}

static bool schema_struct_empty(const struct schema *s, const uint8_t *in) {
    size_t i;
    for (i = 0; i < s->count; i++)
        if (!(s->fields[i].flags & SCHEMA_OPTIONAL) || !schema_empty(&s->fields[i], in + s->fields[i].offset))
            return false;
    return true;
}

size_t schema_find(const struct schema *s, struct slice key) {
    size_t lo = 0, hi = s->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = slice_cmp(slice_str(s->fields[mid].key), key);
        if (c == 0)
            return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return s->count;
}

/* ---- reading ---- */

static enum err_code schema_length(size_t len, uint64_t min, uint64_t max, const char *unit, struct err *e) {
    if (len > max)
        return err_set(e, ERR_TOO_LARGE, "%zu %s (at most %llu)", len, unit, (unsigned long long)max);
    if (len < min)
        return err_set(e, ERR_MALFORMED, "%zu %s (at least %llu)", len, unit, (unsigned long long)min);
    return ERR_OK;
}

static enum err_code schema_enum(const struct schema_field *f, struct cursor *c, uint32_t *out, struct err *e) {
    struct slice text;
    enum err_code rc = cursor_str(c, &text, e);
    uint32_t i;
    if (rc != ERR_OK)
        return rc;
    for (i = 1; f->names[i]; i++)
        if (slice_eq_str(text, f->names[i])) {
            *out = i;
            return ERR_OK;
        }
    return err_set(e, ERR_MALFORMED, "\"%.*s\" is not one of its values", (int)(text.len < 40 ? text.len : 40),
                   (const char *)text.ptr);
}

static enum err_code schema_bytes(const struct schema_field *f, struct cursor *c, struct slice *out, struct err *e) {
    enum err_code rc;
    if (f->type == SCHEMA_STR)
        rc = cursor_str(c, out, e);
    else if (f->type == SCHEMA_BIN)
        rc = cursor_bin(c, out, e);
    else
        rc = cursor_skip(c, LIMIT_DEPTH, out, e);
    return rc == ERR_OK ? schema_length(out->len, f->min, f->max, "bytes", e) : rc;
}

/* What a full arena means: the document is too large, or memory is short, which is nobody's fault. */
static enum err_code schema_no_room(const struct arena *a, struct err *e) {
    if (arena_no_memory(a))
        return err_set(e, ERR_NO_MEMORY, "no memory");
    return err_set(e, ERR_TOO_LARGE, "more than %zu bytes when read", a->max);
}

static enum err_code schema_items(struct schema_list *list, uint32_t count, size_t size, struct arena *a,
                                  struct err *e) {
    list->count = count;
    list->items = arena_alloc(a, count, size);
    return list->items ? ERR_OK : schema_no_room(a, e);
}

static enum err_code schema_list(const struct schema_field *f, struct cursor *c, struct arena *a,
                                 struct schema_list *out, struct err *e) {
    uint32_t count, i;
    size_t size = f->type == SCHEMA_LIST ? f->sub->size : sizeof(struct slice);
    enum err_code rc = cursor_array(c, &count, e);
    if (rc != ERR_OK || (rc = schema_length(count, f->min, f->max, "items", e)) != ERR_OK || count == 0)
        return rc;
    if ((rc = schema_items(out, count, size, a, e)) != ERR_OK)
        return rc;
    for (i = 0; i < count && rc == ERR_OK; i++) {
        uint8_t *item = (uint8_t *)out->items + i * size;
        struct slice *text = (struct slice *)(void *)item;
        if (f->type == SCHEMA_LIST)
            rc = schema_read_at(f->sub, c, a, item, e);
        else if (f->type == SCHEMA_STRS)
            rc = cursor_str(c, text, e);
        else
            rc = cursor_bin(c, text, e);
        if (rc == ERR_OK && f->type != SCHEMA_LIST)
            rc = schema_length(text->len, 0, f->item_max, "bytes", e);
        if (rc != ERR_OK)
            err_wrap(e, "item %u", i);
    }
    return rc;
}

static enum err_code schema_dict(const struct schema_field *f, struct cursor *c, struct arena *a,
                                 struct schema_list *out, struct err *e) {
    uint32_t count, i;
    struct schema_pair *pairs;
    enum err_code rc = cursor_map(c, &count, e);
    if (rc != ERR_OK || (rc = schema_length(count, f->min, f->max, "items", e)) != ERR_OK || count == 0)
        return rc;
    if ((rc = schema_items(out, count, sizeof *pairs, a, e)) != ERR_OK)
        return rc;
    pairs = out->items;
    for (i = 0; i < count; i++) {
        if ((rc = cursor_str(c, &pairs[i].key, e)) != ERR_OK ||
            (rc = schema_length(pairs[i].key.len, 1, f->key_max, "bytes in a key", e)) != ERR_OK)
            return rc;
        if (i > 0 && slice_cmp(pairs[i - 1].key, pairs[i].key) >= 0)
            return err_set(e, ERR_MALFORMED, "key \"%.*s\" is repeated or not in order", SLICE_ARG(pairs[i].key));
        if ((rc = cursor_str(c, &pairs[i].value, e)) == ERR_OK)
            rc = schema_length(pairs[i].value.len, 0, f->item_max, "bytes", e);
        if (rc != ERR_OK) {
            err_wrap(e, "%.*s", SLICE_ARG(pairs[i].key));
            return rc;
        }
    }
    return ERR_OK;
}

static enum err_code schema_value(const struct schema_field *f, struct cursor *c, struct arena *a, uint8_t *at,
                                  struct err *e) {
    enum err_code rc = ERR_INTERNAL;
    struct slice bytes;
    uint64_t n;
    switch (f->type) {
    case SCHEMA_U64:
        if ((rc = cursor_u64(c, &n, e)) != ERR_OK)
            return rc;
        if (n < f->min || (f->max && n > f->max))
            return err_set(e, ERR_MALFORMED, "%llu is out of range", (unsigned long long)n);
        *(uint64_t *)(void *)at = n;
        return ERR_OK;
    case SCHEMA_I64:
        return cursor_i64(c, (int64_t *)(void *)at, e);
    case SCHEMA_BOOL:
        return cursor_bool(c, (bool *)at, e);
    case SCHEMA_ENUM:
        return schema_enum(f, c, (uint32_t *)(void *)at, e);
    case SCHEMA_STR:
    case SCHEMA_BIN:
    case SCHEMA_RAW:
        return schema_bytes(f, c, (struct slice *)(void *)at, e);
    case SCHEMA_FIXED:
        if ((rc = cursor_bin(c, &bytes, e)) != ERR_OK)
            return rc;
        if (bytes.len != f->max)
            return err_set(e, ERR_MALFORMED, "%zu bytes instead of %llu", bytes.len, (unsigned long long)f->max);
        memcpy(at, bytes.ptr, bytes.len);
        return ERR_OK;
    case SCHEMA_MAP:
        return schema_read_at(f->sub, c, a, at, e);
    case SCHEMA_PTR: {
        void *sub = arena_alloc(a, 1, f->sub->size);
        if (!sub)
            return schema_no_room(a, e);
        *(void **)(void *)at = sub;
        return schema_read_at(f->sub, c, a, sub, e);
    }
    case SCHEMA_LIST:
    case SCHEMA_STRS:
    case SCHEMA_BINS:
        return schema_list(f, c, a, (struct schema_list *)(void *)at, e);
    case SCHEMA_DICT:
        return schema_dict(f, c, a, (struct schema_list *)(void *)at, e);
    }
    return rc;
}

/* The fields of the table from index `from` up to `to` are not in the bytes: each must be optional. */
static enum err_code schema_absent(const struct schema *s, size_t from, size_t to, struct err *e) {
    for (; from < to; from++)
        if (!(s->fields[from].flags & SCHEMA_OPTIONAL))
            return err_set(e, ERR_MALFORMED, "%s: \"%s\" is missing", s->name, s->fields[from].key);
    return ERR_OK;
}

enum err_code schema_read_at(const struct schema *s, struct cursor *c, struct arena *a, void *out, struct err *e) {
    uint32_t count, i;
    size_t next = 0; /* the first field of the table that has not been passed */
    enum err_code rc;
    memset(out, 0, s->size);
    if ((rc = cursor_map(c, &count, e)) != ERR_OK) {
        err_wrap(e, "%s", s->name);
        return rc;
    }
    for (i = 0; i < count; i++) {
        struct slice key;
        size_t at;
        if ((rc = cursor_str(c, &key, e)) != ERR_OK) {
            err_wrap(e, "%s", s->name);
            return rc;
        }
        at = schema_find(s, key);
        if (at == s->count)
            return err_set(e, ERR_MALFORMED, "%s: unknown key \"%.*s\"", s->name, (int)(key.len < 64 ? key.len : 64),
                           (const char *)key.ptr);
        if (at < next)
            return err_set(e, ERR_MALFORMED, "%s: key \"%s\" is repeated or not in order", s->name, s->fields[at].key);
        if ((rc = schema_absent(s, next, at, e)) != ERR_OK)
            return rc;
        rc = schema_value(&s->fields[at], c, a, (uint8_t *)out + s->fields[at].offset, e);
        if (rc != ERR_OK) {
            err_wrap(e, "%s.%s", s->name, s->fields[at].key);
            return rc;
        }
        if ((s->fields[at].flags & SCHEMA_OPTIONAL) &&
            schema_empty(&s->fields[at], (const uint8_t *)out + s->fields[at].offset))
            return err_set(e, ERR_MALFORMED, "%s.%s: empty, so it must be left out", s->name, s->fields[at].key);
        next = at + 1;
    }
    return schema_absent(s, next, s->count, e);
}

enum err_code schema_read(const struct schema *s, struct slice bytes, struct arena *a, void *out, struct err *e) {
    struct cursor c;
    enum err_code rc;
    cursor_init(&c, bytes);
    rc = schema_read_at(s, &c, a, out, e);
    if (rc == ERR_OK && !cursor_done(&c))
        rc = err_set(e, ERR_MALFORMED, "%s: bytes behind its end", s->name);
    return rc;
}

/* ---- writing ---- */

static void schema_put_list(const struct schema_field *f, const struct schema_list *list, struct buf *b) {
    uint32_t i;
    const struct slice *texts = list->items;
    const struct schema_pair *pairs = list->items;
    if (f->type == SCHEMA_DICT)
        pack_map(b, list->count);
    else
        pack_array(b, list->count);
    for (i = 0; i < list->count; i++) {
        if (f->type == SCHEMA_LIST)
            schema_write(f->sub, (const uint8_t *)list->items + i * f->sub->size, b);
        else if (f->type == SCHEMA_STRS)
            pack_str(b, texts[i]);
        else if (f->type == SCHEMA_BINS)
            pack_bin(b, texts[i]);
        else {
            pack_str(b, pairs[i].key);
            pack_str(b, pairs[i].value);
        }
    }
}

static void schema_put(const struct schema_field *f, const uint8_t *at, struct buf *b) {
    switch (f->type) {
    case SCHEMA_U64:
        pack_u64(b, *(const uint64_t *)(const void *)at);
        break;
    case SCHEMA_I64:
        pack_i64(b, *(const int64_t *)(const void *)at);
        break;
    case SCHEMA_BOOL:
        pack_bool(b, *(const bool *)at);
        break;
    case SCHEMA_ENUM: {
        uint32_t i, value = *(const uint32_t *)(const void *)at;
        for (i = 1; i < value && f->names[i]; i++)
            continue;
        if (value == 0 || !f->names[i]) {
            b->failed = true;
            break;
        }
        pack_cstr(b, f->names[value]);
        break;
    }
    case SCHEMA_STR:
        pack_str(b, *(const struct slice *)(const void *)at);
        break;
    case SCHEMA_BIN:
        pack_bin(b, *(const struct slice *)(const void *)at);
        break;
    case SCHEMA_RAW:
        buf_append(b, *(const struct slice *)(const void *)at);
        break;
    case SCHEMA_FIXED:
        pack_bin(b, slice_of(at, (size_t)f->max));
        break;
    case SCHEMA_MAP:
        schema_write(f->sub, at, b);
        break;
    case SCHEMA_PTR:
        schema_write(f->sub, *(void *const *)(const void *)at, b);
        break;
    case SCHEMA_LIST:
    case SCHEMA_STRS:
    case SCHEMA_BINS:
    case SCHEMA_DICT:
        schema_put_list(f, (const struct schema_list *)(const void *)at, b);
        break;
    }
}

void schema_write(const struct schema *s, const void *in, struct buf *b) {
    const uint8_t *base = in;
    uint32_t count = 0;
    size_t i;
    bool present[64];
    ERR_ASSERT(s->count <= 64);
    for (i = 0; i < s->count; i++) {
        const struct schema_field *f = &s->fields[i];
        ERR_ASSERT(i == 0 || strcmp(s->fields[i - 1].key, f->key) < 0);
        present[i] = !(f->flags & SCHEMA_OPTIONAL) || !schema_empty(f, base + f->offset);
        count += present[i];
    }
    pack_map(b, count);
    for (i = 0; i < s->count; i++) {
        if (!present[i])
            continue;
        pack_cstr(b, s->fields[i].key);
        schema_put(&s->fields[i], base + s->fields[i].offset, b);
    }
}

enum err_code schema_check(const struct schema *s, const void *in, struct err *e) {
    struct buf b;
    struct arena a;
    void *copy;
    enum err_code rc;
    buf_init(&b, LIMIT_MESSAGE);
    arena_init(&a, LIMIT_MESSAGE);
    schema_write(s, in, &b);
    rc = buf_check(&b, e);
    if (rc == ERR_OK) {
        copy = arena_alloc(&a, 1, s->size);
        rc = copy ? schema_read(s, buf_slice(&b), &a, copy, e) : err_set(e, ERR_NO_MEMORY, "%s: no memory", s->name);
    }
    arena_release(&a);
    buf_release(&b);
    return rc;
}

/* ---- dictionaries ---- */

static int schema_pair_cmp(const void *x, const void *y) {
    return slice_cmp(((const struct schema_pair *)x)->key, ((const struct schema_pair *)y)->key);
}

enum err_code schema_sort_pairs(struct schema_list *dict, struct err *e) {
    struct schema_pair *p = dict->items;
    uint32_t i;
    if (dict->count > 1)
        qsort(p, dict->count, sizeof *p, schema_pair_cmp);
    for (i = 1; i < dict->count; i++)
        if (slice_eq(p[i - 1].key, p[i].key))
            return err_set(e, ERR_CONFLICT, "key \"%.*s\" twice", SLICE_ARG(p[i].key));
    return ERR_OK;
}

struct slice schema_pair_get(const struct schema_list *dict, struct slice key) {
    const struct schema_pair *p = dict->items;
    uint32_t i;
    for (i = 0; i < dict->count; i++)
        if (slice_eq(p[i].key, key))
            return p[i].value;
    return slice_none();
}
