/* node/ingest/ingest_config.c -- see ingest_config.h: schema, checks, compiling, choosing. */
#include "node/ingest/ingest_config.h"

#include "ledger/vault.h"
#include "wire/limits.h"
#include "wire/mem.h"

#include <stdio.h>

enum { INGEST_AT = 96, INGEST_ARENA = 64 << 20, INGEST_PATH = 4096 };

#define AT(type, member) .offset = offsetof(struct type, member)
#define OPTIONAL         .flags = SCHEMA_OPTIONAL
#define IDS(type_)                                                                                                     \
    { .key = "extractors", .type = SCHEMA_STRS, OPTIONAL, AT(type_, extractors), .max = INGEST_TRIED, .item_max = 64 }

static const char *const ingest_kind_names[] = {NULL, "lines", "http", NULL};
static const char *const ingest_begin_names[] = {NULL, "begin", "end", NULL};

static const struct schema_field actor_fields[] = {
    {.key = "ext",
     .type = SCHEMA_DICT,
     OPTIONAL,
     AT(ingest_actor, ext),
     .max = 32,
     .key_max = 48,
     .item_max = RECORD_VALUE},
    {.key = "name", .type = SCHEMA_STR, AT(ingest_actor, name), .min = 1, .max = RECORD_NAME},
    {.key = "type", .type = SCHEMA_STR, AT(ingest_actor, type), .min = 1, .max = 32},
};
static const struct schema actor_schema = SCHEMA_OF("actor", struct ingest_actor, actor_fields);

static const struct schema_field tag_fields[] = {
    {.key = "pattern", .type = SCHEMA_STR, OPTIONAL, AT(ingest_tag, pattern), .max = 8192},
    {.key = "server", .type = SCHEMA_STR, OPTIONAL, AT(ingest_tag, server), .max = 1024},
    {.key = "service", .type = SCHEMA_STR, OPTIONAL, AT(ingest_tag, service), .max = 1024},
};
static const struct schema tag_schema = SCHEMA_OF("tag", struct ingest_tag, tag_fields);

static const struct schema_field source_fields[] = {
    {.key = "actor", .type = SCHEMA_PTR, OPTIONAL, AT(ingest_source, actor), .sub = &actor_schema},
    {.key = "channel", .type = SCHEMA_STR, OPTIONAL, AT(ingest_source, channel), .max = LIMIT_NAME},
    IDS(ingest_source),
    {.key = "id", .type = SCHEMA_STR, AT(ingest_source, id), .min = 1, .max = 64},
    {.key = "kind", .type = SCHEMA_ENUM, AT(ingest_source, kind), .names = ingest_kind_names},
    {.key = "line_max", .type = SCHEMA_U64, OPTIONAL, AT(ingest_source, line_max), .min = 256, .max = VAULT_RAW_MAX},
    {.key = "log_kind", .type = SCHEMA_STR, OPTIONAL, AT(ingest_source, log_kind), .max = 64},
    {.key = "org_unit", .type = SCHEMA_STR, OPTIONAL, AT(ingest_source, org_unit), .max = 64},
    {.key = "path", .type = SCHEMA_STR, OPTIONAL, AT(ingest_source, path), .max = 1024},
    {.key = "server", .type = SCHEMA_STR, OPTIONAL, AT(ingest_source, server), .max = 64},
    {.key = "service", .type = SCHEMA_STR, OPTIONAL, AT(ingest_source, service), .max = 64},
    {.key = "start", .type = SCHEMA_ENUM, OPTIONAL, AT(ingest_source, start), .names = ingest_begin_names},
    {.key = "tag", .type = SCHEMA_PTR, OPTIONAL, AT(ingest_source, tag), .sub = &tag_schema},
    {.key = "zone", .type = SCHEMA_STR, OPTIONAL, AT(ingest_source, zone), .max = 16},
};
static const struct schema source_schema = SCHEMA_OF("source", struct ingest_source, source_fields);

