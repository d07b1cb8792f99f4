/* Tests of ledger/fsck*.c and chain_replace.c: docs/PROTOCOL.md 10. */
#include "ledger/fsck.h"
#include "ledger/journal.h"
#include "tests/support/ledger_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

struct seen {
    uint64_t faults, height, first_entry, entries;
    enum fsck_kind kind;
    bool repairable;
};

static void see(void *ctx, const struct fsck_fault *f) {
    struct seen *s = ctx;
    if (s->faults++ > 0)
        return;
    s->height = f->height;
    s->first_entry = f->first_entry;
    s->entries = f->entries;
    s->kind = f->kind;
    s->repairable = f->repairable;
}

static enum err_code verify_cert(void *ctx, const struct header *h, const struct digest *hash, struct slice cert,
                                 struct err *e) {
    (void)ctx;
    (void)h;
    return slice_eq(cert, digest_slice(hash)) ? ERR_OK : err_set(e, ERR_BAD_SIGNATURE, "not its certificate");
}

static struct seen check(struct ledger_fixture *f) {
    struct seen s = {0};
    struct fsck_options o = {.channel = f->channel, .verify = verify_cert, .fault = see, .ctx = &s};
    struct fsck_report report;
    struct err e = {.text = ""};
    if (fsck_run(f->store, &o, &report, &e) != ERR_OK)
        fail_msg("%s", e.text);
    assert_int_equal(report.faults, s.faults);
    return s;
}

/* Blocks, an unfinalised block, votes: something in every table. */
static void fill(struct ledger_fixture *f) {
    struct store_txn *t;
    struct err e;
    ledger_fixture_grow(f, 3, 2);
    assert_int_equal(ledger_fixture_submit(f, 0, 4, 2, "pending", &e), ERR_OK);
    ledger_fixture_block(f, &chain_tip(f->chain)->hash, 9000);
    assert_int_equal(store_begin_write(f->store, &t, &e), ERR_OK);
    assert_int_equal(journal_put(t, JOURNAL_VOTES, (struct journal_key){1, 2, 3}, slice_str("vote"), &e), ERR_OK);
    assert_int_equal(journal_put(t, JOURNAL_PROOFS, (struct journal_key){1, 2, 3}, slice_str("proof"), &e), ERR_OK);
    assert_int_equal(journal_set(t, "epoch", slice_str("1"), &e), ERR_OK);
    assert_int_equal(store_commit(t, &e), ERR_OK);
}

static void test_a_sound_ledger_has_no_fault(void **state) {
    struct ledger_fixture f;
    (void)state;
    ledger_fixture_open(&f, true);
    assert_int_equal(check(&f).faults, 0);
    fill(&f);
    assert_int_equal(check(&f).faults, 0);
    ledger_fixture_close(&f);
}

/* Overwrites raw bytes of one value in a transaction of its own. */
static void raw_write(struct store *s, enum store_table table, struct slice key, struct slice raw) {
    struct store_txn *t;
    struct err e;
    assert_int_equal(store_begin_write(s, &t, &e), ERR_OK);
    assert_int_equal(store_raw_put(t, table, key, raw, &e), ERR_OK);
    assert_int_equal(store_commit(t, &e), ERR_OK);
}

