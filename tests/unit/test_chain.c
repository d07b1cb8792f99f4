/* Tests of ledger/chain*.c: docs/PROTOCOL.md 2, 3, 4, 10. */
#include "tests/support/ledger_fixture.h"

#include "wire/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static enum err_code accept_cert(void *ctx, const struct header *h, const struct digest *hash, struct slice cert,
                                 struct err *e) {
    (void)ctx;
    (void)h;
    return slice_eq(cert, digest_slice(hash)) ? ERR_OK : err_set(e, ERR_BAD_SIGNATURE, "not its certificate");
}

static void test_founding_is_idempotent_and_bound_to_its_channel(void **state) {
    struct ledger_fixture f;
    struct chain_options o;
    struct chain *other;
    struct digest genesis;
    struct err e;
    (void)state;
    ledger_fixture_open(&f, true);
    genesis = block_genesis(&f.channel);
    assert_true(digest_eq(&chain_tip(f.chain)->hash, &genesis));
    ledger_fixture_reopen(&f);
    assert_int_equal(chain_tip(f.chain)->height, 0);
    o = (struct chain_options){.channel = digest_of(slice_str("other")), .store = f.store, .pool = f.pool};
    assert_int_equal(chain_open(&o, &other, &e), ERR_WRONG_NETWORK);
    ledger_fixture_close(&f);
}

static void test_entries_are_read_back_by_number(void **state) {
    struct ledger_fixture f;
    struct chain_reader *r;
    struct chain_reader_entry x;
    struct chain_block b;
    struct err e = {.text = ""};
    uint64_t i;
    (void)state;
    ledger_fixture_open(&f, true);
    ledger_fixture_grow(&f, 5, 7);
    assert_int_equal(chain_reader_open(f.store, &r, &e), ERR_OK);
    assert_int_equal(chain_reader_tip(r)->tree_size, 5 * 7 * 3);
    for (i = 0; i < 5 * 7 * 3; i++) {
        char want[64];
        uint64_t n = 5 * 7 * 3 - 1 - i; /* backwards: no help from what is open */
        if (chain_reader_entry(r, n, &x, &e) != ERR_OK)
            fail_msg("%s", e.text);
        assert_int_equal(x.number, n);
        assert_int_equal(x.height, n / 21 + 1);
        snprintf(want, sizeof want, " %u", (unsigned)(n % 7));
        assert_memory_equal(x.bytes.ptr + x.bytes.len - 2, want, 2);
        assert_int_equal(chain_reader_block_of(r, n, &b, &e), ERR_OK);
        assert_int_equal(b.header.height, x.height);
    }
    assert_int_equal(chain_reader_entry(r, i, &x, &e), ERR_NOT_FOUND);
    chain_reader_close(r);
    ledger_fixture_close(&f);
}

static void test_a_refused_batch_frees_its_seq_and_the_block_goes_on(void **state) {
    struct ledger_fixture f;
    struct digest hash;
    struct err e;
    (void)state;
    ledger_fixture_open(&f, false);
    assert_int_equal(ledger_fixture_submit(&f, 0, 1, 2, "bad", &e), ERR_OK);
    assert_int_equal(ledger_fixture_submit(&f, 1, 1, 2, "good", &e), ERR_OK);
    f.refuse = "bad";
    assert_int_equal(ledger_fixture_submit(&f, 2, 1, 2, "bad", &e), ERR_NONCONFORMING);
    hash = ledger_fixture_block(&f, &chain_tip(f.chain)->hash, 5);
    ledger_fixture_finalize(&f, &hash);
    assert_int_equal(f.fate[POOL_REFUSED], 1);
    assert_int_equal(f.fate[POOL_FINAL], 1);
    assert_int_equal(chain_tip(f.chain)->tree_size, 2);
    assert_int_equal(ledger_fixture_submit(&f, 0, 1, 2, "better", &e), ERR_OK);
    assert_int_equal(ledger_fixture_submit(&f, 1, 1, 2, "good", &e), ERR_OK); /* was final */
    assert_int_equal(ledger_fixture_submit(&f, 1, 1, 2, "other", &e), ERR_CONFLICT);
    assert_int_equal(ledger_fixture_submit(&f, 1, 2 + LIMIT_POOL_BATCHES, 1, "far", &e), ERR_SEQUENCE);
    assert_int_equal(ledger_fixture_submit(&f, 0, 1, 2, "best", &e), ERR_CONFLICT);
    ledger_fixture_close(&f);
}

