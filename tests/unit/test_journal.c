/* Tests of ledger/journal.c and pool.c: docs/PROTOCOL.md 2, 10. */
#include "ledger/journal.h"
#include "tests/support/ledger_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct walk {
    struct journal_key last;
    unsigned count;
};

static enum err_code step(void *ctx, struct journal_key key, struct slice bytes, struct err *e) {
    struct walk *w = ctx;
    (void)e;
    assert_int_equal(bytes.ptr[0], key.type);
    assert_true(w->count == 0 || key.epoch > w->last.epoch || key.view >= w->last.view);
    w->last = key;
    w->count++;
    return ERR_OK;
}

static void test_votes_are_kept_once_loaded_above_and_pruned(void **state) {
    struct store *s;
    struct store_txn *t;
    struct err e;
    struct walk w = {.count = 0};
    struct buf value;
    bool left;
    uint64_t view;
    uint8_t type;
    (void)state;
    assert_int_equal(store_open_mem(&s, &e), ERR_OK);
    assert_int_equal(store_begin_write(s, &t, &e), ERR_OK);
    for (view = 1; view <= 300; view++)
        for (type = 1; type <= 3; type++)
            assert_int_equal(journal_put(t, JOURNAL_VOTES, (struct journal_key){1, view, type}, slice_of(&type, 1), &e),
                             ERR_OK);
    type = 2;
    assert_int_equal(journal_put(t, JOURNAL_VOTES, (struct journal_key){1, 9, 2}, slice_of(&type, 1), &e), ERR_OK);
    assert_int_equal(journal_put(t, JOURNAL_VOTES, (struct journal_key){1, 9, 2}, slice_str("x"), &e), ERR_CONFLICT);
    assert_int_equal(journal_load(t, JOURNAL_VOTES, 1, 256, step, &w, &e), ERR_OK);
    assert_int_equal(w.count, 3 * 44);
    assert_int_equal(w.last.view, 300);
    assert_int_equal(journal_prune(t, JOURNAL_VOTES, 1, 256, 100, &left, &e), ERR_OK);
    assert_true(left);
    assert_int_equal(journal_prune(t, JOURNAL_VOTES, 1, 256, 1000, &left, &e), ERR_OK);
    assert_false(left);
    w.count = 0;
    assert_int_equal(journal_load(t, JOURNAL_VOTES, 0, 0, step, &w, &e), ERR_OK);
    assert_int_equal(w.count, 3 * 44);
    buf_init(&value, 100);
    assert_int_equal(journal_value(t, "epoch", &value, &e), ERR_NOT_FOUND);
    assert_int_equal(journal_set(t, "epoch", slice_str("12"), &e), ERR_OK);
    assert_int_equal(journal_value(t, "epoch", &value, &e), ERR_OK);
    assert_true(slice_eq_str(buf_slice(&value), "12"));
    buf_release(&value);
    assert_int_equal(store_commit(t, &e), ERR_OK);
    store_close(s);
}

static enum err_code pool_put(struct ledger_fixture *f, unsigned who, uint64_t seq, const char *text,
                              uint64_t final_seq, enum pool_answer *answer) {
    struct buf bytes;
    struct batch b;
    struct err e;
    enum err_code code;
    buf_init(&bytes, BATCH_CARRIED);
    ledger_fixture_batch(f, who, seq, 1, text, &bytes);
    assert_int_equal(batch_read(buf_slice(&bytes), &b, &e), ERR_OK);
    code = pool_add(f->pool, &b, final_seq, answer, &e);
    buf_release(&bytes);
    return code;
}

static void test_the_pool_holds_a_window_and_reports_each_fate(void **state) {
    struct ledger_fixture f;
    enum pool_answer answer;
    struct err why = {ERR_NONCONFORMING, "why"};
    struct digest hash, other = digest_of(slice_str("other"));
    (void)state;
    ledger_fixture_open(&f, false);
    assert_int_equal(pool_put(&f, 0, 1, "a", 1, &answer), ERR_SEQUENCE);
    assert_int_equal(pool_put(&f, 0, LIMIT_POOL_BATCHES + 1, "a", 0, &answer), ERR_SEQUENCE);
    assert_int_equal(pool_submitters(f.pool), 0);
    assert_int_equal(pool_put(&f, 0, 2, "a", 0, &answer), ERR_OK); /* out of order, within the window */
    assert_int_equal(answer, POOL_TAKEN);
    assert_int_equal(pool_put(&f, 0, 2, "a", 0, &answer), ERR_OK);
    assert_int_equal(answer, POOL_HELD);
    assert_int_equal(pool_put(&f, 0, 2, "b", 0, &answer), ERR_CONFLICT);
    assert_false(chain_has_work(f.chain, &chain_tip(f.chain)->hash)); /* 1 is missing */
    assert_int_equal(pool_put(&f, 0, 1, "a", 0, &answer), ERR_OK);
    assert_true(chain_has_work(f.chain, &chain_tip(f.chain)->hash));
    assert_int_equal(pool_usage(f.pool).batches, 2);
    pool_refuse(f.pool, &f.key[0], 2, 0, &why);
    assert_int_equal(f.fate[POOL_REFUSED], 1);
    assert_int_equal(pool_put(&f, 0, 2, "b", 0, &answer), ERR_OK);
    hash = pool_get(f.pool, &f.key[0], 1)->hash;
    pool_final(f.pool, &f.key[0], 1, &hash, 7);
    assert_int_equal(f.fate[POOL_FINAL], 1);
    pool_final(f.pool, &f.key[0], 2, &other, 8);
    assert_int_equal(f.fate[POOL_DISPLACED], 1);
    assert_int_equal(pool_submitters(f.pool), 0);
    assert_int_equal(pool_usage(f.pool).bytes, 0);
    ledger_fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_votes_are_kept_once_loaded_above_and_pruned),
        cmocka_unit_test(test_the_pool_holds_a_window_and_reports_each_fate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
