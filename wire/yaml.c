/* wire/yaml.c -- see yaml.h. libyaml's events become a tree in the arena (one pass, a stack of LIMIT_DEPTH), checked
 * for what the strict form refuses; then the tree is walked beside a schema. This is yaml_fill.c's part.
 * Depends on libyaml, wire/yaml_scalar.h. */
#include "wire/limits.h"
#include "wire/yaml_scalar.h"
#include "wire/yaml_tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

enum { YAML_ARENA = 64 << 20 };

void yaml_init(struct yaml_doc *doc) {
    memset(doc, 0, sizeof *doc);
    arena_init(&doc->arena, YAML_ARENA);
    doc->name = "";
}

void yaml_release(struct yaml_doc *doc) {
    arena_release(&doc->arena);
    yaml_init(doc);
}

/* ---- mistakes ---- */

static void yaml_mistake_v(struct yaml_doc *doc, unsigned line, const char *path, const char *fmt, va_list ap) {
    char text[sizeof((struct err *)0)->text];
    struct yaml_mistake *m;
    if (doc->mistake_count == YAML_MISTAKES)
        return;
    vsnprintf(text, sizeof text, fmt, ap);
    m = &doc->mistakes[doc->mistake_count++];
    m->line = line + doc->line_base;
    m->path = arena_cstr(&doc->arena, slice_str(path));
    m->text = arena_cstr(&doc->arena, slice_str(text));
    if (!m->path || !m->text) {
        m->path = "";
        m->text = "(no memory to say what is wrong)";
    }
}

void yaml_mistake_add(struct yaml_doc *doc, unsigned line, const char *path, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    yaml_mistake_v(doc, line, path, fmt, ap);
    va_end(ap);
}

static enum err_code yaml_tell(const struct yaml_doc *doc, const struct yaml_mistake *m, size_t more, struct err *e) {
    char rest[40] = "";
    if (more > 0)
        snprintf(rest, sizeof rest, " (and %zu more)", more);
    return err_set(e, ERR_CONFIG, "%s:%u: %s%s%s%s", doc->name, m->line, m->path, m->path[0] ? ": " : "", m->text,
                   rest);
}

/* The verdict over all that was gathered since `from`, now in the order of their lines. */
static enum err_code yaml_verdict(struct yaml_doc *doc, size_t from, struct err *e) {
    size_t i, j;
    if (doc->mistake_count == from)
        return ERR_OK;
    for (i = from + 1; i < doc->mistake_count; i++) {
        struct yaml_mistake m = doc->mistakes[i];
        for (j = i; j > from && doc->mistakes[j - 1].line > m.line; j--)
            doc->mistakes[j] = doc->mistakes[j - 1];
        doc->mistakes[j] = m;
    }
    return yaml_tell(doc, &doc->mistakes[from], doc->mistake_count - from - 1, e);
}

static enum err_code yaml_no_room(const struct yaml_doc *doc, struct err *e) {
    return err_set(e, ERR_TOO_LARGE, "%s: no room for the document", doc->name);
}

/* ---- events to tree ---- */

struct yaml_load_state {
    struct yaml_doc *doc;
    struct yaml_node *open[LIMIT_DEPTH];
    unsigned depth, nodes, documents;
    struct slice key; /* of the mapping entry whose value comes next */
    unsigned key_line;
    bool have_key;
};

static int yaml_item_cmp(const void *x, const void *y) {
    const struct yaml_item *a = *(struct yaml_item *const *)x, *b = *(struct yaml_item *const *)y;
    int c = slice_cmp(a->key, b->key);
    return c ? c : (a->key_line > b->key_line) - (a->key_line < b->key_line);
}

/* A container is complete: its items become an array, a mapping's sorted. False: no memory. */
static bool yaml_close(struct yaml_doc *doc, struct yaml_node *n) {
    struct yaml_item *i;
    uint32_t at = 0;
    ERR_ASSERT(n);
    n->items = arena_alloc(&doc->arena, n->count, sizeof *n->items);
    if (n->count > 0 && !n->items)
        return false;
    for (i = n->first; i; i = i->next)
        n->items[at++] = i;
    if (n->kind != YAML_MAPPING || n->count < 2)
        return true;
    qsort(n->items, n->count, sizeof *n->items, yaml_item_cmp);
    for (at = 1; at < n->count; at++)
        if (slice_eq(n->items[at - 1]->key, n->items[at]->key))
            yaml_mistake_add(doc, n->items[at]->key_line, "", "key \"%.*s\" is there twice (first in line %u)",
                             YAML_QUOTE(n->items[at]->key), n->items[at - 1]->key_line + doc->line_base);
    return true;
}