/* Random forks above the tip, one branch made final, restarts in between; the run must equal a replay. */
static void test_random_forks_equal_replay(void **state) {
    uint64_t seed = 7;
    unsigned round, i;
    (void)state;
    for (round = 0; round < 2; round++) {
        struct ledger_fixture f, g;
        struct buf range;
        struct chain_reader *r;
        struct err e = {.text = ""};
        uint64_t applied = 0;
        ledger_fixture_open(&f, round == 0);
        ledger_fixture_open(&g, round != 0);
        for (i = 0; i < 30; i++) {
            struct digest made[6];
            unsigned count = 1 + ledger_fixture_random(&seed) % 4, k, best = 0;
            uint32_t depth, most = 0;
            for (k = 0; k < 2; k++) {
                unsigned who = ledger_fixture_random(&seed) % FIXTURE_SUBMITTERS;
                uint64_t seq = chain_final_seq(f.chain, &f.key[who]) + 1;
                while (pool_get(f.pool, &f.key[who], seq))
                    seq++;
                if (ledger_fixture_submit(&f, who, seq, 1 + i % 3, "fork", &e) != ERR_OK)
                    fail_msg("%s", e.text);
            }
            made[0] = chain_tip(f.chain)->hash;
            for (k = 1; k <= count; k++) { /* each on a random earlier one, at a time of its own */
                struct digest on = made[ledger_fixture_random(&seed) % k];
                if (!chain_has_work(f.chain, &on))
                    on = made[0];
                made[k] = ledger_fixture_block(&f, &on, 10000 * (int64_t)(i + 1) + k);
                assert_int_equal(chain_depth(f.chain, &made[k], &depth, &e), ERR_OK);
                if (depth >= most) {
                    most = depth;
                    best = k;
                }
            }
            if (i % 5 == 2)
                ledger_fixture_reopen(&f);
            if (i % 5 == 2) /* the pool is memory: what outboxes resend */
                assert_true(chain_is_durable(f.chain, &made[best]));
            ledger_fixture_finalize(&f, &made[best]);
            assert_true(digest_eq(&chain_tip(f.chain)->hash, &made[best]));
            if (i % 7 == 3)
                ledger_fixture_reopen(&f);
        }
        buf_init(&range, LIMIT_MESSAGE);
        assert_int_equal(chain_reader_open(f.store, &r, &e), ERR_OK);
        while (chain_tip(g.chain)->height < chain_tip(f.chain)->height) {
            if (chain_reader_range(r, chain_tip(g.chain)->height + 1, 1500, &range, &e) != ERR_OK)
                fail_msg("%s", e.text);
            if (chain_import(g.chain, buf_slice(&range), accept_cert, NULL, &applied, &e) != ERR_OK)
                fail_msg("%s", e.text);
            assert_true(applied > 0);
        }
        assert_true(digest_eq(&chain_tip(f.chain)->hash, &chain_tip(g.chain)->hash));
        assert_true(digest_eq(&chain_tip(f.chain)->tree_root, &chain_tip(g.chain)->tree_root));
        for (i = 0; i < FIXTURE_SUBMITTERS; i++)
            assert_int_equal(chain_final_seq(f.chain, &f.key[i]), chain_final_seq(g.chain, &f.key[i]));
        ledger_fixture_reopen(&g);
        assert_true(digest_eq(&chain_tip(f.chain)->hash, &chain_tip(g.chain)->hash));
        chain_reader_close(r);
        buf_release(&range);
        ledger_fixture_close(&f);
        ledger_fixture_close(&g);
    }
}

