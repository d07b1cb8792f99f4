/* node/ingest/lookup.h -- a table of an enterprise's own (people, products, machines) that extends subjects and
 * objects. CSV by RFC 4180 in UTF-8 (a BOM is skipped): the first row names the columns. Immutable once loaded; all
 * texts NFC. Source: SEEDS S2.40-42. */
#ifndef NODE_INGEST_LOOKUP_H
#define NODE_INGEST_LOOKUP_H

#include "wire/buf.h"

enum { LOOKUP_BYTES = 256 << 20, LOOKUP_COLUMNS = 64, LOOKUP_ROWS = 4 << 20 };

struct lookup;
/* key: name of the column whose values are looked for; no value of it may stand twice. CONFIG as "file:line: ...". */
enum err_code lookup_load(const char *path, struct slice key, struct lookup **out, struct err *e) ERR_CHECKED;
enum err_code lookup_parse(struct slice csv, const char *name, struct slice key, struct lookup **out,
                           struct err *e) ERR_CHECKED;
void lookup_free(struct lookup *t);
int lookup_column(const struct lookup *t, struct slice name); /* -1: none */
size_t lookup_columns(const struct lookup *t);
struct slice lookup_column_name(const struct lookup *t, size_t column);
size_t lookup_rows(const struct lookup *t);
/* The row of a key, or -1. */
int64_t lookup_find(const struct lookup *t, struct slice key);
struct slice lookup_cell(const struct lookup *t, int64_t row, int column); /* absent when empty */

#endif