static void test_every_flipped_byte_of_every_value_is_found(void **state) {
    struct ledger_fixture f;
    unsigned table, flips = 0;
    (void)state;
    ledger_fixture_open(&f, false);
    fill(&f);
    for (table = 1; table <= STORE_TABLE_COUNT; table++) {
        uint8_t key_bytes[STORE_KEY_MAX], raw_bytes[8192];
        struct slice key = slice_none(), at, raw;
        struct store_txn *t;
        struct err e;
        unsigned rows = 0;
        for (;;) {
            size_t i;
            assert_int_equal(store_begin_read(f.store, &t, &e), ERR_OK);
            if (store_seek(t, (enum store_table)table, key.len ? STORE_ABOVE : STORE_AT_OR_ABOVE, key, &at, NULL, &e) !=
                ERR_OK)
                break;
            memcpy(key_bytes, at.ptr, at.len);
            key = slice_of(key_bytes, at.len);
            assert_int_equal(store_raw_get(t, (enum store_table)table, key, &raw, &e), ERR_OK);
            assert_true(raw.len <= sizeof raw_bytes);
            memcpy(raw_bytes, raw.ptr, raw.len);
            raw = slice_of(raw_bytes, raw.len);
            store_abort(t);
            for (i = 0; i < raw.len; i++) {
                raw_bytes[i] ^= (uint8_t)(1u << (i % 8));
                raw_write(f.store, (enum store_table)table, key, raw);
                if (check(&f).faults == 0)
                    fail_msg("byte %zu of a value of table %s", i, store_table_name((enum store_table)table));
                raw_bytes[i] ^= (uint8_t)(1u << (i % 8));
                flips++;
            }
            raw_write(f.store, (enum store_table)table, key, raw);
            rows++;
        }
        store_abort(t);
        assert_true(rows > 0);
    }
    assert_int_equal(check(&f).faults, 0);
    assert_true(flips > 3000);
    ledger_fixture_close(&f);
}

static void test_a_damaged_body_is_named_and_repaired(void **state) {
    struct ledger_fixture f, g;
    struct seen s;
    struct chain_reader *r;
    struct chain_block b;
    struct slice body;
    struct header wrong;
    struct err e = {.text = ""};
    uint8_t key[8] = {0, 0, 0, 0, 0, 0, 0, 2};
    (void)state;
    ledger_fixture_open(&f, true);
    ledger_fixture_open(&g, false);
    ledger_fixture_grow(&f, 3, 2);
    ledger_fixture_grow(&g, 3, 2);
    raw_write(f.store, STORE_BODIES, slice_of(key, 8), slice_str("garbage garbage"));
    s = check(&f);
    assert_int_equal(s.faults, 1);
    assert_int_equal(s.kind, FSCK_BODY);
    assert_int_equal(s.height, 2);
    assert_int_equal(s.first_entry, 6);
    assert_int_equal(s.entries, 6);
    assert_true(s.repairable);
    assert_int_equal(chain_reader_open(g.store, &r, &e), ERR_OK);
    assert_int_equal(chain_reader_body(r, 2, &b, &body, &e), ERR_OK);
    wrong = b.header;
    wrong.time++;
    assert_int_equal(chain_replace_block(f.chain, 2, &wrong, body, &e), ERR_MISMATCH);
    assert_int_equal(chain_replace_block(f.chain, 3, &b.header, body, &e), ERR_MISMATCH);
    assert_int_equal(chain_replace_block(f.chain, 4, &b.header, body, &e), ERR_NOT_FOUND);
    if (chain_replace_block(f.chain, 2, &b.header, body, &e) != ERR_OK)
        fail_msg("%s", e.text);
    assert_int_equal(check(&f).faults, 0);
    raw_write(f.store, STORE_BLOCKS, slice_of(key, 8), slice_str("garbage garbage")); /* the index row too */
    s = check(&f);
    assert_int_equal(s.height, 2);
    assert_int_equal(chain_replace_block(f.chain, 2, &b.header, body, &e), ERR_OK);
    assert_int_equal(check(&f).faults, 0);
    chain_reader_close(r);
    ledger_fixture_close(&f);
    ledger_fixture_close(&g);
}