static const struct schema_field rule_fields[] = {
    IDS(ingest_rule),
    {.key = "log_type", .type = SCHEMA_ENUM, OPTIONAL, AT(ingest_rule, log_type), .names = record_log_type_names},
    {.key = "server", .type = SCHEMA_STR, OPTIONAL, AT(ingest_rule, server), .max = 64},
    {.key = "service", .type = SCHEMA_STR, OPTIONAL, AT(ingest_rule, service), .max = 64},
};
static const struct schema rule_schema = SCHEMA_OF("rule", struct ingest_rule, rule_fields);

static const struct schema_field type_fields[] = {
    {.key = "extractors",
     .type = SCHEMA_STRS,
     AT(ingest_log_type, extractors),
     .min = 1,
     .max = INGEST_TRIED,
     .item_max = 64},
    {.key = "log_type", .type = SCHEMA_ENUM, AT(ingest_log_type, log_type), .names = record_log_type_names},
};
static const struct schema type_schema = SCHEMA_OF("log_type", struct ingest_log_type, type_fields);

static const struct schema_field table_fields[] = {
    {.key = "id", .type = SCHEMA_STR, AT(ingest_table, id), .min = 1, .max = 64},
    {.key = "key", .type = SCHEMA_STR, AT(ingest_table, key), .min = 1, .max = 64},
    {.key = "path", .type = SCHEMA_STR, AT(ingest_table, path), .min = 1, .max = 1024},
};
static const struct schema table_schema = SCHEMA_OF("table", struct ingest_table, table_fields);

static const struct schema_field extend_fields[] = {
    {.key = "columns",
     .type = SCHEMA_DICT,
     OPTIONAL,
     AT(ingest_extend, columns),
     .max = 32,
     .key_max = 48,
     .item_max = 64},
    {.key = "element", .type = SCHEMA_STR, AT(ingest_extend, element), .min = 1, .max = 48},
    {.key = "table", .type = SCHEMA_STR, AT(ingest_extend, table), .min = 1, .max = 64},
};
static const struct schema extend_schema = SCHEMA_OF("extend", struct ingest_extend, extend_fields);

static const struct schema_field body_fields[] = {
    {.key = "extend",
     .type = SCHEMA_LIST,
     OPTIONAL,
     AT(ingest_body, extend),
     .max = INGEST_EXTENDS,
     .sub = &extend_schema},
    {.key = "extractors",
     .type = SCHEMA_LIST,
     OPTIONAL,
     AT(ingest_body, extractors),
     .max = INGEST_EXTRACTORS,
     .sub = &extract_schema},
    {.key = "log_types", .type = SCHEMA_LIST, OPTIONAL, AT(ingest_body, log_types), .max = 3, .sub = &type_schema},
    {.key = "map", .type = SCHEMA_LIST, OPTIONAL, AT(ingest_body, map), .max = INGEST_RULES, .sub = &rule_schema},
    {.key = "sources",
     .type = SCHEMA_LIST,
     OPTIONAL,
     AT(ingest_body, sources),
     .max = INGEST_SOURCES,
     .sub = &source_schema},
    {.key = "tables",
     .type = SCHEMA_LIST,
     OPTIONAL,
     AT(ingest_body, tables),
     .max = INGEST_TABLES,
     .sub = &table_schema},
};
const struct schema ingest_schema = SCHEMA_OF("ingest", struct ingest_body, body_fields);

#define REFUSE(c, e, path, ...) yaml_refuse(&(c)->file.doc, (e), (path), __VA_ARGS__)

/* ---- asking ---- */

const struct ingest_source *ingest_config_source(const struct ingest_config *c, struct slice id, size_t *index) {
    const struct ingest_source *s = c->body.sources.items;
    uint32_t i;
    for (i = 0; i < c->body.sources.count; i++)
        if (slice_eq(s[i].id, id)) {
            if (index)
                *index = i;
            return &s[i];
        }
    return NULL;
}

const struct extractor *ingest_config_extractor(const struct ingest_config *c, struct slice id) {
    uint32_t i;
    for (i = 0; i < c->body.extractors.count; i++)
        if (slice_eq(c->extractors[i].config->id, id))
            return &c->extractors[i];
    return NULL;
}

static int config_table(const struct ingest_config *c, struct slice id) {
    const struct ingest_table *t = c->body.tables.items;
    uint32_t i;
    for (i = 0; i < c->body.tables.count; i++)
        if (slice_eq(t[i].id, id))
            return (int)i;
    return -1;
}

