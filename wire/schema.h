/* wire/schema.h -- one table a document: its fields, types and limits.
 * The same table reads canonical msgpack into a plain struct, writes it back, and guides YAML (wire/yaml.h), so a
 * limit stands in one place. Map keys are the fields' keys, in ascending byte order in the table (asserted).
 *
 * Canonical: a field that holds its empty value (0, false, "", no item, all-zero bytes) is absent from the bytes;
 * it must then be SCHEMA_OPTIONAL. Present but empty is MALFORMED, as are unknown, repeated and unordered keys. So
 * bytes -> struct -> bytes is the identity for all that is accepted.
 *
 * C types of members:
 *   U64 uint64_t · I64 int64_t · BOOL bool · ENUM uint32_t (index into names; names[0] is NULL and means absent)
 *   STR, BIN, RAW struct slice (borrowed from the input) · FIXED uint8_t[max] in place
 *   MAP a struct in place (a MAP whose fields are all optional may itself be absent)
 *   PTR pointer to a struct, NULL when absent · LIST struct schema_list of structs
 *   STRS, BINS struct schema_list of struct slice · DICT struct schema_list of struct schema_pair (sorted by key)
 *
 * min/max mean: U64 the value's range (max 0: no limit) · STR, BIN, RAW bytes · FIXED max = size · LIST, STRS, BINS,
 * DICT items (required). A STRS/BINS item is at most item_max bytes; a DICT key at most key_max, value item_max. */
#ifndef WIRE_SCHEMA_H
#define WIRE_SCHEMA_H

#include "wire/arena.h"
#include "wire/buf.h"
#include "wire/cursor.h"

enum schema_type {
    SCHEMA_U64,
    SCHEMA_I64,
    SCHEMA_BOOL,
    SCHEMA_ENUM,
    SCHEMA_STR,
    SCHEMA_BIN,
    SCHEMA_RAW,
    SCHEMA_FIXED,
    SCHEMA_MAP,
    SCHEMA_PTR,
    SCHEMA_LIST,
    SCHEMA_STRS,
    SCHEMA_BINS,
    SCHEMA_DICT
};

struct schema_list {
    void *items;
    uint32_t count;
};

struct schema_pair {
    struct slice key, value;
};

enum { SCHEMA_OPTIONAL = 1 };

struct schema_field {
    const char *key;
    enum schema_type type;
    unsigned flags;
    size_t offset;
    uint64_t min, max;
    uint32_t key_max, item_max;
    const struct schema *sub; /* MAP, PTR, LIST */
    const char *const *names; /* ENUM: [0] NULL, then texts, then NULL */
};

struct schema {
    const char *name; /* for error paths: "record" */
    size_t size;      /* of the C struct */
    const struct schema_field *fields;
    size_t count;
};

#define SCHEMA_OF(name_, type_, fields_)                                                                               \
    { name_, sizeof(type_), fields_, sizeof(fields_) / sizeof((fields_)[0]) }

/* Exactly one document. Lists live in `a`; slices borrow from `bytes`. MALFORMED / TOO_LARGE name the field's path. */
enum err_code schema_read(const struct schema *s, struct slice bytes, struct arena *a, void *out,
                          struct err *e) ERR_CHECKED;
/* The next value of the cursor. */
enum err_code schema_read_at(const struct schema *s, struct cursor *c, struct arena *a, void *out,
                             struct err *e) ERR_CHECKED;
/* Canonical bytes of a struct; checks no limit (schema_check does). Failure is b's. */
void schema_write(const struct schema *s, const void *in, struct buf *b);
/* Does a struct that we built keep its limits? Writes it aside and reads it back. */
enum err_code schema_check(const struct schema *s, const void *in, struct err *e) ERR_CHECKED;
/* Index of the field with this key, or s->count. */
size_t schema_find(const struct schema *s, struct slice key);
/* Sorts and checks a DICT's pairs that were gathered in any order: CONFLICT on a repeated key. */
enum err_code schema_sort_pairs(struct schema_list *dict, struct err *e) ERR_CHECKED;
/* Value of a DICT's key, or absent. */
struct slice schema_pair_get(const struct schema_list *dict, struct slice key);

#endif
