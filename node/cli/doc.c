/* node/cli/doc.c -- see doc.h. */
#include "node/cli/doc.h"

#include "wire/limits.h"

struct slice doc_get(struct slice map, const char *key) {
    struct cursor c;
    uint32_t count;
    cursor_init(&c, map);
    if (map.len == 0 || cursor_map(&c, &count, NULL) != ERR_OK)
        return slice_none();
    while (count-- > 0) {
        struct slice k, v;
        if (cursor_str(&c, &k, NULL) != ERR_OK || cursor_skip(&c, LIMIT_DEPTH, &v, NULL) != ERR_OK)
            return slice_none();
        if (slice_eq_str(k, key))
            return v;
    }
    return slice_none();
}

uint64_t doc_u64(struct slice map, const char *key) {
    struct cursor c;
    uint64_t v = 0;
    cursor_init(&c, doc_get(map, key));
    return c.bytes.len && cursor_u64(&c, &v, NULL) == ERR_OK ? v : 0;
}

int64_t doc_i64(struct slice map, const char *key) {
    struct cursor c;
    int64_t v = 0;
    cursor_init(&c, doc_get(map, key));
    return c.bytes.len && cursor_i64(&c, &v, NULL) == ERR_OK ? v : 0;
}

bool doc_bool(struct slice map, const char *key) {
    struct cursor c;
    bool v = false;
    cursor_init(&c, doc_get(map, key));
    return c.bytes.len && cursor_bool(&c, &v, NULL) == ERR_OK && v;
}

struct slice doc_str(struct slice map, const char *key) {
    struct cursor c;
    enum cursor_type type;
    struct slice v = slice_none();
    cursor_init(&c, doc_get(map, key));
    if (c.bytes.len == 0 || cursor_peek(&c, &type, NULL) != ERR_OK)
        return v;
    if (type == CURSOR_STR ? cursor_str(&c, &v, NULL) != ERR_OK
                           : type != CURSOR_BIN || cursor_bin(&c, &v, NULL) != ERR_OK)
        return slice_none();
    return v;
}

struct doc_list doc_list(struct slice map, const char *key) {
    struct doc_list l = {.left = 0};
    cursor_init(&l.at, doc_get(map, key));
    if (l.at.bytes.len == 0 || cursor_array(&l.at, &l.left, NULL) != ERR_OK)
        l.left = 0;
    return l;
}

bool doc_next(struct doc_list *l, struct slice *item) {
    if (l->left == 0 || cursor_skip(&l->at, LIMIT_DEPTH, item, NULL) != ERR_OK)
        return false;
    l->left--;
    return true;
}