uint32_t ingest_config_looks(struct slice raw) {
    static const char *const verbs[] = {"select ", "insert ", "update ", "delete ",
                                        "create ", "alter ",  "drop ",   "grant "};
    size_t i, j;
    while (raw.len && (raw.ptr[0] == ' ' || raw.ptr[0] == '\t'))
        raw = slice_from(raw, 1);
    if (raw.len && (raw.ptr[0] == '{' || raw.ptr[0] == '[' || raw.ptr[0] == '<'))
        return RECORD_LOG_STRUCTURED;
    for (i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        for (j = 0; verbs[i][j] && j < raw.len && (raw.ptr[j] | 32) == (uint8_t)verbs[i][j]; j++)
            continue;
        if (!verbs[i][j])
            return RECORD_LOG_SQL;
    }
    return RECORD_LOG_TEXT;
}

static void choose_ids(const struct ingest_config *c, const struct schema_list *ids, struct ingest_choice *out) {
    const struct slice *id = ids->items;
    uint32_t i;
    for (i = 0; i < ids->count && out->count < INGEST_TRIED; i++) {
        const struct extractor *x = ingest_config_extractor(c, id[i]);
        if (x)
            out->tried[out->count++] = x;
    }
}

/* The most specific row: both > server > service > neither. */
static const struct ingest_rule *choose_rule(const struct ingest_config *c, struct slice server, struct slice service) {
    const struct ingest_rule *r = c->body.map.items, *best = NULL;
    int most = -1;
    uint32_t i;
    for (i = 0; i < c->body.map.count; i++) {
        int rank = (r[i].server.len ? 2 : 0) + (r[i].service.len ? 1 : 0);
        if ((r[i].server.len && !slice_eq(r[i].server, server)) ||
            (r[i].service.len && !slice_eq(r[i].service, service)))
            continue;
        if (rank > most) {
            most = rank;
            best = &r[i];
        }
    }
    return best;
}

struct ingest_choice ingest_config_choose(const struct ingest_config *c, const struct ingest_source *source,
                                          struct slice server, struct slice service, uint32_t looks) {
    struct ingest_choice out = {.log_type = 0};
    const struct ingest_rule *rule = choose_rule(c, server, service);
    const struct ingest_log_type *t = c->body.log_types.items;
    uint32_t i, type;
    if (rule)
        out.log_type = rule->log_type;
    type = out.log_type ? out.log_type : looks;
    if (source && source->extractors.count) {
        choose_ids(c, &source->extractors, &out);
        return out;
    }
    if (rule && rule->extractors.count) {
        choose_ids(c, &rule->extractors, &out);
        return out;
    }
    for (i = 0; i < c->body.log_types.count; i++)
        if (t[i].log_type == type)
            choose_ids(c, &t[i].extractors, &out);
    return out;
}

/* ---- checking and compiling ---- */

static enum err_code check_ids(struct ingest_config *c, const struct schema_list *ids, const char *at, struct err *e) {
    const struct slice *id = ids->items;
    uint32_t i;
    for (i = 0; i < ids->count; i++)
        if (!ingest_config_extractor(c, id[i])) {
            char path[INGEST_AT];
            snprintf(path, sizeof path, "%s.extractors[%u]", at, i);
            return REFUSE(c, e, path, "no extractor is called \"%.*s\"", SLICE_ARG(id[i]));
        }
    return ERR_OK;
}

static enum err_code compile_extractors(struct ingest_config *c, struct err *e) {
    const struct extract_config *x = c->body.extractors.items;
    uint32_t i, j;
    c->extractors = arena_alloc(&c->arena, c->body.extractors.count + 1, sizeof *c->extractors);
    c->tags = arena_alloc(&c->arena, c->body.sources.count + 1, sizeof *c->tags);
    if (!c->extractors || !c->tags)
        return err_set(e, ERR_NO_MEMORY, "no memory for extractors");
    for (i = 0; i < c->body.extractors.count; i++) {
        char at[INGEST_AT];
        enum err_code rc;
        snprintf(at, sizeof at, "ingest.extractors[%u]", i);
        rc = extract_compile(&c->extractors[i], &x[i], &c->file.doc, at, &c->arena, e);
        if (rc != ERR_OK)
            return rc;
        for (j = 0; j < i; j++)
            if (slice_eq(x[i].id, x[j].id)) {
                snprintf(at, sizeof at, "ingest.extractors[%u].id", i);
                return REFUSE(c, e, at, "\"%.*s\" stands twice", SLICE_ARG(x[i].id));
            }
    }
    return ERR_OK;
}

