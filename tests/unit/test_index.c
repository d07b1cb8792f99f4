/* tests/unit/test_index.c -- the index against a naive oracle: random entries, queries, restarts, kills and damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <signal.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <cmocka.h>

#include "ledger/completeness.h"
#include "ledger/index_inner.h"
#include "ledger/index_post.h"
#include "ledger/index_tree.h"
#include "tests/support/index_chain.h"
#include "wire/mem.h"

static struct err e;
static uint8_t garbage[8192];

static void ok(enum err_code code) {
    if (code != ERR_OK)
        fail_msg("%s: %s", err_name(code), e.text);
}

struct home {
    char path[64];
    struct chain chain;
    struct index_source src;
    struct index *ix;
    uint32_t flush, segment, fan;
};

static void home_open(struct home *h, bool *rebuilt) {
    struct index_options o = {.path = h->path, .flush_entries = h->flush, .segment_entries = h->segment, .fan = h->fan};
    o.channel = digest_of(slice_str("acme"));
    o.map_size = 1 << 20;
    ok(index_open(&h->ix, &o, rebuilt, &e));
}

static void home_make(struct home *h, uint64_t seed) {
    memset(h, 0, sizeof *h);
    snprintf(h->path, sizeof h->path, "/tmp/assay-index-XXXXXX");
    assert_non_null(mkdtemp(h->path));
    h->flush = 16;
    h->segment = 256;
    h->fan = 3;
    chain_init(&h->chain, seed);
    h->src = chain_source(&h->chain);
    home_open(h, NULL);
}

static void home_file(const struct home *h, char out[128], const char *name) {
    snprintf(out, 128, "%s/%s", h->path, name);
}

static void home_end(struct home *h) {
    char file[128];
    index_close(h->ix);
    chain_release(&h->chain);
    home_file(h, file, "data.mdb");
    unlink(file);
    home_file(h, file, "lock.mdb");
    unlink(file);
    assert_int_equal(rmdir(h->path), 0);
}

static void home_follow(struct home *h, struct index_progress *p) {
    ok(index_step(h->ix, &h->src, UINT32_MAX, true, p, &e));
    assert_int_equal(p->behind, 0);
    assert_int_equal(p->entries, h->chain.count);
}

static void home_merge(struct home *h) {
    bool more = true;
    while (more)
        ok(index_merge_step(h->ix, &more, &e));
}

/* Collects hits and checks their bytes. */
struct gather {
    const struct chain *chain;
    uint64_t numbers[1 << 16];
    uint32_t count;
};

static enum err_code gather_hit(void *ctx, const struct query_hit *hit, struct err *err) {
    struct gather *g = ctx;
    (void)err;
    assert_true(slice_eq(hit->entry->bytes, g->chain->made[hit->entry->number].bytes));
    assert_int_equal(hit->time, g->chain->made[hit->entry->number].time);
    g->numbers[g->count++] = hit->entry->number;
    return ERR_OK;
}

/* All pages of a query; returns their number. */
static uint32_t gather_all(struct home *h, struct index *ix, struct query q, struct gather *g) {
    struct query_page page;
    char cursor[QUERY_CURSOR_SIZE];
    uint32_t pages = 0;
    g->chain = &h->chain;
    g->count = 0;
    do {
        ok(query_run(ix, &h->src, &q, gather_hit, g, &page, &e));
        memcpy(cursor, page.cursor, sizeof cursor);
        q.cursor = slice_str(cursor);
        pages++;
    } while (page.more);
    return pages;
}

static void check_question(struct home *h, struct gather *g, uint64_t limit) {
    struct chain_question a;
    struct query q;
    uint64_t n, expect = 0, count;
    uint64_t buckets[8];
    struct query_histogram hist = {.first = 1700000000000, .width = 3000, .count = 8, .buckets = buckets};
    uint64_t oracle[8] = {0}, before = 0, after = 0;
    uint32_t i;
    chain_ask(&h->chain, &a);
    q = chain_query(&h->chain, &a);
    q.limit = limit;
    q.oldest = chain_random(&h->chain, 2);
    gather_all(h, h->ix, q, g);
    for (n = 0; n < h->chain.count; n++) {
        int64_t t = h->chain.made[n].time - hist.first;
        if (!chain_answer(&h->chain, &a, n))
            continue;
        assert_true(expect < g->count);
        i = (uint32_t)(q.oldest ? expect : g->count - 1 - expect);
        assert_int_equal(g->numbers[i], n);
        expect++;
        if (t < 0)
            before++;
        else if (t >= 8 * 3000)
            after++;
        else
            oracle[t / 3000]++;
    }
    assert_int_equal(expect, g->count);
    ok(query_count(h->ix, &h->src, &q, &count, &hist, &e));
    assert_int_equal(count, expect);
    assert_memory_equal(buckets, oracle, sizeof oracle);
    assert_int_equal(hist.before, before);
    assert_int_equal(hist.after, after);
    ok(query_count(h->ix, &h->src, &q, &count, NULL, &e));
    assert_int_equal(count, expect);
}

