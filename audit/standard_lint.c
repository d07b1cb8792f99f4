/* audit/standard_lint.c -- see standard_lint.h. The schema finds the mistakes of form, standard_check_doc and
 * standard_body_check those of sense, audit_rules_publish those against the other standards; here they get lines. */
#include "audit/standard_lint.h"

#include "audit/audit_rules.h"
#include "audit/standard_body.h"
#include "wire/yaml.h"

#include <stdio.h>

void standard_lint_init(struct standard_lint *l) {
    memset(l, 0, sizeof *l);
    buf_init(&l->definition, LIMIT_ENTRY);
}

void standard_lint_release(struct standard_lint *l) {
    buf_release(&l->definition);
}

struct lint_ctx {
    struct standard_lint *lint;
    struct yaml_doc *doc;
};

static void lint_add(struct lint_ctx *c, unsigned line, const char *path, const char *text) {
    struct standard_lint_issue *i;
    if (c->lint->count == STANDARD_LINT_ISSUES)
        return;
    i = &c->lint->issues[c->lint->count++];
    i->line = line;
    snprintf(i->path, sizeof i->path, "%s", path);
    snprintf(i->text, sizeof i->text, "%s", text);
}

static void lint_tell(void *ctx, const char *at, const char *text) {
    struct lint_ctx *c = ctx;
    lint_add(c, yaml_line_of(c->doc, at), at, text);
}

/* As one reads the file; mistakes of one line stay in the order in which they were found. */
static void lint_sort(struct standard_lint *l) {
    size_t i, j;
    for (i = 1; i < l->count; i++) {
        struct standard_lint_issue x = l->issues[i];
        for (j = i; j > 0 && l->issues[j - 1].line > x.line; j--)
            l->issues[j] = l->issues[j - 1];
        l->issues[j] = x;
    }
}

/* What the YAML reader has found since *seen. */
static void lint_mistakes(struct lint_ctx *c, size_t *seen) {
    for (; *seen < c->doc->mistake_count; (*seen)++)
        lint_add(c, c->doc->mistakes[*seen].line, c->doc->mistakes[*seen].path, c->doc->mistakes[*seen].text);
}

/* The kind decides which schema the body has, so it is looked at first. */
static uint32_t lint_kind(const struct yaml_doc *doc) {
    struct slice text = yaml_text(doc, "kind");
    uint32_t kind;
    for (kind = 1; kind < STANDARD_KINDS; kind++)
        if (slice_eq_str(text, standard_kind_names[kind]))
            return kind;
    return 0;
}

/* The definition as it would be published, read back whole: the same function that validators use. */
static enum err_code lint_others(struct lint_ctx *c, struct slice definition, const struct audit_state *state,
                                 int64_t time, struct err *e) {
    static const uint8_t nonce[16] = {1};
    const struct standard *std = NULL;
    struct buf entry;
    struct entry split;
    enum err_code rc;
    buf_init(&entry, LIMIT_ENTRY);
    rc = standard_lint_publish(definition, slice_str("lint"), slice_str("lint"), nonce, &entry, e);
    if (rc == ERR_OK && (rc = entry_read(buf_slice(&entry), &split, e)) == ERR_OK)
        rc = standard_read(split.body, &std, e);
    if (rc == ERR_OK && state)
        rc = audit_rules_publish(state, time, std, e);
    if (rc != ERR_OK && err_class_of(rc) != ERR_CLASS_FATAL)
        lint_tell(c, "", e->text);
    standard_release(std);
    buf_release(&entry);
    return rc;
}

static enum err_code lint_body(struct lint_ctx *c, struct standard_doc *doc, struct arena *a, struct buf *bytes,
                               struct err *e) {
    union standard_body body;
    struct standard_problems problems = {lint_tell, c, 0};
    size_t seen = c->doc->mistake_count;
    enum err_code rc = ERR_OK;
    memset(&body, 0, sizeof body);
    if (standard_body_schema(doc->kind) && yaml_has(c->doc, "body")) {
        rc = yaml_struct(c->doc, "body", standard_body_schema(doc->kind), &body, e);
        lint_mistakes(c, &seen);
        if (rc == ERR_OK && (rc = standard_body_check(doc->kind, &body, a, &problems, NULL, e)) == ERR_OK) {
            schema_write(standard_body_schema(doc->kind), &body, bytes);
            rc = buf_check(bytes, e);
        }
    }
    return rc;
}

