/* tests/support/vectors.c -- see vectors.h. */
#include "tests/support/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *vectors_path(const char *name) {
    static char path[4096];
    const char *root = getenv("ASSAY_DATA");
    snprintf(path, sizeof path, "%s/%s", root ? root : "../shared/data", name);
    if (access(path, R_OK) == 0)
        return path;
    printf("skipped: the sample data %s is not here\n", path);
    return NULL;
}

bool vectors_read(const char *path, struct buf *out) {
    FILE *f = fopen(path, "rb");
    uint8_t part[4096];
    size_t n;
    if (!f)
        return false;
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_bytes(out, part, n);
    fclose(f);
    return !out->failed;
}

yajl_val vectors_json(const char *path) {
    struct buf text;
    char why[256];
    yajl_val v = NULL;
    buf_init(&text, 16 << 20);
    if (vectors_read(path, &text))
        v = yajl_tree_parse(buf_cstr(&text), why, sizeof why);
    buf_release(&text);
    return v;
}

yajl_val vectors_get(yajl_val object, const char *key) {
    const char *path[] = {key, NULL};
    return yajl_tree_get(object, path, yajl_t_any);
}

const char *vectors_text(yajl_val object, const char *key) {
    yajl_val v = vectors_get(object, key);
    return YAJL_IS_STRING(v) ? YAJL_GET_STRING(v) : "";
}

uint64_t vectors_u64(yajl_val object, const char *key) {
    yajl_val v = vectors_get(object, key);
    return YAJL_IS_NUMBER(v) ? strtoull(YAJL_GET_NUMBER(v), NULL, 10) : 0;
}

bool vectors_bool(yajl_val object, const char *key) {
    return YAJL_IS_TRUE(vectors_get(object, key));
}

size_t vectors_count(yajl_val array) {
    return YAJL_IS_ARRAY(array) ? array->u.array.len : 0;
}

yajl_val vectors_item(yajl_val array, size_t i) {
    return array->u.array.values[i];
}

static int vectors_nibble(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool vectors_hex(const char *text, struct buf *out) {
    while (*text) {
        int hi, lo;
        if (*text == '-') {
            text++;
            continue;
        }
        hi = vectors_nibble(text[0]);
        lo = hi < 0 ? -1 : vectors_nibble(text[1]);
        if (lo < 0)
            return false;
        buf_u8(out, (uint8_t)(hi << 4 | lo));
        text += 2;
    }
    return !out->failed;
}
