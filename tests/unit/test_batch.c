/* Tests of ledger/batch.c and block.c: docs/PROTOCOL.md 2, 4. */
#include "tests/support/ledger_fixture.h"

#include "ledger/tree.h"
#include "wire/mem.h"
#include "wire/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>
#include <cmocka.h>

enum { ARENA = LIMIT_BATCH_ENTRIES * 64 };

static enum err_code open_batch(const struct batch *b, struct err *e) {
    struct batch_entries x;
    struct buf raw;
    struct arena a;
    enum err_code code;
    buf_init(&raw, LIMIT_BATCH_RAW);
    arena_init(&a, ARENA);
    code = batch_open(b, &raw, &a, &x, e);
    buf_release(&raw);
    arena_release(&a);
    return code;
}

static void test_batches_survive_the_round_trip(void **state) {
    struct ledger_fixture f;
    struct buf bytes, again, raw, entry;
    struct arena a;
    struct batch b;
    struct batch_entries x;
    struct err e = {.text = ""};
    unsigned counts[] = {1, 2, 3, 100, 4096}, i;
    (void)state;
    ledger_fixture_open(&f, false);
    buf_init(&bytes, BATCH_CARRIED);
    buf_init(&again, BATCH_CARRIED);
    buf_init(&raw, LIMIT_BATCH_RAW);
    buf_init(&entry, LIMIT_ENTRY);
    arena_init(&a, ARENA);
    for (i = 0; i < 5; i++) {
        ledger_fixture_batch(&f, 0, i + 1, counts[i], "äöü 中文", &bytes);
        if (batch_read(buf_slice(&bytes), &b, &e) != ERR_OK)
            fail_msg("%s", e.text);
        assert_int_equal(b.header.enc, counts[i] >= 100 ? BATCH_ZSTD : BATCH_PLAIN);
        assert_int_equal(batch_verify(&b.header, &e), ERR_OK);
        arena_clear(&a);
        assert_int_equal(batch_open(&b, &raw, &a, &x, &e), ERR_OK);
        assert_int_equal(x.count, counts[i]);
        ledger_fixture_entry(&entry, "äöü 中文 0");
        assert_true(slice_eq(x.items[0], buf_slice(&entry)));
        buf_clear(&again);
        batch_write(&b, &again);
        assert_true(slice_eq(buf_slice(&again), buf_slice(&bytes)));
        b.header.seq++;
        assert_int_equal(batch_verify(&b.header, &e), ERR_BAD_SIGNATURE);
    }
    buf_release(&bytes);
    buf_release(&again);
    buf_release(&raw);
    buf_release(&entry);
    arena_release(&a);
    ledger_fixture_close(&f);
}

static void test_any_damage_to_a_batch_is_refused(void **state) {
    struct ledger_fixture f;
    struct buf bytes;
    struct batch b;
    struct digest hash;
    struct err e;
    size_t i, same = 0;
    (void)state;
    ledger_fixture_open(&f, false);
    buf_init(&bytes, BATCH_CARRIED);
    ledger_fixture_batch(&f, 0, 1, 60, "text that compresses", &bytes);
    assert_int_equal(batch_read(buf_slice(&bytes), &b, &e), ERR_OK);
    assert_int_equal(b.header.enc, BATCH_ZSTD);
    hash = b.hash;
    for (i = 0; i < bytes.len; i++) {
        enum err_code code;
        bytes.ptr[i] ^= 0x10;
        code = batch_read(buf_slice(&bytes), &b, &e);
        if (code == ERR_OK)
            code = batch_verify(&b.header, &e);
        if (code == ERR_OK)
            code = open_batch(&b, &e);
        if (code == ERR_OK) { /* an unused bit of the frame: the batch itself is the same */
            assert_true(digest_eq(&b.hash, &hash));
            same++;
        } else {
            assert_int_not_equal(err_class_of(code), ERR_CLASS_FATAL);
        }
        bytes.ptr[i] ^= 0x10;
    }
    assert_true(same < 8);
    for (i = 0; i < bytes.len; i++)
        assert_int_not_equal(batch_read(slice_of(bytes.ptr, i), &b, &e), ERR_OK);
    buf_u8(&bytes, 0);
    assert_int_equal(batch_read(buf_slice(&bytes), &b, &e), ERR_MALFORMED);
    buf_release(&bytes);
    ledger_fixture_close(&f);
}

