/* node/cli/cmd_ingest_test.c -- `assay ingest test`: what would become of a sample, step by step; no node, no network.
 * With --standard the sample is checked against standards as they are authored, and classified by them. */
#include "audit/audit_check.h"
#include "audit/standard_lint.h"
#include "node/cli/client.h"
#include "node/cli/commands.h"
#include "node/cli/files.h"
#include "node/cli/out.h"
#include "node/clock.h"
#include "node/ingest/pipeline.h"
#include "wire/mem.h"
#include "wire/pack.h"

#include <sodium.h>
#include <stdio.h>

enum { TRY_SAMPLE = 64 << 20, TRY_ARENA = 256 << 20, TRY_STANDARD = 1 << 20, TRY_SHOWN = 12 };

const struct cli_option cmd_ingest_test_options[] = {
    {"config", "FILE", "YAML with the section `ingest` (default: node.yaml of --home)"},
    {"home", "DIR", "home of the node (default: $ASSAY_HOME, or .)"},
    {"source", "ID", "as a log of this source"},
    {"extractor", "ID", "by this extractor alone"},
    {"server", "NAME", "as a log of this server"},
    {"service", "NAME", "as a log of this service"},
    {"standard", "FILE", "under this standard, as authored; may be repeated"},
    {"limit", "N", "at most so many lines (default 20)"},
    {NULL, NULL, NULL},
};

struct try_run {
    struct cli *c;
    struct ingest_config config;
    struct ingest_source forced; /* --extractor */
    struct slice forced_id;
    struct pipeline p;
    struct audit_state *state;
    struct arena arena;
    struct door_log log;
    struct buf entry;
    uint64_t lines, dead;
};

/* ---- the standards, as if a regulator had published them ---- */

static enum err_code try_publish(struct try_run *r, const struct audit_member *regulator, struct slice yaml,
                                 const char *name, uint64_t number, int64_t now, struct err *e) {
    struct standard_lint l;
    struct audit_check check;
    struct audit_state *child;
    uint8_t nonce[16];
    struct buf entry;
    enum err_code rc;
    randombytes_buf(nonce, sizeof nonce);
    buf_init(&entry, LIMIT_ENTRY);
    standard_lint_init(&l);
    rc = standard_lint_yaml(&l, yaml, name, r->state, now, e);
    if (rc == ERR_OK)
        rc = standard_lint_publish(buf_slice(&l.definition), regulator->node, slice_str("ingest test"), nonce, &entry,
                                   e);
    if (rc == ERR_OK) {
        audit_check_begin(&check, r->state, number, now);
        rc = audit_check_next(&check, number, buf_slice(&entry), regulator, NULL, e);
        child = audit_check_end(&check);
        audit_state_release(r->state);
        r->state = child;
    }
    standard_lint_release(&l);
    buf_release(&entry);
    return rc;
}

static enum err_code try_standards(struct try_run *r, struct err *e) {
    struct audit_member regulator = {
        .node = slice_str("regulator"), .org = slice_str("regulator"), .role = AUDIT_REGULATOR};
    struct audit_policy policy = {.members = &regulator, .member_count = 1};
    const char *path;
    enum err_code rc = ERR_OK;
    size_t i;
    if (!cli_opt(r->c, "standard"))
        return ERR_OK;
    regulator.submit.b[0] = 1;
    rc = audit_state_new(&policy, NULL, 0, &r->state, e);
    for (i = 0; rc == ERR_OK && (path = cli_opt_nth(r->c, "standard", i)) != NULL; i++) {
        struct buf text;
        rc = files_read(path, TRY_STANDARD, &text, e);
        if (rc == ERR_OK)
            rc = try_publish(r, audit_state_node(r->state, regulator.node), buf_slice(&text), path, i + 1,
                             clock_wall_ms() - 1, e);
        buf_release(&text);
    }
    return rc;
}

/* ---- configuration ---- */

static enum err_code try_config(struct try_run *r, struct err *e) {
    const char *path = cli_opt(r->c, "config");
    char dir[4096];
    char *slash;
    struct buf text;
    enum err_code rc;
    if (!path)
        return ingest_config_read(&r->config, cli_home(r->c), e);
    snprintf(dir, sizeof dir, "%s", path);
    slash = strrchr(dir, '/');
    snprintf(slash ? slash : dir, 3, "%s", slash ? "" : ".");
    rc = files_read(path, YAML_SIZE, &text, e);
    if (rc == ERR_OK)
        rc = ingest_config_parse(&r->config, buf_slice(&text), path, cli_opt(r->c, "home") ? cli_home(r->c) : dir, e);
    buf_release(&text);
    return rc;
}

