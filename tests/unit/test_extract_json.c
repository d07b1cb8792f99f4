/* tests/unit/test_extract_json.c -- JSON logs: the examples of SEEDS S2.21-24, digits, absence, limits. */
#include "node/ingest/pipeline.h"
#include "ledger/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char config_text[] =
    "ingest:\n"
    "  sources:\n"
    "    - {id: s, kind: http, extractors: [deploy, all], server: crm, tag: {service: module}}\n"
    "  extractors:\n"
    "    - id: deploy\n"
    "      type: json\n"
    "      when: {op: deploy}\n"
    "      actor: {name: who.account, type: who.kind}\n"
    "      time: {at: ts}\n"
    "      op: op\n"
    "      objects:\n"
    "        - {type: =service, name: service, role: request, ext: {release: $.version}}\n"
    "        - {each: 'targets[*]', type: '=host', name: ip, role: request, ext: {slot: slot, release: $.version}}\n"
    "    - id: all\n"
    "      type: json\n"
    "      actor: {name: who.account | who.id, type: who.kind | =staff, ext: {no: who.no}}\n"
    "      time: {at: ts, end: te}\n"
    "      op: op\n"
    "      note: note\n"
    "      status: {field: code, success: ['0'], failure: ['1']}\n"
    "      custom: {amount: amount, flag: flag, gone: nothing}\n"
    "      objects:\n"
    "        - {type: =userid, name: id, role: request}\n"
    "        - {type: =userid, name: 'rows[*].id', role: response}\n"
    "        - {type: =fund, name: fund, role: request}\n"
    "        - {type: =host, name: hosts, role: request, split: ',;'}\n"
    "        - {type: kind, name: named, role: request}\n";

static struct ingest_config config;
static struct arena arena;
static struct door_log out;

static int setup(void **state) {
    struct err e = {0};
    (void)state;
    arena_init(&arena, 64 << 20);
    if (ingest_config_parse(&config, slice_str(config_text), "node.yaml", ".", &e) != ERR_OK)
        fail_msg("%s", e.text);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    ingest_config_release(&config);
    arena_release(&arena);
    return 0;
}

static const struct record *run_slice(struct slice raw) {
    struct pipeline p = {.config = &config, .source_id = slice_str("s"), .arena = &arena};
    struct err e = {0};
    p.source = ingest_config_source(&config, p.source_id, &p.source_index);
    assert_int_equal(pipeline_run(&p, raw, 1, &out, NULL, &e), ERR_OK);
    return &out.record;
}
static const struct record *run(const char *raw) {
    const struct record *r = run_slice(slice_str(raw));
    if (out.dead)
        fail_msg("%s", out.reason);
    return r;
}
static void dead(const char *raw, const char *reason) {
    run_slice(slice_str(raw));
    assert_true(out.dead);
    assert_string_equal(out.reason, reason);
}
static void is(struct slice s, const char *text) {
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.ptr, text, s.len);
}
static const struct record_object *object(const struct record *r, uint32_t i) {
    assert_true(i < r->objects.count);
    return (const struct record_object *)r->objects.items + i;
}

#define WHO  "\"who\":{\"account\":\"张伟\",\"kind\":\"admin\"},"
#define WHEN "\"ts\":\"2026-11-22T10:00:00.5+08:00\","

static void test_administrator_queries_a_user(void **state) {
    const struct record *r =
        run("{" WHO WHEN "\"module\":\"user\",\"op\":\"/api/user/query\",\"id\":9007199254740993,\"code\":0}");
    (void)state;
    is(r->actor.name, "张伟");
    is(r->actor.type, "admin");
    is(r->op.raw, "/api/user/query");
    is(r->server, "crm");
    is(r->service, "user");
    assert_int_equal(r->time, 1795312800500LL);
    assert_int_equal(r->op.status_id, 1);
    assert_int_equal(r->log_type, RECORD_LOG_STRUCTURED);
    assert_int_equal(r->objects.count, 1);
    is(object(r, 0)->name, "9007199254740993"); /* every digit */
    assert_int_equal(object(r, 0)->role, RECORD_ROLE_REQUEST);
    assert_int_equal(r->time_end, 0); /* absent stays absent */
    assert_int_equal(r->custom.count, 0);
}

static void test_fund_configuration_and_login(void **state) {
    const struct record *r =
        run("{" WHO WHEN "\"op\":\"config\",\"fund\":\"F1\",\"amount\":12345678901234567890.10,\"flag\":true}");
    (void)state;
    is(object(r, 0)->type, "fund");
    is(schema_pair_get(&r->custom, slice_str("amount")), "12345678901234567890.10");
    is(schema_pair_get(&r->custom, slice_str("flag")), "true");
    assert_int_equal(r->custom.count, 2);
    r = run("{" WHO WHEN "\"op\":\"login\",\"hosts\":\"10.0.0.1, 10.0.0.2;10.0.0.3\"}");
    assert_int_equal(r->objects.count, 3);
    is(object(r, 1)->name, "10.0.0.2");
}

static void test_service_on_three_machines_is_four_objects(void **state) {
    const struct record *r = run(
        "{" WHO WHEN "\"op\":\"deploy\",\"service\":\"S\",\"version\":\"1.2\",\"targets\":[{\"ip\":\"A\",\"slot\":1},"
        "{\"ip\":\"B\"},{\"ip\":\"C\",\"slot\":3}]}");
    (void)state;
    assert_int_equal(r->objects.count, 4);
    is(object(r, 0)->type, "service");
    is(schema_pair_get(&object(r, 0)->ext, slice_str("release")), "1.2");
    is(object(r, 1)->name, "A");
    is(schema_pair_get(&object(r, 1)->ext, slice_str("slot")), "1");
    is(schema_pair_get(&object(r, 1)->ext, slice_str("release")), "1.2");
    assert_int_equal(object(r, 2)->ext.count, 1); /* B has no slot */
    is(object(r, 3)->name, "C");
}

