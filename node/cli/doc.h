/* node/cli/doc.h -- a node's answer, looked into by key: canonical msgpack maps whose other keys are of no concern
 * (a newer node may say more). Pure; everything borrows from the bytes. What is absent or of another type reads as
 * empty: answers come from the own node, and are printed, not trusted. */
#ifndef NODE_CLI_DOC_H
#define NODE_CLI_DOC_H

#include "wire/cursor.h"

struct slice doc_get(struct slice map, const char *key); /* the value's bytes; absent if there is none */
uint64_t doc_u64(struct slice map, const char *key);
int64_t doc_i64(struct slice map, const char *key);
bool doc_bool(struct slice map, const char *key);
struct slice doc_str(struct slice map, const char *key); /* of a text or of bytes */

struct doc_list {
    struct cursor at;
    uint32_t left;
};
struct doc_list doc_list(struct slice map, const char *key);
bool doc_next(struct doc_list *l, struct slice *item);

#endif
