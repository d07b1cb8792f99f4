/* Nodes whose bytes break rules: counted, forgiven, kept away. PROTOCOL 14.14. */
#include "node/faults.h"
#include "node/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void test_sixteen_faults_ban_and_time_forgives(void **state) {
    struct faults *f;
    struct err e;
    int64_t now = 1000000;
    unsigned i;
    (void)state;
    assert_int_equal(faults_new(3, &f, &e), ERR_OK);
    for (i = 1; i < FAULTS_MOST; i++)
        assert_false(faults_note(f, 1, now));
    assert_false(faults_note(f, 2, now)); /* another node's own count */
    assert_true(faults_note(f, 1, now));
    assert_false(faults_note(f, 1, now)); /* anew */
    for (i = 0; i < 10 * FAULTS_MOST; i++)
        assert_false(faults_note(f, 0, now += FAULTS_FORGIVE_MS));
    faults_free(f);
}

static void test_one_sender_cannot_fill_a_mailbox(void **state) {
    struct err e;
    struct mailbox *m = mailbox_new(64, 1 << 20, &e);
    unsigned held = 0;
    (void)state;
    assert_non_null(m);
    while (mailbox_put(m, 1, 5, slice_str("x"), NULL, false, &e) == ERR_OK)
        held++;
    assert_int_equal(held, 64 / MAILBOX_SHARE_COUNT);
    assert_int_equal(e.code, ERR_FULL);
    assert_int_equal(mailbox_put(m, 1, 6, slice_str("x"), NULL, false, &e), ERR_OK);
    assert_int_equal(mailbox_put(m, 1, -1, slice_str("x"), NULL, true, &e), ERR_OK);
    mailbox_mail_free(mailbox_take(m, 0, 1)); /* its share is free again as its mail is taken */
    assert_int_equal(mailbox_put(m, 1, 5, slice_str("x"), NULL, false, &e), ERR_OK);
    mailbox_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sixteen_faults_ban_and_time_forgives),
        cmocka_unit_test(test_one_sender_cannot_fill_a_mailbox),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
