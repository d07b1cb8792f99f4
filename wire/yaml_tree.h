/* wire/yaml_tree.h -- inside of the YAML reader: the tree between yaml.c (text to tree) and yaml_fill.c (tree to
 * values). Nobody else includes it. Nodes live in the document's arena. */
#ifndef WIRE_YAML_TREE_H
#define WIRE_YAML_TREE_H

#include "wire/yaml.h"

enum { YAML_PATH = 256, YAML_QUOTED = 40 /* bytes of a wrong value that a message shows */ };
enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_item {
    struct slice key; /* of a mapping */
    unsigned key_line;
    struct yaml_node *value;
    struct yaml_item *next; /* while it is gathered */
};

struct yaml_node {
    enum yaml_kind kind;
    bool plain; /* scalar without quotes */
    unsigned line;
    struct slice text;
    struct yaml_item **items; /* sequence: in order; mapping: sorted by key, unique */
    uint32_t count;
    struct yaml_item *first, *last; /* while it is gathered */
};

/* Where a walk is: "channels[1].k". What does not fit is left out. */
struct yaml_path {
    char text[YAML_PATH];
    size_t len;
};

/* For "%.*s" of a value that may be long. */
#define YAML_QUOTE(s) (int)((s).len < YAML_QUOTED ? (s).len : YAML_QUOTED), (const char *)(s).ptr

/* Notes one more, up to YAML_MISTAKES. line without line_base. */
void yaml_mistake_add(struct yaml_doc *doc, unsigned line, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Fills *out (zeroed). Mistakes are noted and are no error here; TOO_LARGE when the arena is full. */
enum err_code yaml_fill_struct(struct yaml_doc *doc, const struct yaml_node *n, struct yaml_path *p,
                               const struct schema *s, void *out, struct err *e) ERR_CHECKED;
/* Canonical bytes of any tree. */
enum err_code yaml_fill_raw(struct yaml_doc *doc, const struct yaml_node *n, struct yaml_path *p, struct slice *out,
                            struct err *e) ERR_CHECKED;

#endif