static void check_tree(struct home *h) {
    struct index_view *v;
    struct index_tree tree;
    struct digest got, want;
    uint64_t n;
    ok(index_view_open(h->ix, &v, &e));
    index_tree_init(&tree, v, &h->src);
    for (n = 0; n < h->chain.count; n++) {
        ok(index_tree_read(&tree, 0, n, 1, &got, &e));
        want = entry_leaf(h->chain.made[n].bytes);
        assert_true(digest_eq(&got, &want));
    }
    for (n = 0; n < h->chain.count / 256; n++) {
        struct digest leaves[256];
        ok(index_tree_read(&tree, 0, n * 256, 256, leaves, &e));
        want = index_column_root(leaves);
        ok(index_tree_read(&tree, 8, n, 1, &got, &e));
        assert_true(digest_eq(&got, &want));
    }
    assert_int_equal(index_tree_read(&tree, 0, h->chain.count, 1, &got, &e), ERR_NOT_FOUND);
    assert_int_equal(index_tree_read(&tree, 8, h->chain.count / 256, 1, &got, &e), ERR_NOT_FOUND);
    index_view_close(v);
}

struct kinds_check {
    const struct chain *chain;
    uint64_t next, found;
};
static bool kinds_each(void *ctx, uint64_t number, enum entry_kind kind) {
    struct kinds_check *k = ctx;
    while (k->next < number)
        assert_int_equal(k->chain->made[k->next++].kind == ENTRY_VERDICT, 0);
    assert_int_equal(kind, ENTRY_VERDICT);
    assert_int_equal(k->chain->made[number].kind, ENTRY_VERDICT);
    k->next = number + 1;
    k->found++;
    return true;
}

static void check_kinds(struct home *h) {
    struct kinds_check k = {&h->chain, 0, 0};
    struct index_view *v;
    uint64_t n, expect = 0;
    ok(index_view_open(h->ix, &v, &e));
    ok(index_governance(v, 1u << ENTRY_VERDICT, 0, kinds_each, &k, &e));
    for (n = 0; n < index_view_entries(v); n++)
        expect += h->chain.made[n].kind == ENTRY_VERDICT;
    assert_int_equal(k.found, expect);
    index_view_close(v);
}

static bool sources_each(void *ctx, const struct completeness *c) {
    struct home *h = ctx;
    struct index_view *v;
    uint64_t n, top = 0, records = 0, dead = 0, missing = 0, i, hole = 0;
    uint64_t entries;
    uint8_t *seen = mem_zalloc(h->chain.count + 2, 1);
    ok(index_view_open(h->ix, &v, &e));
    entries = index_view_entries(v);
    index_view_close(v);
    for (n = 0; n < entries; n++) {
        const struct chain_made *m = &h->chain.made[n];
        if (m->kind == ENTRY_VERDICT || !slice_eq_str(c->source, chain_words[m->source % 8]) ||
            c->submitter[0] != 0x40 + m->submitter)
            continue;
        seen[m->seq] = 1;
        top = m->seq > top ? m->seq : top;
        records += m->kind == ENTRY_RECORD;
        dead += m->kind == ENTRY_DEAD_LETTER;
    }
    assert_int_equal(c->highest, top);
    assert_int_equal(c->records, records);
    assert_int_equal(c->dead_letters, dead);
    for (i = 1; i <= top; i++)
        missing += !seen[i];
    assert_int_equal(c->missing, missing);
    if (c->holes_dropped == 0) {
        for (i = 1; i <= c->contiguous; i++)
            assert_true(seen[i]);
        for (; i <= top; i++) {
            bool in = hole < c->hole_count && i >= c->holes[hole].first && i <= c->holes[hole].last;
            assert_int_equal(in, !seen[i]);
            if (in && i == c->holes[hole].last)
                hole++;
        }
        assert_int_equal(hole, c->hole_count);
    }
    mem_free(seen);
    return true;
}

