/* wire/yaml.h -- reads what people write: YAML, guided by the same schema tables as canonical msgpack.
 * Owns: the parsed tree (yaml_doc) with the line of every value, and the list of mistakes.
 * Depends on libyaml (events), libutf8proc (all text becomes NFC).
 * A small, strict YAML: one document; no anchors, aliases, tags, complex keys or merge keys; no repeated key; depth at
 * most LIMIT_DEPTH; bounded size and node count. Every mistake is told as "file:line: path: what is wrong".
 *
 * How a YAML value becomes a field:
 *   U64, I64  decimal integer; an I64 may also be a date or an RFC 3339 time (2026-01-31, 2026-01-31T08:00:00Z,
 *             with fraction or +08:00), which becomes ms since 1970 UTC
 *   BOOL      true, false              ENUM  one of the names        STR  any scalar, as text
 *   BIN, FIXED  hex digits, base64, "hex:..." / "base64:..." to be explicit, or for BIN one PEM block (its DER)
 *   LIST, STRS, BINS  a sequence       MAP, PTR, DICT  a mapping
 *   RAW       anything: mappings (sorted), sequences, integers, true/false; all else is text (1.5 is "1.5": no floats)
 * null, ~ and nothing are mistakes: leave the key out instead. An empty optional value counts as absent.
 *
 * Typical use:
 *   struct yaml_doc doc;
 *   yaml_init(&doc);
 *   rc = yaml_load(&doc, text, "network.yaml", e);            // or yaml_load_file
 *   if (!rc) rc = yaml_struct(&doc, "", &my_schema, &mine, e); // fills the struct; slices live in doc
 *   if (!rc && mine.k > 4) rc = yaml_refuse(&doc, e, "channels[1].k", "k is at most 4");
 *   if (!rc) schema_write(&my_schema, &mine, &bytes);          // canonical bytes
 *   yaml_release(&doc);
 *
 * Errors: CONFIG for every mistake of the author (exit 2); TOO_LARGE; NO_MEMORY; IO, NOT_FOUND for files. */
#ifndef WIRE_YAML_H
#define WIRE_YAML_H

#include "wire/schema.h"

enum {
    YAML_SIZE = 4 << 20,  /* bytes of a document */
    YAML_NODES = 1 << 17, /* values and keys of a document */
    YAML_MISTAKES = 64    /* told at most; reading stops there */
};

struct yaml_node; /* opaque */

struct yaml_mistake {
    unsigned line;    /* from 1 */
    const char *path; /* "channels[1].k"; "" for the whole document */
    const char *text; /* "must be at most 4", without file, line and path */
};

struct yaml_doc {
    struct arena arena; /* owns nodes, texts, mistakes and the lists of structs that were filled */
    const char *name;   /* of the file, for messages */
    unsigned line_base; /* added to every line; 0 as yaml_init leaves it */
    struct yaml_node *root;
    struct yaml_mistake mistakes[YAML_MISTAKES];
    size_t mistake_count;
};

void yaml_init(struct yaml_doc *doc);
void yaml_release(struct yaml_doc *doc);

/* Parses text (kept by the caller only during the call; `name` is copied). */
enum err_code yaml_load(struct yaml_doc *doc, struct slice text, const char *name, struct err *e) ERR_CHECKED;
enum err_code yaml_load_file(struct yaml_doc *doc, const char *path, struct err *e) ERR_CHECKED;

/* Fills *out (s->size bytes, zeroed first) from the value at `path` ("" = the whole). All mistakes are gathered in
 * doc->mistakes; the error's text is the first one ("(and 3 more)" after it). Slices and lists live until
 * yaml_release. On success schema_write(s, out) gives the canonical bytes. */
enum err_code yaml_struct(struct yaml_doc *doc, const char *path, const struct schema *s, void *out,
                          struct err *e) ERR_CHECKED;
/* yaml_struct and schema_write in one: canonical bytes appended to b. */
enum err_code yaml_bytes(struct yaml_doc *doc, const char *path, const struct schema *s, struct buf *b,
                         struct err *e) ERR_CHECKED;
/* Canonical bytes of the value at `path` as a RAW field would hold it (no schema). */
enum err_code yaml_raw(struct yaml_doc *doc, const char *path, struct slice *out, struct err *e) ERR_CHECKED;

/* Is there a value at the path? */
bool yaml_has(const struct yaml_doc *doc, const char *path);
/* Text of the scalar at the path, or absent: to look at a discriminating field ("kind") before choosing a schema. */
struct slice yaml_text(const struct yaml_doc *doc, const char *path);
/* Line of the value at the path; if it is not there, of the nearest enclosing value that is. 1 at least. */
unsigned yaml_line_of(const struct yaml_doc *doc, const char *path);
/* A semantic mistake found by the caller: adds it to the mistakes, sets e to "file:line: path: text", gives CONFIG. */
enum err_code yaml_refuse(struct yaml_doc *doc, struct err *e, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
