/* tests/unit/test_schema.c -- canonical msgpack by tables: round trips, limits, and every way to be non-canonical. */
#include "ledger/record.h"
#include "wire/json.h"
#include "wire/limits.h"
#include "wire/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void fill(struct record *r, struct record_object *o, struct schema_pair *ext, size_t objects) {
    size_t i;
    memset(r, 0, sizeof *r);
    for (i = 0; i < objects; i++)
        o[i] = (struct record_object){.name = slice_str("7"), .role = RECORD_ROLE_REQUEST, .type = slice_str("userid")};
    ext[0] = (struct schema_pair){slice_str("姓名"), slice_str("王芳")};
    r->actor = (struct record_actor){.name = slice_str("管理员"), .type = slice_str("user"), .ext = {ext, 1}};
    r->objects = (struct schema_list){o, (uint32_t)objects};
    r->op.raw = slice_str("/api/users");
    r->log_type = RECORD_LOG_STRUCTURED;
    r->raw_commit = RECORD_SALTED;
    r->source = (struct record_source){slice_str("s"), 1};
    r->time = 1700000000000;
    memset(r->uid, 1, sizeof r->uid);
    memset(r->raw_hash, 2, sizeof r->raw_hash);
}

static void test_record_round_trip_is_identity(void **state) {
    struct record r, back;
    struct record_object o[2];
    struct schema_pair ext[1];
    struct buf one, two;
    struct arena a;
    struct err e = {0};
    (void)state;
    buf_init(&one, LIMIT_ENTRY);
    buf_init(&two, LIMIT_ENTRY);
    arena_init(&a, LIMIT_ENTRY);
    fill(&r, o, ext, 2);
    schema_write(&record_schema, &r, &one);
    assert_int_equal(record_read(buf_slice(&one), &a, &back, &e), ERR_OK);
    schema_write(&record_schema, &back, &two);
    assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
    assert_true(slice_eq_str(schema_pair_get(&back.actor.ext, slice_str("姓名")), "王芳"));
    buf_clear(&two);
    assert_int_equal(json_from_pack(buf_slice(&one), &two, &e), ERR_OK);
    assert_non_null(strstr(buf_cstr(&two), "\"姓名\":\"王芳\""));
    buf_release(&one);
    buf_release(&two);
    arena_release(&a);
}

static void test_record_with_257_objects_is_refused(void **state) {
    struct record r;
    struct record_object o[257];
    struct schema_pair ext[1];
    struct err e = {0};
    (void)state;
    fill(&r, o, ext, 256);
    assert_int_equal(schema_check(&record_schema, &r, &e), ERR_OK);
    fill(&r, o, ext, 257);
    assert_int_equal(schema_check(&record_schema, &r, &e), ERR_TOO_LARGE);
    assert_non_null(strstr(e.text, "record.objects"));
    fill(&r, o, ext, 0);
    assert_int_equal(schema_check(&record_schema, &r, &e), ERR_MALFORMED);
}

static void test_record_without_subject_is_refused(void **state) {
    struct record r;
    struct record_object o[1];
    struct schema_pair ext[1];
    struct err e = {0};
    (void)state;
    fill(&r, o, ext, 1);
    r.actor.name = slice_none();
    assert_int_equal(schema_check(&record_schema, &r, &e), ERR_MALFORMED);
    assert_non_null(strstr(e.text, "actor"));
}

struct small {
    bool flag;
    uint64_t n;
};
static const struct schema_field small_fields[] = {
    {.key = "flag", .type = SCHEMA_BOOL, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct small, flag)},
    {.key = "n", .type = SCHEMA_U64, .offset = offsetof(struct small, n), .max = 1000},
};
static const struct schema small_schema = SCHEMA_OF("small", struct small, small_fields);

static enum err_code small(const char *bytes, size_t len) {
    struct arena a;
    struct small s;
    struct err e = {0};
    enum err_code rc;
    arena_init(&a, 1024);
    rc = schema_read(&small_schema, slice_of(bytes, len), &a, &s, &e);
    arena_release(&a);
    return rc;
}
#define SMALL(text) small(text, sizeof(text) - 1)