/* Puts a node where the open container (or the document) expects one. False: no memory. */
static bool yaml_place(struct yaml_load_state *s, struct yaml_node *n) {
    struct yaml_node *in = s->depth ? s->open[s->depth - 1] : NULL;
    struct yaml_item *i;
    if (!in) {
        s->doc->root = n;
        return true;
    }
    i = arena_alloc(&s->doc->arena, 1, sizeof *i);
    if (!i)
        return false;
    *i = (struct yaml_item){.value = n};
    if (in->kind == YAML_MAPPING) {
        i->key = s->key;
        i->key_line = s->key_line;
    }
    if (in->last)
        in->last->next = i;
    else
        in->first = i;
    in->last = i;
    in->count++;
    s->have_key = false;
    return true;
}

static bool yaml_expects_key(const struct yaml_load_state *s) {
    return s->depth > 0 && s->open[s->depth - 1]->kind == YAML_MAPPING && !s->have_key;
}

static enum err_code yaml_on_scalar(struct yaml_load_state *s, const yaml_event_t *ev, unsigned line, struct err *e) {
    struct yaml_doc *doc = s->doc;
    struct slice text = arena_copy(&doc->arena, slice_of(ev->data.scalar.value, ev->data.scalar.length));
    struct yaml_node *n;
    enum err_code rc;
    if (!text.ptr)
        return yaml_no_room(doc, e);
    rc = yaml_scalar_nfc(text, &doc->arena, &text, e);
    if (rc != ERR_OK)
        return rc;
    if (yaml_expects_key(s)) {
        s->key = text;
        s->key_line = line;
        s->have_key = true;
        return ERR_OK;
    }
    n = arena_alloc(&doc->arena, 1, sizeof *n);
    if (!n)
        return yaml_no_room(doc, e);
    n->kind = YAML_SCALAR;
    n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    n->line = line;
    n->text = text;
    return yaml_place(s, n) ? ERR_OK : yaml_no_room(doc, e);
}

static enum err_code yaml_on_open(struct yaml_load_state *s, enum yaml_kind kind, unsigned line, struct err *e) {
    struct yaml_node *n;
    if (yaml_expects_key(s)) {
        yaml_mistake_add(s->doc, line, "", "a key must be a text");
        return yaml_verdict(s->doc, 0, e);
    }
    if (s->depth == LIMIT_DEPTH) {
        yaml_mistake_add(s->doc, line, "", "nested more than %d deep", LIMIT_DEPTH);
        return yaml_verdict(s->doc, 0, e);
    }
    n = arena_alloc(&s->doc->arena, 1, sizeof *n);
    if (!n || (n->kind = kind, n->line = line, !yaml_place(s, n)))
        return yaml_no_room(s->doc, e);
    s->open[s->depth++] = n;
    return ERR_OK;
}

/* Anchors, aliases and tags make a document mean something else than it shows. */
static enum err_code yaml_on_odd(struct yaml_load_state *s, const yaml_event_t *ev, unsigned line, struct err *e) {
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (ev->type == YAML_SCALAR_EVENT) {
        anchor = ev->data.scalar.anchor;
        tag = ev->data.scalar.tag;
    } else if (ev->type == YAML_SEQUENCE_START_EVENT) {
        anchor = ev->data.sequence_start.anchor;
        tag = ev->data.sequence_start.tag;
    } else if (ev->type == YAML_MAPPING_START_EVENT) {
        anchor = ev->data.mapping_start.anchor;
        tag = ev->data.mapping_start.tag;
    }
    if (ev->type == YAML_ALIAS_EVENT || anchor)
        yaml_mistake_add(s->doc, line, "", "anchors and aliases (& and *) are not allowed here; write the value out");
    else if (tag)
        yaml_mistake_add(s->doc, line, "", "tags (!) are not allowed here; quote the value if it begins with one");
    else
        return ERR_OK;
    return yaml_verdict(s->doc, 0, e);
}

