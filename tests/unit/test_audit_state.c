/* The state of a channel: publication rules, life, acknowledgements, imports; replay equals rebuild (PROTOCOL 11.3). */
#include "audit/classify.h"
#include "audit/import.h"
#include "audit/vocab.h"
#include "tests/support/audit_world.h"
#include "wire/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct world w;

static int up(void **state) {
    (void)state;
    world_init(&w);
    return 0;
}
static int down(void **state) {
    (void)state;
    world_release(&w);
    return 0;
}

static void put(struct slice entry, unsigned member, enum err_code code, const char *word) {
    struct err e = {0};
    enum err_code rc = world_put(&w, entry, member, NULL, &e);
    if (rc != code || (code != ERR_OK && !strstr(e.text, word)))
        fail_msg("expected %s and '%s', got %s: %s", err_name(code), word, err_name(rc), e.text);
}

static const char *ext(const char *id, const char *version, const char *more, const char *field) {
    char *text = arena_alloc(&w.arena, 1, 1024);
    snprintf(text, 1024,
             "id: %s\nkind: ext_std\nversion: %s\n%smode: enforce\neffective_from: 2026-01-01\nbody:\n"
             "  elements:\n    - element: actor\n      fields:\n        - {name: level, %s}\n",
             id, version, more, field);
    return text;
}

static void test_only_issuers_publish(void **state) {
    struct slice s = world_standard(&w, ext("a", "1.0.0", "", "type: str"), WORLD_ACME);
    (void)state;
    put(s, WORLD_ACME, ERR_NOT_ALLOWED, "may not issue");
    s = world_standard(&w, ext("a", "1.0.0", "", "type: str"), WORLD_FIN);
    put(s, WORLD_DATA, ERR_NOT_ALLOWED, "but data-reg submits it");
    put(s, WORLD_FIN, ERR_OK, "");
    put(s, WORLD_FIN, ERR_CONFLICT, "published already");
    put(world_act(&w, STANDARD_SUSPEND, STANDARD_EXT, "a", "1.0.0", WORLD_DATA), WORLD_DATA, ERR_NOT_ALLOWED,
        "another organisation");
    put(world_act(&w, STANDARD_RESUME, STANDARD_EXT, "a", "1.0.0", WORLD_FIN), WORLD_FIN, ERR_CONFLICT, "active");
    put(world_act(&w, STANDARD_SUSPEND, STANDARD_EXT, "b", "1.0.0", WORLD_FIN), WORLD_FIN, ERR_NOT_FOUND, "b 1.0.0");
}

static void test_versions_follow_one_another(void **state) {
    (void)state;
    put(world_standard(&w, ext("a", "1.2.0", "", "type: str"), WORLD_FIN), WORLD_FIN, ERR_OK, "");
    put(world_standard(&w, ext("a", "1.10.0", "", "type: str"), WORLD_FIN), WORLD_FIN, ERR_CONFLICT, "must be 1.2.0");
    put(world_standard(&w, ext("a", "1.1.9", "", "type: str"), WORLD_FIN), WORLD_FIN, ERR_CONFLICT, "come after 1.2.0");
    put(world_standard(&w, ext("a", "1.10.0", "supersedes: 1.2.0\n", "type: str"), WORLD_FIN), WORLD_FIN, ERR_OK, "");
    put(world_standard(&w,
                       "id: a\nkind: type_vocab\nversion: 9.0.0\nmode: flag\neffective_from: 2026-01-01\n"
                       "body: {types: [{name: x}]}\n",
                       WORLD_FIN),
        WORLD_FIN, ERR_CONFLICT, "a ext_std already");
}

