/* tests/unit/test_words.c -- values as people write them, answers looked into by key, entries in words, asking by
 * options. */
#include "ledger/record.h"
#include "node/cli/doc.h"
#include "node/sentence.h"
#include "node/words.h"
#include "wire/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_time_forms_are_read(void **state) {
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"1970-01-01", 0},
        {"2026-11-22", 1795305600000},
        {"2026-11-22T19:00:00Z", 1795374000000},
        {"2026-11-22T19:00:00.5Z", 1795374000500},
        {"2026-11-22T19:00:00.123456Z", 1795374000123},
        {"2026-11-23T03:00:00+08:00", 1795374000000},
        {"2026-11-22T14:30-04:30", 1795374000000},
        {"2024-02-29", 1709164800000},
        {"1969-12-31T23:59:59Z", -1000},
    };
    static const char *const bad[] = {"",
                                      "now",
                                      "2026-11",
                                      "2026-13-01",
                                      "2026-02-30",
                                      "2026-11-00",
                                      "2026-11-2",
                                      "2026/11/22",
                                      "2026-11-22T24:00Z",
                                      "2026-11-22T1:00",
                                      "2026-11-22T19:00:00X",
                                      "2026-11-22T19:00:00+8",
                                      "2026-11-22 "};
    struct err e;
    int64_t ms;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(words_time("--from", good[i].text, &ms, &e), ERR_OK);
        assert_true(ms == good[i].ms);
    }
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(words_time("--from", bad[i], &ms, &e), ERR_USAGE);
}

static void test_hex_takes_exactly_its_size(void **state) {
    uint8_t out[16];
    struct err e;
    (void)state;
    assert_int_equal(words_hex("uid", "01a204df-32e1-76d7-a09f-83fda33801e9", out, 16, &e), ERR_OK);
    assert_int_equal(out[0], 0x01);
    assert_int_equal(out[15], 0xe9);
    assert_int_equal(words_hex("uid", "01A204DF32E176D7A09F83FDA33801E9", out, 16, &e), ERR_OK);
    assert_int_equal(words_hex("uid", "01a204df32e176d7a09f83fda33801e", out, 16, &e), ERR_USAGE);
    assert_int_equal(words_hex("uid", "01a204df32e176d7a09f83fda33801e900", out, 16, &e), ERR_USAGE);
    assert_int_equal(words_hex("x", "0g", out, 1, &e), ERR_USAGE);
    assert_int_equal(words_hex("x", "0-1", out, 1, &e), ERR_USAGE);
}

static void test_typed_name_splits_at_the_first_colon(void **state) {
    struct slice type, name;
    (void)state;
    words_typed("userid:10:01", &type, &name);
    assert_true(slice_eq_str(type, "userid") && slice_eq_str(name, "10:01"));
    words_typed("王芳", &type, &name);
    assert_true(type.len == 0 && slice_eq_str(name, "王芳"));
    words_typed(":a:b", &type, &name);
    assert_true(type.len == 0 && slice_eq_str(name, "a:b"));
}

static void test_doc_gives_values_by_key_and_nothing_else(void **state) {
    struct buf b;
    struct doc_list l;
    struct slice item;
    struct slice map;
    (void)state;
    buf_init(&b, 4096);
    pack_map(&b, 5);
    pack_cstr(&b, "a"), pack_u64(&b, 7);
    pack_cstr(&b, "b"), pack_bool(&b, true);
    pack_cstr(&b, "c"), pack_bin(&b, slice_of("xy", 2));
    pack_cstr(&b, "d"), pack_array(&b, 2), pack_cstr(&b, "p"), pack_cstr(&b, "q");
    pack_cstr(&b, "e"), pack_i64(&b, -3);
    map = buf_slice(&b);
    assert_int_equal(doc_u64(map, "a"), 7);
    assert_int_equal(doc_i64(map, "a"), 7);
    assert_int_equal(doc_i64(map, "e"), -3);
    assert_int_equal(doc_u64(map, "e"), 0);
    assert_true(doc_bool(map, "b") && !doc_bool(map, "a") && !doc_bool(map, "none"));
    assert_true(slice_eq_str(doc_str(map, "c"), "xy") && doc_str(map, "a").len == 0);
    l = doc_list(map, "d");
    assert_int_equal(l.left, 2);
    assert_true(doc_next(&l, &item) && doc_next(&l, &item) && !doc_next(&l, &item));
    assert_int_equal(doc_list(map, "a").left, 0);
    /* cut off anywhere: no value, no crash */
    for (; map.len > 0; map.len--)
        (void)(doc_u64(map, "a") + doc_str(map, "c").len + doc_list(map, "d").left);
    assert_int_equal(doc_u64(slice_none(), "a"), 0);
    buf_release(&b);
}

