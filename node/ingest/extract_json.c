/* node/ingest/extract_json.c -- extractor of JSON logs: places are paths; a log is parsed once for all extractors. */
#include "node/ingest/extract.h"

static enum err_code json_place(const struct extractor *x, struct extract_ref *ref, struct arena *a, struct err *e) {
    struct slice path = ref->text;
    (void)x;
    if (path.len >= 2 && path.ptr[0] == '$' && path.ptr[1] == '.') {
        ref->root = true;
        path = slice_from(path, 2);
    }
    return json_path_compile(path, a, &ref->path, e);
}

static enum err_code json_open(const struct extractor *x, struct extract_log *log, struct extract_view *v,
                               bool *applies, struct err *e) {
    (void)x;
    *applies = true;
    if (!log->parsed) {
        log->parsed = true;
        if (json_tree_read(log->text, log->arena, &log->json, &log->json_error) != ERR_OK)
            log->json = NULL;
    }
    if (!log->json) {
        if (e)
            *e = log->json_error;
        return log->json_error.code;
    }
    *v = (struct extract_view){.log = log, .node = log->json};
    return ERR_OK;
}

struct json_gather {
    struct extract_values *out;
    struct arena *arena;
    bool nodes, failed;
};

static bool gather_room(struct json_gather *g) {
    struct extract_values *v = g->out;
    size_t room = v->room ? v->room * 4 : 16;
    struct slice *items;
    const struct json_node **nodes;
    if (v->count < v->room)
        return true;
    items = arena_alloc(g->arena, room, sizeof *items);
    nodes = arena_alloc(g->arena, room, sizeof *nodes);
    if (!items || !nodes || room > EXTRACT_VALUES * 4) {
        g->failed = true;
        return false;
    }
    if (v->count) {
        memcpy(items, v->items, v->count * sizeof *items);
        memcpy(nodes, v->nodes, v->count * sizeof *nodes);
    }
    *v = (struct extract_values){items, nodes, v->count, room};
    return true;
}

static bool json_each(void *ctx, const struct json_node *n) {
    struct json_gather *g = ctx;
    bool scalar = n->type == JSON_BOOL || n->type == JSON_NUMBER || n->type == JSON_STRING;
    if (n->type == JSON_NULL || (!scalar && !g->nodes) || (scalar && n->text.len == 0))
        return true; /* absent stays absent */
    if (g->out->count >= EXTRACT_VALUES || !gather_room(g)) {
        g->failed = true;
        return false;
    }
    g->out->items[g->out->count] = scalar ? n->text : slice_none();
    g->out->nodes[g->out->count++] = n;
    return true;
}

static bool json_values(struct extract_view *v, const struct extract_ref *ref, bool nodes, struct extract_values *out) {
    struct json_gather g = {out, v->log->arena, nodes, false};
    out->count = 0;
    json_path_walk(&ref->path, ref->root ? v->log->json : v->node, json_each, &g, &v->ambiguous);
    return !g.failed;
}

const struct extract_type extract_json_type = {
    .name = "json", .place = json_place, .open = json_open, .values = json_values};