static void test_every_non_canonical_form_is_refused(void **state) {
    (void)state;
    assert_int_equal(SMALL("\x81\xA1n\x05"), ERR_OK);
    assert_int_equal(SMALL("\x82\xA4"
                           "flag\xC3\xA1n\x05"),
                     ERR_OK);
    assert_int_equal(SMALL("\x81\xA1n\xCC\x05"), ERR_MALFORMED);     /* not the shortest number */
    assert_int_equal(SMALL("\x81\xD9\x01n\x05"), ERR_MALFORMED);     /* not the shortest text */
    assert_int_equal(SMALL("\xDE\x00\x01\xA1n\x05"), ERR_MALFORMED); /* not the shortest map */
    assert_int_equal(SMALL("\x82\xA1n\x05\xA4"
                           "flag\xC3"),
                     ERR_MALFORMED);                                  /* order */
    assert_int_equal(SMALL("\x82\xA1n\x05\xA1n\x05"), ERR_MALFORMED); /* repeated */
    assert_int_equal(SMALL("\x82\xA1n\x05\xA1z\x05"), ERR_MALFORMED); /* unknown */
    assert_int_equal(SMALL("\x82\xA4"
                           "flag\xC2\xA1n\x05"),
                     ERR_MALFORMED);                                         /* empty value present */
    assert_int_equal(SMALL("\x80"), ERR_MALFORMED);                          /* missing */
    assert_int_equal(SMALL("\x81\xA1n\xC0"), ERR_MALFORMED);                 /* nil */
    assert_int_equal(SMALL("\x81\xA1n\xCA\x3F\x80\x00\x00"), ERR_MALFORMED); /* float */
    assert_int_equal(SMALL("\x81\xA1n\x05\x00"), ERR_MALFORMED);             /* bytes behind */
    assert_int_equal(SMALL("\x81\xA1n\xCD\x03\xE9"), ERR_MALFORMED);         /* out of range */
    assert_int_equal(SMALL("\xDD\x10\x00\x00\x00"), ERR_MALFORMED);          /* 268 million elements in five bytes */
    assert_int_equal(cursor_check(slice_of("\xDD\x10\x00\x00\x00", 5), LIMIT_DEPTH, NULL), ERR_MALFORMED);
    assert_int_equal(cursor_check(slice_of("\xA2\xC3\x28", 3), LIMIT_DEPTH, NULL), ERR_MALFORMED); /* UTF-8 */
}

static void test_nesting_is_bounded(void **state) {
    uint8_t deep[LIMIT_DEPTH + 2];
    struct err e;
    (void)state;
    memset(deep, 0x91, sizeof deep);
    deep[LIMIT_DEPTH] = 0x01;
    assert_int_equal(cursor_check(slice_of(deep, LIMIT_DEPTH + 1), LIMIT_DEPTH, &e), ERR_OK);
    deep[LIMIT_DEPTH] = 0x91;
    deep[LIMIT_DEPTH + 1] = 0x01;
    assert_int_equal(cursor_check(slice_of(deep, LIMIT_DEPTH + 2), LIMIT_DEPTH, &e), ERR_TOO_LARGE);
}

/* What the door fills in may be left out, the map of the source included. */
static void test_draft_without_source_is_fine(void **state) {
    struct record r;
    struct record_object o[1];
    struct schema_pair ext[1];
    struct err e = {0};
    (void)state;
    fill(&r, o, ext, 1);
    memset(r.uid, 0, sizeof r.uid);
    memset(r.raw_hash, 0, sizeof r.raw_hash);
    memset(&r.source, 0, sizeof r.source);
    r.log_type = r.raw_commit = 0;
    assert_int_equal(schema_check(&record_draft_schema, &r, &e), ERR_OK);
    assert_int_not_equal(schema_check(&record_schema, &r, &e), ERR_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_round_trip_is_identity),
        cmocka_unit_test(test_record_with_257_objects_is_refused),
        cmocka_unit_test(test_record_without_subject_is_refused),
        cmocka_unit_test(test_every_non_canonical_form_is_refused),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_draft_without_source_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