static enum err_code try_choose(struct try_run *r, struct err *e) {
    const char *source = cli_opt(r->c, "source"), *extractor = cli_opt(r->c, "extractor");
    struct pipeline *p = &r->p;
    *p = (struct pipeline){.config = &r->config,
                           .source_id = slice_str(source ? source : "test"),
                           .server = slice_str(cli_opt(r->c, "server")),
                           .service = slice_str(cli_opt(r->c, "service")),
                           .state = r->state,
                           .now = clock_wall_ms(),
                           .arena = &r->arena};
    if (source && !(p->source = ingest_config_source(&r->config, slice_str(source), &p->source_index)))
        return err_set(e, ERR_USAGE, "no source is called \"%s\"", source);
    if (extractor && !ingest_config_extractor(&r->config, slice_str(extractor)))
        return err_set(e, ERR_USAGE, "no extractor is called \"%s\"", extractor);
    if (!source && !extractor && !p->server.len && r->config.body.sources.count == 1) {
        p->source = r->config.body.sources.items;
        p->source_id = p->source->id;
    }
    if (extractor) {
        if (p->source)
            r->forced = *p->source;
        r->forced_id = slice_str(extractor);
        r->forced.extractors = (struct schema_list){&r->forced_id, 1};
        p->source = &r->forced;
    }
    return ERR_OK;
}

/* ---- one line ---- */

static void show_time(struct cli *c, const char *label, int64_t ms) {
    time_t s = (time_t)(ms / 1000);
    struct tm t;
    if (gmtime_r(&s, &t))
        out_line(c, "  %s  %04d-%02d-%02dT%02d:%02d:%02d.%03dZ\n", label, t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                 t.tm_hour, t.tm_min, t.tm_sec, (int)(ms % 1000));
}

static void show_pairs(struct buf *b, const struct schema_list *dict) {
    const struct schema_pair *p = dict->items;
    for (uint32_t i = 0; i < dict->count; i++) {
        buf_printf(b, "%s%.*s=", i ? ", " : " {", SLICE_ARG(p[i].key));
        out_padded(b, p[i].value, 0);
    }
    if (dict->count)
        buf_str(b, "}");
}

static void show_party(struct buf *b, struct slice type, struct slice name, const struct schema_list *ext) {
    out_padded(b, type, 0);
    buf_str(b, " ");
    out_padded(b, name, 0);
    show_pairs(b, ext);
}

static void show_record(struct try_run *r, const struct pipeline_trace *t) {
    const struct record *x = &r->log.record;
    const struct record_object *o = x->objects.items;
    struct cli *c = r->c;
    struct buf b;
    buf_init(&b, 1 << 20);
    show_party(&b, x->actor.type, x->actor.name, &x->actor.ext);
    out_line(c, "  who      %s%s\n", buf_cstr(&b), x->actor.assigned ? "  (assigned by the source)" : "");
    show_time(c, "when   ", x->time);
    buf_clear(&b);
    out_padded(&b, x->op.raw, 0);
    if (x->op.class_id.len)
        buf_printf(&b, "  →  %.*s %.*s", SLICE_ARG(x->op.class_id), SLICE_ARG(x->op.class_label));
    if (x->op.status_id)
        buf_printf(&b, "  (%s)", x->op.status_id == 1 ? "success" : x->op.status_id == 2 ? "failure" : "other outcome");
    out_line(c, "  what     %s\n", buf_cstr(&b));
    for (uint32_t i = 0; i < x->objects.count && i < TRY_SHOWN; i++) {
        buf_clear(&b);
        show_party(&b, o[i].type, o[i].name, &o[i].ext);
        out_line(c, "  %s  %s  (%s)\n", i ? "       " : "to what", buf_cstr(&b), record_role_names[o[i].role]);
    }
    if (t->objects > TRY_SHOWN)
        out_line(c, "           ... %zu objects in all%s\n", t->objects,
                 x->objects_more.count ? "; those past the 256th as a count and a Merkle root" : "");
    buf_clear(&b);
    show_pairs(&b, &x->custom);
    if (x->custom.count)
        out_line(c, "  custom  %s\n", buf_cstr(&b));
    buf_release(&b);
}

static void show_findings(struct try_run *r) {
    const struct conform_report *f = &r->log.report;
    for (uint32_t i = 0; i < f->count && i < CONFORM_FINDINGS; i++)
        out_line(r->c, "  finding  %s: %s (%.*s %.*s)\n", f->findings[i].field, f->findings[i].text,
                 SLICE_ARG(f->findings[i].standard), SLICE_ARG(f->findings[i].version));
}

