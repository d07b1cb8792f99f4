/* node/ingest/ingest_config.h -- the section `ingest` of node.yaml: sources, extractors, the mapping between them,
 * tables. Owns: schema, checks with file and line, the compiled form. Source: docs/INGEST.md; SEEDS S2.5-17, 38-42.
 *
 * A *spec* says where a value comes from: a place (a JSON path, or a named group of a regular expression), or "=text"
 * for a constant; several joined by " | ": the first that is there. */
#ifndef NODE_INGEST_INGEST_CONFIG_H
#define NODE_INGEST_INGEST_CONFIG_H

#include "node/config.h"
#include "node/ingest/extract.h"
#include "node/ingest/lookup.h"

enum {
    INGEST_SOURCES = 64,
    INGEST_EXTRACTORS = 256,
    INGEST_RULES = 1024,
    INGEST_TABLES = 32,
    INGEST_EXTENDS = 128,
    INGEST_TRIED = 16, /* extractors tried for one log */
    INGEST_LINE = 1 << 20
};

enum ingest_kind { INGEST_LINES = 1, INGEST_HTTP };
enum ingest_begin { INGEST_BEGIN = 1, INGEST_END };

/* The subject of a source whose logs name none. */
struct ingest_actor {
    struct schema_list ext; /* DICT */
    struct slice name, type;
};
/* Light reading: which system and interface a log belongs to. */
struct ingest_tag {
    struct slice pattern;         /* regex with groups; absent: JSON paths */
    struct slice server, service; /* specs */
};
struct ingest_source {
    struct ingest_actor *actor;    /* NULL: the log names its subject */
    struct slice channel;          /* absent: the only one besides the parent */
    struct schema_list extractors; /* STRS of ids, in the order in which they are tried; empty: by the mapping */
    struct slice id;
    uint32_t kind;     /* enum ingest_kind */
    uint64_t line_max; /* bytes; a longer line is a dead letter. 0: INGEST_LINE */
    struct slice log_kind, org_unit;
    struct slice path; /* glob, of kind lines; relative to home */
    struct slice server, service;
    uint32_t start;         /* enum ingest_begin: where a file that was never seen is begun; absent: begin */
    struct ingest_tag *tag; /* NULL: server and service as they stand here */
    struct slice zone;      /* of times that state none, unless the extractor says */
};
/* server + service -> log type -> extractors. */
struct ingest_rule {
    struct schema_list extractors; /* STRS; empty: those of the log type */
    uint32_t log_type;             /* enum record_log_type; absent: by the log's look */
    struct slice server, service;  /* absent: any */
};
struct ingest_log_type {
    struct schema_list extractors;
    uint32_t log_type;
};
struct ingest_table {
    struct slice id, key, path;
};
/* An extension plugin: fills the fields of an element from a table. */
struct ingest_extend {
    struct schema_list columns; /* DICT field -> column; a field that is not here has the column of its own name */
    struct slice element;       /* "actor", "object:fund" */
    struct slice table;
};
struct ingest_body {
    struct schema_list extend, extractors, log_types, map, sources, tables;
};
extern const struct schema ingest_schema;

struct ingest_config {
    struct config file; /* the whole node.yaml */
    struct ingest_body body;
    struct arena arena;
    struct extractor *extractors; /* [body.extractors.count], compiled */
    struct extractor *tags;       /* [body.sources.count], compiled light readers; unset where tag is NULL */
    struct lookup **tables;       /* [body.tables.count] */
};

/* Reads home/node.yaml. CONFIG "file:line: path: what". Release in any case. */
enum err_code ingest_config_read(struct ingest_config *c, const char *home, struct err *e) ERR_CHECKED;
/* From text: any document with a key `ingest`; nothing else in it is looked at. Relative paths start at home. */
enum err_code ingest_config_parse(struct ingest_config *c, struct slice text, const char *name, const char *home,
                                  struct err *e) ERR_CHECKED;
void ingest_config_release(struct ingest_config *c);

const struct ingest_source *ingest_config_source(const struct ingest_config *c, struct slice id, size_t *index);
const struct extractor *ingest_config_extractor(const struct ingest_config *c, struct slice id);
/* Extractors to be tried, in order, and the log type if a rule states it (else 0). Returns the count, at most
 * INGEST_TRIED. source may be NULL. */
struct ingest_choice {
    const struct extractor *tried[INGEST_TRIED];
    size_t count;
    uint32_t log_type;
};
struct ingest_choice ingest_config_choose(const struct ingest_config *c, const struct ingest_source *source,
                                          struct slice server, struct slice service, uint32_t looks);
/* S2.10: the log type by the look of it. */
uint32_t ingest_config_looks(struct slice raw);

#endif
