/* tests/bench/bench_index.c -- what indexing costs a record, beside the roofline of the same machine in the same run:
 * the same entries hashed and appended to an LMDB table with a sync every thousand.
 * Usage: bench_index [records]. Prints microseconds of CPU and bytes on disk a record, and their ratios. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ledger/index_inner.h"
#include "tests/support/index_chain.h"

static struct err e;

static void ok(enum err_code code) {
    if (code == ERR_OK)
        return;
    fprintf(stderr, "bench_index: %s: %s\n", err_name(code), e.text);
    exit(1);
}

static double bench_clock(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

struct cost {
    double cpu, wall; /* us a record */
    double bytes;     /* on disk, a record */
};

static struct cost bench_start(void) {
    return (struct cost){bench_clock(CLOCK_PROCESS_CPUTIME_ID), bench_clock(CLOCK_MONOTONIC), 0};
}

static struct cost bench_end(struct cost from, const char *dir, double records) {
    char file[128];
    struct stat st;
    struct cost c = {(bench_clock(CLOCK_PROCESS_CPUTIME_ID) - from.cpu) / records,
                     (bench_clock(CLOCK_MONOTONIC) - from.wall) / records, 0};
    snprintf(file, sizeof file, "%s/data.mdb", dir);
    if (stat(file, &st) == 0)
        c.bytes = (double)st.st_size / records;
    return c;
}

static void bench_dir(char dir[64]) {
    snprintf(dir, 64, "/tmp/assay-bench-XXXXXX");
    if (!mkdtemp(dir))
        exit(1);
}

static void bench_remove(const char *dir) {
    char file[128];
    snprintf(file, sizeof file, "%s/data.mdb", dir);
    unlink(file);
    snprintf(file, sizeof file, "%s/lock.mdb", dir);
    unlink(file);
    rmdir(dir);
}

static struct cost bench_append(struct chain *c) {
    struct index_store s;
    struct cost cost;
    struct digest leaf;
    uint8_t key[8], sink = 0;
    uint64_t n = 0, end;
    char dir[64];
    MDB_txn *txn;
    MDB_val k, v;
    bool remade;
    bench_dir(dir);
    ok(index_store_open(&s, dir, (size_t)4 << 30, &remade, &e));
    cost = bench_start();
    while (n < c->count) {
        end = n + 1000 < c->count ? n + 1000 : c->count;
        if (mdb_txn_begin(s.env, NULL, 0, &txn))
            exit(1);
        for (; n < end; n++) {
            leaf = entry_leaf(c->made[n].bytes);
            sink ^= leaf.b[0];
            index_store_be64(key, n);
            k = (MDB_val){8, key};
            v = (MDB_val){c->made[n].bytes.len, c->made[n].owner.ptr};
            if (mdb_put(txn, s.dbi[INDEX_DB_KINDS], &k, &v, MDB_APPEND))
                exit(1);
        }
        if (mdb_txn_commit(txn))
            exit(1);
    }
    cost = bench_end(cost, dir, (double)c->count);
    index_store_close(&s);
    bench_remove(dir);
    if (sink == 1)
        printf(" ");
    return cost;
}

static struct cost bench_decode(struct chain *c, struct index_source *src) {
    struct cost cost = bench_start();
    struct index_entry entry;
    struct index_doc doc;
    struct arena a;
    uint64_t n;
    arena_init(&a, 1 << 20);
    for (n = 0; n < c->count; n++) {
        ok(src->entry(src->ctx, n, &entry, &e));
        ok(index_doc_read(&entry, &a, &doc, &e));
    }
    arena_release(&a);
    return bench_end(cost, "", (double)c->count);
}