static void check_sources(struct home *h) {
    struct index_view *v;
    ok(index_view_open(h->ix, &v, &e));
    ok(completeness_list(v, sources_each, h, &e));
    index_view_close(v);
}

static void test_random_history_answers_as_the_oracle(void **state) {
    static struct gather g;
    uint64_t seed, limits[] = {1, 7, 100, 1000};
    (void)state;
    for (seed = 1; seed <= 3; seed++) {
        struct home h;
        struct index_progress p;
        unsigned round, i;
        home_make(&h, seed);
        for (round = 0; round < 40; round++) {
            bool more;
            chain_grow(&h.chain, (uint32_t)chain_random(&h.chain, 60), false);
            switch (chain_random(&h.chain, 6)) {
            case 0:
                break;
            case 1:
                index_close(h.ix);
                home_open(&h, &more);
                assert_false(more);
                break;
            case 2:
                home_merge(&h);
                break;
            default:
                ok(index_step(h.ix, &h.src, (uint32_t)chain_random(&h.chain, 100), chain_random(&h.chain, 2), &p, &e));
                assert_false(p.restarted);
                ok(index_merge_step(h.ix, &more, &e));
            }
            for (i = 0; i < 6 && h.chain.count; i++)
                check_question(&h, &g, limits[chain_random(&h.chain, 4)]);
        }
        home_follow(&h, &p);
        home_merge(&h);
        check_tree(&h);
        check_kinds(&h);
        check_sources(&h);
        ok(index_check(h.ix, &e));
        home_end(&h);
    }
}

static void test_idle_flushes_stay_few_segments(void **state) {
    struct home h;
    struct index_progress p;
    struct index_view *v;
    unsigned i;
    bool more;
    (void)state;
    home_make(&h, 9);
    h.segment = 4096;
    index_close(h.ix);
    home_open(&h, NULL);
    for (i = 0; i < 400; i++) {
        chain_grow(&h.chain, 1 + (uint32_t)chain_random(&h.chain, 3), true);
        home_follow(&h, &p);
        assert_true(p.flushed);
        ok(index_merge_step(h.ix, &more, &e));
        ok(index_view_open(h.ix, &v, &e));
        assert_true(index_view_segments(v) < 20);
        index_view_close(v);
    }
    check_tree(&h);
    home_end(&h);
}

static void test_unindexed_tail_is_answered(void **state) {
    static struct gather g;
    struct home h;
    struct index_progress p;
    unsigned i;
    (void)state;
    home_make(&h, 4);
    chain_grow(&h.chain, 50, false);
    home_follow(&h, &p);
    chain_grow(&h.chain, 50, false);
    for (i = 0; i < 30; i++)
        check_question(&h, &g, 3);
    check_tree(&h);
    gather_all(&h, NULL, (struct query){0}, &g); /* no index at all */
    assert_int_equal(g.count, 100);
    home_end(&h);
}

static void test_sigkill_at_any_instant_resumes(void **state) {
    static struct gather g;
    struct home h;
    unsigned round, i;
    (void)state;
    home_make(&h, 5);
    chain_grow(&h.chain, 40, false);
    for (i = 0; i < 120; i++)
        chain_grow(&h.chain, 25, false);
    index_close(h.ix);
    for (round = 0; round < 12; round++) {
        bool rebuilt;
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            struct index_progress p = {.behind = 1};
            bool more;
            home_open(&h, &rebuilt);
            while (p.behind && index_step(h.ix, &h.src, 20, false, &p, &e) == ERR_OK)
                if (index_merge_step(h.ix, &more, &e) != ERR_OK)
                    _exit(2);
            _exit(p.behind ? 1 : 0);
        }
        usleep((useconds_t)chain_random(&h.chain, 30000) + 500);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        home_open(&h, &rebuilt);
        assert_false(rebuilt);
        ok(index_check(h.ix, &e));
        check_question(&h, &g, 100);
        index_close(h.ix);
    }
    home_open(&h, NULL);
    {
        struct index_progress p;
        home_follow(&h, &p);
        assert_false(p.restarted);
    }
    for (i = 0; i < 20; i++)
        check_question(&h, &g, 1000);
    check_tree(&h);
    check_sources(&h);
    home_end(&h);
}

