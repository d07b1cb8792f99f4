/* Records against the standards in force: each clause of PROTOCOL 11.6 with a record that breaks it. */
#include "tests/support/audit_world.h"

#include <setjmp.h>
#include <stdarg.h>
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

static void publish(const char *yaml, unsigned member) {
    struct err e = {0};
    if (world_put(&w, world_standard(&w, yaml, member), member, NULL, &e) != ERR_OK)
        fail_msg("%s", e.text);
}

static void demo(void) {
    publish((const char *)world_file(&w, "genesis/demo/finance-ext.yaml").ptr, WORLD_FIN);
    publish((const char *)world_file(&w, "genesis/demo/vocab.yaml").ptr, WORLD_FIN);
    publish((const char *)world_file(&w, "genesis/demo/operations.yaml").ptr, WORLD_FIN);
    w.time += 120000; /* past the grace of first versions */
}

static struct record good(void) {
    struct record r = world_record(&w);
    world_cite(&w, &r);
    world_pair(&w, &r.actor.ext, "real_name", "张伟");
    world_pair(&w, &r.actor.ext, "position", "系统管理员");
    return r;
}

static struct record_object *object(struct record *r) {
    return r->objects.items;
}

static void accepted(const struct record *r) {
    struct err e = {0};
    if (world_put(&w, world_entry(&w, r), WORLD_ACME, NULL, &e) != ERR_OK)
        fail_msg("%s", e.text);
}

static void refused(const struct record *r, enum err_code code, const char *word) {
    struct err e = {0};
    enum err_code rc = world_put(&w, world_entry(&w, r), WORLD_ACME, NULL, &e);
    if (rc != code || !strstr(e.text, word))
        fail_msg("expected %s and '%s', got %s: %s", err_name(code), word, err_name(rc), e.text);
}

static void test_conforming_record_accepted(void **state) {
    struct record r;
    (void)state;
    demo();
    r = good();
    accepted(&r);
}

static void test_missing_mandatory_field_names_field_and_standard(void **state) {
    struct record r;
    (void)state;
    demo();
    r = good();
    r.actor.ext.count = 1; /* only position */
    refused(&r, ERR_NONCONFORMING, "actor.ext.real_name: required, but missing (finance-ext 1.0.0)");
    r = good();
    object(&r)->type = slice_str("fund");
    refused(&r, ERR_NONCONFORMING, "objects.0.ext.fund_name");
    world_pair(&w, &object(&r)->ext, "fund_name", "稳健增长一号");
    world_pair(&w, &object(&r)->ext, "fund_type", "房地产");
    refused(&r, ERR_NONCONFORMING, "objects.0.ext.fund_type: not one of the values");
    object(&r)->ext.count = 0;
    world_pair(&w, &object(&r)->ext, "fund_name", "稳健增长一号");
    world_pair(&w, &object(&r)->ext, "fund_type", "混合型");
    accepted(&r);
    world_pair(&w, &object(&r)->ext, "established", "2025-02-29");
    refused(&r, ERR_NONCONFORMING, "objects.0.ext.established: not a date");
}

static void test_types_patterns_and_lengths_checked(void **state) {
    struct record r;
    char longer[200] = "";
    (void)state;
    demo();
    r = good();
    world_pair(&w, &r.actor.ext, "staff_no", "ab12");
    refused(&r, ERR_NONCONFORMING, "actor.ext.staff_no: does not match the pattern");
    r = good();
    world_pair(&w, &r.custom, "amount", "12,50");
    refused(&r, ERR_NONCONFORMING, "custom.amount: not a decimal");
    r = good();
    world_pair(&w, &r.custom, "amount", "-12.50");
    accepted(&r);
    for (int i = 0; i < 64; i++) /* 64 characters, 192 bytes: the limit counts characters */
        strcat(longer, "长");
    r = world_record(&w);
    world_cite(&w, &r);
    world_pair(&w, &r.actor.ext, "real_name", longer);
    world_pair(&w, &r.actor.ext, "position", "经理");
    accepted(&r);
    strcat(longer, "长");
    r = world_record(&w);
    world_cite(&w, &r);
    world_pair(&w, &r.actor.ext, "real_name", longer);
    world_pair(&w, &r.actor.ext, "position", "经理");
    refused(&r, ERR_NONCONFORMING, "longer than 64 characters");
}

