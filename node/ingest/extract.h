/* node/ingest/extract.h -- from a raw log to the four elements of an operation: who, when, what, to what.
 * Owns: extractors, compiled from configuration; one file a type of extractor (extract_json.c, extract_regex.c) behind
 * one face (struct extract_type), so that SQL, XML and scripts are further rows. Source: SEEDS S2.14-27.
 * What is absent stays absent; a log without subject, time, operation or object is no record but a dead letter.
 * Errors name the element and the place, never a byte of the log. */
#ifndef NODE_INGEST_EXTRACT_H
#define NODE_INGEST_EXTRACT_H

#include "ledger/record.h"
#include "node/ingest/json_tree.h"
#include "node/ingest/time_text.h"
#include "wire/yaml.h"

enum {
    EXTRACT_ALTERNATIVES = 8,
    EXTRACT_OBJECTS = 65536 /* of one log, before they are folded */,
    EXTRACT_VALUES = 65536
};

/* ---- configuration, as written ---- */
enum extract_kind { EXTRACT_JSON = 1, EXTRACT_REGEX };
struct extract_party {
    struct schema_list ext;  /* DICT name -> spec */
    struct slice name, type; /* specs */
};
struct extract_object {
    struct slice each;      /* JSON: path of the elements; the specs below are then relative to each */
    struct schema_list ext; /* DICT name -> spec */
    struct slice name;      /* spec; each value that it leads to is an object */
    uint32_t role;          /* enum record_role */
    struct slice split;     /* characters that part several names in one value */
    struct slice type;      /* spec */
};
struct extract_status {
    struct schema_list failure, success; /* STRS */
    struct slice field;                  /* spec */
};
struct extract_when {
    struct slice at, end; /* specs */
    struct slice format;  /* time_text.h; absent: rfc3339 */
    struct slice zone;
};
struct extract_config {
    struct extract_party *actor; /* NULL: the source assigns it */
    struct schema_list custom;   /* DICT key -> spec */
    struct slice id;
    struct slice note;          /* spec: in words, for what nothing classifies */
    struct schema_list objects; /* of struct extract_object */
    struct slice op;            /* spec */
    struct slice pattern;       /* regex */
    struct extract_status *status;
    struct extract_when time;
    uint32_t type;           /* enum extract_kind */
    struct schema_list when; /* DICT place -> text: does this extractor apply? */
};
extern const struct schema extract_schema;

/* ---- compiled ---- */
struct extract_ref {
    bool constant, root;   /* root: written "$.path", from the top even within `each` */
    struct slice text;     /* of a constant; the place's name otherwise */
    struct json_path path; /* JSON */
    uint32_t group;        /* regex */
};
struct extract_spec {
    const struct extract_ref *alternatives;
    size_t count; /* 0: not configured */
};
struct extract_field {
    struct slice key;
    struct extract_spec spec;
};
struct extract_object_spec {
    const struct extract_object *config;
    struct extract_spec each, name, type;
    struct extract_field *ext;
};
struct extract_type;
struct extractor {
    const struct extract_config *config;
    const struct extract_type *type;
    void *impl; /* regex: its program */
    struct extract_spec actor_name, actor_type, op, note, status, at, end;
    struct extract_field *actor_ext, *custom, *when;
    struct extract_object_spec *objects;
    struct time_text time;
};

/* All in `a`, borrowing from config, but the pattern: extract_release. `at` is the path of the config in doc, for
 * mistakes: CONFIG with file and line. */
enum err_code extract_compile(struct extractor *x, const struct extract_config *config, struct yaml_doc *doc,
                              const char *at, struct arena *a, struct err *e) ERR_CHECKED;
/* A light reader of server and service: pattern absent means JSON paths. Fields: actor_name = server, actor_type =
 * service. */
enum err_code extract_compile_tag(struct extractor *x, struct slice pattern, struct slice server, struct slice service,
                                  struct yaml_doc *doc, const char *at, struct arena *a, struct err *e) ERR_CHECKED;
void extract_release(struct extractor *x);

/* ---- running ---- */
/* One raw log, and what has been read of it; so several extractors parse its JSON once. Lives for one log. */
struct extract_log {
    struct slice text; /* valid UTF-8 */
    struct arena *arena;
    bool parsed;
    const struct json_node *json;
    struct err json_error;
};
/* Fills actor, objects (all of them), op.raw, op.note, op.status_id, time, time_end, custom, ext. Texts live in the
 * log's arena or in the log. *applies is false when the extractor is not for such a log (its pattern or `when` does
 * not fit): try the next. MALFORMED names the element. zone: the source's, or NULL. */
enum err_code extract_run(const struct extractor *x, struct extract_log *log, const int32_t *zone, bool assigned,
                          struct record *out, bool *applies, struct err *e) ERR_CHECKED;
/* Server and service by a light reader; what it does not find stays as it is. */
void extract_tag(const struct extractor *x, struct extract_log *log, struct slice *server, struct slice *service);

/* ---- the face of a type of extractor ---- */
struct extract_view {
    struct extract_log *log;
    const struct json_node *node; /* JSON: where paths start */
    void *match;                  /* regex: pcre2_match_data */
    bool ambiguous;               /* out: a key stood twice */
};
struct extract_values {
    struct slice *items;
    const struct json_node **nodes; /* JSON: of each item, scalar or not */
    size_t count, room;
};
struct extract_type {
    const char *name;
    /* Compiles the pattern, if the type has one. */
    enum err_code (*compile)(struct extractor *x, struct slice pattern, struct err *e);
    void (*release)(struct extractor *x);
    /* Resolves the place of a ref. MALFORMED. */
    enum err_code (*place)(const struct extractor *x, struct extract_ref *ref, struct arena *a, struct err *e);
    /* Opens a log: *applies false if it is none of this extractor's. */
    enum err_code (*open)(const struct extractor *x, struct extract_log *log, struct extract_view *v, bool *applies,
                          struct err *e);
    void (*close)(const struct extractor *x, struct extract_view *v);
    /* All values of one place; with `nodes`, containers too. false: no memory. */
    bool (*values)(struct extract_view *v, const struct extract_ref *ref, bool nodes, struct extract_values *out);
};
extern const struct extract_type extract_json_type, extract_regex_type;

#endif
