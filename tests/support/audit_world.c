/* tests/support/audit_world.c -- see audit_world.h. */
#include "tests/support/audit_world.h"

#include "audit/standard_lint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

void world_init(struct world *w) {
    static const char *const nodes[] = {"acme-hq", "acme-sub", "fin-reg", "data-reg", "watcher"};
    static const char *const orgs[] = {"acme", "acme", "fin", "data", "press"};
    struct err e;
    *w = (struct world){.time = WORLD_T0, .height = 1, .number = 1};
    arena_init(&w->arena, 64 << 20);
    for (unsigned i = 0; i < WORLD_MEMBERS; i++) {
        w->members[i].node = slice_str(nodes[i]);
        w->members[i].org = slice_str(orgs[i]);
        w->members[i].role = i < WORLD_FIN ? AUDIT_ENTERPRISE : i < WORLD_OBSERVER ? AUDIT_REGULATOR : AUDIT_OBSERVER;
        w->members[i].submit.b[0] = (uint8_t)(i + 1);
    }
    w->policy.members = w->members;
    w->policy.member_count = WORLD_MEMBERS;
    assert_int_equal(audit_state_new(&w->policy, NULL, 0, &w->state, &e), ERR_OK);
}

void world_release(struct world *w) {
    audit_state_release(w->state);
    arena_release(&w->arena);
}

static struct slice world_keep(struct world *w, struct buf *b) {
    struct slice s = arena_copy(&w->arena, buf_slice(b));
    assert_false(b->failed);
    buf_release(b);
    return s;
}

struct slice world_standard(struct world *w, const char *yaml, unsigned member) {
    static uint8_t nonce[16];
    struct standard_lint l;
    struct buf b;
    struct err e = {0};
    buf_init(&b, LIMIT_ENTRY);
    standard_lint_init(&l);
    nonce[0]++;
    nonce[15] = 1;
    if (standard_lint_yaml(&l, slice_str(yaml), "standard.yaml", NULL, 0, &e) != ERR_OK ||
        standard_lint_publish(buf_slice(&l.definition), w->members[member].node, slice_str("李监管"), nonce, &b, &e) !=
            ERR_OK)
        fail_msg("%s", e.text);
    standard_lint_release(&l);
    return world_keep(w, &b);
}

struct slice world_file(struct world *w, const char *path) {
    char *text = arena_alloc(&w->arena, 1, 1 << 16);
    FILE *f = fopen(path, "r");
    size_t n;
    assert_non_null(f);
    n = fread(text, 1, (1 << 16) - 1, f);
    fclose(f);
    return slice_of(text, n);
}

struct slice world_act(struct world *w, uint32_t action, uint32_t kind, const char *id, const char *version,
                       unsigned member) {
    struct standard_entry h = {.action = action,
                               .kind = kind,
                               .id = slice_str(id),
                               .version = slice_str(version),
                               .issuer = w->members[member].node,
                               .by = slice_str("李监管"),
                               .reason = slice_str("试点结束"),
                               .nonce = {9}};
    struct buf b;
    buf_init(&b, LIMIT_ENTRY);
    entry_write(ENTRY_STANDARD, &standard_entry_schema, &h, &b);
    return world_keep(w, &b);
}

struct slice world_ack(struct world *w, const struct digest *hash, unsigned member) {
    struct standard_ack ack = {.node = w->members[member].node, .nonce = {7}};
    struct buf b;
    memcpy(ack.hash, hash->b, DIGEST_SIZE);
    buf_init(&b, LIMIT_ENTRY);
    entry_write(ENTRY_ACKNOWLEDGEMENT, &standard_ack_schema, &ack, &b);
    return world_keep(w, &b);
}

enum err_code world_put(struct world *w, struct slice entry, unsigned member, struct conform_report *report,
                        struct err *e) {
    struct audit_check b;
    struct audit_state *child;
    enum err_code rc;
    audit_check_begin(&b, w->state, w->height, w->time);
    rc = audit_check_next(&b, w->number, entry, audit_state_member(w->state, &w->members[member].submit), report, e);
    child = audit_check_end(&b);
    if (rc == ERR_OK) {
        w->height++;
        w->number++;
    } else {
        assert_ptr_equal(child, w->state); /* a refused entry changes nothing */
    }
    audit_state_release(w->state);
    w->state = child;
    return rc;
}

struct record world_record(struct world *w) {
    struct record_object *o = arena_alloc(&w->arena, 1, sizeof *o);
    struct record r = {.log_type = RECORD_LOG_STRUCTURED, .raw_commit = RECORD_SALTED, .raw_size = 120};
    o->type = slice_str("userid");
    o->name = slice_str("u-10086");
    o->role = RECORD_ROLE_REQUEST;
    r.objects = (struct schema_list){o, 1};
    r.actor.type = slice_str("staff");
    r.actor.name = slice_str("张伟");
    r.op.raw = slice_str("/api/user/query");
    r.op.class_id = slice_str("user.query");
    r.op.class_label = slice_str("用户-查询");
    r.op.activity_id = 2;
    r.source.id = slice_str("crm");
    r.source.seq = 1;
    r.time = w->time;
    r.raw_hash[0] = r.uid[0] = 1;
    return r;
}

struct slice world_entry(struct world *w, const struct record *r) {
    struct buf b;
    buf_init(&b, 4 * LIMIT_ENTRY);
    entry_write(ENTRY_RECORD, &record_schema, r, &b);
    return world_keep(w, &b);
}

void world_cite(struct world *w, struct record *r) {
    struct record_std *std = arena_alloc(&w->arena, AUDIT_STATE_CITED, sizeof *std);
    r->std = (struct schema_list){std, (uint32_t)conform_citations(w->state, w->time, std)};
}

void world_pair(struct world *w, struct schema_list *dict, const char *key, const char *value) {
    struct schema_pair *p = arena_alloc(&w->arena, dict->count + 1u, sizeof *p);
    struct err e;
    if (dict->count)
        memcpy(p, dict->items, dict->count * sizeof *p);
    p[dict->count] = (struct schema_pair){slice_str(key), slice_str(value)};
    dict->items = p;
    dict->count++;
    assert_int_equal(schema_sort_pairs(dict, &e), ERR_OK);
}