static void test_unclassified_needs_99_and_a_note(void **state) {
    struct record r = world_record(&w);
    (void)state;
    r.op.class_id = slice_str("unclassified");
    refused(&r, ERR_NONCONFORMING, "op.activity_id");
    r.op.activity_id = 99;
    refused(&r, ERR_NONCONFORMING, "op.note");
    r.op.note = slice_str("  ");
    refused(&r, ERR_NONCONFORMING, "op.note");
    r.op.note = slice_str("导出对账单");
    accepted(&r);
    r.op.class_id = slice_none();
    refused(&r, ERR_NONCONFORMING, "op.class_id");
}

static void test_class_and_type_must_be_the_standards(void **state) {
    struct record r;
    (void)state;
    demo();
    r = good();
    r.op.class_id = slice_str("user.steal");
    refused(&r, ERR_NONCONFORMING, "op.class_id: not a class");
    r = good();
    r.op.activity_id = 3;
    refused(&r, ERR_NONCONFORMING, "op.activity_id");
    r = good();
    object(&r)->type = slice_str("user_account");
    refused(&r, ERR_NONCONFORMING, "'user_account' is called 'userid' (finance-types 1.0.0)");
}

static void test_time_past_the_header_refused(void **state) {
    struct record r = world_record(&w);
    (void)state;
    r.time = w.time + LIMIT_RECORD_AHEAD_MS;
    accepted(&r);
    r.time++;
    refused(&r, ERR_BAD_TIME, "time");
    r.time = w.time;
    r.time_end = w.time - 1;
    refused(&r, ERR_BAD_TIME, "time_end");
}

static void test_citations_checked(void **state) {
    struct record r, other;
    struct record_std *std;
    (void)state;
    demo();
    r = good();
    r.std.count = 2;
    refused(&r, ERR_NONCONFORMING, "a standard in force is not cited");
    other = good();
    std = other.std.items;
    std[0].hash[3] ^= 1;
    refused(&other, ERR_NONCONFORMING, "no standard with this hash");
    other = good();
    std = other.std.items;
    std[0].version = slice_str("1.0.1");
    refused(&other, ERR_NONCONFORMING, "another standard or version");
    other = good();
    std = other.std.items;
    std[1] = std[0];
    refused(&other, ERR_NONCONFORMING, "cited twice");
}

#define RULE(version, more, mode, field)                                                                               \
    "id: rule\nkind: ext_std\nversion: " version "\n" more "mode: " mode                                               \
    "\neffective_from: 2026-01-01\ngrace_ms: 60000\nbody:\n  elements:\n    - element: actor\n      fields:\n"         \
    "        - {name: " field ", type: str, required: true}\n"

static void test_standard_acts_from_the_block_after_its_own(void **state) {
    struct audit_check b;
    struct record r = world_record(&w);
    struct err e;
    (void)state;
    audit_check_begin(&b, w.state, 1, w.time);
    assert_int_equal(audit_check_next(&b, 1, world_standard(&w, RULE("1.0.0", "", "enforce", "dept"), WORLD_FIN),
                                      audit_state_node(w.state, slice_str("fin-reg")), NULL, &e),
                     ERR_OK);
    assert_int_equal(
        audit_check_next(&b, 2, world_entry(&w, &r), audit_state_node(w.state, slice_str("acme-hq")), NULL, &e),
        ERR_OK); /* same block: the parent's state knows no standard */
    audit_state_release(w.state);
    w.state = audit_check_end(&b);
    accepted(&r); /* new, within its grace: need not be cited */
    world_cite(&w, &r);
    refused(&r, ERR_NONCONFORMING, "actor.ext.dept");
    r.std.count = 0;
    w.time += 60000;
    refused(&r, ERR_NONCONFORMING, "not cited");
}