static enum err_code yaml_on_event(struct yaml_load_state *s, const yaml_event_t *ev, struct err *e) {
    unsigned line = (unsigned)ev->start_mark.line + 1;
    enum err_code rc = yaml_on_odd(s, ev, line, e);
    if (rc != ERR_OK)
        return rc;
    if (++s->nodes > YAML_NODES)
        return err_set(e, ERR_TOO_LARGE, "%s:%u: more than %d values", s->doc->name, line, YAML_NODES);
    if (ev->type == YAML_SCALAR_EVENT)
        return yaml_on_scalar(s, ev, line, e);
    if (ev->type == YAML_SEQUENCE_START_EVENT)
        return yaml_on_open(s, YAML_SEQUENCE, line, e);
    if (ev->type == YAML_MAPPING_START_EVENT)
        return yaml_on_open(s, YAML_MAPPING, line, e);
    if (ev->type == YAML_SEQUENCE_END_EVENT || ev->type == YAML_MAPPING_END_EVENT)
        return yaml_close(s->doc, s->open[--s->depth]) ? ERR_OK : yaml_no_room(s->doc, e);
    if (ev->type == YAML_DOCUMENT_START_EVENT && ++s->documents > 1) {
        yaml_mistake_add(s->doc, line, "", "a second document begins here; only one is allowed");
        return yaml_verdict(s->doc, 0, e);
    }
    return ERR_OK;
}

static enum err_code yaml_events(struct yaml_load_state *s, yaml_parser_t *p, struct err *e) {
    enum err_code rc = ERR_OK;
    bool end = false;
    while (rc == ERR_OK && !end) {
        yaml_event_t ev;
        if (!yaml_parser_parse(p, &ev)) {
            if (p->error == YAML_MEMORY_ERROR)
                return err_set(e, ERR_NO_MEMORY, "%s: no memory", s->doc->name);
            yaml_mistake_add(s->doc, (unsigned)(p->problem_mark.line ? p->problem_mark.line : p->context_mark.line) + 1,
                             "", "%s%s%s", p->context ? p->context : "", p->context ? ": " : "",
                             p->problem ? p->problem : "not YAML");
            return yaml_tell(s->doc, &s->doc->mistakes[s->doc->mistake_count - 1], 0, e);
        }
        end = ev.type == YAML_STREAM_END_EVENT;
        rc = yaml_on_event(s, &ev, e);
        yaml_event_delete(&ev);
    }
    return rc;
}

enum err_code yaml_load(struct yaml_doc *doc, struct slice text, const char *name, struct err *e) {
    struct yaml_load_state s = {.doc = doc};
    yaml_parser_t parser;
    enum err_code rc;
    doc->name = arena_cstr(&doc->arena, slice_str(name));
    if (!doc->name)
        return (doc->name = "", err_set(e, ERR_NO_MEMORY, "no memory"));
    if (text.len > YAML_SIZE)
        return err_set(e, ERR_TOO_LARGE, "%s: more than %d bytes", name, YAML_SIZE);
    if (!yaml_parser_initialize(&parser))
        return err_set(e, ERR_NO_MEMORY, "%s: no memory", name);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, text.ptr ? text.ptr : (const unsigned char *)"", text.len);
    rc = yaml_events(&s, &parser, e);
    yaml_parser_delete(&parser);
    if (rc == ERR_OK && !doc->root)
        yaml_mistake_add(doc, 1, "", "the document is empty");
    return rc == ERR_OK ? yaml_verdict(doc, 0, e) : rc;
}

enum err_code yaml_load_file(struct yaml_doc *doc, const char *path, struct err *e) {
    struct buf b;
    FILE *f = fopen(path, "rb");
    enum err_code rc = ERR_OK;
    size_t got;
    if (!f)
        return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, "%s: no such file", path) : err_errno(e, "%s", path);
    buf_init(&b, YAML_SIZE + 1);
    do {
        uint8_t *to = buf_extend(&b, 4096 < b.max - b.len ? 4096 : b.max - b.len);
        size_t room = to ? b.len - (size_t)(to - b.ptr) : 0;
        got = room ? fread(to, 1, room, f) : 0;
        b.len -= room - got;
    } while (got > 0);
    if (ferror(f))
        rc = err_errno(e, "%s", path);
    else if (b.failed)
        rc = err_set(e, ERR_NO_MEMORY, "%s: no memory", path);
    else
        rc = yaml_load(doc, buf_slice(&b), path, e);
    fclose(f);
    buf_release(&b);
    return rc;
}