/* Frames that want more than they declare, or declare more than they hold. */
static void test_bombs_are_refused_before_they_grow(void **state) {
    size_t huge = 64 << 20, n;
    uint8_t *zeros = calloc(1, huge), *frame = malloc(ZSTD_compressBound(huge));
    struct batch b = {.header = {.count = 1, .enc = BATCH_ZSTD, .raw_len = 1000}};
    struct buf raw;
    struct err e;
    (void)state;
    n = ZSTD_compress(frame, ZSTD_compressBound(huge), zeros, huge, 1);
    b.body = slice_of(frame, n);
    assert_int_equal(open_batch(&b, &e), ERR_MALFORMED); /* says 64 MiB itself */
    {                                                    /* a frame that does not say its size */
        ZSTD_CCtx *c = ZSTD_createCCtx();
        ZSTD_inBuffer in = {zeros, 1 << 20, 0};
        ZSTD_outBuffer out = {frame, ZSTD_compressBound(huge), 0};
        ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
        while (ZSTD_compressStream2(c, &out, &in, ZSTD_e_end) != 0)
            ;
        ZSTD_freeCCtx(c);
        b.body = slice_of(frame, out.pos);
        assert_int_equal(open_batch(&b, &e), ERR_MALFORMED);
        b.header.raw_len = LIMIT_BATCH_RAW - 1; /* one byte short */
        assert_int_equal(open_batch(&b, &e), ERR_MALFORMED);
    }
    n = ZSTD_compress(frame, ZSTD_compressBound(huge), zeros, 1000, 1);
    b.header.raw_len = 1001;
    b.body = slice_of(frame, n);
    assert_int_equal(open_batch(&b, &e), ERR_MALFORMED);
    b.header.raw_len = 1000;
    memcpy(frame + n, frame, n); /* two frames */
    b.body = slice_of(frame, 2 * n);
    assert_int_equal(open_batch(&b, &e), ERR_MALFORMED);
    b.body = slice_of(frame, n - 1);
    assert_int_equal(open_batch(&b, &e), ERR_MALFORMED);
    b.body = slice_of(frame, n); /* right size; empty entries */
    assert_int_equal(open_batch(&b, &e), ERR_MALFORMED);
    buf_init(&raw, BATCH_CARRIED);
    b.header.raw_len = UINT64_C(1) << 40;
    batch_write(&b, &raw);
    assert_int_not_equal(batch_read(buf_slice(&raw), &b, &e), ERR_OK);
    buf_clear(&raw);
    b = (struct batch){.header = {.count = LIMIT_BATCH_ENTRIES, .raw_len = 9}, .body = slice_str("123456789")};
    batch_write(&b, &raw);
    assert_int_not_equal(batch_read(buf_slice(&raw), &b, &e), ERR_OK);
    buf_release(&raw);
    free(zeros);
    free(frame);
}

static void test_wrong_root_and_count_are_refused(void **state) {
    struct ledger_fixture f;
    struct buf bytes;
    struct batch b;
    struct err e;
    (void)state;
    ledger_fixture_open(&f, false);
    buf_init(&bytes, BATCH_CARRIED);
    ledger_fixture_batch(&f, 0, 1, 3, "x", &bytes);
    assert_int_equal(batch_read(buf_slice(&bytes), &b, &e), ERR_OK);
    b.header.root.b[9] ^= 1;
    assert_int_equal(open_batch(&b, &e), ERR_MISMATCH);
    b.header.root.b[9] ^= 1;
    b.header.count = 2;
    assert_int_equal(open_batch(&b, &e), ERR_MALFORMED);
    b.header.count = 4;
    assert_int_equal(open_batch(&b, &e), ERR_MALFORMED);
    buf_release(&bytes);
    ledger_fixture_close(&f);
}

static void test_a_full_builder_says_so(void **state) {
    struct batch_builder b;
    struct buf entry;
    struct err e;
    char *text = malloc(60001);
    enum err_code code;
    (void)state;
    memset(text, 'a', 60000);
    text[60000] = 0;
    buf_init(&entry, LIMIT_ENTRY);
    ledger_fixture_entry(&entry, text);
    assert_int_equal(batch_builder_init(&b, &e), ERR_OK);
    while ((code = batch_builder_add(&b, buf_slice(&entry), &e)) == ERR_OK)
        ;
    assert_int_equal(code, ERR_FULL);
    assert_int_equal(b.count, LIMIT_BATCH_RAW / (entry.len + 2));
    assert_int_equal(batch_builder_add(&b, slice_str("junk"), &e), ERR_MALFORMED);
    batch_builder_release(&b);
    buf_release(&entry);
    free(text);
}

static void test_short_memory_is_an_error_not_a_crash(void **state) {
    struct ledger_fixture f;
    struct buf bytes;
    struct err e;
    unsigned long n;
    (void)state;
    ledger_fixture_open(&f, false);
    buf_init(&bytes, BATCH_CARRIED);
    ledger_fixture_batch(&f, 0, 1, 60, "text that compresses", &bytes);
    for (n = 1; n < 200; n++) {
        enum pool_answer answer;
        enum err_code code;
        mem_fail_at(n);
        code = chain_submit(f.chain, buf_slice(&bytes), 1, &answer, NULL, NULL, &e);
        mem_fail_at(0);
        if (code == ERR_OK)
            break;
    }
    assert_true(n < 200);
    buf_release(&bytes);
    ledger_fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_survive_the_round_trip),
        cmocka_unit_test(test_any_damage_to_a_batch_is_refused),
        cmocka_unit_test(test_bombs_are_refused_before_they_grow),
        cmocka_unit_test(test_wrong_root_and_count_are_refused),
        cmocka_unit_test(test_a_full_builder_says_so),
        cmocka_unit_test(test_short_memory_is_an_error_not_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