static void test_an_abandoned_block_gives_its_batches_back(void **state) {
    struct ledger_fixture f, g;
    struct digest a, b;
    struct header h;
    struct buf body;
    struct err e = {.text = ""};
    (void)state;
    ledger_fixture_open(&f, false);
    ledger_fixture_open(&g, false);
    buf_init(&body, LIMIT_BLOCK_BODY);
    assert_int_equal(ledger_fixture_submit(&g, 0, 1, 2, "theirs", &e), ERR_OK); /* f learns of it by a block alone */
    a = ledger_fixture_block(&g, &chain_tip(g.chain)->hash, 5);
    assert_int_equal(chain_get_block(g.chain, &a, &h, &body, &e), ERR_OK);
    assert_int_equal(chain_validate(f.chain, &h, buf_slice(&body), 5, NULL, &e), ERR_OK);
    assert_int_equal(ledger_fixture_submit(&f, 1, 1, 2, "ours", &e), ERR_OK);
    b = ledger_fixture_block(&f, &chain_tip(f.chain)->hash, 5);
    ledger_fixture_finalize(&f, &b);
    assert_int_equal(f.drops, 1);
    assert_non_null(pool_get(f.pool, &f.key[0], 1));
    assert_true(chain_has_work(f.chain, &b));
    assert_false(chain_is_durable(f.chain, &a));
    ledger_fixture_reopen(&f);
    assert_false(chain_is_durable(f.chain, &a));
    buf_release(&body);
    ledger_fixture_close(&f);
    ledger_fixture_close(&g);
}

/* One valid block, and every way to spoil it. */
static void test_bad_blocks_are_refused_with_their_reason(void **state) {
    struct ledger_fixture f, g;
    struct header h, bad;
    struct digest hash;
    struct buf body;
    struct err e = {.text = ""};
    bool fault;
    (void)state;
    ledger_fixture_open(&f, false);
    ledger_fixture_open(&g, false);
    buf_init(&body, LIMIT_BLOCK_BODY);
    assert_int_equal(ledger_fixture_submit(&f, 0, 1, 3, "text", &e), ERR_OK);
    hash = ledger_fixture_block(&f, &chain_tip(f.chain)->hash, 100000);
    assert_int_equal(chain_get_block(f.chain, &hash, &h, &body, &e), ERR_OK);
#define REFUSED(code_, fault_, clock_)                                                                                 \
    assert_int_equal(chain_validate(g.chain, &bad, buf_slice(&body), clock_, &fault, &e), code_);                      \
    assert_int_equal(fault, fault_)
    bad = h, bad.tree_root.b[3] ^= 1;
    REFUSED(ERR_MISMATCH, true, CHAIN_NO_CLOCK);
    bad = h, bad.tree_size++;
    REFUSED(ERR_MISMATCH, true, CHAIN_NO_CLOCK);
    bad = h, bad.entries--;
    REFUSED(ERR_MISMATCH, false, CHAIN_NO_CLOCK);
    bad = h, bad.body_root.b[0] ^= 1;
    REFUSED(ERR_MISMATCH, false, CHAIN_NO_CLOCK);
    bad = h, bad.body_len++;
    REFUSED(ERR_MISMATCH, false, CHAIN_NO_CLOCK);
    bad = h, bad.height = 2;
    REFUSED(ERR_MISMATCH, true, CHAIN_NO_CLOCK);
    bad = h, bad.prev.b[0] ^= 1;
    REFUSED(ERR_NOT_FOUND, false, CHAIN_NO_CLOCK);
    bad = h, bad.channel.b[0] ^= 1;
    REFUSED(ERR_WRONG_NETWORK, true, CHAIN_NO_CLOCK);
    bad = h; /* more than 5 s ahead of the clock: only a new block's concern */
    REFUSED(ERR_BAD_TIME, true, 100000 - LIMIT_CLOCK_AHEAD_MS - 1);
    g.refuse = "text";
    REFUSED(ERR_NONCONFORMING, true, 100000 - LIMIT_CLOCK_AHEAD_MS);
    g.refuse = NULL;
    assert_int_equal(chain_validate(g.chain, &h, buf_slice(&body), 100000 - LIMIT_CLOCK_AHEAD_MS, &fault, &e), ERR_OK);
    ledger_fixture_finalize(&g, &hash);
    bad = h, bad.height = 2, bad.prev = hash, bad.tree_size = 6; /* the same batch once more */
    REFUSED(ERR_SEQUENCE, true, CHAIN_NO_CLOCK);
    bad.time = 99999;
    REFUSED(ERR_BAD_TIME, true, CHAIN_NO_CLOCK);
    body.ptr[body.len - 1] ^= 1; /* another entry under the same root */
    bad = h, bad.height = 2, bad.prev = hash;
    ledger_fixture_close(&g);
    ledger_fixture_open(&g, false);
    bad = h;
    assert_int_not_equal(chain_validate(g.chain, &bad, buf_slice(&body), CHAIN_NO_CLOCK, &fault, &e), ERR_OK);
    assert_false(fault); /* the copy is bad, not the block */
    buf_release(&body);
    ledger_fixture_close(&f);
    ledger_fixture_close(&g);
}

