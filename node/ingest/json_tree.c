/* node/ingest/json_tree.c -- see json_tree.h. */
#include "node/ingest/json_tree.h"

#include "wire/mem.h"

#include <yajl/yajl_parse.h>

struct json_build {
    struct arena *arena;
    struct json_node *stack[JSON_TREE_DEPTH];
    struct json_node *last[JSON_TREE_DEPTH]; /* newest child of each */
    size_t depth, nodes;
    struct json_node *root;
    struct slice key;
    const char *why;
};

static int build_fail(struct json_build *b, const char *why) {
    b->why = why;
    return 0;
}

/* Puts a value where the parser stands. */
static struct json_node *build_node(struct json_build *b, enum json_type type) {
    struct json_node *n;
    if (++b->nodes > JSON_TREE_NODES) {
        b->why = "more values than one log may hold";
        return NULL;
    }
    n = arena_alloc(b->arena, 1, sizeof *n);
    if (!n) {
        b->why = "larger than one log may be";
        return NULL;
    }
    n->type = type;
    n->key = b->key;
    b->key = slice_none();
    if (b->depth == 0)
        b->root = n;
    else if (b->last[b->depth - 1])
        b->last[b->depth - 1]->next = n;
    else
        b->stack[b->depth - 1]->child = n;
    if (b->depth)
        b->last[b->depth - 1] = n;
    return n;
}

static int build_text(struct json_build *b, enum json_type type, const void *p, size_t len) {
    struct json_node *n = build_node(b, type);
    if (!n)
        return 0;
    n->text = len ? arena_copy(b->arena, slice_of(p, len)) : slice_of("", 0);
    return n->text.ptr ? 1 : build_fail(b, "larger than one log may be");
}

static int on_null(void *ctx) {
    return build_node(ctx, JSON_NULL) != NULL;
}
static int on_bool(void *ctx, int v) {
    return v ? build_text(ctx, JSON_BOOL, "true", 4) : build_text(ctx, JSON_BOOL, "false", 5);
}
static int on_number(void *ctx, const char *p, size_t len) {
    return build_text(ctx, JSON_NUMBER, p, len);
}
static int on_string(void *ctx, const unsigned char *p, size_t len) {
    return build_text(ctx, JSON_STRING, p, len);
}
static int on_key(void *ctx, const unsigned char *p, size_t len) {
    struct json_build *b = ctx;
    b->key = len ? arena_copy(b->arena, slice_of(p, len)) : slice_of("", 0);
    return b->key.ptr ? 1 : build_fail(b, "larger than one log may be");
}

static int build_open(struct json_build *b, enum json_type type) {
    struct json_node *n;
    if (b->depth == JSON_TREE_DEPTH)
        return build_fail(b, "nested too deep");
    if (!(n = build_node(b, type)))
        return 0;
    b->stack[b->depth] = n;
    b->last[b->depth++] = NULL;
    return 1;
}
static int on_map(void *ctx) {
    return build_open(ctx, JSON_OBJECT);
}
static int on_array(void *ctx) {
    return build_open(ctx, JSON_ARRAY);
}
static int on_end(void *ctx) {
    struct json_build *b = ctx;
    b->depth--;
    return 1;
}

static void *json_alloc(void *ctx, size_t size) {
    (void)ctx;
    return mem_alloc(size);
}
static void *json_realloc(void *ctx, void *p, size_t size) {
    (void)ctx;
    return mem_realloc(p, size);
}
static void json_free(void *ctx, void *p) {
    (void)ctx;
    mem_free(p);
}

enum err_code json_tree_read(struct slice text, struct arena *a, const struct json_node **root, struct err *e) {
    static const yajl_callbacks callbacks = {on_null, on_bool, NULL,   NULL,     on_number, on_string,
                                             on_map,  on_key,  on_end, on_array, on_end};
    yajl_alloc_funcs alloc = {json_alloc, json_realloc, json_free, NULL};
    struct json_build b = {.arena = a};
    yajl_handle h = yajl_alloc(&callbacks, &alloc, &b);
    yajl_status s;
    enum err_code rc = ERR_OK;
    if (!h)
        return err_set(e, ERR_NO_MEMORY, "no memory for a parser");
    s = yajl_parse(h, text.ptr, text.len);
    if (s != yajl_status_ok)
        rc = err_set(e, ERR_MALFORMED, "no JSON: %s at byte %zu", b.why ? b.why : "a mistake",
                     yajl_get_bytes_consumed(h));
    else if (yajl_complete_parse(h) != yajl_status_ok || !b.root)
        rc = err_set(e, ERR_MALFORMED, "no JSON: %s", b.why ? b.why : "it ends too early");
    yajl_free(h);
    *root = b.root;
    return rc;
}