static enum err_code lint_document(struct lint_ctx *c, const struct audit_state *state, int64_t time, struct arena *a,
                                   struct buf *body, struct err *e) {
    struct standard_doc doc;
    struct standard_problems problems = {lint_tell, c, 0};
    size_t seen = c->doc->mistake_count;
    enum err_code head, rc;
    memset(&doc, 0, sizeof doc);
    head = yaml_struct(c->doc, "", &standard_doc_schema, &doc, e);
    lint_mistakes(c, &seen);
    doc.kind = lint_kind(c->doc);
    if (head == ERR_OK)
        head = standard_check_doc(&doc, &problems, e);
    rc = lint_body(c, &doc, a, body, e);
    if (head != ERR_OK || rc != ERR_OK)
        return head != ERR_OK ? head : rc;
    doc.body = buf_slice(body);
    schema_write(&standard_doc_schema, &doc, &c->lint->definition);
    if ((rc = buf_check(&c->lint->definition, e)) != ERR_OK || (rc = standard_hash(&doc, &c->lint->hash, e)) != ERR_OK)
        return rc;
    return lint_others(c, buf_slice(&c->lint->definition), state, time, e);
}

enum err_code standard_lint_yaml(struct standard_lint *l, struct slice text, const char *name,
                                 const struct audit_state *state, int64_t time, struct err *e) {
    struct yaml_doc doc;
    struct lint_ctx c = {l, &doc};
    struct standard_doc head;
    struct arena a;
    struct buf body;
    struct err mine;
    size_t seen = 0;
    enum err_code rc;
    if (!e)
        e = &mine;
    l->count = 0;
    buf_clear(&l->definition);
    yaml_init(&doc);
    arena_init(&a, STANDARD_ARENA);
    buf_init(&body, LIMIT_ENTRY);
    if ((rc = yaml_load(&doc, text, name, e)) != ERR_OK)
        lint_mistakes(&c, &seen);
    else
        rc = lint_document(&c, state, time, &a, &body, e);
    lint_sort(l);
    if (l->count > 0)
        rc = err_set(e, ERR_CONFIG, "%s:%u: %s%s%s%s", name, l->issues[0].line, l->issues[0].path,
                     l->issues[0].path[0] ? ": " : "", l->issues[0].text, l->count > 1 ? " (and more)" : "");
    if (rc == ERR_OK && (rc = schema_read(&standard_doc_schema, buf_slice(&l->definition), &a, &head, e)) == ERR_OK) {
        l->id = head.id;
        l->version = head.version;
        l->kind = head.kind;
    }
    buf_release(&body);
    arena_release(&a);
    yaml_release(&doc);
    return rc;
}

enum err_code standard_lint_publish(struct slice definition, struct slice issuer, struct slice by,
                                    const uint8_t nonce[16], struct buf *entry, struct err *e) {
    struct standard_doc doc;
    struct standard_entry h = {.action = STANDARD_PUBLISH, .issuer = issuer, .by = by};
    struct arena a;
    enum err_code rc;
    arena_init(&a, LIMIT_ENTRY);
    if ((rc = schema_read(&standard_doc_schema, definition, &a, &doc, e)) == ERR_OK) {
        h.body = doc.body;
        h.effective_from = doc.effective_from;
        h.grace_ms = doc.grace_ms;
        h.id = doc.id;
        h.kind = doc.kind;
        h.mode = doc.mode;
        h.supersedes = doc.supersedes;
        h.title = doc.title;
        h.version = doc.version;
        memcpy(h.nonce, nonce, sizeof h.nonce);
        entry_write(ENTRY_STANDARD, &standard_entry_schema, &h, entry);
        rc = buf_check(entry, e);
    }
    arena_release(&a);
    return rc;
}