static void test_superseded_version_citable_within_grace_only(void **state) {
    struct record r = world_record(&w);
    (void)state;
    publish(RULE("1.0.0", "", "enforce", "dept"), WORLD_FIN);
    world_cite(&w, &r);
    world_pair(&w, &r.actor.ext, "dept", "运维部");
    w.time += 100000;
    accepted(&r);
    publish(RULE("1.1.0", "supersedes: 1.0.0\n", "enforce", "team"), WORLD_FIN);
    w.time += 59999;
    accepted(&r); /* cites 1.0.0 and has its field */
    w.time += 1;
    refused(&r, ERR_NONCONFORMING, "not in force: superseded (rule 1.0.0)");
    world_cite(&w, &r);
    refused(&r, ERR_NONCONFORMING, "actor.ext.team");
    world_pair(&w, &r.actor.ext, "team", "一组");
    accepted(&r);
}

static void test_flag_mode_accepts_with_findings(void **state) {
    struct conform_report report;
    struct record r = world_record(&w);
    struct err e;
    (void)state;
    publish(RULE("1.0.0", "", "flag", "dept"), WORLD_FIN);
    w.time += 60000;
    assert_int_equal(world_put(&w, world_entry(&w, &r), WORLD_ACME, &report, &e), ERR_OK);
    assert_int_equal(report.count, 1);
    world_cite(&w, &r);
    assert_int_equal(world_put(&w, world_entry(&w, &r), WORLD_ACME, &report, &e), ERR_OK);
    assert_int_equal(report.count, 1);
    assert_string_equal(report.findings[0].field, "actor.ext.dept");
    assert_true(slice_eq_str(report.findings[0].standard, "rule"));
}

static void test_suspended_and_revoked_standards_not_citable(void **state) {
    struct record r = world_record(&w);
    struct err e;
    (void)state;
    publish(RULE("1.0.0", "", "enforce", "dept"), WORLD_FIN);
    world_cite(&w, &r);
    world_pair(&w, &r.actor.ext, "dept", "运维部");
    accepted(&r);
    assert_int_equal(
        world_put(&w, world_act(&w, STANDARD_SUSPEND, STANDARD_EXT, "rule", "1.0.0", WORLD_FIN), WORLD_FIN, NULL, &e),
        ERR_OK);
    refused(&r, ERR_NONCONFORMING, "not in force: suspended");
    assert_int_equal(
        world_put(&w, world_act(&w, STANDARD_RESUME, STANDARD_EXT, "rule", "1.0.0", WORLD_FIN), WORLD_FIN, NULL, &e),
        ERR_OK);
    accepted(&r);
    assert_int_equal(
        world_put(&w, world_act(&w, STANDARD_REVOKE, STANDARD_EXT, "rule", "1.0.0", WORLD_FIN), WORLD_FIN, NULL, &e),
        ERR_OK);
    refused(&r, ERR_NONCONFORMING, "not in force: revoked");
    r.std.count = 0;
    accepted(&r);
}

