/* node/ingest/pipeline.c -- see pipeline.h. */
#include "node/ingest/pipeline.h"

#include "ledger/tree.h"
#include "node/ingest/extend.h"
#include "wire/utf8.h"

#include <stdio.h>

enum { PIPELINE_TAG = 64 /* bytes of server and service */ };

/* The longest prefix of whole characters within max bytes. */
static struct slice cut(struct slice s, size_t max) {
    if (s.len > max)
        s.len = utf8_valid_prefix(slice_of(s.ptr, max));
    return s;
}

static void pipeline_dead(struct door_log *out, const char *reason) {
    out->dead = true;
    snprintf(out->reason, sizeof out->reason, "%s", *reason ? reason : "it could not be decoded");
}

static void pipeline_tag(const struct pipeline *p, struct extract_log *log, struct record *r) {
    const struct ingest_source *s = p->source;
    r->server = s && s->server.len ? s->server : p->server;
    r->service = s && s->service.len ? s->service : p->service;
    if (s && s->tag)
        extract_tag(&p->config->tags[p->source_index], log, &r->server, &r->service);
    if (!door_nfc(p->arena, r->server, &r->server))
        r->server = slice_none();
    if (!door_nfc(p->arena, r->service, &r->service))
        r->service = slice_none();
    r->server = cut(r->server, PIPELINE_TAG);
    r->service = cut(r->service, PIPELINE_TAG);
}

static void pipeline_assign(const struct pipeline *p, struct record *r) {
    const struct ingest_source *s = p->source;
    r->org_unit = s && s->org_unit.len ? s->org_unit : p->org_unit;
    if (!s)
        return;
    r->log_kind = s->log_kind;
    if (s->actor)
        r->actor = (struct record_actor){
            .assigned = true, .ext = s->actor->ext, .name = s->actor->name, .type = s->actor->type};
}

/* Tries the extractors in order. The reason of the last that was for such a log stands, if none took it. */
static enum err_code pipeline_extract(const struct pipeline *p, struct extract_log *log, struct door_log *out,
                                      struct pipeline_trace *trace, struct err *why) {
    struct record *r = &out->record;
    uint32_t looks = ingest_config_looks(log->text);
    struct ingest_choice choice = ingest_config_choose(p->config, p->source, r->server, r->service, looks);
    const int32_t *zone = NULL;
    int32_t minutes;
    size_t i;
    if (p->source && p->source->zone.len && time_text_zone(p->source->zone, &minutes))
        zone = &minutes;
    r->log_type = choice.log_type ? choice.log_type : looks;
    trace->log_type = r->log_type;
    err_set(why, ERR_MALFORMED,
            choice.count ? "no extractor knows such a log" : "no extractor is configured for this server and service");
    if (!choice.count && log->parsed && !log->json) /* it could not even be tagged */
        err_set(why, log->json_error.code, "%s", log->json_error.text);
    for (i = 0; i < choice.count; i++) {
        const struct extractor *x = choice.tried[i];
        bool applies = false;
        struct err e = {0};
        enum err_code rc = extract_run(x, log, zone, r->actor.assigned, r, &applies, &e);
        trace->tried++;
        if (rc == ERR_OK && applies) {
            trace->extractor = x->config->id;
            return ERR_OK;
        }
        if (rc == ERR_NO_MEMORY)
            return err_set(why, rc, "%s", e.text);
        if (rc != ERR_OK)
            err_set(why, rc, "%.*s: %s", SLICE_ARG(x->config->id), e.text);
    }
    return why->code;
}

/* ---- more objects than a record lists ---- */

static enum err_code fold_root(const struct record_object *o, uint32_t count, struct arena *a, struct digest *root,
                               struct err *e) {
    struct digest *leaves = arena_alloc(a, count, sizeof *leaves);
    struct buf b;
    enum err_code rc = ERR_OK;
    uint32_t i;
    if (!leaves)
        return err_set(e, ERR_NO_MEMORY, "no memory for %u objects", count);
    buf_init(&b, LIMIT_ENTRY);
    for (i = 0; i < count && rc == ERR_OK; i++) {
        buf_clear(&b);
        schema_write(&record_object_schema, &o[i], &b);
        rc = buf_check(&b, e);
        leaves[i] = tree_leaf(buf_slice(&b));
    }
    buf_release(&b);
    *root = tree_root_of(leaves, count);
    return rc;
}

enum err_code pipeline_fold(struct record *r, struct arena *a, struct err *e) {
    const struct record_object *o = r->objects.items;
    uint32_t rest = r->objects.count > RECORD_OBJECTS ? r->objects.count - RECORD_OBJECTS : 0;
    struct digest root;
    enum err_code rc;
    if (!rest)
        return ERR_OK;
    rc = fold_root(o + RECORD_OBJECTS, rest, a, &root, e);
    if (rc != ERR_OK)
        return rc;
    r->objects.count = RECORD_OBJECTS;
    r->objects_more.count = rest;
    memcpy(r->objects_more.root, root.b, DIGEST_SIZE);
    return ERR_OK;
}

static enum err_code pipeline_elements(const struct pipeline *p, struct extract_log *log, struct door_log *out,
                                       struct pipeline_trace *trace, struct err *why) {
    struct record *r = &out->record;
    enum err_code rc = pipeline_extract(p, log, out, trace, why);
    if (rc != ERR_OK)
        return rc;
    trace->objects = r->objects.count;
    if ((rc = door_nfc_record(p->arena, r, why)) != ERR_OK)
        return rc;
    if (p->state)
        door_unify(p->state, p->now, r);
    if ((rc = extend_record(p->config, p->state, p->now, p->arena, r, why)) != ERR_OK)
        return rc;
    return pipeline_fold(r, p->arena, why);
}

enum err_code pipeline_run(const struct pipeline *p, struct slice raw, uint64_t seq, struct door_log *out,
                           struct pipeline_trace *trace, struct err *e) {
    struct extract_log log = {.text = raw, .arena = p->arena};
    struct pipeline_trace unused;
    struct err why = {0};
    enum err_code rc;
    struct record *r = &out->record;
    if (!trace)
        trace = &unused;
    *trace = (struct pipeline_trace){0};
    out->raw = raw;
    out->dead = false;
    out->report.count = 0;
    *r = (struct record){.source = {p->source_id, seq}};
    if (!utf8_valid(raw)) {
        snprintf(why.text, sizeof why.text, "no valid UTF-8 at byte %zu", utf8_valid_prefix(raw));
        log.text = slice_none();
        pipeline_tag(p, &log, r);
        pipeline_dead(out, why.text);
        return ERR_OK;
    }
    pipeline_assign(p, r);
    pipeline_tag(p, &log, r);
    trace->server = r->server;
    trace->service = r->service;
    rc = pipeline_elements(p, &log, out, trace, &why);
    if (rc == ERR_NO_MEMORY)
        return err_set(e, rc, "%s", why.text);
    if (rc != ERR_OK)
        pipeline_dead(out, why.text);
    return ERR_OK;
}
