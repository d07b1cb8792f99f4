/* Entries that are no records: gaps and annotations. PROTOCOL 11.7.4, 11.9.1. */
#include "audit/annotation.h"
#include "tests/support/audit_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct world w;

static int up(void **state) {
    static const struct audit_module *const modules[] = {&annotation_module};
    struct err e;
    (void)state;
    world_init(&w);
    audit_state_release(w.state);
    return audit_state_new(&w.policy, modules, 1, &w.state, &e) == ERR_OK ? 0 : -1;
}
static int down(void **state) {
    (void)state;
    world_release(&w);
    return 0;
}

static void put(enum entry_kind kind, const struct schema *s, const void *body, unsigned member, enum err_code code) {
    struct buf b;
    struct err e = {0};
    enum err_code rc;
    buf_init(&b, LIMIT_ENTRY);
    entry_write(kind, s, body, &b);
    assert_int_equal(buf_check(&b, &e), ERR_OK);
    rc = world_put(&w, buf_slice(&b), member, NULL, &e);
    if (rc != code)
        fail_msg("expected %s, got %s: %s", err_name(code), err_name(rc), e.text);
    buf_release(&b);
}

static void put_gap(uint64_t first, uint64_t last, int64_t time, unsigned member, enum err_code code) {
    struct gap g = {.first = first,
                    .last = last,
                    .nonce = {1},
                    .reason = slice_str("文件被删除"),
                    .source = slice_str("dpkg"),
                    .time = time};
    put(ENTRY_GAP, &gap_schema, &g, member, code);
}

static void test_gap_bounds_are_checked(void **state) {
    (void)state;
    put_gap(5, 9, w.time, WORLD_ACME, ERR_OK);
    put_gap(7, 7, w.time, WORLD_ACME, ERR_OK);
    put_gap(9, 5, w.time, WORLD_ACME, ERR_MALFORMED);
    put_gap(5, 9, w.time + LIMIT_RECORD_AHEAD_MS, WORLD_ACME, ERR_OK);
    put_gap(5, 9, w.time + 3600000 + LIMIT_RECORD_AHEAD_MS, WORLD_ACME, ERR_BAD_TIME);
    put_gap(5, 9, w.time, WORLD_FIN, ERR_NOT_ALLOWED);
}

static void put_note(const char *by, const char *text, unsigned member, enum err_code code) {
    struct annotation a = {.by = slice_str(by), .nonce = {1}, .text = slice_str(text)};
    put(ENTRY_ANNOTATION, &annotation_schema, &a, member, code);
}

static void test_annotation_of_any_member_governs_nothing(void **state) {
    struct digest before, after;
    char text[514];
    (void)state;
    before = audit_state_digest(w.state);
    put_note("王芳", "another reading of entry 7", WORLD_OBSERVER, ERR_OK);
    put_note("", "this place was refused", WORLD_ACME, ERR_OK);
    put_note("", "", WORLD_ACME, ERR_MALFORMED);
    memset(text, 'a', sizeof text);
    text[513] = 0;
    put_note("", text, WORLD_ACME, ERR_TOO_LARGE);
    after = audit_state_digest(w.state);
    assert_true(digest_eq(&before, &after));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gap_bounds_are_checked, up, down),
        cmocka_unit_test_setup_teardown(test_annotation_of_any_member_governs_nothing, up, down),
    };
    return cmocka_run_group_tests_name("audit_check", tests, NULL, NULL);
}