/* Flips one byte in every nth value through LMDB itself, as a bad disk would behind a sound page. */
static void damage(struct home *h, enum index_store_db db, unsigned which) {
    MDB_txn *txn;
    MDB_cursor *c;
    MDB_val k, v;
    uint8_t copy[1 << 16];
    unsigned i;
    assert_int_equal(mdb_txn_begin(h->ix->store.env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_cursor_open(txn, h->ix->store.dbi[db], &c), 0);
    for (i = 0; i <= which; i++)
        assert_int_equal(mdb_cursor_get(c, &k, &v, MDB_NEXT), 0);
    assert_true(v.mv_size <= sizeof copy);
    memcpy(copy, v.mv_data, v.mv_size);
    copy[v.mv_size / 2] ^= 4;
    v.mv_data = copy;
    assert_int_equal(mdb_cursor_put(c, &k, &v, MDB_CURRENT), 0);
    mdb_cursor_close(c);
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static void test_damaged_value_is_found_answered_and_rebuilt(void **state) {
    static struct gather g;
    static const enum index_store_db dbs[] = {INDEX_DB_TERMS,  INDEX_DB_TIMES, INDEX_DB_SEGMENTS, INDEX_DB_STATE,
                                              INDEX_DB_HASHES, INDEX_DB_KINDS, INDEX_DB_SOURCES};
    struct home h;
    struct index_progress p;
    unsigned i, j;
    (void)state;
    home_make(&h, 6);
    chain_grow(&h.chain, 300, false);
    chain_grow(&h.chain, 300, false);
    for (i = 0; i < sizeof dbs / sizeof dbs[0]; i++) {
        home_follow(&h, &p);
        ok(index_check(h.ix, &e));
        damage(&h, dbs[i], dbs[i] == INDEX_DB_STATE ? 0 : 1);
        for (j = 0; j < 10; j++) /* right answers all the same */
            check_question(&h, &g, 50);
        assert_int_equal(index_check(h.ix, &e), ERR_CORRUPT);
        ok(index_step(h.ix, &h.src, UINT32_MAX, true, &p, &e));
        assert_true(p.restarted);
        ok(index_check(h.ix, &e));
        for (j = 0; j < 5; j++)
            check_question(&h, &g, 50);
    }
    check_tree(&h);
    home_end(&h);
}

static void test_foreign_cut_or_garbled_file_is_replaced(void **state) {
    struct home h;
    struct index_progress p;
    struct index_options o;
    char file[128];
    bool rebuilt;
    int fd;
    (void)state;
    home_make(&h, 7);
    chain_grow(&h.chain, 500, false);
    home_follow(&h, &p);
    index_close(h.ix);
    home_file(&h, file, "data.mdb");
    assert_int_equal(truncate(file, 16384), 0);
    home_open(&h, &rebuilt);
    assert_true(rebuilt);
    home_follow(&h, &p);
    index_close(h.ix);
    fd = open(file, O_WRONLY);
    assert_int_equal(pwrite(fd, memset(garbage, 0xa5, sizeof garbage), sizeof garbage, 0), sizeof garbage);
    close(fd);
    home_open(&h, &rebuilt);
    assert_true(rebuilt);
    home_follow(&h, &p);
    index_close(h.ix);
    memset(&o, 0, sizeof o);
    o.path = h.path;
    o.channel = digest_of(slice_str("globex"));
    ok(index_open(&h.ix, &o, &rebuilt, &e));
    assert_true(rebuilt);
    home_end(&h);
}

static void test_shorter_chain_rebuilds(void **state) {
    static struct gather g;
    struct home h;
    struct index_progress p;
    (void)state;
    home_make(&h, 8);
    chain_grow(&h.chain, 30, false);
    chain_grow(&h.chain, 30, false);
    home_follow(&h, &p);
    index_close(h.ix);
    home_open(&h, NULL);
    h.chain.block_count--; /* the store was restored to an older state */
    h.chain.count -= 30;
    check_question(&h, &g, 100);
    ok(index_step(h.ix, &h.src, 1000, true, &p, &e));
    assert_true(p.restarted);
    assert_int_equal(p.entries, 30);
    h.chain.block_count++;
    h.chain.count += 30;
    home_end(&h);
}

static void test_source_failure_loses_nothing(void **state) {
    static struct gather g;
    struct home h;
    struct index_progress p;
    (void)state;
    home_make(&h, 10);
    chain_grow(&h.chain, 10, false);
    home_follow(&h, &p);
    chain_grow(&h.chain, 10, false);
    h.chain.fail = true;
    assert_int_equal(index_step(h.ix, &h.src, 1000, true, &p, &e), ERR_IO);
    h.chain.fail = false;
    home_follow(&h, &p);
    check_question(&h, &g, 100);
    home_end(&h);
}

static void test_out_of_memory_at_any_point_is_survived(void **state) {
    static struct gather g;
    struct home h;
    struct index_progress p;
    unsigned long nth;
    enum err_code code = ERR_NO_MEMORY;
    (void)state;
    home_make(&h, 11);
    chain_grow(&h.chain, 40, false);
    home_follow(&h, &p);
    chain_grow(&h.chain, 40, false);
    for (nth = 1; code != ERR_OK; nth++) {
        mem_fail_at(nth);
        code = index_step(h.ix, &h.src, 1000, true, &p, &e);
        mem_fail_at(0);
        if (code != ERR_NO_MEMORY)
            ok(code);
    }
    assert_false(p.restarted);
    check_question(&h, &g, 100);
    home_end(&h);
}

struct reader {
    struct home *home;
    uint64_t expect;
    atomic_bool stop;
    atomic_uint rounds, wrong;
};

static void *reader_main(void *ctx) {
    struct reader *r = ctx;
    struct query q = {.subject_name = slice_str("alice")};
    uint64_t n;
    while (!atomic_load(&r->stop)) {
        if (query_count(r->home->ix, &r->home->src, &q, &n, NULL, NULL) != ERR_OK || n != r->expect)
            atomic_fetch_add(&r->wrong, 1);
        atomic_fetch_add(&r->rounds, 1);
    }
    return NULL;
}

static void test_readers_see_one_answer_while_it_grows_and_merges(void **state) {
    struct home h;
    struct reader r = {.home = &h};
    struct index_progress p = {.behind = 1};
    pthread_t threads[2];
    MDB_envinfo info;
    uint64_t n;
    bool more;
    int i;
    (void)state;
    home_make(&h, 12);
    for (i = 0; i < 150; i++)
        chain_grow(&h.chain, 40, false);
    for (n = 0; n < h.chain.count; n++)
        r.expect += h.chain.made[n].kind == ENTRY_RECORD && h.chain.made[n].subject == 0;
    for (i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader_main, &r), 0);
    while (p.behind) {
        ok(index_step(h.ix, &h.src, 100, true, &p, &e));
        ok(index_merge_step(h.ix, &more, &e));
    }
    atomic_store(&r.stop, true);
    for (i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(r.wrong, 0);
    assert_true(r.rounds > 0);
    assert_int_equal(mdb_env_info(h.ix->store.env, &info), 0);
    assert_true(info.me_mapsize > 1 << 20); /* it did grow */
    home_end(&h);
}

static void test_posting_lists_round_trip_and_refuse_damage(void **state) {
    struct index_post_writer w = {0};
    struct index_post p;
    uint32_t start, length, n = 0, i;
    static const uint32_t in[] = {0, 1, 2, 2, 9, 300, 301, 70000};
    (void)state;
    for (i = 0; i < 8; i++)
        assert_true(index_post_add(&w, in[i], 1));
    assert_true(index_post_finish(&w));
    assert_int_equal(w.count, 7);
    index_post_init(&p, slice_of(w.ptr, w.len), 70001);
    while (index_post_next(&p, &start, &length))
        n += length;
    assert_int_equal(n, 7);
    assert_false(p.bad);
    index_post_init(&p, slice_of(w.ptr, w.len), 70000); /* past the segment's end */
    while (index_post_next(&p, &start, &length))
        ;
    assert_true(p.bad);
    index_post_init(&p, slice_of(w.ptr, w.len - 1), 70001); /* cut */
    while (index_post_next(&p, &start, &length))
        ;
    assert_true(p.bad);
    index_post_release(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posting_lists_round_trip_and_refuse_damage),
        cmocka_unit_test(test_unindexed_tail_is_answered),
        cmocka_unit_test(test_readers_see_one_answer_while_it_grows_and_merges),
        cmocka_unit_test(test_random_history_answers_as_the_oracle),
        cmocka_unit_test(test_idle_flushes_stay_few_segments),
        cmocka_unit_test(test_sigkill_at_any_instant_resumes),
        cmocka_unit_test(test_damaged_value_is_found_answered_and_rebuilt),
        cmocka_unit_test(test_foreign_cut_or_garbled_file_is_replaced),
        cmocka_unit_test(test_shorter_chain_rebuilds),
        cmocka_unit_test(test_source_failure_loses_nothing),
        cmocka_unit_test(test_out_of_memory_at_any_point_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
