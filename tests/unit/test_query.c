/* tests/unit/test_query.c -- form of queries, cursors and pages; values that are long or Chinese. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "ledger/query.h"
#include "tests/support/index_chain.h"

static struct err e;

static void ok(enum err_code code) {
    if (code != ERR_OK)
        fail_msg("%s: %s", err_name(code), e.text);
}

struct fixture {
    char path[64];
    struct chain chain;
    struct index_source src;
    struct index *ix;
};

static int setup(void **state) {
    static struct fixture f;
    struct index_options o = {.flush_entries = 64, .segment_entries = 512, .fan = 2};
    struct index_progress p;
    unsigned i;
    memset(&f, 0, sizeof f);
    snprintf(f.path, sizeof f.path, "/tmp/assay-query-XXXXXX");
    assert_non_null(mkdtemp(f.path));
    o.path = f.path;
    chain_init(&f.chain, 77);
    f.src = chain_source(&f.chain);
    ok(index_open(&f.ix, &o, NULL, &e));
    for (i = 0; i < 20; i++)
        chain_grow(&f.chain, 40, false);
    ok(index_step(f.ix, &f.src, UINT32_MAX, true, &p, &e));
    chain_grow(&f.chain, 30, false); /* a tail */
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    char file[128];
    index_close(f->ix);
    chain_release(&f->chain);
    snprintf(file, sizeof file, "%s/data.mdb", f->path);
    unlink(file);
    snprintf(file, sizeof file, "%s/lock.mdb", f->path);
    unlink(file);
    return rmdir(f->path);
}

struct gather {
    uint64_t numbers[4096];
    uint32_t count, stop_at;
};

static enum err_code hit(void *ctx, const struct query_hit *h, struct err *err) {
    struct gather *g = ctx;
    if (g->stop_at && g->count + 1 == g->stop_at)
        return err_set(err, ERR_UNREACHABLE, "the asker hung up");
    g->numbers[g->count++] = h->entry->number;
    return ERR_OK;
}

static void test_pages_joined_equal_the_whole_while_the_log_grows(void **state) {
    static struct gather whole, paged;
    struct fixture *f = *state;
    struct query q = {.subject_name = slice_str("alice"), .limit = 1000};
    struct query_page page;
    char cursor[QUERY_CURSOR_SIZE];
    whole.count = paged.count = 0;
    ok(query_run(f->ix, &f->src, &q, hit, &whole, &page, &e));
    assert_false(page.more);
    assert_string_equal(page.cursor, "");
    assert_true(whole.count > 50);
    q.limit = 7;
    do {
        ok(query_run(f->ix, &f->src, &q, hit, &paged, &page, &e));
        assert_true(page.hits == 7 || !page.more);
        memcpy(cursor, page.cursor, sizeof cursor);
        q.cursor = slice_str(cursor);
        chain_grow(&f->chain, 3, false); /* newer entries must not disturb it */
    } while (page.more);
    assert_int_equal(whole.count, paged.count);
    assert_memory_equal(whole.numbers, paged.numbers, whole.count * sizeof whole.numbers[0]);
}

static void test_oldest_first_cursor_follows_growth(void **state) {
    static struct gather g;
    struct fixture *f = *state;
    struct query q = {.subject_name = slice_str("alice"), .limit = 1000, .oldest = true};
    struct query_page page;
    char cursor[QUERY_CURSOR_SIZE];
    uint64_t before = f->chain.count, n, expect = 0;
    g.count = 0;
    ok(query_run(f->ix, &f->src, &q, hit, &g, &page, &e));
    assert_false(page.more);
    memcpy(cursor, page.cursor, sizeof cursor);
    q.cursor = slice_str(cursor);
    chain_grow(&f->chain, 50, false);
    g.count = 0;
    ok(query_run(f->ix, &f->src, &q, hit, &g, &page, &e));
    for (n = before; n < f->chain.count; n++)
        expect += f->chain.made[n].kind == ENTRY_RECORD && f->chain.made[n].subject == 0;
    assert_int_equal(g.count, expect);
    for (n = 0; n < g.count; n++)
        assert_true(g.numbers[n] >= before);
}

static void test_hostile_cursors_are_refused(void **state) {
    static struct gather g;
    struct fixture *f = *state;
    struct query q = {.subject_name = slice_str("alice"), .limit = 5}, other;
    struct query_page page;
    char cursor[QUERY_CURSOR_SIZE], bad[QUERY_CURSOR_SIZE];
    size_t i;
    g.count = 0;
    ok(query_run(f->ix, &f->src, &q, hit, &g, &page, &e));
    assert_true(page.more);
    memcpy(cursor, page.cursor, sizeof cursor);
    for (i = 0; i < QUERY_CURSOR_SIZE - 1; i++) {
        memcpy(bad, cursor, sizeof bad);
        bad[i] = bad[i] == '0' ? '1' : '0';
        q.cursor = slice_str(bad);
        assert_int_equal(query_run(f->ix, &f->src, &q, hit, &g, &page, &e), ERR_MALFORMED);
        bad[i] = (char)0xff;
        assert_int_equal(query_run(f->ix, &f->src, &q, hit, &g, &page, &e), ERR_MALFORMED);
        q.cursor = slice_of(cursor, i ? i : 1); /* cut */
        assert_int_equal(query_run(f->ix, &f->src, &q, hit, &g, &page, &e), ERR_MALFORMED);
    }
    q.cursor = slice_str("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz");
    assert_int_equal(query_run(f->ix, &f->src, &q, hit, &g, &page, &e), ERR_MALFORMED);
    other = q;
    other.cursor = slice_str(cursor);
    other.subject_name = slice_str("bob"); /* another question */
    assert_int_equal(query_run(f->ix, &f->src, &other, hit, &g, &page, &e), ERR_MALFORMED);
    other = q;
    other.cursor = slice_str(cursor);
    other.limit = 9; /* another page size is fine */
    ok(query_run(f->ix, &f->src, &other, hit, &g, &page, &e));
}