static void test_protection_checked_by_presence_key_and_size(void **state) {
    struct record_prot prot = {.alg = 1, .how = RECORD_ENCRYPTED, .key_id = slice_str("acme/1")};
    struct record r = world_record(&w);
    (void)state;
    publish("id: secret\nkind: ext_std\nversion: 1.0.0\nmode: enforce\neffective_from: 2026-01-01\nbody:\n  elements:\n"
            "    - element: actor\n      fields:\n        - {name: id_no, type: str, required: true, pii: C3, protect: "
            "encrypt, regex: '\\d{4}'}\n",
            WORLD_FIN);
    world_cite(&w, &r);
    refused(&r, ERR_NONCONFORMING, "actor.ext.id_no: required");
    world_pair(&w, &r.actor.ext, "id_no", "1101");
    refused(&r, ERR_NONCONFORMING, "must be encrypted (secret 1.0.0)");
    prot.path = slice_str("actor.ext.id_no");
    r.prot = (struct schema_list){&prot, 1};
    refused(&r, ERR_NONCONFORMING, "not a ciphertext's size");
    r.actor.ext.count = 0;
    world_pair(&w, &r.actor.ext, "id_no", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2");
    accepted(&r);
    prot.key_id = slice_none();
    refused(&r, ERR_NONCONFORMING, "key id");
    prot.how = RECORD_REMOVED;
    refused(&r, ERR_NONCONFORMING, "said to be removed, but it is there");
    r.actor.ext.count = 0;
    refused(&r, ERR_NONCONFORMING, "required and was removed");
    prot.path = slice_str("actor.shoe");
    refused(&r, ERR_NONCONFORMING, "cannot be protected");
}

static void test_bad_records_refused_by_form(void **state) {
    struct record r = world_record(&w);
    struct record_object *many = arena_alloc(&w.arena, 257, sizeof *many);
    char *big = arena_alloc(&w.arena, 1, 600);
    struct slice bytes, name;
    uint8_t *spoilt;
    struct err e = {0};
    (void)state;
    for (int i = 0; i < 257; i++)
        many[i] = *object(&r);
    r.objects = (struct schema_list){many, 257};
    refused(&r, ERR_TOO_LARGE, "objects");
    r.objects.count = 256;
    accepted(&r);
    r.objects_more.count = 1;
    refused(&r, ERR_NONCONFORMING, "objects_more");
    r = world_record(&w);
    r.actor = (struct record_actor){0};
    refused(&r, ERR_MALFORMED, "actor");
    r = world_record(&w);
    bytes = world_entry(&w, &r); /* spoil the first byte of the subject's name */
    name = slice_str("张伟");
    spoilt = memmem((uint8_t *)(uintptr_t)bytes.ptr, bytes.len, name.ptr, name.len);
    assert_non_null(spoilt);
    spoilt[0] = 0xFF;
    assert_int_equal(world_put(&w, bytes, WORLD_ACME, NULL, &e), ERR_MALFORMED);
    memset(big, 'x', 512);
    for (int i = 0; i < 32; i++) {
        char *key = arena_alloc(&w.arena, 1, 8);
        key[0] = 'k';
        key[1] = (char)('a' + i / 8);
        key[2] = (char)('a' + i % 8);
        world_pair(&w, &r.custom, key, big);
    }
    for (int i = 0; i < 2; i++)
        world_pair(&w, &r.actor.ext, i ? "a" : "b", big);
    refused(&r, ERR_TOO_LARGE, "a record of 17"); /* 17 KiB */
}

static void test_only_enterprises_submit_records(void **state) {
    struct record r = world_record(&w);
    struct err e;
    struct sign_public nobody = {.b = {99}};
    (void)state;
    assert_int_equal(world_put(&w, world_entry(&w, &r), WORLD_FIN, NULL, &e), ERR_NOT_ALLOWED);
    assert_null(audit_state_member(w.state, &nobody));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(test_conforming_record_accepted),
        T(test_missing_mandatory_field_names_field_and_standard),
        T(test_types_patterns_and_lengths_checked),
        T(test_unclassified_needs_99_and_a_note),
        T(test_class_and_type_must_be_the_standards),
        T(test_time_past_the_header_refused),
        T(test_citations_checked),
        T(test_standard_acts_from_the_block_after_its_own),
        T(test_superseded_version_citable_within_grace_only),
        T(test_flag_mode_accepts_with_findings),
        T(test_suspended_and_revoked_standards_not_citable),
        T(test_protection_checked_by_presence_key_and_size),
        T(test_bad_records_refused_by_form),
        T(test_only_enterprises_submit_records),
    };
    return cmocka_run_group_tests_name("conform", tests, NULL, NULL);
}