static void test_contradiction_names_both(void **state) {
    (void)state;
    put(world_standard(&w, ext("a", "1.0.0", "", "type: enum, enum: [高, 低]"), WORLD_FIN), WORLD_FIN, ERR_OK, "");
    put(world_standard(&w, ext("b", "2.0.0", "", "type: int"), WORLD_DATA), WORLD_DATA, ERR_CONFLICT,
        "b 2.0.0 contradicts a 1.0.0: actor, field level: type int here, type enum there");
    put(world_standard(&w, ext("b", "2.0.0", "", "type: enum, enum: [中]"), WORLD_DATA), WORLD_DATA, ERR_CONFLICT,
        "no value is allowed by both");
    put(world_standard(&w, ext("b", "2.0.0", "", "type: enum, enum: [高, 中]"), WORLD_DATA), WORLD_DATA, ERR_OK, "");
    put(world_standard(&w, (const char *)world_file(&w, "genesis/demo/vocab.yaml").ptr, WORLD_FIN), WORLD_FIN, ERR_OK,
        "");
    put(world_standard(&w,
                       "id: v2\nkind: type_vocab\nversion: 1.0.0\nmode: flag\neffective_from: 2026-01-01\n"
                       "body: {types: [{name: person, aliases: [user_account]}]}\n",
                       WORLD_DATA),
        WORLD_DATA, ERR_CONFLICT, "v2 1.0.0 contradicts finance-types 1.0.0");
}

static void test_room_is_bounded(void **state) {
    (void)state;
    for (int i = 0; i < AUDIT_STATE_CITED; i++) {
        char id[16];
        snprintf(id, sizeof id, "s%d", i);
        put(world_standard(&w, ext(id, "1.0.0", "", "type: str"), WORLD_FIN), WORLD_FIN, ERR_OK, "");
    }
    put(world_standard(&w, ext("more", "1.0.0", "", "type: str"), WORLD_FIN), WORLD_FIN, ERR_TOO_LARGE, "revoke one");
    put(world_act(&w, STANDARD_REVOKE, STANDARD_EXT, "s3", "1.0.0", WORLD_FIN), WORLD_FIN, ERR_OK, "");
    put(world_standard(&w, ext("more", "1.0.0", "", "type: str"), WORLD_FIN), WORLD_FIN, ERR_OK, "");
}

static void test_acknowledged_once_by_each_node_for_itself(void **state) {
    const struct audit_version *v;
    struct digest hash, none = {{5}};
    (void)state;
    put(world_standard(&w, ext("a", "1.0.0", "", "type: str"), WORLD_FIN), WORLD_FIN, ERR_OK, "");
    v = audit_state_version(w.state, STANDARD_EXT, slice_str("a"), slice_str("1.0.0"));
    hash = v->std->hash;
    put(world_ack(&w, &hash, WORLD_ACME), WORLD_ACME2, ERR_NOT_ALLOWED, "only for itself");
    put(world_ack(&w, &none, WORLD_ACME), WORLD_ACME, ERR_NOT_FOUND, "not published");
    put(world_ack(&w, &hash, WORLD_ACME), WORLD_ACME, ERR_OK, "");
    put(world_ack(&w, &hash, WORLD_ACME), WORLD_ACME, ERR_CONFLICT, "acknowledged already");
    put(world_ack(&w, &hash, WORLD_ACME2), WORLD_ACME2, ERR_OK, "");
    v = audit_state_by_hash(w.state, &hash);
    assert_int_equal(audit_state_ack_count(v), 2);
    assert_true(audit_state_acked(w.state, v, slice_str("acme-hq")));
    assert_false(audit_state_acked(w.state, v, slice_str("fin-reg")));
}

static void test_kinds_without_a_module_refused_by_name(void **state) {
    static const enum entry_kind kinds[] = {ENTRY_CONFIGURATION, ENTRY_VOUCHER, ENTRY_ARCHIVE, ENTRY_VERDICT};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        uint8_t bytes[] = {0x92, (uint8_t)kinds[i], 0x80};
        put(slice_of(bytes, sizeof bytes), WORLD_FIN, ERR_UNSUPPORTED, entry_kind_text(kinds[i]));
    }
}

static void test_ordinary_blocks_share_the_parents_state(void **state) {
    struct audit_state *before = w.state;
    struct record r = world_record(&w);
    (void)state;
    put(world_entry(&w, &r), WORLD_ACME, ERR_OK, "");
    assert_ptr_equal(before, w.state);
}