/* ---- paths ---- */

static struct yaml_item *yaml_get(const struct yaml_node *n, struct slice key) {
    uint32_t lo = 0, hi = n->kind == YAML_MAPPING ? n->count : 0;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = slice_cmp(n->items[mid]->key, key);
        if (c == 0)
            return n->items[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* Follows "a.b[3].c"; NULL if it leads nowhere, then *line is that of the last value on the way. */
static struct yaml_node *yaml_at(const struct yaml_doc *doc, const char *path, unsigned *line) {
    struct yaml_node *n = doc->root;
    *line = n ? n->line : 1;
    while (n && *path) {
        struct yaml_item *i = NULL;
        if (*path == '[') {
            char *end;
            unsigned long at = strtoul(path + 1, &end, 10);
            path = *end == ']' ? end + 1 : "";
            if (n->kind == YAML_SEQUENCE && at < n->count)
                i = n->items[at];
        } else {
            size_t len;
            path += *path == '.';
            len = strcspn(path, ".[");
            i = yaml_get(n, slice_of(path, len));
            path += len;
        }
        n = i ? i->value : NULL;
        if (i)
            *line = i->key.ptr ? i->key_line : n->line;
    }
    return n;
}

bool yaml_has(const struct yaml_doc *doc, const char *path) {
    unsigned line;
    return yaml_at(doc, path, &line) != NULL;
}

struct slice yaml_text(const struct yaml_doc *doc, const char *path) {
    unsigned line;
    const struct yaml_node *n = yaml_at(doc, path, &line);
    return n && n->kind == YAML_SCALAR ? n->text : slice_none();
}

unsigned yaml_line_of(const struct yaml_doc *doc, const char *path) {
    unsigned line;
    (void)yaml_at(doc, path, &line);
    return line + doc->line_base;
}

enum err_code yaml_refuse(struct yaml_doc *doc, struct err *e, const char *path, const char *fmt, ...) {
    size_t from = doc->mistake_count < YAML_MISTAKES ? doc->mistake_count : YAML_MISTAKES - 1;
    va_list ap;
    va_start(ap, fmt);
    yaml_mistake_v(doc, yaml_line_of(doc, path) - doc->line_base, path, fmt, ap);
    va_end(ap);
    return yaml_tell(doc, &doc->mistakes[from], 0, e);
}

/* ---- tree to values ---- */

/* The node at the path, with p saying where; a mistake when there is none. */
static const struct yaml_node *yaml_start(struct yaml_doc *doc, const char *path, struct yaml_path *p) {
    unsigned line;
    const struct yaml_node *n = yaml_at(doc, path, &line);
    p->len = (size_t)snprintf(p->text, sizeof p->text, "%s", path);
    if (p->len >= sizeof p->text)
        p->len = sizeof p->text - 1;
    if (!n)
        yaml_mistake_add(doc, line, path, "is missing");
    return n;
}

enum err_code yaml_struct(struct yaml_doc *doc, const char *path, const struct schema *s, void *out, struct err *e) {
    size_t from = doc->mistake_count;
    struct yaml_path p;
    const struct yaml_node *n = yaml_start(doc, path, &p);
    enum err_code rc = n ? yaml_fill_struct(doc, n, &p, s, out, e) : ERR_OK;
    return rc == ERR_OK ? yaml_verdict(doc, from, e) : rc;
}

enum err_code yaml_bytes(struct yaml_doc *doc, const char *path, const struct schema *s, struct buf *b, struct err *e) {
    void *out = arena_alloc(&doc->arena, 1, s->size);
    enum err_code rc = out ? yaml_struct(doc, path, s, out, e) : yaml_no_room(doc, e);
    if (rc != ERR_OK)
        return rc;
    schema_write(s, out, b);
    return buf_check(b, e);
}

enum err_code yaml_raw(struct yaml_doc *doc, const char *path, struct slice *out, struct err *e) {
    size_t from = doc->mistake_count;
    struct yaml_path p;
    const struct yaml_node *n = yaml_start(doc, path, &p);
    enum err_code rc = n ? yaml_fill_raw(doc, n, &p, out, e) : ERR_OK;
    return rc == ERR_OK ? yaml_verdict(doc, from, e) : rc;
}