static void test_long_and_chinese_values_are_found(void **state) {
    static struct gather g;
    struct fixture *f = *state;
    struct query_page page;
    char beyond[QUERY_VALUE_MAX + 1];
    int i;
    for (i = 0; i < CHAIN_WORDS; i++) {
        struct query q = {.object_name = slice_str(chain_words[i]), .limit = 1};
        g.count = 0;
        ok(query_run(f->ix, &f->src, &q, hit, &g, &page, &e));
        assert_int_equal(g.count, 1);
    }
    memset(beyond, 'x', sizeof beyond); /* longer than any value and than a key of the store */
    beyond[sizeof beyond - 1] = 0;
    {
        struct query q = {.object_name = slice_str(beyond), .object_type = slice_str(beyond)};
        g.count = 0;
        ok(query_run(f->ix, &f->src, &q, hit, &g, &page, &e));
        assert_int_equal(g.count, 0);
    }
}

static void test_index_reads_little(void **state) {
    static struct gather g;
    struct fixture *f = *state;
    struct query q = {.limit = 10};
    struct query_page page;
    struct index_progress p;
    ok(index_step(f->ix, &f->src, UINT32_MAX, true, &p, &e));
    memcpy(q.uid, f->chain.made[123].uid, sizeof q.uid);
    q.kinds = 1u << f->chain.made[123].kind;
    g.count = 0;
    if (f->chain.made[123].kind == ENTRY_VERDICT)
        skip();
    ok(query_run(f->ix, &f->src, &q, hit, &g, &page, &e));
    assert_int_equal(g.count, 1);
    assert_int_equal(g.numbers[0], 123);
    assert_int_equal(page.read, 1);
}

static void test_askers_error_is_passed_on(void **state) {
    static struct gather g;
    struct fixture *f = *state;
    struct query q = {.limit = 10};
    struct query_page page;
    g.count = 0;
    g.stop_at = 3;
    assert_int_equal(query_run(f->ix, &f->src, &q, hit, &g, &page, &e), ERR_UNREACHABLE);
    g.stop_at = 0;
    f->chain.fail = true;
    assert_int_equal(query_run(f->ix, &f->src, &q, hit, &g, &page, &e), ERR_IO);
    f->chain.fail = false;
}

static void test_canonical_form_round_trips(void **state) {
    struct fixture *f = *state;
    struct chain_question a;
    struct arena arena;
    struct buf one, two;
    struct query q, back;
    unsigned i;
    arena_init(&arena, 1 << 16);
    buf_init(&one, 1 << 16);
    buf_init(&two, 1 << 16);
    for (i = 0; i < 300; i++) {
        chain_ask(&f->chain, &a);
        q = chain_query(&f->chain, &a);
        q.limit = i % 7;
        q.oldest = i & 1;
        buf_clear(&one);
        buf_clear(&two);
        query_write(&q, &one);
        ok(query_read(buf_slice(&one), &arena, &back, &e));
        query_write(&back, &two);
        assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
    }
    buf_release(&one);
    buf_release(&two);
    arena_release(&arena);
}

static void test_nonsense_is_refused(void **state) {
    struct query seq = {.source_seq = 1}, range = {.from = 10, .to = 10}, limit = {.limit = QUERY_LIMIT_MAX + 1},
                 kinds = {.kinds = UINT64_C(1) << 40};
    struct query_histogram h = {.width = 0, .count = 1};
    struct fixture *f = *state;
    struct query all = {0};
    uint64_t n;
    assert_int_equal(query_check(&seq, &e), ERR_MALFORMED);
    assert_int_equal(query_check(&range, &e), ERR_MALFORMED);
    assert_int_equal(query_check(&limit, &e), ERR_MALFORMED);
    assert_int_equal(query_check(&kinds, &e), ERR_MALFORMED);
    assert_int_equal(query_count(f->ix, &f->src, &all, &n, &h, &e), ERR_MALFORMED);
    assert_int_equal(query_read(slice_str("\x81\xa1z\x01"), NULL, &all, &e), ERR_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_joined_equal_the_whole_while_the_log_grows),
        cmocka_unit_test(test_oldest_first_cursor_follows_growth),
        cmocka_unit_test(test_hostile_cursors_are_refused),
        cmocka_unit_test(test_long_and_chinese_values_are_found),
        cmocka_unit_test(test_index_reads_little),
        cmocka_unit_test(test_askers_error_is_passed_on),
        cmocka_unit_test(test_canonical_form_round_trips),
        cmocka_unit_test(test_nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