/* A random history of governance, replayed from the accepted entries alone: equal digests after every entry (A3). */
static void test_rebuild_equals_replay(void **state) {
    enum { STEPS = 300 };
    static struct {
        struct slice entry;
        unsigned member;
        int64_t time;
        struct digest after;
    } log[STEPS];
    struct world again;
    uint32_t seed = 7, n = 0, i;
    char more[64];
    (void)state;
    for (i = 0; i < STEPS; i++) {
        uint32_t x = (seed = seed * 1664525u + 1013904223u) >> 8;
        char id[80], version[40];
        struct slice entry;
        struct err e;
        unsigned member = x % 7 < 3 ? WORLD_FIN : x % 4;
        const struct audit_version *all;
        size_t count = audit_state_versions(w.state, &all);
        snprintf(id, sizeof id, "s%u", x % 3);
        snprintf(version, sizeof version, "1.%u.0", i);
        more[0] = '\0';
        for (size_t k = 0; k < count; k++)
            if (slice_eq_str(all[k].std->head.id, id) && !all[k].revoked_at)
                snprintf(more, sizeof more, "supersedes: %.*s\n", SLICE_ARG(all[k].std->head.version));
        if (count > 0 && x % 5 > 2) {
            const struct standard_entry *h = &all[x / 8 % count].std->head;
            snprintf(id, sizeof id, "%.*s", SLICE_ARG(h->id));
            snprintf(version, sizeof version, "%.*s", SLICE_ARG(h->version));
            entry = x % 2 ? world_act(&w, STANDARD_SUSPEND + x / 64 % 3, STANDARD_EXT, id, version, member)
                          : world_ack(&w, &all[x / 8 % count].std->hash, member);
        } else {
            entry = world_standard(&w, ext(id, version, more, "type: str"), member);
        }
        if (world_put(&w, entry, member, NULL, &e) != ERR_OK)
            continue;
        log[n].entry = entry;
        log[n].member = member;
        log[n].time = w.time;
        log[n++].after = audit_state_digest(w.state);
        w.time += 1 + x % 5000;
    }
    assert_in_range(n, 40, STEPS);
    world_init(&again);
    for (i = 0; i < n; i++) {
        struct err e = {0};
        struct digest d;
        again.time = log[i].time;
        assert_int_equal(world_put(&again, log[i].entry, log[i].member, NULL, &e), ERR_OK);
        d = audit_state_digest(again.state);
        assert_true(digest_eq(&d, &log[i].after));
    }
    world_release(&again);
    print_message("%u of %d steps accepted and replayed\n", n, STEPS);
}

static enum err_code verify(const void *ctx, const struct import *im, struct err *e) {
    return *(const bool *)ctx && im->index == 4 ? ERR_OK : err_set(e, ERR_PROOF, "not in the parent's log");
}

static void test_imported_standard_joins_once_it_is_proven(void **state) {
    bool genuine = false;
    struct import im = {.index = 4, .nonce = {1}, .note = slice_str("note"), .by = slice_str("王")};
    struct buf b;
    struct err e;
    const struct audit_version *v;
    (void)state;
    im.entry = world_standard(&w, ext("net", "1.0.0", "", "type: str"), WORLD_FIN);
    buf_init(&b, LIMIT_ENTRY);
    entry_write(ENTRY_IMPORT, &import_schema, &im, &b);
    put(buf_slice(&b), WORLD_ACME, ERR_UNSUPPORTED, "no parent");
    audit_state_release(w.state);
    w.policy.verify_import = verify;
    w.policy.verify_ctx = &genuine;
    assert_int_equal(audit_state_new(&w.policy, NULL, 0, &w.state, &e), ERR_OK);
    put(buf_slice(&b), WORLD_ACME, ERR_PROOF, "not in the parent's log");
    genuine = true;
    put(buf_slice(&b), WORLD_ACME, ERR_OK, "");
    put(buf_slice(&b), WORLD_ACME, ERR_CONFLICT, "published already");
    v = audit_state_active(w.state, STANDARD_EXT, slice_str("net"), w.time);
    assert_true(v && v->from_parent);
    put(world_act(&w, STANDARD_REVOKE, STANDARD_EXT, "net", "1.0.0", WORLD_FIN), WORLD_FIN, ERR_NOT_ALLOWED, "parent");
    buf_release(&b);
}

static struct slice import_of(struct slice entry, uint64_t index) {
    struct import im = {.index = index, .nonce = {1}, .note = slice_str("note"), .entry = entry};
    struct buf b;
    struct slice kept;
    buf_init(&b, LIMIT_ENTRY);
    entry_write(ENTRY_IMPORT, &import_schema, &im, &b);
    kept = arena_copy(&w.arena, buf_slice(&b));
    buf_release(&b);
    return kept;
}

