/* tests/unit/test_envelope.c -- the envelope: round trips, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/envelope.h"
#include "wire/pack.h"

#include <stdlib.h>

static enum err_code read_text(const char *bytes, size_t len, struct envelope *m) {
    struct err e;
    return envelope_read(slice_of(bytes, len), m, &e);
}
#define READ(text, m) read_text((text), sizeof(text) - 1, (m))

static void test_message_reads_back(void **state) {
    struct envelope m = {.type = ENVELOPE_GET_BLOCK, .request = 77, .body = slice_str("payload")}, back;
    struct buf b;
    struct err e;
    (void)state;
    buf_init(&b, LIMIT_MESSAGE);
    memset(m.channel.b, 9, DIGEST_SIZE);
    assert_int_equal(envelope_write(&m, &b, &e), ERR_OK);
    assert_int_equal(envelope_read(buf_slice(&b), &back, &e), ERR_OK);
    assert_int_equal(back.type, ENVELOPE_GET_BLOCK);
    assert_int_equal(back.request, 77);
    assert_true(digest_eq(&back.channel, &m.channel));
    assert_true(slice_eq_str(back.body, "payload"));
    buf_release(&b);
}

static void test_absent_fields_are_zero(void **state) {
    struct envelope m = {.type = ENVELOPE_STATUS}, back;
    struct buf b;
    struct err e;
    (void)state;
    buf_init(&b, 64);
    assert_int_equal(envelope_write(&m, &b, &e), ERR_OK);
    assert_int_equal(b.len, 4); /* {t: 2} */
    assert_int_equal(envelope_read(buf_slice(&b), &back, &e), ERR_OK);
    assert_true(digest_is_zero(&back.channel));
    assert_int_equal(back.request, 0);
    assert_int_equal(back.body.len, 0);
    buf_release(&b);
}

static void test_largest_body_fits_a_frame(void **state) {
    uint8_t *bytes = calloc(1, ENVELOPE_BODY + 1);
    struct envelope m = {.type = ENVELOPE_BLOCK, .request = UINT64_MAX, .body = slice_of(bytes, ENVELOPE_BODY)}, back;
    struct buf b;
    struct err e;
    (void)state;
    memset(m.channel.b, 255, DIGEST_SIZE);
    buf_init(&b, LIMIT_MESSAGE);
    assert_int_equal(envelope_write(&m, &b, &e), ERR_OK);
    assert_int_equal(envelope_read(buf_slice(&b), &back, &e), ERR_OK);
    m.body.len++;
    buf_clear(&b);
    assert_int_equal(envelope_write(&m, &b, &e), ERR_TOO_LARGE);
    buf_release(&b);
    free(bytes);
}

static void test_not_canonical_is_malformed(void **state) {
    struct envelope m;
    (void)state;
    assert_int_equal(READ("\x81\xa1t\x02", &m), ERR_OK);
    assert_int_equal(READ("\x81\xa1t\xcc\x02", &m), ERR_MALFORMED);        /* long integer */
    assert_int_equal(READ("\x81\xd9\x01t\x02", &m), ERR_MALFORMED);        /* long string header */
    assert_int_equal(READ("\xde\x00\x01\xa1t\x02", &m), ERR_MALFORMED);    /* long map header */
    assert_int_equal(READ("\x82\xa1t\x02\xa1t\x02", &m), ERR_MALFORMED);   /* twice */
    assert_int_equal(READ("\x82\xa1t\x02\xa3req\x01", &m), ERR_MALFORMED); /* order */
    assert_int_equal(READ("\x82\xa3req\x00\xa1t\x02", &m), ERR_MALFORMED); /* present but empty */
    assert_int_equal(READ("\x82\xa4"
                          "body\xc4\x00\xa1t\x02",
                          &m),
                     ERR_MALFORMED);
    assert_int_equal(READ("\x82\xa1t\x02\xa1x\x01", &m), ERR_MALFORMED); /* unknown */
    assert_int_equal(READ("\x81\xa1t\x02\x00", &m), ERR_MALFORMED);      /* something behind */
    assert_int_equal(READ("\x81\xa1t\xc0", &m), ERR_MALFORMED);          /* nil */
    assert_int_equal(READ("\x80", &m), ERR_MALFORMED);                   /* no type */
    assert_int_equal(READ("", &m), ERR_MALFORMED);
    assert_int_equal(READ("\x82\xa2"
                          "ch\xc4\x01\x01\xa1t\x02",
                          &m),
                     ERR_MALFORMED); /* a channel of one byte */
}

static void test_header_bombs_are_malformed(void **state) {
    struct envelope m;
    (void)state;
    assert_int_equal(READ("\xdd\x10\x00\x00\x00", &m), ERR_MALFORMED); /* 268 million elements */
    assert_int_equal(READ("\xdf\x10\x00\x00\x00", &m), ERR_MALFORMED);
    assert_int_equal(READ("\xdf\xff\xff\xff\xff", &m), ERR_MALFORMED);
    assert_true(READ("\x82\xa4"
                     "body\xc6\xff\xff\xff\xff\xa1t\x02",
                     &m) != ERR_OK);
    assert_true(READ("\x82\xa4"
                     "body\xdd\x10\x00\x00\x00\xa1t\x02",
                     &m) != ERR_OK);
}

static void test_every_truncation_is_refused(void **state) {
    struct envelope m = {.type = ENVELOPE_BATCH, .request = 300, .body = slice_str("0123456789")}, back;
    struct buf b;
    struct err e;
    size_t i;
    (void)state;
    buf_init(&b, 256);
    memset(m.channel.b, 1, DIGEST_SIZE);
    assert_int_equal(envelope_write(&m, &b, &e), ERR_OK);
    for (i = 0; i < b.len; i++)
        assert_int_equal(envelope_read(slice_of(b.ptr, i), &back, &e), ERR_MALFORMED);
    buf_release(&b);
}

static void test_unknown_type_is_unsupported(void **state) {
    struct envelope m;
    (void)state;
    assert_int_equal(READ("\x81\xa1t\x7f", &m), ERR_UNSUPPORTED);
    assert_true(READ("\x81\xa1t\xce\x00\x01\x00\x00", &m) != ERR_OK);
    assert_false(envelope_known(0));
    assert_string_equal(envelope_name(ENVELOPE_REPORT_EVIDENCE), "REPORT_EVIDENCE");
    assert_true(envelope_urgent(ENVELOPE_CONSENSUS));
    assert_false(envelope_urgent(ENVELOPE_BLOCK));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_reads_back),          cmocka_unit_test(test_absent_fields_are_zero),
        cmocka_unit_test(test_largest_body_fits_a_frame),   cmocka_unit_test(test_not_canonical_is_malformed),
        cmocka_unit_test(test_header_bombs_are_malformed),  cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_unknown_type_is_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