static void test_what_is_derived_can_be_rebuilt(void **state) {
    struct ledger_fixture f;
    struct chain_tip tip;
    struct store_txn *t;
    struct chain_options o;
    struct err e = {.text = ""};
    uint64_t seq;
    uint8_t key[8] = {0, 0, 0, 0, 0, 0, 0, 2};
    (void)state;
    ledger_fixture_open(&f, true);
    ledger_fixture_grow(&f, 4, 2);
    tip = *chain_tip(f.chain);
    seq = chain_final_seq(f.chain, &f.key[1]);
    chain_close(f.chain);
    f.chain = NULL;
    raw_write(f.store, STORE_META, slice_str("tip"), slice_str("garbage garbage"));
    assert_int_equal(store_begin_write(f.store, &t, &e), ERR_OK);
    assert_int_equal(store_put(t, STORE_BATCHES, slice_str("junk"), slice_str("junk"), &e), ERR_OK);
    assert_int_equal(store_commit(t, &e), ERR_OK);
    assert_true(check(&f).faults >= 2);
    o = (struct chain_options){.channel = f.channel, .store = f.store, .pool = f.pool};
    assert_int_equal(chain_open(&o, &f.chain, &e), ERR_CORRUPT);
    if (chain_rebuild(f.store, &f.channel, &e) != ERR_OK)
        fail_msg("%s", e.text);
    assert_int_equal(check(&f).faults, 0);
    assert_int_equal(chain_open(&o, &f.chain, &e), ERR_OK);
    assert_true(digest_eq(&chain_tip(f.chain)->hash, &tip.hash));
    assert_int_equal(chain_final_seq(f.chain, &f.key[1]), seq);
    chain_close(f.chain);
    f.chain = NULL;
    raw_write(f.store, STORE_BODIES, slice_of(key, 8), slice_str("garbage garbage"));
    assert_int_equal(chain_rebuild(f.store, &f.channel, &e), ERR_CORRUPT);
    ledger_fixture_close(&f);
}

static enum err_code scan(void *ctx, struct err *e) {
    return fsck_first_scan(ctx, e);
}
static enum err_code die(void *ctx, struct err *e) {
    (void)e;
    raise(*(int *)ctx);
    return ERR_OK;
}

static void test_a_child_that_dies_means_corrupt(void **state) {
    int signals[] = {SIGSEGV, SIGBUS};
    struct err e;
    unsigned i;
    char *yes[] = {(char[]){"/bin/true"}, NULL}, *no[] = {(char[]){"/bin/false"}, NULL};
    (void)state;
    for (i = 0; i < 2; i++)
        assert_int_equal(fsck_in_fork(die, &signals[i], &e), ERR_CORRUPT);
    assert_int_equal(fsck_in_child(yes, &e), ERR_OK);
    assert_int_equal(fsck_in_child(no, &e), ERR_INTERNAL);
}

static void test_a_truncated_or_scribbled_file_is_corrupt(void **state) {
    unsigned part;
    (void)state;
    for (part = 0; part < 3; part++) {
        struct ledger_fixture f;
        struct err e;
        char path[96], zeros[4096] = {0};
        FILE *file;
        long size;
        ledger_fixture_open(&f, true);
        ledger_fixture_grow(&f, 3, 2);
        chain_close(f.chain);
        f.chain = NULL;
        store_close(f.store);
        f.store = NULL;
        assert_int_equal(fsck_in_fork(scan, f.dir, &e), ERR_OK);
        snprintf(path, sizeof path, "%s/data.mdb", f.dir);
        file = fopen(path, "r+");
        fseek(file, 0, SEEK_END);
        size = ftell(file);
        if (part < 2) {
            assert_int_equal(ftruncate(fileno(file), part == 0 ? size / 2 / 4096 * 4096 : 2 * 4096), 0);
        } else {
            long at;
            for (at = 2 * 4096; at < size; at += 4096) {
                fseek(file, at, SEEK_SET);
                fwrite(zeros, 1, sizeof zeros, file);
            }
        }
        fclose(file);
        assert_int_equal(fsck_in_fork(scan, f.dir, &e), ERR_CORRUPT);
        ledger_fixture_close(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sound_ledger_has_no_fault),
        cmocka_unit_test(test_every_flipped_byte_of_every_value_is_found),
        cmocka_unit_test(test_a_damaged_body_is_named_and_repaired),
        cmocka_unit_test(test_what_is_derived_can_be_rebuilt),
        cmocka_unit_test(test_a_child_that_dies_means_corrupt),
        cmocka_unit_test(test_a_truncated_or_scribbled_file_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