static enum err_code verify_all(const void *ctx, const struct import *im, struct err *e) {
    (void)ctx, (void)im, (void)e;
    return ERR_OK;
}

static void test_imported_act_cannot_be_repeated(void **state) {
    struct err e;
    struct slice suspend, resume;
    (void)state;
    audit_state_release(w.state);
    w.policy.verify_import = verify_all;
    assert_int_equal(audit_state_new(&w.policy, NULL, 0, &w.state, &e), ERR_OK);
    suspend = world_act(&w, STANDARD_SUSPEND, STANDARD_EXT, "net", "1.0.0", WORLD_FIN);
    resume = world_act(&w, STANDARD_RESUME, STANDARD_EXT, "net", "1.0.0", WORLD_FIN);
    put(import_of(world_standard(&w, ext("net", "1.0.0", "", "type: str"), WORLD_FIN), 4), WORLD_ACME, ERR_OK, "");
    put(import_of(suspend, 3), WORLD_ACME, ERR_CONFLICT, "not after 4");
    put(import_of(suspend, 5), WORLD_ACME, ERR_OK, "");
    put(import_of(resume, 6), WORLD_ACME, ERR_OK, "");
    put(import_of(suspend, 5), WORLD_ACME, ERR_CONFLICT, "not after 6");
    put(import_of(suspend, 7), WORLD_ACME, ERR_OK, "");
    put(import_of(resume, 6), WORLD_ACME, ERR_CONFLICT, "not after 7");
}

/* Whatever the order of the rules in the document, an operation has one class (PROTOCOL 11.4). */
static void test_classification_is_independent_of_rule_order(void **state) {
    static const char *const ops[] = {"/api/user/query", "/api/fund/F01/config", "/api/fund/config",   "/api/fund/x/y",
                                      "/api/fk_frozen",  "ssh login root",       "status installed x", "upgrade",
                                      "/api/unknown",    "/api/user/u1/profile", "/api/users/export",  "/api/users/9"};
    static const char *const expected[] = {"user.query",   "fund.config", "fund.config",   "fund.query",
                                           "risk.freeze",  "host.login",  "package.state", "package.upgrade",
                                           "unclassified", "user.change", "user.export",   "user.query"};
    const struct standard *std;
    struct standard_op_class body;
    struct standard_rule *rules;
    struct entry split;
    struct err e;
    uint32_t seed = 3;
    (void)state;
    assert_int_equal(
        entry_read(world_standard(&w, (const char *)world_file(&w, "genesis/demo/operations.yaml").ptr, WORLD_FIN),
                   &split, &e),
        ERR_OK);
    assert_int_equal(standard_read(split.body, &std, &e), ERR_OK);
    body = std->body.op_class;
    rules = arena_alloc(&w.arena, body.map.count, sizeof *rules);
    memcpy(rules, body.map.items, body.map.count * sizeof *rules);
    body.map.items = rules;
    for (int round = 0; round < 50; round++) {
        const struct classify *c;
        for (uint32_t i = body.map.count - 1; i > 0; i--) {
            uint32_t j = ((seed = seed * 1664525u + 1013904223u) >> 8) % (i + 1);
            struct standard_rule t = rules[i];
            rules[i] = rules[j];
            rules[j] = t;
        }
        assert_int_equal(classify_compile(&body, &w.arena, NULL, &c, &e), ERR_OK);
        for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
            struct classify_input in = {.raw = slice_str(ops[i])};
            struct classify_result r = classify_op(c, &in);
            if (!slice_eq_str(r.class_id, expected[i]))
                fail_msg("%s is %.*s, not %s", ops[i], SLICE_ARG(r.class_id), expected[i]);
        }
    }
    standard_release(std);
}