static void bench_sizes(struct index *ix) {
    static const char *const names[INDEX_DB_COUNT] = {"state",  "segments", "terms",  "times",
                                                      "hashes", "kinds",    "sources"};
    struct index_view *v;
    MDB_stat st;
    int i;
    ok(index_view_open(ix, &v, &e));
    for (i = 0; i < INDEX_DB_COUNT; i++)
        if (mdb_stat(v->txn, ix->store.dbi[i], &st) == 0)
            printf("  %-8s %6.1f B a record\n", names[i],
                   (double)(st.ms_leaf_pages + st.ms_overflow_pages + st.ms_branch_pages) * st.ms_psize /
                       (double)index_view_entries(v));
    printf("  %u segments\n", index_view_segments(v));
    index_view_close(v);
}

static enum err_code bench_hit(void *ctx, const struct query_hit *hit, struct err *err) {
    (void)ctx;
    (void)hit;
    (void)err;
    return ERR_OK;
}

static void bench_queries(struct chain *c, struct index *ix, struct index_source *src) {
    struct query q[3] = {{.limit = 100}, {.limit = 100}, {.limit = 100}};
    static const char *const names[3] = {"by uid", "subject and object", "class, first 100"};
    struct query_page page;
    double from;
    int i, k;
    memcpy(q[0].uid, c->made[c->count / 3].uid, RECORD_UID_SIZE);
    q[1].subject_name = slice_str(chain_words[9]);
    q[1].object_name = slice_str(chain_words[10]);
    q[2].class_id = slice_str(chain_words[2]);
    for (i = 0; i < 3; i++) {
        from = bench_clock(CLOCK_MONOTONIC);
        for (k = 0; k < 20; k++)
            ok(query_run(ix, src, &q[i], bench_hit, NULL, &page, &e));
        printf("  query %-20s %6.0f us, %u hits, %llu entries read\n", names[i],
               (bench_clock(CLOCK_MONOTONIC) - from) / 20, page.hits, (unsigned long long)page.read);
    }
}

int main(int argc, char **argv) {
    uint64_t records = argc > 1 ? strtoul(argv[1], NULL, 10) : 300000, n;
    struct index_options o = {0};
    struct index_progress p = {.behind = 1};
    struct cost append, decode, index, merged;
    struct chain c;
    struct index_source src;
    struct index *ix;
    double bytes = 0;
    char dir[64];
    bool more;
    chain_init(&c, 1);
    for (n = 0; n < records; n += 1000)
        chain_grow(&c, 1000, true);
    src = chain_source(&c);
    for (n = 0; n < c.count; n++)
        bytes += (double)c.made[n].bytes.len;
    printf("%llu records of %.0f bytes\n", (unsigned long long)c.count, bytes / (double)c.count);
    append = bench_append(&c);
    decode = bench_decode(&c, &src);
    bench_dir(dir);
    o.path = dir;
    o.map_size = (size_t)1 << 30;
    ok(index_open(&ix, &o, NULL, &e));
    merged = index = bench_start();
    while (p.behind)
        ok(index_step(ix, &src, 16384, true, &p, &e));
    index = bench_end(index, dir, (double)c.count);
    for (more = true; more;)
        ok(index_merge_step(ix, &more, &e));
    merged = bench_end(merged, dir, (double)c.count);
    printf("                      CPU us  wall us  bytes on disk, a record\n");
    printf("append, hash, sync   %7.2f  %7.2f  %7.0f\n", append.cpu, append.wall, append.bytes);
    printf("decode alone         %7.2f  %7.2f\n", decode.cpu, decode.wall);
    printf("index                %7.2f  %7.2f  %7.0f\n", index.cpu, index.wall, index.bytes);
    printf("index and merge      %7.2f  %7.2f  %7.0f\n", merged.cpu, merged.wall, merged.bytes);
    printf("ratio to append: index %.1f, with merges %.1f; bytes %.2f\n", index.cpu / append.cpu,
           merged.cpu / append.cpu, merged.bytes / append.bytes);
    bench_sizes(ix);
    bench_queries(&c, ix, &src);
    index_close(ix);
    bench_remove(dir);
    chain_release(&c);
    return 0;
}
