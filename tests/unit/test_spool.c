/* tests/unit/test_spool.c -- ciphertexts on their way: bounded, durable, damage told. */
#include "ledger/spool.h"
#include "tests/support/scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct spool_item item_of(uint8_t id, const char *text, int64_t until) {
    struct spool_item it = {.side = SPOOL_ANSWERED, .keep_until = until, .note = slice_str("key box")};
    it.case_id[0] = id;
    it.ciphertext = slice_str(text);
    return it;
}

static void test_put_get_sweep_and_limits(void **state) {
    struct scratch dir;
    struct spool *s = NULL;
    struct err e;
    struct buf b;
    struct spool_item got;
    uint32_t dropped;
    const struct spool_options o = {.items_max = 3, .bytes_max = 200};
    (void)state;
    scratch_make(&dir);
    buf_init(&b, SPOOL_ITEM_MAX + 1024);
    assert_int_equal(spool_open(scratch_path(&dir, "spool"), &o, &s, &e), ERR_OK);
    for (uint8_t i = 1; i <= 4; i++) {
        struct spool_item it = item_of(i, "ciphertext", 100 * i);
        assert_int_equal(spool_put(s, &it, &e), i <= 3 ? ERR_OK : ERR_FULL);
    }
    struct spool_item again = item_of(1, "another", 100);
    assert_int_equal(spool_put(s, &again, &e), ERR_OK); /* replaces, also when full */
    spool_close(s);
    assert_int_equal(spool_open(scratch_path(&dir, "spool"), &o, &s, &e), ERR_OK);
    assert_int_equal(spool_stats(s).items, 3);
    assert_int_equal(spool_get(s, SPOOL_ANSWERED, again.case_id, &b, &got, &e), ERR_OK);
    assert_true(slice_eq_str(got.ciphertext, "another") && slice_eq_str(got.note, "key box"));
    assert_int_equal(spool_get(s, SPOOL_RECEIVED, again.case_id, &b, &got, &e), ERR_NOT_FOUND);
    assert_int_equal(spool_sweep(s, 201, &dropped, &e), ERR_OK);
    assert_int_equal(dropped, 2);
    assert_int_equal(spool_drop(s, SPOOL_ANSWERED, again.case_id, &e), ERR_NOT_FOUND);
    struct spool_item third = item_of(3, "", 0);
    assert_int_equal(spool_drop(s, SPOOL_ANSWERED, third.case_id, &e), ERR_OK);
    assert_int_equal(spool_stats(s).items, 0);
    assert_int_equal(spool_stats(s).bytes, 0);
    static char big[300];
    memset(big, 'x', sizeof big - 1);
    struct spool_item huge = item_of(9, big, 0);
    assert_int_equal(spool_put(s, &huge, &e), ERR_FULL);
    spool_close(s);
    buf_release(&b);
    scratch_remove(&dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_put_get_sweep_and_limits)};
    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