static enum err_code check_source_kind(struct ingest_config *c, const struct ingest_source *s, const char *at,
                                       struct err *e) {
    char path[INGEST_AT + 8];
    int32_t zone;
    if (s->kind == INGEST_LINES && !s->path.len)
        return REFUSE(c, e, at, "a source of kind lines needs a \"path\"");
    snprintf(path, sizeof path, "%s.path", at);
    if (s->kind == INGEST_HTTP && s->path.len)
        return REFUSE(c, e, path, "a source of kind http has none");
    snprintf(path, sizeof path, "%s.zone", at);
    if (s->zone.len && !time_text_zone(s->zone, &zone))
        return REFUSE(c, e, path, "\"%.*s\" is no zone: UTC or an offset such as +08:00", SLICE_ARG(s->zone));
    return ERR_OK;
}

static enum err_code check_sources(struct ingest_config *c, struct err *e) {
    struct ingest_source *s = c->body.sources.items;
    uint32_t i;
    size_t first;
    for (i = 0; i < c->body.sources.count; i++) {
        char at[INGEST_AT], path[INGEST_AT + 8];
        enum err_code rc;
        snprintf(at, sizeof at, "ingest.sources[%u]", i);
        if (!s[i].line_max)
            s[i].line_max = INGEST_LINE;
        if (ingest_config_source(c, s[i].id, &first) && first != i) {
            snprintf(path, sizeof path, "%s.id", at);
            return REFUSE(c, e, path, "\"%.*s\" stands twice", SLICE_ARG(s[i].id));
        }
        if ((rc = check_source_kind(c, &s[i], at, e)) != ERR_OK ||
            (rc = check_ids(c, &s[i].extractors, at, e)) != ERR_OK)
            return rc;
        if (!s[i].extractors.count && !c->body.map.count && !c->body.log_types.count)
            return REFUSE(c, e, at, "names no \"extractors\", and there is neither \"map\" nor \"log_types\"");
        snprintf(path, sizeof path, "%s.tag", at);
        if (s[i].tag && (rc = extract_compile_tag(&c->tags[i], s[i].tag->pattern, s[i].tag->server, s[i].tag->service,
                                                  &c->file.doc, path, &c->arena, e)) != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static enum err_code check_map(struct ingest_config *c, struct err *e) {
    const struct ingest_rule *r = c->body.map.items;
    const struct ingest_log_type *t = c->body.log_types.items;
    char at[INGEST_AT];
    uint32_t i, j;
    enum err_code rc;
    for (i = 0; i < c->body.map.count; i++) {
        snprintf(at, sizeof at, "ingest.map[%u]", i);
        for (j = 0; j < i; j++)
            if (slice_eq(r[i].server, r[j].server) && slice_eq(r[i].service, r[j].service))
                return REFUSE(c, e, at, "server and service as in map[%u]", j);
        if (!r[i].extractors.count && !r[i].log_type)
            return REFUSE(c, e, at, "needs \"extractors\" or a \"log_type\"");
        if ((rc = check_ids(c, &r[i].extractors, at, e)) != ERR_OK)
            return rc;
    }
    for (i = 0; i < c->body.log_types.count; i++) {
        snprintf(at, sizeof at, "ingest.log_types[%u]", i);
        for (j = 0; j < i; j++)
            if (t[i].log_type == t[j].log_type)
                return REFUSE(c, e, at, "a log type stands twice");
        if ((rc = check_ids(c, &t[i].extractors, at, e)) != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static enum err_code load_tables(struct ingest_config *c, struct err *e) {
    const struct ingest_table *t = c->body.tables.items;
    uint32_t i;
    c->tables = arena_alloc(&c->arena, c->body.tables.count + 1, sizeof *c->tables);
    if (!c->tables)
        return err_set(e, ERR_NO_MEMORY, "no memory for tables");
    for (i = 0; i < c->body.tables.count; i++) {
        char path[INGEST_PATH], at[INGEST_AT];
        struct err why = {0};
        if (t[i].path.ptr[0] == '/')
            snprintf(path, sizeof path, "%.*s", SLICE_ARG(t[i].path));
        else
            snprintf(path, sizeof path, "%s/%.*s", c->file.home, SLICE_ARG(t[i].path));
        snprintf(at, sizeof at, "ingest.tables[%u].id", i);
        if (config_table(c, t[i].id) != (int)i)
            return REFUSE(c, e, at, "\"%.*s\" stands twice", SLICE_ARG(t[i].id));
        snprintf(at, sizeof at, "ingest.tables[%u].path", i);
        if (lookup_load(path, t[i].key, &c->tables[i], &why) != ERR_OK)
            return REFUSE(c, e, at, "%s", why.text);
    }
    return ERR_OK;
}

static enum err_code check_extends(struct ingest_config *c, struct err *e) {
    const struct ingest_extend *x = c->body.extend.items;
    uint32_t i, j;
    for (i = 0; i < c->body.extend.count; i++) {
        const struct schema_pair *p = x[i].columns.items;
        char at[INGEST_AT];
        int table = config_table(c, x[i].table);
        snprintf(at, sizeof at, "ingest.extend[%u].table", i);
        if (table < 0)
            return REFUSE(c, e, at, "no table is called \"%.*s\"", SLICE_ARG(x[i].table));
        snprintf(at, sizeof at, "ingest.extend[%u].element", i);
        if (!slice_eq_str(x[i].element, "actor") &&
            (x[i].element.len < 8 || memcmp(x[i].element.ptr, "object:", 7) != 0))
            return REFUSE(c, e, at, "is \"actor\" or \"object:<type>\"");
        snprintf(at, sizeof at, "ingest.extend[%u].columns", i);
        for (j = 0; j < x[i].columns.count; j++)
            if (lookup_column(c->tables[table], p[j].value) < 0)
                return REFUSE(c, e, at, "table \"%.*s\" has no column \"%.*s\"", SLICE_ARG(x[i].table),
                              SLICE_ARG(p[j].value));
    }
    return ERR_OK;
}

static enum err_code config_compile(struct ingest_config *c, struct err *e) {
    enum err_code rc;
    arena_init(&c->arena, INGEST_ARENA);
    if (yaml_has(&c->file.doc, "ingest") &&
        (rc = yaml_struct(&c->file.doc, "ingest", &ingest_schema, &c->body, e)) != ERR_OK)
        return rc;
    if ((rc = compile_extractors(c, e)) != ERR_OK || (rc = check_sources(c, e)) != ERR_OK ||
        (rc = check_map(c, e)) != ERR_OK || (rc = load_tables(c, e)) != ERR_OK)
        return rc;
    return check_extends(c, e);
}

enum err_code ingest_config_read(struct ingest_config *c, const char *home, struct err *e) {
    enum err_code rc;
    memset(c, 0, sizeof *c);
    rc = config_read(&c->file, home, e);
    return rc == ERR_OK ? config_compile(c, e) : rc;
}

enum err_code ingest_config_parse(struct ingest_config *c, struct slice text, const char *name, const char *home,
                                  struct err *e) {
    enum err_code rc;
    memset(c, 0, sizeof *c);
    yaml_init(&c->file.doc);
    rc = yaml_load(&c->file.doc, text, name, e); /* only the section is looked at: no id, no role */
    if (rc != ERR_OK)
        return rc;
    c->file.home = mem_strdup(home);
    return c->file.home ? config_compile(c, e) : err_set(e, ERR_NO_MEMORY, "no memory");
}

void ingest_config_release(struct ingest_config *c) {
    uint32_t i;
    for (i = 0; c->extractors && i < c->body.extractors.count; i++)
        extract_release(&c->extractors[i]);
    for (i = 0; c->tags && i < c->body.sources.count; i++)
        extract_release(&c->tags[i]);
    for (i = 0; c->tables && i < c->body.tables.count; i++)
        lookup_free(c->tables[i]);
    arena_release(&c->arena);
    config_release(&c->file);
    memset(c, 0, sizeof *c);
}