static struct record words_record(struct record_object *objects, uint32_t count) {
    uint32_t i;
    struct record r = {.actor = {.name = slice_str("王芳"), .type = slice_str("user")},
                       .objects = {objects, count},
                       .op = {.raw = slice_str("GET /api/users"), .class_label = slice_str("查询用户")},
                       .log_type = RECORD_LOG_TEXT,
                       .raw_commit = RECORD_SALTED,
                       .raw_size = 9,
                       .server = slice_str("portal"),
                       .service = slice_str("api"),
                       .source = {slice_str("s"), 1},
                       .time = 1795374000123};
    memset(r.raw_hash, 1, sizeof r.raw_hash);
    memset(r.uid, 2, sizeof r.uid);
    for (i = 0; i < count; i++)
        objects[i] = (struct record_object){
            .name = slice_of(&"123456789"[i], 1), .role = RECORD_ROLE_REQUEST, .type = slice_str("userid")};
    return r;
}

static void words_sentence(const struct record *r, struct sentence *s) {
    struct buf b;
    buf_init(&b, LIMIT_ENTRY);
    entry_write(ENTRY_RECORD, &record_schema, r, &b);
    assert_false(b.failed);
    sentence_of(NULL, buf_slice(&b), NULL, 1, s);
    buf_release(&b);
}

static void test_sentence_of_record_says_who_when_what_to_what(void **state) {
    struct record_object objects[9];
    struct record r = words_record(objects, 1);
    struct sentence s;
    (void)state;
    words_sentence(&r, &s);
    assert_string_equal(s.text,
                        "user 王芳, at 2026-11-22 19:00:00.123 UTC, did: 查询用户, to userid 1, on portal/api.");
    assert_string_equal(s.who, "user 王芳");
    assert_string_equal(s.where, "portal/api");
    r = words_record(objects, 6);
    r.actor.assigned = true;
    r.op.status_id = 2;
    words_sentence(&r, &s);
    assert_string_equal(s.who, "user 王芳 (assigned)");
    assert_string_equal(s.what, "查询用户 (failed)");
    assert_string_equal(s.to, "userid 1, userid 2, userid 3, userid 4 and 2 more");
}

static void test_sentence_is_cut_at_a_characters_end(void **state) {
    static char name[256 * 4 + 1];
    struct record_object objects[9];
    struct record r = words_record(objects, 9);
    struct sentence s;
    size_t i;
    (void)state;
    for (i = 0; i + 3 <= 255; i += 3)
        memcpy(name + i, "芳", 3);
    for (i = 0; i < 9; i++)
        objects[i].name = slice_of(name, 255);
    words_sentence(&r, &s);
    assert_true(strlen(s.to) < sizeof s.to);
    for (i = strlen(s.to); i > 0 && ((uint8_t)s.to[i - 1] & 0xc0) == 0x80; i--)
        ;
    /* the last character is whole: its lead byte tells its length */
    assert_true(i > 0);
    if ((uint8_t)s.to[i - 1] >= 0xe0)
        assert_int_equal(strlen(s.to) - (i - 1), 3);
}

static void test_sentence_of_what_cannot_be_read_says_so(void **state) {
    struct sentence s;
    (void)state;
    sentence_of(NULL, slice_of("\xc1", 1), NULL, 0, &s);
    assert_non_null(strstr(s.text, "cannot read"));
    sentence_of(NULL, slice_none(), NULL, 0, &s);
    assert_non_null(strstr(s.text, "1970-01-01 00:00:00.000 UTC"));
}

static void test_every_kind_of_entry_has_words(void **state) {
    unsigned kind;
    (void)state;
    for (kind = 1; entry_kind_text((enum entry_kind)kind); kind++) {
        struct sentence s;
        struct buf b;
        buf_init(&b, 64);
        pack_array(&b, 2);
        pack_u64(&b, kind);
        pack_map(&b, 0);
        sentence_of(NULL, buf_slice(&b), NULL, 5, &s);
        assert_int_equal(s.kind, kind);
        assert_true(s.what[0] && s.text[0]);
        buf_release(&b);
    }
}

static void test_times_before_1970_and_beyond_are_written(void **state) {
    char text[SENTENCE_TIME];
    (void)state;
    sentence_when(-1, text);
    assert_string_equal(text, "1969-12-31 23:59:59.999");
    sentence_when(INT64_MAX, text);
    assert_non_null(strstr(text, "ms"));
    sentence_when(INT64_MIN, text);
    assert_true(text[0] != '\0');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_forms_are_read),
        cmocka_unit_test(test_hex_takes_exactly_its_size),
        cmocka_unit_test(test_typed_name_splits_at_the_first_colon),
        cmocka_unit_test(test_doc_gives_values_by_key_and_nothing_else),
        cmocka_unit_test(test_sentence_of_record_says_who_when_what_to_what),
        cmocka_unit_test(test_sentence_is_cut_at_a_characters_end),
        cmocka_unit_test(test_sentence_of_what_cannot_be_read_says_so),
        cmocka_unit_test(test_every_kind_of_entry_has_words),
        cmocka_unit_test(test_times_before_1970_and_beyond_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
