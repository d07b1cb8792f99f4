/* node/ingest/json_tree.h -- one JSON text as a tree, read by yajl's events; and paths into it.
 * Numbers stay the text that they were (64-bit ids keep every digit). Bounded in depth and in values.
 * A path: keys joined by dots, [3] an element, [*] every element: "request.items[*].id"; a key with other characters
 * stands in quotes: "\"a.b\".c". */
#ifndef NODE_INGEST_JSON_TREE_H
#define NODE_INGEST_JSON_TREE_H

#include "wire/arena.h"
#include "wire/err.h"

enum { JSON_TREE_DEPTH = 64, JSON_TREE_NODES = 1 << 17, JSON_PATH_STEPS = 16 };

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_node {
    enum json_type type;
    struct slice key;  /* in an object */
    struct slice text; /* string (decoded), number, true/false */
    struct json_node *child, *next;
};

/* text is valid UTF-8. MALFORMED tells the byte offset, no byte of the text. Nodes live in `a`. */
enum err_code json_tree_read(struct slice text, struct arena *a, const struct json_node **root,
                             struct err *e) ERR_CHECKED;

struct json_step {
    struct slice key; /* absent: an index */
    bool all;         /* [*] */
    uint32_t index;
};
struct json_path {
    struct json_step steps[JSON_PATH_STEPS];
    unsigned count; /* 0: the value itself */
};
/* "." alone is the value itself. Keys live in `a`. MALFORMED. */
enum err_code json_path_compile(struct slice text, struct arena *a, struct json_path *out, struct err *e) ERR_CHECKED;
/* Calls `each` for every value that the path leads to, in order; false stops. A key that stands twice in one object
 * leads nowhere: *ambiguous becomes true. */
bool json_path_walk(const struct json_path *p, const struct json_node *root,
                    bool (*each)(void *ctx, const struct json_node *n), void *ctx, bool *ambiguous);

#endif
