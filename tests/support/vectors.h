/* tests/support/vectors.h -- public test vectors: finding them, and their JSON by yajl.
 * They stand in $ASSAY_DATA or ../shared/data and are not part of the project: tests skip where they are absent. */
#ifndef TESTS_SUPPORT_VECTORS_H
#define TESTS_SUPPORT_VECTORS_H

#include "wire/buf.h"

#include <yajl/yajl_tree.h>

/* Path of a file or folder of the data, or NULL after a plain line that says what is skipped. Static storage. */
const char *vectors_path(const char *name);
/* A whole file; false when it can't be read. */
bool vectors_read(const char *path, struct buf *out);
/* Its JSON, freed by yajl_tree_free; NULL when it is none. */
yajl_val vectors_json(const char *path);

yajl_val vectors_get(yajl_val object, const char *key);
const char *vectors_text(yajl_val object, const char *key); /* "" when absent */
uint64_t vectors_u64(yajl_val object, const char *key);     /* exact up to 2^64-1 */
bool vectors_bool(yajl_val object, const char *key);
size_t vectors_count(yajl_val array); /* 0 for null */
yajl_val vectors_item(yajl_val array, size_t i);
/* Hex text (with or without '-' between bytes) to bytes, appended. */
bool vectors_hex(const char *text, struct buf *out);

#endif