static void test_scope_outweighs_the_kind_of_match(void **state) {
    struct standard_class tree[] = {{.id = slice_str("a")}, {.id = slice_str("b")}, {.id = slice_str("c")}};
    struct standard_rule map[] = {
        {.class_id = slice_str("a"), .match = MATCH_EXACT, .pattern = slice_str("/x")},
        {.class_id = slice_str("b"), .match = MATCH_REGEX, .pattern = slice_str(".*"), .service = slice_str("s")},
        {.class_id = slice_str("c"), .match = MATCH_REGEX, .pattern = slice_str(".*"), .server = slice_str("h")}};
    struct standard_op_class body = {.tree = {tree, 3}, .map = {map, 3}};
    struct classify_input in = {.raw = slice_str("/x"), .service = slice_str("s")};
    const struct classify *c;
    struct err e;
    (void)state;
    assert_int_equal(classify_compile(&body, &w.arena, NULL, &c, &e), ERR_OK);
    assert_true(slice_eq_str(classify_op(c, &in).class_id, "b"));
    in.server = slice_str("h");
    assert_true(slice_eq_str(classify_op(c, &in).class_id, "c"));
    in = (struct classify_input){.raw = slice_str("/x")};
    assert_true(slice_eq_str(classify_op(c, &in).class_id, "a"));
}

static void test_vocabulary_unifies(void **state) {
    const struct standard *std;
    struct entry split;
    struct err e;
    (void)state;
    assert_int_equal(
        entry_read(world_standard(&w, (const char *)world_file(&w, "genesis/demo/vocab.yaml").ptr, WORLD_FIN), &split,
                   &e),
        ERR_OK);
    assert_int_equal(standard_read(split.body, &std, &e), ERR_OK);
    assert_true(slice_eq_str(vocab_name(std->vocab, slice_str("user_account")), "userid"));
    assert_true(slice_eq_str(vocab_name(std->vocab, slice_str("基金代码")), "fund"));
    assert_true(slice_eq_str(vocab_name(std->vocab, slice_str("userid")), "userid"));
    assert_true(slice_eq_str(vocab_name(std->vocab, slice_str("未知")), "未知"));
    standard_release(std);
}

static void test_out_of_memory_leaves_the_state(void **state) {
    struct slice entry =
        world_standard(&w, (const char *)world_file(&w, "genesis/demo/operations.yaml").ptr, WORLD_FIN);
    struct err e;
    unsigned long n;
    enum err_code rc = ERR_NO_MEMORY;
    (void)state;
    for (n = 1; n < 2000 && rc != ERR_OK; n++) {
        mem_fail_at(n);
        rc = world_put(&w, entry, WORLD_FIN, NULL, &e); /* asserts that a refusal changes nothing */
        mem_fail_at(0);
        if (rc != ERR_OK && rc != ERR_NO_MEMORY && !strstr(e.text, "no room"))
            fail_msg("allocation %lu: %s: %s", n, err_name(rc), e.text);
    }
    assert_int_equal(rc, ERR_OK);
    assert_true(n > 10);
}

static void test_semver_order(void **state) {
    static const char *const order[] = {"0.9.9",        "1.0.0-alpha",   "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                        "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",    "1.0.0",
                                        "1.0.1",        "1.10.0",        "2.0.0"};
    static const char *const bad[] = {"1", "1.0", "01.0.0", "1.0.0.0", "1.0.0-", "1.0.0+b", "1.0.0-01", "v1.0.0", ""};
    (void)state;
    for (size_t i = 0; i < 11; i++)
        for (size_t j = 0; j < 11; j++) {
            int c = semver_cmp(slice_str(order[i]), slice_str(order[j]));
            assert_true(semver_valid(slice_str(order[i])));
            assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
        }
    for (size_t i = 0; i < 9; i++)
        assert_false(semver_valid(slice_str(bad[i])));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(test_only_issuers_publish),
        T(test_versions_follow_one_another),
        T(test_contradiction_names_both),
        T(test_room_is_bounded),
        T(test_acknowledged_once_by_each_node_for_itself),
        T(test_kinds_without_a_module_refused_by_name),
        T(test_ordinary_blocks_share_the_parents_state),
        T(test_rebuild_equals_replay),
        T(test_imported_standard_joins_once_it_is_proven),
        T(test_imported_act_cannot_be_repeated),
        T(test_classification_is_independent_of_rule_order),
        T(test_scope_outweighs_the_kind_of_match),
        T(test_vocabulary_unifies),
        T(test_out_of_memory_leaves_the_state),
        T(test_semver_order),
    };
    return cmocka_run_group_tests_name("audit_state", tests, NULL, NULL);
}