static enum err_code try_json(struct try_run *r, const struct pipeline_trace *t, struct err *e) {
    struct buf b;
    enum err_code rc;
    buf_init(&b, 1 << 20);
    pack_map(&b, r->log.dead ? 4 : 5); /* what is no record is not shown as one */
    pack_cstr(&b, "accepted");
    pack_bool(&b, !r->log.dead);
    pack_cstr(&b, "extractor");
    pack_str(&b, t->extractor);
    pack_cstr(&b, "line");
    pack_u64(&b, r->lines);
    pack_cstr(&b, "reason");
    pack_cstr(&b, r->log.dead ? r->log.reason : "");
    if (!r->log.dead) {
        pack_cstr(&b, "record");
        schema_write(r->state ? &record_schema : &record_draft_schema, &r->log.record, &b); /* no door: a draft */
    }
    rc = buf_check(&b, e);
    if (rc == ERR_OK)
        rc = out_json(r->c, buf_slice(&b), e);
    buf_release(&b);
    return rc;
}

static enum err_code try_line(struct try_run *r, struct slice line, struct err *e) {
    struct pipeline_trace t;
    struct err why = {0};
    enum err_code rc;
    bool extracted;
    arena_clear(&r->arena);
    buf_clear(&r->entry);
    rc = pipeline_run(&r->p, line, ++r->lines, &r->log, &t, e);
    if (rc != ERR_OK)
        return rc;
    extracted = !r->log.dead;
    if (extracted && r->state && door_try(r->state, GENESIS_SALTED, &r->log, &r->entry, &why) != ERR_OK) {
        r->log.dead = true;
        snprintf(r->log.reason, sizeof r->log.reason, "%s", why.text);
    }
    r->dead += r->log.dead;
    if (r->c->json)
        return try_json(r, &t, e);
    out_line(r->c, "%sline %llu%s  %s%s%.*s%s%.*s%s%.*s\n", out_style(r->c, OUT_BOLD), (unsigned long long)r->lines,
             out_style(r->c, OUT_PLAIN), t.log_type ? record_log_type_names[t.log_type] : "?",
             t.server.len ? ", server " : "", SLICE_ARG(t.server), t.service.len ? ", service " : "",
             SLICE_ARG(t.service), t.extractor.len ? ", by " : "", SLICE_ARG(t.extractor));
    if (extracted) {
        show_record(r, &t);
        show_findings(r);
    }
    if (r->log.dead)
        out_line(r->c, "  %sdead letter%s  %s\n", out_style(r->c, OUT_BAD), out_style(r->c, OUT_PLAIN), r->log.reason);
    return ERR_OK;
}

static enum err_code try_sample(struct try_run *r, struct slice rest, struct err *e) {
    uint64_t limit = 20;
    enum err_code rc = cli_number(r->c, "limit", 1, UINT32_MAX, &limit, e);
    while (rc == ERR_OK && rest.len && r->lines < limit) {
        const uint8_t *lf = memchr(rest.ptr, '\n', rest.len);
        struct slice line = slice_of(rest.ptr, lf ? (size_t)(lf - rest.ptr) : rest.len);
        rest = slice_from(rest, lf ? line.len + 1 : line.len);
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len)
            rc = try_line(r, line, e);
    }
    if (rc != ERR_OK)
        return rc;
    out_line(r->c, "%llu lines, %llu of them dead letters%s\n", (unsigned long long)r->lines,
             (unsigned long long)r->dead, r->state ? "" : "; no --standard: types as the logs say, nothing classified");
    return r->dead ? err_set(e, ERR_MISMATCH, "%llu of %llu lines would be dead letters", (unsigned long long)r->dead,
                             (unsigned long long)r->lines)
                   : ERR_OK;
}

enum err_code cmd_ingest_test(struct cli *c, struct err *e) {
    struct try_run *r = mem_zalloc(1, sizeof *r);
    struct buf sample;
    enum err_code rc;
    if (!r)
        return err_set(e, ERR_NO_MEMORY, "no memory");
    r->c = c;
    arena_init(&r->arena, TRY_ARENA);
    buf_init(&r->entry, 4 * LIMIT_ENTRY);
    rc = files_read(c->args[0], TRY_SAMPLE, &sample, e);
    if (rc == ERR_OK && (rc = sign_start(e)) == ERR_OK && (rc = try_config(r, e)) == ERR_OK &&
        (rc = try_standards(r, e)) == ERR_OK && (rc = try_choose(r, e)) == ERR_OK)
        rc = try_sample(r, buf_slice(&sample), e);
    audit_state_release(r->state);
    ingest_config_release(&r->config);
    arena_release(&r->arena);
    buf_release(&r->entry);
    buf_release(&sample);
    mem_free(r);
    return rc;
}