static void test_range_query_gives_ten_response_objects(void **state) {
    char raw[2048];
    size_t n = (size_t)snprintf(raw, sizeof raw, "{" WHO WHEN "\"op\":\"range\",\"rows\":[");
    const struct record *r;
    (void)state;
    for (int i = 0; i < 10; i++)
        n += (size_t)snprintf(raw + n, sizeof raw - n, "%s{\"id\":\"u%d\"}", i ? "," : "", i);
    snprintf(raw + n, sizeof raw - n, "]}");
    r = run(raw);
    assert_int_equal(r->objects.count, 10);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(object(r, i)->role, RECORD_ROLE_RESPONSE);
    is(object(r, 9)->name, "u9");
}

static void test_objects_past_256_become_a_count_and_a_root(void **state) {
    static char raw[1 << 16];
    size_t n = (size_t)snprintf(raw, sizeof raw, "{" WHO WHEN "\"op\":\"range\",\"rows\":[");
    struct record_object last = {.role = RECORD_ROLE_RESPONSE};
    struct digest leaves[2], root;
    const struct record *r;
    struct buf b;
    (void)state;
    for (int i = 0; i < 258; i++)
        n += (size_t)snprintf(raw + n, sizeof raw - n, "%s{\"id\":\"u%d\"}", i ? "," : "", i);
    snprintf(raw + n, sizeof raw - n, "]}");
    r = run(raw);
    assert_int_equal(r->objects.count, 256);
    assert_int_equal(r->objects_more.count, 2);
    buf_init(&b, 4096);
    last.type = slice_str("userid");
    for (int i = 0; i < 2; i++) {
        last.name = slice_str(i ? "u257" : "u256");
        buf_clear(&b);
        schema_write(&record_object_schema, &last, &b);
        leaves[i] = tree_leaf(buf_slice(&b));
    }
    buf_release(&b);
    root = tree_root_of(leaves, 2);
    assert_memory_equal(r->objects_more.root, root.b, DIGEST_SIZE);
}

static void test_what_is_missing_is_a_dead_letter_that_names_it(void **state) {
    (void)state;
    dead("{" WHEN "\"op\":\"x\",\"id\":1}", "all: actor: the log names no subject (who.account)");
    dead("{" WHO "\"op\":\"x\",\"id\":1}", "all: time: the log states none (ts)");
    dead("{" WHO WHEN "\"id\":1}", "all: op: the log names no operation (op)");
    dead("{" WHO WHEN "\"op\":\"x\"}", "all: objects: the log names nothing that was acted on (id)");
    dead("{" WHO WHEN "\"op\":\"x\",\"id\":null}", "all: objects: the log names nothing that was acted on (id)");
    dead("{" WHO WHEN "\"op\":\"x\",\"id\":\"\"}", "all: objects: the log names nothing that was acted on (id)");
    dead("{" WHO WHEN "\"op\":\"x\",\"named\":\"y\"}",
         "all: objects.type: the log does not say what kind of object (kind)");
    dead("{" WHO "\"ts\":\"2026-02-30T00:00:00Z\",\"op\":\"x\",\"id\":1}", "all: time: no date of the calendar");
    dead("{" WHO "\"ts\":\"2026-02-03T00:00:00\",\"op\":\"x\",\"id\":1}",
         "all: time: states no zone, and none is configured");
    dead("{" WHO WHEN "\"op\":\"x\",\"id\":1,\"id\":2}", "all: a key that is read stands twice in the log");
    dead("{" WHO WHEN "\"op\":", "all: no JSON: it ends too early");
    dead("\xff\xfe", "no valid UTF-8 at byte 0");
}

static void test_hostile_json_is_refused_in_bounds(void **state) {
    static char deep[200001];
    (void)state;
    memset(deep, '[', 200000);
    run_slice(slice_str(deep));
    assert_true(out.dead);
    assert_non_null(strstr(out.reason, "nested too deep"));
    for (size_t i = 0; i + 1 < 200000; i += 2)
        memcpy(deep + i, "1,", 2);
    deep[0] = '[';
    run_slice(slice_str(deep));
    assert_true(out.dead);
    run_slice(slice_of("{\"a\":\"\0\"}", 9));
    assert_true(out.dead);
}

static void test_paths_are_checked(void **state) {
    static const char *const bad[] = {"",    "a.",   ".a",    "a..b", "a[",   "a[]",
                                      "a[1", "a[x]", "a[0]b", "\"a",  "\"\"", "a[99999999]"};
    struct json_path p;
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (json_path_compile(slice_str(bad[i]), &arena, &p, &e) == ERR_OK)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(json_path_compile(slice_str("\"a.b\".c[0][*].数据"), &arena, &p, &e), ERR_OK);
    assert_int_equal(p.count, 5);
    is(p.steps[0].key, "a.b");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_administrator_queries_a_user),
        cmocka_unit_test(test_fund_configuration_and_login),
        cmocka_unit_test(test_service_on_three_machines_is_four_objects),
        cmocka_unit_test(test_range_query_gives_ten_response_objects),
        cmocka_unit_test(test_objects_past_256_become_a_count_and_a_root),
        cmocka_unit_test(test_what_is_missing_is_a_dead_letter_that_names_it),
        cmocka_unit_test(test_hostile_json_is_refused_in_bounds),
        cmocka_unit_test(test_paths_are_checked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