/* ---- paths ---- */

static enum err_code path_bracket(struct slice text, size_t *at, struct json_step *step, struct err *e) {
    size_t i = *at + 1;
    uint64_t v = 0;
    if (i < text.len && text.ptr[i] == '*') {
        step->all = true;
        i++;
    } else {
        size_t from = i;
        for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9' && i - from < 7; i++)
            v = v * 10 + (uint64_t)(text.ptr[i] - '0');
        if (i == from)
            return err_set(e, ERR_MALFORMED, "a number or * must stand in [ ]");
        step->index = (uint32_t)v;
    }
    if (i >= text.len || text.ptr[i] != ']')
        return err_set(e, ERR_MALFORMED, "[ without ]");
    *at = i + 1;
    return ERR_OK;
}

static enum err_code path_key(struct slice text, size_t *at, struct arena *a, struct json_step *step, struct err *e) {
    size_t from = *at, i = from;
    bool quoted = text.ptr[i] == '"';
    if (quoted) {
        for (from = ++i; i < text.len && text.ptr[i] != '"'; i++)
            continue;
        if (i == text.len)
            return err_set(e, ERR_MALFORMED, "a quote that does not end");
    } else {
        for (; i < text.len && text.ptr[i] != '.' && text.ptr[i] != '['; i++)
            continue;
    }
    step->key = arena_copy(a, slice_of(text.ptr + from, i - from));
    *at = i + (quoted ? 1 : 0);
    if (i == from)
        return err_set(e, ERR_MALFORMED, "an empty key");
    return step->key.ptr ? ERR_OK : err_set(e, ERR_NO_MEMORY, "no memory for a path");
}

enum err_code json_path_compile(struct slice text, struct arena *a, struct json_path *out, struct err *e) {
    size_t at = 0;
    *out = (struct json_path){0};
    if (slice_eq_str(text, "."))
        return ERR_OK;
    while (at < text.len) {
        struct json_step *step = &out->steps[out->count];
        enum err_code rc;
        if (out->count == JSON_PATH_STEPS)
            return err_set(e, ERR_MALFORMED, "more than %d steps", JSON_PATH_STEPS);
        rc = text.ptr[at] == '[' ? path_bracket(text, &at, step, e) : path_key(text, &at, a, step, e);
        if (rc != ERR_OK)
            return rc;
        out->count++;
        if (at < text.len && text.ptr[at] == '.') {
            if (++at == text.len)
                return err_set(e, ERR_MALFORMED, "ends in a dot");
        } else if (at < text.len && text.ptr[at] != '[') {
            return err_set(e, ERR_MALFORMED, "a dot or [ must follow at byte %zu", at);
        }
    }
    return out->count ? ERR_OK : err_set(e, ERR_MALFORMED, "an empty path");
}

static const struct json_node *object_get(const struct json_node *n, struct slice key, bool *ambiguous) {
    const struct json_node *found = NULL, *c;
    for (c = n->child; c; c = c->next)
        if (slice_eq(c->key, key)) {
            if (found) {
                *ambiguous = true;
                return NULL;
            }
            found = c;
        }
    return found;
}

struct json_walk {
    const struct json_path *path;
    bool (*each)(void *ctx, const struct json_node *n);
    void *ctx;
    bool *ambiguous;
};

/* Recursion is bounded by the path's steps. */
static bool walk_from(const struct json_walk *w, unsigned step, const struct json_node *n) {
    const struct json_step *s = &w->path->steps[step];
    const struct json_node *c;
    uint32_t i = 0;
    if (step == w->path->count)
        return w->each(w->ctx, n);
    if (s->key.ptr) {
        c = n->type == JSON_OBJECT ? object_get(n, s->key, w->ambiguous) : NULL;
        return !c || walk_from(w, step + 1, c);
    }
    if (n->type != JSON_ARRAY)
        return true;
    for (c = n->child; c; c = c->next, i++) {
        if (!s->all && i != s->index)
            continue;
        if (!walk_from(w, step + 1, c))
            return false;
        if (!s->all)
            break;
    }
    return true;
}

bool json_path_walk(const struct json_path *p, const struct json_node *root,
                    bool (*each)(void *ctx, const struct json_node *n), void *ctx, bool *ambiguous) {
    struct json_walk w = {p, each, ctx, ambiguous};
    return walk_from(&w, 0, root);
}