static void test_a_crash_keeps_what_was_synced(void **state) {
    struct ledger_fixture f;
    struct digest a, b;
    struct err e;
    (void)state;
    ledger_fixture_open(&f, false);
    ledger_fixture_grow(&f, 2, 2);
    assert_int_equal(ledger_fixture_submit(&f, 0, 3, 1, "x", &e), ERR_OK);
    a = ledger_fixture_block(&f, &chain_tip(f.chain)->hash, 5000);
    store_mem_hold(f.store, true);
    ledger_fixture_finalize(&f, &a);
    assert_int_equal(ledger_fixture_submit(&f, 0, 4, 1, "y", &e), ERR_OK);
    b = ledger_fixture_block(&f, &chain_tip(f.chain)->hash, 5000);
    assert_int_equal(store_mem_unsynced(f.store), 2);
    store_mem_crash(f.store, 0);
    ledger_fixture_reopen(&f);
    assert_int_equal(chain_tip(f.chain)->height, 2);
    assert_true(chain_is_durable(f.chain, &a));
    assert_false(chain_is_durable(f.chain, &b));
    ledger_fixture_finalize(&f, &a);
    assert_int_equal(chain_tip(f.chain)->height, 3);
    ledger_fixture_close(&f);
}

static void test_import_refuses_what_is_not_proven(void **state) {
    struct ledger_fixture f, g;
    struct chain_reader *r;
    struct buf range;
    struct err e = {.text = ""};
    uint64_t applied;
    size_t i;
    (void)state;
    ledger_fixture_open(&f, false);
    ledger_fixture_open(&g, false);
    ledger_fixture_grow(&f, 3, 2);
    buf_init(&range, LIMIT_MESSAGE);
    assert_int_equal(chain_reader_open(f.store, &r, &e), ERR_OK);
    assert_int_equal(chain_reader_range(r, 2, 1 << 20, &range, &e), ERR_OK);
    assert_int_equal(chain_import(g.chain, buf_slice(&range), accept_cert, NULL, &applied, &e), ERR_SEQUENCE);
    assert_int_equal(chain_reader_range(r, 1, 1 << 20, &range, &e), ERR_OK);
    for (i = 0; i < range.len; i += 11) { /* any damage: nothing wrong is applied, nothing breaks */
        range.ptr[i] ^= 0x40;
        enum err_code code = chain_import(g.chain, buf_slice(&range), accept_cert, NULL, &applied, &e);
        if (code == ERR_OK || applied > 0) { /* carriage may differ harmlessly; the chain may not */
            struct chain_reader *rg;
            struct chain_block x, y;
            assert_int_equal(chain_reader_open(g.store, &rg, &e), ERR_OK);
            assert_int_equal(chain_reader_block(rg, chain_tip(g.chain)->height, &x, &e), ERR_OK);
            assert_int_equal(chain_reader_block(r, chain_tip(g.chain)->height, &y, &e), ERR_OK);
            assert_true(digest_eq(&x.hash, &y.hash));
            chain_reader_close(rg);
            ledger_fixture_close(&g);
            ledger_fixture_open(&g, false);
        } else {
            assert_int_not_equal(err_class_of(code), ERR_CLASS_FATAL);
        }
        range.ptr[i] ^= 0x40;
    }
    assert_int_equal(chain_import(g.chain, buf_slice(&range), accept_cert, NULL, &applied, &e), ERR_OK);
    assert_int_equal(applied, 3);
    assert_int_equal(chain_import(g.chain, buf_slice(&range), accept_cert, NULL, &applied, &e), ERR_OK);
    assert_int_equal(applied, 0);
    chain_reader_close(r);
    buf_release(&range);
    ledger_fixture_close(&f);
    ledger_fixture_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_founding_is_idempotent_and_bound_to_its_channel),
        cmocka_unit_test(test_entries_are_read_back_by_number),
        cmocka_unit_test(test_a_refused_batch_frees_its_seq_and_the_block_goes_on),
        cmocka_unit_test(test_random_forks_equal_replay),
        cmocka_unit_test(test_an_abandoned_block_gives_its_batches_back),
        cmocka_unit_test(test_bad_blocks_are_refused_with_their_reason),
        cmocka_unit_test(test_a_crash_keeps_what_was_synced),
        cmocka_unit_test(test_import_refuses_what_is_not_proven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
